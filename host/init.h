/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A factory or a site from nothing: keys, certificates and a configuration
 * that musterd takes, in one folder. Nothing is overwritten.
 */
#ifndef HOST_INIT_H
#define HOST_INIT_H

#include "host/arena.h"

struct init_factory {
	const char *folder, *organization;
	const char *listen; /* of the MASA, "0.0.0.0:9443" */
	const char *url; /* "masa.example.com:9443": into IDevIDs and the TLS certificate */
	const char *ops; /* "127.0.0.1:9465", or NULL */
	/* Key URIs to use instead of new files; NULL: new files. */
	const char *idevid_ca_key, *voucher_ca_key, *short_key, *long_key;
	/* An IDevID CA that exists: its certificate (with chain); NULL: self-signed new one. */
	const char *idevid_ca_cert;
};
struct init_site {
	const char *folder, *organization;
	const char *listen; /* of the registrar, "0.0.0.0:8443" */
	const char *hosts; /* space-separated names and addresses of the registrar */
	const char *ops;
	const char *ca_key; /* URI; NULL: a new file */
	const char *announce; /* DNS-SD instance, or NULL */
	const char *coaps, *jpy; /* for constrained devices: UDP addresses to listen on, or NULL */
	long days; /* of device certificates; 0: 90 */
};
/* MST_E_CONFLICT when something is there already; init_why() has words. */
MST_MUST_USE mst_err init_factory(struct arena *a, const struct init_factory *f);
MST_MUST_USE mst_err init_site(struct arena *a, const struct init_site *s);
const char *init_why(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MASA role: RFC 8995 5.5, 5.6 and 5.8 behind two routes. What it decides
 * is in masa_judge.c; this is the daemon's side of it: who asks, how often,
 * and the order "write, then sign, then answer" (design.md 3.4).
 */
#ifndef SERVER_MASA_H
#define SERVER_MASA_H

#include "server/keys/keys.h"
#include "server/masa/masa_judge.h"
#include "server/net/net.h"
#include "server/store/store_masa.h"

#define MASA_PUBLIC_CAS "/etc/ssl/certs/ca-certificates.crt"

struct masa_config { /* zero or NULL: the default in brackets */
	mst_span idevid_anchors_pem; /* required: the CAs that issued the IDevIDs */
	mst_span idevid_crl_pem; /* absent: none */
	enum cert_serial_rule serial_rule;
	enum masa_prior prior; /* [MASA_PRIOR_REQUIRED] */
	enum masa_expiry expiry; /* [MASA_EXPIRY_JUDGED] of IDevIDs */
	const char *slot_short, *slot_long; /* ["short", "long"] names of key slots */
	int64_t nonceless_seconds; /* life of a nonceless voucher; [0: no expires-on] */
	int64_t skew_seconds; /* [300] how far ahead a registrar's clock may be */
	int64_t rvr_max_age_seconds; /* [86400] of created-on */
	int64_t prior_skew_seconds; /* [86400] how far ahead a pledge's clock may be */
	int64_t prior_max_age_seconds; /* [604800] a pledge may wait 4 days with one request */
	mst_span crl_pem; /* CRLs of registrars' CAs; customers add their own */
	const char *public_cas; /* [MASA_PUBLIC_CAS] CAs never to pin, PEM file; must be readable */
	const char *const *id_data_products; /* product lines whose pledges want id-data (CMS-2) */
	size_t id_data_count;
	long source_per_minute; /* [6000] requests of one address */
	long customer_per_minute; /* [60000] requests of one customer */
	long failures_per_minute; /* [10] wrong passwords from one address, then 429 */
	long failure_delay_ms; /* [1000] before a wrong password is answered */
	long refusals_per_minute; /* [60] rows of the trail; log and counters have all */
};

struct masa;
/*
 * Before net_run. Spans and strings of cfg must outlive the masa; store, keys
 * and net too. MST_E_CONFIG_MISSING, _CONFIG_VALUE, MST_E_X509, MST_E_IO,
 * MST_E_NOT_FOUND (a key slot or the file of public CAs); masa_why() has words.
 */
MST_MUST_USE mst_err masa_open(const struct masa_config *cfg, struct net *n, struct store *s,
    struct keys *k, struct masa **out);
/* After the loops have ended, before net, keys and store are freed. NULL allowed. */
void masa_close(struct masa *m);
const char *masa_why(void);

/* POST /.well-known/brski/requestvoucher and /requestauditlog, for net_listen. */
const struct net_route *masa_routes(const struct masa *m, size_t *count);

/* Customers are read again before the next request (else within a second). Any thread. */
void masa_reload(struct masa *m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site: key process, store, two CAs (labels "" and "lab"), trust, EST, and a
 * listener on loopback; a manufacturer with IDevIDs; and EST requests of a
 * client that may be wrong in one thing.
 */
#ifndef TESTS_UNIT_EST_SUPPORT_SITE_H
#define TESTS_UNIT_EST_SUPPORT_SITE_H

#include "tests/unit/net/support_net.h"
#include "unit/est/support_csr.h"

#define EST "/.well-known/est"
#define TYPE_PKCS10 "application/pkcs10"

struct site {
	struct arena *arena;
	struct store *store;
	struct net *net;
	struct ca *ca;
	struct ca_loop *loops[1];
	struct trust *trust;
	struct est *est;
	struct est_config config; /* what site_open starts from */
	pthread_t thread;
	int port;
	X509 *factory;
	EVP_PKEY *factory_key;
	int64_t manufacturer;
};
/* Once per program, before any thread. */
void site_keys_start(void);
void site_keys_stop(void);
void site_init(struct site *s); /* an empty database; config is the usual one */
void site_open(struct site *s);
void site_close(struct site *s);
void site_wipe(struct site *s);

/* A device whose bootstrap is done; its IDevID on a_key("P-256 idevid"). */
struct device_at_site {
	int64_t id;
	X509 *idevid;
	EVP_PKEY *key;
};
struct device_at_site site_device(struct site *s, const char *serial);
/* The same serial number of another maker, which the site trusts too. */
struct device_at_site site_twin(struct site *s, const char *serial);
struct device site_device_row(struct site *s, int64_t id);
void site_device_save(struct site *s, const struct device *d);
size_t site_certs(struct site *s); /* rows in cert */
/* The newest row of the trail. */
struct trail site_last_trail(struct site *s, int64_t device);

/* One request. body NULL: GET. type NULL: no Content-Type. more: header lines with CRLF, or NULL.
 */
struct reply ask(
    struct client *c, const char *path, const char *type, const char *body, const char *more);
char *text_of(struct arena *a, mst_span der); /* base64 of it */
/* base64 of a CSR on key by subject. */
char *csr_text(struct site *s, EVP_PKEY *key, const char *subject);
/* The one certificate of an answer of 200; fails the test otherwise. */
X509 *cert_of(const struct reply *r);
void assert_refused(const struct reply *r, mst_err e);
/* The newest row of the trail tells this refusal, under the request's id. */
void assert_in_trail(struct site *s, const struct reply *r, mst_err e);
/* The channel binding of a client's connection, as base64. */
char *binding_of(struct site *s, struct client *c);

#endif

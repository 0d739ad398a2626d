/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EST (RFC 7030 with 8951 and 9908) on the registrar's listener, for pledges
 * after their voucher and for any other EST client of the site. The gate
 * (RFC 8995 5.8.3) and the judgement of the CSR are pure; the handlers fetch,
 * order from the CA room and answer in the wire dialect of est.md H and B.
 */
#ifndef SERVER_EST_H
#define SERVER_EST_H

#include "server/ca/ca.h"
#include "server/journal/journal.h"
#include "server/net/net.h"
#include "server/trust/trust.h"

enum est_challenge { EST_CHALLENGE_BINDING, EST_CHALLENGE_IGNORE }; /* L9 */
enum est_csrattrs { EST_CSRATTRS_BOTH, EST_CSRATTRS_TEMPLATE, EST_CSRATTRS_OLD };
enum est_san {
	EST_SAN_NONE,
	EST_SAN_SERIAL
}; /* SERIAL: a dNSName made of the device's serial number */

/* Names that a CA certifies; "*" is all. Without any (count 0): all at label "", else none. */
struct est_names {
	const char *const *list;
	size_t count;
};

struct est_profile { /* one per CA label; the profile of ca.h of the same name signs */
	const char *label;
	/* Whose devices, and which plain clients, by their names; the same for all of one label. */
	struct est_names manufacturers, users;
	const char *profile;
	const char *organization; /* O= of issued subjects, or NULL */
	enum est_san san;
	bool rekey; /* R3 */
};

struct est_config {
	struct store *store;
	struct trust *trust;
	struct ca *ca;
	struct ca_loop **loops; /* one per net loop */
	struct net *net;
	const struct est_profile *profiles; /* the first with label "" is the default */
	size_t profile_count;
	/*
	 * Lines "user:pbkdf2-sha256$..." (host/password.h) or the same and ":name,name"; NULL:
	 * Basic is off. Whoever stands there may have those names certified, or the user's own
	 * name where none are said, and no other (A2).
	 */
	const char *basic_file;
	/*
	 * Names of manufacturers whose devices, over CoAPS and without Accept, get the bare
	 * certificate (287) instead of certs-only (281): CO-2.
	 */
	const char *const *single_certificate;
	size_t single_count;
	bool keygen;
	bool binding_required;
	enum est_challenge challenge;
	enum est_csrattrs csrattrs;
	/*
	 * Orders wait for an operator (202): a row of cert in state ORDERED, unsigned. To accept:
	 * ca_issue with the row's own fields (ca, profile, subject, san, spki, order_key, device,
	 * identity); to reject: cert_revoke. The client's next poll gets the outcome.
	 */
	bool manual;
	bool status_optional; /* EST-3 */
	long window_percent; /* R4 */
	long retry_after;
};

struct est;
/* Before net_run; the configuration's pointers outlive the est. MST_E_CONFIG_*; est_why() has
 * words. */
MST_MUST_USE mst_err est_open(const struct est_config *c, struct est **out);
void est_close(struct est *e);
const char *est_why(void);
/* /.well-known/est/..., with and without label, and /crl/<label>.crl; for net_listen. */
const struct net_route *est_routes(const struct est *e, size_t *count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgements of EST as pure functions: may this client use this operation
 * (RFC 8995 5.8.3), and what may be issued for this CSR (RFC 7030 4.2; est.md
 * sections 7 and 8). Neither looks at a clock, a socket or a database.
 */
#ifndef SERVER_EST_JUDGE_H
#define SERVER_EST_JUDGE_H

#include "server/est/est.h"

enum est_op { EST_ENROLL, EST_REENROLL, EST_KEYGEN };

/* What HTTP Basic said about a client without certificate. */
enum est_basic { EST_BASIC_OFF, EST_BASIC_ABSENT, EST_BASIC_PROVED };

struct est_gate_in {
	enum est_op op;
	const struct trust_verdict *client;
	enum est_basic basic;
	const struct device *device; /* behind the client's certificate; NULL: none is known */
	const struct est_profile *profile; /* of the label that is asked */
	const char *manufacturer; /* the device's; NULL: none is known */
	const char *user; /* a plain client's name; NULL: none is known */
	bool barred; /* the plain client was shut out */
	bool user_gone; /* it is not in the file of users, and there is one */
	bool status_optional;
};
/*
 * Who may order a certificate at all. The reason of a refused certificate;
 * MST_E_TLS_NO_CLIENT_CERT and MST_E_HTTP_AUTH where there is none;
 * MST_E_EST_CLIENT_CERT for a renewal without the certificate to be renewed
 * (A3), and for a first enrolment with an LDevID of a device: a device has one
 * chain of certificates (J2), and the next link of it is a renewal;
 * MST_E_EST_GATE_*, MST_E_AUTHZ_QUARANTINED, MST_E_AUTHZ_PENDING;
 * MST_E_EST_BARRED, MST_E_EST_USER_GONE; MST_E_EST_LABEL_DENIED where all else is well and the CA
 * is for others.
 */
MST_MUST_USE mst_err est_gate(const struct est_gate_in *in);

/* A plain client as its line in the file of users says. */
struct est_user {
	const char *name;
	const char *const *names; /* that its certificates may bear; its own where none is said */
	size_t name_count;
};

struct est_csr_in {
	mst_span der;
	enum est_op op;
	enum trust_class class; /* IDEVID, LDEVID; ANONYMOUS: HTTP Basic, proved */
	X509 *leaf; /* the client's certificate; NULL: ANONYMOUS */
	const struct cert_row *row; /* LDEVID: the same as the store knows it */
	mst_span serial; /* of the device; absent: a plain client */
	int64_t twin; /* device_twin: its number, where an older device has that serial */
	mst_span idevid_spki_sha256; /* of the device, where known */
	const struct est_user *user; /* ANONYMOUS: who proved to be there; NULL: bears no name */
	const char *identity; /* who asks, in words; part of the order's key (C5) */
	const struct est_profile *profile;
	mst_span binding; /* of this connection, raw (L3, L4); absent: it has none */
	enum est_challenge challenge;
	bool binding_required;
	long window_percent;
	int64_t now;
};

struct est_csr {
	mst_span subject, san, spki; /* to be issued, in DER; san absent: none */
	uint8_t order_key[32];
	bool bound; /* a channel binding was there and right */
};

/*
 * The names that are issued come from policy alone: for a device
 * serialNumber=<its serial> after O=<organization>, and the profile's SAN; at
 * renewal those of the certificate that is renewed; for a plain client those
 * of its certificate or, with HTTP Basic, a subject of CN, O and OU only (a
 * serialNumber is what names devices), in which O is the site's and whatever
 * else it says is one of the names of that user; so is each dNSName of its
 * SAN, where the profile has SANs at all. A device's CSR may still say the
 * IDevID's subject or the serialNumber alone: clients that ignore csrattrs do.
 * MST_E_CSR_*, MST_E_CSR_NAME for a name of somebody else,
 * MST_E_KEYGEN_KEY_ID. words gets a literal saying what exactly,
 * on refusal. Everything in out lies in the arena.
 */
MST_MUST_USE mst_err est_judge_csr(
    struct arena *a, const struct est_csr_in *in, struct est_csr *out, const char **words);

/*
 * The subject and the SAN that policy gives to a device, DER. Serial numbers
 * are unique per issuer of IDevIDs only, subjects are to be per CA (RFC 5280
 * 4.1.2.6): where twin is not 0 it stands in the subject as dnQualifier, and
 * before the SAN's label. MST_E_CSR_SUBJECT, MST_E_CSR_SAN.
 */
MST_MUST_USE mst_err est_policy_subject(
    struct arena *a, const struct est_profile *p, mst_span serial, int64_t twin, mst_span *der);
MST_MUST_USE mst_err est_policy_san(
    struct arena *a, const struct est_profile *p, mst_span serial, int64_t twin, mst_span *der);

/*
 * CsrAttrs (RFC 7030 4.5.2, 8951 4, 9908 3), DER. serial absent: for a client
 * of whom no device is known. *der is MST_NONE when nothing is asked for.
 */
MST_MUST_USE mst_err est_csrattrs_build(struct arena *a, const struct est_profile *p,
    enum est_csrattrs form, mst_span serial, int64_t twin, bool binding_required, mst_span *der);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a MASA checks before it signs: requirements brski.md 8.4 and 8.5 as pure
 * functions. They see the request, the time, the policy, the customers and one
 * look-up, and answer with a verdict; they never block, write or log.
 */
#ifndef SERVER_MASA_JUDGE_H
#define SERVER_MASA_JUDGE_H

#include "host/cert.h"
#include "host/envelope.h"
#include "host/telemetry.h"
#include "muster/crypto.h"
#include "server/store/store_masa.h"

/* May a nonced request come without the pledge's own signed request? (8.4 step 10) */
enum masa_prior { MASA_PRIOR_REQUIRED, MASA_PRIOR_OPTIONAL };
/* Is the notAfter of an IDevID judged? (ID-4; notBefore and its CA always are) */
enum masa_expiry { MASA_EXPIRY_JUDGED, MASA_EXPIRY_IGNORED };

/* --- customers, parsed once --- */
struct masa_customers; /* immutable, counted references, shared between threads */
struct masa_party { /* one customer */
	struct masa_customer row;
	struct anchors *anchors; /* with its CRLs and the configured ones; NULL: has none */
};
/* crl_pem: CRLs that hold for every customer. A customer whose PEM cannot be read keeps no anchors:
 * *broken counts those. */
MST_MUST_USE mst_err masa_customers_new(const struct masa_customer *rows, size_t count,
    mst_span crl_pem, struct masa_customers **out, size_t *broken);
struct masa_customers *masa_customers_ref(struct masa_customers *c);
void masa_customers_unref(struct masa_customers *c); /* NULL allowed */
/*
 * Whose certificate is this? The customer with the lowest anchor on its path.
 * Through a CA it must have cmcRA, since the same CA may issue to devices. NULL:
 * nobody's, not valid now, or two customers have that anchor.
 */
const struct masa_party *masa_customers_by_cert(const struct masa_customers *c, X509 *leaf,
    const STACK_OF(X509) *chain, const struct mst_clock *clock);
const struct masa_party *masa_customers_by_user(const struct masa_customers *c, mst_span user);
const struct masa_party *masa_customers_by_id(const struct masa_customers *c, int64_t id);
/* Is this very certificate one of the customer's anchors? */
bool masa_party_has_anchor(const struct masa_customers *c, const struct masa_party *p, X509 *cert);

/* --- CAs that must never be pinned --- */
struct masa_public;
/* MST_E_X509 when pem has no certificate. */
MST_MUST_USE mst_err masa_public_new(mst_span pem, struct masa_public **out);
void masa_public_free(struct masa_public *p); /* NULL allowed */
/* Is cert such a CA, or a CA beneath one? */
bool masa_public_has(const struct masa_public *p, X509 *cert, const STACK_OF(X509) *chain);

/* --- the judge --- */
struct masa_policy {
	const struct anchors *idevid; /* with CRLs, if any */
	enum cert_serial_rule serial_rule;
	enum masa_prior prior;
	enum masa_expiry expiry;
	int64_t skew, rvr_max_age, prior_skew, prior_max_age; /* seconds */
	int64_t nonceless_seconds; /* 0: no expires-on */
	mst_span crl_pem;
	const struct masa_public *public_cas;
	const char *const *id_data_products;
	size_t id_data_count;
	const char *slot_short, *slot_long;
	bool rsa_short, rsa_long; /* that slot's key is RSA: it signs nothing in COSE (COSE-2) */
};

/* issuer absent: by serial alone. MST_E_NOT_FOUND, MST_E_CONFLICT. */
typedef mst_err (*masa_find_device)(
    void *arg, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out);

struct masa_judge_in {
	const struct masa_policy *policy;
	const struct masa_customers *customers;
	masa_find_device find;
	void *find_arg;
	enum mst_media media; /* of the request's Content-Type */
	const char *accept; /* NULL absent */
	mst_span rvr;
	struct mst_clock clock;
	const struct masa_party *client; /* authenticated by TLS or HTTP; NULL: anonymous */
	const char *client_name, *source; /* for the log entry; may be NULL */
};

/* Words for the log line, written whatever the outcome. Never a nonce or a message. */
struct masa_report {
	mst_span serial;
	const char *product, *detail;
};

/* A request that passed steps 3 to 7: consistent, from a registrar, about a device of ours. */
struct masa_rvr {
	struct envelope env;
	X509 *chain[MST_CHAIN_MAX]; /* EE first, each issued by the next; borrowed of env */
	size_t count;
	const struct masa_party *party; /* the customer, by client or by the chain; NULL: unknown */
	bool party_by_chain; /* the chain ends at that customer's anchors */
	struct masa_device device;
};
/* Steps 3 to 7. Refusals: MST_E_RVR_*, MST_E_DEVICE_UNKNOWN, MST_E_CLOCK, those of envelope_open
 * and mst_request_check. */
MST_MUST_USE mst_err masa_rvr_open(const struct masa_judge_in *in, struct arena *a,
    struct masa_report *report, struct masa_rvr *out);
/* The chain of an opened envelope (step 3). MST_E_RVR_CHAIN. */
MST_MUST_USE mst_err masa_rvr_chain(struct masa_rvr *r);
/* Add words to report->detail. */
void masa_note(struct arena *a, struct masa_report *report, const char *words);
/* The nearest nextUpdate after `after` of a CRL in pem about an issuer of r's chain; INT64_MAX:
 * there is none. */
int64_t masa_crl_next(mst_span pem, const struct masa_rvr *r, int64_t after);
/* Step 7, with the tolerant readings of ID-8. */
MST_MUST_USE mst_err masa_rvr_device(const struct masa_judge_in *in, struct arena *a,
    const struct mst_voucher_claims *claims, struct masa_report *report, struct masa_device *out);

/* Step 10 on a prior that is present. MST_E_PRIOR_*, MST_E_RVR_SERIAL, MST_E_RVR_NONCE. pvr: the
 * opened prior. */
MST_MUST_USE mst_err masa_prior_judge(const struct masa_judge_in *in, struct arena *a,
    const struct masa_rvr *r, struct masa_report *report, struct mst_voucher_claims *pvr);

struct masa_verdict {
	struct mst_voucher_claims voucher; /* to be signed; created_on is that of the entry */
	struct masa_entry entry; /* to be recorded first; seq is unset */
	enum mst_media media;
	const char *slot;
	bool id_data;
	struct masa_device device;
	const char *customer; /* name; NULL: unknown */
};
/* Steps 12 and 13 (8.5): pin, domainID and expiry into *v. MST_E_RVR_PUBLIC_CA. pvr NULL: no prior.
 */
MST_MUST_USE mst_err masa_pin(const struct masa_judge_in *in, struct arena *a,
    const struct masa_rvr *r, const struct mst_voucher_claims *pvr, struct masa_report *report,
    struct masa_verdict *v);

/*
 * Steps 3 to 14, in that order. *report is always written, *out only on
 * success. Spans of *out lie in the arena or in in->rvr.
 */
MST_MUST_USE mst_err masa_judge_rvr(const struct masa_judge_in *in, struct arena *a,
    struct masa_report *report, struct masa_verdict *out);

/* Step 14: may an answer of this media be sent? MST_E_MEDIA_ACCEPT (406), MST_E_MEDIA_UNSUPPORTED
 * (415: nothing in it is understood). */
MST_MUST_USE mst_err masa_accept_judge(const char *accept, enum mst_media media);

/*
 * RFC 8995 5.8: may this requester see the device's log? Present and former
 * owners only (AUD-2, AUD-3). MST_E_AUDITLOG_DENIED.
 */
MST_MUST_USE mst_err masa_audit_judge(
    const struct masa_rvr *r, const struct masa_entry *entries, size_t count, struct arena *a);
/*
 * The log as it is shown (5.8.1): whole up to fold_above entries; beyond that
 * older duplicates of a domainID are folded, and what is still more than most
 * is cut arbitrarily, the oldest first (AUD-5). most >= 1.
 */
MST_MUST_USE mst_err masa_audit_view(const struct masa_entry *entries, size_t count,
    size_t fold_above, size_t most, struct arena *a, struct audit_log *out);

/* SHA-256 of the SPKI: the pin fingerprint of AUD-7 (RFC 7469 2.4), 32 bytes in the arena. */
MST_MUST_USE mst_err masa_spki_sha256(struct arena *a, X509 *cert, mst_span *out);
MST_MUST_USE mst_err masa_sha256(struct arena *a, mst_span in, mst_span *out);

#endif

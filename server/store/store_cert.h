/* SPDX-License-Identifier: Apache-2.0 */
/* Every certificate the site's CA was asked for: written before it is signed, completed before it
 * is answered. */
#ifndef SERVER_STORE_CERT_H
#define SERVER_STORE_CERT_H

#include "server/store/store.h"

enum cert_state { CERT_ORDERED, CERT_ISSUED, CERT_REVOKED };

struct cert_row {
	int64_t id;
	mst_span serial; /* 16..20 bytes, big-endian, positive */
	int64_t device; /* 0: a plain EST client */
	const char *profile; /* "device", ... */
	const char *ca; /* label of the issuing CA */
	mst_span subject; /* DER Name */
	mst_span san; /* DER of the extension value; absent: none */
	mst_span spki; /* DER */
	mst_span spki_sha256;
	mst_span order_key; /* C5: SHA-256 over CSR without challenge attributes and the client's
	                       identity */
	const char *identity; /* who asked, in words */
	int64_t not_before, not_after, ordered_at, issued_at, revoked_at;
	int revoke_reason; /* RFC 5280 5.3.1; -1 none */
	enum cert_state state;
	mst_span der; /* absent while ORDERED */
};
/* C5: the newest row of the same order, if any; whether it is recent enough to be repeated is the
 * caller's. MST_E_NOT_FOUND. */
MST_MUST_USE mst_err cert_by_order(
    struct db *db, struct arena *a, mst_span order_key, struct cert_row *out);
/* Insert as ORDERED; sets id. MST_E_CA_SERIAL when the serial exists or is not 16..20 bytes,
 * positive, minimal; MST_E_CSR_KEY_REUSED when the key was certified for another device or
 * identity. */
MST_MUST_USE mst_err cert_order(struct db *db, struct cert_row *c);
/* MST_E_NOT_FOUND; MST_E_CONFLICT when it was issued with other bytes (with the same: MST_OK). */
MST_MUST_USE mst_err cert_issued(struct db *db, int64_t id, mst_span der, int64_t now);
MST_MUST_USE mst_err cert_by_serial(
    struct db *db, struct arena *a, mst_span serial, struct cert_row *out);
MST_MUST_USE mst_err cert_revoke(struct db *db, mst_span serial, int reason,
    int64_t now); /* MST_E_CONFLICT when it is already; an ORDERED one may be: a crash may have come
                     after its signature */
/* Whose certificates: a device's, or, where that is 0, a plain client's by its identity. */
struct cert_owner {
	int64_t device;
	const char *identity;
};
/*
 * Every certificate and every waiting order of the owner that has not ended
 * and is not revoked, but the row keep (0: none). *count: how many.
 */
MST_MUST_USE mst_err cert_revoke_owner(struct db *db, const struct cert_owner *o, int64_t keep,
    int reason, int64_t now, size_t *count);
/*
 * What a device's first certificate after a bootstrap puts out of date (reason
 * superseded): whatever else it has of the same CA, and what it was given by
 * any CA before its present voucher.
 */
MST_MUST_USE mst_err cert_supersede(struct db *db, int64_t device, const char *ca, int64_t keep,
    int64_t voucher_at, int64_t now, size_t *count);

/* Plain clients that an operator shut out, by identity ("basic:alice"). */
struct barred {
	const char *owner, *by, *reason;
	int64_t at;
};
/* MST_E_CONFLICT when it is barred already. */
MST_MUST_USE mst_err barred_add(struct db *db, const struct barred *b);
MST_MUST_USE mst_err barred_delete(struct db *db, const char *owner); /* MST_E_NOT_FOUND */
MST_MUST_USE mst_err barred_find(struct db *db, const char *owner, bool *out);
MST_MUST_USE mst_err barred_list(
    struct db *db, struct arena *a, struct barred **out, size_t *count);

/* Newest first; device 0: all; before id (0: from the newest); at most limit. */
MST_MUST_USE mst_err cert_rows(struct db *db, struct arena *a, int64_t device, int64_t before,
    size_t limit, struct cert_row **out, size_t *count);
/*
 * Revoked and not yet expired at now, for the CRL: serial, revoked_at, reason,
 * not_after only. RFC 5280 3.3: an entry stays until it was on one CRL issued
 * after its expiry, so pass this_update of the CRL before as now.
 */
MST_MUST_USE mst_err cert_revoked(struct db *db, struct arena *a, const char *ca, int64_t now,
    struct cert_row **out, size_t *count);

/* Was a certificate of that CA revoked at that second or later? */
MST_MUST_USE mst_err cert_revoked_since(struct db *db, const char *ca, int64_t since, bool *out);

struct crl_row {
	int64_t number, this_update, next_update;
	mst_span der;
};
/* MST_E_CONFLICT: number is not above all before (RFC 5280 5.2.3). The last 32 are kept. */
MST_MUST_USE mst_err crl_put(struct db *db, const char *ca, const struct crl_row *c);
MST_MUST_USE mst_err crl_latest(
    struct db *db, struct arena *a, const char *ca, struct crl_row *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a MASA remembers: devices made, customers, the voucher log (brski.md 26, AUD-7). */
#ifndef SERVER_STORE_MASA_H
#define SERVER_STORE_MASA_H

#include "muster/voucher.h"
#include "server/store/store.h"

enum masa_device_state { MASA_MADE, MASA_BLOCKED, MASA_OWNED };

struct masa_device {
	int64_t id;
	mst_span serial, idevid_issuer;
	mst_span idevid_cert; /* DER; may be absent when only the key is known */
	mst_span spki_sha256;
	const char *product; /* product line; decides id-data and the like */
	int64_t customer; /* 0: not sold to anyone in particular */
	enum masa_device_state state;
	const char *state_reason;
	int64_t made_at;
};
MST_MUST_USE mst_err masa_device_add(
    struct db *db, struct masa_device *d); /* MST_E_CONFLICT: (serial, issuer) exists */
MST_MUST_USE mst_err masa_device_find(
    struct db *db, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out);
MST_MUST_USE mst_err masa_device_by_id(
    struct db *db, struct arena *a, int64_t id, struct masa_device *out);
/* By serial alone: MST_E_CONFLICT when two issuers have it. */
MST_MUST_USE mst_err masa_device_by_serial(
    struct db *db, struct arena *a, mst_span serial, struct masa_device *out);
MST_MUST_USE mst_err masa_device_save(
    struct db *db, const struct masa_device *d); /* customer, state, reason */
MST_MUST_USE mst_err masa_device_list(struct db *db, struct arena *a, mst_span after, size_t limit,
    struct masa_device **out, size_t *count);

struct masa_customer {
	int64_t id;
	const char *name;
	mst_span anchors_pem; /* registrar chains that are this customer */
	const char *user, *password_hash; /* HTTP Basic */
	bool nonceless; /* may have nonceless vouchers */
	bool hard_revocation; /* 8.4 step 5 */
	mst_span crl_pem;
};
MST_MUST_USE mst_err masa_customer_put(
    struct db *db, struct masa_customer *c); /* by name; sets id */
MST_MUST_USE mst_err masa_customer_list(
    struct db *db, struct arena *a, struct masa_customer **out, size_t *count);
MST_MUST_USE mst_err masa_customer_get(
    struct db *db, struct arena *a, const char *name, struct masa_customer *out);

/* One issue, append-only, each row hashed over the row before; the voucher is a row in a chain of
 * its own (chain.h). */
struct masa_entry {
	int64_t seq, at, device, customer;
	mst_span rvr_sha256, pvr_sha256, pin_sha256, domain_id;
	mst_span nonce; /* text as used; absent: nonceless */
	enum mst_assertion assertion;
	int64_t expires_on; /* MST_NO_TIME */
	const char *client, *source; /* TLS or HTTP identity, address */
	mst_span voucher; /* absent until signed */
	mst_span voucher_sha256;
};
/* MST_E_CONFLICT when the rvr_sha256 is there already (8.4: no second entry). Sets seq. */
MST_MUST_USE mst_err masa_log_add(struct db *db, struct masa_entry *e);
/* Once per entry; the same bytes again: MST_OK, other bytes: MST_E_CONFLICT, no such entry:
 * MST_E_NOT_FOUND. */
MST_MUST_USE mst_err masa_log_voucher(struct db *db, int64_t seq, mst_span voucher);
MST_MUST_USE mst_err masa_log_by_rvr(
    struct db *db, struct arena *a, mst_span rvr_sha256, struct masa_entry *out);
/* Of one device, oldest first. */
MST_MUST_USE mst_err masa_log_list(
    struct db *db, struct arena *a, int64_t device, struct masa_entry **out, size_t *count);
MST_MUST_USE mst_err masa_log_verify(struct db *db); /* MST_E_STORE_CHAIN */

#endif

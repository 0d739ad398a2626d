/* SPDX-License-Identifier: Apache-2.0 */
/* What a registrar remembers: manufacturers, devices, exchanges, their timeline (brski.md section
 * 26). */
#ifndef SERVER_STORE_DEVICE_H
#define SERVER_STORE_DEVICE_H

#include "host/cert.h"
#include "host/vocab.h"
#include "muster/voucher.h"
#include "server/store/store.h"

enum accept_mode { ACCEPT_ASK, ACCEPT_LISTED, ACCEPT_AUTO };
const char *accept_mode_word(enum accept_mode m);
int accept_mode_find(const char *word);

struct manufacturer {
	int64_t id;
	const char *name;
	mst_span anchors_pem; /* IDevID anchors */
	mst_span crl_pem; /* absent: none */
	mst_span voucher_anchors_pem; /* absent: vouchers are judged without their chain (COSE-6) */
	const char *masa_url; /* override; NULL: the IDevID's extension */
	mst_span masa_anchors_pem; /* of the MASA's TLS; absent: system store */
	const char *masa_hosts; /* space-separated host[:port] patterns that an extension may name;
	                           NULL: none, so only the override */
	const char *masa_cert_uri, *masa_key_uri, *masa_user, *masa_password;
	enum cert_serial_rule serial_rule;
	bool ignore_expiry; /* ID-4 */
	enum accept_mode mode;
	const char *audit_policy; /* "strict", "warn" */
	bool legacy_base64; /* HT-4 */
	bool enabled;
	int64_t generation; /* changes with every edit, for caches */
};
MST_MUST_USE mst_err manufacturer_put(struct db *db, struct manufacturer *m); /* by name; sets id */
MST_MUST_USE mst_err manufacturer_get(
    struct db *db, struct arena *a, const char *name, struct manufacturer *out);
/* MST_E_NOT_FOUND. */
MST_MUST_USE mst_err manufacturer_name_of(
    struct db *db, struct arena *a, int64_t id, const char **out);
MST_MUST_USE mst_err manufacturer_list(
    struct db *db, struct arena *a, struct manufacturer **out, size_t *count);
MST_MUST_USE mst_err manufacturer_delete(
    struct db *db, const char *name); /* MST_E_NOT_FOUND; MST_E_CONFLICT while it has devices */
/* A number that grows with every put and delete and never comes back: cheap test whether a cache is
 * stale. -1: cannot be read. */
int64_t manufacturer_generation(struct db *db);

struct device {
	int64_t id;
	int64_t manufacturer; /* 0: none (a plain EST client's entry) */
	mst_span serial;
	enum device_state state;
	mst_span idevid_issuer; /* absent until seen or imported */
	mst_span idevid_spki_sha256; /* bound at first sight (TOFU is not used for trust: only to
	                                see a change) */
	int decision; /* 0 none, 1 accepted, -1 rejected */
	const char *decided_by, *decision_reason;
	int64_t first_seen, last_seen, decided_at;
	int voucher_status; /* -1 none, 0 failed, 1 ok */
	int enroll_status;
	int audit_verdict; /* -1 none yet, 0 bad, 1 good, 2 good with warnings */
	const char *audit_words;
	int audit_override; /* 1: an operator admitted it in spite of the verdict */
	const char *expects; /* what comes next, in words; derived */
	int64_t voucher_at; /* when the last voucher was delivered; 0 never */
	const char *trace; /* id of its latest attempt */
};
/*
 * By manufacturer, serial and issuer of the IDevID (ID-8); a device whose
 * issuer nobody has seen yet is that of any issuer. issuer absent: whichever
 * there is; MST_E_CONFLICT when there are several. MST_E_NOT_FOUND.
 */
MST_MUST_USE mst_err device_find(struct db *db, struct arena *a, int64_t manufacturer,
    mst_span serial, mst_span issuer, struct device *out);
/*
 * The same, or create (SEEN, first and last seen now); *created tells which. A
 * row found is not written: set last_seen and save, and with that idevid_issuer,
 * which out has from here on. issuer must live as long as out.
 * MST_E_NOT_FOUND: no such manufacturer. MST_E_CONFLICT as device_find.
 */
MST_MUST_USE mst_err device_touch(struct db *db, struct arena *a, int64_t manufacturer,
    mst_span serial, mst_span issuer, int64_t now, struct device *out, bool *created);
/* All devices of that serial number, whoever made them. */
MST_MUST_USE mst_err device_namesakes(
    struct db *db, struct arena *a, mst_span serial, struct device **out, size_t *count);
/* id when an older device has the same serial number, else 0: what tells their names apart. */
MST_MUST_USE mst_err device_twin(struct db *db, mst_span serial, int64_t id, int64_t *out);
/* By serial alone: MST_E_CONFLICT when several have it. */
MST_MUST_USE mst_err device_by_serial(
    struct db *db, struct arena *a, mst_span serial, struct device *out);
MST_MUST_USE mst_err device_by_id(struct db *db, struct arena *a, int64_t id, struct device *out);
/* Writes every column from state on (expects is derived). MST_E_NOT_FOUND. */
MST_MUST_USE mst_err device_save(struct db *db, const struct device *d);
/*
 * Rows after serial `after` (absent: from the start); state DEVICE_STATE_COUNT
 * for all. A page ends after limit rows, or a few more: rows of one serial
 * (manufacturers and issuers may share it) are never on two pages.
 */
MST_MUST_USE mst_err device_list(struct db *db, struct arena *a, enum device_state state,
    mst_span after, size_t limit, struct device **out, size_t *count);
MST_MUST_USE mst_err device_count(struct db *db, enum device_state state, int64_t *out);

/* One exchange: a PVR and what came of it. */
struct exchange {
	int64_t id, device;
	mst_span pvr_sha256, nonce;
	mst_span pvr, rvr, voucher; /* absent until there */
	enum mst_media media;
	int64_t created, answered;
	mst_err result; /* of the last try towards the MASA */
};
/* 8.2 step 9. MST_E_NOT_FOUND. */
MST_MUST_USE mst_err exchange_find(
    struct db *db, struct arena *a, mst_span pvr_sha256, struct exchange *out);
/* MST_E_PVR_REPLAY when the device's nonce stands with another PVR; MST_E_CONFLICT when these very
 * bytes are there. Sets id. */
MST_MUST_USE mst_err exchange_add(struct db *db, struct exchange *x);
MST_MUST_USE mst_err exchange_save(
    struct db *db, const struct exchange *x); /* rvr, voucher, answered, result */
MST_MUST_USE mst_err exchange_latest(
    struct db *db, struct arena *a, int64_t device, struct exchange *out);
/*
 * Looks at up to limit exchanges behind id *after, in the order in which they
 * came, and deletes those that were last touched (begun or answered) before
 * `before`. *after moves on; 0 when this pass is over: the rest is younger, or
 * there is none. now: times beyond it are of a clock that was wrong.
 */
MST_MUST_USE mst_err exchange_prune(
    struct db *db, int64_t before, int64_t now, size_t limit, int64_t *after, size_t *deleted);

/* The timeline and audit trail of the site: append-only, hash-chained (AUD-7). */
struct trail {
	int64_t seq, at, device; /* device 0: none */
	const char *role;
	enum step step;
	mst_err err;
	const char *trace, *request, *peer, *detail;
};
/* seq of *t is ignored: rows are numbered 1, 2, 3 ... How rows are hashed: chain.h. */
MST_MUST_USE mst_err trail_add(struct db *db, const struct trail *t);
/* The number of the newest row; 0: none. Inside the job that added it: that row's. */
MST_MUST_USE mst_err trail_last(struct db *db, int64_t *seq);
/* Oldest first; device 0: all; after seq; at most limit. */
MST_MUST_USE mst_err trail_list(struct db *db, struct arena *a, int64_t device, int64_t after,
    size_t limit, struct trail **out, size_t *count);

MST_MUST_USE mst_err telemetry_add(struct db *db, int64_t device, int64_t at, enum step step,
    mst_span body, mst_span client_sha256);
MST_MUST_USE mst_err auditlog_add(
    struct db *db, int64_t device, int64_t at, mst_span json, int verdict, const char *words);

#endif

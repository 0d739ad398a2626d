/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of these tables.
 * - A step that was released is never edited; what changes is a new step.
 * - States and steps of the shared vocabulary (host/vocab.def) are stored as
 *   words, other enums as their numbers, errors as their MU-numbers. None of
 *   those may change its meaning.
 * - "None" is NULL; 0 in a struct's foreign key becomes NULL here.
 * - Append-only tables have triggers that refuse UPDATE and DELETE, and a hash
 *   chain (chain.h) that finds whoever goes around the triggers.
 * - Certificates are three append-only facts (ordered, issued, revoked): rows
 *   never grow, so pages fill up in order and stay full.
 * - Random values (hashes) are indexed by their first 8 bytes where
 *   uniqueness is not at stake: an index entry of 15 bytes, not of 40, and so
 *   a third of the pages that random inserts touch.
 */
#include "server/store/schema.h"

#include <stdio.h>
#include <string.h>

#define APPEND_ONLY(table)                                                                         \
	"CREATE TRIGGER " table "_no_update BEFORE UPDATE ON " table                               \
	" BEGIN SELECT RAISE(ABORT, '" table " is append-only'); END;\n"                           \
	"CREATE TRIGGER " table "_no_delete BEFORE DELETE ON " table                               \
	" BEGIN SELECT RAISE(ABORT, '" table " is append-only'); END;\n"

/* clang-format off */
static const char v1_common[] =
"CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;\n"
"INSERT INTO counter VALUES('manufacturer', 0);\n"
/* The last link of each hash chain: finds rows cut off the end. */
"CREATE TABLE chain(name TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT, "
"WITHOUT ROWID;\n";

static const char v1_device[] =
"CREATE TABLE manufacturer(\n"
"	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, anchors_pem BLOB NOT NULL, crl_pem "
"BLOB,\n"
"	voucher_anchors_pem BLOB, masa_url TEXT, masa_anchors_pem BLOB, masa_hosts TEXT,\n"
"	masa_cert_uri TEXT, masa_key_uri TEXT, masa_user TEXT, masa_password TEXT,\n"
"	serial_rule INTEGER NOT NULL, ignore_expiry INTEGER NOT NULL CHECK(ignore_expiry IN (0, "
"1)),\n"
"	mode INTEGER NOT NULL, audit_policy TEXT, legacy_base64 INTEGER NOT NULL "
"CHECK(legacy_base64 IN (0, 1)),\n"
"	enabled INTEGER NOT NULL CHECK(enabled IN (0, 1)), generation INTEGER NOT NULL) STRICT;\n"

"CREATE TABLE device(\n"
"	id INTEGER PRIMARY KEY, manufacturer INTEGER REFERENCES manufacturer(id), serial BLOB "
"NOT NULL,\n"
"	state TEXT NOT NULL, idevid_issuer BLOB, idevid_spki_sha256 BLOB, decision INTEGER NOT "
"NULL DEFAULT 0,\n"
"	decided_by TEXT, decision_reason TEXT, first_seen INTEGER NOT NULL DEFAULT 0,\n"
"	last_seen INTEGER NOT NULL DEFAULT 0, decided_at INTEGER NOT NULL DEFAULT 0,\n"
"	voucher_status INTEGER NOT NULL DEFAULT -1, enroll_status INTEGER NOT NULL DEFAULT -1,\n"
"	audit_verdict INTEGER NOT NULL DEFAULT -1, audit_words TEXT, audit_override INTEGER NOT "
"NULL DEFAULT 0,\n"
"	voucher_at INTEGER NOT NULL DEFAULT 0, trace TEXT) STRICT;\n"
"CREATE UNIQUE INDEX device_serial ON device(serial, ifnull(manufacturer, 0));\n"
"CREATE INDEX device_manufacturer ON device(manufacturer) WHERE manufacturer IS NOT NULL;\n"
"CREATE INDEX device_state ON device(state, serial);\n"
/* Counting a million index entries takes tens of milliseconds; metrics ask every few seconds. */
"CREATE TABLE device_count(state TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;\n"
"CREATE TRIGGER device_count_insert AFTER INSERT ON device BEGIN\n"
"	INSERT INTO device_count VALUES(new.state, 1) ON CONFLICT(state) DO UPDATE SET n = n + "
"1; END;\n"
"CREATE TRIGGER device_count_update AFTER UPDATE OF state ON device WHEN old.state <> new.state "
"BEGIN\n"
"	UPDATE device_count SET n = n - 1 WHERE state = old.state;\n"
"	INSERT INTO device_count VALUES(new.state, 1) ON CONFLICT(state) DO UPDATE SET n = n + "
"1; END;\n"
"CREATE TRIGGER device_count_delete AFTER DELETE ON device BEGIN\n"
"	UPDATE device_count SET n = n - 1 WHERE state = old.state; END;\n"

"CREATE TABLE exchange(\n"
"	id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id), pvr_sha256 BLOB "
"NOT NULL UNIQUE,\n"
"	nonce BLOB, pvr BLOB, rvr BLOB, voucher BLOB, media INTEGER NOT NULL, created INTEGER "
"NOT NULL,\n"
"	answered INTEGER NOT NULL DEFAULT 0, result INTEGER NOT NULL DEFAULT 0) STRICT;\n"
"CREATE UNIQUE INDEX exchange_nonce ON exchange(device, nonce) WHERE nonce IS NOT NULL;\n"
"CREATE INDEX exchange_device ON exchange(device);\n";

static const char v1_trail[] =
"CREATE TABLE trail(\n"
"	seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER REFERENCES device(id), role "
"TEXT,\n"
"	step TEXT NOT NULL, err INTEGER NOT NULL, trace TEXT, request TEXT, peer TEXT, detail "
"TEXT,\n"
"	hash BLOB NOT NULL) STRICT;\n"
"CREATE INDEX trail_device ON trail(device) WHERE device IS NOT NULL;\n"
APPEND_ONLY("trail")

"CREATE TABLE telemetry(\n"
"	id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id), at INTEGER NOT "
"NULL,\n"
"	step TEXT NOT NULL, body BLOB, client_sha256 BLOB) STRICT;\n"
"CREATE INDEX telemetry_device ON telemetry(device);\n"
"CREATE TABLE auditlog(\n"
"	id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id), at INTEGER NOT "
"NULL,\n"
"	json BLOB, verdict INTEGER NOT NULL, words TEXT) STRICT;\n"
"CREATE INDEX auditlog_device ON auditlog(device);\n";

static const char v1_cert[] =
"CREATE TABLE cert(\n"
"	id INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE, device INTEGER REFERENCES "
"device(id),\n"
"	profile TEXT NOT NULL, ca TEXT NOT NULL, subject BLOB NOT NULL, san BLOB, spki BLOB NOT "
"NULL,\n"
"	spki_sha256 BLOB NOT NULL, order_key BLOB NOT NULL, identity TEXT NOT NULL, not_before "
"INTEGER NOT NULL,\n"
"	not_after INTEGER NOT NULL, ordered_at INTEGER NOT NULL) STRICT;\n"
"CREATE INDEX cert_spki ON cert(substr(spki_sha256, 1, 8));\n"
"CREATE INDEX cert_order ON cert(substr(order_key, 1, 8));\n"
"CREATE INDEX cert_device ON cert(device) WHERE device IS NOT NULL;\n"
"CREATE TABLE cert_issue(\n"
"	id INTEGER PRIMARY KEY REFERENCES cert(id), issued_at INTEGER NOT NULL, der BLOB NOT "
"NULL) STRICT;\n"
"CREATE TABLE cert_revocation(\n"
"	id INTEGER PRIMARY KEY REFERENCES cert(id), ca TEXT NOT NULL, serial BLOB NOT NULL,\n"
"	not_after INTEGER NOT NULL, revoked_at INTEGER NOT NULL, reason INTEGER NOT NULL) STRICT;\n"
"CREATE INDEX cert_revocation_ca ON cert_revocation(ca, not_after);\n"
APPEND_ONLY("cert")
APPEND_ONLY("cert_issue")
APPEND_ONLY("cert_revocation")
"CREATE TABLE crl(\n"
"	ca TEXT NOT NULL, number INTEGER NOT NULL, this_update INTEGER NOT NULL, next_update "
"INTEGER NOT NULL,\n"
"	der BLOB NOT NULL, PRIMARY KEY(ca, number)) STRICT;\n";

static const char v1_masa[] =
"CREATE TABLE masa_customer(\n"
"	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, anchors_pem BLOB, user TEXT, "
"password_hash TEXT,\n"
"	nonceless INTEGER NOT NULL CHECK(nonceless IN (0, 1)),\n"
"	hard_revocation INTEGER NOT NULL CHECK(hard_revocation IN (0, 1)), crl_pem BLOB) STRICT;\n"
"CREATE TABLE masa_device(\n"
"	id INTEGER PRIMARY KEY, serial BLOB NOT NULL, idevid_issuer BLOB NOT NULL, idevid_cert "
"BLOB,\n"
"	spki_sha256 BLOB, product TEXT, customer INTEGER REFERENCES masa_customer(id),\n"
"	state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 2), state_reason TEXT, made_at INTEGER "
"NOT NULL) STRICT;\n"
"CREATE UNIQUE INDEX masa_device_serial ON masa_device(serial, idevid_issuer);\n"
"CREATE INDEX masa_device_customer ON masa_device(customer) WHERE customer IS NOT NULL;\n"
"CREATE TABLE masa_log(\n"
"	seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER NOT NULL REFERENCES "
"masa_device(id),\n"
"	customer INTEGER REFERENCES masa_customer(id), rvr_sha256 BLOB NOT NULL UNIQUE, "
"pvr_sha256 BLOB,\n"
"	pin_sha256 BLOB, domain_id BLOB, nonce BLOB, assertion INTEGER NOT NULL, expires_on "
"INTEGER,\n"
"	client TEXT, source TEXT, hash BLOB NOT NULL) STRICT;\n"
"CREATE INDEX masa_log_device ON masa_log(device);\n"
APPEND_ONLY("masa_log")
/* A voucher comes after its entry; a chain of its own keeps both append-only. */
"CREATE TABLE masa_voucher(\n"
"	n INTEGER PRIMARY KEY, entry INTEGER NOT NULL UNIQUE REFERENCES masa_log(seq), voucher "
"BLOB NOT NULL,\n"
"	voucher_sha256 BLOB NOT NULL, hash BLOB NOT NULL) STRICT;\n"
APPEND_ONLY("masa_voucher");
/*
 * RFC 8366bis 6.1: a serial number is unique per issuer of IDevIDs only. NULL:
 * the issuer is not known yet, which is one device too.
 */
static const char v2_device[] =
"DROP INDEX device_serial;\n"
"CREATE UNIQUE INDEX device_serial ON device(serial, ifnull(manufacturer, 0), "
"ifnull(idevid_issuer, x''));\n";
/*
 * Plain EST clients have no row of their own: who is shut out stands here, and
 * what they hold is found by the identity.
 */
static const char v3_barred[] =
"CREATE TABLE barred(\n"
"	owner TEXT PRIMARY KEY, at INTEGER NOT NULL, by TEXT, reason TEXT) STRICT, WITHOUT "
"ROWID;\n"
"CREATE INDEX cert_plain ON cert(identity) WHERE device IS NULL;\n";
/* clang-format on */

static const char *const v1[] = { v1_common, v1_device, v1_trail, v1_cert, v1_masa, NULL };
static const char *const v2[] = { v2_device, NULL };
static const char *const v3[] = { v3_barred, NULL };
static const char *const *const steps[] = { v1, v2, v3 };
const struct schema schema_current = { steps, sizeof(steps) / sizeof(steps[0]) };

static mst_err
pragma_int(struct db *db, const char *sql, int64_t *out)
{
	struct query q;

	query_init(&q, db, sql);
	return query_one_int(&q, out);
}

mst_err
schema_version(struct db *db, const struct schema *want, size_t *out)
{
	int64_t app, version, tables;
	mst_err e;

	if ((e = pragma_int(db, "PRAGMA application_id", &app)) != MST_OK ||
	    (e = pragma_int(db, "PRAGMA user_version", &version)) != MST_OK ||
	    (e = pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables)) != MST_OK)
		return e;
	if (app == 0 && version == 0 && tables == 0) {
		*out = 0;
		return MST_OK;
	}
	if (app != SCHEMA_APPLICATION_ID || version < 1) {
		db_say("this is a database of another program");
		return MST_E_STORE_OPEN;
	}
	if (version > (int64_t)want->count) {
		db_say("the database has version %lld, this program knows %zu", (long long)version,
		    want->count);
		return MST_E_STORE_VERSION;
	}
	*out = (size_t)version;
	return MST_OK;
}

static mst_err
migrate_one(struct db *db, const char *const *sql, size_t version)
{
	char stamp[96];
	mst_err e;

	(void)snprintf(stamp, sizeof(stamp), "PRAGMA application_id=%d; PRAGMA user_version=%zu;",
	    SCHEMA_APPLICATION_ID, version);
	if ((e = db_exec(db, "BEGIN IMMEDIATE")) != MST_OK)
		return e;
	while (e == MST_OK && *sql != NULL)
		e = db_exec(db, *sql++);
	if (e == MST_OK && (e = db_exec(db, stamp)) == MST_OK &&
	    (e = db_exec(db, "COMMIT")) == MST_OK)
		return MST_OK;
	if (db_in_transaction(db) && db_exec(db, "ROLLBACK") != MST_OK)
		return MST_E_STORE_IO;
	return e;
}

mst_err
schema_migrate(struct db *db, const struct schema *want)
{
	size_t version;
	mst_err e;

	if ((e = schema_version(db, want, &version)) != MST_OK)
		return e;
	for (; version < want->count; version++)
		if ((e = migrate_one(db, want->steps[version], version + 1)) != MST_OK)
			return e;
	return MST_OK;
}

#define EVERY_OBJECT                                                                               \
	"SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "  \
	"ORDER BY type, name"

static bool
same_text(struct query *a, struct query *b)
{
	const char *x = row_text_borrow(a), *y = row_text_borrow(b);

	return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static mst_err
compare(struct db *db, struct db *model)
{
	struct query a, b;
	bool x, y, same = true;
	mst_err e, f;

	query_init(&a, db, EVERY_OBJECT);
	query_init(&b, model, EVERY_OBJECT);
	do {
		x = query_row(&a);
		y = query_row(&b);
		if (x != y)
			same = false;
		while (same && x && a.column < 3)
			same = same_text(&a, &b);
	} while (same && x);
	e = query_end(&a);
	f = query_end(&b);
	if (e == MST_OK)
		e = f;
	if (e == MST_OK && !same) {
		db_say("the tables, indexes or triggers are not those of this program");
		e = MST_E_STORE_CORRUPT;
	}
	return e;
}

mst_err
schema_check(struct db *db, const struct schema *want)
{
	struct schema upto = *want;
	struct db *model = NULL;
	mst_err e;

	/* A backup of an earlier version is judged as that version. */
	if ((e = schema_version(db, want, &upto.count)) != MST_OK)
		return e;
	if ((e = db_open("", DB_MEMORY, &model)) != MST_OK)
		return e;
	if ((e = schema_migrate(model, &upto)) == MST_OK)
		e = compare(db, model);
	db_close(model);
	return e;
}

-- SPDX-License-Identifier: Apache-2.0
-- The tables of version 1 as the program made them. Frozen with the first release: never edit.
CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE chain(name TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE manufacturer(
	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, anchors_pem BLOB NOT NULL, crl_pem BLOB,
	voucher_anchors_pem BLOB, masa_url TEXT, masa_anchors_pem BLOB, masa_hosts TEXT,
	masa_cert_uri TEXT, masa_key_uri TEXT, masa_user TEXT, masa_password TEXT,
	serial_rule INTEGER NOT NULL, ignore_expiry INTEGER NOT NULL CHECK(ignore_expiry IN (0, 1)),
	mode INTEGER NOT NULL, audit_policy TEXT, legacy_base64 INTEGER NOT NULL CHECK(legacy_base64 IN (0, 1)),
	enabled INTEGER NOT NULL CHECK(enabled IN (0, 1)), generation INTEGER NOT NULL) STRICT;
CREATE TABLE device(
	id INTEGER PRIMARY KEY, manufacturer INTEGER REFERENCES manufacturer(id), serial BLOB NOT NULL,
	state TEXT NOT NULL, idevid_issuer BLOB, idevid_spki_sha256 BLOB, decision INTEGER NOT NULL DEFAULT 0,
	decided_by TEXT, decision_reason TEXT, first_seen INTEGER NOT NULL DEFAULT 0,
	last_seen INTEGER NOT NULL DEFAULT 0, decided_at INTEGER NOT NULL DEFAULT 0,
	voucher_status INTEGER NOT NULL DEFAULT -1, enroll_status INTEGER NOT NULL DEFAULT -1,
	audit_verdict INTEGER NOT NULL DEFAULT -1, audit_words TEXT, audit_override INTEGER NOT NULL DEFAULT 0,
	voucher_at INTEGER NOT NULL DEFAULT 0, trace TEXT) STRICT;
CREATE UNIQUE INDEX device_serial ON device(serial, ifnull(manufacturer, 0));
CREATE INDEX device_manufacturer ON device(manufacturer) WHERE manufacturer IS NOT NULL;
CREATE INDEX device_state ON device(state, serial);
CREATE TABLE device_count(state TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER device_count_insert AFTER INSERT ON device BEGIN
	INSERT INTO device_count VALUES(new.state, 1) ON CONFLICT(state) DO UPDATE SET n = n + 1; END;
CREATE TRIGGER device_count_update AFTER UPDATE OF state ON device WHEN old.state <> new.state BEGIN
	UPDATE device_count SET n = n - 1 WHERE state = old.state;
	INSERT INTO device_count VALUES(new.state, 1) ON CONFLICT(state) DO UPDATE SET n = n + 1; END;
CREATE TRIGGER device_count_delete AFTER DELETE ON device BEGIN
	UPDATE device_count SET n = n - 1 WHERE state = old.state; END;
CREATE TABLE exchange(
	id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id), pvr_sha256 BLOB NOT NULL UNIQUE,
	nonce BLOB, pvr BLOB, rvr BLOB, voucher BLOB, media INTEGER NOT NULL, created INTEGER NOT NULL,
	answered INTEGER NOT NULL DEFAULT 0, result INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX exchange_nonce ON exchange(device, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX exchange_device ON exchange(device);
CREATE TABLE trail(
	seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER REFERENCES device(id), role TEXT,
	step TEXT NOT NULL, err INTEGER NOT NULL, trace TEXT, request TEXT, peer TEXT, detail TEXT,
	hash BLOB NOT NULL) STRICT;
CREATE INDEX trail_device ON trail(device) WHERE device IS NOT NULL;
CREATE TRIGGER trail_no_update BEFORE UPDATE ON trail BEGIN SELECT RAISE(ABORT, 'trail is append-only'); END;
CREATE TRIGGER trail_no_delete BEFORE DELETE ON trail BEGIN SELECT RAISE(ABORT, 'trail is append-only'); END;
CREATE TABLE telemetry(
	id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id), at INTEGER NOT NULL,
	step TEXT NOT NULL, body BLOB, client_sha256 BLOB) STRICT;
CREATE INDEX telemetry_device ON telemetry(device);
CREATE TABLE auditlog(
	id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device(id), at INTEGER NOT NULL,
	json BLOB, verdict INTEGER NOT NULL, words TEXT) STRICT;
CREATE INDEX auditlog_device ON auditlog(device);
CREATE TABLE cert(
	id INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE, device INTEGER REFERENCES device(id),
	profile TEXT NOT NULL, ca TEXT NOT NULL, subject BLOB NOT NULL, san BLOB, spki BLOB NOT NULL,
	spki_sha256 BLOB NOT NULL, order_key BLOB NOT NULL, identity TEXT NOT NULL, not_before INTEGER NOT NULL,
	not_after INTEGER NOT NULL, ordered_at INTEGER NOT NULL) STRICT;
CREATE INDEX cert_spki ON cert(substr(spki_sha256, 1, 8));
CREATE INDEX cert_order ON cert(substr(order_key, 1, 8));
CREATE INDEX cert_device ON cert(device) WHERE device IS NOT NULL;
CREATE TABLE cert_issue(
	id INTEGER PRIMARY KEY REFERENCES cert(id), issued_at INTEGER NOT NULL, der BLOB NOT NULL) STRICT;
CREATE TABLE cert_revocation(
	id INTEGER PRIMARY KEY REFERENCES cert(id), ca TEXT NOT NULL, serial BLOB NOT NULL,
	not_after INTEGER NOT NULL, revoked_at INTEGER NOT NULL, reason INTEGER NOT NULL) STRICT;
CREATE INDEX cert_revocation_ca ON cert_revocation(ca, not_after);
CREATE TRIGGER cert_no_update BEFORE UPDATE ON cert BEGIN SELECT RAISE(ABORT, 'cert is append-only'); END;
CREATE TRIGGER cert_no_delete BEFORE DELETE ON cert BEGIN SELECT RAISE(ABORT, 'cert is append-only'); END;
CREATE TRIGGER cert_issue_no_update BEFORE UPDATE ON cert_issue BEGIN SELECT RAISE(ABORT, 'cert_issue is append-only'); END;
CREATE TRIGGER cert_issue_no_delete BEFORE DELETE ON cert_issue BEGIN SELECT RAISE(ABORT, 'cert_issue is append-only'); END;
CREATE TRIGGER cert_revocation_no_update BEFORE UPDATE ON cert_revocation BEGIN SELECT RAISE(ABORT, 'cert_revocation is append-only'); END;
CREATE TRIGGER cert_revocation_no_delete BEFORE DELETE ON cert_revocation BEGIN SELECT RAISE(ABORT, 'cert_revocation is append-only'); END;
CREATE TABLE crl(
	ca TEXT NOT NULL, number INTEGER NOT NULL, this_update INTEGER NOT NULL, next_update INTEGER NOT NULL,
	der BLOB NOT NULL, PRIMARY KEY(ca, number)) STRICT;
CREATE TABLE masa_customer(
	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, anchors_pem BLOB, user TEXT, password_hash TEXT,
	nonceless INTEGER NOT NULL CHECK(nonceless IN (0, 1)),
	hard_revocation INTEGER NOT NULL CHECK(hard_revocation IN (0, 1)), crl_pem BLOB) STRICT;
CREATE TABLE masa_device(
	id INTEGER PRIMARY KEY, serial BLOB NOT NULL, idevid_issuer BLOB NOT NULL, idevid_cert BLOB,
	spki_sha256 BLOB, product TEXT, customer INTEGER REFERENCES masa_customer(id),
	state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 2), state_reason TEXT, made_at INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX masa_device_serial ON masa_device(serial, idevid_issuer);
CREATE INDEX masa_device_customer ON masa_device(customer) WHERE customer IS NOT NULL;
CREATE TABLE masa_log(
	seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER NOT NULL REFERENCES masa_device(id),
	customer INTEGER REFERENCES masa_customer(id), rvr_sha256 BLOB NOT NULL UNIQUE, pvr_sha256 BLOB,
	pin_sha256 BLOB, domain_id BLOB, nonce BLOB, assertion INTEGER NOT NULL, expires_on INTEGER,
	client TEXT, source TEXT, hash BLOB NOT NULL) STRICT;
CREATE INDEX masa_log_device ON masa_log(device);
CREATE TRIGGER masa_log_no_update BEFORE UPDATE ON masa_log BEGIN SELECT RAISE(ABORT, 'masa_log is append-only'); END;
CREATE TRIGGER masa_log_no_delete BEFORE DELETE ON masa_log BEGIN SELECT RAISE(ABORT, 'masa_log is append-only'); END;
CREATE TABLE masa_voucher(
	n INTEGER PRIMARY KEY, entry INTEGER NOT NULL UNIQUE REFERENCES masa_log(seq), voucher BLOB NOT NULL,
	voucher_sha256 BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TRIGGER masa_voucher_no_update BEFORE UPDATE ON masa_voucher BEGIN SELECT RAISE(ABORT, 'masa_voucher is append-only'); END;
CREATE TRIGGER masa_voucher_no_delete BEFORE DELETE ON masa_voucher BEGIN SELECT RAISE(ABORT, 'masa_voucher is append-only'); END;
PRAGMA application_id=1299534708;
PRAGMA user_version=1;

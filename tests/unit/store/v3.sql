-- SPDX-License-Identifier: Apache-2.0
-- What version 3 changed, as the program made it, and rows that version 2 could not hold. Frozen: never edit.
CREATE TABLE barred(
	owner TEXT PRIMARY KEY, at INTEGER NOT NULL, by TEXT, reason TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX cert_plain ON cert(identity) WHERE device IS NULL;
INSERT INTO barred VALUES('basic:printer',30,'root','lost');
PRAGMA user_version=3;

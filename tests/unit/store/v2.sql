-- SPDX-License-Identifier: Apache-2.0
-- What version 2 changed, as the program made it, and rows that version 1 could not hold. Frozen: never edit.
DROP INDEX device_serial;
CREATE UNIQUE INDEX device_serial ON device(serial, ifnull(manufacturer, 0), ifnull(idevid_issuer, x''));
INSERT INTO device VALUES(2,1,X'5331','seen',X'69',NULL,0,NULL,NULL,20,20,0,-1,-1,-1,NULL,0,0,NULL);
INSERT INTO device VALUES(3,1,X'5331','seen',X'6a',NULL,0,NULL,NULL,21,21,0,-1,-1,-1,NULL,0,0,NULL);
PRAGMA user_version=2;

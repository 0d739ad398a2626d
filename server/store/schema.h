/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, as a list of steps: step i brings a database from version i to version i + 1. */
#ifndef SERVER_STORE_SCHEMA_H
#define SERVER_STORE_SCHEMA_H

#include "server/store/db.h"

#define SCHEMA_APPLICATION_ID 0x4d755374 /* "MuSt" */

struct schema {
	const char *const *const *steps; /* each a list of SQL texts that ends with NULL */
	size_t count; /* the version this program reads and writes */
};
extern const struct schema schema_current;

/*
 * The version of an open database; 0: empty. MST_E_STORE_OPEN: it belongs to
 * another program. MST_E_STORE_VERSION: newer than want.
 */
MST_MUST_USE mst_err schema_version(struct db *db, const struct schema *want, size_t *out);
/* Each missing step in a transaction of its own, version and all: a crash leaves one version or the
 * next. */
MST_MUST_USE mst_err schema_migrate(struct db *db, const struct schema *want);
/* Every table, index and trigger stands as the steps make them: a dropped append-only trigger is
 * found. MST_E_STORE_CORRUPT. */
MST_MUST_USE mst_err schema_check(struct db *db, const struct schema *want);

#endif

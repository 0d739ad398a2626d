/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One SQLite connection, inside this room. db.c is the only file that sees
 * sqlite3.h. A query latches its first error, like a CBOR reader: bind, walk
 * the rows, read columns in order, and ask once at the end.
 *
 *	query_init(&q, db, "SELECT id, name FROM x WHERE a = ?1 AND b = ?2");
 *	query_int(&q, a);
 *	query_blob(&q, b);
 *	while (query_row(&q)) {
 *		id = row_int(&q);
 *		name = row_text(&q, arena);
 *	}
 *	return query_end(&q);
 */
#ifndef SERVER_STORE_DB_H
#define SERVER_STORE_DB_H

#include "server/store/store.h"

enum db_mode {
	DB_READ, /* never writes, never checkpoints */
	DB_WRITE, /* the one of the writer: WAL, synchronous=FULL, no automatic checkpoint */
	DB_PLAIN, /* a file nobody else has: rollback journal (backups being made) */
	DB_LOOK, /* reads; may finish what a crash interrupted, changes nothing else */
	DB_MEMORY, /* path ignored */
};

/* MST_E_STORE_OPEN, _CORRUPT (not a database), _LOCKED, MST_E_NOMEM. */
MST_MUST_USE mst_err db_open(const char *path, enum db_mode mode, struct db **out);
void db_close(struct db *db); /* NULL allowed */
/* A connection that refuses every query with MST_E_STORE_OPEN: never NULL, never closed. */
struct db *db_broken(void);

/* Words for store_why(): of this thread's last failure. */
void db_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Several statements, not cached. */
MST_MUST_USE mst_err db_exec(struct db *db, const char *sql);
/* One statement, cached: BEGIN, COMMIT and the like. */
MST_MUST_USE mst_err db_run(struct db *db, const char *sql);
/* True while a BEGIN stands (a full disk may have ended it). */
bool db_in_transaction(struct db *db);
/* MST_OK, or the storage error that some query of the transaction met: it must not commit. */
mst_err db_trouble(const struct db *db);
void db_trouble_clear(struct db *db);
/* Rows changed since the connection was opened. */
int64_t db_changes(struct db *db);
int64_t db_last_id(struct db *db);
/* Frames in the WAL after the last commit. */
int db_wal_frames(const struct db *db);
/* Copies what it can without waiting for readers; truncate also empties the WAL file. */
enum db_checkpoint { DB_CHECKPOINT_PASSIVE, DB_CHECKPOINT_TRUNCATE };
MST_MUST_USE mst_err db_checkpoint(struct db *db, enum db_checkpoint how);
/* Page by page, one snapshot of from, whatever its writer does meanwhile. */
MST_MUST_USE mst_err db_copy(struct db *from, struct db *to);

struct query {
	struct db *db;
	void *stmt;
	int slot; /* of the cache; -1: finalized at the end */
	int bound;
	int column;
	mst_err err;
};

/* sql is prepared once per connection and found again by content; while it runs a second use is
 * prepared anew. */
void query_init(struct query *q, struct db *db, const char *sql);
/* Bind the next parameter. Spans and strings must live until query_end. */
void query_int(struct query *q, int64_t v);
void query_int_or_null(struct query *q, int64_t v, int64_t null);
void query_blob(struct query *q, mst_span v); /* absent: NULL */
void query_text(struct query *q, const char *v); /* NULL: NULL */
/* True when a row is there; its columns are read in order. */
bool query_row(struct query *q);
int64_t row_int(struct query *q); /* NULL reads 0 */
int64_t row_int_or(struct query *q, int64_t null);
mst_span row_blob(struct query *q, struct arena *a);
const char *row_text(struct query *q, struct arena *a);
/* Until the next query_row: not copied. */
mst_span row_blob_borrow(struct query *q);
const char *row_text_borrow(struct query *q);
/* Latch a refusal of the caller's own. */
void query_fail(struct query *q, mst_err e);
MST_MUST_USE mst_err query_end(struct query *q);
/* No rows wanted: step to the end and query_end. */
MST_MUST_USE mst_err query_run(struct query *q);
/* The first column of the first row; MST_E_NOT_FOUND when there is none. Ends the query. */
MST_MUST_USE mst_err query_one_int(struct query *q, int64_t *out);

/*
 * Room for one more element of size bytes in an arena array: the array, moved
 * or not, with *count raised; the new element is zeroed. NULL (latched as
 * MST_E_NOMEM) when out of memory. Starts as NULL and 0.
 */
void *rows_add(struct query *q, struct arena *a, void *rows, size_t *count, size_t size);

/* Tests of crash and full disk: SQLite's write system calls go through store_fault_hook from now
 * on. */
void db_hook_writes(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows SQLite. It adds three things: statements prepared
 * once per connection, errors in our own words, and queries that latch.
 */
#include <assert.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/db.h"

#define CACHE_SLOTS 256 /* power of two; about 100 statements exist */

struct cached {
	sqlite3_stmt *stmt;
	bool busy;
};

struct db {
	sqlite3 *conn;
	mst_err trouble;
	int wal_frames;
	struct cached cache[CACHE_SLOTS];
};

static _Thread_local char why[256];
static struct db broken;

const char *
store_why(void)
{
	return why;
}

void
db_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
}

struct db *
db_broken(void)
{
	return &broken;
}

/* What SQLite refuses is either our own rule (a constraint) or the machine's state. */
static mst_err
error_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return MST_OK;
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_FOREIGNKEY)
			return MST_E_NOT_FOUND;
		if (rc == SQLITE_CONSTRAINT_NOTNULL || rc == SQLITE_CONSTRAINT_CHECK)
			return MST_E_INTERNAL; /* a caller's row without what it must have */
		return MST_E_CONFLICT;
	case SQLITE_FULL: return MST_E_STORE_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return MST_E_STORE_LOCKED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return MST_E_STORE_CORRUPT;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM: return MST_E_STORE_OPEN;
	case SQLITE_NOMEM: return MST_E_NOMEM;
	case SQLITE_IOERR: return rc == SQLITE_IOERR_NOMEM ? MST_E_NOMEM : MST_E_STORE_IO;
	case SQLITE_READONLY: return MST_E_STORE_IO;
	default: return MST_E_INTERNAL; /* misuse: a defect of this room */
	}
}

/* A refusal by a rule leaves the transaction sound; anything else does not. */
static bool
is_trouble(mst_err e)
{
	return e != MST_OK && e != MST_E_CONFLICT && e != MST_E_NOT_FOUND && e != MST_E_INTERNAL;
}

static mst_err
failed(struct db *db, int rc)
{
	mst_err e = error_of(rc);
	int os;

	if (e == MST_OK)
		return e;
	os = sqlite3_system_errno(db->conn);
	if (e == MST_E_STORE_IO && os != 0)
		db_say("%s: %s", sqlite3_errmsg(db->conn), strerror(os));
	else
		db_say("%s", sqlite3_errmsg(db->conn));
	if (is_trouble(e) && db->trouble == MST_OK)
		db->trouble = e;
	return e;
}

static int
on_wal(void *arg, sqlite3 *conn, const char *name, int frames)
{
	struct db *db = arg;

	(void)conn;
	(void)name;
	db->wal_frames = frames;
	return SQLITE_OK;
}

/*
 * synchronous=FULL: NORMAL would lose the last commits with the power, and an
 * audit log may not. wal_autocheckpoint=0: Debian's SQLite 3.40.1 can lose
 * acknowledged writes when one connection commits while another checkpoints,
 * so the writer alone does both. temp_store=MEMORY keeps the savepoints' undo
 * pages out of files. The numbers of cache_size are KiB and a bound, not a
 * reservation.
 */
static const char *const pragmas[] = {
	[DB_READ] = "PRAGMA query_only=1; PRAGMA cache_size=-2000; PRAGMA temp_store=2;",
	[DB_WRITE] =
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
	    "PRAGMA foreign_keys=1; PRAGMA temp_store=2; PRAGMA cache_size=-8000;"
	    "PRAGMA trusted_schema=0; PRAGMA journal_size_limit=67108864;",
	[DB_PLAIN] = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA temp_store=2;",
	[DB_LOOK] = "PRAGMA query_only=1;",
	[DB_MEMORY] = "PRAGMA foreign_keys=1;",
};

static const int open_flags[] = {
	[DB_READ] = SQLITE_OPEN_READONLY,
	[DB_WRITE] = SQLITE_OPEN_READWRITE,
	[DB_PLAIN] = SQLITE_OPEN_READWRITE,
	[DB_LOOK] = SQLITE_OPEN_READWRITE,
	[DB_MEMORY] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY,
};

mst_err
db_open(const char *path, enum db_mode mode, struct db **out)
{
	struct db *db = calloc(1, sizeof(*db));
	mst_err e;
	int rc;

	if (db == NULL)
		return MST_E_NOMEM;
	rc = sqlite3_open_v2(mode == DB_MEMORY ? ":memory:" : path, &db->conn,
	    open_flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK) {
		e = db->conn == NULL ? MST_E_NOMEM : failed(db, rc);
		goto out;
	}
	(void)sqlite3_busy_timeout(db->conn, 5000);
	(void)sqlite3_db_config(db->conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (mode == DB_LOOK)
		(void)sqlite3_db_config(db->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if ((e = db_exec(db, pragmas[mode])) != MST_OK)
		goto out;
	(void)sqlite3_wal_hook(db->conn, mode == DB_WRITE ? on_wal : NULL, db);
	*out = db;
	return MST_OK;
out:
	db_close(db);
	return e == MST_E_INTERNAL ? MST_E_STORE_OPEN : e;
}

void
db_close(struct db *db)
{
	size_t i;

	if (db == NULL || db == &broken)
		return;
	for (i = 0; i < CACHE_SLOTS; i++) {
		assert(!db->cache[i].busy);
		(void)sqlite3_finalize(db->cache[i].stmt);
	}
	(void)sqlite3_close(db->conn);
	free(db);
}

mst_err
db_exec(struct db *db, const char *sql)
{
	if (db->conn == NULL)
		return MST_E_STORE_OPEN;
	return failed(db, sqlite3_exec(db->conn, sql, NULL, NULL, NULL));
}

mst_err
db_run(struct db *db, const char *sql)
{
	struct query q;

	query_init(&q, db, sql);
	return query_run(&q);
}

bool
db_in_transaction(struct db *db)
{
	return sqlite3_get_autocommit(db->conn) == 0;
}

mst_err
db_trouble(const struct db *db)
{
	return db->trouble;
}

void
db_trouble_clear(struct db *db)
{
	db->trouble = MST_OK;
}

int64_t
db_changes(struct db *db)
{
	return sqlite3_total_changes64(db->conn);
}

int64_t
db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->conn);
}

int
db_wal_frames(const struct db *db)
{
	return db->wal_frames;
}

mst_err
db_checkpoint(struct db *db, enum db_checkpoint how)
{
	int frames = 0, done = 0, rc;

	rc = sqlite3_wal_checkpoint_v2(db->conn, NULL,
	    how == DB_CHECKPOINT_TRUNCATE ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
	    &frames, &done);
	if (rc == SQLITE_OK)
		db->wal_frames = frames - done; /* a reader may hold some back */
	return failed(db, rc);
}

mst_err
db_copy(struct db *from, struct db *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to->conn, "main", from->conn, "main");
	int rc;

	if (b == NULL)
		return failed(to, sqlite3_extended_errcode(to->conn));
	/* One step holds one read transaction: the writer goes on, its pages stay in the WAL. */
	do
		rc = sqlite3_backup_step(b, -1);
	while (rc == SQLITE_OK);
	if (rc == SQLITE_DONE)
		rc = SQLITE_OK;
	if (sqlite3_backup_finish(b) != SQLITE_OK || rc != SQLITE_OK)
		return failed(to, rc != SQLITE_OK ? rc : sqlite3_extended_errcode(to->conn));
	return MST_OK;
}

/* Slots are found by the literal's address and believed only by its content. */
static size_t
slot_of(const char *sql)
{
	uintptr_t h = (uintptr_t)sql;

	h ^= h >> 17;
	h *= (uintptr_t)0x9E3779B97F4A7C15u;
	return (size_t)(h >> 40) & (CACHE_SLOTS - 1);
}

static struct cached *
cache_find(struct db *db, const char *sql, int *slot)
{
	size_t i = slot_of(sql), n;

	for (n = 0; n < 8; n++, i = (i + 1) & (CACHE_SLOTS - 1)) {
		struct cached *c = &db->cache[i];
		if (c->stmt == NULL || (!c->busy && strcmp(sqlite3_sql(c->stmt), sql) == 0)) {
			*slot = (int)i;
			return c;
		}
	}
	*slot = -1;
	return NULL;
}

void
query_init(struct query *q, struct db *db, const char *sql)
{
	struct cached *c;
	sqlite3_stmt *stmt = NULL;

	*q = (struct query){ .db = db, .slot = -1 };
	if (db->conn == NULL) {
		q->err = MST_E_STORE_OPEN;
		return;
	}
	c = cache_find(db, sql, &q->slot);
	if (c != NULL && c->stmt != NULL) {
		q->stmt = c->stmt;
		c->busy = true;
		return;
	}
	q->err = failed(db, sqlite3_prepare_v3(db->conn, sql, -1,
	                        c != NULL ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, NULL));
	q->stmt = stmt;
	if (stmt == NULL) {
		q->slot = -1;
	} else if (c != NULL) {
		c->stmt = stmt;
		c->busy = true;
	}
}

static void
bound(struct query *q, int rc)
{
	if (rc != SQLITE_OK)
		q->err = failed(q->db, rc);
}

void
query_int(struct query *q, int64_t v)
{
	if (q->err == MST_OK)
		bound(q, sqlite3_bind_int64(q->stmt, ++q->bound, v));
}

void
query_int_or_null(struct query *q, int64_t v, int64_t null)
{
	if (q->err != MST_OK)
		return;
	if (v == null)
		bound(q, sqlite3_bind_null(q->stmt, ++q->bound));
	else
		bound(q, sqlite3_bind_int64(q->stmt, ++q->bound, v));
}

void
query_blob(struct query *q, mst_span v)
{
	if (q->err != MST_OK)
		return;
	if (v.ptr == NULL)
		bound(q, sqlite3_bind_null(q->stmt, ++q->bound));
	else
		bound(q, sqlite3_bind_blob64(q->stmt, ++q->bound, v.ptr, v.len, SQLITE_STATIC));
}

void
query_text(struct query *q, const char *v)
{
	if (q->err == MST_OK)
		bound(q, sqlite3_bind_text(q->stmt, ++q->bound, v, -1, SQLITE_STATIC));
}

bool
query_row(struct query *q)
{
	int rc;

	if (q->err != MST_OK)
		return false;
	q->column = 0;
	rc = sqlite3_step(q->stmt);
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		q->err = failed(q->db, rc);
	return false;
}

int64_t
row_int(struct query *q)
{
	return sqlite3_column_int64(q->stmt, q->column++);
}

int64_t
row_int_or(struct query *q, int64_t null)
{
	if (sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL) {
		q->column++;
		return null;
	}
	return row_int(q);
}

mst_span
row_blob_borrow(struct query *q)
{
	int col = q->column++;
	const void *p;

	if (sqlite3_column_type(q->stmt, col) == SQLITE_NULL)
		return MST_NONE;
	p = sqlite3_column_blob(q->stmt, col); /* NULL also for zero bytes */
	return mst_span_of(p == NULL ? "" : p, (size_t)sqlite3_column_bytes(q->stmt, col));
}

mst_span
row_blob(struct query *q, struct arena *a)
{
	mst_span got = row_blob_borrow(q), kept;

	if (got.ptr == NULL)
		return got;
	kept = arena_dup(a, got);
	if (kept.ptr == NULL && q->err == MST_OK)
		q->err = MST_E_NOMEM;
	return kept;
}

const char *
row_text_borrow(struct query *q)
{
	return (const char *)sqlite3_column_text(q->stmt, q->column++);
}

const char *
row_text(struct query *q, struct arena *a)
{
	const char *got = row_text_borrow(q), *kept;

	if (got == NULL)
		return NULL;
	kept = arena_str(a, mst_span_str(got));
	if (kept == NULL && q->err == MST_OK)
		q->err = MST_E_NOMEM;
	return kept;
}

void
query_fail(struct query *q, mst_err e)
{
	if (q->err == MST_OK)
		q->err = e;
}

mst_err
query_end(struct query *q)
{
	if (q->stmt != NULL && q->slot < 0) {
		(void)sqlite3_finalize(q->stmt);
	} else if (q->stmt != NULL) {
		(void)sqlite3_reset(q->stmt); /* its error is the step's, latched already */
		(void)sqlite3_clear_bindings(q->stmt);
		q->db->cache[q->slot].busy = false;
	}
	q->stmt = NULL;
	return q->err;
}

mst_err
query_run(struct query *q)
{
	while (query_row(q))
		;
	return query_end(q);
}

mst_err
query_one_int(struct query *q, int64_t *out)
{
	int64_t v = 0;
	bool found = query_row(q);
	mst_err e;

	if (found)
		v = row_int(q);
	if ((e = query_end(q)) != MST_OK)
		return e;
	if (!found)
		return MST_E_NOT_FOUND;
	*out = v;
	return MST_OK;
}

void *
rows_add(struct query *q, struct arena *a, void *rows, size_t *count, size_t size)
{
	size_t n = *count;
	void *grown;

	/* Full at every power of two. The old halves stay in the arena: twice the memory, no free.
	 */
	if ((n & (n - 1)) == 0) {
		grown = arena_alloc(a, (n == 0 ? 1 : 2 * n) * size);
		if (grown == NULL) {
			query_fail(q, MST_E_NOMEM);
			return NULL;
		}
		if (n != 0)
			memcpy(grown, rows, n * size);
		rows = grown;
	}
	*count = n + 1;
	return rows;
}

/* What the crash tests put between SQLite and the kernel. */
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);

static void
hook(const char *point)
{
	if (store_fault_hook != NULL)
		store_fault_hook(point);
}

static ssize_t
hooked_pwrite(int fd, const void *p, size_t n, off_t at)
{
	hook("pwrite");
	return real_pwrite(fd, p, n, at);
}

static int
hooked_ftruncate(int fd, off_t len)
{
	hook("ftruncate");
	return real_ftruncate(fd, len);
}

static int
hooked_unlink(const char *path)
{
	hook("unlink");
	return real_unlink(path);
}

void
db_hook_writes(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	const char *name;

	if (vfs == NULL || real_pwrite != NULL)
		return;
	name = vfs->xGetSystemCall(vfs, "pwrite64") != NULL ? "pwrite64" : "pwrite";
	real_pwrite = (ssize_t(*)(int, const void *, size_t, off_t))vfs->xGetSystemCall(vfs, name);
	real_ftruncate = (int (*)(int, off_t))vfs->xGetSystemCall(vfs, "ftruncate");
	real_unlink = (int (*)(const char *))vfs->xGetSystemCall(vfs, "unlink");
	(void)vfs->xSetSystemCall(vfs, name, (sqlite3_syscall_ptr)hooked_pwrite);
	(void)vfs->xSetSystemCall(vfs, "ftruncate", (sqlite3_syscall_ptr)hooked_ftruncate);
	(void)vfs->xSetSystemCall(vfs, "unlink", (sqlite3_syscall_ptr)hooked_unlink);
}

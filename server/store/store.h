/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database. One read-write connection, owned by one thread, which runs
 * jobs in batches: one transaction, one fsync, then all their callbacks
 * (dependencies.md 6). Each job runs once, inside a savepoint, so a refused
 * job undoes itself alone. Readers are read-only connections, one per thread.
 * Typed functions for each noun are in store_<noun>.h; they take a struct db
 * and so serve both sides. sqlite3.h is included in db.c alone.
 */
#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include "host/arena.h"

struct store;
struct db; /* a connection, as jobs and readers see it */

/*
 * Open (and create or migrate) the database and take its lock. MST_E_STORE_OPEN,
 * _LOCKED, _VERSION, _CORRUPT. store_why() has words. A migrated file is backed up beside
 * itself first.
 */
MST_MUST_USE mst_err store_open(const char *path, struct store **out);
void store_close(struct store *s); /* ends the writer after its queue is empty */
const char *store_why(void);

/*
 * Queue a job. job runs on the writer's thread; when its batch is durable (or
 * refused), done(arg, err) is handed to post(post_arg, ...) so that it runs on
 * the caller's loop. err is the job's own, or MST_E_STORE_FULL/_IO/_LOCKED
 * when the batch did not commit (then nothing of the job is there). post NULL:
 * done runs on the writer's thread. done NULL: nobody asks. Out of memory:
 * done(arg, MST_E_NOMEM) at once, on the caller's thread.
 */
typedef mst_err (*store_job)(struct db *db, void *arg);
typedef void (*store_done)(void *arg, mst_err e);
typedef void (*store_post)(void *post_arg, void (*fn)(void *), void *fn_arg);
void store_write(
    struct store *s, store_job job, store_done done, void *arg, store_post post, void *post_arg);
/* The same, waiting: for start-up, tests and the admin room. Never on a loop's thread under load,
 * nor inside a job or done. */
MST_MUST_USE mst_err store_write_wait(struct store *s, store_job job, void *arg);

/*
 * This thread's read-only connection; opened on first use, closed with the
 * thread or the store (end the threads first). Never NULL: one that cannot be
 * opened answers every query with MST_E_STORE_OPEN.
 */
struct db *store_reader(struct store *s);
/* Number of jobs waiting, for metrics and overload refusal. */
size_t store_backlog(struct store *s);

/*
 * Online backup to path (0600), checked by store_verify before it gets its
 * name. The writer goes on meanwhile. MST_E_CONFLICT when path exists. Takes
 * as long as the copy: not on a loop's thread.
 */
MST_MUST_USE mst_err store_backup(struct store *s, const char *path);
/*
 * Opens read-only, checks schema version, integrity, foreign keys, that tables
 * and triggers are those of this program, and the hash chains.
 * MST_E_STORE_OPEN, _VERSION, _CORRUPT, _CHAIN; store_why() names the row.
 */
MST_MUST_USE mst_err store_verify(const char *path);

/*
 * Tests: set before store_open, called at "begin", "job", "commit", "done" and
 * "checkpoint" of the writer, and before each write system call of SQLite
 * ("pwrite", "ftruncate", "unlink"); may _exit.
 */
extern void (*store_fault_hook)(const char *point);

#endif

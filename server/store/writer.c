/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread that writes. It takes everything queued (at most STORE_BATCH
 * jobs) into one transaction with one fsync, each job inside a savepoint, and
 * tells the callers when the batch is durable: design.md 3.4, "write, then
 * sign, then answer". It alone checkpoints (dependencies.md 6).
 *
 * After a failed commit SQLite's next commit overwrites the frames of the
 * failed one. A power cut in between may bring them back: then something is
 * recorded that was refused, never the reverse.
 */
#include <stdlib.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "server/store/store_impl.h"

void (*store_fault_hook)(const char *point);

static void
fault(const char *point)
{
	if (store_fault_hook != NULL)
		store_fault_hook(point);
}

static void
push(struct store *s, struct job *j)
{
	atomic_fetch_add(&s->backlog, 1);
	pthread_mutex_lock(&s->mutex);
	*s->tail = j;
	s->tail = &j->next;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
}

/* On the caller's loop: the job's last breath. */
static void
finish(void *arg)
{
	struct job *j = arg;

	if (j->done != NULL)
		j->done(j->arg, j->err);
	free(j);
}

void
store_write(
    struct store *s, store_job job, store_done done, void *arg, store_post post, void *post_arg)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		if (done != NULL)
			done(arg, MST_E_NOMEM);
		return;
	}
	*j = (struct job){
		.run = job, .done = done, .arg = arg, .post = post, .post_arg = post_arg
	};
	push(s, j);
}

struct waiter {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	store_job run;
	void *arg;
	mst_err err;
	bool done;
};

static mst_err
run_waited(struct db *db, void *arg)
{
	struct waiter *w = arg;

	return w->run(db, w->arg);
}

static void
end_wait(void *arg, mst_err e)
{
	struct waiter *w = arg;

	pthread_mutex_lock(&w->mutex);
	w->err = e;
	w->done = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mutex);
}

mst_err
store_write_wait(struct store *s, store_job job, void *arg)
{
	struct waiter w = { .run = job, .arg = arg };

	pthread_mutex_init(&w.mutex, NULL);
	pthread_cond_init(&w.cond, NULL);
	store_write(s, run_waited, end_wait, &w, NULL, NULL);
	pthread_mutex_lock(&w.mutex);
	while (!w.done)
		pthread_cond_wait(&w.cond, &w.mutex);
	pthread_mutex_unlock(&w.mutex);
	pthread_cond_destroy(&w.cond);
	pthread_mutex_destroy(&w.mutex);
	return w.err;
}

size_t
store_backlog(struct store *s)
{
	return atomic_load(&s->backlog);
}

/* NULL when the store is to end. */
static struct job *
take_batch(struct store *s, size_t *count)
{
	struct job *first, *last;
	size_t n = 0;

	pthread_mutex_lock(&s->mutex);
	while (s->head == NULL && !s->stop)
		pthread_cond_wait(&s->wake, &s->mutex);
	first = last = s->head;
	for (; last != NULL; last = last->next)
		if (++n == STORE_BATCH || last->next == NULL)
			break;
	if (last != NULL) {
		s->head = last->next;
		if (s->head == NULL)
			s->tail = &s->head;
		last->next = NULL;
	}
	pthread_mutex_unlock(&s->mutex);
	*count = n;
	return first;
}

/* A refused job undoes itself alone. MST_OK: the transaction is still sound. */
static mst_err
run_one(struct db *db, struct job *j)
{
	mst_err e;

	fault("job");
	if ((e = db_run(db, "SAVEPOINT job")) != MST_OK)
		return e;
	j->err = j->run(db, j->arg);
	if (db_trouble(db) != MST_OK)
		return db_trouble(db);
	if (j->err != MST_OK && (e = db_run(db, "ROLLBACK TO job")) != MST_OK)
		return e;
	return db_run(db, "RELEASE job");
}

static mst_err
run_all(struct db *db, struct job *first)
{
	struct job *j;
	mst_err e;

	fault("begin");
	if ((e = db_run(db, "BEGIN IMMEDIATE")) != MST_OK)
		return e;
	for (j = first; j != NULL; j = j->next)
		if ((e = run_one(db, j)) != MST_OK)
			return e;
	fault("commit");
	return db_run(db, "COMMIT");
}

/* The caller's request is sound, the machine is not: only errors that say so leave here. */
static mst_err
batch_error(mst_err e)
{
	if (e == MST_E_STORE_FULL || e == MST_E_STORE_LOCKED || e == MST_E_STORE_CORRUPT ||
	    e == MST_E_NOMEM)
		return e;
	return MST_E_STORE_IO;
}

static void
count_batch(size_t count, int64_t began_us, mst_err e)
{
	metric_add("muster_store_commits_total",
	    e == MST_OK ? "outcome=\"accepted\"" : "outcome=\"refused\"", 1);
	metric_add("muster_store_jobs_total", NULL, (double)count);
	metric_observe(
	    "muster_store_commit_seconds", NULL, (double)(clock_mono_us() - began_us) / 1e6);
}

static void
run_batch(struct store *s, struct job *first, size_t count)
{
	int64_t began = clock_mono_us();
	struct job *j;
	mst_err e;

	db_trouble_clear(s->db);
	e = run_all(s->db, first);
	count_batch(count, began, e);
	if (e == MST_OK)
		return;
	metric_add("muster_store_errors_total", NULL, 1);
	log_line(LOG_ERROR_, "store: %s: %s", mst_err_info(e)->reason, store_why());
	db_trouble_clear(s->db);
	if (db_in_transaction(s->db) && db_run(s->db, "ROLLBACK") != MST_OK)
		log_line(LOG_ERROR_, "store: rollback: %s", store_why());
	for (j = first; j != NULL; j = j->next)
		j->err = batch_error(e);
	/*
	 * On a full disk a WAL that was copied whole is used again from its
	 * start: space without new blocks.
	 */
	if (db_checkpoint(s->db, DB_CHECKPOINT_PASSIVE) != MST_OK)
		db_trouble_clear(s->db);
}

static void
answer(struct store *s, struct job *first, size_t count)
{
	struct job *j, *next;

	fault("done");
	atomic_fetch_sub(&s->backlog, count);
	for (j = first; j != NULL; j = next) {
		next = j->next;
		if (j->post != NULL)
			j->post(j->post_arg, finish, j);
		else
			finish(j);
	}
}

/*
 * After the answers, so that nobody waits for it. A reader that stays in an
 * old snapshot (a backup) keeps the WAL from starting over: then the next try
 * is not each batch but STORE_WAL_FRAMES later.
 */
static void
checkpoint(struct store *s)
{
	int frames = db_wal_frames(s->db);

	if (frames < s->wal_seen)
		s->checkpoint_at = STORE_WAL_FRAMES; /* it has started over */
	s->wal_seen = frames;
	if (frames < s->checkpoint_at)
		return;
	fault("checkpoint");
	if (db_checkpoint(s->db, DB_CHECKPOINT_PASSIVE) != MST_OK)
		log_line(LOG_ERROR_, "store: checkpoint: %s", store_why());
	s->checkpoint_at = frames + STORE_WAL_FRAMES;
}

void *
writer_main(void *arg)
{
	struct store *s = arg;
	struct job *batch;
	size_t count;

	while ((batch = take_batch(s, &count)) != NULL) {
		run_batch(s, batch, count);
		answer(s, batch, count);
		checkpoint(s);
	}
	return NULL;
}

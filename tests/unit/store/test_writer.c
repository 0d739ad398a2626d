/* SPDX-License-Identifier: Apache-2.0 */
#include "support_store.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/log.h"
#include "server/store/store_device.h"
#include "server/store/store_impl.h"

static struct store *
opened(struct world *w)
{
	struct store *s = NULL;

	assert_int_equal(store_open(w->path, &s), MST_OK);
	return s;
}

/* arg: a trail row's detail. */
static mst_err
add_row(struct db *db, void *arg)
{
	struct trail t = { .at = 1, .step = STEP_ADMIN, .detail = arg };

	return trail_add(db, &t);
}

static mst_err
add_row_then_refuse(struct db *db, void *arg)
{
	mst_err e = add_row(db, arg);

	return e != MST_OK ? e : MST_E_PVR_REPLAY;
}

static int64_t
rows_now(struct store *s)
{
	return ask(store_reader(s), "SELECT count(*) FROM trail");
}

static void
write_wait_is_durable_and_visible(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);

	assert_int_equal(rows_now(s), 0);
	assert_int_equal(store_write_wait(s, add_row, "a"), MST_OK);
	assert_int_equal(rows_now(s), 1);
	store_close(s);
	s = opened(w);
	assert_int_equal(rows_now(s), 1);
	store_close(s);
}

static void
refused_job_undoes_itself(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);

	assert_int_equal(store_write_wait(s, add_row_then_refuse, "a"), MST_E_PVR_REPLAY);
	assert_int_equal(rows_now(s), 0);
	store_close(s);
}

/* Holds the writer until let go, so that what is queued meanwhile is one batch. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool entered, open;
};

static mst_err
wait_at_gate(struct db *db, void *arg)
{
	struct gate *g = arg;

	(void)db;
	pthread_mutex_lock(&g->mutex);
	g->entered = true;
	pthread_cond_broadcast(&g->cond);
	while (!g->open)
		pthread_cond_wait(&g->cond, &g->mutex);
	pthread_mutex_unlock(&g->mutex);
	return MST_OK;
}

static void
gate_init(struct gate *g, struct store *s)
{
	pthread_mutex_init(&g->mutex, NULL);
	pthread_cond_init(&g->cond, NULL);
	g->entered = g->open = false;
	store_write(s, wait_at_gate, NULL, g, NULL, NULL);
	pthread_mutex_lock(&g->mutex);
	while (!g->entered)
		pthread_cond_wait(&g->cond, &g->mutex);
	pthread_mutex_unlock(&g->mutex);
}

static void
gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->mutex);
	g->open = true;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->mutex);
}

struct answer {
	mst_err err;
	bool refuse, done;
	int64_t seen; /* rows that a reader saw when done was called */
	struct store *store;
};

static mst_err
answer_job(struct db *db, void *arg)
{
	struct answer *a = arg;

	return a->refuse ? add_row_then_refuse(db, "no") : add_row(db, "yes");
}

static void
answer_done(void *arg, mst_err e)
{
	struct answer *a = arg;

	a->err = e;
	a->done = true;
	a->seen = rows_now(a->store);
}

static void
refused_job_undoes_only_itself_in_a_batch(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct answer a[100] = { 0 };
	struct gate g;
	size_t i;

	gate_init(&g, s);
	for (i = 0; i < 100; i++) {
		a[i].store = s;
		a[i].refuse = i % 3 == 0;
		store_write(s, answer_job, answer_done, &a[i], NULL, NULL);
	}
	gate_open(&g);
	assert_int_equal(store_write_wait(s, add_row, "last"), MST_OK);
	for (i = 0; i < 100; i++) {
		assert_true(a[i].done);
		assert_int_equal(a[i].err, i % 3 == 0 ? MST_E_PVR_REPLAY : MST_OK);
	}
	assert_int_equal(rows_now(s), 67);
	assert_int_equal(ask(store_reader(s), "SELECT count(*) FROM trail WHERE detail = 'no'"), 0);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
}

/* design.md 3.4: durable before it is answered; the whole batch is there at the first answer. */
static void
done_comes_after_the_commit(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct answer a[20] = { 0 };
	struct gate g;
	size_t i;

	gate_init(&g, s);
	for (i = 0; i < 20; i++) {
		a[i].store = s;
		store_write(s, answer_job, answer_done, &a[i], NULL, NULL);
	}
	assert_true(store_backlog(s) >= 20);
	gate_open(&g);
	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	for (i = 0; i < 20; i++)
		assert_true(a[i].seen >= 20);
	store_close(s);
}

static void
close_runs_what_is_queued(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct gate g;
	int i;

	gate_init(&g, s);
	for (i = 0; i < 1000; i++)
		store_write(s, add_row, NULL, "x", NULL, NULL);
	gate_open(&g);
	store_close(s);
	s = opened(w);
	assert_int_equal(rows_now(s), 1000);
	assert_int_equal(store_backlog(s), 0);
	store_close(s);
}

/* A loop stands for evhttp's: post puts the call on a list, the test's thread runs it. */
struct loop {
	pthread_mutex_t mutex;
	void (*fn[8])(void *);
	void *arg[8];
	size_t n;
};

static void
post_to_loop(void *post_arg, void (*fn)(void *), void *fn_arg)
{
	struct loop *l = post_arg;

	pthread_mutex_lock(&l->mutex);
	l->fn[l->n] = fn;
	l->arg[l->n++] = fn_arg;
	pthread_mutex_unlock(&l->mutex);
}

static void
done_runs_where_post_says(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct loop l = { .mutex = PTHREAD_MUTEX_INITIALIZER };
	struct answer a = { .store = s };

	store_write(s, answer_job, answer_done, &a, post_to_loop, &l);
	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	pthread_mutex_lock(&l.mutex);
	assert_int_equal(l.n, 1);
	pthread_mutex_unlock(&l.mutex);
	assert_false(a.done);
	l.fn[0](l.arg[0]);
	assert_true(a.done);
	assert_int_equal(a.err, MST_OK);
	store_close(s);
}

#define THREADS 8
#define EACH 1000

struct worker {
	struct store *store;
	atomic_int acknowledged;
	pthread_t thread;
};

static void
count_done(void *arg, mst_err e)
{
	struct worker *k = arg;

	if (e == MST_OK)
		atomic_fetch_add(&k->acknowledged, 1);
}

static mst_err
add_plain_row(struct db *db, void *arg)
{
	(void)arg;
	return add_row(db, "worker");
}

static void *
work(void *arg)
{
	struct worker *k = arg;
	int i;

	for (i = 0; i < EACH; i++) {
		store_write(k->store, add_plain_row, count_done, k, NULL, NULL);
		if (i % 100 == 0)
			(void)rows_now(k->store);
	}
	return NULL;
}

static void
eight_threads_of_1000_jobs_all_durable(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct worker k[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		k[i].store = s;
		atomic_init(&k[i].acknowledged, 0);
		assert_int_equal(pthread_create(&k[i].thread, NULL, work, &k[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		(void)pthread_join(k[i].thread, NULL);
	store_close(s);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(atomic_load(&k[i].acknowledged), EACH);
	s = opened(w);
	assert_int_equal(rows_now(s), THREADS * EACH);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
}

static void *
read_once(void *arg)
{
	assert_int_equal(rows_now(arg), 0);
	return NULL;
}

static void
reader_goes_with_its_thread(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	pthread_t t;
	int i;

	for (i = 0; i < 20; i++) {
		assert_int_equal(pthread_create(&t, NULL, read_once, s), 0);
		(void)pthread_join(t, NULL);
	}
	assert_null(s->readers);
	assert_ptr_equal(store_reader(s), store_reader(s));
	store_close(s);
}

static void
reader_cannot_write(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct trail t = { .at = 1, .step = STEP_ADMIN };

	assert_int_not_equal(trail_add(store_reader(s), &t), MST_OK);
	assert_int_equal(rows_now(s), 0);
	store_close(s);
}

static void
reader_that_cannot_be_opened_says_so(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct device d;

	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(device_by_id(store_reader(s), w->a, 1, &d), MST_E_STORE_OPEN);
	store_close(s);
}

static void
wal_is_emptied_by_the_writer(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	char *words = arena_alloc(w->a, 60001);
	int i;

	memset(words, 'x', 60000);
	for (i = 0; i < 400; i++) /* 15 pages each, so more than STORE_WAL_FRAMES */
		assert_int_equal(store_write_wait(s, add_row, words), MST_OK);
	assert_true(db_wal_frames(s->db) < STORE_WAL_FRAMES);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
}

static void
wal_starts_over_after_a_long_reader(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	char *words = arena_alloc(w->a, 60001);
	struct query q;
	int i;

	memset(words, 'x', 60000);
	assert_int_equal(store_write_wait(s, add_row, words), MST_OK);
	query_init(&q, store_reader(s), "SELECT seq FROM trail");
	assert_true(query_row(&q)); /* its snapshot stands until query_end */
	for (i = 0; i < 700; i++)
		assert_int_equal(store_write_wait(s, add_row, words), MST_OK);
	assert_true(db_wal_frames(s->db) > STORE_WAL_FRAMES);
	assert_int_equal(query_end(&q), MST_OK);
	for (i = 0; i < 700; i++)
		assert_int_equal(store_write_wait(s, add_row, words), MST_OK);
	assert_true(db_wal_frames(s->db) < STORE_WAL_FRAMES);
	assert_int_equal(rows_now(s), 1401);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
}

/* SEC-1 fail closed: what the disk did not take is refused, and what was taken stays. */
static void
fill_disk(struct store *s, struct world *w, int64_t *stored, mst_err *refusal)
{
	char *words = arena_alloc(w->a, 60001);
	int i;

	memset(words, 'x', 60000);
	*stored = 0;
	*refusal = MST_OK;
	for (i = 0; i < 2000 && *refusal == MST_OK; i++) {
		*refusal = store_write_wait(s, add_row, words);
		if (*refusal == MST_OK)
			++*stored;
	}
}

static void
file_size_limit_refuses_then_recovers(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w);
	struct rlimit old, tight;
	int64_t stored;
	mst_err e;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 4 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	fill_disk(s, w, &stored, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(e == MST_E_STORE_IO || e == MST_E_STORE_FULL);
	assert_int_equal(rows_now(s), stored);
	assert_int_equal(store_write_wait(s, add_row, "again"), MST_OK);
	assert_int_equal(rows_now(s), stored + 1);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
}

static void
full_disk_SEC_1_refuses_then_recovers(void **state)
{
	struct world *w = *state;
	const char *disk = world_file(w, "disk"), *path = world_file(w, "disk/db"),
	           *ballast = world_file(w, "disk/ballast");
	struct store *s = NULL;
	int64_t stored;
	mst_err e;
	char zeros[65536] = { 0 };
	FILE *f;

	assert_int_equal(mkdir(disk, 0700), 0);
	if (mount("none", disk, "tmpfs", 0, "size=8m") != 0) {
		print_message("skipped: a tmpfs cannot be mounted here\n");
		(void)rmdir(disk);
		skip();
	}
	f = fopen(ballast, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(zeros, 1, sizeof(zeros), f), sizeof(zeros));
	assert_int_equal(fwrite(zeros, 1, sizeof(zeros), f), sizeof(zeros));
	(void)fclose(f);
	assert_int_equal(store_open(path, &s), MST_OK);
	fill_disk(s, w, &stored, &e);
	assert_int_equal(e, MST_E_STORE_FULL);
	assert_int_equal(rows_now(s), stored);
	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(store_write_wait(s, add_row, "again"), MST_OK);
	assert_int_equal(rows_now(s), stored + 1);
	store_close(s);
	e = store_verify(path);
	(void)unlink(path);
	assert_int_equal(umount(disk), 0);
	(void)rmdir(disk);
	assert_int_equal(e, MST_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_dir, world_gone)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(write_wait_is_durable_and_visible),
		T(refused_job_undoes_itself),
		T(refused_job_undoes_only_itself_in_a_batch),
		T(done_comes_after_the_commit),
		T(close_runs_what_is_queued),
		T(done_runs_where_post_says),
		T(eight_threads_of_1000_jobs_all_durable),
		T(reader_goes_with_its_thread),
		T(reader_cannot_write),
		T(reader_that_cannot_be_opened_says_so),
		T(wal_is_emptied_by_the_writer),
		T(wal_starts_over_after_a_long_reader),
		T(file_size_limit_refuses_then_recovers),
		T(full_disk_SEC_1_refuses_then_recovers),
	};

	return cmocka_run_group_tests_name("store writer", tests, NULL, NULL);
}

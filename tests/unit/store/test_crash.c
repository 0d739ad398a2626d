/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that writes is killed; whatever it was told to be durable must be
 * there, and the file must be whole (design.md 3.4; issue D21). A kill shows
 * the order of writes, not what a disk's cache loses with the power.
 */
#include "support_store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/store/store_device.h"
#include "server/store/store_impl.h"

#define IDS 400000

struct note {
	uint32_t id;
	size_t room; /* bytes of detail */
};

static mst_err
add_note(struct db *db, void *arg)
{
	const struct note *n = arg;
	char id[16], *detail = calloc(1, n->room + 1);
	struct trail t = { .at = 1, .step = STEP_ADMIN, .trace = id, .detail = detail };
	mst_err e;

	if (detail == NULL)
		return MST_E_NOMEM;
	memset(detail, 'x', n->room);
	(void)snprintf(id, sizeof(id), "%u", n->id);
	e = trail_add(db, &t);
	free(detail);
	return e;
}

/* Every acknowledged id must have its row. Returns how many are lost. */
static size_t
count_lost(const char *path, const uint8_t *acknowledged)
{
	uint8_t *present = calloc(IDS, 1);
	struct store *s = NULL;
	struct query q;
	size_t i, lost = 0;

	assert_non_null(present);
	assert_int_equal(store_open(path, &s), MST_OK);
	query_init(&q, store_reader(s), "SELECT trace FROM trail");
	while (query_row(&q)) {
		unsigned long id = strtoul(row_text_borrow(&q), NULL, 10);
		assert_true(id < IDS);
		present[id]++;
	}
	assert_int_equal(query_end(&q), MST_OK);
	store_close(s);
	for (i = 0; i < IDS; i++)
		lost += acknowledged[i] != 0 && present[i] != 1;
	free(present);
	return lost;
}

static size_t
take_acknowledgements(int fd, uint8_t *acknowledged)
{
	uint32_t id;
	size_t n = 0;

	while (read(fd, &id, sizeof(id)) == (ssize_t)sizeof(id)) {
		assert_true(id < IDS);
		acknowledged[id] = 1;
		n++;
	}
	return n;
}

static long calls, die_at;

static void
die_at_call(const char *point)
{
	(void)point;
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) == die_at)
		_exit(9);
}

/* Make, write, close: a whole life, that ends at the nth write. */
static void
live_until(const char *path, long n, int fd)
{
	struct store *s;
	struct note note = { 0, 5000 };

	die_at = n;
	store_fault_hook = die_at_call;
	if (store_open(path, &s) != MST_OK)
		_exit(1);
	for (note.id = 1; note.id <= 6; note.id++)
		if (store_write_wait(s, add_note, &note) != MST_OK ||
		    write(fd, &note.id, sizeof(note.id)) != (ssize_t)sizeof(note.id))
			_exit(2);
	store_close(s);
	_exit(0);
}

static void
killed_before_each_write_of_its_life_loses_nothing(void **state)
{
	struct world *w = *state;
	uint8_t *acknowledged = calloc(IDS, 1);
	int status = 0, fds[2];
	long n = 0;
	pid_t pid;

	assert_non_null(acknowledged);
	do {
		const char *path = world_file(w, arena_printf(w->a, "db%ld", ++n));
		memset(acknowledged, 0, IDS);
		assert_int_equal(pipe(fds), 0);
		if ((pid = fork()) == 0)
			live_until(path, n, fds[1]);
		(void)close(fds[1]);
		(void)take_acknowledgements(fds[0], acknowledged);
		(void)close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0);
		assert_int_equal(count_lost(path, acknowledged), 0);
		assert_int_equal(store_verify(path), MST_OK);
	} while (WEXITSTATUS(status) == 9);
	print_message("%ld kills, one before each write\n", n - 1);
	assert_true(n > 40);
	free(acknowledged);
}

struct writer {
	struct store *store;
	uint32_t first;
	int fd;
};

static void *
write_for_ever(void *arg)
{
	struct writer *k = arg;
	struct note note = { k->first, 0 };

	for (;; note.id++) {
		note.room = (note.id * 2654435761u) % 20000;
		if (store_write_wait(k->store, add_note, &note) != MST_OK ||
		    write(k->fd, &note.id, sizeof(note.id)) != (ssize_t)sizeof(note.id))
			_exit(2);
	}
	return NULL;
}

static void
write_until_killed(const char *path, uint32_t first, int fd)
{
	struct writer k[4];
	struct store *s;
	pthread_t t;
	uint32_t i;

	if (store_open(path, &s) != MST_OK)
		_exit(1);
	for (i = 0; i < 4; i++) {
		k[i] = (struct writer){ s, first + i * 2000, fd };
		if (pthread_create(&t, NULL, write_for_ever, &k[i]) != 0)
			_exit(1);
	}
	for (;;)
		(void)pause();
}

#define KILLS 50

static void
killed_50_times_under_load_loses_nothing(void **state)
{
	struct world *w = *state;
	uint8_t *acknowledged = calloc(IDS, 1);
	size_t total = 0;
	int status, fds[2], i;
	pid_t pid;

	assert_non_null(acknowledged);
	for (i = 0; i < KILLS; i++) {
		struct timespec wait = { 0, (5 + (i * 37) % 60) * 1000000L };
		assert_int_equal(pipe(fds), 0);
		if ((pid = fork()) == 0)
			write_until_killed(w->path, (uint32_t)i * 8000, fds[1]);
		(void)close(fds[1]);
		(void)nanosleep(&wait, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		total += take_acknowledgements(fds[0], acknowledged);
		(void)close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (i % 10 == 9)
			assert_int_equal(count_lost(w->path, acknowledged), 0);
	}
	assert_int_equal(store_verify(w->path), MST_OK);
	print_message("%d kills, %zu acknowledged rows, 0 lost\n", KILLS, total);
	assert_true(total > 0);
	free(acknowledged);
}

/* --- a migration: from the first release's file to the present tables --- */

static void
migrate_until(const char *path, long n)
{
	struct store *s;

	die_at = n;
	store_fault_hook = die_at_call;
	if (store_open(path, &s) != MST_OK)
		_exit(1);
	store_close(s);
	_exit(0);
}

/* All rows of all tables, as SQLite's own quote() writes them. */
static char *
rows_as_text(struct world *w, const char *path)
{
	struct store *s = NULL;
	struct query tables;
	char *text = arena_alloc(w->a, 1 << 16);
	size_t len = 0;

	assert_non_null(text);
	assert_int_equal(store_open(path, &s), MST_OK);
	assert_int_equal(schema_check(s->db, &schema_current), MST_OK);
	query_init(&tables, store_reader(s),
	    "SELECT t.name, group_concat('quote(' || c.name || ')', '||'',''||') FROM "
	    "sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND "
	    "t.name NOT LIKE 'sqlite%' GROUP BY t.name ORDER BY t.name");
	while (query_row(&tables)) {
		const char *name = arena_str(w->a, mst_span_str(row_text_borrow(&tables)));
		struct query rows;

		query_init(&rows, store_reader(s),
		    arena_printf(
		        w->a, "SELECT %s FROM %s ORDER BY 1", row_text_borrow(&tables), name));
		while (query_row(&rows))
			len += (size_t)snprintf(
			    text + len, (1 << 16) - len, "%s: %s\n", name, row_text_borrow(&rows));
		assert_int_equal(query_end(&rows), MST_OK);
		assert_true(len < 1 << 16);
	}
	assert_int_equal(query_end(&tables), MST_OK);
	store_close(s);
	return text;
}

static void
killed_before_each_write_of_a_migration_loses_nothing(void **state)
{
	struct world *w = *state;
	const char *want;
	int status = 0;
	long n = 0;
	pid_t pid;

	world_at(w, w->path, 1);
	want = rows_as_text(w, w->path);
	assert_true(strlen(want) > 1000);
	do {
		const char *path = world_file(w, arena_printf(w->a, "old%ld", ++n));
		const char *backup = arena_printf(w->a, "%s.v1.bak", path);

		world_at(w, path, 1);
		if ((pid = fork()) == 0)
			migrate_until(path, n);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0);
		assert_string_equal(rows_as_text(w, path), want); /* opens, and so migrates */
		assert_int_equal(store_verify(path), MST_OK);
		assert_int_equal(store_verify(backup), MST_OK);
	} while (WEXITSTATUS(status) == 9);
	print_message("%ld kills, one before each write of a migration from version 1\n", n - 1);
	assert_true(n > 10);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_dir, world_gone)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(killed_before_each_write_of_its_life_loses_nothing),
		T(killed_before_each_write_of_a_migration_loses_nothing),
		T(killed_50_times_under_load_loses_nothing),
	};

	return cmocka_run_group_tests_name("store crash", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, migrating, verifying and backing up. */
#include "support_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/store_cert.h"
#include "server/store/store_device.h"
#include "server/store/store_impl.h"
#include "server/store/store_masa.h"

static mst_err
add_row(struct db *db, void *arg)
{
	struct trail t = { .at = 1, .step = STEP_ADMIN, .detail = arg };

	return trail_add(db, &t);
}

static struct store *
opened(const char *path)
{
	struct store *s = NULL;

	assert_int_equal(store_open(path, &s), MST_OK);
	return s;
}

/* A database with n trail rows, closed. */
static void
made(const char *path, int n)
{
	struct store *s = opened(path);

	while (n-- > 0)
		assert_int_equal(store_write_wait(s, add_row, "row"), MST_OK);
	store_close(s);
}

static int64_t
rows_of(const char *path)
{
	struct db *db = NULL;
	int64_t n;

	assert_int_equal(db_open(path, DB_READ, &db), MST_OK);
	n = ask(db, "SELECT count(*) FROM trail");
	db_close(db);
	return n;
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777u;
}

static void
open_makes_a_private_file(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);

	assert_int_equal(mode_of(w->path), 0600);
	assert_int_equal(mode_of(world_file(w, "db-wal")), 0600);
	store_close(s);
	assert_int_not_equal(access(world_file(w, "db-wal"), F_OK), 0);
	assert_int_equal(store_verify(w->path), MST_OK);
}

static void
open_is_wal_full_and_without_automatic_checkpoint(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);

	assert_int_equal(ask(s->db, "PRAGMA synchronous"), 2);
	assert_int_equal(ask(s->db, "PRAGMA wal_autocheckpoint"), 0);
	assert_int_equal(ask(s->db, "PRAGMA foreign_keys"), 1);
	assert_int_equal(ask(s->db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
	store_close(s);
}

static void
open_in_no_folder_refused(void **state)
{
	struct world *w = *state;
	struct store *s;

	assert_int_equal(store_open(world_file(w, "none/db"), &s), MST_E_STORE_OPEN);
	assert_non_null(strstr(store_why(), "none/db"));
}

static void
open_twice_locked(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path), *t;

	assert_int_equal(store_open(w->path, &t), MST_E_STORE_LOCKED);
	store_close(s);
	s = opened(w->path);
	store_close(s);
}

static void
open_while_another_process_has_it_locked(void **state)
{
	struct world *w = *state;
	int ready[2], end[2], status;
	struct store *s;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	if ((pid = fork()) == 0) {
		mst_err e = store_open(w->path, &s);
		c = e == MST_OK;
		(void)!write(ready[1], &c, 1);
		(void)close(end[1]);
		(void)!read(end[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 1);
	assert_int_equal(store_open(w->path, &s), MST_E_STORE_LOCKED);
	(void)close(end[0]);
	(void)close(end[1]); /* the child ends without closing its store */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	s = opened(w->path);
	store_close(s);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void
open_newer_version_refused_and_untouched(void **state)
{
	struct world *w = *state;
	struct store *s;
	struct db *db = NULL;

	made(w->path, 1);
	tamper(w->path, "PRAGMA user_version=99");
	assert_int_equal(store_open(w->path, &s), MST_E_STORE_VERSION);
	assert_non_null(strstr(store_why(), "99"));
	assert_int_equal(db_open(w->path, DB_READ, &db), MST_OK);
	assert_int_equal(ask(db, "PRAGMA user_version"), 99);
	assert_int_equal(ask(db, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
	db_close(db);
	assert_int_equal(store_verify(w->path), MST_E_STORE_VERSION);
}

static void
open_other_programs_database_refused(void **state)
{
	struct world *w = *state;
	struct store *s;

	made(w->path, 0);
	tamper(w->path, "PRAGMA application_id=1");
	assert_int_equal(store_open(w->path, &s), MST_E_STORE_OPEN);
	assert_int_equal(store_verify(w->path), MST_E_STORE_OPEN);
}

static void
write_bytes(const char *path, long at, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "r+");

	if (f == NULL)
		f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
open_not_a_database_refused(void **state)
{
	struct world *w = *state;
	char text[5000];
	struct store *s;

	memset(text, 'x', sizeof(text));
	write_bytes(w->path, 0, text, sizeof(text));
	assert_int_equal(store_open(w->path, &s), MST_E_STORE_CORRUPT);
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
}

static void
verify_good(void **state)
{
	struct world *w = *state;

	made(w->path, 3);
	assert_int_equal(store_verify(w->path), MST_OK);
}

static void
verify_no_file_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(store_verify(w->path), MST_E_STORE_OPEN);
	assert_int_not_equal(access(w->path, F_OK), 0);
}

static void
verify_empty_file_corrupt(void **state)
{
	struct world *w = *state;

	write_bytes(w->path, 0, "", 0);
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
}

static void
verify_damaged_page_corrupt(void **state)
{
	struct world *w = *state;
	char junk[512];

	made(w->path, 200);
	memset(junk, 0xA5, sizeof(junk));
	write_bytes(w->path, 4096, junk, sizeof(junk)); /* page 2 */
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
}

static void
verify_truncated_corrupt(void **state)
{
	struct world *w = *state;
	struct stat st;

	made(w->path, 200);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(truncate(w->path, st.st_size - 4096), 0);
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
}

/* The page stays well-formed, so only the chain can tell. */
static void
verify_one_bit_of_a_trail_row_chain_AUD_7(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);
	char page[1 << 20];
	size_t n, i;
	FILE *f;

	assert_int_equal(store_write_wait(s, add_row, "unmistakable"), MST_OK);
	store_close(s);
	f = fopen(w->path, "r");
	assert_non_null(f);
	n = fread(page, 1, sizeof(page), f);
	(void)fclose(f);
	for (i = 0; i + 12 < n && memcmp(page + i, "unmistakable", 12) != 0; i++)
		;
	assert_true(i + 12 < n);
	page[i] ^= 1;
	write_bytes(w->path, (long)i, page + i, 1);
	assert_int_equal(store_verify(w->path), MST_E_STORE_CHAIN);
	assert_non_null(strstr(store_why(), "trail: row 1"));
}

static void
verify_dangling_key_corrupt(void **state)
{
	struct world *w = *state;

	made(w->path, 0);
	tamper(w->path, "INSERT INTO telemetry(device, at, step) VALUES(77, 0, 'x')");
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
	assert_non_null(strstr(store_why(), "telemetry"));
}

static void
verify_dropped_trigger_corrupt_AUD_7(void **state)
{
	struct world *w = *state;

	made(w->path, 1);
	tamper(w->path, "DROP TRIGGER trail_no_delete");
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
}

static void
verify_weakened_trigger_corrupt_AUD_7(void **state)
{
	struct world *w = *state;

	made(w->path, 1);
	tamper(w->path,
	    "DROP TRIGGER trail_no_delete;"
	    "CREATE TRIGGER trail_no_delete BEFORE DELETE ON trail BEGIN SELECT 1; END");
	assert_int_equal(store_verify(w->path), MST_E_STORE_CORRUPT);
}

static void
verify_while_the_daemon_writes(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);

	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	assert_int_equal(store_verify(w->path), MST_OK);
	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	store_close(s);
}

static void
backup_is_private_one_file_and_verified(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);
	const char *to = world_file(w, "copy");

	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	assert_int_equal(store_backup(s, to), MST_OK);
	assert_int_equal(store_write_wait(s, add_row, "later"), MST_OK);
	store_close(s);
	assert_int_equal(mode_of(to), 0600);
	assert_int_equal(store_verify(to), MST_OK);
	assert_int_equal(rows_of(to), 1);
	assert_int_not_equal(access(world_file(w, "copy.part"), F_OK), 0);
	assert_int_not_equal(access(world_file(w, "copy-wal"), F_OK), 0);
}

static void
backup_opens_as_a_store(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);
	const char *to = world_file(w, "copy");

	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	assert_int_equal(store_backup(s, to), MST_OK);
	store_close(s);
	s = opened(to);
	assert_int_equal(store_write_wait(s, add_row, "y"), MST_OK);
	store_close(s);
	assert_int_equal(store_verify(to), MST_OK);
	assert_int_equal(rows_of(to), 2);
}

static void
backup_over_a_file_conflict(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);
	const char *to = world_file(w, "copy");
	struct stat st;

	write_bytes(to, 0, "precious", 8);
	assert_int_equal(store_backup(s, to), MST_E_CONFLICT);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 8);
	store_close(s);
}

static void
backup_into_no_folder_refused(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);

	assert_int_equal(store_backup(s, world_file(w, "none/copy")), MST_E_STORE_IO);
	store_close(s);
}

static void
backup_of_a_forged_trail_refused_AUD_7(void **state)
{
	struct world *w = *state;
	const char *to = world_file(w, "copy");
	struct store *s;

	made(w->path, 2);
	tamper(w->path, "DROP TRIGGER trail_no_update; UPDATE trail SET at = 9 WHERE seq = 1;"
	                "CREATE TRIGGER trail_no_update BEFORE UPDATE ON trail"
	                " BEGIN SELECT RAISE(ABORT, 'trail is append-only'); END");
	s = opened(w->path);
	assert_int_equal(store_backup(s, to), MST_E_STORE_CHAIN);
	store_close(s);
	assert_int_not_equal(access(to, F_OK), 0);
	assert_int_not_equal(access(world_file(w, "copy.part"), F_OK), 0);
}

struct load {
	struct store *store;
	atomic_int stop;
};

static void *
keep_writing(void *arg)
{
	struct load *l = arg;

	while (atomic_load(&l->stop) == 0)
		if (store_write_wait(l->store, add_row, "load") != MST_OK)
			break;
	return NULL;
}

static void
backup_under_load(void **state)
{
	struct world *w = *state;
	struct store *s = opened(w->path);
	struct load l = { .store = s };
	pthread_t t[4];
	const char *to;
	int64_t n, last = 0;
	int i;

	atomic_init(&l.stop, 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, keep_writing, &l), 0);
	for (i = 0; i < 5; i++) {
		to = world_file(w, arena_printf(w->a, "copy%d", i));
		assert_int_equal(store_backup(s, to), MST_OK);
		n = rows_of(to);
		assert_true(n >= last);
		last = n;
	}
	atomic_store(&l.stop, 1);
	for (i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
	assert_true(rows_of(w->path) >= last);
}

/* A version that does not exist yet: what every later step goes through. */
static const char *const step2[] = { "ALTER TABLE device ADD COLUMN note TEXT;",
	"UPDATE device SET note = 'from v1';", NULL };
static const char *const step2_bad[] = { "ALTER TABLE device ADD COLUMN note TEXT;",
	"UPDATE nothing SET x = 1;", NULL };

/* The present version and one more. */
static struct schema
extended(const char *const *step)
{
	static const char *const *steps[32];
	size_t n = schema_current.count;

	memcpy(steps, schema_current.steps, n * sizeof steps[0]);
	steps[n] = step;
	return (struct schema){ steps, n + 1 };
}

static void
migrate_to_a_next_version_keeps_the_rows_and_a_backup(void **state)
{
	struct world *w = *state;
	struct schema v2 = extended(step2);
	struct store *s = opened(w->path);
	struct device d;

	assert_int_equal(store_write_wait(s, add_row, "x"), MST_OK);
	store_close(s);
	tamper(w->path, "INSERT INTO device(serial, state) VALUES(x'41', 'seen')");
	assert_int_equal(store_open_schema(w->path, &v2, &s), MST_OK);
	assert_int_equal(device_by_serial(store_reader(s), w->a, MST_LIT("A"), &d), MST_OK);
	assert_int_equal(
	    ask(store_reader(s), "SELECT count(*) FROM device WHERE note = 'from v1'"), 1);
	assert_int_equal(ask(store_reader(s), "PRAGMA user_version"), (int64_t)v2.count);
	assert_int_equal(schema_check(s->db, &v2), MST_OK);
	store_close(s);
	assert_int_equal(
	    store_verify(world_file(w, arena_printf(w->a, "db.v%zu.bak", v2.count - 1))), MST_OK);
	assert_int_equal(store_open(w->path, &s), MST_E_STORE_VERSION);
}

static void
migrate_that_fails_leaves_v1(void **state)
{
	struct world *w = *state;
	struct schema v2 = extended(step2_bad);
	struct store *s;

	made(w->path, 2);
	assert_int_not_equal(store_open_schema(w->path, &v2, &s), MST_OK);
	assert_int_equal(store_verify(w->path), MST_OK);
	assert_int_equal(rows_of(w->path), 2);
	s = opened(w->path);
	store_close(s);
}

static void
migrate_fresh_goes_through_every_step(void **state)
{
	struct world *w = *state;
	struct schema v2 = extended(step2);
	struct store *s;

	assert_int_equal(store_open_schema(w->path, &v2, &s), MST_OK);
	assert_int_equal(ask(s->db, "PRAGMA user_version"), (int64_t)v2.count);
	store_close(s);
	assert_int_not_equal(access(world_file(w, "db.v0.bak"), F_OK), 0);
}

/* B13: from each earlier version, and each version has its fixture. */
static void
fixture_of_each_version_is_what_this_program_makes_or_migrates(void **state)
{
	struct world *w = *state;
	struct store *s;

	for (size_t v = 1; v <= schema_current.count; v++) {
		const char *path = world_file(w, arena_printf(w->a, "at%zu", v));
		const char *backup = arena_printf(w->a, "%s.v%zu.bak", path, v);

		world_at(w, path, v);
		assert_int_equal(store_verify(path), MST_OK);
		s = opened(path);
		assert_int_equal(schema_check(s->db, &schema_current), MST_OK);
		assert_int_equal(ask(s->db, "PRAGMA user_version"), (int64_t)schema_current.count);
		store_close(s);
		assert_int_equal(store_verify(path), MST_OK);
		if (v < schema_current.count)
			assert_int_equal(store_verify(backup), MST_OK);
		else
			assert_int_not_equal(access(backup, F_OK), 0);
	}
}

static void
fixture_rows_of_v2_and_v3_survive(void **state)
{
	struct world *w = *state;
	struct device d, other;
	struct store *s;
	struct db *db;
	bool barred;

	for (size_t v = 2; v <= schema_current.count; v++) {
		const char *path = world_file(w, arena_printf(w->a, "at%zu", v));

		world_at(w, path, v);
		s = opened(path);
		db = store_reader(s);
		assert_int_equal(device_find(db, w->a, 1, MST_LIT("S1"), MST_LIT("i"), &d), MST_OK);
		assert_int_equal(
		    device_find(db, w->a, 1, MST_LIT("S1"), MST_LIT("j"), &other), MST_OK);
		assert_int_equal(d.id, 2);
		assert_int_equal(other.id, 3);
		assert_int_equal(barred_find(db, "basic:printer", &barred), MST_OK);
		assert_int_equal(barred, v >= 3);
		store_close(s);
	}
}

static void
v1_fixture_rows_survive(void **state)
{
	struct world *w = *state;
	struct manufacturer m;
	struct masa_entry e;
	struct cert_row c;
	struct device d;
	struct trail *t;
	struct store *s;
	struct db *db;
	size_t n;

	world_at(w, w->path, 1);
	s = opened(w->path);
	db = store_reader(s);
	assert_int_equal(manufacturer_get(db, w->a, "acme", &m), MST_OK);
	assert_int_equal(device_find(db, w->a, m.id, MST_LIT("S1"), MST_NONE, &d), MST_OK);
	assert_int_equal(d.state, DEVICE_ACTIVE);
	assert_null(d.idevid_issuer.ptr); /* version 1 had not seen it */
	assert_int_equal(cert_by_serial(db, w->a, MST_LIT("@123456789abcdef"), &c), MST_OK);
	assert_int_equal(c.state, CERT_REVOKED);
	assert_int_equal(trail_list(db, w->a, d.id, 0, 9, &t, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(t[0].step, STEP_PVR);
	assert_int_equal(masa_log_by_rvr(db, w->a, MST_LIT("rvr"), &e), MST_OK);
	assert_true(mst_span_eq(e.voucher, MST_LIT("voucher")));
	assert_int_equal(store_write_wait(s, add_row, "new"), MST_OK);
	store_close(s);
	assert_int_equal(store_verify(w->path), MST_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_dir, world_gone)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(open_makes_a_private_file),
		T(open_is_wal_full_and_without_automatic_checkpoint),
		T(open_in_no_folder_refused),
		T(open_twice_locked),
		T(open_while_another_process_has_it_locked),
		T(open_newer_version_refused_and_untouched),
		T(open_other_programs_database_refused),
		T(open_not_a_database_refused),
		T(verify_good),
		T(verify_no_file_refused),
		T(verify_empty_file_corrupt),
		T(verify_damaged_page_corrupt),
		T(verify_truncated_corrupt),
		T(verify_one_bit_of_a_trail_row_chain_AUD_7),
		T(verify_dangling_key_corrupt),
		T(verify_dropped_trigger_corrupt_AUD_7),
		T(verify_weakened_trigger_corrupt_AUD_7),
		T(verify_while_the_daemon_writes),
		T(backup_is_private_one_file_and_verified),
		T(backup_opens_as_a_store),
		T(backup_over_a_file_conflict),
		T(backup_into_no_folder_refused),
		T(backup_of_a_forged_trail_refused_AUD_7),
		T(backup_under_load),
		T(migrate_to_a_next_version_keeps_the_rows_and_a_backup),
		T(migrate_that_fails_leaves_v1),
		T(migrate_fresh_goes_through_every_step),
		T(fixture_of_each_version_is_what_this_program_makes_or_migrates),
		T(fixture_rows_of_v2_and_v3_survive),
		T(v1_fixture_rows_survive),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

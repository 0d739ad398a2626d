/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the audit trail: whose are limited, what they keep. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/journal/journal.h"

static struct arena *area;
static char path[64];
static struct store *store;
static struct journal *journal;
static int64_t device;

static mst_err
make_device(struct db *db, void *arg)
{
	struct device d;
	bool created;
	mst_err e = device_touch(db, area, 0, MST_LIT("S-1"), MST_NONE, 1, &d, &created);

	(void)arg;
	device = d.id;
	return e;
}

static mst_err
nothing(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

static size_t
rows(int64_t of, struct trail **out)
{
	size_t count;

	/* what was submitted before is written when this is */
	assert_int_equal(store_write_wait(store, nothing, NULL), MST_OK);
	assert_int_equal(trail_list(store_reader(store), area, of, 0, 10000, out, &count), MST_OK);
	return count;
}

static int
setup(void **state)
{
	(void)state;
	area = arena_new(0);
	strcpy(path, "/tmp/muster-journal-XXXXXX");
	close(mkstemp(path));
	unlink(path);
	assert_int_equal(store_open(path, &store), MST_OK);
	assert_int_equal(store_write_wait(store, make_device, NULL), MST_OK);
	assert_int_equal(journal_new(store, "registrar", &journal), MST_OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	journal_free(journal);
	store_close(store);
	unlink(path);
	unlink(arena_printf(area, "%s.lock", path));
	arena_free(area);
	return 0;
}

static const struct journal_who who = { "0123456789abcdef", "fedcba", "192.0.2.1:4711" };

static void
test_row(void **state)
{
	struct trail *t;

	(void)state;
	journal_record(journal, &who, device, STEP_PVR, MST_E_PVR_SERIAL, "words");
	assert_int_equal(rows(device, &t), 1);
	assert_string_equal(t->role, "registrar");
	assert_int_equal(t->step, STEP_PVR);
	assert_int_equal(t->err, MST_E_PVR_SERIAL);
	assert_string_equal(t->trace, who.trace);
	assert_string_equal(t->request, who.request);
	assert_string_equal(t->peer, who.peer);
	assert_string_equal(t->detail, "words");
}

static void
test_nothing_known(void **state)
{
	static const struct journal_who nobody = { NULL, NULL, NULL };
	struct trail *t;
	size_t n;

	(void)state;
	journal_record(journal, &nobody, device, STEP_AUDIT, MST_OK, NULL);
	n = rows(device, &t);
	assert_null(t[n - 1].trace);
	assert_null(t[n - 1].peer);
	assert_null(t[n - 1].detail);
}

static void
test_long_detail(void **state)
{
	char text[2001];
	struct trail *t;
	size_t n;

	(void)state;
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(text + i, "\xc3\xbc", 2); /* u with two dots */
	text[2000] = '\0';
	for (size_t from = 0; from < 2; from++) { /* wherever the cut falls */
		char shifted[2002] = "x";

		strcpy(shifted + from, text);
		journal_record(journal, &who, device, STEP_PVR, MST_E_PVR_PARSE, shifted);
		n = rows(device, &t);
		assert_true(strlen(t[n - 1].detail) > 500);
		assert_int_equal((strlen(t[n - 1].detail) - from) % 2, 0);
	}
}

static void
test_strangers(void **state)
{
	struct trail *t;
	size_t before = rows(0, &t), n;

	(void)state;
	for (int i = 0; i < 500; i++)
		journal_record(journal, &who, 0, STEP_PVR, MST_E_TLS_NO_CLIENT_CERT, NULL);
	n = rows(0, &t) - before;
	assert_in_range(n, 60, 120); /* 60, or twice that when the minute turned */
	before = rows(0, &t);
	for (int i = 0; i < 200; i++) /* a device of which somebody vouches is not cut off */
		journal_record(journal, &who, device, STEP_PVR, MST_E_PVR_PARSE, NULL);
	assert_int_equal(rows(0, &t) - before, 200);
}

static mst_err
in_job(struct db *db, void *arg)
{
	(void)arg;
	return journal_row_of(journal, db, &who, device, STEP_VOUCHER, MST_OK, "in the job");
}

static mst_err
in_failed_job(struct db *db, void *arg)
{
	mst_err e = in_job(db, arg);

	return e != MST_OK ? e : MST_E_CONFLICT;
}

static void
test_job(void **state)
{
	struct trail *t;
	size_t before = rows(0, &t);

	(void)state;
	assert_int_equal(store_write_wait(store, in_job, NULL), MST_OK);
	assert_int_equal(rows(0, &t), before + 1);
	assert_int_equal(store_write_wait(store, in_failed_job, NULL), MST_E_CONFLICT);
	assert_int_equal(rows(0, &t), before + 1); /* undone with its job */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "SEC-4 a refusal's row", test_row, NULL, NULL, NULL },
		{ "SEC-4 a row of which nothing is known", test_nothing_known, NULL, NULL, NULL },
		{ "SEC-4 a long detail is cut between characters", test_long_detail, NULL, NULL,
		    NULL },
		{ "SEC-4 strangers fill no disk", test_strangers, NULL, NULL, NULL },
		{ "SEC-4 a row stands or falls with its job", test_job, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("journal", tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "support_store.h"

#include <string.h>

#include "server/store/chain.h"
#include "server/store/store_device.h"

static struct trail
row(int64_t device, int n)
{
	return (struct trail){ .at = 100 + n,
		.device = device,
		.role = "registrar",
		.step = STEP_PVR,
		.err = MST_E_PVR_REPLAY,
		.trace = "t",
		.request = "r",
		.peer = "192.0.2.1:4000",
		.detail = "words" };
}

static void
fill(struct world *w)
{
	int64_t device = some_device(w, w->db, "S");
	struct trail t;
	int n;

	for (n = 1; n <= 3; n++) {
		t = row(device, n);
		assert_int_equal(trail_add(w->db, &t), MST_OK);
	}
}

static void
trail_every_field_comes_back_AUD_7(void **state)
{
	struct world *w = *state;
	struct trail *rows;
	size_t n;

	fill(w);
	assert_int_equal(trail_list(w->db, w->a, 0, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 3);
	assert_int_equal(rows[1].seq, 2);
	assert_int_equal(rows[1].at, 102);
	assert_int_equal(rows[1].device, 1);
	assert_string_equal(rows[1].role, "registrar");
	assert_int_equal(rows[1].step, STEP_PVR);
	assert_int_equal(rows[1].err, MST_E_PVR_REPLAY);
	assert_string_equal(rows[1].trace, "t");
	assert_string_equal(rows[1].request, "r");
	assert_string_equal(rows[1].peer, "192.0.2.1:4000");
	assert_string_equal(rows[1].detail, "words");
}

static void
trail_bare_row(void **state)
{
	struct world *w = *state;
	struct trail t = { .at = 1, .step = STEP_ADMIN }, *rows;
	size_t n;

	assert_int_equal(trail_add(w->db, &t), MST_OK);
	assert_int_equal(trail_list(w->db, w->a, 0, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].device, 0);
	assert_null(rows[0].detail);
	assert_int_equal(trail_verify(w->db), MST_OK);
}

static void
trail_unknown_device_not_found(void **state)
{
	struct world *w = *state;
	struct trail t = row(9, 1);

	assert_int_equal(trail_add(w->db, &t), MST_E_NOT_FOUND);
}

static void
trail_words_need_not_be_utf8(void **state)
{
	struct world *w = *state;
	struct trail t = row(0, 1), *rows;
	size_t n;

	t.detail = "\xff\xfe words";
	assert_int_equal(trail_add(w->db, &t), MST_OK);
	assert_int_equal(trail_verify(w->db), MST_OK);
	assert_int_equal(trail_list(w->db, w->a, 0, 0, 10, &rows, &n), MST_OK);
	assert_string_equal(rows[0].detail, "\xff\xfe words");
}

static void
trail_long_detail(void **state)
{
	struct world *w = *state;
	struct trail t = row(0, 1), *rows;
	char *words = arena_alloc(w->a, 100001);
	size_t n;

	memset(words, 'x', 100000);
	t.detail = words;
	assert_int_equal(trail_add(w->db, &t), MST_OK);
	assert_int_equal(trail_verify(w->db), MST_OK);
	assert_int_equal(trail_list(w->db, w->a, 0, 0, 10, &rows, &n), MST_OK);
	assert_string_equal(rows[0].detail, words);
}

/* Around the 2048 bytes that a link holds without malloc. */
static void
trail_detail_of_every_length_near_the_fixed_room(void **state)
{
	struct world *w = *state;
	struct trail t = row(0, 1);
	char words[2101];
	size_t n;

	assert_int_equal(db_exec(w->db, "BEGIN"), MST_OK);
	for (n = 1800; n < 2100; n++) {
		memset(words, 'x', n);
		words[n] = 0;
		t.detail = words;
		assert_int_equal(trail_add(w->db, &t), MST_OK);
	}
	assert_int_equal(db_exec(w->db, "COMMIT"), MST_OK);
	assert_int_equal(trail_verify(w->db), MST_OK);
}

static void
trail_list_after_and_limit(void **state)
{
	struct world *w = *state;
	struct trail *rows, t = row(0, 9);
	size_t n;

	fill(w);
	assert_int_equal(trail_add(w->db, &t), MST_OK);
	assert_int_equal(trail_list(w->db, w->a, 0, 1, 2, &rows, &n), MST_OK);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].seq, 2);
	assert_int_equal(rows[1].seq, 3);
	assert_int_equal(trail_list(w->db, w->a, 1, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 3);
	assert_int_equal(trail_list(w->db, w->a, 0, 4, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 0);
}

static void
trail_cannot_be_changed_AUD_7(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(db_exec(w->db, "UPDATE trail SET err = 0"), MST_E_CONFLICT);
	assert_int_equal(db_exec(w->db, "DELETE FROM trail"), MST_E_CONFLICT);
	assert_int_equal(trail_verify(w->db), MST_OK);
}

/* The published recipe of chain.h, by hand: two zero rows of known bytes. */
static void
trail_hash_is_what_chain_h_says(void **state)
{
	static const uint8_t bare[] = { 0x8a, 0x01, 0x07, 0xf6, 0xf6, 0x45, 'a', 'd', 'm', 'i', 'n',
		0x00, 0xf6, 0xf6, 0xf6, 0x42, 'h', 'i' };
	struct world *w = *state;
	struct trail t = { .at = 7, .step = STEP_ADMIN, .detail = "hi" };
	struct query q;
	struct link l;
	uint8_t zero[32] = { 0 }, hash[32];

	assert_int_equal(trail_add(w->db, &t), MST_OK);
	link_init(&l, mst_span_of(zero, 32), 10, 100);
	l.buf.len = 32;
	assert_int_equal(mst_buf_put(&l.buf, mst_span_of(bare, sizeof(bare))), MST_OK);
	assert_int_equal(link_end(&l, hash), MST_OK);
	query_init(&q, w->db, "SELECT hash FROM trail");
	assert_true(query_row(&q));
	assert_true(mst_span_eq(row_blob_borrow(&q), mst_span_of(hash, 32)));
	assert_int_equal(query_end(&q), MST_OK);
}

struct forgery {
	const char *name, *sql;
};
static const struct forgery forgeries[] = {
	{ "AUD-7 trail found: at", "UPDATE trail SET at = 1 WHERE seq = 2" },
	{ "AUD-7 trail found: device", "UPDATE trail SET device = NULL WHERE seq = 2" },
	{ "AUD-7 trail found: role", "UPDATE trail SET role = 'masa' WHERE seq = 2" },
	{ "AUD-7 trail found: step", "UPDATE trail SET step = 'admin' WHERE seq = 2" },
	{ "AUD-7 trail found: err", "UPDATE trail SET err = 0 WHERE seq = 2" },
	{ "AUD-7 trail found: trace", "UPDATE trail SET trace = NULL WHERE seq = 2" },
	{ "AUD-7 trail found: request", "UPDATE trail SET request = '' WHERE seq = 2" },
	{ "AUD-7 trail found: peer", "UPDATE trail SET peer = 'x' WHERE seq = 2" },
	{ "AUD-7 trail found: detail", "UPDATE trail SET detail = 'wordz' WHERE seq = 2" },
	{ "AUD-7 trail found: hash", "UPDATE trail SET hash = zeroblob(32) WHERE seq = 3" },
	{ "AUD-7 trail found: first row deleted", "DELETE FROM trail WHERE seq = 1" },
	{ "AUD-7 trail found: last row deleted", "DELETE FROM trail WHERE seq = 3" },
	{ "AUD-7 trail found: all rows deleted", "DELETE FROM trail" },
	{ "AUD-7 trail found: rows exchanged",
	    "UPDATE trail SET seq = 9 WHERE seq = 1; UPDATE trail SET seq = 1 WHERE seq = 2;"
	    "UPDATE trail SET seq = 2 WHERE seq = 9" },
};
#define FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))
static size_t at; /* cmocka runs the rows in order */

static void
trail_forgery(void **state)
{
	struct world *w = *state;
	const struct forgery *f = &forgeries[at++];

	fill(w);
	assert_int_equal(
	    db_exec(w->db, "DROP TRIGGER trail_no_update; DROP TRIGGER trail_no_delete"), MST_OK);
	assert_int_equal(trail_verify(w->db), MST_OK);
	assert_int_equal(db_exec(w->db, f->sql), MST_OK);
	assert_int_equal(trail_verify(w->db), MST_E_STORE_CHAIN);
}

static struct exchange
attempt(struct world *w, int64_t device, int n)
{
	return (struct exchange){ .device = device,
		.pvr_sha256 = hash_of(w, n),
		.nonce = hash_of(w, 100 + n),
		.pvr = MST_LIT("PVR"),
		.media = MST_MEDIA_CMS_JSON,
		.created = 10 };
}

static void
exchange_every_field_comes_back(void **state)
{
	struct world *w = *state;
	struct exchange x = attempt(w, some_device(w, w->db, "S"), 1), got;

	assert_int_equal(exchange_add(w->db, &x), MST_OK);
	x.rvr = MST_LIT("RVR");
	x.voucher = MST_LIT("V");
	x.answered = 20;
	x.result = MST_E_TIMEOUT;
	assert_int_equal(exchange_save(w->db, &x), MST_OK);
	assert_int_equal(exchange_find(w->db, w->a, x.pvr_sha256, &got), MST_OK);
	assert_int_equal(got.id, x.id);
	assert_int_equal(got.device, x.device);
	assert_true(mst_span_eq(got.nonce, x.nonce));
	assert_true(mst_span_eq(got.pvr, MST_LIT("PVR")));
	assert_true(mst_span_eq(got.rvr, MST_LIT("RVR")));
	assert_true(mst_span_eq(got.voucher, MST_LIT("V")));
	assert_int_equal(got.media, MST_MEDIA_CMS_JSON);
	assert_int_equal(got.created, 10);
	assert_int_equal(got.answered, 20);
	assert_int_equal(got.result, MST_E_TIMEOUT);
}

static void
add_at(struct world *w, int64_t device, int n, int64_t created, int64_t answered)
{
	struct exchange x = attempt(w, device, n);

	x.created = created;
	x.answered = answered;
	assert_int_equal(exchange_add(w->db, &x), MST_OK);
}

/* What was begun or answered within the time stays; ids go on; a page ends a step, not a pass. */
static void
exchange_prune_takes_the_old_in_pages(void **state)
{
	struct world *w = *state;
	int64_t d = some_device(w, w->db, "S"), after = 0;
	size_t n;

	for (int i = 0; i < 10; i++)
		add_at(w, d, i, 100 + i, 0);
	add_at(w, d, 10, 100, 500); /* answered late: as young as its answer */
	add_at(w, d, 11, 100, 101);
	add_at(w, d, 12, 400, 0);
	add_at(w, d, 13, 401, 0);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 8, &after, &n), MST_OK);
	assert_int_equal(n, 8);
	assert_int_equal(after, 8);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 3);
	assert_int_equal(after, 12);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 0);
	assert_int_equal(after, 0); /* over: the rest is younger */
	assert_int_equal(ask(w->db, "SELECT count(*) FROM exchange"), 3);
	assert_int_equal(exchange_prune(w->db, 401, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 1); /* to the second: 400 is before 401 */
	assert_int_equal(ask(w->db, "SELECT count(*) FROM exchange"), 2);
}

static void
exchange_prune_ends_at_the_end(void **state)
{
	struct world *w = *state;
	int64_t after = 0;
	size_t n = 9;

	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 0);
	assert_int_equal(after, 0);
	add_at(w, some_device(w, w->db, "S"), 1, 100, 0);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(after, 0);
}

/* Rows of a clock that was ahead must not stand before those that are due. */
static void
exchange_prune_goes_past_rows_of_the_future(void **state)
{
	struct world *w = *state;
	int64_t d = some_device(w, w->db, "S"), after = 0;
	size_t n;

	for (int i = 0; i < 4; i++)
		add_at(w, d, i, 2000, 0);
	add_at(w, d, 4, 100, 0);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 0);
	assert_int_equal(after, 4);
	assert_int_equal(exchange_prune(w->db, 400, 1000, 4, &after, &n), MST_OK);
	assert_int_equal(n, 1);
}

static void
exchange_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct exchange x = { .id = 4 }, got;

	assert_int_equal(exchange_find(w->db, w->a, hash_of(w, 1), &got), MST_E_NOT_FOUND);
	assert_int_equal(exchange_latest(w->db, w->a, 1, &got), MST_E_NOT_FOUND);
	assert_int_equal(exchange_save(w->db, &x), MST_E_NOT_FOUND);
}

static void
exchange_same_pvr_conflict(void **state)
{
	struct world *w = *state;
	struct exchange x = attempt(w, some_device(w, w->db, "S"), 1), again = x;

	assert_int_equal(exchange_add(w->db, &x), MST_OK);
	assert_int_equal(exchange_add(w->db, &again), MST_E_CONFLICT);
}

static void
exchange_nonce_with_another_pvr_replay_8995_5_2(void **state)
{
	struct world *w = *state;
	int64_t device = some_device(w, w->db, "S");
	struct exchange x = attempt(w, device, 1), y = attempt(w, device, 2);

	assert_int_equal(exchange_add(w->db, &x), MST_OK);
	y.nonce = x.nonce;
	assert_int_equal(exchange_add(w->db, &y), MST_E_PVR_REPLAY);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM exchange"), 1);
}

static void
exchange_nonce_of_another_device_is_its_own(void **state)
{
	struct world *w = *state;
	struct exchange x = attempt(w, some_device(w, w->db, "S"), 1),
	                y = attempt(w, some_device(w, w->db, "T"), 2);

	assert_int_equal(exchange_add(w->db, &x), MST_OK);
	y.nonce = x.nonce;
	assert_int_equal(exchange_add(w->db, &y), MST_OK);
}

static void
exchange_nonceless_twice(void **state)
{
	struct world *w = *state;
	int64_t device = some_device(w, w->db, "S");
	struct exchange x = attempt(w, device, 1), y = attempt(w, device, 2), got;

	x.nonce = y.nonce = MST_NONE;
	assert_int_equal(exchange_add(w->db, &x), MST_OK);
	assert_int_equal(exchange_add(w->db, &y), MST_OK);
	assert_int_equal(exchange_latest(w->db, w->a, device, &got), MST_OK);
	assert_int_equal(got.id, y.id);
	assert_null(got.nonce.ptr);
}

static void
exchange_of_unknown_device_not_found(void **state)
{
	struct world *w = *state;
	struct exchange x = attempt(w, 9, 1);

	assert_int_equal(exchange_add(w->db, &x), MST_E_NOT_FOUND);
}

static void
telemetry_and_auditlog_are_kept(void **state)
{
	struct world *w = *state;
	int64_t d = some_device(w, w->db, "S");

	assert_int_equal(
	    telemetry_add(w->db, d, 1, STEP_VOUCHER_STATUS, MST_LIT("{}"), hash_of(w, 1)), MST_OK);
	assert_int_equal(auditlog_add(w->db, d, 1, MST_LIT("{}"), 1, "good"), MST_OK);
	assert_int_equal(
	    ask(w->db, "SELECT count(*) FROM telemetry WHERE step = 'voucher-status'"), 1);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM auditlog WHERE verdict = 1"), 1);
}

static void
telemetry_and_auditlog_of_unknown_device_not_found(void **state)
{
	struct world *w = *state;

	assert_int_equal(telemetry_add(w->db, 9, 1, STEP_VOUCHER_STATUS, MST_LIT("{}"), MST_NONE),
	    MST_E_NOT_FOUND);
	assert_int_equal(auditlog_add(w->db, 9, 1, MST_LIT("{}"), 1, NULL), MST_E_NOT_FOUND);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_db, world_gone)

int
main(void)
{
	static struct CMUnitTest rows[FORGERIES];
	const struct CMUnitTest tests[] = {
		T(trail_every_field_comes_back_AUD_7),
		T(trail_bare_row),
		T(trail_unknown_device_not_found),
		T(trail_words_need_not_be_utf8),
		T(trail_long_detail),
		T(trail_detail_of_every_length_near_the_fixed_room),
		T(trail_list_after_and_limit),
		T(trail_cannot_be_changed_AUD_7),
		T(trail_hash_is_what_chain_h_says),
		T(exchange_every_field_comes_back),
		T(exchange_prune_takes_the_old_in_pages),
		T(exchange_prune_ends_at_the_end),
		T(exchange_prune_goes_past_rows_of_the_future),
		T(exchange_unknown_not_found),
		T(exchange_same_pvr_conflict),
		T(exchange_nonce_with_another_pvr_replay_8995_5_2),
		T(exchange_nonce_of_another_device_is_its_own),
		T(exchange_nonceless_twice),
		T(exchange_of_unknown_device_not_found),
		T(telemetry_and_auditlog_are_kept),
		T(telemetry_and_auditlog_of_unknown_device_not_found),
	};
	size_t i;
	int failed;

	for (i = 0; i < FORGERIES; i++)
		rows[i] = (struct CMUnitTest){ forgeries[i].name, trail_forgery, world_db,
			world_gone, NULL };
	failed = cmocka_run_group_tests_name("store trail", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("store trail forged", rows, NULL, NULL);
}

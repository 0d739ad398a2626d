/* SPDX-License-Identifier: Apache-2.0 */
#include "support_store.h"

#include "server/store/chain.h"
#include "server/store/store_masa.h"

static struct masa_device
made(const char *serial)
{
	return (struct masa_device){ .serial = mst_span_str(serial),
		.idevid_issuer = MST_LIT("issuer"),
		.idevid_cert = MST_LIT("cert"),
		.spki_sha256 = MST_LIT("spki"),
		.product = "gw",
		.state = MASA_MADE,
		.made_at = 5 };
}

static struct masa_customer
customer(void)
{
	return (struct masa_customer){ .name = "site",
		.anchors_pem = MST_LIT("A"),
		.user = "u",
		.password_hash = "h",
		.nonceless = true,
		.hard_revocation = true,
		.crl_pem = MST_LIT("C") };
}

static void
masa_device_every_field_comes_back(void **state)
{
	struct world *w = *state;
	struct masa_device d = made("S"), got;

	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	assert_int_equal(
	    masa_device_find(w->db, w->a, MST_LIT("S"), MST_LIT("issuer"), &got), MST_OK);
	assert_int_equal(got.id, d.id);
	assert_true(mst_span_eq(got.serial, MST_LIT("S")));
	assert_true(mst_span_eq(got.idevid_issuer, MST_LIT("issuer")));
	assert_true(mst_span_eq(got.idevid_cert, MST_LIT("cert")));
	assert_true(mst_span_eq(got.spki_sha256, MST_LIT("spki")));
	assert_string_equal(got.product, "gw");
	assert_int_equal(got.customer, 0);
	assert_int_equal(got.state, MASA_MADE);
	assert_null(got.state_reason);
	assert_int_equal(got.made_at, 5);
}

static void
masa_device_twice_conflict(void **state)
{
	struct world *w = *state;
	struct masa_device d = made("S"), e = made("S");

	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	assert_int_equal(masa_device_add(w->db, &e), MST_E_CONFLICT);
}

static void
masa_device_same_serial_other_issuer(void **state)
{
	struct world *w = *state;
	struct masa_device d = made("S"), e = made("S"), got;

	e.idevid_issuer = MST_LIT("other");
	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	assert_int_equal(masa_device_by_serial(w->db, w->a, MST_LIT("S"), &got), MST_OK);
	assert_int_equal(masa_device_add(w->db, &e), MST_OK);
	assert_int_equal(masa_device_by_serial(w->db, w->a, MST_LIT("S"), &got), MST_E_CONFLICT);
	assert_int_equal(
	    masa_device_find(w->db, w->a, MST_LIT("S"), MST_LIT("other"), &got), MST_OK);
	assert_int_equal(got.id, e.id);
}

static void
masa_device_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct masa_device d = made("S"), got;

	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	assert_int_equal(
	    masa_device_find(w->db, w->a, MST_LIT("S"), MST_LIT("x"), &got), MST_E_NOT_FOUND);
	assert_int_equal(masa_device_by_serial(w->db, w->a, MST_LIT("T"), &got), MST_E_NOT_FOUND);
	assert_int_equal(masa_device_by_id(w->db, w->a, d.id + 1, &got), MST_E_NOT_FOUND);
}

static void
masa_device_save_state_and_customer(void **state)
{
	struct world *w = *state;
	struct masa_customer c = customer();
	struct masa_device d = made("S"), got;

	assert_int_equal(masa_customer_put(w->db, &c), MST_OK);
	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	d.customer = c.id;
	d.state = MASA_BLOCKED;
	d.state_reason = "stolen";
	assert_int_equal(masa_device_save(w->db, &d), MST_OK);
	assert_int_equal(masa_device_by_id(w->db, w->a, d.id, &got), MST_OK);
	assert_int_equal(got.customer, c.id);
	assert_int_equal(got.state, MASA_BLOCKED);
	assert_string_equal(got.state_reason, "stolen");
}

static void
masa_device_save_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct masa_device d = made("S");

	d.id = 9;
	assert_int_equal(masa_device_save(w->db, &d), MST_E_NOT_FOUND);
}

static void
masa_device_save_unknown_customer_not_found(void **state)
{
	struct world *w = *state;
	struct masa_device d = made("S");

	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	d.customer = 9;
	assert_int_equal(masa_device_save(w->db, &d), MST_E_NOT_FOUND);
}

static void
masa_device_list_pages(void **state)
{
	struct world *w = *state;
	struct masa_device d, *rows;
	mst_span after = MST_NONE;
	size_t n, total = 0;
	int i;

	for (i = 0; i < 25; i++) {
		d = made(arena_printf(w->a, "S%02d", i));
		assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	}
	do {
		assert_int_equal(masa_device_list(w->db, w->a, after, 10, &rows, &n), MST_OK);
		total += n;
		if (n != 0)
			after = rows[n - 1].serial;
	} while (n != 0);
	assert_int_equal(total, 25);
}

static void
masa_customer_every_field_comes_back(void **state)
{
	struct world *w = *state;
	struct masa_customer c = customer(), got;

	assert_int_equal(masa_customer_put(w->db, &c), MST_OK);
	assert_int_equal(masa_customer_get(w->db, w->a, "site", &got), MST_OK);
	assert_int_equal(got.id, c.id);
	assert_string_equal(got.name, "site");
	assert_true(mst_span_eq(got.anchors_pem, MST_LIT("A")));
	assert_string_equal(got.user, "u");
	assert_string_equal(got.password_hash, "h");
	assert_true(got.nonceless);
	assert_true(got.hard_revocation);
	assert_true(mst_span_eq(got.crl_pem, MST_LIT("C")));
}

static void
masa_customer_put_again_edits(void **state)
{
	struct world *w = *state;
	struct masa_customer c = customer(), d = customer(), *rows;
	size_t n;

	assert_int_equal(masa_customer_put(w->db, &c), MST_OK);
	d.nonceless = false;
	assert_int_equal(masa_customer_put(w->db, &d), MST_OK);
	assert_int_equal(d.id, c.id);
	assert_int_equal(masa_customer_list(w->db, w->a, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_false(rows[0].nonceless);
}

static void
masa_customer_unknown_not_found(void **state)
{
	struct world *w = *state;
	struct masa_customer got;

	assert_int_equal(masa_customer_get(w->db, w->a, "nobody", &got), MST_E_NOT_FOUND);
}

static struct masa_entry
entry(struct world *w, int64_t device, int n)
{
	return (struct masa_entry){ .at = 1000 + n,
		.device = device,
		.rvr_sha256 = hash_of(w, n),
		.pvr_sha256 = hash_of(w, 100 + n),
		.pin_sha256 = hash_of(w, 200 + n),
		.domain_id = MST_LIT("domain"),
		.nonce = MST_LIT("bm9uY2U="),
		.assertion = MST_ASSERT_PROXIMITY,
		.expires_on = 4000,
		.client = "CN=registrar",
		.source = "192.0.2.1:4000" };
}

static int64_t
logged_device(struct world *w)
{
	struct masa_device d = made("S");

	assert_int_equal(masa_device_add(w->db, &d), MST_OK);
	return d.id;
}

/* Three entries, vouchers of the first and third. */
static void
fill(struct world *w)
{
	int64_t device = logged_device(w);
	struct masa_entry m;
	int n;

	for (n = 1; n <= 3; n++) {
		m = entry(w, device, n);
		assert_int_equal(masa_log_add(w->db, &m), MST_OK);
		assert_int_equal(m.seq, n);
	}
	assert_int_equal(masa_log_voucher(w->db, 1, MST_LIT("V1")), MST_OK);
	assert_int_equal(masa_log_voucher(w->db, 3, MST_LIT("V3")), MST_OK);
}

static void
masa_log_every_field_comes_back_AUD_7(void **state)
{
	struct world *w = *state;
	int64_t device = logged_device(w);
	struct masa_entry m = entry(w, device, 1), got;

	assert_int_equal(masa_log_add(w->db, &m), MST_OK);
	assert_int_equal(masa_log_by_rvr(w->db, w->a, m.rvr_sha256, &got), MST_OK);
	assert_int_equal(got.seq, 1);
	assert_int_equal(got.at, 1001);
	assert_int_equal(got.device, device);
	assert_int_equal(got.customer, 0);
	assert_true(mst_span_eq(got.rvr_sha256, m.rvr_sha256));
	assert_true(mst_span_eq(got.pvr_sha256, m.pvr_sha256));
	assert_true(mst_span_eq(got.pin_sha256, m.pin_sha256));
	assert_true(mst_span_eq(got.domain_id, MST_LIT("domain")));
	assert_true(mst_span_eq(got.nonce, MST_LIT("bm9uY2U=")));
	assert_int_equal(got.assertion, MST_ASSERT_PROXIMITY);
	assert_int_equal(got.expires_on, 4000);
	assert_string_equal(got.client, "CN=registrar");
	assert_string_equal(got.source, "192.0.2.1:4000");
	assert_null(got.voucher.ptr);
	assert_null(got.voucher_sha256.ptr);
}

static void
masa_log_nonceless_and_endless(void **state)
{
	struct world *w = *state;
	struct masa_entry m = entry(w, logged_device(w), 1), got;

	m.nonce = MST_NONE;
	m.pvr_sha256 = MST_NONE;
	m.expires_on = MST_NO_TIME;
	assert_int_equal(masa_log_add(w->db, &m), MST_OK);
	assert_int_equal(masa_log_by_rvr(w->db, w->a, m.rvr_sha256, &got), MST_OK);
	assert_null(got.nonce.ptr);
	assert_null(got.pvr_sha256.ptr);
	assert_true(got.expires_on == MST_NO_TIME);
	assert_int_equal(masa_log_verify(w->db), MST_OK);
}

static void
masa_log_same_rvr_conflict_8_4(void **state)
{
	struct world *w = *state;
	int64_t device = logged_device(w);
	struct masa_entry m = entry(w, device, 1), again = entry(w, device, 2);

	assert_int_equal(masa_log_add(w->db, &m), MST_OK);
	again.rvr_sha256 = m.rvr_sha256;
	assert_int_equal(masa_log_add(w->db, &again), MST_E_CONFLICT);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM masa_log"), 1);
}

static void
masa_log_unknown_device_not_found(void **state)
{
	struct world *w = *state;
	struct masa_entry m = entry(w, 9, 1);

	assert_int_equal(masa_log_add(w->db, &m), MST_E_NOT_FOUND);
}

static void
masa_log_voucher_comes_back(void **state)
{
	struct world *w = *state;
	struct masa_entry got;

	fill(w);
	assert_int_equal(masa_log_by_rvr(w->db, w->a, hash_of(w, 3), &got), MST_OK);
	assert_true(mst_span_eq(got.voucher, MST_LIT("V3")));
	assert_int_equal(got.voucher_sha256.len, 32);
}

static void
masa_log_voucher_same_bytes_again(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(masa_log_voucher(w->db, 1, MST_LIT("V1")), MST_OK);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM masa_voucher"), 2);
}

static void
masa_log_voucher_other_bytes_conflict(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(masa_log_voucher(w->db, 1, MST_LIT("V2")), MST_E_CONFLICT);
}

static void
masa_log_voucher_without_entry_not_found(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(masa_log_voucher(w->db, 4, MST_LIT("V4")), MST_E_NOT_FOUND);
}

static void
masa_log_list_oldest_first(void **state)
{
	struct world *w = *state;
	struct masa_entry *rows;
	size_t n;

	fill(w);
	assert_int_equal(masa_log_list(w->db, w->a, 1, &rows, &n), MST_OK);
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].seq, 1);
	assert_int_equal(rows[2].seq, 3);
	assert_null(rows[1].voucher.ptr);
	assert_int_equal(masa_log_list(w->db, w->a, 2, &rows, &n), MST_OK);
	assert_int_equal(n, 0);
}

static void
masa_log_verify_good_AUD_7(void **state)
{
	struct world *w = *state;

	assert_int_equal(masa_log_verify(w->db), MST_OK);
	fill(w);
	assert_int_equal(masa_log_verify(w->db), MST_OK);
}

/* Rows that no trigger stopped: each column of both tables, and what is missing. */
struct forgery {
	const char *name, *sql;
};
static const struct forgery forgeries[] = {
	{ "AUD-7 found: at", "UPDATE masa_log SET at = 1 WHERE seq = 2" },
	{ "AUD-7 found: device",
	    "INSERT INTO masa_device(id, serial, idevid_issuer, state, made_at)"
	    " VALUES(2, x'00', x'00', 0, 0);"
	    "UPDATE masa_log SET device = 2 WHERE seq = 2" },
	{ "AUD-7 found: customer",
	    "INSERT INTO masa_customer(id, name, nonceless, hard_revocation) VALUES(1, 'x', 0, 0);"
	    "UPDATE masa_log SET customer = 1 WHERE seq = 2" },
	{ "AUD-7 found: rvr_sha256", "UPDATE masa_log SET rvr_sha256 = x'00' WHERE seq = 2" },
	{ "AUD-7 found: pvr_sha256", "UPDATE masa_log SET pvr_sha256 = NULL WHERE seq = 2" },
	{ "AUD-7 found: pin_sha256", "UPDATE masa_log SET pin_sha256 = x'' WHERE seq = 2" },
	{ "AUD-7 found: domain_id", "UPDATE masa_log SET domain_id = x'01' WHERE seq = 2" },
	{ "AUD-7 found: nonce", "UPDATE masa_log SET nonce = NULL WHERE seq = 2" },
	{ "AUD-7 found: assertion", "UPDATE masa_log SET assertion = 0 WHERE seq = 2" },
	{ "AUD-7 found: expires_on", "UPDATE masa_log SET expires_on = 4001 WHERE seq = 2" },
	{ "AUD-7 found: client", "UPDATE masa_log SET client = 'CN=other' WHERE seq = 2" },
	{ "AUD-7 found: source", "UPDATE masa_log SET source = NULL WHERE seq = 2" },
	{ "AUD-7 found: hash", "UPDATE masa_log SET hash = zeroblob(32) WHERE seq = 2" },
	{ "AUD-7 found: text moved between columns",
	    "UPDATE masa_log SET client = client || source, source = '' WHERE seq = 2" },
	{ "AUD-7 found: middle entry deleted", "DELETE FROM masa_log WHERE seq = 2" },
	{ "AUD-7 found: last entry and voucher deleted",
	    "DELETE FROM masa_voucher WHERE entry = 3; DELETE FROM masa_log WHERE seq = 3" },
	{ "AUD-7 found: everything deleted", "DELETE FROM masa_voucher; DELETE FROM masa_log" },
	{ "AUD-7 found: voucher replaced", "UPDATE masa_voucher SET voucher = x'00' WHERE n = 1" },
	{ "AUD-7 found: voucher's hash replaced",
	    "UPDATE masa_voucher SET voucher_sha256 = zeroblob(32) WHERE n = 1" },
	{ "AUD-7 found: voucher moved to another entry",
	    "UPDATE masa_voucher SET entry = 2 WHERE n = 1" },
	{ "AUD-7 found: last voucher deleted", "DELETE FROM masa_voucher WHERE n = 2" },
	{ "AUD-7 found: entry added behind the chain",
	    "INSERT INTO masa_log(seq, at, device, rvr_sha256, assertion, hash)"
	    " VALUES(4, 0, 1, x'77', 0, zeroblob(32))" },
};
#define FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))
static size_t at; /* cmocka runs the rows in order */

static void
masa_log_forgery(void **state)
{
	struct world *w = *state;
	const struct forgery *f = &forgeries[at++];

	fill(w);
	assert_int_equal(
	    db_exec(w->db, "DROP TRIGGER masa_log_no_update; DROP TRIGGER masa_log_no_delete;"
	                   "DROP TRIGGER masa_voucher_no_update;"
	                   "DROP TRIGGER masa_voucher_no_delete"),
	    MST_OK);
	assert_int_equal(masa_log_verify(w->db), MST_OK);
	assert_int_equal(db_exec(w->db, "PRAGMA foreign_keys=0"), MST_OK);
	assert_int_equal(db_exec(w->db, f->sql), MST_OK);
	assert_int_equal(masa_log_verify(w->db), MST_E_STORE_CHAIN);
}

static void
masa_log_cannot_be_changed_AUD_7(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(db_exec(w->db, "UPDATE masa_log SET at = 1"), MST_E_CONFLICT);
	assert_int_equal(db_exec(w->db, "DELETE FROM masa_log"), MST_E_CONFLICT);
	assert_int_equal(db_exec(w->db, "UPDATE masa_voucher SET n = 9"), MST_E_CONFLICT);
	assert_int_equal(db_exec(w->db, "DELETE FROM masa_voucher"), MST_E_CONFLICT);
	assert_int_equal(masa_log_verify(w->db), MST_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_db, world_gone)

int
main(void)
{
	static struct CMUnitTest rows[FORGERIES];
	const struct CMUnitTest tests[] = {
		T(masa_device_every_field_comes_back),
		T(masa_device_twice_conflict),
		T(masa_device_same_serial_other_issuer),
		T(masa_device_unknown_not_found),
		T(masa_device_save_state_and_customer),
		T(masa_device_save_unknown_not_found),
		T(masa_device_save_unknown_customer_not_found),
		T(masa_device_list_pages),
		T(masa_customer_every_field_comes_back),
		T(masa_customer_put_again_edits),
		T(masa_customer_unknown_not_found),
		T(masa_log_every_field_comes_back_AUD_7),
		T(masa_log_nonceless_and_endless),
		T(masa_log_same_rvr_conflict_8_4),
		T(masa_log_unknown_device_not_found),
		T(masa_log_voucher_comes_back),
		T(masa_log_voucher_same_bytes_again),
		T(masa_log_voucher_other_bytes_conflict),
		T(masa_log_voucher_without_entry_not_found),
		T(masa_log_list_oldest_first),
		T(masa_log_verify_good_AUD_7),
		T(masa_log_cannot_be_changed_AUD_7),
	};
	size_t i;
	int failed;

	for (i = 0; i < FORGERIES; i++)
		rows[i] = (struct CMUnitTest){ forgeries[i].name, masa_log_forgery, world_db,
			world_gone, NULL };
	failed = cmocka_run_group_tests_name("store masa", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("store masa log forged", rows, NULL, NULL);
}

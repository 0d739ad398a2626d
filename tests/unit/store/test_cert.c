/* SPDX-License-Identifier: Apache-2.0 */
#include "support_store.h"

#include "server/store/store_cert.h"

/* A good order number n: each refusal below changes one thing of it. */
static struct cert_row
order(struct world *w, int n)
{
	return (struct cert_row){ .serial = serial_of(w, n),
		.profile = "device",
		.ca = "site",
		.subject = MST_LIT("subject"),
		.san = MST_LIT("san"),
		.spki = MST_LIT("spki"),
		.spki_sha256 = hash_of(w, 1000 + n),
		.order_key = hash_of(w, 2000 + n),
		.identity = "alice",
		.not_before = 100,
		.not_after = 200,
		.ordered_at = 99 };
}

static void
cert_order_every_field_comes_back(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got;

	c.device = some_device(w, w->db, "S");
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_not_equal(c.id, 0);
	assert_int_equal(cert_by_serial(w->db, w->a, serial_of(w, 1), &got), MST_OK);
	assert_int_equal(got.id, c.id);
	assert_int_equal(got.device, c.device);
	assert_string_equal(got.profile, "device");
	assert_string_equal(got.ca, "site");
	assert_true(mst_span_eq(got.subject, MST_LIT("subject")));
	assert_true(mst_span_eq(got.san, MST_LIT("san")));
	assert_true(mst_span_eq(got.spki, MST_LIT("spki")));
	assert_true(mst_span_eq(got.spki_sha256, c.spki_sha256));
	assert_true(mst_span_eq(got.order_key, c.order_key));
	assert_string_equal(got.identity, "alice");
	assert_int_equal(got.not_before, 100);
	assert_int_equal(got.not_after, 200);
	assert_int_equal(got.ordered_at, 99);
	assert_int_equal(got.issued_at, 0);
	assert_int_equal(got.revoked_at, 0);
	assert_int_equal(got.revoke_reason, -1);
	assert_int_equal(got.state, CERT_ORDERED);
	assert_null(got.der.ptr);
}

static void
cert_without_san_has_none(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got;

	c.san = MST_NONE;
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_by_serial(w->db, w->a, c.serial, &got), MST_OK);
	assert_null(got.san.ptr);
}

static void
cert_serial_twice_refused(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	d.serial = c.serial;
	assert_int_equal(cert_order(w->db, &d), MST_E_CA_SERIAL);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM cert"), 1);
}

static void
serial_shape(struct world *w, const char *bytes, size_t len, mst_err want)
{
	struct cert_row c = order(w, 1);

	c.serial = mst_span_of(bytes, len);
	assert_int_equal(cert_order(w->db, &c), want);
}

static void
cert_serial_15_bytes_refused(void **state)
{
	serial_shape(*state, "\x40zzzzzzzzzzzzzz", 15, MST_E_CA_SERIAL);
}

static void
cert_serial_20_bytes_accepted(void **state)
{
	serial_shape(*state, "\x40zzzzzzzzzzzzzzzzzzz", 20, MST_OK);
}

static void
cert_serial_21_bytes_refused_rfc5280_4_1_2_2(void **state)
{
	serial_shape(*state, "\x40zzzzzzzzzzzzzzzzzzzz", 21, MST_E_CA_SERIAL);
}

static void
cert_serial_negative_refused_rfc5280_4_1_2_2(void **state)
{
	serial_shape(*state, "\x80zzzzzzzzzzzzzzz", 16, MST_E_CA_SERIAL);
}

static void
cert_serial_leading_zero_refused(void **state)
{
	serial_shape(*state, "\x00zzzzzzzzzzzzzzz", 16, MST_E_CA_SERIAL);
}

static void
cert_key_of_same_device_accepted(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);

	c.device = d.device = some_device(w, w->db, "S");
	d.spki_sha256 = c.spki_sha256;
	d.identity = "the LDevID now";
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_OK);
}

static void
cert_key_of_other_device_refused_EST_2(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);

	c.device = some_device(w, w->db, "S");
	d.device = some_device(w, w->db, "T");
	d.spki_sha256 = c.spki_sha256;
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_E_CSR_KEY_REUSED);
}

static void
cert_key_of_device_for_identity_refused_EST_2(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);

	c.device = some_device(w, w->db, "S");
	d.spki_sha256 = c.spki_sha256;
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_E_CSR_KEY_REUSED);
}

static void
cert_key_of_same_identity_accepted(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);

	d.spki_sha256 = c.spki_sha256;
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_OK);
}

static void
cert_key_of_other_identity_refused_EST_2(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);

	d.spki_sha256 = c.spki_sha256;
	d.identity = "mallory";
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_E_CSR_KEY_REUSED);
}

/* The index sees 8 bytes; the rule sees all. */
static void
cert_key_equal_in_first_8_bytes_is_another(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2);
	uint8_t near[32];

	c.device = some_device(w, w->db, "S");
	d.device = some_device(w, w->db, "T");
	for (size_t i = 0; i < 32; i++)
		near[i] = i < 8 ? c.spki_sha256.ptr[i] : (uint8_t)~c.spki_sha256.ptr[i];
	d.spki_sha256 = mst_span_of(near, 32);
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_OK);
}

static void
cert_order_of_unknown_device_not_found(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1);

	c.device = 4711;
	assert_int_equal(cert_order(w->db, &c), MST_E_NOT_FOUND);
}

static void
cert_by_order_newest_C5(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2), got;

	d.order_key = c.order_key;
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_by_order(w->db, w->a, c.order_key, &got), MST_OK);
	assert_int_equal(got.id, c.id);
	assert_int_equal(cert_order(w->db, &d), MST_OK);
	assert_int_equal(cert_by_order(w->db, w->a, c.order_key, &got), MST_OK);
	assert_int_equal(got.id, d.id);
}

static void
cert_by_order_other_key_not_found(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got;
	uint8_t near[32];

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	for (size_t i = 0; i < 32; i++)
		near[i] = c.order_key.ptr[i];
	near[31] ^= 1;
	assert_int_equal(cert_by_order(w->db, w->a, mst_span_of(near, 32), &got), MST_E_NOT_FOUND);
}

static void
cert_issued_has_its_bytes(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got;

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("DER"), 120), MST_OK);
	assert_int_equal(cert_by_order(w->db, w->a, c.order_key, &got), MST_OK);
	assert_int_equal(got.state, CERT_ISSUED);
	assert_int_equal(got.issued_at, 120);
	assert_true(mst_span_eq(got.der, MST_LIT("DER")));
}

static void
cert_issued_again_same_bytes_is_the_same(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1);

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("DER"), 120), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("DER"), 121), MST_OK);
}

static void
cert_issued_again_other_bytes_conflict(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got;

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("DER"), 120), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("OTHER"), 121), MST_E_CONFLICT);
	assert_int_equal(cert_by_order(w->db, w->a, c.order_key, &got), MST_OK);
	assert_true(mst_span_eq(got.der, MST_LIT("DER")));
}

static void
cert_issued_without_order_not_found(void **state)
{
	struct world *w = *state;

	assert_int_equal(cert_issued(w->db, 5, MST_LIT("DER"), 120), MST_E_NOT_FOUND);
}

static void
cert_revoke_then_listed(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got, *rows;
	size_t n;

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("DER"), 120), MST_OK);
	assert_int_equal(cert_revoke(w->db, c.serial, 1, 150), MST_OK);
	assert_int_equal(cert_by_serial(w->db, w->a, c.serial, &got), MST_OK);
	assert_int_equal(got.state, CERT_REVOKED);
	assert_int_equal(got.revoked_at, 150);
	assert_int_equal(got.revoke_reason, 1);
	assert_true(mst_span_eq(got.der, MST_LIT("DER")));
	assert_int_equal(cert_revoked(w->db, w->a, "site", 200, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_true(mst_span_eq(rows[0].serial, c.serial));
	assert_int_equal(rows[0].revoked_at, 150);
	assert_int_equal(rows[0].revoke_reason, 1);
}

static void
cert_revoke_twice_conflict(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), got;

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_revoke(w->db, c.serial, 1, 150), MST_OK);
	assert_int_equal(cert_revoke(w->db, c.serial, 4, 160), MST_E_CONFLICT);
	assert_int_equal(cert_by_serial(w->db, w->a, c.serial, &got), MST_OK);
	assert_int_equal(got.revoke_reason, 1);
}

static void
cert_revoke_unknown_not_found(void **state)
{
	struct world *w = *state;

	assert_int_equal(cert_revoke(w->db, serial_of(w, 9), 1, 150), MST_E_NOT_FOUND);
}

static void
cert_revoked_leaves_out_expired_rfc5280_3_3(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), *rows;
	size_t n;

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_revoke(w->db, c.serial, 1, 150), MST_OK);
	assert_int_equal(cert_revoked(w->db, w->a, "site", 201, &rows, &n), MST_OK);
	assert_int_equal(n, 0);
}

static void
cert_revoked_is_per_ca(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), *rows;
	size_t n;

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_revoke(w->db, c.serial, 1, 150), MST_OK);
	assert_int_equal(cert_revoked(w->db, w->a, "other", 100, &rows, &n), MST_OK);
	assert_int_equal(n, 0);
}

static void
cert_rows_newest_first_in_pages(void **state)
{
	struct world *w = *state;
	struct cert_row c, *rows;
	int64_t before = 0, last = INT64_MAX;
	size_t n, total = 0;
	int i;

	for (i = 0; i < 25; i++) {
		c = order(w, i);
		assert_int_equal(cert_order(w->db, &c), MST_OK);
	}
	do {
		assert_int_equal(cert_rows(w->db, w->a, 0, before, 10, &rows, &n), MST_OK);
		for (i = 0; i < (int)n; i++) {
			assert_true(rows[i].id < last);
			last = rows[i].id;
		}
		total += n;
		before = last;
	} while (n != 0);
	assert_int_equal(total, 25);
}

static void
cert_rows_of_one_device(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1), d = order(w, 2), *rows;
	size_t n;

	c.device = some_device(w, w->db, "S");
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_order(w->db, &d), MST_OK);
	assert_int_equal(cert_rows(w->db, w->a, c.device, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].id, c.id);
}

static void
cert_rows_cannot_be_changed(void **state)
{
	struct world *w = *state;
	struct cert_row c = order(w, 1);

	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, MST_LIT("DER"), 120), MST_OK);
	assert_int_equal(cert_revoke(w->db, c.serial, 1, 150), MST_OK);
	assert_int_equal(db_exec(w->db, "UPDATE cert SET ca = 'x'"), MST_E_CONFLICT);
	assert_int_equal(db_exec(w->db, "UPDATE cert_issue SET der = x'00'"), MST_E_CONFLICT);
	assert_int_equal(db_exec(w->db, "DELETE FROM cert_revocation"), MST_E_CONFLICT);
}

static void
crl_latest_is_the_highest(void **state)
{
	struct world *w = *state;
	struct crl_row c = { 1, 10, 20, MST_LIT("one") }, d = { 5, 15, 25, MST_LIT("five") }, got;

	assert_int_equal(crl_latest(w->db, w->a, "site", &got), MST_E_NOT_FOUND);
	assert_int_equal(crl_put(w->db, "site", &c), MST_OK);
	assert_int_equal(crl_put(w->db, "site", &d), MST_OK);
	assert_int_equal(crl_latest(w->db, w->a, "site", &got), MST_OK);
	assert_int_equal(got.number, 5);
	assert_int_equal(got.this_update, 15);
	assert_int_equal(got.next_update, 25);
	assert_true(mst_span_eq(got.der, MST_LIT("five")));
	assert_int_equal(crl_latest(w->db, w->a, "other", &got), MST_E_NOT_FOUND);
}

static void
crl_number_must_grow_rfc5280_5_2_3(void **state)
{
	struct world *w = *state;
	struct crl_row c = { 5, 10, 20, MST_LIT("five") };

	assert_int_equal(crl_put(w->db, "site", &c), MST_OK);
	assert_int_equal(crl_put(w->db, "site", &c), MST_E_CONFLICT);
	c.number = 4;
	assert_int_equal(crl_put(w->db, "site", &c), MST_E_CONFLICT);
	assert_int_equal(crl_put(w->db, "other", &c), MST_OK);
}

static void
crl_keeps_32(void **state)
{
	struct world *w = *state;
	struct crl_row c = { 0, 10, 20, MST_LIT("crl") };

	for (c.number = 1; c.number <= 40; c.number++)
		assert_int_equal(crl_put(w->db, "site", &c), MST_OK);
	assert_int_equal(ask(w->db, "SELECT count(*) FROM crl"), 32);
	assert_int_equal(ask(w->db, "SELECT min(number) FROM crl"), 9);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_db, world_gone)

/* Orders n of an owner: certificates that may be revoked. */
static struct cert_row
held(struct world *w, int n, int64_t device, const char *identity, const char *ca, int64_t at)
{
	struct cert_row c = order(w, n);

	c.device = device;
	c.identity = identity;
	c.ca = ca;
	c.ordered_at = at;
	assert_int_equal(cert_order(w->db, &c), MST_OK);
	assert_int_equal(cert_issued(w->db, c.id, serial_of(w, n), at), MST_OK);
	return c;
}

static int
reason_of(struct world *w, int n)
{
	struct cert_row got;

	assert_int_equal(cert_by_serial(w->db, w->a, serial_of(w, n), &got), MST_OK);
	return got.state == CERT_REVOKED ? got.revoke_reason : -1;
}

static void
cert_revoke_owner_takes_all_of_a_device_and_no_more_A4(void **state)
{
	struct world *w = *state;
	int64_t d = some_device(w, w->db, "S"), other = some_device(w, w->db, "T");
	struct cert_row waiting = order(w, 4);
	size_t n;

	(void)held(w, 1, d, "x", "", 10);
	(void)held(w, 2, d, "x", "lab", 20);
	(void)held(w, 3, other, "x", "", 20);
	waiting.device = d;
	assert_int_equal(cert_order(w->db, &waiting), MST_OK);
	(void)held(w, 5, 0, "x", "", 20);
	assert_int_equal(cert_revoke(w->db, serial_of(w, 2), 5, 30), MST_OK);
	assert_int_equal(
	    cert_revoke_owner(w->db, &(struct cert_owner){ .device = d }, 0, 1, 40, &n), MST_OK);
	assert_int_equal(n, 2);
	assert_int_equal(reason_of(w, 1), 1);
	assert_int_equal(reason_of(w, 2), 5); /* as it was */
	assert_int_equal(reason_of(w, 3), -1);
	assert_int_equal(reason_of(w, 4), 1); /* nor is what waits signed any more */
	assert_int_equal(reason_of(w, 5), -1);
	assert_int_equal(
	    cert_revoke_owner(w->db, &(struct cert_owner){ .device = d }, 0, 1, 40, &n), MST_OK);
	assert_int_equal(n, 0);
}

static void
cert_revoke_owner_takes_all_of_a_plain_client_A4(void **state)
{
	struct world *w = *state;
	struct cert_owner alice = { 0, "basic:alice" };
	struct cert_row kept;
	size_t n;

	(void)held(w, 1, 0, "basic:alice", "", 10);
	kept = held(w, 2, 0, "basic:alice", "lab", 10);
	(void)held(w, 3, 0, "basic:alicia", "", 10);
	(void)held(w, 4, some_device(w, w->db, "S"), "basic:alice", "", 10);
	assert_int_equal(cert_revoke_owner(w->db, &alice, kept.id, 0, 40, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(cert_revoke_owner(w->db, &alice, 0, 0, 201, &n), MST_OK);
	assert_int_equal(n, 0); /* it has ended */
	assert_int_equal(cert_revoke_owner(w->db, &alice, 0, 0, 200, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(reason_of(w, 3), -1);
	assert_int_equal(reason_of(w, 4), -1);
}

static void
cert_supersede_is_of_this_ca_or_before_the_voucher_SEC_3(void **state)
{
	struct world *w = *state;
	int64_t d = some_device(w, w->db, "S");
	struct cert_row now;
	size_t n;

	(void)held(w, 1, d, "x", "", 50);
	(void)held(w, 2, d, "x", "lab", 49);
	(void)held(w, 3, d, "x", "lab", 50);
	now = held(w, 4, d, "x", "", 60);
	assert_int_equal(cert_supersede(w->db, d, "", now.id, 50, 60, &n), MST_OK);
	assert_int_equal(n, 2);
	assert_int_equal(reason_of(w, 1), 4);
	assert_int_equal(reason_of(w, 2), 4);
	assert_int_equal(reason_of(w, 3), -1);
	assert_int_equal(reason_of(w, 4), -1);
}

static void
cert_revoked_since_is_per_ca_and_to_the_second(void **state)
{
	struct world *w = *state;
	bool yes;

	(void)held(w, 1, 0, "x", "lab", 10);
	assert_int_equal(cert_revoke(w->db, serial_of(w, 1), 0, 30), MST_OK);
	assert_int_equal(cert_revoked_since(w->db, "lab", 30, &yes), MST_OK);
	assert_true(yes);
	assert_int_equal(cert_revoked_since(w->db, "lab", 31, &yes), MST_OK);
	assert_false(yes);
	assert_int_equal(cert_revoked_since(w->db, "", 0, &yes), MST_OK);
	assert_false(yes);
}

static void
barred_comes_back_and_goes_A4(void **state)
{
	struct world *w = *state;
	struct barred b = { .owner = "basic:alice", .at = 7, .by = "root", .reason = "lost" },
	              *rows;
	size_t n;
	bool yes;

	assert_int_equal(barred_find(w->db, "basic:alice", &yes), MST_OK);
	assert_false(yes);
	assert_int_equal(barred_add(w->db, &b), MST_OK);
	assert_int_equal(barred_add(w->db, &b), MST_E_CONFLICT);
	assert_int_equal(barred_find(w->db, "basic:alice", &yes), MST_OK);
	assert_true(yes);
	assert_int_equal(barred_find(w->db, "basic:Alice", &yes), MST_OK);
	assert_false(yes);
	assert_int_equal(barred_list(w->db, w->a, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].owner, "basic:alice");
	assert_string_equal(rows[0].by, "root");
	assert_string_equal(rows[0].reason, "lost");
	assert_int_equal(rows[0].at, 7);
	assert_int_equal(barred_delete(w->db, "basic:alice"), MST_OK);
	assert_int_equal(barred_delete(w->db, "basic:alice"), MST_E_NOT_FOUND);
	assert_int_equal(barred_find(w->db, "basic:alice", &yes), MST_OK);
	assert_false(yes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(cert_order_every_field_comes_back),
		T(cert_without_san_has_none),
		T(cert_serial_twice_refused),
		T(cert_serial_15_bytes_refused),
		T(cert_serial_20_bytes_accepted),
		T(cert_serial_21_bytes_refused_rfc5280_4_1_2_2),
		T(cert_serial_negative_refused_rfc5280_4_1_2_2),
		T(cert_serial_leading_zero_refused),
		T(cert_key_of_same_device_accepted),
		T(cert_key_of_other_device_refused_EST_2),
		T(cert_key_of_device_for_identity_refused_EST_2),
		T(cert_key_of_same_identity_accepted),
		T(cert_key_of_other_identity_refused_EST_2),
		T(cert_key_equal_in_first_8_bytes_is_another),
		T(cert_order_of_unknown_device_not_found),
		T(cert_by_order_newest_C5),
		T(cert_by_order_other_key_not_found),
		T(cert_issued_has_its_bytes),
		T(cert_issued_again_same_bytes_is_the_same),
		T(cert_issued_again_other_bytes_conflict),
		T(cert_issued_without_order_not_found),
		T(cert_revoke_then_listed),
		T(cert_revoke_twice_conflict),
		T(cert_revoke_unknown_not_found),
		T(cert_revoked_leaves_out_expired_rfc5280_3_3),
		T(cert_revoked_is_per_ca),
		T(cert_rows_newest_first_in_pages),
		T(cert_rows_of_one_device),
		T(cert_rows_cannot_be_changed),
		T(crl_latest_is_the_highest),
		T(crl_number_must_grow_rfc5280_5_2_3),
		T(crl_keeps_32),
		T(cert_revoke_owner_takes_all_of_a_device_and_no_more_A4),
		T(cert_revoke_owner_takes_all_of_a_plain_client_A4),
		T(cert_supersede_is_of_this_ca_or_before_the_voucher_SEC_3),
		T(cert_revoked_since_is_per_ca_and_to_the_second),
		T(barred_comes_back_and_goes_A4),
	};

	return cmocka_run_group_tests_name("store cert", tests, NULL, NULL);
}

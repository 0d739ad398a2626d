/* SPDX-License-Identifier: Apache-2.0 */
/* Orders over a real store and a real key process: repeats, crashes, refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/ca/world.h"

static const uint8_t san_uri[] = { 0x30, 0x05, 0x86, 0x03, 'u', ':', 'x' };

static void
order_is_issued_stored_and_verifies(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o);
	struct cert_row row;

	(void)state;
	assert_int_equal(a.e, MST_OK);
	assert_verifies(a.der, "root", NULL);
	assert_int_equal(cert_by_serial(store_reader(store), arena, a.row.serial, &row), MST_OK);
	assert_int_equal(row.state, CERT_ISSUED);
	assert_true(mst_span_eq(row.der, a.der));
	assert_true(mst_span_eq(row.spki, o.spki));
	assert_string_equal(row.profile, "device");
}

static void
same_order_gets_the_same_certificate_C5(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), b = issue(&o);

	(void)state;
	assert_int_equal(b.e, MST_OK);
	assert_true(mst_span_eq(a.der, b.der));
}

static void
same_order_gets_the_same_certificate_after_a_restart_C5(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), b;

	(void)state;
	close_ca();
	open_ca();
	b = issue(&o);
	assert_true(mst_span_eq(a.der, b.der));
}

static void
orders_in_flight_share_one_run_C5(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a[10] = { 0 };
	struct cert_row *rows;
	size_t count;

	(void)state;
	for (int i = 0; i < 10; i++)
		ca_issue(cal, &o, on_issued, &a[i]);
	for (int i = 0; i < 10; i++) {
		wait_for(&a[i].calls, 1);
		assert_int_equal(a[i].e, MST_OK);
		assert_true(mst_span_eq(a[i].der, a[0].der));
	}
	assert_int_equal(cert_rows(store_reader(store), arena, 0, 0, 100, &rows, &count), MST_OK);
	assert_int_equal(count, 1);
}

static void
same_order_on_two_loops_is_one_certificate_C5(void **state)
{
	struct ca_host host = { loop.base, loop_post, NULL, loop_after, loop_cancel };
	struct ca_order o = order("dev1");
	struct answer a = { 0 }, b = { 0 };
	struct ca_loop *other;

	(void)state;
	assert_int_equal(ca_loop_new(ca, &host, &other), MST_OK);
	ca_issue(cal, &o, on_issued, &a);
	ca_issue(other, &o, on_issued, &b);
	wait_for(&a.calls, 1);
	wait_for(&b.calls, 1);
	assert_int_equal(a.e, MST_OK);
	assert_int_equal(b.e, MST_OK);
	assert_true(mst_span_eq(a.der, b.der));
	ca_loop_free(other);
}

/* A crash between ORDERED and the signature leaves such a row. */
static uint8_t crash_serial[16] = { 0x55, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static mst_err
insert_ordered(struct db *db, void *arg)
{
	const struct ca_order *o = arg;
	uint8_t hash[32];
	struct cert_row row = { .serial = { crash_serial, 16 },
		.profile = "device",
		.ca = "",
		.subject = o->subject,
		.san = o->san,
		.spki = o->spki,
		.order_key = o->order_key,
		.identity = o->identity,
		.not_before = clock_wall() - 100,
		.not_after = clock_wall() + 5000,
		.ordered_at = clock_wall(),
		.revoke_reason = -1 };

	SHA256(o->spki.ptr, o->spki.len, hash);
	row.spki_sha256 = mst_span_of(hash, 32);
	return cert_order(db, &row);
}

static void
crash_between_ordered_and_issued_is_continued_D21(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a;
	struct cert_row row;
	int64_t end;

	(void)state;
	assert_int_equal(store_write_wait(store, insert_ordered, &o), MST_OK);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	end = row.not_after;
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_true(mst_span_eq(a.row.serial, mst_span_of(crash_serial, 16)));
	assert_int_equal(a.row.not_after, end);
	assert_verifies(a.der, "root", NULL);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	assert_int_equal(row.state, CERT_ISSUED);
}

static void
expired_certificate_makes_a_repeat_a_new_order(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = issue(&o), b;

	(void)state;
	clock_set(clock_wall() + 100 * DAY);
	b = issue(&o);
	assert_int_equal(b.e, MST_OK);
	assert_false(mst_span_eq(a.row.serial, b.row.serial));
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void
thousand_orders_have_thousand_serials(void **state)
{
	static struct answer a[1000];
	static uint8_t serials[1000][16];
	struct ca_order o = order("dev");
	char name[32];

	(void)state;
	memset(a, 0, sizeof a);
	for (int i = 0; i < 1000; i++) {
		uint8_t hash[32];

		snprintf(name, sizeof name, "dev-%d", i);
		SHA256((const uint8_t *)name, strlen(name), hash);
		o.order_key = mst_span_of(hash, 32);
		ca_issue(cal, &o, on_issued, &a[i]);
	}
	for (int i = 0; i < 1000; i++) {
		wait_for(&a[i].calls, 1);
		assert_int_equal(a[i].e, MST_OK);
		assert_int_equal(a[i].row.serial.len, 16);
		memcpy(serials[i], a[i].row.serial.ptr, 16);
	}
	qsort(serials, 1000, 16, by_bytes);
	for (int i = 1; i < 1000; i++)
		assert_memory_not_equal(serials[i - 1], serials[i], 16);
}

static void
lifetime_is_the_profiles_or_the_shorter_one_asked_for(void **state)
{
	struct ca_order o = order("dev1"), p = order("dev2");
	struct answer a = issue(&o), b;

	(void)state;
	assert_int_equal(a.row.not_after - a.row.not_before, 90 * DAY);
	p.seconds = 3600;
	b = issue(&p);
	assert_int_equal(b.row.not_after - b.row.not_before, 3600);
	p = order("dev3");
	p.seconds = 900 * DAY;
	b = issue(&p);
	assert_int_equal(b.row.not_after - b.row.not_before, 90 * DAY);
}

static void
certificate_ends_with_its_issuer(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a;
	X509 *x, *root = tpki_cert("root");

	(void)state;
	o.profile = "endless";
	o.san = MST_NONE;
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_int_equal(cert_parse(a.der, &x), MST_OK);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(root)), 0);
	X509_free(x);
	X509_free(root);
}

static mst_err
also_fails(struct db *db, const struct cert_row *row, void *arg)
{
	(void)db;
	assert_int_equal(row->state, CERT_ISSUED);
	++*(int *)arg;
	return MST_E_CONFLICT;
}

static void
rows_that_belong_to_it_are_in_the_same_transaction(void **state)
{
	struct ca_order o = order("dev1");
	struct cert_row row;
	struct answer a;
	int calls = 0;

	(void)state;
	o.also = also_fails;
	o.also_arg = &calls;
	a = issue(&o);
	assert_int_equal(a.e, MST_E_CONFLICT);
	assert_int_equal(calls, 1);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	assert_int_equal(row.state, CERT_ORDERED); /* undone with it */
	o.also = NULL;
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_true(mst_span_eq(a.row.serial, row.serial));
}

/* --- refusals --- */

struct row {
	void (*change)(struct ca_order *);
	mst_err want;
};
#define CHANGE(fn) static void fn(struct ca_order *o)
CHANGE(label_unknown)
{
	o->label = "nosuch";
}
CHANGE(profile_unknown)
{
	o->profile = "nosuch";
}
CHANGE(san_of_kind_not_allowed)
{
	o->san = mst_span_of(san_uri, sizeof san_uri);
}
CHANGE(san_where_none_is_allowed)
{
	o->profile = "nosan";
}
CHANGE(san_garbage)
{
	o->san = MST_LIT("\x30\x05xx");
}
CHANGE(key_weak)
{
	o->spki = arena_dup(arena, tpki_spki("P-224"));
}
CHANGE(key_garbage)
{
	o->spki = MST_LIT("0");
}
CHANGE(subject_garbage)
{
	o->subject = MST_LIT("\x30\x01");
}
CHANGE(subject_absent)
{
	o->subject = MST_NONE;
}

static void
refused(void **state)
{
	const struct row *r = *state;
	struct ca_order o;
	struct answer a;

	setup(NULL);
	o = order("dev1");
	r->change(&o);
	a = issue(&o);
	if (a.e != r->want)
		fail_msg("%s, wanted %s", mst_err_info(a.e)->name, mst_err_info(r->want)->name);
	o = order("dev2");
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	teardown(NULL);
}

static void
key_certified_for_another_is_refused_EST_2(void **state)
{
	struct ca_order o = order("dev1"), p = order("dev2");
	struct answer a = issue(&o);

	(void)state;
	assert_int_equal(a.e, MST_OK);
	p.spki = o.spki;
	p.identity = "someone else";
	a = issue(&p);
	assert_int_equal(a.e, MST_E_CSR_KEY_REUSED);
}

static void
dead_key_process_is_said_and_order_is_kept(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a;
	struct cert_row row;

	(void)state;
	kill(keys_pid(keys), SIGKILL);
	a = issue(&o);
	assert_int_equal(a.e, MST_E_KEY_GONE);
	assert_int_equal(cert_by_order(store_reader(store), arena, o.order_key, &row), MST_OK);
	assert_int_equal(row.state, CERT_ORDERED);
	close_ca(); /* the daemon ends and is started again */
	keys_stop(keys);
	start_keys();
	open_ca();
	a = issue(&o);
	assert_int_equal(a.e, MST_OK);
	assert_true(mst_span_eq(a.row.serial, row.serial));
}

static void
closing_under_way_ends_orders_with_an_error(void **state)
{
	struct ca_order o = order("dev1");
	struct answer a = { 0 };

	(void)state;
	ca_issue(cal, &o, on_issued, &a);
	close_ca();
	assert_int_equal(a.calls, 1);
	assert_int_not_equal(a.e, MST_OK);
}

#define GOOD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define ROW(fn, err)                                                                               \
	{                                                                                          \
		"refused: " #fn " -> " #err, refused, NULL, NULL, &(struct row)                    \
		{                                                                                  \
			fn, MST_E_##err                                                            \
		}                                                                                  \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		GOOD(order_is_issued_stored_and_verifies),
		GOOD(same_order_gets_the_same_certificate_C5),
		GOOD(same_order_gets_the_same_certificate_after_a_restart_C5),
		GOOD(orders_in_flight_share_one_run_C5),
		GOOD(same_order_on_two_loops_is_one_certificate_C5),
		GOOD(crash_between_ordered_and_issued_is_continued_D21),
		GOOD(expired_certificate_makes_a_repeat_a_new_order),
		GOOD(thousand_orders_have_thousand_serials),
		GOOD(lifetime_is_the_profiles_or_the_shorter_one_asked_for),
		GOOD(certificate_ends_with_its_issuer),
		GOOD(rows_that_belong_to_it_are_in_the_same_transaction),
		ROW(label_unknown, EST_LABEL),
		ROW(profile_unknown, CA_PROFILE),
		ROW(san_of_kind_not_allowed, CSR_SAN),
		ROW(san_where_none_is_allowed, CSR_SAN),
		ROW(san_garbage, CSR_SAN),
		ROW(key_weak, CSR_KEY),
		ROW(key_garbage, CSR_KEY),
		ROW(subject_garbage, CSR_SUBJECT),
		ROW(subject_absent, CSR_SUBJECT),
		GOOD(key_certified_for_another_is_refused_EST_2),
		GOOD(dead_key_process_is_said_and_order_is_kept),
		GOOD(closing_under_way_ends_orders_with_an_error),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

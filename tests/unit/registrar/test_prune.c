/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and vouchers are kept for exchange_days, and not for ever. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <time.h>

#include "server/registrar/room.h"
#include "server/store/db.h"
#include "tests/unit/registrar/support_site.h"

#define N(x) "bm9uY2Ugb2YgdGVzdCAwM" x
#define DAYS 90

static mst_err
age(struct db *db, void *arg)
{
	int64_t days = *(int64_t *)arg;
	char sql[128];

	snprintf(sql, sizeof sql,
	    "UPDATE exchange SET created = created - %lld, answered = answered - %lld",
	    (long long)days * 86400, (long long)days * 86400);
	return db_exec(db, sql);
}

static void
begin(void *arg)
{
	(void)arg;
	registrar_prune(site.registrar_role);
}

/* One round; how many are left of this device's. */
static size_t
left_after_round(const char *serial)
{
	struct exchange x;
	size_t n = 1;

	net_post(net_loop_at(site.net, 0), begin, NULL);
	for (int i = 0; i < 200 && n != 0; i++) {
		site_sleep_ms(10);
		n = site_exchanges(serial, &x);
	}
	return n;
}

static void
old_exchange_goes_and_the_trail_stays(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("PA="));
	int64_t days = DAYS + 1;
	struct trail *rows;
	struct exchange x;
	size_t n;
	int calls;

	(void)state;
	assert_int_equal(site_ask(d, pvr).status, 200);
	site.registrar_role->c.exchange_days = DAYS;
	site_write(age, &days);
	calls = atomic_load(&site.calls);
	assert_int_equal(left_after_round(serial), 0);
	assert_int_equal(
	    trail_list(store_reader(site.store), site.a, site_row(serial).id, 0, 100, &rows, &n),
	    MST_OK);
	assert_true(n >= 3);
	/* the same bytes are a new request by now, and the MASA is asked anew */
	assert_int_equal(site_ask(d, pvr).status, 200);
	assert_int_equal(atomic_load(&site.calls), calls + 1);
	assert_int_equal(site_exchanges(serial, &x), 1);
	site.registrar_role->c.exchange_days = 0;
}

/* 8.2 step 9 within the time: the same bytes get the same voucher, and the MASA hears nothing. */
static void
young_exchange_is_repeated_8_2_9(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("PB="));
	int64_t days = DAYS - 1;
	struct got one, two;
	struct exchange x;
	int calls;

	(void)state;
	one = site_ask(d, pvr);
	assert_int_equal(one.status, 200);
	site.registrar_role->c.exchange_days = DAYS;
	site_write(age, &days);
	net_post(net_loop_at(site.net, 0), begin, NULL);
	site_sleep_ms(300);
	assert_int_equal(site_exchanges(serial, &x), 1);
	calls = atomic_load(&site.calls);
	two = site_ask(d, pvr);
	assert_int_equal(two.status, 200);
	assert_true(mst_span_eq(one.body, two.body));
	assert_int_equal(atomic_load(&site.calls), calls);
	site.registrar_role->c.exchange_days = 0;
}

static void
zero_days_keep_everything(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	int64_t days = 40 * DAYS;
	struct exchange x;

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("PC="))).status, 200);
	site_write(age, &days);
	net_post(net_loop_at(site.net, 0), begin, NULL);
	site_sleep_ms(300);
	assert_int_equal(site_exchanges(serial, &x), 1);
}

static int
setup(void **state)
{
	(void)state;
	site_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_exchange_goes_and_the_trail_stays),
		cmocka_unit_test(young_exchange_is_repeated_8_2_9),
		cmocka_unit_test(zero_days_keep_everything),
	};

	return cmocka_run_group_tests_name("exchanges in time", tests, setup, teardown);
}

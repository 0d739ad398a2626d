/* SPDX-License-Identifier: Apache-2.0 */
/* Pledges that begin a handshake and leave it: JP-U2, JP-U5. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <unistd.h>

#include "tests/unit/net/support_jpy.h"

/* What the listener sends to a pledge that is through. */
#define FINISHED MST_LIT("\x16\xfe\xfd\0\x01\0\0\0\0\0\0\0\x09 sealed")
#define YIELD_MS 50

/* 32 handshakes begun every 30 s and left held 200 places for six minutes each. */
static void
JP_U5_handshakes_that_do_not_end_give_way(void **state)
{
	struct site s = { 0 };
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ .per_proxy = 2, .yield_ms = YIELD_MS });
	proxy = proxy_at(&s, "127.0.0.1");
	join(&s, proxy, MST_LIT("1"));
	join(&s, proxy, MST_LIT("2"));
	usleep(2 * YIELD_MS * 1000);
	join(&s, proxy, MST_LIT("3"));
	close(proxy);
	site_end(&s);
}

static void
JP_U5_handshakes_that_do_not_end_give_way_in_total(void **state)
{
	struct site s = { 0 };
	int one, two;

	(void)state;
	site_begin(&s, (struct jpy_config){ .connections = 2, .yield_ms = YIELD_MS });
	one = proxy_at(&s, "127.0.0.1");
	two = proxy_at(&s, "127.0.0.2");
	join(&s, one, MST_LIT("1"));
	join(&s, one, MST_LIT("2"));
	usleep(2 * YIELD_MS * 1000);
	join(&s, two, MST_LIT("3"));
	close(one);
	close(two);
	site_end(&s);
}

/* Nor do they stay by going on to send something or other. */
static void
JP_U5_noise_does_not_keep_a_place(void **state)
{
	struct site s = { 0 };
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ .per_proxy = 1, .yield_ms = YIELD_MS });
	proxy = proxy_at(&s, "127.0.0.1");
	join(&s, proxy, MST_LIT("1"));
	usleep(2 * YIELD_MS * 1000);
	say(proxy, MST_LIT("1"), MST_LIT("noise"));
	hear(&s, MST_LIT("noise"));
	join(&s, proxy, MST_LIT("2"));
	close(proxy);
	site_end(&s);
}

static void
JP_U5_a_session_does_not_give_way(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_proxy");
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ .per_proxy = 2, .yield_ms = YIELD_MS });
	proxy = proxy_at(&s, "127.0.0.1");
	join_with(&s, proxy, MST_LIT("1"), FINISHED);
	join_with(&s, proxy, MST_LIT("2"), FINISHED);
	usleep(2 * YIELD_MS * 1000);
	say(proxy, MST_LIT("3"), HELLO);
	until_dropped("jpy.limit_proxy", before, 1);
	assert_true(silent(s.listener));
	close(proxy);
	site_end(&s);
}

/* Nor does another proxy's, nor one within its handshake that has just been heard of. */
static void
JP_U5_who_is_shaking_hands_now_does_not_give_way(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_proxy");
	int proxy, other;

	(void)state;
	site_begin(&s, (struct jpy_config){ .per_proxy = 1, .yield_ms = 60000 });
	proxy = proxy_at(&s, "127.0.0.1");
	other = proxy_at(&s, "127.0.0.2");
	join(&s, other, MST_LIT("1"));
	join(&s, proxy, MST_LIT("2"));
	say(proxy, MST_LIT("3"), HELLO);
	until_dropped("jpy.limit_proxy", before, 1);
	assert_true(silent(s.listener));
	close(proxy);
	close(other);
	site_end(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(JP_U5_handshakes_that_do_not_end_give_way),
		cmocka_unit_test(JP_U5_handshakes_that_do_not_end_give_way_in_total),
		cmocka_unit_test(JP_U5_noise_does_not_keep_a_place),
		cmocka_unit_test(JP_U5_a_session_does_not_give_way),
		cmocka_unit_test(JP_U5_who_is_shaking_hands_now_does_not_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

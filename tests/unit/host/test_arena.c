/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "host/arena.h"
#include "host/clock.h"

static void
zeroed_and_aligned(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t n = 0; n < 40000; n = n * 2 + 1) {
		uint8_t *p = arena_alloc(a, n);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	assert_null(arena_alloc(a, SIZE_MAX));
	arena_free(a);
	arena_free(NULL);
}

static void
the_limit_holds(void **state)
{
	struct arena *a = arena_new(64 * 1024);
	size_t got = 0;

	(void)state;
	while (arena_alloc(a, 1000) != NULL)
		got += 1000;
	assert_true(got > 40 * 1024 && got <= 64 * 1024);
	assert_int_equal(arena_buf(a, 100000).cap, 0);
	arena_free(a);
}

static unsigned order;
static unsigned freed[2];

static void
note(void *p)
{
	freed[*(unsigned *)p] = ++order;
}

static void
owned_things_go_last_first(void **state)
{
	struct arena *a = arena_new(0), *full = arena_new(1);
	static unsigned zero = 0, one = 1;

	(void)state;
	order = 0;
	assert_ptr_equal(arena_own(a, &zero, note), &zero);
	assert_ptr_equal(arena_own(a, &one, note), &one);
	assert_null(arena_own(a, NULL, note));
	assert_int_equal(order, 0);
	arena_free(a);
	assert_int_equal(freed[1], 1);
	assert_int_equal(freed[0], 2);
	/* no room to remember it: freed at once */
	assert_null(arena_own(full, &one, note));
	assert_int_equal(freed[1], 3);
	arena_free(full);
}

static void
texts(void **state)
{
	struct arena *a = arena_new(0);
	mst_span s = arena_dup(a, MST_LIT("abc"));

	(void)state;
	assert_int_equal(s.len, 3);
	assert_int_equal(s.ptr[3], 0);
	assert_null(arena_dup(a, MST_NONE).ptr);
	assert_non_null(arena_dup(a, MST_LIT("")).ptr);
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	arena_free(a);
}

static void
clock_before_the_build_is_untrusted(void **state)
{
	(void)state;
	clock_set(1000);
	assert_int_equal(clock_wall(), 1000);
	assert_int_equal(clock_now().trust, MST_CLOCK_UNTRUSTED);
	clock_set(INT64_C(4102444800));
	assert_int_equal(clock_now().trust, MST_CLOCK_TRUSTED);
	assert_int_equal(clock_now().now, INT64_C(4102444800));
	clock_set(INT64_MIN);
	assert_int_equal(clock_now().trust, MST_CLOCK_TRUSTED);
	assert_true(clock_mono_us() <= clock_mono_us());
	assert_true(clock_mono() >= 0);
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
	const struct CMUnitTest tests[] = {
		T("arena: zeroed and aligned", zeroed_and_aligned),
		T("arena: the limit holds", the_limit_holds),
		T("arena: owned things go last first", owned_things_go_last_first),
		T("arena: texts", texts),
		T("CLK-2 a clock before the build date", clock_before_the_build_is_untrusted),
	};

	return cmocka_run_group_tests_name("arena and clock", tests, NULL, NULL);
}

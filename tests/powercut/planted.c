/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device with a bug in it, which planted.cmake has put there: the schedules of
 * make check must find it, or they prove nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "powercut/plan.h"

static bool
caught_by_cuts(uint64_t *tried)
{
	for (unsigned filled = 0; filled < 16; filled += 3) {
		for (unsigned i = 0; i < device_geometry_count * SCENARIOS * STARTS; i++) {
			struct plan_case c = { i % device_geometry_count,
				(enum scenario)(i / device_geometry_count % SCENARIOS),
				(enum start)(i / device_geometry_count / SCENARIOS), filled, 1 };

			if (!plan_run(&c, MST_TORTURE_PAIRS, 1u << MST_NOR_CUT | 1u << MST_NOR_FAIL,
			        997, tried))
				return true;
		}
	}
	return false;
}

static bool
caught_by_bad_sectors(uint64_t *tried)
{
	for (unsigned i = 0; i < BADS * 2 * 20; i++) {
		struct plan_case c = { 0, UPDATE, START_FACTORY, 9, 1 + i / (BADS * 2) };

		if (!plan_run_bad(&c, (enum plan_bad)(i % BADS), i / BADS % 2, tried))
			return true;
	}
	return false;
}

static void
planted_bug_is_caught(void **state)
{
	uint64_t tried = 0;
	bool caught = caught_by_bad_sectors(&tried) || caught_by_cuts(&tried);

	(void)state;
	printf("planted %s: %s after %" PRIu64 " schedules\n", PLANTED,
	    caught ? "caught" : "NOT CAUGHT", tried);
	assert_true(caught);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "SUIT-13.5 planted bug is caught: " PLANTED, planted_bug_is_caught, NULL, NULL,
		    NULL },
	};

	return cmocka_run_group_tests_name("planted", tests, NULL, NULL);
}

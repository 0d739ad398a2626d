/* SPDX-License-Identifier: Apache-2.0 */
/* muster doctor: what it says where there is no daemon. The whole is tried by the demo's world. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "unit/cli/support_run.h"

static const json_t *
line_of(const json_t *list, const char *check)
{
	size_t i;
	json_t *k;

	json_array_foreach(list, i, k)
	{
		if (strcmp(json_string_value(json_object_get(k, "check")), check) == 0)
			return k;
	}
	fail_msg("no line %s", check);
	return NULL;
}

static void
clock_is_judged_CLK_2(void **state)
{
	(void)state;
	json_t *j = ran_json(RUN("doctor", "--config", "/nonexistent/muster.conf", "--json"));

	assert_string_equal(
	    json_string_value(json_object_get(line_of(j, "clock"), "health")), "ok");
	json_decref(j);
}

static void
missing_configuration_fails(void **state)
{
	(void)state;
	struct ran *r = RUN("doctor", "--config", "/nonexistent/muster.conf", "--json");
	json_t *j = ran_json(r);

	assert_int_equal(r->code, CLI_FAILED);
	assert_string_equal(
	    json_string_value(json_object_get(line_of(j, "configuration"), "health")), "FAIL");
	assert_non_null(json_string_value(json_object_get(line_of(j, "configuration"), "next")));
	json_decref(j);
}

static void
no_configuration_is_a_warning(void **state)
{
	(void)state;
	struct ran *r = RUN("doctor");

	if (strstr(r->out, "none was found") == NULL)
		skip(); /* this machine has one */
	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "warn"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_is_judged_CLK_2),
		cmocka_unit_test(missing_configuration_fails),
		cmocka_unit_test(no_configuration_is_a_warning),
	};

	unsetenv("MUSTER_CONFIG");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

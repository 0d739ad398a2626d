/* SPDX-License-Identifier: Apache-2.0 */
/* The frame: finding commands, reading options, exit codes, help, man page, completion. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "unit/cli/support_run.h"

static void
nothing_is_usage(void **state)
{
	(void)state;
	struct ran *r = run((const char *const[]){ NULL });

	assert_int_equal(r->code, CLI_USAGE);
	assert_string_equal(r->out, "");
	assert_non_null(strstr(r->err, "Usage:"));
}

static void
help_goes_to_stdout(void **state)
{
	(void)state;
	struct ran *r = RUN("--help");

	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "inspect"));
	assert_string_equal(r->err, "");
}

static void
version_names_itself(void **state)
{
	(void)state;
	assert_string_equal(RUN("--version")->out, "muster " MUSTER_VERSION "\n");
}

static void
unknown_noun_suggests_the_near_one(void **state)
{
	(void)state;
	struct ran *r = RUN("inspekt", "x");

	assert_int_equal(r->code, CLI_USAGE);
	assert_non_null(strstr(r->err, "did you mean \"inspect\""));
}

static void
unknown_verb_suggests_the_near_one(void **state)
{
	(void)state;
	struct ran *r = RUN("device", "lisst");

	assert_int_equal(r->code, CLI_USAGE);
	assert_non_null(strstr(r->err, "did you mean \"list\""));
}

static void
a_far_word_suggests_nothing(void **state)
{
	(void)state;
	struct ran *r = RUN("zzzzzzzzzz");

	assert_int_equal(r->code, CLI_USAGE);
	assert_null(strstr(r->err, "did you mean"));
}

static void
unknown_option_is_usage(void **state)
{
	(void)state;
	struct ran *r = RUN("inspect", "x", "--ancor", "y");

	assert_int_equal(r->code, CLI_USAGE);
	assert_non_null(strstr(r->err, "--ancor"));
}

static void
option_without_its_value_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect", "x", "--anchor")->code, CLI_USAGE);
}

static void
flag_with_a_value_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect", "x", "--json=yes")->code, CLI_USAGE);
}

static void
short_option_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect", "-x")->code, CLI_USAGE);
}

static void
too_many_short_helps_are_bounded(void **state)
{
	(void)state;
	const char *words[31] = { "inspect", "x" };

	for (size_t i = 2; i < 30; i++)
		words[i] = "-h";
	assert_int_equal(run(words)->code, CLI_OK);
}

static void
missing_argument_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect")->code, CLI_USAGE);
}

static void
surplus_argument_is_usage(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect", "a", "b")->code, CLI_USAGE);
}

static void
missing_file_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(RUN("inspect", "/nonexistent/file")->code, CLI_NOT_FOUND);
}

static void
words_behind_two_dashes_are_arguments(void **state)
{
	(void)state;
	struct ran *r = RUN("inspect", "--", "--json");

	assert_int_equal(r->code, CLI_NOT_FOUND);
	assert_non_null(strstr(r->err, "open --json"));
}

static void
refusal_with_json_is_one_object(void **state)
{
	(void)state;
	struct ran *r = RUN("inspect", "/nonexistent/file", "--json");
	json_t *j = ran_json(r);

	assert_string_equal(json_string_value(json_object_get(j, "code")), "MU-1008");
	assert_non_null(json_object_get(j, "clause"));
	assert_non_null(json_object_get(j, "next"));
	assert_non_null(strstr(r->err, "MU-1008"));
	json_decref(j);
}

static void
explain_finds_a_code(void **state)
{
	(void)state;
	struct ran *r = RUN("explain", "MU-1207", "--json");
	json_t *j = ran_json(r);

	assert_int_equal(r->code, CLI_OK);
	assert_string_equal(json_string_value(json_object_get(j, "name")), "MST_E_VOUCHER_NONCE");
	json_decref(j);
}

static void
explain_of_nothing_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(RUN("explain", "MU-0001")->code, CLI_NOT_FOUND);
}

/* Class of the error to exit code: design.md section 7. */
static void
exit_codes_follow_the_class(void **state)
{
	(void)state;
	assert_int_equal(cli_exit_of(MST_OK), CLI_OK);
	assert_int_equal(cli_exit_of(MST_E_USAGE), CLI_USAGE);
	assert_int_equal(cli_exit_of(MST_E_NOT_FOUND), CLI_NOT_FOUND);
	assert_int_equal(cli_exit_of(MST_E_VOUCHER_NONCE), CLI_REFUSED);
	assert_int_equal(cli_exit_of(MST_E_CONFLICT), CLI_CONFLICT);
	assert_int_equal(cli_exit_of(MST_E_UNREACHABLE), CLI_UNREACHABLE);
	assert_int_equal(cli_exit_of(MST_E_IO), CLI_FAILED);
}

static void
every_command_has_help(void **state)
{
	const struct cli_command *k = *state;
	struct ran *r = k->verb != NULL ? RUN(k->noun, k->verb, "--help") : RUN(k->noun, "--help");

	assert_int_equal(r->code, CLI_OK);
	assert_non_null(strstr(r->out, "Usage: muster "));
	if (strcmp(k->noun, "help") != 0)
		assert_non_null(strstr(r->out, k->summary));
}

static void
man_page_passes_mandoc(void **state)
{
	(void)state;
	struct ran *r = RUN("man");
	char command[300];

	assert_int_equal(r->code, CLI_OK);
	if (system("command -v mandoc >/dev/null") != 0) {
		print_message("mandoc is not here\n");
		skip();
	}
	snprintf(command, sizeof command, "mandoc -T lint -W warning %s",
	    scratch_file("muster.1", r->out, strlen(r->out)));
	assert_int_equal(system(command), 0);
}

static void
completion_passes_bash(void **state)
{
	(void)state;
	struct ran *r = RUN("completion");
	char command[300];

	assert_int_equal(r->code, CLI_OK);
	snprintf(command, sizeof command, "bash -n %s",
	    scratch_file("completion", r->out, strlen(r->out)));
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(nothing_is_usage),
		cmocka_unit_test(help_goes_to_stdout),
		cmocka_unit_test(version_names_itself),
		cmocka_unit_test(unknown_noun_suggests_the_near_one),
		cmocka_unit_test(unknown_verb_suggests_the_near_one),
		cmocka_unit_test(a_far_word_suggests_nothing),
		cmocka_unit_test(unknown_option_is_usage),
		cmocka_unit_test(option_without_its_value_is_usage),
		cmocka_unit_test(flag_with_a_value_is_usage),
		cmocka_unit_test(short_option_is_usage),
		cmocka_unit_test(too_many_short_helps_are_bounded),
		cmocka_unit_test(missing_argument_is_usage),
		cmocka_unit_test(surplus_argument_is_usage),
		cmocka_unit_test(missing_file_is_not_found),
		cmocka_unit_test(words_behind_two_dashes_are_arguments),
		cmocka_unit_test(refusal_with_json_is_one_object),
		cmocka_unit_test(explain_finds_a_code),
		cmocka_unit_test(explain_of_nothing_is_not_found),
		cmocka_unit_test(exit_codes_follow_the_class),
		cmocka_unit_test(man_page_passes_mandoc),
		cmocka_unit_test(completion_passes_bash),
	};
	enum { FIXED = sizeof fixed / sizeof fixed[0], MOST = 200 };
	static struct CMUnitTest tests[MOST];
	static char names[MOST][64];
	size_t n = FIXED;

	memcpy(tests, fixed, sizeof fixed);
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL && n < MOST;
		     k++) {
			snprintf(names[n], sizeof names[n], "help of %s %s", k->noun,
			    k->verb != NULL ? k->verb : "");
			tests[n] = (struct CMUnitTest){ names[n], every_command_has_help, NULL,
				NULL, (void *)(uintptr_t)k };
			n++;
		}
	return _cmocka_run_group_tests("cli", tests, n, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* muster est password: its line is one that the EST role takes (RFC 7030 3.2.3). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "cli/cli.h"
#include "host/password.h"
#include "unit/cli/support_run.h"

static void
line_verifies(void **state)
{
	const char *file = scratch_file("password", "open sesame\n", 12);
	struct ran *r = RUN("est", "password", "alice", "--password-file", file);

	(void)state;
	assert_int_equal(r->code, CLI_OK);
	assert_memory_equal(r->out, "alice:", 6);
	r->out[strcspn(r->out, "\n")] = '\0';
	assert_true(password_stored_ok(r->out + 6));
	assert_int_equal(password_verify(MST_LIT("open sesame"), r->out + 6), MST_OK);
	assert_int_equal(password_verify(MST_LIT("open sesame\n"), r->out + 6), MST_E_HTTP_AUTH);
}

/* A2: the names of the line, for server/est/est_basic.c. */
static void
names_follow_the_hash(void **state)
{
	const char *file = scratch_file("password", "x\n", 2);
	struct ran *r = RUN(
	    "est", "password", "alice", "--password-file", file, "--names", "printer-1,printer-2");
	char *names;

	(void)state;
	assert_int_equal(r->code, CLI_OK);
	names = strrchr(r->out, ':');
	assert_non_null(names);
	assert_string_equal(names, ":printer-1,printer-2\n");
	*names = '\0';
	assert_true(password_stored_ok(r->out + 6));
	assert_int_equal(
	    RUN("est", "password", "alice", "--password-file", file, "--names", "a:b")->code,
	    CLI_USAGE);
}

static void
bad_calls_are_refused(void **state)
{
	const char *file = scratch_file("password", "x\n", 2);
	const char *empty = scratch_file("empty", "\n", 1);

	(void)state;
	assert_int_equal(RUN("est", "password", "alice")->code, CLI_USAGE);
	assert_int_equal(RUN("est", "password", "a:b", "--password-file", file)->code, CLI_USAGE);
	assert_int_equal(
	    RUN("est", "password", "a", "--password-file", "/nonexistent")->code, CLI_NOT_FOUND);
	assert_int_not_equal(RUN("est", "password", "a", "--password-file", empty)->code, CLI_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(line_verifies),
		cmocka_unit_test(names_follow_the_hash), cmocka_unit_test(bad_calls_are_refused) };

	return cmocka_run_group_tests_name("cli/est", tests, NULL, NULL);
}

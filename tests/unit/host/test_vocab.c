/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "host/vocab.h"

static int
is_label(const char *s)
{
	return *s != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyz-") == strlen(s);
}

static void
steps_have_words_and_sentences(void **state)
{
	(void)state;
	for (unsigned s = 0; s < STEP_COUNT; s++) {
		assert_true(is_label(step_word((enum step)s)));
		assert_true(strlen(step_sentence((enum step)s)) > 5);
		for (unsigned t = 0; t < s; t++)
			assert_string_not_equal(step_word((enum step)s), step_word((enum step)t));
	}
}

static void
states_are_those_of_design_7(void **state)
{
	static const char *const want[] = { "planned", "seen", "pending", "voucher", "enrolled",
		"active", "stale", "quarantined", "revoked", "retired" };

	(void)state;
	assert_int_equal(DEVICE_STATE_COUNT, sizeof(want) / sizeof(want[0]));
	for (unsigned s = 0; s < DEVICE_STATE_COUNT; s++) {
		assert_string_equal(device_state_word((enum device_state)s), want[s]);
		assert_true(strlen(device_state_sentence((enum device_state)s)) > 5);
		assert_int_equal(device_state_find(want[s]), s);
	}
}

static void
unknown_state_is_count(void **state)
{
	(void)state;
	assert_int_equal(device_state_find("Enrolled"), DEVICE_STATE_COUNT);
	assert_int_equal(device_state_find(""), DEVICE_STATE_COUNT);
	assert_int_equal(device_state_find(NULL), DEVICE_STATE_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_have_words_and_sentences),
		cmocka_unit_test(states_are_those_of_design_7),
		cmocka_unit_test(unknown_state_is_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "muster/err.h"

static const struct mst_err_info *rows;
static size_t count;

static int
setup(void **state)
{
	(void)state;
	rows = mst_err_table(&count);
	return rows != NULL && count > 0 ? 0 : -1;
}

static void
codes_ascend_and_so_are_unique(void **state)
{
	(void)state;
	for (size_t i = 1; i < count; i++)
		if (rows[i].err <= rows[i - 1].err)
			fail_msg("%s (%d) stands behind %s (%d)", rows[i].name, (int)rows[i].err,
			    rows[i - 1].name, (int)rows[i - 1].err);
}

static void
names_and_reasons_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(rows[i].name, rows[j].name) == 0 ||
			    strcmp(rows[i].reason, rows[j].reason) == 0)
				fail_msg("%s and %s share a name", rows[i].name, rows[j].name);
}

static void
code_text_is_the_number(void **state)
{
	char text[16];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_in_range(rows[i].err, 1000, 9999);
		snprintf(text, sizeof text, "MU-%04d", (int)rows[i].err);
		assert_string_equal(rows[i].code, text);
	}
}

static void
every_row_has_all_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct mst_err_info *row = &rows[i];

		assert_true(strncmp(row->name, "MST_E_", 6) == 0 && row->name[6] != '\0');
		assert_true(row->clause[0] != '\0' && row->next[0] != '\0');
		/* One sentence: it is shown as it is, in logs, bodies and on the terminal. */
		if (strlen(row->sentence) < 10 || row->sentence[strlen(row->sentence) - 1] != '.')
			fail_msg("%s: not a sentence: %s", row->name, row->sentence);
	}
}

/* Metric labels and log fields: letters, digits, underscores and dots. */
static void
reasons_are_labels(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++)
		if (rows[i].reason[0] == '\0' ||
		    strspn(rows[i].reason, "abcdefghijklmnopqrstuvwxyz0123456789_.") !=
		        strlen(rows[i].reason))
			fail_msg("%s: reason \"%s\"", rows[i].name, rows[i].reason);
}

static void
http_statuses_exist(void **state)
{
	static const int registered[] = { 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406,
		408, 409, 410, 411, 412, 413, 414, 415, 417, 421, 422, 425, 426, 428, 429, 431, 500,
		501, 502, 503, 504, 505, 507, 511 };

	(void)state;
	for (size_t i = 0; i < count; i++) {
		size_t k = 0, n = sizeof registered / sizeof registered[0];

		while (k < n && registered[k] != rows[i].http)
			k++;
		if (k == n)
			fail_msg("%s: HTTP status %d", rows[i].name, rows[i].http);
	}
}

static void
coap_codes_exist(void **state)
{
	/* RFC 7252 12.1.2, RFC 7959 6, RFC 8132 6, RFC 8516 6 */
	static const int registered[] = { 201, 202, 203, 204, 205, 231, 400, 401, 402, 403, 404,
		405, 406, 408, 409, 412, 413, 415, 422, 429, 500, 501, 502, 503, 504, 505, 508 };

	(void)state;
	for (size_t i = 0; i < count; i++) {
		size_t k = 0, n = sizeof registered / sizeof registered[0];

		while (k < n && registered[k] != rows[i].coap)
			k++;
		if (k == n)
			fail_msg("%s: CoAP code %d", rows[i].name, rows[i].coap);
	}
}

static void
info_gives_the_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(mst_err_info(rows[i].err), &rows[i]);
}

static void
info_of_unknown_is_internal(void **state)
{
	(void)state;
	assert_int_equal(mst_err_info((mst_err)9999)->err, MST_E_INTERNAL);
	assert_int_equal(mst_err_info(MST_OK)->err, MST_E_INTERNAL);
	assert_int_equal(mst_err_info(MST_OK)->http, 500);
}

static void
find_knows_every_form_of_every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct mst_err_info *row = &rows[i];

		assert_ptr_equal(mst_err_find(row->code), row);
		assert_ptr_equal(mst_err_find(row->code + 3), row);
		assert_ptr_equal(mst_err_find(row->name), row);
		if (mst_err_find(row->name + 6) != row || mst_err_find(row->reason) != row)
			fail_msg("%s: its short name or reason finds another row", row->name);
	}
}

static void
find_ignores_letter_case(void **state)
{
	(void)state;
	assert_int_equal(mst_err_find("mu-1100")->err, MST_E_CBOR);
	assert_int_equal(mst_err_find("mst_e_cbor_depth")->err, MST_E_CBOR_DEPTH);
	assert_int_equal(mst_err_find("CBOR.Depth")->err, MST_E_CBOR_DEPTH);
}

static void
find_answers_null_for_anything_else(void **state)
{
	static const char *const words[] = { "", "MU-", "MU-9999", "MU-110", "MU-11000", "9999",
		"MST_E_", "MST_E_CBO", "MST_E_CBORX", "CBOR_", "cbor.", " MU-1100", "MU-1100 ",
		"MST_OK", "0" };

	(void)state;
	assert_null(mst_err_find(NULL));
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (mst_err_find(words[i]) != NULL)
			fail_msg("\"%s\" finds %s", words[i], mst_err_find(words[i])->name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_ascend_and_so_are_unique),
		cmocka_unit_test(names_and_reasons_are_unique),
		cmocka_unit_test(code_text_is_the_number),
		cmocka_unit_test(every_row_has_all_its_words),
		cmocka_unit_test(reasons_are_labels),
		cmocka_unit_test(http_statuses_exist),
		cmocka_unit_test(coap_codes_exist),
		cmocka_unit_test(info_gives_the_row),
		cmocka_unit_test(info_of_unknown_is_internal),
		cmocka_unit_test(find_knows_every_form_of_every_row),
		cmocka_unit_test(find_ignores_letter_case),
		cmocka_unit_test(find_answers_null_for_anything_else),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

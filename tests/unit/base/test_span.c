/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/span.h"

static void
str_measures_without_nul(void **state)
{
	(void)state;
	assert_int_equal(mst_span_str("abc").len, 3);
	assert_int_equal(mst_span_str("").len, 0);
	assert_non_null(mst_span_str("").ptr);
	assert_null(mst_span_str(NULL).ptr);
}

static void
eq_tells_bytes_apart(void **state)
{
	(void)state;
	assert_true(mst_span_eq(MST_LIT("abc"), mst_span_str("abc")));
	assert_false(mst_span_eq(MST_LIT("abc"), MST_LIT("abd")));
	assert_false(mst_span_eq(MST_LIT("abc"), MST_LIT("bbc")));
	assert_false(mst_span_eq(MST_LIT("abc"), MST_LIT("ab")));
	assert_false(mst_span_eq(MST_LIT("a\0b"), MST_LIT("a\0c")));
}

static void
eq_absent_equals_only_absent(void **state)
{
	(void)state;
	assert_true(mst_span_eq(MST_NONE, MST_NONE));
	assert_true(mst_span_eq(MST_LIT(""), MST_LIT("")));
	assert_false(mst_span_eq(MST_NONE, MST_LIT("")));
	assert_false(mst_span_eq(MST_LIT(""), MST_NONE));
	assert_false(mst_ct_eq(MST_NONE, MST_LIT("")));
	assert_true(mst_ct_eq(MST_NONE, MST_NONE));
}

static void
ct_eq_sees_every_single_bit(void **state)
{
	uint8_t a[33], b[33];

	(void)state;
	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (uint8_t)(i * 7 + 1);
	assert_true(mst_ct_eq(mst_span_of(a, sizeof a), mst_span_of(b, sizeof b)));
	assert_false(mst_ct_eq(mst_span_of(a, sizeof a), mst_span_of(b, sizeof b - 1)));
	for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
		b[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(mst_ct_eq(mst_span_of(a, sizeof a), mst_span_of(b, sizeof b)));
		b[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

/* Differences must add up, not cancel: any two places changed by the same bits. */
static void
ct_eq_sees_two_equal_differences(void **state)
{
	uint8_t a[9] = { 0 }, b[9] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof a; i++)
		for (size_t j = 0; j < i; j++) {
			b[i] = b[j] = 0x5a;
			assert_false(mst_ct_eq(mst_span_of(a, sizeof a), mst_span_of(b, sizeof b)));
			b[i] = b[j] = 0;
		}
}

static void
wipe_clears_exactly_len(void **state)
{
	uint8_t a[16];

	(void)state;
	for (size_t len = 0; len <= sizeof a; len++) {
		memset(a, 0xa5, sizeof a);
		mst_wipe(a, len);
		for (size_t i = 0; i < sizeof a; i++)
			assert_int_equal(a[i], i < len ? 0 : 0xa5);
	}
	mst_wipe(NULL, 0);
}

static void
buf_put_fits_or_changes_nothing(void **state)
{
	uint8_t room[4];
	struct mst_buf b = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_buf_put(&b, MST_LIT("abc")), MST_OK);
	assert_int_equal(mst_buf_put(&b, MST_LIT("de")), MST_E_SPACE);
	assert_true(mst_span_eq(mst_buf_span(&b), MST_LIT("abc")));
	assert_int_equal(mst_buf_put_byte(&b, 'd'), MST_OK);
	assert_int_equal(mst_buf_put_byte(&b, 'e'), MST_E_SPACE);
	assert_int_equal(mst_buf_put(&b, MST_LIT("")), MST_OK);
	assert_int_equal(mst_buf_put(&b, MST_NONE), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&b), MST_LIT("abcd")));
}

static void
buf_put_length_near_size_max_is_refused(void **state)
{
	uint8_t room[4];
	struct mst_buf b = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_buf_put_byte(&b, 1), MST_OK);
	assert_int_equal(mst_buf_put(&b, mst_span_of(room, SIZE_MAX)), MST_E_SPACE);
	assert_int_equal(mst_buf_copy(&b, mst_span_of(room, SIZE_MAX)), MST_E_SPACE);
	assert_int_equal(b.len, 1);
}

static void
buf_without_storage_holds_nothing(void **state)
{
	struct mst_buf b = { NULL, 0, 0 };

	(void)state;
	assert_int_equal(mst_buf_put(&b, MST_NONE), MST_OK);
	assert_int_equal(mst_buf_copy(&b, MST_LIT("")), MST_OK);
	assert_int_equal(mst_buf_put_byte(&b, 0), MST_E_SPACE);
}

static void
buf_copy_replaces_or_changes_nothing(void **state)
{
	uint8_t room[4];
	struct mst_buf b = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_buf_copy(&b, MST_LIT("abcd")), MST_OK);
	assert_int_equal(mst_buf_copy(&b, MST_LIT("12345")), MST_E_SPACE);
	assert_true(mst_span_eq(mst_buf_span(&b), MST_LIT("abcd")));
	assert_int_equal(mst_buf_copy(&b, mst_span_of(room + 1, 2)), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&b), MST_LIT("bc")));
}

static void
buf_keep_hands_out_where_it_lies(void **state)
{
	uint8_t room[4];
	struct mst_buf b = MST_BUF(room);
	mst_span kept = MST_LIT("untouched");

	(void)state;
	assert_int_equal(mst_buf_keep(&b, MST_LIT("ab"), &kept), MST_OK);
	assert_ptr_equal(kept.ptr, room);
	assert_int_equal(mst_buf_keep(&b, MST_LIT("cd"), &kept), MST_OK);
	assert_ptr_equal(kept.ptr, room + 2);
	assert_true(mst_span_eq(kept, MST_LIT("cd")));
	assert_int_equal(mst_buf_keep(&b, MST_LIT(""), &kept), MST_OK);
	assert_non_null(kept.ptr);
	assert_int_equal(kept.len, 0);
	assert_int_equal(mst_buf_keep(&b, MST_NONE, &kept), MST_OK);
	assert_null(kept.ptr);
	kept = MST_LIT("untouched");
	assert_int_equal(mst_buf_keep(&b, MST_LIT("e"), &kept), MST_E_SPACE);
	assert_true(mst_span_eq(kept, MST_LIT("untouched")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_measures_without_nul),
		cmocka_unit_test(eq_tells_bytes_apart),
		cmocka_unit_test(eq_absent_equals_only_absent),
		cmocka_unit_test(ct_eq_sees_every_single_bit),
		cmocka_unit_test(ct_eq_sees_two_equal_differences),
		cmocka_unit_test(wipe_clears_exactly_len),
		cmocka_unit_test(buf_put_fits_or_changes_nothing),
		cmocka_unit_test(buf_put_length_near_size_max_is_refused),
		cmocka_unit_test(buf_without_storage_holds_nothing),
		cmocka_unit_test(buf_copy_replaces_or_changes_nothing),
		cmocka_unit_test(buf_keep_hands_out_where_it_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

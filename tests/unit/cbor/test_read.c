/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "support_cbor.h"

#define READ(r, bytes) mst_cbor_init(&(r), BYTES(bytes))

static void
uint_in_every_width(void **state)
{
	static const struct {
		mst_span in;
		uint64_t want;
	} rows[] = {
		{ { (const uint8_t *)"\x00", 1 }, 0 },
		{ { (const uint8_t *)"\x17", 1 }, 23 },
		{ { (const uint8_t *)"\x18\x18", 2 }, 24 },
		{ { (const uint8_t *)"\x19\x01\x00", 3 }, 256 },
		{ { (const uint8_t *)"\x1a\x00\x01\x00\x00", 5 }, 65536 },
		{ { (const uint8_t *)"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9 }, UINT64_MAX },
		{ { (const uint8_t *)"\x1b\x00\x00\x00\x00\x00\x00\x00\x05", 9 }, 5 },
	};
	struct mst_cbor_reader r;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		mst_cbor_init(&r, rows[i].in);
		assert_int_equal(mst_cbor_peek(&r), MST_CBOR_UINT);
		assert_true(mst_cbor_uint(&r) == rows[i].want);
		assert_int_equal(mst_cbor_end(&r), MST_OK);
	}
}

static void
int_reaches_both_ends_of_int64(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff");
	assert_true(mst_cbor_int(&r) == INT64_MAX);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	READ(r, "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff");
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_NINT);
	assert_true(mst_cbor_int(&r) == INT64_MIN);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	READ(r, "\x20");
	assert_true(mst_cbor_int(&r) == -1);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
int_beyond_int64_is_refused(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x1b\x80\x00\x00\x00\x00\x00\x00\x00");
	assert_true(mst_cbor_int(&r) == 0);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x3b\x80\x00\x00\x00\x00\x00\x00\x00");
	assert_true(mst_cbor_int(&r) == 0);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
uint_refuses_a_negative(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x20");
	assert_true(mst_cbor_uint(&r) == 0);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
strings_point_into_the_input(void **state)
{
	static const char in[] = "\x82\x42\x01\x02\x62\xc3\xbc";
	struct mst_cbor_reader r;
	mst_span s;

	(void)state;
	mst_cbor_init(&r, BYTES(in));
	mst_cbor_array(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_BYTES);
	s = mst_cbor_bytes(&r);
	assert_ptr_equal(s.ptr, in + 2);
	assert_int_equal(s.len, 2);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_TEXT);
	s = mst_cbor_text(&r);
	assert_ptr_equal(s.ptr, in + 5);
	assert_int_equal(s.len, 2);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
empty_strings_are_not_absent(void **state)
{
	static const char *const in[] = { "\x40", "\x60", "\x5f\xff", "\x7f\xff", "\x5f\x40\xff" };
	struct mst_cbor_reader r;

	(void)state;
	for (size_t i = 0; i < COUNT(in); i++) {
		mst_span s;

		mst_cbor_init(&r, mst_span_str(in[i]));
		s = mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r) : mst_cbor_text(&r);
		assert_non_null(s.ptr);
		assert_int_equal(s.len, 0);
		assert_int_equal(mst_cbor_end(&r), MST_OK);
	}
}

static void
rfc8949_3_2_3_one_chunk_is_handed_out(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x7f\x63one\xff");
	assert_true(mst_span_eq(mst_cbor_text(&r), MST_LIT("one")));
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
rfc8949_3_2_3_two_chunks_are_a_type_error(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x7f\x61\x61\x61\x62\xff");
	assert_null(mst_cbor_text(&r).ptr);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x7f\x61\x61\x61\x62\xff");
	assert_int_equal(mst_cbor_raw(&r).len, 6);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
text_refuses_bytes_and_bad_utf8(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x41\x61");
	assert_null(mst_cbor_text(&r).ptr);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x61\xff");
	assert_null(mst_cbor_text(&r).ptr);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_UTF8);
	READ(r, "\x61\x61");
	assert_null(mst_cbor_bytes(&r).ptr);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
simple_values(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x86\xf4\xf5\xf6\xf7\xf0\xf8\xff");
	mst_cbor_array(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_BOOL);
	assert_false(mst_cbor_bool(&r));
	assert_true(mst_cbor_bool(&r));
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_NULL);
	mst_cbor_null(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_UNDEFINED);
	mst_cbor_skip(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_SIMPLE);
	mst_cbor_skip(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_SIMPLE);
	mst_cbor_skip(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
bool_null_and_float_refuse_one_another(void **state)
{
	static const char *const in[] = { "\xf4", "\xf6", "\xf7", "\xf9\x3c\x01", "\xf0" };
	struct mst_cbor_reader r;

	(void)state;
	for (size_t i = 0; i < COUNT(in); i++) {
		mst_cbor_init(&r, mst_span_str(in[i]));
		(void)mst_cbor_bool(&r);
		assert_int_equal(mst_cbor_end(&r), i == 0 ? MST_OK : MST_E_CBOR_TYPE);
		mst_cbor_init(&r, mst_span_str(in[i]));
		mst_cbor_null(&r);
		assert_int_equal(mst_cbor_end(&r), i == 1 ? MST_OK : MST_E_CBOR_TYPE);
		mst_cbor_init(&r, mst_span_str(in[i]));
		(void)mst_cbor_float(&r);
		assert_int_equal(mst_cbor_end(&r), i == 3 ? MST_OK : MST_E_CBOR_TYPE);
	}
}

static double
scaled(double v, int exponent)
{
	for (; exponent > 0; exponent--)
		v *= 2;
	for (; exponent < 0; exponent++)
		v /= 2;
	return v;
}

/* All 65536 halves against the arithmetic of RFC 8949 appendix D. */
static void
rfc8949_d_every_half(void **state)
{
	(void)state;
	for (unsigned v = 0; v <= 0xffff; v++) {
		uint8_t in[3] = { 0xf9, (uint8_t)(v >> 8), (uint8_t)v };
		int exponent = v >> 10 & 31;
		double mantissa = v & 1023, want, got;
		struct mst_cbor_reader r;

		if (exponent == 0)
			want = scaled(mantissa, -24);
		else if (exponent != 31)
			want = scaled(mantissa + 1024, exponent - 25);
		else
			want = mantissa != 0 ? (double)NAN : (double)INFINITY;
		mst_cbor_init(&r, mst_span_of(in, 3));
		got = mst_cbor_float(&r);
		assert_int_equal(mst_cbor_end(&r), MST_OK);
		assert_int_equal(!!signbit(got), v >> 15);
		assert_true(isnan(want) ? isnan(got) : fabs(got) == want);
	}
}

static void
rfc8949_3_3_singles_as_the_compiler_widens_them(void **state)
{
	(void)state;
	for (uint64_t v = 0; v <= UINT32_MAX; v += 65537 * 3) {
		uint32_t bits = (uint32_t)v;
		uint8_t in[5] = { 0xfa, (uint8_t)(bits >> 24), (uint8_t)(bits >> 16),
			(uint8_t)(bits >> 8), (uint8_t)bits };
		struct mst_cbor_reader r;
		double got, want;
		float f;

		memcpy(&f, &bits, sizeof f);
		want = (double)f;
		mst_cbor_init(&r, mst_span_of(in, 5));
		got = mst_cbor_float(&r);
		assert_true(isnan(want) ? isnan(got) : memcmp(&got, &want, sizeof got) == 0);
	}
}

static void
tag_belongs_to_the_next_item(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x82\xd8\x2f\x01\x02");
	mst_cbor_array(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_TAG);
	assert_true(mst_cbor_tag(&r) == 47);
	assert_true(mst_cbor_uint(&r) == 1);
	assert_true(mst_cbor_more(&r));
	assert_true(mst_cbor_uint(&r) == 2);
	assert_false(mst_cbor_more(&r));
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
tag_without_content_is_malformed(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x9f\xc0\xff");
	mst_cbor_array(&r);
	(void)mst_cbor_tag(&r);
	assert_true(mst_cbor_more(&r));
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR);
	READ(r, "\xc0");
	(void)mst_cbor_tag(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR);
}

static void
more_leaves_definite_and_indefinite_containers(void **state)
{
	static const char *const in[] = { "\x82\x82\x01\x02\x03", "\x9f\x9f\x01\x02\xff\x03\xff",
		"\x82\x9f\x01\x02\xff\x03", "\x9f\x82\x01\x02\x03\xff" };
	struct mst_cbor_reader r;

	(void)state;
	for (size_t i = 0; i < COUNT(in); i++) {
		uint64_t sum = 0;

		mst_cbor_init(&r, mst_span_str(in[i]));
		mst_cbor_array(&r);
		assert_true(mst_cbor_more(&r));
		mst_cbor_array(&r);
		while (mst_cbor_more(&r))
			sum += mst_cbor_uint(&r);
		assert_true(sum == 3);
		assert_true(mst_cbor_more(&r));
		assert_true(mst_cbor_uint(&r) == 3);
		assert_false(mst_cbor_more(&r));
		assert_int_equal(mst_cbor_end(&r), MST_OK);
	}
}

static void
rfc8742_more_outside_a_container_walks_a_sequence(void **state)
{
	struct mst_cbor_reader r;
	unsigned n = 0;

	(void)state;
	READ(r, "\x01\x82\x01\x02\x61\x61");
	for (; mst_cbor_more(&r); n++)
		mst_cbor_skip(&r);
	assert_int_equal(n, 3);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
leave_refuses_items_left_over(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x82\x01\x02");
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	mst_cbor_leave(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x9f\x01\x02\xff");
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	mst_cbor_leave(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x82\x9f\x01\xff\x02");
	mst_cbor_array(&r);
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	mst_cbor_leave(&r);
	assert_true(mst_cbor_uint(&r) == 2);
	mst_cbor_leave(&r);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
leave_outside_a_container_is_the_callers_bug(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x01");
	mst_cbor_leave(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_INTERNAL);
}

static void
end_refuses_unread_items_and_trailing_bytes(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x82\x01\x02");
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x01\x02");
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TRAILING);
	READ(r, "\x01");
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TRAILING);
	READ(r, "\x81\x01\x02");
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TRAILING);
}

static void
end_closes_what_was_read_whole(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x9f\x81\x01\xff");
	mst_cbor_array(&r);
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	READ(r, "\x9f\x01");
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR);
}

static void
an_item_beyond_the_container_is_refused(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x82\x81\x01\x02");
	mst_cbor_array(&r);
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_true(mst_cbor_uint(&r) == 0); /* the 2 is the outer array's */
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
	READ(r, "\x82\x9f\x01\xff\x02");
	mst_cbor_array(&r);
	mst_cbor_array(&r);
	(void)mst_cbor_uint(&r);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_BREAK);
	assert_true(mst_cbor_uint(&r) == 0);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
integer_keys(void **state)
{
	static const char *const in[] = { "\xa3\x01\x0a\x20\x0b\x18\x64\x0c",
		"\xbf\x01\x0a\x20\x0b\x18\x64\x0c\xff" };
	static const int64_t keys[] = { 1, -1, 100 };
	struct mst_cbor_reader r;

	(void)state;
	for (size_t i = 0; i < COUNT(in); i++) {
		size_t n = 0;
		int64_t key;

		mst_cbor_init(&r, mst_span_str(in[i]));
		mst_cbor_map(&r);
		for (; mst_cbor_key(&r, &key); n++) {
			assert_true(key == keys[n]);
			assert_true(mst_cbor_uint(&r) == 10 + n);
		}
		assert_int_equal(n, 3);
		assert_int_equal(mst_cbor_end(&r), MST_OK);
	}
}

static void
integer_keys_refuse_a_text_key(void **state)
{
	struct mst_cbor_reader r;
	int64_t key = 42;

	(void)state;
	READ(r, "\xa1\x61\x61\x01");
	mst_cbor_map(&r);
	assert_false(mst_cbor_key(&r, &key));
	assert_true(key == 42);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
text_keys(void **state)
{
	struct mst_cbor_reader r;
	mst_span key = MST_LIT("untouched");

	(void)state;
	READ(r, "\xa2\x61\x61\x01\x61\x62\x82\x01\x02");
	mst_cbor_map(&r);
	assert_true(mst_cbor_text_key(&r, &key));
	assert_true(mst_span_eq(key, MST_LIT("a")));
	mst_cbor_skip(&r);
	assert_true(mst_cbor_text_key(&r, &key));
	assert_true(mst_span_eq(key, MST_LIT("b")));
	mst_cbor_skip(&r);
	assert_false(mst_cbor_text_key(&r, &key));
	assert_true(mst_span_eq(key, MST_LIT("b")));
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
text_keys_refuse_an_integer_key(void **state)
{
	struct mst_cbor_reader r;
	mst_span key = MST_LIT("untouched");

	(void)state;
	READ(r, "\xa1\x01\x01");
	mst_cbor_map(&r);
	assert_false(mst_cbor_text_key(&r, &key));
	assert_true(mst_span_eq(key, MST_LIT("untouched")));
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
keys_of_an_array_are_the_callers_bug(void **state)
{
	struct mst_cbor_reader r;
	int64_t key;

	(void)state;
	READ(r, "\x82\x01\x02");
	mst_cbor_array(&r);
	assert_false(mst_cbor_key(&r, &key));
	assert_int_equal(mst_cbor_end(&r), MST_E_INTERNAL);
}

static void
a_value_not_taken_is_the_callers_bug(void **state)
{
	struct mst_cbor_reader r;
	int64_t key;

	(void)state;
	READ(r, "\xa2\x01\x02\x03\x04");
	mst_cbor_map(&r);
	assert_true(mst_cbor_key(&r, &key));
	assert_false(mst_cbor_key(&r, &key));
	assert_int_equal(mst_cbor_end(&r), MST_E_INTERNAL);
}

static void
skip_and_raw_take_one_whole_item(void **state)
{
	static const char in[] = "\x83\xc1\xbf\x01\x9f\x02\xff\xff\x41\x00\x03";
	struct mst_cbor_reader r;
	mst_span raw;

	(void)state;
	mst_cbor_init(&r, BYTES(in));
	mst_cbor_array(&r);
	raw = mst_cbor_raw(&r);
	assert_ptr_equal(raw.ptr, in + 1);
	assert_int_equal(raw.len, 7);
	mst_cbor_skip(&r);
	assert_true(mst_cbor_uint(&r) == 3);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
skip_bounds_the_depth_from_where_the_reader_stands(void **state)
{
	uint8_t in[MST_CBOR_DEPTH + 1];
	struct mst_cbor_reader r;

	(void)state;
	memset(in, 0x81, sizeof in);
	in[MST_CBOR_DEPTH] = 0x80;
	mst_cbor_init(&r, mst_span_of(in, sizeof in));
	mst_cbor_array(&r);
	mst_cbor_skip(&r);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_DEPTH);
	mst_cbor_init(&r, mst_span_of(in + 1, sizeof in - 1));
	mst_cbor_array(&r);
	mst_cbor_skip(&r);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static void
entering_bounds_the_depth(void **state)
{
	uint8_t in[MST_CBOR_DEPTH + 1];
	struct mst_cbor_reader r;

	(void)state;
	memset(in, 0x81, sizeof in);
	in[MST_CBOR_DEPTH] = 0x80;
	mst_cbor_init(&r, mst_span_of(in, sizeof in));
	for (size_t i = 0; i < MST_CBOR_DEPTH; i++)
		mst_cbor_array(&r);
	assert_int_equal(r.err, MST_OK);
	mst_cbor_array(&r);
	assert_int_equal(r.err, MST_E_CBOR_DEPTH);
}

static void
the_first_error_stays(void **state)
{
	struct mst_cbor_reader r;
	int64_t key;
	mst_span text;

	(void)state;
	READ(r, "\x82\x01\x61\x61");
	mst_cbor_array(&r);
	assert_null(mst_cbor_text(&r).ptr); /* stands before a 1 */
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_true(mst_cbor_uint(&r) == 0);
	assert_true(mst_cbor_int(&r) == 0);
	assert_true(mst_cbor_tag(&r) == 0);
	assert_true(mst_cbor_float(&r) == 0);
	assert_false(mst_cbor_bool(&r));
	assert_false(mst_cbor_more(&r));
	assert_false(mst_cbor_key(&r, &key));
	assert_false(mst_cbor_text_key(&r, &text));
	assert_null(mst_cbor_bytes(&r).ptr);
	assert_null(mst_cbor_raw(&r).ptr);
	mst_cbor_null(&r);
	mst_cbor_skip(&r);
	mst_cbor_array(&r);
	mst_cbor_map(&r);
	mst_cbor_leave(&r);
	mst_cbor_fail(&r, MST_E_VOUCHER_NONCE);
	assert_int_equal(r.at, 1);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR_TYPE);
}

static void
fail_latches_the_callers_own_refusal(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x01");
	mst_cbor_fail(&r, MST_E_VOUCHER_NONCE);
	assert_true(mst_cbor_uint(&r) == 0);
	assert_int_equal(mst_cbor_end(&r), MST_E_VOUCHER_NONCE);
}

static void
peek_takes_nothing_and_cannot_overlook(void **state)
{
	struct mst_cbor_reader r;

	(void)state;
	READ(r, "\x01");
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_UINT);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_UINT);
	assert_true(mst_cbor_uint(&r) == 1);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	READ(r, "\x1c");
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR);
	READ(r, "\xff");
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR);
	mst_cbor_init(&r, MST_NONE);
	assert_int_equal(mst_cbor_peek(&r), MST_CBOR_END);
	assert_true(mst_cbor_uint(&r) == 0);
	assert_int_equal(mst_cbor_end(&r), MST_E_CBOR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uint_in_every_width),
		cmocka_unit_test(int_reaches_both_ends_of_int64),
		cmocka_unit_test(int_beyond_int64_is_refused),
		cmocka_unit_test(uint_refuses_a_negative),
		cmocka_unit_test(strings_point_into_the_input),
		cmocka_unit_test(empty_strings_are_not_absent),
		cmocka_unit_test(rfc8949_3_2_3_one_chunk_is_handed_out),
		cmocka_unit_test(rfc8949_3_2_3_two_chunks_are_a_type_error),
		cmocka_unit_test(text_refuses_bytes_and_bad_utf8),
		cmocka_unit_test(simple_values),
		cmocka_unit_test(bool_null_and_float_refuse_one_another),
		cmocka_unit_test(rfc8949_d_every_half),
		cmocka_unit_test(rfc8949_3_3_singles_as_the_compiler_widens_them),
		cmocka_unit_test(tag_belongs_to_the_next_item),
		cmocka_unit_test(tag_without_content_is_malformed),
		cmocka_unit_test(more_leaves_definite_and_indefinite_containers),
		cmocka_unit_test(rfc8742_more_outside_a_container_walks_a_sequence),
		cmocka_unit_test(leave_refuses_items_left_over),
		cmocka_unit_test(leave_outside_a_container_is_the_callers_bug),
		cmocka_unit_test(end_refuses_unread_items_and_trailing_bytes),
		cmocka_unit_test(end_closes_what_was_read_whole),
		cmocka_unit_test(an_item_beyond_the_container_is_refused),
		cmocka_unit_test(integer_keys),
		cmocka_unit_test(integer_keys_refuse_a_text_key),
		cmocka_unit_test(text_keys),
		cmocka_unit_test(text_keys_refuse_an_integer_key),
		cmocka_unit_test(keys_of_an_array_are_the_callers_bug),
		cmocka_unit_test(a_value_not_taken_is_the_callers_bug),
		cmocka_unit_test(skip_and_raw_take_one_whole_item),
		cmocka_unit_test(skip_bounds_the_depth_from_where_the_reader_stands),
		cmocka_unit_test(entering_bounds_the_depth),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(fail_latches_the_callers_own_refusal),
		cmocka_unit_test(peek_takes_nothing_and_cannot_overlook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

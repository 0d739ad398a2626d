/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals of the validator by row, and what stands just on the right side of each. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "support_cbor.h"

struct row {
	const char *name;
	mst_span in;
	mst_err want;
};

#define ROW(name, bytes, want)                                                                     \
	{                                                                                          \
		name, { (const uint8_t *)(bytes), sizeof(bytes) - 1 }, want                        \
	}

static const struct row rows[] = {
	ROW("rfc8949_3 reserved 28", "\x1c", MST_E_CBOR),
	ROW("rfc8949_3 reserved 29", "\x5d", MST_E_CBOR),
	ROW("rfc8949_3 reserved 30", "\xfe", MST_E_CBOR),
	ROW("rfc8949_3 reserved 28 within an array", "\x81\x9c", MST_E_CBOR),
	ROW("rfc8949_3 indefinite integer", "\x1f\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3 indefinite negative integer", "\x3f\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3 indefinite tag", "\xdf\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3_3 simple value 0 in two bytes", "\xf8\x00", MST_E_CBOR),
	ROW("rfc8949_3_3 simple value 20 in two bytes", "\xf8\x14", MST_E_CBOR),
	ROW("rfc8949_3_3 simple value 24 in two bytes", "\xf8\x18", MST_E_CBOR),
	ROW("rfc8949_3_3 simple value 31 in two bytes", "\xf8\x1f", MST_E_CBOR),
	ROW("rfc8949_3_3 simple value 32 in two bytes is good", "\xf8\x20", MST_OK),
	ROW("rfc8949_3_2_1 break alone", "\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_1 break in a definite array", "\x81\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_1 break as a definite map's key", "\xa1\xff\x00", MST_E_CBOR),
	ROW("rfc8949_3_2_1 break as a definite map's value", "\xa1\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_1 break as a tag's content", "\xc0\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_1 break as a tag's content within", "\x9f\xc0\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_1 break of an outer container", "\x9f\x81\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_2 indefinite map with an odd item", "\xbf\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_2 indefinite map with three items", "\xbf\x00\x01\x02\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_2 indefinite map with a tagged half pair", "\xbf\xc1\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_2 indefinite map with a pair is good", "\xbf\x00\x01\xff", MST_OK),
	ROW("rfc8949_3_2_2 indefinite map with a tagged key is good", "\xbf\xc1\x00\x01\xff",
	    MST_OK),
	ROW("rfc8949_3_2_2 unclosed array", "\x9f", MST_E_CBOR),
	ROW("rfc8949_3_2_2 unclosed array with an item", "\x9f\x00", MST_E_CBOR),
	ROW("rfc8949_3_2_2 unclosed map with a pair", "\xbf\x00\x00", MST_E_CBOR),
	ROW("rfc8949_3_2_3 unclosed bytes", "\x5f\x41\x00", MST_E_CBOR),
	ROW("rfc8949_3_2_3 text chunk in bytes", "\x5f\x61\x61\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_3 bytes chunk in text", "\x7f\x41\x61\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_3 integer in bytes", "\x5f\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_3 tagged chunk", "\x5f\xc0\x41\x00\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_3 indefinite chunk", "\x5f\x5f\x41\x00\xff\xff", MST_E_CBOR),
	ROW("rfc8949_3_2_3 no chunk is good", "\x5f\xff", MST_OK),
	ROW("rfc8949_3_2_3 empty chunks are good", "\x7f\x60\x60\xff", MST_OK),
	ROW("rfc8949_3_2_3 a character split between chunks", "\x7f\x61\xc3\x61\xbc\xff",
	    MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 text with a lone continuation", "\x61\x80", MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 text with a cut character", "\x61\xc3", MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 text with an overlong NUL", "\x62\xc0\x80", MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 text with an overlong slash", "\x63\xe0\x80\xaf", MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 text with a surrogate", "\x63\xed\xa0\x80", MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 text above U+10FFFF", "\x64\xf4\x90\x80\x80", MST_E_CBOR_UTF8),
	ROW("rfc8949_3_1 the same as bytes is good", "\x44\xf4\x90\x80\x80", MST_OK),
	ROW("rfc8949_3_1 bad text as a map's key", "\xa1\x61\x80\x00", MST_E_CBOR_UTF8),
	ROW("rfc8949_c bytes longer than the input", "\x42\x00", MST_E_CBOR),
	ROW("rfc8949_c bytes of length 2^64-1", "\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
	    MST_E_CBOR),
	ROW("rfc8949_c text of length 2^64-1", "\x7b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
	    MST_E_CBOR),
	ROW("rfc8949_c bytes of length 2^63", "\x5b\x80\x00\x00\x00\x00\x00\x00\x00\x00",
	    MST_E_CBOR),
	ROW("rfc8949_c bytes of length 2^32-1", "\x5a\xff\xff\xff\xff\x00", MST_E_CBOR),
	ROW("rfc8949_c length that wraps back to the head", "\x5b\xff\xff\xff\xff\xff\xff\xff\xf7",
	    MST_E_CBOR),
	ROW("rfc8949_c array of 2^64-1 items", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00",
	    MST_E_CBOR),
	ROW("rfc8949_c map of 2^63 pairs, no items when doubled",
	    "\xbb\x80\x00\x00\x00\x00\x00\x00\x00", MST_E_CBOR),
	ROW("rfc8949_c map of 2^63+1 pairs, two items when doubled",
	    "\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00", MST_E_CBOR),
	ROW("rfc8949_c map of 2^31 pairs", "\xba\x80\x00\x00\x00\x00\x00", MST_E_CBOR),
	ROW("rfc8949_c chunk of length 2^64-1", "\x5f\x5b\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	    MST_E_CBOR),
	ROW("rfc8949_c array one item short", "\x82\x00", MST_E_CBOR),
	ROW("rfc8949_c map one value short", "\xa1\x00", MST_E_CBOR),
	ROW("rfc8949_c cut argument of one byte", "\x18", MST_E_CBOR),
	ROW("rfc8949_c cut argument of two bytes", "\x19\x00", MST_E_CBOR),
	ROW("rfc8949_c cut argument of four bytes", "\x1a\x00\x00\x00", MST_E_CBOR),
	ROW("rfc8949_c cut argument of eight bytes", "\x1b\x00\x00\x00\x00\x00\x00\x00",
	    MST_E_CBOR),
	ROW("rfc8949_c cut half", "\xf9\x00", MST_E_CBOR),
	ROW("rfc8949_c cut double", "\xfb\x00\x00\x00\x00\x00\x00\x00", MST_E_CBOR),
	ROW("rfc8949_c tag without content", "\xc1", MST_E_CBOR),
	ROW("rfc8949_c tag of a tag without content", "\xc1\xc1", MST_E_CBOR),
	ROW("rfc8949_5_1 a second item", "\x00\x00", MST_E_CBOR_TRAILING),
	ROW("rfc8949_5_1 a byte after an array", "\x80\x00", MST_E_CBOR_TRAILING),
	ROW("rfc8949_5_1 a break after an item", "\x00\xff", MST_E_CBOR_TRAILING),
	ROW("rfc8949_4_1 long integers are good", "\x1b\x00\x00\x00\x00\x00\x00\x00\x01", MST_OK),
	ROW("rfc8949_4_1 long lengths are good", "\x5b\x00\x00\x00\x00\x00\x00\x00\x01\x61",
	    MST_OK),
	ROW("rfc8949_4_1 long counts are good", "\xb8\x01\x18\x01\x98\x00", MST_OK),
};

static void
verdict(void **state)
{
	const struct row *row = *state;

	assert_int_equal(validate_exact(row->in), row->want);
	assert_int_equal(mst_cbor_validate_unique(row->in), row->want);
	assert_int_equal(walk(row->in) == MST_OK, row->want == MST_OK && row->in.ptr[0] != 0x7f);
}

static void
every_strict_prefix_of_the_good_rows_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t n = 0; rows[i].want == MST_OK && n < rows[i].in.len; n++)
			assert_int_equal(
			    validate_exact(mst_span_of(rows[i].in.ptr, n)), MST_E_CBOR);
}

/* With as many bytes behind as a next power of two would take: not refused for being cut. */
static void
rfc8949_3_reserved_is_refused_for_what_it_is(void **state)
{
	(void)state;
	for (unsigned major = 0; major < 8; major++)
		for (unsigned info = 28; info <= 30; info++)
			for (size_t n = 1; n <= 130; n++) {
				uint8_t in[130] = { (uint8_t)(major << 5 | info) };

				assert_int_equal(validate_exact(mst_span_of(in, n)), MST_E_CBOR);
			}
}

/* depth containers within one another, the innermost empty; each kind of head by itself */
static mst_err
nested(size_t depth, const char *head, const char *tail)
{
	uint8_t room[4 * (MST_CBOR_DEPTH + 2)];
	struct mst_buf b = MST_BUF(room);
	size_t i;

	for (i = 1; i < depth; i++)
		assert_int_equal(mst_buf_put(&b, mst_span_str(head)), MST_OK);
	assert_int_equal(mst_buf_put_byte(&b, 0x80), MST_OK);
	for (i = 1; i < depth; i++)
		assert_int_equal(mst_buf_put(&b, mst_span_str(tail)), MST_OK);
	return validate_exact(mst_buf_span(&b));
}

static void
depth_is_bounded(const char *head, const char *tail)
{
	assert_int_equal(nested(1, head, tail), MST_OK);
	assert_int_equal(nested(MST_CBOR_DEPTH, head, tail), MST_OK);
	assert_int_equal(nested(MST_CBOR_DEPTH + 1, head, tail), MST_E_CBOR_DEPTH);
}

static void
rfc8949_10_depth_of_arrays(void **state)
{
	(void)state;
	depth_is_bounded("\x81", "");
}

static void
rfc8949_10_depth_of_indefinite_arrays(void **state)
{
	(void)state;
	depth_is_bounded("\x9f", "\xff");
}

static void
rfc8949_10_depth_of_map_values(void **state)
{
	(void)state;
	depth_is_bounded("\xa1\x01", "");
}

static void
rfc8949_10_depth_of_map_keys(void **state)
{
	(void)state;
	depth_is_bounded("\xbf", "\x01\xff");
}

static void
rfc8949_10_depth_of_tagged_arrays(void **state)
{
	(void)state;
	depth_is_bounded("\xc1\x81", "");
}

static void
rfc8949_10_a_million_opening_bytes_are_refused(void **state)
{
	static uint8_t many[1000000];

	(void)state;
	memset(many, 0x81, sizeof many);
	assert_int_equal(mst_cbor_validate(mst_span_of(many, sizeof many)), MST_E_CBOR_DEPTH);
	memset(many, 0xbf, sizeof many);
	assert_int_equal(mst_cbor_validate(mst_span_of(many, sizeof many)), MST_E_CBOR_DEPTH);
}

/* Tags take no level; a million of them must take no stack either. */
static void
rfc8949_10_a_million_tags_take_no_stack(void **state)
{
	static uint8_t many[1000000];

	(void)state;
	memset(many, 0xc1, sizeof many);
	assert_int_equal(mst_cbor_validate(mst_span_of(many, sizeof many)), MST_E_CBOR);
	many[sizeof many - 1] = 0x00;
	assert_int_equal(mst_cbor_validate(mst_span_of(many, sizeof many)), MST_OK);
	assert_int_equal(mst_cbor_validate_unique(mst_span_of(many, sizeof many)), MST_OK);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(every_strict_prefix_of_the_good_rows_is_refused),
		cmocka_unit_test(rfc8949_3_reserved_is_refused_for_what_it_is),
		cmocka_unit_test(rfc8949_10_depth_of_arrays),
		cmocka_unit_test(rfc8949_10_depth_of_indefinite_arrays),
		cmocka_unit_test(rfc8949_10_depth_of_map_values),
		cmocka_unit_test(rfc8949_10_depth_of_map_keys),
		cmocka_unit_test(rfc8949_10_depth_of_tagged_arrays),
		cmocka_unit_test(rfc8949_10_a_million_opening_bytes_are_refused),
		cmocka_unit_test(rfc8949_10_a_million_tags_take_no_stack),
	};
	struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] =
		    (struct CMUnitTest){ rows[i].name, verdict, NULL, NULL, (void *)&rows[i] };
	for (size_t i = 0; i < COUNT(others); i++)
		tests[n++] = others[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

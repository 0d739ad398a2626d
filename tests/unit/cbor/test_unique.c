/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8949 5.6 and requirements DM-5: a key given twice, in whatever disguise. */
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

#define TWICE(name, bytes)                                                                         \
	{                                                                                          \
		"dm5 " name, { (const uint8_t *)(bytes), sizeof(bytes) - 1 }, MST_E_CBOR_DUPLICATE \
	}
#define DISTINCT(name, bytes)                                                                      \
	{                                                                                          \
		"dm5 " name, { (const uint8_t *)(bytes), sizeof(bytes) - 1 }, MST_OK               \
	}

static const struct row rows[] = {
	TWICE("the same integer", "\xa2\x01\x0a\x01\x0b"),
	TWICE("the same integer and value", "\xa2\x01\x0a\x01\x0a"),
	TWICE("first and third", "\xa3\x01\x00\x02\x00\x01\x00"),
	TWICE("an integer in a longer form", "\xa2\x01\x00\x18\x01\x00"),
	TWICE("an integer in the longest form",
	    "\xa2\x1b\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00"),
	TWICE("the same negative", "\xa2\x20\x00\x38\x00\x00"),
	TWICE("the same negative beyond int64",
	    "\xa2\x3b\xff\xff\xff\xff\xff\xff\xff\xff\x00\x3b\xff\xff\xff\xff\xff\xff\xff\xff\x00"),
	TWICE("in an indefinite map", "\xbf\x01\x00\x01\x00\xff"),
	TWICE("the same text", "\xa2\x61\x61\x00\x61\x61\x00"),
	TWICE("text with a longer length", "\xa2\x61\x61\x00\x78\x01\x61\x00"),
	TWICE("text in one chunk", "\xa2\x61\x61\x00\x7f\x61\x61\xff\x00"),
	TWICE("text in two chunks", "\xa2\x62\x61\x62\x00\x7f\x61\x61\x61\x62\xff\x00"),
	TWICE("text in chunks cut differently",
	    "\xa2\x7f\x62\x61\x62\x61\x63\xff\x00\x7f\x60\x61\x61\x62\x62\x63\xff\x00"),
	TWICE("empty text and no chunk", "\xa2\x60\x00\x7f\xff\x00"),
	TWICE("empty chunks and no chunk", "\xa2\x7f\x60\x60\xff\x00\x7f\xff\x00"),
	TWICE("the same bytes", "\xa2\x41\x61\x00\x41\x61\x00"),
	TWICE("bytes in two chunks", "\xa2\x42\x01\x02\x00\x5f\x41\x01\x41\x02\xff\x00"),
	TWICE("the same boolean", "\xa2\xf5\x00\xf5\x00"),
	TWICE("null", "\xa2\xf6\x00\xf6\x00"),
	TWICE("the same simple value", "\xa2\xf8\xff\x00\xf8\xff\x00"),
	TWICE("a float in two widths", "\xa2\xf9\x3c\x00\x00\xfa\x3f\x80\x00\x00\x00"),
	TWICE("the same tagged key", "\xa2\xc1\x01\x00\xc1\x18\x01\x00"),
	TWICE("the same array", "\xa2\x81\x01\x00\x81\x01\x00"),
	TWICE("a definite and an indefinite array", "\xa2\x82\x01\x02\x00\x9f\x01\x02\xff\x00"),
	TWICE("nested arrays", "\xa2\x81\x81\x80\x00\x9f\x9f\x80\xff\xff\x00"),
	TWICE("a definite and an indefinite map", "\xa2\xa1\x01\x02\x00\xbf\x01\x02\xff\x00"),
	TWICE("in a map within an array", "\x82\x00\xa2\x01\x00\x01\x00"),
	TWICE("in a map as a value", "\xa1\x01\xa2\x01\x00\x01\x00"),
	TWICE("in a map as a key", "\xa1\xa2\x01\x00\x01\x00\x00"),
	TWICE("in a map behind a tag", "\xd8\x12\xa2\x01\x00\x01\x00"),
	TWICE("in the last of several", "\x83\xa1\x01\x00\xa1\x01\x00\x9f\xa2\x01\x00\x01\x00\xff"),
	TWICE("behind a closed inner map", "\xa3\x01\xa1\x01\x00\x02\x00\x01\x00"),
	DISTINCT("no pair is good", "\xa0"),
	DISTINCT("no map is good", "\x01"),
	DISTINCT("two integers are good", "\xa2\x01\x00\x02\x00"),
	DISTINCT("1 and -2 are good", "\xa2\x01\x00\x21\x00"),
	DISTINCT("integer and text are good", "\xa2\x01\x00\x61\x31\x00"),
	DISTINCT("two texts of one length are good", "\xa2\x61\x61\x00\x61\x62\x00"),
	DISTINCT("two texts that differ in the second chunk are good",
	    "\xa2\x62\x61\x62\x00\x7f\x61\x61\x61\x63\xff\x00"),
	DISTINCT("bytes and text are good", "\xa2\x41\x61\x00\x61\x61\x00"),
	DISTINCT("a beginning is good", "\xa2\x61\x61\x00\x62\x61\x62\x00"),
	DISTINCT("a beginning in chunks is good", "\xa2\x61\x61\x00\x7f\x61\x61\x61\x62\xff\x00"),
	DISTINCT("1 and 1.0 are good", "\xa2\x01\x00\xf9\x3c\x00\x00"),
	DISTINCT("true and false are good", "\xa2\xf4\x00\xf5\x00"),
	DISTINCT("two tags are good", "\xa2\xc1\x01\x00\xc2\x01\x00"),
	DISTINCT("one tag of two contents is good", "\xa2\xc1\x01\x00\xc1\x02\x00"),
	DISTINCT("tagged and bare are good", "\xa2\xc1\x01\x00\x01\x00"),
	DISTINCT("arrays of two lengths are good", "\xa2\x81\x01\x00\x82\x01\x01\x00"),
	DISTINCT("an array and its item are good", "\xa2\x81\x01\x00\x01\x00"),
	DISTINCT(
	    "arrays nested differently are good", "\xa2\x82\x81\x01\x02\x00\x82\x81\x02\x01\x00"),
	DISTINCT("a key of an outer and an inner map is good", "\xa1\x01\xa1\x01\x00"),
	DISTINCT("a key of two sister maps is good", "\x82\xa1\x01\x00\xa1\x01\x00"),
	DISTINCT("a value like a key is good", "\xa2\x01\x02\x02\x01"),
};

static void
verdict(void **state)
{
	const struct row *row = *state;

	assert_int_equal(mst_cbor_validate(row->in), MST_OK);
	assert_int_equal(mst_cbor_validate_unique(row->in), row->want);
}

static size_t
map_of(size_t pairs, uint8_t *to, size_t cap)
{
	struct mst_buf b = { to, cap, 0 };
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_map(&w, pairs);
	for (size_t i = 0; i < pairs; i++) {
		mst_cbor_put_uint(&w, i);
		mst_cbor_put_null(&w);
	}
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	return b.len;
}

static void
dm5_a_map_of_64_members_is_good_and_of_65_refused(void **state)
{
	uint8_t in[4 * MST_CBOR_PAIRS];

	(void)state;
	assert_int_equal(
	    mst_cbor_validate_unique(mst_span_of(in, map_of(MST_CBOR_PAIRS, in, sizeof in))),
	    MST_OK);
	assert_int_equal(
	    mst_cbor_validate_unique(mst_span_of(in, map_of(MST_CBOR_PAIRS + 1, in, sizeof in))),
	    MST_E_CBOR_LIMIT);
	assert_int_equal(
	    mst_cbor_validate(mst_span_of(in, map_of(MST_CBOR_PAIRS + 1, in, sizeof in))), MST_OK);
}

static void
dm5_a_duplicate_at_every_pair_of_places(void **state)
{
	uint8_t in[2 + 8 * 2];

	(void)state;
	for (size_t i = 0; i < 8; i++)
		for (size_t j = 0; j < 8; j++) {
			size_t n = map_of(8, in, sizeof in);

			in[1 + 2 * i] = in[1 + 2 * j];
			assert_int_equal(mst_cbor_validate_unique(mst_span_of(in, n)),
			    i == j ? MST_OK : MST_E_CBOR_DUPLICATE);
		}
}

static void
rfc8949_c_malformed_keeps_its_name(void **state)
{
	(void)state;
	assert_int_equal(mst_cbor_validate_unique(BYTES("\xa2\x01\x00\x01")), MST_E_CBOR);
	assert_int_equal(
	    mst_cbor_validate_unique(BYTES("\xa2\x01\x00\x01\x00\x00")), MST_E_CBOR_TRAILING);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(dm5_a_map_of_64_members_is_good_and_of_65_refused),
		cmocka_unit_test(dm5_a_duplicate_at_every_pair_of_places),
		cmocka_unit_test(rfc8949_c_malformed_keeps_its_name),
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostic notation: RFC 8949 section 8; what is not well-formed is no text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/cbor_diag.h"

static mst_span
from_hex(struct arena *a, const char *hex)
{
	struct mst_buf b = arena_buf(a, strlen(hex) / 2 + 1);

	for (size_t i = 0; hex[i] != '\0' && hex[i + 1] != '\0'; i += 2) {
		const char two[3] = { hex[i], hex[i + 1], '\0' };

		assert_int_equal(mst_buf_put_byte(&b, (uint8_t)strtoul(two, NULL, 16)), MST_OK);
	}
	return mst_buf_span(&b);
}

static const struct row {
	const char *hex, *want; /* NULL: refused */
	unsigned flags;
} rows[] = {
	{ "00", "0", 0 },
	{ "1818", "24", 0 },
	{ "1bffffffffffffffff", "18446744073709551615", 0 },
	{ "20", "-1", 0 },
	{ "3903e7", "-1000", 0 },
	{ "3bffffffffffffffff", "-18446744073709551616", 0 },
	{ "c249010000000000000000", "2(h'010000000000000000')", 0 },
	{ "f90000", "0.0", 0 },
	{ "f98000", "-0.0", 0 },
	{ "f93c00", "1.0", 0 },
	{ "fb3ff199999999999a", "1.1", 0 },
	{ "fa47c35000", "100000.0", 0 },
	{ "fb7e37e43c8800759c", "1e+300", 0 },
	{ "f97c00", "Infinity", 0 },
	{ "f9fc00", "-Infinity", 0 },
	{ "f97e00", "NaN", 0 },
	{ "f4", "false", 0 },
	{ "f5", "true", 0 },
	{ "f6", "null", 0 },
	{ "f7", "undefined", 0 },
	{ "f0", "simple(16)", 0 },
	{ "f8ff", "simple(255)", 0 },
	{ "40", "h''", 0 },
	{ "4401020304", "h'01020304'", 0 },
	{ "60", "\"\"", 0 },
	{ "6449455446", "\"IETF\"", 0 },
	{ "62225c", "\"\\\"\\\\\"", 0 },
	{ "62c3bc", "\"\xc3\xbc\"", 0 },
	{ "631b5b6d", "\"\\u001b[m\"", 0 }, /* a terminal would obey it */
	{ "62c29b", "\"\\u009b\"", 0 },
	{ "617f", "\"\\u007f\"", 0 },
	{ "6a0a", NULL, 0 },
	{ "620a09", "\"\\n\\t\"", 0 },
	{ "80", "[]", 0 },
	{ "83010203", "[1, 2, 3]", 0 },
	{ "8301820203820405", "[1, [2, 3], [4, 5]]", 0 },
	{ "a0", "{}", 0 },
	{ "a201020304", "{1: 2, 3: 4}", 0 },
	{ "a26161016162820203", "{\"a\": 1, \"b\": [2, 3]}", 0 },
	{ "5f42010243030405ff", "(_ h'0102', h'030405')", 0 },
	{ "7f657374726561646d696e67ff", "(_ \"strea\", \"ming\")", 0 },
	{ "9fff", "[_ ]", 0 },
	{ "9f018202039f0405ffff", "[_ 1, [2, 3], [_ 4, 5]]", 0 },
	{ "bf6346756ef563416d7421ff", "{_ \"Fun\": true, \"Amt\": -2}", 0 },
	{ "c1c1c100", "1(1(1(0)))", 0 },
	{ "d28443a10126a0f640", "18([<<{1: -7}>>, {}, null, h''])", CBOR_DIAG_COSE },
	{ "d28443a10126a0f640", "18([h'a10126', {}, null, h''])", 0 },
	{ "8443a10126a041ff40", "[<<{1: -7}>>, {}, h'ff', h'']", CBOR_DIAG_COSE },
	{ "8240844100a0410040", "[h'', [h'00', {}, h'00', h'']]", CBOR_DIAG_COSE },
	{ "824481020304"
	  "00",
	    "[h'81020304', 0]", CBOR_DIAG_COSE },
	/* broken into lines only where one line is too short */
	{ "a2015820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f028101",
	    "{\n  1: h'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',\n"
	    "  2: [1]\n}",
	    0 },
	{ "9f5820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f01ff",
	    "[_\n  h'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',\n"
	    "  1\n]",
	    0 },
	{ "", NULL, 0 },
	{ "18", NULL, 0 },
	{ "0000", NULL, 0 },
	{ "81", NULL, 0 },
	{ "a101", NULL, 0 },
	{ "ff", NULL, 0 },
	{ "fc", NULL, 0 },
	{ "f818", NULL, 0 },
	{ "61ff", NULL, 0 },
	{ "7f4100ff", NULL, 0 },
	{ "c1", NULL, 0 },
};

static void
test_row(void **state)
{
	const struct row *r = *state;
	struct arena *a = arena_new(0);
	const char *text = NULL;
	mst_err e = cbor_diag(a, from_hex(a, r->hex), r->flags, &text);

	if (r->want == NULL) {
		assert_int_not_equal(e, MST_OK);
		assert_null(text);
	} else {
		assert_int_equal(e, MST_OK);
		assert_string_equal(text, r->want);
	}
	arena_free(a);
}

/* The reader bounds the levels; tags are no levels and must not be a recursion. */
static void
test_depth(void **state)
{
	struct arena *a = arena_new(0);
	struct mst_buf b = arena_buf(a, 200001);
	const char *text = NULL;

	(void)state;
	for (int i = 0; i < 200000; i++)
		assert_int_equal(mst_buf_put_byte(&b, 0xc1), MST_OK);
	assert_int_equal(mst_buf_put_byte(&b, 0), MST_OK);
	assert_int_equal(cbor_diag(a, mst_buf_span(&b), 0, &text), MST_OK);
	assert_int_equal(strlen(text), 200000u * 3 + 1);
	for (size_t i = 0; i < b.len - 1; i++)
		b.ptr[i] = 0x81;
	text = NULL;
	assert_int_equal(cbor_diag(a, mst_buf_span(&b), 0, &text), MST_E_CBOR_DEPTH);
	assert_null(text);
	arena_free(a);
}

int
main(void)
{
	enum { ROWS = sizeof rows / sizeof rows[0] };
	static struct CMUnitTest tests[ROWS + 1];
	struct arena *names = arena_new(0);
	int failed;

	for (size_t i = 0; i < ROWS; i++)
		tests[i] =
		    (struct CMUnitTest){ arena_printf(names, "RFC 8949 8 %s %.20s%s",
			                     rows[i].want != NULL ? "notation of" : "none of",
			                     rows[i].hex, rows[i].flags != 0 ? " (COSE)" : ""),
			    test_row, NULL, NULL, (void *)(uintptr_t)&rows[i] };
	tests[ROWS] = (struct CMUnitTest){ "DM-5 levels are bounded, tags no recursion", test_depth,
		NULL, NULL, NULL };
	failed =
	    _cmocka_run_group_tests("CBOR in diagnostic notation", tests, ROWS + 1, NULL, NULL);
	arena_free(names);
	return failed;
}

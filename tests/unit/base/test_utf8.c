/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/base/utf8.h"

/* RFC 3629 3 by arithmetic, where the code under test goes by the table of section 4. */
static size_t
encode(uint32_t c, size_t len, uint8_t out[4])
{
	static const uint8_t lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len; i > 1; i--, c >>= 6)
		out[i - 1] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)(lead[len] | c);
	return len;
}

static size_t
length_due(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void
rfc3629_3_every_code_point_but_surrogates_is_valid(void **state)
{
	uint8_t b[4];

	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		size_t n = encode(c, length_due(c), b);
		int surrogate = c >= 0xd800 && c <= 0xdfff;

		assert_int_equal(mst_utf8_ok(mst_span_of(b, n)), !surrogate);
	}
}

static void
rfc3629_3_every_overlong_form_is_refused(void **state)
{
	uint8_t b[4];

	(void)state;
	for (uint32_t c = 0; c <= 0xffff; c++)
		for (size_t n = length_due(c) + 1; n <= 4; n++)
			assert_false(mst_utf8_ok(mst_span_of(b, encode(c, n, b))));
}

static void
rfc3629_3_above_10ffff_is_refused(void **state)
{
	uint8_t b[4];

	(void)state;
	for (uint32_t c = 0x110000; c <= 0x1fffff; c++)
		assert_false(mst_utf8_ok(mst_span_of(b, encode(c, 4, b))));
}

static void
rfc3629_4_every_two_bytes_that_are_no_character_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= 0xffff; i++) {
		uint8_t b[2] = { (uint8_t)(i >> 8), (uint8_t)i };
		int ascii = b[0] < 0x80 && b[1] < 0x80;
		int two = b[0] >= 0xc2 && b[0] <= 0xdf && (b[1] & 0xc0) == 0x80;

		assert_int_equal(mst_utf8_ok(mst_span_of(b, 2)), ascii || two);
	}
}

static void
rfc3629_4_cut_characters_are_refused(void **state)
{
	static const uint32_t some[] = { 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000,
		0x10ffff };
	uint8_t b[4];

	(void)state;
	for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
		size_t n = encode(some[i], length_due(some[i]), b);

		while (--n > 0)
			assert_false(mst_utf8_ok(mst_span_of(b, n)));
	}
}

static void
empty_and_nul_are_valid(void **state)
{
	(void)state;
	assert_true(mst_utf8_ok(MST_NONE));
	assert_true(mst_utf8_ok(MST_LIT("a\0b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3629_3_every_code_point_but_surrogates_is_valid),
		cmocka_unit_test(rfc3629_3_every_overlong_form_is_refused),
		cmocka_unit_test(rfc3629_3_above_10ffff_is_refused),
		cmocka_unit_test(rfc3629_4_every_two_bytes_that_are_no_character_are_refused),
		cmocka_unit_test(rfc3629_4_cut_characters_are_refused),
		cmocka_unit_test(empty_and_nul_are_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every input of up to three bytes, judged by the code under test and by an
 * oracle: the pseudocode of RFC 8949 appendix C, recursive and with nothing
 * in common with the reader.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "support_cbor.h"

struct oracle {
	const uint8_t *p;
	size_t left;
	int pieces; /* a string of indefinite length in more than one chunk was seen */
};

enum { BAD = -1, BREAK = -2 };

/* Up to three bytes of text: at most one character of more than one byte. */
static int
text_ok(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t len = p[i] < 0x80             ? 1
		             : (p[i] & 0xe0) == 0xc0 ? 2
		             : (p[i] & 0xf0) == 0xe0 ? 3
		                                     : 9;
		unsigned c;

		if (len > n - i)
			return 0;
		c = len == 1 ? p[i] : p[i] & (len == 2 ? 0x1fU : 0x0fU);
		for (size_t k = 1; k < len; k++) {
			if ((p[i + k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i + k] & 0x3fU);
		}
		if ((len == 2 && c < 0x80) || (len == 3 && (c < 0x800 || (c >> 11) == 0x1b)))
			return 0;
		i += len;
	}
	return 1;
}

static int item(struct oracle *o, int breakable);

static int
indefinite(struct oracle *o, int major, int breakable)
{
	int n = 0, got;

	if (major == 7)
		return breakable ? BREAK : BAD;
	if (major < 2 || major == 6)
		return BAD;
	for (; (got = item(o, 1)) != BREAK; n++)
		if (got == BAD || (major <= 3 && got != major))
			return BAD;
	if (major == 5 && n % 2 != 0)
		return BAD;
	if (major <= 3 && n > 1)
		o->pieces = 1;
	return major <= 3 ? 64 + major : major; /* a chunk must not be indefinite itself */
}

static int
item(struct oracle *o, int breakable)
{
	uint64_t arg;
	int major, info;

	if (o->left == 0)
		return BAD;
	major = *o->p >> 5;
	info = *o->p & 31;
	o->p++;
	o->left--;
	if (info == 31)
		return indefinite(o, major, breakable);
	if (info > 27)
		return BAD;
	arg = (uint64_t)info;
	if (info >= 24) {
		size_t n = (size_t)1 << (info - 24);

		if (n > o->left)
			return BAD;
		for (arg = 0; n > 0; n--, o->left--)
			arg = arg * 256 + *o->p++;
	}
	if (major == 7 && info == 24 && arg < 32)
		return BAD;
	if (major == 2 || major == 3) {
		if (arg > o->left || (major == 3 && !text_ok(o->p, (size_t)arg)))
			return BAD;
		o->p += arg;
		o->left -= (size_t)arg;
	}
	if (major == 4 || major == 5 || major == 6)
		for (uint64_t n = major == 6 ? 1 : major == 4 ? arg : 2 * arg; n > 0; n--)
			if (item(o, 0) < 0)
				return BAD;
	return major;
}

static size_t tried, accepted;

static void
judge(const uint8_t *p, size_t n)
{
	struct oracle o = { p, n, 0 };
	int good = item(&o, 0) >= 0 && o.left == 0;
	mst_span in = mst_span_of(p, n);
	mst_err validated = mst_cbor_validate(in);

	tried++;
	accepted += good != 0;
	if ((validated == MST_OK) != good)
		fail_msg("%zu bytes %02x %02x %02x: validate says %d", n, p[0], n > 1 ? p[1] : 0,
		    n > 2 ? p[2] : 0, (int)validated);
	if ((walk(in) == MST_OK) != (good && !o.pieces))
		fail_msg("%zu bytes %02x %02x %02x: the reader differs", n, p[0], n > 1 ? p[1] : 0,
		    n > 2 ? p[2] : 0);
}

static void
every(size_t n)
{
	uint8_t *p = malloc(n); /* exact size: the sanitizer sees a read behind it */

	assert_non_null(p);
	tried = accepted = 0;
	for (uint32_t v = 0; v < 1U << 8 * n; v++) {
		for (size_t i = 0; i < n; i++)
			p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
		judge(p, n);
	}
	free(p);
	print_message("%zu inputs of %zu bytes, %zu well-formed\n", tried, n, accepted);
	assert_true(accepted > 0 && accepted < tried);
}

static void
rfc8949_c_no_byte_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mst_cbor_validate(MST_LIT("")), MST_E_CBOR);
	assert_int_equal(mst_cbor_validate(MST_NONE), MST_E_CBOR);
	assert_int_equal(mst_cbor_validate_unique(MST_NONE), MST_E_CBOR);
}

static void
rfc8949_c_every_input_of_one_byte(void **state)
{
	(void)state;
	every(1);
}

static void
rfc8949_c_every_input_of_two_bytes(void **state)
{
	(void)state;
	every(2);
}

static void
rfc8949_c_every_input_of_three_bytes(void **state)
{
	(void)state;
	every(3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8949_c_no_byte_is_refused),
		cmocka_unit_test(rfc8949_c_every_input_of_one_byte),
		cmocka_unit_test(rfc8949_c_every_input_of_two_bytes),
		cmocka_unit_test(rfc8949_c_every_input_of_three_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

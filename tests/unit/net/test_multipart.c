/* SPDX-License-Identifier: Apache-2.0 */
/* multipart-core, RFC 8710, against bytes made by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/net/multipart.h"

struct row {
	const char *name, *bytes;
	size_t len;
	mst_err err;
	size_t count;
};
#define B(s) (s), sizeof(s) - 1

static const struct row rows[] = {
	{ "RFC 8710 2: no part", B("\x80"), MST_OK, 0 },
	{ "CO-2: two certificates",
	    B("\x84\x19\x01\x1f\x41"
	      "a\x19\x01\x1f\x42"
	      "bc"),
	    MST_OK, 2 },
	{ "est.md F3: key and certificate",
	    B("\x84\x19\x01\x1c\x41"
	      "k\x19\x01\x1f\x41"
	      "c"),
	    MST_OK, 2 },
	{ "RFC 8949: indefinite length is read",
	    B("\x9f\x18\x3c\x41"
	      "a\xff"),
	    MST_OK, 1 },
	{ "RFC 8710 2: an absent part is null", B("\x82\x18\x3e\xf6"), MST_OK, 1 },
	{ "no array", B("\xa0"), MST_E_CBOR_TYPE, 0 },
	{ "a format without its part", B("\x81\x18\x3c"), MST_E_CBOR_TYPE, 0 },
	{ "a part that is text",
	    B("\x82\x18\x3c\x61"
	      "a"),
	    MST_E_CBOR_TYPE, 0 },
	{ "a format that is negative",
	    B("\x82\x20\x41"
	      "a"),
	    MST_E_CBOR_TYPE, 0 },
	{ "a format beyond 65535",
	    B("\x82\x1a\x00\x01\x00\x00\x41"
	      "a"),
	    MST_E_CBOR_LIMIT, 0 },
	{ "more parts than room", B("\x86\x01\x40\x02\x40\x03\x40"), MST_E_CBOR_LIMIT, 0 },
	{ "a byte behind it", B("\x80\x00"), MST_E_CBOR_TRAILING, 0 },
	{ "cut short",
	    B("\x82\x18\x3c\x42"
	      "a"),
	    MST_E_CBOR, 0 },
	{ "nothing at all", B(""), MST_E_CBOR, 0 },
};

static void
one_row(void **state)
{
	const struct row *r = *state;
	struct multipart parts[2];
	size_t n = 2;
	uint8_t *exact = malloc(r->len + 1);
	mst_err e;

	memcpy(exact, r->bytes, r->len);
	e = multipart_read(mst_span_of(exact, r->len), parts, &n);
	/* which of the reader's errors it is, is cbor's matter where it is not ours */
	if (r->err == MST_OK || r->err == MST_E_CBOR_LIMIT)
		assert_int_equal(e, r->err);
	else
		assert_int_not_equal(e, MST_OK);
	if (e == MST_OK)
		assert_int_equal(n, r->count);
	free(exact);
}

/* CO-2, as cBRSKI 6.6 writes it: [ 287, bstr, 287, bstr ]. */
static void
co2_bytes(void **state)
{
	static const char want[] = "\x84\x19\x01\x1f\x42\x30\x00\x19\x01\x1f\x41\x31";
	const struct multipart parts[] = { { 287, MST_LIT("\x30\x00") }, { 287, MST_LIT("\x31") } };
	uint8_t bytes[64];
	struct mst_buf out = MST_BUF(bytes);

	(void)state;
	assert_true(multipart_size(parts, 2) <= sizeof bytes);
	assert_int_equal(multipart_put(&out, parts, 2), MST_OK);
	assert_int_equal(out.len, sizeof want - 1);
	assert_memory_equal(out.ptr, want, out.len);
}

static void
no_space(void **state)
{
	const struct multipart parts[] = { { 287, MST_LIT("abcdefgh") } };
	uint8_t bytes[10];
	struct mst_buf out = MST_BUF(bytes);

	(void)state;
	assert_int_equal(multipart_put(&out, parts, 1), MST_E_SPACE);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

int
main(void)
{
	static struct CMUnitTest tests[COUNT(rows) + 2];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(co2_bytes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_space);
	return _cmocka_run_group_tests("multipart", tests, n, NULL, NULL);
}

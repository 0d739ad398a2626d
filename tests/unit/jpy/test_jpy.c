/* SPDX-License-Identifier: Apache-2.0 */
/* The JPY array: constrained-join-proxy 4.5, requirements JP-U2. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/jpy.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define H16 "\xd0\x19\x14\xbc\xc3\x76\xa8\x8f\xfe\xcc\x50\xca\x60\x17\xb0\xc1"
#define H32 H16 H16

struct row {
	const char *name;
	mst_span in;
	mst_err want;
	size_t header, content;
};

#define ROW(name, bytes, want, header, content)                                                    \
	{                                                                                          \
		name, { (const uint8_t *)(bytes), sizeof(bytes) - 1 }, want, header, content       \
	}
#define GOOD(name, bytes, header, content) ROW(name, bytes, MST_OK, header, content)
#define BAD(name, bytes, want) ROW(name, bytes, want, 0, 0)

static const struct row rows[] = {
	GOOD("JP-U2 two byte strings", "\x82\x41\x01\x43\x16\xfe\xfd", 1, 3),
	GOOD("JP-U2 an indefinite array", "\x9f\x41\x01\x43\x16\xfe\xfd\xff", 1, 3),
	GOOD("JP-U2 an array with a long count", "\x98\x02\x41\x01\x41\x02", 1, 1),
	GOOD("JP-U2 strings with long lengths", "\x82\x58\x01\x01\x59\x00\x01\x02", 1, 1),
	GOOD("JP-U2 strings of one chunk", "\x82\x5f\x41\x01\xff\x5f\x41\x02\xff", 1, 1),
	GOOD("JP-U2 an empty header and empty content", "\x82\x40\x40", 0, 0),
	GOOD("JP-U2 a header of 16 bytes", "\x82\x50" H16 "\x40", 16, 0),
	GOOD("JP-U2 a header of 32 bytes", "\x82\x58\x20" H32 "\x40", 32, 0),
	GOOD("JP-U2 4.5.7 a third element is ignored", "\x83\x41\x01\x41\x02\x00", 1, 1),
	GOOD("JP-U2 4.5.7 a third element may be deep", "\x83\x41\x01\x41\x02\xa1\x61\x61\x81\xf6",
	    1, 1),
	GOOD("JP-U2 4.5.7 many more, indefinite", "\x9f\x41\x01\x41\x02\x20\x60\xf5\xff", 1, 1),
	BAD("JP-U2 4.5.7 no element", "\x80", MST_E_JPY_ELEMENTS),
	BAD("JP-U2 4.5.7 no element, indefinite", "\x9f\xff", MST_E_JPY_ELEMENTS),
	BAD("JP-U2 4.5.7 one element", "\x81\x41\x01", MST_E_JPY_ELEMENTS),
	BAD("JP-U2 4.5.7 one element, indefinite", "\x9f\x41\x01\xff", MST_E_JPY_ELEMENTS),
	BAD("JP-U2 a header of 33 bytes", "\x82\x58\x21" H32 "\x01\x40", MST_E_JPY_HEADER),
	BAD("JP-U2 nothing", "", MST_E_CBOR),
	BAD("JP-U2 DTLS without its yoke", "\x16\xfe\xfd\x00\x00\x00\x00\x00", MST_E_CBOR_TYPE),
	BAD("JP-U2 a map", "\xa1\x41\x01\x41\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 a byte string", "\x42\x01\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 a tagged array", "\xc1\x82\x41\x01\x41\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 a text as header", "\x82\x61\x61\x41\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 a number as header", "\x82\x01\x41\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 null as header", "\x82\xf6\x41\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 a text as content", "\x82\x41\x01\x61\x61", MST_E_CBOR_TYPE),
	BAD("JP-U2 an array as content", "\x82\x41\x01\x81\x41\x02", MST_E_CBOR_TYPE),
	BAD("JP-U2 content in two chunks", "\x82\x41\x01\x5f\x41\x02\x41\x03\xff", MST_E_CBOR_TYPE),
	BAD("JP-U2 a byte behind it", "\x82\x41\x01\x41\x02\x00", MST_E_CBOR_TRAILING),
	BAD("JP-U2 another behind it", "\x82\x41\x01\x41\x02\x82\x41\x01\x41\x02",
	    MST_E_CBOR_TRAILING),
	BAD("JP-U2 a header beyond the datagram", "\x82\x5a\xff\xff\xff\xff\x01", MST_E_CBOR),
	BAD("JP-U2 content beyond the datagram",
	    "\x82\x41\x01\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x01", MST_E_CBOR),
	BAD("JP-U2 a count beyond the datagram",
	    "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x41\x01\x41\x02", MST_E_CBOR),
	BAD("JP-U2 4.5.7 a third element that is no CBOR", "\x83\x41\x01\x41\x02\x1c", MST_E_CBOR),
	BAD("JP-U2 4.5.7 a third element that is cut", "\x83\x41\x01\x41\x02\x42\x00", MST_E_CBOR),
	BAD("JP-U2 4.5.7 a third element of bad UTF-8", "\x83\x41\x01\x41\x02\x61\x80",
	    MST_E_CBOR_UTF8),
	BAD("JP-U2 4.5.7 a third element too deep",
	    "\x83\x41\x01\x41\x02\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81"
	    "\x00",
	    MST_E_CBOR_DEPTH),
};

/* On a heap block of exactly its size; out is untouched by a refusal. */
static mst_err
parse_exact(mst_span in, size_t len, struct mst_jpy *out)
{
	uint8_t *copy = malloc(len != 0 ? len : 1);
	struct mst_jpy before = *out;
	mst_err e;

	assert_non_null(copy);
	memcpy(copy, in.ptr, len);
	e = mst_jpy_parse(mst_span_of(copy, len), out);
	if (e == MST_OK) { /* the same places, in bytes that outlive this function */
		out->header.ptr = in.ptr + (out->header.ptr - copy);
		out->content.ptr = in.ptr + (out->content.ptr - copy);
	} else
		assert_memory_equal(&before, out, sizeof before);
	free(copy);
	return e;
}

static void
verdict(void **state)
{
	const struct row *row = *state;
	struct mst_jpy m = { MST_NONE, MST_NONE };

	assert_int_equal(parse_exact(row->in, row->in.len, &m), row->want);
	if (row->want != MST_OK)
		return;
	assert_int_equal(m.header.len, row->header);
	assert_int_equal(m.content.len, row->content);
	assert_true(m.header.ptr > row->in.ptr && m.content.ptr > m.header.ptr);
}

static void
JP_U2_every_strict_prefix_is_refused(void **state)
{
	struct mst_jpy m = { MST_NONE, MST_NONE };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t n = 0; rows[i].want == MST_OK && n < rows[i].in.len; n++)
			if (parse_exact(rows[i].in, n, &m) == MST_OK)
				fail_msg("%s: %zu bytes of it", rows[i].name, n);
}

/* requirements 24: the worked example, its strings' lengths as in appendix A of the draft */
static void
JP_U2_24_the_worked_request(void **state)
{
	static const uint8_t head[] = { 0x82, 0x50, 0xd0, 0x19, 0x14, 0xbc, 0xc3, 0x76, 0xa8, 0x8f,
		0xfe, 0xcc, 0x50, 0xca, 0x60, 0x17, 0xb0, 0xc1, 0x59, 0x01, 0xab, 0x16, 0xfe,
		0xfd };
	uint8_t content[427] = { 0x16, 0xfe, 0xfd }, room[600];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m = { MST_LIT(H16), mst_span_of(content, sizeof content) }, back;

	(void)state;
	assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
	assert_int_equal(out.len, 1 + 17 + 3 + 427);
	assert_memory_equal(room, head, sizeof head);
	assert_int_equal(mst_jpy_parse(mst_buf_span(&out), &back), MST_OK);
	assert_true(mst_span_eq(back.header, m.header) && mst_span_eq(back.content, m.content));
}

static void
JP_U2_24_the_worked_reply(void **state)
{
	static const uint8_t head[] = { 0x82, 0x50, 0xd0, 0x19, 0x14, 0xbc, 0xc3, 0x76, 0xa8, 0x8f,
		0xfe, 0xcc, 0x50, 0xca, 0x60, 0x17, 0xb0, 0xc1, 0x58, 0x3c, 0x16, 0xfe, 0xfd };
	uint8_t content[60] = { 0x16, 0xfe, 0xfd }, room[100];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m = { MST_LIT(H16), mst_span_of(content, sizeof content) };

	(void)state;
	assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
	assert_int_equal(out.len, 1 + 17 + 2 + 60);
	assert_memory_equal(room, head, sizeof head);
}

/* constrained-join-proxy 4.5.4: 32 bytes and at most 6 more */
static void
JP_U2_overhead_is_at_most_38_bytes(void **state)
{
	static uint8_t content[65000], room[sizeof content + 38];

	(void)state;
	for (size_t n = 0; n <= sizeof content; n = n * 3 + 1) {
		struct mst_buf out = MST_BUF(room);
		struct mst_jpy m = { MST_LIT(H32), mst_span_of(content, n) };

		assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
		assert_true(out.len - n <= MST_JPY_HEADER_MAX + MST_JPY_OVERHEAD);
	}
}

static void
JP_U2_build_refuses_a_header_of_33_bytes(void **state)
{
	uint8_t room[100];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m = { MST_LIT(H32 "x"), MST_LIT("content") };

	(void)state;
	assert_int_equal(mst_jpy_build(&m, &out), MST_E_JPY_HEADER);
	assert_int_equal(out.len, 0);
}

static void
JP_U2_build_that_does_not_fit_appends_nothing(void **state)
{
	struct mst_jpy m = { MST_LIT(H16), MST_LIT("content") };
	size_t whole = 1 + 17 + 8;

	(void)state;
	for (size_t cap = 3; cap <= whole + 3; cap++) {
		uint8_t *room = malloc(cap);
		struct mst_buf out = { room, cap, 0 };

		assert_int_equal(mst_buf_put(&out, MST_LIT("abc")), MST_OK);
		assert_int_equal(mst_jpy_build(&m, &out), cap < whole + 3 ? MST_E_SPACE : MST_OK);
		assert_int_equal(out.len, cap < whole + 3 ? 3 : whole + 3);
		assert_memory_equal(room, "abc", 3);
		free(room);
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(JP_U2_every_strict_prefix_is_refused),
		cmocka_unit_test(JP_U2_24_the_worked_request),
		cmocka_unit_test(JP_U2_24_the_worked_reply),
		cmocka_unit_test(JP_U2_overhead_is_at_most_38_bytes),
		cmocka_unit_test(JP_U2_build_refuses_a_header_of_33_bytes),
		cmocka_unit_test(JP_U2_build_that_does_not_fit_appends_nothing),
	};
	struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] =
		    (struct CMUnitTest){ rows[i].name, verdict, NULL, NULL, (void *)&rows[i] };
	for (size_t i = 0; i < COUNT(others); i++)
		tests[n++] = others[i];
	return cmocka_run_group_tests_name("jpy", tests, NULL, NULL);
}

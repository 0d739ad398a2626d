/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of CoAP messages, read and written; what options mean is tested where they are used. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/coap.h"

/* --- messages: good ones, and each bad one differs in one thing --- */

struct bytes {
	const char *name;
	mst_span in;
	mst_err err;
	bool header;
};
#define B(s)                                                                                       \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static const struct bytes rows[] = {
	{ "RFC 7252 fig 16: CON GET with Uri-Path", B("\x40\x01\x7d\x34\xbbtemperature"), MST_OK,
	    true },
	{ "RFC 7252 4.1: empty CON", B("\x40\x00\x00\x01"), MST_OK, true },
	{ "RFC 7252 3: token of 8",
	    B("\x48\x01\x00\x01"
	      "abcdefgh"),
	    MST_OK, true },
	{ "RFC 7252 3: payload behind its marker", B("\x40\x02\x00\x01\xffx"), MST_OK, true },
	{ "RFC 7252 3.1: delta of one byte more", B("\x40\x01\x00\x01\xd0\x10"), MST_OK, true },
	{ "RFC 7252 3.1: delta of two bytes more", B("\x40\x01\x00\x01\xe0\x01\x00"), MST_OK,
	    true },
	{ "RFC 7252 3: three bytes are no message", B("\x40\x01\x7d"), MST_E_COAP_MALFORMED,
	    false },
	{ "RFC 7252 3: another version is ignored", B("\x80\x01\x7d\x34"), MST_E_COAP_MALFORMED,
	    false },
	{ "RFC 7252 3: token of 9",
	    B("\x49\x01\x00\x01"
	      "abcdefghi"),
	    MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 3: token cut short",
	    B("\x42\x01\x00\x01"
	      "a"),
	    MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 4.1: empty message with a token",
	    B("\x41\x00\x00\x01"
	      "a"),
	    MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 4.1: empty message with more", B("\x40\x00\x00\x01\xb0"), MST_E_COAP_MALFORMED,
	    true },
	{ "RFC 7252 3: marker without payload", B("\x40\x01\x00\x01\xff"), MST_E_COAP_MALFORMED,
	    true },
	{ "RFC 7252 3.1: delta 15", B("\x40\x01\x00\x01\xf0"), MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 3.1: length 15", B("\x40\x01\x00\x01\xbf"), MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 3.1: value cut short", B("\x40\x01\x00\x01\xb4tem"), MST_E_COAP_MALFORMED,
	    true },
	{ "RFC 7252 3.1: extended delta cut short", B("\x40\x01\x00\x01\xe0\x01"),
	    MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 3.1: extended length cut short", B("\x40\x01\x00\x01\xbd"),
	    MST_E_COAP_MALFORMED, true },
	{ "RFC 7252 5.10: option number beyond 65535",
	    B("\x40\x01\x00\x01\xe0\xfe\xff\xe0\xfe\xff"), MST_E_COAP_MALFORMED, true },
};

static void
parse_row(void **state)
{
	const struct bytes *r = *state;
	uint8_t *copy = malloc(r->in.len); /* exact size, so that a read beyond is seen */
	struct mst_coap m;
	bool header;

	memcpy(copy, r->in.ptr, r->in.len);
	assert_int_equal(mst_coap_parse(mst_span_of(copy, r->in.len), &m, &header), r->err);
	assert_int_equal(header, r->header);
	free(copy);
}

/* Every strict prefix of a message is refused or means something shorter; none is read beyond. */
static void
prefixes(void **state)
{
	static const char all[] = "\x42\x02\x00\x01tk\xb3sen\x12\x01\x1e\xff"
	                          "csr";
	struct mst_coap m;
	bool header;

	(void)state;
	for (size_t n = 0; n < sizeof all - 1; n++) {
		uint8_t *copy = malloc(n > 0 ? n : 1);
		mst_err e;

		memcpy(copy, all, n);
		e = mst_coap_parse(mst_span_of(copy, n), &m, &header);
		/* complete at: after token, after Uri-Path, after Content-Format, in the payload */
		assert_int_equal(e == MST_OK, n == 6 || n == 10 || n == 13 || n > 14);
		free(copy);
	}
}

static void
writer_latches_space(void **state)
{
	uint8_t bytes[8];
	struct mst_buf out = MST_BUF(bytes);
	struct mst_coap_writer w;

	(void)state;
	mst_coap_put_head(&w, &out, MST_COAP_ACK, 205, 1, MST_LIT("tk"));
	mst_coap_put_payload(&w, MST_LIT("too long"));
	assert_int_equal(w.err, MST_E_SPACE);
}

/* --- there and back --- */

static const size_t sizes[] = { 0, 1, 12, 13, 268, 269, 1000 };
static const unsigned deltas[] = { 0, 1, 12, 13, 268, 269, 60000 };

/* RFC 7252 3.1: each form of a delta with each form of a length. */
static void
RFC7252_3_1_every_form_of_an_option_reads_as_written(void **state)
{
	static uint8_t bytes[2048], value[1000];

	(void)state;
	for (size_t i = 0; i < sizeof value; i++)
		value[i] = (uint8_t)(i * 7);
	for (size_t d = 0; d < sizeof deltas / sizeof deltas[0]; d++)
		for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
			struct mst_buf out = MST_BUF(bytes);
			struct mst_coap_writer w;
			struct mst_coap_reader r;
			struct mst_coap m;
			unsigned number;
			mst_span v;
			bool header;

			mst_coap_put_head(&w, &out, MST_COAP_NON, 231, 0xBEEF, MST_LIT("tok"));
			mst_coap_put_option(&w, 4, MST_LIT("first"));
			mst_coap_put_option(&w, 4 + deltas[d], mst_span_of(value, sizes[n]));
			mst_coap_put_payload(&w, MST_LIT("\xff payload"));
			assert_int_equal(w.err, MST_OK);
			assert_int_equal(mst_coap_parse(mst_buf_span(&out), &m, &header), MST_OK);
			assert_int_equal(m.type, MST_COAP_NON);
			assert_int_equal(m.code, 231);
			assert_int_equal(m.mid, 0xBEEF);
			assert_true(mst_span_eq(m.token, MST_LIT("tok")));
			assert_true(mst_span_eq(m.payload, MST_LIT("\xff payload")));
			mst_coap_options(&m, &r);
			assert_true(mst_coap_next(&r, &number, &v));
			assert_int_equal(number, 4);
			assert_true(mst_coap_next(&r, &number, &v));
			assert_int_equal(number, 4 + deltas[d]);
			assert_int_equal(v.len, sizes[n]);
			assert_memory_equal(v.ptr, value, sizes[n]);
			assert_false(mst_coap_next(&r, &number, &v));
		}
}

/* RFC 7252 3.2: as short as can be when written, leading zeros taken when read. */
static void
RFC7252_3_2_numbers(void **state)
{
	static const struct {
		uint32_t n;
		size_t len;
	} of[] = { { 0, 0 }, { 1, 1 }, { 255, 1 }, { 256, 2 }, { 65535, 2 }, { 65536, 3 },
		{ 0xFFFFFF, 3 }, { 0x1000000, 4 }, { 0xFFFFFFFF, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
		uint8_t bytes[16];
		struct mst_buf out = MST_BUF(bytes);
		struct mst_coap_writer w = { &out, 0, MST_OK };

		mst_coap_put_uint(&w, 12, of[i].n);
		assert_int_equal(w.err, MST_OK);
		assert_int_equal(out.len, 1 + of[i].len);
		assert_int_equal(mst_coap_uint(mst_span_of(bytes + 1, out.len - 1)), of[i].n);
	}
	assert_int_equal(mst_coap_uint(MST_LIT("\0\0\x01\x02")), 258);
}

/* RFC 7959 2.2 */
static void
RFC7959_2_2_blocks(void **state)
{
	const struct mst_coap_block all[] = { { true, false, 0, 0 }, { true, true, 6, 0xFFFFF },
		{ true, true, 2, 3 }, { true, false, 6, 16 } };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		uint8_t bytes[16];
		struct mst_buf out = MST_BUF(bytes);
		struct mst_coap_writer w = { &out, 12, MST_OK };
		struct mst_coap_block b;

		mst_coap_put_block(&w, MST_COAP_BLOCK2, &all[i]);
		assert_int_equal(w.err, MST_OK);
		b = mst_coap_block_read(mst_span_of(bytes + 1, out.len - 1));
		assert_true(b.there);
		assert_int_equal(b.more, all[i].more);
		assert_int_equal(b.szx, all[i].szx);
		assert_int_equal(b.num, all[i].num);
	}
	assert_int_equal(mst_coap_block_read(MST_LIT("\x0f")).szx, 7); /* the caller's to refuse */
	assert_int_equal(mst_coap_block_size(0), 16);
	assert_int_equal(mst_coap_block_size(MST_COAP_SZX_MAX), 1024);
}

int
main(void)
{
	static struct CMUnitTest tests[sizeof rows / sizeof rows[0] + 5];
	size_t n = 0;

	for (; n < sizeof rows / sizeof rows[0]; n++)
		tests[n] = (struct CMUnitTest){ rows[n].name, parse_row, NULL, NULL,
			(void *)(uintptr_t)&rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(prefixes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(writer_latches_space);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(
	    RFC7252_3_1_every_form_of_an_option_reads_as_written);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(RFC7252_3_2_numbers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(RFC7959_2_2_blocks);
	return _cmocka_run_group_tests("codec", tests, n, NULL, NULL);
}

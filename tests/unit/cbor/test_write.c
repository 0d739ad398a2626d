/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_cbor.h"

static uint8_t room[256];
static struct mst_buf out;
static struct mst_cbor_writer w;

static int
fresh(void **state)
{
	(void)state;
	out = MST_BUF(room);
	mst_cbor_put_init(&w, &out);
	return 0;
}

static void
wrote(mst_span want)
{
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	if (!mst_span_eq(mst_buf_span(&out), want))
		fail_msg("%zu bytes, first %02x; %zu are due", out.len, out.ptr[0], want.len);
	fresh(NULL);
}

static const uint64_t edges[] = { 0, 1, 23, 24, 255, 256, 65535, 65536, UINT32_MAX,
	UINT64_C(0x100000000), UINT64_MAX };
static const size_t widths[] = { 1, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9 };

static void
rfc8949_4_2_1_shortest_argument_at_every_edge(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(edges); i++) {
		void (*const put[])(struct mst_cbor_writer *, uint64_t) = { mst_cbor_put_uint,
			mst_cbor_put_array, mst_cbor_put_map, mst_cbor_put_tag };
		static const uint8_t major[] = { 0, 4, 5, 6 };

		for (size_t k = 0; k < COUNT(put); k++) {
			put[k](&w, edges[i]);
			assert_int_equal(mst_cbor_put_end(&w), MST_OK);
			assert_int_equal(out.len, widths[i]);
			assert_int_equal(room[0] >> 5, major[k]);
			fresh(NULL);
		}
	}
}

static void
integers_read_back_as_written(void **state)
{
	static const int64_t rows[] = { 0, 23, 24, -1, -24, -25, -256, -257, -65536, -65537,
		INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX, INT64_MIN + 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mst_cbor_reader r;

		mst_cbor_put_int(&w, rows[i]);
		mst_cbor_init(&r, mst_buf_span(&out));
		assert_true(mst_cbor_int(&r) == rows[i]);
		assert_int_equal(mst_cbor_end(&r), MST_OK);
		fresh(NULL);
	}
	mst_cbor_put_int(&w, -25);
	wrote(BYTES("\x38\x18"));
}

static void
strings_booleans_null(void **state)
{
	(void)state;
	mst_cbor_put_bytes(&w, MST_LIT(""));
	wrote(BYTES("\x40"));
	mst_cbor_put_bytes(&w, MST_NONE);
	wrote(BYTES("\x40"));
	mst_cbor_put_bytes(&w, BYTES("\xff\x00"));
	wrote(BYTES("\x42\xff\x00"));
	mst_cbor_put_text(&w, MST_LIT("\xc3\xbc"));
	wrote(BYTES("\x62\xc3\xbc"));
	mst_cbor_put_bool(&w, true);
	mst_cbor_put_bool(&w, false);
	mst_cbor_put_null(&w);
	wrote(BYTES("\xf5\xf4\xf6"));
}

static void
text_refuses_invalid_utf8(void **state)
{
	(void)state;
	mst_cbor_put_uint(&w, 1);
	mst_cbor_put_text(&w, MST_LIT("\xed\xa0\x80"));
	mst_cbor_put_uint(&w, 2);
	assert_int_equal(mst_cbor_put_end(&w), MST_E_CBOR_UTF8);
	assert_int_equal(out.len, 1);
}

static void
raw_is_checked(void **state)
{
	(void)state;
	mst_cbor_put_raw(&w, BYTES("\x82\x01\x02"));
	wrote(BYTES("\x82\x01\x02"));
	mst_cbor_put_raw(&w, BYTES("\x82\x01"));
	assert_int_equal(mst_cbor_put_end(&w), MST_E_CBOR);
	assert_int_equal(out.len, 0);
	fresh(NULL);
	mst_cbor_put_raw(&w, BYTES("\x01\x02"));
	assert_int_equal(mst_cbor_put_end(&w), MST_E_CBOR_TRAILING);
	fresh(NULL);
	mst_cbor_put_raw(&w, MST_NONE);
	assert_int_equal(mst_cbor_put_end(&w), MST_E_CBOR);
}

/* A message with every kind of item; its length without and with little room. */
static mst_err
message(struct mst_buf *to)
{
	mst_cbor_put_init(&w, to);
	mst_cbor_put_tag(&w, 1000);
	mst_cbor_put_map(&w, 4);
	mst_cbor_put_int(&w, -500);
	mst_cbor_put_bytes(&w, MST_LIT("bytes"));
	mst_cbor_put_uint(&w, 70000);
	mst_cbor_put_text(&w, MST_LIT("text"));
	mst_cbor_put_bool(&w, true);
	mst_cbor_put_null(&w);
	mst_cbor_put_float(&w, 1.1);
	mst_cbor_put_array(&w, 1);
	mst_cbor_put_raw(&w, BYTES("\x81\x00"));
	return mst_cbor_put_end(&w);
}

static void
every_capacity_below_the_need_is_refused(void **state)
{
	size_t need;

	(void)state;
	assert_int_equal(message(&out), MST_OK);
	need = out.len;
	assert_int_equal(validate_exact(mst_buf_span(&out)), MST_OK);
	for (size_t cap = 0; cap <= need; cap++) {
		struct mst_buf small = { malloc(cap != 0 ? cap : 1), cap, 0 };

		assert_non_null(small.ptr);
		assert_int_equal(message(&small), cap < need ? MST_E_SPACE : MST_OK);
		/* what was appended before is the beginning of the message, in whole puts */
		assert_true(small.len <= cap);
		assert_memory_equal(small.ptr, room, small.len);
		free(small.ptr);
	}
}

static void
a_put_that_does_not_fit_latches(void **state)
{
	struct mst_buf three = { room, 3, 0 };

	(void)state;
	mst_cbor_put_init(&w, &three);
	mst_cbor_put_uint(&w, 1);
	mst_cbor_put_bytes(&w, MST_LIT("ab")); /* head and content are three bytes, two are left */
	assert_int_equal(three.len, 1);
	mst_cbor_put_uint(&w, 2); /* this one would fit */
	assert_int_equal(three.len, 1);
	assert_int_equal(mst_cbor_put_end(&w), MST_E_SPACE);
}

static void
float_is_shortest_for_every_half(void **state)
{
	(void)state;
	for (unsigned v = 0; v <= 0xffff; v++) {
		uint8_t in[3] = { 0xf9, (uint8_t)(v >> 8), (uint8_t)v };
		struct mst_cbor_reader r;

		mst_cbor_init(&r, mst_span_of(in, 3));
		mst_cbor_put_float(&w, mst_cbor_float(&r));
		wrote(mst_span_of(in, 3));
	}
}

/* Singles come out as the least of three forms that reads back to the same value. */
static void
float_is_shortest_for_singles(void **state)
{
	(void)state;
	for (uint64_t v = 0; v <= UINT32_MAX; v += 65521) {
		uint32_t bits = (uint32_t)v;
		struct mst_cbor_reader r;
		double want, got;
		float f;

		memcpy(&f, &bits, sizeof f);
		want = (double)f;
		mst_cbor_put_float(&w, want);
		assert_int_equal(mst_cbor_put_end(&w), MST_OK);
		assert_true(out.len == 3 || out.len == 5);
		if (out.len == 5) /* not one of the 65536 halves: 13 low bits, or the exponent */
			assert_true(
			    (bits & 0x1fff) != 0 || fabs(want) > 65504 || fabs(want) < 0x1p-14);
		mst_cbor_init(&r, mst_buf_span(&out));
		got = mst_cbor_float(&r);
		assert_memory_equal(&got, &want, sizeof want);
		fresh(NULL);
	}
}

static void
float_edges(void **state)
{
	static const struct {
		double v;
		size_t len;
	} rows[] = {
		{ 0.0, 3 },
		{ 1.5, 3 },
		{ 65504, 3 },
		{ 65505, 5 },
		{ 65536, 5 },
		{ 0x1p-24, 3 },
		{ 0x1p-25, 5 },
		{ 0x1.8p-24, 5 },
		{ 0x1p-14, 3 },
		{ 0x1.004p-14, 3 },
		{ 0x1.002p-14, 5 },
		{ 0x1p-149, 5 },
		{ 0x1p-150, 9 },
		{ 0x1.8p-149, 9 },
		{ 0x1p-126, 5 },
		{ 0x1.fffffep127, 5 },
		{ 0x1p128, 9 },
		{ 0x1.ffffffp1, 9 },
		{ 1.1, 9 },
		{ 0x1p-1074, 9 },
		{ 0x1.fffffffffffffp1023, 9 },
		{ 0x1p-1022, 9 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		double v = i % 2 != 0 ? -rows[i / 2].v : rows[i / 2].v, got;
		struct mst_cbor_reader r;

		mst_cbor_put_float(&w, v);
		if (out.len != rows[i / 2].len)
			fail_msg("%a takes %zu bytes", v, out.len);
		mst_cbor_init(&r, mst_buf_span(&out));
		got = mst_cbor_float(&r);
		assert_memory_equal(&got, &v, sizeof v);
		fresh(NULL);
	}
	mst_cbor_put_float(&w, (double)INFINITY);
	wrote(BYTES("\xf9\x7c\x00"));
	mst_cbor_put_float(&w, (double)NAN);
	wrote(BYTES("\xf9\x7e\x00"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rfc8949_4_2_1_shortest_argument_at_every_edge, fresh),
		cmocka_unit_test_setup(integers_read_back_as_written, fresh),
		cmocka_unit_test_setup(strings_booleans_null, fresh),
		cmocka_unit_test_setup(text_refuses_invalid_utf8, fresh),
		cmocka_unit_test_setup(raw_is_checked, fresh),
		cmocka_unit_test_setup(every_capacity_below_the_need_is_refused, fresh),
		cmocka_unit_test_setup(a_put_that_does_not_fit_latches, fresh),
		cmocka_unit_test_setup(float_is_shortest_for_every_half, fresh),
		cmocka_unit_test_setup(float_is_shortest_for_singles, fresh),
		cmocka_unit_test_setup(float_edges, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

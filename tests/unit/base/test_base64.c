/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/base64.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
refused(const char *text, unsigned flags)
{
	uint8_t room[64] = { 0 };
	struct mst_buf out = { room, sizeof room, 3 };

	if (mst_base64_decode(mst_span_str(text), flags, &out) != MST_E_BASE64 || out.len != 3)
		fail_msg("\"%s\" with flags %u is not refused", text, flags);
}

static void
decodes(const char *text, unsigned flags, mst_span want)
{
	uint8_t room[64];
	struct mst_buf out = MST_BUF(room);

	if (mst_base64_decode(mst_span_str(text), flags, &out) != MST_OK || out.len != want.len ||
	    memcmp(room, want.ptr, want.len) != 0)
		fail_msg("\"%s\" with flags %u does not decode", text, flags);
}

/* An encoder that shares nothing with the one under test: bit by bit. */
static size_t
slow_encode(const uint8_t *in, size_t n, const char *last_two, size_t padding, uint8_t *out)
{
	size_t at = 0;

	for (size_t bit = 0; bit < 8 * n; bit += 6) {
		unsigned v = 0;

		for (size_t i = bit; i < bit + 6; i++)
			v = v << 1 | (i < 8 * n ? (unsigned)in[i / 8] >> (7 - i % 8) & 1U : 0);
		out[at++] = (uint8_t)(v < 26   ? 'A' + (int)v
		                      : v < 52 ? 'a' + (int)v - 26
		                      : v < 62 ? '0' + (int)v - 52
		                               : last_two[v - 62]);
	}
	while (padding != 0 && at % 4 != 0)
		out[at++] = '=';
	return at;
}

static void
check_one(const uint8_t *in, size_t n)
{
	uint8_t want[8], url[8], room[8], back[4];
	size_t len = slow_encode(in, n, "+/", 1, want), url_len = slow_encode(in, n, "-_", 0, url);
	struct mst_buf out = MST_BUF(room), raw = MST_BUF(back);

	if (mst_base64_encode(mst_span_of(in, n), &out) != MST_OK ||
	    !mst_span_eq(mst_buf_span(&out), mst_span_of(want, len)) || len != MST_BASE64_LEN(n))
		fail_msg("encode");
	out.len = 0;
	if (mst_base64url_encode(mst_span_of(in, n), &out) != MST_OK ||
	    !mst_span_eq(mst_buf_span(&out), mst_span_of(url, url_len)))
		fail_msg("url encode");
	if (mst_base64_decode(mst_span_of(want, len), MST_BASE64_STRICT, &raw) != MST_OK ||
	    !mst_span_eq(mst_buf_span(&raw), mst_span_of(in, n)))
		fail_msg("decode");
	raw.len = 0;
	if (mst_base64_decode(mst_span_of(url, url_len), MST_BASE64_URL_ONLY, &raw) != MST_OK ||
	    !mst_span_eq(mst_buf_span(&raw), mst_span_of(in, n)))
		fail_msg("url decode");
}

static void
rfc4648_4_every_input_of_up_to_three_bytes(void **state)
{
	size_t tried = 0;

	(void)state;
	for (size_t n = 0; n <= 3; n++)
		for (uint32_t v = 0; v < 1U << 8 * n; v++, tried++) {
			uint8_t in[3] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16) };

			check_one(in, n);
		}
	assert_int_equal(tried, 1 + 256 + 65536 + 16777216);
}

/* Every text of four characters: strict decoding and encoding are inverse, nothing else passes. */
static void
rfc4648_3_5_strict_accepts_exactly_what_encode_emits(void **state)
{
	static const char some[] = "ABgQZaz059+/-_=\n .\x80";
	size_t n = sizeof some - 1, accepted = 0;

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		uint8_t text[4] = { (uint8_t)some[i % n], (uint8_t)some[i / n % n],
			(uint8_t)some[i / n / n % n], (uint8_t)some[i / n / n / n] };
		uint8_t room[4], again[4];
		struct mst_buf out = MST_BUF(room), back = MST_BUF(again);

		if (mst_base64_decode(mst_span_of(text, 4), MST_BASE64_STRICT, &out) != MST_OK)
			continue;
		accepted++;
		assert_int_equal(mst_base64_encode(mst_buf_span(&out), &back), MST_OK);
		assert_memory_equal(again, text, 4);
	}
	/* 12 letters; the spare bits are zero in A, Q, g, 0 (two of them) and A, Q, g (four) */
	assert_int_equal(accepted, 12 * 12 * 12 * 12 + 12 * 12 * 4 + 12 * 3);
}

static void
rfc4648_10_vectors(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };
	uint8_t room[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mst_buf out = MST_BUF(room);

		assert_int_equal(mst_base64_encode(mst_span_str(rows[i][0]), &out), MST_OK);
		assert_true(mst_span_eq(mst_buf_span(&out), mst_span_str(rows[i][1])));
		decodes(rows[i][1], MST_BASE64_STRICT, mst_span_str(rows[i][0]));
	}
}

static void
est_b2_each_kind_of_space_anywhere(void **state)
{
	static const char letters[] = "Zm9vYg==";
	static const char spaces[] = "\r\n \t";

	(void)state;
	for (size_t at = 0; at < sizeof letters; at++)
		for (const char *s = spaces; *s != '\0'; s++) {
			char text[sizeof letters + 1];

			memcpy(text, letters, at);
			text[at] = *s;
			memcpy(text + at + 1, letters + at, sizeof letters - at);
			decodes(text, MST_BASE64_SPACE, MST_LIT("foob"));
			refused(text, MST_BASE64_STRICT);
			refused(text, MST_BASE64_URL);
		}
	decodes("\r\n \t", MST_BASE64_SPACE, MST_LIT(""));
	decodes(" Z\tm\r\n9 v\n", MST_BASE64_SPACE, MST_LIT("foo"));
}

static void
est_b2_no_other_byte_is_space(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t text[5] = { 'Z', 'm', (uint8_t)c, '9', 'v' };
		uint8_t room[8];
		struct mst_buf out = MST_BUF(room);
		int space = c == ' ' || c == '\t' || c == '\r' || c == '\n';

		assert_int_equal(mst_base64_decode(mst_span_of(text, 5), MST_BASE64_SPACE, &out),
		    space ? MST_OK : MST_E_BASE64);
	}
}

static void
est_b3_other_characters(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		static const char letters[] =
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
		uint8_t text[4] = { 'A', (uint8_t)c, 'A', 'A' };
		uint8_t room[8];
		struct mst_buf out = MST_BUF(room);
		int letter = memchr(letters, (int)c, sizeof letters - 1) != NULL;

		assert_int_equal(mst_base64_decode(mst_span_of(text, 4), MST_BASE64_STRICT, &out),
		    letter ? MST_OK : MST_E_BASE64);
	}
}

static void
est_b3_data_after_padding(void **state)
{
	static const char *const rows[] = { "Zg==Zg==", "Zm8=Zm9v", "Zg=g", "Zg==g", "Zm8=g" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		refused(rows[i], MST_BASE64_STRICT);
		refused(rows[i], MST_BASE64_SPACE);
		refused(rows[i], MST_BASE64_URL | MST_BASE64_SPACE);
	}
}

static void
est_b3_wrong_padding(void **state)
{
	static const char *const rows[] = { "=", "==", "====", "Z===", "Z=", "Zg=", "Zg===",
		"Zm8==", "Zm9v=", "Zm9v==", "Zm9v====", "Z", "Zm9vY", "Zm9vY===" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		refused(rows[i], MST_BASE64_STRICT);
		refused(rows[i], MST_BASE64_SPACE);
		refused(rows[i], MST_BASE64_URL);
		refused(rows[i], MST_BASE64_URL_ONLY);
	}
}

static void
est_b3_missing_padding(void **state)
{
	(void)state;
	refused("Zg", MST_BASE64_STRICT);
	refused("Zm8", MST_BASE64_SPACE);
	refused("Zm9vYg", MST_BASE64_SPACE);
}

static void
rfc4648_3_5_spare_bits(void **state)
{
	(void)state;
	refused("Zh==", MST_BASE64_STRICT);
	refused("Zm9=", MST_BASE64_STRICT);
	refused("Zh", MST_BASE64_URL);
	refused("Zh", MST_BASE64_URL_ONLY);
	refused("Zm9", MST_BASE64_URL_ONLY);
}

static void
dm1_url_takes_both_alphabets_padding_optional(void **state)
{
	(void)state;
	decodes("-_8=", MST_BASE64_URL, MST_LIT("\xfb\xff"));
	decodes("-_8", MST_BASE64_URL, MST_LIT("\xfb\xff"));
	decodes("+/8=", MST_BASE64_URL, MST_LIT("\xfb\xff"));
	decodes("+/8", MST_BASE64_URL, MST_LIT("\xfb\xff"));
	decodes("-_\n8", MST_BASE64_URL | MST_BASE64_SPACE, MST_LIT("\xfb\xff"));
	refused("-_8=", MST_BASE64_STRICT);
	refused("-_8=", MST_BASE64_SPACE);
}

static void
rfc7515_2_url_only(void **state)
{
	(void)state;
	decodes("-_8", MST_BASE64_URL_ONLY, MST_LIT("\xfb\xff"));
	refused("-_8=", MST_BASE64_URL_ONLY);
	refused("+/8", MST_BASE64_URL_ONLY);
	refused("-_ 8", MST_BASE64_URL_ONLY);
	/* the narrower of two flags wins */
	refused("+/8", MST_BASE64_URL_ONLY | MST_BASE64_URL);
}

static void
empty_text_is_empty(void **state)
{
	static const unsigned flags[] = { MST_BASE64_STRICT, MST_BASE64_SPACE, MST_BASE64_URL,
		MST_BASE64_URL_ONLY };
	struct mst_buf none = { NULL, 0, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(flags); i++) {
		decodes("", flags[i], MST_LIT(""));
		assert_int_equal(mst_base64_decode(MST_NONE, flags[i], &none), MST_OK);
	}
	assert_int_equal(mst_base64_encode(MST_NONE, &none), MST_OK);
}

static void
output_is_appended(void **state)
{
	uint8_t room[32];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_buf_put(&out, MST_LIT("x:")), MST_OK);
	assert_int_equal(mst_base64_encode(MST_LIT("foob"), &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), MST_LIT("x:Zm9vYg==")));
	assert_int_equal(mst_base64_decode(MST_LIT("Zm9v"), MST_BASE64_STRICT, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), MST_LIT("x:Zm9vYg==foo")));
}

/* On exact-size heap blocks, so that the sanitizer sees one byte too many. */
static void
every_capacity_below_the_need_is_refused(void **state)
{
	static const char text[] = "0123456789";

	(void)state;
	for (size_t n = 1; n < sizeof text; n++) {
		size_t need = MST_BASE64_LEN(n);
		uint8_t coded[16];
		struct mst_buf full = MST_BUF(coded);

		assert_int_equal(mst_base64_encode(mst_span_of(text, n), &full), MST_OK);
		for (size_t cap = 1; cap <= need; cap++) {
			struct mst_buf out = { malloc(cap), cap, 0 };

			assert_non_null(out.ptr);
			assert_int_equal(mst_base64_encode(mst_span_of(text, n), &out),
			    cap < need ? MST_E_SPACE : MST_OK);
			assert_int_equal(out.len, cap < need ? 0 : need);
			out.len = 0;
			assert_int_equal(mst_base64_decode(mst_buf_span(&full), 0, &out),
			    cap < n ? MST_E_SPACE : MST_OK);
			assert_int_equal(out.len, cap < n ? 0 : n);
			free(out.ptr);
		}
	}
}

static void
lengths_near_size_max_do_not_wrap(void **state)
{
	uint8_t room[8];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	for (size_t d = 0; d < 8; d++) {
		mst_span in = mst_span_of(room, SIZE_MAX - d);

		assert_int_equal(mst_base64_encode(in, &out), MST_E_SPACE);
		assert_int_equal(mst_base64url_encode(in, &out), MST_E_SPACE);
		in.len = SIZE_MAX / 4 * 3 + d; /* where the encoded length passes SIZE_MAX */
		assert_int_equal(mst_base64_encode(in, &out), MST_E_SPACE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc4648_4_every_input_of_up_to_three_bytes),
		cmocka_unit_test(rfc4648_3_5_strict_accepts_exactly_what_encode_emits),
		cmocka_unit_test(rfc4648_10_vectors),
		cmocka_unit_test(est_b2_each_kind_of_space_anywhere),
		cmocka_unit_test(est_b2_no_other_byte_is_space),
		cmocka_unit_test(est_b3_other_characters),
		cmocka_unit_test(est_b3_data_after_padding),
		cmocka_unit_test(est_b3_wrong_padding),
		cmocka_unit_test(est_b3_missing_padding),
		cmocka_unit_test(rfc4648_3_5_spare_bits),
		cmocka_unit_test(dm1_url_takes_both_alphabets_padding_optional),
		cmocka_unit_test(rfc7515_2_url_only),
		cmocka_unit_test(empty_text_is_empty),
		cmocka_unit_test(output_is_appended),
		cmocka_unit_test(every_capacity_below_the_need_is_refused),
		cmocka_unit_test(lengths_near_size_max_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "muster/time.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIRST INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct row {
	const char *name;
	const char *text;
	int64_t want;
};

static const struct row good[] = {
	{ "rfc3339_5_6 the epoch", "1970-01-01T00:00:00Z", 0 },
	{ "rfc3339_5_6 before the epoch", "1969-12-31T23:59:59Z", -1 },
	{ "rfc3339_5_6 a plain date", "2026-11-23T09:00:00Z", 1795424400 },
	{ "rfc3339_5_6 lower case t and z", "2026-11-23t09:00:00z", 1795424400 },
	{ "rfc3339_5_6 offset east", "2026-11-23T10:00:00+01:00", 1795424400 },
	{ "rfc3339_5_6 offset west", "2026-11-23T03:30:00-05:30", 1795424400 },
	{ "rfc3339_5_6 offset zero", "2026-11-23T09:00:00+00:00", 1795424400 },
	{ "rfc3339_4_3 unknown local offset", "2026-11-23T09:00:00-00:00", 1795424400 },
	{ "rfc3339_5_6 offset over midnight", "2026-11-24T08:59:00+23:59", 1795424400 },
	{ "rfc3339_5_6 offset over new year", "2000-01-01T00:30:00+01:00", 946683000 },
	{ "rfc3339_5_6 one digit of fraction", "2026-11-23T09:00:00.5Z", 1795424400 },
	{ "rfc3339_5_6 nine digits are dropped, not rounded", "2026-11-23T09:00:00.999999999Z",
	    1795424400 },
	{ "rfc3339_5_6 long fraction with offset",
	    "2026-11-23T10:00:00.00000000000000000000000000000000000001+01:00", 1795424400 },
	{ "rfc3339_5_6 fraction before the epoch", "1969-12-31T23:59:59.9Z", -1 },
	{ "rfc3339_appendix_c leap day", "2024-02-29T00:00:00Z", 1709164800 },
	{ "rfc3339_appendix_c leap day of 2000", "2000-02-29T12:00:00Z", 951825600 },
	{ "rfc3339_5_7 leap second", "1990-12-31T23:59:60Z", 662687999 },
	{ "rfc3339_5_7 leap second with offset", "1990-12-31T15:59:60-08:00", 662687999 },
	{ "rfc3339_5_7 leap second in june", "2015-06-30T23:59:60.25Z", 1435708799 },
	{ "rfc5280_4_1_2_5 no well-defined end", "9999-12-31T23:59:59Z", LAST },
	{ "rfc3339_1 the first second", "0000-01-01T00:00:00Z", FIRST },
	{ "rfc3339_1 year 0 is a leap year", "0000-03-01T00:00:00Z", FIRST + 60 * 86400 },
	{ "after 2038", "2038-01-19T03:14:08Z", INT64_C(2147483648) },
};

static const struct row bad[] = {
	{ "empty", "", 0 },
	{ "date alone", "2026-11-23", 0 },
	{ "no offset", "2026-11-23T09:00:00", 0 },
	{ "space for T", "2026-11-23 09:00:00Z", 0 },
	{ "trailing byte", "2026-11-23T09:00:00Zx", 0 },
	{ "trailing space", "2026-11-23T09:00:00Z ", 0 },
	{ "leading space", " 2026-11-23T09:00:00Z", 0 },
	{ "two-digit year", "26-11-23T09:00:00Z", 0 },
	{ "five-digit year", "12026-11-23T09:00:00Z", 0 },
	{ "signed year", "-026-11-23T09:00:00Z", 0 },
	{ "plus in a number", "+026-11-23T09:00:00Z", 0 },
	{ "month 0", "2026-00-23T09:00:00Z", 0 },
	{ "month 13", "2026-13-23T09:00:00Z", 0 },
	{ "day 0", "2026-11-00T09:00:00Z", 0 },
	{ "day 32", "2026-12-32T09:00:00Z", 0 },
	{ "november 31", "2026-11-31T09:00:00Z", 0 },
	{ "april 31", "2026-04-31T09:00:00Z", 0 },
	{ "february 29 of 2026", "2026-02-29T09:00:00Z", 0 },
	{ "february 29 of 2100", "2100-02-29T09:00:00Z", 0 },
	{ "february 30 of 2024", "2024-02-30T09:00:00Z", 0 },
	{ "hour 24", "2026-11-23T24:00:00Z", 0 },
	{ "minute 60", "2026-11-23T09:60:00Z", 0 },
	{ "second 61", "2026-12-31T23:59:61Z", 0 },
	{ "second 60 at noon", "2026-12-31T12:00:60Z", 0 },
	{ "second 60 not at a month's end", "2026-12-30T23:59:60Z", 0 },
	{ "second 60 of a local midnight", "2026-12-31T23:59:60+01:00", 0 },
	{ "one-digit hour", "2026-11-23T9:00:00Z", 0 },
	{ "no seconds", "2026-11-23T09:00Z", 0 },
	{ "basic format", "20261123T090000Z", 0 },
	{ "empty fraction", "2026-11-23T09:00:00.Z", 0 },
	{ "comma fraction", "2026-11-23T09:00:00,5Z", 0 },
	{ "letter before a fraction's digits", "2026-11-23T09:00:00.x5Z", 0 },
	{ "letter in fraction", "2026-11-23T09:00:00.5xZ", 0 },
	{ "offset without colon", "2026-11-23T09:00:00+0100", 0 },
	{ "offset without minutes", "2026-11-23T09:00:00+01", 0 },
	{ "offset hour 24", "2026-11-23T09:00:00+24:00", 0 },
	{ "offset minute 60", "2026-11-23T09:00:00+01:60", 0 },
	{ "offset and Z", "2026-11-23T09:00:00+01:00Z", 0 },
	{ "unicode minus",
	    "2026-11-23T09:00:00\xe2\x88\x92"
	    "01:00",
	    0 },
	{ "asn.1 time", "20261123090000Z", 0 },
	{ "offset before year 0", "0000-01-01T00:30:00+01:00", 0 },
	{ "offset after year 9999", "9999-12-31T23:30:00-01:00", 0 },
};

static void
is_read(void **state)
{
	const struct row *row = *state;
	int64_t t = 42;

	assert_int_equal(mst_time_parse(mst_span_str(row->text), &t), MST_OK);
	if (t != row->want)
		fail_msg("%s is %lld", row->text, (long long)t);
}

static void
is_refused(void **state)
{
	const struct row *row = *state;
	int64_t t = 42;

	assert_int_equal(mst_time_parse(mst_span_str(row->text), &t), MST_E_TIME_FORMAT);
	assert_int_equal(t, 42);
}

static mst_err
parse_exact(const char *text, size_t n)
{
	uint8_t *copy = malloc(n != 0 ? n : 1);
	int64_t t;
	mst_err e;

	assert_non_null(copy);
	memcpy(copy, text, n);
	e = mst_time_parse(mst_span_of(copy, n), &t);
	free(copy);
	return e;
}

static void
every_strict_prefix_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		size_t n = strlen(good[i].text);

		assert_int_equal(parse_exact(good[i].text, n), MST_OK);
		while (n-- > 0)
			assert_int_equal(parse_exact(good[i].text, n), MST_E_TIME_FORMAT);
	}
	assert_int_equal(mst_time_parse(MST_NONE, &(int64_t){ 0 }), MST_E_TIME_FORMAT);
}

static void
every_other_byte_at_every_place_is_refused(void **state)
{
	static const char *const texts[] = { "2026-11-23T09:00:00Z",
		"2026-11-23T09:00:00.25+01:30" };

	(void)state;
	for (size_t k = 0; k < 256 * COUNT(texts); k++)
		for (size_t at = 0; texts[k / 256][at] != '\0'; at++) {
			char was = texts[k / 256][at], is = (char)(k % 256), changed[32];
			int digit = is >= '0' && is <= '9' && was >= '0' && was <= '9';
			int other = (was == 'T' && is == 't') || (was == 'Z' && is == 'z') ||
			            (was == '+' && is == '-');

			memcpy(changed, texts[k / 256], strlen(texts[k / 256]));
			changed[at] = is;
			if (!digit && !other && is != was)
				assert_int_equal(parse_exact(changed, strlen(texts[k / 256])),
				    MST_E_TIME_FORMAT);
		}
}

/* Every day of 400 years and some of the rest, against the C library. */
static void
clk1_format_and_parse_agree_with_gmtime(void **state)
{
	(void)state;
	for (int64_t t = FIRST; t <= LAST;
	     t += t > 0 && t < INT64_C(12622780800) ? 86399 : 86400 * 11 + 1) {
		uint8_t room[MST_TIME_LEN];
		struct mst_buf out = MST_BUF(room);
		char want[32];
		struct tm tm;
		time_t c = (time_t)t;
		int64_t back;

		assert_non_null(gmtime_r(&c, &tm));
		snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_int_equal(mst_time_format(t, &out), MST_OK);
		assert_memory_equal(room, want, MST_TIME_LEN);
		assert_int_equal(mst_time_parse(mst_buf_span(&out), &back), MST_OK);
		assert_true(back == t);
	}
}

static void
format_outside_years_0_to_9999_is_refused(void **state)
{
	static const int64_t rows[] = { FIRST - 1, LAST + 1, INT64_MIN, INT64_MAX };
	uint8_t room[64];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(mst_time_format(rows[i], &out), MST_E_TIME_FORMAT);
	assert_int_equal(out.len, 0);
	assert_int_equal(mst_time_format(FIRST, &out), MST_OK);
	assert_int_equal(mst_time_format(LAST, &out), MST_OK);
	assert_true(
	    mst_span_eq(mst_buf_span(&out), MST_LIT("0000-01-01T00:00:00Z9999-12-31T23:59:59Z")));
}

static void
format_into_too_little_room_is_refused(void **state)
{
	(void)state;
	for (size_t cap = 1; cap < MST_TIME_LEN; cap++) {
		struct mst_buf out = { malloc(cap), cap, 0 };

		assert_non_null(out.ptr);
		assert_int_equal(mst_time_format(0, &out), MST_E_SPACE);
		assert_int_equal(out.len, 0);
		free(out.ptr);
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(every_strict_prefix_is_refused),
		cmocka_unit_test(every_other_byte_at_every_place_is_refused),
		cmocka_unit_test(clk1_format_and_parse_agree_with_gmtime),
		cmocka_unit_test(format_outside_years_0_to_9999_is_refused),
		cmocka_unit_test(format_into_too_little_room_is_refused),
	};
	struct CMUnitTest tests[COUNT(good) + COUNT(bad) + COUNT(others)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(good); i++)
		tests[n++] =
		    (struct CMUnitTest){ good[i].name, is_read, NULL, NULL, (void *)&good[i] };
	for (size_t i = 0; i < COUNT(bad); i++)
		tests[n++] =
		    (struct CMUnitTest){ bad[i].name, is_refused, NULL, NULL, (void *)&bad[i] };
	for (size_t i = 0; i < COUNT(others); i++)
		tests[n++] = others[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "muster/time.h"

#include <stddef.h>

#define DAY 86400
#define DAYS_TO_1970 719528 /* days from 0000-01-01 to 1970-01-01 */
#define DAYS_400 146097 /* days of 400 years, whatever the first */
#define DAYS_TO_MARCH (-60) /* from 0000-03-01 to 0000-01-01 */
#define FIRST ((int64_t)-DAYS_TO_1970 * DAY) /* 0000-01-01T00:00:00Z */
#define LAST (((int64_t)25 * DAYS_400 - DAYS_TO_1970) * DAY - 1) /* 9999-12-31T23:59:59Z */

struct moment {
	int year, month, day, hour, minute, second;
	int offset; /* seconds east of UTC */
};

/*
 * The calendar is proleptic Gregorian (RFC 3339 1, ISO 8601). Counted from
 * 1 March, a year's months have 31, 30, 31, 30, 31 days and again, which
 * (153 * month + 2) / 5 adds up, and a leap day comes last; 400 years are
 * added so that January of the year 0 is not negative.
 */
static int64_t
seconds_of(const struct moment *m)
{
	int32_t year = m->year + 400 - (m->month <= 2);
	int32_t month = m->month + (m->month <= 2 ? 9 : -3);
	int32_t day = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
	              m->day - 1 - DAYS_TO_MARCH - DAYS_400;

	return (int64_t)day * DAY + m->hour * 3600 + m->minute * 60 + m->second + FIRST;
}

/* t within FIRST and LAST + 1 */
static struct moment
moment_of(int64_t t)
{
	/* below 2^39 seconds: by 128 first, and no 64-bit division is needed (86400 = 128 * 675) */
	uint64_t since = (uint64_t)(t - FIRST);
	uint32_t day = (uint32_t)(since >> 7) / 675;
	uint32_t rest = (uint32_t)(since - (uint64_t)day * DAY);
	uint32_t era, year, month;
	struct moment m = { 0 };

	day += DAYS_TO_MARCH + DAYS_400;
	era = day / DAYS_400;
	day %= DAYS_400;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	m.day = (int)(day - (153 * month + 2) / 5 + 1);
	m.month = (int)(month < 10 ? month + 3 : month - 9);
	m.year = (int)(year + era * 400 - 400 + (month >= 10));
	m.hour = (int)(rest / 3600);
	m.minute = (int)(rest / 60 % 60);
	m.second = (int)(rest % 60);
	return m;
}

/* What is left of a text; the first thing that does not fit empties it for good. */
struct text {
	mst_span left;
	bool bad;
};

static void
spoil(struct text *t)
{
	t->bad = true;
	t->left.len = 0; /* so that no loop waits for a digit to go away */
}

static uint8_t
next(struct text *t)
{
	uint8_t c;

	if (t->left.len == 0) {
		spoil(t);
		return 0;
	}
	c = t->left.ptr[0];
	t->left.ptr++;
	t->left.len--;
	return c;
}

static int
number(struct text *t, int digits, int min, int max)
{
	int v = 0;

	while (digits-- > 0) {
		uint8_t c = next(t);

		if (c < '0' || c > '9')
			spoil(t);
		else
			v = v * 10 + (c - '0');
	}
	if (v < min || v > max)
		spoil(t);
	return v;
}

/* RFC 3339 5.6: "T" and "Z" may be lower case */
static void
mark(struct text *t, char c)
{
	uint8_t found = next(t);

	if (found != (uint8_t)c && (c != 'T' || found != 't'))
		spoil(t);
}

static bool
digit_follows(const struct text *t)
{
	return t->left.len != 0 && t->left.ptr[0] >= '0' && t->left.ptr[0] <= '9';
}

static void
fraction(struct text *t)
{
	if (t->left.len == 0 || t->left.ptr[0] != '.')
		return;
	(void)next(t);
	(void)number(t, 1, 0, 9); /* RFC 3339 5.6: at least one digit */
	while (digit_follows(t))
		(void)next(t);
}

static int
offset(struct text *t)
{
	uint8_t c = next(t);
	int seconds;

	if (c == 'Z' || c == 'z')
		return 0;
	if (c != '+' && c != '-')
		spoil(t);
	seconds = number(t, 2, 0, 23) * 3600;
	mark(t, ':');
	seconds += number(t, 2, 0, 59) * 60;
	return c == '-' ? -seconds : seconds; /* "-00:00" is UTC too: RFC 3339 4.3 */
}

/* RFC 3339 5.7: second 60 comes at the end of a month, UTC; secs is its second 59. */
static bool
leap_second_fits(int64_t secs)
{
	struct moment after = moment_of(secs + 1);

	return after.day == 1 && after.hour + after.minute + after.second == 0;
}

/* The fixed part of RFC 3339 5.6: what stands before a number, its digits and range. */
static const struct field {
	char mark;
	uint8_t digits, min, at;
	int16_t max;
} fields[] = {
	{ 0, 4, 0, offsetof(struct moment, year), 9999 },
	{ '-', 2, 1, offsetof(struct moment, month), 12 },
	{ '-', 2, 1, offsetof(struct moment, day), 31 },
	{ 'T', 2, 0, offsetof(struct moment, hour), 23 },
	{ ':', 2, 0, offsetof(struct moment, minute), 59 },
	{ ':', 2, 0, offsetof(struct moment, second), 60 },
};
#define FIELDS (sizeof fields / sizeof fields[0])

static int *
field_of(struct moment *m, const struct field *f)
{
	return (int *)(void *)((char *)m + f->at);
}

mst_err
mst_time_parse(mst_span text, int64_t *out)
{
	struct text t = { text, false };
	struct moment m = { 0 };
	bool leap_second;
	int64_t secs;

	for (size_t i = 0; i < FIELDS; i++) {
		const struct field *f = &fields[i];

		if (i != 0)
			mark(&t, f->mark);
		*field_of(&m, f) = number(&t, f->digits, f->min, f->max);
	}
	fraction(&t);
	m.offset = offset(&t);
	if (t.bad || t.left.len != 0)
		return MST_E_TIME_FORMAT;
	leap_second = m.second == 60;
	if (leap_second)
		m.second = 59;
	secs = seconds_of(&m);
	if (moment_of(secs).month != m.month) /* such as 30 February */
		return MST_E_TIME_FORMAT;
	secs -= m.offset;
	if (secs < FIRST || secs > LAST) /* an offset may lead out of the years 0000 to 9999 */
		return MST_E_TIME_FORMAT;
	if (leap_second && !leap_second_fits(secs))
		return MST_E_TIME_FORMAT;
	*out = secs;
	return MST_OK;
}

static void
put_number(uint8_t *to, int v, int digits)
{
	while (digits-- > 0) {
		to[digits] = (uint8_t)('0' + v % 10);
		v /= 10;
	}
}

mst_err
mst_time_format(int64_t t, struct mst_buf *out)
{
	uint8_t text[MST_TIME_LEN], *at = text;
	struct moment m;

	if (t < FIRST || t > LAST)
		return MST_E_TIME_FORMAT;
	m = moment_of(t);
	for (size_t i = 0; i < FIELDS; i++) {
		if (i != 0)
			*at++ = (uint8_t)fields[i].mark;
		put_number(at, *field_of(&m, &fields[i]), fields[i].digits);
		at += fields[i].digits;
	}
	*at = 'Z';
	return mst_buf_put(out, mst_span_of(text, sizeof text));
}

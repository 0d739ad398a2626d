/* SPDX-License-Identifier: Apache-2.0 */
#include "muster/time.h"

#define DAY 86400
#define DAYS_TO_1970 719528 /* days from 0000-01-01 to 1970-01-01 */
#define DAYS_400 146097 /* days of 400 years, whatever the first */
#define FIRST ((int64_t)-DAYS_TO_1970 * DAY) /* 0000-01-01T00:00:00Z */
#define LAST (((int64_t)25 * DAYS_400 - DAYS_TO_1970) * DAY - 1) /* 9999-12-31T23:59:59Z */

struct moment {
	int year, month, day, hour, minute, second;
	int offset; /* seconds east of UTC */
};

/* The calendar is proleptic Gregorian (RFC 3339 1, ISO 8601). */
static int
leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
month_days(int year, int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 ? leap(year) : 0);
}

/* Days from 0000-01-01 to the first day of the year. */
static int32_t
year_start(int32_t year)
{
	int32_t before = year - 1;

	if (year == 0)
		return 0;
	return 366 + before * 365 + before / 4 - before / 100 + before / 400;
}

static int64_t
seconds_of(const struct moment *m)
{
	int in_day = m->hour * 3600 + m->minute * 60 + m->second;
	int64_t days = (int64_t)year_start(m->year) - DAYS_TO_1970 + m->day - 1;

	for (int i = 1; i < m->month; i++)
		days += month_days(m->year, i);
	return days * DAY + in_day - m->offset;
}

/* t within FIRST and LAST */
static struct moment
moment_of(int64_t t)
{
	int64_t since = t - FIRST;
	int32_t day = (int32_t)(since / DAY);
	int32_t rest = (int32_t)(since % DAY);
	struct moment m = { .year = day / 366, .month = 1 };

	while (year_start(m.year + 1) <= day)
		m.year++;
	day -= year_start(m.year);
	while (day >= month_days(m.year, m.month))
		day -= month_days(m.year, m.month++);
	m.day = day + 1;
	m.hour = rest / 3600;
	m.minute = rest / 60 % 60;
	m.second = rest % 60;
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

static void
mark(struct text *t, char upper, char lower)
{
	uint8_t c = next(t);

	if (c != (uint8_t)upper && c != (uint8_t)lower)
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
	mark(t, ':', ':');
	seconds += number(t, 2, 0, 59) * 60;
	return c == '-' ? -seconds : seconds; /* "-00:00" is UTC too: RFC 3339 4.3 */
}

/* RFC 3339 5.7: second 60 comes at the end of a month, UTC; secs is its second 59. */
static bool
leap_second_fits(int64_t secs)
{
	struct moment m = moment_of(secs);

	return m.hour == 23 && m.minute == 59 && m.second == 59 &&
	       m.day == month_days(m.year, m.month);
}

mst_err
mst_time_parse(mst_span text, int64_t *out)
{
	struct text t = { text, false };
	struct moment m = { 0 };
	bool leap_second;
	int64_t secs;

	m.year = number(&t, 4, 0, 9999);
	mark(&t, '-', '-');
	m.month = number(&t, 2, 1, 12);
	mark(&t, '-', '-');
	m.day = number(&t, 2, 1, 31);
	mark(&t, 'T', 't'); /* RFC 3339 5.6: "T" and "Z" may be lower case */
	m.hour = number(&t, 2, 0, 23);
	mark(&t, ':', ':');
	m.minute = number(&t, 2, 0, 59);
	mark(&t, ':', ':');
	m.second = number(&t, 2, 0, 60);
	fraction(&t);
	m.offset = offset(&t);
	if (t.bad || t.left.len != 0 || m.day > month_days(m.year, m.month))
		return MST_E_TIME_FORMAT;
	leap_second = m.second == 60;
	if (leap_second)
		m.second = 59;
	secs = seconds_of(&m);
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
	uint8_t text[MST_TIME_LEN];
	struct moment m;

	if (t < FIRST || t > LAST)
		return MST_E_TIME_FORMAT;
	m = moment_of(t);
	put_number(text, m.year, 4);
	text[4] = '-';
	put_number(text + 5, m.month, 2);
	text[7] = '-';
	put_number(text + 8, m.day, 2);
	text[10] = 'T';
	put_number(text + 11, m.hour, 2);
	text[13] = ':';
	put_number(text + 14, m.minute, 2);
	text[16] = ':';
	put_number(text + 17, m.second, 2);
	text[19] = 'Z';
	return mst_buf_put(out, mst_span_of(text, sizeof text));
}

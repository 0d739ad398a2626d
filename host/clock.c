/* SPDX-License-Identifier: Apache-2.0 */
#include "host/clock.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

static _Atomic int64_t stands_at = INT64_MIN;

void
clock_set(int64_t t)
{
	atomic_store(&stands_at, t);
}

int64_t
clock_wall(void)
{
	int64_t t = atomic_load(&stands_at);
	struct timespec now;

	if (t != INT64_MIN)
		return t;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec;
}

int64_t
clock_mono_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_mono(void)
{
	return clock_mono_us() / 1000000;
}

/*
 * Midnight of the day before the build, so that no time zone of the build
 * machine matters. The compiler takes __DATE__ from SOURCE_DATE_EPOCH where
 * that is set, which keeps builds reproducible.
 */
static int64_t
build_date(void)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char date[] = __DATE__; /* "Nov 23 2026" */
	struct tm tm = { 0 };

	for (int m = 0; m < 12; m++)
		if (memcmp(months + 3 * m, date, 3) == 0)
			tm.tm_mon = m;
	tm.tm_mday = (date[4] == ' ' ? 0 : date[4] - '0') * 10 + date[5] - '0';
	tm.tm_year = (date[7] - '0') * 1000 + (date[8] - '0') * 100 + (date[9] - '0') * 10 +
	             date[10] - '0' - 1900;
	return (int64_t)timegm(&tm) - 86400;
}

struct mst_clock
clock_now(void)
{
	int64_t now = clock_wall();

	/* CLK-2: a clock before the build date was set by nobody. */
	return (struct mst_clock){
		.trust = now < build_date() ? MST_CLOCK_UNTRUSTED : MST_CLOCK_TRUSTED,
		.now = now,
	};
}

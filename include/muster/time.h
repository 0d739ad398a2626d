/* SPDX-License-Identifier: Apache-2.0 */
/* Time as data: core never looks at a clock, it is told (requirements CLK-1). */
#ifndef MUSTER_TIME_H
#define MUSTER_TIME_H

#include "muster/span.h"

/* How far a wall-clock reading may be believed (requirements CLK-1). */
enum mst_clock_trust {
	MST_CLOCK_NONE, /* there is no wall clock */
	MST_CLOCK_UNTRUSTED, /* there is one, set by nobody in particular */
	MST_CLOCK_TRUSTED, /* set by a valid RTC or a signed source */
};

struct mst_clock {
	enum mst_clock_trust trust;
	int64_t now; /* seconds since 1970-01-01T00:00:00Z; meaningless for NONE */
};

/* Room for "2026-11-23T09:00:00Z". */
#define MST_TIME_LEN 20

/*
 * Parse an RFC 3339 date-time with any offset and fraction into seconds since
 * 1970 (fraction dropped; leap second 60 read as 59). MST_E_TIME_FORMAT.
 * Years 0000 to 9999.
 */
MST_MUST_USE mst_err mst_time_parse(mst_span text, int64_t *out);

/* Append UTC with "Z" and whole seconds. MST_E_SPACE; MST_E_TIME_FORMAT outside years 0..9999. */
MST_MUST_USE mst_err mst_time_format(int64_t t, struct mst_buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the Linux programs read a clock (requirements CLK-1). */
#ifndef HOST_CLOCK_H
#define HOST_CLOCK_H

#include "muster/time.h"

/* Seconds since 1970, and of a clock that only goes forward. */
int64_t clock_wall(void);
int64_t clock_mono(void);
/* Microseconds of the forward clock, for durations in logs and metrics. */
int64_t clock_mono_us(void);
/* Tests and --now: the wall clock stands at t from here on. INT64_MIN ends that. */
void clock_set(int64_t t);
/* TRUSTED unless the wall clock is before the build date (CLK-2): then UNTRUSTED. */
struct mst_clock clock_now(void);

#endif

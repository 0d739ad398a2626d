/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices, scenarios and starting states are tortured, and how deep. */
#ifndef TESTS_POWERCUT_PLAN_H
#define TESTS_POWERCUT_PLAN_H

#include "powercut/device.h"

/* One device in one starting state. */
struct plan_case {
	unsigned geometry;
	enum scenario scenario;
	enum start start;
	unsigned filled;
	uint64_t seed;
};

/* Its name for a report, and as the words that powercut --replay takes. */
void plan_name(const struct plan_case *c, char *out, size_t len);

/*
 * Run a case; the schedules are added to *count. false: a promise was broken,
 * and stdout says which, with the words that replay it.
 */
bool plan_run(const struct plan_case *c, enum mst_torture_depth depth, unsigned events,
    unsigned stride, uint64_t *count);

/* A case whose flash has something wrong for good; refusals are right there. */
enum plan_bad {
	BAD_WRITE,
	BAD_ERASE,
	BAD_BOTH,
	BAD_STUCK_LOW, /* a bit of the sector reads 0 */
	BAD_STUCK_HIGH,
	BADS,
};
bool plan_run_bad(const struct plan_case *c, enum plan_bad bad, unsigned sector, uint64_t *count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * powercut [--schedules N] [--seed N]: at least N schedules; prints how many
 * and the seconds. --replay WORDS: one schedule again, with every operation
 * printed; the words are those of a report.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "powercut/plan.h"

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Every cut and every pair of them, in every scenario from every state, on the first geometry. */
static bool
everything(uint64_t least, uint64_t seed, uint64_t *total)
{
	bool ok = true;

	for (unsigned i = 0; ok && *total < least && i < SCENARIOS * STARTS; i++) {
		struct plan_case c = { 0, (enum scenario)(i % SCENARIOS),
			(enum start)(i / SCENARIOS), (unsigned)(i * 5 + seed) % 17, seed };

		ok = plan_run(&c, MST_TORTURE_PAIRS, 1u << MST_NOR_CUT, 1, total);
	}
	return ok;
}

/* Of the other geometries, and with operations that fail, an even part; then the next part. */
static bool
parts(uint64_t least, uint64_t seed, uint64_t *total)
{
	const unsigned events = 1u << MST_NOR_CUT | 1u << MST_NOR_FAIL;
	bool ok = true;

	do {
		for (unsigned i = 0; ok && i < device_geometry_count * SCENARIOS * STARTS; i++) {
			struct plan_case c = { i % device_geometry_count,
				(enum scenario)(i / device_geometry_count % SCENARIOS),
				(enum start)(i / device_geometry_count / SCENARIOS),
				(unsigned)(i * 5 + seed * 3) % 17, seed };

			ok = plan_run(&c, MST_TORTURE_PAIRS, events, 23, total);
		}
		seed++;
	} while (ok && *total < least);
	return ok;
}

static int
run(uint64_t least, uint64_t seed)
{
	double begun = now();
	uint64_t total = 0, whole;
	bool ok = everything(least, seed, &total);

	whole = total;
	if (ok)
		ok = parts(least, seed, &total);
	printf("powercut schedules  %10" PRIu64 "  (%" PRIu64 " of them every pair of one geometry;"
	       " seed %" PRIu64 ")  %.1f s  %s\n",
	    total, whole, seed, now() - begun, ok ? "no promise broken" : "BROKEN");
	return ok ? 0 : 1;
}

static void
trace(void *ctx, const char *what, uint64_t op, uint64_t at, size_t len)
{
	const struct device *d = ctx;
	uint32_t size = d->nor.flash.sector_size;

	printf("  %3" PRIu64 " %s sector %" PRIu64 " at %4" PRIu64 ", %zu bytes%s\n", op, what,
	    at / size, at % size, len, op == d->nor.event_at ? "   <- here" : "");
}

static int
replay(const char *words)
{
	static struct device d;
	unsigned long long v[10] = { 0 };
	struct mst_torture_schedule s = { .point = { { .op = 0 } } };
	char *end = NULL;

	for (unsigned i = 0; i < 10; i++) {
		v[i] = strtoull(words, &end, 10);
		if (*end != (i < 9 ? ',' : '\0') || end == words)
			return 2;
		words = end + 1;
	}
	if (v[0] >= device_geometry_count || v[1] >= SCENARIOS || v[2] >= STARTS ||
	    v[6] >= MST_NOR_EVENTS || v[7] >= MST_TEARS || v[9] >= MST_TEARS)
		return 2;
	device_init(
	    &d, &device_geometries[v[0]], (enum scenario)v[1], (enum start)v[2], (unsigned)v[3]);
	d.rig.seed = v[4];
	s.point[0] =
	    (struct mst_torture_point){ v[5], (enum mst_nor_event)v[6], (enum mst_nor_tear)v[7] };
	s.point[1] = (struct mst_torture_point){ v[8], MST_NOR_CUT, (enum mst_nor_tear)v[9] };
	d.nor.trace = trace;
	d.nor.trace_ctx = &d;
	if (mst_torture_replay(&d.rig, &s) == MST_OK)
		printf("all promises kept\n");
	else
		printf("broken: %s\n", d.rig.broken);
	return d.rig.broken == NULL ? 0 : 1;
}

int
main(int argc, char **argv)
{
	uint64_t schedules = 1000000, seed = 1;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return 2;
		if (strcmp(argv[i], "--replay") == 0)
			return replay(argv[i + 1]);
		if (strcmp(argv[i], "--schedules") == 0)
			schedules = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else
			return 2;
	}
	return run(schedules, seed);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issue 4 item 6, in make check: every single cut and every single failing
 * operation, from every starting state, in every scenario and geometry; all pairs
 * from the states in which most is under way, and an even sample of the others.
 * make bench runs the rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "powercut/plan.h"

#define CUT (1u << MST_NOR_CUT)
#define FAIL (1u << MST_NOR_FAIL)
#define GEOMETRIES 4
#define LEAST 200000

static uint64_t total;

struct row {
	char name[120];
	unsigned geometry;
	enum scenario scenario;
	enum start start;
	enum plan_bad bad;
};

/* Every state, each at another filling of the record. */
static void
singles_from_every_state(void **state)
{
	const struct row *r = *state;
	bool ok = true;

	for (int start = 0; start < STARTS; start++) {
		struct plan_case c = { r->geometry, r->scenario, (enum start)start, 0, 1 };

		for (c.filled = 0; c.filled < 16; c.filled += 9)
			ok = plan_run(&c, MST_TORTURE_SINGLES, CUT | FAIL, 1, &total) && ok;
	}
	assert_true(ok);
}

static void
pairs_sampled(void **state)
{
	const struct row *r = *state;
	bool ok = true;

	for (int start = 0; start < STARTS; start++) {
		struct plan_case c = { r->geometry, r->scenario, (enum start)start,
			(unsigned)(3 * start) % 16, (uint64_t)start + 1 };

		ok = plan_run(&c, MST_TORTURE_PAIRS, CUT | FAIL, 211, &total) && ok;
	}
	assert_true(ok);
}

static void
all_pairs(void **state)
{
	const struct row *r = *state;
	struct plan_case c = { r->geometry, r->scenario, r->start, 6, 3 };

	assert_true(plan_run(&c, MST_TORTURE_PAIRS, CUT, 1, &total));
}

static void
bad_blocks(void **state)
{
	const struct row *r = *state;
	const struct device_geometry *g = &device_geometries[r->geometry];
	struct plan_case c = { r->geometry, r->scenario, START_FACTORY, 9, 1 };
	bool ok = true;

	/* all sectors but those of slot A, which is only read */
	for (unsigned s = 0; s < g->record_sectors + MST_SLOTS * DEVICE_SLOT_SECTORS; s++) {
		if (s >= g->record_sectors && s < g->record_sectors + DEVICE_SLOT_SECTORS)
			continue;
		for (c.seed = 1; c.seed < (r->bad >= BAD_STUCK_LOW ? 20u : 2u); c.seed += 6)
			ok = plan_run_bad(&c, r->bad, s, &total) && ok;
	}
	assert_true(ok);
}

static void
enough_were_tried(void **state)
{
	(void)state;
	printf("powercut: %" PRIu64 " schedules\n", total);
	assert_true(total >= LEAST);
}

static struct row rows[400];
static struct CMUnitTest tests[400];
static size_t count;

static struct row *
row(CMUnitTestFunction f)
{
	struct row *r = &rows[count];

	if (count == sizeof(rows) / sizeof(rows[0]))
		abort();
	tests[count] = (struct CMUnitTest){ r->name, f, NULL, NULL, r };
	count++;
	return r;
}

static void
rows_of(unsigned geometry, enum scenario scenario)
{
	const char *g = device_geometries[geometry].name, *s = scenario_name(scenario);
	struct row *r = row(singles_from_every_state);

	r->geometry = geometry;
	r->scenario = scenario;
	snprintf(r->name, sizeof(r->name), "SUIT-13.5 every cut and failure: %s (%s)", s, g);
	r = row(pairs_sampled);
	r->geometry = geometry;
	r->scenario = scenario;
	snprintf(r->name, sizeof(r->name), "SUIT-13.5 pairs, sampled: %s (%s)", s, g);
}

static void
rows_of_bad(unsigned geometry, enum scenario scenario)
{
	static const char *const names[BADS] = { "write fails", "erase fails", "both fail",
		"a bit stuck at 0", "a bit stuck at 1" };

	for (int bad = 0; bad < BADS; bad++) {
		struct row *r = row(bad_blocks);

		r->geometry = geometry;
		r->scenario = scenario;
		r->bad = (enum plan_bad)bad;
		snprintf(r->name, sizeof(r->name), "SUIT-13.5 bad sector, %s: %s (%s)", names[bad],
		    scenario_name(scenario), device_geometries[geometry].name);
	}
}

int
main(void)
{
	static const struct {
		enum scenario scenario;
		enum start start;
	} whole[] = { { UPDATE, START_FACTORY }, { UPDATE, START_PENDING },
		{ UPDATE, START_STAGED }, { UPDATE, START_OPEN }, { REVERT_CRASH, START_PENDING },
		{ REVERT_HEALTH, START_STAGED }, { COUNTER, START_FACTORY },
		{ JOURNAL, START_FACTORY }, { REFERENCES, START_ONE_COPY } };

	for (unsigned g = 0; g < GEOMETRIES && g < device_geometry_count; g++) {
		for (int s = 0; s < SCENARIOS; s++)
			rows_of(g, (enum scenario)s);
		rows_of_bad(g, UPDATE);
		rows_of_bad(g, REVERT_CRASH);
	}
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		struct row *r = row(all_pairs);

		r->geometry = (unsigned)i % GEOMETRIES;
		r->scenario = whole[i].scenario;
		r->start = whole[i].start;
		snprintf(r->name, sizeof(r->name), "SUIT-13.5 every pair: %s, from %s",
		    scenario_name(r->scenario), start_name(r->start));
	}
	snprintf(row(enough_were_tried)->name, sizeof(rows[0].name),
	    "SUIT-13.5 at least %d schedules", LEAST);
	return _cmocka_run_group_tests("powercut", tests, count, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "powercut/plan.h"

static struct device device;

void
plan_name(const struct plan_case *c, char *out, size_t len)
{
	snprintf(out, len, "%s, from %s, %s, filled %u", scenario_name(c->scenario),
	    start_name(c->start), device_geometries[c->geometry].name, c->filled);
}

static bool
report(const struct plan_case *c, const struct mst_torture *t)
{
	const struct mst_torture_point *p = t->where.point;
	char name[160];

	if (t->broken == NULL)
		return true;
	plan_name(c, name, sizeof(name));
	printf("powercut: %s: %s\n  --replay %u,%d,%d,%u,%" PRIu64 ",%" PRIu64 ",%d,%d,%" PRIu64
	       ",%d\n",
	    name, t->broken, c->geometry, (int)c->scenario, (int)c->start, c->filled, c->seed,
	    p[0].op, (int)p[0].event, (int)p[0].tear, p[1].op, (int)p[1].tear);
	return false;
}

bool
plan_run(const struct plan_case *c, enum mst_torture_depth depth, unsigned events, unsigned stride,
    uint64_t *count)
{
	mst_err e;

	device_init(&device, &device_geometries[c->geometry], c->scenario, c->start, c->filled);
	device.rig.seed = c->seed;
	device.rig.depth = depth;
	device.rig.events = events;
	device.rig.stride = stride;
	e = mst_torture_run(&device.rig);
	*count += device.rig.schedules;
	return report(c, &device.rig) && e == MST_OK;
}

bool
plan_run_bad(const struct plan_case *c, enum plan_bad bad, unsigned sector, uint64_t *count)
{
	uint32_t size = device_geometries[c->geometry].sector_size;
	/* a place in the middle of an entry, or of the image */
	uint32_t at = sector * size + (uint32_t)(c->seed * 37 % (size / 2)) + 3;
	mst_err e;

	device_init(&device, &device_geometries[c->geometry], c->scenario, c->start, c->filled);
	device.world.tolerant = true;
	device.rig.seed = c->seed;
	if (bad == BAD_WRITE || bad == BAD_BOTH)
		device.nor.bad_write = 1u << sector;
	if (bad == BAD_ERASE || bad == BAD_BOTH)
		device.nor.bad_erase = 1u << sector;
	/* it breaks while the device writes there, not under what lies there already */
	if (bad == BAD_STUCK_LOW || bad == BAD_STUCK_HIGH)
		device.nor.stuck[0] =
		    (struct mst_nor_stuck){ at, 0x04, bad == BAD_STUCK_HIGH ? 0x04 : 0x00 };
	e = mst_torture_run(&device.rig);
	*count += device.rig.schedules;
	return report(c, &device.rig) && e == MST_OK;
}

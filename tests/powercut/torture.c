/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "muster/torture.h"

/* A moment: what is in the flash, in its struct, and in the world. */
struct moment {
	struct mst_nor nor;
	uint8_t *at; /* memory, then world */
};

static size_t
memory_size(const struct mst_torture *t)
{
	return (size_t)t->nor->flash.sectors * t->nor->flash.sector_size;
}

size_t
mst_torture_room(const struct mst_torture *t)
{
	return 2 * (memory_size(t) + t->world.len);
}

static void
keep(const struct mst_torture *t, struct moment *m)
{
	m->nor = *t->nor;
	memcpy(m->at, t->nor->memory, memory_size(t));
	memcpy(m->at + memory_size(t), t->world.ptr, t->world.len);
}

static void
go_back(const struct mst_torture *t, const struct moment *m)
{
	*t->nor = m->nor;
	memcpy(t->nor->memory, m->at, memory_size(t));
	memcpy(t->world.ptr, m->at + memory_size(t), t->world.len);
}

/* Switched on, with an event planned or none; how many operations there were. */
static uint64_t
live(const struct mst_torture *t, const struct mst_torture_point *p)
{
	mst_nor_power_on(t->nor);
	t->nor->event_at = p->op;
	t->nor->event = p->event;
	t->nor->tear = p->tear;
	t->nor->seed = t->seed;
	t->power_on(t->ctx, t->world.ptr);
	return t->nor->ops;
}

static const struct mst_torture_point calm;

/* The last run and the verdict; false: stop. */
static bool
conclude(struct mst_torture *t, const struct mst_torture_schedule *s, uint64_t *ops)
{
	const char *broken;

	*ops = live(t, &calm);
	t->schedules++;
	broken = t->check(t->ctx, t->world.ptr);
	if (broken == NULL && t->nor->breaches != 0)
		broken = "the flash was used against its contract";
	if (broken != NULL) {
		t->broken = broken;
		t->where = *s;
		return false;
	}
	return t->limit == 0 || t->schedules < t->limit;
}

/* All cuts of the run after the first event; after is the moment of that event. */
static bool
pairs(
    struct mst_torture *t, struct mst_torture_schedule *s, const struct moment *after, uint64_t ops)
{
	uint64_t n = t->seed, unused;

	for (s->point[1].op = 1; s->point[1].op <= ops; s->point[1].op++) {
		for (unsigned tear = 0; tear < MST_TEARS; tear++) {
			if (t->stride > 1 && n++ % t->stride != 0)
				continue;
			s->point[1].event = MST_NOR_CUT;
			s->point[1].tear = (enum mst_nor_tear)tear;
			go_back(t, after);
			live(t, &s->point[1]);
			if (!conclude(t, s, &unused))
				return false;
		}
	}
	s->point[1].op = 0;
	return true;
}

static bool
all(struct mst_torture *t, struct moment *start, struct moment *after)
{
	struct mst_torture_schedule s = { .point = { { .op = 0 } } };
	uint64_t ops;

	if (!conclude(t, &s, &t->operations))
		return false;
	for (uint64_t n = 0; n < t->operations * MST_NOR_EVENTS * MST_TEARS; n++) {
		s.point[0].op = n / (MST_NOR_EVENTS * MST_TEARS) + 1;
		s.point[0].event = (enum mst_nor_event)(n / MST_TEARS % MST_NOR_EVENTS);
		s.point[0].tear = (enum mst_nor_tear)(n % MST_TEARS);
		if ((t->events >> s.point[0].event & 1) == 0)
			continue;
		go_back(t, start);
		live(t, &s.point[0]);
		keep(t, after);
		if (!conclude(t, &s, &ops))
			return false;
		if (t->depth == MST_TORTURE_PAIRS && !pairs(t, &s, after, ops))
			return false;
	}
	return true;
}

mst_err
mst_torture_run(struct mst_torture *t)
{
	size_t one = memory_size(t) + t->world.len;
	struct moment start = { .at = t->room.ptr }, after = { .at = t->room.ptr + one };

	t->schedules = t->operations = 0;
	t->broken = NULL;
	if (t->room.cap < mst_torture_room(t))
		return MST_E_SPACE;
	keep(t, &start);
	/* either all of them, or the limit was reached, or broken tells */
	(void)all(t, &start, &after);
	go_back(t, &start);
	return t->broken == NULL ? MST_OK : MST_E_SLOT_MISMATCH;
}

mst_err
mst_torture_replay(struct mst_torture *t, const struct mst_torture_schedule *schedule)
{
	uint64_t unused;

	t->schedules = 0;
	t->broken = NULL;
	for (unsigned i = 0; i < 2; i++) {
		if (schedule->point[i].op != 0)
			live(t, &schedule->point[i]);
	}
	(void)conclude(t, schedule, &unused);
	return t->broken == NULL ? MST_OK : MST_E_SLOT_MISMATCH;
}

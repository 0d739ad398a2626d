/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/boot.md, "Where another bootloader chooses": a bootloader with flags of
 * its own (an environment of two values that is written whole, a count of tries,
 * as U-Boot's), the adapter's verbs in the order of that page, and the record
 * beside it. Every cut between and within them, and every pair.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "muster/torture.h"

enum { SECTOR = 2048, RECORD = 2, ENVIRONMENT = 2, SLOT_A = 3, SLOT_B = 4, SECTORS = 5 };
enum { IMAGE = 600, BOOTS = 6, CONFIRMED = 0x7f, ENTRY = 8 };
enum scenario {
	UPDATE,
	CRASH,
	HEALTH,
	WRONG_ORDER, /* the record confirms before the bootloader is told: it must be caught */
};

struct world {
	enum scenario scenario;
	unsigned trials;
	bool may, did, done;
	uint64_t seen;
	const char *broken;
};

struct device {
	struct mst_nor nor;
	struct mst_slots_config config;
	struct world world;
	struct mst_torture rig;
	uint8_t memory[SECTORS * SECTOR];
	uint8_t room[2 * (SECTORS * SECTOR + sizeof(struct world))];
};

struct session {
	struct device *d;
	struct world *w;
	struct mst_slots s;
	unsigned running;
};

static void
breach(struct session *b, const char *what)
{
	if (b->w->broken == NULL)
		b->w->broken = what;
}

static bool
refused(struct session *b, mst_err e, const char *what)
{
	if (e != MST_OK && b->d->nor.powered)
		breach(b, what);
	return e != MST_OK;
}

static void
image_make(unsigned n, uint8_t bytes[IMAGE], struct mst_slot_image *is)
{
	for (unsigned i = 0; i < IMAGE; i++)
		bytes[i] = (uint8_t)(n + 7 * i);
	memset(is, 0, sizeof(*is));
	is->number = n;
	memset(is->digest, (int)n, sizeof(is->digest));
}

/* Which image lies in a slot; 0: none that is whole. */
static unsigned
image_in(const uint8_t *bytes)
{
	uint8_t whole[IMAGE];
	struct mst_slot_image is;

	if (bytes[0] < 1 || bytes[0] > 2)
		return 0;
	image_make(bytes[0], whole, &is);
	return memcmp(bytes, whole, IMAGE) == 0 ? bytes[0] : 0;
}

static mst_err
verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	struct session *b = ctx;
	uint8_t bytes[IMAGE], unused[IMAGE];
	mst_err e = mst_slot_read(&b->s, slot, 0, bytes, IMAGE);

	if (e == MST_OK && image_in(bytes) == 0)
		e = MST_E_SLOT_MISMATCH;
	if (e == MST_OK)
		image_make(bytes[0], unused, found);
	return e;
}

/* ---- the other bootloader ---- */

/* The newest whole entry: which slot, and how many tries are left, or CONFIRMED. */
static unsigned
environment_read(const struct device *d, uint8_t *slot, uint8_t *tries)
{
	const uint8_t *p = d->memory + ENVIRONMENT * SECTOR;
	static const uint8_t erased[ENTRY] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	unsigned i = 0;

	for (; i < SECTOR / ENTRY && memcmp(p + i * ENTRY, erased, ENTRY) != 0; i++) {
		const uint8_t *q = p + i * ENTRY;

		if ((q[2] ^ q[0]) == 0xff && (q[3] ^ q[1]) == 0xff && q[4] == 0x5a &&
		    q[5] == 0xa5 && q[6] == q[0] && q[7] == q[1]) {
			*slot = q[0];
			*tries = q[1];
		}
	}
	return i;
}

static mst_err
environment_write(struct device *d, unsigned slot, unsigned tries)
{
	uint8_t a = (uint8_t)slot, t = (uint8_t)tries, was[2];
	uint8_t entry[ENTRY] = { a, t, (uint8_t)~a, (uint8_t)~t, 0x5a, 0xa5, a, t };
	unsigned n = environment_read(d, &was[0], &was[1]);

	return d->nor.flash.write(&d->nor, (uint64_t)ENVIRONMENT * SECTOR + (uint64_t)n * ENTRY,
	    mst_span_of(entry, ENTRY));
}

/* bootcmd and altbootcmd. It verifies by means of its own. */
static mst_err
bootloader(struct session *b)
{
	uint8_t slot = 0, tries = CONFIRMED;
	mst_err e = MST_OK;

	(void)environment_read(b->d, &slot, &tries);
	if (tries != CONFIRMED &&
	    (tries == 0 || image_in(b->d->memory + (SLOT_A + slot) * SECTOR) == 0)) {
		slot = 1 - slot;
		tries = CONFIRMED;
		e = environment_write(b->d, slot, CONFIRMED);
	} else if (tries != CONFIRMED) {
		e = environment_write(b->d, slot, tries - 1u);
	}
	b->running = slot;
	return e;
}

/* ---- the system that it starts ---- */

static bool
install(struct session *b)
{
	uint8_t bytes[IMAGE];
	struct mst_slot_image image;
	struct mst_slot_writer w;
	unsigned slot;
	bool resume;

	image_make(2, bytes, &image);
	if (b->s.boot.state != MST_SLOT_STAGED) {
		if (refused(
		        b, mst_slots_begin(&b->s, b->running, &image, &slot, &resume), "begin") ||
		    refused(b, mst_slot_writer_init(&w, &b->s, slot, 0), "writer") ||
		    refused(b, mst_slot_writer_put(&w, mst_span_of(bytes, IMAGE)), "put") ||
		    refused(b, mst_slot_writer_end(&w), "end") ||
		    refused(b, mst_slots_stage(&b->s, &image, verify, b), "stage"))
			return false;
	}
	return !refused(b, mst_slots_arm(&b->s, 1), "arm") &&
	       !refused(b, environment_write(b->d, b->s.boot.trial, 1), "try");
}

/* Adapter first, then the record: docs/boot.md 3 and 4. */
static void
decide(struct session *b)
{
	b->w->trials++;
	if (b->w->scenario == CRASH)
		return;
	if (b->w->scenario == HEALTH) {
		if (!refused(b, environment_write(b->d, 1 - b->running, CONFIRMED), "revert"))
			(void)refused(b, mst_slots_revert(&b->s), "revert of the record");
		return;
	}
	b->w->may = true;
	if (b->w->scenario == WRONG_ORDER &&
	    refused(b, mst_slots_confirm(&b->s, b->running), "confirm of the record"))
		return;
	if (refused(b, environment_write(b->d, b->running, CONFIRMED), "confirm") ||
	    refused(b, mst_slots_confirm(&b->s, b->running), "confirm of the record"))
		return;
	b->w->did = true;
}

static void
check_start(struct session *b, unsigned number)
{
	uint8_t digest[MST_SLOT_DIGEST];
	uint64_t n = 0;

	if (mst_slots_number_get(&b->s, MST_LIT(""), &n, digest) != MST_OK)
		breach(b, "the counter is gone");
	if (n < b->w->seen)
		breach(b, "the counter went back");
	b->w->seen = n;
	if (n == 2 && !b->w->may)
		breach(b, "the counter advanced before the confirmation");
	if (n == 2 && number != 2)
		breach(b, "the counter advanced and the old image runs");
	if (b->w->did && number != 2)
		breach(b, "lost confirmation");
	if (number == 2 && b->s.boot.state != MST_SLOT_TRIAL && !b->w->may)
		breach(b, "the new image runs, and the record does not know of a trial");
}

static void
started(struct session *b)
{
	unsigned number = image_in(b->d->memory + (SLOT_A + b->running) * SECTOR);

	if (number == 0) {
		breach(b, "brick, or an image that is not whole");
		return;
	}
	if (refused(b, mst_slots_open(&b->s, &b->d->config), "the record is lost") ||
	    refused(b, mst_slots_booted(&b->s, b->running), "booted"))
		return;
	check_start(b, number);
	if (b->w->broken != NULL)
		return;
	if (b->s.boot.state == MST_SLOT_TRIAL)
		decide(b);
	else if (number == 2)
		b->w->done = true;
	else if ((b->w->scenario == CRASH || b->w->scenario == HEALTH) && b->w->trials != 0)
		b->w->done = b->s.boot.state == MST_SLOT_REVERTED;
	else
		(void)install(b);
}

static void
power_on(void *ctx, void *world)
{
	struct session b = { .d = ctx, .w = world };

	b.w->done = false;
	for (unsigned i = 0; i < BOOTS && !b.w->done && b.w->broken == NULL; i++) {
		if (bootloader(&b) != MST_OK || !b.d->nor.powered)
			return;
		started(&b);
		if (!b.d->nor.powered)
			return;
	}
}

static const char *
check(void *ctx, void *world)
{
	struct world *w = world;

	(void)ctx;
	return w->broken == NULL && !w->done ? "it never comes to an end" : w->broken;
}

static void
pairs(void **state)
{
	static struct device d;
	static struct mst_slots s;
	struct mst_flash f = {
		.sector_size = SECTOR, .sectors = SECTORS, .write_size = 8, .erased = 0xff
	};
	struct mst_slot_image image;
	mst_err e;

	mst_nor_init(&d.nor, &f, d.memory);
	memset(&d.config, 0, sizeof(d.config));
	d.config.record = (struct mst_area){ &d.nor.flash, 0, RECORD };
	d.config.slot[0] = (struct mst_area){ &d.nor.flash, SLOT_A, 1 };
	d.config.slot[1] = (struct mst_area){ &d.nor.flash, SLOT_B, 1 };
	image_make(1, d.memory + SLOT_A * SECTOR, &image);
	assert_int_equal(mst_slots_open(&s, &d.config), MST_E_SLOT_BLANK);
	assert_int_equal(mst_slots_format(&s, 0, &image), MST_OK);
	assert_int_equal(environment_write(&d, 0, CONFIRMED), MST_OK);
	memset(&d.world, 0, sizeof(d.world));
	d.world.scenario = (enum scenario)(uintptr_t)*state;
	d.rig = (struct mst_torture){ .nor = &d.nor,
		.world = { (uint8_t *)&d.world, sizeof(d.world), sizeof(d.world) },
		.power_on = power_on,
		.check = check,
		.ctx = &d,
		.room = MST_BUF(d.room),
		.seed = 1,
		.depth = MST_TORTURE_PAIRS,
		.events = 1u << MST_NOR_CUT };
	e = mst_torture_run(&d.rig);
	printf("powercut: %" PRIu64 " schedules, another bootloader\n", d.rig.schedules);
	if (d.world.scenario == WRONG_ORDER) {
		assert_string_equal(d.rig.broken, "the counter advanced and the old image runs");
		return;
	}
	if (e != MST_OK)
		printf("%s: op %" PRIu64 " tear %d, op %" PRIu64 " tear %d\n", d.rig.broken,
		    d.rig.where.point[0].op, (int)d.rig.where.point[0].tear,
		    d.rig.where.point[1].op, (int)d.rig.where.point[1].tear);
	assert_int_equal(e, MST_OK);
	assert_true(d.rig.schedules > 1000);
}

#define ROW(name, scenario)                                                                        \
	{                                                                                          \
		name, pairs, NULL, NULL, (void *)(uintptr_t)(scenario)                             \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW("SUIT-13.5 another bootloader, every pair: update", UPDATE),
		ROW("SUIT-13.5 another bootloader, every pair: crash", CRASH),
		ROW("SUIT-13.5 another bootloader, every pair: health", HEALTH),
		ROW("SUIT-13.5 another bootloader, told too late: caught", WRONG_ORDER),
	};

	return cmocka_run_group_tests_name("another bootloader", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator and the scheduler of muster/torture.h themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "muster/torture.h"

enum { SECTOR = 64, SECTORS = 3 };

static uint8_t memory[SECTOR * SECTORS];
static struct mst_nor nor;

static void
make(uint8_t erased, uint16_t write_size)
{
	struct mst_flash f = { .sector_size = SECTOR,
		.sectors = SECTORS,
		.write_size = write_size,
		.erased = erased };

	mst_nor_init(&nor, &f, memory);
}

static mst_err
put(uint64_t at, const void *bytes, size_t len)
{
	return nor.flash.write(&nor, at, mst_span_of(bytes, len));
}

static void
bits_only_leave_the_erased_value(void **state)
{
	uint8_t a = 0xf0, b = 0x3c, got;

	(void)state;
	make(0xff, 1);
	assert_int_equal(put(5, &a, 1), MST_OK);
	assert_int_equal(nor.breaches, 0);
	assert_int_equal(put(5, &b, 1), MST_OK);
	assert_int_equal(nor.breaches, 1); /* it was not erased */
	assert_int_equal(nor.flash.read(&nor, 5, &got, 1), MST_OK);
	assert_int_equal(got, 0x30);
	assert_int_equal(nor.flash.erase(&nor, 0), MST_OK);
	assert_int_equal(memory[5], 0xff);
	make(0x00, 1);
	assert_int_equal(put(5, &a, 1), MST_OK);
	assert_int_equal(put(5, &b, 1), MST_OK);
	assert_int_equal(memory[5], 0xfc);
}

static void
breaches_are_counted(void **state)
{
	uint8_t bytes[8] = { 0 }, got;

	(void)state;
	make(0xff, 4);
	assert_int_not_equal(put(2, bytes, 4), MST_OK); /* not on a granule */
	assert_int_not_equal(put(0, bytes, 3), MST_OK); /* not whole granules */
	assert_int_not_equal(put(SECTOR - 4, bytes, 8), MST_OK); /* across sectors */
	assert_int_not_equal(put(SECTOR * SECTORS, bytes, 4), MST_OK);
	assert_int_not_equal(nor.flash.read(&nor, SECTOR * SECTORS, &got, 1), MST_OK);
	assert_int_not_equal(nor.flash.erase(&nor, SECTORS), MST_OK);
	assert_int_equal(nor.breaches, 6);
	assert_int_equal(nor.ops, 0);
}

static void
cut(enum mst_nor_tear tear)
{
	static const uint8_t zeros[16];
	uint8_t got;

	make(0xff, 1);
	mst_nor_power_on(&nor);
	nor.event_at = 1;
	nor.event = MST_NOR_CUT;
	nor.tear = tear;
	nor.seed = 4;
	assert_int_not_equal(put(0, zeros, 16), MST_OK);
	assert_false(nor.powered);
	assert_int_not_equal(put(16, zeros, 16), MST_OK);
	assert_int_not_equal(nor.flash.read(&nor, 0, &got, 1), MST_OK);
	assert_int_not_equal(nor.flash.erase(&nor, 1), MST_OK);
	assert_int_equal(memory[16], 0xff);
	mst_nor_power_on(&nor);
	assert_int_equal(nor.flash.read(&nor, 0, &got, 1), MST_OK);
}

static void
writes_tear_in_five_ways(void **state)
{
	unsigned set = 0;

	(void)state;
	cut(MST_TEAR_NOTHING);
	assert_true(memory[0] == 0xff && memory[15] == 0xff);
	cut(MST_TEAR_ALL);
	assert_true(memory[0] == 0 && memory[15] == 0);
	cut(MST_TEAR_HEAD);
	assert_true(memory[0] == 0 && memory[15] == 0xff);
	cut(MST_TEAR_TAIL);
	assert_true(memory[0] == 0xff && memory[15] == 0);
	cut(MST_TEAR_BITS);
	for (unsigned i = 0; i < 128; i++)
		set += memory[i / 8] >> i % 8 & 1;
	assert_true(set > 16 && set < 112);
}

static void
erases_tear_in_halves(void **state)
{
	static const uint8_t zeros[SECTOR];

	(void)state;
	for (unsigned tear = 0; tear < MST_TEARS; tear++) {
		make(0xff, 1);
		assert_int_equal(put(SECTOR, zeros, SECTOR), MST_OK);
		mst_nor_power_on(&nor);
		nor.event_at = 1;
		nor.event = MST_NOR_FAIL;
		nor.tear = (enum mst_nor_tear)tear;
		assert_int_not_equal(nor.flash.erase(&nor, 1), MST_OK);
		assert_true(nor.powered);
		if (tear != MST_TEAR_BITS) {
			assert_int_equal(memory[SECTOR],
			    tear == MST_TEAR_HEAD || tear == MST_TEAR_ALL ? 0xff : 0);
			assert_int_equal(memory[2 * SECTOR - 1],
			    tear == MST_TEAR_TAIL || tear == MST_TEAR_ALL ? 0xff : 0);
		}
		assert_true(memory[0] == 0xff && memory[2 * SECTOR] == 0xff);
	}
}

static void
ecc_does_not_read_what_tore(void **state)
{
	static const uint8_t zeros[16];
	uint8_t got[16];

	(void)state;
	make(0xff, 8);
	nor.kind = MST_NOR_ECC;
	mst_nor_power_on(&nor);
	nor.event_at = 1;
	nor.event = MST_NOR_FAIL;
	nor.tear = MST_TEAR_BITS;
	assert_int_not_equal(put(8, zeros, 16), MST_OK);
	assert_int_not_equal(nor.flash.read(&nor, 4, got, 16), MST_OK);
	assert_int_equal(nor.flash.read(&nor, 0, got, 8), MST_OK);
	assert_int_equal(nor.flash.erase(&nor, 0), MST_OK);
	assert_int_equal(nor.flash.read(&nor, 4, got, 16), MST_OK);
}

static void
bad_sectors_and_stuck_bits(void **state)
{
	uint8_t bytes[4] = { 0 };

	(void)state;
	make(0xff, 1);
	nor.bad_write = 1u << 1;
	nor.bad_erase = 1u << 2;
	nor.stuck[0] = (struct mst_nor_stuck){ 2, 0x01, 0x01 };
	assert_int_not_equal(put(SECTOR, bytes, 4), MST_OK);
	assert_int_not_equal(nor.flash.erase(&nor, 2), MST_OK);
	assert_int_equal(put(0, bytes, 4), MST_OK);
	assert_int_equal(memory[2], 0x01);
	assert_int_equal(memory[3], 0x00);
}

/* ---- the scheduler, over a counter that is kept in two writes ---- */

struct world {
	unsigned promised;
	const char *broken;
};

/* A counter in unary, one byte each; the buggy one erases before it has written the new place. */
static void
count_on(void *ctx, void *world)
{
	struct world *w = world;
	unsigned n = 0;
	uint8_t byte = 0;

	while (n < 4 && memory[n] != 0xff)
		n++;
	if (n < w->promised)
		w->broken = "the counter went back";
	w->promised = n;
	while (n < 4) {
		if (ctx != NULL && n == 2 && nor.flash.erase(&nor, 0) != MST_OK)
			return;
		for (unsigned i = 0; ctx != NULL && n == 2 && i < 2; i++) {
			if (put(i, &byte, 1) != MST_OK)
				return;
		}
		if (put(n, &byte, 1) != MST_OK)
			return;
		w->promised = ++n;
	}
}

static const char *
count_check(void *ctx, void *world)
{
	struct world *w = world;

	(void)ctx;
	return w->broken == NULL && w->promised != 4 ? "not at its end" : w->broken;
}

static void
rig_make(struct mst_torture *t, struct world *w, uint8_t *room, size_t len, void *bug)
{
	make(0xff, 1);
	memset(w, 0, sizeof(*w));
	*t = (struct mst_torture){ .nor = &nor,
		.world = { (uint8_t *)w, sizeof(*w), sizeof(*w) },
		.power_on = count_on,
		.check = count_check,
		.ctx = bug,
		.room = { room, len, 0 },
		.seed = 1,
		.depth = MST_TORTURE_PAIRS,
		.events = 1u << MST_NOR_CUT };
}

static uint8_t room[2 * (sizeof(memory) + sizeof(struct world))];

static void
scheduler_counts_and_puts_back(void **state)
{
	struct mst_torture t;
	struct world w;
	uint64_t all;

	(void)state;
	rig_make(&t, &w, room, sizeof(room), NULL);
	assert_int_equal(mst_torture_run(&t), MST_OK);
	assert_int_equal(t.operations, 4);
	assert_true(t.schedules > 4 * MST_TEARS * 4);
	assert_int_equal(w.promised, 0);
	assert_int_equal(memory[0], 0xff);
	all = t.schedules;
	assert_int_equal(mst_torture_run(&t), MST_OK);
	assert_int_equal(t.schedules, all); /* the same again */
	t.limit = 7;
	assert_int_equal(mst_torture_run(&t), MST_OK);
	assert_int_equal(t.schedules, 7);
	t.room.cap--;
	assert_int_equal(mst_torture_run(&t), MST_E_SPACE);
}

static void
scheduler_finds_and_replays(void **state)
{
	struct mst_torture t;
	struct world w;
	struct mst_torture_schedule where;

	(void)state;
	rig_make(&t, &w, room, sizeof(room), &w);
	assert_int_equal(mst_torture_run(&t), MST_E_SLOT_MISMATCH);
	assert_string_equal(t.broken, "the counter went back");
	where = t.where;
	rig_make(&t, &w, room, sizeof(room), &w);
	assert_int_equal(mst_torture_replay(&t, &where), MST_E_SLOT_MISMATCH);
	assert_string_equal(t.broken, "the counter went back");
	where.point[0].op = where.point[1].op = 0;
	rig_make(&t, &w, room, sizeof(room), &w);
	assert_int_equal(mst_torture_replay(&t, &where), MST_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_only_leave_the_erased_value),
		cmocka_unit_test(breaches_are_counted),
		cmocka_unit_test(writes_tear_in_five_ways),
		cmocka_unit_test(erases_tear_in_halves),
		cmocka_unit_test(ecc_does_not_read_what_tore),
		cmocka_unit_test(bad_sectors_and_stuck_bits),
		cmocka_unit_test(scheduler_counts_and_puts_back),
		cmocka_unit_test(scheduler_finds_and_replays),
	};

	return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}

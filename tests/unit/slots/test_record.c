/* SPDX-License-Identifier: Apache-2.0 */
/* The log in flash, the processor's values, and the bytes of a slot. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "unit/slots/support_nor.h"

struct fixture {
	struct nor n;
	struct mst_slots s;
};

static int
setup_of(void **state, unsigned sectors)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	nor_init(&f.n, sectors);
	nor_factory(&f.n, &f.s);
	*state = &f;
	return 0;
}

static int
setup(void **state)
{
	return setup_of(state, 2);
}

static int
setup_spare(void **state)
{
	return setup_of(state, 3);
}

static void
reopen(struct fixture *f)
{
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_OK);
}

static struct mst_journal
journal(uint64_t offset)
{
	struct mst_journal j = { .section = 20, .command = 3, .component = 1, .offset = offset };

	j.digest[0] = 9;
	return j;
}

static void
journal_is(struct fixture *f, uint64_t offset)
{
	struct mst_journal j;

	assert_int_equal(mst_slots_journal_read(&f->s, &j), MST_OK);
	assert_int_equal(j.offset, offset);
	assert_int_equal(j.section, 20);
	assert_int_equal(j.component, 1);
	assert_int_equal(j.digest[0], 9);
}

static void
journal_survives_many_sectors(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 1; i <= 200; i++) {
		struct mst_journal j = journal(i);

		assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
		assert_int_equal(mst_slots_copies(&f->s), 2);
		if (i % 7 == 0)
			reopen(f);
		journal_is(f, i);
	}
	assert_true(f->n.erases < 60);
	assert_int_equal(mst_slots_journal_clear(&f->s), MST_OK);
	reopen(f);
	struct mst_journal j;
	assert_int_equal(mst_slots_journal_read(&f->s, &j), MST_E_SLOT_NO_JOURNAL);
}

static void
the_same_is_not_written_twice(void **state)
{
	struct fixture *f = *state;
	struct mst_journal j = journal(1);
	uint8_t digest[MST_SLOT_DIGEST] = { 1 };
	unsigned writes, left;

	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("x"), 5, digest), MST_OK);
	assert_int_equal(mst_slots_link(&f->s, MST_LIT("x"), digest), MST_OK);
	writes = f->n.writes;
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("x"), 5, digest), MST_OK);
	assert_int_equal(mst_slots_link(&f->s, MST_LIT("x"), digest), MST_OK);
	assert_int_equal(mst_slots_unlink(&f->s, MST_LIT("y"), digest, &left), MST_OK);
	assert_int_equal(mst_slots_repair(&f->s), MST_OK);
	assert_int_equal(f->n.writes, writes);
}

static void
journal_resumes_an_open_slot(void **state)
{
	struct fixture *f = *state;
	struct mst_journal j = journal(2048);
	unsigned slot;
	bool resume = true;

	memcpy(j.digest, nor_image(&f->n, 2)->digest, MST_SLOT_DIGEST);
	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
	assert_false(resume);
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	reopen(f);
	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
	assert_true(resume);
	/* another image ends it */
	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 3), &slot, &resume), MST_OK);
	assert_false(resume);
	reopen(f);
	assert_int_equal(mst_slots_journal_read(&f->s, &j), MST_E_SLOT_NO_JOURNAL);
}

static void
journal_is_no_way_into_a_full_slot(void **state)
{
	struct fixture *f = *state;
	struct mst_journal j = journal(2048);
	unsigned slot;
	bool resume = true;

	nor_stage(&f->n, &f->s, 0, 3);
	memcpy(j.digest, nor_image(&f->n, 2)->digest, MST_SLOT_DIGEST);
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
	assert_false(resume);
}

static void
staging_ends_the_journal(void **state)
{
	struct fixture *f = *state;
	struct mst_journal j = journal(1);
	struct mst_slot_image image = *nor_image(&f->n, 2);
	unsigned slot;
	bool resume;

	memcpy(j.digest, image.digest, MST_SLOT_DIGEST);
	assert_int_equal(mst_slots_begin(&f->s, 0, &image, &slot, &resume), MST_OK);
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	nor_put(&f->n, 1, 2);
	assert_int_equal(mst_slots_stage(&f->s, &image, nor_verify, &f->n), MST_OK);
	assert_int_equal(mst_slots_journal_read(&f->s, &j), MST_E_SLOT_NO_JOURNAL);
	reopen(f);
	assert_int_equal(mst_slots_journal_read(&f->s, &j), MST_E_SLOT_NO_JOURNAL);
}

static void
numbers_do_not_go_back(void **state)
{
	struct fixture *f = *state;
	uint8_t a[MST_SLOT_DIGEST] = { 1 }, b[MST_SLOT_DIGEST] = { 2 }, got[MST_SLOT_DIGEST];
	uint64_t n = 1;

	assert_int_equal(mst_slots_number_get(&f->s, MST_LIT("x"), &n, got), MST_OK);
	assert_int_equal(n, 0);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("x"), UINT64_MAX - 1, a), MST_OK);
	assert_int_equal(
	    mst_slots_number_set(&f->s, MST_LIT("x"), UINT64_MAX - 2, b), MST_E_SLOT_ROLLBACK);
	assert_int_equal(
	    mst_slots_number_set(&f->s, MST_LIT("x"), UINT64_MAX - 1, b), MST_E_SLOT_EQUAL);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("x"), UINT64_MAX, b), MST_OK);
	reopen(f);
	assert_int_equal(mst_slots_number_get(&f->s, MST_LIT("x"), &n, got), MST_OK);
	assert_true(n == UINT64_MAX && got[0] == 2);
	/* the empty identity is one of its own */
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT(""), 3, a), MST_OK);
	assert_int_equal(mst_slots_number_get(&f->s, MST_LIT(""), &n, got), MST_OK);
	assert_int_equal(n, 3);
}

static void
number_on_trial_is_not_set(void **state)
{
	struct fixture *f = *state;
	uint8_t d[MST_SLOT_DIGEST] = { 1 };
	uint8_t longer[MST_SLOT_ID_MAX + 1] = { 0 };

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(
	    mst_slots_number_set(&f->s, MST_LIT("root"), 99, d), MST_E_SLOT_UNCONFIRMED);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("other"), 99, d), MST_OK);
	assert_int_equal(mst_slots_number_set(&f->s, mst_span_of(longer, sizeof(longer)), 1, d),
	    MST_E_SLOT_RANGE);
	assert_int_equal(mst_slots_revert(&f->s), MST_OK);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("root"), 99, d), MST_OK);
}

static void
references_are_sets(void **state)
{
	struct fixture *f = *state;
	uint8_t a[MST_SLOT_DIGEST] = { 1 }, b[MST_SLOT_DIGEST] = { 2 };
	unsigned n = 9;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(mst_slots_link(&f->s, MST_LIT("lib"), a), MST_OK);
		assert_int_equal(mst_slots_link(&f->s, MST_LIT("lib"), b), MST_OK);
		reopen(f);
	}
	assert_int_equal(mst_slots_references(&f->s, MST_LIT("lib"), a, &n), MST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(mst_slots_unlink(&f->s, MST_LIT("lib"), a, &n), MST_OK);
	assert_int_equal(n, 1);
	/* suit-trust-domains, unlink: not more than once by a manifest */
	assert_int_equal(mst_slots_unlink(&f->s, MST_LIT("lib"), a, &n), MST_OK);
	assert_int_equal(n, 1);
	reopen(f);
	assert_int_equal(mst_slots_unlink(&f->s, MST_LIT("lib"), b, &n), MST_OK);
	assert_int_equal(n, 0);
	assert_int_equal(mst_slots_link(&f->s, MST_LIT(""), a), MST_E_SLOT_RANGE);
}

static void
references_run_out_and_come_back(void **state)
{
	struct fixture *f = *state;
	uint8_t by[MST_SLOT_DIGEST] = { 0 };
	unsigned n;

	for (unsigned i = 0; i < MST_SLOTS_REFS; i++) {
		by[0] = (uint8_t)i;
		assert_int_equal(mst_slots_link(&f->s, MST_LIT("lib"), by), MST_OK);
	}
	by[0] = 99;
	assert_int_equal(mst_slots_link(&f->s, MST_LIT("lib"), by), MST_E_SLOT_FULL);
	by[0] = 3;
	assert_int_equal(mst_slots_unlink(&f->s, MST_LIT("lib"), by, &n), MST_OK);
	by[0] = 99;
	assert_int_equal(mst_slots_link(&f->s, MST_LIT("new"), by), MST_OK);
	reopen(f);
	by[0] = 0;
	assert_int_equal(mst_slots_references(&f->s, MST_LIT("new"), by, &n), MST_OK);
	assert_int_equal(n, 1);
}

/* ---- what the flash does ---- */

static void
any_one_sector_may_go(void **state)
{
	struct fixture *f = *state;

	for (unsigned sector = 0; sector < 2; sector++) {
		for (unsigned i = 1; i <= 5; i++) {
			struct mst_journal j = journal(10 * sector + i);

			assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
		}
		memset(f->n.memory + (size_t)sector * NOR_SECTOR, 0x00, NOR_SECTOR);
		reopen(f);
		assert_int_equal(mst_slots_copies(&f->s), 1);
		journal_is(f, 10 * sector + 5);
		assert_int_equal(mst_slots_repair(&f->s), MST_OK);
		assert_int_equal(mst_slots_copies(&f->s), 2);
	}
}

static void
any_one_byte_may_rot(void **state)
{
	struct fixture *f = *state;
	static struct nor good;

	nor_stage(&f->n, &f->s, 0, 2);
	for (unsigned i = 1; i <= 3; i++) {
		struct mst_journal j = journal(i);

		assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	}
	good = f->n;
	for (size_t at = 0; at < 2 * NOR_SECTOR; at++) {
		f->n.memory[at] ^= 0x40;
		reopen(f);
		assert_int_equal(f->s.boot.state, MST_SLOT_STAGED);
		assert_int_equal(f->s.boot.slot[1].number, 20);
		journal_is(f, 3);
		memcpy(f->n.memory, good.memory, sizeof(good.memory));
	}
}

static void
spare_sector_takes_over(void **state)
{
	struct fixture *f = *state;

	f->n.bad = 1u << 0;
	for (unsigned i = 1; i <= 60; i++) {
		struct mst_journal j = journal(i);

		assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
		assert_int_equal(mst_slots_copies(&f->s), 2);
	}
	reopen(f);
	journal_is(f, 60);
	assert_int_equal(mst_slots_copies(&f->s), 2);
	assert_true(f->s.copy[0].sector != 0 && f->s.copy[1].sector != 0);
}

static void
one_sector_is_enough_for_a_while(void **state)
{
	struct fixture *f = *state;
	struct mst_journal j;
	mst_err e = MST_OK;
	unsigned i;

	f->n.bad = 1u << 0;
	for (i = 1; i <= 60 && e == MST_OK; i++) {
		j = journal(i);
		e = mst_slots_journal_write(&f->s, &j);
	}
	/* the last copy is never erased: what it holds stays, and no more is taken */
	assert_int_equal(e, MST_E_SLOT_WORN);
	reopen(f);
	journal_is(f, i - 2);
	f->n.bad = 0;
	assert_int_equal(mst_slots_repair(&f->s), MST_OK);
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_OK);
	journal_is(f, i - 1);
}

static void
worn_out_is_said_and_it_boots(void **state)
{
	struct fixture *f = *state;
	struct mst_boot boot;
	struct mst_journal j;
	uint64_t last = 0;
	mst_err e = MST_OK;

	f->n.fail_erases = true;
	for (unsigned i = 1; i <= 100 && e == MST_OK; i++) {
		j = journal(i);
		if ((e = mst_slots_journal_write(&f->s, &j)) == MST_OK)
			last = i;
	}
	assert_int_equal(e, MST_E_SLOT_WORN);
	assert_true(last > 5);
	j = journal(500);
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_E_SLOT_WORN);
	journal_is(f, last);
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_OK);
	journal_is(f, last);
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &boot), MST_OK);
	assert_int_equal(boot.slot, 0);
}

static void
unreadable_flash_is_a_lost_record(void **state)
{
	struct fixture *f = *state;

	f->n.fail_reads = true;
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_copies(&f->s), 0);
}

static void
geometry_is_judged(void **state)
{
	struct fixture *f = *state;
	struct mst_slots_config c = f->n.config;

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct mst_flash keep = f->n.flash;                                                \
		c = f->n.config;                                                                   \
		change;                                                                            \
		assert_int_equal(mst_slots_open(&f->s, &c), MST_E_SLOT_GEOMETRY);                  \
		f->n.flash = keep;                                                                 \
	} while (0)
	REFUSED(c.record.flash = NULL);
	REFUSED(c.record.sectors = 1);
	REFUSED(c.record.sectors = 9);
	REFUSED(c.record.first = NOR_SECTORS - 1);
	REFUSED(c.slot[0].first = 1);
	REFUSED(c.slot[1].first = 5);
	REFUSED(c.slot[1].sectors = 0);
	REFUSED(c.slot[1].sectors = 3);
	REFUSED(f->n.flash.write_size = 3);
	REFUSED(f->n.flash.write_size = 0);
	REFUSED(f->n.flash.write_size = 256);
	REFUSED(f->n.flash.erased = 0x55);
	REFUSED(f->n.flash.sector_size = MST_SLOTS_SECTOR_BYTES_MIN - 4);
#undef REFUSED
	/* without a record there is still a verdict about what boots */
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_OK);
}

/* ---- slots ---- */

static void
writer_gathers_and_pads(void **state)
{
	struct fixture *f = *state;
	struct mst_slot_writer w;
	uint8_t bytes[3000], back[3000];
	unsigned slot;
	bool resume;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t chunk = 1; chunk < 700; chunk = chunk * 3 + 1) {
		assert_int_equal(
		    mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
		assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 0), MST_OK);
		for (size_t at = 0; at < 2999; at += chunk) {
			size_t n = 2999 - at < chunk ? 2999 - at : chunk;

			assert_int_equal(
			    mst_slot_writer_put(&w, mst_span_of(bytes + at, n)), MST_OK);
			assert_int_equal(w.durable, (at + n) / 4 * 4);
		}
		assert_int_equal(mst_slot_writer_end(&w), MST_OK);
		assert_int_equal(w.durable, 2999);
		assert_int_equal(mst_slot_read(&f->s, slot, 0, back, 3000), MST_OK);
		assert_memory_equal(back, bytes, 2999);
		assert_int_equal(back[2999], 0xff);
		assert_int_equal(mst_slot_writer_put(&w, MST_LIT("x")), MST_E_SLOT_ACTIVE);
	}
}

static void
writer_leaves_the_active_slot_alone(void **state)
{
	struct fixture *f = *state;
	struct mst_slot_writer w;
	unsigned slot;
	bool resume;

	assert_int_equal(mst_slot_writer_init(&w, &f->s, 1, 0), MST_E_SLOT_ACTIVE);
	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, 0, 0), MST_E_SLOT_ACTIVE);
	assert_int_equal(mst_slot_writer_put(&w, MST_LIT("x")), MST_E_SLOT_ACTIVE);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, 2, 0), MST_E_SLOT_ACTIVE);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, 1, 0), MST_OK);
	nor_put(&f->n, 1, 2);
	assert_int_equal(mst_slots_stage(&f->s, nor_image(&f->n, 2), nor_verify, &f->n), MST_OK);
	/* staged: the writer that is left over may not touch it */
	assert_int_equal(mst_slot_writer_put(&w, MST_LIT("x")), MST_E_SLOT_ACTIVE);
	assert_int_equal(mst_slot_writer_end(&w), MST_E_SLOT_ACTIVE);
}

static void
writer_ends_at_the_slots_end(void **state)
{
	struct fixture *f = *state;
	struct mst_slot_writer w;
	static uint8_t all[2 * NOR_SECTOR + 1];
	unsigned slot;
	bool resume;

	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
	assert_int_equal(mst_slot_capacity(&f->s, slot), 2 * NOR_SECTOR);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 0), MST_OK);
	assert_int_equal(mst_slot_writer_put(&w, mst_span_of(all, sizeof(all))), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 0), MST_OK);
	assert_int_equal(mst_slot_writer_put(&w, mst_span_of(all, sizeof(all) - 1)), MST_OK);
	assert_int_equal(mst_slot_writer_put(&w, MST_LIT("x")), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 100), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 3 * NOR_SECTOR), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slot_read(&f->s, slot, 2 * NOR_SECTOR - 1, all, 2), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slot_read(&f->s, slot, UINT64_MAX, all, 2), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slot_resume_at(&f->s, slot, NOR_SECTOR + 5), NOR_SECTOR);
	f->n.config.slot[1].flash = NULL;
	reopen(f);
	assert_int_equal(mst_slot_capacity(&f->s, 1), 0);
	assert_int_equal(mst_slot_read(&f->s, 1, 0, all, 1), MST_E_SLOT_RANGE);
}

static void
writer_stops_at_a_failure(void **state)
{
	struct fixture *f = *state;
	struct mst_slot_writer w;
	unsigned slot;
	bool resume;

	assert_int_equal(mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_OK);
	assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 0), MST_OK);
	f->n.fail_writes = true;
	assert_int_equal(mst_slot_writer_put(&w, MST_LIT("0123456789")), MST_E_SLOT_FLASH);
	assert_int_equal(w.durable, 0);
	f->n.fail_writes = false;
	assert_int_equal(mst_slot_writer_put(&w, MST_LIT("0123456789")), MST_E_SLOT_ACTIVE);
}

#define ROW(f, name)                                                                               \
	{                                                                                          \
		name, f, setup, NULL, NULL                                                         \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(journal_survives_many_sectors, "SUIT-13.4 journal over many sectors"),
		ROW(the_same_is_not_written_twice, "SUIT-13.4 the same is not written twice"),
		ROW(journal_resumes_an_open_slot, "SUIT-13.4 journal resumes"),
		ROW(journal_is_no_way_into_a_full_slot, "SUIT-13.4 journal and a full slot"),
		ROW(staging_ends_the_journal, "SUIT-13.4 staging ends the journal"),
		ROW(numbers_do_not_go_back, "SUIT-13.1 numbers do not go back"),
		ROW(number_on_trial_is_not_set, "SUIT-13.2 the number of a trial is not set"),
		ROW(references_are_sets, "SUIT-14 references are sets"),
		ROW(references_run_out_and_come_back, "SUIT-21 references run out"),
		ROW(any_one_sector_may_go, "SUIT-13.5 any one sector may go"),
		ROW(any_one_byte_may_rot, "SUIT-13.5 any one byte may rot"),
		{ "SUIT-13.5 a spare takes over", spare_sector_takes_over, setup_spare, NULL,
		    NULL },
		ROW(one_sector_is_enough_for_a_while, "SUIT-13.5 one sector left"),
		ROW(worn_out_is_said_and_it_boots, "SUIT-13.5 worn out"),
		ROW(unreadable_flash_is_a_lost_record, "SUIT-13.5 unreadable flash"),
		ROW(geometry_is_judged, "SUIT-21 geometry"),
		ROW(writer_gathers_and_pads, "SUIT-13.4 writer: portions"),
		ROW(writer_leaves_the_active_slot_alone, "SUIT-13.5 writer: the active slot"),
		ROW(writer_ends_at_the_slots_end, "SUIT-21 writer: the slot's end"),
		ROW(writer_stops_at_a_failure, "SUIT-13.4 writer: a failure"),
	};

	return cmocka_run_group_tests_name("slots record", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The states of slots.h, the selector, and what each refuses. No cut here: tests/powercut. */
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
	struct mst_boot boot;
};

static int
setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	nor_init(&f.n, 2);
	nor_factory(&f.n, &f.s);
	*state = &f;
	return 0;
}

static void
reopen(struct fixture *f)
{
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_OK);
}

static void
boots(struct fixture *f, unsigned slot, enum mst_boot_kind kind)
{
	reopen(f);
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &f->boot), MST_OK);
	assert_int_equal(f->boot.slot, slot);
	assert_int_equal(f->boot.kind, kind);
}

static void
numbered(struct fixture *f, uint64_t expected)
{
	uint8_t digest[MST_SLOT_DIGEST];
	uint64_t n;

	assert_int_equal(mst_slots_number_get(&f->s, MST_LIT("root"), &n, digest), MST_OK);
	assert_int_equal(n, expected);
}

static void
on_trial(struct fixture *f, unsigned k)
{
	nor_stage(&f->n, &f->s, 0, k);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	boots(f, 1, MST_BOOT_TRIAL);
}

static void
factory_boots_its_image(void **state)
{
	struct fixture *f = *state;

	boots(f, 0, MST_BOOT_CONFIRMED);
	assert_int_equal(f->s.boot.state, MST_SLOT_IDLE);
	numbered(f, 10);
	assert_int_equal(mst_slots_copies(&f->s), 2);
}

static void
the_whole_way_to_confirmed(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	boots(f, 0, MST_BOOT_CONFIRMED); /* staged is not armed */
	numbered(f, 10);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	boots(f, 1, MST_BOOT_TRIAL);
	numbered(f, 10);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	numbered(f, 20);
	boots(f, 1, MST_BOOT_CONFIRMED);
	assert_int_equal(f->s.boot.state, MST_SLOT_CONFIRMED);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK); /* again */
}

static void
unconfirmed_trial_reverts(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	boots(f, 0, MST_BOOT_REVERT);
	assert_int_equal(f->boot.why, MST_SLOT_WHY_NOT_CONFIRMED);
	boots(f, 0, MST_BOOT_CONFIRMED);
	assert_int_equal(f->s.boot.state, MST_SLOT_REVERTED);
	numbered(f, 10);
	/* sheet 13.2: the old manifest, and any number between, is still acceptable */
	assert_int_equal(mst_slots_judge(&f->s, nor_image(&f->n, 1)), MST_OK);
}

static void
more_tries_than_one(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 0), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slots_arm(&f->s, 16), MST_E_SLOT_RANGE);
	assert_int_equal(mst_slots_arm(&f->s, 3), MST_OK);
	boots(f, 1, MST_BOOT_TRIAL);
	boots(f, 1, MST_BOOT_TRIAL);
	boots(f, 1, MST_BOOT_TRIAL);
	boots(f, 0, MST_BOOT_REVERT);
}

static void
health_check_reverts(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	assert_int_equal(mst_slots_revert(&f->s), MST_OK);
	boots(f, 0, MST_BOOT_CONFIRMED);
	assert_int_equal(f->s.boot.why, MST_SLOT_WHY_HEALTH);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_E_SLOT_STATE);
	assert_int_equal(mst_slots_revert(&f->s), MST_OK); /* nothing to give up */
}

static void
trial_that_does_not_verify(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	nor_put(&f->n, 1, 0);
	boots(f, 0, MST_BOOT_REVERT);
	assert_int_equal(f->boot.why, MST_SLOT_WHY_NOT_VERIFIED);
}

static void
trial_that_is_another_authentic_image(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	nor_put(&f->n, 1, 3); /* mix and match */
	boots(f, 0, MST_BOOT_REVERT);
}

static void
select_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct mst_slots before;
	unsigned writes;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	before = f->s;
	writes = f->n.writes + f->n.erases;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(mst_slots_select(&f->s, nor_verify, &f->n, &f->boot), MST_OK);
		assert_int_equal(f->boot.kind, MST_BOOT_TRIAL);
	}
	assert_int_equal(f->n.writes + f->n.erases, writes);
	assert_memory_equal(&before, &f->s, sizeof(before));
}

static void
trial_that_cannot_be_counted(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	f->n.fail_writes = f->n.fail_erases = true;
	boots(f, 0, MST_BOOT_CONFIRMED);
	f->n.fail_writes = f->n.fail_erases = false;
	boots(f, 1, MST_BOOT_TRIAL);
}

static void
revert_that_cannot_be_noted(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	f->n.fail_writes = f->n.fail_erases = true;
	boots(f, 0, MST_BOOT_REVERT);
	boots(f, 0, MST_BOOT_REVERT);
}

static void
fallback_to_the_previous_image(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	nor_put(&f->n, 1, 0); /* what was confirmed rots */
	boots(f, 0, MST_BOOT_FALLBACK);
	numbered(f, 20);
	f->n.config.fallback = MST_FALLBACK_NOT_LOWER;
	reopen(f);
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &f->boot), MST_E_SLOT_NO_IMAGE);
}

static void
update_from_a_fallback_spares_what_runs(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	nor_put(&f->n, 1, 0);
	boots(f, 0, MST_BOOT_FALLBACK);
	nor_stage(&f->n, &f->s, 0, 3); /* into B */
	boots(f, 0, MST_BOOT_CONFIRMED);
	numbered(f, 20); /* not below what was confirmed, although image 1 runs */
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	boots(f, 1, MST_BOOT_TRIAL);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	numbered(f, 30);
}

static void
staged_image_saves_a_device_whose_own_rots(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	nor_put(&f->n, 0, 0);
	boots(f, 1, MST_BOOT_TRIAL);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	boots(f, 1, MST_BOOT_CONFIRMED);
}

static void
trial_again_where_nothing_else_boots(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	nor_put(&f->n, 0, 0);
	boots(f, 1, MST_BOOT_FALLBACK);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	boots(f, 1, MST_BOOT_CONFIRMED);
}

static void
nothing_verifies(void **state)
{
	struct fixture *f = *state;

	nor_put(&f->n, 0, 0);
	reopen(f);
	f->boot.slot = 77;
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &f->boot), MST_E_SLOT_NO_IMAGE);
	assert_int_equal(f->boot.slot, 77);
}

static void
without_a_record_the_higher_number(void **state)
{
	struct fixture *f = *state;

	nor_put(&f->n, 1, 3);
	memset(f->n.memory, 0xff, 2 * NOR_SECTOR);
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_E_SLOT_BLANK);
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &f->boot), MST_OK);
	assert_int_equal(f->boot.slot, 1);
	assert_int_equal(f->boot.kind, MST_BOOT_FALLBACK);
	memset(f->n.memory, 0x55, 2 * NOR_SECTOR);
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &f->boot), MST_OK);
	assert_int_equal(f->boot.slot, 1);
	nor_put(&f->n, 1, 0);
	assert_int_equal(mst_slots_boot(&f->s, nor_verify, &f->n, &f->boot), MST_OK);
	assert_int_equal(f->boot.slot, 0);
}

static void
without_a_record_nothing_is_written(void **state)
{
	struct fixture *f = *state;
	uint8_t digest[MST_SLOT_DIGEST] = { 0 };
	struct mst_journal j = { .section = 20 };
	uint64_t n;
	unsigned slot;
	bool resume;

	memset(f->n.memory, 0x55, 2 * NOR_SECTOR);
	assert_int_equal(mst_slots_open(&f->s, &f->n.config), MST_E_SLOT_LOST);
	assert_int_equal(
	    mst_slots_begin(&f->s, 0, nor_image(&f->n, 2), &slot, &resume), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_judge(&f->s, nor_image(&f->n, 2)), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_number_get(&f->s, MST_LIT("root"), &n, digest), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_number_set(&f->s, MST_LIT("x"), 1, digest), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_journal_write(&f->s, &j), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_confirm(&f->s, 0), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_revert(&f->s), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_link(&f->s, MST_LIT("x"), digest), MST_E_SLOT_LOST);
	assert_int_equal(mst_slots_repair(&f->s), MST_E_SLOT_LOST);
	/* service writes a new one */
	assert_int_equal(mst_slots_format(&f->s, 0, nor_image(&f->n, 1)), MST_OK);
	boots(f, 0, MST_BOOT_CONFIRMED);
}

static void
format_does_not_turn_numbers_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mst_slots_format(&f->s, 0, nor_image(&f->n, 1)), MST_OK); /* the same */
	assert_int_equal(mst_slots_format(&f->s, 1, nor_image(&f->n, 1)), MST_E_SLOT_EXISTS);
	assert_int_equal(mst_slots_format(&f->s, 0, nor_image(&f->n, 2)), MST_E_SLOT_EXISTS);
	assert_int_equal(mst_slots_format(&f->s, 2, nor_image(&f->n, 1)), MST_E_SLOT_RANGE);
}

static mst_err
begin(struct fixture *f, unsigned running, unsigned k)
{
	unsigned slot;
	bool resume;

	return mst_slots_begin(&f->s, running, nor_image(&f->n, k), &slot, &resume);
}

static void
lower_number_is_refused(void **state)
{
	struct fixture *f = *state;

	on_trial(f, 2);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	assert_int_equal(begin(f, 1, 1), MST_E_SLOT_ROLLBACK);
	assert_int_equal(begin(f, 1, 2), MST_OK); /* equal and the same: sheet 13.1 */
	assert_int_equal(begin(f, 1, 3), MST_OK);
}

static void
equal_number_with_another_digest(void **state)
{
	struct fixture *f = *state;

	f->n.image[2].number = 10;
	assert_int_equal(begin(f, 0, 2), MST_E_SLOT_EQUAL);
	f->n.image[2].number = 11;
	assert_int_equal(begin(f, 0, 2), MST_OK);
}

static void
another_identity_has_its_own_number(void **state)
{
	struct fixture *f = *state;

	f->n.image[2].number = 1;
	f->n.image[2].id_len = 3;
	on_trial(f, 2);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	numbered(f, 10);
}

static void
no_begin_while_a_trial_is_due(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	assert_int_equal(begin(f, 0, 3), MST_E_SLOT_STATE);
	boots(f, 1, MST_BOOT_TRIAL);
	assert_int_equal(begin(f, 1, 3), MST_E_SLOT_STATE);
}

static void
begin_gives_up_what_is_staged(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(begin(f, 0, 3), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_IDLE);
	reopen(f);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_E_SLOT_STATE);
	assert_false(f->s.boot.slot[1].known);
}

static void
running_must_be_a_slot(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(begin(f, 1, 2), MST_E_SLOT_MISMATCH); /* B is empty */
	assert_int_equal(begin(f, 2, 2), MST_E_SLOT_MISMATCH);
	assert_int_equal(begin(f, MST_SLOT_NONE, 2), MST_E_SLOT_MISMATCH);
}

static void
confirm_is_for_the_trial_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mst_slots_confirm(&f->s, 0), MST_E_SLOT_STATE);
	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_E_SLOT_STATE);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_E_SLOT_STATE);
	boots(f, 1, MST_BOOT_TRIAL);
	assert_int_equal(mst_slots_confirm(&f->s, 0), MST_E_SLOT_MISMATCH);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	assert_int_equal(mst_slots_confirm(&f->s, 0), MST_E_SLOT_STATE);
}

static void
stage_verifies_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    mst_slots_stage(&f->s, nor_image(&f->n, 2), nor_verify, &f->n), MST_E_SLOT_STATE);
	assert_int_equal(begin(f, 0, 2), MST_OK);
	f->n.asked = 0;
	assert_int_equal(
	    mst_slots_stage(&f->s, nor_image(&f->n, 2), nor_verify, &f->n), MST_E_SLOT_MISMATCH);
	assert_int_equal(f->n.asked, 2);
	nor_put(&f->n, 1, 3);
	assert_int_equal(
	    mst_slots_stage(&f->s, nor_image(&f->n, 2), nor_verify, &f->n), MST_E_SLOT_MISMATCH);
	assert_int_equal(f->s.boot.state, MST_SLOT_IDLE);
	nor_put(&f->n, 1, 2);
	assert_int_equal(mst_slots_stage(&f->s, nor_image(&f->n, 2), nor_verify, &f->n), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_STAGED);
}

static void
identities_run_out(void **state)
{
	struct fixture *f = *state;
	char name = 'a';

	for (unsigned i = 1; i < MST_SLOTS_COUNTERS; i++, name++) {
		uint8_t digest[MST_SLOT_DIGEST] = { 1 };

		assert_int_equal(
		    mst_slots_number_set(&f->s, mst_span_of(&name, 1), 5, digest), MST_OK);
	}
	f->n.image[2].id_len = 3;
	assert_int_equal(begin(f, 0, 2), MST_E_SLOT_FULL);
	assert_int_equal(begin(f, 0, 3), MST_OK);
}

static void
another_bootloader_tries(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mst_slots_booted(&f->s, 0), MST_OK);
	assert_int_equal(mst_slots_booted(&f->s, 1), MST_E_SLOT_MISMATCH);
	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_booted(&f->s, 0), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_STAGED);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	for (unsigned i = 0; i < 2; i++) {
		reopen(f);
		assert_int_equal(mst_slots_booted(&f->s, 1), MST_OK);
		assert_int_equal(f->s.boot.state, MST_SLOT_TRIAL);
	}
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	numbered(f, 20);
	assert_int_equal(mst_slots_booted(&f->s, 1), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_CONFIRMED);
}

static void
another_bootloader_gives_up(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	assert_int_equal(mst_slots_booted(&f->s, 1), MST_OK);
	reopen(f);
	assert_int_equal(mst_slots_booted(&f->s, 0), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_REVERTED);
	assert_int_equal(f->s.boot.why, MST_SLOT_WHY_NOT_CONFIRMED);
	numbered(f, 10);
	assert_int_equal(begin(f, 0, 2), MST_OK);
}

static void
another_bootloader_was_never_told(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	assert_int_equal(mst_slots_booted(&f->s, 0), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_REVERTED);
}

static void
another_bootloader_was_told_before_the_record(void **state)
{
	struct fixture *f = *state;

	nor_stage(&f->n, &f->s, 0, 2);
	assert_int_equal(mst_slots_booted(&f->s, 1), MST_OK);
	assert_int_equal(f->s.boot.state, MST_SLOT_TRIAL);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
}

#define ROW(f, name)                                                                               \
	{                                                                                          \
		name, f, setup, NULL, NULL                                                         \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(factory_boots_its_image, "SUIT-13.5 factory"),
		ROW(the_whole_way_to_confirmed, "SUIT-13.5 staged, pending, trial, confirmed"),
		ROW(unconfirmed_trial_reverts,
		    "SUIT-13.2 unconfirmed trial reverts, counter stays"),
		ROW(more_tries_than_one, "SUIT-13.5 three tries"),
		ROW(health_check_reverts, "SUIT-13.5 revert by the health check"),
		ROW(trial_that_does_not_verify, "SUIT-13.5 trial that does not verify"),
		ROW(trial_that_is_another_authentic_image,
		    "SUIT-13.5 trial swapped for another image"),
		ROW(select_writes_nothing, "SUIT-13.5 select is pure"),
		ROW(trial_that_cannot_be_counted, "SUIT-13.5 trial that cannot be counted"),
		ROW(revert_that_cannot_be_noted, "SUIT-13.5 revert that cannot be noted"),
		ROW(fallback_to_the_previous_image, "SUIT-13.3 fallback by policy"),
		ROW(update_from_a_fallback_spares_what_runs, "SUIT-13.3 update from a fallback"),
		ROW(staged_image_saves_a_device_whose_own_rots,
		    "SUIT-13.3 staged image as the last"),
		ROW(trial_again_where_nothing_else_boots, "SUIT-13.3 trial as the last"),
		ROW(nothing_verifies, "SUIT-13.3 nothing verifies"),
		ROW(without_a_record_the_higher_number, "SUIT-13.3 no record: the higher number"),
		ROW(without_a_record_nothing_is_written,
		    "SUIT-13.5 no record: every write refused"),
		ROW(format_does_not_turn_numbers_back, "SUIT-13.1 format on a record"),
		ROW(lower_number_is_refused, "SUIT-13.1 lower number"),
		ROW(equal_number_with_another_digest, "SUIT-13.1 equal number, other digest"),
		ROW(another_identity_has_its_own_number, "SUIT-13.1 a number for each identity"),
		ROW(no_begin_while_a_trial_is_due, "SUIT-13.5 begin during a trial"),
		ROW(begin_gives_up_what_is_staged, "SUIT-13.5 begin over what is staged"),
		ROW(running_must_be_a_slot, "SUIT-13.5 begin from nowhere"),
		ROW(confirm_is_for_the_trial_alone, "SUIT-13.2 confirm out of turn"),
		ROW(stage_verifies_first, "SUIT-13.5 stage verifies first"),
		ROW(another_bootloader_tries, "SUIT-13.5 another bootloader tries"),
		ROW(another_bootloader_gives_up, "SUIT-13.5 another bootloader gives up"),
		ROW(another_bootloader_was_never_told,
		    "SUIT-13.5 another bootloader was never told"),
		ROW(another_bootloader_was_told_before_the_record,
		    "SUIT-13.5 another bootloader was told first"),
		ROW(identities_run_out, "SUIT-21 identities run out"),
	};

	return cmocka_run_group_tests_name("slots states", tests, NULL, NULL);
}

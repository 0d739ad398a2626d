/* SPDX-License-Identifier: Apache-2.0 */
/* host/slots_file.c: the record and the slots in files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/slots_file.h"

#define SIZE (3 * SLOTS_SLOT_SECTOR)

struct fixture {
	char dir[64];
	char path[3][96];
	struct slots_files files;
	struct slots_files_conf conf;
	struct mst_slots_config config;
	struct mst_slots s;
	struct mst_slot_image image;
};

static int
setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	snprintf(f.dir, sizeof(f.dir), "/tmp/muster-slots.XXXXXX");
	if (mkdtemp(f.dir) == NULL)
		return -1;
	for (unsigned i = 0; i < 3; i++)
		snprintf(f.path[i], sizeof(f.path[i]), "%s/%u", f.dir, i);
	f.conf = (struct slots_files_conf){ f.path[0], { f.path[1], f.path[2] }, SIZE - 5,
		MST_FALLBACK_PREVIOUS };
	f.image.number = 1;
	memset(f.image.digest, 7, sizeof(f.image.digest));
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	slots_files_close(&f->files);
	for (unsigned i = 0; i < 3; i++)
		unlink(f->path[i]);
	return rmdir(f->dir); /* nothing else was left there */
}

static void
open_files(struct fixture *f)
{
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_OK);
}

static mst_err
verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	struct fixture *f = ctx;
	uint8_t bytes[100];
	mst_err e = mst_slot_read(&f->s, slot, 70000, bytes, sizeof(bytes));

	if (e != MST_OK)
		return e;
	*found = f->image;
	return bytes[99] == 0x42 ? MST_OK : MST_E_SLOT_MISMATCH;
}

static void
whole_update_over_files(void **state)
{
	struct fixture *f = *state;
	static uint8_t bytes[SIZE], back[SIZE];
	struct mst_slot_writer w;
	struct mst_boot boot;
	unsigned slot;
	bool resume;

	memset(bytes, 0x42, sizeof(bytes));
	open_files(f);
	assert_int_equal(mst_slots_open(&f->s, &f->config), MST_E_SLOT_BLANK);
	assert_int_equal(mst_slots_format(&f->s, 0, &f->image), MST_OK);
	f->image.number = 2;
	f->image.digest[0] = 2;
	assert_int_equal(mst_slots_begin(&f->s, 0, &f->image, &slot, &resume), MST_OK);
	assert_int_equal(mst_slot_capacity(&f->s, slot), SIZE);
	for (unsigned run = 0; run < 2; run++) { /* twice: what was there does not show through */
		assert_int_equal(mst_slot_writer_init(&w, &f->s, slot, 0), MST_OK);
		for (size_t at = 0; at < 170001; at += 8191) {
			size_t n = 170001 - at < 8191 ? 170001 - at : 8191;

			assert_int_equal(
			    mst_slot_writer_put(&w, mst_span_of(bytes + at, n)), MST_OK);
		}
		assert_int_equal(mst_slot_writer_end(&w), MST_OK);
	}
	assert_int_equal(mst_slot_read(&f->s, slot, 0, back, SIZE), MST_OK);
	assert_memory_equal(back, bytes, 170001);
	for (size_t i = 170001; i < SIZE; i++)
		assert_int_equal(back[i], 0);
	assert_true(f->files.slot[1].dirty);
	assert_int_equal(mst_slots_stage(&f->s, &f->image, verify, f), MST_OK);
	assert_false(f->files.slot[1].dirty); /* before the record said so */
	assert_int_equal(mst_slots_arm(&f->s, 1), MST_OK);
	slots_files_close(&f->files);

	open_files(f);
	assert_int_equal(mst_slots_open(&f->s, &f->config), MST_OK);
	assert_int_equal(mst_slots_boot(&f->s, verify, f, &boot), MST_OK);
	assert_int_equal(boot.slot, 1);
	assert_int_equal(boot.kind, MST_BOOT_TRIAL);
	assert_int_equal(mst_slots_confirm(&f->s, 1), MST_OK);
	assert_int_equal(slots_files_sync(&f->files), MST_OK);
}

static void
files_are_private_and_of_one_size(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_files(f);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stat(f->path[i], &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_int_equal(
		    st.st_size, i == 0 ? SLOTS_RECORD_SECTOR * SLOTS_RECORD_SECTORS : SIZE);
	}
	slots_files_close(&f->files);
	assert_int_equal(truncate(f->path[2], SIZE - SLOTS_SLOT_SECTOR), 0);
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_E_SLOT_GEOMETRY);
	assert_int_equal(f->files.record.fd, -1); /* none stays open */
}

static void
one_process_at_a_time(void **state)
{
	struct fixture *f = *state;
	static struct slots_files other;
	struct mst_slots_config config;

	open_files(f);
	assert_int_equal(slots_files_open(&other, &f->conf, &config), MST_E_CONFLICT);
	slots_files_close(&f->files);
	assert_int_equal(slots_files_open(&other, &f->conf, &config), MST_OK);
	slots_files_close(&other);
}

static void
links_are_not_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("/dev/null", f->path[1]), 0);
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_E_IO);
	unlink(f->path[1]);
	assert_int_equal(symlink("elsewhere", f->path[1]), 0);
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_E_IO);
}

static void
other_kinds_of_file_are_refused(void **state)
{
	struct fixture *f = *state;

	f->conf.slot[0] = "/dev/null";
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_E_SLOT_GEOMETRY);
	f->conf.slot[0] = "/nowhere/at/all";
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_E_IO);
	f->conf.size = 0;
	assert_int_equal(slots_files_open(&f->files, &f->conf, &f->config), MST_E_SLOT_GEOMETRY);
}

static void
beyond_the_end(void **state)
{
	struct fixture *f = *state;
	const struct mst_flash *flash;
	uint8_t byte;

	open_files(f);
	flash = &f->files.slot[0].flash;
	assert_int_equal(flash->read(flash->ctx, SIZE, &byte, 1), MST_E_SLOT_FLASH);
	assert_int_equal(flash->read(flash->ctx, UINT64_MAX, &byte, 1), MST_E_SLOT_FLASH);
	assert_int_equal(flash->write(flash->ctx, SIZE, MST_LIT("x")), MST_E_SLOT_FLASH);
	assert_int_equal(flash->erase(flash->ctx, 3), MST_E_SLOT_FLASH);
	assert_int_equal(flash->read(flash->ctx, SIZE - 1, &byte, 1), MST_OK);
	assert_int_equal(byte, 0);
}

static void
closed_files_answer_errors(void **state)
{
	struct fixture *f = *state;
	uint8_t byte;

	open_files(f);
	slots_files_close(&f->files);
	assert_int_equal(
	    f->files.record.flash.read(&f->files.record, 0, &byte, 1), MST_E_SLOT_FLASH);
	assert_int_equal(slots_files_sync(&f->files), MST_E_IO);
}

#define ROW(f, name)                                                                               \
	{                                                                                          \
		name, f, setup, teardown, NULL                                                     \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(whole_update_over_files, "SUIT-13.5 files: a whole update"),
		ROW(files_are_private_and_of_one_size, "SUIT-13.5 files: mode and size"),
		ROW(one_process_at_a_time, "SUIT-13.5 files: one process at a time"),
		ROW(links_are_not_followed, "SUIT-20 files: links are not followed"),
		ROW(other_kinds_of_file_are_refused, "SUIT-20 files: other kinds"),
		ROW(beyond_the_end, "SUIT-21 files: beyond the end"),
		ROW(closed_files_answer_errors, "SUIT-13.5 files: closed"),
	};

	return cmocka_run_group_tests_name("slots in files", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "unit/slots/support_nor.h"

static mst_err
nor_read(void *ctx, uint64_t at, uint8_t *out, size_t len)
{
	struct nor *n = ctx;

	if (n->fail_reads || at + len > sizeof(n->memory))
		return MST_E_SLOT_FLASH;
	memcpy(out, n->memory + at, len);
	return MST_OK;
}

static mst_err
nor_write(void *ctx, uint64_t at, mst_span bytes)
{
	struct nor *n = ctx;

	assert_true(at % n->flash.write_size == 0 && bytes.len % n->flash.write_size == 0);
	assert_true(at / NOR_SECTOR == (at + bytes.len - 1) / NOR_SECTOR);
	if (n->fail_writes || (n->bad >> at / NOR_SECTOR & 1) != 0)
		return MST_E_SLOT_FLASH;
	n->writes++;
	for (size_t i = 0; i < bytes.len; i++) {
		assert_int_equal(n->memory[at + i], 0xff);
		n->memory[at + i] &= bytes.ptr[i];
	}
	return MST_OK;
}

static mst_err
nor_erase(void *ctx, uint32_t sector)
{
	struct nor *n = ctx;

	assert_true(sector < NOR_SECTORS);
	if (n->fail_erases)
		return MST_E_SLOT_FLASH;
	n->erases++;
	memset(n->memory + (size_t)sector * NOR_SECTOR, 0xff, NOR_SECTOR);
	return MST_OK;
}

void
nor_init(struct nor *n, unsigned record)
{
	memset(n, 0, sizeof(*n));
	memset(n->memory, 0xff, sizeof(n->memory));
	n->flash = (struct mst_flash){ n, NOR_SECTOR, NOR_SECTORS, 4, 0xff, nor_read, nor_write,
		nor_erase };
	n->config.record = (struct mst_area){ &n->flash, 0, record };
	n->config.slot[0] = (struct mst_area){ &n->flash, 4, 2 };
	n->config.slot[1] = (struct mst_area){ &n->flash, 6, 2 };
	for (unsigned k = 1; k < 4; k++) {
		n->image[k].number = 10 * k;
		memset(n->image[k].digest, (int)k, MST_SLOT_DIGEST);
		memcpy(n->image[k].id, "root", 4);
		n->image[k].id_len = 4;
	}
}

const struct mst_slot_image *
nor_image(struct nor *n, unsigned k)
{
	return &n->image[k];
}

void
nor_put(struct nor *n, unsigned slot, unsigned k)
{
	n->memory[(4 + 2 * slot) * NOR_SECTOR] = (uint8_t)k;
}

mst_err
nor_verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	struct nor *n = ctx;
	uint8_t k = n->memory[(4 + 2 * slot) * NOR_SECTOR];

	n->asked |= 1u << slot;
	if (k == 0 || k > 3)
		return MST_E_SLOT_MISMATCH;
	*found = n->image[k];
	return MST_OK;
}

void
nor_factory(struct nor *n, struct mst_slots *s)
{
	nor_put(n, 0, 1);
	assert_int_equal(mst_slots_open(s, &n->config), MST_E_SLOT_BLANK);
	assert_int_equal(mst_slots_format(s, 0, nor_image(n, 1)), MST_OK);
	assert_int_equal(mst_slots_open(s, &n->config), MST_OK);
	n->slots = s;
}

void
nor_stage(struct nor *n, struct mst_slots *s, unsigned running, unsigned k)
{
	struct mst_slot_writer w;
	uint8_t byte = (uint8_t)k;
	unsigned slot;
	bool resume;

	assert_int_equal(mst_slots_begin(s, running, nor_image(n, k), &slot, &resume), MST_OK);
	assert_int_equal(slot, 1 - running);
	assert_int_equal(mst_slot_writer_init(&w, s, slot, 0), MST_OK);
	assert_int_equal(mst_slot_writer_put(&w, mst_span_of(&byte, 1)), MST_OK);
	assert_int_equal(mst_slot_writer_end(&w), MST_OK);
	assert_int_equal(mst_slots_stage(s, nor_image(n, k), nor_verify, n), MST_OK);
}

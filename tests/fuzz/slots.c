/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any content of the flash is survived: the record is opened over it, a slot is
 * chosen, and what the device does next works or is refused by name. The first
 * byte shapes the flash; the rest is its content, entries with CRCs made right.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/slots/slots_impl.h"

#define SECTOR 2048
#define RECORD 3
#define SECTORS (RECORD + 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[SECTORS * SECTOR];
static uint8_t erased;
static unsigned verified;

static mst_err
flash_read(void *ctx, uint64_t at, uint8_t *out, size_t len)
{
	(void)ctx;
	if (at > sizeof(memory) || len > sizeof(memory) - at)
		abort();
	memcpy(out, memory + at, len);
	return MST_OK;
}

static mst_err
flash_write(void *ctx, uint64_t at, mst_span bytes)
{
	(void)ctx;
	if (at > sizeof(memory) || bytes.len > sizeof(memory) - at || at % 4 != 0)
		abort();
	for (size_t i = 0; i < bytes.len; i++)
		memory[at + i] = (uint8_t)(erased == 0xff ? memory[at + i] & bytes.ptr[i]
		                                          : memory[at + i] | bytes.ptr[i]);
	return MST_OK;
}

static mst_err
flash_erase(void *ctx, uint32_t sector)
{
	(void)ctx;
	if (sector >= SECTORS)
		abort();
	memset(memory + (size_t)sector * SECTOR, erased, SECTOR);
	return MST_OK;
}

static uint32_t
crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320 & (0u - (crc & 1)));
	}
	return ~crc;
}

/* Where a place looks like an entry, give it the CRC that fits: behind it lies the code to test. */
static void
mend(uint8_t *place)
{
	size_t len = (size_t)place[2] + ((size_t)place[3] << 8);
	uint32_t crc;

	if (place[1] != 0x5a || len > MST_SLOTS_ENTRY - 12)
		return;
	crc = crc32(place, 8 + len);
	for (unsigned i = 0; i < 4; i++)
		place[8 + len + i] = (uint8_t)(crc >> 8 * i);
}

/* A slot's first byte says whether it verifies, and as which image. */
static mst_err
verify(void *ctx, unsigned slot, struct mst_slot_image *found)
{
	const struct mst_slots *s = ctx;
	uint8_t first = memory[(RECORD + slot) * SECTOR];

	if (first % 4 == 0)
		return MST_E_SLOT_MISMATCH;
	verified |= 1u << slot;
	found->number = first;
	if (s->boot.slot[slot].known) { /* what the record wants to see, if it is not 3 */
		*found = s->counter[s->boot.slot[slot].counter].reached;
		found->number = s->boot.slot[slot].number + first % 4 / 3;
		memcpy(found->digest, s->boot.slot[slot].digest, MST_SLOT_DIGEST);
	}
	return MST_OK;
}

static void
go_on(struct mst_slots *s, struct mst_boot *boot)
{
	struct mst_slot_image image = { .number = 1000, .id_len = 1 };
	struct mst_journal j = { .section = 20 };
	uint64_t before, after;
	uint8_t digest[MST_SLOT_DIGEST];
	unsigned slot, left;
	bool resume;
	mst_err e[8];

	if (mst_slots_number_get(s, mst_span_of(image.id, 1), &before, digest) != MST_OK)
		return;
	e[0] = mst_slots_begin(s, boot->slot, &image, &slot, &resume);
	if (e[0] == MST_OK && slot == boot->slot)
		abort();
	e[1] = mst_slots_journal_write(s, &j);
	e[2] = mst_slots_number_set(s, mst_span_of(image.id, 1), 7, digest);
	e[3] = mst_slots_link(s, MST_LIT("c"), digest);
	e[4] = mst_slots_unlink(s, MST_LIT("c"), digest, &left);
	e[5] = mst_slots_confirm(s, boot->slot);
	e[6] = mst_slots_booted(s, boot->slot);
	e[7] = mst_slots_revert(s);
	for (unsigned i = 0; i < 8; i++) {
		if (e[i] != MST_OK && mst_err_info(e[i])->err != e[i])
			abort();
	}
	if (mst_slots_number_get(s, mst_span_of(image.id, 1), &after, digest) == MST_OK &&
	    after < before)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mst_flash flash = { NULL, SECTOR, SECTORS, 4, 0xff, flash_read, flash_write,
		flash_erase };
	struct mst_slots_config config = { { &flash, 0, RECORD },
		{ { &flash, RECORD, 1 }, { &flash, RECORD + 1, 1 } }, MST_FALLBACK_PREVIOUS };
	struct mst_slots s;
	struct mst_boot boot;
	size_t n;
	mst_err e;

	if (size < 4)
		return 0;
	erased = (data[0] & 1) != 0 ? 0xff : 0x00;
	flash.erased = erased;
	config.fallback = (data[0] & 2) != 0 ? MST_FALLBACK_NOT_LOWER : MST_FALLBACK_PREVIOUS;
	memset(memory, erased, sizeof(memory));
	memory[RECORD * SECTOR] = data[1];
	memory[(RECORD + 1) * SECTOR] = data[2];
	n = size - 3 < RECORD * SECTOR ? size - 3 : RECORD * SECTOR;
	memcpy(memory, data + 3, n);
	for (size_t at = 0; (data[0] & 4) != 0 && at < RECORD * SECTOR; at += MST_SLOTS_ENTRY)
		mend(memory + at);
	verified = 0;
	e = mst_slots_open(&s, &config);
	if (e != MST_OK && e != MST_E_SLOT_BLANK && e != MST_E_SLOT_LOST)
		abort();
	if (mst_slots_boot(&s, verify, &s, &boot) == MST_OK) {
		/* never a slot that verify did not take */
		if (boot.slot >= MST_SLOTS || (verified >> boot.slot & 1) == 0)
			abort();
		go_on(&s, &boot);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "muster/torture.h"

/* splitmix64: which bits tear is chance, but the same chance in each replay. */
static uint64_t
chance(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t
size_of(const struct mst_nor *n)
{
	return (uint64_t)n->flash.sectors * n->flash.sector_size;
}

/* A bit that does not follow the operation on these bytes. What it held before stays. */
static void
stick(struct mst_nor *n, uint64_t at, size_t len)
{
	for (unsigned i = 0; i < MST_NOR_STUCK; i++) {
		const struct mst_nor_stuck *s = &n->stuck[i];

		if (s->mask != 0 && s->at >= at && s->at < at + len)
			n->memory[s->at] =
			    (uint8_t)((n->memory[s->at] & ~s->mask) | (s->value & s->mask));
	}
}

static void
mark_torn(struct mst_nor *n, uint64_t at, size_t len)
{
	for (unsigned i = 0; i < MST_NOR_TORN; i++) {
		if (n->torn[i].len == 0) {
			n->torn[i].at = (uint32_t)at;
			n->torn[i].len = (uint32_t)len;
			return;
		}
	}
}

/* An erase makes every granule of the sector readable again. */
static void
heal(struct mst_nor *n, uint64_t at)
{
	for (unsigned i = 0; i < MST_NOR_TORN; i++) {
		if (n->torn[i].at >= at && n->torn[i].at < at + n->flash.sector_size)
			n->torn[i].len = 0;
	}
}

/* Program: bits only leave the erased value. */
static void
program(struct mst_nor *n, uint64_t at, uint8_t byte)
{
	if (n->flash.erased == 0xff)
		n->memory[at] &= byte;
	else
		n->memory[at] |= byte;
}

static void
program_some(struct mst_nor *n, uint64_t at, uint8_t byte, uint64_t bits)
{
	/* bits that are not reached stay as an unprogrammed byte would leave them */
	program(n, at, (uint8_t)((byte & bits) | (n->flash.erased & ~bits)));
}

static void
write_all(struct mst_nor *n, uint64_t at, mst_span bytes)
{
	uint8_t *p = n->memory + at;

	if (n->flash.erased == 0xff) {
		for (size_t i = 0; i < bytes.len; i++)
			p[i] &= bytes.ptr[i];
	} else {
		for (size_t i = 0; i < bytes.len; i++)
			p[i] |= bytes.ptr[i];
	}
}

static void
tear_write(struct mst_nor *n, uint64_t at, mst_span bytes, enum mst_nor_tear tear, uint64_t seed)
{
	size_t part = bytes.len < 2 ? bytes.len : 1 + (size_t)(chance(&seed) % (bytes.len - 1));

	if (tear == MST_TEAR_ALL) {
		write_all(n, at, bytes);
		return;
	}

	for (size_t i = 0; i < bytes.len; i++) {
		switch (tear) {
		case MST_TEAR_NOTHING:
		case MST_TEAR_ALL:
		case MST_TEARS: break;
		case MST_TEAR_HEAD:
			if (i < part)
				program(n, at + i, bytes.ptr[i]);
			break;
		case MST_TEAR_TAIL:
			if (i >= part)
				program(n, at + i, bytes.ptr[i]);
			break;
		case MST_TEAR_BITS: program_some(n, at + i, bytes.ptr[i], chance(&seed)); break;
		}
	}
	if (tear == MST_TEAR_HEAD || tear == MST_TEAR_TAIL || tear == MST_TEAR_BITS) {
		uint32_t g = n->flash.write_size;

		/* of a torn head, the granule in which it ended does not read, and so on */
		if (tear == MST_TEAR_BITS)
			mark_torn(n, at, bytes.len);
		else if (part % g != 0)
			mark_torn(n, (at + part) / g * g, g);
	}
}

static void
tear_erase(struct mst_nor *n, uint64_t at, enum mst_nor_tear tear, uint64_t seed)
{
	uint32_t size = n->flash.sector_size, half = size / 2;

	switch (tear) {
	case MST_TEAR_NOTHING:
	case MST_TEARS: return;
	case MST_TEAR_HEAD: memset(n->memory + at, n->flash.erased, half); break;
	case MST_TEAR_TAIL: memset(n->memory + at + half, n->flash.erased, size - half); break;
	case MST_TEAR_BITS:
		for (uint32_t i = 0; i < size; i += 8) {
			uint64_t bits = chance(&seed);

			for (uint32_t k = 0; k < 8 && i + k < size; k++, bits >>= 8) {
				uint8_t mask = (uint8_t)bits, *p = n->memory + at + i + k;

				*p = (uint8_t)((*p & ~mask) | (n->flash.erased & mask));
			}
		}
		break;
	case MST_TEAR_ALL:
		memset(n->memory + at, n->flash.erased, size);
		heal(n, at);
		break;
	}
}

static mst_err
nor_read(void *ctx, uint64_t at, uint8_t *out, size_t len)
{
	struct mst_nor *n = ctx;

	if (!n->powered)
		return MST_E_SLOT_FLASH;
	if (at > size_of(n) || len > size_of(n) - at) {
		n->breaches++;
		return MST_E_SLOT_FLASH;
	}
	for (unsigned i = 0; n->kind == MST_NOR_ECC && i < MST_NOR_TORN; i++) {
		if (n->torn[i].len != 0 && at < n->torn[i].at + n->torn[i].len &&
		    n->torn[i].at < at + len)
			return MST_E_SLOT_FLASH;
	}
	memcpy(out, n->memory + at, len);
	return MST_OK;
}

/* Is it this operation's turn? */
static bool
due(struct mst_nor *n, const char *what, uint64_t at, size_t len)
{
	n->total++;
	n->ops++;
	if (n->trace != NULL)
		n->trace(n->trace_ctx, what, n->ops, at, len);
	if (n->ops != n->event_at)
		return false;
	if (n->event == MST_NOR_CUT)
		n->powered = false;
	return true;
}

/* Erased, as far as the flash can be. */
static bool
erased(struct mst_nor *n, uint64_t at, size_t len)
{
	const uint8_t *p = n->memory + at;

	/* all bytes equal the first, and that one is erased */
	if (p[0] == n->flash.erased && memcmp(p, p + 1, len - 1) == 0)
		return true;
	for (unsigned i = 0; i < MST_NOR_STUCK; i++) {
		if (n->stuck[i].mask != 0 && n->stuck[i].at >= at && n->stuck[i].at < at + len)
			return true;
	}
	return false;
}

static mst_err
nor_write(void *ctx, uint64_t at, mst_span bytes)
{
	struct mst_nor *n = ctx;
	uint32_t size = n->flash.sector_size, g = n->flash.write_size;
	uint64_t seed = n->seed ^ (n->ops + 1) << 8 ^ n->tear;

	if (!n->powered)
		return MST_E_SLOT_FLASH;
	if (at >= size_of(n) || bytes.len == 0 || bytes.len > size - at % size || at % g != 0 ||
	    bytes.len % g != 0) {
		n->breaches++;
		return MST_E_SLOT_FLASH;
	}
	if (!erased(n, at, bytes.len))
		n->breaches++;
	if (due(n, "write", at, bytes.len)) {
		tear_write(n, at, bytes, n->tear, seed);
		stick(n, at, bytes.len);
		return MST_E_SLOT_FLASH;
	}
	if ((at / size) < 64 && (n->bad_write >> (at / size) & 1) != 0) {
		tear_write(n, at, bytes, MST_TEAR_BITS, seed);
		stick(n, at, bytes.len);
		return MST_E_SLOT_FLASH;
	}
	write_all(n, at, bytes);
	stick(n, at, bytes.len);
	return MST_OK;
}

static mst_err
nor_erase(void *ctx, uint32_t sector)
{
	struct mst_nor *n = ctx;
	uint64_t at = (uint64_t)sector * n->flash.sector_size;
	uint64_t seed = n->seed ^ (n->ops + 1) << 8 ^ n->tear;

	if (!n->powered)
		return MST_E_SLOT_FLASH;
	if (sector >= n->flash.sectors) {
		n->breaches++;
		return MST_E_SLOT_FLASH;
	}
	if (due(n, "erase", at, n->flash.sector_size)) {
		tear_erase(n, at, n->tear, seed);
		stick(n, at, n->flash.sector_size);
		return MST_E_SLOT_FLASH;
	}
	if (sector < 64 && (n->bad_erase >> sector & 1) != 0)
		return MST_E_SLOT_FLASH;
	tear_erase(n, at, MST_TEAR_ALL, seed);
	stick(n, at, n->flash.sector_size);
	return MST_OK;
}

void
mst_nor_init(struct mst_nor *n, const struct mst_flash *geometry, uint8_t *memory)
{
	memset(n, 0, sizeof(*n));
	n->flash = *geometry;
	n->flash.ctx = n;
	n->flash.read = nor_read;
	n->flash.write = nor_write;
	n->flash.erase = nor_erase;
	n->memory = memory;
	memset(memory, geometry->erased, (size_t)size_of(n));
	n->powered = true;
}

void
mst_nor_power_on(struct mst_nor *n)
{
	n->powered = true;
	n->ops = 0;
	n->event_at = 0;
}

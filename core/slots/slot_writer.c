/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a slot: read, and streamed into the one that begin opened. */
#include <string.h>

#include "core/slots/slots_impl.h"

static const struct mst_area *
area_of(const struct mst_slots *s, unsigned slot)
{
	return slot < MST_SLOTS && s->config.slot[slot].flash != NULL ? &s->config.slot[slot]
	                                                              : NULL;
}

uint64_t
mst_slot_capacity(const struct mst_slots *s, unsigned slot)
{
	const struct mst_area *a = area_of(s, slot);

	return a == NULL ? 0 : (uint64_t)a->sectors * a->flash->sector_size;
}

static uint64_t
from_flash(const struct mst_area *a, uint64_t at)
{
	return (uint64_t)a->first * a->flash->sector_size + at;
}

mst_err
mst_slot_read(const struct mst_slots *s, unsigned slot, uint64_t at, uint8_t *out, size_t len)
{
	const struct mst_area *a = area_of(s, slot);
	uint64_t capacity = mst_slot_capacity(s, slot);

	if (a == NULL || at > capacity || len > capacity - at)
		return MST_E_SLOT_RANGE;
	return a->flash->read(a->flash->ctx, from_flash(a, at), out, len);
}

uint64_t
mst_slot_resume_at(const struct mst_slots *s, unsigned slot, uint64_t offset)
{
	const struct mst_area *a = area_of(s, slot);

	if (a == NULL)
		return 0;
	return offset / a->flash->sector_size * a->flash->sector_size;
}

mst_err
mst_slot_writer_init(struct mst_slot_writer *w, struct mst_slots *s, unsigned slot, uint64_t at)
{
	const struct mst_area *a = area_of(s, slot);

	memset(w, 0, sizeof(*w));
	w->dead = true;
	/* What boots is never touched. */
	if (slot >= MST_SLOTS || slot != s->writing || slot == s->boot.active)
		return MST_E_SLOT_ACTIVE;
	if (a == NULL || at % a->flash->sector_size != 0 || at > mst_slot_capacity(s, slot))
		return MST_E_SLOT_RANGE;
	w->slots = s;
	w->slot = slot;
	w->at = w->durable = at;
	w->dead = false;
	return MST_OK;
}

static mst_err
read_back(const struct mst_flash *f, uint64_t at, mst_span bytes)
{
	uint8_t back[64];
	mst_err e = MST_OK;

	for (size_t i = 0; e == MST_OK && i < bytes.len; i += sizeof(back)) {
		size_t n = bytes.len - i < sizeof(back) ? bytes.len - i : sizeof(back);

		if ((e = f->read(f->ctx, at + i, back, n)) == MST_OK &&
		    !mst_span_eq(mst_span_of(back, n), mst_span_of(bytes.ptr + i, n)))
			e = MST_E_SLOT_FLASH;
	}
	return e;
}

/* Whole granules at w->at, within one sector; the sector is erased at its beginning. */
static mst_err
program(struct mst_slot_writer *w, mst_span bytes)
{
	const struct mst_area *a = area_of(w->slots, w->slot);
	const struct mst_flash *f = a->flash;
	mst_err e;

	if (w->at % f->sector_size == 0 &&
	    (e = f->erase(f->ctx, a->first + (uint32_t)(w->at / f->sector_size))) != MST_OK)
		return e;
	if ((e = f->write(f->ctx, from_flash(a, w->at), bytes)) != MST_OK ||
	    (e = read_back(f, from_flash(a, w->at), bytes)) != MST_OK)
		return e;
	w->at += bytes.len;
	w->durable = w->at;
	return MST_OK;
}

static mst_err
put(struct mst_slot_writer *w, mst_span bytes)
{
	const struct mst_flash *f = area_of(w->slots, w->slot)->flash;
	mst_err e;

	while (bytes.len != 0) {
		size_t room = (size_t)(f->sector_size - w->at % f->sector_size);
		size_t n = bytes.len < room ? bytes.len : room;

		if (w->count == 0 && n >= f->write_size) {
			n -= n % f->write_size;
			if ((e = program(w, mst_span_of(bytes.ptr, n))) != MST_OK)
				return e;
		} else {
			n = (size_t)f->write_size - w->count;
			if (n > bytes.len)
				n = bytes.len;
			memcpy(w->gathered + w->count, bytes.ptr, n);
			w->count = (uint16_t)(w->count + n);
			if (w->count == f->write_size) {
				w->count = 0;
				e = program(w, mst_span_of(w->gathered, f->write_size));
				if (e != MST_OK)
					return e;
			}
		}
		bytes = mst_span_of(bytes.ptr + n, bytes.len - n);
	}
	return MST_OK;
}

mst_err
mst_slot_writer_put(struct mst_slot_writer *w, mst_span bytes)
{
	mst_err e = MST_OK;

	if (w->dead || w->slot != w->slots->writing)
		return MST_E_SLOT_ACTIVE;
	if (bytes.len > mst_slot_capacity(w->slots, w->slot) - w->at - w->count)
		e = MST_E_SLOT_RANGE;
	else if (bytes.len != 0)
		e = put(w, bytes);
	w->dead = e != MST_OK;
	return e;
}

mst_err
mst_slot_writer_end(struct mst_slot_writer *w)
{
	const struct mst_flash *f;
	uint64_t end;
	mst_err e;

	if (w->dead || w->slot != w->slots->writing)
		return MST_E_SLOT_ACTIVE;
	f = area_of(w->slots, w->slot)->flash;
	if (w->count != 0) {
		end = w->at + w->count;
		memset(w->gathered + w->count, f->erased, (size_t)f->write_size - w->count);
		w->count = 0;
		if ((e = program(w, mst_span_of(w->gathered, f->write_size))) != MST_OK) {
			w->dead = true;
			return e;
		}
		w->durable = end;
	}
	w->dead = true; /* what follows would lie behind the padding */
	return MST_OK;
}

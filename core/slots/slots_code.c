/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry: key, 0x5a, length of payload (2), seq (4), payload, CRC-32 over all of
 * that; little-endian. Payload lengths are fixed by the key, so a changed
 * length is no entry.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/slots/slots_impl.h"

enum {
	MARK = 0x5a, /* neither erased value; changes with the format */
	HEAD = 8,
	CRC = 4,
	BOOT_LEN = 5 + MST_SLOTS * (2 + 8 + MST_SLOT_DIGEST),
	JOURNAL_LEN = 1 + MST_SLOT_DIGEST + 4 * 4 + 8,
	COUNTER_LEN = 1 + MST_SLOT_ID_MAX + 8 + MST_SLOT_DIGEST,
	REF_LEN = 1 + MST_SLOT_ID_MAX + 1 + MST_SLOT_DIGEST,
	SEAL_LEN = 4 * MST_SLOTS_KEYS,
};

_Static_assert(HEAD + BOOT_LEN + CRC <= MST_SLOTS_ENTRY, "it fits");
_Static_assert(HEAD + SEAL_LEN + CRC <= MST_SLOTS_ENTRY, "it fits");
_Static_assert(MST_SLOTS_ENTRY % MST_FLASH_WRITE_MAX == 0, "places begin at a granule");

/* CRC-32 (IEEE 802.3) by half bytes, two at a time: 128 bytes of table. */
static uint32_t
crc32(mst_span bytes)
{
	static const uint32_t high[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
	static const uint32_t low[16] = { 0x00000000, 0x77073096, 0xee0e612c, 0x990951ba,
		0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e,
		0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91 };
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.ptr[i];
		crc = crc >> 8 ^ low[crc & 15] ^ high[crc >> 4 & 15];
	}
	return ~crc;
}

uint32_t
slots_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t
get_u64(const uint8_t *p)
{
	return slots_u32(p) | (uint64_t)slots_u32(p + 4) << 32;
}

static uint8_t *
put_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		*p++ = (uint8_t)(v >> 8 * i);
	return p;
}

static uint8_t *
put_u64(uint8_t *p, uint64_t v)
{
	return put_u32(put_u32(p, (uint32_t)v), (uint32_t)(v >> 32));
}

static uint8_t *
put_bytes(uint8_t *p, const uint8_t *from, size_t len)
{
	memcpy(p, from, len);
	return p + len;
}

static size_t
payload_len(unsigned key)
{
	if (key == KEY_SEAL)
		return SEAL_LEN;
	if (key == KEY_BOOT)
		return BOOT_LEN;
	if (key == KEY_JOURNAL)
		return JOURNAL_LEN;
	return key < KEY_REF ? COUNTER_LEN : REF_LEN;
}

static uint8_t *
put_boot(const struct mst_slots *s, uint8_t *p)
{
	*p++ = (uint8_t)s->boot.state;
	*p++ = (uint8_t)s->boot.why;
	*p++ = s->boot.active;
	*p++ = s->boot.trial;
	*p++ = s->boot.tries;
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		*p++ = s->boot.slot[i].known ? 1 : 0;
		*p++ = s->boot.slot[i].counter;
		p = put_u64(p, s->boot.slot[i].number);
		p = put_bytes(p, s->boot.slot[i].digest, MST_SLOT_DIGEST);
	}
	return p;
}

static uint8_t *
put_journal(const struct mst_slots *s, uint8_t *p)
{
	const struct mst_journal *j = &s->journal;

	*p++ = s->has_journal ? 1 : 0;
	p = put_bytes(p, j->digest, MST_SLOT_DIGEST);
	p = put_u32(p, (uint32_t)j->section);
	p = put_u32(p, j->command);
	p = put_u32(p, j->component);
	p = put_u32(p, j->state);
	return put_u64(p, j->offset);
}

static uint8_t *
put_value(const struct mst_slots *s, unsigned key, uint8_t *p)
{
	if (key == KEY_SEAL) {
		for (unsigned k = 0; k < MST_SLOTS_KEYS; k++)
			p = put_u32(p, s->at[k]);
		return p;
	}
	if (key == KEY_BOOT)
		return put_boot(s, p);
	if (key == KEY_JOURNAL)
		return put_journal(s, p);
	if (key < KEY_REF) {
		const struct mst_slot_image *i = &s->counter[key - KEY_COUNTER].reached;

		*p++ = i->id_len;
		p = put_bytes(p, i->id, MST_SLOT_ID_MAX);
		p = put_u64(p, i->number);
		return put_bytes(p, i->digest, MST_SLOT_DIGEST);
	} else {
		const struct mst_slots_ref *r = &s->ref[key - KEY_REF];

		*p++ = r->id_len;
		p = put_bytes(p, r->id, MST_SLOT_ID_MAX);
		*p++ = r->linked ? 1 : 0;
		return put_bytes(p, r->by, MST_SLOT_DIGEST);
	}
}

size_t
slots_entry_build(struct mst_slots *s, unsigned key, uint32_t seq)
{
	const struct mst_flash *f = s->config.record.flash;
	size_t len = payload_len(key), n = HEAD + len + CRC;
	uint8_t *p = s->scratch;

	memset(p, f->erased, sizeof(s->scratch));
	*p++ = (uint8_t)key;
	*p++ = MARK;
	*p++ = (uint8_t)len;
	*p++ = (uint8_t)(len >> 8);
	p = put_value(s, key, put_u32(p, seq));
	MST_ASSERT(p == s->scratch + HEAD + len);
	put_u32(p, crc32(mst_span_of(s->scratch, HEAD + len)));
	return (n + f->write_size - 1) / f->write_size * f->write_size;
}

bool
slots_entry_parse(mst_span place, struct slots_entry *out)
{
	const uint8_t *p = place.ptr;
	size_t len;

	if (place.len < HEAD + CRC || (p[0] >= MST_SLOTS_KEYS && p[0] != KEY_SEAL) || p[1] != MARK)
		return false;
	len = payload_len(p[0]);
	if ((size_t)p[2] + ((size_t)p[3] << 8) != len || len > place.len - HEAD - CRC ||
	    crc32(mst_span_of(p, HEAD + len)) != slots_u32(p + HEAD + len) || slots_u32(p + 4) == 0)
		return false;
	*out = (struct slots_entry){ mst_span_of(p + HEAD, len), slots_u32(p + 4), p[0] };
	return true;
}

static bool
take_boot(struct mst_slots *s, const uint8_t *p)
{
	if (p[0] > MST_SLOT_REVERTED || p[1] > MST_SLOT_WHY_HEALTH || p[2] >= MST_SLOTS ||
	    (p[3] >= MST_SLOTS && p[3] != MST_SLOT_NONE))
		return false;
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		const uint8_t *q = p + 5 + i * (2 + 8 + MST_SLOT_DIGEST);

		if (q[0] > 1 || (q[0] == 1 && q[1] >= MST_SLOTS_COUNTERS))
			return false;
	}
	s->boot.state = (enum mst_slot_state)p[0];
	s->boot.why = (enum mst_slot_why)p[1];
	s->boot.active = p[2];
	s->boot.trial = p[3];
	s->boot.tries = p[4];
	p += 5;
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		s->boot.slot[i].known = *p++ == 1;
		s->boot.slot[i].counter = *p++;
		s->boot.slot[i].number = get_u64(p);
		memcpy(s->boot.slot[i].digest, p + 8, MST_SLOT_DIGEST);
		p += 8 + MST_SLOT_DIGEST;
	}
	return true;
}

static bool
take_journal(struct mst_slots *s, const uint8_t *p)
{
	struct mst_journal *j = &s->journal;

	if (p[0] > 1)
		return false;
	s->has_journal = p[0] == 1;
	memcpy(j->digest, p + 1, MST_SLOT_DIGEST);
	p += 1 + MST_SLOT_DIGEST;
	j->section = (int32_t)slots_u32(p);
	j->command = slots_u32(p + 4);
	j->component = slots_u32(p + 8);
	j->state = slots_u32(p + 12);
	j->offset = get_u64(p + 16);
	return true;
}

bool
slots_value_take(struct mst_slots *s, const struct slots_entry *entry)
{
	const uint8_t *p = entry->payload.ptr, *q = p + 1 + MST_SLOT_ID_MAX;

	if (entry->key == KEY_BOOT)
		return take_boot(s, p);
	if (entry->key == KEY_JOURNAL)
		return take_journal(s, p);
	if (entry->key == KEY_SEAL || p[0] > MST_SLOT_ID_MAX)
		return false;
	if (entry->key < KEY_REF) {
		struct mst_slots_counter *c = &s->counter[entry->key - KEY_COUNTER];

		c->reached.id_len = p[0];
		memcpy(c->reached.id, p + 1, MST_SLOT_ID_MAX);
		c->reached.number = get_u64(q);
		memcpy(c->reached.digest, q + 8, MST_SLOT_DIGEST);
		c->used = true;
	} else {
		struct mst_slots_ref *r = &s->ref[entry->key - KEY_REF];

		if (q[0] > 1)
			return false;
		r->id_len = p[0];
		memcpy(r->id, p + 1, MST_SLOT_ID_MAX);
		r->linked = q[0] == 1;
		memcpy(r->by, q + 1, MST_SLOT_DIGEST);
	}
	return true;
}

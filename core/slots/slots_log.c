/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log. A sector holds a snapshot of all values, the seal, and then what was
 * changed since, newest last. The seal is written last and names the entry
 * of each key, so that a sector whose snapshot was cut counts for nothing and a
 * value that rotted away is missed, not replaced by an older one in silence.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/slots/slots_impl.h"

enum { APPEND_TRIES = 3 };

static uint32_t
places(const struct mst_slots *s)
{
	return s->config.record.flash->sector_size / MST_SLOTS_ENTRY;
}

static uint64_t
place_at(const struct mst_slots *s, unsigned sector, uint32_t place)
{
	const struct mst_area *a = &s->config.record;

	return (uint64_t)(a->first + sector) * a->flash->sector_size +
	       (uint64_t)place * MST_SLOTS_ENTRY;
}

static bool
area_fits(const struct mst_area *a)
{
	const struct mst_flash *f = a->flash;

	return f->write_size != 0 && (f->write_size & (f->write_size - 1)) == 0 &&
	       f->write_size <= MST_FLASH_WRITE_MAX && f->sector_size != 0 &&
	       f->sector_size % f->write_size == 0 && (f->erased == 0xff || f->erased == 0) &&
	       a->sectors != 0 && a->first < f->sectors && a->sectors <= f->sectors - a->first;
}

static bool
areas_meet(const struct mst_area *a, const struct mst_area *b)
{
	return a->flash != NULL && a->flash == b->flash && a->first < b->first + b->sectors &&
	       b->first < a->first + a->sectors;
}

mst_err
slots_geometry(const struct mst_slots_config *c)
{
	const struct mst_area *r = &c->record;

	if (r->flash == NULL || !area_fits(r) || r->sectors < MST_SLOTS_SECTORS_MIN ||
	    r->sectors > MST_SLOTS_SECTORS_MAX ||
	    r->flash->sector_size < MST_SLOTS_SECTOR_BYTES_MIN)
		return MST_E_SLOT_GEOMETRY;
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		if (c->slot[i].flash != NULL &&
		    (!area_fits(&c->slot[i]) || areas_meet(r, &c->slot[i])))
			return MST_E_SLOT_GEOMETRY;
	}
	return areas_meet(&c->slot[0], &c->slot[1]) ? MST_E_SLOT_GEOMETRY : MST_OK;
}

enum place_is { PLACE_ERASED, PLACE_ENTRY, PLACE_TORN };

/* One place, into scratch. What cannot be read is torn: ECC says so of half-written words. */
static enum place_is
place_read(struct mst_slots *s, unsigned sector, uint32_t place, struct slots_entry *out)
{
	const struct mst_flash *f = s->config.record.flash;

	if (f->read(f->ctx, place_at(s, sector, place), s->scratch, sizeof(s->scratch)) != MST_OK)
		return PLACE_TORN;
	if (slots_entry_parse(mst_span_of(s->scratch, sizeof(s->scratch)), out))
		return PLACE_ENTRY;
	for (size_t i = 0; i < sizeof(s->scratch); i++) {
		if (s->scratch[i] != f->erased)
			return PLACE_TORN;
	}
	return PLACE_ERASED;
}

/* What one run over a sector found out. */
struct sector {
	uint32_t seq[MST_SLOTS_KEYS]; /* its newest entry of each key */
	uint32_t next;
	bool torn;
	bool sealed;
};

struct found {
	struct sector sector[MST_SLOTS_SECTORS_MAX];
	uint32_t named[MST_SLOTS_KEYS]; /* the newest entry of each key that a seal knows of */
	uint32_t torn; /* places */
	bool erased; /* all of them are */
};

/* Does the sector's snapshot end in its seal? The entries that it names into f. */
static bool
sealed(struct mst_slots *s, unsigned sector, struct found *f)
{
	const struct mst_flash *flash = s->config.record.flash;
	struct slots_entry e;
	uint8_t key;

	for (uint32_t i = 1; i <= MST_SLOTS_KEYS; i++) {
		if (flash->read(flash->ctx, place_at(s, sector, i), &key, 1) != MST_OK ||
		    key != KEY_SEAL || place_read(s, sector, i, &e) != PLACE_ENTRY)
			continue;
		for (unsigned k = 0; k < MST_SLOTS_KEYS; k++) {
			uint32_t seq = slots_u32(e.payload.ptr + 4 * k);

			if (seq > f->named[k])
				f->named[k] = seq;
		}
		return true;
	}
	return false;
}

/* Read a sector; of a sealed one the values, where they are newer than those known. */
static void
gather(struct mst_slots *s, unsigned sector, struct found *f)
{
	struct sector *q = &f->sector[sector];
	struct slots_entry e;

	q->sealed = sealed(s, sector, f);
	for (uint32_t i = 0; i < places(s); i++) {
		enum place_is is = place_read(s, sector, i, &e);

		if (is == PLACE_ERASED)
			continue;
		f->erased = false;
		q->next = i + 1;
		if (is == PLACE_TORN) {
			q->torn = true;
			f->torn++;
			continue;
		}
		/* also of what is not sealed: no number is ever given twice */
		if (e.seq > s->seq)
			s->seq = e.seq;
		if (!q->sealed || e.key == KEY_SEAL)
			continue;
		if (e.seq > s->at[e.key] && slots_value_take(s, &e))
			s->at[e.key] = e.seq;
		if (e.seq > q->seq[e.key] && e.seq == s->at[e.key])
			q->seq[e.key] = e.seq;
	}
}

static uint32_t
all_keys(const struct mst_slots *s)
{
	uint32_t all = 0;

	for (unsigned k = 0; k < MST_SLOTS_KEYS; k++) {
		if (s->at[k] != 0)
			all |= 1u << k;
	}
	return all;
}

bool
slots_copy_whole(const struct mst_slots *s, unsigned copy)
{
	return s->copy[copy].sector != MST_SLOT_NONE && s->copy[copy].has == all_keys(s);
}

static unsigned
count_bits(uint32_t bits)
{
	unsigned n = 0;

	for (; bits != 0; bits &= bits - 1)
		n++;
	return n;
}

/* A sealed sector as copy: what of the newest values does it hold, and where does it end? */
static void
survey(struct mst_slots *s, unsigned copy, unsigned sector, const struct sector *q)
{
	s->copy[copy].sector = (uint8_t)sector;
	s->copy[copy].next = q->next;
	s->copy[copy].torn = q->torn;
	s->copy[copy].has = 0;
	for (unsigned k = 0; k < MST_SLOTS_KEYS; k++) {
		if (s->at[k] != 0 && q->seq[k] == s->at[k])
			s->copy[copy].has |= 1u << k;
	}
}

/* How well this copy serves: completeness before cleanness. 0: there is none. */
static unsigned
worth(const struct mst_slots *s, unsigned copy)
{
	if (s->copy[copy].sector == MST_SLOT_NONE)
		return 0;
	return 2 * count_bits(s->copy[copy].has) + (s->copy[copy].torn ? 1 : 2);
}

/* The two best of the sealed sectors are the copies. */
static void
choose_copies(struct mst_slots *s, const struct found *f)
{
	s->copy[0].sector = s->copy[1].sector = MST_SLOT_NONE;
	for (unsigned q = 0; q < s->config.record.sectors; q++) {
		unsigned weaker = worth(s, 0) < worth(s, 1) ? 0 : 1;
		unsigned old = s->copy[weaker].sector, had = worth(s, weaker);

		if (!f->sector[q].sealed)
			continue;
		survey(s, weaker, q, &f->sector[q]);
		if (worth(s, weaker) <= had)
			survey(s, weaker, old, &f->sector[old]);
	}
}

mst_err
slots_log_read(struct mst_slots *s)
{
	struct found f = { .erased = true };

	for (unsigned q = 0; q < s->config.record.sectors; q++)
		gather(s, q, &f);
	/* What is torn may have been a number too, and read again some day. */
	s->seq = s->seq > UINT32_MAX - f.torn ? UINT32_MAX : s->seq + f.torn;
	choose_copies(s, &f);
	if (f.erased)
		return MST_E_SLOT_BLANK;
	if (s->at[KEY_BOOT] == 0)
		return MST_E_SLOT_LOST;
	for (unsigned k = 0; k < MST_SLOTS_KEYS; k++) {
		if (s->at[k] >= f.named[k])
			continue;
		/* A newer value was here. An old journal would skip what is not there. */
		if (k != KEY_JOURNAL)
			return MST_E_SLOT_LOST;
		s->has_journal = false;
	}
	return MST_OK;
}

/* scratch[0..len) to a place, read back. */
static mst_err
place_write(struct mst_slots *s, unsigned sector, uint32_t place, size_t len)
{
	const struct mst_flash *f = s->config.record.flash;
	uint64_t at = place_at(s, sector, place);
	uint8_t back[32];
	mst_err e = f->write(f->ctx, at, mst_span_of(s->scratch, len));

	for (size_t i = 0; e == MST_OK && i < sizeof(s->scratch); i += sizeof(back)) {
		/* to the end of the place: what follows must still be erased */
		if ((e = f->read(f->ctx, at + i, back, sizeof(back))) == MST_OK &&
		    !mst_span_eq(
		        mst_span_of(back, sizeof(back)), mst_span_of(s->scratch + i, sizeof(back))))
			e = MST_E_SLOT_FLASH;
	}
	return e;
}

/* The next entry of a sector; a place that does not take it is left behind. */
static mst_err
append(struct mst_slots *s, unsigned sector, uint32_t *next, unsigned key, uint32_t seq)
{
	mst_err e = MST_E_SLOT_WORN;

	for (unsigned i = 0; i < APPEND_TRIES && *next < places(s); i++) {
		size_t len = slots_entry_build(s, key, seq);

		if ((e = place_write(s, sector, (*next)++, len)) == MST_OK)
			return MST_OK;
	}
	return e;
}

/* All values and the seal into a sector that nobody needs any more. */
static mst_err
snapshot(struct mst_slots *s, unsigned sector, unsigned copy)
{
	const struct mst_area *a = &s->config.record;
	uint32_t next = 0;
	mst_err e;

	if (s->copy[copy].sector == sector) {
		s->copy[copy].sector = MST_SLOT_NONE;
		s->copy[copy].has = 0;
	}
	if ((e = a->flash->erase(a->flash->ctx, a->first + sector)) != MST_OK)
		return e;
	for (unsigned k = 0; k < MST_SLOTS_KEYS; k++) {
		if (s->at[k] != 0 && (e = append(s, sector, &next, k, s->at[k])) != MST_OK)
			return e;
	}
	/* a reader looks for the seal in the first places alone */
	if (next > MST_SLOTS_KEYS)
		return MST_E_SLOT_FLASH;
	if ((e = append(s, sector, &next, KEY_SEAL, s->seq)) != MST_OK)
		return e;
	if (next > MST_SLOTS_KEYS + 1)
		return MST_E_SLOT_FLASH;
	s->copy[copy].sector = (uint8_t)sector;
	s->copy[copy].has = all_keys(s);
	s->copy[copy].next = next;
	s->copy[copy].torn = false;
	return MST_OK;
}

/*
 * Write a copy anew: its own sector first if that one may go, then the spares.
 * One that failed before is tried again only where no other copy is whole.
 */
static mst_err
rebuild(struct mst_slots *s, unsigned copy, bool own_may_go)
{
	unsigned own = s->copy[copy].sector, other = s->copy[1 - copy].sector;
	unsigned runs = slots_copy_whole(s, 1 - copy) ? 1 : 2;
	mst_err e = MST_E_SLOT_WORN;

	for (unsigned run = 0; run < runs; run++) {
		for (unsigned n = 0; n <= s->config.record.sectors; n++) {
			unsigned q = n == 0 ? own : n - 1;

			if (q == MST_SLOT_NONE || q == other || (n != 0 && q == own) ||
			    (q == own && !own_may_go) || (s->bad >> q & 1) != run)
				continue;
			if ((e = snapshot(s, q, copy)) == MST_OK)
				return MST_OK;
			s->bad |= (uint8_t)(1u << q);
		}
	}
	return e;
}

/* Append to a copy every value it lacks, if it has the room. */
static void
top_up(struct mst_slots *s, unsigned copy)
{
	uint32_t lacks = all_keys(s) & ~s->copy[copy].has;

	if (s->copy[copy].sector == MST_SLOT_NONE ||
	    count_bits(lacks) > places(s) - s->copy[copy].next)
		return;
	for (unsigned k = 0; k < MST_SLOTS_KEYS; k++) {
		if ((lacks >> k & 1) == 0)
			continue;
		if (append(s, s->copy[copy].sector, &s->copy[copy].next, k, s->at[k]) != MST_OK) {
			s->copy[copy].torn = true;
			return;
		}
		s->copy[copy].has |= 1u << k;
	}
}

/* The copies that have every value but those of the keys in except, by bit. */
static unsigned
whole_but(const struct mst_slots *s, uint32_t except)
{
	unsigned bits = 0;

	for (unsigned c = 0; c < 2; c++) {
		if (s->copy[c].sector != MST_SLOT_NONE &&
		    (all_keys(s) & ~except & ~s->copy[c].has) == 0)
			bits |= 1u << c;
	}
	return bits;
}

/*
 * Bring both copies to what s holds. kept: those that have all that was durable
 * before, by bit. A sector is erased only while another one has that, or all
 * that is new too.
 */
static mst_err
bring_up(struct mst_slots *s, unsigned kept)
{
	mst_err e = MST_E_SLOT_WORN;
	/* An untorn copy first: there an entry costs one write and no erase. */
	unsigned first = s->copy[0].torn ? 1 : 0;

	for (unsigned c = 0; c < 2; c++) {
		unsigned i = c ^ first;

		if (!s->copy[i].torn)
			top_up(s, i);
	}
	if (whole_but(s, 0) != 0)
		kept = whole_but(s, 0);
	for (unsigned c = 0; c < 2; c++) {
		unsigned i = c ^ first;

		if (slots_copy_whole(s, i) && !s->copy[i].torn)
			continue;
		e = rebuild(s, i, (kept >> (1 - i) & 1) != 0);
		if (e != MST_OK && s->copy[i].sector != MST_SLOT_NONE)
			top_up(s, i); /* torn, but there is no better place */
		if (s->copy[i].sector == MST_SLOT_NONE)
			kept &= ~(1u << i);
		if (slots_copy_whole(s, i))
			kept = whole_but(s, 0);
	}
	return whole_but(s, 0) != 0 ? MST_OK : e;
}

mst_err
slots_log_put(struct mst_slots *s, unsigned key)
{
	unsigned kept;

	if (s->health != MST_OK)
		return s->health;
	if (s->seq == UINT32_MAX)
		return MST_E_SLOT_WORN;
	kept = whole_but(s, 0);
	s->at[key] = ++s->seq;
	s->copy[0].has &= ~(1u << key);
	s->copy[1].has &= ~(1u << key);
	/*
	 * After a failure nobody knows what the flash will read back, so nothing is
	 * written on top of it: the record is read again first.
	 */
	if (bring_up(s, kept) != MST_OK)
		s->health = MST_E_SLOT_WORN;
	return s->health;
}

mst_err
slots_log_format(struct mst_slots *s)
{
	s->copy[0].sector = s->copy[1].sector = MST_SLOT_NONE;
	s->copy[0].has = s->copy[1].has = 0;
	s->copy[0].torn = s->copy[1].torn = false;
	return bring_up(s, 0);
}

mst_err
mst_slots_repair(struct mst_slots *s)
{
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	s->bad = 0;
	if ((e = bring_up(s, whole_but(s, 0))) != MST_OK)
		return e;
	return mst_slots_copies(s) == 2 ? MST_OK : MST_E_SLOT_WORN;
}

unsigned
mst_slots_copies(const struct mst_slots *s)
{
	return count_bits(whole_but(s, 0));
}

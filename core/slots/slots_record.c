/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's part of the record: numbers, journal, reference counts. */
#include <string.h>

#include "core/slots/slots_impl.h"

static mst_err
readable(const struct mst_slots *s)
{
	return s->health == MST_E_SLOT_WORN ? MST_OK : s->health;
}

mst_err
mst_slots_number_get(
    const struct mst_slots *s, mst_span id, uint64_t *number, uint8_t digest[MST_SLOT_DIGEST])
{
	unsigned c = slots_counter_find(s, id);
	mst_err e = readable(s);

	if (e != MST_OK)
		return e;
	if (c == MST_SLOTS_COUNTERS) {
		*number = 0;
		memset(digest, 0, MST_SLOT_DIGEST);
	} else {
		*number = s->counter[c].reached.number;
		memcpy(digest, s->counter[c].reached.digest, MST_SLOT_DIGEST);
	}
	return MST_OK;
}

/* Does this identity belong to what has yet to confirm itself? */
static bool
unconfirmed(const struct mst_slots *s, unsigned counter)
{
	const struct mst_slots_boot *b = &s->boot;

	return (b->state == MST_SLOT_STAGED || b->state == MST_SLOT_PENDING ||
	           b->state == MST_SLOT_TRIAL) &&
	       b->slot[b->trial].counter == counter;
}

mst_err
mst_slots_number_set(
    struct mst_slots *s, mst_span id, uint64_t number, const uint8_t digest[MST_SLOT_DIGEST])
{
	struct mst_slots_counter old;
	struct mst_slot_image image = { .number = number };
	unsigned c = slots_counter_find(s, id);
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (id.len > MST_SLOT_ID_MAX)
		return MST_E_SLOT_RANGE;
	if (id.len != 0)
		memcpy(image.id, id.ptr, id.len);
	image.id_len = (uint8_t)id.len;
	memcpy(image.digest, digest, MST_SLOT_DIGEST);
	if ((e = mst_slots_judge(s, &image)) != MST_OK)
		return e;
	if (c != MST_SLOTS_COUNTERS && unconfirmed(s, c))
		return MST_E_SLOT_UNCONFIRMED;
	for (unsigned i = 0; c == MST_SLOTS_COUNTERS && i < MST_SLOTS_COUNTERS; i++) {
		if (!s->counter[i].used)
			c = i;
	}
	if (c == MST_SLOTS_COUNTERS)
		return MST_E_SLOT_FULL;
	old = s->counter[c];
	if (old.used && old.reached.number == number &&
	    mst_span_eq(mst_span_of(old.reached.digest, MST_SLOT_DIGEST),
	        mst_span_of(digest, MST_SLOT_DIGEST)))
		return MST_OK;
	s->counter[c] = (struct mst_slots_counter){ image, true };
	if ((e = slots_log_put(s, KEY_COUNTER + c)) != MST_OK)
		s->counter[c] = old;
	return e;
}

mst_err
mst_slots_journal_read(const struct mst_slots *s, struct mst_journal *out)
{
	mst_err e = readable(s);

	if (e == MST_OK && !s->has_journal)
		e = MST_E_SLOT_NO_JOURNAL;
	if (e == MST_OK)
		*out = s->journal;
	return e;
}

static bool
journal_eq(const struct mst_journal *a, const struct mst_journal *b)
{
	return mst_span_eq(mst_span_of(a->digest, MST_SLOT_DIGEST),
	           mst_span_of(b->digest, MST_SLOT_DIGEST)) &&
	       a->section == b->section && a->command == b->command &&
	       a->component == b->component && a->state == b->state && a->offset == b->offset;
}

mst_err
mst_slots_journal_write(struct mst_slots *s, const struct mst_journal *j)
{
	struct mst_journal old = s->journal;
	bool had = s->has_journal;
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (had && journal_eq(&old, j))
		return MST_OK;
	s->journal = *j;
	s->has_journal = true;
	if ((e = slots_log_put(s, KEY_JOURNAL)) != MST_OK) {
		s->journal = old;
		s->has_journal = had;
	}
	return e;
}

mst_err
mst_slots_journal_clear(struct mst_slots *s)
{
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (!s->has_journal)
		return MST_OK;
	s->has_journal = false;
	if ((e = slots_log_put(s, KEY_JOURNAL)) != MST_OK)
		s->has_journal = true;
	return e;
}

static bool
ref_is(const struct mst_slots_ref *r, mst_span id)
{
	return r->linked && mst_span_eq(mst_span_of(r->id, r->id_len), id);
}

static bool
ref_by(const struct mst_slots_ref *r, const uint8_t *by)
{
	return mst_span_eq(mst_span_of(r->by, MST_SLOT_DIGEST), mst_span_of(by, MST_SLOT_DIGEST));
}

/* The place of this pair; MST_SLOTS_REFS: it is not linked. */
static unsigned
ref_find(const struct mst_slots *s, mst_span id, const uint8_t *by)
{
	unsigned i = 0;

	while (i < MST_SLOTS_REFS && !(ref_is(&s->ref[i], id) && ref_by(&s->ref[i], by)))
		i++;
	return i;
}

mst_err
mst_slots_references(
    const struct mst_slots *s, mst_span id, const uint8_t by[MST_SLOT_DIGEST], unsigned *count)
{
	mst_err e = readable(s);

	if (e != MST_OK)
		return e;
	*count = 0;
	for (unsigned i = 0; i < MST_SLOTS_REFS; i++) {
		if (ref_is(&s->ref[i], id) && !ref_by(&s->ref[i], by))
			(*count)++;
	}
	return MST_OK;
}

mst_err
mst_slots_link(struct mst_slots *s, mst_span id, const uint8_t by[MST_SLOT_DIGEST])
{
	struct mst_slots_ref old, *r;
	unsigned i = 0;
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (id.len == 0 || id.len > MST_SLOT_ID_MAX)
		return MST_E_SLOT_RANGE;
	if (ref_find(s, id, by) != MST_SLOTS_REFS)
		return MST_OK;
	while (i < MST_SLOTS_REFS && s->ref[i].linked)
		i++;
	if (i == MST_SLOTS_REFS)
		return MST_E_SLOT_FULL;
	r = &s->ref[i];
	old = *r;
	memset(r, 0, sizeof(*r));
	memcpy(r->id, id.ptr, id.len);
	r->id_len = (uint8_t)id.len;
	memcpy(r->by, by, MST_SLOT_DIGEST);
	r->linked = true;
	if ((e = slots_log_put(s, KEY_REF + i)) != MST_OK)
		*r = old;
	return e;
}

mst_err
mst_slots_unlink(
    struct mst_slots *s, mst_span id, const uint8_t by[MST_SLOT_DIGEST], unsigned *left)
{
	unsigned i = ref_find(s, id, by);
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (i != MST_SLOTS_REFS) {
		s->ref[i].linked = false;
		if ((e = slots_log_put(s, KEY_REF + i)) != MST_OK) {
			s->ref[i].linked = true;
			return e;
		}
	}
	return mst_slots_references(s, id, by, left);
}

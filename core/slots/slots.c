/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of slots.h. A transition is one entry of the log (KEY_BOOT): it
 * happened or it did not. What follows from it, the counter above all, is
 * derived again at every open, so that a cut between two entries costs nothing.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/slots/slots_impl.h"

static mst_span
digest_span(const uint8_t *digest)
{
	return mst_span_of(digest, MST_SLOT_DIGEST);
}

static bool
digest_eq(const uint8_t *a, const uint8_t *b)
{
	return mst_span_eq(digest_span(a), digest_span(b));
}

static mst_span
image_id(const struct mst_slot_image *image)
{
	return mst_span_of(image->id, image->id_len);
}

unsigned
slots_counter_find(const struct mst_slots *s, mst_span id)
{
	unsigned i = 0;

	for (; i < MST_SLOTS_COUNTERS; i++) {
		if (s->counter[i].used && mst_span_eq(image_id(&s->counter[i].reached), id))
			break;
	}
	return i;
}

static bool
under_way(const struct mst_slots *s)
{
	return s->boot.state == MST_SLOT_STAGED || s->boot.state == MST_SLOT_PENDING ||
	       s->boot.state == MST_SLOT_TRIAL;
}

/* Do the values fit each other? Anything else was not written by this code. */
static bool
consistent(const struct mst_slots *s)
{
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		if (s->boot.slot[i].known && !s->counter[s->boot.slot[i].counter].used)
			return false;
	}
	if (under_way(s) &&
	    (s->boot.trial != 1u - s->boot.active || !s->boot.slot[s->boot.trial].known))
		return false;
	return s->boot.slot[s->boot.active].known;
}

/*
 * The confirmed slot's number was reached, whatever the counter says: a cut
 * after the confirmation does not take it back. In memory now, durable by settle.
 */
static void
derive_counter(struct mst_slots *s)
{
	unsigned c = s->boot.slot[s->boot.active].counter;
	struct mst_slot_image *reached = &s->counter[c].reached;

	if (reached->number > s->boot.slot[s->boot.active].number ||
	    (reached->number == s->boot.slot[s->boot.active].number &&
	        digest_eq(reached->digest, s->boot.slot[s->boot.active].digest)))
		return;
	reached->number = s->boot.slot[s->boot.active].number;
	memcpy(reached->digest, s->boot.slot[s->boot.active].digest, MST_SLOT_DIGEST);
	s->unsettled = (uint8_t)c;
}

static mst_err
settle(struct mst_slots *s)
{
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (s->unsettled == MST_SLOT_NONE)
		return MST_OK;
	if ((e = slots_log_put(s, KEY_COUNTER + s->unsettled)) == MST_OK)
		s->unsettled = MST_SLOT_NONE;
	return e;
}

/* The install that the journal tells of has ended: it was staged. */
static void
end_journal(struct mst_slots *s)
{
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		if (s->boot.slot[i].known && digest_eq(s->boot.slot[i].digest, s->journal.digest))
			s->has_journal = false;
	}
}

static void
forget(struct mst_slots *s)
{
	struct mst_slots_config config = s->config;

	memset(s, 0, sizeof(*s));
	s->config = config;
	s->boot.active = s->boot.trial = s->writing = s->unsettled = MST_SLOT_NONE;
	s->copy[0].sector = s->copy[1].sector = MST_SLOT_NONE;
}

mst_err
mst_slots_open(struct mst_slots *s, const struct mst_slots_config *config)
{
	mst_err e;

	s->config = *config;
	forget(s);
	s->health = MST_E_SLOT_GEOMETRY;
	if ((e = slots_geometry(config)) != MST_OK)
		return e;
	s->health = MST_OK;
	e = slots_log_read(s);
	if (e == MST_OK && !consistent(s))
		e = MST_E_SLOT_LOST;
	if (e != MST_OK) {
		uint32_t seq = s->seq;

		forget(s);
		s->seq = seq;
		s->health = e;
		return e;
	}
	end_journal(s);
	derive_counter(s);
	return MST_OK;
}

/* What the record says of a slot. */
static void
recorded(const struct mst_slots *s, unsigned slot, struct mst_slot_image *out)
{
	*out = s->counter[s->boot.slot[slot].counter].reached;
	out->number = s->boot.slot[slot].number;
	memcpy(out->digest, s->boot.slot[slot].digest, MST_SLOT_DIGEST);
}

static bool
image_eq(const struct mst_slot_image *a, const struct mst_slot_image *b)
{
	return a->number == b->number && digest_eq(a->digest, b->digest) &&
	       mst_span_eq(image_id(a), image_id(b));
}

static void
record(
    struct mst_slots_boot *b, unsigned slot, const struct mst_slot_image *image, unsigned counter)
{
	b->slot[slot].known = true;
	b->slot[slot].counter = (uint8_t)counter;
	b->slot[slot].number = image->number;
	memcpy(b->slot[slot].digest, image->digest, MST_SLOT_DIGEST);
}

mst_err
mst_slots_format(struct mst_slots *s, unsigned active, const struct mst_slot_image *image)
{
	struct mst_slot_image is;
	uint32_t seq = s->seq;
	mst_err e, before = s->health;

	if (active >= MST_SLOTS || image->id_len > MST_SLOT_ID_MAX)
		return MST_E_SLOT_RANGE;
	if (before == MST_OK) {
		recorded(s, s->boot.active, &is);
		if (under_way(s) || active != s->boot.active || !image_eq(&is, image))
			return MST_E_SLOT_EXISTS;
		return mst_slots_repair(s);
	}
	if (before != MST_E_SLOT_BLANK && before != MST_E_SLOT_LOST)
		return before;
	forget(s);
	s->boot.active = (uint8_t)active;
	record(&s->boot, active, image, 0);
	s->counter[0].used = true;
	s->counter[0].reached = *image;
	s->at[KEY_BOOT] = s->at[KEY_COUNTER] = s->seq = seq + 1;
	if (seq == UINT32_MAX)
		e = MST_E_SLOT_WORN;
	else
		e = slots_log_format(s);
	if (e != MST_OK) {
		forget(s);
		s->seq = seq;
		s->health = before;
	}
	return e;
}

mst_err
mst_slots_judge(const struct mst_slots *s, const struct mst_slot_image *image)
{
	static const uint8_t none[MST_SLOT_DIGEST];
	unsigned c;

	if (s->health == MST_E_SLOT_BLANK || s->health == MST_E_SLOT_LOST)
		return s->health;
	if (image->id_len > MST_SLOT_ID_MAX)
		return MST_E_SLOT_RANGE;
	c = slots_counter_find(s, image_id(image));
	if (c == MST_SLOTS_COUNTERS)
		return MST_OK;
	/* suit-manifest 8.4.2: MUST reject a lower one */
	if (image->number < s->counter[c].reached.number)
		return MST_E_SLOT_ROLLBACK;
	/* sheet 13.1: an equal one is the same manifest or none */
	if (image->number == s->counter[c].reached.number &&
	    !digest_eq(s->counter[c].reached.digest, none) &&
	    !digest_eq(s->counter[c].reached.digest, image->digest))
		return MST_E_SLOT_EQUAL;
	return MST_OK;
}

/* The next state of boot, durable; s is unchanged when it is refused. */
static mst_err
change(struct mst_slots *s, const struct mst_slots_boot *next)
{
	struct mst_slots_boot old = s->boot;
	mst_err e;

	s->boot = *next;
	if ((e = slots_log_put(s, KEY_BOOT)) != MST_OK)
		s->boot = old;
	return e;
}

/* A counter for this identity, 0 where it is new. Durable. */
static mst_err
counter_make(struct mst_slots *s, mst_span id, unsigned *out)
{
	unsigned c = slots_counter_find(s, id);
	mst_err e;

	if (c == MST_SLOTS_COUNTERS) {
		for (c = 0; c < MST_SLOTS_COUNTERS && s->counter[c].used; c++)
			;
		if (c == MST_SLOTS_COUNTERS)
			return MST_E_SLOT_FULL;
		memset(&s->counter[c], 0, sizeof(s->counter[c]));
		if (id.len != 0)
			memcpy(s->counter[c].reached.id, id.ptr, id.len);
		s->counter[c].reached.id_len = (uint8_t)id.len;
		s->counter[c].used = true;
		if ((e = slots_log_put(s, KEY_COUNTER + c)) != MST_OK) {
			s->counter[c].used = false;
			return e;
		}
	}
	*out = c;
	return MST_OK;
}

/*
 * What the slot held counts no longer, and an install that was not armed is given
 * up. Usually the slot is not the active one; when it is, running replaces it.
 */
static mst_err
open_slot(struct mst_slots *s, unsigned slot)
{
	struct mst_slots_boot next = s->boot;

	if (!next.slot[slot].known && !under_way(s))
		return MST_OK;
	if (under_way(s) || next.trial == slot || next.active == slot) {
		next.state = MST_SLOT_IDLE;
		next.why = MST_SLOT_WHY_NONE;
		next.trial = MST_SLOT_NONE;
		next.tries = 0;
	}
	next.active = (uint8_t)(1u - slot);
	memset(&next.slot[slot], 0, sizeof(next.slot[slot]));
	return change(s, &next);
}

mst_err
mst_slots_begin(struct mst_slots *s, unsigned running, const struct mst_slot_image *image,
    unsigned *slot, bool *resume)
{
	unsigned other, c;
	bool was_open;
	mst_err e;

	s->writing = MST_SLOT_NONE;
	if (s->health != MST_OK)
		return s->health;
	if (s->boot.state == MST_SLOT_PENDING || s->boot.state == MST_SLOT_TRIAL)
		return MST_E_SLOT_STATE;
	if (running >= MST_SLOTS || !s->boot.slot[running].known)
		return MST_E_SLOT_MISMATCH;
	other = 1u - running;
	was_open = !s->boot.slot[other].known;
	if ((e = mst_slots_judge(s, image)) != MST_OK || (e = settle(s)) != MST_OK ||
	    (e = counter_make(s, image_id(image), &c)) != MST_OK ||
	    (e = open_slot(s, other)) != MST_OK)
		return e;
	if (s->has_journal && !digest_eq(s->journal.digest, image->digest) &&
	    (e = mst_slots_journal_clear(s)) != MST_OK)
		return e;
	s->writing = (uint8_t)other;
	*slot = other;
	/* A journal is no way to go on in a slot that held something else until now. */
	*resume = was_open && s->has_journal;
	return MST_OK;
}

/* Verify a slot now, and hold what it found to what is expected. */
static mst_err
verified(unsigned slot, const struct mst_slot_image *expected, mst_slots_verify verify, void *ctx,
    struct mst_slot_image *found)
{
	mst_err e;

	memset(found, 0, sizeof(*found));
	if ((e = verify(ctx, slot, found)) != MST_OK)
		return e;
	if (found->id_len > MST_SLOT_ID_MAX || (expected != NULL && !image_eq(found, expected)))
		return MST_E_SLOT_MISMATCH;
	return MST_OK;
}

mst_err
mst_slots_stage(
    struct mst_slots *s, const struct mst_slot_image *image, mst_slots_verify verify, void *ctx)
{
	struct mst_slots_boot next = s->boot;
	struct mst_slot_image found;
	unsigned slot = s->writing, c;
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (slot == MST_SLOT_NONE)
		return MST_E_SLOT_STATE;
	if ((e = mst_slots_judge(s, image)) != MST_OK)
		return e;
	if ((c = slots_counter_find(s, image_id(image))) == MST_SLOTS_COUNTERS)
		return MST_E_SLOT_MISMATCH;
	if ((e = verified(slot, image, verify, ctx, &found)) != MST_OK)
		return e;
	next.state = MST_SLOT_STAGED;
	next.why = MST_SLOT_WHY_NONE;
	next.trial = (uint8_t)slot;
	next.tries = 0;
	record(&next, slot, image, c);
	if ((e = change(s, &next)) != MST_OK)
		return e;
	s->writing = MST_SLOT_NONE;
	/*
	 * From here on the journal is over: should it not be cleared, end_journal
	 * does it at each open, since a slot is known that has its digest.
	 */
	e = mst_slots_journal_clear(s);
	s->has_journal = false;
	return e == MST_E_SLOT_WORN ? MST_OK : e;
}

mst_err
mst_slots_arm(struct mst_slots *s, unsigned tries)
{
	struct mst_slots_boot next = s->boot;

	if (s->health != MST_OK)
		return s->health;
	if (tries < 1 || tries > 15)
		return MST_E_SLOT_RANGE;
	if (next.state == MST_SLOT_PENDING)
		return MST_OK;
	if (next.state != MST_SLOT_STAGED)
		return MST_E_SLOT_STATE;
	next.state = MST_SLOT_PENDING;
	next.tries = (uint8_t)tries;
	return change(s, &next);
}

mst_err
mst_slots_confirm(struct mst_slots *s, unsigned running)
{
	struct mst_slots_boot next = s->boot;
	mst_err e;

	if (s->health != MST_OK)
		return s->health;
	if (next.state == MST_SLOT_CONFIRMED && running == next.active)
		return settle(s);
	if (next.state != MST_SLOT_TRIAL)
		return MST_E_SLOT_STATE;
	if (running != next.trial)
		return MST_E_SLOT_MISMATCH;
	next.state = MST_SLOT_CONFIRMED;
	next.active = next.trial;
	next.trial = MST_SLOT_NONE;
	next.tries = 0;
	/* This one entry is the confirmation. The counter follows from it, never before. */
	if ((e = settle(s)) != MST_OK || (e = change(s, &next)) != MST_OK)
		return e;
	derive_counter(s);
	return settle(s);
}

/* Also of a trial that select found wanting. */
static mst_err
give_up(struct mst_slots *s, enum mst_slot_why why)
{
	struct mst_slots_boot next = s->boot;

	next.state = MST_SLOT_REVERTED;
	next.why = why;
	next.tries = 0;
	return change(s, &next);
}

mst_err
mst_slots_revert(struct mst_slots *s)
{
	if (s->health != MST_OK)
		return s->health;
	return under_way(s) ? give_up(s, MST_SLOT_WHY_HEALTH) : MST_OK;
}

/* ---- the selector ---- */

/* Without a record: what verifies, the higher number first. */
static mst_err
select_blind(mst_slots_verify verify, void *ctx, struct mst_boot *out)
{
	struct mst_slot_image found;
	bool any = false;

	for (unsigned i = 0; i < MST_SLOTS; i++) {
		if (verified(i, NULL, verify, ctx, &found) != MST_OK ||
		    (any && found.number <= out->image.number))
			continue;
		*out = (struct mst_boot){ (uint8_t)i, MST_BOOT_FALLBACK, MST_SLOT_WHY_NONE, found };
		any = true;
	}
	return any ? MST_OK : MST_E_SLOT_NO_IMAGE;
}

/* A slot of the record, if it verifies as that. */
static bool
takes(const struct mst_slots *s, unsigned slot, mst_slots_verify verify, void *ctx,
    struct mst_boot *out, enum mst_boot_kind kind)
{
	struct mst_slot_image expected, found;

	if (slot >= MST_SLOTS || !s->boot.slot[slot].known)
		return false;
	recorded(s, slot, &expected);
	if (verified(slot, &expected, verify, ctx, &found) != MST_OK)
		return false;
	*out = (struct mst_boot){ (uint8_t)slot, kind, MST_SLOT_WHY_NONE, found };
	return true;
}

/* The number of a slot is not below what its identity has reached. */
static bool
not_lower(const struct mst_slots *s, unsigned slot)
{
	return s->boot.slot[slot].known &&
	       s->boot.slot[slot].number >= s->counter[s->boot.slot[slot].counter].reached.number;
}

mst_err
mst_slots_select(
    const struct mst_slots *s, mst_slots_verify verify, void *ctx, struct mst_boot *out)
{
	const struct mst_slots_boot *b = &s->boot;
	unsigned other = 1u - b->active;
	struct mst_boot found;
	bool tried = b->state == MST_SLOT_TRIAL && b->tries == 0;
	bool try_it = b->state == MST_SLOT_PENDING || (b->state == MST_SLOT_TRIAL && !tried);

	if (b->active >= MST_SLOTS) {
		if (select_blind(verify, ctx, &found) != MST_OK)
			return MST_E_SLOT_NO_IMAGE;
	} else if (try_it && not_lower(s, b->trial) &&
	           takes(s, b->trial, verify, ctx, &found, MST_BOOT_TRIAL)) {
		/* as it stands */
	} else if (takes(s, b->active, verify, ctx, &found, MST_BOOT_CONFIRMED)) {
		if (try_it || tried)
			found.kind = MST_BOOT_REVERT;
		if (found.kind == MST_BOOT_REVERT)
			found.why = tried ? MST_SLOT_WHY_NOT_CONFIRMED : MST_SLOT_WHY_NOT_VERIFIED;
	} else if (b->state == MST_SLOT_STAGED && not_lower(s, other)) {
		/* It was to wait, but it is what there is: tried as if armed. */
		if (!takes(s, other, verify, ctx, &found, MST_BOOT_TRIAL))
			return MST_E_SLOT_NO_IMAGE;
	} else if ((s->config.fallback == MST_FALLBACK_NOT_LOWER && !not_lower(s, other)) ||
	           !takes(s, other, verify, ctx, &found, MST_BOOT_FALLBACK)) {
		return MST_E_SLOT_NO_IMAGE;
	}
	*out = found;
	return MST_OK;
}

/* Before the image on trial runs: it has had this boot. */
static mst_err
count_trial(struct mst_slots *s)
{
	struct mst_slots_boot next = s->boot;

	if (s->health != MST_OK)
		return s->health;
	next.state = MST_SLOT_TRIAL;
	if (next.tries != 0)
		next.tries--;
	return change(s, &next);
}

mst_err
mst_slots_boot(struct mst_slots *s, mst_slots_verify verify, void *ctx, struct mst_boot *out)
{
	struct mst_boot found, confirmed;
	mst_err e;

	if ((e = mst_slots_select(s, verify, ctx, &found)) != MST_OK)
		return e;
	if (found.kind == MST_BOOT_TRIAL && count_trial(s) != MST_OK) {
		/* It could be tried for ever. Where nothing else boots, it still has to. */
		found.kind = MST_BOOT_FALLBACK;
		if (takes(s, s->boot.active, verify, ctx, &confirmed, MST_BOOT_CONFIRMED))
			found = confirmed;
	}
	/* A revert that cannot be noted is found again, and noted, at the next boot. */
	if (found.kind == MST_BOOT_REVERT && give_up(s, found.why) != MST_OK)
		found.kind = MST_BOOT_REVERT;
	*out = found;
	return MST_OK;
}

mst_err
mst_slots_booted(struct mst_slots *s, unsigned running)
{
	struct mst_slots_boot next = s->boot;

	if (s->health != MST_OK)
		return s->health;
	if (running >= MST_SLOTS || !next.slot[running].known)
		return MST_E_SLOT_MISMATCH;
	if (!under_way(s) || (next.state == MST_SLOT_TRIAL && running == next.trial))
		return MST_OK;
	if (running == next.trial) {
		/* also of STAGED: the bootloader was told, and then the power went */
		next.state = MST_SLOT_TRIAL;
		next.tries = 0;
		return change(s, &next);
	}
	/*
	 * PENDING may never have been tried, if the cut came before the bootloader
	 * was told. It counts as reverted: to install again costs less than to guess.
	 */
	return next.state == MST_SLOT_STAGED ? MST_OK : give_up(s, MST_SLOT_WHY_NOT_CONFIRMED);
}

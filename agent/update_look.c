/* SPDX-License-Identifier: Apache-2.0 */
/* From what a server offers to an image that the next boot tries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/update_room.h"
#include "host/log.h"

#define FIRST (128 * 1024) /* bytes: most envelopes are smaller */

/* A manifest, and as payload within it no more than a slot takes. Nobody has vouched for it yet. */
static size_t
envelope_max(const struct update *u)
{
	uint64_t a = u->slots.capacity[0], b = u->slots.capacity[1], slot = a > b ? a : b;

	slot += MST_SUIT_ENVELOPE_MAX + MST_SUIT_TAG_LEN;
	return slot < UPDATE_ENVELOPE ? (size_t)slot : UPDATE_ENVELOPE;
}

static mst_err
fetch_whole(const struct update_client *client, struct arena *a, const char *uri, size_t limit,
    mst_span *bytes)
{
	/* one byte of room behind the limit: whether it ends there shows when nothing comes */
	struct mst_buf all = arena_buf(a, limit < FIRST ? limit + 1 : FIRST), more;
	struct update_source *source = NULL;
	uint64_t offset = 0;
	size_t before;
	mst_err e = update_source_open(client, NULL, mst_span_str(uri), &offset, &source);

	if (all.cap == 0)
		e = MST_E_NOMEM;
	while (e == MST_OK) {
		before = all.len;
		if ((e = update_source_read(source, &all)) != MST_OK || all.len == before)
			break;
		if (all.len < all.cap)
			continue;
		if (all.len > limit) {
			e = MST_E_SUIT_ENVELOPE_SIZE;
			break;
		}
		more = arena_buf(a, limit / 4 < all.cap ? limit + 1 : all.cap * 4);
		if (more.cap == 0)
			e = MST_E_NOMEM;
		else if ((e = mst_buf_put(&more, mst_buf_span(&all))) == MST_OK)
			all = more;
	}
	update_source_close(source);
	*bytes = mst_buf_span(&all);
	return e == MST_OK ? e : update_fail(e, "%s", update_fetch_why());
}

/* Nothing of this is believed: it only saves the work of refusing or repeating. */
static bool
is_known(const struct update *u, mst_span bytes, enum update_again again)
{
	const struct mst_slots_boot *b = &u->slots.record.boot;
	struct mst_suit_envelope envelope;
	struct mst_suit_digest_claim claim;

	if (mst_suit_envelope_parse(bytes, &envelope) != MST_OK ||
	    mst_suit_digest_parse(envelope.digest, &claim) != MST_OK)
		return false;
	for (unsigned i = 0; i < MST_SLOTS; i++) {
		if (!b->slot[i].known ||
		    memcmp(b->slot[i].digest, claim.digest.ptr, MST_SLOT_DIGEST) != 0)
			continue;
		/* it runs, or it failed here before; an older one is refused by name */
		if (i == b->active ||
		    (i == b->trial && b->state == MST_SLOT_REVERTED && again == UPDATE_ONCE_ONLY))
			return true;
	}
	return false;
}

static mst_err
stage(struct update *u, const struct mst_slot_image *image, unsigned slot, mst_span bytes)
{
	struct mst_slots *r = &u->slots.record;
	unsigned opened = slot;
	bool resume;
	mst_err e = MST_OK;

	/* everything was there already: the slot was not opened yet */
	if (!u->device.begun)
		e = mst_slots_begin(r, 1 - slot, image, &opened, &resume);
	if (e == MST_OK && opened != slot)
		e = MST_E_SLOT_STATE;
	if (e == MST_OK && (e = update_envelope_write(&u->slots, slot, bytes)) != MST_OK)
		return update_fail(e, "%s", update_slots_why());
	if (e == MST_OK)
		e = mst_slots_stage(r, image, update_verify, u);
	if (e == MST_OK)
		e = mst_slots_arm(r, (unsigned)u->cfg->update.tries);
	if (e == MST_OK &&
	    update_staging_begin(&u->slots, 0) != MST_OK) /* its room is free again */
		log_line(LOG_WARNING_, "%s", update_slots_why());
	return e == MST_OK ? e : update_fail(e, "slot %c could not be staged", "ab"[slot]);
}

static mst_err
install(struct update *u, struct arena *a, mst_span bytes, const struct update_client *client,
    const char *uri)
{
	unsigned running = update_running(&u->slots);
	struct update_report *report = arena_alloc(a, sizeof *report);
	struct mst_suit_refusal refusal;
	struct mst_slot_image image;
	unsigned slot;
	mst_err e;

	if (report == NULL)
		return update_fail(MST_E_NOMEM, "out of memory");
	if (running == MST_SLOT_NONE)
		running = u->slots.record.boot.active;
	if (running >= MST_SLOTS)
		return update_fail(MST_E_SLOT_STATE, "nobody knows which slot is running");
	slot = 1 - running;
	update_report_begin(report, u);
	e = update_check(u, a, bytes, slot, client, uri, &image);
	if (e == MST_OK) {
		e = mst_suit_run(&u->suit, &u->manifest, MST_SUIT_UPDATE);
		if (e != MST_OK)
			update_fail(e, "section %d, offset %u, component %d: %s %s",
			    (int)u->suit.refusal.section, (unsigned)u->suit.refusal.offset,
			    u->suit.refusal.component == MST_SUIT_NO_INDEX
			        ? -1
			        : (int)u->suit.refusal.component,
			    mst_err_info(e)->sentence, update_fetch_why());
	}
	refusal = u->suit.refusal;
	u->report = NULL;
	if (e == MST_OK)
		e = stage(u, &image, slot, bytes);
	/* staging looked at the slot through another view: the report is of this envelope */
	if (mst_suit_envelope_parse(bytes, &u->envelope) == MST_OK)
		update_report_end(report, client, &refusal, e);
	u->suit.refusal = refusal;
	return e;
}

/*
 * A slot runs that is not the confirmed one, and that one is good: a trial was
 * given up, and the restart is still to come. The other slot is then the only
 * one to go back to, and installing there would make the sick image the
 * confirmed one. (Where it does not verify, this runs as its fallback.)
 */
static bool
is_given_up(struct update *u)
{
	unsigned running = update_running(&u->slots), active = u->slots.record.boot.active;
	struct mst_slot_image image;

	return running < MST_SLOTS && active < MST_SLOTS && running != active &&
	       update_verify(u, active, &image) == MST_OK;
}

static void
tell(const struct update *u, mst_err e, const char *uri)
{
	const struct decision d = { .role = "updater",
		.step = STEP_FIRMWARE,
		.err = e,
		.detail =
		    e == MST_OK ? arena_printf(u->life, "installed from %s", uri) : update_why() };

	log_decision(&d);
}

mst_err
update_look(struct update *u, const char *uri, enum update_again again, enum update_found *found)
{
	struct update_client client = { .anchors = u->site,
		.cert = u->record.cert,
		.key = u->record.key,
		.chain = u->between,
		.clock = u->clock,
		.coap_block = u->cfg->coap_block,
		.coap_fragment = u->cfg->coap_fragment };
	enum mst_slot_state state = u->slots.record.boot.state;
	struct arena *a;
	mst_span bytes;
	mst_err e;

	*found = UPDATE_NOTHING_NEW;
	if (uri == NULL)
		uri = u->cfg->update.manifest;
	u->uri = uri;
	if (u->no_device != MST_OK)
		return update_fail(u->no_device, "the identity of this device cannot be read");
	if (u->record.cert == NULL)
		return update_fail(MST_E_UPDATE_NO_DEVICE, "not enrolled");
	if (u->slots.record.health != MST_OK)
		return update_fail(u->slots.record.health, "the record of the slots");
	/* one at a time: what is staged is booted and judged first */
	if (state == MST_SLOT_PENDING || state == MST_SLOT_TRIAL)
		return MST_OK;
	if (is_given_up(u))
		return update_fail(
		    MST_E_SLOT_STATE, "the image that runs was given up: restart first");
	if ((a = arena_new(0)) == NULL)
		return update_fail(MST_E_NOMEM, "out of memory");
	e = fetch_whole(&client, a, uri, envelope_max(u), &bytes);
	if (e == MST_OK && is_known(u, bytes, again)) {
		arena_free(a);
		return MST_OK;
	}
	if (e == MST_OK)
		e = install(u, a, bytes, &client, uri);
	tell(u, e, uri);
	if (e == MST_OK)
		*found = UPDATE_INSTALLED;
	arena_free(a);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/update_device.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "agent/update_room.h"
#include "host/log.h"

#define IMAGE 0 /* handles */
#define STAGING 1
#define AUTHORIZE_SECONDS 3600 /* a person may be asked; for ever is too long */

mst_err
update_identity(mst_span identity, struct mst_slot_image *image)
{
	if (identity.len > MST_SLOT_ID_MAX) {
		image->id_len = MST_SLOT_ID_MAX;
		return EVP_Digest(
		           identity.ptr, identity.len, image->id, NULL, EVP_sha256(), NULL) == 1
		           ? MST_OK
		           : MST_E_NOMEM;
	}
	image->id_len = (uint8_t)identity.len;
	if (identity.len > 0)
		memcpy(image->id, identity.ptr, identity.len);
	return MST_OK;
}

/* ---- the component ---- */

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	const struct update_device *d = ctx;

	if (mst_span_eq(id, d->model->component))
		*handle = IMAGE;
	else if (mst_span_eq(id, d->model->staging))
		*handle = STAGING;
	else
		return MST_E_SUIT_COMPONENT_UNKNOWN;
	return MST_OK;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	const struct update_device *d = ctx;
	uint64_t capacity = d->slots->capacity[d->slot], size = update_staging_size(d->slots);

	if (c == STAGING)
		*out = (struct mst_suit_component_info){ .size = size,
			.capacity = capacity + MST_SUIT_TAG_LEN,
			.state = size == 0 ? MST_SUIT_HOLDS_NOTHING : MST_SUIT_HOLDS };
	else
		*out = (struct mst_suit_component_info){
			.size = capacity, .capacity = capacity, .state = MST_SUIT_HOLDS_UNSIZED
		};
	return MST_OK;
}

static mst_err
read_back(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	const struct update_device *d = ctx;

	return c == STAGING ? update_staging_read(d->slots, offset, out, len)
	                    : update_slot_read(d->slots, d->slot, offset, out, len);
}

/* From the first byte on the slot is no fallback any more. */
static mst_err
open_slot(struct update_device *d, uint64_t *offset)
{
	unsigned slot;
	bool resume;
	mst_err e;

	if (d->begun)
		return MST_OK;
	if ((e = mst_slots_begin(&d->slots->record, d->running, &d->image, &slot, &resume)) !=
	    MST_OK)
		return e;
	if (slot != d->slot)
		return MST_E_SLOT_STATE;
	if (!resume)
		*offset = 0; /* it held something else until now */
	d->begun = true;
	return MST_OK;
}

static mst_err
begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	struct update_device *d = ctx;
	struct mst_suit_component_info room;
	mst_err e = info(d, c, &room);

	if (e == MST_OK && size != UINT64_MAX && size > room.capacity)
		e = MST_E_SUIT_CAPACITY;
	if (e == MST_OK && c == STAGING) {
		if (*offset > room.size)
			*offset = 0;
		e = update_staging_begin(d->slots, *offset);
	} else if (e == MST_OK) {
		e = open_slot(d, offset);
	}
	d->at = *offset;
	return e;
}

static mst_err
write_block(void *ctx, mst_suit_handle c, mst_span block)
{
	struct update_device *d = ctx;
	mst_err e = c == STAGING ? update_staging_write(d->slots, d->at, block)
	                         : update_slot_write(d->slots, d->slot, d->at, block);

	d->at += block.len;
	return e;
}

static mst_err
sync_place(void *ctx, mst_suit_handle c)
{
	struct update_device *d = ctx;

	return c == STAGING ? update_staging_sync(d->slots) : update_slot_sync(d->slots, d->slot);
}

static mst_err
end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	(void)metadata; /* a slot is no file: it has no owner and no times */
	return sync_place(ctx, c);
}

/* The slot was no image since begin, and is none before stage. */
static void
drop(void *ctx, mst_suit_handle c)
{
	struct update_device *d = ctx;

	/* what cannot be cut off is no image either: only a digest makes it one */
	if (c == STAGING && update_staging_begin(d->slots, 0) != MST_OK)
		log_line(LOG_WARNING_, "%s", update_slots_why());
}

/* ---- fetching ---- */

static mst_err
fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	struct update_device *d = ctx;

	update_source_close(d->source);
	d->source = NULL;
	return update_source_open(d->client, d->base, fetch->uri, offset, &d->source);
}

static mst_err
fetch_read(void *ctx, struct mst_buf *block)
{
	struct update_device *d = ctx;

	return update_source_read(d->source, block);
}

static void
fetch_close(void *ctx)
{
	struct update_device *d = ctx;

	update_source_close(d->source);
	d->source = NULL;
}

/* ---- what the device is ---- */

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	const struct update_device *d = ctx;

	(void)c;
	if (n > 0)
		return MST_NONE;
	switch (kind) {
	case MST_SUIT_ID_VENDOR: return mst_span_of(d->model->vendor, UPDATE_UUID);
	case MST_SUIT_ID_CLASS: return mst_span_of(d->model->class_id, UPDATE_UUID);
	case MST_SUIT_ID_DEVICE:
		return d->model->has_device ? mst_span_of(d->model->device, UPDATE_UUID) : MST_NONE;
	}
	return MST_NONE;
}

static mst_err
slot_number(void *ctx, mst_suit_handle c, uint64_t *slot)
{
	const struct update_device *d = ctx;

	(void)c;
	*slot = d->slot;
	return MST_OK;
}

static mst_err
now(void *ctx, uint64_t *seconds)
{
	const struct update_device *d = ctx;

	if (d->clock.trust != MST_CLOCK_TRUSTED || d->clock.now < 0)
		return MST_E_SUIT_NO_TIME;
	*seconds = (uint64_t)d->clock.now;
	return MST_OK;
}

static mst_err
authorized(void *ctx, mst_suit_handle c, int64_t priority)
{
	const struct update_device *d = ctx;
	char number[24];

	(void)c;
	snprintf(number, sizeof number, "%lld", (long long)priority);
	return update_run(d->model->authorize, number, AUTHORIZE_SECONDS) == 0
	           ? MST_OK
	           : MST_E_SUIT_NOT_AUTHORIZED;
}

/* ---- what survives ---- */

static mst_err
record_read(void *ctx, mst_span id, struct mst_suit_record *out)
{
	const struct update_device *d = ctx;
	struct mst_slot_image of;
	uint8_t digest[MST_SLOT_DIGEST], none[MST_SLOT_DIGEST] = { 0 };
	uint64_t number = 0;
	mst_err e;

	*out = (struct mst_suit_record){ .known = false };
	if (d->client == NULL)
		return MST_OK; /* judging */
	/*
	 * Roots alone have numbers, and what they install into is one pair of
	 * slots: by its own manifest-component-id an older image would find a
	 * counter that never moved (suit-manifest 8.4.2).
	 */
	(void)id;
	if ((e = update_identity(d->model->component, &of)) != MST_OK ||
	    (e = mst_slots_number_get(
	         &d->slots->record, mst_span_of(of.id, of.id_len), &number, digest)) != MST_OK)
		return e;
	out->number = number;
	out->known = number != 0 || memcmp(digest, none, sizeof digest) != 0;
	memcpy(out->digest, digest, sizeof digest);
	return MST_OK;
}

/* Called by mst_suit_confirm() alone: the slot's own confirmation is the same write. */
static mst_err
record_write(void *ctx, mst_span id, const struct mst_suit_record *record)
{
	struct update_device *d = ctx;

	(void)id;
	(void)record;
	return mst_slots_confirm(&d->slots->record, d->slot);
}

static mst_err
journal_read(void *ctx, struct mst_suit_journal *out)
{
	const struct update_device *d = ctx;
	struct mst_journal j;

	if (mst_slots_journal_read(&d->slots->record, &j) != MST_OK)
		return MST_E_SUIT_JOURNAL;
	*out = (struct mst_suit_journal){ .section = j.section,
		.command = j.command,
		.component = j.component,
		.state = j.state,
		.offset = j.offset };
	memcpy(out->digest, j.digest, sizeof out->digest);
	return MST_OK;
}

static mst_err
journal_write(void *ctx, const struct mst_suit_journal *in)
{
	struct update_device *d = ctx;
	struct mst_journal j = { .section = in->section,
		.command = in->command,
		.component = in->component,
		.state = in->state,
		.offset = in->offset };

	memcpy(j.digest, in->digest, sizeof j.digest);
	return mst_slots_journal_write(&d->slots->record, &j);
}

static mst_err
journal_erase(void *ctx)
{
	struct update_device *d = ctx;

	return mst_slots_journal_clear(&d->slots->record);
}

static void
trace(void *ctx, const struct mst_suit_event *event)
{
	const struct update_device *d = ctx;

	d->trace(d->trace_arg, event);
}

void
update_device_init(struct update_device *d)
{
	d->platform = (struct mst_suit_platform){ .ctx = d,
		.component = component,
		.info = info,
		.read = read_back,
		.identity = identity,
		.slot = slot_number,
		.now = now,
		.record_read = record_read,
		.record_write = record_write,
		.trace = d->trace == NULL ? NULL : trace };
	d->begun = false;
	if (d->client == NULL)
		return;
	d->platform.begin = begin;
	d->platform.write = write_block;
	d->platform.end = end;
	d->platform.drop = drop;
	d->platform.sync = sync_place;
	d->platform.fetch_open = fetch_open;
	d->platform.fetch_read = fetch_read;
	d->platform.fetch_close = fetch_close;
	d->platform.authorized = d->model->authorize == NULL ? NULL : authorized;
	d->platform.journal_read = journal_read;
	d->platform.journal_write = journal_write;
	d->platform.journal_erase = journal_erase;
}

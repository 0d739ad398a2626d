/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "unit/suit/support_device.h"

static uint8_t pool[DEVICE_COMPONENTS][DEVICE_BYTES];

/* A call that changes something begins. */
static mst_err
change(struct device *d)
{
	d->changes++;
	if (d->cut_at != 0 && d->changes == d->cut_at)
		longjmp(d->power, 1);
	return d->fail_at != 0 && d->changes == d->fail_at ? MST_E_SUIT_PLATFORM : MST_OK;
}

static mst_err
dev_component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	struct device *d = ctx;

	for (unsigned i = 0; i < d->components; i++)
		if (mst_span_eq(mst_span_of(d->component[i].id, d->component[i].id_len), id)) {
			*handle = (mst_suit_handle)(i + 100);
			return MST_OK;
		}
	if (d->learns && d->components < DEVICE_COMPONENTS) {
		*handle = (mst_suit_handle)(100 + device_component(d, id, DEVICE_BYTES));
		return MST_OK;
	}
	return MST_E_SUIT_COMPONENT_UNKNOWN;
}

static struct device_component *
at(struct device *d, mst_suit_handle c)
{
	return c >= 100 && c < 100 + d->components ? &d->component[c - 100] : NULL;
}

static mst_err
dev_info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	const struct device_component *k = at(ctx, c);

	if (k == NULL)
		return MST_E_SUIT_PLATFORM;
	out->size = k->size;
	out->capacity = k->capacity;
	out->state = k->holds == 0   ? MST_SUIT_HOLDS_NOTHING
	             : k->holds == 1 ? MST_SUIT_HOLDS
	                             : MST_SUIT_HOLDS_UNSIZED;
	return MST_OK;
}

static mst_err
dev_read(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	const struct device_component *k = at(ctx, c);

	if (k == NULL || offset > k->capacity || len > k->capacity - offset)
		return MST_E_SUIT_PLATFORM;
	memcpy(out, k->bytes + offset, len);
	return MST_OK;
}

static mst_err
dev_begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	struct device_component *k = at(ctx, c);
	mst_err e = change(ctx);

	if (e != MST_OK)
		return e;
	if (size != UINT64_MAX && size > k->capacity)
		return MST_E_SUIT_CAPACITY;
	if (*offset > k->size)
		*offset = k->size;
	k->size = (size_t)*offset;
	k->holds = 0;
	k->valid = false;
	k->open = true;
	return MST_OK;
}

static mst_err
dev_write(void *ctx, mst_suit_handle c, mst_span block)
{
	struct device_component *k = at(ctx, c);
	mst_err e = change(ctx);

	if (e != MST_OK)
		return e;
	if (!k->open || block.len > k->capacity - k->size)
		return MST_E_SUIT_CAPACITY;
	memcpy(k->bytes + k->size, block.ptr, block.len);
	k->size += block.len;
	return MST_OK;
}

static mst_err
dev_end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	struct device_component *k = at(ctx, c);
	mst_err e = change(ctx);

	(void)metadata;
	if (e != MST_OK)
		return e;
	k->open = false;
	k->holds = 1;
	return MST_OK;
}

static void
dev_drop(void *ctx, mst_suit_handle c)
{
	struct device_component *k = at(ctx, c);

	k->open = false;
	k->holds = 0;
	k->size = 0;
}

static mst_err
dev_swap(void *ctx, mst_suit_handle a, mst_suit_handle b)
{
	struct device_component *x = at(ctx, a), *y = at(ctx, b);
	uint8_t *bytes;
	size_t size = x->size;
	int holds = x->holds;
	mst_err e = change(ctx);

	if (e != MST_OK)
		return e;
	bytes = x->bytes;
	x->bytes = y->bytes;
	y->bytes = bytes;
	x->size = y->size;
	y->size = size;
	x->holds = y->holds;
	y->holds = holds;
	return MST_OK;
}

static mst_err
dev_finalise(void *ctx, mst_suit_handle c)
{
	mst_err e = change(ctx);

	if (e == MST_OK)
		at(ctx, c)->valid = true;
	return e;
}

static mst_err
dev_fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	struct device *d = ctx;

	for (unsigned i = 0; i < d->payloads; i++)
		if (mst_span_eq(mst_span_str(d->payload[i].uri), fetch->uri)) {
			if (d->no_ranges || *offset > d->payload[i].bytes.len)
				*offset = 0;
			d->stream.bytes = d->payload[i].bytes;
			d->stream.at = (size_t)*offset;
			return MST_OK;
		}
	return MST_E_SUIT_FETCH;
}

static mst_err
dev_fetch_read(void *ctx, struct mst_buf *block)
{
	struct device *d = ctx;
	size_t n = d->stream.bytes.len - d->stream.at;

	if (n > block->cap - block->len)
		n = block->cap - block->len;
	if (d->fetch_stops != 0 && d->stream.at + n > d->fetch_stops) {
		n = d->fetch_stops - d->stream.at;
		if (n == 0) {
			d->fetch_stops = 0;
			return MST_E_SUIT_INTERRUPTED;
		}
	}
	d->fetched += (unsigned)n;
	d->stream.at += n;
	return mst_buf_put(block, mst_span_of(d->stream.bytes.ptr + d->stream.at - n, n));
}

static void
dev_fetch_close(void *ctx)
{
	(void)ctx;
}

static mst_span
dev_identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	const struct device *d = ctx;

	(void)c;
	if (kind == MST_SUIT_ID_DEVICE)
		return n < 1 ? d->id[n] : MST_NONE;
	if (n >= 2)
		return MST_NONE;
	return kind == MST_SUIT_ID_VENDOR ? d->vendor[n] : d->class[n];
}

static mst_err
dev_slot(void *ctx, mst_suit_handle c, uint64_t *slot)
{
	*slot = at(ctx, c)->slot;
	return MST_OK;
}

static mst_err
dev_version(void *ctx, mst_suit_handle c, int64_t *ints, size_t *count)
{
	const struct device *d = ctx;

	(void)c;
	memcpy(ints, d->version, d->version_count * sizeof *ints);
	*count = d->version_count;
	return MST_OK;
}

static mst_err
dev_now(void *ctx, uint64_t *seconds)
{
	const struct device *d = ctx;

	*seconds = d->now;
	return d->has_time ? MST_OK : MST_E_SUIT_NO_TIME;
}

static mst_err
dev_battery(void *ctx, uint64_t *mwh)
{
	*mwh = ((const struct device *)ctx)->battery;
	return MST_OK;
}

static mst_err
dev_authorized(void *ctx, mst_suit_handle c, int64_t priority)
{
	(void)c;
	(void)priority;
	return ((const struct device *)ctx)->authorized;
}

static mst_err
dev_wait(void *ctx, mst_suit_handle c, const struct mst_suit_wait *events)
{
	(void)c;
	(void)events;
	return ((const struct device *)ctx)->waits;
}

static mst_err
dev_invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	struct device *d = ctx;

	(void)c;
	d->invoked++;
	d->invoke_args = arguments;
	return MST_OK;
}

static mst_err
dev_record_read(void *ctx, mst_span identity, struct mst_suit_record *out)
{
	(void)identity;
	*out = ((const struct device *)ctx)->record;
	return MST_OK;
}

static mst_err
dev_record_write(void *ctx, mst_span identity, const struct mst_suit_record *record)
{
	mst_err e = change(ctx);

	(void)identity;
	if (e == MST_OK)
		((struct device *)ctx)->record = *record;
	return e;
}

static mst_err
dev_journal_read(void *ctx, struct mst_suit_journal *out)
{
	const struct device *d = ctx;

	if (!d->has_journal)
		return MST_E_SUIT_JOURNAL;
	*out = d->journal;
	return MST_OK;
}

static mst_err
dev_journal_write(void *ctx, const struct mst_suit_journal *journal)
{
	struct device *d = ctx;
	mst_err e = change(d);

	if (e != MST_OK)
		return e;
	d->journal = *journal;
	d->has_journal = true;
	return MST_OK;
}

static mst_err
dev_journal_erase(void *ctx)
{
	struct device *d = ctx;

	if (d->has_journal && change(d) != MST_OK)
		return MST_E_SUIT_PLATFORM;
	d->has_journal = false;
	return MST_OK;
}

static mst_err
dev_references(void *ctx, mst_suit_handle c, mst_span by, unsigned *count)
{
	const struct device_component *k = at(ctx, c);

	*count = 0;
	for (unsigned i = 0; i < k->references; i++)
		*count += memcmp(k->by[i], by.ptr, 32) != 0;
	return MST_OK;
}

static mst_err
dev_link(void *ctx, mst_suit_handle c, mst_span by)
{
	struct device_component *k = at(ctx, c);

	for (unsigned i = 0; i < k->references; i++)
		if (memcmp(k->by[i], by.ptr, 32) == 0)
			return MST_OK;
	if (k->references == 4)
		return MST_E_SUIT_PLATFORM;
	memcpy(k->by[k->references++], by.ptr, 32);
	return MST_OK;
}

static mst_err
dev_unlink(void *ctx, mst_suit_handle c, mst_span by, unsigned *left)
{
	struct device_component *k = at(ctx, c);
	mst_err e = change(ctx);

	for (unsigned i = 0; e == MST_OK && i < k->references; i++)
		if (memcmp(k->by[i], by.ptr, 32) == 0) {
			memcpy(k->by[i], k->by[--k->references], 32);
			break;
		}
	*left = k->references;
	return e;
}

static mst_err
dev_erase(void *ctx, mst_suit_handle c)
{
	struct device_component *k = at(ctx, c);
	mst_err e = change(ctx);

	if (e == MST_OK) {
		k->holds = 0;
		k->size = 0;
		k->valid = false;
	}
	return e;
}

static void
dev_trace(void *ctx, const struct mst_suit_event *event)
{
	struct device *d = ctx;

	if (d->events < DEVICE_EVENTS)
		d->event[d->events++] = *event;
	if (d->collector != NULL)
		mst_suit_collect(d->collector, event);
}

void
device_init(struct device *d)
{
	static const struct mst_suit_platform platform = { .component = dev_component,
		.info = dev_info,
		.read = dev_read,
		.begin = dev_begin,
		.write = dev_write,
		.end = dev_end,
		.drop = dev_drop,
		.swap = dev_swap,
		.finalise = dev_finalise,
		.fetch_open = dev_fetch_open,
		.fetch_read = dev_fetch_read,
		.fetch_close = dev_fetch_close,
		.identity = dev_identity,
		.slot = dev_slot,
		.version = dev_version,
		.now = dev_now,
		.battery = dev_battery,
		.authorized = dev_authorized,
		.wait = dev_wait,
		.invoke = dev_invoke,
		.record_read = dev_record_read,
		.record_write = dev_record_write,
		.journal_read = dev_journal_read,
		.journal_write = dev_journal_write,
		.journal_erase = dev_journal_erase,
		.references = dev_references,
		.link = dev_link,
		.unlink = dev_unlink,
		.erase = dev_erase,
		.trace = dev_trace };

	memset(d, 0, sizeof *d);
	d->platform = platform;
	d->platform.ctx = d;
	d->waits = d->authorized = MST_OK;
}

unsigned
device_component(struct device *d, mst_span id, size_t capacity)
{
	struct device_component *k = &d->component[d->components];

	if (d->components == DEVICE_COMPONENTS || id.len > sizeof k->id)
		abort();
	memcpy(k->id, id.ptr, id.len);
	k->id_len = id.len;
	k->bytes = pool[d->components];
	k->capacity = capacity;
	return d->components++;
}

void
device_fill(struct device *d, unsigned c, mst_span bytes)
{
	memcpy(d->component[c].bytes, bytes.ptr, bytes.len);
	d->component[c].size = bytes.len;
	d->component[c].holds = 1;
}

void
device_payload(struct device *d, const char *uri, mst_span bytes)
{
	d->payload[d->payloads++] = (struct device_payload){ uri, bytes };
}

const struct mst_suit_event *
device_event(const struct device *d, int64_t command, unsigned n)
{
	for (unsigned i = 0; i < d->events; i++)
		if (d->event[i].command == command && n-- == 0)
			return &d->event[i];
	return NULL;
}

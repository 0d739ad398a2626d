/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_device_impl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/suit/suit_lint_impl.h"
#include "host/suit_cbor.h"
#include "host/suit_text.h"
#include "muster/cbor.h"

#define PLENTY (UINT64_C(1) << 20) /* mWh */
#define NESTING 8

mst_span
suit_device_id(const struct suit_device *d, mst_suit_handle handle)
{
	return handle < d->count ? d->component[handle].id : MST_NONE;
}

/* --- the platform --- */

static mst_err
on_component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	struct suit_device *d = ctx;
	mst_suit_handle i = 0;

	while (i < d->count && !mst_span_eq(d->component[i].id, id))
		i++;
	if (i == d->count && (!d->learns || i == SUIT_DEVICE_COMPONENTS))
		return MST_E_SUIT_COMPONENT_UNKNOWN;
	if (i == d->count) {
		d->component[i] = (struct suit_device_component){ .id = arena_dup(d->a, id),
			.capacity = SUIT_ENVELOPE_MAX };
		if (d->component[i].id.ptr == NULL)
			return MST_E_NOMEM;
		d->count++;
	}
	*handle = i;
	return MST_OK;
}

static mst_err
on_info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	const struct suit_device_component *k = &((struct suit_device *)ctx)->component[c];

	*out = (struct mst_suit_component_info){ .size = k->size,
		.capacity = k->capacity,
		.state = k->holds ? MST_SUIT_HOLDS : MST_SUIT_HOLDS_NOTHING };
	return MST_OK;
}

static mst_err
on_read(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	const struct suit_device_component *k = &((struct suit_device *)ctx)->component[c];

	if (offset > k->size || len > k->size - offset)
		return MST_E_SUIT_PLATFORM;
	if (len > 0)
		memcpy(out, k->bytes + offset, len);
	return MST_OK;
}

static mst_err
on_begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	struct suit_device_component *k = &((struct suit_device *)ctx)->component[c];

	if (size != UINT64_MAX && size > k->capacity)
		return MST_E_SUIT_CAPACITY;
	*offset = 0;
	k->size = 0;
	k->holds = k->valid = false;
	return MST_OK;
}

static mst_err
on_write(void *ctx, mst_suit_handle c, mst_span block)
{
	struct suit_device_component *k = &((struct suit_device *)ctx)->component[c];
	uint8_t *bigger;

	if (block.len > k->capacity - k->size)
		return MST_E_SUIT_CAPACITY;
	if (block.len > k->room - k->size) {
		bigger = realloc(k->bytes, (k->size + block.len) * 2);
		if (bigger == NULL)
			return MST_E_NOMEM;
		k->bytes = bigger;
		k->room = (k->size + block.len) * 2;
	}
	if (block.len > 0)
		memcpy(k->bytes + k->size, block.ptr, block.len);
	k->size += block.len;
	return MST_OK;
}

static mst_err
on_end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	(void)metadata;
	((struct suit_device *)ctx)->component[c].holds = true;
	return MST_OK;
}

static void
on_drop(void *ctx, mst_suit_handle c)
{
	struct suit_device_component *k = &((struct suit_device *)ctx)->component[c];

	k->holds = k->valid = false;
	k->size = 0;
}

static mst_err
on_swap(void *ctx, mst_suit_handle a, mst_suit_handle b)
{
	struct suit_device *d = ctx;
	struct suit_device_component x = d->component[a], *p = &d->component[a],
	                             *q = &d->component[b];

	p->bytes = q->bytes;
	p->size = q->size;
	p->room = q->room;
	p->holds = q->holds;
	q->bytes = x.bytes;
	q->size = x.size;
	q->room = x.room;
	q->holds = x.holds;
	return MST_OK;
}

static mst_err
on_finalise(void *ctx, mst_suit_handle c)
{
	((struct suit_device *)ctx)->component[c].valid = true;
	return MST_OK;
}

static mst_err
on_fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	struct suit_device *d = ctx;

	for (unsigned i = 0; i < d->payloads; i++)
		if (mst_span_eq(d->payload[i].uri, fetch->uri)) {
			*offset = 0;
			d->stream = d->payload[i].bytes;
			return MST_OK;
		}
	d->missing = arena_dup(d->a, fetch->uri);
	return MST_E_SUIT_FETCH;
}

static mst_err
on_fetch_read(void *ctx, struct mst_buf *block)
{
	struct suit_device *d = ctx;
	size_t n = block->cap - block->len;
	mst_err e;

	if (n > d->stream.len)
		n = d->stream.len;
	e = n > 0 ? mst_buf_put(block, mst_span_of(d->stream.ptr, n)) : MST_OK;
	d->stream = mst_span_of(d->stream.ptr + n, d->stream.len - n);
	return e;
}

static void
on_fetch_close(void *ctx)
{
	((struct suit_device *)ctx)->stream = MST_NONE;
}

static mst_span
on_identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	(void)c;
	return n < SUIT_DEVICE_IDS ? ((struct suit_device *)ctx)->id[kind][n] : MST_NONE;
}

static mst_err
on_slot(void *ctx, mst_suit_handle c, uint64_t *slot)
{
	*slot = ((struct suit_device *)ctx)->component[c].slot;
	return MST_OK;
}

static mst_err
on_version(void *ctx, mst_suit_handle c, int64_t *ints, size_t *count)
{
	const struct suit_device_component *k = &((struct suit_device *)ctx)->component[c];

	if (k->version_count == 0)
		return MST_E_SUIT_UNDETERMINED;
	memcpy(ints, k->version, sizeof k->version);
	*count = k->version_count;
	return MST_OK;
}

static mst_err
on_now(void *ctx, uint64_t *seconds)
{
	const struct suit_device *d = ctx;

	*seconds = d->time;
	return d->has_time ? MST_OK : MST_E_SUIT_NO_TIME;
}

static mst_err
on_battery(void *ctx, uint64_t *mwh)
{
	*mwh = ((struct suit_device *)ctx)->battery;
	return MST_OK;
}

static mst_err
on_authorized(void *ctx, mst_suit_handle c, int64_t priority)
{
	(void)c, (void)priority;
	return ((struct suit_device *)ctx)->authorized ? MST_OK : MST_E_SUIT_NOT_AUTHORIZED;
}

static mst_err
on_wait(void *ctx, mst_suit_handle c, const struct mst_suit_wait *events)
{
	(void)c, (void)events;
	return ((struct suit_device *)ctx)->events ? MST_OK : MST_E_SUIT_WAIT;
}

static mst_err
on_invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	struct suit_device *d = ctx;

	(void)c;
	d->was_invoked = true;
	d->invoked = arguments;
	return MST_OK;
}

static mst_err
on_record_read(void *ctx, mst_span identity, struct mst_suit_record *out)
{
	(void)identity;
	*out = ((struct suit_device *)ctx)->record;
	return MST_OK;
}

static mst_err
on_record_write(void *ctx, mst_span identity, const struct mst_suit_record *record)
{
	(void)identity;
	((struct suit_device *)ctx)->record = *record;
	return MST_OK;
}

/* It has one root manifest at a time: nobody else refers to anything. */
static mst_err
on_references(void *ctx, mst_suit_handle c, mst_span by, unsigned *count)
{
	(void)ctx, (void)c, (void)by;
	*count = 0;
	return MST_OK;
}

static mst_err
on_link(void *ctx, mst_suit_handle c, mst_span by)
{
	(void)ctx, (void)c, (void)by;
	return MST_OK;
}

static mst_err
on_unlink(void *ctx, mst_suit_handle c, mst_span by, unsigned *left)
{
	(void)ctx, (void)c, (void)by;
	*left = 0;
	return MST_OK;
}

static mst_err
on_erase(void *ctx, mst_suit_handle c)
{
	on_drop(ctx, c);
	return MST_OK;
}

static mst_err
on_keep(void *ctx, mst_suit_handle c, mst_span envelope)
{
	uint64_t offset = 0;
	mst_err e = on_begin(ctx, c, envelope.len, &offset);

	if (e == MST_OK && (e = on_write(ctx, c, envelope)) == MST_OK)
		e = on_end(ctx, c, MST_NONE);
	return e;
}

void
suit_device_init(struct arena *a, struct suit_device *d)
{
	*d = (struct suit_device){ .a = a,
		.has_time = true,
		.time = (uint64_t)time(NULL),
		.battery = PLENTY,
		.authorized = true,
		.events = true,
		.signers = 1 };
	d->platform = (struct mst_suit_platform){ .ctx = d,
		.component = on_component,
		.info = on_info,
		.read = on_read,
		.begin = on_begin,
		.write = on_write,
		.end = on_end,
		.drop = on_drop,
		.swap = on_swap,
		.finalise = on_finalise,
		.fetch_open = on_fetch_open,
		.fetch_read = on_fetch_read,
		.fetch_close = on_fetch_close,
		.identity = on_identity,
		.slot = on_slot,
		.version = on_version,
		.now = on_now,
		.battery = on_battery,
		.authorized = on_authorized,
		.wait = on_wait,
		.invoke = on_invoke,
		.record_read = on_record_read,
		.record_write = on_record_write,
		.references = on_references,
		.link = on_link,
		.unlink = on_unlink,
		.erase = on_erase,
		.keep = on_keep };
}

void
suit_device_free(struct suit_device *d)
{
	for (unsigned i = 0; i < d->count; i++)
		free(d->component[i].bytes);
	d->count = 0;
}

/* --- the device that a manifest was written for --- */

static void
add_id(struct suit_device *d, enum mst_suit_identity kind, mst_span item)
{
	struct mst_cbor_reader r;
	mst_span id;

	mst_cbor_init(&r, item);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		(void)mst_cbor_tag(&r);
	id = mst_cbor_bytes(&r);
	for (size_t i = 0; r.err == MST_OK && i < SUIT_DEVICE_IDS; i++) {
		if (d->id[kind][i].ptr == NULL)
			d->id[kind][i] = id;
		if (mst_span_eq(d->id[kind][i], id))
			return;
	}
}

static void
learn_parameters(struct suit_device *d, mst_span map)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		mst_span value = mst_cbor_raw(&r);

		if (key == MST_SUIT_PARAM_VENDOR)
			add_id(d, MST_SUIT_ID_VENDOR, value);
		else if (key == MST_SUIT_PARAM_CLASS)
			add_id(d, MST_SUIT_ID_CLASS, value);
		else if (key == MST_SUIT_PARAM_DEVICE)
			add_id(d, MST_SUIT_ID_DEVICE, value);
	}
}

static void
learn_sequence(struct suit_device *d, mst_span sequence, unsigned depth)
{
	struct suit_commands w;
	struct suit_one one;
	mst_span inner;

	if (depth > NESTING || !suit_commands_begin(&w, sequence))
		return;
	while (suit_commands_next(&w, &one)) {
		struct mst_cbor_reader r;
		int64_t index;

		if (one.code == MST_SUIT_CMD_OVERRIDE || one.code == MST_SUIT_CMD_SET_PARAMETERS)
			learn_parameters(d, one.item);
		mst_cbor_init(&r, one.item);
		mst_cbor_map(&r);
		while (one.code == MST_SUIT_CMD_OVERRIDE_MULTIPLE && mst_cbor_key(&r, &index))
			learn_parameters(d, mst_cbor_raw(&r));
		for (size_t i = 0; i < 64 && (inner = suit_commands_inner(&one, i)).ptr != NULL;
		     i++)
			learn_sequence(d, inner, depth + 1);
	}
}

/* Dependencies in the envelope are of the same device. */
static void
learn(struct suit_device *d, const struct suit_envelope *env, unsigned depth)
{
	struct suit_envelope *inside = arena_alloc(d->a, sizeof *inside);
	struct lint_common common;

	lint_common(env, &common);
	learn_sequence(d, common.shared, 0);
	for (int64_t key = MST_SUIT_VALIDATE; key <= MST_SUIT_UNINSTALL; key++)
		if (suit_is_section(key))
			learn_sequence(d, lint_section(env, key), 0);
	for (size_t i = 0; inside != NULL && depth < 3 && i < env->member_count; i++)
		if (env->member[i].name.ptr != NULL &&
		    suit_envelope_read(env->member[i].content, inside) == MST_OK)
			learn(d, inside, depth + 1);
}

void
suit_device_learn(struct suit_device *d, mst_span envelope)
{
	struct suit_envelope *env = arena_alloc(d->a, sizeof *env);

	if (env != NULL && suit_envelope_read(envelope, env) == MST_OK)
		learn(d, env, 0);
}

mst_err
suit_device_for(struct arena *a, const struct suit_envelope *env, struct suit_device *out)
{
	suit_device_init(a, out);
	out->learns = true;
	out->rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	learn(out, env, 0);
	return MST_OK;
}

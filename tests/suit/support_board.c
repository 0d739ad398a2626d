/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/openssl/suit_openssl.h"
#include "muster/cbor.h"
#include "suit/support_board.h"
#include "suit/support_forge.h"
#include "suit/support_keys.h"

static const char *const names[BOARD_COMPONENTS] = { "[b'a']", "[b'b']", "[b'c']", "[b'd']",
	"[b'm']", "[b'long']", "[b'p' b'1']", "[b'p' b'2']", "[b'n' b'0']", "[b'n' b'1']",
	"[b'n' b'2']", "[b'n' b'3']", "[b'n' b'4']", "[b'n' b'5']", "[b'n' b'6']", "[b'n' b'7']",
	"[b'n' b'8']" };

/* ---- Storage -------------------------------------------------------------------------- */

static struct board_component *
at(void *ctx, mst_suit_handle c)
{
	struct board *b = ctx;

	if (c >= BOARD_COMPONENTS) {
		fprintf(stderr, "a handle that the board never gave\n");
		abort();
	}
	return &b->now.component[c];
}

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	struct board *b = ctx;
	mst_err e;

	for (size_t i = 0; i < BOARD_COMPONENTS; i++)
		if (mst_span_eq(
		        id, mst_span_of(b->now.component[i].id, b->now.component[i].id_len))) {
			*handle = (mst_suit_handle)i;
			return MST_OK;
		}
	e = mst_suit_id_check_path(id); /* sheet 20: as if these were files */
	return e != MST_OK ? e : MST_E_SUIT_COMPONENT_UNKNOWN;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	*out = at(ctx, c)->info;
	return MST_OK;
}

static void
meanwhile(struct board *b)
{
	if (b->meanwhile != NULL)
		b->meanwhile(b);
}

static mst_err
read_bytes(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	const struct board_component *k = at(ctx, c);

	if (offset > sizeof k->bytes || len > sizeof k->bytes - offset)
		return MST_E_SUIT_PLATFORM;
	meanwhile(ctx);
	memcpy(out, k->bytes + offset, len);
	return MST_OK;
}

static mst_err
begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	if (size != UINT64_MAX && size > k->info.capacity)
		return MST_E_SUIT_CAPACITY;
	if (*offset > k->info.capacity || (size != UINT64_MAX && *offset > size)) {
		fprintf(stderr, "asked to go on behind the end of a component\n");
		abort();
	}
	if (*offset > k->info.size || k->info.state != MST_SUIT_HOLDS_NOTHING)
		*offset = 0;
	k->info.state = MST_SUIT_HOLDS_NOTHING;
	k->info.size = *offset;
	k->valid = false;
	return MST_OK;
}

static mst_err
write_bytes(void *ctx, mst_suit_handle c, mst_span block)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	if (block.len > k->info.capacity - k->info.size)
		return MST_E_SUIT_CAPACITY;
	memcpy(k->bytes + k->info.size, block.ptr, block.len);
	k->info.size += block.len;
	return MST_OK;
}

static mst_err
end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	struct board *b = ctx;

	(void)metadata;
	b->touches++;
	at(ctx, c)->info.state = MST_SUIT_HOLDS;
	return MST_OK;
}

static void
drop(void *ctx, mst_suit_handle c)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	k->info.state = MST_SUIT_HOLDS_NOTHING;
	k->info.size = 0;
}

static mst_err
swap(void *ctx, mst_suit_handle a, mst_suit_handle b)
{
	struct board_component *x = at(ctx, a), *y = at(ctx, b), keep = *x;

	((struct board *)ctx)->touches++;
	memcpy(x->bytes, y->bytes, sizeof x->bytes);
	memcpy(y->bytes, keep.bytes, sizeof y->bytes);
	x->info = y->info;
	y->info = keep.info;
	x->valid = y->valid = false;
	return MST_OK;
}

static mst_err
finalise(void *ctx, mst_suit_handle c)
{
	struct board *b = ctx;

	b->touches++;
	b->finalised++;
	at(ctx, c)->valid = true;
	return MST_OK;
}

static mst_err
references(void *ctx, mst_suit_handle c, mst_span by, unsigned *count)
{
	struct board_component *k = at(ctx, c);

	*count = 0;
	for (unsigned i = 0; i < k->references; i++)
		*count += memcmp(k->by[i], by.ptr, 32) != 0;
	return MST_OK;
}

static mst_err
link_to(void *ctx, mst_suit_handle c, mst_span by)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	for (unsigned i = 0; i < k->references; i++)
		if (memcmp(k->by[i], by.ptr, 32) == 0)
			return MST_OK;
	if (k->references == BOARD_REFERENCES)
		return MST_E_SUIT_PLATFORM;
	memcpy(k->by[k->references++], by.ptr, 32);
	return MST_OK;
}

static mst_err
unlink_from(void *ctx, mst_suit_handle c, mst_span by, unsigned *left)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	for (unsigned i = 0; i < k->references; i++)
		if (memcmp(k->by[i], by.ptr, 32) == 0)
			memcpy(k->by[i], k->by[--k->references], 32);
	*left = k->references;
	return MST_OK;
}

static mst_err
erase(void *ctx, mst_suit_handle c)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	k->info.state = MST_SUIT_HOLDS_NOTHING;
	k->info.size = 0;
	return MST_OK;
}

static mst_err
keep(void *ctx, mst_suit_handle c, mst_span envelope)
{
	struct board *b = ctx;
	struct board_component *k = at(ctx, c);

	b->touches++;
	b->kept++;
	if (envelope.len > sizeof k->bytes)
		return MST_E_SUIT_CAPACITY;
	memcpy(k->bytes, envelope.ptr, envelope.len);
	k->info.size = envelope.len;
	k->info.state = MST_SUIT_HOLDS;
	return MST_OK;
}

/* ---- The source of payloads ------------------------------------------------------------ */

static mst_err
fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	struct board *b = ctx;

	for (size_t i = 0; i < sizeof b->served / sizeof b->served[0]; i++)
		if (b->served[i].content.ptr != NULL &&
		    mst_span_eq(fetch->uri, mst_span_str(b->served[i].uri))) {
			b->opened = i;
			b->at = (size_t)*offset;
			return MST_OK;
		}
	return MST_E_SUIT_FETCH;
}

static mst_err
fetch_read(void *ctx, struct mst_buf *block)
{
	struct board *b = ctx;
	const struct edn_bytes *c = &b->served[b->opened].content;
	size_t room = block->cap - block->len, n;

	meanwhile(b);
	if (room > b->chunk)
		room = b->chunk;
	if (b->taken >= b->cut)
		return MST_E_SUIT_INTERRUPTED;
	if (room > b->cut - b->taken)
		room = b->cut - b->taken;
	n = b->at < c->len ? c->len - b->at : 0;
	if (n > room)
		n = room;
	if (n == 0 && b->endless) { /* more than was asked for, without end */
		memset(block->ptr + block->len, 'e', room);
		block->len += room;
		b->taken += room;
		if (b->taken > 1000000) {
			fprintf(stderr, "endless data was taken without end\n");
			abort();
		}
		return MST_OK;
	}
	if (n > 0)
		memcpy(block->ptr + block->len, c->ptr + b->at, n);
	block->len += n;
	b->at += n;
	b->taken += n;
	return MST_OK;
}

static void
fetch_close(void *ctx)
{
	(void)ctx;
}

/* ---- What it knows -------------------------------------------------------------------- */

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	struct board *b = ctx;

	at(ctx, c);
	return n == 0 ? mst_span_of(b->id[kind], 16) : MST_NONE;
}

static mst_err
slot(void *ctx, mst_suit_handle c, uint64_t *out)
{
	at(ctx, c);
	*out = ((struct board *)ctx)->slot;
	return MST_OK;
}

static mst_err
version(void *ctx, mst_suit_handle c, int64_t *ints, size_t *count)
{
	struct board *b = ctx;

	at(ctx, c);
	memcpy(ints, b->version, b->version_count * sizeof *ints);
	*count = b->version_count;
	return MST_OK;
}

static mst_err
now(void *ctx, uint64_t *seconds)
{
	struct board *b = ctx;

	if (!b->has_time)
		return MST_E_SUIT_NO_TIME;
	*seconds = b->time;
	return MST_OK;
}

static mst_err
battery(void *ctx, uint64_t *mwh)
{
	*mwh = ((struct board *)ctx)->battery;
	return MST_OK;
}

static mst_err
authorized(void *ctx, mst_suit_handle c, int64_t priority)
{
	(void)priority;
	at(ctx, c);
	return ((struct board *)ctx)->authorized ? MST_OK : MST_E_SUIT_NOT_AUTHORIZED;
}

static mst_err
wait_for(void *ctx, mst_suit_handle c, const struct mst_suit_wait *events)
{
	struct board *b = ctx;

	(void)events;
	at(ctx, c);
	b->waits++;
	return b->wait;
}

static mst_err
invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	struct board *b = ctx;

	(void)arguments;
	at(ctx, c);
	b->touches++;
	b->invoked++;
	return MST_OK;
}

/* ---- Record and journal ---------------------------------------------------------------- */

static struct mst_suit_record *
record_of(struct board *b, mst_span identity_of)
{
	return mst_span_eq(identity_of, b->rules.domain) ? &b->now.record : &b->now.other;
}

static mst_err
record_read(void *ctx, mst_span who, struct mst_suit_record *out)
{
	*out = *record_of(ctx, who);
	return MST_OK;
}

static mst_err
record_write(void *ctx, mst_span who, const struct mst_suit_record *record)
{
	struct board *b = ctx;

	b->touches++;
	b->records++;
	*record_of(b, who) = *record;
	return MST_OK;
}

static mst_err
journal_read(void *ctx, struct mst_suit_journal *out)
{
	struct board *b = ctx;

	if (!b->now.journalled)
		return MST_E_SUIT_JOURNAL;
	*out = b->now.journal;
	return MST_OK;
}

static mst_err
journal_write(void *ctx, const struct mst_suit_journal *journal)
{
	struct board *b = ctx;

	b->journalled++;
	b->now.journal = *journal;
	b->now.journalled = true;
	return MST_OK;
}

static mst_err
journal_erase(void *ctx)
{
	struct board *b = ctx;

	b->now.journalled = false;
	memset(&b->now.journal, 0, sizeof b->now.journal);
	return MST_OK;
}

static void
trace(void *ctx, const struct mst_suit_event *event)
{
	struct board *b = ctx;

	if (b->events < BOARD_EVENTS)
		b->event[b->events] =
		    (struct board_event){ event->result, (int)event->how, event->command,
			    event->section, event->offset, event->component, event->depth };
	b->events++;
}

/* ---- Its description -------------------------------------------------------------------- */

static struct edn_bytes
word_of(const struct edn_scope *scope, const char *name)
{
	return forge(scope, NULL, 0, name);
}

static uint64_t
number_of(const struct edn_scope *scope, const char *name, uint64_t otherwise)
{
	struct edn_bytes b = word_of(scope, name);
	struct mst_cbor_reader r;
	uint64_t v = otherwise;

	mst_cbor_init(&r, mst_span_of(b.ptr, b.len));
	if (mst_cbor_peek(&r) == MST_CBOR_UINT)
		v = mst_cbor_uint(&r);
	else if (mst_cbor_peek(&r) == MST_CBOR_BOOL)
		v = mst_cbor_bool(&r);
	edn_free(&b);
	return v;
}

/* The content of a byte string; ptr NULL for null. */
static struct edn_bytes
content_of(const struct edn_scope *scope, const char *name)
{
	struct edn_bytes b = word_of(scope, name), out = { 0 };
	struct mst_cbor_reader r;

	mst_cbor_init(&r, mst_span_of(b.ptr, b.len));
	if (mst_cbor_peek(&r) == MST_CBOR_BYTES) {
		mst_span s = mst_cbor_bytes(&r);

		edn_append(&out, s.ptr, s.len);
		if (out.ptr == NULL)
			out.ptr = malloc(1);
	}
	edn_free(&b);
	return out;
}

static void
bytes_of(const struct edn_scope *scope, const char *name, uint8_t *out, size_t size)
{
	struct edn_bytes b = content_of(scope, name);

	memcpy(out, b.ptr, b.len < size ? b.len : size);
	edn_free(&b);
}

static void
set_platform(struct board *b)
{
	b->platform = (struct mst_suit_platform){ .ctx = b,
		.component = component,
		.info = info,
		.read = read_bytes,
		.begin = begin,
		.write = write_bytes,
		.end = end,
		.drop = drop,
		.swap = swap,
		.finalise = finalise,
		.fetch_open = fetch_open,
		.fetch_read = fetch_read,
		.fetch_close = fetch_close,
		.identity = identity,
		.slot = slot,
		.version = version,
		.now = now,
		.battery = battery,
		.authorized = authorized,
		.wait = wait_for,
		.invoke = invoke,
		.record_read = record_read,
		.record_write = record_write,
		.journal_read = journal_read,
		.journal_write = journal_write,
		.journal_erase = journal_erase,
		.references = references,
		.link = link_to,
		.unlink = unlink_from,
		.erase = erase,
		.keep = keep,
		.trace = trace };
}

static void
leave_out(struct board *b, const struct edn_scope *scope)
{
	struct edn_bytes w = word_of(scope, "dev.without");
	struct mst_cbor_reader r;

	mst_cbor_init(&r, mst_span_of(w.ptr, w.len));
	while (w.len > 0 && mst_cbor_more(&r)) {
		mst_span t = mst_cbor_text(&r);

		if (mst_span_eq(t, MST_LIT("swap")))
			b->platform.swap = NULL;
		else if (mst_span_eq(t, MST_LIT("wait")))
			b->platform.wait = NULL;
		else if (mst_span_eq(t, MST_LIT("unlink")))
			b->platform.unlink = NULL;
		else if (mst_span_eq(t, MST_LIT("battery")))
			b->platform.battery = NULL;
		else if (mst_span_eq(t, MST_LIT("version")))
			b->platform.version = NULL;
		else if (mst_span_eq(t, MST_LIT("journal")))
			b->platform.journal_read = NULL, b->platform.journal_write = NULL,
			b->platform.journal_erase = NULL;
		else if (mst_span_eq(t, MST_LIT("erase")))
			b->platform.erase = NULL;
		else if (mst_span_eq(t, MST_LIT("arena")))
			b->suit.arena = (struct mst_buf){ 0 };
		else
			abort();
	}
	edn_free(&w);
}

static void
set_acl(struct board *b, const struct edn_scope *scope)
{
	struct edn_bytes w = word_of(scope, "dev.acl");
	struct mst_cbor_reader r;
	size_t n = 0;

	mst_cbor_init(&r, mst_span_of(w.ptr, w.len));
	if (mst_cbor_peek(&r) != MST_CBOR_ARRAY) {
		edn_free(&w);
		return;
	}
	mst_cbor_array(&r);
	while (mst_cbor_more(&r) && n < 8) {
		mst_span prefix;

		mst_cbor_array(&r);
		b->acl[n].authorities = (uint32_t)mst_cbor_uint(&r);
		prefix = mst_cbor_raw(&r);
		edn_append(&b->acl_prefix[n], prefix.ptr, prefix.len);
		b->acl[n].prefix = mst_span_of(b->acl_prefix[n].ptr, b->acl_prefix[n].len);
		b->acl[n].commands = mst_cbor_uint(&r);
		b->acl[n].parameters = mst_cbor_uint(&r);
		mst_cbor_leave(&r);
		n++;
	}
	if (mst_cbor_end(&r) != MST_OK)
		abort();
	b->rules.acl = b->acl;
	b->rules.acl_count = n;
	edn_free(&w);
}

static void
add_key(
    struct board *b, const char *name, enum mst_suit_usage usage, int32_t alg, uint8_t authority)
{
	size_t i = b->keys.count++;
	struct mst_suit_key *k = &b->key[i];
	uint8_t raw[96];
	size_t n = keys_raw(name, raw, sizeof raw);
	const uint8_t *material = raw;

	if (usage == MST_SUIT_USE_ECDH) {
		material = raw + 64;
		n = 32;
		k->curve = MST_SUIT_P256;
	} else if (n == 96) {
		b->material[i][0] = 4;
		memcpy(b->material[i] + 1, raw, 64);
		material = NULL;
		n = 65;
	}
	if (material != NULL)
		memcpy(b->material[i], material, n);
	k->usage = usage;
	k->alg = alg;
	k->equivalence = strcmp(name, "k3") == 0 ? MST_SUIT_EXACT_ALG : MST_SUIT_EQUIVALENT_ALG;
	k->authority = authority;
	k->kid = usage == MST_SUIT_USE_SIGN_REPORT ? MST_LIT("report") : mst_span_str(name);
	k->material = mst_span_of(b->material[i], n);
}

static void
set_keys(struct board *b)
{
	size_t i;

	add_key(b, "k1", MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, 0);
	add_key(b, "k2", MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, 1);
	add_key(b, "k3", MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, 2);
	add_key(b, "ed1", MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ED25519, 3);
	add_key(b, "mac1", MST_SUIT_USE_MAC_MANIFEST, MST_SUIT_HMAC256, 4);
	add_key(b, "device", MST_SUIT_USE_ECDH, MST_SUIT_ECDH_ES_A128KW, 5);
	add_key(b, "k3", MST_SUIT_USE_SIGN_REPORT, MST_SUIT_ES256, 6);
	i = b->keys.count++;
	b->key[i] = (struct mst_suit_key){ .usage = MST_SUIT_USE_KEK,
		.alg = MST_SUIT_A128KW,
		.authority = 8,
		.kid = MST_LIT("kek"),
		.material = MST_LIT("kek of the group") };
	b->keys.key = b->key;
}

static void
set_components(struct board *b, const struct edn_scope *scope)
{
	static const char *const held[] = { "dev.a", "dev.b", "dev.c", "dev.d" };

	for (size_t i = 0; i < BOARD_COMPONENTS; i++) {
		struct board_component *k = &b->now.component[i];
		struct edn_bytes id = edn_encode(NULL, names[i]);

		memcpy(k->id, id.ptr, id.len);
		k->id_len = id.len;
		edn_free(&id);
		k->info.capacity = number_of(scope, "dev.capacity", 0);
		k->info.state = MST_SUIT_HOLDS_NOTHING;
		if (i < sizeof held / sizeof held[0]) {
			struct edn_bytes c = content_of(scope, held[i]);

			if (c.ptr != NULL) {
				memcpy(k->bytes, c.ptr, c.len);
				k->info.size = c.len;
				k->info.state = MST_SUIT_HOLDS;
				k->valid = true;
			}
			edn_free(&c);
		}
	}
}

void
board_reset(struct board *b)
{
	struct mst_buf arena = { b->arena, sizeof b->arena, 0 };

	memset(&b->suit, 0, sizeof b->suit);
	b->suit.platform = &b->platform;
	b->suit.crypto = suit_openssl();
	b->suit.keys = &b->keys;
	b->suit.rules = &b->rules;
	b->suit.block = MST_BUF(b->block);
	b->suit.arena = arena;
}

void
board_init(struct board *b, const struct edn_scope *scope)
{
	static const char *const uris[] = { "coap://x/1", "coap://x/2", "coap://x/3" };
	static const char *const payloads[] = { "payload1", "payload2", "payload3" };
	struct edn_bytes v;
	struct mst_cbor_reader r;

	memset(b, 0, sizeof *b);
	set_platform(b);
	board_reset(b);
	leave_out(b, scope);
	set_keys(b);
	set_acl(b, scope);
	set_components(b, scope);
	b->rules.signers = (struct mst_suit_policy){ (uint32_t)number_of(scope, "dev.of", 0),
		(uint8_t)number_of(scope, "dev.need", 0) };
	b->rules.dependency_signers.need = (uint8_t)number_of(scope, "dev.depneed", 0);
	b->rules.rules = (unsigned)number_of(scope, "dev.rules", 0);
	b->rules.domain = MST_LIT("domain");
	b->rules.journal_every = 16;
	b->time = number_of(scope, "dev.time", UINT64_MAX);
	b->has_time = b->time != UINT64_MAX;
	b->battery = number_of(scope, "dev.battery", 0);
	b->authorized = number_of(scope, "dev.authorized", 0) != 0;
	b->slot = number_of(scope, "dev.slot", 0);
	b->wait = number_of(scope, "dev.wait", 1) != 0 ? MST_OK : MST_E_SUIT_WAIT;
	b->endless = number_of(scope, "dev.endless", 0) != 0;
	b->cut = (size_t)number_of(scope, "dev.cut", SIZE_MAX);
	b->chunk = 16;
	b->now.record.number = number_of(scope, "dev.number", UINT64_MAX);
	b->now.record.known = b->now.record.number != UINT64_MAX;
	bytes_of(scope, "dev.digest", b->now.record.digest, 32);
	bytes_of(scope, "dev.vendor", b->id[MST_SUIT_ID_VENDOR], 16);
	bytes_of(scope, "dev.class", b->id[MST_SUIT_ID_CLASS], 16);
	bytes_of(scope, "dev.deviceid", b->id[MST_SUIT_ID_DEVICE], 16);
	for (size_t i = 0; i < 3; i++) {
		b->served[i].uri = uris[i];
		b->served[i].content = content_of(scope, payloads[i]);
	}
	v = word_of(scope, "dev.version");
	mst_cbor_init(&r, mst_span_of(v.ptr, v.len));
	mst_cbor_array(&r);
	while (mst_cbor_more(&r) && b->version_count < MST_SUIT_VERSION_MAX)
		b->version[b->version_count++] = mst_cbor_int(&r);
	edn_free(&v);
	board_mark(b);
}

void
board_free(struct board *b)
{
	for (size_t i = 0; i < 4; i++)
		edn_free(&b->served[i].content);
	for (size_t i = 0; i < 8; i++)
		edn_free(&b->acl_prefix[i]);
}

void
board_mark(struct board *b)
{
	b->before = b->now;
	b->touches = b->finalised = b->invoked = b->kept = b->records = b->journalled = 0;
	b->events = 0;
}

const char *
board_changed(const struct board *b)
{
	for (size_t i = 0; i < BOARD_COMPONENTS; i++) {
		const struct board_component *x = &b->now.component[i],
		                             *y = &b->before.component[i];

		if (memcmp(x->bytes, y->bytes, sizeof x->bytes) != 0 ||
		    x->info.size != y->info.size || x->info.state != y->info.state ||
		    x->valid != y->valid)
			return names[i];
		if (x->references != y->references || memcmp(x->by, y->by, sizeof x->by) != 0)
			return "the reference counts";
	}
	if (b->now.record.number != b->before.record.number ||
	    b->now.record.known != b->before.record.known ||
	    memcmp(b->now.record.digest, b->before.record.digest, 32) != 0 ||
	    b->now.other.number != b->before.other.number ||
	    b->now.other.known != b->before.other.known)
		return "the record";
	if (b->now.journalled != b->before.journalled)
		return "the journal";
	return b->touches != 0 ? "nothing, but something was written" : NULL;
}

struct board_component *
board_component(struct board *b, const char *name)
{
	for (size_t i = 0; i < BOARD_COMPONENTS; i++)
		if (names[i][3] == name[0])
			return &b->now.component[i];
	abort();
}

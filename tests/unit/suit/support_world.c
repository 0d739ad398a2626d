/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/openssl/suit_openssl.h"
#include "muster/cbor.h"
#include "suit/support_keys.h"
#include "unit/suit/support_world.h"

struct world world;

static struct edn_bytes envelope, word[8];
static size_t words_used;
static const struct edn_scope *scope;
static struct edn_word own[16];
static size_t own_count;
static struct mst_suit_key keys[6];
static struct mst_suit_keys table = { keys, 0 };
static uint8_t material[6][96];

static void
add_key(const char *name, enum mst_suit_usage usage, int32_t alg, uint8_t authority)
{
	struct mst_suit_key *k = &keys[table.count];
	uint8_t *m = material[table.count++];
	uint8_t raw[96];

	(void)keys_raw(name, raw, sizeof raw);
	*k = (struct mst_suit_key){
		.usage = usage, .alg = alg, .authority = authority, .kid = mst_span_str(name)
	};
	if (usage == MST_SUIT_USE_ECDH) {
		k->curve = MST_SUIT_P256;
		memcpy(m, raw + 64, 32);
		k->material = mst_span_of(m, 32);
	} else {
		m[0] = 4;
		memcpy(m + 1, raw, 64);
		k->material = mst_span_of(m, 65);
	}
}

static void
make_keys(void)
{
	table.count = 0;
	add_key("k1", MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, 1);
	add_key("k2", MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, 2);
	add_key("device", MST_SUIT_USE_ECDH, MST_SUIT_ECDH_ES_A128KW, 3);
	keys[table.count++] = (struct mst_suit_key){ .usage = MST_SUIT_USE_KEK,
		.alg = MST_SUIT_A128KW,
		.kid = MST_LIT("kek"),
		.material = MST_LIT("kek of the group") };
}

/* The content of the byte string that an item is; absent for all else. */
static mst_span
content(const struct edn_bytes *item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, mst_span_of(item->ptr, item->len));
	return mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r) : MST_NONE;
}

mst_span
world_word(const char *name)
{
	if (words_used == 8)
		abort();
	word[words_used] = forge(scope, own, own_count, name);
	return content(&word[words_used++]);
}

void
world_reset(void)
{
	memset(&world.suit, 0, sizeof world.suit);
	memset(world.arena, 0xa5, sizeof world.arena);
	world.suit.platform = &world.dev.platform;
	world.suit.crypto = suit_openssl();
	world.suit.keys = &table;
	world.suit.rules = &world.rules;
	world.suit.block = MST_BUF(world.block);
	world.suit.arena = MST_BUF(world.arena);
	world.dev.events = 0;
}

static void
encode(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	scope = base;
	own_count = count;
	memcpy(own, words, count * sizeof *own);
	edn_free(&envelope);
	envelope = forge(base, own, own_count, "envelope");
	world_reset();
}

/* The device as it left the factory; the envelope's bytes are what they are. */
void
world_again(void)
{
	static const char *const payloads[] = { "payload1", "payload2", "payload3" };
	static const char *const uris[] = { "coap://x/1", "coap://x/2", "coap://x/3" };
	static const uint8_t ids[6][3] = { { 0x81, 0x41, 'a' }, { 0x81, 0x41, 'b' },
		{ 0x81, 0x41, 'c' }, { 0x81, 0x41, 'd' }, { 0x81, 0x41, 'm' },
		{ 0x81, 0x41, 'e' } };

	while (words_used > 0)
		edn_free(&word[--words_used]);
	device_init(&world.dev);
	for (size_t i = 0; i < 6; i++)
		(void)device_component(&world.dev, mst_span_of(ids[i], 3), 2048);
	world.dev.vendor[0] = world_word("dev.vendor");
	world.dev.class[0] = world_word("dev.class");
	world.dev.id[0] = world_word("dev.deviceid");
	for (size_t i = 0; i < 3; i++) {
		mst_span bytes = world_word(payloads[i]);
		if (bytes.ptr != NULL)
			device_payload(&world.dev, uris[i], bytes);
	}
	world.dev.now = 1000;
	world.dev.has_time = true;
	world.dev.battery = 50;
	for (size_t i = 0; i < 6; i++)
		world.dev.component[i].slot = 1;
	world_reset();
}

void
world_new(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	make_keys();
	memset(&world.rules, 0, sizeof world.rules);
	encode(base, words, count);
	world_again();
}

void
world_offer(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	encode(base, words, count);
}

mst_err
world_check(void)
{
	mst_err e =
	    mst_suit_envelope_parse(mst_span_of(envelope.ptr, envelope.len), &world.envelope);

	return e == MST_OK ? mst_suit_check(&world.suit, &world.envelope, &world.manifest) : e;
}

mst_err
world_run(enum mst_suit_procedure procedure)
{
	mst_err e = world_check();

	return e == MST_OK ? mst_suit_run(&world.suit, &world.manifest, procedure) : e;
}

struct device_component *
world_component(char name)
{
	for (unsigned i = 0; i < world.dev.components; i++)
		if (world.dev.component[i].id[2] == name)
			return &world.dev.component[i];
	abort();
}

mst_span
world_holds(char name)
{
	const struct device_component *c = world_component(name);

	return c->holds == 0 ? MST_NONE : mst_span_of(c->bytes, c->size);
}

const char *
world_trace(void)
{
	static const char marks[] = { 0, '?', '*', '=', '~' };
	static char text[8192];
	size_t at = 0;

	text[0] = 0;
	for (unsigned i = 0; i < world.dev.events; i++) {
		const struct mst_suit_event *ev = &world.dev.event[i];
		int n = snprintf(
		    text + at, sizeof text - at, "%s%d", i == 0 ? "" : " ", (int)ev->command);
		at += (size_t)n;
		if (ev->component != MST_SUIT_NO_INDEX)
			at += (size_t)snprintf(text + at, sizeof text - at, ".%u", ev->component);
		if (marks[ev->how] != 0)
			at += (size_t)snprintf(text + at, sizeof text - at, "%c", marks[ev->how]);
		if (ev->result != MST_OK)
			at += (size_t)snprintf(text + at, sizeof text - at, "!");
		if (at > sizeof text - 32)
			abort();
	}
	return text;
}

void
world_free(void)
{
	edn_free(&envelope);
	while (words_used > 0)
		edn_free(&word[--words_used]);
}

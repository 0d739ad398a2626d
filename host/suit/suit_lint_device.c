/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's own check (sheet 12) on a copy that lint authenticates by a MAC
 * of its own making: what a device would refuse for its form, lint names with
 * the device's name, section, offset and component. The device here can do
 * everything and knows every component; who may sign is not lint's question.
 */
#include <string.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/suit/suit_lint_impl.h"
#include "muster/suit.h"

#define SECRET 32
#define ARENA 65536

static mst_err
any_component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	mst_span *seen = ctx;
	mst_suit_handle i = 0;

	while (i < MST_SUIT_COMPONENTS_MAX && seen[i].ptr != NULL && !mst_span_eq(seen[i], id))
		i++;
	if (i == MST_SUIT_COMPONENTS_MAX)
		return MST_E_SUIT_COMPONENT_UNKNOWN;
	seen[i] = id;
	*handle = i;
	return MST_OK;
}

/* None of these is called by a check; that they are there says that the device could. */
static mst_err
could_info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	(void)ctx;
	(void)c;
	*out = (struct mst_suit_component_info){ 0, UINT64_MAX, MST_SUIT_HOLDS_NOTHING };
	return MST_OK;
}

static mst_err
could_read(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	(void)ctx, (void)c, (void)offset, (void)out, (void)len;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	(void)ctx, (void)c, (void)size, (void)offset;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_write(void *ctx, mst_suit_handle c, mst_span block)
{
	(void)ctx, (void)c, (void)block;
	return MST_E_SUIT_PLATFORM;
}

static void
could_drop(void *ctx, mst_suit_handle c)
{
	(void)ctx, (void)c;
}

static mst_err
could_swap(void *ctx, mst_suit_handle a, mst_suit_handle b)
{
	(void)ctx, (void)a, (void)b;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	(void)ctx, (void)fetch, (void)offset;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_fetch(void *ctx, struct mst_buf *block)
{
	(void)ctx, (void)block;
	return MST_E_SUIT_PLATFORM;
}

static void
could_close(void *ctx)
{
	(void)ctx;
}

static mst_span
could_identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	(void)ctx, (void)c, (void)kind, (void)n;
	return MST_NONE;
}

static mst_err
could_number(void *ctx, mst_suit_handle c, uint64_t *n)
{
	(void)ctx, (void)c, (void)n;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_version(void *ctx, mst_suit_handle c, int64_t *ints, size_t *count)
{
	(void)ctx, (void)c, (void)ints, (void)count;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_now(void *ctx, uint64_t *n)
{
	(void)ctx, (void)n;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_authorized(void *ctx, mst_suit_handle c, int64_t priority)
{
	(void)ctx, (void)c, (void)priority;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_wait(void *ctx, mst_suit_handle c, const struct mst_suit_wait *events)
{
	(void)ctx, (void)c, (void)events;
	return MST_E_SUIT_PLATFORM;
}

static bool
could_custom(void *ctx, int64_t code)
{
	(void)ctx, (void)code;
	return true; /* lint warns of it by itself */
}

static mst_err
could_do_custom(void *ctx, mst_suit_handle c, int64_t code, mst_span argument)
{
	(void)ctx, (void)c, (void)code, (void)argument;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
no_record(void *ctx, mst_span identity, struct mst_suit_record *out)
{
	(void)ctx, (void)identity;
	*out = (struct mst_suit_record){ .known = false };
	return MST_OK;
}

static mst_err
could_record(void *ctx, mst_span identity, const struct mst_suit_record *record)
{
	(void)ctx, (void)identity, (void)record;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
no_references(void *ctx, mst_suit_handle c, mst_span by, unsigned *count)
{
	(void)ctx, (void)c, (void)by;
	*count = 0;
	return MST_OK;
}

static mst_err
could_link(void *ctx, mst_suit_handle c, mst_span by)
{
	(void)ctx, (void)c, (void)by;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_unlink(void *ctx, mst_suit_handle c, mst_span by, unsigned *left)
{
	(void)ctx, (void)c, (void)by, (void)left;
	return MST_E_SUIT_PLATFORM;
}

static mst_err
could_erase(void *ctx, mst_suit_handle c)
{
	(void)ctx, (void)c;
	return MST_E_SUIT_PLATFORM;
}

static const struct mst_suit_platform able = {
	.component = any_component,
	.info = could_info,
	.read = could_read,
	.begin = could_begin,
	.write = could_write,
	.end = could_write,
	.drop = could_drop,
	.swap = could_swap,
	.fetch_open = could_open,
	.fetch_read = could_fetch,
	.fetch_close = could_close,
	.identity = could_identity,
	.slot = could_number,
	.version = could_version,
	.now = could_now,
	.battery = could_now,
	.authorized = could_authorized,
	.wait = could_wait,
	.invoke = could_write,
	.custom_known = could_custom,
	.custom = could_do_custom,
	.custom_parameter_known = could_custom,
	.custom_parameter = could_do_custom,
	.record_read = no_record,
	.record_write = could_record,
	.references = no_references,
	.link = could_link,
	.unlink = could_unlink,
	.erase = could_erase,
	.keep = could_write,
};

/* The envelope with one block: a MAC by this key. */
static mst_err
authenticate(struct linter *l, const struct mst_suit_key *key, mst_span *bytes)
{
	struct suit_envelope *copy = arena_alloc(l->a, sizeof *copy);
	struct mst_buf block = arena_buf(l->a, 512);
	mst_err e;

	if (copy == NULL || block.cap == 0)
		return MST_E_NOMEM;
	*copy = *l->env;
	if ((e = mst_suit_mac0_build(
	         suit_openssl(), key, copy->digest, MST_SUIT_DETACHED, &block)) != MST_OK)
		return e;
	copy->block[0] = mst_buf_span(&block);
	copy->block_count = 1;
	return suit_envelope_write(l->a, copy, bytes);
}

static mst_err
check(struct linter *l, struct mst_suit *s, mst_span bytes)
{
	struct mst_suit_envelope *env = arena_alloc(l->a, sizeof *env);
	struct mst_suit_manifest *m = arena_alloc(l->a, sizeof *m);
	mst_err e;

	if (env == NULL || m == NULL)
		return MST_E_NOMEM;
	e = mst_suit_envelope_parse(bytes, env);
	if (e == MST_OK)
		e = mst_suit_check(s, env, m);
	else
		s->refusal = (struct mst_suit_refusal){
			.err = e, .section = MST_SUIT_AT_ENVELOPE, .component = MST_SUIT_NO_INDEX
		};
	return e;
}

mst_err
lint_device(struct linter *l)
{
	static const struct mst_suit_rules rules = { .rules = MST_SUIT_RULE_NO_CLASS_CHECK,
		.domain = { (const uint8_t *)"\x80", 1 } };
	uint8_t secret[SECRET];
	struct mst_suit_key key = { .usage = MST_SUIT_USE_MAC_MANIFEST,
		.alg = MST_SUIT_HMAC256,
		.material = { secret, sizeof secret } };
	const struct mst_suit_keys keys = { &key, 1 };
	struct mst_suit *s = arena_alloc(l->a, sizeof *s);
	struct mst_suit_platform platform = able;
	mst_span bytes;
	mst_err e;

	if (s == NULL ||
	    (platform.ctx = arena_alloc(l->a, MST_SUIT_COMPONENTS_MAX * sizeof(mst_span))) == NULL)
		return MST_E_NOMEM;
	*s = (struct mst_suit){ .platform = &platform,
		.crypto = suit_openssl(),
		.keys = &keys,
		.rules = &rules,
		.block = arena_buf(l->a, 4096),
		.arena = arena_buf(l->a, ARENA) };
	if (s->block.cap == 0 || s->arena.cap == 0)
		return MST_E_NOMEM;
	if ((e = s->crypto->random(s->crypto->ctx, secret, sizeof secret)) != MST_OK ||
	    (e = authenticate(l, &key, &bytes)) != MST_OK)
		return e;
	e = check(l, s, bytes);
	if (e != MST_OK) {
		const struct mst_err_info *i = mst_err_info(e);
		bool at = s->refusal.section > 0;

		lint_say(l, SUIT_ERROR, e, "device",
		    (struct place){ at ? s->refusal.section : 0,
		        at && s->refusal.command != 0 ? (int64_t)s->refusal.offset : NOWHERE,
		        s->refusal.component != MST_SUIT_NO_INDEX ? s->refusal.component
		                                                  : NOWHERE },
		    i->clause, "%s", i->sentence);
	}
	mst_wipe(secret, sizeof secret);
	return MST_OK;
}

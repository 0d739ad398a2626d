/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_dryrun.h"

#include <string.h>

#include "crypto/openssl/suit_openssl.h"

#define BLOCK 65536u
#define ARENA (1u << 20) /* for dependencies */
#define RECORDS 65536u

bool
suit_run_find(const char *word, enum suit_run *out)
{
	static const char *const words[] = { "all", "check", "update", "invocation", "uninstall" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i], word) == 0) {
			*out = (enum suit_run)i;
			return true;
		}
	return false;
}

/* --- the device's keys --- */

/*
 * A device has its keys with their kids; an author has a file. A key without a
 * kid gets that of the block which it verifies; if it verifies none, of the
 * only one there is, so that the refusal is "false" and not "unknown".
 */
static mst_span
kid_for(struct arena *a, const struct suit_key *k, const struct suit_envelope *env)
{
	if (k->kid.ptr != NULL)
		return k->kid;
	for (size_t i = 0; i < env->block_count; i++)
		if (suit_key_verifies(a, k, env->digest, env->block[i]))
			return suit_block_kid(env->block[i]);
	return env->block_count == 1 ? suit_block_kid(env->block[0]) : MST_NONE;
}

struct table {
	struct mst_suit_key row[SUIT_DRYRUN_KEYS];
	size_t count;
};

static mst_err
add(struct arena *a, struct table *t, const struct suit_key *k, enum mst_suit_usage usage,
    uint8_t authority, mst_span kid)
{
	mst_err e;

	if (t->count == SUIT_DRYRUN_KEYS) {
		suit_author_say("more keys than a simulated device has");
		return MST_E_FW_KEY;
	}
	e = suit_key_row(a, k, usage, authority, &t->row[t->count]);
	if (e == MST_OK)
		t->row[t->count++].kid = kid;
	return e;
}

/* A CA's certificate: the signers that show one below it, all of its authority. */
static mst_err
below(struct arena *a, const struct suit_key *anchor, uint8_t authority,
    const struct suit_envelope *env, struct table *t)
{
	mst_err e = MST_OK;

	for (size_t i = 0; i < env->block_count && e == MST_OK; i++) {
		struct suit_key leaf = { .pkey = suit_key_below(anchor, env->block[i]) };

		if (leaf.pkey != NULL)
			e = add(a, t, &leaf, MST_SUIT_USE_SIGN_MANIFEST, authority,
			    suit_block_kid(env->block[i]));
		suit_key_close(&leaf);
	}
	return e;
}

static mst_err
anchors(struct arena *a, const struct suit_dryrun_want *want, const struct suit_envelope *env,
    struct table *t)
{
	mst_err e = MST_OK;

	for (size_t i = 0; i < want->anchor_count && e == MST_OK; i++) {
		const struct suit_key *k = &want->anchors[i];
		bool wraps =
		    k->alg == MST_SUIT_A128KW || k->alg == MST_SUIT_A256KW || k->secret.len == 16;
		enum mst_suit_usage usage = k->secret.ptr == NULL ? MST_SUIT_USE_SIGN_MANIFEST
		                            : wraps               ? MST_SUIT_USE_MAC_KEK
		                                                  : MST_SUIT_USE_MAC_MANIFEST;

		e = suit_key_is_ca(k) ? below(a, k, (uint8_t)i, env, t)
		                      : add(a, t, k, usage, (uint8_t)i, kid_for(a, k, env));
	}
	return e;
}

/* A key without a kid has the name that our devices give to their own, too. */
static mst_err
decrypters(struct arena *a, const struct suit_dryrun_want *want, struct table *t)
{
	mst_err e = MST_OK;

	for (size_t i = 0; i < want->decrypt_count && e == MST_OK; i++) {
		const struct suit_key *k = &want->decrypt[i];

		enum mst_suit_usage usage =
		    k->secret.ptr != NULL ? MST_SUIT_USE_KEK : MST_SUIT_USE_ECDH;

		e = add(a, t, k, usage, 0, k->kid);
		if (e == MST_OK && k->kid.ptr == NULL && k->spki_kid.ptr != NULL)
			e = add(a, t, k, usage, 0, k->spki_kid);
	}
	return e;
}

/* --- the trace --- */

struct run {
	struct arena *a;
	struct suit_device *d;
	struct suit_dryrun *out;
	struct suit_traced **tail;
	struct mst_suit_collector collector;
	struct mst_suit *s;
	const char *procedure;
};

/* The platform's trace function has the device for its context. */
static _Thread_local struct run *running;

static void
on_trace(void *ctx, const struct mst_suit_event *event)
{
	static const char *const how[] = { "done", "pending", "resumed", "needless", "implied" };
	struct run *r = running;
	struct suit_traced *t = arena_alloc(r->a, sizeof *t);
	uint16_t *path = arena_alloc(r->a, sizeof(uint16_t) * (event->depth + 1u));

	(void)ctx;
	if (strcmp(r->procedure, "confirm") != 0) /* it is no procedure that is reported */
		mst_suit_collect(&r->collector, event);
	if (t == NULL || path == NULL)
		return;
	if (event->depth > 0)
		memcpy(path, event->path, event->depth * sizeof *path);
	*t = (struct suit_traced){ .procedure = r->procedure,
		.result = event->result,
		.how = how[event->how],
		.section = event->section,
		.command = event->command,
		.offset = event->offset,
		.component = event->component != MST_SUIT_NO_INDEX ? (int)event->component : -1,
		.id = suit_device_id(r->d, event->handle),
		.path = path,
		.depth = event->depth,
		.measured = arena_dup(r->a, event->measured) };
	*r->tail = t;
	r->tail = &t->next;
	r->out->commands++;
}

static mst_span
on_component_id(void *ctx, mst_suit_handle handle)
{
	return suit_device_id(ctx, handle);
}

/* --- procedures --- */

static bool
has(const struct run *r, int64_t key)
{
	return mst_suit_manifest_element(r->out->envelope.manifest, key).ptr != NULL;
}

static mst_err
one(struct run *r, enum mst_suit_procedure which, const char *name)
{
	mst_err e;

	r->procedure = name;
	e = mst_suit_run(r->s, &r->out->manifest, which);
	if (e != MST_OK)
		r->out->refusal = r->s->refusal;
	return e;
}

static mst_err
confirm(struct run *r)
{
	mst_err e;

	r->procedure = "confirm";
	e = mst_suit_confirm(r->s, &r->out->manifest);
	if (e != MST_OK)
		r->out->refusal = r->s->refusal;
	return e;
}

static mst_err
procedures(struct run *r, enum suit_run which)
{
	bool update = has(r, 15) || has(r, 16) || has(r, 18) || has(r, 20);
	mst_err e = MST_OK;

	switch (which) {
	case SUIT_RUN_CHECK: return MST_OK;
	case SUIT_RUN_UPDATE: return one(r, MST_SUIT_UPDATE, "update");
	case SUIT_RUN_INVOCATION: return one(r, MST_SUIT_INVOCATION, "invocation");
	case SUIT_RUN_UNINSTALL: return one(r, MST_SUIT_UNINSTALLATION, "uninstall");
	case SUIT_RUN_ALL: break;
	}
	if (update)
		e = one(r, MST_SUIT_UPDATE, "update");
	if (e == MST_OK && update && has(r, 7))
		e = confirm(r);
	if (e == MST_OK && has(r, 9))
		e = one(r, MST_SUIT_INVOCATION, "invocation");
	else if (e == MST_OK && !update && has(r, 7))
		e = one(r, MST_SUIT_VALIDATION, "validation");
	else if (e == MST_OK && !update && !has(r, 9) && !has(r, 7))
		e = one(r, MST_SUIT_UNINSTALLATION, "uninstall");
	return e;
}

static mst_err
check(struct run *r, mst_span bytes)
{
	mst_err e = mst_suit_envelope_parse(bytes, &r->out->envelope);

	if (e != MST_OK) {
		r->out->refusal = (struct mst_suit_refusal){
			.err = e, .section = MST_SUIT_AT_ENVELOPE, .component = MST_SUIT_NO_INDEX
		};
		return e;
	}
	e = mst_suit_check(r->s, &r->out->envelope, &r->out->manifest);
	r->out->checked = e == MST_OK;
	if (e != MST_OK)
		r->out->refusal = r->s->refusal;
	return e;
}

/* A report needs an envelope whose digest can be read; else there is nothing to report about. */
static mst_err
make_report(struct run *r, const struct suit_dryrun_want *want)
{
	struct mst_suit_report_content content = { .envelope = &r->out->envelope,
		.nonce = want->nonce,
		.collector = &r->collector,
		.result = r->out->err,
		.refusal = &r->out->refusal };
	struct mst_buf b = arena_buf(r->a, RECORDS + 4096);
	mst_err e;

	if (b.cap == 0)
		return MST_E_NOMEM;
	if (r->out->envelope.digest.ptr == NULL)
		return MST_OK;
	if ((e = mst_suit_report_build(&content, &b)) == MST_OK)
		r->out->report = mst_buf_span(&b);
	return e;
}

mst_err
suit_dryrun(struct arena *a, mst_span bytes, struct suit_device *d,
    const struct suit_dryrun_want *want, struct suit_dryrun *out)
{
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct table *t = arena_alloc(a, sizeof *t);
	struct mst_suit *s = arena_alloc(a, sizeof *s);
	struct mst_suit_rules rules = { .rules = d->rules,
		.signers = { .need = (uint8_t)d->signers },
		.domain = MST_LIT("\x80") };
	struct mst_suit_keys keys;
	struct run r = { .a = a, .d = d, .out = out, .s = s };
	mst_err e;

	*out = (struct suit_dryrun){ .err = MST_OK };
	r.tail = &out->first;
	if (env == NULL || t == NULL || s == NULL)
		return MST_E_NOMEM;
	if (suit_envelope_read(bytes, env) != MST_OK)
		*env = (struct suit_envelope){ .block_count = 0 }; /* check() has the words */
	if ((e = anchors(a, want, env, t)) != MST_OK || (e = decrypters(a, want, t)) != MST_OK)
		return e;
	keys = (struct mst_suit_keys){ t->row, t->count };
	r.collector = (struct mst_suit_collector){
		.store = arena_buf(a, RECORDS), .component_id = on_component_id, .ctx = d
	};
	*s = (struct mst_suit){ .platform = &d->platform,
		.crypto = suit_openssl(),
		.keys = &keys,
		.rules = &rules,
		.block = arena_buf(a, BLOCK),
		.arena = arena_buf(a, ARENA) };
	if (r.collector.store.cap == 0 || s->block.cap == 0 || s->arena.cap == 0)
		return MST_E_NOMEM;
	d->platform.trace = on_trace;
	running = &r;
	r.procedure = "check";
	out->err = check(&r, bytes);
	if (out->err == MST_OK)
		out->err = procedures(&r, want->run);
	running = NULL;
	d->platform.trace = NULL;
	return make_report(&r, want);
}

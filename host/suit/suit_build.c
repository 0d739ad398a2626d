/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest's deterministic CBOR, from the inside out (suit-manifest 8.1). */
#include <string.h>

#include "host/suit/suit_author_impl.h"
#include "host/suit_words.h"

#define NESTING_MAX 8

static mst_span build_sequence(struct suit_author *m, struct suit_seq *s, unsigned depth);

static mst_span
build_multiple(struct suit_author *m, const struct author_command *c)
{
	struct cb_pairs all;

	cb_pairs_init(&all, m->a);
	for (const struct author_set *s = c->set; s != NULL; s = s->next)
		cb_pair_int(&all, s->index, cb_pairs_end(&s->params, &m->err));
	return cb_pairs_end(&all, &m->err);
}

static mst_span
build_try(struct suit_author *m, const struct author_command *c, unsigned depth)
{
	struct cb b;

	if (c->inner_count < 2) { /* M 8.4.10.2: [2* bstr, ?nil] */
		suit_author_say("try-each takes two sequences or more");
		author_fail(m, MST_E_FW_VALUE);
	}
	cb_init(&b, m->a);
	cb_array(&b, c->inner_count + c->may);
	for (size_t i = 0; i < c->inner_count; i++)
		cb_bytes(&b, build_sequence(m, c->inner[i], depth + 1));
	if (c->may)
		cb_null(&b);
	return cb_end(&b, &m->err);
}

static mst_span
build_argument(struct suit_author *m, const struct author_command *c, unsigned depth)
{
	switch (c->form) {
	case FORM_ITEM: return c->item;
	case FORM_PARAMETERS: return cb_pairs_end(&c->set->params, &m->err);
	case FORM_MULTIPLE: return build_multiple(m, c);
	case FORM_TRY: return build_try(m, c, depth);
	case FORM_RUN: return cb_one_bytes(m->a, build_sequence(m, c->inner[0], depth + 1));
	}
	return MST_NONE;
}

/* Recursion is bounded by NESTING_MAX. */
static mst_span
build_sequence(struct suit_author *m, struct suit_seq *s, unsigned depth)
{
	size_t count = 0;
	struct cb b;

	if (depth > NESTING_MAX || s->open) {
		suit_author_say(
		    "sequences are nested more than %d deep, or run themselves", NESTING_MAX);
		author_fail(m, MST_E_FW_VALUE);
	}
	if (m->err != MST_OK)
		return MST_NONE;
	s->open = true;
	for (const struct author_command *c = s->first; c != NULL; c = c->next)
		count++;
	if (count == 0) { /* M 8.4.6: [ + ( ... ) ] */
		suit_author_say("a sequence has no command");
		author_fail(m, MST_E_FW_VALUE);
	}
	cb_init(&b, m->a);
	cb_array(&b, count * 2);
	for (const struct author_command *c = s->first; c != NULL && m->err == MST_OK;
	     c = c->next) {
		cb_int(&b, c->code);
		cb_raw(&b, build_argument(m, c, depth));
	}
	s->open = false;
	return cb_end(&b, &m->err);
}

static struct suit_seq *
section(const struct suit_author *m, int64_t key)
{
	for (const struct author_section *s = m->section; s != NULL; s = s->next)
		if (s->key == key)
			return s->seq;
	return NULL;
}

static mst_span
build_dependencies(struct suit_author *m)
{
	struct cb_pairs all;

	cb_pairs_init(&all, m->a);
	for (const struct author_dependency *d = m->dependency; d != NULL; d = d->next) {
		struct cb_pairs meta;

		cb_pairs_init(&meta, m->a);
		if (d->prefix != NULL)
			cb_pair_int(&meta, 1, d->prefix->encoded);
		cb_pair_int(&all, d->index, cb_pairs_end(&meta, &m->err));
	}
	return cb_pairs_end(&all, &m->err);
}

static mst_span
build_common(struct suit_author *m)
{
	struct suit_seq *shared = section(m, SUIT_SHARED);
	struct cb_pairs p;
	struct cb b;

	cb_pairs_init(&p, m->a);
	if (m->dependency != NULL)
		cb_pair_int(&p, 1, build_dependencies(m));
	if (m->component != NULL) {
		cb_init(&b, m->a);
		cb_array(&b, m->component_count);
		for (const struct author_id *id = m->component; id != NULL; id = id->next)
			cb_raw(&b, id->encoded);
		cb_pair_int(&p, 2, cb_end(&b, &m->err));
	}
	if (shared != NULL)
		cb_pair_int(&p, 4, cb_one_bytes(m->a, build_sequence(m, shared, 0)));
	return cb_pairs_end(&p, &m->err);
}

static mst_span
build_text(struct suit_author *m)
{
	struct cb_pairs langs;

	cb_pairs_init(&langs, m->a);
	for (const struct author_lang *l = m->lang; l != NULL; l = l->next) {
		struct cb_pairs all;

		cb_pairs_init(&all, m->a);
		for (const struct author_about *x = l->about; x != NULL; x = x->next) {
			if (x->id.ptr != NULL) {
				cb_pair(&all, x->id, cb_pairs_end(&x->texts, &m->err));
				continue;
			}
			if (x->texts.err != MST_OK)
				author_fail(m, x->texts.err);
			for (const struct cb_pair *t = x->texts.first; t != NULL; t = t->next)
				cb_pair(&all, t->key, t->value);
		}
		cb_pair_text(&langs, l->tag, cb_pairs_end(&all, &m->err));
	}
	return cb_pairs_end(&langs, &m->err);
}

static bool
is_severed(const struct suit_author *m, int64_t key)
{
	for (const struct author_sever *s = m->sever; s != NULL; s = s->next)
		if (s->key == key)
			return true;
	return false;
}

/* Inline as a byte string, or severed: [alg, digest] here and the byte string beside (M 8.6). */
static void
put_element(struct suit_author *m, struct cb_pairs *manifest, struct suit_envelope *env,
    int64_t key, mst_span content)
{
	uint8_t sum[SUIT_DIGEST_MAX];
	struct mst_buf digest = MST_BUF(sum);

	if (m->err != MST_OK)
		return;
	if (!is_severed(m, key)) {
		cb_pair_int(manifest, key, cb_one_bytes(m->a, content));
		return;
	}
	if ((m->err = suit_digest_wrapped(m->alg, content, &digest)) != MST_OK)
		return;
	cb_pair_int(manifest, key, author_digest(m->a, m->alg, mst_buf_span(&digest), &m->err));
	env->member[env->member_count++] = (struct suit_member){ .key = key, .content = content };
}

static void
put_sections(struct suit_author *m, struct cb_pairs *p, struct suit_envelope *env)
{
	for (const struct author_section *s = m->section; s != NULL; s = s->next)
		if (s->key != SUIT_SHARED)
			put_element(m, p, env, s->key, build_sequence(m, s->seq, 0));
	if (m->lang != NULL)
		put_element(m, p, env, 23, build_text(m));
	if (m->coswid.ptr != NULL)
		put_element(m, p, env, 14, m->coswid);
	for (const struct author_sever *s = m->sever; s != NULL; s = s->next)
		if (section(m, s->key) == NULL && !(s->key == 23 && m->lang != NULL) &&
		    !(s->key == 14 && m->coswid.ptr != NULL)) {
			const struct suit_word *w = suit_word(SUIT_LIST_MANIFEST, s->key);

			suit_author_say("there is no %s", w != NULL ? w->name : "such element");
			author_fail(m, MST_E_FW_SEVERABLE);
		}
}

static mst_span
build_manifest(struct suit_author *m, struct suit_envelope *env)
{
	struct cb_pairs p;

	cb_pairs_init(&p, m->a);
	cb_pair_int(&p, 1, cb_one_uint(m->a, 1));
	cb_pair_int(&p, 2, cb_one_uint(m->a, m->number));
	cb_pair_int(&p, 3, cb_one_bytes(m->a, build_common(m)));
	if (m->reference.ptr != NULL) {
		mst_span uri = cb_one_text(m->a, m->reference);

		if (uri.ptr == NULL)
			author_fail(m, MST_E_CBOR_UTF8);
		cb_pair_int(&p, 4, uri);
	}
	if (m->component_id != NULL)
		cb_pair_int(&p, 5, m->component_id->encoded);
	if (m->set_version.ptr != NULL)
		cb_pair_int(&p, 6, cb_one_bytes(m->a, m->set_version));
	put_sections(m, &p, env);
	return cb_pairs_end(&p, &m->err);
}

mst_err
suit_author_build(struct suit_author *m, mst_span *envelope)
{
	struct suit_envelope *env = author_new(m, sizeof *env);
	struct mst_buf digest;

	if (env == NULL)
		return MST_E_NOMEM;
	env->tagged = true;
	env->manifest = build_manifest(m, env);
	digest = arena_buf(m->a, SUIT_DIGEST_MAX);
	if (m->err == MST_OK && digest.cap == 0)
		m->err = MST_E_NOMEM;
	if (m->err == MST_OK)
		m->err = suit_digest_wrapped(m->alg, env->manifest, &digest);
	if (m->err == MST_OK)
		env->digest = author_digest(m->a, m->alg, mst_buf_span(&digest), &m->err);
	for (const struct author_payload *p = m->payload; p != NULL && m->err == MST_OK;
	     p = p->next)
		m->err = suit_envelope_integrate(env, p->uri, p->bytes);
	return m->err != MST_OK ? m->err : suit_envelope_write(m->a, env, envelope);
}

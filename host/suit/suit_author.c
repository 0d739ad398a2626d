/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest under construction: what was said, kept encoded where it is small. */
#include "host/suit/suit_author_impl.h"

#include <string.h>

#include "host/suit_words.h"

void
author_fail(struct suit_author *m, mst_err e)
{
	if (m->err == MST_OK)
		m->err = e;
}

void *
author_new(struct suit_author *m, size_t size)
{
	void *p = arena_alloc(m->a, size);

	if (p == NULL)
		author_fail(m, MST_E_NOMEM);
	return p;
}

struct suit_author *
suit_author_new(struct arena *a)
{
	struct suit_author *m = arena_alloc(a, sizeof *m);

	if (m != NULL)
		*m = (struct suit_author){ .a = a, .alg = -16, .component_tail = &m->component };
	suit_author_say("%s", "");
	return m;
}

void
suit_author_digest(struct suit_author *m, int64_t alg)
{
	m->alg = alg;
	if (suit_digest_len(alg) == 0)
		author_fail(m, MST_E_UNSUPPORTED);
}

void
suit_author_number(struct suit_author *m, uint64_t sequence_number)
{
	m->number = sequence_number;
}

void
suit_author_reference(struct suit_author *m, mst_span uri)
{
	m->reference = uri;
}

static struct author_id *
keep_id(struct suit_author *m, const mst_span *segments, size_t count)
{
	struct author_id *id = author_new(m, sizeof *id);

	if (id == NULL)
		return NULL;
	id->encoded = cb_one_id(m->a, segments, count);
	if (id->encoded.ptr == NULL)
		author_fail(m, MST_E_NOMEM);
	return id;
}

void
suit_author_component_id(struct suit_author *m, const mst_span *segments, size_t count)
{
	m->component_id = keep_id(m, segments, count);
}

void
suit_author_set_version(struct suit_author *m, const int64_t *version, size_t count)
{
	struct cb b;

	cb_init(&b, m->a);
	cb_array(&b, count);
	for (size_t i = 0; i < count; i++)
		cb_int(&b, version[i]);
	m->set_version = cb_end(&b, &m->err);
}

void
suit_author_coswid(struct suit_author *m, mst_span tag)
{
	m->coswid = tag;
}

unsigned
suit_author_component(struct suit_author *m, const mst_span *segments, size_t count)
{
	struct author_id *id = keep_id(m, segments, count);

	if (id == NULL)
		return 0;
	*m->component_tail = id;
	m->component_tail = &id->next;
	return m->component_count++;
}

void
suit_author_dependency(struct suit_author *m, unsigned index, const mst_span *prefix, size_t count)
{
	struct author_dependency *d = author_new(m, sizeof *d);

	if (d == NULL)
		return;
	d->index = index;
	d->prefix = count > 0 ? keep_id(m, prefix, count) : NULL;
	d->next = m->dependency;
	m->dependency = d;
}

struct suit_seq *
suit_author_sequence(struct suit_author *m)
{
	static _Thread_local struct suit_seq nowhere;
	struct suit_seq *s = author_new(m, sizeof *s);

	if (s == NULL) { /* latched: what is put there is lost, build refuses */
		nowhere = (struct suit_seq){ .m = m, .tail = &nowhere.first };
		return &nowhere;
	}
	*s = (struct suit_seq){ .m = m, .tail = &s->first };
	return s;
}

struct suit_seq *
suit_author_section(struct suit_author *m, int64_t key)
{
	struct author_section *s;

	for (s = m->section; s != NULL; s = s->next)
		if (s->key == key)
			return s->seq;
	s = author_new(m, sizeof *s);
	if (s == NULL)
		return suit_author_sequence(m);
	if (key != SUIT_SHARED && !suit_is_section(key))
		author_fail(m, MST_E_INTERNAL);
	*s = (struct author_section){ .key = key, .seq = suit_author_sequence(m) };
	s->next = m->section;
	m->section = s;
	return s->seq;
}

static struct author_command *
put(struct suit_seq *s, int64_t code, enum author_form form)
{
	struct author_command *c = author_new(s->m, sizeof *c);

	if (c == NULL)
		return NULL;
	*c = (struct author_command){ .code = code, .form = form };
	*s->tail = c;
	s->tail = &c->next;
	s->last = c;
	return c;
}

void
suit_put(struct suit_seq *s, int64_t code, unsigned policy)
{
	suit_put_raw(s, code, cb_one_uint(s->m->a, policy));
}

void
suit_put_raw(struct suit_seq *s, int64_t code, mst_span item)
{
	struct author_command *c = put(s, code, FORM_ITEM);

	if (c != NULL)
		c->item = item;
	if (item.ptr == NULL)
		author_fail(s->m, MST_E_NOMEM);
}

void
suit_put_index(struct suit_seq *s, const unsigned *index, size_t count)
{
	struct cb b;
	mst_err e = MST_OK;

	cb_init(&b, s->m->a);
	if (count == 0)
		cb_bool(&b, true);
	else if (count > 1)
		cb_array(&b, count);
	for (size_t i = 0; i < count; i++)
		cb_uint(&b, index[i]);
	suit_put_raw(s, 12, cb_end(&b, &e));
}

void
suit_put_parameters(struct suit_seq *s, int64_t code)
{
	struct author_command *c = put(s, code, FORM_PARAMETERS);
	struct author_set *set = author_new(s->m, sizeof *set);

	if (c == NULL || set == NULL)
		return;
	cb_pairs_init(&set->params, s->m->a);
	c->set = set;
}

void
suit_put_multiple(struct suit_seq *s, unsigned index)
{
	struct author_command *c = s->last;
	struct author_set *set = author_new(s->m, sizeof *set);

	if (c == NULL || c->form != FORM_MULTIPLE)
		c = put(s, 34, FORM_MULTIPLE);
	if (c == NULL || set == NULL)
		return;
	set->index = index;
	cb_pairs_init(&set->params, s->m->a);
	set->next = c->set;
	c->set = set; /* the latest is filled */
}

void
suit_param_raw(struct suit_seq *s, int64_t key, mst_span item)
{
	struct author_command *c = s->last;

	if (c == NULL || c->set == NULL) {
		author_fail(s->m, s->m->err != MST_OK ? s->m->err : MST_E_INTERNAL);
		return;
	}
	cb_pair_int(&c->set->params, key, item);
}

void
suit_param_uint(struct suit_seq *s, int64_t key, uint64_t value)
{
	suit_param_raw(s, key, cb_one_uint(s->m->a, value));
}

void
suit_param_int(struct suit_seq *s, int64_t key, int64_t value)
{
	suit_param_raw(s, key, cb_one_int(s->m->a, value));
}

void
suit_param_bytes(struct suit_seq *s, int64_t key, mst_span value)
{
	suit_param_raw(s, key, cb_one_bytes(s->m->a, value));
}

void
suit_param_text(struct suit_seq *s, int64_t key, mst_span value)
{
	mst_span item = cb_one_text(s->m->a, value);

	if (item.ptr == NULL)
		author_fail(s->m, MST_E_CBOR_UTF8);
	else
		suit_param_raw(s, key, item);
}

void
suit_param_bool(struct suit_seq *s, int64_t key, int value)
{
	suit_param_raw(s, key, value ? MST_LIT("\xf5") : MST_LIT("\xf4"));
}

mst_span
author_digest(struct arena *a, int64_t alg, mst_span digest, mst_err *e)
{
	struct cb b;

	cb_init(&b, a);
	cb_array(&b, 2);
	cb_int(&b, alg);
	cb_bytes(&b, digest);
	return cb_end(&b, e);
}

void
suit_param_digest(struct suit_seq *s, int64_t key, int64_t alg, mst_span digest)
{
	mst_err e = MST_OK;
	mst_span inner = author_digest(s->m->a, alg, digest, &e);

	if (suit_digest_len(alg) != digest.len)
		author_fail(s->m, MST_E_FW_VALUE);
	suit_param_bytes(s, key, inner);
}

void
suit_put_try(
    struct suit_seq *s, struct suit_seq *const *alternatives, size_t count, enum suit_try_end end)
{
	struct author_command *c = put(s, 15, FORM_TRY);

	if (c == NULL)
		return;
	c->inner = arena_alloc(s->m->a, count * sizeof(struct suit_seq *) + 1);
	c->inner_count = count;
	c->may = end == SUIT_TRY_MAY;
	if (c->inner == NULL)
		author_fail(s->m, MST_E_NOMEM);
	else
		memcpy(c->inner, alternatives, count * sizeof(struct suit_seq *));
}

void
suit_put_run(struct suit_seq *s, struct suit_seq *inner)
{
	struct author_command *c = put(s, 32, FORM_RUN);

	if (c == NULL)
		return;
	c->inner = author_new(s->m, sizeof(struct suit_seq *));
	c->inner_count = 1;
	if (c->inner != NULL)
		c->inner[0] = inner;
}

void
suit_author_text(struct suit_author *m, mst_span lang, const mst_span *component, size_t count,
    int64_t key, mst_span text)
{
	struct author_lang **l = &m->lang;
	struct author_about **about;
	mst_span id = component != NULL ? cb_one_id(m->a, component, count) : MST_NONE;

	while (*l != NULL && !mst_span_eq((*l)->tag, lang))
		l = &(*l)->next;
	if (*l == NULL) {
		*l = author_new(m, sizeof **l);
		if (*l == NULL)
			return;
		(*l)->tag = lang;
	}
	about = &(*l)->about;
	while (*about != NULL && !mst_span_eq((*about)->id, id))
		about = &(*about)->next;
	if (*about == NULL) {
		*about = author_new(m, sizeof **about);
		if (*about == NULL)
			return;
		(*about)->id = id;
		cb_pairs_init(&(*about)->texts, m->a);
	}
	id = cb_one_text(m->a, text);
	if (id.ptr == NULL)
		author_fail(m, MST_E_CBOR_UTF8);
	else
		cb_pair_int(&(*about)->texts, key, id);
}

void
suit_author_sever(struct suit_author *m, int64_t key)
{
	struct author_sever *s = author_new(m, sizeof *s);

	if (s == NULL)
		return;
	s->key = key;
	s->next = m->sever;
	m->sever = s;
	if (!suit_is_severable(key)) {
		suit_author_say("element %lld", (long long)key);
		author_fail(m, MST_E_FW_SEVERABLE);
	}
}

void
suit_author_integrate(struct suit_author *m, mst_span uri, mst_span bytes)
{
	struct author_payload *p = author_new(m, sizeof *p);

	if (p == NULL)
		return;
	p->uri = uri;
	p->bytes = bytes;
	p->next = m->payload;
	m->payload = p;
}

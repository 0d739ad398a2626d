/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/suit/suit_lint_impl.h"
#include "host/suit_cbor.h"
#include "host/suit_text.h"

#define M "suit-manifest "

static const struct place nowhere = { 0, NOWHERE, NOWHERE };

void
lint_say(struct linter *l, enum suit_level level, mst_err e, const char *rule, struct place at,
    const char *clause, const char *fmt, ...)
{
	struct suit_finding *f = arena_alloc(l->a, sizeof *f);
	char words[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	if (f == NULL)
		return;
	*f = (struct suit_finding){ .level = level,
		.err = e,
		.rule = rule,
		.section = at.section,
		.offset = at.offset,
		.component = at.component,
		.clause = clause,
		.words = arena_printf(l->a, "%s", words) };
	if (l->last != NULL)
		l->last->next = f;
	else
		l->out->first = f;
	l->last = f;
	if (level == SUIT_ERROR)
		l->out->errors++;
	else
		l->out->warnings++;
}

mst_span
lint_element(mst_span manifest, int64_t key)
{
	struct mst_cbor_reader r;
	int64_t k;

	mst_cbor_init(&r, manifest);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &k)) {
		mst_span raw = mst_cbor_raw(&r);

		if (k == key && r.err == MST_OK)
			return raw;
	}
	return MST_NONE;
}

static mst_span
bytes_of(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r) : MST_NONE;
}

mst_span
lint_section(const struct suit_envelope *env, int64_t key)
{
	mst_span item = lint_element(env->manifest, key), inline_one = bytes_of(item);

	if (item.ptr == NULL || inline_one.ptr != NULL)
		return inline_one;
	for (size_t i = 0; i < env->member_count; i++)
		if (env->member[i].name.ptr == NULL && env->member[i].key == key)
			return env->member[i].content;
	return MST_NONE;
}

void
lint_common(const struct suit_envelope *env, struct lint_common *out)
{
	mst_span common = bytes_of(lint_element(env->manifest, 3));
	struct mst_cbor_reader r;

	*out = (struct lint_common){ .dependencies = lint_element(common, 1),
		.components = lint_element(common, 2),
		.shared = bytes_of(lint_element(common, 4)) };
	mst_cbor_init(&r, out->components);
	mst_cbor_array(&r);
	for (; mst_cbor_more(&r); out->count++)
		mst_cbor_skip(&r);
}

mst_span
lint_component(const struct lint_common *c, size_t n)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, c->components);
	mst_cbor_array(&r);
	for (size_t i = 0; mst_cbor_more(&r); i++) {
		mst_span raw = mst_cbor_raw(&r);

		if (i == n && r.err == MST_OK)
			return raw;
	}
	return MST_NONE;
}

mst_span
lint_dependency(const struct lint_common *c, uint64_t index)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, c->dependencies);
	mst_cbor_map(&r);
	while (c->dependencies.ptr != NULL && mst_cbor_key(&r, &key)) {
		mst_span metadata = mst_cbor_raw(&r);

		if (r.err == MST_OK && (uint64_t)key == index)
			return lint_element(metadata, 1);
	}
	return MST_NONE;
}

/* --- form --- */

static void
judge_form(struct linter *l)
{
	mst_err e = suit_envelope_covers(l->env);
	const char *breach;
	size_t at;

	if (e != MST_OK)
		lint_say(l, SUIT_ERROR, e, "digest", nowhere, M "8.3", "%s", suit_author_why());
	if ((breach = cbs_breach(l->env->manifest, &at)) != NULL)
		lint_say(l, SUIT_ERROR, MST_E_FW_MANIFEST, "manifest-form", nowhere, M "8.1",
		    "%s, at offset %zu of the manifest", breach, at);
	if (l->env->block_count == 0)
		lint_say(l, SUIT_WARNING, MST_OK, "unsigned", nowhere, M "8.3",
		    "nobody has signed it yet");
	for (size_t i = 1; i < l->env->block_count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(suit_text_block(l->a, l->env->block[i]),
			        suit_text_block(l->a, l->env->block[k])) == 0)
				lint_say(l, SUIT_WARNING, MST_OK, "blocks-alike", nowhere, M "8.3",
				    "blocks %zu and %zu have the same algorithm and key name", k,
				    i);
	if (l->env->block_count > 8)
		lint_say(l, SUIT_WARNING, MST_OK, "blocks-many", nowhere, M "8.3",
		    "%zu authentication blocks; devices read 8", l->env->block_count);
}

/* Severed elements and what only stands beside (sheet 2, 6). */
static void
judge_members(struct linter *l)
{
	for (size_t i = 0; i < l->env->member_count; i++) {
		const struct suit_member *m = &l->env->member[i];
		struct place at = { m->key, NOWHERE, NOWHERE };
		uint8_t sum[SUIT_DIGEST_MAX];
		struct mst_buf b = MST_BUF(sum);
		const char *name = suit_text_section(l->a, m->key);
		mst_span item, digest;
		int64_t alg;

		if (m->name.ptr != NULL)
			continue;
		item = lint_element(l->env->manifest, m->key);
		if (item.ptr == NULL || bytes_of(item).ptr != NULL) {
			lint_say(l, SUIT_ERROR, MST_E_FW_ENVELOPE, "undeclared", at, M "8.6",
			    "%s stands in the envelope, but the manifest has no digest of it",
			    name);
			continue;
		}
		if (suit_digest_read(item, &alg, &digest) != MST_OK ||
		    suit_digest_wrapped(alg, m->content, &b) != MST_OK ||
		    !mst_span_eq(mst_buf_span(&b), digest)) {
			lint_say(l, SUIT_ERROR, MST_E_FW_DIGEST, "severed-digest", at, M "8.6",
			    "%s is not what the manifest's digest says", name);
			continue;
		}
		if (m->content.len <= digest.len + 4)
			lint_say(l, SUIT_WARNING, MST_OK, "severed-small", at, M "8.6",
			    "%s is %zu bytes; severing it saves nothing", name, m->content.len);
	}
}

/* Manifest and severed text (sheet 18). */
static void
judge_component_text(struct linter *l, mst_span id)
{
	struct lint_common c;

	lint_common(l->env, &c);
	for (size_t i = 0; i < c.count; i++)
		if (mst_span_eq(lint_component(&c, i), id))
			return;
	lint_say(l, SUIT_ERROR, MST_E_FW_MANIFEST, "text-component",
	    (struct place){ 23, NOWHERE, NOWHERE }, M "8.4.4",
	    "the text is about %s, which is no component", suit_text_id(l->a, id));
}

static void
judge_text(struct linter *l)
{
	struct place at = { 23, NOWHERE, NOWHERE };
	mst_span text = lint_section(l->env, 23);
	struct mst_cbor_reader r;

	if (text.ptr == NULL)
		return;
	if (bytes_of(lint_element(l->env->manifest, 23)).ptr != NULL)
		lint_say(l, SUIT_WARNING, MST_OK, "text-inline", at, M "8.6",
		    "text should be severed: no device reads it");
	mst_cbor_init(&r, text);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		(void)mst_cbor_text(&r);
		mst_cbor_map(&r);
		while (mst_cbor_more(&r)) {
			bool about = mst_cbor_peek(&r) == MST_CBOR_ARRAY;
			mst_span key = mst_cbor_raw(&r);

			if (about && r.err == MST_OK)
				judge_component_text(l, key);
			mst_cbor_skip(&r);
		}
	}
	if (mst_cbor_end(&r) != MST_OK)
		lint_say(l, SUIT_ERROR, MST_E_FW_MANIFEST, "text-form", at, M "8.4.4",
		    "the text is no map of languages with maps of texts");
}

/* --- sequence number (M 8.4.2) --- */

static bool
number_of(const struct suit_envelope *env, uint64_t *out)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, lint_element(env->manifest, 2));
	*out = mst_cbor_uint(&r);
	return mst_cbor_end(&r) == MST_OK;
}

static mst_err
judge_number(struct linter *l, mst_span before)
{
	struct suit_envelope *old = arena_alloc(l->a, sizeof *old);
	struct place at = { 2, NOWHERE, NOWHERE };
	uint64_t was, is;
	mst_err e;

	if (old == NULL)
		return MST_E_NOMEM;
	if ((e = suit_envelope_read(before, old)) != MST_OK)
		return e;
	if (!number_of(old, &was) || !number_of(l->env, &is))
		return MST_OK; /* the form's business */
	if (mst_span_eq(old->manifest, l->env->manifest))
		lint_say(l, SUIT_WARNING, MST_OK, "same-manifest", at, M "8.4.2",
		    "it is the very manifest it should follow");
	else if (is < was)
		lint_say(l, SUIT_ERROR, MST_E_FW_NUMBER, "number-lower", at, M "8.4.2",
		    "sequence number %llu is below %llu", (unsigned long long)is,
		    (unsigned long long)was);
	else if (is == was)
		lint_say(l, SUIT_ERROR, MST_E_FW_NUMBER, "number-reused", at, M "8.4.2",
		    "sequence number %llu is used by other content already",
		    (unsigned long long)is);
	return MST_OK;
}

/* --- components, and what goes with them --- */

static bool
is_plain_segment(mst_span s)
{
	if (s.len == 0 || mst_span_eq(s, MST_LIT(".")) || mst_span_eq(s, MST_LIT("..")))
		return false;
	return memchr(s.ptr, '/', s.len) == NULL && memchr(s.ptr, 0, s.len) == NULL;
}

static void
judge_components(struct linter *l)
{
	struct lint_common c;

	lint_common(l->env, &c);
	if (c.count == 0 && c.dependencies.ptr == NULL)
		lint_say(l, SUIT_WARNING, MST_OK, "components-missing",
		    (struct place){ 3, NOWHERE, NOWHERE }, M "8.4.5",
		    "it is about no component at all");
	for (size_t i = 0; i < c.count; i++) {
		struct place at = { 3, NOWHERE, (int)i };
		struct mst_cbor_reader r;
		bool text = true, any = false;

		mst_cbor_init(&r, lint_component(&c, i));
		mst_cbor_array(&r);
		while (mst_cbor_more(&r)) {
			mst_span s = mst_cbor_bytes(&r);

			any = true;
			/* one byte is a number, not a name */
			if (s.ptr != NULL && s.len != 1 && !is_plain_segment(s))
				text = false;
		}
		if (!any || !text)
			lint_say(l, SUIT_WARNING, MST_OK, "component-path", at,
			    "suit-update-management 8",
			    "%s can not be a path: a device that keeps components as files "
			    "refuses it",
			    suit_text_id(l->a, lint_component(&c, i)));
		for (size_t k = 0; k < i; k++)
			if (mst_span_eq(lint_component(&c, i), lint_component(&c, k)))
				lint_say(l, SUIT_WARNING, MST_OK, "component-twice", at, M "8.4.5",
				    "components %zu and %zu are the same", k, i);
	}
}

static void
judge_sections(struct linter *l)
{
	static const int64_t update[] = { 15, 16, 18, 20 };
	bool changes = false;

	for (size_t i = 0; i < sizeof update / sizeof update[0]; i++)
		changes = changes || lint_element(l->env->manifest, update[i]).ptr != NULL;
	if (changes && lint_element(l->env->manifest, 7).ptr == NULL)
		lint_say(l, SUIT_WARNING, MST_OK, "validate-missing",
		    (struct place){ 7, NOWHERE, NOWHERE }, M "8.4.6",
		    "there is no validate section: what was installed is not checked at boot, and "
		    "the new image is never confirmed");
	if (!changes && lint_element(l->env->manifest, 9).ptr == NULL &&
	    lint_element(l->env->manifest, 7).ptr == NULL &&
	    lint_element(l->env->manifest, 24).ptr == NULL)
		lint_say(l, SUIT_WARNING, MST_OK, "sections-missing", nowhere, M "8.4.6",
		    "no section does anything");
}

mst_err
suit_lint(
    struct arena *a, mst_span envelope, const struct suit_lint_want *want, struct suit_lint *out)
{
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct linter l = { .a = a, .env = env, .out = out };
	mst_err e;

	*out = (struct suit_lint){ NULL, 0, 0 };
	if (env == NULL)
		return MST_E_NOMEM;
	if ((e = suit_envelope_read(envelope, env)) != MST_OK) {
		lint_say(
		    &l, SUIT_ERROR, e, "envelope-form", nowhere, M "8.2", "%s", suit_author_why());
		return MST_OK;
	}
	if (want->before.ptr != NULL && (e = judge_number(&l, want->before)) != MST_OK)
		return e;
	if ((e = lint_device(&l)) != MST_OK)
		return e;
	judge_form(&l);
	judge_members(&l);
	judge_components(&l);
	judge_sections(&l);
	lint_flow(&l);
	judge_text(&l);
	if (want->capability.ptr != NULL && (e = lint_capability(&l, want->capability)) != MST_OK)
		return e;
	return MST_OK;
}

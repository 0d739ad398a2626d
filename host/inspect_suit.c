/* SPDX-License-Identifier: Apache-2.0 */
/* SUIT envelopes and reports, line by line. What is said of them is read, not believed. */
#include <string.h>

#include "host/inspect_impl.h"
#include "host/suit_cbor.h"
#include "host/suit_envelope.h"
#include "host/suit_text.h"

#define NESTING_MAX 6
#define M "suit-manifest "

static const char *
number(struct arena *a, uint64_t n)
{
	return arena_printf(a, "%llu", (unsigned long long)n);
}

/* --- commands --- */

/*
 * "install@5", and inside of it "install@5/0@12": the first alternative's first
 * command. Offsets count from the beginning of the section's array, as in
 * reports and refusals.
 */
static void
say_sequence(
    struct report *r, const char *where, mst_span sequence, const uint8_t *base, unsigned depth)
{
	struct suit_commands w;
	struct suit_one one;

	if (depth > NESTING_MAX || !suit_commands_begin(&w, sequence)) {
		report_check(r, where, OUTCOME_BAD, MST_E_FW_MANIFEST, M "8.4.6",
		    "no array of commands and arguments");
		return;
	}
	while (suit_commands_next(&w, &one)) {
		const struct suit_word *word = suit_word(SUIT_LIST_COMMAND, one.code);
		const char *name =
		    arena_printf(r->a, "%s@%zu", where, (size_t)(sequence.ptr - base) + one.offset);
		const char *argument = suit_text_argument(r->a, one.code, one.item);
		mst_span inner;

		report_text(r, name,
		    arena_printf(r->a, "%s%s%s", suit_text_command(r->a, one.code),
		        argument[0] != '\0' ? " " : "", argument),
		    word != NULL ? word->clause : M "8.4.11",
		    word != NULL ? word->words : "a command of somebody's own");
		if (one.code != 15 && one.code != 32)
			continue;
		for (size_t i = 0; i < 64 && (inner = suit_commands_inner(&one, i)).ptr != NULL;
		     i++)
			say_sequence(
			    r, arena_printf(r->a, "%s/%zu", name, i), inner, base, depth + 1);
	}
	if (w.left != 0)
		report_check(r, where, OUTCOME_BAD, MST_E_FW_MANIFEST, M "8.4.6",
		    "a command or argument that can not be read");
}

/* --- common --- */

static void
say_dependencies(struct report *r, struct mst_cbor_reader *c)
{
	int64_t index, key;

	mst_cbor_map(c);
	while (mst_cbor_key(c, &index)) {
		const char *prefix = "";

		mst_cbor_map(c);
		while (mst_cbor_key(c, &key)) {
			mst_span raw = mst_cbor_raw(c);

			if (c->err == MST_OK && key == 1)
				prefix = suit_text_id(r->a, raw);
		}
		if (c->err == MST_OK)
			report_text(r, arena_printf(r->a, "dependency %lld", (long long)index),
			    prefix[0] != '\0' ? prefix : "(no prefix)", "suit-trust-domains 5.2.2",
			    "another manifest that this one needs");
	}
}

static void
say_components(struct report *r, struct mst_cbor_reader *c)
{
	mst_cbor_array(c);
	for (size_t i = 0; mst_cbor_more(c); i++) {
		mst_span id = mst_cbor_raw(c);

		if (c->err == MST_OK)
			report_text(r, arena_printf(r->a, "component %zu", i),
			    suit_text_id(r->a, id), M "8.4.5.1", NULL);
	}
}

static void
say_common(struct report *r, mst_span common)
{
	struct mst_cbor_reader c;
	mst_span shared = MST_NONE;
	int64_t key;

	mst_cbor_init(&c, common);
	mst_cbor_map(&c);
	while (mst_cbor_key(&c, &key)) {
		if (key == 1)
			say_dependencies(r, &c);
		else if (key == 2)
			say_components(r, &c);
		else if (key == 4)
			shared = mst_cbor_bytes(&c);
		else
			mst_cbor_skip(&c);
	}
	if (shared.ptr != NULL)
		say_sequence(r, "shared", shared, shared.ptr, 0);
	if (mst_cbor_end(&c) != MST_OK)
		report_check(r, "common", OUTCOME_BAD, MST_E_FW_MANIFEST, M "8.4.5",
		    "it can not be read to its end");
}

/* --- text --- */

static void
say_texts_of(struct report *r, struct mst_cbor_reader *t, const char *where, enum suit_list list)
{
	mst_cbor_map(t);
	while (mst_cbor_more(t)) {
		const struct suit_word *w;
		int64_t key;

		if (mst_cbor_peek(t) == MST_CBOR_ARRAY) {
			const char *id = suit_text_id(r->a, mst_cbor_raw(t));

			if (t->err == MST_OK && list == SUIT_LIST_TEXT)
				say_texts_of(r, t, arena_printf(r->a, "%s %s", where, id),
				    SUIT_LIST_COMPONENT_TEXT);
			else
				mst_cbor_skip(t);
			continue;
		}
		key = mst_cbor_int(t);
		w = suit_word(list, key);
		if (mst_cbor_peek(t) != MST_CBOR_TEXT) {
			mst_cbor_skip(t);
			continue;
		}
		report_span(r,
		    arena_printf(
		        r->a, "%s %s", where, w != NULL ? w->name : number(r->a, (uint64_t)key)),
		    mst_cbor_text(t), w != NULL ? w->clause : M "8.4.4",
		    "for people; no device reads it");
	}
}

static void
say_text(struct report *r, mst_span text)
{
	struct mst_cbor_reader t;

	mst_cbor_init(&t, text);
	mst_cbor_map(&t);
	while (mst_cbor_more(&t)) {
		mst_span lang = mst_cbor_text(&t);

		if (t.err != MST_OK)
			break;
		say_texts_of(r, &t,
		    arena_printf(r->a, "text %.*s", (int)lang.len, (const char *)lang.ptr),
		    SUIT_LIST_TEXT);
	}
	if (mst_cbor_end(&t) != MST_OK)
		report_check(r, "text", OUTCOME_WARN, MST_E_FW_MANIFEST, M "8.4.4",
		    "it can not be read to its end");
}

/* --- the manifest --- */

static const struct suit_member *
member(const struct suit_envelope *env, int64_t key)
{
	for (size_t i = 0; i < env->member_count; i++)
		if (env->member[i].name.ptr == NULL && env->member[i].key == key)
			return &env->member[i];
	return NULL;
}

static void
say_content(struct report *r, int64_t key, mst_span content)
{
	if (suit_is_section(key))
		say_sequence(r, suit_text_section(r->a, key), content, content.ptr, 0);
	else if (key == 23)
		say_text(r, content);
	else
		report_text(r, suit_text_section(r->a, key),
		    arena_printf(r->a, "%zu bytes", content.len), "suit-update-management 3.2",
		    "a concise software identity tag");
}

/* A digest stands in for it; the element itself may be in the envelope (M 8.6). */
static void
say_severed(struct report *r, const struct suit_envelope *env, int64_t key, mst_span item)
{
	const struct suit_member *m = member(env, key);
	const char *name = arena_printf(r->a, "%s severed", suit_text_section(r->a, key));
	uint8_t sum[SUIT_DIGEST_MAX];
	struct mst_buf b = MST_BUF(sum);
	mst_span digest;
	int64_t alg;

	report_text(r, name, suit_text_digest(r->a, item), M "8.6",
	    m != NULL ? "it stands beside the manifest" : "it has been taken away");
	if (m == NULL)
		return;
	if (suit_digest_read(item, &alg, &digest) != MST_OK ||
	    suit_digest_wrapped(alg, m->content, &b) != MST_OK ||
	    !mst_span_eq(digest, mst_buf_span(&b)))
		report_check(r, name, OUTCOME_BAD, MST_E_FW_DIGEST, M "8.6",
		    "what stands beside the manifest is not what its digest says");
	else
		report_check(r, name, OUTCOME_OK, MST_OK, M "8.6", "its digest holds");
	say_content(r, key, m->content);
}

static void
say_versions(struct report *r, mst_span content)
{
	/* as parameter 28's value, whose array stands in an array with a comparison */
	struct arena *a = r->a;
	struct cb b;
	mst_err e = MST_OK;
	const char *text;
	mst_span item;

	cb_init(&b, a);
	cb_array(&b, 2);
	cb_uint(&b, 3);
	cb_raw(&b, content);
	item = cb_one_bytes(a, cb_end(&b, &e));
	text = suit_text_value(a, 28, item);
	report_text(r, "set-version", text[0] == '=' ? text + 1 : text,
	    "suit-update-management 3.1", "of the set of components");
}

static void
say_element(
    struct report *r, const struct suit_envelope *env, int64_t key, struct mst_cbor_reader *m)
{
	const struct suit_word *w = suit_word(SUIT_LIST_MANIFEST, key);
	mst_span raw = mst_cbor_raw(m), s = MST_NONE;
	struct mst_cbor_reader v;

	if (m->err != MST_OK)
		return;
	mst_cbor_init(&v, raw);
	if (w == NULL) {
		report_check(r, arena_printf(r->a, "element %lld", (long long)key), OUTCOME_BAD,
		    MST_E_FW_MANIFEST, M "8.4", "it is not registered");
		return;
	}
	if (mst_cbor_peek(&v) == MST_CBOR_UINT) {
		report_text(r, w->name, number(r->a, mst_cbor_uint(&v)), w->clause, w->words);
		return;
	}
	if (mst_cbor_peek(&v) == MST_CBOR_TEXT) {
		report_span(r, w->name, mst_cbor_text(&v), w->clause, w->words);
		return;
	}
	if (mst_cbor_peek(&v) == MST_CBOR_BYTES)
		s = mst_cbor_bytes(&v);
	if (key == 5)
		report_text(r, w->name, suit_text_id(r->a, raw), w->clause, w->words);
	else if (s.ptr == NULL && suit_is_severable(key))
		say_severed(r, env, key, raw);
	else if (key == 3)
		say_common(r, s);
	else if (key == 6)
		say_versions(r, s);
	else if (s.ptr != NULL)
		say_content(r, key, s);
	else
		report_check(r, w->name, OUTCOME_BAD, MST_E_FW_MANIFEST, w->clause,
		    "it is not of the type that stands here");
}

/* Sheet 2: nothing authenticates an element that the manifest does not have, or has inline. */
static void
judge_undeclared(struct report *r, const struct suit_envelope *env)
{
	for (size_t i = 0; i < env->member_count; i++) {
		const struct suit_member *m = &env->member[i];
		struct mst_cbor_reader c;
		bool declared = m->name.ptr != NULL;
		int64_t key;

		mst_cbor_init(&c, env->manifest);
		mst_cbor_map(&c);
		while (!declared && mst_cbor_key(&c, &key)) {
			declared = key == m->key && mst_cbor_peek(&c) == MST_CBOR_ARRAY;
			mst_cbor_skip(&c);
		}
		if (!declared)
			report_check(r, suit_text_section(r->a, m->key), OUTCOME_BAD,
			    MST_E_FW_ENVELOPE, M "8.6",
			    "it stands in the envelope without a digest in the manifest: nobody "
			    "signed it");
	}
}

static void
say_manifest(struct report *r, const struct suit_envelope *env)
{
	struct mst_cbor_reader m;
	const char *breach;
	int64_t key;
	size_t at;

	mst_cbor_init(&m, env->manifest);
	mst_cbor_map(&m);
	while (mst_cbor_key(&m, &key))
		say_element(r, env, key, &m);
	breach = cbs_breach(env->manifest, &at);
	if (breach != NULL || mst_cbor_end(&m) != MST_OK)
		report_check(r, "manifest", OUTCOME_BAD, MST_E_FW_MANIFEST, M "8.1",
		    arena_printf(r->a, "%s, at its offset %zu",
		        breach != NULL ? breach : "not the map it should be", at));
	else
		report_check(r, "manifest", OUTCOME_OK, MST_OK, M "8.1", "of the strict form");
	judge_undeclared(r, env);
}

/* --- the envelope --- */

static void
say_payloads(struct report *r, const struct suit_envelope *env)
{
	json_t *more = json_array(), *one;

	for (size_t i = 0; i < env->member_count; i++) {
		const struct suit_member *m = &env->member[i];
		uint8_t sum[SUIT_DIGEST_MAX];
		struct mst_buf b = MST_BUF(sum);

		if (m->name.ptr == NULL)
			continue;
		if (suit_digest_bytes(-16, m->content, &b) != MST_OK)
			b.len = 0;
		report_text(r,
		    arena_printf(r->a, "payload %.*s", (int)m->name.len, (const char *)m->name.ptr),
		    arena_printf(r->a, "%zu bytes, sha-256:%s", m->content.len,
		        text_hex(r->a, mst_buf_span(&b))),
		    M "8.5", "integrated; only an image-match protects it");
		if (m->content.len > 2 &&
		    inspect_inside(r->a, m->content, r->o, r->depth + 1, &one) == MST_OK) {
			if (strcmp(json_string_value(json_object_get(one, "kind")),
			        "suit-envelope") == 0)
				json_array_append_new(more, one);
			else
				json_decref(one);
		}
	}
	if (json_array_size(more) > 0)
		json_object_set_new(r->top, "more", more);
	else
		json_decref(more);
}

static bool
looks_like_envelope(mst_span bytes)
{
	struct mst_cbor_reader r;
	unsigned found = 0;

	mst_cbor_init(&r, bytes);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG && mst_cbor_tag(&r) == 107)
		return true;
	if (mst_cbor_peek(&r) != MST_CBOR_MAP)
		return false;
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		int64_t key = 0;

		if (mst_cbor_peek(&r) == MST_CBOR_UINT)
			key = mst_cbor_int(&r);
		else
			mst_cbor_skip(&r);
		if ((key == 2 || key == 3) && mst_cbor_peek(&r) == MST_CBOR_BYTES) {
			mst_span inside = mst_cbor_bytes(&r);
			unsigned major = inside.len > 0 ? inside.ptr[0] >> 5 : 0;

			found |= major == (key == 2 ? 4u : 5u) ? 1u << key : 0; /* array, map */
			continue;
		}
		mst_cbor_skip(&r);
	}
	return r.err == MST_OK && found == (1u << 2 | 1u << 3);
}

static void
say_authentication(struct report *r, const struct suit_envelope *env)
{
	mst_err e = suit_envelope_covers(env);

	report_text(r, "digest", suit_text_digest(r->a, env->digest), M "8.3",
	    "of the manifest; what signatures cover");
	for (size_t i = 0; i < env->block_count; i++)
		report_text(r, arena_printf(r->a, "block %zu", i),
		    suit_text_block(r->a, env->block[i]), M "8.3", "a signature or MAC");
	report_verdict(r, "digest", e, M "8.3", "it is that of the manifest", NULL);
	report_check(r, "signatures", OUTCOME_OPEN, MST_OK, M "8.3",
	    env->block_count > 0 ? "not judged here: muster fw dry-run --anchor KEY does"
	                         : "there is none: no device takes it before muster fw sign");
}

mst_err
inspect_suit(struct report *r, mst_span bytes, const char *encoding)
{
	struct suit_envelope *env;

	if (!looks_like_envelope(bytes))
		return MST_E_CONTENT_UNKNOWN;
	if ((env = arena_alloc(r->a, sizeof *env)) == NULL)
		return MST_E_NOMEM;
	report_kind(r, "suit-envelope", "suit+cbor", encoding);
	report_text(r, "size", arena_printf(r->a, "%zu bytes", bytes.len), NULL, NULL);
	if (suit_envelope_read(bytes, env) != MST_OK) {
		report_check(r, "envelope", OUTCOME_BAD, MST_E_FW_ENVELOPE, M "8.2",
		    arena_printf(r->a, "%s", suit_author_why()));
		return MST_OK;
	}
	report_text(r, "tag", env->tagged ? "107" : "none", M "8.2",
	    env->tagged ? "SUIT_Envelope" : "as TEEP embeds it");
	say_authentication(r, env);
	say_manifest(r, env);
	say_payloads(r, env);
	return MST_OK;
}

/* --- reports --- */

/* [ id, section, offset, component, {parameter: value} ] */
static void
say_record(struct report *r, const char *name, mst_span record)
{
	struct mst_cbor_reader c;
	const char *path = "", *measured = "";
	int64_t section, key;
	uint64_t offset, index;

	mst_cbor_init(&c, record);
	mst_cbor_array(&c);
	mst_cbor_array(&c);
	while (mst_cbor_more(&c)) {
		uint64_t n = mst_cbor_uint(&c);

		if (c.err == MST_OK)
			path =
			    arena_printf(r->a, "%sdependency %llu, ", path, (unsigned long long)n);
	}
	section = mst_cbor_int(&c);
	offset = mst_cbor_uint(&c);
	index = mst_cbor_uint(&c);
	mst_cbor_map(&c);
	while (mst_cbor_key(&c, &key)) {
		mst_span raw = mst_cbor_raw(&c);

		if (c.err == MST_OK)
			measured = arena_printf(r->a, "%s %s=%s", measured,
			    suit_text_parameter(r->a, key), suit_text_value(r->a, key, raw));
	}
	mst_cbor_leave(&c);
	if (mst_cbor_end(&c) != MST_OK) {
		report_check(r, name, OUTCOME_BAD, MST_E_SUIT_REPORT_RECORD, "suit-report 3",
		    "no record: [ id, section, offset, component, {properties} ]");
		return;
	}
	report_text(r, name,
	    arena_printf(r->a, "%s%s@%llu component %llu%s", path, suit_text_section(r->a, section),
	        (unsigned long long)offset, (unsigned long long)index, measured),
	    "suit-report 3", "a command, and what was measured");
}

/* {0: component-id, + parameter: value} */
static void
say_claims(struct report *r, const char *name, mst_span claims)
{
	struct mst_cbor_reader c;
	const char *text = "";
	int64_t key;

	mst_cbor_init(&c, claims);
	mst_cbor_map(&c);
	while (mst_cbor_key(&c, &key)) {
		mst_span raw = mst_cbor_raw(&c);

		if (c.err == MST_OK && key == 0)
			text = arena_printf(r->a, "%s%s", suit_text_id(r->a, raw), text);
		else if (c.err == MST_OK)
			text = arena_printf(r->a, "%s %s=%s", text, suit_text_parameter(r->a, key),
			    suit_text_value(r->a, key, raw));
	}
	report_text(r, name, text, "suit-report 3", "what a component is");
}

static void
say_result(struct report *r, struct mst_cbor_reader *c)
{
	int64_t key;

	if (mst_cbor_peek(c) == MST_CBOR_BOOL) {
		bool ok = mst_cbor_bool(c);

		report_text(r, "result", ok ? "true" : "false", "suit-report 4.2",
		    ok ? "all of it succeeded" : "false is no result of this format");
		return;
	}
	mst_cbor_map(c);
	while (mst_cbor_key(c, &key)) {
		const struct suit_word *w;

		if (key == 6) {
			say_record(r, "result record", mst_cbor_raw(c));
			continue;
		}
		if (mst_cbor_peek(c) != MST_CBOR_UINT && mst_cbor_peek(c) != MST_CBOR_NINT) {
			mst_cbor_skip(c);
			continue;
		}
		if (key == 7) {
			int64_t reason = mst_cbor_int(c);

			w = suit_word(SUIT_LIST_REASON, reason);
			report_text(r, "result reason",
			    w != NULL ? w->name : arena_printf(r->a, "%lld", (long long)reason),
			    "suit-report 4.2", "why it failed");
		} else {
			report_text(r, "result code",
			    arena_printf(r->a, "%lld", (long long)mst_cbor_int(c)),
			    "suit-report 4.2", "of the device's own");
		}
	}
}

static void
say_records(struct report *r, struct mst_cbor_reader *c)
{
	mst_cbor_array(c);
	for (size_t i = 0; mst_cbor_more(c); i++) {
		bool record = mst_cbor_peek(c) == MST_CBOR_ARRAY;
		const char *name = arena_printf(r->a, "%s %zu", record ? "record" : "claims", i);
		mst_span raw = mst_cbor_raw(c);

		if (c->err != MST_OK)
			break;
		if (record)
			say_record(r, name, raw);
		else
			say_claims(r, name, raw);
	}
}

static void
say_reference(struct report *r, struct mst_cbor_reader *c)
{
	mst_span uri, digest;

	mst_cbor_array(c);
	uri = mst_cbor_text(c);
	digest = mst_cbor_raw(c);
	mst_cbor_leave(c);
	if (c->err != MST_OK)
		return;
	report_span(r, "reference uri", uri, "suit-report 4", "of the manifest");
	report_text(r, "reference digest", suit_text_digest(r->a, digest), "suit-report 4",
	    "of the manifest, as in its wrapper");
}

static bool
looks_like_report(mst_span bytes)
{
	struct mst_cbor_reader c;
	bool reference = false, result = false;
	int64_t key;

	mst_cbor_init(&c, bytes);
	if (mst_cbor_peek(&c) != MST_CBOR_MAP)
		return false;
	mst_cbor_map(&c);
	while (mst_cbor_key(&c, &key)) {
		reference = reference || (key == 99 && mst_cbor_peek(&c) == MST_CBOR_ARRAY);
		result = result || key == 4;
		mst_cbor_skip(&c);
	}
	return mst_cbor_end(&c) == MST_OK && reference && result;
}

/* The payload of a COSE_Sign1 or COSE_Mac0 that has one. */
static bool
protected_report(mst_span bytes, const char **format, mst_span *payload)
{
	struct mst_cbor_reader c;
	uint64_t tag = 18;

	mst_cbor_init(&c, bytes);
	if (mst_cbor_peek(&c) == MST_CBOR_TAG)
		tag = mst_cbor_tag(&c);
	*format = tag == 18 ? "suit-report+cose-sign1" : "suit-report+cose-mac0";
	if ((tag != 18 && tag != 17) || mst_cbor_peek(&c) != MST_CBOR_ARRAY)
		return false;
	mst_cbor_array(&c);
	mst_cbor_skip(&c);
	mst_cbor_skip(&c);
	*payload = mst_cbor_bytes(&c);
	mst_cbor_skip(&c);
	mst_cbor_leave(&c);
	return mst_cbor_end(&c) == MST_OK && looks_like_report(*payload);
}

mst_err
inspect_suit_report(struct report *r, mst_span bytes, const char *encoding)
{
	const char *format = "suit-report+cbor";
	mst_span content = bytes;
	struct mst_cbor_reader c;
	int64_t key;

	if (!looks_like_report(bytes) && !protected_report(bytes, &format, &content))
		return MST_E_CONTENT_UNKNOWN;
	report_kind(r, "suit-report", format, encoding);
	mst_cbor_init(&c, content);
	mst_cbor_map(&c);
	while (mst_cbor_key(&c, &key)) {
		if (key == 99)
			say_reference(r, &c);
		else if (key == 2)
			report_hex(
			    r, "nonce", mst_cbor_bytes(&c), "suit-report 4", "of whoever asked");
		else if (key == 3)
			say_records(r, &c);
		else if (key == 4)
			say_result(r, &c);
		else {
			mst_span raw = mst_cbor_raw(&c);

			report_text(r, key == 8 ? "capability-report" : number(r->a, (uint64_t)key),
			    arena_printf(r->a, "%zu bytes", raw.len), "suit-report 6", NULL);
		}
	}
	if (content.ptr != bytes.ptr)
		report_check(r, "signature", OUTCOME_OPEN, MST_OK, "suit-report 7",
		    "not judged here: muster fw report verify --anchor KEY does");
	else
		report_check(r, "signature", OUTCOME_WARN, MST_OK, "suit-report 7",
		    "a report that nobody signed");
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Can this device do what the manifest asks of it (suit-report 6)? */
#include <string.h>

#include "host/suit/suit_lint_impl.h"
#include "host/suit_cbor.h"
#include "host/suit_text.h"

#define NESTING 8

struct capable {
	struct linter *l;
	mst_span components, commands, parameters, algorithms;
	int64_t section;
	const uint8_t *base;
};

/* Those that every processor has need not be reported (M 8.5, suit-report 6). */
static bool
is_given(const int64_t *list, size_t count, int64_t n)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == n)
			return true;
	return false;
}
static const int64_t given_commands[] = { 1, 2, 3, 12, 20, 21, 23 };
static const int64_t given_parameters[] = { 1, 2, 3, 14, 21 };
static const int64_t given_algorithms[] = { -16 };
#define GIVEN(list, n) is_given(list, sizeof(list) / sizeof((list)[0]), n)

static bool
lists(mst_span list, int64_t n)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, list);
	mst_cbor_array(&r);
	while (mst_cbor_more(&r)) {
		int64_t one = mst_cbor_int(&r);

		if (r.err != MST_OK)
			return false;
		if (one == n)
			return true;
	}
	return false;
}

/* [*bstr, ?true] against an identifier: the same, or with true its beginning. */
static bool
matches(mst_span capability, mst_span id)
{
	struct mst_cbor_reader c, i;

	mst_cbor_init(&c, capability);
	mst_cbor_init(&i, id);
	mst_cbor_array(&c);
	mst_cbor_array(&i);
	while (mst_cbor_more(&c)) {
		if (mst_cbor_peek(&c) == MST_CBOR_BOOL)
			return mst_cbor_bool(&c) && c.err == MST_OK;
		if (!mst_cbor_more(&i) || !mst_span_eq(mst_cbor_bytes(&c), mst_cbor_bytes(&i)))
			return false;
	}
	return c.err == MST_OK && i.err == MST_OK && !mst_cbor_more(&i);
}

static bool
has_component(const struct capable *k, mst_span id)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, k->components);
	mst_cbor_array(&r);
	while (mst_cbor_more(&r)) {
		mst_span one = mst_cbor_raw(&r);

		if (r.err == MST_OK && matches(one, id))
			return true;
	}
	return false;
}

static void
lacks(struct capable *k, const char *rule, struct place at, const char *what, const char *name)
{
	lint_say(k->l, SUIT_ERROR, MST_E_FW_CAPABILITY, rule, at, "suit-report 6",
	    "the device does not report %s %s", what, name);
}

static void
parameters(struct capable *k, struct place at, mst_span map)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		mst_cbor_skip(&r);
		if (!GIVEN(given_parameters, key) && !lists(k->parameters, key))
			lacks(k, "capability-parameter", at, "parameter",
			    suit_text_parameter(k->l->a, key));
	}
}

static void
sequence(struct capable *k, mst_span bytes, unsigned depth)
{
	struct suit_commands w;
	struct suit_one one;
	mst_span inner;

	if (depth > NESTING || !suit_commands_begin(&w, bytes))
		return;
	while (suit_commands_next(&w, &one)) {
		struct place at = { k->section,
			(int64_t)(bytes.ptr - k->base) + (int64_t)one.offset, NOWHERE };
		struct mst_cbor_reader r;
		int64_t index;

		if (!GIVEN(given_commands, one.code) && !lists(k->commands, one.code))
			lacks(k, "capability-command", at, "command",
			    suit_text_command(k->l->a, one.code));
		if (one.code == 19 || one.code == 20)
			parameters(k, at, one.item);
		mst_cbor_init(&r, one.item);
		mst_cbor_map(&r);
		while (one.code == 34 && mst_cbor_key(&r, &index))
			parameters(k, at, mst_cbor_raw(&r));
		for (size_t i = 0; i < 64 && (inner = suit_commands_inner(&one, i)).ptr != NULL;
		     i++)
			sequence(k, inner, depth + 1);
	}
}

static void
algorithm(struct capable *k, int64_t alg, const char *what)
{
	const struct suit_word *w = suit_word(SUIT_LIST_ALGORITHM, alg);

	if (w == NULL)
		w = suit_word(SUIT_LIST_DIGEST, alg);
	if (!GIVEN(given_algorithms, alg) && !lists(k->algorithms, alg))
		lacks(k, "capability-algorithm", (struct place){ 0, NOWHERE, NOWHERE }, what,
		    w != NULL ? w->name : arena_printf(k->l->a, "%lld", (long long)alg));
}

/* The algorithm of a block's protected header; 0. Several blocks: one that it can is enough. */
static int64_t
block_algorithm(mst_span block)
{
	struct mst_cbor_reader r, h;
	int64_t key, alg = 0;

	mst_cbor_init(&r, block);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		(void)mst_cbor_tag(&r);
	mst_cbor_array(&r);
	mst_cbor_init(&h, mst_cbor_bytes(&r));
	mst_cbor_map(&h);
	while (mst_cbor_key(&h, &key))
		if (key == 1 &&
		    (mst_cbor_peek(&h) == MST_CBOR_NINT || mst_cbor_peek(&h) == MST_CBOR_UINT))
			alg = mst_cbor_int(&h);
		else
			mst_cbor_skip(&h);
	return alg;
}

static void
algorithms(struct capable *k)
{
	const struct suit_envelope *env = k->l->env;
	mst_span digest;
	int64_t alg;
	bool any = false;

	if (suit_digest_read(env->digest, &alg, &digest) == MST_OK)
		algorithm(k, alg, "digest");
	for (size_t i = 0; i < env->block_count; i++)
		any = any || lists(k->algorithms, block_algorithm(env->block[i]));
	for (size_t i = 0; i < env->block_count && !any; i++)
		if (block_algorithm(env->block[i]) != 0)
			algorithm(k, block_algorithm(env->block[i]), "signature algorithm");
}

/* A SUIT_Report's element 8, or the report of capabilities itself. */
static mst_err
open_report(struct capable *k, mst_span report)
{
	mst_span inside = lint_element(report, 99).ptr != NULL ? lint_element(report, 8) : report;

	if (mst_cbor_validate(report) != MST_OK) {
		suit_author_say("the capability report is no CBOR");
		return MST_E_SUIT_REPORT_CAPABILITY;
	}
	k->components = lint_element(inside, 1);
	k->commands = lint_element(inside, 2);
	k->parameters = lint_element(inside, 3);
	k->algorithms = lint_element(inside, 4);
	if (k->components.ptr != NULL && k->commands.ptr != NULL && k->parameters.ptr != NULL &&
	    k->algorithms.ptr != NULL)
		return MST_OK;
	suit_author_say("a capability report has components, commands, parameters and algorithms");
	return MST_E_SUIT_REPORT_CAPABILITY;
}

mst_err
lint_capability(struct linter *l, mst_span report)
{
	struct capable k = { .l = l };
	struct lint_common common;
	mst_err e = open_report(&k, report);

	if (e != MST_OK)
		return e;
	lint_common(l->env, &common);
	for (size_t i = 0; i < common.count; i++)
		if (!has_component(&k, lint_component(&common, i)))
			lacks(&k, "capability-component", (struct place){ 3, NOWHERE, (int)i },
			    "component", suit_text_id(l->a, lint_component(&common, i)));
	k.section = 3;
	k.base = common.shared.ptr;
	if (common.shared.ptr != NULL)
		sequence(&k, common.shared, 0);
	for (int64_t key = 7; key <= 24; key++) {
		mst_span s = suit_is_section(key) ? lint_section(l->env, key) : MST_NONE;

		k.section = key;
		k.base = s.ptr;
		if (s.ptr != NULL)
			sequence(&k, s, 0);
	}
	algorithms(&k);
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lint that follows the commands in the order a device would run them: which
 * component is meant, what is set for it, and what was changed and not yet
 * looked at (sheet 5, 9, 10, 19, 23).
 */
#include <string.h>

#include "host/suit/suit_follow.h"

#define COMPONENTS FOLLOW_COMPONENTS
#define M "suit-manifest "

struct flow {
	struct linter *l;
	struct suit_follow f;
	uint64_t changed; /* components that were fetched or copied to and not looked at since */
	int64_t changed_at[COMPONENTS];
	uint64_t intact; /* dependencies after dependency-integrity */
	bool vendor, device_class; /* checked by the shared sequence */
};

static struct place
at(const struct flow *f, int component)
{
	return (struct place){ f->f.section, f->f.offset, component };
}

static bool
is_selected(const struct flow *f, size_t c)
{
	return (f->f.selected & suit_follow_bit(c)) != 0;
}

/* M 7, sheet 23 */
static void
judge_set(struct flow *f, const struct suit_one *one)
{
	if (f->f.section != 3 && lint_element(one->item, 3).ptr != NULL)
		lint_say(f->l, SUIT_WARNING, MST_OK, "digest-by-set", at(f, NOWHERE), M "7",
		    "image-digest is set by set-parameters: whoever set it before decides; "
		    "override-parameters does not leave that open");
}

static const struct suit_member *
payload(const struct flow *f, mst_span uri)
{
	for (size_t i = 0; i < f->l->env->member_count; i++)
		if (f->l->env->member[i].name.ptr != NULL &&
		    mst_span_eq(f->l->env->member[i].name, uri))
			return &f->l->env->member[i];
	return NULL;
}

/* An integrated payload is protected by image-match alone (sheet 19): is it what will match? */
static void
judge_payload(struct flow *f, size_t c, struct place place, const struct suit_member *m)
{
	uint8_t sum[SUIT_DIGEST_MAX];
	struct mst_buf b = MST_BUF(sum);
	mst_span digest;
	int64_t alg;

	if (f->f.known[c][3] != SUIT_SET || f->f.known[c][19] != SUIT_UNSET ||
	    (f->f.dependencies & suit_follow_bit(c)) != 0 ||
	    suit_digest_read(suit_bytes_of(f->f.value[c][3]), &alg, &digest) != MST_OK)
		return;
	if (suit_digest_bytes(alg, m->content, &b) == MST_OK &&
	    !mst_span_eq(mst_buf_span(&b), digest))
		lint_say(f->l, SUIT_ERROR, MST_E_FW_PAYLOAD, "payload-digest", place, M "8.5",
		    "payload %.*s is not what image-digest says", (int)m->name.len,
		    (const char *)m->name.ptr);
}

static void
judge_fetch(struct flow *f, size_t c, struct place place)
{
	mst_span uri = suit_text_of(f->f.value[c][21]);
	const struct suit_member *m;

	if (f->f.known[c][21] == SUIT_UNSET)
		lint_say(f->l, SUIT_WARNING, MST_OK, "uri-missing", place, M "8.4.10.4",
		    "fetch without a uri: a dependent manifest must set it");
	if (f->f.known[c][3] != SUIT_UNSET && f->f.known[c][14] == SUIT_UNSET)
		lint_say(f->l, SUIT_WARNING, MST_OK, "size-missing", place, M "8.4.8.7",
		    "image-digest without image-size: a device can not tell how much to take, nor "
		    "resume");
	if (f->f.known[c][21] != SUIT_SET || uri.ptr == NULL)
		return;
	m = payload(f, uri);
	if (uri.len > 0 && uri.ptr[0] == '#' && m == NULL)
		lint_say(f->l, SUIT_WARNING, MST_OK, "payload-missing", place, M "8.5",
		    "%.*s is not in the envelope", (int)uri.len, (const char *)uri.ptr);
	if (m != NULL)
		judge_payload(f, c, place, m);
	if (uri.len > 256)
		lint_say(f->l, SUIT_WARNING, MST_OK, "uri-long", place, M "8.4.8.10",
		    "a uri of %zu bytes; small devices take 256", uri.len);
}

/* Does the cipher itself tell a forgery (FE 4.3, 7)? */
static bool
is_aead(const struct flow *f, size_t c)
{
	const char *text;

	if (f->f.known[c][19] == SUIT_UNSET)
		return false;
	text = suit_text_encryption(f->l->a, suit_bytes_of(f->f.value[c][19]));
	return strstr(text, "gcm") == text + 4 || strncmp(text, "chacha20-", 9) == 0;
}

static void
judge_encryption(struct flow *f, size_t c, struct place place)
{
	if (f->f.known[c][19] == SUIT_UNSET || is_aead(f, c) || f->f.known[c][3] != SUIT_UNSET)
		return;
	lint_say(f->l, SUIT_WARNING, MST_OK, "cipher-without-digest", place,
	    "suit-firmware-encryption 4.3",
	    "the cipher does not authenticate, and no image-digest does");
}

static void
change(struct flow *f, const struct suit_one *one)
{
	for (size_t c = 0; c < COMPONENTS; c++) {
		struct place place = at(f, (int)c);

		if (!is_selected(f, c))
			continue;
		if (one->code == 21)
			judge_fetch(f, c, place);
		if ((one->code == 22 || one->code == 31) && f->f.known[c][22] == SUIT_UNSET)
			lint_say(f->l, SUIT_WARNING, MST_OK, "source-missing", place, M "8.4.10.5",
			    "%s without source-component", suit_text_command(f->l->a, one->code));
		judge_encryption(f, c, place);
		f->intact &= ~suit_follow_bit(c); /* TD 5.6.4: the result ends with a fetch */
		if (one->code != 31 && is_aead(f, c))
			continue; /* FE 7.3: the tag is checked while decrypting */
		f->changed |= suit_follow_bit(c);
		f->changed_at[c] = place.offset;
	}
}

/* A condition or directive whose parameter nobody set fails (M 8.4.9). */
static void
needs(struct flow *f, const struct suit_one *one, int64_t key)
{
	for (size_t c = 0; c < COMPONENTS; c++)
		if (is_selected(f, c) && f->f.known[c][key] == SUIT_UNSET)
			lint_say(f->l, SUIT_WARNING, MST_OK, "parameter-missing", at(f, (int)c),
			    M "8.4.9",
			    "%s without %s: it fails unless a dependent manifest sets it",
			    suit_text_command(f->l->a, one->code),
			    suit_text_parameter(f->l->a, key));
}

static void
process(struct flow *f)
{
	for (size_t c = 0; c < COMPONENTS; c++)
		if (is_selected(f, c) && (suit_follow_bit(c) & ~f->intact) != 0)
			lint_say(f->l, SUIT_WARNING, MST_OK, "integrity-missing", at(f, (int)c),
			    "suit-trust-domains 5.6.2",
			    "process-dependency without dependency-integrity before it: strict "
			    "devices abort");
}

static void
wait(struct flow *f)
{
	for (size_t c = 0; c < COMPONENTS; c++) {
		const char *text;

		if (!is_selected(f, c) || f->f.known[c][29] == SUIT_UNSET)
			continue;
		text = suit_text_value(f->l->a, 29, f->f.value[c][29]);
		if (strstr(text, "other-device-version") != NULL ||
		    strstr(text, "time-of-day:") != NULL || strstr(text, "day-of-week:") != NULL)
			lint_say(f->l, SUIT_WARNING, MST_OK, "wait-unsupported", at(f, (int)c),
			    "suit-update-management 4.5",
			    "%s: devices without a profile or time zone refuse it", text);
	}
}

static void
condition(struct flow *f, const struct suit_one *one)
{
	static const struct {
		int64_t code, parameter;
	} needed[] = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 5 }, { 6, 18 }, { 7, 3 },
		{ 24, 24 }, { 25, 3 }, { 26, 26 }, { 28, 28 }, { 18, 18 }, { 29, 29 } };

	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		if (needed[i].code == one->code)
			needs(f, one, needed[i].parameter);
	if (f->f.section == 3) {
		f->vendor = f->vendor || one->code == 1;
		f->device_class = f->device_class || one->code == 2;
	}
	if (one->code == 3 || one->code == 6 || one->code == 7)
		f->changed &= ~f->f.selected;
	if (one->code == 7)
		f->intact |= f->f.selected;
}

static void
visit(struct suit_follow *follow, const struct suit_one *one)
{
	struct flow *f = follow->ctx;

	condition(f, one);
	if (one->code == 11)
		process(f);
	else if (one->code == 19)
		judge_set(f, one);
	else if (one->code == 21 || one->code == 22 || one->code == 31)
		change(f, one);
	else if (one->code == 29)
		wait(f);
	else if (one->code < 0)
		lint_say(f->l, SUIT_WARNING, MST_OK, "custom-command", at(f, NOWHERE), M "8.4.11",
		    "custom command %lld: devices that do not know it refuse the manifest",
		    (long long)one->code);
}

static void
section_ends(struct suit_follow *follow)
{
	struct flow *f = follow->ctx;

	for (size_t c = 0; c < COMPONENTS; c++)
		if ((f->changed & suit_follow_bit(c)) != 0)
			lint_say(f->l, SUIT_WARNING, MST_OK, "image-match-missing",
			    (struct place){ follow->section, f->changed_at[c], (int)c }, M "7.3",
			    "nothing looks at the component after this: no image-match, "
			    "check-content or dependency-integrity follows");
	f->changed = 0;
}

/* The same finding of two procedures is said once. */
static void
once(struct linter *l)
{
	for (struct suit_finding *x = l->out->first; x != NULL; x = x->next)
		for (struct suit_finding **p = &x->next; *p != NULL;) {
			struct suit_finding *y = *p;

			if (strcmp(x->rule, y->rule) != 0 || x->section != y->section ||
			    x->offset != y->offset || x->component != y->component ||
			    strcmp(x->words, y->words) != 0) {
				p = &y->next;
				continue;
			}
			*p = y->next;
			if (y->level == SUIT_ERROR)
				l->out->errors--;
			else
				l->out->warnings--;
		}
	l->last = l->out->first;
	while (l->last != NULL && l->last->next != NULL)
		l->last = l->last->next;
}

static void
judge_unused(struct flow *f)
{
	for (size_t i = 0; i < f->l->env->member_count; i++) {
		mst_span name = f->l->env->member[i].name;

		if (name.len > 0 && memmem(f->l->env->manifest.ptr, f->l->env->manifest.len,
		                        name.ptr, name.len) == NULL) {
			bool severed = false;

			for (size_t k = 0; k < f->l->env->member_count && !severed; k++)
				severed = f->l->env->member[k].name.ptr == NULL &&
				          memmem(f->l->env->member[k].content.ptr,
				              f->l->env->member[k].content.len, name.ptr,
				              name.len) != NULL;
			if (!severed)
				lint_say(f->l, SUIT_WARNING, MST_OK, "payload-unused",
				    (struct place){ 0, NOWHERE, NOWHERE }, M "8.5",
				    "nothing fetches payload %.*s", (int)name.len,
				    (const char *)name.ptr);
		}
	}
}

void
lint_flow(struct linter *l)
{
	struct flow *f = arena_alloc(l->a, sizeof *f);

	if (f == NULL)
		return;
	f->l = l;
	f->f.visit = visit;
	f->f.section_ends = section_ends;
	f->f.ctx = f;
	suit_follow_init(&f->f, l->env);
	suit_follow(&f->f, suit_update, 5);
	f->intact = 0;
	suit_follow(&f->f, suit_invocation, 3);
	f->intact = 0;
	suit_follow(&f->f, suit_uninstall, 1);
	once(l);
	if (f->f.common.count > 0 && (!f->vendor || !f->device_class)) /* sheet 5 */
		lint_say(l, SUIT_WARNING, MST_OK,
		    f->vendor ? "class-check-missing" : "vendor-check-missing",
		    (struct place){ 3, NOWHERE, NOWHERE }, M "7.1",
		    "the shared sequence does not check %s: devices refuse that unless their rules "
		    "allow it",
		    f->vendor         ? "the class"
		    : f->device_class ? "the vendor"
		                      : "vendor and class");
	judge_unused(f);
}

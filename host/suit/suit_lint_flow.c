/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lint that follows the commands in the order a device would run them: which
 * component is meant, what is set for it, and what was changed and not yet
 * looked at (sheet 5, 9, 10, 19, 23).
 */
#include <string.h>

#include "host/suit/suit_lint_impl.h"
#include "host/suit_cbor.h"
#include "host/suit_text.h"

#define COMPONENTS 64 /* that are followed */
#define PARAMETERS 32
#define NESTING 8
#define M "suit-manifest "

enum known { UNSET, SET, UNSURE }; /* UNSURE: it depends on which alternative ran */

struct flow {
	struct linter *l;
	struct lint_common common;
	uint64_t all, dependencies; /* bits of indices */
	uint64_t selected;
	enum known known[COMPONENTS][PARAMETERS];
	mst_span value[COMPONENTS][PARAMETERS];
	uint64_t changed; /* components that were fetched or copied to and not looked at since */
	int64_t changed_at[COMPONENTS];
	uint64_t intact; /* dependencies after dependency-integrity */
	bool vendor, device_class; /* checked by the shared sequence */
	bool shared;
	int64_t section;
	const uint8_t *base;
	unsigned guess; /* inside of an alternative: what is set there is UNSURE */
};

static uint64_t
bit(uint64_t index)
{
	return index < COMPONENTS ? UINT64_C(1) << index : 0;
}

static struct place
at(const struct flow *f, mst_span sequence, const struct suit_one *one, int component)
{
	return (struct place){ f->section, (int64_t)(sequence.ptr - f->base) + (int64_t)one->offset,
		component };
}

static void
select_index(struct flow *f, mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	f->selected = 0;
	if (mst_cbor_peek(&r) == MST_CBOR_BOOL) {
		f->selected = f->all;
	} else if (mst_cbor_peek(&r) == MST_CBOR_ARRAY) {
		mst_cbor_array(&r);
		while (mst_cbor_more(&r))
			f->selected |= bit(mst_cbor_uint(&r));
	} else {
		f->selected = bit(mst_cbor_uint(&r));
	}
}

static void
set_parameters(struct flow *f, mst_span sequence, const struct suit_one *one, mst_span map,
    uint64_t components)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		mst_span value = mst_cbor_raw(&r);

		if (r.err != MST_OK)
			return;
		if (key == 3 && one->code == 19 && !f->shared) /* M 7, sheet 23 */
			lint_say(f->l, SUIT_WARNING, MST_OK, "digest-by-set",
			    at(f, sequence, one, NOWHERE), M "7",
			    "image-digest is set by set-parameters: whoever set it before "
			    "decides; override-parameters does not leave that open");
		if (key < 0 || key >= PARAMETERS)
			continue;
		for (size_t c = 0; c < COMPONENTS; c++) {
			if ((components & bit(c)) == 0)
				continue;
			if (one->code == 19 && f->known[c][key] != UNSET)
				continue;
			f->known[c][key] = f->guess != 0 ? UNSURE : SET;
			f->value[c][key] = value;
		}
	}
}

static void
set_multiple(struct flow *f, mst_span sequence, const struct suit_one *one)
{
	struct mst_cbor_reader r;
	int64_t index;

	mst_cbor_init(&r, one->item);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &index)) {
		mst_span map = mst_cbor_raw(&r);

		f->selected = bit((uint64_t)index);
		set_parameters(f, sequence, one, map, f->selected);
	}
}

static mst_span
text_of(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_peek(&r) == MST_CBOR_TEXT ? mst_cbor_text(&r) : MST_NONE;
}

static mst_span
bytes_of(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r) : MST_NONE;
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

	if (f->known[c][3] != SET || f->known[c][19] != UNSET || (f->dependencies & bit(c)) != 0 ||
	    suit_digest_read(bytes_of(f->value[c][3]), &alg, &digest) != MST_OK)
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
	mst_span uri = text_of(f->value[c][21]);
	const struct suit_member *m;

	if (f->known[c][21] == UNSET)
		lint_say(f->l, SUIT_WARNING, MST_OK, "uri-missing", place, M "8.4.10.4",
		    "fetch without a uri: a dependent manifest must set it");
	if (f->known[c][3] != UNSET && f->known[c][14] == UNSET)
		lint_say(f->l, SUIT_WARNING, MST_OK, "size-missing", place, M "8.4.8.7",
		    "image-digest without image-size: a device can not tell how much to take, nor "
		    "resume");
	if (f->known[c][21] != SET || uri.ptr == NULL)
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

	if (f->known[c][19] == UNSET)
		return false;
	text = suit_text_encryption(f->l->a, bytes_of(f->value[c][19]));
	return strstr(text, "gcm") == text + 4 || strncmp(text, "chacha20-", 9) == 0;
}

static void
judge_encryption(struct flow *f, size_t c, struct place place)
{
	if (f->known[c][19] == UNSET || is_aead(f, c) || f->known[c][3] != UNSET)
		return;
	lint_say(f->l, SUIT_WARNING, MST_OK, "cipher-without-digest", place,
	    "suit-firmware-encryption 4.3",
	    "the cipher does not authenticate, and no image-digest does");
}

static void
change(struct flow *f, mst_span sequence, const struct suit_one *one)
{
	for (size_t c = 0; c < COMPONENTS; c++) {
		struct place place;

		if ((f->selected & bit(c)) == 0)
			continue;
		place = at(f, sequence, one, (int)c);
		if (one->code == 21)
			judge_fetch(f, c, place);
		if ((one->code == 22 || one->code == 31) && f->known[c][22] == UNSET)
			lint_say(f->l, SUIT_WARNING, MST_OK, "source-missing", place, M "8.4.10.5",
			    "%s without source-component", suit_text_command(f->l->a, one->code));
		judge_encryption(f, c, place);
		f->intact &= ~bit(c); /* TD 5.6.4: the result does not outlive a fetch */
		if (one->code == 22 && is_aead(f, c))
			continue; /* FE 7.3: the tag is checked while decrypting */
		if (one->code == 21 && is_aead(f, c))
			continue;
		f->changed |= bit(c);
		f->changed_at[c] = place.offset;
	}
}

static void
write_content(struct flow *f, mst_span sequence, const struct suit_one *one)
{
	for (size_t c = 0; c < COMPONENTS; c++)
		if ((f->selected & bit(c)) != 0 && f->known[c][18] == UNSET)
			lint_say(f->l, SUIT_WARNING, MST_OK, "content-missing",
			    at(f, sequence, one, (int)c), M "8.4.10.6", "write without content");
}

/* A condition or directive whose parameter nobody set fails (M 8.4.9). */
static void
needs(struct flow *f, mst_span sequence, const struct suit_one *one, int64_t key)
{
	for (size_t c = 0; c < COMPONENTS; c++)
		if ((f->selected & bit(c)) != 0 && f->known[c][key] == UNSET)
			lint_say(f->l, SUIT_WARNING, MST_OK, "parameter-missing",
			    at(f, sequence, one, (int)c), M "8.4.9",
			    "%s without %s: it fails unless a dependent manifest sets it",
			    suit_text_command(f->l->a, one->code),
			    suit_text_parameter(f->l->a, key));
}

static void
process(struct flow *f, mst_span sequence, const struct suit_one *one)
{
	for (size_t c = 0; c < COMPONENTS; c++)
		if ((f->selected & bit(c) & ~f->intact) != 0)
			lint_say(f->l, SUIT_WARNING, MST_OK, "integrity-missing",
			    at(f, sequence, one, (int)c), "suit-trust-domains 5.6.2",
			    "process-dependency without dependency-integrity before it: strict "
			    "devices abort");
}

static void
wait(struct flow *f, mst_span sequence, const struct suit_one *one)
{
	for (size_t c = 0; c < COMPONENTS; c++) {
		const char *text;

		if ((f->selected & bit(c)) == 0 || f->known[c][29] == UNSET)
			continue;
		text = suit_text_value(f->l->a, 29, f->value[c][29]);
		if (strstr(text, "other-device-version") != NULL ||
		    strstr(text, "time-of-day:") != NULL || strstr(text, "day-of-week:") != NULL)
			lint_say(f->l, SUIT_WARNING, MST_OK, "wait-unsupported",
			    at(f, sequence, one, (int)c), "suit-update-management 4.5",
			    "%s: devices without a profile or time zone refuse it", text);
	}
}

static void follow(struct flow *f, mst_span sequence, unsigned depth);

/* Each alternative begins alike; what any of them set is unsure afterwards. */
static void
nested(struct flow *f, const struct suit_one *one, unsigned depth)
{
	uint64_t selected = f->selected;
	mst_span inner;

	f->guess += one->code == 15;
	for (size_t i = 0; i < 64 && (inner = suit_commands_inner(one, i)).ptr != NULL; i++) {
		f->selected = selected; /* sheet 9.5: selections are local */
		follow(f, inner, depth + 1);
	}
	f->guess -= one->code == 15;
	f->selected = selected;
}

static void
one_command(struct flow *f, mst_span sequence, const struct suit_one *one, unsigned depth)
{
	switch (one->code) {
	case 1:
		f->vendor = f->vendor || f->shared;
		needs(f, sequence, one, 1);
		break;
	case 2:
		f->device_class = f->device_class || f->shared;
		needs(f, sequence, one, 2);
		break;
	case 3:
		f->changed &= ~f->selected;
		needs(f, sequence, one, 3);
		break;
	case 4: needs(f, sequence, one, 4); break;
	case 5: needs(f, sequence, one, 5); break;
	case 6:
		f->changed &= ~f->selected;
		needs(f, sequence, one, 18);
		break;
	case 7:
		f->changed &= ~f->selected;
		f->intact |= f->selected;
		needs(f, sequence, one, 3);
		break;
	case 11: process(f, sequence, one); break;
	case 12: select_index(f, one->item); break;
	case 15:
	case 32: nested(f, one, depth); break;
	case 18: write_content(f, sequence, one); break;
	case 19:
	case 20: set_parameters(f, sequence, one, one->item, f->selected); break;
	case 21:
	case 22:
	case 31: change(f, sequence, one); break;
	case 24: needs(f, sequence, one, 24); break;
	case 25: needs(f, sequence, one, 3); break;
	case 26: needs(f, sequence, one, 26); break;
	case 28: needs(f, sequence, one, 28); break;
	case 29:
		needs(f, sequence, one, 29);
		wait(f, sequence, one);
		break;
	case 34: set_multiple(f, sequence, one); break;
	default:
		if (one->code < 0)
			lint_say(f->l, SUIT_WARNING, MST_OK, "custom-command",
			    at(f, sequence, one, NOWHERE), M "8.4.11",
			    "custom command %lld: devices that do not know it refuse the "
			    "manifest",
			    (long long)one->code);
		break;
	}
}

static void
follow(struct flow *f, mst_span sequence, unsigned depth)
{
	struct suit_commands w;
	struct suit_one one;

	if (depth > NESTING || !suit_commands_begin(&w, sequence))
		return; /* the device's check has words for it */
	while (suit_commands_next(&w, &one))
		one_command(f, sequence, &one, depth);
}

/* Sheet 9: the shared sequence before each section; each begins at component 0. */
static void
section(struct flow *f, int64_t key, mst_span sequence)
{
	f->section = 3;
	f->base = f->common.shared.ptr;
	f->shared = true;
	f->selected = bit(0);
	if (f->common.shared.ptr != NULL && key != 3)
		follow(f, f->common.shared, 0);
	f->shared = key == 3;
	f->section = key;
	f->base = sequence.ptr;
	f->selected = bit(0);
	f->changed = 0;
	follow(f, sequence, 0);
	for (size_t c = 0; c < COMPONENTS; c++)
		if ((f->changed & bit(c)) != 0)
			lint_say(f->l, SUIT_WARNING, MST_OK, "image-match-missing",
			    (struct place){ key, f->changed_at[c], (int)c }, M "7.3",
			    "nothing looks at the component after this: no image-match, "
			    "check-content or dependency-integrity follows");
}

static void
read_indices(struct flow *f)
{
	struct mst_cbor_reader r;
	int64_t index;

	for (size_t i = 0; i < f->common.count; i++)
		f->all |= bit(i);
	mst_cbor_init(&r, f->common.dependencies);
	mst_cbor_map(&r);
	while (f->common.dependencies.ptr != NULL && mst_cbor_key(&r, &index)) {
		mst_cbor_skip(&r);
		f->dependencies |= bit((uint64_t)index);
	}
	f->all |= f->dependencies;
}

/* A procedure clears the parameters at its start and keeps them to its end (sheet 8). */
static void
procedure(struct flow *f, const int64_t *keys, size_t count)
{
	memset(f->known, 0, sizeof f->known);
	memset(f->value, 0, sizeof f->value);
	f->intact = 0;
	for (size_t i = 0; i < count; i++) {
		mst_span sequence = lint_section(f->l->env, keys[i]);

		if (sequence.ptr != NULL)
			section(f, keys[i], sequence);
	}
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
	static const int64_t update[] = { 15, 16, 18, 20, 7 }, invocation[] = { 7, 8, 9 },
	                     uninstall[] = { 24 };
	struct flow *f = arena_alloc(l->a, sizeof *f);
	bool any = false;

	if (f == NULL)
		return;
	f->l = l;
	lint_common(l->env, &f->common);
	read_indices(f);
	procedure(f, update, 5);
	procedure(f, invocation, 3);
	procedure(f, uninstall, 1);
	once(l);
	any = f->common.count > 0;
	if (any && (!f->vendor || !f->device_class)) /* sheet 5 */
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

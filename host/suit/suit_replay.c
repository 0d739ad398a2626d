/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/suit/suit_follow.h"
#include "muster/cbor.h"

#define KEYS_MAX 32
#define DEPTH MST_SUIT_DEPTH_MAX
#define MANIFESTS 8
#define COMMANDS 4096

/* A command as a device may meet it: once for each section that the shared sequence runs before. */
struct step {
	int64_t section, before, offset, code, policy; /* policy -1: it has none */
	uint64_t selected;
	unsigned alternatives, nested;
	/* encoded values of what it looks at, for the components; absent: unset or unsure */
	mst_span expected[FOLLOW_COMPONENTS];
	struct step *next;
};

struct manifest { /* the root, or a dependency that is at hand */
	uint16_t path[DEPTH];
	unsigned depth;
	struct suit_envelope *env;
	struct step *first, **tail;
	size_t count;
	/* where the records of this manifest have come to */
	const struct step *last;
	uint32_t severed; /* sections that are not at hand, one bit each */
	uint64_t components; /* bits of indices */
};

struct replay {
	struct arena *a;
	const struct suit_replay_want *want;
	struct suit_replay *out;
	struct suit_statement **record_tail, **proof_tail, **lack_tail;
	struct manifest manifest[MANIFESTS];
	size_t manifests;
};

/* --- statements --- */

static void say(struct replay *x, struct suit_statement ***tail, struct suit_statement s,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
say(struct replay *x, struct suit_statement ***tail, struct suit_statement s, const char *fmt, ...)
{
	struct suit_statement *kept = arena_alloc(x->a, sizeof *kept);
	char words[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	if (kept == NULL)
		return;
	*kept = s;
	kept->words = arena_printf(x->a, "%s", words);
	**tail = kept;
	*tail = &kept->next;
	if (s.truth == SUIT_FALSE && x->out->err == MST_OK)
		x->out->err = MST_E_SUIT_REPORT_CONTRADICTION;
}

static const struct suit_statement whole = { .record = SIZE_MAX, .offset = -1, .component = -1 };

/* --- what the manifest says --- */

/* Which parameter a condition compares with what was measured; 0: none. */
static int64_t
parameter_of(int64_t code)
{
	static const struct {
		int64_t code, parameter;
	} of[] = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 5 }, { 6, 18 }, { 7, 3 },
		{ 24, 24 }, { 25, 3 }, { 26, 26 }, { 28, 28 } };

	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
		if (of[i].code == code)
			return of[i].parameter;
	return 0;
}

struct following {
	struct replay *x;
	struct manifest *m;
};

static void
visit(struct suit_follow *f, const struct suit_one *one)
{
	const struct following *w = f->ctx;
	const struct suit_word *word = suit_word(SUIT_LIST_COMMAND, one->code);
	int64_t parameter = parameter_of(one->code);
	struct mst_cbor_reader r;
	struct step *s;

	if (w->m->count == COMMANDS || (s = arena_alloc(w->x->a, sizeof *s)) == NULL)
		return;
	*s = (struct step){ .section = f->section,
		.before = f->before,
		.offset = f->offset,
		.code = one->code,
		.policy = -1,
		.selected = f->selected,
		.alternatives = f->alternatives,
		.nested = f->nested };
	mst_cbor_init(&r, one->item);
	if (word != NULL && word->value == SUIT_VALUE_POLICY && mst_cbor_peek(&r) == MST_CBOR_UINT)
		s->policy = mst_cbor_int(&r);
	for (size_t c = 0; parameter != 0 && c < FOLLOW_COMPONENTS; c++)
		if (f->known[c][parameter] == SUIT_SET)
			s->expected[c] = f->value[c][parameter];
	*w->m->tail = s;
	w->m->tail = &s->next;
	w->m->count++;
}

static bool
is_array(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_peek(&r) == MST_CBOR_ARRAY;
}

static mst_err
follow(struct replay *x, struct manifest *m)
{
	struct suit_follow *f = arena_alloc(x->a, sizeof *f);
	struct following w = { x, m };

	if (f == NULL)
		return MST_E_NOMEM;
	m->tail = &m->first;
	f->visit = visit;
	f->ctx = &w;
	suit_follow_init(f, m->env);
	m->components = f->all;
	for (int64_t key = 7; key <= 24; key++)
		if (is_array(lint_element(m->env->manifest, key)) &&
		    lint_section(m->env, key).ptr == NULL)
			m->severed |= 1u << key;
	suit_follow(f, suit_update, 5);
	suit_follow(f, suit_invocation, 3);
	suit_follow(f, suit_uninstall, 1);
	return MST_OK;
}

/* --- dependencies (TD 5.2.2): the envelope with a digest that is set for this index --- */

static bool
mentions(const struct manifest *m, mst_span digest)
{
	if (memmem(m->env->manifest.ptr, m->env->manifest.len, digest.ptr, digest.len) != NULL)
		return true;
	for (size_t i = 0; i < m->env->member_count; i++)
		if (m->env->member[i].name.ptr == NULL &&
		    memmem(m->env->member[i].content.ptr, m->env->member[i].content.len, digest.ptr,
		        digest.len) != NULL)
			return true;
	return false;
}

static struct suit_envelope *
envelope_of(struct replay *x, mst_span bytes)
{
	struct suit_envelope *env = arena_alloc(x->a, sizeof *env);

	if (env == NULL || suit_envelope_read(bytes, env) != MST_OK ||
	    suit_envelope_covers(env) != MST_OK)
		return NULL;
	return env;
}

static struct suit_envelope *
candidate(struct replay *x, const struct manifest *m, size_t n)
{
	if (n < x->want->dependency_count)
		return envelope_of(x, x->want->dependencies[n]);
	n -= x->want->dependency_count;
	for (size_t i = 0; i < m->env->member_count; i++)
		if (m->env->member[i].name.ptr != NULL && n-- == 0)
			return envelope_of(x, m->env->member[i].content);
	return NULL;
}

static bool
same_path(const struct manifest *m, const uint16_t *path, unsigned depth)
{
	return m->depth == depth && memcmp(m->path, path, depth * sizeof *path) == 0;
}

static struct manifest *
known_manifest(struct replay *x, const uint16_t *path, unsigned depth)
{
	for (size_t i = 0; i < x->manifests; i++)
		if (same_path(&x->manifest[i], path, depth))
			return &x->manifest[i];
	return NULL;
}

/* NULL: it is not at hand. *impossible: the manifest above has no such dependency. */
static struct manifest *
manifest_at(struct replay *x, const uint16_t *path, unsigned depth, bool *impossible)
{
	struct manifest *m = known_manifest(x, path, depth), *above;
	struct suit_envelope *env;
	struct lint_common common;
	struct mst_cbor_reader r;
	bool declared = false;
	int64_t index;

	if (m != NULL || depth == 0)
		return m;
	above = manifest_at(x, path, depth - 1, impossible);
	if (above == NULL || *impossible)
		return NULL;
	lint_common(above->env, &common);
	mst_cbor_init(&r, common.dependencies);
	mst_cbor_map(&r);
	while (common.dependencies.ptr != NULL && mst_cbor_key(&r, &index)) {
		mst_cbor_skip(&r);
		declared = declared || index == path[depth - 1];
	}
	if (!declared) {
		*impossible = true;
		return NULL;
	}
	for (size_t n = 0; n < x->want->dependency_count + SUIT_MEMBERS_MAX; n++) {
		mst_span digest;
		int64_t alg;

		if ((env = candidate(x, above, n)) == NULL ||
		    suit_digest_read(env->digest, &alg, &digest) != MST_OK ||
		    !mentions(above, digest) || x->manifests == MANIFESTS)
			continue;
		m = &x->manifest[x->manifests++];
		*m = (struct manifest){ .depth = depth, .env = env };
		memcpy(m->path, path, depth * sizeof *path);
		return follow(x, m) == MST_OK ? m : NULL;
	}
	return NULL;
}

/* --- one record --- */

struct judged {
	struct mst_suit_report_record r;
	size_t number; /* SIZE_MAX: the result's */
	const char *measured; /* for people */
	mst_span value; /* of the parameter that the command looks at; absent: not measured */
};

static mst_span
property(const struct mst_suit_report_record *r, int64_t key)
{
	struct mst_cbor_reader c;

	mst_cbor_init(&c, r->properties);
	for (size_t i = 0; i < r->properties_count; i++) {
		int64_t k = mst_cbor_int(&c);
		mst_span value = mst_cbor_raw(&c);

		if (c.err != MST_OK)
			break;
		if (k == key)
			return value;
	}
	return MST_NONE;
}

/* Steps that this record may be of: none, or the first at or behind where the manifest has come. */
static const struct step *
find_step(const struct manifest *m, const struct mst_suit_report_record *r, const struct step *from)
{
	for (const struct step *s = from; s != NULL; s = s->next)
		if (s->section == r->section && (uint64_t)s->offset == r->offset)
			return s;
	(void)m;
	return NULL;
}

static const struct step *
section_start(const struct manifest *m, int64_t section)
{
	for (const struct step *s = m->first; s != NULL; s = s->next)
		if (s->section == section)
			return s;
	return NULL;
}

enum fits { FITS, FITS_NOT, FITS_UNKNOWN };

/* Does what was measured fulfil the condition? Only equality is judged. */
static enum fits
fulfils(const struct step *s, uint64_t component, mst_span value)
{
	mst_span want = component < FOLLOW_COMPONENTS ? s->expected[component] : MST_NONE;
	bool same;

	if (want.ptr == NULL || value.ptr == NULL || s->code == 4 || s->code == 26 || s->code == 28)
		return FITS_UNKNOWN;
	same = mst_span_eq(want, value);
	if (s->code == 25)
		return same ? FITS_NOT : FITS;
	return same ? FITS : FITS_NOT;
}

/* In a nested sequence an earlier offset may come again: for the next component. */
static bool
may_come_again(const struct step *last, const struct step *s)
{
	uint64_t many = s->selected & (s->selected - 1);

	return s->nested > 0 || (s == last && many != 0);
}

static const struct step *
place(struct replay *x, struct manifest *m, const struct judged *j, struct suit_statement s)
{
	const struct step *found = NULL;

	if (j->r.section >= 0 && j->r.section < 32 && (m->severed & 1u << j->r.section) != 0) {
		s.truth = SUIT_OPEN;
		say(x, &x->record_tail, s, "the section was severed and is not at hand");
		return NULL;
	}
	if (section_start(m, j->r.section) == NULL) {
		say(x, &x->record_tail, s, "the manifest has no such section");
		return NULL;
	}
	if (find_step(m, &j->r, m->first) == NULL) {
		say(x, &x->record_tail, s, "no command begins at this offset");
		return NULL;
	}
	if (m->last != NULL && find_step(m, &j->r, m->last) == m->last &&
	    may_come_again(m->last, m->last))
		return m->last;
	found = find_step(m, &j->r, m->last != NULL ? m->last->next : m->first);
	if (found == NULL) { /* an earlier one: again in a nested sequence, or false */
		found = find_step(m, &j->r, m->first);
		if (!may_come_again(m->last, found)) {
			s.command = found->code;
			say(x, &x->record_tail, s,
			    "it comes after a record of a later command: a manifest has no way "
			    "back");
			return NULL;
		}
	}
	return found;
}

static bool
judge_component(struct replay *x, const struct manifest *m, const struct step *step,
    const struct judged *j, struct suit_statement s)
{
	uint64_t bit = suit_follow_bit(j->r.component);

	if ((m->components & bit) == 0) {
		say(x, &x->record_tail, s, "the manifest has no component %llu",
		    (unsigned long long)j->r.component);
		return false;
	}
	/* 12, 15 and 32 are run on no component: what such a record has there says nothing */
	if (step->code != 12 && step->code != 15 && step->code != 32 && step->code != 34 &&
	    (step->selected & bit) == 0) {
		say(x, &x->record_tail, s, "component %llu is not selected at this command",
		    (unsigned long long)j->r.component);
		return false;
	}
	return true;
}

/* Of a component, or of a dependency its prefix; absent: it has none. */
static mst_span
id_at(const struct manifest *m, uint64_t index)
{
	struct lint_common c;

	lint_common(m->env, &c);
	return index < c.count ? lint_component(&c, index) : lint_dependency(&c, index);
}

static const char *
id_of(struct replay *x, const struct manifest *m, uint64_t index)
{
	mst_span id = id_at(m, index);

	return id.ptr != NULL ? suit_text_id(x->a, id) : "a dependency";
}

static void
prove(struct replay *x, const struct manifest *m, const struct step *step, const struct judged *j,
    struct suit_statement s)
{
	int64_t key = parameter_of(step->code);

	if (key == 0 || j->value.ptr == NULL)
		return;
	s.truth = SUIT_TRUE;
	say(x, &x->proof_tail, s,
	    "component %llu (%s): %s was measured as %s, which the manifest asks for",
	    (unsigned long long)j->r.component, id_of(x, m, j->r.component),
	    suit_text_parameter(x->a, key), suit_text_value(x->a, key, j->value));
}

/* What is measured must be what a success, or the failure, would have measured. */
static void
judge_measured(struct replay *x, const struct manifest *m, const struct step *step,
    const struct judged *j, struct suit_statement s, bool failed)
{
	enum fits fits = fulfils(step, j->r.component, j->value);
	const char *what = suit_text_parameter(x->a, parameter_of(step->code));

	if (failed && fits == FITS) {
		say(x, &x->record_tail, s,
		    "it is said to have failed, but %s was measured as the manifest asks", what);
		return;
	}
	if (!failed && fits == FITS_NOT && step->alternatives == 0 && step->nested == 0) {
		say(x, &x->record_tail, s,
		    "%s was measured as %s, not as the manifest asks: the procedure had ended "
		    "there",
		    what, suit_text_value(x->a, parameter_of(step->code), j->value));
		return;
	}
	/* M 8.4.7: bit 0 records a success; without it only a failure is recorded */
	if (!failed && fits == FITS && (step->policy & 1) == 0) {
		say(x, &x->record_tail, s, "%s",
		    step->policy < 0 ? "this command has no reporting policy: its success is not "
		                       "recorded"
		                     : "its policy asks for no record of success");
		return;
	}
	s.truth = SUIT_TRUE;
	say(x, &x->record_tail, s, "%s%s",
	    failed             ? "failed"
	    : fits == FITS_NOT ? "did not hold"
	                       : "held",
	    fits == FITS_UNKNOWN && parameter_of(step->code) != 0
	        ? " (the value it compares with is not known here)"
	        : "");
	if (!failed && fits == FITS)
		prove(x, m, step, j, s);
}

static void
judge_record(struct replay *x, struct judged *j, bool failed)
{
	struct suit_statement s = { .truth = SUIT_FALSE,
		.record = j->number,
		.section = j->r.section,
		.offset = (int64_t)j->r.offset,
		.component = j->r.component < INT32_MAX ? (int)j->r.component : -1 };
	const struct step *step;
	bool impossible = false;
	struct manifest *m = manifest_at(x, j->r.path, j->r.depth, &impossible);

	if (m == NULL) {
		s.truth = impossible ? SUIT_FALSE : SUIT_OPEN;
		say(x, &x->record_tail, s,
		    impossible ? "the manifest has no such dependency"
		               : "the dependency's manifest is not at hand: give --dependency");
		return;
	}
	step = place(x, m, j, s);
	if (step == NULL)
		return;
	s.command = step->code;
	if (!judge_component(x, m, step, j, s))
		return;
	j->value =
	    parameter_of(step->code) != 0 ? property(&j->r, parameter_of(step->code)) : MST_NONE;
	m->last = step;
	judge_measured(x, m, step, j, s, failed);
}

/* Component or dependency of one of the manifests; -1: of none that is at hand. */
static int
index_of(const struct replay *x, mst_span id)
{
	for (size_t i = 0; i < x->manifests; i++)
		for (int k = 0; k < FOLLOW_COMPONENTS; k++) {
			mst_span one = id_at(&x->manifest[i], (uint64_t)k);

			if (one.ptr != NULL && mst_span_eq(one, id))
				return k;
		}
	return -1;
}

static void
judge_claims(struct replay *x, const struct mst_suit_report_record *r, size_t number)
{
	struct suit_statement s = { .truth = SUIT_TRUE,
		.record = number,
		.offset = -1,
		.component = index_of(x, r->component_id) };
	struct lint_common c;

	if (s.component >= 0) {
		say(x, &x->record_tail, s, "claims about component %s",
		    suit_text_id(x->a, r->component_id));
		return;
	}
	/* it may be one of a dependency that is not at hand */
	lint_common(x->manifest[0].env, &c);
	s.truth = c.dependencies.ptr != NULL ? SUIT_OPEN : SUIT_FALSE;
	say(x, &x->record_tail, s, "claims about %s, which is no component of the manifest",
	    suit_text_id(x->a, r->component_id));
}

/* --- the whole --- */

/* The place of the last record, claims not counted, and its bytes. */
static size_t
last_record(const struct mst_suit_report *report, mst_span *bytes)
{
	struct mst_suit_report_record r;
	mst_span rest = report->records;
	size_t last = SIZE_MAX;

	*bytes = MST_NONE;
	for (size_t i = 0; i < report->records_count; i++) {
		mst_span before = rest;

		if (mst_suit_report_next(&rest, &r) != MST_OK)
			break;
		if (r.kind != MST_SUIT_RECORD)
			continue;
		last = i;
		*bytes = mst_span_of(before.ptr, before.len - rest.len);
	}
	return last;
}

/* The result's own record stands among the others, too, as the last of them. */
static bool
is_failure(const struct mst_suit_report *report, size_t number)
{
	mst_span bytes;

	return !report->success && last_record(report, &bytes) == number &&
	       mst_span_eq(bytes, report->failure);
}

static void
judge_records(struct replay *x)
{
	const struct mst_suit_report *report = &x->out->report;
	mst_span rest = report->records;

	for (size_t i = 0; i < report->records_count; i++) {
		struct judged j = { .number = i };

		if (mst_suit_report_next(&rest, &j.r) != MST_OK) {
			x->out->err = MST_E_SUIT_REPORT_RECORD;
			return;
		}
		if (j.r.kind == MST_SUIT_CLAIMS)
			judge_claims(x, &j.r, i);
		else
			judge_record(x, &j,
			    report->reason != MST_SUIT_REASON_INVOKE_PENDING &&
			        is_failure(report, i));
	}
}

static void
judge_reason(struct replay *x, const struct mst_suit_report_record *r)
{
	bool impossible = false;
	struct manifest *m = manifest_at(x, r->path, r->depth, &impossible);
	const struct step *step = m != NULL ? find_step(m, r, m->first) : NULL;
	uint64_t reason = x->out->report.reason;
	struct suit_statement s = whole;

	s.truth = SUIT_FALSE;
	s.section = r->section;
	s.offset = (int64_t)r->offset;
	if (reason == MST_SUIT_REASON_OK)
		say(x, &x->record_tail, s, "a failure whose reason is \"ok\"");
	if (step == NULL)
		return;
	s.command = step->code;
	/* the inner failure is told as that of the try-each around it */
	if (reason == MST_SUIT_REASON_CONDITION_FAILED && !suit_is_condition(step->code) &&
	    step->code != 15 && step->code != 32 && step->code != 11 && step->code > 0)
		say(x, &x->record_tail, s, "the reason is condition-failed, but %s is a directive",
		    suit_text_command(x->a, step->code));
	if (reason == MST_SUIT_REASON_INVOKE_PENDING && step->code != 23)
		say(x, &x->record_tail, s, "the reason is invoke-pending, but %s starts nothing",
		    suit_text_command(x->a, step->code));
}

static void
judge_result(struct replay *x)
{
	struct mst_suit_report *r = &x->out->report;
	struct judged j = { .number = SIZE_MAX };
	mst_span rest = r->failure;
	bool pending = r->reason == MST_SUIT_REASON_INVOKE_PENDING;

	if (r->success || r->failure.ptr == NULL)
		return;
	if (mst_suit_report_next(&rest, &j.r) != MST_OK || j.r.kind != MST_SUIT_RECORD) {
		x->out->err = MST_E_SUIT_REPORT_RECORD;
		return;
	}
	judge_reason(x, &j.r);
	if (is_failure(r, last_record(r, &rest)))
		return; /* it was judged among the records */
	if (j.r.section <= 2 || (j.r.section == 3 && j.r.offset == 0))
		return; /* refused before any command ran: nothing to place */
	judge_record(x, &j, !pending);
}

/* A top-level image-match whose policy asks for a record, of a procedure that is said to have
 * succeeded: without the record only the device's word stands for it. */
static void
say_lacking(struct replay *x)
{
	const struct manifest *m = &x->manifest[0];
	int64_t seen[64] = { 0 };
	size_t count = 0;

	for (const struct step *s = m->first; s != NULL && x->out->report.success; s = s->next) {
		struct mst_suit_report_record r;
		mst_span rest = x->out->report.records;
		struct suit_statement t = whole;
		bool found = false;

		if (s->code != 3 || s->nested != 0 || (s->policy & 1) == 0)
			continue;
		for (size_t i = 0; i < count; i++)
			found = found || seen[i] == (s->section << 32 | s->offset);
		for (size_t i = 0; i < x->out->report.records_count && !found; i++)
			found = mst_suit_report_next(&rest, &r) == MST_OK &&
			        r.kind == MST_SUIT_RECORD && r.depth == 0 &&
			        r.section == s->section && r.offset == (uint64_t)s->offset;
		if (found || count == 64)
			continue;
		seen[count++] = s->section << 32 | s->offset;
		t.truth = SUIT_OPEN;
		t.section = s->section;
		t.offset = s->offset;
		t.command = s->code;
		say(x, &x->lack_tail, t,
		    "no record of this image-match, though its policy asks for one: it was not run "
		    "in this procedure, or the record was lost");
	}
}

static void
say_whole(struct replay *x)
{
	struct suit_statement s = whole;

	s.truth = SUIT_TRUE;
	if (!x->out->is_protected || !x->out->verified) {
		s.truth = SUIT_OPEN;
		say(x, &x->lack_tail, s, "%s",
		    x->out->is_protected ? "its signature was not judged: anybody may have made it"
		                         : "nobody signed it: anybody may have made it");
		s.truth = SUIT_TRUE;
	}
	if (x->out->report.nonce.ptr == NULL || x->want->nonce.ptr == NULL) {
		s.truth = SUIT_OPEN;
		say(x, &x->lack_tail, s, "no nonce was compared: it may be an old report");
		s.truth = SUIT_TRUE;
	}
	if (x->out->report.success)
		say(x, &x->proof_tail, s, "the device says that the whole procedure succeeded");
	else if (x->out->report.reason == MST_SUIT_REASON_INVOKE_PENDING)
		say(x, &x->proof_tail, s,
		    "the device says that it was about to start the image, and no more");
	else
		say(x, &x->proof_tail, s, "the device says that it failed: %s",
		    mst_suit_reason_name(x->out->report.reason) != NULL
		        ? mst_suit_reason_name(x->out->report.reason)
		        : "for a reason that is not registered");
}

/* --- opening --- */

static mst_err
keys_of(struct replay *x, const struct suit_key *list, size_t count, bool content,
    struct mst_suit_key *rows)
{
	mst_err e = MST_OK;

	if (count > KEYS_MAX) {
		suit_author_say("more keys than are taken");
		return MST_E_FW_KEY;
	}
	for (size_t i = 0; i < count && e == MST_OK; i++)
		e = suit_key_row(x->a, &list[i],
		    content                      ? MST_SUIT_USE_CONTENT_REPORT
		    : list[i].secret.ptr != NULL ? MST_SUIT_USE_MAC_REPORT
		                                 : MST_SUIT_USE_SIGN_REPORT,
		    (uint8_t)i, &rows[i]);
	return e;
}

/* The payload of a COSE_Sign1 or COSE_Mac0; absent when it is neither. */
static mst_span
payload_of(mst_span message)
{
	struct mst_cbor_reader r;
	mst_span payload;
	uint64_t tag = 18;

	mst_cbor_init(&r, message);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		tag = mst_cbor_tag(&r);
	if ((tag != 18 && tag != 17) || mst_cbor_peek(&r) != MST_CBOR_ARRAY)
		return MST_NONE;
	mst_cbor_array(&r);
	mst_cbor_skip(&r);
	mst_cbor_skip(&r);
	payload = mst_cbor_bytes(&r);
	mst_cbor_skip(&r);
	mst_cbor_leave(&r);
	return mst_cbor_end(&r) == MST_OK ? payload : MST_NONE;
}

/* A kid in the report is that of its one signer: a key that was given without one takes it. */
static mst_err
open_protected(struct replay *x, mst_span message, mst_span *content)
{
	struct mst_suit_key rows[KEYS_MAX];
	struct mst_suit_keys keys = { rows, x->want->count };
	mst_span kid = suit_block_kid(message), payload = MST_NONE;
	uint8_t by = 0;
	mst_err e = keys_of(x, x->want->keys, x->want->count, false, rows);

	if (e != MST_OK)
		return e;
	for (size_t i = 0; i < x->want->count; i++)
		if (rows[i].kid.ptr == NULL)
			rows[i].kid = kid;
	x->out->is_protected = true;
	*content = payload_of(message);
	if (x->want->count == 0)
		return MST_OK;
	x->out->err = mst_suit_report_open(suit_openssl(), &keys, message, &payload, &by);
	x->out->verified = x->out->err == MST_OK;
	x->out->by = by;
	return MST_OK;
}

static mst_err
open_encrypted(struct replay *x, mst_span *content)
{
	struct mst_suit_key rows[KEYS_MAX];
	struct mst_suit_keys keys = { rows, x->want->decrypt_count };
	struct mst_buf plain = arena_buf(x->a, content->len + 1);
	mst_err e = keys_of(x, x->want->decrypt, x->want->decrypt_count, true, rows);

	if (e != MST_OK || plain.cap == 0)
		return e != MST_OK ? e : MST_E_NOMEM;
	x->out->err = mst_suit_encrypt0_open(suit_openssl(), &keys, *content, &plain);
	if (x->out->err == MST_OK) {
		/* RP 7: the plaintext is bstr .cbor SUIT_Report */
		mst_span inner = suit_bytes_of(mst_buf_span(&plain));

		*content = inner.ptr != NULL ? inner : mst_buf_span(&plain);
	}
	return MST_OK;
}

static mst_err
open_report(struct replay *x, mst_span bytes, mst_span *content)
{
	mst_err e = MST_OK;

	*content = bytes;
	if (payload_of(bytes).ptr != NULL)
		e = open_protected(x, bytes, content);
	/* RP 7: COSE_Encrypt0, tagged 16 or not */
	if (e == MST_OK && x->out->err == MST_OK && content->len > 0 &&
	    (content->ptr[0] == 0xd0 || content->ptr[0] == 0x83))
		e = open_encrypted(x, content);
	if (e == MST_OK && x->out->err == MST_OK)
		x->out->err = mst_suit_report_parse(*content, &x->out->report);
	return e;
}

/* suit-report 4: uri and digest are exactly the manifest's own. */
static void
judge_reference(struct replay *x, const struct suit_envelope *env)
{
	mst_span uri = suit_text_of(lint_element(env->manifest, 4));
	const struct mst_suit_report *r = &x->out->report;

	if (!mst_span_eq(r->digest_encoded, env->digest))
		x->out->err = MST_E_SUIT_REPORT_REFERENCE;
	else if (uri.ptr != NULL && !mst_span_eq(r->uri, uri))
		x->out->err = MST_E_SUIT_REPORT_REFERENCE;
	if (x->out->err == MST_OK && x->want->nonce.ptr != NULL &&
	    !mst_span_eq(r->nonce, x->want->nonce))
		x->out->err = MST_E_SUIT_REPORT_NONCE;
}

mst_err
suit_replay(struct arena *a, mst_span report, mst_span envelope,
    const struct suit_replay_want *want, struct suit_replay *out)
{
	struct replay *x = arena_alloc(a, sizeof *x);
	mst_span content;
	mst_err e;

	if (x == NULL)
		return MST_E_NOMEM;
	*out = (struct suit_replay){ .err = MST_OK };
	*x = (struct replay){ .a = a, .want = want, .out = out };
	x->record_tail = &out->records;
	x->proof_tail = &out->proves;
	x->lack_tail = &out->lacks;
	if ((e = open_report(x, report, &content)) != MST_OK || out->err != MST_OK)
		return e;
	x->manifest[0] = (struct manifest){ .env = arena_alloc(a, sizeof *x->manifest[0].env) };
	x->manifests = 1;
	if (x->manifest[0].env == NULL)
		return MST_E_NOMEM;
	out->err = suit_envelope_read(envelope, x->manifest[0].env);
	if (out->err == MST_OK)
		out->err = suit_envelope_covers(x->manifest[0].env);
	if (out->err == MST_OK)
		judge_reference(x, x->manifest[0].env);
	if (out->err != MST_OK)
		return MST_OK;
	if ((e = follow(x, &x->manifest[0])) != MST_OK)
		return e;
	judge_records(x);
	judge_result(x);
	say_lacking(x);
	say_whole(x);
	return MST_OK;
}

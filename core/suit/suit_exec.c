/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter (sheet 9). All it executes was scanned, so what it reads is
 * well-formed; what it decides is what the device finds. It recurses by nesting
 * of sequences (MST_SUIT_NESTING_MAX) and by depth of dependencies
 * (MST_SUIT_DEPTH_MAX), both bounded before it starts.
 */
#include <string.h>

#include "core/suit/suit_impl.h"

/* What set-component-index selected: an encoded index argument, or (NULL) one place. */
struct selection {
	const uint8_t *argument;
	uint8_t place;
};

/* A command where it stands in its sequence. */
struct step {
	const struct suit_command *command; /* NULL: custom */
	const uint8_t *code, *argument;
	struct selection on;
	bool soft;
};

/* sequence: the array's head, within m's envelope. */
static enum suit_outcome run_sequence(struct mst_suit *s, const struct mst_suit_manifest *m,
    const uint8_t *sequence, uint8_t place, enum suit_kind kind);

/* From here to the end of the manifest's bytes. */
static mst_span
rest_of(const struct mst_suit_manifest *m, const uint8_t *at)
{
	const mst_span *b = &m->envelope.bytes;

	return mst_span_of(at, b->len - (size_t)(at - b->ptr));
}

/* The n-th place of a selection; false after the last. In list order (M 6.5). */
static bool
expand(const struct mst_suit_manifest *m, const struct selection *on, unsigned n, uint8_t *place)
{
	const uint8_t *at = on->argument;
	unsigned found = 0;

	if (at == NULL) {
		*place = on->place;
		return n == 0 && m->count > 0;
	}
	if (suit_value_major(at) == MAJOR_OTHER) { /* true */
		*place = (uint8_t)n;
		return n < m->count;
	}
	if (suit_value_major(at) == MAJOR_ARRAY) {
		if (n >= suit_value_arg(at))
			return false;
		for (at = suit_value_content(at); n > 0; n--)
			at = suit_value_content(at);
	}
	(void)suit_place(m, suit_value_arg(at), &found);
	*place = (uint8_t)found;
	return n == 0;
}

#ifndef MUSTER_SUIT_BOOT
void
suit_trace(const struct suit_act *a, mst_err result)
{
	const struct mst_suit_platform *pf = a->s->platform;
	struct mst_suit_event ev = { .result = result };

	if (pf->trace == NULL)
		return;
	ev.how = a->how;
	ev.section = a->s->section;
	ev.offset = (uint32_t)(a->code - a->s->section_at);
	ev.component = a->slot == NULL ? MST_SUIT_NO_INDEX : suit_index_of(a->m, a->place);
	ev.handle = a->slot == NULL ? MST_SUIT_NO_HANDLE : a->slot->handle;
	ev.command = suit_value_int(a->code);
	ev.depth = a->m->depth;
	ev.path = a->m->index;
	if (a->command != NULL && a->command->argument == SUIT_ARG_POLICY)
		ev.policy = (uint8_t)suit_value_arg(a->argument);
	ev.measured = mst_buf_span(&a->measured);
	ev.measured_count = a->measured_count;
	pf->trace(pf->ctx, &ev);
}
#endif

/* The first refusal counts: it is the innermost one. */
static enum suit_outcome
refused(const struct suit_act *a, mst_err e, enum suit_outcome outcome)
{
	struct mst_suit_refusal *r = &a->s->refusal;

	if (r->err != MST_OK)
		return outcome;
	(void)suit_refuse(a->s, a->m, a->s->section, e);
	r->offset = (uint32_t)(a->code - a->s->section_at);
	r->command = suit_value_int(a->code);
	if (a->slot != NULL)
		r->component = suit_index_of(a->m, a->place);
	return outcome;
}

static void
act_init(
    struct suit_act *a, struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t)
{
	a->s = s;
	a->m = m;
	a->slot = NULL;
	a->command = t->command;
	a->code = t->code;
	a->argument = t->argument;
	a->place = 0;
	a->how = MST_SUIT_DONE;
	a->soft = t->soft;
#ifndef MUSTER_SUIT_BOOT
	a->measured_count = 0;
	a->measured = MST_BUF(a->measured_store);
#endif
}

static void
act_on(struct suit_act *a, uint8_t place)
{
	a->place = place;
	a->slot = &a->s->slot[a->m->slot[place]];
}

/* Sheet 21: bounded whatever the manifest says. */
static bool
step_allowed(struct mst_suit *s)
{
	return ++s->steps <= MST_SUIT_STEPS_MAX;
}

/* A command that the interpreter itself does, on no component. */
__attribute__((noinline)) static enum suit_outcome
note(struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t, mst_err e,
    enum suit_outcome outcome)
{
	struct suit_act a;

	act_init(&a, s, m, t);
	suit_trace(&a, e);
	return e == MST_OK ? outcome : refused(&a, e, outcome);
}

#ifndef MUSTER_SUIT_BOOT
/* The item that stands here. */
static mst_span
item_at(const struct mst_suit_manifest *m, const uint8_t *at)
{
	struct suit_cur c;

	suit_cur_init(&c, rest_of(m, at));
	return suit_item(&c);
}
#endif

#ifdef MUSTER_SUIT_BOOT
#define perform(a) ((a)->command->run(a))
#else
static mst_err
perform(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	bool skip;
	mst_err e;

	if (a->command == NULL)
		return pf->custom(
		    pf->ctx, a->slot->handle, suit_value_int(a->code), item_at(a->m, a->argument));
	if ((a->command->flags & SUIT_RECALLED) != 0) {
		/* a permission of yesterday is none today (sheet 22, EXP) */
		if (suit_journal_recall(a, &e))
			return e == MST_OK && (a->command->flags & SUIT_STILL) != 0
			           ? a->command->run(a)
			           : e;
		e = a->command->run(a);
		suit_journal_say(a, e);
		return e;
	}
	if ((a->command->flags & SUIT_STORES) == 0)
		return a->command->run(a);
	if ((e = suit_journal_ahead(a, &skip)) != MST_OK || skip ||
	    (e = a->command->run(a)) != MST_OK)
		return e;
	return suit_journal_done(a);
}
#endif

/* A condition's failure may be soft; 7 aborts at once (TD 5.5.4), and so does a directive. */
static bool
is_condition(const struct suit_act *a, mst_err e)
{
#ifndef MUSTER_SUIT_BOOT
	if (a->command == NULL)
		return e == MST_E_SUIT_CUSTOM;
#else
	(void)e;
#endif
	return (a->command->flags & SUIT_CONDITION) != 0 &&
	       a->command->code != MST_SUIT_CMD_DEPENDENCY_INTEGRITY;
}

__attribute__((noinline)) static enum suit_outcome
apply(struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t, uint8_t place)
{
	struct suit_act a;
	mst_err e;

	act_init(&a, s, m, t);
	act_on(&a, place);
	if (!step_allowed(s))
		return refused(&a, MST_E_SUIT_STEPS, SUIT_ABORTED);
	e = perform(&a);
	suit_trace(&a, e);
	if (e == MST_OK)
		return SUIT_OK;
	if (!is_condition(&a, e))
		return refused(&a, e, SUIT_ABORTED);
	return refused(&a, e, t->soft ? SUIT_SOFT : SUIT_FAILED);
}

/* M 8.4.10.2: one after the other, until one succeeds. */
static enum suit_outcome
try_each(struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t, uint8_t place)
{
	size_t n = (size_t)suit_value_arg(t->argument);
	const uint8_t *at = suit_value_content(t->argument);
	enum suit_outcome o;

	if (!step_allowed(s))
		return note(s, m, t, MST_E_SUIT_STEPS, SUIT_ABORTED);
	for (; n > 0; n--) {
		if (suit_value_major(at) != MAJOR_BYTES) /* null */
			return note(s, m, t, MST_OK, SUIT_OK);
		o = run_sequence(s, m, suit_value_content(at), place, SUIT_TRY);
		at = suit_value_content(at) + (size_t)suit_value_arg(at);
		if (o == SUIT_OK)
			return note(s, m, t, MST_OK, o);
		if (o == SUIT_ABORTED)
			return o;
		if (o == SUIT_FAILED) /* soft-failure was false in it: the failure is try-each's */
			return t->soft ? SUIT_SOFT : SUIT_FAILED;
		s->refusal.err = MST_OK;
	}
	return note(s, m, t, MST_E_SUIT_NO_ALTERNATIVE, t->soft ? SUIT_SOFT : SUIT_FAILED);
}

static enum suit_outcome
run_nested(
    struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t, uint8_t place)
{
	enum suit_outcome o;

	if (!step_allowed(s))
		return note(s, m, t, MST_E_SUIT_STEPS, SUIT_ABORTED);
	o = run_sequence(s, m, suit_value_content(t->argument), place, SUIT_RUN);
	if (o == SUIT_FAILED)
		return t->soft ? SUIT_SOFT : SUIT_FAILED;
	if (o == SUIT_SOFT) { /* M 8.4.8.14: it simply halts */
		s->refusal.err = MST_OK;
		o = SUIT_OK;
	}
	return o == SUIT_OK ? note(s, m, t, MST_OK, o) : o;
}

/* One map of parameters into the table. *soft: what soft-failure becomes. */
static mst_err
set_parameters(struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t,
    const uint8_t *map, uint8_t place, bool *soft)
{
	struct mst_suit_slot *slot = &s->slot[m->slot[place]];
	size_t n = (size_t)suit_value_arg(map);
	struct suit_cur c;
	int64_t key;
	const uint8_t *value, **at;

	suit_cur_init(&c, rest_of(m, suit_value_content(map)));
	for (; n > 0; n--) {
		key = suit_int(&c);
		value = suit_item(&c).ptr;
		at = suit_param_at(slot, key);
		if (key == MST_SUIT_PARAM_SOFT_FAILURE)
			*soft = *value == (0xe0 | OTHER_TRUE);
		else if (at != NULL &&
		         (*at == NULL || t->command->code != MST_SUIT_CMD_SET_PARAMETERS))
			*at = value; /* TD 5.5.1: 19 only where it is unset */
#ifndef MUSTER_SUIT_BOOT
		else if (!suit_param_known(key)) {
			mst_err e = s->platform->custom_parameter(s->platform->ctx, slot->handle,
			    key, mst_span_of(value, (size_t)(c.at - value)));
			if (e != MST_OK)
				return e;
		}
#endif
	}
	return MST_OK;
}

#ifndef MUSTER_SUIT_BOOT
/* UM 6.2: (12 index, 20 map) for each pair; the last index stays selected. */
static mst_err
set_multiple(struct mst_suit *s, const struct mst_suit_manifest *m, struct step *t)
{
	size_t n = (size_t)suit_value_arg(t->argument);
	struct suit_cur c;
	uint8_t place = 0;
	mst_err e = MST_OK;

	suit_cur_init(&c, rest_of(m, suit_value_content(t->argument)));
	for (; n > 0 && e == MST_OK; n--) {
		t->on.argument = c.at;
		(void)suit_take(&c, MAJOR_UINT);
		(void)expand(m, &t->on, 0, &place);
		e = set_parameters(s, m, t, c.at, place, &t->soft);
		(void)suit_item(&c);
	}
	return e;
}

/* UM 6.3: params[current][key] := params[index][key] */
static mst_err
copy_parameters(
    struct mst_suit *s, const struct mst_suit_manifest *m, const struct step *t, uint8_t place)
{
	size_t n = (size_t)suit_value_arg(t->argument), keys;
	const uint8_t *at = suit_value_content(t->argument);
	struct selection from = { .argument = at };
	uint8_t source = 0;

	for (; n > 0; n--) {
		from.argument = at;
		(void)expand(m, &from, 0, &source);
		at = suit_value_content(at);
		keys = (size_t)suit_value_arg(at);
		for (at = suit_value_content(at); keys > 0; keys--, at = suit_value_content(at)) {
			int64_t key = suit_value_int(at);
			const uint8_t **to = suit_param_at(&s->slot[m->slot[place]], key);
			const uint8_t **have = suit_param_at(&s->slot[m->slot[source]], key);
			if (to == NULL || *have == NULL)
				return MST_E_SUIT_PARAMETER_MISSING;
			*to = *have;
		}
	}
	return MST_OK;
}
#endif

/* 19, 20, 35; apart, so that what it needs is not in the frames of the recursion. */
__attribute__((noinline)) static enum suit_outcome
set_on(struct mst_suit *s, const struct mst_suit_manifest *m, struct step *t, uint8_t place)
{
	struct suit_act a;
	mst_err e;

	if (!step_allowed(s))
		e = MST_E_SUIT_STEPS;
#ifndef MUSTER_SUIT_BOOT
	else if (t->command->argument == SUIT_ARG_COPY)
		e = copy_parameters(s, m, t, place);
#endif
	else
		e = set_parameters(s, m, t, t->argument, place, &t->soft);
	act_init(&a, s, m, t);
	act_on(&a, place);
	suit_trace(&a, e);
	return e == MST_OK ? SUIT_OK : refused(&a, e, SUIT_ABORTED);
}

/* TD 5.5.2: of all components it means all dependencies. */
#ifdef MUSTER_SUIT_BOOT
#define passes_over(m, t, place) (false)
#else
static bool
passes_over(const struct mst_suit_manifest *m, const struct step *t, uint8_t place)
{
	return t->command != NULL && t->command->code == MST_SUIT_CMD_PROCESS_DEPENDENCY &&
	       t->on.argument != NULL && suit_value_major(t->on.argument) == MAJOR_OTHER &&
	       !suit_is_dependency(m, place);
}
#endif

/* What is done on one of the selected components. */
static enum suit_outcome
each(struct mst_suit *s, const struct mst_suit_manifest *m, struct step *t, uint8_t place)
{
	if (t->command == NULL || t->command->run != NULL)
		return passes_over(m, t, place) ? SUIT_OK : apply(s, m, t, place);
	if (t->command->code == MST_SUIT_CMD_TRY_EACH)
		return try_each(s, m, t, place);
	if (t->command->code == MST_SUIT_CMD_RUN_SEQUENCE)
		return run_nested(s, m, t, place);
	return set_on(s, m, t, place);
}

/* t->on and t->soft become what applies to the commands that follow. */
static enum suit_outcome
run_command(struct mst_suit *s, const struct mst_suit_manifest *m, struct step *t)
{
	enum suit_outcome o = SUIT_OK;
	uint8_t place;

	if (t->command != NULL && t->command->argument == SUIT_ARG_INDEX) {
		t->on.argument = t->argument;
		return note(s, m, t, step_allowed(s) ? MST_OK : MST_E_SUIT_STEPS,
		    s->steps <= MST_SUIT_STEPS_MAX ? SUIT_OK : SUIT_ABORTED);
	}
#ifndef MUSTER_SUIT_BOOT
	if (t->command != NULL && t->command->argument == SUIT_ARG_MULTIPLE) {
		mst_err e = step_allowed(s) ? set_multiple(s, m, t) : MST_E_SUIT_STEPS;
		return note(s, m, t, e, e == MST_OK ? SUIT_OK : SUIT_ABORTED);
	}
#endif
	/* abort is all that a manifest without components can say */
	if (m->count == 0)
		return note(s, m, t, MST_E_SUIT_ABORT, t->soft ? SUIT_SOFT : SUIT_FAILED);
	for (unsigned n = 0; o == SUIT_OK && expand(m, &t->on, n, &place); n++)
		o = each(s, m, t, place);
	return o;
}

static enum suit_outcome
run_sequence(struct mst_suit *s, const struct mst_suit_manifest *m, const uint8_t *sequence,
    uint8_t place, enum suit_kind kind)
{
	/* M 8.4.8.14: soft in try-each, not in run-sequence, and not inherited */
	struct step t = { .on = { NULL, place }, .soft = kind == SUIT_TRY };
	enum suit_outcome o = SUIT_OK;
	struct suit_cur c;
	size_t n;

	suit_cur_init(&c, rest_of(m, sequence));
	for (n = suit_count(&c, MAJOR_ARRAY); n > 0 && o == SUIT_OK; n -= 2) {
		t.code = c.at;
		t.command = suit_command_find(suit_int(&c));
		t.argument = suit_item(&c).ptr;
		if (c.e != MST_OK) /* it was scanned: its bytes changed since */
			return note(s, m, &t, MST_E_INTERNAL, SUIT_ABORTED);
		o = run_command(s, m, &t);
	}
	return o;
}

static mst_err
run_top(
    struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section, const uint8_t *sequence)
{
	int32_t section_before = s->section;
	const uint8_t *at_before = s->section_at;
	enum suit_outcome o;

	s->section = section;
	s->section_at = sequence;
	o = run_sequence(s, m, sequence, 0, SUIT_TOP);
	s->section = section_before;
	s->section_at = at_before;
	return o == SUIT_OK ? MST_OK : s->refusal.err;
}

mst_err
suit_section_run(struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section)
{
	bool severed;
	mst_span sequence = suit_section(m, section, &severed), shared = suit_shared(m);
	mst_err e = MST_OK;

	if (sequence.ptr == NULL && severed)
		return suit_refuse(s, m, section, MST_E_SUIT_SEVERED_MISSING);
	if (sequence.ptr == NULL)
		return MST_OK;
	if (shared.ptr != NULL) /* M 5.3.3: before each section */
		e = run_top(s, m, MST_SUIT_COMMON, shared.ptr);
	if (e == MST_OK)
		e = run_top(s, m, section, sequence.ptr);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Procedures (sheet 11): which sections, in which order, and what must be so at the end. */
#include <string.h>

#include "core/suit/suit_impl.h"

static const uint8_t procedures[][6] = {
	[MST_SUIT_UPDATE] = { 15, 16, 18, 20, 7, 0 },
	[MST_SUIT_STAGING] = { 15, 16, 0 },
	[MST_SUIT_INSTALLATION] = { 18, 20, 7, 0 },
	[MST_SUIT_INVOCATION] = { 7, 8, 9, 0 },
	[MST_SUIT_VALIDATION] = { 7, 0 },
	[MST_SUIT_UNINSTALLATION] = { 24, 0 },
};

const uint8_t *
suit_procedure_sections(enum mst_suit_procedure procedure)
{
	return procedures[procedure];
}

/* What a manifest must have for the procedure to mean anything. */
static bool
is_essential(enum mst_suit_procedure procedure, uint8_t section)
{
	switch (procedure) {
	case MST_SUIT_UPDATE:
	case MST_SUIT_INSTALLATION: return section != MST_SUIT_VALIDATE;
	case MST_SUIT_INVOCATION: return section == MST_SUIT_INVOKE;
	case MST_SUIT_STAGING:
	case MST_SUIT_VALIDATION:
	case MST_SUIT_UNINSTALLATION: break;
	}
	return true;
}

/* All that this procedure needs is here, before any of it begins. */
static mst_err
sections_present(
    struct mst_suit *s, const struct mst_suit_manifest *m, enum mst_suit_procedure procedure)
{
	bool severed, found = false;

	for (const uint8_t *p = procedures[procedure]; *p != 0; p++) {
		if (suit_section(m, *p, &severed).ptr != NULL)
			found = found || is_essential(procedure, *p);
		else if (severed)
			return suit_refuse(s, m, *p, MST_E_SUIT_SEVERED_MISSING);
	}
	return found ? MST_OK : suit_refuse(s, m, MST_SUIT_AT_MANIFEST, MST_E_SUIT_NO_SECTION);
}

/* M 6.1: parameter storage is cleared before a procedure, so that nothing leaks into it. */
static void
clear(struct mst_suit *s, const struct mst_suit_manifest *m)
{
	memset(&s->refusal, 0, sizeof s->refusal);
	s->root = m;
	s->steps = 0;
	s->flags = 0;
	s->section = MST_SUIT_AT_NOWHERE;
	s->slots = m->count;
	for (unsigned i = 0; i < MST_SUIT_COMPONENTS_MAX; i++) {
		s->slot[i].flags = 0;
		memset(s->slot[i].param, 0, sizeof s->slot[i].param);
	}
	s->arena.len = 0;
#ifndef MUSTER_SUIT_BOOT
	memset(s->dependency, 0, sizeof s->dependency);
#endif
}

#ifndef MUSTER_SUIT_BOOT
static mst_err
refuse_slot(struct mst_suit *s, unsigned i, mst_err e)
{
	if (e == MST_OK || s->refusal.err != MST_OK)
		return e;
	(void)suit_refuse(s, s->root, MST_SUIT_AT_NOWHERE, e);
	for (unsigned place = 0; place < s->root->count; place++)
		if (s->root->slot[place] == i)
			s->refusal.component = suit_index_of(s->root, place);
	return e;
}

/* After a replay the checks of before the cut do not count: look again, at what is there now. */
__attribute__((noinline)) static bool
check_again(struct mst_suit *s, unsigned i)
{
	struct suit_act a;

	if ((s->flags & SUIT_RESUMED) == 0)
		return false;
	memset(&a, 0, sizeof a);
	a.s = s;
	a.m = s->root;
	a.slot = &s->slot[i];
	a.measured = MST_BUF(a.measured_store);
	/* a place that is no dependency's: those were checked by dependency-integrity */
	a.place = MST_SUIT_COMPONENTS_MAX;
	return suit_image_match(&a) == MST_OK ||
	       (suit_param(&a, MST_SUIT_PARAM_ENCRYPTION) == NULL &&
	           suit_check_content(&a) == MST_OK);
}

/* Sheet 19: no component becomes valid of which no digest was checked. */
static mst_err
all_checked(struct mst_suit *s)
{
	for (unsigned i = 0; i < s->slots; i++)
		if ((s->slot[i].flags & (SUIT_WRITTEN | SUIT_CHECKED)) == SUIT_WRITTEN &&
		    !check_again(s, i))
			return refuse_slot(s, i, MST_E_SUIT_UNCHECKED);
	return MST_OK;
}

static mst_err
link_by(struct mst_suit *s, const struct mst_suit_manifest *m, unsigned slot)
{
	const struct mst_suit_platform *pf = s->platform;
	uint8_t by[32];

	if (pf->link == NULL)
		return MST_OK;
	suit_digest32(m, by);
	return pf->link(pf->ctx, s->slot[slot].handle, mst_span_of(by, sizeof by));
}

static const struct mst_suit_manifest *
numbered(const struct mst_suit *s, uint8_t number)
{
	return number == 0 ? s->root : &s->dependency[number - 1];
}

/* TD 5.5.5: who needs what, so that nobody takes it away. */
static mst_err
make_links(struct mst_suit *s)
{
	const struct mst_suit_manifest *d;
	mst_err e;

	for (unsigned i = 0; i < s->slots; i++)
		if ((s->slot[i].flags & SUIT_WANTED) != 0 &&
		    (e = link_by(s, numbered(s, s->slot[i].writer), i)) != MST_OK)
			return e;
	for (unsigned i = 0; i < MST_SUIT_DEPENDENCIES_MAX; i++) {
		d = &s->dependency[i];
		if ((d->flags & SUIT_VERIFIED) != 0 &&
		    (e = link_by(s, numbered(s, d->parent), d->component)) != MST_OK)
			return e;
	}
	return MST_OK;
}

static mst_err
finalise(struct mst_suit *s)
{
	const struct mst_suit_platform *pf = s->platform;
	const struct mst_suit_manifest *m = s->root;
	mst_suit_handle keep;
	mst_err e;

	if ((e = all_checked(s)) != MST_OK)
		return e;
	for (unsigned i = 0; i < s->slots && pf->finalise != NULL; i++)
		/* also what was there already: a cut may have come before this */
		if ((s->slot[i].flags & (SUIT_WRITTEN | SUIT_WANTED)) != 0 &&
		    (e = pf->finalise(pf->ctx, s->slot[i].handle)) != MST_OK)
			return refuse_slot(s, i, e);
	if ((e = make_links(s)) != MST_OK)
		return suit_refuse(s, m, MST_SUIT_AT_NOWHERE, e);
	if (m->component_id.ptr == NULL || pf->keep == NULL)
		return MST_OK;
	if ((e = pf->component(pf->ctx, m->component_id, &keep)) == MST_OK)
		e = pf->keep(pf->ctx, keep, m->envelope.bytes);
	return suit_refuse(s, m, MST_SUIT_COMPONENT_ID, e);
}
#endif

static mst_err
run_sections(
    struct mst_suit *s, const struct mst_suit_manifest *m, enum mst_suit_procedure procedure)
{
	mst_err e = MST_OK;

	for (const uint8_t *p = procedures[procedure]; *p != 0 && e == MST_OK; p++) {
		e = suit_section_run(s, m, *p);
#ifndef MUSTER_SUIT_BOOT
		if (e == MST_OK) {
			s->section = *p;
			e = suit_dependencies_ran(s, m, *p);
			s->section = MST_SUIT_AT_NOWHERE;
		}
#endif
	}
#ifndef MUSTER_SUIT_BOOT
	if (e == MST_OK && (procedure == MST_SUIT_UPDATE || procedure == MST_SUIT_INSTALLATION))
		e = finalise(s);
#endif
	return e;
}

mst_err
mst_suit_run(
    struct mst_suit *s, const struct mst_suit_manifest *m, enum mst_suit_procedure procedure)
{
	mst_err e;

	clear(s, m);
	if (s->rules->procedures != 0 && (s->rules->procedures >> procedure & 1) == 0)
		return suit_refuse(s, m, MST_SUIT_AT_MANIFEST, MST_E_SUIT_NO_SECTION);
	if ((e = sections_present(s, m, procedure)) != MST_OK)
		return e;
#ifdef MUSTER_SUIT_BOOT
	if (procedure != MST_SUIT_INVOCATION && procedure != MST_SUIT_VALIDATION)
		return suit_refuse(s, m, MST_SUIT_AT_MANIFEST, MST_E_SUIT_NO_SECTION);
	e = run_sections(s, m, procedure);
#else
	bool journaled = procedure != MST_SUIT_INVOCATION && procedure != MST_SUIT_VALIDATION;

	s->procedure = (uint8_t)procedure;
	s->flags |= SUIT_NO_JOURNAL;
	if (journaled) {
		s->flags = 0;
		suit_journal_begin(s);
	}
	e = run_sections(s, m, procedure);
	if (journaled)
		e = suit_journal_end(s, e);
#endif
	if (e != MST_OK && s->refusal.err == MST_OK)
		(void)suit_refuse(s, m, MST_SUIT_AT_NOWHERE, e);
	return e;
}

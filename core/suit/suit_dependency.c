/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dependencies (sheet 14, TD 5): an envelope that a component holds, read back,
 * found authentic and to be the one its dependent names, scanned, and then
 * executed section by section in step with its dependent.
 */
#include <string.h>

#include "core/suit/suit_impl.h"

#ifndef MUSTER_SUIT_BOOT

/* The entry of this component as a dependency of this manifest; NULL: none yet. */
static struct mst_suit_manifest *
find(const struct suit_act *a)
{
	struct mst_suit *s = a->s;
	uint8_t slot = a->m->slot[a->place], parent = suit_number(s, a->m);

	for (unsigned i = 0; i < MST_SUIT_DEPENDENCIES_MAX; i++)
		if ((s->dependency[i].flags & SUIT_IN_USE) != 0 &&
		    s->dependency[i].component == slot && s->dependency[i].parent == parent)
			return &s->dependency[i];
	return NULL;
}

/* TD 5.5.4: what is cached ends where something writes to it. */
void
suit_dependencies_forget(struct mst_suit *s, const struct mst_suit_slot *slot)
{
	for (unsigned i = 0; i < MST_SUIT_DEPENDENCIES_MAX; i++)
		if (&s->slot[s->dependency[i].component] == slot)
			s->dependency[i].flags &= (uint8_t)~SUIT_VERIFIED;
}

/* The envelope that the component holds, into the arena. */
static mst_err
load(struct suit_act *a, struct mst_suit_envelope *out)
{
	const struct mst_suit_platform *pf = a->s->platform;
	struct mst_buf *arena = &a->s->arena;
	struct mst_suit_component_info info;
	mst_err e;

	if ((e = pf->info(pf->ctx, a->slot->handle, &info)) != MST_OK)
		return e;
	if (info.state != MST_SUIT_HOLDS || info.size == 0)
		return MST_E_SUIT_DEPENDENCY_ABSENT;
	if (info.size > arena->cap - arena->len)
		return MST_E_SUIT_DEPENDENCY_SPACE;
	e = pf->read(pf->ctx, a->slot->handle, 0, arena->ptr + arena->len, (size_t)info.size);
	if (e != MST_OK)
		return e;
	e = mst_suit_envelope_parse(mst_span_of(arena->ptr + arena->len, (size_t)info.size), out);
	if (e == MST_OK)
		arena->len += (size_t)info.size;
	return e;
}

/* The digest that the dependent names is that of the envelope's wrapper. */
static mst_err
is_named(struct suit_act *a, const struct mst_suit_envelope *v)
{
	const uint8_t *want = suit_param(a, MST_SUIT_PARAM_DIGEST);
	struct mst_suit_digest_claim named, have;
	mst_err e;

	if ((e = mst_suit_digest_parse(suit_value_string(want), &named)) != MST_OK ||
	    (e = mst_suit_digest_parse(v->digest, &have)) != MST_OK)
		return e;
	suit_measure_digest(a, have.alg, have.digest);
	return named.alg == have.alg && mst_ct_eq(named.digest, have.digest)
	           ? MST_OK
	           : MST_E_SUIT_DEPENDENCY_DIGEST;
}

static bool
has_section(const struct mst_suit_manifest *m, int32_t section)
{
	bool severed;

	return suit_section(m, section, &severed).ptr != NULL || severed;
}

/*
 * TD 5.1: the dependent must have all sections of this procedure that the
 * dependency has, and none may have passed without the dependency's.
 */
static mst_err
sections_fit(const struct suit_act *a, const struct mst_suit_manifest *d)
{
	const uint8_t *p = suit_procedure_sections((enum mst_suit_procedure)a->s->procedure);
	int32_t now = a->s->section;
	bool passed = true;

	for (; *p != 0; p++) {
		if (*p == now)
			passed = false;
		if (!has_section(d, *p) || (d->ran >> *p & 1) != 0)
			continue;
		if (passed && now != MST_SUIT_COMMON)
			return MST_E_SUIT_DEPENDENCY_SKIPPED;
		if ((a->s->rules->rules & MST_SUIT_RULE_STRICT_DEPENDENCIES) != 0 &&
		    !has_section(a->m, *p))
			return MST_E_SUIT_DEPENDENCY_SECTION;
	}
	return MST_OK;
}

/* What goes before its components' identifiers, and its dependencies'. */
static mst_err
inherit_prefix(const struct suit_act *a, struct mst_suit_manifest *d)
{
	uint16_t index = suit_index_of(a->m, a->place);

	if (index < a->m->components)
		d->prefix = suit_prefix_of(a->m, index);
	if (a->m->prefix.ptr == NULL)
		return MST_OK;
	if (d->prefix.ptr != NULL)
		return suit_id_join(a->s, a->m->prefix, &d->prefix);
	d->prefix = a->m->prefix;
	return MST_OK;
}

/* Signature, digest, manifest (TD 5.5.4), and then all that is asked of a root. */
static mst_err
verify(struct suit_act *a, struct mst_suit_manifest *d)
{
	struct mst_suit *s = a->s;
	mst_err e;

	if ((e = load(a, &d->envelope)) != MST_OK || (e = inherit_prefix(a, d)) != MST_OK)
		return e;
	e = suit_authenticate(s, d, &s->rules->dependency_signers);
	if (e == MST_OK)
		e = is_named(a, &d->envelope);
	if (e != MST_OK)
		return suit_refuse(s, d, MST_SUIT_AT_AUTHENTICATION, e);
	if ((e = suit_manifest_read(s, d)) != MST_OK || (e = suit_scan(s, d)) != MST_OK ||
	    (e = suit_refuse(s, d, s->section, sections_fit(a, d))) != MST_OK)
		return e;
	d->flags |= SUIT_VERIFIED;
	a->slot->flags |= SUIT_CHECKED;
	return MST_OK;
}

static mst_err
new_entry(struct suit_act *a, struct mst_suit_manifest **out)
{
	struct mst_suit_manifest *d = a->s->dependency;
	unsigned i;

	for (i = 0; i < MST_SUIT_DEPENDENCIES_MAX && (d[i].flags & SUIT_IN_USE) != 0; i++)
		;
	if (i == MST_SUIT_DEPENDENCIES_MAX)
		return MST_E_SUIT_DEPENDENCY_LIMIT;
	memset(&d[i], 0, sizeof d[i]);
	*out = &d[i];
	return MST_OK;
}

static mst_err
integrity(struct suit_act *a, struct mst_suit_manifest **out)
{
	struct mst_suit_manifest *d = find(a);
	uint32_t ran = 0;
	mst_err e;

	if (!suit_is_dependency(a->m, a->place))
		return MST_E_SUIT_NO_DEPENDENCY;
	if (suit_param(a, MST_SUIT_PARAM_DIGEST) == NULL)
		return MST_E_SUIT_PARAMETER_MISSING;
	if (a->m->depth == MST_SUIT_DEPTH_MAX)
		return MST_E_SUIT_DEPENDENCY_DEPTH;
	if (d != NULL && (d->flags & SUIT_VERIFIED) != 0) {
		*out = d;
		/* the digest may have been set to another one since */
		return is_named(a, &d->envelope);
	}
	if (d == NULL && (e = new_entry(a, &d)) != MST_OK)
		return e;
	ran = d->ran;
	memset(d, 0, sizeof *d);
	d->ran = ran;
	d->component = a->m->slot[a->place];
	d->parent = suit_number(a->s, a->m);
	d->depth = (uint8_t)(a->m->depth + 1);
	memcpy(d->index, a->m->index, sizeof d->index);
	d->index[a->m->depth] = suit_index_of(a->m, a->place);
	d->flags = SUIT_IN_USE;
	if ((e = verify(a, d)) == MST_OK)
		*out = d;
	else
		d->flags = 0;
	return e;
}

mst_err
suit_dependency_integrity(struct suit_act *a)
{
	struct mst_suit_manifest *d;

	return integrity(a, &d);
}

mst_err
suit_dependency_is(struct suit_act *a)
{
	return suit_is_dependency(a->m, a->place) ? MST_OK : MST_E_SUIT_NOT_DEPENDENCY;
}

mst_err
suit_dependency_ready(struct suit_act *a, struct mst_suit_manifest **out)
{
	mst_err e;

	if (!suit_is_dependency(a->m, a->place))
		return MST_E_SUIT_NO_DEPENDENCY;
	*out = find(a);
	if (*out != NULL && ((*out)->flags & SUIT_VERIFIED) != 0)
		return MST_OK;
	if ((a->s->rules->rules & MST_SUIT_RULE_STRICT_DEPENDENCIES) != 0 ||
	    suit_param(a, MST_SUIT_PARAM_DIGEST) == NULL)
		return MST_E_SUIT_DEPENDENCY_UNCHECKED;
	e = integrity(a, out);
	a->how = MST_SUIT_IMPLIED;
	return e;
}

static mst_err
run_section(struct mst_suit *s, struct mst_suit_manifest *d, int32_t section)
{
	mst_err e;

	if ((e = suit_section_run(s, d, section)) == MST_OK)
		d->ran |= UINT32_C(1) << section;
	return e == MST_OK ? suit_dependencies_ran(s, d, section) : e;
}

mst_err
suit_dependency_process(struct suit_act *a)
{
	struct mst_suit_manifest *d;
	mst_err e;

	if ((e = suit_dependency_ready(a, &d)) != MST_OK)
		return e;
	return run_section(a->s, d, a->s->section);
}

mst_err
suit_dependencies_ran(struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section)
{
	uint8_t parent = suit_number(s, m);
	struct mst_suit_manifest *d;
	mst_err e;

	for (unsigned i = 0; i < MST_SUIT_DEPENDENCIES_MAX; i++) {
		d = &s->dependency[i];
		if ((d->flags & SUIT_VERIFIED) == 0 || d->parent != parent ||
		    !has_section(d, section) || (d->ran >> section & 1) != 0)
			continue;
		if (has_section(m, section))
			return suit_refuse(s, m, section, MST_E_SUIT_DEPENDENCY_SKIPPED);
		/* the dependent has no such section (sheet 14, compatibility): in its place */
		if ((e = run_section(s, d, section)) != MST_OK)
			return e;
	}
	return MST_OK;
}

/*
 * image-match of a dependency (TD 5.2.2): the digest over the manifest within the
 * stored envelope, and the envelope's size. That size may be with or without tag
 * 107, two bytes (sheet 24.3).
 */
mst_err
suit_dependency_match(struct suit_act *a)
{
	const uint8_t *size = suit_param(a, MST_SUIT_PARAM_SIZE);
	struct mst_suit_digest_claim claim;
	struct mst_suit_envelope v;
	size_t before = a->s->arena.len, len, tagged;
	mst_err e;

	if ((e = load(a, &v)) != MST_OK)
		return e;
	a->s->arena.len = before; /* for this look only */
	if ((e = is_named(a, &v)) != MST_OK)
		return e == MST_E_SUIT_DEPENDENCY_DIGEST ? MST_E_SUIT_IMAGE_MISMATCH : e;
	len = v.bytes.len;
	tagged = *v.bytes.ptr >> 5 == MAJOR_TAG ? len : len + 2;
	if (size != NULL && suit_value_arg(size) != tagged && suit_value_arg(size) != tagged - 2)
		return MST_E_SUIT_IMAGE_SIZE;
	if ((e = mst_suit_digest_parse(v.digest, &claim)) != MST_OK)
		return e;
	e = mst_suit_digest_check_wrapped(a->s->crypto, &claim, v.manifest);
	return e == MST_E_SUIT_DIGEST_MISMATCH ? MST_E_SUIT_IMAGE_MISMATCH : e;
}

/* TD 5.5.5: one reference less; with the last one the target's uninstall runs, and it is freed. */
mst_err
suit_unlink(struct suit_act *a)
{
	const struct mst_suit_platform *pf = a->s->platform;
	struct mst_suit_manifest *d = NULL;
	uint8_t by[32];
	unsigned left = 0;
	mst_err e;

	/* before the count goes down: without the manifest nothing could be uninstalled */
	if (suit_is_dependency(a->m, a->place) && (e = suit_dependency_ready(a, &d)) != MST_OK)
		return e;
	suit_digest32(a->m, by);
	e = pf->unlink(pf->ctx, a->slot->handle, mst_span_of(by, sizeof by), &left);
	if (e != MST_OK || left > 0)
		return e;
	if (d != NULL && (d->ran >> MST_SUIT_UNINSTALL & 1) == 0 &&
	    (e = run_section(a->s, d, MST_SUIT_UNINSTALL)) != MST_OK)
		return e;
	suit_dependencies_forget(a->s, a->slot);
	if (pf->erase == NULL) /* what was written stays, and stays to be checked */
		return MST_OK;
	a->slot->flags = 0;
	return pf->erase(pf->ctx, a->slot->handle);
}
#endif

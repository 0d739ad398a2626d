/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest's map and its common part (sheet 4, 5, 6), after authentication. */
#include <string.h>

#include "core/suit/suit_impl.h"

#define COMMON_DEPENDENCIES 1
#define COMMON_COMPONENTS 2
#define COMMON_SHARED 4
#define DEPENDENCY_PREFIX 1

/* What the map of a manifest may hold (sheet 4). */
enum form { FORM_UINT, FORM_BYTES, FORM_TEXT, FORM_ID, FORM_SEVERABLE };
static const struct {
	uint8_t key, form;
} elements[] = {
	{ 1, FORM_UINT },
	{ 2, FORM_UINT },
	{ 3, FORM_BYTES },
	{ 4, FORM_TEXT },
	{ 5, FORM_ID },
	{ 6, FORM_BYTES },
	{ 7, FORM_BYTES },
	{ 8, FORM_BYTES },
	{ 9, FORM_BYTES },
	{ 14, FORM_SEVERABLE },
	{ 15, FORM_SEVERABLE },
	{ 16, FORM_SEVERABLE },
	{ 18, FORM_SEVERABLE },
	{ 20, FORM_SEVERABLE },
	{ 23, FORM_SEVERABLE },
	{ 24, FORM_BYTES },
};
#define ELEMENTS (sizeof elements / sizeof elements[0])

mst_span
suit_find(mst_span map_item, int64_t want)
{
	struct suit_cur c;
	struct suit_map m;
	int64_t key;
	mst_span text, value;

	suit_cur_init(&c, map_item);
	suit_map_init(&m, &c);
	while (suit_map_next(&m, &key, &text)) {
		value = suit_item(&c);
		if (key == want && c.e == MST_OK)
			return value;
	}
	return MST_NONE;
}

mst_span
mst_suit_manifest_element(mst_span manifest, int64_t key)
{
	return suit_find(manifest, key);
}

/* The content of an element of the manifest that is a byte string; absent for all else. */
static mst_span
inline_of(mst_span item)
{
	return item.ptr != NULL && *item.ptr >> 5 == MAJOR_BYTES ? suit_value_string(item.ptr)
	                                                         : MST_NONE;
}

mst_span
suit_section(const struct mst_suit_manifest *m, int32_t key, bool *severed)
{
	mst_span item = suit_find(m->envelope.manifest, key);

	*severed = item.ptr != NULL && *item.ptr >> 5 == MAJOR_ARRAY;
	return *severed ? mst_suit_envelope_element(&m->envelope, key) : inline_of(item);
}

static mst_span
common_of(const struct mst_suit_manifest *m, int64_t key)
{
	return suit_find(inline_of(suit_find(m->envelope.manifest, MST_SUIT_COMMON)), key);
}

mst_span
suit_shared(const struct mst_suit_manifest *m)
{
	return inline_of(common_of(m, COMMON_SHARED));
}

/* [ * bstr ] */
static mst_span
take_id(struct suit_cur *c)
{
	const uint8_t *from = c->at;
	size_t n;

	if (c->e == MST_OK && suit_peek(c) != MAJOR_ARRAY)
		suit_fail(c, MST_E_SUIT_COMPONENT_ID);
	for (n = suit_take(c, MAJOR_ARRAY); n > 0 && c->e == MST_OK; n--) {
		if (suit_peek(c) != MAJOR_BYTES)
			suit_fail(c, MST_E_SUIT_COMPONENT_ID);
		(void)suit_bytes(c);
	}
	return mst_span_of(from, (size_t)(c->at - from));
}

#ifndef MUSTER_SUIT_BOOT
bool
mst_suit_id_next(mst_span id, mst_span *rest, mst_span *segment)
{
	struct suit_cur c;

	suit_cur_init(&c, rest->ptr == NULL ? id : *rest);
	if (rest->ptr == NULL)
		(void)suit_take(&c, MAJOR_ARRAY);
	*segment = suit_bytes(&c);
	*rest = mst_span_of(c.at, (size_t)(c.end - c.at));
	return c.e == MST_OK;
}

static bool
is_dots(mst_span g)
{
	return g.len == 0 || (g.ptr[0] == '.' && (g.len == 1 || (g.len == 2 && g.ptr[1] == '.')));
}

/* A root manifest is kept in a place of its own, wherever identifiers are paths. */
static bool
climbs(mst_span id)
{
	mst_span rest = MST_NONE, g;

	while (mst_suit_id_next(id, &rest, &g))
		if (is_dots(g))
			return true;
	return false;
}

mst_err
mst_suit_id_check_path(mst_span id)
{
	mst_span rest = MST_NONE, g;

	if (climbs(id))
		return MST_E_SUIT_COMPONENT_ID;
	while (mst_suit_id_next(id, &rest, &g))
		for (size_t i = 0; i < g.len; i++)
			if (g.ptr[i] == '/' || g.ptr[i] == 0)
				return MST_E_SUIT_COMPONENT_ID;
	return MST_OK;
}
#endif

bool
suit_place(const struct mst_suit_manifest *m, uint64_t index, unsigned *place)
{
	if (index < m->components) {
		*place = (unsigned)index;
		return true;
	}
#ifndef MUSTER_SUIT_BOOT
	for (unsigned i = 0; i < m->dependencies; i++)
		if (m->dependency[i].index == index) {
			*place = m->dependency[i].place;
			return true;
		}
#endif
	return false;
}

#ifndef MUSTER_SUIT_BOOT
uint16_t
suit_index_of(const struct mst_suit_manifest *m, unsigned place)
{
	for (unsigned i = 0; place >= m->components && i < m->dependencies; i++)
		if (m->dependency[i].place == place)
			return m->dependency[i].index;
	return (uint16_t)place;
}

bool
suit_is_dependency(const struct mst_suit_manifest *m, unsigned place)
{
	for (unsigned i = 0; i < m->dependencies; i++)
		if (m->dependency[i].place == place)
			return true;
	return false;
}

/* The prefix in a dependency's metadata; absent if it has none. */
mst_span
suit_prefix_of(const struct mst_suit_manifest *m, uint16_t index)
{
	return suit_find(suit_find(common_of(m, COMMON_DEPENDENCIES), index), DEPENDENCY_PREFIX);
}

/* TD 5.2.2: the prefix's segments, then the identifier's; in the arena. */
mst_err
suit_id_join(struct mst_suit *s, mst_span prefix, mst_span *id)
{
	struct mst_buf *arena = &s->arena;
	size_t from = arena->len, count = 0;
	mst_span parts[2] = { prefix, *id }, rest, segment;
	struct mst_cbor_writer w;

	for (unsigned i = 0; i < 2; i++)
		count += (size_t)suit_value_arg(parts[i].ptr);
	mst_cbor_put_init(&w, arena);
	mst_cbor_put_array(&w, count);
	for (unsigned i = 0; i < 2; i++)
		for (rest = MST_NONE; mst_suit_id_next(parts[i], &rest, &segment);)
			mst_cbor_put_bytes(&w, segment);
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_SUIT_DEPENDENCY_SPACE;
	*id = mst_span_of(arena->ptr + from, arena->len - from);
	return MST_OK;
}
#endif

/* The device's component of this identifier, in the table that all manifests share. */
static mst_err
add_slot(struct mst_suit *s, struct mst_suit_manifest *m, mst_span id)
{
	mst_suit_handle handle;
	unsigned i;
	mst_err e;

	if (m->count == MST_SUIT_COMPONENTS_MAX)
		return MST_E_SUIT_COMPONENT_LIMIT;
#ifndef MUSTER_SUIT_BOOT
	if (m->prefix.ptr != NULL && (e = suit_id_join(s, m->prefix, &id)) != MST_OK)
		return e;
#endif
	if ((e = s->platform->component(s->platform->ctx, id, &handle)) != MST_OK)
		return e;
	for (i = 0; i < s->slots && s->slot[i].handle != handle; i++)
		;
	if (i == MST_SUIT_COMPONENTS_MAX)
		return MST_E_SUIT_COMPONENT_LIMIT;
	if (i == s->slots) {
		memset(&s->slot[i], 0, sizeof s->slot[i]);
		s->slot[i].handle = handle;
		s->slot[i].id = id;
		s->slots++;
	}
	for (unsigned k = 0; k < m->count; k++)
		if (m->slot[k] == i)
			return MST_E_SUIT_COMPONENT_TWICE;
	m->slot[m->count++] = (uint8_t)i;
	return MST_OK;
}

#ifdef MUSTER_SUIT_BOOT
/* A bootloader has none (TD 5.1). */
#define read_dependencies(s, m, item) (MST_E_SUIT_DEPENDENCY_LIMIT)
#else
/* { + uint => { ? 1 => prefix } }, in canonical order (TD 5.2.2). */
static mst_err
read_dependencies(struct mst_suit *s, struct mst_suit_manifest *m, mst_span item)
{
	struct suit_cur c;
	struct suit_map deps, meta;
	int64_t index, key;
	mst_span prefix;
	mst_err e;

	suit_cur_init(&c, item);
	suit_map_init(&deps, &c);
	if (deps.left == 0)
		return c.e != MST_OK ? c.e : MST_E_SUIT_COMMON;
	while (suit_map_int(&deps, &index)) {
		prefix = MST_NONE;
		suit_map_init(&meta, &c);
		while (suit_map_int(&meta, &key)) {
			if (key != DEPENDENCY_PREFIX)
				return MST_E_SUIT_DEPENDENCY_METADATA;
			prefix = take_id(&c);
		}
		if (c.e != MST_OK)
			return c.e;
		if (s->arena.ptr == NULL || m->dependencies == MST_SUIT_DEPENDENCIES_MAX)
			return MST_E_SUIT_DEPENDENCY_LIMIT;
		/* sheet 5: an index beyond the components needs a prefix, which is its id */
		if (index < 0 || index >= MST_SUIT_NO_INDEX ||
		    (index >= m->components && prefix.ptr == NULL))
			return MST_E_SUIT_DEPENDENCY_INDEX;
		if (index < m->components && prefix.ptr != NULL &&
		    (s->rules->rules & MST_SUIT_RULE_PREFIX_PREPENDS) == 0)
			return MST_E_SUIT_DEPENDENCY_METADATA;
		m->dependency[m->dependencies].index = (uint16_t)index;
		m->dependency[m->dependencies].place =
		    (uint8_t)(index < m->components ? (unsigned)index : m->count);
		if (index >= m->components && (e = add_slot(s, m, prefix)) != MST_OK)
			return e;
		m->dependencies++;
	}
	return suit_end(&c);
}
#endif

static mst_err
read_components(struct mst_suit *s, struct mst_suit_manifest *m, mst_span item)
{
	struct suit_cur c;
	size_t n;
	mst_span id;
	mst_err e;

	suit_cur_init(&c, item);
	if ((n = suit_count(&c, MAJOR_ARRAY)) == 0)
		return c.e != MST_OK ? c.e : MST_E_SUIT_COMMON;
	for (; n > 0 && c.e == MST_OK; n--) {
		id = take_id(&c);
		if (c.e == MST_OK && (e = add_slot(s, m, id)) != MST_OK)
			return e;
	}
	m->components = m->count;
	return suit_end(&c);
}

static mst_err
read_common(struct mst_suit *s, struct mst_suit_manifest *m, mst_span common)
{
	mst_span components = MST_NONE, dependencies = MST_NONE;
	struct suit_cur c;
	struct suit_map map;
	int64_t key;
	mst_err e = MST_OK;

	suit_cur_init(&c, common);
	suit_map_init(&map, &c);
	while (suit_map_int(&map, &key)) {
		if (key == COMMON_DEPENDENCIES)
			dependencies = suit_item(&c);
		else if (key == COMMON_COMPONENTS)
			components = suit_item(&c);
		else if (key == COMMON_SHARED)
			(void)suit_bytes(&c);
		else
			return MST_E_SUIT_COMMON;
	}
	if (suit_end(&c) != MST_OK)
		return c.e;
	if (components.ptr != NULL)
		e = read_components(s, m, components);
	if (e == MST_OK && dependencies.ptr != NULL)
		e = read_dependencies(s, m, dependencies);
	return e;
}

/* M 8.6: inline, or a digest of what the envelope carries; anything else in it is forged. */
static mst_err
read_severable(
    struct mst_suit *s, const struct mst_suit_manifest *m, struct suit_cur *c, int64_t key)
{
	mst_span carried = mst_suit_envelope_element(&m->envelope, key);
	struct mst_suit_digest_claim claim;
	mst_span item;
	mst_err e = MST_OK;

	if (suit_peek(c) != MAJOR_ARRAY) {
		(void)suit_bytes(c);
		return carried.ptr != NULL && c->e == MST_OK ? MST_E_SUIT_UNDECLARED : c->e;
	}
	item = suit_item(c);
	if (c->e != MST_OK || (e = mst_suit_digest_parse(item, &claim)) != MST_OK)
		return c->e != MST_OK ? c->e : e;
	if (carried.ptr == NULL)
		return MST_OK;
	e = mst_suit_digest_check_wrapped(s->crypto, &claim, carried);
	return e == MST_E_SUIT_DIGEST_MISMATCH ? MST_E_SUIT_SEVERED_DIGEST : e;
}

#ifdef MUSTER_SUIT_BOOT
#define check_set_version(item) (MST_OK)
#define climbs(id) (false)
#else
/* UM 3.1: [+ int] */
static mst_err
check_set_version(mst_span item)
{
	struct suit_cur c;
	size_t n;

	suit_cur_init(&c, item);
	if ((n = suit_count(&c, MAJOR_ARRAY)) == 0)
		return MST_E_SUIT_SET_VERSION;
	while (n-- > 0 && c.e == MST_OK)
		(void)suit_int(&c);
	return suit_end(&c) == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_SET_VERSION : c.e;
}
#endif

static mst_err
read_plain(struct mst_suit_manifest *m, struct suit_cur *c, int64_t key, enum form form)
{
	mst_span v = MST_NONE;
	uint64_t n = 0;

	/* a digest where nothing may be severed */
	if (form == FORM_BYTES && suit_peek(c) == MAJOR_ARRAY)
		return MST_E_SUIT_NOT_SEVERABLE;
	if (form == FORM_UINT)
		n = suit_take(c, MAJOR_UINT);
	else if (form == FORM_ID)
		m->component_id = take_id(c);
	else
		v = form == FORM_TEXT ? suit_text(c) : suit_bytes(c);
	if (c->e != MST_OK)
		return c->e;
	if (key == MST_SUIT_AT_VERSION && n != 1)
		return MST_E_SUIT_VERSION;
	if (key == MST_SUIT_AT_SEQUENCE)
		m->sequence_number = n;
	if (key == MST_SUIT_COMPONENT_ID && climbs(m->component_id))
		return MST_E_SUIT_COMPONENT_ID;
	if (key == MST_SUIT_REFERENCE_URI && (v.len == 0 || v.len > MST_SUIT_URI_MAX))
		return MST_E_SUIT_URI;
	return key == MST_SUIT_SET_VERSION ? check_set_version(v) : MST_OK;
}

/* Sheet 2: every element of the envelope must be one that the manifest names. */
static int
undeclared(const struct mst_suit_manifest *m)
{
	for (size_t i = 0; i < ELEMENTS; i++)
		if (elements[i].form == FORM_SEVERABLE &&
		    mst_suit_envelope_element(&m->envelope, elements[i].key).ptr != NULL &&
		    suit_find(m->envelope.manifest, elements[i].key).ptr == NULL)
			return elements[i].key;
	return 0;
}

/* Which elements there are, by bits; each of its form. *at: where it went wrong. */
static mst_err
read_map(struct mst_suit *s, struct mst_suit_manifest *m, uint32_t *seen, int32_t *at)
{
	struct suit_cur c;
	struct suit_map map;
	int64_t key;
	size_t i;
	mst_err e = MST_OK;

	suit_cur_init(&c, m->envelope.manifest);
	suit_map_init(&map, &c);
	while (suit_map_int(&map, &key)) {
		for (i = 0; i < ELEMENTS && elements[i].key != key; i++)
			;
		*at = MST_SUIT_AT_MANIFEST;
		if (i == ELEMENTS)
			return MST_E_SUIT_MANIFEST_KEY;
		*at = (int32_t)key;
		*seen |= UINT32_C(1) << key;
		/* M 6.1: the version before anything else; key 1 stands first */
		if ((*seen & 2) == 0)
			return MST_E_SUIT_VERSION;
		e = elements[i].form == FORM_SEVERABLE
		        ? read_severable(s, m, &c, key)
		        : read_plain(m, &c, key, (enum form)elements[i].form);
		if (e != MST_OK)
			return e;
	}
	*at = MST_SUIT_AT_MANIFEST;
	return suit_end(&c);
}

mst_err
suit_manifest_read(struct mst_suit *s, struct mst_suit_manifest *m)
{
	uint32_t seen = 0;
	int32_t at = MST_SUIT_AT_MANIFEST;
	mst_err e;

	if ((e = read_map(s, m, &seen, &at)) != MST_OK)
		return suit_refuse(s, m, at, e);
	if ((seen & 2) == 0)
		return suit_refuse(s, m, MST_SUIT_AT_VERSION, MST_E_SUIT_VERSION);
	if ((seen & 4) == 0)
		return suit_refuse(s, m, MST_SUIT_AT_SEQUENCE, MST_E_SUIT_SEQUENCE_NUMBER);
	/* the identity whose number counts is known only now */
	if (m->depth == 0 &&
	    (e = suit_refuse(s, m, MST_SUIT_AT_SEQUENCE, suit_sequence_check(s, m))) != MST_OK)
		return e;
	if ((seen & 8) == 0)
		return suit_refuse(s, m, MST_SUIT_COMMON, MST_E_SUIT_COMMON);
	if ((at = undeclared(m)) != 0)
		return suit_refuse(s, m, at, MST_E_SUIT_UNDECLARED);
	return suit_refuse(s, m, MST_SUIT_COMMON,
	    read_common(s, m, inline_of(suit_find(m->envelope.manifest, MST_SUIT_COMMON))));
}

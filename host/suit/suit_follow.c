/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_follow.h"

#include <string.h>

#include "host/suit_cbor.h"

#define NESTING 8

const int64_t suit_update[5] = { 15, 16, 18, 20, 7 };
const int64_t suit_invocation[3] = { 7, 8, 9 };
const int64_t suit_uninstall[1] = { 24 };

uint64_t
suit_follow_bit(uint64_t index)
{
	return index < FOLLOW_COMPONENTS ? UINT64_C(1) << index : 0;
}

mst_span
suit_bytes_of(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r) : MST_NONE;
}

mst_span
suit_text_of(mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	return mst_cbor_peek(&r) == MST_CBOR_TEXT ? mst_cbor_text(&r) : MST_NONE;
}

static void
select_index(struct suit_follow *f, mst_span item)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, item);
	f->selected = 0;
	if (mst_cbor_peek(&r) == MST_CBOR_BOOL) {
		f->selected = f->all;
	} else if (mst_cbor_peek(&r) == MST_CBOR_ARRAY) {
		mst_cbor_array(&r);
		while (mst_cbor_more(&r))
			f->selected |= suit_follow_bit(mst_cbor_uint(&r));
	} else {
		f->selected = suit_follow_bit(mst_cbor_uint(&r));
	}
}

static void
set_one(struct suit_follow *f, size_t c, int64_t key, mst_span value, int64_t code)
{
	if (key < 0 || key >= FOLLOW_PARAMETERS)
		return;
	if (code == 19 && f->known[c][key] != SUIT_UNSET)
		return;
	f->known[c][key] = f->alternatives != 0 ? SUIT_UNSURE : SUIT_SET;
	f->value[c][key] = value;
}

static void
set_parameters(struct suit_follow *f, int64_t code, mst_span map)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		mst_span value = mst_cbor_raw(&r);

		for (size_t c = 0; r.err == MST_OK && c < FOLLOW_COMPONENTS; c++)
			if ((f->selected & suit_follow_bit(c)) != 0)
				set_one(f, c, key, value, code);
	}
}

static void
set_multiple(struct suit_follow *f, mst_span item)
{
	struct mst_cbor_reader r;
	int64_t index;

	mst_cbor_init(&r, item);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &index)) {
		f->selected = suit_follow_bit((uint64_t)index);
		set_parameters(f, 34, mst_cbor_raw(&r));
	}
}

static void
copy_parameters(struct suit_follow *f, mst_span item)
{
	struct mst_cbor_reader r;
	int64_t from;

	mst_cbor_init(&r, item);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &from)) {
		mst_cbor_array(&r);
		while (mst_cbor_more(&r)) {
			int64_t key = mst_cbor_int(&r);

			if (r.err != MST_OK || key < 0 || key >= FOLLOW_PARAMETERS || from < 0 ||
			    from >= FOLLOW_COMPONENTS)
				continue;
			for (size_t c = 0; c < FOLLOW_COMPONENTS; c++)
				if ((f->selected & suit_follow_bit(c)) != 0)
					set_one(f, c, key, f->value[from][key], 35);
		}
	}
}

static void walk(struct suit_follow *f, mst_span sequence, unsigned depth);

/* Sheet 9.5: what is selected inside is selected there only. */
static void
nested(struct suit_follow *f, const struct suit_one *one, unsigned depth)
{
	uint64_t selected = f->selected;
	int64_t offset = f->offset;
	mst_span inner;

	f->alternatives += one->code == 15;
	f->nested++;
	for (size_t i = 0; i < 64 && (inner = suit_commands_inner(one, i)).ptr != NULL; i++) {
		f->selected = selected;
		walk(f, inner, depth + 1);
	}
	f->nested--;
	f->alternatives -= one->code == 15;
	f->selected = selected;
	f->offset = offset;
}

static void
effect(struct suit_follow *f, const struct suit_one *one, unsigned depth)
{
	switch (one->code) {
	case 12: select_index(f, one->item); break;
	case 15:
	case 32: nested(f, one, depth); break;
	case 19:
	case 20: set_parameters(f, one->code, one->item); break;
	case 34: set_multiple(f, one->item); break;
	case 35: copy_parameters(f, one->item); break;
	default: break;
	}
}

/* Recursion is bounded by NESTING. */
static void
walk(struct suit_follow *f, mst_span sequence, unsigned depth)
{
	struct suit_commands w;
	struct suit_one one;

	if (depth > NESTING || !suit_commands_begin(&w, sequence))
		return; /* the device's check has words for it */
	while (suit_commands_next(&w, &one)) {
		f->offset = (int64_t)(sequence.ptr - f->base) + (int64_t)one.offset;
		f->visit(f, &one);
		effect(f, &one, depth);
	}
}

static void
section(struct suit_follow *f, int64_t key, mst_span sequence)
{
	f->before = key;
	f->section = 3;
	f->base = f->common.shared.ptr;
	f->selected = suit_follow_bit(0); /* sheet 5: each sequence starts at index 0 */
	if (f->common.shared.ptr != NULL)
		walk(f, f->common.shared, 0);
	f->section = key;
	f->base = sequence.ptr;
	f->selected = suit_follow_bit(0);
	walk(f, sequence, 0);
	if (f->section_ends != NULL)
		f->section_ends(f);
}

void
suit_follow_init(struct suit_follow *f, const struct suit_envelope *env)
{
	struct mst_cbor_reader r;
	int64_t index;

	f->env = env;
	lint_common(env, &f->common);
	for (size_t i = 0; i < f->common.count; i++)
		f->all |= suit_follow_bit(i);
	mst_cbor_init(&r, f->common.dependencies);
	mst_cbor_map(&r);
	while (f->common.dependencies.ptr != NULL && mst_cbor_key(&r, &index)) {
		mst_cbor_skip(&r);
		f->dependencies |= suit_follow_bit((uint64_t)index);
	}
	f->all |= f->dependencies;
}

void
suit_follow(struct suit_follow *f, const int64_t *sections, size_t count)
{
	memset(f->known, 0, sizeof f->known);
	memset(f->value, 0, sizeof f->value);
	for (size_t i = 0; i < count; i++) {
		mst_span sequence = lint_section(f->env, sections[i]);

		if (sequence.ptr != NULL)
			section(f, sections[i], sequence);
	}
}

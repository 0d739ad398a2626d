/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/utf8.h"
#include "core/suit/suit_cbor.h"

void
suit_cur_init(struct suit_cur *c, mst_span in)
{
	c->at = in.ptr;
	c->end = in.ptr == NULL ? NULL : in.ptr + in.len; /* NULL + 0 is undefined */
	c->e = in.ptr == NULL ? MST_E_SUIT_CBOR : MST_OK;
}

void
suit_fail(struct suit_cur *c, mst_err e)
{
	if (c->e == MST_OK)
		c->e = e;
}

/* RFC 8949 3: does what the head announces fit into what is left behind it? */
static bool
fits(unsigned major, uint64_t arg, size_t left)
{
	if (major < MAJOR_BYTES || major > MAJOR_MAP)
		return true;
	return arg <= (major == MAJOR_MAP ? left / 2 : left);
}

/* The head that stands here, taken. */
static bool
head(struct suit_cur *c, unsigned *major, uint64_t *arg)
{
	size_t left = (size_t)(c->end - c->at);
	const uint8_t *at = c->at;
	unsigned info, n = 0;
	uint64_t v;

	if (c->e != MST_OK)
		return false;
	if (left == 0) {
		c->e = MST_E_SUIT_CBOR;
		return false;
	}
	*major = *at >> 5;
	v = info = *at++ & 31U;
	if (info >= INFO_1) { /* one, two, four, eight bytes follow; 28 to 30 are reserved */
		n = 1U << (info - INFO_1);
		if (info == INFO_OPEN && *major >= MAJOR_BYTES && *major <= MAJOR_MAP)
			c->e = MST_E_SUIT_CBOR_INDEFINITE;
		else if (info > INFO_8 || n >= left)
			c->e = MST_E_SUIT_CBOR;
		if (c->e != MST_OK)
			return false;
		for (v = 0; at <= c->at + n; at++)
			v = v << 8 | *at;
		if (*major == MAJOR_OTHER && n == 1 && v < 32) /* RFC 8949 3.3 */
			c->e = MST_E_SUIT_CBOR;
		else if (*major != MAJOR_OTHER && (n == 1 ? v < INFO_1 : v >> n * 4 == 0))
			c->e = MST_E_SUIT_CBOR_SHORTEST;
	}
	if (c->e == MST_OK && !fits(*major, v, left - 1 - n))
		c->e = MST_E_SUIT_CBOR;
	c->at = at;
	*arg = v;
	return c->e == MST_OK;
}

unsigned
suit_peek(const struct suit_cur *c)
{
	return c->e != MST_OK || c->at == c->end ? MAJOR_OTHER + 1U : (unsigned)*c->at >> 5;
}

uint64_t
suit_take(struct suit_cur *c, enum mst_cbor_major major)
{
	unsigned have;
	uint64_t arg;

	if (!head(c, &have, &arg))
		return 0;
	if (have != major) {
		suit_fail(c, MST_E_SUIT_CBOR_TYPE);
		return 0;
	}
	return arg;
}

size_t
suit_count(struct suit_cur *c, enum mst_cbor_major major)
{
	return (size_t)suit_take(c, major);
}

int64_t
suit_int(struct suit_cur *c)
{
	enum mst_cbor_major major = suit_peek(c) == MAJOR_NINT ? MAJOR_NINT : MAJOR_UINT;
	uint64_t v = suit_take(c, major);

	if (v > INT64_MAX)
		suit_fail(c, MST_E_SUIT_CBOR_TYPE);
	if (c->e != MST_OK)
		return 0;
	return major == MAJOR_UINT ? (int64_t)v : -1 - (int64_t)v;
}

static mst_span
string(struct suit_cur *c, enum mst_cbor_major major)
{
	size_t len = (size_t)suit_take(c, major); /* not more than is left: mst_cbor_head_at() */
	mst_span s = mst_span_of(c->at, len);

	if (c->e != MST_OK)
		return MST_NONE;
	c->at += len;
	return s;
}

mst_span
suit_bytes(struct suit_cur *c)
{
	return string(c, MAJOR_BYTES);
}

mst_span
suit_text(struct suit_cur *c)
{
	mst_span s = string(c, MAJOR_TEXT);

#ifndef MUSTER_SUIT_BOOT /* sheet 1.3: where text is used, and a bootloader uses none */
	if (s.ptr != NULL && !mst_utf8_ok(s)) {
		suit_fail(c, MST_E_SUIT_CBOR_UTF8);
		return MST_NONE;
	}
#endif
	return s;
}

bool
suit_bool(struct suit_cur *c)
{
	bool v = c->e == MST_OK && c->at != c->end && *c->at == (0xe0 | OTHER_TRUE);

	if (!v && c->e == MST_OK && (c->at == c->end || *c->at != (0xe0 | OTHER_FALSE)))
		suit_fail(c, MST_E_SUIT_CBOR_TYPE);
	if (c->e == MST_OK)
		c->at++;
	return v;
}

/* A number, a simple value or a string; nothing that holds others. */
static void
scalar(struct suit_cur *c)
{
	unsigned major = suit_peek(c);
	uint64_t arg;

	if (major == MAJOR_TEXT)
		(void)suit_text(c);
	else if (major == MAJOR_BYTES)
		(void)suit_bytes(c);
	else if (head(c, &major, &arg) && major >= MAJOR_ARRAY && major <= MAJOR_TAG)
		suit_fail(c, MST_E_SUIT_CBOR_TYPE);
}

/* A key that is no number and no text: an identifier (array of strings), a tagged string. */
static void
compound_key(struct suit_cur *c)
{
	size_t n = 1;

	if (suit_peek(c) == MAJOR_ARRAY)
		n = suit_count(c, MAJOR_ARRAY);
	else if (suit_peek(c) == MAJOR_TAG)
		(void)suit_take(c, MAJOR_TAG);
	for (; n > 0 && c->e == MST_OK; n--)
		scalar(c);
}

/* Without recursion: what is not authentic yet must not choose how deep the stack grows. */
static void
skip(struct suit_cur *c)
{
	struct suit_map level[SUIT_ITEM_DEPTH]; /* of an array: c is NULL */
	unsigned depth = 0, major;
	mst_span text;
	int64_t key;

	do {
		major = suit_peek(c);
		if (major == MAJOR_TAG) {
			(void)suit_take(c, MAJOR_TAG);
			continue; /* its content is the item */
		}
		if (major != MAJOR_ARRAY && major != MAJOR_MAP)
			scalar(c);
		else if (depth == SUIT_ITEM_DEPTH)
			suit_fail(c, MST_E_SUIT_CBOR_DEPTH);
		else {
			level[depth].c = major == MAJOR_MAP ? c : NULL;
			level[depth].left = suit_count(c, (enum mst_cbor_major)major);
			level[depth++].last = MST_NONE;
		}
		while (depth > 0 && level[depth - 1].left == 0)
			depth--;
		if (depth == 0)
			return;
		if (level[depth - 1].c != NULL)
			(void)suit_map_next(&level[depth - 1], &key, &text);
		else
			level[depth - 1].left--;
	} while (c->e == MST_OK);
}

mst_span
suit_item(struct suit_cur *c)
{
	const uint8_t *from = c->at;

	skip(c);
	return c->e == MST_OK ? mst_span_of(from, (size_t)(c->at - from)) : MST_NONE;
}

mst_err
suit_end(struct suit_cur *c)
{
	if (c->e == MST_OK && c->at != c->end)
		c->e = MST_E_SUIT_CBOR_TRAILING;
	return c->e;
}

void
suit_map_init(struct suit_map *m, struct suit_cur *c)
{
	m->c = c;
	m->left = suit_count(c, MAJOR_MAP);
	m->last = MST_NONE;
}

/* RFC 8949 4.2.1: bytewise lexicographic order of the keys' encodings. */
static mst_err
ascends(mst_span last, mst_span now)
{
	size_t n = last.len < now.len ? last.len : now.len;
	int d;

	if (last.ptr == NULL)
		return MST_OK;
	d = memcmp(last.ptr, now.ptr, n);
	if (d == 0 && last.len == now.len)
		return MST_E_SUIT_CBOR_DUPLICATE;
	return d < 0 || (d == 0 && last.len < now.len) ? MST_OK : MST_E_SUIT_CBOR_ORDER;
}

bool
suit_map_next(struct suit_map *m, int64_t *key, mst_span *text)
{
	struct suit_cur *c = m->c;
	const uint8_t *from = c->at;
	mst_span now;
	mst_err e;

	if (c->e != MST_OK || m->left == 0)
		return false;
	m->left--;
	switch (suit_peek(c)) {
	case MAJOR_UINT:
	case MAJOR_NINT: *key = suit_int(c); break;
	case MAJOR_TEXT:
		*key = SUIT_TEXT_KEY;
		*text = suit_text(c);
		break;
	default:
		*key = SUIT_OTHER_KEY;
		compound_key(c);
		*text = mst_span_of(from, (size_t)(c->at - from));
		break;
	}
	now = mst_span_of(from, (size_t)(c->at - from));
	if (c->e == MST_OK && (e = ascends(m->last, now)) != MST_OK)
		suit_fail(c, e);
	m->last = now;
	return c->e == MST_OK;
}

bool
suit_map_int(struct suit_map *m, int64_t *key)
{
	mst_span other;

	if (!suit_map_next(m, key, &other))
		return false;
	if (*key == SUIT_TEXT_KEY || *key == SUIT_OTHER_KEY)
		suit_fail(m->c, MST_E_SUIT_CBOR_TYPE);
	return m->c->e == MST_OK;
}

const uint8_t *
suit_value_content(const uint8_t *item)
{
	unsigned info = *item & 31U;

	return item + 1 + (info < INFO_1 || *item >> 5 == MAJOR_OTHER ? 0 : 1U << (info - INFO_1));
}

uint64_t
suit_value_arg(const uint8_t *item)
{
	const uint8_t *end = suit_value_content(item);
	uint64_t v = *item & 31U;

	if (end - item > 1)
		for (v = 0; ++item < end;)
			v = v << 8 | *item;
	return v;
}

mst_span
suit_value_string(const uint8_t *item)
{
	return mst_span_of(suit_value_content(item), (size_t)suit_value_arg(item));
}

int64_t
suit_value_int(const uint8_t *item)
{
	int64_t v = (int64_t)suit_value_arg(item);

	return *item >> 5 == MAJOR_UINT ? v : -1 - v;
}

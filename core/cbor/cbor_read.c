/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pull reader. Each call looks at one head, decides whether it may stand
 * here, and moves on; levels live in the reader, so nothing recurses and the
 * depth of nesting is bounded by MST_CBOR_DEPTH whoever walks.
 */
#include <string.h>

#include "core/base/utf8.h"
#include "core/cbor/cbor_head.h"

void
mst_cbor_init(struct mst_cbor_reader *r, mst_span in)
{
	r->in = in;
	r->at = 0;
	r->err = MST_OK;
	r->depth = 0;
	r->tagged = false;
	r->indefinite_is = MST_OK;
	r->indefinite = 1; /* outside any container there is no end but that of the input */
	r->maps = 0;
	r->left[0] = 0;
}

void
mst_cbor_fail(struct mst_cbor_reader *r, mst_err e)
{
	if (r->err == MST_OK)
		r->err = e;
}

static bool
refuse(struct mst_cbor_reader *r, mst_err e)
{
	mst_cbor_fail(r, e);
	return false;
}

static bool
inside(const struct mst_cbor_reader *r)
{
	return r->depth > 0;
}

static bool
is_indefinite(const struct mst_cbor_reader *r)
{
	return (r->indefinite >> r->depth & 1) != 0;
}

static bool
is_map(const struct mst_cbor_reader *r)
{
	return (r->maps >> r->depth & 1) != 0;
}

/* The container is of definite length and all its items were taken. */
static bool
exhausted(const struct mst_cbor_reader *r)
{
	return !is_indefinite(r) && r->left[r->depth] == 0;
}

/* A map whose key was taken and whose value is due. */
static bool
value_is_due(const struct mst_cbor_reader *r)
{
	return is_map(r) && r->left[r->depth] % 2 != 0;
}

/* RFC 8949 3.2.1: "break" ends an indefinite container, between items (pairs) only. */
static bool
break_fits(const struct mst_cbor_reader *r)
{
	return inside(r) && is_indefinite(r) && !r->tagged && !value_is_due(r);
}

/* The head of the item that stands here; false, and latched, when none does. */
static bool
next(struct mst_cbor_reader *r, struct mst_cbor_head *h)
{
	if (r->err != MST_OK)
		return false;
	if (exhausted(r))
		return refuse(r, MST_E_CBOR_TYPE);
	if (!mst_cbor_head_at(r->in, r->at, h))
		return refuse(r, MST_E_CBOR);
	if (mst_cbor_head_is_break(h))
		return refuse(r, break_fits(r) ? MST_E_CBOR_TYPE : MST_E_CBOR);
	if (h->info == INFO_OPEN && r->indefinite_is != MST_OK)
		return refuse(r, r->indefinite_is);
	return true;
}

static bool
next_of(struct mst_cbor_reader *r, enum mst_cbor_major major, struct mst_cbor_head *h)
{
	if (!next(r, h))
		return false;
	return h->major == major || refuse(r, MST_E_CBOR_TYPE);
}

/* Moves behind size bytes, which were one item of the level, or the head of a container. */
static void
take(struct mst_cbor_reader *r, size_t size)
{
	r->at += size;
	r->tagged = false;
	r->left[r->depth]--; /* of indefinite length: below zero, where it is odd or even as well */
}

static enum mst_cbor_type
type_of(const struct mst_cbor_head *h)
{
	_Static_assert((int)MST_CBOR_TAG == (int)MAJOR_TAG, "the types begin with the majors");
	if (h->major != MAJOR_OTHER)
		return (enum mst_cbor_type)h->major;
	if (h->info == OTHER_FALSE || h->info == OTHER_TRUE)
		return MST_CBOR_BOOL;
	if (h->info == OTHER_NULL)
		return MST_CBOR_NULL;
	if (h->info == OTHER_UNDEFINED)
		return MST_CBOR_UNDEFINED;
	return h->info >= OTHER_HALF ? MST_CBOR_FLOAT : MST_CBOR_SIMPLE;
}

enum mst_cbor_type
mst_cbor_peek(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (r->err != MST_OK || exhausted(r))
		return MST_CBOR_END;
	if (!inside(r) && !r->tagged && r->at == r->in.len)
		return MST_CBOR_END;
	if (mst_cbor_head_at(r->in, r->at, &h) && mst_cbor_head_is_break(&h) && break_fits(r))
		return MST_CBOR_BREAK;
	return next(r, &h) ? type_of(&h) : MST_CBOR_END;
}

uint64_t
mst_cbor_uint(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (!next_of(r, MAJOR_UINT, &h))
		return 0;
	take(r, h.size);
	return h.arg;
}

int64_t
mst_cbor_int(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (!next(r, &h))
		return 0;
	if ((h.major != MAJOR_UINT && h.major != MAJOR_NINT) || h.arg > INT64_MAX) {
		mst_cbor_fail(r, MST_E_CBOR_TYPE);
		return 0;
	}
	take(r, h.size);
	return h.major == MAJOR_UINT ? (int64_t)h.arg : -1 - (int64_t)h.arg;
}

/* A string in one piece or in chunks (RFC 8949 3.2.3). */
struct string {
	mst_span first; /* its first or only piece */
	bool pieces; /* there are more */
	size_t end; /* offset behind it */
};

static mst_err
chunk_at(mst_span in, size_t at, const struct mst_cbor_head *h, struct string *s)
{
	mst_span chunk = mst_span_of(in.ptr + at + h->size, (size_t)h->arg);

	/* RFC 8949 3.2.3: each chunk is valid UTF-8, a character is not split between two */
	if (h->major == MAJOR_TEXT && !mst_utf8_ok(chunk))
		return MST_E_CBOR_UTF8;
	if (s->first.ptr == NULL)
		s->first = chunk;
	else
		s->pieces = true;
	s->end = at + h->size + chunk.len;
	return MST_OK;
}

static mst_err
string_at(mst_span in, size_t at, const struct mst_cbor_head *h, struct string *s)
{
	struct mst_cbor_head chunk;
	mst_err e;

	*s = (struct string){ .first = MST_NONE };
	if (h->info != INFO_OPEN)
		return chunk_at(in, at, h, s);
	for (at += h->size; mst_cbor_head_at(in, at, &chunk); at = s->end) {
		if (mst_cbor_head_is_break(&chunk)) {
			s->end = at + chunk.size;
			if (s->first.ptr == NULL)
				s->first = mst_span_of(in.ptr + at, 0);
			return MST_OK;
		}
		if (chunk.major != h->major || chunk.info == INFO_OPEN)
			return MST_E_CBOR;
		if ((e = chunk_at(in, at, &chunk, s)) != MST_OK)
			return e;
	}
	return MST_E_CBOR;
}

static mst_span
string(struct mst_cbor_reader *r, enum mst_cbor_major major)
{
	struct mst_cbor_head h;
	struct string s;
	mst_err e;

	if (!next_of(r, major, &h))
		return MST_NONE;
	if ((e = string_at(r->in, r->at, &h, &s)) == MST_OK && s.pieces)
		e = MST_E_CBOR_TYPE;
	if (e != MST_OK) {
		mst_cbor_fail(r, e);
		return MST_NONE;
	}
	take(r, s.end - r->at);
	return s.first;
}

mst_span
mst_cbor_bytes(struct mst_cbor_reader *r)
{
	return string(r, MAJOR_BYTES);
}

mst_span
mst_cbor_text(struct mst_cbor_reader *r)
{
	return string(r, MAJOR_TEXT);
}

bool
mst_cbor_bool(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (!next_of(r, MAJOR_OTHER, &h))
		return false;
	if (h.info != OTHER_FALSE && h.info != OTHER_TRUE)
		return refuse(r, MST_E_CBOR_TYPE);
	take(r, h.size);
	return h.info == OTHER_TRUE;
}

void
mst_cbor_null(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (!next_of(r, MAJOR_OTHER, &h))
		return;
	if (h.info == OTHER_NULL)
		take(r, h.size);
	else
		mst_cbor_fail(r, MST_E_CBOR_TYPE);
}

double
mst_cbor_float(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;
	double v;

	if (!next_of(r, MAJOR_OTHER, &h))
		return 0;
	if (type_of(&h) != MST_CBOR_FLOAT) {
		mst_cbor_fail(r, MST_E_CBOR_TYPE);
		return 0;
	}
	take(r, h.size);
	if (h.info == OTHER_HALF)
		h.arg = mst_float_widen(h.arg, FLOAT_HALF);
	else if (h.info == OTHER_SINGLE)
		h.arg = mst_float_widen(h.arg, FLOAT_SINGLE);
	memcpy(&v, &h.arg, sizeof v);
	return v;
}

uint64_t
mst_cbor_tag(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (!next_of(r, MAJOR_TAG, &h))
		return 0;
	r->at += h.size; /* tag and content are one item; the content is counted */
	r->tagged = true;
	return h.arg;
}

static void
enter(struct mst_cbor_reader *r, const struct mst_cbor_head *h)
{
	bool map = h->major == MAJOR_MAP;
	uint32_t bit;

	if (r->depth == MST_CBOR_DEPTH) {
		mst_cbor_fail(r, MST_E_CBOR_DEPTH);
		return;
	}
	take(r, h->size);
	r->depth++;
	bit = UINT32_C(1) << r->depth;
	r->indefinite = h->info == INFO_OPEN ? r->indefinite | bit : r->indefinite & ~bit;
	r->maps = map ? r->maps | bit : r->maps & ~bit;
	/* at most the bytes left: mst_cbor_head_at() */
	r->left[r->depth] = (size_t)(map ? h->arg * 2 : h->arg);
}

void
mst_cbor_array(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (next_of(r, MAJOR_ARRAY, &h))
		enter(r, &h);
}

void
mst_cbor_map(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;

	if (next_of(r, MAJOR_MAP, &h))
		enter(r, &h);
}

bool
mst_cbor_more(struct mst_cbor_reader *r)
{
	if (r->err != MST_OK)
		return false;
	if (r->tagged)
		return true;
	if (!inside(r))
		return r->at < r->in.len;
	if (!is_indefinite(r)) {
		if (r->left[r->depth] != 0)
			return true;
		r->depth--;
		return false;
	}
	if (r->at == r->in.len)
		return refuse(r, MST_E_CBOR);
	if (r->in.ptr[r->at] != 0xff)
		return true;
	if (!break_fits(r))
		return refuse(r, MST_E_CBOR);
	r->at++;
	r->depth--;
	return false;
}

void
mst_cbor_leave(struct mst_cbor_reader *r)
{
	if (r->err != MST_OK)
		return;
	if (!inside(r))
		mst_cbor_fail(r, MST_E_INTERNAL);
	else if (mst_cbor_more(r))
		mst_cbor_fail(r, r->at == r->in.len ? MST_E_CBOR : MST_E_CBOR_TYPE);
}

/* Whether a key stands here; a value that the caller did not take is the caller's bug. */
static bool
at_key(struct mst_cbor_reader *r)
{
	if (!mst_cbor_more(r))
		return false;
	return (is_map(r) && !value_is_due(r)) || refuse(r, MST_E_INTERNAL);
}

bool
mst_cbor_key(struct mst_cbor_reader *r, int64_t *key)
{
	int64_t k;

	if (!at_key(r))
		return false;
	k = mst_cbor_int(r);
	if (r->err != MST_OK)
		return false;
	*key = k;
	return true;
}

bool
mst_cbor_text_key(struct mst_cbor_reader *r, mst_span *key)
{
	mst_span k;

	if (!at_key(r))
		return false;
	k = mst_cbor_text(r);
	if (r->err != MST_OK)
		return false;
	*key = k;
	return true;
}

/* Takes a scalar, a string, a tag, or the head of a container, which is then entered. */
static void
step(struct mst_cbor_reader *r)
{
	struct mst_cbor_head h;
	struct string s;
	mst_err e;

	if (!next(r, &h))
		return;
	switch (h.major) {
	case MAJOR_UINT:
	case MAJOR_NINT:
	case MAJOR_OTHER: take(r, h.size); return;
	case MAJOR_ARRAY:
	case MAJOR_MAP: enter(r, &h); return;
	case MAJOR_TAG: (void)mst_cbor_tag(r); return;
	case MAJOR_BYTES:
	case MAJOR_TEXT:
		if ((e = string_at(r->in, r->at, &h, &s)) == MST_OK)
			take(r, s.end - r->at);
		else
			mst_cbor_fail(r, e);
		return;
	}
}

void
mst_cbor_skip(struct mst_cbor_reader *r)
{
	unsigned base = r->depth;

	do {
		step(r);
		while (r->err == MST_OK && r->depth > base && !mst_cbor_more(r))
			; /* left one container, perhaps the last item of the next outer one */
	} while (r->err == MST_OK && (r->depth > base || r->tagged));
}

mst_span
mst_cbor_raw(struct mst_cbor_reader *r)
{
	size_t from = r->at;

	mst_cbor_skip(r);
	return r->err == MST_OK ? mst_span_of(r->in.ptr + from, r->at - from) : MST_NONE;
}

mst_err
mst_cbor_end(struct mst_cbor_reader *r)
{
	while (r->err == MST_OK && inside(r))
		mst_cbor_leave(r);
	if (r->tagged)
		mst_cbor_fail(r, MST_E_CBOR);
	if (r->at != r->in.len)
		mst_cbor_fail(r, MST_E_CBOR_TRAILING);
	return r->err;
}

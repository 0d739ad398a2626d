/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit_cbor.h"

#include <string.h>

#define HEAD_MAX 9

void
cb_init(struct cb *b, struct arena *a)
{
	*b = (struct cb){ .a = a };
}

/* Room for more bytes; false and latched when there is none. */
static bool
room(struct cb *b, size_t more)
{
	struct mst_buf bigger;

	if (b->err != MST_OK)
		return false;
	if (b->buf.cap - b->buf.len >= more)
		return true;
	bigger = arena_buf(b->a, (b->buf.len + more) * 2 + 32);
	if (bigger.cap == 0 || mst_buf_put(&bigger, mst_buf_span(&b->buf)) != MST_OK) {
		b->err = MST_E_NOMEM;
		return false;
	}
	b->buf = bigger;
	return true;
}

#define PUT(b, more, call)                                                                         \
	do {                                                                                       \
		struct mst_cbor_writer w;                                                          \
                                                                                                   \
		if (!room(b, more))                                                                \
			return;                                                                    \
		mst_cbor_put_init(&w, &(b)->buf);                                                  \
		call;                                                                              \
		(b)->err = mst_cbor_put_end(&w);                                                   \
	} while (0)

void
cb_uint(struct cb *b, uint64_t v)
{
	PUT(b, HEAD_MAX, mst_cbor_put_uint(&w, v));
}

void
cb_int(struct cb *b, int64_t v)
{
	PUT(b, HEAD_MAX, mst_cbor_put_int(&w, v));
}

void
cb_bytes(struct cb *b, mst_span v)
{
	PUT(b, v.len + HEAD_MAX, mst_cbor_put_bytes(&w, v));
}

void
cb_text(struct cb *b, mst_span v)
{
	PUT(b, v.len + HEAD_MAX, mst_cbor_put_text(&w, v));
}

void
cb_bool(struct cb *b, bool v)
{
	PUT(b, HEAD_MAX, mst_cbor_put_bool(&w, v));
}

void
cb_null(struct cb *b)
{
	PUT(b, HEAD_MAX, mst_cbor_put_null(&w));
}

void
cb_tag(struct cb *b, uint64_t tag)
{
	PUT(b, HEAD_MAX, mst_cbor_put_tag(&w, tag));
}

void
cb_array(struct cb *b, uint64_t count)
{
	PUT(b, HEAD_MAX, mst_cbor_put_array(&w, count));
}

void
cb_map(struct cb *b, uint64_t pairs)
{
	PUT(b, HEAD_MAX, mst_cbor_put_map(&w, pairs));
}

void
cb_raw(struct cb *b, mst_span encoded)
{
	if (room(b, encoded.len) && encoded.len > 0)
		b->err = mst_buf_put(&b->buf, encoded);
}

void
cb_id(struct cb *b, const mst_span *segments, size_t count)
{
	cb_array(b, count);
	for (size_t i = 0; i < count; i++)
		cb_bytes(b, segments[i]);
}

mst_span
cb_end(const struct cb *b, mst_err *err)
{
	if (*err == MST_OK)
		*err = b->err;
	return b->err == MST_OK ? mst_buf_span(&b->buf) : MST_NONE;
}

void
cb_pairs_init(struct cb_pairs *p, struct arena *a)
{
	*p = (struct cb_pairs){ .a = a };
}

/* Bytewise order of the encoded keys (RFC 8949 4.2.1). */
static int
compare(mst_span a, mst_span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

void
cb_pair(struct cb_pairs *p, mst_span key, mst_span value)
{
	struct cb_pair **at = &p->first, *pair = arena_alloc(p->a, sizeof *pair);

	if (p->err != MST_OK)
		return;
	if (pair == NULL || key.ptr == NULL || value.ptr == NULL) {
		p->err = MST_E_NOMEM;
		return;
	}
	while (*at != NULL && compare((*at)->key, key) < 0)
		at = &(*at)->next;
	if (*at != NULL && compare((*at)->key, key) == 0) {
		p->err = MST_E_CBOR_DUPLICATE;
		return;
	}
	*pair = (struct cb_pair){ .key = key, .value = value, .next = *at };
	*at = pair;
	p->count++;
}

void
cb_pair_int(struct cb_pairs *p, int64_t key, mst_span value)
{
	cb_pair(p, cb_one_int(p->a, key), value);
}

void
cb_pair_text(struct cb_pairs *p, mst_span key, mst_span value)
{
	cb_pair(p, cb_one_text(p->a, key), value);
}

mst_span
cb_pairs_end(const struct cb_pairs *p, mst_err *err)
{
	struct cb b;

	if (p->err != MST_OK) {
		if (*err == MST_OK)
			*err = p->err;
		return MST_NONE;
	}
	cb_init(&b, p->a);
	cb_map(&b, p->count);
	for (const struct cb_pair *pair = p->first; pair != NULL; pair = pair->next) {
		cb_raw(&b, pair->key);
		cb_raw(&b, pair->value);
	}
	return cb_end(&b, err);
}

#define ONE(call)                                                                                  \
	struct cb b;                                                                               \
	mst_err e = MST_OK;                                                                        \
                                                                                                   \
	cb_init(&b, a);                                                                            \
	call;                                                                                      \
	return cb_end(&b, &e)

mst_span
cb_one_int(struct arena *a, int64_t v)
{
	ONE(cb_int(&b, v));
}

mst_span
cb_one_uint(struct arena *a, uint64_t v)
{
	ONE(cb_uint(&b, v));
}

mst_span
cb_one_bytes(struct arena *a, mst_span v)
{
	ONE(cb_bytes(&b, v));
}

mst_span
cb_one_text(struct arena *a, mst_span v)
{
	ONE(cb_text(&b, v));
}

mst_span
cb_one_id(struct arena *a, const mst_span *segments, size_t count)
{
	ONE(cb_id(&b, segments, count));
}

/* --- the strict profile --- */

bool
cbs_head(mst_span in, size_t at, unsigned *major, uint64_t *argument, size_t *size)
{
	size_t more;

	if (at >= in.len)
		return false;
	*major = in.ptr[at] >> 5;
	*argument = in.ptr[at] & 31u;
	*size = 1;
	if (*argument < 24)
		return true;
	if (*argument > 27)
		return false; /* indefinite or reserved */
	more = (size_t)1 << (*argument - 24);
	if (in.len - at - 1 < more)
		return false;
	*argument = 0;
	for (size_t i = 0; i < more; i++)
		*argument = *argument << 8 | in.ptr[at + 1 + i];
	*size = 1 + more;
	return true;
}

#define STRICT_DEPTH 24

struct strict {
	mst_span in;
	size_t at;
	const char *why;
};

static bool
shortest(uint64_t v, size_t size)
{
	if (size == 1)
		return true;
	if (size == 2)
		return v >= 24;
	if (size == 3)
		return v > 0xff;
	return size == 5 ? v > 0xffff : v > 0xffffffff;
}

static void strict_item(struct strict *s, unsigned depth);

static void
strict_members(struct strict *s, bool map, uint64_t count, unsigned depth)
{
	mst_span before = MST_NONE;

	for (uint64_t i = 0; i < count && s->why == NULL; i++) {
		size_t start = s->at;
		mst_span key;

		strict_item(s, depth + 1);
		if (!map || s->why != NULL)
			continue;
		key = mst_span_of(s->in.ptr + start, s->at - start);
		if (before.ptr != NULL && compare(before, key) >= 0) {
			s->why = compare(before, key) == 0 ? "a key stands twice in a map"
			                                   : "the keys of a map do not ascend";
			s->at = start;
			return;
		}
		before = key;
		strict_item(s, depth + 1);
	}
}

/* Recursion is bounded by STRICT_DEPTH. */
static void
strict_item(struct strict *s, unsigned depth)
{
	unsigned major = 0;
	uint64_t v = 0;
	size_t size = 0;

	if (depth > STRICT_DEPTH)
		s->why = "nested too deep";
	else if (s->at >= s->in.len)
		s->why = "cut short";
	else if ((s->in.ptr[s->at] & 31u) == 31)
		s->why = "an item of indefinite length";
	else if (!cbs_head(s->in, s->at, &major, &v, &size))
		s->why = "cut short or no CBOR";
	else if (major < 7 && !shortest(v, size))
		s->why = "a number or length in a longer form than needed";
	if (s->why != NULL)
		return;
	if ((major == 2 || major == 3) && v > s->in.len - s->at - size)
		s->why = "a string that is cut short";
	if (s->why != NULL)
		return;
	s->at += size;
	if (major == 2 || major == 3)
		s->at += (size_t)v;
	else if (major == 4 || major == 5)
		strict_members(s, major == 5, v, depth);
	else if (major == 6)
		strict_item(s, depth + 1);
}

const char *
cbs_breach(mst_span item, size_t *at)
{
	struct strict s = { .in = item };

	strict_item(&s, 0);
	if (s.why == NULL && s.at != item.len)
		s.why = "bytes follow the end";
	if (s.why == NULL && mst_cbor_validate(item) != MST_OK) {
		s.why = "not well-formed, or a text that is no UTF-8";
		s.at = 0;
	}
	*at = s.at;
	return s.why;
}

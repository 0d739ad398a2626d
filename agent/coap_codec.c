/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/coap_codec.h"

#include <string.h>

#define VERSION_1 0x40
#define MARKER 0xff

enum option {
	OPTION_ETAG = 4,
	OPTION_URI_PATH = 11,
	OPTION_CONTENT_FORMAT = 12,
	OPTION_MAX_AGE = 14,
	OPTION_ACCEPT = 17,
	OPTION_BLOCK2 = 23,
	OPTION_BLOCK1 = 27,
};

/* ---- out ---- */

struct writer {
	struct mst_buf *out;
	unsigned last;
	mst_err err;
};

static void
put(struct writer *w, mst_span bytes)
{
	if (w->err == MST_OK && bytes.len > 0)
		w->err = mst_buf_put(w->out, bytes);
}

/* RFC 7252 3.1, for the deltas and lengths that ours have: below 13 + 256. */
static void
put_option(struct writer *w, enum option number, mst_span value)
{
	unsigned delta = (unsigned)number - w->last;
	uint8_t head[3];
	size_t n = 1;

	if (delta >= 269 || value.len >= 269) {
		w->err = w->err == MST_OK ? MST_E_USAGE : w->err;
		return;
	}
	head[0] = (uint8_t)((delta < 13 ? delta : 13) << 4 | (value.len < 13 ? value.len : 13));
	if (delta >= 13)
		head[n++] = (uint8_t)(delta - 13);
	if (value.len >= 13)
		head[n++] = (uint8_t)(value.len - 13);
	put(w, mst_span_of(head, n));
	put(w, value);
	w->last = (unsigned)number;
}

/* RFC 7252 3.2: without leading zeros; zero is empty. */
static void
put_uint(struct writer *w, enum option number, uint32_t v)
{
	uint8_t bytes[4];
	size_t n = v == 0 ? 0 : v < 0x100 ? 1 : v < 0x10000 ? 2 : v < 0x1000000 ? 3 : 4;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	put_option(w, number, mst_span_of(bytes, n));
}

static void
put_piece(struct writer *w, enum option number, const struct coap_piece *b)
{
	if (b->there)
		put_uint(w, number, b->num << 4 | (b->more ? 8U : 0U) | b->szx);
}

mst_err
coap_ask_build(const struct coap_ask *q, struct mst_buf *out)
{
	uint8_t head[4 + COAP_TOKEN_LEN] = { VERSION_1 | COAP_KIND_CON << 4 | COAP_TOKEN_LEN,
		(uint8_t)q->method, (uint8_t)(q->mid >> 8), (uint8_t)q->mid };
	static const uint8_t marker = MARKER;
	struct writer w = { out, 0, MST_OK };
	const char *path = q->path;

	memcpy(head + 4, q->token, COAP_TOKEN_LEN);
	out->len = 0;
	put(&w, mst_span_of(head, sizeof head));
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		put_option(&w, OPTION_URI_PATH, mst_span_of(path, n));
		path += path[n] == '/' ? n + 1 : n;
	}
	if (q->content_format >= 0)
		put_uint(&w, OPTION_CONTENT_FORMAT, (uint32_t)q->content_format);
	if (q->accept >= 0)
		put_uint(&w, OPTION_ACCEPT, (uint32_t)q->accept);
	put_piece(&w, OPTION_BLOCK2, &q->block2);
	put_piece(&w, OPTION_BLOCK1, &q->block1);
	if (q->payload.len > 0) {
		put(&w, mst_span_of(&marker, 1));
		put(&w, q->payload);
	}
	return w.err;
}

void
coap_empty_build(enum coap_kind kind, uint16_t mid, uint8_t out[4])
{
	out[0] = (uint8_t)(VERSION_1 | (unsigned)kind << 4);
	out[1] = 0;
	out[2] = (uint8_t)(mid >> 8);
	out[3] = (uint8_t)mid;
}

/* ---- in ---- */

struct reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static mst_span
take(struct reader *r, size_t n)
{
	mst_span s = { r->p, n };

	if (r->bad || n > r->left) {
		r->bad = true;
		return MST_NONE;
	}
	r->p += n;
	r->left -= n;
	return s;
}

/* RFC 7252 3.1: 13 and 14 are followed by one and two bytes; 15 is reserved. */
static size_t
extended(struct reader *r, unsigned nibble)
{
	mst_span more;

	if (nibble == 15)
		r->bad = true;
	if (nibble < 13 || r->bad)
		return nibble;
	more = take(r, nibble - 12);
	if (r->bad)
		return 0;
	return nibble == 13 ? (size_t)more.ptr[0] + 13
	                    : ((size_t)more.ptr[0] << 8 | more.ptr[1]) + 269;
}

/* At most most bytes; else the option is treated as one that is not known (RFC 7252 5.4.3). */
static bool
read_uint(mst_span value, size_t most, uint32_t *out)
{
	uint32_t v = 0;

	if (value.len > most)
		return false;
	for (size_t i = 0; i < value.len; i++)
		v = v << 8 | value.ptr[i];
	*out = v;
	return true;
}

static bool
read_piece(mst_span value, struct coap_piece *out)
{
	uint32_t v;

	if (out->there || !read_uint(value, 3, &v) || (v & 7) == 7)
		return false;
	*out = (struct coap_piece){ true, (v & 8) != 0, v & 7, v >> 4 };
	return true;
}

static void
read_option(struct coap_told *t, size_t number, mst_span value)
{
	uint32_t v;

	switch (number) {
	case OPTION_ETAG:
		if (value.len >= 1 && value.len <= 8 && t->etag.ptr == NULL)
			t->etag = value;
		return;
	case OPTION_CONTENT_FORMAT:
		if (t->content_format < 0 && read_uint(value, 2, &v))
			t->content_format = (int)v;
		return;
	case OPTION_MAX_AGE:
		if (t->max_age < 0 && read_uint(value, 4, &v))
			t->max_age = v;
		return;
	case OPTION_BLOCK2: t->refused = t->refused || !read_piece(value, &t->block2); return;
	case OPTION_BLOCK1: t->refused = t->refused || !read_piece(value, &t->block1); return;
	default: t->refused = t->refused || (number & 1) != 0; return;
	}
}

mst_err
coap_told_parse(mst_span datagram, struct coap_told *out)
{
	struct reader r = { datagram.ptr, datagram.len, datagram.ptr == NULL };
	struct coap_told t = { .content_format = -1, .max_age = -1, .payload = MST_LIT("") };
	mst_span head = take(&r, 4);
	size_t number = 0;

	if (r.bad || (head.ptr[0] & 0xc0) != VERSION_1 || (head.ptr[0] & 15) > 8)
		return MST_E_HTTP_MALFORMED;
	t.kind = (enum coap_kind)(head.ptr[0] >> 4 & 3);
	t.code = (unsigned)(head.ptr[1] >> 5) * 100 + (head.ptr[1] & 31);
	t.mid = (uint16_t)(head.ptr[2] << 8 | head.ptr[3]);
	t.token = take(&r, head.ptr[0] & 15);
	while (!r.bad && r.left > 0) {
		uint8_t first = take(&r, 1).ptr[0];
		mst_span value;
		size_t len;

		if (first == MARKER) {
			/* RFC 7252 3: a marker that nothing follows is a format error. */
			r.bad = r.left == 0;
			t.payload = take(&r, r.left);
			break;
		}
		number += extended(&r, first >> 4);
		len = extended(&r, first & 15);
		value = take(&r, len);
		if (!r.bad)
			read_option(&t, number, value);
	}
	/* RFC 7252 4.1: an empty message has no token, options or payload. */
	if (r.bad || number > 65535 || (t.code == 0 && datagram.len != 4))
		return MST_E_HTTP_MALFORMED;
	*out = t;
	return MST_OK;
}

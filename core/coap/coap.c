/* SPDX-License-Identifier: Apache-2.0 */
#include "muster/coap.h"

#include "core/base/assert.h"

/* --- reading --- */

static bool
take(mst_span in, size_t *at, size_t n, const uint8_t **out)
{
	if (in.len - *at < n)
		return false;
	*out = in.ptr + *at;
	*at += n;
	return true;
}

/* RFC 7252 3.1: 13 and 14 extend, 15 is reserved. */
static bool
take_extended(mst_span in, size_t *at, unsigned nibble, unsigned *out)
{
	const uint8_t *p;

	switch (nibble) {
	case 13:
		if (!take(in, at, 1, &p))
			return false;
		*out = p[0] + 13U;
		return true;
	case 14:
		if (!take(in, at, 2, &p))
			return false;
		*out = ((unsigned)p[0] << 8 | p[1]) + 269U;
		return true;
	case 15: return false;
	default: *out = nibble; return true;
	}
}

static bool
take_option(mst_span in, size_t *at, unsigned *number, mst_span *value)
{
	const uint8_t *p;
	unsigned delta, length;

	if (!take(in, at, 1, &p) || !take_extended(in, at, *p >> 4, &delta) ||
	    !take_extended(in, at, *p & 15, &length) || !take(in, at, length, &p))
		return false;
	*number += delta;
	*value = mst_span_of(p, length);
	return *number <= 65535;
}

/* From at on: options to their end, and the payload behind a marker. */
static bool
take_rest(mst_span in, size_t at, struct mst_coap *m)
{
	size_t first = at;
	unsigned number = 0;
	mst_span value;

	while (at < in.len && in.ptr[at] != 0xFF)
		if (!take_option(in, &at, &number, &value))
			return false;
	m->options = mst_span_of(in.ptr + first, at - first);
	if (at == in.len)
		return true;
	m->payload = mst_span_of(in.ptr + at + 1, in.len - at - 1);
	return m->payload.len > 0; /* 3: the marker wants a payload behind it */
}

mst_err
mst_coap_parse(mst_span datagram, struct mst_coap *m, bool *header)
{
	size_t at = 0, tkl;
	const uint8_t *p, *token;

	*header = false;
	if (!take(datagram, &at, 4, &p) || p[0] >> 6 != 1) /* 3: another version is ignored */
		return MST_E_COAP_MALFORMED;
	*header = true;
	*m = (struct mst_coap){ .type = (enum mst_coap_type)(p[0] >> 4 & 3),
		.code = (p[1] >> 5) * 100U + (p[1] & 31U),
		.mid = (uint16_t)(p[2] << 8 | p[3]),
		.token = MST_NONE,
		.options = MST_NONE,
		.payload = MST_NONE };
	tkl = p[0] & 15;
	if (tkl > MST_COAP_TOKEN_MAX || !take(datagram, &at, tkl, &token))
		return MST_E_COAP_MALFORMED;
	m->token = mst_span_of(token, tkl);
	if (m->code == 0) /* 4.1: nothing may follow the Message ID */
		return at == 4 && datagram.len == 4 ? MST_OK : MST_E_COAP_MALFORMED;
	return take_rest(datagram, at, m) ? MST_OK : MST_E_COAP_MALFORMED;
}

void
mst_coap_options(const struct mst_coap *m, struct mst_coap_reader *r)
{
	*r = (struct mst_coap_reader){ m->options, 0, 0 };
}

bool
mst_coap_next(struct mst_coap_reader *r, unsigned *number, mst_span *value)
{
	if (r->at == r->in.len || !take_option(r->in, &r->at, &r->number, value))
		return false;
	*number = r->number;
	return true;
}

uint32_t
mst_coap_uint(mst_span value)
{
	uint32_t n = 0;

	for (size_t i = 0; i < value.len; i++)
		n = n << 8 | value.ptr[i];
	return n;
}

struct mst_coap_block
mst_coap_block_read(mst_span value)
{
	uint32_t n = mst_coap_uint(value);

	return (struct mst_coap_block){ true, (n & 8) != 0, n & 7, n >> 4 };
}

/* --- writing --- */

static void
put(struct mst_coap_writer *w, mst_span bytes)
{
	if (w->err == MST_OK && bytes.len > 0)
		w->err = mst_buf_put(w->out, bytes);
}

void
mst_coap_put_head(struct mst_coap_writer *w, struct mst_buf *out, enum mst_coap_type type,
    unsigned code, unsigned mid, mst_span token)
{
	const uint8_t head[4] = { (uint8_t)(0x40U | (unsigned)type << 4 | (unsigned)token.len),
		(uint8_t)((code / 100) << 5 | code % 100), (uint8_t)(mid >> 8), (uint8_t)mid };

	MST_ASSERT(token.len <= MST_COAP_TOKEN_MAX && code / 100 < 8 && code % 100 < 32);
	*w = (struct mst_coap_writer){ out, 0, MST_OK };
	put(w, mst_span_of(head, sizeof head));
	put(w, token);
}

static uint8_t
nibble(size_t n)
{
	return n < 13 ? (uint8_t)n : n < 269 ? 13 : 14;
}

static size_t
put_extended(uint8_t *out, size_t n)
{
	if (n < 13)
		return 0;
	if (n < 269) {
		out[0] = (uint8_t)(n - 13);
		return 1;
	}
	out[0] = (uint8_t)((n - 269) >> 8);
	out[1] = (uint8_t)(n - 269);
	return 2;
}

void
mst_coap_put_option(struct mst_coap_writer *w, unsigned number, mst_span value)
{
	uint8_t head[5];
	size_t n = 1;

	MST_ASSERT(number >= w->last && number <= 65535 && value.len <= 65535);
	head[0] = (uint8_t)(nibble(number - w->last) << 4 | nibble(value.len));
	n += put_extended(head + n, number - w->last);
	n += put_extended(head + n, value.len);
	w->last = number;
	put(w, mst_span_of(head, n));
	put(w, value);
}

void
mst_coap_put_uint(struct mst_coap_writer *w, unsigned number, uint32_t value)
{
	const uint8_t all[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value };
	size_t skip = 0;

	while (skip < sizeof all && all[skip] == 0) /* RFC 7252 3.2: as short as can be */
		skip++;
	mst_coap_put_option(w, number, mst_span_of(all + skip, sizeof all - skip));
}

void
mst_coap_put_block(struct mst_coap_writer *w, unsigned number, const struct mst_coap_block *b)
{
	mst_coap_put_uint(w, number, b->num << 4 | (b->more ? 8U : 0U) | b->szx);
}

void
mst_coap_put_payload(struct mst_coap_writer *w, mst_span payload)
{
	if (payload.len == 0)
		return;
	put(w, MST_LIT("\xFF"));
	put(w, payload);
}

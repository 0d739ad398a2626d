/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/assert.h"
#include "muster/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t
put_tail(uint8_t *to, mst_span rest, const char *letters)
{
	uint32_t v = (uint32_t)rest.ptr[0] << 16;

	if (rest.len == 2)
		v |= (uint32_t)rest.ptr[1] << 8;
	to[0] = (uint8_t)letters[v >> 18];
	to[1] = (uint8_t)letters[v >> 12 & 63];
	if (rest.len == 2)
		to[2] = (uint8_t)letters[v >> 6 & 63];
	return rest.len + 1;
}

static mst_err
encode(mst_span in, const char *letters, size_t padding, struct mst_buf *out)
{
	size_t rest = in.len % 3;
	size_t tail = rest == 0 ? 0 : rest + 1 + (padding != 0 ? 3 - rest : 0);
	size_t room, at, i;
	uint8_t *to;

	MST_ASSERT(out->len <= out->cap);
	room = out->cap - out->len;
	/* in.len / 3 * 4 may overflow size_t, room / 4 does not */
	if (in.len / 3 > room / 4 || tail > room - in.len / 3 * 4)
		return MST_E_SPACE;
	if (in.len == 0)
		return MST_OK;
	to = out->ptr + out->len;
	for (i = 0, at = 0; in.len - i >= 3; i += 3, at += 4) {
		uint32_t v =
		    (uint32_t)in.ptr[i] << 16 | (uint32_t)in.ptr[i + 1] << 8 | in.ptr[i + 2];

		to[at] = (uint8_t)letters[v >> 18];
		to[at + 1] = (uint8_t)letters[v >> 12 & 63];
		to[at + 2] = (uint8_t)letters[v >> 6 & 63];
		to[at + 3] = (uint8_t)letters[v & 63];
	}
	if (rest != 0) {
		at += put_tail(to + at, mst_span_of(in.ptr + i, rest), letters);
		for (; at % 4 != 0 && padding != 0; at++)
			to[at] = '=';
	}
	out->len += at;
	return MST_OK;
}

mst_err
mst_base64_encode(mst_span in, struct mst_buf *out)
{
	return encode(in, alphabet, 1, out);
}

mst_err
mst_base64url_encode(mst_span in, struct mst_buf *out)
{
	return encode(in, url_alphabet, 0, out);
}

#define NOT_A_LETTER 64

static uint32_t
value_of(uint8_t c, unsigned flags)
{
	bool standard = (flags & MST_BASE64_URL_ONLY) == 0;
	bool url = (flags & (MST_BASE64_URL | MST_BASE64_URL_ONLY)) != 0;

	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	if ((c == '+' && standard) || (c == '-' && url))
		return 62;
	if ((c == '/' && standard) || (c == '_' && url))
		return 63;
	return NOT_A_LETTER;
}

static bool
is_space(uint8_t c)
{
	return c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

struct decoding {
	unsigned flags;
	uint32_t bits; /* bits not yet written, right-aligned */
	unsigned nbits; /* 0, 2, 4, 6 */
	unsigned letters; /* letters of the open quantum, 0..3 */
	unsigned padding; /* "=" seen, at most 2 */
	struct mst_buf to;
};

static mst_err
take(struct decoding *d, uint8_t c)
{
	uint32_t v;

	if ((d->flags & MST_BASE64_SPACE) != 0 && is_space(c))
		return MST_OK; /* est.md B2, RFC 8951 3.1 */
	if (c == '=' && (d->flags & MST_BASE64_URL_ONLY) == 0) {
		d->padding++;
		/* est.md B3: "xx==" and "xxx=" are all the padding there is */
		return d->letters + d->padding <= 4 && d->letters >= 2 ? MST_OK : MST_E_BASE64;
	}
	v = value_of(c, d->flags);
	if (v == NOT_A_LETTER || d->padding != 0) /* est.md B3: nothing after the padding */
		return MST_E_BASE64;
	d->bits = d->bits << 6 | v;
	d->nbits += 6;
	d->letters = (d->letters + 1) % 4;
	if (d->nbits < 8)
		return MST_OK;
	d->nbits -= 8;
	v = d->bits >> d->nbits;
	d->bits &= (1U << d->nbits) - 1;
	if (d->to.len == d->to.cap)
		return MST_E_SPACE;
	d->to.ptr[d->to.len++] = (uint8_t)v;
	return MST_OK;
}

static mst_err
finish(const struct decoding *d)
{
	bool may_lack = (d->flags & (MST_BASE64_URL | MST_BASE64_URL_ONLY)) != 0;

	if (d->letters == 1 || d->bits != 0) /* RFC 4648 3.5: spare bits MUST be zero */
		return MST_E_BASE64;
	if (d->letters == 0 || d->letters + d->padding == 4)
		return MST_OK;
	return may_lack && d->padding == 0 ? MST_OK : MST_E_BASE64;
}

mst_err
mst_base64_decode(mst_span text, unsigned flags, struct mst_buf *out)
{
	struct decoding d = { .flags = flags, .to = *out };
	mst_err e;

	for (size_t i = 0; i < text.len; i++)
		if ((e = take(&d, text.ptr[i])) != MST_OK)
			return e;
	if ((e = finish(&d)) != MST_OK)
		return e;
	out->len = d.to.len;
	return MST_OK;
}

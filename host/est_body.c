/* SPDX-License-Identifier: Apache-2.0 */
/* EST's base64 bodies: the dialect of est.md B1 to B5, by our own codec and never BIO_f_base64. */
#include "host/cert.h"

#include <string.h>

#include "muster/base64.h"

static const char begin[] = "-----BEGIN ";
static const char end[] = "-----END ";
static const char dashes[] = "-----";

static const uint8_t *
find(mst_span in, const char *word)
{
	return in.len == 0 ? NULL : memmem(in.ptr, in.len, word, strlen(word));
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* B3: what stands between the lines of PEM armour; the whole when there is none. */
static mst_err
strip_armour(mst_span body, mst_span *inside)
{
	const uint8_t *limit = body.ptr + body.len, *from, *to, *tail;

	while (body.len != 0 && is_space(body.ptr[0]))
		body = mst_span_of(body.ptr + 1, body.len - 1);
	*inside = body;
	if (body.len < sizeof(begin) - 1 || memcmp(body.ptr, begin, sizeof(begin) - 1) != 0)
		return MST_OK;
	body = mst_span_of(body.ptr + sizeof(begin) - 1, body.len - sizeof(begin) + 1);
	from = find(body, dashes);
	if (from == NULL)
		return MST_E_BASE64;
	from += sizeof(dashes) - 1;
	to = find(mst_span_of(from, (size_t)(limit - from)), end);
	if (to == NULL)
		return MST_E_BASE64;
	tail = to + sizeof(end) - 1;
	tail = find(mst_span_of(tail, (size_t)(limit - tail)), dashes);
	if (tail == NULL)
		return MST_E_BASE64;
	for (tail += sizeof(dashes) - 1; tail < limit; tail++)
		if (!is_space(*tail))
			return MST_E_BASE64;
	*inside = mst_span_of(from, (size_t)(to - from));
	return MST_OK;
}

mst_err
est_body_decode(struct arena *a, mst_span body, mst_span *der)
{
	mst_span text;
	struct mst_buf buf;
	mst_err e;

	if (body.ptr == NULL || body.len == 0)
		return MST_E_BASE64;
	/* 0x30 is also the letter "0": DER shows itself by its second byte, which is no letter. */
	if (body.len > 1 && body.ptr[0] == 0x30 && (body.ptr[1] & 0x80) != 0)
		return MST_E_BASE64_RAW_DER;
	if (body.ptr[body.len - 1] == '\0')
		body.len--;
	e = strip_armour(body, &text);
	if (e != MST_OK)
		return e;
	buf = arena_buf(a, text.len / 4 * 3 + 3);
	if (buf.cap == 0)
		return MST_E_NOMEM;
	e = mst_base64_decode(text, MST_BASE64_SPACE, &buf);
	if (e != MST_OK)
		return body.ptr[0] == 0x30 ? MST_E_BASE64_RAW_DER : e;
	if (buf.len == 0)
		return MST_E_BASE64;
	*der = mst_buf_span(&buf);
	return MST_OK;
}

mst_err
est_body_encode(struct arena *a, mst_span der, unsigned wrap, mst_span *body)
{
	size_t len = MST_BASE64_LEN(der.len), line = wrap == 0 ? len : wrap;
	struct mst_buf text = arena_buf(a, len + 1);
	struct mst_buf out = arena_buf(a, len + (line == 0 ? 0 : len / line) + 2);
	mst_err e;

	if (text.cap == 0 || out.cap == 0)
		return MST_E_NOMEM;
	e = mst_base64_encode(der, &text);
	for (size_t at = 0; e == MST_OK && at < text.len; at += line) {
		size_t n = text.len - at < line ? text.len - at : line;

		e = mst_buf_put(&out, mst_span_of(text.ptr + at, n));
		if (e == MST_OK)
			e = mst_buf_put_byte(&out, '\n');
	}
	if (e == MST_OK)
		*body = mst_buf_span(&out);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The deterministic encoding: shortest arguments, definite lengths (RFC 8949 4.2.1). */
#include <string.h>

#include "core/base/utf8.h"
#include "core/cbor/cbor_head.h"

#define HEAD_MAX 9

void
mst_cbor_put_init(struct mst_cbor_writer *w, struct mst_buf *out)
{
	w->out = out;
	w->err = MST_OK;
}

static void
fail(struct mst_cbor_writer *w, mst_err e)
{
	if (w->err == MST_OK)
		w->err = e;
}

/* initial byte, big-endian argument of n bytes, content: all or nothing */
static void
put(struct mst_cbor_writer *w, unsigned initial, uint64_t arg, size_t n, mst_span content)
{
	uint8_t head[HEAD_MAX];
	size_t before = w->out->len;
	mst_err e;

	if (w->err != MST_OK)
		return;
	head[0] = (uint8_t)initial;
	for (size_t i = n; i > 0; i--, arg >>= 8)
		head[i] = (uint8_t)(arg & 0xff);
	if ((e = mst_buf_put(w->out, mst_span_of(head, n + 1))) != MST_OK ||
	    (e = mst_buf_put(w->out, content)) != MST_OK) {
		w->out->len = before;
		fail(w, e);
	}
}

static void
put_item(struct mst_cbor_writer *w, enum mst_cbor_major major, uint64_t arg, mst_span content)
{
	unsigned initial = (unsigned)major << 5;

	if (arg < INFO_1)
		put(w, initial | (unsigned)arg, 0, 0, content);
	else if (arg <= UINT8_MAX)
		put(w, initial | INFO_1, arg, 1, content);
	else if (arg <= UINT16_MAX)
		put(w, initial | (INFO_1 + 1), arg, 2, content);
	else if (arg <= UINT32_MAX)
		put(w, initial | (INFO_1 + 2), arg, 4, content);
	else
		put(w, initial | INFO_8, arg, 8, content);
}

void
mst_cbor_put_uint(struct mst_cbor_writer *w, uint64_t v)
{
	put_item(w, MAJOR_UINT, v, MST_NONE);
}

void
mst_cbor_put_int(struct mst_cbor_writer *w, int64_t v)
{
	if (v < 0)
		put_item(w, MAJOR_NINT, (uint64_t)(-1 - v), MST_NONE);
	else
		put_item(w, MAJOR_UINT, (uint64_t)v, MST_NONE);
}

void
mst_cbor_put_bytes(struct mst_cbor_writer *w, mst_span v)
{
	put_item(w, MAJOR_BYTES, v.len, v);
}

void
mst_cbor_put_bytes_head(struct mst_cbor_writer *w, size_t len)
{
	put_item(w, MAJOR_BYTES, len, MST_NONE);
}

void
mst_cbor_put_text(struct mst_cbor_writer *w, mst_span v)
{
	if (mst_utf8_ok(v))
		put_item(w, MAJOR_TEXT, v.len, v);
	else
		fail(w, MST_E_CBOR_UTF8);
}

void
mst_cbor_put_bool(struct mst_cbor_writer *w, bool v)
{
	put_item(w, MAJOR_OTHER, v ? OTHER_TRUE : OTHER_FALSE, MST_NONE);
}

void
mst_cbor_put_null(struct mst_cbor_writer *w)
{
	put_item(w, MAJOR_OTHER, OTHER_NULL, MST_NONE);
}

/* The bits of a double in a shorter form; false when that would lose something. */
static bool
narrow(uint64_t bits, struct mst_float_form to, uint64_t *out)
{
	uint64_t top = ((uint64_t)1 << to.exponent) - 1;
	uint64_t rebias = 1023 - (top >> 1);
	uint64_t sign = bits >> 63 << (to.exponent + to.mantissa);
	uint64_t exponent = bits >> 52 & 2047;
	uint64_t mantissa = bits & (((uint64_t)1 << 52) - 1);
	uint64_t v;

	if (exponent == 2047) /* infinite, not a number */
		v = top << to.mantissa | mantissa >> (52 - to.mantissa);
	else if (exponent >= rebias + top) /* too large */
		return false;
	else if (exponent > rebias)
		v = (exponent - rebias) << to.mantissa | mantissa >> (52 - to.mantissa);
	else if (rebias - exponent < to.mantissa) /* subnormal there, with the hidden bit shown */
		v = ((uint64_t)1 << 52 | mantissa) >> (52 - to.mantissa + rebias - exponent + 1);
	else
		v = 0; /* zero fits, anything smaller than the least subnormal does not */
	v |= sign;
	if (mst_float_widen(v, to) != bits)
		return false;
	*out = v;
	return true;
}

void
mst_cbor_put_float(struct mst_cbor_writer *w, double v)
{
	uint64_t bits, arg;

	memcpy(&bits, &v, sizeof bits);
	if (narrow(bits, FLOAT_HALF, &arg))
		put(w, MAJOR_OTHER << 5 | OTHER_HALF, arg, 2, MST_NONE);
	else if (narrow(bits, FLOAT_SINGLE, &arg))
		put(w, MAJOR_OTHER << 5 | OTHER_SINGLE, arg, 4, MST_NONE);
	else
		put(w, MAJOR_OTHER << 5 | OTHER_DOUBLE, bits, 8, MST_NONE);
}

void
mst_cbor_put_tag(struct mst_cbor_writer *w, uint64_t tag)
{
	put_item(w, MAJOR_TAG, tag, MST_NONE);
}

void
mst_cbor_put_array(struct mst_cbor_writer *w, uint64_t count)
{
	put_item(w, MAJOR_ARRAY, count, MST_NONE);
}

void
mst_cbor_put_map(struct mst_cbor_writer *w, uint64_t pairs)
{
	put_item(w, MAJOR_MAP, pairs, MST_NONE);
}

void
mst_cbor_put_raw(struct mst_cbor_writer *w, mst_span item)
{
	mst_err e;

	if (w->err != MST_OK)
		return;
	if ((e = mst_cbor_validate(item)) != MST_OK || (e = mst_buf_put(w->out, item)) != MST_OK)
		fail(w, e);
}

mst_err
mst_cbor_put_end(const struct mst_cbor_writer *w)
{
	return w->err;
}

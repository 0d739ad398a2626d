/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/cbor/cbor_head.h"

mst_err
mst_cbor_validate(mst_span in)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, in);
	mst_cbor_skip(&r);
	return mst_cbor_end(&r);
}

/* From here on items are well-formed: mst_cbor_validate_unique() made sure first. */

/* The chunks of a string as a sequence of strings of definite length. */
static void
open_string(struct mst_cbor_reader *r, mst_span item)
{
	if ((item.ptr[0] & 31U) == INFO_OPEN)
		item = mst_span_of(item.ptr + 1, item.len - 2); /* without head and "break" */
	mst_cbor_init(r, item);
}

/* Makes *piece non-empty; false when the string is at its end. */
static bool
refill(struct mst_cbor_reader *r, mst_span *piece)
{
	while (piece->len == 0 && mst_cbor_more(r))
		*piece = mst_cbor_peek(r) == MST_CBOR_TEXT ? mst_cbor_text(r) : mst_cbor_bytes(r);
	return piece->len != 0;
}

static bool
same_string(mst_span a, mst_span b)
{
	struct mst_cbor_reader ra, rb;
	mst_span pa = MST_NONE, pb = MST_NONE;

	open_string(&ra, a);
	open_string(&rb, b);
	for (;;) {
		bool more_a = refill(&ra, &pa), more_b = refill(&rb, &pb);
		size_t n = pa.len < pb.len ? pa.len : pb.len;

		if (!more_a || !more_b)
			return more_a == more_b;
		if (!mst_span_eq(mst_span_of(pa.ptr, n), mst_span_of(pb.ptr, n)))
			return false;
		pa = mst_span_of(pa.ptr + n, pa.len - n);
		pb = mst_span_of(pb.ptr + n, pb.len - n);
	}
}

static bool
same_float(struct mst_cbor_reader *a, struct mst_cbor_reader *b)
{
	double x = mst_cbor_float(a), y = mst_cbor_float(b);
	uint64_t x_bits, y_bits;

	/* by bits: -0.0 is not 0.0, and a NaN is itself */
	memcpy(&x_bits, &x, sizeof x);
	memcpy(&y_bits, &y, sizeof y);
	return x_bits == y_bits;
}

static bool
same_argument(struct mst_cbor_reader *a, struct mst_cbor_reader *b)
{
	struct mst_cbor_head x, y;

	return mst_cbor_head_at(a->in, a->at, &x) && mst_cbor_head_at(b->in, b->at, &y) &&
	       x.arg == y.arg;
}

/* One step of two walks: both take a scalar, a string or a tag, or enter a container. */
static bool
same_step(struct mst_cbor_reader *a, struct mst_cbor_reader *b)
{
	enum mst_cbor_type type = mst_cbor_peek(a);

	if (type != mst_cbor_peek(b))
		return false;
	switch (type) {
	case MST_CBOR_UINT:
	case MST_CBOR_NINT:
	case MST_CBOR_BOOL:
	case MST_CBOR_NULL:
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE:
		if (!same_argument(a, b))
			return false;
		mst_cbor_skip(a);
		mst_cbor_skip(b);
		return true;
	case MST_CBOR_BYTES:
	case MST_CBOR_TEXT: return same_string(mst_cbor_raw(a), mst_cbor_raw(b));
	case MST_CBOR_FLOAT: return same_float(a, b);
	case MST_CBOR_TAG: return mst_cbor_tag(a) == mst_cbor_tag(b);
	case MST_CBOR_ARRAY:
		mst_cbor_array(a);
		mst_cbor_array(b);
		return true;
	case MST_CBOR_MAP:
		mst_cbor_map(a);
		mst_cbor_map(b);
		return true;
	case MST_CBOR_BREAK:
	case MST_CBOR_END: return false;
	}
	return false;
}

static bool
same_item(mst_span a, mst_span b)
{
	struct mst_cbor_reader ra, rb;

	mst_cbor_init(&ra, a);
	mst_cbor_init(&rb, b);
	do {
		if (!same_step(&ra, &rb))
			return false;
		while (ra.depth > 0) {
			bool more = mst_cbor_more(&ra);

			if (more != mst_cbor_more(&rb))
				return false;
			if (more)
				break;
		}
	} while (ra.depth > 0 || ra.tagged);
	return true;
}

/* r stands before a map; it is a copy, the walk goes on from the original. */
static mst_err
check_map(struct mst_cbor_reader r)
{
	mst_span keys[MST_CBOR_PAIRS];
	size_t n = 0;

	mst_cbor_map(&r);
	for (; mst_cbor_more(&r); n++) {
		if (n == MST_CBOR_PAIRS)
			return MST_E_CBOR_LIMIT;
		keys[n] = mst_cbor_raw(&r);
		for (size_t i = 0; i < n; i++)
			if (same_item(keys[i], keys[n]))
				return MST_E_CBOR_DUPLICATE;
		mst_cbor_skip(&r);
	}
	return r.err;
}

mst_err
mst_cbor_validate_unique(mst_span in)
{
	struct mst_cbor_reader r;
	mst_err e;

	if ((e = mst_cbor_validate(in)) != MST_OK)
		return e;
	mst_cbor_init(&r, in);
	while (r.err == MST_OK && r.at < in.len) {
		if (!mst_cbor_more(&r))
			continue; /* left one container; the next outer one may end too */
		switch (mst_cbor_peek(&r)) {
		case MST_CBOR_MAP:
			if ((e = check_map(r)) != MST_OK)
				return e;
			mst_cbor_map(&r);
			break;
		case MST_CBOR_ARRAY: mst_cbor_array(&r); break;
		case MST_CBOR_TAG: (void)mst_cbor_tag(&r); break;
		case MST_CBOR_UINT:
		case MST_CBOR_NINT:
		case MST_CBOR_BYTES:
		case MST_CBOR_TEXT:
		case MST_CBOR_BOOL:
		case MST_CBOR_NULL:
		case MST_CBOR_UNDEFINED:
		case MST_CBOR_SIMPLE:
		case MST_CBOR_FLOAT: mst_cbor_skip(&r); break;
		case MST_CBOR_BREAK:
		case MST_CBOR_END: return MST_E_INTERNAL; /* more() said otherwise */
		}
	}
	return mst_cbor_end(&r);
}

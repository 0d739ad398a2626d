/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever comes in: validator, validator with unique keys and typed reader
 * agree as far as they promise, and what was read, written and read again is
 * the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
items_left(struct mst_cbor_reader r)
{
	uint64_t n = 0;

	for (; mst_cbor_more(&r); n++)
		mst_cbor_skip(&r);
	return n;
}

/* One item or one head of a container; nothing recurses, so that tags may pile up. */
static void
copy_step(struct mst_cbor_reader *r, struct mst_cbor_writer *w)
{
	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT: mst_cbor_put_uint(w, mst_cbor_uint(r)); return;
	case MST_CBOR_NINT: mst_cbor_put_int(w, mst_cbor_int(r)); return;
	case MST_CBOR_BYTES: mst_cbor_put_bytes(w, mst_cbor_bytes(r)); return;
	case MST_CBOR_TEXT: mst_cbor_put_text(w, mst_cbor_text(r)); return;
	case MST_CBOR_BOOL: mst_cbor_put_bool(w, mst_cbor_bool(r)); return;
	case MST_CBOR_FLOAT: mst_cbor_put_float(w, mst_cbor_float(r)); return;
	case MST_CBOR_TAG: mst_cbor_put_tag(w, mst_cbor_tag(r)); return;
	case MST_CBOR_NULL:
		mst_cbor_null(r);
		mst_cbor_put_null(w);
		return;
	case MST_CBOR_ARRAY:
		mst_cbor_array(r);
		if (r->err == MST_OK)
			mst_cbor_put_array(w, items_left(*r));
		return;
	case MST_CBOR_MAP:
		mst_cbor_map(r);
		if (r->err == MST_OK)
			mst_cbor_put_map(w, items_left(*r) / 2);
		return;
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE: mst_cbor_put_raw(w, mst_cbor_raw(r)); return;
	case MST_CBOR_BREAK:
	case MST_CBOR_END: mst_cbor_fail(r, MST_E_CBOR); return;
	}
}

static mst_err
copy(mst_span in, struct mst_buf *out)
{
	struct mst_cbor_reader r;
	struct mst_cbor_writer w;
	mst_err e;

	mst_cbor_init(&r, in);
	mst_cbor_put_init(&w, out);
	do {
		copy_step(&r, &w);
		while (r.err == MST_OK && r.depth > 0 && !mst_cbor_more(&r))
			;
	} while (r.err == MST_OK && (r.depth > 0 || r.tagged));
	if ((e = mst_cbor_end(&r)) == MST_OK)
		MUST(mst_cbor_put_end(&w) == MST_OK);
	return e;
}

static void
check_copies(mst_span in)
{
	static uint8_t first[4 * INPUT_MAX], second[4 * INPUT_MAX];
	struct mst_buf once = MST_BUF(first), twice = MST_BUF(second);

	if (copy(in, &once) != MST_OK)
		return; /* chunks, or an integer beyond int64_t: not well-formedness, checked before
		         */
	MUST(mst_cbor_validate(mst_buf_span(&once)) == MST_OK);
	MUST(copy(mst_buf_span(&once), &twice) == MST_OK);
	MUST(mst_span_eq(mst_buf_span(&once), mst_buf_span(&twice)));
	/* the deterministic form has the same keys: the verdict on them stays */
	MUST(mst_cbor_validate_unique(in) == mst_cbor_validate_unique(mst_buf_span(&once)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mst_span in = mst_span_of(data, size);
	struct mst_cbor_reader r;
	static uint8_t room[4 * INPUT_MAX];
	struct mst_buf out = MST_BUF(room);
	mst_err valid, unique;

	if (size > INPUT_MAX)
		return 0;
	valid = mst_cbor_validate(in);
	unique = mst_cbor_validate_unique(in);
	if (valid != MST_OK) {
		MUST(unique == valid);
		MUST(copy(in, &out) != MST_OK);
		return 0;
	}
	MUST(unique == MST_OK || unique == MST_E_CBOR_DUPLICATE || unique == MST_E_CBOR_LIMIT);
	mst_cbor_init(&r, in);
	MUST(mst_cbor_raw(&r).len == size);
	for (size_t n = 0; n < size; n = 2 * n + 1)
		MUST(mst_cbor_validate(mst_span_of(data, n)) != MST_OK);
	MUST(mst_cbor_validate(mst_span_of(data, size - 1)) != MST_OK);
	check_copies(in);
	return 0;
}

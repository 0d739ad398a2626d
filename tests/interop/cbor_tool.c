/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For cbor.py: items come on stdin, each behind its length of four bytes;
 * each goes through our reader and our writer and back out, behind a status
 * byte (0, or 1 for an item that was refused) and its length.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"

#define ITEM_MAX (4 << 20)

static void copy(struct mst_cbor_reader *r, struct mst_cbor_writer *w);

static void
copy_items(struct mst_cbor_reader *r, struct mst_cbor_writer *w)
{
	while (mst_cbor_more(r))
		copy(r, w);
}

/* After entering: how many items are to come, keys and values each. */
static uint64_t
left(const struct mst_cbor_reader *r, uint64_t per_turn)
{
	struct mst_cbor_reader ahead = *r;
	uint64_t n = 0;

	while (mst_cbor_more(&ahead)) {
		for (uint64_t i = 0; i < per_turn; i++)
			mst_cbor_skip(&ahead);
		n++;
	}
	return n;
}

static void
copy(struct mst_cbor_reader *r, struct mst_cbor_writer *w)
{
	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT: mst_cbor_put_uint(w, mst_cbor_uint(r)); break;
	case MST_CBOR_NINT: mst_cbor_put_int(w, mst_cbor_int(r)); break;
	case MST_CBOR_BYTES: mst_cbor_put_bytes(w, mst_cbor_bytes(r)); break;
	case MST_CBOR_TEXT: mst_cbor_put_text(w, mst_cbor_text(r)); break;
	case MST_CBOR_ARRAY:
		mst_cbor_array(r);
		mst_cbor_put_array(w, left(r, 1));
		copy_items(r, w);
		break;
	case MST_CBOR_MAP:
		mst_cbor_map(r);
		mst_cbor_put_map(w, left(r, 2));
		while (mst_cbor_more(r)) {
			copy(r, w);
			copy(r, w);
		}
		break;
	case MST_CBOR_TAG:
		mst_cbor_put_tag(w, mst_cbor_tag(r));
		copy(r, w);
		break;
	case MST_CBOR_BOOL: mst_cbor_put_bool(w, mst_cbor_bool(r)); break;
	case MST_CBOR_NULL:
		mst_cbor_null(r);
		mst_cbor_put_null(w);
		break;
	case MST_CBOR_FLOAT: mst_cbor_put_float(w, mst_cbor_float(r)); break;
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE: mst_cbor_put_raw(w, mst_cbor_raw(r)); break;
	case MST_CBOR_BREAK:
	case MST_CBOR_END: mst_cbor_skip(r); break; /* latches why */
	}
}

static mst_err
transcode(mst_span in, struct mst_buf *out)
{
	struct mst_cbor_reader r;
	struct mst_cbor_writer w;
	mst_err e;

	out->len = 0;
	mst_cbor_init(&r, in);
	mst_cbor_put_init(&w, out);
	copy(&r, &w);
	e = mst_cbor_end(&r);
	return e != MST_OK ? e : mst_cbor_put_end(&w);
}

static void
put(const uint8_t *bytes, size_t n)
{
	if (fwrite(bytes, 1, n, stdout) != n)
		exit(1);
}

int
main(void)
{
	static uint8_t in[ITEM_MAX], room[ITEM_MAX];
	struct mst_buf out = MST_BUF(room);
	uint8_t head[5];

	while (fread(head, 1, 4, stdin) == 4) {
		size_t n =
		    (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
		bool good;

		if (n > sizeof in || fread(in, 1, n, stdin) != n)
			return 1;
		good = transcode(mst_span_of(in, n), &out) == MST_OK;
		if (!good)
			out.len = 0;
		head[0] = good ? 0 : 1;
		for (int i = 0; i < 4; i++)
			head[1 + i] = (uint8_t)(out.len >> (24 - 8 * i));
		put(head, sizeof head);
		put(out.ptr, out.len);
	}
	return 0;
}

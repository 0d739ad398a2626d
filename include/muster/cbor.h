/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR (RFC 8949) without allocation. The reader pulls items in order and
 * latches its first error; after that every call answers zero, empty or
 * false, and mst_cbor_end() tells. It takes definite and indefinite lengths.
 * Strings of indefinite length are handed out only when they are one chunk;
 * else they are a type error, since a span cannot be in pieces.
 * The writer emits the deterministic encoding of RFC 8949 4.2.1 for whatever
 * order of map keys the caller gives; the caller sorts.
 */
#ifndef MUSTER_CBOR_H
#define MUSTER_CBOR_H

#include "muster/span.h"

#define MST_CBOR_DEPTH 16

enum mst_cbor_type {
	MST_CBOR_UINT, MST_CBOR_NINT, MST_CBOR_BYTES, MST_CBOR_TEXT, MST_CBOR_ARRAY,
	MST_CBOR_MAP, MST_CBOR_TAG, MST_CBOR_BOOL, MST_CBOR_NULL, MST_CBOR_UNDEFINED,
	MST_CBOR_SIMPLE, MST_CBOR_FLOAT, MST_CBOR_BREAK, MST_CBOR_END, /* END: input or container exhausted, or error */
};

struct mst_cbor_level { uint64_t left; bool indefinite; bool map; };

struct mst_cbor_reader {
	mst_span in;
	size_t at;
	mst_err err;
	unsigned depth;
	struct mst_cbor_level level[MST_CBOR_DEPTH + 1];
};

void mst_cbor_init(struct mst_cbor_reader *r, mst_span in);
/* What comes next, without taking it. */
enum mst_cbor_type mst_cbor_peek(struct mst_cbor_reader *r);
uint64_t mst_cbor_uint(struct mst_cbor_reader *r);
int64_t mst_cbor_int(struct mst_cbor_reader *r); /* either sign, within int64_t */
mst_span mst_cbor_bytes(struct mst_cbor_reader *r);
mst_span mst_cbor_text(struct mst_cbor_reader *r); /* UTF-8 checked */
bool mst_cbor_bool(struct mst_cbor_reader *r);
void mst_cbor_null(struct mst_cbor_reader *r);
double mst_cbor_float(struct mst_cbor_reader *r); /* half, single, double */
uint64_t mst_cbor_tag(struct mst_cbor_reader *r);
/* Enter a container; mst_cbor_more() is true while items (pairs) are left and leaves it when none are. */
void mst_cbor_array(struct mst_cbor_reader *r);
void mst_cbor_map(struct mst_cbor_reader *r);
bool mst_cbor_more(struct mst_cbor_reader *r);
/* For maps with integer keys: true and *key while pairs are left. */
bool mst_cbor_key(struct mst_cbor_reader *r, int64_t *key);
/* For maps with text keys. */
bool mst_cbor_text_key(struct mst_cbor_reader *r, mst_span *key);
/* Take and drop one whole item, checking its well-formedness. */
void mst_cbor_skip(struct mst_cbor_reader *r);
/* Take one whole item and hand out its bytes. */
mst_span mst_cbor_raw(struct mst_cbor_reader *r);
/* Latch a refusal of the caller's own. */
void mst_cbor_fail(struct mst_cbor_reader *r, mst_err e);
/* MST_OK when all went well and nothing follows. */
MST_MUST_USE mst_err mst_cbor_end(struct mst_cbor_reader *r);
/* Well-formedness of exactly one item (RFC 8949 appendix C), nothing after it. */
MST_MUST_USE mst_err mst_cbor_validate(mst_span in);

struct mst_cbor_writer {
	struct mst_buf *out;
	mst_err err;
};
void mst_cbor_put_init(struct mst_cbor_writer *w, struct mst_buf *out);
void mst_cbor_put_uint(struct mst_cbor_writer *w, uint64_t v);
void mst_cbor_put_int(struct mst_cbor_writer *w, int64_t v);
void mst_cbor_put_bytes(struct mst_cbor_writer *w, mst_span v);
void mst_cbor_put_text(struct mst_cbor_writer *w, mst_span v); /* refuses invalid UTF-8 */
void mst_cbor_put_bool(struct mst_cbor_writer *w, bool v);
void mst_cbor_put_null(struct mst_cbor_writer *w);
void mst_cbor_put_tag(struct mst_cbor_writer *w, uint64_t tag);
void mst_cbor_put_array(struct mst_cbor_writer *w, uint64_t count);
void mst_cbor_put_map(struct mst_cbor_writer *w, uint64_t pairs);
void mst_cbor_put_raw(struct mst_cbor_writer *w, mst_span item); /* one encoded item */
MST_MUST_USE mst_err mst_cbor_put_end(const struct mst_cbor_writer *w);

#endif

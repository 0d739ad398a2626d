/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR (RFC 8949) without allocation. The reader pulls items in order and
 * latches its first error; after that every call answers zero, MST_NONE or
 * false, and mst_cbor_end() tells. It takes definite and indefinite lengths
 * and integers and lengths in longer forms than needed (RFC 8949 3, 4.1).
 * Strings of indefinite length are handed out only when they are at most one
 * chunk; else they are a type error, since a span cannot be in pieces.
 * Errors: MST_E_CBOR not well-formed or cut short; MST_E_CBOR_TYPE another
 * item, or none, stands where one was asked for; MST_E_CBOR_DEPTH;
 * MST_E_CBOR_UTF8; MST_E_CBOR_TRAILING; MST_E_CBOR_DUPLICATE.
 * Spans handed out point into the input.
 * The writer emits the deterministic encoding of RFC 8949 4.2.1 for whatever
 * order of map keys the caller gives; the caller sorts.
 */
#ifndef MUSTER_CBOR_H
#define MUSTER_CBOR_H

#include "muster/span.h"

/* Arrays and maps within one another, at most. Tags do not count: they take no level. */
#define MST_CBOR_DEPTH 16
/* Pairs of one map, at most, for mst_cbor_validate_unique() (requirements DM-5). */
#define MST_CBOR_PAIRS 64

enum mst_cbor_type {
	MST_CBOR_UINT,
	MST_CBOR_NINT,
	MST_CBOR_BYTES,
	MST_CBOR_TEXT,
	MST_CBOR_ARRAY,
	MST_CBOR_MAP,
	MST_CBOR_TAG,
	MST_CBOR_BOOL,
	MST_CBOR_NULL,
	MST_CBOR_UNDEFINED,
	MST_CBOR_SIMPLE,
	MST_CBOR_FLOAT,
	MST_CBOR_BREAK,
	MST_CBOR_END, /* END: input or container exhausted, or error */
};

struct mst_cbor_reader {
	mst_span in;
	size_t at;
	mst_err err;
	unsigned depth;
	bool tagged; /* a tag was taken, its content not yet */
	/* Unless MST_OK, what an item of indefinite length is refused with; set it after init. */
	mst_err indefinite_is;
	/* by level: bits, and items to come (two for a pair; of indefinite length: minus those
	 * taken) */
	uint32_t indefinite, maps;
	size_t left[MST_CBOR_DEPTH + 1];
};

void mst_cbor_init(struct mst_cbor_reader *r, mst_span in);
/*
 * What comes next, without taking it. At what is not well-formed it latches
 * and answers END, so that `while (peek != END)` cannot overlook it.
 */
enum mst_cbor_type mst_cbor_peek(struct mst_cbor_reader *r);
uint64_t mst_cbor_uint(struct mst_cbor_reader *r);
int64_t mst_cbor_int(struct mst_cbor_reader *r); /* either sign, within int64_t */
mst_span mst_cbor_bytes(struct mst_cbor_reader *r);
mst_span mst_cbor_text(struct mst_cbor_reader *r); /* UTF-8 checked */
bool mst_cbor_bool(struct mst_cbor_reader *r);
void mst_cbor_null(struct mst_cbor_reader *r);
double mst_cbor_float(struct mst_cbor_reader *r); /* half, single, double */
uint64_t mst_cbor_tag(struct mst_cbor_reader *r); /* its content is the next item */
/*
 * Enter a container; mst_cbor_more() is true while items (pairs) are left and
 * leaves it when none are. Outside any container (a sequence, RFC 8742) it is
 * true while bytes are left. mst_cbor_leave() is for a container of known
 * shape: it leaves, and refuses with MST_E_CBOR_TYPE when items are left.
 */
void mst_cbor_array(struct mst_cbor_reader *r);
void mst_cbor_map(struct mst_cbor_reader *r);
bool mst_cbor_more(struct mst_cbor_reader *r);
void mst_cbor_leave(struct mst_cbor_reader *r);
/*
 * For maps with integer keys: true and *key while pairs are left. Whoever does
 * not read the value must skip it; MST_E_INTERNAL is latched otherwise.
 */
bool mst_cbor_key(struct mst_cbor_reader *r, int64_t *key);
/* For maps with text keys. */
bool mst_cbor_text_key(struct mst_cbor_reader *r, mst_span *key);
/* Take and drop one whole item, checking its well-formedness and its UTF-8. */
void mst_cbor_skip(struct mst_cbor_reader *r);
/* Take one whole item and hand out its bytes. */
mst_span mst_cbor_raw(struct mst_cbor_reader *r);
/* Latch a refusal of the caller's own. */
void mst_cbor_fail(struct mst_cbor_reader *r, mst_err e);
/* MST_OK when all went well, every container was read to its end and nothing follows. */
MST_MUST_USE mst_err mst_cbor_end(struct mst_cbor_reader *r);
/* Well-formedness of exactly one item (RFC 8949 appendix C) and its UTF-8, nothing after it. */
MST_MUST_USE mst_err mst_cbor_validate(mst_span in);
/*
 * The same, and no map at any depth has a key twice (RFC 8949 5.6, requirements
 * DM-5): a reader by mst_cbor_key() alone would let the last one win. Keys are
 * compared as values, so 01 and 18 01 are the same key, and so are a string
 * in one piece and in chunks; of a compound key the order matters. The work is
 * bounded by refusing maps of more than MST_CBOR_PAIRS pairs with
 * MST_E_CBOR_LIMIT. MST_E_CBOR_DUPLICATE.
 */
MST_MUST_USE mst_err mst_cbor_validate_unique(mst_span in);

/*
 * The writer latches too. A put that does not fit appends nothing and latches
 * MST_E_SPACE; what an earlier put appended stays in out until the caller
 * resets its length.
 */
struct mst_cbor_writer {
	struct mst_buf *out;
	mst_err err;
};
void mst_cbor_put_init(struct mst_cbor_writer *w, struct mst_buf *out);
void mst_cbor_put_uint(struct mst_cbor_writer *w, uint64_t v);
void mst_cbor_put_int(struct mst_cbor_writer *w, int64_t v);
void mst_cbor_put_bytes(struct mst_cbor_writer *w, mst_span v);
/* The head alone: the caller appends len bytes to out. */
void mst_cbor_put_bytes_head(struct mst_cbor_writer *w, size_t len);
void mst_cbor_put_text(struct mst_cbor_writer *w, mst_span v); /* refuses invalid UTF-8 */
void mst_cbor_put_bool(struct mst_cbor_writer *w, bool v);
void mst_cbor_put_null(struct mst_cbor_writer *w);
void mst_cbor_put_float(
    struct mst_cbor_writer *w, double v); /* shortest form that keeps the value */
void mst_cbor_put_tag(struct mst_cbor_writer *w, uint64_t tag);
void mst_cbor_put_array(struct mst_cbor_writer *w, uint64_t count);
void mst_cbor_put_map(struct mst_cbor_writer *w, uint64_t pairs);
void mst_cbor_put_raw(struct mst_cbor_writer *w, mst_span item); /* one encoded item; checked */
MST_MUST_USE mst_err mst_cbor_put_end(const struct mst_cbor_writer *w);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR that grows in an arena, maps that sort themselves; for host/suit and inspect. */
#ifndef HOST_SUIT_CBOR_H
#define HOST_SUIT_CBOR_H

#include "host/arena.h"
#include "muster/cbor.h"

/* Latches its first error. */
struct cb {
	struct arena *a;
	struct mst_buf buf;
	mst_err err;
};

void cb_init(struct cb *b, struct arena *a);
void cb_uint(struct cb *b, uint64_t v);
void cb_int(struct cb *b, int64_t v);
void cb_bytes(struct cb *b, mst_span v);
void cb_text(struct cb *b, mst_span v);
void cb_bool(struct cb *b, bool v);
void cb_null(struct cb *b);
void cb_tag(struct cb *b, uint64_t tag);
void cb_array(struct cb *b, uint64_t count);
void cb_map(struct cb *b, uint64_t pairs);
void cb_raw(struct cb *b, mst_span encoded); /* as it is; the caller knows what it is */
/* [* bstr] */
void cb_id(struct cb *b, const mst_span *segments, size_t count);
mst_span cb_end(const struct cb *b, mst_err *err); /* MST_NONE on error, which *err latches */

/* A map whose pairs are collected encoded, and sorted by key (RFC 8949 4.2.1). */
struct cb_pair {
	mst_span key, value;
	struct cb_pair *next;
};
struct cb_pairs {
	struct arena *a;
	struct cb_pair *first; /* in order */
	size_t count;
	mst_err err; /* MST_E_CBOR_DUPLICATE, MST_E_NOMEM */
};
void cb_pairs_init(struct cb_pairs *p, struct arena *a);
void cb_pair(struct cb_pairs *p, mst_span key, mst_span value);
void cb_pair_int(struct cb_pairs *p, int64_t key, mst_span value);
void cb_pair_text(struct cb_pairs *p, mst_span key, mst_span value);
mst_span cb_pairs_end(const struct cb_pairs *p, mst_err *err);

/* One encoded item; MST_NONE when out of memory or no UTF-8. */
mst_span cb_one_int(struct arena *a, int64_t v);
mst_span cb_one_uint(struct arena *a, uint64_t v);
mst_span cb_one_bytes(struct arena *a, mst_span v);
mst_span cb_one_text(struct arena *a, mst_span v);
mst_span cb_one_id(struct arena *a, const mst_span *segments, size_t count);

/*
 * A reader of the strict profile (sheet 1.3): definite lengths, shortest heads,
 * ascending keys. cbs_ok checks one item whole, at every depth that is not
 * inside a byte string; NULL, or words of what breaks it and *at its offset.
 */
const char *cbs_breach(mst_span item, size_t *at);
/* The head of the item at p: its argument, and the bytes it takes; false when cut short. */
bool cbs_head(mst_span in, size_t at, unsigned *major, uint64_t *argument, size_t *size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader for everything of SUIT that is not COSE (sheet 1.3): definite
 * lengths, shortest forms, keys strictly ascending in the bytes of their
 * encoding, nothing after the end. Three words of state, so that a frame of the
 * interpreter can hold one. It latches its first error.
 */
#ifndef MUSTER_CORE_SUIT_CBOR_H
#define MUSTER_CORE_SUIT_CBOR_H

#include "core/cbor/cbor_head.h"

struct suit_cur {
	const uint8_t *at, *end;
	mst_err e;
};

/* Containers within an item that is skipped. */
#ifdef MUSTER_SUIT_MCU
#define SUIT_ITEM_DEPTH 4
#else
#define SUIT_ITEM_DEPTH 8
#endif

void suit_cur_init(struct suit_cur *c, mst_span in);
void suit_fail(struct suit_cur *c, mst_err e);
/* What comes next; MAJOR_OTHER + 1 at the end or after an error. */
unsigned suit_peek(const struct suit_cur *c);
/* The argument of a head of this major type; 0 and latched for another. */
uint64_t suit_take(struct suit_cur *c, enum mst_cbor_major major);
/* The same for array and map, whose counts are no more than the bytes that are left. */
size_t suit_count(struct suit_cur *c, enum mst_cbor_major major);
int64_t suit_int(struct suit_cur *c);
mst_span suit_bytes(struct suit_cur *c);
mst_span suit_text(struct suit_cur *c);
/* true, false; anything else is latched. */
bool suit_bool(struct suit_cur *c);
/* One whole item, checked by the same rules at every depth; its bytes. */
mst_span suit_item(struct suit_cur *c);
/* MST_OK when nothing follows. */
mst_err suit_end(struct suit_cur *c) MST_MUST_USE;

/* A map whose keys must ascend. */
struct suit_map {
	struct suit_cur *c;
	size_t left;
	mst_span last; /* the key before, encoded */
};
#define SUIT_TEXT_KEY INT64_MAX
#define SUIT_OTHER_KEY INT64_MIN
void suit_map_init(struct suit_map *m, struct suit_cur *c);
/* true while pairs are left; *key is SUIT_TEXT_KEY for a text, whose content is then *text, and
 * SUIT_OTHER_KEY for other items, encoded in *text. The caller takes the value. */
bool suit_map_next(struct suit_map *m, int64_t *key, mst_span *text);
/* A key must be an integer: the caller has no others. */
bool suit_map_int(struct suit_map *m, int64_t *key);

/* A head that was checked before, without bounds: of parameters' values. */
static inline unsigned
suit_value_major(const uint8_t *item)
{
	return *item >> 5;
}
uint64_t suit_value_arg(const uint8_t *item);
const uint8_t *suit_value_content(const uint8_t *item); /* behind the head */
/* The content of a string that was checked before. */
mst_span suit_value_string(const uint8_t *item);
int64_t suit_value_int(const uint8_t *item);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What reader, writer and validator share: the initial byte with its argument, and floats. */
#ifndef MUSTER_CORE_CBOR_HEAD_H
#define MUSTER_CORE_CBOR_HEAD_H

#include "muster/cbor.h"

enum mst_cbor_major {
	MAJOR_UINT,
	MAJOR_NINT,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_OTHER,
};

/* Additional information (RFC 8949 3) */
#define INFO_1 24 /* one byte of argument follows; 25, 26, 27: two, four, eight */
#define INFO_8 27
#define INFO_OPEN 31 /* indefinite length, or "break" */

/* Simple values and floats: additional information of MAJOR_OTHER (RFC 8949 3.3) */
#define OTHER_FALSE 20
#define OTHER_TRUE 21
#define OTHER_NULL 22
#define OTHER_UNDEFINED 23
#define OTHER_HALF 25
#define OTHER_SINGLE 26
#define OTHER_DOUBLE 27

struct mst_cbor_head {
	enum mst_cbor_major major;
	unsigned info;
	uint64_t arg; /* 0 when info is INFO_OPEN */
	size_t size; /* of the head itself: 1, 2, 3, 5 or 9 */
};

/*
 * The head at offset at. False when it is reserved, cut short, or announces
 * more bytes or items than the input can still hold.
 */
bool mst_cbor_head_at(mst_span in, size_t at, struct mst_cbor_head *h);

static inline bool
mst_cbor_head_is_break(const struct mst_cbor_head *h)
{
	return h->major == MAJOR_OTHER && h->info == INFO_OPEN;
}

/* The layout of a binary floating-point number (IEEE 754). */
struct mst_float_form {
	unsigned exponent, mantissa; /* bits */
};

#define FLOAT_HALF ((struct mst_float_form){ 5, 10 })
#define FLOAT_SINGLE ((struct mst_float_form){ 8, 23 })

/* The bits of a shorter form as the bits of a double; always exact, payloads of NaN included. */
uint64_t mst_float_widen(uint64_t bits, struct mst_float_form from);

#endif

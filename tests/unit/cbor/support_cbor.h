/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_TEST_SUPPORT_CBOR_H
#define MUSTER_TEST_SUPPORT_CBOR_H

#include "muster/cbor.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* A span over bytes written as a string literal; a NUL inside counts. */
#define BYTES(s) mst_span_of(s, sizeof(s) - 1)

/* mst_cbor_validate() on a heap block of exactly that size. */
mst_err validate_exact(mst_span in);

/*
 * The verdict of the typed calls: take everything in with mst_cbor_uint(),
 * mst_cbor_text() and so on, as mst_cbor_peek() says. It differs from
 * mst_cbor_validate() only in refusing strings of several chunks.
 */
mst_err walk(mst_span in);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages put together by hand, byte by byte, and a toy in the place of a
 * signature: a checksum that covers every byte of the Sig_structure, so that a
 * test of this room needs no key. The structure is built here a second time,
 * apart from the code under test.
 */
#ifndef MUSTER_TEST_SUPPORT_COSE_H
#define MUSTER_TEST_SUPPORT_COSE_H

#include "muster/cose.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes of "d2 84 ..."; blanks are ignored. Ends the program on other words. */
struct mst_buf unhex(const char *hex, uint8_t *room, size_t cap);

/* An exact-size copy on the heap, so that a sanitizer sees one byte too far. */
mst_span heap_copy(mst_span bytes);
void heap_free(mst_span bytes);

struct parts {
	const char *tag; /* hex of what stands before the array; NULL: d2 */
	const char *protected_header; /* hex of the content */
	const char *unprotected_header; /* hex of the map; NULL: a0 */
	const char *payload; /* text; NULL: nil */
	const char *detached; /* text of what was signed when payload is NULL */
	size_t signature_len; /* 0: that of ES256 */
};
/* The message, signed by the toy. Points into room. */
mst_span compose(const struct parts *p, uint8_t *room, size_t cap);

/* Good parts: ES256, an empty unprotected header, "payload". */
struct parts good_parts(void);

/* The toy's verifier for all algorithms; calls counts how often it was asked. */
struct toy {
	unsigned calls;
	unsigned good;
	mst_err answer; /* unless MST_OK, said instead of looking */
};
struct mst_cose_verifier toy_verifier(struct toy *t);
struct mst_cose_signer toy_signer(enum mst_cose_alg alg);

/* Parse and check with a fresh toy that takes everything. Both on exact-size heap copies. */
mst_err verdict(mst_span message, mst_span detached);

#endif

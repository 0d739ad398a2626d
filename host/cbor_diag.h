/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR for people's eyes: diagnostic notation, RFC 8949 section 8. */
#ifndef HOST_CBOR_DIAG_H
#define HOST_CBOR_DIAG_H

#include "host/arena.h"

enum cbor_diag_flags {
	/* COSE_Sign1: its protected header and payload as << >> (RFC 8610 G.3) where they are CBOR.
	 */
	CBOR_DIAG_COSE = 1,
	/* Byte strings that hold one array, map or tag as << >>, at any depth (SUIT). */
	CBOR_DIAG_EMBEDDED = 2,
	/* Nothing is broken into lines. */
	CBOR_DIAG_ONE_LINE = 4,
};

/*
 * One item in diagnostic notation: what fits on a line stands on one, what does
 * not is broken and indented. "_" says indefinite length; of the lengths that
 * could be shorter nothing is said. Control characters of texts are escaped.
 * The answer lies in the arena. MST_E_CBOR* as the reader refuses,
 * MST_E_SPACE beyond 16 MiB, MST_E_NOMEM.
 */
MST_MUST_USE mst_err cbor_diag(struct arena *a, mst_span item, unsigned flags, const char **out);

#endif

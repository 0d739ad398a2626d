/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, RFC 4648 sections 4 and 5, with the tolerance that RFC 8951 asks of EST. */
#ifndef MUSTER_BASE64_H
#define MUSTER_BASE64_H

#include "muster/span.h"

enum mst_base64_flags {
	MST_BASE64_STRICT = 0, /* standard alphabet, padding due, nothing else */
	MST_BASE64_SPACE = 1, /* skip CR, LF, SP, TAB anywhere (RFC 8951 3.1) */
	MST_BASE64_URL = 2, /* standard or url alphabet, padding optional (sheet DM-1) */
	MST_BASE64_URL_ONLY = 4, /* url alphabet, no padding: JWS (RFC 7515 2) */
};

/* Bytes that n bytes take when encoded with padding; without NUL. */
#define MST_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Append the encoding of in, standard alphabet with padding. MST_E_SPACE. */
MST_MUST_USE mst_err mst_base64_encode(mst_span in, struct mst_buf *out);

/* Append the base64url encoding of in without padding (RFC 7515 2). MST_E_SPACE. */
MST_MUST_USE mst_err mst_base64url_encode(mst_span in, struct mst_buf *out);

/*
 * Append the decoded bytes of text. out may not overlap text. Refuses a wrong
 * character, wrong padding, bytes after the padding and non-zero spare bits
 * with MST_E_BASE64; MST_E_SPACE when out is too small. On refusal out->len
 * is unchanged.
 */
MST_MUST_USE mst_err mst_base64_decode(mst_span text, unsigned flags, struct mst_buf *out);

#endif

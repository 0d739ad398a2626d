/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPY, the "join proxy yoke" between a stateless join proxy and a registrar
 * (constrained-join-proxy, 4.5; requirements JP-U2): one UDP datagram is one
 * CBOR array [header: bstr, content: bstr]. The header is the proxy's and
 * opaque to everybody else; the content is what the pledge sent or shall get.
 */
#ifndef MUSTER_JPY_H
#define MUSTER_JPY_H

#include "muster/span.h"

#define MST_JPY_HEADER_MAX 32
/* What mst_jpy_build() adds to header and content, at most; the draft's 38 with a full header. */
#define MST_JPY_OVERHEAD 6

struct mst_jpy {
	mst_span header; /* 0..32 bytes */
	mst_span content; /* may be empty, is never absent */
};

/*
 * One datagram. Definite and indefinite arrays of two elements and more are
 * taken; what follows the second is checked to be CBOR and otherwise ignored.
 * The spans point into the datagram. MST_E_JPY_ELEMENTS fewer than two;
 * MST_E_JPY_HEADER a header longer than 32 bytes; MST_E_CBOR... as in cbor.h,
 * MST_E_CBOR_TRAILING for bytes behind the array.
 */
MST_MUST_USE mst_err mst_jpy_parse(mst_span datagram, struct mst_jpy *out);

/*
 * Appends one datagram, deterministically encoded. Both spans must be present
 * and, like every span into out, must not lie in out's free part.
 * MST_E_JPY_HEADER, MST_E_SPACE; out is then as it was.
 */
MST_MUST_USE mst_err mst_jpy_build(const struct mst_jpy *m, struct mst_buf *out);

#endif

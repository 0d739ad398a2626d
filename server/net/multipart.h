/* SPDX-License-Identifier: Apache-2.0 */
/*
 * application/multipart-core (RFC 8710): a CBOR array of content-formats and
 * byte strings in turn. EST-coaps carries CA certificates and server-made keys
 * in it (RFC 9148 4.8; draft-ietf-anima-constrained-voucher 6.6).
 */
#ifndef SERVER_NET_MULTIPART_H
#define SERVER_NET_MULTIPART_H

#include "muster/cbor.h"

struct multipart {
	long format; /* CoAP content-format, 0 to 65535 */
	mst_span body;
};
/* How many bytes multipart_put takes at most. */
size_t multipart_size(const struct multipart *parts, size_t count);
/* MST_E_SPACE. */
MST_MUST_USE mst_err multipart_put(
    struct mst_buf *out, const struct multipart *parts, size_t count);
/*
 * The parts of in, which they point into; *count holds the room and gets the
 * number. A part may be null (RFC 8710 2): its body is MST_NONE. MST_E_CBOR*,
 * MST_E_CBOR_LIMIT: more parts than room, or a format beyond 65535.
 */
MST_MUST_USE mst_err multipart_read(mst_span in, struct multipart *parts, size_t *count);

#endif

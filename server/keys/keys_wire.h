/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the network side and the key process: four bytes of length
 * (big-endian), then one CBOR map with integer keys in ascending order. A
 * message has exactly the fields of its kind; anything else is malformed and
 * ends the connection, since only a broken or hijacked sender makes such.
 */
#ifndef SERVER_KEYS_WIRE_H
#define SERVER_KEYS_WIRE_H

#include "server/keys/keys.h"

/* Of the CBOR, without the length. A CRL of KEYS_REVOKED_MAX entries fits in both directions. */
#define KEYS_FRAME_MAX (4u << 20)
#define KEYS_FRAME_HEAD 4

/* A whole frame, length included. MST_E_SPACE (also: too many revoked), MST_E_USAGE: a field of the
 * kind is missing. */
MST_MUST_USE mst_err keys_request_encode(
    const struct keys_request *rq, uint64_t id, struct mst_buf *out);
/* Room that a frame of this request needs at most. */
size_t keys_request_room(const struct keys_request *rq);
/*
 * The CBOR of one frame. Spans of *out point into message; strings, claims and
 * revoked lie in the arena. MST_E_CBOR*, MST_E_KEY_REFUSED (fields do not fit
 * the kind), MST_E_NOMEM.
 */
MST_MUST_USE mst_err keys_request_decode(
    mst_span message, struct arena *a, uint64_t *id, struct keys_request *out);

/* answer is left out unless e is MST_OK. */
MST_MUST_USE mst_err keys_answer_encode(
    uint64_t id, mst_err e, mst_span answer, struct mst_buf *out);
/* An error number that err.def lacks reads as MST_E_INTERNAL. *answer points into message. */
MST_MUST_USE mst_err keys_answer_decode(
    mst_span message, uint64_t *id, mst_err *e, mst_span *answer);

/*
 * How long the first frame of bytes is, head included; 0 when that is not
 * known yet. False: empty or over KEYS_FRAME_MAX, the stream is lost.
 */
bool keys_frame_size(mst_span bytes, size_t *size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a CoAP message (RFC 7252 3) and what its options mean to a
 * server: pure, no socket, no memory of their own, so that they can be fuzzed
 * and tested row by row. Spans point into the datagram.
 */
#ifndef SERVER_NET_COAP_MSG_H
#define SERVER_NET_COAP_MSG_H

#include "server/net/net.h"

#define COAP_OPTIONS_MAX 48 /* of one message; the longest of ours has 12 */
#define COAP_TOKEN_MAX 8
#define COAP_PATH_MAX 256
#define COAP_QUERY_MAX 256
#define COAP_ETAG_MAX 8
#define COAP_SZX_MAX 6 /* 1024 bytes; 7 is reserved (RFC 7959 2.2) */

enum coap_type { COAP_CON, COAP_NON, COAP_ACK, COAP_RST };

/* Codes are written as in the RFCs: class*100+detail, so that 404 is 4.04; 0 is Empty. */
enum coap_code {
	COAP_EMPTY = 0,
	COAP_GET = 1,
	COAP_POST = 2,
	COAP_VALID = 203,
	COAP_CHANGED = 204,
	COAP_CONTENT = 205,
	COAP_CONTINUE = 231,
};

enum coap_option {
	COAP_IF_MATCH = 1,
	COAP_URI_HOST = 3,
	COAP_ETAG = 4,
	COAP_IF_NONE_MATCH = 5,
	COAP_URI_PORT = 7,
	COAP_URI_PATH = 11,
	COAP_CONTENT_FORMAT = 12,
	COAP_MAX_AGE = 14,
	COAP_URI_QUERY = 15,
	COAP_ACCEPT = 17,
	COAP_BLOCK2 = 23,
	COAP_BLOCK1 = 27,
	COAP_SIZE2 = 28,
	COAP_PROXY_URI = 35,
	COAP_PROXY_SCHEME = 39,
	COAP_SIZE1 = 60,
};

struct coap_opt {
	unsigned number;
	mst_span value;
};
struct coap_msg {
	enum coap_type type;
	unsigned code; /* 404 */
	unsigned mid;
	mst_span token;
	struct coap_opt options[COAP_OPTIONS_MAX]; /* ascending */
	size_t count;
	mst_span payload;
};
/*
 * MST_E_COAP_MALFORMED: a format error (RFC 7252 3); *header tells whether
 * type, code and mid could be read, so that a CON can be rejected (4.2).
 */
MST_MUST_USE mst_err coap_msg_parse(mst_span datagram, struct coap_msg *out, bool *header);

/* A Block1 or Block2 option, RFC 7959 2.2. */
struct coap_block {
	bool there;
	bool more;
	unsigned szx;
	uint32_t num;
};
static inline size_t
coap_block_size(unsigned szx)
{
	return (size_t)16 << szx;
}

/* What a request says. Numbers are -1 where the option is absent. */
struct coap_request {
	char path[COAP_PATH_MAX]; /* "/.well-known/est/sen"; "" for none */
	char query[COAP_QUERY_MAX]; /* parts joined by "&" */
	long abbrev; /* Uri-Path-Abbrev */
	long content_format, accept;
	struct coap_block block1, block2;
	bool wants_size2;
	long size1;
	mst_span etags[2]; /* MST_NONE: absent */
};
/*
 * MST_E_COAP_OPTION: a critical option that is unknown, out of its length,
 * repeated, or (Uri-Path-Abbrev) beside Uri-Path (RFC 7252 5.4; 4.02).
 * MST_E_COAP_PROXY; MST_E_COAP_MALFORMED: block size 7; MST_E_HTTP_PATH: a
 * path that no resource can have. *why has a few words on refusal.
 */
MST_MUST_USE mst_err coap_request_read(
    const struct coap_msg *m, struct coap_request *out, const char **why);

/* Options in ascending order, then the payload. Latches MST_E_SPACE; a caller's disorder is an
 * assert. */
struct coap_writer {
	struct mst_buf *out;
	unsigned last;
	mst_err err;
};
void coap_put_head(struct coap_writer *w, struct mst_buf *out, enum coap_type type, unsigned code,
    unsigned mid, mst_span token);
void coap_put_option(struct coap_writer *w, unsigned number, mst_span value);
void coap_put_uint(struct coap_writer *w, unsigned number, uint32_t value);
void coap_put_block(struct coap_writer *w, unsigned number, const struct coap_block *b);
void coap_put_payload(struct coap_writer *w, mst_span payload); /* nothing where it is empty */

#endif

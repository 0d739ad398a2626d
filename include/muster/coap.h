/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a CoAP message, RFC 7252 3: what server, agent and discovery
 * share. What options mean, and which may be missing or repeated, is said by
 * whoever reads them. Pure: spans point into the datagram.
 */
#ifndef MUSTER_COAP_H
#define MUSTER_COAP_H

#include "muster/span.h"

#define MST_COAP_TOKEN_MAX 8
#define MST_COAP_SZX_MAX 6 /* blocks of 1024 bytes; 7 is reserved (RFC 7959 2.2) */

enum mst_coap_type { MST_COAP_CON, MST_COAP_NON, MST_COAP_ACK, MST_COAP_RST };

enum mst_coap_option { /* RFC 7252 12.2, RFC 7959 6 */
	MST_COAP_IF_MATCH = 1,
	MST_COAP_URI_HOST = 3,
	MST_COAP_ETAG = 4,
	MST_COAP_IF_NONE_MATCH = 5,
	MST_COAP_URI_PORT = 7,
	MST_COAP_URI_PATH = 11,
	MST_COAP_CONTENT_FORMAT = 12,
	MST_COAP_MAX_AGE = 14,
	MST_COAP_URI_QUERY = 15,
	MST_COAP_ACCEPT = 17,
	MST_COAP_BLOCK2 = 23,
	MST_COAP_BLOCK1 = 27,
	MST_COAP_SIZE2 = 28,
	MST_COAP_PROXY_URI = 35,
	MST_COAP_PROXY_SCHEME = 39,
	MST_COAP_SIZE1 = 60,
};

struct mst_coap {
	enum mst_coap_type type;
	unsigned code; /* as the RFCs write it: class*100 + detail, 404 is 4.04; 0 is Empty */
	uint16_t mid;
	mst_span token;
	mst_span options; /* for mst_coap_options() */
	mst_span payload; /* MST_NONE: none */
};
/*
 * MST_E_COAP_MALFORMED: a format error anywhere, the options' included;
 * *header says whether type, code and mid could be read all the same, so that
 * a CON can be rejected (RFC 7252 4.2). Another version is one without header.
 */
MST_MUST_USE mst_err mst_coap_parse(mst_span datagram, struct mst_coap *out, bool *header);

/* The options of a message that was parsed, ascending. */
struct mst_coap_reader {
	mst_span in;
	size_t at;
	unsigned number;
};
void mst_coap_options(const struct mst_coap *m, struct mst_coap_reader *r);
/* False behind the last. */
bool mst_coap_next(struct mst_coap_reader *r, unsigned *number, mst_span *value);

/* RFC 7252 3.2, leading zero bytes taken; of a value longer than 4 bytes the last 4. */
uint32_t mst_coap_uint(mst_span value);

/* A Block1 or Block2 option, RFC 7959 2.2. */
struct mst_coap_block {
	bool there; /* for whoever keeps one: the option was present */
	bool more;
	unsigned szx;
	uint32_t num;
};
static inline size_t
mst_coap_block_size(unsigned szx)
{
	return (size_t)16 << szx;
}
/* szx as it stands, 7 too; there is set. value: at most 3 bytes. */
struct mst_coap_block mst_coap_block_read(mst_span value);

/* Options in ascending order, then the payload. Latches MST_E_SPACE; a caller's disorder is an
 * assert. */
struct mst_coap_writer {
	struct mst_buf *out;
	unsigned last;
	mst_err err;
};
void mst_coap_put_head(struct mst_coap_writer *w, struct mst_buf *out, enum mst_coap_type type,
    unsigned code, unsigned mid, mst_span token);
void mst_coap_put_option(struct mst_coap_writer *w, unsigned number, mst_span value);
void mst_coap_put_uint(struct mst_coap_writer *w, unsigned number, uint32_t value);
void mst_coap_put_block(struct mst_coap_writer *w, unsigned number, const struct mst_coap_block *b);
/* Nothing where it is empty. */
void mst_coap_put_payload(struct mst_coap_writer *w, mst_span payload);

#endif

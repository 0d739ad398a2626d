/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says and is told in CoAP messages (muster/coap.h), pure:
 * requests to bytes, datagrams to responses. Spans point into the datagram.
 */
#ifndef AGENT_COAP_CODEC_H
#define AGENT_COAP_CODEC_H

#include "muster/coap.h"

#define COAP_TOKEN_LEN 2 /* of ours; DTLS is what keeps strangers out (RFC 7252 5.3.1) */
#define COAP_METHOD_GET 1
#define COAP_METHOD_POST 2
#define COAP_CODE_CONTINUE 231 /* codes as the RFCs write them: 404 is 4.04 */
#define COAP_CODE_INCOMPLETE 408
#define COAP_CODE_TOO_LARGE 413

struct coap_ask {
	uint16_t mid;
	uint8_t token[COAP_TOKEN_LEN];
	unsigned method;
	const char *path; /* ".well-known/brski/rv", at most 64 bytes */
	int content_format, accept; /* -1: none */
	struct mst_coap_block block1, block2;
	mst_span payload;
};
/* Replaces the content of out. MST_E_SPACE, MST_E_USAGE. */
MST_MUST_USE mst_err coap_ask_build(const struct coap_ask *q, struct mst_buf *out);

struct coap_told {
	enum mst_coap_type kind;
	unsigned code; /* 0: empty; 1 to 31: a request */
	uint16_t mid;
	mst_span token;
	int content_format; /* -1: none */
	int64_t max_age; /* -1: none */
	mst_span etag; /* MST_NONE: none */
	struct mst_coap_block block1, block2;
	mst_span payload; /* empty where there is none */
	bool refused; /* a critical option that is not understood (RFC 7252 5.4.1) */
};
/* MST_E_HTTP_MALFORMED: not a message of RFC 7252 3. */
MST_MUST_USE mst_err coap_told_parse(mst_span datagram, struct coap_told *out);

/* An empty message: acknowledgement or reset. */
MST_MUST_USE mst_err coap_empty_build(enum mst_coap_type kind, uint16_t mid, struct mst_buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the options of a CoAP message (muster/coap.h) mean to a server: pure,
 * no socket, no memory of its own, so that it can be fuzzed and tested row by
 * row. Spans point into the datagram.
 */
#ifndef SERVER_NET_COAP_MSG_H
#define SERVER_NET_COAP_MSG_H

#include "muster/coap.h"
#include "server/net/net.h"

#define COAP_OPTIONS_MAX 48 /* of one message; the longest of ours has 12 */
#define COAP_PATH_MAX 256
#define COAP_QUERY_MAX 256
#define COAP_ETAG_MAX 8

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

struct coap_opt {
	unsigned number;
	mst_span value;
};
struct coap_msg {
	enum mst_coap_type type;
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

/* What a request says. Numbers are -1 where the option is absent. */
struct coap_request {
	char path[COAP_PATH_MAX]; /* "/.well-known/est/sen"; "" for none */
	char query[COAP_QUERY_MAX]; /* parts joined by "&" */
	long abbrev; /* Uri-Path-Abbrev */
	long content_format, accept;
	struct mst_coap_block block1, block2;
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

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an HTTP/1.1 request, strictly (RFC 9112): one pure reader with
 * no socket in it, so that it can be fuzzed and tested row by row. What two
 * parsers could read differently is refused, not repaired: bare LF, obs-fold,
 * a second Content-Length, Content-Length beside Transfer-Encoding.
 */
#ifndef SERVER_NET_HEAD_H
#define SERVER_NET_HEAD_H

#include "server/net/net.h"

#define HEAD_LINE_MAX 4096 /* request line, est.md H9 */
#define HEAD_PATH_MAX 1024 /* decoded path, net.h */
#define HEAD_FIELDS_MAX 100 /* header fields */
#define HEAD_ACCEPT_MAX 4 /* Accept fields */
#define CHUNK_LINE_MAX 256 /* chunk size with its extensions */
#define CHUNK_TRAILER_MAX 4096

/* How far the end of the head was looked for; zero at the start of a request. */
struct head_scan {
	size_t at; /* bytes looked at */
	size_t line; /* where the present line began */
	unsigned lines; /* complete lines, the request line included */
};
/*
 * Looks for the end of the head in the first bytes of a connection's input.
 * MST_OK with *end == 0: more bytes are needed. MST_OK with *end > 0: the head
 * with its empty line is input[0, *end). MST_E_HTTP_MALFORMED (bare CR or LF,
 * a control character) or MST_E_HTTP_HEADER_LIMIT as early as it can be told.
 */
MST_MUST_USE mst_err head_scan(struct head_scan *s, mst_span input, size_t limit, size_t *end);

/* A request head. Spans point into the bytes that were parsed. */
struct head {
	enum net_method method;
	mst_span method_word;
	mst_span path; /* still percent-encoded, begins with "/" */
	mst_span query; /* without "?" */
	bool http10;
	bool close; /* Connection: close, or HTTP/1.0 */
	bool chunked;
	bool expect; /* 100-continue */
	bool has_length;
	size_t length; /* Content-Length; SIZE_MAX for one that does not fit */
	mst_span content_type, user_agent, authorization, trace; /* MST_NONE: absent */
	mst_span accept[HEAD_ACCEPT_MAX]; /* a list field may come in parts */
	size_t accepts;
};
/*
 * head: with its empty line, as head_scan found it. MST_E_HTTP_MALFORMED,
 * MST_E_HTTP_HEADER_LIMIT, MST_E_UNSUPPORTED (a transfer coding other than
 * chunked). *why gets a few words for the log and the answer; never NULL on
 * refusal.
 */
MST_MUST_USE mst_err head_parse(mst_span bytes, struct head *out, const char **why);

/* Percent-decoding of a path: no NUL, control character, or hidden "/" (RFC 3986 2.1). */
MST_MUST_USE mst_err head_path_decode(mst_span path, struct mst_buf *out);

/* The chunked coding, RFC 9112 7.1; zero at the start of a body. */
struct chunked {
	enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_DONE } state;
	size_t left; /* of the present chunk */
	size_t trailer; /* bytes of trailers so far */
	size_t total; /* data bytes so far */
};
/*
 * One step: how many bytes of input to take and whether they are data. *taken
 * == 0 means that more input is needed (or state is CHUNK_DONE). Size lines
 * longer than CHUNK_LINE_MAX, trailers longer than CHUNK_TRAILER_MAX and bad
 * syntax: MST_E_HTTP_MALFORMED; more data than limit: MST_E_HTTP_BODY_LIMIT.
 */
MST_MUST_USE mst_err chunked_step(
    struct chunked *c, mst_span input, size_t limit, size_t *taken, mst_span *data);

#endif

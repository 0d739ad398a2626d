/* SPDX-License-Identifier: Apache-2.0 */
/* The request reader, row by row; a refusal row differs from a good head in one thing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/head.h"

#define LIMIT 16384
#define HOST "Host: registrar.example\r\n"

/* An exact-size heap copy: the sanitizer sees a byte read too far. */
static mst_span
exact(const void *bytes, size_t len)
{
	uint8_t *p = malloc(len > 0 ? len : 1);

	assert_non_null(p);
	if (len > 0)
		memcpy(p, bytes, len);
	return mst_span_of(p, len);
}

static mst_err
read_head(const void *bytes, size_t len, size_t limit, struct head *h)
{
	struct head_scan s = { 0 };
	mst_span in = exact(bytes, len);
	const char *why = NULL;
	size_t end;
	mst_err e = head_scan(&s, in, limit, &end);

	if (e == MST_OK && end == 0)
		e = MST_E_HTTP_TIMEOUT; /* stands for: more is needed */
	else if (e == MST_OK)
		e = head_parse(mst_span_of(in.ptr, end), h, &why);
	free((void *)in.ptr);
	return e;
}

struct row {
	const char *name;
	const char *text;
	size_t len; /* 0: strlen */
	mst_err e;
};

#define ROW(name, text, e)                                                                         \
	{                                                                                          \
		name, text, sizeof(text) - 1, e                                                    \
	}
#define BAD MST_E_HTTP_MALFORMED
#define MORE MST_E_HTTP_TIMEOUT

static const struct row rows[] = {
	ROW("RFC 9112 3: GET is taken", "GET /x HTTP/1.1\r\n" HOST "\r\n", MST_OK),
	ROW("RFC 9112 3: POST is taken", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n",
	    MST_OK),
	ROW("RFC 9112 3: HEAD is taken", "HEAD /x HTTP/1.1\r\n" HOST "\r\n", MST_OK),
	ROW("RFC 9110 9.1: an unknown method is a method", "BREW /x HTTP/1.1\r\n" HOST "\r\n",
	    MST_OK),
	ROW("RFC 9110 9.1: method with a character that no token has",
	    "G(T /x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3: no method", " /x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3: two spaces", "GET  /x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3: space at the end", "GET /x HTTP/1.1 \r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3: tab for space", "GET\t/x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3: no version (HTTP/0.9)", "GET /x\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 2.3: HTTP/2.0", "GET /x HTTP/2.0\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 2.3: HTTP/1.2", "GET /x HTTP/1.2\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 2.3: lower case version", "GET /x http/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 2.3: HTTP/1.0 is taken without Host", "GET /x HTTP/1.0\r\n\r\n", MST_OK),
	ROW("RFC 9112 3.2.2: absolute form",
	    "GET https://a.example:8443/x HTTP/1.1\r\n" HOST "\r\n", MST_OK),
	ROW("RFC 9112 3.2.2: absolute form without path",
	    "GET https://a.example HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2.2: absolute form with empty host",
	    "GET https:///x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9110 4.2.4: absolute form with user",
	    "GET https://u@a.example/x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2.2: absolute form of another scheme",
	    "GET ftp://a.example/x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2.3: authority form", "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n",
	    BAD),
	ROW("RFC 9112 3.2.4: asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2: relative target", "GET x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2: fragment in target", "GET /x#y HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2: raw UTF-8 in target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 3.2: Host missing", "GET /x HTTP/1.1\r\nAccept: a/b\r\n\r\n", BAD),
	ROW("RFC 9112 3.2: Host twice", "GET /x HTTP/1.1\r\n" HOST HOST "\r\n", BAD),
	ROW("RFC 9112 3.2: Host empty", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", BAD),
	ROW("RFC 9112 3.2: Host with a slash", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD),
	ROW("RFC 9112 3.2: Host with a space", "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", BAD),
	ROW("RFC 9112 3.2: IPv6 Host", "GET /x HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n",
	    MST_OK),
	ROW("RFC 9112 2.2: bare LF ends the request line", "GET /x HTTP/1.1\n" HOST "\r\n", BAD),
	ROW("RFC 9112 2.2: bare LF ends a header", "GET /x HTTP/1.1\r\nHost: a\n\r\n", BAD),
	ROW("RFC 9112 2.2: bare LF ends the head", "GET /x HTTP/1.1\r\n" HOST "\n", BAD),
	ROW("RFC 9112 2.2: bare CR", "GET /x HTTP/1.1\r\nHost: a\rb\r\n\r\n", BAD),
	ROW("RFC 9110 5.5: NUL in a value", "GET /x HTTP/1.1\r\n" HOST "A: \0\r\n\r\n", BAD),
	ROW("RFC 9110 5.5: NUL in the target", "GET /x\0y HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9110 5.5: DEL in a value", "GET /x HTTP/1.1\r\n" HOST "A: \x7f\r\n\r\n", BAD),
	ROW("RFC 9110 5.5: escape in a value", "GET /x HTTP/1.1\r\n" HOST "A: \x1b[0m\r\n\r\n",
	    BAD),
	ROW("RFC 9110 5.5: obs-text in a value is taken",
	    "GET /x HTTP/1.1\r\n" HOST "A: \xe9\r\n\r\n", MST_OK),
	ROW("RFC 9112 5.2: obs-fold with space", "GET /x HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n",
	    BAD),
	ROW("RFC 9112 5.2: obs-fold with tab", "GET /x HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n",
	    BAD),
	ROW("RFC 9112 2.2: space before the first field", "GET /x HTTP/1.1\r\n Host: a\r\n\r\n",
	    BAD),
	ROW("RFC 9112 5.1: space before the colon", "GET /x HTTP/1.1\r\nHost : a\r\n\r\n", BAD),
	ROW("RFC 9112 5: no colon", "GET /x HTTP/1.1\r\n" HOST "Accept\r\n\r\n", BAD),
	ROW("RFC 9112 5: no name", "GET /x HTTP/1.1\r\n" HOST ": b\r\n\r\n", BAD),
	ROW("RFC 9112 5: name with a bracket", "GET /x HTTP/1.1\r\n" HOST "A[0]: b\r\n\r\n", BAD),
	ROW("RFC 9112 6.3: Content-Length twice, equal",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 4\r\n\r\n", BAD),
	ROW("RFC 9112 6.3: Content-Length twice, other",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\ncontent-length: 5\r\n\r\n", BAD),
	ROW("RFC 9112 6.3: Content-Length is a list",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4, 4\r\n\r\n", BAD),
	ROW("RFC 9110 8.6: Content-Length negative",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: -4\r\n\r\n", BAD),
	ROW("RFC 9110 8.6: Content-Length with plus",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: +4\r\n\r\n", BAD),
	ROW("RFC 9110 8.6: Content-Length in hex",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 0x4\r\n\r\n", BAD),
	ROW("RFC 9110 8.6: Content-Length empty",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", BAD),
	ROW("RFC 9110 8.6: Content-Length beyond size_t is read",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n",
	    MST_OK),
	ROW("RFC 9112 6.1: Content-Length and Transfer-Encoding",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
	    BAD),
	ROW("RFC 9112 6.1: Transfer-Encoding and Content-Length",
	    "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
	    BAD),
	ROW("est.md H1: chunked", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
	    MST_OK),
	ROW("RFC 9112 7: chunked in capitals",
	    "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", MST_OK),
	ROW("RFC 9112 6.1: Transfer-Encoding twice",
	    "POST /x HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	    BAD),
	ROW("RFC 9112 6.1: gzip coding",
	    "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
	    MST_E_UNSUPPORTED),
	ROW("RFC 9112 6.1: identity coding",
	    "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", MST_E_UNSUPPORTED),
	ROW("RFC 9112 6.1: vertical tab hides the coding",
	    "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
	    "chunked\r\n\r\n",
	    BAD),
	ROW("RFC 9112 6.1: chunked in HTTP/1.0",
	    "POST /x HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", BAD),
	ROW("RFC 9110 8.3: Content-Type twice",
	    "POST /x HTTP/1.1\r\n" HOST "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n", BAD),
	ROW("RFC 9110 11.6.2: Authorization twice",
	    "POST /x HTTP/1.1\r\n" HOST
	    "Authorization: Basic eA==\r\nAuthorization: Basic eA==\r\n\r\n",
	    BAD),
	ROW("RFC 9110 10.1.1: another expectation",
	    "POST /x HTTP/1.1\r\n" HOST "Expect: magic\r\n\r\n", BAD),
	ROW("RFC 9110 12.5.1: Accept in four parts",
	    "GET /x HTTP/1.1\r\n" HOST
	    "Accept: a/b\r\nAccept: c/d\r\nAccept: e/f\r\nAccept: g/h\r\n\r\n",
	    MST_OK),
	ROW("RFC 9112 5: Accept in five parts",
	    "GET /x HTTP/1.1\r\n" HOST
	    "Accept: a/b\r\nAccept: c/d\r\nAccept: e/f\r\nAccept: g/h\r\nAccept: i/j\r\n\r\n",
	    MST_E_HTTP_HEADER_LIMIT),
	ROW("RFC 9112 2.2: a head that begins with an empty line",
	    "\r\nGET /x HTTP/1.1\r\n" HOST "\r\n", BAD),
	ROW("RFC 9112 2.2: a TLS record", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", BAD),
	ROW("RFC 9112 2.2: no empty line yet", "GET /x HTTP/1.1\r\n" HOST, MORE),
	ROW("RFC 9112 2.2: nothing yet", "", MORE),
};

static void
head_row(void **state)
{
	const struct row *r = *state;
	struct head h;

	assert_int_equal(read_head(r->text, r->len, LIMIT, &h), r->e);
}

/* Every strict prefix of a good head asks for more, whatever the size of the pieces. */
static void
prefixes_ask_for_more(void **state)
{
	static const char text[] = "POST /.well-known/est/simpleenroll HTTP/1.1\r\n" HOST
	                           "Content-Type: application/pkcs10\r\nContent-Length: 4\r\n\r\n";
	struct head_scan s = { 0 };
	struct head h;
	size_t end;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++)
		assert_int_equal(read_head(text, n, LIMIT, &h), MORE);
	for (size_t n = 1; n < sizeof text; n++) { /* one byte more each time, one scan */
		mst_span in = exact(text, n);

		assert_int_equal(head_scan(&s, in, LIMIT, &end), MST_OK);
		assert_int_equal(end, n == sizeof text - 1 ? n : 0);
		free((void *)in.ptr);
	}
}

static void
fields_are_read(void **state)
{
	static const char text[] = "POST /a%20b?c=d&e HTTP/1.1\r\nHOST: x\r\n"
	                           "content-TYPE:\t application/pkcs10 \t\r\n"
	                           "Content-Length: 0017\r\nAccept: a/b\r\nAccept: c/d\r\n"
	                           "User-Agent: libest\r\nAuthorization: Basic eDp5\r\n"
	                           "X-Muster-Trace: 0123456789abcdef\r\nExpect: 100-Continue\r\n"
	                           "Connection: foo, Close\r\n\r\n";
	struct head_scan s = { 0 };
	struct head h;
	const char *why;
	size_t end;

	(void)state;
	assert_int_equal(head_scan(&s, mst_span_str(text), LIMIT, &end), MST_OK);
	assert_int_equal(end, sizeof text - 1);
	assert_int_equal(head_parse(mst_span_str(text), &h, &why), MST_OK);
	assert_int_equal(h.method, NET_POST);
	assert_true(mst_span_eq(h.path, MST_LIT("/a%20b")));
	assert_true(mst_span_eq(h.query, MST_LIT("c=d&e")));
	assert_true(mst_span_eq(h.content_type, MST_LIT("application/pkcs10")));
	assert_true(h.has_length && h.length == 17);
	assert_int_equal(h.accepts, 2);
	assert_true(mst_span_eq(h.accept[1], MST_LIT("c/d")));
	assert_true(mst_span_eq(h.user_agent, MST_LIT("libest")));
	assert_true(mst_span_eq(h.authorization, MST_LIT("Basic eDp5")));
	assert_true(mst_span_eq(h.trace, MST_LIT("0123456789abcdef")));
	assert_true(h.expect && h.close && !h.chunked && !h.http10);
}

static void
limits_hold(void **state)
{
	static char big[LIMIT + 64];
	size_t n;
	struct head h;

	(void)state;
	/* H9: a request line of 4 KiB is too long, wherever its end is */
	memset(big, 'a', sizeof big);
	memcpy(big, "GET /", 5);
	assert_int_equal(read_head(big, HEAD_LINE_MAX, LIMIT, &h), MORE);
	assert_int_equal(read_head(big, HEAD_LINE_MAX + 1, LIMIT, &h), MST_E_HTTP_HEADER_LIMIT);
	/* H9: headers of 16 KiB */
	n = (size_t)snprintf(big, sizeof big, "GET /x HTTP/1.1\r\n" HOST "A: ");
	memset(big + n, 'a', sizeof big - n);
	assert_int_equal(read_head(big, LIMIT, LIMIT, &h), MORE);
	assert_int_equal(read_head(big, LIMIT + 1, LIMIT, &h), MST_E_HTTP_HEADER_LIMIT);
	/* a hundred fields */
	n = (size_t)snprintf(big, sizeof big, "GET /x HTTP/1.1\r\n" HOST);
	for (int i = 0; i < HEAD_FIELDS_MAX - 1; i++)
		n += (size_t)snprintf(big + n, sizeof big - n, "A: b\r\n");
	memcpy(big + n, "\r\n", 2);
	assert_int_equal(read_head(big, n + 2, LIMIT, &h), MST_OK);
	memcpy(big + n, "A: b\r\n\r\n", 8);
	assert_int_equal(read_head(big, n + 8, LIMIT, &h), MST_E_HTTP_HEADER_LIMIT);
}

static const struct {
	const char *in, *out; /* out NULL: refused */
} paths[] = {
	{ "/x", "/x" },
	{ "/.well-known/est/a%62c", "/.well-known/est/abc" },
	{ "/%41%5a%7E", "/AZ~" },
	{ "/a%2fb", NULL },
	{ "/a%00", NULL },
	{ "/a%0d%0a", NULL },
	{ "/a%7f", NULL },
	{ "/a%", NULL },
	{ "/a%4", NULL },
	{ "/a%4g", NULL },
	{ "/a%252f", "/a%2f" },
};

static void
paths_are_decoded_once(void **state)
{
	uint8_t out[HEAD_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct mst_buf b = MST_BUF(out);
		mst_span in = exact(paths[i].in, strlen(paths[i].in));
		mst_err e = head_path_decode(in, &b);

		free((void *)in.ptr);
		assert_int_equal(e, paths[i].out != NULL ? MST_OK : MST_E_HTTP_MALFORMED);
		if (e == MST_OK)
			assert_true(mst_span_eq(mst_buf_span(&b), mst_span_str(paths[i].out)));
	}
}

static void
long_path_is_refused(void **state)
{
	static uint8_t out[HEAD_PATH_MAX], in[HEAD_PATH_MAX + 1];
	struct mst_buf b = MST_BUF(out);

	(void)state;
	memset(in, 'a', sizeof in);
	assert_int_equal(head_path_decode(mst_span_of(in, HEAD_PATH_MAX), &b), MST_OK);
	b.len = 0;
	assert_int_equal(head_path_decode(mst_span_of(in, sizeof in), &b), MST_E_HTTP_HEADER_LIMIT);
}

/* --- chunked --- */

static mst_err
decode(const char *text, size_t len, size_t piece, size_t limit, char out[64], bool *done)
{
	struct chunked c = { 0 };
	size_t at = 0, seen = 0, taken, n = 0;
	mst_span data;
	mst_err e;

	out[0] = '\0';
	*done = false;
	while (c.state != CHUNK_DONE) {
		mst_span in = exact(text + at, seen - at);

		e = chunked_step(&c, in, limit, &taken, &data);
		if (e == MST_OK && data.len > 0 && n + data.len < 64) {
			memcpy(out + n, data.ptr, data.len);
			n += data.len;
			out[n] = '\0';
		}
		free((void *)in.ptr);
		if (e != MST_OK)
			return e;
		at += taken;
		if (taken > 0)
			continue;
		if (seen == len)
			return MST_OK;
		seen = seen + piece < len ? seen + piece : len;
	}
	*done = true;
	return MST_OK;
}

static const struct {
	const char *name, *text, *out; /* out NULL: not complete */
	mst_err e;
} chunks[] = {
	{ "RFC 9112 7.1: two chunks", "4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n", "Wikipedia", MST_OK },
	{ "RFC 9112 7.1: empty body", "0\r\n\r\n", "", MST_OK },
	{ "RFC 9112 7.1: zeros before the size", "004\r\nWiki\r\n000\r\n\r\n", "Wiki", MST_OK },
	{ "RFC 9112 7.1: hex in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
	    "01234567890123456789", MST_OK },
	{ "RFC 9112 7.1.1: extensions are ignored", "4;a=b;c=\"d\"\r\nWiki\r\n0;x\r\n\r\n", "Wiki",
	    MST_OK },
	{ "RFC 9112 7.1.2: trailers are dropped", "4\r\nWiki\r\n0\r\nHost: evil\r\nA: b\r\n\r\n",
	    "Wiki", MST_OK },
	{ "RFC 9112 7.1: cut inside data", "4\r\nWi", NULL, MST_OK },
	{ "RFC 9112 7.1: cut before the last line", "4\r\nWiki\r\n0\r\n", NULL, MST_OK },
	{ "RFC 9112 7.1: no size", "\r\nWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: size with 0x", "0x4\r\nWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: negative size", "-4\r\nWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: space before the size", " 4\r\nWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: junk after the size", "4 x\r\nWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: bare LF after the size", "4\nWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: bare CR in the size line", "4\rWiki\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: more data than the size", "4\r\nWikip\r\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1: bare LF after data", "4\r\nWiki\n0\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1.2: trailer without a colon", "0\r\nHost\r\n\r\n", NULL, BAD },
	{ "RFC 9112 7.1.2: folded trailer", "0\r\nA: b\r\n c\r\n\r\n", NULL, BAD },
	{ "muster H9: size beyond the limit", "41\r\n", NULL, MST_E_HTTP_BODY_LIMIT },
	{ "muster H9: sum beyond the limit",
	    "3c\r\n"
	    "0123456789012345678901234567890123456789"
	    "01234567890123456789\r\n5\r\n",
	    NULL, MST_E_HTTP_BODY_LIMIT },
	{ "muster H9: size that wraps", "100000000\r\n", NULL, MST_E_HTTP_BODY_LIMIT },
	{ "muster H9: size that wraps 64 bits", "fffffffffffffffff\r\n", NULL,
	    MST_E_HTTP_BODY_LIMIT },
};

static void
chunk_row(void **state)
{
	size_t i = *(const size_t *)*state;
	char out[64];
	bool done;

	for (size_t piece = 1; piece < 64; piece += 5) {
		assert_int_equal(
		    decode(chunks[i].text, strlen(chunks[i].text), piece, 64, out, &done),
		    chunks[i].e);
		assert_int_equal(done, chunks[i].out != NULL);
		if (done)
			assert_string_equal(out, chunks[i].out);
	}
}

static void
chunk_lines_are_bounded(void **state)
{
	char text[CHUNK_TRAILER_MAX + 64];
	char out[64];
	size_t n;
	bool done;

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "4;", 2);
	assert_int_equal(decode(text, CHUNK_LINE_MAX + 1, 64, 64, out, &done), BAD);
	n = (size_t)snprintf(text, sizeof text, "0\r\n");
	while (n < CHUNK_TRAILER_MAX + 32)
		n += (size_t)snprintf(text + n, sizeof text - n, "A: bcdefghij\r\n");
	assert_int_equal(decode(text, n, 64, 64, out, &done), BAD);
}

#define ROWS (sizeof rows / sizeof rows[0])
#define CHUNKS (sizeof chunks / sizeof chunks[0])

int
main(void)
{
	static const struct CMUnitTest more[] = {
		cmocka_unit_test(prefixes_ask_for_more),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(paths_are_decoded_once),
		cmocka_unit_test(long_path_is_refused),
		cmocka_unit_test(chunk_lines_are_bounded),
	};
	static struct CMUnitTest tests[ROWS + CHUNKS + 6];
	static size_t index[CHUNKS];
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		tests[n++] =
		    (struct CMUnitTest){ rows[i].name, head_row, NULL, NULL, (void *)&rows[i] };
	for (size_t i = 0; i < CHUNKS; i++) {
		index[i] = i;
		tests[n++] =
		    (struct CMUnitTest){ chunks[i].name, chunk_row, NULL, NULL, &index[i] };
	}
	memcpy(tests + n, more, sizeof more);
	return cmocka_run_group_tests_name("net/head", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of an image over HTTPS and CoAPS, and every way in which a server can be wrong about them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "agent/update_fetch.h"
#include "unit/agent/support_coap.h"

#define YEAR (365L * 86400)
#define BYTES 300000 /* three parts */
#define ROUND 65536 /* of a caller's block */

enum trick {
	PLAIN,
	WHOLE, /* 200, whatever was asked */
	OTHER_TAG,
	NO_TAG,
	EARLIER, /* a Content-Range that begins before what was asked for */
	LONGER, /* a Content-Range that is longer than its body */
	NO_RANGE, /* 206 without Content-Range */
	NO_TOTAL, /* bytes 0-9/a star */
	WORDS, /* behind a Content-Range */
	UNITS, /* items 0-9/10 */
	BACKWARDS, /* bytes 9-0/10 */
	EMPTY, /* 206 of no byte */
	TOO_MUCH, /* more than was asked for */
	STATUS, /* .status */
	HANGS_UP,
	ENDS_EARLY, /* closes within the body */
};

static struct {
	enum trick trick;
	int from, until; /* requests that see it; counted from 0 */
	int status;
	int listener, port;
	pthread_t thread;
	atomic_int requests;
	SSL_CTX *ctx;
	char seen[16][1024];
} web;

static uint8_t image[BYTES], got[BYTES + ROUND];
static struct pki ca, stranger, server, nameless, device;
static struct anchors *anchors, *other;
static struct coap_toy toy;

/* ---- certificates ---- */

static struct anchors *
anchors_of(X509 *cert)
{
	STACK_OF(X509) *s = sk_X509_new_null();
	struct anchors *t = NULL;

	MUST(sk_X509_push(s, cert) > 0 && anchors_from_stack(s, &t) == MST_OK);
	sk_X509_free(s);
	return t;
}

static void
add_name(struct pki *p)
{
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");

	MUST(x != NULL && X509_add_ext(p->cert, x, -1) == 1);
	X509_EXTENSION_free(x);
	MUST(X509_sign(p->cert, ca.key, EVP_sha256()) > 0);
}

/* ---- the web server ---- */

static int
say(SSL *ssl, int status, const char *headers, const uint8_t *body, size_t len, size_t sent)
{
	char head[512];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n%s\r\n",
	    status, len, headers);

	if (SSL_write(ssl, head, n) != n ||
	    (sent > 0 && SSL_write(ssl, body, (int)sent) != (int)sent))
		return -1;
	return sent == len ? 0 : -1;
}

static int
answer(SSL *ssl, const char *request, enum trick trick)
{
	unsigned long first = 0, last = BYTES - 1;
	const char *range = strstr(request, "Range: bytes=");
	const char *tag = trick == NO_TAG      ? ""
	                  : trick == OTHER_TAG ? "ETag: \"2\"\r\n"
	                                       : "ETag: \"1\"\r\n";
	char h[256];

	if (range != NULL && sscanf(range, "Range: bytes=%lu-%lu", &first, &last) == 2 &&
	    last >= BYTES)
		last = BYTES - 1;
	if (trick == HANGS_UP)
		return -1;
	if (trick == STATUS)
		return say(ssl, web.status, "", image, 0, 0);
	if (trick == WHOLE)
		return say(ssl, 200, tag, image, 100000, 100000);
	if (first >= BYTES)
		return say(ssl, 416, "", image, 0, 0);
	snprintf(h, sizeof h, "%sContent-Range: bytes %lu-%lu/%d\r\n", tag, first, last, BYTES);
	if (trick == EARLIER)
		snprintf(
		    h, sizeof h, "Content-Range: bytes %lu-%lu/%d\r\n", first - 1, last - 1, BYTES);
	if (trick == LONGER)
		snprintf(h, sizeof h, "Content-Range: bytes %lu-%lu/%d\r\n", first, last, BYTES),
		    last--;
	if (trick == NO_RANGE)
		snprintf(h, sizeof h, "%s", tag);
	if (trick == NO_TOTAL)
		snprintf(h, sizeof h, "Content-Range: bytes %lu-%lu/*\r\n", first, last);
	if (trick == WORDS)
		snprintf(h, sizeof h, "Content-Range: bytes %lu-%lu/%d x\r\n", first, last, BYTES);
	if (trick == UNITS)
		snprintf(h, sizeof h, "Content-Range: items %lu-%lu/%d\r\n", first, last, BYTES);
	if (trick == BACKWARDS)
		snprintf(h, sizeof h, "Content-Range: bytes %lu-%lu/%d\r\n", last, first, BYTES);
	if (trick == EMPTY)
		return say(ssl, 206, h, image, 0, 0);
	if (trick == TOO_MUCH) {
		snprintf(
		    h, sizeof h, "Content-Range: bytes %lu-%d/%d\r\n", first, BYTES - 1, BYTES);
		last = BYTES - 1;
	}
	return say(ssl, 206, h, image + first, last - first + 1,
	    trick == ENDS_EARLY ? 1000 : last - first + 1);
}

static void
serve(SSL *ssl)
{
	char text[4096];

	for (;;) {
		size_t len = 0;
		int i;

		do {
			int n = SSL_read(ssl, text + len, (int)(sizeof text - 1 - len));

			if (n <= 0)
				return;
			text[len += (size_t)n] = '\0';
		} while (strstr(text, "\r\n\r\n") == NULL);
		i = web.requests++;
		snprintf(web.seen[i % 16], sizeof web.seen[0], "%s", text);
		if (answer(ssl, text, i >= web.from && i < web.until ? web.trick : PLAIN) != 0)
			return;
	}
}

static void *
accept_loop(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(web.listener, NULL, NULL);
		struct timeval tv = { 20, 0 };
		SSL *ssl;

		if (fd < 0)
			return NULL;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		ssl = SSL_new(web.ctx);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			serve(ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static void
start_as(const struct pki *who, enum trick trick, int from, int until)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;

	web.trick = trick;
	web.from = from;
	web.until = until;
	web.requests = 0;
	web.ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(web.ctx, who->cert);
	SSL_CTX_use_PrivateKey(web.ctx, who->key);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	web.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(web.listener, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(web.listener, 8), 0);
	assert_int_equal(getsockname(web.listener, (struct sockaddr *)&in, &len), 0);
	web.port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&web.thread, NULL, accept_loop, NULL), 0);
}

static void
start(enum trick trick, int from, int until)
{
	start_as(&server, trick, from, until);
}

static void
stop(void)
{
	shutdown(web.listener, SHUT_RDWR);
	pthread_join(web.thread, NULL);
	close(web.listener);
	SSL_CTX_free(web.ctx);
}

/* ---- the client ---- */

static struct update_client
client(void)
{
	return (struct update_client){ .anchors = anchors,
		.cert = device.cert,
		.key = device.key,
		.clock = { MST_CLOCK_TRUSTED, time(NULL) },
		.coap_block = 256,
		.coap_fragment = 1024,
		.pause_ms = 1 };
}

/* All that comes from offset on, and how it ended. */
static mst_err
fetch(const struct update_client *who, const char *uri, uint64_t offset, size_t *len)
{
	struct update_source *s = NULL;
	uint64_t at = offset;
	mst_err e = update_source_open(who, NULL, mst_span_str(uri), &at, &s);
	size_t before;

	*len = 0;
	assert_true(e != MST_OK || at == offset);
	do {
		struct mst_buf b = { got + *len,
			sizeof got - *len < ROUND ? sizeof got - *len : ROUND, 0 };

		before = *len;
		if (e == MST_OK)
			e = update_source_read(s, &b);
		*len += b.len;
	} while (e == MST_OK && *len > before);
	update_source_close(s);
	return e;
}

static mst_err
fetch_web(uint64_t offset, size_t *len)
{
	const struct update_client who = client();
	char uri[64];
	mst_err e;

	snprintf(uri, sizeof uri, "https://127.0.0.1:%d/v2.bin", web.port);
	e = fetch(&who, uri, offset, len);
	stop();
	return e;
}

static void
whole(uint64_t offset)
{
	size_t len;

	assert_int_equal(fetch_web(offset, &len), MST_OK);
	assert_int_equal(len, BYTES - offset);
	assert_memory_equal(got, image + offset, len);
}

static void
by_ranges(void **state)
{
	(void)state;
	start(PLAIN, 0, 0);
	whole(0);
	assert_int_equal(web.requests, 3);
	assert_non_null(strstr(web.seen[0], "Range: bytes=0-131071\r\n"));
	assert_null(strstr(web.seen[0], "If-Range"));
	assert_non_null(strstr(web.seen[1], "Range: bytes=131072-262143\r\n"));
	assert_non_null(strstr(web.seen[1], "If-Range: \"1\"\r\n"));
}

static void
from_the_middle(void **state)
{
	(void)state;
	start(PLAIN, 0, 0);
	whole(123457);
	assert_non_null(strstr(web.seen[0], "Range: bytes=123457-"));
}

static void
from_the_end(void **state)
{
	size_t len;

	(void)state;
	start(PLAIN, 0, 0);
	assert_int_equal(fetch_web(BYTES, &len), MST_OK); /* 416 */
	assert_int_equal(len, 0);
}

static void
no_tag_at_all(void **state)
{
	(void)state;
	start(NO_TAG, 0, 9);
	whole(0);
	assert_null(strstr(web.seen[1], "If-Range"));
}

/* What the server does to its second answer, and what comes of it. */
struct row {
	const char *name;
	enum trick trick;
	int status, from, until;
	mst_err e;
};
static const struct row rows[] = {
	{ "RFC 9110 13.1.5 another ETag", OTHER_TAG, 0, 1, 9, MST_E_UPDATE_CHANGED },
	{ "RFC 9110 13.1.5 the ETag is gone", NO_TAG, 0, 1, 9, MST_E_UPDATE_CHANGED },
	{ "RFC 9110 13.1.5 200 behind If-Range", WHOLE, 0, 1, 9, MST_E_UPDATE_CHANGED },
	{ "RFC 9110 14.4 an earlier Content-Range", EARLIER, 0, 1, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 14.4 a longer Content-Range", LONGER, 0, 1, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 14.4 no Content-Range", NO_RANGE, 0, 0, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 14.4 no total", NO_TOTAL, 0, 0, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 14.4 words behind it", WORDS, 0, 0, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 14.4 other units", UNITS, 0, 0, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 14.4 backwards", BACKWARDS, 0, 0, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 15.3.7 206 of nothing", EMPTY, 0, 0, 9, MST_E_HTTP_MALFORMED },
	{ "RFC 9110 15.3.7 more than was asked for", TOO_MUCH, 0, 0, 9, MST_E_UPDATE_RANGES },
	{ "RFC 9110 15.5.5 404", STATUS, 404, 1, 9, MST_E_UPDATE_STATUS },
	{ "RFC 9110 15.5.4 403", STATUS, 403, 0, 9, MST_E_UPDATE_STATUS },
	{ "RFC 9110 15.4.3 a redirect is not followed", STATUS, 302, 0, 9, MST_E_UPDATE_STATUS },
	{ "RFC 9110 15.6.4 503 for good", STATUS, 503, 1, 99, MST_E_SUIT_INTERRUPTED },
	{ "RFC 9110 15.6.4 503 twice", STATUS, 503, 1, 3, MST_OK },
	{ "RFC 6585 4 429 once", STATUS, 429, 1, 2, MST_OK },
	{ "RFC 9110 15.5.9 408 once", STATUS, 408, 0, 1, MST_OK },
	{ "SUIT-13.6 it hangs up twice", HANGS_UP, 0, 1, 3, MST_OK },
	{ "SUIT-13.6 it hangs up for good", HANGS_UP, 0, 1, 99, MST_E_SUIT_INTERRUPTED },
	{ "SUIT-13.6 it breaks off within a part", ENDS_EARLY, 0, 1, 2, MST_OK },
};

static void
row(void **state)
{
	const struct row *r = *state;
	size_t len;
	mst_err e;

	web.status = r->status;
	start(r->trick, r->from, r->until);
	e = fetch_web(0, &len);
	assert_int_equal(e, r->e);
	if (e == MST_OK)
		assert_int_equal(len, BYTES);
	assert_true(web.requests <= 6); /* never on and on */
	assert_memory_equal(got, image, len);
}

static void
small_without_ranges(void **state)
{
	size_t len;

	(void)state;
	start(WHOLE, 0, 9);
	assert_int_equal(fetch_web(0, &len), MST_OK);
	assert_int_equal(len, 100000);
}

static void
middle_without_ranges(void **state)
{
	size_t len;

	(void)state;
	start(WHOLE, 0, 9);
	assert_int_equal(fetch_web(5000, &len), MST_E_UPDATE_RANGES);
	assert_int_equal(len, 0);
}

static void
wrong_name(void **state)
{
	size_t len;

	(void)state;
	start_as(&nameless, PLAIN, 0, 0);
	assert_int_equal(fetch_web(0, &len), MST_E_UPDATE_SERVER);
	assert_int_equal(web.requests, 0);
}

static void
wrong_anchor(void **state)
{
	struct update_client who = client();
	char uri[64];
	size_t len;

	(void)state;
	start(PLAIN, 0, 0);
	who.anchors = other;
	snprintf(uri, sizeof uri, "https://127.0.0.1:%d/v2.bin", web.port);
	assert_int_equal(fetch(&who, uri, 0, &len), MST_E_UPDATE_SERVER);
	stop();
	assert_int_equal(web.requests, 0);
}

static void
nobody_there(void **state)
{
	const struct update_client who = client();
	char uri[64];
	size_t len;

	(void)state;
	start(PLAIN, 0, 0);
	snprintf(uri, sizeof uri, "https://127.0.0.1:%d/v2.bin", web.port);
	stop();
	assert_int_equal(fetch(&who, uri, 0, &len), MST_E_SUIT_INTERRUPTED);
}

static void
schemes(void **state)
{
	static const char *const uri[] = { "http://a.example/x", "coap://a.example/x",
		"ftp://a.example/x" };
	const struct update_client who = client();
	size_t len;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fetch(&who, uri[i], 0, &len), MST_E_UPDATE_SCHEME);
	assert_int_equal(fetch(&who, "v2.bin", 0, &len), MST_E_URL);
	assert_int_equal(fetch(&who, "https://u@a.example/x", 0, &len), MST_E_URL);
}

/* ---- CoAPS ---- */

static void
serve_image(struct coap_toy *t, const struct coap_toy_request *q, struct coap_toy_answer *r)
{
	(void)t;
	if (strcmp(q->path, "/v2.bin") == 0) {
		r->code = 205;
		memcpy(r->body, image, r->len = 5000);
	} else {
		r->code = strcmp(q->path, "/later") == 0 ? 503 : 404;
	}
}

static mst_err
fetch_coap(
    const struct pki *id, enum coap_toy_trick trick, const char *path, uint64_t offset, size_t *len)
{
	struct update_client who = client();
	char uri[96];
	mst_err e;

	coap_toy_start(&toy, id, ca.cert, serve_image, NULL);
	toy.trick = trick;
	snprintf(uri, sizeof uri, "%s%s", toy.base, path);
	e = fetch(&who, uri, offset, len);
	coap_toy_stop(&toy);
	return e;
}

static void
coap_from(uint64_t offset)
{
	size_t len;

	assert_int_equal(fetch_coap(&server, COAP_TOY_PLAIN, "/v2.bin", offset, &len), MST_OK);
	assert_int_equal(len, 5000 - offset);
	assert_memory_equal(got, image + offset, len);
}

static void
coap_whole(void **state)
{
	(void)state;
	coap_from(0);
}

static void
coap_middle(void **state)
{
	(void)state;
	coap_from(1000); /* within a piece */
}

static void
coap_boundary(void **state)
{
	(void)state;
	coap_from(1024);
}

static void
coap_refused(const struct pki *id, enum coap_toy_trick trick, const char *path, mst_err expected)
{
	size_t len;
	mst_err e = fetch_coap(id, trick, path, 0, &len);

	assert_int_equal(e, expected);
	assert_memory_equal(got, image, len);
}

static void
coap_changed(void **state)
{
	(void)state;
	coap_refused(&server, COAP_TOY_ETAG, "/v2.bin", MST_E_UPDATE_CHANGED);
}

static void
coap_missing(void **state)
{
	(void)state;
	coap_refused(&server, COAP_TOY_PLAIN, "/v3.bin", MST_E_UPDATE_STATUS);
}

static void
coap_later(void **state)
{
	(void)state;
	coap_refused(&server, COAP_TOY_PLAIN, "/later", MST_E_SUIT_INTERRUPTED);
}

static void
coap_nameless(void **state)
{
	(void)state;
	coap_refused(&nameless, COAP_TOY_PLAIN, "/v2.bin", MST_E_UPDATE_SERVER);
}

static void
coap_stranger(void **state)
{
	struct update_client who = client();
	char uri[96];
	size_t len;

	(void)state;
	who.anchors = other;
	coap_toy_start(&toy, &server, ca.cert, serve_image, NULL);
	snprintf(uri, sizeof uri, "%s/v2.bin", toy.base);
	assert_int_equal(fetch(&who, uri, 0, &len), MST_E_UPDATE_SERVER);
	coap_toy_stop(&toy);
	assert_int_equal(toy.served, 0);
}

static void
coap_gap(void **state)
{
	size_t len;

	(void)state;
	assert_int_not_equal(fetch_coap(&server, COAP_TOY_GAP, "/v2.bin", 0, &len), MST_OK);
	assert_memory_equal(got, image, len);
}

static void
coap_short(void **state)
{
	size_t len;

	(void)state;
	assert_int_not_equal(fetch_coap(&server, COAP_TOY_SHORT, "/v2.bin", 0, &len), MST_OK);
	assert_memory_equal(got, image, len);
}

static int
make_all(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < BYTES; i++)
		image[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
	ca = pki_root("Site CA");
	stranger = pki_root("Other CA");
	server = pki_leaf(&ca, "update server", NULL, "serverAuth", YEAR);
	add_name(&server);
	nameless =
	    pki_leaf(&ca, "127.0.0.1", NULL, "serverAuth", YEAR); /* a common name is no name */
	device = pki_leaf(&ca, "lamp", "LAMP-1", "clientAuth", YEAR);
	anchors = anchors_of(ca.cert);
	other = anchors_of(stranger.cert);
	return 0;
}

static int
free_all(void **state)
{
	struct pki *all[] = { &ca, &stranger, &server, &nameless, &device };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		pki_free(all[i]);
	anchors_free(anchors);
	anchors_free(other);
	return 0;
}

#define T(name, f)                                                                                 \
	{                                                                                          \
		name, f, NULL, NULL, NULL                                                          \
	}
static const struct CMUnitTest fixed[] = {
	T("RFC 9110 14.2 by ranges", by_ranges),
	T("SUIT-13.6 from the middle", from_the_middle),
	T("RFC 9110 15.5.17 from the end", from_the_end),
	T("RFC 9110 13.1.5 a server without ETag", no_tag_at_all),
	T("RFC 9110 15.3.1 small, without ranges", small_without_ranges),
	T("SUIT-13.6 from the middle, without ranges", middle_without_ranges),
	T("RFC 9525 a server of another name", wrong_name),
	T("SUIT-19 a server below another anchor", wrong_anchor),
	T("SUIT-13.6 nobody there", nobody_there),
	T("SUIT-19 schemes and URIs that are none", schemes),
	T("RFC 7959 2.4 whole, over CoAPS", coap_whole),
	T("RFC 7959 2.4 from within a block", coap_middle),
	T("RFC 7959 2.4 from a block's beginning", coap_boundary),
	T("RFC 7959 2.4 another ETag over CoAPS", coap_changed),
	T("RFC 7252 5.9.2.5 4.04", coap_missing),
	T("RFC 7252 5.9.3.4 5.03 for good", coap_later),
	T("RFC 9525 a CoAPS server of another name", coap_nameless),
	T("SUIT-19 a CoAPS server below another anchor", coap_stranger),
	T("RFC 7959 2.4 a gap between blocks", coap_gap),
	T("RFC 7959 2.2 a short block that is not the last", coap_short),
};
#define FIXED (sizeof fixed / sizeof fixed[0])

int
main(void)
{
	struct CMUnitTest tests[FIXED + sizeof rows / sizeof rows[0]];

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tests[FIXED + i] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("update_fetch", tests, make_all, free_all);
}

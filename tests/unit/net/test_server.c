/* SPDX-License-Identifier: Apache-2.0 */
/* The listener over real loopback TLS: what it answers, whom it lets wait, when it hangs up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "tests/unit/net/support_net.h"

#define HOST "Host: localhost\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path, n, body) "POST " path " HTTP/1.1\r\n" HOST "Content-Length: " n "\r\n\r\n" body

static const struct client_options tls12 = { .version = TLS1_2_VERSION };
static const struct client_options tls13 = { .version = TLS1_3_VERSION };
static const struct client_options plain = { .plain = true };

/* Most tests need one world with default limits; it serves them all. */
static struct world shared;

static int
shared_start(void **state)
{
	(void)state;
	world_start(&shared, NULL, 2, WORLD_PLAIN_TOO);
	return 0;
}

static int
shared_stop(void **state)
{
	(void)state;
	world_stop(&shared);
	return 0;
}

/* --- one request, one answer, one connection --- */

struct row {
	const char *name, *text;
	int status;
	bool closes;
	const char *code; /* in the body */
};

static const struct row rows[] = {
	{ "GET gives 200", GET("/get"), 200, false, "hello" },
	{ "est.md U3: unknown path is 404", GET("/nothing"), 404, false, "MU-2024" },
	{ "est.md U3: wrong method is 405", POST("/get", "0", ""), 405, false, "MU-2025" },
	{ "est.md U3: unknown method is 405", "BREW /get HTTP/1.1\r\n" HOST "\r\n", 405, false,
	    "MU-2025" },
	{ "est.md U3: PUT with a body keeps the framing",
	    "PUT /get HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd", 405, false, "MU-2025" },
	{ "route with a star matches any rest", GET("/any/thing/else"), 200, false, "hello" },
	{ "route with a star wants its beginning", GET("/anything"), 404, false, "MU-2024" },
	{ "est.md H9: Content-Length beyond the limit is 413", POST("/echo", "65537", ""), 413,
	    true, "MU-2022" },
	{ "est.md H9: absurd Content-Length is 413", POST("/echo", "99999999999999999999999", ""),
	    413, true, "MU-2022" },
	{ "est.md H9: chunk beyond the limit is 413",
	    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10001\r\n", 413, true,
	    "MU-2022" },
	{ "duplicate Content-Length is 400",
	    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
	    400, true, "MU-2020" },
	{ "Content-Length beside chunked is 400",
	    "POST /echo HTTP/1.1\r\n" HOST
	    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
	    400, true, "MU-2020" },
	{ "missing Host is 400", "GET /get HTTP/1.1\r\n\r\n", 400, true, "MU-2020" },
	{ "bare LF is 400", "GET /get HTTP/1.1\n" HOST "\n", 400, true, "MU-2020" },
	{ "obs-fold is 400", "GET /get HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400, true,
	    "MU-2020" },
	{ "garbage is 400", "\x16\x03\x01\x02\x05\x01", 400, true, "MU-2020" },
	{ "hidden slash is 400", GET("/any%2fx"), 400, true, "MU-2020" },
	{ "gzip coding is 501", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
	    501, true, "MU-1006" },
	{ "bad chunk size is 400",
	    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, true,
	    "MU-2020" },
	{ "absolute form is understood", "GET https://localhost/get HTTP/1.1\r\n" HOST "\r\n", 200,
	    false, "hello" },
	{ "percent-encoded path is decoded", GET("/%67et"), 200, false, "hello" },
	{ "HTTP/1.0 is answered and closed", "GET /get HTTP/1.0\r\n\r\n", 200, true, "hello" },
	{ "est.md H8: Connection: close is honoured",
	    "GET /get HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, true, "hello" },
	{ "RFC 9112 2.2: an empty line before the request", "\r\n" GET("/get"), 200, false,
	    "hello" },
	{ "RFC 9112 2.2: two empty lines before the request", "\r\n\r\n" GET("/get"), 400, true,
	    "MU-2020" },
	{ "est.md H1: chunked body",
	    "POST /echo HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;x\r\npedia\r\n0\r\nA: b\r\n\r\n",
	    200, false, "Wikipedia" },
	{ "POST without length has an empty body", "POST /echo HTTP/1.1\r\n" HOST "\r\n", 200,
	    false, "" },
	{ "net_refuse has status, code and id", POST("/refuse", "0", ""), 401, true, "MU-2103" },
	{ "answer after a timer", GET("/after"), 200, false, "later" },
	{ "answer from another thread by net_post", GET("/thread"), 200, false, "later" },
};

static void
check_row(const struct row *r, int port, const struct client_options *o)
{
	struct client c;
	struct reply a;
	const char *id;

	client_open(&c, port, o);
	a = client_ask(&c, r->text);
	assert_int_equal(a.status, r->status);
	if (r->code[0] != '\0')
		assert_non_null(strstr(a.body, r->code));
	id = reply_header(&a, "X-Request-Id");
	assert_non_null(id);
	assert_int_equal(strlen(id), 16);
	if (r->status >= 400)
		assert_non_null(strstr(a.body, id));
	assert_int_equal(reply_header(&a, "Connection") != NULL, r->closes);
	reply_free(&a);
	if (r->closes) {
		assert_true(client_ended(&c));
	} else { /* still in step */
		a = client_ask(&c, GET("/get"));
		assert_int_equal(a.status, 200);
		reply_free(&a);
	}
	client_close(&c);
}

static void
row_on_tls(void **state)
{
	check_row(*state, shared.port, &tls13);
}

static void
row_on_plain(void **state)
{
	check_row(*state, shared.plain, &plain);
}

/* --- answers byte for byte --- */

static void
answer_has_exact_bytes(void **state)
{
	struct client c;
	struct reply a;
	char want[512], date[64], id[32];

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, POST("/echo", "4", "abcd"));
	snprintf(date, sizeof date, "%s", reply_header(&a, "Date"));
	snprintf(id, sizeof id, "%s", reply_header(&a, "X-Request-Id"));
	snprintf(want, sizeof want,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/x-echo\r\nContent-Length: 4\r\n"
	    "Date: %s\r\nX-Request-Id: %s\r\n\r\n",
	    date, id);
	assert_string_equal(a.head, want);
	assert_int_equal(strlen(date), 29);
	assert_string_equal(a.body, "abcd");
	reply_free(&a);
	client_close(&c);
}

/* est.md H4: strongSwan reads one TLS record and wants the whole head in it. */
static void
head_and_body_are_one_record(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, POST("/echo", "4", "abcd"));
	assert_int_equal(a.first_read, strlen(a.head) + 4);
	assert_true(strlen(a.head) < 1000);
	reply_free(&a);
	client_close(&c);
}

/* est.md H7: Bouncy Castle fails on a 202 with a body. */
static void
a_202_has_no_body(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, GET("/202body"));
	assert_int_equal(a.status, 202);
	assert_string_equal(reply_header(&a, "Content-Length"), "0");
	assert_string_equal(reply_header(&a, "Retry-After"), "7");
	assert_null(reply_header(&a, "Content-Type"));
	reply_free(&a);
	a = client_ask(&c, GET("/202"));
	assert_int_equal(a.status, 202);
	assert_string_equal(reply_header(&a, "Content-Length"), "0");
	assert_string_equal(reply_header(&a, "Retry-After"), "17");
	reply_free(&a);
	a = client_ask(&c, GET("/get")); /* no stray byte came */
	assert_int_equal(a.status, 200);
	reply_free(&a);
	client_close(&c);
}

static void
head_answers_without_body(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, "HEAD /get HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(a.status, 200);
	assert_string_equal(reply_header(&a, "Content-Length"), "6");
	reply_free(&a);
	a = client_ask(&c, GET("/get"));
	assert_string_equal(a.body, "hello\n");
	reply_free(&a);
	a = client_ask(&c, "HEAD /echo HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(a.status, 405);
	reply_free(&a);
	client_close(&c);
}

static void
a_405_lists_what_is_allowed(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, "DELETE /both HTTP/1.1\r\n" HOST "\r\n");
	assert_string_equal(reply_header(&a, "Allow"), "GET, HEAD, POST");
	reply_free(&a);
	a = client_ask(&c, GET("/echo"));
	assert_string_equal(reply_header(&a, "Allow"), "POST");
	reply_free(&a);
	client_close(&c);
}

static void
a_401_for_basic_says_so(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, GET("/auth"));
	assert_int_equal(a.status, 401);
	assert_string_equal(reply_header(&a, "WWW-Authenticate"), "Basic realm=\"muster\"");
	reply_free(&a);
	client_close(&c);
}

static void
header_values_cannot_split_the_answer(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, GET("/split"));
	assert_int_equal(a.status, 200);
	assert_null(strstr(a.head, "Set-Cookie"));
	reply_free(&a);
	client_close(&c);
}

static void
request_fields_reach_the_handler(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(&c, "GET /any/%41?b=c HTTP/1.1\r\n" HOST "Accept: a/b\r\nAccept: c/d\r\n"
	                   "X-Muster-Trace: 00112233445566778899aabb\r\n\r\n");
	assert_string_equal(reply_header(&a, "X-Path"), "/any/A");
	assert_string_equal(reply_header(&a, "X-Query"), "b=c");
	assert_string_equal(reply_header(&a, "X-Accept"), "a/b, c/d");
	assert_string_equal(reply_header(&a, "X-Trace"), "00112233445566778899aabb");
	reply_free(&a);
	a = client_ask(
	    &c, "GET /get HTTP/1.1\r\n" HOST "X-Muster-Trace: not hexadecimal at all\r\n\r\n");
	assert_int_equal(strlen(reply_header(&a, "X-Trace")), 32); /* a fresh one */
	reply_free(&a);
	client_close(&c);
}

static void
expectation_is_answered(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	a = client_ask(
	    &c, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(a.status, 100);
	reply_free(&a);
	a = client_ask(&c, "abcd");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "abcd");
	reply_free(&a);
	/* a final status instead, where the body would be in vain (RFC 9110 10.1.1) */
	a = client_ask(
	    &c, "POST /get HTTP/1.1\r\n" HOST "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(a.status, 405);
	reply_free(&a);
	assert_true(client_ended(&c));
	client_close(&c);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	client_say(&c, POST("/echo", "1", "1") GET("/after") POST("/echo", "1", "2") GET("/thread")
	                   POST("/echo", "1", "3"));
	for (int i = 0; i < 5; i++) {
		static const char *const want[] = { "1", "later\n", "2", "later\n", "3" };

		a = client_read(&c, false);
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, want[i]);
		reply_free(&a);
	}
	client_close(&c);
}

/* design.md 5: one id follows a device, also one whose agent sends none. */
static void
requests_of_a_connection_have_one_trace(void **state)
{
	static const char *const more[] = { "", "X-Muster-Trace: 0123456789abcdef\r\n", "" };
	char first[33] = "";
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	for (int i = 0; i < 3; i++) {
		client_say(&c, "GET /get HTTP/1.1\r\nHost: localhost\r\n");
		client_say(&c, more[i]);
		client_say(&c, "\r\n");
		a = client_read(&c, false);
		if (i == 0)
			strncpy(first, reply_header(&a, "X-Trace"), sizeof first - 1);
		assert_string_equal(
		    reply_header(&a, "X-Trace"), i == 1 ? "0123456789abcdef" : first);
		reply_free(&a);
	}
	assert_int_equal(strlen(first), 32);
	client_close(&c);
}

static void
a_hundred_pipelined_after_another(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	for (int i = 0; i < 100; i++)
		client_say(&c, GET("/get"));
	for (int i = 0; i < 100; i++) {
		a = client_read(&c, false);
		assert_int_equal(a.status, 200);
		reply_free(&a);
	}
	client_close(&c);
}

/* Every cut of a good request: no handler runs; a half-closing client is told why. */
static void
truncated_requests_reach_no_handler(void **state)
{
	static const char text[] = POST("/echo", "4", "abcd");
	int before = shared.handled;
	struct client c;
	struct reply a;

	(void)state;
	for (size_t n = 1; n < sizeof text - 1; n += 3) {
		client_open(&c, shared.plain, &plain);
		client_send(&c, text, n);
		shutdown(c.fd, SHUT_WR);
		a = client_read(&c, false);
		assert_int_equal(a.status, 400);
		assert_non_null(strstr(a.body, "MU-2020"));
		reply_free(&a);
		assert_true(client_ended(&c));
		client_close(&c);
	}
	assert_int_equal(shared.handled, before);
}

static void
half_closed_client_gets_its_answer(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	client_say(&c, GET("/after"));
	SSL_shutdown(c.tls);
	shutdown(c.fd, SHUT_WR);
	a = client_read(&c, false);
	assert_int_equal(a.status, 200);
	reply_free(&a);
	assert_true(client_ended(&c));
	client_close(&c);
}

static void
every_single_byte_piece_is_put_together(void **state)
{
	static const char text[] =
	    "POST /echo HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n0\r\nA: b\r\n\r\n";
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	for (size_t i = 0; i < sizeof text - 1; i++)
		assert_true(client_send(&c, text + i, 1));
	a = client_read(&c, false);
	assert_string_equal(a.body, "Wiki");
	reply_free(&a);
	client_close(&c);
}

static void
body_of_the_limit_is_taken(void **state)
{
	static char text[65536 + 256];
	struct client c;
	struct reply a;
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof text, POST("/echo", "65536", ""));
	memset(text + n, 'x', 65536);
	client_open(&c, shared.port, NULL);
	client_send(&c, text, n + 65536);
	a = client_read(&c, false);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 65536);
	reply_free(&a);
	client_close(&c);
}

/* The answer must survive that the client is still sending what nobody reads. */
static void
a_413_arrives_while_the_body_is_sent(void **state)
{
	static char body[200000];
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	client_say(&c, POST("/echo", "200000", ""));
	client_send(&c, body, sizeof body);
	a = client_read(&c, false);
	assert_int_equal(a.status, 413);
	reply_free(&a);
	client_close(&c);
}

static void
oversized_header_is_431(void **state)
{
	static char text[20000];
	struct client c;
	struct reply a;
	size_t n;

	(void)state;
	n = (size_t)snprintf(text, sizeof text, "GET /get HTTP/1.1\r\n" HOST "A: ");
	memset(text + n, 'a', sizeof text - n);
	client_open(&c, shared.port, NULL);
	client_send(&c, text, sizeof text);
	a = client_read(&c, false);
	assert_int_equal(a.status, 431);
	assert_non_null(strstr(a.body, "MU-2021"));
	reply_free(&a);
	assert_true(client_ended(&c));
	client_close(&c);
}

static void
random_bytes_are_refused(void **state)
{
	struct client c;
	struct reply a;
	uint8_t noise[4000];
	uint32_t x = 12345;

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof noise; i++) {
			x = x * 1664525 + 1013904223;
			noise[i] = (uint8_t)(x >> 24);
		}
		client_open(&c, shared.port, NULL);
		client_send(&c, noise, sizeof noise);
		a = client_read(&c, false);
		assert_int_equal(a.status, 400);
		reply_free(&a);
		assert_true(client_ended(&c));
		client_close(&c);
	}
}

static void
garbage_instead_of_tls_ends_the_connection(void **state)
{
	struct client c;
	char byte;

	(void)state;
	client_open(&c, shared.port, &plain);
	client_say(&c, GET("/get"));
	while (recv(c.fd, &byte, 1, 0) == 1) /* perhaps an alert */
		;
	client_close(&c);
}

static size_t
allocated(void)
{
	struct mallinfo2 m = mallinfo2();
	extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	return m.uordblks + m.hblkhd;
}

static void
memory_stays_flat_over_kept_alive_requests(void **state)
{
	struct client c;
	struct reply a;
	size_t before = 0, after;

	(void)state;
	client_open(&c, shared.port, NULL);
	for (int i = 0; i < 1200; i++) {
		if (i == 200)
			before = allocated();
		a = client_ask(&c, i % 2 == 0 ? GET("/get") : POST("/echo", "4", "abcd"));
		assert_int_equal(a.status, 200);
		reply_free(&a);
	}
	after = allocated();
	client_close(&c);
	assert_true(after < before + 32768);
}

static void
memory_stays_flat_over_connections(void **state)
{
	struct client c;
	struct reply a;
	size_t before = 0, after;

	(void)state;
	for (int i = 0; i < 60; i++) {
		if (i == 20) {
			usleep(100000);
			before = allocated();
		}
		client_open(&c, shared.port,
		    &(struct client_options){ .cert = pki()->client,
		        .key = pki()->client_key,
		        .chain = pki()->client_chain });
		a = client_ask(&c, GET("/get"));
		assert_int_equal(a.status, 200);
		reply_free(&a);
		client_close(&c);
	}
	usleep(100000);
	after = allocated();
	assert_true(after < before + 65536);
}

/* --- TLS --- */

static void
expect_who(const struct client_options *o, const char *want)
{
	struct client c;
	struct reply a;

	client_open(&c, shared.port, o);
	a = client_ask(&c, GET("/who"));
	assert_string_equal(a.body, want);
	reply_free(&a);
	client_close(&c);
}

static void
client_certificates_reach_the_handler(void **state)
{
	struct client_options o = { .cert = pki()->client, .key = pki()->client_key };

	(void)state;
	expect_who(&tls13, "nobody 0 0 127.0.0.1 own");
	expect_who(&tls12, "nobody 0 0 127.0.0.1 own");
	/* 50: X509_V_ERR_APPLICATION_VERIFICATION: nobody may read trust out of TLS (T4) */
	expect_who(&o, "device 1 0 50 127.0.0.1 own");
	o.chain = pki()->client_chain;
	expect_who(&o, "device 1 1 50 127.0.0.1 own");
	o.version = TLS1_2_VERSION;
	expect_who(&o, "device 1 1 50 127.0.0.1 own");
	o.cert = pki()->stranger; /* unknown CA, expired */
	o.chain = NULL;
	expect_who(&o, "stranger 0 50 127.0.0.1 own");
}

static void
alpn_chooses_http11_or_ends(void **state)
{
	struct client c;
	const unsigned char *chosen;
	unsigned len;

	(void)state;
	client_open(&c, shared.port, &(struct client_options){ .alpn = "\x02h2\x08http/1.1" });
	SSL_get0_alpn_selected(c.tls, &chosen, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(chosen, "http/1.1", 8);
	client_close(&c);
	assert_false(client_try(&c, shared.port, &(struct client_options){ .alpn = "\x02h2" }));
	client_close(&c);
}

/* est.md T3: no renegotiation, no ticket, no resumption (decision 0010). */
static void
no_session_is_resumed(void **state)
{
	const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct client c;
		struct reply a;
		SSL_SESSION *s;
		SSL *tls;

		client_open(&c, shared.port, &(struct client_options){ .version = versions[i] });
		a = client_ask(&c, GET("/get")); /* tickets would be in by now */
		reply_free(&a);
		s = SSL_get1_session(c.tls);
		assert_false(SSL_SESSION_has_ticket(s));
		if (versions[i] == TLS1_2_VERSION) {
			SSL_renegotiate(c.tls);
			assert_int_not_equal(SSL_do_handshake(c.tls), 1);
		}
		SSL_free(c.tls);
		c.tls = NULL;
		close(c.fd);
		SSL_CTX_free(c.ctx);
		client_open(&c, shared.port, &plain);
		c.ctx = SSL_CTX_new(TLS_client_method());
		tls = SSL_new(c.ctx);
		SSL_set_session(tls, s);
		SSL_set_fd(tls, c.fd);
		assert_int_equal(SSL_connect(tls), 1);
		assert_false(SSL_session_reused(tls));
		SSL_free(tls);
		SSL_SESSION_free(s);
		client_close(&c);
	}
}

/* est.md L3, L4: both ends compute the same channel binding. */
static void
binding_is_equal_at_both_ends(void **state)
{
	const struct client_options *versions[] = { &tls12, &tls13 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct client c;
		struct reply a;
		uint8_t mine[64];
		char hex[129] = "", other[129];
		size_t n;

		client_open(&c, shared.port, versions[i]);
		if (i == 0) {
			n = SSL_get_finished(c.tls, mine, sizeof mine);
			assert_int_equal(n, 12);
		} else {
			n = 32;
			assert_int_equal(
			    SSL_export_keying_material(c.tls, mine, n, "EXPORTER-Channel-Binding",
			        24, (const uint8_t *)"", 0, 1),
			    1);
		}
		for (size_t k = 0; k < n; k++)
			snprintf(hex + 2 * k, 3, "%02x", mine[k]);
		a = client_ask(&c, GET("/binding"));
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, hex);
		snprintf(other, sizeof other, "%s", a.body);
		reply_free(&a);
		client_close(&c);
		client_open(&c, shared.port, versions[i]); /* another connection, another value */
		a = client_ask(&c, GET("/binding"));
		assert_string_not_equal(a.body, other);
		reply_free(&a);
		client_close(&c);
	}
}

/* est.md L3: tls-unique without extended master secret proves nothing. */
static void
no_binding_without_ems(void **state)
{
	struct client c;
	struct reply a;
	SSL *tls;

	(void)state;
	client_open(&c, shared.port, &plain);
	c.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(c.ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(c.ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	tls = SSL_new(c.ctx);
	SSL_set_fd(tls, c.fd);
	assert_int_equal(SSL_connect(tls), 1);
	c.tls = tls;
	a = client_ask(&c, GET("/binding"));
	assert_int_equal(a.status, 501);
	reply_free(&a);
	client_close(&c);
}

static void
no_binding_without_tls(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.plain, &plain);
	a = client_ask(&c, GET("/binding"));
	assert_int_equal(a.status, 501);
	reply_free(&a);
	client_close(&c);
}

/* --- clients that leave --- */

static void
handler_outlives_its_client(void **state)
{
	int before = shared.handled;
	struct client c;
	struct linger hard = { 1, 0 };

	(void)state;
	for (int i = 0; i < 10; i++) {
		client_open(&c, shared.port, NULL);
		client_say(&c, GET("/after"));
		while (__atomic_load_n(&shared.handled, __ATOMIC_SEQ_CST) == before + i)
			usleep(1000);
		if (i % 2 == 0) /* a reset, else a FIN */
			setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		client_close(&c);
	}
	usleep(150000); /* the answers come now; the sanitizer watches */
	check_row(&rows[0], shared.port, &tls13);
}

static void
answer_larger_than_the_socket_buffers(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.port, NULL);
	client_say(&c, GET("/huge") GET("/get"));
	usleep(50000);
	a = client_read(&c, false);
	assert_int_equal(a.len, 512 * 1024);
	reply_free(&a);
	a = client_read(&c, false);
	assert_string_equal(a.body, "hello\n");
	reply_free(&a);
	client_close(&c);
}

/* A reset inside a body frees its place at once, not at the body's deadline. */
static void
reset_inside_a_body_frees_the_connection(void **state)
{
	struct net_limits l = { .connections = 1, .body_ms = 60000, .header_ms = 60000 };
	struct linger hard = { 1, 0 };
	struct world w;
	struct client c, d;

	(void)state;
	world_start(&w, &l, 1, 0);
	for (int round = 0; round < 2; round++) {
		client_open(&c, w.port, NULL);
		client_say(&c, round == 0 ? POST("/echo", "9", "abcd")
		                          : "POST /echo HTTP/1.1\r\n" HOST
		                            "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n");
		usleep(20000);
		setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		client_close(&c);
		for (int i = 0; i < 200 && !client_try(&d, w.port, &tls13); i++) {
			client_close(&d);
			assert_true(i < 199);
			usleep(10000);
		}
		client_close(&d);
		usleep(50000);
	}
	assert_int_equal(w.handled, 0);
	world_stop(&w);
}

/* --- set-up and end --- */

static void
taken_port_is_told(void **state)
{
	char address[64];
	struct net *n;
	int port;

	(void)state;
	snprintf(address, sizeof address, "127.0.0.1:%d", shared.plain);
	assert_int_equal(net_new(2, &n), MST_OK);
	assert_int_equal(
	    net_listen(n, &(struct net_listen){ .name = "x", .address = address }, &port),
	    MST_E_IO);
	assert_non_null(strstr(net_why(), address));
	net_free(n);
}

static void
media_types_compare_as_U5_wants(void **state)
{
	(void)state;
	assert_true(net_is_type("application/pkcs10", "application/pkcs10"));
	assert_true(net_is_type("Application/PKCS10; charset=utf-8", "application/pkcs10"));
	assert_true(net_is_type("application/pkcs10 ;x", "application/pkcs10"));
	assert_false(net_is_type("application/pkcs10x", "application/pkcs10"));
	assert_false(net_is_type("application/pkcs1", "application/pkcs10"));
	assert_false(net_is_type(NULL, "application/pkcs10"));
}

/* --- operations --- */

static void
ops_routes_answer(void **state)
{
	struct client c;
	struct reply a;

	(void)state;
	client_open(&c, shared.plain, &plain);
	a = client_ask(&c, GET("/healthz"));
	assert_int_equal(a.status, 200);
	reply_free(&a);
	a = client_ask(&c, GET("/readyz"));
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "all is well\n");
	reply_free(&a);
	shared.ready = false;
	a = client_ask(&c, GET("/readyz"));
	assert_int_equal(a.status, 503);
	assert_string_equal(a.body, "the store is not open\n");
	reply_free(&a);
	shared.ready = true;
	a = client_ask(&c, GET("/metrics"));
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body,
	    "muster_http_requests_total{listener=\"plain\",method=\"GET\",status=\"503\"}"));
	assert_non_null(strstr(
	    a.body, "muster_http_request_seconds_count{listener=\"plain\",route=\"/readyz\"}"));
	assert_non_null(strstr(a.body, "muster_http_connections{listener=\"plain\"}"));
	assert_non_null(strstr(a.body, "reason=\"http.path\""));
	reply_free(&a);
	client_close(&c);
}

#define ROWS (sizeof rows / sizeof rows[0])

static const struct CMUnitTest more[] = {
	cmocka_unit_test(answer_has_exact_bytes),
	cmocka_unit_test(head_and_body_are_one_record),
	cmocka_unit_test(a_202_has_no_body),
	cmocka_unit_test(head_answers_without_body),
	cmocka_unit_test(a_405_lists_what_is_allowed),
	cmocka_unit_test(a_401_for_basic_says_so),
	cmocka_unit_test(header_values_cannot_split_the_answer),
	cmocka_unit_test(request_fields_reach_the_handler),
	cmocka_unit_test(expectation_is_answered),
	cmocka_unit_test(pipelined_requests_are_answered_in_order),
	cmocka_unit_test(requests_of_a_connection_have_one_trace),
	cmocka_unit_test(a_hundred_pipelined_after_another),
	cmocka_unit_test(truncated_requests_reach_no_handler),
	cmocka_unit_test(half_closed_client_gets_its_answer),
	cmocka_unit_test(every_single_byte_piece_is_put_together),
	cmocka_unit_test(body_of_the_limit_is_taken),
	cmocka_unit_test(a_413_arrives_while_the_body_is_sent),
	cmocka_unit_test(oversized_header_is_431),
	cmocka_unit_test(random_bytes_are_refused),
	cmocka_unit_test(garbage_instead_of_tls_ends_the_connection),
	cmocka_unit_test(memory_stays_flat_over_kept_alive_requests),
	cmocka_unit_test(memory_stays_flat_over_connections),
	cmocka_unit_test(client_certificates_reach_the_handler),
	cmocka_unit_test(alpn_chooses_http11_or_ends),
	cmocka_unit_test(no_session_is_resumed),
	cmocka_unit_test(binding_is_equal_at_both_ends),
	cmocka_unit_test(no_binding_without_ems),
	cmocka_unit_test(no_binding_without_tls),
	cmocka_unit_test(handler_outlives_its_client),
	cmocka_unit_test(answer_larger_than_the_socket_buffers),
	cmocka_unit_test(reset_inside_a_body_frees_the_connection),
	cmocka_unit_test(taken_port_is_told),
	cmocka_unit_test(media_types_compare_as_U5_wants),
	cmocka_unit_test(ops_routes_answer),
};

int
main(void)
{
	static struct CMUnitTest tests[2 * ROWS + sizeof more / sizeof more[0]];
	static char names[ROWS][160];
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++) {
		tests[n++] =
		    (struct CMUnitTest){ rows[i].name, row_on_tls, NULL, NULL, (void *)&rows[i] };
		snprintf(names[i], sizeof names[i], "without TLS: %s", rows[i].name);
		tests[n++] =
		    (struct CMUnitTest){ names[i], row_on_plain, NULL, NULL, (void *)&rows[i] };
	}
	memcpy(tests + n, more, sizeof more);
	return cmocka_run_group_tests_name("net/server", tests, shared_start, shared_stop);
}

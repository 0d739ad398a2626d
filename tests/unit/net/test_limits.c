/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in time and number: deadlines are absolute, connections are counted (TLS-9, H9, D20). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "tests/unit/net/support_net.h"

#define HOST "Host: localhost\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define POST(path, n, body) "POST " path " HTTP/1.1\r\n" HOST "Content-Length: " n "\r\n\r\n" body

static const struct client_options tls13 = { .version = TLS1_3_VERSION };
static const struct client_options plain = { .plain = true };

/* --- deadlines: short limits of their own --- */

static const struct net_limits short_limits = {
	.handshake_ms = 300, .header_ms = 300, .body_ms = 300, .idle_ms = 300
};

/* Sends the text a byte at a time until the peer hangs up; how much went out. */
static size_t
drip(struct client *c, const char *bytes, size_t len, struct reply *a)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	size_t n = 0;

	while (n < len && client_send(c, bytes + n, 1)) {
		n++;
		if (poll(&p, 1, 30) != 0)
			break;
	}
	*a = client_read(c, false);
	return n;
}

static void
slow_header_is_408(void **state)
{
	static const char text[] =
	    "GET /get HTTP/1.1\r\n" HOST "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n\r\n";
	struct world w;
	struct client c;
	struct reply a;

	(void)state;
	world_start(&w, &short_limits, 1, 0);
	client_open(&c, w.port, NULL);
	assert_true(drip(&c, text, sizeof text - 1, &a) < sizeof text - 1);
	assert_int_equal(a.status, 408);
	assert_non_null(strstr(a.body, "MU-2023"));
	reply_free(&a);
	assert_true(client_ended(&c));
	client_close(&c);
	assert_int_equal(w.handled, 0);
	world_stop(&w);
}

static void
slow_body_is_408(void **state)
{
	static const char body[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
	struct world w;
	struct client c;
	struct reply a;

	(void)state;
	world_start(&w, &short_limits, 1, 0);
	client_open(&c, w.port, NULL);
	client_say(&c, POST("/echo", "52", ""));
	assert_true(drip(&c, body, sizeof body - 1, &a) < sizeof body - 1);
	assert_int_equal(a.status, 408);
	reply_free(&a);
	client_close(&c);
	assert_int_equal(w.handled, 0);
	world_stop(&w);
}

static void
slow_chunks_are_408(void **state)
{
	static const char body[] =
	    "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n1\r\nf\r\n0\r\n\r\n";
	struct world w;
	struct client c;
	struct reply a;

	(void)state;
	world_start(&w, &short_limits, 1, 0);
	client_open(&c, w.port, NULL);
	client_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	assert_true(drip(&c, body, sizeof body - 1, &a) < sizeof body - 1);
	assert_int_equal(a.status, 408);
	reply_free(&a);
	client_close(&c);
	world_stop(&w);
}

static void
slow_handshake_is_cut(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct world w;
	struct client c;
	char *hello;
	long len, sent = 0;
	char byte;

	(void)state;
	SSL_set_bio(tls, in, out);
	SSL_set_connect_state(tls);
	SSL_do_handshake(tls);
	len = BIO_get_mem_data(out, &hello);
	assert_true(len > 100);
	world_start(&w, &short_limits, 1, 0);
	client_open(&c, w.port, &plain);
	for (; sent < len && client_send(&c, hello + sent, 1); sent++)
		if (poll(&(struct pollfd){ .fd = c.fd, .events = POLLIN }, 1, 20) != 0)
			break;
	assert_true(sent < len);
	assert_true(recv(c.fd, &byte, 1, 0) <= 0);
	client_close(&c);
	world_stop(&w);
	SSL_free(tls);
	SSL_CTX_free(ctx);
	ERR_clear_error();
}

static void
silent_connection_is_closed(void **state)
{
	struct world w;
	struct client c;
	char byte;

	(void)state;
	world_start(&w, &short_limits, 1, 0);
	client_open(&c, w.port, &plain); /* TCP only */
	assert_true(recv(c.fd, &byte, 1, 0) == 0);
	client_close(&c);
	client_open(&c, w.port, NULL); /* TLS, then nothing */
	assert_true(client_ended(&c));
	client_close(&c);
	world_stop(&w);
}

static void
idle_connection_is_closed_between_requests(void **state)
{
	struct world w;
	struct client c;
	struct reply a;

	(void)state;
	world_start(&w, &short_limits, 1, 0);
	client_open(&c, w.port, NULL);
	a = client_ask(&c, GET("/get"));
	assert_int_equal(a.status, 200);
	reply_free(&a);
	assert_true(client_ended(&c));
	client_close(&c);
	world_stop(&w);
}

/* The peer takes nothing: the answer's buffer is not kept for ever. */
static void
client_that_does_not_read_is_cut(void **state)
{
	struct net_limits l = short_limits;
	struct world w;
	struct client c;
	int small = 4096;

	(void)state;
	l.connections = 1;
	world_start(&w, &l, 1, 0);
	client_open(&c, w.port, NULL);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (int i = 0; i < 20; i++)
		client_say(&c, GET("/huge"));
	/* its place is free once it was cut */
	for (int i = 0; i < 100; i++) {
		struct client d;
		bool ok = client_try(&d, w.port, &tls13);

		client_close(&d);
		if (ok)
			break;
		assert_true(i < 99);
		usleep(50000);
	}
	client_close(&c);
	world_stop(&w);
}

/* A handler that thinks longer than the deadlines is not cut off. */
static void
handler_may_take_its_time(void **state)
{
	struct net_limits l = {
		.handshake_ms = 5000, .header_ms = 20, .body_ms = 20, .idle_ms = 20
	};
	struct world w;
	struct client c;
	struct reply a;

	(void)state;
	world_start(&w, &l, 1, WORLD_PLAIN_TOO);
	client_open(&c, w.plain, &plain);
	a = client_ask(&c, GET("/after"));
	assert_int_equal(a.status, 200);
	reply_free(&a);
	client_close(&c);
	world_stop(&w);
}

/* --- limits on connections --- */

static void
total_of_connections_is_bounded(void **state)
{
	struct net_limits l = { .connections = 3 };
	double before =
	    world_metric("muster_http_refused_total{listener=\"test\",reason=\"connections\"} ");
	struct world w;
	struct client c[3], d;

	(void)state;
	world_start(&w, &l, 2, 0);
	for (int i = 0; i < 3; i++)
		client_open(&c[i], w.port, NULL);
	assert_false(client_try(&d, w.port, &tls13));
	client_close(&d);
	assert_true(
	    world_metric("muster_http_refused_total{listener=\"test\",reason=\"connections\"} ") >
	    before);
	client_close(&c[1]);
	for (int i = 0; i < 100 && !client_try(&d, w.port, &tls13); i++) {
		client_close(&d);
		assert_true(i < 99);
		usleep(10000);
	}
	client_close(&d);
	client_close(&c[0]);
	client_close(&c[2]);
	world_stop(&w);
}

static void
connections_per_source_are_bounded(void **state)
{
	struct net_limits l = { .per_source = 2 };
	struct client_options there = { .from = "127.0.0.2" };
	struct world w;
	struct client c[2], d, e;

	(void)state;
	world_start(&w, &l, 2, 0);
	for (int i = 0; i < 2; i++)
		client_open(&c[i], w.port, NULL);
	assert_false(client_try(&d, w.port, &tls13));
	client_open(&e, w.port, &there); /* others are not punished */
	client_close(&d);
	client_close(&e);
	client_close(&c[0]);
	client_close(&c[1]);
	world_stop(&w);
}

static void
requests_per_connection_are_bounded(void **state)
{
	struct net_limits l = { .requests_per_connection = 3 };
	struct world w;
	struct client c;
	struct reply a;

	(void)state;
	world_start(&w, &l, 1, 0);
	client_open(&c, w.port, NULL);
	for (int i = 1; i <= 3; i++) {
		a = client_ask(&c, GET("/get"));
		assert_int_equal(a.status, 200);
		assert_int_equal(reply_header(&a, "Connection") != NULL, i == 3);
		reply_free(&a);
	}
	assert_true(client_ended(&c));
	client_close(&c);
	world_stop(&w);
}

/* --- set-up and end --- */

static void
plain_http_needs_a_loopback_address(void **state)
{
	struct net *n;
	int port;

	(void)state;
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(
	    net_listen(n, &(struct net_listen){ .name = "x", .address = "0.0.0.0:0" }, &port),
	    MST_E_IO);
	assert_non_null(strstr(net_why(), "loopback"));
	assert_int_equal(
	    net_listen(n, &(struct net_listen){ .name = "x", .address = "nonsense" }, &port),
	    MST_E_IO);
	net_free(n);
}

static void
say_source(struct net_request *rq, void *arg)
{
	(void)arg;
	net_reply(rq, 200, "text/plain", mst_span_str(rq->peer->address), NULL, 0);
}

static void *
run_loops(void *arg)
{
	return net_run(arg) == MST_OK ? arg : NULL;
}

static void
ipv6_listens_and_names_its_peer(void **state)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct client c = { .fd = -1 };
	struct net_route route = { "/who", 1U << NET_GET, say_source, NULL };
	struct reply r;
	struct net *n;
	pthread_t t;
	int port;

	(void)state;
	assert_int_equal(net_new(1, &n), MST_OK);
	if (net_listen(n,
	        &(struct net_listen){
	            .name = "six", .address = "[::1]:0", .routes = &route, .route_count = 1 },
	        &port) != MST_OK) {
		print_message("no IPv6 here: %s\n", net_why());
		net_free(n);
		skip();
	}
	assert_int_equal(pthread_create(&t, NULL, run_loops, n), 0);
	a.sin6_port = htons((uint16_t)port);
	c.fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_true(c.fd >= 0);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof a), 0);
	r = client_ask(&c, GET("/who"));
	assert_memory_equal(r.body, "[::1]:", 6);
	reply_free(&r);
	client_close(&c);
	net_stop(n);
	pthread_join(t, NULL);
	net_free(n);
}

static void
key_of_another_certificate_is_told(void **state)
{
	struct net_listen o = { .name = "x",
		.address = "127.0.0.1:0",
		.cert = pki()->server,
		.key = pki()->client_key };
	struct net *n;
	int port;

	(void)state;
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(net_listen(n, &o, &port), MST_E_KEY_MISMATCH);
	net_free(n);
}

/* Whatever is open or waits when the daemon ends: nothing leaks, nothing crashes. */
static void
end_with_everything_open(void **state)
{
	struct world w;
	struct client idle, hanging, half, tcp;

	(void)state;
	world_start(&w, NULL, 2, 0);
	client_open(&idle, w.port, NULL);
	client_open(&hanging, w.port, NULL);
	client_say(&hanging, GET("/hang") GET("/get"));
	client_open(&half, w.port, NULL);
	client_say(&half, "POST /echo HTTP/1.1\r\nHost");
	client_open(&tcp, w.port, &plain);
	while (__atomic_load_n(&w.handled, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	world_stop(&w);
	client_close(&idle);
	client_close(&hanging);
	client_close(&half);
	client_close(&tcp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_header_is_408),
		cmocka_unit_test(slow_body_is_408),
		cmocka_unit_test(slow_chunks_are_408),
		cmocka_unit_test(slow_handshake_is_cut),
		cmocka_unit_test(silent_connection_is_closed),
		cmocka_unit_test(idle_connection_is_closed_between_requests),
		cmocka_unit_test(client_that_does_not_read_is_cut),
		cmocka_unit_test(handler_may_take_its_time),
		cmocka_unit_test(total_of_connections_is_bounded),
		cmocka_unit_test(connections_per_source_are_bounded),
		cmocka_unit_test(requests_per_connection_are_bounded),
		cmocka_unit_test(plain_http_needs_a_loopback_address),
		cmocka_unit_test(ipv6_listens_and_names_its_peer),
		cmocka_unit_test(key_of_another_certificate_is_told),
		cmocka_unit_test(end_with_everything_open),
	};

	return cmocka_run_group_tests_name("net/limits", tests, NULL, NULL);
}

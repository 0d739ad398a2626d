/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS listener's sessions: suites, certificates, cookies, forgeries, limits. */
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

#include "server/net/datagram.h"
#include "tests/unit/net/support_coap.h"

#define SEN COAP_EST "/sen"

static struct coap_world shared;

static int
shared_start(void **state)
{
	(void)state;
	coap_world_start(&shared, NULL);
	return 0;
}

static int
shared_stop(void **state)
{
	(void)state;
	coap_world_stop(&shared);
	return 0;
}

static void
x1_ccm8_is_offered(void **state)
{
	struct coap_client c;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	assert_string_equal(SSL_get_cipher_name(c.ssl), "ECDHE-ECDSA-AES128-CCM8");
	assert_int_equal(SSL_version(c.ssl), DTLS1_2_VERSION);
	assert_int_equal(SSL_get_extms_support(c.ssl), 1);
	coap_client_close(&c);
}

static void
x1_gcm_is_offered(void **state)
{
	static const struct coap_client_options o128 = { .ciphers =
		                                             "ECDHE-ECDSA-AES128-GCM-SHA256" },
	                                        o256 = { .ciphers =
		                                             "ECDHE-ECDSA-AES256-GCM-SHA384" };
	struct coap_client c;

	(void)state;
	coap_client_open(&c, shared.port, &o128);
	coap_client_close(&c);
	coap_client_open(&c, shared.port, &o256);
	coap_client_close(&c);
}

static double
handshakes(const char *outcome)
{
	char series[128];

	snprintf(series, sizeof series,
	    "muster_dtls_handshakes_total{listener=\"test\",outcome=\"%s\"} ", outcome);
	return world_metric(series);
}

/* The counter follows the alert by a moment. */
static void
wait_handshakes(const char *outcome, double want)
{
	for (int i = 0; i < 500 && handshakes(outcome) < want; i++)
		usleep(20000);
	assert_true(handshakes(outcome) == want);
}

static void
x1_cbc_is_refused(void **state)
{
	static const struct coap_client_options o = { .ciphers = "ECDHE-ECDSA-AES128-SHA256" };
	double before = handshakes("failed");
	struct coap_client c;

	(void)state;
	assert_false(coap_client_try(&c, shared.port, &o));
	wait_handshakes("failed", before + 1);
}

static void
x3_client_certificate_is_mandatory(void **state)
{
	static const struct coap_client_options o = { .anonymous = true };
	double before = handshakes("no_client_cert");
	struct coap_client c;

	(void)state;
	assert_false(coap_client_try(&c, shared.port, &o));
	wait_handshakes("no_client_cert", before + 1);
}

/* Which CA is the trust room's matter; here the chain and the own certificate must be seen. */
static void
x3_any_certificate_and_its_chain(void **state)
{
	struct coap_client_options o = { .cert = pki()->stranger, .key = pki()->client_key };
	struct coap_client c;
	struct coap_got g;
	uint8_t finished[64];
	char hex[40] = "";
	size_t n;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	n = SSL_get_finished(c.ssl, finished, sizeof finished);
	assert_int_equal(n, 12);
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", finished[i]);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/es", 60, MST_LIT("x")), &g);
	assert_non_null(strstr(coap_last(&shared), "device 1 1 own 127.0.0.1 "));
	assert_non_null(strstr(coap_last(&shared), hex)); /* est.md L3: tls-unique over DTLS 1.2 */
	coap_client_close(&c);
	coap_client_open(&c, shared.port, &o);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/es", 60, MST_LIT("x")), &g);
	assert_non_null(strstr(coap_last(&shared), "stranger 0 own 127.0.0.1 "));
	coap_client_close(&c);
}

/* One trace for all that a session asks, since CoAP carries none. */
static void
a_session_has_one_trace(void **state)
{
	struct coap_client c;
	struct coap_got g;
	char first[sizeof shared.last];

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/es", 60, MST_LIT("x")), &g);
	memcpy(first, coap_last(&shared), sizeof first);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/es", 60, MST_LIT("x")), &g);
	assert_string_equal(first, coap_last(&shared));
	coap_client_close(&c);
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/es", 60, MST_LIT("x")), &g);
	assert_string_not_equal(first, coap_last(&shared));
	coap_client_close(&c);
}

static int
raw_socket(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* A first ClientHello, as OpenSSL makes it. */
static size_t
make_hello(uint8_t *out, size_t cap)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *sent = BIO_new(BIO_s_mem());
	int n;

	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(ssl, 1400);
	SSL_set_bio(ssl, in, sent);
	(void)SSL_connect(ssl);
	n = BIO_read(sent, out, (int)cap);
	assert_true(n > 60);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return (size_t)n;
}

#define SESSIONS "muster_dtls_sessions{listener=\"test\"} "
#define HELLOS "muster_dtls_hellos_total{listener=\"test\"} "

/* X4, brski.md 13.2: a flood of ClientHellos without cookie claims nothing. */
static void
x4_hellos_claim_no_memory(void **state)
{
	uint8_t hello[1024], answer[1024];
	size_t n = make_hello(hello, sizeof hello);
	double before = world_metric(SESSIONS), hellos;
	ssize_t got;

	(void)state;
	hellos = world_metric(HELLOS);
	for (int i = 0; i < 500; i++) {
		int fd = raw_socket(shared.port);

		assert_int_equal(send(fd, hello, n, 0), (ssize_t)n);
		got = recv(fd, answer, sizeof answer, 0);
		assert_true(got > 25 && (size_t)got < n); /* no amplification */
		assert_int_equal(answer[0], 22);
		assert_int_equal(answer[13], 3); /* HelloVerifyRequest */
		close(fd);
	}
	/* the counter follows the answer by a moment */
	for (int i = 0; i < 200 && world_metric(HELLOS) < hellos + 500; i++)
		usleep(20000);
	assert_true(world_metric(HELLOS) == hellos + 500);
	assert_true(world_metric(SESSIONS) <= before);
}

static void
ju5_garbage_is_dropped(void **state)
{
	static const char *const junk[] = { "x", "\x16\xfe\xfd", "\x17\xfe\xfd\x00\x01",
		"GET / HTTP/1.1\r\n\r\n" };
	uint8_t hello[1024], zeros[1200] = { 0 };
	size_t n = make_hello(hello, sizeof hello);
	int fd = raw_socket(shared.port);
	struct coap_client c;
	struct coap_got g;

	(void)state;
	for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++)
		assert_true(send(fd, junk[i], strlen(junk[i]), 0) >= 0);
	assert_true(send(fd, zeros, sizeof zeros, 0) > 0);
	assert_true(send(fd, "", 0, 0) == 0);
	for (size_t i = 1; i < n; i++) /* every strict prefix of a ClientHello */
		(void)send(fd, hello, i, 0);
	for (size_t i = 0; i < n; i++) { /* and one bit of each byte the other way */
		hello[i] ^= 0x10;
		(void)send(fd, hello, n, 0);
		hello[i] ^= 0x10;
	}
	close(fd);
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(SEN, 286, MST_LIT("csr")), &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	coap_client_close(&c);
}

/* Forged records for a session do it no harm. */
static void
forged_records_are_dropped(void **state)
{
	static const struct coap_client_options o = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" };
	uint8_t record[64] = { 23, 254, 253, 0, 1, 0, 0, 0, 0, 1, 0, 0, 51 };
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, &o);
	for (int i = 0; i < 200; i++) {
		record[10] = (uint8_t)i;
		assert_true(send(c.fd, record, sizeof record, 0) > 0);
		usleep(i % 20 == 0 ? 5000 : 0); /* the socket's queue is short */
	}
	coap_ask(&c, &COAP_ASK_POST(SEN, 286, MST_LIT("csr")), &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	coap_client_close(&c);
}

/* brski.md 13.2: with 8-byte tags 2^7 forgeries end it. */
static void
ccm8_ends_after_128_forgeries(void **state)
{
	uint8_t record[64] = { 23, 254, 253, 0, 1, 0, 0, 0, 0, 1, 0, 0, 51 };
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	for (int i = 0; i < 127; i++) {
		record[10] = (uint8_t)i;
		assert_true(send(c.fd, record, sizeof record, 0) > 0);
	}
	coap_ask(&c, &COAP_ASK_POST(SEN, 286, MST_LIT("csr")), &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	assert_true(send(c.fd, record, sizeof record, 0) > 0);
	assert_false(coap_get(&c, &g, 8000));
	assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	coap_client_close(&c);
}

/* RFC 6347 4.2.8: a client that lost its session begins again from the same port. */
static void
same_port_begins_again(void **state)
{
	struct coap_client_options o = { 0 };
	struct coap_client c, again;
	struct coap_got g;
	struct sockaddr_in me;
	socklen_t len = sizeof me;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	assert_int_equal(getsockname(c.fd, (struct sockaddr *)&me, &len), 0);
	o.local_port = ntohs(me.sin_port);
	SSL_set_quiet_shutdown(c.ssl, 1); /* it crashed */
	coap_client_close(&c);
	coap_client_open(&again, shared.port, &o);
	coap_ask(&again, &COAP_ASK_POST(SEN, 286, MST_LIT("csr")), &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	coap_client_close(&again);
}

struct limit {
	const char *name;
	struct net_coaps_limits limits;
	const char *reason;
	int good; /* so many get in */
};
static const struct limit limits_rows[] = {
	{ "TLS-9: sessions per source", { .per_source = 3 }, "sessions_per_source", 3 },
	{ "TLS-9: sessions in all", { .sessions = 2 }, "sessions", 2 },
	{ "TLS-9: handshakes per source and time", { .handshake_rate = 1, .handshake_burst = 4 },
	    "handshake_rate", 4 },
};

static bool
behind_a_proxy(void *arg, const struct sockaddr_in6 *from, struct datagram_path *real)
{
	(void)arg;
	real->peer = *from;
	inet_pton(AF_INET6, "fe80::7", &real->peer.sin6_addr);
	real->peer.sin6_port = htons(7777);
	return true;
}

/* Pledges of one stateless proxy may begin more than a source of their own could. */
static void
jpu2_a_proxy_begins_more_than_a_source(void **state)
{
	struct net_coaps o = { .limits = { .handshake_rate = 1,
		                   .handshake_burst = 2,
		                   .proxied_rate = 1,
		                   .proxied_burst = 4 } };
	const struct coap_client_options brief = { .patience_ms = 200 };
	struct coap_client c[5];
	struct coap_world w;

	(void)state;
	for (int proxied = 0; proxied < 2; proxied++) {
		int good = proxied ? 4 : 2;

		o.alias = proxied ? behind_a_proxy : NULL;
		coap_world_open(&w, &o);
		for (int i = 0; i < good; i++)
			coap_client_open(&c[i], w.port, NULL);
		assert_false(coap_client_try(&c[good], w.port, &brief));
		for (int i = 0; i < good; i++)
			coap_client_close(&c[i]);
		coap_world_stop(&w);
	}
}

/* What is refused to the pledges behind it is not refused to others of its address. */
static bool
all_but_two_are_proxied(void *arg, const struct sockaddr_in6 *from, struct datagram_path *real)
{
	unsigned *n = arg;

	real->peer = *from;
	return ++*n > 2;
}

static void
jpu2_a_proxy_is_counted_apart_from_its_address(void **state)
{
	unsigned n = 0;
	struct net_coaps o = { .alias = all_but_two_are_proxied,
		.alias_arg = &n,
		.limits = { .handshake_rate = 1, .handshake_burst = 2, .proxied_rate = 1 } };
	struct coap_client c[4];
	struct coap_world w;

	(void)state;
	coap_world_open(&w, &o);
	for (int i = 0; i < 4; i++)
		coap_client_open(&c[i], w.port, NULL);
	for (int i = 0; i < 4; i++)
		coap_client_close(&c[i]);
	coap_world_stop(&w);
}

static void
one_limit(void **state)
{
	const struct limit *l = *state;
	struct coap_world w;
	struct coap_client c[5];
	const struct coap_client_options brief = { .patience_ms = 200 };
	char series[128];

	coap_world_start(&w, &l->limits);
	for (int i = 0; i < l->good; i++)
		coap_client_open(&c[i], w.port, NULL);
	/* The next one is not answered beyond its cookie. */
	assert_false(coap_client_try(&c[l->good], w.port, &brief));
	snprintf(series, sizeof series,
	    "muster_dtls_refused_total{listener=\"test\",reason=\"%s\"} ", l->reason);
	assert_true(world_metric(series) >= 1);
	for (int i = 0; i < l->good; i++)
		coap_client_close(&c[i]);
	coap_world_stop(&w);
}

static void
idle_sessions_end(void **state)
{
	static const struct net_coaps_limits limits = { .idle_ms = 300 };
	struct coap_world w;
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_world_start(&w, &limits);
	coap_client_open(&c, w.port, NULL);
	assert_false(coap_get(&c, &g, 8000));
	assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	coap_client_close(&c);
	coap_world_stop(&w);
}

static void
handshakes_end(void **state)
{
	static const struct net_coaps_limits limits = { .handshake_ms = 300 };
	double before = handshakes("failed");
	struct coap_world w;
	struct coap_client c;

	(void)state;
	coap_world_start(&w, &limits);
	coap_client_begin(&c, w.port);
	wait_handshakes("failed", before + 1);
	coap_client_close(&c);
	coap_world_stop(&w);
}

/* Each client is another host of a /64; arg is where it came to. */
static bool
hosts_of_a_64(void *arg, const struct sockaddr_in6 *from, struct datagram_path *real)
{
	real->peer = *from;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:2::", &real->peer.sin6_addr), 1);
	memcpy(&real->peer.sin6_addr.s6_addr[14], &from->sin6_port, 2);
	assert_int_equal(inet_pton(AF_INET6, arg, &real->local), 1);
	return true;
}

/* An attacker owns a /64; neighbours of ours do not own theirs. */
static void
tls9_sessions_of_a_64(void **state)
{
	struct net_coaps o = { .alias = hosts_of_a_64,
		.alias_arg = (void *)(uintptr_t) "2001:db8:1::1",
		.limits = { .per_source = 2 } };
	const struct coap_client_options brief = { .patience_ms = 200 };
	struct coap_client c[3];
	struct coap_world w;

	(void)state;
	for (int neighbours = 0; neighbours < 2; neighbours++) {
		coap_world_open(&w, &o);
		for (int i = 0; i < 2; i++)
			coap_client_open(&c[i], w.port, NULL);
		assert_int_equal(
		    coap_client_try(&c[2], w.port, neighbours ? NULL : &brief), neighbours);
		for (int i = 0; i < 2 + neighbours; i++)
			coap_client_close(&c[i]);
		coap_world_stop(&w);
		o.alias_arg = (void *)(uintptr_t) "2001:db8:2::1";
	}
}

static void
jpu2_a_proxys_pledge_bears_its_name(void **state)
{
	const struct net_coaps o = { .alias = behind_a_proxy };
	struct coap_world w;
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_world_open(&w, &o);
	coap_client_open(&c, w.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/es", 60, MST_LIT("x")), &g);
	assert_non_null(strstr(coap_last(&w), " fe80::7 "));
	coap_client_close(&c);
	coap_world_stop(&w);
}

static void
rsa_certificate_is_refused_at_start(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	X509 *x = X509_dup(pki()->server);
	struct net_coaps o = { .name = "x", .address = "127.0.0.1:0", .cert = x, .key = rsa };
	struct net *n;
	int port;

	(void)state;
	X509_set_pubkey(x, rsa);
	X509_sign(x, pki()->ca_key, EVP_sha256());
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(net_listen_coaps(n, &o, &port), MST_E_UNSUPPORTED);
	assert_non_null(strstr(net_why(), "ECDSA"));
	o.cert = pki()->server;
	o.key = pki()->server_key;
	o.address = "nowhere";
	assert_int_equal(net_listen_coaps(n, &o, &port), MST_E_CONFIG_VALUE);
	net_free(n);
	X509_free(x);
	EVP_PKEY_free(rsa);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

int
main(void)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(x1_ccm8_is_offered),
		cmocka_unit_test(x1_gcm_is_offered),
		cmocka_unit_test(x1_cbc_is_refused),
		cmocka_unit_test(x3_client_certificate_is_mandatory),
		cmocka_unit_test(x3_any_certificate_and_its_chain),
		cmocka_unit_test(a_session_has_one_trace),
		cmocka_unit_test(x4_hellos_claim_no_memory),
		cmocka_unit_test(ju5_garbage_is_dropped),
		cmocka_unit_test(forged_records_are_dropped),
		cmocka_unit_test(ccm8_ends_after_128_forgeries),
		cmocka_unit_test(same_port_begins_again),
		cmocka_unit_test(idle_sessions_end),
		cmocka_unit_test(handshakes_end),
		cmocka_unit_test(tls9_sessions_of_a_64),
		cmocka_unit_test(jpu2_a_proxys_pledge_bears_its_name),
		cmocka_unit_test(jpu2_a_proxy_begins_more_than_a_source),
		cmocka_unit_test(jpu2_a_proxy_is_counted_apart_from_its_address),
		cmocka_unit_test(rsa_certificate_is_refused_at_start),
	};
	static struct CMUnitTest tests[COUNT(limits_rows) + COUNT(single)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(limits_rows); i++)
		tests[n++] = (struct CMUnitTest){ limits_rows[i].name, one_limit, NULL, NULL,
			(void *)(uintptr_t)&limits_rows[i] };
	for (size_t i = 0; i < COUNT(single); i++)
		tests[n++] = single[i];
	return _cmocka_run_group_tests("coaps_dtls", tests, n, shared_start, shared_stop);
}

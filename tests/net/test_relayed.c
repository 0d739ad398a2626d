/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real DTLS through real join proxies: client, UDP join proxy of either mode,
 * the registrar's JPY port, CoAPS listener; constrained-join-proxy 4.3, 4.4.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/net/jpy.h"
#include "server/proxy/udp.h"
#include "tests/net/fault.h"
#include "tests/unit/net/support_coap.h"

#define CLIENTS 20

struct relay {
	struct coap_world site;
	struct net *net; /* proxy and JPY port, on a loop of their own */
	pthread_t thread;
	struct jpy *jpy; /* NULL: stateful */
	struct proxy_udp *proxy;
	struct fault_link bad; /* between proxy and JPY port, when asked for */
	pthread_t bad_thread;
	int port; /* for clients */
};

/* The listener is opened before the JPY port that it asks. */
static bool
behind(void *arg, const struct sockaddr_in6 *from, struct datagram_path *real)
{
	struct relay *r = arg;

	return r->jpy != NULL && jpy_peer(r->jpy, from, real);
}

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

static void *
run_bad(void *arg)
{
	fault_run(arg);
	return NULL;
}

static struct sockaddr_in6
at(const char *host, int port)
{
	struct sockaddr_in6 a;
	char text[64];

	snprintf(text, sizeof text, "%s:%d", host, port);
	assert_int_equal(datagram_address(text, DATAGRAM_LITERAL, &a), MST_OK);
	return a;
}

enum mode { STATEFUL, STATELESS, STATELESS_IPV6 };

static void
begin(struct relay *r, enum mode mode, const struct fault_rates *rates)
{
	struct net_coaps o = { .alias = behind, .alias_arg = r };
	struct jpy_config j = { .listen = mode == STATELESS_IPV6 ? "[::1]:0" : "127.0.0.1:0" };
	struct proxy_udp_config p = {
		.listen = "127.0.0.1:0", .per_pledge = 100, .per_interface = 100
	};
	char uri[64];
	uint16_t ports[PROXY_UDP_PORTS];
	int port;

	memset(r, 0, sizeof *r);
	coap_world_open(&r->site, &o);
	port = r->site.port;
	assert_int_equal(net_new(1, &r->net), MST_OK);
	if (mode != STATEFUL) {
		j.listener = at("127.0.0.1", r->site.port);
		assert_int_equal(jpy_open(&j, r->net, &r->jpy, &port), MST_OK);
	}
	if (rates != NULL) {
		r->bad.seed = 42;
		r->bad.rates = *rates;
		r->bad.listen = at("127.0.0.1", 0);
		r->bad.target = at("127.0.0.1", port);
		assert_true(fault_open(&r->bad));
		port = ntohs(r->bad.listen.sin6_port);
		assert_int_equal(pthread_create(&r->bad_thread, NULL, run_bad, &r->bad), 0);
	}
	snprintf(uri, sizeof uri, "%s://%s:%d", mode == STATEFUL ? "coaps" : "jpy",
	    mode == STATELESS_IPV6 ? "[::1]" : "127.0.0.1", port);
	p.registrars = uri;
	assert_int_equal(proxy_udp_open(&p, r->net, &r->proxy), MST_OK);
	assert_int_equal(proxy_udp_ports(r->proxy, ports), 1);
	r->port = ports[0];
	assert_int_equal(pthread_create(&r->thread, NULL, run, r->net), 0);
}

static void
end(struct relay *r)
{
	coap_world_stop(&r->site);
	if (r->bad.listen.sin6_port != 0) {
		atomic_store(&r->bad.stop, true);
		pthread_join(r->bad_thread, NULL);
	}
	net_stop(r->net);
	pthread_join(r->thread, NULL);
	proxy_udp_close(r->proxy);
	jpy_close(r->jpy);
	net_free(r->net);
}

static void
post_comes_back(struct coap_client *c, const char *body)
{
	struct coap_got got;

	coap_ask(c, &COAP_ASK_POST(".well-known/est/sen", 286, mst_span_str(body)), &got);
	assert_int_equal(got.m.code, COAP_CHANGED);
	assert_true(coap_says(&got, body));
}

static void
a_session(enum mode mode)
{
	struct relay r;
	struct coap_client c;

	begin(&r, mode, NULL);
	coap_client_open(&c, r.port,
	    &(struct coap_client_options){ .fragment = TLSEXT_max_fragment_length_512 });
	for (int i = 0; i < 5; i++)
		post_comes_back(&c, "a CSR");
	assert_int_equal(coap_handled(&r.site), 5);
	coap_client_close(&c);
	end(&r);
}

static void
JP_U1_a_dtls_session_through_the_stateful_proxy(void **state)
{
	(void)state;
	a_session(STATEFUL);
}

static void
JP_U2_a_dtls_session_through_the_stateless_proxy(void **state)
{
	(void)state;
	a_session(STATELESS);
}

/* JP-U2: one socket serves many DTLS sessions */
static void
many_at_once(enum mode mode)
{
	struct relay r;
	struct coap_client c[CLIENTS];
	char body[32];

	begin(&r, mode, NULL);
	for (int i = 0; i < CLIENTS; i++)
		coap_client_open(&c[i], r.port, NULL);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < CLIENTS; i++) {
			snprintf(body, sizeof body, "client %d", i);
			post_comes_back(&c[i], body);
		}
	for (int i = 0; i < CLIENTS; i++)
		coap_client_close(&c[i]);
	end(&r);
}

static void
JP_U1_many_sessions_through_the_stateful_proxy(void **state)
{
	(void)state;
	many_at_once(STATEFUL);
}

static void
JP_U2_many_sessions_over_one_jpy_socket(void **state)
{
	(void)state;
	many_at_once(STATELESS);
}

/* For limits and logs the peer is the proxy, not the loopback socket. */
static void
JP_U2_the_listener_sees_the_proxy_behind_a_session(void **state)
{
	struct relay r;
	struct coap_client c;
	struct coap_got got;

	(void)state;
	begin(&r, STATELESS_IPV6, NULL);
	coap_client_open(&c, r.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(".well-known/brski/es", 60, MST_LIT("\xa0")), &got);
	assert_int_equal(coap_handled(&r.site), 1);
	if (strstr(coap_last(&r.site), " ::1 ") == NULL)
		fail_msg("it sees '%s'", coap_last(&r.site));
	coap_client_close(&c);
	end(&r);
}

/* What each datagram twice, and each pair in the other order, does to a session: nothing. */
static void
JP_U2_duplicates_and_reordering_between_proxy_and_registrar(void **state)
{
	struct relay r;
	struct coap_client c;

	(void)state;
	begin(&r, STATELESS, &(struct fault_rates){ .duplicate = 400, .reorder = 200 });
	coap_client_open(&c, r.port, NULL);
	for (int i = 0; i < 10; i++)
		post_comes_back(&c, "a CSR");
	assert_int_equal(coap_handled(&r.site), 10); /* CO-6: no duplicate was handled */
	coap_client_close(&c);
	end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(JP_U1_a_dtls_session_through_the_stateful_proxy),
		cmocka_unit_test(JP_U2_a_dtls_session_through_the_stateless_proxy),
		cmocka_unit_test(JP_U1_many_sessions_through_the_stateful_proxy),
		cmocka_unit_test(JP_U2_many_sessions_over_one_jpy_socket),
		cmocka_unit_test(JP_U2_the_listener_sees_the_proxy_behind_a_session),
		cmocka_unit_test(JP_U2_duplicates_and_reordering_between_proxy_and_registrar),
	};

	return cmocka_run_group_tests_name("relayed", tests, NULL, NULL);
}

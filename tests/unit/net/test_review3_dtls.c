/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places that are held by who says nothing more (TLS-9, JP-U5). To the
 * registrar all pledges of a stateless proxy are one source.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/net/support_coap.h"

#define SESSIONS "\nmuster_dtls_sessions{listener=\"test\"} "
#define GAVE_WAY "muster_dtls_refused_total{listener=\"test\",reason=\"gave_way\"} "
#define YIELD_MS 400

static const struct coap_client_options brief = { .patience_ms = 100 };

/* Begun, and the server knows of it. */
static void
begin_and_stop(struct coap_client *c, int port)
{
	double before = world_metric(SESSIONS);

	coap_client_begin(c, port);
	for (int i = 0; i < 8000 && world_metric(SESSIONS) <= before; i++)
		usleep(1000);
	assert_true(world_metric(SESSIONS) > before);
}

static void
handshake_gives_way(const struct net_coaps_limits *limits)
{
	struct coap_client silent, next;
	struct coap_world w;
	double before;

	coap_world_start(&w, limits);
	before = world_metric(GAVE_WAY);
	begin_and_stop(&silent, w.port);
	usleep(YIELD_MS * 1000);
	coap_client_open(&next, w.port, NULL);
	assert_true(world_metric(GAVE_WAY) > (before > 0 ? before : 0));
	coap_client_close(&next);
	coap_client_close(&silent);
	coap_world_stop(&w);
}

static void
TLS_9_a_handshake_of_the_same_source_gives_way(void **state)
{
	static const struct net_coaps_limits limits = { .handshakes_per_source = 1,
		.yield_ms = YIELD_MS };

	(void)state;
	handshake_gives_way(&limits);
}

static void
TLS_9_a_handshake_gives_way(void **state)
{
	static const struct net_coaps_limits limits = { .handshakes = 1, .yield_ms = YIELD_MS };

	(void)state;
	handshake_gives_way(&limits);
}

static void
TLS_9_a_handshake_that_has_just_begun_does_not(void **state)
{
	static const struct net_coaps_limits limits = { .handshakes_per_source = 1,
		.yield_ms = 60000 };
	struct coap_client slow, next;
	struct coap_world w;

	(void)state;
	coap_world_start(&w, &limits);
	begin_and_stop(&slow, w.port);
	assert_false(coap_client_try(&next, w.port, &brief));
	assert_int_equal(BIO_up_ref(SSL_get_wbio(slow.ssl)), 1);
	SSL_set0_rbio(slow.ssl, SSL_get_wbio(slow.ssl));
	BIO_set_nbio(SSL_get_rbio(slow.ssl), 1);
	assert_int_equal(fcntl(slow.fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 8000 && SSL_connect(slow.ssl) != 1; i++)
		usleep(1000);
	assert_true(SSL_is_init_finished(slow.ssl));
	coap_client_close(&slow);
	coap_world_stop(&w);
}

static void
TLS_9_an_idle_session_of_the_same_source_gives_way(void **state)
{
	static const struct net_coaps_limits limits = { .per_source = 1, .yield_ms = YIELD_MS };
	struct coap_client silent, next;
	struct coap_world w;
	struct coap_got g;

	(void)state;
	coap_world_start(&w, &limits);
	coap_client_open(&silent, w.port, NULL);
	usleep(YIELD_MS * 1000);
	coap_client_open(&next, w.port, NULL);
	coap_ask(&next, &COAP_ASK_GET(COAP_EST "/att"), &g);
	assert_int_equal(g.m.code, COAP_CONTENT);
	assert_false(coap_get(&silent, &g, 100));
	assert_int_equal(SSL_get_shutdown(silent.ssl) & SSL_RECEIVED_SHUTDOWN,
	    SSL_RECEIVED_SHUTDOWN); /* and is told */
	coap_client_close(&next);
	coap_client_close(&silent);
	coap_world_stop(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(TLS_9_a_handshake_of_the_same_source_gives_way),
		cmocka_unit_test(TLS_9_a_handshake_gives_way),
		cmocka_unit_test(TLS_9_a_handshake_that_has_just_begun_does_not),
		cmocka_unit_test(TLS_9_an_idle_session_of_the_same_source_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

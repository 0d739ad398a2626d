/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a certificate of its own making and goes on pinging (RFC 7252 4.3)
 * is never silent: its sessions end all the same, are few, and are the first to
 * give way (TLS-9, brski.md 13.2).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/ssl.h>
#include <unistd.h>

#include "tests/unit/net/support_coap.h"

#define REASON "muster_dtls_refused_total{listener=\"test\",reason=\"stranger\"} "

static bool
knows(void *arg, struct net_peer *peer)
{
	(void)arg;
	return X509_cmp(peer->leaf, pki()->client) == 0;
}

static void
begin(struct coap_world *w, struct net_coaps_limits limits)
{
	const struct net_coaps o = { .knows = knows, .limits = limits };

	coap_world_open(w, &o);
}

static void
open_stranger(struct coap_client *c, int port)
{
	const struct coap_client_options o = { .cert = pki()->stranger, .key = pki()->client_key };

	coap_client_open(c, port, &o);
}

/* False: the session has ended. */
static bool
answers_ping(struct coap_client *c)
{
	struct coap_sent m;
	struct coap_got g;

	coap_begin(c, &m, MST_COAP_CON, COAP_EMPTY);
	m.out.ptr[0] = 0x40; /* an Empty message has no token */
	m.out.len = 4;
	coap_send_it(c, &m);
	return coap_get(c, &g, 300) && g.m.type == MST_COAP_RST;
}

static bool
was_told(const struct coap_client *c)
{
	return (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

static void
TLS_9_a_stranger_that_pings_ends_all_the_same(void **state)
{
	struct coap_client stranger, known;
	double before = world_metric(REASON);
	struct coap_world w;

	(void)state;
	begin(&w, (struct net_coaps_limits){ .stranger_ms = 700 });
	coap_client_open(&known, w.port, NULL);
	open_stranger(&stranger, w.port);
	assert_true(answers_ping(&stranger));
	for (int i = 0; i < 300 && answers_ping(&stranger); i++)
		usleep(50000);
	assert_true(was_told(&stranger));
	assert_true(world_metric(REASON) > (before > 0 ? before : 0));
	assert_true(answers_ping(&known));
	coap_client_close(&stranger);
	coap_client_close(&known);
	coap_world_stop(&w);
}

static void
TLS_9_strangers_of_a_source_have_a_smaller_share(void **state)
{
	struct coap_client c[3], known[2];
	struct coap_world w;

	(void)state;
	begin(&w, (struct net_coaps_limits){ .per_source = 5, .strangers_per_source = 2 });
	for (int i = 0; i < 3; i++)
		open_stranger(&c[i], w.port);
	assert_false(answers_ping(&c[0])); /* the first of three */
	assert_true(was_told(&c[0]));
	assert_true(answers_ping(&c[1]) && answers_ping(&c[2]));
	for (int i = 0; i < 2; i++)
		coap_client_open(&known[i], w.port, NULL);
	assert_true(answers_ping(&c[1]) && answers_ping(&known[0]) && answers_ping(&known[1]));
	for (int i = 0; i < 3; i++)
		coap_client_close(&c[i]);
	for (int i = 0; i < 2; i++)
		coap_client_close(&known[i]);
	coap_world_stop(&w);
}

/* All places are taken by strangers that are never silent for long. */
static void
strangers_give_way(struct net_coaps_limits limits)
{
	struct coap_client c[2], known;
	struct coap_world w;

	limits.yield_ms = 400;
	begin(&w, limits);
	for (int i = 0; i < 2; i++)
		open_stranger(&c[i], w.port);
	for (int i = 0; i < 6; i++) {
		usleep(80000);
		assert_true(answers_ping(&c[0]) && answers_ping(&c[1]));
	}
	coap_client_open(&known, w.port, NULL);
	assert_true(answers_ping(&known));
	assert_false(answers_ping(&c[0]));
	assert_true(answers_ping(&c[1]));
	for (int i = 0; i < 2; i++)
		coap_client_close(&c[i]);
	coap_client_close(&known);
	coap_world_stop(&w);
}

static void
TLS_9_pinging_strangers_give_way_to_others_of_their_source(void **state)
{
	(void)state;
	strangers_give_way((struct net_coaps_limits){ .per_source = 2, .strangers_per_source = 2 });
}

static void
TLS_9_pinging_strangers_give_way_to_others(void **state)
{
	(void)state;
	strangers_give_way((struct net_coaps_limits){ .sessions = 2 });
}

/* Known clients are not ended for their age, nor by others of their source. */
static void
TLS_9_who_is_known_may_stay(void **state)
{
	const struct coap_client_options brief = { .patience_ms = 200 };
	struct coap_client c[2], next;
	struct coap_world w;

	(void)state;
	begin(
	    &w, (struct net_coaps_limits){ .per_source = 2, .yield_ms = 400, .stranger_ms = 300 });
	for (int i = 0; i < 2; i++)
		coap_client_open(&c[i], w.port, NULL);
	for (int i = 0; i < 20; i++) {
		usleep(80000);
		assert_true(answers_ping(&c[0]) && answers_ping(&c[1]));
	}
	assert_false(coap_client_try(&next, w.port, &brief));
	assert_true(answers_ping(&c[0]) && answers_ping(&c[1]));
	for (int i = 0; i < 2; i++)
		coap_client_close(&c[i]);
	coap_world_stop(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(TLS_9_a_stranger_that_pings_ends_all_the_same),
		cmocka_unit_test(TLS_9_strangers_of_a_source_have_a_smaller_share),
		cmocka_unit_test(TLS_9_pinging_strangers_give_way_to_others_of_their_source),
		cmocka_unit_test(TLS_9_pinging_strangers_give_way_to_others),
		cmocka_unit_test(TLS_9_who_is_known_may_stay),
	};

	return cmocka_run_group_tests_name("net/strangers", tests, NULL, NULL);
}

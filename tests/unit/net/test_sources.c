/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attacker has a whole /64: its addresses together get what one source gets
 * (TLS-9, JP-U2). Neighbours on our own /64 are counted one by one, or the first
 * of them would shut out the others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

#include "muster/jpy.h"
#include "tests/unit/net/support_jpy.h"
#include "tests/unit/net/support_net.h"
#include "tests/unit/support_prefix.h"

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

/* --- HTTPS --- */

/* Whether the listener closed it without a word, as it does beyond a limit. */
static bool
is_refused(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, 300) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void
three_connections(int net, bool third_refused)
{
	struct net_listen o = { .name = "test",
		.address = "[" OURS "]:0",
		.cert = pki()->server,
		.key = pki()->server_key,
		.limits = { .per_source = 2 } };
	pthread_t thread;
	struct net *n;
	int port, fd[3];

	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(net_listen(n, &o, &port), MST_OK);
	assert_int_equal(pthread_create(&thread, NULL, run, n), 0);
	for (int i = 0; i < 3; i++) {
		fd[i] = prefix_dial(SOCK_STREAM, net, i + 1, port);
		assert_int_equal(is_refused(fd[i]), i == 2 && third_refused);
	}
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	net_stop(n);
	pthread_join(thread, NULL);
	net_free(n);
}

static void
TLS_9_connections_of_a_64_are_those_of_one_source(void **state)
{
	NEED_PREFIXES();
	three_connections(2, true);
}

static void
TLS_9_connections_of_neighbours_are_their_own(void **state)
{
	NEED_PREFIXES();
	three_connections(1, false);
}

/* --- JPY --- */

static void
join_from(const struct site *s, int net, int i)
{
	uint8_t header = (uint8_t)('a' + i);
	struct sockaddr_in at;
	int fd = prefix_dial(SOCK_DGRAM, net, i, s->port);

	say(fd, mst_span_of(&header, 1), HELLO);
	at = hear(s, HELLO);
	answer(s, &at, SERVER_HELLO);
	get(fd, mst_span_of(&header, 1), SERVER_HELLO);
	close(fd);
}

static void
JP_U2_proxies_of_a_64_are_one(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_proxy");
	int fd;

	NEED_PREFIXES();
	site_begin(
	    &s, (struct jpy_config){ .listen = "[" OURS "]:0", .per_proxy = 2, .yield_ms = 60000 });
	join_from(&s, 2, 1);
	join_from(&s, 2, 2);
	fd = prefix_dial(SOCK_DGRAM, 2, 3, s.port);
	say(fd, MST_LIT("c"), HELLO);
	until_dropped("jpy.limit_proxy", before, 1);
	assert_true(silent(s.listener));
	close(fd);
	site_end(&s);
}

static void
JP_U2_proxies_of_our_own_64_are_many(void **state)
{
	struct site s = { 0 };

	NEED_PREFIXES();
	site_begin(
	    &s, (struct jpy_config){ .listen = "[" OURS "]:0", .per_proxy = 2, .yield_ms = 60000 });
	for (int i = 1; i <= 4; i++)
		join_from(&s, 1, i);
	site_end(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(TLS_9_connections_of_a_64_are_those_of_one_source),
		cmocka_unit_test(TLS_9_connections_of_neighbours_are_their_own),
		cmocka_unit_test(JP_U2_proxies_of_a_64_are_one),
		cmocka_unit_test(JP_U2_proxies_of_our_own_64_are_many),
	};

	return cmocka_run_group_tests_name("net/sources", tests, prefixes_setup, NULL);
}

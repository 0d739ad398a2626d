/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of a join proxy and somebody who has a whole /64 (JP-T, JP-U1; host/source.h). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>

#include "host/log.h"
#include "server/proxy/proxy.h"
#include "tests/unit/proxy/support_udp.h"
#include "tests/unit/support_prefix.h"

/* --- circuits --- */

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

static bool
is_refused(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, 300) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void
three_circuits(int net, bool third_refused)
{
	struct sockaddr_in6 at = address("::1", 0);
	int registrar = socket(AF_INET6, SOCK_STREAM, 0), port, fd[3];
	struct proxy_config c = {
		.listen = "[" OURS "]:0", .max_connections = 10, .per_peer = 2, .idle_ms = 10000
	};
	struct proxy *p;
	pthread_t thread;
	struct net *n;
	char where[64];

	assert_int_equal(bind(registrar, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(registrar, 8), 0);
	snprintf(where, sizeof where, "[::1]:%u", ntohs(name_of(registrar).sin6_port));
	c.registrar = where;
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(proxy_open(&c, n, &p, &port), MST_OK);
	assert_int_equal(pthread_create(&thread, NULL, run, n), 0);
	for (int i = 0; i < 3; i++) {
		fd[i] = prefix_dial(SOCK_STREAM, net, i + 1, port);
		assert_int_equal(is_refused(fd[i]), i == 2 && third_refused);
	}
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	net_stop(n);
	pthread_join(thread, NULL);
	proxy_close(p);
	net_free(n);
	close(registrar);
}

static void
JP_T_circuits_of_a_64_are_those_of_one_pledge(void **state)
{
	NEED_PREFIXES();
	three_circuits(2, true);
}

static void
JP_T_circuits_of_neighbours_are_their_own(void **state)
{
	NEED_PREFIXES();
	three_circuits(1, false);
}

/* --- mappings --- */

static void
joins_from(struct world *w, int net, int i)
{
	int fd = prefix_dial(SOCK_DGRAM, net, i, w->port);

	put(fd, said("hello"));
	get(w->registrar, said("hello"));
	close(fd);
}

static void
JP_U1_mappings_of_a_64_are_those_of_one_pledge(void **state)
{
	struct world w = { 0 };
	double before = dropped("proxy.limit_peer");
	int fd;

	NEED_PREFIXES();
	world_begin(&w, "coaps", (struct proxy_udp_config){ .sources = PROXY_UDP_ANY });
	joins_from(&w, 2, 1);
	joins_from(&w, 2, 2);
	fd = prefix_dial(SOCK_DGRAM, 2, 3, w.port);
	put(fd, said("hello"));
	until_dropped("proxy.limit_peer", before + 1);
	assert_true(silent(w.registrar));
	close(fd);
	world_end(&w);
}

static void
JP_U1_mappings_of_neighbours_are_their_own(void **state)
{
	struct world w = { 0 };

	NEED_PREFIXES();
	world_begin(&w, "coaps", (struct proxy_udp_config){ .sources = PROXY_UDP_ANY });
	for (int i = 1; i <= 4; i++)
		joins_from(&w, 1, i);
	world_end(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(JP_T_circuits_of_a_64_are_those_of_one_pledge),
		cmocka_unit_test(JP_T_circuits_of_neighbours_are_their_own),
		cmocka_unit_test(JP_U1_mappings_of_a_64_are_those_of_one_pledge),
		cmocka_unit_test(JP_U1_mappings_of_neighbours_are_their_own),
	};

	log_open("test", LOG_TEXT, LOG_ERROR_, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests_name("proxy/sources", tests, prefixes_setup, NULL);
}

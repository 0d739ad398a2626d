/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More registrars than a join proxy serves, or one liar who plays many:
 * discovery tells of each once, so none may be lost (JP-U4, JP-U5).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "server/proxy/udp.h"

#define LIARS 64 /* as many as discovery knows at once */

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

static int
udp(struct sockaddr_in *at)
{
	socklen_t len = sizeof *at;
	struct timeval patience = { 10, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static void
tell(struct proxy_udp *p, unsigned port, bool gone)
{
	char uri[64];

	snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u", port);
	assert_int_equal(gone ? proxy_udp_forget(p, uri) : proxy_udp_learn(p, uri), MST_OK);
}

static void
JP_U4_a_registrar_found_behind_many_is_served_when_they_go(void **state)
{
	struct proxy_udp_config c = { .listen = "127.0.0.1:0", .sources = PROXY_UDP_ANY };
	struct sockaddr_in good, me;
	int registrar = udp(&good), pledge = udp(&me);
	uint16_t ports[PROXY_UDP_PORTS];
	struct proxy_udp *p;
	pthread_t thread;
	struct net *n;
	static const uint8_t hello[] = { 22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1 };
	uint8_t got[32];

	(void)state;
	log_open("test", LOG_TEXT, LOG_ERROR_, 2);
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(proxy_udp_open(&c, n, &p), MST_OK);
	assert_int_equal(pthread_create(&thread, NULL, run, n), 0);
	for (unsigned i = 0; i < LIARS; i++)
		tell(p, 1 + i, false);
	tell(p, ntohs(good.sin_port), false);
	for (unsigned i = 0; i < LIARS; i++)
		tell(p, 1 + i, true);
	for (int i = 0; i < 1000 && proxy_udp_ports(p, ports) != 1; i++)
		usleep(5000);
	assert_int_equal(proxy_udp_ports(p, ports), 1);
	me.sin_port = htons(ports[0]);
	assert_int_equal(sendto(pledge, hello, sizeof hello, 0, (struct sockaddr *)&me, sizeof me),
	    (ssize_t)sizeof hello);
	assert_int_equal(recv(registrar, got, sizeof got, 0), (ssize_t)sizeof hello);
	net_stop(n);
	pthread_join(thread, NULL);
	proxy_udp_close(p);
	net_free(n);
	close(registrar);
	close(pledge);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(JP_U4_a_registrar_found_behind_many_is_served_when_they_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The circuit proxy between real sockets: RFC 8995 section 4, requirements JP-T. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "server/proxy/known.h"
#include "server/proxy/proxy.h"

struct world {
	struct net *net;
	struct proxy *proxy;
	pthread_t thread;
	int registrar; /* listening socket that plays the registrar */
	int port; /* of the proxy */
	char where[32];
};

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

static int
listen_local(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static int
dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { 10, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static int
accept_one(struct world *w)
{
	struct pollfd p = { .fd = w->registrar, .events = POLLIN };
	struct timeval patience = { 10, 0 };
	int fd;

	assert_int_equal(poll(&p, 1, 10000), 1);
	fd = accept(w->registrar, NULL, NULL);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static void
begin(struct world *w, long most, long per_peer, long idle_ms)
{
	struct proxy_config c = { .listen = "127.0.0.1:0",
		.registrar = w->where,
		.max_connections = most,
		.per_peer = per_peer,
		.idle_ms = idle_ms };
	int port;

	w->registrar = listen_local(&port);
	snprintf(w->where, sizeof w->where, "127.0.0.1:%d", port);
	assert_int_equal(net_new(1, &w->net), MST_OK);
	assert_int_equal(proxy_open(&c, w->net, &w->proxy, &w->port), MST_OK);
	assert_int_equal(pthread_create(&w->thread, NULL, run, w->net), 0);
}

static void
end(struct world *w)
{
	net_stop(w->net);
	pthread_join(w->thread, NULL);
	proxy_close(w->proxy);
	net_free(w->net);
	close(w->registrar);
}

static void
expect(int fd, const char *bytes)
{
	char got[256];
	size_t n = strlen(bytes), at = 0;

	while (at < n) {
		ssize_t r = read(fd, got + at, n - at);

		assert_true(r > 0);
		at += (size_t)r;
	}
	assert_memory_equal(got, bytes, n);
}

static void
carries_both_ways(void **state)
{
	struct world w = { 0 };
	int pledge, registrar;

	(void)state;
	begin(&w, 10, 10, 60000);
	pledge = dial(w.port);
	registrar = accept_one(&w);
	assert_int_equal(write(pledge, "\x16\x03\x01hello", 8), 8);
	expect(registrar, "\x16\x03\x01hello");
	assert_int_equal(write(registrar, "answer", 6), 6);
	expect(pledge, "answer");
	close(pledge);
	close(registrar);
	end(&w);
}

static void
passes_half_close_on(void **state)
{
	struct world w = { 0 };
	int pledge, registrar;
	char byte;

	(void)state;
	begin(&w, 10, 10, 60000);
	pledge = dial(w.port);
	registrar = accept_one(&w);
	assert_int_equal(write(pledge, "last words", 10), 10);
	assert_int_equal(shutdown(pledge, SHUT_WR), 0);
	expect(registrar, "last words");
	assert_int_equal(read(registrar, &byte, 1), 0); /* the end came through ... */
	assert_int_equal(write(registrar, "still here", 10), 10);
	expect(pledge, "still here"); /* ... and the other way is open */
	assert_int_equal(shutdown(registrar, SHUT_WR), 0);
	assert_int_equal(read(pledge, &byte, 1), 0);
	close(pledge);
	close(registrar);
	end(&w);
}

struct pump {
	int fd;
	size_t bytes;
};

static void *
pump_out(void *arg)
{
	struct pump *p = arg;
	unsigned char chunk[4096];
	size_t at = 0;

	while (at < p->bytes) {
		size_t n = sizeof chunk < p->bytes - at ? sizeof chunk : p->bytes - at;
		ssize_t w;

		for (size_t i = 0; i < n; i++)
			chunk[i] = (unsigned char)((at + i) * 31 >> 3);
		w = write(p->fd, chunk, n);
		if (w <= 0)
			break;
		at += (size_t)w;
	}
	shutdown(p->fd, SHUT_WR);
	return NULL;
}

/* More than any queue holds, to a reader that is slow at first: nothing lost, nothing reordered. */
static void
carries_much_to_a_slow_reader(void **state)
{
	struct world w = { 0 };
	struct pump p = { .bytes = 8u << 20 };
	pthread_t thread;
	unsigned char got[65536];
	size_t at = 0;
	int registrar;
	ssize_t r;

	(void)state;
	begin(&w, 10, 10, 60000);
	p.fd = dial(w.port);
	registrar = accept_one(&w);
	pthread_create(&thread, NULL, pump_out, &p);
	usleep(200000);
	while ((r = read(registrar, got, sizeof got)) > 0) {
		for (ssize_t i = 0; i < r; i++, at++)
			if (got[i] != (unsigned char)(at * 31 >> 3))
				fail_msg("byte %zu is wrong", at);
	}
	pthread_join(thread, NULL);
	assert_int_equal(at, p.bytes);
	close(p.fd);
	close(registrar);
	end(&w);
}

static void
refuses_above(struct world *w, int allowed)
{
	int fd[4], registrar[4];
	char byte;

	for (int i = 0; i < allowed; i++) {
		fd[i] = dial(w->port);
		registrar[i] = accept_one(w);
	}
	fd[allowed] = dial(w->port);
	assert_int_equal(read(fd[allowed], &byte, 1), 0); /* closed without a word */
	close(fd[allowed]);
	close(fd[0]); /* one ends: there is room again */
	close(registrar[0]);
	usleep(100000);
	fd[0] = dial(w->port);
	registrar[0] = accept_one(w);
	assert_int_equal(write(fd[0], "x", 1), 1);
	expect(registrar[0], "x");
	for (int i = 0; i < allowed; i++) {
		close(fd[i]);
		close(registrar[i]);
	}
}

static void
refuses_above_the_total(void **state)
{
	struct world w = { 0 };

	(void)state;
	begin(&w, 3, 100, 60000);
	refuses_above(&w, 3);
	end(&w);
}

static void
refuses_above_the_limit_of_a_peer(void **state)
{
	struct world w = { 0 };

	(void)state;
	begin(&w, 100, 2, 60000);
	refuses_above(&w, 2);
	end(&w);
}

static void
closes_what_is_idle(void **state)
{
	struct world w = { 0 };
	int pledge, registrar;
	char byte;

	(void)state;
	begin(&w, 10, 10, 300);
	pledge = dial(w.port);
	registrar = accept_one(&w);
	assert_int_equal(read(pledge, &byte, 1), 0);
	assert_int_equal(read(registrar, &byte, 1), 0);
	close(pledge);
	close(registrar);
	end(&w);
}

static void
ends_the_pledge_when_the_registrar_is_not_there(void **state)
{
	struct world w = { 0 };
	int pledge;
	char byte;

	(void)state;
	begin(&w, 10, 10, 60000);
	close(w.registrar);
	w.registrar = -1;
	pledge = dial(w.port);
	assert_true(read(pledge, &byte, 1) <= 0);
	close(pledge);
	end(&w);
}

/* Without a registrar of its own: what is learnt before it runs. */
static void
begin_learning(struct world *w)
{
	const struct proxy_config c = {
		.listen = "127.0.0.1:0", .max_connections = 10, .per_peer = 10, .idle_ms = 60000
	};

	assert_int_equal(net_new(1, &w->net), MST_OK);
	assert_int_equal(proxy_open(&c, w->net, &w->proxy, &w->port), MST_OK);
}

static void
goes_through(struct world *w)
{
	int pledge, registrar;

	pledge = dial(w->port);
	registrar = accept_one(w);
	assert_int_equal(write(pledge, "hello", 5), 5);
	expect(registrar, "hello");
	close(pledge);
	close(registrar);
}

/*
 * Somebody announces as many registrars as discovery knows at once, before the
 * good one: it is known all the same, tried, and from then on the first.
 */
static void
JP_T_a_registrar_found_behind_many_is_reached(void **state)
{
	struct world w = { 0 };
	int port;

	(void)state;
	w.registrar = listen_local(&port);
	begin_learning(&w);
	for (uint16_t i = 1; i < DISCO_FOUND_MAX; i++) /* nobody listens there */
		proxy_learn(w.proxy, "::ffff:127.0.0.1", i, false);
	proxy_learn(w.proxy, "::ffff:127.0.0.1", (uint16_t)port, false);
	assert_int_equal(pthread_create(&w.thread, NULL, run, w.net), 0);
	usleep(100000); /* the news are taken */
	goes_through(&w);
	goes_through(&w);
	end(&w);
}

/* What is gone is not tried, and what takes its place is. */
static void
JP_T_who_is_gone_is_not_tried(void **state)
{
	struct world w = { 0 };
	int first, second, other;

	(void)state;
	w.registrar = listen_local(&first);
	other = listen_local(&second);
	begin_learning(&w);
	proxy_learn(w.proxy, "::ffff:127.0.0.1", (uint16_t)second, false);
	proxy_learn(w.proxy, "::ffff:127.0.0.1", (uint16_t)second, true);
	proxy_learn(w.proxy, "::ffff:127.0.0.1", (uint16_t)first, false);
	assert_int_equal(pthread_create(&w.thread, NULL, run, w.net), 0);
	usleep(100000);
	goes_through(&w);
	assert_int_equal(poll(&(struct pollfd){ .fd = other, .events = POLLIN }, 1, 50), 0);
	close(other);
	end(&w);
}

static void
refuses_addresses_that_are_none(void **state)
{
	struct proxy_config bad = { .listen = "nowhere", .registrar = "127.0.0.1:1" };
	struct proxy_config lost = { .listen = "127.0.0.1:0", .registrar = "127.0.0.1" };
	struct proxy *p;
	struct net *n;
	int port;

	(void)state;
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(proxy_open(&bad, n, &p, &port), MST_E_CONFIG_VALUE);
	assert_non_null(strstr(proxy_why(), "nowhere"));
	assert_int_equal(proxy_open(&lost, n, &p, &port), MST_E_CONFIG_VALUE);
	net_free(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(carries_both_ways),
		cmocka_unit_test(passes_half_close_on),
		cmocka_unit_test(carries_much_to_a_slow_reader),
		cmocka_unit_test(refuses_above_the_total),
		cmocka_unit_test(refuses_above_the_limit_of_a_peer),
		cmocka_unit_test(closes_what_is_idle),
		cmocka_unit_test(ends_the_pledge_when_the_registrar_is_not_there),
		cmocka_unit_test(refuses_addresses_that_are_none),
		cmocka_unit_test(JP_T_a_registrar_found_behind_many_is_reached),
		cmocka_unit_test(JP_T_who_is_gone_is_not_tried) };

	log_open("test", LOG_TEXT, LOG_ERROR_, 2);
	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}

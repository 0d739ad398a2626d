/* SPDX-License-Identifier: Apache-2.0 */
/* Pledges that begin a handshake and leave it: JP-U2, JP-U5. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "muster/jpy.h"
#include "server/net/jpy.h"
#include "tests/unit/net/support_net.h"

#define RECORD "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x01" /* of a handshake, epoch 0 */
#define HELLO MST_LIT(RECORD "\x01 client hello")
#define SERVER_HELLO MST_LIT(RECORD "\x02 server hello")
#define FINISHED MST_LIT("\x16\xfe\xfd\0\x01\0\0\0\0\0\0\0\x09 sealed")
#define YIELD_MS 50

struct site {
	struct net *net;
	struct jpy *jpy;
	pthread_t thread;
	int listener; /* plays the CoAPS listener */
	int port;
};

static int
udp(const char *from, int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(from) };
	struct timeval patience = { 10, 0 };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	*port = ntohs(at.sin_port);
	return fd;
}

/* A join proxy at that address. */
static int
proxy_at(const struct site *s, const char *from)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)s->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int unused, fd = udp(from, &unused);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

static void
begin(struct site *s, struct jpy_config c)
{
	char text[32];
	int port;

	s->listener = udp("127.0.0.1", &port);
	snprintf(text, sizeof text, "0.0.0.0:%d", port); /* a wildcard: loopback is meant */
	assert_int_equal(datagram_address(text, DATAGRAM_LITERAL, &c.listener), MST_OK);
	c.listen = "127.0.0.1:0";
	assert_int_equal(net_new(1, &s->net), MST_OK);
	assert_int_equal(jpy_open(&c, s->net, &s->jpy, &s->port), MST_OK);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s->net), 0);
}

static void
end(struct site *s)
{
	net_stop(s->net);
	pthread_join(s->thread, NULL);
	jpy_close(s->jpy);
	net_free(s->net);
	if (s->listener >= 0)
		close(s->listener);
}

static void
say(int proxy, mst_span header, mst_span content)
{
	uint8_t room[2000];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m = { header, content };

	assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
	assert_int_equal(send(proxy, room, out.len, 0), (ssize_t)out.len);
}

/* What the listener gets, and from whom. */
static struct sockaddr_in
hear(const struct site *s, mst_span content)
{
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	uint8_t room[2000];
	ssize_t n = recvfrom(s->listener, room, sizeof room, 0, (struct sockaddr *)&from, &len);

	assert_int_equal(n, content.len);
	assert_memory_equal(room, content.ptr, content.len);
	assert_int_equal(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	return from;
}

static void
answer(const struct site *s, const struct sockaddr_in *to, mst_span content)
{
	assert_int_equal(sendto(s->listener, content.ptr, content.len, 0,
	                     (const struct sockaddr *)to, sizeof *to),
	    (ssize_t)content.len);
}

static void
get(int proxy, mst_span header, mst_span content)
{
	uint8_t room[2000];
	ssize_t n = recv(proxy, room, sizeof room, 0);
	struct mst_jpy m;

	assert_true(n > 0);
	assert_int_equal(mst_jpy_parse(mst_span_of(room, (size_t)n), &m), MST_OK);
	assert_true(mst_span_eq(m.header, header));
	assert_true(mst_span_eq(m.content, content));
}

static bool
silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 50) == 0;
}

static double
dropped(const char *reason)
{
	char series[128];

	snprintf(series, sizeof series, "muster_jpy_dropped_total{reason=\"%s\"} ", reason);
	return world_metric(series);
}

/* Until the counter has moved by n since before. */
static void
until_dropped(const char *reason, double before, double n)
{
	for (int i = 0; i < 2000 && dropped(reason) < before + n; i++)
		usleep(5000);
	assert_true(dropped(reason) == before + n);
}

/* What the listener sends to a pledge that has returned a cookie, or (FINISHED) that is through. */
static void
join(const struct site *s, int proxy, mst_span header, mst_span last)
{
	struct sockaddr_in peer;

	say(proxy, header, HELLO);
	peer = hear(s, HELLO);
	answer(s, &peer, last);
	get(proxy, header, last);
}

/* 32 handshakes begun every 30 s and left held 200 places for six minutes each. */
static void
JP_U5_handshakes_that_do_not_end_give_way(void **state)
{
	struct site s = { 0 };
	int proxy;

	(void)state;
	begin(&s, (struct jpy_config){ .per_proxy = 2, .yield_ms = YIELD_MS });
	proxy = proxy_at(&s, "127.0.0.1");
	join(&s, proxy, MST_LIT("1"), SERVER_HELLO);
	join(&s, proxy, MST_LIT("2"), SERVER_HELLO);
	usleep(2 * YIELD_MS * 1000);
	join(&s, proxy, MST_LIT("3"), SERVER_HELLO);
	close(proxy);
	end(&s);
}

static void
JP_U5_handshakes_that_do_not_end_give_way_in_total(void **state)
{
	struct site s = { 0 };
	int one, two;

	(void)state;
	begin(&s, (struct jpy_config){ .connections = 2, .yield_ms = YIELD_MS });
	one = proxy_at(&s, "127.0.0.1");
	two = proxy_at(&s, "127.0.0.2");
	join(&s, one, MST_LIT("1"), SERVER_HELLO);
	join(&s, one, MST_LIT("2"), SERVER_HELLO);
	usleep(2 * YIELD_MS * 1000);
	join(&s, two, MST_LIT("3"), SERVER_HELLO);
	close(one);
	close(two);
	end(&s);
}

/* Nor do they stay by going on to send something or other. */
static void
JP_U5_noise_does_not_keep_a_place(void **state)
{
	struct site s = { 0 };
	int proxy;

	(void)state;
	begin(&s, (struct jpy_config){ .per_proxy = 1, .yield_ms = YIELD_MS });
	proxy = proxy_at(&s, "127.0.0.1");
	join(&s, proxy, MST_LIT("1"), SERVER_HELLO);
	usleep(2 * YIELD_MS * 1000);
	say(proxy, MST_LIT("1"), MST_LIT("noise"));
	hear(&s, MST_LIT("noise"));
	join(&s, proxy, MST_LIT("2"), SERVER_HELLO);
	close(proxy);
	end(&s);
}

static void
JP_U5_a_session_does_not_give_way(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_proxy");
	int proxy;

	(void)state;
	begin(&s, (struct jpy_config){ .per_proxy = 2, .yield_ms = YIELD_MS });
	proxy = proxy_at(&s, "127.0.0.1");
	join(&s, proxy, MST_LIT("1"), FINISHED);
	join(&s, proxy, MST_LIT("2"), FINISHED);
	usleep(2 * YIELD_MS * 1000);
	say(proxy, MST_LIT("3"), HELLO);
	until_dropped("jpy.limit_proxy", before, 1);
	assert_true(silent(s.listener));
	close(proxy);
	end(&s);
}

/* Nor does another proxy's, nor one within its handshake that has just been heard of. */
static void
JP_U5_who_is_shaking_hands_now_does_not_give_way(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_proxy");
	int proxy, other;

	(void)state;
	begin(&s, (struct jpy_config){ .per_proxy = 1, .yield_ms = 60000 });
	proxy = proxy_at(&s, "127.0.0.1");
	other = proxy_at(&s, "127.0.0.2");
	join(&s, other, MST_LIT("1"), SERVER_HELLO);
	join(&s, proxy, MST_LIT("2"), SERVER_HELLO);
	say(proxy, MST_LIT("3"), HELLO);
	until_dropped("jpy.limit_proxy", before, 1);
	assert_true(silent(s.listener));
	close(proxy);
	close(other);
	end(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(JP_U5_handshakes_that_do_not_end_give_way),
		cmocka_unit_test(JP_U5_handshakes_that_do_not_end_give_way_in_total),
		cmocka_unit_test(JP_U5_noise_does_not_keep_a_place),
		cmocka_unit_test(JP_U5_a_session_does_not_give_way),
		cmocka_unit_test(JP_U5_who_is_shaking_hands_now_does_not_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

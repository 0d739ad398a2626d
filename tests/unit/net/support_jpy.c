/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "muster/jpy.h"
#include "tests/unit/net/support_jpy.h"
#include "tests/unit/net/support_net.h"

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

int
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

void
site_begin(struct site *s, struct jpy_config c)
{
	char text[32];
	int port;

	s->listener = udp("127.0.0.1", &port);
	snprintf(text, sizeof text, "0.0.0.0:%d", port); /* a wildcard: loopback is meant */
	assert_int_equal(datagram_address(text, DATAGRAM_LITERAL, &c.listener), MST_OK);
	if (c.listen == NULL)
		c.listen = "127.0.0.1:0";
	assert_int_equal(net_new(1, &s->net), MST_OK);
	assert_int_equal(jpy_open(&c, s->net, &s->jpy, &s->port), MST_OK);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s->net), 0);
}

void
site_end(struct site *s)
{
	net_stop(s->net);
	pthread_join(s->thread, NULL);
	jpy_close(s->jpy);
	net_free(s->net);
	if (s->listener >= 0)
		close(s->listener);
}

void
say(int proxy, mst_span header, mst_span content)
{
	uint8_t room[2000];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m = { header, content };

	assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
	assert_int_equal(send(proxy, room, out.len, 0), (ssize_t)out.len);
}

struct sockaddr_in
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

void
answer(const struct site *s, const struct sockaddr_in *to, mst_span content)
{
	assert_int_equal(sendto(s->listener, content.ptr, content.len, 0,
	                     (const struct sockaddr *)to, sizeof *to),
	    (ssize_t)content.len);
}

void
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

struct sockaddr_in
join_with(const struct site *s, int proxy, mst_span header, mst_span last)
{
	struct sockaddr_in peer;

	say(proxy, header, HELLO);
	peer = hear(s, HELLO);
	answer(s, &peer, last);
	get(proxy, header, last);
	return peer;
}

struct sockaddr_in
join(const struct site *s, int proxy, mst_span header)
{
	return join_with(s, proxy, header, SERVER_HELLO);
}

bool
silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 50) == 0;
}

double
dropped(const char *reason)
{
	char series[128];

	snprintf(series, sizeof series, "muster_jpy_dropped_total{reason=\"%s\"} ", reason);
	return world_metric(series);
}

void
until_dropped(const char *reason, double before, double n)
{
	for (int i = 0; i < 2000 && dropped(reason) < before + n; i++)
		usleep(5000);
	assert_true(dropped(reason) == before + n);
}

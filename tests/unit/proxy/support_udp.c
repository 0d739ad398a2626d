/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/metrics.h"
#include "server/net/datagram.h"
#include "tests/unit/proxy/support_udp.h"

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

struct sockaddr_in6
address(const char *host, unsigned port)
{
	struct sockaddr_in6 a;
	char text[96];

	snprintf(text, sizeof text, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	assert_int_equal(datagram_address(text, DATAGRAM_LITERAL, &a), MST_OK);
	return a;
}

int
socket_at(const char *host, unsigned port)
{
	struct timeval patience = { 10, 0 };
	struct sockaddr_in6 a = address(host, port);
	int no = 0, fd = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

struct sockaddr_in6
name_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof a;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return a;
}

void
uri_of(int fd, const char *scheme, char *out, size_t cap)
{
	struct sockaddr_in6 a = name_of(fd);
	char text[DATAGRAM_TEXT];

	datagram_text(&a, text);
	snprintf(out, cap, "%s://%s", scheme, text);
}

uint16_t
first_port(struct world *w)
{
	uint16_t ports[PROXY_UDP_PORTS];

	assert_int_equal(proxy_udp_ports(w->proxy, ports), 1);
	return ports[0];
}

void
world_start(struct world *w, struct proxy_udp_config c)
{
	c.listen = "[::]:0";
	assert_int_equal(net_new(1, &w->net), MST_OK);
	assert_int_equal(proxy_udp_open(&c, w->net, &w->proxy), MST_OK);
	assert_int_equal(pthread_create(&w->thread, NULL, run, w->net), 0);
}

void
world_begin(struct world *w, const char *scheme, struct proxy_udp_config c)
{
	w->registrar = socket_at(V4, 0);
	uri_of(w->registrar, scheme, w->uri, sizeof w->uri);
	c.registrars = w->uri;
	world_start(w, c);
	w->port = first_port(w);
}

void
world_end(struct world *w)
{
	net_stop(w->net);
	pthread_join(w->thread, NULL);
	proxy_udp_close(w->proxy);
	net_free(w->net);
	if (w->registrar > 0)
		close(w->registrar);
}

int
pledge_at(const char *host, unsigned port)
{
	struct sockaddr_in6 to = address(host, port);
	int fd = socket_at(host, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

mst_span
said(const char *words)
{
	static uint8_t room[8][2000];
	static size_t at;
	uint8_t *b = room[at++ % COUNT(room)];
	size_t n = strlen(words);

	assert_true(n < 1900);
	memcpy(b, "\x16\xfe\xfd\0\0\0\0\0\0\0\0", 11);
	b[11] = (uint8_t)((n + 1) >> 8);
	b[12] = (uint8_t)(n + 1);
	b[13] = 1;
	memcpy(b + 14, words, n);
	return mst_span_of(b, 14 + n);
}

void
put(int fd, mst_span bytes)
{
	assert_int_equal(send(fd, bytes.ptr, bytes.len, 0), (ssize_t)bytes.len);
}

void
get(int fd, mst_span bytes)
{
	static uint8_t room[70000];

	assert_int_equal(recv(fd, room, sizeof room, 0), (ssize_t)bytes.len);
	assert_memory_equal(room, bytes.ptr, bytes.len);
}

struct sockaddr_in6
get_from(int fd, mst_span bytes)
{
	static uint8_t room[70000];
	struct sockaddr_in6 from;
	socklen_t len = sizeof from;

	assert_int_equal(
	    recvfrom(fd, room, sizeof room, 0, (struct sockaddr *)&from, &len), (ssize_t)bytes.len);
	assert_memory_equal(room, bytes.ptr, bytes.len);
	return from;
}

void
put_to(int fd, const struct sockaddr_in6 *to, mst_span bytes)
{
	assert_int_equal(
	    sendto(fd, bytes.ptr, bytes.len, 0, (const struct sockaddr *)to, sizeof *to),
	    (ssize_t)bytes.len);
}

bool
silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 50) == 0;
}

double
metric(const char *series)
{
	static char text[1 << 18];
	size_t n = metrics_text(text, sizeof text - 1);
	char line[160];
	const char *at;

	assert_true(n < sizeof text);
	text[n] = '\0';
	snprintf(line, sizeof line, "\n%s ", series);
	at = strstr(text, line);
	return at != NULL ? strtod(at + strlen(line), NULL) : 0;
}

double
dropped(const char *reason)
{
	char series[128];

	snprintf(series, sizeof series, "muster_proxy_udp_dropped_total{reason=\"%s\"}", reason);
	return metric(series);
}

void
until(const char *series, double want)
{
	for (int i = 0; i < 2000 && metric(series) != want; i++)
		usleep(5000);
	if (metric(series) != want)
		fail_msg("%s is %g, not %g", series, metric(series), want);
}

void
until_dropped(const char *reason, double want)
{
	char series[128];

	snprintf(series, sizeof series, "muster_proxy_udp_dropped_total{reason=\"%s\"}", reason);
	until(series, want);
}

int
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

bool
have(const char *host)
{
	struct sockaddr_in6 a = address(host, 0);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool yes = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

int
joins(struct world *w, const char *host)
{
	int fd = pledge_at(host, w->port);

	put(fd, said("hello"));
	get(w->registrar, said("hello"));
	return fd;
}

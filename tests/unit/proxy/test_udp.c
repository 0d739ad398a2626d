/* SPDX-License-Identifier: Apache-2.0 */
/* The UDP join proxy between real sockets: constrained-join-proxy, requirements JP-U1 to JP-U5. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "host/metrics.h"
#include "muster/jpy.h"
#include "server/net/datagram.h"
#include "server/proxy/udp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define V4 "127.0.0.1"

/* What is freed stays resident in the sanitizer's quarantine; a small one keeps memory flat. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

struct world {
	struct net *net;
	struct proxy_udp *proxy;
	pthread_t thread;
	int registrar; /* a socket that plays it */
	char uri[96]; /* where it is */
	uint16_t port; /* the first join port */
};

static void *
run(void *arg)
{
	assert_int_equal(net_run(arg), MST_OK);
	return NULL;
}

static struct sockaddr_in6
address(const char *host, unsigned port)
{
	struct sockaddr_in6 a;
	char text[96];

	snprintf(text, sizeof text, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	assert_int_equal(datagram_address(text, DATAGRAM_LITERAL, &a), MST_OK);
	return a;
}

/* A blocking socket at host. */
static int
udp(const char *host, unsigned port)
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

static struct sockaddr_in6
name_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof a;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return a;
}

static void
uri_of(int fd, const char *scheme, char *out, size_t cap)
{
	struct sockaddr_in6 a = name_of(fd);
	char text[DATAGRAM_TEXT];

	datagram_text(&a, text);
	snprintf(out, cap, "%s://%s", scheme, text);
}

static uint16_t
first_port(struct world *w)
{
	uint16_t ports[PROXY_UDP_PORTS];

	assert_int_equal(proxy_udp_ports(w->proxy, ports), 1);
	return ports[0];
}

static void
start(struct world *w, struct proxy_udp_config c)
{
	c.listen = "[::]:0";
	assert_int_equal(net_new(1, &w->net), MST_OK);
	assert_int_equal(proxy_udp_open(&c, w->net, &w->proxy), MST_OK);
	assert_int_equal(pthread_create(&w->thread, NULL, run, w->net), 0);
}

static void
begin(struct world *w, const char *scheme, struct proxy_udp_config c)
{
	w->registrar = udp(V4, 0);
	uri_of(w->registrar, scheme, w->uri, sizeof w->uri);
	c.registrars = w->uri;
	start(w, c);
	w->port = first_port(w);
}

static void
end(struct world *w)
{
	net_stop(w->net);
	pthread_join(w->thread, NULL);
	proxy_udp_close(w->proxy);
	net_free(w->net);
	if (w->registrar > 0)
		close(w->registrar);
}

/* A pledge at host that speaks to the join port at the same host. */
static int
pledge_at(const char *host, unsigned port)
{
	struct sockaddr_in6 to = address(host, port);
	int fd = udp(host, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void
put(int fd, mst_span bytes)
{
	assert_int_equal(send(fd, bytes.ptr, bytes.len, 0), (ssize_t)bytes.len);
}

static void
get(int fd, mst_span bytes)
{
	static uint8_t room[70000];

	assert_int_equal(recv(fd, room, sizeof room, 0), (ssize_t)bytes.len);
	assert_memory_equal(room, bytes.ptr, bytes.len);
}

static struct sockaddr_in6
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

static void
put_to(int fd, const struct sockaddr_in6 *to, mst_span bytes)
{
	assert_int_equal(
	    sendto(fd, bytes.ptr, bytes.len, 0, (const struct sockaddr *)to, sizeof *to),
	    (ssize_t)bytes.len);
}

static bool
silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 50) == 0;
}

static double
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

static double
dropped(const char *reason)
{
	char series[128];

	snprintf(series, sizeof series, "muster_proxy_udp_dropped_total{reason=\"%s\"}", reason);
	return metric(series);
}

static void
until(const char *series, double want)
{
	for (int i = 0; i < 2000 && metric(series) != want; i++)
		usleep(5000);
	if (metric(series) != want)
		fail_msg("%s is %g, not %g", series, metric(series), want);
}

static void
until_dropped(const char *reason, double want)
{
	char series[128];

	snprintf(series, sizeof series, "muster_proxy_udp_dropped_total{reason=\"%s\"}", reason);
	until(series, want);
}

static int
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

static bool
have(const char *host)
{
	struct sockaddr_in6 a = address(host, 0);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool yes = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

/* Sending ICMP takes CAP_NET_RAW: who may not tests that it is said so. */
static bool
may_send_icmp(void)
{
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* --- stateful: JP-U1 --- */

static void
JP_U1_payloads_go_both_ways_untouched(void **state)
{
	static uint8_t big[1400];
	const mst_span payloads[] = { MST_LIT("\x16\xfe\xfd hello"), MST_LIT(""), MST_LIT("\x00"),
		mst_span_of(big, sizeof big) };
	struct world w = { 0 };
	int pledge;

	(void)state;
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7);
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	for (size_t i = 0; i < COUNT(payloads); i++) {
		struct sockaddr_in6 from;

		put(pledge, payloads[i]);
		from = get_from(w.registrar, payloads[i]);
		put_to(w.registrar, &from, payloads[i]);
		get(pledge, payloads[i]);
	}
	close(pledge);
	end(&w);
}

static void
JP_U1_over_IPv6(void **state)
{
	struct world w = { 0 };
	struct proxy_udp_config c = { 0 };
	struct sockaddr_in6 from;
	int pledge;

	(void)state;
	if (!have("::1")) {
		print_message("SKIP: no IPv6 here\n");
		skip();
	}
	w.registrar = udp("::1", 0);
	uri_of(w.registrar, "coaps", w.uri, sizeof w.uri);
	c.registrars = w.uri;
	start(&w, c);
	pledge = pledge_at("::1", first_port(&w));
	put(pledge, MST_LIT("hello"));
	from = get_from(w.registrar, MST_LIT("hello"));
	put_to(w.registrar, &from, MST_LIT("answer"));
	get(pledge, MST_LIT("answer"));
	close(pledge);
	end(&w);
}

static void
JP_U1_each_pledge_has_a_port_of_its_own(void **state)
{
	struct world w = { 0 };
	struct sockaddr_in6 a, b;
	int one, two;

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	one = pledge_at(V4, w.port);
	two = pledge_at("127.0.0.2", w.port);
	put(one, MST_LIT("one"));
	a = get_from(w.registrar, MST_LIT("one"));
	put(two, MST_LIT("two"));
	b = get_from(w.registrar, MST_LIT("two"));
	assert_int_not_equal(a.sin6_port, b.sin6_port);
	put(one, MST_LIT("again"));
	assert_int_equal(get_from(w.registrar, MST_LIT("again")).sin6_port, a.sin6_port);
	put_to(w.registrar, &b, MST_LIT("for two"));
	put_to(w.registrar, &a, MST_LIT("for one"));
	get(two, MST_LIT("for two")); /* answered from the address it had sent to */
	get(one, MST_LIT("for one"));
	close(one);
	close(two);
	end(&w);
}

/* One more than allowed: dropped, counted, and answered by ICMP type 1 code 1 where that may be. */
static void
is_refused(struct world *w, const char *host, const char *reason)
{
	double before = dropped(reason);
	int fd = pledge_at(host, w->port);
	char byte;

	put(fd, MST_LIT("one too many"));
	until_dropped(reason, before + 1);
	assert_true(silent(w->registrar));
	if (may_send_icmp()) {
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		assert_int_equal(errno, EHOSTUNREACH); /* ICMPv4 3/13, of ICMPv6 1/1 */
	} else
		assert_true(metric("muster_proxy_udp_icmp_total{outcome=\"not_permitted\"}") >= 1);
	close(fd);
}

static int
joins(struct world *w, const char *host)
{
	int fd = pledge_at(host, w->port);

	put(fd, MST_LIT("hello"));
	get(w->registrar, MST_LIT("hello"));
	return fd;
}

static void
JP_U1_two_mappings_of_one_address(void **state)
{
	struct world w = { 0 };
	int fd[3];

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	fd[0] = joins(&w, V4);
	fd[1] = joins(&w, V4);
	is_refused(&w, V4, "proxy.limit_peer");
	fd[2] = joins(&w, "127.0.0.2"); /* it is that address's limit alone */
	for (size_t i = 0; i < COUNT(fd); i++)
		close(fd[i]);
	end(&w);
}

static void
JP_U1_ten_mappings_of_one_interface(void **state)
{
	struct world w = { 0 };
	char host[32];
	int fd[10];

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	for (int i = 0; i < 10; i++) {
		snprintf(host, sizeof host, "127.0.0.%d", i + 1);
		fd[i] = joins(&w, host);
	}
	is_refused(&w, "127.0.0.11", "proxy.limit_interface");
	assert_true(metric("muster_proxy_udp_mappings") == 10);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
	end(&w);
}

static void
JP_U1_what_is_idle_ends_and_makes_room(void **state)
{
	struct world w = { 0 };
	int fds, fd[2];

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ .idle_ms = 200, .per_interface = 1 });
	fds = descriptors();
	fd[0] = joins(&w, V4);
	until("muster_proxy_udp_mappings", 0);
	assert_int_equal(descriptors(), fds + 1);
	fd[1] = joins(&w, "127.0.0.2");
	close(fd[0]);
	close(fd[1]);
	end(&w);
}

static void
JP_U1_an_answer_keeps_it_awake(void **state)
{
	struct world w = { 0 };
	struct sockaddr_in6 from;
	int pledge;

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ .idle_ms = 1000 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("hello"));
	from = get_from(w.registrar, MST_LIT("hello"));
	for (int i = 0; i < 8; i++) { /* 2 seconds in all */
		usleep(250000);
		put_to(w.registrar, &from, MST_LIT("more"));
		get(pledge, MST_LIT("more"));
	}
	close(pledge);
	end(&w);
}

/* 4.3 SHOULD: the registrar's port is closed, and the pledge gets to know. */
static void
JP_U1_icmp_errors_reach_the_pledge(void **state)
{
	struct world w = { 0 };
	double sent = metric("muster_proxy_udp_icmp_total{outcome=\"sent\"}");
	char byte;
	int pledge;

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	close(w.registrar);
	w.registrar = -1;
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("is anybody there"));
	if (may_send_icmp()) {
		assert_int_equal(recv(pledge, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNREFUSED); /* 3/3, as it came */
		until("muster_proxy_udp_icmp_total{outcome=\"sent\"}", sent + 1);
	} else
		assert_true(silent(pledge));
	close(pledge);
	end(&w);
}

static void
JP_U1_icmp_errors_reach_the_pledge_over_IPv6(void **state)
{
	struct world w = { 0 };
	struct proxy_udp_config c = { 0 };
	char byte;
	int pledge;

	(void)state;
	if (!have("::1") || !may_send_icmp()) {
		print_message("SKIP: no IPv6 or no CAP_NET_RAW here\n");
		skip();
	}
	w.registrar = udp("::1", 0);
	uri_of(w.registrar, "coaps", w.uri, sizeof w.uri);
	close(w.registrar);
	w.registrar = -1;
	c.registrars = w.uri;
	start(&w, c);
	pledge = pledge_at("::1", first_port(&w));
	put(pledge, MST_LIT("is anybody there"));
	assert_int_equal(recv(pledge, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(pledge);
	end(&w);
}

/* RFC 4443 2.4 f: whoever floods does not make the proxy flood */
static void
JP_U1_icmp_is_limited_in_rate(void **state)
{
	struct world w = { 0 };
	double before = metric("muster_proxy_udp_icmp_total{outcome=\"limited\"}");
	int fd, other;

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ .per_interface = 1 });
	fd = joins(&w, V4);
	other = pledge_at("127.0.0.2", w.port);
	for (int i = 0; i < 200; i++)
		send(other, "x", 1, 0);
	for (int i = 0; i < 2000; i++) {
		if (metric("muster_proxy_udp_icmp_total{outcome=\"limited\"}") > before)
			break;
		usleep(5000);
	}
	assert_true(metric("muster_proxy_udp_icmp_total{outcome=\"limited\"}") > before);
	close(fd);
	close(other);
	end(&w);
}

/* Somebody else who guesses the proxy's port is not heard (the kernel sees to it). */
static void
JP_U1_only_the_registrar_is_heard(void **state)
{
	struct world w = { 0 };
	struct sockaddr_in6 from;
	int pledge, stranger = udp(V4, 0);

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("hello"));
	from = get_from(w.registrar, MST_LIT("hello"));
	put_to(stranger, &from, MST_LIT("I am the registrar"));
	assert_true(silent(pledge));
	close(stranger);
	close(pledge);
	end(&w);
}

/* An address of this machine that is neither link-local nor loopback. */
static bool
routable(char out[INET_ADDRSTRLEN])
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (i = all; i != NULL && !found; i = i->ifa_next)
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET) {
			inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr,
			    out, INET_ADDRSTRLEN);
			found = strncmp(out, "127.", 4) != 0 && strncmp(out, "169.254.", 8) != 0;
		}
	freeifaddrs(all);
	return found;
}

static void
JP_U1_4_3_a_routable_sender_is_no_pledge_unless_told_so(void **state)
{
	struct world w = { 0 }, any = { 0 };
	double before = dropped("proxy.not_on_link");
	char host[INET_ADDRSTRLEN];
	int fd;

	(void)state;
	if (!routable(host)) {
		print_message("SKIP: this machine has loopback addresses only\n");
		skip();
	}
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	fd = pledge_at(host, w.port);
	put(fd, MST_LIT("hello"));
	until_dropped("proxy.not_on_link", before + 1);
	assert_true(silent(w.registrar));
	close(fd);
	end(&w);
	begin(&any, "coaps", (struct proxy_udp_config){ .sources = PROXY_UDP_ANY });
	fd = joins(&any, host);
	close(fd);
	end(&any);
}

/* --- stateless: JP-U2, JP-U3 --- */

struct yoke {
	struct sockaddr_in6 from;
	uint8_t bytes[2000];
	size_t len;
	struct mst_jpy jpy;
};

static void
get_jpy(struct world *w, struct yoke *y)
{
	socklen_t len = sizeof y->from;
	ssize_t n =
	    recvfrom(w->registrar, y->bytes, sizeof y->bytes, 0, (struct sockaddr *)&y->from, &len);

	assert_true(n > 0);
	y->len = (size_t)n;
	assert_int_equal(mst_jpy_parse(mst_span_of(y->bytes, y->len), &y->jpy), MST_OK);
	assert_true(y->jpy.header.len <= MST_JPY_HEADER_MAX);
}

static void
put_jpy(int fd, const struct sockaddr_in6 *to, mst_span header, mst_span content)
{
	uint8_t room[2000];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m = { header, content };

	assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
	put_to(fd, to, mst_buf_span(&out));
}

static void
JP_U3_there_and_back(void **state)
{
	struct world w = { 0 };
	struct yoke y;
	int pledge;

	(void)state;
	begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("\x16\xfe\xfd hello"));
	get_jpy(&w, &y);
	assert_true(mst_span_eq(y.jpy.content, MST_LIT("\x16\xfe\xfd hello")));
	put_jpy(w.registrar, &y.from, y.jpy.header, MST_LIT("answer"));
	get(pledge, MST_LIT("answer"));
	close(pledge);
	end(&w);
}

static void
JP_U3_over_IPv6(void **state)
{
	struct world w = { 0 };
	struct proxy_udp_config c = { 0 };
	struct yoke y;
	int pledge;

	(void)state;
	if (!have("::1")) {
		print_message("SKIP: no IPv6 here\n");
		skip();
	}
	w.registrar = udp("::1", 0);
	uri_of(w.registrar, "jpy", w.uri, sizeof w.uri);
	c.registrars = w.uri;
	start(&w, c);
	pledge = pledge_at("::1", first_port(&w));
	put(pledge, MST_LIT("hello"));
	get_jpy(&w, &y);
	put_jpy(w.registrar, &y.from, y.jpy.header, MST_LIT("answer"));
	get(pledge, MST_LIT("answer"));
	close(pledge);
	end(&w);
}

/* 4.5.3 SHOULD, and what stateless means: nothing is kept for a pledge */
static void
JP_U3_a_thousand_pledges_from_one_port_and_no_descriptor_more(void **state)
{
	struct world w = { 0 };
	struct yoke first, y;
	int fds;

	(void)state;
	begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	fds = descriptors();
	for (int i = 0; i < 1000; i++) {
		char host[32];
		int pledge;

		snprintf(host, sizeof host, "127.0.%d.%d", i / 250, 1 + i % 250);
		pledge = pledge_at(host, w.port);
		put(pledge, MST_LIT("hello"));
		get_jpy(&w, i == 0 ? &first : &y);
		if (i > 0) {
			assert_int_equal(y.from.sin6_port, first.from.sin6_port);
			assert_false(mst_span_eq(y.jpy.header, first.jpy.header));
			put_jpy(w.registrar, &y.from, y.jpy.header, MST_LIT("answer"));
			get(pledge, MST_LIT("answer"));
		}
		close(pledge);
	}
	assert_int_equal(descriptors(), fds);
	end(&w);
}

/* 4.4: the registrar knows a pledge by its header alone */
static void
JP_U3_a_pledge_keeps_its_header(void **state)
{
	struct world w = { 0 };
	struct yoke a, b;
	int pledge;

	(void)state;
	begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("one"));
	get_jpy(&w, &a);
	put(pledge, MST_LIT("two"));
	get_jpy(&w, &b);
	assert_true(mst_span_eq(a.jpy.header, b.jpy.header));
	close(pledge);
	end(&w);
}

/* --- forgeries: each starts from a good answer and changes one thing --- */

struct forgery {
	const char *name, *reason;
	void (*make)(struct world *w, const struct yoke *y);
};

static void
forge_random(struct world *w, const struct yoke *y)
{
	put_jpy(
	    w->registrar, &y->from, MST_LIT("0123456789abcdef0123456789abcdef"), MST_LIT("forged"));
}

static void
forge_bit(struct world *w, const struct yoke *y)
{
	uint8_t header[MST_JPY_HEADER_MAX];

	memcpy(header, y->jpy.header.ptr, y->jpy.header.len);
	header[y->jpy.header.len - 1] ^= 1;
	put_jpy(w->registrar, &y->from, mst_span_of(header, y->jpy.header.len), MST_LIT("forged"));
}

static void
forge_short(struct world *w, const struct yoke *y)
{
	put_jpy(w->registrar, &y->from, mst_span_of(y->jpy.header.ptr, y->jpy.header.len - 1),
	    MST_LIT("forged"));
}

static void
forge_empty(struct world *w, const struct yoke *y)
{
	put_jpy(w->registrar, &y->from, MST_LIT(""), MST_LIT("forged"));
}

/* What this proxy would have sealed itself, had it the other one's key. */
static void
forge_other_key(struct world *w, const struct yoke *y)
{
	struct world other = { 0 };
	struct proxy_udp_config c = { .registrars = w->uri };
	struct yoke theirs;
	int pledge;

	start(&other, c);
	pledge = pledge_at(V4, first_port(&other));
	put(pledge, MST_LIT("hello"));
	get_jpy(w, &theirs);
	put_jpy(w->registrar, &y->from, theirs.jpy.header, MST_LIT("forged"));
	close(pledge);
	end(&other);
}

static void
forge_other_address(struct world *w, const struct yoke *y)
{
	struct sockaddr_in6 me = name_of(w->registrar);
	int stranger = udp("127.0.0.2", ntohs(me.sin6_port));

	put_jpy(stranger, &y->from, y->jpy.header, MST_LIT("forged"));
	close(stranger);
}

static void
forge_other_port(struct world *w, const struct yoke *y)
{
	int stranger = udp(V4, 0);

	(void)w;
	put_jpy(stranger, &y->from, y->jpy.header, MST_LIT("forged"));
	close(stranger);
}

static void
forge_bare(struct world *w, const struct yoke *y)
{
	put_to(w->registrar, &y->from, MST_LIT("\x16\xfe\xfd not in a yoke"));
}

static void
forge_garbage(struct world *w, const struct yoke *y)
{
	put_to(w->registrar, &y->from, MST_LIT("\xff\xff\xff"));
}

static void
forge_trailing(struct world *w, const struct yoke *y)
{
	uint8_t bytes[2001];

	memcpy(bytes, y->bytes, y->len);
	bytes[y->len] = 0;
	put_to(w->registrar, &y->from, mst_span_of(bytes, y->len + 1));
}

static void
forge_cut(struct world *w, const struct yoke *y)
{
	put_to(w->registrar, &y->from, mst_span_of(y->bytes, y->len - 1));
}

static const struct forgery forgeries[] = {
	{ "JP-U3 a header out of thin air", "jpy.forged", forge_random },
	{ "JP-U3 a header with one bit flipped", "jpy.forged", forge_bit },
	{ "JP-U3 a header with its last byte cut", "jpy.forged", forge_short },
	{ "JP-U3 an empty header", "jpy.forged", forge_empty },
	{ "JP-U3 a header of another proxy's key", "jpy.forged", forge_other_key },
	{ "JP-U3 a good header from another address", "jpy.source", forge_other_address },
	{ "JP-U3 a good header from another port", "jpy.source", forge_other_port },
	{ "JP-U3 content without its yoke", "cbor.type", forge_bare },
	{ "JP-U3 garbage", "cbor.malformed", forge_garbage },
	{ "JP-U3 a byte behind the yoke", "cbor.trailing", forge_trailing },
	{ "JP-U3 a yoke cut short", "cbor.malformed", forge_cut },
};

static void
forgery_is_dropped_silently(void **state)
{
	const struct forgery *row = *state;
	struct world w = { 0 };
	struct yoke y;
	double before;
	int pledge;

	begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("hello"));
	get_jpy(&w, &y);
	before = dropped(row->reason);
	row->make(&w, &y);
	until_dropped(row->reason, before + 1);
	assert_true(silent(pledge) && silent(w.registrar));
	put_jpy(w.registrar, &y.from, y.jpy.header, MST_LIT("good")); /* and it goes on */
	get(pledge, MST_LIT("good"));
	close(pledge);
	end(&w);
}

/* 4.5.6: no replay protection here, as UDP has none; DTLS has it. */
static void
JP_U3_a_replayed_answer_is_delivered_again(void **state)
{
	struct world w = { 0 };
	struct yoke y;
	int pledge;

	(void)state;
	begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("hello"));
	get_jpy(&w, &y);
	for (int i = 0; i < 3; i++) {
		put_jpy(w.registrar, &y.from, y.jpy.header, MST_LIT("again"));
		get(pledge, MST_LIT("again"));
	}
	close(pledge);
	end(&w);
}

static void
JP_U3_the_key_changes_and_the_former_one_still_opens(void **state)
{
	struct world w = { 0 };
	struct yoke old, y;
	int pledge, changes = 0;
	uint8_t header[MST_JPY_HEADER_MAX];
	double before = dropped("jpy.forged");

	(void)state;
	begin(&w, "jpy", (struct proxy_udp_config){ .key_ms = 2000 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("hello"));
	get_jpy(&w, &old);
	memcpy(header, old.jpy.header.ptr, old.jpy.header.len);
	while (changes < 2) { /* after the first change it still opens, after the second no more */
		usleep(50000);
		put(pledge, MST_LIT("hello"));
		get_jpy(&w, &y);
		if (memcmp(y.jpy.header.ptr, header, sizeof header) == 0)
			continue;
		memcpy(header, y.jpy.header.ptr, sizeof header);
		changes++;
		put_jpy(w.registrar, &y.from, old.jpy.header, MST_LIT("late"));
		if (changes == 1)
			get(pledge, MST_LIT("late"));
	}
	until_dropped("jpy.forged", before + 1);
	assert_true(silent(pledge));
	close(pledge);
	end(&w);
}

static long
resident_kb(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &pages, &resident), 2);
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* From both sides at once: garbage of pledges travels, garbage of the registrar does not. */
static void
JP_U3_a_flood_of_garbage_leaves_memory_flat(void **state)
{
	struct world w = { 0 };
	struct yoke y;
	uint8_t bytes[600];
	uint32_t seed = 7;
	long before = 0;
	int pledge;

	(void)state;
	begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("hello"));
	get_jpy(&w, &y);
	for (int i = 0; i < 20000; i++) {
		size_t n;

		for (size_t k = 0; k < sizeof bytes; k++)
			bytes[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		n = 1 + seed % sizeof bytes;
		if (i % 2 == 0) /* the beginning of a good one */
			memcpy(bytes, "\x82\x58\x20", 3);
		sendto(w.registrar, bytes, n, 0, (struct sockaddr *)&y.from, sizeof y.from);
		send(pledge, bytes, n, 0);
		while (recv(w.registrar, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
			;
		if (i == 2000)
			before = resident_kb();
	}
	assert_true(resident_kb() - before < 4096);
	usleep(100000);
	while (recv(w.registrar, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	assert_true(silent(pledge));
	put_jpy(w.registrar, &y.from, y.jpy.header, MST_LIT("still here"));
	get(pledge, MST_LIT("still here"));
	close(pledge);
	end(&w);
}

static void
JP_U1_a_flood_of_pledges_leaves_ten_mappings(void **state)
{
	struct world w = { 0 };
	char host[32];
	int fds, own = 0;

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	fds = descriptors();
	for (int i = 0; i < 500; i++) {
		int fd;

		snprintf(host, sizeof host, "127.0.%d.%d", 1 + i / 250, 1 + i % 250);
		fd = pledge_at(host, w.port);
		put(fd, MST_LIT("x"));
		close(fd);
		if (i == 20)
			until("muster_proxy_udp_mappings", 10);
	}
	until("muster_proxy_udp_mappings", 10);
	assert_int_equal(descriptors() + own, fds + 10);
	end(&w);
}

/* --- which mode, which port: JP-U4, JP-U5 --- */

static void
until_ports(struct world *w, size_t want, uint16_t ports[PROXY_UDP_PORTS])
{
	for (int i = 0; i < 2000 && proxy_udp_ports(w->proxy, ports) != want; i++)
		usleep(5000);
	assert_int_equal(proxy_udp_ports(w->proxy, ports), want);
}

static void
JP_U4_without_a_registrar_it_is_no_proxy(void **state)
{
	struct world w = { 0 };
	struct proxy_udp_config c = { 0 };
	uint16_t ports[PROXY_UDP_PORTS];
	char uri[96];
	int registrar = udp(V4, 0), pledge;

	(void)state;
	start(&w, c);
	assert_int_equal(proxy_udp_ports(w.proxy, ports), 0);
	uri_of(registrar, "coaps", uri, sizeof uri);
	assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
	until_ports(&w, 1, ports);
	pledge = pledge_at(V4, ports[0]);
	put(pledge, MST_LIT("hello"));
	get(registrar, MST_LIT("hello"));
	assert_int_equal(proxy_udp_forget(w.proxy, uri), MST_OK);
	until_ports(&w, 0, ports);
	until("muster_proxy_udp_mappings", 0);
	send(pledge, "hello", 5, 0);
	assert_true(silent(registrar));
	close(pledge);
	close(registrar);
	end(&w);
}

/* 4.1: if any registrar with brski.rjp is found, the stateless mode MUST be used */
static void
JP_U4_jpy_wins_over_coaps_and_gives_way_when_it_goes(void **state)
{
	struct world w = { 0 };
	struct yoke y;
	uint16_t ports[PROXY_UDP_PORTS], first;
	char uri[96];
	int pledge, jpy = udp(V4, 0);

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	first = w.port;
	pledge = joins(&w, V4);
	uri_of(jpy, "jpy", uri, sizeof uri);
	assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
	until("muster_proxy_udp_mappings", 0);
	until_ports(&w, 1, ports);
	assert_int_equal(ports[0], first); /* the pledges' port stays */
	put(pledge, MST_LIT("hello"));
	assert_true(recv(jpy, y.bytes, sizeof y.bytes, 0) == 1 + 34 + 6);
	assert_true(silent(w.registrar));
	assert_int_equal(proxy_udp_forget(w.proxy, uri), MST_OK);
	for (int i = 0; i < 200 && silent(w.registrar); i++)
		put(pledge, MST_LIT("again"));
	assert_false(silent(w.registrar));
	close(jpy);
	close(pledge);
	end(&w);
}

static void
JP_U4_what_is_configured_is_not_forgotten(void **state)
{
	struct world w = { 0 };
	uint16_t ports[PROXY_UDP_PORTS];
	char uri[96];
	int other = udp(V4, 0);

	(void)state;
	begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	assert_int_equal(proxy_udp_forget(w.proxy, w.uri), MST_OK);
	uri_of(other, "coaps", uri, sizeof uri);
	assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
	until_ports(&w, 2, ports); /* the news before it was read, too */
	assert_int_equal(ports[0], w.port);
	close(other);
	end(&w);
}

/* JP-U5, spec-multi: each registrar has its own join port */
static void
JP_U5_each_registrar_has_its_own_join_port(void **state)
{
	struct world w = { 0 };
	uint16_t ports[PROXY_UDP_PORTS];
	char uri[96];
	int registrars[PROXY_UDP_PORTS + 1];

	(void)state;
	start(&w, (struct proxy_udp_config){ 0 });
	for (size_t i = 0; i < COUNT(registrars); i++) {
		registrars[i] = udp(V4, 0);
		uri_of(registrars[i], "jpy", uri, sizeof uri);
		strcat(uri, "/some/path");
		assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
		assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK); /* twice is once */
	}
	until_ports(&w, PROXY_UDP_PORTS, ports);
	for (size_t i = 0; i < PROXY_UDP_PORTS; i++) {
		int pledge = pledge_at(V4, ports[i]);

		w.registrar = registrars[i];
		for (size_t k = 0; k < 2; k++) {
			struct yoke y;

			put(pledge, MST_LIT("hello"));
			get_jpy(&w, &y);
			put_jpy(registrars[i], &y.from, y.jpy.header, MST_LIT("answer"));
			get(pledge, MST_LIT("answer"));
		}
		close(pledge);
	}
	w.registrar = -1;
	assert_true(silent(registrars[PROXY_UDP_PORTS])); /* one more than can be served */
	end(&w);
	for (size_t i = 0; i < COUNT(registrars); i++)
		close(registrars[i]);
}

static void
JP_U4_coaps_without_a_port_is_5684(void **state)
{
	struct world w = { 0 };
	struct proxy_udp_config c = { .registrars = "coaps://127.56.84.1/b" };
	struct sockaddr_in6 at = address("127.56.84.1", 5684);
	int registrar = socket(AF_INET6, SOCK_DGRAM, 0), no = 0, pledge;

	(void)state;
	setsockopt(registrar, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
	if (bind(registrar, (struct sockaddr *)&at, sizeof at) != 0) {
		print_message("SKIP: port 5684 is taken\n");
		skip();
	}
	start(&w, c);
	pledge = pledge_at(V4, first_port(&w));
	put(pledge, MST_LIT("hello"));
	get(registrar, MST_LIT("hello"));
	close(pledge);
	close(registrar);
	end(&w);
}

static void
JP_U4_uris_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "jpy://127.0.0.1", "jpy://[::1]", "jpy://[::1]/7634",
		"jpy://", "jpy://:7634", "jpy://127.0.0.1:0", "jpy://127.0.0.1:65536",
		"jpy://127.0.0.1:x", "coaps://", "coaps://[::1", "coaps://[fe80::1%25nolink]:5684",
		"coap://127.0.0.1:5683", "https://127.0.0.1:8443", "127.0.0.1:7634", "",
		"jpy://registrar.example:7634" };
	struct world w = { 0 };
	uint16_t ports[PROXY_UDP_PORTS];

	(void)state;
	start(&w, (struct proxy_udp_config){ 0 });
	for (size_t i = 0; i < COUNT(bad); i++)
		if (proxy_udp_learn(w.proxy, bad[i]) != MST_E_CONFIG_VALUE)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(proxy_udp_ports(w.proxy, ports), 0);
	end(&w);
}

static void
refuses_a_configuration_that_cannot_be(void **state)
{
	static const char *const bad[] = { "jpy://127.0.0.1", "coaps://127.0.0.1 nonsense",
		"jpy://[::1]:1 jpy://[::1]:2 jpy://[::1]:3 jpy://[::1]:4 jpy://[::1]:5" };
	struct proxy_udp_config c = { .listen = "nowhere" };
	struct proxy_udp *p;
	struct net *n;

	(void)state;
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(proxy_udp_open(&c, n, &p), MST_E_CONFIG_VALUE);
	assert_non_null(strstr(proxy_udp_why(), "nowhere"));
	c.listen = "127.0.0.1:0";
	for (size_t i = 0; i < COUNT(bad); i++) {
		c.registrars = bad[i];
		assert_int_equal(proxy_udp_open(&c, n, &p), MST_E_CONFIG_VALUE);
	}
	net_free(n);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(JP_U1_payloads_go_both_ways_untouched),
		cmocka_unit_test(JP_U1_over_IPv6),
		cmocka_unit_test(JP_U1_each_pledge_has_a_port_of_its_own),
		cmocka_unit_test(JP_U1_two_mappings_of_one_address),
		cmocka_unit_test(JP_U1_ten_mappings_of_one_interface),
		cmocka_unit_test(JP_U1_what_is_idle_ends_and_makes_room),
		cmocka_unit_test(JP_U1_an_answer_keeps_it_awake),
		cmocka_unit_test(JP_U1_icmp_errors_reach_the_pledge),
		cmocka_unit_test(JP_U1_icmp_errors_reach_the_pledge_over_IPv6),
		cmocka_unit_test(JP_U1_icmp_is_limited_in_rate),
		cmocka_unit_test(JP_U1_only_the_registrar_is_heard),
		cmocka_unit_test(JP_U1_4_3_a_routable_sender_is_no_pledge_unless_told_so),
		cmocka_unit_test(JP_U3_there_and_back),
		cmocka_unit_test(JP_U3_over_IPv6),
		cmocka_unit_test(JP_U3_a_thousand_pledges_from_one_port_and_no_descriptor_more),
		cmocka_unit_test(JP_U3_a_pledge_keeps_its_header),
		cmocka_unit_test(JP_U3_a_replayed_answer_is_delivered_again),
		cmocka_unit_test(JP_U3_the_key_changes_and_the_former_one_still_opens),
		cmocka_unit_test(JP_U3_a_flood_of_garbage_leaves_memory_flat),
		cmocka_unit_test(JP_U1_a_flood_of_pledges_leaves_ten_mappings),
		cmocka_unit_test(JP_U4_without_a_registrar_it_is_no_proxy),
		cmocka_unit_test(JP_U4_jpy_wins_over_coaps_and_gives_way_when_it_goes),
		cmocka_unit_test(JP_U4_what_is_configured_is_not_forgotten),
		cmocka_unit_test(JP_U5_each_registrar_has_its_own_join_port),
		cmocka_unit_test(JP_U4_coaps_without_a_port_is_5684),
		cmocka_unit_test(JP_U4_uris_that_are_none_are_refused),
		cmocka_unit_test(refuses_a_configuration_that_cannot_be),
	};
	struct CMUnitTest tests[COUNT(forgeries) + COUNT(others)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(forgeries); i++)
		tests[n++] = (struct CMUnitTest){ forgeries[i].name, forgery_is_dropped_silently,
			NULL, NULL, (void *)&forgeries[i] };
	for (size_t i = 0; i < COUNT(others); i++)
		tests[n++] = others[i];
	log_open("test", LOG_TEXT, LOG_ERROR_, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests_name("proxy/udp", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The stateful UDP join proxy between real sockets: constrained-join-proxy 4.3, JP-U1. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "tests/unit/proxy/support_udp.h"

/* Sending ICMP takes CAP_NET_RAW: who may not tests that it is said so. */
static bool
may_send_icmp(void)
{
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
JP_U1_payloads_go_both_ways_untouched(void **state)
{
	static uint8_t big[1400];
	const mst_span payloads[] = { said("hello"), mst_span_of(big, sizeof big),
		MST_LIT("\x17\xfe\xfd\0\1\0\0\0\0\0\1\0\3abc\x15\xfe\xfd trailing"),
		MST_LIT("\x19\xfe\xfd some connection id"), MST_LIT("\x2c unified") };
	struct world w = { 0 };
	int pledge;

	(void)state;
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7);
	memcpy(big, "\x16\xfe\xff\0\0\0\0\0\0\0\0\5\x6b\1", 14);
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	for (size_t i = 0; i < COUNT(payloads); i++) {
		struct sockaddr_in6 from;

		put(pledge, payloads[i]);
		from = get_from(w.registrar, payloads[i]);
		put_to(w.registrar, &from, payloads[i]);
		get(pledge, payloads[i]);
	}
	close(pledge);
	world_end(&w);
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
	w.registrar = socket_at("::1", 0);
	uri_of(w.registrar, "coaps", w.uri, sizeof w.uri);
	c.registrars = w.uri;
	world_start(&w, c);
	pledge = pledge_at("::1", first_port(&w));
	put(pledge, said("hello"));
	from = get_from(w.registrar, said("hello"));
	put_to(w.registrar, &from, said("answer"));
	get(pledge, said("answer"));
	close(pledge);
	world_end(&w);
}

static void
JP_U1_each_pledge_has_a_port_of_its_own(void **state)
{
	struct world w = { 0 };
	struct sockaddr_in6 a, b;
	int one, two;

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	one = pledge_at(V4, w.port);
	two = pledge_at("127.0.0.2", w.port);
	put(one, said("one"));
	a = get_from(w.registrar, said("one"));
	put(two, said("two"));
	b = get_from(w.registrar, said("two"));
	assert_int_not_equal(a.sin6_port, b.sin6_port);
	put(one, said("again"));
	assert_int_equal(get_from(w.registrar, said("again")).sin6_port, a.sin6_port);
	put_to(w.registrar, &b, said("for two"));
	put_to(w.registrar, &a, said("for one"));
	get(two, said("for two")); /* answered from the address it had sent to */
	get(one, said("for one"));
	close(one);
	close(two);
	world_end(&w);
}

/* One more than allowed: dropped, counted, and answered by ICMP type 1 code 1 where that may be. */
static void
is_refused(struct world *w, const char *host, const char *reason)
{
	double before = dropped(reason);
	int fd = pledge_at(host, w->port);
	char byte;

	put(fd, said("one too many"));
	until_dropped(reason, before + 1);
	assert_true(silent(w->registrar));
	if (may_send_icmp()) {
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		assert_int_equal(errno, EHOSTUNREACH); /* ICMPv4 3/13, of ICMPv6 1/1 */
	} else
		assert_true(metric("muster_proxy_udp_icmp_total{outcome=\"not_permitted\"}") >= 1);
	close(fd);
}

static void
JP_U1_two_mappings_of_one_address(void **state)
{
	struct world w = { 0 };
	int fd[3];

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	fd[0] = joins(&w, V4);
	fd[1] = joins(&w, V4);
	is_refused(&w, V4, "proxy.limit_peer");
	fd[2] = joins(&w, "127.0.0.2"); /* it is that address's limit alone */
	for (size_t i = 0; i < COUNT(fd); i++)
		close(fd[i]);
	world_end(&w);
}

static void
JP_U1_ten_mappings_of_one_interface(void **state)
{
	struct world w = { 0 };
	char host[32];
	int fd[10];

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	for (int i = 0; i < 10; i++) {
		snprintf(host, sizeof host, "127.0.0.%d", i + 1);
		fd[i] = joins(&w, host);
	}
	is_refused(&w, "127.0.0.11", "proxy.limit_interface");
	assert_true(metric("muster_proxy_udp_mappings") == 10);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
	world_end(&w);
}

static void
JP_U1_what_is_idle_ends_and_makes_room(void **state)
{
	struct world w = { 0 };
	int fds, fd[2];

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ .idle_ms = 200, .per_interface = 1 });
	fds = descriptors();
	fd[0] = joins(&w, V4);
	until("muster_proxy_udp_mappings", 0);
	assert_int_equal(descriptors(), fds + 1);
	fd[1] = joins(&w, "127.0.0.2");
	close(fd[0]);
	close(fd[1]);
	world_end(&w);
}

static void
JP_U1_an_answer_keeps_it_awake(void **state)
{
	struct world w = { 0 };
	struct sockaddr_in6 from;
	int pledge;

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ .idle_ms = 1000 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	from = get_from(w.registrar, said("hello"));
	for (int i = 0; i < 8; i++) { /* 2 seconds in all */
		usleep(250000);
		put_to(w.registrar, &from, said("more"));
		get(pledge, said("more"));
	}
	close(pledge);
	world_end(&w);
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
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	close(w.registrar);
	w.registrar = -1;
	pledge = pledge_at(V4, w.port);
	put(pledge, said("is anybody there"));
	if (may_send_icmp()) {
		assert_int_equal(recv(pledge, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNREFUSED); /* 3/3, as it came */
		until("muster_proxy_udp_icmp_total{outcome=\"sent\"}", sent + 1);
	} else
		assert_true(silent(pledge));
	close(pledge);
	world_end(&w);
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
	w.registrar = socket_at("::1", 0);
	uri_of(w.registrar, "coaps", w.uri, sizeof w.uri);
	close(w.registrar);
	w.registrar = -1;
	c.registrars = w.uri;
	world_start(&w, c);
	pledge = pledge_at("::1", first_port(&w));
	put(pledge, said("is anybody there"));
	assert_int_equal(recv(pledge, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(pledge);
	world_end(&w);
}

/* RFC 4443 2.4 f: whoever floods does not make the proxy flood */
static void
JP_U1_icmp_is_limited_in_rate(void **state)
{
	struct world w = { 0 };
	double before = metric("muster_proxy_udp_icmp_total{outcome=\"limited\"}");
	int fd, other;

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ .per_interface = 1 });
	fd = joins(&w, V4);
	other = pledge_at("127.0.0.2", w.port);
	for (int i = 0; i < 200; i++) { /* an error that has come back already ends a send */
		mst_span x = said("x");

		(void)!send(other, x.ptr, x.len, 0);
	}
	for (int i = 0; i < 2000; i++) {
		if (metric("muster_proxy_udp_icmp_total{outcome=\"limited\"}") > before)
			break;
		usleep(5000);
	}
	assert_true(metric("muster_proxy_udp_icmp_total{outcome=\"limited\"}") > before);
	close(fd);
	close(other);
	world_end(&w);
}

/* Somebody else who guesses the proxy's port is not heard (the kernel sees to it). */
static void
JP_U1_only_the_registrar_is_heard(void **state)
{
	struct world w = { 0 };
	struct sockaddr_in6 from;
	int pledge, stranger = socket_at(V4, 0);

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	from = get_from(w.registrar, said("hello"));
	put_to(stranger, &from, said("I am the registrar"));
	assert_true(silent(pledge));
	close(stranger);
	close(pledge);
	world_end(&w);
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
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	fd = pledge_at(host, w.port);
	put(fd, said("hello"));
	until_dropped("proxy.not_on_link", before + 1);
	assert_true(silent(w.registrar));
	close(fd);
	world_end(&w);
	world_begin(&any, "coaps", (struct proxy_udp_config){ .sources = PROXY_UDP_ANY });
	fd = joins(&any, host);
	close(fd);
	world_end(&any);
}

static void
JP_U1_a_flood_of_pledges_leaves_ten_mappings(void **state)
{
	struct world w = { 0 };
	char host[32];
	int fds, own = 0;

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	fds = descriptors();
	for (int i = 0; i < 500; i++) {
		int fd;

		snprintf(host, sizeof host, "127.0.%d.%d", 1 + i / 250, 1 + i % 250);
		fd = pledge_at(host, w.port);
		put(fd, said("x"));
		close(fd);
		if (i == 20)
			until("muster_proxy_udp_mappings", 10);
	}
	until("muster_proxy_udp_mappings", 10);
	assert_int_equal(descriptors() + own, fds + 10);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(JP_U1_a_flood_of_pledges_leaves_ten_mappings),
	};

	log_open("test", LOG_TEXT, LOG_ERROR_, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests_name("proxy/udp_stateful", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's end of JPY between real sockets: constrained-join-proxy 4.4, 4.5; JP-U2, JP-U5.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "tests/unit/net/support_jpy.h"
#include "tests/unit/net/support_net.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define VERIFY MST_LIT(RECORD "\x03 hello verify request")

static void
JP_U2_answers_come_under_the_same_header(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in peer;
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	proxy = proxy_at(&s, "127.0.0.1");
	say(proxy, MST_LIT("header"), HELLO);
	peer = hear(&s, HELLO);
	answer(&s, &peer, VERIFY);
	get(proxy, MST_LIT("header"), VERIFY);
	say(proxy, MST_LIT("header"), MST_LIT("\x16 anything, now that it is known"));
	assert_int_equal(hear(&s, MST_LIT("\x16 anything, now that it is known")).sin_port,
	    peer.sin_port); /* one session, one peer */
	answer(&s, &peer, SERVER_HELLO);
	answer(&s, &peer, MST_LIT("\x14"));
	get(proxy, MST_LIT("header"), SERVER_HELLO);
	get(proxy, MST_LIT("header"), MST_LIT("\x14"));
	close(proxy);
	site_end(&s);
}

static void
JP_U2_headers_are_peers_of_their_own(void **state)
{
	const mst_span headers[] = { MST_LIT("a"), MST_LIT("b"), MST_LIT("aa"), MST_LIT(""),
		MST_LIT("0123456789abcdef0123456789abcdef") };
	struct sockaddr_in peers[COUNT(headers)];
	struct site s = { 0 };
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	proxy = proxy_at(&s, "127.0.0.1");
	for (size_t i = 0; i < COUNT(headers); i++) {
		peers[i] = join(&s, proxy, headers[i]);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(peers[i].sin_port, peers[k].sin_port);
	}
	for (size_t i = COUNT(headers); i-- > 0;) {
		answer(&s, &peers[i], headers[i].len != 0 ? headers[i] : MST_LIT("empty"));
		get(proxy, headers[i], headers[i].len != 0 ? headers[i] : MST_LIT("empty"));
	}
	close(proxy);
	site_end(&s);
}

/* 4.4: (IP_Jr, p_Jr, IP_R, p_Rj, H); proxies that choose the same header do not meet */
static void
JP_U2_the_same_header_of_two_proxies_is_two_pledges(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in a, b, c;
	int one, two, elsewhere;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	one = proxy_at(&s, "127.0.0.1");
	two = proxy_at(&s, "127.0.0.1"); /* another port */
	elsewhere = proxy_at(&s, "127.0.0.2");
	a = join(&s, one, MST_LIT("h"));
	b = join(&s, two, MST_LIT("h"));
	c = join(&s, elsewhere, MST_LIT("h"));
	answer(&s, &b, MST_LIT("for b"));
	answer(&s, &c, MST_LIT("for c"));
	answer(&s, &a, MST_LIT("for a"));
	get(one, MST_LIT("h"), MST_LIT("for a"));
	get(two, MST_LIT("h"), MST_LIT("for b"));
	get(elsewhere, MST_LIT("h"), MST_LIT("for c"));
	assert_true(silent(one) && silent(two) && silent(elsewhere));
	close(one);
	close(two);
	close(elsewhere);
	site_end(&s);
}

static void
JP_U2_jpy_peer_names_the_proxy_behind_a_loopback_port(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in at;
	struct datagram_path proxy;
	struct sockaddr_in6 mapped;
	char text[DATAGRAM_TEXT];
	int fd;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	fd = proxy_at(&s, "127.0.0.3");
	at = join(&s, fd, MST_LIT("h"));
	snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(datagram_address(text, DATAGRAM_LITERAL, &mapped), MST_OK);
	assert_true(jpy_peer(s.jpy, &mapped, &proxy));
	datagram_host(&proxy.peer, text);
	assert_string_equal(text, "127.0.0.3");
	mapped.sin6_port ^= 1;
	assert_false(jpy_peer(s.jpy, &mapped, &proxy));
	close(fd);
	site_end(&s);
}

struct bad {
	const char *name;
	mst_span datagram;
	const char *reason;
};
#define BAD(name, bytes, reason)                                                                   \
	{                                                                                          \
		name, { (const uint8_t *)(bytes), sizeof(bytes) - 1 }, reason                      \
	}
static const struct bad bads[] = {
	BAD("JP-U5 one byte of garbage", "\xff", "cbor.malformed"),
	BAD("JP-U5 nothing", "", "cbor.malformed"),
	BAD("JP-U5 DTLS without its yoke", "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x01\x01", "cbor.type"),
	BAD("JP-U5 JPY cut short", "\x82\x41h\x4f\x16\xfe\xfd", "cbor.malformed"),
	BAD("JP-U5 one element", "\x81\x41h", "jpy.elements"),
	BAD("JP-U5 bytes behind it", "\x82\x41h\x41h\x00", "cbor.trailing"),
	BAD("JP-U5 header of 33 bytes",
	    "\x82\x58\x21"
	    "0123456789abcdef0123456789abcdefX\x4e\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x01\x01",
	    "jpy.header"),
	BAD("JP-U5 a stranger with no content", "\x82\x41h\x40", "jpy.not_dtls"),
	BAD("JP-U5 a stranger with CoAP in clear", "\x82\x41h\x44\x40\x01\x00\x01", "jpy.not_dtls"),
	BAD("JP-U5 a stranger in the middle of a session",
	    "\x82\x41h\x4e\x17\xfe\xfd\0\x01\0\0\0\0\0\0\0\x01\x01", "jpy.not_dtls"),
	BAD("JP-U5 a stranger with a ClientKeyExchange",
	    "\x82\x41h\x4e\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x01\x10", "jpy.not_dtls"),
	BAD("JP-U5 a stranger with a handshake of epoch 1",
	    "\x82\x41h\x4e\x16\xfe\xfd\0\x01\0\0\0\0\0\0\0\x01\x01", "jpy.not_dtls"),
	BAD("JP-U5 a stranger with a TLS ClientHello",
	    "\x82\x41h\x4e\x16\x03\x01\0\0\0\0\0\0\0\0\0\x01\x01", "jpy.not_dtls"),
	BAD("JP-U5 a stranger with an alert", "\x82\x41h\x4e\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x01\x01",
	    "jpy.not_dtls"),
};

static void
bad_is_dropped_and_counted(void **state)
{
	const struct bad *bad = *state;
	struct site s = { 0 };
	double before = dropped(bad->reason);
	int proxy;

	site_begin(&s, (struct jpy_config){ 0 });
	proxy = proxy_at(&s, "127.0.0.1");
	assert_int_equal(
	    send(proxy, bad->datagram.ptr, bad->datagram.len, 0), (ssize_t)bad->datagram.len);
	until_dropped(bad->reason, before, 1);
	assert_true(silent(s.listener) && silent(proxy)); /* silently */
	assert_true(world_metric("\nmuster_jpy_connections ") == 0);
	join(&s, proxy, MST_LIT("h")); /* and it goes on */
	close(proxy);
	site_end(&s);
}

static void
JP_U2_extra_elements_are_ignored(void **state)
{
	static const uint8_t three[] =
	    "\x83\x41h\x4e\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x01\x01\xa1\x01\x02";
	struct site s = { 0 };
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	proxy = proxy_at(&s, "127.0.0.1");
	assert_int_equal(send(proxy, three, sizeof three - 1, 0), sizeof three - 1);
	hear(&s, mst_span_of(three + 4, 14));
	close(proxy);
	site_end(&s);
}

static void
JP_U2_bound_per_proxy(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_proxy");
	int proxy, other;

	(void)state;
	site_begin(&s, (struct jpy_config){ .connections = 10, .per_proxy = 3 });
	proxy = proxy_at(&s, "127.0.0.1");
	other = proxy_at(&s, "127.0.0.2");
	join(&s, proxy, MST_LIT("1"));
	join(&s, proxy, MST_LIT("2"));
	join(&s, proxy, MST_LIT("3"));
	say(proxy, MST_LIT("4"), HELLO);
	until_dropped("jpy.limit_proxy", before, 1);
	assert_true(silent(s.listener));
	join(&s, other, MST_LIT("4")); /* it is that proxy's limit alone */
	close(proxy);
	close(other);
	site_end(&s);
}

/* A device that has joined says close_notify, the listener too: its place is free. */
static void
JP_U2_an_ended_session_gives_way(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in peer;
	mst_span alert = MST_LIT("\x15\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x12 encrypted");
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ .per_proxy = 1 });
	proxy = proxy_at(&s, "127.0.0.1");
	peer = join(&s, proxy, MST_LIT("1"));
	say(proxy, MST_LIT("1"), alert); /* the pledge's own proves nothing: anybody can send it */
	hear(&s, alert);
	say(proxy, MST_LIT("2"), HELLO);
	assert_true(silent(s.listener));
	answer(&s, &peer, alert);
	get(proxy, MST_LIT("1"), alert);
	join(&s, proxy, MST_LIT("2"));
	close(proxy);
	site_end(&s);
}

static void
JP_U2_bound_in_total(void **state)
{
	struct site s = { 0 };
	double before = dropped("jpy.limit_total");
	int proxy[4];

	(void)state;
	site_begin(&s, (struct jpy_config){ .connections = 3, .per_proxy = 2 });
	for (int i = 0; i < 4; i++) {
		char from[16];

		snprintf(from, sizeof from, "127.0.0.%d", i + 1);
		proxy[i] = proxy_at(&s, from);
		if (i < 3)
			join(&s, proxy[i], MST_LIT("h"));
	}
	say(proxy[3], MST_LIT("h"), HELLO);
	until_dropped("jpy.limit_total", before, 1);
	assert_true(silent(s.listener));
	for (int i = 0; i < 4; i++)
		close(proxy[i]);
	site_end(&s);
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

/* ClientHellos of senders who may not exist give way to one another, never a proven pledge. */
static void
JP_U5_a_flood_of_hellos_costs_no_proven_pledge(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in peer;
	char drain[2000];
	int proxy, fds;

	(void)state;
	site_begin(&s, (struct jpy_config){ .connections = 20, .per_proxy = 8 });
	proxy = proxy_at(&s, "127.0.0.1");
	peer = join(&s, proxy, MST_LIT("proven"));
	fds = descriptors();
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t header[4];

		memcpy(header, &i, sizeof header);
		say(proxy, mst_span_of(header, sizeof header), HELLO);
		if (i % 20 == 19) /* as fast as it is served: the queue of a socket has an end */
			for (int k = 0; k < 20; k++)
				assert_true(recv(s.listener, drain, sizeof drain, 0) > 0);
	}
	assert_true(world_metric("\nmuster_jpy_connections ") == 8);
	assert_true(descriptors() <= fds + 7);
	answer(&s, &peer, MST_LIT("still here"));
	get(proxy, MST_LIT("proven"), MST_LIT("still here"));
	join(&s, proxy, MST_LIT("and there is room"));
	close(proxy);
	site_end(&s);
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

static void
JP_U5_a_flood_of_garbage_leaves_memory_flat(void **state)
{
	struct site s = { 0 };
	uint8_t bytes[600];
	uint32_t seed = 1;
	long before = 0;
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	proxy = proxy_at(&s, "127.0.0.1");
	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < sizeof bytes; k++)
			bytes[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		if (i % 3 == 0) { /* the beginning of a good one */
			memcpy(bytes, "\x82\x44", 2);
			memcpy(bytes + 6, "\x59\x02\x4f\x16\xfe\xfd", 6);
		}
		send(proxy, bytes, 1 + seed % sizeof bytes, 0);
		if (i % 50 == 0)
			join(&s, proxy, MST_LIT("good")); /* in between: served */
		if (i == 2000)
			before = resident_kb();
	}
	assert_true(resident_kb() - before < 4096);
	assert_true(world_metric("\nmuster_jpy_connections ") <= 64);
	close(proxy);
	site_end(&s);
}

static void
until_connections(double n)
{
	for (int i = 0; i < 2000 && world_metric("\nmuster_jpy_connections ") != n; i++)
		usleep(5000);
	assert_true(world_metric("\nmuster_jpy_connections ") == n);
}

static void
JP_U2_what_is_idle_ends(void **state)
{
	struct site s = { 0 };
	int proxy, fds;

	(void)state;
	site_begin(&s, (struct jpy_config){ .idle_ms = 300, .fresh_ms = 60000 });
	proxy = proxy_at(&s, "127.0.0.1");
	fds = descriptors();
	join(&s, proxy, MST_LIT("1"));
	until_connections(0);
	assert_int_equal(descriptors(), fds);
	close(proxy);
	site_end(&s);
}

static void
JP_U2_what_is_not_proven_ends_earlier(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in peer;
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ .idle_ms = 60000, .fresh_ms = 300 });
	proxy = proxy_at(&s, "127.0.0.1");
	join(&s, proxy, MST_LIT("proven"));
	say(proxy, MST_LIT("verify"), HELLO);
	peer = hear(&s, HELLO);
	answer(&s, &peer, VERIFY); /* proves nothing */
	get(proxy, MST_LIT("verify"), VERIFY);
	say(proxy, MST_LIT("alert"), HELLO);
	peer = hear(&s, HELLO);
	answer(
	    &s, &peer, MST_LIT("\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x02\x28")); /* nor does this */
	(void)!recv(proxy, (char[100]){ 0 }, 100, 0);
	until_connections(1);
	close(proxy);
	site_end(&s);
}

static void
JP_U5_survives_a_listener_that_is_not_there(void **state)
{
	struct site s = { 0 };
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	int proxy;

	(void)state;
	site_begin(&s, (struct jpy_config){ 0 });
	proxy = proxy_at(&s, "127.0.0.1");
	assert_int_equal(getsockname(s.listener, (struct sockaddr *)&at, &len), 0);
	close(s.listener);
	for (int i = 0; i < 20; i++) {
		say(proxy, MST_LIT("h"), HELLO);
		usleep(1000);
	}
	assert_true(silent(proxy));
	s.listener = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(s.listener, (struct sockaddr *)&at, sizeof at), 0);
	say(proxy, MST_LIT("h"), HELLO);
	hear(&s, HELLO);
	close(proxy);
	site_end(&s);
}

static void
refuses_an_address_that_is_none(void **state)
{
	struct jpy_config c = { .listen = "nowhere" };
	struct net *n;
	struct jpy *j;
	int port;

	(void)state;
	assert_int_equal(net_new(1, &n), MST_OK);
	assert_int_equal(jpy_open(&c, n, &j, &port), MST_E_CONFIG_VALUE);
	assert_non_null(strstr(net_why(), "nowhere"));
	net_free(n);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(JP_U2_answers_come_under_the_same_header),
		cmocka_unit_test(JP_U2_headers_are_peers_of_their_own),
		cmocka_unit_test(JP_U2_the_same_header_of_two_proxies_is_two_pledges),
		cmocka_unit_test(JP_U2_jpy_peer_names_the_proxy_behind_a_loopback_port),
		cmocka_unit_test(JP_U2_extra_elements_are_ignored),
		cmocka_unit_test(JP_U2_bound_per_proxy),
		cmocka_unit_test(JP_U2_an_ended_session_gives_way),
		cmocka_unit_test(JP_U2_bound_in_total),
		cmocka_unit_test(JP_U5_a_flood_of_hellos_costs_no_proven_pledge),
		cmocka_unit_test(JP_U5_a_flood_of_garbage_leaves_memory_flat),
		cmocka_unit_test(JP_U2_what_is_idle_ends),
		cmocka_unit_test(JP_U2_what_is_not_proven_ends_earlier),
		cmocka_unit_test(JP_U5_survives_a_listener_that_is_not_there),
		cmocka_unit_test(refuses_an_address_that_is_none),
	};
	struct CMUnitTest tests[COUNT(bads) + COUNT(others)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(bads); i++)
		tests[n++] = (struct CMUnitTest){ bads[i].name, bad_is_dropped_and_counted, NULL,
			NULL, (void *)&bads[i] };
	for (size_t i = 0; i < COUNT(others); i++)
		tests[n++] = others[i];
	log_open("test", LOG_TEXT, LOG_ERROR_, 2);
	return cmocka_run_group_tests_name("jpy", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The stateless UDP join proxy between real sockets, and which mode is chosen when, for which
 * registrar: constrained-join-proxy 4.1 and 4.4 to 4.6, requirements JP-U2 to JP-U5. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/log.h"
#include "muster/jpy.h"
#include "tests/unit/proxy/support_udp.h"

/* What is freed stays resident in the sanitizer's quarantine; a small one keeps memory flat. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

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
	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	get_jpy(&w, &y);
	assert_true(mst_span_eq(y.jpy.content, said("hello")));
	put_jpy(w.registrar, &y.from, y.jpy.header, said("answer"));
	get(pledge, said("answer"));
	close(pledge);
	world_end(&w);
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
	w.registrar = socket_at("::1", 0);
	uri_of(w.registrar, "jpy", w.uri, sizeof w.uri);
	c.registrars = w.uri;
	world_start(&w, c);
	pledge = pledge_at("::1", first_port(&w));
	put(pledge, said("hello"));
	get_jpy(&w, &y);
	put_jpy(w.registrar, &y.from, y.jpy.header, said("answer"));
	get(pledge, said("answer"));
	close(pledge);
	world_end(&w);
}

/* 4.5.3 SHOULD, and what stateless means: nothing is kept for a pledge */
static void
JP_U3_a_thousand_pledges_from_one_port_and_no_descriptor_more(void **state)
{
	struct world w = { 0 };
	struct yoke first, y;
	int fds;

	(void)state;
	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	fds = descriptors();
	for (int i = 0; i < 1000; i++) {
		char host[32];
		int pledge;

		snprintf(host, sizeof host, "127.0.%d.%d", i / 250, 1 + i % 250);
		pledge = pledge_at(host, w.port);
		put(pledge, said("hello"));
		get_jpy(&w, i == 0 ? &first : &y);
		if (i > 0) {
			assert_int_equal(y.from.sin6_port, first.from.sin6_port);
			assert_false(mst_span_eq(y.jpy.header, first.jpy.header));
			put_jpy(w.registrar, &y.from, y.jpy.header, said("answer"));
			get(pledge, said("answer"));
		}
		close(pledge);
	}
	assert_int_equal(descriptors(), fds);
	world_end(&w);
}

/* 4.4: the registrar knows a pledge by its header alone */
static void
JP_U3_a_pledge_keeps_its_header(void **state)
{
	struct world w = { 0 };
	struct yoke a, b;
	int pledge;

	(void)state;
	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("one"));
	get_jpy(&w, &a);
	put(pledge, said("two"));
	get_jpy(&w, &b);
	assert_true(mst_span_eq(a.jpy.header, b.jpy.header));
	close(pledge);
	world_end(&w);
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
	    w->registrar, &y->from, MST_LIT("0123456789abcdef0123456789abcdef"), said("forged"));
}

static void
forge_bit(struct world *w, const struct yoke *y)
{
	uint8_t header[MST_JPY_HEADER_MAX];

	memcpy(header, y->jpy.header.ptr, y->jpy.header.len);
	header[y->jpy.header.len - 1] ^= 1;
	put_jpy(w->registrar, &y->from, mst_span_of(header, y->jpy.header.len), said("forged"));
}

static void
forge_short(struct world *w, const struct yoke *y)
{
	put_jpy(w->registrar, &y->from, mst_span_of(y->jpy.header.ptr, y->jpy.header.len - 1),
	    said("forged"));
}

static void
forge_empty(struct world *w, const struct yoke *y)
{
	put_jpy(w->registrar, &y->from, MST_LIT(""), said("forged"));
}

/* What this proxy would have sealed itself, had it the other one's key. */
static void
forge_other_key(struct world *w, const struct yoke *y)
{
	struct world other = { 0 };
	struct proxy_udp_config c = { .registrars = w->uri };
	struct yoke theirs;
	int pledge;

	world_start(&other, c);
	pledge = pledge_at(V4, first_port(&other));
	put(pledge, said("hello"));
	get_jpy(w, &theirs);
	put_jpy(w->registrar, &y->from, theirs.jpy.header, said("forged"));
	close(pledge);
	world_end(&other);
}

static void
forge_other_address(struct world *w, const struct yoke *y)
{
	struct sockaddr_in6 me = name_of(w->registrar);
	int stranger = socket_at("127.0.0.2", ntohs(me.sin6_port));

	put_jpy(stranger, &y->from, y->jpy.header, said("forged"));
	close(stranger);
}

static void
forge_other_port(struct world *w, const struct yoke *y)
{
	int stranger = socket_at(V4, 0);

	(void)w;
	put_jpy(stranger, &y->from, y->jpy.header, said("forged"));
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

	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	get_jpy(&w, &y);
	before = dropped(row->reason);
	row->make(&w, &y);
	until_dropped(row->reason, before + 1);
	assert_true(silent(pledge) && silent(w.registrar));
	put_jpy(w.registrar, &y.from, y.jpy.header, said("good")); /* and it goes on */
	get(pledge, said("good"));
	close(pledge);
	world_end(&w);
}

/* 4.5.6: no replay protection here, as UDP has none; DTLS has it. */
static void
JP_U3_a_replayed_answer_is_delivered_again(void **state)
{
	struct world w = { 0 };
	struct yoke y;
	int pledge;

	(void)state;
	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	get_jpy(&w, &y);
	for (int i = 0; i < 3; i++) {
		put_jpy(w.registrar, &y.from, y.jpy.header, said("again"));
		get(pledge, said("again"));
	}
	close(pledge);
	world_end(&w);
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
	world_begin(&w, "jpy", (struct proxy_udp_config){ .key_ms = 2000 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	get_jpy(&w, &old);
	memcpy(header, old.jpy.header.ptr, old.jpy.header.len);
	while (changes < 2) { /* after the first change it still opens, after the second no more */
		usleep(50000);
		put(pledge, said("hello"));
		get_jpy(&w, &y);
		if (memcmp(y.jpy.header.ptr, header, sizeof header) == 0)
			continue;
		memcpy(header, y.jpy.header.ptr, sizeof header);
		changes++;
		put_jpy(w.registrar, &y.from, old.jpy.header, said("late"));
		if (changes == 1)
			get(pledge, said("late"));
	}
	until_dropped("jpy.forged", before + 1);
	assert_true(silent(pledge));
	close(pledge);
	world_end(&w);
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
	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
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
	put_jpy(w.registrar, &y.from, y.jpy.header, said("still here"));
	get(pledge, said("still here"));
	close(pledge);
	world_end(&w);
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
	int registrar = socket_at(V4, 0), pledge;

	(void)state;
	world_start(&w, c);
	assert_int_equal(proxy_udp_ports(w.proxy, ports), 0);
	uri_of(registrar, "coaps", uri, sizeof uri);
	assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
	until_ports(&w, 1, ports);
	pledge = pledge_at(V4, ports[0]);
	put(pledge, said("hello"));
	get(registrar, said("hello"));
	assert_int_equal(proxy_udp_forget(w.proxy, uri), MST_OK);
	until_ports(&w, 0, ports);
	until("muster_proxy_udp_mappings", 0);
	put(pledge, said("hello"));
	assert_true(silent(registrar));
	close(pledge);
	close(registrar);
	world_end(&w);
}

/* 4.1: if any registrar with brski.rjp is found, the stateless mode MUST be used */
static void
JP_U4_jpy_wins_over_coaps_and_gives_way_when_it_goes(void **state)
{
	struct world w = { 0 };
	struct yoke y;
	uint16_t ports[PROXY_UDP_PORTS], first;
	char uri[96];
	int pledge, jpy = socket_at(V4, 0);

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	first = w.port;
	pledge = joins(&w, V4);
	uri_of(jpy, "jpy", uri, sizeof uri);
	assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
	until("muster_proxy_udp_mappings", 0);
	until_ports(&w, 1, ports);
	assert_int_equal(ports[0], first); /* the pledges' port stays */
	put(pledge, said("hello"));
	assert_true(recv(jpy, y.bytes, sizeof y.bytes, 0) == 1 + 34 + 1 + 19);
	assert_true(silent(w.registrar));
	assert_int_equal(proxy_udp_forget(w.proxy, uri), MST_OK);
	for (int i = 0; i < 200 && silent(w.registrar); i++)
		put(pledge, said("again"));
	assert_false(silent(w.registrar));
	close(jpy);
	close(pledge);
	world_end(&w);
}

static void
JP_U4_what_is_configured_is_not_forgotten(void **state)
{
	struct world w = { 0 };
	uint16_t ports[PROXY_UDP_PORTS];
	char uri[96];
	int other = socket_at(V4, 0);

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	assert_int_equal(proxy_udp_forget(w.proxy, w.uri), MST_OK);
	uri_of(other, "coaps", uri, sizeof uri);
	assert_int_equal(proxy_udp_learn(w.proxy, uri), MST_OK);
	until_ports(&w, 2, ports); /* the news before it was read, too */
	assert_int_equal(ports[0], w.port);
	close(other);
	world_end(&w);
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
	world_start(&w, (struct proxy_udp_config){ 0 });
	for (size_t i = 0; i < COUNT(registrars); i++) {
		registrars[i] = socket_at(V4, 0);
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

			put(pledge, said("hello"));
			get_jpy(&w, &y);
			put_jpy(registrars[i], &y.from, y.jpy.header, said("answer"));
			get(pledge, said("answer"));
		}
		close(pledge);
	}
	w.registrar = -1;
	assert_true(silent(registrars[PROXY_UDP_PORTS])); /* one more than can be served */
	world_end(&w);
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
	world_start(&w, c);
	pledge = pledge_at(V4, first_port(&w));
	put(pledge, said("hello"));
	get(registrar, said("hello"));
	close(pledge);
	close(registrar);
	world_end(&w);
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
	world_start(&w, (struct proxy_udp_config){ 0 });
	for (size_t i = 0; i < COUNT(bad); i++)
		if (proxy_udp_learn(w.proxy, bad[i]) != MST_E_CONFIG_VALUE)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(proxy_udp_ports(w.proxy, ports), 0);
	world_end(&w);
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
		cmocka_unit_test(JP_U3_there_and_back),
		cmocka_unit_test(JP_U3_over_IPv6),
		cmocka_unit_test(JP_U3_a_thousand_pledges_from_one_port_and_no_descriptor_more),
		cmocka_unit_test(JP_U3_a_pledge_keeps_its_header),
		cmocka_unit_test(JP_U3_a_replayed_answer_is_delivered_again),
		cmocka_unit_test(JP_U3_the_key_changes_and_the_former_one_still_opens),
		cmocka_unit_test(JP_U3_a_flood_of_garbage_leaves_memory_flat),
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
	return cmocka_run_group_tests_name("proxy/udp_stateless", tests, NULL, NULL);
}

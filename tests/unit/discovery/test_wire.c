/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery between two threads, on the two ends of a cable in a network
 * namespace of its own: each way finds its peer, what is forged is ignored,
 * and a flood gets few answers. Both ends are in one namespace, which is why
 * every one is told its own interface.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/discovery/disco_coap.h"
#include "host/discovery/disco_net.h"
#include "host/log.h"
#include "host/metrics.h"
#include "muster/grasp.h"

static int have_net;

/* ---- what is found ---- */

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t more;
	char lines[64][96];
	size_t count;
};

static void
on_peer(void *arg, const struct disco_peer *p)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	if (s->count < 64)
		snprintf(s->lines[s->count++], sizeof s->lines[0], "%c%s %u %s",
		    p->gone ? '-' : '+', p->address, p->port, disco_word(p->what));
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

static size_t
count_of(const struct seen *s, const char *line)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += strcmp(s->lines[i], line) == 0;
	return n;
}

/* Wait until a line is there. */
static bool
has_within(struct seen *s, const char *line, int seconds)
{
	struct timespec until;
	bool found;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&s->lock);
	while (!(found = count_of(s, line) > 0) && r == 0)
		r = pthread_cond_timedwait(&s->more, &s->lock, &until);
	for (size_t i = 0; !found && i < s->count; i++)
		print_error("saw %s, not %s\n", s->lines[i], line);
	pthread_mutex_unlock(&s->lock);
	return found;
}

static bool
has(struct seen *s, const char *line)
{
	return has_within(s, line, 20);
}

#define SEEN                                                                                       \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { "" }, 0                     \
	}

/* ---- the link ---- */

static int
setup(void **state)
{
	(void)state;
	log_open("test", LOG_TEXT, LOG_ERROR_, 2);
	have_net = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
	have_net =
	    have_net &&
	    system("exec 2>/dev/null; ip link set lo up; "
	           "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0; "
	           "ip link add d0 address 02:00:00:00:00:01 type veth peer name d1 "
	           "address 02:00:00:00:00:02 && ip addr add 2001:db8::1/64 dev d0 nodad && "
	           "ip link set d0 up && ip link set d1 up") == 0;
	if (!have_net)
		print_message("no network namespace can be made here\n");
	for (int i = 0; have_net && i < 100; i++) {
		if (system("ip -6 addr show dev d1 | grep -q 'fe80.* scope link *$'") == 0)
			return 0;
		usleep(50000);
	}
	return 0;
}

#define D0 "fe80::ff:fe00:1"
#define D1 "fe80::ff:fe00:2"

static void
need_net(void)
{
	if (!have_net)
		skip();
}

static struct disco *
open_on(const char *link, unsigned ways, long leisure_ms)
{
	const char *const links[] = { link };
	struct disco_config c = { .ways = ways,
		.links = links,
		.link_count = 1,
		.leisure_ms = leisure_ms,
		.per_source = 6,
		.per_second = 10 };
	struct disco *d;
	mst_err e = disco_open(&c, &d);

	if (e != MST_OK)
		fail_msg("%s", disco_why());
	return d;
}

static double
counter(const char *series)
{
	static char text[1 << 16];
	size_t n = metrics_text(text, sizeof text - 1);
	char *at;

	assert_true(n < sizeof text);
	text[n] = '\0';
	at = strstr(text, series);
	return at == NULL ? 0 : strtod(at + strlen(series), NULL);
}

/* ---- each way ---- */

static void
DI_3_pledge_finds_proxy_by_multicast_coap(void **state)
{
	struct disco *proxy, *pledge;
	struct seen seen = SEEN;

	(void)state;
	need_net();
	proxy = open_on("d0", DISCO_ANSWERS, 50);
	assert_int_equal(disco_offer(proxy, DISCO_PROXY_COAPS, NULL, 8485), MST_OK);
	pledge = open_on("d1", DISCO_ASKS, 50);
	disco_seek(pledge, DISCO_PROXY_COAPS, on_peer, &seen);
	assert_true(has(&seen, "+" D0 "%d1 8485 join proxy (coaps)"));
	disco_close(pledge);
	disco_close(proxy);
}

static void
cJP_5_2_every_join_port_is_found(void **state)
{
	struct disco *proxy, *pledge;
	struct seen seen = SEEN;

	(void)state;
	need_net();
	proxy = open_on("d0", DISCO_ANSWERS, 0);
	assert_int_equal(disco_offer(proxy, DISCO_PROXY_COAPS, NULL, 57101), MST_OK);
	assert_int_equal(disco_offer(proxy, DISCO_PROXY_COAPS, NULL, 57102), MST_OK);
	pledge = open_on("d1", DISCO_ASKS, 0);
	disco_seek(pledge, DISCO_PROXY_COAPS, on_peer, &seen);
	assert_true(has(&seen, "+" D0 "%d1 57101 join proxy (coaps)"));
	assert_true(has(&seen, "+" D0 "%d1 57102 join proxy (coaps)"));
	disco_close(pledge);
	disco_close(proxy);
}

static void
DI_4_proxy_finds_registrar_both_ways(void **state)
{
	struct disco *registrar, *proxy;
	struct seen seen = SEEN;

	(void)state;
	need_net();
	registrar = open_on("d0", DISCO_ANSWERS, 20);
	assert_int_equal(disco_offer(registrar, DISCO_REGISTRAR_COAPS, NULL, 5684), MST_OK);
	assert_int_equal(disco_offer(registrar, DISCO_REGISTRAR_JPY, NULL, 7634), MST_OK);
	proxy = open_on("d1", DISCO_ASKS, 20);
	disco_seek(proxy, DISCO_REGISTRAR_COAPS, on_peer, &seen);
	disco_seek(proxy, DISCO_REGISTRAR_JPY, on_peer, &seen);
	assert_true(has(&seen, "+2001:db8::1 5684 registrar (coaps)"));
	assert_true(has(&seen, "+2001:db8::1 7634 registrar (jpy)"));
	disco_close(proxy);
	disco_close(registrar);
}

static void
DI_1_floods_of_proxy_and_registrar_are_understood(void **state)
{
	struct disco *sender, *listener;
	struct seen seen = SEEN;

	(void)state;
	need_net();
	listener = open_on("d1", DISCO_FLOODS, 0);
	for (int w = 0; w < DISCO_WHAT_COUNT; w++)
		disco_seek(listener, (enum disco_what)w, on_peer, &seen);
	sender = open_on("d0", DISCO_FLOODS, 0);
	assert_int_equal(disco_offer(sender, DISCO_PROXY_TLS, NULL, 4443), MST_OK);
	assert_int_equal(disco_offer(sender, DISCO_PROXY_COAPS, NULL, 8485), MST_OK);
	assert_int_equal(disco_offer(sender, DISCO_REGISTRAR_TLS, NULL, 8443), MST_OK);
	assert_int_equal(disco_offer(sender, DISCO_REGISTRAR_COAPS, NULL, 5684), MST_OK);
	assert_int_equal(disco_offer(sender, DISCO_REGISTRAR_JPY, NULL, 7634), MST_OK);
	assert_true(has(&seen, "+" D0 "%d1 4443 join proxy (https)"));
	assert_true(has(&seen, "+" D0 "%d1 8485 join proxy (coaps)"));
	assert_true(has(&seen, "+2001:db8::1 8443 registrar (https)"));
	assert_true(has(&seen, "+2001:db8::1 5684 registrar (coaps)"));
	assert_true(has(&seen, "+2001:db8::1 7634 registrar (jpy)"));
	disco_close(sender);
	disco_close(listener);
}

static void
JP_U4_what_is_withdrawn_is_found_no_more(void **state)
{
	struct disco *proxy, *pledge;
	struct seen seen = SEEN;
	double before;

	(void)state;
	need_net();
	proxy = open_on("d0", DISCO_ANSWERS, 0);
	assert_int_equal(disco_offer(proxy, DISCO_PROXY_COAPS, NULL, 8485), MST_OK);
	disco_withdraw(proxy, DISCO_PROXY_COAPS, 8485);
	before = counter("muster_discovery_requests_total{outcome=\"filtered\"} ");
	pledge = open_on("d1", DISCO_ASKS, 0);
	disco_seek(pledge, DISCO_PROXY_COAPS, on_peer, &seen);
	for (int i = 0;
	     i < 400 && counter("muster_discovery_requests_total{outcome=\"filtered\"} ") == before;
	     i++)
		usleep(10000);
	assert_true(counter("muster_discovery_requests_total{outcome=\"filtered\"} ") > before);
	disco_close(pledge);
	disco_close(proxy);
	assert_int_equal(seen.count, 0);
}

/* ---- what a stranger sends ---- */

struct stranger {
	int fd;
	unsigned index;
};

static struct stranger
stranger_on(const char *link)
{
	struct stranger s = { disco_socket(0), if_nametoindex(link) };

	assert_true(s.fd >= 0 && s.index != 0);
	return s;
}

static void
send_to(const struct stranger *s, const char *group, uint16_t port, mst_span bytes)
{
	struct sockaddr_in6 to = disco_group(group, port, s->index);

	assert_true(disco_send(s->fd, &to, s->index, NULL, bytes));
}

/* Until nothing has come for ms. */
static unsigned
answers(const struct stranger *s, int ms)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	uint8_t room[1500];
	unsigned n = 0;

	while (poll(&p, 1, ms) == 1) {
		struct mst_buf b = MST_BUF(room);
		struct disco_packet packet;

		n += (unsigned)disco_receive(s->fd, &b, &packet);
	}
	return n;
}

static long
resident_pages(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &pages, &resident), 2);
	fclose(f);
	return resident;
}

static mst_span
question(struct mst_buf *out, unsigned i)
{
	uint8_t token[2] = { (uint8_t)(i >> 8), (uint8_t)i };

	assert_int_equal(
	    disco_message_ask((uint16_t)i, mst_span_of(token, 2), MST_LIT("brski-jp=*"), out),
	    MST_OK);
	return mst_buf_span(out);
}

static void
DI_7_a_flood_of_requests_gets_few_answers(void **state)
{
	struct disco *proxy;
	struct stranger s;
	uint8_t room[128];
	unsigned n;
	long before;
	double limited;

	(void)state;
	need_net();
	proxy = open_on("d0", DISCO_ANSWERS, 0);
	assert_int_equal(disco_offer(proxy, DISCO_PROXY_COAPS, NULL, 8485), MST_OK);
	s = stranger_on("d1");
	for (unsigned i = 0; i < 2000; i++) /* what is taken once is taken */
		send_to(&s, "ff02::fd", 5683, question(&MST_BUF(room), i));
	(void)answers(&s, 300);
	before = resident_pages();
	limited = counter("muster_discovery_requests_total{outcome=\"rate_source\"} ");
	for (unsigned i = 0; i < 20000; i++) {
		send_to(&s, "ff02::fd", 5683, question(&MST_BUF(room), i));
		if (i % 100 == 0)
			usleep(1000);
	}
	n = answers(&s, 500);
	print_message("20000 requests, %u answers, %ld pages more\n", n, resident_pages() - before);
	assert_in_range(n, 0, 6); /* 6 a minute */
	assert_true(
	    counter("muster_discovery_requests_total{outcome=\"rate_source\"} ") > limited + 1000);
	/* the sanitizer keeps what is freed; a leak of 100 bytes a request would be 488 pages */
	assert_true(resident_pages() - before < 400);
	close(s.fd);
	disco_close(proxy);
}

static void
SEC_12_garbage_is_dropped_and_counted(void **state)
{
	struct disco *proxy;
	struct stranger s;
	struct seen seen = SEEN;
	double coap, heard;
	uint8_t bytes[1400];
	unsigned seed = 1;

	(void)state;
	need_net();
	proxy = open_on("d0", DISCO_ANSWERS | DISCO_ASKS | DISCO_FLOODS, 0);
	assert_int_equal(disco_offer(proxy, DISCO_PROXY_COAPS, NULL, 8485), MST_OK);
	for (int w = 0; w < DISCO_WHAT_COUNT; w++)
		if (w != DISCO_PROXY_COAPS) /* it would hear itself */
			disco_seek(proxy, (enum disco_what)w, on_peer, &seen);
	s = stranger_on("d1");
	coap = counter("muster_discovery_requests_total{outcome=\"malformed\"} ");
	heard = counter("muster_discovery_heard_total{outcome=\"malformed\"} ");
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = (size_t)rand_r(&seed) % (i % 2 == 0 ? 64 : sizeof bytes);

		for (size_t b = 0; b < len; b++)
			bytes[b] = (uint8_t)rand_r(&seed);
		send_to(&s, "ff02::fd", 5683, mst_span_of(bytes, len));
		send_to(&s, "ff02::13", MST_GRASP_PORT, mst_span_of(bytes, len));
		if (i % 50 == 0)
			usleep(1000);
	}
	assert_int_equal(answers(&s, 500), 0);
	assert_int_equal(seen.count, 0);
	assert_true(
	    counter("muster_discovery_requests_total{outcome=\"malformed\"} ") > coap + 500);
	assert_true(counter("muster_discovery_heard_total{outcome=\"malformed\"} ") > heard + 500);
	close(s.fd);
	disco_close(proxy);
}

/* A responder of the test's own: hears the pledge's question, and answers with what is given. */
static struct disco_packet
hear_question(int fd, struct disco_message *m)
{
	static uint8_t room[1500];
	struct mst_buf b = MST_BUF(room);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct disco_packet packet;

	do { /* the sender's own link loops its question back */
		assert_int_equal(poll(&p, 1, 20000), 1);
		assert_int_equal(disco_receive(fd, &b, &packet), 1);
	} while (packet.index != if_nametoindex("d0"));
	assert_int_equal(disco_message_read(packet.bytes, m), MST_OK);
	return packet;
}

struct forgery {
	const char *name;
	const char *payload;
	unsigned code;
	int token; /* 0: as asked, 1: one bit off, 2: shorter, 3: none */
	const char *from; /* NULL: link-local */
	const char *outcome;
};

static const struct forgery forgeries[] = {
	{ "RFC7252-8.2 answer with a bit of the token changed", "<>;brski-jp=1", DISCO_CONTENT, 1,
	    NULL, "token" },
	{ "RFC7252-8.2 answer with part of the token", "<>;brski-jp=1", DISCO_CONTENT, 2, NULL,
	    "token" },
	{ "RFC7252-8.2 answer without a token", "<>;brski-jp=1", DISCO_CONTENT, 3, NULL, "token" },
	{ "cV-10.1 answer from beyond the link", "<>;brski-jp=1", DISCO_CONTENT, 0, "2001:db8::1",
	    "source" },
	{ "DI-3 answer that is an error", "<>;brski-jp=1", DISCO_NOT_FOUND, 0, NULL, "other" },
	{ "DI-3 answer whose second link is broken", "<>;brski-jp=1,<", DISCO_CONTENT, 0, NULL,
	    "malformed" },
	{ "DI-3 answer with port 0", "<>;brski-jp=0", DISCO_CONTENT, 0, NULL, "malformed" },
	{ "DI-3 answer with port 65536", "<>;brski-jp=65536", DISCO_CONTENT, 0, NULL, "malformed" },
	{ "DI-3 answer about something else", "</b>;rt=brski", DISCO_CONTENT, 0, NULL, "other" },
};

static void
forged_answer_is_ignored(void **state)
{
	const struct forgery *f = *state;
	static struct disco_message m;
	struct disco *pledge;
	struct seen seen = SEEN;
	struct disco_packet q;
	struct in6_addr from;
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);
	char series[96];
	double before;
	int fd = -1;

	need_net();
	snprintf(
	    series, sizeof series, "muster_discovery_heard_total{outcome=\"%s\"} ", f->outcome);
	before = counter(series);
	fd = disco_socket(5683);
	assert_int_equal(disco_join(fd, "ff02::fd", if_nametoindex("d0")), 0);
	pledge = open_on("d1", DISCO_ASKS, 0);
	disco_seek(pledge, DISCO_PROXY_COAPS, on_peer, &seen);
	q = hear_question(fd, &m);
	if (f->token == 1)
		m.token[7] ^= 1;
	m.token_len = f->token == 2 ? 7 : f->token == 3 ? 0 : m.token_len;
	assert_int_equal(disco_message_answer(MST_COAP_NON, f->code, 1,
	                     mst_span_of(m.token, m.token_len), mst_span_str(f->payload), &out),
	    MST_OK);
	if (f->from != NULL)
		assert_int_equal(inet_pton(AF_INET6, f->from, &from), 1);
	assert_true(
	    disco_send(fd, &q.from, q.index, f->from != NULL ? &from : NULL, mst_buf_span(&out)));
	for (int i = 0; i < 400 && counter(series) == before; i++)
		usleep(10000);
	assert_true(counter(series) > before);
	disco_close(pledge);
	close(fd);
	assert_int_equal(seen.count, 0);
}

/* The same responder with nothing forged is believed: the tests above refuse for one reason each.
 */
static void
DI_3_quoted_port_and_unknown_attributes_are_understood(void **state)
{
	static struct disco_message m;
	struct disco *pledge;
	struct seen seen = SEEN;
	struct disco_packet q;
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);
	int fd;

	(void)state;
	need_net();
	fd = disco_socket(5683);
	assert_int_equal(disco_join(fd, "ff02::fd", if_nametoindex("d0")), 0);
	pledge = open_on("d1", DISCO_ASKS, 0);
	disco_seek(pledge, DISCO_PROXY_COAPS, on_peer, &seen);
	q = hear_question(fd, &m);
	assert_int_equal(
	    disco_message_answer(MST_COAP_NON, DISCO_CONTENT, 1, mst_span_of(m.token, m.token_len),
	        MST_LIT("<>;brski-jp=\"63245\",<>;brski-jp=61617;var=\"c509 v2\""), &out),
	    MST_OK);
	assert_true(disco_send(fd, &q.from, q.index, NULL, mst_buf_span(&out)));
	assert_true(has(&seen, "+" D0 "%d1 63245 join proxy (coaps)"));
	assert_true(has(&seen, "+" D0 "%d1 61617 join proxy (coaps)"));
	disco_close(pledge);
	close(fd);
}

/* ---- floods of a stranger ---- */

static void
build(struct mst_buf *out, const char *name, uint8_t protocol, const char *address, uint16_t port,
    uint32_t ttl_ms)
{
	struct in6_addr a;
	struct mst_grasp_flood f = { .session = 1, .ttl_ms = ttl_ms, .count = 1 };

	assert_int_equal(inet_pton(AF_INET6, address, &a), 1);
	f.initiator = mst_span_of(a.s6_addr, 16);
	f.objectives[0] = (struct mst_grasp_objective){ .name = mst_span_str(name),
		.flags = MST_GRASP_SYNC,
		.loop_count = 1,
		.value = MST_LIT(""),
		.address = f.initiator,
		.protocol = protocol,
		.port = port };
	assert_int_equal(mst_grasp_build(&f, out), MST_OK);
}

static void
DI_1_what_its_ttl_has_ended_is_gone(void **state)
{
	struct disco *pledge;
	struct stranger s;
	struct seen seen = SEEN;
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	need_net();
	pledge = open_on("d0", DISCO_FLOODS, 0);
	disco_seek(pledge, DISCO_PROXY_TLS, on_peer, &seen);
	s = stranger_on("d1");
	build(&out, MST_GRASP_PROXY, MST_GRASP_TCP, D1, 4443, 300);
	send_to(&s, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
	assert_true(has(&seen, "+" D1 "%d0 4443 join proxy (https)"));
	assert_true(has(&seen, "-" D1 "%d0 4443 join proxy (https)"));
	close(s.fd);
	disco_close(pledge);
}

static void
RFC8995_4_1_1_a_proxy_that_is_not_link_local_is_none(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
	} bad[] = { { "2001:db8::66", 4443 }, { "::1", 4443 }, { "ff02::1", 4443 }, { "::", 4443 },
		{ D1, 0 } };
	struct disco *pledge;
	struct stranger s;
	struct seen seen = SEEN;
	uint8_t room[256];

	(void)state;
	need_net();
	pledge = open_on("d0", DISCO_FLOODS, 0);
	disco_seek(pledge, DISCO_PROXY_TLS, on_peer, &seen);
	disco_seek(pledge, DISCO_REGISTRAR_TLS, on_peer, &seen);
	s = stranger_on("d1");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct mst_buf out = MST_BUF(room);

		build(&out, MST_GRASP_PROXY, MST_GRASP_TCP, bad[i].address, bad[i].port, 180000);
		send_to(&s, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
		if (i == 0)
			continue; /* a registrar may be there */
		out.len = 0;
		build(
		    &out, MST_GRASP_REGISTRAR, MST_GRASP_TCP, bad[i].address, bad[i].port, 180000);
		send_to(&s, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
	}
	/* a good one at last: what was before it has been read */
	build(&MST_BUF(room), MST_GRASP_PROXY, MST_GRASP_TCP, D1, 4443, 180000);
	{
		struct mst_buf out = MST_BUF(room);

		build(&out, MST_GRASP_PROXY, MST_GRASP_TCP, D1, 4443, 180000);
		send_to(&s, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
	}
	assert_true(has(&seen, "+" D1 "%d0 4443 join proxy (https)"));
	close(s.fd);
	disco_close(pledge);
	assert_int_equal(seen.count, 1);
}

static void
RFC8990_2_5_2_a_flood_from_beyond_the_link_is_ignored(void **state)
{
	struct disco *pledge;
	struct seen seen = SEEN;
	struct in6_addr from;
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);
	struct sockaddr_in6 to;
	double before;
	int fd;

	(void)state;
	need_net();
	before = counter("muster_discovery_heard_total{outcome=\"source\"} ");
	pledge = open_on("d1", DISCO_FLOODS, 0);
	disco_seek(pledge, DISCO_PROXY_TLS, on_peer, &seen);
	fd = disco_socket(0);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &from), 1);
	to = disco_group("ff02::13", MST_GRASP_PORT, if_nametoindex("d0"));
	build(&out, MST_GRASP_PROXY, MST_GRASP_TCP, D0, 4443, 180000);
	assert_true(disco_send(fd, &to, if_nametoindex("d0"), &from, mst_buf_span(&out)));
	for (int i = 0;
	     i < 400 && counter("muster_discovery_heard_total{outcome=\"source\"} ") == before; i++)
		usleep(10000);
	assert_true(counter("muster_discovery_heard_total{outcome=\"source\"} ") > before);
	disco_close(pledge);
	close(fd);
	assert_int_equal(seen.count, 0);
}

static void
SEC_12_one_source_fills_eight_places_of_the_table(void **state)
{
	struct disco *pledge;
	struct stranger s;
	struct seen seen = SEEN;
	uint8_t room[256];
	double before;

	(void)state;
	need_net();
	before = counter("muster_discovery_heard_total{outcome=\"too_many\"} ");
	pledge = open_on("d0", DISCO_FLOODS, 0);
	disco_seek(pledge, DISCO_PROXY_COAPS, on_peer, &seen);
	s = stranger_on("d1");
	for (unsigned i = 0; i < 100; i++) {
		struct mst_buf out = MST_BUF(room);

		build(&out, MST_GRASP_PROXY, MST_GRASP_UDP, D1, (uint16_t)(1000 + i), 180000);
		send_to(&s, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
		usleep(500);
	}
	for (int i = 0; i < 400 && counter("muster_discovery_heard_total{outcome=\"too_many\"} ") <
	                               before + 92;
	     i++)
		usleep(10000);
	close(s.fd);
	disco_close(pledge);
	assert_int_equal(seen.count, 8);
	assert_true(counter("muster_discovery_heard_total{outcome=\"too_many\"} ") == before + 92);
}

/* ---- where registrars are sought ---- */

/* A proxy whose pledges are on d1: what one of them says of registrars is not heard. */
static void
JP_U4_a_pledge_that_plays_the_registrar_is_not_heard(void **state)
{
	const char *const links[] = { "d1" };
	struct disco_config c = { .ways = DISCO_ASKS | DISCO_FLOODS,
		.links = links,
		.link_count = 1,
		.where = DISCO_OTHERS };
	struct disco *proxy;
	struct seen seen = SEEN;
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);
	struct stranger pledge, site;
	int no = 0;

	(void)state;
	need_net();
	pledge = stranger_on("d0"); /* the other end; both are this machine's, so without a loop */
	setsockopt(pledge.fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &no, sizeof no);
	site = stranger_on("d1");
	assert_int_equal(disco_open(&c, &proxy), MST_OK);
	disco_seek(proxy, DISCO_REGISTRAR_COAPS, on_peer, &seen);
	build(&out, MST_GRASP_REGISTRAR, MST_GRASP_UDP, "2001:db8::66", 53, 180000);
	send_to(&pledge, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
	out.len = 0;
	build(&out, MST_GRASP_REGISTRAR, MST_GRASP_UDP, "2001:db8::1", 5684, 180000);
	send_to(&site, "ff02::13", MST_GRASP_PORT, mst_buf_span(&out));
	assert_true(has(&seen, "+2001:db8::1 5684 registrar (coaps)"));
	disco_close(proxy);
	assert_int_equal(seen.count, 1);
	close(pledge.fd);
	close(site.fd);
}

/* The last of all: it takes the link down. */
static void
JP_U4_the_other_links_are_those_that_are_not_named(void **state)
{
	static const char d0[][IF_NAMESIZE] = { "d0" }, both[][IF_NAMESIZE] = { "d0", "d1" };
	struct disco_link links[DISCO_LINKS_MAX];

	(void)state;
	need_net();
	assert_int_equal(disco_links_but(d0, 1, links), 1);
	assert_string_equal(links[0].name, "d1");
	assert_int_equal(disco_links_but(both, 2, links), 2); /* there is no other */
	assert_int_equal(disco_links_now(d0, 1, links), 1);
	assert_string_equal(links[0].name, "d0");
	assert_int_equal(system("ip link set d1 down"), 0);
	assert_int_equal(disco_links_but(d0, 1, links), 0); /* but one will be */
}

static void
config_that_cannot_be_is_refused(void **state)
{
	const char *const links[] = { "a-name-of-more-than-fifteen" };
	struct disco_config c = { .ways = DISCO_ANSWERS, .links = links, .link_count = 1 };
	struct disco *d;

	(void)state;
	need_net();
	assert_int_equal(disco_open(&c, &d), MST_E_USAGE);
	c.link_count = DISCO_LINKS_MAX + 1;
	assert_int_equal(disco_open(&c, &d), MST_E_USAGE);
	d = open_on("d0", DISCO_ANSWERS, 0);
	assert_int_equal(disco_offer(d, DISCO_PROXY_COAPS, NULL, 0), MST_E_USAGE);
	assert_int_equal(disco_offer(d, DISCO_PROXY_COAPS, "192.0.2.1", 1), MST_E_USAGE);
	for (uint16_t i = 1; i <= DISCO_OFFERS_MAX; i++)
		assert_int_equal(disco_offer(d, DISCO_PROXY_COAPS, NULL, i), MST_OK);
	assert_int_equal(disco_offer(d, DISCO_PROXY_COAPS, NULL, 1), MST_OK); /* there already */
	assert_int_equal(disco_offer(d, DISCO_PROXY_COAPS, NULL, 99), MST_E_SPACE);
	disco_close(d);
}

#define FORGERIES (sizeof forgeries / sizeof forgeries[0])

int
main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(DI_3_pledge_finds_proxy_by_multicast_coap),
		cmocka_unit_test(cJP_5_2_every_join_port_is_found),
		cmocka_unit_test(DI_4_proxy_finds_registrar_both_ways),
		cmocka_unit_test(DI_1_floods_of_proxy_and_registrar_are_understood),
		cmocka_unit_test(JP_U4_what_is_withdrawn_is_found_no_more),
		cmocka_unit_test(DI_7_a_flood_of_requests_gets_few_answers),
		cmocka_unit_test(SEC_12_garbage_is_dropped_and_counted),
		cmocka_unit_test(DI_3_quoted_port_and_unknown_attributes_are_understood),
		cmocka_unit_test(DI_1_what_its_ttl_has_ended_is_gone),
		cmocka_unit_test(RFC8995_4_1_1_a_proxy_that_is_not_link_local_is_none),
		cmocka_unit_test(RFC8990_2_5_2_a_flood_from_beyond_the_link_is_ignored),
		cmocka_unit_test(SEC_12_one_source_fills_eight_places_of_the_table),
		cmocka_unit_test(config_that_cannot_be_is_refused),
		cmocka_unit_test(JP_U4_a_pledge_that_plays_the_registrar_is_not_heard),
	};
	struct CMUnitTest tests[sizeof plain / sizeof plain[0] + FORGERIES + 1];

	memcpy(tests, plain, sizeof plain);
	for (size_t i = 0; i < FORGERIES; i++)
		tests[sizeof plain / sizeof plain[0] + i] = (struct CMUnitTest){ forgeries[i].name,
			forged_answer_is_ignored, NULL, NULL, (void *)(uintptr_t)&forgeries[i] };
	tests[sizeof plain / sizeof plain[0] + FORGERIES] =
	    (struct CMUnitTest)cmocka_unit_test(JP_U4_the_other_links_are_those_that_are_not_named);
	return cmocka_run_group_tests_name("discovery on the wire", tests, setup, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* DNS-SD between responders of this program, on an interface of a network namespace of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/dnssd/dnssd.h"
#include "host/log.h"

static int have_net;

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t more;
	char log[64][160]; /* "+name|address|port" or "-..." */
	size_t count;
};

static void
on_peer(void *arg, const struct dnssd_peer *p)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	if (s->count < 64)
		snprintf(s->log[s->count++], sizeof(s->log[0]), "%c%s|%s|%u|%s",
		    p->what == DNSSD_FOUND ? '+' : '-', p->name, p->address, p->port, p->type);
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

/* Wait until a line is there; 0 when it does not come. */
static int
has(struct seen *s, const char *line)
{
	struct timespec until;
	int found = 0, r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	pthread_mutex_lock(&s->lock);
	while (!found && r == 0) {
		for (size_t i = 0; i < s->count; i++)
			found = found || strcmp(s->log[i], line) == 0;
		if (!found)
			r = pthread_cond_timedwait(&s->more, &s->lock, &until);
	}
	if (!found)
		for (size_t i = 0; i < s->count; i++)
			print_error("saw %s, not %s\n", s->log[i], line);
	pthread_mutex_unlock(&s->lock);
	return found;
}

#define SEEN                                                                                       \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { "" }, 0                     \
	}

static int
setup(void **state)
{
	(void)state;
	log_open("test", LOG_TEXT, LOG_ERROR_, 2);
	/* Root, or an ordinary user where user namespaces are allowed. */
	have_net = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
	have_net =
	    have_net && system("exec 2>/dev/null; ip link set lo up; "
	                       "sysctl -qw net.ipv6.conf.default.accept_dad=0; "
	                       "ip link add d0 address 02:00:00:00:00:01 type veth peer name d1 && "
	                       "sysctl -qw net.ipv6.conf.d1.disable_ipv6=1; "
	                       "ip link set d1 up && ip link set d0 multicast on up && "
	                       "ip addr add 192.0.2.1/24 dev d0") == 0;
	if (!have_net)
		print_message("skip: no network namespace with a veth pair here\n");
	return 0;
}

static void
need_net(void)
{
	if (!have_net)
		skip();
}

static struct dnssd *
open_one(void)
{
	struct dnssd *d = NULL;
	mst_err e = dnssd_open(&d);

	if (e != MST_OK)
		print_error("%s\n", dnssd_why());
	assert_int_equal(e, MST_OK);
	return d;
}

static void
RFC_8995_8_6_registrar_is_found_and_gone(void **state)
{
	static const char *const txt[] = { "txtvers=1", NULL };
	struct seen s = SEEN;
	struct dnssd *registrar, *pledge;

	(void)state;
	need_net();
	registrar = open_one();
	pledge = open_one();
	assert_int_equal(dnssd_browse(pledge, DNSSD_REGISTRAR, on_peer, &s), MST_OK);
	assert_int_equal(
	    dnssd_publish(registrar, "site", DNSSD_REGISTRAR, NULL, 8443, txt), MST_OK);
	assert_true(has(&s, "+site|192.0.2.1|8443|_brski-registrar._tcp"));
	assert_true(has(&s, "+site|fe80::ff:fe00:1%d0|8443|_brski-registrar._tcp"));
	dnssd_close(registrar);
	assert_true(has(&s, "-site|192.0.2.1|8443|_brski-registrar._tcp"));
	assert_true(has(&s, "-site|fe80::ff:fe00:1%d0|8443|_brski-registrar._tcp"));
	dnssd_close(pledge);
}

static void
RFC_8995_4_3_types_are_kept_apart(void **state)
{
	struct seen r = SEEN, p = SEEN;
	struct dnssd *both, *pledge;

	(void)state;
	need_net();
	both = open_one();
	pledge = open_one();
	assert_int_equal(dnssd_publish(both, "one", DNSSD_REGISTRAR, NULL, 1, NULL), MST_OK);
	assert_int_equal(dnssd_publish(both, "one", DNSSD_PROXY, NULL, 2, NULL), MST_OK);
	assert_int_equal(dnssd_browse(pledge, DNSSD_REGISTRAR, on_peer, &r), MST_OK);
	assert_int_equal(dnssd_browse(pledge, DNSSD_PROXY, on_peer, &p), MST_OK);
	assert_true(has(&r, "+one|192.0.2.1|1|_brski-registrar._tcp"));
	assert_true(has(&p, "+one|192.0.2.1|2|_brski-proxy._tcp"));
	dnssd_close(both);
	dnssd_close(pledge);
	for (size_t i = 0; i < r.count; i++)
		assert_null(strstr(r.log[i], "proxy"));
}

/* A proxy in the same process looks for the registrar. */
static void
own_service_is_found(void **state)
{
	struct seen s = SEEN;
	struct dnssd *d;

	(void)state;
	need_net();
	d = open_one();
	assert_int_equal(dnssd_browse(d, DNSSD_REGISTRAR, on_peer, &s), MST_OK);
	assert_int_equal(dnssd_publish(d, "self", DNSSD_REGISTRAR, NULL, 443, NULL), MST_OK);
	assert_true(has(&s, "+self|192.0.2.1|443|_brski-registrar._tcp"));
	dnssd_close(d);
}

static void
RFC_6762_9_second_of_a_name_gets_another(void **state)
{
	struct seen s = SEEN;
	struct dnssd *one, *two, *pledge;

	(void)state;
	need_net();
	one = open_one();
	two = open_one();
	pledge = open_one();
	assert_int_equal(dnssd_browse(pledge, DNSSD_PROXY, on_peer, &s), MST_OK);
	assert_int_equal(dnssd_publish(one, "twin", DNSSD_PROXY, NULL, 1, NULL), MST_OK);
	assert_true(has(&s, "+twin|192.0.2.1|1|_brski-proxy._tcp"));
	assert_int_equal(dnssd_publish(two, "twin", DNSSD_PROXY, NULL, 2, NULL), MST_OK);
	assert_true(has(&s, "+twin #2|192.0.2.1|2|_brski-proxy._tcp"));
	dnssd_close(one);
	dnssd_close(two);
	dnssd_close(pledge);
}

/* A family that the listener does not have is not announced: the other one is the last to come. */
static void
announced_at(const char *listen, const char *address, const char *never)
{
	struct seen s = SEEN;
	struct dnssd *one, *pledge;
	char line[160];

	need_net();
	one = open_one();
	pledge = open_one();
	assert_int_equal(dnssd_browse(pledge, DNSSD_PROXY_UDP, on_peer, &s), MST_OK);
	assert_int_equal(dnssd_publish(one, "fam", DNSSD_PROXY_UDP, listen, 7, NULL), MST_OK);
	/* known to be reached at every address: after it the other family would be here too */
	assert_int_equal(dnssd_browse(pledge, DNSSD_PROXY, on_peer, &s), MST_OK);
	assert_int_equal(dnssd_publish(pledge, "all", DNSSD_PROXY, NULL, 8, NULL), MST_OK);
	snprintf(line, sizeof line, "+fam|%s|7|_brski-proxy._udp", address);
	assert_true(has(&s, line));
	assert_true(has(&s, "+all|192.0.2.1|8|_brski-proxy._tcp"));
	assert_true(has(&s, "+all|fe80::ff:fe00:1%d0|8|_brski-proxy._tcp"));
	dnssd_close(pledge);
	dnssd_close(one);
	snprintf(line, sizeof line, "+fam|%s|7|_brski-proxy._udp", never);
	for (size_t i = 0; i < s.count; i++)
		assert_string_not_equal(s.log[i], line);
}

static void
DI_2_IPv4_listener_is_announced_over_IPv4_alone(void **state)
{
	(void)state;
	announced_at("0.0.0.0:7", "192.0.2.1", "fe80::ff:fe00:1%d0");
}

static void
DI_2_one_IPv6_address_is_announced_alone(void **state)
{
	(void)state;
	announced_at("[fe80::ff:fe00:1%d0]:7", "fe80::ff:fe00:1%d0", "192.0.2.1");
}

static void
DI_2_what_is_withdrawn_is_gone(void **state)
{
	struct seen s = SEEN;
	struct dnssd *one, *pledge;

	(void)state;
	need_net();
	one = open_one();
	pledge = open_one();
	assert_int_equal(dnssd_browse(pledge, DNSSD_PROXY_UDP, on_peer, &s), MST_OK);
	assert_int_equal(dnssd_publish(one, "a", DNSSD_PROXY_UDP, "[::]:7", 7, NULL), MST_OK);
	assert_int_equal(dnssd_publish(one, "b", DNSSD_PROXY_UDP, "[::]:8", 8, NULL), MST_OK);
	assert_true(has(&s, "+a|192.0.2.1|7|_brski-proxy._udp"));
	assert_true(has(&s, "+b|192.0.2.1|8|_brski-proxy._udp"));
	dnssd_withdraw(one, DNSSD_PROXY_UDP, 7);
	assert_true(has(&s, "-a|192.0.2.1|7|_brski-proxy._udp"));
	for (size_t i = 0; i < s.count; i++)
		assert_string_not_equal(s.log[i], "-b|192.0.2.1|8|_brski-proxy._udp");
	dnssd_withdraw(one, DNSSD_PROXY_UDP, 9);
	dnssd_close(one);
	dnssd_close(pledge);
}

static void
wrong_arguments_are_refused(void **state)
{
	static const char *const bad_txt[] = { "=x", NULL };
	char long_name[100];
	struct dnssd *d;

	(void)state;
	need_net();
	d = open_one();
	memset(long_name, 'x', sizeof(long_name));
	long_name[99] = '\0';
	assert_int_equal(dnssd_publish(d, "", DNSSD_PROXY, NULL, 1, NULL), MST_E_USAGE);
	assert_int_equal(dnssd_publish(d, long_name, DNSSD_PROXY, NULL, 1, NULL), MST_E_USAGE);
	assert_int_equal(dnssd_publish(d, "a", "brski", NULL, 1, NULL), MST_E_USAGE);
	assert_int_equal(dnssd_publish(d, "a", DNSSD_PROXY, NULL, 0, NULL), MST_E_USAGE);
	assert_int_equal(dnssd_publish(d, "a", DNSSD_PROXY, NULL, 1, bad_txt), MST_E_USAGE);
	assert_int_equal(dnssd_browse(d, "_a", on_peer, NULL), MST_E_USAGE);
	assert_true(strlen(dnssd_why()) > 5);
	dnssd_close(d);
}

static void
close_at_once(void **state)
{
	(void)state;
	need_net();
	for (int i = 0; i < 5; i++)
		dnssd_close(open_one());
	dnssd_close(NULL);
}

static void
RFC_6874_base_of_an_address(void **state)
{
	static const struct {
		const char *address, *base;
	} rows[] = {
		{ "192.0.2.1", "https://192.0.2.1:8443" },
		{ "2001:db8::1", "https://[2001:db8::1]:8443" },
		{ "fe80::1%eth0", "https://[fe80::1%25eth0]:8443" },
	};
	uint8_t bytes[64];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct mst_buf b = MST_BUF(bytes);

		assert_int_equal(dnssd_base("https", rows[i].address, 8443, &b), MST_OK);
		assert_true(mst_span_eq(mst_buf_span(&b), mst_span_str(rows[i].base)));
		for (b.cap = 0; b.cap < strlen(rows[i].base); b.cap++) {
			b.len = 0;
			assert_int_equal(
			    dnssd_base("https", rows[i].address, 8443, &b), MST_E_SPACE);
			assert_int_equal(b.len, 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(RFC_8995_8_6_registrar_is_found_and_gone),
		cmocka_unit_test(RFC_8995_4_3_types_are_kept_apart),
		cmocka_unit_test(own_service_is_found),
		cmocka_unit_test(RFC_6762_9_second_of_a_name_gets_another),
		cmocka_unit_test(DI_2_IPv4_listener_is_announced_over_IPv4_alone),
		cmocka_unit_test(DI_2_one_IPv6_address_is_announced_alone),
		cmocka_unit_test(DI_2_what_is_withdrawn_is_gone),
		cmocka_unit_test(wrong_arguments_are_refused),
		cmocka_unit_test(close_at_once),
		cmocka_unit_test(RFC_6874_base_of_an_address),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

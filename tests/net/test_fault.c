/* SPDX-License-Identifier: Apache-2.0 */
/* What the bad network of the other tests is worth: it repeats itself, and does what it says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/net/fault.h"

struct world {
	struct fault_link link;
	pthread_t thread;
	int client, server;
	struct sockaddr_in6 back; /* where the server answers to */
};

static struct sockaddr_in6
loopback(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

	assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.sin6_addr), 1);
	return a;
}

static int
udp(struct sockaddr_in6 *at)
{
	struct timeval patience = { 10, 0 };
	socklen_t len = sizeof *at;
	int no = 0, fd = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
	*at = loopback();
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static void *
run(void *arg)
{
	fault_run(arg);
	return NULL;
}

static void
begin(struct world *w, uint64_t seed, struct fault_rates rates)
{
	struct sockaddr_in6 unused;

	memset(w, 0, sizeof *w);
	w->link.seed = seed;
	w->link.rates = rates;
	w->link.listen = loopback();
	w->server = udp(&w->link.target);
	assert_true(fault_open(&w->link));
	w->client = udp(&unused);
	assert_int_equal(
	    connect(w->client, (struct sockaddr *)&w->link.listen, sizeof w->link.listen), 0);
	assert_int_equal(pthread_create(&w->thread, NULL, run, &w->link), 0);
}

static void
end(struct world *w)
{
	atomic_store(&w->link.stop, true);
	pthread_join(w->thread, NULL);
	close(w->client);
	close(w->server);
}

static void
say(struct world *w, const char *text)
{
	assert_int_equal(send(w->client, text, strlen(text), 0), (ssize_t)strlen(text));
}

static size_t
hear(struct world *w, char *out, size_t cap)
{
	socklen_t len = sizeof w->back;
	ssize_t n = recvfrom(w->server, out, cap - 1, 0, (struct sockaddr *)&w->back, &len);

	assert_true(n >= 0);
	out[n] = '\0';
	return (size_t)n;
}

static void
passes_both_ways_without_faults(void **state)
{
	struct world w;
	char got[100];

	(void)state;
	begin(&w, 1, (struct fault_rates){ 0, 0, 0, 0 });
	say(&w, "up");
	hear(&w, got, sizeof got);
	assert_string_equal(got, "up");
	assert_int_equal(
	    sendto(w.server, "down", 4, 0, (struct sockaddr *)&w.back, sizeof w.back), 4);
	assert_int_equal(recv(w.client, got, sizeof got, 0), 4);
	end(&w);
}

static void
loses(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 1, (struct fault_rates){ .loss = 1000 });
	for (int i = 0; i < 20; i++)
		say(&w, "gone");
	usleep(200000);
	assert_int_equal(recv(w.server, (char[10]){ 0 }, 10, MSG_DONTWAIT), -1);
	end(&w);
	assert_int_equal(w.link.count[0][FAULT_LOSS], 20);
}

static void
doubles(void **state)
{
	struct world w;
	char got[100];

	(void)state;
	begin(&w, 1, (struct fault_rates){ .duplicate = 1000 });
	say(&w, "twice");
	for (int i = 0; i < 2; i++) {
		hear(&w, got, sizeof got);
		assert_string_equal(got, "twice");
	}
	end(&w);
}

static void
reorders(void **state)
{
	struct world w;
	char got[100];

	(void)state;
	begin(&w, 1, (struct fault_rates){ .reorder = 1000 });
	say(&w, "one");
	say(&w, "two");
	hear(&w, got, sizeof got);
	assert_string_equal(got, "two");
	hear(&w, got, sizeof got);
	assert_string_equal(got, "one");
	say(&w, "alone"); /* held back, but not for ever */
	hear(&w, got, sizeof got);
	assert_string_equal(got, "alone");
	end(&w);
}

static void
cuts(void **state)
{
	struct world w;
	char got[100];

	(void)state;
	begin(&w, 1, (struct fault_rates){ .truncate = 1000 });
	for (int i = 0; i < 20; i++) {
		say(&w, "0123456789");
		assert_true(hear(&w, got, sizeof got) < 10);
	}
	end(&w);
}

static void
a_seed_repeats_its_faults_and_another_has_others(void **state)
{
	const struct fault_rates r = { 100, 100, 100, 100 };
	unsigned same = 0, n = 4000;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct fault_verdict a = fault_judge(7, &r, i % 3, i % 2, i);
		struct fault_verdict b = fault_judge(7, &r, i % 3, i % 2, i);

		assert_true(a.fault == b.fault && a.cut == b.cut);
		same += a.fault == fault_judge(8, &r, i % 3, i % 2, i).fault;
	}
	assert_in_range(same, n * 30 / 100, n * 50 / 100); /* 40%: chance */
}

static void
rates_are_kept(void **state)
{
	const struct fault_rates r = { 50, 100, 150, 200 };
	unsigned count[FAULT_COUNT] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		count[fault_judge(i / 1000, &r, 0, i % 2, i % 1000).fault]++;
	assert_in_range(count[FAULT_LOSS], 4700, 5300);
	assert_in_range(count[FAULT_DUPLICATE], 9600, 10400);
	assert_in_range(count[FAULT_REORDER], 14500, 15500);
	assert_in_range(count[FAULT_TRUNCATE], 19400, 20600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(passes_both_ways_without_faults),
		cmocka_unit_test(loses), cmocka_unit_test(doubles), cmocka_unit_test(reorders),
		cmocka_unit_test(cuts),
		cmocka_unit_test(a_seed_repeats_its_faults_and_another_has_others),
		cmocka_unit_test(rates_are_kept) };

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody on the link who announces peers that end at once. What is found is
 * a line in the log and perhaps a socket, so there is a bound to it, too
 * (DI-7, JP-U4). The clock is played.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>

#include "host/discovery/disco_room.h"
#include "muster/grasp.h"

#define MINUTE (60 * DISCO_SECOND)

static struct disco *d;
static unsigned found, gone;

static void
count(void *arg, const struct disco_peer *p)
{
	(void)arg;
	*(p->gone ? &gone : &found) += 1;
}

static int
setup(void **state)
{
	(void)state;
	d = calloc(1, sizeof *d);
	assert_non_null(d);
	d->links[0].index = 1; /* loopback, which has a name everywhere */
	d->link_count = 1;
	d->sought[DISCO_PROXY_COAPS].fn = count;
	found = gone = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(d);
	return 0;
}

static void
flood(unsigned source, uint16_t port, uint32_t ttl_ms, int64_t now)
{
	struct mst_grasp_flood f = { .session = 1, .ttl_ms = ttl_ms, .count = 1 };
	struct disco_packet p = { .from.sin6_family = AF_INET6, .index = 1 };
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);

	assert_int_equal(inet_pton(AF_INET6, "fe80::", &p.from.sin6_addr), 1);
	p.from.sin6_addr.s6_addr[14] = (uint8_t)(source >> 8);
	p.from.sin6_addr.s6_addr[15] = (uint8_t)source;
	f.initiator = mst_span_of(p.from.sin6_addr.s6_addr, 16);
	f.objectives[0] = (struct mst_grasp_objective){ .name = MST_LIT(MST_GRASP_PROXY),
		.flags = MST_GRASP_SYNC,
		.loop_count = 1,
		.value = MST_LIT(""),
		.address = f.initiator,
		.protocol = MST_GRASP_UDP,
		.port = port };
	assert_int_equal(mst_grasp_build(&f, &out), MST_OK);
	p.bytes = mst_buf_span(&out);
	disco_on_flood(d, &p, now);
}

static void
DI_7_peers_that_end_at_once_have_a_bound(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	for (unsigned i = 0; i < 10000; i++, now += 1000) {
		flood(i % 3000 + 1, (uint16_t)(i + 1), 1, now);
		disco_expire(d, now + 1000);
	}
	assert_true(found <= DISCO_FOUND_MAX);
	assert_int_equal(gone, found);
}

/* It is a bound to how often, not to how many: whoever comes later is found. */
static void
DI_7_a_minute_later_others_are_found(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		flood(i + 1, 1000, 1, now);
		disco_expire(d, now + 1000);
	}
	found = 0;
	now += MINUTE + DISCO_SECOND;
	flood(5000, 8485, 180000, now);
	assert_int_equal(found, 1);
}

/* Nor does it cost those who are known already, who go on announcing themselves. */
static void
DI_7_who_is_known_stays(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	flood(7, 8485, 180000, now);
	for (unsigned i = 0; i < 1000; i++)
		flood(100 + i, 1000, 1, now);
	found = gone = 0;
	flood(7, 8485, 180000, now + 2 * MINUTE);
	disco_expire(d, now + 4 * MINUTE);
	assert_int_equal(found, 0);
	flood(7, 8485, 180000, now + 4 * MINUTE);
	assert_int_equal(found, 0);
}

/* --- a table that forgers have filled --- */

#define HOUR_MS 3600000

static bool
knows(uint16_t port)
{
	for (size_t i = 0; i < DISCO_FOUND_MAX; i++)
		if (d->found[i].used && d->found[i].port == port)
			return true;
	return false;
}

/* As many forged announcements as the table has places, each of each sources. */
static void
fill(unsigned from, unsigned sources, int64_t now)
{
	for (unsigned i = 0; i < DISCO_FOUND_MAX; i++)
		flood(from + i % sources, (uint16_t)(1000 + from + i), HOUR_MS, now + i);
}

static void
DI_7_a_full_table_lets_a_new_source_in(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	fill(1, 64, now);
	assert_int_equal(found, 64);
	now += MINUTE + DISCO_SECOND;
	flood(5000, 8485, 180000, now);
	assert_true(knows(8485));
	assert_int_equal(gone, 1);
	assert_false(knows(1001)); /* the oldest */
	assert_true(knows(1002));
}

static void
DI_7_the_oldest_of_the_greediest_gives_way(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	flood(7, 8485, 180000, now); /* one that has but one, and is the oldest */
	for (unsigned i = 0; i < 56; i++)
		flood(100 + i / 7, (uint16_t)(2000 + i), HOUR_MS, now + 1 + i);
	for (unsigned i = 0; i < 7; i++)
		flood(200 + i, (uint16_t)(3000 + i), HOUR_MS, now + 60 + i);
	now += MINUTE + DISCO_SECOND;
	flood(104, 2100, HOUR_MS, now); /* its eighth */
	assert_false(knows(2028)); /* its first */
	flood(5000, 8486, 180000, now);
	assert_true(knows(8485) && knows(8486) && knows(2100));
	assert_false(knows(2000)); /* of those with seven the oldest */
	assert_int_equal(gone, 2);
}

/* Made-up sources, 64 a minute, against one that goes on announcing itself. */
static void
DI_7_who_announces_itself_again_outlives_forgers(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	flood(7, 8485, 180000, now);
	for (unsigned round = 1; round < 30; round++) {
		now += MINUTE;
		flood(7, 8485, 180000, now);
		fill(64 * round, 64, now + DISCO_SECOND);
		disco_expire(d, now + 2 * DISCO_SECOND);
		assert_true(knows(8485));
	}
}

static void
DI_7_no_announcement_is_good_for_an_hour(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	flood(1, 1000, HOUR_MS, now);
	disco_expire(d, now + 10 * MINUTE - 1);
	assert_int_equal(gone, 0);
	disco_expire(d, now + 10 * MINUTE);
	assert_int_equal(gone, 1);
}

/* One source that announces and ends without pause uses up its own share of the minute. */
static void
DI_7_one_source_does_not_use_up_the_minute(void **state)
{
	int64_t now = 1000 * MINUTE;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		flood(1, (uint16_t)(1000 + i), 1, now + i);
		disco_expire(d, now + i + 1000);
	}
	assert_int_equal(found, 8);
	flood(7, 8485, 180000, now + 2000);
	assert_true(knows(8485));
}

/* A proxy elsewhere asks from all of its /64 (RFC 7252 8.2); neighbours are hosts of their own. */
static void
DI_7_a_64_is_one_source_unless_it_is_the_links(void **state)
{
	struct disco_packet p = { .from.sin6_family = AF_INET6, .index = 1 };
	struct in6_addr one, other;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:2::1", &p.from.sin6_addr), 1);
	one = disco_source(d, &p);
	p.from.sin6_addr.s6_addr[15] = 2;
	other = disco_source(d, &p);
	assert_memory_equal(&one, &other, sizeof one);
	d->links[0].has_global = true;
	d->links[0].global = p.from.sin6_addr;
	one = disco_source(d, &p);
	p.from.sin6_addr.s6_addr[15] = 3;
	other = disco_source(d, &p);
	assert_memory_not_equal(&one, &other, sizeof one);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    DI_7_peers_that_end_at_once_have_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_a_minute_later_others_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(DI_7_who_is_known_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_a_full_table_lets_a_new_source_in, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_the_oldest_of_the_greediest_gives_way, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_who_announces_itself_again_outlives_forgers, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_no_announcement_is_good_for_an_hour, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_one_source_does_not_use_up_the_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    DI_7_a_64_is_one_source_unless_it_is_the_links, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

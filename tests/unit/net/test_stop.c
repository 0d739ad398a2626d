/* SPDX-License-Identifier: Apache-2.0 */
/* net_stop: what was posted before the end of a loop is run, so nothing that waits for it is lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <time.h>

#include "server/net/net.h"

#define POSTS 100
static struct net *net;
static atomic_int ran;

static void
count(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ran, 1);
}

/* Ends the loops, and posts behind the end. */
static void
stop_and_post(void *arg)
{
	net_stop(arg);
	for (unsigned i = 0; i < net_loops(net); i++)
		for (int k = 0; k < POSTS; k++)
			net_post(net_loop_at(net, i), count, NULL);
}

static void
posts_before_the_end_are_run(void **state)
{
	(void)state;
	atomic_store(&ran, 0);
	assert_int_equal(net_new(1, &net), MST_OK);
	net_post(net_loop_at(net, 0), stop_and_post, net);
	assert_int_equal(net_run(net), MST_OK);
	assert_int_equal(atomic_load(&ran), POSTS);
	net_free(net);
}

/* Loop 0 has most probably ended by the time that this one posts to it. */
static void
stop_and_post_late(void *arg)
{
	net_stop(arg);
	nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	net_post(net_loop_at(net, 0), count, NULL);
}

static void
posts_of_a_loop_that_ends_later_are_run(void **state)
{
	(void)state;
	atomic_store(&ran, 0);
	assert_int_equal(net_new(2, &net), MST_OK);
	net_post(net_loop_at(net, 1), stop_and_post_late, net);
	assert_int_equal(net_run(net), MST_OK);
	assert_int_equal(atomic_load(&ran), 1);
	net_free(net);
}

static void
posts_to_a_loop_that_never_began_are_run(void **state)
{
	(void)state;
	atomic_store(&ran, 0);
	assert_int_equal(net_new(1, &net), MST_OK);
	net_stop(net);
	net_post(net_loop_at(net, 0), count, NULL);
	assert_int_equal(net_run(net), MST_OK);
	assert_int_equal(atomic_load(&ran), 1);
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posts_before_the_end_are_run),
		cmocka_unit_test(posts_of_a_loop_that_ends_later_are_run),
		cmocka_unit_test(posts_to_a_loop_that_never_began_are_run),
	};

	return cmocka_run_group_tests_name("net stop", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What rtnetlink says of links, from a socket pair in the kernel's place. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/link.h"

struct message {
	struct nlmsghdr head;
	struct ifinfomsg link;
};

static int kernel;

static int
set_up(void **state)
{
	static struct link_watch w;
	int pair[2];

	memset(&w, 0, sizeof w);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return -1;
	w.fd = pair[0];
	kernel = pair[1];
	*state = &w;
	return 0;
}

static int
tear_down(void **state)
{
	link_close(*state);
	return close(kernel);
}

static struct message
message(unsigned type, int index, unsigned flags)
{
	struct message m = { .head = { .nlmsg_len = sizeof m, .nlmsg_type = (uint16_t)type } };

	m.link.ifi_index = index;
	m.link.ifi_flags = flags;
	return m;
}

static void
say(unsigned type, int index, unsigned flags)
{
	struct message m = message(type, index, flags);

	assert_int_equal(send(kernel, &m, sizeof m, 0), sizeof m);
}

static void
first_word(void **state)
{
	say(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING);
	assert_false(link_came_up(*state));
}

static void
rises(void **state)
{
	say(RTM_NEWLINK, 2, IFF_UP);
	assert_false(link_came_up(*state));
	say(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING);
	assert_true(link_came_up(*state));
	say(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING);
	assert_false(link_came_up(*state));
	say(RTM_NEWLINK, 2, IFF_UP);
	assert_false(link_came_up(*state));
	say(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING);
	assert_true(link_came_up(*state));
}

static void
other_link(void **state)
{
	say(RTM_NEWLINK, 2, IFF_UP);
	say(RTM_NEWLINK, 3, IFF_UP | IFF_RUNNING);
	assert_false(link_came_up(*state));
}

static void
malformed(void **state)
{
	struct message m = message(RTM_NEWLINK, 2, IFF_UP);

	say(RTM_NEWLINK, 2, IFF_UP);
	assert_false(link_came_up(*state));
	m.link.ifi_flags |= IFF_RUNNING;
	for (uint32_t len = 0; len < sizeof m; len++) {
		m.head.nlmsg_len = len;
		assert_int_equal(send(kernel, &m, sizeof m, 0), sizeof m);
		assert_false(link_came_up(*state));
	}
	m.head.nlmsg_len = UINT32_MAX;
	assert_int_equal(send(kernel, &m, sizeof m, 0), sizeof m);
	assert_false(link_came_up(*state));
	for (size_t len = 1; len < sizeof m; len++) {
		m.head.nlmsg_len = sizeof m;
		assert_int_equal(send(kernel, &m, len, 0), len);
		assert_false(link_came_up(*state));
	}
}

static void
no_watch(void **state)
{
	struct link_watch w = { .fd = -1 };

	(void)state;
	assert_false(link_came_up(&w));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_word, set_up, tear_down),
		{ "RFC8995-4.1.1 a carrier that rises, once each", rises, set_up, tear_down, NULL },
		cmocka_unit_test_setup_teardown(other_link, set_up, tear_down),
		cmocka_unit_test_setup_teardown(malformed, set_up, tear_down),
		cmocka_unit_test(no_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

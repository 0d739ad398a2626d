/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace where this machine has addresses of its own /64,
 * 2001:db8:1::/64, and of somebody else's, 2001:db8:2::/64.
 */
#ifndef TESTS_UNIT_SUPPORT_PREFIX_H
#define TESTS_UNIT_SUPPORT_PREFIX_H

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OURS "2001:db8:1::1"

static int have_prefixes;

static int
prefixes_setup(void **state)
{
	(void)state;
	have_prefixes =
	    (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) &&
	    system("exec 2>/dev/null; ip link set lo up && for i in 1 2 3 4; do "
	           "ip addr add 2001:db8:1::$i/128 dev lo nodad && "
	           "ip addr add 2001:db8:2::$i/128 dev lo nodad || exit 1; done") == 0;
	if (!have_prefixes)
		print_message("no network namespace can be made here\n");
	return 0;
}

#define NEED_PREFIXES()                                                                            \
	do {                                                                                       \
		(void)state;                                                                       \
		if (!have_prefixes)                                                                \
			skip();                                                                    \
	} while (0)

/* From host number i of the /64 "2001:db8:<net>::" to a port at OURS. */
static int
prefix_dial(int type, int net, int i, int port)
{
	struct sockaddr_in6 me = { .sin6_family = AF_INET6 },
	                    to = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct timeval patience = { 10, 0 };
	int fd = socket(AF_INET6, type, 0);
	char text[64];

	snprintf(text, sizeof text, "2001:db8:%d::%d", net, i);
	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET6, text, &me.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, OURS, &to.sin6_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof me), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

#endif

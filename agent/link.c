/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/link.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
link_open(struct link_watch *w)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} ask = { .head = { .nlmsg_len = sizeof ask,
		      .nlmsg_type = RTM_GETLINK,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };

	memset(w, 0, sizeof *w);
	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (w->fd < 0)
		return;
	if (bind(w->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
	    send(w->fd, &ask, sizeof ask, 0) < 0)
		link_close(w);
}

void
link_close(struct link_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* True when it runs and did not before. The first word on a link is no change. */
static bool
note(struct link_watch *w, int index, bool running)
{
	size_t free_slot = LINK_MAX;

	for (size_t i = 0; i < LINK_MAX; i++) {
		if (w->links[i].index == index) {
			bool rose = running && !w->links[i].running;

			w->links[i].running = running;
			return rose;
		}
		if (w->links[i].index == 0 && free_slot == LINK_MAX)
			free_slot = i;
	}
	if (free_slot < LINK_MAX) {
		w->links[free_slot].index = index;
		w->links[free_slot].running = running;
	}
	return false;
}

static bool
read_messages(struct link_watch *w, const unsigned char *bytes, size_t len)
{
	struct nlmsghdr head;
	struct ifinfomsg link;
	bool rose = false;

	while (len >= sizeof head) {
		size_t step;

		memcpy(&head, bytes, sizeof head);
		if (head.nlmsg_len < sizeof head || head.nlmsg_len > len)
			return rose;
		if ((head.nlmsg_type == RTM_NEWLINK || head.nlmsg_type == RTM_DELLINK) &&
		    head.nlmsg_len >= NLMSG_LENGTH(sizeof link)) {
			memcpy(&link, bytes + NLMSG_HDRLEN, sizeof link);
			if (note(w, link.ifi_index,
			        head.nlmsg_type == RTM_NEWLINK &&
			            (link.ifi_flags & IFF_RUNNING) != 0))
				rose = true;
		}
		step = NLMSG_ALIGN(head.nlmsg_len);
		if (step > len)
			return rose;
		bytes += step;
		len -= step;
	}
	return rose;
}

bool
link_came_up(struct link_watch *w)
{
	unsigned char bytes[16384];
	bool rose = false;
	ssize_t n;

	if (w->fd < 0)
		return false;
	while ((n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		if (read_messages(w, bytes, (size_t)n))
			rose = true;
	return rose;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/discovery/disco_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What names stand for: themselves, or whatever else there is. */
struct choice {
	const char (*names)[IF_NAMESIZE];
	size_t count;
	bool others;
};

static bool
is_meant(const struct ifaddrs *i, const struct choice *c)
{
	for (size_t n = 0; n < c->count; n++)
		if (strcmp(c->names[n], i->ifa_name) == 0)
			return !c->others;
	return (c->others || c->count == 0) && (i->ifa_flags & IFF_LOOPBACK) == 0 &&
	       (i->ifa_flags & IFF_MULTICAST) != 0;
}

static bool
is_usable(const struct ifaddrs *i)
{
	const unsigned need = IFF_UP | IFF_RUNNING | IFF_MULTICAST;

	return i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET6 &&
	       (i->ifa_flags & need) == need;
}

static struct disco_link *
link_of(const struct ifaddrs *i, struct disco_link *out, size_t *n)
{
	unsigned index = if_nametoindex(i->ifa_name);

	for (size_t at = 0; at < *n; at++)
		if (out[at].index == index)
			return &out[at];
	if (index == 0 || *n == DISCO_LINKS_MAX)
		return NULL;
	out[*n].index = index;
	strncpy(out[*n].name, i->ifa_name, IF_NAMESIZE - 1);
	return &out[(*n)++];
}

static size_t
links_of(const struct ifaddrs *list, const struct choice *c, struct disco_link out[DISCO_LINKS_MAX])
{
	struct disco_link *l;
	struct sockaddr_in6 a;
	size_t n = 0;

	memset(out, 0, DISCO_LINKS_MAX * sizeof *out); /* compared as bytes */
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		if (!is_usable(i) || !is_meant(i, c) || (l = link_of(i, out, &n)) == NULL)
			continue;
		memcpy(&a, i->ifa_addr, sizeof a);
		if (IN6_IS_ADDR_LINKLOCAL(&a.sin6_addr)) {
			l->has_link_local = true;
			l->link_local = a.sin6_addr;
		} else if (!l->has_global) {
			l->has_global = true;
			l->global = a.sin6_addr;
		}
	}
	return n;
}

/* One that is down counts: when it comes up again nobody wants to have looked elsewhere. */
static bool
is_any(const struct ifaddrs *list, const struct choice *c)
{
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		if (is_meant(i, c))
			return true;
	return false;
}

size_t
disco_links_now(
    const char names[][IF_NAMESIZE], size_t count, struct disco_link out[DISCO_LINKS_MAX])
{
	const struct choice c = { names, count, false };
	struct ifaddrs *list = NULL;
	size_t n;

	if (getifaddrs(&list) != 0)
		list = NULL;
	n = links_of(list, &c, out);
	freeifaddrs(list);
	return n;
}

size_t
disco_links_but(
    const char names[][IF_NAMESIZE], size_t count, struct disco_link out[DISCO_LINKS_MAX])
{
	struct choice c = { names, count, true };
	struct ifaddrs *list = NULL;
	size_t n;

	if (getifaddrs(&list) != 0)
		list = NULL;
	c.others = is_any(list, &c);
	n = links_of(list, &c, out);
	freeifaddrs(list);
	return n;
}

int
disco_socket(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;
	int hops = 255, kept;

	if (fd < 0)
		return -1;
	/*
	 * REUSEADDR: several programs of one host may hear the group. Hops: RFC
	 * 8990 2.5.2 for link-local groups, and more than one for ff05::fd.
	 */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0 &&
	    (port == 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0) &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) == 0 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof off) == 0 &&
	    bind(fd, (struct sockaddr *)&any, sizeof any) == 0)
		return fd;
	kept = errno;
	close(fd);
	errno = kept;
	return -1;
}

int
disco_join(int fd, const char *group, unsigned index)
{
	struct ipv6_mreq m = { .ipv6mr_interface = index };

	if (inet_pton(AF_INET6, group, &m.ipv6mr_multiaddr) != 1)
		return -1;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m) == 0 || errno == EADDRINUSE)
		return 0;
	return -1;
}

union control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

int
disco_receive(int fd, struct mst_buf *room, struct disco_packet *out)
{
	union control control;
	struct iovec iov = { room->ptr, room->cap };
	struct msghdr h = { .msg_name = &out->from,
		.msg_namelen = sizeof out->from,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct in6_pktinfo info;
	ssize_t n = recvmsg(fd, &h, 0);

	if (n < 0)
		return 0; /* EAGAIN; an ICMP error of an earlier answer matters to nobody */
	out->bytes = mst_span_of(room->ptr, (h.msg_flags & MSG_TRUNC) != 0 ? 0 : (size_t)n);
	out->index = 0;
	memset(&out->to, 0, sizeof out->to);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof info);
			out->to = info.ipi6_addr;
			out->index = info.ipi6_ifindex;
		}
	return 1;
}

bool
disco_send(int fd, const struct sockaddr_in6 *to, unsigned index, const struct in6_addr *from,
    mst_span bytes)
{
	union control control;
	struct in6_pktinfo info = { .ipi6_ifindex = index };
	struct iovec iov = { (void *)(uintptr_t)bytes.ptr, bytes.len };
	struct msghdr h = { .msg_name = (void *)(uintptr_t)to,
		.msg_namelen = sizeof *to,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	memset(&control, 0, sizeof control);
	if (from != NULL)
		info.ipi6_addr = *from;
	c = CMSG_FIRSTHDR(&h);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(c), &info, sizeof info);
	return sendmsg(fd, &h, MSG_NOSIGNAL) == (ssize_t)bytes.len;
}

struct sockaddr_in6
disco_group(const char *group, uint16_t port, unsigned index)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = index
	};

	(void)inet_pton(AF_INET6, group, &a.sin6_addr);
	return a;
}

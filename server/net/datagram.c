/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* --- addresses --- */

static void
map(const struct sockaddr_in *in, struct sockaddr_in6 *out)
{
	*out = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = in->sin_port };
	/* the wildcard of IPv4 is ::ffff:0.0.0.0, which takes IPv4 alone */
	out->sin6_addr.s6_addr[10] = out->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&out->sin6_addr.s6_addr[12], &in->sin_addr, 4);
}

mst_err
datagram_address(const char *text, enum datagram_names names, struct sockaddr_in6 *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE }, *found;
	char host[256];
	const char *colon = strrchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;

	if (names == DATAGRAM_LITERAL)
		hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (n == 0 || n >= sizeof host || colon[1] == '\0')
		return MST_E_CONFIG_VALUE;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return MST_E_CONFIG_VALUE;
	if (found->ai_family == AF_INET6)
		memcpy(out, found->ai_addr, sizeof *out);
	else
		map((const struct sockaddr_in *)(const void *)found->ai_addr, out);
	freeaddrinfo(found);
	return MST_OK;
}

void
datagram_host(const struct sockaddr_in6 *a, char out[DATAGRAM_TEXT])
{
	char address[INET6_ADDRSTRLEN], zone[IF_NAMESIZE];

	if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
		inet_ntop(AF_INET, &a->sin6_addr.s6_addr[12], out, DATAGRAM_TEXT);
		return;
	}
	inet_ntop(AF_INET6, &a->sin6_addr, address, sizeof address);
	if (a->sin6_scope_id == 0)
		snprintf(out, DATAGRAM_TEXT, "%s", address);
	else if (if_indextoname(a->sin6_scope_id, zone) != NULL)
		snprintf(out, DATAGRAM_TEXT, "%s%%%s", address, zone);
	else
		snprintf(out, DATAGRAM_TEXT, "%s%%%u", address, (unsigned)a->sin6_scope_id);
}

void
datagram_text(const struct sockaddr_in6 *a, char out[DATAGRAM_TEXT])
{
	char host[DATAGRAM_TEXT];

	datagram_host(a, host);
	snprintf(out, DATAGRAM_TEXT, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
	    (unsigned)ntohs(a->sin6_port));
}

bool
datagram_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port && IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr) &&
	       (!IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr) || a->sin6_scope_id == b->sin6_scope_id);
}

/* --- sockets --- */

static mst_err
failed(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
	return MST_E_IO;
}

static int
both_families(void)
{
	int no = 0, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) != 0)
		return close(fd), -1;
	return fd;
}

mst_err
datagram_bind(struct sockaddr_in6 *at, int *out)
{
	int yes = 1, fd = both_families();
	socklen_t len = sizeof *at;
	struct sockaddr_in6 bound = { 0 };

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes) != 0 ||
	    bind(fd, (const struct sockaddr *)at, sizeof *at) != 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
		return failed(fd);
	at->sin6_port = bound.sin6_port;
	*out = fd;
	return MST_OK;
}

mst_err
datagram_connect(const struct sockaddr_in6 *peer, int *out)
{
	int yes = 1, fd = both_families();

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof yes) != 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes) != 0 ||
	    connect(fd, (const struct sockaddr *)peer, sizeof *peer) != 0)
		return failed(fd);
	*out = fd;
	return MST_OK;
}

/* --- datagrams --- */

static void
came_to(struct msghdr *m, struct datagram_path *path)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		struct in6_pktinfo info;

		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof info);
		path->local = info.ipi6_addr;
		path->ifindex = (unsigned)info.ipi6_ifindex;
	}
}

static bool
to_many(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a))
		return a->s6_addr[12] >= 224; /* multicast, reserved, broadcast */
	return IN6_IS_ADDR_MULTICAST(a);
}

bool
datagram_receive(int fd, struct mst_buf *buf, struct datagram_path *path)
{
	struct datagram_path from;
	union control control;
	struct iovec to = { buf->ptr, buf->cap };
	struct msghdr m = { .msg_name = &from.peer, .msg_iov = &to, .msg_iovlen = 1 };

	do {
		ssize_t n;

		memset(&from, 0, sizeof from);
		m.msg_namelen = sizeof from.peer;
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		if ((n = recvmsg(fd, &m, 0)) < 0)
			return false;
		buf->len = (size_t)n;
		came_to(&m, &from);
	} while ((m.msg_flags & MSG_TRUNC) != 0 || to_many(&from.local));
	if (path != NULL)
		*path = from;
	return true;
}

bool
datagram_send(int fd, const struct datagram_path *path, mst_span bytes)
{
	struct in6_pktinfo info = { 0 };
	union control control;
	struct iovec of = { (void *)(uintptr_t)bytes.ptr, bytes.len };
	struct msghdr m = { .msg_iov = &of, .msg_iovlen = 1 };
	struct sockaddr_in6 peer;

	if (path != NULL) {
		peer = path->peer;
		m.msg_name = &peer;
		m.msg_namelen = sizeof peer;
		info.ipi6_addr = path->local;
		info.ipi6_ifindex = path->ifindex;
	}
	if (path != NULL && (path->ifindex != 0 || !IN6_IS_ADDR_UNSPECIFIED(&path->local))) {
		struct cmsghdr *c = &control.align;

		memset(&control, 0, sizeof control);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(c), &info, sizeof info);
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof info);
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) >= 0;
}

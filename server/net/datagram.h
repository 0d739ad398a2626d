/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sockets that say on which of this machine's addresses and interfaces a
 * datagram came in, and answer from there: what a join proxy on many links and
 * a registrar with many addresses need. All are AF_INET6 sockets; IPv4
 * addresses are mapped (RFC 4291 2.5.5.2), so that there is one kind of
 * address.
 */
#ifndef SERVER_NET_DATAGRAM_H
#define SERVER_NET_DATAGRAM_H

#include <netinet/in.h>

#include "muster/span.h"

#define DATAGRAM_MAX 65535
#define DATAGRAM_TEXT 96 /* "[fe80::1%eth0]:5684" with its NUL */

struct datagram_path {
	struct sockaddr_in6 peer; /* for a link-local address with its interface */
	struct in6_addr local; /* where it came to; all zero: the kernel chooses when sending */
	unsigned ifindex; /* where it came in; 0: the kernel chooses when sending */
};

/*
 * "host:port", "[v6]:port", "[fe80::1%eth0]:port". Names are looked up, which
 * blocks: at start only. MST_E_CONFIG_VALUE.
 */
enum datagram_names { DATAGRAM_LITERAL, DATAGRAM_NAMES };
MST_MUST_USE mst_err datagram_address(
    const char *text, enum datagram_names names, struct sockaddr_in6 *out);
/* "192.0.2.1:40000", "[fe80::1%eth0]:40000" */
void datagram_text(const struct sockaddr_in6 *a, char out[DATAGRAM_TEXT]);
/* Without port: "192.0.2.1". */
void datagram_host(const struct sockaddr_in6 *a, char out[DATAGRAM_TEXT]);
/* Address, port and, of a link-local one, interface. */
bool datagram_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b);

/* Bound, not connected, not blocking. *at gets the port. MST_E_IO with errno. */
MST_MUST_USE mst_err datagram_bind(struct sockaddr_in6 *at, int *fd);
/* Connected to peer, from a port of its own; ICMP errors go to its error queue. MST_E_IO. */
MST_MUST_USE mst_err datagram_connect(const struct sockaddr_in6 *peer, int *fd);

/*
 * The next datagram, into the room lent by buf; false when none waits or the
 * socket has an error, which it takes (errno). A path of NULL: who sent it is
 * known. What is longer than the room, or came to a multicast address, is
 * passed over.
 */
bool datagram_receive(int fd, struct mst_buf *buf, struct datagram_path *path);
/* False: not sent, errno says why. A full queue loses it, as any router would. */
bool datagram_send(int fd, const struct datagram_path *path, mst_span bytes);

#endif

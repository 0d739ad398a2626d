/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 links and the UDP sockets on them. */
#ifndef HOST_DISCOVERY_DISCO_NET_H
#define HOST_DISCOVERY_DISCO_NET_H

#include <net/if.h>
#include <netinet/in.h>

#include "host/discovery/disco.h"

struct disco_link {
	unsigned index;
	char name[IF_NAMESIZE];
	bool has_link_local, has_global;
	struct in6_addr link_local, global;
};
/* The links of the configuration (names: one after another) that are usable now; others: but
 * those, as DISCO_OTHERS says. */
size_t disco_links_now(
    const char names[][IF_NAMESIZE], size_t count, struct disco_link out[DISCO_LINKS_MAX]);
size_t disco_links_but(
    const char names[][IF_NAMESIZE], size_t count, struct disco_link out[DISCO_LINKS_MAX]);

/* Non-blocking, close-on-exec, bound to port (0: any) on every address. -1, errno. */
int disco_socket(uint16_t port);
/* -1, errno; being in it already is no error. */
int disco_join(int fd, const char *group, unsigned index);

struct disco_packet {
	mst_span bytes; /* in the caller's buffer; cut-off datagrams have len 0 */
	struct sockaddr_in6 from;
	struct in6_addr to;
	unsigned index; /* of the link */
};
/* 1, or 0 when nothing waits. */
int disco_receive(int fd, struct mst_buf *room, struct disco_packet *out);
/* From: NULL, or the source address. False: not sent, which nobody can help. */
bool disco_send(int fd, const struct sockaddr_in6 *to, unsigned index, const struct in6_addr *from,
    mst_span bytes);
/* The group at port on a link. */
struct sockaddr_in6 disco_group(const char *group, uint16_t port, unsigned index);

#endif

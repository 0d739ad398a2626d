/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the UDP join proxy share; nobody else includes this. */
#ifndef SERVER_PROXY_UDP_ROOM_H
#define SERVER_PROXY_UDP_ROOM_H

#include <pthread.h>

#include <event2/event.h>

#include "muster/jpy.h"
#include "server/net/datagram.h"
#include "server/proxy/known.h"
#include "server/proxy/udp.h"
#include "server/proxy/udp_header.h"

#define UDP_BATCH 32 /* datagrams per turn of the loop */

enum udp_mode { UDP_STATEFUL, UDP_STATELESS };

struct udp_registrar {
	enum udp_mode mode;
	struct sockaddr_in6 at;
	bool configured;
};

struct udp_mapping; /*
                     * udp_record.c: the first record of a datagram, RFC 6347 4.1, 9146 4, 9147 4.
                     * BEGINS: a ClientHello, or a record by connection id, whose session may be
                     * older than whoever relays it. UNIFIED has no more than three bits to be known
                     * by.
                     */
enum udp_record { UDP_NO_RECORD, UDP_RECORD, UDP_BEGINS, UDP_UNIFIED };
enum udp_record udp_record_of(mst_span datagram);

/* udp_stateful.c */

/* A join port: a registrar that is served, or what is left of one (the number of its port). */
struct udp_join {
	struct proxy_udp *proxy;
	struct udp_registrar registrar;
	uint16_t port; /* host order; kept when closed */
	int fd; /* towards the pledges; -1: closed */
	struct event *readable;
	int up; /* stateless: towards the registrar, one source port for all pledges */
	struct event *answers;
	struct udp_mapping *mappings; /* stateful */
};

struct proxy_udp {
	struct proxy_udp_config c;
	struct net *net;
	struct event_base *base;
	struct sockaddr_in6 listen;
	struct udp_registrar known[PROXY_KNOWN];
	size_t known_count;
	struct udp_join joins[PROXY_UDP_PORTS];
	pthread_mutex_t lock; /* guards open_ports */
	uint16_t open_ports[PROXY_UDP_PORTS];
	size_t open_count;
	long mappings;
	struct udp_keys keys;
	struct udp_locals locals;
	struct event *rotate;
	int icmp6, icmp4; /* raw, -1: not allowed */
	int64_t icmp_since_us;
	int icmp_sent; /* since then */
	int64_t said_us;
	uint8_t room[DATAGRAM_MAX], wrapped[DATAGRAM_MAX + 1];
};

/* udp.c: counted by reason, and now and then a line in the log. */
void udp_drop(struct proxy_udp *p, const struct sockaddr_in6 *from, mst_err e);
void udp_relayed(enum udp_mode mode, const char *direction);

/* udp_stateful.c */
void udp_stateful_take(
    struct udp_join *j, const struct datagram_path *from, const struct mst_buf *in);
void udp_stateful_close(struct udp_join *j);

/* udp_stateless.c */
MST_MUST_USE mst_err udp_stateless_open(struct udp_join *j);
void udp_stateless_take(
    struct udp_join *j, const struct datagram_path *from, const struct mst_buf *in);
void udp_stateless_close(struct udp_join *j);

/*
 * udp_icmp.c: an ICMP error in the words of one family. Types and codes are
 * ICMPv6's; for a pledge on IPv4 they are translated.
 */
struct udp_icmp {
	uint8_t type, code;
	uint32_t info; /* MTU of type 2 */
};
#define UDP_PROHIBITED ((struct udp_icmp){ 1, 1, 0 })
void udp_icmp_open(struct proxy_udp *p);
void udp_icmp_close(struct proxy_udp *p);
/* To the pledge, as the answer to what it sent: payload, from it, to this join port. */
void udp_icmp_send(
    struct udp_join *j, const struct datagram_path *pledge, struct udp_icmp what, mst_span payload);
/* The next error on a connected socket's queue and the payload it is about. */
bool udp_icmp_next(int fd, struct mst_buf *payload, struct udp_icmp *what);

#endif

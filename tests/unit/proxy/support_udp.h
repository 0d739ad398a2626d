/* SPDX-License-Identifier: Apache-2.0 */
/* A UDP join proxy on loopback, a socket that plays its registrar and sockets that play pledges.
 * What cannot be done fails the test that asked for it. */
#ifndef TESTS_UNIT_PROXY_SUPPORT_UDP_H
#define TESTS_UNIT_PROXY_SUPPORT_UDP_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/span.h"
#include "server/proxy/udp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define V4 "127.0.0.1"

struct world {
	struct net *net;
	struct proxy_udp *proxy;
	pthread_t thread;
	int registrar; /* a socket that plays it */
	char uri[96]; /* where it is */
	uint16_t port; /* the first join port */
};

/* A proxy of c, in a thread of its own, at a port the kernel picks; world_end() ends it. */
void world_start(struct world *w, struct proxy_udp_config c);
/* The same with a registrar at V4, configured as scheme://... ("coaps": stateful, "jpy":
 * stateless). */
void world_begin(struct world *w, const char *scheme, struct proxy_udp_config c);
void world_end(struct world *w);
uint16_t first_port(struct world *w); /* of a proxy that has exactly one join port */

/* host is a literal without brackets. */
struct sockaddr_in6 address(const char *host, unsigned port);
bool have(const char *host); /* may be bound on this machine */
/* A blocking socket at host, with 10 seconds of patience. */
int socket_at(const char *host, unsigned port);
struct sockaddr_in6 name_of(int fd);
void uri_of(int fd, const char *scheme, char *out, size_t cap);
/* A pledge at host that speaks to the join port at the same host. */
int pledge_at(const char *host, unsigned port);
/* The same, and its first words have reached the registrar. */
int joins(struct world *w, const char *host);

/* A ClientHello as far as a proxy looks, with these words; of the last 8 calls. */
mst_span said(const char *words);
void put(int fd, mst_span bytes);
void put_to(int fd, const struct sockaddr_in6 *to, mst_span bytes);
void get(int fd, mst_span bytes); /* the next datagram is exactly that */
struct sockaddr_in6 get_from(int fd, mst_span bytes);
bool silent(int fd); /* nothing to read within 50 ms */

/* series: name and labels, as /metrics writes them; one that is not there is 0. */
double metric(const char *series);
double dropped(const char *reason);
void until(const char *series, double want);
void until_dropped(const char *reason, double want);
int descriptors(void); /* of this process */

#endif

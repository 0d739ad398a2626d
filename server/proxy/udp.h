/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The join proxy for UDP (constrained-join-proxy; requirements JP-U1, JP-U3,
 * JP-U4, JP-U5). A registrar known by a jpy URI is served stateless, one known
 * by a coaps URI stateful; where any jpy URI is known, those alone are used,
 * and where nothing is known, no port is open. Each registrar has a join port
 * of its own.
 */
#ifndef SERVER_PROXY_UDP_H
#define SERVER_PROXY_UDP_H

#include "server/net/net.h"

#define PROXY_UDP_PORTS 4 /* registrars served at once; the first known come first */

struct proxy_udp_config {
	const char *listen; /* "[::]:5685": port of the first join port; further ones, and 0, are
	                       picked */
	const char *registrars; /* URIs with spaces between, or NULL: what is learnt */
	long idle_ms; /* stateful: 0: [30000] */
	long per_pledge; /* stateful: mappings per address of a pledge, 0: [2] */
	long per_interface; /* stateful: mappings per interface, 0: [10] */
	long key_ms; /* stateless: a new key after so long, 0: [86400000] */
	/* Link-local and loopback senders alone are pledges; ANY takes routable ones, too (but
	 * routable IPv6 does not fit into a stateless header). */
	enum { PROXY_UDP_ON_LINK, PROXY_UDP_ANY } sources;
};

struct proxy_udp;
/* Before net_run, on loop 0. MST_E_CONFIG_VALUE, MST_E_IO; proxy_udp_why() has words. */
MST_MUST_USE mst_err proxy_udp_open(
    const struct proxy_udp_config *c, struct net *n, struct proxy_udp **out);
void proxy_udp_close(struct proxy_udp *p); /* NULL allowed; after the loops have ended */
const char *proxy_udp_why(void);

/*
 * For whoever discovers registrars, from any thread, soon: a registrar is
 * there, or has gone. uri: "jpy://[2001:db8::1]:7634" (a port is due; a path
 * is ignored), "coaps://[fe80::1%25eth0]/b" (port 5684 if none); addresses
 * only, no names. What the configuration names is never forgotten.
 * MST_E_CONFIG_VALUE: no such URI.
 */
MST_MUST_USE mst_err proxy_udp_learn(struct proxy_udp *p, const char *uri);
MST_MUST_USE mst_err proxy_udp_forget(struct proxy_udp *p, const char *uri);
/* The join ports that are open now, for who answers pledges' discovery (brski-jp). Any thread. */
size_t proxy_udp_ports(struct proxy_udp *p, uint16_t ports[PROXY_UDP_PORTS]);

#endif

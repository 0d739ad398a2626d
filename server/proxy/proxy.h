/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The join proxy: a circuit of bytes between a pledge on this link and a
 * registrar (RFC 8995 section 4). It understands nothing of what it carries
 * (JP-T), is bounded per peer and in total, and announces itself by DNS-SD.
 */
#ifndef SERVER_PROXY_H
#define SERVER_PROXY_H

#include "server/net/net.h"

struct proxy_config {
	const char *listen; /* "[::]:8444" */
	const char *registrar; /* "host:port", or NULL with discover */
	const char *announce; /* DNS-SD instance name, or NULL */
	bool discover; /* find the registrar as _brski-registrar._tcp */
	long max_connections, per_peer, idle_ms;
};

struct proxy;
/* Before net_run, on loop 0. MST_E_IO, MST_E_CONFIG_VALUE; proxy_why() has words. */
MST_MUST_USE mst_err proxy_open(
    const struct proxy_config *c, struct net *n, struct proxy **out, int *port);
void proxy_close(struct proxy *p); /* NULL allowed; after the loops have ended */
const char *proxy_why(void);
/* It knows one, configured or found. On loop 0. */
bool proxy_has_registrar(const struct proxy *p);
/* For whoever finds registrars elsewhere: "2001:db8::1", "fe80::1%eth0". Any thread, soon. */
void proxy_learn(struct proxy *p, const char *address, uint16_t port, bool gone);

#endif

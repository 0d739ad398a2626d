/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles' ends of host/discovery and of DNS-SD for CoAPS: what this daemon
 * offers is told on its links, and a proxy learns of registrars. The roles
 * know nothing of it; they are told by calls that take any thread.
 */
#ifndef SERVER_DISCOVERY_H
#define SERVER_DISCOVERY_H

#include "host/discovery/disco.h"
#include "server/config/config.h"
#include "server/net/net.h"

struct proxy;
struct proxy_udp;
struct discovery;

/* Before net_run. MST_E_IO, MST_E_NOMEM; discovery_why() has words. */
MST_MUST_USE mst_err discovery_open(const struct config *c, struct net *n, struct discovery **out);
/* First, while proxies still exist; after the loops have ended. NULL allowed. */
void discovery_close(struct discovery *d);
const char *discovery_why(void);

/* It listens there, at that port; addresses of IPv4 alone are not for these links. */
MST_MUST_USE mst_err discovery_offer(
    struct discovery *d, enum disco_what what, const char *listen, int port);
/*
 * The proxy's ports are told of while it knows a registrar (JP-U4), and it learns of registrars
 * where its own configuration names none: that one wins.
 */
MST_MUST_USE mst_err discovery_proxy_udp(struct discovery *d, struct proxy_udp *p);
MST_MUST_USE mst_err discovery_proxy_tcp(struct discovery *d, struct proxy *p, int port);

#endif

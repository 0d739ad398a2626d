/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's end of JPY (constrained-join-proxy 4.4, 4.5; requirements
 * JP-U2, JP-U5): one UDP socket for all stateless join proxies. Each pledge,
 * that is (proxy's address and port, own address, header), gets a loopback
 * socket of its own towards the CoAPS listener, which so sees each as a peer
 * of its own; answers go back under the same header, unchanged.
 *
 * A pledge not seen before must begin a DTLS handshake. Until the listener
 * has answered more than a HelloVerifyRequest, nobody knows that its sender
 * exists: such entries end early and give way to newer ones, so that forged
 * sources cannot shut real pledges out; so do those whose session has ended,
 * and, once the listener has been silent for yield_ms, those whose handshake
 * never ended. Everything else is dropped and counted, muster_jpy_dropped_total{reason}.
 */
#ifndef SERVER_NET_JPY_H
#define SERVER_NET_JPY_H

#include "server/net/datagram.h"
#include "server/net/net.h"

struct jpy_config {
	const char *listen; /* "[::]:5685"; port 0 picks one */
	struct sockaddr_in6 listener; /* the CoAPS listener; a wildcard address means loopback */
	long connections; /* pledges at once, 0: [512] */
	long per_proxy; /* per proxy's source (host/source.h), 0: [200] */
	long idle_ms; /* 0: [360000]; must be longer than the DTLS listener keeps a session */
	long fresh_ms; /* of one whose sender is not proven, 0: [60000], beyond a retransmission */
	long yield_ms; /* 0: [5000], beyond a retransmission in a handshake */
};

struct jpy;
/* Before net_run, on loop 0. MST_E_CONFIG_VALUE, MST_E_IO; net_why() has words. */
MST_MUST_USE mst_err jpy_open(
    const struct jpy_config *c, struct net *n, struct jpy **out, int *port);
void jpy_close(struct jpy *j); /* NULL allowed; after the loops have ended */

/*
 * Who is behind a loopback socket of ours: the proxy's address and port, and
 * ours, for limits and logs. False: none of ours. Any thread.
 */
bool jpy_peer(struct jpy *j, const struct sockaddr_in6 *loopback, struct datagram_path *proxy);

#endif

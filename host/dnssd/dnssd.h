/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS-SD over multicast DNS in this process (libavahi-core): no daemon, no
 * D-Bus (RFC 6762, RFC 6763; RFC 8995 4.1, 4.3 and 8.6 for the types). It
 * shares port 5353 with any other responder and answers for a host name of
 * its own with a random part, so that two programs on one host get along.
 * What it finds is a hint from anybody on the link: never a reason to trust.
 */
#ifndef HOST_DNSSD_H
#define HOST_DNSSD_H

#include "muster/span.h"

#define DNSSD_REGISTRAR "_brski-registrar._tcp"
#define DNSSD_PROXY "_brski-proxy._tcp"
#define DNSSD_PROXY_UDP "_brski-proxy._udp" /* constrained-voucher 11.3 */

struct dnssd;

/* Starts its thread. MST_E_IO (no socket, no netlink), MST_E_NOMEM; dnssd_why() has words. */
MST_MUST_USE mst_err dnssd_open(struct dnssd **out);
/* Says goodbye for what was published; no callback runs after it returns. NULL allowed. Not from a
 * callback. */
void dnssd_close(struct dnssd *d);

/*
 * Announce a service for as long as d is open. name: what people see; when
 * it is taken on this link, " #2" and so on is appended. listen: the address
 * that it listens on ("0.0.0.0:8443", "[::]:8444", "192.0.2.1:8443"); only
 * what it can be reached at is announced: IPv4, both families (dual stack),
 * that one address on its link; NULL or a host name: everything. txt:
 * "key=value" strings up to a NULL, or NULL. MST_E_USAGE for a type, name or
 * txt that DNS-SD does not allow, MST_E_NOMEM.
 */
MST_MUST_USE mst_err dnssd_publish(struct dnssd *d, const char *name, const char *type,
    const char *listen, uint16_t port, const char *const *txt);
/* And no longer, with a goodbye. Nothing if it is not announced. */
void dnssd_withdraw(struct dnssd *d, const char *type, uint16_t port);

enum dnssd_what { DNSSD_FOUND, DNSSD_GONE };
struct dnssd_peer {
	enum dnssd_what what;
	const char *name, *type;
	const char *address; /* "192.0.2.1", "2001:db8::1", "fe80::1%eth0"; the same for GONE as for
	                        FOUND */
	uint16_t port;
};
/*
 * Called in the thread of d, once for each service, interface and address
 * family, and again with GONE. peer is borrowed for the call. Must not block,
 * nor call into d.
 */
typedef void (*dnssd_fn)(void *arg, const struct dnssd_peer *peer);
/* Look for a type for as long as d is open. MST_E_USAGE, MST_E_NOMEM. */
MST_MUST_USE mst_err dnssd_browse(struct dnssd *d, const char *type, dnssd_fn fn, void *arg);

/* "https://192.0.2.1:443", "coaps://[fe80::1%25eth0]:5684"; scheme: "https". MST_E_SPACE. */
MST_MUST_USE mst_err dnssd_base(
    const char *scheme, const char *address, uint16_t port, struct mst_buf *out);
const char *dnssd_why(void);

#endif

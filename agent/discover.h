/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrars and proxies on this link. Over HTTPS: DNS-SD (RFC 8995 appendix
 * B.2, DI-2) and GRASP AN_Proxy over TCP (4.1.1, DI-1). Over CoAPS: multicast
 * CoAP (constrained-voucher 10.1, DI-3), DNS-SD _brski-proxy._udp (11.3) and
 * GRASP AN_Proxy over UDP. Hints from anybody: whom to trust is the voucher's
 * word alone.
 */
#ifndef AGENT_DISCOVER_H
#define AGENT_DISCOVER_H

#include "muster/span.h"

struct discovery;

enum discover_for { DISCOVER_FOR_HTTPS, DISCOVER_FOR_COAPS };
enum discover_what { DISCOVER_FOUND, DISCOVER_GONE };
struct discovered {
	enum discover_what what;
	char base[128]; /* "https://address:port", "coaps://[fe80::1%25eth0]:8485" */
};

/*
 * wake: an eventfd that is written when something is waiting. A way that
 * cannot be gone (no IPv6, say) is a line in the log; MST_E_IO when there is
 * none left, MST_E_NOMEM.
 */
MST_MUST_USE mst_err discover_open(enum discover_for wire, int wake, struct discovery **out);
void discover_close(struct discovery *d); /* NULL allowed */
/* The next event; false when there is none. */
bool discover_next(struct discovery *d, struct discovered *out);
const char *discover_why(void);

#endif

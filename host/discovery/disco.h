/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Join proxies and registrars of constrained devices, offered and sought on
 * IPv6 links in two ways beside DNS-SD (host/dnssd):
 *   CoAP   multicast GET of /.well-known/core (constrained-voucher 10,
 *          constrained-join-proxy 5, RFC 7252 8, RFC 6690 4)
 *   GRASP  unprotected M_FLOOD to ff02::13, port 7017 (RFC 8995 4.1.1, 4.3)
 * One thread does both, with all its memory taken at the start: whatever comes
 * from the network is answered or dropped, counted in metrics
 * (muster_discovery_*), and forgotten. What is found is a hint from anybody on
 * the link, never a reason to trust.
 */
#ifndef HOST_DISCOVERY_DISCO_H
#define HOST_DISCOVERY_DISCO_H

#include "muster/span.h"

enum disco_what {
	DISCO_PROXY_TLS, /* AN_Proxy over TCP */
	DISCO_PROXY_COAPS, /* brski-jp; AN_Proxy over UDP */
	DISCO_REGISTRAR_TLS, /* AN_join_registrar over TCP */
	DISCO_REGISTRAR_COAPS, /* rt=brski; AN_join_registrar over UDP */
	DISCO_REGISTRAR_JPY, /* rt=brski.rjp; AN_join_registrar_rjp over UDP */
	DISCO_WHAT_COUNT
};
const char *disco_word(enum disco_what what); /* "join proxy (coaps)" */

/* Answering needs port 5683; whoever only looks does not take it. */
enum disco_way { DISCO_ANSWERS = 1, DISCO_ASKS = 2, DISCO_FLOODS = 4 };

#define DISCO_LINKS_MAX 16
#define DISCO_OFFERS_MAX 8
#define DISCO_FOUND_MAX 64

struct disco_config {
	unsigned ways; /* of enum disco_way; FLOODS: GRASP, both directions */
	/* Names of interfaces; none: each that is up, no loopback and does multicast. */
	const char *const *links;
	size_t link_count;
	/* OTHERS: each that is none of links, is no loopback and does multicast; where this machine
	   has no such interface, up or down, those of links all the same. */
	enum { DISCO_LINKS, DISCO_OTHERS } where;
	long leisure_ms; /* RFC 7252 8.2; -1: DEFAULT_LEISURE, 5000. 0 answers at once */
	long per_source; /* answers to one source a minute; 0: 6 */
	long per_second; /* answers in all a second; 0: 10 */
	long flood_s; /* RFC 8995 4.3: not below 60; 0: 60 */
	uint16_t coap_port, grasp_port; /* 0: 5683, 7017 */
};

struct disco;

/*
 * Opens the sockets and starts the thread. Strings of c are copied. MST_E_IO
 * (a port is taken, no IPv6), MST_E_USAGE (too many links), MST_E_NOMEM;
 * disco_why() has words.
 */
MST_MUST_USE mst_err disco_open(const struct disco_config *c, struct disco **out);
/* No callback runs after it returns. NULL allowed. Not from a callback. */
void disco_close(struct disco *d);
const char *disco_why(void);

/*
 * From now on what is at this port of this host is offered; address: the one
 * it listens on, as IPv6 text, or NULL for any. MST_E_SPACE beyond
 * DISCO_OFFERS_MAX, MST_E_USAGE for an address that is none. Any thread.
 */
MST_MUST_USE mst_err disco_offer(
    struct disco *d, enum disco_what what, const char *address, uint16_t port);
/* And no longer. Any thread. */
void disco_withdraw(struct disco *d, enum disco_what what, uint16_t port);

struct disco_peer {
	bool gone; /* found, or no longer heard of */
	enum disco_what what;
	const char *address; /* "2001:db8::1", "fe80::1%eth0" */
	uint16_t port;
};
/* Called in the thread of d; peer is borrowed. Must not block, nor call into d. */
typedef void (*disco_fn)(void *arg, const struct disco_peer *peer);
/*
 * Look for it from now on: floods are listened for, CoAP is asked at once,
 * then with doubled pauses up to an hour (RFC 8995 4.1); a link that comes up
 * begins anew. One fn for each kind. Any thread.
 */
void disco_seek(struct disco *d, enum disco_what what, disco_fn fn, void *arg);

#endif

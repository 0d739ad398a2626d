/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datagram transport under CoAP: one UDP socket, many associations. What
 * stands above knows sessions and messages and nothing of DTLS' versions, so
 * that DTLS 1.3 (brski.md 13.2: a registrar MUST have it) needs a second file
 * like dtls.c once a packaged library has it: OpenSSL 3.0, GnuTLS 3.7 and
 * mbedTLS 2.28 of Debian 12 do not. Until then this is DTLS 1.2 alone.
 *
 * Until a peer has returned a cookie (RFC 6347 4.2.1) nothing is kept about
 * it; after that it counts against the limits, in total and per source, so
 * floods cost no memory. One thread: the loop's.
 */
#ifndef SERVER_NET_DTLS_H
#define SERVER_NET_DTLS_H

#include "server/net/datagram.h"
#include "server/net/net.h"

struct dtls;
struct dtls_session;

struct dtls_config {
	const char *name; /* of log lines and metrics */
	const char *address;
	SSL_CTX *ctx; /* borrowed; tls_datagrams() */
	struct net_coaps_limits limits; /* complete: no zero */
	net_coaps_alias alias; /* or NULL */
	void *alias_arg;
	/*
	 * The handshake is done; whatever opened keeps is of no use after closed.
	 * It may call dtls_set_stranger().
	 */
	void (*opened)(void *arg, struct dtls_session *s);
	void (*received)(void *arg, struct dtls_session *s, mst_span message);
	/* Once for each opened. The SSL lives on until dtls_release. */
	void (*closed)(void *arg, struct dtls_session *s);
	void *arg;
};

/* Bound when it returns; *port gets the port. MST_E_IO, with net_why(). */
MST_MUST_USE mst_err dtls_open(
    const struct dtls_config *c, struct event_base *base, struct dtls **out, int *port);
/* Ends every session; those opened are closed. Sessions must be released before. */
void dtls_end_all(struct dtls *d);
void dtls_free(struct dtls *d); /* after dtls_end_all */

/* One message as one record. MST_E_SPACE: more than dtls_room; MST_E_IO: the session has ended. */
MST_MUST_USE mst_err dtls_send(struct dtls_session *s, mst_span message);
/* How long a message may be on this path: the peer's max_fragment_length (RFC 6066 4), or what
 * fits the least IPv6 MTU also inside JPY (CO-4). */
size_t dtls_room(const struct dtls_session *s);
/* Tells the peer and calls closed. */
void dtls_end(struct dtls_session *s);
/* After closed: memory and SSL go. */
void dtls_release(struct dtls_session *s);
/* Nobody vouches for its certificate: it is one of few and for a while, net_coaps_limits. */
void dtls_set_stranger(struct dtls_session *s);
/* While pinned a session does not give way to others nor to the idle time-out. */
void dtls_pin(struct dtls_session *s, int by);

SSL *dtls_ssl(const struct dtls_session *s);
const char *dtls_address(const struct dtls_session *s); /* "[2001:db8::1]:40000" */
const char *dtls_source(const struct dtls_session *s); /* "2001:db8::1" */
const char *dtls_counted(const struct dtls_session *s); /* as source_text() has it */
void dtls_set_note(struct dtls_session *s, void *note);
void *dtls_note(const struct dtls_session *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a limit counts as one. An IPv6 host may use every address of its /64
 * (RFC 8981, RFC 4291 2.5.1), so the /64 is the source; but IPv4, loopback and
 * link-local addresses are sources of their own, and so are those in the /64 of
 * the address of ours that they came to: neighbours share it, and one of them
 * must not use up what all of them have.
 */
#ifndef HOST_SOURCE_H
#define HOST_SOURCE_H

#include <netinet/in.h>
#include <sys/socket.h>

/* own: where it came to; NULL or all zero: not known. */
struct in6_addr source_of(const struct in6_addr *peer, const struct in6_addr *own);

#define SOURCE_TEXT 64
/*
 * The same as text, "192.0.2.1", "fe80::1%2", "2001:db8:1:2::/64": a key, not
 * for people. own: NULL where it is not known.
 */
void source_text(const struct sockaddr *peer, const struct sockaddr *own, char out[SOURCE_TEXT]);

#endif

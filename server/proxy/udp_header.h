/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JPY header of the stateless proxy (constrained-join-proxy 4.5.5, 4.5.6;
 * requirements JP-U3): who the pledge is, sealed with a key that only this
 * proxy knows. It is AES-SIV (RFC 5297): the same pledge always gives the same
 * header, since to the registrar the header IS the pledge (4.4, the 5-tuple);
 * a counter in it would make each datagram a session of its own, and a
 * constant nonce would break CCM. 16 bytes of tag, 16 sealed: 32 in all.
 * Replays are taken, as UDP takes them; DTLS sees to that (4.5.6).
 */
#ifndef SERVER_PROXY_UDP_HEADER_H
#define SERVER_PROXY_UDP_HEADER_H

#include <openssl/evp.h>

#include "server/net/datagram.h"

#define UDP_HEADER_BYTES 32
#define UDP_HEADER_PLAIN 16
#define UDP_LOCALS 255

/* The present key and the one before it, so that what is under way at a change still arrives. */
struct udp_keys {
	uint8_t present[32], former[32];
	bool has_former;
	EVP_CIPHER *siv;
	EVP_CIPHER_CTX *ctx;
};
MST_MUST_USE mst_err udp_keys_init(struct udp_keys *k); /* MST_E_RANDOM, MST_E_NOMEM */
MST_MUST_USE mst_err udp_keys_rotate(struct udp_keys *k);
void udp_keys_wipe(struct udp_keys *k);

/*
 * This machine's own IPv6 addresses that pledges have sent to: a number of one
 * byte fits into the header where an address does not. Only the kernel's word
 * puts one in, so no sender can fill it.
 */
struct udp_locals {
	size_t count;
	struct in6_addr at[UDP_LOCALS];
};

/*
 * registrar is authenticated with it: a header is worth nothing from another.
 * MST_E_PROXY_NOT_ON_LINK: neither link-local nor loopback IPv6 and not IPv4,
 * so that it does not fit into 32 bytes.
 */
MST_MUST_USE mst_err udp_header_seal(struct udp_keys *k, struct udp_locals *locals,
    const struct sockaddr_in6 *registrar, const struct datagram_path *pledge,
    uint8_t header[UDP_HEADER_BYTES]);
/* MST_E_JPY_FORGED. */
MST_MUST_USE mst_err udp_header_open(struct udp_keys *k, const struct udp_locals *locals,
    const struct sockaddr_in6 *registrar, mst_span header, struct datagram_path *pledge);

#endif

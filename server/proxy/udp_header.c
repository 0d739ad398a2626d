/* SPDX-License-Identifier: Apache-2.0 */
#include "server/proxy/udp_header.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/rand.h>

#define TAG_BYTES 16
#define VERSION 0x10

/* The first byte of the plain text: VERSION and what kind of address follows. */
enum kind { LINK_LOCAL = VERSION | 1, LOOPBACK = VERSION | 2, IPV4 = VERSION | 3 };

/* --- keys --- */

static mst_err
fresh(uint8_t key[32])
{
	return RAND_bytes(key, 32) == 1 ? MST_OK : MST_E_RANDOM;
}

mst_err
udp_keys_init(struct udp_keys *k)
{
	*k = (struct udp_keys){ .siv = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL),
		.ctx = EVP_CIPHER_CTX_new() };
	if (k->siv == NULL || k->ctx == NULL) {
		udp_keys_wipe(k);
		return k->siv == NULL ? MST_E_UNSUPPORTED : MST_E_NOMEM;
	}
	return fresh(k->present);
}

mst_err
udp_keys_rotate(struct udp_keys *k)
{
	uint8_t next[32];
	mst_err e = fresh(next);

	if (e != MST_OK)
		return e;
	memcpy(k->former, k->present, sizeof k->former);
	memcpy(k->present, next, sizeof k->present);
	k->has_former = true;
	mst_wipe(next, sizeof next);
	return MST_OK;
}

void
udp_keys_wipe(struct udp_keys *k)
{
	EVP_CIPHER_free(k->siv);
	EVP_CIPHER_CTX_free(k->ctx);
	mst_wipe(k, sizeof *k);
}

/* --- sealing --- */

/* RFC 5297 with one string of associated data: the registrar's address and port. */
static bool
associate(EVP_CIPHER_CTX *ctx, const struct sockaddr_in6 *registrar)
{
	uint8_t data[18];
	int n;

	memcpy(data, &registrar->sin6_addr, 16);
	memcpy(data + 16, &registrar->sin6_port, 2);
	return EVP_CipherUpdate(ctx, NULL, &n, data, sizeof data) == 1;
}

static mst_err
seal(struct udp_keys *k, const struct sockaddr_in6 *registrar,
    const uint8_t plain[UDP_HEADER_PLAIN], uint8_t header[UDP_HEADER_BYTES])
{
	int n;

	if (EVP_EncryptInit_ex2(k->ctx, k->siv, k->present, NULL, NULL) != 1 ||
	    !associate(k->ctx, registrar) ||
	    EVP_EncryptUpdate(k->ctx, header + TAG_BYTES, &n, plain, UDP_HEADER_PLAIN) != 1 ||
	    n != UDP_HEADER_PLAIN ||
	    EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, header) != 1)
		return MST_E_INTERNAL;
	return MST_OK;
}

static bool
open_with(struct udp_keys *k, const uint8_t key[32], const struct sockaddr_in6 *registrar,
    const uint8_t *header, uint8_t plain[UDP_HEADER_PLAIN])
{
	uint8_t tag[TAG_BYTES];
	int n;

	memcpy(tag, header, sizeof tag);
	return EVP_DecryptInit_ex2(k->ctx, k->siv, key, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
	       associate(k->ctx, registrar) &&
	       EVP_DecryptUpdate(k->ctx, plain, &n, header + TAG_BYTES, UDP_HEADER_PLAIN) == 1 &&
	       n == UDP_HEADER_PLAIN;
}

/* --- the plain text: kind 1, interface 4, port 2, own address's number 1, address 8 --- */

static uint8_t
number_of(struct udp_locals *l, const struct in6_addr *a)
{
	for (size_t i = 0; i < l->count; i++)
		if (IN6_ARE_ADDR_EQUAL(&l->at[i], a))
			return (uint8_t)(i + 1);
	if (l->count == UDP_LOCALS)
		return 0; /* the kernel will choose */
	l->at[l->count++] = *a;
	return (uint8_t)l->count;
}

static mst_err
pack(struct udp_locals *locals, const struct datagram_path *p, uint8_t out[UDP_HEADER_PLAIN])
{
	static const uint8_t link_local[8] = { 0xfe, 0x80 };
	const uint8_t *address = p->peer.sin6_addr.s6_addr;
	uint32_t ifindex = htonl(p->ifindex);

	memset(out, 0, UDP_HEADER_PLAIN);
	memcpy(out + 1, &ifindex, 4);
	memcpy(out + 5, &p->peer.sin6_port, 2);
	if (IN6_IS_ADDR_V4MAPPED(&p->peer.sin6_addr)) {
		out[0] = IPV4;
		memcpy(out + 8, address + 12, 4);
		memcpy(out + 12, &p->local.s6_addr[12], 4);
		return MST_OK;
	}
	if (memcmp(address, link_local, sizeof link_local) == 0)
		out[0] = LINK_LOCAL;
	else if (IN6_IS_ADDR_LOOPBACK(&p->peer.sin6_addr))
		out[0] = LOOPBACK;
	else
		return MST_E_PROXY_NOT_ON_LINK;
	out[7] = number_of(locals, &p->local);
	memcpy(out + 8, address + 8, 8);
	return MST_OK;
}

static void
unpack(
    const struct udp_locals *locals, const uint8_t in[UDP_HEADER_PLAIN], struct datagram_path *out)
{
	struct datagram_path p = { .peer = { .sin6_family = AF_INET6 } };
	uint8_t *address = p.peer.sin6_addr.s6_addr;
	uint32_t ifindex;

	memcpy(&ifindex, in + 1, 4);
	p.ifindex = ntohl(ifindex);
	memcpy(&p.peer.sin6_port, in + 5, 2);
	if (in[0] == IPV4) {
		address[10] = address[11] = p.local.s6_addr[10] = p.local.s6_addr[11] = 0xff;
		memcpy(address + 12, in + 8, 4);
		memcpy(&p.local.s6_addr[12], in + 12, 4);
	} else {
		memcpy(address + 8, in + 8, 8);
		if (in[0] == LINK_LOCAL) {
			address[0] = 0xfe;
			address[1] = 0x80;
			p.peer.sin6_scope_id = p.ifindex;
		}
		if (in[7] != 0 && in[7] <= locals->count)
			p.local = locals->at[in[7] - 1];
	}
	*out = p;
}

mst_err
udp_header_seal(struct udp_keys *k, struct udp_locals *locals, const struct sockaddr_in6 *registrar,
    const struct datagram_path *pledge, uint8_t header[UDP_HEADER_BYTES])
{
	uint8_t plain[UDP_HEADER_PLAIN];
	mst_err e = pack(locals, pledge, plain);

	return e == MST_OK ? seal(k, registrar, plain, header) : e;
}

mst_err
udp_header_open(struct udp_keys *k, const struct udp_locals *locals,
    const struct sockaddr_in6 *registrar, mst_span header, struct datagram_path *pledge)
{
	uint8_t plain[UDP_HEADER_PLAIN];

	if (header.len != UDP_HEADER_BYTES)
		return MST_E_JPY_FORGED;
	if (!open_with(k, k->present, registrar, header.ptr, plain) &&
	    (!k->has_former || !open_with(k, k->former, registrar, header.ptr, plain)))
		return MST_E_JPY_FORGED;
	unpack(locals, plain, pledge);
	return MST_OK;
}

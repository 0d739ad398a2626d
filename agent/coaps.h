/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoAP over DTLS 1.2 as a client (RFC 7252, 7959, 9148; brski.md 13): one
 * association, one request at a time (NSTART 1). Any chain is accepted and
 * shown to the caller, who judges it; DTLS itself verifies that the handshake
 * is signed by its first certificate's key. Never reconnects by itself.
 *
 * Own code on OpenSSL's DTLS: docs/decisions/0013-coaps-client-without-libcoap.md.
 * DTLS 1.3 (SHOULD) is in no packaged library: MST_E_UNSUPPORTED is not even
 * asked for, 1.2 is all there is.
 */
#ifndef AGENT_COAPS_H
#define AGENT_COAPS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/arena.h"
#include "muster/crypto.h"

#define COAPS_BLOCK_MAX 512

struct coaps_client;

/* Borrowed for coaps_open alone. */
struct coaps_options {
	const char *base; /* "coaps://host:port", "coaps://[fe80::1%25eth0]:port" */
	X509 *cert;
	EVP_PKEY *key;
	const STACK_OF(X509) *chain; /* sent whole behind cert */
	unsigned fragment; /* max_fragment_length: 512 or 1024 (cV 6.1.4) */
	/*
	 * After so long without a message the next exchange begins with a ping
	 * (RFC 7252 4.3): a stateful join proxy may have forgotten this association
	 * (30 s, cJP 4.3), and four bytes tell sooner than a voucher-request sent
	 * five times. 0: 25 s.
	 */
	int64_t idle_us;
	unsigned block; /* 16 to 512, a power of two, with its options below fragment */
};

/*
 * Connects and does the handshake, until end_us of clock_mono_us() at the
 * latest. MST_E_UNREACHABLE, _TIMEOUT, MST_E_TLS, MST_E_X509_CHAIN (more than
 * MST_CHAIN_MAX certificates), MST_E_NOMEM, MST_E_USAGE. coaps_why() has words.
 */
MST_MUST_USE mst_err coaps_open(
    const struct coaps_options *o, int64_t end_us, struct coaps_client **out);
void coaps_close(struct coaps_client *c); /* NULL allowed; says close_notify */
const char *coaps_why(void);

/* What the server showed, EE first; lives as long as the client. */
struct mst_chain coaps_chain(const struct coaps_client *c);
/* Name of the cipher suite in use, for logs. */
const char *coaps_cipher(const struct coaps_client *c);

struct coaps_request {
	bool post; /* else GET */
	const char *path; /* ".well-known/brski/rv" */
	int content_format, accept; /* -1: none */
	mst_span body;
};
struct coaps_answer {
	int code; /* 403 for 4.03 */
	int content_format; /* -1: none */
	int64_t max_age; /* seconds; -1: none */
	mst_span body; /* in the arena; empty, not absent, when there is none */
	unsigned messages; /* datagrams of this exchange, both ways */
	size_t bytes; /* of CoAP in them */
};
/* When a peer is given up: stall_us without a message that brings the exchange forward, or end_us.
 */
struct coaps_patience {
	int64_t stall_us;
	int64_t end_us; /* of clock_mono_us() */
};
/*
 * One exchange with all its blocks. Any code is MST_OK. MST_E_UNREACHABLE:
 * reset, closed, or given up after RFC 7252's retransmissions; MST_E_TIMEOUT:
 * patience is over; MST_E_HTTP_MALFORMED: blocks out of order or a critical option that
 * is unknown; MST_E_HTTP_BODY_LIMIT: an answer longer than limit; MST_E_TLS.
 */
MST_MUST_USE mst_err coaps_exchange(struct coaps_client *c, struct arena *a,
    const struct coaps_request *r, const struct coaps_patience *p, size_t limit,
    struct coaps_answer *out);

/* One piece of something large, which is asked for piece by piece and never held whole. */
#define COAPS_ETAG_MAX 8
struct coaps_piece {
	int code; /* 205, or what the server says instead */
	mst_span body; /* valid until the client's next call */
	bool more; /* another piece follows */
	uint8_t etag[COAPS_ETAG_MAX];
	size_t etag_len; /* 0: the server names no version */
};
/*
 * RFC 7959 2.4: a GET of the piece at offset, a multiple of coaps_piece_size().
 * The server may answer in smaller pieces, and then they are smaller from now
 * on. Any code is MST_OK; refusals are those of coaps_exchange.
 */
MST_MUST_USE mst_err coaps_piece_get(struct coaps_client *c, const char *path, uint64_t offset,
    const struct coaps_patience *p, struct coaps_piece *out);
size_t coaps_piece_size(const struct coaps_client *c);

#endif

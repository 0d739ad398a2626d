/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back-end of include/muster/suit_crypto.h for simulators, for counting
 * bytes, and for emulated boards: no library beneath. SHA-256 and HMAC-256 are
 * real, so that published digests hold; HSS-LMS is, too (it is core's).
 * Everything else protects nothing: a "signature" is a hash of public key and
 * message that anybody can make (fake_suit_sign), a cipher an XOR with a
 * stream from a hash. Linked into tests and simulators only.
 */
#ifndef CRYPTO_SUIT_FAKE_H
#define CRYPTO_SUIT_FAKE_H

#include "muster/suit_crypto.h"

enum fake_suit_call {
	FAKE_SUIT_RANDOM,
	FAKE_SUIT_DIGEST,
	FAKE_SUIT_VERIFY,
	FAKE_SUIT_MAC,
	FAKE_SUIT_UNWRAP,
	FAKE_SUIT_DERIVE,
	FAKE_SUIT_CIPHER,
	FAKE_SUIT_CALLS,
};

/* Zeroed is ready. */
struct fake_suit {
	uint64_t random; /* the generator's state */
	unsigned calls; /* made so far, of all kinds */
	unsigned fail_at; /* the n-th call (from 1) fails ... */
	mst_err fail_with; /* ... with this */
	unsigned count[FAKE_SUIT_CALLS];
	int open; /* states begun and neither ended nor dropped: 0 at the end, or there is a leak */
};

/* The functions over f, which must outlive what is returned. */
struct mst_suit_crypto fake_suit_crypto(struct fake_suit *f);

/* SHA-256 of pieces, real. */
void fake_sha256(const mst_span *piece, size_t count, uint8_t out[32]);

/* What verify takes for a signature of alg by the holder of key->material. */
MST_MUST_USE mst_err fake_suit_sign(const struct mst_suit_key *key, int32_t alg,
    const struct mst_suit_pieces *tbs, struct mst_buf *signature);
/* What unwrap opens again: cek.len + 8 bytes. */
MST_MUST_USE mst_err fake_suit_wrap(
    mst_span kek, int32_t alg, mst_span cek, struct mst_buf *wrapped);

#endif

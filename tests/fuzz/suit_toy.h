/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back-end of include/muster/suit_crypto.h that a fuzzer can please: a
 * signature and a MAC are one byte of checksum repeated, a wrapped key lies
 * open behind eight bytes of A6, a cipher XORs, a digest is a quick hash. It
 * counts what was begun and what was released.
 */
#ifndef TESTS_FUZZ_SUIT_TOY_H
#define TESTS_FUZZ_SUIT_TOY_H

#include <stdlib.h>
#include <string.h>

#include "muster/suit_crypto.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

struct toy {
	unsigned good; /* signatures and MACs that held */
	unsigned asked; /* calls of verify, mac, unwrap and derive */
	unsigned digests;
	int open;
};

struct toy_digest {
	uint64_t h[4];
};

static inline mst_err
toy_digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	struct toy *t = ctx;
	struct toy_digest d = { { 1, 2, 3, 4 } };

	MUST(mst_suit_digest_len(alg) != 0);
	t->open++;
	t->digests++;
	memcpy(s->bytes, &d, sizeof d);
	return MST_OK;
}

static inline mst_err
toy_digest_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	struct toy_digest d;

	(void)ctx;
	memcpy(&d, s->bytes, sizeof d);
	for (size_t i = 0; i < bytes.len; i++)
		d.h[i % 4] =
		    (d.h[i % 4] ^ bytes.ptr[i]) * UINT64_C(0x100000001b3) + d.h[(i + 1) % 4];
	memcpy(s->bytes, &d, sizeof d);
	return MST_OK;
}

static inline void
toy_digest_drop(void *ctx, union mst_suit_digest_state *s)
{
	struct toy *t = ctx;

	(void)s;
	MUST(t->open-- > 0);
}

static inline mst_err
toy_digest_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	mst_err e = mst_buf_put(out, mst_span_of(s->bytes, sizeof(struct toy_digest)));

	toy_digest_drop(ctx, s);
	return e;
}

static inline uint8_t
toy_sum(const struct mst_suit_pieces *p)
{
	unsigned sum = 0;

	MUST(p->count <= MST_SUIT_PIECES);
	for (size_t i = 0; i < p->count; i++)
		for (size_t k = 0; k < p->piece[i].len; k++)
			sum += p->piece[i].ptr[k];
	return (uint8_t)sum;
}

static inline mst_err
toy_verify(void *ctx, const struct mst_suit_key *key, int32_t alg,
    const struct mst_suit_pieces *tbs, mst_span signature)
{
	struct toy *t = ctx;
	size_t len = mst_suit_signature_len(alg);

	t->asked++;
	MUST(key->usage == MST_SUIT_USE_SIGN_MANIFEST || key->usage == MST_SUIT_USE_SIGN_REPORT);
	MUST(key->alg == alg || key->equivalence == MST_SUIT_EQUIVALENT_ALG);
	MUST(alg == MST_SUIT_HSS_LMS || signature.len == len);
	if (signature.len == 0 || signature.ptr[0] != toy_sum(tbs))
		return MST_E_COSE_SIGNATURE;
	t->good++;
	return MST_OK;
}

static inline mst_err
toy_mac(void *ctx, const struct mst_suit_secret *secret, int32_t alg,
    const struct mst_suit_pieces *tbm, struct mst_buf *tag)
{
	struct toy *t = ctx;
	size_t len = mst_suit_mac_len(alg);

	t->asked++;
	MUST(len != 0 && (secret->key != NULL || secret->bytes.len == len));
	for (size_t i = 0; i < len; i++)
		if (mst_buf_put_byte(tag, toy_sum(tbm)) != MST_OK)
			return MST_E_SPACE;
	return MST_OK;
}

static inline mst_err
toy_unwrap(void *ctx, const struct mst_suit_secret *kek, int32_t alg, mst_span wrapped,
    struct mst_buf *out)
{
	struct toy *t = ctx;

	t->asked++;
	MUST(alg <= MST_SUIT_A128KW && alg >= MST_SUIT_A256KW && wrapped.len >= 8);
	MUST((kek->key == NULL) == (kek->bytes.ptr != NULL));
	for (size_t i = 0; i < 8; i++)
		if (wrapped.ptr[i] != 0xa6)
			return MST_E_SUIT_UNWRAP;
	return mst_buf_put(out, mst_span_of(wrapped.ptr + 8, wrapped.len - 8));
}

static inline mst_err
toy_derive(void *ctx, const struct mst_suit_key *key, mst_span peer, mst_span salt, mst_span info,
    size_t len, struct mst_buf *out)
{
	struct toy *t = ctx;

	t->asked++;
	MUST(key->curve == MST_SUIT_X25519 ? peer.len == 32 : peer.len == 33 || peer.len == 65);
	MUST(info.len > 30 && info.len <= 128 && (salt.ptr != NULL || salt.len == 0));
	for (size_t i = 0; i < len; i++)
		if (mst_buf_put_byte(out, (uint8_t)(i + peer.ptr[0])) != MST_OK)
			return MST_E_SPACE;
	return MST_OK;
}

struct toy_cipher {
	uint8_t key, sum;
	bool is_aead;
};

static inline mst_err
toy_cipher_begin(void *ctx, enum mst_suit_direction direction, int32_t alg,
    const struct mst_suit_secret *secret, mst_span iv, mst_span aad, union mst_suit_cipher_state *s)
{
	struct toy *t = ctx;
	struct toy_cipher c = { .is_aead = mst_suit_cipher_is_aead(alg) };

	(void)direction;
	MUST(iv.len == mst_suit_cipher_iv_len(alg) && c.is_aead == (aad.ptr != NULL));
	MUST(secret->key != NULL || secret->bytes.len == mst_suit_cipher_key_len(alg));
	c.key = secret->key != NULL ? 7 : secret->bytes.ptr[0];
	t->open++;
	memcpy(s->bytes, &c, sizeof c);
	return MST_OK;
}

static inline mst_err
toy_cipher_update(void *ctx, union mst_suit_cipher_state *s, mst_span in, struct mst_buf *out)
{
	struct toy_cipher c;

	(void)ctx;
	memcpy(&c, s->bytes, sizeof c);
	for (size_t i = 0; i < in.len; i++) {
		c.sum = (uint8_t)(c.sum + in.ptr[i]);
		if (mst_buf_put_byte(out, in.ptr[i] ^ c.key) != MST_OK)
			return MST_E_SPACE;
	}
	memcpy(s->bytes, &c, sizeof c);
	return MST_OK;
}

static inline void
toy_cipher_drop(void *ctx, union mst_suit_cipher_state *s)
{
	struct toy *t = ctx;

	(void)s;
	MUST(t->open-- > 0);
}

static inline mst_err
toy_cipher_end_decrypt(void *ctx, union mst_suit_cipher_state *s, mst_span tag)
{
	struct toy_cipher c;

	memcpy(&c, s->bytes, sizeof c);
	toy_cipher_drop(ctx, s);
	MUST(c.is_aead ? tag.len == MST_SUIT_TAG_LEN : tag.ptr == NULL);
	return !c.is_aead || tag.ptr[0] == c.sum ? MST_OK : MST_E_SUIT_CIPHER_TAG;
}

static inline struct mst_suit_crypto
toy_crypto(struct toy *t)
{
	return (struct mst_suit_crypto){ .ctx = t,
		.digest_begin = toy_digest_begin,
		.digest_update = toy_digest_update,
		.digest_end = toy_digest_end,
		.digest_drop = toy_digest_drop,
		.verify = toy_verify,
		.mac = toy_mac,
		.unwrap = toy_unwrap,
		.derive = toy_derive,
		.cipher_begin = toy_cipher_begin,
		.cipher_update = toy_cipher_update,
		.cipher_end_decrypt = toy_cipher_end_decrypt,
		.cipher_drop = toy_cipher_drop };
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, ciphers and key unwrapping for SUIT, by OpenSSL: what holds a state. */
#include "crypto/openssl/suit_impl.h"

#include <openssl/err.h>
#include <string.h>

#define CHUNK ((size_t)1 << 30) /* OpenSSL counts in int */

/* --- digests --- */

static const EVP_MD *
md_of(int32_t alg)
{
	switch (alg) {
	case MST_SUIT_SHA256: return EVP_sha256();
	case MST_SUIT_SHA384: return EVP_sha384();
	case MST_SUIT_SHA512: return EVP_sha512();
	case MST_SUIT_SHAKE128: return EVP_shake128();
	case MST_SUIT_SHAKE256: return EVP_shake256();
	default: return NULL;
	}
}

struct digest { /* what lies in the lent state */
	EVP_MD_CTX *ctx;
	int32_t alg;
};
_Static_assert(sizeof(struct digest) <= sizeof(union mst_suit_digest_state), "room");

static struct digest *
digest_in(union mst_suit_digest_state *s)
{
	return (struct digest *)(void *)s->bytes;
}

mst_err
suit_digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	struct digest *d = digest_in(s);
	const EVP_MD *md = md_of(alg);

	(void)ctx;
	if (md == NULL)
		return MST_E_UNSUPPORTED;
	d->alg = alg;
	if ((d->ctx = EVP_MD_CTX_new()) == NULL)
		return MST_E_NOMEM;
	if (EVP_DigestInit_ex(d->ctx, md, NULL) == 1)
		return MST_OK;
	EVP_MD_CTX_free(d->ctx);
	return MST_E_INTERNAL;
}

mst_err
suit_digest_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	(void)ctx;
	if (bytes.len != 0 && EVP_DigestUpdate(digest_in(s)->ctx, bytes.ptr, bytes.len) != 1)
		return MST_E_INTERNAL;
	return MST_OK;
}

mst_err
suit_digest_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	struct digest *d = digest_in(s);
	size_t len = mst_suit_digest_len(d->alg);
	mst_err e = MST_E_SPACE;
	int ok;

	if (len <= out->cap - out->len) {
		if (d->alg == MST_SUIT_SHAKE128 || d->alg == MST_SUIT_SHAKE256)
			ok = EVP_DigestFinalXOF(d->ctx, out->ptr + out->len, len);
		else
			ok = EVP_DigestFinal_ex(d->ctx, out->ptr + out->len, NULL);
		e = ok == 1 ? MST_OK : MST_E_INTERNAL;
	}
	if (e == MST_OK)
		out->len += len;
	suit_digest_drop(ctx, s);
	return e;
}

void
suit_digest_drop(void *ctx, union mst_suit_digest_state *s)
{
	(void)ctx;
	EVP_MD_CTX_free(digest_in(s)->ctx);
	digest_in(s)->ctx = NULL;
}

/* --- key unwrapping --- */

static const EVP_CIPHER *
wrap_of(int32_t alg, size_t *key_len)
{
	switch (alg) {
	case MST_SUIT_A128KW: *key_len = 16; return EVP_aes_128_wrap();
	case MST_SUIT_A192KW: *key_len = 24; return EVP_aes_192_wrap();
	case MST_SUIT_A256KW: *key_len = 32; return EVP_aes_256_wrap();
	default: return NULL;
	}
}

mst_err
suit_unwrap(void *ctx, const struct mst_suit_secret *kek, int32_t alg, mst_span wrapped,
    struct mst_buf *out)
{
	mst_span key = suit_secret_bytes(kek);
	uint8_t plain[MST_SUIT_CEK_MAX + 16];
	size_t key_len = 0;
	const EVP_CIPHER *cipher = wrap_of(alg, &key_len);
	EVP_CIPHER_CTX *c;
	mst_err e = MST_E_SUIT_UNWRAP;
	int n = 0;

	(void)ctx;
	if (cipher == NULL || key.ptr == NULL || key.len != key_len)
		return MST_E_UNSUPPORTED;
	/* RFC 3394 2: two blocks of 64 bits at least */
	if (wrapped.len < 24 || wrapped.len % 8 != 0 || wrapped.len > MST_SUIT_CEK_MAX + 8)
		return MST_E_SUIT_UNWRAP;
	if (wrapped.len - 8 > out->cap - out->len)
		return MST_E_SPACE;
	if ((c = EVP_CIPHER_CTX_new()) == NULL)
		return MST_E_NOMEM;
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(c, cipher, NULL, key.ptr, NULL) == 1 &&
	    EVP_DecryptUpdate(c, plain, &n, wrapped.ptr, (int)wrapped.len) == 1 && n > 0 &&
	    (size_t)n == wrapped.len - 8)
		e = mst_buf_put(out, mst_span_of(plain, (size_t)n));
	EVP_CIPHER_CTX_free(c);
	OPENSSL_cleanse(plain, sizeof plain);
	ERR_clear_error();
	return e;
}

/* --- ciphers --- */

struct cipher {
	EVP_CIPHER_CTX *ctx;
	bool is_aead;
};
_Static_assert(sizeof(struct cipher) <= sizeof(union mst_suit_cipher_state), "room");

static struct cipher *
cipher_in(union mst_suit_cipher_state *s)
{
	return (struct cipher *)(void *)s->bytes;
}

static const EVP_CIPHER *
cipher_of(int32_t alg)
{
	switch (alg) {
	case MST_SUIT_A128GCM: return EVP_aes_128_gcm();
	case MST_SUIT_A256GCM: return EVP_aes_256_gcm();
	case MST_SUIT_CHACHA20_POLY1305: return EVP_chacha20_poly1305();
	case MST_SUIT_A128CTR: return EVP_aes_128_ctr();
	case MST_SUIT_A192CTR: return EVP_aes_192_ctr();
	case MST_SUIT_A256CTR: return EVP_aes_256_ctr();
	default: return NULL;
	}
}

void
suit_cipher_drop(void *ctx, union mst_suit_cipher_state *s)
{
	(void)ctx;
	EVP_CIPHER_CTX_free(cipher_in(s)->ctx);
	mst_wipe(s, sizeof *s);
}

mst_err
suit_cipher_begin(void *ctx, enum mst_suit_direction direction, int32_t alg,
    const struct mst_suit_secret *secret, mst_span iv, mst_span aad, union mst_suit_cipher_state *s)
{
	const EVP_CIPHER *cipher = cipher_of(alg);
	mst_span key = suit_secret_bytes(secret);
	struct cipher *c = cipher_in(s);
	int n;

	if (cipher == NULL || key.ptr == NULL || key.len != mst_suit_cipher_key_len(alg) ||
	    iv.len != mst_suit_cipher_iv_len(alg) || aad.len > CHUNK)
		return MST_E_UNSUPPORTED;
	c->is_aead = mst_suit_cipher_is_aead(alg);
	if ((c->ctx = EVP_CIPHER_CTX_new()) == NULL)
		return MST_E_NOMEM;
	/* an IV of 12 bytes is what GCM and ChaCha20-Poly1305 take unless told */
	if (EVP_CipherInit_ex(c->ctx, cipher, NULL, key.ptr, iv.ptr,
	        direction == MST_SUIT_ENCRYPT ? 1 : 0) == 1 &&
	    (aad.len == 0 || EVP_CipherUpdate(c->ctx, NULL, &n, aad.ptr, (int)aad.len) == 1))
		return MST_OK;
	suit_cipher_drop(ctx, s);
	return MST_E_INTERNAL;
}

mst_err
suit_cipher_update(void *ctx, union mst_suit_cipher_state *s, mst_span in, struct mst_buf *out)
{
	(void)ctx;
	if (in.len > out->cap - out->len)
		return MST_E_SPACE;
	while (in.len != 0) {
		size_t len = in.len < CHUNK ? in.len : CHUNK;
		int n = 0;

		if (EVP_CipherUpdate(
		        cipher_in(s)->ctx, out->ptr + out->len, &n, in.ptr, (int)len) != 1 ||
		    (size_t)n != len)
			return MST_E_INTERNAL;
		out->len += len;
		in = mst_span_of(in.ptr + len, in.len - len);
	}
	return MST_OK;
}

mst_err
suit_cipher_end_decrypt(void *ctx, union mst_suit_cipher_state *s, mst_span tag)
{
	struct cipher *c = cipher_in(s);
	uint8_t copy[MST_SUIT_TAG_LEN], rest[32];
	mst_err e = MST_OK;
	int n;

	if (c->is_aead) {
		e = MST_E_SUIT_CIPHER_TAG;
		if (tag.len == sizeof copy) {
			memcpy(copy, tag.ptr, sizeof copy);
			if (EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, sizeof copy, copy) ==
			        1 &&
			    EVP_CipherFinal_ex(c->ctx, rest, &n) == 1)
				e = MST_OK;
		}
	}
	suit_cipher_drop(ctx, s);
	ERR_clear_error();
	return e;
}

mst_err
suit_cipher_end_encrypt(void *ctx, union mst_suit_cipher_state *s, struct mst_buf *tag)
{
	struct cipher *c = cipher_in(s);
	uint8_t made[MST_SUIT_TAG_LEN], rest[32];
	mst_err e = MST_OK;
	int n;

	if (c->is_aead) {
		e = MST_E_INTERNAL;
		if (EVP_CipherFinal_ex(c->ctx, rest, &n) == 1 &&
		    EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, sizeof made, made) == 1)
			e = mst_buf_put(tag, mst_span_of(made, sizeof made));
	}
	suit_cipher_drop(ctx, s);
	return e;
}

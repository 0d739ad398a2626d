/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/fake/suit_fake.h"

#include <string.h>

#include "muster/hss.h"

/* --- SHA-256 (FIPS 180-4), plain and small --- */

struct sha {
	uint32_t h[8];
	uint64_t len;
	uint8_t block[64];
};
_Static_assert(sizeof(struct sha) <= sizeof(union mst_suit_digest_state), "room");

static const uint32_t round_constants[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
	0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152,
	0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
	0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
	0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3,
	0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2 };

static uint32_t
turn(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

static void
sha_block(struct sha *s)
{
	uint32_t w[64], v[8];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 |
		       (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
	for (unsigned i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		       (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, s->h, sizeof(v));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t t = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) +
		             ((v[4] & v[5]) ^ (~v[4] & v[6])) + round_constants[i] + w[i];
		uint32_t u = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) +
		             ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t;
		v[0] = t + u;
	}
	for (unsigned i = 0; i < 8; i++)
		s->h[i] += v[i];
}

static void
sha_begin(struct sha *s)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(s->h, start, sizeof(start));
	s->len = 0;
}

static void
sha_update(struct sha *s, mst_span in)
{
	while (in.len != 0) {
		size_t at = s->len % 64, n = 64 - at < in.len ? 64 - at : in.len;

		memcpy(s->block + at, in.ptr, n);
		s->len += n;
		if (at + n == 64)
			sha_block(s);
		in = mst_span_of(in.ptr + n, in.len - n);
	}
}

static void
sha_end(struct sha *s, uint8_t out[32])
{
	static const uint8_t pad[64] = { 0x80 };
	uint64_t bits = s->len * 8;
	uint8_t tail[8];

	sha_update(s, mst_span_of(pad, 64 - (s->len + 8) % 64));
	for (unsigned i = 0; i < 8; i++)
		tail[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha_update(s, mst_span_of(tail, 8));
	for (unsigned i = 0; i < 32; i++)
		out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void
fake_sha256(const mst_span *piece, size_t count, uint8_t out[32])
{
	struct sha s;

	sha_begin(&s);
	for (size_t i = 0; i < count; i++)
		sha_update(&s, piece[i]);
	sha_end(&s, out);
}

/* HMAC (RFC 2104) of keys up to a block. */
static void
hmac(mst_span key, const mst_span *piece, size_t count, uint8_t out[32])
{
	uint8_t pad[64] = { 0 };
	struct sha s;

	for (unsigned i = 0; i < 64; i++)
		pad[i] = (uint8_t)((i < key.len ? key.ptr[i] : 0) ^ 0x36);
	sha_begin(&s);
	sha_update(&s, mst_span_of(pad, 64));
	for (size_t i = 0; i < count; i++)
		sha_update(&s, piece[i]);
	sha_end(&s, out);
	for (unsigned i = 0; i < 64; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha_begin(&s);
	sha_update(&s, mst_span_of(pad, 64));
	sha_update(&s, mst_span_of(out, 32));
	sha_end(&s, out);
}

/* --- failures on demand --- */

static mst_err
call(struct fake_suit *f, enum fake_suit_call which)
{
	f->count[which]++;
	return ++f->calls == f->fail_at ? f->fail_with : MST_OK;
}

static mst_err
fill_random(void *ctx, uint8_t *out, size_t len)
{
	struct fake_suit *f = ctx;
	mst_err e = call(f, FAKE_SUIT_RANDOM);

	for (size_t i = 0; e == MST_OK && i < len; i++) {
		f->random = f->random * UINT64_C(6364136223846793005) + 1442695040888963407;
		out[i] = (uint8_t)(f->random >> 56);
	}
	return e;
}

/* --- digests --- */

static struct sha *
sha_in(union mst_suit_digest_state *s)
{
	return (struct sha *)(void *)s->bytes;
}

static mst_err
digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	struct fake_suit *f = ctx;
	mst_err e;

	if (alg != MST_SUIT_SHA256)
		return MST_E_UNSUPPORTED;
	if ((e = call(f, FAKE_SUIT_DIGEST)) != MST_OK)
		return e;
	f->open++;
	sha_begin(sha_in(s));
	return MST_OK;
}

static mst_err
digest_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	mst_err e = call(ctx, FAKE_SUIT_DIGEST);

	if (e == MST_OK)
		sha_update(sha_in(s), bytes);
	return e;
}

static void
digest_drop(void *ctx, union mst_suit_digest_state *s)
{
	struct fake_suit *f = ctx;

	f->open--;
	mst_wipe(s, sizeof(*s));
}

static mst_err
digest_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	uint8_t digest[32];
	mst_err e = call(ctx, FAKE_SUIT_DIGEST);

	sha_end(sha_in(s), digest);
	digest_drop(ctx, s);
	return e != MST_OK ? e : mst_buf_put(out, mst_span_of(digest, 32));
}

/* --- signatures and MACs --- */

/* The "signature": SHA-256 of the public key and the message, again and again. */
static void
imitate(const struct mst_suit_key *key, const struct mst_suit_pieces *tbs, uint8_t *out, size_t len)
{
	mst_span piece[2 + MST_SUIT_PIECES];
	uint8_t block[32], number = 0;

	piece[0] = key->material;
	piece[1] = mst_span_of(&number, 1);
	for (size_t i = 0; i < tbs->count; i++)
		piece[2 + i] = tbs->piece[i];
	for (; len != 0; number++) {
		size_t n = len < sizeof(block) ? len : sizeof(block);

		fake_sha256(piece, 2 + tbs->count, block);
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
}

mst_err
fake_suit_sign(const struct mst_suit_key *key, int32_t alg, const struct mst_suit_pieces *tbs,
    struct mst_buf *signature)
{
	size_t len = mst_suit_signature_len(alg);

	if (len == 0)
		return MST_E_UNSUPPORTED;
	if (len > signature->cap - signature->len)
		return MST_E_SPACE;
	imitate(key, tbs, signature->ptr + signature->len, len);
	signature->len += len;
	return MST_OK;
}

static mst_err
verify(void *ctx, const struct mst_suit_key *key, int32_t alg, const struct mst_suit_pieces *tbs,
    mst_span signature)
{
	const struct mst_suit_crypto self = fake_suit_crypto(ctx);
	uint8_t right[MST_SUIT_SIGNATURE_MAX];
	size_t len = mst_suit_signature_len(alg);
	mst_err e;

	if ((e = call(ctx, FAKE_SUIT_VERIFY)) != MST_OK)
		return e;
	if (alg == MST_SUIT_HSS_LMS)
		return mst_hss_verify(&self, key->material, tbs->piece, tbs->count, signature);
	if (len == 0)
		return MST_E_UNSUPPORTED;
	imitate(key, tbs, right, len);
	return mst_span_eq(mst_span_of(right, len), signature) ? MST_OK : MST_E_COSE_SIGNATURE;
}

static mst_span
secret_bytes(const struct mst_suit_secret *s)
{
	return s->key == NULL ? s->bytes : s->key->material;
}

static mst_err
mac(void *ctx, const struct mst_suit_secret *secret, int32_t alg, const struct mst_suit_pieces *tbm,
    struct mst_buf *tag)
{
	mst_span key = secret_bytes(secret);
	uint8_t made[32];
	mst_err e;

	if (alg != MST_SUIT_HMAC256 || key.ptr == NULL || key.len > 64)
		return MST_E_UNSUPPORTED;
	if ((e = call(ctx, FAKE_SUIT_MAC)) != MST_OK)
		return e;
	hmac(key, tbm->piece, tbm->count, made);
	return mst_buf_put(tag, mst_span_of(made, sizeof(made)));
}

/* --- keys --- */

/* The n-th 32 bytes of a stream that these two lead to. */
static void
stream(mst_span a, mst_span b, uint32_t n, uint8_t out[32])
{
	const uint8_t number[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n };
	const mst_span piece[3] = { a, b, mst_span_of(number, 4) };

	fake_sha256(piece, 3, out);
}

/* Eight bytes of check, then the key under a stream from it. */
mst_err
fake_suit_wrap(mst_span kek, int32_t alg, mst_span cek, struct mst_buf *wrapped)
{
	uint8_t block[32];
	mst_err e;

	if (alg != MST_SUIT_A128KW && alg != MST_SUIT_A192KW && alg != MST_SUIT_A256KW)
		return MST_E_UNSUPPORTED;
	if (cek.len > MST_SUIT_CEK_MAX || cek.len + 8 > wrapped->cap - wrapped->len)
		return MST_E_SPACE;
	stream(kek, cek, UINT32_MAX, block);
	if ((e = mst_buf_put(wrapped, mst_span_of(block, 8))) != MST_OK)
		return e;
	for (size_t i = 0; i < cek.len; i++) {
		if (i % 32 == 0)
			stream(kek, mst_span_of(wrapped->ptr + wrapped->len - i - 8, 8),
			    (uint32_t)i / 32, block);
		wrapped->ptr[wrapped->len++] = cek.ptr[i] ^ block[i % 32];
	}
	return MST_OK;
}

static mst_err
unwrap(void *ctx, const struct mst_suit_secret *kek, int32_t alg, mst_span wrapped,
    struct mst_buf *out)
{
	mst_span key = secret_bytes(kek);
	uint8_t plain[MST_SUIT_CEK_MAX], block[32];
	size_t n = wrapped.len - 8;
	mst_err e;

	(void)alg;
	if ((e = call(ctx, FAKE_SUIT_UNWRAP)) != MST_OK)
		return e;
	if (wrapped.len < 24 || n > sizeof(plain))
		return MST_E_SUIT_UNWRAP;
	for (size_t i = 0; i < n; i++) {
		if (i % 32 == 0)
			stream(key, mst_span_of(wrapped.ptr, 8), (uint32_t)i / 32, block);
		plain[i] = wrapped.ptr[8 + i] ^ block[i % 32];
	}
	stream(key, mst_span_of(plain, n), UINT32_MAX, block);
	if (memcmp(block, wrapped.ptr, 8) != 0)
		return MST_E_SUIT_UNWRAP;
	return mst_buf_put(out, mst_span_of(plain, n));
}

/* "Agreement": a key's material serves as both its halves. */
static mst_err
derive(void *ctx, const struct mst_suit_key *key, mst_span peer, mst_span salt, mst_span info,
    size_t len, struct mst_buf *out)
{
	uint8_t block[32];
	const mst_span piece[3] = { key->material, peer, info };
	mst_err e;

	if (len > sizeof(block))
		return MST_E_UNSUPPORTED;
	if ((e = call(ctx, FAKE_SUIT_DERIVE)) != MST_OK)
		return e;
	hmac(salt.ptr == NULL ? MST_LIT("") : salt, piece, 3, block);
	return mst_buf_put(out, mst_span_of(block, len));
}

/* --- ciphers --- */

struct cipher {
	uint8_t key[32];
	struct sha seen; /* of key, IV, AAD and ciphertext */
	uint64_t at;
	bool is_aead, encrypts;
};
_Static_assert(sizeof(struct cipher) <= sizeof(union mst_suit_cipher_state), "room");

static struct cipher *
cipher_in(union mst_suit_cipher_state *s)
{
	return (struct cipher *)(void *)s->bytes;
}

static mst_err
cipher_begin(void *ctx, enum mst_suit_direction direction, int32_t alg,
    const struct mst_suit_secret *secret, mst_span iv, mst_span aad, union mst_suit_cipher_state *s)
{
	struct fake_suit *f = ctx;
	mst_span key = secret_bytes(secret);
	struct cipher *c = cipher_in(s);
	mst_err e;

	if (mst_suit_cipher_key_len(alg) == 0 || key.len != mst_suit_cipher_key_len(alg) ||
	    iv.len != mst_suit_cipher_iv_len(alg))
		return MST_E_UNSUPPORTED;
	if ((e = call(f, FAKE_SUIT_CIPHER)) != MST_OK)
		return e;
	f->open++;
	memset(c, 0, sizeof(*c));
	fake_sha256((const mst_span[2]){ key, iv }, 2, c->key);
	sha_begin(&c->seen);
	sha_update(&c->seen, mst_span_of(c->key, sizeof(c->key)));
	sha_update(&c->seen, aad);
	c->is_aead = mst_suit_cipher_is_aead(alg);
	c->encrypts = direction == MST_SUIT_ENCRYPT;
	return MST_OK;
}

static mst_err
cipher_update(void *ctx, union mst_suit_cipher_state *s, mst_span in, struct mst_buf *out)
{
	struct cipher *c = cipher_in(s);
	uint8_t block[32];
	mst_err e = call(ctx, FAKE_SUIT_CIPHER);

	if (e != MST_OK)
		return e;
	if (in.len > out->cap - out->len)
		return MST_E_SPACE;
	for (size_t i = 0; i < in.len; i++, c->at++) {
		if (i == 0 || c->at % 32 == 0)
			stream(mst_span_of(c->key, 32), MST_LIT(""), (uint32_t)(c->at / 32), block);
		out->ptr[out->len + i] = in.ptr[i] ^ block[c->at % 32];
	}
	sha_update(&c->seen, c->encrypts ? mst_span_of(out->ptr + out->len, in.len) : in);
	out->len += in.len;
	return MST_OK;
}

static void
cipher_drop(void *ctx, union mst_suit_cipher_state *s)
{
	struct fake_suit *f = ctx;

	f->open--;
	mst_wipe(s, sizeof(*s));
}

static mst_err
cipher_end_decrypt(void *ctx, union mst_suit_cipher_state *s, mst_span tag)
{
	struct cipher *c = cipher_in(s);
	uint8_t made[32];
	bool is_aead = c->is_aead;
	mst_err e = call(ctx, FAKE_SUIT_CIPHER);

	sha_end(&c->seen, made);
	cipher_drop(ctx, s);
	if (e == MST_OK && is_aead && !mst_ct_eq(mst_span_of(made, MST_SUIT_TAG_LEN), tag))
		e = MST_E_SUIT_CIPHER_TAG;
	return e;
}

static mst_err
cipher_end_encrypt(void *ctx, union mst_suit_cipher_state *s, struct mst_buf *tag)
{
	struct cipher *c = cipher_in(s);
	uint8_t made[32];
	bool is_aead = c->is_aead;
	mst_err e = call(ctx, FAKE_SUIT_CIPHER);

	sha_end(&c->seen, made);
	cipher_drop(ctx, s);
	if (e == MST_OK && is_aead)
		e = mst_buf_put(tag, mst_span_of(made, MST_SUIT_TAG_LEN));
	return e;
}

struct mst_suit_crypto
fake_suit_crypto(struct fake_suit *f)
{
	return (struct mst_suit_crypto){
		.ctx = f,
		.random = fill_random,
		.digest_begin = digest_begin,
		.digest_update = digest_update,
		.digest_end = digest_end,
		.digest_drop = digest_drop,
		.verify = verify,
		.mac = mac,
		.unwrap = unwrap,
		.derive = derive,
		.cipher_begin = cipher_begin,
		.cipher_update = cipher_update,
		.cipher_end_decrypt = cipher_end_decrypt,
		.cipher_end_encrypt = cipher_end_encrypt,
		.cipher_drop = cipher_drop,
	};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms of sheet suit.md 17, keys, and SUIT_Digest. */
#include "core/base/assert.h"
#include "core/cose/suit_cose.h"

/* By number, never by enum: where enums are short, -65534 of a stranger would become 2. */
static const struct {
	int32_t alg;
	uint8_t len;
} digests[] = {
	{ MST_SUIT_SHA256, 32 },
	{ MST_SUIT_SHA384, 48 },
	{ MST_SUIT_SHA512, 64 },
	{ MST_SUIT_SHAKE128, 32 },
	{ MST_SUIT_SHAKE256, 64 },
}, signatures[] = {
	{ MST_SUIT_ES256, 64 },
	{ MST_SUIT_ESP256, 64 },
	{ MST_SUIT_EDDSA, 64 },
	{ MST_SUIT_ED25519, 64 },
	{ MST_SUIT_ES384, 96 },
	{ MST_SUIT_ESP384, 96 },
	{ MST_SUIT_ES512, 132 },
	{ MST_SUIT_ESP512, 132 },
}, macs[] = {
	{ MST_SUIT_HMAC256, 32 },
	{ MST_SUIT_HMAC384, 48 },
	{ MST_SUIT_HMAC512, 64 },
};

static const struct {
	int32_t alg;
	uint8_t key_len, iv_len;
} ciphers[] = {
	{ MST_SUIT_A128GCM, 16, 12 }, /* sheet 15: 12, whatever the text of FE 6.1 lists */
	{ MST_SUIT_A256GCM, 32, 12 },
	{ MST_SUIT_CHACHA20_POLY1305, 32, 12 },
	{ MST_SUIT_A128CTR, 16, 16 },
	{ MST_SUIT_A192CTR, 24, 16 },
	{ MST_SUIT_A256CTR, 32, 16 },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LEN_OF(table, number)                                                                      \
	do {                                                                                       \
		for (size_t i = 0; i < COUNT(table); i++)                                          \
			if ((table)[i].alg == (number))                                            \
				return (table)[i].len;                                             \
		return 0;                                                                          \
	} while (0)

size_t
mst_suit_digest_len(int32_t alg)
{
	LEN_OF(digests, alg);
}

size_t
mst_suit_signature_len(int32_t alg)
{
	LEN_OF(signatures, alg);
}

size_t
mst_suit_mac_len(int32_t alg)
{
	LEN_OF(macs, alg);
}

size_t
mst_suit_cipher_key_len(int32_t alg)
{
	for (size_t i = 0; i < COUNT(ciphers); i++)
		if (ciphers[i].alg == alg)
			return ciphers[i].key_len;
	return 0;
}

size_t
mst_suit_cipher_iv_len(int32_t alg)
{
	for (size_t i = 0; i < COUNT(ciphers); i++)
		if (ciphers[i].alg == alg)
			return ciphers[i].iv_len;
	return 0;
}

bool
mst_suit_cipher_is_aead(int32_t alg)
{
	return mst_suit_cipher_iv_len(alg) == 12;
}

/* RFC 9864: the polymorphic number and the fully specified one of the same curve and hash. */
static int32_t
equivalent_of(int32_t alg)
{
	switch (alg) {
	case MST_SUIT_ES256: return MST_SUIT_ESP256;
	case MST_SUIT_ESP256: return MST_SUIT_ES256;
	case MST_SUIT_EDDSA: return MST_SUIT_ED25519;
	case MST_SUIT_ED25519: return MST_SUIT_EDDSA;
	case MST_SUIT_ES384: return MST_SUIT_ESP384;
	case MST_SUIT_ESP384: return MST_SUIT_ES384;
	case MST_SUIT_ES512: return MST_SUIT_ESP512;
	case MST_SUIT_ESP512: return MST_SUIT_ES512;
	default: return 0;
	}
}

bool
suit_key_takes(const struct mst_suit_key *key, enum mst_suit_usage usage, int32_t alg)
{
	if (key->usage != usage || alg == 0)
		return false;
	return key->alg == alg ||
	       (key->equivalence == MST_SUIT_EQUIVALENT_ALG && equivalent_of(key->alg) == alg);
}

bool
suit_key_is_named(const struct mst_suit_key *key, mst_span kid)
{
	return kid.ptr != NULL && key->kid.ptr != NULL && mst_span_eq(key->kid, kid);
}

/* Sheet 3.7: kid selects; RFC 9052 3.1: it is a hint, so what has none is tried. */
bool
suit_key_may_be(const struct mst_suit_key *key, mst_span kid)
{
	return kid.ptr == NULL || key->kid.ptr == NULL || mst_span_eq(key->kid, kid);
}

mst_err
mst_suit_digest(const struct mst_suit_crypto *crypto, int32_t alg, const mst_span *piece,
    size_t count, struct mst_buf *out)
{
	union mst_suit_digest_state s;
	mst_err e;

	if (mst_suit_digest_len(alg) == 0)
		return MST_E_SUIT_DIGEST_ALG;
	if (mst_suit_digest_len(alg) > out->cap - out->len)
		return MST_E_SPACE;
	if ((e = crypto->digest_begin(crypto->ctx, alg, &s)) != MST_OK)
		return e;
	for (size_t i = 0; i < count; i++) {
		if ((e = crypto->digest_update(crypto->ctx, &s, piece[i])) != MST_OK) {
			crypto->digest_drop(crypto->ctx, &s);
			return e;
		}
	}
	return crypto->digest_end(crypto->ctx, &s, out);
}

mst_err
mst_suit_digest_parse(mst_span encoded, struct mst_suit_digest_claim *out)
{
	struct mst_suit_digest_claim c;
	struct mst_cbor_reader r;
	int64_t alg;

	suit_reader(&r, encoded);
	suit_strict(&r, MST_E_SUIT_DIGEST);
	mst_cbor_array(&r);
	suit_strict(&r, MST_E_SUIT_DIGEST);
	alg = mst_cbor_int(&r);
	suit_strict(&r, MST_E_SUIT_DIGEST);
	c.digest = mst_cbor_bytes(&r);
	mst_cbor_leave(&r); /* M 10: no extension is known */
	if (mst_cbor_end(&r) != MST_OK)
		return MST_E_SUIT_DIGEST;
	if (alg < INT32_MIN || alg > INT32_MAX || mst_suit_digest_len((int32_t)alg) == 0)
		return MST_E_SUIT_DIGEST_ALG;
	c.alg = (int32_t)alg;
	if (c.digest.len != mst_suit_digest_len(c.alg))
		return MST_E_SUIT_DIGEST_LENGTH;
	*out = c;
	return MST_OK;
}

mst_err
mst_suit_digest_check_wrapped(const struct mst_suit_crypto *crypto,
    const struct mst_suit_digest_claim *claim, mst_span content)
{
	uint8_t head[9], digest[MST_SUIT_DIGEST_MAX];
	struct mst_buf h = MST_BUF(head), d = MST_BUF(digest);
	struct mst_cbor_writer w;
	mst_span piece[2];
	mst_err e;

	mst_cbor_put_init(&w, &h);
	mst_cbor_put_bytes_head(&w, content.len);
	MST_ASSERT(mst_cbor_put_end(&w) == MST_OK);
	piece[0] = mst_buf_span(&h);
	piece[1] = content;
	if ((e = mst_suit_digest(crypto, claim->alg, piece, 2, &d)) != MST_OK)
		return e;
	return mst_ct_eq(mst_buf_span(&d), claim->digest) ? MST_OK : MST_E_SUIT_DIGEST_MISMATCH;
}

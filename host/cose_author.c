/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication blocks as an author makes them (M 8.3; RFC 9052 4, 6; sheet suit.md 3). */
#include "host/cose_author_impl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "host/cert.h"
#include "host/hss_signer.h"
#include "host/key.h"
#include "muster/cbor.h"

#define HEADS 64 /* of tags, labels and lengths, generously */

/* --- structures --- */

static mst_span
protected_with(struct arena *a, int32_t alg, mst_span x5chain)
{
	struct mst_buf b = arena_buf(a, 8 + x5chain.len);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_map(&w, x5chain.ptr != NULL ? 2 : 1);
	mst_cbor_put_uint(&w, COSE_LABEL_ALG);
	mst_cbor_put_int(&w, alg);
	if (x5chain.ptr != NULL) { /* whoever signs says by which certificate */
		mst_cbor_put_uint(&w, COSE_LABEL_X5CHAIN);
		mst_cbor_put_raw(&w, x5chain);
	}
	return mst_cbor_put_end(&w) == MST_OK ? mst_buf_span(&b) : MST_NONE;
}

static mst_span
protected_of(struct arena *a, int32_t alg)
{
	return protected_with(a, alg, MST_NONE);
}

/* [ context, field... ] in one piece. */
static mst_span
structure(struct arena *a, const char *context, const mst_span *field, size_t count)
{
	size_t len = HEADS;
	struct mst_buf b;
	struct mst_cbor_writer w;

	for (size_t i = 0; i < count; i++)
		len += field[i].len + 9;
	b = arena_buf(a, len);
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, count + 1);
	mst_cbor_put_text(&w, mst_span_str(context));
	for (size_t i = 0; i < count; i++)
		mst_cbor_put_bytes(&w, field[i]);
	return mst_cbor_put_end(&w) == MST_OK ? mst_buf_span(&b) : MST_NONE;
}

void
cose_put_kid(struct mst_cbor_writer *w, mst_span kid)
{
	mst_cbor_put_map(w, kid.ptr != NULL);
	if (kid.ptr == NULL)
		return;
	mst_cbor_put_uint(w, COSE_LABEL_KID);
	mst_cbor_put_bytes(w, kid);
}

mst_err
cose_x5chain(struct arena *a, mst_span pem, EVP_PKEY *key, mst_span *x5chain)
{
	struct mst_buf b = arena_buf(a, pem.len + HEADS);
	struct mst_cbor_writer w;
	STACK_OF(X509) *list;
	mst_span der;
	mst_err e = cert_list(pem, &list);

	if (e != MST_OK)
		return e;
	e = key_matches(key, sk_X509_value(list, 0));
	mst_cbor_put_init(&w, &b);
	if (sk_X509_num(list) > 1) /* one alone stands without an array */
		mst_cbor_put_array(&w, (uint64_t)sk_X509_num(list));
	for (int i = 0; e == MST_OK && i < sk_X509_num(list); i++)
		if ((e = cert_der(a, sk_X509_value(list, i), &der)) == MST_OK)
			mst_cbor_put_bytes(&w, der);
	sk_X509_pop_free(list, X509_free);
	if (e == MST_OK && mst_cbor_put_end(&w) != MST_OK)
		e = MST_E_NOMEM;
	*x5chain = mst_buf_span(&b);
	return e;
}

/* tag([ protected, { ?kid }, payload or nil, proof ]) */
static mst_err
put_block(struct arena *a, enum cose_block tag, mst_span protected_header, mst_span kid,
    mst_span payload, enum mst_suit_attachment form, mst_span proof, mst_span *block)
{
	struct mst_buf b =
	    arena_buf(a, HEADS + protected_header.len + kid.len + payload.len + proof.len);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, (uint64_t)tag);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_bytes(&w, protected_header);
	cose_put_kid(&w, kid);
	if (form == MST_SUIT_ATTACHED)
		mst_cbor_put_bytes(&w, payload);
	else
		mst_cbor_put_null(&w);
	mst_cbor_put_bytes(&w, proof);
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_NOMEM;
	*block = mst_buf_span(&b);
	return MST_OK;
}

/* --- signing --- */

static const EVP_MD *
md_of(int32_t alg)
{
	switch (alg) {
	case MST_SUIT_ES256:
	case MST_SUIT_ESP256: return EVP_sha256();
	case MST_SUIT_ES384:
	case MST_SUIT_ESP384: return EVP_sha384();
	case MST_SUIT_ES512:
	case MST_SUIT_ESP512: return EVP_sha512();
	default: return NULL;
	}
}

/* The DER of an ECDSA signature as r || s. */
static bool
to_raw(const uint8_t *der, size_t der_len, uint8_t *raw, size_t half)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half) == (int)half &&
	          BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half) == (int)half;

	ECDSA_SIG_free(sig);
	return ok;
}

/* What was signed is verified at once: a fault while signing may tell the key. */
static mst_err
sign_by_pkey(struct arena *a, EVP_PKEY *key, int32_t alg, mst_span tbs, mst_span *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new(), *check = EVP_MD_CTX_new();
	size_t len = mst_suit_signature_len(alg), made_len = 0;
	uint8_t *raw = arena_alloc(a, len), *made = NULL;
	mst_err e = MST_E_KEY_SIGN;

	if (ctx == NULL || check == NULL || raw == NULL) {
		e = MST_E_NOMEM;
		goto out;
	}
	if (EVP_DigestSignInit(ctx, NULL, md_of(alg), NULL, key) != 1 ||
	    EVP_DigestSign(ctx, NULL, &made_len, tbs.ptr, tbs.len) != 1 ||
	    (made = arena_alloc(a, made_len)) == NULL ||
	    EVP_DigestSign(ctx, made, &made_len, tbs.ptr, tbs.len) != 1 ||
	    EVP_DigestVerifyInit(check, NULL, md_of(alg), NULL, key) != 1 ||
	    EVP_DigestVerify(check, made, made_len, tbs.ptr, tbs.len) != 1)
		goto out;
	if (md_of(alg) == NULL && made_len == len)
		memcpy(raw, made, len);
	else if (md_of(alg) == NULL || !to_raw(made, made_len, raw, len / 2))
		goto out;
	*out = mst_span_of(raw, len);
	e = MST_OK;
out:
	EVP_MD_CTX_free(ctx);
	EVP_MD_CTX_free(check);
	ERR_clear_error();
	return e;
}

static mst_err
sign_by_hss(struct arena *a, struct hss_signer *hss, mst_span tbs, mst_span *out)
{
	struct mst_buf b = arena_buf(a, hss_signer_signature_len(hss));
	mst_err e;

	if (b.cap == 0)
		return MST_E_NOMEM;
	if ((e = hss_signer_sign(hss, &tbs, 1, &b)) == MST_OK)
		*out = mst_buf_span(&b);
	return e;
}

static mst_err
sign(struct arena *a, const struct cose_signer *s, mst_span tbs, mst_span *out)
{
	int32_t usual;

	if (tbs.ptr == NULL)
		return MST_E_NOMEM;
	if (s->alg == MST_SUIT_HSS_LMS)
		return s->hss == NULL ? MST_E_SUIT_KEY_USAGE : sign_by_hss(a, s->hss, tbs, out);
	usual = s->key == NULL ? 0 : cose_signer_alg(s->key);
	/* the same curve: equal lengths, and Ed25519 for itself */
	if (usual == 0 || mst_suit_signature_len(usual) != mst_suit_signature_len(s->alg) ||
	    (md_of(usual) == NULL) != (md_of(s->alg) == NULL))
		return MST_E_SUIT_KEY_USAGE;
	return sign_by_pkey(a, s->key, s->alg, tbs, out);
}

static mst_span
tbs_of(struct arena *a, mst_span protected_header, mst_span payload)
{
	const mst_span field[3] = { protected_header, MST_LIT(""), payload };

	return protected_header.ptr == NULL ? MST_NONE : structure(a, "Signature1", field, 3);
}

mst_err
cose_author_sign1(struct arena *a, const struct cose_signer *signer, mst_span payload,
    enum mst_suit_attachment form, mst_span *block)
{
	mst_span p = protected_with(a, signer->alg, signer->x5chain), signature;
	mst_err e = sign(a, signer, tbs_of(a, p, payload), &signature);

	if (e != MST_OK)
		return e;
	return put_block(a, COSE_BLOCK_SIGN1, p, signer->kid, payload, form, signature, block);
}

mst_err
cose_author_tbs(struct arena *a, int32_t alg, mst_span payload, mst_span *tbs)
{
	mst_span t;

	if (mst_suit_signature_len(alg) == 0 && alg != MST_SUIT_HSS_LMS)
		return MST_E_SUIT_KEY_USAGE;
	t = tbs_of(a, protected_of(a, alg), payload);
	if (t.ptr == NULL)
		return MST_E_NOMEM;
	*tbs = t;
	return MST_OK;
}

mst_err
cose_author_attach(struct arena *a, int32_t alg, mst_span kid, mst_span signature, mst_span *block)
{
	if (alg == MST_SUIT_HSS_LMS
	        ? signature.len == 0
	        : mst_suit_signature_len(alg) == 0 || signature.len != mst_suit_signature_len(alg))
		return MST_E_COSE_SIGNATURE_LENGTH;
	return put_block(a, COSE_BLOCK_SIGN1, protected_of(a, alg), kid, MST_NONE,
	    MST_SUIT_DETACHED, signature, block);
}

mst_err
cose_author_sign(struct arena *a, const struct cose_signer *signers, size_t count, mst_span payload,
    mst_span *block)
{
	mst_span p[MST_SUIT_SIGNATURES_MAX], signature[MST_SUIT_SIGNATURES_MAX];
	size_t len = HEADS;
	struct mst_buf b;
	struct mst_cbor_writer w;
	mst_err e;

	if (count == 0 || count > MST_SUIT_SIGNATURES_MAX)
		return MST_E_SUIT_SIGNATURES;
	for (size_t i = 0; i < count; i++) {
		p[i] = protected_with(a, signers[i].alg, signers[i].x5chain);
		if (p[i].ptr == NULL)
			return MST_E_NOMEM;
		const mst_span field[4] = { MST_LIT(""), p[i], MST_LIT(""), payload };

		e = sign(a, &signers[i], structure(a, "Signature", field, 4), &signature[i]);
		if (e != MST_OK)
			return e;
		len += HEADS + p[i].len + signers[i].kid.len + signature[i].len;
	}
	b = arena_buf(a, len);
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, COSE_BLOCK_SIGN);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_bytes(&w, MST_LIT(""));
	mst_cbor_put_map(&w, 0);
	mst_cbor_put_null(&w);
	mst_cbor_put_array(&w, count);
	for (size_t i = 0; i < count; i++) {
		mst_cbor_put_array(&w, 3);
		mst_cbor_put_bytes(&w, p[i]);
		cose_put_kid(&w, signers[i].kid);
		mst_cbor_put_bytes(&w, signature[i]);
	}
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_NOMEM;
	*block = mst_buf_span(&b);
	return MST_OK;
}

/* --- MAC --- */

static mst_err
hmac(struct arena *a, int32_t alg, mst_span key, mst_span tbm, mst_span *tag)
{
	size_t len = mst_suit_mac_len(alg), n = 0;
	const char *md = len == 32 ? "SHA256" : len == 48 ? "SHA384" : "SHA512";
	uint8_t *out;

	/* RFC 2104 3: a key shorter than what it makes weakens it */
	if (len == 0 || key.ptr == NULL || key.len < len)
		return MST_E_SUIT_KEY_USAGE;
	out = arena_alloc(a, len);
	if (out == NULL || tbm.ptr == NULL)
		return MST_E_NOMEM;
	if (EVP_Q_mac(NULL, "HMAC", NULL, md, NULL, key.ptr, key.len, tbm.ptr, tbm.len, out, len,
	        &n) == NULL ||
	    n != len)
		return MST_E_INTERNAL;
	*tag = mst_span_of(out, len);
	return MST_OK;
}

mst_err
cose_author_mac0(struct arena *a, const struct cose_signer *signer, mst_span payload,
    enum mst_suit_attachment form, mst_span *block)
{
	mst_span p = protected_of(a, signer->alg), tag;
	const mst_span field[3] = { p, MST_LIT(""), payload };
	mst_err e;

	if (p.ptr == NULL)
		return MST_E_NOMEM;
	e = hmac(a, signer->alg, signer->secret, structure(a, "MAC0", field, 3), &tag);
	if (e != MST_OK)
		return e;
	return put_block(a, COSE_BLOCK_MAC0, p, signer->kid, payload, form, tag, block);
}

mst_err
cose_author_mac(struct arena *a, int32_t alg, const struct cose_recipient *recipients, size_t count,
    mst_span payload, mst_span *block)
{
	mst_span p = protected_of(a, alg), tag, list;
	const mst_span field[3] = { p, MST_LIT(""), payload };
	uint8_t key[MST_SUIT_DIGEST_MAX];
	size_t len = mst_suit_mac_len(alg);
	struct mst_buf b;
	struct mst_cbor_writer w;
	mst_err e;

	for (size_t i = 0; i < count; i++) /* anybody could make such a one */
		if (recipients[i].key != NULL)
			return MST_E_SUIT_KEY_USAGE;
	if (len == 0)
		return MST_E_SUIT_KEY_USAGE;
	if (RAND_priv_bytes(key, (int)len) != 1)
		return MST_E_RANDOM;
	if ((e = cose_recipients_put(a, recipients, count, mst_span_of(key, len), &list)) == MST_OK)
		e = hmac(a, alg, mst_span_of(key, len), structure(a, "MAC", field, 3), &tag);
	OPENSSL_cleanse(key, sizeof key);
	if (e != MST_OK)
		return e;
	b = arena_buf(a, HEADS + p.len + tag.len + list.len);
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, COSE_BLOCK_MAC);
	mst_cbor_put_array(&w, 5);
	mst_cbor_put_bytes(&w, p);
	mst_cbor_put_map(&w, 0);
	mst_cbor_put_null(&w);
	mst_cbor_put_bytes(&w, tag);
	mst_cbor_put_raw(&w, list);
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_NOMEM;
	*block = mst_buf_span(&b);
	return MST_OK;
}

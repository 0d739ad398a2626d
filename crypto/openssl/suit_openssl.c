/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, signatures, MACs and key agreement for SUIT, by OpenSSL (RFC 9053). */
#include "crypto/openssl/suit_impl.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "muster/hss.h"

#define JOINED_MAX 512 /* a Sig_structure with a SUIT_Digest is a fifth of that */

/* --- keys --- */

static const struct curve {
	enum mst_suit_curve curve;
	const char *group; /* NULL: not on a Weierstrass curve */
	int type; /* EVP_PKEY_* */
	int bits;
	size_t half; /* bytes of a coordinate */
} curves[] = {
	{ MST_SUIT_P256, "P-256", EVP_PKEY_EC, 256, 32 },
	{ MST_SUIT_P384, "P-384", EVP_PKEY_EC, 384, 48 },
	{ MST_SUIT_P521, "P-521", EVP_PKEY_EC, 521, 66 },
	{ MST_SUIT_X25519, NULL, EVP_PKEY_X25519, 253, 32 },
	{ MST_SUIT_CURVE_ED25519, NULL, EVP_PKEY_ED25519, 256, 32 },
};

static const struct curve *
curve_of(enum mst_suit_curve curve)
{
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (curves[i].curve == curve)
			return &curves[i];
	return NULL;
}

static bool
is_on(EVP_PKEY *pkey, const struct curve *c)
{
	return EVP_PKEY_get_base_id(pkey) == c->type &&
	       (c->group == NULL || EVP_PKEY_get_bits(pkey) == c->bits);
}

static EVP_PKEY *
ec_from(OSSL_PARAM *params, int selection)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &pkey, selection, params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* A SEC 1 point, which OpenSSL refuses when it is not on the curve; or 32 bytes. */
static EVP_PKEY *
public_key(const struct curve *c, mst_span point)
{
	OSSL_PARAM params[3];

	if (c->group == NULL)
		return point.len != c->half
		           ? NULL
		           : EVP_PKEY_new_raw_public_key(c->type, NULL, point.ptr, point.len);
	if (point.len != 2 * c->half + 1 && point.len != c->half + 1)
		return NULL;
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)c->group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.ptr, point.len);
	params[2] = OSSL_PARAM_construct_end();
	return ec_from(params, EVP_PKEY_PUBLIC_KEY);
}

static EVP_PKEY *
private_key(const struct curve *c, mst_span scalar)
{
	unsigned char native[66];
	OSSL_PARAM params[3];
	EVP_PKEY *pkey;
	BIGNUM *d;

	if (scalar.ptr == NULL || scalar.len != c->half)
		return NULL;
	if (c->group == NULL)
		return EVP_PKEY_new_raw_private_key(c->type, NULL, scalar.ptr, scalar.len);
	d = BN_bin2bn(scalar.ptr, (int)scalar.len, NULL);
	if (d == NULL || BN_is_zero(d) || BN_bn2nativepad(d, native, (int)scalar.len) <= 0) {
		BN_clear_free(d);
		return NULL;
	}
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)c->group, 0);
	params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, scalar.len);
	params[2] = OSSL_PARAM_construct_end();
	pkey = ec_from(params, EVP_PKEY_KEYPAIR);
	OPENSSL_cleanse(native, sizeof native);
	BN_clear_free(d);
	return pkey;
}

/* The key's EVP_PKEY with a reference of its own; NULL: there is none of that curve. */
static EVP_PKEY *
key_of(const struct mst_suit_key *key, const struct curve *c,
    EVP_PKEY *(*from)(const struct curve *, mst_span))
{
	EVP_PKEY *pkey = (EVP_PKEY *)(uintptr_t)key->handle;

	if (pkey == NULL)
		return key->material.ptr == NULL ? NULL : from(c, key->material);
	return is_on(pkey, c) && EVP_PKEY_up_ref(pkey) == 1 ? pkey : NULL;
}

/* Symmetric secrets are bytes: of a handle this back-end knows nothing. */
mst_span
suit_secret_bytes(const struct mst_suit_secret *secret)
{
	return secret->key == NULL ? secret->bytes : secret->key->material;
}

/* --- signatures --- */

static const struct scheme {
	int32_t alg, equivalent;
	enum mst_suit_curve curve;
	const EVP_MD *(*md)(void); /* NULL: the scheme has its own */
} schemes[] = {
	{ MST_SUIT_ES256, MST_SUIT_ESP256, MST_SUIT_P256, EVP_sha256 },
	{ MST_SUIT_ES384, MST_SUIT_ESP384, MST_SUIT_P384, EVP_sha384 },
	{ MST_SUIT_ES512, MST_SUIT_ESP512, MST_SUIT_P521, EVP_sha512 },
	{ MST_SUIT_EDDSA, MST_SUIT_ED25519, MST_SUIT_CURVE_ED25519, NULL },
};

/* r || s to DER; the caller frees. */
static int
to_der(mst_span raw, size_t half, unsigned char **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw.ptr, (int)half, NULL);
	BIGNUM *s = BN_bin2bn(raw.ptr + half, (int)half, NULL);
	int n = -1;

	*der = NULL;
	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL;
		n = i2d_ECDSA_SIG(sig, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return n;
}

static mst_err
verify_ecdsa(EVP_PKEY *pkey, const EVP_MD *md, size_t half, const struct mst_suit_pieces *tbs,
    mst_span signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int n, verdict = -1;

	if (ctx == NULL)
		return MST_E_NOMEM;
	n = to_der(signature, half, &der);
	if (n > 0 && EVP_DigestVerifyInit(ctx, NULL, md, NULL, pkey) == 1) {
		verdict = 1;
		for (size_t i = 0; verdict == 1 && i < tbs->count; i++)
			verdict = EVP_DigestVerifyUpdate(ctx, tbs->piece[i].ptr, tbs->piece[i].len);
		if (verdict == 1)
			verdict = EVP_DigestVerifyFinal(ctx, der, (size_t)n);
	}
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	return verdict == 1 ? MST_OK : MST_E_COSE_SIGNATURE;
}

/* Ed25519 reads its message twice, so it wants the whole of it. */
static mst_err
verify_eddsa(EVP_PKEY *pkey, const struct mst_suit_pieces *tbs, mst_span signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t small[JOINED_MAX], *joined = small;
	struct mst_buf b;
	size_t len = 0;
	mst_err e = MST_E_COSE_SIGNATURE;

	for (size_t i = 0; i < tbs->count; i++)
		len += tbs->piece[i].len;
	if (len > sizeof small)
		joined = OPENSSL_malloc(len);
	if (ctx == NULL || joined == NULL) {
		e = MST_E_NOMEM;
		goto out;
	}
	b = (struct mst_buf){ joined, len, 0 };
	for (size_t i = 0; i < tbs->count; i++)
		if (mst_buf_put(&b, tbs->piece[i]) != MST_OK)
			goto out;
	if (EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, signature.ptr, signature.len, b.ptr, b.len) == 1)
		e = MST_OK;
out:
	if (joined != small)
		OPENSSL_free(joined);
	EVP_MD_CTX_free(ctx);
	return e;
}

static const struct scheme *
scheme_of(int32_t alg)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (schemes[i].alg == alg || schemes[i].equivalent == alg)
			return &schemes[i];
	return NULL;
}

static mst_err
verify(void *ctx, const struct mst_suit_key *key, int32_t alg, const struct mst_suit_pieces *tbs,
    mst_span signature)
{
	const struct scheme *s = scheme_of(alg);
	const struct curve *c;
	EVP_PKEY *pkey;
	mst_err e;

	(void)ctx;
	if (alg == MST_SUIT_HSS_LMS)
		return mst_hss_verify(
		    suit_openssl(), key->material, tbs->piece, tbs->count, signature);
	if (s == NULL || signature.len != mst_suit_signature_len(alg))
		return MST_E_UNSUPPORTED;
	c = curve_of(s->curve);
	if ((pkey = key_of(key, c, public_key)) == NULL) {
		ERR_clear_error();
		return MST_E_UNSUPPORTED;
	}
	e = s->md != NULL ? verify_ecdsa(pkey, s->md(), c->half, tbs, signature)
	                  : verify_eddsa(pkey, tbs, signature);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return e;
}

/* --- MAC --- */

static mst_err
mac(void *ctx, const struct mst_suit_secret *secret, int32_t alg, const struct mst_suit_pieces *tbm,
    struct mst_buf *tag)
{
	mst_span key = suit_secret_bytes(secret);
	size_t len = mst_suit_mac_len(alg), n = 0;
	const char *md = len == 32 ? "SHA256" : len == 48 ? "SHA384" : "SHA512";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
		                    OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)md, 0),
		OSSL_PARAM_construct_end() };
	EVP_MAC *hmac;
	EVP_MAC_CTX *m;
	int ok;

	(void)ctx;
	if (len == 0 || key.ptr == NULL || key.len == 0)
		return MST_E_UNSUPPORTED;
	if (len > tag->cap - tag->len)
		return MST_E_SPACE;
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	m = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	ok = m != NULL && EVP_MAC_init(m, key.ptr, key.len, params) == 1;
	for (size_t i = 0; ok && i < tbm->count; i++)
		ok = EVP_MAC_update(m, tbm->piece[i].ptr, tbm->piece[i].len) == 1;
	ok = ok && EVP_MAC_final(m, tag->ptr + tag->len, &n, len) == 1 && n == len;
	EVP_MAC_CTX_free(m);
	EVP_MAC_free(hmac);
	if (!ok)
		return MST_E_INTERNAL;
	tag->len += len;
	return MST_OK;
}

/* --- key agreement --- */

static mst_err
agree(EVP_PKEY *own, EVP_PKEY *peer, unsigned char z[66], size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	mst_err e = MST_E_SUIT_EPHEMERAL;

	*len = 66;
	/* set_peer validates the point; X25519 refuses a result of zeros (RFC 7748 6.1) */
	if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, len) == 1)
		e = MST_OK;
	EVP_PKEY_CTX_free(ctx);
	return e;
}

static mst_err
hkdf(const unsigned char *z, size_t z_len, mst_span salt, mst_span info, uint8_t *out, size_t len)
{
	OSSL_PARAM params[5], *p = params;
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	mst_err e = MST_E_INTERNAL;

	*p++ = OSSL_PARAM_construct_utf8_string(
	    OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)z, z_len);
	*p++ = OSSL_PARAM_construct_octet_string(
	    OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.ptr, info.len);
	if (salt.ptr != NULL && salt.len != 0) /* RFC 5869 2.2: absent is as many zeros */
		*p++ = OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.ptr, salt.len);
	*p = OSSL_PARAM_construct_end();
	if (ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1)
		e = MST_OK;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return e;
}

static mst_err
derive(void *ctx, const struct mst_suit_key *key, mst_span peer, mst_span salt, mst_span info,
    size_t len, struct mst_buf *out)
{
	const struct curve *c = curve_of(key->curve);
	EVP_PKEY *own = NULL, *other = NULL;
	unsigned char z[66];
	size_t z_len;
	mst_err e = MST_E_UNSUPPORTED;

	(void)ctx;
	if (c == NULL || c->curve == MST_SUIT_CURVE_ED25519)
		return MST_E_UNSUPPORTED;
	if (len > out->cap - out->len)
		return MST_E_SPACE;
	if ((own = key_of(key, c, private_key)) == NULL)
		goto out;
	e = MST_E_SUIT_EPHEMERAL;
	if ((other = public_key(c, peer)) == NULL)
		goto out;
	if ((e = agree(own, other, z, &z_len)) == MST_OK &&
	    (e = hkdf(z, z_len, salt, info, out->ptr + out->len, len)) == MST_OK)
		out->len += len;
	OPENSSL_cleanse(z, sizeof z);
out:
	EVP_PKEY_free(own);
	EVP_PKEY_free(other);
	ERR_clear_error();
	return e;
}

/* --- keys read once --- */

mst_err
suit_openssl_load(struct mst_suit_key *key)
{
	const struct scheme *s = scheme_of(key->alg);
	const struct curve *c = curve_of(s != NULL ? s->curve : key->curve);

	if (key->handle != NULL || c == NULL || (s == NULL && key->usage != MST_SUIT_USE_ECDH))
		return MST_OK;
	key->handle = s != NULL ? key_of(key, c, public_key) : key_of(key, c, private_key);
	ERR_clear_error();
	return key->handle == NULL ? MST_E_SUIT_KEY : MST_OK;
}

void
suit_openssl_unload(struct mst_suit_key *key)
{
	EVP_PKEY_free((EVP_PKEY *)(uintptr_t)key->handle);
	key->handle = NULL;
}

/* --- the rest --- */

static mst_err
fill_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	if (len > INT_MAX || RAND_priv_bytes(out, (int)len) != 1)
		return MST_E_RANDOM;
	return MST_OK;
}

const struct mst_suit_crypto *
suit_openssl(void)
{
	static const struct mst_suit_crypto crypto = {
		.random = fill_random,
		.digest_begin = suit_digest_begin,
		.digest_update = suit_digest_update,
		.digest_end = suit_digest_end,
		.digest_drop = suit_digest_drop,
		.verify = verify,
		.mac = mac,
		.unwrap = suit_unwrap,
		.derive = derive,
		.cipher_begin = suit_cipher_begin,
		.cipher_update = suit_cipher_update,
		.cipher_end_decrypt = suit_cipher_end_decrypt,
		.cipher_end_encrypt = suit_cipher_end_encrypt,
		.cipher_drop = suit_cipher_drop,
	};

	return &crypto;
}

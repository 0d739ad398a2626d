/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as JOSE and COSE write them: RFC 7518 3.4, RFC 9053 2.1 and 2.2. */
#include "host/envelope_impl.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "host/cert.h"

bool
rawsig_fits(const struct rawsig *s, EVP_PKEY *key)
{
	/* the strength first: it knows that a certificate may have no readable key */
	return cert_key_strength(key) == MST_OK && EVP_PKEY_get_base_id(key) == s->key &&
	       (s->key != EVP_PKEY_EC || EVP_PKEY_get_bits(key) == s->group_bits);
}

/* r || s to the DER that OpenSSL verifies. */
static mst_err
to_der(struct arena *a, mst_span raw, size_t half, mst_span *out)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = NULL, *s = NULL;
	uint8_t *p;
	mst_err e = MST_E_VOUCHER_SIGNATURE;
	int n;

	if (sig == NULL || raw.len != 2 * half)
		goto out;
	r = BN_bin2bn(raw.ptr, (int)half, NULL);
	s = BN_bin2bn(raw.ptr + half, (int)half, NULL);
	e = MST_E_NOMEM;
	if (r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1)
		goto out;
	r = s = NULL;
	n = i2d_ECDSA_SIG(sig, NULL);
	p = n <= 0 ? NULL : arena_alloc(a, (size_t)n);
	if (p == NULL)
		goto out;
	*out = mst_span_of(p, (size_t)n);
	e = i2d_ECDSA_SIG(sig, &p) == n ? MST_OK : MST_E_INTERNAL;
out:
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return e;
}

static int
set_padding(EVP_PKEY_CTX *ctx, const struct rawsig *s)
{
	if (s->padding == 0)
		return 1;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, s->padding) != 1)
		return 0;
	/* RFC 7518 3.5: the salt is as long as the hash */
	return s->padding != RSA_PKCS1_PSS_PADDING ||
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

mst_err
rawsig_verify(struct arena *a, const struct rawsig *s, EVP_PKEY *key, mst_span input, mst_span sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = s->md == NULL ? NULL : s->md();
	EVP_PKEY_CTX *pctx = NULL;
	mst_err e = MST_OK;

	if (ctx == NULL)
		return MST_E_NOMEM;
	if (s->half != 0)
		e = to_der(a, sig, s->half, &sig);
	if (e == MST_OK &&
	    (EVP_DigestVerifyInit(ctx, &pctx, md, NULL, key) != 1 || !set_padding(pctx, s) ||
	        EVP_DigestVerify(ctx, sig.ptr, sig.len, input.ptr, input.len) != 1))
		e = MST_E_VOUCHER_SIGNATURE;
	EVP_MD_CTX_free(ctx);
	return e;
}

/* DER to r || s, both of fixed length. */
static mst_err
to_raw(struct arena *a, mst_span der, size_t half, mst_span *out)
{
	const uint8_t *p = der.ptr;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
	uint8_t *raw = arena_alloc(a, 2 * half);
	mst_err e = MST_E_KEY_SIGN;

	if (raw == NULL) {
		e = MST_E_NOMEM;
	} else if (sig != NULL &&
	           BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half) == (int)half &&
	           BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half) == (int)half) {
		*out = mst_span_of(raw, 2 * half);
		e = MST_OK;
	}
	ECDSA_SIG_free(sig);
	return e;
}

mst_err
rawsig_make(struct arena *a, const struct rawsig *s, EVP_PKEY *key, mst_span input, mst_span *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = s->md == NULL ? NULL : s->md();
	EVP_PKEY_CTX *pctx = NULL;
	mst_err e = MST_E_KEY_SIGN;
	size_t n = 0;
	uint8_t *sig;

	if (ctx == NULL)
		return MST_E_NOMEM;
	if (EVP_DigestSignInit(ctx, &pctx, md, NULL, key) != 1 || !set_padding(pctx, s) ||
	    EVP_DigestSign(ctx, NULL, &n, input.ptr, input.len) != 1)
		goto out;
	sig = arena_alloc(a, n);
	if (sig == NULL) {
		e = MST_E_NOMEM;
	} else if (EVP_DigestSign(ctx, sig, &n, input.ptr, input.len) == 1) {
		*out = mst_span_of(sig, n);
		e = s->half == 0 ? MST_OK : to_raw(a, *out, s->half, out);
	}
out:
	EVP_MD_CTX_free(ctx);
	return e;
}

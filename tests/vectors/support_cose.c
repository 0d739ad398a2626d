/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors/support_cose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#define MUST(condition) ((condition) ? (void)0 : abort())

static const char *
digest_of(enum mst_cose_alg alg)
{
	switch (alg) {
	case MST_COSE_ES256: return "SHA256";
	case MST_COSE_ES384: return "SHA384";
	case MST_COSE_ES512: return "SHA512";
	case MST_COSE_EDDSA: break;
	}
	return NULL;
}

static bool
fits(EVP_PKEY *key, enum mst_cose_alg alg)
{
	switch (alg) {
	case MST_COSE_ES256: return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 256;
	case MST_COSE_ES384: return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 384;
	case MST_COSE_ES512: return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 521;
	case MST_COSE_EDDSA: return EVP_PKEY_is_a(key, "ED25519") != 0;
	}
	return false;
}

/* r || s as the DER that OpenSSL wants. */
static unsigned char *
to_der(mst_span sig, int *len)
{
	ECDSA_SIG *es = ECDSA_SIG_new();
	int half = (int)(sig.len / 2);
	unsigned char *der = NULL;

	MUST(es != NULL);
	MUST(ECDSA_SIG_set0(
	    es, BN_bin2bn(sig.ptr, half, NULL), BN_bin2bn(sig.ptr + half, half, NULL)));
	*len = i2d_ECDSA_SIG(es, &der);
	MUST(*len > 0);
	ECDSA_SIG_free(es);
	return der;
}

static mst_err
verify(void *ctx, const struct mst_cose_sign1 *m, const struct mst_cose_tbs *tbs)
{
	struct cose_key *k = ctx;
	struct mst_buf joined = { malloc(mst_cose_tbs_len(tbs)), mst_cose_tbs_len(tbs), 0 };
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	mst_span sig = m->signature;
	unsigned char *der = NULL;
	int ok, len = 0;

	MUST(joined.ptr != NULL && md != NULL && mst_cose_tbs_join(tbs, &joined) == MST_OK);
	if (!fits(k->key, m->alg)) {
		ok = -1;
		goto out;
	}
	if (m->alg != MST_COSE_EDDSA) {
		der = to_der(sig, &len);
		sig = mst_span_of(der, (size_t)len);
	}
	MUST(EVP_DigestVerifyInit_ex(md, NULL, digest_of(m->alg), NULL, NULL, k->key, NULL) == 1);
	ok = EVP_DigestVerify(md, sig.ptr, sig.len, joined.ptr, joined.len);
out:
	OPENSSL_free(der);
	EVP_MD_CTX_free(md);
	free(joined.ptr);
	if (ok == 1)
		k->good++;
	return ok == 1 ? MST_OK : ok == -1 ? MST_E_COSE_ALGORITHM : MST_E_COSE_SIGNATURE;
}

struct mst_cose_verifier
cose_test_verifier(struct cose_key *k)
{
	return (struct mst_cose_verifier){
		.ctx = k,
		.accept = MST_COSE_TAKE_VOUCHER | (unsigned)MST_COSE_TAKE_ES384 |
		          (unsigned)MST_COSE_TAKE_ES512,
		.verify = verify,
	};
}

static mst_err
sign(void *ctx, enum mst_cose_alg alg, const struct mst_cose_tbs *tbs, struct mst_buf *out)
{
	struct cose_key *k = ctx;
	struct mst_buf joined = { malloc(mst_cose_tbs_len(tbs)), mst_cose_tbs_len(tbs), 0 };
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t sig[256];
	size_t len = sizeof(sig), half = mst_cose_signature_len(alg) / 2;
	const unsigned char *p = sig;

	MUST(joined.ptr != NULL && md != NULL && mst_cose_tbs_join(tbs, &joined) == MST_OK);
	MUST(EVP_DigestSignInit_ex(md, NULL, digest_of(alg), NULL, NULL, k->key, NULL) == 1);
	MUST(EVP_DigestSign(md, sig, &len, joined.ptr, joined.len) == 1);
	EVP_MD_CTX_free(md);
	free(joined.ptr);
	if (alg != MST_COSE_EDDSA) {
		ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &p, (long)len);
		uint8_t raw[132];

		MUST(es != NULL);
		MUST(BN_bn2binpad(ECDSA_SIG_get0_r(es), raw, (int)half) == (int)half);
		MUST(BN_bn2binpad(ECDSA_SIG_get0_s(es), raw + half, (int)half) == (int)half);
		ECDSA_SIG_free(es);
		return mst_buf_put(out, mst_span_of(raw, 2 * half));
	}
	return mst_buf_put(out, mst_span_of(sig, len));
}

struct mst_cose_signer
cose_test_signer(struct cose_key *k, enum mst_cose_alg alg)
{
	return (struct mst_cose_signer){ .ctx = k, .alg = alg, .sign = sign };
}

EVP_PKEY *
cose_test_key(const char *curve, mst_span x, mst_span y)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	uint8_t point[1 + 2 * 66] = { 4 };
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	if (y.ptr == NULL) {
		OSSL_PARAM_BLD_free(b);
		EVP_PKEY_CTX_free(c);
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.ptr, x.len);
	}
	MUST(x.len == y.len && x.len <= 66);
	memcpy(point + 1, x.ptr, x.len);
	memcpy(point + 1 + x.len, y.ptr, y.len);
	MUST(OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0));
	MUST(OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x.len));
	params = OSSL_PARAM_BLD_to_param(b);
	MUST(EVP_PKEY_fromdata_init(c) == 1);
	MUST(EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(c);
	return key;
}

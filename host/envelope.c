/* SPDX-License-Identifier: Apache-2.0 */
#include "host/envelope_impl.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "host/cert.h"
#include "muster/base64.h"

mst_err
envelope_open(struct arena *a, enum mst_media media, enum mst_voucher_kind kind, mst_span message,
    const STACK_OF(X509) *extra, struct envelope *out)
{
	struct envelope env = { .media = media, .signing_time = MST_NO_TIME };
	mst_err e = MST_E_MEDIA_UNSUPPORTED;

	switch (media) {
	case MST_MEDIA_CMS_JSON: e = cms_open(a, message, extra, &env); break;
	case MST_MEDIA_JWS_JSON: e = jws_open(a, message, &env); break;
	case MST_MEDIA_COSE_CBOR: e = cose_open(a, message, extra, &env); break;
	case MST_MEDIA_NONE: break;
	}
	ERR_clear_error();
	if (e != MST_OK)
		return e;
	if (media == MST_MEDIA_COSE_CBOR)
		e = mst_voucher_cbor_parse(env.payload, kind, 0, &env.claims);
	else
		e = voucher_json_parse(a, env.payload, kind, &env.claims);
	if (e == MST_OK)
		*out = env;
	return e;
}

mst_err
envelope_seal(struct arena *a, enum mst_media media, const struct mst_voucher_claims *claims,
    const struct envelope_signer *signer, mst_span *message)
{
	mst_span json;
	mst_err e = MST_E_MEDIA_UNSUPPORTED;

	/* CMS-5: what we would refuse to read we do not write. */
	if (media != MST_MEDIA_NONE && cert_key_strength(signer->key) != MST_OK)
		return MST_E_KEY_SIGN;
	switch (media) {
	case MST_MEDIA_CMS_JSON:
		e = voucher_json_build(a, claims, &json);
		if (e == MST_OK)
			e = cms_seal(a, json, signer, message);
		break;
	case MST_MEDIA_JWS_JSON:
		e = voucher_json_build(a, claims, &json);
		if (e == MST_OK)
			e = jws_seal(a, json, signer, message);
		break;
	case MST_MEDIA_COSE_CBOR: e = cose_seal(a, claims, signer, message); break;
	case MST_MEDIA_NONE: break;
	}
	ERR_clear_error();
	return e;
}

mst_err
envelope_nonce_text(struct arena *a, const struct mst_voucher_claims *c, mst_span *out)
{
	struct mst_buf text;

	*out = c->nonce_text;
	if (out->ptr != NULL || c->nonce.ptr == NULL)
		return MST_OK;
	text = arena_buf(a, MST_BASE64_LEN(c->nonce.len) + 1);
	if (text.cap == 0)
		return MST_E_NOMEM;
	if (mst_base64_encode(c->nonce, &text) != MST_OK)
		return MST_E_INTERNAL;
	*out = mst_buf_span(&text);
	return MST_OK;
}

const EVP_MD *
envelope_digest(EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_bits(key) > 384)
			return EVP_sha512();
		return EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256();
	default: return EVP_sha256();
	}
}

static void
free_certs(void *certs)
{
	sk_X509_pop_free((STACK_OF(X509) *)certs, X509_free);
}

STACK_OF(X509) *
envelope_keep_certs(struct arena *a, STACK_OF(X509) *certs)
{
	return arena_own(a, certs, free_certs);
}

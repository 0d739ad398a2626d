/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers in JWS, General JSON Serialization: anima-jws-voucher, brski.md section 6. */
#include "host/envelope_impl.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "host/cert.h"
#include "host/json.h"
#include "muster/base64.h"

/* JWS-2: nothing symmetric, nothing with SHA-1, no "none". */
static const struct algorithm {
	const char *name;
	struct rawsig sig;
} algorithms[] = {
	{ "ES256", { EVP_PKEY_EC, 256, 32, EVP_sha256, 0 } },
	{ "ES384", { EVP_PKEY_EC, 384, 48, EVP_sha384, 0 } },
	{ "ES512", { EVP_PKEY_EC, 521, 66, EVP_sha512, 0 } },
	{ "RS256", { EVP_PKEY_RSA, 0, 0, EVP_sha256, RSA_PKCS1_PADDING } },
	{ "PS256", { EVP_PKEY_RSA, 0, 0, EVP_sha256, RSA_PKCS1_PSS_PADDING } },
	{ "EdDSA", { EVP_PKEY_ED25519, 0, 0, NULL, 0 } },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static mst_err
decode(struct arena *a, mst_span text, unsigned flags, mst_span *out)
{
	struct mst_buf buf = arena_buf(a, text.len / 4 * 3 + 3);

	if (buf.cap == 0)
		return MST_E_NOMEM;
	if (text.ptr == NULL || mst_base64_decode(text, flags, &buf) != MST_OK || buf.len == 0)
		return MST_E_JWS;
	*out = mst_buf_span(&buf);
	return MST_OK;
}

/* JWS-2: standard base64 here, not url; EE first. Each certificate is decoded once. */
static mst_err
read_x5c(struct arena *a, const json_t *x5c, struct envelope *env)
{
	size_t n = json_is_array(x5c) ? json_array_size(x5c) : 0;

	if (n == 0 || n > ENVELOPE_CERTS_MAX)
		return MST_E_JWS_HEADER;
	env->certs = envelope_keep_certs(a, sk_X509_new_null());
	if (env->certs == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		mst_span der;
		X509 *cert = NULL;
		mst_err e;

		e = decode(a, json_text(json_array_get(x5c, i)), MST_BASE64_STRICT, &der);
		if (e == MST_OK)
			e = cert_parse(der, &cert);
		if (e != MST_OK)
			return e == MST_E_NOMEM ? e : MST_E_JWS_HEADER;
		if (sk_X509_push(env->certs, cert) <= 0) {
			X509_free(cert);
			return MST_E_NOMEM;
		}
	}
	env->signer = sk_X509_value(env->certs, 0);
	return MST_OK;
}

static mst_err
read_header(struct arena *a, mst_span encoded, struct envelope *env, const struct algorithm **alg)
{
	static const char *const refused[] = { "crit", "b64", "jku", "x5u", "jwk" };
	const struct json_limits limits = { ENVELOPE_MAX, 4, 32 };
	json_t *header;
	mst_span text, name;
	mst_err e;

	e = decode(a, encoded, MST_BASE64_URL_ONLY, &text);
	if (e != MST_OK)
		return e;
	e = json_open(a, text, limits, &header);
	if (e != MST_OK)
		return e == MST_E_NOMEM ? e : MST_E_JWS_HEADER;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (json_object_get(header, refused[i]) != NULL)
			return MST_E_JWS_HEADER;
	name = json_text(json_object_get(header, "alg"));
	*alg = NULL;
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (mst_span_eq(name, mst_span_str(algorithms[i].name)))
			*alg = &algorithms[i];
	if (*alg == NULL)
		return MST_E_JWS_HEADER;
	e = read_x5c(a, json_object_get(header, "x5c"), env);
	if (e == MST_OK && !rawsig_fits(&(*alg)->sig, X509_get0_pubkey(env->signer)))
		e = MST_E_JWS_HEADER;
	return e;
}

/* RFC 7515 5.1 step 8: protected "." payload, as they were received. */
static mst_err
signing_input(struct arena *a, mst_span protected, mst_span payload, mst_span *out)
{
	struct mst_buf buf = arena_buf(a, protected.len + payload.len + 1);

	if (mst_buf_put(&buf, protected) != MST_OK || mst_buf_put_byte(&buf, '.') != MST_OK ||
	    mst_buf_put(&buf, payload) != MST_OK)
		return MST_E_NOMEM;
	*out = mst_buf_span(&buf);
	return MST_OK;
}

/* JWS-1: the general form with one signature; everything protected. */
static mst_err
read_form(const json_t *top, mst_span *payload, mst_span *protected, mst_span *signature)
{
	const json_t *list = json_object_get(top, "signatures");
	const json_t *one = json_is_array(list) ? json_array_get(list, 0) : NULL;

	if (!json_is_object(one) || json_array_size(list) != 1)
		return MST_E_JWS;
	/* RFC 7515 7.2.2: beside "signatures" these would make it the flattened form as well */
	if (json_object_get(top, "protected") != NULL || json_object_get(top, "header") != NULL ||
	    json_object_get(top, "signature") != NULL)
		return MST_E_JWS;
	if (json_object_get(one, "header") != NULL)
		return MST_E_JWS_HEADER;
	*payload = json_text(json_object_get(top, "payload"));
	*protected = json_text(json_object_get(one, "protected"));
	*signature = json_text(json_object_get(one, "signature"));
	return payload->ptr == NULL || protected->ptr == NULL || signature->ptr == NULL ? MST_E_JWS
	                                                                                : MST_OK;
}

mst_err
jws_open(struct arena *a, mst_span message, struct envelope *out)
{
	const struct json_limits limits = { ENVELOPE_MAX, 4, 16 };
	mst_span payload, protected, signature, input, sig;
	struct envelope env = *out;
	const struct algorithm *alg = NULL;
	json_t *top;
	mst_err e;

	e = json_open(a, message, limits, &top);
	if (e != MST_OK)
		return e == MST_E_NOMEM || e == MST_E_JSON_LIMIT ? e : MST_E_JWS;
	if ((e = read_form(top, &payload, &protected, &signature)) != MST_OK ||
	    (e = read_header(a, protected, &env, &alg)) != MST_OK ||
	    (e = decode(a, signature, MST_BASE64_URL_ONLY, &sig)) != MST_OK ||
	    (e = signing_input(a, protected, payload, &input)) != MST_OK ||
	    (e = rawsig_verify(a, &alg->sig, X509_get0_pubkey(env.signer), input, sig)) != MST_OK ||
	    (e = decode(a, payload, MST_BASE64_URL_ONLY, &env.payload)) != MST_OK)
		return e;
	*out = env;
	return MST_OK;
}

static json_t *
base64_value(struct arena *a, X509 *cert)
{
	struct mst_buf text;
	mst_span der;

	if (cert_der(a, cert, &der) != MST_OK)
		return NULL;
	text = arena_buf(a, MST_BASE64_LEN(der.len));
	if (text.cap == 0 || mst_base64_encode(der, &text) != MST_OK)
		return NULL;
	return json_stringn((const char *)text.ptr, text.len);
}

static json_t *
make_x5c(struct arena *a, const struct envelope_signer *signer)
{
	json_t *x5c = json_array();
	int bad = json_array_append_new(x5c, base64_value(a, signer->cert));

	for (int i = 0; bad == 0 && signer->chain != NULL && i < sk_X509_num(signer->chain); i++) {
		X509 *cert = sk_X509_value(signer->chain, i);

		if (X509_cmp(cert, signer->cert) != 0)
			bad = json_array_append_new(x5c, base64_value(a, cert));
	}
	if (bad != 0) {
		json_decref(x5c);
		return NULL;
	}
	return x5c;
}

static mst_err
encode(struct arena *a, mst_span bytes, mst_span *out)
{
	struct mst_buf text = arena_buf(a, MST_BASE64_LEN(bytes.len) + 1);

	if (text.cap == 0 || mst_base64url_encode(bytes, &text) != MST_OK)
		return MST_E_NOMEM;
	*out = mst_buf_span(&text);
	return MST_OK;
}

static mst_err
make_header(struct arena *a, const struct envelope_signer *signer, const struct algorithm *alg,
    mst_span *out)
{
	json_t *x5c = make_x5c(a, signer);
	json_t *header = x5c == NULL ? NULL
	                             : json_pack("{s:s, s:s, s:o}", "alg", alg->name, "typ",
	                                   "voucher-jws+json", "x5c", x5c);
	mst_span text;
	mst_err e = json_close(a, header, &text);

	return e != MST_OK ? e : encode(a, text, out);
}

mst_err
jws_seal(struct arena *a, mst_span json, const struct envelope_signer *signer, mst_span *message)
{
	mst_span payload, protected, input, sig, signature;
	const struct algorithm *alg = NULL;
	mst_err e;

	for (size_t i = 0; alg == NULL && i < ALGORITHMS; i++)
		if (rawsig_fits(&algorithms[i].sig, signer->key))
			alg = &algorithms[i];
	if (alg == NULL)
		return MST_E_KEY_SIGN;
	if ((e = encode(a, json, &payload)) != MST_OK ||
	    (e = make_header(a, signer, alg, &protected)) != MST_OK ||
	    (e = signing_input(a, protected, payload, &input)) != MST_OK ||
	    (e = rawsig_make(a, &alg->sig, signer->key, input, &sig)) != MST_OK ||
	    (e = encode(a, sig, &signature)) != MST_OK)
		return e;
	return json_close(a,
	    json_pack("{s:s%, s:[{s:s%, s:s%}]}", "payload", payload.ptr, payload.len, "signatures",
	        "protected", protected.ptr, protected.len, "signature", signature.ptr,
	        signature.len),
	    message);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/openssl/impl.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "host/envelope.h"
#include "muster/cbor.h"

/* A voucher-request with its chain, decoded, and jansson's share: well below this. */
#define WORK_MAX (1u << 20)
#define CONTENT_PKIX_CERT 287 /* RFC 9148 8.1 */

mst_err
openssl_read_der_list(mst_span der, STACK_OF(X509) **out)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	const uint8_t *p = der.ptr, *end = der.ptr == NULL ? NULL : der.ptr + der.len;

	if (list == NULL)
		return MST_E_NOMEM;
	while (p != end) {
		X509 *cert = d2i_X509(NULL, &p, (long)(end - p));

		if (cert == NULL || sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			sk_X509_pop_free(list, X509_free);
			ERR_clear_error();
			return MST_E_X509;
		}
	}
	*out = list;
	return MST_OK;
}

mst_err
openssl_put_cert(X509 *cert, struct mst_buf *out)
{
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);
	mst_err e = n <= 0 ? MST_E_X509 : mst_buf_put(out, mst_span_of(der, (size_t)n));

	OPENSSL_free(der);
	return e;
}

static mst_err
read_base64(mst_span body, STACK_OF(X509) **out)
{
	struct arena *a = arena_new(WORK_MAX);
	mst_span der;
	mst_err e = MST_E_NOMEM;

	if (a == NULL)
		return e;
	e = est_body_decode(a, body, &der);
	if (e == MST_OK)
		e = certs_only_parse(der, out);
	arena_free(a);
	return e;
}

/* RFC 8710: format and representation in turn; here each is one certificate (cV 6.7.5). */
static mst_err
read_multipart(mst_span body, STACK_OF(X509) **out)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	struct mst_cbor_reader r;
	mst_err e = list == NULL ? MST_E_NOMEM : MST_OK;

	mst_cbor_init(&r, body);
	mst_cbor_array(&r);
	while (e == MST_OK && mst_cbor_more(&r)) {
		uint64_t format = mst_cbor_uint(&r);
		mst_span der = mst_cbor_bytes(&r);
		X509 *cert = NULL;

		/* Other things may stand there in times to come; a CA in another form is none to
		 * us. */
		if (format != CONTENT_PKIX_CERT || der.ptr == NULL)
			continue;
		if ((e = cert_parse(der, &cert)) == MST_OK && sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			e = MST_E_NOMEM;
		}
	}
	if (e == MST_OK)
		e = mst_cbor_end(&r);
	if (e == MST_OK && sk_X509_num(list) == 0)
		e = MST_E_X509;
	if (e != MST_OK)
		sk_X509_pop_free(list, X509_free);
	else
		*out = list;
	return e;
}

static mst_err
read_one(mst_span body, STACK_OF(X509) **out)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	X509 *cert = NULL;
	mst_err e = list == NULL ? MST_E_NOMEM : cert_parse(body, &cert);

	if (e == MST_OK && sk_X509_push(list, cert) <= 0) {
		X509_free(cert);
		e = MST_E_NOMEM;
	}
	if (e != MST_OK)
		sk_X509_pop_free(list, X509_free);
	else
		*out = list;
	return e;
}

mst_err
openssl_read_body(enum mst_form form, mst_span body, STACK_OF(X509) **out)
{
	if (body.ptr == NULL)
		return MST_E_X509;
	switch (form) {
	case MST_FORM_BASE64: return read_base64(body, out);
	case MST_FORM_DER: return certs_only_parse(body, out);
	case MST_FORM_CERT: return read_one(body, out);
	case MST_FORM_MULTIPART: return read_multipart(body, out);
	case MST_FORM_OTHER: break;
	}
	return MST_E_UNSUPPORTED;
}

static mst_err
random_bytes(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	/* SEC-5: no nonce before the kernel's generator is seeded; RAND_bytes() fails then */
	if (len > INT32_MAX || RAND_status() != 1 || RAND_bytes(out, (int)len) != 1)
		return MST_E_RANDOM;
	return MST_OK;
}

static mst_err
request_seal(
    void *ctx, enum mst_media media, const struct mst_voucher_claims *claims, struct mst_buf *out)
{
	struct crypto_openssl *c = ctx;
	struct envelope_signer signer = {
		.key = c->idevid_key,
		.cert = c->idevid,
		.chain = c->idevid_chain,
	};
	struct arena *a = arena_new(WORK_MAX);
	mst_span message;
	mst_err e = MST_E_NOMEM;

	if (a == NULL)
		return e;
	e = envelope_seal(a, media, claims, &signer, &message);
	if (e == MST_OK)
		e = mst_buf_put(out, message);
	arena_free(a);
	return e;
}

/* Copy the leaves out of the arena that goes away. */
static mst_err
keep_claims(struct mst_voucher_claims *c, struct mst_buf *store)
{
	mst_span *leaves[] = { &c->serial, &c->nonce, &c->nonce_text, &c->idevid_issuer,
		&c->pinned_cert, &c->pinned_pubk, &c->pinned_pubk_sha256, &c->proximity_cert,
		&c->proximity_pubk, &c->proximity_pubk_sha256, &c->prior_request, &c->est_domain,
		&c->additional_configuration_url, &c->manufacturer_proprietary };
	mst_err e = MST_OK;

	for (size_t i = 0; e == MST_OK && i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i]->ptr != NULL)
			e = mst_buf_keep(store, *leaves[i], leaves[i]);
	return e;
}

static mst_err
voucher_open(void *ctx, enum mst_media media, mst_span message, const struct mst_clock *clock,
    struct mst_buf *store, struct mst_voucher_claims *out)
{
	struct crypto_openssl *c = ctx;
	struct arena *a = arena_new(WORK_MAX);
	size_t before = store->len;
	struct envelope env;
	mst_err e = MST_E_NOMEM;

	if (a == NULL)
		return e;
	e = envelope_open(a, media, MST_VOUCHER, message, anchors_certs(c->masa), &env);
	/* 8.7 step 2, CMS-9: by the factory's anchors, never by "the cert inside" */
	if (e == MST_OK)
		e = chain_verify(c->masa, env.signer, env.certs, clock, CHAIN_NOTHING_ELSE, NULL);
	/* who signs firmware below the same anchor signs no vouchers (decision 0018) */
	if (e == MST_E_X509_CHAIN ||
	    (e == MST_OK && cert_has_eku(env.signer, CERT_OID_CODE_SIGNING)))
		e = MST_E_VOUCHER_SIGNER;
	if (e == MST_OK)
		e = keep_claims(&env.claims, store);
	if (e == MST_OK)
		*out = env.claims;
	else
		store->len = before;
	arena_free(a);
	return e;
}

/* The TLS chain as certificates: leaf first, all in one stack. */
static mst_err
read_chain(const struct mst_chain *chain, STACK_OF(X509) **out)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	mst_err e = list == NULL ? MST_E_NOMEM : MST_OK;

	if (e == MST_OK && (chain->count == 0 || chain->count > MST_CHAIN_MAX))
		e = MST_E_VOUCHER_TLS_CHAIN;
	for (size_t i = 0; e == MST_OK && i < chain->count; i++) {
		X509 *cert = NULL;

		if (cert_parse(chain->cert[i], &cert) != MST_OK) {
			e = MST_E_VOUCHER_TLS_CHAIN;
		} else if (sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			e = MST_E_NOMEM;
		}
	}
	ERR_clear_error();
	if (e != MST_OK) {
		sk_X509_pop_free(list, X509_free);
		return e;
	}
	*out = list;
	return MST_OK;
}

static mst_err
judge_pin(void *ctx, const struct mst_voucher *voucher, const struct mst_chain *chain,
    const struct mst_clock *clock)
{
	mst_span pubk = voucher->pinned_pubk, hash = voucher->pinned_pubk_sha256;
	STACK_OF(X509) *list = NULL;
	mst_err e;

	(void)ctx;
	e = read_chain(chain, &list);
	if (e != MST_OK)
		return e;
	/* DM-4: with a nonce, the kind of pin that our request used: a certificate */
	if (!voucher->nonceless && voucher->pinned_cert.ptr != NULL)
		pubk = hash = MST_NONE;
	e = pin_judge(voucher->pinned_cert, pubk, hash, sk_X509_value(list, 0), list, clock);
	sk_X509_pop_free(list, X509_free);
	return e;
}

static mst_err
judge_anchors(
    void *ctx, mst_span anchors, const struct mst_chain *chain, const struct mst_clock *clock)
{
	STACK_OF(X509) *list = NULL, *held = NULL;
	struct anchors *t = NULL;
	mst_err e;

	(void)ctx;
	e = read_chain(chain, &list);
	if (e != MST_OK)
		return e;
	e = openssl_read_der_list(anchors, &held);
	if (e == MST_OK)
		e = anchors_from_stack(held, &t);
	if (e == MST_OK)
		e = chain_verify(t, sk_X509_value(list, 0), list, clock, 0, NULL);
	if (e != MST_OK && e != MST_E_NOMEM)
		e = MST_E_VOUCHER_TLS_CHAIN;
	/* RFC 7030 3.6.1: by explicit anchors, the server is known by cmcRA */
	if (e == MST_OK && !cert_has_eku(sk_X509_value(list, 0), CERT_OID_CMC_RA))
		e = MST_E_VOUCHER_NOT_RA;
	anchors_free(t);
	sk_X509_pop_free(held, X509_free);
	sk_X509_pop_free(list, X509_free);
	return e;
}

mst_err
crypto_openssl_set_ldevid(struct crypto_openssl *c, EVP_PKEY *key, X509 *cert)
{
	if ((key == NULL) != (cert == NULL))
		return MST_E_KEY_MISMATCH;
	if (key != NULL) {
		if (EVP_PKEY_eq(key, X509_get0_pubkey(cert)) != 1)
			return MST_E_KEY_MISMATCH;
		if (EVP_PKEY_up_ref(key) != 1)
			return MST_E_NOMEM;
		if (X509_up_ref(cert) != 1) {
			EVP_PKEY_free(key);
			return MST_E_NOMEM;
		}
	}
	EVP_PKEY_free(c->ldevid_key);
	X509_free(c->ldevid);
	c->ldevid_key = key;
	c->ldevid = cert;
	return MST_OK;
}

mst_err
crypto_openssl_init(struct crypto_openssl *c, const struct crypto_openssl_config *config)
{
	struct crypto_openssl made = { .masa = config->masa };
	mst_err e;

	if (EVP_PKEY_eq(config->idevid_key, X509_get0_pubkey(config->idevid)) != 1)
		return MST_E_KEY_MISMATCH;
	e = crypto_openssl_set_ldevid(&made, config->ldevid_key, config->ldevid);
	if (e != MST_OK)
		return e;
	if (EVP_PKEY_up_ref(config->idevid_key) == 1)
		made.idevid_key = config->idevid_key;
	if (X509_up_ref(config->idevid) == 1)
		made.idevid = config->idevid;
	made.idevid_chain = config->idevid_chain == NULL ? sk_X509_new_null()
	                                                 : X509_chain_up_ref(config->idevid_chain);
	if (made.idevid_key == NULL || made.idevid == NULL || made.idevid_chain == NULL) {
		crypto_openssl_wipe(&made);
		return MST_E_NOMEM;
	}
	*c = made;
	return MST_OK;
}

void
crypto_openssl_wipe(struct crypto_openssl *c)
{
	EVP_PKEY_free(c->idevid_key);
	X509_free(c->idevid);
	sk_X509_pop_free(c->idevid_chain, X509_free);
	EVP_PKEY_free(c->ldevid_key);
	X509_free(c->ldevid);
	EVP_PKEY_free(c->pending);
	mst_wipe(c, sizeof(*c));
}

mst_err
crypto_openssl_set_binding(struct crypto_openssl *c, mst_span binding)
{
	if (binding.len > sizeof(c->binding))
		return MST_E_SPACE;
	if (binding.len != 0)
		memcpy(c->binding, binding.ptr, binding.len);
	c->binding_len = binding.len;
	return MST_OK;
}

EVP_PKEY *
crypto_openssl_pending_key(struct crypto_openssl *c)
{
	return c->pending;
}

struct mst_crypto
crypto_openssl(struct crypto_openssl *c)
{
	return (struct mst_crypto){
		.ctx = c,
		.random = random_bytes,
		.request_seal = request_seal,
		.voucher_open = voucher_open,
		.pin_judge = judge_pin,
		.anchors_judge = judge_anchors,
		.cacerts_open = openssl_cacerts_open,
		.csr_build = openssl_csr_build,
		.ldevid_open = openssl_ldevid_open,
		.root_signed = openssl_root_signed,
	};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Each function of the OpenSSL back-end: once good, and each of its refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "host/envelope.h"
#include "muster/base64.h"
#include "unit/crypto/support_world.h"

static mst_span
body_of(X509 *a, X509 *b, X509 *c)
{
	STACK_OF(X509) *list = pki_stack(a, b, c);
	mst_span der = MST_NONE, body = MST_NONE;

	assert_int_equal(certs_only_build(w.a, list, &der), MST_OK);
	assert_int_equal(est_body_encode(w.a, der, 0, &body), MST_OK);
	pki_stack_free(list);
	return body;
}

static void
init_refuses_a_foreign_key(void **state)
{
	struct crypto_openssl c;
	struct crypto_openssl_config config = { w.masa_key, w.idevid, NULL, w.masa_anchors, NULL,
		NULL };

	(void)state;
	assert_int_equal(crypto_openssl_init(&c, &config), MST_E_KEY_MISMATCH);
}

static void
ldevid_of_another_key_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    crypto_openssl_set_ldevid(&w.ctx, w.masa_key, w.ldevid), MST_E_KEY_MISMATCH);
}

static void
random_fills_all(void **state)
{
	uint8_t x[64] = { 0 }, zero[16] = { 0 };

	(void)state;
	assert_int_equal(w.crypto.random(w.crypto.ctx, x, sizeof(x)), MST_OK);
	for (size_t i = 0; i < 4; i++)
		assert_memory_not_equal(x + 16 * i, zero, 16);
}

static struct mst_voucher_claims
request(void)
{
	struct mst_voucher_claims c;

	mst_voucher_claims_init(&c, MST_VOUCHER_REQUEST);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.serial = MST_LIT("SN-1");
	c.nonce = MST_LIT("0123456789abcdef");
	c.proximity_cert = der_of(w.ra);
	return c;
}

static void
sealed_request_opens(void **state)
{
	enum mst_media media = *(enum mst_media *)*state;
	struct mst_voucher_claims c = request();
	struct mst_buf out = room(16384);
	struct envelope env;

	assert_int_equal(w.crypto.request_seal(w.crypto.ctx, media, &c, &out), MST_OK);
	assert_int_equal(
	    envelope_open(w.a, media, MST_VOUCHER_REQUEST, mst_buf_span(&out), NULL, &env), MST_OK);
	assert_int_equal(X509_cmp(env.signer, w.idevid), 0);
	assert_int_equal(sk_X509_num(env.certs), 2);
	assert_true(mst_span_eq(env.claims.serial, c.serial));
	assert_true(mst_span_eq(env.claims.nonce, c.nonce));
	assert_true(mst_span_eq(env.claims.proximity_cert, c.proximity_cert));
	assert_false(env.id_data);
}

static void
seal_says_what_it_cannot(void **state)
{
	struct mst_voucher_claims c = request();
	struct mst_buf out = room(16384), small = room(100);

	(void)state;
	assert_int_equal(
	    w.crypto.request_seal(w.crypto.ctx, MST_MEDIA_NONE, &c, &out), MST_E_MEDIA_UNSUPPORTED);
	assert_int_equal(
	    w.crypto.request_seal(w.crypto.ctx, MST_MEDIA_CMS_JSON, &c, &small), MST_E_SPACE);
	assert_int_equal(small.len, 0);
}

static mst_span
voucher_by(enum mst_media media, EVP_PKEY *key, X509 *cert, STACK_OF(X509) *chain)
{
	struct envelope_signer signer = { key, cert, chain, false };
	struct mst_voucher_claims c;
	mst_span message = MST_NONE;

	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_LOGGED;
	c.serial = MST_LIT("SN-1");
	c.nonce_text = MST_LIT("c29tZSBub25jZQ");
	c.pinned_cert = der_of(w.domain);
	assert_int_equal(envelope_seal(w.a, media, &c, &signer, &message), MST_OK);
	return message;
}

static void
good_voucher_opens(void **state)
{
	enum mst_media media = *(enum mst_media *)*state;
	mst_span v = voucher_by(media, w.masa_key, w.masa, NULL);
	struct mst_buf store = room(8192);
	struct mst_voucher_claims c;

	assert_int_equal(w.crypto.voucher_open(w.crypto.ctx, media, v, &now, &store, &c), MST_OK);
	assert_true(mst_span_eq(c.serial, MST_LIT("SN-1")));
	assert_true(mst_span_eq(c.nonce_text, MST_LIT("c29tZSBub25jZQ")));
	assert_true(mst_span_eq(c.nonce, MST_LIT("some nonce")));
	assert_true(mst_span_eq(c.pinned_cert, der_of(w.domain)));
	assert_true(c.serial.ptr >= store.ptr && c.serial.ptr < store.ptr + store.len);
}

static mst_err
open_voucher(mst_span v, const struct mst_clock *clock, size_t space)
{
	struct mst_buf store = room(space);
	struct mst_voucher_claims c;
	mst_err e = w.crypto.voucher_open(w.crypto.ctx, MST_MEDIA_CMS_JSON, v, clock, &store, &c);

	if (e != MST_OK)
		assert_int_equal(store.len, 0);
	return e;
}

static void
voucher_of_a_stranger_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    open_voucher(
	        voucher_by(MST_MEDIA_CMS_JSON, w.foreign_key, w.foreign, NULL), &now, 8192),
	    MST_E_VOUCHER_SIGNER);
}

/* docs/decisions/0018: below the same anchor, but for firmware. */
static void
voucher_of_a_firmware_signer_is_refused(void **state)
{
	X509 *firmware = issue("firmware", w.foreign_key, w.vendor, w.vendor_key, "codeSigning");
	X509 *voucher = issue("voucher", w.foreign_key, w.vendor, w.vendor_key, NULL);

	(void)state;
	assert_int_equal(
	    open_voucher(voucher_by(MST_MEDIA_CMS_JSON, w.foreign_key, firmware, NULL), &now, 8192),
	    MST_E_VOUCHER_SIGNER);
	assert_int_equal(/* the same key, without that purpose */
	    open_voucher(voucher_by(MST_MEDIA_CMS_JSON, w.foreign_key, voucher, NULL), &now, 8192),
	    MST_OK);
	X509_free(firmware);
	X509_free(voucher);
}

static void
voucher_with_a_borrowed_chain_is_refused(void **state)
{
	STACK_OF(X509) *chain = pki_stack(w.masa, w.vendor, NULL);

	(void)state;
	assert_int_equal(
	    open_voucher(
	        voucher_by(MST_MEDIA_CMS_JSON, w.foreign_key, w.foreign, chain), &now, 8192),
	    MST_E_VOUCHER_SIGNER);
	pki_stack_free(chain);
}

static void
expired_masa_is_refused_only_by_a_trusted_clock(void **state)
{
	const struct mst_clock later = { MST_CLOCK_TRUSTED, PKI_NOW + 800 * PKI_DAY };
	const struct mst_clock none = { MST_CLOCK_NONE, 0 };
	mst_span v = voucher_by(MST_MEDIA_CMS_JSON, w.masa_key, w.masa, NULL);

	(void)state;
	assert_int_equal(open_voucher(v, &later, 8192), MST_E_X509_EXPIRED);
	assert_int_equal(open_voucher(v, &none, 8192), MST_OK);
}

static void
voucher_that_was_altered_is_refused(void **state)
{
	mst_span v = voucher_by(MST_MEDIA_CMS_JSON, w.masa_key, w.masa, NULL);
	uint8_t *at = memmem(v.ptr, v.len, "SN-1", 4);

	(void)state;
	assert_non_null(at);
	at[3] = '2';
	assert_int_equal(open_voucher(v, &now, 8192), MST_E_VOUCHER_SIGNATURE);
}

static void
store_too_small_is_told(void **state)
{
	(void)state;
	assert_int_equal(
	    open_voucher(voucher_by(MST_MEDIA_CMS_JSON, w.masa_key, w.masa, NULL), &now, 64),
	    MST_E_SPACE);
}

static struct mst_chain
tls_chain(X509 *a, X509 *b)
{
	struct mst_chain c = { .count = 0 };

	c.cert[c.count++] = der_of(a);
	if (b != NULL)
		c.cert[c.count++] = der_of(b);
	return c;
}

static mst_err
judge_pin_of(X509 *pinned, const struct mst_chain *chain)
{
	struct mst_voucher v = { .assertion = MST_ASSERT_LOGGED };

	v.pinned_cert = der_of(pinned);
	return w.crypto.pin_judge(w.crypto.ctx, &v, chain, &now);
}

static void
pins(void **state)
{
	struct mst_chain good = tls_chain(w.ra, w.issuing), bad = tls_chain(w.foreign, NULL);
	X509 *plain = issue("server", w.device_key, w.issuing, w.issuing_key, "serverAuth");
	struct mst_chain no_ra = tls_chain(plain, w.issuing);

	(void)state;
	assert_int_equal(judge_pin_of(w.ra, &good), MST_OK);
	assert_int_equal(judge_pin_of(w.issuing, &good), MST_OK);
	assert_int_equal(judge_pin_of(w.domain, &good), MST_OK);
	assert_int_equal(judge_pin_of(w.domain, &bad), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(judge_pin_of(w.domain, &no_ra), MST_E_VOUCHER_NOT_RA);
	assert_int_equal(judge_pin_of(plain, &no_ra), MST_OK);
	X509_free(plain);
}

static void
chain_that_is_no_chain_is_refused(void **state)
{
	struct mst_chain none = { .count = 0 }, junk = { .count = 1 };

	(void)state;
	junk.cert[0] = MST_LIT("junk");
	assert_int_equal(judge_pin_of(w.domain, &none), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(judge_pin_of(w.domain, &junk), MST_E_VOUCHER_TLS_CHAIN);
}

static void
explicit_anchors(void **state)
{
	struct mst_chain good = tls_chain(w.ra, w.issuing), bad = tls_chain(w.foreign, NULL);
	struct mst_chain plain = tls_chain(w.ldevid, w.issuing);
	const struct mst_crypto *c = &w.crypto;

	(void)state;
	assert_int_equal(c->anchors_judge(c->ctx, der_of(w.domain), &good, &now), MST_OK);
	assert_int_equal(
	    c->anchors_judge(c->ctx, der_of(w.domain), &bad, &now), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(
	    c->anchors_judge(c->ctx, der_of(w.domain), &plain, &now), MST_E_VOUCHER_NOT_RA);
	assert_int_equal(
	    c->anchors_judge(c->ctx, MST_LIT("junk"), &good, &now), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(c->anchors_judge(c->ctx, MST_NONE, &good, &now), MST_E_VOUCHER_TLS_CHAIN);
}

static mst_err
cacerts(mst_span body, X509 *pin, mst_span held, struct mst_buf *out)
{
	return w.crypto.cacerts_open(w.crypto.ctx, MST_FORM_BASE64, body,
	    pin == NULL ? MST_NONE : der_of(pin), held, &now, out);
}

static void
cacerts_keeps_what_the_pin_vouches_for(void **state)
{
	X509 *pinned[] = { w.domain, w.issuing, w.ra };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct mst_buf out = room(8192);

		assert_int_equal(
		    cacerts(body_of(w.foreign, w.issuing, w.domain), pinned[i], MST_NONE, &out),
		    MST_OK);
		/* the root first, the stranger nowhere */
		assert_true(mst_span_eq(mst_buf_span(&out), joined(w.domain, w.issuing, NULL)));
	}
}

static void
cacerts_of_a_stranger_is_refused(void **state)
{
	struct mst_buf out = room(8192);

	(void)state;
	assert_int_equal(cacerts(body_of(w.foreign, NULL, NULL), w.domain, MST_NONE, &out),
	    MST_E_PLEDGE_CA_CERTS);
	assert_int_equal(cacerts(MST_LIT("MIIB"), w.domain, MST_NONE, &out), MST_E_PLEDGE_CA_CERTS);
	assert_int_equal(
	    cacerts(body_of(w.domain, NULL, NULL), NULL, MST_NONE, &out), MST_E_PLEDGE_CA_CERTS);
	/* an end entity is no authority, whoever pinned it */
	assert_int_equal(
	    cacerts(body_of(w.ra, NULL, NULL), w.ra, MST_NONE, &out), MST_E_PLEDGE_CA_CERTS);
	assert_int_equal(out.len, 0);
}

static void
rollover_needs_the_old_root_s_word(void **state)
{
	EVP_PKEY *key = pki_key("P-256");
	struct pki_spec spec = { .cn = "domain",
		.key = key,
		.basic = CA_BASIC,
		.usage = CA_USAGE,
		.ski = 1,
		.to = PKI_NOW + 4000 * PKI_DAY };
	X509 *new_root = pki_cert(&spec), *new_with_old;
	struct mst_buf out = room(8192), alone = room(8192);

	(void)state;
	spec.aki = 1;
	spec.issuer = w.domain;
	spec.issuer_key = w.domain_key;
	new_with_old = pki_cert(&spec);
	assert_int_equal(
	    cacerts(body_of(w.domain, new_with_old, new_root), NULL, der_of(w.domain), &out),
	    MST_OK);
	/* P3: the newest root is first; certs-only is a SET, so the rest has no order */
	assert_int_equal(out.len, joined(new_root, w.domain, new_with_old).len);
	assert_memory_equal(out.ptr, der_of(new_root).ptr, der_of(new_root).len);
	assert_int_equal(cacerts(body_of(new_root, NULL, NULL), NULL, der_of(w.domain), &alone),
	    MST_E_PLEDGE_CA_CERTS);
	X509_free(new_root);
	X509_free(new_with_old);
	EVP_PKEY_free(key);
}

static X509_REQ *
csr_of(mst_span body)
{
	const uint8_t *p;
	mst_span der = MST_NONE;
	X509_REQ *req;

	assert_int_equal(est_body_decode(w.a, body, &der), MST_OK);
	p = der.ptr;
	req = d2i_X509_REQ(NULL, &p, (long)der.len);
	assert_non_null(req);
	assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
	return req;
}

static mst_err
csr(const char *attrs, bool renew, X509_REQ **out)
{
	struct mst_buf body = room(8192);
	mst_err e = w.crypto.csr_build(w.crypto.ctx, MST_FORM_BASE64,
	    attrs == NULL ? MST_NONE : mst_span_str(attrs), renew, &body);

	if (e == MST_OK)
		*out = csr_of(mst_buf_span(&body));
	return e;
}

static int
bits_of(X509_REQ *req)
{
	return EVP_PKEY_get_bits(X509_REQ_get0_pubkey(req));
}

static void
csr_without_attributes_has_the_idevid_subject_and_a_new_key(void **state)
{
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(NULL, false, &req), MST_OK);
	assert_int_equal(
	    X509_NAME_cmp(X509_REQ_get_subject_name(req), X509_get_subject_name(w.idevid)), 0);
	assert_int_equal(bits_of(req), 256);
	assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(req), w.idevid_key), 0);
	assert_int_equal(
	    EVP_PKEY_eq(X509_REQ_get0_pubkey(req), crypto_openssl_pending_key(&w.ctx)), 1);
	X509_REQ_free(req);
}

static void
csr_of_a_renewal_keeps_subject_and_san(void **state)
{
	X509_REQ *req = NULL;
	STACK_OF(X509_EXTENSION) *exts;
	int at;

	(void)state;
	assert_int_equal(csr(NULL, true, &req), MST_OK);
	assert_int_equal(
	    X509_NAME_cmp(X509_REQ_get_subject_name(req), X509_get_subject_name(w.ldevid)), 0);
	exts = X509_REQ_get_extensions(req);
	assert_int_equal(sk_X509_EXTENSION_num(exts), 1);
	at = X509_get_ext_by_NID(w.ldevid, NID_subject_alt_name, -1);
	assert_int_equal(
	    ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(sk_X509_EXTENSION_value(exts, 0)),
	        X509_EXTENSION_get_data(X509_get_ext(w.ldevid, at))),
	    0);
	assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(req), w.device_key), 0);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(req);
}

/* est.md K5: the published examples. */
#define EX_7030_NEW "MDIGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgcrBgEBAQEWBggqhkjOPQQDAw=="
#define EX_8951_OLD                                                                                \
	"MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQD" \
	"Aw=="
#define EX_P384 "MC4GCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgNVBAUGCCqGSM49BAMD"
#define EX_ACP                                                                                     \
	"MGgwZgYJKoZIhvcNAQkOMVkwVzBVBgNVHREBAf8ESzBJoEcGCCsGAQUFBwgKoDsWOXJmYzg5OTQrZmQ3MzlmYzIz" \
	"YzM0NDAxMTIyMzM0NDU1MDAwMDAwMDArQGFjcC5leGFtcGxlLmNvbQ=="

static void
csr_follows_the_published_old_form(void **state)
{
	const char *attrs = *state;
	X509_REQ *req = NULL;
	int nid, at;

	assert_int_equal(crypto_openssl_set_binding(&w.ctx, MST_LIT("0123456789ab")), MST_OK);
	assert_int_equal(csr(attrs, false, &req), MST_OK);
	assert_int_equal(bits_of(req), 384);
	assert_int_equal(OBJ_find_sigid_algs(X509_REQ_get_signature_nid(req), &nid, NULL), 1);
	assert_int_equal(nid, NID_sha384);
	at = X509_REQ_get_attr_by_NID(req, NID_pkcs9_challengePassword, -1);
	assert_true(at >= 0);
	assert_string_equal(
	    (const char *)ASN1_STRING_get0_data(
	        X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(req, at), 0)->value.printablestring),
	    "MDEyMzQ1Njc4OWFi");
	X509_REQ_free(req);
	assert_int_equal(crypto_openssl_set_binding(&w.ctx, MST_NONE), MST_OK);
}

static void
binding_wanted_and_not_there_is_refused(void **state)
{
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(EX_7030_NEW, false, &req), MST_E_PLEDGE_CSRATTRS);
}

static void
csr_takes_extension_values_over(void **state)
{
	X509_REQ *req = NULL;
	STACK_OF(X509_EXTENSION) *exts;
	X509_EXTENSION *san;

	(void)state;
	assert_int_equal(csr(EX_ACP, false, &req), MST_OK);
	exts = X509_REQ_get_extensions(req);
	assert_int_equal(sk_X509_EXTENSION_num(exts), 1);
	san = sk_X509_EXTENSION_value(exts, 0);
	assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(san)), NID_subject_alt_name);
	assert_int_equal(X509_EXTENSION_get_critical(san), 1);
	assert_int_equal(ASN1_STRING_length(X509_EXTENSION_get_data(san)), 75);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(req);
}

/* OpenSSL's own generator, from its little language: what the attributes look like is read off
 * here. */
static char *
generated(const char *const *lines)
{
	BIO *mem = BIO_new(BIO_s_mem());
	CONF *conf = NCONF_new(NULL);
	ASN1_TYPE *t;
	uint8_t *der = NULL;
	struct mst_buf text;
	long line = 0;
	int n;

	for (size_t i = 0; lines[i] != NULL; i++)
		BIO_printf(mem, "%s\n", lines[i]);
	assert_int_equal(NCONF_load_bio(conf, mem, &line), 1);
	t = ASN1_generate_nconf("SEQUENCE:top", conf);
	assert_non_null(t);
	n = i2d_ASN1_TYPE(t, &der);
	assert_true(n > 0);
	text = room(MST_BASE64_LEN((size_t)n) + 1);
	assert_int_equal(mst_base64_encode(mst_span_of(der, (size_t)n), &text), MST_OK);
	OPENSSL_free(der);
	ASN1_TYPE_free(t);
	NCONF_free(conf);
	BIO_free(mem);
	return arena_str(w.a, mst_buf_span(&text));
}

#define TEMPLATE_HEAD                                                                              \
	"[top]", "old=SEQUENCE:oldkey", "tpl=SEQUENCE:tplattr", "[oldkey]", "t=OID:rsaEncryption", \
	    "v=SET:oldval", "[oldval]", "b=INTEGER:3072", "[tplattr]",                             \
	    "t=OID:1.2.840.113549.1.9.16.2.61", "v=SET:tplval", "[tplval]", "one=SEQUENCE:tpl",    \
	    "[tpl]", "version=INTEGER:0", "subject=SEQUENCE:subject"
#define TEMPLATE_SUBJECT                                                                           \
	"[subject]", "a=SET:rdn1", "b=SET:rdn2", "[rdn1]", "x=SEQUENCE:cn", "[cn]",                \
	    "t=OID:commonName", "[rdn2]", "x=SEQUENCE:ou", "[ou]", "t=OID:organizationalUnitName", \
	    "v=UTF8String:myDept"
#define TEMPLATE_KEY "[spki]", "a=SEQUENCE:alg", "[alg]", "a=OID:id-ecPublicKey", "b=OID:secp384r1"
#define TEMPLATE_EXTS                                                                              \
	"[attrs]", "a=SEQUENCE:extattr", "[extattr]", "t=OID:1.2.840.113549.1.9.16.2.62",          \
	    "v=SET:extset", "[extset]", "a=SEQUENCE:exts", "[exts]", "a=SEQUENCE:ku",              \
	    "b=SEQUENCE:eku", "[ku]", "t=OID:keyUsage", "c=BOOLEAN:TRUE",                          \
	    "v=FORMAT:HEX,OCTETSTRING:03020780", "[eku]", "t=OID:extendedKeyUsage"

static void
template_wins_and_is_followed(void **state)
{
	static const char *const lines[] = { TEMPLATE_HEAD, "spki=IMPLICIT:0C,SEQUENCE:spki",
		"attrs=IMPLICIT:1C,SET:attrs", TEMPLATE_SUBJECT, TEMPLATE_KEY, TEMPLATE_EXTS,
		NULL };
	X509_REQ *req = NULL;
	STACK_OF(X509_EXTENSION) *exts;
	X509_NAME *name;
	char cn[64], ou[64];

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_OK);
	/* K7: P-384 of the template, not the RSA of the old form beside it */
	assert_int_equal(bits_of(req), 384);
	name = X509_REQ_get_subject_name(req);
	assert_int_equal(X509_NAME_entry_count(name), 2);
	assert_true(X509_NAME_get_text_by_NID(name, NID_commonName, cn, sizeof(cn)) > 0);
	assert_string_equal(cn, "device");
	assert_true(
	    X509_NAME_get_text_by_NID(name, NID_organizationalUnitName, ou, sizeof(ou)) > 0);
	assert_string_equal(ou, "myDept");
	exts = X509_REQ_get_extensions(req);
	assert_int_equal(sk_X509_EXTENSION_num(exts), 2);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(req);
}

static void
template_of_another_version_is_refused(void **state)
{
	static const char *const lines[] = { "[top]", "tpl=SEQUENCE:tplattr", "[tplattr]",
		"t=OID:1.2.840.113549.1.9.16.2.61", "v=SET:tplval", "[tplval]", "one=SEQUENCE:tpl",
		"[tpl]", "version=INTEGER:1", NULL };
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_E_PLEDGE_CSRATTRS);
}

static void
template_subject_we_cannot_fill_is_refused(void **state)
{
	static const char *const lines[] = { "[top]", "tpl=SEQUENCE:tplattr", "[tplattr]",
		"t=OID:1.2.840.113549.1.9.16.2.61", "v=SET:tplval", "[tplval]", "one=SEQUENCE:tpl",
		"[tpl]", "version=INTEGER:0", "subject=SEQUENCE:subject", "[subject]", "a=SET:rdn1",
		"[rdn1]", "x=SEQUENCE:c", "[c]", "t=OID:countryName", NULL };
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_E_PLEDGE_CSRATTRS);
}

static void
two_keys_wanted_is_refused(void **state)
{
	static const char *const lines[] = { "[top]", "a=SEQUENCE:k", "b=SEQUENCE:k", "[k]",
		"t=OID:id-ecPublicKey", "v=SET:v", "[v]", "c=OID:prime256v1", NULL };
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_E_PLEDGE_CSRATTRS);
}

static void
empty_key_set_means_any_of_the_type(void **state)
{
	static const char *const lines[] = { "[top]", "a=SEQUENCE:k", "[k]", "t=OID:id-ecPublicKey",
		"v=SET:v", "[v]", NULL };
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_OK);
	assert_int_equal(bits_of(req), 256);
	X509_REQ_free(req);
}

static void
unknown_curve_is_refused(void **state)
{
	static const char *const lines[] = { "[top]", "a=SEQUENCE:k", "[k]", "t=OID:id-ecPublicKey",
		"v=SET:v", "[v]", "c=OID:secp256k1", NULL };
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_E_PLEDGE_CSRATTRS);
}

static void
unknown_attributes_are_ignored(void **state)
{
	static const char *const lines[] = { "[top]", "a=SEQUENCE:k", "b=OID:1.2.3.4.5", "[k]",
		"t=OID:1.2.3.4.6", "v=SET:v", "[v]", "c=INTEGER:1", NULL };
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr(generated(lines), false, &req), MST_OK);
	X509_REQ_free(req);
}

static void
csrattrs_that_cannot_be_read_are_refused(void **state)
{
	X509_REQ *req = NULL;

	(void)state;
	assert_int_equal(csr("not base64!", false, &req), MST_E_PLEDGE_CSRATTRS);
	assert_int_equal(csr("AAAA", false, &req), MST_E_PLEDGE_CSRATTRS);
	assert_int_equal(csr("MAAA", false, &req), MST_E_PLEDGE_CSRATTRS);
	assert_int_equal(csr("MAA=", false, &req), MST_OK); /* K1: empty: nothing wanted */
	X509_REQ_free(req);
}

static void
published_csrattrs_are_followed(void **state)
{
	static const char *const names[] = { "harkins02", "harkins03", "potato-example",
		"realistic-acp", "rfc7030-example01", "harkins01" };
	static const int bits[] = { 384, 521, 521, 256, 384, 4096 };

	(void)state;
	assert_int_equal(crypto_openssl_set_binding(&w.ctx, MST_LIT("0123456789ab")), MST_OK);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		mst_span text = vector_read(arena_printf(w.a, "csrattrs/%s.csrattr.b64", names[i]));
		X509_REQ *req = NULL;

		if (text.ptr == NULL)
			skip();
		assert_int_equal(csr((const char *)text.ptr, false, &req), MST_OK);
		assert_int_equal(bits_of(req), bits[i]);
		X509_REQ_free(req);
		free((void *)(uintptr_t)text.ptr);
	}
	assert_int_equal(crypto_openssl_set_binding(&w.ctx, MST_NONE), MST_OK);
}

static mst_err
open_ldevid(mst_span body, X509 *anchor, struct mst_buf *out, int64_t *from, int64_t *to)
{
	return w.crypto.ldevid_open(
	    w.crypto.ctx, MST_FORM_BASE64, body, der_of(anchor), &now, out, from, to);
}

static void
ldevid_is_found_by_its_key(void **state)
{
	X509 *cert = certified(w.issuing, w.issuing_key);
	struct mst_buf out = room(4096);
	int64_t from = 0, to = 0;

	(void)state;
	assert_int_equal(
	    open_ldevid(body_of(w.issuing, cert, NULL), w.domain, &out, &from, &to), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), der_of(cert)));
	assert_int_equal(from, PKI_NOW - PKI_DAY);
	assert_int_equal(to, PKI_NOW + 365 * PKI_DAY);
	assert_int_equal(
	    EVP_PKEY_eq(crypto_openssl_pending_key(&w.ctx), X509_get0_pubkey(cert)), 1);
	X509_free(cert);
}

static void
ldevid_for_another_key_is_refused(void **state)
{
	X509 *cert = certified(w.domain, w.domain_key);
	struct mst_buf out = room(4096);
	int64_t from = 0, to = 0;

	(void)state;
	assert_int_equal(open_ldevid(body_of(w.ldevid, NULL, NULL), w.issuing, &out, &from, &to),
	    MST_E_PLEDGE_ENROLL);
	assert_int_equal(out.len, 0);
	X509_free(cert);
}

static void
ldevid_of_a_foreign_ca_is_refused(void **state)
{
	X509 *cert = certified(w.foreign, w.foreign_key);
	struct mst_buf out = room(4096);
	int64_t from = 0, to = 0;

	(void)state;
	assert_int_equal(open_ldevid(body_of(cert, NULL, NULL), w.domain, &out, &from, &to),
	    MST_E_PLEDGE_ENROLL);
	assert_int_equal(
	    open_ldevid(MST_LIT("MAA="), w.domain, &out, &from, &to), MST_E_PLEDGE_ENROLL);
	X509_free(cert);
}

int
main(void)
{
	static enum mst_media cms = MST_MEDIA_CMS_JSON, jws = MST_MEDIA_JWS_JSON;
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
#define P(name, fn, arg)                                                                           \
	{                                                                                          \
		name, fn, NULL, NULL, arg                                                          \
	}
	const struct CMUnitTest tests[] = {
		T("init: a key that is not the IDevID's", init_refuses_a_foreign_key),
		T("set_ldevid: a key that is not the LDevID's", ldevid_of_another_key_is_refused),
		T("random: fills all", random_fills_all),
		P("request_seal 8.1.5: CMS with the IDevID chain", sealed_request_opens, &cms),
		P("request_seal 8.1.5: JWS with the IDevID chain", sealed_request_opens, &jws),
		T("request_seal: media and room it has not", seal_says_what_it_cannot),
		P("voucher_open: a good CMS voucher", good_voucher_opens, &cms),
		P("voucher_open: a good JWS voucher", good_voucher_opens, &jws),
		T("voucher_open 8.7.2: signer of another house", voucher_of_a_stranger_is_refused),
		T("voucher_open 8.7.2: signer of firmware below the same anchor",
		    voucher_of_a_firmware_signer_is_refused),
		T("voucher_open CMS-9: foreign signer beside the true chain",
		    voucher_with_a_borrowed_chain_is_refused),
		T("voucher_open 8.7.6: MASA certificate expired",
		    expired_masa_is_refused_only_by_a_trusted_clock),
		T("voucher_open 8.7.2: altered", voucher_that_was_altered_is_refused),
		T("voucher_open: store too small", store_too_small_is_told),
		T("pin_judge 8.7.9: EE, CA, root, stranger, no cmcRA", pins),
		T("pin_judge: empty and broken chains", chain_that_is_no_chain_is_refused),
		T("anchors_judge: good, stranger, no cmcRA, broken, none", explicit_anchors),
		T("cacerts_open EST-5: by root, issuing CA and EE pin",
		    cacerts_keeps_what_the_pin_vouches_for),
		T("cacerts_open EST-5: stranger, junk, no pin, EE",
		    cacerts_of_a_stranger_is_refused),
		T("cacerts_open P3: rollover", rollover_needs_the_old_root_s_word),
		T("csr_build: no attributes",
		    csr_without_attributes_has_the_idevid_subject_and_a_new_key),
		T("csr_build 7030 4.2.2: renewal", csr_of_a_renewal_keeps_subject_and_san),
		P("csr_build K5: the new RFC 7030 example", csr_follows_the_published_old_form,
		    (void *)(uintptr_t)EX_7030_NEW),
		P("csr_build K5: the old RFC 8951 example", csr_follows_the_published_old_form,
		    (void *)(uintptr_t)EX_8951_OLD),
		P("csr_build K5: P-384 and SHA-384", csr_follows_the_published_old_form,
		    (void *)(uintptr_t)EX_P384),
		T("csr_build K2: binding wanted, none there",
		    binding_wanted_and_not_there_is_refused),
		T("csr_build K4: extension values", csr_takes_extension_values_over),
		T("csr_build K6 K7: template", template_wins_and_is_followed),
		T("csr_build K6: template version 1", template_of_another_version_is_refused),
		T("csr_build K6: a name the device has not",
		    template_subject_we_cannot_fill_is_refused),
		T("csr_build K3: two keys", two_keys_wanted_is_refused),
		T("csr_build K3: empty SET", empty_key_set_means_any_of_the_type),
		T("csr_build K3: a curve not allowed", unknown_curve_is_refused),
		T("csr_build K1: unknown items", unknown_attributes_are_ignored),
		T("csr_build: unreadable attributes", csrattrs_that_cannot_be_read_are_refused),
		T("csr_build V13: the published files", published_csrattrs_are_followed),
		T("ldevid_open P4: by key", ldevid_is_found_by_its_key),
		T("ldevid_open P4: no certificate for the key", ldevid_for_another_key_is_refused),
		T("ldevid_open: foreign CA, empty", ldevid_of_a_foreign_ca_is_refused),
	};

	return cmocka_run_group_tests_name("crypto/openssl", tests, setup, teardown);
}

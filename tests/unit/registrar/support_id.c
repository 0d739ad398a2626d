/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tests/unit/registrar/support_id.h"

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *x;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(x);
	assert_int_equal(X509_add_ext(cert, x, -1), 1);
	X509_EXTENSION_free(x);
}

static void
add_masa_url(X509 *cert, const char *url)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(CERT_OID_MASA_URL, 1);
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	unsigned char *der = NULL;
	X509_EXTENSION *x;
	int n;

	assert_int_equal(ASN1_STRING_set(text, url, -1), 1);
	n = i2d_ASN1_IA5STRING(text, &der);
	assert_true(n > 0);
	assert_int_equal(ASN1_OCTET_STRING_set(value, der, n), 1);
	x = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
	assert_int_equal(X509_add_ext(cert, x, -1), 1);
	X509_EXTENSION_free(x);
	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(value);
	ASN1_IA5STRING_free(text);
	ASN1_OBJECT_free(oid);
}

static void
add_name(X509_NAME *name, const char *field, const char *value)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(
	                     name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0),
	    1);
}

static void
add_extensions(X509 *cert, X509 *issuer, const struct id_spec *s)
{
	switch (s->kind) {
	case ID_CA:
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
		break;
	case ID_REGISTRAR:
		add_extension(
		    cert, issuer, NID_ext_key_usage, "1.3.6.1.5.5.7.3.28,serverAuth,clientAuth");
		break;
	case ID_PLAIN:
		add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
		break;
	case ID_DEVICE: break;
	}
	if (s->san != NULL)
		add_extension(cert, issuer, NID_subject_alt_name, s->san);
	if (s->masa_url != NULL)
		add_masa_url(cert, s->masa_url);
	if (s->flags & ID_CRL_URL)
		add_extension(cert, issuer, NID_crl_distribution_points,
		    "URI:http://crl.example.com/site.crl");
	if (!(s->flags & ID_NO_SKI))
		add_extension(cert, issuer, NID_subject_key_identifier, "hash");
	if (!(s->flags & ID_NO_AKI) && s->issuer != NULL)
		add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
}

struct id
id_make(const struct id_spec *s)
{
	struct id id = { X509_new(), s->key };
	X509 *issuer = s->issuer != NULL ? s->issuer->cert : id.cert;
	uint8_t serial[16];
	BIGNUM *bn;

	assert_non_null(id.cert);
	if (id.key == NULL)
		id.key = EVP_EC_gen("P-256");
	else
		EVP_PKEY_up_ref(id.key);
	assert_int_equal(RAND_bytes(serial, sizeof serial), 1);
	serial[0] = (serial[0] & 0x3f) | 0x40;
	bn = BN_bin2bn(serial, sizeof serial, NULL);
	BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(id.cert));
	BN_free(bn);
	X509_set_version(id.cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), s->from != 0 ? s->from : -86400);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), s->until != 0 ? s->until : 365L * 86400);
	if (s->organization != NULL)
		add_name(X509_get_subject_name(id.cert), "O", s->organization);
	add_name(X509_get_subject_name(id.cert), "CN", s->cn);
	if (s->serial_number != NULL)
		add_name(X509_get_subject_name(id.cert), "serialNumber", s->serial_number);
	X509_set_issuer_name(id.cert, X509_get_subject_name(issuer));
	X509_set_pubkey(id.cert, id.key);
	add_extensions(id.cert, issuer, s);
	assert_true(X509_sign(id.cert, s->issuer != NULL ? s->issuer->key : id.key,
	                s->flags & ID_SHA1 ? EVP_sha1() : EVP_sha256()) > 0);
	return id;
}

void
id_free(struct id *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	*id = (struct id){ NULL, NULL };
}

static mst_span
bio_take(struct arena *a, BIO *b)
{
	char *mem;
	long n = BIO_get_mem_data(b, &mem);
	mst_span s = arena_dup(a, mst_span_of(mem, (size_t)n));

	BIO_free(b);
	return s;
}

mst_span
pem_of(struct arena *a, X509 *const *certs, size_t count)
{
	BIO *b = BIO_new(BIO_s_mem());

	for (size_t i = 0; i < count; i++)
		assert_int_equal(PEM_write_bio_X509(b, certs[i]), 1);
	return bio_take(a, b);
}

mst_span
pem_of_key(struct arena *a, EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), 1);
	return bio_take(a, b);
}

mst_span
crl_of(struct arena *a, const struct id *ca, X509 *revoked, long life)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = X509_gmtime_adj(NULL, -3600);
	BIO *b = BIO_new(BIO_s_mem());

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
	X509_CRL_set1_lastUpdate(crl, t);
	if (revoked != NULL) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked));
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	X509_gmtime_adj(t, life);
	X509_CRL_set1_nextUpdate(crl, t);
	ASN1_TIME_free(t);
	assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_CRL(b, crl), 1);
	X509_CRL_free(crl);
	return bio_take(a, b);
}

mst_span
der_of(struct arena *a, X509 *cert)
{
	mst_span s;

	assert_int_equal(cert_der(a, cert, &s), MST_OK);
	return s;
}

mst_span
seal(struct arena *a, enum mst_media media, const struct mst_voucher_claims *c,
    const struct id *signer, X509 *chain)
{
	STACK_OF(X509) *more = sk_X509_new_null();
	struct envelope_signer s = { .key = signer->key, .cert = signer->cert, .chain = more };
	mst_span out;

	if (chain != NULL)
		sk_X509_push(more, chain);
	assert_int_equal(envelope_seal(a, media, c, &s, &out), MST_OK);
	sk_X509_free(more);
	return arena_dup(a, out);
}

const struct form forms[FORMS] = {
	{ MST_MEDIA_CMS_JSON, "" },
	{ MST_MEDIA_JWS_JSON, ", JWS" },
	{ MST_MEDIA_COSE_CBOR, ", COSE" },
};

enum mst_media
another_form(enum mst_media m)
{
	return m == MST_MEDIA_JWS_JSON ? MST_MEDIA_CMS_JSON : MST_MEDIA_JWS_JSON;
}

void
damage(enum mst_media media, mst_span message)
{
	uint8_t *end = (uint8_t *)(uintptr_t)message.ptr + message.len;

	if (media == MST_MEDIA_JWS_JSON)
		end[-20] = end[-20] == 'A' ? 'B' : 'A';
	else
		end[-1] ^= 1;
}

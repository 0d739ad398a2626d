/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/host/support_pki.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "muster/base64.h"

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

EVP_PKEY *
pki_key(const char *what)
{
	EVP_PKEY *key;

	if (strncmp(what, "RSA-", 4) == 0)
		key = EVP_RSA_gen((unsigned)atoi(what + 4));
	else if (strcmp(what, "ED25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, what);
	else
		key = EVP_EC_gen(what);
	MUST(key != NULL);
	return key;
}

static void
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	/* what "otherName:...;SEQUENCE:hw" refers to: HardwareModuleName of RFC 4108 */
	static const char hw[] = "[hw]\ntype=OID:1.2.3\nserial=OCT:HW-1\n";
	BIO *mem = BIO_new_mem_buf(hw, -1);
	CONF *conf = NCONF_new(NULL);
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	long line = 0;

	if (value == NULL) {
		BIO_free(mem);
		NCONF_free(conf);
		return;
	}
	MUST(NCONF_load_bio(conf, mem, &line) == 1);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	ext = X509V3_EXT_nconf_nid(conf, &ctx, nid, value);
	MUST(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	NCONF_free(conf);
	BIO_free(mem);
}

static void
add_masa_url(X509 *cert, const char *url)
{
	ASN1_IA5STRING *ia5 = ASN1_IA5STRING_new();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.32", 1);
	uint8_t *der = NULL;
	X509_EXTENSION *ext;
	int n;

	if (url != NULL) {
		MUST(ASN1_STRING_set(ia5, url, (int)strlen(url)) == 1);
		n = i2d_ASN1_IA5STRING(ia5, &der);
		MUST(n > 0);
		ASN1_STRING_set0(value, der, n);
		ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
		MUST(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
		X509_EXTENSION_free(ext);
	}
	ASN1_IA5STRING_free(ia5);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
}

static void
add_name(X509_NAME *name, const char *field, const char *value)
{
	if (value != NULL)
		MUST(X509_NAME_add_entry_by_txt(
		         name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1);
}

X509 *
pki_cert(const struct pki_spec *spec)
{
	static long counter = 1000;
	X509 *cert = X509_new(), *issuer = spec->issuer != NULL ? spec->issuer : cert;
	EVP_PKEY *signer = spec->issuer_key != NULL ? spec->issuer_key : spec->key;
	const EVP_MD *md = spec->md != NULL ? spec->md : EVP_sha256();
	X509_NAME *name;

	MUST(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1);
	MUST(ASN1_INTEGER_set(
	         X509_get_serialNumber(cert), spec->number != 0 ? spec->number : ++counter) == 1);
	name = X509_get_subject_name(cert);
	add_name(name, "CN", spec->cn);
	add_name(name, "serialNumber", spec->serial);
	add_name(name, "serialNumber", spec->serial2);
	MUST(X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1);
	MUST(ASN1_TIME_set(X509_getm_notBefore(cert),
	         (time_t)(spec->from != 0 ? spec->from : PKI_NOW - PKI_DAY)) != NULL);
	MUST(ASN1_TIME_set(X509_getm_notAfter(cert),
	         (time_t)(spec->to != 0 ? spec->to : PKI_NOW + 365 * PKI_DAY)) != NULL);
	MUST(X509_set_pubkey(cert, spec->key) == 1);
	add_ext(cert, issuer, NID_basic_constraints, spec->basic);
	add_ext(cert, issuer, NID_key_usage, spec->usage);
	add_ext(cert, issuer, NID_ext_key_usage, spec->eku);
	add_ext(cert, issuer, NID_subject_alt_name, spec->san);
	add_ext(cert, issuer, NID_subject_key_identifier, spec->ski != 0 ? "hash" : NULL);
	add_ext(cert, issuer, NID_authority_key_identifier, spec->aki != 0 ? "keyid" : NULL);
	add_masa_url(cert, spec->masa_url);
	if (EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519)
		md = NULL;
	MUST(X509_sign(cert, signer, md) > 0);
	return cert;
}

X509 *
pki_root(const char *cn, EVP_PKEY *key)
{
	struct pki_spec spec = {
		.cn = cn,
		.key = key,
		.basic = "critical,CA:TRUE",
		.usage = "critical,keyCertSign,cRLSign",
		.ski = 1,
	};

	return pki_cert(&spec);
}

X509_CRL *
pki_crl(X509 *issuer, EVP_PKEY *key, X509 *revoked, int64_t from, int64_t to)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)from);
	X509_REVOKED *entry;

	MUST(crl != NULL && t != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
	MUST(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1);
	MUST(X509_CRL_set1_lastUpdate(crl, t) == 1);
	MUST(ASN1_TIME_set(t, (time_t)to) != NULL && X509_CRL_set1_nextUpdate(crl, t) == 1);
	if (revoked != NULL) {
		entry = X509_REVOKED_new();
		MUST(ASN1_TIME_set(t, (time_t)from) != NULL);
		MUST(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked)) == 1);
		MUST(X509_REVOKED_set_revocationDate(entry, t) == 1);
		MUST(X509_CRL_add0_revoked(crl, entry) == 1);
	}
	ASN1_TIME_free(t);
	MUST(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	return crl;
}

static mst_span
take(BIO *mem)
{
	char *at = NULL, *copy;
	long n = BIO_get_mem_data(mem, &at);

	MUST(n > 0 && (copy = malloc((size_t)n + 1)) != NULL);
	memcpy(copy, at, (size_t)n);
	copy[n] = '\0';
	BIO_free(mem);
	return mst_span_of(copy, (size_t)n);
}

mst_span
pki_pem(X509 *cert)
{
	BIO *mem = BIO_new(BIO_s_mem());

	MUST(mem != NULL && PEM_write_bio_X509(mem, cert) == 1);
	return take(mem);
}

mst_span
pki_crl_pem(X509_CRL *crl)
{
	BIO *mem = BIO_new(BIO_s_mem());

	MUST(mem != NULL && PEM_write_bio_X509_CRL(mem, crl) == 1);
	return take(mem);
}

mst_span
pki_key_pem(EVP_PKEY *key)
{
	BIO *mem = BIO_new(BIO_s_mem());

	MUST(mem != NULL && PEM_write_bio_PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL) == 1);
	return take(mem);
}

mst_span
pki_der(X509 *cert)
{
	BIO *mem = BIO_new(BIO_s_mem());

	MUST(mem != NULL && i2d_X509_bio(mem, cert) == 1);
	return take(mem);
}

STACK_OF(X509) *
pki_stack(X509 *a, X509 *b, X509 *c)
{
	STACK_OF(X509) *s = sk_X509_new_null();
	X509 *all[] = { a, b, c };

	MUST(s != NULL);
	for (size_t i = 0; i < 3; i++)
		if (all[i] != NULL)
			MUST(X509_up_ref(all[i]) == 1 && sk_X509_push(s, all[i]) > 0);
	return s;
}

void
pki_stack_free(STACK_OF(X509) *s)
{
	sk_X509_pop_free(s, X509_free);
}

static void
vector_path(char *out, const char *name)
{
	const char *base = getenv("MUSTER_VECTORS");

	(void)snprintf(out, PATH_MAX, "%s/%s",
	    base != NULL ? base : MUSTER_SOURCE_DIR "/../shared/vectors", name);
}

static void
not_here(void **state)
{
	(void)state;
	skip();
}

void
vectors_or_skip(const char *folder, struct CMUnitTest *tests, size_t count)
{
	char path[PATH_MAX];

	vector_path(path, folder);
	if (access(path, R_OK) == 0)
		return;
	printf("skipped: published vectors %s are not here (MUSTER_VECTORS)\n", folder);
	for (size_t i = 0; i < count; i++)
		tests[i].test_func = not_here;
}

mst_span
vector_read(const char *name)
{
	char path[PATH_MAX];
	FILE *f;
	char *text;
	size_t n;

	vector_path(path, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		printf("skipped: published vector %s is not here (MUSTER_VECTORS)\n", name);
		return MST_NONE;
	}
	text = calloc(1, 65536);
	MUST(text != NULL);
	n = fread(text, 1, 65535, f);
	(void)fclose(f);
	return mst_span_of(text, n);
}

mst_span
vector_base64(mst_span text)
{
	struct mst_buf buf = { malloc(text.len + 1), text.len + 1, 0 };

	MUST(buf.ptr != NULL);
	MUST(mst_base64_decode(text, MST_BASE64_SPACE | MST_BASE64_URL, &buf) == MST_OK);
	return mst_buf_span(&buf);
}

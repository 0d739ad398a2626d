/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/support_pki.h"

#include <string.h>
#include <sys/stat.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	MUST((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) != NULL);
	MUST(X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static X509 *
start(const X509_NAME *subject, EVP_PKEY *key, long seconds)
{
	static long number = 1000;
	X509 *cert = X509_new();

	MUST(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1);
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++number) == 1);
	MUST(X509_set_subject_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1);
	MUST(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL);
	MUST(X509_gmtime_adj(X509_getm_notAfter(cert), seconds) != NULL);
	return cert;
}

static X509_NAME *
name(const char *cn, const char *serial)
{
	X509_NAME *n = X509_NAME_new();

	MUST(n != NULL && X509_NAME_add_entry_by_txt(
	                      n, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1);
	if (serial != NULL)
		MUST(X509_NAME_add_entry_by_txt(n, "serialNumber", MBSTRING_ASC,
		         (const unsigned char *)serial, -1, -1, 0) == 1);
	return n;
}

struct pki
pki_root(const char *cn)
{
	struct pki p = { EVP_EC_gen("P-256"), NULL };
	X509_NAME *n = name(cn, NULL);

	p.cert = start(n, p.key, 365L * 86400);
	MUST(X509_set_issuer_name(p.cert, n) == 1);
	add_ext(p.cert, p.cert, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(p.cert, p.cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_ext(p.cert, p.cert, NID_subject_key_identifier, "hash");
	MUST(X509_sign(p.cert, p.key, EVP_sha256()) > 0);
	X509_NAME_free(n);
	return p;
}

static X509 *
finish(X509 *cert, const struct pki *ca, const char *eku)
{
	MUST(X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) == 1);
	add_ext(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE");
	add_ext(cert, ca->cert, NID_key_usage, "critical,digitalSignature");
	add_ext(cert, ca->cert, NID_ext_key_usage, eku);
	add_ext(cert, ca->cert, NID_authority_key_identifier, "keyid");
	MUST(X509_sign(cert, ca->key, EVP_sha256()) > 0);
	return cert;
}

struct pki
pki_leaf(const struct pki *ca, const char *cn, const char *serial, const char *eku, long seconds)
{
	struct pki p = { EVP_EC_gen("P-256"), NULL };
	X509_NAME *n = name(cn, serial);

	p.cert = finish(start(n, p.key, seconds), ca, eku);
	X509_NAME_free(n);
	return p;
}

X509 *
pki_sign(const struct pki *ca, const X509_NAME *subject, EVP_PKEY *public_key, long seconds)
{
	return finish(start(subject, public_key, seconds), ca, "clientAuth");
}

void
pki_free(struct pki *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	*p = (struct pki){ NULL, NULL };
}

static FILE *
create(const char *path)
{
	FILE *f;

	MUST((f = fopen(path, "w")) != NULL && chmod(path, 0600) == 0);
	return f;
}

void
pki_write_certs(const char *path, X509 *first, X509 *second)
{
	FILE *f = create(path);

	MUST(PEM_write_X509(f, first) == 1);
	MUST(second == NULL || PEM_write_X509(f, second) == 1);
	MUST(fclose(f) == 0);
}

void
pki_write_key(const char *path, EVP_PKEY *key)
{
	FILE *f = create(path);

	MUST(PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
}

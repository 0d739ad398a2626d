/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, certificates and CRLs for tests, made in memory. Every failure aborts. */
#ifndef UNIT_HOST_SUPPORT_PKI_H
#define UNIT_HOST_SUPPORT_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "muster/span.h"

#define PKI_NOW INT64_C(1800000000)
#define PKI_DAY INT64_C(86400)
#define PKI_EKU_RA "serverAuth,clientAuth,1.3.6.1.5.5.7.3.28"

/* "P-256", "P-384", "P-224", "secp256k1", "ED25519", "RSA-1024", "RSA-2048". */
EVP_PKEY *pki_key(const char *what);

struct pki_spec {
	const char *cn;
	const char *serial; /* serialNumber attribute */
	const char *serial2; /* a second one */
	EVP_PKEY *key; /* the subject's */
	X509 *issuer; /* NULL: self-signed */
	EVP_PKEY *issuer_key; /* NULL: key */
	const char *basic; /* basicConstraints, e.g. "critical,CA:TRUE" */
	const char *usage; /* keyUsage */
	const char *eku; /* extendedKeyUsage */
	const char *san; /* subjectAltName */
	const char *masa_url; /* IA5String of the extension */
	int ski, aki; /* 1: with the extension */
	int64_t from, to; /* 0: a day before and a year after PKI_NOW */
	const EVP_MD *md; /* NULL: SHA-256 */
	long number; /* certificate serial number; 0: counted up */
};
X509 *pki_cert(const struct pki_spec *spec);

/* A root with its key: "P-256" etc. */
X509 *pki_root(const char *cn, EVP_PKEY *key);

/* A CRL of the issuer that lists cert (or nothing), valid from/to. */
X509_CRL *pki_crl(X509 *issuer, EVP_PKEY *key, X509 *revoked, int64_t from, int64_t to);

/* PEM and DER, allocated; free with free(). */
mst_span pki_pem(X509 *cert);
mst_span pki_crl_pem(X509_CRL *crl);
mst_span pki_der(X509 *cert);
mst_span pki_key_pem(EVP_PKEY *key);

STACK_OF(X509) *pki_stack(X509 *a, X509 *b, X509 *c); /* references; NULLs left out */
void pki_stack_free(STACK_OF(X509) *s);

/* A whole file of the published vectors, NUL behind it; absent: MST_NONE and a printed line. */
mst_span vector_read(const char *name);
struct CMUnitTest;
/* Without that folder of vectors the tests are skipped before they hold anything. */
void vectors_or_skip(const char *folder, struct CMUnitTest *tests, size_t count);
/* The bytes of a base64 text with line ends. */
mst_span vector_base64(mst_span text);

#endif

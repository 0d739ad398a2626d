/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, certificates and CSRs for the tests of this room, one deviation at a time. */
#ifndef TESTS_UNIT_EST_SUPPORT_CSR_H
#define TESTS_UNIT_EST_SUPPORT_CSR_H

#include <openssl/x509v3.h>

#include "server/est/judge.h"

#define OID_EXTENSIONS "1.2.840.113549.1.9.14"
#define OID_EXTENSIONS_MS "1.3.6.1.4.1.311.2.1.14"
#define OID_CHALLENGE "1.2.840.113549.1.9.7"
#define OID_LINKING "1.2.840.113549.1.9.16.2.58"

/* Keys are made once per program and name: "P-256", "P-256 b", "P-384", "P-521", "ED25519",
 * "RSA-2048" and so on, "P-224", "secp256k1", "RSA-1024". */
EVP_PKEY *a_key(const char *name);
/* "O=Acme,serialNumber=X1": type=value, comma-separated; "" is the empty name. */
X509_NAME *a_name(const char *text);
mst_span a_name_der(struct arena *a, const char *text);
mst_span a_san(struct arena *a, const char *text); /* "DNS:a,DNS:b" */
mst_span a_spki_sha256(struct arena *a, EVP_PKEY *key);
/* Signed by issuer_key; issuer NULL: self-signed CA. */
X509 *a_cert(const char *subject, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key);

struct csr_attribute {
	const char *oid;
	int type; /* V_ASN1_...; 0: bytes is a whole TLV of a SEQUENCE */
	const char *text; /* NUL-terminated, or */
	mst_span bytes;
	int copies; /* 0: one value; 2: the attribute has two; -1: none */
};
struct csr_extension {
	int nid; /* or oid */
	const char *oid;
	const char *conf; /* as in openssl.cnf; or */
	mst_span bytes;
	int critical;
};
struct csr_spec {
	EVP_PKEY *key, *signer; /* signer NULL: key */
	const EVP_MD *md; /* NULL: SHA-256 (none for Ed25519) */
	const char *subject;
	const char *extensions_oid; /* NULL: PKCS#9 */
	struct csr_extension ext[6];
	int exts;
	struct csr_attribute attr[6];
	int attrs;
	int version;
	int pss; /* RSASSA-PSS */
};
mst_span csr_make(struct arena *a, const struct csr_spec *s);
/* With an RSA key of numbers alone, which no one can use; e 0: one of 65 bits. */
mst_span csr_rsa(struct arena *a, const char *subject, int bits, unsigned long e);
/* A thousand SEQUENCEs, each of the right length, around nothing. */
mst_span csr_nested(struct arena *a);
void csr_add_ext(struct csr_spec *s, int nid, const char *conf, int critical);
void csr_add_attr(struct csr_spec *s, const char *oid, int type, const char *text);

#endif

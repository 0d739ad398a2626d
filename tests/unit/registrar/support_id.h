/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with their keys, made with OpenSSL at run time. */
#ifndef TESTS_REGISTRAR_ID_H
#define TESTS_REGISTRAR_ID_H

#include "host/cert.h"
#include "host/envelope.h"

struct id {
	X509 *cert;
	EVP_PKEY *key;
};
enum id_kind { ID_CA, ID_REGISTRAR, ID_PLAIN, ID_DEVICE };
struct id_spec {
	enum id_kind kind;
	const char *cn;
	const char *organization, *serial_number; /* subject attributes; NULL: none */
	const char *masa_url; /* extension; NULL: none */
	const char *san; /* as openssl.cnf writes it; NULL: none */
	const struct id *issuer; /* NULL: self-signed */
	EVP_PKEY *key; /* NULL: a new P-256 key */
	long from, until; /* seconds from now; 0, 0: -1 day .. +1 year */
	int flags; /* ID_SHA1, ... */
};
#define ID_NO_SKI 1
#define ID_SHA1 2
#define ID_NO_AKI 4
#define ID_CRL_URL 8
struct id id_make(const struct id_spec *spec);
#define ID(...) id_make(&(struct id_spec){ __VA_ARGS__ })
void id_free(struct id *id);
mst_span pem_of(struct arena *a, X509 *const *certs, size_t count);
mst_span pem_of_key(struct arena *a, EVP_PKEY *key);
/* A CRL of the CA naming revoked (NULL: nobody), nextUpdate in `life` seconds. PEM. */
mst_span crl_of(struct arena *a, const struct id *ca, X509 *revoked, long life);
mst_span der_of(struct arena *a, X509 *cert);
/* The signer's certificate, then chain (NULL-ended list), go along. */
mst_span seal(struct arena *a, enum mst_media media, const struct mst_voucher_claims *c,
    const struct id *signer, X509 *chain);

/* The three forms of a voucher, for tables that run in each. */
struct form {
	enum mst_media media;
	const char *suffix; /* of a test's name */
};
#define FORMS 3
extern const struct form forms[FORMS];
/* Another of them. */
enum mst_media another_form(enum mst_media m);
/* One bit of the signature at the message's end; in JSON one letter of it. */
void damage(enum mst_media media, mst_span message);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenSSL back-end of include/muster/crypto.h. It holds what the factory
 * gave (IDevID key, certificate, chain, MASA anchors), the present LDevID
 * where a renewal needs it, and the key of the last csr_build until the next
 * one. One per device; not to be used from two threads at once.
 */
#ifndef CRYPTO_OPENSSL_H
#define CRYPTO_OPENSSL_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/cert.h"
#include "muster/crypto.h"

#define CRYPTO_OPENSSL_BINDING_MAX 64

/* All borrowed; init takes references of keys and certificates, but masa must outlive it. */
struct crypto_openssl_config {
	EVP_PKEY *idevid_key;
	X509 *idevid;
	STACK_OF(X509) *idevid_chain; /* NULL allowed */
	const struct anchors *masa;
	EVP_PKEY *ldevid_key; /* NULL while there is none */
	X509 *ldevid;
};

struct crypto_openssl {
	EVP_PKEY *idevid_key;
	X509 *idevid;
	STACK_OF(X509) *idevid_chain;
	const struct anchors *masa;
	EVP_PKEY *ldevid_key;
	X509 *ldevid;
	EVP_PKEY *pending; /* of the last csr_build */
	uint8_t binding[CRYPTO_OPENSSL_BINDING_MAX];
	size_t binding_len;
};

/* MST_E_KEY_MISMATCH when a key is not its certificate's, MST_E_NOMEM. */
MST_MUST_USE mst_err crypto_openssl_init(
    struct crypto_openssl *c, const struct crypto_openssl_config *config);
void crypto_openssl_wipe(struct crypto_openssl *c);

/* The functions over c, which must outlive what is returned. */
struct mst_crypto crypto_openssl(struct crypto_openssl *c);

/* After enrolment or renewal. NULLs forget. MST_E_KEY_MISMATCH, MST_E_NOMEM. */
MST_MUST_USE mst_err crypto_openssl_set_ldevid(struct crypto_openssl *c, EVP_PKEY *key, X509 *cert);

/*
 * The channel binding of the present connection (http_binding()), to be set
 * before the step that makes a CSR; absent: none. A CSR carries it only where
 * csrattrs asks for challengePassword (est.md K2, L2). MST_E_SPACE.
 */
MST_MUST_USE mst_err crypto_openssl_set_binding(struct crypto_openssl *c, mst_span binding);

/* The key that belongs to the last CSR, borrowed, or NULL: to be stored at MST_ACT_KEEP. */
EVP_PKEY *crypto_openssl_pending_key(struct crypto_openssl *c);

#endif

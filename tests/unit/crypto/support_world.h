/* SPDX-License-Identifier: Apache-2.0 */
/* The back-end with a factory, a site and a stranger around it; made once for a program. */
#ifndef UNIT_CRYPTO_SUPPORT_WORLD_H
#define UNIT_CRYPTO_SUPPORT_WORLD_H

#include "crypto/openssl/openssl.h"
#include "unit/host/support_pki.h"

#define CA_BASIC "critical,CA:TRUE"
#define CA_USAGE "critical,keyCertSign,cRLSign"

struct world {
	EVP_PKEY *vendor_key, *idevid_key, *masa_key, *domain_key, *issuing_key, *ra_key,
	    *foreign_key, *device_key;
	X509 *vendor, *idevid, *masa, *domain, *issuing, *ra, *foreign, *ldevid;
	struct anchors *masa_anchors;
	struct crypto_openssl ctx;
	struct mst_crypto crypto;
	struct arena *a;
};
extern struct world w;
extern const struct mst_clock now;

int setup(void **state);
int teardown(void **state);
X509 *issue(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *eku);
/* In the world's arena. */
mst_span der_of(X509 *cert);
struct mst_buf room(size_t n);
mst_span joined(X509 *a, X509 *b, X509 *c);
/* For the key of a CSR just made. */
X509 *certified(X509 *issuer, EVP_PKEY *issuer_key);

#endif

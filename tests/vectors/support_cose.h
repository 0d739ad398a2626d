/* SPDX-License-Identifier: Apache-2.0 */
/* A COSE verifier and signer on OpenSSL, for tests: apart from the one that host/ has. */
#ifndef VECTORS_SUPPORT_COSE_H
#define VECTORS_SUPPORT_COSE_H

#include <openssl/evp.h>

#include "muster/cose.h"

/* ctx of the callbacks is the key. good is counted in the verifier's calls. */
struct cose_key {
	EVP_PKEY *key;
	unsigned good;
};
struct mst_cose_verifier cose_test_verifier(struct cose_key *k);
struct mst_cose_signer cose_test_signer(struct cose_key *k, enum mst_cose_alg alg);

/* From raw coordinates; y absent: Ed25519. "P-256" etc. */
EVP_PKEY *cose_test_key(const char *curve, mst_span x, mst_span y);

#endif

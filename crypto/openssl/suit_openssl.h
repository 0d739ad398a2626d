/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL behind include/muster/suit_crypto.h. No state of its own: any number
 * of threads may use it. A key's handle is an EVP_PKEY * (public for verify,
 * private for ECDH; PKCS#11 keys, too); without one its material is read.
 */
#ifndef CRYPTO_SUIT_OPENSSL_H
#define CRYPTO_SUIT_OPENSSL_H

#include "muster/suit_crypto.h"

const struct mst_suit_crypto *suit_openssl(void);

/*
 * Read the material of a signature's or ECDH key once and keep it as its
 * handle: saves a quarter of the time of each ES256 verification. Keys without
 * an EVP_PKEY (secrets, HSS-LMS) and those that have a handle stay as they
 * are. MST_E_SUIT_KEY when the material is no key of that algorithm.
 */
MST_MUST_USE mst_err suit_openssl_load(struct mst_suit_key *key);
/* Free what load made, and only that: not for a handle of the caller's own. */
void suit_openssl_unload(struct mst_suit_key *key);

#endif

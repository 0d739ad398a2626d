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

#endif

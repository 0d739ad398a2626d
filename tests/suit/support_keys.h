/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of the forger, made at run time, by name:
 *	k1 k2 k3 evil	P-256 (ES256)	p384, p521
 *	ed1 ed2		Ed25519
 *	mac1 mac2	HMAC-SHA-256, 32 bytes
 *	device		P-256, of the device, for ECDH-ES; eph: an ephemeral one
 *	draft		the published signing key of the drafts' examples
 * OpenSSL only; nothing of core/ or crypto/.
 */
#ifndef TESTS_SUIT_SUPPORT_KEYS_H
#define TESTS_SUIT_SUPPORT_KEYS_H

#include <openssl/evp.h>

#include "suit/support_edn.h"

/* Of a key of P-256: x || y || d, 96 bytes; Ed25519: public key, 32; MAC: the key. */
size_t keys_raw(const char *name, uint8_t *out, size_t size);
EVP_PKEY *keys_pkey(const char *name);
/* COSE hash algorithm by number; 32 bytes of an unknown one. */
size_t keys_hash(int64_t alg, const uint8_t *in, size_t len, uint8_t md[64]);
void keys_sign(const char *name, const uint8_t *in, size_t len, struct edn_bytes *out);
/* wrap: AES-KW of b under a. ctr: b is the iv, c the data. gcm, chacha: and aad, the encoding d. */
void keys_cipher(const char *what, const struct edn_bytes *key, struct edn_bytes *b,
    const struct edn_bytes *c, const struct edn_bytes *aad);
/* HKDF-SHA-256 of ECDH(eph, device), 16 bytes. */
void keys_kek(const struct edn_bytes *salt, const struct edn_bytes *info, struct edn_bytes *out);
/* A COSE_Key of P-256: { 1: 2, -1: 1, -2: x, -3: y }, encoded. */
void keys_ephemeral(const char *name, struct edn_bytes *out);

#endif

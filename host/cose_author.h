/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an author of SUIT makes with keys: authentication blocks, encryption
 * for a list of devices, and COSE_Keys (RFC 9052, 9053, sheet suit.md 3, 15,
 * 17). Deterministic CBOR, by OpenSSL. The device's side, which judges all
 * this, is include/muster/suit_crypto.h.
 */
#ifndef HOST_COSE_AUTHOR_H
#define HOST_COSE_AUTHOR_H

#include <openssl/evp.h>

#include "host/arena.h"
#include "muster/suit_crypto.h"

struct hss_signer;

/* --- keys --- */

/*
 * A COSE_Key (RFC 9052 7), taken apart. Spans point into what was decoded, or
 * lie in the arena.
 */
enum cose_kty { COSE_KTY_OKP = 1, COSE_KTY_EC2 = 2, COSE_KTY_SYMMETRIC = 4, COSE_KTY_HSS_LMS = 5 };
struct cose_key {
	enum cose_kty kty;
	enum mst_suit_curve curve; /* of OKP and EC2 */
	int32_t alg; /* 0: the key names none */
	mst_span kid; /* absent: none */
	mst_span x, y; /* EC2: both in full length (a y of one bit is made whole); OKP: x */
	mst_span d; /* private part; absent: a public key */
	mst_span k; /* symmetric */
	mst_span pub; /* HSS-LMS: 60 bytes */
};
/* No label twice, definite lengths, each part of its full length, the point on its curve.
 * MST_E_SUIT_KEY, MST_E_CBOR*, MST_E_NOMEM. */
MST_MUST_USE mst_err cose_key_decode(struct arena *a, mst_span encoded, struct cose_key *out);
enum cose_key_part { COSE_KEY_PUBLIC, COSE_KEY_ALL };
/* COSE_KEY_PUBLIC of a symmetric key is MST_E_SUIT_KEY. */
MST_MUST_USE mst_err cose_key_encode(
    struct arena *a, const struct cose_key *key, enum cose_key_part part, mst_span *encoded);
/* P-256, P-384, P-521, Ed25519, X25519. alg stays 0 and kid absent. MST_E_UNSUPPORTED. A private
 * part that cannot be had (PKCS#11) is absent. */
MST_MUST_USE mst_err cose_key_from_pkey(struct arena *a, EVP_PKEY *pkey, struct cose_key *out);
/* The caller frees *out. MST_E_SUIT_KEY. */
MST_MUST_USE mst_err cose_key_to_pkey(const struct cose_key *key, EVP_PKEY **out);
/*
 * The row of a device's table for this key: its material laid out as
 * suit_crypto.h has it. The algorithm is the key's own; a key without one gets
 * the usual one of its kind and use (ES256, ES384, ES512, EdDSA, each with its
 * equivalent; HSS-LMS; HMAC-256; ECDH-ES+A128KW; A128KW or A256KW by length).
 * MST_E_SUIT_KEY_USAGE when kind or algorithm do not serve that use.
 */
MST_MUST_USE mst_err cose_key_row(struct arena *a, const struct cose_key *key,
    enum mst_suit_usage usage, uint8_t authority, struct mst_suit_key *row);

/* --- authentication blocks --- */

/* Who signs or MACs. Which of key, hss and secret is set, alg says. */
struct cose_signer {
	int32_t alg; /* enum mst_suit_alg: a signature or HMAC */
	mst_span kid; /* absent: none is written */
	mst_span x5chain; /* COSE_X509 of its certificates (RFC 9360), for the protected header */
	EVP_PKEY *key; /* ECDSA, EdDSA; a PKCS#11 one, too */
	struct hss_signer *hss; /* HSS-LMS: uses up a leaf */
	mst_span secret; /* HMAC: of the hash's length at least */
};
/* COSE_X509 (RFC 9360 2) of a PEM file's certificates, the signer's first; must be of this key.
 * MST_E_X509, MST_E_KEY_MISMATCH, MST_E_NOMEM. */
MST_MUST_USE mst_err cose_x5chain(struct arena *a, mst_span pem, EVP_PKEY *key, mst_span *x5chain);
/* The usual algorithm of a key: ES256, ES384, ES512, EdDSA; 0: none. */
int32_t cose_signer_alg(EVP_PKEY *key);

/*
 * Append-only thinking is the envelope's; these make one block in the arena.
 * payload: the encoded SUIT_Digest (detached), or a report (attached).
 * MST_E_KEY_SIGN, MST_E_SUIT_KEY_USAGE (key and alg do not go together),
 * MST_E_HSS_*, MST_E_NOMEM. What is made has been verified before it is
 * handed out (a fault in signing must not leave the house).
 */
MST_MUST_USE mst_err cose_author_sign1(struct arena *a, const struct cose_signer *signer,
    mst_span payload, enum mst_suit_attachment form, mst_span *block);
MST_MUST_USE mst_err cose_author_sign(struct arena *a, const struct cose_signer *signers,
    size_t count, mst_span payload, mst_span *block);
MST_MUST_USE mst_err cose_author_mac0(struct arena *a, const struct cose_signer *signer,
    mst_span payload, enum mst_suit_attachment form, mst_span *block);

/*
 * Offline: the bytes to be signed (Sig_structure) for a COSE_Sign1 of alg; the
 * signature comes back from elsewhere and is put in. signature of another
 * length: MST_E_COSE_SIGNATURE_LENGTH. It is not verified here: lint, or
 * mst_suit_auth_block() with the public key, does.
 */
MST_MUST_USE mst_err cose_author_tbs(struct arena *a, int32_t alg, mst_span payload, mst_span *tbs);
MST_MUST_USE mst_err cose_author_attach(
    struct arena *a, int32_t alg, mst_span kid, mst_span signature, mst_span *block);

/* --- recipients and encryption --- */

/*
 * For whom: a key-encryption key that the device shares (A128KW, A192KW,
 * A256KW), or its public key (ECDH-ES+A128KW, ..A192KW, ..A256KW on P-256 or
 * X25519, with a fresh ephemeral key for each).
 */
struct cose_recipient {
	int32_t alg;
	mst_span kid; /* absent: none is written */
	mst_span kek; /* key wrap */
	EVP_PKEY *key; /* ECDH */
};
#define COSE_RECIPIENTS_MAX MST_SUIT_RECIPIENTS_MAX

/* COSE_Mac: a fresh MAC key of alg (HMAC), wrapped for each. */
MST_MUST_USE mst_err cose_author_mac(struct arena *a, int32_t alg,
    const struct cose_recipient *recipients, size_t count, mst_span payload, mst_span *block);

/*
 * A payload for these recipients: fresh CEK and IV, never chosen by a caller.
 * *info is what parameter 19's byte string holds. The ciphertext is as long as
 * what was put in, and 16 bytes more for an AEAD (finish appends the tag).
 * MST_E_SUIT_ENCRYPT_ALG, MST_E_SUIT_RECIPIENTS, MST_E_SUIT_KEY_USAGE,
 * MST_E_RANDOM, MST_E_NOMEM.
 */
struct cose_encryptor;
MST_MUST_USE mst_err cose_encrypt_begin(struct arena *a, int32_t alg,
    const struct cose_recipient *recipients, size_t count, struct cose_encryptor **out,
    mst_span *info);
/* MST_E_SPACE: out has no room for in.len bytes, and nothing was taken. */
MST_MUST_USE mst_err cose_encrypt_update(
    struct cose_encryptor *c, mst_span in, struct mst_buf *out);
MST_MUST_USE mst_err cose_encrypt_finish(struct cose_encryptor *c, struct mst_buf *out);
/* After finish, or to give up. NULL allowed. */
void cose_encrypt_free(struct cose_encryptor *c);

#endif

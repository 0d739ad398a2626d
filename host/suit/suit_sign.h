/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication blocks and ciphertexts for envelopes: host/cose_author.h with its keys opened. */
#ifndef HOST_SUIT_SUIT_SIGN_H
#define HOST_SUIT_SUIT_SIGN_H

#include "host/suit/suit_keys.h"

enum suit_sign_form {
	SUIT_SIGN_EACH, /* a COSE_Sign1 or COSE_Mac0 for each key */
	SUIT_SIGN_TOGETHER, /* one COSE_Sign of all */
	SUIT_SIGN_MAC_FOR, /* one COSE_Mac; the keys are recipients */
};
struct suit_signing {
	enum suit_sign_form form;
	int32_t alg; /* 0: the usual one of each key; of MAC_FOR: HMAC-256 */
	const struct suit_key *keys;
	size_t count;
};
/*
 * Add the blocks: all or none. The digest is checked against the manifest
 * before anything is signed (M 8.3). MST_E_FW_DIGEST, MST_E_FW_KEY,
 * MST_E_FW_SIGNED (this key has signed already), MST_E_SPACE, and those of
 * host/cose_author.h.
 */
MST_MUST_USE mst_err suit_sign(
    struct arena *a, const struct suit_signing *s, struct suit_envelope *env);

/* For people who sign elsewhere: hex of each. */
struct suit_digest_texts {
	const char *digest; /* "sha-256:..." */
	const char *payload, *tbs, *tbs_sha256;
};
MST_MUST_USE mst_err suit_sign_texts(
    struct arena *a, const struct suit_envelope *env, mst_span tbs, struct suit_digest_texts *out);
/*
 * A COSE_Sign1 around a signature from elsewhere: raw, or of ECDSA in DER.
 * Its algorithm and kid are the key's unless alg says otherwise. It is not
 * verified here. MST_E_FW_KEY, MST_E_COSE_SIGNATURE_LENGTH.
 */
MST_MUST_USE mst_err suit_sign_block(
    struct arena *a, const struct suit_key *key, int32_t alg, mst_span signature, mst_span *block);

/* MST_E_FW_RECIPIENT and those of cose_encrypt_begin(). */
MST_MUST_USE mst_err suit_encrypt(struct arena *a, int32_t alg, const struct suit_key *whom,
    size_t count, mst_span image, mst_span *ciphertext, mst_span *info);

#endif

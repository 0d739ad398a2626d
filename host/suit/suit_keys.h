/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the author's tool, by the words of its command line:
 *	PATH, pkcs11:...   a private key in PEM or on a token (host/key.h)
 *	hss:PATH           HSS-LMS, whose state is kept beside it (host/hss_signer.h)
 *	secret:PATH        the bytes of a symmetric key, for HMAC and key wrap
 *	cose:PATH          a COSE_Key, private or symmetric
 * and of public ones: a file with a public key or certificate in PEM, a
 * COSE_Key, or the 60 bytes of an HSS-LMS key; secret: as above.
 */
#ifndef HOST_SUIT_SUIT_KEYS_H
#define HOST_SUIT_SUIT_KEYS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/arena.h"
#include "host/cose_author.h"
#include "host/suit_envelope.h"

struct suit_key {
	EVP_PKEY *pkey; /* EC, OKP; else NULL */
	struct hss_signer *hss; /* private HSS-LMS; else NULL */
	mst_span secret; /* symmetric; on the heap, wiped by close */
	mst_span hss_public; /* 60 bytes, of hss or alone */
	mst_span kid; /* that a COSE_Key names, or that was said; absent: none */
	mst_span x5chain; /* what a block shows of its signer, cose_x5chain(); absent: nothing */
	X509 *cert; /* what a public key came out of; NULL: no certificate */
	mst_span
	    spki_kid; /* SHA-256 of its SubjectPublicKeyInfo: how a device of ours names its own */
	int32_t alg; /* that a COSE_Key names; 0: none */
	uint8_t *store; /* what secret and the parts of a COSE_Key lie in */
	size_t store_len;
};

/* Words in suit_author_why(). MST_E_KEY_*, MST_E_HSS_*, MST_E_SUIT_KEY, MST_E_FW_KEY. */
MST_MUST_USE mst_err suit_key_private(struct arena *a, const char *word, struct suit_key *out);
MST_MUST_USE mst_err suit_key_public(struct arena *a, const char *word, struct suit_key *out);
void suit_key_close(struct suit_key *k); /* of zeros: nothing */
/*
 * The certificate of this key, and its chain, from a file in PEM: whoever has
 * their anchor needs no key of the author's. MST_E_KEY_MISMATCH, MST_E_X509.
 */
MST_MUST_USE mst_err suit_key_certify(struct arena *a, struct suit_key *k, const char *path);

/* "KID=WORD" to its parts; without "KID=" the kid is absent. KID: text or hex:. */
MST_MUST_USE mst_err suit_key_named(
    struct arena *a, const char *text, mst_span *kid, const char **word);

/* alg: a COSE number, or 0 for the usual one of the key. MST_E_FW_KEY. */
MST_MUST_USE mst_err suit_key_signer(
    const struct suit_key *k, int32_t alg, mst_span kid, struct cose_signer *out);
MST_MUST_USE mst_err suit_key_recipient(
    const struct suit_key *k, mst_span kid, struct cose_recipient *out);
/* The row of a device's table for it. MST_E_SUIT_KEY_USAGE, MST_E_FW_KEY. */
MST_MUST_USE mst_err suit_key_row(struct arena *a, const struct suit_key *k,
    enum mst_suit_usage usage, uint8_t authority, struct mst_suit_key *row);

/*
 * The key of a COSE_Sign1's signer who shows a certificate (x5chain) that is
 * good for signing code and leads to this one, which is a CA's: as a device
 * judges it (docs/decisions/0018-updates-by-the-same-identity.md). NULL when
 * there is none; the caller frees.
 */
EVP_PKEY *suit_key_below(const struct suit_key *anchor, mst_span block);
/* Is it a CA's certificate? Then it is whom signers' certificates lead to, and signs nothing. */
bool suit_key_is_ca(const struct suit_key *k);

/* Does this block verify with this key, whatever its kid? */
bool suit_key_verifies(struct arena *a, const struct suit_key *k, mst_span digest, mst_span block);
/* The kid of a block's unprotected or protected header; absent: none. */
mst_span suit_block_kid(mst_span block);

/* --- keys to be made --- */

enum suit_key_kind {
	SUIT_MAKE_P256,
	SUIT_MAKE_P384,
	SUIT_MAKE_P521,
	SUIT_MAKE_ED25519,
	SUIT_MAKE_X25519,
	SUIT_MAKE_HSS,
	SUIT_MAKE_SECRET16,
	SUIT_MAKE_SECRET32,
};
/* "es256", "es384", "es512", "ed25519", "x25519", "ecdh", "hss-lms", "hmac-256", "a128kw",
 * "a256kw". */
bool suit_key_kind_find(const char *word, enum suit_key_kind *out);
/*
 * The private key new at path (0600), its public half at public_path (PEM; of
 * HSS-LMS a COSE_Key), which must be NULL for secrets. heights: of HSS-LMS
 * "10" or "5,5". MST_E_CONFLICT when a file exists.
 */
MST_MUST_USE mst_err suit_key_make(struct arena *a, enum suit_key_kind kind, const char *heights,
    const char *path, const char *public_path);

#endif

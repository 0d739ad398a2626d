/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SUIT needs of cryptography (sheet suit.md 3, 15, 17): the keys a device
 * holds, the seam to whoever calculates, and on top of both the judgement of
 * authentication blocks and the decryption of payloads. The seam knows
 * primitives only; everything COSE, and every rule, is done in core/cose,
 * without allocation. Back-ends: crypto/openssl/suit_openssl.h (Linux) and
 * crypto/fake/suit_fake.h (deterministic: simulators, size, qemu).
 *
 * Refusals are of the blocks 18xx (COSE), 85xx (this header), and 11xx (CBOR).
 */
#ifndef MUSTER_SUIT_CRYPTO_H
#define MUSTER_SUIT_CRYPTO_H

#include "muster/span.h"

/* Sheet 21: bounds on what a stranger makes us do. */
#define MST_SUIT_BLOCKS_MAX 8 /* authentication blocks of an envelope */
#define MST_SUIT_TRIES_MAX 8 /* signature and MAC calculations for an envelope */
#define MST_SUIT_RECIPIENTS_MAX 8 /* recipients that are looked at, of a message */
#define MST_SUIT_SIGNATURES_MAX 8 /* signatures that are looked at, of a COSE_Sign */

/* IANA "COSE Algorithms", 2026-11. Numbers are int32_t wherever a stranger may have sent them. */
enum mst_suit_alg {
	MST_SUIT_SHA256 = -16,
	MST_SUIT_SHAKE128 = -18, /* 256 bits of output (RFC 9054 3.3) */
	MST_SUIT_SHA384 = -43,
	MST_SUIT_SHA512 = -44,
	MST_SUIT_SHAKE256 = -45, /* 512 bits */

	MST_SUIT_ES256 = -7, /* = ESP256 on P-256; r || s */
	MST_SUIT_EDDSA = -8, /* = Ed25519 */
	MST_SUIT_ESP256 = -9, /* RFC 9864 */
	MST_SUIT_ED25519 = -19, /* RFC 9864 */
	MST_SUIT_ES384 = -35,
	MST_SUIT_ES512 = -36,
	MST_SUIT_HSS_LMS = -46, /* RFC 8778 */
	MST_SUIT_ESP384 = -51,
	MST_SUIT_ESP512 = -52,

	MST_SUIT_HMAC256 = 5,
	MST_SUIT_HMAC384 = 6,
	MST_SUIT_HMAC512 = 7,

	MST_SUIT_A128KW = -3,
	MST_SUIT_A192KW = -4,
	MST_SUIT_A256KW = -5,
	MST_SUIT_DIRECT = -6,
	MST_SUIT_ECDH_ES_A128KW = -29,
	MST_SUIT_ECDH_ES_A192KW = -30,
	MST_SUIT_ECDH_ES_A256KW = -31,

	MST_SUIT_A128GCM = 1,
	MST_SUIT_A256GCM = 3,
	MST_SUIT_CHACHA20_POLY1305 = 24,
	MST_SUIT_A256CTR = -65532,
	MST_SUIT_A192CTR = -65533,
	MST_SUIT_A128CTR = -65534,
};
enum mst_suit_curve { /* IANA "COSE Elliptic Curves" */
	MST_SUIT_CURVE_NONE = 0,
	MST_SUIT_P256 = 1,
	MST_SUIT_P384 = 2,
	MST_SUIT_P521 = 3,
	MST_SUIT_X25519 = 4,
	MST_SUIT_CURVE_ED25519 = 6,
};
#define MST_SUIT_DIGEST_MAX 64
#define MST_SUIT_TAG_LEN 16 /* of every AEAD above; appended to the ciphertext */
#define MST_SUIT_CEK_MAX 64 /* a MAC key of HMAC-512 is the longest */
#define MST_SUIT_SIGNATURE_MAX 132 /* of all but HSS-LMS */

/* Bytes: of a digest; of the key of a cipher; of its IV (12 or 16). 0: not of that kind. */
size_t mst_suit_digest_len(int32_t alg);
size_t mst_suit_cipher_key_len(int32_t alg);
size_t mst_suit_cipher_iv_len(int32_t alg);
/* Does decryption itself tell a forgery? False for AES-CTR: then a digest must (sheet 15). */
bool mst_suit_cipher_is_aead(int32_t alg);
/* Bytes of a signature; 0 for HSS-LMS, whose length the key tells, and for what is no signature. */
size_t mst_suit_signature_len(int32_t alg);
/* Bytes of an HMAC's tag; 0 for all else. */
size_t mst_suit_mac_len(int32_t alg);

/* ---- Keys ------------------------------------------------------------------------------- */

/* One key, one purpose (FE security considerations): a key is never tried for another one. */
enum mst_suit_usage {
	MST_SUIT_USE_SIGN_MANIFEST = 1, /* verifies COSE_Sign1 and COSE_Sign blocks */
	MST_SUIT_USE_MAC_MANIFEST, /* COSE_Mac0, and COSE_Mac with a "direct" recipient */
	MST_SUIT_USE_MAC_KEK, /* unwraps the MAC key of a COSE_Mac block; alg a key wrap */
	MST_SUIT_USE_KEK, /* unwraps the CEK of a payload; alg A128KW, A192KW, A256KW */
	MST_SUIT_USE_ECDH, /* the device's private key: alg ECDH-ES+A..KW, curve P-256 or X25519 */
	MST_SUIT_USE_SIGN_REPORT, /* verifies a report's COSE_Sign1 */
	MST_SUIT_USE_MAC_REPORT, /* verifies a report's COSE_Mac0 */
	MST_SUIT_USE_CONTENT_REPORT, /* opens a report's COSE_Encrypt0 */
};
/* May -7 stand for -9 and -8 for -19, and -35/-51, -36/-52 (sheet 17: declared per key)? */
enum mst_suit_equivalence { MST_SUIT_EXACT_ALG, MST_SUIT_EQUIVALENT_ALG };

/*
 * A key as the table holds it. The back-end takes it from handle (what that is,
 * the back-end says) or, when handle is NULL, from material:
 *   ECDSA     SEC 1 point 04 || x || y
 *   Ed25519   the 32 bytes of the public key
 *   HSS-LMS   RFC 8554 3.3's public key, 60 bytes, u32str(L) first
 *   HMAC, key wrap, content   the secret's bytes
 *   ECDH      the private scalar in full length (P-256, X25519: 32 bytes)
 * Both live as long as the table is used.
 */
struct mst_suit_key {
	enum mst_suit_usage usage;
	enum mst_suit_equivalence equivalence;
	enum mst_suit_curve curve; /* of an ECDH key; else NONE */
	int32_t alg; /* exactly one */
	uint8_t authority; /* 0 to 31: whose key it is; access control and policy count these */
	mst_span kid; /* absent: the key has no name and is tried whatever a block names */
	mst_span material;
	const void *handle;
};
#define MST_SUIT_AUTHORITIES 32
#define MST_SUIT_AUTHORITY_BIT(authority) ((uint32_t)1 << (authority))

struct mst_suit_keys {
	const struct mst_suit_key *key;
	size_t count;
};

/* ---- The seam --------------------------------------------------------------------------- */

/*
 * States are lent by the caller and hold what the back-end needs, which may be
 * a resource of its own: each that was begun is ended or dropped, once. A
 * device's build may set the sizes to those of its own back-end.
 */
#ifndef MST_SUIT_DIGEST_STATE
#define MST_SUIT_DIGEST_STATE 216 /* SHA-512 in software */
#endif
#ifndef MST_SUIT_CIPHER_STATE
#define MST_SUIT_CIPHER_STATE 448 /* AES-GCM in software */
#endif
union mst_suit_digest_state {
	uint64_t align;
	uint8_t bytes[MST_SUIT_DIGEST_STATE];
};
union mst_suit_cipher_state {
	uint64_t align;
	uint8_t bytes[MST_SUIT_CIPHER_STATE];
};

/* Bytes in pieces, to be taken one after the other (Sig_structure, MAC_structure). */
#define MST_SUIT_PIECES 8
struct mst_suit_pieces {
	mst_span piece[MST_SUIT_PIECES];
	size_t count;
	uint8_t heads[32]; /* what the pieces between the caller's bytes point into: do not copy */
};

/* A secret: a key of the table, or (key NULL) bytes that were just unwrapped or derived. */
struct mst_suit_secret {
	const struct mst_suit_key *key;
	mst_span bytes;
};

enum mst_suit_direction { MST_SUIT_DECRYPT, MST_SUIT_ENCRYPT };

/*
 * A function that a device does not need may be NULL: what needs it is then
 * MST_E_UNSUPPORTED, never success. An algorithm or key that the back-end does
 * not know is MST_E_UNSUPPORTED, too. Outputs are appended to a buf that has
 * room, or written, on success only.
 */
struct mst_suit_crypto {
	void *ctx;

	/* Fill exactly len bytes. MST_E_RANDOM. */
	mst_err (*random)(void *ctx, uint8_t *out, size_t len);

	/* SHA-256 must be there. end appends mst_suit_digest_len() bytes and releases the state,
	 * also when it refuses; drop releases it without an answer. */
	mst_err (*digest_begin)(void *ctx, int32_t alg, union mst_suit_digest_state *s);
	mst_err (*digest_update)(void *ctx, union mst_suit_digest_state *s, mst_span bytes);
	mst_err (*digest_end)(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out);
	void (*digest_drop)(void *ctx, union mst_suit_digest_state *s);

	/*
	 * OK when signature over the pieces verifies with key. alg is key->alg or
	 * its declared equivalent, and signature has alg's length (HSS-LMS: any;
	 * a back-end hands it to mst_hss_verify()). MST_E_COSE_SIGNATURE.
	 */
	mst_err (*verify)(void *ctx, const struct mst_suit_key *key, int32_t alg,
	    const struct mst_suit_pieces *tbs, mst_span signature);

	/* Append the tag of HMAC-256/384/512 over the pieces. core compares, in constant time. */
	mst_err (*mac)(void *ctx, const struct mst_suit_secret *secret, int32_t alg,
	    const struct mst_suit_pieces *tbm, struct mst_buf *tag);

	/* RFC 3394: append the key that kek (of alg A128KW, A192KW or A256KW) had wrapped,
	 * wrapped.len - 8 bytes. MST_E_SUIT_UNWRAP when its check fails. */
	mst_err (*unwrap)(void *ctx, const struct mst_suit_secret *kek, int32_t alg,
	    mst_span wrapped, struct mst_buf *out);

	/*
	 * ECDH of the private key with peer (P-256: SEC 1 point, uncompressed or
	 * compressed, which must be on the curve; X25519: 32 bytes, and an all-zero
	 * result is refused), then HKDF-SHA-256 (RFC 5869) with salt (may be absent)
	 * and info: append len bytes. MST_E_SUIT_EPHEMERAL.
	 */
	mst_err (*derive)(void *ctx, const struct mst_suit_key *key, mst_span peer, mst_span salt,
	    mst_span info, size_t len, struct mst_buf *out);

	/*
	 * Streaming ciphers. update appends exactly as many bytes as it takes. At
	 * the end of an AEAD, tag is the received one to be compared in constant
	 * time (MST_E_SUIT_CIPHER_TAG), or for encryption a buf's free space that
	 * gets 16 bytes; of AES-CTR it is absent. end releases the state, also when
	 * it refuses; drop releases it without an answer. Both wipe it.
	 */
	mst_err (*cipher_begin)(void *ctx, enum mst_suit_direction direction, int32_t alg,
	    const struct mst_suit_secret *secret, mst_span iv, mst_span aad,
	    union mst_suit_cipher_state *s);
	mst_err (*cipher_update)(
	    void *ctx, union mst_suit_cipher_state *s, mst_span in, struct mst_buf *out);
	mst_err (*cipher_end_decrypt)(void *ctx, union mst_suit_cipher_state *s, mst_span tag);
	mst_err (*cipher_end_encrypt)(
	    void *ctx, union mst_suit_cipher_state *s, struct mst_buf *tag);
	void (*cipher_drop)(void *ctx, union mst_suit_cipher_state *s);
};

/* The digest of pieces in one go, appended. MST_E_SUIT_DIGEST_ALG for what is no digest. */
MST_MUST_USE mst_err mst_suit_digest(const struct mst_suit_crypto *crypto, int32_t alg,
    const mst_span *piece, size_t count, struct mst_buf *out);

/* ---- SUIT_Digest ------------------------------------------------------------------------ */

/*
 * [ alg, digest ] (sheet 3), strict CBOR, nothing behind it: MST_E_SUIT_DIGEST
 * (shape), _DIGEST_ALG (not one of the table), _DIGEST_LENGTH.
 */
struct mst_suit_digest_claim {
	int32_t alg;
	mst_span digest;
};
MST_MUST_USE mst_err mst_suit_digest_parse(mst_span encoded, struct mst_suit_digest_claim *out);

/*
 * Does the element, as it is encoded (bstr head ++ content; sheet 1.1), have
 * this digest? content is what the byte string holds; its head, the shortest
 * one, is put before it here. MST_E_SUIT_DIGEST_MISMATCH.
 */
MST_MUST_USE mst_err mst_suit_digest_check_wrapped(const struct mst_suit_crypto *crypto,
    const struct mst_suit_digest_claim *claim, mst_span content);

/* ---- Authentication blocks -------------------------------------------------------------- */

/*
 * Who must have signed (sheet 3.4): need distinct authorities of the set. All
 * zero is the default: any one authority that the table has a key of.
 */
struct mst_suit_policy {
	uint32_t of; /* MST_SUIT_AUTHORITY_BIT()s; 0: all */
	uint8_t need; /* 0 is 1 */
};
/* MST_E_SUIT_AUTH_POLICY when verified does not satisfy it. */
MST_MUST_USE mst_err mst_suit_policy_judge(const struct mst_suit_policy *policy, uint32_t verified);

/*
 * The wrapper's blocks, one after the other; nothing of a block is kept:
 *
 *	mst_suit_auth_begin(&a, crypto, keys, digest);
 *	for each block: if ((e = mst_suit_auth_block(&a, block)) != MST_OK) refuse
 *	e = mst_suit_auth_judge(&a, &policy);
 *
 * digest: the encoded SUIT_Digest array, that is the content of the first byte
 * string of SUIT_Authentication; it is the detached payload of each block.
 * block: the content of one of the others.
 */
struct mst_suit_auth {
	const struct mst_suit_crypto *crypto;
	const struct mst_suit_keys *keys;
	mst_span digest;
	uint32_t verified; /* the authorities whose signature or MAC holds */
	uint8_t blocks, tries;
	mst_err why; /* why the first block that was skipped was */
};
void mst_suit_auth_begin(struct mst_suit_auth *a, const struct mst_suit_crypto *crypto,
    const struct mst_suit_keys *keys, mst_span digest);

/*
 * One block: COSE_Sign1 (18), COSE_Sign (98), COSE_Mac0 (17), COSE_Mac (97). Built with
 * MUSTER_SUIT_BOOT, 98 and 97 are passed over as MST_E_UNSUPPORTED.
 * MST_OK: read to its end, and either verified, or skipped because it is not
 * for us (unknown algorithm; no key for its kid; without kid: of none of our
 * keys; unprotected parameters other than kid, content type and x5chain, which nobody
 * signed). Which of the two, a->verified and a->why tell.
 * Everything else refuses the envelope: a block that is malformed or of
 * another tag (MST_E_SUIT_COSE*, MST_E_COSE*), an attached payload
 * (MST_E_COSE_PAYLOAD), alg missing or not protected, a critical label that is
 * not understood, a signature of the wrong length, and one that the key it
 * names says is false (MST_E_COSE_SIGNATURE, MST_E_SUIT_MAC); the bounds:
 * MST_E_SUIT_AUTH_BLOCKS, _AUTH_TRIES.
 * Headers: definite lengths, no label twice in either or both, order free; an
 * empty protected header (h'' or h'a0') has no alg and is refused for that.
 * COSE_Mac by ECDH-ES is passed over (MST_E_SUIT_RECIPIENT): everybody knows
 * the device's public key, so such a MAC says nothing about who made it.
 */
MST_MUST_USE mst_err mst_suit_auth_block(struct mst_suit_auth *a, mst_span block);

/*
 * After the last block. MST_E_SUIT_AUTH_NONE: there was no block. When none
 * verified: the reason of the first that was skipped. MST_E_SUIT_AUTH_POLICY:
 * some did, but not enough.
 */
MST_MUST_USE mst_err mst_suit_auth_judge(
    const struct mst_suit_auth *a, const struct mst_suit_policy *policy);

/*
 * A report's protection (sheet 16): COSE_Sign1 or COSE_Mac0, tagged or not,
 * payload attached, by a key for reports. *payload and *authority are written
 * when it verified.
 */
MST_MUST_USE mst_err mst_suit_report_open(const struct mst_suit_crypto *crypto,
    const struct mst_suit_keys *keys, mst_span message, mst_span *payload, uint8_t *authority);

/* ---- Decryption ------------------------------------------------------------------------- */

/* What encryption-info says, before any key is used. */
struct mst_suit_encryption {
	int32_t alg; /* of the content: a cipher of the table */
	mst_span iv;
	mst_span protected_header; /* of layer 0: part of the AAD */
	mst_span recipients; /* a CBOR sequence, read and within bounds */
	size_t count;
};
/*
 * Parameter 19's content: tag 96, COSE_Encrypt, ciphertext nil. AEAD: alg
 * protected; AES-CTR: layer-0 protected is h'' and alg stands in unprotected
 * (RFC 9459, FE). MST_E_SUIT_ENCRYPT* and those of COSE headers.
 */
MST_MUST_USE mst_err mst_suit_encryption_parse(mst_span info, struct mst_suit_encryption *out);

enum mst_suit_decrypt_stage {
	MST_SUIT_DECRYPT_IDLE, /* zero: nothing begun, or dropped */
	MST_SUIT_DECRYPT_RUNNING,
	MST_SUIT_DECRYPT_AUTHENTIC, /* finished, and the tag holds */
	MST_SUIT_DECRYPT_UNPROVEN, /* finished AES-CTR: only a digest can tell */
};
/*
 * A payload being decrypted while it arrives in blocks of any size. What
 * update appends is not to be believed before finish said MST_OK, and with
 * UNPROVEN not before a digest was compared: an installer writes it into a
 * place that is not valid yet (sheet 15). Zero it before the first use. After
 * a refusal it is idle, with its secrets wiped.
 */
struct mst_suit_decrypt {
	const struct mst_suit_crypto *crypto;
	enum mst_suit_decrypt_stage stage;
	bool is_aead;
	uint8_t held_len;
	uint8_t held[MST_SUIT_TAG_LEN]; /* the last bytes so far, which may be the tag */
	union mst_suit_cipher_state cipher;
};

/*
 * Find the CEK among the recipients with our keys (by kid; without kid all
 * that fit, bounded) and begin. Recipients: A128KW, A192KW, A256KW,
 * ECDH-ES+A128KW (192, 256) on P-256 or X25519. MST_E_SUIT_RECIPIENT: none is
 * for us; _UNWRAP, _EPHEMERAL: one is, and it is false.
 */
MST_MUST_USE mst_err mst_suit_decrypt_begin(struct mst_suit_decrypt *d,
    const struct mst_suit_crypto *crypto, const struct mst_suit_keys *keys, mst_span info);
/* Appends at most in.len bytes, for which out has room (MST_E_SPACE and nothing taken). */
MST_MUST_USE mst_err mst_suit_decrypt_update(
    struct mst_suit_decrypt *d, mst_span in, struct mst_buf *out);
/* The ciphertext is at its end. AEAD: MST_E_SUIT_CIPHER_TAG, also when shorter than a tag. */
MST_MUST_USE mst_err mst_suit_decrypt_finish(struct mst_suit_decrypt *d);
/* Give up, at any time. */
void mst_suit_decrypt_drop(struct mst_suit_decrypt *d);

/*
 * A report's COSE_Encrypt0 (tag 16 or none), ciphertext attached, AEAD only, by
 * a key of MST_SUIT_USE_CONTENT_REPORT: append the plaintext, all or nothing.
 */
MST_MUST_USE mst_err mst_suit_encrypt0_open(const struct mst_suit_crypto *crypto,
    const struct mst_suit_keys *keys, mst_span message, struct mst_buf *out);

/* ---- Made by a device: its report's protection ------------------------------------------ */

/* sign appends a signature of alg over tbs (HSS-LMS: none; a device signs with ES256, EdDSA). */
struct mst_suit_signer {
	void *ctx;
	int32_t alg;
	mst_span kid; /* written unprotected; absent: none */
	mst_err (*sign)(
	    void *ctx, int32_t alg, const struct mst_suit_pieces *tbs, struct mst_buf *signature);
};
/* COSE_Sign1 or COSE_Mac0 with payload attached or nil, COSE_Encrypt0 with it attached; tagged,
 * deterministic. Appended whole or not at all: MST_E_SPACE, those of the callback. */
enum mst_suit_attachment { MST_SUIT_ATTACHED, MST_SUIT_DETACHED };
MST_MUST_USE mst_err mst_suit_sign1_build(const struct mst_suit_signer *signer, mst_span payload,
    enum mst_suit_attachment form, struct mst_buf *out);
MST_MUST_USE mst_err mst_suit_mac0_build(const struct mst_suit_crypto *crypto,
    const struct mst_suit_key *key, mst_span payload, enum mst_suit_attachment form,
    struct mst_buf *out);
MST_MUST_USE mst_err mst_suit_encrypt0_build(const struct mst_suit_crypto *crypto,
    const struct mst_suit_key *key, mst_span plaintext, struct mst_buf *out);

#endif

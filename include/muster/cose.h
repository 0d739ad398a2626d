/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign1 (RFC 9052 4.2, RFC 9053 2, RFC 9360) without allocation and
 * without cryptography: reading, writing, and the exact bytes that a
 * signature covers. Who verifies or signs is a callback; what it may be asked
 * is decided here. Spans handed out point into the message.
 *
 * Rules of the reader (requirements COSE-1 to COSE-5, DM-5): tag 18 or none;
 * definite lengths only; the protected header is a map that is not empty;
 * "alg" comes from it and from nowhere else; no label occurs twice, neither
 * within a header nor in both; "crit" stands in the protected header and
 * names only what is there and understood here (alg, content type, kid,
 * x5bag, x5chain); exactly one item, nothing after it. Parameters that are
 * not understood and not critical are ignored (RFC 9052 3).
 */
#ifndef MUSTER_COSE_H
#define MUSTER_COSE_H

#include "muster/span.h"

/* COSE-5: an x5bag or x5chain of a stranger is bounded; so are the labels of both headers. */
#define MST_COSE_CERTS_MAX 10
#define MST_COSE_CERTS_BYTES 32768u
#define MST_COSE_LABELS_MAX 16

/* IANA "COSE Algorithms", 2026-11. */
enum mst_cose_alg {
	MST_COSE_ES256 = -7, /* ECDSA on P-256 with SHA-256; signature r || s, 64 bytes */
	MST_COSE_EDDSA = -8, /* Ed25519; 64 bytes */
	MST_COSE_ES384 = -35, /* P-384, SHA-384; 96 bytes */
	MST_COSE_ES512 = -36, /* P-521, SHA-512; 132 bytes */
};
/* Which of them a caller takes: a set of these. */
enum mst_cose_accept {
	MST_COSE_TAKE_ES256 = 1,
	MST_COSE_TAKE_EDDSA = 2,
	MST_COSE_TAKE_ES384 = 4,
	MST_COSE_TAKE_ES512 = 8,
};
#define MST_COSE_TAKE_VOUCHER ((unsigned)MST_COSE_TAKE_ES256 | (unsigned)MST_COSE_TAKE_EDDSA)
#define MST_COSE_SIGNATURE_MAX 132

/* Bytes of a signature of this algorithm; 0 for what is not in the table. */
size_t mst_cose_signature_len(enum mst_cose_alg alg);

/*
 * The certificates of one x5bag or x5chain (RFC 9360 2: a byte string, or an
 * array of two or more; one in an array is read, too), already read and
 * within the bounds. DER, not looked into.
 */
struct mst_cose_certs {
	mst_span items; /* a CBOR sequence of byte strings; absent: no such parameter */
	size_t count;
	bool is_protected; /* stood in the protected header */
};

/* The next certificate, and *rest moves behind it; false at the end. Start with .items. */
bool mst_cose_certs_next(mst_span *rest, mst_span *cert);

/* What was read: claims, not trusted before mst_cose_sign1_check(). */
struct mst_cose_sign1 {
	mst_span protected_header; /* the content of its byte string, as signed */
	mst_span unprotected_header; /* the encoded map */
	enum mst_cose_alg alg; /* one of the enum: others are refused */
	mst_span kid; /* from either header; absent if none */
	struct mst_cose_certs x5bag, x5chain;
	mst_span payload; /* absent: detached (nil) */
	mst_span signature; /* of the length of alg */
};

/*
 * Refusals: MST_E_CBOR*, MST_E_COSE (shape), _TAG, _INDEFINITE, _PROTECTED
 * (empty or no map), _ALG_MISSING, _ALG_UNPROTECTED, _ALGORITHM (not in the
 * enum), _DUPLICATE, _CRIT, _HEADER (a parameter of the wrong type), _CERTS
 * (bounds), _SIGNATURE_LENGTH (also: no signature).
 */
MST_MUST_USE mst_err mst_cose_sign1_parse(mst_span message, struct mst_cose_sign1 *out);

/*
 * The Sig_structure (RFC 9052 4.4) in pieces: their concatenation is what is
 * signed. Hash them one after the other, or join them where a primitive wants
 * all at once (Ed25519). The pieces point into the message, into heads[] and
 * into what the caller gave; the struct must not be copied.
 */
#define MST_COSE_PIECES 6
struct mst_cose_tbs {
	mst_span piece[MST_COSE_PIECES];
	uint8_t heads[32];
};
/* The length of all pieces together. */
size_t mst_cose_tbs_len(const struct mst_cose_tbs *tbs);
/* Append all pieces. MST_E_SPACE. */
MST_MUST_USE mst_err mst_cose_tbs_join(const struct mst_cose_tbs *tbs, struct mst_buf *out);

/*
 * verify answers MST_OK when, and only when, it has verified signature over
 * tbs with a public key of its own that is of alg. It gets algorithms that are
 * in accept, and signatures of the right length, only. Its refusals:
 * MST_E_COSE_SIGNATURE; MST_E_COSE_ALGORITHM when its key is of another kind;
 * MST_E_COSE_KID when it has no key for this message.
 */
struct mst_cose_verifier {
	void *ctx;
	unsigned accept; /* set of enum mst_cose_accept; 0 takes nothing */
	/* Present: a message with another kid, or with none, is MST_E_COSE_KID. Absent: kid is
	 * a hint that only verify may look at (cBRSKI 9.2: registrars ignore it in a PVR). */
	mst_span kid;
	mst_err (*verify)(
	    void *ctx, const struct mst_cose_sign1 *message, const struct mst_cose_tbs *tbs);
};

/*
 * Verify. external_aad is absent for vouchers. detached is the payload for a
 * message that has none, else absent: both at once, or neither, is
 * MST_E_COSE_PAYLOAD. *payload (the attached one, or detached) is written only
 * after one real success. Refusals: those of verify, MST_E_COSE_ALGORITHM,
 * _KID, _PAYLOAD, _SIGNATURE_LENGTH. message: from mst_cose_sign1_parse().
 */
MST_MUST_USE mst_err mst_cose_sign1_check(const struct mst_cose_sign1 *message,
    mst_span external_aad, mst_span detached, const struct mst_cose_verifier *verifier,
    mst_span *payload);

enum mst_cose_payload { MST_COSE_ATTACHED, MST_COSE_DETACHED };
enum mst_cose_certs_form { MST_COSE_X5BAG, MST_COSE_X5CHAIN };
enum mst_cose_bucket { MST_COSE_UNPROTECTED, MST_COSE_PROTECTED };

/* What to write besides alg, which alone stands in the protected header unless certs do. */
struct mst_cose_content {
	mst_span payload;
	enum mst_cose_payload form;
	mst_span external_aad; /* absent: empty */
	mst_span kid; /* unprotected; absent: none */
	const mst_span *certs; /* DER; a parameter is written when count > 0 */
	size_t count;
	enum mst_cose_certs_form certs_form;
	enum mst_cose_bucket
	    certs_bucket; /* cBRSKI: RVR and voucher to the registrar: unprotected */
};

/* sign appends exactly the signature of alg (see there) over tbs, or refuses. */
struct mst_cose_signer {
	void *ctx;
	enum mst_cose_alg alg;
	mst_err (*sign)(void *ctx, enum mst_cose_alg alg, const struct mst_cose_tbs *tbs,
	    struct mst_buf *signature);
};

/*
 * Append a tagged (18) COSE_Sign1 in deterministic encoding. Nothing is
 * appended on a refusal: MST_E_SPACE, those of sign, MST_E_COSE_CERTS (more
 * than a reader takes), MST_E_COSE_SIGNATURE_LENGTH, MST_E_COSE_ALGORITHM.
 * Built with MUSTER_ONLY_CONSTRAINED it asserts that kid and certs are absent.
 */
MST_MUST_USE mst_err mst_cose_sign1_build(const struct mst_cose_content *content,
    const struct mst_cose_signer *signer, struct mst_buf *out);

/*
 * COSE-4: append the message without x5bag and x5chain in its unprotected
 * header; every other byte stays as it is (but the count of that map), so the
 * signature does. What mst_cose_sign1_parse() refuses is refused.
 */
MST_MUST_USE mst_err mst_cose_sign1_strip(mst_span message, struct mst_buf *out);

#endif

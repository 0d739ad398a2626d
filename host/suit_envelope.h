/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An envelope of SUIT for tools: taken apart and put together again, without
 * any belief in it (sheet 1 to 3, 6). A device's own reader is muster/suit.h.
 */
#ifndef HOST_SUIT_ENVELOPE_H
#define HOST_SUIT_ENVELOPE_H

#include "host/arena.h"
#include "muster/span.h"

#define SUIT_ENVELOPE_MAX (64u << 20) /* that the tool reads or writes, payloads included */
#define SUIT_BLOCKS_MAX 16 /* authentication blocks of one envelope, for the tool */
#define SUIT_MEMBERS_MAX 64 /* severable elements and payloads of one envelope */
#define SUIT_DIGEST_MAX 64

/* Words of this thread's last refusal here and in host/suit. */
const char *suit_author_why(void);
void suit_author_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- an envelope, taken apart --- */

struct suit_member { /* of an envelope, beside 2 and 3 */
	int64_t key; /* when name is absent */
	mst_span name; /* integrated payload: its URI */
	mst_span content; /* of its byte string */
};

struct suit_envelope {
	bool tagged; /* 107; TEEP embeds it untagged */
	mst_span digest; /* the encoded SUIT_Digest: what signatures cover */
	mst_span block[SUIT_BLOCKS_MAX]; /* COSE, tagged */
	size_t block_count;
	mst_span manifest; /* content of its byte string */
	struct suit_member member[SUIT_MEMBERS_MAX];
	size_t member_count;
};

/*
 * Strict form (sheet 1.3): definite, shortest, keys ascending, nothing behind.
 * The manifest is not looked into. Spans point into bytes.
 * MST_E_FW_ENVELOPE, with words and the offset in suit_author_why().
 */
MST_MUST_USE mst_err suit_envelope_read(mst_span bytes, struct suit_envelope *out);
/* Members are sorted. MST_E_SPACE, MST_E_NOMEM. */
MST_MUST_USE mst_err suit_envelope_write(
    struct arena *a, const struct suit_envelope *env, mst_span *bytes);
/* M 8.3: does the digest cover this manifest? To be asked before anything is signed.
 * MST_E_FW_DIGEST, MST_E_FW_ENVELOPE (no SUIT_Digest), MST_E_UNSUPPORTED (its algorithm). */
MST_MUST_USE mst_err suit_envelope_covers(const struct suit_envelope *env);
/*
 * Add an authentication block made elsewhere. MST_E_FW_BLOCK: not a tagged
 * COSE_Sign1, Sign, Mac0 or Mac with a detached payload; MST_E_CONFLICT: the
 * very same is there; MST_E_SPACE: as many as there may be.
 */
MST_MUST_USE mst_err suit_envelope_attach(struct suit_envelope *env, mst_span block);
/* Take away the member with this key, or with this name. MST_E_NOT_FOUND. */
MST_MUST_USE mst_err suit_envelope_drop(struct suit_envelope *env, int64_t key, mst_span name);
/* Put a payload under its URI. MST_E_CONFLICT, MST_E_SPACE. */
MST_MUST_USE mst_err suit_envelope_integrate(
    struct suit_envelope *env, mst_span uri, mst_span bytes);

/*
 * hash(head of a byte string ++ content): how every digest of SUIT over a
 * wrapped element is computed (sheet 1.1). alg: COSE number; MST_E_UNSUPPORTED.
 */
MST_MUST_USE mst_err suit_digest_wrapped(int64_t alg, mst_span content, struct mst_buf *out);
/* Of bytes as they are: images. */
MST_MUST_USE mst_err suit_digest_bytes(int64_t alg, mst_span bytes, struct mst_buf *out);
/* Length of its digests; 0 for what is no algorithm of SUIT. */
size_t suit_digest_len(int64_t alg);
/* [alg, digest], encoded. */
MST_MUST_USE mst_err suit_digest_read(mst_span item, int64_t *alg, mst_span *digest);

#endif

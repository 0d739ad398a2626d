/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The author's side of HSS-LMS (RFC 8554, RFC 8778): a key whose every
 * signature uses up one leaf for ever. Two files: PATH holds the secret seed
 * and never changes, PATH.state the index of the next leaf. Sheet 17: the
 * index is advanced and durable (written, fsynced, renamed, folder fsynced)
 * before a signature is made; a crash between the two loses a leaf, never
 * gives one twice.
 *
 * What refuses (MST_E_HSS_STATE, _STATE_BACK): no state file; one that is not
 * of this key, or damaged; one that went back behind what a second witness
 * knows. The witnesses are the state file itself (a generation number under a
 * MAC by a key from the seed), where it lies (machine, inode and birth of the
 * key file: a copied or restored pair is told by that), and whatever the
 * caller keeps elsewhere and hands in as floor. A whole machine that is rolled
 * back, with its inode numbers, can only be told by floor (decision 0019).
 */
#ifndef HOST_HSS_SIGNER_H
#define HOST_HSS_SIGNER_H

#include "muster/hss.h"
#include "muster/span.h"

struct hss_signer;

/* Per level, top first: height 5, 10, 15, 20, 25; Winternitz 1, 2, 4, 8. */
struct hss_parameters {
	unsigned levels;
	unsigned height[MST_HSS_LEVELS];
	unsigned width[MST_HSS_LEVELS];
};

/*
 * A new key. Calculating a tree of height h makes 2^h one-time keys: h 10 with
 * W8 takes seconds, h 15 minutes; several levels of 5 or 10 are quick.
 * MST_E_CONFLICT when PATH or PATH.state exists, MST_E_HSS_PARAMETERS,
 * MST_E_RANDOM, MST_E_IO.
 */
MST_MUST_USE mst_err hss_key_make(const char *path, const struct hss_parameters *parameters);

/*
 * Open for signing; holds an exclusive lock until closed (MST_E_HSS_BUSY).
 * floor: leaves that are known to be used from elsewhere (0: none): a state
 * below it is MST_E_HSS_STATE_BACK. MST_E_NOT_FOUND, MST_E_KEY_PERMISSIONS,
 * MST_E_HSS_KEY, MST_E_HSS_STATE, MST_E_NOMEM.
 */
MST_MUST_USE mst_err hss_signer_open(const char *path, uint64_t floor, struct hss_signer **out);
void hss_signer_close(struct hss_signer *s); /* NULL allowed; wipes */

/* The public key (60 bytes); lives as long as s. */
mst_span hss_signer_public(const struct hss_signer *s);
/* Signatures made or lost so far, and those still possible. */
uint64_t hss_signer_used(const struct hss_signer *s);
uint64_t hss_signer_left(const struct hss_signer *s);
size_t hss_signer_signature_len(const struct hss_signer *s);

/* Append the signature over the pieces. MST_E_HSS_EXHAUSTED, MST_E_HSS_STATE_BACK (the file moved
 * on beneath us), MST_E_IO (nothing released), MST_E_SPACE (no leaf used), MST_E_RANDOM. */
MST_MUST_USE mst_err hss_signer_sign(
    struct hss_signer *s, const mst_span *piece, size_t count, struct mst_buf *out);

/* The words of this thread's last refusal. */
const char *hss_why(void);

#endif

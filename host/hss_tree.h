/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LMS trees with their private side (RFC 8554 4, 5, appendix A): what the HSS
 * signer calculates with. No state here, so nothing here keeps a leaf from
 * being used twice: that is hss_signer.c's.
 */
#ifndef HOST_HSS_TREE_H
#define HOST_HSS_TREE_H

#include "muster/hss.h"
#include "muster/span.h"

#define HSS_ID_LEN 16
#define HSS_SEED_LEN 32
#define HSS_LMS_PUBLIC_LEN (MST_HSS_PUBLIC_LEN - 4)

struct hss_tree {
	unsigned height, width;
	uint8_t id[HSS_ID_LEN], seed[HSS_SEED_LEN];
	/* 2^(height+1) nodes of 32 bytes, node r at 32 * r (RFC 8554 5.3); nobody's secret */
	uint8_t *nodes;
};

/* Bytes of the nodes; 0 for a height or width that is not made here (5, 10, 15, 20; 1, 2, 4, 8). */
size_t hss_tree_nodes_len(unsigned height, unsigned width);
/* Bytes of one LMS signature. */
size_t hss_tree_signature_len(unsigned height, unsigned width);

/* Calculate all nodes from id and seed, into storage of its own. MST_E_NOMEM. */
MST_MUST_USE mst_err hss_tree_grow(struct hss_tree *t);
/* Frees the nodes, wipes the seed. */
void hss_tree_wipe(struct hss_tree *t);

void hss_tree_public(const struct hss_tree *t, uint8_t out[HSS_LMS_PUBLIC_LEN]);
/* Append the LMS signature by leaf q with this C over the pieces. */
MST_MUST_USE mst_err hss_tree_sign(const struct hss_tree *t, uint32_t q,
    const uint8_t c[MST_HSS_HASH_LEN], const mst_span *piece, size_t count, struct mst_buf *out);

/* SHA-256 of the pieces. */
MST_MUST_USE mst_err hss_sha256(const mst_span *piece, size_t count, uint8_t out[MST_HSS_HASH_LEN]);

#endif

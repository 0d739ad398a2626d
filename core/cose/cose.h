/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: labels, algorithms, and the shape of the outer array. */
#ifndef MUSTER_CORE_COSE_H
#define MUSTER_CORE_COSE_H

#include "muster/cbor.h"
#include "muster/cose.h"

#define COSE_TAG_SIGN1 18 /* RFC 9052 2 */

/* IANA "COSE Header Parameters", 2026-11: those that are understood here. */
enum cose_label {
	COSE_ALG = 1,
	COSE_CRIT = 2,
	COSE_CONTENT_TYPE = 3,
	COSE_KID = 4,
	COSE_X5BAG = 32,
	COSE_X5CHAIN = 33,
};

/*
 * The four items of the array (RFC 9052 4.2) into out, read as far as their
 * types go; then both headers of out: alg, kid, certificates, and every rule
 * of muster/cose.h. On a refusal out is left half written.
 */
MST_MUST_USE mst_err cose_frame_parse(mst_span message, struct mst_cose_sign1 *out);
MST_MUST_USE mst_err cose_headers_parse(struct mst_cose_sign1 *out);

/* Is this number one of enum mst_cose_alg? To be asked before it is made one. */
bool cose_alg_is_known(int32_t number);

/* The bit of enum mst_cose_accept; 0 for what is not in the table. */
unsigned cose_accept_bit(enum mst_cose_alg alg);

/* The pieces of the Sig_structure. tbs->heads is filled, so tbs stays where it is. */
void cose_tbs_make(
    mst_span protected_header, mst_span external_aad, mst_span payload, struct mst_cose_tbs *tbs);

#endif

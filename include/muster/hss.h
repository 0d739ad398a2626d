/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifying HSS-LMS signatures (RFC 8554, in COSE RFC 8778) with SHA-256 and
 * 32 bytes: LMS heights 5 to 25, LM-OTS Winternitz 1, 2, 4 and 8, up to eight
 * levels. Stateless, no allocation; the only primitive is SHA-256, which the
 * seam lends (two states open at once). Everything verified is public, so nothing runs in constant
 * time or needs wiping.
 */
#ifndef MUSTER_HSS_H
#define MUSTER_HSS_H

#include "muster/suit_crypto.h"

#define MST_HSS_LEVELS 8
#define MST_HSS_PUBLIC_LEN 60 /* u32str(L) || type || otstype || I || T[1] */
#define MST_HSS_HASH_LEN 32

/*
 * MST_OK when signature is exactly one HSS signature by public_key over the
 * message (RFC 8554 6.3). MST_E_HSS_KEY: the key is not of MST_HSS_PUBLIC_LEN
 * or its parameters are not those above. MST_E_HSS_FORM: the signature's
 * length, its number of levels, or a type that differs from what the key above
 * it says. MST_E_HSS_LEAF: q is not of the tree. MST_E_COSE_SIGNATURE: the
 * root it leads to is another. Refusals of the seam are handed on. The message
 * comes in pieces, so that a Sig_structure need not be joined.
 */
MST_MUST_USE mst_err mst_hss_verify(const struct mst_suit_crypto *crypto, mst_span public_key,
    const mst_span *piece, size_t count, mst_span signature);

#endif

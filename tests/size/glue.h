/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device without Linux adds to the library: vouchers in COSE and CBOR
 * over two primitives of its crypto library. The X.509 calls of struct
 * mst_crypto are that library's, too, and not here.
 */
#ifndef TESTS_SIZE_GLUE_H
#define TESTS_SIZE_GLUE_H

#include "muster/cose.h"
#include "muster/crypto.h"

struct glue {
	struct mst_cose_signer idevid; /* signs voucher-requests */
	struct mst_cose_verifier masa; /* knows the factory's MASA key */
};

/* As in muster/crypto.h; ctx is the glue. */
mst_err glue_request_seal(
    void *ctx, enum mst_media media, const struct mst_voucher_claims *claims, struct mst_buf *out);
mst_err glue_voucher_open(void *ctx, enum mst_media media, mst_span message,
    const struct mst_clock *clock, struct mst_buf *store, struct mst_voucher_claims *out);

#endif

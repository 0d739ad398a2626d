/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files behind cose_author.h. */
#ifndef HOST_COSE_AUTHOR_IMPL_H
#define HOST_COSE_AUTHOR_IMPL_H

#include "host/cose_author.h"
#include "muster/cbor.h"

/* RFC 9052 2 */
enum cose_block {
	COSE_BLOCK_MAC0 = 17,
	COSE_BLOCK_SIGN1 = 18,
	COSE_BLOCK_ENCRYPT = 96,
	COSE_BLOCK_MAC = 97,
	COSE_BLOCK_SIGN = 98,
};
enum cose_label {
	COSE_LABEL_ALG = 1,
	COSE_LABEL_KID = 4,
	COSE_LABEL_X5CHAIN = 33,
	COSE_LABEL_IV = 5,
	COSE_LABEL_EPHEMERAL = -1,
};

/* { ?4: kid } */
void cose_put_kid(struct mst_cbor_writer *w, mst_span kid);
/* The array of recipients, each with cek wrapped for it. */
MST_MUST_USE mst_err cose_recipients_put(struct arena *a, const struct cose_recipient *recipients,
    size_t count, mst_span cek, mst_span *list);

#endif

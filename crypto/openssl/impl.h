/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of the back-end; nobody outside this folder includes it. */
#ifndef CRYPTO_OPENSSL_IMPL_H
#define CRYPTO_OPENSSL_IMPL_H

#include "crypto/openssl/openssl.h"

mst_err openssl_cacerts_open(void *ctx, enum mst_form form, mst_span body, mst_span pinned_cert,
    mst_span held, const struct mst_clock *clock, struct mst_buf *out);
mst_err openssl_csr_build(
    void *ctx, enum mst_form form, mst_span csrattrs, bool renew, struct mst_buf *out);
mst_err openssl_ldevid_open(void *ctx, enum mst_form form, mst_span body, mst_span anchors,
    const struct mst_clock *clock, struct mst_buf *out, int64_t *not_before, int64_t *not_after);
mst_err openssl_root_signed(void *ctx, mst_span ca, mst_span cert);

/* The certificates of concatenated DER; an empty stack for an absent span. Caller frees.
 * MST_E_X509. */
MST_MUST_USE mst_err openssl_read_der_list(mst_span der, STACK_OF(X509) **out);
/* Append the DER of a certificate. MST_E_SPACE. */
MST_MUST_USE mst_err openssl_put_cert(X509 *cert, struct mst_buf *out);
/* The certificates of an answer in that form. Caller frees. MST_E_UNSUPPORTED for MST_FORM_OTHER.
 */
MST_MUST_USE mst_err openssl_read_body(enum mst_form form, mst_span body, STACK_OF(X509) **out);

#endif

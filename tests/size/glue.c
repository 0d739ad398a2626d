/* SPDX-License-Identifier: Apache-2.0 */
#include "size/glue.h"

mst_err
glue_request_seal(
    void *ctx, enum mst_media media, const struct mst_voucher_claims *claims, struct mst_buf *out)
{
	const struct glue *g = ctx;
	struct mst_cose_content content = { .form = MST_COSE_ATTACHED };
	size_t half = out->cap / 2;
	struct mst_buf payload;
	mst_err e;

	if (media != MST_MEDIA_COSE_CBOR)
		return MST_E_UNSUPPORTED;
	/* the payload waits in the second half of the room while the message is made in the first
	 */
	payload = (struct mst_buf){ out->ptr + half, out->cap - half, 0 };
	if ((e = mst_voucher_cbor_build(claims, &payload)) != MST_OK)
		return e;
	content.payload = mst_buf_span(&payload);
	out->cap = half;
	e = mst_cose_sign1_build(&content, &g->idevid, out);
	out->cap = half + payload.cap;
	return e;
}

mst_err
glue_voucher_open(void *ctx, enum mst_media media, mst_span message, const struct mst_clock *clock,
    struct mst_buf *store, struct mst_voucher_claims *out)
{
	const struct glue *g = ctx;
	struct mst_cose_sign1 m;
	mst_span payload;
	mst_err e;

	(void)clock; /* the factory's key is bare: no validity to look at */
	if (media != MST_MEDIA_COSE_CBOR)
		return MST_E_UNSUPPORTED;
	if ((e = mst_buf_copy(store, message)) != MST_OK ||
	    (e = mst_cose_sign1_parse(mst_buf_span(store), &m)) != MST_OK ||
	    (e = mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &g->masa, &payload)) != MST_OK)
		return e;
	return mst_voucher_cbor_parse(payload, MST_VOUCHER, 0, out);
}

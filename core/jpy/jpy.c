/* SPDX-License-Identifier: Apache-2.0 */
#include "muster/jpy.h"

#include "core/base/assert.h"
#include "muster/cbor.h"

/* The next element; an array that ends here has too few (constrained-join-proxy 4.5.7). */
static mst_span
element(struct mst_cbor_reader *r)
{
	if (!mst_cbor_more(r)) {
		mst_cbor_fail(r, MST_E_JPY_ELEMENTS);
		return MST_NONE;
	}
	return mst_cbor_bytes(r);
}

mst_err
mst_jpy_parse(mst_span datagram, struct mst_jpy *out)
{
	struct mst_cbor_reader r;
	struct mst_jpy m;
	mst_err e;

	mst_cbor_init(&r, datagram);
	mst_cbor_array(&r);
	m.header = element(&r);
	m.content = element(&r);
	while (mst_cbor_more(&r)) /* constrained-join-proxy 4.5.7: only the first two are used */
		mst_cbor_skip(&r);
	if ((e = mst_cbor_end(&r)) != MST_OK)
		return e;
	if (m.header.len > MST_JPY_HEADER_MAX)
		return MST_E_JPY_HEADER;
	*out = m;
	return MST_OK;
}

mst_err
mst_jpy_build(const struct mst_jpy *m, struct mst_buf *out)
{
	struct mst_cbor_writer w;
	size_t before = out->len;
	mst_err e;

	MST_ASSERT(m->header.ptr != NULL && m->content.ptr != NULL);
	if (m->header.len > MST_JPY_HEADER_MAX)
		return MST_E_JPY_HEADER;
	mst_cbor_put_init(&w, out);
	mst_cbor_put_array(&w, 2);
	mst_cbor_put_bytes(&w, m->header);
	mst_cbor_put_bytes(&w, m->content);
	if ((e = mst_cbor_put_end(&w)) != MST_OK)
		out->len = before;
	return e;
}

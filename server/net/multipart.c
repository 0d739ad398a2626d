/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/multipart.h"

#define HEAD_MAX 9 /* of a CBOR item */

size_t
multipart_size(const struct multipart *parts, size_t count)
{
	size_t n = HEAD_MAX;

	for (size_t i = 0; i < count; i++)
		n += 2 * HEAD_MAX + parts[i].body.len;
	return n;
}

mst_err
multipart_put(struct mst_buf *out, const struct multipart *parts, size_t count)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_array(&w, 2 * count);
	for (size_t i = 0; i < count; i++) {
		mst_cbor_put_uint(&w, (uint64_t)parts[i].format);
		mst_cbor_put_bytes(&w, parts[i].body);
	}
	return mst_cbor_put_end(&w);
}

/* RFC 8710 2: a representation that is absent is null. */
static mst_span
read_body(struct mst_cbor_reader *r)
{
	if (mst_cbor_peek(r) != MST_CBOR_NULL)
		return mst_cbor_bytes(r);
	mst_cbor_null(r);
	return MST_NONE;
}

mst_err
multipart_read(mst_span in, struct multipart *parts, size_t *count)
{
	struct mst_cbor_reader r;
	size_t n = 0;
	mst_err e;

	mst_cbor_init(&r, in);
	mst_cbor_array(&r);
	while (mst_cbor_more(&r)) {
		uint64_t format = mst_cbor_uint(&r);
		mst_span body = read_body(&r);

		if (n == *count || format > 65535) {
			mst_cbor_fail(&r, MST_E_CBOR_LIMIT);
			break;
		}
		parts[n++] = (struct multipart){ (long)format, body };
	}
	if ((e = mst_cbor_end(&r)) == MST_OK)
		*count = n;
	return e;
}

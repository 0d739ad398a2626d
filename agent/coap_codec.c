/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/coap_codec.h"

#include <string.h>

/* ---- out ---- */

static void
put_piece(struct mst_coap_writer *w, unsigned number, const struct mst_coap_block *b)
{
	if (b->there)
		mst_coap_put_block(w, number, b);
}

mst_err
coap_ask_build(const struct coap_ask *q, struct mst_buf *out)
{
	struct mst_coap_writer w;
	const char *path = q->path;

	out->len = 0;
	mst_coap_put_head(
	    &w, out, MST_COAP_CON, q->method, q->mid, mst_span_of(q->token, COAP_TOKEN_LEN));
	while (*path != '\0') {
		size_t n = strcspn(path, "/");

		mst_coap_put_option(&w, MST_COAP_URI_PATH, mst_span_of(path, n));
		path += path[n] == '/' ? n + 1 : n;
	}
	if (q->content_format >= 0)
		mst_coap_put_uint(&w, MST_COAP_CONTENT_FORMAT, (uint32_t)q->content_format);
	if (q->accept >= 0)
		mst_coap_put_uint(&w, MST_COAP_ACCEPT, (uint32_t)q->accept);
	put_piece(&w, MST_COAP_BLOCK2, &q->block2);
	put_piece(&w, MST_COAP_BLOCK1, &q->block1);
	mst_coap_put_payload(&w, q->payload);
	return w.err;
}

mst_err
coap_empty_build(enum mst_coap_type kind, uint16_t mid, struct mst_buf *out)
{
	struct mst_coap_writer w;

	out->len = 0;
	mst_coap_put_head(&w, out, kind, 0, mid, MST_NONE);
	return w.err;
}

/* ---- in ---- */

static bool
read_piece(mst_span value, struct mst_coap_block *out)
{
	struct mst_coap_block b;

	if (out->there || value.len > 3)
		return false;
	b = mst_coap_block_read(value);
	if (b.szx > MST_COAP_SZX_MAX)
		return false;
	*out = b;
	return true;
}

/* Of impossible length, an option is treated as one that is not known (RFC 7252 5.4.3). */
static void
read_option(struct coap_told *t, unsigned number, mst_span value)
{
	switch (number) {
	case MST_COAP_ETAG:
		if (value.len >= 1 && value.len <= 8 && t->etag.ptr == NULL)
			t->etag = value;
		return;
	case MST_COAP_CONTENT_FORMAT:
		if (t->content_format < 0 && value.len <= 2)
			t->content_format = (int)mst_coap_uint(value);
		return;
	case MST_COAP_MAX_AGE:
		if (t->max_age < 0 && value.len <= 4)
			t->max_age = mst_coap_uint(value);
		return;
	case MST_COAP_BLOCK2: t->refused = t->refused || !read_piece(value, &t->block2); return;
	case MST_COAP_BLOCK1: t->refused = t->refused || !read_piece(value, &t->block1); return;
	default: t->refused = t->refused || (number & 1) != 0; return;
	}
}

mst_err
coap_told_parse(mst_span datagram, struct coap_told *out)
{
	struct mst_coap_reader r;
	struct mst_coap m;
	mst_span value;
	unsigned number;
	bool header;

	if (mst_coap_parse(datagram, &m, &header) != MST_OK)
		return MST_E_HTTP_MALFORMED;
	*out = (struct coap_told){ .kind = m.type,
		.code = m.code,
		.mid = m.mid,
		.token = m.token,
		.content_format = -1,
		.max_age = -1,
		.payload = m.payload.ptr != NULL ? m.payload : MST_LIT("") };
	mst_coap_options(&m, &r);
	while (mst_coap_next(&r, &number, &value))
		read_option(out, number, value);
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a COSE_Sign1, and taking certificates out of one (requirements COSE-1 to COSE-4). */
#include <string.h>

#include "core/base/assert.h"
#include "core/cose/cose.h"

/*
 * A pledge's request has neither kid nor certificates (cBRSKI 9.2.2: SHOULD
 * NOT), so a device for that alone has no code for them.
 */
#ifdef MUSTER_ONLY_CONSTRAINED
#define BARE true
#else
#define BARE false
#endif

/* RFC 9360 2: one certificate is a byte string, more are an array. */
static void
put_certs(struct mst_cbor_writer *w, const struct mst_cose_content *c)
{
	mst_cbor_put_uint(w, c->certs_form == MST_COSE_X5BAG ? COSE_X5BAG : COSE_X5CHAIN);
	if (c->count > 1)
		mst_cbor_put_array(w, c->count);
	for (size_t i = 0; i < c->count; i++)
		mst_cbor_put_bytes(w, c->certs[i]);
}

/* The labels ascend, as RFC 8949 4.2.1 has them. */
static void
put_headers(struct mst_cbor_writer *w, const struct mst_cose_content *c, enum mst_cose_bucket in,
    enum mst_cose_alg alg)
{
	bool has_certs = !BARE && c->count > 0 && c->certs_bucket == in;
	bool has_kid = !BARE && c->kid.ptr != NULL && in == MST_COSE_UNPROTECTED;
	bool has_alg = in == MST_COSE_PROTECTED;

	mst_cbor_put_map(w, (uint64_t)has_certs + has_kid + has_alg);
	if (has_alg) {
		mst_cbor_put_uint(w, COSE_ALG);
		mst_cbor_put_int(w, alg);
	}
	if (has_kid) {
		mst_cbor_put_uint(w, COSE_KID);
		mst_cbor_put_bytes(w, c->kid);
	}
	if (has_certs)
		put_certs(w, c);
}

/* What stands in the buffer from offset at on becomes the content of a byte string there. */
static mst_err
wrap(struct mst_buf *out, size_t at, mst_span *content)
{
	struct mst_cbor_writer w;
	size_t len = out->len - at, n;

	if (BARE && len < out->cap - at) { /* alg alone: the head is one byte */
		memmove(out->ptr + at + 1, out->ptr + at, len);
		out->ptr[at] = (uint8_t)(0x40 | len);
		out->len++;
		*content = mst_span_of(out->ptr + at + 1, len);
		return MST_OK;
	}
	if (BARE)
		return MST_E_SPACE;
	mst_cbor_put_init(&w, out);
	mst_cbor_put_bytes_head(&w, len); /* behind it, to be rotated to its front */
	n = out->len - at - len;
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_SPACE;
	memmove(out->ptr + at + n, out->ptr + at, len);
	mst_cbor_put_init(&w, &(struct mst_buf){ out->ptr + at, n, 0 });
	mst_cbor_put_bytes_head(&w, len);
	*content = mst_span_of(out->ptr + at + n, len);
	return mst_cbor_put_end(&w);
}

static mst_err
put_signature(
    const struct mst_cose_signer *signer, const struct mst_cose_tbs *tbs, struct mst_buf *out)
{
	size_t len = mst_cose_signature_len(signer->alg);
	struct mst_cbor_writer w;
	struct mst_buf signature;
	mst_err e;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_bytes_head(&w, len);
	if (mst_cbor_put_end(&w) != MST_OK || len > out->cap - out->len)
		return MST_E_SPACE;
	signature = (struct mst_buf){ out->ptr + out->len, len, 0 };
	if ((e = signer->sign(signer->ctx, signer->alg, tbs, &signature)) != MST_OK)
		return e;
	if (signature.len != len)
		return MST_E_COSE_SIGNATURE_LENGTH;
	out->len += len;
	return MST_OK;
}

static bool
certs_fit(const struct mst_cose_content *c)
{
	size_t bytes = 0;

	if (c->count > MST_COSE_CERTS_MAX)
		return false;
	for (size_t i = 0; i < c->count; i++) {
		if (c->certs[i].len == 0 || c->certs[i].len > MST_COSE_CERTS_BYTES - bytes)
			return false;
		bytes += c->certs[i].len;
	}
	return true;
}

static mst_err
put_message(
    const struct mst_cose_content *c, const struct mst_cose_signer *signer, struct mst_buf *out)
{
	struct mst_cose_tbs tbs;
	struct mst_cbor_writer w;
	mst_span signed_header;
	size_t at;
	mst_err e;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_tag(&w, COSE_TAG_SIGN1);
	mst_cbor_put_array(&w, 4);
	at = out->len;
	put_headers(&w, c, MST_COSE_PROTECTED, signer->alg);
	if ((e = mst_cbor_put_end(&w)) != MST_OK || (e = wrap(out, at, &signed_header)) != MST_OK)
		return e;
	put_headers(&w, c, MST_COSE_UNPROTECTED, signer->alg);
	if (c->form == MST_COSE_DETACHED)
		mst_cbor_put_null(&w);
	else
		mst_cbor_put_bytes(&w, c->payload);
	if ((e = mst_cbor_put_end(&w)) != MST_OK)
		return e;
	cose_tbs_make(signed_header, c->external_aad, c->payload, &tbs);
	return put_signature(signer, &tbs, out);
}

mst_err
mst_cose_sign1_build(const struct mst_cose_content *content, const struct mst_cose_signer *signer,
    struct mst_buf *out)
{
	size_t before = out->len;
	mst_err e;

	MST_ASSERT(signer->sign != NULL && content->payload.ptr != NULL);
	if (mst_cose_signature_len(signer->alg) == 0)
		return MST_E_COSE_ALGORITHM;
	MST_ASSERT(!BARE || (content->count == 0 && content->kid.ptr == NULL));
	if (!BARE && !certs_fit(content))
		return MST_E_COSE_CERTS;
	if ((e = put_message(content, signer, out)) != MST_OK)
		out->len = before;
	return e;
}

/* The pairs of the map that stay, as they are; answers how many. */
static size_t
put_kept(mst_span map, struct mst_buf *out, mst_err *e)
{
	struct mst_cbor_reader r;
	size_t kept = 0;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		size_t from = r.at;
		bool number = mst_cbor_peek(&r) == MST_CBOR_UINT;
		uint64_t label = 0;

		if (number)
			label = mst_cbor_uint(&r);
		else
			mst_cbor_skip(&r);
		mst_cbor_skip(&r);
		if (label == COSE_X5BAG || label == COSE_X5CHAIN)
			continue;
		kept++;
		if (*e == MST_OK && out != NULL)
			*e = mst_buf_put(out, mst_span_of(map.ptr + from, r.at - from));
	}
	return kept;
}

static mst_err
put_stripped(mst_span message, mst_span map, struct mst_buf *out)
{
	const uint8_t *behind = map.ptr + map.len;
	struct mst_cbor_writer w;
	mst_err e = MST_OK;
	size_t kept = put_kept(map, NULL, &e);

	if ((e = mst_buf_put(out, mst_span_of(message.ptr, (size_t)(map.ptr - message.ptr)))) !=
	    MST_OK)
		return e;
	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, kept);
	e = mst_cbor_put_end(&w);
	(void)put_kept(map, out, &e);
	if (e != MST_OK)
		return e;
	return mst_buf_put(out, mst_span_of(behind, message.len - (size_t)(behind - message.ptr)));
}

static bool
is_strippable(const struct mst_cose_certs *c)
{
	return c->count > 0 && !c->is_protected;
}

mst_err
mst_cose_sign1_strip(mst_span message, struct mst_buf *out)
{
	struct mst_cose_sign1 m;
	size_t before = out->len;
	mst_err e;

	if ((e = mst_cose_sign1_parse(message, &m)) != MST_OK)
		return e;
	if (!is_strippable(&m.x5bag) && !is_strippable(&m.x5chain))
		return mst_buf_put(out, message);
	if ((e = put_stripped(message, m.unprotected_header, out)) != MST_OK)
		out->len = before;
	return e;
}

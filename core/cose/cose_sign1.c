/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a COSE_Sign1 and asking who made it: RFC 9052 4.2 and 4.4. */
#include "core/base/assert.h"
#include "core/base/frame.h"
#include "core/cose/cose.h"

static const struct algorithm {
	int8_t alg;
	uint8_t bit; /* enum mst_cose_accept */
	uint8_t signature_len;
} algorithms[] = {
	{ MST_COSE_ES256, MST_COSE_TAKE_ES256, 64 },
	{ MST_COSE_EDDSA, MST_COSE_TAKE_EDDSA, 64 },
	{ MST_COSE_ES384, MST_COSE_TAKE_ES384, 96 },
	{ MST_COSE_ES512, MST_COSE_TAKE_ES512, 132 },
	{ 0, 0, 0 },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

/*
 * The row of an algorithm, or the last, which is of none. By number, not by
 * enum: where enums are short, -263 would become -7.
 */
static const struct algorithm *
row_of(int32_t alg)
{
	size_t i = 0;

	while (i < ALGORITHMS - 1 && algorithms[i].alg != alg)
		i++;
	return &algorithms[i];
}

size_t
mst_cose_signature_len(enum mst_cose_alg alg)
{
	return row_of(alg)->signature_len;
}

bool
cose_alg_is_known(int32_t number)
{
	return row_of(number)->bit != 0;
}

unsigned
cose_accept_bit(enum mst_cose_alg alg)
{
	return row_of(alg)->bit;
}

MST_OWN_FRAME mst_err
cose_frame_parse(mst_span message, struct mst_cose_sign1 *out)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, message);
	r.indefinite_is = MST_E_COSE_INDEFINITE; /* DM-5 */
	if (mst_cbor_peek(&r) == MST_CBOR_TAG && mst_cbor_tag(&r) != COSE_TAG_SIGN1)
		mst_cbor_fail(&r, MST_E_COSE_TAG);
	mst_cbor_array(&r);
	out->protected_header = mst_cbor_bytes(&r);
	if (mst_cbor_peek(&r) != MST_CBOR_MAP)
		mst_cbor_fail(&r, MST_E_CBOR_TYPE);
	out->unprotected_header = mst_cbor_raw(&r);
	out->payload = MST_NONE;
	if (mst_cbor_peek(&r) == MST_CBOR_NULL)
		mst_cbor_null(&r);
	else
		out->payload = mst_cbor_bytes(&r);
	out->signature = mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	/* CBOR of another shape is no COSE_Sign1; what is no CBOR keeps its name */
	return mst_cbor_end(&r) == MST_E_CBOR_TYPE ? MST_E_COSE : r.err;
}

mst_err
mst_cose_sign1_parse(mst_span message, struct mst_cose_sign1 *out)
{
	struct mst_cose_sign1 m = { .payload = MST_NONE };
	mst_err e;

	if ((e = cose_frame_parse(message, &m)) != MST_OK || (e = cose_headers_parse(&m)) != MST_OK)
		return e;
	/* RFC 9053 2.1, 2.2: r and s in full length, and no signature is none */
	if (m.signature.len != mst_cose_signature_len(m.alg))
		return MST_E_COSE_SIGNATURE_LENGTH;
	*out = m;
	return MST_OK;
}

bool
mst_cose_certs_next(mst_span *rest, mst_span *cert)
{
	struct mst_cbor_reader r;
	mst_span c;

	if (rest->ptr == NULL || rest->len == 0)
		return false;
	mst_cbor_init(&r, *rest);
	c = mst_cbor_bytes(&r);
	if (r.err != MST_OK)
		return false;
	*cert = c;
	*rest = mst_span_of(rest->ptr + r.at, rest->len - r.at);
	return true;
}

/* RFC 9052 4.4: [ "Signature1", protected, external_aad, payload ] */
static const uint8_t opening[] = { 0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1' };

void
cose_tbs_make(
    mst_span protected_header, mst_span external_aad, mst_span payload, struct mst_cose_tbs *tbs)
{
	struct mst_buf b = MST_BUF(tbs->heads);
	struct mst_cbor_writer w;
	size_t at = 0;

	_Static_assert(sizeof(opening) + 3 * 5 <= sizeof(tbs->heads), "room for four-byte lengths");
	mst_cbor_put_init(&w, &b);
	w.err = mst_buf_put(&b, mst_span_of(opening, sizeof(opening)));
	tbs->piece[1] = protected_header;
	tbs->piece[3] = external_aad;
	tbs->piece[5] = payload;
	for (size_t i = 0; i < MST_COSE_PIECES; i += 2) {
		mst_cbor_put_bytes_head(&w, tbs->piece[i + 1].len);
		tbs->piece[i] = mst_span_of(tbs->heads + at, b.len - at);
		at = b.len;
	}
	MST_ASSERT(w.err == MST_OK); /* no message is of 4 GiB */
}

size_t
mst_cose_tbs_len(const struct mst_cose_tbs *tbs)
{
	size_t n = 0;

	for (size_t i = 0; i < MST_COSE_PIECES; i++)
		n += tbs->piece[i].len;
	return n;
}

mst_err
mst_cose_tbs_join(const struct mst_cose_tbs *tbs, struct mst_buf *out)
{
	if (mst_cose_tbs_len(tbs) > out->cap - out->len)
		return MST_E_SPACE;
	for (size_t i = 0; i < MST_COSE_PIECES; i++)
		if (mst_buf_put(out, tbs->piece[i]) != MST_OK)
			return MST_E_INTERNAL; /* there was room */
	return MST_OK;
}

mst_err
mst_cose_sign1_check(const struct mst_cose_sign1 *message, mst_span external_aad, mst_span detached,
    const struct mst_cose_verifier *verifier, mst_span *payload)
{
	struct mst_cose_tbs tbs;
	mst_span content = message->payload.ptr != NULL ? message->payload : detached;
	mst_err e;

	MST_ASSERT(verifier->verify != NULL);
	/* an algorithm that is not in the table has no bit, so it is in no set */
	if ((verifier->accept & cose_accept_bit(message->alg)) == 0)
		return MST_E_COSE_ALGORITHM;
	if (message->signature.len != mst_cose_signature_len(message->alg))
		return MST_E_COSE_SIGNATURE_LENGTH;
	if (verifier->kid.ptr != NULL && !mst_span_eq(message->kid, verifier->kid))
		return MST_E_COSE_KID;
	if ((message->payload.ptr != NULL) == (detached.ptr != NULL))
		return MST_E_COSE_PAYLOAD;
	cose_tbs_make(message->protected_header, external_aad, content, &tbs);
	if ((e = verifier->verify(verifier->ctx, message, &tbs)) != MST_OK)
		return e;
	*payload = content;
	return MST_OK;
}

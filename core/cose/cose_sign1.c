/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a COSE_Sign1 and asking who made it: RFC 9052 4.2 and 4.4. */
#include <string.h>

#include "core/base/assert.h"
#include "core/cbor/cbor_head.h"
#include "core/cose/cose.h"

static const struct {
	enum mst_cose_alg alg;
	enum mst_cose_accept bit;
	uint8_t signature_len;
} algorithms[] = {
	{ MST_COSE_ES256, MST_COSE_TAKE_ES256, 64 },
	{ MST_COSE_EDDSA, MST_COSE_TAKE_EDDSA, 64 },
	{ MST_COSE_ES384, MST_COSE_TAKE_ES384, 96 },
	{ MST_COSE_ES512, MST_COSE_TAKE_ES512, 132 },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

size_t
mst_cose_signature_len(enum mst_cose_alg alg)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (algorithms[i].alg == alg)
			return algorithms[i].signature_len;
	return 0;
}

unsigned
cose_accept_bit(enum mst_cose_alg alg)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (algorithms[i].alg == alg)
			return algorithms[i].bit;
	return 0;
}

/*
 * DM-5: no indefinite length inside COSE. In what is well-formed and of
 * definite lengths every head stands right behind the one before and its
 * string, so that no nesting needs to be kept: the first other head is the
 * refusal itself.
 */
static bool
is_definite(mst_span in)
{
	struct mst_cbor_head h;

	for (size_t at = 0; at < in.len; at += h.size) {
		if (!mst_cbor_head_at(in, at, &h))
			return true; /* not well-formed: the reader has the name of that */
		if (h.info == INFO_OPEN)
			return false;
		if (h.major == MAJOR_BYTES || h.major == MAJOR_TEXT)
			at += (size_t)h.arg;
	}
	return true;
}

mst_err
cose_frame_parse(mst_span message, struct cose_frame *out)
{
	struct mst_cbor_reader r;
	struct cose_frame f = { .payload = MST_NONE };
	mst_err e;

	/* what is not CBOR is called that, whatever it looks like at its beginning */
	if ((e = mst_cbor_validate(message)) != MST_OK)
		return e;
	if (!is_definite(message))
		return MST_E_COSE_INDEFINITE;
	mst_cbor_init(&r, message);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG && mst_cbor_tag(&r) != COSE_TAG_SIGN1)
		return MST_E_COSE_TAG;
	mst_cbor_array(&r);
	f.protected_header = mst_cbor_bytes(&r);
	if (r.err == MST_OK && mst_cbor_peek(&r) != MST_CBOR_MAP)
		return MST_E_COSE;
	f.unprotected_header = mst_cbor_raw(&r);
	if (mst_cbor_peek(&r) == MST_CBOR_NULL)
		mst_cbor_null(&r);
	else
		f.payload = mst_cbor_bytes(&r);
	f.signature = mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	if (mst_cbor_end(&r) != MST_OK)
		return MST_E_COSE; /* well-formed: so it is the shape */
	if (!is_definite(f.protected_header))
		return MST_E_COSE_INDEFINITE;
	*out = f;
	return MST_OK;
}

mst_err
mst_cose_sign1_parse(mst_span message, struct mst_cose_sign1 *out)
{
	struct cose_frame f;
	struct mst_cose_sign1 m;
	mst_err e;

	if ((e = cose_frame_parse(message, &f)) != MST_OK ||
	    (e = cose_headers_parse(&f, &m)) != MST_OK)
		return e;
	m.payload = f.payload;
	m.signature = f.signature;
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

size_t
cose_bytes_head(uint8_t room[COSE_HEAD_MAX], size_t len)
{
	size_t n = len < INFO_1 ? 0 : len <= UINT8_MAX ? 1 : len <= UINT16_MAX ? 2 : 4;
	unsigned info = n == 0 ? (unsigned)len : n == 4 ? INFO_1 + 2 : INFO_1 - 1 + (unsigned)n;

	MST_ASSERT(len <= UINT32_MAX);
	room[0] = (uint8_t)(MAJOR_BYTES << 5 | info);
	for (size_t i = n; i > 0; i--, len >>= 8)
		room[i] = (uint8_t)(len & 0xff);
	return n + 1;
}

/* RFC 9052 4.4: [ "Signature1", protected, external_aad, payload ] */
static const uint8_t opening[] = { 0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1' };

void
cose_tbs_make(
    mst_span protected_header, mst_span external_aad, mst_span payload, struct mst_cose_tbs *tbs)
{
	uint8_t *first = tbs->heads[0];
	size_t n;

	_Static_assert(sizeof(opening) + COSE_HEAD_MAX <= sizeof(tbs->heads[0]), "room of a head");
	memcpy(first, opening, sizeof(opening));
	n = cose_bytes_head(first + sizeof(opening), protected_header.len);
	tbs->piece[0] = mst_span_of(first, sizeof(opening) + n);
	tbs->piece[1] = protected_header;
	n = cose_bytes_head(tbs->heads[1], external_aad.len);
	tbs->piece[2] = mst_span_of(tbs->heads[1], n);
	tbs->piece[3] = external_aad;
	n = cose_bytes_head(tbs->heads[2], payload.len);
	tbs->piece[4] = mst_span_of(tbs->heads[2], n);
	tbs->piece[5] = payload;
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

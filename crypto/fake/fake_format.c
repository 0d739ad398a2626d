/* SPDX-License-Identifier: Apache-2.0 */
/* The toy formats: big-endian fields, a checksum keyed with the signer's number at the end. */
#include <string.h>

#include "crypto/fake/fake.h"

enum { MAC_LEN = 8, HEAD_LEN = 10 };

enum leaf {
	LEAF_ASSERTION = 1,
	LEAF_CREATED_ON,
	LEAF_EXPIRES_ON,
	LEAF_LAST_RENEWAL,
	LEAF_SERIAL,
	LEAF_NONCE,
	LEAF_NONCE_TEXT,
	LEAF_ISSUER,
	LEAF_PINNED_CERT,
	LEAF_PINNED_PUBK,
	LEAF_PINNED_SHA256,
	LEAF_REVOCATION,
	LEAF_PROXIMITY_CERT,
};

static uint64_t
checksum(uint32_t key, mst_span bytes)
{
	uint64_t h = 14695981039346656037u ^ ((uint64_t)key * 0x9e3779b97f4a7c15u);

	for (size_t i = 0; i < bytes.len; i++)
		h = (h ^ bytes.ptr[i]) * 1099511628211u;
	return h ^ h >> 29;
}

static mst_err
put_number(struct mst_buf *b, uint64_t n, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(n >> (8 * (len - 1 - i)));
	return mst_buf_put(b, mst_span_of(bytes, len));
}

static uint64_t
get_number(const uint8_t *p, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | p[i];
	return n;
}

static mst_err
put_mac(struct mst_buf *b, size_t start, uint32_t key)
{
	return put_number(b, checksum(key, mst_span_of(b->ptr + start, b->len - start)), MAC_LEN);
}

static bool
mac_ok(mst_span whole, uint32_t key)
{
	mst_span body = { whole.ptr, whole.len - MAC_LEN };

	return get_number(whole.ptr + body.len, MAC_LEN) == checksum(key, body);
}

mst_err
fake_cert_build(const struct fake_cert *c, struct mst_buf *out)
{
	size_t start = out->len;
	mst_err e;

	if ((e = mst_buf_put(out, MST_LIT("CRT1"))) != MST_OK ||
	    (e = put_number(out, c->key, 4)) != MST_OK ||
	    (e = put_number(out, c->issuer, 4)) != MST_OK ||
	    (e = put_number(out, c->flags, 1)) != MST_OK ||
	    (e = put_number(out, (uint64_t)c->not_before, 8)) != MST_OK ||
	    (e = put_number(out, (uint64_t)c->not_after, 8)) != MST_OK)
		return e;
	return put_mac(out, start, c->issuer);
}

mst_err
fake_cert_parse(mst_span der, struct fake_cert *out)
{
	struct fake_cert c;

	if (der.ptr == NULL || der.len != FAKE_CERT_LEN || memcmp(der.ptr, "CRT1", 4) != 0)
		return MST_E_X509;
	c.key = (uint32_t)get_number(der.ptr + 4, 4);
	c.issuer = (uint32_t)get_number(der.ptr + 8, 4);
	c.flags = der.ptr[12];
	c.not_before = (int64_t)get_number(der.ptr + 13, 8);
	c.not_after = (int64_t)get_number(der.ptr + 21, 8);
	if (!mac_ok(der, c.issuer))
		return MST_E_X509;
	*out = c;
	return MST_OK;
}

static mst_err
put_leaf(struct mst_buf *b, enum leaf tag, mst_span value)
{
	mst_err e;

	if (value.ptr == NULL)
		return MST_OK;
	if ((e = put_number(b, (uint64_t)tag, 1)) != MST_OK ||
	    (e = put_number(b, value.len, 2)) != MST_OK)
		return e;
	return mst_buf_put(b, value);
}

static mst_err
put_leaf_number(struct mst_buf *b, enum leaf tag, int64_t n, int64_t absent)
{
	mst_err e;

	if (n == absent)
		return MST_OK;
	if ((e = put_number(b, (uint64_t)tag, 1)) != MST_OK || (e = put_number(b, 8, 2)) != MST_OK)
		return e;
	return put_number(b, (uint64_t)n, 8);
}

static mst_err
put_claims(struct mst_buf *b, const struct mst_voucher_claims *c)
{
	mst_err e;

	if ((e = put_leaf_number(b, LEAF_ASSERTION, c->assertion, MST_ASSERT_ABSENT)) != MST_OK ||
	    (e = put_leaf_number(b, LEAF_CREATED_ON, c->created_on, MST_NO_TIME)) != MST_OK ||
	    (e = put_leaf_number(b, LEAF_EXPIRES_ON, c->expires_on, MST_NO_TIME)) != MST_OK ||
	    (e = put_leaf_number(b, LEAF_LAST_RENEWAL, c->last_renewal, MST_NO_TIME)) != MST_OK ||
	    (e = put_leaf(b, LEAF_SERIAL, c->serial)) != MST_OK ||
	    (e = put_leaf(b, LEAF_NONCE, c->nonce)) != MST_OK ||
	    (e = put_leaf(b, LEAF_NONCE_TEXT, c->nonce_text)) != MST_OK ||
	    (e = put_leaf(b, LEAF_ISSUER, c->idevid_issuer)) != MST_OK ||
	    (e = put_leaf(b, LEAF_PINNED_CERT, c->pinned_cert)) != MST_OK ||
	    (e = put_leaf(b, LEAF_PINNED_PUBK, c->pinned_pubk)) != MST_OK ||
	    (e = put_leaf(b, LEAF_PINNED_SHA256, c->pinned_pubk_sha256)) != MST_OK ||
	    (e = put_leaf_number(b, LEAF_REVOCATION, c->revocation_checks, -1)) != MST_OK)
		return e;
	return put_leaf(b, LEAF_PROXIMITY_CERT, c->proximity_cert);
}

mst_err
fake_seal(enum mst_media media, const struct mst_voucher_claims *claims, uint32_t key,
    struct mst_buf *out)
{
	size_t start = out->len;
	mst_err e;

	if ((e = mst_buf_put(out, MST_LIT("MSG1"))) != MST_OK ||
	    (e = put_number(out, (uint64_t)media, 1)) != MST_OK ||
	    (e = put_number(out, (uint64_t)claims->kind, 1)) != MST_OK ||
	    (e = put_number(out, key, 4)) != MST_OK || (e = put_claims(out, claims)) != MST_OK)
		return e;
	return put_mac(out, start, key);
}

static mst_err
take_leaf(struct mst_voucher_claims *c, enum leaf tag, mst_span v)
{
	int64_t n = v.len == 8 ? (int64_t)get_number(v.ptr, 8) : 0;

	switch (tag) {
	case LEAF_ASSERTION: c->assertion = (enum mst_assertion)n; return MST_OK;
	case LEAF_CREATED_ON: c->created_on = n; return MST_OK;
	case LEAF_EXPIRES_ON: c->expires_on = n; return MST_OK;
	case LEAF_LAST_RENEWAL: c->last_renewal = n; return MST_OK;
	case LEAF_SERIAL: c->serial = v; return MST_OK;
	case LEAF_NONCE: c->nonce = v; return MST_OK;
	case LEAF_NONCE_TEXT: c->nonce_text = v; return MST_OK;
	case LEAF_ISSUER: c->idevid_issuer = v; return MST_OK;
	case LEAF_PINNED_CERT: c->pinned_cert = v; return MST_OK;
	case LEAF_PINNED_PUBK: c->pinned_pubk = v; return MST_OK;
	case LEAF_PINNED_SHA256: c->pinned_pubk_sha256 = v; return MST_OK;
	case LEAF_REVOCATION: c->revocation_checks = (int)n; return MST_OK;
	case LEAF_PROXIMITY_CERT: c->proximity_cert = v; return MST_OK;
	}
	return MST_E_VOUCHER_PARSE;
}

mst_err
fake_open(
    enum mst_media media, mst_span message, struct mst_voucher_claims *claims, uint32_t *signer)
{
	struct mst_voucher_claims c;
	mst_span rest;
	mst_err e;

	if (message.ptr == NULL || message.len < HEAD_LEN + MAC_LEN ||
	    memcmp(message.ptr, "MSG1", 4) != 0 || message.ptr[4] != (uint8_t)media ||
	    message.ptr[5] > MST_VOUCHER_REQUEST)
		return MST_E_VOUCHER_PARSE;
	*signer = (uint32_t)get_number(message.ptr + 6, 4);
	if (!mac_ok(message, *signer))
		return MST_E_VOUCHER_SIGNATURE;
	mst_voucher_claims_init(&c, (enum mst_voucher_kind)message.ptr[5]);
	rest = mst_span_of(message.ptr + HEAD_LEN, message.len - HEAD_LEN - MAC_LEN);
	while (rest.len > 0) {
		size_t len = rest.len >= 3 ? (size_t)get_number(rest.ptr + 1, 2) : rest.len;

		if (len + 3 > rest.len)
			return MST_E_VOUCHER_PARSE;
		e = take_leaf(&c, (enum leaf)rest.ptr[0], mst_span_of(rest.ptr + 3, len));
		if (e != MST_OK)
			return e;
		rest = mst_span_of(rest.ptr + 3 + len, rest.len - 3 - len);
	}
	*claims = c;
	return MST_OK;
}

mst_err
fake_csr_key(enum mst_form form, mst_span csr, uint32_t *key)
{
	const char *magic = form == MST_FORM_DER ? "CSRD" : "CSR1";

	if (csr.ptr == NULL || csr.len < 9 || memcmp(csr.ptr, magic, 4) != 0)
		return MST_E_CSR_PARSE;
	*key = (uint32_t)get_number(csr.ptr + 4, 4);
	return MST_OK;
}

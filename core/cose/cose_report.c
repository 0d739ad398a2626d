/* SPDX-License-Identifier: Apache-2.0 */
/* A report's protection: COSE_Sign1, COSE_Mac0, COSE_Encrypt0 (RP 4, sheet suit.md 16). */
#include <string.h>

#include "core/base/frame.h"
#include "core/cose/suit_cose.h"

/* --- opening --- */

static mst_err
parse(mst_span message, uint64_t *tag, struct suit_layer *l, mst_span *payload, mst_span *proof)
{
	struct mst_cbor_reader r;

	*tag = 0;
	suit_reader(&r, message);
	suit_strict(&r, MST_E_SUIT_COSE);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG) {
		*tag = mst_cbor_tag(&r);
		if (*tag != SUIT_TAG_SIGN1 && *tag != SUIT_TAG_MAC0)
			mst_cbor_fail(&r, MST_E_SUIT_COSE_TAG);
	}
	suit_strict(&r, MST_E_SUIT_COSE);
	mst_cbor_array(&r);
	suit_layer_read(&r, l);
	if (mst_cbor_peek(&r) == MST_CBOR_NULL)
		mst_cbor_fail(&r, MST_E_COSE_PAYLOAD);
	*payload = mst_cbor_bytes(&r);
	*proof = mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	if (mst_cbor_end(&r) != MST_OK)
		return r.err == MST_E_CBOR_TYPE ? MST_E_SUIT_COSE : r.err;
	if (!suit_layer_is_plain(l))
		return MST_E_SUIT_COSE_LABEL;
	return suit_layer_alg(l);
}

static MST_OWN_FRAME mst_err
verify_mac(const struct mst_suit_crypto *crypto, const struct mst_suit_key *key, int32_t alg,
    const struct mst_suit_pieces *covered, mst_span proof)
{
	const struct mst_suit_secret secret = { key, MST_NONE };
	uint8_t tag[MST_SUIT_DIGEST_MAX];
	struct mst_buf b = MST_BUF(tag);
	mst_err e;

	if (crypto->mac == NULL)
		return MST_E_UNSUPPORTED;
	e = crypto->mac(crypto->ctx, &secret, alg, covered, &b);
	if (e == MST_OK && !mst_ct_eq(mst_buf_span(&b), proof))
		e = MST_E_SUIT_MAC;
	mst_wipe(tag, sizeof(tag));
	return e;
}

mst_err
mst_suit_report_open(const struct mst_suit_crypto *crypto, const struct mst_suit_keys *keys,
    mst_span message, mst_span *payload, uint8_t *authority)
{
	struct mst_suit_pieces covered;
	struct suit_layer l;
	mst_span content, proof;
	uint64_t tag;
	bool is_mac;
	unsigned tries = 0;
	mst_err e, why = MST_E_COSE_KID;

	if ((e = parse(message, &tag, &l, &content, &proof)) != MST_OK)
		return e;
	/* untagged, the algorithm tells which of the two it is; tagged, they must agree */
	is_mac = mst_suit_mac_len(l.alg) != 0;
	if ((!is_mac && mst_suit_signature_len(l.alg) == 0) ||
	    (tag != 0 && is_mac != (tag == SUIT_TAG_MAC0)))
		return MST_E_COSE_ALGORITHM;
	if (proof.len != (is_mac ? mst_suit_mac_len(l.alg) : mst_suit_signature_len(l.alg)))
		return is_mac ? MST_E_SUIT_MAC_LENGTH : MST_E_COSE_SIGNATURE_LENGTH;
	suit_pieces_make(&covered, is_mac ? MST_LIT("MAC0") : MST_LIT("Signature1"),
	    (const mst_span[3]){ l.protected_header, MST_LIT(""), content }, 3);
	for (size_t i = 0; i < keys->count; i++) {
		const struct mst_suit_key *k = &keys->key[i];

		if (!suit_key_may_be(k, l.kid) ||
		    !suit_key_takes(
		        k, is_mac ? MST_SUIT_USE_MAC_REPORT : MST_SUIT_USE_SIGN_REPORT, l.alg))
			continue;
		if (tries++ == MST_SUIT_TRIES_MAX)
			return MST_E_SUIT_AUTH_TRIES;
		if (is_mac)
			why = verify_mac(crypto, k, l.alg, &covered, proof);
		else if (crypto->verify == NULL)
			why = MST_E_UNSUPPORTED;
		else
			why = crypto->verify(crypto->ctx, k, l.alg, &covered, proof);
		if (why == MST_OK) {
			*payload = content;
			*authority = k->authority;
		}
		if (why != MST_E_COSE_SIGNATURE && why != MST_E_SUIT_MAC)
			break;
	}
	return why;
}

/* --- making --- */

/* { 1: alg } */
static mst_span
put_protected(int32_t alg, struct mst_buf *out)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, 1);
	mst_cbor_put_uint(&w, SUIT_LABEL_ALG);
	mst_cbor_put_int(&w, alg);
	return mst_cbor_put_end(&w) == MST_OK ? mst_buf_span(out) : MST_NONE;
}

/* Everything before the signature, tag or ciphertext. */
static mst_err
put_front(enum suit_cose_tag tag, mst_span protected_header, mst_span kid, mst_span iv,
    struct mst_buf *out)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_tag(&w, (uint64_t)tag);
	mst_cbor_put_array(&w, tag == SUIT_TAG_ENCRYPT0 ? 3 : 4);
	mst_cbor_put_bytes(&w, protected_header);
	mst_cbor_put_map(&w, (uint64_t)(kid.ptr != NULL) + (iv.ptr != NULL));
	if (kid.ptr != NULL) {
		mst_cbor_put_uint(&w, SUIT_LABEL_KID);
		mst_cbor_put_bytes(&w, kid);
	}
	if (iv.ptr != NULL) {
		mst_cbor_put_uint(&w, SUIT_LABEL_IV);
		mst_cbor_put_bytes(&w, iv);
	}
	return mst_cbor_put_end(&w);
}

static mst_err
put_payload(mst_span payload, enum mst_suit_attachment form, size_t proof_len, struct mst_buf *out)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	if (form == MST_SUIT_ATTACHED)
		mst_cbor_put_bytes(&w, payload);
	else
		mst_cbor_put_null(&w);
	mst_cbor_put_bytes_head(&w, proof_len);
	if (mst_cbor_put_end(&w) != MST_OK || proof_len > out->cap - out->len)
		return MST_E_SPACE;
	return MST_OK;
}

mst_err
mst_suit_sign1_build(const struct mst_suit_signer *signer, mst_span payload,
    enum mst_suit_attachment form, struct mst_buf *out)
{
	size_t before = out->len, len = mst_suit_signature_len(signer->alg), at;
	struct mst_suit_pieces tbs;
	uint8_t header[8];
	struct mst_buf h = MST_BUF(header);
	mst_span p = put_protected(signer->alg, &h);
	mst_err e;

	if (len == 0)
		return MST_E_COSE_ALGORITHM;
	suit_pieces_make(
	    &tbs, MST_LIT("Signature1"), (const mst_span[3]){ p, MST_LIT(""), payload }, 3);
	if ((e = put_front(SUIT_TAG_SIGN1, p, signer->kid, MST_NONE, out)) == MST_OK)
		e = put_payload(payload, form, len, out);
	at = out->len;
	if (e == MST_OK)
		e = signer->sign(signer->ctx, signer->alg, &tbs, out);
	if (e == MST_OK && out->len - at != len)
		e = MST_E_COSE_SIGNATURE_LENGTH;
	if (e != MST_OK)
		out->len = before;
	return e;
}

mst_err
mst_suit_mac0_build(const struct mst_suit_crypto *crypto, const struct mst_suit_key *key,
    mst_span payload, enum mst_suit_attachment form, struct mst_buf *out)
{
	const struct mst_suit_secret secret = { key, MST_NONE };
	size_t before = out->len, len = mst_suit_mac_len(key->alg);
	struct mst_suit_pieces tbm;
	uint8_t header[8];
	struct mst_buf h = MST_BUF(header);
	mst_span p = put_protected(key->alg, &h);
	mst_err e;

	if (len == 0)
		return MST_E_COSE_ALGORITHM;
	if (crypto->mac == NULL)
		return MST_E_UNSUPPORTED;
	suit_pieces_make(&tbm, MST_LIT("MAC0"), (const mst_span[3]){ p, MST_LIT(""), payload }, 3);
	if ((e = put_front(SUIT_TAG_MAC0, p, key->kid, MST_NONE, out)) == MST_OK)
		e = put_payload(payload, form, len, out);
	if (e == MST_OK)
		e = crypto->mac(crypto->ctx, &secret, key->alg, &tbm, out);
	if (e != MST_OK)
		out->len = before;
	return e;
}

static MST_OWN_FRAME mst_err
encrypt(const struct mst_suit_crypto *crypto, const struct mst_suit_key *key, mst_span iv,
    mst_span aad, mst_span plaintext, struct mst_buf *out)
{
	const struct mst_suit_secret secret = { key, MST_NONE };
	union mst_suit_cipher_state s;
	mst_err e;

	if (crypto->cipher_begin == NULL)
		return MST_E_UNSUPPORTED;
	e = crypto->cipher_begin(crypto->ctx, MST_SUIT_ENCRYPT, key->alg, &secret, iv, aad, &s);
	if (e != MST_OK)
		return e;
	if (plaintext.len != 0)
		e = crypto->cipher_update(crypto->ctx, &s, plaintext, out);
	if (e == MST_OK)
		e = crypto->cipher_end_encrypt(crypto->ctx, &s, out);
	else
		crypto->cipher_drop(crypto->ctx, &s);
	return e;
}

mst_err
mst_suit_encrypt0_build(const struct mst_suit_crypto *crypto, const struct mst_suit_key *key,
    mst_span plaintext, struct mst_buf *out)
{
	uint8_t header[8], iv[12], aad[32];
	struct mst_buf h = MST_BUF(header), a = MST_BUF(aad);
	size_t before = out->len, len = plaintext.len + MST_SUIT_TAG_LEN;
	mst_span p = put_protected(key->alg, &h), nonce = mst_span_of(iv, sizeof(iv));
	struct mst_cbor_writer w;
	mst_err e;

	if (!mst_suit_cipher_is_aead(key->alg))
		return MST_E_SUIT_ENCRYPT_ALG;
	if ((e = crypto->random(crypto->ctx, iv, sizeof(iv))) != MST_OK)
		return e;
	mst_cbor_put_init(&w, &a);
	mst_cbor_put_array(&w, 3);
	mst_cbor_put_text(&w, MST_LIT("Encrypt0"));
	mst_cbor_put_bytes(&w, p);
	mst_cbor_put_bytes(&w, MST_LIT(""));
	if ((e = mst_cbor_put_end(&w)) == MST_OK)
		e = put_front(SUIT_TAG_ENCRYPT0, p, key->kid, nonce, out);
	mst_cbor_put_init(&w, out);
	mst_cbor_put_bytes_head(&w, len);
	if (e == MST_OK && (mst_cbor_put_end(&w) != MST_OK || len > out->cap - out->len))
		e = MST_E_SPACE;
	if (e == MST_OK)
		e = encrypt(crypto, key, nonce, mst_buf_span(&a), plaintext, out);
	if (e != MST_OK)
		out->len = before;
	return e;
}

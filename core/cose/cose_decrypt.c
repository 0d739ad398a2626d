/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload decryption while it arrives (FE, RFC 9052 5, RFC 9459; sheet
 * suit.md 15). The last sixteen bytes of an AEAD's ciphertext are its tag, and
 * only the end tells which those are: that many are always held back.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/base/frame.h"
#include "core/cose/suit_cose.h"

#define AAD_MAX 96 /* of an Enc_structure: protected headers here are of a few bytes */

/* --- encryption-info --- */

static mst_err
check_content(const struct suit_layer *l)
{
	bool is_aead = mst_suit_cipher_is_aead(l->alg);

	if (!l->has_alg)
		return MST_E_COSE_ALG_MISSING;
	if (mst_suit_cipher_key_len(l->alg) == 0)
		return MST_E_SUIT_ENCRYPT_ALG;
	if (is_aead && !l->alg_protected)
		return MST_E_COSE_ALG_UNPROTECTED;
	if (!is_aead && l->is_written) /* RFC 9459 4, 5: MUST be h'' */
		return MST_E_SUIT_ENCRYPT_CTR;
	if (l->is_strange || l->salt.ptr != NULL || l->ephemeral.ptr != NULL)
		return MST_E_SUIT_COSE_LABEL;
	if (l->has_partial_iv || l->iv.ptr == NULL || l->iv.len != mst_suit_cipher_iv_len(l->alg))
		return MST_E_SUIT_ENCRYPT_IV;
	return MST_OK;
}

mst_err
mst_suit_encryption_parse(mst_span info, struct mst_suit_encryption *out)
{
	struct mst_suit_encryption en;
	struct mst_cbor_reader r;
	struct suit_layer l;
	mst_err e;

	suit_reader(&r, info);
	suit_strict(&r, MST_E_SUIT_ENCRYPT);
	if (mst_cbor_tag(&r) != SUIT_TAG_ENCRYPT)
		mst_cbor_fail(&r, MST_E_SUIT_ENCRYPT);
	suit_strict(&r, MST_E_SUIT_ENCRYPT);
	mst_cbor_array(&r);
	suit_layer_read(&r, &l);
	if (mst_cbor_peek(&r) == MST_CBOR_BYTES)
		mst_cbor_fail(&r, MST_E_SUIT_ENCRYPT_ATTACHED);
	mst_cbor_null(&r);
	en.recipients = suit_recipients_read(&r, &en.count);
	mst_cbor_leave(&r);
	if ((e = mst_cbor_end(&r)) != MST_OK)
		return e == MST_E_CBOR_TYPE || e == MST_E_SUIT_COSE ? MST_E_SUIT_ENCRYPT : e;
	if ((e = check_content(&l)) != MST_OK)
		return e;
	en.alg = l.alg;
	en.iv = l.iv;
	en.protected_header = l.protected_header;
	*out = en;
	return MST_OK;
}

/* --- beginning --- */

/* RFC 9052 5.3: [ context, protected, external_aad ] */
static mst_err
enc_structure(mst_span context, mst_span protected_header, struct mst_buf *out)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_array(&w, 3);
	mst_cbor_put_text(&w, context);
	mst_cbor_put_bytes(&w, protected_header);
	mst_cbor_put_bytes(&w, MST_LIT(""));
	return mst_cbor_put_end(&w) == MST_OK ? MST_OK : MST_E_CBOR_LIMIT;
}

static MST_OWN_FRAME mst_err
begin_cipher(const struct mst_suit_crypto *crypto, const struct mst_suit_encryption *en,
    mst_span context, const struct mst_suit_secret *secret, union mst_suit_cipher_state *s)
{
	uint8_t aad[AAD_MAX];
	struct mst_buf b = MST_BUF(aad);
	mst_err e;

	if (crypto->cipher_begin == NULL)
		return MST_E_UNSUPPORTED;
	if (!mst_suit_cipher_is_aead(en->alg))
		return crypto->cipher_begin(
		    crypto->ctx, MST_SUIT_DECRYPT, en->alg, secret, en->iv, MST_NONE, s);
	if ((e = enc_structure(context, en->protected_header, &b)) != MST_OK)
		return e;
	return crypto->cipher_begin(
	    crypto->ctx, MST_SUIT_DECRYPT, en->alg, secret, en->iv, mst_buf_span(&b), s);
}

static mst_err
find_cek(struct suit_recipients *ask, mst_span recipients, struct mst_buf *cek)
{
	mst_err e = MST_E_SUIT_RECIPIENT, why = MST_E_SUIT_RECIPIENT;
	const struct mst_suit_key *by;
	struct mst_cbor_reader r;

	suit_reader(&r, recipients);
	while (mst_cbor_more(&r)) {
		e = suit_recipient_open(ask, &r, cek, &by);
		if (!suit_recipient_may_go_on(e)) /* found, or refused */
			return e;
		if (why == MST_E_SUIT_RECIPIENT)
			why = e;
	}
	return why;
}

void
mst_suit_decrypt_drop(struct mst_suit_decrypt *d)
{
	if (d->stage == MST_SUIT_DECRYPT_RUNNING)
		d->crypto->cipher_drop(d->crypto->ctx, &d->cipher);
	mst_wipe(d, sizeof(*d));
}

mst_err
mst_suit_decrypt_begin(struct mst_suit_decrypt *d, const struct mst_suit_crypto *crypto,
    const struct mst_suit_keys *keys, mst_span info)
{
	uint8_t key[32 + 8];
	struct mst_buf cek = MST_BUF(key);
	struct mst_suit_encryption en;
	struct suit_recipients ask = { crypto, keys, MST_SUIT_USE_KEK, MST_SUIT_USE_ECDH, 0, 0 };
	mst_err e;

	mst_suit_decrypt_drop(d);
	if ((e = mst_suit_encryption_parse(info, &en)) != MST_OK)
		return e;
	ask.cek_len = mst_suit_cipher_key_len(en.alg);
	e = find_cek(&ask, en.recipients, &cek);
	if (e == MST_OK) {
		const struct mst_suit_secret secret = { NULL, mst_buf_span(&cek) };

		e = begin_cipher(crypto, &en, MST_LIT("Encrypt"), &secret, &d->cipher);
	}
	mst_wipe(key, sizeof(key));
	if (e != MST_OK)
		return e;
	d->crypto = crypto;
	d->is_aead = mst_suit_cipher_is_aead(en.alg);
	d->stage = MST_SUIT_DECRYPT_RUNNING;
	return MST_OK;
}

/* --- going on --- */

static mst_err
push(struct mst_suit_decrypt *d, mst_span in, struct mst_buf *out)
{
	return in.len == 0 ? MST_OK : d->crypto->cipher_update(d->crypto->ctx, &d->cipher, in, out);
}

/* Of what is held and what came, all but the last sixteen bytes. */
static mst_err
push_aead(struct mst_suit_decrypt *d, mst_span in, struct mst_buf *out)
{
	size_t all = d->held_len + in.len, go = all > MST_SUIT_TAG_LEN ? all - MST_SUIT_TAG_LEN : 0;
	size_t old = go < d->held_len ? go : d->held_len;
	mst_err e;

	if ((e = push(d, mst_span_of(d->held, old), out)) != MST_OK ||
	    (e = push(d, mst_span_of(in.ptr, go - old), out)) != MST_OK)
		return e;
	memmove(d->held, d->held + old, d->held_len - old);
	d->held_len = (uint8_t)(d->held_len - old);
	if (in.len != go - old)
		memcpy(d->held + d->held_len, in.ptr + (go - old), in.len - (go - old));
	d->held_len = (uint8_t)(all - go);
	return MST_OK;
}

mst_err
mst_suit_decrypt_update(struct mst_suit_decrypt *d, mst_span in, struct mst_buf *out)
{
	size_t before = out->len;
	mst_err e;

	MST_ASSERT(d->stage == MST_SUIT_DECRYPT_RUNNING);
	if (in.len > out->cap - out->len)
		return MST_E_SPACE;
	e = d->is_aead ? push_aead(d, in, out) : push(d, in, out);
	if (e != MST_OK) {
		out->len = before;
		mst_suit_decrypt_drop(d);
	}
	return e;
}

mst_err
mst_suit_decrypt_finish(struct mst_suit_decrypt *d)
{
	const struct mst_suit_crypto *crypto = d->crypto;
	bool is_aead = d->is_aead;
	mst_err e;

	MST_ASSERT(d->stage == MST_SUIT_DECRYPT_RUNNING);
	if (is_aead && d->held_len != MST_SUIT_TAG_LEN) {
		mst_suit_decrypt_drop(d);
		return MST_E_SUIT_CIPHER_TAG;
	}
	e = crypto->cipher_end_decrypt(
	    crypto->ctx, &d->cipher, is_aead ? mst_span_of(d->held, MST_SUIT_TAG_LEN) : MST_NONE);
	mst_wipe(d, sizeof(*d));
	if (e != MST_OK)
		return e;
	d->crypto = crypto;
	d->is_aead = is_aead;
	d->stage = is_aead ? MST_SUIT_DECRYPT_AUTHENTIC : MST_SUIT_DECRYPT_UNPROVEN;
	return MST_OK;
}

/* --- a report's COSE_Encrypt0 --- */

static mst_err
parse_encrypt0(
    mst_span message, struct mst_suit_encryption *en, mst_span *kid, mst_span *ciphertext)
{
	struct mst_cbor_reader r;
	struct suit_layer l;
	mst_err e;

	suit_reader(&r, message);
	suit_strict(&r, MST_E_SUIT_ENCRYPT);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG && mst_cbor_tag(&r) != SUIT_TAG_ENCRYPT0)
		mst_cbor_fail(&r, MST_E_SUIT_ENCRYPT);
	suit_strict(&r, MST_E_SUIT_ENCRYPT);
	mst_cbor_array(&r);
	suit_layer_read(&r, &l);
	*ciphertext = mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	if ((e = mst_cbor_end(&r)) != MST_OK)
		return e == MST_E_CBOR_TYPE || e == MST_E_SUIT_COSE ? MST_E_SUIT_ENCRYPT : e;
	if ((e = check_content(&l)) != MST_OK)
		return e;
	if (!mst_suit_cipher_is_aead(l.alg)) /* RP 7: CTR alone proves nothing */
		return MST_E_SUIT_ENCRYPT_ALG;
	if (ciphertext->len < MST_SUIT_TAG_LEN)
		return MST_E_SUIT_CIPHER_TAG;
	*en = (struct mst_suit_encryption){ l.alg, l.iv, l.protected_header, MST_NONE, 0 };
	*kid = l.kid;
	return MST_OK;
}

static mst_err
open_by(const struct mst_suit_crypto *crypto, const struct mst_suit_key *key,
    const struct mst_suit_encryption *en, mst_span ciphertext, struct mst_buf *out)
{
	const struct mst_suit_secret secret = { key, MST_NONE };
	union mst_suit_cipher_state s;
	size_t n = ciphertext.len - MST_SUIT_TAG_LEN, before = out->len;
	mst_err e;

	if ((e = begin_cipher(crypto, en, MST_LIT("Encrypt0"), &secret, &s)) != MST_OK)
		return e;
	e = n == 0 ? MST_OK
	           : crypto->cipher_update(crypto->ctx, &s, mst_span_of(ciphertext.ptr, n), out);
	if (e == MST_OK)
		e = crypto->cipher_end_decrypt(
		    crypto->ctx, &s, mst_span_of(ciphertext.ptr + n, MST_SUIT_TAG_LEN));
	else
		crypto->cipher_drop(crypto->ctx, &s);
	if (e != MST_OK) {
		mst_wipe(out->ptr + before, n);
		out->len = before;
	}
	return e;
}

mst_err
mst_suit_encrypt0_open(const struct mst_suit_crypto *crypto, const struct mst_suit_keys *keys,
    mst_span message, struct mst_buf *out)
{
	struct mst_suit_encryption en;
	mst_span kid, ciphertext;
	mst_err e, why = MST_E_COSE_KID;
	unsigned tries = 0;

	if ((e = parse_encrypt0(message, &en, &kid, &ciphertext)) != MST_OK)
		return e;
	if (ciphertext.len - MST_SUIT_TAG_LEN > out->cap - out->len)
		return MST_E_SPACE;
	for (size_t i = 0; i < keys->count; i++) {
		const struct mst_suit_key *k = &keys->key[i];

		if (!suit_key_takes(k, MST_SUIT_USE_CONTENT_REPORT, en.alg) ||
		    !suit_key_may_be(k, kid))
			continue;
		if (tries++ == MST_SUIT_TRIES_MAX)
			return MST_E_SUIT_AUTH_TRIES;
		why = open_by(crypto, k, &en, ciphertext, out);
		if (why != MST_E_SUIT_CIPHER_TAG)
			break;
	}
	return why;
}

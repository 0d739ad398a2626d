/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipients (RFC 9052 5.1, RFC 9053 6, FE 5, sheet suit.md 15): a key that
 * was wrapped for us, by a secret that we share (AES Key Wrap) or by one that
 * our private key and the sender's ephemeral key lead to (ECDH-ES).
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/base/frame.h"
#include "core/cose/suit_cose.h"

#define KDF_MAX 128 /* of a COSE_KDF_Context */
#define POINT_MAX 65

/* How a recipient's algorithm makes its key-encryption key. */
struct method {
	int32_t alg, wrap; /* itself, and the key wrap it uses */
	uint8_t kek_len;
	bool is_ecdh;
};

static const struct method methods[] = {
	{ MST_SUIT_A128KW, MST_SUIT_A128KW, 16, false },
	{ MST_SUIT_A192KW, MST_SUIT_A192KW, 24, false },
	{ MST_SUIT_A256KW, MST_SUIT_A256KW, 32, false },
	{ MST_SUIT_ECDH_ES_A128KW, MST_SUIT_A128KW, 16, true },
	{ MST_SUIT_ECDH_ES_A192KW, MST_SUIT_A192KW, 24, true },
	{ MST_SUIT_ECDH_ES_A256KW, MST_SUIT_A256KW, 32, true },
};

static const struct method *
method_of(int32_t alg)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].alg == alg)
			return &methods[i];
	return NULL;
}

mst_span
suit_recipients_read(struct mst_cbor_reader *r, size_t *count)
{
	size_t from;

	*count = 0;
	suit_strict(r, MST_E_SUIT_COSE);
	mst_cbor_array(r);
	from = r->at;
	while (mst_cbor_more(r)) {
		if ((*count)++ == MST_SUIT_RECIPIENTS_MAX)
			mst_cbor_fail(r, MST_E_SUIT_RECIPIENTS);
		mst_cbor_skip(r);
	}
	if (r->err == MST_OK && *count == 0)
		mst_cbor_fail(r, MST_E_SUIT_RECIPIENTS);
	return r->err == MST_OK ? mst_span_of(r->in.ptr + from, r->at - from) : MST_NONE;
}

/* --- the sender's ephemeral key --- */

struct ephemeral {
	int64_t kty, curve;
	mst_span x, y;
	bool y_is_odd, y_is_bit;
	uint8_t met; /* bits: kty, crv, x, y */
};

static void
read_y(struct ephemeral *k, struct mst_cbor_reader *r)
{
	k->y_is_bit = mst_cbor_peek(r) == MST_CBOR_BOOL; /* RFC 9053 7.1.1: the sign bit alone */
	if (k->y_is_bit)
		k->y_is_odd = mst_cbor_bool(r);
	else
		k->y = mst_cbor_bytes(r);
}

static void
read_part(struct ephemeral *k, int64_t label, struct mst_cbor_reader *r)
{
	static const int8_t labels[] = { 1, -1, -2, -3 };

	for (unsigned i = 0; i < sizeof(labels); i++) {
		if (labels[i] != label)
			continue;
		if ((k->met >> i & 1) != 0)
			mst_cbor_fail(r, MST_E_COSE_DUPLICATE);
		k->met |= (uint8_t)(1u << i);
	}
	switch (label) {
	case 1: k->kty = mst_cbor_int(r); break;
	case -1: k->curve = mst_cbor_int(r); break;
	case -2: k->x = mst_cbor_bytes(r); break;
	case -3: read_y(k, r); break;
	default: mst_cbor_fail(r, MST_E_SUIT_EPHEMERAL); break; /* a private part, or no key */
	}
}

/* RFC 9053 7: as a SEC 1 point, or the 32 bytes of X25519. */
static mst_err
read_ephemeral(mst_span encoded, enum mst_suit_curve curve, struct mst_buf *point)
{
	struct ephemeral k = { .x = MST_NONE, .y = MST_NONE };
	struct mst_cbor_reader r;
	bool is_ec = curve == MST_SUIT_P256;
	int64_t label;
	mst_err e;

	suit_reader(&r, encoded);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &label))
		read_part(&k, label, &r);
	if ((e = mst_cbor_end(&r)) != MST_OK)
		return e == MST_E_CBOR_TYPE ? MST_E_SUIT_EPHEMERAL : e;
	if (k.met != (is_ec ? 15 : 7) || k.kty != (is_ec ? 2 : 1) || k.curve != (int64_t)curve ||
	    k.x.len != 32 || (is_ec && !k.y_is_bit && k.y.len != 32))
		return MST_E_SUIT_EPHEMERAL;
	point->len = 0;
	if (is_ec &&
	    (e = mst_buf_put_byte(point, (uint8_t)(!k.y_is_bit ? 4 : 2 + k.y_is_odd))) != MST_OK)
		return e;
	if ((e = mst_buf_put(point, k.x)) != MST_OK || !is_ec || k.y_is_bit)
		return e;
	return mst_buf_put(point, k.y);
}

/* --- the key-encryption key --- */

/*
 * COSE_KDF_Context (RFC 9053 5.2) as FE 6.2 fills it: no identities, and a
 * name of its own for what the key is for.
 */
static mst_err
kdf_context(const struct method *m, mst_span protected_header, struct mst_buf *out)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_int(&w, m->wrap);
	for (int party = 0; party < 2; party++) {
		mst_cbor_put_array(&w, 3);
		for (int i = 0; i < 3; i++)
			mst_cbor_put_null(&w);
	}
	mst_cbor_put_array(&w, 3);
	mst_cbor_put_uint(&w, m->kek_len * 8u);
	mst_cbor_put_bytes(&w, protected_header);
	mst_cbor_put_bytes(&w, MST_LIT("SUIT Payload Encryption"));
	return mst_cbor_put_end(&w) == MST_OK ? MST_OK : MST_E_SUIT_RECIPIENT_FORM;
}

static MST_OWN_FRAME mst_err
derive(const struct mst_suit_crypto *crypto, const struct mst_suit_key *key, const struct method *m,
    const struct suit_layer *l, struct mst_buf *kek)
{
	uint8_t point[POINT_MAX], context[KDF_MAX];
	struct mst_buf p = MST_BUF(point), c = MST_BUF(context);
	mst_err e;

	if (crypto->derive == NULL)
		return MST_E_UNSUPPORTED;
	if ((e = read_ephemeral(l->ephemeral, key->curve, &p)) != MST_OK ||
	    (e = kdf_context(m, l->protected_header, &c)) != MST_OK)
		return e;
	return crypto->derive(
	    crypto->ctx, key, mst_buf_span(&p), l->salt, mst_buf_span(&c), m->kek_len, kek);
}

static MST_OWN_FRAME mst_err
open_by(const struct suit_recipients *ask, const struct mst_suit_key *key, const struct method *m,
    const struct suit_layer *l, mst_span wrapped, struct mst_buf *cek)
{
	const struct mst_suit_crypto *crypto = ask->crypto;
	struct mst_suit_secret secret = { key, MST_NONE };
	uint8_t derived[32];
	struct mst_buf kek = MST_BUF(derived);
	mst_err e = MST_OK;

	cek->len = 0;
	if (crypto->unwrap == NULL)
		return MST_E_UNSUPPORTED;
	if (m->is_ecdh) {
		e = derive(crypto, key, m, l, &kek);
		secret = (struct mst_suit_secret){ NULL, mst_buf_span(&kek) };
	}
	if (e == MST_OK)
		e = crypto->unwrap(crypto->ctx, &secret, m->wrap, wrapped, cek);
	mst_wipe(derived, sizeof(derived));
	if (e == MST_OK && cek->len != ask->cek_len)
		e = MST_E_SUIT_CEK;
	return e;
}

bool
suit_recipient_may_go_on(mst_err e)
{
	switch ((int)e) {
	case MST_E_SUIT_RECIPIENT:
	case MST_E_SUIT_UNWRAP:
	case MST_E_SUIT_EPHEMERAL:
	case MST_E_SUIT_CEK: return true;
	default: return false;
	}
}

static mst_err
try_keys(struct suit_recipients *ask, const struct method *m, const struct suit_layer *l,
    mst_span wrapped, struct mst_buf *cek, const struct mst_suit_key **by)
{
	enum mst_suit_usage usage = m->is_ecdh ? ask->ecdh_usage : ask->kek_usage;
	mst_err e, why = MST_E_SUIT_RECIPIENT;

	for (size_t i = 0; i < ask->keys->count; i++) {
		const struct mst_suit_key *k = &ask->keys->key[i];

		if (!suit_key_takes(k, usage, m->alg) || !suit_key_may_be(k, l->kid))
			continue;
		if (ask->tries == MST_SUIT_TRIES_MAX)
			return MST_E_SUIT_AUTH_TRIES;
		ask->tries++;
		e = open_by(ask, k, m, l, wrapped, cek);
		if (e == MST_OK)
			*by = k;
		if (!suit_recipient_may_go_on(e))
			return e;
		why = e;
	}
	return why;
}

/* Where each method wants its algorithm: RFC 9053 6.2.1, 6.4. */
static mst_err
check_form(const struct method *m, const struct suit_layer *l, mst_span wrapped, size_t cek_len)
{
	if (m->is_ecdh && !l->alg_protected)
		return MST_E_COSE_ALG_UNPROTECTED;
	if (!m->is_ecdh && l->protected_header.len != 0)
		return MST_E_SUIT_RECIPIENT_FORM;
	/* what a method has no use for, or what nobody here understands */
	if (wrapped.ptr == NULL || l->is_strange || l->iv.ptr != NULL || l->has_partial_iv ||
	    (!m->is_ecdh && !suit_layer_is_plain(l)))
		return MST_E_SUIT_RECIPIENT_FORM;
	if (m->is_ecdh && l->ephemeral.ptr == NULL)
		return MST_E_SUIT_EPHEMERAL;
	return wrapped.len == cek_len + 8 ? MST_OK : MST_E_SUIT_CEK;
}

mst_err
suit_recipient_open(struct suit_recipients *ask, struct mst_cbor_reader *r, struct mst_buf *cek,
    const struct mst_suit_key **by)
{
	const struct method *m;
	struct suit_layer l;
	mst_span wrapped;
	mst_err e;

	suit_strict(r, MST_E_SUIT_RECIPIENT_FORM);
	mst_cbor_array(r);
	suit_layer_read(r, &l);
	suit_strict(r, MST_E_SUIT_RECIPIENT_FORM);
	wrapped = suit_bytes_or_nil(r);
	mst_cbor_leave(r); /* recipients of recipients: none of FE's methods has any */
	if (r->err != MST_OK)
		return r->err == MST_E_CBOR_TYPE ? MST_E_SUIT_RECIPIENT_FORM : r->err;
	if (!l.has_alg)
		return MST_E_COSE_ALG_MISSING;
	m = method_of(l.alg);
	if (m == NULL || (m->is_ecdh && ask->ecdh_usage == ask->kek_usage))
		return MST_E_SUIT_RECIPIENT; /* of another kind of device */
	if ((e = check_form(m, &l, wrapped, ask->cek_len)) != MST_OK)
		return e;
	return try_keys(ask, m, &l, wrapped, cek, by);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who vouches for a manifest: the authentication blocks of an envelope, one
 * after the other (M 8.3, sheet suit.md 3), and whether that is enough.
 */
#include "core/base/frame.h"
#include "core/cose/suit_cose.h"

/* What a bootloader has a use for: one signature, or its own MAC in place of it (M 4.2). */
#ifdef MUSTER_SUIT_BOOT
#define ONE_KEY_ONLY true
#else
#define ONE_KEY_ONLY false
#endif

/* What one signature or MAC of a block claims. */
struct claim {
	const struct suit_layer *layer; /* alg and kid */
	enum mst_suit_usage usage;
	const struct mst_suit_pieces *covered;
	mst_span proof;
};

void
mst_suit_auth_begin(struct mst_suit_auth *a, const struct mst_suit_crypto *crypto,
    const struct mst_suit_keys *keys, mst_span digest)
{
	a->crypto = crypto;
	a->keys = keys;
	a->digest = digest;
	a->verified = 0;
	a->blocks = a->tries = 0;
	a->why = MST_OK;
}

/* Not for us (sheet 3.5). */
static mst_err
pass_over(struct mst_suit_auth *a, mst_err why)
{
	if (a->why == MST_OK)
		a->why = why;
	return MST_OK;
}

static mst_err
verify_mac(const struct mst_suit_crypto *crypto, const struct mst_suit_secret *secret, int32_t alg,
    const struct mst_suit_pieces *covered, mst_span proof)
{
	uint8_t tag[MST_SUIT_DIGEST_MAX];
	struct mst_buf b = MST_BUF(tag);
	mst_err e;

	if (crypto->mac == NULL)
		return MST_E_UNSUPPORTED;
	e = crypto->mac(crypto->ctx, secret, alg, covered, &b);
	if (e == MST_OK && !mst_ct_eq(mst_buf_span(&b), proof))
		e = MST_E_SUIT_MAC;
	mst_wipe(tag, sizeof(tag)); /* of a forgery it would be the right one */
	return e;
}

static bool
is_mac(enum mst_suit_usage usage)
{
	return usage == MST_SUIT_USE_MAC_MANIFEST || usage == MST_SUIT_USE_MAC_REPORT;
}

static mst_err
verify_by(
    const struct mst_suit_crypto *crypto, const struct mst_suit_key *key, const struct claim *c)
{
	const struct mst_suit_secret secret = { key, MST_NONE };

	if (is_mac(c->usage))
		return verify_mac(crypto, &secret, c->layer->alg, c->covered, c->proof);
	if (crypto->verify == NULL)
		return MST_E_UNSUPPORTED;
	return crypto->verify(crypto->ctx, key, c->layer->alg, c->covered, c->proof);
}

static bool
is_false(mst_err e)
{
	return e == MST_E_COSE_SIGNATURE || e == MST_E_SUIT_MAC;
}

/* RFC 9053 2.1, 3.1: nothing is shortened. Of HSS-LMS the key tells the length. */
static mst_err
check_len(const struct claim *c)
{
	int32_t alg = c->layer->alg;

	if (is_mac(c->usage) && mst_suit_mac_len(alg) != 0)
		return c->proof.len == mst_suit_mac_len(alg) ? MST_OK : MST_E_SUIT_MAC_LENGTH;
	if (!is_mac(c->usage) && mst_suit_signature_len(alg) != 0)
		return c->proof.len == mst_suit_signature_len(alg) ? MST_OK
		                                                   : MST_E_COSE_SIGNATURE_LENGTH;
	return !is_mac(c->usage) && alg == MST_SUIT_HSS_LMS ? MST_OK : MST_E_COSE_ALGORITHM;
}

/* A back-end's word about a signature that is not of its key's form. */
static bool
is_of_hss(mst_err e)
{
	return e == MST_E_HSS_FORM || e == MST_E_HSS_LEAF;
}

/*
 * Try the keys. A key that the block names and that says no refuses the
 * envelope: somebody altered it. One that merely could be it does not.
 */
static mst_err
judge(struct mst_suit_auth *a, const struct claim *c)
{
	mst_err why = MST_E_COSE_KID, e;
	bool named = false;

	if ((e = check_len(c)) != MST_OK)
		return e == MST_E_COSE_ALGORITHM ? pass_over(a, e) : e;
	if (!suit_layer_is_plain(c->layer))
		return pass_over(a, MST_E_SUIT_COSE_LABEL);
	for (size_t i = 0; i < a->keys->count; i++) {
		const struct mst_suit_key *k = &a->keys->key[i];

		if (k->usage != c->usage || !suit_key_may_be(k, c->layer->kid))
			continue;
		named = named || suit_key_is_named(k, c->layer->kid);
		if (!suit_key_takes(k, c->usage, c->layer->alg)) { /* sheet 3.3: pinned */
			why = why == MST_E_COSE_KID ? MST_E_COSE_ALGORITHM : why;
			continue;
		}
		if (a->tries == MST_SUIT_TRIES_MAX)
			return MST_E_SUIT_AUTH_TRIES;
		a->tries++;
		e = verify_by(a->crypto, k, c);
		if (e == MST_OK) {
			a->verified |= MST_SUIT_AUTHORITY_BIT(k->authority % MST_SUIT_AUTHORITIES);
			return MST_OK;
		}
		if (!is_false(e) && !is_of_hss(e) && e != MST_E_UNSUPPORTED)
			return e;
		why = e;
	}
	return named && why != MST_E_UNSUPPORTED ? why : pass_over(a, why);
}

/* COSE_Sign1 and COSE_Mac0: what is left of the array is the signature or tag. */
static MST_OWN_FRAME mst_err
judge_one(struct mst_suit_auth *a, const struct suit_layer *layer, mst_span proof,
    enum mst_suit_usage usage)
{
	const mst_span field[3] = { layer->protected_header, MST_LIT(""), a->digest };
	struct mst_suit_pieces covered;
	const struct claim c = { layer, usage, &covered, proof };
	mst_err e;

	if ((e = suit_layer_alg(layer)) != MST_OK)
		return e;
	suit_pieces_make(
	    &covered, is_mac(usage) ? MST_LIT("MAC0") : MST_LIT("Signature1"), field, 3);
	return judge(a, &c);
}

#ifndef MUSTER_SUIT_BOOT
/* One COSE_Signature of a COSE_Sign (RFC 9052 4.1). */
static MST_OWN_FRAME mst_err
judge_signature(struct mst_suit_auth *a, mst_span body_protected, struct mst_cbor_reader *r)
{
	struct suit_layer layer;
	struct mst_suit_pieces covered;
	struct claim c = { &layer, MST_SUIT_USE_SIGN_MANIFEST, &covered, MST_NONE };
	mst_err e;

	mst_cbor_array(r);
	suit_layer_read(r, &layer);
	suit_strict(r, MST_E_SUIT_COSE);
	c.proof = mst_cbor_bytes(r);
	mst_cbor_leave(r);
	if (r->err != MST_OK)
		return r->err;
	if ((e = suit_layer_alg(&layer)) != MST_OK)
		return e;
	suit_pieces_make(&covered, MST_LIT("Signature"),
	    (const mst_span[4]){ body_protected, layer.protected_header, MST_LIT(""), a->digest },
	    4);
	return judge(a, &c);
}

static mst_err
judge_signatures(struct mst_suit_auth *a, mst_span body_protected, struct mst_cbor_reader *r)
{
	mst_err e = MST_OK;
	size_t n = 0;

	mst_cbor_array(r);
	while (e == MST_OK && mst_cbor_more(r)) {
		if (n++ == MST_SUIT_SIGNATURES_MAX)
			return MST_E_SUIT_SIGNATURES;
		e = judge_signature(a, body_protected, r);
	}
	return e == MST_OK && r->err == MST_OK && n == 0 ? MST_E_SUIT_SIGNATURES : e;
}

/* "direct" (RFC 9053 6.1.1): the key itself is shared. */
static mst_err
judge_direct(
    struct mst_suit_auth *a, const struct claim *body, mst_span recipients, bool *is_direct)
{
	struct mst_cbor_reader r;
	struct suit_layer layer;
	struct claim c = *body;
	struct suit_layer both = *body->layer;
	mst_span ciphertext;

	suit_reader(&r, recipients);
	mst_cbor_array(&r);
	suit_layer_read(&r, &layer);
	ciphertext = suit_bytes_or_nil(&r);
	*is_direct = r.err == MST_OK && layer.alg == MST_SUIT_DIRECT;
	if (!*is_direct)
		return MST_OK;
	mst_cbor_leave(&r);
	/* the only recipient, protected empty, ciphertext of no bytes */
	if (mst_cbor_end(&r) != MST_OK || layer.protected_header.len != 0 ||
	    ciphertext.ptr == NULL || ciphertext.len != 0)
		return MST_E_SUIT_RECIPIENT_FORM;
	both.kid = layer.kid;
	both.is_strange = both.is_strange || !suit_layer_is_plain(&layer);
	c.layer = &both;
	return judge(a, &c);
}

/*
 * Key wrap. ECDH-ES is not asked for: whoever knows the device's public key
 * could have made such a MAC, so it says nothing about an author.
 */
static MST_OWN_FRAME mst_err
judge_wrapped(struct mst_suit_auth *a, const struct claim *c, mst_span recipients)
{
	uint8_t key[MST_SUIT_CEK_MAX + 8];
	struct mst_buf cek = MST_BUF(key);
	struct suit_recipients ask = { a->crypto, a->keys, MST_SUIT_USE_MAC_KEK,
		MST_SUIT_USE_MAC_KEK, mst_suit_mac_len(c->layer->alg), a->tries };
	const struct mst_suit_key *by = NULL;
	struct mst_cbor_reader r;
	mst_err e = MST_OK, why = MST_E_SUIT_RECIPIENT;
	bool verified = false;

	suit_reader(&r, recipients);
	while (e == MST_OK && !verified && mst_cbor_more(&r)) {
		e = suit_recipient_open(&ask, &r, &cek, &by);
		if (e == MST_OK) {
			const struct mst_suit_secret secret = { NULL, mst_buf_span(&cek) };

			e = verify_mac(a->crypto, &secret, c->layer->alg, c->covered, c->proof);
			verified = e == MST_OK;
		}
		if (suit_recipient_may_go_on(e)) {
			why = why == MST_E_SUIT_RECIPIENT ? e : why;
			e = MST_OK;
		}
	}
	mst_wipe(key, sizeof(key));
	a->tries = ask.tries;
	if (e != MST_OK)
		return e == MST_E_UNSUPPORTED ? pass_over(a, e) : e;
	if (!verified)
		return pass_over(a, why);
	a->verified |= MST_SUIT_AUTHORITY_BIT(by->authority % MST_SUIT_AUTHORITIES);
	return MST_OK;
}

static MST_OWN_FRAME mst_err
judge_mac(
    struct mst_suit_auth *a, const struct suit_layer *layer, mst_span tag, mst_span recipients)
{
	const mst_span field[3] = { layer->protected_header, MST_LIT(""), a->digest };
	struct mst_suit_pieces covered;
	const struct claim c = { layer, MST_SUIT_USE_MAC_MANIFEST, &covered, tag };
	bool is_direct;
	mst_err e;

	if ((e = suit_layer_alg(layer)) != MST_OK)
		return e;
	if ((e = check_len(&c)) != MST_OK)
		return e == MST_E_COSE_ALGORITHM ? pass_over(a, e) : e;
	if (!suit_layer_is_plain(layer))
		return pass_over(a, MST_E_SUIT_COSE_LABEL);
	suit_pieces_make(&covered, MST_LIT("MAC"), field, 3);
	if ((e = judge_direct(a, &c, recipients, &is_direct)) != MST_OK || is_direct)
		return e;
	return judge_wrapped(a, &c, recipients);
}

#endif

#ifdef MUSTER_SUIT_BOOT
/* A bootloader's profile: one signature or MAC in a block; COSE_Sign and COSE_Mac are passed over.
 */
static mst_err
judge_body(struct mst_suit_auth *a, uint64_t tag, const struct suit_layer *layer,
    struct mst_cbor_reader *r)
{
	bool one = tag == SUIT_TAG_SIGN1 || tag == SUIT_TAG_MAC0;
	mst_span proof = MST_NONE;

	suit_strict(r, MST_E_SUIT_COSE);
	if (one)
		proof = mst_cbor_bytes(r);
	while (!one && mst_cbor_more(r))
		mst_cbor_skip(r);
	if (one)
		mst_cbor_leave(r);
	if (mst_cbor_end(r) != MST_OK)
		return r->err;
	if (!one)
		return pass_over(a, MST_E_UNSUPPORTED);
	return judge_one(a, layer, proof,
	    tag == SUIT_TAG_SIGN1 ? MST_SUIT_USE_SIGN_MANIFEST : MST_SUIT_USE_MAC_MANIFEST);
}
#else
/* The items behind the headers and the payload, by kind. */
static mst_err
judge_body(struct mst_suit_auth *a, uint64_t tag, const struct suit_layer *layer,
    struct mst_cbor_reader *r)
{
	mst_span proof, recipients;
	mst_err e = MST_OK;
	size_t count;

	if (!ONE_KEY_ONLY && tag == SUIT_TAG_SIGN && !suit_layer_is_plain(layer)) {
		mst_cbor_skip(r);
		e = pass_over(a, MST_E_SUIT_COSE_LABEL);
	} else if (!ONE_KEY_ONLY && tag == SUIT_TAG_SIGN) {
		e = judge_signatures(a, layer->protected_header, r);
	} else {
		suit_strict(r, MST_E_SUIT_COSE);
		proof = mst_cbor_bytes(r);
	}
	if (!ONE_KEY_ONLY && tag == SUIT_TAG_MAC)
		recipients = suit_recipients_read(r, &count);
	mst_cbor_leave(r);
	/* the whole block is read before anything is calculated, but for COSE_Sign, whose
	 * signatures may be many and large */
	if (mst_cbor_end(r) != MST_OK || e != MST_OK)
		return e != MST_OK ? e : r->err;
	switch (tag) {
	case SUIT_TAG_SIGN1: return judge_one(a, layer, proof, MST_SUIT_USE_SIGN_MANIFEST);
	case SUIT_TAG_MAC0: return judge_one(a, layer, proof, MST_SUIT_USE_MAC_MANIFEST);
	case SUIT_TAG_MAC:
		return ONE_KEY_ONLY ? MST_E_INTERNAL : judge_mac(a, layer, proof, recipients);
	default: return MST_OK;
	}
}
#endif

static bool
is_block(uint64_t tag)
{
	return tag == SUIT_TAG_SIGN1 || tag == SUIT_TAG_SIGN || tag == SUIT_TAG_MAC0 ||
	       tag == SUIT_TAG_MAC;
}

mst_err
mst_suit_auth_block(struct mst_suit_auth *a, mst_span block)
{
	uint32_t verified = a->verified;
	struct mst_cbor_reader r;
	struct suit_layer layer;
	uint64_t tag = 0;
	mst_err e;

	if (a->blocks == MST_SUIT_BLOCKS_MAX)
		return MST_E_SUIT_AUTH_BLOCKS;
	a->blocks++;
	suit_reader(&r, block);
	suit_strict(&r, MST_E_SUIT_COSE);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		tag = mst_cbor_tag(&r);
	if (r.err == MST_OK && !is_block(tag))
		return MST_E_SUIT_COSE_TAG;
	if (ONE_KEY_ONLY && r.err == MST_OK && tag >= SUIT_TAG_MAC)
		return pass_over(a, MST_E_UNSUPPORTED);
	suit_strict(&r, MST_E_SUIT_COSE);
	mst_cbor_array(&r);
	suit_layer_read(&r, &layer);
	if (mst_cbor_peek(&r) == MST_CBOR_BYTES) /* sheet 3.2: detached */
		mst_cbor_fail(&r, MST_E_COSE_PAYLOAD);
	mst_cbor_null(&r);
	e = r.err != MST_OK ? r.err : judge_body(a, tag, &layer, &r);
	if (e != MST_OK) /* nobody is believed for the half of a block */
		a->verified = verified;
	return e == MST_E_CBOR_TYPE ? MST_E_SUIT_COSE : e;
}

mst_err
mst_suit_policy_judge(const struct mst_suit_policy *policy, uint32_t verified)
{
	uint32_t of = policy->of == 0 ? UINT32_MAX : policy->of;
	unsigned n = 0;

	for (verified &= of; verified != 0; verified &= verified - 1)
		n++;
	return n >= (policy->need == 0 ? 1u : policy->need) ? MST_OK : MST_E_SUIT_AUTH_POLICY;
}

mst_err
mst_suit_auth_judge(const struct mst_suit_auth *a, const struct mst_suit_policy *policy)
{
	if (a->blocks == 0)
		return MST_E_SUIT_AUTH_NONE;
	if (a->verified == 0)
		return a->why == MST_OK ? MST_E_SUIT_AUTH_POLICY : a->why;
	return mst_suit_policy_judge(policy, a->verified);
}

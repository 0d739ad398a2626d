/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/update_keys.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "muster/cbor.h"

#define ROWS_MAX 32
#define TAG_SIGN1 18
#define TAG_SIGN 98
#define LABEL_KID 4
#define LABEL_X5CHAIN 33
#define CHAIN_MAX 10

struct making {
	struct arena *a;
	const struct update_trust *t;
	struct mst_suit_key *row;
	size_t count;
	mst_err why; /* of the first signer whose certificate was no good */
	mst_err err; /* what ends it all: memory */
};

mst_err
update_key_id(struct arena *a, EVP_PKEY *key, mst_span *kid)
{
	uint8_t sum[32], *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	bool ok = n > 0 && EVP_Digest(der, (size_t)n, sum, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	if (!ok)
		return MST_E_INTERNAL;
	*kid = arena_dup(a, mst_span_of(sum, sizeof sum));
	return kid->ptr == NULL ? MST_E_NOMEM : MST_OK;
}

static void
add(struct making *m, const struct mst_suit_key *row)
{
	if (m->count < ROWS_MAX)
		m->row[m->count++] = *row;
}

/* ---- who signed ---- */

/* The algorithm that a key of this kind signs with; 0: none that SUIT knows. */
static int32_t
alg_of(EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "ED25519"))
		return MST_SUIT_EDDSA;
	if (!EVP_PKEY_is_a(key, "EC"))
		return 0;
	switch (EVP_PKEY_get_bits(key)) {
	case 256: return MST_SUIT_ES256;
	case 384: return MST_SUIT_ES384;
	case 521: return MST_SUIT_ES512;
	default: return 0;
	}
}

static void
push_cert(struct making *m, STACK_OF(X509) *list, mst_span der)
{
	X509 *cert = NULL;
	mst_err e = sk_X509_num(list) == CHAIN_MAX ? MST_E_X509_CHAIN : cert_parse(der, &cert);

	if (e == MST_OK && sk_X509_push(list, cert) <= 0) {
		X509_free(cert);
		e = MST_E_NOMEM;
	}
	if (e == MST_E_NOMEM)
		m->err = e;
	else if (e != MST_OK && m->why == MST_OK)
		m->why = MST_E_UPDATE_SIGNER;
}

static void
pop_all(void *list)
{
	sk_X509_pop_free(list, X509_free);
}

/* COSE_X509 (RFC 9360 2): a certificate, or an array of them, the signer's first. */
static STACK_OF(X509) *
chain_read(struct making *m, mst_span x5chain)
{
	STACK_OF(X509) *list = arena_own(m->a, sk_X509_new_null(), pop_all);
	struct mst_cbor_reader r;

	if (list == NULL) {
		m->err = MST_E_NOMEM;
		return NULL;
	}
	mst_cbor_init(&r, x5chain);
	if (mst_cbor_peek(&r) == MST_CBOR_BYTES) {
		push_cert(m, list, mst_cbor_bytes(&r));
	} else {
		mst_cbor_array(&r);
		while (mst_cbor_more(&r) && m->err == MST_OK && m->why == MST_OK)
			push_cert(m, list, mst_cbor_bytes(&r));
	}
	return mst_cbor_end(&r) == MST_OK && sk_X509_num(list) > 0 ? list : NULL;
}

/* Whose anchors the chain leads to. */
static mst_err
authority_of(const struct making *m, X509 *leaf, const STACK_OF(X509) *list, uint8_t *authority)
{
	const struct anchors *of[] = { m->t->manufacturer, m->t->site };
	mst_err e, why = MST_E_UPDATE_SIGNER;

	for (uint8_t i = 0; i < 2; i++) {
		if (of[i] == NULL)
			continue;
		e = chain_verify(of[i], leaf, list, &m->t->clock, 0, NULL);
		if (e == MST_OK) {
			*authority = i;
			return MST_OK;
		}
		if (e != MST_E_X509_CHAIN)
			why = e;
	}
	return why;
}

/* A signer who shows a certificate. What is wrong with it costs the row, not the envelope. */
static void
on_signer(struct making *m, mst_span kid, mst_span x5chain)
{
	struct mst_suit_key row = { .usage = MST_SUIT_USE_SIGN_MANIFEST,
		.equivalence = MST_SUIT_EQUIVALENT_ALG,
		.kid = kid };
	mst_err before = m->why, e;
	STACK_OF(X509) *list;
	X509 *leaf;

	m->why = MST_OK;
	list = chain_read(m, x5chain);
	e = m->why != MST_OK || list == NULL ? MST_E_UPDATE_SIGNER : MST_OK;
	m->why = before;
	if (m->err != MST_OK)
		return;
	if (e == MST_OK) {
		leaf = sk_X509_value(list, 0);
		row.handle = X509_get0_pubkey(leaf);
		row.alg = row.handle == NULL ? 0 : alg_of(X509_get0_pubkey(leaf));
		if (row.alg == 0)
			e = MST_E_UPDATE_SIGNER;
		/* one key, one purpose: who may sign certificates or enrol may not sign images */
		else if (!cert_has_eku(leaf, CERT_OID_CODE_SIGNING) ||
		         (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
			e = MST_E_UPDATE_SIGNER_USE;
		else
			e = authority_of(m, leaf, list, &row.authority);
	}
	if (e == MST_OK)
		add(m, &row);
	else if (m->why == MST_OK)
		m->why = e;
}

/*
 * kid, and where the header is protected x5chain; what is malformed the
 * processor refuses by name. A chain that no signature covers is not looked at:
 * whoever carries the envelope could put another certificate of the same key
 * there, one of the other authority or an older one (RFC 9360 2).
 */
static void
header_read(struct mst_cbor_reader *r, mst_span *kid, mst_span *x5chain)
{
	mst_cbor_map(r);
	while (mst_cbor_more(r)) {
		int64_t label = 0;

		if (mst_cbor_peek(r) == MST_CBOR_UINT || mst_cbor_peek(r) == MST_CBOR_NINT)
			label = mst_cbor_int(r);
		else
			mst_cbor_skip(r);
		if (label == LABEL_KID && mst_cbor_peek(r) == MST_CBOR_BYTES)
			*kid = mst_cbor_bytes(r);
		else if (label == LABEL_X5CHAIN && x5chain != NULL)
			*x5chain = mst_cbor_raw(r);
		else
			mst_cbor_skip(r);
	}
}

/* Protected and unprotected header. */
static void
layer_read(struct making *m, struct mst_cbor_reader *r, bool is_signer)
{
	mst_span protected_header = mst_cbor_bytes(r), kid = MST_NONE, x5chain = MST_NONE;
	struct mst_cbor_reader inner;

	if (protected_header.len > 0) {
		mst_cbor_init(&inner, protected_header);
		header_read(&inner, &kid, &x5chain);
	}
	header_read(r, &kid, NULL);
	if (is_signer && r->err == MST_OK && x5chain.ptr != NULL)
		on_signer(m, kid, x5chain);
}

static void
block_read(struct making *m, mst_span block)
{
	struct mst_cbor_reader r;
	uint64_t tag;

	mst_cbor_init(&r, block);
	tag = mst_cbor_tag(&r);
	if (tag != TAG_SIGN1 && tag != TAG_SIGN)
		return;
	mst_cbor_array(&r);
	layer_read(m, &r, tag == TAG_SIGN1);
	mst_cbor_skip(&r); /* payload */
	if (tag == TAG_SIGN1)
		return;
	mst_cbor_array(&r);
	while (mst_cbor_more(&r) && m->err == MST_OK) {
		mst_cbor_array(&r);
		layer_read(m, &r, true);
		mst_cbor_skip(&r); /* signature */
		mst_cbor_leave(&r);
	}
}

/* ---- the device's own keys ---- */

static mst_err
add_own(struct making *m, EVP_PKEY *key)
{
	struct mst_suit_key row = { .usage = MST_SUIT_USE_ECDH,
		.curve = MST_SUIT_P256,
		.alg = MST_SUIT_ECDH_ES_A128KW,
		.handle = key };
	mst_err e;

	if (key == NULL || !EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_bits(key) != 256)
		return MST_OK;
	if ((e = update_key_id(m->a, key, &row.kid)) != MST_OK)
		return e;
	add(m, &row);
	return MST_OK;
}

mst_err
update_keys_make(struct arena *a, const struct update_trust *t,
    const struct mst_suit_envelope *envelope, struct mst_suit_keys *out, mst_err *why)
{
	struct making m = { .a = a, .t = t, .row = arena_alloc(a, ROWS_MAX * sizeof *m.row) };
	struct mst_cbor_reader r;
	mst_err e = MST_OK;
	unsigned blocks = 0;

	if (m.row == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < t->factory_count; i++)
		add(&m, &t->factory[i]);
	for (size_t i = 0; e == MST_OK && i < 2; i++)
		e = add_own(&m, t->own[i]);
	mst_cbor_init(&r, envelope->blocks);
	while (mst_cbor_more(&r) && m.err == MST_OK && blocks++ < MST_SUIT_BLOCKS_MAX)
		block_read(&m, mst_cbor_bytes(&r));
	if (e == MST_OK)
		e = m.err;
	if (e != MST_OK)
		return e;
	*out = (struct mst_suit_keys){ m.row, m.count };
	*why = m.why;
	return MST_OK;
}

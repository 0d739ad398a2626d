/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HSS, LMS and LM-OTS verification: RFC 8554, algorithms 4b, 6a and 6.3. A
 * signature by L levels is, from the top: signed public keys (each an LMS
 * signature over the LMS public key of the level below, and that key), then
 * the LMS signature over the message.
 */
#include <string.h>

#include "muster/hss.h"

#define N MST_HSS_HASH_LEN
#define LMS_PUBLIC_LEN (MST_HSS_PUBLIC_LEN - 4)

/* RFC 8554 4.2, 5.2, 7.1: what keeps hashes of different purpose apart. */
static const uint8_t d_pblc[2] = { 0x80, 0x80 }, d_mesg[2] = { 0x81, 0x81 };
static const uint8_t d_leaf[2] = { 0x82, 0x82 }, d_intr[2] = { 0x83, 0x83 };

struct ots { /* RFC 8554 4.1, table 1; n is 32 */
	uint8_t w, ls;
	uint16_t p;
};

/* An LMS public key (RFC 8554 5.3) and a signature (5.4), taken apart. */
struct lms {
	const struct mst_suit_crypto *crypto;
	mst_span id, root; /* I and T[1] of the key */
	struct ots ots;
	unsigned height;
	uint8_t q[4]; /* the leaf, as it stands in the hashes */
	mst_span c, y, path;
};

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* LMOTS_SHA256_N32_W1 to W8 are 1 to 4. */
static bool
ots_of(uint32_t type, struct ots *out)
{
	static const struct ots table[] = { { 1, 7, 265 }, { 2, 6, 133 }, { 4, 4, 67 },
		{ 8, 0, 34 } };

	if (type < 1 || type > 4)
		return false;
	*out = table[type - 1];
	return true;
}

/* LMS_SHA256_M32_H5 to H25 are 5 to 9; 0: none of them. */
static unsigned
height_of(uint32_t type)
{
	return type >= 5 && type <= 9 ? (type - 4) * 5 : 0;
}

static mst_err
sha256(const struct lms *l, const mst_span *piece, size_t count, uint8_t out[N])
{
	struct mst_buf b = { out, N, 0 };

	return mst_suit_digest(l->crypto, MST_SUIT_SHA256, piece, count, &b);
}

/* RFC 8554 3.1.3: the i-th w-bit part. */
static unsigned
coef(const uint8_t *s, unsigned i, unsigned w)
{
	return (unsigned)s[i * w / 8] >> (8 - w - i * w % 8) & ((1u << w) - 1);
}

/* RFC 8554 4.4: Cksm(Q), behind Q. */
static void
append_checksum(uint8_t q[N + 2], const struct ots *o)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < N * 8u / o->w; i++)
		sum += (1u << o->w) - 1 - coef(q, i, o->w);
	sum <<= o->ls;
	q[N] = (uint8_t)(sum >> 8);
	q[N + 1] = (uint8_t)sum;
}

/* One chain, from step `from` to the last. The digest is written after its input was read. */
static mst_err
chain(const struct lms *l, unsigned i, unsigned from, uint8_t value[N])
{
	uint8_t at[3] = { (uint8_t)(i >> 8), (uint8_t)i, 0 };
	const mst_span piece[4] = { l->id, mst_span_of(l->q, 4), mst_span_of(at, 3),
		mst_span_of(value, N) };
	mst_err e;

	for (unsigned j = from; j < (1u << l->ots.w) - 1; j++) {
		at[2] = (uint8_t)j;
		if ((e = sha256(l, piece, 4, value)) != MST_OK)
			return e;
	}
	return MST_OK;
}

/* Into a hash that is open: pieces, one after the other. */
static mst_err
feed(const struct lms *l, union mst_suit_digest_state *s, const mst_span *piece, size_t count)
{
	mst_err e = MST_OK;

	for (size_t i = 0; e == MST_OK && i < count; i++)
		e = l->crypto->digest_update(l->crypto->ctx, s, piece[i]);
	return e;
}

static mst_err
finish(const struct lms *l, union mst_suit_digest_state *s, mst_err e, uint8_t out[N])
{
	struct mst_buf b = { out, N, 0 };

	if (e == MST_OK)
		return l->crypto->digest_end(l->crypto->ctx, s, &b);
	l->crypto->digest_drop(l->crypto->ctx, s);
	return e;
}

/* Q = H(I || q || D_MESG || C || message), and its checksum. */
static mst_err
hash_message(const struct lms *l, const mst_span *message, size_t count, uint8_t q[N + 2])
{
	const mst_span front[4] = { l->id, mst_span_of(l->q, 4), mst_span_of(d_mesg, 2), l->c };
	union mst_suit_digest_state s;
	mst_err e = l->crypto->digest_begin(l->crypto->ctx, MST_SUIT_SHA256, &s);

	if (e != MST_OK)
		return e;
	if ((e = feed(l, &s, front, 4)) == MST_OK)
		e = feed(l, &s, message, count);
	if ((e = finish(l, &s, e, q)) == MST_OK)
		append_checksum(q, &l->ots);
	return e;
}

/* Algorithm 4b: Kc = H(I || q || D_PBLC || z[0] || ... || z[p-1]). */
static mst_err
ots_candidate(const struct lms *l, const uint8_t q[N + 2], uint8_t out[N])
{
	const mst_span front[3] = { l->id, mst_span_of(l->q, 4), mst_span_of(d_pblc, 2) };
	union mst_suit_digest_state s;
	uint8_t z[N];
	mst_span end = mst_span_of(z, N);
	mst_err e = l->crypto->digest_begin(l->crypto->ctx, MST_SUIT_SHA256, &s);

	if (e != MST_OK)
		return e;
	e = feed(l, &s, front, 3);
	for (unsigned i = 0; e == MST_OK && i < l->ots.p; i++) {
		memcpy(z, l->y.ptr + i * N, N);
		if ((e = chain(l, i, coef(q, i, l->ots.w), z)) == MST_OK)
			e = feed(l, &s, &end, 1);
	}
	return finish(l, &s, e, out);
}

/* Algorithm 6a: from the leaf along the path to the root. */
static mst_err
root_candidate(const struct lms *l, uint8_t node[N])
{
	uint32_t at = ((uint32_t)1 << l->height) + get32(l->q);
	uint8_t number[4];
	mst_span piece[5] = { l->id, mst_span_of(number, 4), mst_span_of(d_leaf, 2),
		mst_span_of(node, N), MST_NONE };
	mst_err e;

	put32(number, at);
	e = sha256(l, piece, 4, node);
	piece[2] = mst_span_of(d_intr, 2);
	for (unsigned i = 0; e == MST_OK && i < l->height; i++, at >>= 1) {
		mst_span beside = mst_span_of(l->path.ptr + i * N, N);
		bool is_right = (at & 1) != 0;

		put32(number, at >> 1);
		piece[3] = is_right ? beside : mst_span_of(node, N);
		piece[4] = is_right ? mst_span_of(node, N) : beside;
		e = sha256(l, piece, 5, node);
	}
	return e;
}

static mst_err
lms_verify(const struct lms *l, const mst_span *message, size_t count)
{
	uint8_t q[N + 2], node[N];
	mst_err e;

	if ((e = hash_message(l, message, count, q)) != MST_OK ||
	    (e = ots_candidate(l, q, node)) != MST_OK || (e = root_candidate(l, node)) != MST_OK)
		return e;
	return mst_span_eq(mst_span_of(node, N), l->root) ? MST_OK : MST_E_COSE_SIGNATURE;
}

/* The next n bytes; absent when there are not so many. */
static mst_span
cut(mst_span *rest, size_t n)
{
	mst_span s = *rest;

	if (n > rest->len)
		return MST_NONE;
	s.len = n;
	*rest = mst_span_of(rest->ptr + n, rest->len - n);
	return s;
}

/* u32str(type) || u32str(otstype) || I || T[1] */
static bool
key_parse(mst_span key, struct lms *l)
{
	if (key.len != LMS_PUBLIC_LEN)
		return false;
	l->height = height_of(get32(key.ptr));
	l->id = mst_span_of(key.ptr + 8, 16);
	l->root = mst_span_of(key.ptr + 24, N);
	return l->height != 0 && ots_of(get32(key.ptr + 4), &l->ots);
}

/* u32str(q) || u32str(otstype) || C || y || u32str(type) || path; types as the key has them. */
static mst_err
signature_parse(mst_span key, mst_span *rest, struct lms *l)
{
	mst_span q = cut(rest, 4), ots = cut(rest, 4), type;

	l->c = cut(rest, N);
	l->y = cut(rest, (size_t)l->ots.p * N);
	type = cut(rest, 4);
	l->path = cut(rest, (size_t)l->height * N);
	/* the first that is missing leaves the later ones, which are longer or equal, missing or
	 * wrong: each is asked for */
	if (q.ptr == NULL || ots.ptr == NULL || l->c.ptr == NULL || l->y.ptr == NULL ||
	    type.ptr == NULL || l->path.ptr == NULL || memcmp(ots.ptr, key.ptr + 4, 4) != 0 ||
	    memcmp(type.ptr, key.ptr, 4) != 0)
		return MST_E_HSS_FORM;
	memcpy(l->q, q.ptr, 4);
	return get32(l->q) < (uint32_t)1 << l->height ? MST_OK : MST_E_HSS_LEAF;
}

/*
 * RFC 8554 6.3, in two walks: the first one knows whether the whole signature
 * has the shape that its keys ask for, before anything is hashed.
 */
static mst_err
walk(const struct mst_suit_crypto *crypto, mst_span key, uint32_t levels, mst_span rest,
    const mst_span *message, size_t count)
{
	struct lms l = { .crypto = crypto };
	mst_span below;
	mst_err e;

	for (uint32_t i = 0; i < levels; i++, key = below) {
		bool last = i == levels - 1;

		if (!key_parse(key, &l))
			return i == 0 ? MST_E_HSS_KEY : MST_E_HSS_FORM;
		if ((e = signature_parse(key, &rest, &l)) != MST_OK)
			return e;
		below = last ? MST_NONE : cut(&rest, LMS_PUBLIC_LEN);
		if (!last && below.ptr == NULL)
			return MST_E_HSS_FORM;
		if (crypto != NULL &&
		    (e = lms_verify(&l, last ? message : &below, last ? count : 1)) != MST_OK)
			return e;
	}
	return rest.len == 0 ? MST_OK : MST_E_HSS_FORM;
}

mst_err
mst_hss_verify(const struct mst_suit_crypto *crypto, mst_span public_key, const mst_span *piece,
    size_t count, mst_span signature)
{
	mst_span rest = signature, nspk;
	uint32_t levels;
	mst_err e;

	if (public_key.ptr == NULL || public_key.len != MST_HSS_PUBLIC_LEN)
		return MST_E_HSS_KEY;
	levels = get32(public_key.ptr);
	if (levels < 1 || levels > MST_HSS_LEVELS)
		return MST_E_HSS_KEY;
	public_key = mst_span_of(public_key.ptr + 4, LMS_PUBLIC_LEN);
	nspk = cut(&rest, 4);
	if (nspk.ptr == NULL || get32(nspk.ptr) != levels - 1)
		return MST_E_HSS_FORM;
	if ((e = walk(NULL, public_key, levels, rest, piece, count)) != MST_OK)
		return e;
	return walk(crypto, public_key, levels, rest, piece, count);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8554: algorithms 1, 3, 5 and those of appendix A and C. */
#include "host/hss_tree.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define N MST_HSS_HASH_LEN

static const struct ots {
	unsigned w, p, ls;
	uint32_t type;
} schemes[] = { { 1, 265, 7, 1 }, { 2, 133, 6, 2 }, { 4, 67, 4, 3 }, { 8, 34, 0, 4 } };

static const struct ots *
ots_of(unsigned width)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (schemes[i].w == width)
			return &schemes[i];
	return NULL;
}

size_t
hss_tree_nodes_len(unsigned height, unsigned width)
{
	if (ots_of(width) == NULL || height < 5 || height > 20 || height % 5 != 0)
		return 0;
	return (size_t)2 * N << height;
}

size_t
hss_tree_signature_len(unsigned height, unsigned width)
{
	const struct ots *o = ots_of(width);

	return o == NULL ? 0 : 4 + 4 + N + (size_t)o->p * N + 4 + (size_t)height * N;
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static mst_err
hash(EVP_MD_CTX *ctx, const mst_span *piece, size_t count, uint8_t out[N])
{
	if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1)
		return MST_E_INTERNAL;
	for (size_t i = 0; i < count; i++)
		if (piece[i].len != 0 && EVP_DigestUpdate(ctx, piece[i].ptr, piece[i].len) != 1)
			return MST_E_INTERNAL;
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? MST_OK : MST_E_INTERNAL;
}

/* A context that only needs its state set back. */
static EVP_MD_CTX *
hasher(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

mst_err
hss_sha256(const mst_span *piece, size_t count, uint8_t out[N])
{
	EVP_MD_CTX *ctx = hasher();
	mst_err e = ctx == NULL ? MST_E_NOMEM : hash(ctx, piece, count, out);

	EVP_MD_CTX_free(ctx);
	return e;
}

/*
 * I || q || i || j || value: 55 bytes, one block of SHA-256. Appendix A has the
 * secret start of a chain in the same shape, with j 0xff and the seed.
 */
struct link {
	uint8_t bytes[HSS_ID_LEN + 4 + 2 + 1 + N];
};

static void
link_begin(struct link *l, const struct hss_tree *t, uint32_t q)
{
	memcpy(l->bytes, t->id, HSS_ID_LEN);
	put32(l->bytes + HSS_ID_LEN, q);
}

/* The i-th chain up to step `to`. */
static mst_err
chain(EVP_MD_CTX *ctx, struct link *l, const struct hss_tree *t, unsigned i, unsigned to,
    uint8_t out[N])
{
	uint8_t *step = l->bytes + HSS_ID_LEN + 6, *value = step + 1;
	const mst_span all = mst_span_of(l->bytes, sizeof l->bytes);
	mst_err e;

	l->bytes[HSS_ID_LEN + 4] = (uint8_t)(i >> 8);
	l->bytes[HSS_ID_LEN + 5] = (uint8_t)i;
	*step = 0xff;
	memcpy(value, t->seed, N);
	e = hash(ctx, &all, 1, value);
	for (unsigned j = 0; e == MST_OK && j < to; j++) {
		*step = (uint8_t)j;
		e = hash(ctx, &all, 1, value);
	}
	memcpy(out, value, N);
	return e;
}

/* T[2^h + q] = H(I || r || D_LEAF || K), K by algorithm 1. */
static mst_err
leaf(EVP_MD_CTX *ctx, const struct hss_tree *t, const struct ots *o, uint32_t q, uint8_t *ends,
    uint8_t out[N])
{
	static const uint8_t d_pblc[2] = { 0x80, 0x80 }, d_leaf[2] = { 0x82, 0x82 };
	uint8_t number[4], key[N];
	mst_span piece[4] = { mst_span_of(t->id, HSS_ID_LEN), mst_span_of(number, 4),
		mst_span_of(d_pblc, 2), mst_span_of(ends, (size_t)o->p * N) };
	struct link l;
	mst_err e = MST_OK;

	link_begin(&l, t, q);
	for (unsigned i = 0; e == MST_OK && i < o->p; i++)
		e = chain(ctx, &l, t, i, (1u << o->w) - 1, ends + (size_t)i * N);
	put32(number, q);
	if (e == MST_OK)
		e = hash(ctx, piece, 4, key);
	put32(number, ((uint32_t)1 << t->height) + q);
	piece[2] = mst_span_of(d_leaf, 2);
	piece[3] = mst_span_of(key, N);
	OPENSSL_cleanse(&l, sizeof l);
	return e != MST_OK ? e : hash(ctx, piece, 4, out);
}

/* T[r] = H(I || r || D_INTR || T[2r] || T[2r+1]): both children lie side by side. */
static mst_err
inner(EVP_MD_CTX *ctx, const struct hss_tree *t, uint32_t r)
{
	static const uint8_t d_intr[2] = { 0x83, 0x83 };
	uint8_t number[4];
	const mst_span piece[4] = { mst_span_of(t->id, HSS_ID_LEN), mst_span_of(number, 4),
		mst_span_of(d_intr, 2), mst_span_of(t->nodes + (size_t)2 * r * N, 2 * N) };

	put32(number, r);
	return hash(ctx, piece, 4, t->nodes + (size_t)r * N);
}

mst_err
hss_tree_grow(struct hss_tree *t)
{
	const struct ots *o = ots_of(t->width);
	size_t len = hss_tree_nodes_len(t->height, t->width);
	EVP_MD_CTX *ctx = hasher();
	uint32_t leaves = (uint32_t)1 << t->height;
	uint8_t *ends = NULL;
	mst_err e = MST_E_NOMEM;

	if (o == NULL || len == 0) {
		e = MST_E_HSS_PARAMETERS;
		goto out;
	}
	t->nodes = calloc(1, len);
	ends = malloc((size_t)o->p * N);
	if (t->nodes == NULL || ends == NULL || ctx == NULL)
		goto out;
	e = MST_OK;
	for (uint32_t q = 0; e == MST_OK && q < leaves; q++)
		e = leaf(ctx, t, o, q, ends, t->nodes + ((size_t)leaves + q) * N);
	for (uint32_t r = leaves - 1; e == MST_OK && r > 0; r--)
		e = inner(ctx, t, r);
out:
	if (e != MST_OK) {
		free(t->nodes);
		t->nodes = NULL;
	}
	free(ends);
	EVP_MD_CTX_free(ctx);
	return e;
}

void
hss_tree_wipe(struct hss_tree *t)
{
	free(t->nodes);
	OPENSSL_cleanse(t, sizeof *t);
}

void
hss_tree_public(const struct hss_tree *t, uint8_t out[HSS_LMS_PUBLIC_LEN])
{
	const struct ots *o = ots_of(t->width);

	put32(out, 4 + t->height / 5);
	put32(out + 4, o == NULL ? 0 : o->type);
	memcpy(out + 8, t->id, HSS_ID_LEN);
	memcpy(out + 8 + HSS_ID_LEN, t->nodes + N, N);
}

static unsigned
coef(const uint8_t *s, unsigned i, unsigned w)
{
	return (unsigned)s[i * w / 8] >> (8 - w - i * w % 8) & ((1u << w) - 1);
}

/* Q = H(I || q || D_MESG || C || message), and its checksum behind it (4.4). */
static mst_err
message_hash(EVP_MD_CTX *ctx, const struct hss_tree *t, const struct ots *o, uint32_t q,
    const uint8_t c[N], const mst_span *piece, size_t count, uint8_t out[N + 2])
{
	static const uint8_t d_mesg[2] = { 0x81, 0x81 };
	uint8_t number[4];
	unsigned sum = 0;

	put32(number, q);
	if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, t->id, HSS_ID_LEN) != 1 ||
	    EVP_DigestUpdate(ctx, number, 4) != 1 || EVP_DigestUpdate(ctx, d_mesg, 2) != 1 ||
	    EVP_DigestUpdate(ctx, c, N) != 1)
		return MST_E_INTERNAL;
	for (size_t i = 0; i < count; i++)
		if (piece[i].len != 0 && EVP_DigestUpdate(ctx, piece[i].ptr, piece[i].len) != 1)
			return MST_E_INTERNAL;
	if (EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		return MST_E_INTERNAL;
	for (unsigned i = 0; i < N * 8 / o->w; i++)
		sum += (1u << o->w) - 1 - coef(out, i, o->w);
	sum <<= o->ls;
	out[N] = (uint8_t)(sum >> 8);
	out[N + 1] = (uint8_t)sum;
	return MST_OK;
}

mst_err
hss_tree_sign(const struct hss_tree *t, uint32_t q, const uint8_t c[N], const mst_span *piece,
    size_t count, struct mst_buf *out)
{
	const struct ots *o = ots_of(t->width);
	EVP_MD_CTX *ctx = hasher();
	size_t len = hss_tree_signature_len(t->height, t->width);
	uint8_t digest[N + 2], *p = out->ptr + out->len;
	struct link l;
	mst_err e = MST_E_NOMEM;

	if (ctx == NULL || o == NULL)
		goto out;
	e = MST_E_SPACE;
	if (len > out->cap - out->len || q >> t->height != 0)
		goto out;
	put32(p, q);
	put32(p + 4, o->type);
	memcpy(p + 8, c, N);
	p += 8 + N;
	e = message_hash(ctx, t, o, q, c, piece, count, digest);
	link_begin(&l, t, q);
	for (unsigned i = 0; e == MST_OK && i < o->p; i++, p += N)
		e = chain(ctx, &l, t, i, coef(digest, i, o->w), p);
	OPENSSL_cleanse(&l, sizeof l);
	if (e != MST_OK)
		goto out;
	put32(p, 4 + t->height / 5);
	p += 4;
	for (uint32_t r = ((uint32_t)1 << t->height) + q; r > 1; r >>= 1, p += N)
		memcpy(p, t->nodes + (size_t)(r ^ 1) * N, N);
	out->len += len;
out:
	EVP_MD_CTX_free(ctx);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of a layer (RFC 9052 3) as SUIT has them: the protected one may
 * be empty, order is free, no label stands twice in either or both, and labels
 * are written in their shortest form, so that equal labels are equal bytes.
 */
#include "core/base/assert.h"
#include "core/base/frame.h"
#include "core/cbor/cbor_head.h"
#include "core/cose/suit_cose.h"

struct headers {
	struct suit_layer *out;
	bool in_protected;
	mst_span crit;
	size_t count, count_protected; /* of labels met */
	mst_span label[MST_COSE_LABELS_MAX]; /* as encoded */
};

void
suit_reader(struct mst_cbor_reader *r, mst_span in)
{
	mst_cbor_init(r, in);
	r->indefinite_is = MST_E_COSE_INDEFINITE;
}

static bool
is_shortest(const struct mst_cbor_head *h)
{
	switch (h->size) {
	case 1: return true;
	case 2: return h->arg >= 24;
	case 3: return h->arg > UINT8_MAX;
	case 5: return h->arg > UINT16_MAX;
	default: return h->arg > UINT32_MAX;
	}
}

void
suit_strict(struct mst_cbor_reader *r, mst_err e)
{
	struct mst_cbor_head h;

	if (r->err == MST_OK && mst_cbor_head_at(r->in, r->at, &h) && !is_shortest(&h))
		mst_cbor_fail(r, e);
}

mst_span
suit_bytes_or_nil(struct mst_cbor_reader *r)
{
	if (mst_cbor_peek(r) != MST_CBOR_NULL)
		return mst_cbor_bytes(r);
	mst_cbor_null(r);
	return MST_NONE;
}

static bool
is_among(const struct headers *h, size_t count, mst_span label)
{
	for (size_t i = 0; i < count; i++)
		if (mst_span_eq(h->label[i], label))
			return true;
	return false;
}

/* The label, or value of alg, as a number; 0, which is reserved, for all that is none of ours. */
static int32_t
number_of(mst_span item)
{
	struct mst_cbor_reader r;
	int64_t n = 0;

	mst_cbor_init(&r, item);
	if (mst_cbor_peek(&r) != MST_CBOR_TEXT)
		n = mst_cbor_int(&r);
	return r.err == MST_OK && n >= INT32_MIN && n <= INT32_MAX ? (int32_t)n : 0;
}

/* int / tstr, shortest: a label, or the value of alg. */
static mst_span
read_label(struct mst_cbor_reader *r)
{
	switch ((int)mst_cbor_peek(r)) {
	case MST_CBOR_UINT:
	case MST_CBOR_NINT:
	case MST_CBOR_TEXT: suit_strict(r, MST_E_COSE_HEADER); return mst_cbor_raw(r);
	default: mst_cbor_fail(r, MST_E_COSE_HEADER); return MST_NONE;
	}
}

static void
read_alg(struct headers *h, struct mst_cbor_reader *r)
{
	h->out->has_alg = true;
	h->out->alg_protected = h->in_protected;
	h->out->alg = number_of(read_label(r));
}

static void
read_value(struct headers *h, int32_t label, struct mst_cbor_reader *r)
{
	struct suit_layer *l = h->out;

	switch (label) {
	case SUIT_LABEL_ALG: read_alg(h, r); break;
	case SUIT_LABEL_KID: l->kid = mst_cbor_bytes(r); break;
	case SUIT_LABEL_IV: l->iv = mst_cbor_bytes(r); break;
	case SUIT_LABEL_SALT: l->salt = mst_cbor_bytes(r); break;
	case SUIT_LABEL_EPHEMERAL: l->ephemeral = mst_cbor_raw(r); break;
	case SUIT_LABEL_PARTIAL_IV:
		l->has_partial_iv = true;
		(void)mst_cbor_bytes(r);
		break;
	case SUIT_LABEL_CRIT:
		if (!h->in_protected) /* RFC 9052 3.1: crit must be protected */
			mst_cbor_fail(r, MST_E_COSE_CRIT);
		h->crit = mst_cbor_raw(r);
		break;
	case SUIT_LABEL_CONTENT_TYPE:
	case SUIT_LABEL_X5CHAIN: mst_cbor_skip(r); break;
	default: /* RFC 9052 3: not understood, not critical */
		l->is_strange = l->is_strange || !h->in_protected;
		mst_cbor_skip(r);
		break;
	}
}

static mst_err
read_map(struct headers *h, mst_span map)
{
	struct mst_cbor_reader r;

	suit_reader(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		mst_span label = read_label(&r);

		if (is_among(h, h->count, label))
			mst_cbor_fail(&r, MST_E_COSE_DUPLICATE);
		else if (h->count == MST_COSE_LABELS_MAX)
			mst_cbor_fail(&r, MST_E_CBOR_LIMIT);
		if (r.err != MST_OK)
			break;
		h->label[h->count++] = label;
		read_value(h, number_of(label), &r);
	}
	return mst_cbor_end(&r) == MST_E_CBOR_TYPE ? MST_E_COSE_HEADER : r.err;
}

static bool
is_understood(int32_t label)
{
	return (label >= SUIT_LABEL_ALG && label <= SUIT_LABEL_IV && label != SUIT_LABEL_CRIT) ||
	       label == SUIT_LABEL_EPHEMERAL || label == SUIT_LABEL_SALT;
}

/* RFC 9052 3.1: one label at least, each in the protected header and understood. */
static bool
crit_is_met(const struct headers *h)
{
	struct mst_cbor_reader r;
	bool met = true;
	size_t n = 0;

	if (h->crit.ptr == NULL)
		return true;
	mst_cbor_init(&r, h->crit);
	mst_cbor_array(&r);
	for (; mst_cbor_more(&r); n++) {
		mst_span label = read_label(&r);

		met = met && is_understood(number_of(label)) &&
		      is_among(h, h->count_protected, label);
	}
	return met && n > 0 && mst_cbor_end(&r) == MST_OK;
}

static MST_OWN_FRAME mst_err
read_both(struct suit_layer *out, mst_span protected_header, mst_span unprotected)
{
	struct headers h;
	mst_err e = MST_OK;

	h.out = out;
	h.in_protected = true;
	h.crit = MST_NONE;
	h.count = 0;
	/* RFC 9052 3: h'' is an empty map */
	if (protected_header.len != 0 && (e = read_map(&h, protected_header)) != MST_OK)
		return e;
	h.count_protected = h.count;
	if (!crit_is_met(&h))
		return MST_E_COSE_CRIT;
	/* RFC 9052 4.4, 5.3, 6.3: without parameters, structures have a string of no bytes */
	if (h.count == 0)
		out->protected_header = MST_LIT("");
	out->is_written = protected_header.len != 0;
	h.in_protected = false;
	return read_map(&h, unprotected);
}

void
suit_layer_read(struct mst_cbor_reader *r, struct suit_layer *out)
{
	mst_span unprotected;
	mst_err e;

	*out = (struct suit_layer){ .protected_header = MST_NONE };
	suit_strict(r, MST_E_SUIT_COSE);
	out->protected_header = mst_cbor_bytes(r);
	if (mst_cbor_peek(r) != MST_CBOR_MAP)
		mst_cbor_fail(r, MST_E_CBOR_TYPE);
	unprotected = mst_cbor_raw(r);
	if (r->err == MST_OK && (e = read_both(out, out->protected_header, unprotected)) != MST_OK)
		mst_cbor_fail(r, e);
}

mst_err
suit_layer_alg(const struct suit_layer *l)
{
	if (!l->has_alg)
		return MST_E_COSE_ALG_MISSING;
	return l->alg_protected ? MST_OK : MST_E_COSE_ALG_UNPROTECTED;
}

bool
suit_layer_is_plain(const struct suit_layer *l)
{
	return !l->is_strange && l->iv.ptr == NULL && !l->has_partial_iv && l->salt.ptr == NULL &&
	       l->ephemeral.ptr == NULL;
}

void
suit_pieces_make(struct mst_suit_pieces *p, mst_span context, const mst_span *field, size_t count)
{
	struct mst_buf b = MST_BUF(p->heads);
	struct mst_cbor_writer w;
	size_t at = 0;

	_Static_assert(sizeof(p->heads) >= 2 + 9 + 4 * 5 && sizeof(p->heads) >= 2 + 10 + 3 * 5,
	    "\"Signature\" has four fields, \"Signature1\" three; no length is of 4 GiB");
	MST_ASSERT(2 * count <= MST_SUIT_PIECES);
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, count + 1);
	mst_cbor_put_text(&w, context);
	for (size_t i = 0; i < count; i++) {
		mst_cbor_put_bytes_head(&w, field[i].len);
		p->piece[2 * i] = mst_span_of(p->heads + at, b.len - at);
		p->piece[2 * i + 1] = field[i];
		at = b.len;
	}
	MST_ASSERT(mst_cbor_put_end(&w) == MST_OK);
	p->count = 2 * count;
}

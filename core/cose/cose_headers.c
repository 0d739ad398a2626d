/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two header maps (RFC 9052 3): what may be believed stands in the
 * protected one. Labels already met are kept as pointers to their encodings,
 * so that 04 and 18 04 are the same label, in whichever header they stand.
 */
#include "core/cbor/cbor_head.h"
#include "core/cose/cose.h"

struct headers {
	struct mst_cose_sign1 *out;
	bool in_protected; /* which of the two is being read */
	bool has_alg;
	mst_span crit; /* the encoded value; absent if none */
	size_t count; /* of labels met */
	size_t count_protected;
	/* each points at an encoded label; all are well-formed by now */
	const uint8_t *label[MST_COSE_LABELS_MAX];
};

/* A label is an integer or a text (RFC 9052 1.4). */
static bool
is_label(enum mst_cbor_type type)
{
	return type == MST_CBOR_UINT || type == MST_CBOR_NINT || type == MST_CBOR_TEXT;
}

/* The head of a label that was found well-formed, wherever its map ends. */
static void
label_head(const uint8_t *label, struct mst_cbor_head *h)
{
	(void)mst_cbor_head_at(mst_span_of(label, INT32_MAX), 0, h);
}

/* Has this label been among the first count? */
static bool
is_among(const struct headers *h, size_t count, const uint8_t *label)
{
	struct mst_cbor_head x, y;

	label_head(label, &x);
	for (size_t i = 0; i < count; i++) {
		label_head(h->label[i], &y);
		if (x.major == y.major && x.arg == y.arg &&
		    (x.major != MAJOR_TEXT ||
		        mst_span_eq(mst_span_of(label + x.size, (size_t)x.arg),
		            mst_span_of(h->label[i] + y.size, (size_t)y.arg))))
			return true;
	}
	return false;
}

/* 0, which is reserved, for labels that are texts or too large to be known. */
static int32_t
label_number(const uint8_t *label)
{
	struct mst_cbor_head h;

	label_head(label, &h);
	if (h.major == MAJOR_TEXT || h.arg > INT32_MAX)
		return 0;
	return h.major == MAJOR_UINT ? (int32_t)h.arg : -1 - (int32_t)h.arg;
}

static mst_err
read_alg(struct headers *h, struct mst_cbor_reader *r)
{
	const uint8_t *value;
	int32_t alg;

	if (!h->in_protected)
		return MST_E_COSE_ALG_UNPROTECTED;
	if (!is_label(mst_cbor_peek(r))) /* int / tstr, as a label is */
		return MST_E_COSE_HEADER;
	if ((value = mst_cbor_raw(r).ptr) == NULL) /* cut short, or no UTF-8 */
		return MST_E_COSE_HEADER;
	alg = label_number(value);
	if (!cose_alg_is_known(alg))
		return MST_E_COSE_ALGORITHM;
	h->out->alg = (enum mst_cose_alg)alg;
	h->has_alg = true;
	return MST_OK;
}

/* RFC 9360 2: COSE_X509 = bstr / [ 2* certs: bstr ]; an array of one is read, too. */
static mst_err
read_certs(const struct headers *h, struct mst_cbor_reader *r, struct mst_cose_certs *out)
{
	struct mst_cose_certs c = { .is_protected = h->in_protected };
	bool many = mst_cbor_peek(r) == MST_CBOR_ARRAY;
	size_t from, bytes = 0;
	mst_span cert;

	if (many)
		mst_cbor_array(r);
	from = r->at;
	do {
		cert = mst_cbor_bytes(r);
		if (r->err != MST_OK || cert.len == 0) /* also the empty array */
			return MST_E_COSE_HEADER;
		bytes += cert.len;
		if (++c.count > MST_COSE_CERTS_MAX || bytes > MST_COSE_CERTS_BYTES)
			return MST_E_COSE_CERTS;
		c.items = mst_span_of(r->in.ptr + from, r->at - from);
	} while (many && mst_cbor_more(r));
	*out = c;
	return MST_OK;
}

static mst_err
read_value(struct headers *h, int32_t label, struct mst_cbor_reader *r)
{
	enum mst_cbor_type type = mst_cbor_peek(r);

	switch (label) {
	case COSE_ALG: return read_alg(h, r);
	case COSE_X5BAG: return read_certs(h, r, &h->out->x5bag);
	case COSE_X5CHAIN: return read_certs(h, r, &h->out->x5chain);
	case COSE_KID: h->out->kid = mst_cbor_bytes(r); break;
	case COSE_CRIT:
		if (!h->in_protected) /* RFC 9052 3.1: crit must be protected */
			return MST_E_COSE_CRIT;
		h->crit = mst_cbor_raw(r);
		break;
	case COSE_CONTENT_TYPE: /* uint / tstr */
		if (type != MST_CBOR_UINT && type != MST_CBOR_TEXT)
			return MST_E_COSE_HEADER;
		mst_cbor_skip(r);
		break;
	default: mst_cbor_skip(r); break; /* RFC 9052 3: not understood, not critical */
	}
	return r->err == MST_OK ? MST_OK : MST_E_COSE_HEADER;
}

static mst_err
read_pair(struct headers *h, struct mst_cbor_reader *r)
{
	bool known_type = is_label(mst_cbor_peek(r));
	const uint8_t *label = mst_cbor_raw(r).ptr;

	if (label == NULL || !known_type)
		return MST_E_COSE_HEADER;
	if (is_among(h, h->count, label))
		return MST_E_COSE_DUPLICATE;
	if (h->count == MST_COSE_LABELS_MAX)
		return MST_E_CBOR_LIMIT;
	h->label[h->count++] = label;
	return read_value(h, label_number(label), r);
}

static mst_err
read_map(struct headers *h, mst_span map)
{
	struct mst_cbor_reader r;
	mst_err e = MST_OK;

	mst_cbor_init(&r, map);
	r.indefinite_is = MST_E_COSE_INDEFINITE; /* DM-5 */
	mst_cbor_map(&r);
	/* COSE-3: a map, and not an empty one; RFC 9052 3 allows h'' for that, we do not */
	if (h->in_protected && (r.err == MST_E_CBOR_TYPE || !mst_cbor_more(&r)))
		e = MST_E_COSE_PROTECTED;
	while (e == MST_OK && mst_cbor_more(&r))
		e = read_pair(h, &r);
	if (e == MST_OK && mst_cbor_end(&r) == MST_OK)
		return MST_OK;
	if (r.err == MST_OK || r.err == MST_E_CBOR_TYPE)
		return e; /* the reader's type error has been given a name */
	/* the frame's reader saw the other header whole: it is well-formed */
	return r.err == MST_E_COSE_INDEFINITE ? r.err : MST_E_COSE_PROTECTED;
}

static bool
is_understood(int32_t label)
{
	switch (label) {
	case COSE_ALG:
	case COSE_CONTENT_TYPE:
	case COSE_KID:
	case COSE_X5BAG:
	case COSE_X5CHAIN: return true;
	default: return false;
	}
}

/* RFC 9052 3.1: one label at least, each in the protected header and understood. */
static mst_err
check_crit(const struct headers *h)
{
	struct mst_cbor_reader r;
	size_t n = 0;

	if (h->crit.ptr == NULL)
		return MST_OK;
	mst_cbor_init(&r, h->crit);
	mst_cbor_array(&r);
	for (; mst_cbor_more(&r); n++) {
		bool known_type = is_label(mst_cbor_peek(&r));
		const uint8_t *label = mst_cbor_raw(&r).ptr;

		if (label == NULL || !known_type || n == MST_COSE_LABELS_MAX ||
		    !is_understood(label_number(label)) || !is_among(h, h->count_protected, label))
			return MST_E_COSE_CRIT;
	}
	return r.err == MST_OK && n > 0 ? MST_OK : MST_E_COSE_CRIT;
}

mst_err
cose_headers_parse(struct mst_cose_sign1 *out)
{
	struct headers h;
	mst_err e;

	h.out = out;
	h.in_protected = true;
	h.has_alg = false;
	h.crit = MST_NONE;
	h.count = 0;
	if ((e = read_map(&h, out->protected_header)) != MST_OK)
		return e;
	h.count_protected = h.count;
	if ((e = check_crit(&h)) != MST_OK)
		return e;
	h.in_protected = false;
	if ((e = read_map(&h, out->unprotected_header)) != MST_OK)
		return e;
	return h.has_alg ? MST_OK : MST_E_COSE_ALG_MISSING;
}

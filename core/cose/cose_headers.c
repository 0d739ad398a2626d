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
	mst_span label[2 * MST_COSE_LABELS_MAX];
};

/* A label is an integer or a text (RFC 9052 1.4). */
static bool
is_label(enum mst_cbor_type type)
{
	return type == MST_CBOR_UINT || type == MST_CBOR_NINT || type == MST_CBOR_TEXT;
}

static bool
same_label(mst_span a, mst_span b)
{
	struct mst_cbor_head x, y;

	if (!mst_cbor_head_at(a, 0, &x) || !mst_cbor_head_at(b, 0, &y))
		return false;
	if (x.major != y.major || x.arg != y.arg)
		return false;
	return x.major != MAJOR_TEXT || mst_span_eq(mst_span_of(a.ptr + x.size, (size_t)x.arg),
	                                    mst_span_of(b.ptr + y.size, (size_t)y.arg));
}

static bool
is_among(const struct headers *h, size_t count, mst_span label)
{
	for (size_t i = 0; i < count; i++)
		if (same_label(h->label[i], label))
			return true;
	return false;
}

/* 0, which is reserved, for labels that are texts or too large to be known. */
static int64_t
label_number(mst_span label)
{
	struct mst_cbor_head h;

	if (!mst_cbor_head_at(label, 0, &h) || h.major == MAJOR_TEXT || h.arg > INT32_MAX)
		return 0;
	return h.major == MAJOR_UINT ? (int64_t)h.arg : -1 - (int64_t)h.arg;
}

static mst_err
read_alg(struct headers *h, struct mst_cbor_reader *r)
{
	enum mst_cbor_type type = mst_cbor_peek(r);
	int64_t alg;

	if (!h->in_protected)
		return MST_E_COSE_ALG_UNPROTECTED;
	if (!is_label(type)) /* int / tstr */
		return MST_E_COSE_HEADER;
	alg = type == MST_CBOR_TEXT
	          ? 0
	          : label_number(mst_span_of(r->in.ptr + r->at, r->in.len - r->at));
	mst_cbor_skip(r);
	if (alg < INT32_MIN || mst_cose_signature_len((enum mst_cose_alg)alg) == 0)
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
read_value(struct headers *h, int64_t label, struct mst_cbor_reader *r)
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

/* map is well-formed CBOR of definite lengths. */
static mst_err
read_map(struct headers *h, mst_span map)
{
	size_t limit = h->count + MST_COSE_LABELS_MAX;
	struct mst_cbor_reader r;
	mst_err e;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		bool known_type = is_label(mst_cbor_peek(&r));
		mst_span label = mst_cbor_raw(&r);

		if (!known_type)
			return MST_E_COSE_HEADER;
		if (is_among(h, h->count, label))
			return MST_E_COSE_DUPLICATE;
		if (h->count == limit)
			return MST_E_CBOR_LIMIT;
		h->label[h->count++] = label;
		if ((e = read_value(h, label_number(label), &r)) != MST_OK)
			return e;
	}
	return r.err;
}

static bool
is_understood(int64_t label)
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
		mst_span label = mst_cbor_raw(&r);

		if (!known_type || n == MST_COSE_LABELS_MAX ||
		    !is_understood(label_number(label)) || !is_among(h, h->count_protected, label))
			return MST_E_COSE_CRIT;
	}
	return r.err == MST_OK && n > 0 ? MST_OK : MST_E_COSE_CRIT;
}

/* COSE-3: a map, and not an empty one; RFC 9052 3 allows h'' for that, we do not. */
static bool
is_protected_map(mst_span protected_header)
{
	struct mst_cbor_head h;

	return mst_cbor_validate(protected_header) == MST_OK &&
	       mst_cbor_head_at(protected_header, 0, &h) && h.major == MAJOR_MAP && h.arg > 0;
}

mst_err
cose_headers_parse(const struct cose_frame *frame, struct mst_cose_sign1 *out)
{
	struct mst_cose_sign1 m = {
		.protected_header = frame->protected_header,
		.unprotected_header = frame->unprotected_header,
	};
	struct headers h;
	mst_err e;

	if (!is_protected_map(frame->protected_header))
		return MST_E_COSE_PROTECTED;
	h.out = &m;
	h.in_protected = true;
	h.has_alg = false;
	h.crit = MST_NONE;
	h.count = 0;
	if ((e = read_map(&h, frame->protected_header)) != MST_OK)
		return e;
	h.count_protected = h.count;
	if ((e = check_crit(&h)) != MST_OK)
		return e;
	h.in_protected = false;
	if ((e = read_map(&h, frame->unprotected_header)) != MST_OK)
		return e;
	if (!h.has_alg)
		return MST_E_COSE_ALG_MISSING;
	*out = m;
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests in YANG-CBOR: RFC 9254, RFC 8366bis 8 and 9, brski.md section 4. */
#include <stddef.h>

#include "core/base/frame.h"
#include "core/voucher/voucher_sid.h"
#include "muster/cbor.h"
#include "muster/voucher.h"

/*
 * cBRSKI 12.1: a pledge may know SIDs alone; its MASA then answers with those.
 * Nor does a pledge meet writers of older drafts.
 */
#ifdef MUSTER_ONLY_CONSTRAINED
#define NAMES false
#define LEGACY false
#define NAME(text) NULL
#else
#define NAMES true
#define LEGACY true
#define NAME(text) (text)
#endif

/* DM-5 */
#define LEAVES_MAX 64
#define LEAF_MAX 16384u
#define PRIOR_MAX 49152u
#define SHA256_LEN 32

enum leaf_type {
	LEAF_ASSERTION,
	LEAF_TIME,
	LEAF_BOOL,
	LEAF_BINARY,
	LEAF_HASH,
	LEAF_PRIOR,
	LEAF_NONCE,
	LEAF_SERIAL,
	LEAF_TEXT,
};

#define AT(member) offsetof(struct mst_voucher_claims, member)

static const struct leaf {
	uint8_t delta[2]; /* by enum mst_voucher_kind */
	uint8_t type;
	uint16_t at;
	const char *name;
} leaves[] = {
	{ { SID_ASSERTION }, LEAF_ASSERTION, AT(assertion), NAME("assertion") },
	{ { SID_CREATED_ON }, LEAF_TIME, AT(created_on), NAME("created-on") },
	{ { SID_REVOCATION_CHECKS }, LEAF_BOOL, AT(revocation_checks),
	    NAME("domain-cert-revocation-checks") },
	{ { SID_EXPIRES_ON }, LEAF_TIME, AT(expires_on), NAME("expires-on") },
	{ { SID_IDEVID_ISSUER }, LEAF_BINARY, AT(idevid_issuer), NAME("idevid-issuer") },
	{ { SID_LAST_RENEWAL }, LEAF_TIME, AT(last_renewal), NAME("last-renewal-date") },
	{ { SID_NONCE }, LEAF_NONCE, AT(nonce), NAME("nonce") },
	{ { SID_PINNED_CERT }, LEAF_BINARY, AT(pinned_cert), NAME("pinned-domain-cert") },
	{ { SID_PINNED_PUBK }, LEAF_BINARY, AT(pinned_pubk), NAME("pinned-domain-pubk") },
	{ { SID_PINNED_PUBK_SHA256 }, LEAF_HASH, AT(pinned_pubk_sha256),
	    NAME("pinned-domain-pubk-sha256") },
	{ { SID_SERIAL }, LEAF_SERIAL, AT(serial), NAME("serial-number") },
	{ { SID_CONFIGURATION_URL }, LEAF_TEXT, AT(additional_configuration_url),
	    NAME("additional-configuration-url") },
	{ { SID_EST_DOMAIN }, LEAF_TEXT, AT(est_domain), NAME("est-domain") },
	{ { SID_PROPRIETARY }, LEAF_BINARY, AT(manufacturer_proprietary),
	    NAME("manufacturer-proprietary") },
	{ { SID_PRIOR_REQUEST }, LEAF_PRIOR, AT(prior_request),
	    NAME("prior-signed-voucher-request") },
	{ { SID_PROXIMITY_CERT }, LEAF_BINARY, AT(proximity_cert),
	    NAME("proximity-registrar-cert") },
	{ { SID_PROXIMITY_PUBK_SHA256 }, LEAF_HASH, AT(proximity_pubk_sha256),
	    NAME("proximity-registrar-pubk-sha256") },
	{ { SID_PROXIMITY_PUBK }, LEAF_BINARY, AT(proximity_pubk),
	    NAME("proximity-registrar-pubk") },
};
#define LEAVES (sizeof(leaves) / sizeof(leaves[0]))

struct parse {
	struct mst_cbor_reader r;
	struct mst_voucher_claims *claims;
	unsigned accept;
	int64_t base; /* the outer SID as it was written */
	size_t inner; /* where the inner map begins */
	size_t pairs; /* of it, so far */
	uint32_t seen; /* bits by row of leaves[] */
};

static int64_t
outer_sid(enum mst_voucher_kind kind, bool old)
{
	switch (kind) {
	case MST_VOUCHER: return old ? SID_VOUCHER_OLD : SID_VOUCHER;
	case MST_VOUCHER_REQUEST: return old ? SID_REQUEST_OLD : SID_REQUEST;
	}
	return 0;
}

static mst_span
outer_name(enum mst_voucher_kind kind)
{
	return kind == MST_VOUCHER ? MST_LIT("ietf-voucher:voucher")
	                           : MST_LIT("ietf-voucher-request:voucher");
}

/* A key of any spelling. */
struct key {
	mst_span name; /* absent: a number */
	int64_t sid; /* absolute */
};

/* base: the SID to which a bare number is a delta. */
static struct key
read_key(struct mst_cbor_reader *r, int64_t base)
{
	struct key k = { .name = MST_NONE };
	enum mst_cbor_type type = mst_cbor_peek(r);

	if (type == MST_CBOR_TEXT) {
		k.name = mst_cbor_text(r);
		return k;
	}
	if (type == MST_CBOR_TAG) {
		base = 0;
		if (mst_cbor_tag(r) != TAG_SID)
			mst_cbor_fail(r, MST_E_CBOR_TYPE);
	}
	k.sid = mst_cbor_int(r);
	if (k.sid <= INT64_MAX - base) /* else beyond all SIDs, and nobody's */
		k.sid += base;
	return k;
}

/* Is it the outer key of this kind? Then *base is its SID. */
static bool
is_outer(const struct parse *p, const struct key *k, enum mst_voucher_kind kind, int64_t *base)
{
	*base = outer_sid(kind, false);
	if (k->name.ptr != NULL)
		return NAMES && mst_span_eq(k->name, outer_name(kind));
	if (k->sid == *base)
		return true;
	*base = outer_sid(kind, true);
	return LEGACY && (p->accept & MST_LEGACY_SIDS) != 0 && k->sid == *base;
}

/* The delta of a number, 0 when it is none of ours. */
static unsigned
delta_of(const struct parse *p, const struct key *k)
{
	if (k->name.ptr != NULL || k->sid <= p->base || k->sid - p->base > SID_DELTA_MAX)
		return 0;
	return (unsigned)(k->sid - p->base);
}

static bool
names_leaf(const struct parse *p, const struct key *k, unsigned delta, const struct leaf *leaf)
{
	unsigned own = leaf->delta[p->claims->kind];

	if (own == 0) /* not of this kind */
		return false;
	return own == delta ||
	       (NAMES && k->name.ptr != NULL && mst_span_eq(k->name, mst_span_str(leaf->name)));
}

static bool
takes_old_types(const struct parse *p)
{
	return LEGACY && (p->accept & MST_LEGACY_TYPES) != 0;
}

static void
read_assertion(struct parse *p, enum mst_assertion *out)
{
	uint64_t v;

	if (takes_old_types(p) && mst_cbor_peek(&p->r) == MST_CBOR_TEXT) {
		*out = mst_assertion_find(mst_cbor_text(&p->r));
		return;
	}
	/* an unknown value stays absent: the check has the name of that refusal */
	v = mst_cbor_uint(&p->r);
	*out = v <= MST_ASSERT_AGENT_PROXIMITY ? (enum mst_assertion)v : MST_ASSERT_ABSENT;
}

/* 0000-01-01 and 9999-12-31, as mst_time_parse() has them. */
#define TIME_FIRST INT64_C(-62167219200)
#define TIME_LAST INT64_C(253402300799)

MST_OWN_FRAME static void
read_time(struct parse *p, int64_t *out)
{
	uint64_t tag = 0;

	if (takes_old_types(p) && mst_cbor_peek(&p->r) == MST_CBOR_TAG) {
		tag = mst_cbor_tag(&p->r);
		if (tag > 1)
			mst_cbor_fail(&p->r, MST_E_CBOR_TYPE);
	}
	if (tag == 1) { /* RFC 8949 3.4.2 */
		*out = mst_cbor_int(&p->r);
		if (*out < TIME_FIRST || *out > TIME_LAST)
			mst_cbor_fail(&p->r, MST_E_VOUCHER_PARSE);
		return;
	}
	if (mst_time_parse(mst_cbor_text(&p->r), out) != MST_OK) /* DM-6 */
		mst_cbor_fail(&p->r, MST_E_VOUCHER_PARSE);
}

static void
read_string(struct parse *p, const struct leaf *leaf, mst_span *out)
{
	struct mst_cbor_reader *r = &p->r;
	bool text = leaf->type == LEAF_SERIAL || leaf->type == LEAF_TEXT;
	size_t limit = LEAF_MAX, least = text ? 0 : 1;

	if (leaf->type == LEAF_PRIOR)
		limit = PRIOR_MAX;
	else if (leaf->type == LEAF_NONCE) { /* its length has a refusal of its own in the check */
		limit = MST_NONCE_TEXT_MAX;
		least = 0;
	}
	if (takes_old_types(p) && (leaf->type == LEAF_SERIAL || leaf->type == LEAF_NONCE))
		text = mst_cbor_peek(r) == MST_CBOR_TEXT;
	*out = text ? mst_cbor_text(r) : mst_cbor_bytes(r);
	if (out->len > limit)
		mst_cbor_fail(r, MST_E_CBOR_LIMIT);
	else if (out->len < least || (leaf->type == LEAF_HASH && out->len != SHA256_LEN))
		mst_cbor_fail(r, MST_E_VOUCHER_PARSE);
}

static void
read_leaf(struct parse *p, const struct leaf *leaf)
{
	void *at = (char *)p->claims + leaf->at;

	switch ((enum leaf_type)leaf->type) {
	case LEAF_ASSERTION: read_assertion(p, at); return;
	case LEAF_TIME: read_time(p, at); return;
	case LEAF_BOOL: *(int *)at = mst_cbor_bool(&p->r) ? 1 : 0; return;
	case LEAF_BINARY:
	case LEAF_HASH:
	case LEAF_PRIOR:
	case LEAF_NONCE:
	case LEAF_SERIAL:
	case LEAF_TEXT: read_string(p, leaf, at); return;
	}
}

/*
 * Has a key that is no leaf's stood before? The keys before this one, at offset
 * end, are walked again: nothing needs to be stored, and such keys are rare.
 */
MST_OWN_FRAME static bool
is_repeated(const struct parse *p, const struct key *k, size_t end)
{
	struct mst_cbor_reader r;
	struct key before;

	mst_cbor_init(&r, mst_span_of(p->r.in.ptr + p->inner, p->r.in.len - p->inner));
	mst_cbor_map(&r);
	while (mst_cbor_more(&r) && r.at < end - p->inner) {
		before = read_key(&r, p->base);
		if (before.sid == k->sid && mst_span_eq(before.name, k->name))
			return true;
		mst_cbor_skip(&r);
	}
	return false;
}

static void
read_pair(struct parse *p)
{
	size_t at = p->r.at;
	struct key k = read_key(&p->r, p->base);
	unsigned delta = delta_of(p, &k);
	uint32_t bit = 1;

	if (++p->pairs > LEAVES_MAX)
		mst_cbor_fail(&p->r, MST_E_CBOR_LIMIT);
	for (size_t i = 0; i < LEAVES; i++, bit <<= 1) {
		if (!names_leaf(p, &k, delta, &leaves[i]))
			continue;
		if ((p->seen & bit) != 0) /* also the same leaf in another spelling */
			mst_cbor_fail(&p->r, MST_E_CBOR_DUPLICATE);
		p->seen |= bit;
		read_leaf(p, &leaves[i]);
		return;
	}
	if (p->r.err == MST_OK && is_repeated(p, &k, at))
		mst_cbor_fail(&p->r, MST_E_CBOR_DUPLICATE);
	p->claims->unknown++; /* RFC 8995 5.6.1: unknown leaves are ignored */
	mst_cbor_skip(&p->r);
}

/* The one key of the outer map that kind wants. */
static mst_err
read_outer(struct parse *p, enum mst_voucher_kind kind)
{
	enum mst_voucher_kind other = kind == MST_VOUCHER ? MST_VOUCHER_REQUEST : MST_VOUCHER;
	struct key k;
	int64_t ignored;

	mst_cbor_map(&p->r);
	if (!mst_cbor_more(&p->r))
		return p->r.err != MST_OK ? p->r.err : MST_E_VOUCHER_PARSE;
	k = read_key(&p->r, 0);
	if (p->r.err != MST_OK)
		return p->r.err;
	if (is_outer(p, &k, other, &ignored))
		return MST_E_VOUCHER_KIND;
	return is_outer(p, &k, kind, &p->base) ? MST_OK : MST_E_VOUCHER_PARSE;
}

mst_err
mst_voucher_cbor_parse(
    mst_span cbor, enum mst_voucher_kind kind, unsigned accept, struct mst_voucher_claims *out)
{
	struct mst_voucher_claims c;
	struct parse p = { .claims = &c, .accept = accept };
	mst_err e;

	mst_voucher_claims_init(&c, kind);
	mst_cbor_init(&p.r, cbor);
	if ((e = read_outer(&p, kind)) != MST_OK)
		return e;
	p.inner = p.r.at;
	mst_cbor_map(&p.r);
	while (mst_cbor_more(&p.r))
		read_pair(&p);
	if (p.r.err == MST_OK && mst_cbor_more(&p.r))
		return MST_E_VOUCHER_PARSE; /* brski.md section 4: one top object */
	if ((e = mst_cbor_end(&p.r)) == MST_OK)
		*out = c;
	return e;
}

static void
put_time(struct mst_cbor_writer *w, int64_t t)
{
	uint8_t room[MST_TIME_LEN];
	struct mst_buf text = MST_BUF(room);
	mst_err e = mst_time_format(t, &text);

	mst_cbor_put_text(w, mst_buf_span(&text));
	if (w->err == MST_OK)
		w->err = e;
}

static bool
is_present(const struct mst_voucher_claims *c, const struct leaf *leaf)
{
	const void *at = (const char *)c + leaf->at;

	switch ((enum leaf_type)leaf->type) {
	case LEAF_ASSERTION: return c->assertion != MST_ASSERT_ABSENT;
	case LEAF_BOOL: return c->revocation_checks >= 0;
	case LEAF_TIME: return *(const int64_t *)at != MST_NO_TIME;
	case LEAF_BINARY:
	case LEAF_HASH:
	case LEAF_PRIOR:
	case LEAF_NONCE:
	case LEAF_SERIAL:
	case LEAF_TEXT: break;
	}
	return ((const mst_span *)at)->ptr != NULL;
}

static void
put_leaf(struct mst_cbor_writer *w, const struct mst_voucher_claims *c, const struct leaf *leaf)
{
	const void *at = (const char *)c + leaf->at;

	mst_cbor_put_uint(w, leaf->delta[c->kind]);
	switch ((enum leaf_type)leaf->type) {
	case LEAF_ASSERTION: mst_cbor_put_int(w, c->assertion); return;
	case LEAF_BOOL: mst_cbor_put_bool(w, c->revocation_checks > 0); return;
	case LEAF_TIME: put_time(w, *(const int64_t *)at); return;
	case LEAF_BINARY:
	case LEAF_HASH:
	case LEAF_PRIOR:
	case LEAF_NONCE: mst_cbor_put_bytes(w, *(const mst_span *)at); return;
	case LEAF_SERIAL:
	case LEAF_TEXT: mst_cbor_put_text(w, *(const mst_span *)at); return;
	}
}

mst_err
mst_voucher_cbor_build(const struct mst_voucher_claims *claims, struct mst_buf *out)
{
	size_t before = out->len, head;
	struct mst_cbor_writer w;
	uint8_t pairs = 0;

	_Static_assert(LEAVES < 24, "the head of the inner map is one byte");
	mst_cbor_put_init(&w, out);
	mst_cbor_put_map(&w, 1);
	mst_cbor_put_int(&w, outer_sid(claims->kind, false));
	head = out->len;
	mst_cbor_put_map(&w, 0); /* their number comes when it is known */
	/* RFC 8949 4.2.1: keys ascend, and deltas below 24 do so as bytes */
	for (unsigned d = 1; d <= SID_DELTA_MAX; d++)
		for (size_t i = 0; i < LEAVES; i++)
			if (leaves[i].delta[claims->kind] == d && is_present(claims, &leaves[i])) {
				put_leaf(&w, claims, &leaves[i]);
				pairs++;
			}
	if (mst_cbor_put_end(&w) != MST_OK)
		out->len = before;
	else
		out->ptr[head] |= pairs;
	return mst_cbor_put_end(&w);
}

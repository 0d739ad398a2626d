/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests in JSON: RFC 8366bis 8 and 9, brski.md section 4. */
#include "host/envelope.h"

#include <stddef.h>

#include "host/json.h"
#include "muster/base64.h"

/* DM-5 */
#define DEPTH_MAX 8
#define MEMBERS_MAX 64
#define LEAF_MAX 16384u
#define PRIOR_MAX 49152u
#define TEXT_MAX 98304u

enum leaf_type { LEAF_TEXT, LEAF_BINARY, LEAF_HASH, LEAF_PRIOR, LEAF_TIME };
enum { IN_VOUCHER = 1, IN_REQUEST = 2, IN_BOTH = 3 };

#define AT(member) offsetof(struct mst_voucher_claims, member)

/* The order is that of building. assertion, nonce and the boolean have rules of their own. */
static const struct leaf {
	const char *name;
	enum leaf_type type;
	unsigned in;
	size_t at;
} leaves[] = {
	{ "created-on", LEAF_TIME, IN_BOTH, AT(created_on) },
	{ "expires-on", LEAF_TIME, IN_BOTH, AT(expires_on) },
	{ "last-renewal-date", LEAF_TIME, IN_BOTH, AT(last_renewal) },
	{ "serial-number", LEAF_TEXT, IN_BOTH, AT(serial) },
	{ "idevid-issuer", LEAF_BINARY, IN_BOTH, AT(idevid_issuer) },
	{ "pinned-domain-cert", LEAF_BINARY, IN_BOTH, AT(pinned_cert) },
	{ "pinned-domain-pubk", LEAF_BINARY, IN_BOTH, AT(pinned_pubk) },
	{ "pinned-domain-pubk-sha256", LEAF_HASH, IN_BOTH, AT(pinned_pubk_sha256) },
	{ "proximity-registrar-cert", LEAF_BINARY, IN_REQUEST, AT(proximity_cert) },
	{ "proximity-registrar-pubk", LEAF_BINARY, IN_REQUEST, AT(proximity_pubk) },
	{ "proximity-registrar-pubk-sha256", LEAF_HASH, IN_REQUEST, AT(proximity_pubk_sha256) },
	{ "prior-signed-voucher-request", LEAF_PRIOR, IN_REQUEST, AT(prior_request) },
	{ "est-domain", LEAF_TEXT, IN_BOTH, AT(est_domain) },
	{ "additional-configuration-url", LEAF_TEXT, IN_BOTH, AT(additional_configuration_url) },
	{ "manufacturer-proprietary", LEAF_TEXT, IN_BOTH, AT(manufacturer_proprietary) },
};
#define LEAVES (sizeof(leaves) / sizeof(leaves[0]))

static const char assertion_leaf[] = "assertion";
static const char nonce_leaf[] = "nonce";
static const char checks_leaf[] = "domain-cert-revocation-checks";

static const char *
top_name(enum mst_voucher_kind kind)
{
	switch (kind) {
	case MST_VOUCHER: return "ietf-voucher:voucher";
	case MST_VOUCHER_REQUEST: return "ietf-voucher-request:voucher";
	}
	return "";
}

static unsigned
kind_bit(enum mst_voucher_kind kind)
{
	return kind == MST_VOUCHER ? IN_VOUCHER : IN_REQUEST;
}

/* DM-1: our output is RFC 4648 section 4; input may use the url alphabet and leave out padding. */
static mst_err
decode(struct arena *a, mst_span text, size_t limit, mst_span *out)
{
	struct mst_buf buf;

	if (text.len > MST_BASE64_LEN(limit))
		return MST_E_JSON_LIMIT;
	buf = arena_buf(a, text.len / 4 * 3 + 3);
	if (buf.cap == 0)
		return MST_E_NOMEM;
	if (mst_base64_decode(text, MST_BASE64_URL, &buf) != MST_OK || buf.len == 0)
		return MST_E_VOUCHER_PARSE;
	*out = mst_buf_span(&buf);
	return MST_OK;
}

/*
 * DM-2: the text is what counts and is kept to the letter. The bytes are for
 * peers that speak CBOR; a nonce that is no base64 is its own bytes.
 */
static mst_err
read_nonce(struct arena *a, mst_span text, struct mst_voucher_claims *c)
{
	struct mst_buf buf;

	if (text.len > MST_NONCE_TEXT_MAX)
		return MST_E_JSON_LIMIT;
	c->nonce_text = arena_dup(a, text);
	buf = arena_buf(a, text.len + 3);
	if (c->nonce_text.ptr == NULL || buf.cap == 0)
		return MST_E_NOMEM;
	c->nonce = c->nonce_text;
	if (mst_base64_decode(text, MST_BASE64_URL, &buf) == MST_OK)
		c->nonce = mst_buf_span(&buf);
	return MST_OK;
}

/*
 * JWS-5 wants base64 of the whole JWS. Requests of before 2021 carry a
 * compact JWS as it is ("eyJ...", two dots); it is kept as bytes, so that
 * judges can refuse it as a JWS of the wrong form and not as no request.
 */
static mst_err
read_prior(struct arena *a, mst_span text, mst_span *out)
{
	mst_err e = decode(a, text, PRIOR_MAX, out);
	unsigned dots = 0;

	if (e != MST_E_VOUCHER_PARSE)
		return e;
	for (size_t i = 0; i < text.len; i++)
		dots += text.ptr[i] == '.';
	if (dots != 2 || text.len > PRIOR_MAX || text.ptr[0] != 'e')
		return e;
	*out = arena_dup(a, text);
	return out->ptr == NULL ? MST_E_NOMEM : MST_OK;
}

static mst_err
read_leaf(struct arena *a, const struct leaf *leaf, mst_span text, struct mst_voucher_claims *c)
{
	void *at = (char *)c + leaf->at;
	mst_span *span = at;
	mst_err e = MST_OK;

	switch (leaf->type) {
	case LEAF_TEXT:
		if (text.len > LEAF_MAX)
			return MST_E_JSON_LIMIT;
		*span = arena_dup(a, text);
		return span->ptr == NULL ? MST_E_NOMEM : MST_OK;
	case LEAF_BINARY: return decode(a, text, LEAF_MAX, span);
	case LEAF_HASH:
		e = decode(a, text, LEAF_MAX, span);
		return e == MST_OK && span->len != 32 ? MST_E_VOUCHER_PARSE : e;
	case LEAF_PRIOR: return read_prior(a, text, span);
	case LEAF_TIME: /* DM-6 */
		return mst_time_parse(text, at) == MST_OK ? MST_OK : MST_E_VOUCHER_PARSE;
	}
	return MST_E_INTERNAL;
}

static mst_err
read_member(struct arena *a, const char *name, const json_t *value, struct mst_voucher_claims *c)
{
	mst_span key = mst_span_str(name), text = json_text(value);

	if (mst_span_eq(key, mst_span_str(checks_leaf))) {
		if (!json_is_boolean(value))
			return MST_E_JSON_TYPE;
		c->revocation_checks = json_is_true(value) ? 1 : 0;
		return MST_OK;
	}
	if (mst_span_eq(key, mst_span_str(assertion_leaf))) {
		/* an unknown word stays absent: the check has the name of that refusal */
		c->assertion = mst_assertion_find(text);
		return text.ptr == NULL ? MST_E_JSON_TYPE : MST_OK;
	}
	if (mst_span_eq(key, mst_span_str(nonce_leaf)))
		return text.ptr == NULL ? MST_E_JSON_TYPE : read_nonce(a, text, c);
	for (size_t i = 0; i < LEAVES; i++) {
		if ((leaves[i].in & kind_bit(c->kind)) == 0 ||
		    !mst_span_eq(key, mst_span_str(leaves[i].name)))
			continue;
		return text.ptr == NULL ? MST_E_JSON_TYPE : read_leaf(a, &leaves[i], text, c);
	}
	c->unknown++; /* RFC 8995 5.6.1: unknown leaves are ignored */
	return MST_OK;
}

/* The object under the one top-level name that kind wants. */
static mst_err
top_object(json_t *top, enum mst_voucher_kind kind, json_t **out)
{
	json_t *inner = json_object_get(top, top_name(kind));
	enum mst_voucher_kind other = kind == MST_VOUCHER ? MST_VOUCHER_REQUEST : MST_VOUCHER;

	if (json_object_get(top, top_name(other)) != NULL)
		return MST_E_VOUCHER_KIND;
	/* brski.md section 4: one top object */
	if (inner == NULL || json_object_size(top) != 1)
		return MST_E_VOUCHER_PARSE;
	if (!json_is_object(inner))
		return MST_E_JSON_TYPE;
	*out = inner;
	return MST_OK;
}

mst_err
voucher_json_parse(
    struct arena *a, mst_span json, enum mst_voucher_kind kind, struct mst_voucher_claims *out)
{
	const struct json_limits limits = { TEXT_MAX, DEPTH_MAX, MEMBERS_MAX };
	struct mst_voucher_claims c;
	json_t *top, *inner = NULL, *value;
	const char *name;
	mst_err e;

	e = json_open(a, json, limits, &top);
	if (e == MST_OK)
		e = top_object(top, kind, &inner);
	if (e != MST_OK)
		return e;
	mst_voucher_claims_init(&c, kind);
	json_object_foreach(inner, name, value)
	{
		e = read_member(a, name, value, &c);
		if (e != MST_OK)
			return e;
	}
	*out = c;
	return MST_OK;
}

/* A string value of any leaf; NULL when it cannot be made (also for text that is no UTF-8). */
static json_t *
encoded(struct arena *a, mst_span bytes)
{
	struct mst_buf buf = arena_buf(a, MST_BASE64_LEN(bytes.len) + 1);

	if (buf.cap == 0 || mst_base64_encode(bytes, &buf) != MST_OK)
		return NULL;
	return json_stringn((const char *)buf.ptr, buf.len);
}

static json_t *
text_value(mst_span text)
{
	return json_stringn((const char *)text.ptr, text.len);
}

static mst_err
put(json_t *to, const char *name, json_t *value)
{
	/* json_object_set_new() takes the reference and fails on NULL */
	return json_object_set_new(to, name, value) == 0 ? MST_OK : MST_E_VOUCHER_PARSE;
}

static mst_err
put_leaf(struct arena *a, json_t *to, const struct leaf *leaf, const struct mst_voucher_claims *c)
{
	const void *at = (const char *)c + leaf->at;
	const mst_span *span = at;
	uint8_t room[MST_TIME_LEN];
	struct mst_buf time = MST_BUF(room);
	int64_t t;

	if (leaf->type == LEAF_TIME) {
		t = *(const int64_t *)at;
		if (t == MST_NO_TIME)
			return MST_OK;
		if (mst_time_format(t, &time) != MST_OK)
			return MST_E_VOUCHER_PARSE;
		return put(to, leaf->name, text_value(mst_buf_span(&time)));
	}
	if (span->ptr == NULL)
		return MST_OK;
	return put(to, leaf->name, leaf->type == LEAF_TEXT ? text_value(*span) : encoded(a, *span));
}

static mst_err
put_claims(struct arena *a, json_t *to, const struct mst_voucher_claims *c)
{
	mst_err e = MST_OK;

	if (c->assertion != MST_ASSERT_ABSENT)
		e = put(to, assertion_leaf, json_string(mst_assertion_name(c->assertion)));
	if (e == MST_OK && c->nonce_text.ptr != NULL)
		e = put(to, nonce_leaf, text_value(c->nonce_text));
	else if (e == MST_OK && c->nonce.ptr != NULL)
		e = put(to, nonce_leaf, encoded(a, c->nonce));
	for (size_t i = 0; e == MST_OK && i < LEAVES; i++)
		if ((leaves[i].in & kind_bit(c->kind)) != 0)
			e = put_leaf(a, to, &leaves[i], c);
	if (e == MST_OK && c->revocation_checks >= 0)
		e = put(to, checks_leaf, json_boolean(c->revocation_checks));
	return e;
}

mst_err
voucher_json_build(struct arena *a, const struct mst_voucher_claims *claims, mst_span *json)
{
	json_t *top = json_object(), *inner = json_object();
	mst_err e = MST_E_NOMEM;

	if (top == NULL || inner == NULL) {
		json_decref(inner);
		goto out;
	}
	e = put_claims(a, inner, claims);
	if (e != MST_OK) {
		json_decref(inner);
		goto out;
	}
	e = put(top, top_name(claims->kind), inner);
	if (e == MST_OK)
		return json_close(a, top, json);
out:
	json_decref(top);
	return e;
}

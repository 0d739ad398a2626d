/* SPDX-License-Identifier: Apache-2.0 */
/* voucher_status and enrollstatus: RFC 8995 5.7 and 5.9.4, brski.md section 10. */
#include "host/telemetry.h"

#include "host/json.h"
#include "muster/cbor.h"

#define BODY_MAX 16384u
#define DEPTH_MAX 8
#define MEMBERS_MAX 64

/* What must be there: version and status. */
#define SEEN_VERSION 1u
#define SEEN_STATUS 2u
#define SEEN_REASON 4u
#define SEEN_CONTEXT 8u

static mst_err
read_context(struct arena *a, const json_t *value, mst_span *out)
{
	json_t *copy;

	if (!json_is_object(value))
		return MST_E_TELEMETRY_PARSE;
	copy = json_deep_copy(value); /* json_close() takes it */
	return json_close(a, copy, out);
}

static mst_err
parse_json(struct arena *a, mst_span body, struct telemetry *t)
{
	const struct json_limits limits = { BODY_MAX, DEPTH_MAX, MEMBERS_MAX };
	const json_t *version, *status, *reason, *context;
	json_t *top;
	size_t known = 2;
	mst_err e;

	e = json_open(a, body, limits, &top);
	if (e != MST_OK)
		return e == MST_E_NOMEM ? e : MST_E_TELEMETRY_PARSE;
	version = json_object_get(top, "version");
	status = json_object_get(top, "status");
	reason = json_object_get(top, "reason");
	context = json_object_get(top, "reason-context");
	if (!json_is_integer(version) || !json_is_boolean(status))
		return MST_E_TELEMETRY_PARSE;
	t->version = json_integer_value(version);
	t->status = json_is_true(status);
	if (reason != NULL) {
		if (!json_is_string(reason))
			return MST_E_TELEMETRY_PARSE;
		known++;
		t->reason = arena_dup(a, json_text(reason));
		if (t->reason.ptr == NULL)
			return MST_E_NOMEM;
	}
	if (context != NULL) {
		known++;
		e = read_context(a, context, &t->reason_context);
		if (e != MST_OK)
			return e;
	}
	t->unknown = (unsigned)(json_object_size(top) - known);
	return MST_OK;
}

/* One item of CBOR as JSON; depth bounds the recursion, mst_cbor_raw() has checked the bytes. */
static json_t *item_to_json(struct arena *a, struct mst_cbor_reader *r, unsigned depth);

static json_t *
hex_value(struct arena *a, mst_span bytes)
{
	static const char hex[] = "0123456789abcdef";
	char *text = arena_alloc(a, 2 * bytes.len + 1);

	for (size_t i = 0; text != NULL && i < bytes.len; i++) {
		text[2 * i] = hex[bytes.ptr[i] >> 4];
		text[2 * i + 1] = hex[bytes.ptr[i] & 15];
	}
	return text == NULL ? NULL : json_string(text);
}

static json_t *
array_to_json(struct arena *a, struct mst_cbor_reader *r, unsigned depth)
{
	json_t *list = json_array();

	mst_cbor_array(r);
	while (mst_cbor_more(r))
		if (json_array_append_new(list, item_to_json(a, r, depth)) != 0)
			mst_cbor_fail(r, MST_E_TELEMETRY_PARSE);
	return list;
}

/* Section 10: keys of a CBOR reason-context may be integers; JSON has only text. */
static const char *
map_key(struct arena *a, struct mst_cbor_reader *r)
{
	switch ((int)mst_cbor_peek(r)) {
	case MST_CBOR_TEXT: return arena_str(a, mst_cbor_text(r));
	case MST_CBOR_UINT:
	case MST_CBOR_NINT: return arena_printf(a, "%lld", (long long)mst_cbor_int(r));
	default: return NULL;
	}
}

static json_t *
map_to_json(struct arena *a, struct mst_cbor_reader *r, unsigned depth)
{
	json_t *map = json_object();

	mst_cbor_map(r);
	while (mst_cbor_more(r)) {
		const char *key = map_key(a, r);

		if (key == NULL || json_object_get(map, key) != NULL ||
		    json_object_set_new(map, key, item_to_json(a, r, depth)) != 0)
			mst_cbor_fail(r, MST_E_TELEMETRY_PARSE);
	}
	return map;
}

static json_t *
item_to_json(struct arena *a, struct mst_cbor_reader *r, unsigned depth)
{
	mst_span text;

	if (depth == 0) {
		mst_cbor_fail(r, MST_E_TELEMETRY_PARSE);
		return NULL;
	}
	switch ((int)mst_cbor_peek(r)) {
	case MST_CBOR_UINT:
	case MST_CBOR_NINT: return json_integer(mst_cbor_int(r));
	case MST_CBOR_BYTES: return hex_value(a, mst_cbor_bytes(r));
	case MST_CBOR_TEXT:
		text = mst_cbor_text(r);
		return json_stringn(text.ptr == NULL ? "" : (const char *)text.ptr, text.len);
	case MST_CBOR_ARRAY: return array_to_json(a, r, depth - 1);
	case MST_CBOR_MAP: return map_to_json(a, r, depth - 1);
	case MST_CBOR_BOOL: return json_boolean(mst_cbor_bool(r));
	case MST_CBOR_NULL: mst_cbor_null(r); return json_null();
	default: mst_cbor_skip(r); return json_null(); /* floats, tags: no telemetry has them */
	}
}

static void
read_cbor_context(struct arena *a, struct mst_cbor_reader *r, struct telemetry *t)
{
	json_t *map;

	if (mst_cbor_peek(r) != MST_CBOR_MAP) {
		mst_cbor_fail(r, MST_E_TELEMETRY_PARSE);
		return;
	}
	map = map_to_json(a, r, DEPTH_MAX);
	if (json_close(a, map, &t->reason_context) != MST_OK)
		mst_cbor_fail(r, MST_E_TELEMETRY_PARSE);
}

static mst_err
parse_cbor(struct arena *a, mst_span body, struct telemetry *t)
{
	static const struct {
		mst_span name;
		unsigned bit;
	} keys[] = {
		{ { (const uint8_t *)"version", 7 }, SEEN_VERSION },
		{ { (const uint8_t *)"status", 6 }, SEEN_STATUS },
		{ { (const uint8_t *)"reason", 6 }, SEEN_REASON },
		{ { (const uint8_t *)"reason-context", 14 }, SEEN_CONTEXT },
	};
	struct mst_cbor_reader r;
	unsigned seen = 0, bit;
	mst_span key;

	if (body.len > BODY_MAX)
		return MST_E_TELEMETRY_PARSE;
	mst_cbor_init(&r, body);
	mst_cbor_map(&r);
	while (mst_cbor_text_key(&r, &key)) {
		bit = 0;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (mst_span_eq(key, keys[i].name))
				bit = keys[i].bit;
		if ((seen & bit) != 0)
			mst_cbor_fail(&r, MST_E_TELEMETRY_PARSE);
		seen |= bit;
		switch (bit) {
		case SEEN_VERSION: t->version = mst_cbor_int(&r); break;
		case SEEN_STATUS: t->status = mst_cbor_bool(&r); break;
		case SEEN_REASON: t->reason = arena_dup(a, mst_cbor_text(&r)); break;
		case SEEN_CONTEXT: read_cbor_context(a, &r, t); break;
		default: /* TEL-3: logged by the caller and ignored */
			mst_cbor_skip(&r);
			t->unknown++;
			break;
		}
	}
	if (mst_cbor_end(&r) != MST_OK || (~seen & (SEEN_VERSION | SEEN_STATUS)) != 0)
		return MST_E_TELEMETRY_PARSE;
	return MST_OK;
}

mst_err
telemetry_parse(struct arena *a, enum telemetry_form form, mst_span body, struct telemetry *out)
{
	struct telemetry t = { .reason = MST_NONE, .reason_context = MST_NONE };
	mst_err e = MST_E_TELEMETRY_PARSE;

	switch (form) {
	case TELEMETRY_JSON: e = parse_json(a, body, &t); break;
	case TELEMETRY_CBOR: e = parse_cbor(a, body, &t); break;
	}
	if (e == MST_OK)
		*out = t;
	return e;
}

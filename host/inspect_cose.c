/* SPDX-License-Identifier: Apache-2.0 */
/* What comes in CBOR: the headers of COSE_Sign1 (RFC 9052), bare vouchers, telemetry, anything. */
#include "host/inspect_impl.h"

#include <string.h>

#include "host/cbor_diag.h"
#include "muster/cbor.h"
#include "muster/cose.h"

#define TAG_COSE_SIGN1 18
#define TAG_SID 47 /* RFC 9254 3.2: an absolute SID */

/* --- vouchers --- */

static const struct {
	int64_t sid;
	const char *name;
	enum mst_voucher_kind kind;
} tops[] = {
	/* RFC 8366bis 8.5, 9.3; the last two are of drafts before it (section 19) */
	{ 2451, "ietf-voucher:voucher", MST_VOUCHER },
	{ 2501, "ietf-voucher-request:voucher", MST_VOUCHER_REQUEST },
	{ 1001104, "", MST_VOUCHER },
	{ 1001154, "", MST_VOUCHER_REQUEST },
};

static bool
kind_of(mst_span payload, enum mst_voucher_kind *kind)
{
	struct mst_cbor_reader r;
	mst_span name = MST_NONE;
	int64_t sid = 0;

	mst_cbor_init(&r, payload);
	mst_cbor_map(&r);
	if (!mst_cbor_more(&r))
		return false;
	if (mst_cbor_peek(&r) == MST_CBOR_TAG && mst_cbor_tag(&r) != TAG_SID)
		return false;
	if (mst_cbor_peek(&r) == MST_CBOR_TEXT)
		name = mst_cbor_text(&r);
	else
		sid = mst_cbor_int(&r);
	for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++)
		if (sid == tops[i].sid ||
		    (name.len != 0 && mst_span_eq(name, mst_span_str(tops[i].name)))) {
			*kind = tops[i].kind;
			return true;
		}
	return false;
}

/* [protected, unprotected, payload, signature], tagged 18 or not, whatever its headers say. */
static bool
content_of(mst_span message, mst_span *payload)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, message);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG && mst_cbor_tag(&r) != TAG_COSE_SIGN1)
		return false;
	mst_cbor_array(&r);
	(void)mst_cbor_bytes(&r);
	mst_cbor_skip(&r);
	*payload = mst_cbor_bytes(&r);
	(void)mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	return mst_cbor_end(&r) == MST_OK;
}

mst_err
inspect_cose_payload(
    mst_span message, enum mst_media *media, mst_span *payload, enum mst_voucher_kind *kind)
{
	if (mst_cbor_validate(message) != MST_OK)
		return MST_E_CONTENT_UNKNOWN;
	*media = MST_MEDIA_COSE_CBOR;
	if (content_of(message, payload) && kind_of(*payload, kind))
		return MST_OK;
	*media = MST_MEDIA_NONE;
	*payload = message;
	return kind_of(message, kind) ? MST_OK : MST_E_CONTENT_UNKNOWN;
}

static const char *
alg_words(enum mst_cose_alg alg)
{
	switch (alg) {
	case MST_COSE_ES256: return "ES256 (-7)";
	case MST_COSE_EDDSA: return "EdDSA (-8)";
	case MST_COSE_ES384: return "ES384 (-35)";
	case MST_COSE_ES512: return "ES512 (-36)";
	}
	return "";
}

static void
report_certs(struct report *r, const char *name, const struct mst_cose_certs *certs,
    enum mst_voucher_kind kind)
{
	mst_span rest = certs->items, der;
	const char *words = "in no order, and not signed: only a chain to an anchor counts";

	if (certs->items.ptr == NULL)
		return;
	if (certs->is_protected)
		words = "signed along: the device needs them to reach its anchor";
	else if (kind == MST_VOUCHER)
		words = "for the registrar, which strips them before the pledge";
	report_text(r, name,
	    arena_printf(r->a, "%zu in the %s header", certs->count,
	        certs->is_protected ? "protected" : "unprotected"),
	    "RFC 9360 2", words);
	for (size_t i = 1; mst_cose_certs_next(&rest, &der); i++)
		report_text(r, arena_printf(r->a, "%s %zu", name, i), inspect_cert_words(r->a, der),
		    NULL, NULL);
}

bool
inspect_cose_headers(struct report *r, mst_span message, enum mst_voucher_kind kind)
{
	struct mst_cose_sign1 m;
	mst_err e = mst_cose_sign1_parse(message, &m);

	report_text(r, "tag", (message.ptr[0] & 0xe0) == 0xc0 ? "18" : "none", "RFC 9052 2",
	    "says that this is COSE_Sign1; it may be left away");
	if (e != MST_OK) {
		report_verdict(r, "headers", e, NULL, "", NULL);
		return true;
	}
	report_text(r, "alg", alg_words(m.alg), "RFC 9052 3.1", "from the protected header");
	report_hex(r, "kid", m.kid, "RFC 9052 3.1", "a hint at the key; nothing follows from it");
	report_certs(r, "x5bag", &m.x5bag, kind);
	report_certs(r, "x5chain", &m.x5chain, kind);
	report_check(r, "headers", OUTCOME_OK, MST_OK, "RFC 9052 3", "as they should be");
	return m.x5bag.count + m.x5chain.count != 0;
}

/* --- anything --- */

void
inspect_diag(struct report *r, mst_span bytes)
{
	const char *text, *kind = json_string_value(json_object_get(r->top, "kind"));
	bool suit = kind != NULL && strncmp(kind, "suit-", 5) == 0;

	if (cbor_diag(r->a, bytes, suit ? CBOR_DIAG_EMBEDDED : CBOR_DIAG_COSE, &text) == MST_OK)
		json_object_set_new(r->top, "diag", json_string(text));
}

static const char *
what_it_is(struct arena *a, mst_span bytes)
{
	struct mst_cbor_reader r;
	uint64_t tag;

	mst_cbor_init(&r, bytes);
	switch (mst_cbor_peek(&r)) {
	case MST_CBOR_TAG:
		tag = mst_cbor_tag(&r);
		return arena_printf(a, "tag %llu", (unsigned long long)tag);
	case MST_CBOR_ARRAY: return "array";
	case MST_CBOR_MAP: return "map";
	case MST_CBOR_UINT:
	case MST_CBOR_NINT: return "integer";
	case MST_CBOR_BYTES: return "byte string";
	case MST_CBOR_TEXT: return "text";
	case MST_CBOR_BOOL:
	case MST_CBOR_NULL:
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE:
	case MST_CBOR_FLOAT: return "simple value or number";
	case MST_CBOR_BREAK:
	case MST_CBOR_END: break;
	}
	return "nothing";
}

/* COSE_Key (RFC 9052 7, RFC 9053 7): has it what only its owner may know? */
static bool
is_secret_key(mst_span bytes)
{
	bool has[5] = { false }; /* labels 0 to -4 */
	struct mst_cbor_reader r;
	int64_t label, type = 0;

	mst_cbor_init(&r, bytes);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		if (mst_cbor_peek(&r) != MST_CBOR_UINT && mst_cbor_peek(&r) != MST_CBOR_NINT) {
			mst_cbor_skip(&r);
			mst_cbor_skip(&r);
			continue;
		}
		label = mst_cbor_int(&r);
		if (label == 1 && mst_cbor_peek(&r) == MST_CBOR_UINT) {
			type = mst_cbor_int(&r);
			continue;
		}
		if (label <= 0 && label >= -4)
			has[-label] = true;
		mst_cbor_skip(&r);
	}
	if (mst_cbor_end(&r) != MST_OK)
		return false;
	return ((type == 1 || type == 2) && has[4]) || (type == 3 && has[3]) ||
	       (type == 4 && has[1]);
}

static mst_err
say_secret(struct report *r, const char *encoding)
{
	report_kind(r, "private-key", "cose-key", encoding);
	report_check(r, "secret", OUTCOME_OPEN, MST_OK, "muster SEC-6",
	    "keep it from other people's eyes: its value is not shown");
	return MST_OK;
}

/* --- several in one: application/multipart-core, RFC 8710 --- */

static const struct part {
	uint64_t format;
	const char *name;
	bool secret;
} parts[] = {
	/* brski.md 13.1 */
	{ 280, "PKCS#7 with a private key", true },
	{ 281, "PKCS#7 certs-only", false },
	{ 284, "PKCS#8", true },
	{ 285, "csrattrs", false },
	{ 286, "PKCS#10", false },
	{ 287, "certificate", false },
	{ 836, "voucher in COSE", false },
};

static const struct part *
part_of(uint64_t format)
{
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].format == format)
			return &parts[i];
	return NULL;
}

/* [content-format, bytes, ...], of which one format at least is of EST or BRSKI. */
static bool
is_multipart(mst_span bytes, bool *secret)
{
	struct mst_cbor_reader r;
	bool known = false;

	*secret = false;
	mst_cbor_init(&r, bytes);
	mst_cbor_array(&r);
	while (mst_cbor_more(&r)) {
		const struct part *p = part_of(mst_cbor_uint(&r));

		(void)mst_cbor_bytes(&r);
		known = known || p != NULL;
		*secret = *secret || (p != NULL && p->secret);
	}
	return mst_cbor_end(&r) == MST_OK && known;
}

static void
report_parts(struct report *r, mst_span bytes)
{
	json_t *more = json_array(), *inside;
	struct mst_cbor_reader c;

	mst_cbor_init(&c, bytes);
	mst_cbor_array(&c);
	for (unsigned i = 1; mst_cbor_more(&c); i++) {
		uint64_t format = mst_cbor_uint(&c);
		const struct part *p = part_of(format);
		mst_span content = mst_cbor_bytes(&c);

		report_text(r, arena_printf(r->a, "part %u", i),
		    arena_printf(r->a, "%llu, %zu bytes", (unsigned long long)format, content.len),
		    "RFC 8710 2", p != NULL ? p->name : "of another content-format");
		if (inspect_inside(r->a, content, r->o, r->depth + 1, &inside) == MST_OK)
			json_array_append_new(more, inside);
	}
	json_object_set_new(r->top, "more", more);
}

static mst_err
inspect_multipart(struct report *r, mst_span bytes, bool secret, const char *encoding)
{
	report_kind(r, "multipart-core", "cbor", encoding);
	report_parts(r, bytes);
	report_check(r, "data-model", OUTCOME_OK, MST_OK, "RFC 8710 2", "as it should be");
	if (secret)
		report_check(r, "secret", OUTCOME_OPEN, MST_OK, "muster SEC-6",
		    "a private key is in it: keep it from other people's eyes");
	else if ((r->o->want & INSPECT_DIAG) != 0)
		inspect_diag(r, bytes);
	return MST_OK;
}

mst_err
inspect_any_cbor(struct report *r, mst_span bytes, const char *encoding)
{
	bool holds_more = bytes.len > 1 && bytes.ptr[0] >= 0x80 && bytes.ptr[0] < 0xe0;
	bool secret;
	mst_err unique;

	/* A number or a string may be anything; who asks for its notation knows what it is. */
	if (!holds_more && (r->o->want & INSPECT_DIAG) == 0)
		return MST_E_CONTENT_UNKNOWN;
	if (mst_cbor_validate(bytes) != MST_OK)
		return MST_E_CONTENT_UNKNOWN;
	if (is_secret_key(bytes))
		return say_secret(r, encoding);
	if (is_multipart(bytes, &secret))
		return inspect_multipart(r, bytes, secret, encoding);
	report_kind(r, "cbor", "cbor", encoding);
	report_text(r, "size", arena_printf(r->a, "%zu bytes", bytes.len), NULL, NULL);
	report_text(r, "item", what_it_is(r->a, bytes), "RFC 8949 3.1",
	    "CBOR of nothing that is known here; its notation is below");
	unique = mst_cbor_validate_unique(bytes);
	report_check(r, "well-formed", OUTCOME_OK, MST_OK, "RFC 8949 5.3.1", "one item, whole");
	report_check(r, "keys", unique == MST_OK ? OUTCOME_OK : OUTCOME_WARN, unique,
	    "RFC 8949 5.6",
	    unique == MST_OK ? "no map has a key twice" : mst_err_info(unique)->sentence);
	inspect_diag(r, bytes);
	return MST_OK;
}

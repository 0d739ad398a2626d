/* SPDX-License-Identifier: Apache-2.0 */
/* What comes as JSON or CBOR without a signature: telemetry, audit logs, parts of a JWS. */
#include "host/inspect_impl.h"

#include <string.h>

#include "host/json.h"
#include "host/telemetry.h"
#include "muster/base64.h"

#define TEXT_MAX (4u << 20)

/* --- JWS --- */

static bool
is_base64url(mst_span s)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == 0 || strchr(letters, s.ptr[i]) == NULL)
			return false;
	return s.len > 0;
}

mst_err
inspect_compact(struct arena *a, mst_span text, mst_span *general)
{
	const uint8_t *one = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL, *two;
	const uint8_t *limit = text.ptr + text.len;
	mst_span h, p, s;

	if (one == NULL || (two = memchr(one + 1, '.', (size_t)(limit - one - 1))) == NULL)
		return MST_E_JWS;
	h = mst_span_of(text.ptr, (size_t)(one - text.ptr));
	p = mst_span_of(one + 1, (size_t)(two - one - 1));
	s = mst_span_of(two + 1, (size_t)(limit - two - 1));
	if (!is_base64url(h) || !is_base64url(p) || !is_base64url(s))
		return MST_E_JWS;
	return json_close(a,
	    json_pack("{s:s%,s:[{s:s%,s:s%}]}", "payload", p.ptr, p.len, "signatures", "protected",
	        h.ptr, h.len, "signature", s.ptr, s.len),
	    general);
}

static mst_err
jws_header(struct report *r, const json_t *top, const char *encoding)
{
	const json_t *x5c = json_object_get(top, "x5c");

	report_kind(r, "jws-header", "json", encoding);
	report_span(r, "alg", json_text(json_object_get(top, "alg")), "RFC 7515 4.1.1",
	    "how the JWS is signed");
	report_text(r, "certificates", arena_printf(r->a, "%zu", json_array_size(x5c)),
	    "RFC 7515 4.1.6", "the signer's, and its chain");
	for (size_t i = 0; i < json_array_size(x5c) && i < 16; i++) {
		mst_span text = json_text(json_array_get(x5c, i));
		struct mst_buf der = arena_buf(r->a, text.len + 1);
		X509 *cert;

		if (der.cap == 0 || text.ptr == NULL ||
		    mst_base64_decode(text, MST_BASE64_STRICT, &der) != MST_OK ||
		    cert_parse(mst_buf_span(&der), &cert) != MST_OK) {
			report_check(r, "x5c", OUTCOME_BAD, MST_E_JWS_HEADER, "RFC 7515 4.1.6",
			    "an entry is no certificate");
			continue;
		}
		report_text(r, i == 0 ? "signer" : "chain", cert_subject(r->a, cert),
		    "RFC 7515 4.1.6", i == 0 ? "who signs with this header" : "and who vouches");
		X509_free(cert);
	}
	report_check(r, "signature", OUTCOME_OPEN, MST_OK, "RFC 7515 5.2",
	    "a header alone has nothing to verify");
	return MST_OK;
}

/* --- telemetry and audit log --- */

static void
report_telemetry(struct report *r, const struct telemetry *t)
{
	report_text(r, "version", arena_printf(r->a, "%lld", (long long)t->version), "RFC 8995 5.7",
	    "of this format; 1 is the only one");
	report_text(r, "status", t->status ? "true" : "false", "RFC 8995 5.7",
	    t->status ? "the device is content" : "the device refused or failed");
	report_span(r, "reason", t->reason, "RFC 8995 5.7", "in the device's own words");
	report_span(
	    r, "reason-context", t->reason_context, "RFC 8995 5.7", "more of it, for machines");
	if (t->unknown != 0)
		report_text(r, "unknown members", arena_printf(r->a, "%u", t->unknown),
		    "RFC 8995 5.7", "not of the format; they are passed over");
	report_check(r, "data-model", OUTCOME_OK, MST_OK, "RFC 8995 5.7", "as it should be");
	if (t->version != 1)
		report_check(r, "version", OUTCOME_WARN, MST_OK, "RFC 8995 5.7",
		    "another version than 1: tell a human");
	report_check(r, "status", t->status ? OUTCOME_OK : OUTCOME_WARN,
	    t->status ? MST_OK : MST_E_TELEMETRY_FAILED, "RFC 8995 5.7",
	    t->status ? "success is reported" : "a failure is reported");
	report_check(r, "client", OUTCOME_OPEN, MST_OK, "RFC 8995 5.9.4",
	    "who sent it is known from the TLS connection alone");
}

static json_t *
audit_event(struct arena *a, const struct audit_event *ev)
{
	return json_pack("{s:s,s:s,s:o,s:s,s:I}", "date", text_time(a, ev->date), "domainID",
	    text_base64(a, ev->domain_id), "nonce", json_span(a, ev->nonce), "assertion",
	    mst_assertion_name(ev->assertion), "truncated", (json_int_t)ev->truncated);
}

static void
report_audit(struct report *r, const struct audit_log *log)
{
	json_t *events = json_array();
	size_t nonceless = 0;

	report_text(r, "version", arena_printf(r->a, "%lld", (long long)log->version),
	    "RFC 8995 5.8.1", "of this format");
	report_text(r, "events", arena_printf(r->a, "%zu", log->count), "RFC 8995 5.8.1",
	    "how many vouchers were issued for the device");
	for (size_t i = 0; i < log->count; i++) {
		const struct audit_event *ev = &log->events[i];

		nonceless += ev->nonce.ptr == NULL;
		json_array_append_new(events, audit_event(r->a, ev));
		if (i >= 100)
			continue; /* the rest is in "events" */
		report_text(r, arena_printf(r->a, "event %zu", i + 1),
		    arena_printf(r->a, "%s %s, domain %s", text_time(r->a, ev->date),
		        mst_assertion_name(ev->assertion), text_base64(r->a, ev->domain_id)),
		    "RFC 8995 5.8.1",
		    ev->nonce.ptr == NULL ? "nonceless: whoever holds that voucher may use it later"
		                          : "a voucher for one attempt");
	}
	json_object_set_new(r->top, "events", events);
	report_text(r, "truncation",
	    arena_printf(r->a, "%lld nonced, %lld nonceless, %lld arbitrary",
	        (long long)log->nonced_duplicates, (long long)log->nonceless_duplicates,
	        (long long)log->arbitrary),
	    "RFC 8995 5.8.1", "entries left out by the MASA");
	report_check(r, "data-model", OUTCOME_OK, MST_OK, "RFC 8995 5.8.1", "as it should be");
	report_check(r, "complete", log->arbitrary == 0 ? OUTCOME_OK : OUTCOME_WARN,
	    log->arbitrary == 0 ? MST_OK : MST_E_AUDIT_TRUNCATED, "RFC 8995 5.8.1",
	    log->arbitrary == 0 ? "nothing was cut out" : "entries were cut out arbitrarily");
	report_check(r, "nonceless", nonceless == 0 ? OUTCOME_OK : OUTCOME_WARN,
	    nonceless == 0 ? MST_OK : MST_E_AUDIT_NONCELESS, "RFC 8995 5.8.3",
	    nonceless == 0
	        ? "no voucher without a nonce"
	        : arena_printf(r->a, "%zu without a nonce: bad unless your own", nonceless));
	report_check(r, "domains", OUTCOME_OPEN, MST_OK, "RFC 8995 5.8.3",
	    "which domains are known, the registrar judges: `muster device show`");
}

/* Documents show JSON with lines broken inside strings (RFC 8792 and worse): no JSON, but it can
 * be told what it was. */
static mst_err
unwrap(struct report *r, mst_span *text, struct json_limits limits, json_t **top)
{
	struct mst_buf b = arena_buf(r->a, text->len + 1);
	mst_err e;

	if (b.cap == 0)
		return MST_E_NOMEM;
	for (size_t i = 0; i < text->len; i++)
		if (text->ptr[i] != '\n' && text->ptr[i] != '\r')
			b.ptr[b.len++] = text->ptr[i];
	*text = mst_buf_span(&b);
	if ((e = json_open(r->a, *text, limits, top)) == MST_OK)
		report_check(r, "json", OUTCOME_BAD, MST_E_JSON, NULL,
		    "lines are broken inside strings; a receiver refuses that");
	return e;
}

mst_err
inspect_json(struct report *r, mst_span text, const char *encoding)
{
	const struct json_limits limits = { TEXT_MAX, JSON_DEPTH_MAX, 20000 };
	struct telemetry t;
	struct audit_log log;
	json_t *top;
	mst_err e = json_open(r->a, text, limits, &top);

	if (e == MST_E_JSON)
		e = unwrap(r, &text, limits, &top);
	if (e != MST_OK) {
		inspect_say("begins like JSON");
		return e;
	}
	if (json_object_get(top, "payload") != NULL && json_object_get(top, "signatures") != NULL)
		return inspect_voucher(r, MST_MEDIA_JWS_JSON, text, encoding);
	if (json_object_get(top, "ietf-voucher:voucher") != NULL ||
	    json_object_get(top, "ietf-voucher-request:voucher") != NULL)
		return inspect_voucher(r, MST_MEDIA_NONE, text, encoding);
	if (json_object_get(top, "alg") != NULL && json_object_get(top, "x5c") != NULL)
		return jws_header(r, top, encoding);
	if (json_object_get(top, "events") != NULL) {
		report_kind(r, "audit-log", "json", encoding);
		if ((e = audit_log_parse(r->a, text, &log)) == MST_OK)
			report_audit(r, &log);
		else
			report_verdict(r, "data-model", e, NULL, "", NULL);
		return e == MST_E_NOMEM ? e : MST_OK;
	}
	if (json_object_get(top, "status") != NULL && json_object_get(top, "version") != NULL) {
		report_kind(r, "telemetry", "json", encoding);
		if ((e = telemetry_parse(r->a, TELEMETRY_JSON, text, &t)) == MST_OK)
			report_telemetry(r, &t);
		else
			report_verdict(r, "data-model", e, NULL, "", NULL);
		return e == MST_E_NOMEM ? e : MST_OK;
	}
	inspect_say("JSON, but of nothing that is known here");
	return MST_E_CONTENT_UNKNOWN;
}

mst_err
inspect_cbor(struct report *r, mst_span bytes, const char *encoding)
{
	struct telemetry t;
	mst_err e = telemetry_parse(r->a, TELEMETRY_CBOR, bytes, &t);

	if (e == MST_E_NOMEM)
		return e;
	if (e != MST_OK)
		return MST_E_CONTENT_UNKNOWN;
	report_kind(r, "telemetry", "cbor", encoding);
	report_telemetry(r, &t);
	return MST_OK;
}

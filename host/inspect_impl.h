/* SPDX-License-Identifier: Apache-2.0 */
/* The parts behind inspect.h; nobody else includes this. */
#ifndef HOST_INSPECT_IMPL_H
#define HOST_INSPECT_IMPL_H

#include <openssl/x509.h>

#include "host/inspect.h"

/* One report being written. */
struct report {
	struct arena *a;
	const struct inspect_options *o;
	json_t *top, *fields, *checks;
	unsigned depth; /* of reports inside reports */
	bool failed; /* a check that a verifier must hold good is not */
	bool judged; /* something was judged by the anchors */
};

enum outcome {
	OUTCOME_OK,
	OUTCOME_BAD, /* a verifier refuses: counts for "verified" */
	OUTCOME_WARN, /* against the profile, but not for every verifier */
	OUTCOME_OPEN, /* cannot be judged here */
};

#define INSPECT_DEPTH_MAX 3u

MST_MUST_USE mst_err report_begin(
    struct report *r, struct arena *a, const struct inspect_options *o, unsigned depth);
void report_kind(struct report *r, const char *kind, const char *format, const char *encoding);
/* The finished object, or NULL when out of memory. */
json_t *report_end(struct report *r);
void report_drop(struct report *r);

/* value NULL: nothing is written. clause and words may be NULL. */
void report_text(
    struct report *r, const char *name, const char *value, const char *clause, const char *words);
/* UTF-8 as it is, anything else in hex. Absent: nothing is written. */
void report_span(
    struct report *r, const char *name, mst_span value, const char *clause, const char *words);
void report_hex(
    struct report *r, const char *name, mst_span value, const char *clause, const char *words);
void report_base64(
    struct report *r, const char *name, mst_span value, const char *clause, const char *words);
void report_time(
    struct report *r, const char *name, int64_t t, const char *clause, const char *words);
/* e is named for BAD and WARN (MST_OK: no name). clause NULL: that of e. */
void report_check(struct report *r, const char *check, enum outcome outcome, mst_err e,
    const char *clause, const char *words);
/* The usual pair: OK, or BAD with e and its sentence. */
void report_verdict(struct report *r, const char *check, mst_err e, const char *clause,
    const char *good, const char *detail);

/* Texts in the arena; "" when out of memory. */
const char *text_hex(struct arena *a, mst_span bytes);
const char *text_base64(struct arena *a, mst_span bytes);
const char *text_time(struct arena *a, int64_t t);
const char *text_name(struct arena *a, const X509_NAME *name);
const char *text_key(struct arena *a, EVP_PKEY *key);
int64_t time_of(const ASN1_TIME *t); /* MST_NO_TIME when it is none */
json_t *json_span(struct arena *a, mst_span s); /* text, or hex when it is no UTF-8 */

/* Each fills a begun report; the object stays the caller's. */
void inspect_x509(struct report *r, X509 *cert, const STACK_OF(X509) *beside);
/* The profile of an IDevID (ID-1 to ID-5) or registrar (ID-6) certificate; called by the above. */
void inspect_profile(struct report *r, X509 *cert);
void inspect_csr(struct report *r, X509_REQ *csr);
void inspect_crl(struct report *r, X509_CRL *crl);
/* EST's CsrAttrs (RFC 8951 4, RFC 9908). MST_E_CONTENT_UNKNOWN when der is none. */
MST_MUST_USE mst_err inspect_csrattrs(struct report *r, mst_span der);
/* media CMS, JWS or COSE with the signed message, or NONE with the bare JSON or CBOR.
 * MST_E_CONTENT_UNKNOWN when there is no voucher in it. */
MST_MUST_USE mst_err inspect_voucher(
    struct report *r, enum mst_media media, mst_span message, const char *encoding);
/* What is signed, not believed: media NONE when the message is the bare content.
 * MST_E_CONTENT_UNKNOWN when there is no voucher in it. */
MST_MUST_USE mst_err inspect_cose_payload(
    mst_span message, enum mst_media *media, mst_span *payload, enum mst_voucher_kind *kind);
/* False when no certificate came along. */
bool inspect_cose_headers(struct report *r, mst_span message, enum mst_voucher_kind kind);
/* A certificate in a line, for people. */
const char *inspect_cert_words(struct arena *a, mst_span der);
/* Any CBOR at all. MST_E_CONTENT_UNKNOWN when it is none. */
MST_MUST_USE mst_err inspect_any_cbor(struct report *r, mst_span bytes, const char *encoding);
void inspect_diag(struct report *r, mst_span bytes);
/* Telemetry, audit log, JWS header. */
MST_MUST_USE mst_err inspect_json(struct report *r, mst_span text, const char *encoding);
/* SUIT envelopes, and reports with or without COSE around. MST_E_CONTENT_UNKNOWN. */
MST_MUST_USE mst_err inspect_suit(struct report *r, mst_span bytes, const char *encoding);
MST_MUST_USE mst_err inspect_suit_report(struct report *r, mst_span bytes, const char *encoding);
/* CBOR telemetry. */
MST_MUST_USE mst_err inspect_cbor(struct report *r, mst_span bytes, const char *encoding);
/* h.p.s of base64url to the general form of JWS. MST_E_JWS when it is none. */
MST_MUST_USE mst_err inspect_compact(struct arena *a, mst_span text, mst_span *general);
/* The whole, one level down. */
MST_MUST_USE mst_err inspect_inside(
    struct arena *a, mst_span bytes, const struct inspect_options *o, unsigned depth, json_t **out);
void inspect_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

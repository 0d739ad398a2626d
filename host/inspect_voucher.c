/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests, signed or bare: RFC 8366bis, RFC 8995 5.2, 5.5 and 5.6. */
#include "host/inspect_impl.h"

#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "host/envelope.h"
#include "host/json.h"
#include "muster/base64.h"

#define PAYLOAD_MAX 98304u

static const struct json_limits payload_limits = { PAYLOAD_MAX, 8, 64 };

struct subject {
	enum mst_media media;
	enum mst_voucher_kind kind;
	mst_span payload;
	struct mst_voucher_claims claims;
	bool cbor; /* the payload, not JSON */
	bool old; /* CBOR of a draft: its claims are read, and refused */
	bool certs; /* some came along */
	mst_err parse; /* of the payload */
	mst_err open; /* of the envelope */
	struct envelope env; /* when open is MST_OK */
};

/* --- getting at the payload without believing it --- */

static void
free_cms(void *p)
{
	CMS_ContentInfo_free(p);
}

static mst_err
cms_payload(struct arena *a, mst_span message, mst_span *payload)
{
	const uint8_t *p = message.ptr;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)message.len);
	ASN1_OCTET_STRING **content;

	ERR_clear_error();
	if (cms == NULL)
		return MST_E_CONTENT_UNKNOWN;
	if (arena_own(a, cms, free_cms) == NULL)
		return MST_E_NOMEM;
	if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed ||
	    (content = CMS_get0_content(cms)) == NULL || *content == NULL) {
		inspect_say("CMS, but not signed data with content in it");
		ERR_clear_error();
		return MST_E_CONTENT_UNKNOWN;
	}
	*payload =
	    mst_span_of(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content));
	return MST_OK;
}

static mst_err
jws_payload(struct arena *a, mst_span message, mst_span *payload)
{
	const struct json_limits limits = { PAYLOAD_MAX, 8, 64 };
	struct mst_buf out;
	json_t *top;
	mst_span text;
	mst_err e;

	if ((e = json_open(a, message, limits, &top)) != MST_OK)
		return e;
	text = json_text(json_object_get(top, "payload"));
	out = arena_buf(a, text.len + 1);
	if (out.cap == 0)
		return MST_E_NOMEM;
	if (text.ptr == NULL || mst_base64_decode(text, MST_BASE64_URL, &out) != MST_OK)
		return MST_E_JWS;
	*payload = mst_buf_span(&out);
	return MST_OK;
}

static mst_err
kind_of(struct arena *a, mst_span payload, enum mst_voucher_kind *kind)
{
	json_t *top;
	mst_err e = json_open(a, payload, payload_limits, &top);

	if (e != MST_OK)
		return e;
	if (json_object_get(top, "ietf-voucher:voucher") != NULL)
		*kind = MST_VOUCHER;
	else if (json_object_get(top, "ietf-voucher-request:voucher") != NULL)
		*kind = MST_VOUCHER_REQUEST;
	else {
		inspect_say("JSON, but neither a voucher nor a voucher-request");
		return MST_E_CONTENT_UNKNOWN;
	}
	return MST_OK;
}

/* --- claims --- */

static const struct leaf_meaning {
	const char *name, *clause, *words;
} leaf_meanings[] = {
	{ "assertion", "RFC 8366bis 8", "what the MASA, or the asker, vouches for" },
	{ "created-on", "RFC 8366bis 8", "made at" },
	{ "expires-on", "RFC 8366bis 8", "good until; only without a nonce" },
	{ "last-renewal-date", "RFC 8366bis 8", "the MASA renews it until then" },
	{ "serial-number", "RFC 8995 5.6.1", "the device it is for" },
	{ "nonce", "RFC 8995 5.6.1", "ties it to one attempt of one device" },
	{ "idevid-issuer", "RFC 8366bis 6.1",
	    "who issued the device's IDevID: serial numbers are "
	    "unique per issuer only" },
	{ "pinned-domain-cert", "RFC 8995 5.6.2", "the domain that the device shall trust" },
	{ "pinned-domain-pubk", "RFC 8366bis 8",
	    "the registrar's key that the device shall trust" },
	{ "pinned-domain-pubk-sha256", "RFC 8366bis 8", "the hash of that key" },
	{ "domain-cert-revocation-checks", "RFC 8366bis 8",
	    "must the device check revocation? Few can" },
	{ "proximity-registrar-cert", "RFC 8995 5.2", "the registrar that the pledge saw in TLS" },
	{ "proximity-registrar-pubk", "RFC 8366bis 9", "the registrar's key that the pledge saw" },
	{ "proximity-registrar-pubk-sha256", "RFC 8366bis 9", "the hash of that key" },
	{ "prior-signed-voucher-request", "RFC 8995 5.5", "the pledge's own request, whole" },
	{ "est-domain", "RFC 8366bis 8", "where to enrol instead" },
	{ "additional-configuration-url", "RFC 8366bis 8", "where more configuration is" },
	{ "manufacturer-proprietary", "RFC 8366bis 8", "the manufacturer's own" },
};

static const struct leaf_meaning *
meaning_of(const char *name)
{
	for (size_t i = 0; i < sizeof leaf_meanings / sizeof leaf_meanings[0]; i++)
		if (strcmp(leaf_meanings[i].name, name) == 0)
			return &leaf_meanings[i];
	return NULL;
}

static void
put_text(json_t *o, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_object_set_new(o, name, json_string(text));
}

static void
put_span(struct arena *a, json_t *o, const char *name, mst_span s)
{
	if (s.ptr != NULL)
		json_object_set_new(o, name, json_span(a, s));
}

static void
put_binary(struct arena *a, json_t *o, const char *name, mst_span s)
{
	if (s.ptr != NULL)
		put_text(o, name, text_base64(a, s));
}

static void
put_time(struct arena *a, json_t *o, const char *name, int64_t t)
{
	if (t != MST_NO_TIME)
		put_text(o, name, text_time(a, t));
}

json_t *
inspect_claims(struct arena *a, const struct mst_voucher_claims *c)
{
	json_t *o = json_object();

	put_text(o, "assertion", mst_assertion_name(c->assertion));
	put_span(a, o, "serial-number", c->serial);
	put_time(a, o, "created-on", c->created_on);
	put_time(a, o, "expires-on", c->expires_on);
	put_time(a, o, "last-renewal-date", c->last_renewal);
	if (c->nonce_text.ptr != NULL)
		put_span(a, o, "nonce", c->nonce_text);
	else
		put_binary(a, o, "nonce", c->nonce);
	put_binary(a, o, "idevid-issuer", c->idevid_issuer);
	put_binary(a, o, "pinned-domain-cert", c->pinned_cert);
	put_binary(a, o, "pinned-domain-pubk", c->pinned_pubk);
	put_binary(a, o, "pinned-domain-pubk-sha256", c->pinned_pubk_sha256);
	if (c->revocation_checks >= 0)
		json_object_set_new(
		    o, "domain-cert-revocation-checks", json_boolean(c->revocation_checks));
	put_binary(a, o, "proximity-registrar-cert", c->proximity_cert);
	put_binary(a, o, "proximity-registrar-pubk", c->proximity_pubk);
	put_binary(a, o, "proximity-registrar-pubk-sha256", c->proximity_pubk_sha256);
	put_binary(a, o, "prior-signed-voucher-request", c->prior_request);
	put_span(a, o, "est-domain", c->est_domain);
	put_span(a, o, "additional-configuration-url", c->additional_configuration_url);
	put_span(a, o, "manufacturer-proprietary", c->manufacturer_proprietary);
	return o;
}

/* The base64 of a claim is in "claims". */
const char *
inspect_cert_words(struct arena *a, mst_span der)
{
	X509 *cert;
	const char *text;

	if (cert_parse(der, &cert) != MST_OK)
		return arena_printf(a, "%zu bytes that are no certificate", der.len);
	text = arena_printf(a, "%s, until %s, sha256 %.16s...", cert_subject(a, cert),
	    text_time(a, time_of(X509_get0_notAfter(cert))), cert_fingerprint(a, cert));
	X509_free(cert);
	return text;
}

static void
report_claims(struct report *r, const struct mst_voucher_claims *c)
{
	json_t *claims = inspect_claims(r->a, c), *value;
	const char *name;

	json_object_set_new(r->top, "claims", claims);
	json_object_foreach(claims, name, value)
	{
		const struct leaf_meaning *m = meaning_of(name);
		const char *text = json_string_value(value);

		if (json_is_boolean(value))
			text = json_is_true(value) ? "true" : "false";
		if (strcmp(name, "pinned-domain-cert") == 0)
			text = inspect_cert_words(r->a, c->pinned_cert);
		if (strcmp(name, "proximity-registrar-cert") == 0)
			text = inspect_cert_words(r->a, c->proximity_cert);
		if (strcmp(name, "prior-signed-voucher-request") == 0)
			text = arena_printf(r->a, "%zu bytes, see below", c->prior_request.len);
		report_text(
		    r, name, text, m != NULL ? m->clause : NULL, m != NULL ? m->words : NULL);
	}
	if (c->unknown != 0)
		report_text(r, "unknown leaves", arena_printf(r->a, "%u", c->unknown),
		    "RFC 8995 5.6.1", "not of the data model; they are passed over");
}

static void
report_signer(struct report *r, const struct subject *s)
{
	const struct envelope *env = &s->env;

	if (s->open != MST_OK)
		return;
	report_text(r, "signer", cert_subject(r->a, env->signer),
	    s->media == MST_MEDIA_COSE_CBOR ? "RFC 9360 2" : "RFC 5652 5.3",
	    s->certs ? "who signed, by the certificate that came with it"
	             : "who signed, by a certificate that was known beside");
	report_text(r, "signer-issuer", text_name(r->a, X509_get_issuer_name(env->signer)),
	    "RFC 5280 4.1.2.4", "and who vouches for that");
	report_text(r, "signer-until", text_time(r->a, time_of(X509_get0_notAfter(env->signer))),
	    "RFC 5280 4.1.2.5", "the signer's certificate ends");
	if (s->media != MST_MEDIA_COSE_CBOR)
		report_text(r, "certificates", arena_printf(r->a, "%d", sk_X509_num(env->certs)),
		    "RFC 5652 5.1", "came with it");
	report_time(r, "signing-time", env->signing_time, "RFC 5652 11.3", "by the signer's clock");
	if (s->media == MST_MEDIA_CMS_JSON)
		report_text(r, "content-type", env->id_data ? "id-data" : "id-ct-animaJSONVoucher",
		    "RFC 8366bis 7.1",
		    env->id_data ? "the old form; still read" : "as it should be");
}

/* --- what checks would say --- */

/* Does a certificate carry this serial number by any of the rules? */
static bool
bears_serial(struct arena *a, X509 *cert, mst_span serial)
{
	static const enum cert_serial_rule rules[] = { CERT_SERIAL_SUBJECT,
		CERT_SERIAL_SAN_HWMODULE, CERT_SERIAL_CN };
	mst_span found;

	for (size_t i = 0; i < 3; i++)
		if (cert_device_serial(a, cert, rules[i], &found) == MST_OK &&
		    mst_span_eq(found, serial))
			return true;
	return false;
}

static bool
one_bears(struct arena *a, const STACK_OF(X509) *certs, mst_span serial)
{
	for (int i = 0; certs != NULL && i < sk_X509_num(certs); i++)
		if (bears_serial(a, sk_X509_value(certs, i), serial))
			return true;
	return false;
}

static void
check_signature(struct report *r, const struct subject *s)
{
	/* envelope_open() reads the payload last: its refusal means that the rest was good. */
	mst_err e = s->open == s->parse ? MST_OK : s->open;

	if (s->media == MST_MEDIA_NONE)
		report_check(r, "signature", OUTCOME_BAD, MST_E_VOUCHER_SIGNATURE, NULL,
		    "there is none: this is the bare content");
	else if (e == MST_E_VOUCHER_SIGNATURE && !s->certs && r->o->anchors == NULL &&
	         !one_bears(r->a, r->o->known, s->claims.serial))
		report_check(r, "signature", OUTCOME_OPEN, MST_OK, "RFC 9052 4.4",
		    "no certificate came with it: give the signer's with --anchor");
	else
		report_verdict(r, "signature", e, NULL,
		    "made by the key of that certificate; whether it may, the signer check says",
		    NULL);
}

static void
free_stack(void *p)
{
	sk_X509_free((STACK_OF(X509) *)p);
}

/* What is known beside the message, and more; NULL when nothing is. Borrowed certificates. */
static STACK_OF(X509) *
together(struct report *r, const STACK_OF(X509) *x, const STACK_OF(X509) *y)
{
	const STACK_OF(X509) *both[] = { x, y };
	STACK_OF(X509) *all = sk_X509_new_null();

	for (size_t k = 0; all != NULL && k < 2; k++)
		for (int i = 0; both[k] != NULL && i < sk_X509_num(both[k]); i++)
			if (sk_X509_push(all, sk_X509_value(both[k], i)) <= 0)
				break;
	return arena_own(r->a, all, free_stack);
}

static const STACK_OF(X509) *
anchors_or_none(const struct report *r)
{
	return r->o->anchors != NULL ? anchors_certs(r->o->anchors) : NULL;
}

static void
check_signer(struct report *r, const struct subject *s)
{
	bool voucher = s->kind == MST_VOUCHER;
	bool pvr = !voucher && s->claims.prior_request.ptr == NULL;
	const char *clause = voucher ? "RFC 8995 5.6.1" : "RFC 5280 6";
	mst_err e;

	if (s->open != MST_OK)
		return;
	if (r->o->anchors == NULL) {
		report_check(r, "signer", OUTCOME_OPEN, MST_OK, clause,
		    voucher ? "whether it is the device's MASA is not judged without --anchor"
		            : "to whom the signer chains is not judged without --anchor");
		return;
	}
	r->judged = true;
	/* ID-4 for IDevIDs; CMS-9 for vouchers: by the anchors, never by what came along */
	e = chain_verify(r->o->anchors, s->env.signer, together(r, s->env.certs, r->o->known),
	    &r->o->clock,
	    pvr       ? CHAIN_NO_LEAF_TIME
	    : voucher ? CHAIN_NOTHING_ELSE
	              : 0,
	    NULL);
	if (e == MST_E_X509_CHAIN && voucher)
		e = MST_E_VOUCHER_SIGNER;
	report_verdict(r, "signer", e, clause, "chains to a given anchor", cert_why());
}

static void
check_voucher(struct report *r, const struct subject *s)
{
	const struct mst_voucher_claims *c = &s->claims;
	struct mst_voucher_want want = { .serial = c->serial,
		.idevid_issuer = c->idevid_issuer,
		.clock = { MST_CLOCK_NONE, 0 } };
	bool nonced = c->nonce.ptr != NULL || c->nonce_text.ptr != NULL;
	struct mst_voucher out;
	mst_err e = mst_voucher_check(c, &want, &out);

	report_verdict(
	    r, "data-model", e, e != MST_OK ? NULL : "RFC 8366bis 8", "as it should be", NULL);
	want.clock = r->o->clock;
	if (e == MST_OK && want.clock.trust != MST_CLOCK_TRUSTED)
		report_check(r, "time", OUTCOME_OPEN, MST_OK, "RFC 8995 2.6.1",
		    "this machine's clock is not to be trusted: give --now");
	else if (e == MST_OK)
		report_verdict(r, "time", mst_voucher_check(c, &want, &out), "RFC 8995 5.6.1",
		    arena_printf(r->a, "good at %s", text_time(r->a, want.clock.now)), NULL);
	report_check(r, "nonce", OUTCOME_OPEN, MST_OK, nonced ? "RFC 8995 5.6.1" : "RFC 8995 7.2",
	    nonced ? "only the device that sent it can tell: `muster voucher check --nonce`"
	           : "none: it holds for any attempt, also a later one");
}

static bool
same_key(struct arena *a, const struct mst_voucher_claims *pvr, X509 *cert)
{
	struct mst_voucher_claims none;
	struct mst_clock clock = { MST_CLOCK_NONE, 0 };
	mst_span der;

	mst_voucher_claims_init(&none, MST_VOUCHER_REQUEST);
	if (pvr->proximity_pubk_sha256.ptr != NULL)
		return pin_judge(MST_NONE, MST_NONE, pvr->proximity_pubk_sha256, cert, NULL,
		           &clock) == MST_OK;
	if (pvr->proximity_pubk.ptr != NULL)
		return pin_judge(MST_NONE, pvr->proximity_pubk, MST_NONE, cert, NULL, &clock) ==
		       MST_OK;
	return cert_der(a, cert, &der) == MST_OK && mst_span_eq(der, pvr->proximity_cert);
}

/* RFC 8995 5.5.5: the registrar that the pledge saw is in the chain of the one that asks. */
static bool
proximity_fits(struct report *r, const struct subject *s, const struct mst_voucher_claims *pvr)
{
	X509 *seen = NULL;
	bool fits = same_key(r->a, pvr, s->env.signer);

	for (int i = 0; !fits && i < sk_X509_num(s->env.certs); i++)
		fits = same_key(r->a, pvr, sk_X509_value(s->env.certs, i));
	/* A registrar may use two certificates of the same CA, for TLS and for requests (ID-6). */
	if (!fits && pvr->proximity_cert.ptr != NULL &&
	    cert_parse(pvr->proximity_cert, &seen) == MST_OK) {
		for (int i = 0; !fits && i < sk_X509_num(s->env.certs); i++)
			fits = cert_has_eku(seen, CERT_OID_CMC_RA) &&
			       X509_verify(
			           seen, X509_get0_pubkey(sk_X509_value(s->env.certs, i))) == 1;
		X509_free(seen);
		ERR_clear_error();
	}
	return fits;
}

/* requirements 8.4 step 10 */
static void
check_prior(struct report *r, const struct subject *s)
{
	const struct mst_voucher_claims *c = &s->claims;
	mst_span text = c->prior_request;
	struct inspect_options o = *r->o;
	enum mst_media media;
	struct envelope pvr;
	json_t *inside;
	mst_err e;

	/* COSE-4: the pledge's certificates are among the registrar's */
	if (s->media == MST_MEDIA_COSE_CBOR && s->open == MST_OK)
		o.known = s->env.certs;
	if (inspect_inside(r->a, text, &o, r->depth + 1, &inside) == MST_OK)
		json_object_set_new(r->top, "prior", inside);
	e = inspect_message(r->a, c->prior_request, &media, &text);
	if (e == MST_OK)
		e = envelope_open(r->a, media, MST_VOUCHER_REQUEST, text,
		    together(r, o.known, anchors_or_none(r)), &pvr);
	if (e == MST_E_VOUCHER_SIGNATURE && media == MST_MEDIA_COSE_CBOR && r->o->anchors == NULL &&
	    !one_bears(r->a, o.known, c->serial)) {
		report_check(r, "prior-signature", OUTCOME_OPEN, MST_OK, "cBRSKI 9.2.2",
		    "the x5bag should hold the pledge's certificate; it does not");
		return;
	}
	if (e != MST_OK) {
		report_check(r, "prior-signature", OUTCOME_BAD,
		    e == MST_E_VOUCHER_SIGNATURE ? MST_E_PRIOR_SIGNATURE : MST_E_PRIOR_PARSE, NULL,
		    mst_err_info(e)->sentence);
		return;
	}
	report_check(r, "prior-signature", OUTCOME_OK, MST_OK, "RFC 8995 5.5.5",
	    "the pledge's own request is whole");
	report_verdict(r, "prior-serial",
	    mst_span_eq(pvr.claims.serial, c->serial) && bears_serial(r->a, pvr.signer, c->serial)
	        ? MST_OK
	        : MST_E_RVR_SERIAL,
	    "RFC 8995 5.5.5", "the serial number is that of the pledge's request and certificate",
	    NULL);
	report_verdict(r, "prior-nonce",
	    mst_nonce_eq(c->nonce_text, c->nonce, pvr.claims.nonce_text, pvr.claims.nonce)
	        ? MST_OK
	        : MST_E_RVR_NONCE,
	    "RFC 8995 5.5.5", "the nonce is that of the pledge's request", NULL);
	report_verdict(r, "prior-assertion",
	    pvr.claims.assertion == MST_ASSERT_PROXIMITY ? MST_OK : MST_E_PRIOR_ASSERTION, NULL,
	    "the pledge asserts proximity", NULL);
	report_verdict(r, "prior-proximity",
	    s->open == MST_OK && proximity_fits(r, s, &pvr.claims) ? MST_OK : MST_E_PRIOR_PROXIMITY,
	    "RFC 8995 5.5.5", "the registrar that the pledge saw is the one that asks", NULL);
}

static void
check_pvr(struct report *r, const struct subject *s)
{
	const struct mst_voucher_claims *c = &s->claims;
	bool seen = c->proximity_cert.ptr != NULL || c->proximity_pubk.ptr != NULL ||
	            c->proximity_pubk_sha256.ptr != NULL;

	report_verdict(r, "assertion",
	    c->assertion == MST_ASSERT_PROXIMITY ? MST_OK : MST_E_PVR_ASSERTION, "RFC 8995 5.2",
	    "asserts proximity", NULL);
	report_verdict(r, "nonce",
	    c->nonce.ptr != NULL || c->nonce_text.ptr != NULL ? MST_OK : MST_E_PVR_NONCE,
	    "RFC 8366bis 8", "has one", NULL);
	report_check(r, "proximity", seen ? OUTCOME_OPEN : OUTCOME_BAD,
	    seen ? MST_OK : MST_E_PVR_PROXIMITY, "RFC 8995 5.5",
	    seen ? "only the registrar knows which certificate it showed in TLS"
	         : "names no registrar");
	if (s->open == MST_OK)
		report_verdict(r, "serial",
		    bears_serial(r->a, s->env.signer, c->serial) ? MST_OK : MST_E_PVR_SERIAL,
		    "RFC 8995 5.5", "is that of the signer's IDevID", NULL);
}

static void
check_request(struct report *r, const struct subject *s)
{
	const struct mst_voucher_claims *c = &s->claims;
	const struct mst_clock *clock = &r->o->clock;
	bool pvr = c->prior_request.ptr == NULL;
	bool future = clock->trust == MST_CLOCK_TRUSTED && c->created_on != MST_NO_TIME &&
	              c->created_on > clock->now &&
	              c->created_on - MST_CREATED_ON_SKEW > clock->now;
	mst_err e = mst_request_check(c);

	/* Without a pledge's request inside, cmcRA tells a registrar's from a pledge's. */
	if (pvr && s->open == MST_OK && cert_has_eku(s->env.signer, CERT_OID_CMC_RA))
		pvr = false;
	json_object_set_new(r->top, "made_by", json_string(pvr ? "pledge" : "registrar"));
	report_text(r, "made-by", pvr ? "pledge" : "registrar",
	    pvr ? "RFC 8995 5.2" : "RFC 8995 5.5",
	    pvr ? "a pledge's request to its registrar" : "a registrar's request to the MASA");
	report_verdict(
	    r, "data-model", e, e != MST_OK ? NULL : "RFC 8366bis 9", "as it should be", NULL);
	report_verdict(r, "created-on", future ? MST_E_PVR_CREATED : MST_OK, "RFC 8995 5.5",
	    "not in the future", NULL);
	if (pvr) {
		check_pvr(r, s);
		return;
	}
	if (s->open == MST_OK)
		report_verdict(r, "registrar",
		    cert_has_eku(s->env.signer, CERT_OID_CMC_RA) ? MST_OK : MST_E_RVR_NOT_RA,
		    "RFC 8995 5.5.4", "its signer has id-kp-cmcRA", NULL);
	if (c->prior_request.ptr != NULL)
		check_prior(r, s);
	else
		report_check(r, "prior", OUTCOME_WARN, MST_E_PRIOR_MISSING, NULL,
		    "no request of the pledge inside: nothing shows that a device asks");
}

static const char *
format_of(const struct subject *s)
{
	switch (s->media) {
	case MST_MEDIA_CMS_JSON: return "cms+json";
	case MST_MEDIA_JWS_JSON: return "jws+json";
	case MST_MEDIA_COSE_CBOR: return "cose+cbor";
	case MST_MEDIA_NONE: break;
	}
	return s->cbor ? "cbor" : "json";
}

static void
parse(struct report *r, struct subject *s)
{
	const unsigned old = (unsigned)MST_LEGACY_SIDS | (unsigned)MST_LEGACY_TYPES;

	if (!s->cbor) {
		s->parse = voucher_json_parse(r->a, s->payload, s->kind, &s->claims);
		return;
	}
	s->parse = mst_voucher_cbor_parse(s->payload, s->kind, 0, &s->claims);
	s->old = s->parse != MST_OK &&
	         mst_voucher_cbor_parse(s->payload, s->kind, old, &s->claims) == MST_OK;
}

/* The payload and what it is about. */
static mst_err
begin(struct report *r, mst_span message, struct subject *s)
{
	mst_err e = MST_OK;

	switch (s->media) {
	case MST_MEDIA_CMS_JSON: e = cms_payload(r->a, message, &s->payload); break;
	case MST_MEDIA_JWS_JSON: e = jws_payload(r->a, message, &s->payload); break;
	case MST_MEDIA_COSE_CBOR:
		s->cbor = true;
		return inspect_cose_payload(message, &s->media, &s->payload, &s->kind);
	case MST_MEDIA_NONE: break;
	}
	s->certs = true; /* or their absence is a fault */
	return e != MST_OK ? e : kind_of(r->a, s->payload, &s->kind);
}

mst_err
inspect_voucher(struct report *r, enum mst_media media, mst_span message, const char *encoding)
{
	struct subject s = { .media = media, .payload = message, .open = MST_E_VOUCHER_SIGNATURE };
	mst_err e = begin(r, message, &s);

	if (e != MST_OK)
		return e;
	report_kind(
	    r, s.kind == MST_VOUCHER ? "voucher" : "voucher-request", format_of(&s), encoding);
	if (s.media == MST_MEDIA_COSE_CBOR)
		s.certs = inspect_cose_headers(r, message, s.kind);
	parse(r, &s);
	if (s.media != MST_MEDIA_NONE)
		s.open = envelope_open(r->a, s.media, s.kind, message,
		    together(r, r->o->known, anchors_or_none(r)), &s.env);
	if (s.parse == MST_OK || s.old)
		report_claims(r, &s.claims);
	else
		report_span(r, "payload", s.payload, NULL, "the content as it came");
	report_signer(r, &s);
	check_signature(r, &s);
	if (s.parse != MST_OK) {
		report_verdict(r, "data-model", s.parse, NULL, "",
		    s.old ? "the SIDs or types of an earlier draft" : NULL);
		return MST_OK;
	}
	check_signer(r, &s);
	if (s.kind == MST_VOUCHER)
		check_voucher(r, &s);
	else
		check_request(r, &s);
	return MST_OK;
}

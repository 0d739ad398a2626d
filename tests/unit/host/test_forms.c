/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All forms meet in one check: the same claims, written and signed as CMS, as
 * JWS and as COSE, opened again and judged, get the same verdict, and so do
 * bare JSON and bare CBOR. A row changes one thing of a good voucher or
 * request and expects one name from every form.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "host/envelope.h"
#include "muster/base64.h"
#include "unit/host/support_pki.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW PKI_NOW

static const uint8_t nonce[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 250 };
static const uint8_t issuer[26] = { 0x04, 0x18, 0x30, 0x16, 0x80, 0x14, 0xcb, 0x8d, 0x98, 0xca,
	0x74, 0xc5, 0x1b, 0x58, 0xdd, 0xe7, 0xac, 0xef, 0x86, 0x9a, 0x94, 0x43, 0xa8, 0xd6, 0x66,
	0xa6 };
static const uint8_t bytes[300] = { 7 };

enum form { FORM_CMS, FORM_JWS, FORM_COSE, FORM_JSON, FORM_CBOR, FORMS };
static const char *const form_names[FORMS] = { "CMS", "JWS", "COSE", "JSON", "CBOR" };

struct scene {
	struct mst_voucher_claims claims;
	struct mst_voucher_want want;
};

static struct scene
good(void)
{
	struct scene s;

	mst_voucher_claims_init(&s.claims, MST_VOUCHER);
	s.claims.assertion = MST_ASSERT_PROXIMITY;
	s.claims.created_on = NOW - 2;
	s.claims.serial = MST_LIT("JADA123456789");
	s.claims.nonce = mst_span_of(nonce, sizeof(nonce));
	s.claims.pinned_cert = mst_span_of(bytes, 100);
	s.claims.revocation_checks = 0;
	s.want = (struct mst_voucher_want){
		.serial = MST_LIT("JADA123456789"),
		.idevid_issuer = mst_span_of(issuer, sizeof(issuer)),
		.nonce = mst_span_of(nonce, sizeof(nonce)),
		.clock = { MST_CLOCK_TRUSTED, NOW },
	};
	return s;
}

typedef void deviation(struct scene *s);
#define DEVIATION(name, ...)                                                                       \
	static void name(struct scene *s)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
#define NONCELESS s->claims.nonce = MST_NONE

DEVIATION(nothing, (void)s)
DEVIATION(a_request, s->claims.kind = MST_VOUCHER_REQUEST)
DEVIATION(no_assertion, s->claims.assertion = MST_ASSERT_ABSENT)
DEVIATION(agent_proximity, s->claims.assertion = MST_ASSERT_AGENT_PROXIMITY)
DEVIATION(other_serial, s->claims.serial = MST_LIT("JADA123456788"))
DEVIATION(longer_serial, s->claims.serial = MST_LIT("JADA1234567890"))
DEVIATION(empty_serial, s->claims.serial = MST_LIT(""))
DEVIATION(no_serial, s->claims.serial = MST_NONE)
DEVIATION(control_in_serial, s->claims.serial = MST_LIT("JADA\n123456789"))
DEVIATION(own_issuer, s->claims.idevid_issuer = s->want.idevid_issuer)
DEVIATION(other_issuer, s->claims.idevid_issuer = mst_span_of(bytes, 26))
DEVIATION(other_nonce, s->claims.nonce = mst_span_of(bytes, 16))
DEVIATION(nonce_of_7, s->claims.nonce = s->want.nonce = mst_span_of(nonce, 7))
DEVIATION(nonce_of_8, s->claims.nonce = s->want.nonce = mst_span_of(nonce, 8))
DEVIATION(nonce_of_32, s->claims.nonce = s->want.nonce = mst_span_of(bytes, 32))
DEVIATION(nonce_of_34, s->claims.nonce = s->want.nonce = mst_span_of(bytes, 34))
DEVIATION(nonceless, NONCELESS)
DEVIATION(nonceless_refused, NONCELESS; s->want.refuse_nonceless = true)
DEVIATION(nonceless_in_time, NONCELESS; s->claims.expires_on = NOW + 1)
DEVIATION(nonceless_expired, NONCELESS; s->claims.expires_on = NOW)
DEVIATION(expired_without_clock, NONCELESS; s->claims.expires_on = NOW;
          s->want.clock.trust = MST_CLOCK_NONE)
DEVIATION(nonce_and_expiry, s->claims.expires_on = NOW + 100)
DEVIATION(renewal_alone, NONCELESS; s->claims.last_renewal = NOW + 100)
DEVIATION(renewal_and_expiry, NONCELESS; s->claims.expires_on = NOW + 100;
          s->claims.last_renewal = NOW + 200)
DEVIATION(from_tomorrow, s->claims.created_on = NOW + 86400)
DEVIATION(from_a_minute_on, s->claims.created_on = NOW + 60)
DEVIATION(no_creation, s->claims.created_on = MST_NO_TIME)
DEVIATION(no_pin, s->claims.pinned_cert = MST_NONE)
DEVIATION(empty_pin, s->claims.pinned_cert = MST_LIT(""))
DEVIATION(pin_key, s->claims.pinned_cert = MST_NONE; s->claims.pinned_pubk = mst_span_of(bytes, 91))
DEVIATION(pin_hash, s->claims.pinned_cert = MST_NONE;
          s->claims.pinned_pubk_sha256 = mst_span_of(bytes, 32))
DEVIATION(pin_hash_of_31, s->claims.pinned_pubk_sha256 = mst_span_of(bytes, 31))
DEVIATION(revocation, s->claims.revocation_checks = 1)
DEVIATION(no_revocation, s->claims.revocation_checks = -1)
DEVIATION(cloud, s->claims.est_domain = MST_LIT("https://est.example/");
          s->claims.additional_configuration_url = MST_LIT("https://c.example/"))

struct row {
	const char *name;
	deviation *apply;
	mst_err want;
};
static const struct row rows[] = {
	{ "8.7 a good voucher", nothing, MST_OK },
	{ "8.7-3 a request", a_request, MST_E_VOUCHER_KIND },
	{ "8.7 no assertion", no_assertion, MST_E_VOUCHER_ASSERTION },
	{ "8.7 agent-proximity", agent_proximity, MST_OK },
	{ "8.7-4 another serial number", other_serial, MST_E_VOUCHER_SERIAL },
	{ "8.7-4 a longer serial number", longer_serial, MST_E_VOUCHER_SERIAL },
	{ "ID-9 empty serial number", empty_serial, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 no serial number", no_serial, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 control character", control_in_serial, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-8 own issuer", own_issuer, MST_OK },
	{ "ID-8 another issuer", other_issuer, MST_E_VOUCHER_IDEVID_ISSUER },
	{ "8.7-5 another nonce", other_nonce, MST_E_VOUCHER_NONCE },
	{ "DM-3 nonce of 7 bytes", nonce_of_7, MST_E_VOUCHER_NONCE_LENGTH },
	{ "DM-3 nonce of 8 bytes", nonce_of_8, MST_OK },
	{ "DM-3 nonce of 32 bytes", nonce_of_32, MST_OK },
	{ "DM-3 nonce of 34 bytes", nonce_of_34, MST_E_VOUCHER_NONCE_LENGTH },
	{ "8.7-5 nonceless", nonceless, MST_OK },
	{ "8.7-5 nonceless, by policy", nonceless_refused, MST_E_VOUCHER_NONCELESS },
	{ "8.7-6 nonceless in time", nonceless_in_time, MST_OK },
	{ "8.7-6 nonceless, expired", nonceless_expired, MST_E_VOUCHER_EXPIRED },
	{ "8.7-6 nonceless, expired, no clock", expired_without_clock, MST_OK },
	{ "8.7 nonce and expiry", nonce_and_expiry, MST_E_VOUCHER_EXPIRES_WITH_NONCE },
	{ "8.7 last-renewal alone", renewal_alone, MST_E_VOUCHER_LAST_RENEWAL },
	{ "8.7 last-renewal and expiry", renewal_and_expiry, MST_OK },
	{ "8.7-6 from tomorrow", from_tomorrow, MST_E_VOUCHER_NOT_YET },
	{ "8.7-6 from a minute on", from_a_minute_on, MST_OK },
	{ "8.7-6 no created-on", no_creation, MST_OK },
	{ "8.7-7 no pin", no_pin, MST_E_VOUCHER_PIN },
	{ "8.7-7 an empty pin", empty_pin, MST_E_VOUCHER_PARSE },
	{ "DM-4 a key pinned", pin_key, MST_OK },
	{ "DM-4 a hash pinned", pin_hash, MST_OK },
	{ "DM-4 a hash of 31 bytes", pin_hash_of_31, MST_E_VOUCHER_PARSE },
	{ "8.7-8 revocation checks demanded", revocation, MST_E_VOUCHER_REVOCATION },
	{ "8.7-8 revocation checks absent", no_revocation, MST_OK },
	{ "CLD leaves of the cloud", cloud, MST_OK },
};

static EVP_PKEY *key;
static X509 *cert;

static int
setup(void **state)
{
	(void)state;
	key = pki_key("P-256");
	cert = pki_root("signer", key);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	X509_free(cert);
	EVP_PKEY_free(key);
	return 0;
}

static bool
is_json(enum form f)
{
	return f != FORM_COSE && f != FORM_CBOR;
}

static enum mst_media
media_of(enum form f)
{
	switch (f) {
	case FORM_CMS: return MST_MEDIA_CMS_JSON;
	case FORM_JWS: return MST_MEDIA_JWS_JSON;
	case FORM_COSE: return MST_MEDIA_COSE_CBOR;
	case FORM_JSON:
	case FORM_CBOR:
	case FORMS: break;
	}
	return MST_MEDIA_NONE;
}

/* Written, signed, opened: what the receiver reads, or why it does not. */
static mst_err
carry(struct arena *a, enum form f, enum mst_voucher_kind kind,
    const struct mst_voucher_claims *sent, struct mst_voucher_claims *got)
{
	const struct envelope_signer signer = { key, cert, NULL, false };
	STACK_OF(X509) *known; /* COSE-4: a PVR has no certificate, TLS has */
	mst_span message;
	struct envelope env;
	mst_err e;

	if (f == FORM_JSON) {
		assert_int_equal(voucher_json_build(a, sent, &message), MST_OK);
		return voucher_json_parse(a, message, kind, got);
	}
	if (f == FORM_CBOR) {
		struct mst_buf buf = arena_buf(a, 4096);

		assert_int_equal(mst_voucher_cbor_build(sent, &buf), MST_OK);
		return mst_voucher_cbor_parse(mst_buf_span(&buf), kind, 0, got);
	}
	assert_int_equal(envelope_seal(a, media_of(f), sent, &signer, &message), MST_OK);
	known = pki_stack(cert, NULL, NULL);
	if ((e = envelope_open(a, media_of(f), kind, message, known, &env)) == MST_OK)
		*got = env.claims;
	pki_stack_free(known);
	return e;
}

static mst_err
verdict(enum form f, struct scene *s, struct mst_voucher *v)
{
	struct arena *a = arena_new(0);
	struct mst_voucher_claims got;
	uint8_t room[64];
	struct mst_buf text = MST_BUF(room);
	mst_err e;

	if (is_json(f)) { /* the pledge sent it as text, and compares that first (DM-2) */
		assert_int_equal(mst_base64_encode(s->want.nonce, &text), MST_OK);
		s->want.nonce_text = mst_buf_span(&text);
	}
	if ((e = carry(a, f, MST_VOUCHER, &s->claims, &got)) == MST_OK)
		e = mst_voucher_check(&got, &s->want, v);
	/* the spans of *v die with the arena: only what is no span is looked at further on */
	arena_free(a);
	return e;
}

static void
every_form_has_one_verdict(void **state)
{
	const struct row *row = *state;

	for (int f = 0; f < FORMS; f++) {
		struct scene s = good();
		struct mst_voucher v = { .assertion = MST_ASSERT_ABSENT };
		mst_err e;

		row->apply(&s);
		e = verdict((enum form)f, &s, &v);
		if (e != row->want)
			fail_msg("%s: %s instead of %s", form_names[f], mst_err_info(e)->reason,
			    mst_err_info(row->want)->reason);
		if (e != MST_OK)
			continue;
		assert_int_equal(v.assertion, s.claims.assertion);
		assert_int_equal(v.nonceless, s.claims.nonce.ptr == NULL);
		assert_true(v.expires_on == s.claims.expires_on);
		assert_int_equal(v.pinned_cert.len, s.claims.pinned_cert.len);
		assert_int_equal(v.pinned_pubk.len, s.claims.pinned_pubk.len);
		assert_int_equal(v.pinned_pubk_sha256.len, s.claims.pinned_pubk_sha256.len);
		assert_int_equal(v.est_domain.len, s.claims.est_domain.len);
	}
}

/* The judgement that every role makes on a request, likewise. */
static const struct row requests[] = {
	{ "8.2 a good request", nothing, MST_OK },
	{ "8.2 a voucher as a request", a_request, MST_E_VOUCHER_KIND },
	{ "8.2 ID-9 empty serial number", empty_serial, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "8.2 ID-9 control character", control_in_serial, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "8.2 nonce of 7 bytes", nonce_of_7, MST_E_VOUCHER_NONCE_LENGTH },
	{ "8.2 nonce of 34 bytes", nonce_of_34, MST_E_VOUCHER_NONCE_LENGTH },
	{ "8.2 nonceless", nonceless, MST_OK },
	{ "8.2 nonce and expiry", nonce_and_expiry, MST_E_VOUCHER_EXPIRES_WITH_NONCE },
	{ "8.2 a hash of 31 bytes", pin_hash_of_31, MST_E_VOUCHER_PARSE },
	{ "8.2 revocation checks mean nothing", revocation, MST_OK },
};

static void
every_form_of_a_request(void **state)
{
	const struct row *row = *state;

	for (int f = 0; f < FORMS; f++) {
		struct arena *a = arena_new(0);
		struct scene s = good();
		struct mst_voucher_claims got;
		mst_err e;

		row->apply(&s);
		/* the deviation "another kind" means the other one here */
		s.claims.kind = s.claims.kind == MST_VOUCHER ? MST_VOUCHER_REQUEST : MST_VOUCHER;
		s.claims.proximity_cert = mst_span_of(bytes, 100);
		e = carry(a, (enum form)f, MST_VOUCHER_REQUEST, &s.claims, &got);
		if (e == MST_OK)
			e = mst_request_check(&got);
		if (e != row->want)
			fail_msg("%s: %s instead of %s", form_names[f], mst_err_info(e)->reason,
			    mst_err_info(row->want)->reason);
		if (e == MST_OK)
			assert_true(mst_span_eq(got.proximity_cert, s.claims.proximity_cert));
		arena_free(a);
	}
}

int
main(void)
{
	struct CMUnitTest tests[COUNT(rows) + COUNT(requests)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, every_form_has_one_verdict, NULL,
			NULL, (void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < COUNT(requests); i++)
		tests[n++] = (struct CMUnitTest){ requests[i].name, every_form_of_a_request, NULL,
			NULL, (void *)(uintptr_t)&requests[i] };
	return _cmocka_run_group_tests("forms", tests, n, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Recognition, checks and the offline verdict on objects made here; each refusal changes one
 * thing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/inspect.h"
#include "host/verdict.h"
#include "muster/cbor.h"
#include "unit/host/support_pki.h"

#define SERIAL "JADA-1234"

static struct world {
	struct arena *a;
	EVP_PKEY *root_key, *masa_key, *other_key, *device_key;
	X509 *root, *other, *masa, *idevid;
	struct anchors *anchors, *wrong;
	struct mst_clock now;
} w;

static struct anchors *
anchors_of(X509 *cert)
{
	STACK_OF(X509) *s = pki_stack(cert, NULL, NULL);
	struct anchors *t;

	assert_int_equal(anchors_from_stack(s, &t), MST_OK);
	pki_stack_free(s);
	return t;
}

static int
setup(void **state)
{
	(void)state;
	w.a = arena_new(0);
	w.root_key = pki_key("P-256");
	w.masa_key = pki_key("P-256");
	w.other_key = pki_key("P-256");
	w.device_key = pki_key("P-256");
	w.root = pki_root("Maker", w.root_key);
	w.other = pki_root("Other", w.other_key);
	w.masa = pki_cert(&(struct pki_spec){ .cn = "MASA",
	    .key = w.masa_key,
	    .issuer = w.root,
	    .issuer_key = w.root_key,
	    .aki = 1 });
	w.idevid = pki_cert(&(struct pki_spec){ .serial = SERIAL,
	    .key = w.device_key,
	    .issuer = w.root,
	    .issuer_key = w.root_key,
	    .aki = 1,
	    .masa_url = "masa.example.com",
	    .to = 253402300799 });
	w.anchors = anchors_of(w.root);
	w.wrong = anchors_of(w.other);
	w.now = (struct mst_clock){ MST_CLOCK_TRUSTED, PKI_NOW };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	anchors_free(w.anchors);
	anchors_free(w.wrong);
	X509_free(w.root);
	X509_free(w.other);
	X509_free(w.masa);
	X509_free(w.idevid);
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.masa_key);
	EVP_PKEY_free(w.other_key);
	EVP_PKEY_free(w.device_key);
	arena_free(w.a);
	return 0;
}

static json_t *
look(mst_span bytes, const struct anchors *anchors)
{
	struct inspect_options o = { .anchors = anchors, .clock = w.now };
	json_t *j = NULL;

	assert_int_equal(inspect(w.a, bytes, &o, &j), MST_OK);
	assert_non_null(j);
	return j;
}

static void
assert_text(const json_t *j, const char *key, const char *value)
{
	const char *s = json_string_value(json_object_get(j, key));

	assert_non_null(s);
	assert_string_equal(s, value);
}

static const json_t *
check_of(const json_t *j, const char *name)
{
	size_t i;
	json_t *k;

	json_array_foreach(json_object_get(j, "checks"), i, k)
	{
		if (strcmp(json_string_value(json_object_get(k, "check")), name) == 0)
			return k;
	}
	fail_msg("no check %s", name);
	return NULL;
}

static void
good_idevid_passes_its_profile_ID_1_to_ID_5(void **state)
{
	(void)state;
	static const char *const names[] = { "ID-1", "ID-3", "ID-4", "ID-5", "validity", "strength",
		"chain" };
	mst_span pem = pki_pem(w.idevid);
	json_t *j = look(pem, w.anchors);

	for (size_t i = 0; i < 7; i++)
		assert_true(json_is_true(json_object_get(check_of(j, names[i]), "ok")));
	assert_text(j, "serial_number", SERIAL);
	assert_text(j, "masa_url", "https://masa.example.com/.well-known/brski");
	assert_true(json_is_true(json_object_get(j, "verified")));
	json_decref(j);
	free((void *)(uintptr_t)pem.ptr);
}

static void
another_anchor_does_not_verify(void **state)
{
	(void)state;
	mst_span der = pki_der(w.idevid);
	json_t *j = look(der, w.wrong);

	assert_true(json_is_false(json_object_get(j, "verified")));
	assert_text(check_of(j, "chain"), "code", "MU-1161");
	json_decref(j);
	free((void *)(uintptr_t)der.ptr);
}

static void
sha1_signature_is_named_CMS_5(void **state)
{
	(void)state;
	X509 *cert = pki_cert(&(struct pki_spec){ .serial = SERIAL,
	    .key = w.device_key,
	    .issuer = w.root,
	    .issuer_key = w.root_key,
	    .md = EVP_sha1() });
	mst_span der = pki_der(cert);
	json_t *j = look(der, NULL);

	assert_text(check_of(j, "strength"), "code", "MU-1164");
	assert_non_null(
	    strstr(json_string_value(json_object_get(check_of(j, "strength"), "words")), "SHA-1"));
	json_decref(j);
	free((void *)(uintptr_t)der.ptr);
	X509_free(cert);
}

static void
registrar_without_client_auth_is_noted_ID_6(void **state)
{
	(void)state;
	X509 *cert = pki_cert(&(struct pki_spec){ .cn = "R",
	    .key = w.device_key,
	    .issuer = w.root,
	    .issuer_key = w.root_key,
	    .eku = "serverAuth,1.3.6.1.5.5.7.3.28" });
	mst_span der = pki_der(cert);
	json_t *j = look(der, w.anchors);
	const json_t *checks = json_object_get(j, "checks");
	size_t i, bad = 0;
	json_t *k;

	assert_text(j, "role", "registrar");
	json_array_foreach(checks, i, k)
	{
		bad += json_is_false(json_object_get(k, "ok"));
	}
	assert_int_equal(bad, 1);
	assert_true(json_is_true(json_object_get(j, "verified")));
	json_decref(j);
	free((void *)(uintptr_t)der.ptr);
	X509_free(cert);
}

static void
truncated_certificate_is_not_recognised(void **state)
{
	(void)state;
	mst_span der = pki_der(w.idevid);
	struct inspect_options o = { .clock = w.now };
	json_t *j;

	for (size_t n = 0; n < der.len; n += 7)
		assert_int_equal(
		    inspect(w.a, mst_span_of(der.ptr, n), &o, &j), MST_E_CONTENT_UNKNOWN);
	free((void *)(uintptr_t)der.ptr);
}

static void
certs_only_is_certificates(void **state)
{
	(void)state;
	STACK_OF(X509) *s = pki_stack(w.idevid, w.root, NULL);
	mst_span der;
	json_t *j;

	assert_int_equal(certs_only_build(w.a, s, &der), MST_OK);
	j = look(der, NULL);
	assert_text(j, "kind", "certificates");
	assert_int_equal(json_array_size(json_object_get(j, "certificates")), 2);
	json_decref(j);
	pki_stack_free(s);
}

static void
crl_is_verified_by_its_issuer(void **state)
{
	(void)state;
	X509_CRL *crl = pki_crl(w.root, w.root_key, w.idevid, PKI_NOW - 1, PKI_NOW + PKI_DAY);
	mst_span pem = pki_crl_pem(crl);
	json_t *j = look(pem, w.anchors);

	assert_text(j, "kind", "crl");
	assert_true(json_is_true(json_object_get(j, "verified")));
	json_decref(j);
	j = look(pem, w.wrong);
	assert_true(json_is_false(json_object_get(j, "verified")));
	json_decref(j);
	X509_CRL_free(crl);
	free((void *)(uintptr_t)pem.ptr);
}

/* SEC-6: no run of the key's own characters may be in the report. */
static void
private_key_is_named_and_never_shown(void **state)
{
	(void)state;
	mst_span pem = pki_key_pem(w.device_key);
	json_t *j = look(pem, NULL);
	char *text = json_dumps(j, 0);
	const char *body = strchr((const char *)pem.ptr, '\n') + 1;
	char part[9] = "";

	assert_text(j, "kind", "private-key");
	for (size_t i = 30; i < 120; i++) {
		memcpy(part, body + i, 8);
		if (strchr(part, '\n') == NULL)
			assert_null(strstr(text, part));
	}
	free(text);
	json_decref(j);
	free((void *)(uintptr_t)pem.ptr);
}

static void
audit_log_nonceless_entry_is_noted_AUD(void **state)
{
	(void)state;
	json_t *j =
	    look(MST_LIT("{\"version\":\"1\",\"events\":[{\"date\":\"2026-01-01T00:00:00Z\","
	                 "\"domainID\":\"AAAA\",\"nonce\":null,\"assertion\":\"logged\"}],"
	                 "\"truncation\":{\"nonced duplicates\":\"0\",\"nonceless duplicates\":"
	                 "\"0\",\"arbitrary\":\"0\"}}"),
	        NULL);

	assert_text(j, "kind", "audit-log");
	assert_text(check_of(j, "nonceless"), "code", "MU-2401");
	json_decref(j);
}

static void
telemetry_in_json_is_recognised(void **state)
{
	(void)state;
	json_t *j = look(MST_LIT("{\"version\":1,\"status\":true}"), NULL);

	assert_text(j, "kind", "telemetry");
	json_decref(j);
}

static void
damaged_telemetry_is_still_telemetry(void **state)
{
	(void)state;
	json_t *j = look(MST_LIT("{\"version\":1,\"status\":\"yes\"}"), NULL);

	assert_text(j, "kind", "telemetry");
	assert_text(check_of(j, "data-model"), "code", "MU-2500");
	json_decref(j);
}

/* --- vouchers --- */

enum change {
	NOTHING,
	OTHER_SERIAL,
	OTHER_ISSUER,
	OTHER_NONCE,
	OTHER_ANCHOR,
	NONCELESS,
	TOO_EARLY,
	EXPIRED,
	NO_PIN,
	NO_ASSERTION,
	CHECKS_WANTED,
	REQUEST,
	DAMAGED,
};

static mst_span
voucher_with(enum mst_media media, enum change change)
{
	struct envelope_signer s = { .key = w.masa_key, .cert = w.masa };
	struct mst_voucher_claims c;
	mst_span der, message;

	mst_voucher_claims_init(&c, change == REQUEST ? MST_VOUCHER_REQUEST : MST_VOUCHER);
	der = pki_der(w.other);
	c.pinned_cert = change == NO_PIN || change == REQUEST ? MST_NONE : arena_dup(w.a, der);
	free((void *)(uintptr_t)der.ptr);
	c.assertion = change == NO_ASSERTION ? MST_ASSERT_ABSENT : MST_ASSERT_LOGGED;
	c.created_on = PKI_NOW + (change == TOO_EARLY ? 3600 : 0);
	c.serial = change == OTHER_SERIAL ? MST_LIT("JADA-9") : MST_LIT(SERIAL);
	if (change != NONCELESS && change != EXPIRED)
		c.nonce = MST_LIT("0123456789abcdef");
	if (change == EXPIRED)
		c.expires_on = PKI_NOW - 1;
	if (change == CHECKS_WANTED)
		c.revocation_checks = 1;
	assert_int_equal(
	    cert_idevid_issuer(w.a, change == OTHER_ISSUER ? w.other : w.idevid, &c.idevid_issuer),
	    MST_OK);
	assert_int_equal(envelope_seal(w.a, media, &c, &s, &message), MST_OK);
	if (change == DAMAGED) { /* still DER, CBOR or JSON, another signature */
		uint8_t *p = (uint8_t *)(uintptr_t)message.ptr +
		             (media != MST_MEDIA_JWS_JSON ? message.len - 1 : 0);

		if (media != MST_MEDIA_JWS_JSON) {
			*p ^= 1;
		} else {
			p = (uint8_t *)(uintptr_t)strstr(
			    (const char *)message.ptr, "\"signature\"");
			assert_non_null(p);
			p[20] = p[20] == 'A' ? 'B' : 'A';
		}
	}
	return message;
}

static const struct row {
	const char *name;
	enum change change;
	mst_err err;
	enum mst_media media;
} rows[] = {
#define EACH(text, change, err)                                                                    \
	{ text " (CMS)", change, err, MST_MEDIA_CMS_JSON },                                        \
	    { text " (COSE)", change, err, MST_MEDIA_COSE_CBOR },                                  \
	{                                                                                          \
		text " (JWS)", change, err, MST_MEDIA_JWS_JSON                                     \
	}
	EACH("8.7 a good voucher is accepted", NOTHING, MST_OK),
	EACH("8.7.2 signature damaged", DAMAGED, MST_E_VOUCHER_SIGNATURE),
	EACH("8.7.2 another anchor", OTHER_ANCHOR, MST_E_VOUCHER_SIGNER),
	EACH("8.7.1 a request", REQUEST, MST_E_VOUCHER_KIND),
	EACH("8.7.3 serial", OTHER_SERIAL, MST_E_VOUCHER_SERIAL),
	EACH("8.7.4 idevid-issuer", OTHER_ISSUER, MST_E_VOUCHER_IDEVID_ISSUER),
	EACH("8.7.5 nonce", OTHER_NONCE, MST_E_VOUCHER_NONCE),
	EACH("8.7.5 nonceless refused by policy", NONCELESS, MST_E_VOUCHER_NONCELESS),
	EACH("8.7.6 created in the future", TOO_EARLY, MST_E_VOUCHER_NOT_YET),
	EACH("8.7.7 no pin", NO_PIN, MST_E_VOUCHER_PIN),
	EACH("8.7 no assertion", NO_ASSERTION, MST_E_VOUCHER_ASSERTION),
	EACH("8.7.8 revocation checks wanted", CHECKS_WANTED, MST_E_VOUCHER_REVOCATION),
};
#define ROWS (sizeof rows / sizeof rows[0])

static struct verdict_want
want_of(enum change change)
{
	struct verdict_want want = { .serial = MST_LIT(SERIAL),
		.nonce =
		    change == OTHER_NONCE ? "MDEyMzQ1Njc4OWFiY2RlZQ==" : "MDEyMzQ1Njc4OWFiY2RlZg==",
		.nonceless = VERDICT_NONCELESS_REFUSED,
		.anchors = change == OTHER_ANCHOR ? w.wrong : w.anchors,
		.clock = w.now };

	assert_int_equal(cert_idevid_issuer(w.a, w.idevid, &want.idevid_issuer), MST_OK);
	return want;
}

static void
one_change_one_name(void **state)
{
	const struct row *r = *state;
	mst_span message = voucher_with(r->media, r->change);
	struct verdict_want want = want_of(r->change);
	struct verdict v;

	verdict_voucher(w.a, message, &want, &v);
	assert_int_equal(v.err, r->err);
	assert_int_equal(v.media, r->media);
}

static void
expired_nonceless_is_refused_8_7_6(void **state)
{
	(void)state;
	struct verdict_want want = want_of(NOTHING);
	struct verdict v;

	want.nonceless = VERDICT_NONCELESS_TAKEN;
	verdict_voucher(w.a, voucher_with(MST_MEDIA_CMS_JSON, EXPIRED), &want, &v);
	assert_int_equal(v.err, MST_E_VOUCHER_EXPIRED);
}

static void
what_is_not_known_is_not_judged_and_said(void **state)
{
	(void)state;
	struct verdict_want want = want_of(NOTHING);
	struct verdict v;

	want.nonce = NULL;
	want.idevid_issuer = MST_NONE;
	verdict_voucher(w.a, voucher_with(MST_MEDIA_CMS_JSON, OTHER_ISSUER), &want, &v);
	assert_int_equal(v.err, MST_OK);
	assert_false(v.nonce_judged);
	assert_false(v.issuer_judged);
}

static void
nonce_as_hex_is_the_same_nonce_DM_2(void **state)
{
	(void)state;
	struct verdict_want want = want_of(NOTHING);
	struct verdict v;

	want.nonce = "30313233343536373839616263646566";
	verdict_voucher(w.a, voucher_with(MST_MEDIA_CMS_JSON, NOTHING), &want, &v);
	assert_int_equal(v.err, MST_OK);
}

/* No flipped bit may be accepted (issue D19). */
static void
every_fifth_bit_flipped_is_refused_D19(void **state)
{
	(void)state;
	mst_span good = voucher_with(MST_MEDIA_CMS_JSON, NOTHING);
	struct verdict_want want = want_of(NOTHING);
	uint8_t *copy = malloc(good.len);

	assert_non_null(copy);
	memcpy(copy, good.ptr, good.len);
	for (size_t i = 0; i < good.len * 8; i += 5) { /* test_cms has all of them */
		struct arena *a = arena_new(0);
		struct verdict v;

		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		verdict_voucher(a, mst_span_of(copy, good.len), &want, &v);
		copy[i / 8] ^= (uint8_t)(1u << (i % 8));
		arena_free(a);
		if (v.err == MST_OK)
			fail_msg("bit %zu", i);
	}
	free(copy);
}

static void
damaged_voucher_is_recognised_and_named(void **state)
{
	(void)state;
	json_t *j = look(voucher_with(MST_MEDIA_CMS_JSON, DAMAGED), w.anchors);

	assert_text(j, "kind", "voucher");
	assert_text(check_of(j, "signature"), "code", "MU-1202");
	assert_true(json_is_false(json_object_get(j, "verified")));
	json_decref(j);
}

static void
good_jws_voucher_is_recognised(void **state)
{
	(void)state;
	json_t *j = look(voucher_with(MST_MEDIA_JWS_JSON, NOTHING), w.anchors);

	assert_text(j, "kind", "voucher");
	assert_text(j, "format", "jws+json");
	assert_true(json_is_true(json_object_get(j, "verified")));
	json_decref(j);
}

/* --- COSE and other CBOR --- */

static const char *
field_of(const json_t *j, const char *name)
{
	size_t i;
	json_t *f;

	json_array_foreach(json_object_get(j, "fields"), i, f)
	{
		if (strcmp(json_string_value(json_object_get(f, "name")), name) == 0)
			return json_string_value(json_object_get(f, "value"));
	}
	fail_msg("no field %s", name);
	return NULL;
}

static bool
is_ok(const json_t *j, const char *check)
{
	return json_is_true(json_object_get(check_of(j, check), "ok"));
}

static void
good_cose_voucher_is_explained_COSE_4(void **state)
{
	(void)state;
	json_t *j = look(voucher_with(MST_MEDIA_COSE_CBOR, NOTHING), w.anchors);

	assert_text(j, "kind", "voucher");
	assert_text(j, "format", "cose+cbor");
	assert_text(j, "encoding", "cbor");
	assert_string_equal(field_of(j, "tag"), "18");
	assert_string_equal(field_of(j, "alg"), "ES256 (-7)");
	assert_string_equal(field_of(j, "x5bag"), "1 in the unprotected header");
	assert_non_null(strstr(field_of(j, "x5bag 1"), "CN=MASA"));
	assert_string_equal(field_of(j, "serial-number"), SERIAL);
	assert_text(json_object_get(j, "claims"), "nonce", "MDEyMzQ1Njc4OWFiY2RlZg==");
	assert_true(is_ok(j, "headers") && is_ok(j, "signature") && is_ok(j, "signer"));
	assert_true(json_is_true(json_object_get(j, "verified")));
	json_decref(j);
}

static void
damaged_cose_voucher_is_recognised_and_named(void **state)
{
	(void)state;
	json_t *j = look(voucher_with(MST_MEDIA_COSE_CBOR, DAMAGED), w.anchors);

	assert_text(j, "kind", "voucher");
	assert_text(check_of(j, "signature"), "code", "MU-1202");
	assert_true(json_is_false(json_object_get(j, "verified")));
	json_decref(j);
}

/* An algorithm that anybody could change: named, and the rest explained all the same. */
static void
bad_cose_headers_are_named_COSE_3(void **state)
{
	static const uint8_t message[] = { 0xd2, 0x84, 0x40, 0xa1, 0x01, 0x26, 0x4a, 0xa1, 0x19,
		0x09, 0x93, 0xa1, 0x0b, 0x63, 'S', 'N', '1', 0x40 };
	json_t *j = look(mst_span_of(message, sizeof message), w.anchors);

	(void)state;
	assert_text(j, "kind", "voucher");
	assert_string_equal(field_of(j, "serial-number"), "SN1");
	assert_text(check_of(j, "headers"), "code", "MU-1803");
	assert_true(json_is_false(json_object_get(j, "verified")));
	json_decref(j);
}

static mst_span
rvr_with(bool bag)
{
	X509 *ra = pki_cert(&(struct pki_spec){ .cn = "Registrar",
	    .key = w.other_key,
	    .issuer = w.other,
	    .issuer_key = w.other_key,
	    .eku = PKI_EKU_RA });
	struct envelope_signer pledge = { .key = w.device_key, .cert = w.idevid };
	struct envelope_signer registrar = { .key = w.other_key, .cert = ra };
	STACK_OF(X509) *more = pki_stack(w.idevid, w.root, NULL);
	struct mst_voucher_claims c;
	mst_span message;

	mst_voucher_claims_init(&c, MST_VOUCHER_REQUEST);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.serial = MST_LIT(SERIAL);
	c.nonce = MST_LIT("0123456789abcdef");
	assert_int_equal(cert_spki(w.a, ra, &c.proximity_pubk), MST_OK);
	assert_int_equal(envelope_seal(w.a, MST_MEDIA_COSE_CBOR, &c, &pledge, &message), MST_OK);
	c.prior_request = message;
	c.proximity_pubk = MST_NONE;
	c.created_on = PKI_NOW;
	assert_int_equal(cert_idevid_issuer(w.a, w.idevid, &c.idevid_issuer), MST_OK);
	assert_int_equal(envelope_seal(w.a, MST_MEDIA_COSE_CBOR, &c, &registrar, &message), MST_OK);
	if (bag)
		assert_int_equal(envelope_bag_add(w.a, message, more, &message), MST_OK);
	pki_stack_free(more);
	X509_free(ra);
	return message;
}

/* The pledge's certificate is in the registrar's bag, and judges the request inside. */
static void
cose_request_of_a_registrar_COSE_4(void **state)
{
	(void)state;
	json_t *j = look(rvr_with(true), NULL), *prior = json_object_get(j, "prior");

	assert_text(j, "made_by", "registrar");
	assert_string_equal(field_of(j, "x5bag"), "3 in the unprotected header");
	assert_true(is_ok(j, "prior-signature") && is_ok(j, "prior-serial"));
	assert_true(is_ok(j, "prior-nonce") && is_ok(j, "prior-proximity"));
	assert_text(prior, "format", "cose+cbor");
	assert_text(prior, "made_by", "pledge");
	assert_true(is_ok(prior, "signature") && is_ok(prior, "serial"));
	json_decref(j);
}

static void
cose_request_without_the_pledges_chain_COSE_4(void **state)
{
	(void)state;
	json_t *j = look(rvr_with(false), NULL);

	/* not good, and not false either: who has the certificate can tell */
	assert_true(json_is_null(json_object_get(check_of(j, "prior-signature"), "ok")));
	assert_true(json_is_null(
	    json_object_get(check_of(json_object_get(j, "prior"), "signature"), "ok")));
	json_decref(j);
}

static void
cose_of_a_draft_is_read_and_refused_19(void **state)
{
	static const uint8_t bare[] = { 0xa1, 0x1a, 0x00, 0x0f, 0x46, 0xc2, 0xa1, 0x0d, 0x63, 'S',
		'N', '1' };
	json_t *j = look(mst_span_of(bare, sizeof bare), NULL);

	(void)state;
	assert_text(j, "kind", "voucher-request");
	assert_text(j, "format", "cbor");
	assert_true(json_is_false(json_object_get(check_of(j, "data-model"), "ok")));
	json_decref(j);
}

static void
any_cbor_has_its_notation_RFC_8949_8(void **state)
{
	struct inspect_options o = { .clock = w.now };
	json_t *j = look(MST_LIT("\x82\x18\x2a\x43xyz"), NULL);

	(void)state;
	assert_text(j, "kind", "cbor");
	assert_text(j, "diag", "[42, h'78797a']");
	json_decref(j);
	j = look(MST_LIT("82182a 43 78797a\n"), NULL);
	assert_text(j, "encoding", "hex");
	assert_text(j, "diag", "[42, h'78797a']");
	json_decref(j);
	j = look(MST_LIT("\xa2\x01\x02\x01\x03"), NULL);
	assert_text(check_of(j, "keys"), "name", "MST_E_CBOR_DUPLICATE");
	json_decref(j);
	/* a number may be anything: only who asks is told */
	assert_int_equal(inspect(w.a, MST_LIT("\x18\x2a"), &o, &j), MST_E_CONTENT_UNKNOWN);
	o.want = INSPECT_DIAG;
	assert_int_equal(inspect(w.a, MST_LIT("\x18\x2a"), &o, &j), MST_OK);
	assert_text(j, "diag", "42");
	json_decref(j);
	assert_int_equal(inspect(w.a, MST_LIT("\x82\x01"), &o, &j), MST_E_CONTENT_UNKNOWN);
}

/* SEC-6: a COSE_Key's private part is in no report, also not in the notation that was asked for. */
static void
cose_key_is_named_and_never_shown_SEC_6(void **state)
{
	static const char ec[] = "\xa5\x61x\x01\x01\x02\x20\x01\x21\x41\x11\x23\x44secr";
	struct inspect_options o = { .clock = w.now, .want = INSPECT_DIAG };
	json_t *j;

	(void)state;
	assert_int_equal(inspect(w.a, mst_span_of(ec, sizeof ec - 1), &o, &j), MST_OK);
	assert_text(j, "kind", "private-key");
	assert_null(json_object_get(j, "diag"));
	json_decref(j);
	/* the public one has nothing to hide */
	j = look(MST_LIT("\xa3\x01\x02\x20\x01\x21\x41\x11"), NULL);
	assert_text(j, "kind", "cbor");
	json_decref(j);
}

static void
multipart_core_is_taken_apart_RFC_8710(void **state)
{
	struct inspect_options o = { .clock = w.now, .want = INSPECT_DIAG };
	struct mst_buf b = arena_buf(w.a, 4096);
	mst_span der = pki_der(w.idevid);
	uint8_t *p8 = NULL;
	int n = i2d_PrivateKey(w.device_key, &p8);
	struct mst_cbor_writer out;
	json_t *j, *more;
	char *text;

	(void)state;
	mst_cbor_put_init(&out, &b);
	mst_cbor_put_array(&out, 4);
	mst_cbor_put_uint(&out, 284);
	mst_cbor_put_bytes(&out, mst_span_of(p8, (size_t)n));
	mst_cbor_put_uint(&out, 287);
	mst_cbor_put_bytes(&out, der);
	assert_int_equal(mst_cbor_put_end(&out), MST_OK);
	assert_int_equal(inspect(w.a, mst_buf_span(&b), &o, &j), MST_OK);
	assert_text(j, "kind", "multipart-core");
	more = json_object_get(j, "more");
	assert_int_equal(json_array_size(more), 2);
	assert_text(json_array_get(more, 0), "kind", "private-key");
	assert_text(json_array_get(more, 1), "kind", "certificate");
	assert_null(json_object_get(j, "diag")); /* SEC-6 */
	text = json_dumps(j, 0);
	assert_null(strstr(text, "h'"));
	free(text);
	json_decref(j);
	OPENSSL_free(p8);
	free((void *)(uintptr_t)der.ptr);
}

static void
csrattrs_are_recognised_RFC_8951(void **state)
{
	/* challengePassword, an EC key on P-256 */
	static const uint8_t der[] = { 0x30, 0x21, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		0x01, 0x09, 0x07, 0x30, 0x14, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
		0x31, 0x09, 0x06, 0x07, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x03, 0x04 };
	struct inspect_options o = { .clock = w.now };
	json_t *j = look(mst_span_of(der, sizeof der), NULL);

	(void)state;
	assert_text(j, "kind", "csrattrs");
	assert_non_null(field_of(j, "challengePassword (1.2.840.113549.1.9.7)"));
	assert_non_null(field_of(j, "id-ecPublicKey (1.2.840.10045.2.1)"));
	assert_true(is_ok(j, "data-model"));
	json_decref(j);
	j = look(MST_LIT("MAA="), NULL); /* none at all */
	assert_text(j, "kind", "csrattrs");
	json_decref(j);
	for (size_t n = 3; n < sizeof der; n++)
		assert_int_equal(inspect(w.a, mst_span_of(der, n), &o, &j), MST_E_CONTENT_UNKNOWN);
}

int
main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(good_idevid_passes_its_profile_ID_1_to_ID_5),
		cmocka_unit_test(another_anchor_does_not_verify),
		cmocka_unit_test(sha1_signature_is_named_CMS_5),
		cmocka_unit_test(registrar_without_client_auth_is_noted_ID_6),
		cmocka_unit_test(truncated_certificate_is_not_recognised),
		cmocka_unit_test(certs_only_is_certificates),
		cmocka_unit_test(crl_is_verified_by_its_issuer),
		cmocka_unit_test(private_key_is_named_and_never_shown),
		cmocka_unit_test(audit_log_nonceless_entry_is_noted_AUD),
		cmocka_unit_test(telemetry_in_json_is_recognised),
		cmocka_unit_test(damaged_telemetry_is_still_telemetry),
		cmocka_unit_test(expired_nonceless_is_refused_8_7_6),
		cmocka_unit_test(what_is_not_known_is_not_judged_and_said),
		cmocka_unit_test(nonce_as_hex_is_the_same_nonce_DM_2),
		cmocka_unit_test(every_fifth_bit_flipped_is_refused_D19),
		cmocka_unit_test(damaged_voucher_is_recognised_and_named),
		cmocka_unit_test(good_jws_voucher_is_recognised),
		cmocka_unit_test(good_cose_voucher_is_explained_COSE_4),
		cmocka_unit_test(damaged_cose_voucher_is_recognised_and_named),
		cmocka_unit_test(bad_cose_headers_are_named_COSE_3),
		cmocka_unit_test(cose_request_of_a_registrar_COSE_4),
		cmocka_unit_test(cose_request_without_the_pledges_chain_COSE_4),
		cmocka_unit_test(cose_of_a_draft_is_read_and_refused_19),
		cmocka_unit_test(any_cbor_has_its_notation_RFC_8949_8),
		cmocka_unit_test(cose_key_is_named_and_never_shown_SEC_6),
		cmocka_unit_test(multipart_core_is_taken_apart_RFC_8710),
		cmocka_unit_test(csrattrs_are_recognised_RFC_8951),
	};
	enum { FIXED = sizeof fixed / sizeof fixed[0] };
	static struct CMUnitTest tests[FIXED + ROWS];

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < ROWS; i++)
		tests[FIXED + i] = (struct CMUnitTest){ rows[i].name, one_change_one_name, NULL,
			NULL, (void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("inspect", tests, FIXED + ROWS, setup, teardown);
}

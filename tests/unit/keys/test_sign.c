/* SPDX-License-Identifier: Apache-2.0 */
/* Each typed request to a real key process: the good one, checked by the openssl command too, and
 * what it refuses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "host/cert.h"
#include "server/keys/keys.h"
#include "unit/keys/support_pki.h"

#define DAY INT64_C(86400)
#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

static struct keys *keys;
static struct arena *arena;
static const uint8_t serial16[16] = { 0x41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
/* SEQUENCE { [2] "dev.example" } */
static const uint8_t san_dns[] = { 0x30, 0x0d, 0x82, 0x0b, 'd', 'e', 'v', '.', 'e', 'x', 'a', 'm',
	'p', 'l', 'e' };

static int
group_setup(void **state)
{
	static struct keys_slot slots[] = { { "ca", KEYS_CA, NULL, NULL },
		{ "old", KEYS_CA, NULL, NULL }, { "idevid", KEYS_IDEVID_CA, NULL, NULL },
		{ "rvr", KEYS_RVR, NULL, NULL }, { "short", KEYS_VOUCHER_SHORT, NULL, NULL },
		{ "long", KEYS_VOUCHER_LONG, NULL, NULL } };
	static const char *const files[] = { "root", "oldroot", "idevidca", "rvr", "short",
		"long" };
	static const struct keys_profile profiles[] = {
		{ .name = "device",
		    .max_seconds = 365 * DAY,
		    .ekus = CLIENT_AUTH,
		    .crl_url = "http://crl.example/a,b.crl" },
		{ .name = "oldonly", .slot = "old", .max_seconds = 365 * DAY, .ekus = CLIENT_AUTH },
	};

	(void)state;
	tpki_usual();
	tpki_make(&(struct tpki_spec){ .name = "oldroot",
	    .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign,cRLSign",
	    .from = -1000,
	    .to = 400 });
	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
		slots[i].key_uri = strdup(tpki_path(files[i], "key"));
		slots[i].cert_path = strdup(tpki_path(files[i], "pem"));
	}
	if (keys_start(slots, sizeof slots / sizeof slots[0], profiles, 2, &keys) != MST_OK) {
		printf("keys_start: %s\n", keys_why());
		return -1;
	}
	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
		free((char *)(uintptr_t)slots[i].key_uri);
		free((char *)(uintptr_t)slots[i].cert_path);
	}
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	keys_stop(keys);
	tpki_clean();
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct keys_request
good_cert(void)
{
	int64_t now = (int64_t)time(NULL);

	return (struct keys_request){ .kind = KEYS_SIGN_CERT,
		.entry = 1,
		.slot = "ca",
		.profile = "device",
		.serial = mst_span_of(serial16, sizeof serial16),
		.subject = tpki_name("device-1"),
		.spki = tpki_spki("P-256"),
		.san = mst_span_of(san_dns, sizeof san_dns),
		.not_before = now - 60,
		.not_after = now + 90 * DAY };
}

static X509 *
sign_to_x509(const struct keys_request *rq)
{
	mst_span der;
	X509 *x;

	assert_int_equal(keys_call_wait(keys, rq, arena, &der), MST_OK);
	assert_int_equal(cert_parse(der, &x), MST_OK);
	tpki_write("out", "der", der);
	return x;
}

static void
assert_verifies(const char *root)
{
	const char *text;

	assert_int_equal(tpki_run(NULL, "openssl x509 -inform DER -in %s -out %s",
	                     tpki_path("out", "der"), tpki_path("out", "pem")),
	    0);
	if (tpki_run(&text, "openssl verify -x509_strict -check_ss_sig -CAfile %s %s",
	        tpki_path(root, "pem"), tpki_path("out", "pem")) != 0)
		fail_msg("%s", text);
}

static const char *
printed(void)
{
	const char *text;

	assert_int_equal(tpki_run(&text, "openssl x509 -noout -text -inform DER -in %s",
	                     tpki_path("out", "der")),
	    0);
	return text;
}

static void
good_certificate_of_each_key_type_verifies_C2(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "P-521", "ED25519", "RSA:2048",
		"RSA:3072" };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct keys_request rq = good_cert();
		mst_span spki = tpki_spki(kinds[i]), got;
		X509 *x;

		rq.spki = spki;
		x = sign_to_x509(&rq);
		assert_verifies("root");
		assert_int_equal(cert_spki(arena, x, &got), MST_OK);
		assert_true(mst_span_eq(got, spki));
		X509_free(x);
	}
}

static void
certificate_has_what_the_profile_says_and_no_more(void **state)
{
	struct keys_request rq = good_cert();
	X509 *x = sign_to_x509(&rq), *root = tpki_cert("root");
	const char *text = printed();

	(void)state;
	assert_non_null(strstr(text, "DNS:dev.example"));
	assert_non_null(strstr(text, "http://crl.example/a,b.crl"));
	assert_non_null(
	    strstr(text, "X509v3 Basic Constraints: critical\n                CA:FALSE"));
	assert_non_null(
	    strstr(text, "X509v3 Key Usage: critical\n                Digital Signature\n"));
	assert_non_null(strstr(text, "TLS Web Client Authentication\n"));
	assert_int_equal(X509_get_version(x), 2);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(X509_get_ext_count(x), 7);
	assert_int_equal(X509_check_issued(root, x), X509_V_OK);
	assert_int_equal(
	    ASN1_STRING_cmp(X509_get0_authority_key_id(x), X509_get0_subject_key_id(root)), 0);
	assert_int_equal(ASN1_STRING_length(X509_get0_subject_key_id(x)), 20);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(x)), sizeof serial16);
	assert_memory_equal(
	    ASN1_STRING_get0_data(X509_get0_serialNumber(x)), serial16, sizeof serial16);
	X509_free(x);
	X509_free(root);
}

static void
empty_subject_makes_the_SAN_critical_rfc5280_4_1_2_6(void **state)
{
	struct keys_request rq = good_cert();
	X509 *x;

	(void)state;
	rq.subject = tpki_name("");
	x = sign_to_x509(&rq);
	assert_int_equal(X509_EXTENSION_get_critical(
	                     X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1))),
	    1);
	X509_free(x);
}

/* One row: a good request with one thing changed, and its refusal. */
struct row {
	const char *name;
	void (*change)(struct keys_request *);
	mst_err want;
};

static uint8_t scratch[4096];
static struct mst_voucher_claims claims;

static void
run_row(void **state, struct keys_request (*good)(void))
{
	const struct row *r = *state;
	struct keys_request rq = good();
	mst_span der;
	mst_err e;

	r->change(&rq);
	e = keys_call_wait(keys, &rq, arena, &der);
	if (e != r->want)
		fail_msg("%s: %s, wanted %s", r->name, mst_err_info(e)->name,
		    mst_err_info(r->want)->name);
	rq = good(); /* the process lives and still signs */
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
}

#define CHANGE(fn) static void fn(struct keys_request *rq)
/* clang-format off */
CHANGE(entry_zero) { rq->entry = 0; }
CHANGE(no_such_slot) { rq->slot = "nosuch"; }
CHANGE(slot_rvr) { rq->slot = "rvr"; }
CHANGE(slot_idevid) { rq->slot = "idevid"; }
CHANGE(slot_ca) { rq->slot = "ca"; }
CHANGE(slot_short) { rq->slot = "short"; }
CHANGE(slot_long) { rq->slot = "long"; }
CHANGE(profile_unknown) { rq->profile = "nosuch"; }
CHANGE(profile_of_other_slot) { rq->profile = "oldonly"; }
CHANGE(serial_short) { rq->serial.len = 7; }
CHANGE(serial_long) { rq->serial = mst_span_of(memset(scratch, 0x41, 21), 21); }
/* clang-format on */

CHANGE(serial_negative)
{
	memcpy(scratch, serial16, 16);
	scratch[0] = 0x80;
	rq->serial = mst_span_of(scratch, 16);
}
CHANGE(serial_leading_zero)
{
	memcpy(scratch, serial16, 16);
	scratch[0] = 0;
	rq->serial = mst_span_of(scratch, 16);
}
/* clang-format off */
CHANGE(too_long_a_life) { rq->not_after = rq->not_before + 365 * DAY + 1; }
CHANGE(ends_before_it_begins) { rq->not_after = rq->not_before; }
/* clang-format on */

CHANGE(before_its_issuer)
{
	rq->not_before = (int64_t)time(NULL) - 10 * DAY;
	rq->not_after = rq->not_before + DAY;
}
CHANGE(beyond_its_issuer)
{
	rq->not_before = (int64_t)time(NULL) + 3600 * DAY;
	rq->not_after = rq->not_before + 200 * DAY;
}
/* clang-format off */
CHANGE(key_p224) { rq->spki = tpki_spki("P-224"); }
CHANGE(key_k256) { rq->spki = tpki_spki("secp256k1"); }
CHANGE(key_rsa1024) { rq->spki = tpki_spki("RSA:1024"); }
/* clang-format on */

CHANGE(key_trailing)
{
	memcpy(scratch, rq->spki.ptr, rq->spki.len);
	scratch[rq->spki.len] = 0;
	rq->spki = mst_span_of(scratch, rq->spki.len + 1);
}
/* clang-format off */
CHANGE(key_cut) { rq->spki.len--; }
/* clang-format on */

CHANGE(key_off_curve)
{
	mst_span s = tpki_spki("P-384");
	memcpy(scratch, s.ptr, s.len);
	scratch[s.len - 1] ^= 1;
	rq->spki = mst_span_of(scratch, s.len);
}
/* clang-format off */
CHANGE(subject_garbage) { rq->subject = MST_LIT("\x30\x02\x31"); }
/* clang-format on */

CHANGE(subject_trailing)
{
	memcpy(scratch, rq->subject.ptr, rq->subject.len);
	scratch[rq->subject.len] = 0;
	rq->subject = mst_span_of(scratch, rq->subject.len + 1);
}
CHANGE(subject_ber)
{
	size_t n = rq->subject.len;
	memcpy(scratch + 2, rq->subject.ptr + 1, n - 1);
	scratch[0] = 0x30;
	scratch[1] = 0x81;
	rq->subject = mst_span_of(scratch, n + 1);
}
/* clang-format off */
CHANGE(subject_empty_no_san) { rq->subject = tpki_name(""); rq->san = MST_NONE; }
CHANGE(san_garbage) { rq->san = MST_LIT("\x30\x03\x82\x05x"); }
CHANGE(san_empty) { rq->san = MST_LIT("\x30\x00"); }
/* clang-format on */

CHANGE(san_trailing)
{
	memcpy(scratch, san_dns, sizeof san_dns);
	scratch[sizeof san_dns] = 0;
	rq->san = mst_span_of(scratch, sizeof san_dns + 1);
}
CHANGE(san_ber)
{
	memcpy(scratch + 2, san_dns + 1, sizeof san_dns - 1);
	scratch[0] = 0x30;
	scratch[1] = 0x81;
	rq->san = mst_span_of(scratch, sizeof san_dns + 1);
}

static void
refused_cert(void **state)
{
	run_row(state, good_cert);
}

static struct keys_request
good_idevid(void)
{
	return (struct keys_request){ .kind = KEYS_SIGN_IDEVID,
		.entry = 2,
		.slot = "idevid",
		.serial = mst_span_of(serial16, sizeof serial16),
		.spki = tpki_spki("P-256"),
		.not_before = (int64_t)time(NULL),
		.device_serial = MST_LIT("JADA123456789"),
		.masa_url = "masa.example:9443",
		.organization = "Example" };
}

/* clang-format off */
CHANGE(device_serial_empty) { rq->device_serial = MST_LIT(""); }
CHANGE(device_serial_nul) { rq->device_serial = MST_LIT("a\0b"); }
CHANGE(device_serial_long) { rq->device_serial = mst_span_of(memset(scratch, 'a', 65), 65); }
CHANGE(device_serial_not_printable_string) { rq->device_serial = MST_LIT("a_b@c"); }
CHANGE(masa_url_http) { rq->masa_url = "http://masa.example/"; }
CHANGE(masa_url_userinfo) { rq->masa_url = "https://u@masa.example/"; }
CHANGE(organization_long) { static char o[80]; memset(o, 'o', 70); rq->organization = o; }
/* clang-format on */

static void
refused_idevid(void **state)
{
	run_row(state, good_idevid);
}

static void
idevid_is_as_ID_1_to_5_say(void **state)
{
	struct keys_request rq = good_idevid();
	X509 *x = sign_to_x509(&rq), *ca = tpki_cert("idevidca");
	const char *text, *base;
	mst_span serial, issuer;

	(void)state;
	assert_verifies("idevidca");
	assert_int_equal(cert_device_serial(arena, x, CERT_SERIAL_SUBJECT, &serial), MST_OK);
	assert_true(mst_span_eq(serial, MST_LIT("JADA123456789"))); /* ID-1 */
	assert_int_equal(cert_masa_url(arena, x, &base), MST_OK);
	assert_string_equal(base, "https://masa.example:9443/.well-known/brski"); /* ID-3 */
	assert_int_equal(cert_idevid_issuer(arena, x, &issuer), MST_OK);
	assert_int_equal(issuer.len, 26); /* ID-8: 04 18 30 16 80 14 keyid */
	assert_memory_equal(
	    issuer.ptr + 6, ASN1_STRING_get0_data(X509_get0_subject_key_id(ca)), 20);
	text = printed();
	assert_non_null(strstr(text, "Not After : Dec 31 23:59:59 9999 GMT")); /* ID-4 */
	assert_non_null(strstr(text, "O = Example, serialNumber = JADA123456789"));
	assert_null(strstr(text, "critical")); /* ID-3 */
	assert_null(strstr(text, "Key Usage")); /* ID-5 */
	X509_free(x);
	X509_free(ca);
}

static const uint8_t rev_a[] = { 0x41, 0xaa }, rev_b[] = { 0x41, 0xbb };
static struct keys_revoked revoked[3];

static struct keys_request
good_crl(void)
{
	int64_t now = (int64_t)time(NULL);

	revoked[0] = (struct keys_revoked){ { rev_b, 2 }, now - 50, 1 };
	revoked[1] = (struct keys_revoked){ { rev_a, 2 }, now - 40, 0 };
	return (struct keys_request){ .kind = KEYS_SIGN_CRL,
		.entry = 3,
		.slot = "ca",
		.crl_number = 7,
		.this_update = now,
		.next_update = now + 7 * DAY,
		.revoked = revoked,
		.revoked_count = 2 };
}

/* clang-format off */
CHANGE(crl_number_zero) { rq->crl_number = 0; }
CHANGE(crl_ends_at_once) { rq->next_update = rq->this_update; }
CHANGE(crl_reason_7) { (void)rq; revoked[0].reason = 7; }
CHANGE(crl_reason_8) { (void)rq; revoked[0].reason = 8; }
CHANGE(crl_reason_11) { (void)rq; revoked[0].reason = 11; }
CHANGE(crl_serial_twice) { (void)rq; revoked[1].serial = revoked[0].serial; }
CHANGE(crl_serial_empty) { (void)rq; revoked[0].serial = MST_LIT(""); }
/* clang-format on */

static void
refused_crl(void **state)
{
	run_row(state, good_crl);
}

static void
crl_is_read_by_openssl_rfc5280_5(void **state)
{
	struct keys_request rq = good_crl();
	const char *text;
	mst_span der;

	(void)state;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
	tpki_write("out", "crl", der);
	assert_int_equal(tpki_run(&text, "openssl crl -inform DER -in %s -noout -text -CAfile %s",
	                     tpki_path("out", "crl"), tpki_path("root", "pem")),
	    0);
	assert_non_null(strstr(text, "verify OK"));
	assert_non_null(strstr(text, "Version 2"));
	assert_non_null(strstr(text, "X509v3 CRL Number: \n                7\n"));
	assert_non_null(strstr(text, "X509v3 Authority Key Identifier"));
	assert_non_null(strstr(text, "Serial Number: 41AA"));
	assert_non_null(strstr(text, "Key Compromise"));
	assert_null(strstr(text, "Unspecified")); /* 5.3.1: absent instead */
}

static void
empty_crl_is_good(void **state)
{
	struct keys_request rq = good_crl();
	mst_span der;

	(void)state;
	rq.revoked_count = 0;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
}

static void
crl_of_65536_serials_passes_both_ways(void **state)
{
	struct keys_revoked *many = calloc(KEYS_REVOKED_MAX + 1, sizeof *many);
	uint8_t(*serials)[17] = calloc(KEYS_REVOKED_MAX + 1, 17);
	struct keys_request rq = good_crl();
	mst_span der;

	(void)state;
	for (uint32_t i = 0; i <= KEYS_REVOKED_MAX; i++) {
		memset(serials[i], 0x41, 16);
		memcpy(serials[i] + 4, &i, 4);
		many[i] = (struct keys_revoked){ { serials[i], 16 }, rq.this_update, 1 };
	}
	rq.revoked = many;
	rq.revoked_count = KEYS_REVOKED_MAX;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
	rq.revoked_count++;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_E_SPACE);
	free(many);
	free(serials);
}

static struct keys_request
good_rvr(void)
{
	mst_voucher_claims_init(&claims, MST_VOUCHER_REQUEST);
	claims.assertion = MST_ASSERT_PROXIMITY;
	claims.created_on = (int64_t)time(NULL);
	claims.serial = MST_LIT("JADA123456789");
	claims.nonce = MST_LIT("0123456789abcdef");
	claims.idevid_issuer = MST_LIT("\x04\x18\x30\x16\x80\x14"
	                               "01234567890123456789");
	claims.prior_request = MST_LIT("opaque to the registrar's key");
	return (struct keys_request){ .kind = KEYS_SIGN_RVR,
		.entry = 4,
		.slot = "rvr",
		.media = MST_MEDIA_CMS_JSON,
		.claims = &claims };
}

/* clang-format off */
CHANGE(rvr_is_a_voucher) { (void)rq; claims.kind = MST_VOUCHER; }
CHANGE(rvr_proximity_cert) { (void)rq; claims.proximity_cert = MST_LIT("x"); }
CHANGE(rvr_proximity_pubk) { (void)rq; claims.proximity_pubk = MST_LIT("x"); }
/* clang-format on */

CHANGE(rvr_proximity_sha256)
{
	(void)rq;
	claims.proximity_pubk_sha256 = MST_LIT("01234567890123456789012345678901");
}
/* clang-format off */
CHANGE(rvr_no_issuer) { (void)rq; claims.idevid_issuer = MST_NONE; }
CHANGE(rvr_no_created_on) { (void)rq; claims.created_on = MST_NO_TIME; }
CHANGE(rvr_no_serial) { (void)rq; claims.serial = MST_NONE; }
CHANGE(media_none) { rq->media = MST_MEDIA_NONE; }
/* clang-format on */

static void
refused_rvr(void **state)
{
	run_row(state, good_rvr);
}

static void
rvr_verifies_with_openssl_cms_8_3(void **state)
{
	struct keys_request rq = good_rvr();
	const char *text;
	mst_span der;

	(void)state;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
	tpki_write("rvr", "cms", der);
	assert_int_equal(
	    tpki_run(&text,
	        "openssl cms -verify -inform DER -binary -purpose any -CAfile %s -in %s",
	        tpki_path("root", "pem"), tpki_path("rvr", "cms")),
	    0);
	assert_non_null(strstr(text, "ietf-voucher-request:voucher"));
	assert_non_null(strstr(text, "JADA123456789"));
}

static struct keys_request
good_short(void)
{
	mst_voucher_claims_init(&claims, MST_VOUCHER);
	claims.assertion = MST_ASSERT_LOGGED;
	claims.created_on = (int64_t)time(NULL);
	claims.serial = MST_LIT("JADA123456789");
	claims.nonce = MST_LIT("0123456789abcdef");
	claims.pinned_cert = MST_LIT("a certificate");
	return (struct keys_request){ .kind = KEYS_SIGN_VOUCHER,
		.entry = 5,
		.slot = "short",
		.media = MST_MEDIA_CMS_JSON,
		.claims = &claims };
}

static struct keys_request
good_long(void)
{
	struct keys_request rq = good_short();

	claims.nonce = MST_NONE;
	claims.expires_on = claims.created_on + 3650 * DAY;
	rq.slot = "long";
	return rq;
}

/* clang-format off */
CHANGE(voucher_is_a_request) { (void)rq; claims.kind = MST_VOUCHER_REQUEST; }
CHANGE(voucher_no_assertion) { (void)rq; claims.assertion = MST_ASSERT_ABSENT; }
CHANGE(voucher_no_pin) { (void)rq; claims.pinned_cert = MST_NONE; }
CHANGE(voucher_prior) { (void)rq; claims.prior_request = MST_LIT("x"); }
CHANGE(voucher_proximity) { (void)rq; claims.proximity_cert = MST_LIT("x"); }
CHANGE(voucher_serial_control) { (void)rq; claims.serial = MST_LIT("a\nb"); }
CHANGE(voucher_no_created_on) { (void)rq; claims.created_on = MST_NO_TIME; }
CHANGE(short_without_nonce) { (void)rq; claims.nonce = MST_NONE; }
CHANGE(short_nonce_7) { (void)rq; claims.nonce.len = 7; }
CHANGE(short_with_expiry) { (void)rq; claims.expires_on = claims.created_on + 60; }
/* clang-format on */

CHANGE(long_with_nonce)
{
	(void)rq;
	claims.nonce = MST_LIT("0123456789abcdef");
	claims.expires_on = MST_NO_TIME;
}
/* clang-format off */
CHANGE(long_with_nonce_text) { (void)rq; claims.nonce_text = MST_LIT("0123456789abcdef"); }
CHANGE(long_expired) { (void)rq; claims.expires_on = claims.created_on; }
/* clang-format on */

CHANGE(long_renewal_without_expiry)
{
	(void)rq;
	claims.last_renewal = claims.expires_on;
	claims.expires_on = MST_NO_TIME;
}

static void
refused_short(void **state)
{
	run_row(state, good_short);
}

static void
refused_long(void **state)
{
	run_row(state, good_long);
}

static void
vouchers_of_both_slots_verify_with_openssl_cms(void **state)
{
	struct keys_request (*const good[])(void) = { good_short, good_long };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct keys_request rq = good[i]();
		const char *text;
		mst_span der;

		assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
		tpki_write("v", "cms", der);
		assert_int_equal(
		    tpki_run(&text,
		        "openssl cms -verify -inform DER -binary -purpose any -CAfile %s -in %s",
		        tpki_path("idevidca", "pem"), tpki_path("v", "cms")),
		    0);
		assert_non_null(strstr(text, "ietf-voucher:voucher"));
		assert_non_null(strstr(text, i == 0 ? "nonce" : "expires-on"));
	}
}

static void
id_data_is_emitted_when_asked_CMS_2(void **state)
{
	struct keys_request rq = good_short();
	struct envelope env;
	mst_span der;

	(void)state;
	rq.id_data = true;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
	assert_int_equal(
	    envelope_open(arena, MST_MEDIA_CMS_JSON, MST_VOUCHER, der, NULL, &env), MST_OK);
	assert_true(env.id_data);
}

static void
claims_survive_the_wire(void **state)
{
	struct keys_request rq = good_rvr();
	struct envelope env;
	mst_span der;

	(void)state;
	claims.nonce_text =
	    MST_LIT("MDEyMzQ1Njc4OWFiY2RlZg"); /* DM-2: as the pledge wrote it, unpadded */
	assert_int_equal(keys_call_wait(keys, &rq, arena, &der), MST_OK);
	assert_int_equal(
	    envelope_open(arena, MST_MEDIA_CMS_JSON, MST_VOUCHER_REQUEST, der, NULL, &env), MST_OK);
	assert_true(mst_span_eq(env.claims.nonce_text, claims.nonce_text));
	assert_true(mst_span_eq(env.claims.prior_request, claims.prior_request));
	assert_true(mst_span_eq(env.claims.idevid_issuer, claims.idevid_issuer));
	assert_true(mst_span_eq(env.claims.serial, claims.serial));
	assert_int_equal(env.claims.assertion, MST_ASSERT_PROXIMITY);
	assert_int_equal(env.claims.created_on, claims.created_on);
}

/* COSE-4: the RVR's certificates go along; a voucher's chain is protected, its root stays away. */
static void
both_are_signed_in_COSE(void **state)
{
	struct keys_request rq = good_rvr();
	struct envelope env;
	mst_span message, bare;

	(void)state;
	rq.media = MST_MEDIA_COSE_CBOR;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &message), MST_OK);
	assert_int_equal(
	    envelope_open(arena, rq.media, MST_VOUCHER_REQUEST, message, NULL, &env), MST_OK);
	assert_true(mst_span_eq(env.claims.nonce, claims.nonce));
	assert_true(mst_span_eq(env.claims.prior_request, claims.prior_request));
	assert_true(cert_has_eku(env.signer, CERT_OID_CMC_RA));
	rq = good_short();
	rq.media = MST_MEDIA_COSE_CBOR;
	assert_int_equal(keys_call_wait(keys, &rq, arena, &message), MST_OK);
	assert_int_equal(envelope_open(arena, rq.media, MST_VOUCHER, message, NULL, &env), MST_OK);
	assert_true(mst_span_eq(env.claims.pinned_cert, claims.pinned_cert));
	assert_int_equal(envelope_strip(arena, rq.media, message, &bare), MST_OK);
}

static struct keys_request
good_rollover(void)
{
	return (struct keys_request){ .kind = KEYS_SIGN_ROLLOVER,
		.entry = 6,
		.slot = "ca",
		.serial = mst_span_of(serial16, sizeof serial16),
		.other_slot = "old" };
}

/* clang-format off */
CHANGE(rollover_itself) { rq->other_slot = "ca"; }
CHANGE(rollover_of_rvr) { rq->other_slot = "rvr"; }
CHANGE(rollover_of_idevid_ca) { rq->other_slot = "idevid"; }
CHANGE(rollover_of_nothing) { rq->other_slot = "nosuch"; }
/* clang-format on */

static void
refused_rollover(void **state)
{
	run_row(state, good_rollover);
}

static void
rollover_certificates_bridge_both_ways_rfc7030_4_1_3(void **state)
{
	struct keys_request rq = good_rollover();
	const char *text;
	X509 *x = sign_to_x509(&rq), *old = tpki_cert("oldroot");

	(void)state;
	assert_verifies("root"); /* OldWithNew under the new root */
	assert_int_equal(X509_check_ca(x), 1);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x), X509_get_subject_name(old)), 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), X509_get0_pubkey(old)), 1);
	X509_free(x);
	X509_free(old);
	rq.slot = "old";
	rq.other_slot = "ca";
	X509_free(sign_to_x509(&rq));
	assert_verifies("oldroot"); /* NewWithOld under the old one */
	/* What the new root issues verifies for who knows only the old root. */
	assert_int_equal(
	    tpki_run(NULL, "cp %s %s", tpki_path("out", "pem"), tpki_path("nwo", "pem")), 0);
	rq = good_cert();
	X509_free(sign_to_x509(&rq));
	assert_verifies("root");
	if (tpki_run(&text, "openssl verify -CAfile %s -untrusted %s %s",
	        tpki_path("oldroot", "pem"), tpki_path("nwo", "pem"), tpki_path("out", "pem")) != 0)
		fail_msg("%s", text);
}

#define ROW(test, fn, err)                                                                         \
	{                                                                                          \
#test ": " #fn " -> " #err, test, setup, teardown, &(struct row)                   \
		{                                                                                  \
#fn, fn, MST_E_##err                                                       \
		}                                                                                  \
	}
#define GOOD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		GOOD(good_certificate_of_each_key_type_verifies_C2),
		GOOD(certificate_has_what_the_profile_says_and_no_more),
		GOOD(empty_subject_makes_the_SAN_critical_rfc5280_4_1_2_6),
		ROW(refused_cert, entry_zero, KEY_REFUSED),
		ROW(refused_cert, no_such_slot, KEY_REFUSED),
		ROW(refused_cert, slot_rvr, KEY_REFUSED),
		ROW(refused_cert, slot_idevid, KEY_REFUSED),
		ROW(refused_cert, slot_short, KEY_REFUSED),
		ROW(refused_cert, profile_unknown, CA_PROFILE),
		ROW(refused_cert, profile_of_other_slot, CA_PROFILE),
		ROW(refused_cert, serial_short, KEY_REFUSED),
		ROW(refused_cert, serial_long, KEY_REFUSED),
		ROW(refused_cert, serial_negative, KEY_REFUSED),
		ROW(refused_cert, serial_leading_zero, KEY_REFUSED),
		ROW(refused_cert, too_long_a_life, CA_VALIDITY),
		ROW(refused_cert, ends_before_it_begins, CA_VALIDITY),
		ROW(refused_cert, before_its_issuer, CA_VALIDITY),
		ROW(refused_cert, beyond_its_issuer, CA_VALIDITY),
		ROW(refused_cert, key_p224, CSR_KEY),
		ROW(refused_cert, key_k256, CSR_KEY),
		ROW(refused_cert, key_rsa1024, CSR_KEY),
		ROW(refused_cert, key_trailing, CSR_KEY),
		ROW(refused_cert, key_cut, CSR_KEY),
		ROW(refused_cert, key_off_curve, CSR_KEY),
		ROW(refused_cert, subject_garbage, CSR_SUBJECT),
		ROW(refused_cert, subject_trailing, CSR_SUBJECT),
		ROW(refused_cert, subject_ber, CSR_SUBJECT),
		ROW(refused_cert, subject_empty_no_san, CSR_SUBJECT),
		ROW(refused_cert, san_garbage, CSR_SAN),
		ROW(refused_cert, san_empty, CSR_SAN),
		ROW(refused_cert, san_trailing, CSR_SAN),
		ROW(refused_cert, san_ber, CSR_SAN),
		GOOD(idevid_is_as_ID_1_to_5_say),
		ROW(refused_idevid, entry_zero, KEY_REFUSED),
		ROW(refused_idevid, slot_ca, KEY_REFUSED),
		ROW(refused_idevid, serial_short, KEY_REFUSED),
		ROW(refused_idevid, key_p224, CSR_KEY),
		ROW(refused_idevid, device_serial_empty, VOUCHER_SERIAL_FORMAT),
		ROW(refused_idevid, device_serial_nul, VOUCHER_SERIAL_FORMAT),
		ROW(refused_idevid, device_serial_long, VOUCHER_SERIAL_FORMAT),
		ROW(refused_idevid, device_serial_not_printable_string, VOUCHER_SERIAL_FORMAT),
		ROW(refused_idevid, masa_url_http, MASA_URL),
		ROW(refused_idevid, masa_url_userinfo, MASA_URL),
		ROW(refused_idevid, organization_long, KEY_REFUSED),
		GOOD(crl_is_read_by_openssl_rfc5280_5),
		GOOD(empty_crl_is_good),
		GOOD(crl_of_65536_serials_passes_both_ways),
		ROW(refused_crl, entry_zero, KEY_REFUSED),
		ROW(refused_crl, slot_rvr, KEY_REFUSED),
		ROW(refused_crl, slot_idevid, KEY_REFUSED),
		ROW(refused_crl, crl_number_zero, KEY_REFUSED),
		ROW(refused_crl, crl_ends_at_once, KEY_REFUSED),
		ROW(refused_crl, crl_reason_7, KEY_REFUSED),
		ROW(refused_crl, crl_reason_8, KEY_REFUSED),
		ROW(refused_crl, crl_reason_11, KEY_REFUSED),
		ROW(refused_crl, crl_serial_twice, KEY_REFUSED),
		ROW(refused_crl, crl_serial_empty, KEY_REFUSED),
		GOOD(rvr_verifies_with_openssl_cms_8_3),
		GOOD(claims_survive_the_wire),
		ROW(refused_rvr, entry_zero, KEY_REFUSED),
		ROW(refused_rvr, slot_ca, KEY_REFUSED),
		ROW(refused_rvr, slot_short, KEY_REFUSED),
		ROW(refused_rvr, rvr_is_a_voucher, VOUCHER_KIND),
		ROW(refused_rvr, rvr_proximity_cert, RVR_PROXIMITY_PRESENT),
		ROW(refused_rvr, rvr_proximity_pubk, RVR_PROXIMITY_PRESENT),
		ROW(refused_rvr, rvr_proximity_sha256, RVR_PROXIMITY_PRESENT),
		ROW(refused_rvr, rvr_no_issuer, RVR_IDEVID_ISSUER),
		ROW(refused_rvr, rvr_no_created_on, KEY_REFUSED),
		ROW(refused_rvr, rvr_no_serial, VOUCHER_SERIAL_FORMAT),
		ROW(refused_rvr, media_none, MEDIA_UNSUPPORTED),
		GOOD(vouchers_of_both_slots_verify_with_openssl_cms),
		GOOD(id_data_is_emitted_when_asked_CMS_2),
		GOOD(both_are_signed_in_COSE),
		ROW(refused_short, entry_zero, KEY_REFUSED),
		ROW(refused_short, slot_rvr, KEY_REFUSED),
		ROW(refused_short, slot_ca, KEY_REFUSED),
		ROW(refused_short, slot_long, VOUCHER_NONCE),
		ROW(refused_short, voucher_is_a_request, VOUCHER_KIND),
		ROW(refused_short, voucher_no_assertion, VOUCHER_ASSERTION),
		ROW(refused_short, voucher_no_pin, VOUCHER_PIN),
		ROW(refused_short, voucher_prior, VOUCHER_KIND),
		ROW(refused_short, voucher_proximity, VOUCHER_KIND),
		ROW(refused_short, voucher_serial_control, VOUCHER_SERIAL_FORMAT),
		ROW(refused_short, voucher_no_created_on, KEY_REFUSED),
		ROW(refused_short, short_without_nonce, VOUCHER_NONCELESS),
		ROW(refused_short, short_nonce_7, VOUCHER_NONCE_LENGTH),
		ROW(refused_short, short_with_expiry, VOUCHER_EXPIRES_WITH_NONCE),
		ROW(refused_long, slot_short, VOUCHER_NONCELESS),
		ROW(refused_long, long_with_nonce, VOUCHER_NONCE),
		ROW(refused_long, long_with_nonce_text, VOUCHER_NONCE),
		ROW(refused_long, long_expired, KEY_REFUSED),
		ROW(refused_long, long_renewal_without_expiry, VOUCHER_LAST_RENEWAL),
		GOOD(rollover_certificates_bridge_both_ways_rfc7030_4_1_3),
		ROW(refused_rollover, entry_zero, KEY_REFUSED),
		ROW(refused_rollover, serial_negative, KEY_REFUSED),
		ROW(refused_rollover, rollover_itself, KEY_REFUSED),
		ROW(refused_rollover, rollover_of_rvr, KEY_REFUSED),
		ROW(refused_rollover, rollover_of_idevid_ca, KEY_REFUSED),
		ROW(refused_rollover, rollover_of_nothing, KEY_REFUSED),
		ROW(refused_rollover, slot_idevid, KEY_REFUSED),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

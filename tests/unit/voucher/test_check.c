/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forgeries: every refusal of mst_voucher_check by exactly one deviation
 * from a good voucher, and the order in which two faults are named.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "muster/base64.h"
#include "muster/voucher.h"

#define NOW 1795424400 /* 2026-11-23T09:00:00Z */

static const uint8_t nonce[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 250 };
static const char nonce_text[] = "AQIDBAUGBwgJCgsMDQ4P+g==";
static const uint8_t issuer[26] = { 0x04, 0x18, 0x30, 0x16, 0x80, 0x14, 0xcb, 0x8d, 0x98, 0xca,
	0x74, 0xc5, 0x1b, 0x58, 0xdd, 0xe7, 0xac, 0xef, 0x86, 0x9a, 0x94, 0x43, 0xa8, 0xd6, 0x66,
	0xa6 };
static const uint8_t other_issuer[26] = { 0x04, 0x18, 0x30, 0x16, 0x80, 0x14, 0xcc };
static const uint8_t bytes64[64] = { 9 };
static const uint8_t hash32[32] = { 7 };

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
	s.claims.nonce_text = mst_span_str(nonce_text);
	s.claims.pinned_cert = MST_LIT("a certificate");
	s.claims.revocation_checks = 0;
	s.want = (struct mst_voucher_want){
		.serial = MST_LIT("JADA123456789"),
		.idevid_issuer = mst_span_of(issuer, sizeof(issuer)),
		.nonce = mst_span_of(nonce, sizeof(nonce)),
		.nonce_text = mst_span_str(nonce_text),
		.clock = { MST_CLOCK_TRUSTED, NOW },
	};
	return s;
}

static struct scene
good_nonceless(void)
{
	struct scene s = good();

	s.claims.nonce = s.claims.nonce_text = MST_NONE;
	s.claims.assertion = MST_ASSERT_VERIFIED;
	s.claims.expires_on = NOW + 1200;
	s.claims.last_renewal = NOW + 86400;
	return s;
}

typedef void deviation(struct scene *s);

#define DEVIATION(name, ...)                                                                       \
	static void name(struct scene *s)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

DEVIATION(nothing, (void)s)
DEVIATION(a_request, s->claims.kind = MST_VOUCHER_REQUEST)
DEVIATION(no_assertion, s->claims.assertion = MST_ASSERT_ABSENT)
DEVIATION(assertion_4, s->claims.assertion = (enum mst_assertion)4)
DEVIATION(assertion_logged, s->claims.assertion = MST_ASSERT_LOGGED)
DEVIATION(assertion_verified, s->claims.assertion = MST_ASSERT_VERIFIED)
DEVIATION(assertion_agent, s->claims.assertion = MST_ASSERT_AGENT_PROXIMITY)
DEVIATION(no_serial, s->claims.serial = MST_NONE)
DEVIATION(empty_serial, s->claims.serial = MST_LIT(""))
DEVIATION(nul_in_serial, s->claims.serial = MST_LIT("JADA123456789\0x"))
DEVIATION(other_serial, s->claims.serial = MST_LIT("JADA123456788"))
DEVIATION(serial_prefix, s->claims.serial = MST_LIT("JADA12345678"))
DEVIATION(serial_longer, s->claims.serial = MST_LIT("JADA1234567890"))
DEVIATION(serial_case, s->claims.serial = MST_LIT("jada123456789"))
DEVIATION(want_no_serial, s->want.serial = MST_NONE)
DEVIATION(issuer_own, s->claims.idevid_issuer = mst_span_of(issuer, 26))
DEVIATION(issuer_sequence, s->claims.idevid_issuer = mst_span_of(issuer + 2, 24))
DEVIATION(issuer_keyid, s->claims.idevid_issuer = mst_span_of(issuer + 6, 20))
DEVIATION(issuer_other, s->claims.idevid_issuer = mst_span_of(other_issuer, 26))
DEVIATION(issuer_short, s->claims.idevid_issuer = mst_span_of(issuer, 25))
DEVIATION(issuer_empty, s->claims.idevid_issuer = MST_LIT(""))
DEVIATION(issuer_tail, s->claims.idevid_issuer = mst_span_of(issuer + 7, 19))
DEVIATION(issuer_unknown, s->claims.idevid_issuer = mst_span_of(issuer, 26);
          s->want.idevid_issuer = MST_NONE)
DEVIATION(nonce_and_expiry, s->claims.expires_on = NOW + 60)
DEVIATION(renewal_alone, s->claims.last_renewal = NOW + 60)
DEVIATION(nonce_7_bytes, s->claims.nonce = s->want.nonce = mst_span_of(nonce, 7);
          s->claims.nonce_text = s->want.nonce_text = MST_LIT("AQIDBAUGBw=="))
DEVIATION(nonce_7_cbor, s->claims.nonce = s->want.nonce = mst_span_of(nonce, 7);
          s->claims.nonce_text = s->want.nonce_text = MST_NONE)
DEVIATION(nonce_8_cbor, s->claims.nonce = s->want.nonce = mst_span_of(nonce, 8);
          s->claims.nonce_text = s->want.nonce_text = MST_NONE)
DEVIATION(nonce_32_cbor, s->claims.nonce = s->want.nonce = mst_span_of(bytes64, 32);
          s->claims.nonce_text = s->want.nonce_text = MST_NONE)
DEVIATION(nonce_33_cbor, s->claims.nonce = s->want.nonce = mst_span_of(bytes64, 33);
          s->claims.nonce_text = s->want.nonce_text = MST_NONE)
DEVIATION(nonce_empty, s->claims.nonce = MST_LIT(""); s->claims.nonce_text = MST_LIT(""))
DEVIATION(nonce_other, s->claims.nonce = mst_span_of(bytes64, 16);
          s->claims.nonce_text = MST_LIT("CQAAAAAAAAAAAAAAAAAAAA=="))
DEVIATION(nonce_prefix, s->claims.nonce = mst_span_of(nonce, 15);
          s->claims.nonce_text = MST_LIT("AQIDBAUGBwgJCgsMDQ4P"))
DEVIATION(nonce_urlsafe, s->claims.nonce_text = MST_LIT("AQIDBAUGBwgJCgsMDQ4P-g"))
DEVIATION(nonce_hex_of_ours, s->claims.nonce = mst_span_of(bytes64, 24);
          s->claims.nonce_text = MST_LIT("0102030405060708090a0b0c0d0e0ffa"))
DEVIATION(policy, s->want.refuse_nonceless = true)
DEVIATION(created_later, s->claims.created_on = NOW + MST_CREATED_ON_SKEW + 1)
DEVIATION(created_skewed, s->claims.created_on = NOW + MST_CREATED_ON_SKEW)
DEVIATION(created_absent, s->claims.created_on = MST_NO_TIME)
DEVIATION(created_far, s->claims.created_on = INT64_MAX)
DEVIATION(created_later_untrusted, created_later(s); s->want.clock.trust = MST_CLOCK_UNTRUSTED)
DEVIATION(created_later_none, created_later(s); s->want.clock.trust = MST_CLOCK_NONE)
DEVIATION(expired_just, s->claims.expires_on = NOW)
DEVIATION(expired_long, s->claims.expires_on = 0)
DEVIATION(expired_before_1970, s->claims.expires_on = -1)
DEVIATION(expired_untrusted, expired_long(s); s->want.clock.trust = MST_CLOCK_UNTRUSTED)
DEVIATION(expired_none, expired_long(s); s->want.clock.trust = MST_CLOCK_NONE)
DEVIATION(no_expiry, s->claims.expires_on = s->claims.last_renewal = MST_NO_TIME)
DEVIATION(no_pin, s->claims.pinned_cert = MST_NONE)
DEVIATION(empty_pin, s->claims.pinned_cert = MST_LIT(""))
DEVIATION(hash_31, s->claims.pinned_cert = MST_NONE;
          s->claims.pinned_pubk_sha256 = mst_span_of(hash32, 31))
DEVIATION(revocation, s->claims.revocation_checks = 1)
DEVIATION(revocation_absent, s->claims.revocation_checks = -1)
DEVIATION(unknown_leaves, s->claims.unknown = 5)

static const struct row {
	const char *name;
	deviation *deviate;
	mst_err e;
	struct scene (*base)(void);
} rows[] = {
	{ "8.7 good voucher", nothing, MST_OK, good },
	{ "8.7 good nonceless voucher", nothing, MST_OK, good_nonceless },
	{ "8366bis 8: kind", a_request, MST_E_VOUCHER_KIND, good },
	{ "8366bis 8: assertion absent", no_assertion, MST_E_VOUCHER_ASSERTION, good },
	{ "8366bis 8: assertion unknown", assertion_4, MST_E_VOUCHER_ASSERTION, good },
	{ "8366bis 8: assertion logged", assertion_logged, MST_OK, good },
	{ "8366bis 8: assertion verified", assertion_verified, MST_OK, good },
	{ "8366bis 8: assertion agent-proximity", assertion_agent, MST_OK, good },
	{ "ID-9 serial absent", no_serial, MST_E_VOUCHER_SERIAL_FORMAT, good },
	{ "ID-9 serial empty", empty_serial, MST_E_VOUCHER_SERIAL_FORMAT, good },
	{ "ID-9 serial with NUL", nul_in_serial, MST_E_VOUCHER_SERIAL_FORMAT, good },
	{ "8.7 step 3 other serial", other_serial, MST_E_VOUCHER_SERIAL, good },
	{ "8.7 step 3 serial is a prefix", serial_prefix, MST_E_VOUCHER_SERIAL, good },
	{ "8.7 step 3 serial is longer", serial_longer, MST_E_VOUCHER_SERIAL, good },
	{ "8.7 step 3 serial in other case", serial_case, MST_E_VOUCHER_SERIAL, good },
	{ "8.7 step 3 own serial unknown", want_no_serial, MST_E_VOUCHER_SERIAL, good },
	{ "8.7 step 4 issuer ours", issuer_own, MST_OK, good },
	{ "ID-8 issuer as bare SEQUENCE", issuer_sequence, MST_OK, good },
	{ "ID-8 issuer as bare keyIdentifier", issuer_keyid, MST_OK, good },
	{ "8.7 step 4 issuer other", issuer_other, MST_E_VOUCHER_IDEVID_ISSUER, good },
	{ "8.7 step 4 issuer truncated", issuer_short, MST_E_VOUCHER_IDEVID_ISSUER, good },
	{ "8.7 step 4 issuer empty", issuer_empty, MST_E_VOUCHER_IDEVID_ISSUER, good },
	{ "8.7 step 4 issuer tail of keyid", issuer_tail, MST_E_VOUCHER_IDEVID_ISSUER, good },
	{ "8.7 step 4 own issuer unknown", issuer_unknown, MST_E_VOUCHER_IDEVID_ISSUER, good },
	{ "8366bis 8: nonce and expiry", nonce_and_expiry, MST_E_VOUCHER_EXPIRES_WITH_NONCE, good },
	{ "8366bis 8: renewal without expiry", renewal_alone, MST_E_VOUCHER_LAST_RENEWAL, good },
	{ "8366bis 8: nonce of 7 bytes, JSON", nonce_7_bytes, MST_E_VOUCHER_NONCE_LENGTH, good },
	{ "8366bis 8: nonce of 7 bytes, CBOR", nonce_7_cbor, MST_E_VOUCHER_NONCE_LENGTH, good },
	{ "8366bis 8: nonce of 8 bytes, CBOR", nonce_8_cbor, MST_OK, good },
	{ "8366bis 8: nonce of 32 bytes, CBOR", nonce_32_cbor, MST_OK, good },
	{ "8366bis 8: nonce of 33 bytes, CBOR", nonce_33_cbor, MST_E_VOUCHER_NONCE_LENGTH, good },
	{ "8366bis 8: nonce empty is no nonceless", nonce_empty, MST_E_VOUCHER_NONCE_LENGTH, good },
	{ "8.7 step 5 other nonce", nonce_other, MST_E_VOUCHER_NONCE, good },
	{ "8.7 step 5 prefix of the nonce", nonce_prefix, MST_E_VOUCHER_NONCE, good },
	{ "DM-2 unpadded base64url of our nonce", nonce_urlsafe, MST_OK, good },
	{ "DM-2 hex of our nonce is another text", nonce_hex_of_ours, MST_E_VOUCHER_NONCE, good },
	{ "8.7 step 5 policy, nonced", policy, MST_OK, good },
	{ "8.7 step 5 policy, nonceless", policy, MST_E_VOUCHER_NONCELESS, good_nonceless },
	{ "8.7 step 6 created in the future", created_later, MST_E_VOUCHER_NOT_YET, good },
	{ "8.7 step 6 created within the skew", created_skewed, MST_OK, good },
	{ "8.7 step 6 created-on absent", created_absent, MST_OK, good },
	{ "8.7 step 6 created at the end of time", created_far, MST_E_VOUCHER_NOT_YET, good },
	{ "8.7 step 6 future, clock untrusted", created_later_untrusted, MST_OK, good },
	{ "8.7 step 6 future, no clock", created_later_none, MST_OK, good },
	{ "8.7 step 6 expires now", expired_just, MST_E_VOUCHER_EXPIRED, good_nonceless },
	{ "8.7 step 6 expired in 1970", expired_long, MST_E_VOUCHER_EXPIRED, good_nonceless },
	{ "8.7 step 6 expired before 1970", expired_before_1970, MST_E_VOUCHER_EXPIRED,
	    good_nonceless },
	{ "8.7 step 6 expired, clock untrusted", expired_untrusted, MST_OK, good_nonceless },
	{ "8.7 step 6 expired, no clock", expired_none, MST_OK, good_nonceless },
	{ "7.2 nonceless without expiry", no_expiry, MST_OK, good_nonceless },
	{ "8.7 step 7 no pin", no_pin, MST_E_VOUCHER_PIN, good },
	{ "8.7 step 7 empty pin", empty_pin, MST_E_VOUCHER_PIN, good },
	{ "8.7 step 7 hash of 31 bytes", hash_31, MST_E_VOUCHER_PIN, good },
	{ "8.7 step 8 revocation checks", revocation, MST_E_VOUCHER_REVOCATION, good },
	{ "8.7 step 8 revocation checks absent", revocation_absent, MST_OK, good },
	{ "8.7 step 12 unknown leaves ignored", unknown_leaves, MST_OK, good },
};

static void
check_row(void **state)
{
	const struct row *row = *state;
	struct scene s = row->base();
	struct mst_voucher out, before;

	memset(&before, 0x5a, sizeof(before));
	out = before;
	row->deviate(&s);
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &out), row->e);
	if (row->e != MST_OK)
		assert_memory_equal(&out, &before, sizeof(out)); /* written only on success */
	else
		assert_true(mst_span_eq(out.serial, s.want.serial));
}

/* Faults in the order in which the check names them; applied from the last to the first. */
static const struct {
	deviation *deviate;
	mst_err e;
} order[] = {
	{ a_request, MST_E_VOUCHER_KIND },
	{ no_assertion, MST_E_VOUCHER_ASSERTION },
	{ other_serial, MST_E_VOUCHER_SERIAL },
	{ issuer_other, MST_E_VOUCHER_IDEVID_ISSUER },
	{ renewal_alone, MST_E_VOUCHER_LAST_RENEWAL },
	{ nonce_other, MST_E_VOUCHER_NONCE },
	{ created_later, MST_E_VOUCHER_NOT_YET },
	{ no_pin, MST_E_VOUCHER_PIN },
	{ revocation, MST_E_VOUCHER_REVOCATION },
};

static void
first_fault_is_named(void **state)
{
	struct scene s = good();
	struct mst_voucher out;

	(void)state;
	for (size_t i = sizeof(order) / sizeof(order[0]); i-- > 0;) {
		order[i].deviate(&s);
		assert_int_equal(mst_voucher_check(&s.claims, &s.want, &out), order[i].e);
	}
}

/* DM-2: texts that real pledges have sent as nonce; a MASA echoes them as they are. */
static void
nonce_zoo(void **state)
{
	const char *text = (const char *)*state + sizeof("DM-2 ") - 1;
	uint8_t store[256];
	struct mst_buf decoded = MST_BUF(store);
	struct scene s = good();
	struct mst_voucher out;

	s.claims.nonce_text = s.want.nonce_text = mst_span_str(text);
	s.claims.nonce = s.claims.nonce_text;
	if (mst_base64_decode(s.claims.nonce_text, MST_BASE64_URL, &decoded) == MST_OK)
		s.claims.nonce = mst_buf_span(&decoded);
	s.want.nonce = s.claims.nonce;
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &out), MST_OK);
	s.want.nonce = mst_span_of(bytes64, 16); /* the text alone is enough */
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &out), MST_OK);
	s.want.nonce_text = MST_LIT("CQAAAAAAAAAAAAAAAAAAAA==");
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &out), MST_E_VOUCHER_NONCE);
}

static void
pin_nonced_takes_cert(void **state)
{
	struct scene s = good();
	struct mst_voucher v;

	(void)state;
	s.claims.pinned_pubk = mst_span_of(bytes64, 64);
	s.claims.pinned_pubk_sha256 = mst_span_of(hash32, 32);
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &v), MST_OK);
	assert_true(mst_span_eq(v.pinned_cert, s.claims.pinned_cert));
	assert_null(v.pinned_pubk.ptr);
	assert_null(v.pinned_pubk_sha256.ptr);
}

static void
pin_nonceless_order(void **state)
{
	struct scene s = good_nonceless();
	struct mst_voucher v;

	(void)state;
	s.claims.pinned_pubk = mst_span_of(bytes64, 64);
	s.claims.pinned_pubk_sha256 = mst_span_of(hash32, 32);
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &v), MST_OK);
	assert_true(mst_span_eq(v.pinned_pubk_sha256, s.claims.pinned_pubk_sha256));
	assert_null(v.pinned_cert.ptr);
	s.claims.pinned_pubk_sha256 = mst_span_of(hash32, 20); /* not understood */
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &v), MST_OK);
	assert_true(mst_span_eq(v.pinned_pubk, s.claims.pinned_pubk));
	assert_null(v.pinned_pubk_sha256.ptr);
	s.claims.pinned_pubk = MST_LIT("");
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &v), MST_OK);
	assert_true(mst_span_eq(v.pinned_cert, s.claims.pinned_cert));
	assert_true(v.nonceless);
}

static void
offline_judgement_skips_only_the_nonce(void **state)
{
	struct scene s = good();
	struct mst_voucher v;

	(void)state;
	s.want.nonce = s.want.nonce_text = MST_NONE;
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &v), MST_OK);
	s.want.serial = MST_LIT("other");
	assert_int_equal(mst_voucher_check(&s.claims, &s.want, &v), MST_E_VOUCHER_SERIAL);
}

static void
nonce_eq_absent_is_never_equal(void **state)
{
	mst_span t = mst_span_str(nonce_text), b = mst_span_of(nonce, sizeof(nonce));

	(void)state;
	assert_false(mst_nonce_eq(MST_NONE, MST_NONE, MST_NONE, MST_NONE));
	assert_false(mst_nonce_eq(MST_LIT(""), MST_LIT(""), MST_LIT(""), MST_LIT("")));
	assert_false(mst_nonce_eq(t, MST_NONE, MST_NONE, b));
	assert_true(mst_nonce_eq(t, MST_NONE, t, b));
	assert_true(mst_nonce_eq(MST_NONE, b, t, b));
	assert_true(mst_nonce_eq(MST_LIT("differs"), b, t, b));
}

static void
request_check(void **state)
{
	struct mst_voucher_claims c, good_one;

	(void)state;
	mst_voucher_claims_init(&good_one, MST_VOUCHER_REQUEST);
	good_one.serial = MST_LIT("JADA123456789");
	good_one.nonce = mst_span_of(nonce, sizeof(nonce));
	good_one.last_renewal = 5; /* YANG: MUST be ignored */
	good_one.revocation_checks = 1;
	assert_int_equal(mst_request_check(&good_one), MST_OK);
	c = good_one;
	c.kind = MST_VOUCHER;
	assert_int_equal(mst_request_check(&c), MST_E_VOUCHER_KIND);
	c = good_one;
	c.serial = MST_NONE;
	assert_int_equal(mst_request_check(&c), MST_E_VOUCHER_SERIAL_FORMAT);
	c = good_one;
	c.nonce = mst_span_of(nonce, 7);
	assert_int_equal(mst_request_check(&c), MST_E_VOUCHER_NONCE_LENGTH);
	c = good_one;
	c.nonce = mst_span_of(bytes64, 33);
	assert_int_equal(mst_request_check(&c), MST_E_VOUCHER_NONCE_LENGTH);
	c = good_one;
	c.expires_on = NOW;
	assert_int_equal(mst_request_check(&c), MST_E_VOUCHER_EXPIRES_WITH_NONCE);
	c = good_one;
	c.nonce = MST_NONE; /* a nonceless RVR may ask for an expiry */
	c.expires_on = NOW;
	assert_int_equal(mst_request_check(&c), MST_OK);
}

static const struct serial_row {
	const char *name;
	mst_span serial;
	mst_err e;
} serials[] = {
	{ "ID-9 plain", { (const uint8_t *)"A", 1 }, MST_OK },
	{ "ID-9 space within", { (const uint8_t *)"A B", 3 }, MST_OK },
	{ "ID-9 umlaut", { (const uint8_t *)"\xc3\xbc", 2 }, MST_OK },
	{ "ID-9 four bytes", { (const uint8_t *)"\xf0\x9f\x90\xa2", 4 }, MST_OK },
	{ "ID-9 highest code point", { (const uint8_t *)"\xf4\x8f\xbf\xbf", 4 }, MST_OK },
	{ "ID-9 absent", { NULL, 0 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 NUL", { (const uint8_t *)"A\0B", 3 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 newline", { (const uint8_t *)"A\n", 2 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 DEL", { (const uint8_t *)"A\x7f", 2 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 C1 control", { (const uint8_t *)"\xc2\x85", 2 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 after the C1 controls", { (const uint8_t *)"\xc2\xa0", 2 }, MST_OK },
	{ "ID-9 lone continuation", { (const uint8_t *)"\x80", 1 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 truncated", { (const uint8_t *)"A\xc3", 2 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 overlong slash", { (const uint8_t *)"\xc0\xaf", 2 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 overlong in three", { (const uint8_t *)"\xe0\x80\xaf", 3 },
	    MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 overlong in four", { (const uint8_t *)"\xf0\x80\x80\xaf", 4 },
	    MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 surrogate", { (const uint8_t *)"\xed\xa0\x80", 3 }, MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 beyond Unicode", { (const uint8_t *)"\xf4\x90\x80\x80", 4 },
	    MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 byte f8", { (const uint8_t *)"\xf8\x88\x80\x80\x80", 5 },
	    MST_E_VOUCHER_SERIAL_FORMAT },
	{ "ID-9 latin-1",
	    { (const uint8_t *)"\xfc"
	                       "A",
	        2 },
	    MST_E_VOUCHER_SERIAL_FORMAT },
};

static void
serial_row(void **state)
{
	const struct serial_row *r = *state;

	assert_int_equal(mst_serial_check(r->serial), r->e);
}

static void
serial_bounds(void **state)
{
	uint8_t text[MST_SERIAL_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(mst_serial_check(mst_span_of(text, MST_SERIAL_MAX)), MST_OK);
	assert_int_equal(
	    mst_serial_check(mst_span_of(text, MST_SERIAL_MAX + 1)), MST_E_VOUCHER_SERIAL_FORMAT);
}

static void
media_types(void **state)
{
	(void)state;
	assert_string_equal(mst_media_type(MST_MEDIA_CMS_JSON), "application/voucher-cms+json");
	assert_string_equal(mst_media_type(MST_MEDIA_NONE), "");
	assert_int_equal(
	    mst_media_find(MST_LIT("application/voucher-cms+json")), MST_MEDIA_CMS_JSON);
	assert_int_equal(mst_media_find(MST_LIT("Application/Voucher-JWS+json ; charset=utf-8")),
	    MST_MEDIA_JWS_JSON);
	assert_int_equal(
	    mst_media_find(MST_LIT("application/voucher+cose;cose-type=\"cose-sign1\"")),
	    MST_MEDIA_COSE_CBOR);
	assert_int_equal(mst_media_find(MST_LIT("application/voucher-cms+jsonx")), MST_MEDIA_NONE);
	assert_int_equal(mst_media_find(MST_LIT("application/voucher-cms+jso")), MST_MEDIA_NONE);
	assert_int_equal(mst_media_find(MST_LIT("")), MST_MEDIA_NONE);
	assert_int_equal(mst_media_find(MST_LIT(";")), MST_MEDIA_NONE);
	assert_int_equal(mst_media_find(MST_NONE), MST_MEDIA_NONE);
}

static void
assertion_names(void **state)
{
	(void)state;
	for (int a = MST_ASSERT_VERIFIED; a <= MST_ASSERT_AGENT_PROXIMITY; a++)
		assert_int_equal(
		    mst_assertion_find(mst_span_str(mst_assertion_name((enum mst_assertion)a))), a);
	assert_string_equal(mst_assertion_name(MST_ASSERT_ABSENT), "");
	assert_int_equal(mst_assertion_find(MST_LIT("Logged")), MST_ASSERT_ABSENT);
	assert_int_equal(mst_assertion_find(MST_LIT("")), MST_ASSERT_ABSENT);
	assert_int_equal(mst_assertion_find(MST_NONE), MST_ASSERT_ABSENT);
}

static const char *const zoo[] = {
	"DM-2 "
	"AQIDBAUGBwgJCgsMDQ4P+g==",
	"DM-2 "
	"AQIDBAUGBwgJCgsMDQ4P-g",
	"DM-2 "
	"62a2e7693d82fcda2624de58fb6722e5",
	"DM-2 "
	"62a2e7693d82fcda2624de58fb6722e562a2e7693d82fcda2624de58fb6722e5",
	"DM-2 "
	"5742698422680472",
	"DM-2 "
	"abcd1234",
	"DM-2 "
	"not base64!",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	static const struct CMUnitTest singles[] = {
		cmocka_unit_test(first_fault_is_named),
		cmocka_unit_test(pin_nonced_takes_cert),
		cmocka_unit_test(pin_nonceless_order),
		cmocka_unit_test(offline_judgement_skips_only_the_nonce),
		cmocka_unit_test(nonce_eq_absent_is_never_equal),
		cmocka_unit_test(request_check),
		cmocka_unit_test(serial_bounds),
		cmocka_unit_test(media_types),
		cmocka_unit_test(assertion_names),
	};
	struct CMUnitTest tests[COUNT(singles) + COUNT(rows) + COUNT(serials) + COUNT(zoo)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(singles); i++)
		tests[n++] = singles[i];
	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, check_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < COUNT(serials); i++)
		tests[n++] = (struct CMUnitTest){ serials[i].name, serial_row, NULL, NULL,
			(void *)(uintptr_t)&serials[i] };
	for (size_t i = 0; i < COUNT(zoo); i++)
		tests[n++] =
		    (struct CMUnitTest){ zoo[i], nonce_zoo, NULL, NULL, (void *)(uintptr_t)zoo[i] };
	return cmocka_run_group_tests_name("voucher_check", tests, NULL, NULL);
}

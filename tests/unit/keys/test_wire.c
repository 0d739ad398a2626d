/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the key process: both directions, whole and damaged. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "server/keys/keys_wire.h"

static struct arena *arena;
static const uint8_t serial[16] = { 0x41, 1, 2, 3 };
static struct mst_voucher_claims claims;
static const struct keys_revoked revoked[2] = { { { serial, 16 }, 100, 1 },
	{ { serial, 8 }, -200, -1 } };

static struct keys_request
good(enum keys_kind kind)
{
	mst_voucher_claims_init(&claims, kind == KEYS_SIGN_RVR ? MST_VOUCHER_REQUEST : MST_VOUCHER);
	claims.assertion = MST_ASSERT_PROXIMITY;
	claims.created_on = 1000;
	claims.expires_on = -5;
	claims.last_renewal = 7;
	claims.revocation_checks = 1;
	claims.serial = MST_LIT("JADA");
	claims.nonce = MST_LIT("01234567");
	claims.nonce_text = MST_LIT("MDEyMzQ1Njc=");
	claims.idevid_issuer = MST_LIT("issuer");
	claims.pinned_cert = MST_LIT("pin");
	claims.pinned_pubk = MST_LIT("pubk");
	claims.pinned_pubk_sha256 = MST_LIT("sha");
	claims.proximity_cert = MST_LIT("pcert");
	claims.proximity_pubk = MST_LIT("ppubk");
	claims.proximity_pubk_sha256 = MST_LIT("psha");
	claims.prior_request = MST_LIT("prior");
	claims.est_domain = MST_LIT("est");
	claims.additional_configuration_url = MST_LIT("url");
	claims.manufacturer_proprietary = MST_LIT("mine");
	return (struct keys_request){ .kind = kind,
		.entry = UINT64_C(1) << 63,
		.slot = "slot",
		.profile = "device",
		.serial = { serial, 16 },
		.subject = MST_LIT("subject"),
		.spki = MST_LIT("spki"),
		.san = MST_LIT("san"),
		.not_before = -1,
		.not_after = INT64_MAX,
		.device_serial = MST_LIT("JADA"),
		.masa_url = "masa.example",
		.organization = "O",
		.crl_number = 5,
		.this_update = 6,
		.next_update = 7,
		.revoked = revoked,
		.revoked_count = 2,
		.media = MST_MEDIA_JWS_JSON,
		.claims = &claims,
		.id_data = true,
		.other_slot = "old" };
}

static mst_span
encoded(const struct keys_request *rq)
{
	struct mst_buf b = arena_buf(arena, keys_request_room(rq));

	assert_int_equal(keys_request_encode(rq, 42, &b), MST_OK);
	return mst_span_of(b.ptr + KEYS_FRAME_HEAD, b.len - KEYS_FRAME_HEAD);
}

static void
request_of_each_kind_comes_back(void **state)
{
	enum keys_kind kind = *(enum keys_kind *)*state;
	struct keys_request rq = good(kind), got;
	mst_span m = encoded(&rq), again;
	uint64_t id;

	assert_int_equal(keys_request_decode(m, arena, &id, &got), MST_OK);
	assert_int_equal(id, 42);
	assert_int_equal(got.kind, kind);
	assert_true(got.entry == rq.entry);
	assert_string_equal(got.slot, "slot");
	again = encoded(&got); /* nothing was lost: the same bytes */
	assert_true(mst_span_eq(m, again));
}

static void
every_strict_prefix_is_refused(void **state)
{
	enum keys_kind kind = *(enum keys_kind *)*state;
	struct keys_request rq = good(kind), got;
	mst_span m = encoded(&rq);
	uint64_t id;

	for (size_t n = 0; n < m.len; n++) {
		uint8_t *exact = malloc(n + 1);

		memcpy(exact + 1, m.ptr, n);
		assert_int_not_equal(
		    keys_request_decode(mst_span_of(exact + 1, n), arena, &id, &got), MST_OK);
		free(exact);
	}
}

static void
byte_behind_a_request_is_refused(void **state)
{
	enum keys_kind kind = *(enum keys_kind *)*state;
	struct keys_request rq = good(kind), got;
	mst_span m = encoded(&rq);
	uint8_t *longer = arena_alloc(arena, m.len + 1);
	uint64_t id;

	memcpy(longer, m.ptr, m.len);
	assert_int_equal(keys_request_decode(mst_span_of(longer, m.len + 1), arena, &id, &got),
	    MST_E_CBOR_TRAILING);
}

/* The first pair (id) is a0..: 00 18 2a. Another kind's number in the second pair asks for other
 * fields. */
static void
fields_of_another_kind_are_refused(void **state)
{
	enum keys_kind kind = *(enum keys_kind *)*state;
	struct keys_request rq = good(kind), got;
	mst_span m = encoded(&rq);
	uint8_t *other = arena_alloc(arena, m.len);
	uint64_t id;

	memcpy(other, m.ptr, m.len);
	assert_int_equal(other[4], 1); /* key of kind */
	assert_int_equal(other[5], kind);
	for (uint8_t k = 0; k < 8; k++) {
		bool same_shape = k == kind || (kind == KEYS_SIGN_RVR && k == KEYS_SIGN_VOUCHER) ||
		                  (kind == KEYS_SIGN_VOUCHER && k == KEYS_SIGN_RVR);

		other[5] = k;
		assert_int_equal(keys_request_decode(mst_span_of(other, m.len), arena, &id, &got),
		    same_shape ? MST_OK : MST_E_KEY_REFUSED);
	}
}

static void
raw_bytes_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		mst_err want;
	} rows[] = {
		{ "", 0, MST_E_CBOR },
		{ "\xa0", 1, MST_E_KEY_REFUSED },
		{ "\x80", 1, MST_E_CBOR_TYPE },
		{ "\xa1\x00\x01", 3, MST_E_KEY_REFUSED },
		{ "\xa2\x01\x00\x00\x01", 5, MST_E_KEY_REFUSED }, /* keys fall */
		{ "\xa2\x00\x01\x00\x01", 5, MST_E_KEY_REFUSED }, /* key twice */
		{ "\xa1\x20\x01", 3, MST_E_KEY_REFUSED }, /* negative key */
		{ "\xa1\x18\x16\x01", 4, MST_E_KEY_REFUSED }, /* key unknown */
		{ "\xa1\x03\x62\x61\x00", 5, MST_E_KEY_REFUSED }, /* NUL in a name */
		{ "\xa1\x03\x61\xff", 4, MST_E_CBOR_UTF8 },
		{ "\xa1\x11\x9a\xff\xff\xff\xff", 7, MST_E_CBOR }, /* four billion revoked */
		{ "\xa1\x12\x04", 3, MST_E_KEY_REFUSED }, /* media unknown */
		{ "\xa1\x13\xa1\x00\x02", 5, MST_E_KEY_REFUSED }, /* claims of no kind */
		{ "\xa1\x13\xa0", 3, MST_E_KEY_REFUSED },
		{ "\xa1\x14\x01", 3, MST_E_CBOR_TYPE },
	};
	struct keys_request got;
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		mst_err e =
		    keys_request_decode(mst_span_of(rows[i].bytes, rows[i].len), arena, &id, &got);

		if (e != rows[i].want)
			fail_msg("row %zu: %s, wanted %s", i, mst_err_info(e)->name,
			    mst_err_info(rows[i].want)->name);
	}
}

static void
missing_fields_are_not_sent(void **state)
{
	struct keys_request rq = good(KEYS_SIGN_CERT);
	uint8_t room[1024];
	struct mst_buf b = MST_BUF(room);

	(void)state;
	rq.profile = NULL;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_E_USAGE);
	rq = good(KEYS_SIGN_CERT);
	rq.spki = MST_NONE;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_E_USAGE);
	rq = good(KEYS_SIGN_RVR);
	rq.claims = NULL;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_E_USAGE);
	rq = good(KEYS_SIGN_CERT);
	rq.slot = NULL;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_E_USAGE);
	assert_int_equal(b.len, 0);
}

static void
buffer_too_small_appends_nothing(void **state)
{
	struct keys_request rq = good(KEYS_SIGN_CERT);
	uint8_t room[64] = { 0xee };
	struct mst_buf b = { room, sizeof room, 1 };

	(void)state;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_E_SPACE);
	assert_int_equal(b.len, 1);
	assert_int_equal(room[0], 0xee);
}

static void
answers_come_back(void **state)
{
	uint8_t room[256];
	struct mst_buf b = MST_BUF(room);
	mst_span m, got = MST_NONE;
	uint64_t id;
	mst_err e;

	(void)state;
	assert_int_equal(keys_answer_encode(7, MST_OK, MST_LIT("der"), &b), MST_OK);
	m = mst_span_of(room + 4, b.len - 4);
	assert_int_equal(keys_answer_decode(m, &id, &e, &got), MST_OK);
	assert_int_equal(id, 7);
	assert_int_equal(e, MST_OK);
	assert_true(mst_span_eq(got, MST_LIT("der")));
	for (size_t n = 0; n < m.len; n++)
		assert_int_not_equal(
		    keys_answer_decode(mst_span_of(m.ptr, n), &id, &e, &got), MST_OK);
	b.len = 0;
	assert_int_equal(keys_answer_encode(8, MST_E_CSR_KEY, MST_LIT("never"), &b), MST_OK);
	assert_int_equal(
	    keys_answer_decode(mst_span_of(room + 4, b.len - 4), &id, &e, &got), MST_OK);
	assert_int_equal(e, MST_E_CSR_KEY);
	assert_null(got.ptr);
}

static void
hostile_answers_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = { { "\xa2\x00\x07\x01\x00", 5 }, /* success without an answer */
		{ "\xa3\x00\x07\x01\x01\x02\x41x", 8 }, /* refusal with one */
		{ "\xa3\x01\x00\x00\x07\x02\x41x", 8 }, /* order */
		{ "\xa3\x00\x07\x01\x00\x02\x61x", 8 }, /* text */
		{ "\xa4\x00\x07\x01\x00\x02\x41x\x03\x00", 10 } };
	mst_span got;
	uint64_t id;
	mst_err e;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_not_equal(
		    keys_answer_decode(mst_span_of(rows[i].bytes, rows[i].len), &id, &e, &got),
		    MST_OK);
	/* An error that err.def lacks is internal, never success. */
	assert_int_equal(
	    keys_answer_decode(MST_LIT("\xa2\x00\x07\x01\x19\xff\xfe"), &id, &e, &got), MST_OK);
	assert_int_equal(e, MST_E_INTERNAL);
	assert_int_equal(
	    keys_answer_decode(MST_LIT("\xa2\x00\x07\x01\x1b\0\0\0\1\0\0\0\0"), &id, &e, &got),
	    MST_OK);
	assert_int_equal(e, MST_E_INTERNAL);
}

static void
frame_sizes(void **state)
{
	size_t n;

	(void)state;
	assert_true(keys_frame_size(MST_LIT("\0\0\0"), &n));
	assert_int_equal(n, 0);
	assert_true(keys_frame_size(MST_LIT("\0\0\0\1"), &n));
	assert_int_equal(n, 5);
	assert_false(keys_frame_size(MST_LIT("\0\0\0\0"), &n));
	assert_true(keys_frame_size(MST_LIT("\0\x40\0\0"), &n));
	assert_int_equal(n, KEYS_FRAME_MAX + 4);
	assert_false(keys_frame_size(MST_LIT("\0\x40\0\1"), &n));
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

static enum keys_kind kinds[] = { KEYS_SIGN_CERT, KEYS_SIGN_IDEVID, KEYS_SIGN_CRL, KEYS_SIGN_RVR,
	KEYS_SIGN_VOUCHER, KEYS_SIGN_ROLLOVER };
#define ONE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define EACH(fn)                                                                                   \
	{ #fn ": cert", fn, setup, teardown, &kinds[0] },                                          \
	    { #fn ": idevid", fn, setup, teardown, &kinds[1] },                                    \
	    { #fn ": crl", fn, setup, teardown, &kinds[2] },                                       \
	    { #fn ": rvr", fn, setup, teardown, &kinds[3] },                                       \
	    { #fn ": voucher", fn, setup, teardown, &kinds[4] },                                   \
	{                                                                                          \
#fn ": rollover", fn, setup, teardown, &kinds[5]                                   \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(request_of_each_kind_comes_back),
		EACH(every_strict_prefix_is_refused),
		EACH(byte_behind_a_request_is_refused),
		EACH(fields_of_another_kind_are_refused),
		ONE(raw_bytes_are_refused),
		ONE(missing_fields_are_not_sent),
		ONE(buffer_too_small_appends_nothing),
		ONE(answers_come_back),
		ONE(hostile_answers_are_refused),
		ONE(frame_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

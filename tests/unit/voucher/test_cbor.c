/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vouchers in YANG-CBOR: every leaf there and back, exact bytes, and what is
 * refused. A refused input differs from a good one in what its name says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"
#include "muster/voucher.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Hex, blanks ignored; 'text' gives its bytes. On the heap, of exactly that size. */
static mst_span
bytes(const char *hex)
{
	uint8_t *out = malloc(strlen(hex) + 1);
	size_t n = 0;

	assert_non_null(out);
	while (*hex != '\0') {
		if (*hex == '\'')
			for (hex++; *hex != '\''; hex++)
				out[n++] = (uint8_t)*hex;
		else if (*hex != ' ') {
			assert_true(digit(hex[0]) >= 0 && digit(hex[1]) >= 0);
			out[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
			hex++;
		}
		hex++;
	}
	out = realloc(out, n != 0 ? n : 1);
	assert_non_null(out);
	return mst_span_of(out, n);
}

static void
drop(mst_span s)
{
	free((void *)(uintptr_t)s.ptr);
}

static const uint8_t filler[70000] = { 0x30, 1, 2, 3 };

/* A claim for every leaf of its kind, each of another length. */
static struct mst_voucher_claims
full(enum mst_voucher_kind kind)
{
	struct mst_voucher_claims c;

	mst_voucher_claims_init(&c, kind);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = 1795424400; /* 2026-11-23T09:00:00Z */
	c.expires_on = 1795424401;
	c.last_renewal = 1795424402;
	c.serial = MST_LIT("JADA123456789");
	c.nonce = mst_span_of(filler, 16);
	c.idevid_issuer = mst_span_of(filler, 26);
	c.pinned_cert = mst_span_of(filler, 600);
	c.pinned_pubk = mst_span_of(filler, 91);
	c.pinned_pubk_sha256 = mst_span_of(filler, 32);
	c.revocation_checks = 0;
	c.est_domain = MST_LIT("https://est.example");
	c.additional_configuration_url = MST_LIT("https://c.example");
	c.manufacturer_proprietary = mst_span_of(filler, 3);
	if (kind == MST_VOUCHER)
		return c;
	c.proximity_cert = mst_span_of(filler, 601);
	c.proximity_pubk = mst_span_of(filler, 92);
	c.proximity_pubk_sha256 = mst_span_of(filler + 1, 32);
	c.prior_request = mst_span_of(filler, 201);
	return c;
}

static void
assert_same(const struct mst_voucher_claims *a, const struct mst_voucher_claims *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->assertion, b->assertion);
	assert_true(a->created_on == b->created_on && a->expires_on == b->expires_on);
	assert_true(a->last_renewal == b->last_renewal);
	assert_int_equal(a->revocation_checks, b->revocation_checks);
	assert_true(mst_span_eq(a->serial, b->serial));
	assert_true(mst_span_eq(a->nonce, b->nonce));
	assert_true(mst_span_eq(a->nonce_text, b->nonce_text));
	assert_true(mst_span_eq(a->idevid_issuer, b->idevid_issuer));
	assert_true(mst_span_eq(a->pinned_cert, b->pinned_cert));
	assert_true(mst_span_eq(a->pinned_pubk, b->pinned_pubk));
	assert_true(mst_span_eq(a->pinned_pubk_sha256, b->pinned_pubk_sha256));
	assert_true(mst_span_eq(a->proximity_cert, b->proximity_cert));
	assert_true(mst_span_eq(a->proximity_pubk, b->proximity_pubk));
	assert_true(mst_span_eq(a->proximity_pubk_sha256, b->proximity_pubk_sha256));
	assert_true(mst_span_eq(a->prior_request, b->prior_request));
	assert_true(mst_span_eq(a->est_domain, b->est_domain));
	assert_true(mst_span_eq(a->additional_configuration_url, b->additional_configuration_url));
	assert_true(mst_span_eq(a->manufacturer_proprietary, b->manufacturer_proprietary));
	assert_int_equal(a->unknown, b->unknown);
}

static void
round_trip(const struct mst_voucher_claims *c)
{
	static uint8_t room[131072], again_room[131072];
	struct mst_buf out = MST_BUF(room), again = MST_BUF(again_room);
	struct mst_voucher_claims back;
	mst_span exact;

	assert_int_equal(mst_voucher_cbor_build(c, &out), MST_OK);
	assert_int_equal(mst_cbor_validate_unique(mst_buf_span(&out)), MST_OK);
	exact = mst_span_of(memcpy(malloc(out.len), out.ptr, out.len), out.len);
	assert_int_equal(mst_voucher_cbor_parse(exact, c->kind, 0, &back), MST_OK);
	assert_same(c, &back);
	assert_int_equal(mst_voucher_cbor_build(&back, &again), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), mst_buf_span(&again)));
	drop(exact);
}

static void
round_trip_full(void **state)
{
	struct mst_voucher_claims v = full(MST_VOUCHER), r = full(MST_VOUCHER_REQUEST);

	(void)state;
	round_trip(&v);
	round_trip(&r);
}

static void
round_trip_empty(void **state)
{
	struct mst_voucher_claims c;

	(void)state;
	mst_voucher_claims_init(&c, MST_VOUCHER);
	round_trip(&c);
	mst_voucher_claims_init(&c, MST_VOUCHER_REQUEST);
	round_trip(&c);
}

static void
round_trip_each_value_of_small_leaves(void **state)
{
	(void)state;
	for (int a = MST_ASSERT_ABSENT; a <= MST_ASSERT_AGENT_PROXIMITY; a++)
		for (int checks = -1; checks <= 1; checks++) {
			struct mst_voucher_claims c = full(MST_VOUCHER);

			c.assertion = (enum mst_assertion)a;
			c.revocation_checks = checks;
			c.created_on = a < 0 ? INT64_C(-62167219200) : INT64_C(253402300799);
			round_trip(&c);
		}
}

/* The longest leaves of DM-5, and nothing when the room is too small by one. */
static void
build_needs_its_room(void **state)
{
	struct mst_voucher_claims c = full(MST_VOUCHER_REQUEST);
	uint8_t room[2048];
	struct mst_buf out = MST_BUF(room);
	size_t whole;

	(void)state;
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	whole = out.len;
	for (size_t cap = 0; cap < whole; cap++) {
		struct mst_buf small = { malloc(cap != 0 ? cap : 1), cap, 0 };

		assert_int_equal(mst_voucher_cbor_build(&c, &small), MST_E_SPACE);
		assert_int_equal(small.len, 0);
		free(small.ptr);
	}
}

static void
build_refuses_what_no_reader_takes(void **state)
{
	struct mst_voucher_claims c = full(MST_VOUCHER);
	uint8_t room[2048];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	out.len = 7;
	c.serial = MST_LIT("\xff");
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_E_CBOR_UTF8);
	c = full(MST_VOUCHER);
	c.expires_on = INT64_C(253402300800); /* year 10000 */
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_E_TIME_FORMAT);
	assert_int_equal(out.len, 7);
}

/* Bytes of section 4's table: every delta of both kinds, in ascending order. */
static void
build_is_exact_voucher(void **state)
{
	struct mst_voucher_claims c = full(MST_VOUCHER);
	uint8_t room[2048];
	struct mst_buf out = MST_BUF(room);
	mst_span want;

	(void)state;
	c.nonce = MST_LIT("12345678");
	c.idevid_issuer = c.pinned_cert = c.pinned_pubk = c.manufacturer_proprietary = MST_LIT("x");
	c.pinned_pubk_sha256 = MST_LIT("01234567890123456789012345678901");
	c.est_domain = MST_LIT("e");
	c.additional_configuration_url = MST_LIT("u");
	want = bytes("a1 19 0993 ae 01 02 02 74 '2026-11-23T09:00:00Z' 03 f4"
	             "04 74 '2026-11-23T09:00:01Z' 05 41 'x' 06 74 '2026-11-23T09:00:02Z'"
	             "07 48 '12345678' 08 41 'x' 09 41 'x' 0a 58 20 "
	             "'01234567890123456789012345678901' 0b 6d 'JADA123456789'"
	             "0c 61 'u' 0d 61 'e' 0e 41 'x'");
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), want));
	drop(want);
}

static void
build_is_exact_request(void **state)
{
	struct mst_voucher_claims c = full(MST_VOUCHER_REQUEST);
	uint8_t room[2048];
	struct mst_buf out = MST_BUF(room);
	mst_span want;

	(void)state;
	c.nonce = MST_LIT("12345678");
	c.idevid_issuer = c.pinned_cert = c.pinned_pubk = c.manufacturer_proprietary =
	    c.proximity_cert = c.proximity_pubk = c.prior_request = MST_LIT("x");
	c.pinned_pubk_sha256 = c.proximity_pubk_sha256 =
	    MST_LIT("01234567890123456789012345678901");
	c.est_domain = MST_LIT("e");
	c.additional_configuration_url = MST_LIT("u");
	want = bytes("a1 19 09c5 b2 01 02 02 74 '2026-11-23T09:00:00Z' 03 f4"
	             "04 74 '2026-11-23T09:00:01Z' 05 41 'x' 06 74 '2026-11-23T09:00:02Z'"
	             "07 48 '12345678' 08 41 'x' 09 41 'x' 0a 41 'x' 0b 58 20 "
	             "'01234567890123456789012345678901' 0c 41 'x' 0d 6d 'JADA123456789'"
	             "11 41 'x' 12 58 20 '01234567890123456789012345678901'"
	             "13 61 'u' 14 61 'e' 16 41 'x'");
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), want));
	drop(want);
}

static void
other_kinds_leaves_are_not_written(void **state)
{
	struct mst_voucher_claims c = full(MST_VOUCHER_REQUEST), back;
	uint8_t room[2048];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	c.kind = MST_VOUCHER;
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	assert_int_equal(mst_voucher_cbor_parse(mst_buf_span(&out), MST_VOUCHER, 0, &back), MST_OK);
	assert_null(back.prior_request.ptr);
	assert_null(back.proximity_cert.ptr);
	assert_int_equal(back.unknown, 0);
}

/* The same content in every spelling of its keys (cBRSKI 12.1, RFC 9254 9.3). */
static const struct spelling {
	const char *name, *hex;
	enum mst_voucher_kind kind;
} spellings[] = {
	{ "cBRSKI-12.1 deltas", "a1 19 0993 a2 0b 61 'S' 07 48 '12345678'", MST_VOUCHER },
	{ "cBRSKI-12.1 names",
	    "a1 74 'ietf-voucher:voucher' a2 6d 'serial-number' 61 'S' 65 'nonce' 48 '12345678'",
	    MST_VOUCHER },
	{ "cBRSKI-12.1 absolute SIDs under Tag 47",
	    "a1 d8 2f 19 0993 a2 d8 2f 19 099e 61 'S' d8 2f 19 099a 48 '12345678'", MST_VOUCHER },
	{ "cBRSKI-12.1 SID outside, names inside",
	    "a1 19 0993 a2 6d 'serial-number' 61 'S' 65 'nonce' 48 '12345678'", MST_VOUCHER },
	{ "cBRSKI-12.1 name outside, deltas inside",
	    "a1 74 'ietf-voucher:voucher' a2 0b 61 'S' 07 48 '12345678'", MST_VOUCHER },
	{ "cBRSKI-12.1 all three mixed",
	    "a1 19 0993 a2 d8 2f 19 099e 61 'S' 65 'nonce' 48 '12345678'", MST_VOUCHER },
	{ "RFC 9254 request, deltas", "a1 19 09c5 a2 0d 61 'S' 07 48 '12345678'",
	    MST_VOUCHER_REQUEST },
	{ "RFC 9254 request, names",
	    "a1 781c 'ietf-voucher-request:voucher' a2 6d 'serial-number' 61 'S' 65 'nonce' 48 "
	    "'12345678'",
	    MST_VOUCHER_REQUEST },
	{ "RFC 9254 request, Tag 47",
	    "a1 19 09c5 a2 d8 2f 19 09d2 61 'S' d8 2f 19 09cc 48 '12345678'", MST_VOUCHER_REQUEST },
	{ "DM-5 maps of indefinite length", "bf 19 0993 bf 0b 61 'S' 07 48 '12345678' ff ff",
	    MST_VOUCHER },
	{ "DM-5 strings of indefinite length, one chunk",
	    "a1 19 0993 a2 0b 7f 61 'S' ff 07 5f 48 '12345678' ff", MST_VOUCHER },
	{ "DM-5 not canonical: order, longer heads",
	    "a1 1a 00000993 b8 02 19 0007 58 08 '12345678' 18 0b 78 01 'S'", MST_VOUCHER },
};

static void
spelling_row(void **state)
{
	const struct spelling *row = *state;
	mst_span in = bytes(row->hex);
	struct mst_voucher_claims c;

	assert_int_equal(mst_voucher_cbor_parse(in, row->kind, 0, &c), MST_OK);
	assert_true(mst_span_eq(c.serial, MST_LIT("S")));
	assert_true(mst_span_eq(c.nonce, MST_LIT("12345678")));
	assert_null(c.nonce_text.ptr);
	assert_int_equal(c.unknown, 0);
	assert_int_equal(c.assertion, MST_ASSERT_ABSENT);
	drop(in);
}

/* Every leaf by its name gives what its delta gives. */
static void
every_leaf_by_name(void **state)
{
	static const struct {
		const char *name;
		unsigned delta, delta_request;
		const char *value;
	} leaves[] = {
		{ "assertion", 1, 1, "01" },
		{ "created-on", 2, 2, "74 '2026-11-23T09:00:00Z'" },
		{ "domain-cert-revocation-checks", 3, 3, "f5" },
		{ "expires-on", 4, 4, "74 '2026-11-23T09:00:00Z'" },
		{ "idevid-issuer", 5, 5, "41 'x'" },
		{ "last-renewal-date", 6, 6, "74 '2026-11-23T09:00:00Z'" },
		{ "nonce", 7, 7, "48 '12345678'" },
		{ "pinned-domain-cert", 8, 8, "41 'x'" },
		{ "pinned-domain-pubk", 9, 17, "41 'x'" },
		{ "pinned-domain-pubk-sha256", 10, 18, "58 20 '01234567890123456789012345678901'" },
		{ "serial-number", 11, 13, "61 'x'" },
		{ "additional-configuration-url", 12, 19, "61 'x'" },
		{ "est-domain", 13, 20, "61 'x'" },
		{ "manufacturer-proprietary", 14, 22, "41 'x'" },
		{ "prior-signed-voucher-request", 0, 9, "41 'x'" },
		{ "proximity-registrar-cert", 0, 10, "41 'x'" },
		{ "proximity-registrar-pubk-sha256", 0, 11,
		    "58 20 '01234567890123456789012345678901'" },
		{ "proximity-registrar-pubk", 0, 12, "41 'x'" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(leaves); i++)
		for (int kind = MST_VOUCHER; kind <= MST_VOUCHER_REQUEST; kind++) {
			struct mst_voucher_claims a, b, empty;
			unsigned delta =
			    kind == MST_VOUCHER ? leaves[i].delta : leaves[i].delta_request;
			const char *outer = kind == MST_VOUCHER ? "19 0993" : "19 09c5";
			char hex[200];
			mst_span by_name, by_delta;

			(void)snprintf(hex, sizeof(hex), "a1 %s a1 78 %02x '%s' %s", outer,
			    (unsigned)strlen(leaves[i].name), leaves[i].name, leaves[i].value);
			by_name = bytes(hex);
			(void)snprintf(
			    hex, sizeof(hex), "a1 %s a1 18 %02x %s", outer, delta, leaves[i].value);
			by_delta = bytes(hex);
			mst_voucher_claims_init(&empty, (enum mst_voucher_kind)kind);
			assert_int_equal(
			    mst_voucher_cbor_parse(by_name, (enum mst_voucher_kind)kind, 0, &a),
			    MST_OK);
			if (delta == 0) {
				/* not of this kind: not understood */
				empty.unknown = 1;
				assert_same(&a, &empty);
			} else {
				assert_int_equal(mst_voucher_cbor_parse(
				                     by_delta, (enum mst_voucher_kind)kind, 0, &b),
				    MST_OK);
				assert_int_equal(a.unknown, 0);
				assert_same(&a, &b);
				assert_true(memcmp(&b, &empty, sizeof(b)) != 0);
			}
			drop(by_name);
			drop(by_delta);
		}
}

static const struct refusal {
	const char *name, *hex;
	mst_err want;
	unsigned accept;
} refusals[] = {
	{ "nothing", "", MST_E_CBOR, 0 },
	{ "outer is an array", "81 19 0993", MST_E_CBOR_TYPE, 0 },
	{ "outer map is empty", "a0", MST_E_VOUCHER_PARSE, 0 },
	{ "outer map has two members", "a2 19 0993 a0 19 0994 a0", MST_E_VOUCHER_PARSE, 0 },
	{ "outer map has both kinds", "a2 19 0993 a0 19 09c5 a0", MST_E_VOUCHER_PARSE, 0 },
	{ "outer key is the request's", "a1 19 09c5 a0", MST_E_VOUCHER_KIND, 0 },
	{ "outer key is the request's name", "a1 781c 'ietf-voucher-request:voucher' a0",
	    MST_E_VOUCHER_KIND, 0 },
	{ "outer key is the module's SID", "a1 19 0992 a0", MST_E_VOUCHER_PARSE, 0 },
	{ "outer key is a bare name", "a1 67 'voucher' a0", MST_E_VOUCHER_PARSE, 0 },
	{ "outer key under another tag", "a1 c5 19 0993 a0", MST_E_CBOR_TYPE, 0 },
	{ "outer key is a byte string", "a1 42 0993 a0", MST_E_CBOR_TYPE, 0 },
	{ "outer key is negative", "a1 39 0992 a0", MST_E_VOUCHER_PARSE, 0 },
	{ "inner is an array", "a1 19 0993 80", MST_E_CBOR_TYPE, 0 },
	{ "inner is nil", "a1 19 0993 f6", MST_E_CBOR_TYPE, 0 },
	{ "the whole is tagged", "d9 d9f7 a1 19 0993 a0", MST_E_CBOR_TYPE, 0 },
	{ "old SIDs unless asked for", "a1 1a 000f468c a0", MST_E_VOUCHER_PARSE, 0 },
	{ "a request with an old SID is a request", "a1 1a 000f46c2 a0", MST_E_VOUCHER_KIND,
	    MST_LEGACY_SIDS },
	{ "a byte behind", "a1 19 0993 a0 00", MST_E_CBOR_TRAILING, 0 },

	{ "DM-5 the same delta twice", "a1 19 0993 a2 0b 61 'S' 0b 61 'T'", MST_E_CBOR_DUPLICATE,
	    0 },
	{ "DM-5 the same delta twice, longer", "a1 19 0993 a2 0b 61 'S' 18 0b 61 'T'",
	    MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 delta and name", "a1 19 0993 a2 0b 61 'S' 6d 'serial-number' 61 'T'",
	    MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 delta and Tag 47", "a1 19 0993 a2 0b 61 'S' d8 2f 19 099e 61 'T'",
	    MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 name and Tag 47", "a1 19 0993 a2 6d 'serial-number' 61 'S' d8 2f 19 099e 61 'S'",
	    MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 an unknown key twice", "a1 19 0993 a2 18 63 00 18 63 00", MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 an unknown name twice", "a1 19 0993 a3 64 'more' 00 0b 61 'S' 64 'more' 00",
	    MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 an unknown SID twice", "a1 19 0993 a2 d8 2f 19 ea60 00 d8 2f 19 ea60 00",
	    MST_E_CBOR_DUPLICATE, 0 },
	{ "DM-5 an unknown key twice, longer, behind containers",
	    "a1 19 0993 a3 18 63 82 a1 00 00 00 18 64 9f ff 19 0063 00", MST_E_CBOR_DUPLICATE, 0 },
	{ "not well-formed inside an unknown leaf", "a1 19 0993 a1 18 63 a1 00 1c", MST_E_CBOR, 0 },
	{ "DM-5 nesting in an unknown leaf",
	    "a1 19 0993 a1 18 63 81 81 81 81 81 81 81 81 81 81 81 81 81 81 80", MST_E_CBOR_DEPTH,
	    0 },
	{ "key is a float", "a1 19 0993 a1 f9 4980 61 'S'", MST_E_CBOR_TYPE, 0 },
	{ "key is a byte string", "a1 19 0993 a1 41 0b 61 'S'", MST_E_CBOR_TYPE, 0 },
	{ "key under another tag", "a1 19 0993 a1 c1 19 099e 61 'S'", MST_E_CBOR_TYPE, 0 },
	{ "key is a name under Tag 47", "a1 19 0993 a1 d8 2f 65 'nonce' 61 'S'", MST_E_CBOR_TYPE,
	    0 },

	{ "assertion is a text", "a1 19 0993 a1 01 66 'logged'", MST_E_CBOR_TYPE, 0 },
	{ "assertion is negative", "a1 19 0993 a1 01 20", MST_E_CBOR_TYPE, 0 },
	{ "created-on is a byte string", "a1 19 0993 a1 02 54 '2026-11-23T09:00:00Z'",
	    MST_E_CBOR_TYPE, 0 },
	{ "created-on is no date", "a1 19 0993 a1 02 65 'today'", MST_E_VOUCHER_PARSE, 0 },
	{ "created-on is empty", "a1 19 0993 a1 02 60", MST_E_VOUCHER_PARSE, 0 },
	{ "created-on is Tag 1", "a1 19 0993 a1 02 c1 1a 65000000", MST_E_CBOR_TYPE, 0 },
	{ "created-on is Tag 0", "a1 19 0993 a1 02 c0 74 '2026-11-23T09:00:00Z'", MST_E_CBOR_TYPE,
	    0 },
	{ "created-on is seconds", "a1 19 0993 a1 02 1a 65000000", MST_E_CBOR_TYPE, 0 },
	{ "revocation-checks is 0", "a1 19 0993 a1 03 00", MST_E_CBOR_TYPE, 0 },
	{ "revocation-checks is nil", "a1 19 0993 a1 03 f6", MST_E_CBOR_TYPE, 0 },
	{ "revocation-checks is undefined", "a1 19 0993 a1 03 f7", MST_E_CBOR_TYPE, 0 },
	{ "expires-on is no date", "a1 19 0993 a1 04 61 '1'", MST_E_VOUCHER_PARSE, 0 },
	{ "idevid-issuer is a text", "a1 19 0993 a1 05 61 'x'", MST_E_CBOR_TYPE, 0 },
	{ "idevid-issuer is empty", "a1 19 0993 a1 05 40", MST_E_VOUCHER_PARSE, 0 },
	{ "last-renewal-date is a number", "a1 19 0993 a1 06 00", MST_E_CBOR_TYPE, 0 },
	{ "nonce is a text", "a1 19 0993 a1 07 68 '12345678'", MST_E_CBOR_TYPE, 0 },
	{ "nonce in two chunks", "a1 19 0993 a1 07 5f 44 '1234' 44 '5678' ff", MST_E_CBOR_TYPE, 0 },
	{ "nonce is nil", "a1 19 0993 a1 07 f6", MST_E_CBOR_TYPE, 0 },
	{ "pinned-domain-cert is a text", "a1 19 0993 a1 08 61 'x'", MST_E_CBOR_TYPE, 0 },
	{ "pinned-domain-cert is empty", "a1 19 0993 a1 08 40", MST_E_VOUCHER_PARSE, 0 },
	{ "pinned-domain-pubk is an array", "a1 19 0993 a1 09 81 41 'x'", MST_E_CBOR_TYPE, 0 },
	{ "pinned-domain-pubk-sha256 of 31",
	    "a1 19 0993 a1 0a 58 1f '0123456789012345678901234567890'", MST_E_VOUCHER_PARSE, 0 },
	{ "pinned-domain-pubk-sha256 of 33",
	    "a1 19 0993 a1 0a 58 21 '012345678901234567890123456789012'", MST_E_VOUCHER_PARSE, 0 },
	{ "serial-number is a byte string", "a1 19 0993 a1 0b 41 'S'", MST_E_CBOR_TYPE, 0 },
	{ "serial-number is a number", "a1 19 0993 a1 0b 01", MST_E_CBOR_TYPE, 0 },
	{ "serial-number is no UTF-8", "a1 19 0993 a1 0b 61 ff", MST_E_CBOR_UTF8, 0 },
	{ "additional-configuration-url is a byte string", "a1 19 0993 a1 0c 41 'u'",
	    MST_E_CBOR_TYPE, 0 },
	{ "est-domain is a byte string", "a1 19 0993 a1 0d 41 'e'", MST_E_CBOR_TYPE, 0 },
	{ "manufacturer-proprietary is a map", "a1 19 0993 a1 0e a0", MST_E_CBOR_TYPE, 0 },
	{ "value missing", "a1 19 0993 a1 0b", MST_E_CBOR, 0 },
	{ "legacy: assertion is a byte string", "a1 19 0993 a1 01 41 'x'", MST_E_CBOR_TYPE,
	    MST_LEGACY_TYPES },
	{ "legacy: created-on under Tag 2", "a1 19 0993 a1 02 c2 41 00", MST_E_CBOR_TYPE,
	    MST_LEGACY_TYPES },
	{ "legacy: Tag 1 with a text", "a1 19 0993 a1 02 c1 74 '2026-11-23T09:00:00Z'",
	    MST_E_CBOR_TYPE, MST_LEGACY_TYPES },
	{ "legacy: Tag 1 with a float", "a1 19 0993 a1 02 c1 f9 4980", MST_E_CBOR_TYPE,
	    MST_LEGACY_TYPES },
	{ "legacy: Tag 1 in the year 10000", "a1 19 0993 a1 02 c1 1b 0000003afff44180",
	    MST_E_VOUCHER_PARSE, MST_LEGACY_TYPES },
	{ "legacy: Tag 1 is the mark of absence", "a1 19 0993 a1 02 c1 3b 7fffffffffffffff",
	    MST_E_VOUCHER_PARSE, MST_LEGACY_TYPES },
	{ "legacy: Tag 0 with a number", "a1 19 0993 a1 02 c0 00", MST_E_CBOR_TYPE,
	    MST_LEGACY_TYPES },
	{ "legacy: pinned-domain-cert is a text", "a1 19 0993 a1 08 61 'x'", MST_E_CBOR_TYPE,
	    MST_LEGACY_TYPES },
};

static void
refusal_row(void **state)
{
	const struct refusal *row = *state;
	mst_span in = bytes(row->hex);
	struct mst_voucher_claims c, untouched;

	memset(&c, 0x5a, sizeof(c));
	untouched = c;
	assert_int_equal(mst_voucher_cbor_parse(in, MST_VOUCHER, row->accept, &c), row->want);
	assert_memory_equal(&c, &untouched, sizeof(c)); /* written only on success */
	drop(in);
}

static void
legacy_sids(void **state)
{
	mst_span v = bytes("a1 1a 000f468c a2 0b 61 'S' d8 2f 1a 000f4693 48 '12345678'");
	mst_span r = bytes("a1 1a 000f46c2 a2 0d 61 'S' 07 48 '12345678'");
	struct mst_voucher_claims c;

	(void)state;
	assert_int_equal(mst_voucher_cbor_parse(v, MST_VOUCHER, MST_LEGACY_SIDS, &c), MST_OK);
	assert_true(mst_span_eq(c.serial, MST_LIT("S")));
	assert_int_equal(c.nonce.len, 8);
	assert_int_equal(
	    mst_voucher_cbor_parse(r, MST_VOUCHER_REQUEST, MST_LEGACY_SIDS, &c), MST_OK);
	assert_true(mst_span_eq(c.serial, MST_LIT("S")));
	assert_int_equal(mst_voucher_cbor_parse(r, MST_VOUCHER_REQUEST, MST_LEGACY_TYPES, &c),
	    MST_E_VOUCHER_PARSE);
	drop(v);
	drop(r);
}

static void
legacy_types(void **state)
{
	mst_span in = bytes("a1 19 09c5 a4 01 69 'proximity' 02 c1 1a 6b03da50 0d 41 'S' 07 68 "
	                    "'abcd1234'");
	mst_span tag0 = bytes("a1 19 0993 a2 02 c0 74 '2026-11-23T09:00:00Z' 04 c1 00");
	mst_span new = bytes("a1 19 09c5 a2 01 02 0d 61 'S'");
	struct mst_voucher_claims c;

	(void)state;
	assert_int_equal(
	    mst_voucher_cbor_parse(in, MST_VOUCHER_REQUEST, MST_LEGACY_TYPES, &c), MST_OK);
	assert_int_equal(c.assertion, MST_ASSERT_PROXIMITY);
	assert_true(c.created_on == 0x6b03da50);
	assert_true(mst_span_eq(c.serial, MST_LIT("S")));
	assert_true(mst_span_eq(c.nonce, MST_LIT("abcd1234")));
	assert_null(c.nonce_text.ptr);
	assert_int_equal(
	    mst_voucher_cbor_parse(in, MST_VOUCHER_REQUEST, MST_LEGACY_SIDS, &c), MST_E_CBOR_TYPE);
	assert_int_equal(mst_voucher_cbor_parse(tag0, MST_VOUCHER, MST_LEGACY_TYPES, &c), MST_OK);
	assert_true(c.created_on == 1795424400 && c.expires_on == 0);
	/* the switch widens, it does not narrow */
	assert_int_equal(
	    mst_voucher_cbor_parse(new, MST_VOUCHER_REQUEST, MST_LEGACY_TYPES, &c), MST_OK);
	drop(in);
	drop(tag0);
	drop(new);
}

static void
unknown_leaves_are_counted_and_ignored(void **state)
{
	/* deltas, negative deltas, names, Tag 47, extensions, whatever their values */
	mst_span in = bytes("a1 19 0993 a9 0b 61 'S' 18 63 82 a1 00 f6 5f 41 00 ff 20 f9 7e00"
	                    "64 'more' 9f 01 ff d8 2f 19 ea60 00 0f 81 19 1234 18 16 40"
	                    "781c 'prior-signed-voucher-request' 40 1b 7fffffffffffffff f5");
	struct mst_voucher_claims c, want;

	(void)state;
	mst_voucher_claims_init(&want, MST_VOUCHER);
	want.serial = MST_LIT("S");
	want.unknown = 8;
	assert_int_equal(mst_voucher_cbor_parse(in, MST_VOUCHER, 0, &c), MST_OK);
	assert_same(&c, &want);
	drop(in);
}

/* Numbers at the ends of what an integer holds are nobody's, and none overflows. */
static void
extreme_keys_are_unknown(void **state)
{
	static const char *const keys[] = { "1b 7fffffffffffffff", "3b 7fffffffffffffff",
		"d8 2f 1b 7fffffffffffffff", "d8 2f 3b 7fffffffffffffff", "39 0992", "00" };

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		char hex[80];
		struct mst_voucher_claims c;
		mst_span in;

		(void)snprintf(hex, sizeof(hex), "a1 19 0993 a2 %s 00 0b 61 'S'", keys[i]);
		in = bytes(hex);
		assert_int_equal(mst_voucher_cbor_parse(in, MST_VOUCHER, 0, &c), MST_OK);
		assert_int_equal(c.unknown, 1);
		assert_int_equal(c.serial.len, 1);
		drop(in);
	}
}

static void
unknown_assertion_stays_absent(void **state)
{
	static const char *const values[] = { "04", "18 ff", "1b ffffffffffffffff" };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		char hex[64];
		struct mst_voucher_claims c;
		mst_span in;

		(void)snprintf(hex, sizeof(hex), "a1 19 0993 a1 01 %s", values[i]);
		in = bytes(hex);
		assert_int_equal(mst_voucher_cbor_parse(in, MST_VOUCHER, 0, &c), MST_OK);
		assert_int_equal(c.assertion, MST_ASSERT_ABSENT);
		drop(in);
	}
}

/* DM-5: the longest leaf, and one byte more. */
static void
leaves_are_bounded(void **state)
{
	static uint8_t room[80000];

	(void)state;
	for (int over = 0; over < 2; over++) {
		struct mst_voucher_claims c, back;
		struct mst_buf out = MST_BUF(room);
		size_t more = (size_t)over;
		mst_err want = over ? MST_E_CBOR_LIMIT : MST_OK;

		mst_voucher_claims_init(&c, MST_VOUCHER);
		c.pinned_cert = mst_span_of(filler, 16384 + more);
		assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
		assert_int_equal(
		    mst_voucher_cbor_parse(mst_buf_span(&out), MST_VOUCHER, 0, &back), want);

		out.len = 0;
		mst_voucher_claims_init(&c, MST_VOUCHER_REQUEST);
		c.prior_request = mst_span_of(filler, 49152 + more);
		assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
		assert_int_equal(
		    mst_voucher_cbor_parse(mst_buf_span(&out), MST_VOUCHER_REQUEST, 0, &back),
		    want);

		out.len = 0;
		c.prior_request = MST_NONE;
		c.nonce = mst_span_of(filler, MST_NONCE_TEXT_MAX + more);
		assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
		assert_int_equal(
		    mst_voucher_cbor_parse(mst_buf_span(&out), MST_VOUCHER_REQUEST, 0, &back),
		    want);
	}
}

static void
sixty_five_leaves_are_too_many(void **state)
{
	uint8_t room[512];
	struct mst_voucher_claims c;

	(void)state;
	for (unsigned n = 64; n <= 65; n++) {
		struct mst_buf out = MST_BUF(room);
		struct mst_cbor_writer w;

		mst_cbor_put_init(&w, &out);
		mst_cbor_put_map(&w, 1);
		mst_cbor_put_uint(&w, 2451);
		mst_cbor_put_map(&w, n);
		for (unsigned i = 0; i < n; i++) {
			mst_cbor_put_uint(&w, 100 + i);
			mst_cbor_put_null(&w);
		}
		assert_int_equal(mst_cbor_put_end(&w), MST_OK);
		assert_int_equal(mst_voucher_cbor_parse(mst_buf_span(&out), MST_VOUCHER, 0, &c),
		    n == 64 ? MST_OK : MST_E_CBOR_LIMIT);
	}
}

static void
every_strict_prefix_is_refused(void **state)
{
	static uint8_t room[4096];
	struct mst_voucher_claims c = full(MST_VOUCHER_REQUEST);
	struct mst_buf out = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	for (size_t n = 0; n < out.len; n++) {
		mst_span copy = mst_span_of(memcpy(malloc(n != 0 ? n : 1), room, n), n);
		struct mst_voucher_claims back;

		assert_int_equal(
		    mst_voucher_cbor_parse(copy, MST_VOUCHER_REQUEST, 0, &back), MST_E_CBOR);
		drop(copy);
	}
}

/* Spans of the claims lie in the input: nothing is copied, nothing allocated. */
static void
leaves_lie_in_the_input(void **state)
{
	static uint8_t room[4096];
	struct mst_voucher_claims c = full(MST_VOUCHER_REQUEST), back;
	struct mst_buf out = MST_BUF(room);
	const mst_span *leaf[8];

	(void)state;
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	assert_int_equal(
	    mst_voucher_cbor_parse(mst_buf_span(&out), MST_VOUCHER_REQUEST, 0, &back), MST_OK);
	leaf[0] = &back.serial;
	leaf[1] = &back.nonce;
	leaf[2] = &back.idevid_issuer;
	leaf[3] = &back.pinned_cert;
	leaf[4] = &back.proximity_cert;
	leaf[5] = &back.prior_request;
	leaf[6] = &back.est_domain;
	leaf[7] = &back.manufacturer_proprietary;
	for (size_t i = 0; i < COUNT(leaf); i++)
		assert_true(leaf[i]->ptr > room && leaf[i]->ptr + leaf[i]->len <= room + out.len);
}

/* The worked bytes of requirements 24: what the published pledge's request holds. */
static void
worked_bytes_of_section_24(void **state)
{
	mst_span in = bytes("a1 19 09c5 a4 01 02 07 48 23bfbbc9c2bcf213 0c 41 30 0d 6d "
	                    "'JADA123456789'");
	struct mst_voucher_claims c;
	uint8_t room[128];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_voucher_cbor_parse(in, MST_VOUCHER_REQUEST, 0, &c), MST_OK);
	assert_int_equal(c.assertion, MST_ASSERT_PROXIMITY);
	assert_int_equal(c.nonce.len, 8);
	assert_int_equal(c.proximity_pubk.len, 1);
	assert_int_equal(mst_request_check(&c), MST_OK);
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), in));
	drop(in);
}

int
main(void)
{
	static const struct CMUnitTest singles[] = {
		cmocka_unit_test(round_trip_full),
		cmocka_unit_test(round_trip_empty),
		cmocka_unit_test(round_trip_each_value_of_small_leaves),
		cmocka_unit_test(build_needs_its_room),
		cmocka_unit_test(build_refuses_what_no_reader_takes),
		cmocka_unit_test(build_is_exact_voucher),
		cmocka_unit_test(build_is_exact_request),
		cmocka_unit_test(other_kinds_leaves_are_not_written),
		cmocka_unit_test(every_leaf_by_name),
		cmocka_unit_test(legacy_sids),
		cmocka_unit_test(legacy_types),
		cmocka_unit_test(unknown_leaves_are_counted_and_ignored),
		cmocka_unit_test(extreme_keys_are_unknown),
		cmocka_unit_test(unknown_assertion_stays_absent),
		cmocka_unit_test(leaves_are_bounded),
		cmocka_unit_test(sixty_five_leaves_are_too_many),
		cmocka_unit_test(every_strict_prefix_is_refused),
		cmocka_unit_test(leaves_lie_in_the_input),
		cmocka_unit_test(worked_bytes_of_section_24),
	};
	struct CMUnitTest tests[COUNT(singles) + COUNT(spellings) + COUNT(refusals)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(singles); i++)
		tests[n++] = singles[i];
	for (size_t i = 0; i < COUNT(spellings); i++)
		tests[n++] = (struct CMUnitTest){ spellings[i].name, spelling_row, NULL, NULL,
			(void *)(uintptr_t)&spellings[i] };
	for (size_t i = 0; i < COUNT(refusals); i++)
		tests[n++] = (struct CMUnitTest){ refusals[i].name, refusal_row, NULL, NULL,
			(void *)(uintptr_t)&refusals[i] };
	return cmocka_run_group_tests_name("voucher_cbor", tests, NULL, NULL);
}

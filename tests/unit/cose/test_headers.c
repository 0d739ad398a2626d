/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header rules of COSE-1 to COSE-5: each row is a message with a signature
 * that holds, and differs from a good one in what its name says. So what
 * refuses it is the rule, never the signature.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support_cose.h"

static uint8_t room[131072];

struct row {
	const char *name;
	struct parts parts;
	mst_err want;
};

/* .protected_header, .unprotected_header; the rest is good */
#define P(protected, unprotected)                                                                  \
	{                                                                                          \
		NULL, (protected), (unprotected), "payload", NULL, 0                               \
	}
#define A "a1 01 26"

static const struct row rows[] = {
	{ "COSE-1 tag 18", P(A, "a0"), MST_OK },
	{ "COSE-1 no tag", { "", A, "a0", "payload", NULL, 0 }, MST_OK },
	{ "COSE-1 tag 18 in two bytes", { "d8 12", A, "a0", "payload", NULL, 0 }, MST_OK },
	{ "COSE-1 tag 98 (COSE_Sign)", { "d8 62", A, "a0", "payload", NULL, 0 }, MST_E_COSE_TAG },
	{ "COSE-1 tag 17 (COSE_Mac0)", { "d1", A, "a0", "payload", NULL, 0 }, MST_E_COSE_TAG },
	{ "COSE-1 tag 16 (COSE_Encrypt0)", { "d0", A, "a0", "payload", NULL, 0 }, MST_E_COSE_TAG },
	{ "COSE-1 tag 61 (CWT) before tag 18", { "d8 3d d2", A, "a0", "payload", NULL, 0 },
	    MST_E_COSE_TAG },
	{ "COSE-1 tag 18 twice", { "d2 d2", A, "a0", "payload", NULL, 0 }, MST_E_COSE },

	{ "COSE-3 protected header is h''", P("", "a1 01 26"), MST_E_COSE_PROTECTED },
	{ "COSE-3 protected header is an empty map", P("a0", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 protected header is an empty map, alg unprotected", P("a0", "a1 01 26"),
	    MST_E_COSE_PROTECTED },
	{ "COSE-3 protected header is an array", P("82 01 26", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 protected header is cut short", P("a1 01", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 alg is a text that is no UTF-8", P("a1 01 61 ff", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 alg is a text cut short", P("a1 01 62 41", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 a label is cut short", P("a1 19 00", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 crit is cut short", P("a2 01 26 02 81", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 crit has a text that is no UTF-8", P("a2 01 26 02 81 61 ff", "a0"),
	    MST_E_COSE_PROTECTED },
	{ "COSE-3 kid is cut short", P("a2 01 26 04 42 31", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 x5bag is cut short", P("a2 01 26 18 20 82 41 30", "a0"), MST_E_COSE_PROTECTED },
	{ "COSE-3 protected header has bytes behind it", P("a1 01 26 00", "a0"),
	    MST_E_COSE_PROTECTED },
	{ "COSE-3 protected header is a tagged map", P("c1 a1 01 26", "a0"), MST_E_COSE_PROTECTED },

	{ "COSE-2 no alg", P("a1 03 00", "a0"), MST_E_COSE_ALG_MISSING },
	{ "COSE-2 alg unprotected only", P("a1 03 00", "a1 01 26"), MST_E_COSE_ALG_UNPROTECTED },
	{ "COSE-2 alg in both headers", P(A, "a1 01 26"), MST_E_COSE_DUPLICATE },
	{ "COSE-2 alg in both headers, written longer", P(A, "a1 18 01 26"), MST_E_COSE_DUPLICATE },
	{ "COSE-2 alg -999", P("a1 01 39 03 e6", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg is a text", P("a1 01 67 75 6e 6b 6e 6f 77 6e", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg is the text ES256", P("a1 01 65 45 53 32 35 36", "a0"),
	    MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg 5 (HMAC)", P("a1 01 05", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg -37 (PS256)", P("a1 01 38 24", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg -47 (ES256K)", P("a1 01 38 2e", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg -263, not -7 in eight bits", P("a1 01 39 01 06", "a0"),
	    MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg 0", P("a1 01 00", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg 2^32 - 7, not -7", P("a1 01 1a ff ff ff f9", "a0"), MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg 2^64 - 7, not -7", P("a1 01 1b ff ff ff ff ff ff ff f9", "a0"),
	    MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg -2^64 + 6", P("a1 01 3b ff ff ff ff ff ff ff f9", "a0"),
	    MST_E_COSE_ALGORITHM },
	{ "COSE-2 alg is a byte string", P("a1 01 41 26", "a0"), MST_E_COSE_HEADER },
	{ "COSE-2 alg is a float", P("a1 01 f9 c7 00", "a0"), MST_E_COSE_HEADER },
	{ "COSE-2 alg in a longer form", P("a1 01 38 06", "a0"), MST_OK },

	{ "duplicate label in the protected header", P("a2 01 26 01 26", "a0"),
	    MST_E_COSE_DUPLICATE },
	{ "duplicate label, second alg another", P("a2 01 26 01 27", "a0"), MST_E_COSE_DUPLICATE },
	{ "duplicate kid", P(A, "a2 04 41 31 04 41 32"), MST_E_COSE_DUPLICATE },
	{ "duplicate kid across headers", P("a2 01 26 04 41 31", "a1 04 41 31"),
	    MST_E_COSE_DUPLICATE },
	{ "duplicate unknown label", P(A, "a2 18 64 00 18 64 01"), MST_E_COSE_DUPLICATE },
	{ "duplicate unknown label, written longer", P(A, "a2 18 64 00 19 00 64 01"),
	    MST_E_COSE_DUPLICATE },
	{ "duplicate text label across headers", P("a2 01 26 61 78 00", "a1 61 78 00"),
	    MST_E_COSE_DUPLICATE },
	{ "duplicate negative label", P(A, "a2 20 00 20 00"), MST_E_COSE_DUPLICATE },
	{ "labels 1 and -2 differ", P(A, "a1 21 00"), MST_OK },
	{ "text label of one byte 0x01 is not alg", P(A, "a1 61 01 00"), MST_OK },
	{ "label is a byte string", P(A, "a1 41 01 26"), MST_E_COSE_HEADER },
	{ "label is an array", P(A, "a1 80 26"), MST_E_COSE_HEADER },
	{ "label is true", P(A, "a1 f5 26"), MST_E_COSE_HEADER },
	{ "label is tagged", P(A, "a1 c1 05 26"), MST_E_COSE_HEADER },

	{ "crit names an unknown label", P("a3 01 26 02 81 18 64 18 64 00", "a0"),
	    MST_E_COSE_CRIT },
	{ "crit names an unknown text", P("a3 01 26 02 81 61 78 61 78 00", "a0"), MST_E_COSE_CRIT },
	{ "crit names a label that is not there", P("a2 01 26 02 81 04", "a0"), MST_E_COSE_CRIT },
	{ "crit names a label of the other header", P("a2 01 26 02 81 04", "a1 04 41 31"),
	    MST_E_COSE_CRIT },
	{ "crit is empty", P("a2 01 26 02 80", "a0"), MST_E_COSE_CRIT },
	{ "crit is no array", P("a2 01 26 02 04", "a0"), MST_E_COSE_CRIT },
	{ "crit names no label", P("a2 01 26 02 81 40", "a0"), MST_E_COSE_CRIT },
	{ "crit names crit", P("a2 01 26 02 81 02", "a0"), MST_E_COSE_CRIT },
	{ "crit is unprotected", P(A, "a1 02 81 01"), MST_E_COSE_CRIT },
	{ "crit names CWT claims, not understood", P("a3 01 26 02 81 0f 0f a0", "a0"),
	    MST_E_COSE_CRIT },
	{ "crit names one known and one unknown", P("a3 01 26 02 82 01 18 64 18 64 00", "a0"),
	    MST_E_COSE_CRIT },
	{ "crit names alg", P("a2 01 26 02 81 01", "a0"), MST_OK },
	{ "crit names a protected kid", P("a3 01 26 02 81 04 04 41 31", "a0"), MST_OK },
	{ "crit names a protected x5bag", P("a3 01 26 02 81 18 20 18 20 41 31", "a0"), MST_OK },

	{ "kid is a text", P(A, "a1 04 61 31"), MST_E_COSE_HEADER },
	{ "kid is an integer", P(A, "a1 04 01"), MST_E_COSE_HEADER },
	{ "kid", P(A, "a1 04 42 31 31"), MST_OK },
	{ "kid is empty", P(A, "a1 04 40"), MST_OK },
	{ "kid protected", P("a2 01 26 04 41 31", "a0"), MST_OK },
	{ "content type is a number", P("a2 01 26 03 19 03 44", "a0"), MST_OK },
	{ "content type is a text", P("a2 01 26 03 61 78", "a0"), MST_OK },
	{ "content type is a byte string", P("a2 01 26 03 41 78", "a0"), MST_E_COSE_HEADER },
	{ "content type is negative", P("a2 01 26 03 20", "a0"), MST_E_COSE_HEADER },

	{ "COSE-4 x5bag of one certificate", P(A, "a1 18 20 42 30 00"), MST_OK },
	{ "COSE-4 x5bag of two", P(A, "a1 18 20 82 42 30 00 42 30 01"), MST_OK },
	{ "COSE-4 x5bag of one in an array", P(A, "a1 18 20 81 42 30 00"), MST_OK },
	{ "COSE-4 x5bag and x5chain", P(A, "a2 18 20 42 30 00 18 21 42 30 00"), MST_OK },
	{ "COSE-4 x5bag protected", P("a2 01 26 18 20 42 30 00", "a0"), MST_OK },
	{ "COSE-4 x5bag in both headers", P("a2 01 26 18 20 42 30 00", "a1 18 20 42 30 00"),
	    MST_E_COSE_DUPLICATE },
	{ "COSE-4 x5bag is an empty array", P(A, "a1 18 20 80"), MST_E_COSE_HEADER },
	{ "COSE-4 x5bag is nil", P(A, "a1 18 20 f6"), MST_E_COSE_HEADER },
	{ "COSE-4 x5bag is a text", P(A, "a1 18 20 61 30"), MST_E_COSE_HEADER },
	{ "COSE-4 x5bag has an empty certificate", P(A, "a1 18 20 82 42 30 00 40"),
	    MST_E_COSE_HEADER },
	{ "COSE-4 x5bag has a number", P(A, "a1 18 20 82 42 30 00 01"), MST_E_COSE_HEADER },
	{ "COSE-4 x5chain in an array in an array", P(A, "a1 18 21 81 81 42 30 00"),
	    MST_E_COSE_HEADER },
	{ "COSE-5 x5bag of ten",
	    P(A, "a1 18 20 8a 41 30 41 31 41 32 41 33 41 34 41 35 41 36 41 37 41 38 41 39"),
	    MST_OK },
	{ "COSE-5 x5bag of eleven",
	    P(A, "a1 18 20 8b 41 30 41 31 41 32 41 33 41 34 41 35 41 36 41 37 41 38 41 39 41 3a"),
	    MST_E_COSE_CERTS },
	{ "unknown parameters are ignored", P("a2 01 26 18 64 82 00 a1 00 00", "a1 38 63 f5"),
	    MST_OK },
	{ "CWT claims with iat are ignored (RFC 9597)", P("a2 01 26 0f a1 06 1a 65 00 00 00", "a0"),
	    MST_OK },
	{ "x5u is not followed", P(A, "a1 18 23 d8 20 61 78"), MST_OK },
	{ "sixteen labels in both headers",
	    P(A, "af 20 00 21 00 22 00 23 00 24 00 25 00 26 00 27 00 28 00 29 00 2a 00 2b 00 2c 00 "
	         "2d 00 2e 00"),
	    MST_OK },
	{ "seventeen labels in both headers",
	    P(A, "b0 20 00 21 00 22 00 23 00 24 00 25 00 26 00 27 00 28 00 29 00 2a 00 2b 00 2c 00 "
	         "2d 00 2e 00 2f 00"),
	    MST_E_CBOR_LIMIT },

	{ "DM-5 protected map of indefinite length", P("bf 01 26 ff", "a0"),
	    MST_E_COSE_INDEFINITE },
	{ "DM-5 unprotected map of indefinite length", P(A, "bf ff"), MST_E_COSE_INDEFINITE },
	{ "DM-5 kid in chunks", P(A, "a1 04 5f 41 31 ff"), MST_E_COSE_INDEFINITE },
	{ "DM-5 x5bag array of indefinite length", P(A, "a1 18 20 9f 41 30 41 31 ff"),
	    MST_E_COSE_INDEFINITE },
	{ "DM-5 indefinite length in an unknown parameter", P(A, "a1 18 64 81 9f ff"),
	    MST_E_COSE_INDEFINITE },
	{ "text that is no UTF-8", P(A, "a1 18 64 61 ff"), MST_E_CBOR_UTF8 },
	{ "unprotected header is an array", P(A, "80"), MST_E_COSE },
	{ "unprotected header is nil", P(A, "f6"), MST_E_COSE },

	{ "ES256 with a signature of 63 bytes", { NULL, A, "a0", "payload", NULL, 63 },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "ES256 with a signature of 65 bytes", { NULL, A, "a0", "payload", NULL, 65 },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "ES256 with a signature in DER (72 bytes)", { NULL, A, "a0", "payload", NULL, 72 },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "EdDSA", { NULL, "a1 01 27", "a0", "payload", NULL, 64 }, MST_OK },
	{ "EdDSA with a signature of Ed448", { NULL, "a1 01 27", "a0", "payload", NULL, 114 },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "ES384", { NULL, "a1 01 38 22", "a0", "payload", NULL, 96 }, MST_OK },
	{ "ES512", { NULL, "a1 01 38 23", "a0", "payload", NULL, 132 }, MST_OK },
	{ "ES512 with a signature of P-256", { NULL, "a1 01 38 23", "a0", "payload", NULL, 64 },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "an empty payload is a payload", { NULL, A, "a0", "", NULL, 0 }, MST_OK },
};

static void
header_row(void **state)
{
	const struct row *row = *state;

	assert_int_equal(verdict(compose(&row->parts, room, sizeof(room)), MST_NONE), row->want);
}

/* Whole messages that no signature could make right. */
static const struct shape {
	const char *name, *hex;
	mst_err want;
} shapes[] = {
	{ "empty input", "", MST_E_CBOR },
	{ "a number", "00", MST_E_COSE },
	{ "an empty array", "80", MST_E_COSE },
	{ "a map", "a0", MST_E_COSE },
	{ "three items", "83 43 a1 01 26 a0 41 00", MST_E_COSE },
	{ "five items", "85 43 a1 01 26 a0 41 00 40 40", MST_E_COSE },
	{ "protected header is a map, not wrapped", "84 a1 01 26 a0 41 00 40", MST_E_COSE },
	{ "unprotected header is wrapped", "84 43 a1 01 26 41 a0 41 00 40", MST_E_COSE },
	{ "payload is a text", "84 43 a1 01 26 a0 61 00 40", MST_E_COSE },
	{ "payload is false", "84 43 a1 01 26 a0 f4 40", MST_E_COSE },
	{ "payload is undefined", "84 43 a1 01 26 a0 f7 40", MST_E_COSE },
	{ "signature is nil", "84 43 a1 01 26 a0 41 00 f6", MST_E_COSE },
	{ "signature is a text", "84 43 a1 01 26 a0 41 00 60", MST_E_COSE },
	{ "no signature: h''", "84 43 a1 01 26 a0 41 00 40", MST_E_COSE_SIGNATURE_LENGTH },
	{ "signatures in an array (COSE_Sign)", "84 43 a1 01 26 a0 41 00 80", MST_E_COSE },
	{ "DM-5 array of indefinite length", "9f 43 a1 01 26 a0 41 00 40 ff",
	    MST_E_COSE_INDEFINITE },
	{ "DM-5 payload in chunks", "84 43 a1 01 26 a0 5f 41 00 ff 40", MST_E_COSE_INDEFINITE },
	{ "DM-5 signature in chunks", "84 43 a1 01 26 a0 41 00 5f 40 ff", MST_E_COSE_INDEFINITE },
	{ "DM-5 protected header in chunks", "84 5f 43 a1 01 26 ff a0 41 00 40",
	    MST_E_COSE_INDEFINITE },
	{ "not well-formed", "84 43 a1 01 26 a0 41 00 1c", MST_E_CBOR },
	{ "tag without content", "d2", MST_E_CBOR },
};

static void
shape_row(void **state)
{
	const struct shape *row = *state;
	struct mst_buf b = unhex(row->hex, room, sizeof(room));

	assert_int_equal(verdict(mst_buf_span(&b), MST_NONE), row->want);
}

static void
trailing_byte_is_refused(void **state)
{
	struct parts p = good_parts();
	mst_span m = compose(&p, room, sizeof(room));

	(void)state;
	room[m.len] = 0;
	assert_int_equal(verdict(mst_span_of(room, m.len + 1), MST_NONE), MST_E_CBOR_TRAILING);
}

/* COSE-5: 32 KiB hold, one byte more does not; protected or not makes no difference. */
static void
certs_are_bounded_in_bytes(void **state)
{
	static char hex[2 * 33000 + 64];
	struct parts p = good_parts();

	(void)state;
	for (int over = 0; over < 2; over++) {
		size_t n = MST_COSE_CERTS_BYTES / 2;
		char *at = hex;

		at += sprintf(at, "a1 18 20 82 ");
		for (int i = 0; i < 2; i++) {
			size_t len = n + (size_t)(i == 1 ? over : 0);

			at += sprintf(
			    at, "59 %02x %02x ", (unsigned)(len >> 8), (unsigned)(len & 255));
			memset(at, '3', 2 * len);
			at += 2 * len;
		}
		*at = '\0';
		p.unprotected_header = hex;
		assert_int_equal(verdict(compose(&p, room, sizeof(room)), MST_NONE),
		    over ? MST_E_COSE_CERTS : MST_OK);
	}
}

/* What the parser hands out. */
static void
leaves_are_those_of_the_message(void **state)
{
	struct parts p = good_parts();
	struct mst_cose_sign1 m;
	mst_span rest, cert = MST_NONE;

	(void)state;
	p.protected_header = "a2 01 26 18 21 42 aa bb";
	p.unprotected_header = "a2 04 42 31 32 18 20 82 41 01 42 02 03";
	assert_int_equal(mst_cose_sign1_parse(compose(&p, room, sizeof(room)), &m), MST_OK);
	assert_int_equal(m.alg, MST_COSE_ES256);
	assert_true(mst_span_eq(m.kid, MST_LIT("12")));
	assert_true(mst_span_eq(m.payload, MST_LIT("payload")));
	assert_int_equal(m.signature.len, 64);
	assert_int_equal(m.protected_header.len, 8);
	assert_int_equal(m.x5bag.count, 2);
	assert_false(m.x5bag.is_protected);
	assert_int_equal(m.x5chain.count, 1);
	assert_true(m.x5chain.is_protected);
	rest = m.x5bag.items;
	assert_true(mst_cose_certs_next(&rest, &cert));
	assert_true(mst_span_eq(cert, MST_LIT("\x01")));
	assert_true(mst_cose_certs_next(&rest, &cert));
	assert_true(mst_span_eq(cert, MST_LIT("\x02\x03")));
	assert_false(mst_cose_certs_next(&rest, &cert));
	rest = m.x5chain.items;
	assert_true(mst_cose_certs_next(&rest, &cert));
	assert_true(mst_span_eq(cert, MST_LIT("\xaa\xbb")));
	assert_false(mst_cose_certs_next(&rest, &cert));
	rest = MST_NONE;
	assert_false(mst_cose_certs_next(&rest, &cert));
}

int
main(void)
{
	static const struct CMUnitTest singles[] = {
		cmocka_unit_test(trailing_byte_is_refused),
		cmocka_unit_test(certs_are_bounded_in_bytes),
		cmocka_unit_test(leaves_are_those_of_the_message),
	};
	struct CMUnitTest tests[COUNT(singles) + COUNT(rows) + COUNT(shapes)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(singles); i++)
		tests[n++] = singles[i];
	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, header_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < COUNT(shapes); i++)
		tests[n++] = (struct CMUnitTest){ shapes[i].name, shape_row, NULL, NULL,
			(void *)(uintptr_t)&shapes[i] };
	return cmocka_run_group_tests_name("cose_headers", tests, NULL, NULL);
}

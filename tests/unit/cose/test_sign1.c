/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have signed, what is covered, and what is written: RFC 9052 4.2 to 4.4. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support_cose.h"

static uint8_t room[4096], other[4096];

static struct mst_cose_sign1
parsed(const struct parts *p)
{
	struct mst_cose_sign1 m;

	assert_int_equal(mst_cose_sign1_parse(compose(p, room, sizeof(room)), &m), MST_OK);
	return m;
}

static void
each_algorithm_is_taken_only_when_asked_for(void **state)
{
	static const struct {
		const char *header;
		unsigned bit;
		size_t len;
	} algs[] = {
		{ "a1 01 26", MST_COSE_TAKE_ES256, 64 },
		{ "a1 01 27", MST_COSE_TAKE_EDDSA, 64 },
		{ "a1 01 38 22", MST_COSE_TAKE_ES384, 96 },
		{ "a1 01 38 23", MST_COSE_TAKE_ES512, 132 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++)
		for (unsigned accept = 0; accept < 16; accept++) {
			struct parts p = good_parts();
			struct toy t = { .answer = MST_OK };
			struct mst_cose_verifier v = toy_verifier(&t);
			struct mst_cose_sign1 m;
			mst_span payload = MST_NONE;
			bool taken = (accept & algs[i].bit) != 0;

			p.protected_header = algs[i].header;
			p.signature_len = algs[i].len;
			m = parsed(&p);
			v.accept = accept;
			assert_int_equal(mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload),
			    taken ? MST_OK : MST_E_COSE_ALGORITHM);
			/* what is not accepted never reaches a key */
			assert_int_equal(t.calls, taken);
			assert_true(taken == (payload.ptr != NULL));
		}
}

static void
an_algorithm_set_by_hand_is_no_way_in(void **state)
{
	struct parts p = good_parts();
	struct mst_cose_sign1 m = parsed(&p);
	struct toy t = { .answer = MST_OK };
	struct mst_cose_verifier v = toy_verifier(&t);
	mst_span payload = MST_NONE;

	(void)state;
	v.accept = ~0U;
	m.alg = (enum mst_cose_alg)0;
	assert_int_equal(
	    mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload), MST_E_COSE_ALGORITHM);
	m.alg = MST_COSE_ES256;
	m.signature.len = 0;
	assert_int_equal(mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload),
	    MST_E_COSE_SIGNATURE_LENGTH);
	assert_int_equal(t.calls, 0);
	assert_null(payload.ptr);
}

static void
a_foreign_kid_is_refused(void **state)
{
	static const struct {
		const char *unprotected, *protected;
		mst_span own;
		mst_err want;
	} kids[] = {
		{ "a1 04 42 31 31", "a1 01 26", { (const uint8_t *)"11", 2 }, MST_OK },
		{ "a0", "a2 01 26 04 42 31 31", { (const uint8_t *)"11", 2 }, MST_OK },
		{ "a1 04 42 31 32", "a1 01 26", { (const uint8_t *)"11", 2 }, MST_E_COSE_KID },
		{ "a1 04 41 31", "a1 01 26", { (const uint8_t *)"11", 2 }, MST_E_COSE_KID },
		{ "a1 04 43 31 31 31", "a1 01 26", { (const uint8_t *)"11", 2 }, MST_E_COSE_KID },
		{ "a1 04 40", "a1 01 26", { (const uint8_t *)"11", 2 }, MST_E_COSE_KID },
		{ "a0", "a1 01 26", { (const uint8_t *)"11", 2 }, MST_E_COSE_KID },
		{ "a1 04 42 31 32", "a1 01 26", { NULL, 0 }, MST_OK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(kids); i++) {
		struct parts p = good_parts();
		struct toy t = { .answer = MST_OK };
		struct mst_cose_verifier v = toy_verifier(&t);
		struct mst_cose_sign1 m;
		mst_span payload = MST_NONE;

		p.unprotected_header = kids[i].unprotected;
		p.protected_header = kids[i].protected;
		m = parsed(&p);
		v.kid = kids[i].own;
		assert_int_equal(
		    mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload), kids[i].want);
		assert_int_equal(t.calls, kids[i].want == MST_OK);
	}
}

static void
every_refusal_of_the_back_end_stays_one(void **state)
{
	static const mst_err refusals[] = { MST_E_COSE_SIGNATURE, MST_E_COSE_KID,
		MST_E_COSE_ALGORITHM, MST_E_INTERNAL, MST_E_NOMEM };
	struct parts p = good_parts();
	struct mst_cose_sign1 m = parsed(&p);

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct toy t = { .answer = refusals[i] };
		struct mst_cose_verifier v = toy_verifier(&t);
		mst_span payload = MST_NONE;

		assert_int_equal(
		    mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload), refusals[i]);
		assert_null(payload.ptr);
	}
}

static void
payload_is_attached_or_given_never_both(void **state)
{
	struct parts attached = good_parts(), detached = good_parts();

	(void)state;
	detached.payload = NULL;
	detached.detached = "payload";
	assert_int_equal(verdict(compose(&attached, room, sizeof(room)), MST_NONE), MST_OK);
	assert_int_equal(verdict(compose(&attached, room, sizeof(room)), MST_LIT("payload")),
	    MST_E_COSE_PAYLOAD);
	assert_int_equal(
	    verdict(compose(&detached, room, sizeof(room)), MST_LIT("payload")), MST_OK);
	assert_int_equal(
	    verdict(compose(&detached, room, sizeof(room)), MST_NONE), MST_E_COSE_PAYLOAD);
	assert_int_equal(verdict(compose(&detached, room, sizeof(room)), MST_LIT("Payload")),
	    MST_E_COSE_SIGNATURE);
	assert_int_equal(
	    verdict(compose(&detached, room, sizeof(room)), MST_LIT("")), MST_E_COSE_SIGNATURE);
}

static void
external_aad_is_covered(void **state)
{
	struct mst_cose_content c = { .payload = MST_LIT("x"), .external_aad = MST_LIT("aad") };
	struct mst_cose_signer s = toy_signer(MST_COSE_ES256);
	struct mst_buf out = MST_BUF(room);
	struct toy t = { .answer = MST_OK };
	struct mst_cose_verifier v = toy_verifier(&t);
	struct mst_cose_sign1 m;
	mst_span payload = MST_NONE;

	(void)state;
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_OK);
	assert_int_equal(mst_cose_sign1_parse(mst_buf_span(&out), &m), MST_OK);
	assert_int_equal(mst_cose_sign1_check(&m, MST_LIT("aad"), MST_NONE, &v, &payload), MST_OK);
	assert_int_equal(
	    mst_cose_sign1_check(&m, MST_LIT("aac"), MST_NONE, &v, &payload), MST_E_COSE_SIGNATURE);
	assert_int_equal(
	    mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload), MST_E_COSE_SIGNATURE);
	assert_int_equal(t.good, 1);
}

/* The pieces joined are the bytes of RFC 9052 4.4, for each length of a head. */
static void
sig_structure_is_exact(void **state)
{
	static const size_t lens[] = { 0, 1, 23, 24, 255, 256, 65535, 65536 };
	static uint8_t content[65536], joined_room[70000];

	(void)state;
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct mst_cose_sign1 m = { .protected_header = MST_LIT("\xa1\x01\x26"),
			.alg = MST_COSE_ES256 };
		static const char *const heads[] = { "40", "41", "57", "58 18", "58 ff", "59 01 00",
			"59 ff ff", "5a 00 01 00 00" };
		struct mst_buf joined = MST_BUF(joined_room), want;
		struct toy t = { .answer = MST_OK };
		struct mst_cose_verifier v = toy_verifier(&t);
		uint8_t want_room[64];
		mst_span payload = MST_NONE;
		uint8_t signature[64] = { 0 };

		(void)joined;
		want = unhex("84 6a 53 69 67 6e 61 74 75 72 65 31 43 a1 01 26 40", want_room,
		    sizeof(want_room));
		{
			struct mst_buf head =
			    unhex(heads[i], want_room + want.len, sizeof(want_room) - want.len);
			want.len += head.len;
		}
		m.payload = mst_span_of(content, lens[i]);
		m.signature = mst_span_of(signature, 64);
		/* the toy joins; it is enough that it sees what this test would have signed */
		{
			uint64_t h = UINT64_C(0xcbf29ce484222325);

			for (size_t k = 0; k < want.len; k++)
				h = (h ^ want.ptr[k]) * UINT64_C(0x100000001b3);
			for (size_t k = 0; k < lens[i]; k++)
				h = (h ^ content[k]) * UINT64_C(0x100000001b3);
			for (size_t k = 0; k < 64; k++) {
				h = (h ^ k) * UINT64_C(0x100000001b3);
				signature[k] = (uint8_t)(h >> 32);
			}
		}
		assert_int_equal(
		    mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &v, &payload), MST_OK);
	}
}

static void
tbs_join_needs_its_room(void **state)
{
	static const uint8_t bytes[3] = { 1, 2, 3 };
	struct mst_cose_tbs tbs = { .piece = { { bytes, 3 }, { bytes, 2 }, { NULL, 0 },
		                        { bytes, 1 }, { bytes, 0 }, { bytes, 3 } } };
	uint8_t small[9];
	struct mst_buf b = { small, 8, 0 };

	(void)state;
	assert_int_equal(mst_cose_tbs_len(&tbs), 9);
	assert_int_equal(mst_cose_tbs_join(&tbs, &b), MST_E_SPACE);
	assert_int_equal(b.len, 0);
	b.cap = 9;
	assert_int_equal(mst_cose_tbs_join(&tbs, &b), MST_OK);
	assert_memory_equal(small, "\1\2\3\1\2\1\1\2\3", 9);
}

static void
every_strict_prefix_is_refused(void **state)
{
	struct parts p = good_parts();
	mst_span m;

	(void)state;
	p.unprotected_header = "a2 04 42 31 31 18 20 82 43 30 00 01 43 30 00 02";
	m = compose(&p, room, sizeof(room));
	assert_int_equal(verdict(m, MST_NONE), MST_OK);
	for (size_t n = 0; n < m.len; n++)
		assert_int_equal(verdict(mst_span_of(m.ptr, n), MST_NONE), MST_E_CBOR);
}

/*
 * Bits outside the unprotected header: each is refused. Bits in it are not
 * signed: the verdict may stay, but then on the same payload and algorithm.
 */
static void
every_single_bit_flip(void **state)
{
	struct parts p = good_parts();
	struct mst_cose_sign1 m, flipped;
	mst_span whole;
	size_t from, to, same = 0;

	(void)state;
	p.unprotected_header = "a2 04 42 31 31 18 20 82 43 30 00 01 43 30 00 02";
	whole = compose(&p, room, sizeof(room));
	assert_int_equal(mst_cose_sign1_parse(whole, &m), MST_OK);
	from = (size_t)(m.unprotected_header.ptr - whole.ptr);
	to = from + m.unprotected_header.len;
	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		bool inside = bit / 8 >= from && bit / 8 < to;

		room[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (verdict(whole, MST_NONE) == MST_OK) {
			assert_true(inside);
			assert_int_equal(mst_cose_sign1_parse(whole, &flipped), MST_OK);
			assert_true(mst_span_eq(flipped.payload, m.payload));
			assert_true(mst_span_eq(flipped.protected_header, m.protected_header));
			assert_int_equal(flipped.alg, m.alg);
			same++;
		}
		room[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(same > 0); /* the kid's and the certificates' own bytes */
}

static const uint8_t cert_a[] = { 0x30, 1, 2 }, cert_b[300] = { 0x30, 3 };
static const mst_span two_certs[] = { { cert_a, sizeof(cert_a) }, { cert_b, sizeof(cert_b) } };

static const struct build_row {
	const char *name;
	struct mst_cose_content content;
	const char *begin; /* hex of the message's first bytes */
} builds[] = {
	{ "build COSE-1 minimal: tag 18, alg alone, empty header",
	    { .payload = { (const uint8_t *)"abc", 3 } },
	    "d2 84 43 a1 01 26 a0 43 61 62 63 58 40" },
	{ "build detached: nil",
	    { .payload = { (const uint8_t *)"abc", 3 }, .form = MST_COSE_DETACHED },
	    "d2 84 43 a1 01 26 a0 f6 58 40" },
	{ "build kid",
	    { .payload = { (const uint8_t *)"abc", 3 }, .kid = { (const uint8_t *)"11", 2 } },
	    "d2 84 43 a1 01 26 a1 04 42 31 31 43 61 62 63 58 40" },
	{ "build COSE-4 one certificate is a byte string",
	    { .payload = { (const uint8_t *)"abc", 3 }, .certs = two_certs, .count = 1 },
	    "d2 84 43 a1 01 26 a1 18 20 43 30 01 02 43 61 62 63 58 40" },
	{ "build COSE-4 two are an array, behind kid",
	    { .payload = { (const uint8_t *)"abc", 3 },
	        .certs = two_certs,
	        .count = 2,
	        .kid = { (const uint8_t *)"1", 1 } },
	    "d2 84 43 a1 01 26 a2 04 41 31 18 20 82 43 30 01 02 59 01 2c 30 03" },
	{ "build x5chain protected",
	    { .payload = { (const uint8_t *)"abc", 3 },
	        .certs = two_certs,
	        .count = 1,
	        .certs_form = MST_COSE_X5CHAIN,
	        .certs_bucket = MST_COSE_PROTECTED },
	    "d2 84 49 a2 01 26 18 21 43 30 01 02 a0 43 61 62 63 58 40" },
	{ "build x5bag protected, head of three bytes",
	    { .payload = { (const uint8_t *)"abc", 3 },
	        .certs = two_certs,
	        .count = 2,
	        .certs_bucket = MST_COSE_PROTECTED },
	    "d2 84 59 01 39 a2 01 26 18 20 82 43 30 01 02 59 01 2c 30 03" },
	{ "build an empty payload", { .payload = { (const uint8_t *)"", 0 } },
	    "d2 84 43 a1 01 26 a0 40 58 40" },
};

static void
build_row(void **state)
{
	const struct build_row *row = *state;
	struct mst_cose_signer s = toy_signer(MST_COSE_ES256);
	struct mst_buf out = MST_BUF(room), begin = unhex(row->begin, other, sizeof(other));
	mst_span detached =
	    row->content.form == MST_COSE_DETACHED ? row->content.payload : MST_NONE;
	size_t whole;

	assert_int_equal(mst_cose_sign1_build(&row->content, &s, &out), MST_OK);
	assert_true(out.len > begin.len);
	assert_memory_equal(out.ptr, begin.ptr, begin.len);
	assert_int_equal(verdict(mst_buf_span(&out), detached), MST_OK);
	/* SPACE at every smaller size, and nothing appended */
	whole = out.len;
	for (size_t cap = 0; cap < whole; cap++) {
		struct mst_buf small = { malloc(cap != 0 ? cap : 1), cap, 0 };

		assert_non_null(small.ptr);
		assert_int_equal(mst_cose_sign1_build(&row->content, &s, &small), MST_E_SPACE);
		assert_int_equal(small.len, 0);
		free(small.ptr);
	}
}

static void
build_refuses_what_a_reader_would(void **state)
{
	mst_span many[MST_COSE_CERTS_MAX + 1];
	static const uint8_t large[MST_COSE_CERTS_BYTES + 1];
	struct mst_cose_content c = { .payload = MST_LIT("abc"), .certs = many };
	struct mst_cose_signer s = toy_signer(MST_COSE_ES256);
	struct mst_buf out = MST_BUF(room);

	(void)state;
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = mst_span_of(cert_a, sizeof(cert_a));
	c.count = COUNT(many);
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_E_COSE_CERTS);
	c.count = COUNT(many) - 1;
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_OK);
	c.count = 1;
	many[0] = mst_span_of(large, sizeof(large));
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_E_COSE_CERTS);
	many[0] = mst_span_of(large, 0);
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_E_COSE_CERTS);
	c.count = 0;
	s.alg = (enum mst_cose_alg) - 47;
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_E_COSE_ALGORITHM);
}

static mst_err
short_sign(void *ctx, enum mst_cose_alg alg, const struct mst_cose_tbs *tbs, struct mst_buf *sig)
{
	(void)alg;
	(void)tbs;
	if (ctx != NULL)
		return MST_E_KEY_SIGN;
	return mst_buf_put_byte(sig, 0);
}

static void
build_needs_a_whole_signature(void **state)
{
	struct mst_cose_content c = { .payload = MST_LIT("abc") };
	struct mst_cose_signer s = { .alg = MST_COSE_ES256, .sign = short_sign };
	struct mst_buf out = MST_BUF(room);

	(void)state;
	out.len = 5;
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_E_COSE_SIGNATURE_LENGTH);
	assert_int_equal(out.len, 5);
	s.ctx = &s;
	assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_E_KEY_SIGN);
	assert_int_equal(out.len, 5);
}

static const struct strip_row {
	const char *name, *before, *after; /* hex of the unprotected header */
	const char *protected_header; /* NULL: alg */
	const char *tag;
} strips[] = {
	{ "strip COSE-4 x5bag", "a1 18 20 43 30 00 01", "a0", NULL, NULL },
	{ "strip COSE-4 x5chain", "a1 18 21 43 30 00 01", "a0", NULL, NULL },
	{ "strip COSE-4 both, others stay in their order",
	    "a4 04 41 31 18 20 82 41 30 41 31 38 63 82 01 02 18 21 41 30",
	    "a2 04 41 31 38 63 82 01 02", NULL, NULL },
	{ "strip COSE-4 label in a longer form", "a2 19 00 20 41 30 61 78 f5", "a1 61 78 f5", NULL,
	    NULL },
	{ "strip COSE-4 nothing there: the same bytes", "a1 04 41 31", "a1 04 41 31", NULL, NULL },
	{ "strip COSE-4 nothing there, head in a longer form", "b8 01 04 41 31", "b8 01 04 41 31",
	    NULL, NULL },
	{ "strip COSE-4 a protected x5bag stays", "a1 18 21 41 30", "a0", "a2 01 26 18 20 41 30",
	    NULL },
	{ "strip COSE-4 without a tag", "a1 18 20 41 30", "a0", NULL, "" },
	{ "strip COSE-4 labels -33 and -34 stay", "a2 38 20 41 30 38 21 41 30",
	    "a2 38 20 41 30 38 21 41 30", NULL, NULL },
};

static void
strip_row(void **state)
{
	const struct strip_row *row = *state;
	struct parts p = good_parts();
	struct mst_buf out = { NULL, 0, 0 };
	mst_span before, want;

	if (row->protected_header != NULL)
		p.protected_header = row->protected_header;
	p.tag = row->tag;
	p.unprotected_header = row->before;
	before = heap_copy(compose(&p, room, sizeof(room)));
	p.unprotected_header = row->after;
	want = compose(&p, other, sizeof(other)); /* the signature is the same */
	out.cap = want.len;
	out.ptr = malloc(out.cap);
	assert_int_equal(mst_cose_sign1_strip(before, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), want));
	assert_int_equal(verdict(mst_buf_span(&out), MST_NONE), MST_OK);
	for (size_t cap = 0; cap < want.len; cap++) {
		struct mst_buf small = { out.ptr, cap, 0 };

		assert_int_equal(mst_cose_sign1_strip(before, &small), MST_E_SPACE);
		assert_int_equal(small.len, 0);
	}
	free(out.ptr);
	heap_free(before);
}

static void
strip_refuses_what_parse_refuses(void **state)
{
	struct parts p = good_parts();
	struct mst_buf out = MST_BUF(other);

	(void)state;
	p.unprotected_header = "a2 18 20 41 30 18 20 41 30";
	assert_int_equal(
	    mst_cose_sign1_strip(compose(&p, room, sizeof(room)), &out), MST_E_COSE_DUPLICATE);
	p = good_parts();
	p.protected_header = "";
	p.unprotected_header = "a2 01 26 18 20 41 30";
	assert_int_equal(
	    mst_cose_sign1_strip(compose(&p, room, sizeof(room)), &out), MST_E_COSE_PROTECTED);
	assert_int_equal(out.len, 0);
}

int
main(void)
{
	static const struct CMUnitTest singles[] = {
		cmocka_unit_test(each_algorithm_is_taken_only_when_asked_for),
		cmocka_unit_test(an_algorithm_set_by_hand_is_no_way_in),
		cmocka_unit_test(a_foreign_kid_is_refused),
		cmocka_unit_test(every_refusal_of_the_back_end_stays_one),
		cmocka_unit_test(payload_is_attached_or_given_never_both),
		cmocka_unit_test(external_aad_is_covered),
		cmocka_unit_test(sig_structure_is_exact),
		cmocka_unit_test(tbs_join_needs_its_room),
		cmocka_unit_test(every_strict_prefix_is_refused),
		cmocka_unit_test(every_single_bit_flip),
		cmocka_unit_test(build_refuses_what_a_reader_would),
		cmocka_unit_test(build_needs_a_whole_signature),
		cmocka_unit_test(strip_refuses_what_parse_refuses),
	};
	struct CMUnitTest tests[COUNT(singles) + COUNT(builds) + COUNT(strips)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(singles); i++)
		tests[n++] = singles[i];
	for (size_t i = 0; i < COUNT(builds); i++)
		tests[n++] = (struct CMUnitTest){ builds[i].name, build_row, NULL, NULL,
			(void *)(uintptr_t)&builds[i] };
	for (size_t i = 0; i < COUNT(strips); i++)
		tests[n++] = (struct CMUnitTest){ strips[i].name, strip_row, NULL, NULL,
			(void *)(uintptr_t)&strips[i] };
	return cmocka_run_group_tests_name("cose_sign1", tests, NULL, NULL);
}

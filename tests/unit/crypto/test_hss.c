/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/hss: HSS-LMS verification (RFC 8554, RFC 8778). Known answers of
 * appendix F; signatures of our own signer for the parameters they leave out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/hss_tree.h"
#include "muster/hss.h"
#include "unit/crypto/hss_rfc8554.h"
#include "unit/flips.h"

#define SIGNATURE_MAX 16384

static uint8_t public_key[MST_HSS_PUBLIC_LEN], message_bytes[512], signature_bytes[SIGNATURE_MAX];
static mst_span message, signature;

static size_t
unhex(const char *const *lines, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (; *lines != NULL; lines++)
		for (size_t i = 0; (*lines)[i] != '\0'; i += 2) {
			assert_true(n < cap);
			assert_int_equal(sscanf(*lines + i, "%2hhx", &out[n]), 1);
			n++;
		}
	return n;
}

static int
case_1(void **state)
{
	(void)state;
	(void)unhex(rfc8554_f1_public_key, public_key, sizeof public_key);
	message = mst_span_of(
	    message_bytes, unhex(rfc8554_f1_message, message_bytes, sizeof message_bytes));
	signature = mst_span_of(
	    signature_bytes, unhex(rfc8554_f1_signature, signature_bytes, sizeof signature_bytes));
	return 0;
}

static int
case_2(void **state)
{
	(void)state;
	(void)unhex(rfc8554_f2_public_key, public_key, sizeof public_key);
	message = mst_span_of(
	    message_bytes, unhex(rfc8554_f2_message, message_bytes, sizeof message_bytes));
	signature = mst_span_of(
	    signature_bytes, unhex(rfc8554_f2_signature, signature_bytes, sizeof signature_bytes));
	return 0;
}

static mst_err
verify(mst_span s)
{
	return mst_hss_verify(
	    suit_openssl(), mst_span_of(public_key, sizeof public_key), &message, 1, s);
}

static mst_err
verify_fn(void *arg, mst_span s)
{
	(void)arg;
	return verify(s);
}

static void
known_answer(void **state)
{
	(void)state;
	assert_int_equal(verify(signature), MST_OK);
}

/* The message in pieces is the same message. */
static void
message_in_pieces(void **state)
{
	mst_span piece[4] = { mst_span_of(message.ptr, 1), mst_span_of(message.ptr + 1, 0),
		mst_span_of(message.ptr + 1, 64), MST_NONE };

	(void)state;
	piece[3] = mst_span_of(message.ptr + 65, message.len - 65);
	assert_int_equal(mst_hss_verify(suit_openssl(), mst_span_of(public_key, sizeof public_key),
	                     piece, 4, signature),
	    MST_OK);
	assert_int_equal(mst_hss_verify(suit_openssl(), mst_span_of(public_key, sizeof public_key),
	                     piece, 3, signature),
	    MST_E_COSE_SIGNATURE);
}

static void
signature_flips(void **state)
{
	(void)state;
	if (getenv("MUSTER_FULL") != NULL) { /* some 4,000 hashes for each */
		flips_are_refused(FLIPS_EVERY, signature, verify_fn, NULL);
		return;
	}
	for (size_t at = 0; at < signature.len; at += 8) {
		signature_bytes[at + at / 8 % 8 % (signature.len - at)] ^=
		    (uint8_t)(1u << at / 64 % 8);
		assert_int_not_equal(verify(signature), MST_OK);
		signature_bytes[at + at / 8 % 8 % (signature.len - at)] ^=
		    (uint8_t)(1u << at / 64 % 8);
	}
}

static void
key_and_message_flips(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof public_key; bit += bit < 96 ? 1 : 5) {
		public_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(verify(signature), MST_OK);
		public_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * message.len; bit += 11) {
		message_bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(verify(signature), MST_E_COSE_SIGNATURE);
		message_bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* All of them, on exact-size copies, and one byte more. */
static void
prefixes(void **state)
{
	uint8_t *longer = malloc(signature.len + 1);

	(void)state;
	for (size_t n = 0; n < signature.len; n++) {
		uint8_t *copy = malloc(n != 0 ? n : 1);

		memcpy(copy, signature.ptr, n);
		assert_int_equal(verify(mst_span_of(copy, n)), MST_E_HSS_FORM);
		free(copy);
	}
	memcpy(longer, signature.ptr, signature.len);
	longer[signature.len] = 0;
	assert_int_equal(verify(mst_span_of(longer, signature.len + 1)), MST_E_HSS_FORM);
	free(longer);
	for (size_t n = 0; n < sizeof public_key; n++)
		assert_int_equal(mst_hss_verify(suit_openssl(), mst_span_of(public_key, n),
		                     &message, 1, signature),
		    MST_E_HSS_KEY);
}

/* --- one field, one other value --- */

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Offsets in case 1: two levels of H5 with W8; an LMS signature has 1292 bytes. */
#define IN_KEY ((size_t)1 << 20) /* of the public key instead */
static const struct field {
	const char *name;
	size_t at;
	uint32_t value;
	mst_err want;
} fields[] = {
	{ "key: L 0", IN_KEY + 0, 0, MST_E_HSS_KEY },
	{ "key: L 1", IN_KEY + 0, 1, MST_E_HSS_FORM },
	{ "key: L 3", IN_KEY + 0, 3, MST_E_HSS_FORM },
	{ "key: L 9", IN_KEY + 0, 9, MST_E_HSS_KEY },
	{ "key: L 2^32-1", IN_KEY + 0, UINT32_MAX, MST_E_HSS_KEY },
	{ "key: LMS type 0", IN_KEY + 4, 0, MST_E_HSS_KEY },
	{ "key: LMS type 4 (before the RFC)", IN_KEY + 4, 4, MST_E_HSS_KEY },
	{ "key: LMS H10", IN_KEY + 4, 6, MST_E_HSS_FORM },
	{ "key: LMS SHA-256/192 H5", IN_KEY + 4, 10, MST_E_HSS_KEY },
	{ "key: LMS SHAKE H5", IN_KEY + 4, 15, MST_E_HSS_KEY },
	{ "key: LM-OTS type 0", IN_KEY + 8, 0, MST_E_HSS_KEY },
	{ "key: LM-OTS W4", IN_KEY + 8, 3, MST_E_HSS_FORM },
	{ "key: LM-OTS SHA-256/192 W1", IN_KEY + 8, 5, MST_E_HSS_KEY },
	{ "Nspk 0", 0, 0, MST_E_HSS_FORM },
	{ "Nspk 2", 0, 2, MST_E_HSS_FORM },
	{ "top: leaf 31", 4, 31, MST_E_COSE_SIGNATURE },
	{ "top: leaf 32", 4, 32, MST_E_HSS_LEAF },
	{ "top: leaf 2^32-1", 4, UINT32_MAX, MST_E_HSS_LEAF },
	{ "top: LM-OTS W4", 8, 3, MST_E_HSS_FORM },
	{ "top: LMS H10", 4 + 8 + 32 + 34 * 32, 6, MST_E_HSS_FORM },
	{ "key below: LMS H10", 4 + 1292, 6, MST_E_HSS_FORM },
	{ "key below: LMS type 0", 4 + 1292, 0, MST_E_HSS_FORM },
	{ "key below: LM-OTS W4", 4 + 1292 + 4, 3, MST_E_HSS_FORM },
	{ "key below: I", 4 + 1292 + 8, 0, MST_E_COSE_SIGNATURE },
	{ "below: leaf 32", 4 + 1292 + 56, 32, MST_E_HSS_LEAF },
	{ "below: leaf 0", 4 + 1292 + 56, 0, MST_E_COSE_SIGNATURE },
};

static void
field_is_judged(void **state)
{
	const struct field *f = *state;

	put32(f->at >= IN_KEY ? public_key + (f->at - IN_KEY) : signature_bytes + f->at, f->value);
	assert_int_equal(verify(signature), f->want);
}

/* --- parameters that appendix F leaves out --- */

/* A signature of levels trees, each H5 with its own width. */
static void
grow_and_sign(const unsigned *width, unsigned levels, unsigned height, uint32_t q)
{
	struct hss_tree t[MST_HSS_LEVELS] = { { .height = 0 } };
	struct mst_buf out = MST_BUF(signature_bytes);
	uint8_t below[HSS_LMS_PUBLIC_LEN], c[32];
	mst_span piece;

	memset(c, 0x5a, sizeof c);
	memset(public_key, 0, 4);
	public_key[3] = (uint8_t)levels;
	for (unsigned i = 0; i < levels; i++) {
		t[i] = (struct hss_tree){ .height = height, .width = width[i] };
		memset(t[i].id, (int)i + 1, sizeof t[i].id);
		memset(t[i].seed, (int)i + 101, sizeof t[i].seed);
		assert_int_equal(hss_tree_grow(&t[i]), MST_OK);
	}
	hss_tree_public(&t[0], public_key + 4);
	assert_int_equal(
	    mst_buf_put(&out, mst_span_of((uint8_t[4]){ 0, 0, 0, (uint8_t)(levels - 1) }, 4)),
	    MST_OK);
	message = MST_LIT("This is the content.");
	for (unsigned i = 0; i < levels; i++) {
		bool last = i + 1 == levels;

		piece = message;
		if (!last) {
			hss_tree_public(&t[i + 1], below);
			piece = mst_span_of(below, sizeof below);
		}
		assert_int_equal(hss_tree_sign(&t[i], q, c, &piece, 1, &out), MST_OK);
		if (!last)
			assert_int_equal(mst_buf_put(&out, piece), MST_OK);
	}
	for (unsigned i = 0; i < levels; i++)
		hss_tree_wipe(&t[i]);
	signature = mst_buf_span(&out);
}

static void
each_width(void **state)
{
	unsigned width = (unsigned)(uintptr_t)*state;

	for (uint32_t q = 0; q < 32; q += 31) {
		grow_and_sign(&width, 1, 5, q);
		assert_int_equal(verify(signature), MST_OK);
	}
	if (width == 4)
		flips_are_refused(FLIPS_ONE_A_BYTE, signature, verify_fn, NULL);
	for (size_t at = 0; at < signature.len; at += 31) {
		signature_bytes[at] ^= 0x10;
		assert_int_not_equal(verify(signature), MST_OK);
		signature_bytes[at] ^= 0x10;
	}
	for (size_t n = 0; n < signature.len; n++)
		assert_int_equal(verify(mst_span_of(signature.ptr, n)), MST_E_HSS_FORM);
	public_key[4 + 7] ^= 1; /* another LM-OTS type */
	assert_int_not_equal(verify(signature), MST_OK);
}

static void
eight_levels(void **state)
{
	static const unsigned width[] = { 4, 8, 4, 8, 8, 8, 8, 8 };

	(void)state;
	for (unsigned levels = 3; levels <= 8; levels += 5) {
		grow_and_sign(width, levels, 5, 17);
		if (levels == 3) {
			assert_int_equal(verify(signature), MST_OK);
			public_key[3] = 4;
			assert_int_equal(verify(signature), MST_E_HSS_FORM);
		} else {
			assert_int_equal(verify(signature), MST_OK);
		}
	}
}

static void
height_ten(void **state)
{
	static const unsigned width[] = { 2 };

	(void)state;
	grow_and_sign(width, 1, 10, 1023);
	assert_int_equal(verify(signature), MST_OK);
	put32(signature_bytes + 4, 1024);
	assert_int_equal(verify(signature), MST_E_HSS_LEAF);
}

/* A hash that fails is no verdict: each call's refusal is handed on, and no state is left open. */
struct counting {
	unsigned calls, fail_at;
	int open;
};

static mst_err
count(struct counting *c)
{
	return ++c->calls == c->fail_at ? MST_E_NOMEM : MST_OK;
}

static mst_err
begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	struct counting *c = ctx;
	mst_err e = count(c);

	if (e != MST_OK)
		return e;
	c->open++;
	return suit_openssl()->digest_begin(NULL, alg, s);
}

static mst_err
update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	mst_err e = count(ctx);

	return e != MST_OK ? e : suit_openssl()->digest_update(NULL, s, bytes);
}

static void
drop(void *ctx, union mst_suit_digest_state *s)
{
	((struct counting *)ctx)->open--;
	suit_openssl()->digest_drop(NULL, s);
}

static mst_err
end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	struct counting *c = ctx;
	mst_err e = count(c);

	if (e != MST_OK) {
		drop(ctx, s);
		return e;
	}
	c->open--;
	return suit_openssl()->digest_end(NULL, s, out);
}

static void
failing_hash_is_handed_on(void **state)
{
	struct counting c = { .calls = 0 };
	const struct mst_suit_crypto crypto = { .ctx = &c,
		.digest_begin = begin,
		.digest_update = update,
		.digest_end = end,
		.digest_drop = drop };
	const mst_span key = mst_span_of(public_key, sizeof public_key);
	static const unsigned width[] = { 4 };
	unsigned all;

	(void)state;
	grow_and_sign(width, 1, 5, 3);
	assert_int_equal(mst_hss_verify(&crypto, key, &message, 1, signature), MST_OK);
	all = c.calls;
	for (unsigned n = 1; n <= all; n += n < 100 ? 1 : 97) {
		c = (struct counting){ .fail_at = n };
		assert_int_equal(mst_hss_verify(&crypto, key, &message, 1, signature), MST_E_NOMEM);
		assert_int_equal(c.calls, n);
		assert_int_equal(c.open, 0);
	}
}

#define FIELDS (sizeof fields / sizeof fields[0])
static struct CMUnitTest rows[64];
static char names[64][96];
static size_t row_count;

static void
row(const char *name, CMUnitTestFunction f, CMFixtureFunction setup, const void *state)
{
	snprintf(names[row_count], sizeof names[0], "SUIT-17 RFC 8554 %s", name);
	rows[row_count] =
	    (struct CMUnitTest){ names[row_count], f, setup, NULL, (void *)(uintptr_t)state };
	row_count++;
}

int
main(void)
{
	static const char *const widths[] = { "W1", "W2", "W4", "W8" };

	row("F.1: known answer", known_answer, case_1, NULL);
	row("F.2: known answer", known_answer, case_2, NULL);
	row("message in pieces", message_in_pieces, case_1, NULL);
	row("F.1: flipped bits", signature_flips, case_1, NULL);
	row("F.2: bits of key and message", key_and_message_flips, case_2, NULL);
	row("F.1: prefixes", prefixes, case_1, NULL);
	row("F.2: prefixes", prefixes, case_2, NULL);
	for (size_t i = 0; i < FIELDS; i++)
		row(fields[i].name, field_is_judged, case_1, &fields[i]);
	for (unsigned i = 0; i < 4; i++)
		row(widths[i], each_width, NULL, (void *)((uintptr_t)1 << i));
	row("three levels, eight levels", eight_levels, NULL, NULL);
	row("H10", height_ten, NULL, NULL);
	row("a hash that fails", failing_hash_is_handed_on, NULL, NULL);
	return _cmocka_run_group_tests("hss", rows, row_count, NULL, NULL);
}

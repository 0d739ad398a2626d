/* SPDX-License-Identifier: Apache-2.0 */
/* SUIT_Digest (sheet suit.md 3.1), and how a report is protected (16). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "muster/cbor.h"
#include "unit/crypto/suit_signers.h"
#include "unit/flips.h"

/* --- SUIT_Digest --- */

static const struct digest_row {
	const char *name;
	mst_span encoded;
	mst_err want;
} digest_rows[] = {
	{ "SHA-256", LIT(DIGEST_BYTES), MST_OK },
	{ "SHA-384",
	    LIT("\x82\x38\x2a\x58\x30"
	        "0123456789abcdef0123456789abcdef0123456789abcdef"),
	    MST_OK },
	{ "SHA-512 of 32 bytes",
	    LIT("\x82\x38\x2b\x58\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST_LENGTH },
	{ "one byte short",
	    LIT("\x82\x2f\x58\x1f"
	        "0123456789abcdef0123456789abcde"),
	    MST_E_SUIT_DIGEST_LENGTH },
	{ "empty", LIT("\x82\x2f\x40"), MST_E_SUIT_DIGEST_LENGTH },
	{ "SHA-1 (-14)",
	    LIT("\x82\x2d\x54"
	        "01234567890123456789"),
	    MST_E_SUIT_DIGEST_ALG },
	{ "algorithm 0",
	    LIT("\x82\x00\x58\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST_ALG },
	{ "algorithm beyond 32 bits",
	    LIT("\x82\x3b\0\0\0\1\0\0\0\x0f\x58\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST_ALG },
	{ "algorithm in a longer form",
	    LIT("\x82\x38\x0f\x58\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST },
	{ "length in a longer form",
	    LIT("\x82\x2f\x59\x00\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST },
	{ "array in a longer form",
	    LIT("\x98\x02\x2f\x58\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST },
	{ "array of indefinite length",
	    LIT("\x9f\x2f\x58\x20"
	        "0123456789abcdef0123456789abcdef\xff"),
	    MST_E_SUIT_DIGEST },
	{ "third item",
	    LIT("\x83\x2f\x58\x20"
	        "0123456789abcdef0123456789abcdef\x00"),
	    MST_E_SUIT_DIGEST },
	{ "bytes behind",
	    LIT("\x82\x2f\x58\x20"
	        "0123456789abcdef0123456789abcdef\x00"),
	    MST_E_SUIT_DIGEST },
	{ "a map (FE 7.1)",
	    LIT("\xa1\x2f\x58\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST },
	{ "digest a text",
	    LIT("\x82\x2f\x78\x20"
	        "0123456789abcdef0123456789abcdef"),
	    MST_E_SUIT_DIGEST },
};
#define DIGEST_ROWS (sizeof digest_rows / sizeof digest_rows[0])

static void
digest_parses(void **state)
{
	const struct digest_row *d = *state;
	struct mst_suit_digest_claim c;

	assert_int_equal(mst_suit_digest_parse(d->encoded, &c), d->want);
	if (d->want != MST_OK)
		return;
	for (size_t n = 0; n < d->encoded.len; n++)
		assert_int_equal(
		    mst_suit_digest_parse(mst_span_of(d->encoded.ptr, n), &c), MST_E_SUIT_DIGEST);
}

/* Each algorithm over a wrapped element, against OpenSSL's one-shot function. */
static void
digest_covers_the_head(void **state)
{
	static const struct {
		int32_t alg;
		const char *name;
		size_t len;
	} algs[] = { { MST_SUIT_SHA256, "SHA256", 32 }, { MST_SUIT_SHA384, "SHA384", 48 },
		{ MST_SUIT_SHA512, "SHA512", 64 } };
	static const size_t lens[] = { 0, 1, 23, 24, 255, 256, 65535, 65536 };
	uint8_t *bytes = calloc(1, 65536 + 9), digest[64];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < sizeof lens / sizeof lens[0]; j++) {
			struct mst_buf b = { bytes, 65536 + 9, 0 };
			struct mst_suit_digest_claim c = { algs[i].alg,
				mst_span_of(digest, algs[i].len) };
			struct mst_cbor_writer w;
			mst_span content;

			mst_cbor_put_init(&w, &b);
			mst_cbor_put_bytes_head(&w, lens[j]);
			content = mst_span_of(bytes + b.len, lens[j]);
			assert_int_equal(EVP_Q_digest(NULL, algs[i].name, NULL, bytes,
			                     b.len + lens[j], digest, NULL),
			    1);
			assert_int_equal(
			    mst_suit_digest_check_wrapped(suit_openssl(), &c, content), MST_OK);
			digest[algs[i].len - 1] ^= 1;
			assert_int_equal(mst_suit_digest_check_wrapped(suit_openssl(), &c, content),
			    MST_E_SUIT_DIGEST_MISMATCH);
		}
	free(bytes);
}

/* --- reports --- */

static void
report_opens(void **state)
{
	const struct cose_signer s = signer(P256),
	                         m = { .alg = MST_SUIT_HMAC256, .secret = SECRET };
	mst_span block, payload;
	uint8_t authority = 99;

	(void)state;
	trust(&parts[P256], MST_SUIT_USE_SIGN_REPORT, 4, 0);
	trust_secret(SECRET, MST_SUIT_USE_MAC_REPORT, 5, MST_SUIT_HMAC256);
	assert_int_equal(
	    cose_author_sign1(arena, &s, MST_LIT("report"), MST_SUIT_ATTACHED, &block), MST_OK);
	for (size_t untagged = 0; untagged < 2; untagged++) {
		assert_int_equal(mst_suit_report_open(suit_openssl(), &keys,
		                     mst_span_of(block.ptr + untagged, block.len - untagged),
		                     &payload, &authority),
		    MST_OK);
		assert_int_equal(authority, 4);
		assert_true(mst_span_eq(payload, MST_LIT("report")));
	}
	assert_int_equal(
	    cose_author_mac0(arena, &m, MST_LIT("report"), MST_SUIT_ATTACHED, &block), MST_OK);
	for (size_t untagged = 0; untagged < 2; untagged++) {
		assert_int_equal(mst_suit_report_open(suit_openssl(), &keys,
		                     mst_span_of(block.ptr + untagged, block.len - untagged),
		                     &payload, &authority),
		    MST_OK);
		assert_int_equal(authority, 5);
	}
	((uint8_t *)(uintptr_t)block.ptr)[0] = 0xd2; /* a MAC tagged as a signature */
	assert_int_equal(mst_suit_report_open(suit_openssl(), &keys, block, &payload, &authority),
	    MST_E_COSE_ALGORITHM);
	assert_int_equal(
	    cose_author_sign1(arena, &s, MST_LIT("report"), MST_SUIT_DETACHED, &block), MST_OK);
	assert_int_equal(mst_suit_report_open(suit_openssl(), &keys, block, &payload, &authority),
	    MST_E_COSE_PAYLOAD);
	/* keys of manifests do not open reports */
	keys.count = 0;
	trust_signer(P256, 0);
	assert_int_equal(
	    cose_author_sign1(arena, &s, MST_LIT("report"), MST_SUIT_ATTACHED, &block), MST_OK);
	assert_int_equal(mst_suit_report_open(suit_openssl(), &keys, block, &payload, &authority),
	    MST_E_COSE_KID);
}

static mst_err
open_report(void *arg, mst_span block)
{
	mst_span payload;
	uint8_t authority;

	(void)arg;
	return mst_suit_report_open(suit_openssl(), &keys, block, &payload, &authority);
}

static mst_err
sign_callback(void *ctx, int32_t alg, const struct mst_suit_pieces *tbs, struct mst_buf *out)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct mst_buf all = arena_buf(arena, 4096);
	size_t n = 64;

	(void)alg;
	for (size_t i = 0; i < tbs->count; i++)
		assert_int_equal(mst_buf_put(&all, tbs->piece[i]), MST_OK);
	assert_int_equal(EVP_DigestSignInit(md, NULL, NULL, NULL, ctx), 1);
	assert_int_equal(EVP_DigestSign(md, out->ptr + out->len, &n, all.ptr, all.len), 1);
	out->len += n;
	EVP_MD_CTX_free(md);
	return MST_OK;
}

static void
device_protects_its_report(void **state)
{
	const struct mst_suit_signer s = { pkeys[ED25519], MST_SUIT_EDDSA, MST_LIT("dev"),
		sign_callback };
	struct mst_buf out = arena_buf(arena, 512), plain = arena_buf(arena, 64);
	mst_span payload;
	uint8_t authority;
	size_t whole;

	(void)state;
	trust(&parts[ED25519], MST_SUIT_USE_SIGN_REPORT, 1, 0)->kid = MST_LIT("dev");
	assert_int_equal(
	    mst_suit_sign1_build(&s, MST_LIT("report"), MST_SUIT_ATTACHED, &out), MST_OK);
	assert_int_equal(
	    mst_suit_report_open(suit_openssl(), &keys, mst_buf_span(&out), &payload, &authority),
	    MST_OK);
	/* its first byte is the tag, and one that says COSE_Mac0 contradicts alg; so each flip */
	flips_are_refused(FLIPS_EVERY, mst_buf_span(&out), open_report, NULL);
	whole = out.len;
	for (size_t cap = 0; cap < whole; cap++) {
		struct mst_buf small = { out.ptr, cap, 0 };

		assert_int_equal(
		    mst_suit_sign1_build(&s, MST_LIT("report"), MST_SUIT_ATTACHED, &small),
		    MST_E_SPACE);
		assert_int_equal(small.len, 0);
	}
	trust_secret(SECRET, MST_SUIT_USE_MAC_REPORT, 5, MST_SUIT_HMAC256);
	out.len = 0;
	assert_int_equal(mst_suit_mac0_build(
	                     suit_openssl(), &table[1], MST_LIT("report"), MST_SUIT_ATTACHED, &out),
	    MST_OK);
	assert_int_equal(
	    mst_suit_report_open(suit_openssl(), &keys, mst_buf_span(&out), &payload, &authority),
	    MST_OK);
	assert_int_equal(authority, 5);
	flips_are_refused(FLIPS_EVERY, mst_buf_span(&out), open_report, NULL);
	trust_secret(SECRET, MST_SUIT_USE_CONTENT_REPORT, 6, MST_SUIT_CHACHA20_POLY1305)->kid =
	    MST_LIT("c");
	out.len = 0;
	assert_int_equal(
	    mst_suit_encrypt0_build(suit_openssl(), &table[2], MST_LIT("report"), &out), MST_OK);
	assert_int_equal(
	    mst_suit_encrypt0_open(suit_openssl(), &keys, mst_buf_span(&out), &plain), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&plain), MST_LIT("report")));
	for (size_t i = 0; i < out.len * 8; i++) {
		plain.len = 0;
		out.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_not_equal(
		    mst_suit_encrypt0_open(suit_openssl(), &keys, mst_buf_span(&out), &plain),
		    MST_OK);
		assert_int_equal(plain.len, 0);
		out.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

/* --- rows --- */

static struct CMUnitTest rows[64];
static char names[64][96];
static size_t row_count;

static void
row(const char *clause, const char *name, CMUnitTestFunction f, const void *state)
{
	snprintf(names[row_count], sizeof names[0], "%s: %s", clause, name);
	rows[row_count] =
	    (struct CMUnitTest){ names[row_count], f, no_keys, NULL, (void *)(uintptr_t)state };
	row_count++;
}

int
main(void)
{
	for (size_t i = 0; i < DIGEST_ROWS; i++)
		row("SUIT-3.1 digest", digest_rows[i].name, digest_parses, &digest_rows[i]);
	row("SUIT-1.1", "digests cover the head", digest_covers_the_head, NULL);
	row("SUIT-16", "report: opened", report_opens, NULL);
	row("SUIT-16", "report: made by a device", device_protects_its_report, NULL);
	return _cmocka_run_group_tests("suit_report", rows, row_count, make_keys, drop_keys);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication blocks (sheet suit.md 3): made by host/cose_author, judged by
 * core/cose over OpenSSL. Each refusal starts from a block that is taken and
 * changes one thing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/cose_author.h"
#include "host/hss_signer.h"
#include "muster/cbor.h"
#include "muster/hss.h"
#include "unit/crypto/suit_signers.h"
#include "unit/flips.h"

/* --- judging --- */

static struct mst_suit_auth last;

static mst_err
judge_of(const struct mst_suit_policy *policy, const mst_span *block, size_t count)
{
	mst_err e;

	mst_suit_auth_begin(&last, suit_openssl(), &keys, DIGEST);
	for (size_t i = 0; i < count; i++)
		if ((e = mst_suit_auth_block(&last, block[i])) != MST_OK)
			return e;
	return mst_suit_auth_judge(&last, policy);
}

static mst_err
judge(mst_span block)
{
	const struct mst_suit_policy any = { 0, 0 };

	return judge_of(&any, &block, 1);
}

static mst_err
judge_fn(void *arg, mst_span block)
{
	(void)arg;
	return judge(block);
}

/* Each strict prefix, on a heap copy of its size. */
static void
prefixes_are_refused(mst_span good)
{
	for (size_t n = 0; n < good.len; n++) {
		uint8_t *copy = malloc(n != 0 ? n : 1);

		assert_non_null(copy);
		memcpy(copy, good.ptr, n);
		if (judge(mst_span_of(copy, n)) == MST_OK)
			fail_msg("the first %zu of %zu bytes are taken", n, good.len);
		free(copy);
	}
}

/* --- what is taken --- */

static void
each_algorithm_signs(void **state)
{
	static const int32_t algs[][2] = { { MST_SUIT_ES256, MST_SUIT_ESP256 },
		{ MST_SUIT_ES384, MST_SUIT_ESP384 }, { MST_SUIT_ES512, MST_SUIT_ESP512 },
		{ MST_SUIT_EDDSA, MST_SUIT_ED25519 } };
	int i = (int)(uintptr_t)*state;
	struct cose_signer s = signer(i);

	assert_int_equal(s.alg, algs[i][0]);
	for (int j = 0; j < 2; j++) {
		keys.count = 0;
		trust_signer(i, 3);
		s.alg = algs[i][j];
		assert_int_equal(judge(sign1(s)), MST_OK);
		assert_int_equal(last.verified, 1u << 3);
		/* pinned to one of the two numbers, the other is refused */
		keys.count = 0;
		trust(&parts[i], MST_SUIT_USE_SIGN_MANIFEST, 3, algs[i][1 - j]);
		assert_int_equal(judge(sign1(s)), MST_E_COSE_ALGORITHM);
	}
	prefixes_are_refused(sign1(s));
	keys.count = 0;
	trust_signer(i, 3);
	prefixes_are_refused(sign1(s));
	flips_are_refused(FLIPS_EVERY, sign1(s), judge_fn, NULL);
}

static void
hss_signs(void **state)
{
	const struct cose_key k = { .kty = COSE_KTY_HSS_LMS, .pub = hss_signer_public(hss) };
	const struct cose_signer s = { .alg = MST_SUIT_HSS_LMS, .hss = hss, .kid = MST_LIT("h") };
	mst_span block;

	(void)state;
	trust(&k, MST_SUIT_USE_SIGN_MANIFEST, 1, 0)->kid = MST_LIT("h");
	assert_int_equal(cose_author_sign1(arena, &s, DIGEST, MST_SUIT_DETACHED, &block), MST_OK);
	assert_int_equal(judge(block), MST_OK);
	flips_are_refused(FLIPS_ONE_A_BYTE, block, judge_fn, NULL);
}

static void
each_hmac_authenticates(void **state)
{
	static const int32_t algs[] = { MST_SUIT_HMAC256, MST_SUIT_HMAC384, MST_SUIT_HMAC512 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		keys.count = 0;
		trust_secret(SECRET64, MST_SUIT_USE_MAC_MANIFEST, 2, algs[i]);
		assert_int_equal(judge(mac0(algs[i], SECRET64)), MST_OK);
		assert_int_equal(last.verified, 1u << 2);
		prefixes_are_refused(mac0(algs[i], SECRET64));
		flips_are_refused(FLIPS_EVERY, mac0(algs[i], SECRET64), judge_fn, NULL);
	}
}

static mst_span
mac_for(int32_t alg, mst_span kek, mst_span kid)
{
	const struct cose_recipient r = { .alg = alg, .kek = kek, .kid = kid };
	mst_span block;

	assert_int_equal(cose_author_mac(arena, MST_SUIT_HMAC256, &r, 1, DIGEST, &block), MST_OK);
	return block;
}

static void
mac_by_key_wrap(void **state)
{
	static const struct {
		int32_t alg;
		size_t len;
	} wraps[] = { { MST_SUIT_A128KW, 16 }, { MST_SUIT_A192KW, 24 }, { MST_SUIT_A256KW, 32 } };

	(void)state;
	for (int i = 0; i < 3; i++) {
		mst_span kek = mst_span_of(SECRET.ptr, wraps[i].len);

		keys.count = 0;
		trust_secret(kek, MST_SUIT_USE_MAC_KEK, 5, wraps[i].alg)->kid = MST_LIT("m");
		assert_int_equal(judge(mac_for(wraps[i].alg, kek, MST_LIT("m"))), MST_OK);
		assert_int_equal(last.verified, 1u << 5);
		assert_int_equal(judge(mac_for(wraps[i].alg, kek, MST_NONE)), MST_OK);
		prefixes_are_refused(mac_for(wraps[i].alg, kek, MST_LIT("m")));
		flips_are_refused(
		    FLIPS_EVERY, mac_for(wraps[i].alg, kek, MST_LIT("m")), judge_fn, NULL);
	}
}

static mst_span
sign_all(const struct cose_signer *s, size_t count)
{
	mst_span block;

	assert_int_equal(cose_author_sign(arena, s, count, DIGEST, &block), MST_OK);
	return block;
}

static void
several_signatures_in_one_block(void **state)
{
	const struct cose_signer s[3] = { signer(P256), signer(ED25519), signer(P384) };
	const struct mst_suit_policy two = { 0, 2 }, three = { 0, 3 };
	mst_span block = sign_all(s, 3);

	(void)state;
	trust_signer(P256, 0);
	trust_signer(P384, 7);
	assert_int_equal(judge(block), MST_OK);
	assert_int_equal(last.verified, 1u | 1u << 7);
	assert_int_equal(judge_of(&two, &block, 1), MST_OK);
	assert_int_equal(judge_of(&three, &block, 1), MST_E_SUIT_AUTH_POLICY);
	prefixes_are_refused(block);
}

static void
single_signature_in_a_sign_block(void **state)
{
	const struct cose_signer s = signer(P256);
	mst_span block = sign_all(&s, 1);

	(void)state;
	trust_signer(P256, 0);
	flips_are_refused(FLIPS_EVERY, block, judge_fn, NULL);
}

/* --- a block built by hand, with one thing changed --- */

struct build {
	uint64_t tag; /* 0: none */
	mst_span protected_header, unprotected; /* encoded maps; absent: as they should be */
	mst_span payload; /* encoded; absent: nil */
	mst_span proof; /* absent: the right one */
	mst_span tail; /* behind the block */
	mst_span covered; /* what the signature is over; absent: DIGEST */
	int items; /* more of the array than there should be */
};

/* A COSE_Sign1 by the P-256 key, or a COSE_Mac0 with SECRET. */
static mst_span
built(struct build b)
{
	bool is_mac = b.tag == 17;
	mst_span p = b.protected_header.ptr != NULL ? b.protected_header
	             : is_mac                       ? MST_LIT("\xa1\x01\x05")
	                                            : MST_LIT("\xa1\x01\x26");
	struct mst_buf tbs = arena_buf(arena, 512), raw = arena_buf(arena, 512),
	               out = arena_buf(arena, 4096);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &tbs);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_text(&w, is_mac ? MST_LIT("MAC0") : MST_LIT("Signature1"));
	/* RFC 9052 4.4: an empty map counts as no bytes */
	mst_cbor_put_bytes(&w, mst_span_eq(p, MST_LIT("\xa0")) ? MST_LIT("") : p);
	mst_cbor_put_bytes(&w, MST_LIT(""));
	mst_cbor_put_bytes(&w, b.covered.ptr != NULL ? b.covered : DIGEST);
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	if (b.proof.ptr == NULL && is_mac) {
		size_t n = 0;

		assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, SECRET.ptr,
		    SECRET.len, tbs.ptr, tbs.len, raw.ptr, raw.cap, &n));
		b.proof = mst_span_of(raw.ptr, n);
	} else if (b.proof.ptr == NULL) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		uint8_t der[128];
		const uint8_t *at = der;
		size_t n = sizeof der;
		ECDSA_SIG *sig;

		assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkeys[P256]), 1);
		assert_int_equal(EVP_DigestSign(ctx, der, &n, tbs.ptr, tbs.len), 1);
		sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
		assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw.ptr, 32), 32);
		assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw.ptr + 32, 32), 32);
		b.proof = mst_span_of(raw.ptr, 64);
		ECDSA_SIG_free(sig);
		EVP_MD_CTX_free(ctx);
	}
	mst_cbor_put_init(&w, &out);
	if (b.tag != 0)
		mst_cbor_put_tag(&w, b.tag);
	mst_cbor_put_array(&w, (uint64_t)(4 + b.items));
	mst_cbor_put_bytes(&w, p);
	mst_cbor_put_raw(&w, b.unprotected.ptr != NULL ? b.unprotected : MST_LIT("\xa0"));
	mst_cbor_put_raw(&w, b.payload.ptr != NULL ? b.payload : MST_LIT("\xf6"));
	if (b.items >= 0)
		mst_cbor_put_bytes(&w, b.proof);
	for (int i = 0; i < b.items; i++)
		mst_cbor_put_null(&w);
	assert_int_equal(mst_buf_put(&out, b.tail), MST_OK);
	return mst_buf_span(&out);
}

static const struct refusal {
	const char *name;
	struct build build;
	mst_err want;
} refusals[] = {
	{ "SUIT-3.2 nothing changed", { .tag = 18 }, MST_OK },
	{ "SUIT-3.2 nothing changed (MAC)", { .tag = 17 }, MST_OK },
	{ "SUIT-3.3 not tagged", { .tag = 0 }, MST_E_SUIT_COSE_TAG },
	{ "SUIT-3.3 tag of COSE_Encrypt0", { .tag = 16 }, MST_E_SUIT_COSE_TAG },
	{ "SUIT-3.3 tag 55799", { .tag = 55799 }, MST_E_SUIT_COSE_TAG },
	{ "SUIT-3.3 tag of COSE_Sign on a COSE_Sign1", { .tag = 98 }, MST_E_SUIT_COSE },
	{ "SUIT-3.3 tag of COSE_Mac on a COSE_Sign1", { .tag = 97 }, MST_E_SUIT_COSE },
	{ "SUIT-3.2 payload attached", { .tag = 18, .payload = LIT("\x41x") }, MST_E_COSE_PAYLOAD },
	{ "SUIT-3.2 payload attached and empty", { .tag = 18, .payload = LIT("\x40") },
	    MST_E_COSE_PAYLOAD },
	{ "SUIT-3.2 payload undefined", { .tag = 18, .payload = LIT("\xf7") }, MST_E_SUIT_COSE },
	{ "SUIT-3.2 payload attached (MAC)", { .tag = 17, .payload = LIT("\x41x") },
	    MST_E_COSE_PAYLOAD },
	{ "SUIT-3.2 doubly wrapped digest",
	    { .tag = 18,
	        .covered = LIT("\x58\x24\x82\x2f\x58\x20"
	                       "0123456789abcdef0123456789ABCDEF") },
	    MST_E_COSE_SIGNATURE },
	{ "SUIT-3.3 no alg, protected h''", { .tag = 18, .protected_header = LIT("") },
	    MST_E_COSE_ALG_MISSING },
	{ "SUIT-3.3 no alg, protected h'a0'", { .tag = 18, .protected_header = LIT("\xa0") },
	    MST_E_COSE_ALG_MISSING },
	{ "SUIT-3.3 alg unprotected",
	    { .tag = 18, .protected_header = LIT(""), .unprotected = LIT("\xa1\x01\x26") },
	    MST_E_COSE_ALG_UNPROTECTED },
	{ "SUIT-3.3 alg unprotected (MAC)",
	    { .tag = 17, .protected_header = LIT(""), .unprotected = LIT("\xa1\x01\x05") },
	    MST_E_COSE_ALG_UNPROTECTED },
	{ "SUIT-3.3 alg in both", { .tag = 18, .unprotected = LIT("\xa1\x01\x26") },
	    MST_E_COSE_DUPLICATE },
	{ "SUIT-3.3 alg not the key's", { .tag = 18, .protected_header = LIT("\xa1\x01\x27") },
	    MST_E_COSE_ALGORITHM },
	{ "SUIT-3.5 alg unknown", { .tag = 18, .protected_header = LIT("\xa1\x01\x39\x03\xe6") },
	    MST_E_COSE_ALGORITHM },
	{ "SUIT-3.5 alg a text",
	    { .tag = 18,
	        .protected_header = LIT("\xa1\x01\x65"
	                                "ES256") },
	    MST_E_COSE_ALGORITHM },
	{ "SUIT-3.3 alg beyond 32 bits",
	    { .tag = 18, .protected_header = LIT("\xa1\x01\x3b\0\0\0\1\0\0\0\6") },
	    MST_E_COSE_ALGORITHM },
	{ "SUIT-3.3 alg a byte string", { .tag = 18, .protected_header = LIT("\xa1\x01\x41\x26") },
	    MST_E_COSE_HEADER },
	{ "SUIT-3.3 a signature's alg on a MAC",
	    { .tag = 17, .protected_header = LIT("\xa1\x01\x26") }, MST_E_COSE_ALGORITHM },
	{ "SUIT-3.3 a MAC's alg on a signature",
	    { .tag = 18, .protected_header = LIT("\xa1\x01\x05") }, MST_E_COSE_ALGORITHM },
	{ "SUIT-3.3 crit: unknown label",
	    { .tag = 18, .protected_header = LIT("\xa3\x01\x26\x02\x81\x18\x2a\x18\x2a\x00") },
	    MST_E_COSE_CRIT },
	{ "SUIT-3.3 crit: label not there",
	    { .tag = 18, .protected_header = LIT("\xa2\x01\x26\x02\x81\x03") }, MST_E_COSE_CRIT },
	{ "SUIT-3.3 crit: empty", { .tag = 18, .protected_header = LIT("\xa2\x01\x26\x02\x80") },
	    MST_E_COSE_CRIT },
	{ "SUIT-3.3 crit: unprotected", { .tag = 18, .unprotected = LIT("\xa1\x02\x81\x01") },
	    MST_E_COSE_CRIT },
	{ "SUIT-3.3 crit: understood",
	    { .tag = 18, .protected_header = LIT("\xa2\x01\x26\x02\x81\x01") }, MST_OK },
	{ "SUIT-1.3 order of labels is free",
	    { .tag = 18, .protected_header = LIT("\xa2\x03\x00\x01\x26") }, MST_OK },
	{ "SUIT-3.3 unknown label, unprotected",
	    { .tag = 18, .unprotected = LIT("\xa1\x18\x2a\x81\x80") }, MST_E_SUIT_COSE_LABEL },
	{ "SUIT-3.3 unknown label, protected",
	    { .tag = 18, .protected_header = LIT("\xa2\x01\x26\x18\x2a\x00") }, MST_OK },
	{ "SUIT-3.3 x5chain, unprotected", { .tag = 18, .unprotected = LIT("\xa1\x18\x21\x41x") },
	    MST_OK },
	{ "SUIT-3.3 x5bag, unprotected", { .tag = 18, .unprotected = LIT("\xa1\x18\x20\x41x") },
	    MST_E_SUIT_COSE_LABEL },
	{ "SUIT-3.3 IV, unprotected", { .tag = 18, .unprotected = LIT("\xa1\x05\x41x") },
	    MST_E_SUIT_COSE_LABEL },
	{ "SUIT-1.3 label twice, protected",
	    { .tag = 18, .protected_header = LIT("\xa2\x01\x26\x01\x26") }, MST_E_COSE_DUPLICATE },
	{ "SUIT-1.3 label twice, unprotected",
	    { .tag = 18, .unprotected = LIT("\xa2\x18\x2a\x00\x18\x2a\x00") },
	    MST_E_COSE_DUPLICATE },
	{ "SUIT-1.3 label in a longer form",
	    { .tag = 18, .protected_header = LIT("\xa1\x18\x01\x26") }, MST_E_COSE_HEADER },
	{ "SUIT-1.3 label a byte string", { .tag = 18, .unprotected = LIT("\xa1\x41x\x00") },
	    MST_E_COSE_HEADER },
	{ "SUIT-1.3 protected of indefinite length",
	    { .tag = 18, .protected_header = LIT("\xbf\x01\x26\xff") }, MST_E_COSE_INDEFINITE },
	{ "SUIT-1.3 unprotected of indefinite length",
	    { .tag = 18, .unprotected = LIT("\xbf\xff") }, MST_E_COSE_INDEFINITE },
	{ "SUIT-1.3 protected no map", { .tag = 18, .protected_header = LIT("\x81\x01") },
	    MST_E_COSE_HEADER },
	{ "SUIT-1.3 unprotected no map", { .tag = 18, .unprotected = LIT("\x80") },
	    MST_E_SUIT_COSE },
	{ "SUIT-1.3 bytes behind the protected map",
	    { .tag = 18, .protected_header = LIT("\xa1\x01\x26\x00") }, MST_E_CBOR_TRAILING },
	{ "SUIT-1.3 bytes behind the block", { .tag = 18, .tail = LIT("\x00") },
	    MST_E_CBOR_TRAILING },
	{ "SUIT-3.2 five items", { .tag = 18, .items = 1 }, MST_E_SUIT_COSE },
	{ "SUIT-3.2 three items", { .tag = 18, .items = -1 }, MST_E_SUIT_COSE },
	{ "SUIT-3.3 signature a byte short",
	    { .tag = 18,
	        .proof = LIT("0123456789012345678901234567890123456789012345678901234567890"
	                     "12") },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "SUIT-3.3 signature a byte long",
	    { .tag = 18,
	        .proof = LIT("0123456789012345678901234567890123456789012345678901234567890"
	                     "1234") },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "SUIT-3.3 signature empty", { .tag = 18, .proof = LIT("") },
	    MST_E_COSE_SIGNATURE_LENGTH },
	{ "SUIT-3.3 signature of zeros",
	    { .tag = 18,
	        .proof = LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
	    MST_E_COSE_SIGNATURE },
	{ "SUIT-3.3 tag of half its length (HMAC 256/64)", { .tag = 17, .proof = LIT("01234567") },
	    MST_E_SUIT_MAC_LENGTH },
	{ "SUIT-3.3 empty tag", { .tag = 17, .proof = LIT("") }, MST_E_SUIT_MAC_LENGTH },
	{ "SUIT-3.3 false tag", { .tag = 17, .proof = LIT("01234567890123456789012345678901") },
	    MST_E_SUIT_MAC },
	{ "SUIT-3.7 kid of nobody",
	    { .tag = 18,
	        .unprotected = LIT("\xa1\x04\x45"
	                           "other") },
	    MST_E_COSE_KID },
	{ "SUIT-3.7 kid a text", { .tag = 18, .unprotected = LIT("\xa1\x04\x63one") },
	    MST_E_COSE_HEADER },
};
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static void
refused(void **state)
{
	const struct refusal *r = *state;

	trust_signer(P256, 0)->kid = MST_LIT("one");
	trust_secret(SECRET, MST_SUIT_USE_MAC_MANIFEST, 1, MST_SUIT_HMAC256)->kid = MST_LIT("mac");
	assert_int_equal(judge(built(r->build)), r->want);
	assert_int_equal(last.verified != 0, r->want == MST_OK);
}

/* --- keys and policy --- */

static void
key_for_another_purpose_is_not_tried(void **state)
{
	static const enum mst_suit_usage others[] = { MST_SUIT_USE_MAC_MANIFEST,
		MST_SUIT_USE_MAC_KEK, MST_SUIT_USE_KEK, MST_SUIT_USE_ECDH, MST_SUIT_USE_SIGN_REPORT,
		MST_SUIT_USE_MAC_REPORT, MST_SUIT_USE_CONTENT_REPORT };
	mst_span block = sign1(signer(P256)), tag = mac0(MST_SUIT_HMAC256, SECRET);

	(void)state;
	trust_signer(P256, 0);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		table[0].usage = others[i];
		assert_int_equal(judge(block), MST_E_COSE_KID);
	}
	keys.count = 0;
	trust_secret(SECRET, MST_SUIT_USE_MAC_MANIFEST, 0, MST_SUIT_HMAC256);
	assert_int_equal(judge(tag), MST_OK);
	table[0].usage = MST_SUIT_USE_MAC_REPORT;
	assert_int_equal(judge(tag), MST_E_COSE_KID);
}

/* A public key as an HMAC secret: the classic confusion. */
static void
public_key_is_no_mac_key(void **state)
{
	mst_span block;

	(void)state;
	trust_signer(P256, 0);
	block = mac0(MST_SUIT_HMAC256, table[0].material);
	assert_int_equal(judge(block), MST_E_COSE_KID);
}

static void
named_key_that_says_no_refuses(void **state)
{
	struct cose_signer s = signer(P256);
	mst_span blocks[2];

	(void)state;
	trust_signer(ED25519, 1);
	trust_signer(P256, 0)->kid = MST_LIT("one");
	s.kid = MST_LIT("one");
	blocks[0] = sign1(s);
	blocks[1] = sign1(signer(ED25519));
	assert_int_equal(judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 2), MST_OK);
	((uint8_t *)(uintptr_t)blocks[0].ptr)[blocks[0].len - 1] ^= 1;
	/* though the other block is good */
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 2), MST_E_COSE_SIGNATURE);
}

static void
blocks_of_strangers_are_skipped(void **state)
{
	EVP_PKEY *stranger = EVP_EC_gen("P-256");
	struct cose_signer s = { .alg = MST_SUIT_ES256, .key = stranger };
	mst_span blocks[4];

	(void)state;
	trust_signer(P256, 4);
	blocks[0] = sign1(s); /* no kid: tried, and not ours */
	s.kid = MST_LIT("stranger");
	blocks[1] = sign1(s);
	blocks[2] = built((struct build){ .tag = 18,
	    .protected_header = MST_LIT("\xa1\x01\x38\x30"), /* ML-DSA-65: not known here */
	    .proof = MST_LIT("whatever it is") });
	blocks[3] = sign1(signer(P256));
	assert_int_equal(judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 4), MST_OK);
	assert_int_equal(last.verified, 1u << 4);
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 3), MST_E_COSE_SIGNATURE);
	EVP_PKEY_free(stranger);
}

static void
policy_counts_authorities(void **state)
{
	mst_span blocks[3];

	(void)state;
	trust_signer(P256, 0);
	trust_signer(ED25519, 1);
	trust_signer(P384, 0); /* the same authority's second key */
	blocks[0] = sign1(signer(P256));
	blocks[1] = sign1(signer(P384));
	blocks[2] = sign1(signer(ED25519));
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 2 }, blocks, 1), MST_E_SUIT_AUTH_POLICY);
	/* two keys of one authority are one authority */
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 2 }, blocks, 2), MST_E_SUIT_AUTH_POLICY);
	assert_int_equal(judge_of(&(struct mst_suit_policy){ 0, 2 }, blocks, 3), MST_OK);
	assert_int_equal(judge_of(&(struct mst_suit_policy){ 3, 2 }, blocks, 3), MST_OK);
	/* of a set that the others are not in */
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 2, 1 }, blocks, 2), MST_E_SUIT_AUTH_POLICY);
	assert_int_equal(judge_of(&(struct mst_suit_policy){ 2, 1 }, blocks, 3), MST_OK);
	/* the same block twice is one authority */
	blocks[1] = blocks[0];
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 2 }, blocks, 2), MST_E_SUIT_AUTH_POLICY);
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 0), MST_E_SUIT_AUTH_NONE);
}

static void
blocks_are_bounded(void **state)
{
	mst_span blocks[9];

	(void)state;
	trust_signer(P256, 0);
	for (int i = 0; i < 9; i++)
		blocks[i] = sign1(signer(P256));
	assert_int_equal(judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 8), MST_OK);
	assert_int_equal(
	    judge_of(&(struct mst_suit_policy){ 0, 0 }, blocks, 9), MST_E_SUIT_AUTH_BLOCKS);
}

static void
tries_are_bounded(void **state)
{
	struct cose_signer s[8];

	(void)state;
	for (int i = 0; i < 2; i++)
		trust_signer(P256, (uint8_t)i);
	for (int i = 0; i < 8; i++)
		s[i] = signer(P256);
	/* by whom: a key that we do not have, so that each of ours is tried for each of them */
	EVP_PKEY *stranger = EVP_EC_gen("P-256");

	for (int i = 0; i < 8; i++)
		s[i].key = stranger;
	assert_int_equal(judge(sign_all(s, 4)), MST_E_COSE_SIGNATURE);
	assert_int_equal(last.tries, 8);
	assert_int_equal(judge(sign_all(s, 5)), MST_E_SUIT_AUTH_TRIES);
	EVP_PKEY_free(stranger);
}

static void
signatures_of_a_block_are_bounded(void **state)
{
	/* COSE_Sign with nine signatures, and with none */
	struct mst_buf out = arena_buf(arena, 2048);
	struct mst_cbor_writer w;

	(void)state;
	trust_signer(P256, 0);
	for (uint64_t n = 0; n <= 9; n += 9) {
		out.len = 0;
		mst_cbor_put_init(&w, &out);
		mst_cbor_put_tag(&w, 98);
		mst_cbor_put_array(&w, 4);
		mst_cbor_put_bytes(&w, MST_LIT(""));
		mst_cbor_put_map(&w, 0);
		mst_cbor_put_null(&w);
		mst_cbor_put_array(&w, n);
		for (uint64_t i = 0; i < n; i++) {
			mst_cbor_put_array(&w, 3);
			mst_cbor_put_bytes(&w, MST_LIT("\xa1\x01\x39\x03\xe6"));
			mst_cbor_put_map(&w, 0);
			mst_cbor_put_bytes(&w, MST_LIT("x"));
		}
		assert_int_equal(mst_cbor_put_end(&w), MST_OK);
		assert_int_equal(judge(mst_buf_span(&out)), MST_E_SUIT_SIGNATURES);
	}
}

/* --- COSE_Mac --- */

static mst_span
mac_with(mst_span recipients)
{
	struct mst_buf out = arena_buf(arena, 2048), tbs = arena_buf(arena, 256);
	struct mst_cbor_writer w;
	uint8_t tag[32];
	size_t n = 0;

	mst_cbor_put_init(&w, &tbs);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_text(&w, MST_LIT("MAC"));
	mst_cbor_put_bytes(&w, MST_LIT("\xa1\x01\x05"));
	mst_cbor_put_bytes(&w, MST_LIT(""));
	mst_cbor_put_bytes(&w, DIGEST);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, SECRET.ptr, SECRET.len,
	    tbs.ptr, tbs.len, tag, sizeof tag, &n));
	mst_cbor_put_init(&w, &out);
	mst_cbor_put_tag(&w, 97);
	mst_cbor_put_array(&w, 5);
	mst_cbor_put_bytes(&w, MST_LIT("\xa1\x01\x05"));
	mst_cbor_put_map(&w, 0);
	mst_cbor_put_null(&w);
	mst_cbor_put_bytes(&w, mst_span_of(tag, n));
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	assert_int_equal(mst_buf_put(&out, recipients), MST_OK);
	return mst_buf_span(&out);
}

static const struct direct {
	const char *name;
	mst_span recipients;
	mst_err want;
} directs[] = {
	{ "direct, by kid", LIT("\x81\x83\x40\xa2\x01\x25\x04\x43mac\x40"), MST_OK },
	{ "direct, without kid", LIT("\x81\x83\x40\xa1\x01\x25\x40"), MST_OK },
	{ "direct, protected h'a0'", LIT("\x81\x83\x41\xa0\xa1\x01\x25\x40"), MST_OK },
	{ "direct: kid of nobody", LIT("\x81\x83\x40\xa2\x01\x25\x04\x43not\x40"), MST_E_COSE_KID },
	{ "direct: with ciphertext", LIT("\x81\x83\x40\xa1\x01\x25\x41x"),
	    MST_E_SUIT_RECIPIENT_FORM },
	{ "direct: nil for ciphertext", LIT("\x81\x83\x40\xa1\x01\x25\xf6"),
	    MST_E_SUIT_RECIPIENT_FORM },
	{ "direct: alg protected", LIT("\x81\x83\x43\xa1\x01\x25\xa0\x40"),
	    MST_E_SUIT_RECIPIENT_FORM },
	{ "direct: not alone", LIT("\x82\x83\x40\xa1\x01\x25\x40\x83\x40\xa1\x01\x25\x40"),
	    MST_E_SUIT_RECIPIENT_FORM },
	{ "no recipient", LIT("\x80"), MST_E_SUIT_RECIPIENTS },
	{ "nine recipients", LIT("\x89\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
	    MST_E_SUIT_RECIPIENTS },
	{ "recipients no array", LIT("\xa0"), MST_E_SUIT_COSE },
	{ "recipient of an unknown method", LIT("\x81\x83\x40\xa1\x01\x39\x03\xe6\x40"),
	    MST_E_SUIT_RECIPIENT },
	{ "recipient without alg", LIT("\x81\x83\x40\xa0\x40"), MST_E_COSE_ALG_MISSING },
	{ "ECDH-ES: anybody could have made it",
	    LIT("\x81\x83\x44\xa1\x01\x38\x1c\xa1\x20\xa4\x01\x02\x20\x01\x21\x40\x22\x40\x40"),
	    MST_E_SUIT_RECIPIENT },
	{ "key wrap: too short", LIT("\x81\x83\x40\xa1\x01\x22\x40"), MST_E_SUIT_CEK },
	{ "key wrap: nil", LIT("\x81\x83\x40\xa1\x01\x22\xf6"), MST_E_SUIT_RECIPIENT_FORM },
	{ "key wrap: alg protected", LIT("\x81\x83\x43\xa1\x01\x22\xa0\x40"),
	    MST_E_SUIT_RECIPIENT_FORM },
	{ "key wrap: false",
	    LIT("\x81\x83\x40\xa1\x01\x22\x58\x28"
	        "0123456789012345678901234567890123456789"),
	    MST_E_SUIT_UNWRAP },
	{ "recipients of a recipient",
	    LIT("\x81\x84\x40\xa1\x01\x22\x58\x28"
	        "0123456789012345678901234567890123456789"
	        "\x81\x83\x40\xa0\x40"),
	    MST_E_SUIT_RECIPIENT_FORM },
};
#define DIRECTS (sizeof directs / sizeof directs[0])

static void
mac_recipient(void **state)
{
	const struct direct *d = *state;

	trust_secret(SECRET, MST_SUIT_USE_MAC_MANIFEST, 1, MST_SUIT_HMAC256)->kid = MST_LIT("mac");
	trust_secret(mst_span_of(SECRET.ptr, 16), MST_SUIT_USE_MAC_KEK, 1, MST_SUIT_A128KW);
	assert_int_equal(judge(mac_with(d->recipients)), d->want);
}

/* A KEK of payloads must not open a MAC key, nor the other way round. */
static void
kek_for_payloads_opens_no_mac(void **state)
{
	mst_span kek = mst_span_of(SECRET.ptr, 16);

	(void)state;
	trust_secret(kek, MST_SUIT_USE_KEK, 1, MST_SUIT_A128KW);
	assert_int_equal(judge(mac_for(MST_SUIT_A128KW, kek, MST_NONE)), MST_E_SUIT_RECIPIENT);
}

static void
author_makes_no_mac_by_ecdh(void **state)
{
	const struct cose_recipient r = { .alg = MST_SUIT_ECDH_ES_A128KW, .key = pkeys[P256] };
	mst_span block;

	(void)state;
	assert_int_equal(
	    cose_author_mac(arena, MST_SUIT_HMAC256, &r, 1, DIGEST, &block), MST_E_SUIT_KEY_USAGE);
}

/* --- offline --- */

static void
offline_signature_is_attached(void **state)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[64];
	size_t n = sizeof signature;
	mst_span tbs, block;

	(void)state;
	trust_signer(ED25519, 0);
	assert_int_equal(cose_author_tbs(arena, MST_SUIT_EDDSA, DIGEST, &tbs), MST_OK);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkeys[ED25519]), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &n, tbs.ptr, tbs.len), 1);
	assert_int_equal(cose_author_attach(arena, MST_SUIT_EDDSA, MST_LIT("k"),
	                     mst_span_of(signature, n), &block),
	    MST_OK);
	assert_int_equal(judge(block), MST_OK);
	assert_int_equal(cose_author_attach(arena, MST_SUIT_EDDSA, MST_LIT("k"),
	                     mst_span_of(signature, n - 1), &block),
	    MST_E_COSE_SIGNATURE_LENGTH);
	assert_int_equal(cose_author_tbs(arena, 0, DIGEST, &tbs), MST_E_SUIT_KEY_USAGE);
	EVP_MD_CTX_free(ctx);
}

static void
signer_of_another_kind_is_refused(void **state)
{
	static const int32_t wrong[SIGNERS] = { MST_SUIT_ES384, MST_SUIT_ES256, MST_SUIT_EDDSA,
		MST_SUIT_ES256 };
	mst_span block;

	(void)state;
	for (int i = 0; i < SIGNERS; i++) {
		struct cose_signer s = signer(i);

		s.alg = wrong[i];
		assert_int_equal(cose_author_sign1(arena, &s, DIGEST, MST_SUIT_DETACHED, &block),
		    MST_E_SUIT_KEY_USAGE);
	}
	struct cose_signer s = { .alg = MST_SUIT_HSS_LMS, .key = pkeys[P256] };

	assert_int_equal(
	    cose_author_sign1(arena, &s, DIGEST, MST_SUIT_DETACHED, &block), MST_E_SUIT_KEY_USAGE);
	s = (struct cose_signer){ .alg = MST_SUIT_HMAC256, .secret = MST_LIT("short") };
	assert_int_equal(
	    cose_author_mac0(arena, &s, DIGEST, MST_SUIT_DETACHED, &block), MST_E_SUIT_KEY_USAGE);
}

/* --- rows --- */

#define ROWS 160
static struct CMUnitTest rows[ROWS];
static char names[ROWS][96];
static size_t row_count;

static void
row(const char *clause, const char *name, CMUnitTestFunction f, const void *state)
{
	assert(row_count < ROWS);
	snprintf(
	    names[row_count], sizeof names[0], "%s%s%s", clause, *clause != '\0' ? ": " : "", name);
	rows[row_count] =
	    (struct CMUnitTest){ names[row_count], f, no_keys, NULL, (void *)(uintptr_t)state };
	row_count++;
}

int
main(void)
{
	static const char *const algs[] = { "ES256, ESP256", "ES384, ESP384", "ES512, ESP512",
		"EdDSA, Ed25519" };

	for (int i = 0; i < SIGNERS; i++)
		row("SUIT-17", algs[i], each_algorithm_signs, (void *)(uintptr_t)i);
	row("SUIT-17", "HSS-LMS", hss_signs, NULL);
	row("SUIT-17", "HMAC of each hash", each_hmac_authenticates, NULL);
	row("SUIT-3.2", "COSE_Mac by key wrap", mac_by_key_wrap, NULL);
	row("SUIT-3.5", "several signatures in one block", several_signatures_in_one_block, NULL);
	row("SUIT-3.2", "COSE_Sign of one signature", single_signature_in_a_sign_block, NULL);
	for (size_t i = 0; i < REFUSALS; i++)
		row("", refusals[i].name, refused, &refusals[i]);
	row("SUIT-3.7", "a key for another purpose is not tried",
	    key_for_another_purpose_is_not_tried, NULL);
	row("SUIT-3.7", "a public key is no MAC key", public_key_is_no_mac_key, NULL);
	row("SUIT-3.7", "a key that is named and says no", named_key_that_says_no_refuses, NULL);
	row("SUIT-3.5", "strangers' blocks are skipped", blocks_of_strangers_are_skipped, NULL);
	row("SUIT-3.4", "policy counts authorities", policy_counts_authorities, NULL);
	row("SUIT-21", "eight blocks", blocks_are_bounded, NULL);
	row("SUIT-21", "eight tries", tries_are_bounded, NULL);
	row("SUIT-21", "eight signatures", signatures_of_a_block_are_bounded, NULL);
	for (size_t i = 0; i < DIRECTS; i++)
		row("SUIT-3.2 COSE_Mac", directs[i].name, mac_recipient, &directs[i]);
	row("SUIT-3.7", "a KEK of payloads opens no MAC", kek_for_payloads_opens_no_mac, NULL);
	row("SUIT-3.2", "no MAC by ECDH-ES is made", author_makes_no_mac_by_ecdh, NULL);
	row("SUIT-3.2", "offline signature", offline_signature_is_attached, NULL);
	row("SUIT-17", "signer of another kind", signer_of_another_kind_is_refused, NULL);
	return _cmocka_run_group_tests("suit_auth", rows, row_count, make_keys, drop_keys);
}

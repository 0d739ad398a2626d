/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto/fake's back-end for SUIT: its SHA-256 and HMAC are real, the rest goes
 * together; and core/cose over it, with each call failing in turn: the refusal
 * is handed on, nobody is believed, nothing stays open.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crypto/fake/suit_fake.h"
#include "muster/cbor.h"
#include "muster/hss.h"
#include "unit/crypto/hss_rfc8554.h"

static struct fake_suit fake;
static struct mst_suit_crypto crypto;

static int
fresh(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof fake);
	crypto = fake_suit_crypto(&fake);
	return 0;
}

static size_t
unhex(const char *text, uint8_t *out)
{
	size_t n = 0;

	for (; text[2 * n] != '\0'; n++)
		assert_int_equal(sscanf(text + 2 * n, "%2hhx", &out[n]), 1);
	return n;
}

static void
assert_sha256(const mst_span *piece, size_t count, const char *want)
{
	uint8_t made[32], right[32];

	assert_int_equal(unhex(want, right), 32);
	fake_sha256(piece, count, made);
	assert_memory_equal(made, right, 32);
}

/* FIPS 180-4's examples. */
static void
sha256_is_real(void **state)
{
	static uint8_t million[1000];
	mst_span piece[1000];

	(void)state;
	piece[0] = MST_LIT("");
	assert_sha256(piece, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	piece[0] = MST_LIT("abc");
	assert_sha256(piece, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	piece[0] = MST_LIT("abcdbcdecdefdefgefghfghighijhi");
	piece[1] = MST_LIT("jkijkljklmklmnlmnomnopnopq");
	assert_sha256(piece, 2, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(million, 'a', sizeof million);
	for (int i = 0; i < 1000; i++)
		piece[i] = mst_span_of(million, sizeof million);
	assert_sha256(
	    piece, 1000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231, cases 1 and 2. */
static void
hmac_is_real(void **state)
{
	static const struct {
		mst_span key, data;
		const char *want;
	} rows[] = {
		{ { (const uint8_t *)"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
		                     "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
		      20 },
		    { (const uint8_t *)"Hi There", 8 },
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ { (const uint8_t *)"Jefe", 4 },
		    { (const uint8_t *)"what do ya want for nothing?", 28 },
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	};
	uint8_t made[32], right[32];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct mst_suit_secret secret = { NULL, rows[i].key };
		struct mst_suit_pieces p = { .piece = { rows[i].data }, .count = 1 };
		struct mst_buf out = MST_BUF(made);

		(void)unhex(rows[i].want, right);
		assert_int_equal(
		    crypto.mac(crypto.ctx, &secret, MST_SUIT_HMAC256, &p, &out), MST_OK);
		assert_memory_equal(made, right, 32);
	}
}

static void
hss_is_real(void **state)
{
	static uint8_t key[60], text[256], signature[4096];
	size_t n = 0, m = 0, k = 0;
	mst_span message;

	(void)state;
	for (size_t i = 0; rfc8554_f1_public_key[i] != NULL; i++)
		k += unhex(rfc8554_f1_public_key[i], key + k);
	for (size_t i = 0; rfc8554_f1_message[i] != NULL; i++)
		m += unhex(rfc8554_f1_message[i], text + m);
	for (size_t i = 0; rfc8554_f1_signature[i] != NULL; i++)
		n += unhex(rfc8554_f1_signature[i], signature + n);
	message = mst_span_of(text, m);
	assert_int_equal(
	    mst_hss_verify(&crypto, mst_span_of(key, k), &message, 1, mst_span_of(signature, n)),
	    MST_OK);
	text[0] ^= 1;
	assert_int_equal(
	    mst_hss_verify(&crypto, mst_span_of(key, k), &message, 1, mst_span_of(signature, n)),
	    MST_E_COSE_SIGNATURE);
	assert_int_equal(fake.open, 0);
}

/* --- core/cose, with each call failing in turn --- */

#define DIGEST                                                                                     \
	MST_LIT("\x82\x2f\x58\x20"                                                                 \
	        "0123456789abcdef0123456789ABCDEF")
static const struct mst_suit_key table[] = {
	{ .usage = MST_SUIT_USE_SIGN_MANIFEST,
	    .alg = MST_SUIT_ES256,
	    .authority = 3,
	    .material = { (const uint8_t *)"public", 6 } },
	{ .usage = MST_SUIT_USE_KEK,
	    .alg = MST_SUIT_A128KW,
	    .material = { (const uint8_t *)"0123456789abcdef", 16 } },
	{ .usage = MST_SUIT_USE_MAC_REPORT,
	    .alg = MST_SUIT_HMAC256,
	    .authority = 9,
	    .material = { (const uint8_t *)"0123456789abcdef0123456789abcdef", 32 } },
	{ .usage = MST_SUIT_USE_CONTENT_REPORT,
	    .alg = MST_SUIT_A128GCM,
	    .material = { (const uint8_t *)"0123456789abcdef", 16 } },
};
static const struct mst_suit_keys keys = { table, sizeof table / sizeof table[0] };

static mst_err
sign(void *ctx, int32_t alg, const struct mst_suit_pieces *tbs, struct mst_buf *out)
{
	return fake_suit_sign(ctx, alg, tbs, out);
}

static mst_err
authenticate(mst_span block)
{
	const struct mst_suit_policy any = { 0, 0 };
	struct mst_suit_auth a;
	mst_err e;

	mst_suit_auth_begin(&a, &crypto, &keys, DIGEST);
	e = mst_suit_auth_block(&a, block);
	if (e == MST_OK)
		e = mst_suit_auth_judge(&a, &any);
	assert_int_equal(a.verified, e == MST_OK ? 1u << 3 : 0);
	assert_int_equal(fake.open, 0);
	return e;
}

static void
blocks_by_the_fake(void **state)
{
	const struct mst_suit_signer s = { (void *)(uintptr_t)&table[0], MST_SUIT_ES256, MST_NONE,
		sign };
	uint8_t bytes[256];
	struct mst_buf out = MST_BUF(bytes);

	(void)state;
	assert_int_equal(mst_suit_sign1_build(&s, DIGEST, MST_SUIT_DETACHED, &out), MST_OK);
	assert_int_equal(authenticate(mst_buf_span(&out)), MST_OK);
	fake = (struct fake_suit){ .fail_at = 1, .fail_with = MST_E_NOMEM };
	assert_int_equal(authenticate(mst_buf_span(&out)), MST_E_NOMEM);
	fake = (struct fake_suit){ .fail_at = 0 };
	bytes[out.len - 1] ^= 1;
	assert_int_equal(authenticate(mst_buf_span(&out)), MST_E_COSE_SIGNATURE);
}

/* [ h'a10101', { 5: IV }, nil, [ [ h'', { 1: -3 }, wrapped ] ] ] and its ciphertext. */
static mst_span
encrypted(uint8_t *info_bytes, size_t cap, struct mst_buf *ciphertext)
{
	static const mst_span cek = { (const uint8_t *)"CEKCEKCEKCEKCEKC", 16 };
	static const mst_span iv = { (const uint8_t *)"0123456789ab", 12 };
	const struct mst_suit_secret secret = { NULL, cek };
	union mst_suit_cipher_state s;
	uint8_t wrapped[24];
	struct mst_buf w = MST_BUF(wrapped), info = { info_bytes, cap, 0 };
	struct mst_cbor_writer c;

	assert_int_equal(fake_suit_wrap(table[1].material, MST_SUIT_A128KW, cek, &w), MST_OK);
	mst_cbor_put_init(&c, &info);
	mst_cbor_put_tag(&c, 96);
	mst_cbor_put_array(&c, 4);
	mst_cbor_put_bytes(&c, MST_LIT("\xa1\x01\x01"));
	mst_cbor_put_map(&c, 1);
	mst_cbor_put_uint(&c, 5);
	mst_cbor_put_bytes(&c, iv);
	mst_cbor_put_null(&c);
	mst_cbor_put_array(&c, 1);
	mst_cbor_put_array(&c, 3);
	mst_cbor_put_bytes(&c, MST_LIT(""));
	mst_cbor_put_map(&c, 1);
	mst_cbor_put_uint(&c, 1);
	mst_cbor_put_int(&c, MST_SUIT_A128KW);
	mst_cbor_put_bytes(&c, mst_buf_span(&w));
	assert_int_equal(mst_cbor_put_end(&c), MST_OK);
	assert_int_equal(
	    crypto.cipher_begin(crypto.ctx, MST_SUIT_ENCRYPT, MST_SUIT_A128GCM, &secret, iv,
	        MST_LIT("\x83\x67"
	                "Encrypt\x43\xa1\x01\x01\x40"),
	        &s),
	    MST_OK);
	assert_int_equal(
	    crypto.cipher_update(crypto.ctx, &s, MST_LIT("an image"), ciphertext), MST_OK);
	assert_int_equal(crypto.cipher_end_encrypt(crypto.ctx, &s, ciphertext), MST_OK);
	return mst_buf_span(&info);
}

static mst_err
decrypt(mst_span info, mst_span ciphertext)
{
	struct mst_suit_decrypt d = { .crypto = NULL };
	uint8_t plain[64];
	struct mst_buf out = MST_BUF(plain);
	mst_err e = mst_suit_decrypt_begin(&d, &crypto, &keys, info);

	for (size_t i = 0; e == MST_OK && i < ciphertext.len; i++)
		e = mst_suit_decrypt_update(&d, mst_span_of(ciphertext.ptr + i, 1), &out);
	if (e == MST_OK)
		e = mst_suit_decrypt_finish(&d);
	assert_int_equal(fake.open, 0);
	assert_int_equal(d.stage, e == MST_OK ? MST_SUIT_DECRYPT_AUTHENTIC : MST_SUIT_DECRYPT_IDLE);
	if (e == MST_OK)
		assert_true(mst_span_eq(mst_buf_span(&out), MST_LIT("an image")));
	return e;
}

static void
decryption_fails_at_each_call(void **state)
{
	uint8_t info_bytes[128], bytes[64];
	struct mst_buf ciphertext = MST_BUF(bytes);
	mst_span info = encrypted(info_bytes, sizeof info_bytes, &ciphertext);
	unsigned all;

	(void)state;
	fake = (struct fake_suit){ .fail_at = 0 };
	assert_int_equal(decrypt(info, mst_buf_span(&ciphertext)), MST_OK);
	all = fake.calls;
	for (unsigned n = 1; n <= all; n++) {
		fake = (struct fake_suit){ .fail_at = n, .fail_with = MST_E_NOMEM };
		assert_int_equal(decrypt(info, mst_buf_span(&ciphertext)), MST_E_NOMEM);
		assert_int_equal(fake.calls, n);
	}
	fake = (struct fake_suit){ .fail_at = 0 };
	bytes[0] ^= 1;
	assert_int_equal(decrypt(info, mst_buf_span(&ciphertext)), MST_E_SUIT_CIPHER_TAG);
}

static void
reports_fail_at_each_call(void **state)
{
	uint8_t bytes[128], plain[32];
	struct mst_buf out = MST_BUF(bytes), p = MST_BUF(plain);
	mst_span payload;
	uint8_t authority;
	unsigned all;

	(void)state;
	assert_int_equal(
	    mst_suit_encrypt0_build(&crypto, &table[3], MST_LIT("report"), &out), MST_OK);
	all = fake.calls;
	for (unsigned n = 1; n <= all; n++) {
		fake = (struct fake_suit){ .fail_at = n, .fail_with = MST_E_RANDOM };
		out.len = 0;
		assert_int_equal(
		    mst_suit_encrypt0_build(&crypto, &table[3], MST_LIT("report"), &out),
		    MST_E_RANDOM);
		assert_int_equal(out.len, 0);
		assert_int_equal(fake.open, 0);
	}
	fake = (struct fake_suit){ .fail_at = 0 };
	assert_int_equal(
	    mst_suit_encrypt0_build(&crypto, &table[3], MST_LIT("report"), &out), MST_OK);
	fake = (struct fake_suit){ .fail_at = 0 };
	assert_int_equal(mst_suit_encrypt0_open(&crypto, &keys, mst_buf_span(&out), &p), MST_OK);
	all = fake.calls;
	for (unsigned n = 1; n <= all; n++) {
		fake = (struct fake_suit){ .fail_at = n, .fail_with = MST_E_NOMEM };
		p.len = 0;
		assert_int_equal(
		    mst_suit_encrypt0_open(&crypto, &keys, mst_buf_span(&out), &p), MST_E_NOMEM);
		assert_int_equal(p.len, 0);
		assert_int_equal(fake.open, 0);
	}
	fake = (struct fake_suit){ .fail_at = 0 };
	out.len = 0;
	assert_int_equal(
	    mst_suit_mac0_build(&crypto, &table[2], MST_LIT("report"), MST_SUIT_ATTACHED, &out),
	    MST_OK);
	assert_int_equal(
	    mst_suit_report_open(&crypto, &keys, mst_buf_span(&out), &payload, &authority), MST_OK);
	assert_int_equal(authority, 9);
	fake = (struct fake_suit){ .fail_at = 1, .fail_with = MST_E_NOMEM };
	assert_int_equal(
	    mst_suit_report_open(&crypto, &keys, mst_buf_span(&out), &payload, &authority),
	    MST_E_NOMEM);
}

static void
digests_fail_at_each_call(void **state)
{
	const struct mst_suit_digest_claim c = { MST_SUIT_SHA256,
		MST_LIT("012345678901234567890123456"
		        "78901") };

	(void)state;
	assert_int_equal(
	    mst_suit_digest_check_wrapped(&crypto, &c, MST_LIT("x")), MST_E_SUIT_DIGEST_MISMATCH);
	for (unsigned n = 1; n <= 4; n++) { /* begin, head, content, end */
		fake = (struct fake_suit){ .fail_at = n, .fail_with = MST_E_NOMEM };
		assert_int_equal(
		    mst_suit_digest_check_wrapped(&crypto, &c, MST_LIT("x")), MST_E_NOMEM);
		assert_int_equal(fake.open, 0);
	}
}

int
main(void)
{
#define ROW(name, f)                                                                               \
	{                                                                                          \
		name, f, fresh, NULL, NULL                                                         \
	}
	const struct CMUnitTest tests[] = {
		ROW("fake: SHA-256 is real", sha256_is_real),
		ROW("fake: HMAC is real", hmac_is_real),
		ROW("fake: RFC 8554 F.1 holds", hss_is_real),
		ROW("SUIT-3.2 fake: blocks", blocks_by_the_fake),
		ROW("SUIT-15 fake: decryption, each call failing", decryption_fails_at_each_call),
		ROW("SUIT-16 fake: reports, each call failing", reports_fail_at_each_call),
		ROW("SUIT-3.1 fake: digests, each call failing", digests_fail_at_each_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

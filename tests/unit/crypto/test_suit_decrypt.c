/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted payloads (sheet suit.md 15): made by host/cose_author, opened by
 * core/cose over OpenSSL, whatever the blocks in which they arrive. Each
 * refusal starts from an encryption-info that opens and changes one thing.
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

#include <openssl/ec.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/cose_author.h"
#include "muster/cbor.h"
#include "unit/flips.h"

#define SECRET MST_LIT("0123456789abcdef0123456789abcdef")
#define PLAIN_MAX 4096

static struct arena *arena;
static EVP_PKEY *p256, *x25519, *p384;
static struct mst_suit_key table[8];
static struct mst_suit_keys keys = { table, 0 };

static int
make_keys(void **state)
{
	(void)state;
	arena = arena_new(0);
	p256 = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	return arena != NULL && p256 != NULL && p384 != NULL && x25519 != NULL ? 0 : -1;
}

static int
drop_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(x25519);
	arena_free(arena);
	return 0;
}

static int
no_keys(void **state)
{
	(void)state;
	keys.count = 0;
	return 0;
}

static struct mst_suit_key *
have_kek(int32_t alg, mst_span kek)
{
	const struct cose_key k = { .kty = COSE_KTY_SYMMETRIC, .k = kek, .alg = alg };

	assert_int_equal(cose_key_row(arena, &k, MST_SUIT_USE_KEK, 0, &table[keys.count]), MST_OK);
	return &table[keys.count++];
}

static struct mst_suit_key *
have_private(int32_t alg, EVP_PKEY *pkey)
{
	struct cose_key k;

	assert_int_equal(cose_key_from_pkey(arena, pkey, &k), MST_OK);
	k.alg = alg;
	assert_int_equal(cose_key_row(arena, &k, MST_SUIT_USE_ECDH, 0, &table[keys.count]), MST_OK);
	return &table[keys.count++];
}

static mst_span
encrypt(int32_t alg, const struct cose_recipient *r, size_t count, mst_span plain, mst_span *info)
{
	struct mst_buf out = arena_buf(arena, plain.len + MST_SUIT_TAG_LEN + 1);
	struct cose_encryptor *c;

	assert_int_equal(cose_encrypt_begin(arena, alg, r, count, &c, info), MST_OK);
	assert_int_equal(cose_encrypt_update(c, plain, &out), MST_OK);
	assert_int_equal(cose_encrypt_finish(c, &out), MST_OK);
	cose_encrypt_free(c);
	return mst_buf_span(&out);
}

static uint8_t plain_bytes[PLAIN_MAX];

static mst_err
decrypt(mst_span info, mst_span ciphertext, size_t block, struct mst_buf *out,
    enum mst_suit_decrypt_stage *stage)
{
	struct mst_suit_decrypt d = { .crypto = NULL };
	mst_err e = mst_suit_decrypt_begin(&d, suit_openssl(), &keys, info);

	for (size_t at = 0; e == MST_OK && at < ciphertext.len; at += block) {
		size_t n = ciphertext.len - at < block ? ciphertext.len - at : block;
		size_t before = out->len;

		e = mst_suit_decrypt_update(&d, mst_span_of(ciphertext.ptr + at, n), out);
		if (e == MST_OK)
			assert_in_range(out->len, before, before + n);
	}
	if (e == MST_OK) {
		assert_int_equal(d.stage, MST_SUIT_DECRYPT_RUNNING);
		e = mst_suit_decrypt_finish(&d);
	}
	if (e != MST_OK) /* idle, and nothing of the key left */
		for (size_t i = 0; i < sizeof d.cipher.bytes; i++)
			assert_int_equal(
			    d.stage == MST_SUIT_DECRYPT_IDLE ? d.cipher.bytes[i] : 1, 0);
	*stage = d.stage;
	return e;
}

static mst_err
open_info(mst_span info, mst_span ciphertext)
{
	struct mst_buf out = MST_BUF(plain_bytes);
	enum mst_suit_decrypt_stage stage;

	return decrypt(info, ciphertext, 64, &out, &stage);
}

/* --- what opens --- */

static const int32_t ciphers[] = { MST_SUIT_A128GCM, MST_SUIT_A256GCM, MST_SUIT_CHACHA20_POLY1305,
	MST_SUIT_A128CTR, MST_SUIT_A192CTR, MST_SUIT_A256CTR };
static const struct method {
	const char *name;
	int32_t alg;
	enum { KEK16, KEK24, KEK32, ON_P256, ON_X25519 } key;
} methods[] = {
	{ "A128KW", MST_SUIT_A128KW, KEK16 },
	{ "A192KW", MST_SUIT_A192KW, KEK24 },
	{ "A256KW", MST_SUIT_A256KW, KEK32 },
	{ "ECDH-ES+A128KW, P-256", MST_SUIT_ECDH_ES_A128KW, ON_P256 },
	{ "ECDH-ES+A192KW, P-256", MST_SUIT_ECDH_ES_A192KW, ON_P256 },
	{ "ECDH-ES+A256KW, P-256", MST_SUIT_ECDH_ES_A256KW, ON_P256 },
	{ "ECDH-ES+A128KW, X25519", MST_SUIT_ECDH_ES_A128KW, ON_X25519 },
	{ "ECDH-ES+A256KW, X25519", MST_SUIT_ECDH_ES_A256KW, ON_X25519 },
};
#define CIPHERS (sizeof ciphers / sizeof ciphers[0])
#define METHODS (sizeof methods / sizeof methods[0])

static struct cose_recipient
recipient(const struct method *m)
{
	struct cose_recipient r = { .alg = m->alg };

	if (m->key <= KEK32)
		r.kek = mst_span_of(SECRET.ptr, 16 + 8 * (size_t)m->key);
	else
		r.key = m->key == ON_P256 ? p256 : x25519;
	return r;
}

static void
have(const struct method *m)
{
	if (m->key <= KEK32)
		have_kek(m->alg, recipient(m).kek);
	else
		have_private(m->alg, recipient(m).key);
}

static void
opens(void **state)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 31, 32, 33, 1000 };
	static const size_t blocks[] = { 1, 7, 15, 16, 17, 64, 4096 };
	const struct method *m = *state;
	struct cose_recipient r = recipient(m);
	uint8_t plain[1000];

	have(m);
	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(i * 7 + 1);
	for (size_t c = 0; c < CIPHERS; c++)
		for (size_t l = 0; l < sizeof lens / sizeof lens[0]; l++) {
			mst_span info, p = mst_span_of(plain, lens[l]);
			mst_span ct = encrypt(ciphers[c], &r, 1, p, &info);
			bool is_aead = mst_suit_cipher_is_aead(ciphers[c]);

			assert_int_equal(ct.len, p.len + (is_aead ? 16u : 0u));
			for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
				struct mst_buf out = MST_BUF(plain_bytes);
				enum mst_suit_decrypt_stage stage;

				assert_int_equal(
				    decrypt(info, ct, blocks[b], &out, &stage), MST_OK);
				assert_true(mst_span_eq(mst_buf_span(&out), p));
				assert_int_equal(stage, is_aead ? MST_SUIT_DECRYPT_AUTHENTIC
				                                : MST_SUIT_DECRYPT_UNPROVEN);
			}
		}
}

/* Every flip of the ciphertext, and each strict prefix of it, of an AEAD. */
static void
altered_ciphertext_is_refused(void **state)
{
	int32_t alg = (int32_t)(intptr_t)*state;
	const struct cose_recipient r = recipient(&methods[0]);
	mst_span info, ct;

	have(&methods[0]);
	ct = encrypt(alg, &r, 1, MST_LIT("This is a real firmware image."), &info);
	for (size_t bit = 0; bit < 8 * ct.len; bit++) {
		((uint8_t *)(uintptr_t)ct.ptr)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(open_info(info, ct), MST_E_SUIT_CIPHER_TAG);
		((uint8_t *)(uintptr_t)ct.ptr)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t n = 0; n < ct.len; n++)
		assert_int_equal(open_info(info, mst_span_of(ct.ptr, n)), MST_E_SUIT_CIPHER_TAG);
	assert_int_equal(open_info(info, ct), MST_OK);
}

struct pair {
	mst_span ciphertext;
};

static mst_err
open_pair(void *arg, mst_span info)
{
	const struct pair *p = arg;

	return open_info(info, p->ciphertext);
}

/* Every flip of the info: with an AEAD each one is refused. */
static void
altered_info_is_refused(void **state)
{
	const struct method *m = *state;
	struct cose_recipient r = recipient(m);
	struct pair p;
	mst_span info;

	have(m);
	table[0].kid = r.kid = MST_LIT("kid");
	p.ciphertext = encrypt(MST_SUIT_A128GCM, &r, 1, MST_LIT("image"), &info);
	flips_are_refused(FLIPS_EVERY, info, open_pair, &p);
	for (size_t n = 0; n < info.len; n++) {
		uint8_t *copy = malloc(n != 0 ? n : 1);

		memcpy(copy, info.ptr, n);
		assert_int_not_equal(open_info(mst_span_of(copy, n), p.ciphertext), MST_OK);
		free(copy);
	}
}

/* --- made elsewhere --- */

/* By python3-cryptography, from keys that are SHA-256 of a word: no line of it is ours. */
static const struct foreign {
	const char *name;
	enum mst_suit_usage usage;
	int32_t alg;
	enum mst_suit_curve curve;
	const char *key, *info, *ciphertext;
} foreigners[] = {
	{ "X25519, ECDH-ES+A128KW, ChaCha20-Poly1305", MST_SUIT_USE_ECDH, MST_SUIT_ECDH_ES_A128KW,
	    MST_SUIT_X25519, "263a4dbe41488fb87214b0032339dbb9f0c8da14c16dfcf13084bf3c2552eca5",
	    "d8608444a1011818a1054c0ab306823035661bb8dba21cf6818344a101381ca120a30101"
	    "2004215820e29d7521911498b837ed692d12a81587898e0ac3f6208eac1069bca82fb6b6"
	    "335828f98abd71bd3dc38d1de46d2e5e0bd3d51aaeaf14487c744a277098e8e9e7983f44"
	    "f678cf42d95846",
	    "dfdca0ea8523e9feffd62fa39fed9c2b49944b39e73612df2a8aa09c40ae604f7c251596"
	    "b1b43e95f20620837108" },
	{ "P-256 by the sign of y, salt, ECDH-ES+A256KW, A256GCM", MST_SUIT_USE_ECDH,
	    MST_SUIT_ECDH_ES_A256KW, MST_SUIT_P256,
	    "93f840e35576943f6cc699255e2f8a2118e155a22dcb04a2ad8d087fe95847ca",
	    "d8608443a10103a1054c0ab306823035661bb8dba21cf6818344a101381ea2335273616c"
	    "74206f6620736f6d6520627974657320a4010220012158201202798a026065d9cf01e7ef"
	    "9d3209731ed13c8fbee2f3e362a1047aba6570af22f4582813d9c8b8976d993353d307c8"
	    "570e1c97c3455cf21bf6b7737a4d6b1bc2d106b3b6774829721fd5e3",
	    "e2db06fa289da9a8b04b92015b5c5419fc5512ef36f4cc699ca6c0f82ce5f6b7e234f5ea"
	    "91491e25959da459d6e4" },
	{ "A256KW, A256CTR with a counter that carries", MST_SUIT_USE_KEK, MST_SUIT_A256KW,
	    MST_SUIT_CURVE_NONE, "b794385f2d1ef7ab4d9273d1906381b44f2f6f2588a3efb96a49188331984753",
	    "d8608440a20139fffb05500000000000000001fffffffffffffffff6818340a101245828"
	    "fbb15ef0ac8f58ebc5870b9ec687bc2a74f0fc57fe2091ccb710f6a2063e459653378229"
	    "3a747bd0",
	    "e8f318de94185b68a75d83c339c2cea056405e638d6f6dcaae83f5aa7816" },
};
#define FOREIGNERS (sizeof foreigners / sizeof foreigners[0])

static mst_span
unhex(const char *text)
{
	struct mst_buf b = arena_buf(arena, 512);
	uint8_t byte;

	for (; *text != '\0'; text += 2) {
		assert_int_equal(sscanf(text, "%2hhx", &byte), 1);
		assert_int_equal(mst_buf_put_byte(&b, byte), MST_OK);
	}
	return mst_buf_span(&b);
}

static void
foreign_payload_opens(void **state)
{
	const struct foreign *f = *state;
	struct mst_buf out = MST_BUF(plain_bytes);
	enum mst_suit_decrypt_stage stage;

	table[0] = (struct mst_suit_key){
		.usage = f->usage, .alg = f->alg, .curve = f->curve, .material = unhex(f->key)
	};
	keys.count = 1;
	for (int loaded = 0; loaded < 2; loaded++) { /* its key read each time, and once */
		out.len = 0;
		assert_int_equal(
		    decrypt(unhex(f->info), unhex(f->ciphertext), 7, &out, &stage), MST_OK);
		assert_true(
		    mst_span_eq(mst_buf_span(&out), MST_LIT("This is a real firmware image.")));
		assert_int_equal(suit_openssl_load(&table[0]), MST_OK);
		assert_int_equal(table[0].handle != NULL, f->curve != MST_SUIT_CURVE_NONE);
	}
	suit_openssl_unload(&table[0]);
}

/* --- recipients --- */

static void
several_devices(void **state)
{
	struct cose_recipient r[4] = { recipient(&methods[3]), recipient(&methods[6]),
		recipient(&methods[0]), recipient(&methods[2]) };
	static const int mine[] = { 3, 6, 0, 2 };
	mst_span info, ct = encrypt(MST_SUIT_A256GCM, r, 4, MST_LIT("image"), &info);

	(void)state;
	for (int i = 0; i < 4; i++) {
		keys.count = 0;
		have(&methods[mine[i]]);
		assert_int_equal(open_info(info, ct), MST_OK);
	}
	keys.count = 0;
	have(&methods[1]);
	assert_int_equal(open_info(info, ct), MST_E_SUIT_RECIPIENT);
	keys.count = 0;
	assert_int_equal(open_info(info, ct), MST_E_SUIT_RECIPIENT);
}

static void
key_of_another_device(void **state)
{
	struct cose_recipient r = recipient(&methods[0]);
	EVP_PKEY *other = EVP_EC_gen("P-256");
	mst_span info, ct;

	(void)state;
	ct = encrypt(MST_SUIT_A128GCM, &r, 1, MST_LIT("image"), &info);
	have_kek(MST_SUIT_A128KW, MST_LIT("another kek here"));
	assert_int_equal(open_info(info, ct), MST_E_SUIT_UNWRAP);
	r = recipient(&methods[3]);
	ct = encrypt(MST_SUIT_A128GCM, &r, 1, MST_LIT("image"), &info);
	keys.count = 0;
	have_private(MST_SUIT_ECDH_ES_A128KW, other);
	assert_int_equal(open_info(info, ct), MST_E_SUIT_UNWRAP);
	/* and a key on the other curve */
	keys.count = 0;
	have_private(MST_SUIT_ECDH_ES_A128KW, x25519);
	assert_int_equal(open_info(info, ct), MST_E_SUIT_EPHEMERAL);
	EVP_PKEY_free(other);
}

static void
kid_selects(void **state)
{
	struct cose_recipient r = recipient(&methods[0]);
	mst_span info, ct;

	(void)state;
	r.kid = MST_LIT("one");
	ct = encrypt(MST_SUIT_A128CTR, &r, 1, MST_LIT("image"), &info);
	have(&methods[0]);
	table[0].kid = MST_LIT("two");
	assert_int_equal(open_info(info, ct), MST_E_SUIT_RECIPIENT);
	table[0].kid = MST_LIT("one");
	assert_int_equal(open_info(info, ct), MST_OK);
	table[0].kid = MST_NONE;
	assert_int_equal(open_info(info, ct), MST_OK);
}

static void
key_for_another_purpose(void **state)
{
	static const enum mst_suit_usage others[] = { MST_SUIT_USE_MAC_KEK,
		MST_SUIT_USE_MAC_MANIFEST, MST_SUIT_USE_CONTENT_REPORT, MST_SUIT_USE_ECDH,
		MST_SUIT_USE_SIGN_MANIFEST };
	const struct cose_recipient r = recipient(&methods[0]);
	mst_span info, ct = encrypt(MST_SUIT_A128GCM, &r, 1, MST_LIT("image"), &info);

	(void)state;
	have(&methods[0]);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		table[0].usage = others[i];
		assert_int_equal(open_info(info, ct), MST_E_SUIT_RECIPIENT);
	}
}

static void
tries_are_bounded(void **state)
{
	struct cose_recipient r[8];
	mst_span info, ct;

	(void)state;
	for (int i = 0; i < 8; i++)
		r[i] = recipient(&methods[0]);
	ct = encrypt(MST_SUIT_A128GCM, r, 8, MST_LIT("image"), &info);
	have_kek(MST_SUIT_A128KW, MST_LIT("another kek here"));
	assert_int_equal(open_info(info, ct), MST_E_SUIT_UNWRAP); /* eight tries */
	have_kek(MST_SUIT_A128KW, MST_LIT("a third kek here"));
	assert_int_equal(open_info(info, ct), MST_E_SUIT_AUTH_TRIES);
}

static void
fresh_for_each_payload(void **state)
{
	const struct cose_recipient r = recipient(&methods[3]);
	mst_span info[2], ct[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		ct[i] = encrypt(MST_SUIT_A128CTR, &r, 1, SECRET, &info[i]);
	assert_false(mst_span_eq(ct[0], ct[1]));
	assert_false(mst_span_eq(info[0], info[1]));
	have(&methods[3]);
	/* one's info over the other's ciphertext gives something else */
	struct mst_buf out = MST_BUF(plain_bytes);
	enum mst_suit_decrypt_stage stage;

	assert_int_equal(decrypt(info[0], ct[1], 16, &out, &stage), MST_OK);
	assert_int_equal(stage, MST_SUIT_DECRYPT_UNPROVEN);
	assert_false(mst_span_eq(mst_buf_span(&out), SECRET));
}

/* --- a hand-made info, with one thing changed --- */

/* RFC 3394 by SECRET's first half of the 16 bytes "CEKCEKCEKCEKCEKC". */
static mst_span
wrapped(void)
{
	struct mst_buf b = arena_buf(arena, 24);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_128_wrap(), NULL, SECRET.ptr, NULL), 1);
	assert_int_equal(
	    EVP_EncryptUpdate(ctx, b.ptr, &n, (const uint8_t *)"CEKCEKCEKCEKCEKC", 16), 1);
	EVP_CIPHER_CTX_free(ctx);
	return mst_span_of(b.ptr, (size_t)n);
}

#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}
#define GCM "\xa1\x01\x01"
#define IV12                                                                                       \
	"\xa1\x05\x4c"                                                                             \
	"0123456789ab"
#define CTR16                                                                                      \
	"\xa2\x01\x39\xff\xfd\x05\x50"                                                             \
	"0123456789abcdef"
#define KW "\x83\x40\xa1\x01\x22\x58\x18" /* and the wrapped key */

static const struct form {
	const char *name;
	mst_span head; /* of tag and array */
	mst_span protected_header, unprotected, ciphertext, recipients, tail; /* encoded */
	bool no_wrapped; /* recipients are whole as they stand */
	mst_err want;
} forms[] = {
	{ "nothing changed", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_OK },
	{ "AES-CTR", LIT("\xd8\x60\x84"), LIT("\x40"), LIT(CTR16), LIT("\xf6"), LIT("\x81" KW),
	    LIT(""), false, MST_OK },
	{ "recipient's protected h'a0'", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81\x83\x41\xa0\xa1\x01\x22\x58\x18"), LIT(""), false, MST_OK },
	{ "not tagged", LIT("\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"), LIT("\x81" KW),
	    LIT(""), false, MST_E_SUIT_ENCRYPT },
	{ "tag of COSE_Encrypt0", LIT("\xd0\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT },
	{ "tag in a longer form", LIT("\xd9\x00\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT },
	{ "array in a longer form", LIT("\xd8\x60\x98\x04"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT },
	{ "protected in a longer form", LIT("\xd8\x60\x84"), LIT("\x58\x03" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT },
	{ "recipients of indefinite length", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x9f" KW), LIT("\xff"), false, MST_E_COSE_INDEFINITE },
	{ "bytes behind", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81" KW), LIT("\x00"), false, MST_E_CBOR_TRAILING },
	{ "three items", LIT("\xd8\x60\x83"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"), LIT(""),
	    LIT(""), true, MST_E_SUIT_ENCRYPT },
	{ "ciphertext attached", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\x41x"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_ATTACHED },
	{ "ciphertext attached and empty", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\x40"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_ATTACHED },
	{ "no alg", LIT("\xd8\x60\x84"), LIT("\x40"), LIT(IV12), LIT("\xf6"), LIT("\x81" KW),
	    LIT(""), false, MST_E_COSE_ALG_MISSING },
	{ "AEAD: alg unprotected", LIT("\xd8\x60\x84"), LIT("\x40"),
	    LIT("\xa2\x01\x01\x05\x4c"
	        "0123456789ab"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_COSE_ALG_UNPROTECTED },
	{ "AES-CTR: alg protected (MTI)", LIT("\xd8\x60\x84"), LIT("\x45\xa1\x01\x39\xff\xfd"),
	    LIT("\xa1\x05\x50"
	        "0123456789abcdef"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_CTR },
	{ "AES-CTR: protected h'a0'", LIT("\xd8\x60\x84"), LIT("\x41\xa0"), LIT(CTR16), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_CTR },
	{ "alg in both", LIT("\xd8\x60\x84"), LIT("\x43" GCM),
	    LIT("\xa2\x01\x01\x05\x4c"
	        "0123456789ab"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_COSE_DUPLICATE },
	{ "AES-CCM (10)", LIT("\xd8\x60\x84"), LIT("\x43\xa1\x01\x0a"), LIT(IV12), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_ALG },
	{ "A192GCM (2)", LIT("\xd8\x60\x84"), LIT("\x43\xa1\x01\x02"), LIT(IV12), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_ALG },
	{ "AES-CBC (-65531)", LIT("\xd8\x60\x84"), LIT("\x40"),
	    LIT("\xa2\x01\x39\xff\xfa\x05\x50"
	        "0123456789abcdef"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_ALG },
	{ "no IV", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT("\xa0"), LIT("\xf6"), LIT("\x81" KW),
	    LIT(""), false, MST_E_SUIT_ENCRYPT_IV },
	{ "IV of 16 bytes with GCM (FE 6.1's text)", LIT("\xd8\x60\x84"), LIT("\x43" GCM),
	    LIT("\xa1\x05\x50"
	        "0123456789abcdef"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_IV },
	{ "IV of 12 bytes with AES-CTR", LIT("\xd8\x60\x84"), LIT("\x40"),
	    LIT("\xa2\x01\x39\xff\xfd\x05\x4c"
	        "0123456789ab"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_IV },
	{ "partial IV", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT("\xa1\x06\x41\x01"), LIT("\xf6"),
	    LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_IV },
	{ "IV and partial IV", LIT("\xd8\x60\x84"), LIT("\x43" GCM),
	    LIT("\xa2\x05\x4c"
	        "0123456789ab\x06\x41\x01"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_ENCRYPT_IV },
	{ "unknown label unprotected", LIT("\xd8\x60\x84"), LIT("\x43" GCM),
	    LIT("\xa2\x05\x4c"
	        "0123456789ab\x18\x2a\x00"),
	    LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_COSE_LABEL },
	{ "no recipient", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"), LIT("\x80"),
	    LIT(""), true, MST_E_SUIT_RECIPIENTS },
	{ "nine recipients", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x89\x80\x80\x80\x80\x80\x80\x80\x80\x80"), LIT(""), true, MST_E_SUIT_RECIPIENTS },
	{ "recipient no array", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81\xa0"), LIT(""), true, MST_E_SUIT_RECIPIENT_FORM },
	{ "recipient without alg", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81\x83\x40\xa0\x58\x18"), LIT(""), false, MST_E_COSE_ALG_MISSING },
	{ "recipient: key wrap protected", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81\x83\x43\xa1\x01\x22\xa0\x58\x18"), LIT(""), false,
	    MST_E_SUIT_RECIPIENT_FORM },
	{ "recipient: ECDH-ES unprotected", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81\x83\x40\xa1\x01\x38\x1c\x58\x18"), LIT(""), false,
	    MST_E_COSE_ALG_UNPROTECTED },
	{ "recipient: ECDH-ES without a key", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81\x83\x44\xa1\x01\x38\x1c\xa0\x58\x18"), LIT(""), false,
	    MST_E_SUIT_EPHEMERAL },
	{ "recipient: direct", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81\x83\x40\xa1\x01\x25\x40"), LIT(""), true, MST_E_SUIT_RECIPIENT },
	{ "recipient: ECDH-ES+HKDF-256 (-25)", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12),
	    LIT("\xf6"), LIT("\x81\x83\x44\xa1\x01\x38\x18\xa0\x40"), LIT(""), true,
	    MST_E_SUIT_RECIPIENT },
	{ "recipient: CEK of another length", LIT("\xd8\x60\x84"), LIT("\x43\xa1\x01\x03"),
	    LIT(IV12), LIT("\xf6"), LIT("\x81" KW), LIT(""), false, MST_E_SUIT_CEK },
	{ "recipient: ciphertext nil", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81\x83\x40\xa1\x01\x22\xf6"), LIT(""), true, MST_E_SUIT_RECIPIENT_FORM },
	{ "recipient: IV", LIT("\xd8\x60\x84"), LIT("\x43" GCM), LIT(IV12), LIT("\xf6"),
	    LIT("\x81\x83\x40\xa2\x01\x22\x05\x41x\x58\x18"), LIT(""), false,
	    MST_E_SUIT_RECIPIENT_FORM },
};
#define FORMS (sizeof forms / sizeof forms[0])

static mst_span
formed(const struct form *f)
{
	struct mst_buf b = arena_buf(arena, 512);
	const mst_span part[] = { f->head, f->protected_header, f->unprotected, f->ciphertext,
		f->recipients, f->no_wrapped ? MST_LIT("") : wrapped(), f->tail };

	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
		assert_int_equal(mst_buf_put(&b, part[i]), MST_OK);
	return mst_buf_span(&b);
}

static void
form_is_judged(void **state)
{
	const struct form *f = *state;
	struct mst_suit_decrypt d = { .crypto = NULL };

	have(&methods[0]);
	assert_int_equal(mst_suit_decrypt_begin(&d, suit_openssl(), &keys, formed(f)), f->want);
	assert_int_equal(
	    d.stage, f->want == MST_OK ? MST_SUIT_DECRYPT_RUNNING : MST_SUIT_DECRYPT_IDLE);
	mst_suit_decrypt_drop(&d);
	assert_int_equal(d.stage, MST_SUIT_DECRYPT_IDLE);
}

/* --- the ephemeral key --- */

static const struct point {
	const char *name;
	mst_span key; /* p stands for the x of a good point, q for its y */
	mst_err want;
} points[] = {
	{ "nothing changed", LIT("\xa4\x01\x02\x20\x01\x21\x58\x20p\x22\x58\x20q"),
	    MST_E_SUIT_UNWRAP },
	{ "its labels in another order", LIT("\xa4\x22\x58\x20q\x21\x58\x20p\x20\x01\x01\x02"),
	    MST_E_SUIT_UNWRAP },
	{ "y's sign alone", LIT("\xa4\x01\x02\x20\x01\x21\x58\x20p\x22\xf5"), MST_E_SUIT_UNWRAP },
	{ "kty OKP", LIT("\xa4\x01\x01\x20\x01\x21\x58\x20p\x22\x58\x20q"), MST_E_SUIT_EPHEMERAL },
	{ "crv P-384", LIT("\xa4\x01\x02\x20\x02\x21\x58\x20p\x22\x58\x20q"),
	    MST_E_SUIT_EPHEMERAL },
	{ "crv 2^32 + 1", LIT("\xa4\x01\x02\x20\x1b\0\0\0\1\0\0\0\1\x21\x58\x20p\x22\x58\x20q"),
	    MST_E_SUIT_EPHEMERAL },
	{ "no kty", LIT("\xa3\x20\x01\x21\x58\x20p\x22\x58\x20q"), MST_E_SUIT_EPHEMERAL },
	{ "no crv", LIT("\xa3\x01\x02\x21\x58\x20p\x22\x58\x20q"), MST_E_SUIT_EPHEMERAL },
	{ "no x", LIT("\xa3\x01\x02\x20\x01\x22\x58\x20q"), MST_E_SUIT_EPHEMERAL },
	{ "no y", LIT("\xa3\x01\x02\x20\x01\x21\x58\x20p"), MST_E_SUIT_EPHEMERAL },
	{ "x twice", LIT("\xa5\x01\x02\x20\x01\x21\x58\x20p\x21\x58\x20p\x22\x58\x20q"),
	    MST_E_COSE_DUPLICATE },
	{ "a private part", LIT("\xa5\x01\x02\x20\x01\x21\x58\x20p\x22\x58\x20q\x23\x41x"),
	    MST_E_SUIT_EPHEMERAL },
	{ "no point of the curve", LIT("\xa4\x01\x02\x20\x01\x21\x58\x20p\x22\x58\x20p"),
	    MST_E_SUIT_EPHEMERAL },
	{ "x of no bytes", LIT("\xa4\x01\x02\x20\x01\x21\x40\x22\x58\x20q"), MST_E_SUIT_EPHEMERAL },
	{ "y of no bytes", LIT("\xa4\x01\x02\x20\x01\x21\x58\x20p\x22\x40"), MST_E_SUIT_EPHEMERAL },
	{ "x a text", LIT("\xa4\x01\x02\x20\x01\x21\x60\x22\x58\x20q"), MST_E_SUIT_EPHEMERAL },
	{ "a byte string", LIT("\x41x"), MST_E_SUIT_EPHEMERAL },
	{ "of indefinite length", LIT("\xbf\x01\x02\x20\x01\x21\x58\x20p\x22\x58\x20q\xff"),
	    MST_E_COSE_INDEFINITE },
};
#define POINTS (sizeof points / sizeof points[0])

static void
ephemeral_is_judged(void **state)
{
	const struct point *p = *state;
	struct mst_buf r = arena_buf(arena, 512);
	struct form f = forms[0];
	struct cose_key good;
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	assert_int_equal(cose_key_from_pkey(arena, pkey, &good), MST_OK);
	EVP_PKEY_free(pkey);
	assert_int_equal(mst_buf_put(&r, MST_LIT("\x81\x83\x44\xa1\x01\x38\x1c\xa1\x20")), MST_OK);
	for (size_t i = 0; i < p->key.len; i++) {
		uint8_t b = p->key.ptr[i];
		mst_span put = b == 'p' ? good.x : b == 'q' ? good.y : mst_span_of(&b, 1);

		assert_int_equal(mst_buf_put(&r, put), MST_OK);
	}
	assert_int_equal(mst_buf_put(&r, MST_LIT("\x58\x18")), MST_OK);
	f.recipients = mst_buf_span(&r);
	have(&methods[3]);
	/* "nothing changed" gets as far as the wrapped key, which was made for somebody else */
	assert_int_equal(open_info(formed(&f), MST_LIT("x")), p->want);
}

/* RFC 7748 6.1: a point of small order leads to zeros, whatever the private key. */
static void
x25519_of_small_order(void **state)
{
	static const uint8_t low[][32] = { { 0 }, { 1 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1,
		    0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62,
		    0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 } };

	(void)state;
	have(&methods[6]);
	for (size_t i = 0; i < 3; i++) {
		struct mst_buf r = arena_buf(arena, 128);
		struct form f = forms[0];

		assert_int_equal(mst_buf_put(&r, MST_LIT("\x81\x83\x44\xa1\x01\x38\x1c\xa1\x20"
		                                         "\xa3\x01\x01\x20\x04\x21\x58\x20")),
		    MST_OK);
		assert_int_equal(mst_buf_put(&r, mst_span_of(low[i], 32)), MST_OK);
		assert_int_equal(mst_buf_put(&r, MST_LIT("\x58\x18")), MST_OK);
		f.recipients = mst_buf_span(&r);
		assert_int_equal(open_info(formed(&f), MST_LIT("x")), MST_E_SUIT_EPHEMERAL);
	}
}

/* --- the stream --- */

static void
space_is_asked_for_before(void **state)
{
	const struct cose_recipient r = recipient(&methods[0]);
	struct mst_suit_decrypt d = { .crypto = NULL };
	uint8_t small[10];
	struct mst_buf out = MST_BUF(small), all = MST_BUF(plain_bytes);
	mst_span info, ct = encrypt(MST_SUIT_A128GCM, &r, 1, SECRET, &info);

	(void)state;
	have(&methods[0]);
	assert_int_equal(mst_suit_decrypt_begin(&d, suit_openssl(), &keys, info), MST_OK);
	assert_int_equal(mst_suit_decrypt_update(&d, ct, &out), MST_E_SPACE);
	assert_int_equal(out.len, 0);
	/* nothing was taken: it goes on */
	assert_int_equal(mst_suit_decrypt_update(&d, ct, &all), MST_OK);
	assert_int_equal(mst_suit_decrypt_finish(&d), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&all), SECRET));
	mst_suit_decrypt_drop(&d);
}

static void
given_up_is_wiped(void **state)
{
	const struct cose_recipient r = recipient(&methods[0]);
	struct mst_suit_decrypt d = { .crypto = NULL };
	struct mst_buf out = MST_BUF(plain_bytes);
	mst_span info, ct = encrypt(MST_SUIT_A128GCM, &r, 1, SECRET, &info);
	const uint8_t *bytes = (const uint8_t *)&d;

	(void)state;
	have(&methods[0]);
	assert_int_equal(mst_suit_decrypt_begin(&d, suit_openssl(), &keys, info), MST_OK);
	assert_int_equal(mst_suit_decrypt_update(&d, ct, &out), MST_OK);
	mst_suit_decrypt_drop(&d);
	for (size_t i = 0; i < sizeof d; i++)
		assert_int_equal(bytes[i], 0);
	/* begun anew while running: the first is given up (the leak checker would tell) */
	assert_int_equal(mst_suit_decrypt_begin(&d, suit_openssl(), &keys, info), MST_OK);
	assert_int_equal(mst_suit_decrypt_begin(&d, suit_openssl(), &keys, info), MST_OK);
	mst_suit_decrypt_drop(&d);
	mst_suit_decrypt_drop(&d);
}

static void
back_end_without_ciphers(void **state)
{
	struct mst_suit_crypto bare = *suit_openssl();
	const struct cose_recipient kw = recipient(&methods[0]), es = recipient(&methods[3]);
	struct mst_suit_decrypt d = { .crypto = NULL };
	mst_span info;

	(void)state;
	have(&methods[0]);
	have(&methods[3]);
	(void)encrypt(MST_SUIT_A128GCM, &kw, 1, SECRET, &info);
	bare.cipher_begin = NULL;
	assert_int_equal(mst_suit_decrypt_begin(&d, &bare, &keys, info), MST_E_UNSUPPORTED);
	bare.unwrap = NULL;
	assert_int_equal(mst_suit_decrypt_begin(&d, &bare, &keys, info), MST_E_UNSUPPORTED);
	(void)encrypt(MST_SUIT_A128GCM, &es, 1, SECRET, &info);
	bare = *suit_openssl();
	bare.derive = NULL;
	assert_int_equal(mst_suit_decrypt_begin(&d, &bare, &keys, info), MST_E_UNSUPPORTED);
}

/* --- COSE_Key --- */

static void
keys_go_round(void **state)
{
	static const char *const curves[] = { "P-256", "P-384", "P-521" };
	struct cose_key k, again;
	mst_span encoded;
	EVP_PKEY *pkey, *back;

	(void)state;
	for (int i = 0; i < 5; i++) {
		pkey = i < 3 ? EVP_EC_gen(curves[i])
		             : EVP_PKEY_Q_keygen(NULL, NULL, i == 3 ? "ED25519" : "X25519");
		assert_int_equal(cose_key_from_pkey(arena, pkey, &k), MST_OK);
		k.kid = MST_LIT("kid");
		k.alg = i < 4 ? cose_signer_alg(pkey) : 0;
		for (int part = 0; part < 2; part++) {
			assert_int_equal(cose_key_encode(arena, &k,
			                     part == 0 ? COSE_KEY_PUBLIC : COSE_KEY_ALL, &encoded),
			    MST_OK);
			assert_int_equal(mst_cbor_validate_unique(encoded), MST_OK);
			assert_int_equal(cose_key_decode(arena, encoded, &again), MST_OK);
			assert_int_equal(again.alg, k.alg);
			assert_true(mst_span_eq(again.kid, k.kid));
			assert_true(mst_span_eq(again.x, k.x) && mst_span_eq(again.y, k.y));
			assert_true(part == 0 ? again.d.ptr == NULL : mst_span_eq(again.d, k.d));
			assert_int_equal(cose_key_to_pkey(&again, &back), MST_OK);
			assert_int_equal(EVP_PKEY_eq(pkey, back), 1);
			EVP_PKEY_free(back);
			for (size_t n = 0; n < encoded.len; n++)
				assert_int_not_equal(
				    cose_key_decode(arena, mst_span_of(encoded.ptr, n), &again),
				    MST_OK);
		}
		/* another's private half */
		((uint8_t *)(uintptr_t)k.d.ptr)[k.d.len - 1] ^= 8;
		assert_int_equal(cose_key_encode(arena, &k, COSE_KEY_ALL, &encoded), MST_OK);
		if (i < 3)
			assert_int_equal(cose_key_decode(arena, encoded, &again), MST_E_SUIT_KEY);
		EVP_PKEY_free(pkey);
	}
}

static const struct key_row {
	const char *name;
	mst_span encoded;
	mst_err want;
} key_rows[] = {
	{ "symmetric", LIT("\xa2\x01\x04\x20\x41x"), MST_OK },
	{ "symmetric, empty", LIT("\xa2\x01\x04\x20\x40"), MST_E_SUIT_KEY },
	{ "symmetric without k", LIT("\xa1\x01\x04"), MST_E_SUIT_KEY },
	{ "HSS-LMS a byte short",
	    LIT("\xa2\x01\x05\x20\x58\x3b"
	        "01234567890123456789012345678901234567890123456789012345678"),
	    MST_E_SUIT_KEY },
	{ "HSS-LMS",
	    LIT("\xa2\x01\x05\x20\x58\x3c"
	        "012345678901234567890123456789012345678901234567890123456789"),
	    MST_OK },
	{ "no kty", LIT("\xa1\x20\x41x"), MST_E_SUIT_KEY },
	{ "kty RSA", LIT("\xa2\x01\x03\x20\x41x"), MST_E_SUIT_KEY },
	{ "kty a text",
	    LIT("\xa1\x01\x63"
	        "EC2"),
	    MST_E_SUIT_KEY },
	{ "label twice", LIT("\xa3\x01\x04\x20\x41x\x20\x41x"), MST_E_CBOR_DUPLICATE },
	{ "label twice, in two forms", LIT("\xa3\x01\x04\x20\x41x\x18\x01\x04"),
	    MST_E_CBOR_DUPLICATE },
	{ "indefinite length", LIT("\xbf\x01\x04\x20\x41x\xff"), MST_E_COSE_INDEFINITE },
	{ "EC2 with bytes for a curve", LIT("\xa4\x01\x02\x20\x41x\x21\x41x\x22\x41x"),
	    MST_E_SUIT_KEY },
	{ "EC2 on X25519", LIT("\xa4\x01\x02\x20\x04\x21\x41x\x22\x41x"), MST_E_SUIT_KEY },
	{ "EC2 no point",
	    LIT("\xa4\x01\x02\x20\x01\x21\x58\x20"
	        "01234567890123456789012345678901\x22\x58\x20"
	        "01234567890123456789012345678901"),
	    MST_E_SUIT_KEY },
	{ "OKP on P-256", LIT("\xa3\x01\x01\x20\x01\x21\x41x"), MST_E_SUIT_KEY },
	{ "OKP a byte short",
	    LIT("\xa3\x01\x01\x20\x06\x21\x58\x1f"
	        "0123456789012345678901234567890"),
	    MST_E_SUIT_KEY },
};
#define KEY_ROWS (sizeof key_rows / sizeof key_rows[0])

static void
key_is_judged(void **state)
{
	const struct key_row *k = *state;
	struct cose_key out;

	assert_int_equal(cose_key_decode(arena, k->encoded, &out), k->want);
}

static void
key_rows_are_judged(void **state)
{
	static const enum mst_suit_usage all[] = { MST_SUIT_USE_SIGN_MANIFEST,
		MST_SUIT_USE_MAC_MANIFEST, MST_SUIT_USE_MAC_KEK, MST_SUIT_USE_KEK,
		MST_SUIT_USE_ECDH, MST_SUIT_USE_SIGN_REPORT, MST_SUIT_USE_MAC_REPORT,
		MST_SUIT_USE_CONTENT_REPORT };
	/* which of those each kind of key serves: secret of 32 bytes, P-256, X25519, P-384 */
	static const bool serves[4][8] = { { 0, 1, 1, 1, 0, 0, 1, 1 }, { 1, 0, 0, 0, 1, 1, 0, 0 },
		{ 0, 0, 0, 0, 1, 0, 0, 0 }, { 1, 0, 0, 0, 0, 1, 0, 0 } };
	EVP_PKEY *const pkeys[] = { NULL, p256, x25519, p384 };

	(void)state;
	for (int i = 0; i < 4; i++)
		for (int u = 0; u < 8; u++) {
			struct cose_key k = { .kty = COSE_KTY_SYMMETRIC, .k = SECRET };
			struct mst_suit_key row;

			if (pkeys[i] != NULL)
				assert_int_equal(cose_key_from_pkey(arena, pkeys[i], &k), MST_OK);
			assert_int_equal(cose_key_row(arena, &k, all[u], 0, &row),
			    serves[i][u] ? MST_OK : MST_E_SUIT_KEY_USAGE);
			if (serves[i][u])
				assert_int_equal(cose_key_row(arena, &k, all[u], 32, &row),
				    MST_E_SUIT_KEY_USAGE);
		}
}

static void
author_refuses(void **state)
{
	struct cose_recipient r[9];
	struct cose_encryptor *c;
	mst_span info;

	(void)state;
	for (int i = 0; i < 9; i++)
		r[i] = recipient(&methods[0]);
	assert_int_equal(
	    cose_encrypt_begin(arena, MST_SUIT_A128GCM, r, 0, &c, &info), MST_E_SUIT_RECIPIENTS);
	assert_int_equal(
	    cose_encrypt_begin(arena, MST_SUIT_A128GCM, r, 9, &c, &info), MST_E_SUIT_RECIPIENTS);
	assert_int_equal(cose_encrypt_begin(arena, 10, r, 1, &c, &info), MST_E_SUIT_ENCRYPT_ALG);
	r[0].kek.len = 15;
	assert_int_equal(
	    cose_encrypt_begin(arena, MST_SUIT_A128GCM, r, 1, &c, &info), MST_E_SUIT_KEY_USAGE);
	r[0] = (struct cose_recipient){ .alg = MST_SUIT_ECDH_ES_A128KW, .key = p384 };
	assert_int_equal(
	    cose_encrypt_begin(arena, MST_SUIT_A128GCM, r, 1, &c, &info), MST_E_SUIT_KEY_USAGE);
	r[0].key = NULL;
	assert_int_equal(
	    cose_encrypt_begin(arena, MST_SUIT_A128GCM, r, 1, &c, &info), MST_E_SUIT_KEY_USAGE);
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
	snprintf(names[row_count], sizeof names[0], "%s: %s", clause, name);
	rows[row_count] =
	    (struct CMUnitTest){ names[row_count], f, no_keys, NULL, (void *)(uintptr_t)state };
	row_count++;
}

int
main(void)
{
	static const struct {
		const char *name;
		int32_t alg;
	} aeads[] = { { "A128GCM", MST_SUIT_A128GCM }, { "A256GCM", MST_SUIT_A256GCM },
		{ "ChaCha20-Poly1305", MST_SUIT_CHACHA20_POLY1305 } };

	for (size_t i = 0; i < METHODS; i++)
		row("SUIT-15 opens", methods[i].name, opens, &methods[i]);
	for (size_t i = 0; i < 3; i++)
		row("SUIT-15 ciphertext altered", aeads[i].name, altered_ciphertext_is_refused,
		    (void *)(intptr_t)aeads[i].alg);
	row("SUIT-15 info altered", methods[0].name, altered_info_is_refused, &methods[0]);
	row("SUIT-15 info altered", methods[3].name, altered_info_is_refused, &methods[3]);
	for (size_t i = 0; i < FOREIGNERS; i++)
		row("SUIT-15 made elsewhere", foreigners[i].name, foreign_payload_opens,
		    &foreigners[i]);
	row("SUIT-15 recipients", "several devices", several_devices, NULL);
	row("SUIT-15 recipients", "key of another device", key_of_another_device, NULL);
	row("SUIT-15 recipients", "kid selects", kid_selects, NULL);
	row("SUIT-3.7 recipients", "key for another purpose", key_for_another_purpose, NULL);
	row("SUIT-21 recipients", "eight tries", tries_are_bounded, NULL);
	row("SUIT-15", "a fresh key for each payload", fresh_for_each_payload, NULL);
	for (size_t i = 0; i < FORMS; i++)
		row("SUIT-15 form", forms[i].name, form_is_judged, &forms[i]);
	for (size_t i = 0; i < POINTS; i++)
		row("SUIT-15 ephemeral key", points[i].name, ephemeral_is_judged, &points[i]);
	row("SUIT-15 ephemeral key", "X25519 of small order", x25519_of_small_order, NULL);
	row("SUIT-15 stream", "room is asked for before", space_is_asked_for_before, NULL);
	row("SUIT-22 stream", "given up, it is wiped", given_up_is_wiped, NULL);
	row("SUIT-17", "a back-end without ciphers", back_end_without_ciphers, NULL);
	row("SUIT-17 COSE_Key", "there and back", keys_go_round, NULL);
	for (size_t i = 0; i < KEY_ROWS; i++)
		row("SUIT-17 COSE_Key", key_rows[i].name, key_is_judged, &key_rows[i]);
	row("SUIT-3.7 COSE_Key", "one key, one purpose", key_rows_are_judged, NULL);
	row("SUIT-15 author", "refuses", author_refuses, NULL);
	return _cmocka_run_group_tests("suit_decrypt", rows, row_count, make_keys, drop_keys);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published envelopes of SUIT, its encrypted payloads, and the COSE working
 * group's examples, judged by core/cose and core/hss over OpenSSL. The keys
 * are those that the drafts print.
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

#include <jansson.h>

#include "crypto/openssl/suit_openssl.h"
#include "muster/cbor.h"
#include "muster/hss.h"

/* --- files --- */

static uint8_t file[1 << 16];

static const char *
vector_path(char *path, size_t size, const char *name)
{
	const char *root = getenv("MUSTER_VECTORS");

	if (root == NULL)
		root = MUSTER_SOURCE_DIR "/../shared/vectors";
	snprintf(path, size, "%s/%s", root, name);
	return path;
}

static mst_span
load(const char *name)
{
	char path[512];
	FILE *f = fopen(vector_path(path, sizeof path, name), "rb");
	size_t n;

	if (f == NULL) {
		print_message("%s is not here: skipped\n", path);
		skip();
	}
	n = fread(file, 1, sizeof file, f);
	fclose(f);
	assert_in_range(n, 1, sizeof file - 1);
	return mst_span_of(file, n);
}

static size_t
unhex(const char *text, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;
	int high = -1;

	for (size_t i = 0; i < len; i++) {
		const char *at = strchr("0123456789abcdef", text[i] | 0x20);

		if (text[i] == ' ' || text[i] == '\n' || text[i] == '\r')
			continue;
		assert_non_null(at);
		if (high < 0) {
			high = (int)(at - "0123456789abcdef");
			continue;
		}
		assert_true(n < cap);
		out[n++] = (uint8_t)(high << 4 | (int)(at - "0123456789abcdef"));
		high = -1;
	}
	assert_int_equal(high, -1);
	return n;
}

static mst_span
load_hex(const char *name, uint8_t *out, size_t cap)
{
	mst_span text = load(name);

	return mst_span_of(out, unhex((const char *)text.ptr, text.len, out, cap));
}

static size_t
literal(const char *hex, uint8_t *out, size_t cap)
{
	return unhex(hex, strlen(hex), out, cap);
}

/* --- the drafts' keys --- */

/* M, TD, FE: the author's; FE: the distributor's, a MAC key, the device's KEK and ECDH key. */
static uint8_t author[65], distributor[65], device_key[32];
static struct mst_suit_key drafts[8];
static struct mst_suit_keys draft_keys = { drafts, 0 };

static void
add(enum mst_suit_usage usage, int32_t alg, uint8_t authority, mst_span kid, mst_span material)
{
	drafts[draft_keys.count++] = (struct mst_suit_key){ .usage = usage,
		.equivalence = MST_SUIT_EQUIVALENT_ALG,
		.curve = usage == MST_SUIT_USE_ECDH ? MST_SUIT_P256 : MST_SUIT_CURVE_NONE,
		.alg = alg,
		.authority = authority,
		.kid = kid,
		.material = material };
}

static int
set_keys(void **state)
{
	(void)state;
	draft_keys.count = 0;
	literal("048496811AAE0BAAABD26157189EECDA26BEAA8BF11B6F3FE6E2B5659C85DBC0AD3B1F2A4B"
	        "6C098131C0A36DACD1D78BD381DCDFB09C052DB33991DB7338B4A896",
	    author, sizeof author);
	literal("040E908AA8F066DB1F084E0C3652C63952BD99F2A5BDB22F9E01367AAD03ABA68B77DA1BD8"
	        "AC4F0CB490BA210648BF79AB164D49AD3551D71D314B2749EE42D29A",
	    distributor, sizeof distributor);
	literal("60FE6DD6D85D5740A5349B6F91267EEAC5BA81B8CB53EE249E4B4EB102C476B3", device_key,
	    sizeof device_key);
	add(MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ESP256, 0, MST_NONE,
	    mst_span_of(author, sizeof author));
	add(MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, 1, MST_NONE,
	    mst_span_of(distributor, sizeof distributor));
	add(MST_SUIT_USE_MAC_MANIFEST, MST_SUIT_HMAC256, 2, MST_NONE,
	    MST_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	add(MST_SUIT_USE_KEK, MST_SUIT_A128KW, 2, MST_LIT("kid-1"), MST_LIT("aaaaaaaaaaaaaaaa"));
	add(MST_SUIT_USE_ECDH, MST_SUIT_ECDH_ES_A128KW, 2, MST_LIT("kid-2"),
	    mst_span_of(device_key, sizeof device_key));
	return 0;
}

/* --- envelopes --- */

/* Keys 2 and 3 of the envelope, tagged or not. */
static void
open_envelope(mst_span envelope, mst_span *auth, mst_span *manifest)
{
	struct mst_cbor_reader r;

	*auth = *manifest = MST_NONE;
	mst_cbor_init(&r, envelope);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		assert_int_equal(mst_cbor_tag(&r), 107);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		int64_t key =
		    mst_cbor_peek(&r) == MST_CBOR_TEXT ? (mst_cbor_skip(&r), 0) : mst_cbor_int(&r);

		if (key == 2)
			*auth = mst_cbor_bytes(&r);
		else if (key == 3)
			*manifest = mst_cbor_bytes(&r);
		else
			mst_cbor_skip(&r);
	}
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static mst_err
judge_envelope(mst_span auth, mst_span manifest, uint32_t *verified)
{
	const struct mst_suit_policy any = { 0, 0 };
	struct mst_suit_digest_claim claim;
	struct mst_suit_auth a;
	struct mst_cbor_reader r;
	mst_span digest;
	mst_err e;

	mst_cbor_init(&r, auth);
	mst_cbor_array(&r);
	digest = mst_cbor_bytes(&r);
	mst_suit_auth_begin(&a, suit_openssl(), &draft_keys, digest);
	while (mst_cbor_more(&r))
		if ((e = mst_suit_auth_block(&a, mst_cbor_bytes(&r))) != MST_OK)
			return e;
	*verified = a.verified;
	if ((e = mst_cbor_end(&r)) != MST_OK || (e = mst_suit_auth_judge(&a, &any)) != MST_OK ||
	    (e = mst_suit_digest_parse(digest, &claim)) != MST_OK)
		return e;
	return mst_suit_digest_check_wrapped(suit_openssl(), &claim, manifest);
}

static const struct {
	const char *name;
	uint32_t by;
} envelopes[] = {
	{ "manifest-ex0-0", 0 },
	{ "manifest-ex0-1", 1 },
	{ "manifest-ex1-0", 0 },
	{ "manifest-ex1-1", 1 },
	{ "manifest-ex2-0", 0 },
	{ "manifest-ex2-1", 1 },
	{ "manifest-ex2-2", 1 },
	{ "manifest-ex3-0", 0 },
	{ "manifest-ex3-1", 1 },
	{ "manifest-ex4-0", 0 },
	{ "manifest-ex4-1", 1 },
	{ "manifest-ex5-0", 0 },
	{ "manifest-ex5-1", 1 },
	{ "td-example0_dependent", 1 },
	{ "td-example1_process", 1 },
	{ "td-example2_integrated", 1 },
	{ "teep-suit_uri", 1 },
	{ "teep-suit_integrated", 1 },
	{ "teep-suit_personalization", 1 },
	{ "fe-suit-manifest-aes-kw", 4 },
	{ "fe-suit-manifest-aes-kw-content", 4 },
	{ "fe-suit-manifest-aes-kw-slot", 4 },
	{ "fe-suit-manifest-es-ecdh-content", 1 },
	{ "fe-suit-manifest-es-ecdh-dependency", 3 },
};
#define ENVELOPES (sizeof envelopes / sizeof envelopes[0])

static void
envelope_verifies(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	mst_span auth, manifest;
	uint32_t verified = 0;
	char name[96];

	snprintf(name, sizeof name, "suit/%s.suit", envelopes[i].name);
	open_envelope(load(name), &auth, &manifest);
	if (envelopes[i].by == 0) { /* as it stands in the draft before it is signed */
		assert_int_equal(judge_envelope(auth, manifest, &verified), MST_E_SUIT_AUTH_NONE);
		return;
	}
	assert_int_equal(judge_envelope(auth, manifest, &verified), MST_OK);
	assert_true((verified & envelopes[i].by) != 0);
	assert_int_equal(verified & ~envelopes[i].by, 0);
	/* the manifest with its last bit changed */
	file[manifest.ptr - file + (ptrdiff_t)manifest.len - 1] ^= 1;
	assert_int_equal(judge_envelope(auth, manifest, &verified), MST_E_SUIT_DIGEST_MISMATCH);
}

/* --- encrypted payloads --- */

static const char *const payloads[] = { "aes-kw-aes-gcm", "aes-kw-aes-ctr", "es-ecdh-aes-gcm",
	"es-ecdh-aes-ctr" };

static mst_err
decrypt(mst_span info, mst_span ciphertext, size_t block, struct mst_buf *out,
    enum mst_suit_decrypt_stage *stage)
{
	struct mst_suit_decrypt d = { .crypto = NULL };
	mst_err e = mst_suit_decrypt_begin(&d, suit_openssl(), &draft_keys, info);

	for (size_t at = 0; e == MST_OK && at < ciphertext.len; at += block) {
		size_t n = ciphertext.len - at < block ? ciphertext.len - at : block;

		e = mst_suit_decrypt_update(&d, mst_span_of(ciphertext.ptr + at, n), out);
	}
	if (e == MST_OK)
		e = mst_suit_decrypt_finish(&d);
	*stage = d.stage;
	return e;
}

static void
payload_decrypts(void **state)
{
	const char *which = *state;
	uint8_t info_bytes[512], cipher_bytes[128], plain[128];
	enum mst_suit_decrypt_stage stage;
	mst_span info, ciphertext;
	char name[96];

	snprintf(name, sizeof name, "suit-encryption/suit-encryption-info-%s.hex", which);
	info = load_hex(name, info_bytes, sizeof info_bytes);
	snprintf(name, sizeof name, "suit-encryption/encrypted-payload-%s.hex", which);
	ciphertext = load_hex(name, cipher_bytes, sizeof cipher_bytes);
	for (size_t block = 1; block <= ciphertext.len; block++) {
		struct mst_buf out = MST_BUF(plain);

		assert_int_equal(decrypt(info, ciphertext, block, &out, &stage), MST_OK);
		assert_int_equal(stage, strstr(which, "gcm") != NULL ? MST_SUIT_DECRYPT_AUTHENTIC
		                                                     : MST_SUIT_DECRYPT_UNPROVEN);
		assert_true(
		    mst_span_eq(mst_buf_span(&out), MST_LIT("This is a real firmware image.")));
	}
}

/* --- COSE working group --- */

static json_t *
load_json(const char *name)
{
	mst_span text = load(name);
	json_t *j = json_loadb((const char *)text.ptr, text.len, 0, NULL);

	assert_non_null(j);
	return j;
}

static uint8_t message[8192], payload_bytes[64], detached[8192], part[4][128];

/* The example's message with its payload taken out: MST_NONE when it is another kind of thing. */
static mst_span
detach(mst_span in, mst_span *payload)
{
	struct mst_buf out = MST_BUF(detached);
	struct mst_cbor_reader r;
	size_t from;

	mst_cbor_init(&r, in);
	(void)mst_cbor_tag(&r);
	mst_cbor_array(&r);
	mst_cbor_skip(&r);
	mst_cbor_skip(&r);
	from = r.at;
	*payload = mst_cbor_bytes(&r);
	assert_int_equal(r.err, MST_OK);
	assert_int_equal(mst_buf_put(&out, mst_span_of(in.ptr, from)), MST_OK);
	assert_int_equal(mst_buf_put_byte(&out, 0xf6), MST_OK);
	assert_int_equal(mst_buf_put(&out, mst_span_of(in.ptr + r.at, in.len - r.at)), MST_OK);
	return mst_buf_span(&out);
}

static size_t
base64url(const char *text, uint8_t *out, size_t cap)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	for (; *text != '\0'; text++) {
		const char *at = strchr(digits, *text);

		assert_non_null(at);
		bits = bits << 6 | (uint32_t)(at - digits);
		if ((have += 6) >= 8) {
			have -= 8;
			assert_true(n < cap);
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

static const char *
text_of(json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

/* A coordinate or key, as base64url or (with _hex behind its name) as hex. */
static size_t
bytes_of(json_t *j, const char *key, uint8_t *out, size_t cap)
{
	char hexed[32];

	if (text_of(j, key) != NULL)
		return base64url(text_of(j, key), out, cap);
	snprintf(hexed, sizeof hexed, "%s_hex", key);
	return text_of(j, hexed) == NULL ? 0 : literal(text_of(j, hexed), out, cap);
}

static struct mst_suit_key
key_of(json_t *j, uint8_t store[160])
{
	const char *crv = text_of(j, "crv"), *kty = text_of(j, "kty");
	struct mst_suit_key k = { .usage = MST_SUIT_USE_SIGN_MANIFEST,
		.equivalence = MST_SUIT_EQUIVALENT_ALG };
	size_t half, n;

	if (strcmp(kty, "HSS-LMS") == 0) {
		k.alg = MST_SUIT_HSS_LMS;
		k.material = mst_span_of(store, literal(text_of(j, "public"), store, 160));
	} else if (strcmp(kty, "EC") == 0) {
		half = strcmp(crv, "P-256") == 0 ? 32 : strcmp(crv, "P-384") == 0 ? 48 : 66;
		memset(store, 0, 160);
		store[0] = 4;
		n = bytes_of(j, "x", part[0], sizeof part[0]);
		memcpy(store + 1 + half - n, part[0], n);
		n = bytes_of(j, "y", part[0], sizeof part[0]);
		memcpy(store + 1 + 2 * half - n, part[0], n);
		k.alg = half == 32 ? MST_SUIT_ES256 : half == 48 ? MST_SUIT_ES384 : MST_SUIT_ES512;
		k.material = mst_span_of(store, 1 + 2 * half);
	} else if (strcmp(kty, "OKP") == 0) {
		k.alg = MST_SUIT_EDDSA;
		k.material = mst_span_of(store, bytes_of(j, "x", store, 160));
	} else {
		k.usage = MST_SUIT_USE_MAC_MANIFEST;
		k.alg = MST_SUIT_HMAC256;
		k.material = mst_span_of(store, bytes_of(j, "k", store, 160));
	}
	return k;
}

/* What an example must come to here, where our rules are narrower than COSE's. */
struct example {
	const char *name;
	mst_err want;
};

static const struct example examples[] = {
	{ "sign-tests/sign-pass-01", MST_OK },
	{ "sign-tests/sign-pass-02", MST_E_COSE_SIGNATURE }, /* external data: SUIT has none */
	{ "sign-tests/sign-pass-03", MST_E_SUIT_COSE_TAG }, /* untagged */
	{ "sign-tests/sign-fail-01", MST_E_SUIT_COSE_TAG },
	{ "sign-tests/sign-fail-02", MST_E_COSE_SIGNATURE },
	{ "sign-tests/sign-fail-03", MST_E_COSE_ALGORITHM },
	{ "sign-tests/sign-fail-04", MST_E_COSE_ALGORITHM },
	{ "sign-tests/sign-fail-06", MST_E_COSE_SIGNATURE },
	{ "sign-tests/sign-fail-07", MST_E_COSE_SIGNATURE },
	{ "sign-tests/ecdsa-01", MST_OK },
	{ "sign1-tests/sign-pass-01", MST_E_COSE_ALG_UNPROTECTED },
	{ "sign1-tests/sign-pass-02", MST_E_COSE_SIGNATURE }, /* external data */
	{ "sign1-tests/sign-pass-03", MST_E_SUIT_COSE_TAG },
	{ "sign1-tests/sign-fail-01", MST_E_SUIT_COSE_TAG },
	{ "sign1-tests/sign-fail-02", MST_E_COSE_SIGNATURE },
	{ "sign1-tests/sign-fail-03", MST_E_COSE_ALGORITHM },
	{ "sign1-tests/sign-fail-04", MST_E_COSE_ALGORITHM },
	{ "sign1-tests/sign-fail-06", MST_E_COSE_SIGNATURE },
	{ "sign1-tests/sign-fail-07", MST_E_COSE_SIGNATURE },
	{ "ecdsa-examples/ecdsa-01", MST_OK },
	{ "ecdsa-examples/ecdsa-02", MST_OK },
	{ "ecdsa-examples/ecdsa-03", MST_OK },
	{ "ecdsa-examples/ecdsa-04", MST_E_COSE_SIGNATURE_LENGTH }, /* ES512 on P-256 */
	{ "ecdsa-examples/ecdsa-sig-01", MST_OK },
	{ "ecdsa-examples/ecdsa-sig-02", MST_OK },
	{ "ecdsa-examples/ecdsa-sig-03", MST_OK },
	{ "ecdsa-examples/ecdsa-sig-04", MST_E_COSE_SIGNATURE_LENGTH },
	{ "eddsa-examples/eddsa-01", MST_OK },
	{ "eddsa-examples/eddsa-02", MST_E_COSE_SIGNATURE_LENGTH }, /* Ed448 */
	{ "eddsa-examples/eddsa-sig-01", MST_OK },
	{ "eddsa-examples/eddsa-sig-02", MST_E_COSE_SIGNATURE_LENGTH },
	{ "hashsig/hashsig-01", MST_OK },
	{ "hashsig/hsssig-sig-01", MST_OK },
	{ "mac0-tests/HMac-01", MST_OK },
	{ "mac0-tests/mac-pass-01", MST_E_COSE_ALG_UNPROTECTED },
	{ "mac0-tests/mac-pass-02", MST_E_COSE_ALG_UNPROTECTED },
	{ "mac0-tests/mac-pass-03", MST_E_SUIT_COSE_TAG },
	{ "mac0-tests/mac-fail-01", MST_E_SUIT_COSE_TAG },
	{ "mac0-tests/mac-fail-02", MST_E_SUIT_MAC },
	{ "mac0-tests/mac-fail-03", MST_E_COSE_ALGORITHM },
	{ "mac0-tests/mac-fail-04", MST_E_COSE_ALGORITHM },
	{ "mac0-tests/mac-fail-06", MST_E_SUIT_MAC },
	{ "mac0-tests/mac-fail-07", MST_E_SUIT_MAC },
};
#define EXAMPLES (sizeof examples / sizeof examples[0])

/* The signers or recipients of the example's input. */
static json_t *
holders_of(json_t *input)
{
	json_t *kind, *list;
	const char *name;

	if (json_object_get(input, "sign0") != NULL)
		return json_pack("[O]", json_object_get(input, "sign0"));
	json_object_foreach(input, name, kind)
	{
		list = json_object_get(kind, "signers");
		if (list == NULL)
			list = json_object_get(kind, "recipients");
		if (json_is_array(list))
			return json_incref(list);
	}
	return NULL;
}

static void
cose_example(void **state)
{
	const struct example *x = *state;
	const struct mst_suit_policy any = { 0, 0 };
	struct mst_suit_key keys[4];
	struct mst_suit_keys table = { keys, 0 };
	uint8_t store[4][160];
	struct mst_suit_auth a;
	mst_span in, payload, block;
	json_t *j, *holders, *h;
	char name[96];
	size_t i;
	mst_err e;

	snprintf(name, sizeof name, "cose/%s.json", x->name);
	j = load_json(name);
	holders = holders_of(json_object_get(j, "input"));
	assert_non_null(holders);
	json_array_foreach(holders, i, h) keys[table.count++] =
	    key_of(json_object_get(h, "key"), store[i]);
	in = mst_span_of(message,
	    literal(text_of(json_object_get(j, "output"), "cbor"), message, sizeof message));
	if (message[0] >> 5 != 6) { /* untagged */
		payload = MST_LIT("x");
		block = in;
	} else {
		block = detach(in, &payload);
	}
	mst_suit_auth_begin(&a, suit_openssl(), &table, payload);
	e = mst_suit_auth_block(&a, block);
	if (e == MST_OK)
		e = mst_suit_auth_judge(&a, &any);
	json_decref(holders);
	json_decref(j);
	assert_int_equal(e, x->want);
	if (x->want == MST_OK) {
		mst_suit_auth_begin(&a, suit_openssl(), &table, payload);
		assert_int_equal(mst_suit_auth_block(&a, in), MST_E_COSE_PAYLOAD);
	}
}

/* --- ciphers and key wrap of the COSE examples, below COSE --- */

static const char *const sealed[] = { "aes-gcm-examples/aes-gcm-01", "aes-gcm-examples/aes-gcm-03",
	"aes-gcm-examples/aes-gcm-04", "aes-gcm-examples/aes-gcm-05",
	"aes-gcm-examples/aes-gcm-enc-01", "aes-gcm-examples/aes-gcm-enc-03",
	"aes-gcm-examples/aes-gcm-enc-04", "chacha-poly-examples/chacha-poly-01",
	"chacha-poly-examples/chacha-poly-enc-01" };

/* IV and ciphertext of the message; the IV is absent when only a part of it is sent. */
static mst_span
find_iv(mst_span in, mst_span *ciphertext)
{
	struct mst_cbor_reader r;
	mst_span iv = MST_NONE;
	int64_t key;

	mst_cbor_init(&r, in);
	(void)mst_cbor_tag(&r);
	mst_cbor_array(&r);
	mst_cbor_skip(&r);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		if (key == 5)
			iv = mst_cbor_bytes(&r);
		else
			mst_cbor_skip(&r);
	}
	*ciphertext = mst_cbor_bytes(&r);
	assert_int_equal(r.err, MST_OK);
	return iv;
}

static void
cipher_example(void **state)
{
	const struct mst_suit_crypto *crypto = suit_openssl();
	struct mst_suit_secret secret = { NULL, MST_NONE };
	union mst_suit_cipher_state s;
	mst_span in, iv, ciphertext, aad;
	json_t *j, *unsent;
	struct mst_buf out = MST_BUF(payload_bytes);
	const char *plain;
	char name[96];
	int32_t alg;

	snprintf(name, sizeof name, "cose/%s.json", (const char *)*state);
	j = load_json(name);
	in = mst_span_of(message,
	    literal(text_of(json_object_get(j, "output"), "cbor"), message, sizeof message));
	iv = find_iv(in, &ciphertext);
	unsent =
	    json_object_get(json_object_get(json_object_get(j, "input"), "enveloped"), "unsent");
	if (iv.ptr == NULL)
		iv = mst_span_of(
		    part[0], literal(text_of(unsent, "IV_hex"), part[0], sizeof part[0]));
	aad = mst_span_of(part[1],
	    literal(text_of(json_object_get(j, "intermediates"), "AAD_hex"), part[1], 128));
	/* the intermediates of this one have an old name of the structure, its output has not */
	if (strstr(name, "chacha-poly-enc-01") != NULL)
		part[1][9] = '0';
	secret.bytes = mst_span_of(part[2],
	    literal(text_of(json_object_get(j, "intermediates"), "CEK_hex"), part[2], 128));
	alg = strstr(name, "chacha") != NULL ? MST_SUIT_CHACHA20_POLY1305
	      : secret.bytes.len == 16       ? MST_SUIT_A128GCM
	                                     : MST_SUIT_A256GCM;
	plain = text_of(json_object_get(j, "input"), "plaintext");
	for (int flip = 0; flip < 2; flip++) {
		size_t n = ciphertext.len - MST_SUIT_TAG_LEN;
		mst_err e;

		out.len = 0;
		assert_int_equal(
		    crypto->cipher_begin(crypto->ctx, MST_SUIT_DECRYPT, alg, &secret, iv, aad, &s),
		    MST_OK);
		for (size_t at = 0; at < n; at++) /* byte by byte */
			assert_int_equal(crypto->cipher_update(crypto->ctx, &s,
			                     mst_span_of(ciphertext.ptr + at, 1), &out),
			    MST_OK);
		message[ciphertext.ptr - message + (ptrdiff_t)n] ^= (uint8_t)flip;
		e = crypto->cipher_end_decrypt(
		    crypto->ctx, &s, mst_span_of(ciphertext.ptr + n, MST_SUIT_TAG_LEN));
		/* -04 is the example of a false tag */
		assert_int_equal(
		    e, flip != 0 || strstr(name, "-04") != NULL ? MST_E_SUIT_CIPHER_TAG : MST_OK);
		assert_true(mst_span_eq(mst_buf_span(&out), mst_span_str(plain)));
	}
	json_decref(j);
}

static const char *const wrapped[] = { "aes-wrap-128-01", "aes-wrap-128-02", "aes-wrap-128-03",
	"aes-wrap-128-04", "aes-wrap-128-05", "aes-wrap-192-01", "aes-wrap-192-02",
	"aes-wrap-192-03", "aes-wrap-192-04", "aes-wrap-192-05", "aes-wrap-256-01",
	"aes-wrap-256-02", "aes-wrap-256-03", "aes-wrap-256-04", "aes-wrap-256-05" };

/* The ciphertext of the first recipient: the last item of the last item. */
static mst_span
find_wrapped(mst_span in)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, in);
	int skipped = mst_cbor_tag(&r) == 97 ? 4 : 3;

	mst_cbor_array(&r);
	for (int i = 0; i < skipped; i++)
		mst_cbor_skip(&r);
	mst_cbor_array(&r);
	mst_cbor_array(&r);
	mst_cbor_skip(&r);
	mst_cbor_skip(&r);
	mst_span w = mst_cbor_bytes(&r);

	assert_int_equal(r.err, MST_OK);
	return w;
}

static void
key_wrap_example(void **state)
{
	const struct mst_suit_crypto *crypto = suit_openssl();
	struct mst_suit_secret kek = { NULL, MST_NONE };
	struct mst_buf out = MST_BUF(payload_bytes);
	json_t *j, *holders;
	mst_span cek, w;
	char name[96];
	int32_t alg;

	snprintf(name, sizeof name, "cose/aes-wrap-examples/%s.json", (const char *)*state);
	j = load_json(name);
	holders = holders_of(json_object_get(j, "input"));
	kek.bytes = mst_span_of(part[0],
	    bytes_of(json_object_get(json_array_get(holders, 0), "key"), "k", part[0], 128));
	cek = mst_span_of(part[1],
	    literal(text_of(json_object_get(j, "intermediates"), "CEK_hex"), part[1], 128));
	w = find_wrapped(mst_span_of(message,
	    literal(text_of(json_object_get(j, "output"), "cbor"), message, sizeof message)));
	json_decref(holders);
	json_decref(j);
	alg = kek.bytes.len == 16   ? MST_SUIT_A128KW
	      : kek.bytes.len == 24 ? MST_SUIT_A192KW
	                            : MST_SUIT_A256KW;
	assert_int_equal(crypto->unwrap(crypto->ctx, &kek, alg, w, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), cek));
	for (size_t bit = 0; bit < 8 * w.len; bit++) {
		message[w.ptr - message + (ptrdiff_t)(bit / 8)] ^= (uint8_t)(1u << bit % 8);
		out.len = 0;
		assert_int_equal(
		    crypto->unwrap(crypto->ctx, &kek, alg, w, &out), MST_E_SUIT_UNWRAP);
		message[w.ptr - message + (ptrdiff_t)(bit / 8)] ^= (uint8_t)(1u << bit % 8);
	}
}

/* --- rows --- */

#define ROWS 128
static struct CMUnitTest rows[ROWS];
static char names[ROWS][96];

static void
row(size_t *n, const char *clause, const char *name, CMUnitTestFunction f, void *state)
{
	assert(*n < ROWS);
	snprintf(names[*n], sizeof names[0], "%s: %s", clause, name);
	rows[*n] = (struct CMUnitTest){ names[*n], f, NULL, NULL, state };
	++*n;
}

int
main(void)
{
	size_t n = 0;

	for (size_t i = 0; i < ENVELOPES; i++)
		row(&n, "SUIT-3.2 envelope", envelopes[i].name, envelope_verifies,
		    (void *)(uintptr_t)i);
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
		row(&n, "SUIT-15 payload", payloads[i], payload_decrypts,
		    (void *)(uintptr_t)payloads[i]);
	for (size_t i = 0; i < EXAMPLES; i++)
		row(&n, "RFC 9052 4, 6", examples[i].name, cose_example,
		    (void *)(uintptr_t)&examples[i]);
	for (size_t i = 0; i < sizeof sealed / sizeof sealed[0]; i++)
		row(&n, "RFC 9053 4", sealed[i], cipher_example, (void *)(uintptr_t)sealed[i]);
	for (size_t i = 0; i < sizeof wrapped / sizeof wrapped[0]; i++)
		row(&n, "RFC 9053 6.2.1", wrapped[i], key_wrap_example,
		    (void *)(uintptr_t)wrapped[i]);
	return _cmocka_run_group_tests("suit_cose", rows, n, set_keys, NULL);
}

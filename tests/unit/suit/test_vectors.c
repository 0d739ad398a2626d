/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every published envelope verifies and runs as its text says (issue 4 item 7).
 * The manifest draft's images have digests that belong to no image, so the
 * digest of what begins with IMAGE-A or IMAGE-B is said to be theirs here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "crypto/openssl/suit_openssl.h"
#include "muster/cbor.h"
#include "unit/suit/support_device.h"

#define SIZE_A 34768
#define SIZE_B 76834

static const uint8_t digest_a[32] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
	0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe,
	0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
static const uint8_t digest_b[32] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc,
	0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
	0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
/* suit-manifest, "Examples": the public key */
static const uint8_t draft_key[] = { 0x04, 0x84, 0x96, 0x81, 0x1a, 0xae, 0x0b, 0xaa, 0xab, 0xd2,
	0x61, 0x57, 0x18, 0x9e, 0xec, 0xda, 0x26, 0xbe, 0xaa, 0x8b, 0xf1, 0x1b, 0x6f, 0x3f, 0xe6,
	0xe2, 0xb5, 0x65, 0x9c, 0x85, 0xdb, 0xc0, 0xad, 0x3b, 0x1f, 0x2a, 0x4b, 0x6c, 0x09, 0x81,
	0x31, 0xc0, 0xa3, 0x6d, 0xac, 0xd1, 0xd7, 0x8b, 0xd3, 0x81, 0xdc, 0xdf, 0xb0, 0x9c, 0x05,
	0x2d, 0xb3, 0x39, 0x91, 0xdb, 0x73, 0x38, 0xb4, 0xa8, 0x96 };
/* suit-firmware-encryption 6.1.2: the receiver's private key */
static const uint8_t receiver[] = { 0x60, 0xfe, 0x6d, 0xd6, 0xd8, 0x5d, 0x57, 0x40, 0xa5, 0x34,
	0x9b, 0x6f, 0x91, 0x26, 0x7e, 0xea, 0xc5, 0xba, 0x81, 0xb8, 0xcb, 0x53, 0xee, 0x24, 0x9e,
	0x4b, 0x4e, 0xb1, 0x02, 0xc4, 0x76, 0xb3 };
static const uint8_t vendor_m[] = { 0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf, 0xbe, 0x9d,
	0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe };
static const uint8_t class_m[] = { 0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48, 0xbf, 0x42, 0x9b,
	0x2d, 0x51, 0xf2, 0xab, 0x45 };
static const uint8_t vendor_t[] = { 0xc0, 0xdd, 0xd5, 0xf1, 0x52, 0x43, 0x56, 0x60, 0x87, 0xdb,
	0x4f, 0x5b, 0x0a, 0xa2, 0x6c, 0x2f };
static const uint8_t class_t[] = { 0xdb, 0x42, 0xf7, 0x09, 0x3d, 0x8c, 0x55, 0xba, 0xa8, 0xc5, 0x26,
	0x5f, 0xc5, 0x82, 0x0f, 0x4e };
static const uint8_t encrypted[] = { 0x75, 0x8c, 0x4b, 0x7b, 0xba, 0xe2, 0xc4, 0xc1, 0xd4, 0x62,
	0x42, 0x3e, 0x0f, 0x0d, 0xc3, 0x16, 0x4f, 0xfa, 0x7b, 0x85, 0xbb, 0x94, 0xd4, 0xbd, 0x6d,
	0x7e, 0xd2, 0x6a, 0xb3, 0x2f, 0xeb, 0x06, 0x33, 0x85, 0xd4, 0xd3, 0x46, 0x59, 0x27, 0xec,
	0x82, 0xcb, 0x5e, 0x19, 0x8a, 0x59 };

/* --- digests of images that nobody has --- */

static struct mst_suit_crypto real, pretending;
static const uint8_t *pretended;
static bool beginning;

static mst_err
begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	pretended = NULL;
	beginning = true;
	return real.digest_begin(ctx, alg, s);
}

static mst_err
update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	if (beginning && bytes.len >= 7 && memcmp(bytes.ptr, "IMAGE-", 6) == 0)
		pretended = bytes.ptr[6] == 'A' ? digest_a : digest_b;
	beginning = false;
	return real.digest_update(ctx, s, bytes);
}

static mst_err
end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	if (pretended == NULL)
		return real.digest_end(ctx, s, out);
	real.digest_drop(ctx, s);
	return mst_buf_put(out, mst_span_of(pretended, 32));
}

/* --- a device for the examples --- */

static struct device dev;
static struct mst_suit suit;
static uint8_t image_a[SIZE_A], image_b[SIZE_B], block[512], arena[4096];
static uint8_t file[8][4096];
static struct mst_suit_key keys[5];
static struct mst_suit_keys table = { keys, 5 };
static struct mst_suit_rules rules;
static struct mst_suit_envelope envelope;
static struct mst_suit_manifest manifest;

static mst_span
vector(unsigned n, const char *name)
{
	const char *dir = getenv("MUSTER_VECTORS");
	char path[512];
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/suit/%s.suit",
	    dir != NULL ? dir : MUSTER_SOURCE_DIR "/../shared/vectors", name);
	if ((f = fopen(path, "rb")) == NULL) {
		print_message("no vectors: %s\n", path);
		skip();
	}
	len = fread(file[n], 1, sizeof file[n], f);
	(void)fclose(f);
	return mst_span_of(file[n], len);
}

static int
setup(void **state)
{
	(void)state;
	real = *suit_openssl();
	pretending = real;
	pretending.digest_begin = begin;
	pretending.digest_update = update;
	pretending.digest_end = end;
	keys[0] = (struct mst_suit_key){ .usage = MST_SUIT_USE_SIGN_MANIFEST,
		.equivalence = MST_SUIT_EQUIVALENT_ALG,
		.alg = MST_SUIT_ESP256,
		.material = { draft_key, sizeof draft_key } };
	keys[1] = (struct mst_suit_key){ .usage = MST_SUIT_USE_MAC_MANIFEST,
		.alg = MST_SUIT_HMAC256,
		.authority = 1,
		.material = MST_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") };
	keys[2] = (struct mst_suit_key){ .usage = MST_SUIT_USE_KEK,
		.alg = MST_SUIT_A128KW,
		.kid = MST_LIT("kid-1"),
		.material = MST_LIT("aaaaaaaaaaaaaaaa") };
	keys[3] = (struct mst_suit_key){ .usage = MST_SUIT_USE_ECDH,
		.alg = MST_SUIT_ECDH_ES_A128KW,
		.curve = MST_SUIT_P256,
		.kid = MST_LIT("kid-2"),
		.material = { receiver, sizeof receiver } };
	keys[4] = keys[3];
	keys[4].kid = MST_NONE;
	memset(&rules, 0, sizeof rules);
	device_init(&dev);
	dev.learns = true;
	dev.vendor[0] = mst_span_of(vendor_t, 16);
	dev.vendor[1] = mst_span_of(vendor_m, 16);
	dev.class[0] = mst_span_of(class_t, 16);
	dev.class[1] = mst_span_of(class_m, 16);
	memset(image_a, 'a', sizeof image_a);
	memset(image_b, 'b', sizeof image_b);
	memcpy(image_a, "IMAGE-A", 7);
	memcpy(image_b, "IMAGE-B", 7);
	memset(&suit, 0, sizeof suit);
	suit.platform = &dev.platform;
	suit.crypto = &pretending;
	suit.keys = &table;
	suit.rules = &rules;
	suit.block = MST_BUF(block);
	suit.arena = MST_BUF(arena);
	return 0;
}

static mst_err
check(const char *name)
{
	mst_err e = mst_suit_envelope_parse(vector(0, name), &envelope);

	return e == MST_OK ? mst_suit_check(&suit, &envelope, &manifest) : e;
}

static void
explain(mst_err e)
{
	if (e != MST_OK)
		print_message("%s section %d offset %u command %d component %u depth %u\n",
		    mst_err_info(e)->name, (int)suit.refusal.section, suit.refusal.offset,
		    (int)suit.refusal.command, suit.refusal.component, suit.refusal.depth);
}

static void
accepted(const char *name)
{
	mst_err e = check(name);

	explain(e);
	assert_int_equal(e, MST_OK);
}

static void
runs(enum mst_suit_procedure procedure)
{
	mst_err e = mst_suit_run(&suit, &manifest, procedure);

	explain(e);
	assert_int_equal(e, MST_OK);
}

/* The component of the manifest's index holds this, and was made valid. */
static void
holds(unsigned place, mst_span want)
{
	const struct device_component *c = &dev.component[suit.slot[place].handle - 100];

	assert_int_equal(c->size, want.len);
	assert_memory_equal(c->bytes, want.ptr, want.len);
	assert_true(c->valid);
}

#define A mst_span_of(image_a, SIZE_A)
#define B mst_span_of(image_b, SIZE_B)
#define FILLED(place, bytes) device_fill(&dev, suit.slot[place].handle - 100U, bytes)

static void
unsigned_ones(void **state)
{
	static const char *const names[] = { "manifest-ex0-0", "manifest-ex1-0", "manifest-ex2-0",
		"manifest-ex3-0", "manifest-ex4-0", "manifest-ex5-0" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(check(names[i]), MST_E_SUIT_AUTH_NONE);
		assert_int_equal(suit.refusal.section, MST_SUIT_AT_AUTHENTICATION);
	}
}

static void
ex0(void **state)
{
	(void)state;
	accepted("manifest-ex0-1");
	FILLED(0, A);
	runs(MST_SUIT_INVOCATION);
	assert_int_equal(dev.invoked, 1);
	assert_int_equal(mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE), MST_E_SUIT_NO_SECTION);
	FILLED(0, B);
	assert_int_equal(
	    mst_suit_run(&suit, &manifest, MST_SUIT_INVOCATION), MST_E_SUIT_IMAGE_SIZE);
	assert_int_equal(dev.invoked, 1);
}

static void
ex1(void **state)
{
	(void)state;
	accepted("manifest-ex1-1");
	device_payload(&dev, "http://example.com/file.bin", A);
	runs(MST_SUIT_UPDATE);
	holds(0, A);
	assert_non_null(device_event(&dev, MST_SUIT_CMD_FETCH, 0));
}

static void
ex2_severed(void **state)
{
	(void)state;
	accepted("manifest-ex2-1");
	assert_int_equal(
	    mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE), MST_E_SUIT_SEVERED_MISSING);
	assert_int_equal(suit.refusal.section, MST_SUIT_INSTALL);
	assert_int_equal(dev.changes, 0);
	FILLED(0, A);
	runs(MST_SUIT_INVOCATION);
}

static void
ex2_whole(void **state)
{
	(void)state;
	accepted("manifest-ex2-2");
	device_payload(&dev, "http://example.com/very/long/path/to/file/file.bin", A);
	runs(MST_SUIT_UPDATE);
	holds(0, A);
	runs(MST_SUIT_INVOCATION);
}

static void
ex3(void **state)
{
	(void)state;
	accepted("manifest-ex3-1");
	device_payload(&dev, "http://example.com/file1.bin", A);
	device_payload(&dev, "http://example.com/file2.bin", B);
	runs(MST_SUIT_UPDATE);
	holds(0, A);
	dev.component[0].slot = 1;
	runs(MST_SUIT_UPDATE);
	holds(0, B);
	dev.component[0].slot = 2;
	assert_int_equal(
	    mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE), MST_E_SUIT_NO_ALTERNATIVE);
}

/* Its load section copies image A, and names B's digest and size: it was unpacked once. */
static void
ex4(void **state)
{
	(void)state;
	accepted("manifest-ex4-1");
	device_payload(&dev, "http://example.com/file.bin", A);
	runs(MST_SUIT_UPDATE);
	holds(1, A);
	holds(0, A);
	assert_int_equal(
	    mst_suit_run(&suit, &manifest, MST_SUIT_INVOCATION), MST_E_SUIT_PAYLOAD_SHORT);
	assert_int_equal(suit.refusal.section, MST_SUIT_LOAD);
	assert_int_equal(suit.refusal.component, 2);
	assert_int_equal(dev.invoked, 0);
	FILLED(2, B);
	runs(MST_SUIT_INVOCATION);
	assert_int_equal(dev.invoked, 1);
}

static void
ex5(void **state)
{
	(void)state;
	accepted("manifest-ex5-1");
	device_payload(&dev, "http://example.com/file1.bin", A);
	device_payload(&dev, "http://example.com/file2.bin", B);
	runs(MST_SUIT_UPDATE);
	holds(0, A);
	holds(1, B);
	runs(MST_SUIT_INVOCATION);
	assert_int_equal(dev.invoked, 1);
}

static void
td0(void **state)
{
	(void)state;
	assert_int_equal(check("td-example0_dependent"), MST_E_SUIT_NO_CLASS_CHECK);
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	accepted("td-example0_dependent");
	runs(MST_SUIT_UPDATE);
	holds(0, MST_LIT("hello world"));
	runs(MST_SUIT_INVOCATION);
	assert_true(mst_span_eq(dev.invoke_args, MST_LIT("cat 00")));
}

/* What TD's examples 1 and 2 leave behind: the dependent's file and its dependency's. */
static void
both_installed(void)
{
	holds(0, MST_LIT(" in multiple trust domains"));
	assert_int_equal(suit.slots, 3);
	holds(2, MST_LIT("hello world"));
	runs(MST_SUIT_INVOCATION);
	assert_true(mst_span_eq(dev.invoke_args, MST_LIT("cat 00 10")));
}

static void
td1(void **state)
{
	(void)state;
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	accepted("td-example1_process");
	device_payload(
	    &dev, "http://example.com/dependent.suit", vector(1, "td-example0_dependent"));
	runs(MST_SUIT_UPDATE);
	both_installed();
}

/* Sheet 14: without dependency-integrity; strict aborts, the default checks it implicitly. */
static void
td2(void **state)
{
	(void)state;
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK | MST_SUIT_RULE_STRICT_DEPENDENCIES;
	accepted("td-example2_integrated");
	assert_int_equal(
	    mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE), MST_E_SUIT_DEPENDENCY_UNCHECKED);
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	dev.events = 0;
	runs(MST_SUIT_UPDATE);
	assert_int_equal(
	    device_event(&dev, MST_SUIT_CMD_PROCESS_DEPENDENCY, 0)->how, MST_SUIT_IMPLIED);
	both_installed();
}

static void
teep_uri(void **state)
{
	(void)state;
	accepted("teep-suit_uri");
	device_payload(&dev, "https://example.org/8d82573a-926d-4754-9353-32dc29997f74.ta",
	    MST_LIT("Hello, Secure World!"));
	runs(MST_SUIT_UPDATE);
	holds(0, MST_LIT("Hello, Secure World!"));
	assert_int_equal(dev.component[0].references, 1);
	runs(MST_SUIT_UNINSTALLATION);
	assert_int_equal(dev.component[0].references, 0);
	assert_int_equal(dev.component[0].holds, 0);
}

static void
teep_integrated(void **state)
{
	(void)state;
	accepted("teep-suit_integrated");
	runs(MST_SUIT_UPDATE);
	holds(0, MST_LIT("Hello, Secure World!"));
}

/* Its image-size is two bytes more than the dependency has (sheet 24.3); its content is encrypted
 * to the receiver of the encryption draft. */
static void
teep_personalization(void **state)
{
	(void)state;
	accepted("teep-suit_personalization");
	device_payload(&dev, "https://example.org/8d82573a-926d-4754-9353-32dc29997f74.suit",
	    vector(1, "teep-suit_uri"));
	device_payload(&dev, "https://example.org/8d82573a-926d-4754-9353-32dc29997f74.ta",
	    MST_LIT("Hello, Secure World!"));
	runs(MST_SUIT_UPDATE);
	assert_int_equal(dev.component[0].size, 61);
	assert_true(dev.component[0].valid);
	holds(2, MST_LIT("Hello, Secure World!"));
}

static void
fe_write(void **state)
{
	static const char *const names[] = { "fe-suit-manifest-aes-kw-content",
		"fe-suit-manifest-es-ecdh-content" };

	(void)state;
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	for (size_t i = 0; i < 2; i++) {
		accepted(names[i]);
		runs(MST_SUIT_UPDATE);
		holds(0, MST_LIT("This is a real firmware image."));
	}
}

static void
fe_copy(void **state)
{
	static const char *const names[] = { "fe-suit-manifest-aes-kw",
		"fe-suit-manifest-aes-kw-slot" };

	(void)state;
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	device_payload(&dev, "coaps://example.com/encrypted-firmware",
	    mst_span_of(encrypted, sizeof encrypted));
	for (size_t i = 0; i < 2; i++) {
		accepted(names[i]);
		runs(MST_SUIT_UPDATE);
		holds(0, MST_LIT("This is a real firmware image."));
		holds(1, mst_span_of(encrypted, sizeof encrypted));
	}
}

static void
fe_copy_forged(void **state)
{
	static uint8_t bent[sizeof encrypted];

	(void)state;
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	memcpy(bent, encrypted, sizeof bent);
	bent[3] ^= 1;
	device_payload(
	    &dev, "coaps://example.com/encrypted-firmware", mst_span_of(bent, sizeof bent));
	accepted("fe-suit-manifest-aes-kw");
	assert_int_equal(mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE), MST_E_SUIT_CIPHER_TAG);
	assert_int_equal(dev.component[0].holds, 0);
	assert_false(dev.component[0].valid);
}

/* suit-manifest, "Examples": the private key. */
static const char draft_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgApZYjZCUGLM50VBC\n"
    "CjYStX+09jGmnyJPrpDLTz/hiXOhRANCAASEloEarguqq9JhVxie7NomvqqL8Rtv\n"
    "P+bitWWchdvArTsfKktsCYExwKNtrNHXi9OB3N+wnAUtszmR23M4tKiW\n"
    "-----END PRIVATE KEY-----\n";

/* ECDSA over a Sig_structure of {1: -9}, into the last 64 bytes of the block. */
static void
sign_again(mst_span digest, uint8_t *signature)
{
	uint8_t tbs[128], der[80];
	struct mst_buf b = MST_BUF(tbs);
	struct mst_cbor_writer w;
	size_t len = sizeof der;
	const unsigned char *at = der;
	BIO *bio = BIO_new_mem_buf(draft_private, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	ECDSA_SIG *sig;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_text(&w, MST_LIT("Signature1"));
	mst_cbor_put_bytes(&w, MST_LIT("\xa1\x01\x28"));
	mst_cbor_put_bytes(&w, MST_LIT(""));
	mst_cbor_put_bytes(&w, digest);
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(md, der, &len, tbs, b.len), 1);
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32), 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

/* Its outer signature is false as published (its digests are right); signed again it runs. */
static void
fe_dependency(void **state)
{
	mst_span bytes = vector(0, "fe-suit-manifest-es-ecdh-dependency");

	(void)state;
	rules.rules = MST_SUIT_RULE_NO_CLASS_CHECK;
	assert_int_equal(mst_suit_envelope_parse(bytes, &envelope), MST_OK);
	assert_int_equal(mst_suit_check(&suit, &envelope, &manifest), MST_E_COSE_SIGNATURE);
	sign_again(
	    envelope.digest, file[0] + (envelope.blocks.ptr - file[0]) + envelope.blocks.len - 64);
	assert_int_equal(mst_suit_check(&suit, &envelope, &manifest), MST_OK);
	runs(MST_SUIT_UPDATE);
	holds(0, MST_LIT("This is a real firmware image."));
}

/* Every strict prefix, on an exact-size copy: refused, and nothing read behind it. */
static void
prefixes(void **state)
{
	static const char *const names[] = { "manifest-ex0-1", "manifest-ex2-2",
		"td-example2_integrated", "teep-suit_personalization",
		"fe-suit-manifest-es-ecdh-dependency" };
	struct mst_suit_envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		mst_span whole = vector(0, names[i]);
		for (size_t n = 0; n < whole.len; n++) {
			uint8_t *copy = malloc(n == 0 ? 1 : n);
			memcpy(copy, whole.ptr, n);
			assert_int_not_equal(
			    mst_suit_envelope_parse(mst_span_of(copy, n), &e), MST_OK);
			free(copy);
		}
	}
}

/* Nothing that is not authentic may choose how deep the stack grows. */
static void
nested_without_end(void **state)
{
	static const struct {
		uint8_t byte;
		const char *what;
	} nests[] = { { 0xa1, "maps in keys" }, { 0x81, "arrays" }, { 0xc1, "tags" },
		{ 0x82, "wide arrays" }, { 0xa2, "wide maps" } };
	static uint8_t deep[60000];
	struct mst_suit_envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof nests / sizeof nests[0]; i++) {
		memset(deep, nests[i].byte, sizeof deep);
		deep[0] = 0xa1;
		assert_int_not_equal(
		    mst_suit_envelope_parse(mst_span_of(deep, sizeof deep), &e), MST_OK);
		deep[1] = 0x02; /* as a value */
		assert_int_not_equal(
		    mst_suit_envelope_parse(mst_span_of(deep, sizeof deep), &e), MST_OK);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "SUIT-3.4 vectors manifest-ex*-0: nobody signed them", unsigned_ones, setup, NULL,
		    NULL },
		{ "SUIT-24 vector manifest-ex0: secure boot", ex0, setup, NULL, NULL },
		{ "SUIT-24 vector manifest-ex1: download and install", ex1, setup, NULL, NULL },
		{ "SUIT-6.3 vector manifest-ex2-1: severed", ex2_severed, setup, NULL, NULL },
		{ "SUIT-6.2 vector manifest-ex2-2: severed elements in the envelope", ex2_whole,
		    setup, NULL, NULL },
		{ "SUIT-9.4 vector manifest-ex3: A/B", ex3, setup, NULL, NULL },
		{ "SUIT-24 vector manifest-ex4: load from external storage", ex4, setup, NULL,
		    NULL },
		{ "SUIT-24 vector manifest-ex5: two images", ex5, setup, NULL, NULL },
		{ "SUIT-5.6 vector td-example0", td0, setup, NULL, NULL },
		{ "SUIT-14.1 vector td-example1: a fetched dependency", td1, setup, NULL, NULL },
		{ "SUIT-14.4 vector td-example2: integrated, without dependency-integrity", td2,
		    setup, NULL, NULL },
		{ "SUIT-24 vector teep-suit_uri, and uninstalled", teep_uri, setup, NULL, NULL },
		{ "SUIT-2.6 vector teep-suit_integrated", teep_integrated, setup, NULL, NULL },
		{ "SUIT-24.3 vector teep-suit_personalization", teep_personalization, setup, NULL,
		    NULL },
		{ "SUIT-15.1 vectors fe-*-content: decrypted as they are written", fe_write, setup,
		    NULL, NULL },
		{ "SUIT-15.1 vectors fe-aes-kw: decrypted as they are copied", fe_copy, setup, NULL,
		    NULL },
		{ "SUIT-15.8 vector fe-aes-kw with another payload", fe_copy_forged, setup, NULL,
		    NULL },
		{ "SUIT-14.3 vector fe-es-ecdh-dependency", fe_dependency, setup, NULL, NULL },
		{ "SUIT-21.3 nested without end", nested_without_end, NULL, NULL, NULL },
		{ "SUIT-1.3 every strict prefix of five vectors", prefixes, setup, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

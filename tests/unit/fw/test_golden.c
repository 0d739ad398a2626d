/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published examples, written again as descriptions: every byte of the
 * manifest, the severed elements and the wrapper's digest must come out as
 * published (suit-manifest B, trust-domains B, firmware-encryption 10, TEEP).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "muster/cbor.h"
#include "unit/fw/support_fw.h"

#define VENDOR "vendor-id=dns:arm.com class-id=uuid:1492af14-2569-5e48-bf42-9b2d51f2ab45"
#define DIGEST_A                                                                                   \
	"image-digest=00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210 "           \
	"image-size=34768"
#define DIGEST_A_ALONE                                                                             \
	"image-digest=00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
#define DIGEST_B                                                                                   \
	"image-digest=0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff "           \
	"image-size=76834"
#define CHECK "\"vendor-identifier\", \"class-identifier\""
#define ONE                                                                                        \
	"component \"app\" { id = { \"hex:00\" } }\n"                                              \
	"shared = { \"override-parameters " VENDOR " " DIGEST_A "\", " CHECK " }\n"                \
	"validate = { \"image-match\" }\n"

static const struct row {
	const char *name, *vector, *text;
} rows[] = {
	{ "example 0: secure boot", "manifest-ex0-0.suit",
	    "sequence-number = 0\n" ONE "invoke = { \"invoke\" }\n" },
	{ "example 1: download and installation", "manifest-ex1-0.suit",
	    "sequence-number = 1\n" ONE
	    "install = { \"override-parameters uri=http://example.com/file.bin\", \"fetch\", "
	    "\"image-match\" }\n" },
	{ "example 2: severed fields", "manifest-ex2-2.suit",
	    "sequence-number = 2\nreference-uri = \"https://git.io/JJYoj\"\n" ONE
	    "invoke = { \"invoke\" }\n"
	    "install = { \"override-parameters "
	    "uri=http://example.com/very/long/path/to/file/file.bin\", \"fetch\", "
	    "\"image-match\" }\n"
	    "sever = { install, text }\n%s" },
	{ "example 3: A/B images", "manifest-ex3-0.suit",
	    "sequence-number = 3\ncomponent \"app\" { id = { \"hex:00\" } }\n"
	    "sequence \"a\" { do = { \"override-parameters component-slot=0\", \"component-slot "
	    "policy=5\", \"override-parameters " DIGEST_A "\" } }\n"
	    "sequence \"b\" { do = { \"override-parameters component-slot=1\", \"component-slot "
	    "policy=5\", \"override-parameters " DIGEST_B "\" } }\n"
	    "sequence \"from-a\" { do = { \"override-parameters component-slot=0\", "
	    "\"component-slot policy=5\", \"override-parameters "
	    "uri=http://example.com/file1.bin\" } }\n"
	    "sequence \"from-b\" { do = { \"override-parameters component-slot=1\", "
	    "\"component-slot policy=5\", \"override-parameters "
	    "uri=http://example.com/file2.bin\" } }\n"
	    "shared = { \"override-parameters " VENDOR "\", \"try-each a b\", " CHECK " }\n"
	    "install = { \"try-each from-a from-b\", \"fetch\", \"image-match\" }\n"
	    "validate = { \"image-match\" }\n" },
	{ "example 4: load from external storage", "manifest-ex4-0.suit",
	    "sequence-number = 4\ncomponent \"flash\" { id = { \"hex:00\" } }\n"
	    "component \"ram\" { id = { \"hex:02\" } }\n"
	    "component \"staging\" { id = { \"hex:01\" } }\n"
	    "shared = { \"set-component-index flash\", \"override-parameters " VENDOR " " DIGEST_A
	    "\", " CHECK " }\n"
	    "validate = { \"set-component-index flash\", \"image-match\" }\n"
	    "load = { \"set-component-index staging\", \"override-parameters " DIGEST_B
	    " source-component=flash\", \"copy\", \"image-match\" }\n"
	    "invoke = { \"set-component-index staging\", \"invoke\" }\n"
	    "payload-fetch = { \"set-component-index ram\", \"override-parameters "
	    "uri=http://example.com/file.bin " DIGEST_A_ALONE "\", \"fetch\", \"image-match\" }\n"
	    "install = { \"set-component-index flash\", \"override-parameters "
	    "source-component=ram\", \"copy\", \"image-match\" }\n" },
	{ "example 5: two images", "manifest-ex5-0.suit",
	    "sequence-number = 5\ncomponent \"a\" { id = { \"hex:00\" } }\n"
	    "component \"b\" { id = { \"hex:01\" } }\n"
	    "shared = { \"set-component-index a\", \"override-parameters " VENDOR " " DIGEST_A
	    "\", " CHECK ", \"set-component-index b\", \"override-parameters " DIGEST_B "\" }\n"
	    "validate = { \"set-component-index a\", \"image-match\", \"set-component-index "
	    "b\", \"image-match\" }\n"
	    "invoke = { \"set-component-index a\", \"invoke\" }\n"
	    "install = { \"set-component-index a\", \"override-parameters "
	    "uri=http://example.com/file1.bin\", \"fetch\", \"image-match\", "
	    "\"set-component-index b\", \"override-parameters uri=http://example.com/file2.bin\", "
	    "\"fetch\", \"image-match\" }\n" },
	{ "TD example: dependent", "td-example0_dependent.suit",
	    "sequence-number = 0\nmanifest-component-id = { \"dependent.suit\" }\n"
	    "component \"zero\" { id = { \"text:00\" } }\n"
	    "install = { \"override-parameters content='text:hello world'\", \"write policy=15\" "
	    "}\n"
	    "invoke = { \"override-parameters invoke-args='text:cat 00'\", \"invoke policy=15\" "
	    "}\n" },
	{ "TD example 0: process dependency", "td-example1_process.suit",
	    "sequence-number = 0\nmanifest-component-id = { \"depending.suit\" }\n"
	    "component \"ten\" { id = { \"text:10\" } }\n"
	    "dependency \"lib\" { prefix = { \"dependent.suit\" } }\n"
	    "dependency-resolution = { \"set-component-index lib\", \"override-parameters "
	    "image-digest=manifest:dependent image-size=file:dependent "
	    "uri=http://example.com/dependent.suit\", \"fetch\", \"image-match\" }\n"
	    "install = { \"set-component-index lib\", \"override-parameters "
	    "image-digest=manifest:dependent\", \"dependency-integrity\", "
	    "\"process-dependency policy=0\", \"set-component-index ten\", "
	    "\"override-parameters content='text: in multiple trust domains'\", \"write "
	    "policy=15\" }\n"
	    "invoke = { \"set-component-index ten\", \"override-parameters invoke-args='text:cat "
	    "00 10'\", \"invoke policy=15\" }\n" },
	{ "TD example 1: integrated dependency", "td-example2_integrated.suit",
	    "sequence-number = 0\nmanifest-component-id = { \"depending.suit\" }\n"
	    "component \"ten\" { id = { \"text:10\" } }\n"
	    "dependency \"lib\" { prefix = { \"dependent.suit\" } }\n"
	    "dependency-resolution = { \"set-component-index lib\", \"override-parameters "
	    "image-digest=manifest:dependent image-size=file:dependent "
	    "uri=#dependent.suit\", \"fetch\", \"image-match\" }\n"
	    "install = { \"set-component-index lib\", \"process-dependency policy=0\", "
	    "\"set-component-index ten\", \"override-parameters content='text: in multiple trust "
	    "domains'\", \"write policy=15\" }\n"
	    "invoke = { \"set-component-index ten\", \"override-parameters invoke-args='text:cat "
	    "00 10'\", \"invoke policy=15\" }\n"
	    "payload \"#dependent.suit\" { file = dependent }\n" },
	{ "FE example: AES-KW, write", "fe-suit-manifest-aes-kw-content.suit",
	    "sequence-number = 1\ncomponent \"plaintext-firmware\" { }\n"
	    "install = { \"override-parameters content=file:18 encryption-info=file:19\", "
	    "\"write policy=15\" }\n" },
	{ "FE example: AES-KW, slots", "fe-suit-manifest-aes-kw-slot.suit",
	    "sequence-number = 1\ncomponent \"to\" { id = { \"hex:00\" } }\n"
	    "component \"from\" { id = { \"hex:01\" } }\n"
	    "install = { \"set-component-index from\", \"override-parameters image-size=46 "
	    "uri=coaps://example.com/encrypted-firmware\", \"fetch policy=15\", "
	    "\"set-component-index to\", \"override-parameters encryption-info=file:19 "
	    "source-component=from\", \"copy policy=15\" }\n" },
	{ "FE example: AES-KW, fetch and copy", "fe-suit-manifest-aes-kw.suit",
	    "sequence-number = 1\ncomponent \"plaintext-firmware\" { }\n"
	    "component \"encrypted-firmware\" { }\n"
	    "install = { \"set-component-index encrypted-firmware\", \"override-parameters "
	    "image-size=46 uri=coaps://example.com/encrypted-firmware\", \"fetch policy=15\", "
	    "\"set-component-index plaintext-firmware\", \"override-parameters "
	    "encryption-info=file:19 source-component=encrypted-firmware\", \"copy policy=15\" "
	    "}\n" },
	{ "FE example: ES-DH, write", "fe-suit-manifest-es-ecdh-content.suit",
	    "sequence-number = 1\ncomponent \"decrypted-firmware\" { }\n"
	    "install = { \"set-component-index decrypted-firmware\", \"override-parameters "
	    "content=file:18 encryption-info=file:19\", \"write policy=15\" }\n" },
	{ "FE example: ES-DH with dependency", "fe-suit-manifest-es-ecdh-dependency.suit",
	    "sequence-number = 1\nmanifest-component-id = { \"dependent-manifest.suit\" }\n"
	    "component \"decrypted-firmware\" { }\n"
	    "dependency \"lib\" { prefix = { \"dependency-manifest.suit\" } }\n"
	    "install = { \"set-component-index decrypted-firmware\", \"override-parameters "
	    "content=file:18 encryption-info=file:19\", "
	    "\"set-component-index lib\", \"override-parameters image-digest=manifest:inside "
	    "image-size=247 uri=#dependency-manifest\", \"fetch policy=15\", "
	    "\"dependency-integrity\", \"process-dependency policy=15\" }\n"
	    "payload \"#dependency-manifest\" { file = inside }\n" },
#define TEEP_ID "\"TEEP-Device\", \"SecureFS\", \"hex:8d82573a926d4754935332dc29997f74\""
#define TEEP                                                                                       \
	"sequence-number = 3\nmanifest-component-id = { " TEEP_ID ", \"suit\" }\n"                 \
	"component \"ta\" { id = { " TEEP_ID ", \"ta\" } }\n"                                      \
	"shared = { \"override-parameters vendor-id=hex:c0ddd5f15243566087db4f5b0aa26c2f "         \
	"class-id=hex:db42f7093d8c55baa8c5265fc5820f4e "                                           \
	"image-digest=8cf71ac86af31be184ec7a05a411a8c3a14fd9b77a30d046397481469468ece8 "           \
	"image-size=20\", " CHECK " }\nuninstall = { \"unlink policy=15\" }\n"
	{ "TEEP: by URI", "teep-suit_uri.suit",
	    TEEP "install = { \"override-parameters "
	         "uri=https://example.org/8d82573a-926d-4754-9353-32dc29997f74.ta\", \"fetch "
	         "policy=15\", \"image-match\" }\n" },
	{ "TEEP: integrated", "teep-suit_integrated.suit",
	    TEEP "install = { \"override-parameters uri=#tc\", \"fetch policy=15\", "
	         "\"image-match\" }\npayload \"#tc\" { file = payload }\n" },
	{ "TEEP: personalization data", "teep-suit_personalization.suit",
	    "sequence-number = 3\nmanifest-component-id = { \"TEEP-Device\", \"SecureFS\", "
	    "\"config.suit\" }\n"
	    "component \"config\" { id = { \"TEEP-Device\", \"SecureFS\", \"config.json\" } }\n"
	    "dependency \"ta\" { prefix = { " TEEP_ID ", \"suit\" } }\n"
	    "shared = { \"set-component-index config\", \"override-parameters "
	    "vendor-id=hex:c0ddd5f15243566087db4f5b0aa26c2f "
	    "class-id=hex:db42f7093d8c55baa8c5265fc5820f4e\", " CHECK " }\n"
	    "validate = { \"set-component-index config\", \"override-parameters "
	    "image-digest=8273468fb64bd84bb04825f8371744d952b751c73a60f455af681e167726f116 "
	    "image-size=61\", \"image-match\" }\n"
	    "dependency-resolution = { \"set-component-index ta\", \"override-parameters "
	    "image-digest=b39b52b0b747ea79588c190f567bfc2c8437ba8a73f7ea983182e79f0148d59b "
	    "image-size=389 "
	    "uri=https://example.org/8d82573a-926d-4754-9353-32dc29997f74.suit\", \"fetch\" }\n"
	    "install = { \"set-component-index ta\", \"process-dependency policy=0\", "
	    "\"set-component-index config\", \"override-parameters content=file:18 "
	    "encryption-info=file:19\", \"write policy=15\" }\n"
	    "uninstall = { \"set-component-index ta\", \"process-dependency policy=0\", "
	    "\"set-component-index config\", \"unlink policy=15\" }\n" },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* The first byte string behind this parameter's key in an override of the install sequence. */
static mst_span
parameter_of(mst_span manifest, int64_t want)
{
	struct mst_cbor_reader r, s;
	mst_span found = MST_NONE, install = MST_NONE;
	int64_t key;

	mst_cbor_init(&r, manifest);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key))
		if (key == 20 && mst_cbor_peek(&r) == MST_CBOR_BYTES)
			install = mst_cbor_bytes(&r);
		else
			mst_cbor_skip(&r);
	if (install.ptr == NULL)
		return found;
	mst_cbor_init(&s, install);
	mst_cbor_array(&s);
	while (mst_cbor_more(&s)) {
		int64_t code = mst_cbor_int(&s);

		if (code != 20) {
			mst_cbor_skip(&s);
			continue;
		}
		mst_cbor_map(&s);
		while (mst_cbor_key(&s, &key))
			if (key == want && mst_cbor_peek(&s) == MST_CBOR_BYTES)
				found = mst_cbor_bytes(&s);
			else
				mst_cbor_skip(&s);
	}
	return found;
}

/* A text of libconfuse: quotes, backslashes and dollars escaped. */
static const char *
quoted(struct arena *a, mst_span s)
{
	struct mst_buf b = arena_buf(a, s.len * 2 + 3);

	b.ptr[b.len++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (strchr("\"\\$", s.ptr[i]) != NULL)
			b.ptr[b.len++] = '\\';
		b.ptr[b.len++] = s.ptr[i];
	}
	b.ptr[b.len++] = '"';
	return arena_str(a, mst_buf_span(&b));
}

/* Example 2's texts as the published envelope has them. */
static const char *
texts_of(struct arena *a, const struct suit_envelope *env)
{
	struct mst_cbor_reader r;
	mst_span lang, one = MST_NONE, three = MST_NONE, five = MST_NONE;
	int64_t key;

	for (size_t i = 0; i < env->member_count; i++) {
		if (env->member[i].key != 23)
			continue;
		mst_cbor_init(&r, env->member[i].content);
		mst_cbor_map(&r);
		lang = mst_cbor_text(&r);
		mst_cbor_map(&r);
		assert_int_equal(mst_cbor_int(&r), 1);
		one = mst_cbor_text(&r);
		mst_cbor_skip(&r); /* the component's id */
		mst_cbor_map(&r);
		while (mst_cbor_key(&r, &key)) {
			if (key == 3)
				three = mst_cbor_text(&r);
			else
				five = mst_cbor_text(&r);
		}
		return arena_printf(a,
		    "text %s { manifest-description = %s\n component \"app\" { vendor-domain = "
		    "%s\n component-description = %s } }\n",
		    quoted(a, lang), quoted(a, one), quoted(a, three), quoted(a, five));
	}
	return "";
}

static void
rebuilt_byte_for_byte(void **state)
{
	const struct row *w = *state;
	struct arena *a = arena_new(0);
	mst_span vector = fw_vector(a, w->vector), built;
	struct suit_envelope env, mine;
	struct fw_file files[6] = { { "dependent", fw_vector(a, "td-example0_dependent.suit") } };
	const char *text = w->text;
	size_t n = 1;

	if (vector.ptr == NULL) {
		arena_free(a);
		skip();
	}
	assert_int_equal(suit_envelope_read(vector, &env), MST_OK);
	assert_int_equal(suit_envelope_covers(&env), MST_OK);
	files[n++] = (struct fw_file){ "18", parameter_of(env.manifest, 18) };
	files[n++] = (struct fw_file){ "19", parameter_of(env.manifest, 19) };
	for (size_t i = 0; i < env.member_count; i++)
		if (env.member[i].name.ptr != NULL)
			files[n++] =
			    (struct fw_file){ strcmp(w->vector, "teep-suit_integrated.suit") == 0
				                  ? "payload"
				                  : "inside",
				    env.member[i].content };
	if (strstr(text, "%s") != NULL) {
		mst_span all = mst_span_of(text, strlen(text) - 2);

		text = arena_printf(a, "%s%s", arena_str(a, all), texts_of(a, &env));
	}
	built = fw_must(a, text, files);
	assert_int_equal(suit_envelope_read(built, &mine), MST_OK);
	assert_int_equal(mine.manifest.len, env.manifest.len);
	assert_memory_equal(mine.manifest.ptr, env.manifest.ptr, env.manifest.len);
	assert_true(mst_span_eq(mine.digest, env.digest));
	assert_int_equal(mine.member_count, env.member_count);
	/* all but its signatures, and TEEP's missing tag */
	env.block_count = 0;
	env.tagged = true;
	assert_int_equal(suit_envelope_write(a, &env, &vector), MST_OK);
	assert_int_equal(built.len, vector.len);
	assert_memory_equal(built.ptr, vector.ptr, vector.len);
	arena_free(a);
}

/* Read and written again, a published envelope is the same file. */
static void
envelope_written_again(void **state)
{
	const struct row *w = *state;
	struct arena *a = arena_new(0);
	mst_span vector = fw_vector(a, w->vector), again;
	struct suit_envelope env;

	if (vector.ptr == NULL) {
		arena_free(a);
		skip();
	}
	assert_int_equal(suit_envelope_read(vector, &env), MST_OK);
	assert_int_equal(suit_envelope_write(a, &env, &again), MST_OK);
	assert_int_equal(again.len, vector.len);
	assert_memory_equal(again.ptr, vector.ptr, vector.len);
	arena_free(a);
}

int
main(void)
{
	struct CMUnitTest tests[2 * ROWS];
	static char names[2 * ROWS][96];

	for (size_t i = 0; i < ROWS; i++) {
		snprintf(names[i], sizeof names[i], "SUIT-1 rebuilt: %s", rows[i].name);
		tests[i] = (struct CMUnitTest){ names[i], rebuilt_byte_for_byte, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
		snprintf(names[ROWS + i], sizeof names[0], "SUIT-2 again: %s", rows[i].name);
		tests[ROWS + i] = (struct CMUnitTest){ names[ROWS + i], envelope_written_again,
			NULL, NULL, (void *)(uintptr_t)&rows[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

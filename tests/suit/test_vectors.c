/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published envelopes as ground for flips: each signed one is taken as it
 * is, and with any bit of its wrapper, manifest or severed elements turned over
 * it is refused by the check. (That they run as their texts say is shown by
 * tests/unit/suit/test_vectors.c.) The device has every component they name,
 * and ends the program when it is asked to change one.
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
#include "muster/suit.h"
#include "suit/support_keys.h"
#include "suit/support_rows.h"
#include "unit/flips.h"

static const struct {
	const char *name;
	mst_err want;
} vectors[] = {
	{ "manifest-ex0-0", MST_E_SUIT_AUTH_NONE },
	{ "manifest-ex0-1", MST_OK },
	{ "manifest-ex1-0", MST_E_SUIT_AUTH_NONE },
	{ "manifest-ex1-1", MST_OK },
	{ "manifest-ex2-0", MST_E_SUIT_AUTH_NONE },
	{ "manifest-ex2-1", MST_OK },
	{ "manifest-ex2-2", MST_OK },
	{ "manifest-ex3-0", MST_E_SUIT_AUTH_NONE },
	{ "manifest-ex3-1", MST_OK },
	{ "manifest-ex4-0", MST_E_SUIT_AUTH_NONE },
	{ "manifest-ex4-1", MST_OK },
	{ "manifest-ex5-0", MST_E_SUIT_AUTH_NONE },
	{ "manifest-ex5-1", MST_OK },
	{ "td-example0_dependent", MST_OK },
	{ "td-example1_process", MST_OK },
	{ "td-example2_integrated", MST_OK },
	{ "teep-suit_uri", MST_OK },
	{ "teep-suit_integrated", MST_OK },
	{ "teep-suit_personalization", MST_OK },
	{ "fe-suit-manifest-aes-kw", MST_OK },
	{ "fe-suit-manifest-aes-kw-content", MST_OK },
	{ "fe-suit-manifest-aes-kw-slot", MST_OK },
	{ "fe-suit-manifest-es-ecdh-content", MST_OK },
	{ "fe-suit-manifest-es-ecdh-dependency", MST_OK },
};

/* draft-ietf-suit-firmware-encryption: the distributor's public key */
static const char distributor[] =
    "040E908AA8F066DB1F084E0C3652C63952BD99F2A5BDB22F9E01367AAD03ABA68B77DA1BD8"
    "AC4F0CB490BA210648BF79AB164D49AD3551D71D314B2749EE42D29A";

static struct world {
	uint8_t id[32][128];
	size_t id_len[32];
	unsigned ids;
	struct mst_suit_platform platform;
	struct mst_suit_key key[4];
	struct mst_suit_keys keys;
	struct mst_suit_rules rules;
	uint8_t author[65], distributor[65];
	/* what is flipped, within the envelope around it */
	const uint8_t *envelope;
	size_t len, flipped;
} w;

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	unsigned i;

	(void)ctx;
	for (i = 0; i < w.ids; i++)
		if (mst_span_eq(id, mst_span_of(w.id[i], w.id_len[i])))
			break;
	if (i == w.ids) {
		if (w.ids == 32 || id.len > sizeof w.id[0])
			return MST_E_SUIT_COMPONENT_UNKNOWN;
		memcpy(w.id[i], id.ptr, id.len);
		w.id_len[i] = id.len;
		w.ids++;
	}
	*handle = (mst_suit_handle)i;
	return MST_OK;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	(void)ctx;
	(void)c;
	*out = (struct mst_suit_component_info){ .capacity = 1 << 20 };
	return MST_OK;
}

static mst_err
record_read(void *ctx, mst_span who, struct mst_suit_record *out)
{
	(void)ctx;
	(void)who;
	memset(out, 0, sizeof *out);
	return MST_OK;
}

static mst_err
begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	(void)ctx, (void)c, (void)size, (void)offset;
	abort();
}

static mst_err
write_bytes(void *ctx, mst_suit_handle c, mst_span block)
{
	(void)ctx, (void)c, (void)block;
	abort();
}

static mst_err
end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	(void)ctx, (void)c, (void)metadata;
	abort();
}

static mst_err
read_bytes(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	(void)ctx, (void)c, (void)offset, (void)out, (void)len;
	abort();
}

static mst_err
fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	(void)ctx, (void)fetch, (void)offset;
	abort();
}

static mst_err
fetch_read(void *ctx, struct mst_buf *block)
{
	(void)ctx, (void)block;
	abort();
}

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	(void)ctx, (void)c, (void)kind, (void)n;
	abort();
}

static mst_err
slot(void *ctx, mst_suit_handle c, uint64_t *out)
{
	(void)ctx, (void)c, (void)out;
	abort();
}

static mst_err
invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	(void)ctx, (void)c, (void)arguments;
	abort();
}

static mst_err
unlink_from(void *ctx, mst_suit_handle c, mst_span by, unsigned *left)
{
	(void)ctx, (void)c, (void)by, (void)left;
	abort();
}

static void
add_key(enum mst_suit_usage usage, int32_t alg, mst_span material)
{
	w.key[w.keys.count] = (struct mst_suit_key){ .usage = usage,
		.alg = alg,
		.equivalence = MST_SUIT_EQUIVALENT_ALG,
		.authority = (uint8_t)w.keys.count,
		.material = material };
	w.keys.count++;
}

static int
set_up(void **state)
{
	uint8_t raw[96];

	(void)state;
	w.platform = (struct mst_suit_platform){ .component = component,
		.info = info,
		.read = read_bytes,
		.begin = begin,
		.write = write_bytes,
		.end = end,
		.fetch_open = fetch_open,
		.fetch_read = fetch_read,
		.identity = identity,
		.slot = slot,
		.invoke = invoke,
		.record_read = record_read,
		.unlink = unlink_from };
	w.rules = (struct mst_suit_rules){ .rules = MST_SUIT_RULE_NO_CLASS_CHECK,
		.domain = MST_LIT("x") };
	w.keys.key = w.key;
	keys_raw("draft", raw, sizeof raw);
	w.author[0] = 4;
	memcpy(w.author + 1, raw, 64);
	for (size_t i = 0; i < sizeof w.distributor; i++) {
		unsigned v = 0;

		sscanf(distributor + 2 * i, "%2x", &v);
		w.distributor[i] = (uint8_t)v;
	}
	add_key(MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ESP256, mst_span_of(w.author, 65));
	add_key(MST_SUIT_USE_SIGN_MANIFEST, MST_SUIT_ES256, mst_span_of(w.distributor, 65));
	add_key(MST_SUIT_USE_MAC_MANIFEST, MST_SUIT_HMAC256,
	    MST_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	return 0;
}

static mst_err
check(mst_span envelope)
{
	static uint8_t block[256], arena[4096];
	struct mst_suit s = { .platform = &w.platform,
		.crypto = suit_openssl(),
		.keys = &w.keys,
		.rules = &w.rules,
		.block = MST_BUF(block),
		.arena = MST_BUF(arena) };
	struct mst_suit_envelope parsed;
	struct mst_suit_manifest manifest;
	mst_err e = mst_suit_envelope_parse(envelope, &parsed);

	w.ids = 0;
	return e != MST_OK ? e : mst_suit_check(&s, &parsed, &manifest);
}

/* The flipped beginning, and the rest as it was. */
static mst_err
judge(void *arg, mst_span beginning)
{
	uint8_t *exact = test_malloc(w.len);
	mst_err e;

	(void)arg;
	memcpy(exact, w.envelope, w.len);
	memcpy(exact, beginning.ptr, beginning.len);
	e = check(mst_span_of(exact, w.len));
	test_free(exact);
	return e;
}

static void
vector(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	const char *root = getenv("MUSTER_VECTORS");
	static uint8_t file[4096];
	struct mst_suit_envelope parsed;
	char path[600];
	FILE *f;

	snprintf(path, sizeof path, "%s/suit/%s.suit",
	    root != NULL ? root : MUSTER_SOURCE_DIR "/../shared/vectors", vectors[i].name);
	f = fopen(path, "rb");
	if (f == NULL) {
		print_message("%s is not here: skipped\n", path);
		skip();
	}
	w.len = fread(file, 1, sizeof file, f);
	fclose(f);
	w.envelope = file;
	assert_string_equal(err_name(check(mst_span_of(file, w.len))), err_name(vectors[i].want));
	if (vectors[i].want != MST_OK)
		return;
	/* what comes behind the manifest is severed (signed for) but in three: integrated */
	assert_int_equal(mst_suit_envelope_parse(mst_span_of(file, w.len), &parsed), MST_OK);
	w.flipped = strcmp(vectors[i].name, "manifest-ex2-2") == 0
	                ? w.len
	                : (size_t)(parsed.manifest.ptr + parsed.manifest.len - file);
	flips_are_refused(FLIPS_ONE_A_BYTE, mst_span_of(file, w.flipped), judge, NULL);
}

int
main(void)
{
	static char names[sizeof vectors / sizeof vectors[0]][80];
	struct CMUnitTest tests[sizeof vectors / sizeof vectors[0]];
	size_t n = sizeof vectors / sizeof vectors[0];

	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "SUIT-22.3 flips of the published %s",
		    vectors[i].name);
		tests[i] =
		    (struct CMUnitTest){ names[i], vector, NULL, NULL, (void *)(uintptr_t)i };
	}
	return _cmocka_run_group_tests("published envelopes, flipped", tests, n, set_up, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot profile (issue 4 item 9), compiled into this program from its
 * sources: it validates, loads and invokes, judges severed elements, and does
 * not need to know what the sections of an update say.
 */
#define MUSTER_SUIT_BOOT
#define MUSTER_SUIT_MCU
#include "core/suit/suit_cbor.c"
#include "core/suit/suit_envelope.c"
#include "core/suit/suit_auth.c"
#include "core/suit/suit_manifest.c"
#include "core/suit/suit_params.c"
#include "core/suit/suit_commands.c"
#include "core/suit/suit_scan.c"
#include "core/suit/suit_exec.c"
#include "core/suit/suit_condition.c"
#include "core/suit/suit_store.c"
#include "core/suit/suit_procedure.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include "crypto/openssl/suit_openssl.h"
#include "suit/support_forge.h"
#include "suit/support_keys.h"

#define WORDS(...)                                                                                 \
	(const struct edn_word[]){ __VA_ARGS__ },                                                  \
	    sizeof((const struct edn_word[]){ __VA_ARGS__ }) / sizeof(struct edn_word)

/* A flash of three components and a RAM to load into: enough of a platform for a bootloader. */
static struct part {
	uint8_t bytes[256];
	size_t size;
	bool holds;
} parts[4];
static struct edn_bytes bytes;
static uint8_t vendor[16], class[16], block[128], material[65];
static unsigned invoked;
static struct mst_suit_record record;
static struct mst_suit_platform board;
static struct mst_suit_key key;
static struct mst_suit_keys keys = { &key, 1 };
static struct mst_suit_rules rules;
static struct mst_suit suit;
static struct mst_suit_envelope envelope;
static struct mst_suit_manifest manifest;

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	(void)ctx;
	if (id.len != 3 || id.ptr[2] < 'a' || id.ptr[2] > 'd')
		return MST_E_SUIT_COMPONENT_UNKNOWN;
	*handle = (mst_suit_handle)(id.ptr[2] - 'a');
	return MST_OK;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	(void)ctx;
	out->size = parts[c].size;
	out->capacity = sizeof parts[c].bytes;
	out->state = parts[c].holds ? MST_SUIT_HOLDS : MST_SUIT_HOLDS_NOTHING;
	return MST_OK;
}

static mst_err
read_part(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	(void)ctx;
	memcpy(out, parts[c].bytes + offset, len);
	return MST_OK;
}

static mst_err
begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	(void)ctx;
	*offset = 0;
	parts[c].size = 0;
	parts[c].holds = false;
	return size > sizeof parts[c].bytes ? MST_E_SUIT_CAPACITY : MST_OK;
}

static mst_err
write_part(void *ctx, mst_suit_handle c, mst_span b)
{
	(void)ctx;
	memcpy(parts[c].bytes + parts[c].size, b.ptr, b.len);
	parts[c].size += b.len;
	return MST_OK;
}

static mst_err
end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	(void)ctx;
	(void)metadata;
	parts[c].holds = true;
	return MST_OK;
}

static void
drop(void *ctx, mst_suit_handle c)
{
	(void)ctx;
	parts[c].holds = false;
}

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	(void)ctx;
	(void)c;
	if (n > 0 || kind == MST_SUIT_ID_DEVICE)
		return MST_NONE;
	return mst_span_of(kind == MST_SUIT_ID_VENDOR ? vendor : class, 16);
}

static mst_err
slot(void *ctx, mst_suit_handle c, uint64_t *out)
{
	(void)ctx;
	(void)c;
	*out = 1;
	return MST_OK;
}

static mst_err
invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	(void)ctx;
	(void)c;
	(void)arguments;
	invoked++;
	return MST_OK;
}

static mst_err
record_read(void *ctx, mst_span id, struct mst_suit_record *out)
{
	(void)ctx;
	(void)id;
	*out = record;
	return MST_OK;
}

static mst_err
record_write(void *ctx, mst_span id, const struct mst_suit_record *r)
{
	(void)ctx;
	(void)id;
	record = *r;
	return MST_OK;
}

/* A part holds the content of this word. */
static void
fill(unsigned part, const struct edn_scope *base, const char *word)
{
	struct edn_bytes b = forge(base, NULL, 0, word);
	mst_span content = suit_value_string(b.ptr);

	memcpy(parts[part].bytes, content.ptr, content.len);
	parts[part].size = content.len;
	parts[part].holds = true;
	edn_free(&b);
}

static mst_err
boot(const struct edn_scope *base, const struct edn_word *words, size_t count)
{
	uint8_t raw[96];
	mst_err e;

	edn_free(&bytes);
	bytes = forge(base, words, count, "envelope");
	(void)keys_raw("k1", raw, sizeof raw);
	material[0] = 4;
	memcpy(material + 1, raw, 64);
	key = (struct mst_suit_key){ .usage = MST_SUIT_USE_SIGN_MANIFEST,
		.alg = MST_SUIT_ES256,
		.kid = MST_LIT("k1"),
		.material = { material, 65 } };
	memset(&suit, 0, sizeof suit);
	suit.platform = &board;
	suit.crypto = suit_openssl();
	suit.keys = &keys;
	suit.rules = &rules;
	suit.block = MST_BUF(block);
	if ((e = mst_suit_envelope_parse(mst_span_of(bytes.ptr, bytes.len), &envelope)) != MST_OK ||
	    (e = mst_suit_check(&suit, &envelope, &manifest)) != MST_OK)
		return e;
	return mst_suit_run(&suit, &manifest, MST_SUIT_INVOCATION);
}

static int
setup(void **state)
{
	(void)state;
	board = (struct mst_suit_platform){ .component = component,
		.info = info,
		.read = read_part,
		.begin = begin,
		.write = write_part,
		.end = end,
		.drop = drop,
		.identity = identity,
		.slot = slot,
		.invoke = invoke,
		.record_read = record_read,
		.record_write = record_write };
	memset(parts, 0, sizeof parts);
	memset(&record, 0, sizeof record);
	memset(&rules, 0, sizeof rules);
	memset(vendor, 0, sizeof vendor);
	for (uint8_t i = 0; i < 16; i++) {
		vendor[i] = (uint8_t)(0xa0 + i);
		class[i] = (uint8_t)(0xc0 + i);
	}
	invoked = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	edn_free(&bytes);
	return 0;
}

static void
boots(void **state)
{
	(void)state;
	fill(0, &forge_one, "image");
	assert_int_equal(boot(&forge_one, NULL, 0), MST_OK);
	assert_int_equal(invoked, 1);
	assert_int_equal(mst_suit_confirm(&suit, &manifest), MST_OK);
	assert_true(record.known);
	assert_int_equal(record.number, 5);
}

static void
refuses_another_image(void **state)
{
	(void)state;
	fill(0, &forge_one, "image");
	parts[0].bytes[7] ^= 1;
	assert_int_equal(boot(&forge_one, NULL, 0), MST_E_SUIT_IMAGE_MISMATCH);
	assert_int_equal(invoked, 0);
}

static void
refuses_a_rollback(void **state)
{
	(void)state;
	fill(0, &forge_one, "image");
	record.known = true;
	record.number = 6;
	assert_int_equal(boot(&forge_one, NULL, 0), MST_E_SUIT_ROLLBACK);
}

static void
chooses_the_slot(void **state)
{
	(void)state;
	fill(0, &forge_ab, "image2");
	assert_int_equal(boot(&forge_ab, NULL, 0), MST_OK);
	assert_int_equal(invoked, 1);
}

static void
judges_severed_elements(void **state)
{
	(void)state;
	fill(0, &forge_one, "image");
	assert_int_equal(boot(&forge_severed, NULL, 0), MST_OK);
	/* severed from the envelope, too: an update could not, a boot can */
	assert_int_equal(boot(&forge_severed, WORDS({ "env", "" })), MST_OK);
	assert_int_equal(boot(&forge_severed, WORDS({ "env", "20: flip(9 $s20) 23: $s23" })),
	    MST_E_SUIT_SEVERED_DIGEST);
	assert_int_equal(
	    boot(&forge_severed, WORDS({ "e16", "16: <<[14 15]>>" })), MST_E_SUIT_UNDECLARED);
}

static void
loads(void **state)
{
	static const struct edn_word w[] = { { "m8", "8: <<[12 2 20 {22: 0} 22 15 3 15]>>" },
		{ "validate", "12 0 3 15" }, { "invoke", "12 2 23 2" } };

	(void)state;
	fill(0, &forge_three, "image");
	assert_int_equal(boot(&forge_three, w, 3), MST_OK);
	assert_memory_equal(parts[2].bytes, parts[0].bytes, parts[0].size);
	assert_int_equal(invoked, 1);
}

/* What was loaded is not started unchecked. */
static void
does_not_start_unchecked(void **state)
{
	static const struct edn_word w[] = { { "m8", "8: <<[12 2 20 {22: 0} 22 15]>>" },
		{ "validate", "12 0 3 15" }, { "invoke", "12 2 23 2" } };

	(void)state;
	fill(0, &forge_three, "image");
	assert_int_equal(boot(&forge_three, w, 3), MST_E_SUIT_UNCHECKED);
	assert_int_equal(invoked, 0);
}

/* A bootloader knows nothing of lists of rights, of dependencies, of updates: it says so. */
static void
refuses_what_it_has_not(void **state)
{
	static const struct mst_suit_acl acl[1];

	(void)state;
	fill(0, &forge_one, "image");
	assert_int_equal(boot(&forge_dep, NULL, 0), MST_E_SUIT_DEPENDENCY_LIMIT);
	assert_int_equal(
	    boot(&forge_one, WORDS({ "invoke", "29 0 23 2" })), MST_E_SUIT_COMMAND_UNKNOWN);
	assert_int_equal(boot(&forge_one, NULL, 0), MST_OK);
	assert_int_equal(mst_suit_run(&suit, &manifest, MST_SUIT_UPDATE), MST_E_SUIT_NO_SECTION);
	rules.acl = acl;
	rules.acl_count = 1;
	assert_int_equal(boot(&forge_one, NULL, 0), MST_E_UNSUPPORTED);
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, setup, teardown, NULL                                                    \
	}
	static const struct CMUnitTest tests[] = {
		T("SUIT-11.3 boot profile: validates and starts", boots),
		T("SUIT-10.3 boot profile: another image", refuses_another_image),
		T("SUIT-13.1 boot profile: a rollback", refuses_a_rollback),
		T("SUIT-9.4 boot profile: try-each", chooses_the_slot),
		T("SUIT-6.2 boot profile: severed elements", judges_severed_elements),
		T("SUIT-10.22 boot profile: load", loads),
		T("SUIT-19.3 boot profile: loaded and not checked", does_not_start_unchecked),
		T("SUIT-7.2 boot profile: what it has not", refuses_what_it_has_not),
	};

	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}

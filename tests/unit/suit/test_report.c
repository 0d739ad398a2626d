/* SPDX-License-Identifier: Apache-2.0 */
/* Reports (sheet 16): what was measured is in them, and true is said of a whole success only. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"
#include "unit/suit/support_world.h"

static uint8_t room[8192], encoded[8192];
static struct mst_suit_collector collector;
static struct mst_suit_report report;

static mst_span
id_of(void *ctx, mst_suit_handle handle)
{
	const struct device *d = ctx;
	const struct device_component *c = &d->component[handle - 100];

	return mst_span_of(c->id, c->id_len);
}

/* Run, build, read. */
static mst_err
reported(enum mst_suit_procedure procedure, const char *nonce)
{
	struct mst_suit_report_content content = { .envelope = &world.envelope,
		.nonce = mst_span_str(nonce),
		.collector = &collector,
		.refusal = &world.suit.refusal };
	struct mst_buf out = MST_BUF(encoded);

	collector = (struct mst_suit_collector){
		.store = MST_BUF(room), .component_id = id_of, .ctx = &world.dev
	};
	world.dev.collector = &collector;
	content.result = world_run(procedure);
	assert_int_equal(mst_suit_report_build(&content, &out), MST_OK);
	assert_int_equal(mst_suit_report_parse(mst_buf_span(&out), &report), MST_OK);
	return content.result;
}

static void
success(void **state)
{
	struct mst_suit_report_record r;
	mst_span rest;
	unsigned claims = 0, records = 0;

	(void)state;
	world_new(&forge_one, WORDS({ "m4", "4: 'coap://x/m'" }));
	assert_int_equal(reported(MST_SUIT_UPDATE, "fresh"), MST_OK);
	assert_true(report.success);
	assert_true(mst_span_eq(report.uri, MST_LIT("coap://x/m")));
	assert_true(mst_span_eq(report.digest_encoded, world.envelope.digest));
	assert_true(mst_span_eq(report.nonce, MST_LIT("fresh")));
	rest = report.records;
	for (size_t i = 0; i < report.records_count; i++) {
		assert_int_equal(mst_suit_report_next(&rest, &r), MST_OK);
		claims += r.kind == MST_SUIT_CLAIMS;
		records += r.kind == MST_SUIT_RECORD;
	}
	assert_int_equal(rest.len, 0);
	/* policy 15 of vendor and class (three times), image-match (twice), fetch */
	assert_int_equal(records, 2 * 2 + 2 + 1);
	assert_int_equal(claims, 2 * 2 + 2);
	world_free();
}

/* The open peer says true after a failed condition. */
static void
failure(void **state)
{
	struct mst_suit_report_record r;
	struct mst_cbor_reader c;
	mst_span rest;

	(void)state;
	world_new(&forge_one, WORDS({ "payload1", "flip(0 $image)" }));
	assert_int_equal(reported(MST_SUIT_UPDATE, NULL), MST_E_SUIT_IMAGE_MISMATCH);
	assert_false(report.success);
	assert_null(report.nonce.ptr);
	assert_int_equal(report.code, MST_E_SUIT_IMAGE_MISMATCH);
	assert_int_equal(report.reason, MST_SUIT_REASON_CONDITION_FAILED);
	rest = report.failure;
	assert_int_equal(mst_suit_report_next(&rest, &r), MST_OK);
	assert_int_equal(r.section, MST_SUIT_INSTALL);
	assert_int_equal(r.offset, world.suit.refusal.offset);
	assert_int_equal(r.component, 0);
	assert_int_equal(r.depth, 0);
	/* what was measured is the digest of what is there, not the one that was wanted */
	assert_int_equal(r.properties_count, 2);
	mst_cbor_init(&c, r.properties);
	assert_int_equal(mst_cbor_uint(&c), MST_SUIT_PARAM_DIGEST);
	assert_false(mst_span_eq(mst_cbor_bytes(&c), world_word("imgdigest")));
	world_free();
}

static void
refused_before_it_runs(void **state)
{
	struct mst_suit_report_record r;
	mst_span rest;

	(void)state;
	world_new(&forge_one, WORDS({ "install", "99 15" }));
	assert_int_equal(reported(MST_SUIT_UPDATE, NULL), MST_E_SUIT_COMMAND_UNKNOWN);
	assert_false(report.success);
	assert_int_equal(report.records_count, 0);
	assert_int_equal(report.reason, MST_SUIT_REASON_COMMAND_UNSUPPORTED);
	rest = report.failure;
	assert_int_equal(mst_suit_report_next(&rest, &r), MST_OK);
	assert_int_equal(r.section, MST_SUIT_INSTALL);
	assert_int_equal(r.offset, 1);
	world_free();
}

/* Sheet 10: a report before invoke says so. */
static mst_err
build_here(void *ctx, mst_suit_handle c, mst_span arguments)
{
	struct mst_suit_report_content content = { .envelope = &world.envelope,
		.collector = &collector };
	struct mst_buf out = MST_BUF(encoded);

	(void)ctx;
	(void)c;
	(void)arguments;
	assert_int_equal(mst_suit_report_build(&content, &out), MST_OK);
	assert_int_equal(mst_suit_report_parse(mst_buf_span(&out), &report), MST_OK);
	assert_false(report.success);
	assert_int_equal(report.reason, MST_SUIT_REASON_INVOKE_PENDING);
	return MST_OK;
}

static void
pending(void **state)
{
	mst_span image;

	(void)state;
	world_new(&forge_one, WORDS({ "seq", "5" }));
	image = world_word("image");
	device_fill(&world.dev, 0, image);
	world.dev.platform.invoke = build_here;
	assert_int_equal(reported(MST_SUIT_INVOCATION, NULL), MST_OK);
	assert_true(report.success);
	world_free();
}

static void
in_a_dependency(void **state)
{
	struct mst_suit_report_record r;
	mst_span rest;

	(void)state;
	world_new(&forge_dep, WORDS({ "dep.install", "20 {5: 7} 5 15" }));
	assert_int_equal(reported(MST_SUIT_UPDATE, NULL), MST_E_SUIT_SLOT);
	rest = report.failure;
	assert_int_equal(mst_suit_report_next(&rest, &r), MST_OK);
	assert_int_equal(r.depth, 1);
	assert_int_equal(r.path[0], 1);
	world_free();
}

static void
no_room(void **state)
{
	struct mst_suit_report_content content = { .envelope = &world.envelope,
		.collector = &collector };
	uint8_t small[40];
	struct mst_buf out = MST_BUF(small);

	(void)state;
	world_new(&forge_one, WORDS({ "seq", "5" }));
	assert_int_equal(reported(MST_SUIT_UPDATE, NULL), MST_OK);
	assert_int_equal(mst_suit_report_build(&content, &out), MST_E_SPACE);
	assert_int_equal(out.len, 0);
	/* a collector that is full drops records and says so, and the report is true all the same
	 */
	world_reset();
	collector = (struct mst_suit_collector){ .store = { room, 60, 0 } };
	assert_int_equal(world_run(MST_SUIT_UPDATE), MST_OK);
	assert_true(collector.lost > 0);
	assert_true(collector.store.len <= 60);
	world_free();
}

static void
capability(void **state)
{
	static const uint8_t component[] = { 0x81, 0x41, 'a' };
	const mst_span components[] = { { component, sizeof component } };
	static const int64_t algorithms[] = { -16, -7 };
	struct mst_suit_capability c = { components, 1, algorithms, 2 };
	struct mst_suit_report_content content = { .envelope = &world.envelope };
	static uint8_t bytes[256];
	struct mst_buf cap = MST_BUF(bytes), out = MST_BUF(encoded);

	(void)state;
	world_new(&forge_one, WORDS({ "seq", "5" }));
	assert_int_equal(world_check(), MST_OK);
	assert_int_equal(mst_suit_capability_build(&world.dev.platform, &c, &cap), MST_OK);
	content.capability = mst_buf_span(&cap);
	assert_int_equal(mst_suit_report_build(&content, &out), MST_OK);
	assert_int_equal(mst_suit_report_parse(mst_buf_span(&out), &report), MST_OK);
	assert_true(mst_span_eq(report.capability, mst_buf_span(&cap)));
	world_free();
}

static void
prefixes(void **state)
{
	struct mst_buf out = MST_BUF(encoded);
	struct mst_suit_report_content content = { .envelope = &world.envelope,
		.collector = &collector,
		.result = MST_E_SUIT_IMAGE_MISMATCH };

	(void)state;
	world_new(&forge_one, WORDS({ "payload1", "flip(0 $image)" }));
	(void)reported(MST_SUIT_UPDATE, "nonce");
	assert_int_equal(mst_suit_report_build(&content, &out), MST_OK);
	for (size_t n = 0; n < out.len; n++) {
		uint8_t *copy = malloc(n == 0 ? 1 : n);
		memcpy(copy, encoded, n);
		assert_int_not_equal(mst_suit_report_parse(mst_span_of(copy, n), &report), MST_OK);
		free(copy);
	}
	world_free();
}

struct bad {
	const char *name, *text;
	mst_err want;
};
#define REFERENCE "99: ['' [-16 bytes(32 1)]]"
static const struct bad bads[] = {
	{ "SUIT-16 no reference", "{3: [] 4: true}", MST_E_SUIT_REPORT },
	{ "SUIT-16 no records", "{4: true " REFERENCE "}", MST_E_SUIT_REPORT },
	{ "SUIT-16 no result", "{3: [] " REFERENCE "}", MST_E_SUIT_REPORT },
	{ "SUIT-16 result false", "{3: [] 4: false " REFERENCE "}", MST_E_SUIT_REPORT_RESULT },
	{ "SUIT-16 result without record", "{3: [] 4: {5: 1 7: 10} " REFERENCE "}",
	    MST_E_SUIT_REPORT_RESULT },
	{ "SUIT-16 an unknown reason", "{3: [] 4: {5: 1 6: [[] 7 1 0 {}] 7: 13} " REFERENCE "}",
	    MST_E_SUIT_REPORT_RESULT },
	{ "SUIT-16 an unknown element", "{3: [] 4: true 5: 1 " REFERENCE "}",
	    MST_E_SUIT_REPORT_KEY },
	{ "SUIT-16 an element twice", "{3: [] 3: [] 4: true " REFERENCE "}", MST_E_SUIT_REPORT },
	{ "SUIT-16 a record of four items", "{3: [[[] 7 1 0]] 4: true " REFERENCE "}",
	    MST_E_SUIT_REPORT_RECORD },
	{ "SUIT-16 a record of six items", "{3: [[[] 7 1 0 {} 1]] 4: true " REFERENCE "}",
	    MST_E_SUIT_REPORT_RECORD },
	{ "SUIT-16 a record whose path is no array", "{3: [[1 7 1 0 {}]] 4: true " REFERENCE "}",
	    MST_E_SUIT_REPORT_RECORD },
	{ "SUIT-16 claims without component", "{3: [{5: 1}] 4: true " REFERENCE "}",
	    MST_E_SUIT_REPORT_RECORD },
	{ "SUIT-16 a digest of the wrong length", "{3: [] 4: true 99: ['' [-16 h'00']]}",
	    MST_E_SUIT_DIGEST_LENGTH },
	{ "SUIT-16 a capability report without commands",
	    "{3: [] 4: true 8: {1: [] 3: [] 4: []} " REFERENCE "}", MST_E_SUIT_REPORT_CAPABILITY },
	{ "SUIT-16 something behind it", "{3: [] 4: true " REFERENCE "} 1", MST_E_SUIT_REPORT },
	{ "SUIT-16 any order of keys is good", "{" REFERENCE " 4: true 3: []}", MST_OK },
	{ "SUIT-16 records and claims are good",
	    "{" REFERENCE " 4: true 3: [[[1 0] 7 1 0 {5: 1}] {0: [b'a'] 5: 1}]}", MST_OK },
};
#define BADS (sizeof bads / sizeof bads[0])

static void
read_row(void **state)
{
	const struct bad *b = *state;
	struct edn_bytes bytes = edn_encode(NULL, b->text);

	assert_int_equal(
	    mst_suit_report_parse(mst_span_of(bytes.ptr, bytes.len), &report), b->want);
	edn_free(&bytes);
}

static void
reasons(void **state)
{
	(void)state;
	assert_int_equal(mst_suit_reason_of(MST_OK), MST_SUIT_REASON_OK);
	assert_int_equal(mst_suit_reason_of(MST_E_SUIT_CBOR_ORDER), MST_SUIT_REASON_CBOR_PARSE);
	assert_int_equal(mst_suit_reason_of(MST_E_COSE_SIGNATURE), MST_SUIT_REASON_UNAUTHORISED);
	assert_int_equal(mst_suit_reason_of(MST_E_SUIT_ROLLBACK), MST_SUIT_REASON_UNAUTHORISED);
	assert_int_equal(
	    mst_suit_reason_of(MST_E_SUIT_ACL), MST_SUIT_REASON_COMPONENT_UNAUTHORISED);
	assert_int_equal(mst_suit_reason_of(MST_E_SUIT_COMPONENT_UNKNOWN),
	    MST_SUIT_REASON_COMPONENT_UNSUPPORTED);
	assert_int_equal(mst_suit_reason_of(MST_E_SUIT_PARAMETER_UNKNOWN),
	    MST_SUIT_REASON_PARAMETER_UNSUPPORTED);
	assert_int_equal(mst_suit_reason_of(MST_E_SUIT_FETCH), MST_SUIT_REASON_OPERATION_FAILED);
	assert_int_equal(mst_suit_reason_of(MST_E_SUIT_VENDOR), MST_SUIT_REASON_CONDITION_FAILED);
	assert_string_equal(mst_suit_reason_name(12), "invoke-pending");
	assert_null(mst_suit_reason_name(13));
}

int
main(void)
{
	static struct CMUnitTest tests[BADS + 10];
	static const struct CMUnitTest more[] = {
		{ "SUIT-16 a success with what was measured", success, NULL, NULL, NULL },
		{ "SUIT-16 a failed condition is never reported as true", failure, NULL, NULL,
		    NULL },
		{ "SUIT-16 a refusal before anything ran", refused_before_it_runs, NULL, NULL,
		    NULL },
		{ "SUIT-16 invoke-pending before it starts", pending, NULL, NULL, NULL },
		{ "SUIT-16 the path of a dependency", in_a_dependency, NULL, NULL, NULL },
		{ "SUIT-16 no room", no_room, NULL, NULL, NULL },
		{ "SUIT-16 capability report", capability, NULL, NULL, NULL },
		{ "SUIT-16 every strict prefix", prefixes, NULL, NULL, NULL },
		{ "SUIT-16 reasons", reasons, NULL, NULL, NULL },
	};
	size_t n = 0;

	for (size_t i = 0; i < BADS; i++)
		tests[n++] = (struct CMUnitTest){ bads[i].name, read_row, NULL, NULL,
			(void *)(uintptr_t)&bads[i] };
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
		tests[n++] = more[i];
	return _cmocka_run_group_tests("report", tests, n, NULL, NULL);
}

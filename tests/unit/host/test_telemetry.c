/* SPDX-License-Identifier: Apache-2.0 */
/* voucher_status and enrollstatus, JSON and CBOR: brski.md section 10. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/telemetry.h"

struct row {
	const char *name;
	enum telemetry_form form;
	const char *body;
	size_t len;
	mst_err want;
	int64_t version;
	bool status;
	const char *reason, *context;
	unsigned unknown;
};
#define J(s) TELEMETRY_JSON, s, sizeof(s) - 1
#define C(s) TELEMETRY_CBOR, s, sizeof(s) - 1
#define BAD MST_E_TELEMETRY_PARSE, 0, false, NULL, NULL, 0
static const struct row rows[] = {
	{ "10 success", J("{\"version\":1,\"status\":true}"), MST_OK, 1, true, NULL, NULL, 0 },
	{ "10 failure with reason",
	    J("{\"version\":1,\"status\":false,\"reason\":\"no\","
	      "\"reason-context\":{\"a\":[1]}}"),
	    MST_OK, 1, false, "no", "{\"a\":[1]}", 0 },
	{ "TEL-3 later version and unknown members",
	    J("{\"version\":2,\"status\":true,\"x\":1,\"y\":{}}"), MST_OK, 2, true, NULL, NULL, 2 },
	{ "10 version missing", J("{\"status\":true}"), BAD },
	{ "10 status missing", J("{\"version\":1}"), BAD },
	{ "erratum 6834 capital Status", J("{\"version\":1,\"Status\":true}"), BAD },
	{ "10 status no boolean", J("{\"version\":1,\"status\":\"true\"}"), BAD },
	{ "10 version no integer", J("{\"version\":\"1\",\"status\":true}"), BAD },
	{ "10 reason no string", J("{\"version\":1,\"status\":false,\"reason\":1}"), BAD },
	{ "10 context no object", J("{\"version\":1,\"status\":false,\"reason-context\":1}"), BAD },
	{ "DM-5 status twice", J("{\"version\":1,\"status\":true,\"status\":false}"), BAD },
	{ "DM-5 bytes behind", J("{\"version\":1,\"status\":true}x"), BAD },
	{ "10 no object", J("[]"), BAD },
	{ "10 empty", J(""), BAD },
	{ "24 CBOR success, the published bytes",
	    C("\xa2\x67"
	      "version\x01\x66"
	      "status\xf5"),
	    MST_OK, 1, true, NULL, NULL, 0 },
	{ "10 CBOR failure with integer keys in the context",
	    C("\xa4\x67"
	      "version\x01\x66"
	      "status\xf4\x66"
	      "reason\x62"
	      "no\x6ereason-context\xa2\x01\x02\x61"
	      "a\x41\xff"),
	    MST_OK, 1, false, "no", "{\"1\":2,\"a\":\"ff\"}", 0 },
	{ "10 CBOR indefinite map",
	    C("\xbf\x67"
	      "version\x01\x66"
	      "status\xf5\xff"),
	    MST_OK, 1, true, NULL, NULL, 0 },
	{ "10 CBOR unknown member",
	    C("\xa3\x67"
	      "version\x01\x66"
	      "status\xf5\x61x\xf6"),
	    MST_OK, 1, true, NULL, NULL, 1 },
	{ "10 CBOR status missing",
	    C("\xa1\x67"
	      "version\x01"),
	    BAD },
	{ "10 CBOR status twice",
	    C("\xa3\x67"
	      "version\x01\x66"
	      "status\xf5\x66"
	      "status\xf4"),
	    BAD },
	{ "10 CBOR status no boolean",
	    C("\xa2\x67"
	      "version\x01\x66"
	      "status\x01"),
	    BAD },
	{ "10 CBOR bytes behind",
	    C("\xa2\x67"
	      "version\x01\x66"
	      "status\xf5\x00"),
	    BAD },
	{ "10 CBOR context no map",
	    C("\xa3\x67"
	      "version\x01\x66"
	      "status\xf5\x6ereason-context\x01"),
	    BAD },
	{ "10 CBOR no map", C("\x80"), BAD },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
one_row(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	struct telemetry t;

	assert_int_equal(
	    telemetry_parse(a, row->form, mst_span_of(row->body, row->len), &t), row->want);
	if (row->want == MST_OK) {
		assert_int_equal(t.version, row->version);
		assert_int_equal(t.status, row->status);
		assert_true(mst_span_eq(t.reason, mst_span_str(row->reason)));
		assert_true(mst_span_eq(t.reason_context, mst_span_str(row->context)));
		assert_int_equal(t.unknown, row->unknown);
	}
	arena_free(a);
}

static void
every_prefix_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].want != MST_OK)
			continue;
		for (size_t n = 0; n < rows[i].len; n++) {
			struct arena *a = arena_new(0);
			char *copy = malloc(n + (n == 0));
			struct telemetry t;

			memcpy(copy, rows[i].body, n);
			assert_int_equal(telemetry_parse(a, rows[i].form, mst_span_of(copy, n), &t),
			    MST_E_TELEMETRY_PARSE);
			free(copy);
			arena_free(a);
		}
	}
}

int
main(void)
{
	struct CMUnitTest tests[ROWS + 1];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	tests[ROWS] = (struct CMUnitTest){ "10 every strict prefix", every_prefix_is_refused, NULL,
		NULL, NULL };
	return cmocka_run_group_tests_name("telemetry", tests, NULL, NULL);
}

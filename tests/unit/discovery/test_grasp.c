/* SPDX-License-Identifier: Apache-2.0 */
/* M_FLOOD: byte-exact against the worked example of the sheet, tolerant where DI-6 says, else
 * strict. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/grasp.h"

#define LL "FE800000000000000000000000000001"
#define HEAD "091A00BC4E4F50" LL "1A0002BF20"
#define OBJECTIVE "8468414E5F50726F7879040160"
#define LOCATOR "84186750" LL "0619115B"
/* requirements 24: AN_Proxy at fe80::1 tcp/4443, RFC 8995 figure 11 */
#define WORKED "85" HEAD "82" OBJECTIVE LOCATOR

static size_t
unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

/* On an exact-size heap copy; spans in *out are used within keep, which the caller frees. */
static mst_err
parse(const uint8_t *bytes, size_t len, struct mst_grasp_flood *out, uint8_t **keep)
{
	*keep = malloc(len != 0 ? len : 1);
	assert_non_null(*keep);
	memcpy(*keep, bytes, len);
	return mst_grasp_parse(mst_span_of(*keep, len), out);
}

static void
DI_1_worked_example_is_read(void **state)
{
	uint8_t bytes[128], address[16] = { 0xfe, 0x80, [15] = 1 }, *keep;
	struct mst_grasp_flood f;
	const struct mst_grasp_objective *o = &f.objectives[0];

	(void)state;
	assert_int_equal(parse(bytes, unhex(WORKED, bytes, sizeof bytes), &f, &keep), MST_OK);
	assert_int_equal(f.session, 12340815);
	assert_true(mst_span_eq(f.initiator, mst_span_of(address, 16)));
	assert_int_equal(f.ttl_ms, MST_GRASP_TTL_MS);
	assert_int_equal(f.count, 1);
	assert_true(mst_span_eq(o->name, MST_LIT(MST_GRASP_PROXY)));
	assert_int_equal(o->flags, MST_GRASP_SYNC);
	assert_int_equal(o->loop_count, 1);
	assert_true(mst_span_eq(o->value, MST_LIT("")));
	assert_true(mst_span_eq(o->address, mst_span_of(address, 16)));
	assert_int_equal(o->protocol, MST_GRASP_TCP);
	assert_int_equal(o->port, 4443);
	free(keep);
}

static struct mst_grasp_flood
worked(const uint8_t address[16])
{
	mst_span a = mst_span_of(address, 16);

	return (struct mst_grasp_flood){ .session = 12340815,
		.initiator = a,
		.ttl_ms = MST_GRASP_TTL_MS,
		.count = 1,
		.objectives = { { .name = MST_LIT(MST_GRASP_PROXY),
		    .flags = MST_GRASP_SYNC,
		    .loop_count = 1,
		    .value = MST_LIT(""),
		    .address = a,
		    .protocol = MST_GRASP_TCP,
		    .port = 4443 } } };
}

static void
DI_1_worked_example_is_written_byte_by_byte(void **state)
{
	uint8_t bytes[128], room[128], address[16] = { 0xfe, 0x80, [15] = 1 };
	struct mst_buf b = MST_BUF(room);
	struct mst_grasp_flood f = worked(address);
	size_t n = unhex(WORKED, bytes, sizeof bytes);

	(void)state;
	assert_int_equal(mst_grasp_build(&f, &b), MST_OK);
	assert_int_equal(b.len, n);
	assert_memory_equal(room, bytes, n);
}

/* RFC 8995 figure 12: ["AN_join_registrar", 4, 255, "EST-TLS"] at tcp/8443. */
static void
DI_1_registrar_of_figure_12_both_ways(void **state)
{
	static const char hex[] = "85091A031678A150FDA379A6F6EE000002000000640000011A0002BF20"
	                          "828471414E5F6A6F696E5F7265676973747261720418FF674553542D544C53"
	                          "84186750FDA379A6F6EE00000200000064000001061920FB";
	uint8_t bytes[160], room[160], *keep;
	struct mst_buf b = MST_BUF(room);
	struct mst_grasp_flood f;
	size_t n = unhex(hex, bytes, sizeof bytes);

	(void)state;
	assert_int_equal(parse(bytes, n, &f, &keep), MST_OK);
	assert_int_equal(f.session, 51804321);
	assert_true(mst_span_eq(f.objectives[0].name, MST_LIT(MST_GRASP_REGISTRAR)));
	assert_int_equal(f.objectives[0].loop_count, 255);
	assert_true(mst_span_eq(f.objectives[0].value, MST_LIT("EST-TLS")));
	assert_int_equal(f.objectives[0].port, 8443);
	assert_int_equal(mst_grasp_build(&f, &b), MST_OK);
	assert_int_equal(b.len, n);
	assert_memory_equal(room, bytes, n);
	free(keep);
}

static void
RFC8949_strict_prefixes_are_refused(void **state)
{
	uint8_t bytes[128], *keep;
	struct mst_grasp_flood f;
	size_t n = unhex(WORKED, bytes, sizeof bytes);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_not_equal(parse(bytes, i, &f, &keep), MST_OK);
		free(keep);
	}
}

struct row {
	const char *name, *hex;
	mst_err err; /* MST_OK, or what it is refused with */
	size_t count; /* objectives kept */
	unsigned port; /* of the last one kept */
};

static const struct row rows[] = {
	{ "DI-6 a further objective without locator",
	    "86" HEAD "82" OBJECTIVE LOCATOR "828363666F6F040180", MST_OK, 2, 0 },
	{ "DI-6 the proxy behind an unknown objective with a value of another type",
	    "86" HEAD "828463666F6F0401A1010280"
	    "82" OBJECTIVE LOCATOR,
	    MST_OK, 2, 4443 },
	{ "DI-6 objective without value",
	    "85" HEAD "82"
	    "8368414E5F50726F78790401" LOCATOR,
	    MST_OK, 1, 4443 },
	{ "DI-6 objective with more than a value",
	    "85" HEAD "82"
	    "8568414E5F50726F787904016001" LOCATOR,
	    MST_OK, 1, 4443 },
	{ "DI-6 all pairs in one more array (brski-discovery-07)",
	    "85" HEAD "82"
	    "82" OBJECTIVE LOCATOR "82" OBJECTIVE LOCATOR,
	    MST_OK, 2, 4443 },
	{ "RFC8990-2.9.5.1 locator is a name",
	    "85" HEAD "82" OBJECTIVE "84186965782E6E6574061901BB", MST_OK, 1, 0 },
	{ "RFC8995-4.3 locator without a port (locator3)",
	    "85" HEAD "82" OBJECTIVE "84186750" LL "1829F6", MST_OK, 1, 0 },
	{ "RFC8990-2.9.5.1 locator is IPv4", "85" HEAD "82" OBJECTIVE "84186844C0000201061901BB",
	    MST_OK, 1, 0 },
	{ "RFC8990-2.8.9 initiator is IPv4",
	    "85091A00BC4E4F44C00002011A0002BF2082" OBJECTIVE LOCATOR, MST_OK, 1, 4443 },
	{ "RFC8949-3 indefinite arrays", "9F" HEAD "9F" OBJECTIVE "9F186750" LL "0619115BFFFFFF",
	    MST_OK, 1, 4443 },
	{ "DI-6 locator with something more", "85" HEAD "82" OBJECTIVE "85186750" LL "0619115BF6",
	    MST_OK, 1, 4443 },
	{ "refused: another message (M_SYNCH 8)",
	    "85081A00BC4E4F50" LL "1A0002BF2082" OBJECTIVE LOCATOR, MST_E_GRASP, 0, 0 },
	{ "refused: message type is text", "8561391A00BC4E4F50" LL "1A0002BF2082" OBJECTIVE LOCATOR,
	    MST_E_CBOR_TYPE, 0, 0 },
	{ "refused: session of 33 bits",
	    "85091B000000010000000050" LL "1A0002BF2082" OBJECTIVE LOCATOR, MST_E_GRASP, 0, 0 },
	{ "refused: initiator of 15 bytes",
	    "85091A00BC4E4F4FFE8000000000000000000000000000"
	    "1A0002BF2082" OBJECTIVE LOCATOR,
	    MST_E_GRASP, 0, 0 },
	{ "refused: negative ttl", "85091A00BC4E4F50" LL "2082" OBJECTIVE LOCATOR, MST_E_CBOR_TYPE,
	    0, 0 },
	{ "refused: no objective", "84" HEAD, MST_E_GRASP, 0, 0 },
	{ "refused: empty pair", "85" HEAD "80", MST_E_GRASP, 0, 0 },
	{ "refused: pair without locator", "85" HEAD "81" OBJECTIVE, MST_E_GRASP, 0, 0 },
	{ "refused: empty objective", "85" HEAD "8280" LOCATOR, MST_E_GRASP, 0, 0 },
	{ "refused: objective without loop-count", "85" HEAD "828268414E5F50726F787904" LOCATOR,
	    MST_E_GRASP, 0, 0 },
	{ "refused: name is bytes", "85" HEAD "828448414E5F50726F7879040160" LOCATOR,
	    MST_E_CBOR_TYPE, 0, 0 },
	{ "refused: loop-count 256", "85" HEAD "828468414E5F50726F78790419010060" LOCATOR,
	    MST_E_GRASP, 0, 0 },
	{ "refused: address of 15 bytes",
	    "85" HEAD "82" OBJECTIVE "8418674FFE800000000000000000000000000"
	    "00619115B",
	    MST_E_GRASP, 0, 0 },
	{ "refused: port 65536", "85" HEAD "82" OBJECTIVE "84186750" LL "061A00010000", MST_E_GRASP,
	    0, 0 },
	{ "refused: locator without port", "85" HEAD "82" OBJECTIVE "83186750" LL "06", MST_E_GRASP,
	    0, 0 },
	{ "refused: protocol 256", "85" HEAD "82" OBJECTIVE "84186750" LL "19010019115B",
	    MST_E_GRASP, 0, 0 },
	{ "refused: arrays in arrays in arrays", "85" HEAD "818182" OBJECTIVE LOCATOR,
	    MST_E_CBOR_TYPE, 0, 0 },
	{ "refused: name is not UTF-8", "85" HEAD "828468FF4E5F50726F7879040160" LOCATOR,
	    MST_E_CBOR_UTF8, 0, 0 },
	{ "refused: a byte behind the message", WORKED "00", MST_E_CBOR_TRAILING, 0, 0 },
	{ "refused: a map", "A0", MST_E_CBOR_TYPE, 0, 0 },
	{ "refused: nothing", "", MST_E_CBOR_TYPE, 0, 0 },
};

static void
message_is_judged(void **state)
{
	const struct row *row = *state;
	uint8_t bytes[512], *keep;
	struct mst_grasp_flood f = { .session = 7 };
	mst_err e = parse(bytes, unhex(row->hex, bytes, sizeof bytes), &f, &keep);

	if (row->err != MST_OK) {
		assert_int_not_equal(e, MST_OK);
		if (row->hex[0] != '\0')
			assert_int_equal(e, row->err);
		assert_int_equal(f.session, 7); /* written on success only */
	} else {
		assert_int_equal(e, MST_OK);
		assert_int_equal(f.count, row->count);
		assert_int_equal(f.objectives[f.count - 1].port, row->port);
	}
	free(keep);
}

static void
objectives_beyond_eight_are_passed_over(void **state)
{
	uint8_t bytes[1024], *keep;
	struct mst_grasp_flood f;
	size_t n = unhex("8E" HEAD, bytes, sizeof bytes);

	(void)state;
	for (int i = 0; i < 10; i++)
		n += unhex("82" OBJECTIVE LOCATOR, bytes + n, sizeof bytes - n);
	assert_int_equal(parse(bytes, n, &f, &keep), MST_OK);
	assert_int_equal(f.count, MST_GRASP_OBJECTIVES);
	free(keep);
}

static void
RFC8990_2_5_1_2_message_of_more_than_2048_bytes_is_refused(void **state)
{
	size_t head, n = MST_GRASP_MESSAGE_MAX + 1;
	uint8_t *bytes = calloc(1, n);
	struct mst_grasp_flood f;

	(void)state;
	assert_non_null(bytes);
	/* a value of bytes fills it up: well-formed, only too long */
	head = unhex("85" HEAD "828468414E5F50726F7879040159", bytes, n);
	bytes[head] = (uint8_t)((n - head - 2 - 1) >> 8);
	bytes[head + 1] = (uint8_t)(n - head - 2 - 1);
	bytes[n - 1] = 0x80;
	assert_int_equal(mst_grasp_parse(mst_span_of(bytes, n), &f), MST_E_GRASP);
	bytes[head + 1]--; /* one byte less is taken */
	bytes[n - 2] = 0x80;
	assert_int_equal(mst_grasp_parse(mst_span_of(bytes, n - 1), &f), MST_OK);
	free(bytes);
}

static void
builder_refuses_what_is_no_flood(void **state)
{
	uint8_t room[128], address[16] = { 0xfe, 0x80, [15] = 1 };

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct mst_buf b = MST_BUF(room);
		struct mst_grasp_flood f = worked(address);

		switch (i) {
		case 0: f.count = 0; break;
		case 1: f.initiator.len = 15; break;
		case 2: f.objectives[0].address.len = 4; break;
		case 3: f.objectives[0].loop_count = 0; break;
		case 4: f.objectives[0].name = MST_NONE; break;
		default: f.count = MST_GRASP_OBJECTIVES + 1; break;
		}
		assert_int_equal(mst_grasp_build(&f, &b), MST_E_GRASP);
		assert_int_equal(b.len, 0);
	}
}

static void
builder_says_when_space_ends(void **state)
{
	uint8_t address[16] = { 0xfe, 0x80, [15] = 1 };
	struct mst_grasp_flood f = worked(address);

	(void)state;
	for (size_t cap = 0; cap < sizeof WORKED / 2; cap++) {
		uint8_t *room = malloc(cap != 0 ? cap : 1);
		struct mst_buf b = { room, cap, 0 };

		assert_int_equal(mst_grasp_build(&f, &b), MST_E_SPACE);
		free(room);
	}
}

#define ROWS(table) (sizeof table / sizeof table[0])

int
main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(DI_1_worked_example_is_read),
		cmocka_unit_test(DI_1_worked_example_is_written_byte_by_byte),
		cmocka_unit_test(DI_1_registrar_of_figure_12_both_ways),
		cmocka_unit_test(RFC8949_strict_prefixes_are_refused),
		cmocka_unit_test(objectives_beyond_eight_are_passed_over),
		cmocka_unit_test(RFC8990_2_5_1_2_message_of_more_than_2048_bytes_is_refused),
		cmocka_unit_test(builder_refuses_what_is_no_flood),
		cmocka_unit_test(builder_says_when_space_ends),
	};
	struct CMUnitTest tests[ROWS(plain) + ROWS(rows)];

	memcpy(tests, plain, sizeof plain);
	for (size_t i = 0; i < ROWS(rows); i++)
		tests[ROWS(plain) + i] = (struct CMUnitTest){ rows[i].name, message_is_judged, NULL,
			NULL, (void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("GRASP", tests, NULL, NULL);
}

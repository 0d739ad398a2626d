/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log document: brski.md AUD-4 and AUD-5. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/telemetry.h"

struct row {
	const char *name, *json;
	mst_err want;
};
#define EVENT "'date':'2019-05-15T17:25:55.644-04:00','domainID':'AAEC','assertion':'logged'"
#define LOG(event) "{'version':1,'events':[{" event "}]}"
#define BAD MST_E_AUDIT_PARSE
static const struct row rows[] = {
	{ "AUD-4 smallest", "{'version':1,'events':[]}", MST_OK },
	{ "AUD-4 quoted integers",
	    "{'version':'1','events':[{" EVENT ",'nonce':'x','truncated':'7'}],"
	    "'truncation':{'nonced duplicates':'1',"
	    "'nonceless duplicates':'2','arbitrary':'3'}}",
	    MST_OK },
	{ "AUD-4 later version and unknown members",
	    "{'version':2,'events':[{" EVENT ",'x':1}],'y':2}", MST_OK },
	{ "AUD-5 nonce null", LOG(EVENT ",'nonce':null"), MST_OK },
	{ "AUD-4 agent-proximity",
	    LOG("'date':'2019-05-15T17:25:55Z','domainID':'AA==',"
	        "'assertion':'agent-proximity'"),
	    MST_OK },
	{ "AUD-4 version missing", "{'events':[]}", BAD },
	{ "AUD-4 version 0", "{'version':0,'events':[]}", BAD },
	{ "AUD-4 version in words", "{'version':'one','events':[]}", BAD },
	{ "AUD-4 events missing", "{'version':1}", BAD },
	{ "AUD-4 events no array", "{'version':1,'events':{}}", BAD },
	{ "AUD-4 event no object", "{'version':1,'events':[1]}", BAD },
	{ "AUD-4 date missing", LOG("'domainID':'AAEC','assertion':'logged'"), BAD },
	{ "AUD-4 date no date", LOG("'date':'x','domainID':'AAEC','assertion':'logged'"), BAD },
	{ "AUD-4 domainID missing", LOG("'date':'2019-05-15T17:25:55Z','assertion':'logged'"),
	    BAD },
	{ "AUD-4 domainID no base64",
	    LOG("'date':'2019-05-15T17:25:55Z','domainID':'!','assertion':'logged'"), BAD },
	{ "AUD-4 assertion missing", LOG("'date':'2019-05-15T17:25:55Z','domainID':'AAEC'"), BAD },
	{ "AUD-4 assertion unknown",
	    LOG("'date':'2019-05-15T17:25:55Z','domainID':'AAEC','assertion':'x'"), BAD },
	{ "AUD-5 nonce a number", LOG(EVENT ",'nonce':1"), BAD },
	{ "AUD-5 truncated negative", LOG(EVENT ",'truncated':-1"), BAD },
	{ "AUD-5 truncated with a tail", LOG(EVENT ",'truncated':'1x'"), BAD },
	{ "AUD-5 truncation no object", "{'version':1,'events':[],'truncation':1}", BAD },
	{ "DM-5 a key twice", "{'version':1,'version':1,'events':[]}", BAD },
	{ "DM-5 bytes behind", "{'version':1,'events':[]}x", BAD },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static char *
quoted(const char *s)
{
	char *copy = strdup(s);

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

static void
one_row(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	char *json = quoted(row->json);
	struct audit_log log;

	assert_int_equal(audit_log_parse(a, mst_span_str(json), &log), row->want);
	free(json);
	arena_free(a);
}

static void
values_are_read(void **state)
{
	struct arena *a = arena_new(0);
	char *json = quoted(rows[1].json);
	struct audit_log log;

	(void)state;
	assert_int_equal(audit_log_parse(a, mst_span_str(json), &log), MST_OK);
	assert_int_equal(log.version, 1);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.nonced_duplicates, 1);
	assert_int_equal(log.nonceless_duplicates, 2);
	assert_int_equal(log.arbitrary, 3);
	assert_int_equal(log.events[0].date, INT64_C(1557955555));
	assert_true(mst_span_eq(log.events[0].domain_id, mst_span_of("\0\1\2", 3)));
	assert_true(mst_span_eq(log.events[0].nonce, MST_LIT("x")));
	assert_int_equal(log.events[0].assertion, MST_ASSERT_LOGGED);
	assert_int_equal(log.events[0].truncated, 7);
	free(json);
	arena_free(a);
}

static void
what_is_built_is_read(void **state)
{
	struct audit_event events[] = {
		{ 1000, MST_LIT("dom"), MST_LIT("n\"once"), MST_ASSERT_PROXIMITY, 0 },
		{ 2000, MST_LIT("dom"), MST_NONE, MST_ASSERT_VERIFIED, 1024 },
	};
	struct audit_log log = { 1, events, 2, 3, 4, 5 }, back;
	struct arena *a = arena_new(0);
	mst_span json;

	(void)state;
	assert_int_equal(audit_log_build(a, &log, &json), MST_OK);
	assert_non_null(memmem(json.ptr, json.len, "\"nonce\":null", 12));
	assert_non_null(memmem(json.ptr, json.len, "\"arbitrary\":5", 13));
	assert_int_equal(audit_log_parse(a, json, &back), MST_OK);
	assert_int_equal(back.count, 2);
	assert_true(mst_span_eq(back.events[0].nonce, events[0].nonce));
	assert_null(back.events[1].nonce.ptr);
	assert_int_equal(back.events[1].truncated, 1024);
	assert_int_equal(back.nonceless_duplicates, 4);
	log.count = 0;
	assert_int_equal(audit_log_build(a, &log, &json), MST_OK);
	assert_int_equal(audit_log_parse(a, json, &back), MST_OK);
	assert_int_equal(back.count, 0);
	arena_free(a);
}

static void
ten_thousand_events_and_no_more(void **state)
{
	struct audit_event one = { 1, MST_LIT("d"), MST_NONE, MST_ASSERT_LOGGED, 0 };
	struct audit_log log = { 1, calloc(10001, sizeof(one)), 10000, 0, 0, 0 }, back;
	struct arena *a = arena_new(0);
	mst_span json;

	(void)state;
	for (size_t i = 0; i < 10001; i++)
		log.events[i] = one;
	assert_int_equal(audit_log_build(a, &log, &json), MST_OK);
	assert_int_equal(audit_log_parse(a, json, &back), MST_OK);
	assert_int_equal(back.count, 10000);
	log.count = 10001;
	assert_int_equal(audit_log_build(a, &log, &json), MST_OK);
	assert_int_equal(audit_log_parse(a, json, &back), MST_E_AUDIT_PARSE);
	free(log.events);
	arena_free(a);
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
	struct CMUnitTest tests[ROWS + 3] = { T("AUD-4 values", values_are_read),
		T("AUD-4 what is built is read", what_is_built_is_read),
		T("AUD-4 10,000 events", ten_thousand_events_and_no_more) };

	for (size_t i = 0; i < ROWS; i++)
		tests[3 + i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("audit log", tests, NULL, NULL);
}

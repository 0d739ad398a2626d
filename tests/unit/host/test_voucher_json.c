/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON data model of vouchers: each leaf, each limit, each refusal. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/envelope.h"

struct row {
	const char *name, *inner;
	mst_err want;
};
/* ' stands for "; inner goes into a voucher-request. */
static const struct row rows[] = {
	{ "section 4 empty object", "", MST_OK },
	{ "section 4 unknown leaf is ignored", "'x':1", MST_OK },
	{ "DM-6 offset and fraction", "'created-on':'2021-04-13T17:43:23.747-04:00'", MST_OK },
	{ "DM-6 no date", "'created-on':'yesterday'", MST_E_VOUCHER_PARSE },
	{ "DM-6 no string", "'created-on':1", MST_E_JSON_TYPE },
	{ "DM-1 url alphabet without padding", "'proximity-registrar-cert':'_-8'", MST_OK },
	{ "DM-1 not base64", "'proximity-registrar-cert':'!!!!'", MST_E_VOUCHER_PARSE },
	{ "DM-1 data behind the padding", "'proximity-registrar-cert':'AA==AA'",
	    MST_E_VOUCHER_PARSE },
	{ "DM-1 empty", "'proximity-registrar-cert':''", MST_E_VOUCHER_PARSE },
	{ "section 4 hash of 31 bytes",
	    "'proximity-registrar-pubk-sha256':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=='",
	    MST_E_VOUCHER_PARSE },
	{ "section 4 hash of 32 bytes",
	    "'proximity-registrar-pubk-sha256':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='",
	    MST_OK },
	{ "section 4 assertion no string", "'assertion':2", MST_E_JSON_TYPE },
	{ "section 4 assertion unknown is left to the check", "'assertion':'trust me'", MST_OK },
	{ "section 4 boolean no boolean", "'domain-cert-revocation-checks':'false'",
	    MST_E_JSON_TYPE },
	{ "section 4 serial no string", "'serial-number':1", MST_E_JSON_TYPE },
	{ "section 4 serial null", "'serial-number':null", MST_E_JSON_TYPE },
	{ "DM-2 nonce no string", "'nonce':1", MST_E_JSON_TYPE },
	{ "DM-5 a key twice", "'nonce':'a','nonce':'b'", MST_E_JSON },
	{ "DM-5 a key twice, once escaped", "'nonce':'a','n\\u006fnce':'b'", MST_E_JSON },
	{ "DM-5 NUL in a string", "'serial-number':'a\\u0000b'", MST_E_JSON },
	{ "DM-5 invalid UTF-8", "'serial-number':'\xff'", MST_E_JSON },
	{ "DM-5 half a surrogate", "'serial-number':'\\ud800'", MST_E_JSON },
	{ "DM-5 depth 8", "'x':[[[[[[1]]]]]]", MST_OK },
	{ "DM-5 depth 9", "'x':[[[[[[[1]]]]]]]", MST_E_JSON_LIMIT },
	{ "DM-5 brackets in strings are no depth", "'x':'[[[[[[[[[[[[[[\\\\\\'[[['", MST_OK },
	{ "section 4 prior as a compact JWS of before 2021",
	    "'prior-signed-voucher-request':'eyJh.eyJi.AAAA'", MST_OK },
	{ "section 4 prior neither base64 nor JWS", "'prior-signed-voucher-request':'x.y.z'",
	    MST_E_VOUCHER_PARSE },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static mst_err
parse(struct arena *a, const char *json, enum mst_voucher_kind kind, struct mst_voucher_claims *c)
{
	/* exact size on the heap: one byte too far is seen */
	char *copy = malloc(strlen(json) + (*json == '\0'));
	mst_err e;

	memcpy(copy, json, strlen(json));
	e = voucher_json_parse(a, mst_span_of(copy, strlen(json)), kind, c);
	free(copy);
	return e;
}

static const char *
request(struct arena *a, const char *inner)
{
	char *text = arena_printf(a, "{\"ietf-voucher-request:voucher\":{%s}}", inner);

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return text;
}

static void
one_row(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	struct mst_voucher_claims c;

	assert_int_equal(parse(a, request(a, row->inner), MST_VOUCHER_REQUEST, &c), row->want);
	arena_free(a);
}

static void
nonce_text_is_kept_to_the_letter(void **state)
{
	static const struct {
		const char *text;
		mst_span bytes;
	} zoo[] = {
		{ "-_XE9zK9q8Ll1qylMtLKeg",
		    { (const uint8_t *)"\xfb\xf5\xc4\xf7\x32\xbd\xab\xc2\xe5\xd6\xac\xa5\x32\xd2"
		                       "\xca\x7a",
		        16 } },
		{ "VGhpcyBpcyBhIG5vbmNlIQ==", { (const uint8_t *)"This is a nonce!", 16 } },
		{ "no base64 at all", { (const uint8_t *)"no base64 at all", 16 } },
		{ "", { (const uint8_t *)"", 0 } },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(zoo) / sizeof(zoo[0]); i++) {
		struct mst_voucher_claims c, again;
		mst_span json;

		assert_int_equal(parse(a, request(a, arena_printf(a, "'nonce':'%s'", zoo[i].text)),
		                     MST_VOUCHER_REQUEST, &c),
		    MST_OK);
		assert_true(mst_span_eq(c.nonce_text, mst_span_str(zoo[i].text)));
		assert_int_equal(c.nonce.len, zoo[i].bytes.len);
		assert_memory_equal(c.nonce.ptr, zoo[i].bytes.ptr, zoo[i].bytes.len);
		/* 8.3: copied verbatim into the RVR */
		assert_int_equal(voucher_json_build(a, &c, &json), MST_OK);
		assert_int_equal(voucher_json_parse(a, json, MST_VOUCHER_REQUEST, &again), MST_OK);
		assert_true(mst_span_eq(again.nonce_text, c.nonce_text));
	}
	arena_free(a);
}

static void
limits(void **state)
{
	struct arena *a = arena_new(0);
	char *long_text = calloc(1, 110000), *many = calloc(1, 4096);
	struct mst_voucher_claims c;

	(void)state;
	memset(long_text, 'A', 129);
	assert_int_equal(parse(a, request(a, arena_printf(a, "'nonce':'%s'", long_text)),
	                     MST_VOUCHER_REQUEST, &c),
	    MST_E_JSON_LIMIT);
	memset(long_text, 'A', 16385);
	assert_int_equal(parse(a, request(a, arena_printf(a, "'serial-number':'%s'", long_text)),
	                     MST_VOUCHER_REQUEST, &c),
	    MST_E_JSON_LIMIT);
	memset(long_text, 'A', 21852);
	assert_int_equal(
	    parse(a, request(a, arena_printf(a, "'proximity-registrar-cert':'%s'", long_text)),
	        MST_VOUCHER_REQUEST, &c),
	    MST_E_JSON_LIMIT);
	memset(long_text, 'A', 65536);
	assert_int_equal(
	    parse(a, request(a, arena_printf(a, "'prior-signed-voucher-request':'%s'", long_text)),
	        MST_VOUCHER_REQUEST, &c),
	    MST_OK);
	memset(long_text, 'A', 65540);
	assert_int_equal(
	    parse(a, request(a, arena_printf(a, "'prior-signed-voucher-request':'%s'", long_text)),
	        MST_VOUCHER_REQUEST, &c),
	    MST_E_JSON_LIMIT);
	for (int i = 0; i < 64; i++)
		(void)sprintf(many + strlen(many), "%s'k%d':0", i == 0 ? "" : ",", i);
	assert_int_equal(parse(a, request(a, many), MST_VOUCHER_REQUEST, &c), MST_OK);
	assert_int_equal(c.unknown, 64);
	(void)strcat(many, ",'more':0");
	assert_int_equal(parse(a, request(a, many), MST_VOUCHER_REQUEST, &c), MST_E_JSON_LIMIT);
	free(long_text);
	free(many);
	arena_free(a);
}

static void
tops(void **state)
{
	static const struct {
		const char *json;
		mst_err want;
	} tops_of[] = {
		{ "{\"ietf-voucher:voucher\":{}}", MST_OK },
		{ " {\"ietf-voucher:voucher\":{}} \n", MST_OK },
		{ "{\"ietf-voucher-request:voucher\":{}}", MST_E_VOUCHER_KIND },
		{ "{\"ietf-voucher:voucher\":{},\"ietf-voucher-request:voucher\":{}}",
		    MST_E_VOUCHER_KIND },
		{ "{\"ietf-voucher:voucher\":{},\"x\":1}", MST_E_VOUCHER_PARSE },
		{ "{\"ietf-voucher:voucher\":[]}", MST_E_JSON_TYPE },
		{ "{}", MST_E_VOUCHER_PARSE },
		{ "[]", MST_E_JSON_TYPE },
		{ "", MST_E_JSON },
		{ "{\"ietf-voucher:voucher\":{}}x", MST_E_JSON },
		{ "{\"ietf-voucher:voucher\":{}}{}", MST_E_JSON },
		{ "}", MST_E_JSON },
		{ "{\"ietf-voucher:voucher\":{}", MST_E_JSON },
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(tops_of) / sizeof(tops_of[0]); i++) {
		struct mst_voucher_claims c;

		assert_int_equal(parse(a, tops_of[i].json, MST_VOUCHER, &c), tops_of[i].want);
	}
	arena_free(a);
}

static void
every_leaf_survives(void **state)
{
	struct arena *a = arena_new(0);
	struct mst_voucher_claims c, d;
	mst_span json;
	uint8_t hash[32] = { 1 };

	(void)state;
	mst_voucher_claims_init(&c, MST_VOUCHER_REQUEST);
	c.assertion = MST_ASSERT_AGENT_PROXIMITY;
	c.created_on = 1;
	c.expires_on = INT64_C(253402300799);
	c.last_renewal = -1;
	c.serial = MST_LIT("S\xc3\xbc/\"\\");
	c.nonce = MST_LIT("12345678");
	c.idevid_issuer = MST_LIT("\x04\x01x");
	c.pinned_cert = MST_LIT("a");
	c.pinned_pubk = MST_LIT("bb");
	c.pinned_pubk_sha256 = mst_span_of(hash, 32);
	c.revocation_checks = 1;
	c.proximity_cert = MST_LIT("ccc");
	c.proximity_pubk = MST_LIT("dddd");
	c.proximity_pubk_sha256 = mst_span_of(hash, 32);
	c.prior_request = MST_LIT("\x30\x80");
	c.est_domain = MST_LIT("https://est.example");
	c.additional_configuration_url = MST_LIT("https://c.example");
	c.manufacturer_proprietary = MST_LIT("AAEC");
	assert_int_equal(voucher_json_build(a, &c, &json), MST_OK);
	assert_int_equal(voucher_json_parse(a, json, MST_VOUCHER_REQUEST, &d), MST_OK);
	assert_int_equal(d.assertion, c.assertion);
	assert_int_equal(d.created_on, c.created_on);
	assert_int_equal(d.expires_on, c.expires_on);
	assert_int_equal(d.last_renewal, c.last_renewal);
	assert_int_equal(d.revocation_checks, 1);
	assert_true(mst_span_eq(d.serial, c.serial));
	assert_true(mst_span_eq(d.nonce, c.nonce));
	assert_true(mst_span_eq(d.idevid_issuer, c.idevid_issuer));
	assert_true(mst_span_eq(d.pinned_cert, c.pinned_cert));
	assert_true(mst_span_eq(d.pinned_pubk, c.pinned_pubk));
	assert_true(mst_span_eq(d.pinned_pubk_sha256, c.pinned_pubk_sha256));
	assert_true(mst_span_eq(d.proximity_cert, c.proximity_cert));
	assert_true(mst_span_eq(d.proximity_pubk, c.proximity_pubk));
	assert_true(mst_span_eq(d.proximity_pubk_sha256, c.proximity_pubk_sha256));
	assert_true(mst_span_eq(d.prior_request, c.prior_request));
	assert_true(mst_span_eq(d.est_domain, c.est_domain));
	assert_true(mst_span_eq(d.additional_configuration_url, c.additional_configuration_url));
	assert_true(mst_span_eq(d.manufacturer_proprietary, c.manufacturer_proprietary));
	assert_int_equal(d.unknown, 0);
	/* a voucher has no proximity leaves: they are not written */
	c.kind = MST_VOUCHER;
	assert_int_equal(voucher_json_build(a, &c, &json), MST_OK);
	assert_null(memmem(json.ptr, json.len, "proximity-reg", 13));
	arena_free(a);
}

static void
text_that_is_no_utf8_is_not_written(void **state)
{
	struct arena *a = arena_new(0);
	struct mst_voucher_claims c;
	mst_span json;

	(void)state;
	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.serial = MST_LIT("\xff");
	assert_int_equal(voucher_json_build(a, &c, &json), MST_E_VOUCHER_PARSE);
	arena_free(a);
}

static void
an_arena_that_is_full_is_told(void **state)
{
	struct mst_voucher_claims c;
	const char *json = "{\"ietf-voucher:voucher\":{\"serial-number\":\"x\"}}";

	(void)state;
	for (size_t limit = 1; limit < 9000; limit += 500) {
		struct arena *a = arena_new(limit);
		mst_err e = parse(a, json, MST_VOUCHER, &c);

		assert_true(e == MST_E_NOMEM || e == MST_OK);
		arena_free(a);
	}
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
	const struct CMUnitTest single[] = {
		T("DM-2 nonce zoo", nonce_text_is_kept_to_the_letter),
		T("DM-5 limits", limits),
		T("section 4 top-level objects", tops),
		T("section 4 every leaf survives", every_leaf_survives),
		T("section 4 text that is no UTF-8", text_that_is_no_utf8_is_not_written),
		T("design 5 out of memory", an_arena_that_is_full_is_told),
	};
	struct CMUnitTest table[ROWS];
	int bad;

	for (size_t i = 0; i < ROWS; i++)
		table[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	bad = cmocka_run_group_tests_name("voucher json rows", table, NULL, NULL);
	return bad + cmocka_run_group_tests_name("voucher json", single, NULL, NULL);
}

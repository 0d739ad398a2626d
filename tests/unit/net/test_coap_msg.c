/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of CoAP options and the table of resources: no socket. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/coap_msg.h"
#include "server/net/coap_table.h"

/* --- what options mean --- */

#define B(s)                                                                                       \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

struct option_row {
	const char *name;
	struct coap_opt options[4];
	size_t count;
	mst_err err;
	const char *path, *query;
};
#define O(n, v)                                                                                    \
	{                                                                                          \
		(n), B(v)                                                                          \
	}
#define PATH O(MST_COAP_URI_PATH, "sen")

static const struct option_row option_rows[] = {
	{ "no option at all", { { 0 } }, 0, MST_OK, "", "" },
	{ "Uri-Path in two parts", { PATH, O(MST_COAP_URI_PATH, "x") }, 2, MST_OK, "/sen/x", "" },
	{ "Uri-Query in two parts", { O(MST_COAP_URI_QUERY, "a=1"), O(MST_COAP_URI_QUERY, "b") }, 2,
	    MST_OK, "", "a=1&b" },
	{ "Uri-Host and Uri-Port are taken",
	    { O(MST_COAP_URI_HOST, "h"), O(MST_COAP_URI_PORT, "\x16\x34"), PATH }, 3, MST_OK,
	    "/sen", "" },
	{ "RFC 7252 5.4.1: unknown elective is ignored", { PATH, O(258, "\x02") }, 2, MST_OK,
	    "/sen", "" },
	{ "RFC 7252 5.4.1: unknown critical is 4.02", { PATH, O(65001, "x") }, 2, MST_E_COAP_OPTION,
	    NULL, NULL },
	{ "RFC 7252 5.4.1: If-Match is not for these resources", { O(MST_COAP_IF_MATCH, ""), PATH },
	    2, MST_E_COAP_OPTION, NULL, NULL },
	{ "RFC 7252 5.4.3: Accept of three bytes is 4.02", { PATH, O(MST_COAP_ACCEPT, "abc") }, 2,
	    MST_E_COAP_OPTION, NULL, NULL },
	{ "RFC 7252 5.4.3: Content-Format of three bytes is ignored",
	    { PATH, O(MST_COAP_CONTENT_FORMAT, "abc") }, 2, MST_OK, "/sen", "" },
	{ "RFC 7252 5.4.5: Accept twice is 4.02",
	    { PATH, O(MST_COAP_ACCEPT, ""), O(MST_COAP_ACCEPT, "") }, 3, MST_E_COAP_OPTION, NULL,
	    NULL },
	{ "RFC 7252 5.10.1: empty Uri-Host is 4.02", { O(MST_COAP_URI_HOST, ""), PATH }, 2,
	    MST_E_COAP_OPTION, NULL, NULL },
	{ "RFC 7252 5.7.2: Proxy-Uri", { PATH, O(MST_COAP_PROXY_URI, "coap://x/") }, 2,
	    MST_E_COAP_PROXY, NULL, NULL },
	{ "RFC 7252 5.7.2: Proxy-Scheme", { PATH, O(MST_COAP_PROXY_SCHEME, "coap") }, 2,
	    MST_E_COAP_PROXY, NULL, NULL },
	{ "RFC 7959 2.2: Block1 of size 7", { PATH, O(MST_COAP_BLOCK1, "\x0f") }, 2,
	    MST_E_COAP_MALFORMED, NULL, NULL },
	{ "RFC 7959 2.2: Block2 of size 7", { PATH, O(MST_COAP_BLOCK2, "\x07") }, 2,
	    MST_E_COAP_MALFORMED, NULL, NULL },
	{ "RFC 7959 2.2: Block1 of four bytes is 4.02", { PATH, O(MST_COAP_BLOCK1, "abcd") }, 2,
	    MST_E_COAP_OPTION, NULL, NULL },
	{ "CO-5: Uri-Path-Abbrev alone", { O(COAP_URI_PATH_ABBREV, "\x01\x2e") }, 1, MST_OK, "",
	    "" },
	{ "CO-5: Uri-Path-Abbrev beside Uri-Path", { PATH, O(COAP_URI_PATH_ABBREV, "\x01\x2e") }, 2,
	    MST_E_COAP_OPTION, NULL, NULL },
	{ "CO-5: Uri-Path-Abbrev twice",
	    { O(COAP_URI_PATH_ABBREV, "\x01\x2e"), O(COAP_URI_PATH_ABBREV, "\x01\x2e") }, 2,
	    MST_E_COAP_OPTION, NULL, NULL },
	{ "a separator inside a part", { O(MST_COAP_URI_PATH, "a/b") }, 1, MST_E_HTTP_PATH, NULL,
	    NULL },
	{ "a NUL inside a part", { O(MST_COAP_URI_PATH, "a\0b") }, 1, MST_E_HTTP_PATH, NULL, NULL },
};

static void
option_row(void **state)
{
	const struct option_row *r = *state;
	struct coap_msg m = { .count = r->count };
	struct coap_request q;
	const char *why;

	memcpy(m.options, r->options, sizeof r->options);
	assert_int_equal(coap_request_read(&m, &q, &why), r->err);
	if (r->err == MST_OK) {
		assert_string_equal(q.path, r->path);
		assert_string_equal(q.query, r->query);
	} else {
		assert_true(why[0] != '\0');
	}
}

static void
path_too_long(void **state)
{
	static uint8_t part[255];
	struct coap_msg m = { .count = 2 };
	struct coap_request q;
	const char *why;

	(void)state;
	memset(part, 'a', sizeof part);
	m.options[0] = m.options[1] =
	    (struct coap_opt){ MST_COAP_URI_PATH, mst_span_of(part, sizeof part) };
	assert_int_equal(coap_request_read(&m, &q, &why), MST_E_HTTP_PATH);
}

/* RFC 7252 3.2 and RFC 7959 2.2: what the writer writes the reader reads. */
static void
round_trip(void **state)
{
	uint8_t bytes[512], body[300] = { 7 };
	struct mst_buf out = MST_BUF(bytes);
	const struct mst_coap_block b = { true, true, 6, 0xFFFFF };
	struct mst_coap_writer w;
	struct coap_msg m;
	struct coap_request q;
	const char *why;
	bool header;

	(void)state;
	mst_coap_put_head(&w, &out, MST_COAP_NON, COAP_POST, 0xBEEF, MST_LIT("tok"));
	mst_coap_put_option(&w, MST_COAP_URI_PATH, MST_LIT("sen"));
	mst_coap_put_uint(&w, MST_COAP_CONTENT_FORMAT, 0); /* zero is the empty value */
	mst_coap_put_uint(&w, MST_COAP_ACCEPT, 287);
	mst_coap_put_block(&w, MST_COAP_BLOCK1, &b);
	mst_coap_put_uint(&w, MST_COAP_SIZE1, 32768);
	mst_coap_put_option(&w, 2000, mst_span_of(body, sizeof body));
	mst_coap_put_payload(&w, MST_LIT("payload"));
	assert_int_equal(w.err, MST_OK);
	assert_int_equal(coap_msg_parse(mst_buf_span(&out), &m, &header), MST_OK);
	assert_int_equal(m.type, MST_COAP_NON);
	assert_int_equal(m.code, COAP_POST);
	assert_int_equal(m.mid, 0xBEEF);
	assert_int_equal(m.token.len, 3);
	assert_int_equal(m.count, 6);
	assert_int_equal(m.options[5].value.len, sizeof body);
	assert_int_equal(m.payload.len, 7);
	assert_int_equal(coap_request_read(&m, &q, &why), MST_OK);
	assert_int_equal(q.content_format, 0);
	assert_int_equal(q.accept, 287);
	assert_int_equal(q.size1, 32768);
	assert_true(q.block1.there && q.block1.more);
	assert_int_equal(q.block1.num, 0xFFFFF);
	assert_int_equal(q.block1.szx, 6);
	assert_false(q.block2.there);
}

/* No message of ours has so many; a longer list is no request that is worth its memory. */
static void
too_many_options(void **state)
{
	uint8_t bytes[128];
	struct mst_buf out = MST_BUF(bytes);
	struct mst_coap_writer w;
	struct coap_msg m;
	bool header;

	(void)state;
	mst_coap_put_head(&w, &out, MST_COAP_CON, COAP_GET, 1, MST_NONE);
	for (size_t i = 0; i < COAP_OPTIONS_MAX; i++)
		mst_coap_put_option(&w, MST_COAP_URI_PATH, MST_LIT("a"));
	assert_int_equal(w.err, MST_OK);
	assert_int_equal(coap_msg_parse(mst_buf_span(&out), &m, &header), MST_OK);
	mst_coap_put_option(&w, MST_COAP_URI_PATH, MST_LIT("a"));
	assert_int_equal(coap_msg_parse(mst_buf_span(&out), &m, &header), MST_E_COAP_MALFORMED);
	assert_true(header);
}

/* --- the table --- */

/* brski.md CO-5, as cBRSKI 6.5.3 lists them: not taken from the table under test. */
static const struct {
	long number;
	const char *path;
} abbreviations[] = {
	{ 0, "/.well-known/core" },
	{ 1, "/.well-known/rd" },
	{ 2, "/.well-known/edhoc" },
	{ 301, "/.well-known/est/crts" },
	{ 302, "/.well-known/est/sen" },
	{ 303, "/.well-known/est/sren" },
	{ 304, "/.well-known/est/skg" },
	{ 305, "/.well-known/est/skc" },
	{ 306, "/.well-known/est/att" },
	{ 401, "/.well-known/brski/es" },
	{ 402, "/.well-known/brski/rv" },
	{ 403, "/.well-known/brski/vs" },
};

static void
co5_abbreviations(void **state)
{
	size_t known = 0;

	(void)state;
	for (long n = -2; n < 1000; n++)
		known += coap_abbrev_path(n) != NULL;
	assert_int_equal(known, sizeof abbreviations / sizeof abbreviations[0]);
	for (size_t i = 0; i < known; i++)
		assert_string_equal(
		    coap_abbrev_path(abbreviations[i].number), abbreviations[i].path);
}

static const struct {
	const char *path, *name, *route;
} paths[] = {
	{ "/.well-known/brski/rv", "rv", "/.well-known/brski/requestvoucher" },
	{ "/.well-known/brski/vs", "vs", "/.well-known/brski/voucher_status" },
	{ "/b/es", "es", "/.well-known/brski/enrollstatus" },
	{ "/.well-known/est/crts", "crts", "/.well-known/est/cacerts" },
	{ "/e/sen", "sen", "/.well-known/est/simpleenroll" },
	{ "/.well-known/est/field/sren", "sren", "/.well-known/est/field/simplereenroll" },
	{ "/e/field/att", "att", "/.well-known/est/field/csrattrs" },
	{ "/.well-known/est/skg", "skg", "/.well-known/est/serverkeygen" },
	{ "/.well-known/est/skc", "skc", "/.well-known/est/serverkeygen" },
	{ "/.well-known/est/simpleenroll", NULL, NULL },
	{ "/.well-known/est/rv", NULL, NULL },
	{ "/.well-known/brski/sen", NULL, NULL },
	{ "/.well-known/estsen", NULL, NULL },
	{ "/esen", NULL, NULL },
	{ "/est/sen", NULL, NULL },
	{ "/sen", NULL, NULL },
	{ "", NULL, NULL },
	{ "/", NULL, NULL },
};

static void
d1_paths(void **state)
{
	char route[64];

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		const struct coap_resource *r = coap_find(paths[i].path, route, sizeof route);

		assert_int_equal(r != NULL, paths[i].name != NULL);
		if (r != NULL) {
			assert_string_equal(r->name, paths[i].name);
			assert_string_equal(route, paths[i].route);
		}
	}
	assert_null(coap_find("/.well-known/est/a-label-that-does-not-fit-there/sen", route, 40));
}

/* est.md section 13: copied wrongly elsewhere, so spelled out here. */
static void
est_content_formats(void **state)
{
	static const struct {
		long number;
		const char *type;
	} all[] = {
		{ 62, "application/multipart-core" },
		{ 280, "application/pkcs7-mime; smime-type=server-generated-key" },
		{ 281, "application/pkcs7-mime; smime-type=certs-only" },
		{ 284, "application/pkcs8" },
		{ 285, "application/csrattrs" },
		{ 286, "application/pkcs10" },
		{ 287, "application/pkix-cert" },
		{ 836, "application/voucher+cose" },
		{ 60, "application/cbor" },
		{ 50, "application/json" },
		{ 40, "application/link-format" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		assert_string_equal(coap_format_type(all[i].number), all[i].type);
		assert_int_equal(coap_format_number(all[i].type), all[i].number);
	}
	assert_int_equal(coap_format_number("Application/PKCS7-mime;smime-type=certs-only"), 281);
	assert_int_equal(coap_format_number("application/pkcs7-mime"), -1);
	assert_int_equal(coap_format_number("application/pkcs"), -1);
	assert_int_equal(coap_format_number(NULL), -1);
	assert_null(coap_format_type(282)); /* not in RFC 9148 */
	assert_null(coap_format_type(-1));
}

/* --- discovery: DI-5, RFC 6690 4.1 --- */

static bool
all_of_them(void *arg, const struct coap_resource *r)
{
	return arg == NULL || strcmp(arg, r->name) != 0;
}

static const struct {
	const char *name, *query, *links; /* NULL: none */
} link_rows[] = {
	{ "DI-5: rt=brski is the base alone", "rt=brski", "</b>;rt=brski" },
	{ "DI-5: rt=brski*", "rt=brski*",
	    "</b>;rt=brski,</b/rv>;rt=brski.rv;ct=836,</b/vs>;rt=brski.vs;ct=\"60 50\","
	    "</b/es>;rt=brski.es;ct=\"60 50\"" },
	{ "DI-5: rt=brski.rv", "rt=brski.rv", "</b/rv>;rt=brski.rv;ct=836" },
	{ "est.md D2: rt=ace.est.*", "rt=ace.est.*",
	    "</e/crts>;rt=ace.est.crts;ct=\"62 281 287\",</e/sen>;rt=ace.est.sen;ct=\"281 287\","
	    "</e/sren>;rt=ace.est.sren;ct=\"281 287\",</e/att>;rt=ace.est.att;ct=285,"
	    "</e/skg>;rt=ace.est.skg;ct=62,</e/skc>;rt=ace.est.skc;ct=62" },
	{ "DI-5: rt=ace.est", "rt=ace.est", "</e>;rt=ace.est" },
	{ "RFC 6690 4.1: a quoted value", "rt=\"ace.est.sen\"",
	    "</e/sen>;rt=ace.est.sen;ct=\"281 287\"" },
	{ "RFC 6690 4.1: href", "href=/e/att", "</e/att>;rt=ace.est.att;ct=285" },
	{ "RFC 6690 4.1: one word of ct", "ct=285", "</e/att>;rt=ace.est.att;ct=285" },
	{ "DI-5: else nothing", "rt=oic.d.light", NULL },
	{ "DI-5: no prefix without the star", "rt=brsk", NULL },
	{ "DI-5: an attribute that no link has", "if=*", NULL },
	{ "DI-5: an empty value matches nothing", "rt=", NULL },
};

static void
link_row(void **state)
{
	size_t i = *(const size_t *)*state;
	uint8_t text[1024];
	struct mst_buf out = MST_BUF(text);
	mst_err e = coap_links(link_rows[i].query, all_of_them, NULL, &out);

	if (link_rows[i].links == NULL) {
		assert_int_equal(e, MST_E_NOT_FOUND);
		return;
	}
	assert_int_equal(e, MST_OK);
	assert_int_equal(out.len, strlen(link_rows[i].links));
	assert_memory_equal(out.ptr, link_rows[i].links, out.len);
}

static void
di5_only_what_is_served(void **state)
{
	char skc[] = "skc";
	uint8_t text[1024], little[40];
	struct mst_buf out = MST_BUF(text), small = MST_BUF(little);

	(void)state;
	assert_int_equal(coap_links("", all_of_them, skc, &out), MST_OK);
	assert_null(memmem(out.ptr, out.len, "skc", 3));
	assert_non_null(memmem(out.ptr, out.len, "skg", 3));
	assert_int_equal(coap_links("", all_of_them, NULL, &small), MST_E_SPACE);
}

/* CO-3: each row of err.def has a code that CoAP has (RFC 7252 12.1.2, 7959, 8132, 8516). */
static void
co3_codes_of_err_def(void **state)
{
	static const int codes[] = { 204, 400, 401, 402, 403, 404, 405, 406, 408, 409, 412, 413,
		415, 422, 429, 500, 501, 502, 503, 504, 505 };
	const struct mst_err_info *all;
	size_t count;

	(void)state;
	all = mst_err_table(&count);
	for (size_t i = 0; i < count; i++) {
		bool known = false;

		for (size_t k = 0; k < sizeof codes / sizeof codes[0]; k++)
			known = known || all[i].coap == codes[k];
		if (!known)
			fail_msg("%s: %d", all[i].name, all[i].coap);
		if (all[i].http == 202)
			assert_int_equal(all[i].coap, 503);
	}
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

int
main(void)
{
	static struct CMUnitTest tests[COUNT(option_rows) + COUNT(link_rows) + 8];
	static size_t index[COUNT(link_rows)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(option_rows); i++)
		tests[n++] = (struct CMUnitTest){ option_rows[i].name, option_row, NULL, NULL,
			(void *)(uintptr_t)&option_rows[i] };
	for (size_t i = 0; i < COUNT(link_rows); i++) {
		index[i] = i;
		tests[n++] =
		    (struct CMUnitTest){ link_rows[i].name, link_row, NULL, NULL, &index[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(path_too_long);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(round_trip);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_many_options);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(co5_abbreviations);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(d1_paths);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(est_content_formats);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(di5_only_what_is_served);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(co3_codes_of_err_def);
	return _cmocka_run_group_tests("coap_msg", tests, n, NULL, NULL);
}

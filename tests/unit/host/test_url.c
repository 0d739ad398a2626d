/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3986 as a client of updates needs it: what is resolved to what, and what is no URI. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "host/url.h"

#define M "https://a.example:8443/fw/m.suit?x=1"
#define LL "https://[fe80::1%25eth0]:8443/fw/m.suit"

struct row {
	const char *name, *base, *reference; /* base NULL: none */
	const char *whole_base, *host, *path; /* whole_base NULL: MST_E_URL */
};

static const struct row rows[] = {
	{ "RFC 3986 5.2 absolute", NULL, "https://a.example/x", "https://a.example", "a.example",
	    "/x" },
	{ "RFC 3986 5.2 absolute beside a base", M, "https://b.example/y", "https://b.example",
	    "b.example", "/y" },
	{ "RFC 3986 5.2 another scheme", M, "coaps://b.example/y", "coaps://b.example", "b.example",
	    "/y" },
	{ "RFC 3986 3.3 no path is the root", NULL, "https://a.example", "https://a.example",
	    "a.example", "/" },
	{ "RFC 3986 3.2.3 port", NULL, "https://a.example:1/x", "https://a.example:1", "a.example",
	    "/x" },
	{ "RFC 3986 3.4 query", NULL, "https://a.example/x?y=1&z", "https://a.example", "a.example",
	    "/x?y=1&z" },
	{ "RFC 3986 3.5 fragment is not sent", NULL, "https://a.example/x#y", "https://a.example",
	    "a.example", "/x" },
	{ "RFC 3986 3.1 scheme in capitals", NULL, "HTTPS://a.example/x", "https://a.example",
	    "a.example", "/x" },
	{ "RFC 3986 5.2 beside", M, "v2.bin", "https://a.example:8443", "a.example", "/fw/v2.bin" },
	{ "RFC 3986 5.2 from the root", M, "/v2.bin", "https://a.example:8443", "a.example",
	    "/v2.bin" },
	{ "RFC 3986 5.2 above", M, "../v2.bin", "https://a.example:8443", "a.example", "/v2.bin" },
	{ "RFC 3986 5.2.4 above the root", M, "../../../v2.bin", "https://a.example:8443",
	    "a.example", "/v2.bin" },
	{ "RFC 3986 5.2 another query", M, "?y=2", "https://a.example:8443", "a.example",
	    "/fw/m.suit?y=2" },
	{ "RFC 3986 5.2 another authority", M, "//b.example/z", "https://b.example", "b.example",
	    "/z" },
	{ "RFC 3986 2.1 percent-encoded stays", NULL, "https://a.example/%00%2f",
	    "https://a.example", "a.example", "/%00%2f" },
	{ "RFC 3986 3.2.2 IPv4", NULL, "https://192.0.2.1:5/x", "https://192.0.2.1:5", "192.0.2.1",
	    "/x" },
	{ "RFC 3986 3.2.2 IPv6", NULL, "coaps://[2001:db8::1]/x", "coaps://[2001:db8::1]",
	    "2001:db8::1", "/x" },
	{ "RFC 6874 zone", NULL, LL, "https://[fe80::1%25eth0]:8443", "fe80::1", "/fw/m.suit" },
	{ "RFC 6874 zone of the base stays", LL, "v2.bin", "https://[fe80::1%25eth0]:8443",
	    "fe80::1", "/fw/v2.bin" },
	{ "RFC 3986 5.1 relative without base", NULL, "v2.bin", NULL, NULL, NULL },
	{ "RFC 3986 nothing", NULL, "", NULL, NULL, NULL },
	{ "RFC 3986 nothing beside a base", M, "", NULL, NULL, NULL },
	{ "RFC 9110 4.2.4 user", NULL, "https://u@a.example/x", NULL, NULL, NULL },
	{ "RFC 9110 4.2.4 user and password", NULL, "https://u:p@a.example/x", NULL, NULL, NULL },
	{ "RFC 9110 4.2.4 password alone", NULL, "https://:p@a.example/x", NULL, NULL, NULL },
	{ "RFC 9110 4.2.4 user in a relative one", M, "//u@a.example/x", NULL, NULL, NULL },
	{ "RFC 9110 4.2.4 user in the base", "https://u@a.example/x", "y", NULL, NULL, NULL },
	{ "RFC 3986 2 space", NULL, "https://a.example/a b", NULL, NULL, NULL },
	{ "RFC 3986 2 line end", NULL, "https://a.example/a\r\nX: y", NULL, NULL, NULL },
	{ "RFC 3986 2 tab", NULL, "https://a.example/a\tb", NULL, NULL, NULL },
	{ "RFC 3986 2 escape", NULL, "https://a.example/\033[2J", NULL, NULL, NULL },
	{ "RFC 3986 2 DEL", NULL, "https://a.example/\177", NULL, NULL, NULL },
	{ "RFC 3986 2 UTF-8", NULL, "https://a.example/\303\266", NULL, NULL, NULL },
	{ "RFC 3986 2 backslash", NULL, "https://a.example\\@b.example/", NULL, NULL, NULL },
	{ "RFC 3986 2 quotation mark", NULL, "https://a.example/\"", NULL, NULL, NULL },
	{ "RFC 3986 2 braces", NULL, "https://a.example/{x}", NULL, NULL, NULL },
	{ "RFC 3986 2 line end in the base", "https://a.example/\r\n", "y", NULL, NULL, NULL },
	{ "RFC 3986 3.2.3 port too high", NULL, "https://a.example:65536/x", NULL, NULL, NULL },
	{ "RFC 3986 3.2.3 port is a word", NULL, "https://a.example:http/x", NULL, NULL, NULL },
	{ "RFC 3986 3.2.2 bracket is open", NULL, "https://[2001:db8::1/x", NULL, NULL, NULL },
	{ "RFC 3986 3.2.2 no address in brackets", NULL, "https://[x]/x", NULL, NULL, NULL },
	{ "RFC 3986 3 no authority", NULL, "urn:x", NULL, NULL, NULL },
};

static void
row(void **state)
{
	const struct row *r = *state;
	struct arena *a = arena_new(0);
	struct url u = { .host = NULL };
	mst_err e = url_resolve(a, r->base, mst_span_str(r->reference), &u);

	assert_int_equal(e, r->whole_base == NULL ? MST_E_URL : MST_OK);
	if (e == MST_OK) {
		assert_string_equal(u.base, r->whole_base);
		assert_string_equal(u.host, r->host);
		assert_string_equal(u.path, r->path);
	}
	arena_free(a);
}

static void
a_zero_byte(void **state)
{
	struct arena *a = arena_new(0);
	struct url u;

	(void)state;
	assert_int_equal(url_resolve(a, NULL, MST_LIT("https://a.example/x\0y"), &u), MST_E_URL);
	arena_free(a);
}

static void
length(void **state)
{
	static char text[2050];
	struct arena *a = arena_new(0);
	struct url u;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "https://a.example/", 18);
	assert_int_equal(url_resolve(a, NULL, mst_span_str(text), &u), MST_E_URL);
	text[2048] = '\0';
	assert_int_equal(url_resolve(a, NULL, mst_span_str(text), &u), MST_OK);
	assert_int_equal(strlen(u.path), 2048 - 17);
	arena_free(a);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof rows / sizeof rows[0] + 2] = {
		cmocka_unit_test(a_zero_byte),
		cmocka_unit_test(length),
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tests[i + 2] = (struct CMUnitTest){ rows[i].name, row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}

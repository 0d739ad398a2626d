/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6690: what is read, what is refused, what a filter lets through, and what is written. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "muster/linkformat.h"

static const mst_span JP = { (const uint8_t *)MST_LINK_JP, sizeof MST_LINK_JP - 1 };

/* Read on an exact-size heap copy; how many links, or -1. */
static int
count_links(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len != 0 ? len : 1);
	struct mst_link_reader r;
	struct mst_link l;
	int n = 0;
	mst_err e;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	mst_link_init(&r, mst_span_of(copy, len));
	while (mst_link_next(&r, &l))
		n++;
	e = mst_link_end(&r);
	assert_true(e == MST_OK || e == MST_E_LINKFORMAT);
	free(copy);
	return e == MST_OK ? n : -1;
}

/* ---- documents ---- */

struct document {
	const char *name, *text;
	int links; /* -1: refused */
};

static const struct document documents[] = {
	{ "RFC6690-2 empty document", "", 0 },
	{ "DI-3 bare join-port", "<>;brski-jp=8485", 1 },
	{ "DI-3 quoted join-port", "<>;brski-jp=\"63245\"", 1 },
	{ "DI-3 two links and an unknown attribute",
	    "<>;brski-jp=61616,<>;brski-jp=61617;var=\"c509 v2\"", 2 },
	{ "DI-4 stateless registrar", "<jpy://[2001:db8:0:abcd::52]:7634>;rt=brski.rjp", 1 },
	{ "DI-4 stateful registrar", "<coaps://[2001:db8:0:abcd::52]/b>;rt=brski", 1 },
	{ "DI-5 content-formats",
	    "</b>;rt=brski,</b/rv>;rt=brski.rv;ct=836,</b/vs>;rt=brski.vs;ct=\"50 60\"", 3 },
	{ "DI-6 empty value", "<coaps://[2001:db8::1]:5684/b>;rt=brski;var=;pw=\"1 2\"", 1 },
	{ "DI-6 attribute without value", "</a>;obs;rt=x", 1 },
	{ "RFC6690-5 comma in a quoted string", "</a>;title=\"one, two\",</b>", 2 },
	{ "RFC6690-5 comma in a URI", "</a,b>;rt=x", 1 },
	{ "RFC6690-5 quoted pair", "</a>;title=\"say \\\"hi\\\" \\\\ \"", 1 },
	{ "RFC6690-2 ext-name-star", "</t>;title*=UTF-8'en'%e2%82%ac", 1 },
	{ "RFC6690-5 the sensors",
	    "</sensors>;ct=40;title=\"Sensor "
	    "Index\",</sensors/temp>;rt=\"temperature-c\";if=\"sensor\","
	    "<http://www.example.com/sensors/t123>;anchor=\"/sensors/temp\";rel=\"describedby\",</"
	    "t>;anchor=\"/sensors/temp\";rel=\"alternate\"",
	    4 },
	{ "RFC6690-2 UTF-8 in target and text", "</\xc3\xa9>;title=\"\xc3\xa9\"", 1 },
	{ "RFC6690-2 target alone", "</x>", 1 },
	{ "refused: no angle bracket", "/b>;rt=brski", -1 },
	{ "refused: target not closed", "</b;rt=brski", -1 },
	{ "refused: space in target", "</b c>", -1 },
	{ "refused: quote in target", "</b\"c>", -1 },
	{ "refused: control character in target", "</b\x01>", -1 },
	{ "refused: bracket in target", "</b<c>", -1 },
	{ "refused: semicolon alone", "</b>;", -1 },
	{ "refused: two semicolons", "</b>;;rt=x", -1 },
	{ "refused: no name", "</b>;=x", -1 },
	{ "refused: space before name", "</b>; rt=x", -1 },
	{ "refused: space behind comma", "</b>, </c>", -1 },
	{ "refused: line break behind comma", "</b>,\n</c>", -1 },
	{ "refused: quoted string open", "</b>;title=\"x", -1 },
	{ "refused: quoted string ends in backslash", "</b>;title=\"x\\", -1 },
	{ "refused: escaped quote does not close", "</b>;title=\"x\\\"", -1 },
	{ "refused: control character in quotes", "</b>;title=\"\x01\"", -1 },
	{ "refused: line break in quotes", "</b>;title=\"a\nb\"", -1 },
	{ "refused: text behind quotes", "</b>;title=\"x\"y", -1 },
	{ "refused: quote within token", "</b>;title=x\"y\"", -1 },
	{ "refused: UTF-8 in token", "</b>;title=\xc3\xa9", -1 },
	{ "refused: comma at the end", "</b>,", -1 },
	{ "refused: comma at the beginning", ",</b>", -1 },
	{ "refused: two commas", "</b>,,</c>", -1 },
	{ "refused: two links without comma", "</b></c>", -1 },
	{ "refused: rt twice (RFC 6690 3.1)", "</b>;rt=a;rt=b", -1 },
	{ "refused: if twice (RFC 6690 3.2)", "</b>;if=a;rt=x;if=b", -1 },
	{ "refused: sz twice (RFC 6690 3.3)", "</b>;sz=1;sz=1", -1 },
	{ "refused: brski-jp twice", "<>;brski-jp=1;brski-jp=2", -1 },
	{ "refused: star in a name", "</b>;a*b=c", -1 },
};

static void
document_is_judged(void **state)
{
	const struct document *d = *state;

	assert_int_equal(count_links(d->text, strlen(d->text)), d->links);
}

/* A prefix that ends where a link, a parameter or a token may end is a document of its own; no
 * other is taken. What each says is checked against a grammar written the other way round. */
static void
RFC6690_2_strict_prefixes(void **state)
{
	static const char text[] = "<jpy://[::1]:7634>;rt=\"brski.rjp\",<>;brski-jp=\"8\";x";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		const char *comma = memchr(text, ',', n);
		size_t from = comma != NULL ? (size_t)(comma - text) + 1 : 0;
		size_t quotes = 0;
		int whole;

		for (size_t i = from; i < n; i++)
			quotes += text[i] == '"';
		/* the link under way is closed, no quote is open, and no separator comes last */
		whole = n == 0 || (memchr(text + from, '>', n - from) != NULL && quotes % 2 == 0 &&
		                      text[n - 1] != ';' && text[n - 1] != ',');
		assert_int_equal(count_links(text, n) >= 0, whole);
	}
	assert_int_equal(count_links(text, sizeof text - 1), 2);
}

static void
RFC6690_2_NUL_is_no_end(void **state)
{
	(void)state;
	assert_int_equal(count_links("</b>\0", 5), -1);
	assert_int_equal(count_links("</b>;a\0", 7), -1);
	assert_int_equal(count_links("</b>;a=\"\0\"", 10), -1);
}

/* ---- one link ---- */

static struct mst_link
only(const char *text)
{
	struct mst_link_reader r;
	struct mst_link l, none;

	mst_link_init(&r, mst_span_str(text));
	assert_true(mst_link_next(&r, &l));
	assert_false(mst_link_next(&r, &none));
	assert_int_equal(mst_link_end(&r), MST_OK);
	return l;
}

struct port_row {
	const char *name, *text;
	mst_err err;
	uint16_t port;
};

static const struct port_row ports[] = {
	{ "DI-3 port bare", "<>;brski-jp=8485", MST_OK, 8485 },
	{ "DI-3 port quoted", "<>;brski-jp=\"63245\"", MST_OK, 63245 },
	{ "DI-3 port with escapes", "<>;brski-jp=\"6\\3245\"", MST_OK, 63245 },
	{ "DI-3 port 1", "<>;brski-jp=1", MST_OK, 1 },
	{ "DI-3 port 65535", "<>;brski-jp=65535", MST_OK, 65535 },
	{ "DI-3 port behind others", "<>;var=x;BRSKI-JP=7;brski-jp=8485", MST_OK, 8485 },
	{ "DI-3 no port", "<>;rt=brski.jp", MST_E_NOT_FOUND, 0 },
	{ "DI-3 refused: port 0", "<>;brski-jp=0", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port 65536", "<>;brski-jp=65536", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port 2 to the 32 and 1", "<>;brski-jp=4294967297", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port with sign", "<>;brski-jp=+8485", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port in hexadecimal", "<>;brski-jp=0x2125", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port with space", "<>;brski-jp=\"8485 \"", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port empty", "<>;brski-jp=", MST_E_LINKFORMAT, 0 },
	{ "DI-3 refused: port without value", "<>;brski-jp", MST_E_LINKFORMAT, 0 },
};

static void
port_is_read(void **state)
{
	const struct port_row *p = *state;
	struct mst_link l = only(p->text);
	uint16_t port = 0;

	assert_int_equal(mst_link_port(&l, JP, &port), p->err);
	assert_int_equal(port, p->port);
}

struct match_row {
	const char *name, *text, *query;
	bool matches;
};

static const struct match_row matches[] = {
	{ "RFC6690-4.1 complete value", "</f>;foo=bar", "foo=bar", true },
	{ "RFC6690-4.1 prefix", "</f>;foo=barley", "foo=bar*", true },
	{ "RFC6690-4.1 prefix of itself", "</f>;foo=bar", "foo=bar*", true },
	{ "RFC6690-4.1 empty prefix: any that exists", "</f>;foo=bar", "foo=*", true },
	{ "RFC6690-4.1 empty prefix, no value", "</f>;foo", "foo=*", true },
	{ "RFC6690-4.1 attribute is absent", "</f>;fob=bar", "foo=*", false },
	{ "RFC6690-4.1 complete value is longer", "</f>;foo=barley", "foo=bar", false },
	{ "RFC6690-4.1 complete value is shorter", "</f>;foo=ba", "foo=bar", false },
	{ "RFC6690-4.1 letter case counts", "</f>;foo=Bar", "foo=bar", false },
	{ "RFC6690-4.1 href", "</foo>", "href=/foo", true },
	{ "RFC6690-4.1 href prefix", "</foo/x>", "href=/foo*", true },
	{ "RFC6690-4.1 href is another", "</fob>", "href=/foo", false },
	{ "RFC6690-4.1 quotes and escapes undone", "</f>;foo=\"a\\\"b\"", "foo=a\"b", true },
	{ "RFC6690-4.1 second of two resource types", "</f>;rt=\"brski ace.est\"", "rt=ace.est",
	    true },
	{ "RFC6690-4.1 first of two resource types", "</f>;rt=\"brski ace.est\"", "rt=brski",
	    true },
	{ "RFC6690-4.1 the whole list is no resource type", "</f>;rt=\"brski ace.est\"",
	    "rt=brski ace.est", false },
	{ "RFC6690-4.1 other attributes are no lists", "</f>;foo=\"a b\"", "foo=b", false },
	{ "RFC6690-4.1 other attributes whole", "</f>;foo=\"a b\"", "foo=a b", true },
	{ "DI-3 brski-jp=*", "<>;brski-jp=8485", "brski-jp=*", true },
	{ "DI-4 brski is not brski.rjp", "<jpy://[::1]:1>;rt=brski.rjp", "rt=brski", false },
	{ "DI-4 rt=brski*", "<jpy://[::1]:1>;rt=brski.rjp", "rt=brski*", true },
	{ "RFC6690-4.1 no query", "</f>", "", true },
	{ "RFC6690-4.1 no equals sign", "</f>;rt", "rt", false },
	{ "RFC6690-4.1 no name", "</f>;rt=x", "=x", false },
};

static void
filter_matches(void **state)
{
	const struct match_row *m = *state;
	struct mst_link l = only(m->text);

	assert_int_equal(mst_link_matches(&l, mst_span_str(m->query)), m->matches);
}

struct place_row {
	const char *name, *uri, *scheme, *address; /* scheme NULL: refused */
	uint16_t port;
	const char *path;
};

static const struct place_row places[] = {
	{ "JP-U2 jpy with port", "jpy://[2001:db8:0:abcd::52]:7634", "jpy", "2001:db8:0:abcd::52",
	    7634, "" },
	{ "JP-U2 jpy with a path", "jpy://[2001:db8::52]:7634/x", "jpy", "2001:db8::52", 7634,
	    "/x" },
	{ "DI-4 coaps without port", "coaps://[2001:db8::52]/b", "coaps", "2001:db8::52", 0, "/b" },
	{ "DI-4 IPv4", "coaps://192.0.2.1:5684", "coaps", "192.0.2.1", 5684, "" },
	{ "DI-4 IPv4 within IPv6", "coaps://[::ffff:192.0.2.1]", "coaps", "::ffff:192.0.2.1", 0,
	    "" },
	{ "DI-4 refused: a name", "coaps://registrar.example:5684", NULL, NULL, 0, NULL },
	{ "DI-4 refused: userinfo", "coaps://u@[::1]:5684", NULL, NULL, 0, NULL },
	{ "DI-4 refused: a zone", "coaps://[fe80::1%25eth0]:5684", NULL, NULL, 0, NULL },
	{ "DI-4 refused: bracket open", "coaps://[::1:5684", NULL, NULL, 0, NULL },
	{ "DI-4 refused: empty address", "coaps://[]:5684", NULL, NULL, 0, NULL },
	{ "DI-4 refused: port 0", "coaps://[::1]:0", NULL, NULL, 0, NULL },
	{ "DI-4 refused: port empty", "coaps://[::1]:", NULL, NULL, 0, NULL },
	{ "DI-4 refused: port too large", "coaps://[::1]:65536", NULL, NULL, 0, NULL },
	{ "DI-4 refused: query without path", "coaps://[::1]?x", NULL, NULL, 0, NULL },
	{ "DI-4 refused: relative", "/b", NULL, NULL, 0, NULL },
	{ "DI-4 refused: no scheme", "://[::1]", NULL, NULL, 0, NULL },
	{ "DI-4 refused: one slash", "coaps:/[::1]", NULL, NULL, 0, NULL },
	{ "DI-4 refused: empty", "", NULL, NULL, 0, NULL },
};

static void
place_is_read(void **state)
{
	const struct place_row *p = *state;
	struct mst_link_place out = { .port = 9 };

	if (p->scheme == NULL) {
		assert_int_equal(mst_link_place(mst_span_str(p->uri), &out), MST_E_LINKFORMAT);
		assert_int_equal(out.port, 9);
		return;
	}
	assert_int_equal(mst_link_place(mst_span_str(p->uri), &out), MST_OK);
	assert_true(mst_span_eq(out.scheme, mst_span_str(p->scheme)));
	assert_true(mst_span_eq(out.address, mst_span_str(p->address)));
	assert_int_equal(out.port, p->port);
	assert_true(mst_span_eq(out.path, mst_span_str(p->path)));
	assert_int_equal(out.v6, strchr(p->uri, '[') != NULL);
}

static void
value_is_compared_without_its_escapes(void **state)
{
	struct mst_link l = only("</a>;t=\"x\\\"y\"");
	struct mst_link_value v;

	(void)state;
	assert_true(mst_link_attr(&l, MST_LIT("t"), &v));
	assert_true(v.quoted);
	assert_true(mst_link_value_is(&v, MST_LIT("x\"y")));
	assert_false(mst_link_value_is(&v, MST_LIT("x\\\"y")));
	assert_false(mst_link_value_is(&v, MST_LIT("x\"")));
	assert_false(mst_link_value_is(&v, MST_LIT("x\"yz")));
	assert_false(mst_link_attr(&l, MST_LIT("T"), &v));
}

/* ---- writing ---- */

static void
DI_3_DI_4_worked_examples_are_written(void **state)
{
	uint8_t room[256];
	struct mst_buf b = MST_BUF(room);
	struct mst_link_writer w;
	struct mst_link l = only("<>;brski-jp=61617;var=\"c509 v2\"");

	(void)state;
	mst_link_put_init(&w, &b);
	mst_link_put(&w, MST_LIT(""));
	mst_link_put_number(&w, JP, 8485);
	mst_link_put(&w, MST_LIT("jpy://[2001:db8:0:abcd::52]:7634"));
	mst_link_put_attr(&w, MST_LIT("rt"), MST_LIT(MST_LINK_RT_JPY));
	mst_link_put_attr(&w, MST_LIT("ct"), MST_LIT("50 60"));
	mst_link_put_copy(&w, &l);
	assert_int_equal(mst_link_put_end(&w), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&b),
	    MST_LIT("<>;brski-jp=8485,<jpy://[2001:db8:0:abcd::52]:7634>;rt=brski.rjp;ct=\"50 60\","
	            "<>;brski-jp=61617;var=\"c509 v2\"")));
}

static void
RFC6690_2_what_is_written_is_read(void **state)
{
	static const char *const values[] = { "", "a", "a b", "a\"b", "a\\", "\t", "65535", "a,b;c",
		"<>", "\xc3\xa9" };
	uint8_t room[256];

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct mst_buf b = MST_BUF(room);
		struct mst_link_writer w;
		struct mst_link_reader r;
		struct mst_link l;
		struct mst_link_value v;

		mst_link_put_init(&w, &b);
		mst_link_put(&w, MST_LIT("/x"));
		mst_link_put_attr(&w, MST_LIT("a"), mst_span_str(values[i]));
		mst_link_put_number(&w, MST_LIT("n"), UINT32_MAX);
		assert_int_equal(mst_link_put_end(&w), MST_OK);
		mst_link_init(&r, mst_buf_span(&b));
		assert_true(mst_link_next(&r, &l));
		assert_true(mst_link_attr(&l, MST_LIT("a"), &v));
		assert_true(mst_link_value_is(&v, mst_span_str(values[i])));
		assert_true(mst_link_attr(&l, MST_LIT("n"), &v));
		assert_true(mst_link_value_is(&v, MST_LIT("4294967295")));
	}
}

static void
writer_refuses_what_no_reader_takes(void **state)
{
	uint8_t room[64];

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct mst_buf b = MST_BUF(room);
		struct mst_link_writer w;

		mst_link_put_init(&w, &b);
		if (i == 0)
			mst_link_put(&w, MST_LIT("/a b"));
		if (i == 1)
			mst_link_put_attr(&w, MST_LIT("a"), MST_LIT("b")); /* no link yet */
		mst_link_put(&w, MST_LIT("/a"));
		if (i == 2)
			mst_link_put_attr(&w, MST_LIT("a b"), MST_LIT("c"));
		if (i == 3)
			mst_link_put_attr(&w, MST_LIT(""), MST_LIT("c"));
		if (i == 4)
			mst_link_put_attr(&w, MST_LIT("a"), MST_LIT("b\n"));
		assert_int_equal(mst_link_put_end(&w), MST_E_LINKFORMAT);
	}
}

static void
writer_latches_when_space_ends(void **state)
{
	static const char whole[] = "</x>;a=\"b c\"";

	(void)state;
	for (size_t cap = 0; cap < sizeof whole; cap++) {
		uint8_t *room = malloc(cap != 0 ? cap : 1);
		struct mst_buf b = { room, cap, 0 };
		struct mst_link_writer w;

		mst_link_put_init(&w, &b);
		mst_link_put(&w, MST_LIT("/x"));
		mst_link_put_attr(&w, MST_LIT("a"), MST_LIT("b c"));
		assert_int_equal(
		    mst_link_put_end(&w), cap == sizeof whole - 1 ? MST_OK : MST_E_SPACE);
		free(room);
	}
}

#define ROWS(table) (sizeof table / sizeof table[0])

static size_t
add_rows(struct CMUnitTest *tests, size_t at, const void *rows, size_t count, size_t size,
    CMUnitTestFunction fn)
{
	for (size_t i = 0; i < count; i++) {
		const void *row = (const char *)rows + i * size;
		const char *name;

		memcpy(&name, row, sizeof name); /* each row begins with its name */
		tests[at++] = (struct CMUnitTest){ name, fn, NULL, NULL, (void *)(uintptr_t)row };
	}
	return at;
}

int
main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(RFC6690_2_strict_prefixes),
		cmocka_unit_test(RFC6690_2_NUL_is_no_end),
		cmocka_unit_test(value_is_compared_without_its_escapes),
		cmocka_unit_test(DI_3_DI_4_worked_examples_are_written),
		cmocka_unit_test(RFC6690_2_what_is_written_is_read),
		cmocka_unit_test(writer_refuses_what_no_reader_takes),
		cmocka_unit_test(writer_latches_when_space_ends),
	};
	struct CMUnitTest
	    tests[ROWS(plain) + ROWS(documents) + ROWS(ports) + ROWS(matches) + ROWS(places)];
	size_t n = ROWS(plain);

	memcpy(tests, plain, sizeof plain);
	n = add_rows(tests, n, documents, ROWS(documents), sizeof documents[0], document_is_judged);
	n = add_rows(tests, n, ports, ROWS(ports), sizeof ports[0], port_is_read);
	n = add_rows(tests, n, matches, ROWS(matches), sizeof matches[0], filter_matches);
	n = add_rows(tests, n, places, ROWS(places), sizeof places[0], place_is_read);
	return cmocka_run_group_tests_name("link-format", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a CoAP discovery request is answered with (RFC 7252 8, RFC 6690 4, DI-3 to DI-7), and how
 * often. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/discovery/disco_coap.h"
#include "host/discovery/disco_limit.h"

#define PATH                                                                                       \
	"\xbb.well-known\x04"                                                                      \
	"core"

static struct in6_addr
v6(const char *text)
{
	struct in6_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

enum kind { MULTICAST, UNICAST };
enum offers { PROXY, REGISTRAR, STANDARD_PORT, ELSEWHERE, NOTHING };

struct row {
	const char *name;
	const char *bytes; /* of the request */
	size_t len;
	enum kind kind;
	const char *source;
	enum offers offers;
	enum disco_verdict verdict;
	const char *head; /* the answer's first bytes; NULL: none is looked at */
	const char *payload;
};

#define BYTES(text) text, sizeof(text) - 1
/* NON GET, message id 0x1234, token AB */
#define NON_GET "\x51\x01\x12\x34\xab"
#define CON_GET "\x41\x01\x12\x34\xab"
#define JP                                                                                         \
	NON_GET PATH "\x4a"                                                                        \
	             "brski-jp=*"
#define RJP                                                                                        \
	NON_GET PATH "\x4c"                                                                        \
	             "rt=brski.rjp"
#define RT                                                                                         \
	NON_GET PATH "\x48"                                                                        \
	             "rt=brski"
#define LL "fe80::9"
#define GLOBAL "2001:db8::9"
/* the answers: NON, 2.05, our message id 0x7788, token, Content-Format 40 */
#define ANSWER "\x51\x45\x77\x88\xab\xc1\x28\xff"

static const struct row rows[] = {
	{ "DI-3 brski-jp=* by multicast", BYTES(JP), MULTICAST, LL, PROXY, DISCO_ANSWER, ANSWER,
	    "<>;brski-jp=8485" },
	{ "cV-10 a registrar answers as if a proxy", BYTES(JP), MULTICAST, LL, REGISTRAR,
	    DISCO_ANSWER, ANSWER, "<>;brski-jp=5690" },
	{ "DI-4 rt=brski.rjp by multicast", BYTES(RJP), MULTICAST, GLOBAL, REGISTRAR, DISCO_ANSWER,
	    ANSWER, "<jpy://[2001:db8::1]:7634>;rt=brski.rjp" },
	{ "DI-4 rt=brski by multicast", BYTES(RT), MULTICAST, GLOBAL, REGISTRAR, DISCO_ANSWER,
	    ANSWER, "<coaps://[2001:db8::1]:5690/b>;rt=brski" },
	{ "DI-4 rt=brski from a link-local source", BYTES(RT), MULTICAST, LL, REGISTRAR,
	    DISCO_ANSWER, ANSWER, "<coaps://[2001:db8::1]:5690/b>;rt=brski" },
	{ "DI-4 the default port is left out", BYTES(RT), MULTICAST, GLOBAL, STANDARD_PORT,
	    DISCO_ANSWER, ANSWER, "<coaps://[2001:db8::1]/b>;rt=brski" },
	{ "DI-4 the address that it listens on", BYTES(RT), MULTICAST, GLOBAL, ELSEWHERE,
	    DISCO_ANSWER, ANSWER, "<coaps://[2001:db8::77]/b>;rt=brski" },
	{ "DI-3 who does not listen link-local has no join-port", BYTES(JP), MULTICAST, LL,
	    ELSEWHERE, DISCO_DROP_FILTERED, NULL, NULL },
	{ "DI-7 no join-port for a source beyond the link", BYTES(JP), MULTICAST, GLOBAL, PROXY,
	    DISCO_DROP_FILTERED, NULL, NULL },
	{ "RFC6690-4.1 multicast, filter matches nothing", BYTES(RJP), MULTICAST, LL, PROXY,
	    DISCO_DROP_FILTERED, NULL, NULL },
	{ "RFC7252-8.2 multicast, nothing to say", BYTES(JP), MULTICAST, LL, NOTHING,
	    DISCO_DROP_FILTERED, NULL, NULL },
	{ "RFC7252-8.1 multicast CON",
	    BYTES(CON_GET PATH "\x4a"
	                       "brski-jp=*"),
	    MULTICAST, LL, PROXY, DISCO_DROP_CONFIRMABLE, NULL, NULL },
	{ "RFC7252-8.2 multicast POST",
	    BYTES("\x51\x02\x12\x34\xab" PATH "\x4a"
	          "brski-jp=*"),
	    MULTICAST, LL, PROXY, DISCO_DROP_UNKNOWN, NULL, NULL },
	{ "RFC7252-8.2 multicast for another path",
	    BYTES(NON_GET "\xb3"
	                  "foo"),
	    MULTICAST, LL, PROXY, DISCO_DROP_UNKNOWN, NULL, NULL },
	{ "RFC7252-5.4.1 multicast with an unknown critical option",
	    BYTES(JP "\xd1\x05"
	             "x"),
	    MULTICAST, LL, PROXY, DISCO_DROP_UNKNOWN, NULL, NULL },
	{ "RFC7252-5.4.1 an unknown elective option is overlooked",
	    BYTES(JP "\xd1\x06"
	             "x"),
	    MULTICAST, LL, PROXY, DISCO_ANSWER, ANSWER, "<>;brski-jp=8485" },
	{ "RFC7252-8.2 multicast, another format wanted", BYTES(JP "\x21\x32"), MULTICAST, LL,
	    PROXY, DISCO_DROP_UNKNOWN, NULL, NULL },
	{ "RFC7252-5.10.4 link-format wanted", BYTES(JP "\x21\x28"), MULTICAST, LL, PROXY,
	    DISCO_ANSWER, ANSWER, "<>;brski-jp=8485" },
	{ "RFC7252-8.1 multicast ping", BYTES("\x40\x00\x12\x34"), MULTICAST, LL, PROXY,
	    DISCO_DROP_NOT_REQUEST, NULL, NULL },
	{ "RFC7252-8.1 multicast of an answer", BYTES("\x51\x45\x12\x34\xab"), MULTICAST, LL, PROXY,
	    DISCO_DROP_NOT_REQUEST, NULL, NULL },
	{ "RFC7252-3 another version", BYTES("\x91\x01\x12\x34\xab" PATH), MULTICAST, LL, PROXY,
	    DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3 token longer than 8",
	    BYTES("\x59\x01\x12\x34"
	          "123456789" PATH),
	    MULTICAST, LL, PROXY, DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3 payload marker without payload", BYTES(JP "\xff"), MULTICAST, LL, PROXY,
	    DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3.1 option delta 15", BYTES(NON_GET "\xf1x"), MULTICAST, LL, PROXY,
	    DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3.1 option length 15",
	    BYTES(NON_GET "\xbf"
	                  "x"),
	    MULTICAST, LL, PROXY, DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3.1 extended delta of two bytes, one there", BYTES(NON_GET "\xe0\x01"),
	    MULTICAST, LL, PROXY, DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3.1 extended length is not there", BYTES(NON_GET "\xbd"), MULTICAST, LL, PROXY,
	    DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3.1 option longer than the datagram",
	    BYTES(NON_GET "\xb3"
	                  "fo"),
	    MULTICAST, LL, PROXY, DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-3.1 option number beyond 65535", BYTES(NON_GET "\xe0\xff\xff"), MULTICAST, LL,
	    PROXY, DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC7252-5.4.3 an Accept of three bytes is not understood",
	    BYTES(JP "\x23\x28"
	             "xx"),
	    MULTICAST, LL, PROXY, DISCO_DROP_UNKNOWN, NULL, NULL },
	{ "RFC7252-3 three bytes", BYTES("\x51\x01\x12"), MULTICAST, LL, PROXY,
	    DISCO_DROP_MALFORMED, NULL, NULL },
	{ "DI-7 five queries",
	    BYTES(NON_GET PATH "\x41"
	                       "a\x01"
	                       "b\x01"
	                       "c\x01"
	                       "d\x01"
	                       "e"),
	    MULTICAST, LL, PROXY, DISCO_DROP_MALFORMED, NULL, NULL },
	{ "RFC6690-4.1 two filters, both must match",
	    BYTES(JP "\x05"
	             "foo=*"),
	    MULTICAST, LL, PROXY, DISCO_DROP_FILTERED, NULL, NULL },
	{ "RFC7252-5.2.1 unicast CON is answered in the ACK",
	    BYTES(CON_GET PATH "\x4a"
	                       "brski-jp=*"),
	    UNICAST, LL, PROXY, DISCO_ANSWER, "\x61\x45\x12\x34\xab\xc1\x28\xff",
	    "<>;brski-jp=8485" },
	{ "RFC6690-4 unicast without a filter", BYTES(NON_GET PATH), UNICAST, LL, REGISTRAR,
	    DISCO_ANSWER, ANSWER,
	    "<coaps://[2001:db8::1]:5690/b>;rt=brski,<>;brski-jp=5690,<jpy://"
	    "[2001:db8::1]:7634>;rt=brski.rjp" },
	{ "RFC6690-4 unicast, no links", BYTES(NON_GET PATH), UNICAST, LL, NOTHING, DISCO_ANSWER,
	    "\x51\x45\x77\x88\xab\xc1\x28", "" },
	{ "RFC7252-5.9.2.5 unicast for another path: 4.04",
	    BYTES(CON_GET "\xb3"
	                  "foo"),
	    UNICAST, LL, PROXY, DISCO_REFUSE, "\x61\x84\x12\x34\xab", "" },
	{ "RFC7252-5.9.2.6 unicast POST: 4.05", BYTES("\x41\x02\x12\x34\xab" PATH), UNICAST, LL,
	    PROXY, DISCO_REFUSE, "\x61\x85\x12\x34\xab", "" },
	{ "RFC7252-5.9.2.7 unicast, another format wanted: 4.06", BYTES(CON_GET PATH "\x61\x32"),
	    UNICAST, LL, PROXY, DISCO_REFUSE, "\x61\x86\x12\x34\xab", "" },
	{ "RFC7252-5.9.2.3 unicast, unknown critical option: 4.02",
	    BYTES(CON_GET PATH "\xd1\x09"
	                       "x"),
	    UNICAST, LL, PROXY, DISCO_REFUSE, "\x61\x82\x12\x34\xab", "" },
	{ "RFC7252-4.3 unicast ping is reset", BYTES("\x40\x00\x12\x34"), UNICAST, LL, PROXY,
	    DISCO_RESET, "\x70\x00\x12\x34", "" },
	{ "RFC7252-4.3 unicast NON answer is dropped", BYTES("\x51\x45\x12\x34\xab"), UNICAST, LL,
	    PROXY, DISCO_DROP_NOT_REQUEST, NULL, NULL },
	{ "RFC7252-4.2 an ACK is never answered", BYTES("\x60\x00\x12\x34"), UNICAST, LL, PROXY,
	    DISCO_DROP_NOT_REQUEST, NULL, NULL },
	{ "DI-7 unicast from beyond the link", BYTES(NON_GET PATH), UNICAST, GLOBAL, PROXY,
	    DISCO_DROP_SOURCE, NULL, NULL },
};

static size_t
offers_of(enum offers kind, struct disco_offer out[4])
{
	switch (kind) {
	case PROXY:
		out[0] =
		    (struct disco_offer){ .what = DISCO_PROXY_COAPS, .any = true, .port = 8485 };
		/* found over GRASP and DNS-SD only */
		out[1] = (struct disco_offer){ .what = DISCO_PROXY_TLS, .any = true, .port = 8444 };
		return 2;
	case REGISTRAR:
		out[0] = (struct disco_offer){
			.what = DISCO_REGISTRAR_COAPS, .any = true, .port = 5690
		};
		out[1] =
		    (struct disco_offer){ .what = DISCO_REGISTRAR_JPY, .any = true, .port = 7634 };
		return 2;
	case STANDARD_PORT:
		out[0] = (struct disco_offer){
			.what = DISCO_REGISTRAR_COAPS, .any = true, .port = 5684
		};
		return 1;
	case ELSEWHERE:
		out[0] = (struct disco_offer){
			.what = DISCO_REGISTRAR_COAPS, .address = v6("2001:db8::77"), .port = 5684
		};
		return 1;
	case NOTHING: break;
	}
	return 0;
}

static enum disco_verdict
judge(const struct row *row, struct mst_buf *out)
{
	static struct disco_message m;
	struct in6_addr link_local = v6("fe80::1"), global = v6("2001:db8::1");
	struct in6_addr source = v6(row->source);
	struct disco_offer offers[4];
	struct disco_scene s = { .multicast = row->kind == MULTICAST,
		.link_local = IN6_IS_ADDR_LINKLOCAL(&source),
		.own_link_local = &link_local,
		.own_global = &global,
		.offers = offers,
		.offer_count = offers_of(row->offers, offers) };
	uint8_t *copy = malloc(row->len);
	enum disco_verdict v;

	memcpy(copy, row->bytes, row->len);
	v = disco_judge(&s, mst_span_of(copy, row->len), 0x7788, &m, out);
	free(copy);
	return v;
}

static void
request_is_judged(void **state)
{
	const struct row *row = *state;
	uint8_t room[512];
	struct mst_buf out = MST_BUF(room);
	size_t n;

	assert_int_equal(judge(row, &out), row->verdict);
	if (row->head == NULL)
		return;
	n = out.len - strlen(row->payload);
	assert_memory_equal(room + n, row->payload, strlen(row->payload));
	/* the head has no NUL but in a Reset, whose code it is */
	assert_int_equal(n, row->verdict == DISCO_RESET ? 4 : strlen(row->head));
	assert_memory_equal(room, row->head, n);
}

/* Whatever is cut off, a multicast is never answered with an error (RFC 7252 8.1, 8.2). */
static void
RFC7252_8_2_no_prefix_of_a_multicast_makes_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct row row = rows[i];

		for (row.len = 1; row.kind == MULTICAST && row.len < rows[i].len; row.len++) {
			uint8_t room[512];
			struct mst_buf out = MST_BUF(room);
			enum disco_verdict v = judge(&row, &out);

			assert_int_not_equal(v, DISCO_REFUSE);
			assert_int_not_equal(v, DISCO_RESET);
			if (v == DISCO_ANSWER)
				assert_int_equal(room[1], 0x45); /* 2.05 */
		}
	}
}

static void
DI_3_question_is_as_the_draft_has_it(void **state)
{
	uint8_t room[64];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	assert_int_equal(
	    disco_message_ask(0x1234, MST_LIT("\xab"), MST_LIT("brski-jp=*"), &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), mst_span_of(JP, sizeof JP - 1)));
}

static void
question_says_when_space_ends(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < sizeof JP - 1; cap++) {
		uint8_t *room = malloc(cap != 0 ? cap : 1);
		struct mst_buf out = { room, cap, 0 };

		assert_int_equal(disco_message_ask(1, MST_LIT("\xab"), MST_LIT("brski-jp=*"), &out),
		    MST_E_SPACE);
		free(room);
	}
}

/* ---- how often ---- */

#define S INT64_C(1000000)

static unsigned
allowed(struct disco_limit *l, const char *source, unsigned times, int64_t now)
{
	struct in6_addr a = v6(source);
	unsigned n = 0;

	while (times-- > 0)
		n += disco_limit_take(l, &a, 1, now) == DISCO_ALLOWED;
	return n;
}

static void
DI_7_one_source_gets_four_and_then_its_rate(void **state)
{
	static struct disco_limit l;

	(void)state;
	disco_limit_init(&l, 6, 100, 5 * S);
	assert_int_equal(allowed(&l, "fe80::1", 100, 5 * S), 4);
	assert_int_equal(allowed(&l, "fe80::1", 100, 14 * S), 0);
	assert_int_equal(allowed(&l, "fe80::1", 100, 15 * S), 1);
	assert_int_equal(allowed(&l, "fe80::1", 100, 3600 * S), 4); /* saved up no more than that */
	assert_int_equal(allowed(&l, "fe80::2", 1, 3600 * S), 1);
}

static void
DI_7_asking_without_pause_does_not_starve_the_rate(void **state)
{
	static struct disco_limit l;
	unsigned n = 0;

	(void)state;
	disco_limit_init(&l, 6, 100, 0);
	for (int64_t us = 0; us < 60 * S; us += 3000)
		n += allowed(&l, "fe80::1", 1, us);
	assert_in_range(n, 4 + 5, 4 + 6);
}

static void
DI_7_many_sources_together_get_the_rate_of_all(void **state)
{
	static struct disco_limit l;
	unsigned n = 0;

	(void)state;
	disco_limit_init(&l, 6, 10, 0);
	for (unsigned i = 0; i < 10000; i++) { /* ten seconds, a new source each millisecond */
		char source[32];

		snprintf(source, sizeof source, "fe80::%x:1", i + 1);
		n += allowed(&l, source, 1, (int64_t)i * 1000);
	}
	assert_in_range(n, 20 + 95, 20 + 100);
}

static void
DI_7_the_same_address_on_two_links_is_two_sources(void **state)
{
	static struct disco_limit l;
	struct in6_addr a = v6("fe80::1");

	(void)state;
	disco_limit_init(&l, 6, 100, 0);
	assert_int_equal(allowed(&l, "fe80::1", 9, 0), 4);
	assert_int_equal(disco_limit_take(&l, &a, 1, 0), DISCO_OVER_SOURCE);
	assert_int_equal(disco_limit_take(&l, &a, 2, 0), DISCO_ALLOWED);
}

#define ROWS (sizeof rows / sizeof rows[0])

int
main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(RFC7252_8_2_no_prefix_of_a_multicast_makes_an_error),
		cmocka_unit_test(DI_3_question_is_as_the_draft_has_it),
		cmocka_unit_test(question_says_when_space_ends),
		cmocka_unit_test(DI_7_one_source_gets_four_and_then_its_rate),
		cmocka_unit_test(DI_7_asking_without_pause_does_not_starve_the_rate),
		cmocka_unit_test(DI_7_many_sources_together_get_the_rate_of_all),
		cmocka_unit_test(DI_7_the_same_address_on_two_links_is_two_sources),
	};
	struct CMUnitTest tests[sizeof plain / sizeof plain[0] + ROWS];

	memcpy(tests, plain, sizeof plain);
	for (size_t i = 0; i < ROWS; i++)
		tests[sizeof plain / sizeof plain[0] + i] = (struct CMUnitTest){ rows[i].name,
			request_is_judged, NULL, NULL, (void *)(uintptr_t)&rows[i] };
	return cmocka_run_group_tests_name("CoAP discovery", tests, NULL, NULL);
}

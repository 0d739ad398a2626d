/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS listener over real loopback DTLS: messages, duplicates, blocks, codes, refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/net/support_coap.h"

#define SEN COAP_EST "/sen"
#define SREN COAP_EST "/sren"
#define CRTS COAP_EST "/crts"
#define RV COAP_BRSKI "/rv"
#define ANSWER_LEN 3000 /* of crts */

static struct coap_world shared;
static uint8_t body[40000];

static int
shared_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 13 + i / 256);
	coap_world_start(&shared, NULL);
	return 0;
}

static int
shared_stop(void **state)
{
	(void)state;
	coap_world_stop(&shared);
	return 0;
}

static long
raw_block(uint32_t num, unsigned more, unsigned szx)
{
	return (long)(num << 4 | more << 3 | szx);
}

/* --- rows: one request, one code --- */

struct row {
	const char *name;
	struct coap_ask ask;
	unsigned code;
	const char *says; /* in the diagnostic payload, or in what the handler saw */
};
#define NO_BODY                                                                                    \
	{                                                                                          \
		NULL, 0                                                                            \
	}
#define CSR                                                                                        \
	{                                                                                          \
		(const uint8_t *)"csr", 3                                                          \
	}
#define PVR                                                                                        \
	{                                                                                          \
		(const uint8_t *)"+", 1                                                            \
	}

static const struct row rows[] = {
	{ "13.1: POST rv", { COAP_POST, RV, NULL, 836, 836, -1, -1, PVR }, 204,
	    "1 rv /.well-known/brski/requestvoucher ? type=application/voucher+cose "
	    "accept=application/voucher+cose body=1" },
	{ "13.1: POST rv without Accept", { COAP_POST, RV, NULL, 836, -1, -1, -1, PVR }, 204,
	    "accept=- body=1" },
	{ "13.1: POST vs in CBOR", { COAP_POST, COAP_BRSKI "/vs", NULL, 60, -1, -1, -1, CSR }, 204,
	    "1 vs /.well-known/brski/voucher_status ? type=application/cbor accept=- body=3" },
	{ "13.1: POST vs in JSON", { COAP_POST, COAP_BRSKI "/vs", NULL, 50, -1, -1, -1, CSR }, 204,
	    "type=application/json" },
	{ "13.1: POST sen", { COAP_POST, SEN, NULL, 286, -1, -1, -1, CSR }, 204,
	    "1 sen /.well-known/est/simpleenroll ? type=application/pkcs10 accept=- body=3" },
	{ "13.1: POST sen, Accept 287", { COAP_POST, SEN, NULL, 286, 287, -1, -1, CSR }, 204,
	    "accept=application/pkix-cert" },
	{ "est.md F2: no Content-Format is 286", { COAP_POST, SEN, NULL, -1, -1, -1, -1, CSR }, 204,
	    "type=application/pkcs10" },
	{ "13.1: GET crts", { COAP_GET, CRTS, NULL, -1, -1, -1, -1, NO_BODY }, 205,
	    "1 crts /.well-known/est/cacerts ? type=- accept=- body=0" },
	{ "13.1: GET crts, Accept 62", { COAP_GET, CRTS, NULL, -1, 62, -1, -1, NO_BODY }, 205,
	    "accept=application/multipart-core" },
	{ "13.1: GET att without attributes",
	    { COAP_GET, COAP_EST "/att", NULL, -1, -1, -1, -1, NO_BODY }, 205, "1 att" },
	{ "est.md D1: a label", { COAP_POST, COAP_EST "/field/sen", NULL, 286, -1, -1, -1, CSR },
	    204, "1 sen /.well-known/est/field/simpleenroll ?" },
	{ "CO-1: short base", { COAP_POST, "/e/sen", NULL, 286, -1, -1, -1, CSR }, 204,
	    "1 sen /.well-known/est/simpleenroll ?" },
	{ "a query goes along", { COAP_POST, SEN, "a=1&b", 286, -1, -1, -1, CSR }, 204,
	    "simpleenroll ?a=1&b " },
	{ "13.1: unknown path is 4.04",
	    { COAP_GET, COAP_EST "/nothing", NULL, -1, -1, -1, -1, NO_BODY }, 404, "MU-2024" },
	{ "13.1: the long name is not for CoAP",
	    { COAP_GET, COAP_EST "/cacerts", NULL, -1, -1, -1, -1, NO_BODY }, 404, "MU-2024" },
	{ "est.md U2: unknown label is 4.04",
	    { COAP_POST, COAP_EST "/nolabel/sen", NULL, 286, -1, -1, -1, CSR }, 404, "MU-2024" },
	{ "no path at all is 4.04", { COAP_GET, "", NULL, -1, -1, -1, -1, NO_BODY }, 404,
	    "MU-2024" },
	{ "13.1: GET on sen is 4.05", { COAP_GET, SEN, NULL, -1, -1, -1, -1, NO_BODY }, 405,
	    "MU-2025" },
	{ "13.1: POST on crts is 4.05", { COAP_POST, CRTS, NULL, -1, -1, -1, -1, CSR }, 405,
	    "MU-2025" },
	{ "13.1: PUT is 4.05", { 3, SEN, NULL, 286, -1, -1, -1, CSR }, 405, "MU-2025" },
	{ "13.1: DELETE is 4.05", { 4, CRTS, NULL, -1, -1, -1, -1, NO_BODY }, 405, "MU-2025" },
	{ "est.md F1: Accept 9999 is 4.06", { COAP_POST, SEN, NULL, 286, 9999, -1, -1, CSR }, 406,
	    "MU-2027" },
	{ "est.md F1: Accept 0 is 4.06", { COAP_GET, CRTS, NULL, -1, 0, -1, -1, NO_BODY }, 406,
	    "MU-2027" },
	{ "est.md F2: Content-Format 281 on sen is 4.15",
	    { COAP_POST, SEN, NULL, 281, -1, -1, -1, CSR }, 415, "MU-2026" },
	{ "13.1: Content-Format 286 on rv is 4.15", { COAP_POST, RV, NULL, 286, -1, -1, -1, PVR },
	    415, "MU-2026" },
	{ "brski.md 19: the old 65502 on rv is 4.15",
	    { COAP_POST, RV, NULL, 65502, -1, -1, -1, PVR }, 415, "MU-2026" },
	{ "RFC 7959 2.2: block size 7 is 4.00", { COAP_POST, SEN, NULL, 286, -1, 0x0f, -1, CSR },
	    400, "MU-2030" },
	{ "RFC 7959 2.4: a piece beyond the end is 4.00",
	    { COAP_GET, CRTS, NULL, -1, -1, -1, 0x7f6, NO_BODY }, 400, "MU-2030" },
	{ "est.md M2: a piece of an answer that nobody keeps is 4.08",
	    { COAP_POST, SEN, NULL, 286, -1, -1, 0x14, NO_BODY }, 408, "MU-2032" },
	{ "DI-5: discovery",
	    { COAP_GET, "/.well-known/core", "rt=brski.rv", -1, -1, -1, -1, NO_BODY }, 205,
	    "</b/rv>;rt=brski.rv;ct=836" },
	{ "DI-5: discovery of something else is 4.04",
	    { COAP_GET, "/.well-known/core", "rt=light", -1, -1, -1, -1, NO_BODY }, 404,
	    "MU-1008" },
	{ "DI-5: discovery in CBOR is 4.06",
	    { COAP_GET, "/.well-known/core", NULL, -1, 60, -1, -1, NO_BODY }, 406, "MU-2027" },
	{ "DI-5: POST on discovery is 4.05",
	    { COAP_POST, "/.well-known/core", NULL, -1, -1, -1, -1, NO_BODY }, 405, "MU-2025" },
};

static void
one_row(void **state)
{
	const struct row *r = *state;
	struct coap_client c;
	struct coap_got g;
	int before = coap_handled(&shared);

	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &r->ask, &g);
	if (g.m.code != r->code)
		fail_msg("%u: %.*s", g.m.code, (int)g.m.payload.len, (const char *)g.m.payload.ptr);
	if (r->code < 300 && g.m.payload.len > 0 && coap_says(&g, r->says))
		assert_int_equal(coap_number(&g, MST_COAP_CONTENT_FORMAT), 40);
	else if (r->code < 300)
		assert_non_null(strstr(coap_last(&shared), r->says));
	else
		assert_true(coap_says(&g, r->says));
	if (r->code >= 400) {
		/* RFC 7252 5.5.2: a diagnostic payload has no format */
		assert_int_equal(coap_number(&g, MST_COAP_CONTENT_FORMAT), -1);
		if (r->code != 400 || r->ask.block2 < 0)
			assert_int_equal(coap_handled(&shared), before);
	}
	coap_client_close(&c);
}

/* --- answers --- */

static void
co3_pending_is_503_with_max_age(void **state)
{
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(RV, 836, MST_LIT("pvr")), &g);
	assert_int_equal(g.m.code, 503);
	assert_int_equal(coap_number(&g, MST_COAP_MAX_AGE), 17);
	assert_true(coap_says(&g, "MU-2201"));
	coap_client_close(&c);
}

/* RFC 8995 5.2: 401, then the connection is closed. */
static void
refusal_ends_the_session(void **state)
{
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(RV, 836, MST_LIT("!")), &g);
	assert_int_equal(g.m.code, 401);
	assert_true(coap_says(&g, "MU-2103"));
	assert_false(coap_get(&c, &g, 8000)); /* close_notify comes instead of a message */
	assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	coap_client_close(&c);
}

static void
formats_and_etag(void **state)
{
	struct coap_client c;
	struct coap_got g, again;
	struct coap_sent m;
	uint8_t etag[8];

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_GET(CRTS), &g);
	assert_int_equal(coap_number(&g, MST_COAP_CONTENT_FORMAT), 281);
	assert_int_equal(g.m.options[0].number, MST_COAP_ETAG);
	assert_int_equal(g.m.options[0].value.len, 8);
	memcpy(etag, g.m.options[0].value.ptr, 8);
	coap_begin(&c, &m, MST_COAP_CON, COAP_GET);
	mst_coap_put_option(&m.w, MST_COAP_ETAG, MST_LIT("another!"));
	mst_coap_put_option(&m.w, MST_COAP_ETAG, mst_span_of(etag, 8));
	coap_path(&m, CRTS);
	coap_send_it(&c, &m);
	assert_true(coap_get(&c, &again, 8000));
	assert_int_equal(again.m.code, COAP_VALID); /* RFC 7252 5.6.2 */
	assert_int_equal(again.m.payload.len, 0);
	assert_int_equal(coap_number(&again, MST_COAP_CONTENT_FORMAT), -1);
	coap_client_close(&c);
}

static void
empty_answers_have_no_body(void **state)
{
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(COAP_BRSKI "/vs", 60, MST_LIT("x")), &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	assert_int_equal(g.m.payload.len, 0); /* 13.1: "noted" is for HTTP */
	assert_int_equal(g.m.count, 0);
	coap_client_close(&c);
}

/* --- messages --- */

static void
m4_duplicate_gets_the_same_bytes(void **state)
{
	struct coap_client c;
	struct coap_sent m;
	struct coap_got first, second;
	int before = coap_handled(&shared);

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_compose(&c, &m, &COAP_ASK_POST(SEN, 286, MST_LIT("csr")));
	coap_send_it(&c, &m);
	assert_true(coap_get(&c, &first, 8000));
	for (int i = 0; i < 3; i++) {
		coap_send_it(&c, &m);
		assert_true(coap_get(&c, &second, 8000));
		assert_int_equal(second.len, first.len);
		assert_memory_equal(second.bytes, first.bytes, first.len);
	}
	assert_int_equal(coap_handled(&shared), before + 1);
	coap_client_close(&c);
}

/* est.md M3, M4; CO-6. */
static void
co6_slow_answer_comes_separately(void **state)
{
	struct coap_client c;
	struct coap_sent m, ack;
	struct coap_got g, again;
	int before = coap_handled(&shared);

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_compose(&c, &m, &COAP_ASK_POST(SREN, 286, MST_LIT("csr")));
	coap_send_it(&c, &m);
	coap_send_it(&c, &m); /* a duplicate before any answer */
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(g.m.type, MST_COAP_ACK);
	assert_int_equal(g.m.code, COAP_EMPTY);
	assert_int_equal(g.m.mid, m.mid);
	coap_send_it(&c, &m); /* and one after the empty ACK */
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(g.m.code, COAP_EMPTY);
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(g.m.type, MST_COAP_CON);
	assert_int_equal(g.m.code, COAP_CHANGED);
	assert_int_equal(g.m.token.ptr[0], c.token);
	assert_true(coap_says(&g, "later"));
	assert_true(coap_get(&c, &again, 8000)); /* not acknowledged: it comes again */
	assert_int_equal(again.len, g.len);
	assert_memory_equal(again.bytes, g.bytes, g.len);
	mst_coap_put_head(&ack.w, &(struct mst_buf){ ack.bytes, sizeof ack.bytes, 0 }, MST_COAP_ACK,
	    0, g.m.mid, MST_NONE);
	assert_true(SSL_write(c.ssl, ack.bytes, 4) > 0);
	assert_false(coap_get(&c, &again, 5000)); /* the next would have come after 4 to 6 s */
	coap_send_it(&c, &m); /* the request once more, after all */
	assert_true(coap_get(&c, &again, 8000));
	assert_int_equal(again.m.code, COAP_EMPTY);
	assert_int_equal(coap_handled(&shared), before + 1);
	coap_client_close(&c);
}

static void
non_is_answered_by_non(void **state)
{
	struct coap_client c;
	struct coap_sent m;
	struct coap_got g;
	int before = coap_handled(&shared);

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_begin(&c, &m, MST_COAP_NON, COAP_POST);
	coap_path(&m, SEN);
	mst_coap_put_payload(&m.w, MST_LIT("csr"));
	coap_send_it(&c, &m);
	coap_send_it(&c, &m); /* RFC 7252 4.5: ignored */
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(g.m.type, MST_COAP_NON);
	assert_int_equal(g.m.code, COAP_CHANGED);
	assert_false(coap_get(&c, &g, 300));
	assert_int_equal(coap_handled(&shared), before + 1);
	coap_client_close(&c);
}

static void
send_raw(struct coap_client *c, mst_span bytes)
{
	assert_true(SSL_write(c->ssl, bytes.ptr, (int)bytes.len) > 0);
}

/* RFC 7252 4.2, 4.3: what cannot be taken is rejected, and the session goes on. */
static void
rejects_and_goes_on(void **state)
{
	static const struct {
		mst_span bytes;
		bool reset;
	} odd[] = {
		{ { (const uint8_t *)"\x40\x00\x12\x34", 4 }, true }, /* ping */
		{ { (const uint8_t *)"\x40\x01\x12\x35\xff", 5 }, true }, /* malformed CON */
		{ { (const uint8_t *)"\x50\x01\x12\x36\xff", 5 }, false }, /* malformed NON */
		{ { (const uint8_t *)"\x40\x45\x12\x37", 4 }, true }, /* a response */
		{ { (const uint8_t *)"\x40\xe1\x12\x38", 4 }, true }, /* a code of TCP */
		{ { (const uint8_t *)"\x50\x00\x12\x39", 4 }, false }, /* empty NON */
		{ { (const uint8_t *)"\x60\x00\x12\x3a", 4 }, false }, /* an ACK for nothing */
		{ { (const uint8_t *)"\x70\x00\x12\x3b", 4 }, false }, /* an RST for nothing */
		{ { (const uint8_t *)"\x80\x01\x12\x3c", 4 }, false }, /* version 2 */
		{ { (const uint8_t *)"\x40", 1 }, false },
	};
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		send_raw(&c, odd[i].bytes);
		if (odd[i].reset) {
			assert_true(coap_get(&c, &g, 8000));
			assert_int_equal(g.m.type, MST_COAP_RST);
			assert_int_equal(g.m.code, COAP_EMPTY);
			assert_int_equal(g.m.mid, odd[i].bytes.ptr[2] << 8 | odd[i].bytes.ptr[3]);
		}
	}
	coap_ask(&c, &COAP_ASK_POST(SEN, 286, MST_LIT("csr")), &g);
	assert_int_equal(g.m.code, COAP_CHANGED);
	coap_client_close(&c);
}

static void
ask_abbreviated(struct coap_client *c, uint32_t number, const char *path, struct coap_got *g)
{
	struct coap_sent m;

	coap_begin(c, &m, MST_COAP_CON, COAP_GET);
	coap_path(&m, path);
	mst_coap_put_uint(&m.w, COAP_URI_PATH_ABBREV, number);
	coap_send_it(c, &m);
	assert_true(coap_get(c, g, 8000));
}

static void
co5_uri_path_abbrev(void **state)
{
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	ask_abbreviated(&c, 301, "", &g);
	assert_int_equal(g.m.code, COAP_CONTENT);
	ask_abbreviated(&c, 0, "", &g);
	assert_int_equal(g.m.code, COAP_CONTENT);
	assert_int_equal(coap_number(&g, MST_COAP_CONTENT_FORMAT), 40);
	ask_abbreviated(&c, 1, "", &g); /* known, and not here */
	assert_int_equal(g.m.code, 404);
	ask_abbreviated(&c, 999, "", &g); /* unknown */
	assert_int_equal(g.m.code, 402);
	assert_true(coap_says(&g, "MU-2031"));
	ask_abbreviated(&c, 301, CRTS, &g); /* beside Uri-Path */
	assert_int_equal(g.m.code, 402);
	coap_client_close(&c);
}

static void
unknown_options(void **state)
{
	struct coap_client c;
	struct coap_sent m;
	struct coap_got g;
	static const struct {
		unsigned option, code;
	} all[] = { { 9, 402 }, { 65001, 402 }, { 35, 505 }, { 258, 205 }, { 65000, 205 } };

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		coap_begin(&c, &m, MST_COAP_CON, COAP_GET);
		if (all[i].option < MST_COAP_URI_PATH)
			mst_coap_put_option(&m.w, all[i].option, MST_LIT("x"));
		coap_path(&m, CRTS);
		if (all[i].option > MST_COAP_URI_PATH)
			mst_coap_put_option(&m.w, all[i].option, MST_LIT("x"));
		coap_send_it(&c, &m);
		assert_true(coap_get(&c, &g, 8000));
		assert_int_equal(g.m.code, all[i].code);
	}
	coap_client_close(&c);
}

/* --- pieces of answers --- */

static void
fetch_pieces(struct coap_client *c, struct coap_ask *a, unsigned szx, uint8_t *out, size_t len)
{
	struct coap_got g;
	struct mst_coap_block b;
	size_t at = 0;

	for (uint32_t num = 0;; num++) {
		a->block2 = raw_block(num, 0, szx);
		coap_ask(c, a, &g);
		assert_int_equal(g.m.code, a->code == COAP_GET ? COAP_CONTENT : COAP_CHANGED);
		b = coap_block_of(&g, MST_COAP_BLOCK2);
		assert_true(b.there);
		assert_int_equal(b.num, num);
		assert_int_equal(b.szx, szx);
		assert_true(at + g.m.payload.len <= len);
		memcpy(out + at, g.m.payload.ptr, g.m.payload.len);
		at += g.m.payload.len;
		if (!b.more)
			break;
		assert_int_equal(g.m.payload.len, mst_coap_block_size(szx));
		a->payload = MST_NONE; /* follow-ups carry none */
	}
	assert_int_equal(at, len);
}

static void
m2_block2_of_every_size(void **state)
{
	struct coap_client c;
	uint8_t got[ANSWER_LEN];

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	for (unsigned szx = 0; szx <= 6; szx++) {
		struct coap_ask a = COAP_ASK_GET(CRTS);
		int before = coap_handled(&shared);

		fetch_pieces(&c, &a, szx, got, sizeof got);
		for (size_t i = 0; i < sizeof got; i++)
			assert_int_equal(got[i], (uint8_t)(i * 7 + i / 256));
		assert_int_equal(coap_handled(&shared), before + 1); /* kept, not made again */
	}
	coap_client_close(&c);
}

static void
co4_default_block_and_size2(void **state)
{
	struct coap_client c;
	struct coap_sent m;
	struct coap_got g;
	struct mst_coap_block b;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_ask(&c, &COAP_ASK_GET(CRTS), &g);
	b = coap_block_of(&g, MST_COAP_BLOCK2);
	assert_true(b.there && b.more);
	assert_int_equal(b.szx, 4);
	assert_int_equal(g.m.payload.len, 256);
	assert_int_equal(coap_number(&g, MST_COAP_SIZE2), -1);
	coap_begin(&c, &m, MST_COAP_CON, COAP_GET);
	coap_path(&m, CRTS);
	mst_coap_put_uint(&m.w, MST_COAP_SIZE2, 0); /* CO-2: when asked */
	coap_send_it(&c, &m);
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(coap_number(&g, MST_COAP_SIZE2), ANSWER_LEN);
	coap_client_close(&c);
}

/* 13.2: a pledge that negotiated 2^9 gets no record it cannot take. */
static void
small_fragments_make_small_blocks(void **state)
{
	static const struct coap_client_options o = { .fragment = TLSEXT_max_fragment_length_512 };
	struct coap_client c;
	struct coap_got g;
	struct coap_ask a = COAP_ASK_GET(CRTS);

	(void)state;
	coap_client_open(&c, shared.port, &o);
	a.block2 = raw_block(0, 0, 6);
	coap_ask(&c, &a, &g);
	assert_true(g.len <= 512);
	assert_int_equal(coap_block_of(&g, MST_COAP_BLOCK2).szx, 4);
	assert_int_equal(coap_block_of(&g, MST_COAP_BLOCK2).num, 0);
	coap_client_close(&c);
}

/* --- requests in pieces --- */

/* The code of the block's answer. */
static unsigned
send_block(struct coap_client *c, const char *path, size_t len, uint32_t num, unsigned szx,
    struct coap_got *g)
{
	size_t size = mst_coap_block_size(szx), at = num * size;
	bool more = at + size < len;
	struct coap_ask a = COAP_ASK_POST(path, 286, MST_NONE);

	a.block1 = raw_block(num, more, szx);
	a.payload = mst_span_of(body + at, more ? size : len - at);
	coap_ask(c, &a, g);
	if (g->m.code == COAP_CONTINUE) {
		struct mst_coap_block b = coap_block_of(g, MST_COAP_BLOCK1);

		assert_true(b.there && b.more);
		assert_int_equal(b.num, num);
		assert_int_equal(b.szx, szx);
	}
	return g->m.code;
}

/* est.md M2: Block1 up, Block2 down, made once. */
static void
m2_block1_then_block2(void **state)
{
	struct coap_client c;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	for (unsigned szx = 0; szx <= 6; szx += 2) {
		const size_t len = 2000;
		uint32_t last = (uint32_t)((len - 1) / mst_coap_block_size(szx));
		int before = coap_handled(&shared);
		uint8_t got[2000];
		struct coap_got g;
		struct coap_ask a = COAP_ASK_POST(SEN, 286, MST_NONE);
		size_t at;

		for (uint32_t num = 0; num < last; num++)
			assert_int_equal(send_block(&c, SEN, len, num, szx, &g), COAP_CONTINUE);
		assert_int_equal(send_block(&c, SEN, len, last, szx, &g), COAP_CHANGED);
		assert_true(coap_block_of(&g, MST_COAP_BLOCK1).there);
		assert_false(coap_block_of(&g, MST_COAP_BLOCK1).more);
		assert_int_equal(coap_block_of(&g, MST_COAP_BLOCK1).num, last);
		assert_int_equal(coap_block_of(&g, MST_COAP_BLOCK2).num, 0);
		at = g.m.payload.len;
		memcpy(got, g.m.payload.ptr, at);
		for (uint32_t num = 1; coap_block_of(&g, MST_COAP_BLOCK2).more; num++) {
			a.block2 = raw_block(num, 0, szx);
			coap_ask(&c, &a, &g);
			assert_int_equal(g.m.code, COAP_CHANGED);
			assert_int_equal(coap_block_of(&g, MST_COAP_BLOCK2).num, num);
			memcpy(got + at, g.m.payload.ptr, g.m.payload.len);
			at += g.m.payload.len;
		}
		assert_int_equal(at, len);
		assert_memory_equal(got, body, len);
		assert_int_equal(coap_handled(&shared), before + 1);
	}
	coap_client_close(&c);
}

/*
 * No GET returns what a POST was answered with, so an ETag would say something
 * untrue (RFC 7252 5.10.6.1); those of GET have one in each piece (RFC 7959 2.4).
 */
static void
rfc7252_5_10_6_1_pieces_of_a_post_have_no_etag(void **state)
{
	struct coap_ask post = COAP_ASK_POST(SEN, 286, MST_NONE);
	struct coap_ask get = COAP_ASK_GET(COAP_EST "/crts");
	struct coap_client c;
	struct coap_got g;
	unsigned pieces = 0;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	assert_int_equal(send_block(&c, SEN, 1000, 0, 6, &g), COAP_CHANGED);
	assert_int_equal(coap_number(&g, MST_COAP_ETAG), -1);
	for (uint32_t num = 0; num == 0 || coap_block_of(&g, MST_COAP_BLOCK2).more; num++) {
		post.block2 = raw_block(num, 0, 4);
		if (num == 0) { /* once more, with smaller pieces */
			post.payload = mst_span_of(body, 1000);
			post.format = 286;
		}
		coap_ask(&c, &post, &g);
		assert_int_equal(g.m.code, COAP_CHANGED);
		assert_int_equal(coap_number(&g, MST_COAP_ETAG), -1);
		post.payload = MST_NONE;
		pieces++;
	}
	assert_int_equal(pieces, 4);
	for (uint32_t num = 0; num == 0 || coap_block_of(&g, MST_COAP_BLOCK2).more; num++) {
		get.block2 = raw_block(num, 0, 4);
		coap_ask(&c, &get, &g);
		assert_int_equal(g.m.code, COAP_CONTENT);
		assert_int_not_equal(coap_number(&g, MST_COAP_ETAG), -1);
	}
	coap_client_close(&c);
}

struct sequence {
	const char *name;
	struct {
		uint32_t num;
		unsigned szx;
	} blocks[5];
	size_t count;
	unsigned code; /* of the last */
};
/* Of a body of 300 bytes: five blocks of 64, or two of 256. */
static const struct sequence sequences[] = {
	{ "CO-4: all blocks in order", { { 0, 2 }, { 1, 2 }, { 2, 2 }, { 3, 2 }, { 4, 2 } }, 5,
	    204 },
	{ "CO-4: a gap is 4.08", { { 0, 2 }, { 2, 2 } }, 2, 408 },
	{ "CO-4: no beginning is 4.08", { { 1, 2 } }, 1, 408 },
	{ "CO-4: a block again, as a new message", { { 0, 2 }, { 1, 2 }, { 1, 2 } }, 3, 231 },
	{ "CO-4: the first again begins again", { { 0, 2 }, { 1, 2 }, { 0, 2 }, { 1, 2 } }, 4,
	    231 },
	{ "CO-4: an older one again is 4.08", { { 0, 2 }, { 1, 2 }, { 2, 2 }, { 1, 2 } }, 4, 408 },
	{ "CO-4: after a gap nothing continues", { { 0, 2 }, { 2, 2 }, { 1, 2 } }, 3, 408 },
	{ "RFC 7959 2.5: the size shrinks on the way", { { 0, 4 }, { 4, 2 } }, 2, 204 },
	{ "RFC 7959 2.5: the size shrinks to a gap", { { 0, 4 }, { 1, 2 } }, 2, 408 },
};

static void
one_sequence(void **state)
{
	const struct sequence *q = *state;
	struct coap_client c;
	struct coap_got g;

	coap_client_open(&c, shared.port, NULL);
	for (size_t i = 0; i < q->count; i++)
		(void)send_block(&c, SEN, 300, q->blocks[i].num, q->blocks[i].szx, &g);
	assert_int_equal(g.m.code, q->code);
	if (q->code == 408)
		assert_true(coap_says(&g, "MU-2032"));
	coap_client_close(&c);
}

static void
co4_another_request_does_not_continue(void **state)
{
	struct coap_client c, other;
	struct coap_got g;
	struct coap_ask a = COAP_ASK_POST(SEN, 286, mst_span_of(body + 64, 64));

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_client_open(&other, shared.port, NULL);
	assert_int_equal(send_block(&c, SEN, 300, 0, 2, &g), COAP_CONTINUE);
	assert_int_equal(send_block(&c, SREN, 300, 1, 2, &g), 408); /* another path */
	assert_int_equal(send_block(&c, SEN, 300, 0, 2, &g), COAP_CONTINUE);
	assert_int_equal(send_block(&other, SEN, 300, 1, 2, &g), 408); /* another session */
	a.block1 = raw_block(1, 1, 2);
	a.accept = 287; /* another Accept */
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, 408);
	coap_client_close(&other);
	coap_client_close(&c);
}

static void
co4_a_block_of_wrong_length_is_400(void **state)
{
	struct coap_client c;
	struct coap_got g;
	struct coap_ask a = COAP_ASK_POST(SEN, 286, mst_span_of(body, 63));

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	a.block1 = raw_block(0, 1, 2); /* more to come, and one byte short */
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, 400);
	assert_true(coap_says(&g, "MU-2030"));
	a.block1 = raw_block(0, 0, 1); /* the last, and longer than its size */
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, 400);
	coap_client_close(&c);
}

static void
co4_cap_is_413_with_hints(void **state)
{
	struct coap_client c;
	struct coap_got g;
	unsigned code = COAP_CONTINUE;
	uint32_t num;
	int before = coap_handled(&shared);

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	for (num = 0; code == COAP_CONTINUE; num++)
		code = send_block(&c, SEN, sizeof body, num, 6, &g);
	assert_int_equal(code, 413);
	assert_int_equal(num - 1, 32768 / 1024);
	assert_true(coap_says(&g, "MU-2022"));
	assert_int_equal(coap_number(&g, MST_COAP_SIZE1), 32768);
	assert_true(coap_block_of(&g, MST_COAP_BLOCK1).there);
	assert_int_equal(coap_block_of(&g, MST_COAP_BLOCK1).szx, 4);
	assert_int_equal(coap_handled(&shared), before);
	assert_int_equal(send_block(&c, SEN, 300, 1, 2, &g), 408); /* it is forgotten */
	coap_client_close(&c);
}

static void
co4_size1_is_believed(void **state)
{
	struct coap_client c;
	struct coap_sent m;
	struct coap_got g;

	(void)state;
	coap_client_open(&c, shared.port, NULL);
	coap_begin(&c, &m, MST_COAP_CON, COAP_POST);
	coap_path(&m, SEN);
	mst_coap_put_uint(&m.w, MST_COAP_BLOCK1, (uint32_t)raw_block(0, 1, 2));
	mst_coap_put_uint(&m.w, MST_COAP_SIZE1, 32769);
	mst_coap_put_payload(&m.w, mst_span_of(body, 64));
	coap_send_it(&c, &m);
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(g.m.code, 413); /* before 32 KiB were carried for nothing */
	coap_client_close(&c);
}

static void
co4_pieces_expire(void **state)
{
	static const struct net_coaps_limits limits = { .block_ms = 1 };
	struct coap_world w;
	struct coap_client c;
	struct coap_got g;

	(void)state;
	coap_world_start(&w, &limits);
	coap_client_open(&c, w.port, NULL);
	assert_int_equal(send_block(&c, SEN, 300, 0, 2, &g), COAP_CONTINUE);
	for (int i = 0; i < 400; i++) { /* the sweep has its own pace */
		usleep(20000);
		if (world_metric(
		        "muster_coap_refused_total{listener=\"test\",reason=\"block_timeout\"} ") >
		    0)
			break;
	}
	assert_int_equal(send_block(&c, SEN, 300, 1, 2, &g), 408);
	coap_client_close(&c);
	coap_world_stop(&w);
}

static void
m5_pieces_of_all_sessions_have_a_cap(void **state)
{
	static const struct net_coaps_limits limits = { .body_total = 3000 };
	struct coap_world w;
	struct coap_client c[4];
	struct coap_got g;
	unsigned last = 0;

	(void)state;
	coap_world_start(&w, &limits);
	for (size_t i = 0; i < 4; i++) {
		coap_client_open(&c[i], w.port, NULL);
		last = send_block(&c[i], SEN, 300, 0, 2, &g);
	}
	assert_int_equal(last, 503);
	assert_true(coap_number(&g, MST_COAP_MAX_AGE) > 0);
	coap_client_close(&c[0]); /* who leaves makes room */
	for (int i = 0; i < 100 && last != COAP_CONTINUE; i++) {
		usleep(20000);
		last = send_block(&c[3], SEN, 300, 0, 2, &g);
	}
	assert_int_equal(last, COAP_CONTINUE);
	for (size_t i = 1; i < 4; i++)
		coap_client_close(&c[i]);
	coap_world_stop(&w);
}

/* --- the listener --- */

static void
what_is_hidden_is_not_there(void **state)
{
	const struct net_coaps o = { .hide = "skg skc" };
	struct coap_world w;
	struct coap_client c;
	struct coap_got g;
	struct coap_ask a = COAP_ASK_GET("/.well-known/core");

	(void)state;
	coap_world_open(&w, &o);
	coap_client_open(&c, w.port, NULL);
	coap_ask(&c, &COAP_ASK_POST(COAP_EST "/skc", 286, MST_LIT("x")), &g);
	assert_int_equal(g.m.code, 404);
	a.query = "rt=ace.est.sk*";
	coap_ask(&c, &a, &g);
	assert_int_equal(g.m.code, 404);
	coap_client_close(&c);
	coap_world_stop(&w);
}

static void
ends_with_everything_open(void **state)
{
	struct coap_world w;
	struct coap_client c, d;
	struct coap_sent m;
	struct coap_got g;

	(void)state;
	coap_world_start(&w, NULL);
	coap_client_open(&c, w.port, NULL);
	coap_client_open(&d, w.port, NULL);
	coap_compose(&c, &m, &COAP_ASK_POST(COAP_EST "/skg", 286, MST_LIT("x")));
	coap_send_it(&c, &m); /* a handler keeps it */
	assert_int_equal(send_block(&d, SEN, 300, 0, 2, &g), COAP_CONTINUE);
	coap_ask(&d, &COAP_ASK_GET(CRTS), &g);
	for (int i = 0; i < 200 && coap_handled(&w) < 2; i++)
		usleep(20000);
	coap_client_close(&d); /* this one leaves in between */
	coap_world_stop(&w);
	coap_client_close(&c);
}

/* The client leaves while the handler works: the answer goes nowhere. */
static void
client_leaves_before_the_answer(void **state)
{
	struct coap_world w;
	struct coap_client c;
	struct coap_sent m;

	(void)state;
	coap_world_start(&w, NULL);
	w.answer_ms = 100;
	coap_client_open(&c, w.port, NULL);
	coap_compose(&c, &m, &COAP_ASK_POST(SREN, 286, MST_LIT("x")));
	coap_send_it(&c, &m);
	coap_client_close(&c);
	for (int i = 0; i < 200 && coap_handled(&w) < 1; i++)
		usleep(20000);
	usleep(200000);
	coap_client_open(&c, w.port, NULL);
	coap_client_close(&c);
	coap_world_stop(&w);
}

static void
too_many_at_once_on_a_session(void **state)
{
	struct coap_world w;
	struct coap_client c;
	struct coap_sent m;
	struct coap_got g;

	(void)state;
	coap_world_start(&w, NULL);
	coap_client_open(&c, w.port, NULL);
	for (int i = 0; i < 5; i++) {
		coap_compose(&c, &m, &COAP_ASK_POST(COAP_EST "/skg", 286, MST_LIT("x")));
		coap_send_it(&c, &m);
	}
	assert_true(coap_get(&c, &g, 8000));
	assert_int_equal(g.m.code, 503);
	assert_true(coap_number(&g, MST_COAP_MAX_AGE) > 0);
	assert_int_equal(g.m.mid, m.mid);
	assert_int_equal(coap_handled(&w), 4);
	coap_client_close(&c);
	coap_world_stop(&w);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

int
main(void)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(co3_pending_is_503_with_max_age),
		cmocka_unit_test(refusal_ends_the_session),
		cmocka_unit_test(formats_and_etag),
		cmocka_unit_test(empty_answers_have_no_body),
		cmocka_unit_test(m4_duplicate_gets_the_same_bytes),
		cmocka_unit_test(co6_slow_answer_comes_separately),
		cmocka_unit_test(non_is_answered_by_non),
		cmocka_unit_test(rejects_and_goes_on),
		cmocka_unit_test(co5_uri_path_abbrev),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(m2_block2_of_every_size),
		cmocka_unit_test(co4_default_block_and_size2),
		cmocka_unit_test(small_fragments_make_small_blocks),
		cmocka_unit_test(m2_block1_then_block2),
		cmocka_unit_test(rfc7252_5_10_6_1_pieces_of_a_post_have_no_etag),
		cmocka_unit_test(co4_another_request_does_not_continue),
		cmocka_unit_test(co4_a_block_of_wrong_length_is_400),
		cmocka_unit_test(co4_cap_is_413_with_hints),
		cmocka_unit_test(co4_size1_is_believed),
		cmocka_unit_test(co4_pieces_expire),
		cmocka_unit_test(m5_pieces_of_all_sessions_have_a_cap),
		cmocka_unit_test(what_is_hidden_is_not_there),
		cmocka_unit_test(ends_with_everything_open),
		cmocka_unit_test(client_leaves_before_the_answer),
		cmocka_unit_test(too_many_at_once_on_a_session),
	};
	static struct CMUnitTest tests[COUNT(rows) + COUNT(sequences) + COUNT(single)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	for (size_t i = 0; i < COUNT(sequences); i++)
		tests[n++] = (struct CMUnitTest){ sequences[i].name, one_sequence, NULL, NULL,
			(void *)(uintptr_t)&sequences[i] };
	for (size_t i = 0; i < COUNT(single); i++)
		tests[n++] = single[i];
	return _cmocka_run_group_tests("coaps", tests, n, shared_start, shared_stop);
}

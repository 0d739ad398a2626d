/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS client alone: association, messages, pieces (RFC 7252, 7959; brski.md 13). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "agent/coap_codec.h"
#include "agent/coaps.h"
#include "host/clock.h"
#include "unit/agent/support_coap.h"
#include "unit/agent/support_toy.h"

#define SECONDS(n) ((n)*INT64_C(1000000))
#define LIMIT 16384

static struct toy_pki pki;
static STACK_OF(X509) *chain;
static struct coap_toy toy;
static struct arena *a;

/* Gives back what it got, behind a byte for the method; "big" is of 3000 bytes. */
static void
echo(struct coap_toy *t, const struct coap_toy_request *q, struct coap_toy_answer *r)
{
	(void)t;
	r->code = q->method == 1 ? 205 : 204;
	r->format = q->accept;
	if (strcmp(q->path, "/big") == 0) {
		r->len = 3000;
		for (size_t i = 0; i < r->len; i++)
			r->body[i] = (uint8_t)(i * 7);
	} else if (strcmp(q->path, "/refused") == 0) {
		r->code = 403;
		memcpy(r->body, "not you", r->len = 7);
	} else if (strcmp(q->path, "/later") == 0) {
		r->code = 503;
		r->max_age = 70000;
	} else if (strcmp(q->path, "/format") == 0) {
		r->len = (size_t)snprintf((char *)r->body, 16, "%d", q->format);
	} else if (q->len > 0) {
		memcpy(r->body, q->body, r->len = q->len);
	}
}

static int
setup(void **state)
{
	(void)state;
	toy_pki_make(&pki);
	chain = sk_X509_new_null();
	sk_X509_push(chain, pki.idevid_ca.cert);
	a = arena_new(0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sk_X509_free(chain);
	toy_pki_free(&pki);
	arena_free(a);
	return 0;
}

static void
start(enum coap_toy_trick trick)
{
	coap_toy_start(&toy, &pki.ra, pki.domain.cert, echo, NULL);
	toy.trick = trick;
}

static int64_t idle_us;

static mst_err
open_with(unsigned fragment, unsigned block, struct coaps_client **out)
{
	struct coaps_options o = { .base = toy.base,
		.idle_us = idle_us,
		.cert = pki.idevid.cert,
		.key = pki.idevid.key,
		.chain = chain,
		.fragment = fragment,
		.block = block };

	return coaps_open(&o, clock_mono_us() + SECONDS(20), out);
}

static struct coaps_client *
opened(void)
{
	struct coaps_client *c = NULL;

	assert_int_equal(open_with(1024, 256, &c), MST_OK);
	return c;
}

static mst_span
bytes(size_t n)
{
	static uint8_t all[LIMIT];

	for (size_t i = 0; i < n; i++)
		all[i] = (uint8_t)(i * 11 + n);
	return mst_span_of(all, n);
}

static const struct coaps_patience *
patience(void)
{
	static struct coaps_patience p;

	p = (struct coaps_patience){ SECONDS(20), clock_mono_us() + SECONDS(20) };
	return &p;
}

static mst_err
post(struct coaps_client *c, const char *path, mst_span body, struct coaps_answer *out)
{
	struct coaps_request r = { true, path, 60, 62, body };

	return coaps_exchange(c, a, &r, patience(), LIMIT, out);
}

static mst_err
get(struct coaps_client *c, const char *path, size_t limit, struct coaps_answer *out)
{
	struct coaps_request r = { false, path, -1, -1, MST_NONE };

	return coaps_exchange(c, a, &r, patience(), limit, out);
}

/* ---- the association ---- */

static void
association(void **state)
{
	struct coaps_client *c;
	struct mst_chain shown;
	X509 *ee;

	(void)state;
	start(COAP_TOY_PLAIN);
	c = opened();
	shown = coaps_chain(c);
	assert_int_equal(shown.count, 2);
	ee = d2i_X509(NULL, &(const uint8_t *){ shown.cert[0].ptr }, (long)shown.cert[0].len);
	assert_int_equal(X509_cmp(ee, pki.ra.cert), 0);
	X509_free(ee);
	assert_string_equal(coaps_cipher(c), "ECDHE-ECDSA-AES128-CCM8");
	coaps_close(c);
	coap_toy_stop(&toy);
	assert_int_equal(toy.certs, 2); /* the whole chain, not the leaf alone */
	assert_int_equal(toy.sni, 0);
	assert_int_equal(toy.fragment, TLSEXT_max_fragment_length_1024);
}

static void
small_fragments(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_PLAIN);
	assert_int_equal(open_with(512, 256, &c), MST_OK);
	assert_int_equal(post(c, "echo", bytes(2000), &an), MST_OK);
	assert_true(mst_span_eq(an.body, bytes(2000)));
	coaps_close(c);
	coap_toy_stop(&toy);
	assert_int_equal(toy.fragment, TLSEXT_max_fragment_length_512);
	assert_true(toy.largest <= 512);
}

static void
options_are_judged(void **state)
{
	static const unsigned bad[][2] = { { 512, 512 }, { 1024, 1024 }, { 1024, 200 },
		{ 2048, 256 }, { 1024, 8 }, { 1024, 0 }, { 256, 64 } };
	struct coaps_client *c;

	(void)state;
	start(COAP_TOY_PLAIN);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(open_with(bad[i][0], bad[i][1], &c), MST_E_USAGE);
	coap_toy_stop(&toy);
}

static void
no_common_cipher(void **state)
{
	struct coaps_client *c;

	(void)state;
	start(COAP_TOY_PLAIN);
	toy.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
	assert_int_equal(open_with(1024, 256, &c), MST_E_TLS);
	coap_toy_stop(&toy);
}

static void
nobody_there(void **state)
{
	struct coaps_client *c;

	(void)state;
	start(COAP_TOY_PLAIN);
	coap_toy_stop(&toy);
	assert_int_equal(open_with(1024, 256, &c), MST_E_UNREACHABLE);
}

/* A port that takes everything and says nothing. */
static void
silent_port(void **state)
{
	struct coaps_options o = { .base = toy.base,
		.cert = pki.idevid.cert,
		.key = pki.idevid.key,
		.fragment = 1024,
		.block = 256 };
	struct coaps_client *c;

	(void)state;
	start(COAP_TOY_PLAIN);
	toy.stop = true;
	pthread_join(toy.thread, NULL);
	assert_int_equal(coaps_open(&o, clock_mono_us() + 300000, &c), MST_E_TIMEOUT);
	close(toy.fd);
}

/* ---- messages ---- */

static void
sizes(void **state)
{
	static const size_t n[] = { 0, 1, 255, 256, 257, 511, 512, 513, 1024, 4000, 16000 };
	struct coaps_client *c;

	(void)state;
	start(COAP_TOY_PLAIN);
	c = opened();
	for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) {
		struct coaps_answer an;

		arena_reset(a);
		assert_int_equal(post(c, "echo", bytes(n[i]), &an), MST_OK);
		assert_int_equal(an.code, 204);
		assert_int_equal(an.content_format, 62);
		assert_true(mst_span_eq(an.body, bytes(n[i])));
	}
	coaps_close(c);
	coap_toy_stop(&toy);
	assert_true(toy.largest <= 256 + 64);
	assert_int_equal(toy.served, (int)(sizeof n / sizeof n[0]));
}

static void
codes_and_ages(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_PLAIN);
	c = opened();
	assert_int_equal(get(c, "refused", LIMIT, &an), MST_OK);
	assert_int_equal(an.code, 403);
	assert_int_equal(an.max_age, -1);
	assert_true(mst_span_eq(an.body, MST_LIT("not you")));
	assert_int_equal(get(c, "later", LIMIT, &an), MST_OK);
	assert_int_equal(an.code, 503);
	assert_int_equal(an.max_age, 70000);
	assert_non_null(an.body.ptr);
	assert_int_equal(post(c, "format", bytes(600), &an), MST_OK);
	assert_true(mst_span_eq(an.body, MST_LIT("60")));
	coaps_close(c);
	coap_toy_stop(&toy);
}

/* Whatever way the answer comes, it is the answer, and served once. */
static const enum coap_toy_trick ways[] = { COAP_TOY_PLAIN, COAP_TOY_SEPARATE, COAP_TOY_TWICE,
	COAP_TOY_SEPARATE_FIRST, COAP_TOY_NON, COAP_TOY_GARBAGE, COAP_TOY_STRANGER, COAP_TOY_PING };

static void
way(void **state)
{
	enum coap_toy_trick trick = *(const enum coap_toy_trick *)*state;
	struct coaps_client *c;
	struct coaps_answer an;

	start(trick);
	c = opened();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(c, "big", LIMIT, &an), MST_OK);
		assert_int_equal(an.body.len, 3000);
		assert_int_equal(an.body.ptr[2999], (uint8_t)(2999 * 7));
		assert_int_equal(post(c, "echo", bytes(700), &an), MST_OK);
		assert_true(mst_span_eq(an.body, bytes(700)));
	}
	coaps_close(c);
	coap_toy_stop(&toy);
	assert_int_equal(toy.served, 4);
	if (trick == COAP_TOY_SEPARATE || trick == COAP_TOY_TWICE)
		assert_true(toy.acks >= 4);
	if (trick == COAP_TOY_PING)
		assert_true(toy.resets >= 8);
}

/* Lost messages come again with the same identity; the server sees one request. */
static void
lost_messages(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_PLAIN);
	c = opened();
	toy.drop = 1;
	assert_int_equal(post(c, "echo", bytes(300), &an), MST_OK);
	assert_true(mst_span_eq(an.body, bytes(300)));
	assert_int_equal(
	    an.messages, 3 + 2 + 2); /* lost, again, its ACK; the second block; the answer's */
	coaps_close(c);
	coap_toy_stop(&toy);
	assert_int_equal(toy.served, 1);
}

static const struct bad {
	const char *name;
	enum coap_toy_trick trick;
	const char *path;
	size_t body;
	mst_err want;
} bads[] = {
	{ "7252-4.2 reset", COAP_TOY_RESET, "echo", 10, MST_E_UNREACHABLE },
	{ "close_notify", COAP_TOY_HANGS_UP, "echo", 10, MST_E_UNREACHABLE },
	{ "7252-5.4.1 critical option", COAP_TOY_CRITICAL, "echo", 10, MST_E_HTTP_MALFORMED },
	{ "7959-2.4 a block left out", COAP_TOY_GAP, "big", 0, MST_E_HTTP_MALFORMED },
	{ "7959-2.4 a block cut short", COAP_TOY_SHORT, "big", 0, MST_E_HTTP_MALFORMED },
	{ "7959-2.4 another ETag", COAP_TOY_ETAG, "big", 0, MST_E_HTTP_MALFORMED },
	{ "7959-2.4 another format", COAP_TOY_FORMAT, "big", 300, MST_E_HTTP_MALFORMED },
	{ "7959-2.4 broken off", COAP_TOY_BREAKS, "big", 0, MST_E_HTTP_MALFORMED },
	{ "7959-2.4 an answer without end", COAP_TOY_ENDLESS, "big", 0, MST_E_HTTP_BODY_LIMIT },
	{ "7959-2.5 continue, but another block", COAP_TOY_WRONG_CONTINUE, "echo", 700,
	    MST_E_HTTP_MALFORMED },
	{ "7959-2.5 continue after the last", COAP_TOY_ALWAYS_CONTINUE, "echo", 700,
	    MST_E_HTTP_MALFORMED },
};

static void
bad(void **state)
{
	const struct bad *b = *state;
	struct coaps_client *c;
	struct coaps_answer an;

	start(b->trick);
	c = opened();
	assert_int_equal(post(c, b->path, bytes(b->body), &an), b->want);
	assert_true(coaps_why()[0] != '\0');
	coaps_close(c);
	coap_toy_stop(&toy);
}

static void
silence(void **state)
{
	struct coaps_request r = { false, "echo", -1, -1, MST_NONE };
	struct coaps_patience p[] = { { 200000, clock_mono_us() + SECONDS(60) },
		{ SECONDS(60), clock_mono_us() + SECONDS(2) } };
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_SILENT);
	c = opened();
	assert_int_equal(coaps_exchange(c, a, &r, &p[0], LIMIT, &an), MST_E_TIMEOUT);
	assert_int_equal(coaps_exchange(c, a, &r, &p[1], LIMIT, &an), MST_E_TIMEOUT);
	coaps_close(c);
	coap_toy_stop(&toy);
}

/* RFC 8995 5.1: progress is what counts, but not for ever (TLS-9). */
static void
slow_but_moving(void **state)
{
	struct coaps_request r = { false, "big", -1, -1, MST_NONE };
	struct coaps_patience p = { SECONDS(3), clock_mono_us() + SECONDS(30) };
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_SLOW);
	toy.szx = 2; /* 47 pieces, 100 ms each */
	c = opened();
	assert_int_equal(coaps_exchange(c, a, &r, &p, LIMIT, &an), MST_OK);
	assert_int_equal(an.body.len, 3000);
	p.end_us = clock_mono_us() + 500000;
	assert_int_equal(coaps_exchange(c, a, &r, &p, LIMIT, &an), MST_E_TIMEOUT);
	coaps_close(c);
	coap_toy_stop(&toy);
}

/* cJP 4.3: a proxy may have forgotten what was idle; a ping asks. */
static void
idle_association(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_PLAIN);
	idle_us = 1;
	c = opened();
	idle_us = 0;
	assert_int_equal(post(c, "echo", bytes(300), &an), MST_OK);
	assert_true(mst_span_eq(an.body, bytes(300)));
	toy.trick = COAP_TOY_NO_PONG;
	assert_int_equal(post(c, "echo", bytes(300), &an), MST_E_UNREACHABLE);
	coaps_close(c);
	c = opened();
	assert_int_equal(post(c, "echo", bytes(300), &an), MST_OK); /* not idle: not asked */
	coaps_close(c);
	coap_toy_stop(&toy);
	assert_int_equal(toy.pings, 3);
	assert_int_equal(toy.served, 2);
}

/* From offset on: what is there, piece by piece. */
static size_t
collect(struct coaps_client *c, size_t offset, uint8_t *out)
{
	struct coaps_piece piece = { .more = true };

	while (piece.more) {
		assert_int_equal(coaps_piece_get(c, "big", offset, patience(), &piece), MST_OK);
		assert_int_equal(piece.code, 205);
		assert_int_equal(piece.etag_len, 1);
		memcpy(out + offset, piece.body.ptr, piece.body.len);
		offset += piece.body.len;
	}
	return offset;
}

/* Something large is taken up where it broke off, on another association too. */
static void
pieces(void **state)
{
	uint8_t got[4096] = { 0 };
	struct coaps_piece piece;
	struct coaps_client *c;

	(void)state;
	start(COAP_TOY_PLAIN);
	c = opened();
	assert_int_equal(coaps_piece_size(c), 256);
	assert_int_equal(collect(c, 0, got), 3000);
	coaps_close(c);
	memset(got + 1536, 0, sizeof got - 1536);
	toy.szx = 2; /* this server wants them smaller */
	c = opened();
	assert_int_equal(collect(c, 1536, got), 3000);
	assert_int_equal(coaps_piece_size(c), 64);
	for (size_t i = 0; i < 3000; i++)
		assert_int_equal(got[i], (uint8_t)(i * 7));
	assert_int_equal(coaps_piece_get(c, "big", 65, patience(), &piece), MST_E_USAGE);
	assert_int_equal(
	    coaps_piece_get(c, "big", UINT64_C(64) << 20, patience(), &piece), MST_E_USAGE);
	assert_int_equal(coaps_piece_get(c, "refused", 0, patience(), &piece), MST_OK);
	assert_int_equal(piece.code, 403);
	assert_false(piece.more);
	coaps_close(c);
	coap_toy_stop(&toy);
}

/* RFC 7959 2.4: another piece than the one that was asked for, or one cut short. */
static void
pieces_that_do_not_follow(void **state)
{
	static const enum coap_toy_trick tricks[] = { COAP_TOY_GAP, COAP_TOY_SHORT };
	struct coaps_piece piece;
	struct coaps_client *c;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		start(tricks[i]);
		c = opened();
		assert_int_equal(
		    coaps_piece_get(c, "big", 256, patience(), &piece), MST_E_HTTP_MALFORMED);
		coaps_close(c);
		coap_toy_stop(&toy);
	}
}

static void
limits(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_PLAIN);
	c = opened();
	assert_int_equal(get(c, "big", 3000, &an), MST_OK);
	assert_int_equal(get(c, "big", 2999, &an), MST_E_HTTP_BODY_LIMIT);
	assert_int_equal(get(c, "refused", 7, &an), MST_OK);
	assert_int_equal(get(c, "refused", 6, &an), MST_E_HTTP_BODY_LIMIT);
	coaps_close(c);
	coap_toy_stop(&toy);
}

/* CO-4: the server's smaller blocks, said early, late, or by 4.13. */
static void
smaller_blocks(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	for (int i = 0; i < 2; i++) {
		start(i == 0 ? COAP_TOY_PLAIN : COAP_TOY_TOO_LARGE);
		toy.szx = 2;
		c = opened();
		assert_int_equal(post(c, "echo", bytes(1000), &an), MST_OK);
		assert_true(mst_span_eq(an.body, bytes(1000)));
		assert_int_equal(get(c, "big", LIMIT, &an), MST_OK);
		assert_int_equal(an.body.len, 3000);
		coaps_close(c);
		coap_toy_stop(&toy);
	}
}

static void
large_blocks(void **state)
{
	struct coaps_client *c;
	struct coaps_answer an;

	(void)state;
	start(COAP_TOY_PLAIN);
	assert_int_equal(open_with(1024, 512, &c), MST_OK);
	assert_int_equal(post(c, "echo", bytes(1025), &an), MST_OK);
	assert_true(mst_span_eq(an.body, bytes(1025)));
	assert_int_equal(an.messages, 3 * 2 + 2 * 2);
	coaps_close(c);
	coap_toy_stop(&toy);
}

/* ---- the codec, byte by byte ---- */

static void
request_bytes(void **state)
{
	/* brski.md 24, but for our two-byte token and message id */
	static const uint8_t want[] = "\x42\x02\x12\x34\xab\xcd\xbb.well-known\x05"
	                              "brski\x02"
	                              "rv\x12\x03\x44\x52\x03\x44\xff"
	                              "pvr";
	struct coap_ask q = { .mid = 0x1234,
		.token = { 0xab, 0xcd },
		.method = COAP_METHOD_POST,
		.path = ".well-known/brski/rv",
		.content_format = 836,
		.accept = 836,
		.payload = MST_LIT("pvr") };
	uint8_t room[64];
	struct mst_buf out = MST_BUF(room), small = { room, 20, 0 };

	(void)state;
	assert_int_equal(coap_ask_build(&q, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), mst_span_of(want, sizeof want - 1)));
	assert_int_equal(coap_ask_build(&q, &small), MST_E_SPACE);
}

static void
answer_bytes(void **state)
{
	/* ACK 2.04, ETag, format 836, Max-Age 60, Block2 1/more/256, Block1 5/last/256 */
	static const uint8_t good[] = "\x62\x44\x12\x34\xab\xcd\x42\x01\x02\x82\x03\x44\x21\x3c"
	                              "\x91\x1c\x41\x54\xff!";
	struct coap_told t;

	(void)state;
	assert_int_equal(coap_told_parse(mst_span_of(good, sizeof good - 1), &t), MST_OK);
	assert_int_equal(t.kind, MST_COAP_ACK);
	assert_int_equal(t.code, 204);
	assert_int_equal(t.mid, 0x1234);
	assert_true(mst_span_eq(t.token, MST_LIT("\xab\xcd")));
	assert_true(mst_span_eq(t.etag, MST_LIT("\x01\x02")));
	assert_int_equal(t.content_format, 836);
	assert_int_equal(t.max_age, 60);
	assert_true(t.block2.there && t.block2.more && t.block2.num == 1 && t.block2.szx == 4);
	assert_true(t.block1.there && !t.block1.more && t.block1.num == 5 && t.block1.szx == 4);
	assert_true(mst_span_eq(t.payload, MST_LIT("!")));
	assert_false(t.refused);
	/* cut anywhere it is no message, or one with less in it */
	for (size_t n = 0; n < sizeof good - 1; n++) {
		uint8_t *copy = malloc(n + 1);
		mst_err e;

		memcpy(copy, good, n);
		e = coap_told_parse(mst_span_of(copy, n), &t);
		assert_true(e == MST_E_HTTP_MALFORMED || (e == MST_OK && t.payload.len == 0));
		free(copy);
	}
}

static const struct malformed {
	const char *name, *bytes;
	size_t len;
	bool refused; /* well-formed, but with an option that must be understood */
} malformed[] = {
#define M(name, text, refused)                                                                     \
	{                                                                                          \
		name, text, sizeof(text) - 1, refused                                              \
	}
	M("version 0", "\x22\x44\x12\x34\xab\xcd", false),
	M("token of nine bytes", "\x69\x44\x12\x34\x01\x02\x03\x04\x05\x06\x07\x08\x09", false),
	M("empty with a token", "\x62\x00\x12\x34\xab\xcd", false),
	M("empty with a payload", "\x60\x00\x12\x34\xff!", false),
	M("marker and nothing", "\x60\x44\x12\x34\xff", false),
	M("reserved delta 15", "\x60\x44\x12\x34\xf0", false),
	M("reserved length 15", "\x60\x44\x12\x34\x0f", false),
	M("option number above 65535", "\x60\x44\x12\x34\xe0\xff\xff", false),
	M("unknown critical option", "\x60\x44\x12\x34\x90", true),
	M("block size 7", "\x60\x44\x12\x34\xd1\x0a\x07", true),
	M("block of four bytes", "\x60\x44\x12\x34\xd4\x0a\x01\x02\x03\x04", true),
	M("block twice", "\x60\x44\x12\x34\xd1\x0a\x04\x01\x14", true),
};

static void
malformed_row(void **state)
{
	const struct malformed *m = *state;
	struct coap_told t;
	mst_err e = coap_told_parse(mst_span_of(m->bytes, m->len), &t);

	assert_int_equal(e, m->refused ? MST_OK : MST_E_HTTP_MALFORMED);
	if (m->refused)
		assert_true(t.refused);
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int
main(void)
{
	static const char *const way_names[] = { "piggybacked", "separate", "separate, twice",
		"separate before the ACK", "NON", "behind garbage", "behind another token",
		"behind a ping and a request" };
	static const struct CMUnitTest fixed[] = {
		{ "13.2 cipher, whole chain, no SNI, 2^10", association, NULL, NULL, NULL },
		{ "13.2 2^9", small_fragments, NULL, NULL, NULL },
		{ "CO-4 sizes that do not go together", options_are_judged, NULL, NULL, NULL },
		{ "13.2 no common cipher suite", no_common_cipher, NULL, NULL, NULL },
		{ "nobody there", nobody_there, NULL, NULL, NULL },
		{ "silent port", silent_port, NULL, NULL, NULL },
		{ "CO-4 bodies of all sizes both ways", sizes, NULL, NULL, NULL },
		{ "CO-3 codes and Max-Age", codes_and_ages, NULL, NULL, NULL },
		{ "7252-4.2 a lost message", lost_messages, NULL, NULL, NULL },
		{ "7252-4.2 silence", silence, NULL, NULL, NULL },
		{ "5.1 slow, but moving", slow_but_moving, NULL, NULL, NULL },
		{ "4.3 cJP: an idle association is asked first", idle_association, NULL, NULL,
		    NULL },
		{ "7959-2.4 pieces, taken up where they broke off", pieces, NULL, NULL, NULL },
		{ "7959-2.4 pieces that do not follow", pieces_that_do_not_follow, NULL, NULL,
		    NULL },
		{ "M5 limits are exact", limits, NULL, NULL, NULL },
		{ "7959-2.4 2.5 smaller blocks", smaller_blocks, NULL, NULL, NULL },
		{ "CO-4 blocks of 512", large_blocks, NULL, NULL, NULL },
		{ "24 a request's bytes", request_bytes, NULL, NULL, NULL },
		{ "7252-3 an answer's bytes, and each prefix", answer_bytes, NULL, NULL, NULL },
	};
	static struct CMUnitTest tests[COUNT(fixed) + COUNT(ways) + COUNT(bads) + COUNT(malformed)];
	static char names[COUNT(ways) + COUNT(malformed)][80];
	size_t n = COUNT(fixed), k = 0;

	memcpy(tests, fixed, sizeof fixed);
	for (size_t i = 0; i < COUNT(ways); i++, n++, k++) {
		(void)snprintf(names[k], sizeof names[k], "CO-6 an answer comes %s", way_names[i]);
		tests[n] =
		    (struct CMUnitTest){ names[k], way, NULL, NULL, (void *)(uintptr_t)&ways[i] };
	}
	for (size_t i = 0; i < COUNT(bads); i++, n++)
		tests[n] = (struct CMUnitTest){ bads[i].name, bad, NULL, NULL,
			(void *)(uintptr_t)&bads[i] };
	for (size_t i = 0; i < COUNT(malformed); i++, n++, k++) {
		(void)snprintf(names[k], sizeof names[k], "7252-3 %s", malformed[i].name);
		tests[n] = (struct CMUnitTest){ names[k], malformed_row, NULL, NULL,
			(void *)(uintptr_t)&malformed[i] };
	}
	return cmocka_run_group_tests_name("agent/coaps", tests, setup, teardown);
}

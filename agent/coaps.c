/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message layer of a CoAP client (RFC 7252 4) and the pieces of larger
 * bodies (RFC 7959), above an association of coaps_dtls.h.
 */
#include "agent/coaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "agent/coap_codec.h"
#include "agent/coaps_dtls.h"
#include "host/clock.h"

/* RFC 7252 4.8; the first time-out is that of ACK_TIMEOUT times 1 to ACK_RANDOM_FACTOR. */
#define ACK_TIMEOUT_US 2000000
#define ACK_RANDOM_US 1000000
#define MAX_RETRANSMIT 4
#define OPTIONS_ROOM 128
#define IDLE_US 25000000
#define PINGS 2
#define COAPS_PIECES_MAX 0xfffff /* RFC 7959 2.2: NUM has 20 bits */

struct coaps_client {
	struct coaps_dtls dtls;
	unsigned szx; /* of our pieces, and of those that are asked for */
	uint16_t mid, token; /* the next ones */
	uint8_t now_token[COAP_TOKEN_LEN], last_token[COAP_TOKEN_LEN]; /* and of the one before */
	uint8_t pdu[COAPS_BLOCK_MAX + OPTIONS_ROOM]; /* the request under way, for retransmission */
	size_t pdu_len;
	uint8_t room[COAPS_DATAGRAM]; /* the latest message: what was told points into it */
	unsigned messages;
	size_t bytes;
	int64_t idle_us, heard_us; /* clock_mono_us() of the latest message */
};

static _Thread_local char why[320];

const char *
coaps_why(void)
{
	return why;
}

mst_err
coaps_fail(mst_err e, const char *words)
{
	snprintf(why, sizeof why, "%s", words);
	return e;
}

/* ---- opening ---- */

/* A power of two of 16 to 512, so that a message with its options fits a record. */
static bool
szx_of(const struct coaps_options *o, unsigned *szx)
{
	if (o->fragment != 512 && o->fragment != 1024)
		return false;
	for (*szx = 0; mst_coap_block_size(*szx) < o->block;)
		++*szx;
	return mst_coap_block_size(*szx) == o->block && o->block <= COAPS_BLOCK_MAX &&
	       o->block + OPTIONS_ROOM <= o->fragment;
}

mst_err
coaps_open(const struct coaps_options *o, int64_t end_us, struct coaps_client **out)
{
	struct coaps_client *c;
	unsigned szx;
	mst_err e;

	if (!szx_of(o, &szx) || o->cert == NULL || o->key == NULL)
		return coaps_fail(MST_E_USAGE, "block or fragment size, or no certificate");
	if ((c = calloc(1, sizeof *c)) == NULL)
		return coaps_fail(MST_E_NOMEM, "out of memory");
	c->szx = szx;
	c->idle_us = o->idle_us > 0 ? o->idle_us : IDLE_US;
	if (RAND_bytes((uint8_t *)&c->mid, sizeof c->mid) != 1 ||
	    RAND_bytes((uint8_t *)&c->token, sizeof c->token) != 1)
		e = coaps_fail(MST_E_RANDOM, "no random numbers");
	else
		e = coaps_dtls_open(&c->dtls, o, end_us);
	if (e != MST_OK) {
		free(c);
		return e;
	}
	c->heard_us = clock_mono_us();
	*out = c;
	return MST_OK;
}

void
coaps_close(struct coaps_client *c)
{
	if (c == NULL)
		return;
	coaps_dtls_close(&c->dtls);
	free(c);
}

struct mst_chain
coaps_chain(const struct coaps_client *c)
{
	return c->dtls.chain;
}

const char *
coaps_cipher(const struct coaps_client *c)
{
	return SSL_get_cipher_name(c->dtls.ssl);
}

/* ---- one message and its answer ---- */

static mst_err
send_message(struct coaps_client *c, mst_span message)
{
	c->messages++;
	c->bytes += message.len;
	return coaps_dtls_send(&c->dtls, message);
}

static mst_err
send_empty(struct coaps_client *c, enum mst_coap_type kind, uint16_t mid)
{
	uint8_t bytes[4];
	struct mst_buf out = MST_BUF(bytes);
	mst_err e = coap_empty_build(kind, mid, &out);

	return e == MST_OK ? send_message(c, mst_buf_span(&out)) : e;
}

/* RFC 7252 4.2: what of ours is under way. */
struct waiting {
	const struct coap_ask *q;
	bool acked; /* it has arrived; the answer comes separately */
	unsigned tries;
	int64_t next_us, rto_us;
};

static bool
is_token(mst_span token, const uint8_t ours[COAP_TOKEN_LEN])
{
	return mst_span_eq(token, mst_span_of(ours, COAP_TOKEN_LEN));
}

/* What a message is to us: *answered when it is the answer. */
static mst_err
on_message(struct coaps_client *c, struct waiting *w, const struct coap_told *t, bool *answered)
{
	bool response = t->code >= 200, ours = response && is_token(t->token, w->q->token);
	mst_err e = MST_OK;

	switch (t->kind) {
	case MST_COAP_RST:
		if (t->mid == w->q->mid)
			return coaps_fail(MST_E_UNREACHABLE, "the server has reset the request");
		return MST_OK;
	case MST_COAP_ACK:
		if (t->mid != w->q->mid)
			return MST_OK; /* of an earlier transmission */
		w->acked = true;
		break;
	case MST_COAP_CON:
		/* 5.2.2: a separate answer; also when it comes again because our ACK was lost */
		if (ours && !t->refused)
			e = send_empty(c, MST_COAP_ACK, t->mid);
		else if (response && is_token(t->token, c->last_token))
			e = send_empty(c, MST_COAP_ACK, t->mid);
		else
			e = send_empty(c, MST_COAP_RST, t->mid);
		break;
	case MST_COAP_NON: break;
	}
	if (e == MST_OK && ours && t->refused)
		return coaps_fail(MST_E_HTTP_MALFORMED, "a critical option that is not understood");
	*answered = ours;
	return e;
}

/* Sends it the first time, or once more when its time has come. */
static mst_err
transmit(struct coaps_client *c, struct waiting *w)
{
	if (w->acked || clock_mono_us() < w->next_us)
		return MST_OK;
	if (w->tries++ > MAX_RETRANSMIT)
		return coaps_fail(MST_E_UNREACHABLE, "no answer to any of five transmissions");
	w->next_us = clock_mono_us() + w->rto_us;
	w->rto_us *= 2;
	return send_message(c, mst_span_of(c->pdu, c->pdu_len));
}

static mst_err
first_timeout(int64_t *rto_us)
{
	uint32_t r;

	if (RAND_bytes((uint8_t *)&r, sizeof r) != 1)
		return coaps_fail(MST_E_RANDOM, "no random numbers");
	*rto_us = ACK_TIMEOUT_US + (int64_t)(r % ACK_RANDOM_US);
	return MST_OK;
}

/* Waits for one message until then, if it comes: *t is what it says. MST_E_TIMEOUT. */
static mst_err
hear(struct coaps_client *c, int64_t until, struct coap_told *t)
{
	mst_span message;
	mst_err e;

	do {
		/* RFC 8995 5.1: whoever never stops talking is left in time, too. */
		if (clock_mono_us() >= until)
			return MST_E_TIMEOUT;
		e = coaps_dtls_receive(&c->dtls, until, c->room, &message);
		if (e != MST_OK)
			return e;
		c->messages++;
		c->bytes += message.len;
		c->heard_us = clock_mono_us();
	} while (coap_told_parse(message, t) != MST_OK); /* 4.2, 4.3: ignored */
	return MST_OK;
}

/* One confirmable request, its retransmissions, and its answer: *t points into c->room. */
static mst_err
talk(struct coaps_client *c, struct coap_ask *q, int64_t end_us, struct coap_told *t)
{
	struct mst_buf out = { c->pdu, sizeof c->pdu, 0 };
	struct waiting w = { .q = q };
	bool answered = false;
	mst_err e;

	memcpy(c->last_token, c->now_token, COAP_TOKEN_LEN);
	c->now_token[0] = (uint8_t)(c->token >> 8);
	c->now_token[1] = (uint8_t)c->token++;
	memcpy(q->token, c->now_token, COAP_TOKEN_LEN);
	q->mid = c->mid++;
	if ((e = coap_ask_build(q, &out)) != MST_OK)
		return coaps_fail(e, "the request does not fit a message");
	c->pdu_len = out.len;
	e = first_timeout(&w.rto_us);
	while (e == MST_OK && !answered) {
		int64_t until;

		if (clock_mono_us() >= end_us)
			return coaps_fail(MST_E_TIMEOUT, "no answer in time");
		if ((e = transmit(c, &w)) != MST_OK)
			return e;
		until = w.acked || w.next_us > end_us ? end_us : w.next_us;
		e = hear(c, until, t);
		if (e == MST_OK)
			e = on_message(c, &w, t, &answered);
		else if (e == MST_E_TIMEOUT)
			e = MST_OK;
	}
	return e;
}

/* Is anybody still at the other end? */
static mst_err
ping(struct coaps_client *c, int64_t end_us)
{
	for (int i = 0; i < PINGS; i++) {
		uint16_t mid = c->mid++;
		int64_t rto, until;
		struct coap_told t;
		mst_err e;

		if ((e = first_timeout(&rto)) != MST_OK ||
		    (e = send_empty(c, MST_COAP_CON, mid)) != MST_OK)
			return e;
		until = clock_mono_us() + rto;
		until = until < end_us ? until : end_us;
		while ((e = hear(c, until, &t)) == MST_OK)
			if (t.mid == mid && (t.kind == MST_COAP_RST || t.kind == MST_COAP_ACK))
				return MST_OK;
		if (e != MST_E_TIMEOUT)
			return e;
	}
	return coaps_fail(MST_E_UNREACHABLE, "the association is no longer known over there");
}

/* ---- bodies in pieces ---- */

struct exchange {
	struct coaps_client *c;
	const struct coaps_request *r;
	const struct coaps_patience *patience;
	struct coap_ask q;
	struct coap_told t;
};

static void
ask_again(struct exchange *x)
{
	x->q = (struct coap_ask){ .method = x->r->post ? COAP_METHOD_POST : COAP_METHOD_GET,
		.path = x->r->path,
		.content_format = -1,
		.accept = x->r->accept };
}

/* One message there and one back, within what patience is left. */
static mst_err
step(struct exchange *x)
{
	int64_t now = clock_mono_us(), end = x->patience->end_us;

	if (x->patience->stall_us < end - now)
		end = now + x->patience->stall_us;
	return talk(x->c, &x->q, end, &x->t);
}

static mst_err
out_of_order(void)
{
	return coaps_fail(MST_E_HTTP_MALFORMED, "blocks that do not follow each other");
}

/*
 * RFC 7959 2.3, 2.5: the body in pieces of which each is acknowledged; the
 * server may want them smaller. x->t is then the answer to the last one, or
 * what ended it before.
 */
static mst_err
upload(struct exchange *x)
{
	mst_span body = x->r->body;
	bool pieces = body.len > mst_coap_block_size(x->c->szx);
	size_t offset = 0;
	mst_err e;

	for (;;) {
		unsigned szx = x->c->szx;
		size_t left = body.len - offset, size = mst_coap_block_size(szx);
		bool more = left > size;

		ask_again(x);
		if (body.len > 0)
			x->q.content_format = x->r->content_format;
		if (pieces)
			x->q.block1 =
			    (struct mst_coap_block){ true, more, szx, (uint32_t)(offset / size) };
		if (!more) /* 2.4: how large the pieces of the answer may be */
			x->q.block2 = (struct mst_coap_block){ true, false, szx, 0 };
		x->q.payload = mst_span_of(
		    body.len > 0 ? body.ptr + offset : (const uint8_t *)"", more ? size : left);
		if ((e = step(x)) != MST_OK || !more)
			return e;
		if (x->t.code == COAP_CODE_TOO_LARGE && offset == 0 && x->t.block1.there &&
		    x->t.block1.szx < szx) {
			x->c->szx = x->t.block1.szx; /* 2.9.3: from the beginning, smaller */
			continue;
		}
		if (x->t.code != COAP_CODE_CONTINUE)
			return MST_OK;
		if (!x->t.block1.there || x->t.block1.num != x->q.block1.num)
			return out_of_order();
		if (x->t.block1.szx < szx)
			x->c->szx = x->t.block1.szx;
		offset += size;
	}
}

/* RFC 7959 2.4: the pieces of the answer, in order, each of the same thing. */
static mst_err
download(struct exchange *x, struct mst_buf *body, int code, int content_format)
{
	uint8_t etag[8];
	size_t etag_len = x->t.etag.ptr == NULL ? 0 : x->t.etag.len;
	mst_err e;

	if (etag_len > 0)
		memcpy(etag, x->t.etag.ptr, etag_len);
	for (;;) {
		const struct mst_coap_block *b = &x->t.block2;
		size_t size = mst_coap_block_size(b->szx);

		if ((size_t)b->num * size != body->len ||
		    (b->more ? x->t.payload.len != size : x->t.payload.len > size))
			return out_of_order();
		if (mst_buf_put(body, x->t.payload) != MST_OK)
			return coaps_fail(
			    MST_E_HTTP_BODY_LIMIT, "the answer is larger than its limit");
		if (!b->more)
			return MST_OK;
		ask_again(x);
		x->q.block2 =
		    (struct mst_coap_block){ true, false, b->szx, (uint32_t)(body->len / size) };
		if ((e = step(x)) != MST_OK)
			return e;
		if ((int)x->t.code != code)
			return coaps_fail(
			    MST_E_HTTP_MALFORMED, "the answer broke off between blocks");
		if (!x->t.block2.there || x->t.content_format != content_format ||
		    (etag_len > 0 && !mst_span_eq(x->t.etag, mst_span_of(etag, etag_len))))
			return out_of_order();
	}
}

mst_err
coaps_exchange(struct coaps_client *c, struct arena *a, const struct coaps_request *r,
    const struct coaps_patience *p, size_t limit, struct coaps_answer *out)
{
	struct exchange x = { .c = c, .r = r, .patience = p };
	struct coaps_answer answer;
	struct mst_buf body = { 0 };
	mst_err e;

	c->messages = 0;
	c->bytes = 0;
	if (clock_mono_us() - c->heard_us >= c->idle_us && (e = ping(c, p->end_us)) != MST_OK)
		return e;
	if ((e = upload(&x)) != MST_OK)
		return e;
	answer = (struct coaps_answer){
		.code = (int)x.t.code, .content_format = x.t.content_format, .max_age = x.t.max_age
	};
	if (x.t.code == COAP_CODE_CONTINUE)
		return out_of_order(); /* of a body that is complete */
	if (x.t.block2.there && x.t.code < 300) {
		body = arena_buf(a, limit);
		if (body.cap < limit)
			return coaps_fail(MST_E_NOMEM, "out of memory");
		if ((e = download(&x, &body, answer.code, answer.content_format)) != MST_OK)
			return e;
		answer.body = mst_buf_span(&body);
	} else {
		if (x.t.payload.len > limit)
			return coaps_fail(
			    MST_E_HTTP_BODY_LIMIT, "the answer is larger than its limit");
		answer.body = arena_dup(a, x.t.payload);
	}
	if (answer.body.ptr == NULL)
		return coaps_fail(MST_E_NOMEM, "out of memory");
	answer.messages = c->messages;
	answer.bytes = c->bytes;
	*out = answer;
	return MST_OK;
}

size_t
coaps_piece_size(const struct coaps_client *c)
{
	return mst_coap_block_size(c->szx);
}

mst_err
coaps_piece_get(struct coaps_client *c, const char *path, uint64_t offset,
    const struct coaps_patience *p, struct coaps_piece *out)
{
	const struct coaps_request r = { .path = path, .content_format = -1, .accept = -1 };
	struct exchange x = { .c = c, .r = &r, .patience = p };
	size_t size = mst_coap_block_size(c->szx);
	const struct mst_coap_block *b = &x.t.block2;
	struct coaps_piece piece;
	mst_err e;

	if (offset % size != 0 || offset / size > COAPS_PIECES_MAX)
		return coaps_fail(MST_E_USAGE, "not where a piece can begin");
	if (clock_mono_us() - c->heard_us >= c->idle_us && (e = ping(c, p->end_us)) != MST_OK)
		return e;
	ask_again(&x);
	x.q.block2 = (struct mst_coap_block){ true, false, c->szx, (uint32_t)(offset / size) };
	if ((e = step(&x)) != MST_OK)
		return e;
	piece = (struct coaps_piece){ .code = (int)x.t.code, .body = x.t.payload };
	if (x.t.code >= 200 && x.t.code < 300 && b->there) {
		size = mst_coap_block_size(b->szx);
		if ((uint64_t)b->num * size != offset || b->szx > c->szx ||
		    (b->more ? x.t.payload.len != size : x.t.payload.len > size))
			return out_of_order();
		c->szx = b->szx;
		piece.more = b->more;
	} else if (x.t.code < 300 && offset != 0) {
		return out_of_order(); /* the whole again */
	}
	if (x.t.etag.ptr != NULL && x.t.etag.len <= sizeof piece.etag) {
		memcpy(piece.etag, x.t.etag.ptr, x.t.etag.len);
		piece.etag_len = x.t.etag.len;
	}
	*out = piece;
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of net.h becomes one of CoAP: codes (CO-3), content-formats,
 * Max-Age, ETag, and pieces of what is longer than a block (RFC 7959 2.4).
 */
#include "server/net/coap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"

#define OVERHEAD 56 /* header, token, the options below, payload marker */

/* What goes out; numbers are -1 where the option is left out. */
struct reply {
	unsigned code;
	const uint8_t *etag; /* NULL: none */
	long format, max_age, size2, size1;
	struct mst_coap_block block1, block2;
	mst_span payload;
};

static void
put_reply(struct mst_coap_writer *w, void *arg)
{
	const struct reply *p = arg;

	if (p->etag != NULL)
		mst_coap_put_option(w, MST_COAP_ETAG, mst_span_of(p->etag, COAP_ETAG_MAX));
	if (p->format >= 0)
		mst_coap_put_uint(w, MST_COAP_CONTENT_FORMAT, (uint32_t)p->format);
	if (p->max_age >= 0)
		mst_coap_put_uint(w, MST_COAP_MAX_AGE, (uint32_t)p->max_age);
	if (p->block2.there)
		mst_coap_put_block(w, MST_COAP_BLOCK2, &p->block2);
	if (p->block1.there)
		mst_coap_put_block(w, MST_COAP_BLOCK1, &p->block1);
	if (p->size2 >= 0)
		mst_coap_put_uint(w, MST_COAP_SIZE2, (uint32_t)p->size2);
	if (p->size1 >= 0)
		mst_coap_put_uint(w, MST_COAP_SIZE1, (uint32_t)p->size1);
	mst_coap_put_payload(w, p->payload);
}

static struct reply
plain(unsigned code)
{
	return (
	    struct reply){ .code = code, .format = -1, .max_age = -1, .size2 = -1, .size1 = -1 };
}

static void
count(const struct coap_exchange *x, unsigned code)
{
	char labels[200];

	snprintf(labels, sizeof labels, "%s,method=\"%s\",code=\"%u.%02u\"",
	    x->session->coaps->ls->labels, x->get ? "GET" : "POST", code / 100, code % 100);
	metric_add("muster_coap_requests_total", labels, 1);
}

static void
deliver(struct coap_exchange *x, struct reply *p)
{
	count(x, p->code);
	coap_deliver(x, p->code, put_reply, p);
}

void
coap_continue(struct coap_exchange *x)
{
	struct reply p = plain(COAP_CONTINUE);

	p.block1 = x->block1;
	deliver(x, &p);
}

/* --- pieces --- */

void
coap_result_free(struct coap_result *r)
{
	if (r->body != NULL)
		mst_wipe(r->body, r->len); /* serverkeygen's has a private key in it */
	free(r->body);
	free(r->key);
	free(r);
}

static void
drop_key(struct coap_session *s, const char *key)
{
	struct coap_result **at = &s->results, *r;

	while ((r = *at) != NULL)
		if (strcmp(r->key, key) == 0) {
			*at = r->next;
			coap_result_free(r);
		} else {
			at = &r->next;
		}
}

static struct coap_result *
keep_result(struct coap_exchange *x, unsigned code, long format, mst_span body)
{
	struct coap_session *s = x->session;
	struct coap_result *r = calloc(1, sizeof *r), **at = &s->results;
	unsigned n = 1;

	if (r == NULL || (r->key = strdup(x->key)) == NULL ||
	    (r->body = malloc(body.len + 1)) == NULL) {
		if (r != NULL)
			coap_result_free(r);
		return NULL;
	}
	memcpy(r->body, body.ptr, body.len);
	r->len = body.len;
	r->code = code;
	r->format = format;
	r->at_ms = coap_now();
	drop_key(s, x->key);
	r->next = s->results;
	s->results = r;
	for (at = &r->next; *at != NULL && n < COAP_RESULTS; at = &(*at)->next)
		n++;
	while (*at != NULL) {
		struct coap_result *old = *at;

		*at = old->next;
		coap_result_free(old);
	}
	return r;
}

/* The largest block that fits the peer's records, and is no larger than it asked for. */
static unsigned
choose_szx(const struct coap_exchange *x)
{
	size_t room = x->session->dead ? 512 : dtls_room(x->session->dtls);
	unsigned szx = COAP_SZX_DEFAULT;

	if (x->block2.there)
		szx = x->block2.szx;
	else if (x->block1.there)
		szx = x->block1.szx; /* RFC 7959 3.3: one size for both ways */
	while (szx > 0 && mst_coap_block_size(szx) + OVERHEAD > room)
		szx--;
	return szx;
}

/* One piece, or all where it fits one. False: there is no such piece. */
static bool
cut(const struct coap_exchange *x, mst_span body, struct reply *p)
{
	unsigned szx = choose_szx(x);
	size_t size = mst_coap_block_size(szx), at = 0;

	if (x->block2.there) /* its number counts blocks of its own size */
		at = (size_t)x->block2.num * mst_coap_block_size(x->block2.szx);
	if (at > 0 && at >= body.len)
		return false;
	if (x->wants_size2)
		p->size2 = (long)body.len;
	p->payload = mst_span_of(body.ptr + at, body.len - at < size ? body.len - at : size);
	if (x->block2.there || body.len > size)
		p->block2 = (struct mst_coap_block){ .there = true,
			.more = at + p->payload.len < body.len,
			.szx = szx,
			.num = (uint32_t)(at / size) };
	return true;
}

static void
no_such_piece(struct coap_exchange *x)
{
	struct reply p = plain(400); /* RFC 7959 2.4 */

	coap_count(x->session->coaps, "block_beyond_end");
	p.payload = MST_LIT("MU-2030 there is no such block");
	deliver(x, &p);
}

bool
coap_follow(struct coap_exchange *x)
{
	struct coap_result *r = x->session->results;
	struct reply p;

	while (r != NULL && strcmp(r->key, x->key) != 0)
		r = r->next;
	if (r == NULL)
		return false;
	p = plain(r->code);
	p.format = r->format;
	p.etag = r->has_etag ? r->etag : NULL;
	r->at_ms = coap_now();
	if (cut(x, mst_span_of(r->body, r->len), &p))
		deliver(x, &p);
	else
		no_such_piece(x);
	return true;
}

/* --- answers --- */

/* CO-3; the names of CoAP's codes are HTTP's where both have them (RFC 7252 12.1.2, 8132, 8516). */
static unsigned
code_of(const struct coap_exchange *x, const struct answer *a)
{
	static const unsigned known[] = { 400, 401, 402, 403, 404, 405, 406, 408, 409, 412, 413,
		415, 422, 429, 500, 501, 502, 503, 504, 505 };
	unsigned code =
	    a->err != MST_OK ? (unsigned)mst_err_info(a->err)->coap : (unsigned)a->status;

	if (a->err == MST_OK && code / 100 == 2 && code != 202)
		return x->get ? COAP_CONTENT : COAP_CHANGED;
	if (code == 202)
		return 503;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i] == code)
			return code;
	return code / 100 == 4 ? 400 : 500;
}

/* RFC 7252 5.5.2: words for people, in one datagram, without a format. */
static void
answer_error(struct coap_exchange *x, const struct answer *a, unsigned code)
{
	struct reply p = plain(code);
	size_t most = mst_coap_block_size(choose_szx(x));

	p.payload = a->body;
	if (p.payload.len > 0 && p.payload.ptr[p.payload.len - 1] == '\n')
		p.payload.len--;
	if (p.payload.len > most)
		p.payload.len = most;
	p.max_age = a->wait;
	p.block1 = x->block1; /* RFC 7959 2.9.2, 2.9.3: which block it was */
	p.block1.more = false;
	if (code == 413) {
		p.size1 = x->session->coaps->limits.body_bytes;
		if (p.block1.there && p.block1.szx > COAP_SZX_DEFAULT)
			p.block1.szx = COAP_SZX_DEFAULT;
	}
	deliver(x, &p);
}

static bool
knows(const struct coap_exchange *x, const uint8_t etag[COAP_ETAG_MAX])
{
	for (size_t i = 0; i < 2; i++)
		if (x->etag_len[i] == COAP_ETAG_MAX &&
		    memcmp(x->etags[i], etag, COAP_ETAG_MAX) == 0)
			return true;
	return false;
}

/* The answer has a body of a format that the table gives this resource. */
static void
answer_body(struct coap_exchange *x, unsigned code, long format, mst_span body)
{
	struct reply p = plain(code);
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct coap_result *r;

	p.format = format;
	p.block1 = x->block1;
	p.block1.more = false;
	/*
	 * RFC 7959 2.4 wants an ETag of what GET returns while it changes. One in the
	 * answer to a POST would be about what a GET of the resource returns (RFC 7252
	 * 5.5.3, 5.10.6.1), and there is none; 7959 3.3 has none in its pieces either.
	 * They all come from the answer that is kept (est.md M2), and 2.4 lets an
	 * endpoint fetch one of a resource at a time.
	 */
	if (x->get) {
		if (EVP_Digest(body.ptr, body.len, digest, NULL, EVP_sha256(), NULL) == 1)
			p.etag = digest;
		if (p.etag != NULL && knows(x, digest)) { /* RFC 7252 5.6.2 */
			p.code = COAP_VALID;
			p.format = -1;
			deliver(x, &p);
			return;
		}
	}
	if (!cut(x, body, &p)) {
		no_such_piece(x);
		return;
	}
	if (p.payload.len < body.len && x->key != NULL) {
		r = keep_result(x, code, format, body);
		if (r != NULL && p.etag != NULL) {
			memcpy(r->etag, digest, sizeof r->etag);
			r->has_etag = true;
		}
	}
	deliver(x, &p);
}

static void
answer_good(struct coap_exchange *x, const struct answer *a, unsigned code)
{
	const struct coap_resource *res = x->resource;
	long format = coap_format_number(a->type);
	bool has_body = a->body.len > 0 && a->status != 204;
	struct reply p;

	if (has_body && (x->discovery || (res != NULL && coap_takes(res->response, format)))) {
		answer_body(x, code, format, a->body);
		return;
	}
	if (has_body && res != NULL && res->response[0] != COAP_NONE) {
		log_line(LOG_ERROR_, "%s: an answer of type %s to %s", coap_role(x),
		    a->type != NULL ? a->type : "none", res->name);
		code = 500;
	}
	p = plain(code);
	p.block1 = x->block1;
	p.block1.more = false;
	deliver(x, &p);
}

void
coap_answer(struct request *r, const struct answer *a)
{
	struct coap_exchange *x = r->exchange;
	struct coap_session *s = x->session;
	unsigned code = code_of(x, a);

	if (r->route != NULL)
		metric_observe("muster_http_request_seconds", r->route->labels,
		    (double)(clock_mono_us() - r->pub.started_us) / 1e6);
	coap_worked(x);
	if (s->dead) {
		request_free(r);
		if (s->working == 0)
			coap_session_free(s);
		return;
	}
	if (code >= 400)
		answer_error(x, a, code);
	else
		answer_good(x, a, code);
	request_free(r); /* after the body has gone out: it may lie in the request */
}

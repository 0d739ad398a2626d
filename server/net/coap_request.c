/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request of CoAP becomes one of net.h: options to path, types and body, or
 * a refusal that is the same for every role (brski.md 13.1, CO-4, CO-5).
 */
#include "server/net/coap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"

struct reading {
	struct coap_exchange *x;
	const struct coap_msg *m;
	struct coap_request q;
	char route[COAP_PATH_MAX + 32]; /* path over HTTP */
	mst_span body;
	const char *why;
};

static void
no_options(struct mst_coap_writer *w, void *arg)
{
	(void)w;
	(void)arg;
}

/* The request as handlers know it; NULL: answered already, for want of memory. */
static struct request *
make_request(struct reading *d)
{
	struct request *r = request_new_coap(d->x);
	struct coap_session *s = d->x->session;

	if (r == NULL) {
		coap_count(s->coaps, "memory");
		coap_deliver(d->x, 503, no_options, NULL);
		return NULL;
	}
	d->x->rq = r;
	s->working++;
	dtls_pin(s->dtls, 1);
	r->pub.method = d->m->code == COAP_GET    ? NET_GET
	                : d->m->code == COAP_POST ? NET_POST
	                                          : NET_OTHER;
	return r;
}

static void
refuse(struct reading *d, mst_err e)
{
	struct request *r = make_request(d);

	if (r == NULL)
		return;
	if (d->x->resource != NULL)
		r->allowed = 1U << d->x->resource->method;
	net_refuse(&r->pub, STEP_HTTP, e, d->why);
}

/* --- requests in pieces: RFC 7959 2.5 --- */

void
coap_assembly_drop(struct coap_session *s)
{
	struct coap_assembly *u = &s->up;

	s->coaps->assembled -= u->cap;
	free(u->key);
	free(u->bytes);
	memset(u, 0, sizeof *u);
}

/*
 * The largest of the others gives way, if it is larger than this one is to be:
 * whoever opens sessions with certificates of his own making and fills each
 * must not shut out the voucher-requests of all, which are small.
 */
static bool
make_room(struct coap_session *s, size_t cap)
{
	struct coap_session *largest = NULL;

	for (struct coap_session *o = s->coaps->sessions; o != NULL; o = o->next)
		if (o != s && o->up.cap > (largest != NULL ? largest->up.cap : cap))
			largest = o;
	if (largest == NULL)
		return false;
	coap_count(s->coaps, "block_gave_way");
	coap_assembly_drop(largest);
	return true;
}

static mst_err
grow(struct coap_session *s, size_t need)
{
	struct coap_assembly *u = &s->up;
	struct coaps *c = s->coaps;
	size_t most = (size_t)c->limits.body_bytes, cap = u->cap > 0 ? u->cap : 1024;
	uint8_t *bytes;

	while (cap < need)
		cap *= 2;
	cap = cap < most ? cap : most;
	if (cap <= u->cap)
		return MST_OK;
	while (c->assembled + cap - u->cap > (size_t)c->limits.body_total)
		if (!make_room(s, cap))
			return MST_E_HTTP_OVERLOAD;
	if ((bytes = realloc(u->bytes, cap)) == NULL)
		return MST_E_NOMEM;
	c->assembled += cap - u->cap;
	u->bytes = bytes;
	u->cap = cap;
	return MST_OK;
}

static mst_err
assembly_begin(struct reading *d)
{
	struct coap_session *s = d->x->session;

	coap_assembly_drop(s); /* whoever begins again has given up the former */
	if ((s->up.key = strdup(d->x->key)) == NULL)
		return MST_E_NOMEM;
	s->up.format = d->q.content_format;
	return MST_OK;
}

/* RFC 7959 2.3, 2.5: this block follows the one before, of the same request. */
static bool
continues(const struct reading *d, size_t offset, bool *again)
{
	const struct coap_assembly *u = &d->x->session->up;
	mst_span p = d->m->payload;

	if (u->key == NULL || strcmp(u->key, d->x->key) != 0 || u->format != d->q.content_format)
		return false;
	/* The last block once more, as a new message: its 2.31 was lost on the way. */
	*again = offset + p.len == u->len && p.len > 0 && offset < u->len &&
	         memcmp(u->bytes + offset, p.ptr, p.len) == 0;
	return *again || offset == u->len;
}

/* MST_OK: this block is in. Only the number limits it, so the product cannot overflow. */
static mst_err
assembly_add(struct reading *d)
{
	const struct mst_coap_block *b = &d->q.block1;
	struct coap_session *s = d->x->session;
	size_t size = mst_coap_block_size(b->szx), offset = b->num * size;
	mst_span p = d->m->payload;
	bool again = false;
	mst_err e;

	if (b->more ? p.len != size : p.len > size) {
		d->why = "a block that is not as long as it says";
		return MST_E_COAP_MALFORMED;
	}
	d->why = "the request in pieces";
	if (offset + p.len > (size_t)s->coaps->limits.body_bytes ||
	    d->q.size1 > s->coaps->limits.body_bytes)
		return MST_E_HTTP_BODY_LIMIT;
	if (b->num == 0 && (e = assembly_begin(d)) != MST_OK)
		return e;
	if (!continues(d, offset, &again)) {
		d->why = "a block that does not follow the one before";
		return MST_E_COAP_BLOCK;
	}
	if (!again) {
		if ((e = grow(s, s->up.len + p.len)) != MST_OK)
			return e;
		if (p.len > 0)
			memcpy(s->up.bytes + s->up.len, p.ptr, p.len);
		s->up.len += p.len;
	}
	s->up.at_ms = coap_now();
	return MST_OK;
}

/* --- dispatch --- */

/* What the request's fields are over HTTP. */
static bool
fill(struct reading *d, struct request *r)
{
	struct net_request *rq = &r->pub;
	struct arena *a = rq->arena;

	rq->path = arena_str(a, mst_span_str(d->route));
	rq->query = arena_str(a, mst_span_str(d->q.query));
	rq->short_name = d->x->resource != NULL ? d->x->resource->name : NULL;
	if (rq->method == NET_POST)
		rq->content_type = coap_format_type(d->q.content_format);
	rq->accept = d->q.accept >= 0 ? coap_format_type(d->q.accept) : NULL;
	rq->body = d->body.len > 0 ? arena_dup(a, d->body) : MST_LIT("");
	return rq->path != NULL && rq->query != NULL && rq->body.ptr != NULL;
}

static void
dispatch(struct reading *d)
{
	struct coap_session *s = d->x->session;
	struct request *r;
	bool ok;

	if (s->working >= COAP_WORKING) {
		d->why = "too many requests at once on one session";
		refuse(d, MST_E_HTTP_OVERLOAD);
		return;
	}
	if ((r = make_request(d)) == NULL)
		return;
	ok = fill(d, r);
	if (d->q.block1.there)
		coap_assembly_drop(s);
	if (!ok) {
		net_refuse(&r->pub, STEP_HTTP, MST_E_NOMEM, "the request's arena is full");
		return;
	}
	if (d->x->con)
		event_add(&d->x->timer, &(struct timeval){ COAP_ACK_MS / 1000, 0 });
	request_dispatch(r);
}

/* --- discovery: DI-5 --- */

static bool
serves(void *arg, const struct coap_resource *r)
{
	const struct coaps *c = arg;
	char path[COAP_PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", r->base, r->route);
	for (size_t i = 0; i < c->ls->route_count; i++)
		if (strcmp(c->ls->routes[i].path, path) == 0)
			return !coap_hidden(c, r);
	return false;
}

static void
discover(struct reading *d)
{
	struct coaps *c = d->x->session->coaps;
	uint8_t text[1024];
	struct mst_buf out = MST_BUF(text);
	struct request *r;
	mst_err e;

	d->x->discovery = true;
	if (d->m->code != COAP_GET)
		e = MST_E_HTTP_METHOD;
	else if (d->q.accept >= 0 && d->q.accept != COAP_CF_LINK)
		e = MST_E_MEDIA_ACCEPT;
	else
		e = coap_links(d->q.query, serves, c, &out);
	if (e != MST_OK) {
		d->why = "discovery";
		refuse(d, e);
	} else if ((r = make_request(d)) != NULL) {
		net_reply(
		    &r->pub, 200, coap_format_type(COAP_CF_LINK), mst_buf_span(&out), NULL, 0);
	}
}

/* --- in order --- */

static mst_err
read_path(struct reading *d)
{
	const char *path;

	if (d->q.abbrev < 0)
		return MST_OK;
	if ((path = coap_abbrev_path(d->q.abbrev)) == NULL) { /* CO-5 */
		d->why = "a value of Uri-Path-Abbrev that is not known";
		return MST_E_COAP_OPTION;
	}
	snprintf(d->q.path, sizeof d->q.path, "%s", path);
	return MST_OK;
}

/* What the answer needs to know, also of a refusal. */
static void
keep(struct reading *d)
{
	struct coap_exchange *x = d->x;

	x->get = d->m->code == COAP_GET;
	x->wants_size2 = d->q.wants_size2;
	x->block1 = d->q.block1;
	x->block2 = d->q.block2;
	for (size_t i = 0; i < 2; i++)
		if (d->q.etags[i].ptr != NULL) {
			x->etag_len[i] = d->q.etags[i].len;
			memcpy(x->etags[i], d->q.etags[i].ptr, x->etag_len[i]);
		}
}

static mst_err
make_key(struct reading *d)
{
	char key[COAP_KEY_MAX];

	snprintf(key, sizeof key, "%u %s?%s %ld", d->m->code, d->q.path, d->q.query, d->q.accept);
	d->x->key = strdup(key);
	return d->x->key != NULL ? MST_OK : MST_E_NOMEM;
}

/* The table's columns: path, method, Accept, Content-Format. */
static mst_err
judge(struct reading *d)
{
	const struct coap_resource *r = coap_find(d->q.path, d->route, sizeof d->route);

	d->why = NULL;
	if (r == NULL || coap_hidden(d->x->session->coaps, r))
		return MST_E_HTTP_PATH;
	d->x->resource = r;
	if (d->m->code != (r->method == NET_GET ? COAP_GET : COAP_POST))
		return MST_E_HTTP_METHOD;
	if (d->q.accept >= 0 && r->response[0] != COAP_NONE &&
	    !coap_takes(r->response, d->q.accept))
		return MST_E_MEDIA_ACCEPT; /* est.md F1 */
	if (r->method == NET_GET)
		return MST_OK;
	if (d->q.content_format < 0)
		d->q.content_format = r->request[0]; /* est.md F2 */
	return coap_takes(r->request, d->q.content_format) ? MST_OK : MST_E_MEDIA_UNSUPPORTED;
}

static mst_err
take_body(struct reading *d, bool *complete)
{
	mst_err e;

	*complete = true;
	if (d->x->get)
		return MST_OK; /* RFC 7252 5.8.1: no meaning is attached to a payload */
	if (!d->q.block1.there) {
		d->body = d->m->payload;
		return d->body.len <= (size_t)d->x->session->coaps->limits.body_bytes
		           ? MST_OK
		           : MST_E_HTTP_BODY_LIMIT;
	}
	if ((e = assembly_add(d)) != MST_OK) {
		coap_assembly_drop(d->x->session);
		return e;
	}
	*complete = !d->q.block1.more;
	d->body = mst_span_of(d->x->session->up.bytes, d->x->session->up.len);
	return MST_OK;
}

/*
 * RFC 7959 2.4, 3.3: a follow-up brings no payload, only the number of the
 * piece. A POST that brings one still wants a piece of an answer: carried out
 * once more, its certificate would be thrown away (est.md M2).
 */
static bool
is_follow_up(const struct reading *d)
{
	return d->q.block2.there && d->q.block2.num > 0 && (d->m->payload.len == 0 || !d->x->get);
}

/* The piece of an answer, and of a request at the same time: of none that could be meant. */
static bool
is_neither(const struct reading *d)
{
	return !d->x->get && d->q.block1.there && d->m->payload.len > 0;
}

static void
take_resource(struct reading *d)
{
	bool complete;
	mst_err e;

	if ((e = judge(d)) != MST_OK || (e = make_key(d)) != MST_OK) {
		refuse(d, e);
		return;
	}
	if (is_follow_up(d)) {
		if (is_neither(d)) {
			d->why = "a piece of a request that asks for the middle of its answer";
			refuse(d, MST_E_COAP_BLOCK);
			return;
		}
		d->x->block1.there = false;
		if (coap_follow(d->x))
			return;
		if (!d->x->get) { /* never made twice: est.md M2 */
			d->why = "the answer is no longer kept";
			refuse(d, MST_E_COAP_BLOCK);
			return;
		}
	}
	if ((e = take_body(d, &complete)) != MST_OK)
		refuse(d, e);
	else if (!complete)
		coap_continue(d->x);
	else
		dispatch(d);
}

void
coap_take(struct coap_exchange *x, const struct coap_msg *m)
{
	struct reading d = { .x = x, .m = m, .body = MST_NONE };
	mst_err e = coap_request_read(m, &d.q, &d.why);

	keep(&d);
	if (e == MST_OK)
		e = read_path(&d);
	if (e != MST_OK)
		refuse(&d, e);
	else if (strcmp(d.q.path, COAP_PATH_CORE) == 0)
		discover(&d);
	else
		take_resource(&d);
}

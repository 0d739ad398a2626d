/* SPDX-License-Identifier: Apache-2.0 */
/* A request between the end of its head and its answer. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "host/clock.h"
#include "server/net/coap.h"
#include "server/net/net_internal.h"

#define ARENA_LIMIT (1 << 20)

/* net.h promises 1 MiB; who allows larger bodies gets room for them too. */
static size_t
arena_limit(const struct net_limits *l)
{
	size_t need = (size_t)l->body_bytes * 4;

	return need > ARENA_LIMIT ? need : ARENA_LIMIT;
}

static void
write_hex(char *out, const uint8_t *in, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

/* Identifiers for logs, no secrets: but nobody shall guess another's. */
static bool
make_ids(struct net_request *rq)
{
	uint8_t random[24];

	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	write_hex(rq->id, random, 8);
	write_hex(rq->trace, random + 8, 16);
	return true;
}

static struct request *
request_make(struct net_loop *l, const struct net_limits *limits, struct net_peer *peer)
{
	struct arena *a = arena_new(arena_limit(limits));
	struct request *r = a != NULL ? arena_alloc(a, sizeof *r) : NULL;

	if (r == NULL || !make_ids(&r->pub)) {
		arena_free(a);
		return NULL;
	}
	r->pub.loop = l;
	r->pub.arena = a;
	r->pub.peer = peer;
	r->pub.method = NET_OTHER;
	r->pub.path = r->pub.query = "";
	peer->http_auth = false; /* Basic is per request, RFC 9110 11.6.2 */
	r->next = l->requests;
	if (r->next != NULL)
		r->next->prev = r;
	l->requests = r;
	return r;
}

struct request *
request_new(struct conn *c)
{
	struct request *r = request_make(c->loop, &c->ls->limits, &c->peer);

	if (r == NULL)
		return NULL;
	r->conn = c;
	r->pub.started_us = c->began_us;
	if (c->trace[0] == '\0')
		memcpy(c->trace, r->pub.trace, sizeof c->trace);
	else
		memcpy(r->pub.trace, c->trace, sizeof r->pub.trace);
	return r;
}

struct request *
request_new_coap(struct coap_exchange *x)
{
	struct coap_session *s = x->session;
	struct request *r = request_make(s->coaps->loop, &s->coaps->ls->limits, &s->peer);

	if (r == NULL)
		return NULL;
	r->exchange = x;
	r->pub.wire = NET_COAPS;
	r->pub.started_us = clock_mono_us();
	/* No message of CoAP carries X-Muster-Trace: one id for all that a session asks. */
	memcpy(r->pub.trace, s->trace, sizeof r->pub.trace);
	return r;
}

void
request_free(struct request *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->pub.loop->requests = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	if (r->conn != NULL)
		r->conn->rq = NULL;
	if (r->exchange != NULL)
		r->exchange->rq = NULL;
	arena_free(r->pub.arena); /* r lies in it */
}

/* 16 to 32 hex digits; anything else is not taken over, so a log line stays one. */
static void
take_trace(struct net_request *rq, mst_span trace)
{
	if (trace.ptr == NULL || trace.len < 16 || trace.len > 32)
		return;
	for (size_t i = 0; i < trace.len; i++)
		if (isxdigit(trace.ptr[i]) == 0)
			return;
	memcpy(rq->trace, trace.ptr, trace.len);
	rq->trace[trace.len] = '\0';
}

/* NULL only for an absent field; *ok turns false when memory ends. */
static const char *
copy_field(struct net_request *rq, mst_span field, bool *ok)
{
	const char *s;

	if (field.ptr == NULL)
		return NULL;
	if ((s = arena_str(rq->arena, field)) == NULL)
		*ok = false;
	return s;
}

/* RFC 9110 5.3: the parts of a list field are one list. */
static const char *
join_accept(struct net_request *rq, const struct head *h, bool *ok)
{
	const char *all = h->accepts > 0 ? copy_field(rq, h->accept[0], ok) : NULL;

	for (size_t i = 1; i < h->accepts && all != NULL; i++)
		if ((all = arena_printf(rq->arena, "%s, %.*s", all, (int)h->accept[i].len,
		         (const char *)h->accept[i].ptr)) == NULL)
			*ok = false;
	return all;
}

static mst_err
copy_path(struct net_request *rq, const struct head *h, const char **why)
{
	uint8_t decoded[HEAD_PATH_MAX];
	struct mst_buf b = MST_BUF(decoded);
	mst_err e = head_path_decode(h->path, &b);

	if (e != MST_OK) {
		*why = "the path is too long or badly encoded";
		return e;
	}
	rq->path = arena_str(rq->arena, mst_buf_span(&b));
	rq->query = arena_str(rq->arena, h->query);
	if (rq->path != NULL && rq->query != NULL)
		return MST_OK;
	rq->path = rq->query = "";
	return MST_E_NOMEM;
}

mst_err
request_read_head(struct request *r, mst_span bytes, const char **why)
{
	struct net_request *rq = &r->pub;
	struct head *h = &r->head;
	bool ok = true;
	mst_err e;

	if ((e = head_parse(bytes, h, why)) != MST_OK)
		return e;
	r->is_head = h->method == NET_HEAD;
	rq->method = h->method;
	take_trace(rq, h->trace);
	if ((e = copy_path(rq, h, why)) != MST_OK)
		return e;
	rq->content_type = copy_field(rq, h->content_type, &ok);
	rq->user_agent = copy_field(rq, h->user_agent, &ok);
	rq->authorization = copy_field(rq, h->authorization, &ok);
	rq->accept = join_accept(rq, h, &ok);
	return ok ? MST_OK : MST_E_NOMEM;
}

static bool
route_takes(const struct route *rt, const char *path)
{
	return rt->prefix ? strncmp(path, rt->path, rt->len) == 0 : strcmp(path, rt->path) == 0;
}

/* est.md U3: 404 for an unknown path, 405 with Allow for a known one. */
mst_err
request_route(struct request *r)
{
	const struct listener *ls =
	    r->exchange != NULL ? r->exchange->session->coaps->ls : r->conn->ls;
	unsigned methods = 0;

	for (size_t i = 0; i < ls->route_count; i++) {
		const struct route *rt = &ls->routes[i];

		if (!route_takes(rt, r->pub.path))
			continue;
		if ((rt->methods & 1U << r->pub.method) != 0) {
			r->route = rt;
			return MST_OK;
		}
		methods |= rt->methods;
	}
	r->allowed = methods;
	return methods != 0 ? MST_E_HTTP_METHOD : MST_E_HTTP_PATH;
}

void
request_dispatch(struct request *r)
{
	mst_err e = request_route(r);

	if (e != MST_OK) {
		net_refuse(&r->pub, STEP_HTTP, e, NULL);
		return;
	}
	/* A HEAD is a GET whose body stays here (RFC 9110 9.3.2): handlers need not know. */
	if (r->is_head)
		r->pub.method = NET_GET;
	r->route->handler(&r->pub, r->route->arg);
}

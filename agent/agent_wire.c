/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's CONNECT and SEND on HTTPS. The request behind a CONNECT is
 * made inside the handshake's end: its content names who answers (RFC 8995
 * 5.2), so the engine is stepped there and its SEND becomes the request.
 */
#include "agent/room.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/clock.h"

#define ANSWER_MAX (64 * 1024)
#define SAME_ORIGIN_HOPS 3
#define PATH_CAP 1024

struct resource {
	const char *method, *path, *content_type, *accept;
};

#define BRSKI "/.well-known/brski/"
#define EST "/.well-known/est/"
#define JSON "application/json"
#define CSR "application/pkcs10"
#define CERTS "application/pkcs7-mime"

static struct resource
resource_of(const struct mst_pledge_action *act)
{
	const char *voucher = mst_media_type(act->media);

	switch (act->resource) {
	case MST_RES_REQUESTVOUCHER:
		return (struct resource){ "POST", BRSKI "requestvoucher", voucher, voucher };
	case MST_RES_VOUCHER_STATUS:
		return (struct resource){ "POST", BRSKI "voucher_status", JSON, NULL };
	case MST_RES_ENROLLSTATUS:
		return (struct resource){ "POST", BRSKI "enrollstatus", JSON, NULL };
	case MST_RES_CACERTS: return (struct resource){ "GET", EST "cacerts", NULL, CERTS };
	case MST_RES_CSRATTRS:
		return (struct resource){ "GET", EST "csrattrs", NULL, "application/csrattrs" };
	case MST_RES_SIMPLEENROLL:
		return (struct resource){ "POST", EST "simpleenroll", CSR, CERTS };
	case MST_RES_SIMPLEREENROLL: break;
	}
	return (struct resource){ "POST", EST "simplereenroll", CSR, CERTS };
}

/*
 * RFC 8995 5.1 lets a peer go that makes no progress: so the engine's word is
 * how long nothing may move. One that drips has answer_max and no more.
 */
static long
left_ms(int64_t until)
{
	int64_t us = until > INT32_MAX ? INT32_MAX : until * 1000000 - clock_mono_us();

	return us > 1000 ? (long)(us / 1000) : 1;
}

static void
fill(struct agent *a, const struct mst_pledge_action *act, const char *path, struct http_request *r)
{
	struct resource res = resource_of(act);

	if (a->client != NULL)
		http_set_patience(
		    a->client, left_ms(act->until), (long)a->cfg->timers.answer_max * 1000);

	*r = (struct http_request){ .method = res.method,
		.path = path != NULL ? path : res.path,
		.content_type = res.content_type,
		.accept = res.accept,
		.body = act->body };
	a->sent = *act;
	a->sending = true;
}

static void
https_disconnect(struct agent *a)
{
	http_close(a->client);
	a->client = NULL;
	a->sending = false;
	/* An attempt at bootstrap that ended: the next one starts at the peer's own address. */
	if (a->p.state == PLEDGE_DISCOVER && a->p.cfg.mode == MST_PLEDGE_BOOTSTRAP)
		a->peers[a->p.peer].redirected[0] = '\0';
	if (a->p.state == PLEDGE_DISCOVER)
		a->redirected = false;
}

/* ---- TLS is done: who answers is known, nothing is sent ---- */

struct first {
	struct agent *a;
	const char *path; /* of a redirect, or NULL */
	bool reached;
};

static void
use_binding(struct agent *a)
{
	uint8_t bytes[CRYPTO_OPENSSL_BINDING_MAX];
	struct mst_buf b = MST_BUF(bytes);

	/* L3, L4: used only where csrattrs asks for it; a connection may have none. */
	if (http_binding(a->client, &b) != MST_OK)
		b.len = 0;
	if (crypto_openssl_set_binding(&a->openssl, mst_buf_span(&b)) != MST_OK)
		log_line(LOG_WARNING_, "a channel binding of %zu bytes is not used", b.len);
}

static mst_err
on_first(void *arg, const struct mst_chain *server, struct http_request *r)
{
	struct first *f = arg;
	struct agent *a = f->a;
	struct mst_pledge_event ev = { .kind = MST_EV_CONNECTED, .chain = *server };
	struct mst_pledge_action act;

	f->reached = true;
	use_binding(a);
	agent_step(a, &ev, &act);
	if (act.kind == MST_ACT_SEND) {
		fill(a, &act, f->path, r);
		return MST_OK;
	}
	/* The engine does not want this server: its action is for the main loop. */
	a->next = act;
	a->has_next = true;
	return MST_E_CANCELLED;
}

static mst_err
open_client(struct agent *a, const struct mst_pledge_action *act, const char *base)
{
	bool ldevid = a->p.cfg.mode != MST_PLEDGE_BOOTSTRAP;
	int64_t wait = act->until > clock_mono() ? act->until - clock_mono() : 1;
	struct http_options o = {
		.base = a->base,
		.trust = HTTP_PROVISIONAL, /* the engine judges, see muster/pledge.h */
		.cert = ldevid ? a->record.cert : a->idevid,
		.key = ldevid ? a->record.key : a->idevid_key,
		.chain = ldevid ? a->ldevid_chain : a->idevid_chain,
		.trace = a->trace[0] != '\0' ? a->trace : NULL,
	};

	if (wait > a->cfg->timers.answer_max)
		wait = a->cfg->timers.answer_max;
	o.connect_timeout_ms = (long)wait * 1000;
	o.stall_timeout_ms = (long)a->cfg->timers.answer_max * 1000;
	o.total_timeout_ms = (long)a->cfg->timers.answer_max * 2000;
	http_close(a->client);
	a->client = NULL;
	a->sending = false;
	snprintf(a->base, sizeof a->base, "%s", base);
	return http_open(&o, &a->client);
}

static mst_err
begin(struct agent *a, const char *path, struct http_answer *answer, bool *reached)
{
	struct first f = { a, path, false };
	mst_err e;

	a->request_id = NULL; /* it lay in there */
	arena_reset(a->exchange);
	e = http_begin(a->client, a->exchange, on_first, &f, ANSWER_MAX, answer);
	*reached = f.reached;
	return e;
}

/* ---- redirects: the driver's part of RFC 8995 5.6 ---- */

/* "https://host[:port]/path" to the two; the port is written out. */
static bool
split(struct arena *arena, const char *location, const char **base, const char **path)
{
	const char *authority = location + 8, *end;
	char *host;

	if (strncasecmp(location, "https://", 8) != 0)
		return false;
	end = authority + strcspn(authority, "/?#");
	host = arena_str(arena, mst_span_of(authority, (size_t)(end - authority)));
	if (host == NULL || strlen(host) >= AGENT_PEER_MAX - 32)
		return false;
	if (agent_base(arena, AGENT_HTTPS, host, base) != MST_OK &&
	    agent_base(arena, AGENT_HTTPS, arena_printf(arena, "%s:443", host), base) != MST_OK)
		return false;
	*path = *end == '/' ? end : "/";
	return strlen(*path) < PATH_CAP;
}

static bool
is_redirect(const struct http_answer *answer)
{
	/* A 303 would turn the POST into a GET, which asks for something else. */
	return (answer->status == 301 || answer->status == 302 || answer->status == 307 ||
	           answer->status == 308) &&
	       answer->location != NULL;
}

/* The one redirect to another origin, or to this one where its connection did not outlive the 3xx.
 */
static mst_err
move(struct agent *a, const char *base, const char *path, struct http_answer *answer)
{
	char where[PATH_CAP];
	bool reached;
	mst_err e;

	a->redirected = true;
	log_line(LOG_INFO_, "%s redirects to %s", a->base, base);
	/* begin() resets the arena in which base and path lie. */
	snprintf(a->peers[a->p.peer].redirected, AGENT_PEER_MAX, "%s", base);
	snprintf(where, sizeof where, "%s", path);
	if ((e = open_client(a, &a->sent, a->peers[a->p.peer].redirected)) == MST_OK)
		e = begin(a, where, answer, &reached);
	return e;
}

/*
 * H10: within the origin on the same connection; to another one at most once
 * in an attempt, and only for the voucher. MST_OK with the 3xx left in place
 * is what the engine refuses.
 */
static mst_err
follow(struct agent *a, struct http_answer *answer)
{
	mst_err e = MST_OK;

	for (int hops = 0; e == MST_OK && is_redirect(answer) && hops < SAME_ORIGIN_HOPS; hops++) {
		bool may_move = !a->redirected && a->sent.resource == MST_RES_REQUESTVOUCHER &&
		                a->p.pending_since == MST_NO_TIME;
		const char *base, *path;
		struct http_request r;

		if (!split(a->exchange, answer->location, &base, &path))
			return MST_OK;
		if (strcasecmp(base, a->base) == 0) {
			fill(a, &a->sent, path, &r);
			e = http_send(a->client, a->exchange, &r, ANSWER_MAX, answer);
			if (e == MST_E_UNREACHABLE && may_move)
				e = move(a, base, path, answer);
		} else if (may_move) {
			e = move(a, base, path, answer);
		} else {
			return MST_OK;
		}
	}
	return e;
}

/* ---- what came of it ---- */

static void
finish(struct agent *a, mst_err e, struct http_answer *answer, struct mst_pledge_event *ev)
{
	if (e == MST_OK)
		e = follow(a, answer);
	a->request_id = NULL;
	a->detail[0] = '\0';
	if (a->has_next)
		return;
	*ev = (struct mst_pledge_event){ .kind = MST_EV_FAILED, .err = e };
	if (e != MST_OK) {
		snprintf(a->detail, sizeof a->detail, "%s", http_why());
		return;
	}
	a->request_id = answer->request_id;
	ev->kind = MST_EV_RESPONSE;
	ev->status = answer->status;
	ev->retry_after = answer->retry_after;
	ev->body = answer->body;
	ev->media = answer->content_type == NULL
	                ? MST_MEDIA_NONE
	                : mst_media_find(mst_span_str(answer->content_type));
}

static void
https_connect(struct agent *a, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	struct peer *peer = &a->peers[act->peer];
	const char *base = peer->redirected[0] != '\0' ? peer->redirected : peer->base;
	struct http_answer answer = { 0 };
	bool reached = false;
	mst_err e = MST_E_PLEDGE_PEER_LOST;

	if (base[0] != '\0' && (e = open_client(a, act, base)) == MST_OK)
		e = begin(a, NULL, &answer, &reached);
	finish(a, e, &answer, ev);
}

static void
https_send(struct agent *a, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	struct http_answer answer = { 0 };
	struct http_request r;
	mst_err e = MST_E_PLEDGE_PEER_LOST;

	fill(a, act, NULL, &r);
	arena_reset(a->exchange);
	if (a->client != NULL)
		e = http_send(a->client, a->exchange, &r, ANSWER_MAX, &answer);
	finish(a, e, &answer, ev);
}

const struct agent_wire agent_wire_https = { https_connect, https_send, https_disconnect };

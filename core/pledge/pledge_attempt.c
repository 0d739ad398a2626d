/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts: which peer next and when (RFC 8995 4.1), connecting, waiting
 * behind a 202 (5.6), and giving up without losing count.
 */
#include "muster/cbor.h"

#include "core/base/assert.h"
#include "core/pledge/engine.h"

int64_t
pledge_after(int64_t now, int64_t seconds)
{
	if (seconds < 0)
		return now;
	return now > INT64_MAX - seconds ? INT64_MAX : now + seconds;
}

void
pledge_wait(action act, int64_t until)
{
	act->kind = MST_ACT_WAIT;
	act->until = until;
}

/* Nothing of an earlier attempt may reach the next: fresh nonce, chain, pin (DM-3). */
static void
forget_attempt(struct mst_pledge *p)
{
	mst_wipe(p->nonce, sizeof(p->nonce));
	mst_wipe(p->nonce_text, sizeof(p->nonce_text));
	p->cfg.pvr.len = p->cfg.scratch.len = p->cfg.chain.len = 0;
	p->chain.count = 0;
	p->csr = p->pinned_cert = p->ldevid = p->answer = MST_NONE;
	p->pending_since = MST_NO_TIME;
	p->wake = NEVER;
	p->retry_gap = p->hint = 0;
	p->connected = p->provisional = p->redirected = false;
	p->last = MST_OK;
	if (p->cfg.mode == MST_PLEDGE_REPORT)
		return; /* keep holds the anchors now */
	p->cfg.keep.len = 0;
	p->anchors = p->cfg.anchors;
}

/* The peer that has waited longest; the present one among equals. NULL when there is none. */
static struct mst_pledge_peer *
next_peer(struct mst_pledge *p, unsigned *number)
{
	struct mst_pledge_peer *best = NULL;

	for (unsigned i = 0; i < MST_PLEDGE_PEERS_MAX; i++) {
		unsigned n = (p->peer + i) % MST_PLEDGE_PEERS_MAX;

		if (!p->peers[n].there)
			continue;
		if (best != NULL && p->peers[n].not_before >= best->not_before)
			continue;
		best = &p->peers[n];
		*number = n;
	}
	return best;
}

/*
 * RFC 8995 5.1: without progress for 5 seconds, go on to a different proxy; if
 * there is no other, the pledge may continue to wait. What a voucher or the
 * anchors have proven is no slow impostor and is not dropped for another.
 * Back-off makes the others due ever later, so a registrar whose MASA takes
 * more than five seconds gets its time after a few rounds.
 */
int64_t
pledge_deadline(const struct mst_pledge *p)
{
	const struct mst_pledge_timers *t = &p->cfg.timers;
	int64_t stalled = pledge_after(p->started, t->stall);
	int64_t end = pledge_after(p->started, t->answer_max);

	for (unsigned i = 0; p->provisional && i < MST_PLEDGE_PEERS_MAX; i++) {
		int64_t due = p->peers[i].not_before > stalled ? p->peers[i].not_before : stalled;

		if (i != p->peer && p->peers[i].there && due < end)
			end = due;
	}
	return end;
}

static void
connect_peer(struct mst_pledge *p, event ev, action act)
{
	bool factory = p->cfg.mode == MST_PLEDGE_BOOTSTRAP;

	/* RFC 8995 5: an enrolled device never starts BRSKI; it only ever connects as its LDevID.
	 */
	p->state = factory ? PLEDGE_CONNECTING : PLEDGE_CONNECTING_LDEVID;
	p->provisional = factory;
	p->connected = false;
	p->started = ev->mono;
	act->kind = MST_ACT_CONNECT;
	act->until = pledge_deadline(p);
	act->peer = p->peer;
	act->identity = factory ? MST_IDENTITY_IDEVID : MST_IDENTITY_LDEVID;
	act->provisional = factory;
}

void
pledge_discover(struct mst_pledge *p, event ev, action act)
{
	unsigned number = 0;
	struct mst_pledge_peer *peer = next_peer(p, &number);
	int64_t start;

	if (peer == NULL) {
		act->because = MST_E_PLEDGE_NO_PEER;
		pledge_wait(act, NEVER);
		return;
	}
	start = peer->not_before > p->next_start ? peer->not_before : p->next_start;
	if (ev->mono < start) {
		pledge_wait(act, start);
		return;
	}
	forget_attempt(p);
	p->peer = number;
	p->next_start = pledge_after(ev->mono, p->cfg.timers.peer_gap);
	connect_peer(p, ev, act);
}

void
pledge_give_up(struct mst_pledge *p, event ev, action act, mst_err e)
{
	const struct mst_pledge_timers *t = &p->cfg.timers;
	struct mst_pledge_peer *peer = &p->peers[p->peer];
	int64_t hint = p->hint;

	/* RFC 8995 4.1: exponential, at most an hour, each peer on its own. */
	if (peer->backoff == 0)
		peer->backoff = t->backoff_first;
	else
		peer->backoff =
		    peer->backoff > t->backoff_max / 2 ? t->backoff_max : peer->backoff * 2;
	forget_attempt(p);
	p->state = PLEDGE_DISCOVER;
	peer->not_before = pledge_after(ev->mono, hint > peer->backoff ? hint : peer->backoff);
	act->kind = MST_ACT_CLOSE;
	act->because = e;
}

static bool
chain_same(const struct mst_chain *a, const struct mst_chain *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!mst_span_eq(a->cert[i], b->cert[i]))
			return false;
	return true;
}

static mst_err
chain_keep(struct mst_pledge *p, const struct mst_chain *shown)
{
	mst_err e;

	p->cfg.chain.len = 0;
	p->chain.count = 0;
	for (size_t i = 0; i < shown->count; i++) {
		if ((e = mst_buf_keep(&p->cfg.chain, shown->cert[i], &p->chain.cert[i])) != MST_OK)
			return e;
		p->chain.count = i + 1;
	}
	return MST_OK;
}

/* Send again what a 202 made us wait with: the identical bytes (RFC 8995 5.6, EST-7). */
static void
resend(struct mst_pledge *p, event ev, action act)
{
	mst_span body = MST_NONE;

	if (p->asked == MST_RES_REQUESTVOUCHER)
		body = mst_buf_span(&p->cfg.pvr);
	else if (p->asked == MST_RES_SIMPLEENROLL || p->asked == MST_RES_SIMPLEREENROLL)
		body = p->csr;
	pledge_send(p, ev, act, p->asked, body);
}

static void
connected_as_idevid(struct mst_pledge *p, event ev, action act)
{
	mst_err e;

	if (p->pending_since != MST_NO_TIME) {
		/* TLS-5, RFC 8995 5: each later connection shows the identical certificates. */
		if (!chain_same(&p->chain, &ev->chain)) {
			pledge_give_up(p, ev, act, MST_E_PLEDGE_IDENTITY_CHANGED);
			return;
		}
		p->provisional = p->asked == MST_RES_REQUESTVOUCHER;
		resend(p, ev, act);
		return;
	}
	/* TLS-3: keep the whole chain until the voucher judges it. */
	if ((e = chain_keep(p, &ev->chain)) != MST_OK) {
		pledge_give_up(p, ev, act, e);
		return;
	}
	pledge_ask_voucher(p, ev, act);
}

static void
connected_as_ldevid(struct mst_pledge *p, event ev, action act)
{
	const struct mst_crypto *c = p->cfg.crypto;
	mst_span held = p->cfg.mode == MST_PLEDGE_RENEW ? p->cfg.anchors : p->anchors;
	mst_err e = c->anchors_judge(c->ctx, held, &ev->chain, &ev->clock);

	if (e != MST_OK)
		pledge_give_up(p, ev, act, e);
	else if (p->cfg.mode == MST_PLEDGE_REPORT)
		pledge_report(p, ev, act, MST_RES_ENROLLSTATUS);
	else if (p->pending_since != MST_NO_TIME)
		resend(p, ev, act);
	else
		pledge_start_est(p, ev, act);
}

void
pledge_connected(struct mst_pledge *p, event ev, action act)
{
	p->connected = true;
	if (ev->chain.count == 0 || ev->chain.count > MST_CHAIN_MAX)
		pledge_give_up(p, ev, act, MST_E_PLEDGE_PROTOCOL);
	else if (p->cfg.mode == MST_PLEDGE_BOOTSTRAP)
		connected_as_idevid(p, ev, act);
	else
		connected_as_ldevid(p, ev, act);
}

static enum mst_pledge_state
awaiting(enum mst_resource what)
{
	switch (what) {
	case MST_RES_REQUESTVOUCHER: return PLEDGE_AWAIT_VOUCHER;
	case MST_RES_VOUCHER_STATUS: return PLEDGE_AWAIT_STATUS_ACK;
	case MST_RES_CACERTS: return PLEDGE_AWAIT_CACERTS;
	case MST_RES_CSRATTRS: return PLEDGE_AWAIT_CSRATTRS;
	case MST_RES_SIMPLEENROLL:
	case MST_RES_SIMPLEREENROLL: return PLEDGE_AWAIT_CERT;
	case MST_RES_ENROLLSTATUS: break;
	}
	return PLEDGE_AWAIT_ENROLL_ACK;
}

void
pledge_send(struct mst_pledge *p, event ev, action act, enum mst_resource what, mst_span body)
{
	/* RFC 8995 5.1: on a provisional connection nothing but these two. */
	MST_ASSERT(
	    !p->provisional || what == MST_RES_REQUESTVOUCHER || what == MST_RES_VOUCHER_STATUS);
	p->asked = what;
	p->state = awaiting(what);
	p->started = ev->mono;
	act->kind = MST_ACT_SEND;
	act->until = pledge_deadline(p);
	act->peer = p->peer;
	act->resource = what;
	act->media = what == MST_RES_REQUESTVOUCHER ? p->cfg.media : MST_MEDIA_NONE;
	act->body = body;
}

static mst_err
put(struct mst_buf *b, const char *text)
{
	return mst_buf_put(b, mst_span_str(text));
}

/*
 * RFC 8995 5.7, 5.9.4: version, status, reason, reason-context. The words are
 * fixed and come from err.def, which a test holds to characters that JSON
 * needs not escape; nothing that a peer sent is ever echoed.
 */
static mst_err
telemetry(struct mst_buf *b, mst_err verdict, const char *good)
{
	const struct mst_err_info *info = mst_err_info(verdict);
	mst_err e;

	b->len = 0;
	if (verdict == MST_OK) {
		if ((e = put(b, "{\"version\":1,\"status\":true,\"reason\":\"")) != MST_OK ||
		    (e = put(b, good)) != MST_OK)
			return e;
		return put(b, "\"}");
	}
	if ((e = put(b, "{\"version\":1,\"status\":false,\"reason\":\"")) != MST_OK ||
	    (e = put(b, info->reason)) != MST_OK ||
	    (e = put(b, "\",\"reason-context\":{\"code\":\"")) != MST_OK ||
	    (e = put(b, info->code)) != MST_OK)
		return e;
	return put(b, "\"}}");
}

#ifdef MUSTER_ONLY_CONSTRAINED
/* The words of err.def are three times an engine: the number says it, and `muster explain`. */
static void
put_verdict(struct mst_cbor_writer *w, mst_err verdict)
{
	uint8_t code[] = { 'M', 'U', '-', 0, 0, 0, 0 };
	unsigned n = (unsigned)verdict;

	for (size_t i = sizeof(code) - 1; i >= 3; i--, n /= 10)
		code[i] = (uint8_t)('0' + n % 10);
	mst_cbor_put_text(w, MST_LIT("reason"));
	mst_cbor_put_text(w, mst_span_of(code, sizeof(code)));
}
#define VERDICT_PAIRS 1
#else
static void
put_verdict(struct mst_cbor_writer *w, mst_err verdict)
{
	const struct mst_err_info *info = mst_err_info(verdict);

	mst_cbor_put_text(w, MST_LIT("reason"));
	mst_cbor_put_text(w, mst_span_str(info->reason));
	mst_cbor_put_text(w, MST_LIT("reason-context"));
	mst_cbor_put_map(w, 1);
	mst_cbor_put_text(w, MST_LIT("code"));
	mst_cbor_put_text(w, mst_span_str(info->code));
}
#define VERDICT_PAIRS 2
#endif

/*
 * The same as a CBOR map (cV 6.4.1). What went well needs no words: eighteen
 * bytes on the air.
 */
static mst_err
telemetry_cbor(struct mst_buf *b, mst_err verdict)
{
	struct mst_cbor_writer w;

	b->len = 0;
	mst_cbor_put_init(&w, b);
	mst_cbor_put_map(&w, verdict == MST_OK ? 2 : 2 + VERDICT_PAIRS);
	mst_cbor_put_text(&w, MST_LIT("version"));
	mst_cbor_put_uint(&w, 1);
	mst_cbor_put_text(&w, MST_LIT("status"));
	mst_cbor_put_bool(&w, verdict == MST_OK);
	if (verdict != MST_OK)
		put_verdict(&w, verdict);
	return mst_cbor_put_end(&w);
}

void
pledge_report(struct mst_pledge *p, event ev, action act, enum mst_resource what)
{
	const char *good = what == MST_RES_VOUCHER_STATUS ? "voucher accepted"
	                   : p->renewed                   ? "renewed"
	                                                  : "enrolled";
	mst_err e;

	p->csr = MST_NONE; /* its storage is used for the words */
	e = pledge_is_constrained(p) ? telemetry_cbor(&p->cfg.scratch, p->last)
	                             : telemetry(&p->cfg.scratch, p->last, good);
	if (e != MST_OK) {
		pledge_give_up(p, ev, act, p->last != MST_OK ? p->last : e);
		return;
	}
	act->because = p->last;
	pledge_send(p, ev, act, what, mst_buf_span(&p->cfg.scratch));
}

mst_err
pledge_refusal(struct mst_pledge *p, event ev)
{
	if (ev->retry_after > 0)
		p->hint = ev->retry_after < p->cfg.timers.backoff_max ? ev->retry_after
		                                                      : p->cfg.timers.backoff_max;
	if (ev->status >= 300 && ev->status <= 399)
		return MST_E_PLEDGE_REDIRECTS;
	if (ev->status >= 400 && ev->status <= 599)
		return MST_E_PLEDGE_REFUSED;
	return MST_E_PLEDGE_PROTOCOL;
}

static enum mst_pledge_state
pending_state(const struct mst_pledge *p)
{
	return p->asked == MST_RES_REQUESTVOUCHER ? PLEDGE_PENDING : PLEDGE_ENROLL_PENDING;
}

void
pledge_pending(struct mst_pledge *p, event ev, action act)
{
	const struct mst_pledge_timers *t = &p->cfg.timers;
	int64_t wait = ev->retry_after < 0 ? t->retry_after_cap : ev->retry_after;

	if (p->pending_since == MST_NO_TIME)
		p->pending_since = ev->mono;
	/* RFC 8995 5.6: MUST limit Retry-After to 60 seconds. */
	if (wait > t->retry_after_cap)
		wait = t->retry_after_cap;
	if (wait < 1)
		wait = 1;
	p->retry_gap = 0;
	p->wake = pledge_after(ev->mono, wait);
	p->state = pending_state(p);
	pledge_pending_tick(p, ev, act);
}

/* Is another registrar due while this one keeps saying 202? */
static bool
others_wait(struct mst_pledge *p, int64_t now)
{
	for (unsigned i = 0; i < MST_PLEDGE_PEERS_MAX; i++)
		if (i != p->peer && p->peers[i].there && p->peers[i].not_before <= now)
			return true;
	return false;
}

void
pledge_pending_tick(struct mst_pledge *p, event ev, action act)
{
	const struct mst_pledge_timers *t = &p->cfg.timers;
	int64_t waited = ev->mono - p->pending_since;

	if (waited >= t->pending_max)
		pledge_give_up(p, ev, act, MST_E_PLEDGE_PENDING_TOO_LONG);
	else if (p->state == PLEDGE_PENDING && waited >= t->pending_share &&
	         others_wait(p, ev->mono))
		pledge_give_up(p, ev, act, MST_E_TIMEOUT);
	else if (!p->connected && !p->peers[p->peer].there)
		pledge_give_up(p, ev, act, MST_E_PLEDGE_PEER_LOST);
	else if (ev->mono < p->wake)
		pledge_wait(act, p->wake);
	else if (p->connected)
		resend(p, ev, act);
	else
		connect_peer(p, ev, act);
}

void
pledge_lost(struct mst_pledge *p, event ev, action act, mst_err e)
{
	const struct mst_pledge_timers *t = &p->cfg.timers;

	/* What would have been reported is the better reason to name. */
	if (p->last != MST_OK)
		e = p->last;
	if (p->pending_since == MST_NO_TIME || p->last != MST_OK) {
		pledge_give_up(p, ev, act, e);
		return;
	}
	/* A 202 promised an answer to these bytes: ask for it again on another connection. */
	p->connected = false;
	p->retry_gap = p->retry_gap == 0 ? 1 : p->retry_gap * 2;
	if (p->retry_gap > t->retry_after_cap)
		p->retry_gap = t->retry_after_cap;
	p->wake = pledge_after(ev->mono, p->retry_gap);
	p->state = pending_state(p);
	act->kind = MST_ACT_CLOSE;
	act->because = e;
}

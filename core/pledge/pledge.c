/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pledge's step: which event in which state leads where. The states in
 * order are the story of RFC 8995 5: discover, connect, ask for the voucher,
 * report on it, cacerts, csrattrs, enrol, store, connect as the new self,
 * report.
 */
#include "core/base/assert.h"
#include "core/pledge/engine.h"

static const char *const state_names[] = {
	[PLEDGE_DISCOVER] = "discover",
	[PLEDGE_CONNECTING] = "connecting",
	[PLEDGE_AWAIT_VOUCHER] = "await-voucher",
	[PLEDGE_PENDING] = "pending",
	[PLEDGE_AWAIT_STATUS_ACK] = "await-status-ack",
	[PLEDGE_AWAIT_CACERTS] = "await-cacerts",
	[PLEDGE_AWAIT_CSRATTRS] = "await-csrattrs",
	[PLEDGE_AWAIT_CERT] = "await-cert",
	[PLEDGE_ENROLL_PENDING] = "enroll-pending",
	[PLEDGE_STORING] = "storing",
	[PLEDGE_CONNECTING_LDEVID] = "connecting-ldevid",
	[PLEDGE_AWAIT_ENROLL_ACK] = "await-enroll-ack",
	[PLEDGE_FINISHED] = "finished",
};

const char *
mst_pledge_state_name(enum mst_pledge_state s)
{
	if ((unsigned)s >= sizeof(state_names) / sizeof(state_names[0]))
		return "";
	return state_names[s];
}

struct mst_pledge_timers
mst_pledge_timers_default(void)
{
	return (struct mst_pledge_timers){
		.stall = 5,
		.retry_after_cap = 60,
		.pending_max = 4 * 24 * 3600,
		.peer_gap = 4,
		.backoff_first = 4,
		.backoff_max = 3600,
		.pending_share = 600,
		.answer_max = 30,
	};
}

static bool
is_lent(const struct mst_buf *b)
{
	return b->ptr != NULL && b->cap > 0;
}

void
mst_pledge_init(struct mst_pledge *p, const struct mst_pledge_config *cfg)
{
	MST_ASSERT(cfg->crypto != NULL && cfg->serial.len > 0 && cfg->media != MST_MEDIA_NONE);
	MST_ASSERT(cfg->profile != MST_PROFILE_CONSTRAINED || cfg->media == MST_MEDIA_COSE_CBOR);
#ifdef MUSTER_ONLY_CONSTRAINED
	MST_ASSERT(cfg->profile == MST_PROFILE_CONSTRAINED);
#endif
	MST_ASSERT(is_lent(&cfg->pvr) && is_lent(&cfg->scratch) && is_lent(&cfg->keep) &&
	           is_lent(&cfg->chain));
	MST_ASSERT(cfg->mode == MST_PLEDGE_BOOTSTRAP || cfg->anchors.len > 0);
	*p = (struct mst_pledge){
		.cfg = *cfg,
		.state = PLEDGE_DISCOVER,
		.anchors = cfg->anchors,
		.pending_since = MST_NO_TIME,
		.next_start = INT64_MIN,
		.wake = NEVER,
	};
	p->cfg.pvr.len = p->cfg.scratch.len = p->cfg.keep.len = p->cfg.chain.len = 0;
}

void
mst_pledge_wipe(struct mst_pledge *p)
{
	mst_wipe(p->cfg.pvr.ptr, p->cfg.pvr.cap);
	mst_wipe(p->cfg.scratch.ptr, p->cfg.scratch.cap);
	mst_wipe(p->cfg.keep.ptr, p->cfg.keep.cap);
	mst_wipe(p->cfg.chain.ptr, p->cfg.chain.cap);
	mst_wipe(p, sizeof(*p));
}

int64_t
mst_pledge_renew_at(int64_t not_before, int64_t not_after, uint32_t random)
{
	int64_t life = not_after > not_before ? not_after - not_before : 0;
	int64_t width = life / 5; /* +/- a tenth */
	int64_t part = random >> 16;
	int64_t jitter = width / 65536 * part + width % 65536 * part / 65536;

	return not_before + life / 3 * 2 - life / 10 + jitter;
}

/* Time has passed: whoever waits for an answer looks at its deadline. */
static void
on_tick(struct mst_pledge *p, event ev, action act)
{
	switch (p->state) {
	case PLEDGE_DISCOVER: pledge_discover(p, ev, act); return;
	case PLEDGE_PENDING:
	case PLEDGE_ENROLL_PENDING: pledge_pending_tick(p, ev, act); return;
	case PLEDGE_STORING: pledge_wait(act, NEVER); return;
	case PLEDGE_FINISHED: act->kind = MST_ACT_DONE; return;
	case PLEDGE_CONNECTING:
	case PLEDGE_CONNECTING_LDEVID:
	case PLEDGE_AWAIT_VOUCHER:
	case PLEDGE_AWAIT_STATUS_ACK:
	case PLEDGE_AWAIT_CACERTS:
	case PLEDGE_AWAIT_CSRATTRS:
	case PLEDGE_AWAIT_CERT:
	case PLEDGE_AWAIT_ENROLL_ACK: break;
	}
	if (ev->mono >= pledge_deadline(p))
		pledge_lost(p, ev, act, MST_E_PLEDGE_PEER_LOST);
	else
		pledge_wait(act, pledge_deadline(p));
}

static void
on_failed(struct mst_pledge *p, event ev, action act)
{
	mst_err e = ev->err != MST_OK ? ev->err : MST_E_PLEDGE_PEER_LOST;

	switch (p->state) {
	case PLEDGE_DISCOVER:
	case PLEDGE_FINISHED: on_tick(p, ev, act); return;
	case PLEDGE_PENDING:
	case PLEDGE_ENROLL_PENDING:
	case PLEDGE_STORING: /* the connection went while none was needed */
		p->connected = false;
		on_tick(p, ev, act);
		return;
	case PLEDGE_CONNECTING:
	case PLEDGE_CONNECTING_LDEVID:
	case PLEDGE_AWAIT_VOUCHER:
	case PLEDGE_AWAIT_STATUS_ACK:
	case PLEDGE_AWAIT_CACERTS:
	case PLEDGE_AWAIT_CSRATTRS:
	case PLEDGE_AWAIT_CERT:
	case PLEDGE_AWAIT_ENROLL_ACK: break;
	}
	p->connected = false;
	pledge_lost(p, ev, act, e);
}

static void
on_connected(struct mst_pledge *p, event ev, action act)
{
	switch (p->state) {
	case PLEDGE_CONNECTING:
	case PLEDGE_CONNECTING_LDEVID: pledge_connected(p, ev, act); return;
	case PLEDGE_AWAIT_VOUCHER:
		/* RFC 8995 5.6: one redirect to another origin; its chain needs its own request. */
		if (p->redirected || p->pending_since != MST_NO_TIME) {
			pledge_give_up(p, ev, act, MST_E_PLEDGE_REDIRECTS);
			return;
		}
		p->redirected = true;
		pledge_connected(p, ev, act);
		return;
	case PLEDGE_AWAIT_STATUS_ACK:
	case PLEDGE_AWAIT_CACERTS:
	case PLEDGE_AWAIT_CSRATTRS:
	case PLEDGE_AWAIT_CERT:
	case PLEDGE_AWAIT_ENROLL_ACK:
		/* Nobody asked for it, and what was proven was proven on another one. */
		pledge_give_up(p, ev, act, MST_E_PLEDGE_PROTOCOL);
		return;
	case PLEDGE_DISCOVER:
	case PLEDGE_PENDING:
	case PLEDGE_ENROLL_PENDING:
	case PLEDGE_STORING:
	case PLEDGE_FINISHED: on_tick(p, ev, act); return;
	}
}

static void
on_response(struct mst_pledge *p, event ev, action act)
{
	switch (p->state) {
	case PLEDGE_AWAIT_VOUCHER: pledge_on_voucher(p, ev, act); return;
	case PLEDGE_AWAIT_STATUS_ACK: pledge_on_status_ack(p, ev, act); return;
	case PLEDGE_AWAIT_CACERTS: pledge_on_cacerts(p, ev, act); return;
	case PLEDGE_AWAIT_CSRATTRS: pledge_on_csrattrs(p, ev, act); return;
	case PLEDGE_AWAIT_CERT: pledge_on_cert(p, ev, act); return;
	case PLEDGE_AWAIT_ENROLL_ACK: pledge_on_enroll_ack(p, ev, act); return;
	case PLEDGE_DISCOVER:
	case PLEDGE_CONNECTING:
	case PLEDGE_PENDING:
	case PLEDGE_ENROLL_PENDING:
	case PLEDGE_STORING:
	case PLEDGE_CONNECTING_LDEVID:
	case PLEDGE_FINISHED: on_tick(p, ev, act); return; /* late: of no request under way */
	}
}

/* RFC 8995 4.1.1: a change of link state starts every back-off anew. */
static void
forget_backoff(struct mst_pledge *p)
{
	for (size_t i = 0; i < MST_PLEDGE_PEERS_MAX; i++) {
		p->peers[i].not_before = INT64_MIN;
		p->peers[i].backoff = 0;
	}
	p->next_start = INT64_MIN;
	p->retry_gap = 0;
}

static void
on_peer(struct mst_pledge *p, event ev)
{
	struct mst_pledge_peer *peer;

	if (ev->peer >= MST_PLEDGE_PEERS_MAX)
		return;
	peer = &p->peers[ev->peer];
	if (!peer->there && peer->backoff == 0)
		peer->not_before = INT64_MIN;
	peer->there = ev->kind == MST_EV_PEER;
}

void
mst_pledge_step(struct mst_pledge *p, event ev, action act)
{
	*act = (struct mst_pledge_action){ .kind = MST_ACT_WAIT, .until = NEVER, .peer = p->peer };
	switch (ev->kind) {
	case MST_EV_PEER:
	case MST_EV_PEER_GONE:
		on_peer(p, ev);
		on_tick(p, ev, act);
		return;
	case MST_EV_LINK_UP:
		forget_backoff(p);
		on_tick(p, ev, act);
		return;
	case MST_EV_TICK: on_tick(p, ev, act); return;
	case MST_EV_CONNECTED: on_connected(p, ev, act); return;
	case MST_EV_FAILED: on_failed(p, ev, act); return;
	case MST_EV_RESPONSE: on_response(p, ev, act); return;
	case MST_EV_STORED:
		if (p->state == PLEDGE_STORING)
			pledge_on_stored(p, ev, act);
		else
			on_tick(p, ev, act);
		return;
	}
}

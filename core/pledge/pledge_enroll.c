/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EST within the connection that is proven by now: RFC 8995 5.9, in the order
 * of EST-1, or in the shorter one of cV 6.7.1. The same steps renew an LDevID;
 * then the anchors held take the place of the pin.
 */
#include "core/pledge/engine.h"

static bool
renewing(const struct mst_pledge *p)
{
	return p->cfg.mode == MST_PLEDGE_RENEW;
}

/* TEL-2: a failed enrolment MUST be reported on the same connection. */
static void
fail(struct mst_pledge *p, event ev, action act, mst_err e)
{
	p->last = e;
	p->pending_since = MST_NO_TIME;
	if (p->connected)
		pledge_report(p, ev, act, MST_RES_ENROLLSTATUS);
	else
		pledge_give_up(p, ev, act, e);
}

/* The CSR: as csrattrs wants it, or straight after the voucher (cV 6.7.1 step 2, 6.7.4 step 2). */
static void
ask_cert(struct mst_pledge *p, event ev, action act, mst_span wanted)
{
	const struct mst_crypto *c = p->cfg.crypto;
	enum mst_form form = pledge_is_constrained(p) ? MST_FORM_DER : MST_FORM_BASE64;
	mst_err e;

	p->cfg.scratch.len = 0;
	if ((e = c->csr_build(c->ctx, form, wanted, renewing(p), &p->cfg.scratch)) != MST_OK) {
		fail(p, ev, act, e);
		return;
	}
	p->csr = mst_buf_span(&p->cfg.scratch);
	pledge_send(
	    p, ev, act, renewing(p) ? MST_RES_SIMPLEREENROLL : MST_RES_SIMPLEENROLL, p->csr);
}

void
pledge_start_est(struct mst_pledge *p, event ev, action act)
{
	if (pledge_is_constrained(p))
		ask_cert(p, ev, act, MST_NONE);
	else
		pledge_send(p, ev, act, MST_RES_CACERTS, MST_NONE);
}

/* One atomic step for the driver: certificate, anchors and, in the back-end, the key. */
static void
keep(struct mst_pledge *p, action act)
{
	p->state = PLEDGE_STORING;
	act->kind = MST_ACT_KEEP;
	act->ldevid = p->ldevid;
	act->anchors = p->anchors;
	act->not_before = p->ldevid_not_before;
	act->not_after = p->ldevid_not_after;
}

/* Is it a certificate for our key, beneath these anchors? Then p->ldevid is it. */
static mst_err
open_cert(struct mst_pledge *p, event ev, enum mst_form form, mst_span body, mst_span anchors)
{
	const struct mst_crypto *c = p->cfg.crypto;
	size_t start = p->cfg.keep.len;
	mst_err e;

	e = c->ldevid_open(c->ctx, form, body, anchors, &ev->clock, &p->cfg.keep,
	    &p->ldevid_not_before, &p->ldevid_not_after);
	if (e == MST_OK && p->cfg.keep.len == start)
		e = MST_E_PLEDGE_ENROLL;
	if (e == MST_OK)
		p->ldevid = mst_span_of(p->cfg.keep.ptr + start, p->cfg.keep.len - start);
	return e;
}

static enum mst_form
form_of(const struct mst_pledge *p, event ev)
{
	return pledge_is_constrained(p) ? ev->form : MST_FORM_BASE64;
}

/* A cacerts answer: more authoritative than the pin from here on (RFC 8995 5.9.1). */
static mst_err
open_cacerts(struct mst_pledge *p, event ev)
{
	const struct mst_crypto *c = p->cfg.crypto;
	mst_span held = renewing(p) ? p->cfg.anchors : MST_NONE;
	size_t start = p->cfg.keep.len;
	mst_err e;

	e = c->cacerts_open(
	    c->ctx, form_of(p, ev), ev->body, p->pinned_cert, held, &ev->clock, &p->cfg.keep);
	if (e == MST_OK && p->cfg.keep.len == start)
		e = MST_E_PLEDGE_CA_CERTS;
	if (e == MST_OK)
		p->anchors = mst_span_of(p->cfg.keep.ptr + start, p->cfg.keep.len - start);
	return e;
}

void
pledge_on_cacerts(struct mst_pledge *p, event ev, action act)
{
	mst_err e;

	if (ev->status == 202) {
		pledge_pending(p, ev, act);
		return;
	}
	p->pending_since = MST_NO_TIME;
	if (ev->status != 200 && renewing(p) && !pledge_is_constrained(p)) {
		/* The anchors held are enough; an update of them is a kindness. */
		p->anchors = p->cfg.anchors;
		pledge_send(p, ev, act, MST_RES_CSRATTRS, MST_NONE);
		return;
	}
	if (ev->status != 200) { /* RFC 7030 4.1.3, cV 6.7.1 step 5: any other answer aborts */
		fail(p, ev, act, pledge_refusal(p, ev));
		return;
	}
	e = open_cacerts(p, ev);
	/* cV 6.7.1 step 4, 6.7.4 step 4: the certificate that was waiting for them */
	if (e == MST_OK && pledge_is_constrained(p))
		e = open_cert(p, ev, p->answer_form, p->answer, p->anchors);
	if (e != MST_OK)
		fail(p, ev, act, e);
	else if (pledge_is_constrained(p))
		keep(p, act);
	else
		pledge_send(p, ev, act, MST_RES_CSRATTRS, MST_NONE);
}

void
pledge_on_csrattrs(struct mst_pledge *p, event ev, action act)
{
	if (pledge_is_constrained(p)) { /* they are never asked for */
		pledge_give_up(p, ev, act, MST_E_PLEDGE_PROTOCOL);
		return;
	}
	if (ev->status == 202) {
		pledge_pending(p, ev, act);
		return;
	}
	p->pending_since = MST_NO_TIME;
	/* RFC 7030 4.5.2: 204 and 404 say that nothing is wanted. */
	if (ev->status != 200 && ev->status != 204 && ev->status != 404)
		fail(p, ev, act, pledge_refusal(p, ev));
	else
		ask_cert(p, ev, act, ev->status == 200 ? ev->body : MST_NONE);
}

/*
 * cV 6.7.1 step 3: the pin is a root and signed the LDevID, so it is the
 * anchor. 6.7.4 step 3: the anchors held are good for the new one too. Either
 * way cacerts need not be asked for.
 */
static mst_err
settle(struct mst_pledge *p, event ev)
{
	const struct mst_crypto *c = p->cfg.crypto;
	size_t start = p->cfg.keep.len;
	mst_err e;

	p->anchors = renewing(p) ? p->cfg.anchors : p->pinned_cert;
	e = open_cert(p, ev, ev->form, ev->body, p->anchors);
	if (e == MST_OK && !renewing(p))
		e = c->root_signed(c->ctx, p->pinned_cert, p->ldevid);
	if (e != MST_OK)
		p->cfg.keep.len = start;
	return e;
}

static void
on_cert_constrained(struct mst_pledge *p, event ev, action act)
{
	mst_err e;

	if (settle(p, ev) == MST_OK) {
		keep(p, act);
		return;
	}
	/* Whether it is any good will be known when the anchors are. */
	p->anchors = p->ldevid = MST_NONE;
	p->answer_form = ev->form;
	if ((e = mst_buf_keep(&p->cfg.keep, ev->body, &p->answer)) != MST_OK)
		fail(p, ev, act, e);
	else
		pledge_send(p, ev, act, MST_RES_CACERTS, MST_NONE);
}

void
pledge_on_cert(struct mst_pledge *p, event ev, action act)
{
	mst_err e;

	if (ev->status == 202) { /* RFC 7030 4.2.3, RFC 9148 4.7, E3 */
		pledge_pending(p, ev, act);
		return;
	}
	p->pending_since = MST_NO_TIME;
	if (ev->status != 200)
		fail(p, ev, act, pledge_refusal(p, ev));
	else if (pledge_is_constrained(p))
		on_cert_constrained(p, ev, act);
	else if ((e = open_cert(p, ev, MST_FORM_BASE64, ev->body, p->anchors)) != MST_OK)
		fail(p, ev, act, e);
	else
		keep(p, act);
}

void
pledge_on_stored(struct mst_pledge *p, event ev, action act)
{
	struct mst_pledge_peer *peer = &p->peers[p->peer];

	if (ev->err != MST_OK) {
		fail(p, ev, act, MST_E_PLEDGE_STORE);
		return;
	}
	/* Enrolled. From here on the report is all that is left, however often it fails. */
	p->renewed = renewing(p);
	p->cfg.mode = MST_PLEDGE_REPORT;
	p->cfg.anchors = p->anchors;
	/* RFC 8995 5.9.4: a new connection with the LDevID, through the same proxy, at once. */
	peer->backoff = 0;
	peer->not_before = INT64_MIN;
	p->next_start = INT64_MIN;
	p->state = PLEDGE_DISCOVER;
	p->connected = false;
	act->kind = MST_ACT_CLOSE;
}

/* RFC 8995 5.9.4: 200, or 404 where there is no such thing. */
void
pledge_on_enroll_ack(struct mst_pledge *p, event ev, action act)
{
	if (p->last != MST_OK) {
		pledge_give_up(p, ev, act, p->last);
		return;
	}
	if ((ev->status < 200 || ev->status > 299) && ev->status != 404) {
		pledge_give_up(p, ev, act, pledge_refusal(p, ev));
		return;
	}
	p->state = PLEDGE_FINISHED;
	p->connected = false;
	act->kind = MST_ACT_CLOSE;
}

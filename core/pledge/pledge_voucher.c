/* SPDX-License-Identifier: Apache-2.0 */
/* From the TLS connection nobody vouched for to the one that a voucher proves: RFC 8995 5.2 to 5.7.
 */
#include "muster/base64.h"

#include "core/base/frame.h"
#include "core/pledge/engine.h"

/* DM-3: 16 fresh bytes, in JSON as standard base64 with padding. */
static mst_err
nonce_make(struct mst_pledge *p)
{
	const struct mst_crypto *c = p->cfg.crypto;
	struct mst_buf text = { (uint8_t *)p->nonce_text, sizeof(p->nonce_text) - 1, 0 };
	mst_err e;

	if ((e = c->random(c->ctx, p->nonce, sizeof(p->nonce))) != MST_OK)
		return e;
	mst_wipe(p->nonce_text, sizeof(p->nonce_text));
	if (pledge_is_constrained(p))
		return MST_OK; /* no JSON, no text */
	return mst_base64_encode(mst_span_of(p->nonce, sizeof(p->nonce)), &text);
}

static mst_span
nonce_text(const struct mst_pledge *p)
{
	if (pledge_is_constrained(p) || p->cfg.media == MST_MEDIA_COSE_CBOR)
		return MST_NONE; /* there the nonce is a byte string */
	return mst_span_of(p->nonce_text, sizeof(p->nonce_text) - 1);
}

/* 8.1 steps 3 to 6, RFC 8995 5.2. */
void
pledge_ask_voucher(struct mst_pledge *p, event ev, action act)
{
	const struct mst_crypto *c = p->cfg.crypto;
	struct mst_voucher_claims claims;
	mst_err e;

	p->cfg.pvr.len = 0;
	if ((e = nonce_make(p)) != MST_OK)
		goto out;
	mst_voucher_claims_init(&claims, MST_VOUCHER_REQUEST);
	claims.assertion = MST_ASSERT_PROXIMITY;
	if (ev->clock.trust == MST_CLOCK_TRUSTED)
		claims.created_on = ev->clock.now; /* only if there is a real-time clock */
	claims.serial = p->cfg.serial;
	claims.nonce = mst_span_of(p->nonce, sizeof(p->nonce));
	claims.nonce_text = nonce_text(p);
	/* RFC 8995 5.2: MUST be the first certificate of the server's Certificate message. */
	claims.proximity_cert = p->chain.cert[0];
	if ((e = c->request_seal(c->ctx, p->cfg.media, &claims, &p->cfg.pvr)) != MST_OK)
		goto out;
	pledge_send(p, ev, act, MST_RES_REQUESTVOUCHER, mst_buf_span(&p->cfg.pvr));
	return;
out:
	pledge_give_up(p, ev, act, e);
}

/*
 * What outlives the voucher is the anchor for cacerts. Where a bare key is
 * pinned, that is the certificate which was just proven to hold that key.
 */
static mst_err
pin_keep(struct mst_pledge *p, const struct mst_voucher *v)
{
	mst_span pin = v->pinned_cert.ptr != NULL ? v->pinned_cert : p->chain.cert[0];

	p->cfg.keep.len = 0;
	return mst_buf_keep(&p->cfg.keep, pin, &p->pinned_cert);
}

/* 8.7 steps 3 to 9: content, and whether this very connection is the pinned one. */
MST_OWN_FRAME static mst_err
claims_judge(struct mst_pledge *p, event ev, const struct mst_voucher_claims *claims)
{
	const struct mst_crypto *c = p->cfg.crypto;
	struct mst_voucher voucher;
	struct mst_voucher_want want = {
		.serial = p->cfg.serial,
		.idevid_issuer = p->cfg.idevid_issuer,
		.nonce = mst_span_of(p->nonce, sizeof(p->nonce)),
		.nonce_text = nonce_text(p),
		.refuse_nonceless = p->cfg.refuse_nonceless,
		.clock = ev->clock,
	};
	mst_err e;

	if ((e = mst_voucher_check(claims, &want, &voucher)) != MST_OK ||
	    (e = c->pin_judge(c->ctx, &voucher, &p->chain, &ev->clock)) != MST_OK)
		return e;
	return pin_keep(p, &voucher);
}

/* 8.7 in full: signature first. */
MST_OWN_FRAME static mst_err
voucher_judge(struct mst_pledge *p, event ev)
{
	const struct mst_crypto *c = p->cfg.crypto;
	struct mst_voucher_claims claims;
	mst_err e;

	if (ev->media != p->cfg.media) /* HT-1: the answer is in the accepted form or not at all */
		return MST_E_VOUCHER_PARSE;
	p->cfg.scratch.len = 0;
	mst_voucher_claims_init(&claims, MST_VOUCHER);
	if ((e = c->voucher_open(
	         c->ctx, ev->media, ev->body, &ev->clock, &p->cfg.scratch, &claims)) != MST_OK)
		return e;
	return claims_judge(p, ev, &claims);
}

void
pledge_on_voucher(struct mst_pledge *p, event ev, action act)
{
	if (ev->status == 202) {
		pledge_pending(p, ev, act);
		return;
	}
	if (ev->status != 200) {
		pledge_give_up(p, ev, act, pledge_refusal(p, ev));
		return;
	}
	p->pending_since = MST_NO_TIME;
	p->last = voucher_judge(p, ev);
	/* RFC 8995 5.6.2: proven, the connection is no longer provisional. */
	if (p->last == MST_OK)
		p->provisional = false;
	/* TEL-1: the verdict is reported always. */
	pledge_report(p, ev, act, MST_RES_VOUCHER_STATUS);
}

/* RFC 8995 5.7: the client ignores any response; 404 is as good as 200. */
void
pledge_on_status_ack(struct mst_pledge *p, event ev, action act)
{
	if (p->last != MST_OK)
		pledge_give_up(p, ev, act, p->last); /* 8.7 step 10: close, try another */
	else
		pledge_start_est(p, ev, act);
}

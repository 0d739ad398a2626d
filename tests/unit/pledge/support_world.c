/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "unit/pledge/support_world.h"

static const uint8_t issuer[26] = { 0x04, 0x18, 0x30, 0x16, 0x80, 0x14, 0x77 };

static void
breach(struct world *w, const char *why)
{
	w->bad++;
	if (w->bad_why == NULL)
		w->bad_why = why;
}

uint64_t
world_random(struct world *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

void
world_init(struct world *w, const enum peer_kind *peers, unsigned count)
{
	memset(w, 0, sizeof(*w));
	w->fake = (struct fake_crypto){ .random = 7,
		.idevid_key = KEY_IDEVID,
		.masa_key = KEY_MASA,
		.next_key = KEY_LDEVID_FIRST,
		.fail_with = MST_E_INTERNAL };
	w->crypto = fake_crypto(&w->fake);
	w->clock = (struct mst_clock){ MST_CLOCK_TRUSTED, 1795424400 };
	w->rng = 88172645463325252u;
	w->retry_after = 10;
	for (unsigned i = 0; i < count; i++)
		w->peer[i] = peers[i];
	w->peers = count;
}

struct mst_pledge_event
world_event(const struct world *w, enum mst_pledge_event_kind kind)
{
	return (struct mst_pledge_event){
		.kind = kind, .mono = w->mono, .clock = w->clock, .peer = w->on, .retry_after = -1
	};
}

enum mst_media
world_media(const struct world *w)
{
	return w->constrained ? MST_MEDIA_COSE_CBOR : MST_MEDIA_CMS_JSON;
}

void
world_boot(struct world *w)
{
	struct mst_pledge_config cfg = {
		.mode = !w->flash.enrolled ? MST_PLEDGE_BOOTSTRAP
		        : w->renew_due     ? MST_PLEDGE_RENEW
		                           : MST_PLEDGE_REPORT,
		.crypto = &w->crypto,
		.profile = w->constrained ? MST_PROFILE_CONSTRAINED : MST_PROFILE_FULL,
		.media = world_media(w),
		.serial = MST_LIT("JADA123456789"),
		.idevid_issuer = mst_span_of(issuer, sizeof(issuer)),
		.anchors = mst_span_of(w->flash.anchors, w->flash.anchors_len),
		.timers = mst_pledge_timers_default(),
		.pvr = MST_BUF(w->buf_pvr),
		.scratch = MST_BUF(w->buf_scratch),
		.keep = MST_BUF(w->buf_keep),
		.chain = MST_BUF(w->buf_chain),
	};

	mst_pledge_init(&w->p, &cfg);
	w->fake.csr_key = 0; /* a key not stored is gone */
	w->up = w->dead = w->done = false;
	w->announced = 0;
	w->boots++;
	w->ev = world_event(w, MST_EV_TICK);
}

static void
cert(uint8_t *out, uint32_t key, uint32_t by, unsigned flags)
{
	struct fake_cert c = { key, by, flags, 1795000000, 1827000000 };
	struct mst_buf b = { out, FAKE_CERT_LEN, 0 };

	(void)!fake_cert_build(&c, &b);
}

struct mst_chain
world_chain(struct world *w, enum peer_kind kind)
{
	struct mst_chain c = { .count = 2 };
	bool site = kind == PEER_HONEST || kind == PEER_NOT_RA || kind == PEER_SILENT ||
	            kind == PEER_REFUSES || kind == PEER_STALLS || kind == PEER_REDIRECTS;
	uint32_t ca = site ? KEY_SITE_CA : KEY_EVIL_CA;

	if (kind == PEER_NOT_RA)
		cert(w->chain_store[0], KEY_NO_RA, ca, 0);
	else
		cert(w->chain_store[0], site ? KEY_REGISTRAR : KEY_EVIL, ca, FAKE_CERT_RA);
	cert(w->chain_store[1], ca, ca, FAKE_CERT_CA);
	c.cert[0] = mst_span_of(w->chain_store[0], FAKE_CERT_LEN);
	c.cert[1] = mst_span_of(w->chain_store[1], FAKE_CERT_LEN);
	return c;
}

/* What the watcher holds against every voucher-request: 8.1, DM-3. */
static void
watch_pvr(struct world *w, mst_span pvr, const struct mst_voucher_claims *c)
{
	struct mst_chain chain = world_chain(w, w->peer[w->on]);

	if (!mst_span_eq(c->proximity_cert, chain.cert[0]))
		breach(w, "proximity certificate is not this connection's");
	if (c->assertion != MST_ASSERT_PROXIMITY || c->nonce.len != MST_PLEDGE_NONCE_LEN)
		breach(w, "request without proximity or nonce");
	if (w->pvr_len == pvr.len && memcmp(w->pvr, pvr.ptr, pvr.len) == 0) {
		if (!w->pvr_pending)
			breach(w, "the same request without a 202");
		return;
	}
	for (unsigned i = 0; i < w->nonce_count; i++)
		if (memcmp(w->nonces[i], c->nonce.ptr, MST_PLEDGE_NONCE_LEN) == 0)
			breach(w, "a nonce used twice");
	if (w->nonce_count < 4096)
		memcpy(w->nonces[w->nonce_count++], c->nonce.ptr, MST_PLEDGE_NONCE_LEN);
	memcpy(w->pvr, pvr.ptr, pvr.len);
	w->pvr_len = pvr.len;
	w->pvr_pending = false;
}

static void
answer(struct world *w, int status, mst_span body)
{
	w->ev.status = status;
	w->ev.body = body;
	if (status == 202)
		w->ev.retry_after = w->retry_after;
}

static void
answer_voucher(struct world *w, const struct mst_voucher_claims *pvr)
{
	static const uint8_t other_nonce[16] = { 1, 1, 2, 3, 5, 8 };
	enum peer_kind kind = w->peer[w->on];
	struct mst_buf out = MST_BUF(w->body);
	struct mst_voucher_claims c;
	uint8_t pin[FAKE_CERT_LEN];

	if (kind == PEER_FORGES)
		cert(pin, KEY_EVIL_CA, KEY_EVIL_CA, FAKE_CERT_CA);
	else if (w->pin_ra)
		cert(pin, KEY_REGISTRAR, KEY_SITE_CA, FAKE_CERT_RA);
	else
		cert(pin, KEY_SITE_CA, KEY_SITE_CA, FAKE_CERT_CA);
	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = w->clock.now;
	c.serial = pvr->serial;
	c.nonce = pvr->nonce;
	c.nonce_text = pvr->nonce_text;
	c.pinned_cert = mst_span_of(pin, sizeof(pin));
	if (kind == PEER_OTHER_SERIAL)
		c.serial = MST_LIT("SOMEBODY-ELSE");
	if (kind == PEER_REPLAYS) {
		c.nonce = mst_span_of(other_nonce, sizeof(other_nonce));
		c.nonce_text = MST_LIT("AQECAwUIAAAAAAAAAAAAAA==");
	}
	(void)!fake_seal(w->ev.media, &c, kind == PEER_FORGES ? KEY_OTHER_MASA : KEY_MASA, &out);
	answer(w, 200, mst_buf_span(&out));
}

static void
serve_voucher(struct world *w, mst_span body)
{
	enum peer_kind kind = w->peer[w->on];
	struct mst_voucher_claims c;
	uint32_t signer = 0;

	w->ev.media = world_media(w);
	if (fake_open(world_media(w), body, &c, &signer) != MST_OK || signer != KEY_IDEVID) {
		answer(w, 403, MST_NONE);
		return;
	}
	watch_pvr(w, body, &c);
	w->gate = false;
	if (kind == PEER_REFUSES) {
		answer(w, 403, MST_NONE);
	} else if (kind == PEER_REDIRECTS) {
		answer(w, 307, MST_NONE);
	} else if (kind == PEER_STALLS || (kind == PEER_HONEST && w->voucher_202 > 0)) {
		if (kind == PEER_HONEST)
			w->voucher_202--;
		answer(w, 202, MST_NONE);
	} else {
		answer_voucher(w, &c);
	}
}

static bool
says_good(const struct world *w, mst_span body)
{
	static const char good[] = "{\"version\":1,\"status\":true,";

	if (w->constrained)
		return mst_span_eq(body, MST_LIT("\xa2\x67version\x01\x66status\xf5"));
	return body.len > sizeof(good) && memcmp(body.ptr, good, sizeof(good) - 1) == 0;
}

static void
serve_enroll(struct world *w, mst_span csr)
{
	struct mst_buf out = MST_BUF(w->body);
	struct fake_cert c = { 0, w->new_ca ? KEY_NEW_CA : KEY_SITE_CA, 0, w->clock.now,
		w->clock.now + 86400 };
	enum mst_form form = w->constrained ? MST_FORM_DER : MST_FORM_BASE64;

	if (fake_csr_key(form, csr, &c.key) != MST_OK) {
		answer(w, 400, MST_NONE);
	} else if (w->enroll_202 > 0) {
		w->enroll_202--;
		answer(w, 202, MST_NONE);
	} else {
		(void)!fake_cert_build(&c, &out);
		w->ev.form = w->constrained ? MST_FORM_CERT : MST_FORM_BASE64;
		answer(w, 200, mst_buf_span(&out));
	}
}

static void
serve_est(struct world *w, enum mst_resource what, mst_span body)
{
	if (!w->gate && w->as == MST_IDENTITY_IDEVID) { /* EST-3 */
		answer(w, 403, MST_NONE);
		return;
	}
	if (what == MST_RES_CACERTS) {
		cert(w->body, w->new_ca ? KEY_NEW_CA : KEY_SITE_CA, KEY_SITE_CA, FAKE_CERT_CA);
		w->ev.form = w->constrained ? MST_FORM_MULTIPART : MST_FORM_BASE64;
		answer(w, 200, mst_span_of(w->body, FAKE_CERT_LEN));
	} else if (what == MST_RES_CSRATTRS) {
		answer(w, w->csrattrs.ptr == NULL ? 204 : 200, w->csrattrs);
	} else {
		serve_enroll(w, body);
	}
}

static void
serve(struct world *w, enum mst_resource what, mst_span body)
{
	if (w->script_status[what] != 0) {
		answer(w, w->script_status[what], MST_NONE);
		return;
	}
	switch (what) {
	case MST_RES_REQUESTVOUCHER: serve_voucher(w, body); return;
	case MST_RES_VOUCHER_STATUS:
		w->gate = says_good(w, body);
		if (w->gate)
			w->status_good++;
		else
			w->status_bad++;
		answer(w, 200, MST_NONE);
		return;
	case MST_RES_ENROLLSTATUS:
		if (says_good(w, body)) {
			w->reports_good++;
			w->reported_as_ldevid = w->as == MST_IDENTITY_LDEVID;
		} else {
			w->reports_bad++;
		}
		answer(w, 200, MST_NONE);
		return;
	case MST_RES_CACERTS:
	case MST_RES_CSRATTRS:
	case MST_RES_SIMPLEENROLL:
	case MST_RES_SIMPLEREENROLL: serve_est(w, what, body); return;
	}
}

static void
lose_connection(struct world *w)
{
	w->up = w->dead = false;
	w->ev.kind = MST_EV_FAILED;
	w->ev.err = MST_E_UNREACHABLE;
}

/* One message passes; false when the network is cut at it. */
static bool
passes(struct world *w)
{
	w->messages++;
	return w->messages != w->cut_at;
}

static bool
chaos(struct world *w)
{
	if (w->chaos == 0 || w->chaos_left == 0)
		return false;
	w->chaos_left--;
	return world_random(w) % 1000 < w->chaos;
}

static void
do_connect(struct world *w)
{
	w->connects[w->act.identity]++;
	if (w->act.identity == MST_IDENTITY_IDEVID && w->flash.enrolled)
		breach(w, "BRSKI after enrolment");
	if (w->up)
		breach(w, "a second connection");
	w->on = w->act.peer;
	w->as = w->act.identity;
	w->ev = world_event(w, MST_EV_CONNECTED);
	if (!passes(w) || chaos(w) || w->on >= w->peers) {
		lose_connection(w);
		return;
	}
	w->up = true;
	w->ev.chain = world_chain(w, w->peer[w->on]);
}

static void
watch_send(struct world *w)
{
	enum mst_resource what = w->act.resource;
	bool proven = w->peer[w->on] == PEER_HONEST;

	w->sent[what]++;
	if (!w->up)
		breach(w, "a request without a connection");
	if (what != MST_RES_REQUESTVOUCHER && what != MST_RES_VOUCHER_STATUS && !proven &&
	    w->as == MST_IDENTITY_IDEVID)
		breach(w, "EST with an impostor");
	if (what == MST_RES_VOUCHER_STATUS && says_good(w, w->act.body) && !proven)
		breach(w, "an impostor's voucher was accepted");
	if (what == MST_RES_ENROLLSTATUS && says_good(w, w->act.body) && !w->flash.enrolled)
		breach(w, "enrolment reported before it was durable");
}

/* Something happens to a message: lost, late, damaged, or an older answer instead. */
static void
disturb(struct world *w)
{
	switch (world_random(w) % 5) {
	case 0: lose_connection(w); return;
	case 1: /* never answered: the engine's own deadline must end it */
		w->mono += 30;
		w->ev = world_event(w, MST_EV_TICK);
		return;
	case 2:
		if (w->ev.body.len > 0 && w->ev.body.ptr == w->body)
			w->body[world_random(w) % w->ev.body.len] ^=
			    (uint8_t)(1u << world_random(w) % 8);
		return;
	case 3: /* an older answer once more */
		memcpy(w->body, w->last_body, w->last_len < sizeof(w->body) ? w->last_len : 0);
		w->ev.body = mst_span_of(w->body, w->last_len < sizeof(w->body) ? w->last_len : 0);
		w->ev.status = w->last_status;
		return;
	default:
		w->ev.status = (int)(world_random(w) % 600);
		w->ev.form = (enum mst_form)(world_random(w) % (MST_FORM_OTHER + 1));
		return;
	}
}

static void
do_send(struct world *w)
{
	uint8_t request[1024];
	mst_span body = w->act.body;

	watch_send(w);
	w->ev = world_event(w, MST_EV_RESPONSE);
	if (!passes(w) || !w->up || w->dead) {
		lose_connection(w);
		return;
	}
	if (body.len > 0 && body.len <= sizeof(request) &&
	    chaos(w)) { /* damaged on its way there */
		memcpy(request, body.ptr, body.len);
		request[world_random(w) % body.len] ^= 1;
		body.ptr = request;
	}
	if (w->peer[w->on] == PEER_SILENT) {
		w->mono += 30;
		w->ev = world_event(w, MST_EV_TICK);
		return;
	}
	serve(w, w->act.resource, body);
	w->mono += w->slow;
	w->ev.mono = w->mono;
	if (w->slow > 0 && w->mono >= w->act.until) { /* too late for the engine */
		w->mono = w->act.until;
		w->ev = world_event(w, MST_EV_TICK);
		return;
	}
	if (!passes(w)) {
		lose_connection(w);
		return;
	}
	if (chaos(w))
		disturb(w);
	if (w->act.resource == MST_RES_REQUESTVOUCHER && w->ev.status == 202)
		w->pvr_pending = true;
	if (w->ev.kind == MST_EV_RESPONSE && w->ev.body.len <= sizeof(w->last_body)) {
		if (w->ev.body.len > 0)
			memcpy(w->last_body, w->ev.body.ptr, w->ev.body.len);
		w->last_len = w->ev.body.len;
		w->last_status = w->ev.status;
	}
}

/* Flash takes all of it or nothing. */
static void
do_keep(struct world *w)
{
	struct fake_cert c;
	struct flash next;

	w->keeps++;
	w->ev = world_event(w, MST_EV_STORED);
	if (w->store_fails) {
		w->ev.err = MST_E_IO;
		return;
	}
	if (fake_cert_parse(w->act.ldevid, &c) != MST_OK ||
	    c.issuer != (w->new_ca ? KEY_NEW_CA : KEY_SITE_CA) || c.key != w->fake.csr_key)
		breach(w, "a foreign certificate was kept");
	if (w->act.ldevid.len > sizeof(w->flash.ldevid) ||
	    w->act.anchors.len > sizeof(w->flash.anchors) || w->act.anchors.len == 0) {
		breach(w, "KEEP does not fit");
		return;
	}
	next = (struct flash){ .enrolled = true, .key = w->fake.csr_key };
	memcpy(next.ldevid, w->act.ldevid.ptr, w->act.ldevid.len);
	next.ldevid_len = w->act.ldevid.len;
	memcpy(next.anchors, w->act.anchors.ptr, w->act.anchors.len);
	next.anchors_len = w->act.anchors.len;
	w->flash = next; /* not before: renewal may hand back the anchors it was given */
	w->renew_due = false;
}

static void
do_wait(struct world *w)
{
	if (w->act.until <= w->mono)
		breach(w, "WAIT until the past");
	w->last_wait = w->act.until;
	w->ev = world_event(w, MST_EV_TICK);
	if (w->announced < w->peers) {
		w->ev.kind = MST_EV_PEER;
		w->ev.peer = w->announced++;
		return;
	}
	w->mono = w->act.until == INT64_MAX ? w->mono + 60 : w->act.until;
	w->ev.mono = w->mono;
	if (chaos(w)) {
		static const enum mst_pledge_event_kind outside[] = { MST_EV_PEER, MST_EV_PEER_GONE,
			MST_EV_LINK_UP, MST_EV_FAILED, MST_EV_STORED };
		w->ev.kind = outside[world_random(w) % 5];
		w->ev.peer = (unsigned)(world_random(w) % (w->peers + 1));
		if (w->ev.kind == MST_EV_PEER_GONE)
			w->announced = 0; /* it will be announced again */
		if (w->ev.kind == MST_EV_FAILED)
			w->up = false;
	}
}

static void
perform(struct world *w)
{
	switch (w->act.kind) {
	case MST_ACT_WAIT: do_wait(w); return;
	case MST_ACT_CONNECT: do_connect(w); return;
	case MST_ACT_SEND: do_send(w); return;
	case MST_ACT_KEEP: do_keep(w); return;
	case MST_ACT_CLOSE:
		w->up = w->dead = false;
		w->ev = world_event(w, MST_EV_TICK);
		return;
	case MST_ACT_DONE:
		w->done = true;
		w->flash.reported = true;
		w->ev = world_event(w, MST_EV_TICK);
		return;
	}
}

void
world_step(struct world *w)
{
	mst_pledge_step(&w->p, &w->ev, &w->act);
	if (w->act.because != MST_OK && w->act.because != MST_E_PLEDGE_NO_PEER)
		w->because = w->act.because;
	if (w->act.kind != MST_ACT_WAIT) {
		w->actions++;
		if (w->actions == w->power_at) {
			world_boot(w);
			return;
		}
	}
	perform(w);
	if (w->flash.enrolled && w->p.cfg.mode == MST_PLEDGE_BOOTSTRAP &&
	    w->act.kind != MST_ACT_KEEP && w->actions != w->power_after)
		breach(w, "enrolled and factory-fresh at once");
	if (w->act.kind != MST_ACT_WAIT && w->actions == w->power_after)
		world_boot(w);
}

bool
world_run(struct world *w, unsigned steps)
{
	while (!w->done && steps-- > 0)
		world_step(w);
	return w->done;
}

bool
world_until(struct world *w, enum mst_pledge_state state, unsigned steps)
{
	while (w->p.state != state && !w->done && steps-- > 0)
		world_step(w);
	return w->p.state == state;
}

void
world_answer(struct world *w)
{
	perform(w);
	mst_pledge_step(&w->p, &w->ev, &w->act);
}

struct mst_pledge_action
world_give(struct world *w, struct mst_pledge_event ev)
{
	struct mst_pledge_action act;

	memset(&act, 0xa5, sizeof(act));
	mst_pledge_step(&w->p, &ev, &act);
	return act;
}

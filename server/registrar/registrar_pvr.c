/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pledge asks for a voucher. In order: judge, admit (durable), have the RVR
 * signed, write it (durable: a retry sends the same bytes and the MASA logs it
 * once), ask the MASA, judge its voucher, write it (durable), forward it
 * byte-identical (RFC 8995 5.6).
 */
#include "server/registrar/room.h"

#include <string.h>

#include <openssl/evp.h>

#include "host/clock.h"
#include "muster/base64.h"

struct run {
	struct registrar *r;
	struct net_request *rq;
	struct trust_verdict client;
	struct registrar_pvr pvr;
	struct mst_voucher_claims rvr_claims;
	enum mst_media media;
	const char *masa; /* base URI */
	struct device device;
	struct exchange x;
	mst_span voucher; /* stored or new */
	mst_err verdict;
	const char *words;
};

static void on_admitted(void *arg, mst_err e);
static void on_rvr_signed(void *arg, mst_err e, mst_span message);
static void on_rvr_stored(void *arg, mst_err e);
static void on_masa(void *arg, const struct net_answer *answer);
static void on_voucher_stored(void *arg, mst_err e);

static void
refuse(struct run *u, enum step step, mst_err e, const char *words)
{
	if (e == MST_E_AUTHZ_PENDING || e == MST_E_MASA_BUSY)
		journal_wait(
		    u->r->journal, u->rq, u->device.id, step, e, u->r->c.retry_after, words);
	else
		journal_refuse(u->r->journal, u->rq, u->device.id, step, e, words);
}

/* Does the client take what it will get (RFC 8995 5.2)? */
static bool
accepts(const char *accept, enum mst_media media)
{
	return accept == NULL || strstr(accept, "*/*") != NULL ||
	       strcasestr(accept, mst_media_type(media)) != NULL;
}

/* HT-4: old pledges send base64; only where the manufacturer's entry says so. */
static mst_err
message_of(struct run *u, mst_span *message)
{
	mst_span body = u->rq->body;
	struct mst_buf out;

	*message = body;
	if (!u->client.manufacturer.legacy_base64 || body.len < 3 ||
	    memcmp(body.ptr, "MII", 3) != 0)
		return MST_OK;
	out = arena_buf(u->rq->arena, body.len);
	if (mst_base64_decode(body, MST_BASE64_SPACE, &out) != MST_OK)
		return MST_E_PVR_PARSE;
	*message = mst_buf_span(&out);
	return MST_OK;
}

static mst_err
judge(struct run *u)
{
	struct net_request *rq = u->rq;
	struct registrar_pvr_in in = { .media = u->media,
		.client = &u->client,
		.client_cert = rq->peer->leaf,
		.client_chain = rq->peer->chain,
		.own = rq->peer->own,
		.clock = clock_now() };
	mst_err e = message_of(u, &in.message);

	if (e != MST_OK || (e = registrar_judge_pvr(rq->arena, &in, &u->pvr)) != MST_OK)
		return e;
	u->x.pvr = in.message;
	u->x.pvr_sha256 = mst_span_of(u->pvr.sha256, sizeof u->pvr.sha256);
	u->x.media = u->media;
	u->x.nonce = u->pvr.request.claims.nonce_text.ptr != NULL ? u->pvr.request.claims.nonce_text
	                                                          : u->pvr.request.claims.nonce;
	if ((e = registrar_rate(u->r, u->client.manufacturer.id, u->client.serial)) != MST_OK)
		return e;
	return MST_OK;
}

/* --- admit: in one transaction with its rows --- */

/* What the stored exchange of these very bytes says: 8.2 step 9. */
static mst_err
take_exchange(struct run *u, struct db *db)
{
	struct exchange known;
	mst_err e = exchange_find(db, u->rq->arena, u->x.pvr_sha256, &known);

	if (e == MST_OK) {
		u->x = known;
		u->voucher = known.voucher;
		return MST_OK;
	}
	if (e != MST_E_NOT_FOUND)
		return e;
	u->x.device = u->device.id;
	u->x.created = clock_wall();
	return exchange_add(db, &u->x);
}

static void
note_seen(struct run *u, int64_t now)
{
	struct device *d = &u->device;

	d->last_seen = now;
	d->trace = u->rq->trace;
	d->idevid_issuer = u->client.idevid_issuer;
	d->idevid_spki_sha256 = u->client.spki_sha256;
	if (u->verdict == MST_E_AUTHZ_PENDING)
		d->state = DEVICE_PENDING;
	else if (d->state == DEVICE_PLANNED || (d->state == DEVICE_PENDING && u->verdict == MST_OK))
		d->state = DEVICE_SEEN;
}

static mst_err
admit(struct db *db, void *arg)
{
	struct run *u = arg;
	struct arena *a = u->rq->arena;
	int64_t now = clock_wall();
	struct manufacturer *m = &u->client.manufacturer;
	bool created;
	mst_err e;

	if ((e = device_touch(db, a, m->id, u->client.serial, now, &u->device, &created)) != MST_OK)
		return e;
	u->verdict = registrar_authorise(m, &u->device);
	if (u->verdict == MST_OK)
		u->verdict = registrar_masa_url(a, m, u->client.masa_url, &u->masa);
	if (u->verdict == MST_OK && (e = take_exchange(u, db)) != MST_OK) {
		if (e != MST_E_PVR_REPLAY)
			return e;
		u->verdict = e;
	}
	note_seen(u, now);
	if ((e = device_save(db, &u->device)) != MST_OK)
		return e;
	/* a refusal's row is written by journal_refuse */
	return u->verdict != MST_OK
	           ? MST_OK
	           : journal_row(u->r->journal, db, u->rq, u->device.id, STEP_PVR, MST_OK, NULL);
}

static void
forward(struct run *u)
{
	net_reply(u->rq, 200, mst_media_type(u->media), u->voucher, NULL, 0);
}

static void
sign_rvr(struct run *u)
{
	struct keys_request k = { .kind = KEYS_SIGN_RVR,
		.entry = (uint64_t)u->x.id,
		.slot = u->r->c.rvr_slot,
		.media = u->media,
		.claims = &u->rvr_claims };
	unsigned loop = registrar_loop(u->r, u->rq->loop);

	registrar_rvr_claims(&u->pvr, u->x.pvr, &u->client, clock_wall(), &u->rvr_claims);
	keys_call(ca_loop_keys(u->r->c.loops[loop]), &k, on_rvr_signed, u);
}

static void
ask_masa(struct run *u)
{
	mst_err e = masa_post(u->r, u->rq->loop, &u->client.manufacturer, u->masa, "requestvoucher",
	    u->media, mst_media_type(u->media), u->x.rvr, u->rq->trace, on_masa, u);

	if (e != MST_OK)
		refuse(
		    u, STEP_RVR, e, "the MASA's access data of this manufacturer cannot be used");
}

static void
on_admitted(void *arg, mst_err e)
{
	struct run *u = arg;

	if (e != MST_OK || u->verdict != MST_OK) {
		refuse(
		    u, e != MST_OK ? STEP_PVR : STEP_DECISION, e != MST_OK ? e : u->verdict, NULL);
		return;
	}
	net_accept(u->rq, STEP_PVR, NULL);
	registrar_rvr_claims(&u->pvr, u->x.pvr, &u->client, clock_wall(), &u->rvr_claims);
	if (u->voucher.ptr != NULL) /* the answer was lost, or the pledge asks again */
		forward(u);
	else if (u->x.rvr.ptr != NULL)
		ask_masa(u);
	else
		sign_rvr(u);
}

/* --- the RVR --- */

static mst_err
store_rvr(struct db *db, void *arg)
{
	struct run *u = arg;

	return exchange_save(db, &u->x);
}

static void
on_rvr_signed(void *arg, mst_err e, mst_span message)
{
	struct run *u = arg;

	if (e == MST_OK && (u->x.rvr = arena_dup(u->rq->arena, message)).ptr == NULL)
		e = MST_E_NOMEM;
	if (e != MST_OK) {
		refuse(u, STEP_RVR, e, NULL);
		return;
	}
	registrar_write(u->r, u->rq->loop, store_rvr, on_rvr_stored, u);
}

static void
on_rvr_stored(void *arg, mst_err e)
{
	struct run *u = arg;

	if (e != MST_OK) {
		refuse(u, STEP_RVR, e, NULL);
		return;
	}
	net_accept(u->rq, STEP_RVR, u->masa);
	ask_masa(u);
}

/* --- the voucher --- */

static mst_err
judge_answer(struct run *u, const struct net_answer *answer)
{
	struct registrar_voucher_in in = { .media = u->media,
		.message = answer->body,
		.rvr = &u->rvr_claims,
		.own = u->rq->peer->own,
		.own_chain = u->r->c.tls_chain,
		.clock = clock_now() };
	struct masa_access *x;
	mst_err e = masa_answer_judge(u->rq->arena, answer, &u->words);

	if (e != MST_OK)
		return e;
	if (answer->content_type == NULL ||
	    mst_media_find(mst_span_str(answer->content_type)) != u->media) {
		u->words = "the MASA answered another media type";
		return MST_E_MASA_FORMAT;
	}
	if ((e = masa_access(u->r, &u->client.manufacturer, &x)) != MST_OK)
		return e;
	in.voucher_anchors = x->vouchers;
	return registrar_judge_voucher(u->rq->arena, &in, &u->words);
}

static mst_err
store_result(struct db *db, void *arg)
{
	struct run *u = arg;
	struct device d;
	mst_err e;

	u->x.result = u->verdict;
	if ((e = exchange_save(db, &u->x)) != MST_OK || u->verdict != MST_OK)
		return e;
	if ((e = device_by_id(db, u->rq->arena, u->device.id, &d)) != MST_OK)
		return e;
	d.state = DEVICE_VOUCHER;
	d.voucher_at = u->x.answered;
	d.voucher_status = -1;
	d.enroll_status = -1;
	d.audit_verdict = -1; /* judged anew: the log has grown by this voucher */
	d.audit_words = NULL;
	if ((e = device_save(db, &d)) != MST_OK)
		return e;
	return journal_row(u->r->journal, db, u->rq, d.id, STEP_VOUCHER, MST_OK,
	    u->device.state == DEVICE_ACTIVE || u->device.state == DEVICE_ENROLLED
	        ? "a device that was enrolled bootstraps again (SEC-3)"
	        : NULL);
}

static void
on_masa(void *arg, const struct net_answer *answer)
{
	struct run *u = arg;

	u->verdict = judge_answer(u, answer);
	if (u->verdict == MST_OK) {
		u->voucher = arena_dup(u->rq->arena, answer->body);
		if (u->voucher.ptr == NULL) {
			refuse(u, STEP_VOUCHER, MST_E_NOMEM, NULL);
			return;
		}
		u->x.voucher = u->voucher;
	}
	u->x.answered = clock_wall();
	registrar_write(u->r, u->rq->loop, store_result, on_voucher_stored, u);
}

static void
on_voucher_stored(void *arg, mst_err e)
{
	struct run *u = arg;

	if (u->verdict != MST_OK || e != MST_OK) {
		refuse(u, STEP_VOUCHER, u->verdict != MST_OK ? u->verdict : e, u->words);
		return;
	}
	net_accept(u->rq, STEP_VOUCHER, NULL);
	forward(u);
}

/* --- the request --- */

static mst_err
begin(struct run *u)
{
	struct net_request *rq = u->rq;
	mst_err e = trust_copy(rq->arena, trust_judge(u->r->c.trust, rq), &u->client);

	if (e != MST_OK)
		return e;
	rq->serial = u->client.serial;
	rq->manufacturer = u->client.manufacturer.name;
	u->words = u->client.detail;
	u->media = rq->content_type == NULL ? MST_MEDIA_NONE
	                                    : mst_media_find(mst_span_str(rq->content_type));
	if ((e = judge(u)) != MST_OK)
		return e;
	return accepts(rq->accept, u->media) ? MST_OK : MST_E_MEDIA_ACCEPT;
}

void
registrar_on_requestvoucher(struct net_request *rq, void *arg)
{
	struct run *u = arena_alloc(rq->arena, sizeof *u);
	mst_err e;

	if (u == NULL) {
		net_refuse(rq, STEP_PVR, MST_E_NOMEM, NULL);
		return;
	}
	u->r = arg;
	u->rq = rq;
	if ((e = begin(u)) != MST_OK)
		refuse(u, STEP_PVR, e, u->words);
	else
		registrar_write(u->r, rq->loop, admit, on_admitted, u);
}

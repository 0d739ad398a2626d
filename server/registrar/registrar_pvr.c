/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pledge asks for a voucher. In order: judge, admit (durable), have the RVR
 * signed, write it (durable: a retry sends the same bytes and the MASA logs it
 * once), ask the MASA, judge its voucher, write it (durable), forward it
 * byte-identical (RFC 8995 5.6).
 *
 * That way is a run. It lives on its own memory, because it outlives the
 * request: a pledge that waits longer than answer_ms hears 202 and asks again
 * with the same bytes, and then finds the stored voucher, or joins the run that
 * is still under way. So a MASA is asked once, however often a pledge asks.
 */
#include "server/registrar/room.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/clock.h"
#include "host/log.h"
#include "muster/base64.h"

#define RUN_BYTES (4u << 20)
#define RETRY_MOST 60 /* seconds that a pledge waits at most (RFC 8995 5.6) */

/* A request that hangs on a run. Its loop need not be the run's. */
struct waiter {
	struct waiter *next; /* of the run; under the lock */
	struct run *run;
	struct net_loop *loop;
	struct net_request *rq; /* NULL once answered */
	struct net_timer *timer;
};

struct run {
	struct run *next, *prev; /* of the registrar; under the lock, like the next three */
	unsigned refs; /* its waiters, and itself until it is over */
	bool over; /* what follows does not change any more */
	struct waiter *waiters;
	struct registrar *r;
	struct net_loop *loop;
	struct arena *a;
	struct journal_who who;
	struct trust_verdict client;
	X509 *own; /* that was shown on the connection of the first request */
	struct registrar_pvr pvr;
	STACK_OF(X509) *pledge_chain; /* COSE alone: for the RVR's x5bag */
	struct mst_voucher_claims rvr_claims;
	enum mst_media media;
	const char *masa; /* base URI */
	struct device device;
	struct exchange x;
	bool known; /* the exchange was there before */
	bool repeats; /* the refusal stands in the trail already */
	mst_span voucher; /* stored or new */
	/* the outcome */
	enum step step;
	mst_err verdict;
	const char *words;
	long retry_after;
};

static void on_admitted(void *arg, mst_err e);
static void on_rvr_signed(void *arg, mst_err e, mst_span message);
static void on_rvr_stored(void *arg, mst_err e);
static void on_masa(void *arg, const struct net_answer *answer);
static void on_result_stored(void *arg, mst_err e);

/* --- the end --- */

static void
run_free(struct run *u)
{
	arena_free(u->a); /* u lies in it */
}

static void
run_unref(struct run *u)
{
	struct registrar *r = u->r;
	bool last;

	pthread_mutex_lock(&r->lock);
	if ((last = --u->refs == 0)) {
		if (u->prev != NULL)
			u->prev->next = u->next;
		else
			r->runs = u->next;
		if (u->next != NULL)
			u->next->prev = u->prev;
	}
	pthread_mutex_unlock(&r->lock);
	if (last)
		run_free(u);
}

/* net_free has taken the requests and the timers. */
void
registrar_runs_free(struct registrar *r)
{
	struct run *u;
	struct waiter *w;

	while ((u = r->runs) != NULL) {
		r->runs = u->next;
		while ((w = u->waiters) != NULL) {
			u->waiters = w->next;
			free(w);
		}
		run_free(u);
	}
}

static bool
is_wait(mst_err e)
{
	return mst_err_info(e)->http == 202;
}

static void
answer(struct net_request *rq, const struct run *u)
{
	if (u->verdict == MST_OK) {
		net_accept(rq, u->step, u->words);
		net_reply(rq, 200, mst_media_type(u->media), u->voucher, NULL, 0);
	} else if (is_wait(u->verdict)) {
		net_wait(rq, u->step, u->verdict, u->retry_after, u->words);
	} else {
		net_refuse(rq, u->step, u->verdict, u->words);
	}
}

/* On the waiter's loop: the run is over. */
static void
tell(void *arg)
{
	struct waiter *w = arg, **at;
	struct run *u = w->run;

	net_cancel(w->timer);
	if (w->rq != NULL)
		answer(w->rq, u);
	pthread_mutex_lock(&u->r->lock);
	for (at = &u->waiters; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	pthread_mutex_unlock(&u->r->lock);
	free(w);
	run_unref(u);
}

/* RFC 8995 5.1: no connection stands still for 5 s. The run goes on. */
static void
on_out_of_patience(void *arg)
{
	struct waiter *w = arg;
	struct net_request *rq = w->rq;

	w->timer = NULL;
	w->rq = NULL;
	net_wait(rq, STEP_RVR, MST_E_MASA_BUSY, w->run->r->c.retry_after,
	    "the exchange with the MASA goes on");
}

/* Nobody hears the outcome any more, so nobody else logs it. */
static void
log_outcome(const struct run *u)
{
	log_decision(&(struct decision){ .role = "registrar",
	    .step = u->step,
	    .err = u->verdict,
	    .trace = u->who.trace,
	    .serial = u->client.serial,
	    .manufacturer = u->client.manufacturer.name,
	    .detail = u->words });
}

/* The run's own loop only. */
static void
finish(struct run *u, enum step step, mst_err e, const char *words)
{
	struct waiter *w;
	bool heard = false;

	u->step = step;
	u->verdict = e;
	u->words = words;
	if (e != MST_OK && !u->repeats)
		journal_record(u->r->journal, &u->who, u->device.id, step, e, words);
	pthread_mutex_lock(&u->r->lock);
	u->over = true;
	for (w = u->waiters; w != NULL; w = w->next)
		if (w->loop != u->loop) {
			net_post(w->loop, tell, w);
			heard = true;
		} else if (w->rq != NULL) {
			heard = true;
		}
	pthread_mutex_unlock(&u->r->lock);
	if (!heard)
		log_outcome(u);
	/* Those of this loop: only this thread takes them off the list. */
	for (;;) {
		pthread_mutex_lock(&u->r->lock);
		for (w = u->waiters; w != NULL && w->loop != u->loop; w = w->next)
			;
		pthread_mutex_unlock(&u->r->lock);
		if (w == NULL)
			break;
		tell(w);
	}
	run_unref(u);
}

/* After registrar_stop nothing may be written or answered; registrar_free takes the memory. */
static bool
stopped(const struct run *u)
{
	return atomic_load(&u->r->stopped);
}

/* --- the beginning --- */

/* One element of an Accept list: does it name the media type, and not with q=0? */
static bool
range_takes(const char *range, size_t n, const char *type)
{
	size_t t = strcspn(type, "/") + 1, name = 0, at;

	while (n != 0 && (*range == ' ' || *range == '\t')) {
		range++;
		n--;
	}
	while (name < n && range[name] != ';' && range[name] != ' ' && range[name] != '\t')
		name++;
	if (!(name == 3 && memcmp(range, "*/*", 3) == 0) &&
	    !(name == t + 1 && strncasecmp(range, type, t) == 0 && range[t] == '*') &&
	    !(name == strlen(type) && strncasecmp(range, type, name) == 0))
		return false;
	for (at = name; at + 2 < n; at++)
		if ((range[at] == ';' || range[at] == ' ') &&
		    strncasecmp(range + at + 1, "q=", 2) == 0)
			return strspn(range + at + 3, "0.") < strcspn(range + at + 3, ",; \t");
	return true;
}

/* Does the client take what it will get (RFC 8995 5.2, RFC 9110 12.5.1)? */
static bool
accepts(const char *accept, enum mst_media media)
{
	const char *type = mst_media_type(media);

	if (accept == NULL)
		return true;
	while (*accept != '\0') {
		size_t n = strcspn(accept, ",");

		if (range_takes(accept, n, type))
			return true;
		accept += n;
		accept += *accept == ',';
	}
	return false;
}

/* HT-4: old pledges send base64; only where the manufacturer's entry says so. */
static mst_err
message_of(struct run *u, mst_span body, mst_span *message)
{
	struct mst_buf out;

	if (!u->client.manufacturer.legacy_base64 || body.len < 3 ||
	    memcmp(body.ptr, "MII", 3) != 0) {
		*message = arena_dup(u->a, body);
		return message->ptr != NULL ? MST_OK : MST_E_NOMEM;
	}
	out = arena_buf(u->a, body.len);
	if (mst_base64_decode(body, MST_BASE64_SPACE, &out) != MST_OK)
		return MST_E_PVR_PARSE;
	*message = mst_buf_span(&out);
	return MST_OK;
}

static mst_err
judge(struct run *u, const struct net_request *rq)
{
	struct registrar_pvr_in in = { .media = u->media,
		.client = &u->client,
		.client_cert = rq->peer->leaf,
		.client_chain = rq->peer->chain,
		.own = u->own,
		.clock = clock_now() };
	struct snapshot *hold = NULL;
	mst_err e = message_of(u, rq->body, &in.message);

	if (e != MST_OK)
		return e;
	if (u->client.class == TRUST_IDEVID &&
	    trust_hold(u->r->c.trust, u->client.manufacturer.id, &hold, &in.maker) != MST_OK)
		in.maker = NULL; /* fails closed */
	e = registrar_judge_pvr(u->a, &in, &u->pvr);
	if (e == MST_OK && u->media == MST_MEDIA_COSE_CBOR)
		e = registrar_pledge_chain(u->a, &in, &u->pledge_chain);
	if (hold != NULL)
		trust_release(hold);
	if (e != MST_OK)
		return e;
	u->x.pvr = in.message;
	u->x.pvr_sha256 = mst_span_of(u->pvr.sha256, sizeof u->pvr.sha256);
	u->x.media = u->media;
	return envelope_nonce_text(u->a, &u->pvr.request.claims, &u->x.nonce);
}

static void
drop_cert(void *cert)
{
	X509_free(cert);
}

static const char *
keep(struct run *u, const char *s)
{
	return arena_str(u->a, mst_span_str(s));
}

/* What of the request the run keeps. */
static mst_err
keep_request(struct run *u, struct net_request *rq)
{
	mst_err e = trust_copy(u->a, trust_judge(u->r->c.trust, rq), &u->client);

	if (e != MST_OK)
		return e;
	u->who =
	    (struct journal_who){ keep(u, rq->trace), keep(u, rq->id), keep(u, rq->peer->address) };
	if (u->who.trace == NULL || u->who.request == NULL || u->who.peer == NULL)
		return MST_E_NOMEM;
	if (rq->peer->own == NULL)
		return MST_E_TLS_NO_CLIENT_CERT; /* a plain listener: no proximity to judge */
	X509_up_ref(rq->peer->own);
	if ((u->own = arena_own(u->a, rq->peer->own, drop_cert)) == NULL)
		return MST_E_NOMEM;
	/* The run may go on without the request, and the request with another run. */
	rq->serial = arena_dup(rq->arena, u->client.serial);
	rq->manufacturer = u->client.manufacturer.name == NULL
	                       ? NULL
	                       : arena_str(rq->arena, mst_span_str(u->client.manufacturer.name));
	return MST_OK;
}

static mst_err
begin(struct run *u, struct net_request *rq)
{
	mst_err e = keep_request(u, rq);

	if (e != MST_OK)
		return e;
	u->words = u->client.detail;
	u->media = rq->content_type == NULL ? MST_MEDIA_NONE
	                                    : mst_media_find(mst_span_str(rq->content_type));
	/* Before the costly part, so that a broken or hostile device pays for itself. */
	if (u->client.class == TRUST_IDEVID &&
	    (e = registrar_rate(u->r, RATE_PVR, &u->client)) != MST_OK)
		return e;
	if ((e = judge(u, rq)) != MST_OK)
		return e;
	return accepts(rq->accept, u->media) ? MST_OK : MST_E_MEDIA_ACCEPT;
}

/* The device whose timeline a refusal belongs to; 0: none is known (yet). */
static int64_t
known_device(struct run *u)
{
	struct device d;

	if (u->client.class == TRUST_IDEVID &&
	    device_find(store_reader(u->r->c.store), u->a, u->client.manufacturer.id,
	        u->client.serial, u->client.idevid_issuer, &d) == MST_OK)
		return d.id;
	return 0;
}

static struct run *
run_new(struct registrar *r, struct net_loop *l)
{
	struct arena *a = arena_new(RUN_BYTES);
	struct run *u = a != NULL ? arena_alloc(a, sizeof *u) : NULL;

	if (u == NULL) {
		arena_free(a);
		return NULL;
	}
	u->a = a;
	u->r = r;
	u->loop = l;
	u->retry_after = r->c.retry_after;
	return u;
}

static struct run *
under_way(struct registrar *r, const struct run *like)
{
	struct run *u;

	for (u = r->runs; u != NULL; u = u->next)
		if (!u->over && memcmp(u->pvr.sha256, like->pvr.sha256, sizeof u->pvr.sha256) == 0)
			break;
	return u;
}

/* The same bytes again: one run for both. True when there is one. */
static bool
join(struct run *u, struct waiter *w)
{
	struct registrar *r = u->r;
	struct run *other;

	pthread_mutex_lock(&r->lock);
	other = under_way(r, u);
	w->run = other != NULL ? other : u;
	w->next = w->run->waiters;
	w->run->waiters = w;
	if (other != NULL) {
		other->refs++;
	} else {
		u->refs = 2;
		if ((u->next = r->runs) != NULL)
			u->next->prev = u;
		r->runs = u;
	}
	pthread_mutex_unlock(&r->lock);
	return other != NULL;
}

/* --- admit: in one transaction with its rows --- */

/* What the stored exchange of these very bytes says: 8.2 step 9. */
static mst_err
take_exchange(struct run *u, struct db *db)
{
	struct exchange known;
	mst_err e = exchange_find(db, u->a, u->x.pvr_sha256, &known);

	if (e == MST_OK && known.device != u->device.id)
		return MST_E_PVR_REPLAY; /* under another manufacturer's entry: not this device's */
	if (e == MST_OK) {
		u->x = known;
		u->voucher = known.voucher;
		u->known = true;
		return MST_OK;
	}
	if (e != MST_E_NOT_FOUND)
		return e;
	u->x.device = u->device.id;
	u->x.created = clock_wall();
	return exchange_add(db, &u->x);
}

static void
bind_idevid(const struct run *u, struct device *d)
{
	d->idevid_issuer = u->client.idevid_issuer;
	d->idevid_spki_sha256 = u->client.spki_sha256;
}

static void
note_seen(struct run *u, int64_t now)
{
	struct device *d = &u->device;

	if (d->idevid_spki_sha256.ptr != NULL &&
	    !mst_span_eq(d->idevid_spki_sha256, u->client.spki_sha256))
		u->words = "it shows another IDevID key than before (SEC-3)";
	/*
	 * EST-3: a voucher, its status and its audit belong to the key that it was
	 * given to. Another of the same serial number must not inherit them by
	 * asking: it becomes the device's key with a voucher of its own.
	 */
	if (d->voucher_at == 0)
		bind_idevid(u, d);
	u->repeats = u->verdict == MST_E_AUTHZ_PENDING && d->state == DEVICE_PENDING;
	d->last_seen = now;
	d->trace = u->who.trace;
	if (u->verdict == MST_E_AUTHZ_PENDING)
		d->state = DEVICE_PENDING;
	else if (d->state == DEVICE_PLANNED || (d->state == DEVICE_PENDING && u->verdict == MST_OK))
		d->state = DEVICE_SEEN;
}

static mst_err
admit(struct db *db, void *arg)
{
	struct run *u = arg;
	int64_t now = clock_wall();
	struct manufacturer *m = &u->client.manufacturer;
	bool created;
	mst_err e;

	if ((e = device_touch(db, u->a, m->id, u->client.serial, u->client.idevid_issuer, now,
	         &u->device, &created)) != MST_OK)
		return e;
	u->verdict = registrar_authorise(m, &u->device);
	if (u->verdict == MST_OK)
		u->verdict = registrar_masa_url(u->a, m, u->client.masa_url, &u->masa);
	if (u->verdict == MST_OK && (e = take_exchange(u, db)) != MST_OK) {
		if (e != MST_E_PVR_REPLAY)
			return e;
		u->verdict = e;
	}
	note_seen(u, now);
	if ((e = device_save(db, &u->device)) != MST_OK)
		return e;
	/* A refusal's row comes with its outcome; a pledge that asks again leaves one row, not
	 * many. */
	if (u->verdict != MST_OK || u->known)
		return MST_OK;
	return journal_row_of(u->r->journal, db, &u->who, u->device.id, STEP_PVR, MST_OK, u->words);
}

static void
start(struct run *u)
{
	registrar_write(u->r, u->loop, admit, on_admitted, u);
}

void
registrar_on_requestvoucher(struct net_request *rq, void *arg)
{
	struct registrar *r = arg;
	struct run *u = run_new(r, rq->loop);
	struct waiter *w;
	mst_err e;

	if (u == NULL) {
		net_refuse(rq, STEP_PVR, MST_E_NOMEM, NULL);
		return;
	}
	if ((e = begin(u, rq)) != MST_OK) {
		/* A quota's rows would be the flood that the quota is against. */
		journal_refuse(
		    r->journal, rq, e == MST_E_QUOTA ? 0 : known_device(u), STEP_PVR, e, u->words);
		run_free(u);
		return;
	}
	if ((w = calloc(1, sizeof *w)) == NULL ||
	    (w->timer = net_after(rq->loop, r->c.answer_ms, on_out_of_patience, w)) == NULL) {
		free(w);
		run_free(u);
		net_refuse(rq, STEP_PVR, MST_E_NOMEM, NULL);
		return;
	}
	w->loop = rq->loop;
	w->rq = rq;
	net_accept(rq, STEP_PVR, NULL);
	if (join(u, w))
		run_free(u);
	else
		start(u);
}

/* --- the RVR --- */

static void
sign_rvr(struct run *u)
{
	struct keys_request k = { .kind = KEYS_SIGN_RVR,
		.entry = (uint64_t)u->x.id,
		.slot = u->r->c.rvr_slot,
		.media = u->media,
		.claims = &u->rvr_claims };
	unsigned loop = registrar_loop(u->r, u->loop);

	keys_call(ca_loop_keys(u->r->c.loops[loop]), &k, on_rvr_signed, u);
}

static void
ask_masa(struct run *u)
{
	struct masa_request q = { .m = &u->client.manufacturer,
		.base = u->masa,
		.path = "requestvoucher",
		.media = u->media,
		.accept = mst_media_type(u->media),
		.trace = u->who.trace,
		.rvr = u->x.rvr };
	mst_err e = masa_call(u->r, u->loop, &q, on_masa, u);

	if (e != MST_OK)
		finish(
		    u, STEP_RVR, e, "the MASA's access data of this manufacturer cannot be used");
}

static void
on_admitted(void *arg, mst_err e)
{
	struct run *u = arg;
	int64_t now = clock_wall();

	if (e != MST_OK) {
		finish(u, STEP_PVR, e, NULL);
		return;
	}
	if (u->verdict != MST_OK) {
		finish(u, STEP_DECISION, u->verdict, u->words);
		return;
	}
	u->words = NULL;
	registrar_rvr_claims(&u->pvr, u->x.pvr, &u->client, now, &u->rvr_claims);
	if (u->voucher.ptr != NULL) /* the answer was lost, or came after the pledge's patience */
		finish(u, STEP_VOUCHER, MST_OK, "the stored voucher of these very bytes");
	else if (registrar_rvr_is_fresh(u->a, u->media, u->x.rvr, now))
		ask_masa(u);
	else
		sign_rvr(u);
}

static mst_err
store_rvr(struct db *db, void *arg)
{
	struct run *u = arg;
	mst_err e = exchange_save(db, &u->x);

	return e != MST_OK ? e
	                   : journal_row_of(u->r->journal, db, &u->who, u->device.id, STEP_RVR,
	                         MST_OK, u->masa);
}

static void
on_rvr_signed(void *arg, mst_err e, mst_span message)
{
	struct run *u = arg;

	if (stopped(u))
		return;
	if (e == MST_OK && u->media == MST_MEDIA_COSE_CBOR) /* COSE-4 */
		e = envelope_bag_add(u->a, message, u->pledge_chain, &u->x.rvr);
	else if (e == MST_OK && (u->x.rvr = arena_dup(u->a, message)).ptr == NULL)
		e = MST_E_NOMEM;
	if (e != MST_OK)
		finish(u, STEP_RVR, e, NULL);
	else
		registrar_write(u->r, u->loop, store_rvr, on_rvr_stored, u);
}

static void
on_rvr_stored(void *arg, mst_err e)
{
	struct run *u = arg;

	if (e != MST_OK) {
		finish(u, STEP_RVR, e, NULL);
		return;
	}
	ask_masa(u);
}

/* --- the voucher --- */

static mst_err
judge_answer(struct run *u, const struct net_answer *a)
{
	struct registrar_voucher_in in = { .media = u->media,
		.message = a->body,
		.rvr = &u->rvr_claims,
		.own = u->own,
		.own_chain = u->r->c.tls_chain,
		.clock = clock_now() };
	struct masa_access *x;
	mst_err e = masa_answer_judge(u->a, a, &u->words);

	if (e == MST_E_MASA_BUSY && a->retry_after > u->retry_after) /* HT-2: relayed */
		u->retry_after = a->retry_after < RETRY_MOST ? (long)a->retry_after : RETRY_MOST;
	if (e != MST_OK)
		return e;
	if (a->content_type == NULL || mst_media_find(mst_span_str(a->content_type)) != u->media) {
		u->words = "the MASA answered another media type";
		return MST_E_MASA_FORMAT;
	}
	if ((e = masa_access(u->r, &u->client.manufacturer, &x)) != MST_OK)
		return e;
	in.voucher_anchors = x->vouchers;
	return registrar_judge_voucher(u->a, &in, &u->words);
}

/* An operator may have decided while the MASA was asked: the present rows count. */
static mst_err
admit_again(struct db *db, struct run *u, struct device *d)
{
	struct arena *a = arena_new(16 << 20);
	struct manufacturer m;
	mst_err e = MST_E_NOMEM;

	if (a == NULL || (e = device_by_id(db, u->a, u->device.id, d)) != MST_OK)
		goto out;
	e = manufacturer_get(db, a, u->client.manufacturer.name, &m);
	if (e == MST_E_NOT_FOUND)
		u->verdict = MST_E_AUTHZ_MANUFACTURER;
	else if (e == MST_OK)
		u->verdict = registrar_authorise(&m, d);
	if (e == MST_E_NOT_FOUND)
		e = MST_OK;
	if (u->verdict != MST_OK)
		u->words = "decided while the MASA was asked";
out:
	arena_free(a);
	return e;
}

static mst_err
store_voucher(struct db *db, struct run *u, struct device *d)
{
	bool again = d->state == DEVICE_ACTIVE || d->state == DEVICE_ENROLLED;
	mst_err e;

	/* What an operator forgave was the history of the key that was there then. */
	if (!mst_span_eq(d->idevid_spki_sha256, u->client.spki_sha256))
		d->audit_override = 0;
	bind_idevid(u, d);
	d->state = DEVICE_VOUCHER;
	d->voucher_at = u->x.answered;
	d->voucher_status = -1;
	d->enroll_status = -1;
	d->audit_verdict = -1; /* judged anew: the log has grown by this voucher */
	d->audit_words = NULL;
	if ((e = device_save(db, d)) != MST_OK)
		return e;
	return journal_row_of(u->r->journal, db, &u->who, d->id, STEP_VOUCHER, MST_OK,
	    again ? "a device that was enrolled bootstraps again (SEC-3)" : NULL);
}

static mst_err
store_result(struct db *db, void *arg)
{
	struct run *u = arg;
	struct device d;
	mst_err e;

	u->x.answered = clock_wall();
	if (u->verdict == MST_OK && (e = admit_again(db, u, &d)) != MST_OK)
		return e;
	u->x.result = u->verdict;
	u->x.voucher = u->verdict == MST_OK ? u->voucher : MST_NONE;
	if ((e = exchange_save(db, &u->x)) != MST_OK || u->verdict != MST_OK)
		return e;
	return store_voucher(db, u, &d);
}

/* What the pledge will get: the MASA's bytes, without what COSE-4 tells us to take away. */
static mst_err
keep_voucher(struct run *u, mst_span body)
{
	mst_err e = envelope_strip(u->a, u->media, body, &body);

	if (e != MST_OK)
		return e;
	u->voucher = arena_dup(u->a, body);
	return u->voucher.ptr != NULL ? MST_OK : MST_E_NOMEM;
}

static void
on_masa(void *arg, const struct net_answer *a)
{
	struct run *u = arg;

	if (stopped(u))
		return;
	u->verdict = judge_answer(u, a);
	if (u->verdict == MST_OK) {
		u->words = NULL;
		u->verdict = keep_voucher(u, a->body);
	}
	u->repeats = is_wait(u->verdict) && u->known && u->x.result == u->verdict;
	registrar_write(u->r, u->loop, store_result, on_result_stored, u);
}

static void
on_result_stored(void *arg, mst_err e)
{
	struct run *u = arg;

	if (e == MST_OK)
		e = u->verdict;
	if (e != MST_OK)
		u->voucher = MST_NONE;
	finish(u, STEP_VOUCHER, e, u->words);
}

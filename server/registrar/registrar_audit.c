/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's history at its MASA, fetched with the same RVR and judged
 * (RFC 8995 5.8). A report of the pledge or the sweep asks for it; two at a
 * time share one fetch. What cannot be had is tried again later and later.
 */
#include "server/registrar/room.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "host/clock.h"
#include "host/log.h"

#define RUN_BYTES (32u << 20) /* the manufacturer's row with its CRL among it */
#define SWEEP_AGE 5 /* seconds after the voucher before the sweep looks at a device (TEL-4) */
#define SWEEP_PAGE 200 /* devices looked at in one sweep */
#define SWEEP_SHARE 8 /* fetches of one manufacturer at a time, so that none starves another */
#define WAIT_LEAST 5
#define WAIT_MOST 600

struct audit_waiter {
	struct audit_waiter *next;
	struct net_loop *loop;
	void (*done)(void *arg);
	void *arg;
};

/* A device whose log could not be had: when to try again. */
struct owed {
	struct owed *next;
	int64_t device, next_try, wait;
};

struct audit_run {
	struct audit_run *next; /* of the registrar; under the lock, like waiters */
	struct audit_waiter *waiters;
	struct registrar *r;
	struct net_loop *loop;
	struct arena *a;
	int64_t device, manufacturer, voucher_at;
	const char *trace;
	struct exchange x;
	struct manufacturer m;
	const char *masa;
	mst_span idevid_issuer;
	struct envelope pvr;
	struct envelope rvr; /* the stored one; of COSE alone */
	struct mst_voucher_claims rvr_claims;
	int location; /* 1: a 201 was followed */
	mst_span json;
	struct registrar_audit verdict;
	mst_err err; /* the log could not be had or read */
	const char *words;
	mst_span serial;
};

/* --- what is owed --- */

static struct owed **
owed_at(struct registrar *r, int64_t device)
{
	struct owed **at = &r->owed[(uint64_t)device % OWED_BUCKETS];

	while (*at != NULL && (*at)->device != device)
		at = &(*at)->next;
	return at;
}

static void
owed_clear(struct registrar *r, int64_t device)
{
	struct owed **at, *o;

	pthread_mutex_lock(&r->lock);
	at = owed_at(r, device);
	if ((o = *at) != NULL)
		*at = o->next;
	pthread_mutex_unlock(&r->lock);
	free(o);
}

/* True at the first failure: only that one becomes a row of the trail. */
static bool
owed_put_off(struct registrar *r, int64_t device)
{
	struct owed **at, *o;
	bool first;

	pthread_mutex_lock(&r->lock);
	at = owed_at(r, device);
	first = *at == NULL;
	if (first && (*at = calloc(1, sizeof **at)) != NULL)
		(*at)->device = device;
	if ((o = *at) != NULL) {
		o->wait = o->wait == 0 ? WAIT_LEAST : o->wait * 2;
		if (o->wait > WAIT_MOST)
			o->wait = WAIT_MOST;
		o->next_try = clock_mono() + o->wait;
	}
	pthread_mutex_unlock(&r->lock);
	return first;
}

/* --- the end of a fetch --- */

static void
run_free(struct audit_run *u)
{
	struct audit_waiter *w;

	while ((w = u->waiters) != NULL) {
		u->waiters = w->next;
		free(w);
	}
	arena_free(u->a); /* u lies in it */
}

void
registrar_audits_free(struct registrar *r)
{
	struct audit_run *u;
	struct owed *o;

	while ((u = r->audits) != NULL) {
		r->audits = u->next;
		run_free(u);
	}
	for (size_t i = 0; i < OWED_BUCKETS; i++)
		while ((o = r->owed[i]) != NULL) {
			r->owed[i] = o->next;
			free(o);
		}
}

static void
unlink_run(struct audit_run *u)
{
	struct audit_run **at;

	pthread_mutex_lock(&u->r->lock);
	for (at = &u->r->audits; *at != u; at = &(*at)->next)
		;
	*at = u->next;
	pthread_mutex_unlock(&u->r->lock);
}

static void
say_failure(struct audit_run *u)
{
	struct decision d = { .role = "registrar",
		.step = STEP_AUDIT,
		.err = u->err,
		.trace = u->trace,
		.serial = u->serial,
		.detail = u->words };

	if (owed_put_off(u->r, u->device))
		journal_note(
		    u->r->journal, u->device, u->serial, u->trace, STEP_AUDIT, u->err, u->words);
	else
		log_decision(&d);
}

static void
finish(struct audit_run *u)
{
	struct audit_waiter *w;

	if (u->err != MST_OK) /* the row of a verdict is written with the verdict */
		say_failure(u);
	unlink_run(u); /* from here on nobody joins */
	for (w = u->waiters; w != NULL; w = w->next) {
		if (w->loop == u->loop)
			w->done(w->arg);
		else
			net_post(w->loop, w->done, w->arg);
	}
	run_free(u);
}

static bool
stopped(const struct audit_run *u)
{
	return atomic_load(&u->r->stopped);
}

/* The verdict, its row and what it means for the device, in one transaction. */
static mst_err
store_verdict(struct db *db, void *arg)
{
	struct audit_run *u = arg;
	struct journal_who who = { .trace = u->trace };
	struct device d;
	mst_err e = device_by_id(db, u->a, u->device, &d);

	if (e != MST_OK)
		return e;
	if (d.voucher_at != u->voucher_at)
		return MST_E_CONFLICT; /* another voucher came meanwhile: its log is owed, not this
		                        */
	if ((e = auditlog_add(db, u->device, clock_wall(), u->json, u->verdict.verdict,
	         u->verdict.words)) != MST_OK)
		return e;
	d.audit_verdict = u->verdict.verdict;
	d.audit_words = u->verdict.words;
	if (u->verdict.verdict == 0 && d.audit_override != 1 && d.state != DEVICE_REVOKED &&
	    d.state != DEVICE_RETIRED)
		d.state = DEVICE_QUARANTINED; /* 8995 5.8.3: EST is refused from here on */
	if ((e = device_save(db, &d)) != MST_OK)
		return e;
	return journal_row_of(u->r->journal, db, &who, u->device, STEP_AUDIT,
	    u->verdict.verdict == 0 ? u->verdict.err : MST_OK, u->verdict.words);
}

static void
on_verdict_stored(void *arg, mst_err e)
{
	struct audit_run *u = arg;

	u->err = e;
	u->words = u->verdict.words;
	if (e == MST_OK) {
		owed_clear(u->r, u->device);
		log_decision(&(struct decision){ .role = "registrar",
		    .step = STEP_AUDIT,
		    .err = u->verdict.verdict == 0 ? u->verdict.err : MST_OK,
		    .trace = u->trace,
		    .serial = u->serial,
		    .detail = u->verdict.words });
	}
	finish(u);
}

/* --- the MASA's answer --- */

static mst_err
judge(struct audit_run *u, const struct net_answer *answer)
{
	struct audit_log log;
	struct registrar_audit_in in = { .log = &log,
		.own_domains = u->r->own_domains,
		.own_count = u->r->own_count,
		.own_nonce = u->x.nonce,
		.policy = u->m.audit_policy };
	mst_err e = masa_answer_judge(u->a, answer, &u->words);

	if (e != MST_OK)
		return MST_E_AUDIT_UNAVAILABLE;
	if (answer->content_type == NULL ||
	    !net_is_type(answer->content_type, "application/json")) {
		u->words = "the MASA's audit log is not application/json";
		return MST_E_AUDIT_PARSE;
	}
	if ((e = audit_log_parse(u->a, answer->body, &log)) != MST_OK) {
		u->words = mst_err_info(e)->sentence;
		return MST_E_AUDIT_PARSE;
	}
	if ((u->json = arena_dup(u->a, answer->body)).ptr == NULL)
		return MST_E_NOMEM;
	return registrar_judge_audit(u->a, &in, &u->verdict);
}

static void on_log(void *arg, const struct net_answer *answer);

/*
 * AUD-2: 201 with a Location. It must lie with the MASA that was asked: an
 * answer shall not send us elsewhere. NULL: refused.
 */
static const char *
location_of(struct audit_run *u, const char *location)
{
	size_t origin = strlen("https://");

	if (location == NULL)
		return NULL;
	origin += strcspn(u->masa + origin, "/");
	if (location[0] == '/' && location[1] != '/')
		return arena_printf(u->a, "%.*s%s", (int)origin, u->masa, location);
	if (strncasecmp(location, u->masa, origin) != 0 || location[origin] != '/')
		return NULL;
	return arena_str(u->a, mst_span_str(location));
}

static bool
follow(struct audit_run *u, const struct net_answer *answer)
{
	struct masa_request q = { .m = &u->m, .accept = "application/json", .trace = u->trace };

	if (answer->err != MST_OK || answer->status != 201 || u->location++ != 0 ||
	    (q.base = location_of(u, answer->location)) == NULL)
		return false;
	return masa_call(u->r, u->loop, &q, on_log, u) == MST_OK;
}

static void
on_log(void *arg, const struct net_answer *answer)
{
	struct audit_run *u = arg;

	if (stopped(u) || follow(u, answer))
		return;
	u->err = judge(u, answer);
	if (u->err != MST_OK)
		finish(u);
	else
		registrar_write(u->r, u->loop, store_verdict, on_verdict_stored, u);
}

/* --- the request --- */

static mst_err
manufacturer_by_id(struct db *db, struct arena *a, int64_t id, struct manufacturer *out)
{
	struct manufacturer *list;
	size_t count;
	mst_err e = manufacturer_list(db, a, &list, &count);

	for (size_t i = 0; e == MST_OK && i < count; i++)
		if (list[i].id == id) {
			*out = list[i];
			return MST_OK;
		}
	return e != MST_OK ? e : MST_E_NOT_FOUND;
}

/* COSE-4: a PVR in COSE carries no certificate; its signer's is in the bag of our own RVR. */
static mst_err
open_pvr(struct audit_run *u)
{
	const STACK_OF(X509) *bag = NULL;
	mst_err e;

	if (u->x.media == MST_MEDIA_COSE_CBOR) {
		e = envelope_open(u->a, u->x.media, MST_VOUCHER_REQUEST, u->x.rvr, NULL, &u->rvr);
		if (e != MST_OK)
			return e;
		bag = u->rvr.certs;
	}
	return envelope_open(u->a, u->x.media, MST_VOUCHER_REQUEST, u->x.pvr, bag, &u->pvr);
}

/*
 * The URL is the manufacturer entry's, else that of the device's IDevID (8.2
 * step 4): as the caller sees it on its connection, else in the stored PVR,
 * which that certificate signed.
 */
static mst_err
masa_of(struct audit_run *u, const char *idevid_url)
{
	const char *url = NULL;
	mst_err e;

	if (idevid_url != NULL && (url = arena_str(u->a, mst_span_str(idevid_url))) == NULL)
		return MST_E_NOMEM;
	if (u->m.masa_url == NULL && url == NULL &&
	    ((e = open_pvr(u)) != MST_OK ||
	        (e = cert_masa_url(u->a, u->pvr.signer, &url)) != MST_OK))
		return e;
	return registrar_masa_url(u->a, &u->m, url, &u->masa);
}

static mst_err
gather(struct audit_run *u, const char *idevid_url)
{
	struct db *db = store_reader(u->r->c.store);
	struct device d;
	mst_err e;

	if ((e = device_by_id(db, u->a, u->device, &d)) != MST_OK ||
	    (e = exchange_latest(db, u->a, u->device, &u->x)) != MST_OK ||
	    (e = manufacturer_by_id(db, u->a, d.manufacturer, &u->m)) != MST_OK)
		return e;
	u->serial = d.serial;
	u->manufacturer = d.manufacturer;
	u->voucher_at = d.voucher_at;
	u->idevid_issuer = d.idevid_issuer;
	if (u->x.rvr.ptr == NULL || u->x.voucher.ptr == NULL)
		return MST_E_NOT_FOUND;
	return masa_of(u, idevid_url);
}

static void
fail(struct audit_run *u, mst_err e)
{
	u->words = mst_err_info(e)->sentence;
	u->err = MST_E_AUDIT_UNAVAILABLE;
	finish(u);
}

static void
ask(struct audit_run *u)
{
	struct masa_request q = { .m = &u->m,
		.base = u->masa,
		.path = "requestauditlog",
		.media = u->x.media,
		.accept = "application/json",
		.trace = u->trace,
		.rvr = u->x.rvr };
	mst_err e = masa_call(u->r, u->loop, &q, on_log, u);

	if (e != MST_OK)
		fail(u, e);
}

/* The pledge's chain out of the old bag, unordered as it is: signer and what is above it. */
static mst_err
bag_again(struct audit_run *u, mst_span message)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *at = u->pvr.signer;
	mst_err e = MST_E_NOMEM;

	while (chain != NULL && at != NULL) {
		X509 *up = NULL;

		if (sk_X509_push(chain, at) <= 0)
			goto out;
		for (int i = 0; up == NULL && X509_self_signed(at, 0) != 1 &&
		                sk_X509_num(chain) < sk_X509_num(u->rvr.certs) &&
		                i < sk_X509_num(u->rvr.certs);
		     i++)
			if (X509_check_issued(sk_X509_value(u->rvr.certs, i), at) == X509_V_OK)
				up = sk_X509_value(u->rvr.certs, i);
		at = up;
	}
	if (chain != NULL)
		e = envelope_bag_add(u->a, message, chain, &u->x.rvr);
out:
	sk_X509_free(chain);
	return e;
}

static void
on_signed(void *arg, mst_err e, mst_span message)
{
	struct audit_run *u = arg;

	if (stopped(u))
		return;
	if (e == MST_OK && u->x.media == MST_MEDIA_COSE_CBOR)
		e = bag_again(u, message);
	else if (e == MST_OK && (u->x.rvr = arena_dup(u->a, message)).ptr == NULL)
		e = MST_E_NOMEM;
	if (e != MST_OK)
		fail(u, e);
	else
		ask(u);
}

/* AUD-1: the same RVR, or when that is too old for a MASA, a new one of the same content. */
static void
sign_again(struct audit_run *u)
{
	struct registrar_pvr pvr;
	struct trust_verdict client = { .serial = u->serial, .idevid_issuer = u->idevid_issuer };
	struct keys_request k = { .kind = KEYS_SIGN_RVR,
		.entry = (uint64_t)u->x.id,
		.slot = u->r->c.rvr_slot,
		.media = u->x.media,
		.claims = &u->rvr_claims };
	mst_err e = u->pvr.signer != NULL ? MST_OK : open_pvr(u);

	if (e != MST_OK) {
		fail(u, e);
		return;
	}
	pvr = (struct registrar_pvr){ .request = u->pvr };
	registrar_rvr_claims(&pvr, u->x.pvr, &client, clock_wall(), &u->rvr_claims);
	keys_call(ca_loop_keys(u->r->c.loops[registrar_loop(u->r, u->loop)]), &k, on_signed, u);
}

/* An RVR is never older than its exchange; opening it costs as much as a handshake. */
static bool
is_fresh(struct audit_run *u, int64_t now)
{
	return (u->x.created <= now && u->x.created > now - REGISTRAR_RVR_FRESH) ||
	       registrar_rvr_is_fresh(u->a, u->x.media, u->x.rvr, now);
}

static struct audit_run *
run_new(struct registrar *r, struct net_loop *l, int64_t device, const char *trace)
{
	struct arena *a = arena_new(RUN_BYTES);
	struct audit_run *u = a != NULL ? arena_alloc(a, sizeof *u) : NULL;

	if (u == NULL) {
		arena_free(a);
		return NULL;
	}
	*u = (struct audit_run){ .r = r,
		.loop = l,
		.a = a,
		.device = device,
		.trace = trace != NULL ? arena_str(a, mst_span_str(trace)) : NULL };
	return u;
}

/* True when a fetch for this device is under way: w waits for it. Else u is that fetch. */
static bool
join(struct audit_run *u, struct audit_waiter *w)
{
	struct registrar *r = u->r;
	struct audit_run *at;

	pthread_mutex_lock(&r->lock);
	for (at = r->audits; at != NULL && at->device != u->device; at = at->next)
		;
	if (at == NULL) {
		u->next = r->audits;
		r->audits = u;
	}
	if (w != NULL) {
		struct audit_run *to = at != NULL ? at : u;

		w->next = to->waiters;
		to->waiters = w;
	}
	pthread_mutex_unlock(&r->lock);
	return at != NULL;
}

void
registrar_audit(struct registrar *r, struct net_loop *l, int64_t device, const char *idevid_url,
    const char *trace, void (*done)(void *arg), void *arg)
{
	struct audit_run *u = run_new(r, l, device, trace);
	struct audit_waiter *w = done != NULL ? calloc(1, sizeof *w) : NULL;
	mst_err e;

	if (u == NULL || (done != NULL && w == NULL)) {
		if (u != NULL)
			run_free(u);
		free(w);
		if (done != NULL)
			done(arg);
		return;
	}
	if (w != NULL)
		*w = (struct audit_waiter){ .loop = l, .done = done, .arg = arg };
	if (join(u, w)) {
		run_free(u);
		return;
	}
	if ((e = gather(u, idevid_url)) != MST_OK)
		fail(u, e);
	else if (is_fresh(u, clock_wall()))
		ask(u);
	else
		sign_again(u);
}

/* --- the sweep --- */

static bool
may_try(struct registrar *r, const struct device *d)
{
	size_t share = 0;
	struct owed *o;
	bool may;

	pthread_mutex_lock(&r->lock);
	o = *owed_at(r, d->id);
	may = o == NULL || o->next_try <= clock_mono();
	for (struct audit_run *u = r->audits; u != NULL; u = u->next) {
		may = may && u->device != d->id;
		share += u->manufacturer == d->manufacturer;
	}
	pthread_mutex_unlock(&r->lock);
	return may && share < SWEEP_SHARE;
}

/* Pages go round, so that a thousand devices of a dead MASA hide nobody behind them. */
void
registrar_audit_sweep(struct registrar *r)
{
	struct net_loop *l = net_loop_at(r->c.net, 0);
	struct arena *a = arena_new(4 << 20);
	struct device *list;
	size_t count = 0;
	mst_span after =
	    r->sweep_after_len == 0 ? MST_NONE : mst_span_of(r->sweep_after, r->sweep_after_len);

	r->sweep_after_len = 0;
	if (a == NULL || device_list(store_reader(r->c.store), a, DEVICE_VOUCHER, after, SWEEP_PAGE,
	                     &list, &count) != MST_OK)
		count = 0;
	for (size_t i = 0; i < count; i++)
		if (list[i].audit_verdict < 0 && list[i].voucher_at + SWEEP_AGE < clock_wall() &&
		    may_try(r, &list[i]))
			registrar_audit(r, l, list[i].id, NULL, list[i].trace, NULL, NULL);
	if (count >= SWEEP_PAGE && list[count - 1].serial.len <= sizeof r->sweep_after) {
		r->sweep_after_len = list[count - 1].serial.len;
		memcpy(r->sweep_after, list[count - 1].serial.ptr, r->sweep_after_len);
	}
	arena_free(a);
}

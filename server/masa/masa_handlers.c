/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two endpoints of a MASA (RFC 8995 5.5, 5.8): who asks, judge, then
 * "write, then sign, then answer". A crash may leave an entry for a voucher
 * that was never delivered; the same request then gets that entry's voucher.
 */
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/metrics.h"
#include "server/masa/masa_room.h"

#define BACKLOG_MAX 4096
#define RETRY_SECONDS 5
#define FOLD_ABOVE 64 /* entries; AUD-5 */
#define EVENTS_MAX 10000 /* what audit_log_parse takes */
#define LOG_BYTES (64u << 20) /* for one device's entries while an answer is made */

struct flow {
	struct masa *m;
	struct net_request *rq;
	enum step step; /* that a refusal is reported under */
	struct masa_who who;
	struct masa_judge_in in;
	struct masa_report report;
	struct masa_verdict v;
	struct masa_entry entry; /* as it stands in the log */
	mst_span rvr_sha256;
	mst_span answer;
	const char *how; /* words for the log */
};

mst_err
masa_find_in(void *arg, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out)
{
	struct db *db = arg;

	if (issuer.ptr == NULL)
		return masa_device_by_serial(db, a, serial, out);
	return masa_device_find(db, a, serial, issuer, out);
}

/* Callback signatures of store and net differ in their first argument's type only. */
static void
post_to_loop(void *loop, void (*fn)(void *), void *arg)
{
	net_post(loop, fn, arg);
}

/*
 * The trail has what was judged and refused; of vouchers the chained log is the
 * trail. Who is turned away unheard writes nothing.
 */
static void
record(const struct flow *f, mst_err e)
{
	const struct net_request *rq = f->rq;
	const struct journal_who who = { rq->trace, rq->id, rq->peer->address };
	const char *words = f->report.detail;
	mst_span serial = f->report.serial;

	if (e == MST_E_HTTP_OVERLOAD || e == MST_E_CUSTOMER_RATE)
		return;
	if (serial.ptr != NULL)
		words =
		    arena_printf(rq->arena, "%.*s%s%s", (int)serial.len, (const char *)serial.ptr,
		        words != NULL ? ": " : "", words != NULL ? words : "");
	journal_record(f->m->journal, &who, 0, f->step, e, words);
}

static void
refuse(struct flow *f, mst_err e, int64_t retry_after)
{
	struct net_request *rq = f->rq;
	const char *detail = f->report.detail;

	rq->serial = f->report.serial;
	if (f->report.product != NULL)
		rq->manufacturer = f->report.product;
	masa_who_drop(&f->who);
	record(f, e);
	if (retry_after > 0 || mst_err_info(e)->http == 503)
		net_wait(rq, f->step, e, retry_after > 0 ? retry_after : RETRY_SECONDS, detail);
	else
		net_refuse(rq, f->step, e, detail);
}

static const char *
name_of(enum mst_assertion a)
{
	return mst_assertion_name(a);
}

/* RFC 8995 5.6: 200, the voucher, in the media of the request. */
static void
deliver(struct flow *f)
{
	struct net_request *rq = f->rq;
	const char *detail = arena_printf(rq->arena, "%s, assertion %s, %s%s%s, log entry %lld",
	    f->how, name_of(f->entry.assertion),
	    f->entry.nonce.ptr != NULL ? "nonced" : "nonceless", f->who.name != NULL ? ", " : "",
	    f->who.name != NULL ? f->who.name : "", (long long)f->entry.seq);

	rq->serial = f->report.serial;
	if (f->report.product != NULL)
		rq->manufacturer = f->report.product;
	masa_who_drop(&f->who);
	net_accept(rq, STEP_MASA_ISSUE, detail);
	net_reply(rq, 200, mst_media_type(f->in.media), f->answer, NULL, 0);
}

static void
voucher_durable(void *arg, mst_err e)
{
	struct flow *f = arg;

	if (e == MST_OK)
		metric_add("muster_vouchers_issued_total",
		    f->entry.nonce.ptr != NULL ? "kind=\"nonced\"" : "kind=\"nonceless\"", 1);
	if (e != MST_OK)
		refuse(f, e, 0);
	else
		deliver(f);
}

/* The first voucher of an entry stays its voucher: the answer is repeatable. */
static mst_err
job_voucher(struct db *db, void *arg)
{
	struct flow *f = arg;
	struct masa_entry now;
	mst_err e;

	if ((e = masa_log_by_rvr(db, f->rq->arena, f->rvr_sha256, &now)) != MST_OK)
		return e;
	if (now.voucher.len != 0) {
		f->answer = now.voucher;
		return MST_OK;
	}
	return masa_log_voucher(db, f->entry.seq, f->answer);
}

static void
signed_voucher(void *arg, mst_err e, mst_span answer)
{
	struct flow *f = arg;

	if (e == MST_OK) {
		f->answer = arena_dup(f->rq->arena, answer);
		if (f->answer.len == 0)
			e = MST_E_NOMEM;
	}
	if (e != MST_OK) {
		refuse(f, e, 0);
		return;
	}
	store_write(f->m->store, job_voucher, voucher_durable, f, post_to_loop, f->rq->loop);
}

/* The entry is durable: only now may the key process sign, and what the entry says. */
static void
entry_durable(void *arg, mst_err e)
{
	struct flow *f = arg;
	struct keys_request k = { .kind = KEYS_SIGN_VOUCHER };

	if (e != MST_OK) {
		refuse(f, e, 0);
		return;
	}
	if (f->entry.voucher.len != 0) { /* the same request, answered while this one was judged */
		f->answer = f->entry.voucher;
		deliver(f);
		return;
	}
	f->v.voucher.created_on = f->entry.at;
	f->v.voucher.assertion = f->entry.assertion;
	f->v.voucher.expires_on = f->entry.expires_on;
	k.entry = (uint64_t)f->entry.seq;
	k.slot = f->v.slot;
	k.media = f->v.media;
	k.claims = &f->v.voucher;
	k.id_data = f->v.id_data;
	keys_call(masa_client_of(f->m, f->rq->loop), &k, signed_voucher, f);
}

/* The device may have been blocked or sold since the judge read it. */
static mst_err
still_so(struct db *db, struct flow *f)
{
	struct masa_device d;
	mst_err e;

	e = masa_device_find(db, f->rq->arena, f->v.voucher.serial, f->v.device.idevid_issuer, &d);
	if (e != MST_OK)
		return e == MST_E_NOT_FOUND ? MST_E_DEVICE_UNKNOWN : e;
	if (d.state == MASA_BLOCKED)
		return MST_E_DEVICE_BLOCKED;
	if (d.customer != f->v.device.customer || d.state != f->v.device.state)
		return MST_E_DEVICE_OTHER_OWNER;
	return MST_OK;
}

/* 8.4 step 15: the entry, once per request, before anything is signed. */
static mst_err
job_entry(struct db *db, void *arg)
{
	struct flow *f = arg;
	mst_err e;

	if ((e = still_so(db, f)) != MST_OK)
		return e;
	e = masa_log_by_rvr(db, f->rq->arena, f->rvr_sha256, &f->entry);
	if (e == MST_OK) {
		f->how = "signed under the entry of an earlier attempt";
		/* Signed is what was logged. Another pin today means another request is due. */
		return mst_span_eq(f->entry.pin_sha256, f->v.entry.pin_sha256) ? MST_OK
		                                                               : MST_E_CONFLICT;
	}
	if (e != MST_E_NOT_FOUND)
		return e;
	f->entry = f->v.entry;
	f->how = "issued";
	return masa_log_add(db, &f->entry);
}

/* Who got a nonceless voucher by showing an identity must show it for the copy too. */
static mst_err
judge_copy(const struct flow *f)
{
	if (f->entry.nonce.ptr != NULL || f->entry.client == NULL)
		return MST_OK;
	if (f->who.party == NULL || f->who.party->row.id != f->entry.customer)
		return MST_E_RVR_NONCELESS_DENIED;
	return MST_OK;
}

/* The same bytes as before: the same answer, and no second entry. A device blocked since stays
 * blocked. */
static void
repeat(struct flow *f)
{
	struct arena *a = f->rq->arena;
	struct masa_device d = { 0 };
	struct envelope env;
	mst_err e;

	if ((e = envelope_open(a, f->in.media, MST_VOUCHER_REQUEST, f->in.rvr, NULL, &env)) ==
	    MST_OK) {
		f->report.serial = env.claims.serial;
		e = masa_rvr_device(&f->in, a, &env.claims, &f->report, &d);
	}
	if (e == MST_OK && d.state == MASA_BLOCKED) {
		f->report.detail = d.state_reason;
		e = MST_E_DEVICE_BLOCKED;
	}
	if (e == MST_OK)
		e = judge_copy(f);
	if (e == MST_OK)
		e = masa_accept_judge(f->in.accept, f->in.media);
	if (e != MST_OK) {
		refuse(f, e, 0);
		return;
	}
	f->report.product = d.product;
	f->how = "repeated";
	f->answer = f->entry.voucher;
	deliver(f);
}

/* What the judge sees, and whether this very request is known already. */
static mst_err
prepare(struct flow *f)
{
	struct net_request *rq = f->rq;
	struct db *db = store_reader(f->m->store);

	f->in.policy = &f->m->policy;
	f->in.customers = f->who.customers;
	f->in.find = masa_find_in;
	f->in.find_arg = db;
	f->in.media = mst_media_find(mst_span_str(rq->content_type));
	f->in.accept = rq->accept;
	f->in.rvr = rq->body;
	f->in.clock = clock_now();
	f->in.client = f->who.party;
	f->in.client_name = f->who.name;
	f->in.source = rq->peer->address;
	if (db == NULL)
		return MST_E_STORE_IO;
	return masa_sha256(rq->arena, rq->body, &f->rvr_sha256);
}

static void
voucher_asked(void *arg, mst_err e, int64_t retry_after)
{
	struct flow *f = arg;

	if (e == MST_OK)
		e = prepare(f);
	if (e != MST_OK) {
		refuse(f, e, retry_after);
		return;
	}
	e = masa_log_by_rvr(f->in.find_arg, f->rq->arena, f->rvr_sha256, &f->entry);
	if (e == MST_OK && f->entry.voucher.len != 0) {
		repeat(f);
		return;
	}
	if (e == MST_OK || e == MST_E_NOT_FOUND)
		e = masa_judge_rvr(&f->in, f->rq->arena, &f->report, &f->v);
	if (e != MST_OK) {
		refuse(f, e, 0);
		return;
	}
	f->rq->serial = f->report.serial;
	net_accept(f->rq, STEP_MASA_JUDGE, f->report.detail);
	f->step = STEP_MASA_ISSUE;
	store_write(f->m->store, job_entry, entry_durable, f, post_to_loop, f->rq->loop);
}

/* 8.4 steps 1 and 2 for both endpoints. */
static void
begin(struct net_request *rq, struct masa *m, enum step step, masa_who_next next)
{
	struct flow *f = arena_alloc(rq->arena, sizeof(*f));

	if (f == NULL) {
		net_refuse(rq, step, MST_E_NOMEM, NULL);
		return;
	}
	*f = (struct flow){ .m = m, .rq = rq, .step = step };
	/* RFC 8995 5.6: 415 for a voucher-request that is not understood. */
	if (rq->content_type == NULL ||
	    mst_media_find(mst_span_str(rq->content_type)) == MST_MEDIA_NONE) {
		refuse(f, MST_E_MEDIA_UNSUPPORTED, 0);
		return;
	}
	if (store_backlog(m->store) > BACKLOG_MAX) {
		refuse(f, MST_E_HTTP_OVERLOAD, RETRY_SECONDS);
		return;
	}
	masa_who(m, rq, &f->who, next, f);
}

void
masa_requestvoucher(struct net_request *rq, void *arg)
{
	begin(rq, arg, STEP_MASA_JUDGE, voucher_asked);
}

/*
 * Which device, and may they? AUD-1: bytes that once were given a voucher were
 * judged then, and whoever has them is that owner; anything else is judged.
 */
static mst_err
audit_access(struct flow *f, struct arena *a, struct masa_entry **entries, size_t *count)
{
	struct db *db = f->in.find_arg;
	struct masa_rvr r;
	mst_err e;

	e = masa_log_by_rvr(db, f->rq->arena, f->rvr_sha256, &f->entry);
	if (e == MST_OK)
		return masa_log_list(db, a, f->entry.device, entries, count);
	if (e != MST_E_NOT_FOUND ||
	    (e = masa_rvr_open(&f->in, f->rq->arena, &f->report, &r)) != MST_OK ||
	    (e = masa_log_list(db, a, r.device.id, entries, count)) != MST_OK)
		return e;
	return masa_audit_judge(&r, *entries, *count, f->rq->arena);
}

static void
audit_asked(void *arg, mst_err e, int64_t retry_after)
{
	struct flow *f = arg;
	struct net_request *rq = f->rq;
	struct masa_entry *entries;
	struct audit_log log;
	struct arena *a;
	mst_span json;
	size_t count;

	if (e == MST_OK)
		e = prepare(f);
	if (e != MST_OK) {
		refuse(f, e, retry_after);
		return;
	}
	if ((a = arena_new(LOG_BYTES)) == NULL)
		e = MST_E_NOMEM;
	else if ((e = audit_access(f, a, &entries, &count)) == MST_OK &&
	         (e = masa_audit_view(entries, count, FOLD_ABOVE, EVENTS_MAX, a, &log)) == MST_OK)
		e = audit_log_build(a, &log, &json);
	if (e != MST_OK) {
		refuse(f, e, 0);
	} else {
		rq->serial = f->report.serial;
		masa_who_drop(&f->who);
		net_accept(rq, STEP_MASA_AUDITLOG,
		    arena_printf(rq->arena, "%zu of %zu events", log.count, count));
		net_reply(rq, 200, "application/json", json, NULL, 0);
	}
	arena_free(a);
}

void
masa_requestauditlog(struct net_request *rq, void *arg)
{
	begin(rq, arg, STEP_MASA_AUDITLOG, audit_asked);
}

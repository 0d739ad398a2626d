/* SPDX-License-Identifier: Apache-2.0 */
/* The device's history at its MASA, fetched with the same RVR and judged (RFC 8995 5.8). */
#include "server/registrar/room.h"

#include <stdlib.h>
#include <string.h>

#include "host/clock.h"

struct audit_run {
	struct registrar *r;
	struct net_loop *loop;
	struct arena *a;
	int64_t device;
	const char *trace;
	struct exchange x;
	struct manufacturer m;
	const char *masa;
	mst_span json;
	struct registrar_audit verdict;
	mst_err err; /* the log could not be had or read */
	const char *words;
	mst_span serial;
	void (*done)(void *arg);
	void *arg;
};

static void
finish(struct audit_run *u)
{
	if (u->err != MST_OK) /* the row of a verdict is written with the verdict */
		journal_note(
		    u->r->journal, u->device, u->serial, u->trace, STEP_AUDIT, u->err, u->words);
	u->done(u->arg);
	arena_free(u->a);
}

/* The verdict, its row and what it means for the device, in one transaction. */
static mst_err
store_verdict(struct db *db, void *arg)
{
	struct audit_run *u = arg;
	struct device d;
	mst_err e = auditlog_add(
	    db, u->device, clock_wall(), u->json, u->verdict.verdict, u->verdict.words);

	if (e != MST_OK || (e = device_by_id(db, u->a, u->device, &d)) != MST_OK)
		return e;
	d.audit_verdict = u->verdict.verdict;
	d.audit_words = u->verdict.words;
	if (u->verdict.verdict == 0 && d.audit_override != 1)
		d.state = DEVICE_QUARANTINED; /* 8995 5.8.3: EST is refused from here on */
	return device_save(db, &d);
}

static void
on_verdict_stored(void *arg, mst_err e)
{
	struct audit_run *u = arg;

	u->err = e;
	u->words = u->verdict.words;
	if (e == MST_OK)
		journal_note(u->r->journal, u->device, u->serial, u->trace, STEP_AUDIT,
		    u->verdict.verdict == 0 ? u->verdict.err : MST_OK, u->verdict.words);
	finish(u);
}

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

static void
on_log(void *arg, const struct net_answer *answer)
{
	struct audit_run *u = arg;

	u->err = judge(u, answer);
	if (u->err != MST_OK)
		finish(u);
	else
		registrar_write(u->r, u->loop, store_verdict, on_verdict_stored, u);
}

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

/* The IDevID's own URL is asked again: the certificate stands in the stored PVR. */
static mst_err
masa_of(struct audit_run *u)
{
	struct envelope pvr;
	const char *url = NULL;
	mst_err e;

	if (u->m.masa_url == NULL) {
		e = envelope_open(u->a, u->x.media, MST_VOUCHER_REQUEST, u->x.pvr, NULL, &pvr);
		if (e != MST_OK || (e = cert_masa_url(u->a, pvr.signer, &url)) != MST_OK)
			return e;
	}
	return registrar_masa_url(u->a, &u->m, url, &u->masa);
}

static mst_err
gather(struct audit_run *u)
{
	struct db *db = store_reader(u->r->c.store);
	struct device d;
	mst_err e;

	if ((e = device_by_id(db, u->a, u->device, &d)) != MST_OK ||
	    (e = exchange_latest(db, u->a, u->device, &u->x)) != MST_OK ||
	    (e = manufacturer_by_id(db, u->a, d.manufacturer, &u->m)) != MST_OK)
		return e;
	u->serial = d.serial;
	if (u->x.rvr.ptr == NULL || u->x.voucher.ptr == NULL)
		return MST_E_NOT_FOUND;
	return masa_of(u);
}

void
registrar_audit(struct registrar *r, struct net_loop *l, int64_t device, const char *trace,
    void (*done)(void *arg), void *arg)
{
	struct arena *a = arena_new(4 << 20);
	struct audit_run *u = a != NULL ? arena_alloc(a, sizeof *u) : NULL;

	if (u == NULL) {
		arena_free(a);
		done(arg);
		return;
	}
	*u = (struct audit_run){ .r = r,
		.loop = l,
		.a = a,
		.device = device,
		.done = done,
		.arg = arg,
		.trace = trace != NULL ? arena_str(a, mst_span_str(trace)) : NULL };
	u->err = gather(u);
	if (u->err == MST_OK)
		u->err = masa_post(r, l, &u->m, u->masa, "requestauditlog", u->x.media,
		    "application/json", u->x.rvr, u->trace, on_log, u);
	if (u->err != MST_OK) {
		u->words = mst_err_info(u->err)->sentence;
		u->err = MST_E_AUDIT_UNAVAILABLE;
		finish(u);
	}
}

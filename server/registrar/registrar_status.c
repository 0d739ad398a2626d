/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry: the pledge's verdict on the voucher and on its enrolment (RFC 8995 5.7, 5.9.4). */
#include "server/registrar/room.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/clock.h"

/*
 * How long the answer to voucher_status waits for the audit log's verdict: the
 * pledge's next request is the enrolment, which needs it. Below the 5 s after
 * which a pledge may take a connection for stalled.
 */
#define AUDIT_PATIENCE_MS 3000
#define REASON_MOST 200

struct run {
	struct registrar *r;
	struct net_request *rq;
	struct trust_verdict client;
	enum step step;
	struct telemetry report;
	struct device device;
	mst_err verdict;
	const char *words;
};

/* An answer that waits for the verdict or the timer; freed by the verdict, which always comes. */
struct patience {
	struct net_request *rq; /* NULL once answered */
	struct net_timer *timer;
};

static void
acknowledge(struct net_request *rq)
{
	net_reply(rq, 200, "text/plain; charset=utf-8", MST_LIT("noted\n"), NULL, 0);
}

static const char *
describe(struct run *u)
{
	return arena_printf(u->rq->arena, "status %s%s%s%s%s", u->report.status ? "true" : "false",
	    u->report.reason.len != 0 ? ": " : "",
	    registrar_quote(u->rq->arena, u->report.reason, REASON_MOST),
	    u->report.version > 1 ? " (telemetry of a newer version: TEL-3)" : "",
	    u->report.unknown != 0 ? " (with members that are not known: TEL-3)" : "");
}

static mst_err
parse(struct run *u)
{
	const char *type = u->rq->content_type;

	if (type != NULL && net_is_type(type, "application/json"))
		return telemetry_parse(u->rq->arena, TELEMETRY_JSON, u->rq->body, &u->report);
	if (type != NULL && net_is_type(type, "application/cbor"))
		return telemetry_parse(u->rq->arena, TELEMETRY_CBOR, u->rq->body, &u->report);
	return MST_E_MEDIA_UNSUPPORTED;
}

/* The device behind the client, whichever of its certificates it shows. */
static mst_err
find_device(struct db *db, struct run *u)
{
	const struct trust_verdict *c = &u->client;
	mst_err e;

	if (c->class == TRUST_IDEVID)
		e = device_find(
		    db, u->rq->arena, c->manufacturer.id, c->serial, c->idevid_issuer, &u->device);
	else
		e = device_by_id(db, u->rq->arena, c->row.device, &u->device);
	/* TEL-3: the voucher was another key's, so the verdict on it is not this one's. */
	if (e == MST_OK && c->class == TRUST_IDEVID &&
	    !mst_span_eq(c->spki_sha256, u->device.idevid_spki_sha256))
		return MST_E_TELEMETRY_CLIENT;
	return e == MST_E_NOT_FOUND ? MST_E_TELEMETRY_CLIENT : e;
}

static mst_err
apply(struct run *u)
{
	struct device *d = &u->device;

	if (u->step == STEP_VOUCHER_STATUS) {
		if (d->voucher_at == 0)
			return MST_E_TELEMETRY_CLIENT; /* a verdict on a voucher nobody gave */
		d->voucher_status = u->report.status ? 1 : 0;
		return MST_OK;
	}
	if (u->report.status && d->state != DEVICE_ENROLLED && d->state != DEVICE_ACTIVE)
		return MST_E_TELEMETRY_CLIENT; /* success, and no certificate was issued */
	d->enroll_status = u->report.status ? 1 : 0;
	/*
	 * TEL-2: success SHOULD come with the LDevID. From the IDevID it is noted
	 * and believed by nobody: only the LDevID shows that the device has it.
	 */
	if (u->report.status && u->client.class != TRUST_LDEVID)
		u->words = arena_printf(
		    u->rq->arena, "%s (shown with the IDevID, not with the LDevID)", u->words);
	else if (u->report.status)
		d->state = DEVICE_ACTIVE;
	return MST_OK;
}

static mst_err
store_report(struct db *db, void *arg)
{
	struct run *u = arg;
	mst_err e = find_device(db, u);

	if (e == MST_OK)
		e = apply(u);
	if (e == MST_E_TELEMETRY_CLIENT) {
		u->verdict = e;
		return MST_OK;
	}
	if (e != MST_OK)
		return e;
	u->device.last_seen = clock_wall();
	if ((e = telemetry_add(db, u->device.id, u->device.last_seen, u->step, u->rq->body,
	         u->client.spki_sha256)) != MST_OK ||
	    (e = device_save(db, &u->device)) != MST_OK)
		return e;
	return journal_row(u->r->journal, db, u->rq, u->device.id, u->step,
	    u->report.status ? MST_OK : MST_E_TELEMETRY_FAILED, u->words);
}

/* --- the audit log, before the answer to a good voucher_status --- */

static void
answer(struct patience *p)
{
	if (p->rq != NULL)
		acknowledge(p->rq);
	p->rq = NULL;
}

static void
on_out_of_patience(void *arg)
{
	struct patience *p = arg;

	p->timer = NULL;
	answer(p);
}

static void
on_judged(void *arg)
{
	struct patience *p = arg;

	answer(p);
	if (p->timer != NULL)
		net_cancel(p->timer);
	free(p);
}

static void
judge_history(struct run *u)
{
	struct patience *p = calloc(1, sizeof *p);

	if (p == NULL) {
		acknowledge(u->rq); /* the sweep fetches the log (TEL-4) */
		return;
	}
	p->rq = u->rq;
	p->timer = net_after(u->rq->loop, AUDIT_PATIENCE_MS, on_out_of_patience, p);
	registrar_audit(
	    u->r, u->rq->loop, u->device.id, u->client.masa_url, u->rq->trace, on_judged, p);
}

static void
on_stored(void *arg, mst_err e)
{
	struct run *u = arg;

	if (e != MST_OK || u->verdict != MST_OK) {
		journal_refuse(u->r->journal, u->rq, u->device.id, u->step,
		    e != MST_OK ? e : u->verdict, NULL);
		return;
	}
	net_accept(u->rq, u->step, u->words);
	/* Once a log is judged, a pledge that repeats itself costs its MASA nothing. */
	if (u->step == STEP_VOUCHER_STATUS && u->report.status && u->device.audit_verdict < 0)
		judge_history(u);
	else
		acknowledge(u->rq);
}

/* Who may report at all. */
static mst_err
judge_client(struct run *u)
{
	switch (u->client.class) {
	case TRUST_ANONYMOUS: return MST_E_TLS_NO_CLIENT_CERT;
	case TRUST_REFUSED: return u->client.why;
	case TRUST_LDEVID:
		if (u->step == STEP_VOUCHER_STATUS || u->client.row.device == 0)
			return MST_E_TELEMETRY_CLIENT;
		return registrar_rate(u->r, RATE_TELEMETRY, &u->client);
	case TRUST_IDEVID: return registrar_rate(u->r, RATE_TELEMETRY, &u->client);
	}
	return MST_E_INTERNAL;
}

static mst_err
begin(struct run *u)
{
	mst_err e = trust_copy(u->rq->arena, trust_judge(u->r->c.trust, u->rq), &u->client);

	if (e != MST_OK)
		return e;
	u->rq->serial = u->client.serial;
	u->rq->manufacturer = u->client.manufacturer.name;
	if ((e = judge_client(u)) != MST_OK)
		return e;
	return parse(u);
}

static void
receive(struct net_request *rq, struct registrar *r, enum step step)
{
	struct run *u = arena_alloc(rq->arena, sizeof *u);
	mst_err e;

	if (u == NULL) {
		net_refuse(rq, step, MST_E_NOMEM, NULL);
		return;
	}
	u->r = r;
	u->rq = rq;
	u->step = step;
	if ((e = begin(u)) != MST_OK) {
		journal_refuse(r->journal, rq, 0, step, e, u->client.detail);
		return;
	}
	u->words = describe(u);
	registrar_write(r, rq->loop, store_report, on_stored, u);
}

void
registrar_on_voucher_status(struct net_request *rq, void *arg)
{
	receive(rq, arg, STEP_VOUCHER_STATUS);
}

void
registrar_on_enrollstatus(struct net_request *rq, void *arg)
{
	receive(rq, arg, STEP_ENROLLSTATUS);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cert.*, crl.*: what the site's CA has issued, and takes back. */
#include "server/admin/room.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/cert.h"
#include "host/clock.h"
#include "host/metrics.h"

#define ERRAND_PATIENCE 30 /* seconds */

static json_t *
describe(struct admin_call *call, const struct cert_row *c)
{
	static const char *const states[] = { "ordered", "issued", "revoked" };
	json_t *o = json_object();
	X509 *x = NULL;

	json_object_set_new(o, "serial", admin_json_hex(call->a, c->serial));
	json_object_set_new(o, "state", json_string(states[c->state]));
	json_object_set_new(o, "profile", admin_json_words(c->profile));
	json_object_set_new(o, "ca", admin_json_words(c->ca));
	json_object_set_new(o, "identity", admin_json_words(c->identity));
	json_object_set_new(o, "not_before", admin_json_time(call->a, c->not_before));
	json_object_set_new(o, "not_after", admin_json_time(call->a, c->not_after));
	json_object_set_new(o, "issued_at", admin_json_time(call->a, c->issued_at));
	json_object_set_new(o, "revoked_at", admin_json_time(call->a, c->revoked_at));
	if (c->state == CERT_REVOKED)
		json_object_set_new(o, "revoke_reason", json_integer(c->revoke_reason));
	if (c->der.ptr != NULL && cert_parse(c->der, &x) == MST_OK) {
		json_object_set_new(o, "subject", admin_json_words(cert_subject(call->a, x)));
		X509_free(x);
	}
	return o;
}

static mst_err
list(struct admin_call *call)
{
	struct db *db = store_reader(call->c->store);
	struct device d = { .id = 0 };
	struct cert_row *rows;
	size_t count;
	mst_err e = MST_OK;

	if (admin_text(call, "device") != NULL &&
	    (e = admin_device(call, db, "device", &d)) != MST_OK)
		return e;
	e = cert_rows(db, call->a, d.id, admin_int(call, "before", 0), admin_limit(call, 1000),
	    &rows, &count);
	if (e != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(call->data, describe(call, &rows[i]));
	return MST_OK;
}

static mst_err
wanted(struct admin_call *call, mst_span *serial)
{
	mst_err e = admin_hex(call, "serial", serial);

	if (e != MST_OK)
		return e;
	if (serial->len == 0)
		return admin_refuse(call, MST_E_USAGE, "\"serial\" is missing");
	return MST_OK;
}

static mst_err
show(struct admin_call *call)
{
	struct cert_row c;
	mst_span serial, pem;
	X509 *x = NULL;
	mst_err e = wanted(call, &serial);

	if (e != MST_OK)
		return e;
	if ((e = cert_by_serial(store_reader(call->c->store), call->a, serial, &c)) != MST_OK)
		return admin_refuse(call, e, "this CA issued no certificate of that serial number");
	call->data = describe(call, &c);
	if (c.der.ptr != NULL && cert_parse(c.der, &x) == MST_OK &&
	    cert_pem(call->a, x, &pem) == MST_OK)
		json_object_set_new(call->data, "pem", admin_json_text(pem));
	X509_free(x);
	return MST_OK;
}

/*
 * What the CA does lives on loop 0; this thread waits for it, but not for
 * ever: the daemon may be ending. Both sides hold the errand.
 */
struct errand {
	struct arena *a; /* of what the CA is told */
	struct ca_loop *loop;
	mst_span serial; /* to be revoked; absent: the order is to be signed, or without one */
	int reason;
	struct ca_order order; /* a new CRL published */
	pthread_mutex_t lock;
	pthread_cond_t done;
	unsigned refs;
	bool over;
	mst_err err;
};

static void
errand_drop(struct errand *r)
{
	bool last;

	pthread_mutex_lock(&r->lock);
	last = --r->refs == 0;
	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	pthread_cond_destroy(&r->done);
	pthread_mutex_destroy(&r->lock);
	arena_free(r->a);
	free(r);
}

static void
errand_done(void *arg, mst_err e)
{
	struct errand *r = arg;

	pthread_mutex_lock(&r->lock);
	r->err = e;
	r->over = true;
	pthread_cond_signal(&r->done);
	pthread_mutex_unlock(&r->lock);
	errand_drop(r);
}

static void
errand_signed(void *arg, mst_err e, mst_span der, const struct cert_row *row)
{
	(void)der;
	(void)row;
	errand_done(arg, e);
}

static void
errand_begin(void *arg)
{
	struct errand *r = arg;

	if (r->serial.ptr != NULL)
		ca_revoke(r->loop, r->serial, r->reason, errand_done, r);
	else if (r->order.label == NULL)
		ca_crl_refresh(r->loop, errand_done, r);
	else
		ca_issue(r->loop, &r->order, errand_signed, r);
}

static struct errand *
errand_new(struct admin_call *call)
{
	struct errand *r = calloc(1, sizeof *r);

	if (r == NULL || (r->a = arena_new(1 << 20)) == NULL) {
		free(r);
		return NULL;
	}
	r->loop = call->c->ca_loop;
	r->refs = 2;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->done, NULL);
	return r;
}

/* Takes the errand. */
static mst_err
errand_run(struct admin_call *call, struct errand *r)
{
	struct timespec until;
	mst_err e;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ERRAND_PATIENCE;
	net_post(net_loop_at(call->c->net, 0), errand_begin, r);
	pthread_mutex_lock(&r->lock);
	while (!r->over)
		if (pthread_cond_timedwait(&r->done, &r->lock, &until) != 0)
			break;
	e = r->over ? r->err : MST_E_TIMEOUT;
	pthread_mutex_unlock(&r->lock);
	errand_drop(r);
	return e;
}

static mst_err
revoke_and_wait(struct admin_call *call, mst_span serial, int reason)
{
	struct errand *r = errand_new(call);

	if (r == NULL)
		return MST_E_NOMEM;
	r->serial = arena_dup(r->a, serial);
	r->reason = reason;
	return errand_run(call, r);
}

/* --- orders that wait for an operator (EST-7): signing them is what accepts them --- */

static mst_err
sign_and_wait(struct admin_call *call, const struct cert_row *c)
{
	struct errand *r = errand_new(call);

	if (r == NULL)
		return MST_E_NOMEM;
	r->order = (struct ca_order){ .label = arena_str(r->a, mst_span_str(c->ca)),
		.profile = arena_str(r->a, mst_span_str(c->profile)),
		.subject = arena_dup(r->a, c->subject),
		.san = arena_dup(r->a, c->san),
		.spki = arena_dup(r->a, c->spki),
		.order_key = arena_dup(r->a, c->order_key),
		.device = c->device,
		.identity = arena_str(r->a, mst_span_str(c->identity)) };
	return errand_run(call, r);
}

static mst_err
note_acceptance(struct db *db, void *arg)
{
	struct admin_call *call = arg;

	return admin_trail(call, db, 0,
	    arena_printf(call->a, "certificate order %s accepted", admin_text(call, "serial")));
}

static mst_err
accept_order(struct admin_call *call)
{
	struct cert_row c;
	mst_span serial;
	mst_err e = wanted(call, &serial);

	if (e != MST_OK)
		return e;
	if (call->c->ca_loop == NULL)
		return admin_refuse(
		    call, MST_E_UNSUPPORTED, "there is no CA in this configuration");
	if ((e = cert_by_serial(store_reader(call->c->store), call->a, serial, &c)) != MST_OK)
		return admin_refuse(call, e, "there is no order of that serial number");
	if (c.state != CERT_ORDERED)
		return admin_refuse(call, MST_E_CONFLICT, "it is no longer waiting");
	if ((e = store_write_wait(call->c->store, note_acceptance, call)) != MST_OK ||
	    (e = sign_and_wait(call, &c)) != MST_OK)
		return admin_refuse(call, e, "it could not be signed");
	return show(call);
}

/* --- revocation --- */

/*
 * A certificate that was issued is taken back because its device is not to be
 * trusted: then neither is the bootstrap that it may have begun meanwhile, or
 * a thief who keeps asking for vouchers would never be shut out.
 */
static bool
loses_standing(const struct device *d)
{
	switch (d->state) {
	case DEVICE_SEEN:
	case DEVICE_PENDING:
	case DEVICE_VOUCHER:
	case DEVICE_ENROLLED:
	case DEVICE_ACTIVE:
	case DEVICE_STALE: return true;
	case DEVICE_PLANNED:
	case DEVICE_QUARANTINED:
	case DEVICE_REVOKED:
	case DEVICE_RETIRED:
	case DEVICE_STATE_COUNT: break;
	}
	return false;
}

struct revocation {
	struct admin_call *call;
	struct cert_owner owner;
	int reason;
	const struct cert_row *one; /* of revoke_one */
	size_t count; /* certificates taken back */
	bool changed; /* the owner had not lost its standing before */
};

static mst_err
shut_out(struct revocation *v, struct db *db)
{
	struct admin_call *call = v->call;
	struct device d;
	mst_err e;

	if (v->owner.device == 0) {
		e = barred_add(db, &(struct barred){ .owner = v->owner.identity,
		                       .at = clock_wall(),
		                       .by = call->by,
		                       .reason = admin_text(call, "words") });
		v->changed = e == MST_OK;
		return e == MST_E_CONFLICT ? MST_OK : e;
	}
	if ((e = device_by_id(db, call->a, v->owner.device, &d)) != MST_OK || !loses_standing(&d))
		return e;
	v->changed = true;
	d.state = DEVICE_REVOKED;
	return device_save(db, &d);
}

/* Standing and certificates go in one transaction: there is no moment between the two. */
static mst_err
revoke_job(struct db *db, void *arg)
{
	struct revocation *v = arg;
	struct admin_call *call = v->call;
	mst_err e;

	if ((e = shut_out(v, db)) != MST_OK ||
	    (e = cert_revoke_owner(db, &v->owner, 0, v->reason, clock_wall(), &v->count)) != MST_OK)
		return e;
	if (!v->changed && v->count == 0)
		return MST_E_CONFLICT;
	return admin_trail(call, db, v->owner.device,
	    arena_printf(call->a, "certificate revoked: all %zu of %s, reason %d%s", v->count,
	        v->owner.identity, v->reason, v->owner.device == 0 ? "; barred" : ""));
}

mst_err
admin_publish(struct admin_call *call)
{
	struct errand *r = errand_new(call);

	return r != NULL ? errand_run(call, r) : MST_E_NOMEM;
}

/* Everything of an owner who is not trusted any more. */
static mst_err
revoke_owner(struct admin_call *call, const struct cert_owner *owner, int reason)
{
	struct revocation v = { .call = call, .owner = *owner, .reason = reason };
	mst_err e = store_write_wait(call->c->store, revoke_job, &v);

	if (e == MST_E_CONFLICT)
		return admin_refuse(
		    call, e, "everything of %s is revoked already", owner->identity);
	if (e != MST_OK)
		return admin_refuse(call, e, "it could not be revoked");
	call->data = json_pack("{s:s,s:I,s:b}", "identity", owner->identity, "revoked",
	    (json_int_t)v.count, "barred", owner->device == 0);
	metric_add("muster_certificates_revoked_total", NULL, (double)v.count);
	if ((e = admin_publish(call)) != MST_OK)
		return admin_refuse(call, e, "it is revoked, but no new CRL could be signed yet");
	return MST_OK;
}

static mst_err
note_revocation(struct db *db, void *arg)
{
	const struct revocation *v = arg;

	return admin_trail(v->call, db, v->one->device,
	    v->one->issued_at != 0 ? "certificate revoked: this one only"
	                           : "certificate order rejected");
}

/* One certificate of an owner who keeps its standing; or an order that was never signed. */
static mst_err
revoke_one(struct admin_call *call, const struct cert_row *c, int reason)
{
	struct revocation note = { .call = call, .one = c };
	mst_err e = revoke_and_wait(call, c->serial, reason), f;

	if (e == MST_E_CONFLICT)
		return admin_refuse(call, e, "it is revoked already");
	if (e != MST_OK && e != MST_E_EST_CA) /* not even recorded, as far as is known */
		return admin_refuse(call, e, "it could not be revoked");
	if ((f = store_write_wait(call->c->store, note_revocation, &note)) != MST_OK)
		return f;
	call->data = json_pack("{s:s,s:i,s:b}", "identity", c->identity, "revoked", 1, "barred", 0);
	if (e != MST_OK)
		return admin_refuse(call, e, "it is revoked, but no new CRL could be signed yet");
	return MST_OK;
}

/* By a plain client's identity, whether or not it holds anything. */
static mst_err
revoke_named(struct admin_call *call, const char *identity, int reason)
{
	struct cert_owner owner = { 0, identity };

	if (strncmp(identity, "basic:", 6) != 0)
		return admin_refuse(call, MST_E_USAGE,
		    "an owner is basic:USER, as `muster cert list` says it; for a device there is "
		    "`muster device reject`");
	return revoke_owner(call, &owner, reason);
}

static mst_err
revoke(struct admin_call *call)
{
	const char *identity = admin_text(call, "owner");
	int64_t reason = admin_int(call, "reason", 0);
	struct cert_owner owner;
	struct cert_row c;
	mst_span serial;
	mst_err e = admin_hex(call, "serial", &serial);

	if (e != MST_OK)
		return e;
	if ((serial.len == 0) == (identity == NULL))
		return admin_refuse(call, MST_E_USAGE, "give \"serial\" or \"owner\"");
	if (call->c->ca_loop == NULL)
		return admin_refuse(
		    call, MST_E_UNSUPPORTED, "there is no CA in this configuration");
	if (reason < 0 || reason > 10 || reason == 7 || reason == 8)
		return admin_refuse(call, MST_E_USAGE, "reason is 0..6, 9 or 10 (RFC 5280 5.3.1)");
	if (identity != NULL)
		return revoke_named(call, identity, (int)reason);
	if ((e = cert_by_serial(store_reader(call->c->store), call->a, serial, &c)) != MST_OK)
		return admin_refuse(call, e, "this CA issued no certificate of that serial number");
	if (c.issued_at == 0 || admin_bool(call, "only", 0))
		return revoke_one(call, &c, (int)reason);
	owner = (struct cert_owner){ c.device, c.identity };
	return revoke_owner(call, &owner, (int)reason);
}

/* --- who is barred --- */

static mst_err
barred(struct admin_call *call)
{
	struct barred *rows;
	size_t count;
	mst_err e = barred_list(store_reader(call->c->store), call->a, &rows, &count);

	if (e != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(call->data,
		    json_pack("{s:o,s:o,s:o,s:o}", "owner", admin_json_words(rows[i].owner), "at",
		        admin_json_time(call->a, rows[i].at), "by", admin_json_words(rows[i].by),
		        "reason", admin_json_words(rows[i].reason)));
	return MST_OK;
}

static mst_err
unbar_job(struct db *db, void *arg)
{
	struct admin_call *call = arg;
	const char *owner;
	mst_err e = admin_need(call, "owner", &owner);

	if (e != MST_OK)
		return e;
	if ((e = barred_delete(db, owner)) == MST_E_NOT_FOUND)
		return admin_refuse(call, e, "%s is not barred", owner);
	return e != MST_OK ? e
	                   : admin_trail(call, db, 0, arena_printf(call->a, "%s unbarred", owner));
}

static mst_err
unbar(struct admin_call *call)
{
	return store_write_wait(call->c->store, unbar_job, call);
}

static mst_err
crl(struct admin_call *call)
{
	const char *label = admin_text(call, "label");
	mst_span der;
	mst_err e;

	if (call->c->ca == NULL)
		return admin_refuse(
		    call, MST_E_UNSUPPORTED, "there is no CA in this configuration");
	if ((e = ca_crl_der(call->c->ca, label != NULL ? label : "", call->a, &der)) != MST_OK)
		return e;
	call->data = json_object();
	json_object_set_new(call->data, "der", admin_json_base64(call->a, der));
	return MST_OK;
}

const struct admin_word admin_cert_verbs[] = {
	{ "cert.list", list },
	{ "cert.show", show },
	{ "cert.accept", accept_order },
	{ "cert.revoke", revoke },
	{ "cert.barred", barred },
	{ "cert.unbar", unbar },
	{ "crl.show", crl },
	{ NULL, NULL },
};

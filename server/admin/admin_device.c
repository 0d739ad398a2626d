/* SPDX-License-Identifier: Apache-2.0 */
/* device.*: what an operator sees of a device, and decides about it. */
#include "server/admin/room.h"

#include <stdio.h>
#include <string.h>

#include "host/clock.h"
#include "host/metrics.h"

#define PRIVILEGE_WITHDRAWN 9 /* RFC 5280 5.3.1 */
#define IMPORT_BATCH 500
#define PAGE_MOST 10000
#define TIMELINE_MOST 2000

static const char *
manufacturer_name(struct admin_call *call, struct db *db, int64_t id)
{
	if (id != 0 && call->makers == NULL &&
	    manufacturer_list(db, call->a, &call->makers, &call->maker_count) != MST_OK)
		call->maker_count = 0;
	for (size_t i = 0; i < call->maker_count; i++)
		if (call->makers[i].id == id)
			return call->makers[i].name;
	return NULL;
}

static json_t *
status_json(int v)
{
	return v < 0 ? json_null() : json_boolean(v);
}

static json_t *
describe(struct admin_call *call, struct db *db, const struct device *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "serial", admin_json_text(d->serial));
	json_object_set_new(
	    o, "manufacturer", admin_json_words(manufacturer_name(call, db, d->manufacturer)));
	json_object_set_new(o, "issuer", admin_json_hex(call->a, d->idevid_issuer));
	json_object_set_new(o, "state", json_string(device_state_word(d->state)));
	json_object_set_new(o, "expects", admin_json_words(d->expects));
	json_object_set_new(o, "decision",
	    admin_json_words(d->decision > 0   ? "accepted"
	                     : d->decision < 0 ? "rejected"
	                                       : NULL));
	json_object_set_new(o, "decided_by", admin_json_words(d->decided_by));
	json_object_set_new(o, "decision_reason", admin_json_words(d->decision_reason));
	json_object_set_new(o, "decided_at", admin_json_time(call->a, d->decided_at));
	json_object_set_new(o, "first_seen", admin_json_time(call->a, d->first_seen));
	json_object_set_new(o, "last_seen", admin_json_time(call->a, d->last_seen));
	json_object_set_new(o, "voucher_at", admin_json_time(call->a, d->voucher_at));
	json_object_set_new(o, "voucher_status", status_json(d->voucher_status));
	json_object_set_new(o, "enroll_status", status_json(d->enroll_status));
	json_object_set_new(o, "audit_verdict",
	    admin_json_words(d->audit_verdict == 0   ? "bad"
	                     : d->audit_verdict == 1 ? "good"
	                     : d->audit_verdict == 2 ? "good with warnings"
	                                             : NULL));
	json_object_set_new(o, "audit_words", admin_json_words(d->audit_words));
	json_object_set_new(o, "audit_override", json_boolean(d->audit_override == 1));
	json_object_set_new(o, "trace", admin_json_words(d->trace));
	return o;
}

static mst_err
list(struct admin_call *call)
{
	struct db *db = store_reader(call->c->store);
	const char *state = admin_text(call, "state");
	enum device_state s = state == NULL ? DEVICE_STATE_COUNT : device_state_find(state);
	struct device *rows;
	size_t count;
	mst_err e;

	if (state != NULL && s == DEVICE_STATE_COUNT)
		return admin_refuse(call, MST_E_USAGE, "no state \"%s\"", state);
	e = device_list(db, call->a, s, mst_span_str(admin_text(call, "after")),
	    admin_limit(call, PAGE_MOST), &rows, &count);
	if (e != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(call->data, describe(call, db, &rows[i]));
	return MST_OK;
}

static bool
is_wanted(
    const struct device *d, const struct manufacturer *m, mst_span issuer, const char *manufacturer)
{
	return (manufacturer == NULL || d->manufacturer == m->id) &&
	       (issuer.ptr == NULL || mst_span_eq(d->idevid_issuer, issuer));
}

/* What to type for each of several, so that an operator can tell them apart. */
static mst_err
ask_which(struct admin_call *call, struct db *db, const char *serial, const struct device *list_,
    size_t n)
{
	const char *words = arena_printf(call->a, "%zu devices are \"%s\":", n, serial);

	for (size_t i = 0; words != NULL && i < n; i++) {
		json_t *issuer = admin_json_hex(call->a, list_[i].idevid_issuer);
		const char *name = manufacturer_name(call, db, list_[i].manufacturer);

		words = arena_printf(call->a, "%s%s --manufacturer %s%s%s (%s)", words,
		    i == 0 ? "" : ";", name != NULL ? name : "-",
		    json_is_string(issuer) ? " --issuer " : ", issuer not seen yet",
		    json_is_string(issuer) ? json_string_value(issuer) : "",
		    device_state_word(list_[i].state));
		json_decref(issuer);
	}
	return admin_refuse(call, MST_E_CONFLICT, "%s", words != NULL ? words : "several");
}

mst_err
admin_device(struct admin_call *call, struct db *db, const char *key, struct device *out)
{
	const char *serial, *name = admin_text(call, "manufacturer");
	struct manufacturer m = { .id = 0 };
	struct device *rows;
	mst_span issuer = MST_NONE;
	size_t n, kept = 0;
	mst_err e;

	if ((e = admin_need(call, key, &serial)) != MST_OK ||
	    (e = admin_hex(call, "issuer", &issuer)) != MST_OK)
		return e;
	if (name != NULL && (e = manufacturer_get(db, call->a, name, &m)) != MST_OK)
		return admin_refuse(call, e, "no manufacturer \"%s\"", name);
	if ((e = device_namesakes(db, call->a, mst_span_str(serial), &rows, &n)) != MST_OK)
		return e;
	for (size_t i = 0; i < n; i++)
		if (is_wanted(&rows[i], &m, issuer, name))
			rows[kept++] = rows[i];
	if (kept == 0)
		return admin_refuse(call, MST_E_NOT_FOUND, "no device \"%s\"", serial);
	if (kept > 1)
		return ask_which(call, db, serial, rows, kept);
	*out = rows[0];
	return MST_OK;
}

static mst_err
lookup(struct admin_call *call, struct db *db, struct device *out)
{
	return admin_device(call, db, "serial", out);
}

static json_t *
trail_json(struct admin_call *call, const struct trail *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "seq", json_integer(t->seq));
	json_object_set_new(o, "at", admin_json_time(call->a, t->at));
	json_object_set_new(o, "role", admin_json_words(t->role));
	json_object_set_new(o, "step", json_string(step_word(t->step)));
	admin_json_outcome(o, t->err);
	json_object_set_new(o, "detail", admin_json_words(t->detail));
	json_object_set_new(o, "peer", admin_json_words(t->peer));
	json_object_set_new(o, "trace", admin_json_words(t->trace));
	json_object_set_new(o, "request", admin_json_words(t->request));
	return o;
}

static json_t *
timeline(struct admin_call *call, struct db *db, int64_t device)
{
	json_t *out = json_array();
	struct trail *rows;
	size_t count;

	if (trail_list(db, call->a, device, 0, TIMELINE_MOST, &rows, &count) == MST_OK)
		for (size_t i = 0; i < count; i++)
			json_array_append_new(out, trail_json(call, &rows[i]));
	return out;
}

static json_t *
certificates(struct admin_call *call, struct db *db, int64_t device)
{
	json_t *out = json_array();
	struct cert_row *rows;
	size_t count;

	if (cert_rows(db, call->a, device, 0, 100, &rows, &count) == MST_OK)
		for (size_t i = 0; i < count; i++) {
			json_t *o = json_object();

			json_object_set_new(o, "serial", admin_json_hex(call->a, rows[i].serial));
			json_object_set_new(
			    o, "not_after", admin_json_time(call->a, rows[i].not_after));
			json_object_set_new(
			    o, "revoked_at", admin_json_time(call->a, rows[i].revoked_at));
			json_array_append_new(out, o);
		}
	return out;
}

static mst_err
show(struct admin_call *call)
{
	struct db *db = store_reader(call->c->store);
	struct device d;
	struct exchange x;
	mst_err e = lookup(call, db, &d);

	if (e != MST_OK)
		return e;
	call->data = describe(call, db, &d);
	if (exchange_latest(db, call->a, d.id, &x) == MST_OK) {
		json_object_set_new(call->data, "pvr", admin_json_base64(call->a, x.pvr));
		json_object_set_new(call->data, "rvr", admin_json_base64(call->a, x.rvr));
		json_object_set_new(call->data, "voucher", admin_json_base64(call->a, x.voucher));
		json_object_set_new(call->data, "media", json_string(mst_media_type(x.media)));
	}
	json_object_set_new(call->data, "certificates", certificates(call, db, d.id));
	json_object_set_new(call->data, "timeline", timeline(call, db, d.id));
	return MST_OK;
}

/* --- decisions --- */

/* A bad history is overridden by name and with a reason, or not at all (AUD-6). */
static mst_err
admit_in_spite(struct admin_call *call, struct device *d, const char *reason)
{
	if (admin_bool(call, "after_audit", 0)) {
		if (reason == NULL || reason[0] == '\0')
			return admin_refuse(
			    call, MST_E_USAGE, "overriding an audit verdict needs a reason");
		d->audit_override = 1;
	} else if (d->state == DEVICE_QUARANTINED && d->audit_verdict == 0 &&
	           d->audit_override != 1) {
		return admin_refuse(call, MST_E_CONFLICT,
		    "its audit log was judged bad; accept it after-audit, with a reason");
	}
	return MST_OK;
}

/* Who is refused keeps nothing that this site's CA certified. */
static mst_err
take_back(struct admin_call *call, struct db *db, const struct device *d)
{
	struct cert_owner owner = { .device = d->id };
	mst_err e;

	e = cert_revoke_owner(db, &owner, 0, PRIVILEGE_WITHDRAWN, clock_wall(), &call->revoked);
	if (e != MST_OK || call->revoked == 0)
		return e;
	return admin_trail(call, db, d->id,
	    arena_printf(call->a, "certificate revoked: all %zu of the device, reason %d",
	        call->revoked, PRIVILEGE_WITHDRAWN));
}

static mst_err
decide(struct admin_call *call, struct db *db, int decision)
{
	const char *reason = admin_text(call, "reason");
	struct device d;
	const char *words;
	mst_err e = lookup(call, db, &d);

	if (e != MST_OK)
		return e;
	if (decision > 0 && (e = admit_in_spite(call, &d, reason)) != MST_OK)
		return e;
	d.decision = decision;
	d.decided_by = call->by;
	d.decision_reason = reason;
	d.decided_at = clock_wall();
	if (decision < 0) {
		d.state = DEVICE_RETIRED;
		d.audit_override = 0; /* what was forgiven is not forgiven for ever */
	} else if (d.state == DEVICE_RETIRED || d.state == DEVICE_QUARANTINED ||
	           d.state == DEVICE_REVOKED || d.state == DEVICE_PENDING) {
		d.state = DEVICE_SEEN;
	}
	words = arena_printf(call->a, "%s%s%s%s", decision > 0 ? "accepted" : "rejected",
	    d.audit_override == 1 && decision > 0 ? " in spite of its audit log" : "",
	    reason != NULL ? ": " : "", reason != NULL ? reason : "");
	if ((e = device_save(db, &d)) != MST_OK ||
	    (e = admin_trail(call, db, d.id, words)) != MST_OK ||
	    (decision < 0 && (e = take_back(call, db, &d)) != MST_OK) ||
	    (e = device_by_id(db, call->a, d.id, &d)) != MST_OK) /* what it expects has changed */
		return e;
	call->data = describe(call, db, &d);
	return MST_OK;
}

static mst_err
accept_job(struct db *db, void *arg)
{
	return decide(arg, db, 1);
}

static mst_err
reject_job(struct db *db, void *arg)
{
	return decide(arg, db, -1);
}

static mst_err
accept_device(struct admin_call *call)
{
	return store_write_wait(call->c->store, accept_job, call);
}

static mst_err
reject_device(struct admin_call *call)
{
	mst_err e = store_write_wait(call->c->store, reject_job, call);

	if (e != MST_OK || call->revoked == 0)
		return e;
	metric_add("muster_certificates_revoked_total", NULL, (double)call->revoked);
	json_object_set_new(call->data, "revoked", json_integer((json_int_t)call->revoked));
	if (call->c->ca_loop == NULL || (e = admin_publish(call)) != MST_OK)
		return admin_refuse(call, e != MST_OK ? e : MST_E_EST_CA,
		    "it is refused and its certificates are revoked, but no new CRL could be "
		    "signed yet");
	return MST_OK;
}

/* --- import --- */

struct import {
	struct admin_call *call;
	struct arena *a; /* of one batch */
	struct manufacturer m;
	mst_span issuer; /* of all their IDevIDs; absent: not known */
	const json_t *serials;
	size_t from, to, added, known;
};

static mst_err
import_one(struct import *in, struct db *db, size_t at)
{
	const json_t *v = json_array_get(in->serials, at);
	struct device d;
	bool created;
	mst_span serial = mst_span_of(json_string_value(v), json_string_length(v));
	int64_t now = clock_wall();
	mst_err e;

	if (!json_is_string(v) || mst_serial_check(serial) != MST_OK)
		return admin_refuse(
		    in->call, MST_E_VOUCHER_SERIAL_FORMAT, "entry %zu is no serial number", at + 1);
	e = device_touch(db, in->a, in->m.id, serial, in->issuer, now, &d, &created);
	if (e == MST_E_CONFLICT)
		return admin_refuse(in->call, e,
		    "entry %zu: several devices of %s are \"%.*s\"; "
		    "accept the one that is meant, by its issuer",
		    at + 1, in->m.name, (int)serial.len, (const char *)serial.ptr);
	if (e != MST_OK)
		return e;
	if (d.decision != 0) {
		in->known++;
		return MST_OK;
	}
	if (created)
		d.state = DEVICE_PLANNED;
	else if (d.state == DEVICE_PENDING)
		d.state = DEVICE_SEEN;
	d.decision = 1;
	d.decided_by = in->call->by;
	d.decision_reason = "imported";
	d.decided_at = now;
	in->added++;
	return device_save(db, &d);
}

static mst_err
import_job(struct db *db, void *arg)
{
	struct import *in = arg;
	size_t added = in->added, known = in->known;
	char words[192];
	mst_err e = MST_OK;

	for (size_t i = in->from; e == MST_OK && i < in->to; i++)
		e = import_one(in, db, i);
	snprintf(words, sizeof words, "imported %zu devices of %s", in->added - added, in->m.name);
	if (e == MST_OK)
		e = admin_trail(in->call, db, 0, words);
	if (e != MST_OK) { /* nothing of the batch is there */
		in->added = added;
		in->known = known;
	}
	return e;
}

static mst_err
import(struct admin_call *call)
{
	struct import in = { .call = call, .serials = json_object_get(call->args, "serials") };
	const char *name;
	size_t n = json_array_size(in.serials);
	mst_err e = admin_need(call, "manufacturer", &name);

	if (e != MST_OK)
		return e;
	if (!json_is_array(in.serials))
		return admin_refuse(call, MST_E_USAGE, "\"serials\" is not a list");
	if ((e = admin_hex(call, "issuer", &in.issuer)) != MST_OK)
		return e;
	if (manufacturer_get(store_reader(call->c->store), call->a, name, &in.m) != MST_OK)
		return admin_refuse(call, MST_E_NOT_FOUND, "no manufacturer \"%s\"", name);
	if ((in.a = arena_new(16 << 20)) == NULL)
		return MST_E_NOMEM;
	for (in.from = 0; e == MST_OK && in.from < n; in.from = in.to) {
		in.to = in.from + IMPORT_BATCH < n ? in.from + IMPORT_BATCH : n;
		arena_reset(in.a);
		e = store_write_wait(call->c->store, import_job, &in);
		if (e == MST_OK)
			call->progress(call, (int64_t)in.to, (int64_t)n);
	}
	arena_free(in.a);
	if (e != MST_OK)
		return e;
	call->data =
	    json_pack("{s:I,s:I}", "added", (json_int_t)in.added, "known", (json_int_t)in.known);
	return MST_OK;
}

/* --- the trail of the whole site --- */

static mst_err
audit_list(struct admin_call *call)
{
	struct db *db = store_reader(call->c->store);
	struct device d = { .id = 0 };
	struct trail *rows;
	size_t count;
	mst_err e = MST_OK;

	if (admin_text(call, "serial") != NULL)
		e = lookup(call, db, &d);
	if (e != MST_OK || (e = trail_list(db, call->a, d.id, admin_int(call, "after", 0),
	                        admin_limit(call, PAGE_MOST), &rows, &count)) != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(call->data, trail_json(call, &rows[i]));
	return MST_OK;
}

const struct admin_word admin_device_verbs[] = {
	{ "device.list", list },
	{ "device.show", show },
	{ "device.accept", accept_device },
	{ "device.reject", reject_device },
	{ "device.import", import },
	{ "audit.list", audit_list },
	{ NULL, NULL },
};

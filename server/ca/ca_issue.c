/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An order's way: row ORDERED (durable), signature, row ISSUED (durable),
 * answer. Whatever fails on the way ends it there; a crash leaves at most a
 * row without a certificate, and the same order continues it.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "host/clock.h"
#include "host/metrics.h"
#include "server/ca/ca_room.h"

#define RUN_MEMORY (1u << 20)
#define BACKDATE 300 /* devices' clocks lag a little */
#define SERIAL_TRIES 3

struct waiter {
	STAILQ_ENTRY(waiter) next;
	ca_done done;
	void *arg;
};
STAILQ_HEAD(waiters, waiter);

struct run {
	LIST_ENTRY(run) next;
	struct ca_loop *loop; /* NULL: the loop is gone, only the store's callback is awaited */
	struct store *store;
	struct arena *a;
	const char *slot; /* of the authority, which outlives the run */
	uint8_t order_key[32], serial[16], spki_sha256[32];
	struct cert_row row;
	mst_span der;
	bool issued_before;
	int64_t now;
	ca_also also;
	void *also_arg;
	struct waiters waiters;
};

static void
run_free(struct run *r)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&r->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiters, next);
		free(w);
	}
	arena_free(r->a);
	free(r);
}

static void
tell(struct run *r, mst_err e)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&r->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiters, next);
		w->done(w->arg, e, e == MST_OK ? r->der : MST_NONE, e == MST_OK ? &r->row : NULL);
		free(w);
	}
}

static void
finish(struct run *r, mst_err e)
{
	if (r->loop != NULL)
		LIST_REMOVE(r, next); /* before the callbacks: they may order the same again */
	tell(r, e);
	run_free(r);
}

/* --- ISSUED --- */

/* On the writer's thread. */
static mst_err
issued_job(struct db *db, void *arg)
{
	struct run *r = arg;
	mst_err e = cert_issued(db, r->row.id, r->der, r->now);

	if (e == MST_E_CONFLICT) { /* the same order was quicker on another loop: one certificate
		                      for both */
		if ((e = cert_by_serial(db, r->a, r->row.serial, &r->row)) != MST_OK)
			return e;
		if (r->row.state != CERT_ISSUED)
			return MST_E_X509_REVOKED;
		r->der = r->row.der;
		return MST_OK;
	}
	if (e != MST_OK)
		return e;
	r->row.state = CERT_ISSUED;
	r->row.issued_at = r->now;
	r->row.der = r->der;
	return r->also != NULL ? r->also(db, &r->row, r->also_arg) : MST_OK;
}

static void
issued(void *arg, mst_err e)
{
	if (e == MST_OK)
		metric_add("muster_certificates_issued_total", NULL, 1);
	finish(arg, e);
}

static void
is_signed(void *arg, mst_err e, mst_span der)
{
	struct run *r = arg;

	if (e == MST_OK && (r->der = arena_dup(r->a, der)).ptr == NULL)
		e = MST_E_NOMEM;
	if (e != MST_OK) {
		finish(r, e);
		return;
	}
	r->now = clock_wall();
	store_write(r->store, issued_job, issued, r, r->loop->host.post, r->loop->host.post_arg);
}

/* --- ORDERED --- */

static mst_err
order_new(struct db *db, struct run *r)
{
	mst_err e = cert_order(db, &r->row);

	/* RFC 5280 4.1.2.2: unique; 126 random bits do not collide by chance, so this is for a
	 * broken generator. */
	for (int i = 1; e == MST_E_CA_SERIAL && i < SERIAL_TRIES; i++)
		if ((e = ca_serial(r->serial)) == MST_OK)
			e = cert_order(db, &r->row);
	return e;
}

/* On the writer's thread. C5: the same order, the same certificate. */
static mst_err
order_job(struct db *db, void *arg)
{
	struct run *r = arg;
	struct cert_row before;
	mst_err e = cert_by_order(db, r->a, r->row.order_key, &before);

	if (e == MST_E_NOT_FOUND ||
	    (e == MST_OK && before.state != CERT_REVOKED && before.not_after <= r->now))
		return order_new(db, r);
	if (e != MST_OK)
		return e;
	if (before.state == CERT_REVOKED)
		return MST_E_X509_REVOKED;
	r->row = before; /* ORDERED: cut off by a crash; it is signed with the serial and fields
	                    written then */
	r->issued_before = before.state == CERT_ISSUED;
	r->der = before.der;
	return MST_OK;
}

static void
ordered(void *arg, mst_err e)
{
	struct run *r = arg;
	struct keys_request rq;

	if (e != MST_OK || r->issued_before) {
		finish(r, e);
		return;
	}
	if (r->loop == NULL) {
		finish(r, MST_E_CANCELLED);
		return;
	}
	rq = (struct keys_request){ .kind = KEYS_SIGN_CERT,
		.entry = (uint64_t)r->row.id,
		.slot = r->slot,
		.profile = r->row.profile,
		.serial = r->row.serial,
		.subject = r->row.subject,
		.spki = r->row.spki,
		.san = r->row.san,
		.not_before = r->row.not_before,
		.not_after = r->row.not_after };
	keys_call(r->loop->keys, &rq, is_signed, r);
}

/* --- the order itself --- */

static unsigned
san_kind(const GENERAL_NAME *n)
{
	switch (n->type) {
	case GEN_DNS: return CA_SAN_DNS;
	case GEN_IPADD: return CA_SAN_IP;
	case GEN_URI: return CA_SAN_URI;
	case GEN_EMAIL: return CA_SAN_EMAIL;
	case GEN_OTHERNAME: return CA_SAN_OTHER;
	case GEN_DIRNAME: return CA_SAN_DIRECTORY;
	default: return 0;
	}
}

static mst_err
judge_san(mst_span san, unsigned allowed)
{
	const unsigned char *p = san.ptr;
	GENERAL_NAMES *names;
	mst_err e = MST_OK;

	if (san.ptr == NULL)
		return MST_OK;
	if (allowed == 0 || san.len > 8192 ||
	    (names = d2i_GENERAL_NAMES(NULL, &p, (long)san.len)) == NULL)
		return MST_E_CSR_SAN;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		if ((san_kind(sk_GENERAL_NAME_value(names, i)) & allowed) == 0)
			e = MST_E_CSR_SAN;
	GENERAL_NAMES_free(names);
	return e;
}

/* The lifetime is the profile's, or shorter when asked, and never beyond the issuer's. */
static mst_err
set_validity(struct cert_row *row, const struct authority *au, const struct ca_profile *p,
    int64_t asked, int64_t now)
{
	int64_t seconds = asked > 0 && asked < p->seconds ? asked : p->seconds;
	int64_t back = seconds / 10 < BACKDATE ? seconds / 10 : BACKDATE;

	row->not_before = now - back < au->not_before ? au->not_before : now - back;
	row->not_after = row->not_before + seconds;
	if (row->not_after > au->not_after)
		row->not_after = au->not_after;
	return row->not_after > now && row->not_before <= now ? MST_OK : MST_E_CA_VALIDITY;
}

static mst_err
fill(
    struct run *r, const struct authority *au, const struct ca_profile *p, const struct ca_order *o)
{
	struct cert_row *row = &r->row;
	mst_err e;

	r->now = clock_wall();
	r->slot = au->config.slot;
	r->also = o->also;
	r->also_arg = o->also_arg;
	memcpy(r->order_key, o->order_key.ptr, sizeof r->order_key);
	SHA256(o->spki.ptr, o->spki.len, r->spki_sha256);
	*row = (struct cert_row){ .serial = { r->serial, sizeof r->serial },
		.device = o->device,
		.profile = p->name,
		.ca = au->config.label,
		.subject = arena_dup(r->a, o->subject),
		.san = o->san.ptr != NULL ? arena_dup(r->a, o->san) : MST_NONE,
		.spki = arena_dup(r->a, o->spki),
		.spki_sha256 = { r->spki_sha256, sizeof r->spki_sha256 },
		.order_key = { r->order_key, sizeof r->order_key },
		.identity = arena_str(r->a, mst_span_str(o->identity)),
		.ordered_at = r->now,
		.revoke_reason = -1,
		.state = CERT_ORDERED };
	if (row->subject.ptr == NULL || row->spki.ptr == NULL || row->identity == NULL ||
	    (o->san.ptr != NULL && row->san.ptr == NULL))
		return MST_E_NOMEM;
	if ((e = set_validity(row, au, p, o->seconds, r->now)) != MST_OK)
		return e;
	return ca_serial(r->serial);
}

static mst_err
judge(const struct ca_loop *l, const struct ca_order *o, const struct authority **au,
    const struct ca_profile **p)
{
	if ((*au = ca_find(l->ca, o->label)) == NULL)
		return MST_E_EST_LABEL;
	if ((*p = ca_profile_find(l->ca, o->label, o->profile)) == NULL)
		return MST_E_CA_PROFILE;
	if (o->order_key.len != 32 || o->identity == NULL)
		return MST_E_INTERNAL;
	if (o->subject.ptr == NULL)
		return MST_E_CSR_SUBJECT;
	if (o->spki.ptr == NULL)
		return MST_E_CSR_KEY;
	return judge_san(o->san, (*p)->san);
}

static struct run *
find_inflight(struct ca_loop *l, mst_span key)
{
	struct run *r;

	LIST_FOREACH(r, &l->inflight[key.ptr[0]], next)
	if (memcmp(r->order_key, key.ptr, sizeof r->order_key) == 0)
		return r;
	return NULL;
}

static mst_err
start(struct ca_loop *l, const struct ca_order *o, struct waiter *w)
{
	const struct authority *au;
	const struct ca_profile *p;
	struct run *r;
	mst_err e;

	if ((e = judge(l, o, &au, &p)) != MST_OK)
		return e;
	if ((r = find_inflight(l, o->order_key)) != NULL) {
		STAILQ_INSERT_TAIL(&r->waiters, w, next);
		return MST_OK;
	}
	if ((r = calloc(1, sizeof *r)) == NULL)
		return MST_E_NOMEM;
	STAILQ_INIT(&r->waiters);
	r->store = l->ca->store;
	if ((r->a = arena_new(RUN_MEMORY)) == NULL || (e = fill(r, au, p, o)) != MST_OK) {
		e = r->a == NULL ? MST_E_NOMEM : e;
		run_free(r);
		return e;
	}
	r->loop = l;
	STAILQ_INSERT_TAIL(&r->waiters, w, next);
	LIST_INSERT_HEAD(&l->inflight[r->order_key[0]], r, next);
	store_write(r->store, order_job, ordered, r, l->host.post, l->host.post_arg);
	return MST_OK;
}

struct refusal {
	struct waiter *w;
	mst_err e;
};

static void
refuse(void *arg)
{
	struct refusal *f = arg;

	f->w->done(f->w->arg, f->e, MST_NONE, NULL);
	free(f->w);
	free(f);
}

void
ca_issue(struct ca_loop *l, const struct ca_order *o, ca_done done, void *arg)
{
	struct waiter *w = calloc(1, sizeof *w);
	struct refusal *f = calloc(1, sizeof *f);
	mst_err e = MST_E_NOMEM;

	if (w == NULL || f == NULL) { /* no memory to say it later */
		done(arg, e, MST_NONE, NULL);
		free(w);
		free(f);
		return;
	}
	w->done = done;
	w->arg = arg;
	if ((e = start(l, o, w)) == MST_OK) {
		free(f);
		return;
	}
	*f = (struct refusal){ w, e };
	ca_host_post(&l->host, refuse, f);
}

static mst_err
barrier(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

/*
 * The keys client is gone by now, so what is left is with the store. Its queue
 * is in order: after the barrier no job of ours runs any more, and only posted
 * callbacks may come, which free what they find orphaned.
 */
void
ca_issue_stop(struct ca_loop *l)
{
	bool waited = false;

	for (size_t i = 0; i < INFLIGHT_SIZE; i++) {
		struct run *r;

		while ((r = LIST_FIRST(&l->inflight[i])) != NULL) {
			if (!waited && store_write_wait(l->ca->store, barrier, NULL) != MST_OK)
				ca_say("the store did not run dry");
			waited = true;
			LIST_REMOVE(r, next);
			r->loop = NULL;
			tell(r, MST_E_CANCELLED);
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRLs. One loop signs them for all labels, one at a time per label, so that
 * numbers rise in the order of publication. A CRL is stored before it is shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "server/ca/ca_room.h"

#define RETRY_MS 60000
#define TICK_MAX_S 3600 /* timers look at the wall clock again, which may have been set */

/* --- what is published --- */

static mst_err
publish(struct authority *au, const struct crl_row *c)
{
	uint8_t *der = malloc(c->der.len);

	if (der == NULL)
		return MST_E_NOMEM;
	memcpy(der, c->der.ptr, c->der.len);
	pthread_mutex_lock(&au->ca->lock);
	free(au->crl);
	au->crl = der;
	au->crl_len = c->der.len;
	au->crl_number = c->number;
	au->crl_this = c->this_update;
	au->crl_next = c->next_update;
	pthread_mutex_unlock(&au->ca->lock);
	return MST_OK;
}

mst_err
ca_crl_der(struct ca *ca, const char *label, struct arena *a, mst_span *der)
{
	struct authority *au = ca_find(ca, label);
	mst_err e = MST_E_NOT_FOUND;
	mst_span copy;

	if (au == NULL)
		return MST_E_EST_LABEL;
	pthread_mutex_lock(&ca->lock);
	if (au->crl != NULL) {
		copy = arena_dup(a, mst_span_of(au->crl, au->crl_len));
		e = copy.ptr != NULL ? MST_OK : MST_E_NOMEM;
	}
	pthread_mutex_unlock(&ca->lock);
	if (e == MST_OK)
		*der = copy;
	return e;
}

/* A CRL of a CA that this label had before is not this CA's. */
static bool
is_own(const struct authority *au, mst_span der)
{
	const unsigned char *p = der.ptr;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
	bool own = crl != NULL && X509_CRL_verify(crl, X509_get0_pubkey(au->cert)) == 1;

	X509_CRL_free(crl);
	return own;
}

mst_err
ca_crl_load(struct authority *au)
{
	struct db *db = store_reader(au->ca->store);
	struct arena *a = arena_new(0);
	struct crl_row row;
	mst_err e = MST_E_NOMEM;

	if (db != NULL && a != NULL)
		e = crl_latest(db, a, au->config.label, &row);
	if (e == MST_OK && is_own(au, row.der))
		e = publish(au, &row);
	arena_free(a);
	return e == MST_E_NOT_FOUND ? MST_OK : e;
}

/* --- making one --- */

struct crl_making {
	struct authority *au;
	struct ca_loop *loop; /* NULL: it is gone, and perhaps all but this with it */
	struct arena *a;
	struct crl_row row;
	int64_t shown; /* thisUpdate of the CRL before: who expired since stands here once more (RFC
	                  5280 3.3) */
	struct cert_row *revoked;
	size_t revoked_count;
	bool at_keys; /* else with the store */
};

static void crl_make(struct ca_loop *l, struct authority *au);
static void crl_plan(struct ca_loop *l, struct authority *au, mst_err e);

static void
waiter_told(void *arg)
{
	struct crl_waiter *w = arg;

	w->done(w->arg, w->e);
	free(w);
}

static void
log_crl(const struct crl_making *m, mst_err e)
{
	char text[200];
	struct decision d = { .role = "ca", .step = STEP_CRL, .err = e, .detail = text };

	snprintf(text, sizeof text, "ca '%s': CRL %lld with %zu serials", m->au->config.label,
	    (long long)m->row.number, m->revoked_count);
	log_decision(&d);
}

static void
made(struct crl_making *m, mst_err e)
{
	struct authority *au = m->au;
	struct ca_loop *l = m->loop;
	struct crl_waiter *w;

	if (e == MST_OK)
		e = publish(au, &m->row);
	log_crl(m, e);
	arena_free(m->a);
	free(m);
	while ((w = STAILQ_FIRST(&au->served)) != NULL) {
		STAILQ_REMOVE_HEAD(&au->served, next);
		w->e = e == MST_OK ? MST_OK : MST_E_EST_CA;
		ca_host_post(&w->home, waiter_told, w);
	}
	au->making = NULL;
	if (l->keys == NULL) /* the loop is being taken down */
		return;
	if (au->crl_again)
		crl_make(l, au);
	else
		crl_plan(l, au, e);
}

static bool
orphaned(struct crl_making *m)
{
	if (m->loop != NULL)
		return false;
	arena_free(m->a);
	free(m);
	return true;
}

static void
stored(void *arg, mst_err e)
{
	if (e == MST_OK)
		metric_add("muster_crls_signed_total", NULL, 1);
	if (!orphaned(arg))
		made(arg, e);
}

static mst_err
store_job_(struct db *db, void *arg)
{
	const struct crl_making *m = arg;

	return crl_put(db, m->au->config.label, &m->row);
}

static void
crl_signed(void *arg, mst_err e, mst_span der)
{
	struct crl_making *m = arg;

	m->at_keys = false;
	if (e == MST_OK && (m->row.der = arena_dup(m->a, der)).ptr == NULL)
		e = MST_E_NOMEM;
	if (e == MST_OK)
		store_write(m->au->ca->store, store_job_, stored, m, m->loop->host.post,
		    m->loop->host.post_arg);
	else
		made(m, e);
}

static void
crl_ordered(void *arg, mst_err e)
{
	struct crl_making *m = arg;
	struct keys_request rq;
	struct keys_revoked *list = NULL;

	if (orphaned(m))
		return;
	rq = (struct keys_request){ .kind = KEYS_SIGN_CRL,
		.entry = (uint64_t)m->row.number,
		.slot = m->au->config.slot,
		.crl_number = m->row.number,
		.this_update = m->row.this_update,
		.next_update = m->row.next_update,
		.revoked_count = m->revoked_count };
	if (e == MST_OK &&
	    (list = arena_alloc(m->a, (m->revoked_count + 1) * sizeof *list)) == NULL)
		e = MST_E_NOMEM;
	if (e != MST_OK) {
		made(m, e);
		return;
	}
	for (size_t i = 0; i < m->revoked_count; i++)
		list[i] = (struct keys_revoked){ m->revoked[i].serial, m->revoked[i].revoked_at,
			m->revoked[i].revoke_reason };
	rq.revoked = list;
	m->at_keys = true;
	keys_call(m->loop->keys, &rq, crl_signed, m);
}

/* On the writer's thread: what will be signed is written first. */
static mst_err
crl_order_job(struct db *db, void *arg)
{
	struct crl_making *m = arg;
	const char *label = m->au->config.label;
	struct crl_row before = { 0 };
	char text[200];
	struct trail t = {
		.at = m->row.this_update, .role = "ca", .step = STEP_CRL, .detail = text
	};
	mst_err e = crl_latest(db, m->a, label, &before);

	if (e != MST_OK && e != MST_E_NOT_FOUND)
		return e;
	m->row.number = before.number + 1;
	if ((e = cert_revoked(db, m->a, label, m->shown, &m->revoked, &m->revoked_count)) != MST_OK)
		return e;
	snprintf(text, sizeof text, "ca '%s': CRL %lld with %zu serials is signed", label,
	    (long long)m->row.number, m->revoked_count);
	return trail_add(db, &t);
}

static void
crl_make(struct ca_loop *l, struct authority *au)
{
	struct crl_making *m;

	if (au->making != NULL) {
		au->crl_again = true;
		return;
	}
	if ((m = calloc(1, sizeof *m)) == NULL || (m->a = arena_new(0)) == NULL) {
		free(m);
		crl_plan(l, au, MST_E_NOMEM);
		return;
	}
	au->making = m;
	au->crl_again = false;
	STAILQ_CONCAT(&au->served, &au->waiting);
	m->au = au;
	m->loop = l;
	m->row.this_update = clock_wall();
	m->row.next_update = m->row.this_update + au->config.crl_seconds;
	pthread_mutex_lock(&au->ca->lock);
	m->shown = au->crl != NULL && au->crl_this < m->row.this_update ? au->crl_this
	                                                                : m->row.this_update;
	pthread_mutex_unlock(&au->ca->lock);
	store_write(au->ca->store, crl_order_job, crl_ordered, m, l->host.post, l->host.post_arg);
}

/* --- when --- */

static void
crl_tick(void *arg)
{
	struct authority *au = arg;
	struct ca_loop *l;

	au->crl_timer = NULL;
	pthread_mutex_lock(&au->ca->lock);
	l = au->ca->crl_loop;
	pthread_mutex_unlock(&au->ca->lock);
	if (l != NULL)
		crl_plan(l, au, MST_OK);
}

/* Half of its life gone, a CRL is renewed: a failed try leaves the other half to mend it. */
static void
crl_plan(struct ca_loop *l, struct authority *au, mst_err e)
{
	int64_t now = clock_wall(), due;
	long ms;

	pthread_mutex_lock(&au->ca->lock);
	due = au->crl != NULL ? au->crl_this + (au->crl_next - au->crl_this) / 2 : now;
	if (au->crl != NULL && au->crl_this > now + 300) /* the clock went back */
		due = now;
	pthread_mutex_unlock(&au->ca->lock);
	if (e == MST_OK && due <= now) {
		crl_make(l, au);
		return;
	}
	ms = e != MST_OK              ? RETRY_MS
	     : due - now > TICK_MAX_S ? TICK_MAX_S * 1000L
	                              : (long)(due - now) * 1000L;
	if (au->crl_timer != NULL)
		l->host.cancel(au->crl_timer);
	au->crl_timer = l->host.after(l->host.post_arg, ms, crl_tick, au);
	if (au->crl_timer == NULL)
		log_line(LOG_ERROR_, "ca '%s': no timer for its CRL", au->config.label);
}

/* Something is revoked and not on the CRL: its row is durable before a CRL is even ordered. */
static bool
is_behind(struct authority *au)
{
	bool behind = false;

	return au->crl != NULL &&
	       cert_revoked_since(store_reader(au->ca->store), au->config.label, au->crl_this,
	           &behind) == MST_OK &&
	       behind;
}

void
ca_crl_start(struct ca_loop *l)
{
	pthread_mutex_lock(&l->ca->lock);
	l->ca->crl_loop = l;
	pthread_mutex_unlock(&l->ca->lock);
	for (size_t i = 0; i < l->ca->count; i++)
		if (is_behind(&l->ca->list[i]))
			crl_make(l, &l->ca->list[i]);
		else
			crl_plan(l, &l->ca->list[i], MST_OK);
}

/* --- new CRLs of all, for whoever revoked by a job of his own --- */

struct refresh {
	struct ca *ca;
	struct ca_host home;
	size_t left; /* CRLs that are not there yet */
	mst_err e;
	ca_simple_done done;
	void *arg;
};

static void
refresh_told(void *arg)
{
	struct refresh *r = arg;

	if (r->done != NULL)
		r->done(r->arg, r->e);
	free(r);
}

static void
refresh_one(void *arg, mst_err e)
{
	struct refresh *r = arg;

	if (e != MST_OK)
		r->e = e;
	if (--r->left == 0)
		ca_host_post(&r->home, refresh_told, r);
}

/* On the loop that signs CRLs. */
static void
refresh_all(void *arg)
{
	struct refresh *r = arg;
	struct ca *ca = r->ca;
	struct ca_loop *l;

	pthread_mutex_lock(&ca->lock);
	l = ca->crl_loop;
	pthread_mutex_unlock(&ca->lock);
	r->left = ca->count;
	for (size_t i = 0, n = ca->count; i < n; i++) {
		struct crl_waiter *w = l != NULL ? calloc(1, sizeof *w) : NULL;

		if (w == NULL) {
			refresh_one(r, MST_E_EST_CA); /* may have freed r when it was the last */
			continue;
		}
		*w = (struct crl_waiter){
			.home = l->host, .done = refresh_one, .arg = r, .e = MST_E_EST_CA
		};
		STAILQ_INSERT_TAIL(&ca->list[i].waiting, w, next);
		crl_make(l, &ca->list[i]);
	}
}

void
ca_crl_refresh(struct ca_loop *l, ca_simple_done done, void *arg)
{
	struct refresh *r = calloc(1, sizeof *r);
	struct ca_loop *signs;
	struct ca_host host;

	if (r == NULL) {
		if (done != NULL)
			done(arg, MST_E_NOMEM);
		return;
	}
	*r = (struct refresh){ .ca = l->ca, .home = l->host, .done = done, .arg = arg };
	pthread_mutex_lock(&l->ca->lock);
	if ((signs = l->ca->crl_loop) != NULL)
		host = signs->host;
	pthread_mutex_unlock(&l->ca->lock);
	if (signs != NULL) {
		ca_host_post(&host, refresh_all, r);
	} else {
		r->e = MST_E_EST_CA;
		ca_host_post(&r->home, refresh_told, r);
	}
}

static mst_err
barrier(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

/* A waiter of this loop is told here: nothing that is posted to it would run any more. */
static void
tell_last(struct ca_loop *l, struct crl_waiter *w)
{
	if (w->home.post == l->host.post && w->home.post_arg == l->host.post_arg)
		waiter_told(w);
	else
		ca_host_post(&w->home, waiter_told, w);
}

/* What waits for the key process ends with its client; what is with the store is orphaned. */
static void
stop_one(struct ca_loop *l, struct authority *au)
{
	struct crl_waiter *w;

	if (au->crl_timer != NULL)
		l->host.cancel(au->crl_timer);
	au->crl_timer = NULL;
	STAILQ_CONCAT(&au->served, &au->waiting);
	while ((w = STAILQ_FIRST(&au->served)) != NULL) {
		STAILQ_REMOVE_HEAD(&au->served, next);
		w->e = MST_E_EST_CA;
		tell_last(l, w);
	}
	if (au->making == NULL || au->making->at_keys)
		return;
	if (store_write_wait(l->ca->store, barrier, NULL) != MST_OK)
		log_line(LOG_WARNING_, "ca '%s': the store did not run dry", au->config.label);
	au->making->loop = NULL;
	au->making = NULL;
}

void
ca_crl_stop(struct ca_loop *l)
{
	bool mine;

	pthread_mutex_lock(&l->ca->lock);
	mine = l->ca->crl_loop == l;
	if (mine)
		l->ca->crl_loop = NULL;
	pthread_mutex_unlock(&l->ca->lock);
	for (size_t i = 0; mine && i < l->ca->count; i++)
		stop_one(l, &l->ca->list[i]);
}

/* --- revocation --- */

struct revoking {
	struct ca *ca;
	struct ca_host home;
	uint8_t serial[20];
	size_t serial_len;
	int reason;
	struct authority *au; /* whose certificate it is */
	ca_simple_done done;
	void *arg;
};

/* RFC 5280 5.3.1; 7 is unused, 8 is for delta CRLs. */
static bool
reason_ok(int reason)
{
	return (reason >= 0 && reason <= 6) || reason == 9 || reason == 10;
}

/* On the writer's thread. */
static mst_err
revoke_job(struct db *db, void *arg)
{
	struct revoking *v = arg;
	struct arena *a = arena_new(0);
	struct trail t = { .at = clock_wall(), .role = "ca", .step = STEP_REVOKE };
	mst_span serial = { v->serial, v->serial_len };
	struct cert_row row;
	mst_err e = MST_E_NOMEM;

	if (a == NULL || (e = cert_by_serial(db, a, serial, &row)) != MST_OK ||
	    (e = cert_revoke(db, serial, v->reason, t.at)) != MST_OK)
		goto out;
	v->au = ca_find(v->ca, row.ca);
	t.device = row.device;
	t.detail = arena_printf(a, "certificate of '%s', reason %d", row.identity, v->reason);
	e = trail_add(db, &t);
out:
	arena_free(a);
	return e;
}

/* On the loop that signs CRLs. */
static void
revoked_needs_crl(void *arg)
{
	struct revoking *v = arg;
	struct crl_waiter *w = calloc(1, sizeof *w);
	struct ca_loop *l;

	pthread_mutex_lock(&v->ca->lock);
	l = v->ca->crl_loop;
	pthread_mutex_unlock(&v->ca->lock);
	if (w != NULL) {
		*w = (struct crl_waiter){
			.home = v->home, .done = v->done, .arg = v->arg, .e = MST_E_EST_CA
		};
		if (l != NULL && v->au != NULL) {
			STAILQ_INSERT_TAIL(&v->au->waiting, w, next);
			crl_make(l, v->au);
		} else {
			ca_host_post(&w->home, waiter_told, w);
		}
	}
	free(v);
}

static void
revoke_over(void *arg)
{
	struct revoking *v = arg;

	v->done(v->arg, MST_E_EST_CA);
	free(v);
}

static void
revoked(void *arg, mst_err e)
{
	struct revoking *v = arg;
	struct decision d = { .role = "ca", .step = STEP_REVOKE, .err = e };
	struct ca_loop *l;
	struct ca_host host;

	log_decision(&d);
	if (e != MST_OK) {
		v->done(v->arg, e);
		free(v);
		return;
	}
	metric_add("muster_certificates_revoked_total", NULL, 1);
	pthread_mutex_lock(&v->ca->lock);
	if ((l = v->ca->crl_loop) != NULL)
		host = l->host;
	pthread_mutex_unlock(&v->ca->lock);
	if (l != NULL)
		ca_host_post(&host, revoked_needs_crl, v);
	else
		revoke_over(v);
}

struct refusal {
	ca_simple_done done;
	void *arg;
	mst_err e;
};

static void
refuse(void *arg)
{
	struct refusal *f = arg;

	f->done(f->arg, f->e);
	free(f);
}

static void
refuse_later(struct ca_loop *l, ca_simple_done done, void *arg, mst_err e)
{
	struct refusal *f = calloc(1, sizeof *f);

	if (f == NULL) {
		done(arg, MST_E_NOMEM);
		return;
	}
	*f = (struct refusal){ done, arg, e };
	ca_host_post(&l->host, refuse, f);
}

void
ca_revoke(struct ca_loop *l, mst_span serial, int reason, ca_simple_done done, void *arg)
{
	struct revoking *v;

	if (!reason_ok(reason)) {
		refuse_later(l, done, arg, MST_E_USAGE);
		return;
	}
	if (serial.len == 0 || serial.len > sizeof v->serial) {
		refuse_later(l, done, arg, MST_E_NOT_FOUND);
		return;
	}
	if ((v = calloc(1, sizeof *v)) == NULL) {
		done(arg, MST_E_NOMEM);
		return;
	}
	v->ca = l->ca;
	v->home = l->host;
	v->reason = reason;
	memcpy(v->serial, serial.ptr, serial.len);
	v->serial_len = serial.len;
	v->done = done;
	v->arg = arg;
	store_write(l->ca->store, revoke_job, revoked, v, l->host.post, l->host.post_arg);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's life and its endpoints. */
#include "server/registrar/room.h"

#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/log.h"

#define SWEEP_MS 5000
#define SWEEP_AGE 5 /* seconds after the voucher before the sweep looks at a device (TEL-4) */
#define SWEEP_MOST 20 /* devices at once */

unsigned
registrar_loop(const struct registrar *r, const struct net_loop *l)
{
	for (unsigned i = 0; i < net_loops(r->c.net); i++)
		if (net_loop_at(r->c.net, i) == l)
			return i;
	return 0;
}

static void
post(void *loop, void (*fn)(void *), void *arg)
{
	net_post(loop, fn, arg);
}

void
registrar_write(struct registrar *r, struct net_loop *l, store_job job, store_done done, void *arg)
{
	store_write(r->c.store, job, done, arg, post, l);
}

mst_err
registrar_rate(struct registrar *r, int64_t manufacturer, mst_span serial)
{
	uint32_t h = 2166136261u ^ (uint32_t)manufacturer;
	int64_t minute = clock_mono() / 60;
	struct bucket *b;
	mst_err e = MST_OK;

	for (size_t i = 0; i < serial.len; i++)
		h = (h ^ serial.ptr[i]) * 16777619u;
	b = &r->buckets[h % BUCKETS];
	pthread_mutex_lock(&r->lock);
	if (b->minute != minute) {
		b->minute = minute;
		b->count = 0;
	}
	if (++b->count > r->c.device_rate)
		e = MST_E_QUOTA;
	pthread_mutex_unlock(&r->lock);
	return e;
}

/* Under which domainIDs this site stands in audit logs: its own certificates' (ID-7). */
static mst_err
own_domains(struct registrar *r)
{
	const STACK_OF(X509) *lists[] = { r->c.tls_chain, ca_certs(r->c.ca, "") };
	mst_err e = cert_domain_id(r->arena, r->c.tls_cert, &r->own_domains[0]);

	r->own_count = 1;
	for (size_t l = 0; l < 2; l++)
		for (int i = 0; e == MST_OK && lists[l] != NULL && i < sk_X509_num(lists[l]) &&
		                r->own_count < sizeof r->own_domains / sizeof r->own_domains[0];
		     i++)
			e = cert_domain_id(
			    r->arena, sk_X509_value(lists[l], i), &r->own_domains[r->own_count++]);
	return e;
}

mst_err
registrar_new(const struct registrar_config *c, struct registrar **out)
{
	struct registrar *r = calloc(1, sizeof *r);
	mst_err e = MST_E_NOMEM;
	unsigned post_only = 1u << NET_POST;

	if (r == NULL)
		return e;
	r->c = *c;
	pthread_mutex_init(&r->lock, NULL);
	r->routes[0] = (struct net_route){ "/.well-known/brski/requestvoucher", post_only,
		registrar_on_requestvoucher, r };
	r->routes[1] = (struct net_route){ "/.well-known/brski/voucher_status", post_only,
		registrar_on_voucher_status, r };
	r->routes[2] = (struct net_route){ "/.well-known/brski/enrollstatus", post_only,
		registrar_on_enrollstatus, r };
	if ((r->arena = arena_new(0)) == NULL ||
	    (e = journal_new(c->store, "registrar", &r->journal)) != MST_OK ||
	    (e = own_domains(r)) != MST_OK) {
		registrar_free(r);
		return e;
	}
	*out = r;
	return MST_OK;
}

void
registrar_free(struct registrar *r)
{
	struct masa_access *next;

	if (r == NULL)
		return;
	if (r->sweep != NULL)
		net_cancel(r->sweep);
	for (struct masa_access *m = r->access; m != NULL; m = next) {
		next = m->next;
		anchors_free(m->tls);
		anchors_free(m->vouchers);
		EVP_PKEY_free(m->key);
		sk_X509_pop_free(m->certs, X509_free);
		free(m);
	}
	journal_free(r->journal);
	arena_free(r->arena);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

const struct net_route *
registrar_routes(const struct registrar *r, size_t *count)
{
	*count = 3;
	return r->routes;
}

static void
swept(void *arg)
{
	(void)arg;
}

/* TEL-4: a device that got a voucher and whose audit log is still owed. */
static void
sweep(void *arg)
{
	struct registrar *r = arg;
	struct net_loop *l = net_loop_at(r->c.net, 0);
	struct arena *a = arena_new(1 << 22);
	struct device *list;
	size_t count, started = 0;

	if (a != NULL && device_list(store_reader(r->c.store), a, DEVICE_VOUCHER, MST_NONE, 1000,
	                     &list, &count) == MST_OK)
		for (size_t i = 0; i < count && started < SWEEP_MOST; i++)
			if (list[i].audit_verdict < 0 &&
			    list[i].voucher_at + SWEEP_AGE < clock_wall()) {
				registrar_audit(r, l, list[i].id, list[i].trace, swept, NULL);
				started++;
			}
	arena_free(a);
	r->sweep = net_after(l, SWEEP_MS, sweep, r);
	if (r->sweep == NULL)
		log_line(LOG_ERROR_, "out of memory: audit logs still owed are not fetched");
}

void
registrar_sweep_start(struct registrar *r)
{
	r->sweep = net_after(net_loop_at(r->c.net, 0), SWEEP_MS, sweep, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's life and its endpoints. */
#include "server/registrar/room.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "host/clock.h"
#include "host/log.h"

#define SWEEP_MS 5000
#define ANSWER_MS 4000

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

/* FNV-1a, seeded: not for secrets, only to spread. */
static uint64_t
hash(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

/* The device's own entry, else one that nobody uses in this minute, else the least used. */
static struct rate *
rate_of(struct rate set[RATE_WAYS], uint64_t key, int64_t minute)
{
	struct rate *best = &set[0];

	for (size_t i = 0; i < RATE_WAYS; i++)
		if (set[i].minute == minute && set[i].key == key)
			return &set[i];
	for (size_t i = 0; i < RATE_WAYS; i++) {
		if (set[i].minute != minute) {
			set[i] = (struct rate){ .key = key, .minute = minute };
			return &set[i];
		}
		if (set[i].count < best->count)
			best = &set[i];
	}
	return best;
}

mst_err
registrar_rate(struct registrar *r, enum rate_kind kind, const struct trust_verdict *client)
{
	int64_t who = client->class == TRUST_IDEVID ? client->manufacturer.id : client->row.device;
	int64_t minute = clock_mono() / 60 + 1; /* never the zero of a fresh table */
	uint64_t key = hash(r->seed, &kind, sizeof kind);
	struct rate *e;
	bool over;

	key = hash(hash(key, &client->class, sizeof client->class), &who, sizeof who);
	key = hash(key, client->serial.ptr, client->serial.len);
	key = hash(key, client->idevid_issuer.ptr, client->idevid_issuer.len);
	pthread_mutex_lock(&r->lock);
	e = rate_of(r->rates[(key ^ key >> 32) % RATE_SETS], key, minute);
	over = ++e->count > r->c.device_rate;
	pthread_mutex_unlock(&r->lock);
	return over ? MST_E_QUOTA : MST_OK;
}

bool
registrar_rvr_is_fresh(struct arena *a, enum mst_media media, mst_span rvr, int64_t now)
{
	struct envelope env;

	return rvr.ptr != NULL &&
	       envelope_open(a, media, MST_VOUCHER_REQUEST, rvr, NULL, &env) == MST_OK &&
	       env.claims.created_on != MST_NO_TIME &&
	       env.claims.created_on > now - REGISTRAR_RVR_FRESH && env.claims.created_on <= now;
}

const char *
registrar_quote(struct arena *a, mst_span text, size_t most)
{
	char *s = arena_str(a, mst_span_of(text.ptr, text.len < most ? text.len : most));

	for (size_t i = 0; s != NULL && i < text.len && i < most; i++)
		if (s[i] < ' ' || s[i] > '~')
			s[i] = ' ';
	return s != NULL ? s : "";
}

static mst_err
add_domain(struct registrar *r, X509 *cert)
{
	if (r->own_count == sizeof r->own_domains / sizeof r->own_domains[0])
		return MST_E_SPACE; /* better no start than a site that does not know itself */
	return cert_domain_id(r->arena, cert, &r->own_domains[r->own_count++]);
}

static mst_err
add_domains(struct registrar *r, const STACK_OF(X509) *certs)
{
	mst_err e = MST_OK;

	for (int i = 0; e == MST_OK && certs != NULL && i < sk_X509_num(certs); i++)
		e = add_domain(r, sk_X509_value(certs, i));
	return e;
}

/*
 * Under which domainIDs this site stands in audit logs (ID-7): a MASA pins a
 * certificate of the RVR's chain, so those of the TLS certificate, of the RVR's
 * signer and of the CA.
 */
static mst_err
own_domains(struct registrar *r)
{
	const STACK_OF(X509) *chain;
	X509 *signer;
	mst_err e;

	if ((e = keys_cert(r->c.keys, r->c.rvr_slot, &signer, &chain)) != MST_OK ||
	    (e = add_domain(r, signer)) != MST_OK || (e = add_domains(r, chain)) != MST_OK ||
	    (e = add_domain(r, r->c.tls_cert)) != MST_OK ||
	    (e = add_domains(r, r->c.tls_chain)) != MST_OK)
		return e;
	for (size_t i = 0; e == MST_OK && ca_label_at(r->c.ca, i) != NULL; i++)
		e = add_domains(r, ca_certs(r->c.ca, ca_label_at(r->c.ca, i)));
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
	if (r->c.answer_ms == 0)
		r->c.answer_ms = ANSWER_MS;
	atomic_init(&r->stopped, false);
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->access_lock, NULL);
	r->routes[0] = (struct net_route){ "/.well-known/brski/requestvoucher", post_only,
		registrar_on_requestvoucher, r };
	r->routes[1] = (struct net_route){ "/.well-known/brski/voucher_status", post_only,
		registrar_on_voucher_status, r };
	r->routes[2] = (struct net_route){ "/.well-known/brski/enrollstatus", post_only,
		registrar_on_enrollstatus, r };
	if (RAND_bytes((uint8_t *)&r->seed, sizeof r->seed) != 1) {
		registrar_free(r);
		return MST_E_RANDOM;
	}
	if ((r->arena = arena_new(0)) == NULL ||
	    (r->rates = calloc(RATE_SETS, sizeof *r->rates)) == NULL ||
	    (e = journal_new(c->store, "registrar", &r->journal)) != MST_OK ||
	    (e = own_domains(r)) != MST_OK) {
		registrar_free(r);
		return e;
	}
	*out = r;
	return MST_OK;
}

void
registrar_stop(struct registrar *r)
{
	if (r == NULL)
		return;
	atomic_store(&r->stopped, true);
	if (r->sweep != NULL)
		net_cancel(r->sweep);
	r->sweep = NULL;
}

void
registrar_free(struct registrar *r)
{
	if (r == NULL)
		return;
	registrar_runs_free(r);
	registrar_audits_free(r);
	masa_access_free(r);
	journal_free(r->journal);
	arena_free(r->arena);
	free(r->rates);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->access_lock);
	free(r);
}

const struct net_route *
registrar_routes(const struct registrar *r, size_t *count)
{
	*count = 3;
	return r->routes;
}

static void
sweep(void *arg)
{
	struct registrar *r = arg;

	registrar_audit_sweep(r);
	registrar_prune(r);
	r->sweep = net_after(net_loop_at(r->c.net, 0), SWEEP_MS, sweep, r);
	if (r->sweep == NULL)
		log_line(LOG_ERROR_, "out of memory: audit logs still owed are not fetched");
}

void
registrar_sweep_start(struct registrar *r)
{
	r->sweep = net_after(net_loop_at(r->c.net, 0), SWEEP_MS, sweep, r);
}

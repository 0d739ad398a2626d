/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the role: everything it needs is checked before the first request. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "server/masa/masa_room.h"

#define PEM_LIMIT (4u << 20)

static _Thread_local char why[256];

const char *
masa_why(void)
{
	return why;
}

static mst_err say(mst_err e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static mst_err
say(mst_err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return e;
}

static int64_t
or_default(int64_t v, int64_t d)
{
	return v != 0 ? v : d;
}

static void
set_defaults(struct masa_config *c)
{
	c->slot_short = c->slot_short != NULL ? c->slot_short : "short";
	c->slot_long = c->slot_long != NULL ? c->slot_long : "long";
	c->skew_seconds = or_default(c->skew_seconds, 300);
	c->rvr_max_age_seconds = or_default(c->rvr_max_age_seconds, 86400);
	c->prior_skew_seconds = or_default(c->prior_skew_seconds, 86400);
	c->prior_max_age_seconds = or_default(c->prior_max_age_seconds, 7 * 86400);
	c->public_cas = c->public_cas != NULL ? c->public_cas : MASA_PUBLIC_CAS;
	c->source_per_minute = (long)or_default(c->source_per_minute, 6000);
	c->customer_per_minute = (long)or_default(c->customer_per_minute, 60000);
	c->failures_per_minute = (long)or_default(c->failures_per_minute, 10);
	c->failure_delay_ms = (long)or_default(c->failure_delay_ms, 1000);
	c->refusals_per_minute = (long)or_default(c->refusals_per_minute, 60);
}

static mst_err
check_config(const struct masa_config *c)
{
	if (c->idevid_anchors_pem.len == 0)
		return say(MST_E_CONFIG_MISSING, "no IDevID anchors");
	if (c->nonceless_seconds < 0 || c->skew_seconds < 0 || c->rvr_max_age_seconds < 0 ||
	    c->prior_skew_seconds < 0 || c->prior_max_age_seconds < 0 || c->source_per_minute < 0 ||
	    c->customer_per_minute < 0 || c->failures_per_minute < 0 || c->failure_delay_ms < 0 ||
	    c->refusals_per_minute < 0)
		return say(MST_E_CONFIG_VALUE, "a number is negative");
	/* SEC-2: the key of long-lived vouchers is another one. */
	if (strcmp(c->slot_short, c->slot_long) == 0)
		return say(MST_E_CONFIG_VALUE, "one slot for short and long vouchers");
	return MST_OK;
}

static mst_err
check_slots(struct masa *m)
{
	const char *slot[] = { m->cfg.slot_short, m->cfg.slot_long };
	const STACK_OF(X509) *chain;
	X509 *cert;

	for (size_t i = 0; i < 2; i++)
		if (keys_cert(m->keys, slot[i], &cert, &chain) != MST_OK)
			return say(MST_E_NOT_FOUND, "no key slot \"%s\"", slot[i]);
	return MST_OK;
}

/* 8.5: without the list of public CAs it cannot be known what must not be pinned. */
static mst_err
load_public(struct masa *m)
{
	struct arena *a = arena_new(PEM_LIMIT + 4096);
	struct masa_public *p = NULL;
	mst_span pem;
	mst_err e;

	if (a == NULL)
		return MST_E_NOMEM;
	if ((e = file_read(a, m->cfg.public_cas, PEM_LIMIT, &pem)) != MST_OK)
		(void)say(e, "public CAs: %s", file_why());
	else if ((e = masa_public_new(pem, &p)) != MST_OK)
		(void)say(e, "public CAs: no certificates in %s", m->cfg.public_cas);
	m->policy.public_cas = p;
	arena_free(a);
	return e;
}

static bool
is_rsa(struct masa *m, const char *slot)
{
	const STACK_OF(X509) *chain;
	X509 *cert;

	return keys_cert(m->keys, slot, &cert, &chain) == MST_OK &&
	       EVP_PKEY_is_a(X509_get0_pubkey(cert), "RSA") == 1;
}

static mst_err
make_policy(struct masa *m)
{
	const struct masa_config *c = &m->cfg;
	struct anchors *idevid = NULL;
	mst_err e;

	m->policy = (struct masa_policy){ .serial_rule = c->serial_rule,
		.prior = c->prior,
		.expiry = c->expiry,
		.skew = c->skew_seconds,
		.rvr_max_age = c->rvr_max_age_seconds,
		.prior_skew = c->prior_skew_seconds,
		.prior_max_age = c->prior_max_age_seconds,
		.nonceless_seconds = c->nonceless_seconds,
		.crl_pem = c->crl_pem,
		.id_data_products = c->id_data_products,
		.id_data_count = c->id_data_count,
		.slot_short = c->slot_short,
		.slot_long = c->slot_long,
		.rsa_short = is_rsa(m, c->slot_short),
		.rsa_long = is_rsa(m, c->slot_long) };
	if ((e = anchors_new(c->idevid_anchors_pem, c->idevid_crl_pem, &idevid)) != MST_OK)
		return say(e, "IDevID anchors or their CRL cannot be read");
	m->policy.idevid = idevid;
	return load_public(m);
}

static mst_err
open_clients(struct masa *m)
{
	unsigned n = net_loops(m->net);
	mst_err e;

	if ((m->clients = calloc(n, sizeof(struct keys_client *))) == NULL)
		return MST_E_NOMEM;
	for (; m->loops < n; m->loops++) {
		e = keys_client_new(
		    m->keys, net_loop_base(net_loop_at(m->net, m->loops)), &m->clients[m->loops]);
		if (e != MST_OK)
			return say(e, "key process: %s", keys_why());
	}
	return MST_OK;
}

struct keys_client *
masa_client_of(struct masa *m, struct net_loop *l)
{
	for (unsigned i = 1; i < m->loops; i++)
		if (net_loop_at(m->net, i) == l)
			return m->clients[i];
	return m->clients[0];
}

mst_err
masa_open(const struct masa_config *cfg, struct net *n, struct store *s, struct keys *k,
    struct masa **out)
{
	struct masa *m = calloc(1, sizeof(*m));
	mst_err e;

	why[0] = '\0';
	if (m == NULL)
		return MST_E_NOMEM;
	m->cfg = *cfg;
	m->net = n;
	m->store = s;
	m->keys = k;
	pthread_mutex_init(&m->lock, NULL);
	set_defaults(&m->cfg);
	if ((e = check_config(&m->cfg)) != MST_OK || (e = check_slots(m)) != MST_OK ||
	    (e = make_policy(m)) != MST_OK || (e = open_clients(m)) != MST_OK ||
	    (e = journal_new(s, "masa", &m->journal)) != MST_OK)
		goto out;
	journal_limit(m->journal, m->cfg.refusals_per_minute);
	m->by_source = masa_rate_new(m->cfg.source_per_minute);
	m->by_customer = masa_rate_new(m->cfg.customer_per_minute);
	m->failures = masa_rate_new(m->cfg.failures_per_minute);
	m->auth = masa_auth_new();
	if (m->by_source == NULL || m->by_customer == NULL || m->failures == NULL ||
	    m->auth == NULL) {
		e = MST_E_NOMEM;
		goto out;
	}
	m->routes[0] = (struct net_route){ "/.well-known/brski/requestvoucher", 1u << NET_POST,
		masa_requestvoucher, m };
	m->routes[1] = (struct net_route){ "/.well-known/brski/requestauditlog", 1u << NET_POST,
		masa_requestauditlog, m };
	*out = m;
out:
	if (e != MST_OK)
		masa_close(m);
	return e;
}

void
masa_close(struct masa *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->loops; i++)
		keys_client_free(m->clients[i]);
	free(m->clients);
	journal_free(m->journal);
	masa_auth_free(m->auth);
	masa_rate_free(m->by_source);
	masa_rate_free(m->by_customer);
	masa_rate_free(m->failures);
	masa_customers_unref(m->customers);
	masa_public_free((struct masa_public *)(uintptr_t)m->policy.public_cas);
	anchors_free((struct anchors *)(uintptr_t)m->policy.idevid);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

const struct net_route *
masa_routes(const struct masa *m, size_t *count)
{
	*count = sizeof(m->routes) / sizeof(m->routes[0]);
	return m->routes;
}

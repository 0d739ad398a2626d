/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, and how often: brski.md 8.4 step 1, TLS-7, RFC 8995 5.4.1 and 11.1.
 * A client certificate that is no customer's is no fault: most registrars have
 * one that this MASA does not know, and a nonced request may be anonymous.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/password.h"
#include "host/clock.h"
#include "host/log.h"
#include "server/masa/masa_room.h"

#define CUSTOMERS_US 1000000

/* What a connection remembers of its certificate: the judgement, and of which set. */
struct note {
	uint64_t version;
	int64_t customer; /* 0: nobody's */
};

struct masa_customers *
masa_customers_now(struct masa *m, uint64_t *version)
{
	struct masa_customers *c = NULL, *fresh;
	struct masa_customer *rows;
	int64_t now = clock_mono_us();
	struct arena *a = NULL;
	size_t count, broken;

	pthread_mutex_lock(&m->lock);
	if (m->customers_at_us == 0 || now - m->customers_at_us > CUSTOMERS_US) {
		/* A set that cannot be read is no set: nobody is then taken for a customer of old.
		 */
		if ((a = arena_new(0)) == NULL ||
		    masa_customer_list(store_reader(m->store), a, &rows, &count) != MST_OK ||
		    masa_customers_new(rows, count, m->policy.crl_pem, &fresh, &broken) != MST_OK)
			goto out;
		if (broken != 0)
			log_line(LOG_WARNING_, "masa: the anchors of %zu customers cannot be read",
			    broken);
		masa_customers_unref(m->customers);
		m->customers = fresh;
		m->customers_version++;
		m->customers_at_us = now;
	}
	c = masa_customers_ref(m->customers);
	*version = m->customers_version;
out:
	pthread_mutex_unlock(&m->lock);
	arena_free(a);
	return c;
}

void
masa_reload(struct masa *m)
{
	pthread_mutex_lock(&m->lock);
	m->customers_at_us = 0;
	pthread_mutex_unlock(&m->lock);
}

void
masa_who_drop(struct masa_who *who)
{
	masa_customers_unref(who->customers);
	who->customers = NULL;
	who->party = NULL;
}

/* The customer of the connection's certificate; judged once per connection and set. */
static const struct masa_party *
by_tls(struct net_request *rq, const struct masa_who *who, uint64_t version)
{
	struct net_peer *peer = rq->peer;
	struct mst_clock clock = clock_now();
	struct note *note = peer->note;
	const struct masa_party *p;

	if (peer->leaf == NULL)
		return NULL;
	/* Time goes on while a connection lives, so the leaf's end is looked at each time. */
	if (X509_cmp_time(X509_get0_notAfter(peer->leaf), &(time_t){ (time_t)clock.now }) <= 0)
		return NULL;
	if (note != NULL && note->version == version)
		return masa_customers_by_id(who->customers, note->customer);
	p = masa_customers_by_cert(who->customers, peer->leaf, peer->chain, &clock);
	if (note == NULL && (note = calloc(1, sizeof(*note))) != NULL) {
		peer->note = note;
		peer->note_free = free;
	}
	if (note != NULL)
		*note = (struct note){ version, p != NULL ? p->row.id : 0 };
	return p;
}

struct asking {
	struct masa *m;
	struct net_request *rq;
	struct masa_who *who;
	masa_who_next next;
	void *arg;
	const struct masa_party *candidate;
	struct masa_auth_job job;
	const char *source; /* what rates are counted by */
};

/* The customer's own rate, then on. */
static void
proceed(struct asking *k)
{
	const struct masa_party *p = k->who->party;
	int64_t wait = 0;

	if (p != NULL)
		wait = masa_rate_take(k->m->by_customer, p->row.name, clock_mono_us());
	k->next(k->arg, wait == 0 ? MST_OK : MST_E_CUSTOMER_RATE, wait);
}

static void
refuse_late(void *arg)
{
	struct asking *k = arg;

	k->next(k->arg, MST_E_HTTP_AUTH, 0);
}

/* A wrong password is counted against its source and answered late. */
static void
wrong_password(struct asking *k)
{
	(void)masa_rate_take(k->m->failures, k->source, clock_mono_us());
	if (net_after(k->rq->loop, k->m->cfg.failure_delay_ms, refuse_late, k) == NULL)
		refuse_late(k);
}

static void
checked(void *arg, mst_err e)
{
	struct asking *k = arg;

	mst_wipe((void *)(uintptr_t)k->job.password.ptr, k->job.password.len);
	if (e == MST_E_HTTP_AUTH) {
		wrong_password(k);
		return;
	}
	if (e != MST_OK) {
		k->next(k->arg, e, 0);
		return;
	}
	k->who->party = k->candidate;
	k->who->name = arena_printf(k->rq->arena, "basic:%s", k->candidate->row.name);
	proceed(k);
}

/* RFC 7617. Credentials that are given must be right, even where none are needed. */
static void
by_basic(struct asking *k)
{
	struct masa_auth_job *job = &k->job;
	int64_t wait = masa_rate_look(k->m->failures, k->source, clock_mono_us());
	mst_err e;

	if (wait != 0) {
		k->next(k->arg, MST_E_CUSTOMER_RATE, wait);
		return;
	}
	e = password_basic(k->rq->arena, k->rq->authorization, &job->user, &job->password);
	if (e != MST_OK) {
		checked(k, e);
		return;
	}
	k->candidate = masa_customers_by_user(k->who->customers, job->user);
	*job = (struct masa_auth_job){ .loop = k->rq->loop,
		.user = job->user,
		.password = job->password,
		.done = checked,
		.arg = k,
		.stored = k->candidate != NULL ? k->candidate->row.password_hash : NULL };
	if (masa_auth_known(k->m->auth, job))
		checked(k, MST_OK);
	else if ((e = masa_auth_start(k->m->auth, job)) != MST_OK)
		checked(k, e);
}

void
masa_who(
    struct masa *m, struct net_request *rq, struct masa_who *who, masa_who_next next, void *arg)
{
	struct asking *k = arena_alloc(rq->arena, sizeof(*k));
	uint64_t version;
	int64_t wait;

	*who = (struct masa_who){ 0 };
	if (k == NULL) {
		next(arg, MST_E_NOMEM, 0);
		return;
	}
	*k = (struct asking){ .m = m, .rq = rq, .who = who, .next = next, .arg = arg };
	k->source = rq->peer->counted;
	if ((wait = masa_rate_take(m->by_source, k->source, clock_mono_us())) != 0) {
		next(arg, MST_E_CUSTOMER_RATE, wait);
		return;
	}
	if ((who->customers = masa_customers_now(m, &version)) == NULL) {
		next(arg, MST_E_STORE_IO, 0);
		return;
	}
	if (rq->authorization != NULL) {
		by_basic(k);
		return;
	}
	if ((who->party = by_tls(rq, who, version)) != NULL)
		who->name = arena_printf(rq->arena, "tls:%s", who->party->row.name);
	proceed(k);
}

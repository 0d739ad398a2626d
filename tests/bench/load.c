/* SPDX-License-Identifier: Apache-2.0 */
/* Clients as threads: EST renewals, whole bootstraps, idle connections. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "crypto/openssl/openssl.h"
#include "host/cert.h"
#include "host/clock.h"
#include "muster/base64.h"
#include "muster/pledge.h"

#define TYPE_CSR "application/pkcs10"
#define TYPE_CERTS "application/pkcs7-mime"
#define SETTLE_US 300000 /* after a load: what the servers still do for it is theirs */

/* --- what every load shares --- */

struct shared {
	struct world *w;
	SSL_CTX *ctx;
	double until; /* of the forward clock; 0: no limit */
	long most;
	atomic_long taken;
	enum est_kind kind;
	const struct identity *who;
	struct csr_pool *pool;
	struct identity *idevids, *got;
	STACK_OF(X509) *site_chain;
	const struct anchors *masa;
	int first;
};

struct client {
	struct shared *s;
	int n;
	pthread_t thread;
	double *took; /* seconds each */
	size_t count, cap;
	long failed;
	double cpu;
	char why[256];
};

static bool
may_go_on(struct shared *s)
{
	if (s->until != 0 && bench_now() >= s->until)
		return false;
	return s->most == 0 || atomic_fetch_add(&s->taken, 1) < s->most;
}

static void
note(struct client *c, double took)
{
	if (c->count == c->cap) {
		c->cap = c->cap != 0 ? 2 * c->cap : 1024;
		if ((c->took = realloc(c->took, c->cap * sizeof *c->took)) == NULL)
			bench_die("out of memory");
	}
	c->took[c->count++] = took;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Rate, percentiles and costs of what the clients did. */
static void
sum_up(struct load *l, struct client *clients, double cpu, double key_cpu)
{
	size_t n = 0, at = 0;
	double *all, client_cpu = 0;

	for (int i = 0; i < l->clients; i++) {
		n += clients[i].count;
		l->failed += clients[i].failed;
		client_cpu += clients[i].cpu;
		if (clients[i].failed != 0)
			fprintf(stderr, "bench: client %d: %ld failed, first: %s\n", i,
			    clients[i].failed, clients[i].why);
	}
	if (n == 0)
		bench_die("not one operation succeeded");
	if ((all = malloc(n * sizeof *all)) == NULL)
		bench_die("out of memory");
	for (int i = 0; i < l->clients; i++) {
		if (clients[i].count != 0)
			memcpy(all + at, clients[i].took, clients[i].count * sizeof *all);
		at += clients[i].count;
		free(clients[i].took);
	}
	qsort(all, n, sizeof *all, ascending);
	l->done = (long)n;
	l->rate = (double)n / l->seconds;
	l->p50_ms = all[n / 2] * 1e3;
	l->p99_ms = all[n * 99 / 100] * 1e3;
	l->cpu_us = cpu / (double)n * US_PER_S;
	l->key_cpu_us = key_cpu / (double)n * US_PER_S;
	l->client_cpu_us = client_cpu / (double)n * US_PER_S;
	free(all);
}

static struct load
run(struct shared *s, int count, double seconds, void *(*body)(void *))
{
	struct client clients[CLIENTS_MAX] = { 0 };
	struct world *w = s->w;
	struct load l = { .clients = count };
	double from, cpu, keys, busy, all, busy_then, all_then;

	keys = daemon_key_cpu(&w->site) + daemon_key_cpu(&w->factory);
	cpu = daemon_cpu(&w->site) + daemon_cpu(&w->factory);
	machine_cpu(&busy_then, &all_then);
	from = bench_now();
	s->until = seconds != 0 ? from + seconds : 0;
	for (int i = 0; i < count; i++) {
		clients[i].s = s;
		clients[i].n = i;
		if (pthread_create(&clients[i].thread, NULL, body, &clients[i]) != 0)
			bench_die("no thread");
	}
	for (int i = 0; i < count; i++)
		pthread_join(clients[i].thread, NULL);
	l.seconds = bench_now() - from;
	machine_cpu(&busy, &all);
	usleep(SETTLE_US);
	cpu = daemon_cpu(&w->site) + daemon_cpu(&w->factory) - cpu;
	keys = daemon_key_cpu(&w->site) + daemon_key_cpu(&w->factory) - keys;
	struct memory m = daemon_memory(&w->site);
	l.rss_kib = m.network + m.keys;
	sum_up(&l, clients, cpu, keys);
	l.others = 100 * (busy - busy_then - cpu - l.client_cpu_us * (double)l.done / US_PER_S) /
	           (all - all_then);
	return l;
}

static void
failed(struct client *c, const char *what, const struct wire_answer *a)
{
	if (c->failed++ == 0)
		snprintf(c->why, sizeof c->why, "%s: %d %.*s", what, a != NULL ? a->status : 0,
		    a != NULL ? (int)a->body.len : 0, a != NULL ? (const char *)a->body.ptr : "");
}

/* --- CSRs made beforehand --- */

struct maker {
	struct csr_pool *p;
	size_t from, to;
	pthread_t thread;
};

/* RFC 7030 4.2.2: a renewal's subject and SAN are those of the certificate that is renewed. */
static char *
csr_make(X509 *like)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *r = X509_REQ_new();
	uint8_t *der = NULL;
	int n = 0;
	struct mst_buf text;

	if (key != NULL && r != NULL &&
	    X509_REQ_set_subject_name(r, X509_get_subject_name(like)) == 1 &&
	    X509_REQ_set_pubkey(r, key) == 1 && X509_REQ_sign(r, key, EVP_sha256()) > 0)
		n = i2d_X509_REQ(r, &der);
	if (n <= 0)
		bench_die("a CSR could not be made");
	text = (struct mst_buf){ calloc(1, MST_BASE64_LEN((size_t)n) + 1),
		MST_BASE64_LEN((size_t)n) + 1, 0 };
	if (text.ptr == NULL || mst_base64_encode(mst_span_of(der, (size_t)n), &text) != MST_OK)
		bench_die("a CSR could not be written");
	OPENSSL_free(der);
	X509_REQ_free(r);
	EVP_PKEY_free(key);
	return (char *)text.ptr;
}

/* Number i carries the subject of client i mod clients. */
static void *
make_some(void *arg)
{
	struct maker *m = arg;

	for (size_t i = m->from; i < m->to; i++)
		m->p->body[i] = csr_make(m->p->who[i % (size_t)m->p->clients].cert);
	return NULL;
}

void
csr_pool_make(struct csr_pool *p, const struct identity *who, int clients, size_t count)
{
	struct maker m[2] = { { p, 0, count / 2, 0 }, { p, count / 2, count, 0 } };

	*p = (struct csr_pool){ .body = calloc(count, sizeof(char *)),
		.count = count,
		.who = who,
		.clients = clients };
	if (p->body == NULL)
		bench_die("out of memory");
	for (int i = 0; i < 2; i++)
		if (pthread_create(&m[i].thread, NULL, make_some, &m[i]) != 0)
			bench_die("no thread");
	for (int i = 0; i < 2; i++)
		pthread_join(m[i].thread, NULL);
}

void
csr_pool_free(struct csr_pool *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->body[i]);
	free(p->body);
	*p = (struct csr_pool){ 0 };
}

/* --- EST --- */

static bool
enrol(struct client *c, struct wire *w, const char *csr)
{
	struct wire_answer a = { 0 };

	if (!wire_ask(w, "POST", "/.well-known/est/simplereenroll", TYPE_CSR, TYPE_CERTS,
	        mst_span_str(csr), &a)) {
		failed(c, "no answer", NULL);
		wire_close(w);
		return false;
	}
	if (a.status != 200)
		failed(c, "simplereenroll", &a);
	if (a.close || a.status != 200 || c->s->kind == EST_NEW_CONNECTION)
		wire_close(w);
	return a.status == 200;
}

static void *
est_client(void *arg)
{
	struct client *c = arg;
	struct shared *s = c->s;
	struct wire w = { .fd = -1 };
	size_t at = (size_t)c->n; /* CSRs with this client's subject lie pool->clients apart */
	double cpu = bench_cpu();

	for (; at < s->pool->count && may_go_on(s); at += (size_t)s->pool->clients) {
		double from = bench_now();

		if (w.ssl == NULL && !wire_open(&w, s->ctx, s->w->site.port, &s->who[c->n])) {
			failed(c, "no connection", NULL);
			wire_close(&w);
			continue;
		}
		if (enrol(c, &w, s->pool->body[at]))
			note(c, bench_now() - from);
	}
	wire_close(&w);
	c->cpu = bench_cpu() - cpu;
	return NULL;
}

struct load
load_est(struct world *w, enum est_kind kind, int clients, double seconds, long most,
    const struct identity *who, struct csr_pool *pool)
{
	struct shared s = { .w = w,
		.ctx = wire_context(world_path(w, "site/ca.pem"), WIRE_ANCHORS),
		.kind = kind,
		.most = most,
		.who = who,
		.pool = pool };
	struct load l = run(&s, clients, seconds, est_client);

	SSL_CTX_free(s.ctx);
	return l;
}

/* --- bootstraps: the engine of core/pledge, driven here --- */

struct pledge {
	struct client *c;
	struct identity idevid, ldevid;
	struct crypto_openssl openssl;
	struct mst_crypto crypto;
	struct mst_pledge p;
	struct wire wire;
	struct arena *a;
	int64_t mono; /* the engine's clock: what it would wait for comes at once */
	bool enrolled;
	uint8_t pvr[16384], scratch[32768], keep[32768], chain[16384];
};

static const struct {
	const char *method, *path, *type, *accept;
} resources[] = {
	[MST_RES_REQUESTVOUCHER] = { "POST", "/.well-known/brski/requestvoucher", NULL, NULL },
	[MST_RES_VOUCHER_STATUS] = { "POST", "/.well-known/brski/voucher_status",
	    "application/json", NULL },
	[MST_RES_ENROLLSTATUS] = { "POST", "/.well-known/brski/enrollstatus", "application/json",
	    NULL },
	[MST_RES_CACERTS] = { "GET", "/.well-known/est/cacerts", NULL, TYPE_CERTS },
	[MST_RES_CSRATTRS] = { "GET", "/.well-known/est/csrattrs", NULL, "application/csrattrs" },
	[MST_RES_SIMPLEENROLL] = { "POST", "/.well-known/est/simpleenroll", TYPE_CSR, TYPE_CERTS },
	[MST_RES_SIMPLEREENROLL] = { "POST", "/.well-known/est/simplereenroll", TYPE_CSR,
	    TYPE_CERTS },
};

static void
do_connect(struct pledge *p, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	const STACK_OF(X509) *shown;
	const struct identity *who = act->identity == MST_IDENTITY_LDEVID ? &p->ldevid : &p->idevid;

	wire_close(&p->wire);
	ev->kind = MST_EV_FAILED;
	ev->err = MST_E_PLEDGE_PEER_LOST;
	if (!wire_open(&p->wire, p->c->s->ctx, p->c->s->w->site.port, who))
		return;
	shown = SSL_get_peer_cert_chain(p->wire.ssl);
	for (int i = 0; i < sk_X509_num(shown) && i < MST_CHAIN_MAX; i++)
		if (cert_der(p->a, sk_X509_value(shown, i), &ev->chain.cert[ev->chain.count++]) !=
		    MST_OK)
			return;
	ev->kind = MST_EV_CONNECTED;
	ev->err = MST_OK;
}

static void
do_send(struct pledge *p, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	const char *voucher =
	    act->resource == MST_RES_REQUESTVOUCHER ? mst_media_type(act->media) : NULL;
	struct wire_answer a = { 0 };

	ev->kind = MST_EV_FAILED;
	ev->err = MST_E_PLEDGE_PEER_LOST;
	if (!wire_ask(&p->wire, resources[act->resource].method, resources[act->resource].path,
	        voucher != NULL ? voucher : resources[act->resource].type,
	        voucher != NULL ? voucher : resources[act->resource].accept, act->body, &a))
		return;
	if (a.status != 200 && a.status != 204)
		failed(p->c, resources[act->resource].path, &a);
	ev->kind = MST_EV_RESPONSE;
	ev->err = MST_OK;
	ev->status = a.status;
	ev->retry_after = a.retry_after;
	ev->media = mst_media_find(mst_span_str(a.type));
	ev->body = a.body;
}

static void
do_keep(struct pledge *p, const struct mst_pledge_action *act, struct mst_pledge_event *ev)
{
	ev->kind = MST_EV_STORED;
	ev->err = cert_parse(act->ldevid, &p->ldevid.cert);
	if (ev->err != MST_OK)
		return;
	p->ldevid.key = crypto_openssl_pending_key(&p->openssl);
	if (p->ldevid.key != NULL)
		EVP_PKEY_up_ref(p->ldevid.key);
	/* the chain that a device of this site shows: its CA, as the primitives' client does */
	p->ldevid.chain = X509_chain_up_ref(p->c->s->site_chain);
}

/* False when the engine gives up on its peer: one attempt is what is measured. */
static bool
drive(struct pledge *p)
{
	struct mst_pledge_event ev = { .kind = MST_EV_PEER };
	struct mst_pledge_action act = { .kind = MST_ACT_WAIT };

	for (int steps = 0; steps < 64; steps++) {
		ev.mono = p->mono;
		ev.clock = clock_now();
		mst_pledge_step(&p->p, &ev, &act);
		ev = (struct mst_pledge_event){ .kind = MST_EV_TICK };
		arena_reset(p->a);
		switch (act.kind) {
		case MST_ACT_WAIT: p->mono = act.until > p->mono ? act.until : p->mono + 1; break;
		case MST_ACT_CONNECT: do_connect(p, &act, &ev); break;
		case MST_ACT_SEND: do_send(p, &act, &ev); break;
		case MST_ACT_KEEP: do_keep(p, &act, &ev); break;
		case MST_ACT_CLOSE: wire_close(&p->wire); break;
		case MST_ACT_DONE: return true;
		}
		if (act.because != MST_OK) {
			failed(p->c, mst_err_info(act.because)->sentence, NULL);
			return false;
		}
	}
	failed(p->c, "the engine does not come to an end", NULL);
	return false;
}

static void
identity_free(struct identity *i)
{
	X509_free(i->cert);
	EVP_PKEY_free(i->key);
	sk_X509_pop_free(i->chain, X509_free);
	*i = (struct identity){ 0 };
}

static bool
bootstrap(struct client *c, struct pledge *p, int n)
{
	struct crypto_openssl_config oc = { .idevid_key = p->idevid.key,
		.idevid = p->idevid.cert,
		.idevid_chain = p->idevid.chain,
		.masa = c->s->masa };
	char serial[32];
	mst_span issuer;
	bool ok;

	snprintf(serial, sizeof serial, "BENCH-%05d", n);
	if (crypto_openssl_init(&p->openssl, &oc) != MST_OK)
		return false;
	p->crypto = crypto_openssl(&p->openssl);
	struct arena *a = arena_new(0);
	if (a == NULL || cert_idevid_issuer(a, p->idevid.cert, &issuer) != MST_OK)
		bench_die("an IDevID without issuer");
	struct mst_pledge_config cfg = { .mode = MST_PLEDGE_BOOTSTRAP,
		.crypto = &p->crypto,
		.media = MST_MEDIA_CMS_JSON,
		.serial = mst_span_str(serial),
		.idevid_issuer = issuer,
		.timers = mst_pledge_timers_default(),
		.pvr = MST_BUF(p->pvr),
		.scratch = MST_BUF(p->scratch),
		.keep = MST_BUF(p->keep),
		.chain = MST_BUF(p->chain) };
	mst_pledge_init(&p->p, &cfg);
	p->mono = 1000;
	ok = drive(p);
	wire_close(&p->wire);
	mst_pledge_wipe(&p->p);
	crypto_openssl_wipe(&p->openssl);
	arena_free(a);
	return ok;
}

static void *
boot_client(void *arg)
{
	struct client *c = arg;
	struct shared *s = c->s;
	struct pledge *p = calloc(1, sizeof *p);
	double cpu = bench_cpu();

	if (p == NULL || (p->a = arena_new(0)) == NULL)
		bench_die("out of memory");
	p->c = c;
	p->wire.fd = -1;
	while (s->until == 0 || bench_now() < s->until) {
		long n = atomic_fetch_add(&s->taken, 1);
		double from;

		if (n >= s->most)
			break;
		p->idevid = s->idevids[n];
		p->ldevid = (struct identity){ 0 };
		from = bench_now();
		if (bootstrap(c, p, s->first + (int)n))
			note(c, bench_now() - from);
		if (s->got != NULL)
			s->got[n] = p->ldevid;
		else
			identity_free(&p->ldevid);
	}
	arena_free(p->a);
	free(p);
	c->cpu = bench_cpu() - cpu;
	return NULL;
}

struct load
load_bootstrap(
    struct world *w, int clients, int first, int count, double seconds, struct identity *got)
{
	struct shared s = { .w = w,
		.ctx = wire_context(NULL, WIRE_JUDGED_LATER),
		.most = count,
		.first = first,
		.got = got };
	struct anchors *masa;
	STACK_OF(X509) *certs = read_certs(w->a, world_path(w, "factory/voucher-ca.pem"));
	struct load l;

	s.site_chain = read_certs(w->a, world_path(w, "site/ca.pem"));
	s.idevids = calloc((size_t)count, sizeof *s.idevids);
	if (s.idevids == NULL || anchors_from_stack(certs, &masa) != MST_OK)
		bench_die("no anchors of vouchers");
	for (int i = 0; i < count; i++)
		s.idevids[i] = world_idevid(w, first + i);
	s.masa = masa;
	l = run(&s, clients, seconds, boot_client);
	for (int i = 0; i < count; i++)
		identity_free(&s.idevids[i]);
	free(s.idevids);
	anchors_free(masa);
	sk_X509_pop_free(s.site_chain, X509_free);
	sk_X509_pop_free(certs, X509_free);
	SSL_CTX_free(s.ctx);
	return l;
}

/* --- idle connections --- */

double
idle_connections(struct world *w, const struct identity *who, int count)
{
	SSL_CTX *ctx = wire_context(world_path(w, "site/ca.pem"), WIRE_ANCHORS);
	struct wire *all = calloc((size_t)count, sizeof *all);
	double before, after;

	if (all == NULL)
		bench_die("out of memory");
	before = daemon_memory(&w->site).network;
	for (int i = 0; i < count; i++) {
		struct wire_answer a;

		all[i].fd = -1;
		/* one request, so that everything a connection ever keeps is there */
		if (!wire_open(&all[i], ctx, w->site.port, &who[i % CLIENTS_MAX]) ||
		    !wire_ask(&all[i], "GET", "/.well-known/est/csrattrs", NULL,
		        "application/csrattrs", MST_NONE, &a))
			bench_die("idle connection %d of %d failed", i, count);
		free(all[i].in);
		all[i].in = NULL;
	}
	usleep(SETTLE_US);
	after = daemon_memory(&w->site).network;
	for (int i = 0; i < count; i++)
		wire_close(&all[i]);
	free(all);
	SSL_CTX_free(ctx);
	return (after - before) / count;
}

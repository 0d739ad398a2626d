/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define COUNTS 3

static const int client_counts[COUNTS] = { 1, 4, 16 };

struct plan {
	double primitive_s, load_s;
	int boots[COUNTS];
	long certificates, window; /* the cost per enrolment is taken over so many */
	long devices;
	int idle;
};
static const struct plan quick = { 0.12, 1.5, { 50, 120, 150 }, 10000, 3000, 1000000, 1000 };
static const struct plan full = { 0.6, 10, { 500, 1200, 1500 }, 100000, 5000, 1000000, 1000 };

struct results {
	struct primitives alone, busy;
	struct load fresh[COUNTS], kept[COUNTS], boot[COUNTS], early, late;
	struct memory site_idle, factory_idle, site_after;
	double per_idle_kib, rss_idle_kib;
	struct inventory inventory;
};

static double
read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double
bench_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

double
bench_cpu(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void
bench_die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	world_stop_all();
	exit(1);
}

static void
say(const char *words)
{
	static double began;

	if (began == 0)
		began = bench_now();
	fprintf(stderr, "[%4.0f s] %s\n", bench_now() - began, words);
}

/* --- taking the figures --- */

struct companion {
	const struct primitives_world *w;
	double seconds;
	struct primitives out;
};

static void *
keep_company(void *arg)
{
	struct companion *c = arg;

	c->out = primitives_measure(c->w, c->seconds);
	return NULL;
}

/* The same work on both cores at once: what a primitive costs beside another one. */
static struct primitives
measure_busy(const struct primitives_world *w, double seconds)
{
	struct companion c = { .w = w, .seconds = seconds };
	struct primitives p;
	pthread_t thread;

	if (pthread_create(&thread, NULL, keep_company, &c) != 0)
		bench_die("no thread");
	p = primitives_measure(w, seconds);
	pthread_join(thread, NULL);
	return p;
}

static void
measure_primitives(
    struct world *w, const struct identity *client, const struct plan *plan, struct results *r)
{
	STACK_OF(X509) *chain = read_certs(w->a, world_path(w, "site/registrar.pem"));
	struct primitives_world p = { .client = *client,
		.server_anchors = world_path(w, "site/ca.pem"),
		.client_anchors = world_path(w, "site/ca.pem"),
		.dir = w->dir };

	p.server.cert = sk_X509_shift(chain);
	p.server.chain = chain;
	p.server.key = read_key(world_path(w, "site/registrar.key"));
	say("primitives, one core");
	r->alone = primitives_measure(&p, plan->primitive_s);
	say("primitives, both cores");
	r->busy = measure_busy(&p, plan->primitive_s);
	X509_free(p.server.cert);
	EVP_PKEY_free(p.server.key);
	sk_X509_pop_free(chain, X509_free);
}

static struct load
est(struct world *w, enum est_kind kind, int clients, double seconds, long most,
    const struct identity *who)
{
	double rate = kind == EST_KEPT_ALIVE ? 6000 : 1500;
	size_t count = most != 0 ? (size_t)most * 5 / 4 : (size_t)(rate * seconds);
	struct csr_pool pool;
	struct load l;

	csr_pool_make(&pool, who, clients, count);
	l = load_est(w, kind, clients, seconds, most, who, &pool);
	csr_pool_free(&pool);
	return l;
}

static void
measure_loads(
    struct world *w, const struct identity *who, const struct plan *plan, struct results *r)
{
	int at = CLIENTS_MAX;

	for (int i = 0; i < COUNTS; i++) {
		fprintf(stderr, "         %d client%s\n", client_counts[i],
		    client_counts[i] == 1 ? "" : "s");
		r->fresh[i] = est(w, EST_NEW_CONNECTION, client_counts[i], plan->load_s, 0, who);
		r->kept[i] = est(w, EST_KEPT_ALIVE, client_counts[i], plan->load_s, 0, who);
		r->boot[i] =
		    load_bootstrap(w, client_counts[i], at, plan->boots[i], 2 * plan->load_s, NULL);
		at += plan->boots[i];
	}
}

static void
measure(struct world *w, const struct plan *plan, struct results *r)
{
	struct identity who[CLIENTS_MAX] = { 0 };
	int devices = CLIENTS_MAX;

	for (int i = 0; i < COUNTS; i++)
		devices += plan->boots[i];
	say("a factory and a site");
	world_make(w);
	world_start(w, &w->factory);
	world_start(w, &w->site);
	usleep(500000);
	r->site_idle = daemon_memory(&w->site);
	r->factory_idle = daemon_memory(&w->factory);
	say("IDevIDs");
	world_devices(w, 0, devices);
	say("16 devices bootstrap and lend their LDevIDs to the EST clients");
	if (load_bootstrap(w, 4, 0, CLIENTS_MAX, 0, who).done != CLIENTS_MAX)
		bench_die("the set-up failed; site/muster.conf.log says why");
	measure_primitives(w, &who[0], plan, r);
	say("enrolments after the first 100 certificates");
	(void)est(w, EST_KEPT_ALIVE, 4, 0, 100, who);
	r->early = est(w, EST_KEPT_ALIVE, 16, 0, plan->window, who);
	say("loads: EST with new connections, EST kept alive, bootstraps");
	measure_loads(w, who, plan, r);
	say("idle connections");
	r->per_idle_kib = idle_connections(w, who, plan->idle);
	say("certificates up to the mark");
	(void)est(w, EST_KEPT_ALIVE, 16, 0, plan->certificates, who);
	r->late = est(w, EST_KEPT_ALIVE, 16, 0, plan->window, who);
	r->site_after = daemon_memory(&w->site);
	world_stop(&w->site);
	world_stop(&w->factory);
	say("inventory");
	r->inventory = inventory_measure(w, plan->devices);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		X509_free(who[i].cert);
		EVP_PKEY_free(who[i].key);
		sk_X509_pop_free(who[i].chain, X509_free);
	}
}

static void print_load(const char *what, const struct load *l);

/* One load by itself, for a profiler beside it. */
/* --- saying them --- */

static void
row(const char *what, double alone, double busy)
{
	printf("  %-58s %8.1f %8.1f\n", what, alone, busy);
}

static void
print_primitives(const struct primitives *a, const struct primitives *b)
{
	printf("Primitives, CPU microseconds, one thread%22s %8s\n", "alone", "beside");
	row("P-256 key generation", a->keygen, b->keygen);
	row("P-256 sign", a->sign, b->sign);
	row("P-256 verify", a->verify, b->verify);
	row("P-256 ECDH", a->ecdh, b->ecdh);
	row("TLS 1.3 in memory, mutual, client shows 2: server", a->tls_server, b->tls_server);
	row("TLS 1.3 in memory, mutual, client shows 2: client", a->tls_client, b->tls_client);
	row("TLS 1.3 in memory, client shows none: server", a->tls_client_only, b->tls_client_only);
	row("certificate, decode with key", a->cert_decode, b->cert_decode);
	row("CSR, decode with key", a->csr_decode, b->csr_decode);
	row("CSR, proof of possession", a->csr_check, b->csr_check);
	row("certificate, sign", a->cert_sign, b->cert_sign);
	row("CMS, sign 900 B with 2 certificates", a->cms_sign, b->cms_sign);
	row("CMS, decode and verify with its chain", a->cms_verify, b->cms_verify);
	row("fdatasync of 4 KiB (wall clock)", a->sync_wall, b->sync_wall);
}

static void
print_load(const char *what, const struct load *l)
{
	printf("  %-34s %3d %8.1f %8.0f %6.0f %7.0f %8.2f %8.2f %7.1f %6.0f%% %6ld %5ld\n", what,
	    l->clients, l->rate, l->cpu_us, l->key_cpu_us, l->client_cpu_us, l->p50_ms, l->p99_ms,
	    l->rss_kib / 1024, l->others, l->done, l->failed);
}

static void
print_loads(const struct results *r)
{
	printf("\nLoads, durable (CPU in us per operation: server with key process; its key "
	       "process; client; others: the share of the machine that other programs took)\n  "
	       "%-34s %3s %8s %8s %6s %7s %8s %8s %7s %7s %6s %5s\n",
	    "", "n", "per s", "server", "key", "client", "p50 ms", "p99 ms", "RSS MB", "others",
	    "done", "fail");
	for (int i = 0; i < COUNTS; i++)
		print_load("EST, new mutual TLS connection", &r->fresh[i]);
	for (int i = 0; i < COUNTS; i++)
		print_load("EST, kept alive", &r->kept[i]);
	for (int i = 0; i < COUNTS; i++)
		print_load("whole bootstrap (registrar + MASA)", &r->boot[i]);
	print_load("EST, kept alive, first 100 issued", &r->early);
	print_load("EST, kept alive, all issued", &r->late);
	printf("\nMemory, MB: site idle: network %.1f, keys %.1f of which %.1f its own; factory "
	       "idle: %.1f, %.1f, %.1f; site after all loads: %.1f, %.1f\n",
	    r->site_idle.network / 1024, r->site_idle.keys / 1024, r->site_idle.keys_own / 1024,
	    r->factory_idle.network / 1024, r->factory_idle.keys / 1024,
	    r->factory_idle.keys_own / 1024, r->site_after.network / 1024,
	    r->site_after.keys / 1024);
	printf("Inventory of %ld: filled in %.1f s; started in %.0f ms; lookup %.1f us (worst "
	       "%.0f us); `muster device show` %.1f ms, of which the program's own %.1f ms\n",
	    r->inventory.devices, r->inventory.fill_s, r->inventory.start_ms,
	    r->inventory.lookup_mean_us, r->inventory.lookup_worst_us, r->inventory.show_ms,
	    r->inventory.help_ms);
}

/* RFC 7030: the handshake, the proof of possession (4.2), the signature that is asked for. */
static double
floor_est(const struct primitives *p)
{
	return p->tls_server + p->verify + p->sign;
}

/*
 * RFC 8995: two mutual handshakes (IDevID; LDevID for the report, 5.9.4); PVR
 * verified by registrar and MASA, RVR signed and verified, the audit log's RVR
 * verified, voucher signed, verified by the registrar (5.5, 5.6, 5.8); one
 * certificate. The connection to the MASA is kept and costs nothing here.
 */
static double
floor_bootstrap(const struct primitives *p)
{
	return 2 * p->tls_server + 2 * p->cms_sign + 5 * p->cms_verify + p->verify + p->sign;
}

static int met, missed;

/* most: the figure may be at most so much; else at least. */
static void
bar(const char *what, double figure, double limit, const char *unit, int at_most)
{
	int ok = at_most ? figure <= limit : figure >= limit;

	printf("  %s  %-66s %9.2f, bar %s %.2f %s\n", ok ? "PASS" : "MISS", what, figure,
	    at_most ? "<=" : ">=", limit, unit);
	met += ok;
	missed += !ok;
}

static void
ratio(const char *what, const struct load *l, double alone, double busy, double limit)
{
	char text[128];

	snprintf(text, sizeof text, "%s, %d client%s: %.0f us / %.0f us", what, l->clients,
	    l->clients == 1 ? "" : "s", l->cpu_us, l->clients == 1 ? alone : busy);
	bar(text, l->cpu_us / (l->clients == 1 ? alone : busy), limit, "x", 1);
}

static void
print_bars(const struct results *r, const struct plan *plan)
{
	double ea = floor_est(&r->alone), eb = floor_est(&r->busy);
	double ba = floor_bootstrap(&r->alone), bb = floor_bootstrap(&r->busy);
	double best = 0;
	char text[128];

	printf("\nFloors: EST = handshake (server) + verify + sign = %.0f us alone, %.0f us "
	       "beside another thread\n        bootstrap = 2 handshakes + 2 CMS signed + 5 CMS "
	       "verified + verify + sign = %.0f us, %.0f us\n"
	       "        (one client is held against the floor alone; more clients keep both cores "
	       "busy: against the floor beside)\n\nBars of issue 2, E25\n",
	    ea, eb, ba, bb);
	for (int i = 0; i < COUNTS; i++)
		ratio("EST, new connection", &r->fresh[i], ea, eb, 1.6);
	for (int i = 0; i < COUNTS; i++)
		ratio("bootstrap", &r->boot[i], ba, bb, 1.8);
	for (int i = 0; i < COUNTS; i++)
		best = r->kept[i].rate > best ? r->kept[i].rate : best;
	bar("durable kept-alive enrolments per second, client beside", best, 2500, "/s", 0);
	bar("resident idle, network + key process, shared pages once",
	    (r->site_idle.network + r->site_idle.keys_own) / 1024, 20, "MB", 1);
	snprintf(text, sizeof text, "per further idle connection, of %d", plan->idle);
	bar(text, r->per_idle_kib, 40, "KiB", 1);
	snprintf(text, sizeof text, "CPU per enrolment after %ld issued / after 100",
	    plan->certificates);
	bar(text, r->late.cpu_us / r->early.cpu_us, 1.1, "x", 1);
	bar("start-up with 1,000,000 devices, the worst of 5", r->inventory.start_ms, 200, "ms", 1);
	bar("finding one of them, mean", r->inventory.lookup_mean_us / 1e3, 1, "ms", 1);
	printf("%d met, %d missed\n", met, missed);
}

static void
measure_one(struct world *w, const char *kind, int clients, double seconds)
{
	struct identity who[CLIENTS_MAX] = { 0 };
	bool boot = strcmp(kind, "boot") == 0;
	int devices = boot ? (int)(seconds * 120) : 0;
	struct csr_pool pool = { 0 };
	static struct results r;
	struct load l;

	world_make(w);
	world_start(w, &w->factory);
	world_start(w, &w->site);
	world_devices(w, 0, CLIENTS_MAX + devices);
	if (load_bootstrap(w, 4, 0, CLIENTS_MAX, 0, who).done != CLIENTS_MAX)
		bench_die("the set-up failed; site/muster.conf.log says why");
	measure_primitives(w, &who[0], &quick, &r);
	if (!boot)
		csr_pool_make(&pool, who, clients, (size_t)(5000 * seconds));
	fprintf(stderr, "site %d (keys %d), factory %d (keys %d)\n", (int)w->site.pid,
	    (int)w->site.key_pid, (int)w->factory.pid, (int)w->factory.key_pid);
	l = boot ? load_bootstrap(w, clients, CLIENTS_MAX, devices, seconds, NULL)
	         : load_est(w, strcmp(kind, "fresh") == 0 ? EST_NEW_CONNECTION : EST_KEPT_ALIVE,
	               clients, seconds, 0, who, &pool);
	print_load(kind, &l);
	printf("  floor: %.0f us alone, %.0f us beside another thread\n",
	    boot ? floor_bootstrap(&r.alone) : floor_est(&r.alone),
	    boot ? floor_bootstrap(&r.busy) : floor_est(&r.busy));
	csr_pool_free(&pool);
	world_stop(&w->site);
	world_stop(&w->factory);
}

static void
on_signal(int sig)
{
	(void)sig;
	_exit(130); /* the daemons end with us: PR_SET_PDEATHSIG */
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "quick", no_argument, NULL, 'q' },
		{ "programs", required_argument, NULL, 'p' },
		{ "dir", required_argument, NULL, 'd' }, { "loops", required_argument, NULL, 'l' },
		{ "only", required_argument, NULL, 'o' },
		{ "clients", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	struct world w = { .a = arena_new(0), .loops = 2 };
	const struct plan *plan = &full;
	const char *only = NULL;
	double seconds = 5;
	static struct results r;
	int o, clients = 4;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'q': plan = &quick; break;
		case 'p': w.programs = optarg; break;
		case 'd': w.dir = optarg; break;
		case 'l': w.loops = atoi(optarg); break;
		case 'o': only = optarg; break;
		case 'c': clients = atoi(optarg); break;
		case 's': seconds = atof(optarg); break;
		default: return 2;
		}
	}
	if (w.a == NULL || w.programs == NULL || w.dir == NULL || w.loops < 1 || clients < 1 ||
	    clients > CLIENTS_MAX || seconds <= 0) {
		fputs("usage: muster-bench --programs FOLDER --dir FOLDER [--quick] [--loops N]\n"
		      "                    [--only fresh|kept|boot --clients N --seconds N]\n",
		    stderr);
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (only != NULL) {
		measure_one(&w, only, clients, seconds);
		arena_free(w.a);
		return 0;
	}
	measure(&w, plan, &r);
	print_primitives(&r.alone, &r.busy);
	print_loads(&r);
	print_bars(&r, plan);
	arena_free(w.a);
	return 0;
}

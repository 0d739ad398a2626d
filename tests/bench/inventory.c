/* SPDX-License-Identifier: Apache-2.0 */
/* A site that knows a million devices: how it starts, and finds one. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "host/clock.h"
#include "server/store/db.h"
#include "server/store/store_device.h"

#define LOOKUPS 20000
#define TRIES 5

struct fill {
	long devices;
};

/* One statement: what is measured is the site afterwards, not the import. */
static mst_err
fill(struct db *db, void *arg)
{
	const struct fill *f = arg;
	struct query q;

	query_init(&q, db,
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
	    "INSERT INTO device(manufacturer, serial, state, decision, decided_by, first_seen) "
	    "SELECT m.id, CAST(printf('INV-%08d', i * 7919 % ?2) AS BLOB), 'planned', 1, 'import', "
	    "?3 FROM n, manufacturer m");
	query_int(&q, f->devices);
	query_int(&q, 100000007); /* a prime: every serial once, in no order */
	query_int(&q, clock_wall());
	return query_run(&q);
}

static void
look_up(struct db *db, long devices, struct inventory *out)
{
	struct arena *a = arena_new(0);
	double total = 0;
	uint32_t random = 1;

	if (a == NULL)
		bench_die("out of memory");
	for (int i = 0; i < LOOKUPS; i++) {
		char serial[32];
		struct device d;
		double from, took;

		random = random * 1664525u + 1013904223u;
		snprintf(serial, sizeof serial, "INV-%08lld",
		    (long long)(1 + random % (unsigned long)devices) * 7919 % 100000007);
		arena_reset(a);
		from = bench_now();
		if (device_by_serial(db, a, mst_span_str(serial), &d) != MST_OK)
			bench_die("%s is not found", serial);
		took = bench_now() - from;
		total += took;
		if (took * US_PER_S > out->lookup_worst_us)
			out->lookup_worst_us = took * US_PER_S;
	}
	out->lookup_mean_us = total / LOOKUPS * US_PER_S;
	arena_free(a);
}

/* The worst of some starts: the pages are in the cache after the first. */
static void
start(struct world *w, struct inventory *out)
{
	for (int i = 0; i < TRIES; i++) {
		world_start(w, &w->site);
		if (w->site.start_ms > out->start_ms)
			out->start_ms = w->site.start_ms;
		if (i + 1 < TRIES)
			world_stop(&w->site);
	}
}

static double
command(struct world *w, const char *noun, const char *verb, const char *what)
{
	double best = 1e9;

	for (int i = 0; i < TRIES; i++) {
		double from = bench_now(), took;

		world_muster(w, noun, verb, what, "--config", w->site.config, NULL);
		took = (bench_now() - from) * 1e3;
		best = took < best ? took : best;
	}
	return best;
}

struct inventory
inventory_measure(struct world *w, long devices)
{
	struct inventory out = { .devices = devices };
	struct fill f = { devices };
	struct store *s;
	char serial[32];
	double from = bench_now();

	if (store_open(world_path(w, "site/state/muster.db"), &s) != MST_OK ||
	    store_write_wait(s, fill, &f) != MST_OK)
		bench_die("inventory: %s", store_why());
	out.fill_s = bench_now() - from;
	look_up(store_reader(s), devices, &out);
	store_close(s);
	start(w, &out);
	snprintf(serial, sizeof serial, "INV-%08d", 7919);
	out.show_ms = command(w, "device", "show", serial);
	out.help_ms = command(w, "explain", "MU-1207", NULL);
	world_stop(&w->site);
	return out;
}

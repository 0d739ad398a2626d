/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discover.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/discovery/disco.h"
#include "host/dnssd/dnssd.h"
#include "host/log.h"

#define QUEUE 64
#define RETRY 10 /* seconds */

struct discovery {
	enum discover_for wire;
	struct dnssd *dnssd;
	struct disco *disco;
	int64_t again; /* mono: when a DNS-SD that could not be opened is tried again */
	int wake;
	pthread_mutex_t lock;
	/* A ring; what does not fit is dropped: a flood of announcements is nobody's friend. */
	struct discovered queue[QUEUE];
	unsigned first, count;
};

const char *
discover_why(void)
{
	return dnssd_why();
}

/* In the threads of dnssd and disco. */
static void
tell(struct discovery *d, enum discover_what what, const char *address, uint16_t port)
{
	struct discovered one = { .what = what };
	struct mst_buf b = { (uint8_t *)one.base, sizeof one.base - 1, 0 };
	uint64_t n = 1;

	if (dnssd_base(d->wire == DISCOVER_FOR_COAPS ? "coaps" : "https", address, port, &b) !=
	    MST_OK)
		return;
	pthread_mutex_lock(&d->lock);
	if (d->count < QUEUE)
		d->queue[(d->first + d->count++) % QUEUE] = one;
	pthread_mutex_unlock(&d->lock);
	if (write(d->wake, &n, sizeof n) < 0)
		return; /* full: the reader is awake anyway */
}

static void
on_dnssd(void *arg, const struct dnssd_peer *p)
{
	tell(arg, p->what == DNSSD_FOUND ? DISCOVER_FOUND : DISCOVER_GONE, p->address, p->port);
}

static void
on_disco(void *arg, const struct disco_peer *p)
{
	tell(arg, p->gone ? DISCOVER_GONE : DISCOVER_FOUND, p->address, p->port);
}

static mst_err
open_dnssd(struct discovery *d)
{
	mst_err e = dnssd_open(&d->dnssd);

	if (e == MST_OK && d->wire == DISCOVER_FOR_COAPS)
		return dnssd_browse(d->dnssd, DNSSD_PROXY_UDP, on_dnssd, d);
	if (e == MST_OK)
		e = dnssd_browse(d->dnssd, DNSSD_PROXY, on_dnssd, d);
	return e == MST_OK ? dnssd_browse(d->dnssd, DNSSD_REGISTRAR, on_dnssd, d) : e;
}

/* RFC 8995 4.1: in parallel; floods are listened for, the rest is asked. */
static mst_err
open_disco(struct discovery *d)
{
	bool coaps = d->wire == DISCOVER_FOR_COAPS;
	struct disco_config c = { .ways = DISCO_FLOODS | (coaps ? DISCO_ASKS : 0u) };
	mst_err e = disco_open(&c, &d->disco);

	if (e == MST_OK)
		disco_seek(d->disco, coaps ? DISCO_PROXY_COAPS : DISCO_PROXY_TLS, on_disco, d);
	return e;
}

mst_err
discover_open(enum discover_for wire, int wake, struct discovery **out)
{
	struct discovery *d = calloc(1, sizeof *d);
	mst_err e, f;

	if (d == NULL)
		return MST_E_NOMEM;
	d->wire = wire;
	d->wake = wake;
	pthread_mutex_init(&d->lock, NULL);
	if ((e = open_dnssd(d)) != MST_OK)
		log_line(LOG_WARNING_, "no DNS-SD: %s", dnssd_why());
	d->again = clock_mono() + RETRY;
	if ((f = open_disco(d)) != MST_OK)
		log_line(LOG_WARNING_, "no discovery by %s: %s",
		    wire == DISCOVER_FOR_COAPS ? "CoAP and GRASP" : "GRASP", disco_why());
	if (e != MST_OK && f != MST_OK) {
		discover_close(d);
		return e;
	}
	*out = d;
	return MST_OK;
}

void
discover_close(struct discovery *d)
{
	if (d == NULL)
		return;
	disco_close(d->disco);
	dnssd_close(d->dnssd);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

bool
discover_next(struct discovery *d, struct discovered *out)
{
	bool any = false;

	if (d == NULL)
		return false;
	/* The network may have come only now. */
	if (d->dnssd == NULL && clock_mono() >= d->again) {
		d->again = clock_mono() + RETRY;
		if (open_dnssd(d) != MST_OK)
			log_line(LOG_DEBUG_, "no DNS-SD: %s", dnssd_why());
	}
	pthread_mutex_lock(&d->lock);
	if (d->count > 0) {
		*out = d->queue[d->first];
		d->first = (d->first + 1) % QUEUE;
		d->count--;
		any = true;
	}
	pthread_mutex_unlock(&d->lock);
	return any;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discover.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/dnssd/dnssd.h"

#define QUEUE 64

struct discovery {
	struct dnssd *dnssd;
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

/* In the thread of dnssd. */
static void
on_peer(void *arg, const struct dnssd_peer *peer)
{
	struct discovery *d = arg;
	struct discovered one = { .what =
		                      peer->what == DNSSD_FOUND ? DISCOVER_FOUND : DISCOVER_GONE };
	struct mst_buf b = { (uint8_t *)one.base, sizeof one.base - 1, 0 };
	uint64_t n = 1;

	if (dnssd_base("https", peer->address, peer->port, &b) != MST_OK)
		return;
	pthread_mutex_lock(&d->lock);
	if (d->count < QUEUE)
		d->queue[(d->first + d->count++) % QUEUE] = one;
	pthread_mutex_unlock(&d->lock);
	if (write(d->wake, &n, sizeof n) < 0)
		return; /* full: the reader is awake anyway */
}

mst_err
discover_open(int wake, struct discovery **out)
{
	struct discovery *d = calloc(1, sizeof *d);
	mst_err e = MST_E_NOMEM;

	if (d == NULL)
		return e;
	d->wake = wake;
	pthread_mutex_init(&d->lock, NULL);
	if ((e = dnssd_open(&d->dnssd)) != MST_OK ||
	    (e = dnssd_browse(d->dnssd, DNSSD_PROXY, on_peer, d)) != MST_OK ||
	    (e = dnssd_browse(d->dnssd, DNSSD_REGISTRAR, on_peer, d)) != MST_OK) {
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

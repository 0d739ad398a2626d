/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: waits for datagrams and for what is due, and for nothing else. */
#include "host/discovery/disco_room.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "host/source.h"
#include "muster/grasp.h"

#define LOOK_US (3 * DISCO_SECOND) /* how often links are looked at */
#define BATCH 64 /* datagrams of one socket before the others get their turn */
#define FLOOD_SOON (DISCO_SECOND / 2)
#define COAP_PORT 5683 /* RFC 7252 12.6 */

static _Thread_local char why[256];

const char *
disco_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *what)
{
	snprintf(why, sizeof why, "%s: %s", what, strerror(errno));
	return e;
}

const char *
disco_word(enum disco_what what)
{
	static const char *const words[] = { "join proxy (https)", "join proxy (coaps)",
		"registrar (https)", "registrar (coaps)", "registrar (jpy)", "?" };

	return words[what];
}

int64_t
disco_random(int64_t below)
{
	uint64_t r = 0;

	/* Spreads answers and names messages; no secret hangs on it. */
	if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
		r = (uint64_t)clock_mono_us();
	return (int64_t)(r % (uint64_t)below);
}

const struct disco_link *
disco_link_at(const struct disco *d, unsigned index)
{
	for (size_t i = 0; i < d->link_count; i++)
		if (d->links[i].index == index)
			return &d->links[i];
	return NULL;
}

struct in6_addr
disco_source(const struct disco *d, const struct disco_packet *p)
{
	const struct disco_link *l = disco_link_at(d, p->index);

	return source_of(&p->from.sin6_addr, l != NULL && l->has_global ? &l->global : NULL);
}

void
disco_count(const char *series, const char *outcome)
{
	char label[64] = "";

	metric_label(label, sizeof label,
	    strcmp(series, "muster_discovery_asked_total") == 0 ? "query" : "outcome",
	    mst_span_str(outcome));
	metric_add(series, label, 1);
}

/* ---- links ---- */

static void
join(const struct disco *d, const struct disco_link *l)
{
	static const char *const coap[] = { "ff02::fd", "ff05::fd" };

	for (size_t i = 0; d->coap >= 0 && i < 2; i++)
		if (disco_join(d->coap, coap[i], l->index) != 0)
			log_line(LOG_WARNING_, "discovery: %s on %s: %s", coap[i], l->name,
			    strerror(errno));
	if (d->grasp >= 0 && disco_join(d->grasp, "ff02::13", l->index) != 0)
		log_line(LOG_WARNING_, "discovery: ff02::13 on %s: %s", l->name, strerror(errno));
}

/* A link that has come up, or has got another address, begins anew (RFC 8995 4.1). */
static void
look(struct disco *d, int64_t now)
{
	struct disco_link links[DISCO_LINKS_MAX];
	size_t n = (d->others ? disco_links_but : disco_links_now)(
	    (const char(*)[IF_NAMESIZE])d->names, d->name_count, links);

	d->next_look = now + LOOK_US;
	if (n == d->link_count && memcmp(links, d->links, sizeof links) == 0)
		return;
	memcpy(d->links, links, sizeof links);
	d->link_count = n;
	for (size_t i = 0; i < n; i++)
		join(d, &links[i]);
	disco_ask_anew(d, now);
	if (d->next_flood > now + FLOOD_SOON)
		d->next_flood = now + FLOOD_SOON;
}

/* ---- the thread ---- */

static void
flood_due(struct disco *d, int64_t now)
{
	if (now < d->next_flood)
		return;
	disco_flood(d);
	d->next_flood = now + d->flood_us;
}

int64_t
disco_next(const struct disco *d, int64_t now)
{
	int64_t next = now + DISCO_SECOND;

	for (size_t i = 0; i < DISCO_PENDING; i++)
		if (d->pending[i].due != 0 && d->pending[i].due < next)
			next = d->pending[i].due;
	for (int w = 0; w < DISCO_WHAT_COUNT; w++)
		if (d->sought[w].fn != NULL && d->sought[w].next > now && d->sought[w].next < next)
			next = d->sought[w].next;
	return d->next_flood < next ? d->next_flood : next;
}

typedef void (*take_fn)(struct disco *d, const struct disco_packet *p, int64_t now);

static void
drain(struct disco *d, int fd, take_fn take)
{
	uint8_t room[MST_GRASP_MESSAGE_MAX];
	struct mst_buf b = MST_BUF(room);
	struct disco_packet p;

	for (int i = 0; fd >= 0 && i < BATCH && disco_receive(fd, &b, &p) == 1; i++)
		take(d, &p, clock_mono_us());
}

static void
one_round(struct disco *d)
{
	int64_t now = clock_mono_us();

	if (now >= d->next_look)
		look(d, now);
	drain(d, d->coap, disco_on_request);
	drain(d, d->grasp, disco_on_flood);
	drain(d, d->ask, disco_on_answer);
	now = clock_mono_us();
	disco_send_due(d, now);
	disco_ask_due(d, now);
	flood_due(d, now);
	disco_expire(d, now);
}

static void *
run(void *arg)
{
	struct disco *d = arg;
	struct pollfd p[] = { { .fd = d->wake, .events = POLLIN },
		{ .fd = d->coap, .events = POLLIN }, { .fd = d->grasp, .events = POLLIN },
		{ .fd = d->ask, .events = POLLIN } };
	uint64_t n;

	pthread_mutex_lock(&d->lock);
	while (!d->stop) {
		int64_t now, next;

		one_round(d);
		now = clock_mono_us();
		next = disco_next(d, now);
		pthread_mutex_unlock(&d->lock);
		(void)poll(p, 4, next > now ? (int)((next - now) / 1000) + 1 : 0);
		if (read(d->wake, &n, sizeof n) < 0 && errno != EAGAIN)
			log_line(LOG_WARNING_, "discovery: eventfd: %s", strerror(errno));
		pthread_mutex_lock(&d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static void
wake(struct disco *d)
{
	uint64_t n = 1;

	if (write(d->wake, &n, sizeof n) < 0)
		return; /* full: it is awake anyway */
}

/* ---- life ---- */

static long
or_default(long given, long otherwise)
{
	return given > 0 ? given : otherwise;
}

static mst_err
configure(struct disco *d, const struct disco_config *c)
{
	if (c->link_count > DISCO_LINKS_MAX) {
		snprintf(why, sizeof why, "more than %d interfaces", DISCO_LINKS_MAX);
		return MST_E_USAGE;
	}
	for (size_t i = 0; i < c->link_count; i++) {
		if (strlen(c->links[i]) >= IF_NAMESIZE) {
			snprintf(why, sizeof why, "%s: no name of an interface", c->links[i]);
			return MST_E_USAGE;
		}
		strcpy(d->names[i], c->links[i]);
	}
	d->name_count = c->link_count;
	d->others = c->where == DISCO_OTHERS;
	d->ways = c->ways;
	d->leisure_ms = c->leisure_ms >= 0 ? c->leisure_ms : 5000;
	d->flood_us = or_default(c->flood_s, 60) * DISCO_SECOND;
	d->coap_port = c->coap_port != 0 ? c->coap_port : COAP_PORT;
	d->grasp_port = c->grasp_port != 0 ? c->grasp_port : MST_GRASP_PORT;
	disco_limit_init(&d->limit, or_default(c->per_source, 6), or_default(c->per_second, 10),
	    clock_mono_us());
	return MST_OK;
}

static mst_err
open_sockets(struct disco *d)
{
	if ((d->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
		return fail(MST_E_IO, "eventfd");
	if ((d->ways & DISCO_ANSWERS) != 0 && (d->coap = disco_socket(d->coap_port)) < 0)
		return fail(MST_E_IO, "the UDP port of CoAP discovery");
	if ((d->ways & DISCO_ASKS) != 0 && (d->ask = disco_socket(0)) < 0)
		return fail(MST_E_IO, "a UDP socket for CoAP discovery");
	if ((d->ways & DISCO_FLOODS) != 0 && (d->grasp = disco_socket(d->grasp_port)) < 0)
		return fail(MST_E_IO, "a UDP socket for GRASP");
	return MST_OK;
}

mst_err
disco_open(const struct disco_config *c, struct disco **out)
{
	struct disco *d = calloc(1, sizeof *d);
	mst_err e;

	if (d == NULL)
		return MST_E_NOMEM;
	d->wake = d->coap = d->grasp = d->ask = -1;
	pthread_mutex_init(&d->lock, NULL);
	if ((e = configure(d, c)) != MST_OK || (e = open_sockets(d)) != MST_OK)
		goto out;
	look(d, clock_mono_us());
	if (pthread_create(&d->thread, NULL, run, d) != 0)
		e = fail(MST_E_NOMEM, "thread");
	else
		d->started = true;
out:
	if (e != MST_OK) {
		disco_close(d);
		return e;
	}
	*out = d;
	return MST_OK;
}

void
disco_close(struct disco *d)
{
	int fds[4];

	if (d == NULL)
		return;
	if (d->started) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_mutex_unlock(&d->lock);
		wake(d);
		pthread_join(d->thread, NULL);
	}
	memcpy(fds, (int[]){ d->wake, d->coap, d->grasp, d->ask }, sizeof fds);
	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* ---- what is offered and sought ---- */

mst_err
disco_offer(struct disco *d, enum disco_what what, const char *address, uint16_t port)
{
	struct disco_offer o = { .what = what, .any = address == NULL, .port = port };
	mst_err e = MST_OK;
	size_t i = 0;

	if (port == 0 || (address != NULL && inet_pton(AF_INET6, address, &o.address) != 1)) {
		snprintf(why, sizeof why, "%s port %u: no IPv6 address with a port",
		    address != NULL ? address : "", (unsigned)port);
		return MST_E_USAGE;
	}
	pthread_mutex_lock(&d->lock);
	while (i < d->offer_count && (d->offers[i].what != what || d->offers[i].port != port))
		i++;
	if (i == DISCO_OFFERS_MAX) {
		e = MST_E_SPACE;
	} else {
		d->offers[i] = o;
		d->offer_count += i == d->offer_count;
		d->next_flood = 0; /* tell at once */
	}
	pthread_mutex_unlock(&d->lock);
	wake(d);
	return e;
}

void
disco_withdraw(struct disco *d, enum disco_what what, uint16_t port)
{
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->offer_count; i++)
		if (d->offers[i].what == what && d->offers[i].port == port) {
			d->offers[i] = d->offers[--d->offer_count];
			break;
		}
	pthread_mutex_unlock(&d->lock);
}

void
disco_seek(struct disco *d, enum disco_what what, disco_fn fn, void *arg)
{
	pthread_mutex_lock(&d->lock);
	d->sought[what] = (struct disco_sought){ .fn = fn, .arg = arg };
	pthread_mutex_unlock(&d->lock);
	wake(d);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/discovery.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/dnssd/dnssd.h"
#include "host/log.h"
#include "server/proxy/proxy.h"
#include "server/proxy/udp.h"

#define LOOK_MS 500 /* how soon a join port that has opened is told of */

struct discovery {
	const struct config *c;
	struct net *net;
	struct disco *offers, *seeks; /* NULL: not configured */
	struct dnssd *dnssd; /* NULL: join ports are not announced so */
	struct proxy_udp *udp;
	struct proxy *tcp;
	uint16_t tcp_port;
	bool tcp_told;
	uint16_t told[PROXY_UDP_PORTS]; /* join ports that are offered */
	size_t told_count;
	struct net_timer *timer;
};

static _Thread_local char why[256];

const char *
discovery_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *what, const char *words)
{
	snprintf(why, sizeof why, "%s: %s", what, words);
	return e;
}

/* ---- what is offered ---- */

/* "[::]:5684", "[2001:db8::1%eth0]:5684": the address, "" for any; false for IPv4 and names. */
static bool
address_of(const char *listen, char out[INET6_ADDRSTRLEN])
{
	struct in6_addr a;
	size_t n = listen[0] == '[' ? strcspn(listen + 1, "]%") : 0;

	if (n == 0 || n >= INET6_ADDRSTRLEN)
		return false;
	memcpy(out, listen + 1, n);
	out[n] = '\0';
	if (inet_pton(AF_INET6, out, &a) != 1)
		return false;
	if (IN6_IS_ADDR_UNSPECIFIED(&a))
		out[0] = '\0';
	return true;
}

mst_err
discovery_offer(struct discovery *d, enum disco_what what, const char *listen, int port)
{
	char address[INET6_ADDRSTRLEN];
	mst_err e;

	if (d->offers == NULL)
		return MST_OK;
	if (!address_of(listen, address)) {
		log_line(LOG_WARNING_, "discovery: %s at %s is not offered: no IPv6 address",
		    disco_word(what), listen);
		return MST_OK;
	}
	e = disco_offer(d->offers, what, address[0] == '\0' ? NULL : address, (uint16_t)port);
	return e == MST_OK ? e : fail(e, listen, disco_why());
}

/* ---- join ports ---- */

static bool
is_in(uint16_t port, const uint16_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == port)
			return true;
	return false;
}

static void
port_opened(struct discovery *d, uint16_t port)
{
	const struct config_proxy *p = d->c->proxy;

	log_line(LOG_INFO_, "join port %u is open and announced", (unsigned)port);
	if (discovery_offer(d, DISCO_PROXY_COAPS, p->udp_listen, port) != MST_OK)
		log_line(LOG_WARNING_, "discovery: %s", discovery_why());
	if (d->dnssd != NULL && dnssd_publish(d->dnssd, p->announce, DNSSD_PROXY_UDP, p->udp_listen,
	                            port, NULL) != MST_OK)
		log_line(LOG_WARNING_, "DNS-SD: %s", dnssd_why());
}

static void
port_closed(struct discovery *d, uint16_t port)
{
	if (d->offers != NULL)
		disco_withdraw(d->offers, DISCO_PROXY_COAPS, port);
	if (d->dnssd != NULL)
		dnssd_withdraw(d->dnssd, DNSSD_PROXY_UDP, port);
}

/* A flood that leads to a proxy without a registrar would only cost pledges an attempt. */
static void
look_tcp(struct discovery *d)
{
	bool now = d->tcp != NULL && proxy_has_registrar(d->tcp);

	if (now == d->tcp_told || d->offers == NULL)
		return;
	d->tcp_told = now;
	if (!now)
		disco_withdraw(d->offers, DISCO_PROXY_TLS, d->tcp_port);
	else if (discovery_offer(d, DISCO_PROXY_TLS, d->c->proxy->listen, d->tcp_port) != MST_OK)
		log_line(LOG_WARNING_, "discovery: %s", discovery_why());
}

static void
look(void *arg)
{
	struct discovery *d = arg;
	uint16_t now[PROXY_UDP_PORTS];
	size_t n = d->udp != NULL ? proxy_udp_ports(d->udp, now) : 0;

	look_tcp(d);

	for (size_t i = 0; i < d->told_count; i++)
		if (!is_in(d->told[i], now, n))
			port_closed(d, d->told[i]);
	for (size_t i = 0; i < n; i++)
		if (!is_in(now[i], d->told, d->told_count))
			port_opened(d, now[i]);
	if (n > 0)
		memcpy(d->told, now, n * sizeof *now);
	d->told_count = n;
	d->timer = net_after(net_loop_at(d->net, 0), LOOK_MS, look, d);
}

/* ---- registrars that are found; in the thread of disco ---- */

static void
on_registrar_udp(void *arg, const struct disco_peer *peer)
{
	struct discovery *d = arg;
	uint8_t room[128];
	struct mst_buf b = { room, sizeof room - 1, 0 };
	mst_err e = dnssd_base(
	    peer->what == DISCO_REGISTRAR_JPY ? "jpy" : "coaps", peer->address, peer->port, &b);

	room[b.len] = '\0';
	if (e == MST_OK)
		e = peer->gone ? proxy_udp_forget(d->udp, (char *)room)
		               : proxy_udp_learn(d->udp, (char *)room);
	log_line(e == MST_OK ? LOG_INFO_ : LOG_WARNING_, "discovery: %s %s%s", (char *)room,
	    peer->gone ? "gone" : "found", e == MST_OK ? "" : ", and cannot be used");
}

static void
on_registrar_tcp(void *arg, const struct disco_peer *peer)
{
	struct discovery *d = arg;

	proxy_learn(d->tcp, peer->address, peer->port, peer->gone);
}

mst_err
discovery_proxy_udp(struct discovery *d, struct proxy_udp *p)
{
	const struct config_proxy *c = d->c->proxy;

	d->udp = p;
	if (c->announce != NULL && dnssd_open(&d->dnssd) != MST_OK)
		return fail(MST_E_IO, "DNS-SD", dnssd_why());
	if (d->seeks != NULL && c->udp_registrar == NULL) {
		disco_seek(d->seeks, DISCO_REGISTRAR_JPY, on_registrar_udp, d);
		disco_seek(d->seeks, DISCO_REGISTRAR_COAPS, on_registrar_udp, d);
	}
	return MST_OK;
}

mst_err
discovery_proxy_tcp(struct discovery *d, struct proxy *p, int port)
{
	d->tcp = p;
	if (d->seeks != NULL && d->c->proxy->discover)
		disco_seek(d->seeks, DISCO_REGISTRAR_TLS, on_registrar_tcp, d);
	d->tcp_port = (uint16_t)port;
	return MST_OK;
}

/* ---- life ---- */

static mst_err
open_disco(struct discovery *d)
{
	const struct config_discovery *c = d->c->discovery;
	struct disco_config o = { .ways = (c->coap ? DISCO_ANSWERS : 0u) |
		                          (c->grasp ? DISCO_FLOODS : 0u),
		.links = c->interfaces,
		.link_count = c->interface_count,
		.leisure_ms = c->leisure_ms,
		.per_source = c->answers_per_source,
		.per_second = c->answers_per_second,
		.flood_s = c->flood_seconds };
	mst_err e = disco_open(&o, &d->offers);

	if (e != MST_OK)
		return fail(e, "discovery", disco_why());
	if (d->c->proxy == NULL)
		return MST_OK;
	o.ways = (c->coap ? DISCO_ASKS : 0u) | (c->grasp ? DISCO_FLOODS : 0u);
	if (c->registrar_interface_count > 0) {
		o.links = c->registrar_interfaces;
		o.link_count = c->registrar_interface_count;
	} else {
		o.where = DISCO_OTHERS; /* a pledge that says it is a registrar is not heard */
	}
	e = disco_open(&o, &d->seeks);
	return e == MST_OK ? e : fail(e, "discovery", disco_why());
}

mst_err
discovery_open(const struct config *c, struct net *n, struct discovery **out)
{
	struct discovery *d = calloc(1, sizeof *d);
	mst_err e = MST_OK;

	if (d == NULL)
		return fail(MST_E_NOMEM, "discovery", "out of memory");
	d->c = c;
	d->net = n;
	if (c->discovery != NULL && (e = open_disco(d)) != MST_OK) {
		discovery_close(d);
		return e;
	}
	if (c->proxy != NULL)
		d->timer = net_after(net_loop_at(n, 0), LOOK_MS, look, d);
	*out = d;
	return MST_OK;
}

void
discovery_close(struct discovery *d)
{
	if (d == NULL)
		return;
	disco_close(d->seeks);
	disco_close(d->offers);
	dnssd_close(d->dnssd);
	if (d->timer != NULL)
		net_cancel(d->timer);
	free(d);
}

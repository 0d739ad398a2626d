/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket per pledge (constrained-join-proxy 4.3): payloads untouched, each
 * pledge with a port of its own towards the registrar, so that answers and
 * ICMP errors find their way back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/log.h"
#include "host/metrics.h"
#include "host/source.h"
#include "server/proxy/udp_room.h"

struct udp_mapping {
	struct udp_mapping *next, **at;
	struct udp_join *join;
	struct datagram_path pledge;
	int fd;
	bool answered; /* by DTLS: whoever is there speaks it */
	struct event *readable, *idle;
};

static void
mapping_close(struct udp_mapping *m)
{
	struct proxy_udp *p = m->join->proxy;

	*m->at = m->next;
	if (m->next != NULL)
		m->next->at = m->at;
	if (m->readable != NULL)
		event_free(m->readable);
	if (m->idle != NULL)
		event_free(m->idle);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
	metric_set("muster_proxy_udp_mappings", NULL, (double)--p->mappings);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mapping_close(arg);
}

/* 4.3: 30 seconds after the last relayed packet, in either direction. */
static void
stay_awake(struct udp_mapping *m)
{
	long ms = m->join->proxy->c.idle_ms;
	struct timeval t = { ms / 1000, (ms % 1000) * 1000 };

	event_add(m->idle, &t);
}

static void
relay_errors(struct udp_mapping *m)
{
	struct proxy_udp *p = m->join->proxy;
	struct mst_buf payload = { p->wrapped, sizeof p->wrapped, 0 };
	struct udp_icmp what;

	while (udp_icmp_next(m->fd, &payload, &what)) {
		udp_drop(p, &m->join->registrar.at, MST_E_PROXY_SENT_BACK);
		udp_icmp_send(m->join, &m->pledge, what, mst_buf_span(&payload));
	}
}

/* The first answer must be one that DTLS alone has. */
static bool
may_answer(const struct udp_mapping *m, mst_span datagram)
{
	switch (udp_record_of(datagram)) {
	case UDP_NO_RECORD: return false;
	case UDP_UNIFIED: return m->answered;
	case UDP_RECORD:
	case UDP_BEGINS: return true;
	}
	return false;
}

/* Until then a pledge says no more than who begins says; m is NULL for who is new. */
static bool
may_ask(const struct udp_mapping *m, mst_span datagram)
{
	switch (udp_record_of(datagram)) {
	case UDP_NO_RECORD: return false;
	case UDP_RECORD:
	case UDP_UNIFIED: return m != NULL && m->answered;
	case UDP_BEGINS: return true;
	}
	return false;
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct udp_mapping *m = arg;
	struct proxy_udp *p = m->join->proxy;
	struct mst_buf in = { p->room, sizeof p->room, 0 };

	(void)what;
	relay_errors(m);
	for (int i = 0; i < UDP_BATCH && datagram_receive(fd, &in, NULL); i++) {
		if (!may_answer(m, mst_buf_span(&in))) {
			udp_drop(p, &m->join->registrar.at, MST_E_PROXY_NOT_DTLS);
			continue;
		}
		m->answered = true;
		if (!datagram_send(m->join->fd, &m->pledge, mst_buf_span(&in))) {
			udp_drop(p, &m->pledge.peer, MST_E_IO);
			continue;
		}
		udp_relayed(UDP_STATEFUL, "to_pledge");
		stay_awake(m);
	}
}

static struct udp_mapping *
find(struct udp_join *j, const struct datagram_path *from)
{
	struct udp_mapping *m = j->mappings;

	while (m != NULL && (m->pledge.ifindex != from->ifindex ||
	                        !datagram_same(&m->pledge.peer, &from->peer) ||
	                        !IN6_ARE_ADDR_EQUAL(&m->pledge.local, &from->local)))
		m = m->next;
	return m;
}

/* JP-U1: at most two of one address and ten of one interface, whatever the join port. */
static mst_err
within_limits(const struct proxy_udp *p, const struct datagram_path *from)
{
	struct in6_addr source = source_of(&from->peer.sin6_addr, &from->local), other;
	long of_pledge = 0, of_interface = 0;

	for (size_t i = 0; i < PROXY_UDP_PORTS; i++)
		for (struct udp_mapping *m = p->joins[i].mappings; m != NULL; m = m->next) {
			if (m->pledge.ifindex != from->ifindex)
				continue;
			of_interface++;
			other = source_of(&m->pledge.peer.sin6_addr, &m->pledge.local);
			of_pledge += IN6_ARE_ADDR_EQUAL(&other, &source);
		}
	if (of_pledge >= p->c.per_pledge)
		return MST_E_PROXY_LIMIT_PEER;
	return of_interface < p->c.per_interface ? MST_OK : MST_E_PROXY_LIMIT_INTERFACE;
}

static mst_err
mapping_open(struct udp_join *j, const struct datagram_path *from, struct udp_mapping **out)
{
	struct udp_mapping *m = calloc(1, sizeof *m);
	mst_err e;

	if (m == NULL)
		return MST_E_NOMEM;
	m->join = j;
	m->pledge = *from;
	m->fd = -1;
	m->next = j->mappings;
	m->at = &j->mappings;
	if (m->next != NULL)
		m->next->at = &m->next;
	j->mappings = m;
	metric_set("muster_proxy_udp_mappings", NULL, (double)++j->proxy->mappings);
	if ((e = datagram_connect(&j->registrar.at, &m->fd)) == MST_OK) {
		m->readable = event_new(j->proxy->base, m->fd, EV_READ | EV_PERSIST, on_answer, m);
		m->idle = evtimer_new(j->proxy->base, on_idle, m);
		if (m->readable == NULL || m->idle == NULL || event_add(m->readable, NULL) != 0)
			e = MST_E_NOMEM;
	}
	if (e != MST_OK) {
		mapping_close(m);
		return e;
	}
	*out = m;
	return MST_OK;
}

static void
say_opened(const struct datagram_path *from)
{
	char peer[DATAGRAM_TEXT];

	datagram_text(&from->peer, peer);
	log_decision(&(struct decision){ .role = "proxy", .step = STEP_PROXY, .peer = peer });
}

void
udp_stateful_take(struct udp_join *j, const struct datagram_path *from, const struct mst_buf *in)
{
	struct udp_mapping *m = find(j, from);
	mst_err e = MST_OK;

	if (!may_ask(m, mst_buf_span(in))) {
		udp_drop(j->proxy, &from->peer, MST_E_PROXY_NOT_DTLS);
		return;
	}
	if (m == NULL) {
		if ((e = within_limits(j->proxy, from)) == MST_OK)
			e = mapping_open(j, from, &m);
		if (e != MST_OK) { /* 4.3: type 1 code 1 to whom it cannot serve */
			udp_drop(j->proxy, &from->peer, e);
			udp_icmp_send(j, from, UDP_PROHIBITED, mst_buf_span(in));
			return;
		}
		say_opened(from);
	}
	/* A refusal by ICMP from before is told by the next call; it is not about this one. */
	if (!datagram_send(m->fd, NULL, mst_buf_span(in))) {
		relay_errors(m);
		if (!datagram_send(m->fd, NULL, mst_buf_span(in))) {
			udp_drop(j->proxy, &from->peer, MST_E_IO);
			stay_awake(m);
			return;
		}
	}
	udp_relayed(UDP_STATEFUL, "to_registrar");
	stay_awake(m);
}

void
udp_stateful_close(struct udp_join *j)
{
	struct udp_mapping *next;

	for (struct udp_mapping *m = j->mappings; m != NULL; m = next) {
		next = m->next;
		mapping_close(m);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What others ask for, and what is told unasked. */
#include "host/discovery/disco_room.h"

#include <string.h>

#include "muster/grasp.h"

static const char *const verdicts[] = {
	[DISCO_ANSWER] = "answered",
	[DISCO_REFUSE] = "refused",
	[DISCO_RESET] = "reset",
	[DISCO_DROP_MALFORMED] = "malformed",
	[DISCO_DROP_NOT_REQUEST] = "not_request",
	[DISCO_DROP_CONFIRMABLE] = "confirmable",
	[DISCO_DROP_UNKNOWN] = "unknown",
	[DISCO_DROP_FILTERED] = "filtered",
	[DISCO_DROP_SOURCE] = "source",
};

static void
outcome(const char *word)
{
	disco_count("muster_discovery_requests_total", word);
}

/* ---- CoAP ---- */

/* RFC 7252 8.2: at a random point of time within the leisure. */
static const char *
answer_later(struct disco *d, const struct disco_packet *p, mst_span bytes, int64_t now)
{
	struct disco_pending *free_ = NULL;

	for (size_t i = 0; i < DISCO_PENDING; i++) {
		struct disco_pending *q = &d->pending[i];

		if (q->due == 0)
			free_ = q;
		else if (q->index == p->index && q->to.sin6_port == p->from.sin6_port &&
		         memcmp(&q->to.sin6_addr, &p->from.sin6_addr, 16) == 0 &&
		         q->len == bytes.len && memcmp(q->bytes + 4, bytes.ptr + 4, 8) == 0)
			return "duplicate"; /* the same token: it gets its answer */
	}
	if (free_ == NULL || bytes.len > sizeof free_->bytes)
		return "queue";
	free_->due = now + 1 + disco_random(d->leisure_ms * 1000 + 1);
	free_->to = p->from;
	free_->index = p->index;
	memcpy(free_->bytes, bytes.ptr, bytes.len);
	free_->len = bytes.len;
	return "answered";
}

static const char *
respond(struct disco *d, const struct disco_packet *p, enum disco_verdict v,
    const struct mst_buf *out, bool multicast, int64_t now)
{
	struct in6_addr source = disco_source(d, p);

	switch (disco_limit_take(&d->limit, &source, p->index, now)) {
	case DISCO_OVER_SOURCE: return "rate_source";
	case DISCO_OVER_ALL: return "rate_all";
	case DISCO_ALLOWED: break;
	}
	if (multicast)
		return answer_later(d, p, mst_buf_span(out), now);
	return disco_send(d->coap, &p->from, p->index, &p->to, mst_buf_span(out)) ? verdicts[v]
	                                                                          : "unsent";
}

void
disco_on_request(struct disco *d, const struct disco_packet *p, int64_t now)
{
	uint8_t room[DISCO_DATAGRAM];
	struct mst_buf out = MST_BUF(room);
	const struct disco_link *l = disco_link_at(d, p->index);
	struct disco_scene s = { .multicast = IN6_IS_ADDR_MULTICAST(&p->to),
		.link_local = IN6_IS_ADDR_LINKLOCAL(&p->from.sin6_addr),
		.offers = d->offers,
		.offer_count = d->offer_count };
	enum disco_verdict v;

	if (l == NULL) { /* unicast on a link that is not ours to serve */
		outcome("link");
		return;
	}
	if (l->has_link_local)
		s.own_link_local = &l->link_local;
	if (l->has_global)
		s.own_global = &l->global;
	v = disco_judge(&s, p->bytes, (uint16_t)disco_random(65536), &d->message, &out);
	if (v == DISCO_ANSWER || v == DISCO_REFUSE || v == DISCO_RESET)
		outcome(respond(d, p, v, &out, s.multicast, now));
	else
		outcome(verdicts[v]);
}

void
disco_send_due(struct disco *d, int64_t now)
{
	for (size_t i = 0; i < DISCO_PENDING; i++) {
		struct disco_pending *q = &d->pending[i];

		if (q->due == 0 || q->due > now)
			continue;
		q->due = 0;
		/* A link-local requester gets our link-local address as source (cV 10.1). */
		if (!disco_send(d->coap, &q->to, q->index, NULL, mst_span_of(q->bytes, q->len)))
			outcome("unsent");
	}
}

/* ---- GRASP ---- */

static bool
objective(const struct disco_link *l, const struct disco_offer *o, struct mst_grasp_objective *out)
{
	const struct in6_addr *a = o->any ? &l->link_local : &o->address;
	mst_span name = MST_NONE, value = MST_LIT(""); /* DI-6: the default variation */
	bool proxy = o->what == DISCO_PROXY_TLS || o->what == DISCO_PROXY_COAPS;
	bool tls = o->what == DISCO_PROXY_TLS || o->what == DISCO_REGISTRAR_TLS;

	switch (o->what) {
	case DISCO_PROXY_TLS:
	case DISCO_PROXY_COAPS: name = MST_LIT(MST_GRASP_PROXY); break;
	case DISCO_REGISTRAR_TLS: /* RFC 8995 4.3 */
		name = MST_LIT(MST_GRASP_REGISTRAR);
		value = MST_LIT("EST-TLS");
		break;
	case DISCO_REGISTRAR_COAPS: name = MST_LIT(MST_GRASP_REGISTRAR); break;
	case DISCO_REGISTRAR_JPY: name = MST_LIT(MST_GRASP_REGISTRAR_JPY); break;
	case DISCO_WHAT_COUNT: return false;
	}
	if (!proxy && o->any && l->has_global)
		a = &l->global;
	/* 4.1.1: a proxy is at its link-local address */
	if (proxy && memcmp(a, &l->link_local, sizeof *a) != 0)
		return false;
	*out = (struct mst_grasp_objective){ .name = name,
		.flags = MST_GRASP_SYNC,
		.loop_count = proxy ? 1 : 255,
		.value = value,
		.address = mst_span_of(a->s6_addr, sizeof a->s6_addr),
		.protocol = tls ? MST_GRASP_TCP : MST_GRASP_UDP,
		.port = o->port };
	return true;
}

void
disco_flood(struct disco *d)
{
	for (size_t i = 0; d->grasp >= 0 && i < d->link_count; i++) {
		const struct disco_link *l = &d->links[i];
		struct sockaddr_in6 to = disco_group("ff02::13", d->grasp_port, l->index);
		struct mst_grasp_flood f = { .session = (uint32_t)disco_random(INT64_C(1) << 32),
			.initiator = mst_span_of(l->link_local.s6_addr, 16),
			.ttl_ms = MST_GRASP_TTL_MS };
		uint8_t room[MST_GRASP_MESSAGE_MAX];
		struct mst_buf out = MST_BUF(room);

		if (!l->has_link_local)
			continue;
		for (size_t o = 0; o < d->offer_count; o++)
			if (objective(l, &d->offers[o], &f.objectives[f.count]))
				f.count++;
		if (f.count == 0)
			continue;
		disco_count("muster_discovery_floods_total",
		    mst_grasp_build(&f, &out) == MST_OK &&
		            disco_send(d->grasp, &to, l->index, &l->link_local, mst_buf_span(&out))
		        ? "sent"
		        : "unsent");
	}
}

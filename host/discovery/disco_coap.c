/* SPDX-License-Identifier: Apache-2.0 */
#include "host/discovery/disco_coap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "muster/linkformat.h"

/* ---- reading ---- */

static bool
is_text(mst_span v, const char *text)
{
	return mst_span_eq(v, mst_span_str(text));
}

static mst_err
query_add(struct disco_message *m, mst_span v)
{
	if (m->query_count == DISCO_QUERIES || v.len > DISCO_QUERY_MAX)
		return MST_E_LINKFORMAT;
	memcpy(m->query[m->query_count].text, v.ptr, v.len);
	m->query[m->query_count++].len = v.len;
	return MST_OK;
}

/* 5.4.3: an option of impossible length is like one that is not known. */
static void
number_read(struct disco_message *m, unsigned number, mst_span v, bool *there, unsigned *out)
{
	if (v.len > 2) {
		m->critical = m->critical || (number & 1) != 0;
		return;
	}
	*there = true;
	*out = mst_coap_uint(v);
}

/* at: how many Uri-Path options came before. */
static mst_err
option_read(struct disco_message *m, unsigned number, mst_span v, unsigned *at)
{
	switch (number) {
	case MST_COAP_URI_PATH:
		m->well_known_core = *at == 0   ? is_text(v, ".well-known")
		                     : *at == 1 ? m->well_known_core && is_text(v, "core")
		                                : false;
		++*at;
		return MST_OK;
	case MST_COAP_URI_QUERY: return query_add(m, v);
	case MST_COAP_ACCEPT: number_read(m, number, v, &m->accept, &m->accept_cf); return MST_OK;
	case MST_COAP_CONTENT_FORMAT:
		number_read(m, number, v, &m->format, &m->format_cf);
		return MST_OK;
	case MST_COAP_URI_HOST:
	case MST_COAP_URI_PORT: return MST_OK; /* 5.10.1: whatever led here */
	default: m->critical = m->critical || (number & 1) != 0; return MST_OK;
	}
}

mst_err
disco_message_read(mst_span d, struct disco_message *out)
{
	unsigned number, paths = 0;
	struct mst_coap_reader r;
	struct mst_coap m;
	mst_span value;
	mst_err e = MST_OK;
	bool header;

	if (d.len > DISCO_DATAGRAM || mst_coap_parse(d, &m, &header) != MST_OK)
		return MST_E_LINKFORMAT;
	memset(out, 0, sizeof *out);
	out->type = m.type;
	out->code = m.code;
	out->mid = m.mid;
	out->token_len = m.token.len;
	out->payload_len = m.payload.len;
	if (m.token.len > 0)
		memcpy(out->token, m.token.ptr, m.token.len);
	if (m.payload.len > 0)
		memcpy(out->payload, m.payload.ptr, m.payload.len);
	mst_coap_options(&m, &r);
	while (e == MST_OK && mst_coap_next(&r, &number, &value))
		e = option_read(out, number, value, &paths);
	out->well_known_core = out->well_known_core && paths == 2;
	return e;
}

/* ---- writing ---- */

mst_err
disco_message_ask(uint16_t mid, mst_span token, mst_span query, struct mst_buf *out)
{
	struct mst_coap_writer w;

	out->len = 0;
	mst_coap_put_head(&w, out, MST_COAP_NON, DISCO_GET, mid, token);
	mst_coap_put_option(&w, MST_COAP_URI_PATH, MST_LIT(".well-known"));
	mst_coap_put_option(&w, MST_COAP_URI_PATH, MST_LIT("core"));
	mst_coap_put_option(&w, MST_COAP_URI_QUERY, query);
	return w.err;
}

mst_err
disco_message_answer(enum mst_coap_type type, unsigned code, uint16_t mid, mst_span token,
    mst_span payload, struct mst_buf *out)
{
	struct mst_coap_writer w;

	out->len = 0;
	mst_coap_put_head(&w, out, type, code, mid, token);
	if (code == DISCO_CONTENT)
		mst_coap_put_uint(&w, MST_COAP_CONTENT_FORMAT, MST_LINK_CF);
	mst_coap_put_payload(&w, payload);
	return w.err;
}

/* ---- judging ---- */

/* "coaps://[addr]/b", the place of an offer as this requester can reach it. */
static bool
place_text(const struct disco_scene *s, const struct disco_offer *o, char *out, size_t cap)
{
	const struct in6_addr *a = !o->any                 ? &o->address
	                           : s->own_global != NULL ? s->own_global
	                           : s->link_local         ? s->own_link_local
	                                                   : NULL;
	bool jpy = o->what == DISCO_REGISTRAR_JPY;
	char text[INET6_ADDRSTRLEN], port[8] = "";

	if (a == NULL || inet_ntop(AF_INET6, a, text, sizeof text) == NULL)
		return false;
	if (jpy || o->port != MST_LINK_COAPS_PORT)
		snprintf(port, sizeof port, ":%u", (unsigned)o->port);
	/* JP-U2: jpy has the root path and always a port; cJP 5.1: a short path for coaps */
	snprintf(out, cap, "%s://[%s]%s%s", jpy ? "jpy" : "coaps", text, port, jpy ? "" : "/b");
	return true;
}

/* The join-port is taken together with the link-local source of the answer (DI-3). */
static bool
serves_link_local(const struct disco_scene *s, const struct disco_offer *o)
{
	return s->link_local &&
	       (o->any || (s->own_link_local != NULL &&
	                      memcmp(&o->address, s->own_link_local, sizeof o->address) == 0));
}

/* What may follow RFC 6690 from one offer; the filter decides later. */
static void
put_offer(const struct disco_scene *s, const struct disco_offer *o, struct mst_link_writer *w)
{
	char place[128];

	switch (o->what) {
	case DISCO_REGISTRAR_COAPS: /* cV 10: it SHOULD answer as if it were a proxy */
	case DISCO_REGISTRAR_JPY:
		if (place_text(s, o, place, sizeof place)) {
			mst_link_put(w, mst_span_str(place));
			mst_link_put_attr(w, MST_LIT("rt"),
			    o->what == DISCO_REGISTRAR_JPY ? MST_LIT(MST_LINK_RT_JPY)
			                                   : MST_LIT(MST_LINK_RT_REGISTRAR));
		}
		if (o->what == DISCO_REGISTRAR_JPY)
			return;
		break;
	case DISCO_PROXY_COAPS: break;
	case DISCO_PROXY_TLS:
	case DISCO_REGISTRAR_TLS:
	case DISCO_WHAT_COUNT: return;
	}
	if (!serves_link_local(s, o))
		return;
	mst_link_put(w, MST_LIT(""));
	mst_link_put_number(w, MST_LIT(MST_LINK_JP), o->port);
}

static bool
wanted(const struct disco_message *m, const struct mst_link *l)
{
	for (size_t i = 0; i < m->query_count; i++)
		if (!mst_link_matches(l, mst_span_of(m->query[i].text, m->query[i].len)))
			return false;
	return true;
}

static mst_err
links(const struct disco_scene *s, const struct disco_message *m, struct mst_buf *out)
{
	uint8_t room[1024];
	struct mst_buf all = MST_BUF(room);
	struct mst_link_writer w;
	struct mst_link_reader r;
	struct mst_link l;

	mst_link_put_init(&w, &all);
	for (size_t i = 0; i < s->offer_count; i++)
		put_offer(s, &s->offers[i], &w);
	if (mst_link_put_end(&w) != MST_OK)
		return mst_link_put_end(&w);
	mst_link_init(&r, mst_buf_span(&all));
	mst_link_put_init(&w, out);
	while (mst_link_next(&r, &l))
		if (wanted(m, &l))
			mst_link_put_copy(&w, &l);
	return mst_link_put_end(&w);
}

/* The code of an answer to a GET that was understood as far as this; 0: go on. */
static unsigned
refusal(const struct disco_message *m)
{
	if (m->critical)
		return DISCO_BAD_OPTION;
	if (!m->well_known_core)
		return DISCO_NOT_FOUND;
	if (m->code != DISCO_GET)
		return DISCO_NOT_ALLOWED;
	return m->accept && m->accept_cf != MST_LINK_CF ? DISCO_NOT_ACCEPTABLE : 0;
}

static enum disco_verdict
reset(const struct disco_message *m, struct mst_buf *out)
{
	/* 4.2: a CON that makes no sense is rejected by a matching Reset */
	return m->type == MST_COAP_CON && disco_message_answer(MST_COAP_RST, 0, m->mid, MST_NONE,
	                                      MST_NONE, out) == MST_OK
	           ? DISCO_RESET
	           : DISCO_DROP_NOT_REQUEST;
}

static enum disco_verdict
unicast_refuse(const struct disco_message *m, unsigned code, uint16_t mid, struct mst_buf *out)
{
	bool ack = m->type == MST_COAP_CON;

	if (disco_message_answer(ack ? MST_COAP_ACK : MST_COAP_NON, code, ack ? m->mid : mid,
	        mst_span_of(m->token, m->token_len), MST_NONE, out) != MST_OK)
		return DISCO_DROP_UNKNOWN;
	return DISCO_REFUSE;
}

enum disco_verdict
disco_judge(const struct disco_scene *s, mst_span datagram, uint16_t mid, struct disco_message *m,
    struct mst_buf *out)
{
	uint8_t room[1024];
	struct mst_buf payload = MST_BUF(room);
	unsigned code;
	bool ack;

	/* DI-7; a unicast request of another source could have anybody's address in it */
	if (!s->multicast && !s->link_local)
		return DISCO_DROP_SOURCE;
	if (disco_message_read(datagram, m) != MST_OK)
		return DISCO_DROP_MALFORMED;
	if (m->code == 0 || m->code >= 100 || m->type == MST_COAP_ACK || m->type == MST_COAP_RST)
		return s->multicast ? DISCO_DROP_NOT_REQUEST : reset(m, out);
	if (s->multicast && m->type != MST_COAP_NON)
		return DISCO_DROP_CONFIRMABLE;
	if ((code = refusal(m)) != 0)
		return s->multicast ? DISCO_DROP_UNKNOWN : unicast_refuse(m, code, mid, out);
	if (links(s, m, &payload) != MST_OK)
		return DISCO_DROP_FILTERED; /* more offers than fit: DISCO_OFFERS_MAX forbids it */
	if (payload.len == 0 && s->multicast)
		return DISCO_DROP_FILTERED;
	ack = m->type == MST_COAP_CON;
	if (disco_message_answer(ack ? MST_COAP_ACK : MST_COAP_NON, DISCO_CONTENT,
	        ack ? m->mid : mid, mst_span_of(m->token, m->token_len), mst_buf_span(&payload),
	        out) != MST_OK)
		return DISCO_DROP_FILTERED;
	return DISCO_ANSWER;
}

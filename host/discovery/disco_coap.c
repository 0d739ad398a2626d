/* SPDX-License-Identifier: Apache-2.0 */
#include "host/discovery/disco_coap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "muster/linkformat.h"

/* RFC 7252 12.2 */
enum {
	OPTION_URI_HOST = 3,
	OPTION_URI_PORT = 7,
	OPTION_URI_PATH = 11,
	OPTION_CONTENT_FORMAT = 12,
	OPTION_URI_QUERY = 15,
	OPTION_ACCEPT = 17,
};

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
	*out = 0;
	for (size_t i = 0; i < v.len; i++)
		*out = *out << 8 | v.ptr[i];
}

/* at: how many Uri-Path options came before. */
static mst_err
option_read(struct disco_message *m, unsigned number, mst_span v, unsigned *at)
{
	switch (number) {
	case OPTION_URI_PATH:
		m->well_known_core = *at == 0   ? is_text(v, ".well-known")
		                     : *at == 1 ? m->well_known_core && is_text(v, "core")
		                                : false;
		++*at;
		return MST_OK;
	case OPTION_URI_QUERY: return query_add(m, v);
	case OPTION_ACCEPT: number_read(m, number, v, &m->accept, &m->accept_cf); return MST_OK;
	case OPTION_CONTENT_FORMAT:
		number_read(m, number, v, &m->format, &m->format_cf);
		return MST_OK;
	case OPTION_URI_HOST:
	case OPTION_URI_PORT: return MST_OK; /* 5.10.1: whatever led here */
	default: m->critical = m->critical || (number & 1) != 0; return MST_OK;
	}
}

/* 3.1: the extended form of a delta or a length, at *at; false when it is cut or reserved. */
static bool
extend(mst_span d, size_t *at, unsigned *n)
{
	size_t more = *n == 13 ? 1 : *n == 14 ? 2 : 0;

	if (*n == 15 || d.len - *at < more)
		return false;
	if (more == 1)
		*n = 13u + d.ptr[*at];
	else if (more == 2)
		*n = 269u + (unsigned)(d.ptr[*at] << 8 | d.ptr[*at + 1]);
	*at += more;
	return true;
}

/* From behind the token to the payload marker or the end. */
static mst_err
options_read(struct disco_message *m, mst_span d, size_t *at)
{
	unsigned number = 0, paths = 0;
	mst_err e = MST_OK;

	while (e == MST_OK && *at < d.len && d.ptr[*at] != 0xff) {
		unsigned delta = d.ptr[*at] >> 4, len = d.ptr[*at] & 15;

		++*at;
		if (!extend(d, at, &delta) || !extend(d, at, &len) || len > d.len - *at ||
		    (number += delta) > UINT16_MAX)
			return MST_E_LINKFORMAT;
		e = option_read(m, number, mst_span_of(d.ptr + *at, len), &paths);
		*at += len;
	}
	m->well_known_core = m->well_known_core && paths == 2;
	return e;
}

mst_err
disco_message_read(mst_span d, struct disco_message *out)
{
	size_t at = 4;
	mst_err e;

	if (d.len < 4 || d.len > DISCO_DATAGRAM || d.ptr[0] >> 6 != 1 || (d.ptr[0] & 15) > 8)
		return MST_E_LINKFORMAT; /* RFC 7252 3: an unknown version MUST be ignored */
	memset(out, 0, sizeof *out);
	out->type = (enum disco_type)(d.ptr[0] >> 4 & 3);
	out->code = d.ptr[1];
	out->mid = (uint16_t)(d.ptr[2] << 8 | d.ptr[3]);
	out->token_len = d.ptr[0] & 15;
	if (d.len < at + out->token_len || (out->code == 0 && d.len != 4)) /* 4.1 */
		return MST_E_LINKFORMAT;
	memcpy(out->token, d.ptr + at, out->token_len);
	at += out->token_len;
	if ((e = options_read(out, d, &at)) != MST_OK || at == d.len)
		return e;
	if (++at == d.len) /* 3: a marker without payload MUST be a format error */
		return MST_E_LINKFORMAT;
	out->payload_len = d.len - at;
	memcpy(out->payload, d.ptr + at, out->payload_len);
	return MST_OK;
}

/* ---- writing ---- */

static mst_err
put_head(struct mst_buf *out, enum disco_type type, uint8_t code, uint16_t mid, mst_span token)
{
	uint8_t head[4] = { (uint8_t)(0x40 | (unsigned)type << 4 | token.len), code,
		(uint8_t)(mid >> 8), (uint8_t)mid };
	mst_err e = mst_buf_put(out, mst_span_of(head, sizeof head));

	return e == MST_OK && token.len > 0 ? mst_buf_put(out, token) : e;
}

/* 3.1; ours are closer than 13 to one another and shorter than 269. */
static mst_err
put_option(struct mst_buf *out, unsigned *last, unsigned number, mst_span value)
{
	unsigned delta = number - *last;
	uint8_t head[2] = { (uint8_t)(delta << 4 | (value.len < 13 ? value.len : 13)),
		(uint8_t)(value.len - 13) };
	mst_err e;

	if (delta >= 13 || value.len >= 269)
		return MST_E_USAGE;
	if ((e = mst_buf_put(out, mst_span_of(head, value.len < 13 ? 1 : 2))) != MST_OK)
		return e;
	*last = number;
	return mst_buf_put(out, value);
}

mst_err
disco_message_ask(uint16_t mid, mst_span token, mst_span query, struct mst_buf *out)
{
	unsigned last = 0;
	mst_err e;

	out->len = 0;
	if ((e = put_head(out, DISCO_NON, DISCO_GET, mid, token)) != MST_OK ||
	    (e = put_option(out, &last, OPTION_URI_PATH, MST_LIT(".well-known"))) != MST_OK ||
	    (e = put_option(out, &last, OPTION_URI_PATH, MST_LIT("core"))) != MST_OK)
		return e;
	return put_option(out, &last, OPTION_URI_QUERY, query);
}

mst_err
disco_message_answer(enum disco_type type, uint8_t code, uint16_t mid, mst_span token,
    mst_span payload, struct mst_buf *out)
{
	static const uint8_t cf[] = { MST_LINK_CF };
	unsigned last = 0;
	mst_err e;

	out->len = 0;
	e = put_head(out, type, code, mid, token);
	if (e == MST_OK && code == DISCO_CONTENT)
		e = put_option(out, &last, OPTION_CONTENT_FORMAT, mst_span_of(cf, sizeof cf));
	if (e == MST_OK && payload.len > 0 && (e = mst_buf_put_byte(out, 0xff)) == MST_OK)
		e = mst_buf_put(out, payload);
	return e;
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
static uint8_t
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
	return m->type == DISCO_CON &&
	               disco_message_answer(DISCO_RST, 0, m->mid, MST_NONE, MST_NONE, out) == MST_OK
	           ? DISCO_RESET
	           : DISCO_DROP_NOT_REQUEST;
}

static enum disco_verdict
unicast_refuse(const struct disco_message *m, uint8_t code, uint16_t mid, struct mst_buf *out)
{
	bool ack = m->type == DISCO_CON;

	if (disco_message_answer(ack ? DISCO_ACK : DISCO_NON, code, ack ? m->mid : mid,
	        mst_span_of(m->token, m->token_len), MST_NONE, out) != MST_OK)
		return DISCO_DROP_UNKNOWN;
	return DISCO_REFUSE;
}

enum disco_verdict
disco_judge(const struct disco_scene *s, mst_span datagram, uint16_t mid, struct disco_message *m,
    struct mst_buf *out)
{
	uint8_t room[1024], code;
	struct mst_buf payload = MST_BUF(room);
	bool ack;

	/* DI-7; a unicast request of another source could have anybody's address in it */
	if (!s->multicast && !s->link_local)
		return DISCO_DROP_SOURCE;
	if (disco_message_read(datagram, m) != MST_OK)
		return DISCO_DROP_MALFORMED;
	if (m->code == 0 || m->code >= 0x20 || m->type == DISCO_ACK || m->type == DISCO_RST)
		return s->multicast ? DISCO_DROP_NOT_REQUEST : reset(m, out);
	if (s->multicast && m->type != DISCO_NON)
		return DISCO_DROP_CONFIRMABLE;
	if ((code = refusal(m)) != 0)
		return s->multicast ? DISCO_DROP_UNKNOWN : unicast_refuse(m, code, mid, out);
	if (links(s, m, &payload) != MST_OK)
		return DISCO_DROP_FILTERED; /* more offers than fit: DISCO_OFFERS_MAX forbids it */
	if (payload.len == 0 && s->multicast)
		return DISCO_DROP_FILTERED;
	ack = m->type == DISCO_CON;
	if (disco_message_answer(ack ? DISCO_ACK : DISCO_NON, DISCO_CONTENT, ack ? m->mid : mid,
	        mst_span_of(m->token, m->token_len), mst_buf_span(&payload), out) != MST_OK)
		return DISCO_DROP_FILTERED;
	return DISCO_ANSWER;
}

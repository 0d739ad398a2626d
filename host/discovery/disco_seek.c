/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for peers, hearing of them, and forgetting them. */
#include "host/discovery/disco_room.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "muster/grasp.h"
#include "muster/linkformat.h"

#define FIRST_PAUSE (8 * DISCO_SECOND) /* longer than a leisure */
#define LAST_PAUSE (3600 * DISCO_SECOND) /* RFC 8995 4.1 */
#define TTL_MOST (600 * DISCO_SECOND) /* ten floods of RFC 8995 4.3 */
#define AGAIN (20 * DISCO_SECOND)
#define NEW_PER (60 * DISCO_SECOND)
#define PER_SOURCE_MOST 8 /* one liar must not fill the table */

/* What is asked for by CoAP, and where; NULL: not at all. */
static const struct {
	const char *query, *group;
} questions[DISCO_WHAT_COUNT] = {
	[DISCO_PROXY_COAPS] = { MST_LINK_JP "=*", "ff02::fd" }, /* cV 10.1 */
	[DISCO_REGISTRAR_COAPS] = { "rt=" MST_LINK_RT_REGISTRAR, "ff05::fd" }, /* cJP 5.1 */
	[DISCO_REGISTRAR_JPY] = { "rt=" MST_LINK_RT_JPY, "ff05::fd" },
};

/* ---- asking ---- */

static void
ask(struct disco *d, enum disco_what what)
{
	struct disco_sought *s = &d->sought[what];
	uint8_t room[128];
	struct mst_buf out = MST_BUF(room);

	/* A fresh token each time: whoever does not hear the request cannot forge an answer. */
	if (getrandom(s->token, sizeof s->token, 0) != (ssize_t)sizeof s->token ||
	    disco_message_ask((uint16_t)disco_random(65536), mst_span_of(s->token, sizeof s->token),
	        mst_span_str(questions[what].query), &out) != MST_OK)
		return;
	for (size_t i = 0; i < d->link_count; i++) {
		struct sockaddr_in6 to =
		    disco_group(questions[what].group, d->coap_port, d->links[i].index);

		if (disco_send(d->ask, &to, d->links[i].index, NULL, mst_buf_span(&out)))
			disco_count("muster_discovery_asked_total", questions[what].query);
	}
}

void
disco_ask_due(struct disco *d, int64_t now)
{
	for (int w = 0; w < DISCO_WHAT_COUNT; w++) {
		struct disco_sought *s = &d->sought[w];

		if (s->fn == NULL || questions[w].query == NULL || d->ask < 0 || s->next > now ||
		    d->link_count == 0)
			continue;
		ask(d, (enum disco_what)w);
		s->pause = s->pause == 0               ? FIRST_PAUSE
		           : s->pause < LAST_PAUSE / 2 ? 2 * s->pause
		                                       : LAST_PAUSE;
		s->next = now + s->pause;
	}
}

void
disco_ask_anew(struct disco *d, int64_t now)
{
	for (int w = 0; w < DISCO_WHAT_COUNT; w++) {
		d->sought[w].pause = 0;
		d->sought[w].next = now;
	}
}

/* ---- the table ---- */

static void
report(struct disco *d, const struct disco_found *f, bool gone)
{
	struct disco_peer p = { gone, f->what, f->address, f->port };

	if (d->sought[f->what].fn != NULL)
		d->sought[f->what].fn(d->sought[f->what].arg, &p);
}

static void
forget(struct disco *d, struct disco_found *f)
{
	f->used = false;
	report(d, f, true);
}

/*
 * What is found is a line in the log, and a proxy opens a port for it: whoever
 * announces peers that end at once gets no more of them than the table holds
 * in each minute, which is how often floods come (RFC 8995 4.3), and one source
 * no more than it may have at once.
 */
static bool
is_too_often(struct disco *d, const struct in6_addr *source, int64_t now)
{
	unsigned same = 0;

	if (d->new_count == 0 || now - d->new_since >= NEW_PER) {
		d->new_since = now;
		d->new_count = 0;
	}
	for (unsigned i = 0; i < d->new_count; i++)
		same += IN6_ARE_ADDR_EQUAL(&d->new_of[i], source) ? 1 : 0;
	if (d->new_count == DISCO_FOUND_MAX || same >= PER_SOURCE_MOST)
		return true;
	d->new_of[d->new_count++] = *source;
	return false;
}

static unsigned
count_of(const struct disco *d, const struct in6_addr *source)
{
	unsigned n = 0;

	for (size_t i = 0; i < DISCO_FOUND_MAX; i++)
		n += d->found[i].used && IN6_ARE_ADDR_EQUAL(&d->found[i].source, source);
	return n;
}

static struct disco_found *
older(struct disco_found *a, struct disco_found *b)
{
	return a == NULL || b->since < a->since ? b : a;
}

/*
 * The table is full: the oldest of whoever has most gives way, which may be the
 * source itself. Where it has none and nobody more than one, sources are perhaps
 * made up, each for one announcement: then the oldest that came once, and if
 * there is none, any.
 */
static struct disco_found *
who_gives_way(struct disco *d, const struct in6_addr *source)
{
	struct disco_found *greedy = NULL, *mine = NULL, *once = NULL;
	unsigned own = count_of(d, source), most = own + 1;

	for (size_t i = 0; i < DISCO_FOUND_MAX; i++) {
		struct disco_found *f = &d->found[i];
		unsigned n = count_of(d, &f->source);

		if (n > most) {
			most = n;
			greedy = f;
		} else if (greedy != NULL && n == most) {
			greedy = older(greedy, f);
		}
		if (IN6_ARE_ADDR_EQUAL(&f->source, source))
			mine = older(mine, f);
		if (!f->again)
			once = older(once, f);
	}
	return greedy != NULL ? greedy
	       : mine != NULL ? mine
	       : once != NULL ? once
	                      : &d->found[disco_random(DISCO_FOUND_MAX)];
}

static const char *
note(struct disco *d, struct disco_found *new_, int64_t now)
{
	struct disco_found *place = NULL;

	for (size_t i = 0; i < DISCO_FOUND_MAX; i++) {
		struct disco_found *f = &d->found[i];

		if (!f->used) {
			place = f;
			continue;
		}
		if (f->what != new_->what || f->port != new_->port ||
		    strcmp(f->address, new_->address) != 0)
			continue;
		if (f->expires < new_->expires)
			f->expires = new_->expires;
		f->again = f->again || now - f->since >= AGAIN;
		return "known";
	}
	if (count_of(d, &new_->source) >= PER_SOURCE_MOST)
		return "too_many";
	if (is_too_often(d, &new_->source, now))
		return "too_often";
	if (place == NULL) {
		place = who_gives_way(d, &new_->source);
		disco_count("muster_discovery_heard_total", "gave_way");
		forget(d, place);
	}
	new_->since = now;
	*place = *new_;
	report(d, place, false);
	return "found";
}

/* Where someone says a peer is; false for an address that cannot be one. */
static bool
place(struct disco_found *f, const struct in6_addr *a, uint16_t port, unsigned index)
{
	char name[IF_NAMESIZE];
	size_t n;

	if (port == 0 || IN6_IS_ADDR_MULTICAST(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
	    IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_V4MAPPED(a) ||
	    inet_ntop(AF_INET6, a, f->address, sizeof f->address) == NULL)
		return false;
	f->port = port;
	if (!IN6_IS_ADDR_LINKLOCAL(a))
		return true;
	if (if_indextoname(index, name) == NULL)
		return false;
	n = strlen(f->address);
	snprintf(f->address + n, sizeof f->address - n, "%%%s", name);
	return true;
}

void
disco_expire(struct disco *d, int64_t now)
{
	for (size_t i = 0; i < DISCO_FOUND_MAX; i++)
		if (d->found[i].used && d->found[i].expires <= now)
			forget(d, &d->found[i]);
}

/* ---- answers by CoAP ---- */

static bool
registrar_place(
    struct disco_found *f, enum disco_what what, const struct mst_link *l, unsigned index)
{
	struct mst_link_place p;
	struct in6_addr a;
	char text[INET6_ADDRSTRLEN];
	bool jpy = what == DISCO_REGISTRAR_JPY;

	if (mst_link_place(l->target, &p) != MST_OK || !p.v6 || p.address.len >= sizeof text ||
	    !mst_span_eq(p.scheme, jpy ? MST_LIT("jpy") : MST_LIT("coaps")))
		return false;
	memcpy(text, p.address.ptr, p.address.len);
	text[p.address.len] = '\0';
	if (inet_pton(AF_INET6, text, &a) != 1)
		return false;
	/* JP-U2: jpy has no default port */
	return place(f, &a, p.port != 0 || jpy ? p.port : MST_LINK_COAPS_PORT, index);
}

static const char *
take_link(struct disco *d, enum disco_what what, const struct mst_link *l,
    const struct disco_packet *p, int64_t now)
{
	struct disco_found f = { .used = true,
		.what = what,
		.source = disco_source(d, p),
		.expires = now + 2 * d->sought[what].pause + FIRST_PAUSE };
	uint16_t port;

	if (!mst_link_matches(l, mst_span_str(questions[what].query)))
		return "other";
	if (what == DISCO_PROXY_COAPS) {
		/* cV 10.1: the join-port at the link-local source of the answer, MUST */
		if (mst_link_port(l, MST_LIT(MST_LINK_JP), &port) != MST_OK ||
		    !place(&f, &p->from.sin6_addr, port, p->index))
			return "malformed";
	} else if (!registrar_place(&f, what, l, p->index)) {
		return "malformed";
	}
	return note(d, &f, now);
}

static const char *
take_answer(struct disco *d, enum disco_what what, const struct disco_packet *p, int64_t now)
{
	const struct disco_message *m = &d->message;
	struct mst_link_reader r;
	struct mst_link l;

	if (m->code != DISCO_CONTENT || m->critical || !m->format || m->format_cf != MST_LINK_CF)
		return "other";
	if (what == DISCO_PROXY_COAPS && !IN6_IS_ADDR_LINKLOCAL(&p->from.sin6_addr))
		return "source";
	/* A broken document says nothing: first all of it is read. */
	mst_link_init(&r, mst_span_of(m->payload, m->payload_len));
	while (mst_link_next(&r, &l))
		;
	if (mst_link_end(&r) != MST_OK)
		return "malformed";
	mst_link_init(&r, mst_span_of(m->payload, m->payload_len));
	while (mst_link_next(&r, &l))
		disco_count("muster_discovery_heard_total", take_link(d, what, &l, p, now));
	return NULL;
}

void
disco_on_answer(struct disco *d, const struct disco_packet *p, int64_t now)
{
	const char *word = "token"; /* RFC 7252 8.2: the token alone says what it answers */
	const struct disco_message *m = &d->message;

	if (disco_link_at(d, p->index) == NULL)
		word = "link";
	else if (disco_message_read(p->bytes, &d->message) != MST_OK)
		word = "malformed";
	else
		for (int w = 0; w < DISCO_WHAT_COUNT; w++) {
			const struct disco_sought *s = &d->sought[w];

			if (s->fn == NULL || s->pause == 0 || m->token_len != sizeof s->token ||
			    !mst_ct_eq(mst_span_of(m->token, m->token_len),
			        mst_span_of(s->token, sizeof s->token)))
				continue;
			word = take_answer(d, (enum disco_what)w, p, now);
			break;
		}
	if (word != NULL)
		disco_count("muster_discovery_heard_total", word);
}

/* ---- floods ---- */

static bool
meaning(const struct mst_grasp_objective *o, enum disco_what *what)
{
	bool tcp = o->protocol == MST_GRASP_TCP, udp = o->protocol == MST_GRASP_UDP;

	if (!tcp && !udp)
		return false;
	if (mst_span_eq(o->name, MST_LIT(MST_GRASP_PROXY)))
		*what = tcp ? DISCO_PROXY_TLS : DISCO_PROXY_COAPS;
	else if (mst_span_eq(o->name, MST_LIT(MST_GRASP_REGISTRAR)))
		*what = tcp ? DISCO_REGISTRAR_TLS : DISCO_REGISTRAR_COAPS;
	else if (udp && mst_span_eq(o->name, MST_LIT(MST_GRASP_REGISTRAR_JPY)))
		*what = DISCO_REGISTRAR_JPY;
	else
		return false;
	return true;
}

static const char *
take_objective(struct disco *d, const struct mst_grasp_objective *o, uint32_t ttl_ms,
    const struct disco_packet *p, int64_t now)
{
	struct disco_found f = { .used = true, .source = disco_source(d, p) };
	int64_t ttl = (int64_t)ttl_ms * 1000;
	struct in6_addr a;

	if (o->address.ptr == NULL || !meaning(o, &f.what) || d->sought[f.what].fn == NULL)
		return "other";
	memcpy(&a, o->address.ptr, sizeof a);
	/* RFC 8995 4.1.1: the link-local address of the proxy */
	if ((f.what == DISCO_PROXY_TLS || f.what == DISCO_PROXY_COAPS) &&
	    !IN6_IS_ADDR_LINKLOCAL(&a))
		return "malformed";
	if (!place(&f, &a, o->port, p->index))
		return "malformed";
	f.expires = now + (ttl < TTL_MOST ? ttl : TTL_MOST);
	return note(d, &f, now);
}

void
disco_on_flood(struct disco *d, const struct disco_packet *p, int64_t now)
{
	struct mst_grasp_flood f;
	const char *word = NULL;

	if (disco_link_at(d, p->index) == NULL)
		word = "link";
	else if (!IN6_IS_ADDR_LINKLOCAL(&p->from.sin6_addr)) /* RFC 8990 2.5.2: DULL */
		word = "source";
	else if (mst_grasp_parse(p->bytes, &f) != MST_OK)
		word = "malformed";
	if (word != NULL) {
		disco_count("muster_discovery_heard_total", word);
		return;
	}
	for (size_t i = 0; i < f.count; i++)
		disco_count("muster_discovery_heard_total",
		    take_objective(d, &f.objectives[i], f.ttl_ms, p, now));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message layer of CoAP (RFC 7252 4): who repeats himself hears the same
 * answer again, what we confirmably say is repeated until it is acknowledged.
 */
#include "server/net/coap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"

#define ACK_TIMEOUT_MS 2000 /* RFC 7252 4.8 */
#define MAX_RETRANSMIT 4
#define SWEEP_MS 1000
#define ENDING_MS 3000 /* a last answer may have to be repeated */

int64_t
coap_now(void)
{
	return clock_mono_us() / 1000;
}

void
coap_count(struct coaps *c, const char *reason)
{
	char labels[160];

	snprintf(labels, sizeof labels, "%s,reason=\"%s\"", c->ls->labels, reason);
	metric_add("muster_coap_refused_total", labels, 1);
}

const char *
coap_role(const struct coap_exchange *x)
{
	return x->session->coaps->ls->name;
}

void
coap_close_after(struct coap_exchange *x)
{
	x->session->ending = true;
	x->session->ending_ms = coap_now();
}

bool
coap_hidden(const struct coaps *c, const struct coap_resource *r)
{
	const char *at = c->hide;
	size_t n = strlen(r->name);

	while (at != NULL && *at != '\0') {
		size_t word = strcspn(at, " ");

		if (word == n && strncmp(at, r->name, n) == 0)
			return true;
		at += word;
		at += *at == ' ';
	}
	return false;
}

/* --- sending --- */

static void
send_bytes(struct coap_session *s, mst_span bytes)
{
	if (!s->dead && dtls_send(s->dtls, bytes) != MST_OK)
		coap_count(s->coaps, "not_sent");
}

static void
send_empty(struct coap_session *s, enum mst_coap_type type, unsigned mid)
{
	uint8_t bytes[4];
	struct mst_buf out = MST_BUF(bytes);
	struct mst_coap_writer w;

	mst_coap_put_head(&w, &out, type, COAP_EMPTY, mid, MST_NONE);
	if (w.err == MST_OK)
		send_bytes(s, mst_buf_span(&out));
}

static unsigned
new_mid(struct coap_session *s)
{
	return s->next_mid++ & 0xFFFF;
}

static void
set_timer(struct coap_exchange *x, long ms)
{
	event_add(&x->timer, &(struct timeval){ ms / 1000, (ms % 1000) * 1000 });
}

static void
finish(struct coap_exchange *x)
{
	if (x->state == COAP_SEPARATE)
		dtls_pin(x->session->dtls, -1);
	x->state = x->state == COAP_SEPARATE ? COAP_DONE : x->state;
	event_del(&x->timer);
}

static void
send_separately(struct coap_exchange *x)
{
	uint8_t random[2] = { 0 };

	(void)RAND_bytes(random, sizeof random); /* ACK_RANDOM_FACTOR 1.5; no secret */
	x->timeout_ms = ACK_TIMEOUT_MS + (random[0] << 8 | random[1]) % (ACK_TIMEOUT_MS / 2);
	x->tries = 0;
	x->state = COAP_SEPARATE;
	dtls_pin(x->session->dtls, 1);
	set_timer(x, x->timeout_ms);
}

/* serverkeygen's answers have private keys in them (est.md G4). */
static void
reply_drop(struct coap_exchange *x)
{
	if (x->reply != NULL)
		mst_wipe(x->reply, x->reply_len);
	free(x->reply);
	x->reply = NULL;
	x->reply_len = 0;
}

void
coap_deliver(struct coap_exchange *x, unsigned code,
    void (*options)(struct mst_coap_writer *w, void *arg), void *arg)
{
	struct coap_session *s = x->session;
	enum mst_coap_type type = !x->con                  ? MST_COAP_NON
	                          : x->state == COAP_ACKED ? MST_COAP_CON
	                                                   : MST_COAP_ACK;
	uint8_t bytes[COAP_DATAGRAM];
	struct mst_buf out = MST_BUF(bytes);
	struct mst_coap_writer w;

	event_del(&x->timer);
	x->own_mid = type == MST_COAP_ACK ? x->mid : new_mid(s);
	mst_coap_put_head(&w, &out, type, code, x->own_mid, mst_span_of(x->token, x->token_len));
	options(&w, arg);
	if (w.err != MST_OK) {
		log_line(LOG_ERROR_, "%s: an answer does not fit its datagram", s->coaps->ls->name);
		x->state = COAP_DONE;
		return;
	}
	reply_drop(x);
	if ((x->reply = malloc(out.len)) != NULL) {
		memcpy(x->reply, out.ptr, out.len);
		x->reply_len = out.len;
	}
	send_bytes(s, mst_buf_span(&out));
	mst_wipe(bytes, sizeof bytes);
	if (type == MST_COAP_CON && x->reply != NULL && !s->dead)
		send_separately(x);
	else
		x->state = type == MST_COAP_CON ? COAP_DONE : COAP_REPLIED;
}

static void
retransmit(struct coap_exchange *x)
{
	struct coap_session *s = x->session;

	if (x->tries++ == MAX_RETRANSMIT) {
		coap_count(s->coaps, "no_ack");
		finish(x);
		return;
	}
	metric_add("muster_coap_retransmissions_total", s->coaps->ls->labels, 1);
	send_bytes(s, mst_span_of(x->reply, x->reply_len));
	x->timeout_ms *= 2;
	set_timer(x, x->timeout_ms);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct coap_exchange *x = arg;

	(void)fd;
	(void)what;
	if (x->state == COAP_WORKING_ON) { /* CO-6, est.md M3: the answer will come by itself */
		send_empty(x->session, MST_COAP_ACK, x->mid);
		x->state = COAP_ACKED;
	} else if (x->state == COAP_SEPARATE) {
		retransmit(x);
	}
}

/* --- exchanges --- */

static void
exchange_free(struct coap_exchange *x)
{
	struct coap_session *s = x->session;
	struct coap_exchange **at = &s->exchanges;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	s->count--;
	finish(x);
	free(x->key);
	reply_drop(x);
	free(x);
}

static bool
is_over(const struct coap_exchange *x)
{
	return x->rq == NULL && x->state != COAP_SEPARATE;
}

/* Those whose time is over, and the oldest when there are too many. */
static void
exchanges_trim(struct coap_session *s, int64_t now)
{
	struct coap_exchange *x, *next, *oldest = NULL;

	for (x = s->exchanges; x != NULL; x = next) {
		next = x->next;
		if (!is_over(x))
			continue;
		if (now - x->at_ms >= COAP_LIFETIME_MS)
			exchange_free(x);
		else
			oldest = x;
	}
	if (s->count >= COAP_EXCHANGES && oldest != NULL)
		exchange_free(oldest);
}

static struct coap_exchange *
exchange_new(struct coap_session *s, const struct coap_msg *m)
{
	struct coap_exchange *x;

	exchanges_trim(s, coap_now());
	if (s->count >= COAP_EXCHANGES || (x = calloc(1, sizeof *x)) == NULL)
		return NULL;
	x->session = s;
	x->con = m->type == MST_COAP_CON;
	x->mid = m->mid;
	memcpy(x->token, m->token.ptr, m->token.len);
	x->token_len = m->token.len;
	x->at_ms = coap_now();
	evtimer_assign(&x->timer, s->coaps->loop->base, on_timer, x);
	x->next = s->exchanges;
	s->exchanges = x;
	s->count++;
	return x;
}

/* RFC 7252 4.5: the same effect as the first, which for us means no further one. */
static void
repeat(struct coap_exchange *x)
{
	struct coap_session *s = x->session;

	metric_add("muster_coap_duplicates_total", s->coaps->ls->labels, 1);
	switch (x->state) {
	case COAP_WORKING_ON: return; /* the ACK is due anyway */
	case COAP_ACKED:
	case COAP_SEPARATE:
	case COAP_DONE: send_empty(s, MST_COAP_ACK, x->mid); return;
	case COAP_REPLIED:
		if (x->con)
			send_bytes(s, mst_span_of(x->reply, x->reply_len));
		return;
	}
}

void
coap_worked(struct coap_exchange *x)
{
	struct coap_session *s = x->session;

	s->working--;
	if (!s->dead)
		dtls_pin(s->dtls, -1);
}

/* --- sessions --- */

void
coap_session_free(struct coap_session *s)
{
	struct coap_result *r;

	while (s->exchanges != NULL)
		exchange_free(s->exchanges);
	while ((r = s->results) != NULL) {
		s->results = r->next;
		coap_result_free(r);
	}
	coap_assembly_drop(s);
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		s->coaps->sessions = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	if (s->peer.note_free != NULL)
		s->peer.note_free(s->peer.note);
	dtls_release(s->dtls);
	free(s);
}

static void
name_session(struct coap_session *s)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[18];

	if (RAND_bytes(random, sizeof random) != 1)
		memset(random, 0, sizeof random); /* no secret: only ids become alike */
	for (size_t i = 0; i < 16; i++) {
		s->trace[2 * i] = digits[random[i] >> 4];
		s->trace[2 * i + 1] = digits[random[i] & 15];
	}
	s->next_mid = (unsigned)random[16] << 8 | random[17];
}

static void
opened(void *arg, struct dtls_session *d)
{
	struct coaps *c = arg;
	struct coap_session *s = calloc(1, sizeof *s);
	struct net_peer *p;

	dtls_set_note(d, s);
	if (s == NULL) {
		coap_count(c, "memory");
		return; /* received and closed see that there is none */
	}
	s->coaps = c;
	s->dtls = d;
	p = &s->peer;
	snprintf(p->address, sizeof p->address, "%s", dtls_address(d));
	snprintf(p->source, sizeof p->source, "%s", dtls_source(d));
	snprintf(p->counted, sizeof p->counted, "%s", dtls_counted(d));
	p->ssl = dtls_ssl(d);
	p->leaf = SSL_get0_peer_certificate(p->ssl);
	p->chain = SSL_get_peer_cert_chain(p->ssl); /* on a server it excludes the leaf */
	p->own = SSL_get_certificate(p->ssl);
	if (c->knows != NULL && !c->knows(c->knows_arg, p))
		dtls_set_stranger(d);
	name_session(s);
	s->next = c->sessions;
	if (s->next != NULL)
		s->next->prev = s;
	c->sessions = s;
}

static void
closed(void *arg, struct dtls_session *d)
{
	struct coap_session *s = dtls_note(d);
	struct coap_exchange *x;

	(void)arg;
	if (s == NULL) {
		dtls_release(d);
		return;
	}
	for (x = s->exchanges; x != NULL; x = x->next)
		finish(x);
	s->dead = true;
	if (s->working == 0)
		coap_session_free(s);
}

/* --- receiving --- */

static void
take_ack(struct coap_session *s, const struct coap_msg *m)
{
	struct coap_exchange *x;

	for (x = s->exchanges; x != NULL; x = x->next)
		if (x->state == COAP_SEPARATE && x->own_mid == m->mid) {
			finish(x);
			return;
		}
}

static void
reject(struct coap_session *s, const struct coap_msg *m, const char *reason)
{
	coap_count(s->coaps, reason);
	if (m->type == MST_COAP_CON) /* RFC 7252 4.2 */
		send_empty(s, MST_COAP_RST, m->mid);
}

static void
take_request(struct coap_session *s, const struct coap_msg *m)
{
	struct coap_exchange *x;

	for (x = s->exchanges; x != NULL; x = x->next)
		if (x->mid == m->mid && coap_now() - x->at_ms < COAP_LIFETIME_MS) {
			repeat(x);
			return;
		}
	if (s->ending) {
		coap_count(s->coaps, "ending");
		return;
	}
	if ((x = exchange_new(s, m)) == NULL) {
		reject(s, m, "exchanges");
		return;
	}
	coap_take(x, m);
}

static void
received(void *arg, struct dtls_session *d, mst_span datagram)
{
	struct coap_session *s = dtls_note(d);
	struct coap_msg m;
	bool header;
	mst_err e;

	(void)arg;
	if (s == NULL)
		return;
	e = coap_msg_parse(datagram, &m, &header);
	if (!header)
		coap_count(s->coaps, "malformed");
	else if (m.type == MST_COAP_ACK || m.type == MST_COAP_RST)
		take_ack(s, &m);
	else if (e != MST_OK)
		reject(s, &m, "malformed");
	else if (m.code == COAP_EMPTY && m.type == MST_COAP_CON)
		send_empty(s, MST_COAP_RST, m.mid); /* a ping, RFC 7252 4.3 */
	else if (m.code == COAP_EMPTY || m.code >= 100)
		reject(s, &m, "no_request");
	else
		take_request(s, &m);
}

/* --- the life of the listener --- */

static void
results_trim(struct coap_session *s, int64_t now)
{
	struct coap_result **at = &s->results, *r;

	while ((r = *at) != NULL)
		if (now - r->at_ms >= COAP_LIFETIME_MS) {
			*at = r->next;
			coap_result_free(r);
		} else {
			at = &r->next;
		}
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct coaps *c = arg;
	struct coap_session *s, *next;
	int64_t now = coap_now();

	(void)fd;
	(void)what;
	for (s = c->sessions; s != NULL; s = next) {
		next = s->next;
		exchanges_trim(s, now);
		results_trim(s, now);
		if (s->up.key != NULL && now - s->up.at_ms >= c->limits.block_ms) {
			coap_count(c, "block_timeout");
			coap_assembly_drop(s);
		}
		if (s->ending && s->working == 0 && now - s->ending_ms >= ENDING_MS && !s->dead)
			dtls_end(s->dtls);
	}
}

static void
coaps_close(struct coaps *c)
{
	struct coap_session *s, *next;
	struct coap_exchange *x;

	if (c->dtls != NULL)
		dtls_end_all(c->dtls); /* sessions without work are gone then */
	for (s = c->sessions; s != NULL; s = next) {
		next = s->next;
		for (x = s->exchanges; x != NULL; x = x->next)
			if (x->rq != NULL)
				request_free(x->rq);
		coap_session_free(s);
	}
	if (c->dtls != NULL)
		dtls_free(c->dtls);
	if (c->sweep != NULL)
		event_free(c->sweep);
	if (c->ls != NULL)
		listener_free(c->ls);
	SSL_CTX_free(c->ctx);
	free(c->hide);
	free(c);
}

void
coaps_free(struct net *n)
{
	struct coaps *c;

	while ((c = n->coaps) != NULL) {
		n->coaps = c->next;
		coaps_close(c);
	}
}

static void
set_defaults(struct net_coaps_limits *l)
{
	static const struct net_coaps_limits d = { .sessions = 1000,
		.per_source = 200,
		.stranger_ms = 60000,
		.handshakes = 200,
		.handshakes_per_source = 32,
		.handshake_rate = 20,
		.handshake_burst = 100,
		.handshakes_per_proxy = 128,
		.proxied_rate = 100,
		.handshake_ms = 30000,
		.idle_ms = 300000,
		.yield_ms = 5000,
		.body_bytes = 32768,
		.body_total = 4 << 20,
		.block_ms = 60000 };

#define DEFAULT(f) l->f = l->f > 0 ? l->f : d.f
	DEFAULT(sessions);
	DEFAULT(per_source);
	DEFAULT(stranger_ms);
	if (l->strangers_per_source <= 0)
		l->strangers_per_source = (l->per_source + 3) / 4;
	DEFAULT(handshakes);
	DEFAULT(handshakes_per_source);
	DEFAULT(handshake_rate);
	DEFAULT(handshake_burst);
	DEFAULT(handshakes_per_proxy);
	DEFAULT(proxied_rate);
	if (l->proxied_burst <= 0)
		l->proxied_burst = 5 * l->proxied_rate;
	DEFAULT(handshake_ms);
	DEFAULT(idle_ms);
	DEFAULT(yield_ms);
	DEFAULT(body_bytes);
	DEFAULT(body_total);
	DEFAULT(block_ms);
#undef DEFAULT
}

static mst_err
open_dtls(struct coaps *c, const struct net_coaps *o, int *port)
{
	const struct dtls_config d = { .name = c->ls->name,
		.address = o->address,
		.ctx = c->ctx,
		.limits = c->limits,
		.alias = o->alias,
		.alias_arg = o->alias_arg,
		.opened = opened,
		.received = received,
		.closed = closed,
		.arg = c };

	return dtls_open(&d, c->loop->base, &c->dtls, port);
}

mst_err
net_listen_coaps(struct net *n, const struct net_coaps *o, int *port)
{
	static const struct timeval every = { SWEEP_MS / 1000, (SWEEP_MS % 1000) * 1000 };
	const struct net_listen like = { .name = o->name,
		.cert = o->cert,
		.key = o->key,
		.chain = o->chain,
		.routes = o->routes,
		.route_count = o->route_count,
		.limits = { .body_bytes = o->limits.body_bytes } };
	struct coaps *c = calloc(1, sizeof *c);
	mst_err e;

	if (c == NULL)
		return MST_E_NOMEM;
	c->net = n;
	c->loop = &n->loops[0];
	c->limits = o->limits;
	c->knows = o->knows;
	c->knows_arg = o->knows_arg;
	set_defaults(&c->limits);
	if ((e = listener_new(n, &like, &c->ls)) != MST_OK ||
	    (e = tls_datagrams(&like, &c->ctx)) != MST_OK)
		goto refuse;
	e = MST_E_NOMEM;
	if (o->hide != NULL && (c->hide = strdup(o->hide)) == NULL)
		goto refuse;
	if ((c->sweep = event_new(c->loop->base, -1, EV_PERSIST, on_sweep, c)) == NULL ||
	    event_add(c->sweep, &every) != 0)
		goto refuse;
	if ((e = open_dtls(c, o, port)) != MST_OK)
		goto refuse;
	c->next = n->coaps;
	n->coaps = c;
	return MST_OK;
refuse:
	coaps_close(c);
	return e;
}

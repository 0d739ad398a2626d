/* SPDX-License-Identifier: Apache-2.0 */
/* Circuits of bytes, both ways, until both sides have ended (RFC 8995 section 4). */
#include "server/proxy/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>

#include "host/clock.h"
#include "host/dnssd/dnssd.h"
#include "host/log.h"
#include "host/metrics.h"
#include "host/source.h"
#include "server/proxy/known.h"

#define QUEUE_BYTES (64u << 10) /* read but not yet written, one way; then reading pauses */
#define CONNECT_S 10

struct circuit;

struct side {
	struct circuit *circuit;
	struct side *other;
	struct bufferevent *bev;
	bool ended; /* it will send no more */
	bool closed; /* we have told it that no more comes */
};

struct circuit {
	struct proxy *proxy;
	struct circuit *next, **at;
	struct side pledge, registrar;
	struct event *idle;
	bool tried[PROXY_KNOWN]; /* addresses of registrars, by their places */
	size_t trying;
	bool connected;
	char counted[SOURCE_TEXT]; /* whom limits count it for */
};

struct address {
	struct sockaddr_storage at;
	socklen_t len; /* 0: the place is free */
	int64_t good_us, bad_us; /* when a connection was made, or was not; 0: never */
};

struct proxy {
	struct proxy_config c;
	struct net *net;
	struct event_base *base;
	struct evconnlistener *listener;
	struct circuit *circuits;
	long count;
	/* A registrar may be announced with addresses on which it does not listen: each in turn. */
	struct address registrars[PROXY_KNOWN];
	struct dnssd *browser, *announcer;
};

static _Thread_local char why[256];

const char *
proxy_why(void)
{
	return why;
}

/* --- one circuit --- */

static void
circuit_close(struct circuit *c)
{
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	c->proxy->count--;
	metric_set("muster_proxy_connections", NULL, (double)c->proxy->count);
	if (c->pledge.bev != NULL)
		bufferevent_free(c->pledge.bev);
	if (c->registrar.bev != NULL)
		bufferevent_free(c->registrar.bev);
	if (c->idle != NULL)
		event_free(c->idle);
	free(c);
}

static void
stay_awake(struct circuit *c)
{
	struct timeval t = { c->proxy->c.idle_ms / 1000, (c->proxy->c.idle_ms % 1000) * 1000 };

	event_add(c->idle, &t);
}

/* What one side has ended is ended towards the other once all of it is out (half-close: JP-T). */
static void
pass_end(struct side *from)
{
	struct side *to = from->other;

	if (!from->ended || to->closed || evbuffer_get_length(bufferevent_get_output(to->bev)) != 0)
		return;
	to->closed = true;
	shutdown(bufferevent_getfd(to->bev), SHUT_WR);
}

/* True when the circuit is gone. */
static bool
ended(struct circuit *c)
{
	pass_end(&c->pledge);
	pass_end(&c->registrar);
	if (!c->pledge.closed || !c->registrar.closed)
		return false;
	circuit_close(c);
	return true;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct side *from = arg, *to = from->other;
	struct evbuffer *out = bufferevent_get_output(to->bev);

	stay_awake(from->circuit);
	metric_add("muster_proxy_bytes_total",
	    from == &from->circuit->pledge ? "direction=\"to_registrar\""
	                                   : "direction=\"to_pledge\"",
	    (double)evbuffer_get_length(bufferevent_get_input(bev)));
	if (bufferevent_write_buffer(to->bev, bufferevent_get_input(bev)) != 0) {
		circuit_close(from->circuit);
		return;
	}
	if (evbuffer_get_length(out) >= QUEUE_BYTES)
		bufferevent_disable(bev, EV_READ);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct side *to = arg;

	(void)bev;
	stay_awake(to->circuit);
	if (!ended(to->circuit) && !to->other->ended)
		bufferevent_enable(to->other->bev, EV_READ);
}

/* The one that worked last is first, the one that failed last is last. */
static bool
is_before(const struct address *a, const struct address *b)
{
	bool good = a->good_us > a->bad_us, other = b->good_us > b->bad_us;

	if (good != other)
		return good;
	return good ? a->good_us > b->good_us : a->bad_us < b->bad_us;
}

static struct address *
best_untried(struct circuit *c)
{
	struct address *best = NULL;

	for (size_t i = 0; i < PROXY_KNOWN; i++) {
		struct address *a = &c->proxy->registrars[i];

		if (a->len == 0 || c->tried[i] || (best != NULL && !is_before(a, best)))
			continue;
		best = a;
		c->trying = i;
	}
	return best;
}

/* The next address of a registrar; false when all were tried. */
static bool
dial(struct circuit *c)
{
	struct address *a;

	while ((a = best_untried(c)) != NULL) {
		c->tried[c->trying] = true;
		bufferevent_enable(c->registrar.bev, EV_READ | EV_WRITE);
		if (bufferevent_socket_connect(
		        c->registrar.bev, (struct sockaddr *)&a->at, (int)a->len) == 0)
			return true;
		a->bad_us = clock_mono_us();
	}
	log_line(LOG_WARNING_, "the registrar cannot be reached: %s",
	    evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	return false;
}

static void
on_connect(struct circuit *c, short what)
{
	struct address *a = &c->proxy->registrars[c->trying];
	evutil_socket_t fd = bufferevent_getfd(c->registrar.bev);

	if (what & BEV_EVENT_CONNECTED) {
		c->connected = true;
		a->good_us = clock_mono_us();
		return;
	}
	a->bad_us = clock_mono_us();
	/* what the pledge has sent so far stays queued for the next address */
	bufferevent_setfd(c->registrar.bev, -1);
	if (fd >= 0)
		evutil_closesocket(fd);
	if (!dial(c))
		circuit_close(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct side *side = arg;

	if (side == &side->circuit->registrar && !side->circuit->connected) {
		on_connect(side->circuit, what);
		return;
	}
	if ((what & BEV_EVENT_EOF) && !(what & BEV_EVENT_ERROR)) {
		/* what was read before the end may still be in its input */
		if (evbuffer_get_length(bufferevent_get_input(bev)) != 0)
			on_read(bev, arg);
		side->ended = true;
		bufferevent_disable(bev, EV_READ);
		ended(side->circuit);
		return;
	}
	circuit_close(side->circuit);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	circuit_close(arg);
}

static bool
side_open(struct side *s, struct circuit *c, struct side *other, evutil_socket_t fd)
{
	struct timeval patience = { CONNECT_S, 0 };

	s->circuit = c;
	s->other = other;
	s->bev = bufferevent_socket_new(c->proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (s->bev == NULL)
		return false;
	bufferevent_setcb(s->bev, on_read, on_written, on_event, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, QUEUE_BYTES);
	bufferevent_set_timeouts(s->bev, NULL, &patience); /* a side that takes nothing is gone */
	return true;
}

/* --- accepting --- */

static void
note(mst_err e, const char *source)
{
	struct decision d = { .role = "proxy", .step = STEP_PROXY, .err = e, .peer = source };

	log_decision(&d);
	metric_add("muster_proxy_connections_total",
	    e == MST_OK ? "outcome=\"accepted\"" : "outcome=\"refused\"", 1);
}

static long
circuits_of(const struct proxy *p, const char *source)
{
	long n = 0;

	for (const struct circuit *c = p->circuits; c != NULL; c = c->next)
		n += strcmp(c->counted, source) == 0;
	return n;
}

static mst_err
circuit_open(struct proxy *p, const char *source, evutil_socket_t fd)
{
	struct circuit *c = calloc(1, sizeof *c);

	if (c == NULL)
		return MST_E_NOMEM;
	c->proxy = p;
	snprintf(c->counted, sizeof c->counted, "%s", source);
	c->next = p->circuits;
	c->at = &p->circuits;
	if (c->next != NULL)
		c->next->at = &c->next;
	p->circuits = c;
	p->count++;
	metric_set("muster_proxy_connections", NULL, (double)p->count);
	c->idle = evtimer_new(p->base, on_idle, c);
	/* the pledge's side last: only a whole circuit owns the descriptor */
	if (c->idle == NULL || !side_open(&c->registrar, c, &c->pledge, -1) ||
	    !side_open(&c->pledge, c, &c->registrar, fd)) {
		circuit_close(c);
		return MST_E_NOMEM;
	}
	stay_awake(c);
	bufferevent_enable(c->pledge.bev, EV_READ | EV_WRITE);
	if (!dial(c))
		circuit_close(c);
	return MST_OK;
}

static void
on_accept(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
	struct proxy *p = arg;
	char source[INET6_ADDRSTRLEN + 16] = "?", counted[SOURCE_TEXT];
	struct sockaddr_storage own;
	socklen_t own_len = sizeof own;
	mst_err e = MST_OK;

	(void)listener;
	source_text(from,
	    getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 ? (struct sockaddr *)&own
	                                                            : NULL,
	    counted);
	getnameinfo(from, (socklen_t)len, source, sizeof source, NULL, 0, NI_NUMERICHOST);
	if (!proxy_has_registrar(p))
		e = MST_E_PROXY_NO_REGISTRAR;
	else if (p->count >= p->c.max_connections)
		e = MST_E_PROXY_LIMIT_TOTAL;
	else if (circuits_of(p, counted) >= p->c.per_peer)
		e = MST_E_PROXY_LIMIT_PEER;
	if (e == MST_OK)
		e = circuit_open(p, counted, fd);
	note(e, source);
	if (e != MST_OK)
		evutil_closesocket(fd);
}

/* --- opening --- */

/* "host:port", "[v6]:port", "[fe80::1%eth0]:port": how many addresses it has, at most most. */
static size_t
resolve(const char *text, int flags, struct address *out, size_t most)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *found;
	char host[256];
	const char *colon = strrchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : 0, count = 0;

	if (n == 0 || n >= sizeof host || colon[1] == '\0')
		return 0;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return 0;
	for (struct addrinfo *i = found; i != NULL && count < most; i = i->ai_next, count++) {
		memcpy(&out[count].at, i->ai_addr, i->ai_addrlen);
		out[count].len = i->ai_addrlen;
	}
	freeaddrinfo(found);
	return count;
}

static mst_err
fail(mst_err e, const char *what, const char *detail)
{
	snprintf(why, sizeof why, "%s: %s", what, detail);
	return e;
}

/* A registrar was found or has gone; told on the browser's thread, used on the loop's. */
struct news {
	struct proxy *p;
	struct address at;
	bool gone;
};

static void
take_news(void *arg)
{
	struct news *n = arg;
	struct address *known = NULL, *place = NULL;

	for (size_t i = 0; i < PROXY_KNOWN; i++) {
		struct address *a = &n->p->registrars[i];

		if (a->len == 0)
			place = place == NULL ? a : place;
		else if (a->len == n->at.len && memcmp(&a->at, &n->at.at, a->len) == 0)
			known = a;
	}
	if (n->gone && known != NULL)
		*known = (struct address){ .len = 0 };
	else if (!n->gone && known == NULL && place != NULL)
		*place = n->at;
	free(n);
}

bool
proxy_has_registrar(const struct proxy *p)
{
	for (size_t i = 0; i < PROXY_KNOWN; i++)
		if (p->registrars[i].len != 0)
			return true;
	return false;
}

void
proxy_learn(struct proxy *p, const char *address, uint16_t port, bool gone)
{
	struct news *n = calloc(1, sizeof *n);
	char text[128];

	snprintf(text, sizeof text, "[%s]:%u", address, (unsigned)port);
	if (n == NULL || resolve(text, AI_NUMERICHOST | AI_NUMERICSERV, &n->at, 1) == 0) {
		free(n);
		return;
	}
	n->p = p;
	n->gone = gone;
	net_post(net_loop_at(p->net, 0), take_news, n);
}

static void
on_registrar(void *arg, const struct dnssd_peer *peer)
{
	proxy_learn(arg, peer->address, peer->port, peer->what == DNSSD_GONE);
}

static mst_err
start_listening(struct proxy *p, int *port)
{
	struct address at;
	struct sockaddr_storage bound;
	socklen_t len = sizeof bound;

	if (resolve(p->c.listen, AI_PASSIVE, &at, 1) == 0)
		return fail(MST_E_CONFIG_VALUE, p->c.listen, "no address");
	p->listener = evconnlistener_new_bind(p->base, on_accept, p,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, 128,
	    (struct sockaddr *)&at.at, (int)at.len);
	if (p->listener == NULL)
		return fail(MST_E_IO, p->c.listen, strerror(errno));
	if (getsockname(evconnlistener_get_fd(p->listener), (struct sockaddr *)&bound, &len) != 0)
		return fail(MST_E_IO, p->c.listen, strerror(errno));
	*port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
	                                          : ((struct sockaddr_in *)&bound)->sin_port);
	return MST_OK;
}

static mst_err
start_dnssd(struct proxy *p, int port)
{
	mst_err e = MST_OK;

	if (p->c.discover && (e = dnssd_open(&p->browser)) == MST_OK)
		e = dnssd_browse(p->browser, DNSSD_REGISTRAR, on_registrar, p);
	if (e == MST_OK && p->c.announce != NULL && (e = dnssd_open(&p->announcer)) == MST_OK)
		e = dnssd_publish(
		    p->announcer, p->c.announce, DNSSD_PROXY, p->c.listen, (uint16_t)port, NULL);
	return e == MST_OK ? e : fail(e, "DNS-SD", dnssd_why());
}

mst_err
proxy_open(const struct proxy_config *c, struct net *n, struct proxy **out, int *port)
{
	struct proxy *p = calloc(1, sizeof *p);
	mst_err e;

	if (p == NULL)
		return MST_E_NOMEM;
	p->c = *c;
	p->net = n;
	p->base = net_loop_base(net_loop_at(n, 0));
	if (c->registrar != NULL && resolve(c->registrar, 0, p->registrars, PROXY_KNOWN) == 0) {
		e = fail(MST_E_CONFIG_VALUE, c->registrar, "no such address");
		goto out;
	}
	if ((e = start_listening(p, port)) == MST_OK)
		e = start_dnssd(p, *port);
out:
	if (e != MST_OK) {
		proxy_close(p);
		return e;
	}
	*out = p;
	return MST_OK;
}

void
proxy_close(struct proxy *p)
{
	struct circuit *next;

	if (p == NULL)
		return;
	dnssd_close(p->browser);
	dnssd_close(p->announcer);
	for (struct circuit *c = p->circuits; c != NULL; c = next) {
		next = c->next;
		circuit_close(c);
	}
	if (p->listener != NULL)
		evconnlistener_free(p->listener);
	free(p);
}

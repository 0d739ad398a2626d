/* SPDX-License-Identifier: Apache-2.0 */
/* Which registrars are served, on which join ports, and the pledges' side of them. */
#include "server/proxy/udp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "server/proxy/udp_room.h"

#define COAPS_PORT "5684"
#define SAY_US 1000000 /* one log line about what is dropped in that time */
#define URI_MAX 128

static _Thread_local char why[256];

const char *
proxy_udp_why(void)
{
	return why;
}

static mst_err __attribute__((format(printf, 2, 3))) fail(mst_err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return e;
}

/* --- counting --- */

void
udp_drop(struct proxy_udp *p, const struct sockaddr_in6 *from, mst_err e)
{
	char label[64] = "", peer[DATAGRAM_TEXT];
	int64_t now = clock_mono_us();

	metric_label(label, sizeof label, "reason", mst_span_str(mst_err_info(e)->reason));
	metric_add("muster_proxy_udp_dropped_total", label, 1);
	if (now - p->said_us < SAY_US)
		return; /* a flood must not become one of log lines; the counter has them all */
	p->said_us = now;
	datagram_text(from, peer);
	log_decision(
	    &(struct decision){ .role = "proxy", .step = STEP_PROXY, .err = e, .peer = peer });
}

void
udp_relayed(enum udp_mode mode, const char *direction)
{
	char label[64];

	snprintf(label, sizeof label, "mode=\"%s\",direction=\"%s\"",
	    mode == UDP_STATELESS ? "stateless" : "stateful", direction);
	metric_add("muster_proxy_udp_datagrams_total", label, 1);
}

/* --- URIs --- */

/* RFC 6874: within a URI the zone's "%" is "%25". */
static void
unescape_zone(char *host)
{
	char *at = strstr(host, "%25");

	if (at != NULL)
		memmove(at + 1, at + 3, strlen(at + 3) + 1);
}

static mst_err
parse_uri(const char *uri, enum datagram_names names, struct udp_registrar *out)
{
	struct udp_registrar r = { .mode = UDP_STATEFUL };
	char authority[URI_MAX + sizeof ":" COAPS_PORT];
	const char *at, *colon, *bracket;
	size_t n;

	if (strncmp(uri, "jpy://", 6) == 0)
		r.mode = UDP_STATELESS;
	else if (strncmp(uri, "coaps://", 8) != 0)
		return MST_E_CONFIG_VALUE;
	at = uri + (r.mode == UDP_STATELESS ? 6 : 8);
	n = strcspn(at, "/?#"); /* constrained-join-proxy 4.5.1: a path is ignored */
	if (n == 0 || n > URI_MAX)
		return MST_E_CONFIG_VALUE;
	memcpy(authority, at, n);
	authority[n] = '\0';
	unescape_zone(authority);
	colon = strrchr(authority, ':');
	bracket = strrchr(authority, ']');
	if (colon == NULL || (bracket != NULL && colon < bracket)) {
		if (r.mode == UDP_STATELESS) /* 4.5.1: there is no default port for jpy */
			return MST_E_CONFIG_VALUE;
		memcpy(authority + strlen(authority), ":" COAPS_PORT, sizeof ":" COAPS_PORT);
	}
	if (datagram_address(authority, names, &r.at) != MST_OK || r.at.sin6_port == 0)
		return MST_E_CONFIG_VALUE;
	*out = r;
	return MST_OK;
}

/* --- the pledges' side --- */

/* constrained-join-proxy 4.3: link-local source and destination; loopback for tests and hosts. */
static bool
on_link(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a))
		return a->s6_addr[12] == 127 || (a->s6_addr[12] == 169 && a->s6_addr[13] == 254);
	return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_LOOPBACK(a);
}

static void
on_pledge(evutil_socket_t fd, short what, void *arg)
{
	struct udp_join *j = arg;
	struct proxy_udp *p = j->proxy;
	struct mst_buf in = { p->room, sizeof p->room, 0 };
	struct datagram_path from;

	(void)what;
	for (int i = 0; i < UDP_BATCH && datagram_receive(fd, &in, &from); i++) {
		if (p->c.sources == PROXY_UDP_ON_LINK && !on_link(&from.peer.sin6_addr))
			udp_drop(p, &from.peer, MST_E_PROXY_NOT_ON_LINK);
		else if (j->registrar.mode == UDP_STATELESS)
			udp_stateless_take(j, &from, &in);
		else
			udp_stateful_take(j, &from, &in);
	}
}

static void
join_close(struct udp_join *j)
{
	udp_stateful_close(j);
	udp_stateless_close(j);
	if (j->readable != NULL)
		event_free(j->readable);
	if (j->fd >= 0)
		close(j->fd);
	j->readable = NULL;
	j->fd = -1;
}

static mst_err
join_open(struct udp_join *j, const struct udp_registrar *r)
{
	struct proxy_udp *p = j->proxy;
	struct sockaddr_in6 at = p->listen;
	char peer[DATAGRAM_TEXT];
	mst_err e;

	j->registrar = *r;
	at.sin6_port = htons(j->port);
	if ((e = datagram_bind(&at, &j->fd)) != MST_OK)
		return fail(e, "%s: %s", p->c.listen, strerror(errno));
	j->port = ntohs(at.sin6_port);
	j->readable = event_new(p->base, j->fd, EV_READ | EV_PERSIST, on_pledge, j);
	if (j->readable == NULL)
		return fail(MST_E_NOMEM, "no event");
	event_add(j->readable, NULL);
	if (r->mode == UDP_STATELESS && (e = udp_stateless_open(j)) != MST_OK)
		return fail(e, "towards the registrar: %s", strerror(errno));
	datagram_text(&r->at, peer);
	log_line(LOG_INFO_, "join port %u leads to %s %s", (unsigned)j->port,
	    r->mode == UDP_STATELESS ? "jpy" : "coaps", peer);
	return MST_OK;
}

/* --- which registrars are served (JP-U4, JP-U5) --- */

static bool
same(const struct udp_registrar *a, const struct udp_registrar *b)
{
	return a->mode == b->mode && datagram_same(&a->at, &b->at);
}

/* JP-U4, 4.1: if any registrar takes JPY, the proxy MUST be stateless. */
static size_t
choose(const struct proxy_udp *p, const struct udp_registrar *out[PROXY_UDP_PORTS])
{
	enum udp_mode mode = UDP_STATEFUL;
	size_t n = 0;

	for (size_t i = 0; i < p->known_count; i++)
		if (p->known[i].mode == UDP_STATELESS)
			mode = UDP_STATELESS;
	for (size_t i = 0; i < p->known_count && n < PROXY_UDP_PORTS; i++)
		if (p->known[i].mode == mode)
			out[n++] = &p->known[i];
	return n;
}

static struct udp_join *
join_of(struct proxy_udp *p, const struct udp_registrar *r)
{
	for (size_t i = 0; i < PROXY_UDP_PORTS; i++)
		if (p->joins[i].fd >= 0 && same(&p->joins[i].registrar, r))
			return &p->joins[i];
	return NULL;
}

static struct udp_join *
free_join(struct proxy_udp *p)
{
	for (size_t i = 0; i < PROXY_UDP_PORTS; i++)
		if (p->joins[i].fd < 0)
			return &p->joins[i];
	return NULL;
}

static void
publish(struct proxy_udp *p)
{
	pthread_mutex_lock(&p->lock);
	p->open_count = 0;
	for (size_t i = 0; i < PROXY_UDP_PORTS; i++)
		if (p->joins[i].fd >= 0)
			p->open_ports[p->open_count++] = p->joins[i].port;
	pthread_mutex_unlock(&p->lock);
}

/* Closes what is served no more and opens what is not served yet. */
static mst_err
serve(struct proxy_udp *p)
{
	const struct udp_registrar *wanted[PROXY_UDP_PORTS];
	size_t n = choose(p, wanted);
	mst_err e = MST_OK;

	for (size_t i = 0; i < PROXY_UDP_PORTS; i++) {
		bool keep = false;

		for (size_t k = 0; k < n; k++)
			keep |= same(&p->joins[i].registrar, wanted[k]);
		if (!keep)
			join_close(&p->joins[i]);
	}
	for (size_t k = 0; k < n; k++) {
		struct udp_join *j = join_of(p, wanted[k]) == NULL ? free_join(p) : NULL;
		mst_err one = j != NULL ? join_open(j, wanted[k]) : MST_OK;

		if (one == MST_OK)
			continue;
		join_close(j);
		e = one;
	}
	publish(p);
	return e;
}

static bool
add(struct proxy_udp *p, const struct udp_registrar *r)
{
	for (size_t i = 0; i < p->known_count; i++)
		if (same(&p->known[i], r))
			return false;
	if (p->known_count == PROXY_KNOWN)
		return false; /* spec-multi: which of too many is the implementation's choice */
	p->known[p->known_count++] = *r;
	return true;
}

static bool
take_away(struct proxy_udp *p, const struct udp_registrar *r)
{
	for (size_t i = 0; i < p->known_count; i++) {
		if (!same(&p->known[i], r) || p->known[i].configured)
			continue;
		p->known_count--;
		memmove(&p->known[i], &p->known[i + 1], (p->known_count - i) * sizeof p->known[0]);
		return true;
	}
	return false;
}

struct news {
	struct proxy_udp *proxy;
	struct udp_registrar registrar;
	bool gone;
};

static void
take_news(void *arg)
{
	struct news *n = arg;
	bool changed = n->gone ? take_away(n->proxy, &n->registrar) : add(n->proxy, &n->registrar);

	if (changed && serve(n->proxy) != MST_OK)
		log_line(LOG_WARNING_, "join port: %s", why);
	free(n);
}

static mst_err
tell(struct proxy_udp *p, const char *uri, const struct news *what)
{
	struct news *n = malloc(sizeof *n);
	mst_err e;

	if (n == NULL)
		return MST_E_NOMEM;
	*n = *what;
	n->proxy = p;
	if ((e = parse_uri(uri, DATAGRAM_LITERAL, &n->registrar)) != MST_OK) {
		free(n);
		return fail(e, "%.*s: no jpy or coaps URI with an address", URI_MAX, uri);
	}
	net_post(net_loop_at(p->net, 0), take_news, n);
	return MST_OK;
}

mst_err
proxy_udp_learn(struct proxy_udp *p, const char *uri)
{
	return tell(p, uri, &(struct news){ .gone = false });
}

mst_err
proxy_udp_forget(struct proxy_udp *p, const char *uri)
{
	return tell(p, uri, &(struct news){ .gone = true });
}

size_t
proxy_udp_ports(struct proxy_udp *p, uint16_t ports[PROXY_UDP_PORTS])
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->open_count;
	memcpy(ports, p->open_ports, n * sizeof ports[0]);
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* --- opening --- */

static void
on_rotate(evutil_socket_t fd, short what, void *arg)
{
	struct proxy_udp *p = arg;

	(void)fd;
	(void)what;
	if (udp_keys_rotate(&p->keys) != MST_OK)
		log_line(LOG_WARNING_, "no random bytes for a new JPY key; the old one stays");
}

static mst_err
read_configured(struct proxy_udp *p)
{
	const char *at = p->c.registrars != NULL ? p->c.registrars : "";
	char uri[URI_MAX];
	size_t n;

	for (; *(at += strspn(at, " \t\n")) != '\0'; at += n) {
		struct udp_registrar r;

		n = strcspn(at, " \t\n");
		snprintf(uri, sizeof uri, "%.*s", (int)n, at);
		if (n >= sizeof uri || parse_uri(uri, DATAGRAM_NAMES, &r) != MST_OK)
			return fail(MST_E_CONFIG_VALUE,
			    "%s: neither jpy://ADDRESS:PORT nor "
			    "coaps://ADDRESS",
			    uri);
		r.configured = true;
		if (p->known_count < PROXY_UDP_PORTS)
			add(p, &r);
		else
			return fail(MST_E_CONFIG_VALUE, "%s: one registrar too many", uri);
	}
	return MST_OK;
}

static void
defaults(struct proxy_udp_config *c)
{
	c->idle_ms = c->idle_ms != 0 ? c->idle_ms : 30000; /* 4.3: MUST be the default */
	c->per_pledge = c->per_pledge != 0 ? c->per_pledge : 2;
	c->per_interface = c->per_interface != 0 ? c->per_interface : 10;
	c->key_ms = c->key_ms != 0 ? c->key_ms : 86400000L; /* 4.5.5: RECOMMENDED */
}

static mst_err
start(struct proxy_udp *p)
{
	struct timeval day = { p->c.key_ms / 1000, (p->c.key_ms % 1000) * 1000 };
	mst_err e;

	if (datagram_address(p->c.listen, DATAGRAM_NAMES, &p->listen) != MST_OK)
		return fail(MST_E_CONFIG_VALUE, "%s: no address", p->c.listen);
	p->joins[0].port = ntohs(p->listen.sin6_port);
	if ((e = udp_keys_init(&p->keys)) != MST_OK)
		return fail(e, "%s", "AES-SIV is not to be had from OpenSSL");
	udp_icmp_open(p);
	p->rotate = event_new(p->base, -1, EV_PERSIST, on_rotate, p);
	if (p->rotate == NULL || event_add(p->rotate, &day) != 0)
		return fail(MST_E_NOMEM, "no event");
	if ((e = read_configured(p)) != MST_OK)
		return e;
	return serve(p);
}

mst_err
proxy_udp_open(const struct proxy_udp_config *c, struct net *n, struct proxy_udp **out)
{
	struct proxy_udp *p = calloc(1, sizeof *p);
	mst_err e;

	if (p == NULL)
		return fail(MST_E_NOMEM, "out of memory");
	p->c = *c;
	defaults(&p->c);
	p->net = n;
	p->base = net_loop_base(net_loop_at(n, 0));
	p->said_us = -SAY_US;
	p->icmp4 = p->icmp6 = -1;
	pthread_mutex_init(&p->lock, NULL);
	for (size_t i = 0; i < PROXY_UDP_PORTS; i++)
		p->joins[i] = (struct udp_join){ .proxy = p, .fd = -1, .up = -1 };
	if ((e = start(p)) != MST_OK) {
		proxy_udp_close(p);
		return e;
	}
	*out = p;
	return MST_OK;
}

void
proxy_udp_close(struct proxy_udp *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < PROXY_UDP_PORTS; i++)
		join_close(&p->joins[i]);
	if (p->rotate != NULL)
		event_free(p->rotate);
	udp_icmp_close(p);
	udp_keys_wipe(&p->keys);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

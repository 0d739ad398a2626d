/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, and how many connections may be open (est.md H9, brski.md TLS-9). */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "host/source.h"
#include "server/net/net_internal.h"

#define BACKLOG 1024
#define RETRY_MS 100 /* after EMFILE and the like */
#define SAY_EVERY_US 1000000 /* at most one log line a second for refused connections */

struct source {
	struct source *next;
	long count;
	char address[SOURCE_TEXT];
};

/* --- limits --- */

static size_t
source_hash(const char *s)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	while (*s != '\0')
		h = (h ^ (uint8_t)*s++) * 16777619U;
	return h % SOURCE_BUCKETS;
}

/* Where the pointer to this source's entry is, or would be. */
static struct source **
source_find(struct listener *ls, const char *address)
{
	struct source **at = &ls->sources[source_hash(address)];

	while (*at != NULL && strcmp((*at)->address, address) != 0)
		at = &(*at)->next;
	return at;
}

static bool
source_admit(struct listener *ls, const char *address)
{
	struct source **at;
	bool ok = false;

	pthread_mutex_lock(&ls->lock);
	at = source_find(ls, address);
	if (*at == NULL && (*at = calloc(1, sizeof **at)) != NULL)
		snprintf((*at)->address, sizeof(*at)->address, "%s", address);
	if (*at != NULL && (*at)->count < ls->limits.per_source) {
		(*at)->count++;
		ok = true;
	}
	pthread_mutex_unlock(&ls->lock);
	return ok;
}

static void
source_leave(struct listener *ls, const char *address)
{
	struct source **at, *s;

	pthread_mutex_lock(&ls->lock);
	at = source_find(ls, address);
	s = *at;
	if (s != NULL && --s->count == 0) {
		*at = s->next;
		free(s);
	}
	pthread_mutex_unlock(&ls->lock);
}

static void
say_refused(struct listener *ls, const char *source, const char *limit)
{
	long long now = clock_mono_us(), last = atomic_load(&ls->said_at);
	char labels[160];

	snprintf(labels, sizeof labels, "%s,reason=\"%s\"", ls->labels, limit);
	metric_add("muster_http_refused_total", labels, 1);
	if (now - last < SAY_EVERY_US || !atomic_compare_exchange_strong(&ls->said_at, &last, now))
		return;
	log_decision(&(struct decision){ .role = ls->name,
	    .step = STEP_CONNECT,
	    .err = MST_E_HTTP_OVERLOAD,
	    .peer = source,
	    .detail = limit });
}

bool
listener_admit(struct listener *ls, const char *source)
{
	if (atomic_fetch_add(&ls->connections, 1) >= ls->limits.connections) {
		atomic_fetch_sub(&ls->connections, 1);
		say_refused(ls, source, "connections");
		return false;
	}
	if (!source_admit(ls, source)) {
		atomic_fetch_sub(&ls->connections, 1);
		say_refused(ls, source, "connections_per_source");
		return false;
	}
	metric_add("muster_http_connections", ls->labels, 1);
	metric_add("muster_http_connections_total", ls->labels, 1);
	return true;
}

void
listener_leave(struct listener *ls, const char *source)
{
	atomic_fetch_sub(&ls->connections, 1);
	source_leave(ls, source);
	metric_add("muster_http_connections", ls->labels, -1);
}

/* --- accepting --- */

static void
name_address(const struct sockaddr *sa, char source[48], char address[64])
{
	char text[INET6_ADDRSTRLEN] = "?";
	unsigned port = 0;

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
		port = ntohs(in->sin_port);
		snprintf(address, 64, "%s:%u", text, port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)sa;

		port = ntohs(in->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(
		        &in->sin6_addr)) { /* one source, whichever socket it used */
			inet_ntop(AF_INET, &in->sin6_addr.s6_addr[12], text, sizeof text);
			snprintf(address, 64, "%s:%u", text, port);
		} else {
			inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
			snprintf(address, 64, "[%s]:%u", text, port);
		}
	}
	snprintf(source, 48, "%s", text);
}

/* Where it came to, for who is a neighbour; asked only where that matters. */
static void
count_as(int fd, const struct sockaddr *from, char out[SOURCE_TEXT])
{
	struct sockaddr_storage own;
	socklen_t len = sizeof own;
	bool ours =
	    from->sa_family == AF_INET6 && getsockname(fd, (struct sockaddr *)&own, &len) == 0;

	source_text(from, ours ? (struct sockaddr *)&own : NULL, out);
}

static void
accepted(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct accepter *a = arg;
	char source[48], address[64] = "?", counted[SOURCE_TEXT];

	(void)ev;
	(void)len;
	name_address(sa, source, address);
	count_as(fd, sa, counted);
	if (!listener_admit(a->ls, counted)) {
		close(fd);
		return;
	}
	conn_accept(a->ls, a->loop, fd, address, source, counted);
}

static void
accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct accepter *a = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(a->ev);
}

/* Out of descriptors: without a pause the loop would spin on the waiting connection. */
static void
accept_failed(struct evconnlistener *ev, void *arg)
{
	struct accepter *a = arg;
	struct timeval tv = { 0, RETRY_MS * 1000 };

	log_line(LOG_ERROR_, "%s: accept: %s", a->ls->name, strerror(errno));
	evconnlistener_disable(ev);
	evtimer_add(a->again, &tv);
}

/* --- set-up --- */

static void
set_defaults(struct net_limits *l)
{
	static const struct net_limits d = { 16384, 65536, 10000, 10000, 30000, 60000, 4000, 200,
		10000 };

#define DEFAULT(f) l->f = l->f > 0 ? l->f : d.f
	DEFAULT(header_bytes);
	DEFAULT(body_bytes);
	DEFAULT(handshake_ms);
	DEFAULT(header_ms);
	DEFAULT(body_ms);
	DEFAULT(idle_ms);
	DEFAULT(connections);
	DEFAULT(per_source);
	DEFAULT(requests_per_connection);
#undef DEFAULT
}

static mst_err
copy_routes(struct listener *ls, const struct net_listen *o)
{
	size_t len;

	if ((ls->routes = calloc(o->route_count + 1, sizeof *ls->routes)) == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < o->route_count; i++) {
		struct route *r = &ls->routes[i];

		if ((r->path = strdup(o->routes[i].path)) == NULL)
			return MST_E_NOMEM;
		ls->route_count++;
		len = strlen(r->path);
		r->prefix = len > 0 && r->path[len - 1] == '*';
		r->len = r->prefix ? len - 1 : len;
		r->methods = o->routes[i].methods;
		if ((r->methods & 1U << NET_GET) != 0)
			r->methods |= 1U << NET_HEAD;
		r->handler = o->routes[i].handler;
		r->arg = o->routes[i].arg;
		snprintf(r->labels, sizeof r->labels, "%s,route=\"%.90s\"", ls->labels, r->path);
	}
	return MST_OK;
}

static bool
is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >>
		           24 ==
		       127;
	return sa->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/*
 * Sockets with SO_REUSEPORT join whoever of the same user listens there
 * already: a second daemon would take every other connection of the first.
 * So the port is tried without it before.
 */
static bool
is_taken(const struct sockaddr *sa, socklen_t len)
{
	int one = 1, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;
	bool taken;

	if (fd < 0)
		return true;
	taken = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	        bind(fd, sa, len) != 0;
	saved = errno;
	close(fd);
	errno = saved;
	return taken;
}

/* One of the sockets that share the port; the kernel spreads connections over them. */
static int
open_socket(const struct sockaddr *sa, socklen_t len)
{
	int one = 1, fd;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
	    /* Inherited by what is accepted: no answer waits for a delayed ACK. */
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
	    bind(fd, sa, len) != 0 || listen(fd, BACKLOG) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static mst_err
open_accepter(struct accepter *a, int fd)
{
	a->ev = evconnlistener_new(
	    a->loop->base, accepted, a, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (a->ev == NULL) {
		close(fd);
		return MST_E_NOMEM;
	}
	evconnlistener_set_error_cb(a->ev, accept_failed);
	a->again = evtimer_new(a->loop->base, accept_again, a);
	return a->again != NULL ? MST_OK : MST_E_NOMEM;
}

/* "192.0.2.1:8443", "[2001:db8::1]:8443", "[fe80::1%eth0]:0"; numbers only, no resolver. */
static bool
parse_address(const char *text, struct sockaddr_storage *ss, socklen_t *len)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':'), *from = text, *to = colon;
	struct addrinfo *found;
	char host[80];

	if (colon == NULL || colon == text || colon[1] == '\0')
		return false;
	if (text[0] == '[') {
		if (colon[-1] != ']')
			return false;
		from++;
		to--;
	} else if (memchr(text, ':', (size_t)(colon - text)) != NULL) {
		return false; /* IPv6 needs its brackets: else where would the port begin? */
	}
	snprintf(host, sizeof host, "%.*s", (int)(to - from), from);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return false;
	memcpy(ss, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static mst_err
open_all(struct listener *ls, const char *address, int *port)
{
	struct sockaddr_storage ss;
	socklen_t len, got = sizeof ss;
	mst_err e;
	int fd;

	if (!parse_address(address, &ss, &len)) {
		net_set_why("'%s' is not address:port", address);
		return MST_E_IO;
	}
	if (ls->ctx == NULL && !is_loopback((struct sockaddr *)&ss)) {
		net_set_why("%s: plain HTTP is for loopback addresses only", address);
		return MST_E_IO;
	}
	if (is_taken((struct sockaddr *)&ss, len)) {
		net_set_why("%s: %s", address, strerror(errno));
		return MST_E_IO;
	}
	for (unsigned i = 0; i < ls->net->count; i++) {
		ls->accepters[i] = (struct accepter){ ls, &ls->net->loops[i], NULL, NULL };
		if ((fd = open_socket((struct sockaddr *)&ss, len)) < 0) {
			net_set_why("%s: %s", address, strerror(errno));
			return MST_E_IO;
		}
		if (i == 0 && getsockname(fd, (struct sockaddr *)&ss, &got) != 0) {
			close(fd);
			return MST_E_IO;
		} /* from here on ss has the port that was picked */
		if ((e = open_accepter(&ls->accepters[i], fd)) != MST_OK)
			return e;
	}
	*port = ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&ss)->sin_port
	                                      : ((struct sockaddr_in6 *)(void *)&ss)->sin6_port);
	return MST_OK;
}

mst_err
listener_new(struct net *n, const struct net_listen *o, struct listener **out)
{
	struct listener *ls = calloc(1, sizeof *ls);
	mst_err e = MST_E_NOMEM;

	if (ls == NULL)
		return e;
	ls->net = n;
	ls->limits = o->limits;
	set_defaults(&ls->limits);
	pthread_mutex_init(&ls->lock, NULL);
	atomic_store(&ls->said_at, -SAY_EVERY_US);
	snprintf(ls->labels, sizeof ls->labels, "listener=\"%.60s\"", o->name);
	if ((ls->name = strdup(o->name)) == NULL || (e = copy_routes(ls, o)) != MST_OK) {
		listener_free(ls);
		return e;
	}
	*out = ls;
	return MST_OK;
}

mst_err
net_listen(struct net *n, const struct net_listen *o, int *port)
{
	struct listener *ls;
	mst_err e = listener_new(n, o, &ls);

	if (e != MST_OK)
		return e;
	e = MST_E_NOMEM;
	if ((ls->accepters = calloc(n->count, sizeof *ls->accepters)) == NULL)
		goto refuse;
	if (o->cert != NULL) {
		if ((e = tls_server(o, &ls->ctx)) != MST_OK)
			goto refuse;
		X509_up_ref(o->cert);
		ls->own = o->cert;
	}
	if ((e = open_all(ls, o->address, port)) != MST_OK)
		goto refuse;
	ls->next = n->listeners;
	n->listeners = ls;
	return MST_OK;
refuse:
	listener_close(ls);
	listener_free(ls);
	return e;
}

void
listener_close(struct listener *ls)
{
	for (unsigned i = 0; ls->accepters != NULL && i < ls->net->count; i++) {
		if (ls->accepters[i].ev != NULL)
			evconnlistener_free(ls->accepters[i].ev);
		if (ls->accepters[i].again != NULL)
			event_free(ls->accepters[i].again);
		ls->accepters[i].ev = NULL;
		ls->accepters[i].again = NULL;
	}
}

void
listener_free(struct listener *ls)
{
	for (size_t i = 0; i < ls->route_count; i++)
		free(ls->routes[i].path);
	free(ls->routes);
	free(ls->accepters);
	free(ls->name);
	SSL_CTX_free(ls->ctx);
	X509_free(ls->own);
	pthread_mutex_destroy(&ls->lock);
	free(ls);
}

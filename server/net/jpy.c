/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/jpy.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "host/source.h"
#include "muster/jpy.h"
#include "server/net/net_internal.h"

#define BUCKETS 256
#define BATCH 64 /* datagrams per turn of the loop, so that others have theirs */
#define SWEEP_MS 1000
#define SAY_US 10000000 /* one log line about what is dropped in that time */

struct yoke { /* one pledge behind one proxy */
	TAILQ_ENTRY(yoke) order; /* within fresh or proven: the longest idle first */
	LIST_ENTRY(yoke) bucket;
	struct jpy *jpy;
	struct datagram_path proxy;
	struct in6_addr source; /* whom limits count it for */
	uint8_t header[MST_JPY_HEADER_MAX];
	size_t header_len;
	int fd; /* towards the listener */
	struct sockaddr_in6 self; /* its own end */
	struct event *readable;
	int64_t used_us;
	int64_t answered_us; /* by the listener; what comes from outside may be anything */
	bool proven;
	bool shaken; /* the listener has sent an encrypted record */
};
TAILQ_HEAD(yokes, yoke);

struct jpy {
	struct jpy_config c;
	struct net_loop *loop;
	int fd;
	struct event *readable, *sweep;
	struct yokes fresh, proven;
	LIST_HEAD(, yoke) buckets[BUCKETS];
	uint32_t seed; /* of the buckets, so that nobody outside can fill one */
	long count;
	int64_t said_us;
	pthread_mutex_t lock; /* guards the lists for jpy_peer() */
	uint8_t room[DATAGRAM_MAX], back[DATAGRAM_MAX + 1];
};

/* --- the table --- */

static uint32_t
mix(uint32_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619U;
	return h;
}

/* constrained-join-proxy 4.4: (IP_Jr, p_Jr, IP_R, p_Rj, H) is one UDP connection; p_Rj is ours. */
static unsigned
bucket_of(const struct jpy *j, const struct datagram_path *from, mst_span header)
{
	uint32_t h = mix(j->seed, &from->peer.sin6_addr, sizeof from->peer.sin6_addr);

	h = mix(h, &from->peer.sin6_port, sizeof from->peer.sin6_port);
	h = mix(h, header.ptr, header.len);
	return (h ^ h >> 16) % BUCKETS;
}

static struct yoke *
find(struct jpy *j, const struct datagram_path *from, mst_span header)
{
	struct yoke *y;

	y = LIST_FIRST(&j->buckets[bucket_of(j, from, header)]);
	for (; y != NULL; y = LIST_NEXT(y, bucket))
		if (datagram_same(&y->proxy.peer, &from->peer) &&
		    IN6_ARE_ADDR_EQUAL(&y->proxy.local, &from->local) &&
		    mst_span_eq(mst_span_of(y->header, y->header_len), header))
			return y;
	return NULL;
}

static struct yokes *
list_of(struct jpy *j, const struct yoke *y)
{
	return y->proven ? &j->proven : &j->fresh;
}

static void
drop(struct yoke *y)
{
	struct jpy *j = y->jpy;

	pthread_mutex_lock(&j->lock);
	TAILQ_REMOVE(list_of(j, y), y, order);
	LIST_REMOVE(y, bucket);
	pthread_mutex_unlock(&j->lock);
	if (y->readable != NULL)
		event_free(y->readable);
	if (y->fd >= 0)
		close(y->fd);
	free(y);
	metric_set("muster_jpy_connections", NULL, (double)--j->count);
}

static void
touch(struct yoke *y, bool proven, bool shaken)
{
	struct jpy *j = y->jpy;

	pthread_mutex_lock(&j->lock);
	TAILQ_REMOVE(list_of(j, y), y, order);
	y->proven = proven;
	y->shaken = shaken;
	y->used_us = clock_mono_us();
	TAILQ_INSERT_TAIL(list_of(j, y), y, order);
	pthread_mutex_unlock(&j->lock);
}

static void
expire(struct yokes *list, int64_t before)
{
	struct yoke *next;

	for (struct yoke *y = TAILQ_FIRST(list); y != NULL && y->used_us < before; y = next) {
		next = TAILQ_NEXT(y, order);
		drop(y);
	}
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct jpy *j = arg;
	int64_t now = clock_mono_us();

	(void)fd;
	(void)what;
	expire(&j->fresh, now - j->c.fresh_ms * 1000);
	expire(&j->proven, now - j->c.idle_ms * 1000);
}

/* --- what is dropped --- */

static void
refuse(struct jpy *j, const struct datagram_path *from, mst_err e)
{
	char label[64] = "", peer[DATAGRAM_TEXT];
	int64_t now = clock_mono_us();

	metric_label(label, sizeof label, "reason", mst_span_str(mst_err_info(e)->reason));
	metric_add("muster_jpy_dropped_total", label, 1);
	if (now - j->said_us < SAY_US)
		return; /* a flood must not become one of log lines; the counter has them all */
	j->said_us = now;
	datagram_text(&from->peer, peer);
	log_decision(
	    &(struct decision){ .role = "registrar", .step = STEP_PROXY, .err = e, .peer = peer });
}

/* --- from the listener to the pledge --- */

/* RFC 6347 4.1, 4.2.2: a plain handshake record whose message is a HelloVerifyRequest. */
static bool
is_verify_request(mst_span record)
{
	return record.len > 13 && record.ptr[0] == 22 && record.ptr[3] == 0 && record.ptr[4] == 0 &&
	       record.ptr[13] == 3;
}

/*
 * RFC 5246 7.2.1: an alert of the listener tells a stranger that he is not
 * welcome, or ends a session. It comes from loopback, so nobody forges it.
 */
static bool
is_alert(mst_span record)
{
	return record.len > 13 && record.ptr[0] == 21;
}

/* What the listener's answer says of the pledge behind it. */
static bool
proves(const struct yoke *y, mst_span record)
{
	if (is_alert(record))
		return false;
	return y->proven || !is_verify_request(record);
}

/*
 * RFC 6347 4.1: of an epoch after the first, so the handshake is over. One that
 * merely began costs its sender nothing, and no alert tells how it ended.
 */
static bool
shook(const struct yoke *y, mst_span record)
{
	if (is_alert(record))
		return false;
	return y->shaken || (record.len > 13 && (record.ptr[3] != 0 || record.ptr[4] != 0));
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct yoke *y = arg;
	struct jpy *j = y->jpy;
	struct mst_buf in = { j->room, sizeof j->room, 0 };

	(void)what;
	for (int i = 0; i < BATCH && datagram_receive(fd, &in, NULL); i++) {
		struct mst_buf out = { j->back, sizeof j->back, 0 };
		struct mst_jpy m = { mst_span_of(y->header, y->header_len), mst_buf_span(&in) };

		touch(y, proves(y, m.content), shook(y, m.content));
		y->answered_us = y->used_us;
		if (mst_jpy_build(&m, &out) != MST_OK ||
		    !datagram_send(j->fd, &y->proxy, mst_buf_span(&out)))
			metric_add("muster_jpy_dropped_total", "reason=\"io.failed\"", 1);
		else
			metric_add("muster_jpy_datagrams_total", "direction=\"to_proxy\"", 1);
	}
	/* An error of the socket is taken from it by the read; those of the queue must be, too. */
	while (recv(fd, j->room, sizeof j->room, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		;
}

/* --- from the proxy to the listener --- */

/* RFC 6347 4.1, 4.2.2: a handshake record of epoch 0, in it a ClientHello or a part of one. */
static bool
begins_dtls(mst_span record)
{
	return record.len > 13 && record.ptr[0] == 22 && record.ptr[1] == 0xfe &&
	       record.ptr[3] == 0 && record.ptr[4] == 0 && record.ptr[13] == 1;
}

static struct in6_addr
counted(const struct datagram_path *from)
{
	return source_of(&from->peer.sin6_addr, &from->local);
}

static long
count_of(const struct yokes *list, const struct datagram_path *from, struct yoke **oldest)
{
	struct in6_addr source = counted(from);
	long n = 0;

	for (struct yoke *y = TAILQ_FIRST(list); y != NULL; y = TAILQ_NEXT(y, order))
		if (IN6_ARE_ADDR_EQUAL(&y->source, &source) && n++ == 0)
			*oldest = y;
	return n;
}

/*
 * The one that has heard nothing for longest within a handshake; of this proxy,
 * or (NULL) of any. That it goes on sending says nothing.
 */
static struct yoke *
stuck(const struct jpy *j, const struct datagram_path *from)
{
	int64_t before = clock_mono_us() - j->c.yield_ms * 1000;
	struct in6_addr source = from != NULL ? counted(from) : in6addr_any;
	struct yoke *out = NULL;

	for (struct yoke *y = TAILQ_FIRST(&j->proven); y != NULL; y = TAILQ_NEXT(y, order))
		if (!y->shaken && y->answered_us < before &&
		    (from == NULL || IN6_ARE_ADDR_EQUAL(&y->source, &source))) {
			out = y;
			before = y->answered_us;
		}
	return out;
}

/*
 * Room for one more, at the cost of the oldest whose sender is not proven, else
 * of one that has proven its address and then nothing more.
 */
static mst_err
make_room(struct jpy *j, const struct datagram_path *from)
{
	struct yoke *unproven = NULL, *unused = NULL;
	long n = count_of(&j->fresh, from, &unproven) + count_of(&j->proven, from, &unused);

	if (n >= j->c.per_proxy) {
		if (unproven == NULL && (unproven = stuck(j, from)) == NULL)
			return MST_E_JPY_LIMIT_PROXY;
		drop(unproven);
	} else if (j->count >= j->c.connections) {
		unproven = TAILQ_FIRST(&j->fresh);
		if (unproven == NULL && (unproven = stuck(j, NULL)) == NULL)
			return MST_E_JPY_LIMIT_TOTAL;
		drop(unproven);
	} else
		return MST_OK;
	metric_add("muster_jpy_dropped_total", "reason=\"jpy.evicted\"", 1);
	return MST_OK;
}

static mst_err
add(struct jpy *j, const struct datagram_path *from, mst_span header, struct yoke **out)
{
	struct yoke *y = calloc(1, sizeof *y);
	socklen_t len = sizeof y->self;

	if (y == NULL)
		return MST_E_NOMEM;
	y->jpy = j;
	y->proxy = *from;
	y->source = counted(from);
	y->fd = -1;
	memcpy(y->header, header.ptr, header.len);
	y->header_len = header.len;
	if (datagram_connect(&j->c.listener, &y->fd) == MST_OK &&
	    getsockname(y->fd, (struct sockaddr *)&y->self, &len) == 0)
		y->readable =
		    event_new(net_loop_base(j->loop), y->fd, EV_READ | EV_PERSIST, on_answer, y);
	y->used_us = y->answered_us = clock_mono_us();
	pthread_mutex_lock(&j->lock);
	TAILQ_INSERT_TAIL(&j->fresh, y, order);
	LIST_INSERT_HEAD(&j->buckets[bucket_of(j, from, header)], y, bucket);
	pthread_mutex_unlock(&j->lock);
	metric_set("muster_jpy_connections", NULL, (double)++j->count);
	if (y->readable == NULL || event_add(y->readable, NULL) != 0) {
		drop(y);
		return MST_E_IO;
	}
	*out = y;
	return MST_OK;
}

static mst_err
take(struct jpy *j, const struct datagram_path *from, mst_span datagram)
{
	struct mst_jpy m;
	struct yoke *y;
	mst_err e = mst_jpy_parse(datagram, &m);

	if (e != MST_OK)
		return e;
	if ((y = find(j, from, m.header)) == NULL) {
		if (!begins_dtls(m.content))
			return MST_E_JPY_NOT_DTLS;
		if ((e = make_room(j, from)) != MST_OK ||
		    (e = add(j, from, m.header, &y)) != MST_OK)
			return e;
	}
	touch(y, y->proven, y->shaken);
	y->proxy.ifindex = from->ifindex; /* routes may change under a session */
	if (!datagram_send(y->fd, NULL, m.content) && !datagram_send(y->fd, NULL, m.content))
		return MST_E_IO; /* the first may have told of an ICMP error from before */
	metric_add("muster_jpy_datagrams_total", "direction=\"to_registrar\"", 1);
	return MST_OK;
}

static void
on_datagram(evutil_socket_t fd, short what, void *arg)
{
	struct jpy *j = arg;
	struct mst_buf in = { j->room, sizeof j->room, 0 };
	struct datagram_path from;
	mst_err e;

	(void)what;
	for (int i = 0; i < BATCH && datagram_receive(fd, &in, &from); i++)
		if ((e = take(j, &from, mst_buf_span(&in))) != MST_OK)
			refuse(j, &from, e);
}

/* --- opening --- */

static void
defaults(struct jpy_config *c)
{
	c->connections = c->connections != 0 ? c->connections : 512;
	c->per_proxy = c->per_proxy != 0 ? c->per_proxy : 200;
	c->idle_ms = c->idle_ms != 0 ? c->idle_ms : 360000;
	c->fresh_ms = c->fresh_ms != 0 ? c->fresh_ms : 60000;
	c->yield_ms = c->yield_ms != 0 ? c->yield_ms : 5000;
	if (IN6_IS_ADDR_UNSPECIFIED(&c->listener.sin6_addr))
		c->listener.sin6_addr = in6addr_loopback;
	else if (IN6_IS_ADDR_V4MAPPED(&c->listener.sin6_addr) &&
	         memcmp(&c->listener.sin6_addr.s6_addr[12], "\0\0\0", 4) == 0)
		memcpy(&c->listener.sin6_addr.s6_addr[12], "\x7f\0\0\x01", 4);
}

static mst_err
start(struct jpy *j, int *port)
{
	struct timeval second = { SWEEP_MS / 1000, 0 };
	struct event_base *base = net_loop_base(j->loop);
	struct sockaddr_in6 at;
	mst_err e = datagram_address(j->c.listen, DATAGRAM_NAMES, &at);

	if (e != MST_OK) {
		net_set_why("%s: no address", j->c.listen);
		return e;
	}
	if ((e = datagram_bind(&at, &j->fd)) != MST_OK) {
		net_set_why("%s: %s", j->c.listen, strerror(errno));
		return e;
	}
	*port = ntohs(at.sin6_port);
	j->readable = event_new(base, j->fd, EV_READ | EV_PERSIST, on_datagram, j);
	j->sweep = event_new(base, -1, EV_PERSIST, on_sweep, j);
	if (j->readable == NULL || j->sweep == NULL || event_add(j->readable, NULL) != 0 ||
	    event_add(j->sweep, &second) != 0)
		return MST_E_NOMEM;
	return MST_OK;
}

mst_err
jpy_open(const struct jpy_config *c, struct net *n, struct jpy **out, int *port)
{
	struct jpy *j = calloc(1, sizeof *j);
	mst_err e;

	if (j == NULL)
		return MST_E_NOMEM;
	j->c = *c;
	defaults(&j->c);
	j->loop = net_loop_at(n, 0);
	j->fd = -1;
	j->said_us = -SAY_US;
	evutil_secure_rng_get_bytes(&j->seed, sizeof j->seed);
	TAILQ_INIT(&j->fresh);
	TAILQ_INIT(&j->proven);
	pthread_mutex_init(&j->lock, NULL);
	if ((e = start(j, port)) != MST_OK) {
		jpy_close(j);
		return e;
	}
	*out = j;
	return MST_OK;
}

void
jpy_close(struct jpy *j)
{
	if (j == NULL)
		return;
	expire(&j->fresh, INT64_MAX);
	expire(&j->proven, INT64_MAX);
	if (j->readable != NULL)
		event_free(j->readable);
	if (j->sweep != NULL)
		event_free(j->sweep);
	if (j->fd >= 0)
		close(j->fd);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

static bool
owner(const struct yokes *list, const struct sockaddr_in6 *loopback, struct datagram_path *proxy)
{
	for (const struct yoke *y = TAILQ_FIRST(list); y != NULL; y = TAILQ_NEXT(y, order))
		if (datagram_same(&y->self, loopback)) {
			*proxy = y->proxy;
			return true;
		}
	return false;
}

bool
jpy_peer(struct jpy *j, const struct sockaddr_in6 *loopback, struct datagram_path *proxy)
{
	bool found;

	pthread_mutex_lock(&j->lock);
	found = owner(&j->proven, loopback, proxy) || owner(&j->fresh, loopback, proxy);
	pthread_mutex_unlock(&j->lock);
	return found;
}

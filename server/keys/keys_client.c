/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network side's end. The key process answers a client in its order, so
 * the oldest call outstanding is the one that an answer belongs to; its id must
 * say the same. Calls made in one turn of the loop leave in one write.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "server/keys/keys_client.h"

#include "host/metrics.h"
#include "server/keys/keys_wire.h"

#define READ_SIZE (64u << 10)
#define KEEP_SIZE (256u << 10)
#define WAIT_MS 30000 /* of keys_call_wait: a token may ask its hardware */

struct call {
	STAILQ_ENTRY(call) next;
	uint64_t id;
	keys_done done;
	void *arg;
	mst_err e; /* of a call that was refused before it was sent */
};
STAILQ_HEAD(calls, call);

struct keys_client {
	struct keys *k;
	int fd;
	struct event *readable, *writable, *soon;
	struct calls sent, refused; /* sent or in out; refused here */
	uint64_t last_id;
	uint8_t *out, *in;
	size_t out_at, out_len, out_cap, in_len, in_cap;
	bool gone; /* the key process is */
	unsigned busy; /* inside callbacks */
	bool freed; /* by one of them */
};

static void
finish(struct keys_client *c, struct call *call, mst_err e, mst_span answer)
{
	c->busy++;
	metric_add("muster_key_requests_total",
	    e == MST_OK ? "outcome=\"accepted\"" : "outcome=\"refused\"", 1);
	call->done(call->arg, e, answer);
	c->busy--;
	free(call);
}

/* Calls made by a callback are appended and met by the same loop. */
static void
finish_all(struct keys_client *c, struct calls *list, mst_err e)
{
	struct call *call;

	while ((call = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		finish(c, call, e != MST_OK ? e : call->e, MST_NONE);
	}
}

static void
destroy(struct keys_client *c)
{
	enum keys_socket state = c->gone || !STAILQ_EMPTY(&c->sent) || c->in_len != 0
	                             ? KEYS_SOCKET_SPOILT
	                             : KEYS_SOCKET_IDLE;

	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->soon != NULL)
		event_free(c->soon);
	c->readable = c->writable = c->soon = NULL;
	if (c->fd >= 0)
		keys_socket_give(c->k, c->fd, state);
	c->fd = -1;
	c->gone = true;
	finish_all(c, &c->refused, MST_OK);
	finish_all(c, &c->sent, MST_E_KEY_GONE);
	finish_all(c, &c->refused, MST_OK);
	free(c->out);
	free(c->in);
	free(c);
}

/* A callback may have freed the client; then this is where it goes. */
static bool
still_there(struct keys_client *c)
{
	if (!c->freed || c->busy != 0)
		return !c->freed;
	destroy(c);
	return false;
}

static void
lost(struct keys_client *c)
{
	c->gone = true;
	event_del(c->readable);
	event_del(c->writable);
	c->out_at = c->out_len = 0;
	finish_all(c, &c->sent, MST_E_KEY_GONE);
}

static void
flush(struct keys_client *c)
{
	ssize_t n;

	if (c->gone || c->out_at == c->out_len)
		return;
	n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		lost(c);
		return;
	}
	c->out_at += n > 0 ? (size_t)n : 0;
	if (c->out_at != c->out_len) {
		event_add(c->writable, NULL);
		return;
	}
	c->out_at = c->out_len = 0;
	if (c->out_cap > KEEP_SIZE) {
		free(c->out);
		c->out = NULL;
		c->out_cap = 0;
	}
}

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct keys_client *c = arg;

	(void)fd;
	(void)what;
	flush(c);
	finish_all(c, &c->refused, MST_OK);
	(void)still_there(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct keys_client *c = arg;

	(void)fd;
	(void)what;
	flush(c);
	(void)still_there(c);
}

/* False: not one that was asked for. */
static bool
take_answer(struct keys_client *c, mst_span message)
{
	struct call *call = STAILQ_FIRST(&c->sent);
	mst_span answer;
	uint64_t id;
	mst_err e;

	if (call == NULL || keys_answer_decode(message, &id, &e, &answer) != MST_OK ||
	    id != call->id)
		return false;
	STAILQ_REMOVE_HEAD(&c->sent, next);
	finish(c, call, e, answer);
	return true;
}

static void
take_answers(struct keys_client *c)
{
	size_t at = 0, n;
	bool ok = true;

	while (ok && !c->freed && c->in_len > at) {
		ok = keys_frame_size(mst_span_of(c->in + at, c->in_len - at), &n);
		if (!ok || n == 0 || c->in_len - at < n)
			break;
		ok = take_answer(c, mst_span_of(c->in + at + KEYS_FRAME_HEAD, n - KEYS_FRAME_HEAD));
		at += n;
	}
	if (at != 0) {
		memmove(c->in, c->in + at, c->in_len - at);
		c->in_len -= at;
	}
	if (!ok)
		lost(c);
}

static bool
grow(uint8_t **ptr, size_t *cap, size_t want)
{
	size_t n = *cap != 0 ? *cap : READ_SIZE;
	uint8_t *bigger;

	if (want <= *cap)
		return true;
	while (n < want)
		n *= 2;
	if ((bigger = realloc(*ptr, n)) == NULL)
		return false;
	*ptr = bigger;
	*cap = n;
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct keys_client *c = arg;
	ssize_t n = 0;

	(void)what;
	if (grow(&c->in, &c->in_cap, c->in_len + READ_SIZE))
		n = recv(fd, c->in + c->in_len, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(c);
	} else {
		c->in_len += (size_t)n;
		take_answers(c);
	}
	(void)still_there(c);
}

mst_err
keys_client_new(struct keys *k, struct event_base *base, struct keys_client **out)
{
	struct keys_client *c = calloc(1, sizeof *c);
	mst_err e;

	if (c == NULL)
		return MST_E_NOMEM;
	STAILQ_INIT(&c->sent);
	STAILQ_INIT(&c->refused);
	c->k = k;
	if ((e = keys_socket_take(k, &c->fd)) != MST_OK) {
		free(c);
		return e;
	}
	c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, c->fd, EV_WRITE, on_writable, c);
	c->soon = event_new(base, -1, 0, on_soon, c);
	if (c->readable == NULL || c->writable == NULL || c->soon == NULL ||
	    event_add(c->readable, NULL) != 0) {
		destroy(c);
		return MST_E_NOMEM;
	}
	*out = c;
	return MST_OK;
}

void
keys_client_free(struct keys_client *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (c->busy == 0)
		destroy(c);
}

static mst_err
append(struct keys_client *c, const struct keys_request *rq, uint64_t id)
{
	struct mst_buf b;
	mst_err e;

	if (c->gone)
		return MST_E_KEY_GONE;
	if (c->out_at != 0) {
		memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
		c->out_len -= c->out_at;
		c->out_at = 0;
	}
	if (!grow(&c->out, &c->out_cap, c->out_len + keys_request_room(rq)))
		return MST_E_NOMEM;
	b = (struct mst_buf){ c->out, c->out_cap, c->out_len };
	if ((e = keys_request_encode(rq, id, &b)) == MST_OK)
		c->out_len = b.len;
	return e;
}

void
keys_call(struct keys_client *c, const struct keys_request *rq, keys_done done, void *arg)
{
	struct call *call = calloc(1, sizeof *call);

	if (call == NULL) { /* nothing to remember it by, so it cannot be later */
		done(arg, MST_E_NOMEM, MST_NONE);
		return;
	}
	call->done = done;
	call->arg = arg;
	call->id = ++c->last_id;
	call->e = append(c, rq, call->id);
	if (call->e == MST_OK)
		STAILQ_INSERT_TAIL(&c->sent, call, next);
	else
		STAILQ_INSERT_TAIL(&c->refused, call, next);
	if (c->soon != NULL)
		event_active(c->soon, EV_TIMEOUT, 0);
}

/* --- waiting --- */

static mst_err
send_all(int fd, mst_span s)
{
	for (size_t at = 0; at < s.len;) {
		ssize_t n = send(fd, s.ptr + at, s.len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MST_E_KEY_GONE;
		at += (size_t)n;
	}
	return MST_OK;
}

static mst_err
receive_all(int fd, uint8_t *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct pollfd p = { fd, POLLIN, 0 };
		int ready = poll(&p, 1, WAIT_MS);
		ssize_t n;

		if (ready == 0)
			return MST_E_TIMEOUT;
		if (ready < 0 && errno == EINTR)
			continue;
		n = recv(fd, to + at, len - at, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MST_E_KEY_GONE;
		at += (size_t)n;
	}
	return MST_OK;
}

static mst_err
exchange(
    int fd, const struct keys_request *rq, struct arena *a, mst_err *answered, mst_span *answer)
{
	uint8_t head[KEYS_FRAME_HEAD];
	struct mst_buf b = arena_buf(a, keys_request_room(rq));
	uint8_t *message;
	uint64_t id;
	size_t n;
	mst_err e;

	if ((e = keys_request_encode(rq, 1, &b)) != MST_OK ||
	    (e = send_all(fd, mst_buf_span(&b))) != MST_OK ||
	    (e = receive_all(fd, head, sizeof head)) != MST_OK)
		return e;
	if (!keys_frame_size(mst_span_of(head, sizeof head), &n))
		return MST_E_KEY_GONE;
	n -= KEYS_FRAME_HEAD;
	if ((message = arena_alloc(a, n)) == NULL)
		return MST_E_NOMEM;
	if ((e = receive_all(fd, message, n)) != MST_OK)
		return e;
	e = keys_answer_decode(mst_span_of(message, n), &id, answered, answer);
	return e == MST_OK && id == 1 ? MST_OK : MST_E_KEY_GONE;
}

mst_err
keys_call_wait(struct keys *k, const struct keys_request *rq, struct arena *a, mst_span *answer)
{
	mst_err e, answered = MST_E_INTERNAL;
	mst_span got = MST_NONE;
	int fd;

	if ((e = keys_socket_take(k, &fd)) != MST_OK)
		return e;
	e = exchange(fd, rq, a, &answered, &got);
	/* A request that could not be encoded left nothing on the socket. */
	keys_socket_give(k, fd,
	    e == MST_OK || e == MST_E_USAGE || e == MST_E_SPACE ? KEYS_SOCKET_IDLE
	                                                        : KEYS_SOCKET_SPOILT);
	if (e == MST_OK)
		e = answered;
	if (e == MST_OK)
		*answer = got;
	return e;
}

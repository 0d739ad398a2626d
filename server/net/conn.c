/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, from accept to close. Every state but CONN_HANDLER has an
 * absolute deadline: a peer that drips bytes does not move it (dependencies.md
 * 2.2). One request is in work at a time; what is pipelined behind it waits in
 * the input buffer, whose high watermark stops reading.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "server/net/net_internal.h"

#define LINGER_MS 1000
#define LINGER_BYTES (1 << 20)

static void
set_state(struct conn *c, enum conn_state state)
{
	const struct net_limits *l = &c->ls->limits;
	long ms = 0;

	c->state = state;
	switch (state) {
	case CONN_HANDSHAKE: ms = l->handshake_ms; break;
	case CONN_IDLE: ms = l->idle_ms; break;
	case CONN_HEAD: ms = l->header_ms; break;
	case CONN_BODY: ms = l->body_ms; break;
	case CONN_WRITE: ms = l->body_ms; break; /* a peer that does not read, either */
	case CONN_LINGER: ms = LINGER_MS; break;
	case CONN_HANDLER: /* the handler has deadlines of its own */
	case CONN_CLOSED: event_del(&c->deadline); return;
	}
	event_add(&c->deadline, &(struct timeval){ ms / 1000, (ms % 1000) * 1000 });
}

void
conn_free(struct conn *c)
{
	if (c->rq != NULL) { /* net_free only: nobody will answer it */
		c->rq->conn = NULL;
		request_free(c->rq);
	}
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->loop->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	event_del(&c->deadline);
	if (c->peer.note_free != NULL)
		c->peer.note_free(c->peer.note);
	if (c->body != NULL)
		evbuffer_free(c->body);
	bufferevent_free(c->bev);
	listener_leave(c->ls, c->peer.counted);
	free(c);
}

/* Frames that call out hold the struct, since libevent may call back inside them. */
static void
hold(struct conn *c)
{
	c->busy++;
}

static void
release(struct conn *c)
{
	if (--c->busy == 0 && c->state == CONN_CLOSED)
		conn_free(c);
}

static void
say_goodbye(struct conn *c)
{
	if (c->peer.ssl != NULL && SSL_is_init_finished(c->peer.ssl))
		SSL_shutdown(c->peer.ssl); /* close_notify, RFC 8446 6.1 */
	ERR_clear_error();
}

static void
close_now(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	if (c->rq != NULL && c->state == CONN_HANDLER) {
		/* The handler still has the request and looks at peer: the struct stays. */
		c->dead = true;
		bufferevent_disable(c->bev, EV_READ | EV_WRITE);
		bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
		return;
	}
	if (c->rq != NULL) /* no handler has seen it yet */
		request_free(c->rq);
	set_state(c, CONN_CLOSED);
	bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
}

/*
 * We answered and want no more. Closing a socket with unread input makes the
 * kernel send a reset, which can overtake the answer: so half-close, and read
 * what still comes for a while.
 */
static void
close_softly(struct conn *c)
{
	say_goodbye(c);
	if (c->eof) {
		close_now(c);
		return;
	}
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	set_state(c, CONN_LINGER);
}

static void
drop_input(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	c->lingered += evbuffer_get_length(in);
	evbuffer_drain(in, evbuffer_get_length(in));
	if (c->lingered > LINGER_BYTES)
		close_now(c);
}

/* --- requests --- */

/* A refusal before any handler: the framing is lost, so the connection ends. */
static void
refuse(struct conn *c, mst_err e, const char *detail)
{
	if (c->rq == NULL && (c->rq = request_new(c)) == NULL) {
		close_now(c);
		return;
	}
	c->close_after = true;
	set_state(c, CONN_HANDLER);
	net_refuse(&c->rq->pub, STEP_HTTP, e, detail);
}

static void
dispatch(struct conn *c)
{
	set_state(c, CONN_HANDLER);
	c->requests++;
	if (c->requests >= c->ls->limits.requests_per_connection)
		c->close_after = true;
	c->rq->pub.started_us = clock_mono_us();
	request_dispatch(c->rq);
}

/* The body is complete in buffer; into the arena with it. */
static void
take_body(struct conn *c, struct evbuffer *buffer, size_t len)
{
	struct net_request *rq = &c->rq->pub;
	uint8_t *body;

	rq->body = MST_LIT("");
	if (len > 0) {
		if ((body = arena_alloc(rq->arena, len + 1)) == NULL) {
			refuse(c, MST_E_NOMEM, "the request's arena is full");
			return;
		}
		evbuffer_remove(buffer, body, len);
		rq->body = mst_span_of(body, len);
	}
	dispatch(c);
}

static bool
read_chunks(struct conn *c, struct evbuffer *in)
{
	mst_span input, data;
	size_t taken;
	mst_err e;

	while (evbuffer_get_length(in) > 0) {
		struct evbuffer_iovec v;
		bool line = c->chunked.state != CHUNK_DATA;

		/* Lines must be in one piece; data may come as it lies. */
		if (line) {
			size_t n = evbuffer_get_length(in), most = CHUNK_LINE_MAX;

			if (c->chunked.state == CHUNK_TRAILER)
				most = CHUNK_TRAILER_MAX;
			n = n < most ? n : most;
			input = mst_span_of(evbuffer_pullup(in, (ev_ssize_t)n), n);
		} else {
			evbuffer_peek(in, 1, NULL, &v, 1);
			input = mst_span_of(v.iov_base, v.iov_len);
		}
		e = chunked_step(
		    &c->chunked, input, (size_t)c->ls->limits.body_bytes, &taken, &data);
		if (e == MST_OK && data.len > 0 && evbuffer_add(c->body, data.ptr, data.len) != 0)
			e = MST_E_NOMEM;
		if (e != MST_OK) {
			refuse(c, e, "the chunked body");
			return true;
		}
		evbuffer_drain(in, taken);
		if (c->chunked.state == CHUNK_DONE) {
			take_body(c, c->body, evbuffer_get_length(c->body));
			return true;
		}
		if (taken == 0)
			return false;
	}
	return false;
}

/* False: more input is needed. */
static bool
read_body(struct conn *c, struct evbuffer *in)
{
	const struct head *h = &c->rq->head;

	if (h->chunked)
		return read_chunks(c, in);
	if (evbuffer_get_length(in) < h->length)
		return false;
	take_body(c, in, h->length);
	return true;
}

/*
 * RFC 9110 10.1.1: the client waits for this, or for a final status, before it
 * sends its body. Writing may meet the client's end: c->rq may be gone after.
 */
static void
answer_expectation(struct conn *c, struct evbuffer *in)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	mst_err e = request_route(c->rq);

	if (e != MST_OK)
		refuse(c, e, NULL);
	else if (evbuffer_get_length(in) == 0)
		bufferevent_write(c->bev, go_on, sizeof go_on - 1);
}

/* The head is complete: judge it before a byte of the body is waited for. */
static void
begin_request(struct conn *c, struct evbuffer *in, mst_span bytes)
{
	const char *why = NULL;
	const struct head *h;
	mst_err e;

	if ((c->rq = request_new(c)) == NULL) {
		close_now(c);
		return;
	}
	h = &c->rq->head;
	e = request_read_head(c->rq, bytes, &why);
	evbuffer_drain(in, bytes.len);
	if (e == MST_OK && h->has_length && h->length > (size_t)c->ls->limits.body_bytes)
		e = MST_E_HTTP_BODY_LIMIT;
	if (e != MST_OK) {
		refuse(c, e, why);
		return;
	}
	if (h->close)
		c->close_after = true;
	memset(&c->chunked, 0, sizeof c->chunked);
	if (h->chunked && c->body == NULL && (c->body = evbuffer_new()) == NULL) {
		refuse(c, MST_E_NOMEM, NULL);
		return;
	}
	set_state(c, CONN_BODY);
	if (!h->chunked && h->length == 0)
		take_body(c, in, 0);
	else if (h->expect)
		answer_expectation(c, in);
}

static bool
read_head(struct conn *c, struct evbuffer *in)
{
	size_t limit = (size_t)c->ls->limits.header_bytes, n = evbuffer_get_length(in), end;
	mst_span bytes;
	mst_err e;

	n = n < limit + 1 ? n : limit + 1;
	bytes = mst_span_of(evbuffer_pullup(in, (ev_ssize_t)n), n);
	if ((e = head_scan(&c->scan, bytes, limit, &end)) != MST_OK) {
		refuse(c, e,
		    e == MST_E_HTTP_MALFORMED ? "a bare CR or LF or a control character" : NULL);
		return true;
	}
	if (end == 0)
		return false;
	bytes.len = end;
	begin_request(c, in, bytes);
	return true;
}

/* RFC 9112 2.2: an empty line before the request line is ignored; one is. */
static bool
begin_head(struct conn *c, struct evbuffer *in)
{
	char two[2] = "";
	ev_ssize_t n = evbuffer_copyout(in, two, 2);

	if (n <= 0 || (n == 1 && two[0] == '\r'))
		return false;
	if (n == 2 && two[0] == '\r' && two[1] == '\n' && !c->skipped) {
		evbuffer_drain(in, 2);
		c->skipped = true;
		return true;
	}
	c->skipped = false;
	memset(&c->scan, 0, sizeof c->scan);
	c->began_us = clock_mono_us();
	set_state(c, CONN_HEAD);
	return true;
}

/* One step with what is in the input buffer; false when nothing more can be done now. */
static bool
step_input(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	switch (c->state) {
	case CONN_IDLE: return begin_head(c, in);
	case CONN_HEAD: return read_head(c, in);
	case CONN_BODY: return read_body(c, in);
	case CONN_LINGER: drop_input(c); return false;
	case CONN_HANDSHAKE:
	case CONN_HANDLER:
	case CONN_WRITE:
	case CONN_CLOSED: return false;
	}
	return false;
}

/* The peer sends no more. A request that it cut off is refused, since it may still read. */
static void
after_eof(struct conn *c)
{
	switch (c->state) {
	case CONN_HEAD:
	case CONN_BODY:
		refuse(c, MST_E_HTTP_MALFORMED, "the connection ended inside the request");
		return;
	case CONN_IDLE:
		say_goodbye(c);
		close_now(c);
		return;
	case CONN_HANDSHAKE:
	case CONN_LINGER: close_now(c); return;
	case CONN_HANDLER: /* answered first, then closed */
	case CONN_WRITE:
	case CONN_CLOSED: return;
	}
}

/* Only the outermost frame loops: an answer given inside a handler does not recurse. */
static void
run_input(struct conn *c)
{
	if (c->stepping)
		return;
	c->stepping = true;
	while (!c->dead && step_input(c))
		;
	if (c->eof && !c->dead)
		after_eof(c);
	c->stepping = false;
}

/* --- the answer --- */

static void
written(struct conn *c)
{
	if (c->close_after) {
		close_softly(c);
		return;
	}
	set_state(c, CONN_IDLE);
	run_input(c);
}

void
conn_answer(struct conn *c, struct evbuffer *answer)
{
	hold(c);
	if (c->dead || answer == NULL) { /* NULL: out of memory */
		close_now(c);
	} else {
		/* One contiguous chain, so one SSL_write and one record (est.md H4). */
		bufferevent_write_buffer(c->bev, answer);
		if (c->dead || c->state == CONN_CLOSED)
			close_now(c);
		else if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
			set_state(c, CONN_WRITE);
		else
			written(c);
	}
	release(c);
}

/* --- what libevent calls --- */

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	hold(c);
	run_input(c);
	release(c);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (c->state != CONN_WRITE || evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		return;
	hold(c);
	written(c);
	release(c);
}

static void
handshake_done(struct conn *c)
{
	struct net_peer *p = &c->peer;

	metric_add("muster_tls_handshakes_total", "outcome=\"accepted\"", 1);
	metric_observe(
	    "muster_tls_handshake_seconds", NULL, (double)(clock_mono_us() - c->began_us) / 1e6);
	p->leaf = SSL_get0_peer_certificate(p->ssl);
	p->chain = NULL;
	if (p->leaf != NULL) /* on a server it excludes the leaf (dependencies.md 2.2) */
		p->chain = SSL_get_peer_cert_chain(p->ssl);
	p->own = SSL_get_certificate(p->ssl);
	set_state(c, CONN_IDLE);
	run_input(c);
}

static void
handshake_failed(struct conn *c, const char *why)
{
	unsigned long code = bufferevent_get_openssl_error(c->bev);

	if (why == NULL)
		why = code != 0 ? ERR_reason_error_string(code) : "the client left";
	metric_add("muster_tls_handshakes_total", "outcome=\"failed\"", 1);
	log_line(LOG_INFO_, "%s: TLS handshake with %s failed: %s", c->ls->name, c->peer.address,
	    why != NULL ? why : "unknown");
	ERR_clear_error();
	close_now(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	hold(c);
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		handshake_done(c);
	} else if (c->state == CONN_HANDSHAKE) {
		handshake_failed(c, NULL);
	} else if ((what & BEV_EVENT_EOF) != 0) {
		c->eof = true;
		run_input(c);
	} else if ((what & BEV_EVENT_ERROR) != 0) {
		close_now(c);
	}
	ERR_clear_error();
	release(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	hold(c);
	switch (c->state) {
	case CONN_HANDSHAKE: handshake_failed(c, "it took too long"); break;
	case CONN_HEAD:
		refuse(c, MST_E_HTTP_TIMEOUT, "the request line and headers took too long");
		break;
	case CONN_BODY: refuse(c, MST_E_HTTP_TIMEOUT, "the body took too long"); break;
	case CONN_IDLE:
		say_goodbye(c);
		close_now(c);
		break;
	case CONN_WRITE:
	case CONN_LINGER: close_now(c); break;
	case CONN_HANDLER:
	case CONN_CLOSED: break;
	}
	release(c);
}

/* --- the beginning --- */

static struct bufferevent *
wrap(struct listener *ls, struct net_loop *l, int fd, SSL **ssl)
{
	struct bufferevent *bev;

	*ssl = NULL;
	if (ls->ctx == NULL)
		return bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if ((*ssl = SSL_new(ls->ctx)) == NULL)
		return NULL;
	bev = bufferevent_openssl_socket_new(
	    l->base, fd, *ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL)
		SSL_free(*ssl);
	return bev;
}

static size_t
high_watermark(const struct net_limits *l)
{
	return (size_t)(l->header_bytes > l->body_bytes ? l->header_bytes : l->body_bytes) + 1024;
}

void
conn_accept(struct listener *ls, struct net_loop *l, int fd, const char *address,
    const char *source, const char *counted)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL || (c->bev = wrap(ls, l, fd, &c->peer.ssl)) == NULL) {
		free(c);
		close(fd);
		listener_leave(ls, counted);
		return;
	}
	c->ls = ls;
	c->loop = l;
	snprintf(c->peer.address, sizeof c->peer.address, "%s", address);
	snprintf(c->peer.source, sizeof c->peer.source, "%s", source);
	snprintf(c->peer.counted, sizeof c->peer.counted, "%s", counted);
	c->began_us = clock_mono_us();
	c->next = l->conns;
	if (c->next != NULL)
		c->next->prev = c;
	l->conns = c;
	evtimer_assign(&c->deadline, l->base, on_deadline, c);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, high_watermark(&ls->limits));
	set_state(c, ls->ctx != NULL ? CONN_HANDSHAKE : CONN_IDLE);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

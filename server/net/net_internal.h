/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of server/net share; nobody else includes this. */
#ifndef SERVER_NET_INTERNAL_H
#define SERVER_NET_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>

#include "server/net/head.h"
#include "server/net/net.h"

struct post {
	struct post *next;
	void (*fn)(void *arg);
	void *arg;
};

struct net_loop {
	struct net *net;
	struct event_base *base;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the posts */
	struct post *first_post, **last_post;
	struct event *wake;
	struct net_timer *timers;
	struct conn *conns;
	struct request *requests;
	struct call_pool *pools;
	struct call *failed; /* never started; told so by the next post */
	bool ending; /* net_free has begun: nothing new starts */
	int64_t date_at; /* the second for which date was made */
	char date[32];
};

struct net {
	unsigned count;
	struct net_loop *loops;
	struct listener *listeners;
	struct coaps *coaps;
};

struct route {
	char *path;
	size_t len; /* without the "*" */
	bool prefix;
	unsigned methods;
	net_handler handler;
	void *arg;
	char labels[256]; /* of the metric */
};

struct source; /* a source address with connections open */
#define SOURCE_BUCKETS 1024

struct listener {
	struct listener *next;
	struct net *net;
	char *name;
	char labels[96];
	SSL_CTX *ctx; /* NULL: plain */
	X509 *own;
	struct route *routes;
	size_t route_count;
	struct net_limits limits;
	struct accepter {
		struct listener *ls;
		struct net_loop *loop;
		struct evconnlistener *ev;
		struct event *again; /* after the process ran out of descriptors */
	} * accepters; /* one per loop */
	atomic_long connections;
	pthread_mutex_t lock; /* guards the sources */
	struct source *sources[SOURCE_BUCKETS];
	atomic_llong said_at; /* when a refused connection was last worth a log line */
};

enum conn_state {
	CONN_HANDSHAKE,
	CONN_IDLE, /* between requests */
	CONN_HEAD, /* the first byte of a request is there */
	CONN_BODY, /* its head is parsed */
	CONN_HANDLER, /* the handler has it */
	CONN_WRITE, /* the answer is on its way */
	CONN_LINGER, /* answered and closed by us; what the peer still sends is dropped */
	CONN_CLOSED, /* freed as soon as nothing stands on it */
};

struct conn {
	struct conn *prev, *next; /* of the loop */
	struct listener *ls;
	struct net_loop *loop;
	struct bufferevent *bev;
	struct event deadline; /* absolute: what the peer drips in does not move it */
	enum conn_state state;
	unsigned busy; /* stack frames that still need the struct */
	bool stepping; /* one of them goes through the input */
	bool skipped; /* an empty line before the request line */
	bool close_after; /* after the present answer */
	bool eof; /* the peer sends no more */
	bool dead; /* the peer is gone; waits for the handler */
	long requests;
	char trace[33]; /* of requests that bring none: one id for all that a connection asks */
	size_t lingered;
	int64_t began_us; /* accept, then the first byte of a request */
	struct head_scan scan;
	struct chunked chunked;
	struct evbuffer *body; /* decoded chunks */
	struct request *rq; /* from the end of the head to the answer */
	struct net_peer peer;
};

struct request {
	struct net_request pub; /* first: a handler's pointer is ours */
	struct conn *conn; /* NULL: over CoAPS, or net_free has taken it */
	struct coap_exchange *exchange; /* NULL: over HTTP, or net_free has taken it */
	struct request *prev, *next; /* of the loop */
	const struct route *route;
	struct head head; /* its spans do not outlive the parsing */
	unsigned allowed; /* methods of the path, for Allow */
	bool is_head; /* HEAD: the answer has no body */
};

/* net.c */
void net_set_why(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* listen.c */
/* Name, labels, limits and routes; no socket. */
MST_MUST_USE mst_err listener_new(struct net *n, const struct net_listen *o, struct listener **out);
/* Accepts no more; then, when no connection is left, free. */
void listener_close(struct listener *ls);
void listener_free(struct listener *ls);
/* Counts a connection in; false when a limit forbids it. source: of host/source.h. */
bool listener_admit(struct listener *ls, const char *source);
void listener_leave(struct listener *ls, const char *source);

/* tls.c */
MST_MUST_USE mst_err tls_server(const struct net_listen *o, SSL_CTX **out);
/* For DTLS: a client certificate is mandatory. */
MST_MUST_USE mst_err tls_datagrams(const struct net_listen *o, SSL_CTX **out);

/* conn.c */
void conn_accept(struct listener *ls, struct net_loop *l, int fd, const char *address,
    const char *source, const char *counted);
void conn_free(struct conn *c);
/*
 * Send the answer to the request that was in work (request_free has been
 * called), then go on with this connection or end it: c may be gone after.
 * Takes the content of answer, not the buffer.
 */
void conn_answer(struct conn *c, struct evbuffer *answer);

/* request.c */
struct request *request_new(struct conn *c);
/* Over CoAPS; NULL when out of memory. */
struct request *request_new_coap(struct coap_exchange *x);
void request_free(struct request *r);
/* Fill in what the head says; head.h's refusals. */
MST_MUST_USE mst_err request_read_head(struct request *r, mst_span bytes, const char **why);
/* The route, or the refusal that is due (404, 405). */
MST_MUST_USE mst_err request_route(struct request *r);
void request_dispatch(struct request *r);

/* reply.c */
struct answer {
	int status;
	const char *type;
	mst_span body;
	const struct net_header *headers;
	size_t header_count;
	mst_err err; /* MST_OK: no refusal */
	long wait; /* seconds; -1: none */
};

/* coap.c */
void coaps_free(struct net *n); /* all of them, when the loops have ended */
/* coap_answer.c: takes the request's exchange on; the request is freed here. */
void coap_answer(struct request *r, const struct answer *a);
const char *coap_role(const struct coap_exchange *x);
void coap_close_after(struct coap_exchange *x);

/* call.c */
void calls_end(struct net_loop *l);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS for every role: libevent's bufferevent_openssl, one loop per thread,
 * with a strict HTTP/1.1 reader of our own: deadlines are absolute, and what
 * evhttp lets pass (duplicate Content-Length, missing Host, bare LF, slow
 * drips) is refused by name (est.md section 2; decision 0010). Handlers run on their loop's thread
 * and may answer later, from that thread, by net_post from any other.
 */
#ifndef SERVER_NET_H
#define SERVER_NET_H

#include <openssl/ssl.h>

#include "host/arena.h"
#include "host/cert.h"
#include "host/vocab.h"
#include "muster/voucher.h"

struct net; /* all loops and listeners of the daemon */
struct net_loop; /* one thread */
struct event_base;

struct net_limits { /* zero: the default in brackets */
	long header_bytes; /* request line and headers [16384] */
	long body_bytes; /* [65536] */
	long handshake_ms; /* [10000] from accept to the end of the handshake */
	long header_ms; /* [10000] from the first byte of a request to the end of its headers */
	long body_ms; /* [30000] from the end of the headers to the end of the body */
	long idle_ms; /* [60000] between requests */
	long connections; /* [4000] in all */
	long per_source; /* [200] per source, host/source.h */
	long requests_per_connection; /* [10000] */
};

MST_MUST_USE mst_err net_new(unsigned loops, struct net **out);
/* Runs loop 0 on this thread and the others on theirs, until net_stop. */
MST_MUST_USE mst_err net_run(struct net *n);
/*
 * Any thread; async-signal-unsafe: use from a libevent signal handler. The
 * loops end with the round they are in: answers not yet written are lost.
 */
void net_stop(struct net *n);
/* After net_run. Calls end as MST_E_CANCELLED; requests that nobody answered are freed. */
void net_free(struct net *n);
unsigned net_loops(const struct net *n);
struct net_loop *net_loop_at(struct net *n, unsigned i);
struct event_base *net_loop_base(struct net_loop *l);
/* Run fn(arg) on the loop's thread soon. Any thread. */
void net_post(struct net_loop *l, void (*fn)(void *arg), void *arg);
/* Run fn(arg) after ms, on the loop's thread. NULL when out of memory; cancel frees without
 * running. */
struct net_timer;
struct net_timer *net_after(struct net_loop *l, long ms, void (*fn)(void *arg), void *arg);
void net_cancel(struct net_timer *t);

/* What is known of the other end of a connection; made once per connection. */
struct net_peer {
	char address[64]; /* "192.0.2.1:40000", "[2001:db8::1]:40000" */
	char source[48]; /* the address without port */
	char counted[64]; /* whom limits count it for: source_text() of host/source.h */
	X509 *leaf; /* client certificate, NULL for none */
	STACK_OF(X509) *chain; /* what came with it, leaf excluded; may be NULL */
	X509 *own; /* the certificate this listener showed on this connection */
	SSL *ssl;
	void *note; /* the trust room keeps its classification here */
	void (*note_free)(void *);
	bool http_auth; /* set by est when HTTP Basic succeeded; cleared at each request */
};

enum net_method { NET_GET, NET_POST, NET_HEAD, NET_OTHER };
enum net_wire { NET_HTTP, NET_COAPS };

struct net_request {
	struct net_loop *loop;
	struct arena
	    *arena; /* freed after the answer; 1 MiB limit, or four bodies if that is more */
	struct net_peer *peer;
	enum net_wire wire;
	/*
	 * COAPS: the short name that was asked for, "skc"; NULL over HTTP. path, content_type and
	 * accept are those of HTTP in either case; only bodies differ, which are DER, never base64
	 * (RFC 9148 4.3).
	 */
	const char *short_name;
	enum net_method method; /* a HEAD arrives as NET_GET; its answer's body is left out here */
	const char *path; /* decoded, without query; at most 1 KiB */
	const char *query; /* "" if none */
	const char *content_type, *accept, *user_agent, *authorization; /* NULL absent */
	mst_span body;
	char id[17]; /* request id, hex, also sent as X-Request-Id */
	char trace[33]; /* X-Muster-Trace when it is 16..32 hex digits, else one for the connection
	                 */
	int64_t started_us;
	/* for log lines; the handler fills what it knows */
	mst_span serial;
	const char *manufacturer;
};

typedef void (*net_handler)(struct net_request *rq, void *arg);

struct net_route {
	const char *path; /* exact; a trailing "*" matches any rest; the first that fits wins */
	unsigned methods; /* 1u << NET_GET | ...; HEAD is implied by GET */
	net_handler handler;
	void *arg;
};

struct net_listen {
	const char *name; /* "registrar": role in log lines and metrics */
	const char *address; /* "0.0.0.0:8443", "[::]:8443"; port 0 picks one */
	X509 *cert; /* NULL: plain HTTP, allowed on loopback addresses only */
	EVP_PKEY *key;
	const STACK_OF(X509) *chain;
	bool ask_client_cert; /* requests one; whatever comes is accepted by TLS and judged by trust
	                         (fail closed there) */
	const struct net_route *routes;
	size_t route_count;
	struct net_limits limits;
};
/* Before net_run. Everything in o is copied or referenced. Bound and listening when it returns.
 * *port gets the port. MST_E_IO with net_why(). */
MST_MUST_USE mst_err net_listen(struct net *n, const struct net_listen *o, int *port);
const char *net_why(void);

/* --- CoAPS: RFC 9148, draft-ietf-anima-constrained-voucher 6 --- */

struct net_coaps_limits { /* zero: the default in brackets */
	long sessions; /* [1000] DTLS associations in all */
	long per_source; /* [200] per source (host/source.h); a stateless join proxy is one */
	/* Of those that knows() does not know: how many, [a quarter of per_source], and how long
	 * [60000]. Where a bound is reached they are the first to give way, however much they say.
	 */
	long strangers_per_source, stranger_ms;
	long handshakes; /* [200] not yet finished, in all */
	long handshakes_per_source; /* [32] */
	long handshake_rate, handshake_burst; /* [20] a second per source, [100] at once */
	/* All pledges of a stateless join proxy are one source; these are its instead. */
	long handshakes_per_proxy; /* [128] */
	long proxied_rate, proxied_burst; /* [100], [five times the rate] */
	long handshake_ms; /* [30000] */
	long idle_ms; /* [300000] */
	long yield_ms; /* [5000] so long silent, a session gives way where a bound is reached */
	long body_bytes; /* [32768] of a request or answer (CO-4) */
	long body_total; /* [4194304] of all requests that are still in pieces */
	long block_ms; /* [60000] until a request in pieces is forgotten */
};

struct sockaddr_in6;
struct datagram_path;
/*
 * Who really is behind a loopback socket that stands for a pledge of a
 * stateless join proxy, and where that came to; false, and real stays: nobody else.
 */
typedef bool (*net_coaps_alias)(
    void *arg, const struct sockaddr_in6 *from, struct datagram_path *real);

struct net_coaps {
	const char *name; /* role in log lines and metrics */
	const char *address; /* "[::]:5684"; port 0 picks one */
	X509 *cert; /* with an EC or EdDSA key: all suites are ECDSA */
	EVP_PKEY *key;
	const STACK_OF(X509) *chain;
	/* The same routes as for HTTPS; coap_table.h says which are reached by which short name. */
	const struct net_route *routes;
	size_t route_count;
	const char *hide; /* short names that are off here, separated by spaces; NULL: none */
	struct net_coaps_limits limits;
	net_coaps_alias alias;
	void *alias_arg;
	/* Whether the certificate is of any worth here; NULL: each is. Once for a session, when it
	 * begins; what it keeps in peer->note stays. */
	bool (*knows)(void *arg, struct net_peer *peer);
	void *knows_arg;
};
/*
 * As net_listen, for CoAP over DTLS 1.2 on one UDP port; everything of it runs
 * on loop 0. A client certificate is mandatory and judged by trust. MST_E_IO,
 * MST_E_UNSUPPORTED (an RSA certificate, or an OpenSSL without AES_128_CCM_8), with net_why().
 */
MST_MUST_USE mst_err net_listen_coaps(struct net *n, const struct net_coaps *o, int *port);

struct net_header {
	const char *name, *value;
};

/*
 * Answer. Over COAPS headers are left out, the status becomes a CoAP code, the
 * type a content-format, and a body that the resource's answer does not have
 * in coap_table.h is left out. Over HTTP always with Content-Length, canonical header case (est.md
 * H2..H7), X-Request-Id. The request is gone afterwards. Safe when the client has left.
 */
void net_reply(struct net_request *rq, int status, const char *content_type, mst_span body,
    const struct net_header *headers, size_t header_count);
/*
 * Refuse by name: status of err.def, text/plain "MU-2103 sentence (request id)\n",
 * Retry-After on 202/429/503 (202: no body, est.md H7), and the connection is
 * closed where the clause wants it (PVR_ASSERTION, PVR_PROXIMITY, binding).
 * Over COAPS: the code of err.def, the sentence as diagnostic payload, Max-Age.
 * Writes the decision's log line and counter as (role of listener, step, e).
 */
void net_refuse(struct net_request *rq, enum step step, mst_err e, const char *detail);
/* As net_refuse with seconds for Retry-After. */
void net_wait(
    struct net_request *rq, enum step step, mst_err e, long retry_after, const char *detail);
/* Log line and counter of an accepted step (does not answer). */
void net_accept(struct net_request *rq, enum step step, const char *detail);
/* The connection is closed once the present answer is out. */
void net_close_after(struct net_request *rq);
/* Content-Type equals type, parameters and case ignored (est.md U5). */
bool net_is_type(const char *content_type, const char *type);
/* est.md L3, L4: the channel binding of this connection as the server sees it, raw (12 or 32
 * bytes). MST_E_UNSUPPORTED. */
MST_MUST_USE mst_err net_binding(struct net_request *rq, struct mst_buf *out);

/*
 * /metrics, /healthz and /readyz for a plain listener on loopback. ready says
 * whether the daemon can do its work and, when not, why, in words (one line);
 * it runs on the loop's thread. ops must outlive the listener.
 */
#define NET_OPS_ROUTES 3
struct net_ops {
	bool (*ready)(void *arg, char *words, size_t cap); /* NULL: always */
	void (*refresh)(void *arg); /* set gauges before /metrics is answered; NULL: none */
	void *arg;
};
void net_ops_routes(struct net_ops *ops, struct net_route routes[NET_OPS_ROUTES]);

/* --- client: libcurl multi on the same loop --- */
struct net_call {
	const char *url; /* https only */
	const char *method;
	const char *content_type, *accept, *trace;
	mst_span body; /* copied */
	const struct anchors *anchors; /* NULL: the system's WebPKI store. Must outlive the call */
	X509 *cert;
	EVP_PKEY *key;
	const STACK_OF(X509) *chain; /* client credential or NULL */
	const char *user, *password; /* HTTP Basic or NULL */
	long timeout_ms; /* whole call */
	size_t limit; /* of the answer's body */
	const char *pool; /* calls with the same name share kept-alive connections and a concurrency
	                     limit */
	unsigned pool_limit;
};
struct net_answer {
	mst_err err; /* MST_OK: an HTTP answer came, whatever its status. MST_E_MASA_UNREACHABLE,
	                _TLS, MST_E_TIMEOUT, MST_E_HTTP_BODY_LIMIT, MST_E_MASA_BUSY: pool limit and
	                queue full */
	int status;
	int64_t retry_after; /* -1 absent */
	const char *content_type, *location;
	mst_span body; /* borrowed for the callback */
	const char *why;
};
typedef void (*net_call_done)(void *arg, const struct net_answer *answer);
/* done is always called exactly once, later, on the loop's thread. Redirects are never followed. */
void net_call_start(struct net_loop *l, const struct net_call *call, net_call_done done, void *arg);

#endif

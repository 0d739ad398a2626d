/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS client for agent and command line, over libcurl's easy interface
 * (dependencies.md 3 has the traps). One client is one peer: the connection
 * is kept, TLS options never change between its requests, no session cache,
 * no early data, no proxy, no redirect followed by itself, HTTP/1.1, TLS 1.2
 * or 1.3. Not for several threads at once.
 */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/cert.h"
#include "muster/crypto.h"

struct http_client;

enum http_trust {
	/*
	 * Any chain, no SNI (brski.md TLS-3, TLS-4): the caller judges the chain
	 * that http_begin shows; TLS itself verifies the handshake signature. The
	 * judgement is about one connection: http_send uses that one or refuses.
	 */
	HTTP_PROVISIONAL,
	/* Must chain to .anchors, be good for a TLS server and bear the host's name in
	   subjectAltName (RFC 9525). */
	HTTP_ANCHORS,
};

/* Everything is borrowed until http_close. */
struct http_options {
	const char
	    *base; /* "https://host:port"; "https://[fe80::1%25eth0]:port" for a scoped address */
	enum http_trust trust;
	const struct anchors *anchors; /* needed for HTTP_ANCHORS */
	X509 *cert; /* client certificate, key and chain; NULL for none */
	EVP_PKEY *key;
	const STACK_OF(X509) *chain;
	long connect_timeout_ms; /* TCP and TLS; 0: 10 s */
	long stall_timeout_ms; /* no byte in either direction; 0: 30 s */
	long total_timeout_ms; /* one exchange whole; 0: 120 s */
	const char *user, *password; /* HTTP Basic, HTTP_ANCHORS only (est.md T6); NULL for none */
	const char *user_agent; /* NULL: "muster/VERSION" */
	const char *trace; /* X-Muster-Trace of every request, 16 to 32 hex digits; NULL for none */
};
/* MST_E_USAGE when the options contradict each other, MST_E_NOMEM. */
MST_MUST_USE mst_err http_open(const struct http_options *o, struct http_client **out);
void http_close(struct http_client *c); /* NULL allowed */
/*
 * How long a peer may let nothing move, and how long the exchange may take in
 * all, counted from now: for the next exchange, or, called from http_first_fn,
 * for the one under way. A peer that sends a byte a second ends with the
 * second. 0: as http_options said. Neither may be longer than there.
 */
void http_set_patience(struct http_client *c, long stall_ms, long total_ms);

struct http_request {
	const char *method; /* "GET" or "POST" */
	const char *path; /* "/.well-known/..." */
	const char *content_type, *accept; /* NULL for none */
	mst_span body; /* sent with Content-Length, never chunked */
	/* RFC 9110 14.2, 13.1.5: "bytes=0-1023", and the ETag that the parts had so far; NULL for
	 * none. */
	const char *range, *if_range;
};

struct http_answer {
	int status;
	int64_t retry_after; /* seconds, HTTP-dates converted with the wall clock; -1 absent */
	const char *content_type, *location,
	    *request_id; /* in the arena; NULL absent; location is absolute */
	const char *content_range, *etag; /* the same */
	mst_span body; /* in the arena; empty, not absent, when there is none */
	long new_connections; /* 0: the connection was reused */
};

/*
 * Called once TLS is done and before anything is sent: the server's chain, EE
 * first; fill the request (its spans and strings must live until http_begin
 * returns). http_binding may be called here. Anything but MST_OK closes the
 * connection without a request.
 */
typedef mst_err (*http_first_fn)(
    void *arg, const struct mst_chain *server, struct http_request *fill);

/*
 * Drop the connection there may be, open a fresh one and make the first
 * exchange on it, whose content may depend on who answers: a PVR carries the
 * registrar's certificate (RFC 8995 5.5). Errors: those of http_send and of fn.
 */
MST_MUST_USE mst_err http_begin(struct http_client *c, struct arena *a, http_first_fn fn, void *arg,
    size_t limit, struct http_answer *out);

/*
 * One exchange. HTTP_PROVISIONAL: on the connection of http_begin, else
 * MST_E_UNREACHABLE with nothing sent (TLS-5). Any status is MST_OK.
 * MST_E_UNREACHABLE, _TIMEOUT, MST_E_TLS, MST_E_X509_HOST, the errors of
 * chain_verify, MST_E_HTTP_BODY_LIMIT (answer larger than limit),
 * MST_E_HTTP_MALFORMED, MST_E_USAGE. http_why() has words.
 */
MST_MUST_USE mst_err http_send(struct http_client *c, struct arena *a, const struct http_request *r,
    size_t limit, struct http_answer *out);

/* The chain of the latest connection, EE first; spans live until the next connection.
 * MST_E_NOT_FOUND before the first. */
MST_MUST_USE mst_err http_server_chain(struct http_client *c, struct mst_chain *out);
/* Channel binding of the latest connection as est.md L3 and L4 want it, raw. MST_E_UNSUPPORTED if
 * there is none, MST_E_SPACE. */
MST_MUST_USE mst_err http_binding(struct http_client *c, struct mst_buf *out);
const char *http_why(void);

#endif

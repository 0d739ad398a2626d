/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS client for agent and command line, over libcurl's easy interface
 * (dependencies.md 3 has the traps). One handle is one peer: the connection
 * is kept, TLS options never change between its requests, no session cache,
 * no proxy, no redirect followed by itself.
 */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/cert.h"
#include "muster/crypto.h"

struct http_client;

enum http_trust {
	HTTP_PROVISIONAL, /* any chain: the caller judges it (RFC 8995 5.1); the handshake signature is verified by TLS itself */
	HTTP_ANCHORS,	  /* must chain to .anchors and bear the host's name */
};

struct http_options {
	const char *base; /* "https://host:port" */
	enum http_trust trust;
	const struct anchors *anchors;
	X509 *cert; /* client certificate, key and chain; NULL for none */
	EVP_PKEY *key;
	const STACK_OF(X509) *chain;
	long connect_timeout_ms, stall_timeout_ms, total_timeout_ms;
	const char *user, *password; /* HTTP Basic, only sent on HTTP_ANCHORS; NULL for none */
	const char *user_agent;
};
MST_MUST_USE mst_err http_open(const struct http_options *o, struct http_client **out);
void http_close(struct http_client *c);

struct http_answer {
	int status;
	int64_t retry_after; /* seconds, HTTP-dates converted; -1 absent */
	const char *content_type, *location, *request_id; /* in the arena; NULL absent */
	mst_span body; /* in the arena */
	long new_connections; /* 0: the connection was reused (dependencies.md 3: assert it after the voucher) */
};
/* Method "GET" or "POST". MST_E_UNREACHABLE, _TIMEOUT, MST_E_MASA_TLS (TLS refused the server), MST_E_HTTP_BODY_LIMIT. http_why() has words. */
MST_MUST_USE mst_err http_send(struct http_client *c, struct arena *a, const char *method, const char *path,
    const char *content_type, const char *accept, mst_span body, size_t limit, struct http_answer *out);
/* TLS handshake only, so that the chain can be seen before the first request. */
MST_MUST_USE mst_err http_connect(struct http_client *c);
/* The server's chain, EE first, as it was shown on the present connection; spans live until the next connect. */
MST_MUST_USE mst_err http_server_chain(struct http_client *c, struct mst_chain *out);
/* Channel binding of the present connection as est.md L3/L4 wants it. MST_E_UNSUPPORTED if there is none. */
MST_MUST_USE mst_err http_binding(struct http_client *c, struct mst_buf *out);
const char *http_why(void);

#endif

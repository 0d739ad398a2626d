/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS half of the HTTPS client: between http.c and http_tls.c only. */
#ifndef HOST_HTTP_TLS_H
#define HOST_HTTP_TLS_H

#include <openssl/ssl.h>

#include "host/http.h"

#define BINDING_MAX 64

/* What is known of one connection, and what it was refused for. */
struct http_tls {
	const struct http_options *o;
	const char *host; /* without brackets and scope */
	struct mst_chain chain;
	uint8_t *der[MST_CHAIN_MAX]; /* OpenSSL's; what chain points to */
	uint8_t binding[BINDING_MAX];
	size_t binding_len; /* 0: none */
	mst_err err; /* why the server's certificate was refused */
	char why[256];
};

/* Prepare the context of a connection to be. 0, or -1 when OpenSSL does not take it. */
int http_tls_context(struct http_tls *t, SSL_CTX *ctx);
/* Keep chain and binding of a connection whose handshake is done. */
MST_MUST_USE mst_err http_tls_capture(struct http_tls *t, SSL *ssl);
/* Forget the chain and the binding. */
void http_tls_wipe(struct http_tls *t);

#endif

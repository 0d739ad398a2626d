/* SPDX-License-Identifier: Apache-2.0 */
/* A server with everything a test needs behind real loopback TLS, and a client that can misbehave.
 */
#ifndef TESTS_UNIT_NET_SUPPORT_NET_H
#define TESTS_UNIT_NET_SUPPORT_NET_H

#include <pthread.h>

#include "server/net/net.h"

/* Made once per program: a CA with intermediate, a server's and a client's certificate. */
struct pki {
	EVP_PKEY *ca_key, *sub_key, *server_key, *client_key, *other_key;
	X509 *ca, *sub, *server, *client; /* client is issued by sub */
	X509 *other_ca; /* nobody trusts it */
	X509 *stranger; /* of other_ca, key is client_key, expired */
	X509 *cn_only; /* names localhost in its subject alone; key is server_key */
	STACK_OF(X509) *client_chain; /* sub */
};
const struct pki *pki(void);
mst_span pki_pem(struct arena *a, X509 *cert);

struct world {
	struct net *net;
	pthread_t thread;
	int port;
	int cn_port; /* the same routes behind the cn_only certificate, 0 if not asked for */
	int plain; /* without TLS: ops routes and the others */
	bool ready; /* what /readyz says */
	int handled; /* requests that reached a handler */
	struct net_ops ops;
};
enum { WORLD_PLAIN_TOO = 1, WORLD_CN_TOO = 2 };
void world_start(struct world *w, const struct net_limits *limits, unsigned loops, unsigned what);
void world_stop(struct world *w);
/* A sample of /metrics text, or 0. */
double world_metric(const char *series);

/* The client. tls NULL: plain. */
struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *tls;
	size_t sent;
};
struct client_options {
	int version; /* TLS1_2_VERSION, TLS1_3_VERSION or 0 */
	X509 *cert;
	EVP_PKEY *key;
	const STACK_OF(X509) *chain;
	const char *alpn; /* wire form */
	const char *sni;
	bool plain;
	const char *from; /* source address */
};
/* Fails the test when it cannot. */
void client_open(struct client *c, int port, const struct client_options *o);
/* False when TLS (or TCP) fails. */
bool client_try(struct client *c, int port, const struct client_options *o);
void client_close(struct client *c);
/* False once the peer is gone. */
bool client_send(struct client *c, const void *bytes, size_t len);
bool client_say(struct client *c, const char *text);

struct reply {
	int status; /* 0: the connection ended without an answer */
	char head[2048];
	char *body; /* NUL behind it */
	size_t len;
	size_t first_read; /* bytes that the first read gave */
};
/* One answer, by its Content-Length; no_body: to a HEAD. */
struct reply client_read(struct client *c, bool no_body);
struct reply client_ask(struct client *c, const char *text);
void reply_free(struct reply *r);
/* The peer closed: true within the receive timeout. */
bool client_ended(struct client *c);
/* The value of a header by its exact case; NULL absent. Static storage. */
const char *reply_header(const struct reply *r, const char *name);

#endif

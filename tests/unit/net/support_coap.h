/* SPDX-License-Identifier: Apache-2.0 */
/* A CoAPS listener with handlers for tests, and a client over OpenSSL that can misbehave. */
#ifndef TESTS_UNIT_NET_SUPPORT_COAP_H
#define TESTS_UNIT_NET_SUPPORT_COAP_H

#include <pthread.h>

#include "server/net/coap_msg.h"
#include "server/net/coap_table.h"
#include "tests/unit/net/support_net.h"

struct coap_world {
	struct net *net;
	pthread_t thread;
	int port;
	int handled; /* requests that reached a handler */
	int64_t answer_ms; /* of sren: how long it takes */
	pthread_mutex_t lock;
	char last[1024]; /* for coap_last */
};
void coap_world_start(struct coap_world *w, const struct net_coaps_limits *limits);
void coap_world_open(struct coap_world *w, const struct net_coaps *o); /* with these options */
void coap_world_stop(struct coap_world *w);
int coap_handled(struct coap_world *w);
/* What a handler saw of its request: a copy, until the next call. */
const char *coap_last(struct coap_world *w);

struct coap_client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	unsigned mid;
	uint8_t token;
};
struct coap_client_options {
	const char *ciphers; /* NULL: CCM_8 */
	X509 *cert; /* NULL: the pki's client; none with anonymous */
	EVP_PKEY *key;
	bool anonymous;
	uint8_t fragment; /* TLSEXT_max_fragment_length_512 */
	int local_port; /* 0: any */
	long patience_ms; /* for one flight of the handshake; 0: 8 s, which only a hang takes */
};
/* False when the handshake fails. */
bool coap_client_try(struct coap_client *c, int port, const struct coap_client_options *o);
void coap_client_open(struct coap_client *c, int port, const struct coap_client_options *o);
/* Ready for SSL_connect, which does not block. */
void coap_client_prepare(struct coap_client *c, int port, const struct coap_client_options *o);
/*
 * A ClientHello, the same with its cookie, then silence whatever the server
 * sends. SSL_set0_rbio to the writing BIO lets it go on.
 */
void coap_client_begin(struct coap_client *c, int port);
void coap_client_close(struct coap_client *c);

struct coap_sent { /* a message under construction */
	uint8_t bytes[2048];
	struct mst_buf out;
	struct mst_coap_writer w;
	unsigned mid;
};
void coap_begin(struct coap_client *c, struct coap_sent *m, enum mst_coap_type type, unsigned code);
/* In pieces at "/"; "" for none. */
void coap_path(struct coap_sent *m, const char *path);
void coap_send_it(struct coap_client *c, struct coap_sent *m);

struct coap_got {
	uint8_t bytes[2048];
	size_t len;
	struct coap_msg m;
};
/* The next message; false when none comes in ms. */
bool coap_get(struct coap_client *c, struct coap_got *g, long ms);
/* Value of an option as number; -1: absent. */
long coap_number(const struct coap_got *g, unsigned option);
struct mst_coap_block coap_block_of(const struct coap_got *g, unsigned option);
bool coap_says(const struct coap_got *g, const char *text);

/* One request in one message, answered in one; -1 leaves an option out. */
struct coap_ask {
	unsigned code;
	const char *path, *query;
	long format, accept, block1, block2; /* blocks: raw value */
	mst_span payload;
};
#define COAP_ASK_GET(p) ((struct coap_ask){ COAP_GET, (p), NULL, -1, -1, -1, -1, MST_NONE })
#define COAP_ASK_POST(p, f, body)                                                                  \
	((struct coap_ask){ COAP_POST, (p), NULL, (f), -1, -1, -1, (body) })
void coap_compose(struct coap_client *c, struct coap_sent *m, const struct coap_ask *a);
void coap_ask(struct coap_client *c, const struct coap_ask *a, struct coap_got *g);

#endif

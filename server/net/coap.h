/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoAP over sessions of dtls.h: messages, duplicates and retransmissions
 * (coap.c), requests and their blocks (coap_request.c), answers and theirs
 * (coap_answer.c). What they share; nobody else includes this.
 */
#ifndef SERVER_NET_COAP_H
#define SERVER_NET_COAP_H

#include "server/net/coap_msg.h"
#include "server/net/coap_table.h"
#include "server/net/dtls.h"
#include "server/net/net_internal.h"

#define COAP_EXCHANGES 32 /* kept per session, for duplicates */
#define COAP_RESULTS 4 /* answers in pieces, kept per session */
#define COAP_WORKING 4 /* requests in work per session; NSTART is 1 */
#define COAP_LIFETIME_MS 247000 /* RFC 7252 4.8.2: EXCHANGE_LIFETIME */
#define COAP_ACK_MS 1000 /* an answer that takes longer comes separately (est.md M3) */
#define COAP_SZX_DEFAULT 4 /* 256 bytes: CO-4 */
#define COAP_DATAGRAM 1280
#define COAP_KEY_MAX (COAP_PATH_MAX + COAP_QUERY_MAX + 32)

enum coap_state {
	COAP_WORKING_ON, /* nothing sent yet */
	COAP_ACKED, /* an empty ACK was sent; the answer comes separately */
	COAP_REPLIED, /* in the ACK, or the request was a NON */
	COAP_SEPARATE, /* our CON waits for its ACK */
	COAP_DONE,
};

/* A request and its answer; kept after that for duplicates (RFC 7252 4.5). */
struct coap_exchange {
	struct coap_exchange *next; /* of the session, newest first */
	struct coap_session *session;
	enum coap_state state;
	bool con;
	unsigned mid, own_mid; /* own: of our CON */
	uint8_t token[MST_COAP_TOKEN_MAX];
	size_t token_len;
	int64_t at_ms;
	struct request *rq; /* while a handler has it */
	struct event timer; /* the ACK that is due, then retransmissions */
	unsigned tries;
	long timeout_ms;
	uint8_t *reply; /* datagram, to be sent again */
	size_t reply_len;
	/* what the answer needs of the request */
	const struct coap_resource *resource; /* NULL: none, or discovery */
	bool discovery, get, wants_size2;
	struct mst_coap_block block1, block2;
	uint8_t etags[2][COAP_ETAG_MAX];
	size_t etag_len[2];
	char *key; /* of the result */
};

/* An answer that is fetched in pieces; POST's must not be made again (est.md M2). */
struct coap_result {
	struct coap_result *next;
	char *key;
	unsigned code;
	long format; /* -1: none */
	uint8_t etag[COAP_ETAG_MAX];
	bool has_etag;
	int64_t at_ms;
	uint8_t *body;
	size_t len;
};

/* A request that comes in pieces: one per session. */
struct coap_assembly {
	char *key; /* NULL: none */
	long format;
	uint8_t *bytes;
	size_t len, cap;
	int64_t at_ms;
};

struct coap_session {
	struct coap_session *prev, *next;
	struct coaps *coaps;
	struct dtls_session *dtls;
	bool dead; /* the association is over; a handler still has a request */
	bool ending; /* closed when the last answer has had its time */
	int64_t ending_ms;
	struct net_peer peer;
	char trace[33];
	unsigned next_mid;
	unsigned working; /* exchanges with a request */
	unsigned count;
	struct coap_exchange *exchanges;
	struct coap_result *results;
	struct coap_assembly up;
};

struct coaps {
	struct coaps *next; /* of the net */
	struct net *net;
	struct net_loop *loop;
	struct listener *ls; /* name, labels, routes, limits */
	SSL_CTX *ctx;
	struct dtls *dtls;
	struct net_coaps_limits limits;
	char *hide;
	bool (*knows)(void *arg, struct net_peer *peer); /* or NULL */
	void *knows_arg;
	size_t assembled; /* bytes in all assemblies */
	struct coap_session *sessions;
	struct event *sweep;
};

/* coap.c */
int64_t coap_now(void);
void coap_count(struct coaps *c, const char *reason);
/* Sends the bytes as what the exchange's state wants, keeps them, and goes on in its life. */
void coap_deliver(struct coap_exchange *x, unsigned code,
    void (*options)(struct mst_coap_writer *w, void *arg), void *arg);
/* The handler has answered: nothing of the request is needed any more. */
void coap_worked(struct coap_exchange *x);
/* Of a session that is dead and has no work. */
void coap_session_free(struct coap_session *s);
bool coap_hidden(const struct coaps *c, const struct coap_resource *r);

/* coap_request.c */
void coap_take(struct coap_exchange *x, const struct coap_msg *m);
void coap_assembly_drop(struct coap_session *s);

/* coap_answer.c */
void coap_continue(struct coap_exchange *x);
/* A further piece of an answer that is kept; false when it is not. */
bool coap_follow(struct coap_exchange *x);
void coap_result_free(struct coap_result *r);

#endif

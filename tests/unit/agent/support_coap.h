/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CoAPS server in one thread, on OpenSSL's DTLS alone: it reads and writes
 * messages with code of its own, so that client and server cannot be wrong in
 * the same way. One association at a time. It plays tricks with messages; what
 * it serves is up to a function.
 */
#ifndef UNIT_AGENT_SUPPORT_COAP_H
#define UNIT_AGENT_SUPPORT_COAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "unit/agent/support_pki.h"

#define COAP_TOY_BODY 65536

struct coap_toy_request {
	int method; /* 1 GET, 2 POST */
	char path[96]; /* "/.well-known/est/sen" */
	int format, accept; /* -1: none */
	const uint8_t *body;
	size_t len;
	X509 *client; /* borrowed */
};
struct coap_toy_answer {
	int code; /* 205 */
	int format, max_age; /* -1: none */
	uint8_t body[COAP_TOY_BODY];
	size_t len;
};

enum coap_toy_trick {
	COAP_TOY_PLAIN,
	COAP_TOY_SEPARATE, /* empty ACK, then the answer as a CON of its own */
	COAP_TOY_TWICE, /* the same, and the CON once more */
	COAP_TOY_SEPARATE_FIRST, /* the CON before any ACK */
	COAP_TOY_NON, /* the answer as a NON */
	COAP_TOY_RESET,
	COAP_TOY_SILENT,
	COAP_TOY_CRITICAL, /* an option that is critical and unknown */
	COAP_TOY_GARBAGE, /* what is no message, then the answer */
	COAP_TOY_STRANGER, /* an answer to another token, then the right one */
	COAP_TOY_PING, /* a CON that is empty, and a request, before the answer */
	COAP_TOY_GAP, /* skips the second block of an answer */
	COAP_TOY_SHORT, /* a block that is not the last and not full */
	COAP_TOY_ETAG, /* another ETag from the second block on */
	COAP_TOY_FORMAT, /* another Content-Format from the second block on */
	COAP_TOY_BREAKS, /* 4.08 to the second block of an answer */
	COAP_TOY_ENDLESS, /* always more */
	COAP_TOY_WRONG_CONTINUE, /* 2.31 for another block */
	COAP_TOY_ALWAYS_CONTINUE, /* 2.31 also to the last */
	COAP_TOY_TOO_LARGE, /* 4.13 with a smaller block size, once */
	COAP_TOY_NO_PONG, /* no word to a ping */
	COAP_TOY_SLOW, /* 100 ms before each answer */
	COAP_TOY_HANGS_UP, /* close_notify instead of an answer */
};

struct coap_toy {
	void (*serve)(
	    struct coap_toy *t, const struct coap_toy_request *q, struct coap_toy_answer *r);
	void *arg;
	const struct pki *id;
	X509 *above; /* shown behind it; NULL: none */
	/* The script; set before a client comes. */
	enum coap_toy_trick trick;
	unsigned szx; /* of the largest pieces it takes and gives; 6 */
	int drop; /* so many messages are lost on their way to it */
	int cut_at; /* hang up instead of answering the n-th request served, once */
	const char *ciphers;

	/* What was seen */
	atomic_int associations, messages, served, acks, resets, pings, certs, sni, fragment,
	    largest;
	char cipher[64];

	int port, fd;
	char base[64];
	atomic_bool stop, runs;
	pthread_t thread;
};

void coap_toy_start(struct coap_toy *t, const struct pki *id, X509 *above,
    void (*serve)(struct coap_toy *, const struct coap_toy_request *, struct coap_toy_answer *),
    void *arg);
void coap_toy_stop(struct coap_toy *t);
void coap_toy_forget(struct coap_toy *t);

#endif

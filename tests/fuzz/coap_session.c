/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer with a good DTLS session and bad intentions: datagrams in any order
 * into the message layer, handlers that answer at once, later or never, and
 * sessions that end in between. DTLS is left out: dtls.h's functions are here.
 * Each step of the input is a byte of what to do and, for a datagram, a length.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/log.h"
#include "server/net/coap.h"

#define SESSIONS 3
#define WAITING 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct dtls {
	struct dtls_config c;
	struct dtls_session *sessions[SESSIONS];
};
struct dtls_session {
	struct dtls *d;
	SSL *ssl;
	void *note;
	int pins;
	bool ended;
};

static struct dtls *endpoint;
static struct net_request *waiting[WAITING];
static size_t waiting_count;
static size_t room = 1152;

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* --- dtls.h --- */

mst_err
dtls_open(const struct dtls_config *c, struct event_base *base, struct dtls **out, int *port)
{
	(void)base;
	want((endpoint = calloc(1, sizeof *endpoint)) != NULL);
	endpoint->c = *c;
	*out = endpoint;
	*port = 1;
	return MST_OK;
}

static void
open_session(size_t i)
{
	struct dtls_session *s = calloc(1, sizeof *s);

	want(s != NULL && (s->ssl = SSL_new(endpoint->c.ctx)) != NULL);
	s->d = endpoint;
	endpoint->sessions[i] = s;
	endpoint->c.opened(endpoint->c.arg, s);
}

void
dtls_end(struct dtls_session *s)
{
	struct dtls *d = s->d;

	want(!s->ended);
	s->ended = true;
	for (size_t i = 0; i < SESSIONS; i++)
		if (d->sessions[i] == s)
			d->sessions[i] = NULL;
	d->c.closed(d->c.arg, s);
}

void
dtls_end_all(struct dtls *d)
{
	for (size_t i = 0; i < SESSIONS; i++)
		if (d->sessions[i] != NULL)
			dtls_end(d->sessions[i]);
}

void
dtls_free(struct dtls *d)
{
	free(d);
}

void
dtls_release(struct dtls_session *s)
{
	want(s->ended);
	SSL_free(s->ssl);
	free(s);
}

mst_err
dtls_send(struct dtls_session *s, mst_span message)
{
	struct coap_msg m;
	bool header;

	want(!s->ended);
	want(message.len <= room);
	want(coap_msg_parse(message, &m, &header) == MST_OK); /* we never say what is malformed */
	return MST_OK;
}

size_t
dtls_room(const struct dtls_session *s)
{
	(void)s;
	return room;
}

void
dtls_pin(struct dtls_session *s, int by)
{
	s->pins += by;
	want(s->pins >= 0);
}

SSL *
dtls_ssl(const struct dtls_session *s)
{
	return s->ssl;
}

const char *
dtls_address(const struct dtls_session *s)
{
	(void)s;
	return "[2001:db8::1]:40000";
}

const char *
dtls_source(const struct dtls_session *s)
{
	(void)s;
	return "2001:db8::1";
}

const char *
dtls_counted(const struct dtls_session *s)
{
	(void)s;
	return "peer";
}

void
dtls_set_stranger(struct dtls_session *s)
{
	want(!s->ended);
}

void
dtls_set_note(struct dtls_session *s, void *note)
{
	s->note = note;
}

void *
dtls_note(const struct dtls_session *s)
{
	return s->note;
}

/* --- handlers --- */

static void
answer(struct net_request *rq)
{
	static const uint8_t large[3000];
	uint8_t how = rq->body.len > 0 ? rq->body.ptr[0] : 0;

	if (how % 4 == 1)
		net_refuse(rq, STEP_ENROLL, MST_E_PVR_PROXIMITY, NULL);
	else if (how % 4 == 2)
		net_wait(rq, STEP_ENROLL, MST_E_EST_PENDING, how, NULL);
	else
		net_reply(rq, 200, rq->accept != NULL ? rq->accept : COAP_TYPE_CERTS,
		    mst_span_of(large, how % 4 == 3 ? sizeof large : how), NULL, 0);
}

static void
at_once(struct net_request *rq, void *arg)
{
	(void)arg;
	want(rq->body.ptr != NULL && rq->path != NULL && rq->query != NULL);
	answer(rq);
}

static void
later(struct net_request *rq, void *arg)
{
	(void)arg;
	if (waiting_count < WAITING)
		waiting[waiting_count++] = rq;
	else
		answer(rq);
}

/* --- the world --- */

static X509 *cert;
static EVP_PKEY *key;

static void
make_credential(void)
{
	log_open("fuzz", LOG_TEXT, LOG_ERROR_ + 1, 2);
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	want(key != NULL && cert != NULL);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	want(X509_sign(cert, key, EVP_sha256()) > 0);
}

static struct net *
start(void)
{
	static const struct net_route routes[] = {
		{ COAP_EST "/simpleenroll", 1U << NET_POST, at_once, NULL },
		{ COAP_EST "/simplereenroll", 1U << NET_POST, later, NULL },
		{ COAP_EST "/cacerts", 1U << NET_GET, at_once, NULL },
		{ COAP_EST "/csrattrs", 1U << NET_GET, later, NULL },
		{ COAP_BRSKI "/enrollstatus", 1U << NET_POST, at_once, NULL },
	};
	const struct net_coaps o = { .name = "fuzz",
		.address = "[::1]:0",
		.cert = cert,
		.key = key,
		.routes = routes,
		.route_count = sizeof routes / sizeof routes[0],
		.limits = { .body_bytes = 4096, .body_total = 6000 } };
	struct net *n;
	int port;

	want(net_new(1, &n) == MST_OK && net_listen_coaps(n, &o, &port) == MST_OK);
	return n;
}

/* One step; how many bytes of the input it took. */
static size_t
step(const uint8_t *data, size_t size)
{
	size_t i = data[0] % SESSIONS, len = size > 1 ? data[1] : 0;

	switch (data[0] >> 4) {
	case 0: /* an answer that was waited for */
		if (waiting_count > 0)
			answer(waiting[--waiting_count]);
		return 1;
	case 1: /* the session ends */
		if (endpoint->sessions[i] != NULL)
			dtls_end(endpoint->sessions[i]);
		return 1;
	case 2: room = data[0] & 8 ? 512 : 1152; return 1;
	default: break;
	}
	if (endpoint->sessions[i] == NULL)
		open_session(i);
	if (len > size - 2)
		len = size - 2;
	if (size > 2) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		want(exact != NULL);
		memcpy(exact, data + 2, len);
		endpoint->c.received(
		    endpoint->c.arg, endpoint->sessions[i], mst_span_of(exact, len));
		free(exact);
	}
	return 2 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net *n; /* a listener costs more than a run */
	size_t at = 0;

	if (cert == NULL)
		make_credential();
	if (n == NULL)
		n = start();
	waiting_count = 0;
	room = 1152;
	while (at < size)
		at += step(data + at, size - at);
	if (size % 64 == 0) { /* with what is still waited for */
		net_free(n);
		n = NULL;
		return 0;
	}
	dtls_end_all(endpoint);
	while (waiting_count > 0) /* answers that nobody hears */
		answer(waiting[--waiting_count]);
	return 0;
}

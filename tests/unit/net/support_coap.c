/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "host/clock.h"
#include "host/log.h"
#include "tests/unit/net/support_coap.h"

/* --- handlers: each path does what its name does not say, see the tests --- */

static void
note(struct coap_world *w, const struct net_request *rq)
{
	__atomic_add_fetch(&w->handled, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&w->lock);
	snprintf(w->last, sizeof w->last, "%d %s %s ?%s type=%s accept=%s body=%zu", rq->wire,
	    rq->short_name != NULL ? rq->short_name : "-", rq->path, rq->query,
	    rq->content_type != NULL ? rq->content_type : "-",
	    rq->accept != NULL ? rq->accept : "-", rq->body.len);
	pthread_mutex_unlock(&w->lock);
}

/* sen: the body comes back. */
static void
echo(struct net_request *rq, void *arg)
{
	note(arg, rq);
	net_reply(rq, 200, COAP_TYPE_CERTS, rq->body, NULL, 0);
}

static void
reply_later(void *arg)
{
	struct net_request *rq = arg;

	net_reply(rq, 200, COAP_TYPE_CERTS, MST_LIT("later"), NULL, 0);
}

/* sren: the answer takes its time. */
static void
slow(struct net_request *rq, void *arg)
{
	struct coap_world *w = arg;

	note(w, rq);
	assert_non_null(net_after(rq->loop, (long)w->answer_ms, reply_later, rq));
}

static uint8_t large[3000];

/* crts: an answer in pieces. */
static void
pieces(struct net_request *rq, void *arg)
{
	note(arg, rq);
	net_reply(rq, 200, COAP_TYPE_CERTS, mst_span_of(large, sizeof large), NULL, 0);
}

/* att: nothing to say. */
static void
nothing(struct net_request *rq, void *arg)
{
	note(arg, rq);
	net_reply(rq, 204, NULL, MST_NONE, NULL, 0);
}

/* rv: pending, or refused as a relay when the body begins with "!". */
static void
pending(struct net_request *rq, void *arg)
{
	note(arg, rq);
	if (rq->body.len > 0 && rq->body.ptr[0] == '!')
		net_refuse(rq, STEP_PVR, MST_E_PVR_PROXIMITY, "a test");
	else if (rq->body.len > 0 && rq->body.ptr[0] == '+')
		net_reply(rq, 200, "application/voucher+cose", MST_LIT("voucher"), NULL, 0);
	else
		net_wait(rq, STEP_PVR, MST_E_AUTHZ_PENDING, 17, "a test");
}

/* vs: noted, as the registrar does. */
static void
noted(struct net_request *rq, void *arg)
{
	note(arg, rq);
	net_reply(rq, 200, "text/plain; charset=utf-8", MST_LIT("noted\n"), NULL, 0);
}

/* es: who is there, as words that the log of the test can see. */
static void
who(struct net_request *rq, void *arg)
{
	struct coap_world *w = arg;
	const struct net_peer *p = rq->peer;
	uint8_t value[64];
	struct mst_buf b = MST_BUF(value);
	char name[64] = "nobody", hex[65] = "-";

	if (p->leaf != NULL)
		X509_NAME_get_text_by_NID(
		    X509_get_subject_name(p->leaf), NID_commonName, name, sizeof name);
	if (net_binding(rq, &b) == MST_OK)
		for (size_t i = 0; i < b.len && i < 32; i++)
			snprintf(hex + 2 * i, 3, "%02x", value[i]);
	pthread_mutex_lock(&w->lock);
	snprintf(w->last, sizeof w->last, "%s %d %s %s %s %s", name,
	    p->chain != NULL ? sk_X509_num(p->chain) : 0, p->own == pki()->server ? "own" : "other",
	    p->source, hex, rq->trace);
	pthread_mutex_unlock(&w->lock);
	__atomic_add_fetch(&w->handled, 1, __ATOMIC_SEQ_CST);
	net_reply(rq, 200, NULL, MST_NONE, NULL, 0);
}

/* skg, skc: nobody answers; net_free takes the request back. */
static void
hang(struct net_request *rq, void *arg)
{
	note(arg, rq);
}

static void *
run(void *arg)
{
	struct coap_world *w = arg;

	if (net_run(w->net) != MST_OK)
		abort();
	return NULL;
}

#define POST (1U << NET_POST)
#define GET (1U << NET_GET)

static void
open_log(void)
{
	log_open("test_coaps", LOG_TEXT, LOG_ERROR_, 2);
}

void
coap_world_open(struct coap_world *w, const struct net_coaps *o)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct net_route routes[] = {
		{ COAP_EST "/simpleenroll", POST, echo, w },
		{ COAP_EST "/field/simpleenroll", POST, echo, w },
		{ COAP_EST "/simplereenroll", POST, slow, w },
		{ COAP_EST "/cacerts", GET, pieces, w },
		{ COAP_EST "/csrattrs", GET, nothing, w },
		{ COAP_EST "/serverkeygen", POST, hang, w },
		{ COAP_BRSKI "/requestvoucher", POST, pending, w },
		{ COAP_BRSKI "/voucher_status", POST, noted, w },
		{ COAP_BRSKI "/enrollstatus", POST, who, w },
	};
	struct net_coaps all = *o;

	memset(w, 0, sizeof *w);
	pthread_mutex_init(&w->lock, NULL);
	w->answer_ms = 1300;
	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (uint8_t)(i * 7 + i / 256);
	pthread_once(&once, open_log); /* another world may be running */
	all.name = "test";
	all.address = o->address != NULL ? o->address : "127.0.0.1:0";
	all.cert = pki()->server;
	all.key = pki()->server_key;
	all.routes = routes;
	all.route_count = sizeof routes / sizeof routes[0];
	assert_int_equal(net_new(2, &w->net), MST_OK);
	if (net_listen_coaps(w->net, &all, &w->port) != MST_OK)
		fail_msg("%s", net_why());
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

void
coap_world_start(struct coap_world *w, const struct net_coaps_limits *limits)
{
	struct net_coaps o = { 0 };

	if (limits != NULL)
		o.limits = *limits;
	coap_world_open(w, &o);
}

void
coap_world_stop(struct coap_world *w)
{
	net_stop(w->net);
	pthread_join(w->thread, NULL);
	net_free(w->net);
}

int
coap_handled(struct coap_world *w)
{
	return __atomic_load_n(&w->handled, __ATOMIC_SEQ_CST);
}

const char *
coap_last(struct coap_world *w)
{
	static char copy[sizeof w->last];

	pthread_mutex_lock(&w->lock);
	memcpy(copy, w->last, sizeof copy);
	pthread_mutex_unlock(&w->lock);
	return copy;
}

/* --- the client --- */

static int
any(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

static int
connect_to(int port, int local_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, me = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	a.sin_addr.s_addr = me.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	me.sin_port = htons((uint16_t)local_port);
	assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof me), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static SSL_CTX *
client_ctx(const struct coap_client_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0); /* as support_net.c */
	assert_int_equal(SSL_CTX_set_cipher_list(
	                     ctx, o->ciphers != NULL ? o->ciphers : "ECDHE-ECDSA-AES128-CCM8"),
	    1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, any);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	if (!o->anonymous) {
		X509 *cert = o->cert != NULL ? o->cert : pki()->client;

		assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
		assert_int_equal(
		    SSL_CTX_use_PrivateKey(ctx, o->key != NULL ? o->key : pki()->client_key), 1);
		if (o->cert == NULL)
			assert_int_equal(SSL_CTX_add1_chain_cert(ctx, pki()->sub), 1);
	}
	if (o->fragment != 0)
		assert_int_equal(SSL_CTX_set_tlsext_max_fragment_length(ctx, o->fragment), 1);
	return ctx;
}

void
coap_client_prepare(struct coap_client *c, int port, const struct coap_client_options *o)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	BIO *b;

	memset(c, 0, sizeof *c);
	c->fd = connect_to(port, o->local_port);
	c->ctx = client_ctx(o);
	c->ssl = SSL_new(c->ctx);
	b = BIO_new_dgram(c->fd, BIO_NOCLOSE);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	BIO_ctrl(b, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &a);
	SSL_set_bio(c->ssl, b, b);
	c->mid = 100;
	ERR_clear_error();
}

bool
coap_client_try(struct coap_client *c, int port, const struct coap_client_options *o)
{
	static const struct coap_client_options none;
	long ms = o != NULL && o->patience_ms > 0 ? o->patience_ms : 8000;
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	coap_client_prepare(c, port, o != NULL ? o : &none);
	BIO_ctrl(SSL_get_rbio(c->ssl), BIO_CTRL_DGRAM_SET_RECV_TIMEOUT, 0, &tv);
	if (SSL_connect(c->ssl) != 1) {
		coap_client_close(c);
		return false;
	}
	return true;
}

void
coap_client_open(struct coap_client *c, int port, const struct coap_client_options *o)
{
	if (!coap_client_try(c, port, o))
		fail_msg("no DTLS session");
}

void
coap_client_close(struct coap_client *c)
{
	if (c->ssl != NULL && SSL_is_init_finished(c->ssl))
		SSL_shutdown(c->ssl);
	ERR_clear_error();
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	memset(c, 0, sizeof *c);
}

/* --- messages --- */

void
coap_begin(struct coap_client *c, struct coap_sent *m, enum mst_coap_type type, unsigned code)
{
	m->out = (struct mst_buf){ m->bytes, sizeof m->bytes, 0 };
	m->mid = c->mid++;
	c->token++;
	mst_coap_put_head(&m->w, &m->out, type, code, m->mid, mst_span_of(&c->token, 1));
}

static void
put_parts(struct coap_sent *m, unsigned option, const char *text, const char *separators)
{
	while (*text != '\0') {
		size_t n = strcspn(text, separators);

		mst_coap_put_option(&m->w, option, mst_span_of(text, n));
		text += n;
		text += *text != '\0';
	}
}

void
coap_path(struct coap_sent *m, const char *path)
{
	put_parts(m, MST_COAP_URI_PATH, *path == '/' ? path + 1 : path, "/");
}

void
coap_send_it(struct coap_client *c, struct coap_sent *m)
{
	assert_int_equal(m->w.err, MST_OK);
	assert_true(SSL_write(c->ssl, m->out.ptr, (int)m->out.len) > 0);
}

bool
coap_get(struct coap_client *c, struct coap_got *g, long ms)
{
	int64_t until = clock_mono_us() / 1000 + ms, left;
	bool header;
	int n;

	while ((left = until - clock_mono_us() / 1000) > 0) {
		struct pollfd p = { c->fd, POLLIN, 0 };

		if (SSL_pending(c->ssl) == 0 && poll(&p, 1, (int)left) <= 0)
			return false;
		if ((n = SSL_read(c->ssl, g->bytes, sizeof g->bytes)) <= 0) {
			ERR_clear_error();
			if (SSL_get_shutdown(c->ssl) != 0)
				return false;
			continue;
		}
		g->len = (size_t)n;
		assert_int_equal(
		    coap_msg_parse(mst_span_of(g->bytes, g->len), &g->m, &header), MST_OK);
		return true;
	}
	return false;
}

static const struct coap_opt *
find_option(const struct coap_got *g, unsigned option)
{
	for (size_t i = 0; i < g->m.count; i++)
		if (g->m.options[i].number == option)
			return &g->m.options[i];
	return NULL;
}

long
coap_number(const struct coap_got *g, unsigned option)
{
	const struct coap_opt *o = find_option(g, option);

	return o != NULL ? (long)mst_coap_uint(o->value) : -1;
}

struct mst_coap_block
coap_block_of(const struct coap_got *g, unsigned option)
{
	long n = coap_number(g, option);

	if (n < 0)
		return (struct mst_coap_block){ 0 };
	return (struct mst_coap_block){ true, (n & 8) != 0, (unsigned)n & 7, (uint32_t)n >> 4 };
}

bool
coap_says(const struct coap_got *g, const char *text)
{
	return memmem(g->m.payload.ptr, g->m.payload.len, text, strlen(text)) != NULL;
}

static void
put_number(struct coap_sent *m, unsigned option, long value)
{
	if (value >= 0)
		mst_coap_put_uint(&m->w, option, (uint32_t)value);
}

void
coap_compose(struct coap_client *c, struct coap_sent *m, const struct coap_ask *a)
{
	coap_begin(c, m, MST_COAP_CON, a->code);
	coap_path(m, a->path);
	put_number(m, MST_COAP_CONTENT_FORMAT, a->format);
	if (a->query != NULL)
		put_parts(m, MST_COAP_URI_QUERY, a->query, "&");
	put_number(m, MST_COAP_ACCEPT, a->accept);
	put_number(m, MST_COAP_BLOCK2, a->block2);
	put_number(m, MST_COAP_BLOCK1, a->block1);
	mst_coap_put_payload(&m->w, a->payload);
}

void
coap_ask(struct coap_client *c, const struct coap_ask *a, struct coap_got *g)
{
	struct coap_sent m;

	coap_compose(c, &m, a);
	coap_send_it(c, &m);
	if (!coap_get(c, g, 8000))
		fail_msg("no answer to %s", a->path);
	assert_int_equal(g->m.type, MST_COAP_ACK);
	assert_int_equal(g->m.mid, m.mid);
	if (g->m.code != COAP_EMPTY) {
		assert_int_equal(g->m.token.len, 1);
		assert_int_equal(g->m.token.ptr[0], c->token);
	}
}

void
coap_client_begin(struct coap_client *c, int port)
{
	static const struct coap_client_options none;
	struct pollfd p = { .events = POLLIN };
	BIO *in = BIO_new(BIO_s_mem());
	uint8_t verify[256];
	ssize_t n;

	assert_non_null(in);
	coap_client_prepare(c, port, &none);
	SSL_set0_rbio(c->ssl, in); /* it reads nothing but what is handed to it */
	assert_int_equal(SSL_connect(c->ssl), -1);
	p.fd = c->fd;
	assert_int_equal(poll(&p, 1, 8000), 1);
	n = recv(c->fd, verify, sizeof verify, 0);
	assert_true(n > 25);
	assert_int_equal(verify[13], 3); /* HelloVerifyRequest */
	assert_int_equal(BIO_write(in, verify, (int)n), n);
	assert_int_equal(SSL_connect(c->ssl), -1);
	assert_int_equal(SSL_get_error(c->ssl, -1), SSL_ERROR_WANT_READ);
}

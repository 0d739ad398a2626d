/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "host/log.h"
#include "host/metrics.h"
#include "tests/unit/net/support_net.h"

/* --- certificates --- */

struct maker {
	const char *cn, *san, *eku;
	bool ca;
	long from, to; /* seconds from now */
};

static void
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX v3;
	X509_EXTENSION *e;

	X509V3_set_ctx(&v3, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *
make_cert(const struct maker *m, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *name;

	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), m->from);
	X509_gmtime_adj(X509_getm_notAfter(x), m->to);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)m->cn, -1, -1, 0);
	if (issuer == NULL)
		issuer = x;
	X509_set_issuer_name(x, X509_get_subject_name(issuer));
	X509_set_pubkey(x, key);
	add_extension(
	    x, issuer, NID_basic_constraints, m->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x, issuer, NID_subject_key_identifier, "hash");
	add_extension(x, issuer, NID_authority_key_identifier, "keyid:always");
	if (m->san != NULL)
		add_extension(x, issuer, NID_subject_alt_name, m->san);
	if (m->eku != NULL)
		add_extension(x, issuer, NID_ext_key_usage, m->eku);
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

const struct pki *
pki(void)
{
	static struct pki p;
	const long day = 86400;

	if (p.ca != NULL)
		return &p;
	p.ca_key = EVP_EC_gen("P-256");
	p.sub_key = EVP_EC_gen("P-256");
	p.server_key = EVP_EC_gen("P-256");
	p.client_key = EVP_EC_gen("P-256");
	p.other_key = EVP_EC_gen("P-256");
	p.ca = make_cert(
	    &(struct maker){ "CA", NULL, NULL, true, -day, day }, p.ca_key, NULL, p.ca_key);
	p.sub = make_cert(
	    &(struct maker){ "Sub CA", NULL, NULL, true, -day, day }, p.sub_key, p.ca, p.ca_key);
	p.server = make_cert(&(struct maker){ "server", "DNS:localhost,IP:127.0.0.1", "serverAuth",
	                         false, -day, day },
	    p.server_key, p.ca, p.ca_key);
	p.cn_only = make_cert(&(struct maker){ "localhost", NULL, "serverAuth", false, -day, day },
	    p.server_key, p.ca, p.ca_key);
	p.client = make_cert(&(struct maker){ "device 1", NULL, NULL, false, -day, day },
	    p.client_key, p.sub, p.sub_key);
	p.other_ca = make_cert(&(struct maker){ "Other CA", NULL, NULL, true, -day, day },
	    p.other_key, NULL, p.other_key);
	p.stranger = make_cert(&(struct maker){ "stranger", NULL, NULL, false, -2 * day, -day },
	    p.client_key, p.other_ca, p.other_key);
	p.client_chain = sk_X509_new_null();
	X509_up_ref(p.sub);
	sk_X509_push(p.client_chain, p.sub);
	return &p;
}

mst_span
pki_pem(struct arena *a, X509 *cert)
{
	mst_span out;

	assert_int_equal(cert_pem(a, cert, &out), MST_OK);
	return out;
}

/* --- handlers --- */

static void
echo(struct net_request *rq, void *arg)
{
	struct world *w = arg;

	__atomic_add_fetch(&w->handled, 1, __ATOMIC_SEQ_CST);
	net_reply(rq, 200, "application/x-echo", rq->body, NULL, 0);
}

static void
hello(struct net_request *rq, void *arg)
{
	struct world *w = arg;
	const struct net_header h[] = { { "X-Path", rq->path }, { "X-Query", rq->query },
		{ "X-Accept", rq->accept != NULL ? rq->accept : "none" },
		{ "X-Trace", rq->trace } };

	__atomic_add_fetch(&w->handled, 1, __ATOMIC_SEQ_CST);
	net_reply(rq, 200, "text/plain", MST_LIT("hello\n"), h, 4);
}

static void
pending_with_body(struct net_request *rq, void *arg)
{
	(void)arg;
	net_reply(rq, 202, "text/plain", MST_LIT("must not go out\n"),
	    &(struct net_header){ "Retry-After", "7" }, 1);
}

static void
pending(struct net_request *rq, void *arg)
{
	(void)arg;
	net_wait(rq, STEP_PVR, MST_E_MASA_BUSY, 17, "a test");
}

static void
refused(struct net_request *rq, void *arg)
{
	(void)arg;
	net_refuse(rq, STEP_PVR, MST_E_PVR_PROXIMITY, "a test");
}

static void
needs_auth(struct net_request *rq, void *arg)
{
	(void)arg;
	net_refuse(rq, STEP_ENROLL, MST_E_HTTP_AUTH, NULL);
}

static void
split(struct net_request *rq, void *arg)
{
	(void)arg;
	net_reply(rq, 200, "text/plain", MST_LIT("x"),
	    &(struct net_header){ "Location", "a\r\nSet-Cookie: b" }, 1);
}

static void
reply_later(void *arg)
{
	struct net_request *rq = arg;

	net_reply(rq, 200, "text/plain", MST_LIT("later\n"), NULL, 0);
}

static void
after(struct net_request *rq, void *arg)
{
	struct world *w = arg;

	__atomic_add_fetch(&w->handled, 1, __ATOMIC_SEQ_CST);
	assert_non_null(net_after(rq->loop, 60, reply_later, rq));
}

static void *
post_soon(void *arg)
{
	struct net_request *rq = arg;

	usleep(30000);
	net_post(rq->loop, reply_later, rq);
	return NULL;
}

static void
from_thread(struct net_request *rq, void *arg)
{
	pthread_t t;

	(void)arg;
	assert_int_equal(pthread_create(&t, NULL, post_soon, rq), 0);
	pthread_detach(t);
}

static void
binding(struct net_request *rq, void *arg)
{
	uint8_t value[64];
	char hex[129] = "";
	struct mst_buf b = MST_BUF(value);
	mst_err e = net_binding(rq, &b);

	(void)arg;
	if (e != MST_OK) {
		net_refuse(rq, STEP_ENROLL, e, NULL);
		return;
	}
	for (size_t i = 0; i < b.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", value[i]);
	net_reply(rq, 200, "text/plain", mst_span_str(hex), NULL, 0);
}

static void
who(struct net_request *rq, void *arg)
{
	char name[128] = "nobody", text[256];
	const struct net_peer *p = rq->peer;

	(void)arg;
	if (p->leaf != NULL)
		X509_NAME_get_text_by_NID(
		    X509_get_subject_name(p->leaf), NID_commonName, name, sizeof name);
	snprintf(text, sizeof text, "%s %d %ld %s %s", name,
	    p->chain != NULL ? sk_X509_num(p->chain) : 0,
	    p->ssl != NULL ? SSL_get_verify_result(p->ssl) : -1L, p->source,
	    p->own == pki()->server ? "own" : "other");
	net_reply(rq, 200, "text/plain", mst_span_str(text), NULL, 0);
}

static void
hang(struct net_request *rq, void *arg)
{
	struct world *w = arg;

	(void)rq; /* net_free takes it back */
	__atomic_add_fetch(&w->handled, 1, __ATOMIC_SEQ_CST);
}

#define HUGE_LEN (512 * 1024)

static void
huge(struct net_request *rq, void *arg)
{
	static uint8_t bytes[HUGE_LEN];

	(void)arg;
	net_reply(rq, 200, "application/octet-stream", mst_span_of(bytes, sizeof bytes), NULL, 0);
}

static void
moved(struct net_request *rq, void *arg)
{
	(void)arg;
	net_reply(rq, 307, "text/plain", MST_LIT("there\n"),
	    &(struct net_header){ "Location", "/get" }, 1);
}

static void
basic(struct net_request *rq, void *arg)
{
	(void)arg;
	net_reply(rq, 200, "text/plain",
	    mst_span_str(rq->authorization != NULL ? rq->authorization : "none"), NULL, 0);
}

static bool
is_ready(void *arg, char *words, size_t cap)
{
	const struct world *w = arg;

	snprintf(words, cap, "%s", w->ready ? "all is well" : "the store is not open");
	return w->ready;
}

/* --- the world --- */

#define GET (1U << NET_GET)
#define POST (1U << NET_POST)

static void *
run(void *arg)
{
	struct world *w = arg;

	if (net_run(w->net) != MST_OK)
		abort();
	return NULL;
}

void
world_start(struct world *w, const struct net_limits *limits, unsigned loops, unsigned what)
{
	struct net_route routes[] = {
		{ "/echo", POST, echo, w },
		{ "/get", GET, hello, w },
		{ "/both", GET | POST, hello, w },
		{ "/202", GET | POST, pending, w },
		{ "/202body", GET, pending_with_body, w },
		{ "/refuse", POST, refused, w },
		{ "/auth", GET, needs_auth, w },
		{ "/split", GET, split, w },
		{ "/after", GET | POST, after, w },
		{ "/thread", GET, from_thread, w },
		{ "/binding", GET, binding, w },
		{ "/who", GET, who, w },
		{ "/hang", GET | POST, hang, w },
		{ "/huge", GET, huge, w },
		{ "/moved", GET | POST, moved, w },
		{ "/basic", GET, basic, w },
		{ "/any/*", GET, hello, w },
		{ NULL, 0, NULL, NULL },
		{ NULL, 0, NULL, NULL },
		{ NULL, 0, NULL, NULL },
	};
	struct net_listen o = { .name = "test",
		.address = "127.0.0.1:0",
		.cert = pki()->server,
		.key = pki()->server_key,
		.ask_client_cert = true,
		.routes = routes,
		.route_count = 17 };

	if (limits != NULL)
		o.limits = *limits;
	memset(w, 0, sizeof *w);
	log_open("test_net", LOG_TEXT, LOG_ERROR_, 2);
	assert_int_equal(net_new(loops, &w->net), MST_OK);
	assert_int_equal(net_listen(w->net, &o, &w->port), MST_OK);
	if ((what & WORLD_CN_TOO) != 0) {
		o.cert = pki()->cn_only;
		assert_int_equal(net_listen(w->net, &o, &w->cn_port), MST_OK);
	}
	if ((what & WORLD_PLAIN_TOO) != 0) {
		w->ready = true;
		w->ops = (struct net_ops){ .ready = is_ready, .arg = w };
		net_ops_routes(&w->ops, routes + 17);
		o.name = "plain";
		o.cert = NULL;
		o.route_count = 17 + NET_OPS_ROUTES;
		assert_int_equal(net_listen(w->net, &o, &w->plain), MST_OK);
	}
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

void
world_stop(struct world *w)
{
	net_stop(w->net);
	pthread_join(w->thread, NULL);
	net_free(w->net);
}

double
world_metric(const char *series)
{
	static char text[1 << 18];
	const char *at;
	size_t n = metrics_text(text, sizeof text - 1);

	assert_true(n < sizeof text);
	text[n] = '\0';
	at = strstr(text, series);
	return at != NULL ? strtod(at + strlen(series), NULL) : 0;
}

/* --- the client --- */

static int
connect_to(int port, const char *from)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, me = { .sin_family = AF_INET };
	struct timeval tv = { 10, 0 }; /* only a hang ever waits this long */
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	assert_true(fd >= 0);
	if (from != NULL) {
		me.sin_addr.s_addr = inet_addr(from);
		assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof me), 0);
	}
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
client_try(struct client *c, int port, const struct client_options *o)
{
	*c = (struct client){ .fd = connect_to(port, o->from) };
	if (c->fd < 0)
		return false;
	if (o->plain)
		return true;
	c->ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(c->ctx);
	SSL_CTX_set_security_level(c->ctx, 0); /* weak certificates are for the server to refuse */
	if (o->version != 0) {
		SSL_CTX_set_min_proto_version(c->ctx, o->version);
		SSL_CTX_set_max_proto_version(c->ctx, o->version);
	}
	if (o->cert != NULL) {
		assert_int_equal(SSL_CTX_use_certificate(c->ctx, o->cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(c->ctx, o->key), 1);
		for (int i = 0; o->chain != NULL && i < sk_X509_num(o->chain); i++)
			SSL_CTX_add1_chain_cert(c->ctx, sk_X509_value(o->chain, i));
	}
	if (o->alpn != NULL)
		SSL_CTX_set_alpn_protos(
		    c->ctx, (const unsigned char *)o->alpn, (unsigned)strlen(o->alpn));
	c->tls = SSL_new(c->ctx);
	if (o->sni != NULL)
		assert_int_equal(SSL_set_tlsext_host_name(c->tls, o->sni), 1);
	SSL_set_fd(c->tls, c->fd);
	return SSL_connect(c->tls) == 1;
}

void
client_open(struct client *c, int port, const struct client_options *o)
{
	static const struct client_options none;

	if (!client_try(c, port, o != NULL ? o : &none)) {
		ERR_print_errors_fp(stderr);
		fail_msg("no connection");
	}
}

void
client_close(struct client *c)
{
	SSL_free(c->tls);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	ERR_clear_error();
}

bool
client_send(struct client *c, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = c->tls != NULL ? SSL_write(c->tls, p, (int)len)
		                           : send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
		c->sent += (size_t)n;
	}
	return true;
}

bool
client_say(struct client *c, const char *text)
{
	return client_send(c, text, strlen(text));
}

static ssize_t
receive(struct client *c, char *to, size_t cap)
{
	return c->tls != NULL ? SSL_read(c->tls, to, (int)cap) : recv(c->fd, to, cap, 0);
}

struct reply
client_read(struct client *c, bool no_body)
{
	struct reply r = { 0 };
	size_t n = 0, have, want = 0;
	char *end = NULL;
	const char *length;
	ssize_t got;

	while (end == NULL) { /* byte by byte after the first: the next answer stays where it is */
		if (n + 1 >= sizeof r.head || (got = receive(c, r.head + n, 1)) <= 0)
			return r;
		if (n == 0)
			r.first_read = (size_t)(c->tls != NULL ? SSL_pending(c->tls) : 0) + 1;
		n += (size_t)got;
		r.head[n] = '\0';
		end = strstr(r.head, "\r\n\r\n");
	}
	if (sscanf(r.head, "HTTP/1.1 %d ", &r.status) != 1)
		fail_msg("not an answer: %s", r.head);
	length = reply_header(&r, "Content-Length");
	if (!no_body && length != NULL)
		want = strtoul(length, NULL, 10);
	r.body = calloc(1, want + 1);
	for (have = 0; have < want; have += (size_t)got)
		if ((got = receive(c, r.body + have, want - have)) <= 0)
			break;
	r.len = have;
	return r;
}

struct reply
client_ask(struct client *c, const char *text)
{
	client_say(c, text);
	return client_read(c, strncmp(text, "HEAD ", 5) == 0);
}

void
reply_free(struct reply *r)
{
	free(r->body);
	r->body = NULL;
}

bool
client_ended(struct client *c)
{
	char byte;
	ssize_t n = receive(c, &byte, 1);

	if (n > 0)
		return false;
	return c->tls == NULL ? n == 0 : SSL_get_error(c->tls, (int)n) == SSL_ERROR_ZERO_RETURN;
}

const char *
reply_header(const struct reply *r, const char *name)
{
	static char value[512];
	char want[128];
	const char *at, *end;

	snprintf(want, sizeof want, "\r\n%s: ", name);
	if ((at = strstr(r->head, want)) == NULL)
		return NULL;
	at += strlen(want);
	end = strstr(at, "\r\n");
	snprintf(value, sizeof value, "%.*s", (int)(end - at), at);
	return value;
}

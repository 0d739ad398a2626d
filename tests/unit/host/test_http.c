/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTPS client against a small TLS server in a thread of this program. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "host/clock.h"
#include "host/http.h"
#include "unit/host/http_server.h"

/* ---- the client ---- */

struct first {
	struct http_request r;
	mst_err e;
	size_t chain;
	uint8_t ee[4096];
	size_t ee_len;
	int binding_there;
	struct http_client *c;
};

static mst_err
on_first(void *arg, const struct mst_chain *chain, struct http_request *fill)
{
	struct first *f = arg;
	uint8_t bytes[64];
	struct mst_buf b = MST_BUF(bytes);

	f->chain = chain->count;
	f->ee_len = chain->cert[0].len < sizeof(f->ee) ? chain->cert[0].len : 0;
	memcpy(f->ee, chain->cert[0].ptr, f->ee_len);
	f->binding_there = f->c != NULL && http_binding(f->c, &b) == MST_OK;
	*fill = f->r;
	return f->e;
}

static struct http_client *
client_for(const struct server *s, enum http_trust trust)
{
	struct http_options o = {
		.base = s->base, .trust = trust, .anchors = trust == HTTP_ANCHORS ? anchors : NULL
	};
	struct http_client *c = NULL;

	assert_int_equal(http_open(&o, &c), MST_OK);
	return c;
}

static const struct http_request get = { .method = "GET", .path = "/a" };
static const struct http_request post = { .method = "POST",
	.path = "/.well-known/brski/requestvoucher",
	.content_type = "application/voucher-cms+json",
	.accept = "application/voucher-cms+json",
	.body = { (const uint8_t *)"the body", 8 } };

static struct arena *a;

static mst_err
begin(struct http_client *c, const struct http_request *r, struct http_answer *out)
{
	struct first f = { .r = *r };

	return http_begin(c, a, on_first, &f, 1000, out);
}

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	clock_set(NOW);
	a = arena_new(0);
	root = make("root", NULL, 1, NULL, NULL, NOW + 100 * DAY);
	other_root = make("other", NULL, 1, NULL, NULL, NOW + 100 * DAY);
	mid = make("mid", &root, 1, NULL, NULL, NOW + 50 * DAY);
	good = make("good", &mid, 0, "DNS:localhost", "serverAuth", NOW + DAY);
	wrong_name = make("localhost", &mid, 0, "DNS:elsewhere", "serverAuth", NOW + DAY);
	cn_only = make("localhost", &mid, 0, NULL, "serverAuth", NOW + DAY);
	expired = make("good", &mid, 0, "DNS:localhost", "serverAuth", NOW - 10);
	client_eku = make("good", &mid, 0, "DNS:localhost", "clientAuth", NOW + DAY);
	client = make("device", &mid, 0, NULL, "clientAuth", NOW + DAY);
	anchors = anchors_of(root.cert);
	other_anchors = anchors_of(other_root.cert);
	return 0;
}

static int
teardown(void **state)
{
	struct pair *all[] = { &root, &other_root, &mid, &good, &wrong_name, &cn_only, &expired,
		&client_eku, &client };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		drop(all[i]);
	anchors_free(anchors);
	anchors_free(other_anchors);
	arena_free(a);
	return 0;
}

/* ---- tests ---- */

static void
post_on_the_wire(const char *seen)
{
	assert_int_equal(
	    strncmp(seen, "POST /.well-known/brski/requestvoucher HTTP/1.1\r\n", 49), 0);
	assert_non_null(strstr(seen, "\r\nContent-Type: application/voucher-cms+json\r\n"));
	assert_non_null(strstr(seen, "\r\nAccept: application/voucher-cms+json\r\n"));
	assert_non_null(strstr(seen, "\r\nContent-Length: 8\r\n"));
	assert_non_null(strstr(seen, "\r\nUser-Agent: muster/"));
	assert_non_null(strstr(seen, "\r\n\r\nthe body"));
	assert_null(strcasestr(seen, "Transfer-Encoding"));
	assert_null(strcasestr(seen, "Expect"));
}

static void
get_on_the_wire(const char *seen)
{
	assert_int_equal(strncmp(seen, "GET /a HTTP/1.1\r\n", 17), 0);
	assert_null(strcasestr(seen, "Content-"));
	assert_null(strcasestr(seen, "Transfer-Encoding"));
	assert_null(strcasestr(seen, "Expect"));
}

/* RFC 8995 5.5: the PVR holds the server's certificate, so the chain comes first. */
static void
TLS_3_provisional_shows_the_chain_before_the_request(void **state)
{
	struct server s = { .show_mid = 1, .reply = { OK2 } };
	struct first f = { .r = post };
	struct http_answer an;
	struct mst_chain chain;
	struct http_client *c;
	const struct pair *order[] = { &good, &mid, &root };

	(void)state;
	start(&s);
	f.c = c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(http_server_chain(c, &chain), MST_E_NOT_FOUND);
	assert_int_equal(http_begin(c, a, on_first, &f, 100, &an), MST_OK);
	assert_int_equal(an.status, 200);
	assert_int_equal(an.new_connections, 1);
	assert_int_equal(f.chain, 3);
	assert_int_equal(f.binding_there, 1);
	assert_int_equal(http_server_chain(c, &chain), MST_OK);
	for (size_t i = 0; i < 3; i++) {
		unsigned char *der = NULL;
		int n = i2d_X509(order[i]->cert, &der);

		assert_true(mst_span_eq(chain.cert[i], mst_span_of(der, (size_t)n)));
		OPENSSL_free(der);
	}
	http_close(c);
	stop(&s);
	post_on_the_wire(s.seen[0]);
}

static void
answer_is_taken(void **state)
{
	struct server s = { .reply = { OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	assert_true(mst_span_eq(an.body, MST_LIT("ok")));
	assert_string_equal(an.content_type, "text/plain");
	assert_string_equal(an.request_id, "abc");
	assert_null(an.location);
	assert_int_equal(an.retry_after, -1);
	http_close(c);
	stop(&s);
}

/* RFC 9110 14: a part is asked for and told; nothing of it where it is not. */
static void
a_range_is_asked_for_and_told(void **state)
{
	struct server s = { .show_mid = 1,
		.reply = { REPLY("206 Partial Content\r\nContent-Length: 2\r\n"
		                 "Content-Range: bytes 4-5/9\r\nETag: \"v1\"",
		               "ok"),
		    OK2 } };
	struct http_request part = {
		.method = "GET", .path = "/image", .range = "bytes=4-5", .if_range = "\"v1\""
	};
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_ANCHORS);
	assert_int_equal(http_send(c, a, &part, 100, &an), MST_OK);
	assert_int_equal(an.status, 206);
	assert_string_equal(an.content_range, "bytes 4-5/9");
	assert_string_equal(an.etag, "\"v1\"");
	part.range = part.if_range = NULL;
	assert_int_equal(http_send(c, a, &part, 100, &an), MST_OK);
	assert_null(an.content_range);
	assert_null(an.etag);
	part.range = "bytes=0-1\r\nX: y";
	assert_int_equal(http_send(c, a, &part, 100, &an), MST_E_USAGE);
	http_close(c);
	stop(&s);
	assert_non_null(strstr(s.seen[0], "\r\nRange: bytes=4-5\r\n"));
	assert_non_null(strstr(s.seen[0], "\r\nIf-Range: \"v1\"\r\n"));
	assert_null(strcasestr(s.seen[1], "range"));
}

/* design.md 5: the same id in the first request and in those after it; none where none is given. */
static void
trace_is_in_every_request(void **state)
{
	struct server s = { .reply = { OK2, OK2 } };
	struct http_options o = { .trust = HTTP_PROVISIONAL, .trace = "0123456789abcdef" };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	http_close(c);
	stop(&s);
	for (int i = 0; i < 2; i++)
		assert_non_null(strstr(s.seen[i], "\r\nX-Muster-Trace: 0123456789abcdef\r\n"));
	s = (struct server){ .reply = { OK2 } };
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	http_close(c);
	stop(&s);
	assert_null(strcasestr(s.seen[0], "X-Muster"));
}

static void
TLS_3_provisional_accepts(void **state)
{
	const struct pair *any[] = { &wrong_name, &expired, &other_root, &client_eku };
	struct http_answer an;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct server s = { .pair = any[i], .reply = { OK2 } };
		struct http_client *c;

		start(&s);
		c = client_for(&s, HTTP_PROVISIONAL);
		assert_int_equal(begin(c, &get, &an), MST_OK);
		http_close(c);
		stop(&s);
		get_on_the_wire(s.seen[0]);
	}
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* EC_KEY_METHOD: to lie with */
static EC_KEY *foreign_key;

static int
sign_with_foreign_key(int type, const unsigned char *d, int n, unsigned char *sig, unsigned *len,
    const BIGNUM *kinv, const BIGNUM *r, EC_KEY *eckey)
{
	(void)kinv;
	(void)r;
	(void)eckey;
	return ECDSA_sign(type, d, n, sig, len, foreign_key);
}

/* A key that has the certificate's public half but not its private one. */
static EVP_PKEY *
key_of_a_thief(EVP_PKEY *owner, EC_KEY_METHOD *method)
{
	EC_KEY *pub = EC_KEY_new();
	EVP_PKEY *key = EVP_PKEY_new();

	EC_KEY_METHOD_set_sign(method, sign_with_foreign_key, NULL, NULL);
	EC_KEY_set_method(pub, method);
	EC_KEY_set_group(pub, EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(owner)));
	EC_KEY_set_public_key(pub, EC_KEY_get0_public_key(EVP_PKEY_get0_EC_KEY(owner)));
	assert_int_equal(EVP_PKEY_assign_EC_KEY(key, pub), 1);
	foreign_key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	assert_int_equal(EC_KEY_generate_key(foreign_key), 1);
	return key;
}

/* TLS-3: provisional or not, the handshake signature must be by the shown certificate's key. */
static void
handshake_by_a_thief(int version)
{
	EC_KEY_METHOD *method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	struct pair thief = { good.cert, key_of_a_thief(good.key, method) };
	struct server s = { .pair = &thief, .tls = version, .reply = { OK2 } };
	struct first f = { .r = post };
	struct http_answer an;
	struct http_client *c;

	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(http_begin(c, a, on_first, &f, 100, &an), MST_E_TLS);
	assert_non_null(strstr(http_why(), "signature"));
	assert_int_equal(f.chain, 0); /* not even asked */
	http_close(c);
	stop(&s);
	assert_int_equal(s.requests, 0);
	EVP_PKEY_free(thief.key);
	EC_KEY_METHOD_free(method);
	EC_KEY_free(foreign_key);
}
#pragma GCC diagnostic pop

static void
TLS_3_handshake_signature_is_verified_in_tls_1_3(void **state)
{
	(void)state;
	handshake_by_a_thief(TLS1_3_VERSION);
}

static void
TLS_3_handshake_signature_is_verified_in_tls_1_2(void **state)
{
	(void)state;
	handshake_by_a_thief(TLS1_2_VERSION);
}

static void
TLS_4_no_SNI_when_provisional_SNI_otherwise(void **state)
{
	struct server s = { .reply = { OK2 } }, t = { .show_mid = 1, .reply = { OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	http_close(c);
	stop(&s);
	assert_string_equal(s.sni, "");
	start(&t);
	c = client_for(&t, HTTP_ANCHORS);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	http_close(c);
	stop(&t);
	assert_string_equal(t.sni, "localhost");
}

static void
TLS_5_same_connection_is_used(void **state)
{
	struct server s = { .reply = { OK2, OK2, OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	assert_int_equal(http_send(c, a, &post, 100, &an), MST_OK);
	assert_int_equal(an.new_connections, 0);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	assert_int_equal(an.new_connections, 0);
	http_close(c);
	stop(&s);
	assert_int_equal(s.connections, 1);
	assert_int_equal(s.requests, 3);
	post_on_the_wire(s.seen[1]);
	get_on_the_wire(s.seen[2]);
}

static void
TLS_5_provisional_never_reconnects_silently(void **state)
{
	struct server s = { .reply = { REPLY("200 OK\r\nContent-Length: 0\r\nX-Close: 1", "") } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(
	    http_send(c, a, &post, 100, &an), MST_E_UNREACHABLE); /* before http_begin */
	assert_int_equal(begin(c, &post, &an), MST_OK);
	usleep(100000); /* the server closes behind our back */
	assert_int_equal(http_send(c, a, &post, 100, &an), MST_E_UNREACHABLE);
	assert_non_null(strstr(http_why(), "judged"));
	http_close(c);
	stop(&s);
	assert_int_equal(s.connections, 1);
	assert_int_equal(s.requests, 1);
}

/* The request is on its way when the server closes: libcurl would try again on a new connection. */
static void
TLS_5_provisional_does_not_retry(void **state)
{
	struct server s = { .reply = { OK2, NULL } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	assert_int_equal(http_send(c, a, &post, 100, &an), MST_E_UNREACHABLE);
	http_close(c);
	stop(&s);
	assert_int_equal(s.connections, 1);
}

static void
begin_again_is_a_fresh_connection(void **state)
{
	struct server s = { .reply = { OK2, OK2, OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	assert_int_equal(an.new_connections, 1);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	assert_int_equal(an.new_connections, 0);
	http_close(c);
	stop(&s);
	assert_int_equal(s.connections, 2);
}

static void
caller_who_refuses_sends_nothing(void **state)
{
	struct server s = { .reply = { OK2 } };
	struct first f = { .r = post, .e = MST_E_VOUCHER_TLS_CHAIN };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(http_begin(c, a, on_first, &f, 100, &an), MST_E_VOUCHER_TLS_CHAIN);
	http_close(c);
	stop(&s);
	assert_int_equal(s.requests, 0);
}

static void
anchors_accept_and_reconnect(void **state)
{
	struct server s = { .show_mid = 1,
		.reply = { REPLY("200 OK\r\nContent-Length: 0\r\nConnection: close", ""), NULL } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	s.reply[1] = OK2;
	start(&s);
	c = client_for(&s, HTTP_ANCHORS);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	assert_int_equal(an.new_connections, 1);
	assert_int_equal(an.body.len, 0);
	assert_non_null(an.body.ptr);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	assert_int_equal(an.new_connections, 1);
	http_close(c);
	stop(&s);
	assert_int_equal(s.connections, 2);
}

struct bad_server {
	const char *name;
	const struct pair *pair;
	struct anchors **anchors;
	int show_mid;
	mst_err err;
};
static const struct bad_server bad[] = {
	{ "TLS-6 anchors refuse another CA", &good, &other_anchors, 1, MST_E_X509_CHAIN },
	{ "TLS-6 anchors refuse a missing intermediate", &good, &anchors, 0, MST_E_X509_CHAIN },
	{ "TLS-6 RFC 9525 refuse another name", &wrong_name, &anchors, 1, MST_E_X509_HOST },
	{ "TLS-6 RFC 9525 refuse a name only in CN", &cn_only, &anchors, 1, MST_E_X509_HOST },
	{ "anchors refuse an expired certificate", &expired, &anchors, 1, MST_E_X509_EXPIRED },
	{ "RFC 5280 4.2.1.12 refuse a client certificate", &client_eku, &anchors, 1,
	    MST_E_X509_CHAIN },
};

static void
anchors_refuse(void **state)
{
	const struct bad_server *b = *state;
	struct server s = { .pair = b->pair, .show_mid = b->show_mid, .reply = { OK2 } };
	struct http_options o = { .trust = HTTP_ANCHORS, .anchors = *b->anchors };
	struct http_answer an;
	struct http_client *c;

	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(http_send(c, a, &post, 100, &an), b->err);
	assert_true(strlen(http_why()) > 10);
	http_close(c);
	stop(&s);
	assert_int_equal(s.requests, 0);
}

static void
binding_equal(int version, size_t len)
{
	struct server s = { .tls = version, .reply = { OK2, OK2 } };
	uint8_t bytes[64];
	struct mst_buf b = MST_BUF(bytes);
	struct http_answer an;
	struct http_client *c;

	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(http_binding(c, &b), MST_E_UNSUPPORTED);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	assert_int_equal(http_binding(c, &b), MST_OK);
	http_close(c);
	stop(&s);
	assert_int_equal(b.len, len);
	assert_true(mst_span_eq(mst_buf_span(&b), mst_span_of(s.binding, s.binding_len)));
}

static void
est_L3_tls_unique_is_equal_on_both_ends(void **state)
{
	(void)state;
	binding_equal(TLS1_2_VERSION, 12);
}

static void
est_L4_tls_exporter_is_equal_on_both_ends(void **state)
{
	(void)state;
	binding_equal(TLS1_3_VERSION, 32);
}

static void
TLS_1_tls_1_1_is_refused(void **state)
{
	struct server s = { .tls = TLS1_1_VERSION, .reply = { OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	SSL_CTX_set_security_level(s.ctx, 0);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_E_TLS);
	http_close(c);
	stop(&s);
}

static void
TLS_2_client_certificate_with_chain(void **state)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct server s = { .want_client = 1, .reply = { OK2 } };
	struct http_options o = { .trust = HTTP_PROVISIONAL };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	sk_X509_push(chain, mid.cert);
	start(&s);
	o.base = s.base;
	o.cert = client.cert;
	o.key = client.key;
	o.chain = chain;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(begin(c, &post, &an), MST_OK);
	http_close(c);
	stop(&s);
	assert_int_equal(s.client_certs, 2); /* EE and intermediate */
	sk_X509_free(chain);
}

static void
server_that_wants_a_client_certificate_in_vain(void **state)
{
	struct server s = { .want_client = 1, .reply = { OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_E_TLS);
	http_close(c);
	stop(&s);
}

static void
redirect_is_reported_not_followed(void **state)
{
	struct server s = { .reply = {
		                REPLY("302 Found\r\nLocation: /b\r\nContent-Length: 0", "") } };
	char want[96];
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	assert_int_equal(an.status, 302);
	snprintf(want, sizeof(want), "%s/b", s.base);
	assert_string_equal(an.location, want);
	http_close(c);
	stop(&s);
	assert_int_equal(s.requests, 1);
}

static void
retry_after_is(const char *reply, int64_t want)
{
	struct server s = { .reply = { reply } };
	struct http_answer an;
	struct http_client *c;

	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	assert_int_equal(an.status, 202);
	assert_int_equal(an.retry_after, want);
	http_close(c);
	stop(&s);
}

static void
RFC_9110_10_2_3_retry_after(void **state)
{
	(void)state;
	retry_after_is(REPLY("202 Accepted\r\nContent-Length: 0\r\nRetry-After: 17", ""), 17);
	retry_after_is(
	    REPLY("202 Accepted\r\nContent-Length: 0\r\nRetry-After: Mon, 23 Nov 2026 09:01:30 GMT",
	        ""),
	    90);
	retry_after_is(
	    REPLY("202 Accepted\r\nContent-Length: 0\r\nRetry-After: Mon, 23 Nov 2020 09:01:30 GMT",
	        ""),
	    0);
	retry_after_is(REPLY("202 Accepted\r\nContent-Length: 0\r\nRetry-After: soon", ""), -1);
	retry_after_is(REPLY("202 Accepted\r\nContent-Length: 0\r\nRetry-After: -5", ""), -1);
}

static void
body_limit_is_exact(void **state)
{
	struct server s = { .reply = { REPLY("200 OK\r\nContent-Length: 5", "12345"),
		                REPLY("200 OK\r\nContent-Length: 5", "12345") } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	assert_int_equal(http_send(c, a, &get, 5, &an), MST_OK);
	assert_int_equal(an.body.len, 5);
	http_close(c);
	stop(&s);
	s = (struct server){ .reply = { REPLY("200 OK\r\nContent-Length: 5", "12345") } };
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	{
		struct first f = { .r = get };
		assert_int_equal(http_begin(c, a, on_first, &f, 4, &an), MST_E_HTTP_BODY_LIMIT);
	}
	http_close(c);
	stop(&s);
}

static void
header_limit(void **state)
{
	static char big[80000];
	struct server s = { .reply = { big } };
	struct http_answer an;
	struct http_client *c;
	size_t n = (size_t)snprintf(big, sizeof(big), "HTTP/1.1 200 OK\r\n");

	(void)state;
	while (n < 70000)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "X-%zu: %0100d\r\n", n, 0);
	snprintf(big + n, sizeof(big) - n, "Content-Length: 0\r\n\r\n");
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_E_HTTP_BODY_LIMIT);
	http_close(c);
	stop(&s);
}

static void
TLS_9_stall_ends_in_timeout(void **state)
{
	struct server s = { .drip = 1,
		.reply = { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc" } };
	struct http_options o = { .trust = HTTP_PROVISIONAL, .stall_timeout_ms = 300 };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(begin(c, &get, &an), MST_E_TIMEOUT);
	assert_string_equal(http_why(), "the server lets nothing move");
	http_close(c);
	stop(&s);
}

static void
TLS_9_total_time_is_bounded(void **state)
{
	struct server s = { .drip = 1, .reply = { "HTTP/1.1 200 OK\r\n" } };
	struct http_options o = { .trust = HTTP_PROVISIONAL, .total_timeout_ms = 400 };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(begin(c, &get, &an), MST_E_TIMEOUT);
	http_close(c);
	stop(&s);
}

/* Something moves all the time, but not enough. */
static void
TLS_9_drip_ends_at_the_deadline(void **state)
{
	struct server s = { .drip_ms = 50,
		.reply = { "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" } };
	struct http_options o = { .trust = HTTP_PROVISIONAL };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	http_set_patience(c, 0, 400);
	assert_int_equal(begin(c, &get, &an), MST_E_TIMEOUT);
	assert_string_equal(http_why(), "the answer takes too long");
	http_close(c);
	stop(&s);
}

static mst_err
on_first_impatient(void *arg, const struct mst_chain *server, struct http_request *fill)
{
	struct http_client **c = arg;

	(void)server;
	*fill = get;
	http_set_patience(*c, 300, 0);
	return MST_OK;
}

/* What is said within the handshake counts for the exchange under way, and for no other. */
static void
TLS_9_patience_of_one_exchange(void **state)
{
	struct server s = { .drip = 1,
		.reply = { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
		    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc" } };
	struct http_options o = { .trust = HTTP_PROVISIONAL, .total_timeout_ms = 700 };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(http_begin(c, a, on_first_impatient, &c, 65536, &an), MST_E_TIMEOUT);
	assert_string_equal(http_why(), "the server lets nothing move");
	assert_int_equal(begin(c, &get, &an), MST_E_TIMEOUT);
	assert_string_not_equal(http_why(), "the server lets nothing move");
	http_close(c);
	stop(&s);
}

/* A listener that never speaks TLS. */
static void
TLS_9_silent_handshake_is_bounded(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	struct http_options o = { .trust = HTTP_PROVISIONAL, .connect_timeout_ms = 300 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct http_answer an;
	struct http_client *c;
	char base[64];

	(void)state;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	snprintf(base, sizeof(base), "https://127.0.0.1:%u", ntohs(in.sin_port));
	o.base = base;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(begin(c, &get, &an), MST_E_TIMEOUT);
	close(fd); /* now nobody listens */
	assert_int_equal(begin(c, &get, &an), MST_E_UNREACHABLE);
	http_close(c);
}

static void
answer_that_is_not_http(void **state)
{
	struct server s = { .reply = { "SSH-2.0-none\r\n\r\n" } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_E_HTTP_MALFORMED);
	http_close(c);
	stop(&s);
}

static void
T6_password_only_with_anchors(void **state)
{
	struct server s = { .show_mid = 1, .reply = { OK2 } };
	struct http_options o = { .trust = HTTP_PROVISIONAL, .user = "u", .password = "p" };
	struct http_answer an;
	struct http_client *c = NULL;

	(void)state;
	start(&s);
	o.base = s.base;
	assert_int_equal(http_open(&o, &c), MST_E_USAGE);
	assert_null(c);
	o.trust = HTTP_ANCHORS;
	o.anchors = anchors;
	assert_int_equal(http_open(&o, &c), MST_OK);
	assert_int_equal(http_send(c, a, &get, 100, &an), MST_OK);
	http_close(c);
	stop(&s);
	assert_non_null(strstr(s.seen[0], "\r\nAuthorization: Basic dTpw\r\n"));
}

static void
environment_proxy_is_ignored(void **state)
{
	struct server s = { .reply = { OK2 } };
	struct http_answer an;
	struct http_client *c;

	(void)state;
	setenv("https_proxy", "http://127.0.0.1:9", 1);
	start(&s);
	c = client_for(&s, HTTP_PROVISIONAL);
	assert_int_equal(begin(c, &get, &an), MST_OK);
	http_close(c);
	stop(&s);
	unsetenv("https_proxy");
}

static void
wrong_options_and_requests(void **state)
{
	static const char *const bases[] = { "http://h", "https://", "https://u@h", "https://h/p",
		"https://h\r\nX: y", NULL };
	struct server s = { .show_mid = 1, .reply = { OK2 } };
	struct http_request r = get;
	struct http_answer an;
	struct http_client *c = NULL;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct http_options o = { .base = bases[i], .trust = HTTP_PROVISIONAL };
		assert_int_equal(http_open(&o, &c), MST_E_USAGE);
	}
	{
		struct http_options o = { .base = "https://h", .trust = HTTP_ANCHORS };
		assert_int_equal(http_open(&o, &c), MST_E_USAGE);
		o = (struct http_options){ .base = "https://h", .cert = client.cert };
		assert_int_equal(http_open(&o, &c), MST_E_USAGE);
	}
	start(&s);
	c = client_for(&s, HTTP_ANCHORS);
	r.path = "/a\r\nX-Forged: 1";
	assert_int_equal(http_send(c, a, &r, 100, &an), MST_E_USAGE);
	r.path = "a";
	assert_int_equal(http_send(c, a, &r, 100, &an), MST_E_USAGE);
	r = get;
	r.accept = "a\nb";
	assert_int_equal(http_send(c, a, &r, 100, &an), MST_E_USAGE);
	r = get;
	r.method = "DELETE";
	assert_int_equal(http_send(c, a, &r, 100, &an), MST_E_USAGE);
	r = get;
	r.body = MST_LIT("x");
	assert_int_equal(http_send(c, a, &r, 100, &an), MST_E_USAGE);
	assert_int_equal(begin(c, &r, &an), MST_E_USAGE);
	http_close(c);
	stop(&s);
	assert_int_equal(s.requests, 0);
}

int
main(void)
{
#define BAD (sizeof(bad) / sizeof(bad[0]))
#define T(fn) cmocka_unit_test(fn)
	static const struct CMUnitTest fixed[] = {
		T(TLS_3_provisional_shows_the_chain_before_the_request),
		T(answer_is_taken),
		T(a_range_is_asked_for_and_told),
		T(trace_is_in_every_request),
		T(TLS_3_provisional_accepts),
		T(TLS_3_handshake_signature_is_verified_in_tls_1_3),
		T(TLS_3_handshake_signature_is_verified_in_tls_1_2),
		T(TLS_4_no_SNI_when_provisional_SNI_otherwise),
		T(TLS_5_same_connection_is_used),
		T(TLS_5_provisional_never_reconnects_silently),
		T(TLS_5_provisional_does_not_retry),
		T(begin_again_is_a_fresh_connection),
		T(caller_who_refuses_sends_nothing),
		T(anchors_accept_and_reconnect),
		T(est_L3_tls_unique_is_equal_on_both_ends),
		T(est_L4_tls_exporter_is_equal_on_both_ends),
		T(TLS_1_tls_1_1_is_refused),
		T(TLS_2_client_certificate_with_chain),
		T(server_that_wants_a_client_certificate_in_vain),
		T(redirect_is_reported_not_followed),
		T(RFC_9110_10_2_3_retry_after),
		T(body_limit_is_exact),
		T(header_limit),
		T(TLS_9_stall_ends_in_timeout),
		T(TLS_9_drip_ends_at_the_deadline),
		T(TLS_9_patience_of_one_exchange),
		T(TLS_9_total_time_is_bounded),
		T(TLS_9_silent_handshake_is_bounded),
		T(answer_that_is_not_http),
		T(T6_password_only_with_anchors),
		T(environment_proxy_is_ignored),
		T(wrong_options_and_requests),
	};
	struct CMUnitTest tests[sizeof(fixed) / sizeof(fixed[0]) + BAD];
	size_t n = sizeof(fixed) / sizeof(fixed[0]);

	memcpy(tests, fixed, sizeof(fixed));
	for (size_t i = 0; i < BAD; i++)
		tests[n + i] = (struct CMUnitTest){ bad[i].name, anchors_refuse, NULL, NULL,
			(void *)(uintptr_t)&bad[i] };
	return cmocka_run_group_tests(tests, setup, teardown);
}

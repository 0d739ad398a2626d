/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, and a TLS server in a thread of this program: for test_http.c alone. */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
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

#include "host/cert.h"

#define NOW 1795424400 /* 2026-11-23T09:00:00Z */
#define DAY 86400

/* ---- certificates ---- */

struct pair {
	X509 *cert;
	EVP_PKEY *key;
};

static void
extend(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX v;
	X509_EXTENSION *e;

	X509V3_set_ctx(&v, issuer, c, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &v, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(c, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* san and eku may be NULL; ca NULL: self-signed CA. */
static struct pair
make(const char *cn, const struct pair *ca, int is_ca, const char *san, const char *eku,
    int64_t until)
{
	static long serial;
	struct pair p = { X509_new(), EVP_EC_gen("P-256") };
	X509_NAME *n = X509_get_subject_name(p.cert);

	X509_set_version(p.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(p.cert), NOW - DAY);
	ASN1_TIME_set(X509_getm_notAfter(p.cert), until);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(p.cert, ca == NULL ? n : X509_get_subject_name(ca->cert));
	X509_set_pubkey(p.cert, p.key);
	extend(p.cert, p.cert, NID_basic_constraints,
	    is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	extend(p.cert, p.cert, NID_subject_key_identifier, "hash");
	if (san != NULL)
		extend(p.cert, p.cert, NID_subject_alt_name, san);
	if (eku != NULL)
		extend(p.cert, p.cert, NID_ext_key_usage, eku);
	assert_true(X509_sign(p.cert, ca == NULL ? p.key : ca->key, EVP_sha256()) > 0);
	return p;
}

static void
drop(struct pair *p)
{
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
}

static struct pair root, other_root, mid, good, wrong_name, cn_only, expired, client_eku, client;
static struct anchors *anchors, *other_anchors;

static struct anchors *
anchors_of(X509 *cert)
{
	STACK_OF(X509) *s = sk_X509_new_null();
	struct anchors *t = NULL;

	sk_X509_push(s, cert);
	assert_int_equal(anchors_from_stack(s, &t), MST_OK);
	sk_X509_free(s);
	return t;
}

/* ---- the server ---- */

#define REPLY(head, body) "HTTP/1.1 " head "\r\n\r\n" body
#define OK2                                                                                        \
	REPLY("200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nX-Request-Id: abc", "o"  \
	                                                                                      "k")

struct server {
	const struct pair *pair;
	int show_mid;
	int tls; /* version, 0: both */
	int want_client;
	const char *reply[4]; /* to the 1st, 2nd, ... request; NULL: close */
	int drip; /* stall after the head of this request, until the client leaves */
	int drip_ms; /* or send a byte more so often */

	int listener;
	char base[64];
	pthread_t thread;
	atomic_int connections, requests;
	char seen[4][8192]; /* requests */
	char sni[64];
	uint8_t binding[64];
	size_t binding_len;
	int client_certs;
	SSL_CTX *ctx;
};

static int
read_request(SSL *ssl, char *out, size_t cap)
{
	size_t len = 0, body = 0;
	char *end, *cl;

	for (;;) {
		int n = SSL_read(ssl, out + len, (int)(cap - 1 - len));

		if (n <= 0)
			return -1;
		len += (size_t)n;
		out[len] = '\0';
		if ((end = strstr(out, "\r\n\r\n")) == NULL)
			continue;
		if ((cl = strstr(out, "Content-Length: ")) != NULL && cl < end)
			body = strtoul(cl + 16, NULL, 10);
		if (len >= (size_t)(end + 4 - out) + body)
			return 0;
	}
}

static void
note(struct server *s, SSL *ssl)
{
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	X509 *peer = SSL_get0_peer_certificate(ssl);

	snprintf(s->sni, sizeof(s->sni), "%s", sni == NULL ? "" : sni);
	s->client_certs = peer == NULL ? 0 : 1;
	if (peer != NULL && SSL_get_peer_cert_chain(ssl) != NULL)
		s->client_certs += sk_X509_num(SSL_get_peer_cert_chain(ssl));
	if (SSL_version(ssl) == TLS1_3_VERSION) {
		s->binding_len = 32;
		SSL_export_keying_material(ssl, s->binding, 32, "EXPORTER-Channel-Binding", 24,
		    (const unsigned char *)"", 0, 1);
	} else {
		s->binding_len = SSL_get_peer_finished(ssl, s->binding, sizeof(s->binding));
	}
}

static void
serve(struct server *s, SSL *ssl)
{
	for (;;) {
		int i = s->requests;
		char hold;

		if (i >= 4 || read_request(ssl, s->seen[i], sizeof(s->seen[i])) != 0)
			return;
		note(s, ssl);
		s->requests++;
		if (s->reply[i] == NULL)
			return;
		SSL_write(ssl, s->reply[i], (int)strlen(s->reply[i]));
		while (s->drip_ms > 0 && SSL_write(ssl, "x", 1) == 1)
			usleep((useconds_t)s->drip_ms * 1000);
		if (s->drip)
			(void)SSL_read(ssl, &hold, 1);
		if (i < 3 && s->reply[i + 1] == NULL && strstr(s->reply[i], "X-Close") != NULL)
			return;
	}
}

static void *
accept_loop(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int fd = accept(s->listener, NULL, NULL);
		struct timeval tv = { 20, 0 };
		char rest[512];
		SSL *ssl;

		if (fd < 0)
			return NULL;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		s->connections++;
		ssl = SSL_new(s->ctx);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			serve(s, ssl);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		/* Unread bytes would turn the close into a reset, which can overtake the alert. */
		shutdown(fd, SHUT_WR);
		while (read(fd, rest, sizeof(rest)) > 0)
			;
		close(fd);
	}
}

static int
accept_any(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

static void
start(struct server *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	if (s->pair == NULL)
		s->pair = &good;
	s->ctx = SSL_CTX_new(TLS_server_method());
	if (s->tls != 0) {
		SSL_CTX_set_min_proto_version(s->ctx, s->tls);
		SSL_CTX_set_max_proto_version(s->ctx, s->tls);
	}
	SSL_CTX_set_mode(s->ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_use_certificate(s->ctx, s->pair->cert);
	SSL_CTX_use_PrivateKey(s->ctx, s->pair->key);
	if (s->show_mid) {
		SSL_CTX_add1_chain_cert(s->ctx, mid.cert);
		SSL_CTX_add1_chain_cert(s->ctx, root.cert);
	}
	if (s->want_client)
		SSL_CTX_set_verify(
		    s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
	snprintf(s->base, sizeof(s->base), "https://localhost:%u", ntohs(in.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, accept_loop, s), 0);
}

/* The client must be closed before: the loop serves one connection at a time. */
static void
stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	SSL_CTX_free(s->ctx);
}

#endif

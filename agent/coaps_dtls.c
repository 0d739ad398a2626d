/* SPDX-License-Identifier: Apache-2.0 */
/* An association of DTLS 1.2 (brski.md 13.2, est.md X1 to X5), OpenSSL's, on a connected socket. */
#include "agent/coaps_dtls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "host/clock.h"

/* cV 6.1.4: handshake records as small as a stateless join proxy needs them. */
#define HANDSHAKE_MTU 1024
/*
 * RFC 7252 9.1.3.3, cV 6.1.2: CCM_8 is what every registrar has. It is in no
 * default list, so it is named (dependencies.md 11).
 */
#define CIPHERS "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256"

/* ---- the address ---- */

/* "coaps://[fe80::1%25eth0]:5684" to "fe80::1%eth0" and "5684". */
static bool
split(const char *base, char host[256], char port[8])
{
	const char *p = base + 8, *colon = strrchr(base, ':');
	bool bracket = *p == '[';
	size_t n;

	if (strncmp(base, "coaps://", 8) != 0 || colon == NULL || colon < p)
		return false;
	p += bracket;
	n = bracket ? strcspn(p, "]") : (size_t)(colon - p);
	if (n == 0 || n > 255 || strlen(colon + 1) > 5)
		return false;
	snprintf(host, 256, "%.*s", (int)n, p);
	snprintf(port, 8, "%s", colon + 1);
	if ((p = strstr(host, "%25")) != NULL)
		memmove(host + (p - host) + 1, p + 3, strlen(p + 3) + 1);
	return true;
}

static mst_err
open_socket(const char *base, int *out)
{
	struct addrinfo want = { .ai_socktype = SOCK_DGRAM, .ai_family = AF_UNSPEC }, *list, *at;
	char host[256], port[8];
	int fd = -1, e;

	if (!split(base, host, port))
		return coaps_fail(MST_E_USAGE, "the base must be coaps://host:port");
	if ((e = getaddrinfo(host, port, &want, &list)) != 0)
		return coaps_fail(MST_E_UNREACHABLE, gai_strerror(e));
	for (at = list; at != NULL && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
			e = errno;
			close(fd);
			fd = -1;
			errno = e;
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		return coaps_fail(MST_E_UNREACHABLE, strerror(errno));
	*out = fd;
	return MST_OK;
}

/* ---- the context ---- */

/* TLS-3: whoever called judges the chain; DTLS goes on to verify the handshake's signature. */
static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static bool
set_up(SSL_CTX *ctx, const struct coaps_options *o)
{
	uint8_t fragment =
	    o->fragment == 512 ? TLSEXT_max_fragment_length_512 : TLSEXT_max_fragment_length_1024;

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	                             SSL_OP_NO_COMPRESSION | SSL_OP_NO_QUERY_MTU);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) != 1 ||
	    SSL_CTX_set_tlsext_max_fragment_length(ctx, fragment) != 1 ||
	    SSL_CTX_use_certificate(ctx, o->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, o->key) != 1)
		return false;
	for (int i = 0; i < sk_X509_num(o->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(o->chain, i)) != 1)
			return false;
	return true;
}

/* 13.2: a library that has the suite by name but will not offer it is found here, not at a peer. */
static bool
offers_ccm8(SSL *ssl)
{
	STACK_OF(SSL_CIPHER) *list = SSL_get1_supported_ciphers(ssl);
	bool found = false;

	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++)
		if (SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(list, i)) == 0xc0ae)
			found = true;
	sk_SSL_CIPHER_free(list);
	return found;
}

/* ---- waiting ---- */

static const char *
tls_words(char words[256])
{
	unsigned long e = ERR_peek_last_error();

	ERR_error_string_n(e, words, 256);
	ERR_clear_error();
	return e == 0 ? "the association failed" : words;
}

/* Why SSL_connect() or SSL_read() ended; MST_OK: it only waits. */
static mst_err
error_of(struct coaps_dtls *d, int n)
{
	int saved = errno;
	char words[256];

	switch (SSL_get_error(d->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return MST_OK;
	case SSL_ERROR_ZERO_RETURN:
		return coaps_fail(MST_E_UNREACHABLE, "the server has closed the association");
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return coaps_fail(
		    MST_E_UNREACHABLE, saved != 0 ? strerror(saved) : "the association ended");
	default: return coaps_fail(MST_E_TLS, tls_words(words));
	}
}

/* Until something can be read or until_us. MST_E_TIMEOUT when that has passed. */
static mst_err
wait_readable(struct coaps_dtls *d, int64_t until_us)
{
	int64_t us = until_us - clock_mono_us();
	struct pollfd p = { .fd = d->fd, .events = POLLIN };

	if (us <= 0)
		return MST_E_TIMEOUT;
	if (us > 3600 * INT64_C(1000000))
		us = 3600 * INT64_C(1000000);
	(void)poll(&p, 1, (int)((us + 999) / 1000));
	return MST_OK;
}

/* RFC 6347 4.2.4: OpenSSL keeps the timers of its flights. */
static mst_err
wait_flight(struct coaps_dtls *d, int64_t end_us)
{
	struct timeval left;
	int64_t until = end_us;

	if (DTLSv1_get_timeout(d->ssl, &left) == 1) {
		int64_t due = clock_mono_us() + left.tv_sec * INT64_C(1000000) + left.tv_usec;

		until = due < end_us ? due : end_us;
	}
	(void)!wait_readable(d, until);
	if (clock_mono_us() >= end_us)
		return coaps_fail(MST_E_TIMEOUT, "no DTLS handshake in time");
	if (DTLSv1_handle_timeout(d->ssl) < 0)
		return coaps_fail(MST_E_UNREACHABLE, "no answer to the DTLS handshake");
	return MST_OK;
}

static mst_err
handshake(struct coaps_dtls *d, int64_t end_us)
{
	mst_err e = MST_OK;
	int n;

	while (e == MST_OK) {
		ERR_clear_error();
		errno = 0;
		if ((n = SSL_connect(d->ssl)) == 1)
			return MST_OK;
		e = error_of(d, n);
		if (e == MST_OK)
			e = wait_flight(d, end_us);
	}
	return e;
}

static mst_err
keep_chain(struct coaps_dtls *d)
{
	STACK_OF(X509) *certs = SSL_get_peer_cert_chain(d->ssl); /* at a client: with the EE */
	int n = sk_X509_num(certs);

	if (n < 1 || n > MST_CHAIN_MAX)
		return coaps_fail(MST_E_X509_CHAIN, "the server shows no or too many certificates");
	for (int i = 0; i < n; i++) {
		int len = i2d_X509(sk_X509_value(certs, i), &d->der[i]);

		if (len <= 0)
			return coaps_fail(MST_E_X509, "a certificate of the server");
		d->chain.cert[i] = mst_span_of(d->der[i], (size_t)len);
		d->chain.count++;
	}
	return MST_OK;
}

/* The socket is connected; its BIO must know, or it would name a peer with each datagram. */
static bool
tell_connected(BIO *bio, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	socklen_t len = sizeof at;
	BIO_ADDR *peer = BIO_ADDR_new();
	bool ok = peer != NULL && getpeername(fd, &at.any, &len) == 0;

	if (ok && at.any.sa_family == AF_INET)
		ok = BIO_ADDR_rawmake(peer, AF_INET, &at.v4.sin_addr, sizeof at.v4.sin_addr,
		         at.v4.sin_port) == 1;
	else if (ok)
		ok = BIO_ADDR_rawmake(peer, AF_INET6, &at.v6.sin6_addr, sizeof at.v6.sin6_addr,
		         at.v6.sin6_port) == 1;
	ok = ok && BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, peer) > 0;
	BIO_ADDR_free(peer);
	return ok;
}

static mst_err
make_ssl(struct coaps_dtls *d, const struct coaps_options *o)
{
	char words[256];
	BIO *bio;

	if ((d->ctx = SSL_CTX_new(DTLS_client_method())) == NULL)
		return coaps_fail(MST_E_NOMEM, "out of memory");
	if (!set_up(d->ctx, o))
		return coaps_fail(MST_E_TLS, tls_words(words));
	if ((d->ssl = SSL_new(d->ctx)) == NULL || (bio = BIO_new_dgram(d->fd, BIO_NOCLOSE)) == NULL)
		return coaps_fail(MST_E_NOMEM, "out of memory");
	SSL_set_bio(d->ssl, bio, bio);
	if (!tell_connected(bio, d->fd))
		return coaps_fail(MST_E_NOMEM, "the socket is not connected");
	(void)SSL_set_mtu(d->ssl, HANDSHAKE_MTU);
	if (!offers_ccm8(d->ssl))
		return coaps_fail(
		    MST_E_TLS, "OpenSSL does not offer TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
	return MST_OK;
}

mst_err
coaps_dtls_open(struct coaps_dtls *d, const struct coaps_options *o, int64_t end_us)
{
	mst_err e;

	*d = (struct coaps_dtls){ .fd = -1 };
	e = open_socket(o->base, &d->fd);
	if (e == MST_OK)
		e = make_ssl(d, o);
	if (e == MST_OK)
		e = handshake(d, end_us);
	if (e == MST_OK)
		e = keep_chain(d);
	if (e != MST_OK)
		coaps_dtls_close(d);
	return e;
}

void
coaps_dtls_close(struct coaps_dtls *d)
{
	if (d->ssl != NULL && SSL_is_init_finished(d->ssl))
		(void)SSL_shutdown(d->ssl); /* says so; nobody waits for the other side */
	ERR_clear_error();
	SSL_free(d->ssl);
	SSL_CTX_free(d->ctx);
	for (size_t i = 0; i < MST_CHAIN_MAX; i++)
		OPENSSL_free(d->der[i]);
	if (d->fd >= 0)
		close(d->fd);
	*d = (struct coaps_dtls){ .fd = -1 };
}

mst_err
coaps_dtls_send(struct coaps_dtls *d, mst_span message)
{
	mst_err e;
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_write(d->ssl, message.ptr, (int)message.len);
	if (n == (int)message.len)
		return MST_OK;
	e = error_of(d, n);
	/* A full socket is a lost datagram: it is sent again when its time comes. */
	return e;
}

mst_err
coaps_dtls_receive(
    struct coaps_dtls *d, int64_t until_us, uint8_t room[COAPS_DATAGRAM], mst_span *message)
{
	mst_err e = MST_OK;

	while (e == MST_OK) {
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_read(d->ssl, room, COAPS_DATAGRAM);
		if (n > 0) {
			*message = mst_span_of(room, (size_t)n);
			return MST_OK;
		}
		e = error_of(d, n);
		if (e == MST_OK)
			e = wait_readable(d, until_us);
	}
	return e;
}

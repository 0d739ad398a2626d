/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_rate CERT KEY SECONDS CLIENTS PORT...: DTLS handshakes a second against
 * each UDP port of loopback, and exchanges of one small CoAP message within a
 * session, by CLIENTS at once. Of handshakes 80 in all: the listener allows a
 * source 100 at once, then 20 a second. For the script of the same name;
 * asserts no time.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/* CON GET /.well-known/core, a message ID in bytes 2 and 3 */
static const unsigned char get_core[] = { 0x40, 0x01, 0, 0, 0xbb, '.', 'w', 'e', 'l', 'l', '-', 'k',
	'n', 'o', 'w', 'n', 0x04, 'c', 'o', 'r', 'e' };

#define HANDSHAKES_MOST 80

enum work { HANDSHAKES, EXCHANGES };

struct client {
	SSL_CTX *ctx;
	int port;
	enum work work;
	double until;
	long most; /* of handshakes */
	long done, failed;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static SSL *
join(const struct client *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)c->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { 2, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(c->ctx);
	BIO *b = BIO_new_dgram(fd, BIO_CLOSE);

	if (fd < 0 || ssl == NULL || b == NULL || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		exit(1);
	BIO_ctrl(b, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &a);
	BIO_ctrl(b, BIO_CTRL_DGRAM_SET_RECV_TIMEOUT, 0, &patience);
	SSL_set_bio(ssl, b, b);
	if (SSL_connect(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	ERR_clear_error();
	return NULL;
}

static void
part(SSL *ssl)
{
	SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}

static bool
exchange(SSL *ssl, unsigned mid)
{
	unsigned char m[sizeof get_core], back[1500];

	memcpy(m, get_core, sizeof m);
	m[2] = (unsigned char)(mid >> 8);
	m[3] = (unsigned char)mid;
	return SSL_write(ssl, m, sizeof m) == (int)sizeof m &&
	       SSL_read(ssl, back, sizeof back) > 4 && back[2] == m[2] && back[3] == m[3];
}

static void *
run(void *arg)
{
	struct client *c = arg;
	SSL *ssl = c->work == EXCHANGES ? join(c) : NULL;

	for (unsigned i = 1; now() < c->until; i++) {
		bool good;

		if (c->work == HANDSHAKES && (long)i > c->most)
			break;
		if (c->work == HANDSHAKES) {
			SSL *one = join(c);

			if ((good = one != NULL))
				part(one);
		} else
			good = ssl != NULL && exchange(ssl, i);
		if (good)
			c->done++;
		else
			c->failed++;
		if (!good && c->work == EXCHANGES)
			break;
	}
	if (ssl != NULL)
		part(ssl);
	return NULL;
}

static void
measure(SSL_CTX *ctx, int port, enum work work, double seconds, int clients)
{
	struct client *c = calloc((size_t)clients, sizeof *c);
	pthread_t *threads = calloc((size_t)clients, sizeof *threads);
	double began = now();
	long done = 0, failed = 0;

	if (c == NULL || threads == NULL)
		exit(1);
	for (int i = 0; i < clients; i++) {
		c[i] = (struct client){ ctx, port, work, began + seconds, HANDSHAKES_MOST / clients,
			0, 0 };
		if (pthread_create(&threads[i], NULL, run, &c[i]) != 0)
			exit(1);
	}
	for (int i = 0; i < clients; i++) {
		pthread_join(threads[i], NULL);
		done += c[i].done;
		failed += c[i].failed;
	}
	printf(" %.0f %ld", (double)done / (now() - began), failed);
	free(c);
	free(threads);
}

static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

int
main(int argc, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());

	if (argc < 6 || ctx == NULL ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-CCM8") != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "relay_rate CERT KEY SECONDS CLIENTS PORT...\n");
		return 2;
	}
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	for (int i = 5; i < argc; i++) {
		printf("%s", argv[i]);
		measure(ctx, atoi(argv[i]), HANDSHAKES, atof(argv[3]), atoi(argv[4]));
		measure(ctx, atoi(argv[i]), EXCHANGES, atof(argv[3]), atoi(argv[4]));
		printf("\n");
		fflush(stdout);
	}
	SSL_CTX_free(ctx);
	return 0;
}

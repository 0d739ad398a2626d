/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL and the disk cost by themselves: the floor under everything else. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/ec.h>

#include "bench.h"

#define DIGEST 32
#define VOUCHER_BYTES 900 /* of JSON in a voucher-request */

struct bed { /* what the measured calls share */
	EVP_PKEY *key, *other;
	EVP_PKEY_CTX *signing, *verifying, *deriving;
	uint8_t digest[DIGEST], signature[128];
	size_t signature_len;
	const struct primitives_world *w;
	uint8_t *cert_der, *csr_der, *cms_der;
	int cert_len, csr_len, cms_len;
	X509_REQ *csr;
	X509 *cert;
	X509_STORE *anchors;
	char json[VOUCHER_BYTES];
};

static void
must(int ok, const char *what)
{
	if (ok <= 0)
		bench_die("primitive: %s", what);
}

/* --- one call each --- */

static void
do_keygen(struct bed *b)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");

	must(k != NULL, "keygen");
	EVP_PKEY_free(k);
	(void)b;
}

static void
do_sign(struct bed *b)
{
	b->signature_len = sizeof b->signature;
	must(EVP_PKEY_sign(b->signing, b->signature, &b->signature_len, b->digest, DIGEST), "sign");
}

static void
do_verify(struct bed *b)
{
	must(EVP_PKEY_verify(b->verifying, b->signature, b->signature_len, b->digest, DIGEST),
	    "verify");
}

static void
do_ecdh(struct bed *b)
{
	uint8_t secret[64];
	size_t n = sizeof secret;

	must(EVP_PKEY_derive(b->deriving, secret, &n), "ECDH");
}

static void
do_cert_decode(struct bed *b)
{
	const uint8_t *p = b->cert_der;
	X509 *c = d2i_X509(NULL, &p, b->cert_len);

	must(c != NULL && X509_get0_pubkey(c) != NULL, "certificate");
	X509_free(c);
}

static void
do_csr_decode(struct bed *b)
{
	const uint8_t *p = b->csr_der;
	X509_REQ *r = d2i_X509_REQ(NULL, &p, b->csr_len);

	must(r != NULL && X509_REQ_get0_pubkey(r) != NULL, "CSR");
	X509_REQ_free(r);
}

static void
do_csr_check(struct bed *b)
{
	must(X509_REQ_verify(b->csr, b->other), "proof of possession");
}

static void
do_cert_sign(struct bed *b)
{
	must(X509_sign(b->cert, b->key, EVP_sha256()), "certificate signature");
}

static void
do_cms_sign(struct bed *b)
{
	BIO *in = BIO_new_mem_buf(b->json, VOUCHER_BYTES);
	CMS_ContentInfo *cms = CMS_sign(b->w->client.cert, b->w->client.key, b->w->client.chain, in,
	    CMS_BINARY | CMS_NOSMIMECAP);
	int n;

	must(cms != NULL, "CMS signature");
	OPENSSL_free(b->cms_der);
	b->cms_der = NULL;
	must(n = i2d_CMS_ContentInfo(cms, &b->cms_der), "CMS encoding");
	b->cms_len = n;
	CMS_ContentInfo_free(cms);
	BIO_free(in);
}

/* With the chain up to the anchor, as each receiver of a voucher-request must. */
static void
do_cms_verify(struct bed *b)
{
	const uint8_t *p = b->cms_der;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, b->cms_len);
	BIO *out = BIO_new(BIO_s_mem());

	must(cms != NULL && CMS_verify(cms, NULL, b->anchors, NULL, out, CMS_BINARY) == 1,
	    "CMS verification");
	CMS_ContentInfo_free(cms);
	BIO_free(out);
}

/* Microseconds of CPU per call: the mean, since what it is held against is one too. */
static double
cost(void (*call)(struct bed *), struct bed *b, double seconds)
{
	double from, took = 0;
	long n = 0;

	for (int i = 0; i < 16; i++)
		call(b); /* caches */
	from = bench_cpu();
	do {
		for (int i = 0; i < 16; i++)
			call(b);
		n += 16;
	} while ((took = bench_cpu() - from) < seconds);
	return took / (double)n * US_PER_S;
}

static X509_STORE *
store_of(const char *path)
{
	X509_STORE *s = X509_STORE_new();

	must(s != NULL && X509_STORE_load_locations(s, path, NULL), path);
	X509_STORE_set_purpose(s, X509_PURPOSE_ANY);
	X509_STORE_set_flags(s, X509_V_FLAG_PARTIAL_CHAIN);
	return s;
}

static void
bed_make(struct bed *b, const struct primitives_world *w)
{
	*b = (struct bed){ .w = w };
	memset(b->json, 'v', sizeof b->json);
	must((b->key = EVP_EC_gen("P-256")) != NULL, "key");
	must((b->other = EVP_EC_gen("P-256")) != NULL, "key");
	b->signing = EVP_PKEY_CTX_new(b->key, NULL);
	b->verifying = EVP_PKEY_CTX_new(b->key, NULL);
	b->deriving = EVP_PKEY_CTX_new(b->key, NULL);
	must(EVP_PKEY_sign_init(b->signing), "sign");
	must(EVP_PKEY_verify_init(b->verifying), "verify");
	must(EVP_PKEY_derive_init(b->deriving), "ECDH");
	must(EVP_PKEY_derive_set_peer(b->deriving, b->other), "ECDH");
	must(b->cert_len = i2d_X509(w->client.cert, &b->cert_der), "certificate");
	must((b->cert = X509_dup(w->client.cert)) != NULL, "certificate");
	must((b->csr = X509_REQ_new()) != NULL, "CSR");
	must(X509_REQ_set_subject_name(b->csr, X509_get_subject_name(w->client.cert)), "CSR");
	must(X509_REQ_set_pubkey(b->csr, b->other), "CSR");
	must(X509_REQ_sign(b->csr, b->other, EVP_sha256()), "CSR");
	must(b->csr_len = i2d_X509_REQ(b->csr, &b->csr_der), "CSR");
	b->anchors = store_of(w->client_anchors);
	do_sign(b);
	do_cms_sign(b);
}

static void
bed_free(struct bed *b)
{
	EVP_PKEY_CTX_free(b->signing);
	EVP_PKEY_CTX_free(b->verifying);
	EVP_PKEY_CTX_free(b->deriving);
	EVP_PKEY_free(b->key);
	EVP_PKEY_free(b->other);
	OPENSSL_free(b->cert_der);
	OPENSSL_free(b->csr_der);
	OPENSSL_free(b->cms_der);
	X509_REQ_free(b->csr);
	X509_free(b->cert);
	X509_STORE_free(b->anchors);
}

/* --- TLS in memory --- */

enum client_shows { SHOWS_NOTHING, SHOWS_CHAIN };

static SSL_CTX *
side(const SSL_METHOD *m, const struct identity *own, const char *anchors, int verify)
{
	SSL_CTX *ctx = SSL_CTX_new(m);

	must(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION), "TLS");
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	must(SSL_CTX_set_num_tickets(ctx, 0), "TLS");
	if (own != NULL)
		must(SSL_CTX_use_cert_and_key(ctx, own->cert, own->key, own->chain, 1), "identity");
	SSL_CTX_set_verify(ctx, verify, NULL);
	SSL_CTX_set1_cert_store(ctx, store_of(anchors));
	return ctx;
}

static void
handshake(SSL_CTX *sc, SSL_CTX *cc, double *server, double *client)
{
	SSL *s = SSL_new(sc), *c = SSL_new(cc);
	BIO *a, *b;
	int sr = 0, cr = 0;

	must(BIO_new_bio_pair(&a, 65536, &b, 65536), "BIO");
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	for (int i = 0; i < 20 && (sr != 1 || cr != 1); i++) {
		double t = bench_cpu(), u;

		cr = SSL_do_handshake(c);
		u = bench_cpu();
		*client += u - t;
		sr = SSL_do_handshake(s);
		*server += bench_cpu() - u;
	}
	must(sr == 1 && cr == 1, "in-memory handshake");
	double t = bench_cpu();
	SSL_free(s);
	*server += bench_cpu() - t;
	SSL_free(c);
}

static void
measure_tls(const struct primitives_world *w, enum client_shows shows, double seconds,
    double *server, double *client)
{
	bool mutual = shows == SHOWS_CHAIN;
	SSL_CTX *sc = side(TLS_server_method(), &w->server, w->client_anchors,
	    mutual ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE);
	SSL_CTX *cc = side(
	    TLS_client_method(), mutual ? &w->client : NULL, w->server_anchors, SSL_VERIFY_PEER);

	double sum_s = 0, sum_c = 0;
	long n = 0;

	handshake(sc, cc, &sum_s, &sum_c); /* caches */
	sum_s = sum_c = 0;
	do
		handshake(sc, cc, &sum_s, &sum_c);
	while (n++, sum_s + sum_c < seconds);
	*server = sum_s / (double)n * US_PER_S;
	*client = sum_c / (double)n * US_PER_S;
	SSL_CTX_free(sc);
	SSL_CTX_free(cc);
}

static double
measure_sync(const char *dir)
{
	char path[512], page[4096] = { 0 };
	double from;
	int fd, n = 0;

	snprintf(path, sizeof path, "%s/sync", dir);
	must((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) + 1, path);
	from = bench_now();
	while (n < 200 && bench_now() - from < 1) {
		must(pwrite(fd, page, sizeof page, (off_t)n * 4096) == sizeof page, "write");
		must(fdatasync(fd) == 0, "fdatasync");
		n++;
	}
	close(fd);
	unlink(path);
	return (bench_now() - from) / n * US_PER_S;
}

struct primitives
primitives_measure(const struct primitives_world *w, double seconds)
{
	struct primitives p;
	struct bed b;
	double unused;

	bed_make(&b, w);
	measure_tls(w, SHOWS_CHAIN, 3 * seconds, &p.tls_server, &p.tls_client);
	measure_tls(w, SHOWS_NOTHING, seconds, &p.tls_client_only, &unused);
	p.keygen = cost(do_keygen, &b, seconds);
	p.sign = cost(do_sign, &b, seconds);
	p.verify = cost(do_verify, &b, seconds);
	p.ecdh = cost(do_ecdh, &b, seconds);
	p.cert_decode = cost(do_cert_decode, &b, seconds);
	p.csr_decode = cost(do_csr_decode, &b, seconds);
	p.csr_check = cost(do_csr_check, &b, seconds);
	p.cert_sign = cost(do_cert_sign, &b, seconds);
	p.cms_sign = cost(do_cms_sign, &b, seconds);
	p.cms_verify = cost(do_cms_verify, &b, seconds);
	p.sync_wall = measure_sync(w->dir);
	bed_free(&b);
	return p;
}

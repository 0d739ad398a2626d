/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/support_coap.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/* One association and the exchange in it. */
struct talk {
	struct coap_toy *t;
	SSL *ssl;
	X509 *client;
	uint8_t up[COAP_TOY_BODY];
	size_t up_len;
	struct coap_toy_answer down;
	int own_mid;
	bool hang_up, tricked;
};

struct message {
	int type, code, mid, tkl;
	const uint8_t *token;
	struct coap_toy_request q;
	int block1, block2; /* option values; -1: none */
};

/* ---- bytes ---- */

static int
number(const uint8_t *p, size_t n)
{
	int v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static void
option(struct message *m, int num, const uint8_t *p, size_t n)
{
	size_t used = strlen(m->q.path);

	if (num == 11)
		snprintf(m->q.path + used, sizeof m->q.path - used, "/%.*s", (int)n, p);
	else if (num == 12)
		m->q.format = number(p, n);
	else if (num == 17)
		m->q.accept = number(p, n);
	else if (num == 23)
		m->block2 = number(p, n);
	else if (num == 27)
		m->block1 = number(p, n);
	else
		MUST(num == 0); /* an option that the client has no need of */
}

static void
parse(struct message *m, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;
	int num = 0;

	MUST(n >= 4 && p[0] >> 6 == 1);
	*m = (struct message){ .type = p[0] >> 4 & 3,
		.tkl = p[0] & 15,
		.code = (p[1] >> 5) * 100 + (p[1] & 31),
		.mid = p[2] << 8 | p[3],
		.token = p + 4,
		.q = { .format = -1, .accept = -1 },
		.block1 = -1,
		.block2 = -1 };
	m->q.method = m->code;
	p += 4 + m->tkl;
	while (p < end && *p != 0xff) {
		int delta = *p >> 4, len = *p & 15;

		MUST(delta < 14 && len < 14);
		p++;
		if (delta == 13)
			delta += *p++;
		if (len == 13)
			len += *p++;
		num += delta;
		MUST(p + len <= end);
		option(m, num, p, (size_t)len);
		p += len;
	}
	m->q.body = p < end ? p + 1 : p;
	m->q.len = p < end ? (size_t)(end - p - 1) : 0;
	MUST(p == end || m->q.len > 0);
}

static size_t
put_option(uint8_t *p, int *last, int num, uint32_t value)
{
	int delta = num - *last, len = value == 0 ? 0 : value < 256 ? 1 : value < 65536 ? 2 : 3;
	size_t n = 0;

	p[n++] = (uint8_t)((delta < 13 ? delta : 13) << 4 | len);
	if (delta >= 13)
		p[n++] = (uint8_t)(delta - 13);
	for (int i = len - 1; i >= 0; i--)
		p[n++] = (uint8_t)(value >> (8 * i));
	*last = num;
	return n;
}

static size_t
head(uint8_t *p, int type, int code, int mid, const struct message *m)
{
	p[0] = (uint8_t)(0x40 | type << 4 | (m != NULL ? m->tkl : 0));
	p[1] = (uint8_t)(code / 100 << 5 | code % 100);
	p[2] = (uint8_t)(mid >> 8);
	p[3] = (uint8_t)mid;
	if (m != NULL)
		memcpy(p + 4, m->token, (size_t)m->tkl);
	return 4 + (m != NULL ? (size_t)m->tkl : 0);
}

static void
transmit(struct talk *k, const uint8_t *p, size_t n)
{
	if (SSL_write(k->ssl, p, (int)n) != (int)n)
		k->hang_up = true;
}

static void
send_empty(struct talk *k, int type, int mid)
{
	uint8_t p[4];

	transmit(k, p, head(p, type, 0, mid, NULL));
}

/* ---- answers ---- */

static void
send_tricky(struct talk *k, const struct message *m, uint8_t *p, size_t n)
{
	enum coap_toy_trick trick = k->t->trick;
	bool alone = trick == COAP_TOY_SEPARATE || trick == COAP_TOY_TWICE ||
	             trick == COAP_TOY_SEPARATE_FIRST || trick == COAP_TOY_NON;
	uint8_t other[8] = { 0x62, 0x45, 0, 0, 0xab, 0xcd };

	if (trick == COAP_TOY_SLOW)
		usleep(100000);
	if (trick == COAP_TOY_GARBAGE)
		transmit(k, (const uint8_t *)"\x13\x37", 2);
	if (trick == COAP_TOY_STRANGER) {
		head(other, 2, 205, m->mid, NULL);
		other[0] |= 2;
		transmit(k, other, 6);
	}
	if (trick == COAP_TOY_PING) {
		send_empty(k, 0, k->own_mid++);
		other[0] = 0x40;
		other[1] = 1;
		transmit(k, other, 4);
	}
	if (alone) {
		if (trick == COAP_TOY_SEPARATE || trick == COAP_TOY_TWICE)
			send_empty(k, 2, m->mid);
		p[0] = (uint8_t)((p[0] & 0xcf) | (trick == COAP_TOY_NON ? 0x10 : 0));
		p[2] = (uint8_t)(k->own_mid >> 8);
		p[3] = (uint8_t)k->own_mid++;
	}
	transmit(k, p, n);
	if (trick == COAP_TOY_TWICE)
		transmit(k, p, n);
}

/* The piece of k->down that block2 asks for; block1: value to echo, or -1. */
static void
send_answer(struct talk *k, const struct message *m, int block1)
{
	const struct coap_toy_answer *r = &k->down;
	enum coap_toy_trick trick = k->t->trick;
	unsigned szx = m->block2 >= 0 && (unsigned)(m->block2 & 7) < k->t->szx
	                   ? (unsigned)(m->block2 & 7)
	                   : k->t->szx;
	size_t size = (size_t)16 << szx;
	size_t num =
	    m->block2 > 0 ? (size_t)(m->block2 >> 4) << ((unsigned)(m->block2 & 7) - szx) : 0;
	uint8_t *p = malloc(2048 + size);
	size_t at, left, n;
	bool more;
	int last = 0;

	MUST(p != NULL);
	if (trick == COAP_TOY_GAP && num == 1)
		num = 2;
	at = num * size < r->len ? num * size : r->len;
	left = r->len - at;
	more = left > size || trick == COAP_TOY_ENDLESS;
	n = head(p, 2, trick == COAP_TOY_BREAKS && num > 0 ? 408 : r->code, m->mid, m);
	if (r->len > size)
		n += put_option(p + n, &last, 4, trick == COAP_TOY_ETAG && num > 0 ? 8 : 7);
	if (trick == COAP_TOY_CRITICAL)
		n += put_option(p + n, &last, 9, 1);
	if (r->format >= 0)
		n += put_option(p + n, &last, 12,
		    (uint32_t)(trick == COAP_TOY_FORMAT && num > 0 ? 60 : r->format));
	if (r->max_age >= 0)
		n += put_option(p + n, &last, 14, (uint32_t)r->max_age);
	if (r->len > size || trick == COAP_TOY_ENDLESS)
		n += put_option(p + n, &last, 23, (uint32_t)(num << 4 | (more ? 8 : 0) | szx));
	if (block1 >= 0)
		n += put_option(p + n, &last, 27, (uint32_t)block1);
	left = left < size ? left : size;
	if (trick == COAP_TOY_ENDLESS)
		left = size;
	if (trick == COAP_TOY_SHORT && more)
		left--;
	if (left > 0) {
		p[n++] = 0xff;
		memcpy(p + n, r->body + at, at + left <= sizeof r->body ? left : 0);
		n += left;
	}
	send_tricky(k, m, p, n);
	free(p);
}

static void
send_continue(struct talk *k, const struct message *m, int code, int num)
{
	unsigned szx = (unsigned)(m->block1 & 7);
	uint8_t p[64];
	size_t n = head(p, 2, code, m->mid, m);
	int last = 0;

	if (k->t->szx < szx)
		szx = k->t->szx;
	n += put_option(p + n, &last, 27, (uint32_t)(num << 4) | (code == 231 ? 8U : 0U) | szx);
	transmit(k, p, n);
}

/* ---- requests ---- */

/* True when the body is whole, in k->up. */
static bool
assemble(struct talk *k, const struct message *m)
{
	enum coap_toy_trick trick = k->t->trick;
	size_t size = (size_t)16 << (m->block1 & 7), num = (size_t)m->block1 >> 4;

	if (num == 0)
		k->up_len = 0;
	MUST(num * size == k->up_len && k->up_len + m->q.len <= sizeof k->up);
	MUST((m->block1 & 8) == 0 || m->q.len == size);
	if (trick == COAP_TOY_TOO_LARGE && !k->tricked) {
		k->tricked = true;
		send_continue(k, m, 413, 0);
		return false;
	}
	memcpy(k->up + k->up_len, m->q.body, m->q.len);
	k->up_len += m->q.len;
	if ((m->block1 & 8) == 0 && trick != COAP_TOY_ALWAYS_CONTINUE)
		return true;
	send_continue(k, m, 231, (int)num + (trick == COAP_TOY_WRONG_CONTINUE));
	return false;
}

static void
on_request(struct talk *k, struct message *m)
{
	struct coap_toy *t = k->t;

	if (t->trick == COAP_TOY_SILENT)
		return;
	if (t->trick == COAP_TOY_RESET) {
		send_empty(k, 3, m->mid);
		return;
	}
	if (t->trick == COAP_TOY_HANGS_UP) {
		k->hang_up = true;
		return;
	}
	if (m->block2 >= 16) { /* the next piece of the answer: served already, unless taken up */
		MUST(m->q.len == 0 && m->block1 < 0);
		if (k->down.code == 0)
			t->serve(t, &m->q, &k->down);
		send_answer(k, m, -1);
		return;
	}
	if (m->block1 >= 0) {
		if (!assemble(k, m))
			return;
		m->q.body = k->up;
		m->q.len = k->up_len;
	}
	if (++t->served == t->cut_at) {
		t->cut_at = 0;
		k->hang_up = true;
		return;
	}
	m->q.client = k->client;
	memset(&k->down, 0, sizeof k->down);
	k->down.format = k->down.max_age = -1;
	t->serve(t, &m->q, &k->down);
	send_answer(k, m, m->block1 >= 0 ? m->block1 : -1);
}

static void
on_message(struct talk *k, const uint8_t *p, size_t n)
{
	struct coap_toy *t = k->t;
	struct message m;

	t->messages++;
	if ((int)n > t->largest)
		t->largest = (int)n;
	if (t->drop > 0) {
		t->drop--;
		return;
	}
	parse(&m, p, n);
	if (m.type == 2) {
		t->acks++;
	} else if (m.type == 3) {
		t->resets++;
	} else if (m.code == 0) {
		t->pings++;
		if (t->trick != COAP_TOY_NO_PONG)
			send_empty(k, 3, m.mid);
	} else {
		on_request(k, &m);
	}
}

/* ---- associations ---- */

static int
accept_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static SSL_CTX *
context(struct coap_toy *t)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_server_method());

	MUST(ctx != NULL && SSL_CTX_use_certificate(ctx, t->id->cert) == 1);
	MUST(SSL_CTX_use_PrivateKey(ctx, t->id->key) == 1);
	MUST(t->above == NULL || SSL_CTX_add1_chain_cert(ctx, t->above) == 1);
	MUST(SSL_CTX_set_cipher_list(ctx, t->ciphers) == 1);
	SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

static void
note(struct coap_toy *t, SSL *ssl)
{
	SSL_SESSION *s = SSL_get_session(ssl);

	t->associations++;
	t->certs = 1 + sk_X509_num(SSL_get_peer_cert_chain(ssl));
	t->sni += SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL;
	t->fragment = SSL_SESSION_get_max_fragment_length(s);
	snprintf(t->cipher, sizeof t->cipher, "%s", SSL_get_cipher_name(ssl));
}

/* Until the client leaves, the script says so, or the end. */
static void
serve(struct coap_toy *t)
{
	struct talk *k = calloc(1, sizeof *k);
	struct timeval patience = { 0, 100000 };
	SSL_CTX *ctx = context(t);
	uint8_t p[4096];
	BIO *bio;
	int n;

	MUST(k != NULL && (k->ssl = SSL_new(ctx)) != NULL);
	k->t = t;
	k->own_mid = 4711;
	bio = BIO_new_dgram(t->fd, BIO_NOCLOSE);
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_RECV_TIMEOUT, 0, &patience);
	SSL_set_bio(k->ssl, bio, bio);
	SSL_set_mtu(k->ssl, 1200);
	while (!t->stop && (n = SSL_accept(k->ssl)) != 1 &&
	       SSL_get_error(k->ssl, n) == SSL_ERROR_WANT_READ)
		DTLSv1_handle_timeout(k->ssl);
	if (SSL_is_init_finished(k->ssl)) {
		k->client = SSL_get1_peer_certificate(k->ssl);
		note(t, k->ssl);
		while (!t->stop && !k->hang_up) {
			n = SSL_read(k->ssl, p, sizeof p);
			if (n > 0)
				on_message(k, p, (size_t)n);
			else if (SSL_get_error(k->ssl, n) != SSL_ERROR_WANT_READ)
				break;
		}
		SSL_shutdown(k->ssl);
	}
	ERR_clear_error();
	X509_free(k->client);
	SSL_free(k->ssl);
	SSL_CTX_free(ctx);
	free(k);
}

static void *
run(void *arg)
{
	struct coap_toy *t = arg;

	t->runs = true;
	while (!t->stop) {
		struct pollfd p = { .fd = t->fd, .events = POLLIN };

		if (poll(&p, 1, 50) > 0)
			serve(t);
	}
	return NULL;
}

void
coap_toy_start(struct coap_toy *t, const struct pki *id, X509 *above,
    void (*fn)(struct coap_toy *, const struct coap_toy_request *, struct coap_toy_answer *),
    void *arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;

	memset(t, 0, sizeof *t);
	t->serve = fn;
	t->arg = arg;
	t->id = id;
	t->above = above;
	t->szx = 6;
	t->ciphers = "ECDHE-ECDSA-AES128-CCM8";
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(t->fd >= 0 && bind(t->fd, (struct sockaddr *)&at, sizeof at) == 0);
	MUST(getsockname(t->fd, (struct sockaddr *)&at, &len) == 0);
	t->port = ntohs(at.sin_port);
	snprintf(t->base, sizeof t->base, "coaps://127.0.0.1:%d", t->port);
	MUST(pthread_create(&t->thread, NULL, run, t) == 0);
	while (!t->runs)
		usleep(1000);
}

void
coap_toy_stop(struct coap_toy *t)
{
	t->stop = true;
	MUST(pthread_join(t->thread, NULL) == 0);
	close(t->fd);
}

void
coap_toy_forget(struct coap_toy *t)
{
	t->associations = t->messages = t->served = t->acks = t->resets = t->largest = 0;
}

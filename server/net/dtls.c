/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/dtls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"
#include "server/net/dtls_origin.h"
#include "server/net/net_internal.h"

#define BUCKETS 1024
#define MTU 1024 /* of handshake flights (brski.md 13.2) */
#define ROOM 1152 /* RFC 7252 4.6; with record, UDP and JPY still below 1280 */
#define COOKIE 32
#define SECRET_S 300 /* a cookie holds for this to twice this long */
#define SWEEP_MS 1000
#define QUEUE_BYTES (1 << 20) /* of the socket */
#define BATCH 64 /* datagrams in a row before other work of the loop has its turn */
#define FORGERIES 128 /* brski.md 13.2: CCM_8 ends after 2^7 records that did not verify */
#define SAY_PER_S 10 /* log lines about handshakes that failed */
#define RECORD_HEADER 13
#define HELLO_RANDOM (RECORD_HEADER + 12 + 2)

enum state { SPARE, SHAKING, OPEN, DEAD };

struct dtls_session {
	struct dtls *d;
	struct dtls_session *next; /* of the bucket */
	struct dtls_session *older, *newer;
	SSL *ssl;
	struct datagram_path path;
	mst_span in; /* the datagram in work; taken once */
	enum state state;
	bool opened, stranger, proxied;
	unsigned refs; /* the table, the layer above, frames on the stack */
	int pins;
	struct event timer; /* retransmission of the handshake */
	int64_t born_ms, seen_ms;
	uint8_t random[32]; /* of its ClientHello */
	uint64_t newest; /* sequence number that verified */
	unsigned forgeries;
	bool short_tag;
	struct origin *origin;
	void *note;
	char address[DATAGRAM_TEXT], source[DATAGRAM_TEXT], counted[SOURCE_TEXT];
};

struct dtls {
	struct dtls_config c;
	struct event_base *base;
	int fd;
	struct event *readable, *sweep;
	struct dtls_session *spare; /* has an SSL that listens */
	struct dtls_session *buckets[BUCKETS], *oldest, *newest;
	struct origins origins;
	long sessions, shaking;
	uint8_t secrets[2][32]; /* the present one, the former one */
	int64_t secret_at;
	BIO_ADDR *unused; /* DTLSv1_listen wants to tell us what we know */
	int64_t said_at;
	unsigned said;
	char labels[96];
	uint8_t input[DATAGRAM_MAX], output[SSL3_RT_MAX_PLAIN_LENGTH];
};

static int64_t
now_ms(void)
{
	return clock_mono_us() / 1000;
}

static void
count(struct dtls *d, const char *name, const char *key, const char *value)
{
	char labels[160];

	snprintf(labels, sizeof labels, "%s,%s=\"%s\"", d->labels, key, value);
	metric_add(name, labels, 1);
}

/* A flood must not become a flood of log lines; the counters have them all. */
static bool
may_say(struct dtls *d)
{
	int64_t now = clock_mono();

	if (now != d->said_at) {
		d->said_at = now;
		d->said = 0;
	}
	return d->said++ < SAY_PER_S;
}

/* What was never let in: counted each, said now and then. */
static void
refuse(struct dtls *d, const char *source, const char *limit)
{
	count(d, "muster_dtls_refused_total", "reason", limit);
	if (may_say(d))
		log_decision(&(struct decision){ .role = d->c.name,
		    .step = STEP_CONNECT,
		    .err = MST_E_HTTP_OVERLOAD,
		    .peer = source,
		    .detail = limit });
}

/* --- the BIO between OpenSSL and the socket: one datagram in, datagrams out --- */

static int
bio_read(BIO *b, char *out, int cap)
{
	struct dtls_session *s = BIO_get_data(b);
	size_t n = s->in.len;

	BIO_clear_retry_flags(b);
	if (s->in.ptr == NULL) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (n > (size_t)cap)
		n = (size_t)cap;
	memcpy(out, s->in.ptr, n);
	s->in = MST_NONE;
	return (int)n;
}

static int
bio_write(BIO *b, const char *bytes, int n)
{
	struct dtls_session *s = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	/* What the kernel does not take is lost, as any datagram may be. */
	(void)datagram_send(s->d->fd, &s->path, mst_span_of(bytes, (size_t)n));
	return n;
}

static long
bio_ctrl(BIO *b, int command, long n, void *ptr)
{
	(void)b;
	(void)n;
	(void)ptr;
	switch (command) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DGRAM_SET_CONNECTED:
	case BIO_CTRL_DGRAM_SET_PEER:
	case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT: return 1;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: return 28 + 20; /* IPv6, UDP */
	default: return 0;
	}
}

static BIO_METHOD *method;
static int session_index;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
prepare(void)
{
	session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "muster datagram");
	if (method == NULL || session_index < 0)
		abort(); /* out of memory at start ends the process */
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

/* --- cookies: RFC 6347 4.2.1 --- */

static bool
make_cookie(const struct dtls_session *s, const uint8_t secret[32], uint8_t out[COOKIE])
{
	const struct sockaddr_in6 *p = &s->path.peer;
	uint8_t who[sizeof p->sin6_addr + sizeof p->sin6_port + sizeof p->sin6_scope_id];
	unsigned n = COOKIE;

	memcpy(who, &p->sin6_addr, sizeof p->sin6_addr);
	memcpy(who + sizeof p->sin6_addr, &p->sin6_port, sizeof p->sin6_port);
	memcpy(who + sizeof p->sin6_addr + sizeof p->sin6_port, &p->sin6_scope_id,
	    sizeof p->sin6_scope_id);
	return HMAC(EVP_sha256(), secret, 32, who, sizeof who, out, &n) != NULL;
}

static int
give_cookie(SSL *ssl, unsigned char *cookie, unsigned int *len)
{
	struct dtls_session *s = SSL_get_ex_data(ssl, session_index);

	*len = COOKIE;
	return make_cookie(s, s->d->secrets[0], cookie);
}

static int
check_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len)
{
	struct dtls_session *s = SSL_get_ex_data(ssl, session_index);
	uint8_t want[COOKIE];

	for (int i = 0; len == COOKIE && i < 2; i++)
		if (make_cookie(s, s->d->secrets[i], want) &&
		    CRYPTO_memcmp(cookie, want, COOKIE) == 0)
			return 1;
	return 0;
}

static bool
renew_secret(struct dtls *d)
{
	memcpy(d->secrets[1], d->secrets[0], sizeof d->secrets[1]);
	d->secret_at = clock_mono();
	return RAND_bytes(d->secrets[0], sizeof d->secrets[0]) == 1;
}

/* --- tables --- */

static size_t
hash(const void *bytes, size_t n, uint32_t h)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++) /* FNV-1a */
		h = (h ^ p[i]) * 16777619U;
	return h;
}

static struct dtls_session **
bucket_of(struct dtls *d, const struct sockaddr_in6 *peer)
{
	uint32_t h = (uint32_t)hash(&peer->sin6_addr, sizeof peer->sin6_addr, 2166136261U);

	return &d->buckets[hash(&peer->sin6_port, sizeof peer->sin6_port, h) % BUCKETS];
}

static struct dtls_session *
find(struct dtls *d, const struct sockaddr_in6 *peer)
{
	struct dtls_session *s = *bucket_of(d, peer);

	while (s != NULL && !datagram_same(&s->path.peer, peer))
		s = s->next;
	return s;
}

static void
list_take(struct dtls_session *s)
{
	struct dtls *d = s->d;

	*(s->older != NULL ? &s->older->newer : &d->oldest) = s->newer;
	*(s->newer != NULL ? &s->newer->older : &d->newest) = s->older;
	s->older = s->newer = NULL;
}

static void
list_append(struct dtls_session *s)
{
	struct dtls *d = s->d;

	s->older = d->newest;
	s->newer = NULL;
	*(d->newest != NULL ? &d->newest->newer : &d->oldest) = s;
	d->newest = s;
}

/* --- sessions --- */

static void
unref(struct dtls_session *s)
{
	if (--s->refs > 0)
		return;
	SSL_free(s->ssl);
	free(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

static struct dtls_session *
session_new(struct dtls *d)
{
	struct dtls_session *s = calloc(1, sizeof *s);
	BIO *b = BIO_new(method);

	if (s == NULL || b == NULL || (s->ssl = SSL_new(d->c.ctx)) == NULL) {
		BIO_free(b);
		free(s);
		return NULL;
	}
	BIO_set_data(b, s);
	BIO_set_init(b, 1);
	SSL_set_bio(s->ssl, b, b);
	SSL_set_ex_data(s->ssl, session_index, s);
	SSL_set_accept_state(s->ssl);
	SSL_set_options(s->ssl, SSL_OP_COOKIE_EXCHANGE | SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(s->ssl, MTU);
	s->d = d;
	s->refs = 1;
	evtimer_assign(&s->timer, d->base, on_timer, s);
	return s;
}

static void
shaking_ends(struct dtls_session *s)
{
	s->d->shaking--;
	s->origin->shaking--;
}

/* Out of the table; closed is called; the SSL stays for who still refers to it. */
static void
end(struct dtls_session *s)
{
	struct dtls *d = s->d;
	struct dtls_session **at = bucket_of(d, &s->path.peer);

	if (s->state == DEAD)
		return;
	if (s->state == SHAKING)
		shaking_ends(s);
	s->state = DEAD;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	list_take(s);
	event_del(&s->timer);
	d->sessions--;
	s->origin->sessions--;
	if (s->stranger)
		s->origin->strangers--;
	metric_add("muster_dtls_sessions", d->labels, -1);
	if (s->opened)
		d->c.closed(d->c.arg, s);
	unref(s);
}

void
dtls_end(struct dtls_session *s)
{
	if (s->state == OPEN) {
		ERR_clear_error();
		SSL_shutdown(s->ssl); /* close_notify, RFC 5246 7.2.1 */
		ERR_clear_error();
	}
	end(s);
}

void
dtls_release(struct dtls_session *s)
{
	unref(s);
}

void
dtls_pin(struct dtls_session *s, int by)
{
	s->pins += by;
}

/* --- the handshake --- */

static mst_err
failure_of(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL &&
	               ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
	           ? MST_E_TLS_NO_CLIENT_CERT
	           : MST_E_TLS;
}

static void
failed(struct dtls_session *s, const char *why)
{
	unsigned long code = ERR_peek_error();
	mst_err e = failure_of(code);

	if (why == NULL)
		why = code != 0 ? ERR_reason_error_string(code) : "the client left";
	count(s->d, "muster_dtls_handshakes_total", "outcome",
	    e == MST_E_TLS_NO_CLIENT_CERT ? "no_client_cert" : "failed");
	if (may_say(s->d))
		log_decision(&(struct decision){ .role = s->d->c.name,
		    .step = STEP_CONNECT,
		    .err = e,
		    .peer = s->address,
		    .detail = why });
	ERR_clear_error();
	end(s);
}

static void
arm(struct dtls_session *s)
{
	struct timeval tv;
	int64_t left = s->born_ms + s->d->c.limits.handshake_ms - now_ms();
	long ms = left > 0 ? (long)left : 0;

	if (DTLSv1_get_timeout(s->ssl, &tv) == 1 && tv.tv_sec * 1000 + tv.tv_usec / 1000 < ms)
		ms = tv.tv_sec * 1000 + tv.tv_usec / 1000;
	event_add(&s->timer, &(struct timeval){ ms / 1000, (ms % 1000) * 1000 });
}

static bool
has_short_tag(const SSL *ssl)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(ssl);

	return c != NULL && strstr(SSL_CIPHER_get_name(c), "CCM8") != NULL;
}

void
dtls_set_stranger(struct dtls_session *s)
{
	if (!s->stranger)
		s->origin->strangers++;
	s->stranger = true;
}

/* The one that began first, (of NULL) of any source; NULL: none, or none older than that. */
static struct dtls_session *
first_stranger(const struct dtls *d, const struct origin *of, int64_t before)
{
	struct dtls_session *first = NULL;

	for (struct dtls_session *s = d->oldest; s != NULL; s = s->newer)
		if (s->stranger && s->state == OPEN && s->pins == 0 && s->born_ms <= before &&
		    (of == NULL || s->origin == of) &&
		    (first == NULL || s->born_ms < first->born_ms))
			first = s;
	return first;
}

static void
stranger_ends(struct dtls_session *s)
{
	count(s->d, "muster_dtls_refused_total", "reason", "stranger");
	dtls_end(s);
}

/* One stranger of its source too many: the first of them goes, perhaps itself. */
static void
trim_strangers(struct dtls_session *s)
{
	struct dtls_session *first;

	if (s->stranger && s->origin->strangers > s->d->c.limits.strangers_per_source &&
	    (first = first_stranger(s->d, s->origin, now_ms())) != NULL)
		stranger_ends(first);
}

static void
shaken(struct dtls_session *s)
{
	shaking_ends(s);
	s->state = OPEN;
	s->opened = true;
	s->refs++; /* until dtls_release */
	s->short_tag = has_short_tag(s->ssl);
	event_del(&s->timer);
	count(s->d, "muster_dtls_handshakes_total", "outcome", "accepted");
	metric_observe(
	    "muster_dtls_handshake_seconds", s->d->labels, (double)(now_ms() - s->born_ms) / 1000);
	s->d->c.opened(s->d->c.arg, s);
	trim_strangers(s);
}

static void
shake(struct dtls_session *s)
{
	int r;

	ERR_clear_error();
	r = SSL_accept(s->ssl);
	if (r == 1) {
		shaken(s);
		return;
	}
	r = SSL_get_error(s->ssl, r);
	if (r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE)
		arm(s);
	else
		failed(s, NULL);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dtls_session *s = arg;

	(void)fd;
	(void)what;
	ERR_clear_error();
	if (now_ms() - s->born_ms >= s->d->c.limits.handshake_ms)
		failed(s, "it took too long");
	else if (DTLSv1_handle_timeout(s->ssl) < 0)
		failed(s, NULL);
	else
		arm(s);
}

/* --- the beginning of a session --- */

/* RFC 6347 4.2.2: a plaintext ClientHello that begins here; its random goes out. */
static bool
is_hello(mst_span b, const uint8_t **random)
{
	static const uint8_t epoch0[2] = { 0, 0 }, offset0[3] = { 0, 0, 0 };

	if (b.len < HELLO_RANDOM + 32 || b.ptr[0] != 22 || b.ptr[1] != 254 ||
	    memcmp(b.ptr + 3, epoch0, 2) != 0 || b.ptr[RECORD_HEADER] != 1 ||
	    memcmp(b.ptr + RECORD_HEADER + 6, offset0, 3) != 0)
		return false;
	*random = b.ptr + HELLO_RANDOM;
	return true;
}

/* Who is behind the address: a stateless proxy's pledges come over loopback sockets of ours. */
static void
name_peer(struct dtls_session *s)
{
	struct dtls *d = s->d;
	struct datagram_path real = s->path;
	struct sockaddr_in6 own = { .sin6_family = AF_INET6 };

	s->proxied = d->c.alias != NULL && d->c.alias(d->c.alias_arg, &s->path.peer, &real);
	own.sin6_addr = real.local;
	datagram_text(&real.peer, s->address);
	datagram_host(&real.peer, s->source);
	source_text((struct sockaddr *)&real.peer, (struct sockaddr *)&own, s->counted);
}

/*
 * All places are taken, or (of not NULL) all of one source: the first stranger
 * goes, or whoever has been silent longest, if for some seconds. Behind a stateless proxy all
 * pledges are one source, and who holds its places may be no pledge at all.
 */
static bool
make_room(struct dtls *d, const struct origin *of)
{
	struct dtls_session *stranger = first_stranger(d, of, now_ms() - d->c.limits.yield_ms);

	if (stranger != NULL) {
		stranger_ends(stranger);
		return true;
	}
	for (struct dtls_session *s = d->oldest; s != NULL; s = s->newer)
		if (s->state == OPEN && s->pins == 0 && (of == NULL || s->origin == of)) {
			if (now_ms() - s->seen_ms < d->c.limits.yield_ms)
				return false;
			count(d, "muster_dtls_refused_total", "reason", "gave_way");
			dtls_end(s);
			return true;
		}
	return false;
}

/* Of the handshakes that do not end, the oldest gives way: they may be an attacker's. */
static bool
make_room_shaking(struct dtls *d, const struct origin *of)
{
	struct dtls_session *oldest = NULL;

	for (struct dtls_session *s = d->oldest; s != NULL; s = s->newer)
		if (s->state == SHAKING && (of == NULL || s->origin == of) &&
		    (oldest == NULL || s->born_ms < oldest->born_ms))
			oldest = s;
	if (oldest == NULL || now_ms() - oldest->born_ms < d->c.limits.yield_ms)
		return false;
	count(d, "muster_dtls_refused_total", "reason", "gave_way");
	end(oldest);
	return true;
}

/* After the cookie, before the first costly step. NULL, or the limit that forbids it. */
static const char *
admit(struct dtls *d, struct dtls_session *s)
{
	const struct net_coaps_limits *l = &d->c.limits;
	struct origin *o;

	/* First what is its own: whoever is refused for that costs nobody else a place. */
	if ((o = origin_get(&d->origins, s->counted, s->proxied, now_ms())) == NULL)
		return "memory";
	if (o->milli_tokens < 1000)
		return "handshake_rate";
	if (o->sessions >= l->per_source && !make_room(d, o))
		return "sessions_per_source";
	if (o->shaking >= o->most_shaking && !make_room_shaking(d, o))
		return "handshakes_per_source";
	if (d->shaking >= l->handshakes && !make_room_shaking(d, NULL))
		return "handshakes";
	if (d->sessions >= l->sessions && !make_room(d, NULL))
		return "sessions";
	o->milli_tokens -= 1000;
	o->sessions++;
	o->shaking++;
	d->sessions++;
	d->shaking++;
	s->origin = o;
	return NULL;
}

static void
begin(struct dtls_session *s, const uint8_t random[32])
{
	struct dtls *d = s->d;
	struct dtls_session **bucket = bucket_of(d, &s->path.peer);

	s->state = SHAKING;
	s->born_ms = s->seen_ms = now_ms();
	memcpy(s->random, random, sizeof s->random);
	s->next = *bucket;
	*bucket = s;
	list_append(s);
	metric_add("muster_dtls_sessions", d->labels, 1);
	s->refs++;
	shake(s);
	unref(s);
}

/* A ClientHello of somebody new, or of somebody who begins again (RFC 6347 4.2.8). */
static void
listen_to(struct dtls *d, struct dtls_session *before, mst_span hello, const uint8_t random[32],
    const struct datagram_path *path)
{
	struct dtls_session *s = d->spare;
	const char *limit;

	if (s == NULL && (s = d->spare = session_new(d)) == NULL) {
		refuse(d, "", "memory");
		return;
	}
	s->path = *path;
	s->in = hello;
	ERR_clear_error();
	if (DTLSv1_listen(s->ssl, d->unused) != 1) {
		ERR_clear_error();
		s->in = MST_NONE;
		metric_add("muster_dtls_hellos_total", d->labels, 1);
		return;
	}
	name_peer(s);
	if (before != NULL) /* with this cookie it is the same peer: its old session is over */
		end(before);
	if ((limit = admit(d, s)) != NULL) {
		refuse(d, s->address, limit);
		return; /* DTLSv1_listen clears the SSL the next time */
	}
	d->spare = NULL;
	begin(s, random);
}

/* --- records --- */

static uint64_t
sequence_of(mst_span b)
{
	uint64_t n = 0;

	for (size_t i = 5; b.len >= RECORD_HEADER && i < 11; i++)
		n = n << 8 | b.ptr[i];
	return n;
}

/* What did not verify and is no repetition either: RFC 9147 4.5.3 has the bound, for CCM_8 alike.
 */
static void
count_forgery(struct dtls_session *s, mst_span datagram)
{
	if (datagram.len < RECORD_HEADER || datagram.ptr[0] != 23 ||
	    sequence_of(datagram) <= s->newest)
		return;
	count(s->d, "muster_dtls_refused_total", "reason", "record");
	if (s->short_tag && ++s->forgeries >= FORGERIES)
		dtls_end(s);
}

static void
read_all(struct dtls_session *s, mst_span datagram)
{
	struct dtls *d = s->d;
	bool any = false;
	int n;

	while (s->state == OPEN) {
		ERR_clear_error();
		n = SSL_read(s->ssl, d->output, sizeof d->output);
		if (n <= 0)
			break;
		any = true;
		s->seen_ms = now_ms();
		list_take(s);
		list_append(s);
		d->c.received(d->c.arg, s, mst_span_of(d->output, (size_t)n));
	}
	if (s->state != OPEN)
		return;
	n = SSL_get_error(s->ssl, n);
	ERR_clear_error();
	if (n != SSL_ERROR_WANT_READ && n != SSL_ERROR_WANT_WRITE)
		dtls_end(s);
	else if (any && sequence_of(datagram) > s->newest)
		s->newest = sequence_of(datagram);
	else if (!any)
		count_forgery(s, datagram);
}

static void
feed(struct dtls_session *s, mst_span datagram)
{
	s->refs++;
	s->in = datagram;
	if (s->state == SHAKING)
		shake(s);
	if (s->state == OPEN)
		read_all(s, datagram);
	s->in = MST_NONE;
	unref(s);
}

static void
input(struct dtls *d, const struct datagram_path *path, mst_span datagram)
{
	struct dtls_session *s = find(d, &path->peer);
	const uint8_t *random;
	bool hello = is_hello(datagram, &random);

	if (hello && (s == NULL || memcmp(random, s->random, sizeof s->random) != 0))
		listen_to(d, s, datagram, random, path);
	else if (s != NULL)
		feed(s, datagram);
	else /* JP-U5: whatever it is, it costs this much */
		count(d, "muster_dtls_refused_total", "reason", "no_session");
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dtls *d = arg;
	struct datagram_path path;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		struct mst_buf b = MST_BUF(d->input);

		if (!datagram_receive(fd, &b, &path))
			break;
		input(d, &path, mst_buf_span(&b));
	}
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct dtls *d = arg;
	int64_t now = now_ms();
	struct dtls_session *s, *newer;

	(void)fd;
	(void)what;
	for (s = d->oldest; s != NULL; s = newer) {
		newer = s->newer;
		if (s->state != OPEN || s->pins != 0)
			continue;
		if (s->stranger && now - s->born_ms >= d->c.limits.stranger_ms)
			stranger_ends(s);
		else if (now - s->seen_ms >= d->c.limits.idle_ms)
			dtls_end(s);
	}
	origins_sweep(&d->origins, now);
	if (clock_mono() - d->secret_at >= SECRET_S)
		(void)renew_secret(d); /* else the old one serves on */
}

/* --- the life of the endpoint --- */

static mst_err
open_socket(struct dtls *d, int *port)
{
	struct sockaddr_in6 at;
	mst_err e = datagram_address(d->c.address, DATAGRAM_LITERAL, &at);

	if (e != MST_OK) {
		net_set_why("'%s' is not address:port", d->c.address);
		return e;
	}
	if ((e = datagram_bind(&at, &d->fd)) != MST_OK) {
		net_set_why("%s: %s", d->c.address, strerror(errno));
		d->fd = -1;
		return e;
	}
	/* Room for a burst of handshakes; the kernel gives what it allows. */
	(void)setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &(int){ QUEUE_BYTES }, sizeof(int));
	*port = ntohs(at.sin6_port);
	return MST_OK;
}

mst_err
dtls_open(const struct dtls_config *c, struct event_base *base, struct dtls **out, int *port)
{
	static const struct timeval every = { SWEEP_MS / 1000, (SWEEP_MS % 1000) * 1000 };
	struct dtls *d = calloc(1, sizeof *d);
	mst_err e = MST_E_NOMEM;

	pthread_once(&once, prepare);
	if (d == NULL)
		return e;
	d->c = *c;
	d->origins.limits = &d->c.limits;
	d->base = base;
	d->fd = -1;
	snprintf(d->labels, sizeof d->labels, "listener=\"%.60s\"", c->name);
	SSL_CTX_set_cookie_generate_cb(c->ctx, give_cookie);
	SSL_CTX_set_cookie_verify_cb(c->ctx, check_cookie);
	if ((d->unused = BIO_ADDR_new()) == NULL || !renew_secret(d) || !renew_secret(d) ||
	    (e = open_socket(d, port)) != MST_OK)
		goto out;
	e = MST_E_NOMEM;
	d->readable = event_new(base, d->fd, EV_READ | EV_PERSIST, on_readable, d);
	d->sweep = event_new(base, -1, EV_PERSIST, on_sweep, d);
	if (d->readable == NULL || d->sweep == NULL || event_add(d->readable, NULL) != 0 ||
	    event_add(d->sweep, &every) != 0)
		goto out;
	*out = d;
	return MST_OK;
out:
	dtls_free(d);
	return e;
}

void
dtls_end_all(struct dtls *d)
{
	while (d->oldest != NULL)
		dtls_end(d->oldest);
}

void
dtls_free(struct dtls *d)
{
	if (d->spare != NULL)
		unref(d->spare);
	origins_free(&d->origins);
	if (d->readable != NULL)
		event_free(d->readable);
	if (d->sweep != NULL)
		event_free(d->sweep);
	if (d->fd >= 0)
		close(d->fd);
	BIO_ADDR_free(d->unused);
	OPENSSL_cleanse(d->secrets, sizeof d->secrets);
	free(d);
}

mst_err
dtls_send(struct dtls_session *s, mst_span message)
{
	if (s->state != OPEN)
		return MST_E_IO;
	if (message.len > dtls_room(s))
		return MST_E_SPACE;
	ERR_clear_error();
	if (SSL_write(s->ssl, message.ptr, (int)message.len) > 0)
		return MST_OK;
	ERR_clear_error();
	return MST_E_IO;
}

size_t
dtls_room(const struct dtls_session *s)
{
	const SSL_SESSION *session = SSL_get_session(s->ssl);
	uint8_t code = session != NULL ? SSL_SESSION_get_max_fragment_length(session)
	                               : (uint8_t)TLSEXT_max_fragment_length_DISABLED;
	size_t most = code == TLSEXT_max_fragment_length_512    ? 512
	              : code == TLSEXT_max_fragment_length_1024 ? 1024
	                                                        : ROOM;

	return most;
}

SSL *
dtls_ssl(const struct dtls_session *s)
{
	return s->ssl;
}

const char *
dtls_address(const struct dtls_session *s)
{
	return s->address;
}

const char *
dtls_source(const struct dtls_session *s)
{
	return s->source;
}

const char *
dtls_counted(const struct dtls_session *s)
{
	return s->counted;
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

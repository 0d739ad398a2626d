/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP Basic for customers (RFC 8995 5.4.1, RFC 7617): PBKDF2, off the loops, remembered briefly.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/clock.h"
#include "muster/base64.h"
#include "server/masa/masa_room.h"

#define ROUNDS 210000 /* PBKDF2-HMAC-SHA256, about a tenth of a second */
#define ROUNDS_MIN 10000
#define ROUNDS_MAX 5000000
#define SALT_LEN 16
#define HASH_LEN 32
#define PREFIX "pbkdf2-sha256$"
#define CACHE_SIZE 64
#define CACHE_US (300 * INT64_C(1000000))
#define QUEUE_MAX 64

static mst_err
derive(mst_span password, mst_span salt, int rounds, uint8_t out[HASH_LEN])
{
	if (password.len > 1024)
		return MST_E_HTTP_AUTH;
	return PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt.ptr,
	           (int)salt.len, rounds, EVP_sha256(), HASH_LEN, out) == 1
	           ? MST_OK
	           : MST_E_INTERNAL;
}

mst_err
masa_password_hash(struct arena *a, mst_span password, const char **out)
{
	uint8_t salt[SALT_LEN], hash[HASH_LEN], s64[32], h64[64];
	struct mst_buf sb = MST_BUF(s64), hb = MST_BUF(h64);
	const char *text;
	mst_err e;

	if (password.len == 0 || password.len > 1024)
		return MST_E_USAGE;
	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return MST_E_RANDOM;
	if ((e = derive(password, mst_span_of(salt, sizeof(salt)), ROUNDS, hash)) != MST_OK ||
	    (e = mst_base64_encode(mst_span_of(salt, sizeof(salt)), &sb)) != MST_OK ||
	    (e = mst_base64_encode(mst_span_of(hash, sizeof(hash)), &hb)) != MST_OK)
		return e;
	text = arena_printf(a, PREFIX "%d$%.*s$%.*s", ROUNDS, (int)sb.len, (const char *)sb.ptr,
	    (int)hb.len, (const char *)hb.ptr);
	if (text == NULL)
		return MST_E_NOMEM;
	*out = text;
	return MST_OK;
}

/* "pbkdf2-sha256$ROUNDS$SALT$HASH" apart. */
static mst_err
parse_stored(const char *stored, int *rounds, struct mst_buf *salt, struct mst_buf *hash)
{
	const char *p = stored + strlen(PREFIX), *dollar;
	char *end;
	long n;

	if (strncmp(stored, PREFIX, strlen(PREFIX)) != 0)
		return MST_E_HTTP_AUTH;
	n = strtol(p, &end, 10);
	if (*end != '$' || n < ROUNDS_MIN || n > ROUNDS_MAX ||
	    (dollar = strchr(end + 1, '$')) == NULL)
		return MST_E_HTTP_AUTH;
	if (mst_base64_decode(mst_span_of(end + 1, (size_t)(dollar - end - 1)), MST_BASE64_STRICT,
	        salt) != MST_OK ||
	    mst_base64_decode(mst_span_str(dollar + 1), MST_BASE64_STRICT, hash) != MST_OK ||
	    hash->len != HASH_LEN)
		return MST_E_HTTP_AUTH;
	*rounds = (int)n;
	return MST_OK;
}

mst_err
masa_password_check(mst_span password, const char *stored)
{
	uint8_t s[64], h[HASH_LEN], seen[HASH_LEN] = { 0 };
	struct mst_buf salt = MST_BUF(s), hash = MST_BUF(h);
	bool real = stored != NULL;
	int rounds = ROUNDS;
	mst_err e;

	/* An unknown user costs what a known one costs. */
	if (real && parse_stored(stored, &rounds, &salt, &hash) != MST_OK)
		real = false;
	if (!real) {
		memset(s, 0, sizeof(s));
		salt.len = SALT_LEN;
		rounds = ROUNDS;
	}
	e = derive(password, mst_buf_span(&salt), rounds, seen);
	if (e == MST_OK && (!real || !mst_ct_eq(mst_span_of(seen, HASH_LEN), mst_buf_span(&hash))))
		e = MST_E_HTTP_AUTH;
	mst_wipe(seen, sizeof(seen));
	return e;
}

mst_err
masa_basic_parse(struct arena *a, const char *authorization, mst_span *user, mst_span *password)
{
	size_t len = strlen(authorization);
	const uint8_t *colon;
	struct mst_buf b;

	if (len > 2048 || strncasecmp(authorization, "Basic ", 6) != 0)
		return MST_E_HTTP_AUTH;
	b = arena_buf(a, len);
	if (b.cap == 0)
		return MST_E_NOMEM;
	while (authorization[6] == ' ')
		authorization++;
	if (mst_base64_decode(mst_span_str(authorization + 6), MST_BASE64_STRICT, &b) != MST_OK ||
	    (colon = memchr(b.ptr, ':', b.len)) == NULL || memchr(b.ptr, '\0', b.len) != NULL)
		return MST_E_HTTP_AUTH;
	*user = mst_span_of(b.ptr, (size_t)(colon - b.ptr));
	*password = mst_span_of(colon + 1, b.len - user->len - 1);
	return MST_OK;
}

struct masa_auth {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct masa_auth_job *first, **last;
	size_t waiting;
	int stop;
	uint8_t key[32];
	struct {
		uint8_t mac[32];
		int64_t until_us;
	} known[CACHE_SIZE];
	size_t next;
};

/* A digest of all three, keyed by what dies with the process; the hash's change ends it too. */
static bool
digest(const struct masa_auth *t, const struct masa_auth_job *job, uint8_t mac[32])
{
	uint8_t text[4096];
	struct mst_buf b = MST_BUF(text);
	unsigned len = 0;
	bool ok;

	ok = mst_buf_put(&b, mst_span_str(job->stored)) == MST_OK &&
	     mst_buf_put_byte(&b, 0) == MST_OK && mst_buf_put(&b, job->user) == MST_OK &&
	     mst_buf_put_byte(&b, 0) == MST_OK && mst_buf_put(&b, job->password) == MST_OK &&
	     HMAC(EVP_sha256(), t->key, sizeof(t->key), text, b.len, mac, &len) != NULL;
	mst_wipe(text, sizeof(text));
	return ok && len == 32;
}

bool
masa_auth_known(struct masa_auth *t, const struct masa_auth_job *job)
{
	int64_t now = clock_mono_us();
	bool found = false;
	uint8_t mac[32];

	if (job->stored == NULL || !digest(t, job, mac))
		return false;
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < CACHE_SIZE; i++)
		if (t->known[i].until_us > now &&
		    mst_ct_eq(mst_span_of(t->known[i].mac, 32), mst_span_of(mac, 32)))
			found = true;
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void
remember(struct masa_auth *t, const struct masa_auth_job *job)
{
	uint8_t mac[32];

	if (!digest(t, job, mac))
		return;
	pthread_mutex_lock(&t->lock);
	memcpy(t->known[t->next].mac, mac, sizeof(mac));
	t->known[t->next].until_us = clock_mono_us() + CACHE_US;
	t->next = (t->next + 1) % CACHE_SIZE;
	pthread_mutex_unlock(&t->lock);
}

static void
deliver(void *arg)
{
	struct masa_auth_job *job = arg;

	job->done(job->arg, job->err);
}

static void *
work(void *arg)
{
	struct masa_auth *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		struct masa_auth_job *job;

		while (t->first == NULL && !t->stop)
			pthread_cond_wait(&t->wake, &t->lock);
		if (t->stop)
			break;
		job = t->first;
		if ((t->first = job->next) == NULL)
			t->last = &t->first;
		t->waiting--;
		pthread_mutex_unlock(&t->lock);
		job->err = masa_password_check(job->password, job->stored);
		if (job->err == MST_OK)
			remember(t, job);
		net_post(job->loop, deliver, job);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

mst_err
masa_auth_start(struct masa_auth *t, struct masa_auth_job *job)
{
	mst_err e = MST_OK;

	job->auth = t;
	job->next = NULL;
	pthread_mutex_lock(&t->lock);
	if (t->waiting >= QUEUE_MAX) {
		e = MST_E_HTTP_OVERLOAD;
	} else {
		*t->last = job;
		t->last = &job->next;
		t->waiting++;
		pthread_cond_signal(&t->wake);
	}
	pthread_mutex_unlock(&t->lock);
	return e;
}

struct masa_auth *
masa_auth_new(void)
{
	struct masa_auth *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->last = &t->first;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	if (RAND_bytes(t->key, sizeof(t->key)) != 1 ||
	    pthread_create(&t->thread, NULL, work, t) != 0) {
		free(t);
		return NULL;
	}
	return t;
}

void
masa_auth_free(struct masa_auth *t)
{
	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = 1;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	mst_wipe(t, sizeof(*t));
	free(t);
}

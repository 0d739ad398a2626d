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
#include "host/password.h"
#include "server/masa/masa_room.h"

#define CACHE_SIZE 64
#define CACHE_US (300 * INT64_C(1000000))
#define QUEUE_MAX 64

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
		job->err = password_verify(job->password, job->stored);
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

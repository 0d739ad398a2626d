/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits (RFC 8995 11.1): token buckets in a table that cannot grow. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/masa/masa_room.h"

#define BUCKETS 4096
#define WAYS 8 /* a name may lie in one of eight places; the oldest of them gives way */

struct bucket {
	char name[64];
	int64_t at_us; /* 0: unused */
	double tokens;
};

struct masa_rate {
	pthread_mutex_t lock;
	double per_us, most;
	struct bucket bucket[BUCKETS];
};

struct masa_rate *
masa_rate_new(long per_minute)
{
	struct masa_rate *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->per_us = (double)per_minute / 60e6;
	r->most = (double)per_minute;
	return r;
}

void
masa_rate_free(struct masa_rate *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static size_t
place(const char *name)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211u;
	return (size_t)(h ^ h >> 32) % (BUCKETS / WAYS) * WAYS;
}

static struct bucket *
find(struct masa_rate *r, const char *name, int64_t now_us)
{
	struct bucket *set = &r->bucket[place(name)], *b = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].at_us != 0 && strncmp(set[i].name, name, sizeof(b->name) - 1) == 0) {
			b = &set[i];
			b->tokens += (double)(now_us - b->at_us) * r->per_us;
			if (b->tokens > r->most)
				b->tokens = r->most;
			b->at_us = now_us;
			return b;
		}
		if (set[i].at_us < b->at_us)
			b = &set[i];
	}
	*b = (struct bucket){ .at_us = now_us, .tokens = r->most };
	strncpy(b->name, name, sizeof(b->name) - 1);
	return b;
}

static int64_t
ask(struct masa_rate *r, const char *name, int64_t now_us, double take)
{
	struct bucket *b;
	int64_t wait = 0;

	pthread_mutex_lock(&r->lock);
	b = find(r, name, now_us);
	if (b->tokens >= 1)
		b->tokens -= take;
	else
		wait = 1 + (int64_t)((1 - b->tokens) / r->per_us / 1e6);
	pthread_mutex_unlock(&r->lock);
	return wait;
}

int64_t
masa_rate_take(struct masa_rate *r, const char *name, int64_t now_us)
{
	return ask(r, name, now_us, 1);
}

int64_t
masa_rate_look(struct masa_rate *r, const char *name, int64_t now_us)
{
	return ask(r, name, now_us, 0);
}

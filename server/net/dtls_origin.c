/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/dtls_origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t
hash(const char *s)
{
	uint32_t h = 2166136261U; /* FNV-1a */

	while (*s != '\0')
		h = (h ^ (uint8_t)*s++) * 16777619U;
	return h % ORIGIN_BUCKETS;
}

static void
refill(struct origin *o, int64_t now_ms)
{
	long most = o->burst * 1000;
	int64_t more = (now_ms - o->at) * o->rate; /* per second: milli per ms */

	o->milli_tokens = more > most - o->milli_tokens ? most : o->milli_tokens + (long)more;
	o->at = now_ms;
}

static struct origin *
origin_new(const struct net_coaps_limits *l, const char *source, bool proxied, int64_t now_ms)
{
	struct origin *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	snprintf(o->name, sizeof o->name, "%s", source);
	o->proxied = proxied;
	o->rate = proxied ? l->proxied_rate : l->handshake_rate;
	o->burst = proxied ? l->proxied_burst : l->handshake_burst;
	o->most_shaking = proxied ? l->handshakes_per_proxy : l->handshakes_per_source;
	o->milli_tokens = o->burst * 1000;
	o->at = now_ms;
	return o;
}

struct origin *
origin_get(struct origins *all, const char *source, bool proxied, int64_t now_ms)
{
	struct origin **at = &all->buckets[hash(source)];

	while (*at != NULL && ((*at)->proxied != proxied || strcmp((*at)->name, source) != 0))
		at = &(*at)->next;
	if (*at == NULL && (*at = origin_new(all->limits, source, proxied, now_ms)) == NULL)
		return NULL;
	refill(*at, now_ms);
	return *at;
}

void
origins_sweep(struct origins *all, int64_t now_ms)
{
	for (size_t i = 0; i < ORIGIN_BUCKETS; i++)
		for (struct origin **at = &all->buckets[i], *o; (o = *at) != NULL;) {
			refill(o, now_ms);
			if (o->sessions == 0 && o->milli_tokens >= o->burst * 1000) {
				*at = o->next;
				free(o);
			} else {
				at = &o->next;
			}
		}
}

void
origins_free(struct origins *all)
{
	struct origin *o;

	for (size_t i = 0; i < ORIGIN_BUCKETS; i++)
		while ((o = all->buckets[i]) != NULL) {
			all->buckets[i] = o->next;
			free(o);
		}
}

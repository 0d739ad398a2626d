/* SPDX-License-Identifier: Apache-2.0 */
/* One arena per request or command, freed whole. Out of memory latches; never returns NULL at
 * start-up (exits). */
#ifndef HOST_ARENA_H
#define HOST_ARENA_H

#include "muster/span.h"

struct arena;

/* limit: bytes it may ever hold; 0 means no limit (command-line tools). NULL when out of memory. */
struct arena *arena_new(size_t limit);
/* Everything in it is gone, the arena stays. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a); /* NULL allowed; wipes nothing: secrets do not belong here */
/* Zeroed, aligned for any type; NULL when out of memory or over the limit. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy with a NUL behind it; MST_NONE when it does not fit. */
mst_span arena_dup(struct arena *a, mst_span s);
char *arena_str(struct arena *a, mst_span s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A buf of cap bytes in the arena; cap 0 when out of memory. */
struct mst_buf arena_buf(struct arena *a, size_t cap);
/* Run free_fn(ptr) when the arena is freed (OpenSSL and jansson objects). Frees at once and returns
 * NULL when out of memory. */
void *arena_own(struct arena *a, void *ptr, void (*free_fn)(void *));

#endif

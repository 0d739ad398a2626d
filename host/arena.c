/* SPDX-License-Identifier: Apache-2.0 */
#include "host/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 8192u

struct block {
	struct block *next;
	size_t cap, used;
	alignas(max_align_t) unsigned char bytes[];
};

struct owned {
	struct owned *next;
	void *ptr;
	void (*free_fn)(void *);
};

struct arena {
	size_t limit, held; /* bytes taken from the heap, headers included */
	struct block *blocks;
	struct owned *owned; /* latest first: freed in reverse order of taking */
};

struct arena *
arena_new(size_t limit)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->limit = limit;
	return a;
}

void
arena_reset(struct arena *a)
{
	struct block *b, *next;

	for (struct owned *o = a->owned; o != NULL; o = o->next)
		o->free_fn(o->ptr);
	for (b = a->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->owned = NULL;
	a->blocks = NULL;
	a->held = 0;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	free(a);
}

/* A block with room for size bytes; a large one goes behind the present one, which stays in use. */
static struct block *
block_new(struct arena *a, size_t size)
{
	size_t cap = size > BLOCK_SIZE / 2 ? size : BLOCK_SIZE;
	size_t whole = cap + sizeof(struct block);
	struct block *b;

	if (whole < cap || (a->limit != 0 && (whole > a->limit || a->held > a->limit - whole)))
		return NULL;
	b = malloc(whole);
	if (b == NULL)
		return NULL;
	a->held += whole;
	b->cap = cap;
	b->used = 0;
	if (cap > BLOCK_SIZE && a->blocks != NULL) {
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
	}
	return b;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct block *b = a->blocks;
	size_t whole;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	whole = size == 0 ? align : (size + align - 1) / align * align;
	if (b == NULL || b->cap - b->used < whole)
		b = block_new(a, whole);
	if (b == NULL)
		return NULL;
	p = b->bytes + b->used;
	b->used += whole;
	memset(p, 0, size);
	return p;
}

mst_span
arena_dup(struct arena *a, mst_span s)
{
	char *p;

	if (s.ptr == NULL)
		return MST_NONE;
	p = arena_str(a, s);
	return p == NULL ? MST_NONE : mst_span_of(p, s.len);
}

char *
arena_str(struct arena *a, mst_span s)
{
	char *p = s.len == SIZE_MAX ? NULL : arena_alloc(a, s.len + 1);

	if (p != NULL && s.len != 0)
		memcpy(p, s.ptr, s.len);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

struct mst_buf
arena_buf(struct arena *a, size_t cap)
{
	uint8_t *p = arena_alloc(a, cap);

	return (struct mst_buf){ p, p == NULL ? 0 : cap, 0 };
}

void *
arena_own(struct arena *a, void *ptr, void (*free_fn)(void *))
{
	struct owned *o;

	if (ptr == NULL)
		return NULL;
	o = arena_alloc(a, sizeof(*o));
	if (o == NULL) {
		free_fn(ptr);
		return NULL;
	}
	o->ptr = ptr;
	o->free_fn = free_fn;
	o->next = a->owned;
	a->owned = o;
	return ptr;
}

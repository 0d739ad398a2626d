/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte strings without owners. A span is borrowed and read-only: it lives as
 * long as the bytes it points into, and says so where it is handed out. A buf
 * is storage lent by the caller: ptr and cap never change, len grows.
 */
#ifndef MUSTER_SPAN_H
#define MUSTER_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

typedef struct mst_span {
	const uint8_t *ptr; /* NULL means "absent"; "" (len 0, non-NULL) means "empty" */
	size_t len;
} mst_span;

struct mst_buf {
	uint8_t *ptr;
	size_t cap;
	size_t len;
};

/* A span over a string literal, without its NUL. */
#define MST_LIT(s) ((mst_span){ (const uint8_t *)("" s), sizeof(s) - 1 })
/* A buf over a whole array. */
#define MST_BUF(array) ((struct mst_buf){ (array), sizeof(array), 0 })
#define MST_NONE ((mst_span){ NULL, 0 })

static inline mst_span
mst_span_of(const void *ptr, size_t len)
{
	return (mst_span){ (const uint8_t *)ptr, len };
}

/* The bytes of a NUL-terminated string, without the NUL; MST_NONE for NULL. */
mst_span mst_span_str(const char *s);

static inline mst_span
mst_buf_span(const struct mst_buf *b)
{
	return (mst_span){ b->ptr, b->len };
}

/* Equal length and bytes. Not for secrets: see mst_ct_eq. Absent equals only absent. */
bool mst_span_eq(mst_span a, mst_span b);

/* Equal length and bytes, in time that depends on the lengths alone. */
bool mst_ct_eq(mst_span a, mst_span b);

/* Overwrite with zeros in a way no optimiser removes. */
void mst_wipe(void *ptr, size_t len);

/* Append; MST_E_SPACE (and nothing appended) when it does not fit. */
mst_err mst_buf_put(struct mst_buf *b, mst_span bytes);
mst_err mst_buf_put_byte(struct mst_buf *b, uint8_t byte);

/* Replace the content; MST_E_SPACE and unchanged when it does not fit. */
mst_err mst_buf_copy(struct mst_buf *b, mst_span bytes);

/*
 * Append bytes and hand out the span where they now lie: the way a parser
 * stores decoded leaves. The span lives as long as the buffer's storage.
 */
mst_err mst_buf_keep(struct mst_buf *b, mst_span bytes, mst_span *kept);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/assert.h"
#include "muster/span.h"

mst_span
mst_span_str(const char *s)
{
	size_t n = 0;

	if (s == NULL)
		return MST_NONE;
	/* The barrier keeps the compiler from turning this into strlen(), which core lacks. */
	while (s[n] != '\0') {
		n++;
		__asm__ volatile("" : "+r"(n));
	}
	return mst_span_of(s, n);
}

bool
mst_span_eq(mst_span a, mst_span b)
{
	int diff;

	if (a.ptr == NULL || b.ptr == NULL)
		return a.ptr == b.ptr;
	if (a.len != b.len)
		return false;
	diff = memcmp(a.ptr, b.ptr, a.len);
	/* Seen by the barrier, the result is not "equal or not" alone: clang would call bcmp(). */
	__asm__ volatile("" : "+r"(diff));
	return diff == 0;
}

bool
mst_ct_eq(mst_span a, mst_span b)
{
	unsigned diff = 0;

	if (a.ptr == NULL || b.ptr == NULL)
		return a.ptr == b.ptr;
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		diff |= (unsigned)(a.ptr[i] ^ b.ptr[i]);
		/* No early exit may be derived from what diff holds so far. */
		__asm__ volatile("" : "+r"(diff));
	}
	return diff == 0;
}

void
mst_wipe(void *ptr, size_t len)
{
	if (len == 0)
		return;
	memset(ptr, 0, len);
	/* The bytes are "used" here, so the store above is not dead. */
	__asm__ volatile("" : : "r"(ptr) : "memory");
}

mst_err
mst_buf_put(struct mst_buf *b, mst_span bytes)
{
	MST_ASSERT(b->len <= b->cap);
	if (bytes.len > b->cap - b->len)
		return MST_E_SPACE;
	if (bytes.len != 0)
		memcpy(b->ptr + b->len, bytes.ptr, bytes.len);
	b->len += bytes.len;
	return MST_OK;
}

mst_err
mst_buf_put_byte(struct mst_buf *b, uint8_t byte)
{
	return mst_buf_put(b, mst_span_of(&byte, 1));
}

mst_err
mst_buf_copy(struct mst_buf *b, mst_span bytes)
{
	if (bytes.len > b->cap)
		return MST_E_SPACE;
	/* memmove: a caller may keep a part of what the buffer holds already */
	if (bytes.len != 0)
		memmove(b->ptr, bytes.ptr, bytes.len);
	b->len = bytes.len;
	return MST_OK;
}

mst_err
mst_buf_keep(struct mst_buf *b, mst_span bytes, mst_span *kept)
{
	size_t at = b->len;
	mst_err e;

	if (bytes.ptr == NULL) { /* absent stays absent */
		*kept = MST_NONE;
		return MST_OK;
	}
	if ((e = mst_buf_put(b, bytes)) != MST_OK)
		return e;
	*kept = mst_span_of(b->ptr + at, bytes.len);
	return MST_OK;
}

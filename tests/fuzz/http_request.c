/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole reading of a request from raw bytes: scan, parse, path, chunks.
 * The first byte says how large the pieces are in which the input arrives;
 * what is found must not depend on it.
 */
#include <stdlib.h>
#include <string.h>

#include "server/net/head.h"

#define LIMIT 16384
#define BODY_LIMIT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(bool ok)
{
	if (!ok)
		abort();
}

static bool
inside(mst_span part, mst_span whole)
{
	return part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* As a connection does: the scan goes on where it stood when more bytes come. */
static mst_err
scan_in_pieces(mst_span in, size_t piece, size_t *end)
{
	struct head_scan s = { 0 };
	size_t n = 0;
	mst_err e;

	do {
		n = in.len - n < piece ? in.len : n + piece;
		e = head_scan(&s, mst_span_of(in.ptr, n), LIMIT, end);
	} while (e == MST_OK && *end == 0 && n < in.len);
	return e;
}

static mst_err
decode_in_pieces(mst_span in, size_t piece, size_t *used, size_t *total)
{
	struct chunked c = { 0 };
	size_t at = 0, seen = 0, taken;
	mst_span data;
	mst_err e = MST_OK;

	while (e == MST_OK && c.state != CHUNK_DONE) {
		mst_span part = mst_span_of(in.ptr + at, seen - at);

		e = chunked_step(&c, part, BODY_LIMIT, &taken, &data);
		demand(taken <= part.len && inside(data, part));
		at += taken;
		if (e != MST_OK || taken > 0)
			continue;
		if (seen == in.len)
			break;
		seen = in.len - seen < piece ? in.len : seen + piece;
	}
	demand(c.total <= BODY_LIMIT);
	*used = at;
	*total = c.state == CHUNK_DONE ? c.total : SIZE_MAX;
	return e;
}

static void
read_chunks(mst_span in, size_t piece)
{
	size_t used[2], total[2];
	mst_err a = decode_in_pieces(in, piece, &used[0], &total[0]);
	mst_err b = decode_in_pieces(in, SIZE_MAX, &used[1], &total[1]);

	demand(a == b && total[0] == total[1]);
	demand(a != MST_OK || used[0] == used[1]);
}

static void
read_head(mst_span bytes, mst_span rest, size_t piece)
{
	uint8_t path[HEAD_PATH_MAX];
	struct mst_buf b = MST_BUF(path);
	const char *why = NULL;
	struct head h;

	if (head_parse(bytes, &h, &why) != MST_OK) {
		demand(why != NULL);
		return;
	}
	demand(inside(h.path, bytes) && h.path.len > 0 && h.path.ptr[0] == '/');
	demand(inside(h.content_type, bytes) && inside(h.authorization, bytes));
	demand(!(h.chunked && h.has_length) && h.accepts <= HEAD_ACCEPT_MAX);
	if (head_path_decode(h.path, &b) == MST_OK)
		demand(b.len <= h.path.len && memchr(path, '\0', b.len) == NULL);
	if (h.chunked)
		read_chunks(rest, piece);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece, end, whole;
	mst_span in;
	mst_err e;

	if (size == 0)
		return 0;
	piece = (size_t)data[0] + 1;
	in = mst_span_of(data + 1, size - 1);
	e = scan_in_pieces(in, piece, &end);
	demand(e == scan_in_pieces(in, SIZE_MAX, &whole) && (e != MST_OK || end == whole));
	if (e == MST_OK && end > 0)
		read_head(mst_span_of(in.ptr, end), mst_span_of(in.ptr + end, in.len - end), piece);
	return 0;
}

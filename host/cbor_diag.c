/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cbor_diag.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"

#define TEXT_MAX (16u << 20)
#define LINE 72u /* of a container that stands on one line */
#define EMBEDDED_MAX 12u

struct text {
	char *p;
	size_t len, cap, most;
	mst_err err;
};

struct printer {
	struct text out;
	unsigned flags;
	unsigned indent;
	unsigned embedded; /* byte strings around that hold CBOR */
	bool flat; /* a trial on one line */
};

static void
put(struct printer *w, const char *s, size_t n)
{
	struct text *t = &w->out;
	char *p;

	if (t->err != MST_OK)
		return;
	if (n > t->most - t->len) {
		t->err = MST_E_SPACE;
		return;
	}
	if (t->cap - t->len <= n) {
		t->cap = (t->cap + n + 64) * 2;
		p = realloc(t->p, t->cap);
		if (p == NULL) {
			t->err = MST_E_NOMEM;
			return;
		}
		t->p = p;
	}
	memcpy(t->p + t->len, s, n);
	t->len += n;
}

static void
put_str(struct printer *w, const char *s)
{
	put(w, s, strlen(s));
}

static void
put_u64(struct printer *w, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	put_str(w, text);
}

static void
put_escape(struct printer *w, uint8_t c)
{
	char text[8];

	snprintf(text, sizeof text, "\\u%04x", c);
	put_str(w, text);
}

static void
put_line(struct printer *w)
{
	if (w->flat) {
		put_str(w, " ");
		return;
	}
	put_str(w, "\n");
	for (unsigned i = 0; i < w->indent; i++)
		put_str(w, "  ");
}

static void
put_hex(struct printer *w, mst_span bytes)
{
	static const char digits[] = "0123456789abcdef";

	put_str(w, "h'");
	for (size_t i = 0; i < bytes.len && w->out.err == MST_OK; i++) {
		char two[2] = { digits[bytes.ptr[i] >> 4], digits[bytes.ptr[i] & 15] };

		put(w, two, 2);
	}
	put_str(w, "'");
}

/* As JSON writes it, and what a terminal would obey (C0, DEL, C1) escaped, too. */
static void
put_text(struct printer *w, mst_span s)
{
	put_str(w, "\"");
	for (size_t i = 0; i < s.len && w->out.err == MST_OK; i++) {
		uint8_t c = s.ptr[i];

		if (c == '"' || c == '\\')
			put(w, (const char[]){ '\\', (char)c }, 2);
		else if (c == '\n')
			put_str(w, "\\n");
		else if (c == '\r')
			put_str(w, "\\r");
		else if (c == '\t')
			put_str(w, "\\t");
		else if (c < 0x20 || c == 0x7f)
			put_escape(w, c);
		else if (c == 0xc2 && i + 1 < s.len && s.ptr[i + 1] < 0xa0)
			put_escape(w, s.ptr[++i]);
		else
			put(w, (const char *)&s.ptr[i], 1);
	}
	put_str(w, "\"");
}

static uint8_t
head_of(const struct mst_cbor_reader *r)
{
	return r->at < r->in.len ? r->in.ptr[r->at] : 0;
}

/* The argument of a head that the reader has found well-formed. */
static uint64_t
argument(mst_span raw)
{
	uint64_t v = raw.len > 0 ? raw.ptr[0] & 31u : 0;

	if (v < 24)
		return v;
	v = 0;
	for (size_t i = 1; i < raw.len && i <= 8; i++)
		v = v << 8 | raw.ptr[i];
	return v;
}

static void
put_nint(struct printer *w, mst_span raw)
{
	uint64_t v = argument(raw);

	put_str(w, v == UINT64_MAX ? "-18446744073709551616" : "-");
	if (v != UINT64_MAX)
		put_u64(w, v + 1);
}

static void
put_float(struct printer *w, double v)
{
	char text[40];

	if (isnan(v)) {
		put_str(w, "NaN");
		return;
	}
	if (isinf(v)) {
		put_str(w, v < 0 ? "-Infinity" : "Infinity");
		return;
	}
	if (fabs(v) < 1e15 && (double)(int64_t)v == v) {
		snprintf(text, sizeof text, "%.1f", v);
		put_str(w, text);
		return;
	}
	/* the shortest that reads back as the same value */
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	put_str(w, text);
}

static void put_item(struct printer *w, struct mst_cbor_reader *r, unsigned depth);

/* Does it hold one array, map or tag, and nothing else? */
static bool
holds_item(mst_span bytes)
{
	return bytes.len > 1 && bytes.ptr[0] >= 0x80 && bytes.ptr[0] < 0xe0 &&
	       mst_cbor_validate(bytes) == MST_OK;
}

/* Recursion is bounded by EMBEDDED_MAX times the reader's own depth. */
static void
put_bytes(struct printer *w, mst_span bytes)
{
	struct mst_cbor_reader inside;

	if ((w->flags & CBOR_DIAG_EMBEDDED) == 0 || w->embedded == EMBEDDED_MAX ||
	    !holds_item(bytes)) {
		put_hex(w, bytes);
		return;
	}
	mst_cbor_init(&inside, bytes);
	put_str(w, "<<");
	w->embedded++;
	put_item(w, &inside, 1);
	w->embedded--;
	put_str(w, ">>");
}

/* A string in one piece, or in chunks: (_ h'00', h'01'). */
static void
put_string(struct printer *w, struct mst_cbor_reader *r)
{
	bool bytes = (head_of(r) & 0xe0) == 0x40, chunks = (head_of(r) & 31) == 31;
	struct mst_cbor_reader inside;
	mst_span raw;

	if (!chunks) {
		if (bytes)
			put_bytes(w, mst_cbor_bytes(r));
		else
			put_text(w, mst_cbor_text(r));
		return;
	}
	raw = mst_cbor_raw(r);
	if (raw.len < 2)
		return;
	mst_cbor_init(&inside, mst_span_of(raw.ptr + 1, raw.len - 2));
	put_str(w, "(_ ");
	for (bool first = true; mst_cbor_more(&inside); first = false) {
		if (!first)
			put_str(w, ", ");
		if (bytes)
			put_hex(w, mst_cbor_bytes(&inside));
		else
			put_text(w, mst_cbor_text(&inside));
	}
	put_str(w, ")");
	mst_cbor_fail(r, mst_cbor_end(&inside));
}

/* COSE_Sign1's byte strings that hold CBOR. */
static void
put_embedded(struct printer *w, struct mst_cbor_reader *r)
{
	struct mst_cbor_reader inside;
	mst_span bytes;

	if (mst_cbor_peek(r) != MST_CBOR_BYTES || (head_of(r) & 31) == 31) {
		put_item(w, r, 1);
		return;
	}
	bytes = mst_cbor_bytes(r);
	if (bytes.len == 0 || mst_cbor_validate(bytes) != MST_OK) {
		put_hex(w, bytes);
		return;
	}
	mst_cbor_init(&inside, bytes);
	put_str(w, "<<");
	put_item(w, &inside, 1);
	put_str(w, ">>");
	mst_cbor_fail(r, mst_cbor_end(&inside));
}

static void
put_members(struct printer *w, struct mst_cbor_reader *r, unsigned depth)
{
	bool map = mst_cbor_peek(r) == MST_CBOR_MAP, indefinite = (head_of(r) & 31) == 31;
	bool cose = depth == 0 && !map && (w->flags & CBOR_DIAG_COSE) != 0;
	size_t n = 0;

	put_str(w, map ? "{" : "[");
	put_str(w, indefinite ? "_" : "");
	if (map)
		mst_cbor_map(r);
	else
		mst_cbor_array(r);
	w->indent++;
	for (; mst_cbor_more(r) && w->out.err == MST_OK; n++) {
		if (n != 0)
			put_str(w, ",");
		if (n != 0 || indefinite || !w->flat)
			put_line(w);
		if (cose && (n == 0 || n == 2))
			put_embedded(w, r);
		else
			put_item(w, r, depth + 1);
		if (map) {
			put_str(w, ": ");
			put_item(w, r, depth + 1);
		}
	}
	w->indent--;
	if (n != 0 && !w->flat)
		put_line(w);
	else if (n == 0 && indefinite)
		put_str(w, " ");
	put_str(w, map ? "}" : "]");
}

/* On one line where that is short enough; the trial ends as soon as it is not. */
static void
put_container(struct printer *w, struct mst_cbor_reader *r, unsigned depth)
{
	struct printer trial = {
		.flags = w->flags, .embedded = w->embedded, .flat = true, .out.most = LINE
	};
	struct mst_cbor_reader ahead = *r;

	if (w->flat) {
		put_members(w, r, depth);
		return;
	}
	put_members(&trial, &ahead, depth);
	if (trial.out.err == MST_OK && ahead.err == MST_OK) {
		put(w, trial.out.p, trial.out.len);
		*r = ahead;
	} else {
		put_members(w, r, depth);
	}
	free(trial.out.p);
}

static void
put_simple(struct printer *w, mst_span raw)
{
	put_str(w, "simple(");
	put_u64(w, argument(raw));
	put_str(w, ")");
}

/* Tags take no level of the reader, so no recursion may follow them. */
static void
put_item(struct printer *w, struct mst_cbor_reader *r, unsigned depth)
{
	size_t tags = 0;

	for (; mst_cbor_peek(r) == MST_CBOR_TAG && w->out.err == MST_OK; tags++) {
		put_u64(w, mst_cbor_tag(r));
		put_str(w, "(");
	}
	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT: put_u64(w, mst_cbor_uint(r)); break;
	case MST_CBOR_NINT: put_nint(w, mst_cbor_raw(r)); break;
	case MST_CBOR_BYTES:
	case MST_CBOR_TEXT: put_string(w, r); break;
	case MST_CBOR_ARRAY:
	case MST_CBOR_MAP: put_container(w, r, depth); break;
	case MST_CBOR_BOOL: put_str(w, mst_cbor_bool(r) ? "true" : "false"); break;
	case MST_CBOR_NULL:
		mst_cbor_null(r);
		put_str(w, "null");
		break;
	case MST_CBOR_UNDEFINED:
		mst_cbor_skip(r);
		put_str(w, "undefined");
		break;
	case MST_CBOR_SIMPLE: put_simple(w, mst_cbor_raw(r)); break;
	case MST_CBOR_FLOAT: put_float(w, mst_cbor_float(r)); break;
	case MST_CBOR_TAG:
	case MST_CBOR_BREAK:
	case MST_CBOR_END: mst_cbor_fail(r, MST_E_CBOR); break;
	}
	for (; tags > 0 && w->out.err == MST_OK; tags--)
		put_str(w, ")");
}

mst_err
cbor_diag(struct arena *a, mst_span item, unsigned flags, const char **out)
{
	struct printer w = {
		.flags = flags, .flat = (flags & CBOR_DIAG_ONE_LINE) != 0, .out.most = TEXT_MAX
	};
	struct mst_cbor_reader r;
	mst_err e;

	mst_cbor_init(&r, item);
	put_item(&w, &r, 0);
	if ((e = mst_cbor_end(&r)) == MST_OK)
		e = w.out.err;
	if (e == MST_OK) {
		*out = arena_str(a, mst_span_of(w.out.p, w.out.len));
		e = *out != NULL ? MST_OK : MST_E_NOMEM;
	}
	free(w.out.p);
	return e;
}

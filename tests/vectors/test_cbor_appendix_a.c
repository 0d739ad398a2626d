/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 8949 appendix A, in the JSON form of cbor/test-vectors. Per vector: it
 * decodes to the value given ("decoded" as JSON, or "diagnostic" notation);
 * where the file says so it encodes to the same bytes; each strict prefix is
 * refused. One vector is of RFC 7049 only: RFC 8949 3.3 made f818 malformed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "muster/cbor.h"

struct vector {
	uint8_t *bytes; /* a heap block of exactly that size */
	size_t len;
	const char *hex;
	const json_t *decoded;
	const char *diagnostic;
};

static mst_span
span_of(const struct vector *v)
{
	return mst_span_of(v->bytes, v->len);
}

/* A string's chunks put together; the reader hands out single ones only. */
static size_t
join(mst_span item, uint8_t *to, size_t cap)
{
	struct mst_buf all = { to, cap, 0 };
	struct mst_cbor_reader r;

	if ((item.ptr[0] & 31) == 31)
		item = mst_span_of(item.ptr + 1, item.len - 2);
	mst_cbor_init(&r, item);
	while (mst_cbor_more(&r)) {
		mst_span s =
		    mst_cbor_peek(&r) == MST_CBOR_TEXT ? mst_cbor_text(&r) : mst_cbor_bytes(&r);

		assert_int_equal(mst_buf_put(&all, s), MST_OK);
	}
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	return all.len;
}

static double
real_of(const uint8_t *p, size_t n)
{
	double v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 256 + p[i];
	return v;
}

static void
same_number(double got, const json_t *want)
{
	double v = json_number_value(want);

	assert_true(json_is_number(want));
	assert_true(got == v);
	assert_int_equal(!!signbit(got), !!signbit(v));
}

static void
same_text(mst_span item, const char *want)
{
	uint8_t text[256];
	size_t n = join(item, text, sizeof text);

	assert_non_null(want);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(text, want, n);
}

static void same_value(struct mst_cbor_reader *r, const json_t *want);

static void
same_map(struct mst_cbor_reader *r, const json_t *want)
{
	size_t n = 0;
	mst_span key;

	assert_true(json_is_object(want));
	mst_cbor_map(r);
	for (; mst_cbor_text_key(r, &key); n++) {
		char name[32];

		snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.ptr);
		assert_non_null(json_object_get(want, name));
		same_value(r, json_object_get(want, name));
	}
	assert_int_equal(n, json_object_size(want));
}

static void
same_bignum(struct mst_cbor_reader *r, const json_t *want)
{
	uint64_t tag = mst_cbor_tag(r);
	mst_span s = mst_cbor_bytes(r);

	assert_true(tag == 2 || tag == 3);
	same_number(tag == 2 ? real_of(s.ptr, s.len) : -1 - real_of(s.ptr, s.len), want);
}

static void
same_value(struct mst_cbor_reader *r, const json_t *want)
{
	mst_span raw;
	size_t n = 0;

	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT: same_number((double)mst_cbor_uint(r), want); return;
	case MST_CBOR_NINT:
		raw = mst_cbor_raw(r); /* down to -2^64, which no int64_t holds */
		same_number(raw.len == 1 ? -1.0 - (raw.ptr[0] & 31)
		                         : -1 - real_of(raw.ptr + 1, raw.len - 1),
		    want);
		return;
	case MST_CBOR_FLOAT: same_number(mst_cbor_float(r), want); return;
	case MST_CBOR_TEXT: same_text(mst_cbor_raw(r), json_string_value(want)); return;
	case MST_CBOR_TAG: same_bignum(r, want); return;
	case MST_CBOR_MAP: same_map(r, want); return;
	case MST_CBOR_BOOL: assert_int_equal(mst_cbor_bool(r), json_is_true(want)); return;
	case MST_CBOR_NULL:
		mst_cbor_null(r);
		assert_true(json_is_null(want));
		return;
	case MST_CBOR_ARRAY:
		assert_true(json_is_array(want));
		mst_cbor_array(r);
		for (; mst_cbor_more(r); n++)
			same_value(r, json_array_get(want, n));
		assert_int_equal(n, json_array_size(want));
		return;
	case MST_CBOR_BYTES:
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE:
	case MST_CBOR_BREAK:
	case MST_CBOR_END: fail_msg("JSON has no such value");
	}
}

/* The notation of RFC 8949 8, as far as the appendix needs it. */
static void notate(struct mst_cbor_reader *r, FILE *f);

static void
notate_bytes(mst_span item, FILE *f)
{
	struct mst_cbor_reader r;
	int chunks = (item.ptr[0] & 31) == 31, n = 0;

	if (chunks)
		item = mst_span_of(item.ptr + 1, item.len - 2);
	mst_cbor_init(&r, item);
	fputs(chunks ? "(_ " : "", f);
	while (mst_cbor_more(&r)) {
		mst_span s = mst_cbor_bytes(&r);

		fputs(n++ != 0 ? ", h'" : "h'", f);
		for (size_t i = 0; i < s.len; i++)
			fprintf(f, "%02x", s.ptr[i]);
		fputs("'", f);
	}
	fputs(chunks ? ")" : "", f);
}

static void
notate_map(struct mst_cbor_reader *r, FILE *f)
{
	int n = 0;

	mst_cbor_map(r);
	for (fputs("{", f); mst_cbor_more(r); n++) {
		fputs(n != 0 ? ", " : "", f);
		notate(r, f);
		fputs(": ", f);
		notate(r, f);
	}
	fputs("}", f);
}

static void
notate_float(double v, FILE *f)
{
	if (isnan(v))
		fputs("NaN", f);
	else if (isinf(v))
		fputs(v < 0 ? "-Infinity" : "Infinity", f);
	else
		fprintf(f, "%.17g", v);
}

static void
notate(struct mst_cbor_reader *r, FILE *f)
{
	mst_span s;

	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT:
	case MST_CBOR_NINT: fprintf(f, "%lld", (long long)mst_cbor_int(r)); return;
	case MST_CBOR_BYTES: notate_bytes(mst_cbor_raw(r), f); return;
	case MST_CBOR_TEXT:
		s = mst_cbor_text(r);
		fprintf(f, "\"%.*s\"", (int)s.len, (const char *)s.ptr);
		return;
	case MST_CBOR_TAG:
		fprintf(f, "%llu(", (unsigned long long)mst_cbor_tag(r));
		notate(r, f);
		fputs(")", f);
		return;
	case MST_CBOR_MAP: notate_map(r, f); return;
	case MST_CBOR_FLOAT: notate_float(mst_cbor_float(r), f); return;
	case MST_CBOR_UNDEFINED:
		mst_cbor_skip(r);
		fputs("undefined", f);
		return;
	case MST_CBOR_SIMPLE:
		s = mst_cbor_raw(r);
		fprintf(f, "simple(%d)", s.len == 2 ? s.ptr[1] : s.ptr[0] & 31);
		return;
	case MST_CBOR_ARRAY:
	case MST_CBOR_BOOL:
	case MST_CBOR_NULL:
	case MST_CBOR_BREAK:
	case MST_CBOR_END: fail_msg("no such row in the appendix");
	}
}

static void
decodes(void **state)
{
	const struct vector *v = *state;
	struct mst_cbor_reader r;
	char text[256] = "";
	FILE *f;

	assert_int_equal(mst_cbor_validate(span_of(v)), MST_OK);
	assert_int_equal(mst_cbor_validate_unique(span_of(v)), MST_OK);
	mst_cbor_init(&r, span_of(v));
	if (v->diagnostic == NULL) {
		same_value(&r, v->decoded);
	} else {
		assert_non_null(f = fmemopen(text, sizeof text, "w"));
		notate(&r, f);
		fclose(f);
		assert_string_equal(text, v->diagnostic);
	}
	assert_int_equal(mst_cbor_end(&r), MST_OK);
}

static uint64_t
items_left(struct mst_cbor_reader r)
{
	uint64_t n = 0;
	unsigned depth = r.depth;

	for (; mst_cbor_more(&r); n++)
		mst_cbor_skip(&r);
	assert_int_equal(r.depth, depth - 1);
	return n;
}

static void
copy_item(struct mst_cbor_reader *r, struct mst_cbor_writer *w)
{
	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT: mst_cbor_put_uint(w, mst_cbor_uint(r)); return;
	case MST_CBOR_BYTES: mst_cbor_put_bytes(w, mst_cbor_bytes(r)); return;
	case MST_CBOR_TEXT: mst_cbor_put_text(w, mst_cbor_text(r)); return;
	case MST_CBOR_BOOL: mst_cbor_put_bool(w, mst_cbor_bool(r)); return;
	case MST_CBOR_FLOAT: mst_cbor_put_float(w, mst_cbor_float(r)); return;
	case MST_CBOR_NINT:
		/* the one beyond int64_t is put raw, like what has no writer */
		if (r->in.ptr[r->at] == 0x3b && r->in.ptr[r->at + 1] >= 0x80)
			mst_cbor_put_raw(w, mst_cbor_raw(r));
		else
			mst_cbor_put_int(w, mst_cbor_int(r));
		return;
	case MST_CBOR_NULL:
		mst_cbor_null(r);
		mst_cbor_put_null(w);
		return;
	case MST_CBOR_TAG:
		mst_cbor_put_tag(w, mst_cbor_tag(r));
		copy_item(r, w);
		return;
	case MST_CBOR_ARRAY:
		mst_cbor_array(r);
		for (mst_cbor_put_array(w, items_left(*r)); mst_cbor_more(r);)
			copy_item(r, w);
		return;
	case MST_CBOR_MAP:
		mst_cbor_map(r);
		for (mst_cbor_put_map(w, items_left(*r) / 2); mst_cbor_more(r);)
			copy_item(r, w);
		return;
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE: mst_cbor_put_raw(w, mst_cbor_raw(r)); return;
	case MST_CBOR_BREAK:
	case MST_CBOR_END: fail_msg("nothing to copy");
	}
}

static void
encodes_to_the_same(void **state)
{
	const struct vector *v = *state;
	struct mst_cbor_reader r;
	struct mst_cbor_writer w;
	uint8_t room[256];
	struct mst_buf out = MST_BUF(room);

	mst_cbor_init(&r, span_of(v));
	mst_cbor_put_init(&w, &out);
	copy_item(&r, &w);
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	assert_int_equal(out.len, v->len);
	assert_memory_equal(room, v->bytes, v->len);
}

static void
strict_prefixes_are_refused(void **state)
{
	const struct vector *v = *state;

	for (size_t n = 0; n < v->len; n++) {
		uint8_t *prefix = malloc(n != 0 ? n : 1);

		assert_non_null(prefix);
		memcpy(prefix, v->bytes, n);
		assert_int_equal(mst_cbor_validate(mst_span_of(prefix, n)), MST_E_CBOR);
		free(prefix);
	}
}

static void
a_byte_after_it_is_refused(void **state)
{
	const struct vector *v = *state;
	uint8_t *longer = malloc(v->len + 1);

	assert_non_null(longer);
	memcpy(longer, v->bytes, v->len);
	longer[v->len] = 0x00;
	assert_int_equal(mst_cbor_validate(mst_span_of(longer, v->len + 1)), MST_E_CBOR_TRAILING);
	free(longer);
}

static void
rfc8949_3_3_malformed_since(void **state)
{
	const struct vector *v = *state;

	assert_int_equal(mst_cbor_validate(span_of(v)), MST_E_CBOR);
}

static void
absent(void **state)
{
	(void)state;
	print_message("no cbor/appendix_a.json at MUSTER_VECTORS or beside the checkout\n");
	skip();
}

static void
unreadable(void **state)
{
	(void)state;
	fail_msg("cbor/appendix_a.json is there and cannot be read");
}

#define VECTORS_MAX 128
#define PER_VECTOR 4
#define NAME_MAX_LEN 96

static struct vector vectors[VECTORS_MAX];
static struct CMUnitTest tests[VECTORS_MAX * PER_VECTOR];
static char names[VECTORS_MAX * PER_VECTOR][NAME_MAX_LEN];
static size_t test_count;

static void
add(const char *what, CMUnitTestFunction test, struct vector *v)
{
	char *name = names[test_count];

	snprintf(name, NAME_MAX_LEN, "rfc8949_a %.48s %s", v->hex, what);
	tests[test_count++] = (struct CMUnitTest){ name, test, NULL, NULL, v };
}

static void
add_vector(struct vector *v, const json_t *row)
{
	v->hex = json_string_value(json_object_get(row, "hex"));
	v->decoded = json_object_get(row, "decoded");
	v->diagnostic = json_string_value(json_object_get(row, "diagnostic"));
	v->len = strlen(v->hex) / 2;
	v->bytes = malloc(v->len);
	for (size_t i = 0; i < v->len; i++) {
		char two[3] = { v->hex[2 * i], v->hex[2 * i + 1], '\0' };

		v->bytes[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	if (strcmp(v->hex, "f818") == 0) {
		add("is malformed since RFC 8949", rfc8949_3_3_malformed_since, v);
		return;
	}
	add("decodes", decodes, v);
	if (json_is_true(json_object_get(row, "roundtrip")))
		add("encodes to the same", encodes_to_the_same, v);
	add("has no good prefix", strict_prefixes_are_refused, v);
	add("has nothing after it", a_byte_after_it_is_refused, v);
}

int
main(void)
{
	const char *dir = getenv("MUSTER_VECTORS");
	char path[4096];
	json_t *rows;
	int failed;

	snprintf(path, sizeof path, "%s/cbor/appendix_a.json",
	    dir != NULL ? dir : MUSTER_SOURCE_DIR "/../shared/vectors");
	/* as reals: the appendix has integers beyond what jansson holds; their bytes are compared
	 * too */
	rows = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL);
	for (size_t i = 0; i < json_array_size(rows) && i < VECTORS_MAX; i++)
		add_vector(&vectors[i], json_array_get(rows, i));
	if (rows == NULL)
		tests[test_count++] = (struct CMUnitTest){ "rfc8949_a",
			access(path, F_OK) == 0 ? unreadable : absent, NULL, NULL, NULL };
	failed = _cmocka_run_group_tests("rfc8949_a", tests, test_count, NULL, NULL);
	for (size_t i = 0; i < VECTORS_MAX; i++)
		free(vectors[i].bytes);
	json_decref(rows);
	return failed;
}

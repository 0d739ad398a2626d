/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_value.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/conf.h"
#include "host/file.h"
#include "host/suit/suit_author.h"
#include "host/suit_cbor.h"
#include "muster/base64.h"
#include "muster/time.h"

#define VERSION_MAX 16

static mst_err
bad(mst_span text, const char *want)
{
	int n = text.len > 80 ? 80 : (int)text.len;

	suit_author_say(
	    "\"%.*s\" is not %s", n, text.ptr != NULL ? (const char *)text.ptr : "", want);
	return MST_E_FW_VALUE;
}

bool
value_prefix(mst_span text, const char *prefix, mst_span *rest)
{
	size_t n = strlen(prefix);

	if (text.len < n || memcmp(text.ptr, prefix, n) != 0)
		return false;
	*rest = mst_span_of(text.ptr + n, text.len - n);
	return true;
}

static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

mst_err
value_uint(mst_span text, uint64_t *out)
{
	mst_span digits = text;
	uint64_t base = 10, v = 0;

	if (value_prefix(text, "0x", &digits))
		base = 16;
	if (digits.len == 0)
		return bad(text, "a whole number");
	for (size_t i = 0; i < digits.len; i++) {
		int d = digit(digits.ptr[i]);

		if (d < 0 || (uint64_t)d >= base || v > (UINT64_MAX - (uint64_t)d) / base)
			return bad(text, "a whole number of at most 64 bits");
		v = v * base + (uint64_t)d;
	}
	*out = v;
	return MST_OK;
}

mst_err
value_int(mst_span text, int64_t *out)
{
	mst_span digits = text;
	bool minus = value_prefix(text, "-", &digits);
	uint64_t v;
	mst_err e = value_uint(digits, &v);

	if (e != MST_OK || v > INT64_MAX)
		return bad(text, "a whole number of at most 63 bits");
	*out = minus ? -(int64_t)v : (int64_t)v;
	return MST_OK;
}

static mst_err
read_hex(const struct suit_values *v, mst_span text, mst_span *out)
{
	struct mst_buf b = arena_buf(v->a, text.len / 2 + 1);

	if (b.cap == 0)
		return MST_E_NOMEM;
	if (text.len % 2 != 0)
		return bad(text, "an even number of hex digits");
	for (size_t i = 0; i < text.len; i += 2) {
		int high = digit(text.ptr[i]), low = digit(text.ptr[i + 1]);

		if (high < 0 || low < 0)
			return bad(text, "hex digits");
		b.ptr[b.len++] = (uint8_t)(high << 4 | low);
	}
	*out = mst_buf_span(&b);
	return MST_OK;
}

static mst_err
read_file(const struct suit_values *v, mst_span path, mst_span *out)
{
	const char *p = arena_str(v->a, path);
	mst_err e;

	if (p == NULL || memchr(path.ptr, 0, path.len) != NULL)
		return p == NULL ? MST_E_NOMEM : bad(path, "a path");
	if (v->folder != NULL)
		p = conf_path(v->a, v->folder, p);
	if (v->read != NULL)
		return v->read(v->ctx, v->a, p, out);
	e = file_read(v->a, p, SUIT_PAYLOAD_BYTES, out);
	if (e != MST_OK)
		suit_author_say("%s", file_why());
	return e;
}

static mst_err
read_uuid(const struct suit_values *v, mst_span text, mst_span *out)
{
	struct mst_buf b = arena_buf(v->a, 33);

	if (b.cap == 0)
		return MST_E_NOMEM;
	for (size_t i = 0; i < text.len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (text.len == 36 && dash && text.ptr[i] == '-')
			continue;
		if (mst_buf_put_byte(&b, text.ptr[i]) != MST_OK)
			break;
	}
	if ((text.len != 36 && text.len != 32) || b.len != 32 ||
	    read_hex(v, mst_buf_span(&b), out) != MST_OK)
		return bad(text, "a UUID such as 6ba7b810-9dad-11d1-80b4-00c04fd430c8");
	return MST_OK;
}

static mst_err
read_base64(const struct suit_values *v, mst_span text, mst_span *out)
{
	struct mst_buf b = arena_buf(v->a, text.len + 1);

	if (b.cap == 0)
		return MST_E_NOMEM;
	if (mst_base64_decode(text, 0, &b) != MST_OK)
		return bad(text, "base64");
	*out = mst_buf_span(&b);
	return MST_OK;
}

mst_err
value_bytes(const struct suit_values *v, mst_span text, enum value_plain plain, mst_span *out)
{
	mst_span rest;

	if (value_prefix(text, "hex:", &rest))
		return read_hex(v, rest, out);
	if (value_prefix(text, "base64:", &rest))
		return read_base64(v, rest, out);
	if (value_prefix(text, "uuid:", &rest))
		return read_uuid(v, rest, out);
	if (value_prefix(text, "file:", &rest))
		return read_file(v, rest, out);
	if (value_prefix(text, "text:", &rest)) {
		*out = rest;
		return MST_OK;
	}
	if (plain == VALUE_PLAIN) {
		*out = text;
		return MST_OK;
	}
	return bad(text, "bytes: hex:, text:, base64:, uuid: or file: stands before them");
}

mst_err
value_uuid5(const uint8_t space[16], mst_span name, uint8_t out[16])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sum[EVP_MAX_MD_SIZE];
	mst_err e = MST_E_INTERNAL;

	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, space, 16) == 1 &&
	    EVP_DigestUpdate(ctx, name.ptr, name.len) == 1 &&
	    EVP_DigestFinal_ex(ctx, sum, NULL) == 1) {
		memcpy(out, sum, 16);
		out[6] = (uint8_t)((out[6] & 0x0f) | 0x50); /* RFC 9562 5.5: version 5 */
		out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
		e = MST_OK;
	}
	EVP_MD_CTX_free(ctx);
	return e;
}

static const uint8_t space_dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4,
	0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
/* M 8.4.8.1 */
static const uint8_t space_pen[16] = { 0x47, 0xfb, 0xda, 0xbb, 0xf2, 0xe4, 0x55, 0xf0, 0xbb, 0x39,
	0x36, 0x20, 0xc2, 0xf6, 0xdf, 0x4e };

/* #6.112(relative OID): base 128, the highest bit on all but the last (RFC 9090). */
static mst_err
pen_item(const struct suit_values *v, mst_span number, mst_span *item)
{
	uint8_t oid[10];
	size_t at = sizeof oid;
	uint64_t pen;
	struct cb b;
	mst_err e = value_uint(number, &pen);

	if (e != MST_OK)
		return e;
	do {
		at--;
		oid[at] = (uint8_t)((pen & 0x7f) | (at == sizeof oid - 1 ? 0 : 0x80));
		pen >>= 7;
	} while (pen != 0 && at > 0);
	cb_init(&b, v->a);
	cb_tag(&b, 112);
	cb_bytes(&b, mst_span_of(oid + at, sizeof oid - at));
	*item = cb_end(&b, &e);
	return e;
}

/* VENDOR/INFO: VENDOR a domain, uuid:... or pen:NUMBER (M 8.4.8.2). */
static mst_err
class_uuid(const struct suit_values *v, mst_span text, uint8_t out[16])
{
	const uint8_t *slash = memchr(text.ptr, '/', text.len);
	uint8_t vendor[16];
	mst_span who, info, rest, bytes;
	mst_err e;

	if (slash == NULL || slash == text.ptr || slash == text.ptr + text.len - 1)
		return bad(text, "VENDOR/INFO");
	who = mst_span_of(text.ptr, (size_t)(slash - text.ptr));
	info = mst_span_of(slash + 1, text.len - who.len - 1);
	if (value_prefix(who, "uuid:", &rest)) {
		if ((e = read_uuid(v, rest, &bytes)) != MST_OK)
			return e;
		memcpy(vendor, bytes.ptr, 16);
	} else if (value_prefix(who, "pen:", &rest)) {
		if ((e = pen_item(v, rest, &bytes)) != MST_OK ||
		    (e = value_uuid5(space_pen, bytes, vendor)) != MST_OK)
			return e;
	} else if ((e = value_uuid5(space_dns, who, vendor)) != MST_OK) {
		return e;
	}
	return value_uuid5(vendor, info, out);
}

mst_err
value_uuid(const struct suit_values *v, mst_span text, mst_span *item)
{
	mst_span rest, bytes = MST_NONE;
	uint8_t id[16];
	mst_err e;

	if (value_prefix(text, "pen:", &rest))
		return pen_item(v, rest, item);
	if (value_prefix(text, "dns:", &rest)) {
		e = rest.len > 0 ? value_uuid5(space_dns, rest, id) : bad(text, "a domain");
		bytes = mst_span_of(id, sizeof id);
	} else if (value_prefix(text, "class:", &rest)) {
		e = class_uuid(v, rest, id);
		bytes = mst_span_of(id, sizeof id);
	} else if (value_prefix(text, "uuid:", &rest)) {
		e = read_uuid(v, rest, &bytes);
	} else if (value_prefix(text, "hex:", &rest)) {
		e = read_hex(v, rest, &bytes);
		if (e == MST_OK && bytes.len != 16)
			e = bad(text, "16 bytes");
	} else {
		e = bad(text,
		    "an identifier: uuid:, hex:, dns:DOMAIN, class:VENDOR/INFO or pen:NUMBER");
	}
	if (e == MST_OK)
		*item = cb_one_bytes(v->a, bytes);
	return e == MST_OK && item->ptr == NULL ? MST_E_NOMEM : e;
}

static mst_err
digest_of(const struct suit_values *v, mst_span bytes, int64_t alg, mst_span *digest)
{
	struct mst_buf b = arena_buf(v->a, SUIT_DIGEST_MAX);
	mst_err e = b.cap != 0 ? suit_digest_bytes(alg, bytes, &b) : MST_E_NOMEM;

	*digest = mst_buf_span(&b);
	return e;
}

/* The digest that a dependency's own wrapper has (TD 5.2.2). */
static mst_err
digest_of_manifest(const struct suit_values *v, mst_span path, int64_t *alg, mst_span *digest)
{
	struct suit_envelope *env = arena_alloc(v->a, sizeof *env);
	mst_span bytes;
	mst_err e;

	if (env == NULL)
		return MST_E_NOMEM;
	if ((e = read_file(v, path, &bytes)) != MST_OK ||
	    (e = suit_envelope_read(bytes, env)) != MST_OK ||
	    (e = suit_envelope_covers(env)) != MST_OK)
		return e;
	return suit_digest_read(env->digest, alg, digest);
}

mst_err
value_digest(const struct suit_values *v, mst_span text, int64_t *alg, mst_span *digest)
{
	size_t count;
	const struct suit_word *words = suit_words(SUIT_LIST_DIGEST, &count);
	mst_span rest = text, bytes;
	mst_err e;

	if (value_prefix(text, "manifest:", &rest))
		return digest_of_manifest(v, rest, alg, digest);
	*alg = v->alg;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(words[i].name);

		if (value_prefix(text, words[i].name, &rest) && rest.len > 1 &&
		    rest.ptr[0] == ':') {
			*alg = words[i].number;
			rest = mst_span_of(text.ptr + n + 1, text.len - n - 1);
			break;
		}
		rest = text;
	}
	if (value_prefix(rest, "file:", &bytes)) {
		if ((e = read_file(v, bytes, &bytes)) != MST_OK)
			return e;
		return digest_of(v, bytes, *alg, digest);
	}
	(void)value_prefix(rest, "hex:", &rest);
	if ((e = read_hex(v, rest, digest)) != MST_OK || digest->len != suit_digest_len(*alg))
		return bad(text, "a digest: file:PATH, manifest:FILE, or its bytes in hex, before "
		                 "them perhaps sha-384:");
	return MST_OK;
}

/* One release or pre-release number; "rc", "beta", "alpha" are negative (UM 4.4.1). */
static bool
version_part(mst_span part, bool first, int64_t *out)
{
	uint64_t n;

	if (!first && mst_span_eq(part, MST_LIT("rc")))
		*out = -1;
	else if (!first && mst_span_eq(part, MST_LIT("beta")))
		*out = -2;
	else if (!first && mst_span_eq(part, MST_LIT("alpha")))
		*out = -3;
	else if (value_uint(part, &n) == MST_OK && n <= INT64_MAX)
		*out = (int64_t)n;
	else
		return false;
	return true;
}

mst_err
value_version(mst_span text, int64_t *out, size_t *count)
{
	size_t most = *count, n = 0, release = 0;
	bool pre = false;

	for (size_t at = 0; at <= text.len; n++) {
		size_t end = at;

		while (end < text.len && text.ptr[end] != '.' && text.ptr[end] != '-')
			end++;
		if (n == most ||
		    !version_part(mst_span_of(text.ptr + at, end - at), n == 0, &out[n]))
			return bad(text, "a version such as 1.2.3 or 1.2-rc.3");
		if (out[n] < 0 && (pre || text.ptr[at - 1] != '-'))
			return bad(text, "a version: one of -rc, -beta, -alpha, once");
		if (out[n] >= 0 && at > 0 && text.ptr[at - 1] == '-')
			return bad(text, "a version: behind the dash stands rc, beta or alpha");
		pre = pre || out[n] < 0;
		release += !pre;
		at = end + 1;
	}
	if (release > 3)
		return bad(text, "a version: at most three numbers before a pre-release");
	*count = n;
	return MST_OK;
}

/* [comparison, [+int]] */
static mst_err
version_match(const struct suit_values *v, mst_span text, mst_span *bytes)
{
	static const char *const compare[] = { ">=", ">", "<=", "<", "=" };
	static const int number[] = { 2, 1, 4, 5, 3 };
	int64_t version[VERSION_MAX];
	size_t count = VERSION_MAX, i = 0;
	mst_span rest;
	struct cb b;
	mst_err e;

	while (i < 5 && !value_prefix(text, compare[i], &rest))
		i++;
	if (i == 5)
		return bad(text, "a comparison with a version: >=1.2.3; also >, =, <=, <");
	if ((e = value_version(rest, version, &count)) != MST_OK)
		return e;
	cb_init(&b, v->a);
	cb_array(&b, 2);
	cb_int(&b, number[i]);
	cb_array(&b, count);
	for (size_t k = 0; k < count; k++)
		cb_int(&b, version[k]);
	*bytes = cb_end(&b, &e);
	return e;
}

/* authorization:1,power:2 or any CBOR as hex: or file: */
static mst_err
wait_info(const struct suit_values *v, mst_span text, mst_span *bytes)
{
	struct cb_pairs p;
	mst_err e = MST_OK;

	cb_pairs_init(&p, v->a);
	for (size_t at = 0; at <= text.len && e == MST_OK;) {
		const uint8_t *colon;
		const struct suit_word *w;
		size_t end = at;
		int64_t n;

		while (end < text.len && text.ptr[end] != ',')
			end++;
		colon = memchr(text.ptr + at, ':', end - at);
		w = colon == NULL
		        ? NULL
		        : suit_word_find(SUIT_LIST_WAIT,
		              mst_span_of(text.ptr + at, (size_t)(colon - text.ptr) - at));
		if (w == NULL || w->value == SUIT_VALUE_BYTES)
			return bad(text, "events such as authorization:1,time:1700000000; "
			                 "other-device-version as CBOR by hex: or file:");
		e = value_int(mst_span_of(colon + 1, (size_t)(text.ptr + end - colon) - 1), &n);
		if (e == MST_OK && w->value == SUIT_VALUE_UINT && n < 0)
			e = bad(text, "events whose times are not negative");
		if (e == MST_OK)
			cb_pair_int(&p, w->number, cb_one_int(v->a, n));
		at = end + 1;
	}
	if (p.err == MST_E_CBOR_DUPLICATE)
		return bad(text, "events, each once");
	*bytes = cb_pairs_end(&p, &e);
	return e;
}

static bool
is_cbor(mst_span text)
{
	mst_span rest;

	return value_prefix(text, "hex:", &rest) || value_prefix(text, "file:", &rest);
}

/* A byte string whose content is CBOR of one kind. */
static mst_err
wrapped(const struct suit_values *v, const struct suit_word *w, mst_span text, mst_span *item)
{
	mst_span bytes = MST_NONE;
	size_t at;
	mst_err e;

	if (is_cbor(text) && w->value != SUIT_VALUE_DIGEST) {
		e = value_bytes(v, text, VALUE_PREFIXED, &bytes);
		/* headers of COSE need not be in order (sheet 1.3) */
		if (e == MST_OK &&
		    (w->value == SUIT_VALUE_ENCRYPTION ? mst_cbor_validate_unique(bytes) != MST_OK
		                                       : cbs_breach(bytes, &at) != NULL))
			e = bad(text, "CBOR of the strict form");
	} else if (w->value == SUIT_VALUE_VERSION) {
		e = version_match(v, text, &bytes);
	} else if (w->value == SUIT_VALUE_WAIT) {
		e = wait_info(v, text, &bytes);
	} else {
		e = bad(text, "CBOR by hex: or file:");
	}
	if (e == MST_OK)
		*item = cb_one_bytes(v->a, bytes);
	return e;
}

static mst_err
number_or_file(const struct suit_values *v, const struct suit_word *w, mst_span text, uint64_t *n)
{
	mst_span rest, bytes;
	int64_t t;
	mst_err e;

	if (w->number == 14 && value_prefix(text, "file:", &rest)) { /* image-size */
		if ((e = read_file(v, rest, &bytes)) == MST_OK)
			*n = bytes.len;
		return e;
	}
	if (w->number == 4 && mst_time_parse(text, &t) == MST_OK && t >= 0) { /* use-before */
		*n = (uint64_t)t;
		return MST_OK;
	}
	return value_uint(text, n);
}

mst_err
value_parameter(
    const struct suit_values *v, const struct suit_word *w, mst_span text, mst_span *item)
{
	mst_span bytes = MST_NONE;
	int64_t i = 0, alg = 0;
	uint64_t n = 0;
	int index;
	mst_err e = MST_OK;

	if (w->value == SUIT_VALUE_UINT) {
		e = number_or_file(v, w, text, &n);
		*item = cb_one_uint(v->a, n);
	} else if (w->value == SUIT_VALUE_INT) {
		e = value_int(text, &i);
		*item = cb_one_int(v->a, i);
	} else if (w->value == SUIT_VALUE_BOOL) {
		if (!mst_span_eq(text, MST_LIT("true")) && !mst_span_eq(text, MST_LIT("false")))
			return bad(text, "true or false");
		*item = text.len == 4 ? MST_LIT("\xf5") : MST_LIT("\xf4");
	} else if (w->value == SUIT_VALUE_TEXT) {
		*item = cb_one_text(v->a, text);
		if (item->ptr == NULL)
			return bad(text, "UTF-8");
	} else if (w->value == SUIT_VALUE_BYTES) {
		e = value_bytes(v, text, VALUE_PREFIXED, &bytes);
		*item = cb_one_bytes(v->a, bytes);
	} else if (w->value == SUIT_VALUE_UUID) {
		if (w->number != 1 && value_prefix(text, "pen:", &bytes))
			return bad(text, "a UUID; a number of an enterprise is a vendor's only");
		e = value_uuid(v, text, item);
	} else if (w->value == SUIT_VALUE_DIGEST) {
		if ((e = value_digest(v, text, &alg, &bytes)) == MST_OK) {
			struct cb b;

			cb_init(&b, v->a);
			cb_array(&b, 2);
			cb_int(&b, alg);
			cb_bytes(&b, bytes);
			*item = cb_one_bytes(v->a, cb_end(&b, &e));
		}
	} else if (w->value == SUIT_VALUE_COMPONENT) {
		if ((index = v->component(v->ctx, text)) < 0)
			return MST_E_FW_REFERENCE;
		*item = cb_one_uint(v->a, (uint64_t)index);
	} else {
		e = wrapped(v, w, text, item);
	}
	return e == MST_OK && item->ptr == NULL ? MST_E_NOMEM : e;
}

mst_err
value_custom(const struct suit_values *v, mst_span text, mst_span *item)
{
	mst_span rest, bytes;
	int64_t n;
	mst_err e = MST_OK;

	if (value_prefix(text, "int:", &rest)) {
		if ((e = value_int(rest, &n)) == MST_OK)
			*item = cb_one_int(v->a, n);
	} else if (value_prefix(text, "bool:", &rest) &&
	           (mst_span_eq(rest, MST_LIT("true")) || mst_span_eq(rest, MST_LIT("false")))) {
		*item = rest.len == 4 ? MST_LIT("\xf5") : MST_LIT("\xf4");
	} else if (value_prefix(text, "text:", &rest)) {
		*item = cb_one_text(v->a, rest);
	} else if (mst_span_eq(text, MST_LIT("nothing"))) {
		*item = MST_LIT("\xf6");
	} else if (is_cbor(text)) {
		if ((e = value_bytes(v, text, VALUE_PREFIXED, &bytes)) == MST_OK)
			*item = cb_one_bytes(v->a, bytes);
	} else {
		e = bad(text, "int:, bool:, text:, hex:, file: or nothing");
	}
	return e == MST_OK && item->ptr == NULL ? MST_E_NOMEM : e;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit_text.h"

#include <stdio.h>
#include <string.h>

#include "host/cbor_diag.h"
#include "host/suit_cbor.h"

static const char *
or_nothing(const char *s)
{
	return s != NULL ? s : "";
}

const char *
suit_text_hex(struct arena *a, mst_span bytes)
{
	static const char digits[] = "0123456789abcdef";
	struct mst_buf b = arena_buf(a, bytes.len * 2 + 1);

	if (b.cap == 0)
		return "";
	for (size_t i = 0; i < bytes.len; i++) {
		b.ptr[b.len++] = (uint8_t)digits[bytes.ptr[i] >> 4];
		b.ptr[b.len++] = (uint8_t)digits[bytes.ptr[i] & 15];
	}
	return or_nothing(arena_str(a, mst_buf_span(&b)));
}

static const char *
diag(struct arena *a, mst_span item)
{
	const char *text = "";

	if (cbor_diag(a, item, CBOR_DIAG_ONE_LINE, &text) != MST_OK)
		return suit_text_hex(a, item);
	return text;
}

/* Printable text without what a list or a word would be broken by. */
static bool
is_word(mst_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || strchr("/'\"=:", s.ptr[i]) != NULL)
			return false;
	return s.len > 0;
}

static const char *
bytes_text(struct arena *a, mst_span s)
{
	if (is_word(s))
		return or_nothing(arena_printf(a, "text:%.*s", (int)s.len, (const char *)s.ptr));
	return or_nothing(arena_printf(a, "hex:%s", suit_text_hex(a, s)));
}

const char *
suit_text_id(struct arena *a, mst_span id)
{
	struct mst_cbor_reader r;
	const char *out = "";
	bool first = true;

	mst_cbor_init(&r, id);
	mst_cbor_array(&r);
	while (mst_cbor_more(&r)) {
		mst_span s = mst_cbor_bytes(&r);
		const char *one;

		if (r.err != MST_OK)
			break;
		one = is_word(s) ? arena_str(a, s) : bytes_text(a, s);
		out = or_nothing(arena_printf(a, "%s%s%s", out, first ? "" : "/", or_nothing(one)));
		first = false;
	}
	if (mst_cbor_end(&r) != MST_OK)
		return diag(a, id);
	return first ? "(empty)" : out;
}

static const char *
word_or_number(struct arena *a, enum suit_list list, int64_t number)
{
	const struct suit_word *w = suit_word(list, number);

	if (w != NULL)
		return w->name;
	return or_nothing(arena_printf(a, "%lld", (long long)number));
}

const char *
suit_text_digest(struct arena *a, mst_span digest)
{
	struct mst_cbor_reader r;
	int64_t alg;
	mst_span bytes;

	mst_cbor_init(&r, digest);
	mst_cbor_array(&r);
	alg = mst_cbor_int(&r);
	bytes = mst_cbor_bytes(&r);
	mst_cbor_leave(&r);
	if (mst_cbor_end(&r) != MST_OK)
		return diag(a, digest);
	return or_nothing(arena_printf(
	    a, "%s:%s", word_or_number(a, SUIT_LIST_DIGEST, alg), suit_text_hex(a, bytes)));
}

/* alg (1) and kid (4) of a header map. */
static void
header(mst_span map, int64_t *alg, mst_span *kid)
{
	struct mst_cbor_reader r;
	int64_t key;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		if (mst_cbor_peek(&r) == MST_CBOR_TEXT) {
			mst_cbor_skip(&r);
			mst_cbor_skip(&r);
			continue;
		}
		key = mst_cbor_int(&r);
		if (key == 1 &&
		    (mst_cbor_peek(&r) == MST_CBOR_UINT || mst_cbor_peek(&r) == MST_CBOR_NINT))
			*alg = mst_cbor_int(&r);
		else if (key == 4 && mst_cbor_peek(&r) == MST_CBOR_BYTES)
			*kid = mst_cbor_bytes(&r);
		else
			mst_cbor_skip(&r);
	}
}

/* " a128kw kid-1" of [protected, unprotected, ...]; *alg 0 when there is none. */
static const char *
layer_text(struct arena *a, mst_span protected_header, mst_span unprotected)
{
	int64_t alg = 0;
	mst_span kid = MST_NONE;

	header(unprotected, &alg, &kid);
	header(protected_header, &alg, &kid);
	return or_nothing(arena_printf(a, "%s%s%s",
	    alg != 0 ? word_or_number(a, SUIT_LIST_ALGORITHM, alg) : "(no algorithm)",
	    kid.ptr != NULL ? " kid " : "", kid.ptr != NULL ? bytes_text(a, kid) : ""));
}

/* The members of an array of COSE that lists recipients or signatures. */
static const char *
list_text(struct arena *a, struct mst_cbor_reader *r)
{
	const char *out = "";
	size_t n = 0;

	mst_cbor_array(r);
	for (; mst_cbor_more(r) && n < 64; n++) {
		struct mst_cbor_reader one;
		mst_span raw = mst_cbor_raw(r), p, u;

		mst_cbor_init(&one, raw);
		mst_cbor_array(&one);
		p = mst_cbor_bytes(&one);
		u = mst_cbor_raw(&one);
		out = or_nothing(
		    arena_printf(a, "%s%s%s", out, n > 0 ? ", " : "", layer_text(a, p, u)));
	}
	return or_nothing(arena_printf(a, "%zu: %s", n, out));
}

const char *
suit_text_encryption(struct arena *a, mst_span info)
{
	struct mst_cbor_reader r;
	const char *what, *whom;
	mst_span p, u;
	uint64_t tag = 96;

	mst_cbor_init(&r, info);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		tag = mst_cbor_tag(&r);
	mst_cbor_array(&r);
	p = mst_cbor_bytes(&r);
	u = mst_cbor_raw(&r);
	what = layer_text(a, p, u);
	mst_cbor_skip(&r);
	whom = list_text(a, &r);
	mst_cbor_leave(&r);
	if (tag != 96 || mst_cbor_end(&r) != MST_OK)
		return diag(a, info);
	return or_nothing(arena_printf(a, "%s for %s", what, whom));
}

const char *
suit_text_block(struct arena *a, mst_span block)
{
	struct mst_cbor_reader r;
	const char *name, *what;
	mst_span p, u;
	uint64_t tag = 0;

	mst_cbor_init(&r, block);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		tag = mst_cbor_tag(&r);
	name = tag == 18   ? "COSE_Sign1"
	       : tag == 98 ? "COSE_Sign"
	       : tag == 17 ? "COSE_Mac0"
	       : tag == 97 ? "COSE_Mac"
	                   : NULL;
	mst_cbor_array(&r);
	p = mst_cbor_bytes(&r);
	u = mst_cbor_raw(&r);
	if (name == NULL || r.err != MST_OK)
		return diag(a, block);
	what = layer_text(a, p, u);
	if (tag == 98) {
		mst_cbor_skip(&r);
		return or_nothing(arena_printf(a, "%s by %s", name, list_text(a, &r)));
	}
	return or_nothing(arena_printf(a, "%s %s", name, what));
}

static const char *
uuid_text(struct arena *a, mst_span b)
{
	const char *h = suit_text_hex(a, b);

	if (b.len != 16)
		return or_nothing(arena_printf(a, "hex:%s", h));
	return or_nothing(
	    arena_printf(a, "uuid:%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20));
}

static const char *
versions_text(struct arena *a, struct mst_cbor_reader *r)
{
	const char *out = "";
	bool first = true, pre = false;

	mst_cbor_array(r);
	while (mst_cbor_more(r)) {
		int64_t n = mst_cbor_int(r);

		if (r->err != MST_OK)
			break;
		if (n >= 0 || n < -3)
			out = arena_printf(a, "%s%s%lld", out, first ? "" : ".", (long long)n);
		else
			out = arena_printf(a, "%s%s%s", out, pre ? "." : "-",
			    n == -1   ? "rc"
			    : n == -2 ? "beta"
			              : "alpha");
		out = or_nothing(out);
		pre = pre || n < 0;
		first = false;
	}
	return out;
}

static const char *
match_text(struct arena *a, mst_span bytes)
{
	static const char *const compare[] = { "", ">", ">=", "=", "<=", "<" };
	struct mst_cbor_reader r;
	const char *version;
	uint64_t n;

	mst_cbor_init(&r, bytes);
	mst_cbor_array(&r);
	n = mst_cbor_uint(&r);
	version = versions_text(a, &r);
	mst_cbor_leave(&r);
	if (mst_cbor_end(&r) != MST_OK || n < 1 || n > 5)
		return diag(a, bytes);
	return or_nothing(arena_printf(a, "%s%s", compare[n], version));
}

static const char *
wait_text(struct arena *a, mst_span bytes)
{
	struct mst_cbor_reader r;
	const char *out = "";
	int64_t key;

	mst_cbor_init(&r, bytes);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		mst_span value = mst_cbor_raw(&r);

		if (r.err == MST_OK)
			out =
			    or_nothing(arena_printf(a, "%s%s%s:%s", out, out[0] != '\0' ? "," : "",
			        word_or_number(a, SUIT_LIST_WAIT, key), diag(a, value)));
	}
	return mst_cbor_end(&r) == MST_OK ? out : diag(a, bytes);
}

const char *
suit_text_value(struct arena *a, int64_t key, mst_span item)
{
	const struct suit_word *w = suit_word(SUIT_LIST_PARAMETER, key);
	struct mst_cbor_reader r;
	mst_span s;

	mst_cbor_init(&r, item);
	if (w == NULL)
		return diag(a, item);
	if (mst_cbor_peek(&r) == MST_CBOR_TEXT) {
		s = mst_cbor_text(&r);
		if (is_word(s) || (s.len > 0 && memchr(s.ptr, ' ', s.len) == NULL))
			return or_nothing(arena_str(a, s));
		return diag(a, item);
	}
	if (mst_cbor_peek(&r) != MST_CBOR_BYTES)
		return diag(a, item);
	s = mst_cbor_bytes(&r);
	if (w->value == SUIT_VALUE_UUID)
		return uuid_text(a, s);
	if (w->value == SUIT_VALUE_DIGEST)
		return suit_text_digest(a, s);
	if (w->value == SUIT_VALUE_ENCRYPTION)
		return suit_text_encryption(a, s);
	if (w->value == SUIT_VALUE_VERSION)
		return match_text(a, s);
	if (w->value == SUIT_VALUE_WAIT)
		return wait_text(a, s);
	if (w->value == SUIT_VALUE_METADATA)
		return diag(a, s);
	return bytes_text(a, s);
}

const char *
suit_text_parameter(struct arena *a, int64_t key)
{
	return word_or_number(a, SUIT_LIST_PARAMETER, key);
}

const char *
suit_text_command(struct arena *a, int64_t code)
{
	return word_or_number(a, SUIT_LIST_COMMAND, code);
}

const char *
suit_text_section(struct arena *a, int64_t key)
{
	if (key == 3)
		return "shared";
	return word_or_number(a, SUIT_LIST_MANIFEST, key);
}

static const char *
parameters_text(struct arena *a, struct mst_cbor_reader *r)
{
	const char *out = "";
	int64_t key;

	mst_cbor_map(r);
	while (mst_cbor_key(r, &key)) {
		mst_span value = mst_cbor_raw(r);

		if (r->err == MST_OK)
			out =
			    or_nothing(arena_printf(a, "%s%s%s=%s", out, out[0] != '\0' ? " " : "",
			        suit_text_parameter(a, key), suit_text_value(a, key, value)));
	}
	return out;
}

static const char *
by_component_text(struct arena *a, int64_t code, struct mst_cbor_reader *r)
{
	const char *out = "";
	int64_t index;

	mst_cbor_map(r);
	while (mst_cbor_key(r, &index)) {
		const char *one = "";

		if (code == 34) {
			one = parameters_text(a, r);
		} else {
			mst_cbor_array(r);
			while (mst_cbor_more(r)) {
				int64_t key = mst_cbor_int(r);

				if (r->err != MST_OK)
					break;
				one = or_nothing(arena_printf(a, "%s%s%s", one,
				    one[0] != '\0' ? " " : "", suit_text_parameter(a, key)));
			}
		}
		if (r->err == MST_OK)
			out = or_nothing(arena_printf(a, "%s%s%lld %s", out,
			    out[0] != '\0' ? " -- " : "", (long long)index, one));
	}
	return out;
}

static const char *
nested_text(struct arena *a, int64_t code, mst_span item)
{
	struct mst_cbor_reader r;
	size_t n = 0;
	bool may = false;

	if (code == 32)
		return "";
	mst_cbor_init(&r, item);
	mst_cbor_array(&r);
	while (mst_cbor_more(&r)) {
		may = mst_cbor_peek(&r) == MST_CBOR_NULL;
		n += !may;
		mst_cbor_skip(&r);
	}
	return or_nothing(arena_printf(a, "%zu alternatives%s", n, may ? ", or nothing" : ""));
}

const char *
suit_text_argument(struct arena *a, int64_t code, mst_span item)
{
	const struct suit_word *w = suit_word(SUIT_LIST_COMMAND, code);
	struct mst_cbor_reader r;
	const char *out = "";

	mst_cbor_init(&r, item);
	if (w == NULL)
		return diag(a, item);
	if (w->value == SUIT_VALUE_POLICY)
		return or_nothing(arena_printf(a, "policy=%s", diag(a, item)));
	if (w->value == SUIT_VALUE_TRY || w->value == SUIT_VALUE_SEQUENCE)
		return nested_text(a, code, item);
	if (w->value == SUIT_VALUE_INDEX && mst_span_eq(item, MST_LIT("\xf5")))
		return "all";
	if (w->value == SUIT_VALUE_PARAMETERS)
		out = parameters_text(a, &r);
	else if (w->value == SUIT_VALUE_MULTIPLE || w->value == SUIT_VALUE_COPY_PARAMS)
		out = by_component_text(a, code, &r);
	else
		return diag(a, item);
	return mst_cbor_end(&r) == MST_OK ? out : diag(a, item);
}

/* --- sequences --- */

bool
suit_commands_begin(struct suit_commands *w, mst_span sequence)
{
	unsigned major;
	uint64_t n;
	size_t size;

	*w = (struct suit_commands){ .sequence = sequence };
	if (!cbs_head(sequence, 0, &major, &n, &size) || major != 4 || n % 2 != 0)
		return false;
	w->at = size;
	w->left = n / 2;
	return true;
}

bool
suit_commands_next(struct suit_commands *w, struct suit_one *out)
{
	struct mst_cbor_reader r;

	if (w->left == 0)
		return false;
	mst_cbor_init(&r, mst_span_of(w->sequence.ptr + w->at, w->sequence.len - w->at));
	out->offset = w->at;
	out->code = mst_cbor_int(&r);
	out->item = mst_cbor_raw(&r);
	if (r.err != MST_OK)
		return false;
	w->at += r.at;
	w->left--;
	return true;
}

mst_span
suit_commands_inner(const struct suit_one *one, size_t n)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, one->item);
	if (one->code == 32)
		return n == 0 && mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r)
		                                                     : MST_NONE;
	if (one->code != 15 || mst_cbor_peek(&r) != MST_CBOR_ARRAY)
		return MST_NONE;
	mst_cbor_array(&r);
	for (size_t i = 0; mst_cbor_more(&r); i++) {
		if (i == n)
			return mst_cbor_peek(&r) == MST_CBOR_BYTES ? mst_cbor_bytes(&r) : MST_NONE;
		mst_cbor_skip(&r);
	}
	return MST_NONE;
}

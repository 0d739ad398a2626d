/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6690: the reader, the filter of 4.1, and what a target URI says. */
#include "muster/linkformat.h"

/* ---- characters ---- */

static bool
is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_in(uint8_t c, const char *set)
{
	for (; *set != '\0'; set++)
		if ((uint8_t)*set == c)
			return true;
	return false;
}

/* RFC 5987 3.2.1: attr-char, of which parmname is made. */
static bool
is_name(uint8_t c)
{
	return is_alnum(c) || is_in(c, "!#$&+-.^_`|~");
}

/* RFC 6690 2: ptokenchar. */
static bool
is_ptoken(uint8_t c)
{
	return is_alnum(c) || is_in(c, "!#$%&'()*+-./:<=>?@[]^_`{|}~");
}

/* What may stand between < and >. Percent-encodings are decoded there, so UTF-8 is allowed. */
static bool
is_uri(uint8_t c)
{
	return c > ' ' && c != 0x7f && c != '<' && c != '>' && c != '"';
}

/* RFC 2616 2.2: TEXT without line breaks, which the format has removed. */
static bool
is_text(uint8_t c)
{
	return (c >= ' ' && c != 0x7f) || c == '\t';
}

static mst_span
part(mst_span s, size_t from, size_t to)
{
	return mst_span_of(s.ptr + from, to - from);
}

/* ---- one parameter ---- */

struct param {
	mst_span name;
	struct mst_link_value value;
};

/* The closing quote of the string that begins behind at; 0: there is none. */
static size_t
quoted_end(mst_span in, size_t at)
{
	for (; at < in.len; at++) {
		if (in.ptr[at] == '"')
			return at;
		if (in.ptr[at] == '\\' && ++at == in.len)
			return 0;
		if (!is_text(in.ptr[at]))
			return 0;
	}
	return 0;
}

/* ";name", ";name=token", ";name="text"" at *at, which moves behind it. */
static bool
param_read(mst_span in, size_t *at, struct param *out)
{
	size_t i = *at + 1, from = i, end;

	out->value = (struct mst_link_value){ mst_span_of("", 0), false };
	while (i < in.len && is_name(in.ptr[i]))
		i++;
	if (i == from)
		return false;
	if (i < in.len && in.ptr[i] == '*') /* ext-name-star */
		i++;
	out->name = part(in, from, i);
	if (i < in.len && in.ptr[i] == '=') {
		from = ++i;
		if (i < in.len && in.ptr[i] == '"') {
			if ((end = quoted_end(in, ++i)) == 0)
				return false;
			out->value = (struct mst_link_value){ part(in, i, end), true };
			i = end + 1;
		} else {
			while (i < in.len && is_ptoken(in.ptr[i]))
				i++;
			out->value.raw = part(in, from, i);
		}
	}
	*at = i;
	return i == in.len || in.ptr[i] == ';' || in.ptr[i] == ',';
}

/* ---- links ---- */

void
mst_link_init(struct mst_link_reader *r, mst_span in)
{
	*r = (struct mst_link_reader){ .in = in, .err = MST_OK };
}

/* RFC 6690 3.1 to 3.3: not more than once; of brski-jp two would be two answers. */
static bool
once_only(mst_span name, unsigned *seen)
{
	static const mst_span names[] = { { (const uint8_t *)"rt", 2 },
		{ (const uint8_t *)"if", 2 }, { (const uint8_t *)"sz", 2 },
		{ (const uint8_t *)MST_LINK_JP, sizeof MST_LINK_JP - 1 } };

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!mst_span_eq(name, names[i]))
			continue;
		if ((*seen & 1u << i) != 0)
			return false;
		*seen |= 1u << i;
	}
	return true;
}

static bool
link_read(struct mst_link_reader *r, struct mst_link *out)
{
	mst_span in = r->in;
	size_t i = r->at, from;
	struct param p;
	unsigned seen = 0;

	if (in.ptr[i] != '<')
		return false;
	from = ++i;
	while (i < in.len && is_uri(in.ptr[i]))
		i++;
	if (i == in.len || in.ptr[i] != '>')
		return false;
	out->target = part(in, from, i);
	from = ++i;
	while (i < in.len && in.ptr[i] == ';')
		if (!param_read(in, &i, &p) || !once_only(p.name, &seen))
			return false;
	out->params = part(in, from, i);
	r->more = i < in.len && in.ptr[i] == ',';
	r->at = r->more ? i + 1 : i;
	return r->more || i == in.len;
}

bool
mst_link_next(struct mst_link_reader *r, struct mst_link *out)
{
	struct mst_link l;

	if (r->err != MST_OK || (r->at == r->in.len && !r->more))
		return false;
	if (r->at == r->in.len || !link_read(r, &l)) {
		r->err = MST_E_LINKFORMAT;
		return false;
	}
	*out = l;
	return true;
}

mst_err
mst_link_end(const struct mst_link_reader *r)
{
	if (r->err != MST_OK)
		return r->err;
	return r->at == r->in.len && !r->more ? MST_OK : MST_E_LINKFORMAT;
}

/* ---- attributes ---- */

bool
mst_link_attr(const struct mst_link *l, mst_span name, struct mst_link_value *out)
{
	struct param p;

	for (size_t i = 0; i < l->params.len;) {
		if (!param_read(l->params, &i, &p))
			return false;
		if (!mst_span_eq(p.name, name))
			continue;
		*out = p.value;
		return true;
	}
	return false;
}

/* The byte at *i with its escape undone; *i moves behind it. */
static uint8_t
value_byte(const struct mst_link_value *v, size_t *i)
{
	if (v->quoted && v->raw.ptr[*i] == '\\' && *i + 1 < v->raw.len)
		++*i;
	return v->raw.ptr[(*i)++];
}

bool
mst_link_value_is(const struct mst_link_value *v, mst_span text)
{
	size_t i = 0, t = 0;

	while (i < v->raw.len && t < text.len)
		if (value_byte(v, &i) != text.ptr[t++])
			return false;
	return i == v->raw.len && t == text.len;
}

static bool
digit_add(uint32_t *n, uint8_t c)
{
	if (c < '0' || c > '9' || *n > 65535)
		return false;
	*n = *n * 10 + (uint32_t)(c - '0');
	return true;
}

mst_err
mst_link_port(const struct mst_link *l, mst_span name, uint16_t *port)
{
	struct mst_link_value v;
	uint32_t n = 0;

	if (!mst_link_attr(l, name, &v))
		return MST_E_NOT_FOUND;
	for (size_t i = 0; i < v.raw.len;)
		if (!digit_add(&n, value_byte(&v, &i)))
			return MST_E_LINKFORMAT;
	if (n == 0 || n > 65535)
		return MST_E_LINKFORMAT;
	*port = (uint16_t)n;
	return MST_OK;
}

/* ---- the filter ---- */

/* The value, or the word of it that begins at *i, against what is asked for. */
static bool
word_matches(const struct mst_link_value *v, size_t *i, bool words, mst_span want, bool prefix)
{
	size_t t = 0;
	bool same = true;

	while (*i < v->raw.len) {
		uint8_t c = value_byte(v, i);

		if (words && c == ' ')
			break;
		if (t < want.len)
			same = same && c == want.ptr[t];
		else if (!prefix)
			same = false;
		t++;
	}
	return same && t >= want.len;
}

static bool
value_matches(const struct mst_link_value *v, bool words, mst_span want, bool prefix)
{
	size_t i = 0;

	do {
		if (word_matches(v, &i, words, want, prefix))
			return true;
	} while (i < v->raw.len);
	return false;
}

bool
mst_link_matches(const struct mst_link *l, mst_span query)
{
	struct mst_link_value v = { l->target, false };
	mst_span name, want;
	size_t eq = 0;
	bool prefix, words;

	if (query.len == 0)
		return true;
	while (eq < query.len && query.ptr[eq] != '=')
		eq++;
	if (eq == 0 || eq == query.len)
		return false;
	name = part(query, 0, eq);
	want = part(query, eq + 1, query.len);
	if ((prefix = want.len > 0 && want.ptr[want.len - 1] == '*'))
		want.len--;
	if (mst_span_eq(name, MST_LIT("href")))
		return value_matches(&v, false, want, prefix);
	/* RFC 6690 4.1: of relation types each value is an attribute of its own */
	words = mst_span_eq(name, MST_LIT("rt")) || mst_span_eq(name, MST_LIT("if")) ||
	        mst_span_eq(name, MST_LIT("rel")) || mst_span_eq(name, MST_LIT("rev"));
	return mst_link_attr(l, name, &v) && value_matches(&v, words, want, prefix);
}

/* ---- where a registrar is ---- */

static bool
scheme_read(mst_span uri, size_t *at, mst_span *scheme)
{
	size_t i = 0;

	while (i < uri.len && (is_alnum(uri.ptr[i]) || is_in(uri.ptr[i], "+-.")))
		i++;
	if (i == 0 || uri.len - i < 3 || uri.ptr[i] != ':' || uri.ptr[i + 1] != '/' ||
	    uri.ptr[i + 2] != '/')
		return false;
	*scheme = part(uri, 0, i);
	*at = i + 3;
	return true;
}

static bool
address_read(mst_span uri, size_t *at, struct mst_link_place *out)
{
	size_t i = *at;

	if ((out->v6 = i < uri.len && uri.ptr[i] == '['))
		i++;
	*at = i;
	while (
	    i < uri.len && is_in(uri.ptr[i], out->v6 ? "0123456789abcdefABCDEF:." : "0123456789."))
		i++;
	if (i == *at || i - *at > 45)
		return false;
	out->address = part(uri, *at, i);
	if (out->v6 && (i == uri.len || uri.ptr[i++] != ']'))
		return false;
	*at = i;
	return true;
}

mst_err
mst_link_place(mst_span uri, struct mst_link_place *out)
{
	struct mst_link_place p = { .port = 0 };
	uint32_t n = 0;
	size_t i;

	if (!scheme_read(uri, &i, &p.scheme) || !address_read(uri, &i, &p))
		return MST_E_LINKFORMAT;
	if (i < uri.len && uri.ptr[i] == ':') {
		for (i++; i < uri.len && uri.ptr[i] != '/'; i++)
			if (!digit_add(&n, uri.ptr[i]))
				return MST_E_LINKFORMAT;
		if (n == 0 || n > 65535)
			return MST_E_LINKFORMAT;
		p.port = (uint16_t)n;
	}
	if (i < uri.len && uri.ptr[i] != '/')
		return MST_E_LINKFORMAT;
	p.path = part(uri, i, uri.len);
	*out = p;
	return MST_OK;
}

/* ---- writing ---- */

void
mst_link_put_init(struct mst_link_writer *w, struct mst_buf *out)
{
	*w = (struct mst_link_writer){ .out = out, .err = MST_OK };
}

static void
put(struct mst_link_writer *w, mst_span bytes)
{
	if (w->err == MST_OK)
		w->err = mst_buf_put(w->out, bytes);
}

/* Every byte is allowed, or the writer latches. */
static bool
all(struct mst_link_writer *w, mst_span s, bool (*is)(uint8_t c))
{
	for (size_t i = 0; i < s.len; i++) {
		if (is(s.ptr[i]))
			continue;
		if (w != NULL && w->err == MST_OK)
			w->err = MST_E_LINKFORMAT;
		return false;
	}
	return true;
}

void
mst_link_put(struct mst_link_writer *w, mst_span target)
{
	if (!all(w, target, is_uri))
		return;
	put(w, w->any ? MST_LIT(",<") : MST_LIT("<"));
	put(w, target);
	put(w, MST_LIT(">"));
	w->any = true;
}

static void
put_name(struct mst_link_writer *w, mst_span name)
{
	if (w->err == MST_OK && (!w->any || name.len == 0))
		w->err = MST_E_LINKFORMAT;
	if (!all(w, name, is_name))
		return;
	put(w, MST_LIT(";"));
	put(w, name);
	put(w, MST_LIT("="));
}

void
mst_link_put_attr(struct mst_link_writer *w, mst_span name, mst_span value)
{
	put_name(w, name);
	if (value.len > 0 && all(NULL, value, is_ptoken)) {
		put(w, value);
		return;
	}
	if (!all(w, value, is_text))
		return;
	put(w, MST_LIT("\""));
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '"' || value.ptr[i] == '\\')
			put(w, MST_LIT("\\"));
		put(w, part(value, i, i + 1));
	}
	put(w, MST_LIT("\""));
}

void
mst_link_put_number(struct mst_link_writer *w, mst_span name, uint32_t value)
{
	uint8_t digits[10];
	size_t i = sizeof digits;

	do {
		digits[--i] = (uint8_t)('0' + value % 10);
	} while ((value /= 10) != 0);
	put_name(w, name);
	put(w, mst_span_of(digits + i, sizeof digits - i));
}

void
mst_link_put_copy(struct mst_link_writer *w, const struct mst_link *l)
{
	mst_link_put(w, l->target);
	put(w, l->params);
}

mst_err
mst_link_put_end(const struct mst_link_writer *w)
{
	return w->err;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suit/support_edn.h"
#include "suit/support_keys.h"

/* Where a reader of text is: a chain of words within words. */
struct place {
	const struct edn_scope *scope;
	const char *at, *all;
	unsigned depth;
	const char *prefix; /* within sub(): words begin with it and a dot */
	/* the word this text is of, and the scope it was found in */
	const char *word;
	const struct edn_scope *found;
	size_t index;
};

#define DEPTH 60

static void items(struct place *p, const char *close, struct edn_bytes *out);
static int item(struct place *p, struct edn_bytes *out);

static _Noreturn void
stop(const struct place *p, const char *why)
{
	fprintf(stderr, "support_edn: %s at: %.60s\nof: %s\n", why, p->at, p->all);
	abort();
}

void
edn_append(struct edn_bytes *b, const void *bytes, size_t len)
{
	if (len > b->cap - b->len) {
		b->cap = 2 * b->cap + len + 64;
		b->ptr = realloc(b->ptr, b->cap);
		if (b->ptr == NULL)
			abort();
	}
	if (len > 0)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
}

void
edn_free(struct edn_bytes *b)
{
	free(b->ptr);
	memset(b, 0, sizeof *b);
}

static void
put_head(struct edn_bytes *out, unsigned major, uint64_t v, int longer)
{
	uint8_t head[9];
	unsigned need = v < 24 ? 0 : v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffffff ? 4 : 8;
	unsigned bytes = longer < 0 ? need : 1u << longer;

	if (bytes < need)
		abort();
	head[0] = (uint8_t)(major << 5 | (bytes == 0      ? (unsigned)v
	                                     : bytes == 1 ? 24
	                                     : bytes == 2 ? 25
	                                     : bytes == 4 ? 26
	                                                  : 27));
	for (unsigned i = 0; i < bytes; i++)
		head[1 + i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	edn_append(out, head, 1 + bytes);
}

static void
skip_space(struct place *p)
{
	while (*p->at != '\0' && strchr(" \t\n,:", *p->at) != NULL)
		p->at++;
}

/* _0 to _3: the head in a longer form; -2 for a bare _ (indefinite). */
static int
longer(struct place *p)
{
	if (*p->at != '_')
		return -1;
	p->at++;
	if (*p->at >= '0' && *p->at <= '3')
		return *p->at++ - '0';
	return -2;
}

static int
take(struct place *p, const char *word)
{
	skip_space(p);
	if (strncmp(p->at, word, strlen(word)) != 0)
		return 0;
	p->at += strlen(word);
	return 1;
}

/* A quoted string: hex or as it stands. */
static struct edn_bytes
quoted(struct place *p, int hex)
{
	struct edn_bytes b = { 0 };
	int high = -1;

	edn_append(&b, "", 0);
	for (p->at++; *p->at != '\''; p->at++) {
		if (*p->at == '\0')
			stop(p, "no end of a string");
		if (!hex) {
			edn_append(&b, p->at, 1);
		} else if (isxdigit((unsigned char)*p->at)) {
			int digit = isdigit((unsigned char)*p->at)
			                ? *p->at - '0'
			                : tolower((unsigned char)*p->at) - 'a' + 10;
			uint8_t byte = (uint8_t)(high < 0 ? 0 : high << 4 | digit);

			if (high >= 0)
				edn_append(&b, &byte, 1);
			high = high >= 0 ? -1 : digit;
		}
	}
	p->at++;
	return b;
}

static void
put_string(struct place *p, struct edn_bytes *out, unsigned major, struct edn_bytes b)
{
	int form = longer(p);

	if (form == -2) { /* one chunk of a string of indefinite length */
		edn_append(out, major == 2 ? "\x5f" : "\x7f", 1);
		put_head(out, major, b.len, -1);
		edn_append(out, b.ptr, b.len);
		edn_append(out, "\xff", 1);
	} else {
		put_head(out, major, b.len, form);
		edn_append(out, b.ptr, b.len);
	}
	edn_free(&b);
}

/* [ { <<, already taken */
static void
put_container(struct place *p, struct edn_bytes *out, unsigned major, const char *close)
{
	int form = longer(p);
	struct edn_bytes in = { 0 };

	items(p, close, &in);
	if (major == 5 && in.items % 2 != 0)
		stop(p, "a map with half a pair before");
	if (form == -2)
		edn_append(out, major == 2 ? "\x5f" : major == 4 ? "\x9f" : "\xbf", 1);
	if (form != -2 || major == 2)
		put_head(out, major,
		    major == 2   ? in.len
		    : major == 4 ? in.items
		                 : in.items / 2,
		    form == -2 ? -1 : form);
	edn_append(out, in.ptr, in.len);
	if (form == -2)
		edn_append(out, "\xff", 1);
	edn_free(&in);
}

/* The next item must be a number or a string: its value. */
static int64_t
number(struct place *p)
{
	struct edn_bytes b = { 0 };
	uint64_t v = 0;
	unsigned more;
	int negative;

	if (item(p, &b) == 0 || b.len == 0 || b.ptr[0] >> 5 > 1)
		stop(p, "a number should be before");
	negative = b.ptr[0] >> 5 == 1;
	more = b.ptr[0] & 31;
	if (more < 24)
		v = more;
	else
		for (size_t i = 1; i < b.len; i++)
			v = v << 8 | b.ptr[i];
	edn_free(&b);
	return negative ? -1 - (int64_t)v : (int64_t)v;
}

/* The content of one encoded string of definite length. */
static struct edn_bytes
content_of(struct place *p, const struct edn_bytes *b, unsigned *major)
{
	struct edn_bytes in = { 0 };
	size_t head = 1;

	if (b->len == 0 || (b->ptr[0] >> 5 != 2 && b->ptr[0] >> 5 != 3))
		stop(p, "a string should be before");
	*major = b->ptr[0] >> 5;
	switch (b->ptr[0] & 31) {
	case 24: head = 2; break;
	case 25: head = 3; break;
	case 26: head = 5; break;
	case 27: head = 9; break;
	}
	edn_append(&in, b->ptr + head, b->len - head);
	return in;
}

static struct edn_bytes
string(struct place *p, unsigned *major)
{
	struct edn_bytes b = { 0 }, in;

	if (item(p, &b) == 0)
		stop(p, "a string is missing");
	in = content_of(p, &b, major);
	edn_free(&b);
	return in;
}

static void
word(struct place *p, char *name, size_t size)
{
	size_t n = 0;

	while (
	    *p->at != '\0' && (isalnum((unsigned char)*p->at) || strchr("_.-", *p->at) != NULL)) {
		if (n + 1 == size)
			stop(p, "too long a word");
		name[n++] = *p->at++;
	}
	name[n] = '\0';
}

/* The text of a word in the scopes from s on, in s before index; NULL when it has none. */
static const char *
lookup(const char *name, const struct edn_scope *s, size_t before, struct place *in)
{
	for (; s != NULL; s = s->outer, before = SIZE_MAX) {
		size_t n = 0;

		while (n < s->count && s->words[n].name != NULL)
			n++;
		for (size_t i = n < before ? n : before; i-- > 0;)
			if (strcmp(s->words[i].name, name) == 0) {
				in->word = s->words[i].name;
				in->found = s;
				in->index = i;
				return s->words[i].text;
			}
	}
	return NULL;
}

/* $name or $^name: its text stands here. */
static void
variable(struct place *p, struct edn_bytes *out)
{
	int outer = *p->at == '^';
	char name[40], full[60];
	const struct edn_scope *s = p->scope;
	size_t before = SIZE_MAX;
	struct place in = { .scope = p->scope, .prefix = p->prefix, .depth = p->depth + 1 };

	p->at += outer;
	word(p, name, sizeof name);
	if (p->depth >= DEPTH)
		stop(p, "words within words without end");
	snprintf(full, sizeof full, "%s%s%s", p->prefix != NULL ? p->prefix : "",
	    p->prefix != NULL ? "." : "", name);
	if (outer) {
		if (p->word == NULL || (strcmp(p->word, name) != 0 && strcmp(p->word, full) != 0))
			stop(p, "$^ of another word");
		s = p->found;
		before = p->index;
	}
	in.all = lookup(full, s, before, &in);
	if (in.all == NULL && p->prefix != NULL) { /* what is of all envelopes */
		for (s = p->scope; s->outer != NULL; s = s->outer)
			;
		in.all = lookup(name, s, SIZE_MAX, &in);
	}
	if (in.all == NULL) {
		fprintf(stderr, "no word %s\n", full);
		stop(p, "an unknown word before");
	}
	in.at = in.all;
	items(&in, NULL, out);
}

static void
closing(struct place *p)
{
	if (!take(p, ")"))
		stop(p, ") should be here");
}

/* Functions of one string, or of the encoding of items; the ( is taken. */
static void
function(struct place *p, const char *name, struct edn_bytes *out)
{
	struct edn_bytes a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	unsigned major = 2;
	int64_t n;

	out->items++;
	if (strcmp(name, "raw") == 0) {
		a = string(p, &major);
		closing(p);
		edn_append(out, a.ptr, a.len);
	} else if (strcmp(name, "bytes") == 0 || strcmp(name, "text") == 0) {
		uint8_t v;

		n = number(p);
		if (name[0] == 't') {
			a = string(p, &major);
			v = a.ptr[0];
		} else {
			v = (uint8_t)number(p);
		}
		closing(p);
		while (n-- > 0)
			edn_append(&b, &v, 1);
		put_head(out, name[0] == 't' ? 3 : 2, b.len, -1);
		edn_append(out, b.ptr, b.len);
	} else if (strcmp(name, "many") == 0) {
		n = number(p);
		items(p, ")", &a);
		out->items--;
		while (n-- > 0) {
			edn_append(out, a.ptr, a.len);
			out->items += a.items;
		}
	} else if (strcmp(name, "cut") == 0 || strcmp(name, "grow") == 0 ||
	           strcmp(name, "flip") == 0) {
		n = number(p);
		a = string(p, &major);
		closing(p);
		if (name[0] == 'c' && (size_t)n <= a.len)
			a.len -= (size_t)n;
		while (name[0] == 'g' && n-- > 0)
			edn_append(&a, "", 1);
		if (name[0] == 'f' && (size_t)n / 8 < a.len)
			a.ptr[n / 8] ^= (uint8_t)(1u << (n % 8));
		put_head(out, major, a.len, -1);
		edn_append(out, a.ptr, a.len);
	} else if (strcmp(name, "len") == 0) {
		items(p, ")", &a);
		put_head(out, 0, a.len, -1);
	} else if (strcmp(name, "sizeof") == 0) {
		a = string(p, &major);
		closing(p);
		put_head(out, 0, a.len, -1);
	} else if (strcmp(name, "hash") == 0) {
		uint8_t md[64];
		size_t len;

		n = number(p);
		items(p, ")", &a);
		len = keys_hash(n, a.ptr, a.len, md);
		put_head(out, 2, len, -1);
		edn_append(out, md, len);
	} else if (strcmp(name, "hashof") == 0) {
		uint8_t md[64];
		size_t len;

		n = number(p);
		a = string(p, &major);
		closing(p);
		len = keys_hash(n, a.ptr, a.len, md);
		put_head(out, 2, len, -1);
		edn_append(out, md, len);
	} else if (strcmp(name, "sub") == 0) {
		const char *was = p->prefix;
		char prefix[16];

		skip_space(p);
		word(p, prefix, sizeof prefix);
		p->prefix = prefix;
		items(p, ")", &a);
		p->prefix = was;
		edn_append(out, a.ptr, a.len);
		out->items += a.items - 1;
	} else if (strcmp(name, "sign") == 0) {
		a = string(p, &major);
		edn_append(&a, "", 1);
		items(p, ")", &b);
		keys_sign((const char *)a.ptr, b.ptr, b.len, &c);
		edn_free(&b);
		b = c;
		c = (struct edn_bytes){ 0 };
		put_head(out, 2, b.len, -1);
		edn_append(out, b.ptr, b.len);
	} else if (strcmp(name, "wrap") == 0 || strcmp(name, "ctr") == 0 ||
	           strcmp(name, "gcm") == 0 || strcmp(name, "chacha") == 0) {
		a = string(p, &major);
		b = string(p, &major);
		if (name[0] != 'w')
			c = string(p, &major);
		if (name[0] == 'g' || strcmp(name, "chacha") == 0)
			items(p, ")", &d);
		else
			closing(p);
		keys_cipher(name, &a, &b, &c, &d);
		put_head(out, 2, b.len, -1);
		edn_append(out, b.ptr, b.len);
	} else if (strcmp(name, "kek") == 0) {
		a = string(p, &major); /* salt */
		items(p, ")", &b); /* info */
		keys_kek(&a, &b, &c);
		put_head(out, 2, c.len, -1);
		edn_append(out, c.ptr, c.len);
	} else if (strcmp(name, "pub") == 0) {
		char key[40];

		skip_space(p);
		word(p, key, sizeof key);
		closing(p);
		keys_ephemeral(key, &a);
		edn_append(out, a.ptr, a.len);
	} else {
		fprintf(stderr, "no function %s\n", name);
		stop(p, "an unknown function before");
	}
	edn_free(&a);
	edn_free(&b);
	edn_free(&c);
	edn_free(&d);
}

static void
put_number(struct place *p, struct edn_bytes *out)
{
	int negative = *p->at == '-';
	char *end;
	uint64_t v;
	int form;

	v = strtoull(p->at + negative, &end, 0);
	if (end == p->at + negative)
		stop(p, "not understood");
	if (*end == '.') { /* a float of eight bytes */
		double f = strtod(p->at, &end);
		uint64_t bits;

		memcpy(&bits, &f, sizeof bits);
		p->at = end;
		edn_append(out, "\xfb", 1);
		for (int i = 56; i >= 0; i -= 8) {
			uint8_t byte = (uint8_t)(bits >> i);

			edn_append(out, &byte, 1);
		}
		return;
	}
	p->at = end;
	form = longer(p);
	if (*p->at == '(') {
		p->at++;
		put_head(out, 6, v, form);
		struct edn_bytes in = { 0 };

		items(p, ")", &in);
		if (in.items != 1)
			stop(p, "a tag of not one item before");
		edn_append(out, in.ptr, in.len);
		edn_free(&in);
		return;
	}
	put_head(out, negative ? 1 : 0, negative ? v - 1 : v, form);
}

/* One item (or, of many() and $word, several); 0 when none is left. */
static int
item(struct place *p, struct edn_bytes *out)
{
	char name[40];

	skip_space(p);
	if (*p->at == '\0')
		return 0;
	if (*p->at == '$') {
		p->at++;
		variable(p, out);
		return 1;
	}
	if (*p->at == '\'') {
		put_string(p, out, 3, quoted(p, 0));
	} else if (p->at[0] == 'h' && p->at[1] == '\'') {
		p->at++;
		put_string(p, out, 2, quoted(p, 1));
	} else if (p->at[0] == 'b' && p->at[1] == '\'') {
		p->at++;
		put_string(p, out, 2, quoted(p, 0));
	} else if (take(p, "<<")) {
		put_container(p, out, 2, ">>");
	} else if (take(p, "[")) {
		put_container(p, out, 4, "]");
	} else if (take(p, "{")) {
		put_container(p, out, 5, "}");
	} else if (isalpha((unsigned char)*p->at)) {
		word(p, name, sizeof name);
		if (*p->at == '(') {
			p->at++;
			function(p, name, out);
			return 1;
		}
		if (strcmp(name, "false") == 0)
			edn_append(out, "\xf4", 1);
		else if (strcmp(name, "true") == 0)
			edn_append(out, "\xf5", 1);
		else if (strcmp(name, "null") == 0)
			edn_append(out, "\xf6", 1);
		else if (strcmp(name, "undefined") == 0)
			edn_append(out, "\xf7", 1);
		else
			stop(p, "an unknown word before");
	} else {
		put_number(p, out);
	}
	out->items++;
	return 1;
}

static void
items(struct place *p, const char *close, struct edn_bytes *out)
{
	for (;;) {
		if (close != NULL && take(p, close))
			return;
		if (item(p, out) == 0) {
			if (close != NULL)
				stop(p, "no end");
			return;
		}
	}
}

struct edn_bytes
edn_encode(const struct edn_scope *scope, const char *text)
{
	struct edn_bytes out = { 0 };
	struct place p = { .scope = scope, .at = text, .all = text };

	items(&p, NULL, &out);
	return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_description.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/conf.h"
#include "host/suit_cbor.h"
#include "host/suit/suit_value.h"

#define WORDS_MAX 256
#define SEGMENTS_MAX 32
#define NAMED_MAX 128

/* What libconfuse hands us, with the line it stood in. */
struct said {
	int line;
	mst_span text;
};

struct named { /* a component, dependency or sequence */
	mst_span name;
	int index;
	struct suit_seq *seq;
};

struct desc {
	const struct suit_description *d;
	struct suit_author *m;
	struct suit_values values;
	struct named component[NAMED_MAX], sequence[NAMED_MAX];
	size_t components, sequences;
	int line; /* of what is being read */
	const char *words; /* MST_E_FW_REFERENCE */
};

/* libconfuse's callbacks have no argument of ours. */
static _Thread_local struct arena *keeping;

static int
keep(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct said *s = arena_alloc(keeping, sizeof *s);

	(void)opt;
	if (s == NULL) {
		cfg_error(cfg, "out of memory");
		return -1;
	}
	s->line = cfg->line;
	s->text = arena_dup(keeping, mst_span_str(value));
	if (s->text.ptr == NULL) {
		cfg_error(cfg, "out of memory");
		return -1;
	}
	*(void **)result = s;
	return 0;
}

#define ONE(name) CFG_PTR_CB(name, NULL, CFGF_NONE, keep, NULL)
#define LIST(name) CFG_PTR_LIST_CB(name, NULL, CFGF_NONE, keep, NULL)
#define TITLED CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES

static cfg_opt_t component_options[] = { LIST("id"), CFG_END() };
static cfg_opt_t dependency_options[] = { LIST("prefix"), ONE("index"), CFG_END() };
static cfg_opt_t sequence_options[] = { LIST("do"), CFG_END() };
static cfg_opt_t payload_options[] = { ONE("file"), CFG_END() };
static cfg_opt_t about_options[] = { ONE("vendor-name"), ONE("model-name"), ONE("vendor-domain"),
	ONE("model-info"), ONE("component-description"), ONE("component-version"),
	ONE("version-required"), ONE("current-version"), CFG_END() };
static cfg_opt_t text_options[] = { ONE("manifest-description"), ONE("update-description"),
	ONE("json-source"), ONE("yaml-source"), CFG_SEC("component", about_options, TITLED),
	CFG_END() };
static cfg_opt_t options[] = { ONE("sequence-number"), ONE("reference-uri"), ONE("digest"),
	LIST("manifest-component-id"), ONE("set-version"), ONE("coswid"),
	CFG_SEC("component", component_options, TITLED),
	CFG_SEC("dependency", dependency_options, TITLED),
	CFG_SEC("sequence", sequence_options, TITLED), CFG_SEC("payload", payload_options, TITLED),
	CFG_SEC("text", text_options, TITLED), LIST("shared"), LIST("validate"), LIST("load"),
	LIST("invoke"), LIST("dependency-resolution"), LIST("payload-fetch"),
	LIST("candidate-verification"), LIST("install"), LIST("uninstall"), LIST("sever"),
	CONF_LAST, CFG_END() };

/* --- refusals --- */

/* The words so far, behind file and line. */
static mst_err
at_line(struct desc *x, mst_err e)
{
	char words[400];

	if (e == MST_OK)
		return e;
	snprintf(words, sizeof words, "%s", suit_author_why());
	suit_author_say(
	    "%s:%d: %s", x->d->name, x->line, words[0] != '\0' ? words : mst_err_info(e)->sentence);
	return e;
}

static mst_err
bad(struct desc *x, mst_err e, const char *what, mst_span which)
{
	suit_author_say(
	    "%s \"%.*s\"", what, which.len > 80 ? 80 : (int)which.len, (const char *)which.ptr);
	return at_line(x, e);
}

/* --- what stands in an option --- */

static const struct said *
nth(cfg_t *cfg, const char *name, unsigned i)
{
	cfg_opt_t *o = cfg_getopt(cfg, name);

	return o != NULL && i < cfg_opt_size(o) ? cfg_opt_getnptr(o, i) : NULL;
}

static const struct said *
one(struct desc *x, cfg_t *cfg, const char *name)
{
	const struct said *s = nth(cfg, name, 0);

	if (s != NULL) {
		x->line = s->line;
		suit_author_say("%s", "");
	}
	return s;
}

/* A list of segments; a plain one is a text. */
static mst_err
segments(struct desc *x, cfg_t *cfg, const char *name, mst_span *out, size_t *count)
{
	const struct said *s;
	mst_err e = MST_OK;
	size_t n = 0;

	for (; e == MST_OK && (s = nth(cfg, name, (unsigned)n)) != NULL; n++) {
		x->line = s->line;
		if (n == SEGMENTS_MAX)
			return bad(x, MST_E_FW_VALUE, "more segments than there may be:", s->text);
		e = at_line(x, value_bytes(&x->values, s->text, VALUE_PLAIN, &out[n]));
	}
	*count = n;
	return e;
}

static int
find(const struct named *list, size_t count, mst_span name)
{
	for (size_t i = 0; i < count; i++)
		if (mst_span_eq(list[i].name, name))
			return (int)i;
	return -1;
}

/* By name, or by number. */
static int
component_index(void *ctx, mst_span name)
{
	struct desc *x = ctx;
	int i = find(x->component, x->components, name);
	uint64_t n;

	if (i >= 0)
		return x->component[i].index;
	if (value_uint(name, &n) == MST_OK)
		for (size_t k = 0; k < x->components; k++)
			if ((uint64_t)x->component[k].index == n)
				return (int)n;
	suit_author_say("there is no component \"%.*s\"", name.len > 80 ? 80 : (int)name.len,
	    (const char *)name.ptr);
	return -1;
}

static mst_err
read_through(void *ctx, struct arena *a, const char *path, mst_span *out)
{
	struct desc *x = ctx;

	return x->d->read(x->d->ctx, a, path, out);
}

/* --- commands --- */

/*
 * Words of a command: blanks part them; '...' and "..." keep blanks, and stand
 * for themselves wherever they begin in a word.
 */
static mst_err
split(struct desc *x, mst_span line, mst_span *words, size_t *count)
{
	struct mst_buf b = arena_buf(x->values.a, line.len + 1);
	size_t n = 0, start;

	if (b.cap == 0)
		return MST_E_NOMEM;
	for (size_t i = 0; i < line.len;) {
		if (strchr(" \t\r\n", line.ptr[i]) != NULL) {
			i++;
			continue;
		}
		start = b.len;
		while (i < line.len && strchr(" \t\r\n", line.ptr[i]) == NULL) {
			uint8_t quote = line.ptr[i];

			if (quote != '\'' && quote != '"') {
				b.ptr[b.len++] = line.ptr[i++];
				continue;
			}
			for (i++; i < line.len && line.ptr[i] != quote; i++)
				b.ptr[b.len++] = line.ptr[i];
			if (i == line.len)
				return bad(x, MST_E_FW_VALUE, "a quotation without its end:", line);
			i++;
		}
		if (n == WORDS_MAX)
			return bad(x, MST_E_FW_VALUE, "more words than a command may have:", line);
		words[n++] = mst_span_of(b.ptr + start, b.len - start);
	}
	*count = n;
	return n > 0 ? MST_OK : bad(x, MST_E_FW_VALUE, "there is no command in", line);
}

/* "uri=https://..." */
static mst_err
parameter(struct desc *x, struct suit_seq *s, mst_span word, uint64_t *seen)
{
	const uint8_t *equals = memchr(word.ptr, '=', word.len);
	const struct suit_word *w;
	mst_span name, value, item = MST_NONE;
	int64_t number;
	mst_err e;

	if (equals == NULL)
		return bad(x, MST_E_FW_VALUE, "this is no parameter=value:", word);
	name = mst_span_of(word.ptr, (size_t)(equals - word.ptr));
	value = mst_span_of(equals + 1, word.len - name.len - 1);
	w = suit_word_find(SUIT_LIST_PARAMETER, name);
	if (w != NULL) {
		if ((*seen & (uint64_t)1 << w->number) != 0)
			return bad(x, MST_E_FW_VALUE, "twice in one command:", name);
		*seen |= (uint64_t)1 << w->number;
		e = value_parameter(&x->values, w, value, &item);
		number = w->number;
	} else if (value_int(name, &number) == MST_OK && number < -256) {
		e = value_custom(&x->values, value, &item);
		if (e == MST_OK && item.ptr[0] == 0xf6) /* M 8.4.8.16: int, bool, tstr, bstr */
			return bad(x, MST_E_FW_VALUE, "not for a parameter:", value);
	} else {
		return bad(x, MST_E_FW_VALUE, "there is no parameter", name);
	}
	if (e != MST_OK)
		return at_line(x, e);
	suit_param_raw(s, number, item);
	return MST_OK;
}

static mst_err
parameters(struct desc *x, struct suit_seq *s, const mst_span *words, size_t count)
{
	uint64_t seen = 0;
	mst_err e = MST_OK;

	if (count == 0)
		return bad(
		    x, MST_E_FW_VALUE, "a command that sets parameters has none", MST_LIT(""));
	for (size_t i = 0; i < count && e == MST_OK; i++)
		e = parameter(x, s, words[i], &seen);
	return e;
}

static mst_err
set_index(struct desc *x, struct suit_seq *s, const mst_span *words, size_t count)
{
	unsigned index[WORDS_MAX];

	if (count == 1 && mst_span_eq(words[0], MST_LIT("all"))) {
		suit_put_index(s, NULL, 0);
		return MST_OK;
	}
	for (size_t i = 0; i < count; i++) {
		int k = component_index(x, words[i]);

		if (k < 0)
			return at_line(x, MST_E_FW_REFERENCE);
		index[i] = (unsigned)k;
	}
	if (count == 0)
		return bad(x, MST_E_FW_VALUE, "which component? give a name or all", MST_LIT(""));
	suit_put_index(s, index, count);
	return MST_OK;
}

static struct suit_seq *
sequence(struct desc *x, mst_span name)
{
	int i = find(x->sequence, x->sequences, name);

	if (i >= 0)
		return x->sequence[i].seq;
	(void)bad(x, MST_E_FW_REFERENCE, "there is no sequence", name);
	return NULL;
}

static mst_err
try_each(struct desc *x, struct suit_seq *s, const mst_span *words, size_t count)
{
	struct suit_seq *list[WORDS_MAX];
	enum suit_try_end end = SUIT_TRY_MUST;

	if (count > 0 && mst_span_eq(words[count - 1], MST_LIT("nothing"))) {
		end = SUIT_TRY_MAY;
		count--;
	}
	for (size_t i = 0; i < count; i++)
		if ((list[i] = sequence(x, words[i])) == NULL)
			return MST_E_FW_REFERENCE;
	if (count < 2)
		return bad(x, MST_E_FW_VALUE, "try-each takes two sequences or more", MST_LIT(""));
	suit_put_try(s, list, count, end);
	return MST_OK;
}

/* Words up to the next "--". */
static size_t
group(const mst_span *words, size_t count)
{
	size_t n = 0;

	while (n < count && !mst_span_eq(words[n], MST_LIT("--")))
		n++;
	return n;
}

/* override-multiple app uri=... -- boot uri=... */
static mst_err
multiple(struct desc *x, struct suit_seq *s, const mst_span *words, size_t count)
{
	mst_err e = MST_OK;

	do {
		size_t n = group(words, count);
		int k = n > 0 ? component_index(x, words[0]) : -1;

		if (n == 0)
			return bad(x, MST_E_FW_VALUE, "which component?", MST_LIT(""));
		if (k < 0)
			return at_line(x, MST_E_FW_REFERENCE);
		suit_put_multiple(s, (unsigned)k);
		e = parameters(x, s, words + 1, n - 1);
		n += n < count;
		words += n;
		count -= n;
	} while (e == MST_OK && count > 0);
	return e;
}

/* copy-params app uri image-digest -- boot uri */
static mst_err
copy_params(struct desc *x, struct suit_seq *s, const mst_span *words, size_t count)
{
	struct cb_pairs all;
	mst_err e = MST_OK;

	cb_pairs_init(&all, x->values.a);
	do {
		size_t n = group(words, count);
		int k = n > 0 ? component_index(x, words[0]) : -1;
		struct cb b;

		if (n < 2)
			return bad(x, MST_E_FW_VALUE,
			    "copy-params takes a component and parameters", MST_LIT(""));
		if (k < 0)
			return at_line(x, MST_E_FW_REFERENCE);
		cb_init(&b, x->values.a);
		cb_array(&b, n - 1);
		for (size_t i = 1; i < n; i++) {
			const struct suit_word *w = suit_word_find(SUIT_LIST_PARAMETER, words[i]);
			int64_t number = 0;

			if (w == NULL && (value_int(words[i], &number) != MST_OK || number >= -256))
				return bad(x, MST_E_FW_VALUE, "there is no parameter", words[i]);
			cb_int(&b, w != NULL ? w->number : number);
		}
		cb_pair_int(&all, k, cb_end(&b, &e));
		n += n < count;
		words += n;
		count -= n;
	} while (count > 0);
	if (all.err == MST_E_CBOR_DUPLICATE)
		return bad(x, MST_E_FW_VALUE, "copy-params names a component twice", MST_LIT(""));
	suit_put_raw(s, 35, cb_pairs_end(&all, &e));
	return e;
}

/* fetch, fetch policy=15; without one: what M's examples have (2 of directives, 15 of conditions).
 */
static mst_err
plain(struct desc *x, struct suit_seq *s, int64_t code, const mst_span *words, size_t count)
{
	uint64_t policy = suit_is_condition(code) ? 15 : 2;
	mst_span value;

	if (count > 1 || (count == 1 && !value_prefix(words[0], "policy=", &value)))
		return bad(x, MST_E_FW_VALUE, "only policy=0..15 may stand here, not", words[0]);
	if (count == 1 && (value_uint(value, &policy) != MST_OK || policy > 15))
		return bad(x, MST_E_FW_VALUE, "a reporting policy is from 0 to 15, not", value);
	suit_put(s, code, (unsigned)policy);
	return MST_OK;
}

static mst_err
custom(struct desc *x, struct suit_seq *s, const mst_span *words, size_t count)
{
	mst_span item = MST_NONE;
	int64_t code;
	mst_err e;

	if (value_int(words[0], &code) != MST_OK || code >= -256)
		return bad(x, MST_E_FW_VALUE, "there is no command", words[0]);
	if (count != 2)
		return bad(x, MST_E_FW_VALUE, "a custom command takes one argument:", words[0]);
	if ((e = value_custom(&x->values, words[1], &item)) != MST_OK)
		return at_line(x, e);
	if (item.ptr[0] == 0xf4 || item.ptr[0] == 0xf5) /* M 8.4.11: bstr, tstr, int, nil */
		return bad(x, MST_E_FW_VALUE, "not for a command:", words[1]);
	suit_put_raw(s, code, item);
	return MST_OK;
}

static mst_err
command(struct desc *x, struct suit_seq *s, const struct said *said)
{
	mst_span words[WORDS_MAX];
	const struct suit_word *w;
	struct suit_seq *inner;
	size_t n;
	mst_err e;

	x->line = said->line;
	suit_author_say("%s", "");
	if ((e = split(x, said->text, words, &n)) != MST_OK)
		return e;
	if ((w = suit_word_find(SUIT_LIST_COMMAND, words[0])) == NULL)
		return custom(x, s, words, n);
	switch (w->number) {
	case 12: return set_index(x, s, words + 1, n - 1);
	case 15: return try_each(x, s, words + 1, n - 1);
	case 19:
	case 20: suit_put_parameters(s, w->number); return parameters(x, s, words + 1, n - 1);
	case 32:
		if (n != 2)
			return bad(
			    x, MST_E_FW_VALUE, "run-sequence takes one sequence", MST_LIT(""));
		if ((inner = sequence(x, words[1])) == NULL)
			return MST_E_FW_REFERENCE;
		suit_put_run(s, inner);
		return MST_OK;
	case 34: return multiple(x, s, words + 1, n - 1);
	case 35: return copy_params(x, s, words + 1, n - 1);
	default: return plain(x, s, w->number, words + 1, n - 1);
	}
}

static mst_err
commands(struct desc *x, cfg_t *cfg, const char *name, struct suit_seq *s)
{
	const struct said *said;
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && (said = nth(cfg, name, i)) != NULL; i++)
		e = command(x, s, said);
	return e;
}

/* --- the parts --- */

static mst_err
head(struct desc *x, cfg_t *cfg)
{
	mst_span id[SEGMENTS_MAX], rest;
	int64_t version[16];
	const struct said *s;
	uint64_t number;
	size_t n;
	mst_err e;

	if ((s = one(x, cfg, "sequence-number")) == NULL) {
		x->line = 1;
		suit_author_say("sequence-number is missing");
		return at_line(x, MST_E_FW_DESCRIPTION);
	}
	if ((e = at_line(x, value_uint(s->text, &number))) != MST_OK)
		return e;
	suit_author_number(x->m, number);
	if ((s = one(x, cfg, "reference-uri")) != NULL)
		suit_author_reference(x->m, s->text);
	if ((s = one(x, cfg, "digest")) != NULL) {
		const struct suit_word *w = suit_word_find(SUIT_LIST_DIGEST, s->text);

		if (w == NULL)
			return bad(x, MST_E_FW_VALUE, "there is no digest", s->text);
		suit_author_digest(x->m, w->number);
		x->values.alg = w->number;
	}
	if ((s = one(x, cfg, "set-version")) != NULL) {
		n = sizeof version / sizeof version[0];
		if ((e = at_line(x, value_version(s->text, version, &n))) != MST_OK)
			return e;
		suit_author_set_version(x->m, version, n);
	}
	if ((s = one(x, cfg, "coswid")) != NULL) {
		if ((e = at_line(x, value_bytes(&x->values, s->text, VALUE_PREFIXED, &rest))) !=
		    MST_OK)
			return e;
		if (mst_cbor_validate(rest) != MST_OK)
			return bad(x, MST_E_FW_VALUE, "no CBOR:", s->text);
		suit_author_coswid(x->m, rest);
	}
	if ((e = segments(x, cfg, "manifest-component-id", id, &n)) != MST_OK)
		return e;
	if (nth(cfg, "manifest-component-id", 0) != NULL)
		suit_author_component_id(x->m, id, n);
	return MST_OK;
}

static mst_err
name_it(struct desc *x, struct named *list, size_t *count, cfg_t *section, struct named **out)
{
	mst_span title = arena_dup(x->values.a, mst_span_str(cfg_title(section)));
	uint64_t n;

	x->line = section->line;
	if (*count == NAMED_MAX)
		return bad(x, MST_E_FW_DESCRIPTION, "more than there may be:", title);
	if (title.len == 0 || value_uint(title, &n) == MST_OK ||
	    mst_span_eq(title, MST_LIT("all")) || mst_span_eq(title, MST_LIT("nothing")) ||
	    mst_span_eq(title, MST_LIT("--")))
		return bad(x, MST_E_FW_DESCRIPTION, "this is no name:", title);
	*out = &list[(*count)++];
	**out = (struct named){ .name = title };
	return MST_OK;
}

static mst_err
components(struct desc *x, cfg_t *cfg)
{
	mst_span id[SEGMENTS_MAX];
	struct named *c;
	size_t n;
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "component"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "component", i);

		if ((e = name_it(x, x->component, &x->components, section, &c)) != MST_OK ||
		    (e = segments(x, section, "id", id, &n)) != MST_OK)
			return e;
		if (nth(section, "id", 0) == NULL) { /* its name is its id */
			id[0] = c->name;
			n = 1;
		}
		c->index = (int)suit_author_component(x->m, id, n);
	}
	return e;
}

/* Behind the components, in order, or where index says (sheet 5). */
static mst_err
dependencies(struct desc *x, cfg_t *cfg)
{
	size_t own = x->components, n;
	mst_span prefix[SEGMENTS_MAX];
	const struct said *s;
	struct named *c;
	uint64_t index;
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "dependency"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "dependency", i);

		if ((e = name_it(x, x->component, &x->components, section, &c)) != MST_OK)
			return e;
		if (find(x->component, x->components - 1, c->name) >= 0)
			return bad(x, MST_E_FW_DESCRIPTION, "twice:", c->name);
		index = own + i;
		if ((s = one(x, section, "index")) != NULL &&
		    ((e = at_line(x, value_uint(s->text, &index))) != MST_OK || index > 255))
			return e != MST_OK ? e : bad(x, MST_E_FW_VALUE, "too high:", s->text);
		if ((e = segments(x, section, "prefix", prefix, &n)) != MST_OK)
			return e;
		c->index = (int)index;
		suit_author_dependency(x->m, (unsigned)index, prefix, n);
	}
	return e;
}

static mst_err
sequences(struct desc *x, cfg_t *cfg)
{
	struct named *c;
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "sequence"); i++)
		if ((e = name_it(x, x->sequence, &x->sequences, cfg_getnsec(cfg, "sequence", i),
		         &c)) == MST_OK)
			c->seq = suit_author_sequence(x->m);
	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "sequence"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "sequence", i);

		e = commands(x, section, "do", x->sequence[i].seq);
		if (e == MST_OK && nth(section, "do", 0) == NULL) {
			x->line = section->line;
			e = bad(
			    x, MST_E_FW_DESCRIPTION, "no command in sequence", x->sequence[i].name);
		}
	}
	return e;
}

static mst_err
sections(struct desc *x, cfg_t *cfg)
{
	size_t count;
	const struct suit_word *words = suit_words(SUIT_LIST_MANIFEST, &count);
	mst_err e = MST_OK;

	if (nth(cfg, "shared", 0) != NULL)
		e = commands(x, cfg, "shared", suit_author_section(x->m, SUIT_SHARED));
	for (size_t i = 0; e == MST_OK && i < count; i++)
		if (suit_is_section(words[i].number) && nth(cfg, words[i].name, 0) != NULL)
			e = commands(
			    x, cfg, words[i].name, suit_author_section(x->m, words[i].number));
	return e;
}

static mst_err
texts_of(struct desc *x, cfg_t *section, enum suit_list list, mst_span lang, const mst_span *id,
    size_t id_len)
{
	size_t count;
	const struct suit_word *words = suit_words(list, &count);
	const struct said *s;

	for (size_t i = 0; i < count; i++)
		if ((s = one(x, section, words[i].name)) != NULL)
			suit_author_text(x->m, lang, id, id_len, words[i].number, s->text);
	return MST_OK;
}

/* M 8.4.4: "[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*" */
static bool
is_lang(mst_span tag)
{
	size_t n = 0;
	bool first = true;

	for (size_t i = 0; i < tag.len; i++) {
		uint8_t c = tag.ptr[i];
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', number = c >= '0' && c <= '9';

		if (c == '-' && n > 0) {
			n = 0;
			first = false;
		} else if ((letter || (number && !first)) && n < 8) {
			n++;
		} else {
			return false;
		}
	}
	return n > 0;
}

static mst_err
texts(struct desc *x, cfg_t *cfg)
{
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "text"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "text", i);
		mst_span lang = arena_dup(x->values.a, mst_span_str(cfg_title(section)));

		x->line = section->line;
		if (!is_lang(lang))
			return bad(x, MST_E_FW_VALUE, "this is no tag of a language:", lang);
		e = texts_of(x, section, SUIT_LIST_TEXT, lang, NULL, 0);
		for (unsigned k = 0; e == MST_OK && k < cfg_size(section, "component"); k++) {
			cfg_t *about = cfg_getnsec(section, "component", k), *component;
			mst_span id[SEGMENTS_MAX], name = mst_span_str(cfg_title(about));
			size_t n;

			x->line = about->line;
			component = cfg_gettsec(cfg, "component", cfg_title(about));
			if (component == NULL)
				return bad(x, MST_E_FW_REFERENCE, "there is no component", name);
			if ((e = segments(x, component, "id", id, &n)) != MST_OK)
				return e;
			if (nth(component, "id", 0) == NULL) {
				id[0] = arena_dup(x->values.a, name);
				n = 1;
			}
			e = texts_of(x, about, SUIT_LIST_COMPONENT_TEXT, lang, id, n);
		}
	}
	return e;
}

static mst_err
payloads(struct desc *x, cfg_t *cfg)
{
	const struct said *s;
	mst_span bytes;
	mst_err e = MST_OK;

	for (unsigned i = 0; e == MST_OK && i < cfg_size(cfg, "payload"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "payload", i);
		mst_span name = arena_dup(x->values.a, mst_span_str(cfg_title(section)));
		char *path;

		x->line = section->line;
		if (name.len == 0 || (s = one(x, section, "file")) == NULL)
			return bad(x, MST_E_FW_DESCRIPTION, "no URI, or no file of payload", name);
		path = arena_printf(x->values.a, "file:%s", (const char *)s->text.ptr);
		if (path == NULL)
			return MST_E_NOMEM;
		e = at_line(x, value_bytes(&x->values, mst_span_str(path), VALUE_PREFIXED, &bytes));
		if (e == MST_OK)
			suit_author_integrate(x->m, name, bytes);
	}
	return e;
}

static mst_err
severs(struct desc *x, cfg_t *cfg)
{
	const struct said *s;

	for (unsigned i = 0; (s = nth(cfg, "sever", i)) != NULL; i++) {
		const struct suit_word *w = suit_word_find(SUIT_LIST_MANIFEST, s->text);

		x->line = s->line;
		if (w == NULL || !suit_is_severable(w->number))
			return bad(x, MST_E_FW_VALUE, "this can not be severed:", s->text);
		suit_author_sever(x->m, w->number);
	}
	return MST_OK;
}

mst_err
suit_description_parse(
    struct arena *a, const struct suit_description *d, const char *text, struct suit_author **out)
{
	static const struct conf_rules rules = { NULL, 0, NULL, 0 };
	struct desc *x = arena_alloc(a, sizeof *x);
	cfg_t *cfg = NULL;
	mst_err e;

	if (x == NULL)
		return MST_E_NOMEM;
	x->d = d;
	x->m = suit_author_new(a);
	x->values = (struct suit_values){ .a = a,
		.folder = d->folder,
		.alg = -16,
		.component = component_index,
		.read = d->read != NULL ? read_through : NULL,
		.ctx = x };
	if (x->m == NULL)
		return MST_E_NOMEM;
	keeping = a;
	if ((e = conf_parse(options, &rules, d->name, text, &cfg)) != MST_OK) {
		suit_author_say("%s", conf_why());
		return e == MST_E_CONFIG_SYNTAX ? MST_E_FW_DESCRIPTION : e;
	}
	if ((e = head(x, cfg)) == MST_OK && (e = components(x, cfg)) == MST_OK &&
	    (e = dependencies(x, cfg)) == MST_OK && (e = sequences(x, cfg)) == MST_OK &&
	    (e = sections(x, cfg)) == MST_OK && (e = texts(x, cfg)) == MST_OK &&
	    (e = payloads(x, cfg)) == MST_OK && (e = severs(x, cfg)) == MST_OK)
		*out = x->m;
	cfg_free(cfg);
	return e;
}

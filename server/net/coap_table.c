/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/coap_table.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define UNPACK(...) __VA_ARGS__
const struct coap_resource coap_resources[] = {
#define X(name, base, alias, route, method, abbrev, request, response)                             \
	{ name, base, alias, route, method, abbrev, { UNPACK request, COAP_NONE },                 \
		{ UNPACK response, COAP_NONE } },
	COAP_RESOURCES(X)
#undef X
};
const size_t coap_resource_count = sizeof coap_resources / sizeof coap_resources[0];

static const struct {
	long number;
	const char *type;
} formats[] = {
#define X(name, number, type) { number, type },
	COAP_FORMATS(X)
#undef X
};

const char *
coap_format_type(long number)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (formats[i].number == number)
			return formats[i].type;
	return NULL;
}

static bool
same_type(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " \t");
		b += strspn(b, " \t");
		if (strncasecmp(a, b, 1) != 0)
			return false;
		if (*a == '\0')
			return true;
	}
}

long
coap_format_number(const char *type)
{
	for (size_t i = 0; type != NULL && i < sizeof formats / sizeof formats[0]; i++)
		if (same_type(type, formats[i].type))
			return formats[i].number;
	return -1;
}

bool
coap_takes(const long list[], long number)
{
	for (; *list != COAP_NONE; list++)
		if (*list == number)
			return true;
	return false;
}

const char *
coap_abbrev_path(long number)
{
	static const struct {
		long number;
		const char *path;
	} all[] = { { COAP_ABBREV_CORE, COAP_PATH_CORE }, { COAP_ABBREV_RD, "/.well-known/rd" },
		{ COAP_ABBREV_EDHOC, "/.well-known/edhoc" },
#define X(name, base, alias, route, method, abbrev, request, response) { abbrev, base "/" name },
		COAP_RESOURCES(X)
#undef X
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].number == number)
			return all[i].path;
	return NULL;
}

/* What of the path follows a base: "/sen", "/label/sen"; NULL: another base. */
static const char *
behind(const char *path, const char *base)
{
	size_t n = strlen(base);

	return strncmp(path, base, n) == 0 && path[n] == '/' ? path + n : NULL;
}

const struct coap_resource *
coap_find(const char *path, char *route, size_t cap)
{
	const char *slash = strrchr(path, '/'), *rest;
	int n;

	for (size_t i = 0; slash != NULL && i < coap_resource_count; i++) {
		const struct coap_resource *r = &coap_resources[i];

		if (strcmp(slash + 1, r->name) != 0 || ((rest = behind(path, r->base)) == NULL &&
		                                           (rest = behind(path, r->alias)) == NULL))
			continue;
		n = snprintf(route, cap, "%s%.*s/%s", r->base, (int)(slash - rest), rest, r->route);
		return n > 0 && (size_t)n < cap ? r : NULL;
	}
	return NULL;
}

/* --- discovery --- */

struct filter {
	const char *name; /* NULL: all links */
	const char *value;
	size_t name_len, value_len;
	bool prefix;
};

static struct filter
read_filter(const char *query)
{
	struct filter f = { 0 };
	const char *eq = strchr(query, '=');

	if (query[0] == '\0')
		return f;
	f.name = query;
	f.name_len = eq != NULL ? (size_t)(eq - query) : strlen(query);
	f.value = eq != NULL ? eq + 1 : "*"; /* an attribute's presence */
	f.value_len = strcspn(f.value, "&"); /* RFC 6690 4.1: one search parameter */
	if (f.value_len > 0 && f.value[f.value_len - 1] == '*') {
		f.prefix = true;
		f.value_len--;
	}
	if (f.value_len >= 2 && f.value[0] == '"' && f.value[f.value_len - 1] == '"') {
		f.value++;
		f.value_len -= 2;
	}
	return f;
}

/* RFC 6690 4.1: the value, or one of the words of a list. */
static bool
matches(const struct filter *f, const char *attribute, const char *value)
{
	if (f->name_len != strlen(attribute) || strncmp(f->name, attribute, f->name_len) != 0)
		return false;
	while (*value != '\0') {
		size_t n = strcspn(value, " ");

		if (f->prefix ? n >= f->value_len && strncmp(value, f->value, f->value_len) == 0
		              : n == f->value_len && strncmp(value, f->value, n) == 0)
			return true;
		value += n;
		value += *value == ' ';
	}
	return false;
}

struct link {
	char href[48], rt[24], ct[32];
};

static bool
wanted(const struct filter *f, const struct link *l)
{
	return f->name == NULL || matches(f, "href", l->href) || matches(f, "rt", l->rt) ||
	       (l->ct[0] != '\0' && matches(f, "ct", l->ct));
}

/* A list in ct is quoted (RFC 7252 7.2.1), everything else stands bare as in cBRSKI's examples. */
static mst_err
put_link(struct mst_buf *out, size_t from, const struct link *l)
{
	const char *quote = strchr(l->ct, ' ') != NULL ? "\"" : "";
	char text[160];
	int n = snprintf(text, sizeof text, "%s<%s>;rt=%s%s%s%s%s", out->len > from ? "," : "",
	    l->href, l->rt, l->ct[0] != '\0' ? ";ct=" : "", quote, l->ct, quote);

	return mst_buf_put(out, mst_span_of(text, (size_t)n));
}

/* est.md D2: ct is the format of the answer; where there is none, that of the request. */
static void
describe(const struct coap_resource *r, const char *rt, struct link *out)
{
	const long *list = r->response[0] != COAP_NONE ? r->response : r->request;
	size_t n = 0;

	snprintf(out->href, sizeof out->href, "%s/%s", r->alias, r->name);
	snprintf(out->rt, sizeof out->rt, "%s.%s", rt, r->name);
	out->ct[0] = '\0';
	for (; *list != COAP_NONE; list++)
		n += (size_t)snprintf(
		    out->ct + n, sizeof out->ct - n, "%s%ld", n > 0 ? " " : "", *list);
}

mst_err
coap_links(const char *query, bool (*serves)(void *arg, const struct coap_resource *r), void *arg,
    struct mst_buf *out)
{
	const struct filter f = read_filter(query);
	const char *base = "";
	size_t from = out->len;
	struct link l;
	mst_err e;

	for (size_t i = 0; i < coap_resource_count; i++) {
		const struct coap_resource *r = &coap_resources[i];
		const char *rt = strcmp(r->base, COAP_BRSKI) == 0 ? "brski" : "ace.est";

		if (!serves(arg, r))
			continue;
		if (strcmp(base, r->base) != 0) { /* the base resource itself */
			base = r->base;
			snprintf(l.href, sizeof l.href, "%s", r->alias);
			snprintf(l.rt, sizeof l.rt, "%s", rt);
			l.ct[0] = '\0';
			if (wanted(&f, &l) && (e = put_link(out, from, &l)) != MST_OK)
				return e;
		}
		describe(r, rt, &l);
		if (wanted(&f, &l) && (e = put_link(out, from, &l)) != MST_OK)
			return e;
	}
	return out->len > from ? MST_OK : MST_E_NOT_FOUND;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_diff.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "host/inspect.h"
#include "host/suit_text.h"

#define LINES_MAX 4096
#define SHA256 (-16)

/* What inspect says, without places: an inserted command must not change every line behind it. */
static const char *
without_place(struct arena *a, const char *name)
{
	const char *at = strchr(name, '@');
	const char *slash;
	char *out;

	if (at == NULL)
		return name;
	out = arena_printf(a, "%.*s", (int)(at - name), name);
	for (slash = strchr(at, '/'); slash != NULL && out != NULL; slash = strchr(slash + 1, '/'))
		out = arena_printf(a, "%s/%.*s", out, (int)strcspn(slash + 1, "@/"), slash + 1);
	return out != NULL ? out : "";
}

/* Payloads by their digests: they may be larger than what inspect takes. */
static mst_err
without_payloads(
    struct arena *a, struct suit_envelope *env, mst_span *envelope, struct suit_line ***tail)
{
	for (size_t i = 0; i < env->member_count;) {
		const struct suit_member *m = &env->member[i];
		struct suit_line *l = arena_alloc(a, sizeof *l);
		uint8_t sum[SUIT_DIGEST_MAX];
		struct mst_buf b = MST_BUF(sum);
		mst_err e;

		if (l == NULL)
			return MST_E_NOMEM;
		if (m->name.ptr == NULL) {
			i++;
			continue;
		}
		if ((e = suit_digest_bytes(SHA256, m->content, &b)) != MST_OK)
			return e;
		l->name =
		    arena_printf(a, "payload %.*s", (int)m->name.len, (const char *)m->name.ptr);
		l->value = arena_printf(
		    a, "%zu bytes, sha-256:%s", m->content.len, suit_text_hex(a, mst_buf_span(&b)));
		**tail = l;
		*tail = &l->next;
		if ((e = suit_envelope_drop(env, 0, m->name)) != MST_OK)
			return e;
	}
	return suit_envelope_write(a, env, envelope);
}

mst_err
suit_lines(struct arena *a, mst_span envelope, struct suit_line **out)
{
	struct inspect_options o = { 0 };
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct suit_line **tail = out;
	json_t *report, *f;
	size_t i, count = 0;
	mst_err e;

	*out = NULL;
	if (env == NULL)
		return MST_E_NOMEM;
	if ((e = suit_envelope_read(envelope, env)) != MST_OK ||
	    (e = without_payloads(a, env, &envelope, &tail)) != MST_OK)
		return e;
	if ((e = inspect(a, envelope, &o, &report)) != MST_OK) {
		suit_author_say("%s", inspect_why());
		return e;
	}
	json_array_foreach(json_object_get(report, "fields"), i, f)
	{
		struct suit_line *l = arena_alloc(a, sizeof *l);
		const char *name = json_string_value(json_object_get(f, "name"));
		const char *value = json_string_value(json_object_get(f, "value"));

		if (l == NULL || ++count > LINES_MAX) {
			e = l == NULL ? MST_E_NOMEM : MST_E_SPACE;
			break;
		}
		l->name = arena_printf(a, "%s", name != NULL ? name : "");
		l->value = arena_printf(a, "%s", value != NULL ? value : "");
		*tail = l;
		tail = &l->next;
	}
	json_decref(report);
	return e;
}

struct lines {
	const struct suit_line **at;
	const char **key; /* name without place, and value */
	size_t count;
};

static mst_err
collect(struct arena *a, mst_span envelope, struct lines *out)
{
	struct suit_line *first;
	size_t n = 0;
	mst_err e = suit_lines(a, envelope, &first);

	if (e != MST_OK)
		return e;
	for (const struct suit_line *l = first; l != NULL; l = l->next)
		n++;
	out->at = arena_alloc(a, (n + 1) * sizeof *out->at);
	out->key = arena_alloc(a, (n + 1) * sizeof *out->key);
	if (out->at == NULL || out->key == NULL)
		return MST_E_NOMEM;
	n = 0;
	for (const struct suit_line *l = first; l != NULL; l = l->next) {
		/* they are of the file, not of what it says */
		if (strcmp(l->name, "size") == 0)
			continue;
		out->at[n] = l;
		out->key[n] = arena_printf(a, "%s\t%s", without_place(a, l->name), l->value);
		if (out->key[n++] == NULL)
			return MST_E_NOMEM;
	}
	out->count = n;
	return MST_OK;
}

static struct suit_difference **
add(struct arena *a, struct suit_difference **tail, enum suit_change change,
    const struct suit_line *l)
{
	struct suit_difference *d = arena_alloc(a, sizeof *d);

	if (d == NULL)
		return tail;
	*d = (struct suit_difference){ change, l->name, l->value, NULL };
	*tail = d;
	return &d->next;
}

/* The longest common subsequence by the table of its lengths: at most LINES_MAX squared. */
static mst_err
compare(struct arena *a, const struct lines *x, const struct lines *y, struct suit_difference **out,
    size_t *changes)
{
	size_t width = y->count + 1, i = 0, k = 0;
	uint16_t *len = calloc((x->count + 1) * width, sizeof *len);
	struct suit_difference **tail = out;

	if (len == NULL)
		return MST_E_NOMEM;
	for (i = x->count; i-- > 0;)
		for (k = y->count; k-- > 0;) {
			uint16_t down = len[(i + 1) * width + k], right = len[i * width + k + 1];

			len[i * width + k] = strcmp(x->key[i], y->key[k]) == 0
			                         ? (uint16_t)(len[(i + 1) * width + k + 1] + 1)
			                     : down > right ? down
			                                    : right;
		}
	*out = NULL;
	*changes = 0;
	for (i = 0, k = 0; i < x->count || k < y->count;) {
		if (i < x->count && k < y->count && strcmp(x->key[i], y->key[k]) == 0) {
			tail = add(a, tail, SUIT_SAME, y->at[k]);
			i++;
			k++;
			continue;
		}
		*changes += 1;
		if (k == y->count ||
		    (i < x->count && len[(i + 1) * width + k] >= len[i * width + k + 1]))
			tail = add(a, tail, SUIT_GONE, x->at[i++]);
		else
			tail = add(a, tail, SUIT_NEW, y->at[k++]);
	}
	free(len);
	return MST_OK;
}

mst_err
suit_diff(
    struct arena *a, mst_span from, mst_span to, struct suit_difference **out, size_t *changes)
{
	struct lines x, y;
	mst_err e;

	if ((e = collect(a, from, &x)) != MST_OK || (e = collect(a, to, &y)) != MST_OK)
		return e;
	return compare(a, &x, &y, out, changes);
}

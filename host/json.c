/* SPDX-License-Identifier: Apache-2.0 */
#include "host/json.h"

#include <assert.h>
#include <stdlib.h>

/* A walk that knows no more than strings, brackets and commas: what a depth needs. */
static mst_err
judge_limits(mst_span text, struct json_limits limits)
{
	size_t members[JSON_DEPTH_MAX + 1] = { 0 };
	unsigned depth = 0;
	bool string = false;

	for (size_t i = 0; i < text.len; i++) {
		switch (text.ptr[i]) {
		case '\\':
			if (string)
				i++; /* whatever is escaped ends nothing */
			break;
		case '"': string = !string; break;
		case '{':
		case '[':
			if (string)
				break;
			if (++depth > limits.depth)
				return MST_E_JSON_LIMIT;
			members[depth] = 1;
			break;
		case '}':
		case ']':
			if (!string && depth-- == 0)
				return MST_E_JSON;
			break;
		case ',':
			if (!string && ++members[depth] > limits.members)
				return MST_E_JSON_LIMIT;
			break;
		default: break;
		}
	}
	return MST_OK;
}

static void
drop(void *value)
{
	json_decref(value);
}

mst_err
json_open(struct arena *a, mst_span text, struct json_limits limits, json_t **out)
{
	json_error_t where;
	json_t *value;
	mst_err e;

	assert(limits.depth <= JSON_DEPTH_MAX && limits.members > 0);
	if (text.ptr == NULL || text.len == 0)
		return MST_E_JSON;
	if (text.len > limits.bytes)
		return MST_E_JSON_LIMIT;
	e = judge_limits(text, limits);
	if (e != MST_OK)
		return e;
	value = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &where);
	if (value == NULL)
		return json_error_code(&where) == json_error_out_of_memory ? MST_E_NOMEM
		                                                           : MST_E_JSON;
	if (!json_is_object(value)) {
		json_decref(value);
		return MST_E_JSON_TYPE;
	}
	if (arena_own(a, value, drop) == NULL)
		return MST_E_NOMEM;
	*out = value;
	return MST_OK;
}

mst_err
json_close(struct arena *a, json_t *value, mst_span *text)
{
	size_t n = value == NULL ? 0 : json_dumpb(value, NULL, 0, JSON_COMPACT);
	char *bytes = n == 0 ? NULL : arena_alloc(a, n + 1);

	if (bytes != NULL && json_dumpb(value, bytes, n, JSON_COMPACT) != n)
		bytes = NULL;
	json_decref(value);
	if (bytes == NULL)
		return MST_E_NOMEM;
	*text = mst_span_of(bytes, n);
	return MST_OK;
}

mst_span
json_text(const json_t *value)
{
	if (!json_is_string(value))
		return MST_NONE;
	return mst_span_of(json_string_value(value), json_string_length(value));
}

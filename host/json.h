/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from strangers: limits are judged before jansson, which recurses, sees the text. */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include <jansson.h>

#include "host/arena.h"

#define JSON_DEPTH_MAX 32

struct json_limits {
	size_t bytes; /* whole text */
	unsigned depth; /* nested objects and arrays; at most JSON_DEPTH_MAX */
	size_t members; /* of one object or array */
};

/*
 * One object, nothing after it, no key twice, valid UTF-8. *out belongs to
 * the arena. MST_E_JSON, MST_E_JSON_LIMIT, MST_E_NOMEM.
 */
MST_MUST_USE mst_err json_open(
    struct arena *a, mst_span text, struct json_limits limits, json_t **out);

/* Compact text of a value, in the arena; takes the reference. MST_E_NOMEM also for NULL. */
MST_MUST_USE mst_err json_close(struct arena *a, json_t *value, mst_span *text);

/* The characters of a string, borrowed from it; MST_NONE for another type. */
mst_span json_text(const json_t *value);

#endif

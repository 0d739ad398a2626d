/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line is a filter, the rest a document. What is read and written
 * again is the same document; a filter by an attribute's own value matches.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/linkformat.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_at(const struct mst_link *l, mst_span query)
{
	static const char *const names[] = { "rt", "brski-jp", "var", "ct" };
	struct mst_link_value v;
	struct mst_link_place place;
	uint16_t port;

	(void)mst_link_matches(l, query);
	MUST(mst_link_matches(l, MST_LIT("href=*")));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		mst_span name = mst_span_str(names[i]);
		mst_err e = mst_link_port(l, name, &port);

		MUST((e == MST_E_NOT_FOUND) == !mst_link_attr(l, name, &v));
		MUST(e != MST_OK || port != 0);
		if (e != MST_E_NOT_FOUND)
			(void)mst_link_value_is(&v, query);
	}
	if (mst_link_place(l->target, &place) == MST_OK) {
		MUST(place.address.len > 0 && place.scheme.len > 0);
		MUST(place.path.len == 0 || place.path.ptr[0] == '/');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[INPUT_MAX];
	const uint8_t *line = size != 0 ? memchr(data, '\n', size) : NULL;
	size_t skip = line != NULL ? (size_t)(line - data) + 1 : 0;
	mst_span in = mst_span_of(data + skip, size - skip);
	struct mst_buf out = MST_BUF(room);
	struct mst_link_reader r;
	struct mst_link_writer w;
	struct mst_link l;

	if (size > INPUT_MAX)
		return 0;
	mst_link_init(&r, in);
	mst_link_put_init(&w, &out);
	while (mst_link_next(&r, &l)) {
		look_at(&l, mst_span_of(data, skip != 0 ? skip - 1 : 0));
		mst_link_put_copy(&w, &l);
	}
	MUST(mst_link_put_end(&w) == MST_OK);
	if (mst_link_end(&r) == MST_OK)
		MUST(out.len == in.len && memcmp(room, in.ptr, in.len) == 0);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CoAPS server sends to the agent, byte by byte: agent/coap_codec.c.
 * What is read lies within the datagram, and is what its options may be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/coap_codec.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
lies_within(mst_span s, const uint8_t *all, size_t size)
{
	return s.ptr == NULL || s.len == 0 || (s.ptr >= all && s.ptr + s.len <= all + size);
}

static void
look_at_piece(const struct mst_coap_block *b)
{
	MUST(!b->there || (b->szx <= 6 && b->num < 1u << 20));
	MUST(b->there || (b->num == 0 && b->szx == 0 && !b->more));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1); /* of exact size for the sanitizer, but never of none */
	struct coap_told t;

	MUST(copy != NULL);
	memcpy(copy, data, size);
	copy = realloc(copy, size > 0 ? size : 1);
	if (coap_told_parse(mst_span_of(copy, size), &t) == MST_OK) {
		MUST(t.token.len <= 8 && lies_within(t.token, copy, size));
		MUST(lies_within(t.payload, copy, size) && t.payload.ptr != NULL);
		MUST(t.etag.len <= 8 && lies_within(t.etag, copy, size));
		MUST(t.content_format >= -1 && t.content_format <= 65535);
		MUST(t.max_age >= -1 && t.max_age <= UINT32_MAX);
		MUST(t.code != 0 || size == 4);
		look_at_piece(&t.block1);
		look_at_piece(&t.block2);
	} else {
		MUST(coap_told_parse(mst_span_of(copy, size), &t) == MST_E_HTTP_MALFORMED);
	}
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses the flags. What decodes encodes to the same text,
 * but for what the flags tolerate: space, the other alphabet, lacking padding.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/base64.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text as a strict encoder would have written it. */
static void
straighten(mst_span text, unsigned flags, struct mst_buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if ((flags & MST_BASE64_SPACE) != 0 && memchr(" \t\r\n", c, 4) != NULL)
			continue;
		if ((flags & (MST_BASE64_URL | MST_BASE64_URL_ONLY)) != 0)
			c = c == '-' ? '+' : c == '_' ? '/' : c;
		MUST(mst_buf_put_byte(out, c) == MST_OK);
	}
	while ((flags & (MST_BASE64_URL | MST_BASE64_URL_ONLY)) != 0 && out->len % 4 != 0)
		MUST(mst_buf_put_byte(out, '=') == MST_OK);
}

static void
check_exact_room(mst_span text, unsigned flags, mst_span want)
{
	uint8_t *exact = malloc(want.len != 0 ? want.len : 1);
	struct mst_buf out = { exact, want.len, 0 };

	MUST(exact != NULL);
	MUST(mst_base64_decode(text, flags, &out) == MST_OK);
	MUST(memcmp(exact, want.ptr, want.len) == 0);
	if (want.len != 0) {
		out = (struct mst_buf){ exact, want.len - 1, 0 };
		MUST(mst_base64_decode(text, flags, &out) == MST_E_SPACE && out.len == 0);
	}
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t decoded[INPUT_MAX], encoded[INPUT_MAX + 4], due[INPUT_MAX + 4];
	struct mst_buf raw = MST_BUF(decoded), again = MST_BUF(encoded), straight = MST_BUF(due);
	mst_span text;
	unsigned flags;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	flags = data[0] & 7U;
	text = mst_span_of(data + 1, size - 1);
	if (mst_base64_decode(text, flags, &raw) != MST_OK) {
		MUST(raw.len == 0);
		return 0;
	}
	if ((flags & MST_BASE64_URL_ONLY) != 0 && (flags & MST_BASE64_SPACE) == 0) {
		MUST(mst_base64url_encode(mst_buf_span(&raw), &again) == MST_OK);
		MUST(again.len == text.len && memcmp(encoded, text.ptr, text.len) == 0);
		again.len = 0;
	}
	MUST(mst_base64_encode(mst_buf_span(&raw), &again) == MST_OK);
	straighten(text, flags, &straight);
	MUST(again.len == MST_BASE64_LEN(raw.len));
	MUST(mst_span_eq(mst_buf_span(&again), mst_buf_span(&straight)));
	check_exact_room(text, flags, mst_buf_span(&raw));
	return 0;
}

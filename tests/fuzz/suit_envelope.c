/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope's reader and all that reads without trust (tools), on any bytes. */
#include <stdlib.h>
#include <string.h>

#include "muster/suit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
within(mst_span part, const uint8_t *data, size_t size)
{
	if (part.ptr != NULL && part.len > 0 &&
	    (part.ptr < data || part.ptr + part.len > data + size))
		abort();
}

static void
walk(mst_span item, const uint8_t *data, size_t size, unsigned depth)
{
	struct mst_suit_walk w;
	struct mst_suit_step step;

	mst_suit_walk_init(&w, item);
	while (mst_suit_walk_next(&w, &step)) {
		within(step.argument, data, size);
		if (step.offset >= item.len)
			abort();
		(void)mst_suit_command_name(step.code);
		if (depth > 0)
			walk(step.argument, data, size, depth - 1);
	}
}

/* The content of an encoded byte string that was read as well-formed. */
static mst_span
content(mst_span item)
{
	size_t head = item.ptr == NULL || item.ptr[0] >> 5 != 2 ? SIZE_MAX
	              : (item.ptr[0] & 31) < 24                 ? 1
	                                        : 1 + ((size_t)1 << ((item.ptr[0] & 31) - 24));

	return head > item.len ? MST_NONE : mst_span_of(item.ptr + head, item.len - head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t keys[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 18, 20, 23, 24 };
	struct mst_suit_envelope v;
	struct mst_suit_encryption info;
	mst_span part;

	(void)!mst_suit_encryption_parse(mst_span_of(data, size), &info);
	walk(mst_span_of(data, size), data, size, 2);
	if (mst_suit_envelope_parse(mst_span_of(data, size), &v) != MST_OK)
		return 0;
	within(v.digest, data, size);
	within(v.blocks, data, size);
	within(v.manifest, data, size);
	if (v.bytes.len != size || v.digest.ptr == NULL || v.manifest.ptr == NULL)
		abort();
	within(mst_suit_envelope_payload(&v, MST_LIT("#x")), data, size);
	for (size_t i = 0; i < sizeof keys; i++) {
		part = mst_suit_envelope_element(&v, keys[i]);
		within(part, data, size);
		walk(part, data, size, 3);
		part = mst_suit_manifest_element(v.manifest, keys[i]);
		within(part, data, size);
		walk(content(part), data, size, 3);
	}
	return 0;
}

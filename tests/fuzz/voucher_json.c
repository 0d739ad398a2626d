/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON data model; what was read must be writable and read back the same. */
#include <assert.h>

#include "host/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(8u << 20);
	struct mst_voucher_claims c, d;
	enum mst_voucher_kind kind = size % 2 == 0 ? MST_VOUCHER : MST_VOUCHER_REQUEST;
	mst_span json;

	if (voucher_json_parse(a, mst_span_of(data, size), kind, &c) == MST_OK &&
	    voucher_json_build(a, &c, &json) == MST_OK &&
	    voucher_json_parse(a, json, kind, &d) == MST_OK) {
		assert(d.unknown == 0);
		assert(mst_span_eq(c.serial, d.serial));
		assert(mst_span_eq(c.nonce_text, d.nonce_text));
		assert(mst_span_eq(c.nonce, d.nonce));
		assert(mst_span_eq(c.pinned_cert, d.pinned_cert));
		assert(c.assertion == d.assertion && c.created_on == d.created_on);
	}
	arena_free(a);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What was read must be writable and read back the same. */
#include <assert.h>

#include "host/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(32u << 20);
	struct audit_log log, back;
	mst_span json;

	if (audit_log_parse(a, mst_span_of(data, size), &log) == MST_OK &&
	    audit_log_build(a, &log, &json) == MST_OK) {
		assert(audit_log_parse(a, json, &back) == MST_OK);
		assert(back.count == log.count && back.arbitrary == log.arbitrary);
		for (size_t i = 0; i < log.count; i++)
			assert(mst_span_eq(log.events[i].nonce, back.events[i].nonce));
	}
	arena_free(a);
	return 0;
}

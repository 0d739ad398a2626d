/* SPDX-License-Identifier: Apache-2.0 */
#include "host/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(8u << 20);
	struct telemetry t;

	(void)!telemetry_parse(a, TELEMETRY_JSON, mst_span_of(data, size), &t);
	(void)!telemetry_parse(a, TELEMETRY_CBOR, mst_span_of(data, size), &t);
	arena_free(a);
	return 0;
}

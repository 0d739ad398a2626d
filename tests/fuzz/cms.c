/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/envelope.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_envelope(MST_MEDIA_CMS_JSON, data, size);
}

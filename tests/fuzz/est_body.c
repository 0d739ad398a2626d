/* SPDX-License-Identifier: Apache-2.0 */
/* An EST body to DER and back: what was read reads the same once written (est.md B1 to B5). */
#include <stdlib.h>

#include "host/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 22);
	mst_span der, body, again;

	if (a == NULL || size > 1 << 17)
		goto out;
	if (est_body_decode(a, mst_span_of(data, size), &der) != MST_OK)
		goto out;
	for (unsigned wrap = 0; wrap <= 64; wrap += 64) {
		if (est_body_encode(a, der, wrap, &body) != MST_OK)
			goto out; /* the arena's limit */
		if (body.len == 0 || body.ptr[body.len - 1] != '\n')
			abort();
		if (est_body_decode(a, body, &again) != MST_OK || !mst_span_eq(der, again))
			abort();
	}
out:
	arena_free(a);
	return 0;
}

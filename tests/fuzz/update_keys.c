/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication blocks from anybody: rows for those whose certificate leads to the anchor alone.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/update_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the corpus; its key was thrown away. */
static const char root[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBezCCASKgAwIBAgIUW0FW+nkoe1FG7v4A62ELnajNNDwwCgYIKoZIzj0EAwIw\n"
                           "DDEKMAgGA1UEAwwBZjAgFw0yNjExMjQwNDI2MDhaGA8yMDUxMDcxNjA0MjYwOFow\n"
                           "DDEKMAgGA1UEAwwBZjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCM2TGWsX/u8\n"
                           "XfxoYmv0C+ZFQThq/AXuFnGRnGHXPhrNKymRYVAIg8YB5dJimw66NC7UqyVJclK3\n"
                           "tIiMijICBmqjYDBeMB0GA1UdDgQWBBSiuj5jYZP6AzhmvmuTP6Dz45YJNzAfBgNV\n"
                           "HSMEGDAWgBSiuj5jYZP6AzhmvmuTP6Dz45YJNzAPBgNVHRMBAf8EBTADAQH/MAsG\n"
                           "A1UdDwQEAwICBDAKBggqhkjOPQQDAgNHADBEAiA0wkuD3aQLvLfc5XDeT+jscQoU\n"
                           "nBJTKnbQfYtmVa+PbwIgL1v4yNRsZqhQrsB6cVqjNUSaHTdg9Bkpa6UPvu2Avh0=\n"
                           "-----END CERTIFICATE-----\n";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct anchors *anchors;
	struct arena *a = arena_new(64 << 20);
	struct mst_suit_envelope env = { .blocks = mst_span_of(data, size) };
	struct mst_suit_keys keys = { NULL, 0 };
	struct update_trust t = { .clock = { MST_CLOCK_NONE, 0 } };
	mst_err why = MST_E_INTERNAL, e;

	if (anchors == NULL && anchors_new(mst_span_str(root), MST_NONE, &anchors) != MST_OK)
		abort();
	t.manufacturer = anchors;
	if (a == NULL)
		return 0;
	e = update_keys_make(a, &t, &env, &keys, &why);
	if (e != MST_OK && e != MST_E_NOMEM)
		abort();
	for (size_t i = 0; i < keys.count; i++)
		if (keys.key[i].authority != UPDATE_MANUFACTURER || keys.key[i].handle == NULL ||
		    keys.key[i].usage != MST_SUIT_USE_SIGN_MANIFEST)
			abort();
	arena_free(a);
	return 0;
}

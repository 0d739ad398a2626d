/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger writes into headers of a request to the MASA: Accept, Authorization; and stored
 * hashes. */
#include <stdlib.h>
#include <string.h>

#include "host/password.h"
#include "server/masa/masa_room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exact size: a byte too far is seen */
	struct arena *a = arena_new(1 << 20);
	mst_span user = MST_NONE, password = MST_NONE;
	mst_err e;

	if (text == NULL || a == NULL)
		abort();
	if (size != 0)
		memcpy(text, data, size);
	text[size] = '\0';
	e = masa_accept_judge(text, MST_MEDIA_CMS_JSON);
	if (e != MST_OK && e != MST_E_MEDIA_ACCEPT && e != MST_E_MEDIA_UNSUPPORTED)
		abort();
	if (password_basic(a, text, &user, &password) == MST_OK &&
	    user.len + password.len >= strlen(text))
		abort();
	arena_free(a);
	free(text);
	return 0;
}

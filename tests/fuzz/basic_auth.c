/* SPDX-License-Identifier: Apache-2.0 */
/* The Authorization header of HTTP Basic, and the stored form of passwords. */
#include <stdlib.h>
#include <string.h>

#include "host/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(mst_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 16);
	char *text = malloc(size + 1);
	mst_span user, password;

	if (a == NULL || text == NULL)
		goto out;
	memcpy(text, data, size);
	text[size] = '\0';
	if (password_basic(a, text, &user, &password) == MST_OK) {
		check(user);
		check(password);
		if (user.ptr == NULL || password.ptr == NULL ||
		    (user.len > 0 && memchr(user.ptr, ':', user.len) != NULL))
			abort();
	}
	(void)password_stored_ok(text);
out:
	free(text);
	arena_free(a);
	return 0;
}

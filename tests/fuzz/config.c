/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration reader on arbitrary text. */
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	char *text = malloc(size + 1);
	struct config c;

	if (a != NULL && text != NULL && memchr(data, 0, size) == NULL) {
		memcpy(text, data, size);
		text[size] = '\0';
		if (config_parse(a, "fuzz.conf", text, &c) != MST_OK && config_why()[0] == '\0')
			abort(); /* every refusal has words */
	}
	free(text);
	arena_free(a);
	return 0;
}

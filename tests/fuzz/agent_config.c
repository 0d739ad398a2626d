/* SPDX-License-Identifier: Apache-2.0 */
/* muster-agent.conf from anybody: read or refused with words, never anything else. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	char *text = malloc(size + 1);
	struct agent_config c;

	if (a == NULL || text == NULL || memchr(data, 0, size) != NULL)
		goto out;
	memcpy(text, data, size);
	text[size] = '\0';
	if (agent_config_parse(a, "/etc/muster/agent.conf", text, &c) != MST_OK) {
		if (agent_config_why()[0] == '\0')
			abort();
		goto out;
	}
	/* What is accepted can be run with. */
	if (c.state == NULL || c.idevid_cert == NULL || c.idevid_key == NULL ||
	    c.masa_anchors == NULL || (c.registrar_count == 0 && !c.discover) ||
	    c.registrar_count > MST_PLEDGE_PEERS_MAX || c.log_format < 0 || c.log_level < 0 ||
	    c.timers.retry_after_cap > 60 || c.timers.backoff_max > 3600 || c.timers.stall < 1)
		abort();
	for (size_t i = 0; i < c.registrar_count; i++)
		if (strncmp(c.registrars[i], "https://", 8) != 0 ||
		    strpbrk(c.registrars[i] + 8, "/@ #?\r\n") != NULL)
			abort();
out:
	free(text);
	arena_free(a);
	return 0;
}

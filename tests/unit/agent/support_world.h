/* SPDX-License-Identifier: Apache-2.0 */
/* A device with its files in a folder of its own, and a toy registrar to meet. */
#ifndef UNIT_AGENT_SUPPORT_WORLD_H
#define UNIT_AGENT_SUPPORT_WORLD_H

#include "agent/agent.h"
#include "unit/agent/support_toy.h"

struct world {
	char folder[64];
	char state[96];
	char log[96];
	struct arena *a;
	struct agent_config cfg;
	struct toy toy;
	mst_err verdict; /* of the latest run */
};

/* Shared by all worlds of a program; made once, freed at exit. */
const struct toy_pki *world_pki(void);

void world_open(struct world *w, enum toy_trick trick);
void world_close(struct world *w);
/* Read a configuration with these lines added. */
void world_configure(struct world *w, const char *lines);
enum agent_exit world_run(struct world *w, enum agent_task task, int64_t timeout);
/* Does the log so far hold the text? */
bool world_logged(struct world *w, const char *text);

#endif

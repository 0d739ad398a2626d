/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running agent does about updates, beside its own life: judge an image
 * that is on trial, then look for new ones as often as configured. Each is a
 * process of its own (this program with "settle" or "update"): a long download
 * holds up no renewal, and what dies there takes no agent with it.
 */
#ifndef AGENT_UPDATE_CARE_H
#define AGENT_UPDATE_CARE_H

#include "agent/agent_config.h"

struct update_care;

/* Does nothing (NULL) where the configuration has no updates. looks: not only the trial. */
enum update_care_for { UPDATE_CARE_TRIAL, UPDATE_CARE_ALL };
struct update_care *update_care_start(const struct agent_config *cfg, enum update_care_for what);
/* Waits for the judgement of a trial to end; a look is cut short. NULL allowed. */
void update_care_stop(struct update_care *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the command line talks to a daemon: JSON lines with a
 * `musterd --config FILE --admin` that is started for the occasion. Where a
 * daemon runs with that configuration, it relays to the daemon's control
 * socket; where none runs, it answers from the same database with the same
 * code. So nothing but the daemon's program ever opens the database.
 *
 * Request: {"verb": "device.list", "args": {...}}. Answers, any number of
 * progress lines and then exactly one end:
 * {"progress": n, "of": m}; {"ok": true, "data": ...};
 * {"ok": false, "code": "MU-1008", "name": "...", "detail": "..."}.
 */
#ifndef HOST_CONTROL_H
#define HOST_CONTROL_H

#include <jansson.h>

#include "host/arena.h"

#define CONTROL_LINE_BYTES (4 << 20) /* of one line, either way */

/* Path of one of our programs: beside the running one, in ../sbin, else its name, for PATH. */
void control_program(const char *name, char *out, size_t cap);

struct control;
/*
 * config: path of the daemon's configuration. Starts musterd: that beside the
 * running program, else the one in PATH. MST_E_CONTROL; control_why() has
 * words. What the daemon says on its standard error is in control_why() too
 * when a call fails because it ended.
 */
MST_MUST_USE mst_err control_open(const char *config, struct control **out);
void control_close(struct control *c);
/*
 * One verb. args is borrowed and may be NULL. *data is new (json_decref), also
 * when null. A refusal comes back as the daemon's own error; control_why() has
 * its detail. progress may be NULL.
 */
typedef void (*control_progress)(void *arg, int64_t done, int64_t of);
MST_MUST_USE mst_err control_call(struct control *c, const char *verb, json_t *args,
    control_progress progress, void *arg, json_t **data);
const char *control_why(void);

#endif

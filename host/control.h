/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the command line talks to a daemon: JSON lines over the UNIX socket in
 * the daemon's state folder, or, when no daemon runs, over the standard
 * streams of a `musterd --config FILE --admin` that is started for the
 * occasion and answers from the same database with the same code.
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

struct control;
/*
 * config: path of the daemon's configuration; socket: the control path that
 * the file names. Connects, or starts the daemon's binary (that beside the
 * running program, else the one in PATH) for admin. MST_E_CONTROL;
 * control_why() has words, the daemon's own standard error among them.
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

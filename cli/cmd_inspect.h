/* SPDX-License-Identifier: Apache-2.0 */
/* What inspect and voucher check share. */
#ifndef CLI_CMD_INSPECT_H
#define CLI_CMD_INSPECT_H

#include "cli/cli.h"
#include "host/cert.h"

/* --now, else this machine's clock. False: refused, and said so. */
bool inspect_clock(const struct cli *c, struct mst_clock *out);
/* All --anchor; *out NULL when there is none. CLI_OK, or an exit code with words said. */
int inspect_take_anchors(const struct cli *c, struct anchors **out);
/* Text of strangers for a terminal: control characters become '?'. */
void inspect_print(const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

/* One a file: cmd_<noun>.c. */
extern const struct cli_command cmd_init[], cmd_demo[], cmd_lab[], cmd_idevid[], cmd_device[],
    cmd_manufacturer[], cmd_cert[], cmd_est[], cmd_site[], cmd_inspect[], cmd_voucher[], cmd_fw[],
    cmd_doctor[], cmd_explain[], cmd_help[];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The nouns, in the order in which --help shows them. */
#include "cli/cli.h"
#include "cli/commands.h"

const struct cli_command *const cli_tables[] = {
	cmd_demo,
	cmd_lab,
	cmd_init,
	cmd_idevid,
	cmd_device,
	cmd_manufacturer,
	cmd_cert,
	cmd_est,
	cmd_site,
	cmd_inspect,
	cmd_voucher,
	cmd_fw,
	cmd_doctor,
	cmd_explain,
	cmd_help,
	NULL,
};

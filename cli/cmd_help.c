/* SPDX-License-Identifier: Apache-2.0 */
/* completion, man: what is made from the table of commands. */
#include "cli/commands.h"
#include "cli/help.h"

static int
completion(struct cli *c)
{
	(void)c;
	help_completion(stdout);
	return CLI_OK;
}

static int
man(struct cli *c)
{
	(void)c;
	help_man(stdout);
	return CLI_OK;
}

const struct cli_command cmd_help[] = {
	{ "completion", NULL, "", "print the completion for bash",
	    "Put it where bash looks: muster completion > /etc/bash_completion.d/muster", NULL,
	    completion },
	{ "man", NULL, "", "print the man page muster(1)", NULL, NULL, man },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};

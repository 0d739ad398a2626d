/* SPDX-License-Identifier: Apache-2.0 */
/* Help, man pages and completion, all from the table of commands. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/cli.h"

const struct cli_option *cli_common_options(void);
void help_all(FILE *f);
void help_noun(FILE *f, const char *noun);
void help_command(FILE *f, const struct cli_command *k);
void help_usage(FILE *f, const struct cli_command *k);
/* muster(1), in mdoc. */
void help_man(FILE *f);
/* For bash; zsh reads it through bashcompinit. */
void help_completion(FILE *f);

#endif

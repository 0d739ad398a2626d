/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

static const char *
verb_of(const struct cli_command *k)
{
	return k->verb != NULL ? k->verb : "";
}

static void
print_row(FILE *f, const struct cli_command *k)
{
	char left[64];

	snprintf(left, sizeof left, "%s%s%s%s%s", k->noun, k->verb != NULL ? " " : "", verb_of(k),
	    k->args[0] != '\0' ? " " : "", k->args);
	fprintf(f, "  muster %-36s %s\n", left, k->summary);
}

void
help_all(FILE *f)
{
	fputs("Usage: muster NOUN VERB [ARGUMENTS] [OPTIONS]\n\n"
	      "Trusted introduction and lifelong care of devices: for manufacturers and sites.\n\n",
	    f);
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++)
			print_row(f, k);
	fputs("\n`muster NOUN VERB --help` has the options. Exit codes: 0 ok, 1 failed, 2 usage,\n"
	      "3 not found, 4 refused or verification failed, 5 conflict, 6 unreachable.\n",
	    f);
}

void
help_noun(FILE *f, const char *noun)
{
	fputs("Usage:\n", f);
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++)
			if (strcmp(k->noun, noun) == 0)
				print_row(f, k);
}

void
help_usage(FILE *f, const struct cli_command *k)
{
	fprintf(f, "Usage: muster %s%s%s%s%s [OPTIONS]\n", k->noun, k->verb != NULL ? " " : "",
	    verb_of(k), k->args[0] != '\0' ? " " : "", k->args);
}

static void
print_options(FILE *f, const struct cli_option *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		char left[48];

		snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg != NULL ? " " : "",
		    o->arg != NULL ? o->arg : "");
		fprintf(f, "  %-28s %s\n", left, o->help);
	}
}

void
help_command(FILE *f, const struct cli_command *k)
{
	help_usage(f, k);
	fprintf(f, "\n%s.\n", k->summary);
	if (k->text != NULL)
		fprintf(f, "\n%s\n", k->text);
	fputs("\nOptions:\n", f);
	print_options(f, k->options);
	print_options(f, cli_common_options());
}

/* mdoc takes a line that begins with a dot or quote for a request. */
static void
man_text(FILE *f, const char *s)
{
	bool start = true;

	for (; *s != '\0'; s++) {
		if (start && (*s == '.' || *s == '\''))
			fputs("\\&", f);
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else
			fputc(*s, f);
		start = *s == '\n';
		if (*s == '.' && s[1] == ' ') { /* mdoc: a new sentence begins a new line */
			fputc('\n', f);
			s++;
			start = true;
		}
	}
	fputc('\n', f);
}

static void
man_options(FILE *f, const struct cli_option *o)
{
	for (; o != NULL && o->name != NULL; o++) {
		fprintf(f, ".It Fl -%s%s%s\n", o->name, o->arg != NULL ? " Ar " : "",
		    o->arg != NULL ? o->arg : "");
		man_text(f, o->help);
	}
}

void
help_man(FILE *f)
{
	fputs(".Dd November 23, 2026\n.Dt MUSTER 1\n.Os\n.Sh NAME\n.Nm muster\n"
	      ".Nd introduce devices to networks and care for them\n.Sh SYNOPSIS\n.Nm\n"
	      ".Ar noun verb\n.Op Ar arguments\n.Op options\n.Sh DESCRIPTION\n"
	      "The command line of a manufacturer (IDevIDs, MASA) and of a site (registrar, CA).\n"
	      "Data goes to standard output, words to standard error.\n.Pp\n"
	      "Every command takes these options:\n.Bl -tag -width Ds\n",
	    f);
	man_options(f, cli_common_options());
	fputs(".El\n.Sh COMMANDS\n", f);
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++) {
			fprintf(f, ".Ss %s%s%s%s%s\n", k->noun, k->verb != NULL ? " " : "",
			    verb_of(k), k->args[0] != '\0' ? " " : "", k->args);
			man_text(f, k->summary);
			if (k->text != NULL) {
				fputs(".Pp\n", f);
				man_text(f, k->text);
			}
			if (k->options != NULL) {
				fputs(".Bl -tag -width Ds\n", f);
				man_options(f, k->options);
				fputs(".El\n", f);
			}
		}
	fputs(".Sh EXIT STATUS\n0 ok, 1 failed, 2 usage, 3 not found, 4 refused or verification\n"
	      "failed, 5 conflict, 6 unreachable or timed out.\n"
	      ".Sh SEE ALSO\n.Xr musterd.conf 5 ,\n.Xr muster-agent 8 ,\n.Xr musterd 8\n",
	    f);
}

void
help_completion(FILE *f)
{
	const char *last = "";

	fputs("# bash completion for muster; made by `muster completion`\n_muster()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\n"
	      "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\twords=\"",
	    f);
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++) {
			if (strcmp(k->noun, last) != 0)
				fprintf(f, "%s ", k->noun);
			last = k->noun;
		}
	fputs("\"\n\telse\n\t\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n", f);
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++) {
			fprintf(f, "\t\t\"%s %s\"%s) words=\"", k->noun, verb_of(k),
			    k->verb == NULL ? "*" : "");
			for (const struct cli_option *o = k->options; o != NULL && o->name != NULL;
			     o++)
				fprintf(f, "--%s ", o->name);
			for (const struct cli_option *o = cli_common_options(); o->name != NULL;
			     o++)
				fprintf(f, "--%s ", o->name);
			fputs("\" ;;\n", f);
		}
	fputs(
	    "\t\tesac\n\t\tif [ \"$COMP_CWORD\" = 2 ]; then\n\t\t\tcase ${COMP_WORDS[1]} in\n", f);
	last = "";
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++) {
			if (k->verb == NULL)
				continue;
			if (strcmp(k->noun, last) != 0)
				fprintf(f, "%s\t\t\t%s) words=\"", last[0] != '\0' ? "\" ;;\n" : "",
				    k->noun);
			fprintf(f, "%s ", k->verb);
			last = k->noun;
		}
	fputs(last[0] != '\0' ? "\" ;;\n" : "", f);
	fputs("\t\t\tesac\n\t\tfi\n\tfi\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "\t[ ${#COMPREPLY[@]} != 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n}\n"
	      "complete -F _muster muster\n",
	    f);
}

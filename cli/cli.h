/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's frame: one table of commands, from which parsing, --help,
 * completion and the man pages are made. A command is one function in
 * cmd_<noun>.c. Data goes to stdout, words to stderr; --json on every verb that
 * reads; exit codes of design.md section 7.
 */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>

#include "host/arena.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_REFUSED = 4,
	CLI_CONFLICT = 5,
	CLI_UNREACHABLE = 6,
};

struct cli_option {
	const char *name; /* long form, without dashes */
	const char *arg; /* "FILE" in help; NULL: a flag */
	const char *help;
};
/* Options that every command has: --config FILE, --json, --quiet, --help. */

struct cli;
struct cli_command {
	const char *noun, *verb; /* verb NULL: the noun alone is the command */
	const char *args; /* "SERIAL", "FILE [FILE...]", ""; brackets: optional */
	const char *summary; /* one line, no full stop */
	const char *text; /* the man page's paragraph; NULL: none */
	const struct cli_option *options; /* ended by a NULL name; NULL: none */
	int (*run)(struct cli *c);
};
/* One table a file: cmd_<noun>.c; listed in commands.c. Ended by a NULL noun. */
extern const struct cli_command *const cli_tables[]; /* ended by NULL */

struct cli {
	struct arena *a;
	const struct cli_command *command;
	int argc; /* positional arguments, nouns and options taken off */
	char **argv;
	bool json, quiet;
	bool color, progress; /* stderr is a terminal, NO_COLOR is honoured */
};

/* The value of --name; NULL when not given. The last one counts. */
const char *cli_option(const struct cli *c, const char *name);
/* The nth of an option that may be given several times, from 0; NULL behind the last. */
const char *cli_option_at(const struct cli *c, const char *name, size_t nth);
bool cli_flag(const struct cli *c, const char *name);
/* A whole number within the range, or otherwise; *bad is set when it is no such number. */
long cli_number(
    const struct cli *c, const char *name, long otherwise, long least, long most, bool *bad);
/* --config, else $MUSTER_CONFIG, else the first of ./muster.conf, /etc/muster/muster.conf that
 * exists; NULL. */
const char *cli_config(const struct cli *c);

/* Words on stderr: "muster: ...". Returns code. */
int cli_fail(const struct cli *c, enum cli_exit code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * A refusal by name: "muster: MU-1207 sentence: detail", and what to do next.
 * With --json the object {"code","name","reason","clause","sentence","next",
 * "detail"} on stdout as well. Returns the exit code of the error's class.
 */
int cli_refuse(const struct cli *c, mst_err e, const char *detail);
enum cli_exit cli_exit_of(mst_err e);
/* One JSON document on stdout, with a newline. Takes the reference. */
int cli_print_json(const struct cli *c, json_t *j);
/* printf to stderr unless --quiet. */
void cli_say(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A progress bar on a terminal (else nothing until the end, then one line); done == of ends it. */
void cli_progress(const struct cli *c, const char *what, int64_t done, int64_t of);
/* Columns from a list of objects: keys and headings, space-aligned; every cell's text from its
 * JSON. */
struct cli_column {
	const char *key, *heading;
};
void cli_table(
    const struct cli *c, const json_t *list, const struct cli_column *columns, size_t count);

/*
 * One verb of the daemon (host/control.h) with --config's file; prints the
 * refusal and returns its exit code, or CLI_OK and *data. args is taken.
 */
int cli_daemon(
    const struct cli *c, const char *verb, json_t *args, const char *progress, json_t **data);

/* The heading of a CSV's first column, not a serial number that begins like one ("SERIAL-17"). */
bool cli_is_heading(const char *cell, size_t n);

/* main's work, for tests: returns the exit code. */
int cli_run(int argc, char **argv);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the command, reading its options, and saying what went wrong. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "host/control.h"

#define GIVEN_MAX 64

struct given {
	const char *name, *value;
};
/* One command line is one process: its options live here. */
static struct given given[GIVEN_MAX];
static size_t given_count;

static const struct cli_option common[] = {
	{ "config", "FILE",
	    "the daemon's configuration (default: $MUSTER_CONFIG, ./muster.conf, "
	    "/etc/muster/muster.conf)" },
	{ "json", NULL, "machine-readable output" },
	{ "quiet", NULL, "no words on standard error but errors" },
	{ "help", NULL, "this text" },
	{ NULL, NULL, NULL },
};

const struct cli_option *
cli_common_options(void)
{
	return common;
}

const char *
cli_option(const struct cli *c, const char *name)
{
	(void)c;
	for (size_t i = given_count; i-- > 0;)
		if (strcmp(given[i].name, name) == 0)
			return given[i].value;
	return NULL;
}

const char *
cli_option_at(const struct cli *c, const char *name, size_t nth)
{
	(void)c;
	for (size_t i = 0; i < given_count; i++)
		if (strcmp(given[i].name, name) == 0 && nth-- == 0)
			return given[i].value;
	return NULL;
}

bool
cli_flag(const struct cli *c, const char *name)
{
	return cli_option(c, name) != NULL;
}

long
cli_number(const struct cli *c, const char *name, long otherwise, long least, long most, bool *bad)
{
	const char *text = cli_option(c, name);
	char *end;
	long v;

	if (text == NULL)
		return otherwise;
	errno = 0;
	v = strtol(text, &end, 10);
	if (errno != 0 || *text == '\0' || *end != '\0' || v < least || v > most) {
		cli_fail(
		    c, CLI_USAGE, "--%s takes a whole number from %ld to %ld", name, least, most);
		*bad = true;
		return otherwise;
	}
	return v;
}

bool
cli_is_heading(const char *cell, size_t n)
{
	static const char *const headings[] = { "serial", "serials", "serialnumber",
		"serial-number", "serial_number", "serial number", "serial no", "serial no." };

	for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
		if (strlen(headings[i]) == n && strncasecmp(cell, headings[i], n) == 0)
			return true;
	return false;
}

const char *
cli_config(const struct cli *c)
{
	static const char *const places[] = { "muster.conf", "/etc/muster/muster.conf" };
	const char *path = cli_option(c, "config");

	if (path == NULL)
		path = getenv("MUSTER_CONFIG");
	for (size_t i = 0; path == NULL && i < sizeof places / sizeof places[0]; i++)
		if (access(places[i], R_OK) == 0)
			path = places[i];
	return path;
}

/* --- words --- */

int
cli_fail(const struct cli *c, enum cli_exit code, const char *fmt, ...)
{
	va_list ap;

	(void)c;
	fputs("muster: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return (int)code;
}

void
cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

enum cli_exit
cli_exit_of(mst_err e)
{
	int http = mst_err_info(e)->http;

	if (e == MST_OK)
		return CLI_OK;
	if (e == MST_E_USAGE)
		return CLI_USAGE;
	if (e == MST_E_CONFLICT)
		return CLI_CONFLICT;
	if (e == MST_E_UNREACHABLE || e == MST_E_TIMEOUT || e == MST_E_CONTROL || http == 502 ||
	    http == 504)
		return CLI_UNREACHABLE;
	if (http == 404)
		return CLI_NOT_FOUND;
	return http >= 400 && http < 500 ? CLI_REFUSED : CLI_FAILED;
}

int
cli_refuse(const struct cli *c, mst_err e, const char *detail)
{
	const struct mst_err_info *i = mst_err_info(e);
	bool words = detail != NULL && detail[0] != '\0';

	fprintf(stderr, "muster: %s %s%s%s\n", i->code, i->sentence, words ? " " : "",
	    words ? detail : "");
	if (!c->quiet)
		fprintf(stderr, "        %s (muster explain %s)\n", i->next, i->code);
	if (c->json)
		cli_print_json(
		    c, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s?}", "code", i->code, "name", i->name,
		           "reason", i->reason, "clause", i->clause, "sentence", i->sentence,
		           "next", i->next, "detail", words ? detail : NULL));
	return (int)cli_exit_of(e);
}

int
cli_print_json(const struct cli *c, json_t *j)
{
	int failed = j == NULL || json_dumpf(j, stdout,
	                              JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY) != 0;

	json_decref(j);
	if (putchar('\n') == EOF || fflush(stdout) != 0)
		failed = 1;
	return failed ? cli_fail(c, CLI_FAILED, "the output could not be written") : CLI_OK;
}

void
cli_progress(const struct cli *c, const char *what, int64_t done, int64_t of)
{
	enum { WIDTH = 40 };
	int full = of > 0 ? (int)(done * WIDTH / of) : WIDTH;

	if (c->quiet || (!c->progress && done < of))
		return;
	if (c->progress)
		fprintf(stderr, "\r%s [%.*s%*s] %lld/%lld%s", what, full,
		    "########################################", WIDTH - full, "", (long long)done,
		    (long long)of, done >= of ? "\n" : "");
	else
		fprintf(stderr, "%s: %lld of %lld\n", what, (long long)done, (long long)of);
	fflush(stderr);
}

/* The text of a cell; numbers and booleans in words; "-" for null. */
static const char *
cell(const json_t *row, const char *key, char *buf, size_t cap)
{
	const json_t *v = json_object_get(row, key);

	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v))
		snprintf(buf, cap, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, cap, "%s", json_is_true(v) ? "yes" : "no");
	else
		snprintf(buf, cap, "-");
	return buf;
}

void
cli_table(const struct cli *c, const json_t *list, const struct cli_column *columns, size_t count)
{
	size_t n = json_array_size(list);
	char buf[32];

	for (size_t i = 0; i <= n; i++) {
		for (size_t k = 0; k < count; k++) {
			size_t width = strlen(columns[k].heading);
			const char *text = i == 0 ? columns[k].heading
			                          : cell(json_array_get(list, i - 1),
			                                columns[k].key, buf, sizeof buf);

			for (size_t r = 0; r < n; r++) {
				char other[32];
				size_t w = strlen(cell(
				    json_array_get(list, r), columns[k].key, other, sizeof other));

				width = w > width ? w : width;
			}
			printf("%s%-*s%s", i == 0 && c->color ? "\033[1m" : "",
			    k + 1 < count ? (int)width + 2 : 0, text,
			    i == 0 && c->color ? "\033[0m" : "");
		}
		putchar('\n');
	}
}

struct daemon_progress {
	const struct cli *c;
	const char *what;
};

static void
on_progress(void *arg, int64_t done, int64_t of)
{
	struct daemon_progress *p = arg;

	cli_progress(p->c, p->what, done, of);
}

int
cli_daemon(const struct cli *c, const char *verb, json_t *args, const char *progress, json_t **data)
{
	const char *config = cli_config(c);
	struct daemon_progress p = { c, progress };
	struct control *control;
	mst_err e;

	if (config == NULL) {
		json_decref(args);
		return cli_fail(
		    c, CLI_USAGE, "which daemon? give --config FILE (`muster init` writes one)");
	}
	if ((e = control_open(config, &control)) != MST_OK) {
		json_decref(args);
		return cli_refuse(c, e, control_why());
	}
	e = control_call(control, verb, args, progress != NULL ? on_progress : NULL, &p, data);
	json_decref(args);
	control_close(control);
	return e == MST_OK ? CLI_OK : cli_refuse(c, e, control_why());
}

/* --- finding the command --- */

static const struct cli_option *
find_option(const struct cli_command *cmd, const char *name, size_t n)
{
	const struct cli_option *tables[] = { cmd != NULL ? cmd->options : NULL, common };

	for (size_t t = 0; t < 2; t++)
		for (const struct cli_option *o = tables[t]; o != NULL && o->name != NULL; o++)
			if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
				return o;
	return NULL;
}

/* How many letters must change: for the near word. Words are short. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[33], n = strlen(b);

	if (n > 32)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t up = row[j], best = corner + (a[i - 1] != b[j - 1]);

			best = up + 1 < best ? up + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			corner = up;
		}
	}
	return row[n];
}

static int
unknown(const struct cli *c, const char *what, const char *noun, const char *word)
{
	const char *near = NULL;
	size_t best = 3;

	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++) {
			const char *w = noun == NULL ? k->noun : k->verb;
			size_t d;

			if (w == NULL || (noun != NULL && strcmp(k->noun, noun) != 0))
				continue;
			if ((d = distance(word, w)) < best) {
				best = d;
				near = w;
			}
		}
	if (near != NULL)
		return cli_fail(c, CLI_USAGE, "no %s \"%s\"; did you mean \"%s\"? (muster --help)",
		    what, word, near);
	return cli_fail(c, CLI_USAGE, "no %s \"%s\" (muster --help lists them)", what, word);
}

static const struct cli_command *
find_command(const char *noun, const char *verb)
{
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++)
			if (strcmp(k->noun, noun) == 0 &&
			    (k->verb == NULL || (verb != NULL && strcmp(k->verb, verb) == 0)))
				return k;
	return NULL;
}

static bool
is_noun(const char *word)
{
	for (size_t t = 0; cli_tables[t] != NULL; t++)
		for (const struct cli_command *k = cli_tables[t]; k->noun != NULL; k++)
			if (strcmp(k->noun, word) == 0)
				return true;
	return false;
}

/* --- reading the line --- */

/* --name, --name=value, --name value; returns how many words it took, 0 when refused. */
static int
take_option(struct cli *c, char **words, int left)
{
	const char *name = words[0] + 2, *eq = strchr(name, '=');
	size_t n = eq != NULL ? (size_t)(eq - name) : strlen(name);
	const struct cli_option *o = find_option(c->command, name, n);
	int took = 1;

	if (o == NULL) {
		cli_fail(c, CLI_USAGE, "no option --%.*s here (--help lists them)", (int)n, name);
		return 0;
	}
	if (given_count == GIVEN_MAX) {
		cli_fail(c, CLI_USAGE, "too many options");
		return 0;
	}
	given[given_count].name = o->name;
	given[given_count].value = "";
	if (o->arg == NULL && eq != NULL) {
		cli_fail(c, CLI_USAGE, "--%s takes no value", o->name);
		return 0;
	}
	if (o->arg != NULL && eq != NULL) {
		given[given_count].value = eq + 1;
	} else if (o->arg != NULL) {
		if (left < 2) {
			cli_fail(c, CLI_USAGE, "--%s needs a value: %s", o->name, o->arg);
			return 0;
		}
		given[given_count].value = words[1];
		took = 2;
	}
	given_count++;
	return took;
}

static bool
take_words(struct cli *c, int argc, char **argv)
{
	static char help_word[] = "--help";
	char *help = help_word;
	bool options = true;

	c->argc = 0;
	for (int i = 0; i < argc;) {
		int took = 1;

		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && strncmp(argv[i], "--", 2) == 0)
			took = take_option(c, argv + i, argc - i);
		else if (options && strcmp(argv[i], "-h") == 0)
			took = take_option(c, &help, 1);
		else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			cli_fail(
			    c, CLI_USAGE, "options are long here: %s (--help lists them)", argv[i]);
			took = 0;
		} else
			c->argv[c->argc++] = argv[i];
		if (took == 0)
			return false;
		i += took;
	}
	return true;
}

/* "SERIAL [FILE...]": at least the words outside brackets, at most all, unless dots follow. */
static bool
count_fits(const char *args, int count)
{
	int least = 0, most = 0;
	bool open = false, inside = false, more = strstr(args, "...") != NULL;

	for (const char *p = args; *p != '\0'; p++) {
		if (*p == '[')
			open = true;
		if (*p == ' ')
			inside = false;
		else if (!inside && *p != '[' && *p != ']') {
			inside = true;
			most++;
			least += !open;
		}
		if (*p == ']')
			open = false;
	}
	return count >= least && (more || count <= most);
}

int
cli_run(int argc, char **argv)
{
	struct cli c = { .a = arena_new(0), .progress = isatty(STDERR_FILENO) == 1 };
	const char *no_color = getenv("NO_COLOR");
	int skip = 2, code;

	given_count = 0;
	c.color = isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0');
	if (c.a == NULL || (c.argv = arena_alloc(c.a, (size_t)(argc + 1) * sizeof *c.argv)) == NULL)
		return cli_fail(&c, CLI_FAILED, "out of memory");
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		help_all(argc < 2 ? stderr : stdout);
		code = argc < 2 ? CLI_USAGE : CLI_OK;
	} else if (strcmp(argv[1], "--version") == 0) {
		puts("muster " MUSTER_VERSION);
		code = CLI_OK;
	} else if (!is_noun(argv[1])) {
		code = unknown(&c, "command", NULL, argv[1]);
	} else if ((c.command = find_command(argv[1], argc > 2 ? argv[2] : NULL)) == NULL) {
		if (argc > 2 && argv[2][0] != '-')
			code = unknown(&c, "verb", argv[1], argv[2]);
		else {
			bool asked = argc > 2 && (strcmp(argv[2], "--help") == 0);

			help_noun(asked ? stdout : stderr, argv[1]);
			code = asked ? CLI_OK : CLI_USAGE;
		}
	} else {
		if (c.command->verb == NULL)
			skip = 1;
		if (!take_words(&c, argc - 1 - skip, argv + 1 + skip))
			code = CLI_USAGE;
		else if (cli_flag(&c, "help")) {
			help_command(stdout, c.command);
			code = CLI_OK;
		} else if (!count_fits(c.command->args, c.argc)) {
			help_usage(stderr, c.command);
			code = CLI_USAGE;
		} else {
			c.json = cli_flag(&c, "json");
			c.quiet = cli_flag(&c, "quiet");
			code = c.command->run(&c);
		}
	}
	arena_free(c.a);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* audit, backup, config, key, status: the daemon and its surroundings. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "host/control.h"
#include "host/key.h"

static int
audit(struct cli *c)
{
	static const struct cli_column columns[] = { { "seq", "NO." }, { "at", "TIME" },
		{ "role", "ROLE" }, { "step", "STEP" }, { "outcome", "OUTCOME" },
		{ "code", "CODE" }, { "detail", "DETAIL" } };
	bool bad = false;
	long limit = cli_number(c, "limit", 1000, 1, 1000000, &bad);
	long after = cli_number(c, "after", 0, 0, LONG_MAX, &bad);
	json_t *data;
	int code;

	if (bad)
		return CLI_USAGE;
	code = cli_daemon(c, "audit.list",
	    json_pack("{s:s?,s:I,s:I}", "serial", cli_option(c, "device"), "limit",
	        (json_int_t)limit, "after", (json_int_t)after),
	    NULL, &data);
	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_table(c, data, columns, 7);
	json_decref(data);
	return CLI_OK;
}

static int
backup(struct cli *c, const char *verb, const char *path, const char *done)
{
	json_t *data;
	int code = cli_daemon(c, verb, json_pack("{s:s}", "path", path), NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	cli_say(c, "%s: %s", path, done);
	json_decref(data);
	return CLI_OK;
}

static int
create(struct cli *c)
{
	char *cwd = getcwd(NULL, 0);
	const char *path =
	    c->argv[0][0] == '/' ? c->argv[0] : arena_printf(c->a, "%s/%s", cwd, c->argv[0]);

	free(cwd);
	return backup(c, "backup.create", path, "written and verified");
}

static int
verify(struct cli *c)
{
	char *path = realpath(c->argv[0], NULL);
	int code;

	if (path == NULL)
		return cli_fail(c, CLI_NOT_FOUND, "no file %s", c->argv[0]);
	code = backup(c, "backup.verify", path, "whole, and its hash chains hold");
	free(path);
	return code;
}

static int
status(struct cli *c)
{
	json_t *data, *n;
	const char *word;
	int code = cli_daemon(c, "status", NULL, NULL, &data);

	if (code != CLI_OK || c->json)
		return code != CLI_OK ? code : cli_print_json(c, data);
	printf("musterd %s: %s\n", json_string_value(json_object_get(data, "version")),
	    json_string_value(json_object_get(data, "roles")));
	json_object_foreach(json_object_get(data, "devices"), word, n)
	{
		if (json_integer_value(n) != 0)
			printf("%8lld %s\n", (long long)json_integer_value(n), word);
	}
	json_decref(data);
	return CLI_OK;
}

static int
check_config(struct cli *c)
{
	const char *path = c->argc > 0 ? c->argv[0] : cli_config(c);
	char daemon[1200];
	int status_;
	pid_t pid;

	if (path == NULL)
		return cli_fail(c, CLI_USAGE, "which file? give FILE or --config FILE");
	control_program("musterd", daemon, sizeof daemon);
	fflush(stdout);
	if ((pid = fork()) < 0)
		return cli_fail(c, CLI_FAILED, "out of processes");
	if (pid == 0) {
		execlp(daemon, "musterd", "--config", path, "--check", (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status_, 0) < 0 || !WIFEXITED(status_) || WEXITSTATUS(status_) == 127)
		return cli_fail(c, CLI_FAILED, "%s cannot be started", daemon);
	return WEXITSTATUS(status_) == 0 ? CLI_OK : CLI_FAILED;
}

static void
key_step(void *arg, const char *step, mst_err e, const char *detail)
{
	json_t *steps = arg;

	json_array_append_new(
	    steps, json_pack("{s:s,s:b,s:s?,s:s?}", "step", step, "ok", e == MST_OK, "code",
	               e == MST_OK ? NULL : mst_err_info(e)->code, "detail", detail));
}

static int
test_key(struct cli *c)
{
	json_t *steps = json_array(), *s;
	mst_err e = key_test(c->argv[0], key_step, steps);
	size_t i;
	int code;

	if (c->json) {
		cli_print_json(c, json_pack("{s:b,s:o}", "ok", e == MST_OK, "steps", steps));
		return (int)cli_exit_of(e);
	}
	json_array_foreach(steps, i, s)
	{
		const char *detail = json_string_value(json_object_get(s, "detail"));

		printf("%-6s %s%s%s\n", json_is_true(json_object_get(s, "ok")) ? "ok" : "FAILED",
		    json_string_value(json_object_get(s, "step")), detail != NULL ? ": " : "",
		    detail != NULL ? detail : "");
	}
	code = e == MST_OK ? CLI_OK : cli_refuse(c, e, key_why());
	json_decref(steps);
	return code;
}

static const struct cli_option audit_options[] = {
	{ "device", "SERIAL", "only rows about this device" },
	{ "limit", "N", "at most this many rows (default: 1000)" },
	{ "after", "NO", "only rows behind this one" },
	{ NULL, NULL, NULL },
};

const struct cli_command cmd_site[] = {
	{ "status", NULL, "", "what a daemon is and how many devices are in which state", NULL,
	    NULL, status },
	{ "audit", "list", "", "the trail of every decision, oldest first", NULL, audit_options,
	    audit },
	{ "backup", "create", "FILE", "copy the database while the daemon runs", NULL, NULL,
	    create },
	{ "backup", "verify", "FILE", "is this copy whole, and do its hash chains hold?", NULL,
	    NULL, verify },
	{ "config", "check", "[FILE]",
	    "read a configuration and say what it means or what is wrong", NULL, NULL,
	    check_config },
	{ "key", "test", "URI", "open a key, sign and verify with it; name the step that fails",
	    NULL, NULL, test_key },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};

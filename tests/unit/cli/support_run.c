/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/cli/support_run.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

static char folder[64];

static void
remove_folder(void)
{
	char command[96];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", folder);
}

static const char *
in_folder(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *p = path[turn++ % 4];

	if (folder[0] == '\0') {
		strcpy(folder, "/tmp/muster-cli-XXXXXX");
		assert_non_null(mkdtemp(folder));
		atexit(remove_folder);
	}
	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

const char *
scratch_file(const char *name, const void *bytes, size_t len)
{
	const char *path = in_folder(name);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void
slurp(const char *path, char *to, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(to, 1, cap - 1, f);
	to[n] = '\0';
	fclose(f);
}

struct ran *
run(const char *const *words)
{
	static struct ran r;
	char out[256], err[256], *argv[32] = { (char[]){ "muster" } };
	int status, argc = 1;
	pid_t pid;

	snprintf(out, sizeof out, "%s", in_folder("out"));
	snprintf(err, sizeof err, "%s", in_folder("err"));
	while (words[argc - 1] != NULL && argc < 31) {
		argv[argc] = strdup(words[argc - 1]);
		argc++;
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
		dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		status = cli_run(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	r.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	slurp(out, r.out, sizeof r.out);
	slurp(err, r.err, sizeof r.err);
	return &r;
}

json_t *
ran_json(const struct ran *r)
{
	json_t *j = json_loads(r->out, JSON_DECODE_ANY, NULL);

	if (j == NULL)
		print_error("no JSON: %s\n%s\n", r->out, r->err);
	assert_non_null(j);
	return j;
}

const char *
vector_path(const char *name)
{
	static char path[4][512];
	static unsigned turn;
	const char *base = getenv("MUSTER_VECTORS");
	char *p = path[turn++ % 4];

	snprintf(p, sizeof path[0], "%s/%s",
	    base != NULL ? base : MUSTER_SOURCE_DIR "/../shared/vectors", name);
	if (access(p, R_OK) == 0)
		return p;
	print_message("published vector %s is not here\n", name);
	return NULL;
}

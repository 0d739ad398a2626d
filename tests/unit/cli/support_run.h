/* SPDX-License-Identifier: Apache-2.0 */
/* The command line in a child, with its output caught. */
#ifndef UNIT_CLI_SUPPORT_RUN_H
#define UNIT_CLI_SUPPORT_RUN_H

#include <jansson.h>
#include <stddef.h>

struct ran {
	int code; /* exit code; -1: died otherwise */
	char out[1 << 18], err[1 << 16];
};

/* words: "muster" excluded, NULL at the end. The same storage each time. */
struct ran *run(const char *const *words);
#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })
/* stdout as JSON; fails the test when it is none. Caller frees. */
json_t *ran_json(const struct ran *r);
/* A file of bytes in the test's own folder, which goes with the process; its path. */
const char *scratch_file(const char *name, const void *bytes, size_t len);
/* A published vector's path, or NULL with a printed line. */
const char *vector_path(const char *name);

#endif

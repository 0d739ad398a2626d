/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control channel from anybody: whatever comes, each line is answered by
 * one line that ends it (and those of progress before), and all is JSON. The
 * verbs run on a database of their own, in memory where the system has it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "host/log.h"
#include "server/admin/admin.h"

#define RUNS_PER_DATABASE 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
mst_err __wrap_store_backup(struct store *s, const char *path);
mst_err __wrap_store_verify(const char *path);

mst_err
__wrap_store_backup(struct store *s, const char *path)
{
	return s != NULL && path[0] == '/' ? MST_E_IO : MST_E_INTERNAL;
}

mst_err
__wrap_store_verify(const char *path)
{
	return path != NULL ? MST_E_IO : MST_E_INTERNAL;
}

static struct {
	char dir[64];
	struct store *store;
	struct net *net;
	struct admin *admin;
	int in, out, runs;
} d;

static mst_err
hash_password(struct arena *a, mst_span password, const char **out)
{
	*out = arena_printf(a, "%zu", password.len);
	return *out != NULL ? MST_OK : MST_E_NOMEM;
}

static void
must(int good)
{
	if (!good)
		abort();
}

static void
down(void)
{
	struct dirent *f;
	char path[512];
	DIR *dir;

	if (d.store == NULL)
		return;
	admin_free(d.admin);
	store_close(d.store);
	net_free(d.net);
	must((dir = opendir(d.dir)) != NULL);
	while ((f = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", d.dir, f->d_name);
		(void)unlink(path);
	}
	closedir(dir);
	must(rmdir(d.dir) == 0);
	d.store = NULL;
}

static void
up(void)
{
	struct admin_config c = { .roles = "registrar masa", .password_hash = hash_password };
	char path[80];

	if (d.in == 0) {
		log_open("fuzz", LOG_TEXT, LOG_ERROR_, open("/dev/null", O_WRONLY | O_CLOEXEC));
		must((d.in = memfd_create("in", MFD_CLOEXEC)) > 0);
		must((d.out = memfd_create("out", MFD_CLOEXEC)) > 0);
		(void)OPENSSL_init_crypto(
		    OPENSSL_INIT_LOAD_CONFIG, NULL); /* whose end comes after ours */
		must(atexit(down) == 0);
	}
	snprintf(d.dir, sizeof d.dir, "%s/muster-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(d.dir) != NULL);
	snprintf(path, sizeof path, "%s/db", d.dir);
	must(store_open(path, &d.store) == MST_OK && net_new(1, &d.net) == MST_OK);
	c.store = d.store;
	c.net = d.net;
	must(admin_new(&c, &d.admin) == MST_OK);
}

/* Lines that end a call: what was asked is answered once, in order. */
static size_t
answers(void)
{
	off_t n = lseek(d.out, 0, SEEK_END);
	char *text = malloc((size_t)n + 1), *at = text, *end;
	size_t found = 0;

	must(text != NULL && pread(d.out, text, (size_t)n, 0) == n);
	for (; at < text + n; at = end + 1) {
		json_t *line;

		must((end = memchr(at, '\n', (size_t)(text + n - at))) != NULL);
		must((line = json_loadb(at, (size_t)(end - at), 0, NULL)) != NULL);
		must(json_object_get(line, "ok") != NULL ||
		     json_object_get(line, "progress") != NULL);
		if (json_is_false(json_object_get(line, "ok")))
			must(json_is_string(json_object_get(line, "code")) &&
			     json_is_string(json_object_get(line, "sentence")));
		found += json_object_get(line, "ok") != NULL;
		json_decref(line);
	}
	free(text);
	return found;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t lines = 0;

	if (d.runs++ % RUNS_PER_DATABASE == 0) {
		down();
		up();
	}
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	must(ftruncate(d.in, 0) == 0 && ftruncate(d.out, 0) == 0);
	must(pwrite(d.in, data, size, 0) == (ssize_t)size);
	must(lseek(d.in, 0, SEEK_SET) == 0 && lseek(d.out, 0, SEEK_SET) == 0);
	admin_serve(d.admin, d.in, d.out);
	must(answers() == lines);
	return 0;
}

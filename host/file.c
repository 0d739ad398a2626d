/* SPDX-License-Identifier: Apache-2.0 */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static _Thread_local char why[512];

const char *
file_why(void)
{
	return why;
}

static mst_err
fail(const char *verb, const char *path)
{
	int err = errno;

	snprintf(why, sizeof(why), "%s %s: %s", verb, path, strerror(err));
	return err == ENOENT || err == ENOTDIR ? MST_E_NOT_FOUND
	       : err == EEXIST                 ? MST_E_CONFLICT
	       : err == ENOMEM                 ? MST_E_NOMEM
	                                       : MST_E_IO;
}

/* A heap buffer that grows to at most limit + 1 bytes: one more tells that the file is too large.
 */
struct grow {
	uint8_t *ptr;
	size_t cap, len;
};

static mst_err
grow_more(struct grow *g, size_t limit, size_t hint)
{
	size_t most = limit < SIZE_MAX ? limit + 1 : limit;
	size_t cap = g->cap > 0 ? g->cap * 2 : hint > 4096 ? hint : 4096;
	uint8_t *p;

	if (cap > most)
		cap = most;
	/* Not realloc: the bytes may be a key, and the old copy must be wiped. */
	if ((p = malloc(cap)) == NULL)
		return MST_E_NOMEM;
	if (g->len > 0)
		memcpy(p, g->ptr, g->len);
	if (g->ptr != NULL)
		mst_wipe(g->ptr, g->cap);
	free(g->ptr);
	g->ptr = p;
	g->cap = cap;
	return MST_OK;
}

static mst_err
read_all(int fd, const char *path, size_t limit, struct grow *g)
{
	struct stat st;
	size_t hint = 0;
	mst_err e;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		hint = (size_t)st.st_size + 1;
	for (;;) {
		ssize_t n;

		if (g->len == g->cap && (e = grow_more(g, limit, hint)) != MST_OK)
			return e;
		n = read(fd, g->ptr + g->len, g->cap - g->len);
		if (n == 0)
			return MST_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail("read", path);
		g->len += (size_t)n;
		if (g->len > limit) {
			snprintf(why, sizeof(why), "read %s: larger than %zu bytes", path, limit);
			return MST_E_SPACE;
		}
	}
}

mst_err
file_read(struct arena *a, const char *path, size_t limit, mst_span *out)
{
	int from_stdin = strcmp(path, "-") == 0;
	int fd = from_stdin ? 0 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct grow g = { NULL, 0, 0 };
	mst_span copy;
	mst_err e;

	if (fd < 0)
		return fail("open", path);
	if ((e = read_all(fd, from_stdin ? "standard input" : path, limit, &g)) != MST_OK)
		goto out;
	copy = arena_dup(a, mst_span_of(g.ptr, g.len));
	if (copy.ptr == NULL) {
		snprintf(why, sizeof(why), "read %s: out of memory", path);
		e = MST_E_NOMEM;
		goto out;
	}
	*out = copy;
out:
	if (g.ptr != NULL)
		mst_wipe(g.ptr, g.cap);
	free(g.ptr);
	if (!from_stdin)
		close(fd);
	return e;
}

/* What a write needs to know of its target: the open folder and two names in it. */
struct target {
	const char *path;
	const char *base; /* in path */
	char temp[NAME_MAX + 1];
	int folder;
};

static mst_err
target_open(const char *path, struct target *t)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	uint64_t r;
	size_t n;

	*t =
	    (struct target){ .path = path, .base = slash == NULL ? path : slash + 1, .folder = -1 };
	n = slash == NULL ? 0 : (size_t)(slash - path);
	if (n >= sizeof(dir) || *t->base == '\0' || strlen(t->base) > NAME_MAX - 24) {
		errno = *t->base == '\0' ? EISDIR : ENAMETOOLONG;
		return fail("open", path);
	}
	if (slash == NULL)
		strcpy(dir, ".");
	else if (n == 0)
		strcpy(dir, "/");
	else
		snprintf(dir, sizeof(dir), "%.*s", (int)n, path);
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return fail("getrandom for", path);
	snprintf(t->temp, sizeof(t->temp), ".%s.%016llx", t->base, (unsigned long long)r);
	if ((t->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail("open", dir);
	return MST_OK;
}

static mst_err
temp_write(const struct target *t, mst_span bytes, unsigned mode)
{
	int fd = openat(
	    t->folder, t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
	mst_err e = MST_OK;

	if (fd < 0)
		return fail("create a file beside", t->path);
	for (size_t at = 0; at < bytes.len && e == MST_OK;) {
		ssize_t n = write(fd, bytes.ptr + at, bytes.len - at);

		if (n >= 0)
			at += (size_t)n;
		else if (errno != EINTR)
			e = fail("write", t->path);
	}
	if (e == MST_OK && fsync(fd) != 0)
		e = fail("fsync", t->path);
	if (close(fd) != 0 && e == MST_OK)
		e = fail("close", t->path);
	return e;
}

enum onto { REPLACE, EXCLUSIVE };

/* rename(2) replaces a symbolic link and does not follow it. */
static int
rename_to(const struct target *t, enum onto onto)
{
	if (onto == REPLACE)
		return renameat(t->folder, t->temp, t->folder, t->base);
	if (renameat2(t->folder, t->temp, t->folder, t->base, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* The file system has no exclusive rename; a link is as good. */
	if (linkat(t->folder, t->temp, t->folder, t->base, 0) != 0)
		return -1;
	return unlinkat(t->folder, t->temp, 0);
}

static mst_err
write_whole(const char *path, mst_span bytes, unsigned mode, enum onto onto)
{
	struct target t;
	mst_err e = target_open(path, &t);

	if (e != MST_OK)
		return e;
	if ((e = temp_write(&t, bytes, mode)) == MST_OK && rename_to(&t, onto) != 0)
		e = fail("rename to", path);
	if (e != MST_OK)
		unlinkat(t.folder, t.temp, 0); /* best effort: the target is untouched */
	else if (fsync(t.folder) != 0)
		e = fail("fsync the folder of", path);
	close(t.folder);
	return e;
}

mst_err
file_write_atomic(const char *path, mst_span bytes, unsigned mode)
{
	return write_whole(path, bytes, mode, REPLACE);
}

mst_err
file_write_new(const char *path, mst_span bytes, unsigned mode)
{
	return write_whole(path, bytes, mode, EXCLUSIVE);
}

/* The entry of a new folder is durable like that of a new file. */
static mst_err
sync_parent(char *path)
{
	char *slash = strrchr(path, '/');
	const char *dir = slash == NULL ? "." : slash == path ? "/" : path;
	mst_err e = MST_OK;
	int fd;

	if (slash != NULL)
		*slash = '\0';
	if (slash == path)
		dir = "/";
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(fd) != 0)
		e = fail("fsync", dir);
	if (fd >= 0)
		close(fd);
	if (slash != NULL)
		*slash = '/';
	return e;
}

static mst_err
make_one(char *path, unsigned mode)
{
	struct stat st;

	if (mkdir(path, (mode_t)mode) == 0)
		return sync_parent(path);
	if (errno == EEXIST && stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return MST_OK;
		errno = EEXIST;
	}
	return fail("mkdir", path);
}

mst_err
file_make_dir(const char *path, unsigned mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	mst_err e;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof(part)) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return fail("mkdir", path);
	}
	memcpy(part, path, len);
	part[len] = '\0';
	for (size_t i = 1; i < len; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		e = make_one(part, 0755);
		part[i] = '/';
		if (e != MST_OK)
			return e;
	}
	return make_one(part, mode);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/file.h"

struct place {
	char dir[32];
	struct arena *a;
};

static char path_[4][128];

/* dir/name; four at a time. */
static const char *
in(const struct place *p, const char *name)
{
	static unsigned turn;
	char *s = path_[turn++ % 4];

	snprintf(s, sizeof(path_[0]), "%s/%s", p->dir, name);
	return s;
}

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	strcpy(p->dir, "/tmp/muster-file-XXXXXX");
	p->a = arena_new(0);
	*state = p;
	return mkdtemp(p->dir) == NULL || p->a == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", p->dir);
	arena_free(p->a);
	free(p);
	return system(cmd);
}

/* Names in the folder: a failed write must leave no temporary file. */
static int
entries(const struct place *p)
{
	DIR *d = opendir(p->dir);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

static void
holds(const struct place *p, const char *name, mst_span want)
{
	mst_span got;

	assert_int_equal(file_read(p->a, in(p, name), 1000, &got), MST_OK);
	assert_true(mst_span_eq(got, want));
	assert_int_equal(got.ptr[got.len], 0);
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
written_is_read(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("one"), 0600), MST_OK);
	holds(p, "f", MST_LIT("one"));
	assert_int_equal(mode_of(in(p, "f")), 0600);
	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("two"), 0640), MST_OK);
	holds(p, "f", MST_LIT("two"));
	assert_int_equal(mode_of(in(p, "f")), 0640);
	assert_int_equal(entries(p), 1);
}

static void
empty_is_present(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT(""), 0600), MST_OK);
	holds(p, "f", MST_LIT(""));
}

static void
read_limit_is_exact(void **state)
{
	struct place *p = *state;
	mst_span got = MST_NONE;

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("12345"), 0600), MST_OK);
	assert_int_equal(file_read(p->a, in(p, "f"), 5, &got), MST_OK);
	assert_int_equal(got.len, 5);
	got = MST_NONE;
	assert_int_equal(file_read(p->a, in(p, "f"), 4, &got), MST_E_SPACE);
	assert_null(got.ptr);
	assert_non_null(strstr(file_why(), "larger than 4"));
}

static void
read_of_endless_file_ends(void **state)
{
	struct place *p = *state;
	mst_span got;

	assert_int_equal(file_read(p->a, "/dev/zero", 100000, &got), MST_E_SPACE);
}

static void
read_missing(void **state)
{
	struct place *p = *state;
	mst_span got;

	assert_int_equal(file_read(p->a, in(p, "none"), 10, &got), MST_E_NOT_FOUND);
	assert_non_null(strstr(file_why(), "open "));
	assert_non_null(strstr(file_why(), "No such file"));
}

static void
read_folder(void **state)
{
	struct place *p = *state;
	mst_span got;

	assert_int_equal(file_read(p->a, p->dir, 10, &got), MST_E_IO);
}

static void
read_over_arena_limit(void **state)
{
	struct place *p = *state;
	struct arena *small = arena_new(64);
	char big[4000];
	mst_span got = MST_NONE;

	memset(big, 'x', sizeof(big));
	assert_int_equal(
	    file_write_atomic(in(p, "f"), mst_span_of(big, sizeof(big)), 0600), MST_OK);
	assert_int_equal(file_read(small, in(p, "f"), 10000, &got), MST_E_NOMEM);
	assert_null(got.ptr);
	arena_free(small);
}

static void
standard_input(void **state)
{
	struct place *p = *state;
	int fds[2], saved = dup(0);
	mst_span got;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "abc", 3), 3);
	close(fds[1]);
	dup2(fds[0], 0);
	close(fds[0]);
	assert_int_equal(file_read(p->a, "-", 10, &got), MST_OK);
	assert_true(mst_span_eq(got, MST_LIT("abc")));
	dup2(saved, 0);
	close(saved);
}

static void
missing_folder(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_atomic(in(p, "no/f"), MST_LIT("x"), 0600), MST_E_NOT_FOUND);
	assert_non_null(strstr(file_why(), "no: No such file"));
}

static void
target_is_a_folder(void **state)
{
	struct place *p = *state;

	assert_int_equal(mkdir(in(p, "d"), 0755), 0);
	assert_int_equal(file_write_atomic(in(p, "d"), MST_LIT("x"), 0600), MST_E_IO);
	assert_int_equal(file_write_atomic(in(p, "d/"), MST_LIT("x"), 0600), MST_E_IO);
	assert_int_equal(entries(p), 1);
}

/* Run fn in a child with less rights or less room; its answer is the exit status. */
static int
child(int (*fn)(const struct place *), const struct place *p)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(fn(p));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
disk_full(const struct place *p)
{
	struct rlimit r = { 2, 2 };
	mst_err e;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &r) != 0)
		return 2;
	e = file_write_atomic(in(p, "f"), MST_LIT("newer"), 0600);
	return e == MST_E_IO && strstr(file_why(), "write ") != NULL ? 0 : 1;
}

static void
write_that_fails_midway_leaves_the_old(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("old"), 0600), MST_OK);
	assert_int_equal(child(disk_full, p), 0);
	holds(p, "f", MST_LIT("old"));
	assert_int_equal(entries(p), 1);
}

static int
as_nobody(const struct place *p)
{
	if (getuid() == 0 && setuid(65534) != 0)
		return 2;
	return file_write_atomic(in(p, "f"), MST_LIT("new"), 0600) == MST_E_IO &&
	               strstr(file_why(), "Permission denied") != NULL
	           ? 0
	           : 1;
}

static void
read_only_folder_leaves_the_old(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("old"), 0644), MST_OK);
	assert_int_equal(chmod(p->dir, 0555), 0);
	assert_int_equal(child(as_nobody, p), 0);
	assert_int_equal(chmod(p->dir, 0755), 0);
	holds(p, "f", MST_LIT("old"));
	assert_int_equal(entries(p), 1);
}

static void
symlink_is_replaced_not_followed(void **state)
{
	struct place *p = *state;
	struct stat st;

	assert_int_equal(file_write_atomic(in(p, "victim"), MST_LIT("safe"), 0600), MST_OK);
	assert_int_equal(symlink("victim", in(p, "f")), 0);
	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("new"), 0600), MST_OK);
	holds(p, "victim", MST_LIT("safe"));
	holds(p, "f", MST_LIT("new"));
	assert_int_equal(lstat(in(p, "f"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void
readers_see_old_or_new(void **state)
{
	struct place *p = *state;
	int old;
	char got[8] = "";

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("old"), 0600), MST_OK);
	old = open(in(p, "f"), O_RDONLY);
	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("newer"), 0600), MST_OK);
	assert_int_equal(read(old, got, sizeof(got)), 3);
	assert_string_equal(got, "old");
	close(old);
}

static void
new_refuses_existing(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_new(in(p, "f"), MST_LIT("first"), 0600), MST_OK);
	assert_int_equal(mode_of(in(p, "f")), 0600);
	assert_int_equal(file_write_new(in(p, "f"), MST_LIT("second"), 0600), MST_E_CONFLICT);
	holds(p, "f", MST_LIT("first"));
	assert_int_equal(entries(p), 1);
}

static void
new_refuses_dangling_symlink(void **state)
{
	struct place *p = *state;

	assert_int_equal(symlink("elsewhere", in(p, "f")), 0);
	assert_int_equal(file_write_new(in(p, "f"), MST_LIT("x"), 0600), MST_E_CONFLICT);
	assert_int_equal(access(in(p, "elsewhere"), F_OK), -1);
	assert_int_equal(entries(p), 1);
}

static void
relative_paths(void **state)
{
	struct place *p = *state;
	char cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(p->dir), 0);
	assert_int_equal(file_write_atomic("f", MST_LIT("x"), 0600), MST_OK);
	assert_int_equal(file_make_dir("a/b", 0700), MST_OK);
	assert_int_equal(chdir(cwd), 0);
	holds(p, "f", MST_LIT("x"));
	assert_int_equal(mode_of(in(p, "a/b")), 0700);
}

static void
name_too_long(void **state)
{
	struct place *p = *state;
	char path[400];

	snprintf(path, sizeof(path), "%s/%0250d", p->dir, 0);
	assert_int_equal(file_write_atomic(path, MST_LIT("x"), 0600), MST_E_IO);
	assert_int_equal(entries(p), 0);
}

static void
make_dir_makes_all_and_repeats(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_make_dir(in(p, "a/b/c/"), 0700), MST_OK);
	assert_int_equal(mode_of(in(p, "a/b/c")), 0700);
	assert_int_equal(mode_of(in(p, "a")), 0755);
	assert_int_equal(file_make_dir(in(p, "a/b/c"), 0755), MST_OK);
	assert_int_equal(mode_of(in(p, "a/b/c")), 0700);
}

static void
make_dir_over_file(void **state)
{
	struct place *p = *state;

	assert_int_equal(file_write_atomic(in(p, "f"), MST_LIT("x"), 0600), MST_OK);
	assert_int_equal(file_make_dir(in(p, "f"), 0700), MST_E_CONFLICT);
	assert_int_not_equal(file_make_dir(in(p, "f/g"), 0700), MST_OK);
	assert_int_equal(file_make_dir("", 0700), MST_E_NOT_FOUND);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(written_is_read),
		T(empty_is_present),
		T(read_limit_is_exact),
		T(read_of_endless_file_ends),
		T(read_missing),
		T(read_folder),
		T(read_over_arena_limit),
		T(standard_input),
		T(missing_folder),
		T(target_is_a_folder),
		T(write_that_fails_midway_leaves_the_old),
		T(read_only_folder_leaves_the_old),
		T(symlink_is_replaced_not_followed),
		T(readers_see_old_or_new),
		T(new_refuses_existing),
		T(new_refuses_dangling_symlink),
		T(relative_paths),
		T(name_too_long),
		T(make_dir_makes_all_and_repeats),
		T(make_dir_over_file),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

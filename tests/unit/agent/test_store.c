/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the device keeps, under kill -9 and decay. The system calls that
 * change a disk are wrapped in this program: the n-th one kills the process
 * instead (a write half done before), for every n.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/agent_store.h"
#include "host/file.h"
#include "unit/agent/support_pki.h"

/* ---- the fault: the call that is not made any more ---- */

static int fuse = -1; /* -1: none */
static int calls;

enum { KILLED = 77 };

static bool
burns(void)
{
	calls++;
	return fuse >= 0 && calls > fuse;
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	if (burns()) {
		(void)syscall(SYS_write, fd, bytes, n / 2);
		_exit(KILLED);
	}
	return syscall(SYS_write, fd, bytes, n);
}

int
fsync(int fd)
{
	if (burns())
		_exit(KILLED);
	return (int)syscall(SYS_fsync, fd);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (burns())
		_exit(KILLED);
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int
unlink(const char *path)
{
	if (burns())
		_exit(KILLED);
	return (int)syscall(SYS_unlink, path);
}

/* ---- the good object ---- */

struct bench {
	char folder[64];
	struct pki ca, first, second;
};

static int
set_up(void **state)
{
	static struct bench b;

	fuse = -1;
	snprintf(b.folder, sizeof b.folder, "/tmp/muster-store-XXXXXX");
	MUST(mkdtemp(b.folder) != NULL);
	if (b.ca.key == NULL) {
		b.ca = pki_root("Site CA");
		b.first = pki_leaf(&b.ca, "lamp", "LAMP-1", "clientAuth", 86400);
		b.second = pki_leaf(&b.ca, "lamp", "LAMP-1", "clientAuth", 86400);
	}
	*state = &b;
	return 0;
}

static int
tear_down(void **state)
{
	struct bench *b = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", b->folder);
	return system(command);
}

static int
free_pki(void **state)
{
	struct bench *b;

	(void)set_up(state);
	b = *state;
	pki_free(&b->ca);
	pki_free(&b->first);
	pki_free(&b->second);
	return tear_down(state);
}

static mst_err
store(struct bench *b, const struct pki *id, enum agent_reported reported)
{
	struct agent_record r = { .key = id->key,
		.cert = id->cert,
		.anchors = sk_X509_new_null(),
		.reported = reported,
		.jitter = 4000000001u,
		.peer = "https://reg.example:8443" };
	mst_err e;

	MUST(sk_X509_push(r.anchors, b->ca.cert) > 0);
	e = agent_record_write(b->folder, &r);
	sk_X509_free(r.anchors);
	return e;
}

/* Whose record is there? NULL: factory-fresh. Anything else fails the test. */
static const struct pki *
owner(struct bench *b)
{
	const struct pki *found = NULL;
	struct agent_record r;
	mst_err e = agent_record_read(b->folder, &r);

	if (e == MST_E_NOT_FOUND)
		return NULL;
	assert_int_equal(e, MST_OK);
	if (X509_cmp(r.cert, b->first.cert) == 0)
		found = &b->first;
	else if (X509_cmp(r.cert, b->second.cert) == 0)
		found = &b->second;
	assert_non_null(found);
	assert_int_equal(EVP_PKEY_eq(r.key, found->key), 1);
	assert_int_equal(X509_cmp(sk_X509_value(r.anchors, 0), b->ca.cert), 0);
	agent_record_wipe(&r);
	return found;
}

static char *
record_path(struct bench *b)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/ldevid.pem", b->folder);
	return path;
}

static void
kept(void **state)
{
	struct bench *b = *state;
	struct agent_record r;
	struct stat st;

	assert_int_equal(agent_record_read(b->folder, &r), MST_E_NOT_FOUND);
	assert_int_equal(store(b, &b->first, AGENT_NOT_REPORTED), MST_OK);
	assert_int_equal(agent_record_read(b->folder, &r), MST_OK);
	assert_int_equal(r.reported, AGENT_NOT_REPORTED);
	assert_int_equal(r.jitter, 4000000001u);
	assert_string_equal(r.peer, "https://reg.example:8443");
	agent_record_wipe(&r);
	assert_ptr_equal(owner(b), &b->first);
	assert_int_equal(stat(record_path(b), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* ---- kill -9 at every change of the disk ---- */

struct deed {
	const char *name;
	bool enrolled_before;
	int (*act)(struct bench *b);
};

static int
enrol(struct bench *b)
{
	return store(b, &b->second, AGENT_NOT_REPORTED) != MST_OK;
}

static int
report(struct bench *b)
{
	return store(b, &b->first, AGENT_REPORTED) != MST_OK;
}

static int
reset(struct bench *b)
{
	struct agent_config cfg = { .state = b->folder };
	pid_t holder;

	return agent_factory_reset(&cfg, &holder) != MST_OK;
}

static const struct deed deeds[] = {
	{ "D21 kill at every write of the first KEEP: fresh or enrolled", false, enrol },
	{ "D21 kill at every write of a renewal: old or new", true, enrol },
	{ "D21 kill at every write of the report: enrolled", true, report },
	{ "D21 kill at every write of a factory reset: enrolled or fresh", true, reset },
};

static int
run_with_fuse(struct bench *b, const struct deed *d, int n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		fuse = n;
		calls = 0;
		_exit(d->act(b));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
judge_after(struct bench *b, const struct deed *d, const struct pki *found, bool finished)
{
	if (d->act == enrol)
		assert_true(
		    found == &b->second || found == (d->enrolled_before ? &b->first : NULL));
	else if (d->act == report)
		assert_ptr_equal(found, &b->first);
	else
		assert_true(found == NULL || found == &b->first);
	if (finished)
		assert_ptr_equal(found, d->act == enrol    ? &b->second
		                        : d->act == report ? &b->first
		                                           : NULL);
}

/* A start sweeps up what was half-written: a key must not lie around. */
static void
assert_swept(struct bench *b)
{
	char command[128];
	pid_t holder;
	int fd;

	assert_int_equal(agent_lock(b->folder, &fd, &holder), MST_OK);
	close(fd);
	snprintf(command, sizeof command, "test -z \"$(ls -A %s | grep '^\\.')\"", b->folder);
	assert_int_equal(system(command), 0);
}

static void
killed(void **state)
{
	struct bench *b = *state;
	/* set_up took *state; the row is found by its turn. */
	static size_t turn;
	const struct deed *d = &deeds[turn++];
	int n, code = KILLED;

	for (n = 0; code == KILLED; n++) {
		assert_true(n < 100);
		assert_int_equal(agent_record_clear(b->folder), MST_OK);
		if (d->enrolled_before)
			assert_int_equal(store(b, &b->first, AGENT_NOT_REPORTED), MST_OK);
		code = run_with_fuse(b, d, n);
		judge_after(b, d, owner(b), code == 0);
		assert_swept(b);
	}
	assert_int_equal(code, 0);
	assert_true(n > 3); /* write, fsync, rename, fsync of the folder */
	print_message("killed %d times: %s\n", n - 1, d->name);
}

/* ---- decay ---- */

static mst_err
read_changed(struct bench *b, mst_span bytes)
{
	struct agent_record r;
	int fd = open(record_path(b), O_WRONLY | O_TRUNC);
	mst_err e;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
	close(fd);
	e = agent_record_read(b->folder, &r);
	if (e == MST_OK)
		agent_record_wipe(&r);
	return e;
}

static mst_span
stored(struct bench *b, struct arena *a)
{
	mst_span all;

	assert_int_equal(store(b, &b->first, AGENT_REPORTED), MST_OK);
	assert_int_equal(file_read(a, record_path(b), 1 << 20, &all), MST_OK);
	assert_int_equal(read_changed(b, all), MST_OK);
	return all;
}

static void
bit_flips(void **state)
{
	struct bench *b = *state;
	struct arena *a = arena_new(0);
	mst_span all = stored(b, a);
	uint8_t *bytes = (uint8_t *)(uintptr_t)all.ptr;

	for (size_t i = 0; i < all.len * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
		if (read_changed(b, all) != MST_E_PLEDGE_STORE_CORRUPT)
			fail_msg("bit %zu of byte %zu goes unnoticed", i % 8, i / 8);
		bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	arena_free(a);
}

static void
prefixes(void **state)
{
	struct bench *b = *state;
	struct arena *a = arena_new(0);
	mst_span all = stored(b, a);

	for (size_t n = 0; n < all.len; n++)
		if (read_changed(b, mst_span_of(all.ptr, n)) != MST_E_PLEDGE_STORE_CORRUPT)
			fail_msg("the first %zu bytes alone go unnoticed", n);
	arena_free(a);
}

static void
appended(void **state)
{
	struct bench *b = *state;
	struct arena *a = arena_new(0);
	mst_span all = stored(b, a);
	mst_span more = mst_span_of(all.ptr, all.len + 1); /* the NUL behind it */

	assert_int_equal(read_changed(b, more), MST_E_PLEDGE_STORE_CORRUPT);
	arena_free(a);
}

static void
not_a_file(void **state)
{
	struct bench *b = *state;
	struct agent_record r;

	assert_int_equal(mkdir(record_path(b), 0700), 0);
	assert_int_equal(agent_record_read(b->folder, &r), MST_E_PLEDGE_STORE_CORRUPT);
}

static void
readable_key(void **state)
{
	struct bench *b = *state;
	struct agent_record r;

	assert_int_equal(store(b, &b->first, AGENT_REPORTED), MST_OK);
	assert_int_equal(chmod(record_path(b), 0640), 0);
	assert_int_equal(agent_record_read(b->folder, &r), MST_E_KEY_PERMISSIONS);
}

/* Damage is no hindrance to the way out of it. */
static void
reset_of_damage(void **state)
{
	struct bench *b = *state;
	struct arena *a = arena_new(0);
	struct agent_counters c;
	mst_span all = stored(b, a);

	assert_int_equal(
	    read_changed(b, mst_span_of(all.ptr, all.len / 2)), MST_E_PLEDGE_STORE_CORRUPT);
	assert_int_equal(reset(b), 0);
	assert_null(owner(b));
	assert_int_equal(agent_counters_read(b->folder, &c), MST_OK);
	assert_int_equal(c.resets, 1);
	arena_free(a);
}

static void
counters(void **state)
{
	static const char *const bad[] = { "", "boots 1\n", "boots 1\nresets 2\ntime 3",
		"boots -1\nresets 2\ntime 3\n", "boots 1\nresets 2\ntime 3\nx",
		"boots 1\nresets x\ntime 3\n" };
	struct bench *b = *state;
	struct agent_counters c = { 7, 2, 1795000000 }, d;
	char path[128];

	assert_int_equal(agent_counters_read(b->folder, &d), MST_OK);
	assert_int_equal(d.boots + d.resets + d.last_time, 0);
	assert_int_equal(agent_counters_write(b->folder, &c), MST_OK);
	assert_int_equal(agent_counters_read(b->folder, &d), MST_OK);
	assert_memory_equal(&c, &d, sizeof c);
	snprintf(path, sizeof path, "%s/counters", b->folder);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(file_write_atomic(path, mst_span_str(bad[i]), 0600), MST_OK);
		assert_int_equal(agent_counters_read(b->folder, &d), MST_E_PLEDGE_STORE_CORRUPT);
	}
}

static void
one_agent(void **state)
{
	struct bench *b = *state;
	pid_t holder = 0, pid;
	int fd, other, status;

	assert_int_equal(agent_lock_holder(b->folder), 0);
	assert_int_equal(agent_lock(b->folder, &fd, &holder), MST_OK);
	pid = fork();
	if (pid == 0)
		_exit(agent_lock(b->folder, &other, &holder) == MST_E_CONFLICT &&
		              holder == getppid() && agent_lock_holder(b->folder) == getppid()
		          ? 0
		          : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	assert_int_equal(agent_lock_holder(b->folder), 0);
}

static void
private_folder(void **state)
{
	struct bench *b = *state;
	char deeper[128];
	struct stat st;
	pid_t holder;
	int fd;

	snprintf(deeper, sizeof deeper, "%s/new/state", b->folder);
	assert_int_equal(agent_lock(deeper, &fd, &holder), MST_OK);
	close(fd);
	assert_int_equal(stat(deeper, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ deeds[0].name, killed, set_up, tear_down, NULL },
		{ deeds[1].name, killed, set_up, tear_down, NULL },
		{ deeds[2].name, killed, set_up, tear_down, NULL },
		{ deeds[3].name, killed, set_up, tear_down, NULL },
		{ "SEC-6 kept, for the owner alone", kept, set_up, tear_down, NULL },
		{ "D21 every bit flip refused by name", bit_flips, set_up, tear_down, NULL },
		{ "D21 every strict prefix refused by name", prefixes, set_up, tear_down, NULL },
		{ "D21 a byte too many", appended, set_up, tear_down, NULL },
		{ "D21 a folder in its place", not_a_file, set_up, tear_down, NULL },
		{ "SEC-6 a key that others can read", readable_key, set_up, tear_down, NULL },
		{ "section-26 factory reset of a damaged store", reset_of_damage, set_up, tear_down,
		    NULL },
		{ "section-26 counters", counters, set_up, tear_down, NULL },
		{ "two agents never share a state", one_agent, set_up, tear_down, NULL },
		{ "SEC-6 the folder is private", private_folder, set_up, tear_down, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, free_pki);
}

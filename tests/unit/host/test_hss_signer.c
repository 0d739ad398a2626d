/* SPDX-License-Identifier: Apache-2.0 */
/* Sheet suit.md 17: an HSS key never signs twice by one leaf, whatever happens to it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/hss_signer.h"
#include "host/hss_tree.h"

#define SIGNATURE_MAX 16384

static char folder[64], key[128];
static const struct hss_parameters small = { 1, { 5 }, { 4 } }, two = { 2, { 5, 5 }, { 8, 4 } };

static int
in_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/muster-hss-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(key, sizeof key, "%s/key", folder);
	return 0;
}

static void
run(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	assert_int_equal(system(line), 0);
}

static int
out_of_folder(void **state)
{
	(void)state;
	run("rm -rf %s", folder);
	return 0;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct hss_signer *
opened(void)
{
	struct hss_signer *s = NULL;

	assert_int_equal(hss_signer_open(key, 0, &s), MST_OK);
	return s;
}

static mst_err
sign_once(struct hss_signer *s, uint32_t *q)
{
	static uint8_t bytes[SIGNATURE_MAX];
	struct mst_buf out = MST_BUF(bytes);
	mst_span message = MST_LIT("firmware");
	mst_err e = hss_signer_sign(s, &message, 1, &out);

	if (e == MST_OK) { /* with one level q stands behind Nspk */
		assert_int_equal(out.len, hss_signer_signature_len(s));
		*q = get32(bytes + 4);
	} else {
		assert_int_equal(out.len, 0);
	}
	return e;
}

static mst_err
open_err(uint64_t floor)
{
	struct hss_signer *s = NULL;
	mst_err e = hss_signer_open(key, floor, &s);

	hss_signer_close(s);
	return e;
}

static void
signs_and_counts(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	s = opened();
	assert_int_equal(hss_signer_left(s), 32);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(sign_once(s, &q), MST_OK);
		assert_int_equal(q, i);
	}
	hss_signer_close(s);
	s = opened();
	assert_int_equal(hss_signer_used(s), 3);
	assert_int_equal(sign_once(s, &q), MST_OK);
	assert_int_equal(q, 3);
	assert_int_equal(hss_signer_left(s), 28);
	assert_int_equal(hss_signer_public(s).len, MST_HSS_PUBLIC_LEN);
	hss_signer_close(s);
}

static void
exhausted_is_refused(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	s = opened();
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(sign_once(s, &q), MST_OK);
	assert_int_equal(hss_signer_left(s), 0);
	assert_int_equal(sign_once(s, &q), MST_E_HSS_EXHAUSTED);
	hss_signer_close(s);
	s = opened();
	assert_int_equal(sign_once(s, &q), MST_E_HSS_EXHAUSTED);
	hss_signer_close(s);
}

/* 34 signatures by two levels of five: the second tree below begins, each one verifies (the
 * signer verifies what it makes with core/hss), and the leaves' pairs differ. */
static void
levels_go_on_in_the_next_tree(void **state)
{
	static uint8_t bytes[SIGNATURE_MAX];
	mst_span message = MST_LIT("firmware");
	struct hss_signer *s;
	size_t below;

	(void)state;
	assert_int_equal(hss_key_make(key, &two), MST_OK);
	s = opened();
	assert_int_equal(hss_signer_left(s), 1024);
	below = 4 + hss_tree_signature_len(5, 8) + HSS_LMS_PUBLIC_LEN;
	for (uint32_t i = 0; i < 34; i++) {
		struct mst_buf out = MST_BUF(bytes);

		assert_int_equal(hss_signer_sign(s, &message, 1, &out), MST_OK);
		assert_int_equal(get32(bytes), 1);
		assert_int_equal(get32(bytes + 4), i / 32);
		assert_int_equal(get32(bytes + below), i % 32);
	}
	hss_signer_close(s);
}

static void
missing_state_is_refused(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("rm %s.state", key);
	assert_int_equal(open_err(0), MST_E_HSS_STATE);
}

static void
missing_lock_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("rm %s.lock", key);
	assert_int_equal(open_err(0), MST_E_HSS_STATE);
}

static void
empty_lock_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run(": > %s.lock", key);
	assert_int_equal(open_err(0), MST_E_HSS_STATE);
}

static void
state_put_back_is_refused(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("cp -p %s.state %s.old", key, key);
	s = opened();
	assert_int_equal(sign_once(s, &q), MST_OK);
	hss_signer_close(s);
	run("mv %s.old %s.state", key, key);
	assert_int_equal(open_err(0), MST_E_HSS_STATE_BACK);
}

static void
state_put_back_beneath_an_open_key_is_refused(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("cp -p %s.state %s.old", key, key);
	s = opened();
	assert_int_equal(sign_once(s, &q), MST_OK);
	run("mv %s.old %s.state", key, key);
	assert_int_equal(sign_once(s, &q), MST_E_HSS_STATE_BACK);
	hss_signer_close(s);
}

static void
copied_key_is_refused(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("cd %s && for f in key key.state key.lock key.nodes; do cp -p $f copy-$f; done && "
	    "rm key key.state key.lock key.nodes && for f in key key.state key.lock key.nodes; do "
	    "mv "
	    "copy-$f $f; done",
	    folder);
	assert_int_equal(open_err(0), MST_E_HSS_STATE_BACK);
}

static void
floor_above_the_state_is_refused(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	assert_int_equal(open_err(0), MST_OK);
	assert_int_equal(open_err(1), MST_E_HSS_STATE_BACK);
}

static void
state_of_another_key_is_refused(void **state)
{
	char other[160];

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	(void)snprintf(other, sizeof other, "%s.other", key);
	assert_int_equal(hss_key_make(other, &small), MST_OK);
	run("cp %s.state %s.state", other, key);
	assert_int_equal(open_err(0), MST_E_HSS_STATE);
}

/* Each bit of key and state; of the former the seed's too. */
static void
flipped_bits_are_refused(void **state)
{
	const char *name = *state;
	char path[160];
	uint8_t bytes[256];
	ssize_t n;
	int fd;

	assert_int_equal(hss_key_make(key, &small), MST_OK);
	(void)snprintf(path, sizeof path, "%s%s", key, name);
	fd = open(path, O_RDWR);
	n = read(fd, bytes, sizeof bytes);
	assert_in_range(n, 64, 200);
	for (ssize_t i = 0; i < n; i++) {
		uint8_t flipped = bytes[i] ^ (uint8_t)(1u << i % 8);

		assert_int_equal(pwrite(fd, &flipped, 1, i), 1);
		assert_int_not_equal(open_err(0), MST_OK);
		assert_int_equal(pwrite(fd, &bytes[i], 1, i), 1);
	}
	close(fd);
	assert_int_equal(open_err(0), MST_OK);
}

static void
damaged_nodes_are_grown_anew(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("truncate -s 100 %s.nodes", key);
	s = opened();
	assert_int_equal(sign_once(s, &q), MST_OK);
	hss_signer_close(s);
}

/* A false node gives a signature that does not verify: it is not released, and its leaf is lost. */
static void
false_nodes_release_nothing(void **state)
{
	struct hss_signer *s;
	char path[160];
	uint8_t byte;
	uint32_t q;
	int fd;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	(void)snprintf(path, sizeof path, "%s.nodes", key);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 33 * 32), 1); /* leaf 1: beside leaf 0 */
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 33 * 32), 1);
	close(fd);
	s = opened();
	assert_int_equal(sign_once(s, &q), MST_E_COSE_SIGNATURE);
	assert_int_equal(hss_signer_used(s), 1);
	hss_signer_close(s);
}

static void
second_signer_waits(void **state)
{
	struct hss_signer *s;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	s = opened();
	assert_int_equal(open_err(0), MST_E_HSS_BUSY);
	hss_signer_close(s);
	assert_int_equal(open_err(0), MST_OK);
}

static void
key_that_others_read_is_refused(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	assert_int_equal(chmod(key, 0644), 0);
	assert_int_equal(open_err(0), MST_E_KEY_PERMISSIONS);
}

static void
existing_key_is_kept(void **state)
{
	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	assert_int_equal(hss_key_make(key, &small), MST_E_CONFLICT);
	assert_int_equal(open_err(0), MST_OK);
}

static void
no_key_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(open_err(0), MST_E_NOT_FOUND);
}

static void
parameters_are_judged(void **state)
{
	static const struct hss_parameters bad[] = {
		{ 0, { 5 }, { 4 } },
		{ 9, { 5, 5, 5, 5, 5, 5, 5, 5 }, { 8, 8, 8, 8, 8, 8, 8, 8 } },
		{ 1, { 6 }, { 4 } },
		{ 1, { 25 }, { 4 } },
		{ 1, { 5 }, { 3 } },
		{ 1, { 0 }, { 4 } },
		{ 2, { 5, 0 }, { 4, 4 } },
		{ 4, { 20, 20, 20, 5 }, { 8, 8, 8, 8 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(hss_key_make(key, &bad[i]), MST_E_HSS_PARAMETERS);
	assert_int_equal(open_err(0), MST_E_NOT_FOUND);
}

static void
small_buffer_costs_no_leaf(void **state)
{
	uint8_t bytes[100];
	struct mst_buf out = MST_BUF(bytes);
	mst_span message = MST_LIT("x");
	struct hss_signer *s;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	s = opened();
	assert_int_equal(hss_signer_sign(s, &message, 1, &out), MST_E_SPACE);
	assert_int_equal(hss_signer_used(s), 0);
	hss_signer_close(s);
}

/* When the state cannot be written, nothing is signed. */
static void
unwritable_state_signs_nothing(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	if (geteuid() == 0) { /* permissions do not bind root: a folder in the way does */
		assert_int_equal(hss_key_make(key, &small), MST_OK);
		s = opened();
		run("cp %s.state %s.kept && rm %s.state && mkdir %s.state", key, key, key, key);
		assert_int_not_equal(sign_once(s, &q), MST_OK);
		hss_signer_close(s);
		return;
	}
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	s = opened();
	assert_int_equal(chmod(folder, 0500), 0);
	assert_int_not_equal(sign_once(s, &q), MST_OK);
	assert_int_equal(chmod(folder, 0700), 0);
	hss_signer_close(s);
}

/* --- death between state and signature --- */

/* The message lies where nobody can read: the process dies when it is hashed, which is after the
 * state was made durable and before anything is signed. */
static void
death_behind_the_state_loses_the_leaf(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	struct hss_signer *s;
	uint32_t q;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		static uint8_t bytes[SIGNATURE_MAX];
		struct mst_buf out = MST_BUF(bytes);
		void *nowhere =
		    mmap(NULL, (size_t)page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mst_span message = mst_span_of(nowhere, 16);

		(void)signal(SIGSEGV, SIG_DFL);
		(void)fclose(stderr);
		/* whatever it answers, that it answers at all is wrong: 0 */
		if (hss_signer_open(key, 0, &s) == MST_OK &&
		    hss_signer_sign(s, &message, 1, &out) == MST_OK)
			_exit(0);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	s = opened();
	assert_int_equal(hss_signer_used(s), 1);
	assert_int_equal(sign_once(s, &q), MST_OK);
	assert_int_equal(q, 1); /* leaf 0 is lost, not used again */
	hss_signer_close(s);
}

/* Between the state and its second witness: the state is ahead by one, and that is taken. */
static void
death_behind_the_state_alone_is_taken(void **state)
{
	struct hss_signer *s;
	uint32_t q;

	(void)state;
	assert_int_equal(hss_key_make(key, &small), MST_OK);
	run("cp %s.lock %s.kept", key, key);
	s = opened();
	assert_int_equal(sign_once(s, &q), MST_OK);
	hss_signer_close(s);
	run("cat %s.kept > %s.lock", key, key);
	s = opened();
	assert_int_equal(hss_signer_used(s), 1);
	assert_int_equal(sign_once(s, &q), MST_OK);
	assert_int_equal(q, 1);
	hss_signer_close(s);
}

/* Killed at any moment, forty times: no leaf is seen twice. */
static void
no_leaf_twice_whenever_killed(void **state)
{
	static uint8_t seen[1024];
	unsigned kills = 0, signatures = 0;
	int pipes[2], status;

	(void)state;
	memset(seen, 0, sizeof seen);
	assert_int_equal(hss_key_make(key, &two), MST_OK);
	for (unsigned round = 0; round < 40; round++) {
		uint32_t leaf;
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			static uint8_t bytes[SIGNATURE_MAX];
			mst_span message = MST_LIT("firmware");
			struct hss_signer *s;
			size_t below = 4 + hss_tree_signature_len(5, 8) + HSS_LMS_PUBLIC_LEN;

			if (hss_signer_open(key, 0, &s) != MST_OK)
				_exit(1);
			for (;;) {
				struct mst_buf out = MST_BUF(bytes);

				if (hss_signer_sign(s, &message, 1, &out) != MST_OK)
					_exit(2);
				leaf = get32(bytes + 4) * 32 + get32(bytes + below);
				if (write(pipes[1], &leaf, sizeof leaf) != sizeof leaf)
					_exit(3);
			}
		}
		close(pipes[1]);
		/* let it sign a little, then at once */
		for (unsigned i = 0; i < round % 3; i++)
			if (read(pipes[0], &leaf, sizeof leaf) == sizeof leaf) {
				assert_in_range(leaf, 0, 1023);
				assert_int_equal(seen[leaf]++, 0);
				signatures++;
			}
		if (round % 3 == 0)
			nanosleep(&(struct timespec){ 0, (long)round * 1000000 }, NULL);
		kill(child, SIGKILL);
		while (read(pipes[0], &leaf, sizeof leaf) == sizeof leaf) {
			assert_in_range(leaf, 0, 1023);
			assert_int_equal(seen[leaf]++, 0);
			signatures++;
		}
		close(pipes[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		kills++;
	}
	print_message("%u kills, %u signatures, no leaf twice\n", kills, signatures);
	assert_int_equal(open_err(signatures), MST_OK);
}

/* RFC 8554 appendix A and F.2: the published seed leads to the published root. */
static void
published_seed_leads_to_its_root(void **state)
{
	static const char seed[] =
	    "558b8966c48ae9cb898b423c83443aae014a72f1b1ab5cc85cf1d892903b5439";
	static const char id[] = "d08fabd4a2091ff0a8cb4ed834e74534";
	static const char public_key[] =
	    "0000000600000003d08fabd4a2091ff0a8cb4ed834e74534"
	    "32a58885cd9ba0431235466bff9651c6c92124404d45fa53cf161c28f1ad5a8e";
	struct hss_tree t = { .height = 10, .width = 4 };
	uint8_t made[HSS_LMS_PUBLIC_LEN];
	char text[2 * sizeof made + 1];

	(void)state;
	for (size_t i = 0; i < sizeof t.seed; i++)
		assert_int_equal(sscanf(seed + 2 * i, "%2hhx", &t.seed[i]), 1);
	for (size_t i = 0; i < sizeof t.id; i++)
		assert_int_equal(sscanf(id + 2 * i, "%2hhx", &t.id[i]), 1);
	assert_int_equal(hss_tree_grow(&t), MST_OK);
	hss_tree_public(&t, made);
	for (size_t i = 0; i < sizeof made; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", made[i]);
	assert_string_equal(text, public_key);
	hss_tree_wipe(&t);
}

#define IN_FOLDER(name, f, state)                                                                  \
	{                                                                                          \
		"SUIT-17.1 HSS signer: " name, f, in_folder, out_of_folder,                        \
		    (void *)(uintptr_t)(state)                                                     \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER("signs leaf by leaf, across openings", signs_and_counts, NULL),
		IN_FOLDER("refuses when exhausted", exhausted_is_refused, NULL),
		IN_FOLDER("two levels", levels_go_on_in_the_next_tree, NULL),
		IN_FOLDER("state missing", missing_state_is_refused, NULL),
		IN_FOLDER("lock file missing", missing_lock_file_is_refused, NULL),
		IN_FOLDER("lock file empty", empty_lock_file_is_refused, NULL),
		IN_FOLDER("state put back", state_put_back_is_refused, NULL),
		IN_FOLDER("state put back while open",
		    state_put_back_beneath_an_open_key_is_refused, NULL),
		IN_FOLDER("copied", copied_key_is_refused, NULL),
		IN_FOLDER("floor", floor_above_the_state_is_refused, NULL),
		IN_FOLDER("state of another key", state_of_another_key_is_refused, NULL),
		IN_FOLDER("a bit of each byte of the key", flipped_bits_are_refused, ""),
		IN_FOLDER("a bit of each byte of the state", flipped_bits_are_refused, ".state"),
		IN_FOLDER("nodes damaged", damaged_nodes_are_grown_anew, NULL),
		IN_FOLDER("nodes false", false_nodes_release_nothing, NULL),
		IN_FOLDER("locked", second_signer_waits, NULL),
		IN_FOLDER("permissions", key_that_others_read_is_refused, NULL),
		IN_FOLDER("no overwriting", existing_key_is_kept, NULL),
		IN_FOLDER("no key", no_key_is_not_found, NULL),
		IN_FOLDER("parameters", parameters_are_judged, NULL),
		IN_FOLDER("small buffer", small_buffer_costs_no_leaf, NULL),
		IN_FOLDER("state not writable", unwritable_state_signs_nothing, NULL),
		IN_FOLDER("death behind the state", death_behind_the_state_loses_the_leaf, NULL),
		IN_FOLDER("death before the witness", death_behind_the_state_alone_is_taken, NULL),
		IN_FOLDER("killed at any moment", no_leaf_twice_whenever_killed, NULL),
		{ "RFC 8554 F.2: seed to root", published_seed_leads_to_its_root, NULL, NULL,
		    NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

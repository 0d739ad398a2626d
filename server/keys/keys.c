/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/keys/keys_client.h"
#include "server/keys/keys_room.h"

#define STOP_MS 2000

struct keys {
	pid_t pid;
	struct keys_room *room; /* certificates only on this side */
	pthread_mutex_t lock;
	int pool[KEYS_CLIENTS_MAX]; /* idle sockets, -1 behind them */
	size_t idle, open; /* open: idle or taken */
};

/* What the child says once, when its keys are usable or not. */
struct report {
	mst_err e;
	char words[256];
};

/* --- the child, until its loop --- */

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Close all but the given descriptors and 0 to 2, which become /dev/null. */
static mst_err
keep_only(const int *fds, size_t count)
{
	int sorted[KEYS_CLIENTS_MAX + 1];
	unsigned next = 3;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) {
		keys_say("/dev/null: %s", strerror(errno));
		return MST_E_IO;
	}
	memcpy(sorted, fds, count * sizeof *fds);
	qsort(sorted, count, sizeof *sorted, by_number);
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)sorted[i] > next &&
		    close_range(next, (unsigned)sorted[i] - 1, 0) != 0)
			return MST_E_IO;
		next = (unsigned)sorted[i] + 1;
	}
	return close_range(next, ~0u, 0) == 0 ? MST_OK : MST_E_IO;
}

/*
 * Libraries open files on first use (time zone, seed of jansson's hashes); that
 * use is made now, while files can be opened. Nothing is signed.
 */
static mst_err
warm_up(void)
{
	struct mst_voucher_claims c;
	struct arena *a = arena_new(0);
	mst_span json;
	time_t now = time(NULL);
	struct tm tm;
	mst_err e;

	if (a == NULL)
		return MST_E_NOMEM;
	tzset();
	if (gmtime_r(&now, &tm) == NULL)
		now = 0;
	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_LOGGED;
	c.created_on = (int64_t)now;
	c.serial = MST_LIT("0");
	e = voucher_json_build(a, &c, &json);
	arena_free(a);
	return e;
}

static enum keys_jail
jail_for(const struct keys_room *room)
{
	for (size_t i = 0; i < room->slot_count; i++)
		if (strncmp(room->slots[i].uri, "pkcs11:", 7) == 0)
			return KEYS_JAIL_TOKENS;
	return KEYS_JAIL_FILES;
}

static mst_err
child_prepare(struct keys_room *room, pid_t parent, const int *fds, size_t count)
{
	mst_err e;

	prctl(PR_SET_NAME, "muster-keys", 0, 0, 0);
	/* It does not outlive who talks to it; a terminal's or systemd's signals are for the parent
	 * to act on. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
		return MST_E_CANCELLED;
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if ((e = keep_only(fds, count)) != MST_OK || (e = keys_room_open(room)) != MST_OK ||
	    (e = warm_up()) != MST_OK)
		return e;
	return keys_jail_enter(jail_for(room));
}

static _Noreturn void
child_main(struct keys_room *room, pid_t parent, const int *fds, int report_fd)
{
	struct report r = { MST_OK, "" };
	int keep[KEYS_CLIENTS_MAX + 1];

	memcpy(keep, fds, KEYS_CLIENTS_MAX * sizeof *fds);
	keep[KEYS_CLIENTS_MAX] = report_fd;
	r.e = child_prepare(room, parent, keep, KEYS_CLIENTS_MAX + 1);
	snprintf(r.words, sizeof r.words, "%s", keys_why());
	if (write(report_fd, &r, sizeof r) != (ssize_t)sizeof r || r.e != MST_OK)
		_exit(1);
	close(report_fd);
	keys_child_loop(room, fds, KEYS_CLIENTS_MAX);
	_exit(0);
}

/* --- the parent --- */

static void
close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static mst_err
make_sockets(int *mine, int *theirs)
{
	for (size_t i = 0; i < KEYS_CLIENTS_MAX; i++)
		mine[i] = theirs[i] = -1;
	for (size_t i = 0; i < KEYS_CLIENTS_MAX; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
			keys_say("socketpair: %s", strerror(errno));
			return MST_E_IO;
		}
		mine[i] = pair[0];
		theirs[i] = pair[1];
	}
	return MST_OK;
}

static mst_err
read_report(int fd)
{
	struct report r;
	ssize_t n;

	do
		n = read(fd, &r, sizeof r);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof r) {
		keys_say("the key process ended before it was ready");
		return MST_E_KEY_GONE;
	}
	r.words[sizeof r.words - 1] = 0;
	if (r.e != MST_OK)
		keys_say("%s", r.words[0] != 0 ? r.words : mst_err_info(r.e)->sentence);
	return r.e;
}

static mst_err
start_child(struct keys *k, int *mine, int *theirs)
{
	pid_t parent = getpid();
	int report[2];
	mst_err e;

	if (pipe2(report, O_CLOEXEC) != 0) {
		keys_say("pipe: %s", strerror(errno));
		return MST_E_IO;
	}
	k->pid = fork();
	if (k->pid == 0)
		child_main(k->room, parent, theirs, report[1]);
	close(report[1]);
	if (k->pid < 0) {
		keys_say("fork: %s", strerror(errno));
		e = MST_E_IO;
	} else if ((e = read_report(report[0])) != MST_OK) {
		while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
			;
	} else {
		memcpy(k->pool, mine, sizeof k->pool);
		k->idle = k->open = KEYS_CLIENTS_MAX;
	}
	close(report[0]);
	return e;
}

mst_err
keys_start(const struct keys_slot *slots, size_t slot_count, const struct keys_profile *profiles,
    size_t profile_count, struct keys **out)
{
	int mine[KEYS_CLIENTS_MAX], theirs[KEYS_CLIENTS_MAX];
	struct keys *k = calloc(1, sizeof *k);
	mst_err e;

	keys_say("%s", "");
	if (k == NULL)
		return MST_E_NOMEM;
	pthread_mutex_init(&k->lock, NULL);
	if ((e = keys_room_new(slots, slot_count, profiles, profile_count, &k->room)) != MST_OK)
		goto out;
	if ((e = make_sockets(mine, theirs)) == MST_OK)
		e = start_child(k, mine, theirs);
	close_all(theirs, KEYS_CLIENTS_MAX);
	if (e != MST_OK)
		close_all(mine, KEYS_CLIENTS_MAX);
out:
	if (e == MST_OK) {
		*out = k;
		return e;
	}
	keys_room_free(k->room);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return e;
}

void
keys_stop(struct keys *k)
{
	const struct timespec tick = { 0, 10 * 1000 * 1000 };
	pid_t done = 0;

	if (k == NULL)
		return;
	close_all(k->pool, k->idle);
	/* Its sockets at their end, it ends by itself. */
	for (int ms = 0; ms < STOP_MS && (done = waitpid(k->pid, NULL, WNOHANG)) == 0; ms += 10)
		nanosleep(&tick, NULL);
	if (done == 0 && kill(k->pid, SIGKILL) == 0)
		while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
			;
	keys_room_free(k->room);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

int
keys_pid(const struct keys *k)
{
	return (int)k->pid;
}

mst_err
keys_cert(struct keys *k, const char *slot, X509 **cert, const STACK_OF(X509) **chain)
{
	struct keys_room_slot *s = keys_room_find(k->room, slot);

	if (s == NULL)
		return MST_E_NOT_FOUND;
	*cert = s->cert;
	if (chain != NULL)
		*chain = s->chain;
	return MST_OK;
}

mst_err
keys_socket_take(struct keys *k, int *fd)
{
	mst_err e = MST_OK;

	pthread_mutex_lock(&k->lock);
	if (k->idle != 0)
		*fd = k->pool[--k->idle];
	else
		e = k->open != 0 ? MST_E_SPACE : MST_E_KEY_GONE;
	pthread_mutex_unlock(&k->lock);
	return e;
}

void
keys_socket_give(struct keys *k, int fd, enum keys_socket state)
{
	pthread_mutex_lock(&k->lock);
	if (state == KEYS_SOCKET_IDLE) {
		k->pool[k->idle++] = fd;
	} else {
		k->open--;
		close(fd);
	}
	pthread_mutex_unlock(&k->lock);
}

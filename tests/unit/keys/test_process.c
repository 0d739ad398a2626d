/* SPDX-License-Identifier: Apache-2.0 */
/* The key process as a process: what it refuses to start with, its closed doors, hostile bytes, its
 * death. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "host/arena.h"
#include "host/key.h"
#include "server/keys/keys_client.h"
#include "server/keys/keys_room.h"
#include "server/keys/keys_wire.h"
#include "unit/keys/support_pki.h"

#define DAY INT64_C(86400)
#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

static const struct keys_profile profile = {
	.name = "device", .max_seconds = 365 * DAY, .ekus = CLIENT_AUTH
};
static const uint8_t serial16[16] = { 0x41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct arena *arena;

static mst_err
start(const char *name, enum keys_purpose purpose, const char *key, const char *cert,
    struct keys **out)
{
	struct keys_slot slot = { name, purpose, tpki_path(key, "key"), tpki_path(cert, "pem") };

	return keys_start(&slot, 1, &profile, purpose == KEYS_CA ? 1 : 0, out);
}

static struct keys *
start_ca(void)
{
	struct keys *k;

	if (start("ca", KEYS_CA, "root", "root", &k) != MST_OK)
		fail_msg("%s", keys_why());
	return k;
}

static struct keys_request
good(void)
{
	static uint8_t spki[91];
	int64_t now = (int64_t)time(NULL);

	if (spki[0] == 0)
		memcpy(spki, tpki_spki("P-256").ptr, sizeof spki);
	return (struct keys_request){ .kind = KEYS_SIGN_CERT,
		.entry = 1,
		.slot = "ca",
		.profile = "device",
		.serial = mst_span_of(serial16, sizeof serial16),
		.subject = tpki_name("device-1"),
		.spki = mst_span_of(spki, sizeof spki),
		.not_before = now - 60,
		.not_after = now + 90 * DAY };
}

static void
assert_signs(struct keys *k)
{
	struct keys_request rq = good();
	mst_span der;

	assert_int_equal(keys_call_wait(k, &rq, arena, &der), MST_OK);
}

/* --- starting --- */

struct refusal {
	enum keys_purpose purpose;
	const char *key, *cert;
	mst_err want;
};

static void
start_is_refused(void **state)
{
	const struct refusal *r = *state;
	struct keys *k;
	mst_err e = start("x", r->purpose, r->key, r->cert, &k);

	if (e != r->want)
		fail_msg("%s (%s), wanted %s", mst_err_info(e)->name, keys_why(),
		    mst_err_info(r->want)->name);
	assert_true(keys_why()[0] != 0);
}

static void
world_readable_key_is_refused_SEC_6(void **state)
{
	struct keys *k;

	(void)state;
	assert_int_equal(tpki_run(NULL, "cp %s %s && chmod 644 %s", tpki_path("root", "key"),
	                     tpki_path("open", "key"), tpki_path("open", "key")),
	    0);
	assert_int_equal(start("ca", KEYS_CA, "open", "root", &k), MST_E_KEY_PERMISSIONS);
}

static void
profile_without_client_auth_is_refused(void **state)
{
	struct keys_slot slot = { "ca", KEYS_CA, tpki_path("root", "key"),
		tpki_path("root", "pem") };
	struct keys_profile p = {
		.name = "d", .max_seconds = 1, .ekus = "1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.21"
	};
	struct keys *k;

	(void)state;
	assert_int_equal(keys_start(&slot, 1, &p, 1, &k), MST_E_CONFIG_VALUE);
	p.ekus = CLIENT_AUTH " not.an.oid";
	assert_int_equal(keys_start(&slot, 1, &p, 1, &k), MST_E_CONFIG_VALUE);
	p.ekus = CLIENT_AUTH;
	p.slot = "nosuch";
	assert_int_equal(keys_start(&slot, 1, &p, 1, &k), MST_E_CONFIG_VALUE);
}

static void
slot_names_are_unique(void **state)
{
	struct keys_slot slots[2] = { { "ca", KEYS_CA, tpki_path("root", "key"),
	    tpki_path("root", "pem") } };
	struct keys *k;

	(void)state;
	slots[1] = slots[0];
	assert_int_equal(keys_start(slots, 2, &profile, 1, &k), MST_E_CONFIG_VALUE);
}

static void
keys_cert_lends_certificate_and_chain(void **state)
{
	const STACK_OF(X509) *chain;
	struct keys *k;
	X509 *x, *want = tpki_cert("rvr");

	(void)state;
	assert_int_equal(start("rvr", KEYS_RVR, "rvr", "rvr", &k), MST_OK);
	assert_int_equal(keys_cert(k, "rvr", &x, &chain), MST_OK);
	assert_int_equal(X509_cmp(x, want), 0);
	assert_int_equal(sk_X509_num(chain), 1);
	assert_int_equal(keys_cert(k, "nosuch", &x, &chain), MST_E_NOT_FOUND);
	X509_free(want);
	keys_stop(k);
}

/* --- the jail --- */

static void
status_says(int pid, const char *line)
{
	char path[64], text[8192];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	assert_non_null(f = fopen(path, "r"));
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	if (strstr(text, line) == NULL)
		fail_msg("no '%s' in %s", line, text);
}

static void
process_has_seccomp_and_no_new_privileges(void **state)
{
	struct keys *k = start_ca();

	(void)state;
	status_says(keys_pid(k), "Seccomp:\t2");
	status_says(keys_pid(k), "NoNewPrivs:\t1");
#ifndef __SANITIZE_THREAD__ /* which has a thread of its own */
	status_says(keys_pid(k), "Threads:\t1");
#endif
	status_says(keys_pid(k), "Name:\tmuster-keys");
	keys_stop(k);
}

/* In a child: enter the jail, then try a door; 0 when it is shut with EPERM. */
static int
behind(enum keys_jail jail, long (*door)(void))
{
	int pid = fork(), status = 0;

	if (pid == 0) {
		if (keys_jail_enter(jail) != MST_OK)
			_exit(9);
		errno = 0;
		_exit(door() == -1 ? (errno == EPERM ? 0 : 2) : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static long
door_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long
door_inet6(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static long
door_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long
door_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long
door_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long
door_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static long
door_exec(void)
{
	char *const argv[] = { NULL };

	return execve("/bin/true", argv, argv);
}

static long
door_ptrace(void)
{
	return syscall(SYS_ptrace, 16, 1, 0, 0);
}

static long
door_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static void
doors_are_shut_with_key_files(void **state)
{
	long (*const doors[])(void) = { door_inet, door_inet6, door_netlink, door_unix, door_open,
		door_fork, door_exec, door_ptrace, door_code };

	(void)state;
	for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
		assert_int_equal(behind(KEYS_JAIL_FILES, doors[i]), 0);
}

static void
doors_are_shut_with_tokens_but_files_and_local_sockets(void **state)
{
	long (*const shut[])(
	    void) = { door_inet, door_inet6, door_netlink, door_fork, door_exec, door_ptrace };

	(void)state;
	for (size_t i = 0; i < sizeof shut / sizeof shut[0]; i++)
		assert_int_equal(behind(KEYS_JAIL_TOKENS, shut[i]), 0);
	assert_int_equal(behind(KEYS_JAIL_TOKENS, door_unix), 1);
	assert_int_equal(behind(KEYS_JAIL_TOKENS, door_open), 1);
}

/* What the key process has open beside sockets and /dev/null; the sockets are counted. */
static const char *
foreign_file(const struct keys *k, DIR *d, int *sockets)
{
	static char to[256];
	char path[320];
	struct dirent *e;

	*sockets = 0;
	rewinddir(d);
	while ((e = readdir(d)) != NULL) {
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%d/fd/%s", keys_pid(k), e->d_name);
		if ((n = readlink(path, to, sizeof to - 1)) <= 0)
			continue; /* closed meanwhile */
		to[n] = 0;
		if (strncmp(to, "socket:", 7) == 0)
			++*sockets;
		else if (strcmp(to, "/dev/null") != 0)
			return to;
	}
	return NULL;
}

static void
process_has_sockets_and_dev_null_only(void **state)
{
	struct keys *k = start_ca();
	const char *foreign = NULL;
	char path[320];
	int sockets = 0;
	DIR *d;

	(void)state;
	snprintf(path, sizeof path, "/proc/%d/fd", keys_pid(k));
	if ((d = opendir(path)) == NULL) { /* not dumpable: root's to read */
		print_message("skipped: %s needs root\n", path);
		keys_stop(k);
		skip();
	}
	/* it says that it is ready a moment before it closes the pipe it said so through */
	for (int i = 0; i < 200; i++) {
		if ((foreign = foreign_file(k, d, &sockets)) == NULL)
			break;
		usleep(10000);
	}
	if (foreign != NULL)
		fail_msg("the key process has %s open", foreign);
	closedir(d);
	assert_int_equal(sockets, KEYS_CLIENTS_MAX);
	keys_stop(k);
}

static void
process_makes_no_core_and_few_files(void **state)
{
	struct keys *k = start_ca();
	const char *text;

	(void)state;
	assert_int_equal(
	    tpki_run(&text, "grep -E 'core file|open files' /proc/%d/limits", keys_pid(k)), 0);
	assert_non_null(strstr(text, "Max core file size        0                    0"));
	assert_non_null(strstr(text, "Max open files            80                   80"));
	keys_stop(k);
}

static void
stop_leaves_no_process(void **state)
{
	struct keys *k = start_ca();
	int pid = keys_pid(k);

	(void)state;
	keys_stop(k);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void
terminal_signals_are_for_the_parent(void **state)
{
	struct keys *k = start_ca();

	(void)state;
	kill(keys_pid(k), SIGINT);
	kill(keys_pid(k), SIGTERM);
	assert_signs(k);
	keys_stop(k);
}

static void
process_dies_with_its_parent(void **state)
{
	int report[2], pid = 0, middle;

	(void)state;
	assert_int_equal(pipe(report), 0);
	if ((middle = fork()) == 0) {
		struct keys *k;

		if (start("ca", KEYS_CA, "root", "root", &k) == MST_OK) {
			pid = keys_pid(k);
			if (write(report[1], &pid, sizeof pid) < 0)
				_exit(1);
		}
		kill(getpid(), SIGKILL);
	}
	close(report[1]);
	assert_int_equal(read(report[0], &pid, sizeof pid), sizeof pid);
	close(report[0]);
	waitpid(middle, NULL, 0);
	/* An orphan ends as a zombie of init or is gone; it answers nothing either way. */
	for (int i = 0; i < 200; i++) {
		const char *text;

		if (tpki_run(&text, "cat /proc/%d/stat", pid) != 0 || strstr(text, ") Z ") != NULL)
			return;
		usleep(10000);
	}
	fail_msg("%d lives on", pid);
}

/* --- hostile bytes --- */

static void
assert_closed(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint8_t b[256];

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(recv(fd, b, sizeof b, 0) <= 0);
}

static void
nonsense_costs_its_sender_alone(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "\0\0\0\0", 4 }, /* empty frame */
		{ "\xff\xff\xff\xff", 4 }, /* 4 GiB */
		{ "\0\x40\0\1", 4 }, /* one over the limit */
		{ "\0\0\0\1\x00", 5 }, /* no map */
		{ "\0\0\0\1\xa0", 5 }, /* no field */
		{ "\0\0\0\3\xa1\x00\x01", 7 }, /* id alone */
		{ "\0\0\0\5\xa2\x00\x01\x00\x01", 9 }, /* id twice */
		{ "\0\0\0\4\xa1\x18\x63\x01", 8 }, /* unknown field */
		{ "\0\0\0\2\xbf\x9f", 6 }, /* endless map */
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
	};
	struct keys *k = start_ca();
	int bystander;

	(void)state;
	assert_int_equal(keys_socket_take(k, &bystander), MST_OK);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd;

		assert_int_equal(keys_socket_take(k, &fd), MST_OK);
		assert_int_equal(send(fd, rows[i].bytes, rows[i].len, MSG_NOSIGNAL), rows[i].len);
		assert_closed(fd);
		keys_socket_give(k, fd, KEYS_SOCKET_SPOILT);
	}
	assert_int_equal(recv(bystander, (uint8_t[1]){ 0 }, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	keys_socket_give(k, bystander, KEYS_SOCKET_IDLE);
	assert_signs(k);
	keys_stop(k);
}

static void
every_flipped_byte_of_a_request_leaves_the_process_alive(void **state)
{
	struct keys *k = start_ca();
	struct keys_request rq = good();
	uint8_t frame[1024];
	struct mst_buf b = MST_BUF(frame);
	int fd;

	(void)state;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_OK);
	assert_int_equal(keys_socket_take(k, &fd), MST_OK);
	for (size_t i = KEYS_FRAME_HEAD; i < b.len; i += 7) { /* a socket for each: 64 of them */
		uint8_t head[4];

		frame[i] ^= 0x5a;
		assert_int_equal(send(fd, frame, b.len, MSG_NOSIGNAL), b.len);
		if (recv(fd, head, sizeof head, MSG_WAITALL) != sizeof head) {
			keys_socket_give(k, fd, KEYS_SOCKET_SPOILT);
			assert_int_equal(keys_socket_take(k, &fd), MST_OK);
		} else {
			uint8_t rest[4096];
			size_t n;

			assert_true(keys_frame_size(mst_span_of(head, 4), &n));
			assert_int_equal(recv(fd, rest, n - 4, MSG_WAITALL), n - 4);
		}
		frame[i] ^= 0x5a;
	}
	keys_socket_give(k, fd, KEYS_SOCKET_SPOILT);
	assert_signs(k);
	keys_stop(k);
}

static void
request_in_single_bytes_is_answered(void **state)
{
	struct keys *k = start_ca();
	struct keys_request rq = good();
	uint8_t frame[1024], head[4];
	struct mst_buf b = MST_BUF(frame);
	int fd;

	(void)state;
	assert_int_equal(keys_request_encode(&rq, 9, &b), MST_OK);
	assert_int_equal(keys_socket_take(k, &fd), MST_OK);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(send(fd, frame + i, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(fd, head, sizeof head, MSG_WAITALL), sizeof head);
	keys_socket_give(k, fd, KEYS_SOCKET_SPOILT);
	keys_stop(k);
}

static void
one_who_does_not_read_answers_stops_nobody(void **state)
{
	struct keys *k = start_ca();
	struct keys_request rq = good();
	uint8_t frame[1024];
	struct mst_buf b = MST_BUF(frame);
	int fd;
	ssize_t n = 0;

	(void)state;
	assert_int_equal(keys_request_encode(&rq, 1, &b), MST_OK);
	assert_int_equal(keys_socket_take(k, &fd), MST_OK);
	for (int i = 0; i < 20000 && n >= 0; i++) /* until nothing more fits */
		n = send(fd, frame, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_signs(k);
	keys_socket_give(k, fd, KEYS_SOCKET_SPOILT);
	assert_signs(k);
	keys_stop(k);
}

/* --- the asynchronous client --- */

struct counter {
	struct event_base *base;
	struct keys_client *client;
	struct keys *keys;
	size_t done, ok, gone, want;
	uint64_t order;
	bool ordered;
};
struct one {
	struct counter *c;
	uint64_t n;
};

static void
on_done(void *arg, mst_err e, mst_span der)
{
	struct one *one = arg;
	struct counter *c = one->c;

	c->ordered = c->ordered && one->n == c->order;
	c->order++;
	c->done++;
	c->ok += e == MST_OK && der.len > 300 ? 1 : 0;
	c->gone += e == MST_E_KEY_GONE ? 1 : 0;
	if (c->done == c->want)
		event_base_loopbreak(c->base);
}

static void
calls_are_answered_in_order(void **state)
{
	static struct one ones[500];
	struct counter c = { .base = event_base_new(), .ordered = true, .want = 500 };
	struct keys *k = start_ca();
	struct keys_request rq = good();

	(void)state;
	assert_int_equal(keys_client_new(k, c.base, &c.client), MST_OK);
	for (size_t i = 0; i < c.want; i++) {
		ones[i] = (struct one){ &c, i };
		keys_call(c.client, &rq, on_done, &ones[i]);
	}
	assert_int_equal(c.done, 0); /* later, never at once */
	event_base_dispatch(c.base);
	assert_int_equal(c.ok, c.want);
	assert_true(c.ordered);
	keys_client_free(c.client);
	event_base_free(c.base);
	keys_stop(k);
}

static void
request_that_cannot_be_encoded_ends_later_too(void **state)
{
	struct counter c = { .base = event_base_new(), .want = 1, .ordered = true };
	struct keys *k = start_ca();
	struct keys_request rq = good();
	struct one one = { &c, 0 };

	(void)state;
	assert_int_equal(keys_client_new(k, c.base, &c.client), MST_OK);
	rq.profile = NULL;
	keys_call(c.client, &rq, on_done, &one);
	assert_int_equal(c.done, 0);
	event_base_dispatch(c.base);
	assert_int_equal(c.done, 1);
	assert_int_equal(c.ok, 0);
	keys_client_free(c.client);
	event_base_free(c.base);
	keys_stop(k);
}

static void
killed_process_is_KEY_GONE_to_all(void **state)
{
	static struct one ones[10];
	struct counter c = { .base = event_base_new(), .ordered = true, .want = 10 };
	struct keys *k = start_ca();
	struct keys_request rq = good();
	mst_span der;

	(void)state;
	assert_int_equal(keys_client_new(k, c.base, &c.client), MST_OK);
	kill(keys_pid(k), SIGKILL);
	for (size_t i = 0; i < c.want; i++) {
		ones[i] = (struct one){ &c, i };
		keys_call(c.client, &rq, on_done, &ones[i]);
	}
	event_base_dispatch(c.base);
	assert_int_equal(c.gone, 10);
	c.want = 11; /* and from then on */
	ones[0].n = 10;
	keys_call(c.client, &rq, on_done, &ones[0]);
	event_base_dispatch(c.base);
	assert_int_equal(c.gone, 11);
	assert_int_equal(keys_call_wait(k, &rq, arena, &der), MST_E_KEY_GONE);
	keys_client_free(c.client);
	event_base_free(c.base);
	keys_stop(k);
}

static void
freeing_ends_outstanding_calls_with_KEY_GONE(void **state)
{
	struct counter c = { .base = event_base_new(), .ordered = true, .want = 1 };
	struct keys *k = start_ca();
	struct keys_request rq = good();
	struct one one = { &c, 0 };

	(void)state;
	assert_int_equal(keys_client_new(k, c.base, &c.client), MST_OK);
	keys_call(c.client, &rq, on_done, &one);
	keys_client_free(c.client);
	assert_int_equal(c.gone, 1);
	event_base_free(c.base);
	assert_signs(k);
	keys_stop(k);
}

static void
free_me(void *arg, mst_err e, mst_span der)
{
	struct counter *c = arg;

	(void)der;
	c->done++;
	if (e != MST_OK) {
		c->gone++;
		return;
	}
	keys_client_free(c->client);
	event_base_loopbreak(c->base);
}

static void
client_may_be_freed_by_its_callback(void **state)
{
	struct counter c = { .base = event_base_new() };
	struct keys *k = start_ca();
	struct keys_request rq = good();

	(void)state;
	assert_int_equal(keys_client_new(k, c.base, &c.client), MST_OK);
	for (int i = 0; i < 5; i++)
		keys_call(c.client, &rq, free_me, &c);
	event_base_dispatch(c.base);
	assert_int_equal(c.done, 5);
	assert_int_equal(c.gone, 4);
	event_base_free(c.base);
	keys_stop(k);
}

static void
there_are_64_clients_and_idle_ones_come_back(void **state)
{
	struct keys_client *all[KEYS_CLIENTS_MAX], *more;
	struct event_base *base = event_base_new();
	struct keys *k = start_ca();

	(void)state;
	for (size_t i = 0; i < KEYS_CLIENTS_MAX; i++)
		assert_int_equal(keys_client_new(k, base, &all[i]), MST_OK);
	assert_int_equal(keys_client_new(k, base, &more), MST_E_SPACE);
	keys_client_free(all[0]);
	assert_int_equal(keys_client_new(k, base, &all[0]), MST_OK);
	for (size_t i = 0; i < KEYS_CLIENTS_MAX; i++)
		keys_client_free(all[i]);
	event_base_free(base);
	keys_stop(k);
}

/* --- a token --- */

static bool
softhsm_ready(void)
{
	const char *key = tpki_path("root", "key");

	if (tpki_run(NULL, "command -v softhsm2-util") != 0)
		return false;
	assert_int_equal(tpki_run(NULL,
	                     "mkdir -p %s/tokens && printf 'directories.tokendir = %s/tokens\\n' > "
	                     "%s/softhsm.conf",
	                     tpki_dir(), tpki_dir(), tpki_dir()),
	    0);
	setenv("SOFTHSM2_CONF", tpki_path("softhsm", "conf"), 1);
	return tpki_run(NULL, "softhsm2-util --init-token --free --label muster-test --pin 1234 "
	                      "--so-pin 4321") == 0 &&
	       tpki_run(NULL, "openssl pkcs8 -topk8 -nocrypt -in %s -out %s", key,
	           tpki_path("p8", "pem")) == 0 &&
	       tpki_run(NULL,
	           "softhsm2-util --import %s --token muster-test --label cakey --id 01 --pin 1234",
	           tpki_path("p8", "pem")) == 0;
}

static void
pkcs11_slot_signs_and_has_no_network(void **state)
{
	struct keys_slot slot = { "ca", KEYS_CA,
		"pkcs11:token=muster-test;object=cakey;type=private?pin-value=1234", NULL };
	struct keys *k;

	(void)state;
	if (!softhsm_ready()) {
		print_message("skipped: SoftHSM is not usable here\n");
		skip();
	}
	slot.cert_path = tpki_path("root", "pem");
	if (keys_start(&slot, 1, &profile, 1, &k) != MST_OK)
		fail_msg("%s", keys_why());
	status_says(keys_pid(k), "Seccomp:\t2");
	for (int i = 0; i < 5; i++)
		assert_signs(k);
	keys_stop(k);
	slot.key_uri = "pkcs11:token=muster-test;object=cakey;type=private?pin-value=9999";
	assert_int_equal(keys_start(&slot, 1, &profile, 1, &k), MST_E_KEY_OPEN);
	assert_true(keys_why()[0] != 0);
}

static int
group_setup(void **state)
{
	(void)state;
	tpki_usual();
	tpki_make(&(struct tpki_spec){ .name = "nora",
	    .issuer = "root",
	    .usage = "critical,digitalSignature",
	    .ekus = "serverAuth,clientAuth" });
	tpki_make(&(struct tpki_spec){ .name = "nocrlsign",
	    .constraints = "critical,CA:TRUE",
	    .usage = "critical,keyCertSign" });
	tpki_make(&(struct tpki_spec){
	    .name = "agree", .issuer = "idevidca", .usage = "critical,keyAgreement" });
	tpki_make(&(struct tpki_spec){
	    .name = "weak", .constraints = "critical,CA:TRUE", .group = "P-224" });
	tpki_write("junk", "pem", MST_LIT("no certificate"));
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	tpki_clean();
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

#define GOOD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define START(words, ...)                                                                          \
	{                                                                                          \
		"start refused: " words, start_is_refused, NULL, NULL,                             \
		    &(struct refusal)__VA_ARGS__                                                   \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		START("key of another certificate", { KEYS_CA, "rvr", "root", MST_E_KEY_MISMATCH }),
		START("no key file", { KEYS_CA, "nosuch", "root", MST_E_KEY_OPEN }),
		START("no certificate file", { KEYS_CA, "root", "nosuch", MST_E_NOT_FOUND }),
		START("certificate file of junk", { KEYS_CA, "root", "junk", MST_E_X509 }),
		START("CA slot with an end entity", { KEYS_CA, "rvr", "rvr", MST_E_X509_CHAIN }),
		START("CA slot without cRLSign",
		    { KEYS_CA, "nocrlsign", "nocrlsign", MST_E_X509_CHAIN }),
		START("CA with a weak key C2", { KEYS_CA, "weak", "weak", MST_E_X509_WEAK }),
		START("IDevID CA slot with an end entity",
		    { KEYS_IDEVID_CA, "short", "short", MST_E_X509_CHAIN }),
		START("RVR without cmcRA ID-6", { KEYS_RVR, "nora", "nora", MST_E_VOUCHER_NOT_RA }),
		START("RVR with a CA", { KEYS_RVR, "root", "root", MST_E_VOUCHER_NOT_RA }),
		START("short voucher slot with a CA",
		    { KEYS_VOUCHER_SHORT, "root", "root", MST_E_X509_CHAIN }),
		START("long voucher slot without digitalSignature",
		    { KEYS_VOUCHER_LONG, "agree", "agree", MST_E_X509_CHAIN }),
		GOOD(world_readable_key_is_refused_SEC_6),
		GOOD(profile_without_client_auth_is_refused),
		GOOD(slot_names_are_unique),
		GOOD(keys_cert_lends_certificate_and_chain),
		GOOD(process_has_seccomp_and_no_new_privileges),
		GOOD(doors_are_shut_with_key_files),
		GOOD(doors_are_shut_with_tokens_but_files_and_local_sockets),
		GOOD(process_has_sockets_and_dev_null_only),
		GOOD(process_makes_no_core_and_few_files),
		GOOD(stop_leaves_no_process),
		GOOD(terminal_signals_are_for_the_parent),
		GOOD(process_dies_with_its_parent),
		GOOD(nonsense_costs_its_sender_alone),
		GOOD(every_flipped_byte_of_a_request_leaves_the_process_alive),
		GOOD(request_in_single_bytes_is_answered),
		GOOD(one_who_does_not_read_answers_stops_nobody),
		GOOD(calls_are_answered_in_order),
		GOOD(request_that_cannot_be_encoded_ends_later_too),
		GOOD(killed_process_is_KEY_GONE_to_all),
		GOOD(freeing_ends_outstanding_calls_with_KEY_GONE),
		GOOD(client_may_be_freed_by_its_callback),
		GOOD(there_are_64_clients_and_idle_ones_come_back),
		GOOD(pkcs11_slot_signs_and_has_no_network),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

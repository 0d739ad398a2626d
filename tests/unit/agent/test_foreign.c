/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS client against a server that is not ours: libcoap's example server (issue 3 item 8). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/coaps.h"
#include "host/clock.h"
#include "unit/agent/support_toy.h"

#define PROGRAM "/usr/bin/coap-server-openssl"
#define SECONDS(n) ((n)*INT64_C(1000000))

static struct toy_pki pki;
static struct arena *a;
static pid_t server;
static char folder[64], base[64];

/* A port that nobody has, behind one that nobody has: libcoap listens on both. */
static int
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	close(fd);
	return ntohs(at.sin_port);
}

static int
setup(void **state)
{
	char cert[96], key[96], port[16];
	int dtls = free_port();

	(void)state;
	a = arena_new(0);
	toy_pki_make(&pki);
	snprintf(folder, sizeof folder, "/tmp/muster-foreign-XXXXXX");
	MUST(mkdtemp(folder) != NULL);
	snprintf(cert, sizeof cert, "%s/c.pem", folder);
	snprintf(key, sizeof key, "%s/k.pem", folder);
	pki_write_certs(cert, pki.ra.cert, NULL);
	pki_write_key(key, pki.ra.key);
	snprintf(port, sizeof port, "%d", dtls - 1);
	snprintf(base, sizeof base, "coaps://127.0.0.1:%d", dtls);
	if (access(PROGRAM, X_OK) != 0)
		return 0;
	if ((server = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		execl(PROGRAM, PROGRAM, "-A", "127.0.0.1", "-p", port, "-c", cert, "-j", key, "-n",
		    (char *)NULL);
		_exit(1);
	}
	return 0;
}

static int
teardown(void **state)
{
	char path[96];

	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	snprintf(path, sizeof path, "%s/c.pem", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/k.pem", folder);
	unlink(path);
	rmdir(folder);
	toy_pki_free(&pki);
	arena_free(a);
	return 0;
}

static struct coaps_client *
opened(unsigned block)
{
	struct coaps_options o = { .base = base,
		.cert = pki.idevid.cert,
		.key = pki.idevid.key,
		.fragment = 1024,
		.block = block };
	struct coaps_client *c = NULL;
	mst_err e = MST_E_UNREACHABLE;

	if (server <= 0) {
		print_message("%s is not there\n", PROGRAM);
		skip();
	}
	for (int i = 0; i < 100 && e != MST_OK; i++) {
		e = coaps_open(&o, clock_mono_us() + SECONDS(20), &c);
		if (e != MST_OK)
			usleep(100000);
	}
	assert_int_equal(e, MST_OK);
	return c;
}

static const struct coaps_patience *
patience(void)
{
	static struct coaps_patience p;

	p = (struct coaps_patience){ SECONDS(20), clock_mono_us() + SECONDS(20) };
	return &p;
}

static void
get(struct coaps_client *c, const char *path, struct coaps_answer *out)
{
	struct coaps_request r = { false, path, -1, -1, MST_NONE };

	assert_int_equal(coaps_exchange(c, a, &r, patience(), 65536, out), MST_OK);
}

static void
association(void **state)
{
	struct coaps_client *c = opened(256);

	(void)state;
	assert_string_equal(coaps_cipher(c), "ECDHE-ECDSA-AES128-CCM8");
	assert_int_equal(coaps_chain(c).count, 1);
	coaps_close(c);
}

static void
blocks(void **state)
{
	struct coaps_client *c = opened(64);
	struct coaps_answer an;

	(void)state;
	get(c, ".well-known/core", &an);
	assert_int_equal(an.code, 205);
	assert_int_equal(an.content_format, 40);
	assert_true(an.body.len > 64);
	assert_true(an.messages >= 4);
	assert_non_null(memmem(an.body.ptr, an.body.len, "</time>", 7));
	coaps_close(c);
}

static void
not_there(void **state)
{
	struct coaps_client *c = opened(256);
	struct coaps_answer an;

	(void)state;
	get(c, ".well-known/est/crts", &an);
	assert_int_equal(an.code, 404);
	coaps_close(c);
}

/* Its /async answers after five seconds, as a message of its own. */
static void
separate(void **state)
{
	struct coaps_client *c = opened(256);
	struct coaps_answer an;

	(void)state;
	get(c, "async", &an);
	assert_int_equal(an.code, 205);
	assert_true(mst_span_eq(an.body, MST_LIT("done")));
	assert_true(an.messages >= 4); /* with its ACK and ours */
	coaps_close(c);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "13.2 libcoap: association", association, NULL, NULL, NULL },
		{ "CO-4 libcoap: Block2 of 64", blocks, NULL, NULL, NULL },
		{ "CO-3 libcoap: 4.04", not_there, NULL, NULL, NULL },
		{ "CO-6 libcoap: a separate answer", separate, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("agent/foreign", tests, setup, teardown);
}

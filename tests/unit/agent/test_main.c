/* SPDX-License-Identifier: Apache-2.0 */
/* The program as its user sees it: exit codes, what is printed, signals (design.md section 7). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/agent_store.h"
#include "host/file.h"
#include "unit/agent/support_world.h"

/* A child, so that signals and locks are those of a process of its own. */
static pid_t
spawn(struct world *w, const char *a, const char *b, const char *c)
{
	char config[128], out[128];
	char *argv[] = { (char *)(uintptr_t) "muster-agent", (char *)(uintptr_t) "--config", config,
		(char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c, NULL };
	int argc = a == NULL ? 3 : b == NULL ? 4 : c == NULL ? 5 : 6;
	pid_t pid;
	int fd;

	snprintf(config, sizeof config, "%s/agent.conf", w->folder);
	snprintf(out, sizeof out, "%s/out", w->folder);
	fflush(NULL);
	if ((pid = fork()) == 0) {
		MUST((fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0);
		MUST(dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
		argc = agent_main(argc, argv);
		fflush(NULL);
		_exit(argc);
	}
	assert_true(pid > 0);
	return pid;
}

static int
wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
agent(struct world *w, const char *a, const char *b, const char *c)
{
	return wait_for(spawn(w, a, b, c));
}

static const char *
output(struct world *w)
{
	char path[128];
	mst_span text;

	snprintf(path, sizeof path, "%s/out", w->folder);
	MUST(file_read(w->a, path, 1 << 20, &text) == MST_OK);
	return (const char *)text.ptr;
}

static void
write_config(struct world *w, const char *lines)
{
	char path[128], text[1024];

	snprintf(path, sizeof path, "%s/agent.conf", w->folder);
	snprintf(text, sizeof text,
	    "state = \"state\"\nidevid_cert = \"idevid.pem\"\nidevid_key = \"idevid.key\"\n"
	    "masa_anchors = \"masa.pem\"\nregistrars = { \"127.0.0.1:%d\" }\n%s",
	    w->toy.port, lines);
	MUST(file_write_atomic(path, mst_span_str(text), 0600) == MST_OK);
}

static void
open_world(struct world *w, enum toy_trick trick)
{
	world_open(w, trick);
	write_config(w, "");
}

/* Until the toy has seen n reports: the daemon's work is done then but for a write. */
static void
wait_reports(struct world *w, int n)
{
	for (int i = 0; i < 1000 && w->toy.reports < n; i++)
		usleep(20000);
	assert_int_equal(w->toy.reports, n);
}

static const char *
field(struct world *w, const char *name)
{
	json_t *o = json_loads(output(w), 0, NULL);
	const char *text = json_string_value(json_object_get(o, name));
	char *copy;

	assert_non_null(o);
	copy = text == NULL ? NULL : arena_str(w->a, mst_span_str(text));
	json_decref(o);
	return copy;
}

static void
usage(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, TOY_HONEST);
	assert_int_equal(agent(&w, "--help", NULL, NULL), 0);
	assert_non_null(strstr(output(&w), "Usage: muster-agent"));
	assert_int_equal(agent(&w, "--version", NULL, NULL), 0);
	assert_non_null(strstr(output(&w), MUSTER_VERSION));
	assert_int_equal(agent(&w, "dance", NULL, NULL), 2);
	assert_non_null(strstr(output(&w), "\"dance\""));
	assert_int_equal(agent(&w, "--once", "status", NULL), 2);
	assert_int_equal(agent(&w, "--once", "--json", NULL), 2);
	assert_int_equal(agent(&w, "--once", "--timeout", "0"), 2);
	assert_int_equal(agent(&w, "--once", "--timeout", "soon"), 2);
	assert_int_equal(agent(&w, "status", "renew", NULL), 2);
	assert_int_equal(w.toy.connections, 0);
	world_close(&w);
}

static void
life(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, TOY_HONEST);
	assert_int_equal(agent(&w, "status", "--json", NULL), 0);
	assert_string_equal(field(&w, "state"), "fresh");
	assert_string_equal(field(&w, "serial-number"), "LAMP-1");
	assert_int_equal(agent(&w, "--once", NULL, NULL), 0);
	assert_int_equal(agent(&w, "status", "--json", NULL), 0);
	assert_string_equal(field(&w, "state"), "active");
	assert_string_equal(field(&w, "health"), "ok");
	assert_string_equal(field(&w, "registrar"), w.toy.base);
	assert_non_null(field(&w, "renew-at"));
	assert_int_equal(agent(&w, "status", NULL, NULL), 0);
	assert_non_null(strstr(output(&w), "reported        yes"));
	assert_int_equal(agent(&w, "renew", NULL, NULL), 0);
	assert_int_equal(w.toy.reenrolls, 1);
	assert_int_equal(agent(&w, "factory-reset", NULL, NULL), 0);
	assert_int_equal(agent(&w, "status", "--json", NULL), 0);
	assert_string_equal(field(&w, "state"), "fresh");
	assert_int_equal(agent(&w, "renew", NULL, NULL), 3);
	world_close(&w);
}

static void
refused(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, TOY_FORGED_VOUCHER);
	assert_int_equal(agent(&w, "--once", "--timeout", "2"), 4);
	assert_non_null(strstr(output(&w), "MU-1203"));
	world_close(&w);
}

static void
unreachable(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, TOY_HONEST);
	toy_stop(&w.toy);
	assert_int_equal(agent(&w, "--once", "--timeout", "1"), 6);
	assert_non_null(strstr(output(&w), "MU-1011"));
	toy_start(&w.toy, world_pki(), TOY_HONEST);
	world_close(&w);
}

static void
bad_config(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, TOY_HONEST);
	write_config(&w, "trust_everybody = true\n");
	assert_int_equal(agent(&w, "--once", NULL, NULL), 1);
	assert_non_null(strstr(output(&w), "MU-6000"));
	assert_non_null(strstr(output(&w), "trust_everybody"));
	world_close(&w);
}

/* D21: neither the daemon nor status takes a damaged record for an absent one. */
static void
damaged(void **state)
{
	char path[128];
	struct world w;

	(void)state;
	open_world(&w, TOY_HONEST);
	assert_int_equal(agent(&w, "--once", NULL, NULL), 0);
	snprintf(path, sizeof path, "%s/ldevid.pem", w.state);
	MUST(truncate(path, 100) == 0);
	toy_forget(&w.toy);
	assert_int_equal(agent(&w, "--once", NULL, NULL), 1);
	assert_non_null(strstr(output(&w), "MU-1312"));
	assert_int_equal(w.toy.connections, 0);
	assert_int_equal(agent(&w, "status", NULL, NULL), 1);
	assert_non_null(strstr(output(&w), "damaged"));
	assert_int_equal(agent(&w, "factory-reset", NULL, NULL), 0);
	assert_int_equal(agent(&w, "--once", NULL, NULL), 0);
	world_close(&w);
}

static void
daemon_signals(void **state)
{
	struct world w;
	pid_t pid;

	(void)state;
	open_world(&w, TOY_HONEST);
	pid = spawn(&w, NULL, NULL, NULL);
	wait_reports(&w, 1);
	while (agent_lock_holder(w.state) != pid)
		usleep(1000);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	wait_reports(&w, 2);
	assert_int_equal(w.toy.reenrolls, 1);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(wait_for(pid), 0);
	assert_int_equal(agent_lock_holder(w.state), 0);
	world_close(&w);
}

/* With the daemon running: renew goes through it, the others keep out. */
static void
beside_daemon(void **state)
{
	struct world w;
	pid_t pid;

	(void)state;
	open_world(&w, TOY_HONEST);
	pid = spawn(&w, NULL, NULL, NULL);
	wait_reports(&w, 1);
	assert_int_equal(agent(&w, "--once", NULL, NULL), 5);
	assert_int_equal(agent(&w, "factory-reset", NULL, NULL), 5);
	/* the answer to the report arrives a moment after the registrar has counted it */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(agent(&w, "status", "--json", NULL), 0);
		if (strcmp(field(&w, "state"), "enrolled") != 0)
			break;
		usleep(50000);
	}
	assert_string_equal(field(&w, "state"), "active");
	assert_int_equal(agent(&w, "renew", NULL, NULL), 0);
	assert_int_equal(w.toy.reenrolls, 1);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(wait_for(pid), 0);
	world_close(&w);
}

/* A registrar that does not answer holds up nobody's shutdown. */
static void
stopped_while_waiting(void **state)
{
	struct world w;
	pid_t pid;

	(void)state;
	open_world(&w, TOY_SILENT);
	pid = spawn(&w, NULL, NULL, NULL);
	while (w.toy.requests == 0)
		usleep(10000);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(wait_for(pid), 0);
	world_close(&w);
}

/* D21: kill -9 anywhere in a whole bootstrap; the next start ends enrolled. */
static void
killed_anywhere(void **state)
{
	struct agent_record r;
	struct world w;

	(void)state;
	for (int n = 1; n <= 6; n++) {
		pid_t pid;
		mst_err e;

		open_world(&w, TOY_HONEST);
		pid = spawn(&w, "--once", NULL, NULL);
		while (w.toy.requests < n)
			usleep(200);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		e = agent_record_read(w.state, &r);
		assert_true(e == MST_OK || e == MST_E_NOT_FOUND);
		if (e == MST_OK)
			agent_record_wipe(&r);
		assert_int_equal(agent(&w, "--once", NULL, NULL), 0);
		assert_int_equal(agent_record_read(w.state, &r), MST_OK);
		assert_int_equal(r.reported, AGENT_REPORTED);
		agent_record_wipe(&r);
		world_close(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "section-7 usage is exit 2", usage, NULL, NULL, NULL },
		{ "status, --once, renew, factory-reset", life, NULL, NULL, NULL },
		{ "section-7 refused is exit 4 and has a code", refused, NULL, NULL, NULL },
		{ "section-7 unreachable is exit 6", unreachable, NULL, NULL, NULL },
		{ "section-7 a bad configuration is named", bad_config, NULL, NULL, NULL },
		{ "D21 a damaged record is named, not taken for fresh", damaged, NULL, NULL, NULL },
		{ "the daemon renews on SIGUSR1 and ends on SIGTERM", daemon_signals, NULL, NULL,
		    NULL },
		{ "section-7 beside a running daemon", beside_daemon, NULL, NULL, NULL },
		{ "SIGTERM while a registrar is silent", stopped_while_waiting, NULL, NULL, NULL },
		{ "D21 kill -9 anywhere, then enrolled", killed_anywhere, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/control.h"
#include "host/file.h"
#include "host/init.h"

#define READY_MS 15000
#define READ_MOST (16u << 20)

static bool
fail(struct lab *l, const char *what, const char *words)
{
	snprintf(l->why, sizeof l->why, "%s: %s", what, words);
	return false;
}

const char *
lab_path(struct lab *l, const char *name)
{
	return arena_printf(l->c->a, "%s/%s", l->folder, name);
}

const char *
lab_read(struct lab *l, const char *name)
{
	mst_span bytes;

	return file_read(l->c->a, lab_path(l, name), READ_MOST, &bytes) == MST_OK
	           ? (const char *)bytes.ptr
	           : "";
}

int
lab_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		port = ntohs(at.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

/* --- processes --- */

static void
become(struct lab *l, const char *output, const char *const *argv)
{
	char path[1200];
	const char *log = lab_path(l, output != NULL ? output : "lab.log");
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGTERM); /* nothing outlives the lab */
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	if (strncmp(argv[0], "muster", 6) == 0)
		control_program(argv[0], path, sizeof path);
	else
		snprintf(path, sizeof path, "%s", argv[0]);
	execvp(path, (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

pid_t
lab_spawn(struct lab *l, const char *output, const char *const *argv)
{
	pid_t pid;

	fflush(NULL);
	if ((pid = fork()) == 0)
		become(l, output, argv);
	return pid;
}

int
lab_wait(pid_t pid)
{
	int status;

	while (pid > 0) {
		if (waitpid(pid, &status, 0) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		if (errno != EINTR)
			break;
	}
	return -1;
}

int
lab_run(struct lab *l, const char *output, const char *const *argv)
{
	return lab_wait(lab_spawn(l, output, argv));
}

static bool
listens(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

/* The last line of a daemon's log says why it did not start. */
static const char *
last_line(struct lab *l, const char *log)
{
	char *text = arena_str(l->c->a, mst_span_str(lab_read(l, log)));
	size_t n = text != NULL ? strlen(text) : 0;
	char *line;

	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	line = n != 0 ? strrchr(text, '\n') : NULL;
	return line != NULL ? line + 1 : n != 0 ? text : "it ended without a word";
}

static bool
start_daemon(struct lab *l, const char *name, int port)
{
	const char *config = arena_printf(l->c->a, "%s/%s/muster.conf", l->folder, name);
	const char *log = arena_printf(l->c->a, "%s.log", name);
	const char *const argv[] = { "musterd", "--config", config, NULL };
	pid_t pid = lab_spawn(l, log, argv);

	if (pid < 0)
		return fail(l, name, "out of processes");
	l->running[l->count++] = pid;
	for (int waited = 0; waited < READY_MS; waited += 20) {
		if (listens(port))
			return true;
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			l->count--;
			return fail(l, name, last_line(l, log));
		}
		usleep(20000);
	}
	return fail(l, name, "it does not listen");
}

bool
lab_start(struct lab *l)
{
	return start_daemon(l, "factory", l->masa_port) &&
	       start_daemon(l, "site", l->registrar_port) &&
	       start_daemon(l, "proxy", l->proxy_port);
}

void
lab_stop(struct lab *l)
{
	for (int i = l->count; i-- > 0;)
		kill(l->running[i], SIGTERM);
	for (int i = l->count; i-- > 0;)
		lab_wait(l->running[i]);
	l->count = 0;
}

/* --- making --- */

static bool
put(struct lab *l, const char *name, const char *text)
{
	if (text == NULL || file_write_new(lab_path(l, name), mst_span_str(text), 0600) != MST_OK)
		return fail(l, name, text != NULL ? file_why() : "out of memory");
	return true;
}

/* All devices of the lab come from one address: limits per source must allow the crowd. */
static bool
append(struct lab *l, const char *name, const char *text)
{
	FILE *f = fopen(lab_path(l, name), "a");
	bool ok = f != NULL && fputs(text, f) >= 0;

	if (f != NULL && fclose(f) != 0)
		ok = false;
	return ok || fail(l, name, strerror(errno));
}

static bool
make_proxy(struct lab *l)
{
	return file_make_dir(lab_path(l, "proxy"), 0700) == MST_OK &&
	       put(l, "proxy/muster.conf",
	           arena_printf(l->c->a,
	               "state = \"state\"\n"
	               "proxy {\n\tlisten = \"127.0.0.1:%d\"\n\tregistrar = \"127.0.0.1:%d\"\n"
	               "\tmax_connections = 1000\n\tper_peer = 1000\n"
	               "\tudp_listen = \"127.0.0.1:%d\"\n"
	               "\tudp_registrar = \"jpy://127.0.0.1:%d\"\n}\n",
	               l->proxy_port, l->registrar_port, l->join_port, l->jpy_port));
}

static bool
trust_factory(struct lab *l)
{
	const char *hosts = arena_printf(l->c->a, "127.0.0.1:%d", l->masa_port);
	const char *const argv[] = { "muster", "manufacturer", "trust", "acme", "--anchors",
		lab_path(l, "factory/idevid-ca.pem"), "--voucher-anchors",
		lab_path(l, "factory/voucher-ca.pem"), "--masa-anchors",
		lab_path(l, "factory/masa-tls-ca.pem"), "--masa-hosts", hosts, "--mode", "auto",
		"--config", lab_path(l, "site/muster.conf"), NULL };

	return lab_run(l, NULL, argv) == 0 ||
	       fail(l, "manufacturer trust", last_line(l, "lab.log"));
}

bool
lab_make(struct lab *l, struct cli *c, const char *folder)
{
	*l = (struct lab){ .c = c,
		.folder = folder,
		.masa_port = lab_port(),
		.registrar_port = lab_port(),
		.proxy_port = lab_port(),
		.site_ops_port = lab_port(),
		.masa_ops_port = lab_port(),
		.coaps_port = lab_port(),
		.jpy_port = lab_port(),
		.join_port = lab_port() };
	struct init_factory f = { .folder = lab_path(l, "factory"),
		.organization = "Acme Devices",
		.listen = arena_printf(c->a, "127.0.0.1:%d", l->masa_port),
		.url = arena_printf(c->a, "127.0.0.1:%d", l->masa_port),
		.ops = arena_printf(c->a, "127.0.0.1:%d", l->masa_ops_port) };
	struct init_site s = { .folder = lab_path(l, "site"),
		.organization = "Example Site",
		.listen = arena_printf(c->a, "127.0.0.1:%d", l->registrar_port),
		.hosts = "127.0.0.1 localhost",
		.ops = arena_printf(c->a, "127.0.0.1:%d", l->site_ops_port),
		.coaps = arena_printf(c->a, "127.0.0.1:%d", l->coaps_port),
		.jpy = arena_printf(c->a, "127.0.0.1:%d", l->jpy_port) };
	static const char limits[] = "http {\n\tper_source = 4000\n}\n";

	if (file_make_dir(folder, 0700) != MST_OK)
		return fail(l, folder, file_why());
	if (init_factory(c->a, &f) != MST_OK || init_site(c->a, &s) != MST_OK)
		return fail(l, "init", init_why());
	return append(l, "factory/muster.conf", limits) && append(l, "site/muster.conf", limits) &&
	       make_proxy(l) && trust_factory(l);
}

bool
lab_agent_config(struct lab *l, enum lab_way way, const char *name, int port)
{
	return put(l, arena_printf(l->c->a, "devices/%s/agent.conf", name),
	    arena_printf(l->c->a,
	        "state = \"state\"\nidevid_cert = \"idevid.pem\"\nidevid_key = \"idevid.key\"\n"
	        "masa_anchors = \"%s/factory/voucher-ca.pem\"\nregistrars = { \"127.0.0.1:%d\" "
	        "}\n%s",
	        l->folder, port, way == LAB_COAPS ? "transport = \"coaps\"\n" : ""));
}

bool
lab_devices(struct lab *l, enum lab_way way, int first, int last)
{
	const char *const argv[] = { "muster", "idevid", "issue", "--batch",
		lab_path(l, "serials.csv"), "--out", lab_path(l, "devices"), "--config",
		lab_path(l, "factory/muster.conf"), NULL };
	char *list = arena_alloc(l->c->a, (size_t)(last - first + 2) * 16);
	size_t at = 0;

	if (list == NULL)
		return fail(l, "devices", "out of memory");
	for (int i = first; i <= last; i++)
		at += (size_t)snprintf(list + at, 16, "DEVICE-%03d\n", i);
	unlink(lab_path(l, "serials.csv"));
	if (!put(l, "serials.csv", list))
		return false;
	if (lab_run(l, NULL, argv) != 0)
		return fail(l, "idevid issue", last_line(l, "lab.log"));
	for (int i = first; i <= last; i++)
		if (!lab_agent_config(l, way, arena_printf(l->c->a, "DEVICE-%03d", i),
		        way == LAB_COAPS ? l->join_port : l->proxy_port))
			return false;
	return true;
}

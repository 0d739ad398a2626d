/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "bench.h"
#include "host/cert.h"
#include "host/file.h"
#include "host/init.h"

#define RUNNING_MAX 8
#define READY_MS 20000
#define STOP_MS 20000

static pid_t running[RUNNING_MAX];

const char *
world_path(struct world *w, const char *fmt, ...)
{
	char tail[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(tail, sizeof tail, fmt, ap);
	va_end(ap);
	return arena_printf(w->a, "%s/%s", w->dir, tail);
}

/* A TCP port of loopback that is free now. */
static int
free_port(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof any;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &len) != 0)
		bench_die("no port on loopback");
	close(fd);
	return ntohs(any.sin_port);
}

/* --- processes --- */

static pid_t
spawn(struct world *w, const char *log, const char *notify, const char *const *argv)
{
	const char *path = arena_printf(w->a, "%s/%s", w->programs, argv[0]);
	pid_t pid;

	fflush(NULL);
	if ((pid = fork()) != 0)
		return pid;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGTERM); /* nothing outlives the bench */
	dup2(null, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (notify != NULL)
		setenv("NOTIFY_SOCKET", notify, 1);
	execv(path, (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

void
world_muster(struct world *w, const char *first, ...)
{
	const char *argv[32] = { "muster", first };
	const char *log = world_path(w, "muster.log");
	size_t n = 2;
	int status;
	pid_t pid;
	va_list ap;

	va_start(ap, first);
	while (n < 31 && (argv[n] = va_arg(ap, const char *)) != NULL)
		n++;
	va_end(ap);
	pid = spawn(w, log, NULL, argv);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bench_die("muster %s %s failed, see %s", argv[1], argv[2], log);
}

static pid_t
child_of(pid_t parent)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		int pid = atoi(e->d_name), ppid = 0;
		char path[64];
		FILE *f;

		if (pid <= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		if ((f = fopen(path, "r")) == NULL)
			continue;
		if (fscanf(f, "%*d (%*[^)]) %*c %d", &ppid) == 1 && ppid == parent)
			found = pid;
		fclose(f);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static void
await_ready(int fd, const char *config, const char *log)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char news[64];
	ssize_t n;

	if (poll(&p, 1, READY_MS) != 1 || (n = recv(fd, news, sizeof news, 0)) < 7 ||
	    memcmp(news, "READY=1", 7) != 0)
		bench_die("musterd --config %s did not start, see %s", config, log);
}

void
world_start(struct world *w, struct daemon *d)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *argv[] = { "musterd", "--config", d->config, NULL };
	const char *log = arena_printf(w->a, "%s.log", d->config);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	double from;
	size_t i;

	if (fd < 0 || strlen(w->dir) > 90)
		bench_die("the folder's name is too long for a socket: %s", w->dir);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/ready", w->dir);
	unlink(at.sun_path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
		bench_die("%s: %s", at.sun_path, strerror(errno));
	from = bench_now();
	d->pid = spawn(w, log, at.sun_path, argv);
	for (i = 0; i < RUNNING_MAX && running[i] != 0; i++)
		;
	if (i < RUNNING_MAX)
		running[i] = d->pid;
	await_ready(fd, d->config, log);
	d->start_ms = (bench_now() - from) * 1e3;
	close(fd);
	d->key_pid = child_of(d->pid);
}

static void
end(pid_t pid)
{
	int status, waited = 0;

	kill(pid, SIGTERM);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		usleep(5000);
		if ((waited += 5) == STOP_MS)
			kill(pid, SIGKILL);
	}
	for (size_t i = 0; i < RUNNING_MAX; i++)
		if (running[i] == pid)
			running[i] = 0;
}

void
world_stop(struct daemon *d)
{
	if (d->pid > 0)
		end(d->pid);
	d->pid = d->key_pid = 0;
}

void
world_stop_all(void)
{
	for (size_t i = 0; i < RUNNING_MAX; i++)
		if (running[i] > 0)
			end(running[i]);
}

/* --- what /proc says --- */

static double
process_cpu(pid_t pid)
{
	char path[64];
	unsigned long user = 0, system = 0;
	FILE *f;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		bench_die("process %d is gone", (int)pid);
	if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	        &system) != 2)
		bench_die("%s cannot be read", path);
	fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double
daemon_cpu(const struct daemon *d)
{
	return process_cpu(d->pid) + process_cpu(d->key_pid);
}

double
daemon_key_cpu(const struct daemon *d)
{
	return process_cpu(d->key_pid);
}

void
machine_cpu(double *busy, double *all)
{
	unsigned long t[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");
	double tick = (double)sysconf(_SC_CLK_TCK);

	if (f == NULL || fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &t[0], &t[1], &t[2],
	                     &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
		bench_die("/proc/stat cannot be read");
	fclose(f);
	*busy = (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / tick;
	*all = *busy + (double)(t[3] + t[4]) / tick;
}

static double
rollup(pid_t pid, const char *field)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	if (pid <= 0 || (f = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtod(line + strlen(field), NULL);
	fclose(f);
	return kib;
}

struct memory
daemon_memory(const struct daemon *d)
{
	return (struct memory){ .network = rollup(d->pid, "Rss:"),
		.keys = rollup(d->key_pid, "Rss:"),
		.keys_own =
		    rollup(d->key_pid, "Private_Clean:") + rollup(d->key_pid, "Private_Dirty:") };
}

/* --- making --- */

/* Settings into the sections that init wrote; the limits meant for strangers must allow a crowd. */
static void
edit(struct world *w, const char *path, const char *section, const char *settings)
{
	mst_span text;
	const char *all, *at;

	if (file_read(w->a, path, 1 << 20, &text) != MST_OK)
		bench_die("%s", file_why());
	all = arena_str(w->a, text);
	if ((at = strstr(all, section)) == NULL)
		bench_die("%s has no \"%s\"", path, section);
	at += strlen(section);
	all = arena_printf(w->a,
	    "loops = %d\nhttp {\n\tconnections = 20000\n\tper_source = 20000\n"
	    "\tidle_ms = 3600000\n}\n%.*s%s%s",
	    w->loops, (int)(at - all), all, settings, at);
	unlink(path);
	if (file_write_new(path, mst_span_str(all), 0600) != MST_OK)
		bench_die("%s", file_why());
}

void
world_make(struct world *w)
{
	w->site.port = free_port();
	w->factory.port = free_port();
	w->site.config = world_path(w, "site/muster.conf");
	w->factory.config = world_path(w, "factory/muster.conf");
	const char *masa = arena_printf(w->a, "127.0.0.1:%d", w->factory.port);
	struct init_factory f = { .folder = world_path(w, "factory"),
		.organization = "Example Manufacturer",
		.listen = masa,
		.url = masa };
	struct init_site s = { .folder = world_path(w, "site"),
		.organization = "Example Site",
		.listen = arena_printf(w->a, "127.0.0.1:%d", w->site.port),
		.hosts = "127.0.0.1" };

	if (init_factory(w->a, &f) != MST_OK || init_site(w->a, &s) != MST_OK)
		bench_die("init: %s", init_why());
	edit(w, w->factory.config, "masa {\n", "\trate = 1000000\n");
	edit(w, w->site.config, "registrar {\n", "\tdevice_rate = 100000\n");
	world_muster(w, "manufacturer", "trust", "bench", "--anchors",
	    world_path(w, "factory/idevid-ca.pem"), "--voucher-anchors",
	    world_path(w, "factory/voucher-ca.pem"), "--masa-anchors",
	    world_path(w, "factory/masa-tls-ca.pem"), "--masa-hosts", masa, "--mode", "auto",
	    "--config", w->site.config, NULL);
}

void
world_devices(struct world *w, int first, int count)
{
	const char *path = world_path(w, "serials-%d.csv", first);
	FILE *f = fopen(path, "w");

	if (f == NULL)
		bench_die("%s: %s", path, strerror(errno));
	for (int i = first; i < first + count; i++)
		fprintf(f, "BENCH-%05d\n", i);
	fclose(f);
	world_muster(w, "idevid", "issue", "--batch", path, "--out", world_path(w, "devices"),
	    "--config", w->factory.config, NULL);
}

STACK_OF(X509) *
read_certs(struct arena *a, const char *path)
{
	STACK_OF(X509) *list;
	mst_span pem;

	if (file_read(a, path, 1 << 20, &pem) != MST_OK || cert_list(pem, &list) != MST_OK)
		bench_die("%s: no certificate", path);
	return list;
}

EVP_PKEY *
read_key(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	if (key == NULL)
		bench_die("%s: no key", path);
	fclose(f);
	return key;
}

struct identity
world_idevid(struct world *w, int n)
{
	struct identity out;
	STACK_OF(X509) *list = read_certs(w->a, world_path(w, "devices/BENCH-%05d/idevid.pem", n));

	out.cert = sk_X509_shift(list);
	out.chain = list;
	out.key = read_key(world_path(w, "devices/BENCH-%05d/idevid.key", n));
	return out;
}

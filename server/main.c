/* SPDX-License-Identifier: Apache-2.0 */
/* musterd: arguments, signals, and the news for the service manager. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/algorithms.h"
#include "host/log.h"
#include "host/notify.h"
#include "server/admin/admin.h"
#include "server/roles.h"

static const char usage[] =
    "Usage: musterd --config FILE [--check | --admin]\n"
    "\n"
    "Plays the roles that FILE has sections for: registrar (BRSKI, EST, CA), masa, proxy.\n"
    "\n"
    "  -c, --config FILE  configuration, see musterd.conf(5)\n"
    "      --check        read the configuration, print what it says, and end\n"
    "      --admin        serve one control channel on the standard streams: the daemon's, or,\n"
    "                     where none runs, one of its own, without listening\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n";

static struct roles *running;
static volatile sig_atomic_t key_process_died;

/* One thread waits for the signals that the others have blocked. */
static void *
wait_for_signals(void *arg)
{
	sigset_t *set = arg;

	for (;;) {
		int sig = 0;

		if (sigwait(set, &sig) != 0)
			continue;
		if (sig == SIGCHLD) {
			int status;
			pid_t pid = waitpid(roles_key_pid(running), &status, WNOHANG);

			if (pid <= 0)
				continue;
			key_process_died = 1;
			log_line(LOG_ERROR_, "%s the key process ended: the daemon ends too",
			    mst_err_info(MST_E_KEY_GONE)->code);
		} else {
			log_line(LOG_INFO_, "stops on signal %d", sig);
		}
		roles_stop(running);
		return NULL;
	}
}

static int
serve(const struct config *c, enum roles_mode mode)
{
	static sigset_t set;
	pthread_t thread;
	mst_err e;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if ((e = roles_start(c, mode, &running)) != MST_OK)
		return 1;
	if (pthread_create(&thread, NULL, wait_for_signals, &set) != 0) {
		roles_free(running);
		return 1;
	}
	log_line(LOG_INFO_, "musterd %s runs from %s", MUSTER_VERSION, c->path);
	notify_service_manager("READY=1\n");
	e = roles_run(running);
	notify_service_manager("STOPPING=1\n");
	pthread_kill(thread, SIGTERM);
	pthread_join(thread, NULL);
	roles_free(running);
	return e == MST_OK && !key_process_died ? 0 : 1;
}

static void
describe(const struct config *c)
{
	printf("%s: good\n", c->path);
	if (c->registrar != NULL)
		printf("registrar on %s, %zu CA%s\n", c->registrar->listen, c->ca_count,
		    c->ca_count == 1 ? "" : "s");
	if (c->masa != NULL)
		printf("masa on %s, %s\n", c->masa->listen, c->masa->url);
	if (c->proxy != NULL)
		printf("proxy on %s towards %s\n", c->proxy->listen,
		    c->proxy->registrar != NULL ? c->proxy->registrar : "whatever is announced");
	printf("state in %s\n", c->state);
	for (size_t i = 0; i < c->file_count; i++)
		if (access(c->files[i], F_OK) != 0)
			printf("not there: %s\n", c->files[i]);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' }, { "admin", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 } };
	const char *path = NULL;
	enum roles_mode mode = ROLES_SERVE;
	int check = 0, o;
	struct arena *a = arena_new(0);
	struct config c;
	mst_err e;

	if (algorithms_narrow() != MST_OK) {
		fputs("musterd: OpenSSL's default provider cannot be loaded\n", stderr);
		return 1;
	}
	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c': path = optarg; break;
		case 'k': check = 1; break;
		case 'a': mode = ROLES_ADMIN; break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': puts("musterd " MUSTER_VERSION); return 0;
		default: fputs("musterd: see --help\n", stderr); return 2;
		}
	}
	if (path == NULL || optind != argc || a == NULL) {
		fputs("musterd: give --config FILE, and nothing else; see --help\n", stderr);
		return 2;
	}
	if ((e = config_load(a, path, &c)) != MST_OK) {
		fprintf(stderr, "musterd: %s %s\n", mst_err_info(e)->code, config_why());
		return 2;
	}
	log_open("musterd", (enum log_format)c.log_format,
	    mode == ROLES_ADMIN ? LOG_ERROR_ : (enum log_level)c.log_level, STDERR_FILENO);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN); /* the relay too: who has left is seen where it is written to */
	o = 0;
	if (check)
		describe(&c);
	else if (mode != ROLES_ADMIN ||
	         admin_relay(c.control, STDIN_FILENO, STDOUT_FILENO) != MST_OK)
		o = serve(&c, mode);
	arena_free(a);
	return o;
}

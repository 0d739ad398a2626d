/* SPDX-License-Identifier: Apache-2.0 */
/* muster-agent: arguments, signals, exit codes. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/agent_store.h"
#include "agent/update.h"
#include "agent/update_care.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/notify.h"

#define LOCK_SECONDS 60

static const char usage[] =
    "Usage: muster-agent --config FILE [--once] [--timeout SECONDS]\n"
    "       muster-agent --config FILE status [--json]\n"
    "       muster-agent --config FILE renew [--timeout SECONDS]\n"
    "       muster-agent --config FILE factory-reset\n"
    "       muster-agent --config FILE update [--again] [URI]\n"
    "       muster-agent --config FILE boot | settle | confirm | revert\n"
    "       muster-agent --config FILE slot-format a|b ENVELOPE\n"
    "\n"
    "Takes this device from its IDevID to a certificate of its site (RFC 8995), reports,\n"
    "and renews. Without a command: the daemon. Updates its image from signed manifests (SUIT):\n"
    "update looks and installs, boot says which slot to start, settle runs the health check of a\n"
    "trial, confirm and revert judge it by hand.\n"
    "\n"
    "  -c, --config FILE      configuration, see muster-agent(8)\n"
    "      --once             do what is due now, then end\n"
    "      --timeout SECONDS  begin no attempt later than this (--once, renew; default 120)\n"
    "      --json             status, update, boot: one JSON object\n"
    "      --again            update: also what was tried and reverted before\n"
    "  -h, --help             this text\n"
    "  -V, --version          the version\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 usage, 3 not enrolled, 4 refused, 5 another agent runs,\n"
    "6 unreachable or no verdict in time.\n";

struct options {
	const char *config, *command;
	const char *words[2]; /* behind the command; NULL: none */
	long timeout;
	bool once, json, again;
};

static int
fail(mst_err e, const char *words, int code)
{
	const struct mst_err_info *i = mst_err_info(e);

	fprintf(stderr, "muster-agent: %s %s\n  %s\n  %s\n", i->code, i->sentence, words, i->next);
	return code;
}

/* ---- signals ---- */

struct listener {
	struct agent *agent;
	sigset_t set;
	enum agent_task task;
};

/*
 * One thread waits for the signals that the others have blocked. An exchange
 * with a slow peer is not waited for: storage is safe against worse than that.
 * SIGUSR2 comes from run() alone: all is done.
 */
static void *
listen_to_signals(void *arg)
{
	const struct timespec patience = { .tv_sec = 2 };
	struct listener *l = arg;
	bool stopping = false;

	for (;;) {
		int sig = sigtimedwait(&l->set, NULL, stopping ? &patience : NULL);

		if (sig == SIGUSR2)
			return NULL;
		if (sig < 0 && stopping && errno == EAGAIN)
			_exit(l->task == AGENT_DAEMON ? AGENT_OK : AGENT_UNREACHABLE);
		if (sig == SIGUSR1)
			agent_renew_now(l->agent);
		if (sig != SIGTERM && sig != SIGINT)
			continue;
		stopping = true;
		agent_stop(l->agent);
	}
}

static int
run(const struct agent_config *cfg, enum agent_task task, long timeout)
{
	static struct listener l;
	struct update_care *care;
	pthread_t thread;
	int code;
	pid_t holder;
	mst_err e;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&l.set);
	sigaddset(&l.set, SIGINT);
	sigaddset(&l.set, SIGTERM);
	sigaddset(&l.set, SIGUSR1);
	sigaddset(&l.set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &l.set, NULL);
	if ((e = agent_open(cfg, &l.agent, &holder)) != MST_OK)
		return fail(e, agent_why(), e == MST_E_CONFLICT ? AGENT_CONFLICT : AGENT_FAILED);
	l.task = task;
	if (pthread_create(&thread, NULL, listen_to_signals, &l) != 0) {
		agent_close(l.agent);
		return fail(MST_E_NOMEM, "no thread", AGENT_FAILED);
	}
	care = task == AGENT_RENEW
	           ? NULL
	           : update_care_start(
	                 cfg, task == AGENT_DAEMON ? UPDATE_CARE_ALL : UPDATE_CARE_TRIAL);
	if (task == AGENT_DAEMON)
		notify_service_manager("READY=1\n");
	code = (int)agent_run(l.agent, task, timeout);
	update_care_stop(care);
	if (task == AGENT_DAEMON)
		notify_service_manager("STOPPING=1\n");
	e = agent_verdict(l.agent);
	pthread_kill(thread, SIGUSR2);
	pthread_join(thread, NULL);
	agent_close(l.agent);
	if (code == AGENT_NOT_ENROLLED)
		return fail(MST_E_NOT_FOUND, "there is no certificate to renew", code);
	if (code == AGENT_REFUSED || code == AGENT_UNREACHABLE)
		return fail(e != MST_OK ? e : MST_E_TIMEOUT, "not enrolled or not reported", code);
	return code;
}

/* ---- commands ---- */

static int
status(const struct agent_config *cfg, enum agent_form form)
{
	struct arena *a = arena_new(0);
	const char *text = "";
	mst_err e;

	if (a == NULL)
		return fail(MST_E_NOMEM, "status", AGENT_FAILED);
	e = agent_status(a, cfg, form, &text);
	fputs(text, stdout);
	if (e != MST_OK)
		fail(e, agent_store_why(), AGENT_FAILED);
	arena_free(a);
	return e == MST_OK ? AGENT_OK : AGENT_FAILED;
}

static int
factory_reset(const struct agent_config *cfg)
{
	pid_t holder;
	mst_err e = agent_factory_reset(cfg, &holder);

	if (e == MST_E_CONFLICT)
		return fail(e, "an agent runs on this state: stop it first", AGENT_CONFLICT);
	if (e != MST_OK)
		return fail(e, agent_why(), AGENT_FAILED);
	fputs("muster-agent: factory-fresh\n", stderr);
	return AGENT_OK;
}

/* The certificate that is stored; NULL for none. */
static X509 *
stored_cert(const struct agent_config *cfg)
{
	struct agent_record r;
	X509 *cert;

	if (agent_record_read(cfg->state, &r) != MST_OK)
		return NULL;
	cert = r.cert;
	r.cert = NULL;
	agent_record_wipe(&r);
	return cert;
}

static bool
replaced(const struct agent_config *cfg, X509 *before)
{
	X509 *now = stored_cert(cfg);
	bool other = now != NULL && X509_cmp(now, before) != 0;

	X509_free(now);
	return other;
}

/* A daemon runs: it is asked, and what it stores is waited for. */
static int
ask_daemon(const struct agent_config *cfg, pid_t holder, long timeout)
{
	int64_t deadline = clock_mono() + timeout;
	X509 *before = stored_cert(cfg);
	bool done = false;

	if (before == NULL)
		return fail(
		    MST_E_NOT_FOUND, "there is no certificate to renew", AGENT_NOT_ENROLLED);
	if (kill(holder, SIGUSR1) != 0) {
		X509_free(before);
		return fail(MST_E_CONFLICT, strerror(errno), AGENT_CONFLICT);
	}
	while (!(done = replaced(cfg, before)) && clock_mono() < deadline)
		usleep(100000);
	X509_free(before);
	return done ? AGENT_OK
	            : fail(MST_E_TIMEOUT, "the running agent's log says why", AGENT_UNREACHABLE);
}

static int
renew(const struct agent_config *cfg, long timeout)
{
	pid_t holder = agent_lock_holder(cfg->state);

	return holder > 0 ? ask_daemon(cfg, holder, timeout) : run(cfg, AGENT_RENEW, timeout);
}

/* ---- updates ---- */

/* So many words may stand behind a command. */
static int
words_of(const char *command)
{
	return strcmp(command, "update") == 0 ? 1 : strcmp(command, "slot-format") == 0 ? 2 : 0;
}

static int
code_of(mst_err e)
{
	switch ((int)e) {
	case MST_E_USAGE: return AGENT_USAGE;
	case MST_E_CONFLICT: return AGENT_CONFLICT;
	case MST_E_UPDATE_NO_DEVICE: return AGENT_NOT_ENROLLED;
	case MST_E_UNREACHABLE:
	case MST_E_TIMEOUT:
	case MST_E_SUIT_INTERRUPTED: return AGENT_UNREACHABLE;
	case MST_E_NOMEM:
	case MST_E_IO: return AGENT_FAILED;
	default: return AGENT_REFUSED;
	}
}

/* The verdict as an object (issue 4: code, name, section, offset, component). */
static void
print_verdict(mst_err e, const struct mst_suit_refusal *r, const char *what)
{
	const struct mst_err_info *i = mst_err_info(e);

	if (e == MST_OK) {
		printf("{\"accepted\":true,\"result\":\"%s\"}\n", what);
		return;
	}
	printf("{\"accepted\":false,\"code\":\"%s\",\"name\":\"%s\",\"section\":%d,"
	       "\"offset\":%u,\"component\":%d}\n",
	    i->code, i->name, r == NULL ? 0 : (int)r->section, r == NULL ? 0 : (unsigned)r->offset,
	    r == NULL || r->component == MST_SUIT_NO_INDEX ? -1 : (int)r->component);
}

static int
look(struct update *u, const struct options *o, bool *restart)
{
	enum update_found found = UPDATE_NOTHING_NEW;
	mst_err e = update_look(u, o->words[0], o->again ? UPDATE_AGAIN : UPDATE_ONCE_ONLY, &found);
	const char *what = found == UPDATE_INSTALLED ? "installed" : "nothing new";

	if (o->json)
		print_verdict(e, update_refusal(u), what);
	if (e != MST_OK)
		return fail(e, update_why(), code_of(e));
	if (!o->json)
		puts(what);
	*restart = found == UPDATE_INSTALLED;
	return AGENT_OK;
}

static int
settle(struct update *u, bool *restart)
{
	enum update_settled how;
	mst_err e = update_settle(u, &how);

	if (e != MST_OK)
		return fail(e, update_why(), code_of(e));
	*restart = how == UPDATE_REVERTED;
	return AGENT_OK;
}

static int
boot(const struct agent_config *cfg, struct update *u, const struct options *o)
{
	static const char *const kinds[] = { "confirmed", "trial", "revert", "fallback" };
	struct mst_boot b;
	mst_err e = update_boot(u, &b);

	if (e != MST_OK)
		return fail(e, update_why(), code_of(e));
	if (o->json)
		printf("{\"slot\":\"%c\",\"kind\":\"%s\",\"number\":%llu,\"path\":\"%s\"}\n",
		    "ab"[b.slot], kinds[b.kind], (unsigned long long)b.image.number,
		    cfg->update.slot[b.slot]);
	else
		printf("%s\n", cfg->update.slot[b.slot]);
	return AGENT_OK;
}

/*
 * A look ends where another one is under way. Whoever judges a trial waits for
 * it instead: an image that is well must not end because somebody looked.
 */
static mst_err
open_patiently(const struct agent_config *cfg, int seconds, struct update **u)
{
	const struct timespec nap = { .tv_nsec = 100000000 };
	mst_err e;

	for (int i = 0; (e = update_open(cfg, u)) == MST_E_CONFLICT && i < seconds * 10; i++)
		(void)nanosleep(&nap, NULL);
	return e;
}

static int
update(const struct agent_config *cfg, const struct options *o)
{
	const char *c = o->command, *w = o->words[0];
	struct update *u = NULL;
	mst_err e = open_patiently(cfg, strcmp(c, "update") == 0 ? 0 : LOCK_SECONDS, &u);
	int code = AGENT_OK;
	bool restart = false;

	signal(SIGPIPE, SIG_IGN);
	if (e != MST_OK)
		return fail(e, update_why(), code_of(e));
	if (strcmp(c, "update") == 0)
		code = look(u, o, &restart);
	else if (strcmp(c, "boot") == 0)
		code = boot(cfg, u, o);
	else if (strcmp(c, "settle") == 0)
		code = settle(u, &restart);
	else if (strcmp(c, "confirm") == 0)
		e = update_confirm(u);
	else if (strcmp(c, "revert") == 0)
		e = update_revert(u);
	else if (w == NULL || o->words[1] == NULL || (strcmp(w, "a") != 0 && strcmp(w, "b") != 0))
		e = MST_E_USAGE;
	else
		e = update_format(u, (unsigned)(w[0] - 'a'), o->words[1]);
	if (e != MST_OK)
		code = fail(e, update_why(), code_of(e));
	update_close(u);
	/* what is run asks this program in turn: the lock is free by now */
	if (restart)
		update_restart(cfg);
	return code;
}

static bool
is_update(const char *c)
{
	return strcmp(c, "update") == 0 || strcmp(c, "boot") == 0 || strcmp(c, "confirm") == 0 ||
	       strcmp(c, "revert") == 0 || strcmp(c, "settle") == 0 ||
	       strcmp(c, "slot-format") == 0;
}

static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option list[] = { { "config", required_argument, NULL, 'c' },
		{ "once", no_argument, NULL, 'o' }, { "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' }, { "again", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 } };
	char *end;
	int c;

	*o = (struct options){ .timeout = 120 };
	optind = 0; /* this may run more than once in a process */
	while ((c = getopt_long(argc, argv, "c:hV", list, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'o': o->once = true; break;
		case 'j': o->json = true; break;
		case 'a': o->again = true; break;
		case 't':
			o->timeout = strtol(optarg, &end, 10);
			if (*end != '\0' || o->timeout < 1 || o->timeout > 1000000) {
				fputs(
				    "muster-agent: --timeout wants 1 to 1000000 seconds\n", stderr);
				return AGENT_USAGE;
			}
			break;
		case 'h': fputs(usage, stdout); return -1;
		case 'V': puts("muster-agent " MUSTER_VERSION); return -1;
		default: fputs("muster-agent: see --help\n", stderr); return AGENT_USAGE;
		}
	}
	o->command = optind < argc ? argv[optind] : "";
	for (int i = 0; i < 2; i++)
		o->words[i] = optind + 1 + i < argc ? argv[optind + 1 + i] : NULL;
	if (o->config == NULL || argc - optind > 1 + words_of(o->command)) {
		fputs(o->config == NULL ? "muster-agent: --config FILE is missing; see --help\n"
		                        : "muster-agent: too many words; see --help\n",
		    stderr);
		return AGENT_USAGE;
	}
	return 0;
}

static int
obey(const struct agent_config *cfg, const struct options *o)
{
	const char *c = o->command;

	if ((o->once && c[0] != '\0') || (o->again && strcmp(c, "update") != 0) ||
	    (o->json && strcmp(c, "status") != 0 && strcmp(c, "update") != 0 &&
	        strcmp(c, "boot") != 0)) {
		fputs("muster-agent: these options do not go together; see --help\n", stderr);
		return AGENT_USAGE;
	}
	if (c[0] == '\0')
		return run(cfg, o->once ? AGENT_ONCE : AGENT_DAEMON, o->timeout);
	if (strcmp(c, "status") == 0)
		return status(cfg, o->json ? AGENT_JSON : AGENT_TABLE);
	if (strcmp(c, "renew") == 0)
		return renew(cfg, o->timeout);
	if (strcmp(c, "factory-reset") == 0)
		return factory_reset(cfg);
	if (is_update(c))
		return update(cfg, o);
	fprintf(stderr,
	    "muster-agent: \"%s\" is not a command: status, renew, factory-reset, update, boot, "
	    "settle, confirm, revert, slot-format\n",
	    c);
	return AGENT_USAGE;
}

int
agent_main(int argc, char **argv)
{
	struct agent_config cfg;
	struct options o;
	struct arena *a;
	int code = parse(argc, argv, &o);
	mst_err e;

	if (code != 0)
		return code < 0 ? AGENT_OK : code;
	/* Keys are in this process: no core dump, no debugger of the same user. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if ((a = arena_new(0)) == NULL)
		return AGENT_FAILED;
	if ((e = agent_config_load(a, o.config, &cfg)) != MST_OK) {
		code = fail(e, agent_config_why(), AGENT_FAILED);
	} else {
		log_open("muster-agent", (enum log_format)cfg.log_format,
		    (enum log_level)cfg.log_level, 2);
		code = obey(&cfg, &o);
	}
	arena_free(a);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/support_world.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"

static struct toy_pki pki;
static int log_fd = -1;

static void
free_pki(void)
{
	toy_pki_free(&pki);
}

const struct toy_pki *
world_pki(void)
{
	if (pki.idevid.key == NULL) {
		toy_pki_make(&pki);
		atexit(free_pki);
	}
	return &pki;
}

void
world_configure(struct world *w, const char *lines)
{
	char text[2048], name[128];

	snprintf(name, sizeof name, "%s/agent.conf", w->folder);
	snprintf(text, sizeof text,
	    "state = \"state\"\nidevid_cert = \"idevid.pem\"\nidevid_key = \"idevid.key\"\n"
	    "masa_anchors = \"masa.pem\"\nregistrars = { \"127.0.0.1:%d\" }\n"
	    "timers {\n\tpeer_gap = 1\n\tbackoff_first = 1\n\tbackoff_max = 1\n}\n%s",
	    w->toy.port, lines);
	if (agent_config_parse(w->a, name, text, &w->cfg) != MST_OK) {
		fprintf(stderr, "%s\n", agent_config_why());
		abort();
	}
}

void
world_open(struct world *w, enum toy_trick trick)
{
	const struct toy_pki *p = world_pki();
	char path[128];

	signal(SIGPIPE, SIG_IGN);
	memset(w, 0, sizeof *w);
	snprintf(w->folder, sizeof w->folder, "/tmp/muster-agent-XXXXXX");
	MUST(mkdtemp(w->folder) != NULL && (w->a = arena_new(0)) != NULL);
	snprintf(w->state, sizeof w->state, "%s/state", w->folder);
	snprintf(w->log, sizeof w->log, "%s/log", w->folder);
	snprintf(path, sizeof path, "%s/idevid.pem", w->folder);
	pki_write_certs(path, p->idevid.cert, p->idevid_ca.cert);
	snprintf(path, sizeof path, "%s/idevid.key", w->folder);
	pki_write_key(path, p->idevid.key);
	snprintf(path, sizeof path, "%s/masa.pem", w->folder);
	pki_write_certs(path, p->masa_ca.cert, NULL);
	MUST((log_fd = open(w->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) >= 0);
	log_open("muster-agent", LOG_JSON, LOG_DEBUG_, log_fd);
	toy_start(&w->toy, p, trick);
	world_configure(w, "");
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

void
world_close(struct world *w)
{
	toy_stop(&w->toy);
	arena_free(w->a);
	log_open("muster-agent", LOG_JSON, LOG_ERROR_, 2);
	close(log_fd);
	MUST(nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

enum agent_exit
world_run(struct world *w, enum agent_task task, int64_t timeout)
{
	struct agent *a = NULL;
	enum agent_exit code;
	pid_t holder;
	mst_err e = agent_open(&w->cfg, &a, &holder);

	w->verdict = e;
	if (e != MST_OK)
		return e == MST_E_CONFLICT ? AGENT_CONFLICT : AGENT_FAILED;
	code = agent_run(a, task, timeout);
	w->verdict = agent_verdict(a);
	agent_close(a);
	return code;
}

bool
world_logged(struct world *w, const char *text)
{
	mst_span all;

	MUST(file_read(w->a, w->log, 1 << 20, &all) == MST_OK);
	if (strstr((const char *)all.ptr, text) != NULL)
		return true;
	fprintf(stderr, "the log lacks %s:\n%s\n", text, (const char *)all.ptr);
	return false;
}

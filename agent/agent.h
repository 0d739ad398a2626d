/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Linux driver of the pledge engine (include/muster/pledge.h): sockets,
 * files and clock for one device. From IDevID to LDevID, its report, its
 * renewals; never BRSKI again once enrolled (RFC 8995 5).
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <sys/types.h>

#include "agent/agent_config.h"

struct agent;

/*
 * Lock the state folder, read what the factory gave and what is stored, count
 * the start. cfg is borrowed until agent_close. agent_why() has words; *holder
 * is set with MST_E_CONFLICT (another agent runs on this state). Refusals:
 * those of agent_store.h, host/key.h and host/cert.h.
 */
MST_MUST_USE mst_err agent_open(const struct agent_config *cfg, struct agent **out, pid_t *holder);
void agent_close(struct agent *a); /* NULL allowed */
const char *agent_why(void);

enum agent_task {
	AGENT_DAEMON, /* until agent_stop: join, report, renew, again and again */
	AGENT_ONCE, /* what is due now, then end */
	AGENT_RENEW, /* renew now, due or not, then end */
};

/* Exit codes of design.md section 7. */
enum agent_exit {
	AGENT_OK = 0, /* enrolled and reported; of the daemon: stopped */
	AGENT_FAILED = 1, /* its own storage or memory */
	AGENT_USAGE = 2,
	AGENT_NOT_ENROLLED = 3, /* AGENT_RENEW without a certificate */
	AGENT_REFUSED = 4, /* by name: what the registrar said or showed, or what we judged */
	AGENT_CONFLICT = 5,
	AGENT_UNREACHABLE = 6, /* nobody there, or no verdict in time */
};

/*
 * Blocks. timeout: seconds for ONCE and RENEW, after which no further attempt
 * is begun; ends earlier where the next attempt would lie beyond it, and with
 * AGENT_REFUSED once every peer that is known has refused for good. One
 * decision is logged for each step (role "pledge").
 */
enum agent_exit agent_run(struct agent *a, enum agent_task task, int64_t timeout);

/* From any thread: end agent_run soon (an exchange under way is not cut short); renew now. */
void agent_stop(struct agent *a);
void agent_renew_now(struct agent *a);

/* The latest refusal of agent_run, MST_OK for none: what the exit code stands for. */
mst_err agent_verdict(const struct agent *a);

/*
 * What is known without running anything; the lock is not needed. json: one
 * object, else a table for people. Text in the arena. MST_E_PLEDGE_STORE_CORRUPT
 * and others of agent_store.h when the state cannot be read (the text still
 * tells so).
 */
enum agent_form { AGENT_TABLE, AGENT_JSON };
MST_MUST_USE mst_err agent_status(
    struct arena *arena, const struct agent_config *cfg, enum agent_form form, const char **text);

/*
 * Back to the factory: LDevID, key, anchors gone, the counter one more; IDevID
 * and MASA anchors stay. A damaged store is no hindrance.
 */
MST_MUST_USE mst_err agent_factory_reset(const struct agent_config *cfg, pid_t *holder);

/* The whole program. */
int agent_main(int argc, char **argv);

#endif

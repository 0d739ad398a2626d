/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the engine share. Each function here ends a transition:
 * it writes *act and leaves the state in which the next event is awaited.
 */
#ifndef MUSTER_CORE_PLEDGE_H
#define MUSTER_CORE_PLEDGE_H

#include "muster/pledge.h"

typedef const struct mst_pledge_event *event;
typedef struct mst_pledge_action *action;

#define NEVER INT64_MAX

/*
 * A device for cBRSKI alone may leave the other profile out of its image
 * (docs/decisions/0016-only-constrained.md): no step and no check of its own goes.
 */
static inline bool
pledge_is_constrained(const struct mst_pledge *p)
{
#ifdef MUSTER_ONLY_CONSTRAINED
	(void)p;
	return true;
#else
	return p->cfg.profile == MST_PROFILE_CONSTRAINED;
#endif
}

/* now + seconds, without overflow. */
int64_t pledge_after(int64_t now, int64_t seconds);

/* pledge_attempt.c: from finding a peer to a connection, and giving up. */
void pledge_wait(action act, int64_t until);
/* Until when what was asked for may stay unanswered. */
int64_t pledge_deadline(const struct mst_pledge *p);
void pledge_discover(struct mst_pledge *p, event ev, action act);
void pledge_connected(struct mst_pledge *p, event ev, action act);
void pledge_send(struct mst_pledge *p, event ev, action act, enum mst_resource what, mst_span body);
void pledge_report(struct mst_pledge *p, event ev, action act, enum mst_resource what);
/* The attempt is over: back off from this peer and go on with another. */
void pledge_give_up(struct mst_pledge *p, event ev, action act, mst_err e);
/* The connection is gone: resume when a 202 is pending, else give up. */
void pledge_lost(struct mst_pledge *p, event ev, action act, mst_err e);
/* 202: wait and send the same again; or give up after pending_max. */
void pledge_pending(struct mst_pledge *p, event ev, action act);
void pledge_pending_tick(struct mst_pledge *p, event ev, action act);
/* Which refusal an HTTP status is that fits nothing awaited. */
mst_err pledge_refusal(struct mst_pledge *p, event ev);

/* pledge_voucher.c: RFC 8995 5.2 to 5.7. */
void pledge_ask_voucher(struct mst_pledge *p, event ev, action act);
void pledge_on_voucher(struct mst_pledge *p, event ev, action act);
void pledge_on_status_ack(struct mst_pledge *p, event ev, action act);

/* pledge_enroll.c: RFC 8995 5.9, RFC 7030 4. */
void pledge_start_est(struct mst_pledge *p, event ev, action act);
void pledge_on_cacerts(struct mst_pledge *p, event ev, action act);
void pledge_on_csrattrs(struct mst_pledge *p, event ev, action act);
void pledge_on_cert(struct mst_pledge *p, event ev, action act);
void pledge_on_stored(struct mst_pledge *p, event ev, action act);
void pledge_on_enroll_ack(struct mst_pledge *p, event ev, action act);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the driver; nobody outside this folder includes it. */
#ifndef AGENT_ROOM_H
#define AGENT_ROOM_H

#include <stdatomic.h>

#include "agent/agent.h"
#include "agent/agent_store.h"
#include "agent/coaps.h"
#include "agent/discover.h"
#include "agent/link.h"
#include "crypto/openssl/openssl.h"
#include "host/http.h"
#include "host/log.h"

/* One of the engine's peers. */
struct peer {
	char base[AGENT_PEER_MAX]; /* empty: the slot is free */
	char redirected[AGENT_PEER_MAX]; /* where a 3xx of this attempt led; empty: nowhere */
	unsigned found; /* how often discovery sees it */
	bool fixed; /* configured or remembered: never goes away */
	bool refused; /* in this session, and asking again would not help */
};

/* A peer that was found when all numbers of the engine were taken. */
struct spare {
	char base[128]; /* empty: free */
	unsigned found;
	bool refused;
	struct mst_pledge_peer due; /* its back-off, as the engine left it */
};
#define AGENT_SPARES 64 /* as many as discovery knows */

struct agent;

/*
 * A transport: what CONNECT, SEND and CLOSE mean on it. The first two fill *ev
 * with what came of the action, or set has_next.
 */
struct agent_wire {
	void (*connect)(
	    struct agent *a, const struct mst_pledge_action *act, struct mst_pledge_event *ev);
	void (*send)(
	    struct agent *a, const struct mst_pledge_action *act, struct mst_pledge_event *ev);
	void (*disconnect)(struct agent *a);
};
extern const struct agent_wire agent_wire_https; /* agent_wire.c */
extern const struct agent_wire agent_wire_coaps; /* agent_coaps.c */

struct agent {
	const struct agent_config *cfg;
	const struct agent_wire *wire;
	int lock; /* -1: none */

	/* The factory's */
	struct arena *life;
	EVP_PKEY *idevid_key;
	X509 *idevid;
	STACK_OF(X509) *idevid_chain;
	struct anchors *masa;
	mst_span serial, idevid_issuer;

	/* The site's */
	struct agent_record record; /* .cert NULL: factory-fresh */
	STACK_OF(X509) *ldevid_chain; /* intermediates among the anchors */
	int64_t not_before, not_after;
	struct agent_counters counters;

	/* Time without a trusted clock: what was believed when, see agent_believed(). */
	int64_t base_time, base_mono;
	int64_t renew_gap; /* mono: no renewal by itself before this */

	/* The engine and what it was lent */
	struct crypto_openssl openssl;
	struct mst_crypto crypto;
	struct mst_pledge p;
	struct arena *session; /* the anchors lent for a session */
	uint8_t pvr[16384], scratch[32768], keep[65536], chain[32768];
	struct peer peers[MST_PLEDGE_PEERS_MAX];
	struct spare spares[AGENT_SPARES];
	struct discovery *discovery;
	struct link_watch links;

	/* The connection and the exchange on it */
	struct http_client *client;
	struct coaps_client *coaps;
	struct arena *exchange; /* the latest answer: the engine borrows it for its step */
	char base[AGENT_PEER_MAX]; /* of the connection */
	struct mst_pledge_action sent; /* the SEND under way */
	bool sending; /* sent is valid */
	bool redirected; /* the one redirect to another origin is used up */
	bool passing; /* the latest refusal was one that may pass: 5xx, 429, Retry-After */
	bool has_next; /* an action came out of a step within the handshake */
	struct mst_pledge_action next;
	const char *request_id;
	char trace[33]; /* the id of this bootstrap or renewal in everybody's log; "": none */
	char detail[256];

	/* Running */
	int wake; /* eventfd */
	atomic_bool stop, renew;
	bool told_no_peer;
	int64_t session_began; /* mono */
	mst_err logged; /* the refusal last logged in this attempt */
	mst_err verdict; /* a refusal by name, else what kept us from an answer */
};

/* agent_clock.c */
struct mst_clock agent_clock(const struct agent *a);
/* The best guess of the time: a trusted clock's, else what was last believed plus what has passed.
 */
int64_t agent_believed(const struct agent *a);
/* t is proven to have passed (a certificate was issued then). */
void agent_believe(struct agent *a, int64_t t);
/* Keep it for a start without a clock. */
void agent_remember_time(struct agent *a);
int64_t agent_renew_at(const struct agent_config *cfg, const struct agent_record *r,
    int64_t not_before, int64_t not_after);

/* agent_drive.c */
/* Makes the record the device's present self; takes its content over. MST_E_NOMEM, MST_E_X509. */
MST_MUST_USE mst_err agent_adopt(struct agent *a, struct agent_record *r);
void agent_step(struct agent *a, struct mst_pledge_event *ev, struct mst_pledge_action *act);

/* agent_peers.c */
/* The peers that are known before any discovery; tells the engine. act as in agent_tell_peers. */
void agent_first_peers(struct agent *a, struct mst_pledge_action *act);
/* Marks a peer that has refused for good; to be told every step. */
void agent_mark_refusal(
    struct agent *a, const struct mst_pledge_event *ev, const struct mst_pledge_action *act);
/* Everybody who is known has: --once need not go on. */
bool agent_all_refused(const struct agent *a);
/* What discovery has found or lost since; *act becomes the engine's latest word. */
void agent_found_peers(struct agent *a, struct mst_pledge_action *act);
/* A link came up, or a session begins: nobody is waited for any longer. */
void agent_spares_due(struct agent *a);

/* agent_words.c */
void agent_log_step(
    struct agent *a, const struct mst_pledge_event *ev, const struct mst_pledge_action *act);
/* A refusal by name; false for what an absent or slow peer causes. */
bool agent_is_refusal(mst_err e);

#endif

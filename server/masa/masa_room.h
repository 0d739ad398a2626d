/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share and nobody else sees. */
#ifndef SERVER_MASA_ROOM_H
#define SERVER_MASA_ROOM_H

#include <pthread.h>

#include "server/journal/journal.h"
#include "server/masa/masa.h"

/* --- masa_rate.c: token buckets by name, of a fixed number; the least recently used one is evicted
 * --- */
struct masa_rate;
struct masa_rate *masa_rate_new(long per_minute); /* NULL when out of memory */
void masa_rate_free(struct masa_rate *r);
/* Take one token of name; how many seconds to wait when there is none, else 0. Thread-safe. */
int64_t masa_rate_take(struct masa_rate *r, const char *name, int64_t now_us);
/* The same, without taking. */
int64_t masa_rate_look(struct masa_rate *r, const char *name, int64_t now_us);

/* --- masa_password.c --- */
/*
 * One thread that hashes passwords, since a hash takes longer than a loop may
 * stand still. done runs on the loop's thread. Success is remembered for five
 * minutes under a keyed digest, so that a busy registrar costs one hash.
 */
struct masa_auth;
struct masa_auth *masa_auth_new(void); /* NULL when out of memory or threads */
void masa_auth_free(struct masa_auth *t);
typedef void (*masa_auth_done)(void *arg, mst_err e);
struct masa_auth_job {
	struct net_loop *loop;
	mst_span user, password; /* live until done */
	const char *stored; /* hash, or NULL where the user is unknown */
	masa_auth_done done;
	void *arg;
	/* the room's own */
	struct masa_auth *auth;
	struct masa_auth_job *next;
	mst_err err;
};
/* True: it was proved lately (done is not called). */
bool masa_auth_known(struct masa_auth *t, const struct masa_auth_job *job);
/* MST_E_HTTP_OVERLOAD when too many wait; else done will be called exactly once. */
MST_MUST_USE mst_err masa_auth_start(struct masa_auth *t, struct masa_auth_job *job);

/* --- the role --- */
struct masa {
	struct masa_config cfg;
	struct masa_policy policy;
	struct store *store;
	struct keys *keys;
	struct net *net;
	struct keys_client **clients; /* one per loop */
	unsigned loops;
	struct net_route routes[2];
	struct masa_rate *by_source, *by_customer, *failures;
	struct masa_auth *auth;
	struct journal *journal;
	/* customers, read again at most once a second */
	pthread_mutex_t lock;
	struct masa_customers *customers;
	uint64_t customers_version; /* of the set above, for what connections remember */
	int64_t customers_at_us; /* 0: at once */
};

/* masa_who.c: the set of this moment; the caller unrefs it. NULL when it could not be read. */
struct masa_customers *masa_customers_now(struct masa *m, uint64_t *version);

/* Who is asking? Held by the request until masa_who_drop. */
struct masa_who {
	struct masa_customers *customers;
	const struct masa_party *party; /* NULL: anonymous */
	const char *name; /* for the log entry */
};
/*
 * 8.4 step 1: rate, then identity by TLS certificate or HTTP Basic. next runs
 * on the loop's thread, perhaps later, with who filled (customers NULL on a
 * refusal that must be answered).
 */
typedef void (*masa_who_next)(void *arg, mst_err e, int64_t retry_after);
void masa_who(
    struct masa *m, struct net_request *rq, struct masa_who *who, masa_who_next next, void *arg);
void masa_who_drop(struct masa_who *who);

void masa_requestvoucher(struct net_request *rq, void *arg);
void masa_requestauditlog(struct net_request *rq, void *arg);
/* masa_find_device over a reader or the writer's own connection (arg: struct db *). */
mst_err masa_find_in(
    void *arg, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out);
struct keys_client *masa_client_of(struct masa *m, struct net_loop *l);

#endif

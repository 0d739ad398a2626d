/* SPDX-License-Identifier: Apache-2.0 */
/* What the registrar's files share among themselves. */
#ifndef SERVER_REGISTRAR_ROOM_H
#define SERVER_REGISTRAR_ROOM_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/registrar/registrar.h"

/*
 * What is needed to call a manufacturer's MASA; made once per edit of its
 * entry, kept to the end.
 */
struct masa_access {
	struct masa_access *next;
	int64_t manufacturer, generation;
	struct anchors *tls; /* NULL: system store */
	struct anchors *vouchers; /* NULL: not configured */
	X509 *cert; /* client credential of its own; NULL: the registrar's */
	EVP_PKEY *key;
	STACK_OF(X509) *certs; /* behind cert */
	char *user, *password;
	char pool[80];
};

/*
 * How often each device asked in this minute. An entry belongs to one device;
 * only when all ways of its set are taken by other devices of the same minute
 * (some 16,000 devices a minute) does it share one.
 */
#define RATE_SETS 4096
#define RATE_WAYS 4
struct rate {
	uint64_t key;
	int64_t minute;
	long count;
};
enum rate_kind { RATE_PVR, RATE_TELEMETRY };

struct run; /* registrar_pvr.c: a PVR on its way to a voucher */
struct audit_run; /* registrar_audit.c */
#define OWED_BUCKETS 256
struct owed; /* a device whose audit log could not be had */

struct registrar {
	struct registrar_config c;
	struct journal *journal;
	struct net_route routes[3];
	uint64_t seed; /* of the rate's hash: nobody chooses whose entry he shares */
	atomic_bool stopped;
	pthread_mutex_t lock; /* of what follows */
	struct rate (*rates)[RATE_WAYS];
	struct run *runs;
	struct audit_run *audits;
	struct owed *owed[OWED_BUCKETS];
	pthread_mutex_t access_lock; /* apart: files are read and tokens opened under it */
	struct masa_access *access;
	mst_span own_domains[64];
	size_t own_count;
	struct arena *arena; /* of own_domains */
	struct net_timer *sweep;
	bool pruning; /* a job of registrar_prune() is under way */
	int64_t prune_after; /* where it goes on; the writer's while pruning */
	size_t pruned, prune_left; /* of this round: rows deleted; batches still allowed */
	uint8_t sweep_after[MST_SERIAL_MAX]; /* where the last sweep's page ended */
	size_t sweep_after_len;
};

unsigned registrar_loop(const struct registrar *r, const struct net_loop *l);
/* Queue a job whose callback runs on loop l. */
void registrar_write(
    struct registrar *r, struct net_loop *l, store_job job, store_done done, void *arg);
/* MST_E_QUOTA when the device of that client asks more often than device_rate. */
MST_MUST_USE mst_err registrar_rate(
    struct registrar *r, enum rate_kind kind, const struct trust_verdict *client);
#define REGISTRAR_RVR_FRESH 3600 /* seconds; clocks and patience of MASAs vary */
/* Has this RVR been made within the hour? MASAs refuse old ones (8995 5.6). */
bool registrar_rvr_is_fresh(struct arena *a, enum mst_media media, mst_span rvr, int64_t now);
/* Printable ASCII of at most that many bytes, for words that come from outside. */
const char *registrar_quote(struct arena *a, mst_span text, size_t most);

/* registrar_masa.c */
MST_MUST_USE mst_err masa_access(
    struct registrar *r, const struct manufacturer *m, struct masa_access **out);
void masa_access_free(struct registrar *r);
struct masa_request {
	const struct manufacturer *m; /* id, name and generation */
	const char *base, *path; /* path NULL: base is the whole URL, and it is a GET */
	enum mst_media media; /* of the RVR */
	const char *accept, *trace;
	mst_span rvr;
};
/* done as net_call_start's. On an error nothing was started. */
MST_MUST_USE mst_err masa_call(struct registrar *r, struct net_loop *l,
    const struct masa_request *q, net_call_done done, void *arg);
/* What an answer of a MASA other than 200 means, and in words for the timeline. */
MST_MUST_USE mst_err masa_answer_judge(
    struct arena *a, const struct net_answer *answer, const char **words);

/* registrar_pvr.c */
void registrar_on_requestvoucher(struct net_request *rq, void *arg);
void registrar_runs_free(struct registrar *r);
/* registrar_status.c */
void registrar_on_voucher_status(struct net_request *rq, void *arg);
void registrar_on_enrollstatus(struct net_request *rq, void *arg);
/*
 * registrar_audit.c: fetch and judge the audit log of a device; done(arg) runs
 * on loop l when the verdict is stored or could not be had. Asked twice at a
 * time, it is fetched once. done NULL: nobody waits. idevid_url: the MASA URL of
 * the IDevID that the device just showed; NULL: it is looked up in what is stored.
 */
void registrar_audit(struct registrar *r, struct net_loop *l, int64_t device,
    const char *idevid_url, const char *trace, void (*done)(void *arg), void *arg);
/* TEL-4: look for devices whose audit log is still owed, once. Loop 0. */
void registrar_audit_sweep(struct registrar *r);
/* registrar_prune.c: deletes exchanges beyond exchange_days, a little. Loop 0. */
void registrar_prune(struct registrar *r);
void registrar_audits_free(struct registrar *r);

#endif

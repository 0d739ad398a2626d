/* SPDX-License-Identifier: Apache-2.0 */
/* What the registrar's files share among themselves. */
#ifndef SERVER_REGISTRAR_ROOM_H
#define SERVER_REGISTRAR_ROOM_H

#include <pthread.h>

#include "server/registrar/registrar.h"

/* What is needed to call a manufacturer's MASA; made once per edit of its entry, kept to the end.
 */
struct masa_access {
	struct masa_access *next;
	int64_t manufacturer, generation;
	struct anchors *tls; /* NULL: system store */
	struct anchors *vouchers; /* NULL: not configured */
	EVP_PKEY *key; /* client credential of its own; NULL: the registrar's */
	STACK_OF(X509) *certs;
	char pool[80];
};

#define BUCKETS 4096
struct bucket { /* voucher-requests of the devices that hash here, in this minute */
	int64_t minute;
	long count;
};

struct registrar {
	struct registrar_config c;
	struct journal *journal;
	struct net_route routes[6];
	pthread_mutex_t lock; /* of access, buckets */
	struct masa_access *access;
	struct bucket buckets[BUCKETS];
	mst_span own_domains[16];
	size_t own_count;
	struct arena *arena; /* of own_domains */
	struct net_timer *sweep;
};

unsigned registrar_loop(const struct registrar *r, const struct net_loop *l);
/* Queue a job whose callback runs on loop l. */
void registrar_write(
    struct registrar *r, struct net_loop *l, store_job job, store_done done, void *arg);
/* MST_E_QUOTA when the device asks more often than device_rate. */
MST_MUST_USE mst_err registrar_rate(struct registrar *r, int64_t manufacturer, mst_span serial);

/* registrar_masa.c */
MST_MUST_USE mst_err masa_access(
    struct registrar *r, const struct manufacturer *m, struct masa_access **out);
/* POST the RVR to base + path. done as net_call_start's. MST_E_NOMEM: nothing was started. */
MST_MUST_USE mst_err masa_post(struct registrar *r, struct net_loop *l,
    const struct manufacturer *m, const char *base, const char *path, enum mst_media media,
    const char *accept, mst_span rvr, const char *trace, net_call_done done, void *arg);
/* What an answer of a MASA other than 200 means, and in words for the timeline. */
MST_MUST_USE mst_err masa_answer_judge(
    struct arena *a, const struct net_answer *answer, const char **words);

/* registrar_pvr.c */
void registrar_on_requestvoucher(struct net_request *rq, void *arg);
/* registrar_status.c */
void registrar_on_voucher_status(struct net_request *rq, void *arg);
void registrar_on_enrollstatus(struct net_request *rq, void *arg);
/*
 * registrar_audit.c: fetch and judge the audit log of a device; done(arg) runs
 * on loop l when the verdict is stored or could not be had.
 */
void registrar_audit(struct registrar *r, struct net_loop *l, int64_t device, const char *trace,
    void (*done)(void *arg), void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef SERVER_CA_ROOM_H
#define SERVER_CA_ROOM_H

#include <pthread.h>
#include <sys/queue.h>

#include "server/ca/ca.h"
#include "server/store/store_device.h"

struct crl_waiter { /* a revocation that wants to be on a CRL */
	STAILQ_ENTRY(crl_waiter) next;
	struct ca_host home; /* the loop that is told */
	ca_simple_done done;
	void *arg;
	mst_err e;
};
STAILQ_HEAD(crl_waiters, crl_waiter);

struct authority {
	struct ca *ca;
	struct arena *mem; /* of the strings and profiles */
	struct ca_config config;
	X509 *cert; /* borrowed from keys */
	int64_t not_before, not_after;
	STACK_OF(X509) *certs; /* what cacerts shows */
	mst_span cacerts; /* in mem */
	/* under ca->lock */
	uint8_t *crl;
	size_t crl_len;
	int64_t crl_number, crl_this, crl_next;
	/* on the thread of the loop that signs CRLs */
	struct crl_making *making; /* the one on its way */
	bool crl_again;
	void *crl_timer;
	struct crl_waiters waiting, served;
};

struct ca {
	struct store *store;
	struct keys *keys;
	pthread_mutex_t lock;
	struct authority *list;
	size_t count;
	struct anchors *anchors;
	STACK_OF(X509) *untrusted;
	struct ca_loop *crl_loop; /* under lock */
};

#define INFLIGHT_SIZE 256
struct run;
LIST_HEAD(runs, run);
struct ca_loop {
	struct ca *ca;
	struct ca_host host;
	struct keys_client *keys;
	struct runs inflight[INFLIGHT_SIZE]; /* by the first byte of order_key */
};

void ca_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct authority *ca_find(const struct ca *ca, const char *label);
/* Chain, rollover certificates, cacerts (ca_chain.c); roots and intermediates are added to the two
 * stacks. */
MST_MUST_USE mst_err ca_chain_load(
    struct authority *au, STACK_OF(X509) *roots, STACK_OF(X509) *untrusted);
/* 16 random octets, positive, no leading zero. MST_E_RANDOM. */
MST_MUST_USE mst_err ca_serial(uint8_t serial[16]);
/* The stored CRL, if it is this CA's (ca_crl.c). */
MST_MUST_USE mst_err ca_crl_load(struct authority *au);
void ca_crl_stop(struct ca_loop *l);
/* Ends what is on its way with MST_E_CANCELLED (ca_issue.c). */
void ca_issue_stop(struct ca_loop *l);
void ca_host_post(const struct ca_host *h, void (*fn)(void *), void *arg);

#endif

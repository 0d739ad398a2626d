/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key process (design.md 3.4): the only one that can sign. It is forked
 * before there is a network, has none itself, and takes the typed requests
 * below and no others. Each names the durable log entry that it executes;
 * zero is refused. Messages on its sockets are CBOR (keys_wire.c).
 */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "host/envelope.h"
#include "server/store/store.h"

enum keys_purpose {
	KEYS_CA,	    /* signs device certificates and CRLs */
	KEYS_IDEVID_CA,	    /* signs IDevIDs */
	KEYS_RVR,	    /* signs registrar voucher-requests */
	KEYS_VOUCHER_SHORT, /* signs nonced vouchers */
	KEYS_VOUCHER_LONG,  /* signs nonceless vouchers */
};

struct keys_slot {
	const char *name; /* "ca", "rvr", ... unique */
	enum keys_purpose purpose;
	const char *key_uri;
	const char *cert_path; /* certificate, then its chain, PEM */
};
struct keys_profile { /* of a CA; enforced in the key process */
	const char *name;
	int64_t max_seconds;
	const char *ekus;      /* space-separated OIDs; must contain clientAuth for devices */
	const char *crl_url;   /* CRL distribution point or NULL */
};

struct keys;
/* Fork, load the keys there, wait until it says they are usable. MST_E_KEY_*; keys_why() has words. */
MST_MUST_USE mst_err keys_start(const struct keys_slot *slots, size_t slot_count, const struct keys_profile *profiles,
    size_t profile_count, struct keys **out);
void keys_stop(struct keys *k);
const char *keys_why(void);
int keys_pid(const struct keys *k);

enum keys_kind { KEYS_SIGN_CERT, KEYS_SIGN_IDEVID, KEYS_SIGN_CRL, KEYS_SIGN_RVR, KEYS_SIGN_VOUCHER, KEYS_SIGN_ROLLOVER };
struct keys_revoked { mst_span serial; int64_t at; int reason; };
struct keys_request {
	enum keys_kind kind;
	uint64_t entry;	   /* of the durable log; never 0 */
	const char *slot;
	/* SIGN_CERT: everything that may vary; the profile gives the rest. Never CA:TRUE. */
	const char *profile;
	mst_span serial, subject, spki, san;
	int64_t not_before, not_after;
	/* SIGN_IDEVID: device_serial, spki, masa_url; subject is built from them; notAfter 99991231235959Z */
	mst_span device_serial;
	const char *masa_url, *organization;
	/* SIGN_CRL */
	int64_t crl_number, this_update, next_update;
	const struct keys_revoked *revoked;
	size_t revoked_count;
	/* SIGN_RVR (kind MST_VOUCHER_REQUEST), SIGN_VOUCHER (kind MST_VOUCHER; nonce present for the short slot, absent for the long) */
	enum mst_media media;
	const struct mst_voucher_claims *claims;
	bool id_data;
	/* SIGN_ROLLOVER: slot is the new root's, old_slot the old: answers OldWithNew or NewWithOld (RFC 7030 4.1.3) */
	const char *old_slot;
};

/* One per thread. answer is DER or a signed message, borrowed for the callback. */
struct keys_client;
typedef void (*keys_done)(void *arg, mst_err e, mst_span answer);
struct event_base;
MST_MUST_USE mst_err keys_client_new(struct keys *k, struct event_base *base, struct keys_client **out);
void keys_client_free(struct keys_client *c); /* outstanding calls end with MST_E_KEY_GONE */
/* done is called exactly once, later. */
void keys_call(struct keys_client *c, const struct keys_request *rq, keys_done done, void *arg);
/* Waiting form, own socket, for admin and tests. */
MST_MUST_USE mst_err keys_call_wait(struct keys *k, const struct keys_request *rq, struct arena *a, mst_span *answer);
/* The certificate and chain of a slot, loaded by the network side too. MST_E_NOT_FOUND. */
MST_MUST_USE mst_err keys_cert(struct keys *k, const char *slot, X509 **cert, const STACK_OF(X509) **chain); /* borrowed */

#endif

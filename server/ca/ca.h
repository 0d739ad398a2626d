/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The site's certification authorities, one per EST label (RFC 7030 3.2.2).
 * Nothing here signs: an order is written (durable), then signed by the key
 * process, then written as issued (durable), then handed out (design.md 3.4).
 *
 * Threads: struct ca is made before the loops run and is shared by all of
 * them; every function that takes a struct ca may be called from any thread.
 * A struct ca_loop belongs to one loop: make it before that loop runs or on
 * its thread, and use it on that thread alone; all its callbacks run there.
 */
#ifndef SERVER_CA_H
#define SERVER_CA_H

#include "host/cert.h"
#include "server/keys/keys.h"
#include "server/store/store_cert.h"

struct net_loop;

/* Which names policy lets into a subjectAltName at all; est decides which of them a device gets. */
enum ca_san {
	CA_SAN_DNS = 1,
	CA_SAN_IP = 2,
	CA_SAN_URI = 4,
	CA_SAN_EMAIL = 8,
	CA_SAN_OTHER = 16, /* otherName: hardwareModuleName (RFC 4108), ACP names (RFC 8994) */
	CA_SAN_DIRECTORY = 32,
};

struct ca_profile {
	const char *name; /* "device" */
	int64_t seconds; /* lifetime; the certificate ends with its issuer at the latest */
	const char *ekus; /* space-separated OIDs; NULL: clientAuth alone. Must contain clientAuth
	                     (EST-1) */
	unsigned san; /* of enum ca_san; 0: no subjectAltName */
};

struct ca_config {
	const char *label; /* "" is the default CA */
	/* Of the key process, purpose KEYS_CA, no other label's; its file holds the certificate,
	 * then the chain with the root. */
	const char *slot;
	const char *old_slot; /* the former root, still in the key process, while a rollover runs;
	                         else NULL */
	const char *rollover_path; /* PEM of OldWithOld, OldWithNew, NewWithOld; made from the two
	                              slots when absent */
	const char *crl_url; /* for CRL distribution points; NULL: none */
	int64_t crl_seconds; /* thisUpdate to nextUpdate; 0: 7 days */
	const struct ca_profile *profiles;
	size_t profile_count;
};

/*
 * The profiles in the shape that keys_start() wants, one row per (profile,
 * label), in the arena. MST_E_CONFIG_VALUE with ca_why(): no lifetime, no
 * clientAuth, a name twice.
 */
MST_MUST_USE mst_err ca_keys_profiles(struct arena *a, const struct ca_config *configs,
    size_t count, struct keys_profile **out, size_t *out_count);

struct ca;
/*
 * After keys_start and store_open, before the loops. config is copied. Loads
 * chains, makes or loads the rollover certificates, builds the cacerts answer
 * and the anchors. MST_E_CONFIG_VALUE, MST_E_NOT_FOUND (no such slot),
 * MST_E_X509_CHAIN (a chain or rollover certificate does not verify),
 * MST_E_KEY_*; ca_why() has words.
 */
MST_MUST_USE mst_err ca_new(struct store *s, struct keys *k, const struct ca_config *configs,
    size_t count, struct ca **out);
void ca_free(struct ca *ca); /* after every ca_loop */
const char *ca_why(void);

/* The labels, for routes and lists; NULL past the end. */
const char *ca_label_at(const struct ca *ca, size_t i);
/* NULL when the label or the profile is unknown: MST_E_EST_LABEL, MST_E_CA_PROFILE to say it. */
const struct ca_profile *ca_profile_find(const struct ca *ca, const char *label, const char *name);
/* Its issuing certificate, borrowed; NULL when the label is unknown. */
X509 *ca_cert(const struct ca *ca, const char *label);
/*
 * est.md P1, P3: certs-only PKCS#7 DER of issuing CA, intermediates, root and,
 * during a rollover, OldWithOld, OldWithNew and NewWithOld. Borrowed, lives as
 * long as ca. MST_NONE when the label is unknown.
 */
mst_span ca_cacerts(const struct ca *ca, const char *label);
/* The same as certificates, borrowed. */
const STACK_OF(X509) *ca_certs(const struct ca *ca, const char *label);
/*
 * Anchors of what this site calls its own: the roots, present and former, and
 * the issuing CAs of every label, so that a device may send its certificate
 * alone. Intermediates and rollover certificates are in *untrusted too, for who
 * wants the whole chain; NULL allowed. Borrowed.
 */
const struct anchors *ca_anchors(const struct ca *ca, const STACK_OF(X509) **untrusted);
/* The newest CRL, copied into the arena. MST_E_NOT_FOUND before the first; MST_E_EST_LABEL. */
MST_MUST_USE mst_err ca_crl_der(struct ca *ca, const char *label, struct arena *a, mst_span *der);

/* What a loop must offer; ca_loop_new_net fills it from a net_loop. */
struct event_base;
struct ca_host {
	struct event_base *base;
	store_post post; /* run fn(arg) soon on the loop's thread; any thread may call it */
	void *post_arg;
	/* Run fn(arg) once after ms on the loop's thread; a handle, NULL out of memory. */
	void *(*after)(void *post_arg, long ms, void (*fn)(void *), void *fn_arg);
	void (*cancel)(void *handle);
};
struct ca_loop;
MST_MUST_USE mst_err ca_loop_new(struct ca *ca, const struct ca_host *host, struct ca_loop **out);
MST_MUST_USE mst_err ca_loop_new_net(struct ca *ca, struct net_loop *l, struct ca_loop **out);
/*
 * When the loop no longer runs. Orders still on their way end with
 * MST_E_CANCELLED. The store must still be open. Callbacks of it that are
 * posted later find nothing to do.
 */
void ca_loop_free(struct ca_loop *l);
/* This loop's connection to the key process, for whoever else must sign (registrar: KEYS_SIGN_RVR).
 */
struct keys_client *ca_loop_keys(const struct ca_loop *l);

/* Runs on the writer's thread inside the transaction that marks the row issued; an error undoes
 * both. */
typedef mst_err (*ca_also)(struct db *db, const struct cert_row *row, void *arg);
struct ca_order {
	const char *label, *profile;
	/* DER: Name; extension value or absent; SubjectPublicKeyInfo. Judged by est before: proof
	 * of possession, names. */
	mst_span subject, san, spki;
	/*
	 * C5: 32 bytes over the CSR without challenge attributes and over who
	 * asks; at renewal that includes the certificate to be renewed, else a
	 * renewal on the same key would be answered with the old certificate.
	 */
	mst_span order_key;
	int64_t device; /* 0: a plain EST client */
	const char *identity; /* who asked, in words */
	int64_t seconds; /* shorter lifetime than the profile's; 0: the profile's */
	ca_also also; /* rows that must become durable with the certificate, e.g. the device's
	                 state; or NULL */
	void *also_arg; /* lives until done; not called for an order that was issued before */
};
/* der lives for the callback. row: as stored. Both absent unless err is MST_OK. */
typedef void (*ca_done)(void *arg, mst_err e, mst_span der, const struct cert_row *row);
/*
 * done is called exactly once, later, on the loop's thread, when the
 * certificate is durable. The order is copied. The same order_key gets the
 * same certificate, whether it is on its way, was issued before, or was cut
 * off by a crash before it was signed (then: same serial and fields). Only
 * when that certificate has expired is it a new order. The "also" of an order
 * that joins one on its way is not called.
 * MST_E_EST_LABEL, MST_E_CA_PROFILE, MST_E_CSR_SAN (a kind of name that the
 * profile does not allow), MST_E_CSR_KEY, MST_E_CSR_SUBJECT,
 * MST_E_CSR_KEY_REUSED, MST_E_CA_VALIDITY, MST_E_CA_SERIAL, MST_E_X509_REVOKED
 * (the order's certificate was revoked), MST_E_KEY_*, MST_E_STORE_*.
 */
void ca_issue(struct ca_loop *l, const struct ca_order *o, ca_done done, void *arg);

/*
 * From now on this loop (one of all) signs CRLs: at once where there is none
 * or the stored one is past half its life or a revocation came after it (a
 * crash may have come between the two), then at half life and after each
 * revocation. A failure is logged and tried again after a minute.
 */
void ca_crl_start(struct ca_loop *l);
/*
 * Mark revoked (durable; it holds at once for trust), then publish a new CRL.
 * done(arg, e) on this loop's thread: MST_E_NOT_FOUND, MST_E_CONFLICT when
 * revoked before, MST_E_USAGE for a reason that is not 0..6, 9 or 10
 * (RFC 5280 5.3.1), MST_E_STORE_*. When the revocation holds but the CRL
 * could not be made yet, e is MST_E_EST_CA. ca_crl_start must have been called.
 */
typedef void (*ca_simple_done)(void *arg, mst_err e);
void ca_revoke(struct ca_loop *l, mst_span serial, int reason, ca_simple_done done, void *arg);

/*
 * Revocations were recorded by a job of the caller's (store_cert.h): publish
 * new CRLs of all CAs. done(arg, e) on this loop's thread, or NULL: nobody
 * waits. MST_E_EST_CA: one could not be made yet; it is tried again.
 */
void ca_crl_refresh(struct ca_loop *l, ca_simple_done done, void *arg);

#endif

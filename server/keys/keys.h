/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key process (design.md 3.4): the only one that can sign. It is forked
 * before there is a network, has none itself, and takes the typed requests
 * below and no others. Each names the durable log entry that it executes;
 * zero is refused. Messages on its sockets are CBOR (keys_wire.h).
 */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "host/envelope.h"

enum keys_purpose {
	KEYS_CA, /* signs device certificates and CRLs */
	KEYS_IDEVID_CA, /* signs IDevIDs */
	KEYS_RVR, /* signs registrar voucher-requests */
	KEYS_VOUCHER_SHORT, /* signs nonced vouchers */
	KEYS_VOUCHER_LONG, /* signs nonceless vouchers */
};

struct keys_slot {
	const char *name; /* "ca", "rvr", ... unique */
	enum keys_purpose purpose;
	const char *key_uri;
	const char *cert_path; /* certificate, then its chain, PEM */
};
struct keys_profile { /* of a CA; enforced in the key process */
	const char *name;
	const char *slot; /* the CA whose profile this is; NULL: of every KEYS_CA slot */
	int64_t max_seconds;
	const char *ekus; /* space-separated OIDs; must contain clientAuth for devices */
	const char *crl_url; /* CRL distribution point or NULL */
};

struct keys;
/*
 * Fork (so: before there are threads), load the keys there, wait until it says
 * that they are usable. Refused: a key that does not match its certificate, a
 * certificate unfit for its purpose (a CA that is none, an RVR certificate
 * without cmcRA, a voucher or RVR certificate that is a CA, a weak key), a
 * profile without clientAuth, more than KEYS_SLOTS_MAX slots or
 * KEYS_PROFILES_MAX profiles. MST_E_KEY_*, MST_E_X509*, MST_E_VOUCHER_NOT_RA,
 * MST_E_CONFIG_VALUE; keys_why() has words. The child dies with its parent.
 */
#define KEYS_SLOTS_MAX 16
#define KEYS_PROFILES_MAX 64
#define KEYS_CLIENTS_MAX 64
MST_MUST_USE mst_err keys_start(const struct keys_slot *slots, size_t slot_count,
    const struct keys_profile *profiles, size_t profile_count, struct keys **out);
/* Ends the child and waits for it. Clients are freed before. */
void keys_stop(struct keys *k);
const char *keys_why(void);
int keys_pid(const struct keys *k);

enum keys_kind {
	KEYS_SIGN_CERT,
	KEYS_SIGN_IDEVID,
	KEYS_SIGN_CRL,
	KEYS_SIGN_RVR,
	KEYS_SIGN_VOUCHER,
	KEYS_SIGN_ROLLOVER
};
struct keys_revoked {
	mst_span serial;
	int64_t at;
	int reason; /* RFC 5280 5.3.1: 0..6, 9, 10; -1 none */
};
/*
 * Fields that a kind does not name below must be left zero. Serials: 8..20
 * bytes, big-endian, positive, no leading zero byte. Every refusal of a type
 * is MST_E_KEY_REFUSED unless another is named.
 */
struct keys_request {
	enum keys_kind kind;
	uint64_t entry; /* of the durable log; never 0 */
	const char *slot; /* must have the purpose that the kind wants */
	/*
	 * SIGN_CERT (KEYS_CA): everything that may vary; the profile gives the
	 * rest. Never CA:TRUE. san is the extension's value, DER GeneralNames;
	 * absent: none. MST_E_CA_PROFILE, MST_E_CA_VALIDITY, MST_E_CSR_KEY (C2),
	 * MST_E_CSR_SUBJECT, MST_E_CSR_SAN.
	 */
	const char *profile;
	mst_span serial, subject, spki, san;
	int64_t not_before, not_after;
	/*
	 * SIGN_IDEVID (KEYS_IDEVID_CA): serial, spki, not_before, device_serial,
	 * masa_url, organization or NULL; the subject is built from them;
	 * notAfter 99991231235959Z (ID-4). MST_E_VOUCHER_SERIAL_FORMAT,
	 * MST_E_MASA_URL, MST_E_CSR_KEY.
	 */
	mst_span
	    device_serial; /* 1..64 characters of PrintableString (RFC 5280, X520SerialNumber) */
	const char *masa_url, *organization;
	/* SIGN_CRL (KEYS_CA) */
	int64_t crl_number, this_update, next_update;
	const struct keys_revoked *revoked;
	size_t revoked_count; /* at most KEYS_REVOKED_MAX; MST_E_SPACE */
	/*
	 * SIGN_RVR (KEYS_RVR; claims of kind MST_VOUCHER_REQUEST with created-on,
	 * serial and idevid-issuer, without proximity-registrar-*), SIGN_VOUCHER
	 * (kind MST_VOUCHER with assertion, created-on, serial and a pin; the
	 * short slot: nonce and no expires-on; the long slot: no nonce).
	 * MST_E_VOUCHER_*, MST_E_RVR_PROXIMITY_PRESENT, MST_E_RVR_IDEVID_ISSUER.
	 */
	enum mst_media media;
	const struct mst_voucher_claims *claims;
	bool id_data;
	/*
	 * SIGN_ROLLOVER (RFC 7030 4.1.3): slot certifies the key of other_slot,
	 * both KEYS_CA and self-signed, with serial. slot the new root and
	 * other_slot the old: OldWithNew; the other way round: NewWithOld.
	 */
	const char *other_slot;
};
#define KEYS_REVOKED_MAX 65536

/* One per thread, KEYS_CLIENTS_MAX in all (MST_E_SPACE). answer is DER or a signed message,
 * borrowed for the callback. */
struct keys_client;
typedef void (*keys_done)(void *arg, mst_err e, mst_span answer);
struct event_base;
MST_MUST_USE mst_err keys_client_new(
    struct keys *k, struct event_base *base, struct keys_client **out);
void keys_client_free(struct keys_client *c); /* outstanding calls end with MST_E_KEY_GONE */
/* done is called exactly once, later. The request is copied. A dead key process: MST_E_KEY_GONE. */
void keys_call(struct keys_client *c, const struct keys_request *rq, keys_done done, void *arg);
/* Waiting form, own socket, any thread: for start-up, admin and tests. */
MST_MUST_USE mst_err keys_call_wait(
    struct keys *k, const struct keys_request *rq, struct arena *a, mst_span *answer);
/* The certificate and chain of a slot, loaded by the network side too. MST_E_NOT_FOUND. */
MST_MUST_USE mst_err keys_cert(
    struct keys *k, const char *slot, X509 **cert, const STACK_OF(X509) **chain); /* borrowed */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lives inside the key process: slots with their keys, profiles, and the
 * one function that judges a typed request and executes it. Apart from
 * keys_start, the tests and the fuzz target run it in their own process.
 */
#ifndef SERVER_KEYS_ROOM_H
#define SERVER_KEYS_ROOM_H

#include "server/keys/keys.h"

struct keys_room_slot {
	char *name, *uri;
	enum keys_purpose purpose;
	X509 *cert;
	STACK_OF(X509) *chain;
	int64_t not_before, not_after;
	/* from here on after keys_room_open, in the key process only */
	EVP_PKEY *key;
	const EVP_MD *digest; /* NULL: the key has its own (Ed25519) */
	X509_EXTENSION *aki;
};

struct keys_room_profile {
	char *name, *slot, *ekus, *crl_url;
	int64_t max_seconds;
	X509_EXTENSION *eku, *crl_points;
};

struct keys_room {
	struct keys_room_slot slots[KEYS_SLOTS_MAX];
	struct keys_room_profile profiles[KEYS_PROFILES_MAX];
	size_t slot_count, profile_count;
	X509_EXTENSION *end_entity, *key_usage;
};

/* Copies the configuration and loads the certificates; no key yet. */
MST_MUST_USE mst_err keys_room_new(const struct keys_slot *slots, size_t slot_count,
    const struct keys_profile *profiles, size_t profile_count, struct keys_room **out);
/* Opens the keys, holds them to their certificates and purposes, makes the constant extensions. */
MST_MUST_USE mst_err keys_room_open(struct keys_room *room);
void keys_room_free(struct keys_room *room);
struct keys_room_slot *keys_room_find(struct keys_room *room, const char *name);

/* The checks of keys.h, then the signature. *answer lies in the arena. */
MST_MUST_USE mst_err keys_room_execute(
    struct keys_room *room, const struct keys_request *rq, struct arena *a, mst_span *answer);

/* Certificates and CRLs (keys_x509.c). The request's typed fields are judged here. */
MST_MUST_USE mst_err keys_x509_cert(struct keys_room *room, struct keys_room_slot *slot,
    const struct keys_request *rq, struct arena *a, mst_span *answer);
MST_MUST_USE mst_err keys_x509_idevid(struct keys_room *room, struct keys_room_slot *slot,
    const struct keys_request *rq, struct arena *a, mst_span *answer);
MST_MUST_USE mst_err keys_x509_crl(
    struct keys_room_slot *slot, const struct keys_request *rq, struct arena *a, mst_span *answer);
MST_MUST_USE mst_err keys_x509_rollover(struct keys_room_slot *slot, struct keys_room_slot *other,
    const struct keys_request *rq, struct arena *a, mst_span *answer);
/* The constant extensions. MST_E_NOMEM; MST_E_CONFIG_VALUE for an EKU that is no OID. */
MST_MUST_USE mst_err keys_x509_aki(X509 *issuer, X509_EXTENSION **out);
MST_MUST_USE mst_err keys_x509_eku(const char *oids, X509_EXTENSION **out);
MST_MUST_USE mst_err keys_x509_crl_points(const char *url, X509_EXTENSION **out);
MST_MUST_USE mst_err keys_x509_constants(struct keys_room *room);
/* Seconds since 1970 of an ASN1_TIME. */
MST_MUST_USE mst_err keys_x509_time(const ASN1_TIME *t, int64_t *out);

/* Take a message of keys_wire.h, execute it; the whole answer frame, in the arena. False: the
 * sender is lost. */
bool keys_room_serve(struct keys_room *room, mst_span message, struct arena *a, mst_span *frame);

/* keys_why()'s words. */
void keys_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The loop of the key process over its clients' sockets; ends when all of them have. */
void keys_child_loop(struct keys_room *room, const int *fds, size_t count);
/* Shut every door (keys_jail.c); words of what failed in keys_why(). tokens: keys live behind
 * PKCS#11. */
enum keys_jail { KEYS_JAIL_FILES, KEYS_JAIL_TOKENS };
MST_MUST_USE mst_err keys_jail_enter(enum keys_jail jail);

#endif

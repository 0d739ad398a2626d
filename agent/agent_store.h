/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the device keeps (requirements section 26), in one folder of mode 0700:
 *
 *   ldevid.pem  key, LDevID, anchors, "reported", peer: one file, replaced as
 *               one, so that a power cut leaves the device factory-fresh,
 *               enrolled with the old, or enrolled with the new certificate.
 *               Absent: factory-fresh. Damaged: refused by name (a SHA-256
 *               over everything stands in its second line), never taken for
 *               absent.
 *   counters    boots, factory resets, the latest time that was believed
 *   lock        held by the one agent that runs on this folder
 */
#ifndef AGENT_STORE_H
#define AGENT_STORE_H

#include <sys/types.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/arena.h"

#define AGENT_PEER_MAX 320

enum agent_reported { AGENT_NOT_REPORTED, AGENT_REPORTED };

struct agent_record {
	EVP_PKEY *key;
	X509 *cert;
	STACK_OF(X509) *anchors; /* the anchor first, at least one */
	enum agent_reported reported; /* enrolment told to the registrar (RFC 8995 5.9.4) */
	uint32_t jitter; /* of this certificate's renewal, so that no restart draws again */
	char peer[AGENT_PEER_MAX]; /* base of the registrar or proxy it came through */
};

/*
 * MST_E_NOT_FOUND: factory-fresh. MST_E_PLEDGE_STORE_CORRUPT,
 * MST_E_KEY_PERMISSIONS (others may read the key), MST_E_IO, MST_E_NOMEM.
 * The record's objects are the caller's: agent_record_wipe.
 */
MST_MUST_USE mst_err agent_record_read(const char *folder, struct agent_record *out);
/* Durable when it returns MST_OK, else the former record stands. MST_E_PLEDGE_STORE, MST_E_NOMEM.
 */
MST_MUST_USE mst_err agent_record_write(const char *folder, const struct agent_record *r);
/* Good or damaged: gone, durably. MST_OK also when there was none. MST_E_PLEDGE_STORE. */
MST_MUST_USE mst_err agent_record_clear(const char *folder);
void agent_record_wipe(struct agent_record *r);
/* Its validity, seconds since 1970. MST_E_X509. */
MST_MUST_USE mst_err agent_record_validity(
    const struct agent_record *r, int64_t *not_before, int64_t *not_after);
/* The anchors as concatenated DER, as the engine wants them. */
MST_MUST_USE mst_err agent_record_anchors(
    struct arena *a, const struct agent_record *r, mst_span *out);

struct agent_counters {
	int64_t boots, resets;
	int64_t last_time; /* the latest believed time, seconds since 1970; 0 for none */
};
/* All zero when there are none yet. MST_E_PLEDGE_STORE_CORRUPT, MST_E_IO. */
MST_MUST_USE mst_err agent_counters_read(const char *folder, struct agent_counters *out);
MST_MUST_USE mst_err agent_counters_write(const char *folder, const struct agent_counters *c);

/*
 * Make the folder if need be, take its lock, sweep away what a crash left
 * half-written. *fd is to be kept open as long as the lock is needed.
 * MST_E_CONFLICT: another process holds it; *holder is its id. MST_E_IO.
 */
MST_MUST_USE mst_err agent_lock(const char *folder, int *fd, pid_t *holder);
/* Who holds the lock; 0 for nobody. */
pid_t agent_lock_holder(const char *folder);

const char *agent_store_why(void);

#endif

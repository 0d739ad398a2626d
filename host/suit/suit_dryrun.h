/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An envelope run on a simulated device, by the device's own code
 * (muster/suit.h): the verdict, where and why, and each command as it ran.
 */
#ifndef HOST_SUIT_SUIT_DRYRUN_H
#define HOST_SUIT_SUIT_DRYRUN_H

#include "host/suit/suit_device.h"
#include "host/suit/suit_keys.h"

#define SUIT_DRYRUN_KEYS 32

struct suit_traced {
	const char *procedure; /* "update", "invocation", ... */
	mst_err result;
	const char *how; /* "done", "pending", "needless", "implied" */
	int64_t section, command;
	uint32_t offset;
	int component; /* -1: none */
	mst_span id; /* of the component, encoded; absent: none */
	const uint16_t *path; /* dependencies' indices on the way to the manifest */
	unsigned depth;
	mst_span measured; /* encoded pairs of parameter and value */
	struct suit_traced *next;
};

enum suit_run {
	SUIT_RUN_ALL, /* update (and confirm), then invocation: what the manifest has of them */
	SUIT_RUN_CHECK, /* nothing: only the check */
	SUIT_RUN_UPDATE,
	SUIT_RUN_INVOCATION,
	SUIT_RUN_UNINSTALL,
};
/* "all", "check", "update", "invocation", "uninstall". */
bool suit_run_find(const char *word, enum suit_run *out);

struct suit_dryrun_want {
	const struct suit_key *anchors; /* who may sign; each an authority of its own */
	size_t anchor_count;
	const struct suit_key *decrypt; /* the device's keys for payloads */
	size_t decrypt_count;
	enum suit_run run;
	mst_span nonce; /* for the report; absent: none */
};

struct suit_dryrun {
	mst_err err; /* MST_OK: accepted, and all procedures succeeded */
	struct mst_suit_refusal refusal; /* otherwise */
	bool checked; /* it was accepted before anything ran */
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest; /* when checked */
	struct suit_traced *first;
	size_t commands;
	mst_span report; /* SUIT_Report as this device would make it, not protected */
};

/*
 * bytes must live as long as out. The device keeps what it has installed.
 * MST_OK when it was judged, however that ended; MST_E_NOMEM, MST_E_FW_KEY,
 * MST_E_SUIT_KEY_USAGE.
 */
MST_MUST_USE mst_err suit_dryrun(struct arena *a, mst_span bytes, struct suit_device *d,
    const struct suit_dryrun_want *want, struct suit_dryrun *out);

#endif

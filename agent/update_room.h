/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the updater; nobody but update*.c includes it. */
#ifndef AGENT_UPDATE_ROOM_H
#define AGENT_UPDATE_ROOM_H

#include "agent/agent_store.h"
#include "agent/update.h"
#include "agent/update_device.h"
#include "agent/update_keys.h"

#define UPDATE_WORK 65536 /* bytes of a block */
#define UPDATE_RECORDS 16384 /* of a report */
#define UPDATE_ENVELOPE (64u << 20) /* integrated payloads included */

struct update_report;

struct update {
	const struct agent_config *cfg;
	struct arena *life;
	struct update_slots slots;
	struct update_model model;

	/* Whom it believes, and who it is. */
	struct anchors *manufacturer, *site; /* site NULL: not enrolled */
	struct mst_suit_key *factory;
	size_t factory_count;
	EVP_PKEY *idevid_key;
	struct agent_record record; /* .cert NULL: not enrolled */
	STACK_OF(X509) *between; /* of the LDevID's chain */
	struct mst_clock clock;
	mst_err no_device; /* why it can boot, and look for nothing; MST_OK: it can */

	/* The manifest under way. */
	const char *uri; /* where it came from */
	struct mst_suit suit;
	struct mst_suit_rules rules;
	struct mst_suit_keys keys;
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	struct update_device device;
	struct update_report *report; /* of the attempt under way; NULL: none */
	uint8_t block[UPDATE_WORK];
};

/* Why a call failed: printf words. Returns e. */
mst_err update_fail(mst_err e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Exit code of a command of this device, or -1: it could not be run, died of a
 * signal, or was not done after so many seconds (then it and its children are
 * killed). argument NULL: none.
 */
int update_run(const char *path, const char *argument, int seconds);

enum update_view { UPDATE_INSTALLS, UPDATE_JUDGES };
/*
 * Parse and check an envelope as the slot's: *image is what it is. To judge,
 * certificates need not be valid today (an installed image does not spoil when
 * its signer's certificate ends) and the manufacturer's signature is enough.
 * client: NULL to judge. The bytes are borrowed by what follows.
 */
MST_MUST_USE mst_err update_check(struct update *u, struct arena *a, mst_span bytes, unsigned slot,
    const struct update_client *client, const char *base, struct mst_slot_image *image);

/* mst_slots_verify: the SUIT boot profile over a slot and its envelope. ctx: struct update *. */
mst_err update_verify(void *ctx, unsigned slot, struct mst_slot_image *found);

/* update_report.c */
struct update_report {
	struct mst_suit_collector collector;
	uint8_t store[UPDATE_RECORDS];
	struct update *u;
};
/* Once begun, the procedure's events go into it. */
void update_report_begin(struct update_report *r, struct update *u);
void update_report_event(void *report, const struct mst_suit_event *event);
/*
 * What was found: signed by the LDevID, kept as state/update/report.cose, and
 * sent if it is to be sent. Trouble is logged and no reason to fail.
 */
void update_report_end(struct update_report *r, const struct update_client *client,
    const struct mst_suit_refusal *refusal, mst_err result);

#endif

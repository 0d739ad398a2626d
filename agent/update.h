/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates of this device (sheet suit.md; README "the life of an image"):
 * fetch a manifest, find it authentic by the identity that BRSKI and EST gave
 * (update_keys.h), install into the other slot, boot it once, keep it only
 * when it says that it is well, report.
 *
 *	update_look()      install what the server offers; PENDING
 *	   restart         (the configured command)
 *	update_boot()      the boot selector's word: which slot; TRIAL
 *	update_settle()    health check: CONFIRMED, or REVERTED and restart
 */
#ifndef AGENT_UPDATE_H
#define AGENT_UPDATE_H

#include "agent/agent_config.h"
#include "host/arena.h"
#include "muster/slots.h"
#include "muster/suit.h"

struct update;

/*
 * Locks the updater's folder (state/update), opens slots and record, and reads
 * the factory's keys and the site's certificate. Where that is absent or
 * damaged, or one slot is out of order, update_boot works and update_look says why not. cfg is
 * borrowed. MST_E_CONFLICT: another process updates. MST_E_USAGE: the configuration has no section
 * "update".
 */
MST_MUST_USE mst_err update_open(const struct agent_config *cfg, struct update **out);
void update_close(struct update *u); /* NULL allowed */
const char *update_why(void);

/* Where and why the last manifest was refused. */
const struct mst_suit_refusal *update_refusal(const struct update *u);

/*
 * In the factory, once: the running image is in this slot, and this envelope
 * is its manifest; it must be good. MST_E_SLOT_EXISTS: there is a record.
 */
MST_MUST_USE mst_err update_format(struct update *u, unsigned slot, const char *envelope_path);

enum update_found {
	UPDATE_NOTHING_NEW, /* what is offered runs, waits for its boot, or has failed here before
	                     */
	UPDATE_INSTALLED, /* the next boot tries it */
};
/*
 * Look once. uri NULL: the configured one. again: also try what was reverted
 * before. The report of an attempt is kept in the folder and sent where the
 * configuration says so. Refusals: those of update_fetch.h, muster/suit.h,
 * MST_E_UPDATE_SIGNER and its like, MST_E_UPDATE_NO_DEVICE.
 */
enum update_again { UPDATE_ONCE_ONLY, UPDATE_AGAIN };
MST_MUST_USE mst_err update_look(
    struct update *u, const char *uri, enum update_again again, enum update_found *found);

/*
 * Which slot to boot, made durable before the caller jumps; the link of the
 * configuration leads there afterwards. MST_E_SLOT_NO_IMAGE: none verifies.
 */
MST_MUST_USE mst_err update_boot(struct update *u, struct mst_boot *out);

enum update_settled {
	UPDATE_QUIET, /* nothing is on trial */
	UPDATE_CONFIRMED,
	UPDATE_REVERTED, /* the next boot takes the former image: restart */
};
/*
 * An image on trial, and this program runs from it: run the health check and
 * confirm or revert. Without a health check it is left on trial (MST_OK,
 * QUIET) until update_confirm(); the next boot without one reverts.
 */
MST_MUST_USE mst_err update_settle(struct update *u, enum update_settled *how);
MST_MUST_USE mst_err update_confirm(struct update *u);
MST_MUST_USE mst_err update_revert(struct update *u);

/* Run the configured restart command, if there is one. */
void update_restart(const struct agent_config *cfg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device as the SUIT processor sees it (struct mst_suit_platform of
 * muster/suit.h): an image in two slots and a staging place beside them, over the record of
 * muster/slots.h, fetched by update_fetch.h. While an update runs the
 * component is the slot that is being written; where an image is judged
 * (boot, confirm) it is the slot in question.
 */
#ifndef AGENT_UPDATE_DEVICE_H
#define AGENT_UPDATE_DEVICE_H

#include "agent/update_fetch.h"
#include "agent/update_slots.h"
#include "muster/suit.h"

#define UPDATE_UUID 16

/* What the device asserts of itself, and what its one component is called. */
struct update_model {
	mst_span component, staging; /* encoded: arrays of byte strings; image and staging place */
	uint8_t vendor[UPDATE_UUID], class_id[UPDATE_UUID], device[UPDATE_UUID];
	bool has_device;
	const char *authorize; /* command that permits an update, "priority" as argument; NULL: none
	                        */
};

/*
 * One view of the device, for one check and its procedures. Judging (clients
 * NULL) has neither fetch nor journal, and reads and writes no numbers: what a
 * slot holds is compared with the record by whoever asked.
 */
struct update_device {
	const struct update_model *model;
	struct update_slots *slots;
	unsigned slot; /* what the component is now */
	unsigned running; /* the slot that this program runs from */
	struct mst_slot_image image; /* what the manifest says; for numbers and begin */
	struct mst_clock clock;
	const struct update_client *client; /* NULL: judging */
	const char *base; /* the manifest's URI; NULL: none */
	void (*trace)(void *arg, const struct mst_suit_event *event); /* NULL: nobody */
	void *trace_arg;

	struct mst_suit_platform platform; /* its own, from here on */
	uint64_t at; /* where the next block goes */
	struct update_source *source;
	bool begun; /* the slot was opened for writing */
};

/* Zero d and set its first part before. */
void update_device_init(struct update_device *d);

/* The identity of a root as the record keeps it: at most MST_SLOT_ID_MAX bytes, else its SHA-256.
 */
MST_MUST_USE mst_err update_identity(mst_span identity, struct mst_slot_image *image);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A small flash for the unit tests: calls may be told to fail, bytes to change. */
#ifndef TESTS_UNIT_SLOTS_SUPPORT_NOR_H
#define TESTS_UNIT_SLOTS_SUPPORT_NOR_H

#include "muster/slots.h"

#define NOR_SECTOR 2048
#define NOR_SECTORS 8 /* 0..3 record, 4..5 slot A, 6..7 slot B */

struct nor {
	uint8_t memory[NOR_SECTORS * NOR_SECTOR];
	struct mst_flash flash;
	struct mst_slots_config config;
	unsigned writes, erases;
	bool fail_writes, fail_erases, fail_reads;
	/* the images that verify finds by a slot's first byte; 0: not valid */
	struct mst_slot_image image[4];
	unsigned bad; /* sectors that take no write, by bit */
	unsigned asked; /* slots that verify was asked for, by bit */
	struct mst_slots *slots;
};

/* Erased, with a record of the first `record` sectors. */
void nor_init(struct nor *n, unsigned record);
/* Image number k: identity "root", number 10 * k, digest all k. */
const struct mst_slot_image *nor_image(struct nor *n, unsigned k);
/* Put image k into a slot, by hand. */
void nor_put(struct nor *n, unsigned slot, unsigned k);
mst_err nor_verify(void *ctx, unsigned slot, struct mst_slot_image *found);
/* A factory device: image 1 in A. Opens s. */
void nor_factory(struct nor *n, struct mst_slots *s);
/* Install image k from the running slot up to staged. */
void nor_stage(struct nor *n, struct mst_slots *s, unsigned running, unsigned k);

#endif

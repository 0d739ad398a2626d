/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots and their record on Linux: the record (muster/slots.h) is a small file
 * used as flash, the slots are files or raw block devices, the envelopes of
 * what they hold lie beside the record. One process at a time.
 */
#ifndef AGENT_UPDATE_SLOTS_H
#define AGENT_UPDATE_SLOTS_H

#include <sys/types.h>

#include "host/arena.h"
#include "muster/slots.h"

struct update_slots {
	struct mst_slots record;
	struct mst_flash flash;
	const char *folder; /* of the record and the envelopes */
	int lock, record_fd, staging_fd, fd[MST_SLOTS];
	uint64_t capacity[MST_SLOTS];
};

/*
 * Make the folder if need be, lock it (MST_E_CONFLICT), open everything. A
 * slot that is a plain file is made size bytes long; what is a block device
 * keeps its size. A record that was never formatted is MST_OK: ask
 * record.health. MST_E_IO, update_slots_why() has words.
 */
MST_MUST_USE mst_err update_slots_open(struct update_slots *s, struct arena *a, const char *folder,
    const char *const slot[MST_SLOTS], uint64_t size);
void update_slots_close(struct update_slots *s);
const char *update_slots_why(void);

/* Bytes of a slot. write is durable after sync. MST_E_SLOT_RANGE, MST_E_IO. */
MST_MUST_USE mst_err update_slot_read(
    const struct update_slots *s, unsigned slot, uint64_t at, uint8_t *out, size_t len);
MST_MUST_USE mst_err update_slot_write(
    struct update_slots *s, unsigned slot, uint64_t at, mst_span bytes);
MST_MUST_USE mst_err update_slot_sync(struct update_slots *s, unsigned slot);

/*
 * One more place, of the size of a slot: for what is fetched and then copied
 * into a slot, as a ciphertext is. keep: bytes of it that stay.
 */
uint64_t update_staging_size(const struct update_slots *s);
MST_MUST_USE mst_err update_staging_begin(struct update_slots *s, uint64_t keep);
MST_MUST_USE mst_err update_staging_read(
    const struct update_slots *s, uint64_t at, uint8_t *out, size_t len);
MST_MUST_USE mst_err update_staging_write(struct update_slots *s, uint64_t at, mst_span bytes);
MST_MUST_USE mst_err update_staging_sync(struct update_slots *s);

/* The envelope of what a slot holds. MST_E_NOT_FOUND, MST_E_IO. */
MST_MUST_USE mst_err update_envelope_read(
    const struct update_slots *s, struct arena *a, unsigned slot, mst_span *bytes);
MST_MUST_USE mst_err update_envelope_write(
    const struct update_slots *s, unsigned slot, mst_span bytes);

/* The slot that was booted, as the selector left it; MST_SLOT_NONE: nobody said. */
unsigned update_running(const struct update_slots *s);
MST_MUST_USE mst_err update_running_set(const struct update_slots *s, unsigned slot);

#endif

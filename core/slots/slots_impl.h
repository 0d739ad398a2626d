/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the log below the state machine. */
#ifndef MUSTER_CORE_SLOTS_IMPL_H
#define MUSTER_CORE_SLOTS_IMPL_H

#include "muster/slots.h"

/* The values of the record. One entry of the log holds one of them, whole. */
enum {
	KEY_BOOT = 0, /* state and both slots: a transition is one entry, so it happens or not */
	KEY_JOURNAL = 1,
	KEY_COUNTER = 2,
	KEY_REF = KEY_COUNTER + MST_SLOTS_COUNTERS,
	KEY_SEAL = 0x7e, /* ends the snapshot that a sector begins with */
};

_Static_assert(KEY_REF + MST_SLOTS_REFS == MST_SLOTS_KEYS, "a key for each value");
_Static_assert(MST_SLOTS_KEYS <= 26, "a seal names them all");

/* slots_code.c: values and entries. */

/*
 * Encode what s holds for key (or the seal) as the entry seq into s->scratch;
 * the number of bytes to write, a multiple of write_size. The rest of scratch
 * is the erased value.
 */
size_t slots_entry_build(struct mst_slots *s, unsigned key, uint32_t seq);

struct slots_entry {
	mst_span payload; /* in the bytes given */
	uint32_t seq;
	uint8_t key;
};

/* Is this place an entry? Form, key, length and CRC; the payload's sense is not judged. */
bool slots_entry_parse(mst_span place, struct slots_entry *out);

/* Take an entry's payload for the value of its key; false: it makes no sense, s is unchanged. */
bool slots_value_take(struct mst_slots *s, const struct slots_entry *entry);

uint32_t slots_u32(const uint8_t *p);

/* slots_log.c */

/* Judge the configuration's geometry. */
mst_err slots_geometry(const struct mst_slots_config *config) MST_MUST_USE;

/* Read all sectors; sets values, seq, at, copy. MST_E_SLOT_BLANK, _LOST. */
mst_err slots_log_read(struct mst_slots *s) MST_MUST_USE;

/*
 * Make the value of key, as it is in s now, durable: appended to the copies that
 * can take it, the others written anew. MST_OK: one copy at least has it, read
 * back, and on the way there was always one that had all the older ones. When
 * refused, the caller puts the old value back into s; the flash may have either.
 */
mst_err slots_log_put(struct mst_slots *s, unsigned key) MST_MUST_USE;

/* Write both copies anew where no record is. */
mst_err slots_log_format(struct mst_slots *s) MST_MUST_USE;

/* Where a key's value is in no copy, or a copy is behind. */
bool slots_copy_whole(const struct mst_slots *s, unsigned copy);

/* slots.c: the counter of an identity; MST_SLOTS_COUNTERS: none. */
unsigned slots_counter_find(const struct mst_slots *s, mst_span id);

#endif

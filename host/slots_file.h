/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A/B slots on Linux: the record and both slots in files or on block devices
 * (partitions), under the seam of muster/slots.h. Every write of the record is
 * preceded by a sync of the slots and followed by one of the record, so that
 * no entry is ever older than what it speaks of.
 */
#ifndef HOST_SLOTS_FILE_H
#define HOST_SLOTS_FILE_H

#include "muster/slots.h"

#define SLOTS_RECORD_SECTOR 4096
#define SLOTS_RECORD_SECTORS 4 /* two that are used and two spares: 16 KiB */
#define SLOTS_SLOT_SECTOR 65536

struct slots_files_conf {
	const char *record; /* a file, created with mode 0600, or a block device */
	const char *slot[MST_SLOTS]; /* files, created sparse, or block devices */
	uint64_t size; /* of each slot in bytes, rounded up to sectors; of a device 0: all of it */
	enum mst_slots_fallback fallback;
};

struct slots_file {
	struct mst_flash flash;
	struct slots_files *all;
	int fd; /* -1: closed */
	bool record, dirty;
	/* What was read last: verifying reads in small portions. */
	uint64_t window_at;
	size_t window_len;
	uint8_t window[SLOTS_SLOT_SECTOR];
};

struct slots_files {
	struct slots_file record, slot[MST_SLOTS];
};

/*
 * Open all three, or none, and describe them for mst_slots_open. f must not move
 * while it is open. MST_E_CONFLICT: another process has the record open;
 * MST_E_SLOT_GEOMETRY: a file or device has another size; MST_E_IO, errno tells.
 * Symbolic links to files are not followed; names of devices may be links
 * (/dev/disk/by-...).
 */
MST_MUST_USE mst_err slots_files_open(
    struct slots_files *f, const struct slots_files_conf *conf, struct mst_slots_config *out);
/* Everything that was written is durable. */
MST_MUST_USE mst_err slots_files_sync(struct slots_files *f);
void slots_files_close(struct slots_files *f);

#endif

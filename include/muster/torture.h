/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts on the desk: a NOR flash in memory that loses power, or refuses,
 * at the n-th write or erase, and a scheduler that tries every n, every way an
 * operation can tear, and every pair of them. For embedders too: compile
 * tests/powercut/nor.c and torture.c with your own boot code over the seam struct
 * mst_flash. No malloc; nothing here is for a device.
 *
 * A schedule is: from the starting state the device is switched on; at a
 * chosen operation the power goes (or the operation fails); it is switched
 * on again; with pairs, that run is cut too; it is switched on once more and
 * must come to its end with every promise kept.
 */
#ifndef MUSTER_TORTURE_H
#define MUSTER_TORTURE_H

#include "muster/slots.h"

/* ---- the flash ---- */

/* What is left of the operation that was under way. */
enum mst_nor_tear {
	MST_TEAR_NOTHING, /* it had not begun */
	MST_TEAR_HEAD, /* written up to some byte; erased in the first half */
	MST_TEAR_TAIL, /* written from some byte on; erased in the second half */
	MST_TEAR_BITS, /* any of the bits */
	MST_TEAR_ALL, /* done, but nobody was told */
	MST_TEARS,
};

enum mst_nor_event {
	MST_NOR_CUT, /* the power goes: every later call fails, until mst_nor_power_on */
	MST_NOR_FAIL, /* this one operation answers MST_E_SLOT_FLASH; life goes on */
	MST_NOR_EVENTS,
};

enum mst_nor_kind {
	MST_NOR_PLAIN = 0,
	/* A granule that was torn does not read: its ECC does not fit. */
	MST_NOR_ECC = 1,
};

/* Bits that do not follow: whatever is written or erased there, they become value. */
struct mst_nor_stuck {
	uint32_t at;
	uint8_t mask; /* 0: none */
	uint8_t value;
};

#define MST_NOR_STUCK 4
#define MST_NOR_TORN 4
struct mst_nor {
	struct mst_flash flash; /* hand this to what is tested; its ctx is this struct */
	uint8_t *memory; /* sectors * sector_size bytes, lent */
	enum mst_nor_kind kind;

	/* Bad blocks: sectors by bit (the first 64), from now on. */
	uint64_t bad_write; /* a write there fails, some of it written */
	uint64_t bad_erase; /* an erase there fails, nothing changed */
	struct mst_nor_stuck stuck[MST_NOR_STUCK];

	/* What is to happen, at which operation since power on (1 is the first; 0: never). */
	uint64_t event_at;
	enum mst_nor_event event;
	enum mst_nor_tear tear;
	uint64_t seed;

	bool powered;
	uint64_t ops; /* writes and erases since power on */
	uint64_t total; /* since init */
	/*
	 * Calls that break the contract of struct mst_flash: beyond the end, not by
	 * granules, across sectors, or onto a granule that is not erased.
	 */
	uint64_t breaches;
	struct {
		uint32_t at, len;
	} torn[MST_NOR_TORN];

	/* Told of each operation, if set: for the replay of one schedule. */
	void (*trace)(void *ctx, const char *what, uint64_t op, uint64_t at, size_t len);
	void *trace_ctx;
};

/*
 * An erased flash with power. geometry's ctx and functions are ignored. memory
 * has sector_size * sectors bytes and outlives it; at most 4 GiB.
 */
void mst_nor_init(struct mst_nor *n, const struct mst_flash *geometry, uint8_t *memory);
/* Power again (also where it never went): operations count from 1; no event is planned. */
void mst_nor_power_on(struct mst_nor *n);

/* ---- the scheduler ---- */

struct mst_torture_point {
	uint64_t op; /* 0: none */
	enum mst_nor_event event;
	enum mst_nor_tear tear;
};

struct mst_torture_schedule {
	struct mst_torture_point point[2];
};

enum mst_torture_depth { MST_TORTURE_SINGLES = 1, MST_TORTURE_PAIRS = 2 };

struct mst_torture {
	struct mst_nor *nor; /* in the starting state */
	/*
	 * What the test knows beside the flash (what was promised so far), as
	 * plain bytes: it is copied with the flash when a schedule goes back to a
	 * point. In the starting state, too.
	 */
	struct mst_buf world; /* ptr and len */
	/*
	 * The device is switched on: boot, go on with what there is to do, and
	 * return when it is done or when a call failed; look into nor->powered to
	 * know which. Everything it knows from before is in the flash and in world.
	 */
	void (*power_on)(void *ctx, void *world);
	/* After the last power_on: NULL, or the promise that was broken, in words that stay. */
	const char *(*check)(void *ctx, void *world);
	void *ctx;

	/* Lent: twice the flash and the world, mst_torture_room() bytes. */
	struct mst_buf room;
	uint64_t seed;
	enum mst_torture_depth depth;
	unsigned events; /* 1 << MST_NOR_CUT, or with MST_NOR_FAIL; the second is a cut always */
	unsigned stride; /* of the pairs take every n-th, beginning at seed % n; 0 and 1: all */
	uint64_t limit; /* stop after so many schedules; 0: none */

	/* What came of it. */
	uint64_t schedules; /* that were run */
	uint64_t operations; /* of the run without an event */
	const char *broken; /* NULL: all promises were kept */
	struct mst_torture_schedule where; /* of the first that was broken */
};

size_t mst_torture_room(const struct mst_torture *t);

/*
 * Run all schedules. MST_OK: none broke a promise. MST_E_SLOT_MISMATCH: one did;
 * broken and where tell. MST_E_SPACE: room is too small. The flash and the world
 * are in the starting state again.
 */
mst_err mst_torture_run(struct mst_torture *t) MST_MUST_USE;

/*
 * Run one schedule again, with the same seed; flash and world stay as it left them.
 * Set nor->trace to watch.
 */
mst_err mst_torture_replay(
    struct mst_torture *t, const struct mst_torture_schedule *schedule) MST_MUST_USE;

#endif

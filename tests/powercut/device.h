/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device for the power-cut tests: a bootloader and two firmwares that do
 * what a scenario says, over core/slots and a simulated flash, and an oracle that
 * knows what was promised. It decides by itself what a slot holds; it believes
 * neither the record nor the selector.
 */
#ifndef TESTS_POWERCUT_DEVICE_H
#define TESTS_POWERCUT_DEVICE_H

#include "muster/torture.h"

enum scenario {
	UPDATE, /* install, try, confirm */
	REVERT_CRASH, /* the new one never confirms itself */
	REVERT_HEALTH, /* its health check fails: mst_slots_revert */
	TWICE, /* one update, then another: both slots in turn */
	COUNTER, /* numbers of a root that has no slot */
	JOURNAL, /* a long journal, then its end */
	REFERENCES, /* link and unlink */
	DAMAGED, /* what was written is not the image: it is not staged, then UPDATE */
	SCENARIOS,
};

enum start {
	START_FACTORY, /* A is confirmed, B empty */
	START_OPEN, /* B was begun, and its journal is half way */
	START_STAGED,
	START_PENDING,
	START_TRIAL, /* it was booted and the power went */
	START_CONFIRMED, /* B after a first update */
	START_REVERTED,
	START_ONE_COPY, /* one of the record's sectors was lost */
	STARTS,
};

struct device_geometry {
	const char *name;
	uint32_t sector_size;
	uint32_t record_sectors;
	uint16_t write_size;
	uint8_t erased;
	enum mst_nor_kind kind;
};
extern const struct device_geometry device_geometries[];
extern const unsigned device_geometry_count;

#define DEVICE_SLOT_SECTORS 2
#define DEVICE_FLASH_MAX 32768

/* What the oracle knows; plain bytes. */
struct device_world {
	enum scenario scenario;
	unsigned running;
	uint64_t old, next; /* the numbers of this scenario's update */
	uint64_t goal; /* the last one */
	uint64_t seen; /* the highest counter that was read */
	uint64_t journalled; /* an offset whose write was answered with MST_OK */
	uint64_t counted; /* of COUNTER: set and answered */
	unsigned linked; /* of REFERENCES: steps that were answered */
	unsigned armed, trials, crashes; /* calls; boots on trial */
	bool may, did; /* confirm of next was called; was answered with MST_OK */
	bool damaged; /* it was, once */
	bool tolerant; /* the flash is bad: refusals are right, broken promises are not */
	bool done;
	const char *broken;
};

struct device {
	struct mst_nor nor;
	struct device_world world;
	struct mst_slots_config config;
	const struct device_geometry *geometry;
	struct mst_torture rig;
	uint8_t memory[DEVICE_FLASH_MAX];
	uint8_t room[2 * (DEVICE_FLASH_MAX + sizeof(struct device_world))];
};

/*
 * Bring the flash into start (filled: that many entries more in the record,
 * so that its sectors are full at another moment), then make the rig ready to run.
 */
void device_init(struct device *d, const struct device_geometry *g, enum scenario scenario,
    enum start start, unsigned filled);

void device_power_on(void *ctx, void *world);
const char *device_check(void *ctx, void *world);

const char *scenario_name(enum scenario s);
const char *start_name(enum start s);

#endif

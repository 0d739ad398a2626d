/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A/B installs that survive a power cut at any moment: which slot boots, which
 * is being tried, how far an install came, which sequence numbers were reached
 * and who still uses a component. No malloc, no file, no crypto; all of it
 * stands on the three calls of struct mst_flash, each of which may fail.
 *
 * Promises (issue 4 item 6, suit-manifest 6.3.1, requirements sheet 13), held
 * at every cut of power and proven by tests/powercut:
 *  - no brick: where a verified image was bootable, one is bootable after;
 *  - no unverified boot: select names a slot only after the caller's verify
 *    said OK to it in this very boot;
 *  - no lost confirmation: after mst_slots_confirm returned MST_OK its image
 *    is the one that boots;
 *  - a counter never goes back and never advances before the confirmation, so
 *    that after a revert the old manifest is still acceptable.
 *
 *                begin, write..., stage          arm
 *   IDLE ------------------------------> STAGED -----> PENDING
 *    ^                                                    | mst_slots_boot
 *    | (begin again)            confirm                   v
 *   CONFIRMED <---------------------------------------- TRIAL
 *   REVERTED  <---- boot without confirmation, mst_slots_revert
 *
 * The record lies in 2..8 sectors of its own as a log of small entries, each
 * with sequence number and CRC. At rest two sectors hold all of it; further
 * ones are spares for sectors that go bad. An entry is never overwritten; a
 * sector is erased only while another one holds everything. The CRC is against
 * accidents. Whoever can write this flash can also forge it: keep it where only
 * firmware writes (requirements sheet 22, MFST.CONST).
 *
 * After a write that no sector took (MST_E_SLOT_WORN), what writes is refused
 * until the record is opened again: the flash decides what it holds.
 *
 * One struct mst_slots is used by one thread. Bootloader and application each
 * open their own over the same flash, one after the other.
 */
#ifndef MUSTER_SLOTS_H
#define MUSTER_SLOTS_H

#include "muster/span.h"

#define MST_SLOTS 2 /* A is 0, B is 1 */
#define MST_SLOT_NONE 0xffu
#define MST_SLOT_DIGEST 32 /* SHA-256, or the first 32 bytes of a longer digest */
#define MST_SLOT_ID_MAX 32 /* bytes of an identity; longer ones: hand over a digest of it */
#define MST_FLASH_WRITE_MAX 128 /* largest write granularity */
#define MST_SLOTS_SECTORS_MIN 2
#define MST_SLOTS_SECTORS_MAX 8
/* Compile-time limits; the record needs sectors of MST_SLOTS_SECTOR_BYTES_MIN at least. */
#ifndef MST_SLOTS_COUNTERS
#define MST_SLOTS_COUNTERS 4 /* root manifest identities */
#endif
#ifndef MST_SLOTS_REFS
#define MST_SLOTS_REFS 8 /* who needs which component: pairs */
#endif
#define MST_SLOTS_KEYS (2 + MST_SLOTS_COUNTERS + MST_SLOTS_REFS) /* at most 26 */
#define MST_SLOTS_ENTRY 128 /* bytes an entry takes in the log */
/* A value for each key, the seal, and one place that is free. */
#define MST_SLOTS_SECTOR_BYTES_MIN (MST_SLOTS_ENTRY * (MST_SLOTS_KEYS + 2))

/*
 * The flash. Offsets are bytes from its beginning. The record needs uniform
 * sectors; a device whose record and slots lie in different chips, or in sectors
 * of different sizes, has one struct for each.
 */
struct mst_flash {
	void *ctx;
	uint32_t sector_size; /* bytes one erase clears; a multiple of write_size */
	uint32_t sectors;
	uint16_t write_size; /* granularity: power of two, 1..MST_FLASH_WRITE_MAX */
	uint8_t erased; /* what an erased byte reads as: 0xff or 0x00 */

	/*
	 * Fill out[0..len). An error (also of an ECC that cannot correct what a torn
	 * write left) means: these bytes are unknown. Any offset and length inside.
	 */
	mst_err (*read)(void *ctx, uint64_t at, uint8_t *out, size_t len);

	/*
	 * Write where it is erased; at and length are multiples of write_size and
	 * within one sector. Durable on return. After an error, or a cut, any of the
	 * bits may be written. An error may be any mst_err, MST_E_SLOT_FLASH if none fits.
	 */
	mst_err (*write)(void *ctx, uint64_t at, mst_span bytes);

	/* Erase one sector. After an error, or a cut, its content is anything. */
	mst_err (*erase)(void *ctx, uint32_t sector);
};

/* Neighbouring sectors of a flash. flash NULL: none. */
struct mst_area {
	const struct mst_flash *flash;
	uint32_t first; /* sector */
	uint32_t sectors;
};

/* What a slot holds, as its root manifest says. */
struct mst_slot_image {
	uint8_t digest[MST_SLOT_DIGEST]; /* of the manifest: SUIT_Digest of the envelope */
	uint64_t number; /* suit-manifest-sequence-number */
	uint8_t id[MST_SLOT_ID_MAX]; /* identity of the root: sheet 13.1 */
	uint8_t id_len; /* 0: the device's only root */
};

enum mst_slot_state {
	MST_SLOT_IDLE, /* nothing under way, or an install that is not complete */
	MST_SLOT_STAGED, /* the other slot is complete and verified; it does not boot yet */
	MST_SLOT_PENDING, /* the next boot tries it */
	MST_SLOT_TRIAL, /* it was booted and has not confirmed itself */
	MST_SLOT_CONFIRMED, /* the last trial confirmed itself: nothing under way */
	MST_SLOT_REVERTED, /* the last trial did not: nothing under way */
};

/* Why the last trial ended; of state REVERTED. */
enum mst_slot_why {
	MST_SLOT_WHY_NONE,
	MST_SLOT_WHY_NOT_CONFIRMED, /* it ran and the device started again: crash, watchdog, power
	                             */
	MST_SLOT_WHY_NOT_VERIFIED, /* it did not verify when it was to be booted */
	MST_SLOT_WHY_HEALTH, /* mst_slots_revert: the health check or its time limit */
};

enum mst_slots_fallback {
	/*
	 * Where the confirmed image does not verify (a worn or overwritten slot, no
	 * cut of power does that), the other one may run although its number is lower
	 * (suit-manifest 6.1 "MAY"). Its kind is MST_BOOT_FALLBACK.
	 */
	MST_FALLBACK_PREVIOUS,
	MST_FALLBACK_NOT_LOWER, /* a TEE's choice: only where its number is not below the counter */
};

/* How far an install came (sheet 13.4; suit-trust-domains 10). Written ahead. */
struct mst_journal {
	uint8_t digest[MST_SLOT_DIGEST]; /* of the root manifest */
	int32_t section; /* its key in the manifest: 16, 20, ... */
	uint32_t command; /* bytes from the beginning of that sequence */
	uint32_t component; /* index */
	uint32_t state; /* of the writer's own meaning */
	uint64_t offset; /* payload bytes of that component that are durable */
};

struct mst_slots_counter {
	struct mst_slot_image
	    reached; /* the highest confirmed; number 0 and digest zeros at first */
	bool used;
};

/* This manifest needs this component. */
struct mst_slots_ref {
	uint8_t id[MST_SLOT_ID_MAX];
	uint8_t id_len;
	bool linked; /* false: the place is free */
	uint8_t by[MST_SLOT_DIGEST];
};

struct mst_slots_config {
	struct mst_area record; /* of 2..8 sectors that hold nothing else */
	struct mst_area slot[MST_SLOTS]; /* may be absent: then others write the slots */
	enum mst_slots_fallback fallback;
};

/* What decides on the next boot. Always changed as a whole. */
struct mst_slots_boot {
	enum mst_slot_state state;
	enum mst_slot_why why;
	uint8_t active; /* the confirmed slot; MST_SLOT_NONE when the record is lost or blank */
	uint8_t trial; /* of STAGED, PENDING, TRIAL and REVERTED; else MST_SLOT_NONE */
	uint8_t tries; /* boots left for the trial */
	struct {
		uint8_t digest[MST_SLOT_DIGEST];
		uint64_t number;
		uint8_t counter; /* its identity's place in counter[] */
		bool known; /* false: empty, or being written */
	} slot[MST_SLOTS];
};

/* What the record says. Read it freely (boot.state, boot.active, ...), write it never. */
struct mst_slots {
	struct mst_slots_config config;
	struct mst_slots_boot boot;
	struct mst_slots_counter counter[MST_SLOTS_COUNTERS];
	struct mst_slots_ref ref[MST_SLOTS_REFS];
	struct mst_journal journal;
	bool has_journal;

	/* Of this run alone: the slot that begin opened. */
	uint8_t writing;

	/* The log. */
	mst_err health; /* MST_OK, or why nothing can be written: BLANK, LOST, WORN */
	uint32_t seq; /* the newest entry's */
	uint32_t at[MST_SLOTS_KEYS]; /* which entry holds this key's value; 0: none yet */
	struct {
		uint32_t has; /* keys whose newest entry it holds, by bit */
		uint32_t next; /* place of its next entry */
		uint8_t sector; /* within the record; MST_SLOT_NONE: there is no such copy */
		bool torn; /* it has a place that is neither erased nor an entry */
	} copy[2];
	uint8_t bad; /* sectors that failed since open, by bit */
	uint8_t unsettled; /* counter that confirm has yet to write, or MST_SLOT_NONE */
	uint8_t scratch[MST_SLOTS_ENTRY];
};

/*
 * Read the record. Writes nothing, so a bootloader may do it before anything
 * else. MST_OK; MST_E_SLOT_GEOMETRY: nothing was read. MST_E_SLOT_BLANK: never
 * formatted. MST_E_SLOT_LOST: sectors are not erased and none is whole (no cut
 * of power does that). After the last two select works, everything that writes
 * is refused with the same name, and mst_slots_format makes a new record.
 */
mst_err mst_slots_open(struct mst_slots *s, const struct mst_slots_config *config) MST_MUST_USE;

/*
 * In the factory: slot active holds image, and the counter of its identity is its
 * number. After a cut, run it again: the same once more is MST_OK.
 * MST_E_SLOT_EXISTS where a record says otherwise: numbers do not go back.
 */
mst_err mst_slots_format(
    struct mst_slots *s, unsigned active, const struct mst_slot_image *image) MST_MUST_USE;

/* ---- boot ---- */

/*
 * Is what lies in this slot authentic, whole and for this device? Fills found.
 * It reads the slot itself, everything, every time: the SUIT boot profile
 * (authenticate, validate section) over that slot. It does not judge the
 * sequence number; select does, with the record. Any error means no.
 */
typedef mst_err (*mst_slots_verify)(void *ctx, unsigned slot, struct mst_slot_image *found);

enum mst_boot_kind {
	MST_BOOT_CONFIRMED, /* the confirmed image */
	MST_BOOT_TRIAL, /* the new one; it must confirm itself */
	MST_BOOT_REVERT, /* the confirmed one, after a trial that failed */
	MST_BOOT_FALLBACK, /* neither as planned: what still verifies */
};

struct mst_boot {
	uint8_t slot;
	enum mst_boot_kind kind;
	enum mst_slot_why why; /* of REVERT */
	struct mst_slot_image image; /* as verified just now */
};

/*
 * Which slot to boot. Pure: it reads s and asks verify, and writes nothing.
 * A slot is named only if verify says OK and what it found has the recorded
 * digest. Order: the trial (PENDING, or TRIAL with tries left), else the
 * confirmed one, else what config.fallback allows. Without a record (BLANK,
 * LOST): of the slots that verify the one with the higher number, as FALLBACK.
 * MST_E_SLOT_NO_IMAGE: none; out is unchanged.
 */
mst_err mst_slots_select(const struct mst_slots *s, mst_slots_verify verify, void *ctx,
    struct mst_boot *out) MST_MUST_USE;

/*
 * select, and what it means made durable BEFORE the caller jumps: a trial is
 * counted, a revert noted. A trial that cannot be counted is not begun: the
 * confirmed image is named instead. Once a slot is named, boot it.
 */
mst_err mst_slots_boot(
    struct mst_slots *s, mst_slots_verify verify, void *ctx, struct mst_boot *out) MST_MUST_USE;

/*
 * Where another bootloader chooses (MCUboot, U-Boot, RAUC's: docs/boot.md): the
 * system that runs now tells the record what happened. The trial runs: TRIAL.
 * The confirmed one runs although the other was PENDING or on TRIAL: REVERTED.
 * Before anything else, at each start; again: MST_OK. MST_E_SLOT_MISMATCH:
 * running is no slot of the record.
 */
mst_err mst_slots_booted(struct mst_slots *s, unsigned running) MST_MUST_USE;

/*
 * By the image on trial, after its health check: it is now the confirmed one,
 * and its identity's counter advances. running is the slot this code runs from
 * (the bootloader hands it over). Again after MST_OK: MST_OK. After an error or
 * a cut either both happened or a later open shows TRIAL still (or has reverted).
 * MST_E_SLOT_STATE: nothing on trial; MST_E_SLOT_MISMATCH: running is not it.
 */
mst_err mst_slots_confirm(struct mst_slots *s, unsigned running) MST_MUST_USE;

/*
 * Give up what is STAGED, PENDING or on TRIAL. After this the next boot takes
 * the confirmed image. MST_OK also when there is nothing to give up.
 */
mst_err mst_slots_revert(struct mst_slots *s) MST_MUST_USE;

/* ---- install ---- */

/*
 * May this image be installed? As begin judges it, without writing.
 * MST_E_SLOT_ROLLBACK: number below the counter of its identity (suit-manifest
 * 8.4.2); MST_E_SLOT_EQUAL: the same number for another digest.
 */
mst_err mst_slots_judge(const struct mst_slots *s, const struct mst_slot_image *image) MST_MUST_USE;

/*
 * Open a slot for writing: *slot is the one that running, where this code runs
 * from, is not. What was there is from now on no fallback; what was STAGED is
 * given up. Where running is a fallback (MST_BOOT_FALLBACK), it takes the place
 * of the confirmed one that does not verify; its counter stays as high as it is.
 * *resume: the slot was open already and the journal is of the same digest, so the
 * install goes on. A journal of another digest is cleared. An identity seen first
 * gets its counter, at 0. MST_E_SLOT_STATE while a trial is PENDING or running;
 * MST_E_SLOT_ROLLBACK, _EQUAL, _FULL; _MISMATCH: running is no slot of the record.
 */
mst_err mst_slots_begin(struct mst_slots *s, unsigned running, const struct mst_slot_image *image,
    unsigned *slot, bool *resume) MST_MUST_USE;

/*
 * The slot is complete: verify reads it back and must find image; only then it
 * is STAGED, and after that the journal is cleared. Whatever verify answers, and
 * MST_E_SLOT_MISMATCH when it found another image.
 */
mst_err mst_slots_stage(struct mst_slots *s, const struct mst_slot_image *image,
    mst_slots_verify verify, void *ctx) MST_MUST_USE;

/* STAGED to PENDING: the next 1..15 boots try it. Again: MST_OK. */
mst_err mst_slots_arm(struct mst_slots *s, unsigned tries) MST_MUST_USE;

/*
 * Bytes of the slots in config.slot. Erase and write only in the slot that
 * begin opened: MST_E_SLOT_ACTIVE for any other. at from the slot's beginning;
 * MST_E_SLOT_RANGE beyond its end.
 */
mst_err mst_slot_read(
    const struct mst_slots *s, unsigned slot, uint64_t at, uint8_t *out, size_t len) MST_MUST_USE;
uint64_t mst_slot_capacity(const struct mst_slots *s, unsigned slot);

/*
 * Stream into a slot: it erases each sector as it comes to it and gathers
 * bytes to the write granularity. at is where to begin: a multiple of the
 * sector size (round a journal's offset down: mst_slot_resume_at). put in any
 * portions; every byte is read back. durable counts what is in flash for good.
 * After an error the writer is dead; begin again at mst_slot_resume_at(durable).
 */
struct mst_slot_writer {
	struct mst_slots *slots;
	unsigned slot;
	uint64_t at; /* of the first byte in gathered */
	uint64_t durable;
	uint16_t count;
	bool dead;
	uint8_t gathered[MST_FLASH_WRITE_MAX];
};
mst_err mst_slot_writer_init(
    struct mst_slot_writer *w, struct mst_slots *s, unsigned slot, uint64_t at) MST_MUST_USE;
mst_err mst_slot_writer_put(struct mst_slot_writer *w, mst_span bytes) MST_MUST_USE;
/* The last bytes, padded with the erased value. Before journal or stage. */
mst_err mst_slot_writer_end(struct mst_slot_writer *w) MST_MUST_USE;
uint64_t mst_slot_resume_at(const struct mst_slots *s, unsigned slot, uint64_t offset);

/* ---- the non-volatile record of the SUIT processor's platform ---- */

/*
 * Highest confirmed number of an identity (1..MST_SLOT_ID_MAX bytes, or empty),
 * and the digest it came with; 0 and zeros where none was. Never fails for want
 * of a record: BLANK and LOST give MST_E_SLOT_BLANK and _LOST, and no update.
 */
mst_err mst_slots_number_get(const struct mst_slots *s, mst_span id, uint64_t *number,
    uint8_t digest[MST_SLOT_DIGEST]) MST_MUST_USE;

/*
 * For roots that no A/B slot stands for. The same number and digest again:
 * MST_OK, nothing written. MST_E_SLOT_ROLLBACK and _EQUAL as judge;
 * MST_E_SLOT_UNCONFIRMED for the identity of an image that is staged, pending or
 * on trial (mst_slots_confirm advances that one); MST_E_SLOT_FULL.
 */
mst_err mst_slots_number_set(struct mst_slots *s, mst_span id, uint64_t number,
    const uint8_t digest[MST_SLOT_DIGEST]) MST_MUST_USE;

/* MST_E_SLOT_NO_JOURNAL: none. The same again is not written twice. */
mst_err mst_slots_journal_read(const struct mst_slots *s, struct mst_journal *out) MST_MUST_USE;
mst_err mst_slots_journal_write(struct mst_slots *s, const struct mst_journal *j) MST_MUST_USE;
mst_err mst_slots_journal_clear(struct mst_slots *s) MST_MUST_USE;

/*
 * Reference counts (suit-trust-domains, unlink): for each component, by 1 to
 * MST_SLOT_ID_MAX bytes of identity, the set of root manifests that need it, by
 * their digest. A set, so that no manifest counts twice, whatever is repeated
 * after a cut. references: how many other than by. unlink: *left of them are
 * left; one that is not linked is no error. MST_E_SLOT_FULL.
 */
mst_err mst_slots_references(const struct mst_slots *s, mst_span id,
    const uint8_t by[MST_SLOT_DIGEST], unsigned *count) MST_MUST_USE;
mst_err mst_slots_link(
    struct mst_slots *s, mst_span id, const uint8_t by[MST_SLOT_DIGEST]) MST_MUST_USE;
mst_err mst_slots_unlink(struct mst_slots *s, mst_span id, const uint8_t by[MST_SLOT_DIGEST],
    unsigned *left) MST_MUST_USE;

/*
 * How many of the two copies are whole (0..2), for a health report: one means
 * that a sector went bad or that a cut left one behind. mst_slots_repair makes
 * them two again; every write does so by itself. MST_E_SLOT_WORN: it cannot.
 */
unsigned mst_slots_copies(const struct mst_slots *s);
mst_err mst_slots_repair(struct mst_slots *s) MST_MUST_USE;

#endif

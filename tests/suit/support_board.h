/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device in memory that counts every touch. It is described by words
 * "dev.*" beside those of the envelope (support_forge.h), so that a row of a
 * table says both; their defaults stand in support_forge.c.
 */
#ifndef TESTS_SUIT_SUPPORT_BOARD_H
#define TESTS_SUIT_SUPPORT_BOARD_H

#include "muster/suit.h"
#include "suit/support_edn.h"

#define BOARD_COMPONENTS 17
#define BOARD_CAPACITY 2048
#define BOARD_EVENTS 512
#define BOARD_REFERENCES 4

struct board_component {
	uint8_t id[16], bytes[BOARD_CAPACITY];
	size_t id_len;
	struct mst_suit_component_info info;
	bool valid; /* finalised */
	uint8_t by[BOARD_REFERENCES][32];
	unsigned references;
};

/* What a refused manifest must leave as it was. */
struct board_state {
	struct board_component component[BOARD_COMPONENTS];
	struct mst_suit_record record, other; /* of the domain; of a manifest-component-id */
	struct mst_suit_journal journal;
	bool journalled;
};

struct board_event {
	mst_err result;
	int how;
	int64_t command;
	int32_t section;
	uint32_t offset;
	uint16_t component;
	uint8_t depth;
};

struct board {
	struct board_state now, before;
	unsigned touches; /* calls that change anything, or start the image */
	unsigned finalised, invoked, kept, records, waits, journalled;
	struct board_event event[BOARD_EVENTS];
	size_t events;

	struct {
		const char *uri;
		struct edn_bytes
		    content; /* of the item: a byte string's content; empty: nothing there */
	} served[4];
	bool endless; /* the source never stops */
	size_t taken; /* bytes handed out by the source */
	size_t cut; /* after so many bytes the source gives up for now; SIZE_MAX: never */
	size_t chunk; /* bytes of one read of the source */
	size_t opened; /* the payload being read, and where */
	size_t at;

	uint8_t id[3][16]; /* vendor, class, device */
	uint64_t time, battery, slot;
	bool has_time, authorized;
	int64_t version[MST_SUIT_VERSION_MAX];
	size_t version_count;
	mst_err wait;
	/* Called at each read of storage and each block of a payload: where time passes. NULL: not.
	 */
	void (*meanwhile)(struct board *b);
	void *meanwhile_arg;

	struct mst_suit_platform platform;
	struct mst_suit_keys keys;
	struct mst_suit_key key[16];
	uint8_t material[16][97];
	struct mst_suit_acl acl[8];
	struct edn_bytes acl_prefix[8];
	struct mst_suit_rules rules;
	struct mst_suit suit;
	uint8_t block[256], arena[8192];
};

/* The board of the words; free it. */
void board_init(struct board *b, const struct edn_scope *scope);
void board_free(struct board *b);
/* A processor as after a reset: storage and record as they are, all else forgotten. */
void board_reset(struct board *b);
/* From here on, what is touched counts. */
void board_mark(struct board *b);
/* NULL, or what is not as it was at the mark. */
const char *board_changed(const struct board *b);
/* The component of this one-letter name. */
struct board_component *board_component(struct board *b, const char *name);

#endif

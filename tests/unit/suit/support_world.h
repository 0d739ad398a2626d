/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An envelope written as words (tests/suit/support_edn.h) on the simulated
 * device: components a, b, c, d, the payloads of coap://x/1 to 3, the keys that
 * the words are signed with. One world at a time.
 */
#ifndef TESTS_SUIT_SUPPORT_WORLD_H
#define TESTS_SUIT_SUPPORT_WORLD_H

#include "suit/support_forge.h"
#include "unit/suit/support_device.h"

struct world {
	struct device dev;
	struct mst_suit suit;
	struct mst_suit_rules rules;
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest manifest;
	uint8_t block[256], arena[8192];
};
extern struct world world;

/* A new device that is offered this envelope. */
void world_new(const struct edn_scope *base, const struct edn_word *words, size_t count);
/* The same envelope, byte for byte, on a device that is new again. */
void world_again(void);
/* The envelope of other words, to the same device: as after a reset. */
void world_offer(const struct edn_scope *base, const struct edn_word *words, size_t count);
/* As after a reset: storage stays, memory does not. */
void world_reset(void);
/* Parse, check, run. */
mst_err world_check(void);
mst_err world_run(enum mst_suit_procedure procedure);
/* What component a, b, ... holds. */
mst_span world_holds(char name);
struct device_component *world_component(char name);
/* The bytes of a word of the envelope that is offered, which is a byte string's content. */
mst_span world_word(const char *name);
/* Commands with component and result as text: "20.0 21.0 3.0!" ('!': failed, '*' resumed, '='
 * needless, '~' implied, '?' pending). */
const char *world_trace(void);
void world_free(void);

#define WORDS(...)                                                                                 \
	(const struct edn_word[]){ __VA_ARGS__ },                                                  \
	    sizeof((const struct edn_word[]){ __VA_ARGS__ }) / sizeof(struct edn_word)

#endif

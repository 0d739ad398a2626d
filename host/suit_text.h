/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of manifests as a person reads them: one line each, in the words of descriptions. */
#ifndef HOST_SUIT_TEXT_H
#define HOST_SUIT_TEXT_H

#include "host/arena.h"
#include "host/suit_words.h"

/* All answers lie in the arena; "" when out of memory. What is malformed is shown in diagnostic
 * notation or hex, never refused. */

const char *suit_text_hex(struct arena *a, mst_span bytes);
/* An encoded component identifier: "slot/hex:00". */
const char *suit_text_id(struct arena *a, mst_span id);
/* An encoded SUIT_Digest: "sha-256:00112233...". */
const char *suit_text_digest(struct arena *a, mst_span digest);
/* The encoded value of a parameter: "https://...", "uuid:...", ">=1.2.3", "sha-256:...". */
const char *suit_text_value(struct arena *a, int64_t key, mst_span item);
/* "uri", or the number of one that is not registered. */
const char *suit_text_parameter(struct arena *a, int64_t key);
const char *suit_text_command(struct arena *a, int64_t code);
/* The argument of a command without what is nested in it: "uri=https://... image-size=3",
 * "all", "policy=15", "2 alternatives". */
const char *suit_text_argument(struct arena *a, int64_t code, mst_span item);
/* The name of a section, "shared", or its number. */
const char *suit_text_section(struct arena *a, int64_t key);
/* What encryption-info says: "a128gcm for 2: a128kw kid-1, ecdh-es+a128kw kid-2". */
const char *suit_text_encryption(struct arena *a, mst_span info);
/* One authentication block: "COSE_Sign1 es256 kid ...". */
const char *suit_text_block(struct arena *a, mst_span block);

/* The commands of a sequence, one by one; command sequences inside are the caller's to visit. */
struct suit_commands {
	mst_span sequence;
	size_t at; /* the next command */
	uint64_t left; /* commands */
};
struct suit_one {
	int64_t code;
	mst_span item; /* its argument, encoded */
	size_t offset; /* of the code, from the beginning of the array (sheet 16) */
};
/* False: it is no array of pairs. */
bool suit_commands_begin(struct suit_commands *w, mst_span sequence);
/* False at the end, or where it is broken: then left is not 0. */
bool suit_commands_next(struct suit_commands *w, struct suit_one *out);
/* The n-th sequence nested in a command's argument: absent behind the last, or null. */
mst_span suit_commands_inner(const struct suit_one *one, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Good envelopes as words (support_edn.h). A forgery is one of these with a
 * word or two of another text: digests and signatures are made anew, so that
 * it is wrong in that one thing alone. "envelope" is the whole.
 */
#ifndef TESTS_SUIT_SUPPORT_FORGE_H
#define TESTS_SUIT_SUPPORT_FORGE_H

#include "suit/support_edn.h"

/* One component; three; A/B by try-each; a dependency; severed; encrypted by key wrap in a
 * written parameter; encrypted by ECDH-ES, fetched, copied. */
extern const struct edn_scope forge_one, forge_three, forge_ab, forge_dep, forge_severed,
    forge_encw, forge_ence;

/* The encoding of the word of that name, in base with some words replaced. */
struct edn_bytes forge(
    const struct edn_scope *base, const struct edn_word *words, size_t count, const char *name);

#endif

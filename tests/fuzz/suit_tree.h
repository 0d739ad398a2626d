/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signing-aware mutator of SUIT envelopes: CBOR as a tree, byte strings that
 * hold CBOR opened; one thing of it changed; and then every digest and the
 * signature made anew (by crypto/fake, where anybody can sign), so that what was
 * changed is looked at by the scan and the interpreter and not merely refused.
 */
#ifndef TESTS_FUZZ_SUIT_TREE_H
#define TESTS_FUZZ_SUIT_TREE_H

#include "muster/suit.h"

/* The key that the fuzzed device trusts, and the one that encrypts for it. */
extern const struct mst_suit_key fuzz_suit_key[3];
#define FUZZ_SUIT_KEYS 3

/* Sign an envelope again: all severed elements, dependencies and the wrapper. Its new length; 0 if
 * it is no CBOR or does not fit. */
size_t suit_tree_resign(uint8_t *envelope, size_t len, size_t cap);
/* Change it by the seed, and sign it again. mutate: libFuzzer's own, for strings; or NULL. */
size_t suit_tree_mutate(uint8_t *envelope, size_t len, size_t cap, unsigned seed,
    size_t (*mutate)(uint8_t *data, size_t size, size_t max));

#endif

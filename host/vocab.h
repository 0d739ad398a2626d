/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_VOCAB_H
#define HOST_VOCAB_H

#include "muster/span.h"

enum step {
#define STEP(name, word, sentence) STEP_##name,
#include "host/vocab.def"
	STEP_COUNT
};
enum device_state {
#define STATE(name, word, sentence) DEVICE_##name,
#include "host/vocab.def"
	DEVICE_STATE_COUNT
};
const char *step_word(enum step s);
const char *step_sentence(enum step s);
const char *device_state_word(enum device_state s);
const char *device_state_sentence(enum device_state s);
/* DEVICE_STATE_COUNT when unknown. */
enum device_state device_state_find(const char *word);

#endif

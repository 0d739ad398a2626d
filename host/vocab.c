/* SPDX-License-Identifier: Apache-2.0 */
#include "host/vocab.h"

#include <assert.h>
#include <string.h>

struct word {
	const char *word;
	const char *sentence;
};

static const struct word steps[STEP_COUNT] = {
#define STEP(name, word, sentence) [STEP_##name] = { word, sentence },
#include "host/vocab.def"
};

static const struct word states[DEVICE_STATE_COUNT] = {
#define STATE(name, word, sentence) [DEVICE_##name] = { word, sentence },
#include "host/vocab.def"
};

const char *
step_word(enum step s)
{
	assert(s < STEP_COUNT);
	return s < STEP_COUNT ? steps[s].word : "unknown";
}

const char *
step_sentence(enum step s)
{
	assert(s < STEP_COUNT);
	return s < STEP_COUNT ? steps[s].sentence : "";
}

const char *
device_state_word(enum device_state s)
{
	assert(s < DEVICE_STATE_COUNT);
	return s < DEVICE_STATE_COUNT ? states[s].word : "unknown";
}

const char *
device_state_sentence(enum device_state s)
{
	assert(s < DEVICE_STATE_COUNT);
	return s < DEVICE_STATE_COUNT ? states[s].sentence : "";
}

enum device_state
device_state_find(const char *word)
{
	unsigned s = 0;

	while (s < DEVICE_STATE_COUNT && (word == NULL || strcmp(states[s].word, word) != 0))
		s++;
	return (enum device_state)s;
}

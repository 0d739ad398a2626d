/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of a manifest in the order in which a device would run them,
 * with what is selected and set at each: for lint, which looks for what was
 * forgotten, and for replay, which looks for what can not have happened.
 * Alternatives are all followed; what they set is unsure afterwards.
 */
#ifndef HOST_SUIT_SUIT_FOLLOW_H
#define HOST_SUIT_SUIT_FOLLOW_H

#include "host/suit/suit_lint_impl.h"
#include "host/suit_text.h"

#define FOLLOW_COMPONENTS 64 /* that are followed */
#define FOLLOW_PARAMETERS 32

enum suit_known { SUIT_UNSET, SUIT_SET, SUIT_UNSURE };

struct suit_follow {
	/* Called at each command, before its effect. */
	void (*visit)(struct suit_follow *f, const struct suit_one *one);
	void (*section_ends)(struct suit_follow *f); /* or NULL; not of the shared sequence */
	void *ctx;
	const struct suit_envelope *env;

	struct lint_common common;
	uint64_t all, dependencies; /* bits of indices */
	int64_t section; /* 3: the shared sequence */
	int64_t before; /* the section that the shared sequence runs before */
	int64_t offset; /* of this command, from the beginning of the section's array */
	uint64_t selected;
	enum suit_known known[FOLLOW_COMPONENTS][FOLLOW_PARAMETERS];
	mst_span value[FOLLOW_COMPONENTS][FOLLOW_PARAMETERS]; /* encoded */
	unsigned alternatives; /* around this command */
	unsigned nested; /* sequences around this command */
	const uint8_t *base;
};

/* Parameters are cleared, then each of these sections that the manifest has, the shared sequence
 * before each. */
void suit_follow(struct suit_follow *f, const int64_t *sections, size_t count);
/* Once, before the first of them. */
void suit_follow_init(struct suit_follow *f, const struct suit_envelope *env);
uint64_t suit_follow_bit(uint64_t index); /* 0 for what is not followed */
/* The content of a byte string, of a text; absent for other items. */
mst_span suit_bytes_of(mst_span item);
mst_span suit_text_of(mst_span item);

extern const int64_t suit_update[5], suit_invocation[3], suit_uninstall[1];

#endif

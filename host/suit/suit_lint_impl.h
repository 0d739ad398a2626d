/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of lint; nobody else includes this. */
#ifndef HOST_SUIT_SUIT_LINT_IMPL_H
#define HOST_SUIT_SUIT_LINT_IMPL_H

#include "host/suit/suit_lint.h"

struct linter {
	struct arena *a;
	const struct suit_envelope *env;
	struct suit_lint *out;
	struct suit_finding *last;
};

#define NOWHERE (-1)
struct place {
	int64_t section, offset;
	int component;
};

void lint_say(struct linter *l, enum suit_level level, mst_err e, const char *rule, struct place at,
    const char *clause, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* Encoded element of the manifest; absent if there is none. */
mst_span lint_element(mst_span manifest, int64_t key);
/* The sequence of a section, inline or severed beside it; absent if there is none. */
mst_span lint_section(const struct suit_envelope *env, int64_t key);
/* Encoded parts of common; absent if there are none. shared: the sequence itself. */
struct lint_common {
	mst_span dependencies, components, shared;
	size_t count; /* of components */
};
void lint_common(const struct suit_envelope *env, struct lint_common *out);
/* The n-th component's identifier, encoded. */
mst_span lint_component(const struct lint_common *c, size_t n);

/* The same of a dependency: its prefix. Absent: there is none, or it has none. */
mst_span lint_dependency(const struct lint_common *c, uint64_t index);

/* What follows the flow of commands. */
void lint_flow(struct linter *l);
/* What a device's capability report lacks. */
mst_err lint_capability(struct linter *l, mst_span report);
/* The device's own check, by the device's own code. */
mst_err lint_device(struct linter *l);

#endif

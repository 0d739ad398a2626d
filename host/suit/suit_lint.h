/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with an envelope, and what may turn out to be: before it is
 * signed. Errors are what devices refuse: first the device's own check
 * (muster/suit.h) is asked, so that both never differ; then come rules that it
 * cannot know. Warnings are sheet 23's and those of its sections 5 to 19.
 */
#ifndef HOST_SUIT_SUIT_LINT_H
#define HOST_SUIT_SUIT_LINT_H

#include "host/suit/suit_author.h"

enum suit_level { SUIT_ERROR, SUIT_WARNING };

struct suit_finding {
	enum suit_level level;
	mst_err err; /* the name; of a warning perhaps MST_OK */
	const char *rule; /* a stable word: "image-match-missing" */
	int64_t section; /* key of the manifest, SUIT_COMMON 3 for the shared sequence; 0: none */
	int64_t offset; /* from the beginning of the section's array; -1: none */
	int component; /* index; -1: none */
	const char *clause, *words;
	struct suit_finding *next;
};

struct suit_lint_want {
	mst_span before; /* the envelope that this one follows; absent: not judged */
	/* A SUIT_Capability_Report, or a SUIT_Report with one in it; absent: not judged. */
	mst_span capability;
};

struct suit_lint {
	struct suit_finding *first;
	size_t errors, warnings;
};

/* MST_OK when it was judged, however that ended. MST_E_NOMEM, MST_E_SUIT_REPORT_CAPABILITY,
 * MST_E_FW_ENVELOPE (before). */
MST_MUST_USE mst_err suit_lint(
    struct arena *a, mst_span envelope, const struct suit_lint_want *want, struct suit_lint *out);

#endif

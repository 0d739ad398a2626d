/* SPDX-License-Identifier: Apache-2.0 */
/* Two manifests beside each other: what a reviewer must look at. */
#ifndef HOST_SUIT_SUIT_DIFF_H
#define HOST_SUIT_SUIT_DIFF_H

#include "host/suit/suit_author.h"

struct suit_line { /* "install@5" "fetch policy=2" */
	const char *name, *value;
	struct suit_line *next;
};
/* The whole of an envelope, line by line, in order. MST_E_FW_ENVELOPE, MST_E_NOMEM. */
MST_MUST_USE mst_err suit_lines(struct arena *a, mst_span envelope, struct suit_line **out);

enum suit_change { SUIT_SAME, SUIT_GONE, SUIT_NEW };
struct suit_difference {
	enum suit_change change;
	const char *name, *value;
	struct suit_difference *next;
};
/* The shortest way from one to the other by lines taken away and added. */
MST_MUST_USE mst_err suit_diff(
    struct arena *a, mst_span from, mst_span to, struct suit_difference **out, size_t *changes);

#endif

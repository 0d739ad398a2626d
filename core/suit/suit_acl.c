/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what with which component (sheet 20, M 9). */
#include "core/suit/suit_impl.h"

#ifndef MUSTER_SUIT_BOOT
/* Does the identifier begin with the segments of the prefix? */
static bool
below(mst_span id, mst_span prefix)
{
	mst_span rest = MST_NONE, have = MST_NONE, a, b;

	while (mst_suit_id_next(prefix, &rest, &a))
		if (!mst_suit_id_next(id, &have, &b) || !mst_span_eq(a, b))
			return false;
	return true;
}

bool
suit_allowed(const struct mst_suit *s, const struct mst_suit_manifest *m, mst_span id,
    enum suit_right kind, unsigned bit)
{
	const struct mst_suit_acl *row = s->rules->acl;
	uint64_t rights;

	if (row == NULL) /* model 1 */
		return true;
	for (size_t i = 0; i < s->rules->acl_count; i++, row++) {
		rights = kind == SUIT_RIGHT_COMMAND ? row->commands : row->parameters;
		if ((row->authorities & m->authorities) != 0 && (rights >> bit & 1) != 0 &&
		    below(id, row->prefix))
			return true;
	}
	return false;
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what with which component (sheet 20, M 9). */
#include "core/suit/suit_impl.h"

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
    enum suit_right kind, uint64_t bit)
{
	const struct mst_suit_rules *r = s->rules;

	if (r->acl == NULL) /* model 1 */
		return true;
	for (size_t i = 0; i < r->acl_count; i++)
		if ((r->acl[i].authorities & m->authorities) != 0 &&
		    ((kind == SUIT_RIGHT_COMMAND ? r->acl[i].commands : r->acl[i].parameters) &
		        bit) != 0 &&
		    below(id, r->acl[i].prefix))
			return true;
	return false;
}

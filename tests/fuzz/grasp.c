/* SPDX-License-Identifier: Apache-2.0 */
/* What is read keeps its bounds; what is written from it is read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/grasp.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
buildable(const struct mst_grasp_flood *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->objectives[i].name.len == 0 || f->objectives[i].loop_count == 0)
			return false;
	return f->count > 0;
}

static void
same(const struct mst_grasp_objective *a, const struct mst_grasp_objective *b)
{
	MUST(mst_span_eq(a->name, b->name) && mst_span_eq(a->value, b->value));
	MUST(mst_span_eq(a->address, b->address));
	MUST(a->flags == b->flags && a->loop_count == b->loop_count);
	MUST(a->protocol == b->protocol && a->port == b->port);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[2 * MST_GRASP_MESSAGE_MAX];
	struct mst_buf out = MST_BUF(room);
	struct mst_grasp_flood f, again;

	if (mst_grasp_parse(mst_span_of(data, size), &f) != MST_OK)
		return 0;
	MUST(size <= MST_GRASP_MESSAGE_MAX);
	MUST(f.count >= 1 && f.count <= MST_GRASP_OBJECTIVES);
	MUST(f.initiator.len == 4 || f.initiator.len == 16);
	for (size_t n = 0; n < size; n = 2 * n + 1)
		MUST(mst_grasp_parse(mst_span_of(data, n), &again) != MST_OK);
	if (!buildable(&f)) {
		MUST(mst_grasp_build(&f, &out) == MST_E_GRASP);
		return 0;
	}
	MUST(mst_grasp_build(&f, &out) == MST_OK);
	if (out.len > MST_GRASP_MESSAGE_MAX)
		return 0;
	MUST(mst_grasp_parse(mst_buf_span(&out), &again) == MST_OK);
	MUST(again.count == f.count && again.session == f.session && again.ttl_ms == f.ttl_ms);
	MUST(mst_span_eq(again.initiator, f.initiator));
	for (size_t i = 0; i < f.count; i++)
		same(&f.objectives[i], &again.objectives[i]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an envelope, or as a report beside a good one: the tool's own
 * readers (lint, diff, inspect, replay, the device that a manifest was written
 * for) judge them without harm. Byte 0 chooses.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/suit/suit_description.h"
#include "host/suit/suit_device.h"
#include "host/suit/suit_diff.h"
#include "host/suit/suit_lint.h"
#include "host/suit/suit_replay.h"

#define HELD (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "sequence-number = 7\ncomponent \"app\" { id = { \"slot\", \"hex:00\" } }\n"
    "component \"old\" { }\n"
    "sequence \"a\" { do = { \"override-parameters component-slot=0\", \"component-slot\" } }\n"
    "sequence \"b\" { do = { \"set-component-index all\", \"image-match\" } }\n"
    "shared = { \"set-component-index app\", \"override-parameters "
    "image-digest=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\" }\n"
    "install = { \"set-component-index app\", \"try-each a b nothing\", \"override-parameters "
    "uri=x\", \"fetch policy=15\", \"image-match\" }\n"
    "validate = { \"set-component-index all\", \"image-match\" }\n"
    "invoke = { \"set-component-index app\", \"invoke\" }\n";

static mst_span
good(struct arena *a)
{
	struct suit_description d = { .name = "good" };
	struct suit_author *m;
	mst_span out;

	if (suit_description_parse(a, &d, text, &m) != MST_OK ||
	    suit_author_build(m, &out) != MST_OK)
		abort();
	return out;
}

static void
as_envelope(struct arena *a, mst_span bytes)
{
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct suit_device *d = arena_alloc(a, sizeof *d);
	struct suit_lint_want want = { .before = MST_NONE };
	struct suit_difference *first;
	struct suit_lint lint;
	size_t changes;
	mst_span again;

	if (env == NULL || d == NULL)
		return;
	(void)!suit_lint(a, bytes, &want, &lint);
	if (suit_envelope_read(bytes, env) != MST_OK)
		return;
	/* what is strict is written again as it was */
	if (suit_envelope_write(a, env, &again) == MST_OK && !mst_span_eq(again, bytes))
		abort();
	if (suit_device_for(a, env, d) == MST_OK)
		suit_device_free(d);
	if (suit_diff(a, bytes, bytes, &first, &changes) == MST_OK && changes != 0)
		abort();
	want.capability = bytes;
	(void)!suit_lint(a, bytes, &want, &lint);
}

static void
as_report(struct arena *a, mst_span bytes)
{
	struct suit_replay_want want = { .dependencies = &bytes, .dependency_count = 1 };
	struct suit_replay r;

	(void)!suit_replay(a, bytes, good(a), &want, &r);
}

/* The digest of the good one stands in the report: else nothing of it would be looked at. */
static void
as_records(struct arena *a, mst_span bytes)
{
	struct suit_envelope *env = arena_alloc(a, sizeof *env);
	struct mst_buf b = arena_buf(a, bytes.len + 128);
	mst_span envelope = good(a);

	if (env == NULL || b.cap == 0 || suit_envelope_read(envelope, env) != MST_OK)
		return;
	/* {99: ["", digest], 3: ..., the rest of the map as it comes */
	if (mst_buf_put(&b, MST_LIT("\xa3\x18\x63\x82\x60")) == MST_OK &&
	    mst_buf_put(&b, env->digest) == MST_OK && mst_buf_put(&b, bytes) == MST_OK)
		as_report(a, mst_buf_span(&b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(HELD);
	uint8_t *exact = malloc(size > 1 ? size - 1 : 1);
	mst_span bytes = mst_span_of(exact, size > 1 ? size - 1 : 0);

	if (a != NULL && exact != NULL && size > 1) {
		memcpy(exact, data + 1, size - 1);
		if (data[0] % 3 == 0)
			as_envelope(a, bytes);
		else if (data[0] % 3 == 1)
			as_report(a, bytes);
		else
			as_records(a, bytes);
	}
	free(exact);
	arena_free(a);
	return 0;
}

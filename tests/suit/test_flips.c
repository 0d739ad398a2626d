/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every single bit of an envelope, every strict prefix, every byte behind it:
 * refused, and nothing was made valid, started or counted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "suit/support_rows.h"
#include "unit/flips.h"

struct bed {
	struct board *board, *fresh; /* fresh: as it was before anything */
	size_t payload; /* from here on the bytes are an integrated payload's: found when it runs */
	size_t touched;
};

static const struct {
	const char *name;
	const struct edn_scope *base;
} envelopes[] = {
	{ "one component", &forge_one },
	{ "three components", &forge_three },
	{ "severed", &forge_severed },
	{ "A/B", &forge_ab },
	{ "dependency", &forge_dep },
};

/* The kid stands in the protected header: what is not protected anybody may change, and as long
 * as a key is found that verifies, a block without kid is as good as one with it. */
static const struct edn_word words[] = {
	{ "prot", "<<{1: $alg 4: b'k1'}>>" },
	{ "unprot", "" },
	{ "dep.prot", "<<{1: $alg 4: b'k2'}>>" },
	{ "dep.unprot", "" },
};
#define WORDS (sizeof words / sizeof words[0])

/* As the tests of flips.h want it: MST_OK when it was taken and run. */
static mst_err
judge(void *arg, mst_span message)
{
	struct bed *bed = arg;
	struct row_outcome o;
	const char *changed;

	memcpy(bed->board, bed->fresh, sizeof *bed->board);
	o = row_play(bed->board, message, MST_SUIT_UPDATE);
	if (o.err == MST_OK)
		return MST_OK;
	changed = board_changed(bed->board);
	if (o.stage < STAGE_RUN && changed != NULL)
		fail_msg("refused with %s, but %s was changed", err_name(o.err), changed);
	if (o.stage == STAGE_RUN) {
		bed->touched++;
		if (bed->payload == 0)
			fail_msg("found only when it ran: %s", err_name(o.err));
	}
	assert_int_equal(bed->board->finalised, 0);
	assert_int_equal(bed->board->invoked, 0);
	assert_int_equal(bed->board->records, 0);
	assert_int_equal(bed->board->kept, 0);
	return o.err;
}

static struct edn_bytes
set_up(struct bed *bed, const struct edn_scope *base)
{
	struct edn_scope scope = { words, WORDS, base };

	*bed = (struct bed){ .board = test_malloc(sizeof *bed->board),
		.fresh = test_malloc(sizeof *bed->board),
		.payload = base == &forge_dep };
	board_init(bed->board, &scope);
	memcpy(bed->fresh, bed->board, sizeof *bed->board);
	return forge(base, words, WORDS, "envelope");
}

static void
tear_down(struct bed *bed, struct edn_bytes *made)
{
	memcpy(bed->board, bed->fresh, sizeof *bed->board);
	board_free(bed->board);
	test_free(bed->board);
	test_free(bed->fresh);
	edn_free(made);
}

static void
flips(void **state)
{
	struct bed bed;
	struct edn_bytes made = set_up(&bed, *state);

	flips_are_refused(FLIPS_EVERY, mst_span_of(made.ptr, made.len), judge, &bed);
	tear_down(&bed, &made);
}

static void
prefixes(void **state)
{
	struct bed bed;
	struct edn_bytes made = set_up(&bed, *state);

	assert_int_equal(judge(&bed, mst_span_of(made.ptr, made.len)), MST_OK);
	for (size_t n = 0; n < made.len; n++) {
		uint8_t *exact = test_malloc(n + 1);
		struct mst_suit_envelope parsed;

		memcpy(exact, made.ptr, n);
		if (mst_suit_envelope_parse(mst_span_of(exact, n), &parsed) == MST_OK)
			fail_msg("%zu of %zu bytes were taken", n, made.len);
		test_free(exact);
	}
	tear_down(&bed, &made);
}

static void
trailing(void **state)
{
	struct bed bed;
	struct edn_bytes made = set_up(&bed, *state);

	edn_append(&made, "", 1);
	for (unsigned v = 0; v < 256; v++) {
		struct mst_suit_envelope parsed;

		made.ptr[made.len - 1] = (uint8_t)v;
		assert_int_equal(mst_suit_envelope_parse(mst_span_of(made.ptr, made.len), &parsed),
		    MST_E_SUIT_CBOR_TRAILING);
	}
	tear_down(&bed, &made);
}

int
main(void)
{
	struct CMUnitTest tests[3 * sizeof envelopes / sizeof envelopes[0]];
	static char names[3 * sizeof envelopes / sizeof envelopes[0]][80];
	size_t n = 0;
	const struct {
		const char *what;
		CMUnitTestFunction f;
	} kinds[] = { { "SUIT-22.3 every flipped bit is refused", flips },
		{ "SUIT-22.3 every strict prefix is refused", prefixes },
		{ "SUIT-22.3 a byte behind the envelope is refused", trailing } };

	for (size_t i = 0; i < sizeof envelopes / sizeof envelopes[0]; i++)
		for (size_t k = 0; k < 3; k++, n++) {
			snprintf(
			    names[n], sizeof names[n], "%s: %s", kinds[k].what, envelopes[i].name);
			tests[n] = (struct CMUnitTest){ names[n], kinds[k].f, NULL, NULL,
				(void *)(uintptr_t)envelopes[i].base };
		}
	return _cmocka_run_group_tests("flips", tests, n, NULL, NULL);
}

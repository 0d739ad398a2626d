/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/err.h"
#include "suit/support_rows.h"

struct row_outcome
row_play(struct board *b, mst_span envelope, enum mst_suit_procedure procedure)
{
	struct row_outcome o = { .stage = STAGE_PARSE };
	struct mst_suit_envelope parsed;
	struct mst_suit_manifest manifest;

	o.err = mst_suit_envelope_parse(envelope, &parsed);
	if (o.err == MST_OK) {
		o.stage = STAGE_CHECK;
		o.err = mst_suit_check(&b->suit, &parsed, &manifest);
	}
	if (o.err == MST_OK) {
		o.stage = STAGE_RUN;
		o.err = mst_suit_run(&b->suit, &manifest, procedure);
	}
	if (o.err == MST_OK)
		o.stage = STAGE_DONE;
	o.refusal = b->suit.refusal;
	return o;
}

const char *
err_name(mst_err e)
{
	return e == MST_OK ? "MST_OK" : mst_err_info(e)->name;
}

static const char *
stage_name(enum row_stage s)
{
	switch (s) {
	case STAGE_PARSE: return "parse";
	case STAGE_CHECK: return "check";
	case STAGE_RUN: return "run";
	case STAGE_DONE: return "done";
	}
	return "?";
}

static void
judge_place(const struct row *row, const struct row_outcome *o)
{
	if (row->section != ANY && o->refusal.section != row->section)
		fail_msg("section %d, not %d", (int)o->refusal.section, row->section);
	if (row->offset != ANY && o->refusal.offset != (uint32_t)row->offset)
		fail_msg("offset %u, not %ld", (unsigned)o->refusal.offset, row->offset);
	if (row->component != ANY && o->refusal.component != (uint16_t)row->component)
		fail_msg("component %u, not %ld", (unsigned)o->refusal.component, row->component);
}

static void
judge(const struct row *row, struct board *b, const struct row_outcome *o)
{
	const char *changed = board_changed(b);

	if (row->fate == ROW_GOOD) {
		if (o->err != MST_OK)
			fail_msg("refused at %s: %s (section %d, offset %u, component %u)",
			    stage_name(o->stage), err_name(o->err), (int)o->refusal.section,
			    (unsigned)o->refusal.offset, (unsigned)o->refusal.component);
		assert_int_equal(b->records, 0); /* SUIT-13.2: an update alone advances nothing */
		return;
	}
	if (o->err == MST_OK)
		fail_msg("taken and run");
	if (row->want == X_ANY)
		print_message(
		    "UNNAMED\t%s\t%s\t%s\n", row->name, err_name(o->err), stage_name(o->stage));
	else if (o->err != row->want)
		fail_msg("refused as %s at %s, not as %s", err_name(o->err), stage_name(o->stage),
		    err_name(row->want));
	if (o->stage != STAGE_PARSE && o->refusal.err != o->err)
		fail_msg("the refusal says %s, the answer %s", err_name(o->refusal.err),
		    err_name(o->err));
	/* issue 4: every refusal says where; a command's says which */
	if (o->stage == STAGE_CHECK && o->refusal.section == MST_SUIT_AT_NOWHERE)
		fail_msg("%s, and no word of where", err_name(o->err));
	if (o->refusal.command != 0 && (o->refusal.offset == 0 || o->refusal.section <= 0))
		fail_msg("%s at command %d, and no word of its offset", err_name(o->err),
		    (int)o->refusal.command);
	judge_place(row, o);
	assert_int_equal(b->records, 0);
	assert_int_equal(b->finalised, 0);
	assert_int_equal(b->invoked, 0);
	assert_int_equal(b->kept, 0);
	if (row->fate != ROW_FAIL && changed != NULL)
		fail_msg("%s was changed (refused at %s: %s)", changed, stage_name(o->stage),
		    err_name(o->err));
	if (row->fate == ROW_BAD)
		assert_int_equal(b->journalled, 0);
	if (row->fate == ROW_BAD && o->stage >= STAGE_RUN)
		fail_msg("refused only when it ran: %s", err_name(o->err));
	if (row->fate != ROW_BAD && o->stage < STAGE_RUN)
		fail_msg("refused before it ran: %s", err_name(o->err));
}

static void
play_row(void **state)
{
	const struct row *row = *state;
	struct edn_scope scope = { row->set, ROW_WORDS, row->base };
	struct edn_bytes run = edn_encode(&scope, "$dev.run");
	struct edn_bytes made = edn_encode(&scope, "$envelope");
	uint8_t *exact = test_malloc(made.len); /* an over-read is seen by the sanitizer */
	struct board *b = test_malloc(sizeof *b);
	struct row_outcome o;

	memcpy(exact, made.ptr, made.len);
	board_init(b, &scope);
	o = row_play(b, mst_span_of(exact, made.len), (enum mst_suit_procedure)run.ptr[0]);
	assert_memory_equal(exact, made.ptr, made.len);
	judge(row, b, &o);
	board_free(b);
	test_free(b);
	test_free(exact);
	edn_free(&made);
	edn_free(&run);
}

int
rows_run(const char *title, const struct row *rows, size_t count)
{
	struct CMUnitTest *tests = calloc(count, sizeof *tests);
	const char *only = getenv("ROW");
	size_t n = 0;
	int failed;

	if (tests == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		if (only == NULL || strstr(rows[i].name, only) != NULL)
			tests[n++] = (struct CMUnitTest){ rows[i].name, play_row, NULL, NULL,
				(void *)(uintptr_t)&rows[i] };
	failed = _cmocka_run_group_tests(title, tests, n, NULL, NULL);
	free(tests);
	return failed;
}

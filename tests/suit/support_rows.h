/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of forgeries. Each row is a good envelope with a word or two of
 * another text, and what must become of it:
 *
 *	BAD	refused when it is read or checked, with this name, and nothing
 *		on the device was as much as written to
 *	HALT	read and checked, refused while it runs, before it touched anything
 *	FAIL	refused while it runs, after it had begun to write: no component is
 *		marked valid, nothing invoked, the record of sequence numbers as before
 *	GOOD	runs to its end (a table of refusals proves little if all is refused)
 * _AT: and the refusal names section, offset and component (ANY: not looked at).
 */
#ifndef TESTS_SUIT_SUPPORT_ROWS_H
#define TESTS_SUIT_SUPPORT_ROWS_H

#include "suit/support_board.h"
#include "suit/support_edn.h"
#include "suit/support_forge.h"

#define ANY (-1000)
#define X_ANY ((mst_err)-1)
#define ROW_WORDS 7

enum row_fate { ROW_GOOD, ROW_BAD, ROW_HALT, ROW_FAIL };

struct row {
	const char *name;
	const struct edn_scope *base;
	enum row_fate fate;
	mst_err want;
	int section;
	long offset, component;
	struct edn_word set[ROW_WORDS];
};

#define ROW_OF(fate_, name_, base_, want_, s, o, c, ...)                                           \
	{                                                                                          \
		.name = (name_), .base = &(base_), .fate = (fate_), .want = (want_),               \
		.section = (s), .offset = (o), .component = (c),                                   \
		.set = { __VA_ARGS__ }                                                             \
	}
#define BAD(name, base, want, ...) ROW_OF(ROW_BAD, name, base, want, ANY, ANY, ANY, __VA_ARGS__)
#define BAD_AT(name, base, want, s, o, c, ...)                                                     \
	ROW_OF(ROW_BAD, name, base, want, s, o, c, __VA_ARGS__)
#define HALT(name, base, want, ...) ROW_OF(ROW_HALT, name, base, want, ANY, ANY, ANY, __VA_ARGS__)
#define HALT_AT(name, base, want, s, o, c, ...)                                                    \
	ROW_OF(ROW_HALT, name, base, want, s, o, c, __VA_ARGS__)
#define FAIL(name, base, want, ...) ROW_OF(ROW_FAIL, name, base, want, ANY, ANY, ANY, __VA_ARGS__)
#define FAIL_AT(name, base, want, s, o, c, ...)                                                    \
	ROW_OF(ROW_FAIL, name, base, want, s, o, c, __VA_ARGS__)
#define GOOD(name, base, ...) ROW_OF(ROW_GOOD, name, base, MST_OK, ANY, ANY, ANY, __VA_ARGS__)

/* Its name, also of MST_OK. */
const char *err_name(mst_err e);

/* How far an envelope came. */
enum row_stage { STAGE_PARSE, STAGE_CHECK, STAGE_RUN, STAGE_DONE };
struct row_outcome {
	enum row_stage stage;
	mst_err err;
	struct mst_suit_refusal refusal;
};
/* Parse, check, run the procedure of the word dev.run (0: update) on an exact-size copy. */
struct row_outcome row_play(struct board *b, mst_span envelope, enum mst_suit_procedure procedure);

/* The rows as one cmocka group of that many tests; what main() returns. */
int rows_run(const char *title, const struct row *rows, size_t count);

#endif

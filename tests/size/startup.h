/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIZE_STARTUP_H
#define TESTS_SIZE_STARTUP_H

#include "muster/span.h"

/* The image's own; its answer is qemu's exit status. */
int board_main(void);

void board_say(const char *words);
void board_say_number(const char *words, unsigned n); /* and a line end */
__attribute__((noreturn)) void board_exit(int status);
/* Append a whole file of the host; false when it is not there or does not fit. */
bool board_read(const char *name, struct mst_buf *out);

/*
 * Paint that many bytes below the caller, and ask later from the same caller
 * how far a call in between went down into them.
 */
void board_stack_paint(size_t bytes);
size_t board_stack_used(size_t bytes);
void board_reset(void); /* the image's entry */

#endif

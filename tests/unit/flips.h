/* SPDX-License-Identifier: Apache-2.0 */
/*
 * D19: every single-bit flip of a good message is refused. With MUSTER_FULL=1
 * in the environment (make flips, minutes) each bit of each byte; else, where a
 * test asks for it, one bit of each byte, another one from byte to byte.
 * Include it behind cmocka.h.
 */
#ifndef TESTS_UNIT_FLIPS_H
#define TESTS_UNIT_FLIPS_H

#include <stdlib.h>
#include <string.h>

#include "muster/err.h"
#include "muster/span.h"

enum flips { FLIPS_EVERY, FLIPS_ONE_A_BYTE };

/* judge must take the message as it is, and no flipped one. Prints how many it was asked about. */
static void
flips_are_refused(enum flips which, mst_span good, mst_err (*judge)(void *, mst_span), void *arg)
{
	int full = which == FLIPS_EVERY || getenv("MUSTER_FULL") != NULL;
	uint8_t *copy = test_malloc(good.len); /* exact: the sanitizer sees a read too far */
	size_t run = 0;

	memcpy(copy, good.ptr, good.len);
	assert_int_equal(judge(arg, mst_span_of(copy, good.len)), MST_OK);
	for (size_t at = 0; at < good.len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			if (!full && bit != at % 8)
				continue;
			copy[at] ^= (uint8_t)(1u << bit);
			if (judge(arg, mst_span_of(copy, good.len)) == MST_OK)
				fail_msg(
				    "bit %u of byte %zu of %zu changes nothing", bit, at, good.len);
			copy[at] ^= (uint8_t)(1u << bit);
			run++;
		}
	print_message(
	    "flips: %zu of the %zu bits of %zu bytes, none taken\n", run, 8 * good.len, good.len);
	test_free(copy);
}

#endif

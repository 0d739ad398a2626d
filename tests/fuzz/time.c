/* SPDX-License-Identifier: Apache-2.0 */
/* What parses formats, and formatted parses to the same; the input serves as text and as a number.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/time.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define FIRST INT64_C(-62167219200)
#define LAST INT64_C(253402300799)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip(int64_t t, struct mst_buf *out)
{
	int64_t back;

	MUST(mst_time_format(t, out) == MST_OK && out->len == MST_TIME_LEN);
	MUST(mst_time_parse(mst_buf_span(out), &back) == MST_OK && back == t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t room[MST_TIME_LEN];
	struct mst_buf out = MST_BUF(room);
	mst_span text = mst_span_of(data, size);
	int64_t t;

	if (mst_time_parse(text, &t) == MST_OK) {
		round_trip(t, &out);
		MUST(size >= MST_TIME_LEN);
		/* UTC without fraction or leap second is what we write, but for letter case */
		if (size == MST_TIME_LEN && data[17] != '6' && data[10] == 'T' && data[19] == 'Z')
			MUST(mst_span_eq(text, mst_buf_span(&out)));
		out.len = 0;
	}
	if (size < sizeof t)
		return 0;
	memcpy(&t, data, sizeof t);
	t %= 2 * LAST; /* else nearly all are out of range */
	if (t >= FIRST && t <= LAST)
		round_trip(t, &out);
	else
		MUST(mst_time_format(t, &out) == MST_E_TIME_FORMAT && out.len == 0);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any datagram at the JPY port: what is taken is well-formed, lies within the
 * datagram, and comes back the same from what is built of it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "muster/cbor.h"
#include "muster/jpy.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_within(mst_span part, const uint8_t *data, size_t size)
{
	MUST(part.ptr >= data && part.ptr <= data + size);
	MUST(part.len <= size - (size_t)(part.ptr - data));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[INPUT_MAX + MST_JPY_HEADER_MAX + MST_JPY_OVERHEAD];
	struct mst_buf out = MST_BUF(room);
	struct mst_jpy m, back;

	if (size > INPUT_MAX || mst_jpy_parse(mst_span_of(data, size), &m) != MST_OK)
		return 0;
	MUST(mst_cbor_validate(mst_span_of(data, size)) == MST_OK);
	must_be_within(m.header, data, size);
	must_be_within(m.content, data, size);
	MUST(m.header.len <= MST_JPY_HEADER_MAX);
	MUST(mst_jpy_build(&m, &out) == MST_OK);
	MUST(out.len <= m.header.len + m.content.len + MST_JPY_OVERHEAD);
	MUST(mst_jpy_parse(mst_buf_span(&out), &back) == MST_OK);
	MUST(mst_span_eq(m.header, back.header) && mst_span_eq(m.content, back.content));
	MUST(mst_jpy_parse(mst_span_of(data, size - 1), &back) != MST_OK);
	return 0;
}

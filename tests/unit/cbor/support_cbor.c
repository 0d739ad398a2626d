/* SPDX-License-Identifier: Apache-2.0 */
#include "support_cbor.h"

#include <stdlib.h>
#include <string.h>

mst_err
validate_exact(mst_span in)
{
	uint8_t *copy = malloc(in.len != 0 ? in.len : 1);
	mst_err e;

	if (copy == NULL)
		abort();
	if (in.len != 0)
		memcpy(copy, in.ptr, in.len);
	e = mst_cbor_validate(mst_span_of(copy, in.len));
	free(copy);
	return e;
}

static void
take(struct mst_cbor_reader *r)
{
	switch (mst_cbor_peek(r)) {
	case MST_CBOR_UINT: (void)mst_cbor_uint(r); return;
	case MST_CBOR_BYTES: (void)mst_cbor_bytes(r); return;
	case MST_CBOR_TEXT: (void)mst_cbor_text(r); return;
	case MST_CBOR_ARRAY: mst_cbor_array(r); return;
	case MST_CBOR_MAP: mst_cbor_map(r); return;
	case MST_CBOR_TAG: (void)mst_cbor_tag(r); return;
	case MST_CBOR_BOOL: (void)mst_cbor_bool(r); return;
	case MST_CBOR_NULL: mst_cbor_null(r); return;
	case MST_CBOR_FLOAT: (void)mst_cbor_float(r); return;
	case MST_CBOR_NINT: /* mst_cbor_int() does not reach -2^64 */
	case MST_CBOR_UNDEFINED:
	case MST_CBOR_SIMPLE: (void)mst_cbor_raw(r); return;
	case MST_CBOR_BREAK:
	case MST_CBOR_END: mst_cbor_fail(r, MST_E_CBOR); return;
	}
}

mst_err
walk(mst_span in)
{
	struct mst_cbor_reader r;

	mst_cbor_init(&r, in);
	do {
		take(&r);
		while (r.err == MST_OK && r.depth > 0 && !mst_cbor_more(&r))
			;
	} while (r.err == MST_OK && (r.depth > 0 || r.tagged));
	return mst_cbor_end(&r);
}

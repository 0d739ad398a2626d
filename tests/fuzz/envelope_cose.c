/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign1 as host/cose.c takes it: opened as both kinds, stripped, its bag
 * filled. What the strip and the bag leave must carry the same signed bytes.
 */
#include "tests/fuzz/envelope.h"

#include <stdlib.h>

#include "muster/cose.h"

static void
same_signed(mst_span before, mst_span after)
{
	struct mst_cose_sign1 x, y;

	if (mst_cose_sign1_parse(before, &x) != MST_OK ||
	    mst_cose_sign1_parse(after, &y) != MST_OK ||
	    !mst_span_eq(x.protected_header, y.protected_header) ||
	    !mst_span_eq(x.payload, y.payload) || !mst_span_eq(x.signature, y.signature))
		abort();
}

static void
carry(struct arena *a, mst_span message)
{
	STACK_OF(X509) *none = sk_X509_new_null();
	mst_span bare, again, bag;

	if (envelope_strip(a, MST_MEDIA_COSE_CBOR, message, &bare) == MST_OK) {
		same_signed(message, bare);
		if (envelope_strip(a, MST_MEDIA_COSE_CBOR, bare, &again) != MST_OK ||
		    !mst_span_eq(bare, again))
			abort();
	}
	if (envelope_bag_add(a, message, none, &bag) == MST_OK)
		same_signed(message, bag);
	sk_X509_free(none);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(8u << 20);

	if (a == NULL)
		abort();
	carry(a, mst_span_of(data, size));
	arena_free(a);
	return fuzz_envelope(MST_MEDIA_COSE_CBOR, data, size);
}

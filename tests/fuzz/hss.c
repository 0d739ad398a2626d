/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HSS-LMS: sixty bytes of public key, then a signature, over a quick hash. Work
 * is bounded, states are released, no prefix of a signature that has the right
 * form is one, and the verdict is the same twice.
 */
#include <stdint.h>

#include "muster/hss.h"
#include "suit_toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Per level: two for message and key, chains of 255 steps at most, and a path of 25. */
#define HASHES_MAX ((unsigned)MST_HSS_LEVELS * (4u + 34u * 255u + 26u))

static mst_err
verify(mst_span key, mst_span signature)
{
	struct toy t = { .good = 0 };
	const struct mst_suit_crypto crypto = toy_crypto(&t);
	const mst_span piece[2] = { MST_LIT("a message"), MST_LIT(" in pieces") };
	mst_err e = mst_hss_verify(&crypto, key, piece, 2, signature);

	MUST(t.open == 0 && t.digests <= HASHES_MAX);
	/* what has not the form costs nothing */
	MUST(t.digests == 0 || e == MST_OK || e == MST_E_COSE_SIGNATURE);
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mst_span key, signature;
	mst_err e;

	if (size < MST_HSS_PUBLIC_LEN)
		return 0;
	key = mst_span_of(data, MST_HSS_PUBLIC_LEN);
	signature = mst_span_of(data + MST_HSS_PUBLIC_LEN, size - MST_HSS_PUBLIC_LEN);
	e = verify(key, signature);
	MUST(e == verify(key, signature));
	if (e == MST_OK || e == MST_E_COSE_SIGNATURE)
		MUST(verify(key, mst_span_of(signature.ptr, signature.len - 1)) == MST_E_HSS_FORM);
	return 0;
}

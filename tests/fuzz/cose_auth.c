/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication blocks: two of them, split at the first byte's offset, judged
 * twice. Nobody is verified by a block that is refused; whoever is, a
 * signature held for; calculations are bounded; the same input gives the same
 * verdict. The first bytes are tried as a report, too.
 */
#include <stdint.h>

#include "muster/cbor.h"
#include "suit_toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mst_suit_key table[] = {
	{ .usage = MST_SUIT_USE_SIGN_MANIFEST,
	    .equivalence = MST_SUIT_EQUIVALENT_ALG,
	    .alg = MST_SUIT_ES256,
	    .authority = 0,
	    .kid = { (const uint8_t *)"a", 1 } },
	{ .usage = MST_SUIT_USE_SIGN_MANIFEST, .alg = MST_SUIT_ED25519, .authority = 1 },
	{ .usage = MST_SUIT_USE_SIGN_MANIFEST, .alg = MST_SUIT_HSS_LMS, .authority = 2 },
	{ .usage = MST_SUIT_USE_MAC_MANIFEST, .alg = MST_SUIT_HMAC256, .authority = 3 },
	{ .usage = MST_SUIT_USE_MAC_KEK,
	    .alg = MST_SUIT_A128KW,
	    .authority = 4,
	    .kid = { (const uint8_t *)"k", 1 } },
	{ .usage = MST_SUIT_USE_SIGN_REPORT, .alg = MST_SUIT_ES256, .authority = 5 },
	{ .usage = MST_SUIT_USE_MAC_REPORT, .alg = MST_SUIT_HMAC512, .authority = 6 },
};
static const struct mst_suit_keys keys = { table, sizeof table / sizeof table[0] };

static mst_err
judge(mst_span first, mst_span second, struct mst_suit_auth *a)
{
	const struct mst_suit_policy any = { 0, 0 };
	struct toy t = { .good = 0 };
	const struct mst_suit_crypto crypto = toy_crypto(&t);
	mst_err e;

	mst_suit_auth_begin(a, &crypto, &keys, MST_LIT("\x82\x2f\x41x"));
	if ((e = mst_suit_auth_block(a, first)) != MST_OK)
		MUST(a->verified == 0);
	else if (second.len != 0) {
		uint32_t before = a->verified;

		if ((e = mst_suit_auth_block(a, second)) != MST_OK)
			MUST(a->verified == before);
	}
	if (e == MST_OK)
		e = mst_suit_auth_judge(a, &any);
	MUST(t.open == 0 && a->tries <= MST_SUIT_TRIES_MAX && a->blocks <= 2);
	MUST(t.asked <= 2 * MST_SUIT_TRIES_MAX);
	/* signatures are of authorities 0 to 2, and at least one held for each of them */
	MUST(((a->verified & 1) != 0) + ((a->verified & 2) != 0) + ((a->verified & 4) != 0) <=
	     (int)t.good);
	MUST((a->verified & ~UINT32_C(0x1f)) == 0);
	MUST((e == MST_OK) == (a->verified != 0) || e != MST_OK);
	a->crypto = NULL;
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mst_suit_auth one, two;
	struct toy t = { .good = 0 };
	const struct mst_suit_crypto crypto = toy_crypto(&t);
	mst_span payload = MST_NONE, first, second;
	uint8_t authority = 99;
	size_t split;

	if (size < 2)
		return 0;
	split = 1 + (data[0] == 0 ? size - 1 : data[0] % (size - 1));
	first = mst_span_of(data + 1, split - 1);
	second = mst_span_of(data + split, size - split);
	MUST(judge(first, second, &one) == judge(first, second, &two));
	MUST(one.verified == two.verified && one.tries == two.tries && one.why == two.why);
	if (mst_suit_report_open(&crypto, &keys, first, &payload, &authority) == MST_OK) {
		MUST(authority == 5 || authority == 6);
		MUST(
		    payload.ptr >= first.ptr && payload.ptr + payload.len <= first.ptr + first.len);
	} else {
		MUST(payload.ptr == NULL && authority == 99);
	}
	return 0;
}

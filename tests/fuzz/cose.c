/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign1: whatever is parsed obeys the header rules when looked at again
 * from outside, a checksum in place of the signature counts real successes,
 * and what is stripped parses to the same signed content.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"
#include "muster/cose.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct toy {
	unsigned good;
};

/* One byte of checksum, so that the fuzzer finds signatures that hold. */
static mst_err
verify(void *ctx, const struct mst_cose_sign1 *m, const struct mst_cose_tbs *tbs)
{
	struct toy *t = ctx;
	unsigned sum = 0;

	for (size_t i = 0; i < MST_COSE_PIECES; i++)
		for (size_t k = 0; k < tbs->piece[i].len; k++)
			sum += tbs->piece[i].ptr[k];
	MUST(mst_cose_signature_len(m->alg) == m->signature.len);
	if (m->signature.ptr[0] != (uint8_t)sum)
		return MST_E_COSE_SIGNATURE;
	t->good++;
	return MST_OK;
}

static bool
lies_in(mst_span whole, mst_span part)
{
	return part.ptr == NULL ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void
look_at_certs(mst_span message, const struct mst_cose_certs *c)
{
	mst_span rest = c->items, cert;
	size_t n = 0, bytes = 0;

	for (; mst_cose_certs_next(&rest, &cert); n++) {
		MUST(lies_in(message, cert) && cert.len > 0);
		bytes += cert.len;
	}
	MUST(n == c->count && n <= MST_COSE_CERTS_MAX && bytes <= MST_COSE_CERTS_BYTES);
	MUST(rest.len == 0);
}

/* alg stands in the protected header under label 1, once, and nowhere else. */
static unsigned
count_alg(mst_span map, enum mst_cose_alg alg)
{
	struct mst_cbor_reader r;
	unsigned n = 0;

	mst_cbor_init(&r, map);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		bool number = mst_cbor_peek(&r) == MST_CBOR_UINT;
		uint64_t label = 0;

		if (number)
			label = mst_cbor_uint(&r);
		else
			mst_cbor_skip(&r);
		if (label == 1) {
			MUST(mst_cbor_int(&r) == alg);
			n++;
		} else
			mst_cbor_skip(&r);
	}
	MUST(mst_cbor_end(&r) == MST_OK);
	return n;
}

static void
judge(const struct mst_cose_sign1 *m)
{
	static const uint8_t detached[] = "detached";
	struct toy t = { 0 };
	struct mst_cose_verifier v = { &t, 15, MST_NONE, verify };
	mst_span other =
	    m->payload.ptr == NULL ? mst_span_of(detached, sizeof(detached)) : MST_NONE;
	mst_span payload = MST_NONE;
	mst_err e = mst_cose_sign1_check(m, MST_NONE, other, &v, &payload);

	MUST((e == MST_OK) == (t.good == 1) && (e == MST_OK) == (payload.ptr != NULL));
	v.accept = 0;
	MUST(mst_cose_sign1_check(m, MST_NONE, other, &v, &payload) == MST_E_COSE_ALGORITHM);
	v.accept = 15;
	v.kid = MST_LIT("a kid that no input has, it is this long");
	MUST(mst_cose_sign1_check(m, MST_NONE, other, &v, &payload) == MST_E_COSE_KID);
}

static void
strip(mst_span message, const struct mst_cose_sign1 *m)
{
	struct mst_buf out = { malloc(message.len), message.len, 0 };
	struct mst_cose_sign1 s;

	MUST(out.ptr != NULL && mst_cose_sign1_strip(message, &out) == MST_OK);
	MUST(mst_cose_sign1_parse(mst_buf_span(&out), &s) == MST_OK);
	MUST(mst_span_eq(s.protected_header, m->protected_header));
	MUST(mst_span_eq(s.payload, m->payload) && mst_span_eq(s.signature, m->signature));
	MUST(s.alg == m->alg && mst_span_eq(s.kid, m->kid));
	MUST(s.x5bag.count == 0 || s.x5bag.is_protected);
	MUST(s.x5chain.count == 0 || s.x5chain.is_protected);
	free(out.ptr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mst_span message = mst_span_of(data, size);
	struct mst_cose_sign1 m;

	if (size > INPUT_MAX || mst_cose_sign1_parse(message, &m) != MST_OK)
		return 0;
	MUST(mst_cbor_validate(message) == MST_OK);
	MUST(lies_in(message, m.protected_header) && lies_in(message, m.unprotected_header));
	MUST(lies_in(message, m.kid) && lies_in(message, m.payload) &&
	     lies_in(message, m.signature));
	MUST(count_alg(m.protected_header, m.alg) == 1);
	MUST(count_alg(m.unprotected_header, m.alg) == 0);
	look_at_certs(message, &m.x5bag);
	look_at_certs(message, &m.x5chain);
	judge(&m);
	strip(message, &m);
	return 0;
}

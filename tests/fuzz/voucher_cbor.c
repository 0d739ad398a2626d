/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR vouchers: the first byte picks kind and legacy switches. What was read
 * is written and read again as the same claims, every span lies in the input,
 * and no switch turns a good object into another one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "muster/cbor.h"
#include "muster/voucher.h"

#define MUST(condition) ((condition) ? (void)0 : abort())
#define INPUT_MAX 131072

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same_span(mst_span whole, mst_span a, mst_span b)
{
	MUST(mst_span_eq(a, b));
	MUST(a.ptr == NULL || (a.ptr >= whole.ptr && a.ptr + a.len <= whole.ptr + whole.len));
}

static void
same(mst_span in, const struct mst_voucher_claims *a, const struct mst_voucher_claims *b)
{
	MUST(a->kind == b->kind && a->assertion == b->assertion);
	MUST(a->created_on == b->created_on && a->expires_on == b->expires_on);
	MUST(a->last_renewal == b->last_renewal && a->revocation_checks == b->revocation_checks);
	same_span(in, a->serial, b->serial);
	same_span(in, a->nonce, b->nonce);
	same_span(in, a->nonce_text, b->nonce_text);
	same_span(in, a->idevid_issuer, b->idevid_issuer);
	same_span(in, a->pinned_cert, b->pinned_cert);
	same_span(in, a->pinned_pubk, b->pinned_pubk);
	same_span(in, a->pinned_pubk_sha256, b->pinned_pubk_sha256);
	same_span(in, a->proximity_cert, b->proximity_cert);
	same_span(in, a->proximity_pubk, b->proximity_pubk);
	same_span(in, a->proximity_pubk_sha256, b->proximity_pubk_sha256);
	same_span(in, a->prior_request, b->prior_request);
	same_span(in, a->est_domain, b->est_domain);
	same_span(in, a->additional_configuration_url, b->additional_configuration_url);
	same_span(in, a->manufacturer_proprietary, b->manufacturer_proprietary);
}

static void
round_trip(mst_span in, const struct mst_voucher_claims *c)
{
	/* dates are written out in full; all else is no longer than it was */
	struct mst_buf out = { malloc(in.len + 256), in.len + 256, 0 };
	struct mst_voucher_claims back;
	mst_err e = mst_voucher_cbor_build(c, &out);

	MUST(out.ptr != NULL);
	/* serial and nonce of other types (Minerva) may be what no text or leaf can hold */
	MUST(e == MST_OK || e == MST_E_CBOR_UTF8);
	if (e == MST_OK) {
		MUST(mst_cbor_validate_unique(mst_buf_span(&out)) == MST_OK);
		MUST(mst_voucher_cbor_parse(mst_buf_span(&out), c->kind, 0, &back) == MST_OK);
		MUST(back.unknown == 0);
		same(in, c, &back);
	}
	free(out.ptr);
}

static void
judge(const struct mst_voucher_claims *c)
{
	const struct mst_voucher_want want = {
		.serial = MST_LIT("S"),
		.nonce = MST_LIT("12345678"),
		.clock = { MST_CLOCK_TRUSTED, 1795424400 },
	};
	struct mst_voucher v;
	mst_err e = mst_voucher_check(c, &want, &v);

	if (e == MST_OK) {
		MUST(c->kind == MST_VOUCHER && mst_span_eq(v.serial, want.serial));
		MUST(v.nonceless || mst_span_eq(c->nonce, want.nonce));
		MUST((v.pinned_cert.ptr != NULL) + (v.pinned_pubk.ptr != NULL) +
		         (v.pinned_pubk_sha256.ptr != NULL) ==
		     1);
	}
	MUST(mst_request_check(c) != MST_OK || c->kind == MST_VOUCHER_REQUEST);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mst_voucher_claims c, plain;
	enum mst_voucher_kind kind;
	mst_span in;
	unsigned accept;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	kind = (data[0] & 1) != 0 ? MST_VOUCHER_REQUEST : MST_VOUCHER;
	accept = data[0] >> 1 & 3U;
	in = mst_span_of(data + 1, size - 1);
	if (mst_voucher_cbor_parse(in, kind, 0, &plain) == MST_OK) {
		MUST(mst_voucher_cbor_parse(in, kind, accept, &c) == MST_OK);
		MUST(c.unknown == plain.unknown);
		same(in, &c, &plain);
	}
	if (mst_voucher_cbor_parse(in, kind, accept, &c) != MST_OK)
		return 0;
	MUST(mst_cbor_validate(in) == MST_OK);
	MUST(mst_voucher_cbor_parse(in, kind == MST_VOUCHER ? MST_VOUCHER_REQUEST : MST_VOUCHER,
	         accept, &plain) != MST_OK);
	round_trip(in, &c);
	judge(&c);
	return 0;
}

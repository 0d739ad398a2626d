/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pledge and every flipped bit of its voucher (8.7 in the order of
 * core/pledge/pledge_voucher.c: signature, content, pin), with the signer's
 * anchor beside the signer, as the MASA sends it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "host/envelope.h"
#include "unit/crypto/support_world.h"
#include "unit/flips.h"

struct pledge {
	enum mst_media media;
	struct mst_chain chain;
};

static mst_span
voucher(enum mst_media media)
{
	STACK_OF(X509) *chain = pki_stack(w.vendor, NULL, NULL);
	struct envelope_signer signer = { w.masa_key, w.masa, chain, false };
	struct mst_voucher_claims c;
	mst_span message = MST_NONE;

	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = PKI_NOW;
	c.serial = MST_LIT("SN-1");
	c.nonce = MST_LIT("0123456789abcdef");
	if (media != MST_MEDIA_COSE_CBOR)
		c.nonce_text = MST_LIT("MDEyMzQ1Njc4OWFiY2RlZg==");
	c.pinned_cert = der_of(w.ra);
	assert_int_equal(envelope_seal(w.a, media, &c, &signer, &message), MST_OK);
	pki_stack_free(chain);
	return message;
}

static mst_err
judge(void *arg, mst_span message)
{
	const struct pledge *p = arg;
	const struct mst_voucher_want want = { .serial = MST_LIT("SN-1"),
		.nonce = MST_LIT("0123456789abcdef"),
		.nonce_text = p->media != MST_MEDIA_COSE_CBOR ? MST_LIT("MDEyMzQ1Njc4OWFiY2RlZg==")
		                                              : MST_NONE,
		.clock = now };
	static uint8_t space[16384];
	struct mst_buf store = MST_BUF(space);
	struct mst_voucher_claims claims;
	struct mst_voucher v;
	mst_err e;

	if ((e = w.crypto.voucher_open(w.crypto.ctx, p->media, message, &now, &store, &claims)) !=
	        MST_OK ||
	    (e = mst_voucher_check(&claims, &want, &v)) != MST_OK)
		return e;
	return w.crypto.pin_judge(w.crypto.ctx, &v, &p->chain, &now);
}

static void
flipped_vouchers(void **state)
{
	struct pledge p = { *(const enum mst_media *)*state, { .count = 2 } };

	p.chain.cert[0] = der_of(w.ra);
	p.chain.cert[1] = der_of(w.issuing);
	flips_are_refused(FLIPS_ONE_A_BYTE, voucher(p.media), judge, &p);
}

int
main(void)
{
	static const enum mst_media cms = MST_MEDIA_CMS_JSON, jws = MST_MEDIA_JWS_JSON;
	const struct CMUnitTest tests[] = {
		{ "8.7 D19 flipped bits of a voucher at the pledge, CMS", flipped_vouchers, NULL,
		    NULL, (void *)(uintptr_t)&cms },
		{ "8.7 D19 flipped bits of a voucher at the pledge, JWS", flipped_vouchers, NULL,
		    NULL, (void *)(uintptr_t)&jws },
	};

	return cmocka_run_group_tests_name("flipped bits at the pledge", tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* No byte of a pledge's request is idle at the MASA: also not those of the certificates beside. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/masa/support_world.h"

static void
test_prior(void **state)
{
	struct world w;
	mst_span prior;
	uint8_t *copy;

	world_good(&w);
	w.media = *(const enum mst_media *)*state;
	assert_int_equal(world_judge(&w), MST_OK);
	prior = w.rvr.prior_request;
	assert_non_null(prior.ptr);
	copy = test_malloc(prior.len);
	memcpy(copy, prior.ptr, prior.len);
	for (size_t i = 0; i < prior.len; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);
		struct world v;

		world_good(&v);
		v.media = w.media;
		copy[i] ^= bit;
		v.prior = mst_span_of(copy, prior.len);
		if (world_judge(&v) == MST_OK)
			fail_msg("bit %zu of byte %zu changes nothing", i % 8, i);
		copy[i] ^= bit;
		world_free(&v);
	}
	test_free(copy);
	world_free(&w);
}

/* 8.4-10b: a certificate of another factory goes along. */
static void
test_stranger(void **state)
{
	struct world w;

	world_good(&w);
	w.media = *(const enum mst_media *)*state;
	w.pvr_chain[w.pvr_chain_count++] = pki.foreign_idevid_ca.cert;
	assert_int_equal(world_judge(&w), MST_E_PRIOR_IDEVID_CHAIN);
	world_free(&w);
}

int
main(void)
{
	static const enum mst_media cms = MST_MEDIA_CMS_JSON, jws = MST_MEDIA_JWS_JSON,
	                            cose = MST_MEDIA_COSE_CBOR;
	const struct CMUnitTest tests[] = {
		{ "8.4-10b a flipped bit in each byte of the PVR, CMS", test_prior, NULL, NULL,
		    (void *)(uintptr_t)&cms },
		{ "8.4-10b a flipped bit in each byte of the PVR, JWS", test_prior, NULL, NULL,
		    (void *)(uintptr_t)&jws },
		{ "8.4-10b a flipped bit in each byte of the PVR, COSE", test_prior, NULL, NULL,
		    (void *)(uintptr_t)&cose },
		{ "8.4-10b a stranger's certificate goes along, CMS", test_stranger, NULL, NULL,
		    (void *)(uintptr_t)&cms },
		{ "8.4-10b a stranger's certificate goes along, JWS", test_stranger, NULL, NULL,
		    (void *)(uintptr_t)&jws },
	};
	int failed;

	pki_make();
	failed = cmocka_run_group_tests_name("idle bytes at the MASA", tests, NULL, NULL);
	pki_free();
	return failed;
}

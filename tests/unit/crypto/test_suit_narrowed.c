/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SUIT's signatures and MACs in a process that has narrowed OpenSSL's provider
 * (host/algorithms.h), as a server that verifies reports has. Key wrap is not
 * among what is kept: such a process opens no payloads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "host/algorithms.h"
#include "unit/crypto/suit_signers.h"

static int
narrowed(void **state)
{
	return algorithms_narrow() == MST_OK ? make_keys(state) : -1;
}

static mst_err
judge(mst_span block)
{
	const struct mst_suit_policy any = { 0, 0 };
	struct mst_suit_auth a;
	mst_err e;

	mst_suit_auth_begin(&a, suit_openssl(), &keys, DIGEST);
	e = mst_suit_auth_block(&a, block);
	return e == MST_OK ? mst_suit_auth_judge(&a, &any) : e;
}

static void
signatures_hold(void **state)
{
	(void)state;
	for (int i = 0; i < SIGNERS; i++) {
		struct mst_suit_key *k;

		keys.count = 0;
		k = trust_signer(i, 0);
		assert_int_equal(judge(sign1(signer(i))), MST_OK);
		assert_int_equal(suit_openssl_load(k), MST_OK);
		assert_non_null(k->handle);
		assert_int_equal(judge(sign1(signer(i))), MST_OK);
		suit_openssl_unload(k);
		assert_null(k->handle);
		/* what is no key of that algorithm is told at once */
		k->material = MST_LIT("no key");
		assert_int_equal(suit_openssl_load(k), MST_E_SUIT_KEY);
		assert_int_equal(judge(sign1(signer(i))), MST_E_UNSUPPORTED);
	}
	keys.count = 0;
	trust_secret(SECRET64, MST_SUIT_USE_MAC_MANIFEST, 0, MST_SUIT_HMAC512);
	assert_int_equal(suit_openssl_load(&table[0]), MST_OK);
	assert_null(table[0].handle);
	assert_int_equal(judge(mac0(MST_SUIT_HMAC512, SECRET64)), MST_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "SUIT-17 narrowed: signatures and MACs", signatures_hold, no_keys, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, narrowed, drop_keys);
}

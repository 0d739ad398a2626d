/* SPDX-License-Identifier: Apache-2.0 */
/* No byte of a pledge's or a registrar's request is idle at the MASA: also not those of the
 * certificates beside. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/flips.h"
#include "tests/unit/masa/support_world.h"

/* Judges with what is allocated on the way in an arena of its own. */
static mst_err
judge_once(struct world *w)
{
	struct arena *mine = w->a;
	mst_err e;

	w->a = arena_new(0);
	e = world_judge(w);
	arena_free(w->a);
	w->a = mine;
	return e;
}

/* The registrar signs what it got from the pledge, whatever it is. */
static mst_err
judge_prior(void *arg, mst_span message)
{
	struct world *w = arg;

	w->prior = message;
	w->message = MST_NONE;
	return judge_once(w);
}

/*
 * Beside the signer's certificate a registrar's request may have others, under
 * no signature of its own; what does not belong to the chain is left aside
 * (CMS-6, COSE-5). So a flipped bit there is refused, or it means the same: the
 * same voucher, for a key of the registrar's true chain.
 */
struct rvr {
	struct world w;
	mst_span good;
	struct masa_verdict want;
	mst_span keys[3]; /* SPKIs of the true chain */
	size_t same;
};

static mst_span
key_in(struct arena *a, mst_span der)
{
	mst_span spki = MST_NONE;
	X509 *cert = NULL;

	assert_int_equal(cert_parse(der, &cert), MST_OK);
	assert_int_equal(cert_spki(a, cert, &spki), MST_OK);
	X509_free(cert);
	return spki;
}

static bool
means_the_same(const struct rvr *r, struct arena *a)
{
	const struct mst_voucher_claims *c = &r->w.verdict.voucher, *want = &r->want.voucher;
	mst_span key = key_in(a, c->pinned_cert);
	bool known = false;

	for (int i = 0; i < 3; i++)
		known = known || mst_span_eq(key, r->keys[i]);
	return known && strcmp(r->w.verdict.slot, r->want.slot) == 0 &&
	       mst_span_eq(c->serial, want->serial) && mst_span_eq(c->nonce, want->nonce) &&
	       c->assertion == want->assertion && c->expires_on == want->expires_on;
}

static mst_err
judge_rvr(void *arg, mst_span message)
{
	struct rvr *r = arg;
	struct arena *mine = r->w.a, *a = arena_new(0);
	mst_err e;

	r->w.a = a;
	r->w.message = message;
	e = world_judge(&r->w);
	if (e == MST_OK && !mst_span_eq(message, r->good) && means_the_same(r, a)) {
		r->same++;
		e = MST_E_CONFLICT;
	}
	r->w.a = mine;
	arena_free(a);
	return e;
}

static void
test_prior(void **state)
{
	struct world w;

	world_good(&w);
	w.media = *(const enum mst_media *)*state;
	world_seal(&w);
	flips_are_refused(FLIPS_ONE_A_BYTE, w.rvr.prior_request, judge_prior, &w);
	world_free(&w);
}

static void
test_rvr(void **state)
{
	struct rvr r = { .same = 0 };

	world_good(&r.w);
	r.w.media = *(const enum mst_media *)*state;
	assert_int_equal(world_judge(&r.w), MST_OK);
	r.good = r.w.message;
	r.want = r.w.verdict;
	r.keys[0] = key_in(r.w.a, der_of(r.w.a, pki.registrar.cert));
	r.keys[1] = key_in(r.w.a, der_of(r.w.a, pki.ca.cert));
	r.keys[2] = key_in(r.w.a, der_of(r.w.a, pki.root.cert));
	flips_are_refused(FLIPS_ONE_A_BYTE, r.good, judge_rvr, &r);
	print_message(
	    "flips: %zu of these were idle: the same voucher, a key of the true chain\n", r.same);
	world_free(&r.w);
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
		{ "8.4-10b D19 flipped bits of the PVR, CMS", test_prior, NULL, NULL,
		    (void *)(uintptr_t)&cms },
		{ "8.4-1 D19 flipped bits of the RVR: refused or idle, CMS", test_rvr, NULL, NULL,
		    (void *)(uintptr_t)&cms },
		{ "8.4-10b D19 flipped bits of the PVR, JWS", test_prior, NULL, NULL,
		    (void *)(uintptr_t)&jws },
		{ "8.4-1 D19 flipped bits of the RVR: refused or idle, JWS", test_rvr, NULL, NULL,
		    (void *)(uintptr_t)&jws },
		{ "8.4-10b D19 flipped bits of the PVR, COSE", test_prior, NULL, NULL,
		    (void *)(uintptr_t)&cose },
		{ "8.4-1 D19 flipped bits of the RVR: refused or idle, COSE", test_rvr, NULL, NULL,
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

/* SPDX-License-Identifier: Apache-2.0 */
/* masa_judge_rvr: brski.md 8.4 and 8.5, each refusal alone, and what a good request gets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/masa/support_world.h"

static void
expect(mst_err got, mst_err want)
{
	if (got != want)
		print_error("got %s, want %s\n", mst_err_info(got)->name, mst_err_info(want)->name);
	assert_int_equal(got, want);
}

struct row {
	enum mst_media media;
	const struct deviation *deviation;
};

static void
deviation(void **state)
{
	const struct row *row = *state;
	const struct deviation *d = row->deviation;
	struct masa_verdict untouched;
	struct world w;

	world_media = row->media;
	if (d->flags & NONCELESS)
		world_nonceless(&w);
	else
		world_good(&w);
	memset(&w.verdict, 0x5a, sizeof(w.verdict));
	untouched = w.verdict;
	untouched.customer = NULL;
	d->bend(&w);
	w.verdict.customer = NULL;
	expect(world_judge(&w), d->want);
	/* Nothing to sign and nothing to log comes of a refusal. */
	assert_memory_equal(&w.verdict, &untouched, sizeof(untouched));
	world_free(&w);
}

static void
pins(struct world *w, X509 *cert)
{
	mst_span id, sum;

	assert_true(mst_span_eq(w->verdict.voucher.pinned_cert, der_of(w->a, cert)));
	assert_int_equal(cert_domain_id(w->a, cert, &id), MST_OK);
	assert_true(mst_span_eq(w->verdict.entry.domain_id, id));
	assert_int_equal(masa_spki_sha256(w->a, cert, &sum), MST_OK);
	assert_true(mst_span_eq(w->verdict.entry.pin_sha256, sum));
}

static void
good(struct world *w)
{
	expect(world_judge(w), MST_OK);
}

static void
nonced(void **state)
{
	struct world w;
	struct masa_verdict *v = &w.verdict;

	(void)state;
	world_good(&w);
	good(&w);
	pins(&w, pki.ca.cert); /* the lowest CA, not the root */
	assert_int_equal(v->voucher.kind, MST_VOUCHER);
	assert_int_equal(v->voucher.assertion, MST_ASSERT_PROXIMITY);
	assert_true(mst_nonce_eq(
	    v->voucher.nonce_text, v->voucher.nonce, MST_LIT(NONCE), MST_LIT("This is a nonce!")));
	assert_true(mst_span_eq(v->voucher.serial, MST_LIT(SERIAL)));
	assert_true(v->voucher.expires_on == MST_NO_TIME);
	assert_int_equal(v->voucher.created_on, w.clock.now);
	assert_int_equal(v->voucher.revocation_checks, 0);
	assert_null(v->voucher.prior_request.ptr);
	assert_string_equal(v->slot, "short");
	assert_false(v->id_data);
	assert_int_equal(v->entry.device, 1);
	assert_int_equal(v->entry.customer, 0);
	assert_int_equal(v->entry.assertion, MST_ASSERT_PROXIMITY);
	assert_true(mst_span_eq(v->entry.nonce, MST_LIT(NONCE)));
	assert_int_equal(v->entry.pvr_sha256.len, 32);
	assert_int_equal(v->entry.rvr_sha256.len, 32);
	world_free(&w);
}

static void
same_form(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	good(&w);
	assert_int_equal(w.verdict.media, world_media);
	world_free(&w);
}

static void
ee_only(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr_chain_count = 0;
	good(&w);
	pins(&w, pki.registrar.cert);
	world_free(&w);
}

static void
self_signed_registrar(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr_signer = &pki.self_signed;
	w.rvr_chain_count = 0;
	w.pvr.proximity_cert = der_of(w.a, pki.self_signed.cert);
	good(&w);
	pins(&w, pki.self_signed.cert); /* without SKI: domainID is the SPKI fingerprint (ID-7) */
	assert_int_equal(w.verdict.entry.domain_id.len, 32);
	world_free(&w);
}

static void
chain_in_any_order(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr_chain[0] = pki.root.cert;
	w.rvr_chain[1] = pki.ca.cert;
	w.rvr_chain[2] = pki.other_root.cert; /* a stray one can never be pinned */
	w.rvr_chain_count = 3;
	good(&w);
	pins(&w, pki.ca.cert);
	world_free(&w);
}

/* Two CAs of one name in the message: the one that signed is taken. */
static void
two_of_one_name(void **state)
{
	struct world w;

	(void)state;
	for (int i = 0; i < 2; i++) {
		world_good(&w);
		w.rvr_chain[0] = i == 0 ? pki.false_ca.cert : pki.ca.cert;
		w.rvr_chain[1] = i == 0 ? pki.ca.cert : pki.false_ca.cert;
		w.rvr_chain[2] = pki.root.cert;
		w.rvr_chain_count = 3;
		good(&w);
		pins(&w, pki.ca.cert);
		world_free(&w);
	}
}

/* COSE-5: two certificates of the signing key; which comes first says nothing. */
static void
two_of_one_key(void **state)
{
	const struct id_spec plain = {
		.kind = ID_PLAIN, .cn = "TLS only", .issuer = &pki.ca, .key = pki.registrar.key
	};
	struct id twin = id_make(&plain);
	STACK_OF(X509) *more = sk_X509_new_null();
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr_signer = &twin;
	world_seal(&w);
	expect(world_judge(&w), MST_E_RVR_NOT_RA); /* alone it is no registrar's */
	sk_X509_push(more, pki.registrar.cert);
	assert_int_equal(envelope_bag_add(w.a, w.message, more, &w.message), MST_OK);
	good(&w);
	pins(&w, pki.ca.cert);
	sk_X509_free(more);
	world_free(&w);
	id_free(&twin);
}

/* 8.4 step 14: an RSA key signs CMS and JWS only; nothing is logged for what cannot be signed. */
static void
rsa_key(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.policy.rsa_long = true; /* of the other slot */
	good(&w);
	w.policy.rsa_short = true;
	expect(world_judge(&w), MST_E_MEDIA_ACCEPT);
	world_free(&w);
	world_media = MST_MEDIA_CMS_JSON;
	world_good(&w);
	w.policy.rsa_short = true;
	good(&w);
	world_free(&w);
}

/* What the request puts above a customer's anchor is not verified, so it is not there. */
static void
above_the_anchor(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.customers[0].anchors_pem = pem_of(w.a, &pki.registrar.cert, 1);
	good(&w);
	pins(&w, pki.registrar.cert);
	world_free(&w);
}

static void
sibling(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.pvr.proximity_cert = der_of(w.a, pki.sibling.cert);
	good(&w);
	assert_int_equal(w.verdict.voucher.assertion, MST_ASSERT_PROXIMITY);
	world_free(&w);
}

static void
raw_key(void **state)
{
	struct world w;
	mst_span spki;

	(void)state;
	world_good(&w);
	assert_int_equal(cert_spki(w.a, pki.registrar.cert, &spki), MST_OK);
	w.pvr.proximity_cert = MST_NONE;
	w.pvr.proximity_pubk = spki;
	good(&w);
	assert_null(w.verdict.voucher.pinned_cert.ptr);
	assert_true(mst_span_eq(w.verdict.voucher.pinned_pubk, spki));
	world_free(&w);
}

static void
raw_key_digest(void **state)
{
	struct world w;
	mst_span sum;

	(void)state;
	world_good(&w);
	assert_int_equal(masa_spki_sha256(w.a, pki.registrar.cert, &sum), MST_OK);
	w.pvr.proximity_cert = MST_NONE;
	w.pvr.proximity_pubk_sha256 = sum;
	good(&w);
	assert_true(mst_span_eq(w.verdict.voucher.pinned_pubk_sha256, sum));
	world_free(&w);
}

static void
prior_optional(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.policy.prior = MASA_PRIOR_OPTIONAL;
	w.no_prior = true;
	good(&w);
	assert_int_equal(w.verdict.voucher.assertion, MST_ASSERT_LOGGED);
	assert_null(w.verdict.entry.pvr_sha256.ptr);
	world_free(&w);
}

static void
owner_known(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.devices[0].customer = 7;
	w.devices[0].state = MASA_OWNED;
	good(&w);
	assert_int_equal(w.verdict.voucher.assertion, MST_ASSERT_VERIFIED);
	assert_string_equal(w.verdict.customer, "site");
	world_free(&w);
}

static void
nonceless(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	good(&w);
	pins(&w, pki.root.cert); /* the highest that the customer's anchors allow */
	assert_string_equal(w.verdict.slot, "long");
	assert_int_equal(w.verdict.voucher.assertion, MST_ASSERT_LOGGED);
	assert_null(w.verdict.voucher.nonce.ptr);
	assert_null(w.verdict.voucher.nonce_text.ptr);
	assert_null(w.verdict.entry.nonce.ptr);
	assert_true(w.verdict.voucher.expires_on == MST_NO_TIME);
	assert_int_equal(w.verdict.entry.customer, 7);
	world_free(&w);
}

static void
nonceless_pin_bounded(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.customers[0].anchors_pem = pem_of(w.a, &pki.ca.cert, 1);
	good(&w);
	pins(&w, pki.ca.cert); /* not the root above, though the request offers it */
	world_free(&w);
}

static void
nonceless_without_anchors(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.customers[0].anchors_pem = MST_NONE;
	w.client = 7;
	good(&w);
	pins(&w, pki.root.cert);
	world_free(&w);
}

static void
nonceless_with_prior(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.no_prior = false;
	good(&w); /* RFC 8995 3.3 example 3: the registrar leaves the nonce away */
	assert_int_equal(w.verdict.voucher.assertion, MST_ASSERT_LOGGED);
	world_free(&w);
}

static void
nonceless_lifetime(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.policy.nonceless_seconds = 20 * 60;
	good(&w);
	assert_int_equal(w.verdict.voucher.expires_on, w.clock.now + 20 * 60);
	assert_int_equal(w.verdict.entry.expires_on, w.clock.now + 20 * 60);
	world_free(&w);
}

static void
nonceless_lifetime_of_registrar(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.policy.nonceless_seconds = INT64_C(20) * 365 * 86400;
	good(&w);
	assert_true(w.verdict.voucher.expires_on <= w.clock.now + 366 * 86400);
	world_free(&w);
}

static void
nonceless_lifetime_of_crl(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.policy.nonceless_seconds = 86400;
	w.customers[0].crl_pem = crl_of(w.a, &pki.ca, NULL, 600);
	good(&w);
	assert_true(w.verdict.voucher.expires_on <= w.clock.now + 610);
	world_free(&w);
}

static void
crl_clean(void **state)
{
	struct world w;

	(void)state;
	world_nonceless(&w);
	w.customers[0].hard_revocation = true;
	w.customers[0].crl_pem = crl_of(w.a, &pki.ca, pki.sibling.cert, 3600);
	good(&w);
	world_free(&w);
}

static void
crl_soft(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr_signer = &pki.with_crl_url;
	w.pvr.proximity_cert = der_of(w.a, pki.with_crl_url.cert);
	good(&w);
	assert_non_null(strstr(w.report.detail, "not checked"));
	w.policy.crl_pem = crl_of(w.a, &pki.ca, NULL, 3600);
	good(&w);
	assert_null(w.report.detail);
	world_free(&w);
}

static void
id_data_product(void **state)
{
	const char *const products[] = { "lamp", "bulb" };
	struct world w;

	(void)state;
	world_good(&w);
	w.policy.id_data_products = products;
	w.policy.id_data_count = 2;
	good(&w);
	assert_true(w.verdict.id_data);
	world_free(&w);
}

static void
expired_idevid_by_rule(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.policy.expiry = MASA_EXPIRY_IGNORED;
	w.pvr_signer = &pki.device_expired;
	good(&w);
	world_free(&w);
}

static void
issuer_bare_sequence(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr.idevid_issuer.ptr += 2;
	w.rvr.idevid_issuer.len -= 2;
	good(&w);
	assert_non_null(strstr(w.report.detail, "legacy"));
	world_free(&w);
}

static void
issuer_bare_key_id(void **state)
{
	struct world w;

	(void)state;
	world_good(&w);
	w.rvr.idevid_issuer.ptr += 6;
	w.rvr.idevid_issuer.len -= 6;
	good(&w);
	assert_non_null(strstr(w.report.detail, "legacy"));
	world_free(&w);
}

static void
issuer_name(void **state)
{
	const char *const texts[] = { "/O=muster test/CN=IDevID CA", "CN=IDevID CA,O=muster test" };
	struct world w;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		world_good(&w);
		w.rvr.idevid_issuer = mst_span_str(texts[i]);
		good(&w);
		world_free(&w);
	}
}

static void
issuer_name_der(void **state)
{
	struct world w;
	uint8_t *der = NULL;
	int n;

	(void)state;
	world_good(&w);
	n = i2d_X509_NAME(X509_get_issuer_name(pki.device.cert), &der);
	w.rvr.idevid_issuer = mst_span_of(der, (size_t)n);
	good(&w);
	OPENSSL_free(der);
	world_free(&w);
}

/*
 * Certificates in a CMS are not covered by its signature. Damage to one may cut
 * the chain short, never lengthen it: what is pinned is the key of the CA that
 * signed the registrar's certificate, or the registrar's own.
 */
static void
damaged_request(void **state)
{
	mst_span whole, ca, ee;
	struct world w;

	(void)state;
	world_good(&w);
	world_seal(&w);
	whole = w.message;
	assert_int_equal(masa_spki_sha256(w.a, pki.ca.cert, &ca), MST_OK);
	assert_int_equal(masa_spki_sha256(w.a, pki.registrar.cert, &ee), MST_OK);
	for (size_t i = 0; i < whole.len; i += 7) {
		struct arena *outer = w.a;
		mst_span pin;

		w.a = arena_new(0);
		w.message = arena_dup(w.a, whole);
		((uint8_t *)(uintptr_t)w.message.ptr)[i] ^= (uint8_t)(1u << i % 8);
		if (world_judge(&w) == MST_OK) {
			pin = w.verdict.entry.pin_sha256;
			assert_true(mst_span_eq(pin, ca) || mst_span_eq(pin, ee));
		}
		arena_free(w.a);
		w.a = outer;
	}
	world_free(&w);
}

static void
damaged_prior(void **state)
{
	struct arena *keep = arena_new(0);
	uint8_t *name = NULL;
	struct world w;
	mst_span whole;
	int name_len;
	size_t sid;

	(void)state;
	world_good(&w);
	world_seal(&w);
	whole = arena_dup(keep, w.rvr.prior_request);
	/*
	 * The issuer in the SignerIdentifier is not signed and names compare
	 * without regard to case and space (RFC 5280 7.1): not judged here.
	 */
	name_len = i2d_X509_NAME(X509_get_issuer_name(pki.device.cert), &name);
	sid = whole.len - (size_t)name_len;
	while (memcmp(whole.ptr + sid, name, (size_t)name_len) != 0)
		sid--;
	OPENSSL_free(name);
	world_free(&w);
	for (size_t i = 0; i < whole.len; i++) {
		mst_err e;

		if (i >= sid && i < sid + (size_t)name_len)
			continue;
		world_good(&w);
		w.prior = arena_dup(w.a, whole);
		((uint8_t *)(uintptr_t)w.prior.ptr)[i] ^= (uint8_t)(1u << i % 8);
		e = world_judge(&w);
		if (e == MST_OK)
			print_error("byte %zu of %zu, issuer name at %zu\n", i, whole.len, sid);
		assert_int_not_equal(e, MST_OK);
		assert_true(e >= MST_E_RVR_PARSE && e <= MST_E_PRIOR_MISSING);
		world_free(&w);
	}
	arena_free(keep);
}

static void
accept_header(void **state)
{
	static const struct {
		const char *accept;
		mst_err want;
	} rows[] = {
		{ NULL, MST_OK },
		{ "", MST_OK },
		{ "*/*", MST_OK },
		{ "application/*", MST_OK },
		{ "Application/Voucher-CMS+json", MST_OK },
		{ "application/voucher-jws+json, application/voucher-cms+json;q=0.1", MST_OK },
		{ "text/plain,application/voucher-cms+json ; q=1", MST_OK },
		{ "text/*", MST_E_MEDIA_UNSUPPORTED },
		{ "application/voucher-cms+jsonx", MST_E_MEDIA_UNSUPPORTED },
		{ "application/voucher+cose", MST_E_MEDIA_ACCEPT },
		{ "*/*;q=0", MST_E_MEDIA_ACCEPT },
		{ "application/voucher-cms+json;q=0", MST_E_MEDIA_ACCEPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(masa_accept_judge(rows[i].accept, MST_MEDIA_CMS_JSON), rows[i].want);
}

static int
make(void **state)
{
	(void)state;
	pki_make();
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	pki_free();
	return 0;
}

static const struct CMUnitTest goods[] = {
	{ "8.4 nonced: proximity, lowest CA, no expires-on", nonced, NULL, NULL, NULL },
	{ "8.4 the form of the request", same_form, NULL, NULL, NULL },
	{ "8.5 only the EE given: pins the EE", ee_only, NULL, NULL, NULL },
	{ "ID-6 self-signed registrar, ID-7 without SKI", self_signed_registrar, NULL, NULL, NULL },
	{ "CMS-6 chain in any order, strays left aside", chain_in_any_order, NULL, NULL, NULL },
	{ "CMS-6 two CAs of one name: the one that signed", two_of_one_name, NULL, NULL, NULL },
	{ "8.5 the customer's anchor is the registrar itself", above_the_anchor, NULL, NULL, NULL },
	{ "ID-6 TLS certificate is a sibling under the same CA", sibling, NULL, NULL, NULL },
	{ "8.5 raw key pledge: pins the registrar's key", raw_key, NULL, NULL, NULL },
	{ "8.5 raw key digest pledge", raw_key_digest, NULL, NULL, NULL },
	{ "8.4-10 no prior where policy allows: logged", prior_optional, NULL, NULL, NULL },
	{ "8.4-9 ownership known: verified", owner_known, NULL, NULL, NULL },
	{ "8.4-9 nonceless for a customer: long key, highest CA", nonceless, NULL, NULL, NULL },
	{ "8.5 nonceless pin bounded by the customer's anchor", nonceless_pin_bounded, NULL, NULL,
	    NULL },
	{ "8.4-9 nonceless by HTTP identity alone", nonceless_without_anchors, NULL, NULL, NULL },
	{ "8.4-9 nonceless with prior stays logged", nonceless_with_prior, NULL, NULL, NULL },
	{ "8995-5.6 nonceless lifetime", nonceless_lifetime, NULL, NULL, NULL },
	{ "8995-5.6 lifetime within the registrar certificate's", nonceless_lifetime_of_registrar,
	    NULL, NULL, NULL },
	{ "8995-5.6 lifetime within the CRL's", nonceless_lifetime_of_crl, NULL, NULL, NULL },
	{ "8.4-5 hard policy with a clean CRL", crl_clean, NULL, NULL, NULL },
	{ "8.4-5 soft policy without a CRL: passed, and said", crl_soft, NULL, NULL, NULL },
	{ "ID-4 expired IDevID where the rule says so", expired_idevid_by_rule, NULL, NULL, NULL },
	{ "ID-8 idevid-issuer without OCTET STRING", issuer_bare_sequence, NULL, NULL, NULL },
	{ "ID-8 idevid-issuer as bare key id", issuer_bare_key_id, NULL, NULL, NULL },
	{ "ID-8 idevid-issuer as DN text", issuer_name, NULL, NULL, NULL },
	{ "ID-8 idevid-issuer as DN in DER", issuer_name_der, NULL, NULL, NULL },
	{ "D19 damage to a request never moves the pin upwards", damaged_request, NULL, NULL,
	    NULL },
};
static const struct CMUnitTest of_cms[] = {
	{ "CMS-2 id-data for a product line that needs it", id_data_product, NULL, NULL, NULL },
	{ "D19 a damaged prior is refused", damaged_prior, NULL, NULL, NULL },
	{ "8995-5.6 Accept", accept_header, NULL, NULL, NULL },
};
static const struct CMUnitTest of_cose[] = {
	{ "COSE-5 two certificates of the signing key: the registrar's", two_of_one_key, NULL, NULL,
	    NULL },
	{ "8.4-14 MEDIA_ACCEPT: a voucher key of RSA", rsa_key, NULL, NULL, NULL },
};
#define GOODS (sizeof goods / sizeof goods[0])
#define OF_CMS (sizeof of_cms / sizeof of_cms[0])
#define OF_COSE (sizeof of_cose / sizeof of_cose[0])

/* Every test in every form; names are the strings above with the form behind them. */
int
main(void)
{
	struct arena *names = arena_new(0);
	size_t most = FORMS * (GOODS + deviation_count) + OF_CMS + OF_COSE, n = 0;
	struct CMUnitTest *tests = arena_alloc(names, most * sizeof *tests);
	struct row *rows = arena_alloc(names, most * sizeof *rows);
	int failed;

	if (tests == NULL || rows == NULL)
		return 1;
	for (size_t i = 0; i < OF_CMS; i++) {
		tests[n] = of_cms[i];
		tests[n].setup_func = world_media_set;
		tests[n++].initial_state = (void *)(uintptr_t)&forms[0].media;
	}
	for (size_t i = 0; i < OF_COSE; i++) {
		tests[n] = of_cose[i];
		tests[n].setup_func = world_media_set;
		tests[n++].initial_state = (void *)(uintptr_t)&forms[2].media;
	}
	for (const struct form *f = forms; f < forms + FORMS; f++) {
		for (size_t i = 0; i < GOODS; i++)
			tests[n++] = (struct CMUnitTest){ arena_printf(names, "%s%s", goods[i].name,
				                              f->suffix),
				goods[i].test_func, world_media_set, NULL,
				(void *)(uintptr_t)&f->media };
		for (size_t i = 0; i < deviation_count; i++) {
			rows[n] = (struct row){ f->media, &deviations[i] };
			tests[n] = (struct CMUnitTest){ arena_printf(names, "%s%s",
				                            deviations[i].name, f->suffix),
				deviation, NULL, NULL, &rows[n] };
			n++;
		}
	}
	failed = _cmocka_run_group_tests("masa_judge", tests, n, make, unmake);
	arena_free(names);
	return failed;
}

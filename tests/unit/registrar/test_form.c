/* SPDX-License-Identifier: Apache-2.0 */
/* Which form a pledge speaks and takes (HT-1), and what COSE alone asks of a registrar (COSE-4). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "muster/cose.h"
#include "server/store/db.h"
#include "tests/unit/registrar/support_site.h"

static void
is(mst_err got, mst_err want)
{
	assert_string_equal(mst_err_info(got)->name, mst_err_info(want)->name);
}

#define N(x) "bm9uY2Ugb2YgdGVzdCAwM" x

/* --- HT-1 --- */

#define COSE "application/voucher+cose"
static const struct accept_row {
	const char *name, *type, *accept;
	int status;
} accept_rows[] = {
	{ "HT-1 Accept: the very type", NULL, "application/voucher-cms+json", 200 },
	{ "HT-1 Accept: anything", NULL, "*/*", 200 },
	{ "HT-1 Accept: application/*", NULL, "text/html;q=0.1, application/*;q=0.5", 200 },
	{ "HT-1 Accept: in another letter case", NULL, "Application/Voucher-CMS+JSON ; q=1", 200 },
	{ "HT-1 MEDIA_ACCEPT: only JWS", NULL, "application/voucher-jws+json", 406 },
	{ "HT-1 MEDIA_ACCEPT: q=0", NULL, "application/voucher-cms+json;q=0.0", 406 },
	{ "HT-1 MEDIA_ACCEPT: a longer name", NULL, "application/voucher-cms+jsonx", 406 },
	{ "HT-1 MEDIA_ACCEPT: text/*", NULL, "text/*", 406 },
	{ "HT-1 Accept of COSE: none", COSE, NULL, 200 },
	{ "HT-1 Accept of COSE: the very type", COSE, COSE, 200 },
	{ "COSE-7 Accept of COSE: a parameter", COSE, COSE "; cose-type=\"cose-sign1\"", 200 },
	{ "COSE-7 Content-Type: a parameter", COSE "; cose-type=\"cose-sign1\"", COSE, 200 },
	{ "HT-1 Accept of COSE: anything", COSE, "*/*;q=0.1", 200 },
	{ "HT-1 MEDIA_ACCEPT of COSE: only CMS", COSE, "application/voucher-cms+json", 406 },
	{ "HT-1 MEDIA_ACCEPT of COSE: q=0", COSE, COSE ";q=0", 406 },
	{ "HT-1 MEDIA_ACCEPT of COSE: an older name", COSE, "application/voucher-cose+cbor", 406 },
	{ "8.2-2 MEDIA_UNSUPPORTED: an older name", "application/voucher-cose+cbor", NULL, 415 },
};

static void
test_accept(void **state)
{
	const struct accept_row *r = *state;
	const char *serial;
	const struct id *d = site_device(&serial);
	struct got g;

	site.media = r->type != NULL ? MST_MEDIA_COSE_CBOR : MST_MEDIA_CMS_JSON;
	site.accept = r->accept;
	g = site_post(d, "requestvoucher", r->type != NULL ? r->type : mst_media_type(site.media),
	    site_pvr(d, serial, N("AA=")));
	site.accept = NULL;
	assert_int_equal(g.status, r->status);
	if (r->status == 200)
		assert_string_equal(g.type, mst_media_type(site.media));
	site.media = MST_MEDIA_CMS_JSON;
}

/* --- COSE-4 --- */

static bool
holds(const struct mst_cose_certs *bag, X509 *cert)
{
	mst_span rest = bag->items, one, der = der_of(site.a, cert);

	while (mst_cose_certs_next(&rest, &one))
		if (mst_span_eq(one, der))
			return true;
	return false;
}

static struct mst_cose_sign1
parsed(mst_span message)
{
	struct mst_cose_sign1 m;

	is(mst_cose_sign1_parse(message, &m), MST_OK);
	return m;
}

/* The RVR's bag: the registrar's chain, the pledge's from its certificate up to the root. */
static void
test_bag(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("BB="));
	struct mst_cose_sign1 m;
	struct envelope env;
	struct exchange x;

	(void)state;
	assert_int_equal(site_ask(d, pvr).status, 200);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_int_equal(x.media, MST_MEDIA_COSE_CBOR);
	m = parsed(x.rvr);
	assert_int_equal(m.x5bag.count, 4);
	assert_false(m.x5bag.is_protected);
	assert_true(holds(&m.x5bag, site.registrar.cert));
	assert_true(holds(&m.x5bag, site.root.cert));
	assert_true(holds(&m.x5bag, d->cert));
	assert_true(holds(&m.x5bag, site.maker.cert));
	is(envelope_open(site.a, x.media, MST_VOUCHER_REQUEST, x.rvr, NULL, &env), MST_OK);
	assert_int_equal(X509_cmp(env.signer, site.registrar.cert), 0);
	assert_true(mst_span_eq(env.claims.prior_request, pvr)); /* 5.5: whole, byte for byte */
	assert_null(env.claims.nonce_text.ptr);
	assert_true(mst_span_eq(env.claims.nonce, mst_span_str(N("BB="))));
	assert_true(mst_span_eq(env.claims.serial, mst_span_str(serial)));
	/* AUD-5: as text, since the audit log is JSON */
	assert_true(mst_span_eq(x.nonce, MST_LIT("Ym05dVkyVWdiMllnZEdWemRDQXdNQkI9")));
}

/* The pledge gets the voucher without the bag that is for us alone. */
static void
test_strip(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	STACK_OF(X509) *known = sk_X509_new_null();
	struct mst_cose_sign1 m;
	struct envelope env;
	struct exchange x;
	struct got g;

	(void)state;
	atomic_store(&site.mode, MASA_LONE);
	g = site_ask(d, site_pvr(d, serial, N("CC=")));
	assert_int_equal(g.status, 200);
	m = parsed(g.body);
	assert_null(m.x5bag.items.ptr);
	assert_int_equal(m.unprotected_header.len, 1);
	assert_int_equal(site_exchanges(serial, &x), 1);
	assert_true(mst_span_eq(x.voucher, g.body)); /* a repetition is the same */
	sk_X509_push(known, site.voucher.cert);
	is(envelope_open(site.a, x.media, MST_VOUCHER, g.body, known, &env), MST_OK);
	sk_X509_free(known);
}

/* A chain that the pledge needs is protected, and passes. */
static void
test_protected_stays(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct mst_cose_sign1 m;
	struct got g = site_ask(d, site_pvr(d, serial, N("DD=")));

	(void)state;
	assert_int_equal(g.status, 200);
	m = parsed(g.body);
	assert_true(m.x5bag.is_protected);
	assert_true(holds(&m.x5bag, site.voucher.cert));
	assert_false(holds(&m.x5bag, site.voucher_ca.cert)); /* the pledge has its root */
}

/* A request of somebody else's key: a bag that says otherwise changes nothing. */
static void
test_bag_of_a_thief(void **state)
{
	const char *serial, *other;
	const struct id *d = site_device(&serial), *thief = site_device(&other);
	STACK_OF(X509) *bag = sk_X509_new_null();
	mst_span pvr = site_pvr(d, serial, N("EE=")), told = MST_NONE;

	(void)state;
	sk_X509_push(bag, d->cert);
	is(envelope_bag_add(site.a, pvr, bag, &told), MST_OK);
	sk_X509_free(bag);
	assert_int_equal(site_ask(thief, told).status, 403);
	is(site_trail(other, STEP_PVR), MST_E_INTERNAL); /* nobody has seen the thief's device */
	assert_int_equal(site_ask(d, told).status, 200); /* ignored where it is true, too */
}

/* --- section 10: telemetry in CBOR over HTTPS (13.6) --- */

#define CBOR_GOOD MST_LIT("\xa2\x67version\x01\x66status\xf5")
#define CBOR_BAD MST_LIT("\xa3\x67version\x01\x66status\xf4\x66reason\x62no")

static void
test_cbor_reports(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);
	struct id ldevid;

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("FF="))).status, 200);
	assert_int_equal(site_post(d, "voucher_status", "application/cbor", CBOR_GOOD).status, 200);
	assert_int_equal(site_row(serial).voucher_status, 1);
	assert_int_equal(site_row(serial).audit_verdict, 1);
	is(site_trail(serial, STEP_AUDIT), MST_OK);
	ldevid = site_ldevid(serial);
	assert_int_equal(
	    site_post(&ldevid, "enrollstatus", "application/cbor", CBOR_GOOD).status, 200);
	assert_int_equal(site_row(serial).state, DEVICE_ACTIVE);
	id_free(&ldevid);
}

static void
test_cbor_failure(void **state)
{
	const char *serial;
	const struct id *d = site_device(&serial);

	(void)state;
	assert_int_equal(site_ask(d, site_pvr(d, serial, N("GG="))).status, 200);
	assert_int_equal(site_post(d, "voucher_status", "application/cbor", CBOR_BAD).status, 200);
	assert_int_equal(site_row(serial).voucher_status, 0);
	is(site_trail(serial, STEP_VOUCHER_STATUS), MST_E_TELEMETRY_FAILED);
	assert_int_equal(site_post(d, "voucher_status", "application/json", CBOR_BAD).status, 400);
}

/* --- AUD-1: an RVR that has grown old is made anew, with the pledge's chain --- */

static mst_err
make_old(struct db *db, void *arg)
{
	struct exchange *x = arg;
	mst_err e = exchange_save(db, x);

	return e != MST_OK ? e : db_exec(db, "UPDATE exchange SET created = created - 7200");
}

static void
test_old_rvr(void **state)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	const char *serial;
	const struct id *d = site_device(&serial);
	mst_span pvr = site_pvr(d, serial, N("HH="));
	struct envelope env;
	struct exchange x;

	(void)state;
	assert_int_equal(site_ask(d, pvr).status, 200);
	assert_int_equal(site_exchanges(serial, &x), 1);
	is(envelope_open(site.a, x.media, MST_VOUCHER_REQUEST, x.rvr, NULL, &env), MST_OK);
	env.claims.created_on -= 7200;
	x.rvr = seal(site.a, x.media, &env.claims, &site.registrar, site.root.cert);
	sk_X509_push(chain, d->cert);
	sk_X509_push(chain, site.maker.cert);
	is(envelope_bag_add(site.a, x.rvr, chain, &x.rvr), MST_OK);
	sk_X509_free(chain);
	site_write(make_old, &x);
	assert_int_equal(site_post(d, "voucher_status", "application/cbor", CBOR_GOOD).status, 200);
	assert_int_equal(site_row(serial).audit_verdict, 1);
	assert_int_equal(atomic_load(&site.bag), 4);
}

static int
setup(void **state)
{
	(void)state;
	site_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_stop();
	return 0;
}

#define C(name, fn)                                                                                \
	{                                                                                          \
		name, fn, site_in_cose, site_in_cms, NULL                                          \
	}

int
main(void)
{
	static const struct CMUnitTest cose[] = {
		C("COSE-4 the RVR's x5bag: both chains", test_bag),
		C("COSE-4 the unprotected x5bag does not reach the pledge", test_strip),
		C("COSE-4 a protected x5bag does", test_protected_stays),
		C("COSE-4 PVR_SIGNATURE: the x5bag of a PVR proves nothing", test_bag_of_a_thief),
		C("13.6 TEL-1 TEL-2 success in CBOR", test_cbor_reports),
		C("13.6 TEL-1 failure in CBOR", test_cbor_failure),
		C("AUD-1 an old RVR is signed again, with the pledge's chain", test_old_rvr),
	};
	static struct CMUnitTest tests[64];
	size_t n = 0;

	for (size_t i = 0; i < sizeof accept_rows / sizeof accept_rows[0]; i++)
		tests[n++] = (struct CMUnitTest){ accept_rows[i].name, test_accept, NULL, NULL,
			(void *)(uintptr_t)&accept_rows[i] };
	for (size_t i = 0; i < sizeof cose / sizeof cose[0]; i++)
		tests[n++] = cose[i];
	return _cmocka_run_group_tests("forms of vouchers", tests, n, setup, teardown);
}

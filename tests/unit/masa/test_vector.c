/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published RVR of cBRSKI (brski.md V2) at our MASA, some days after it was
 * made: the published certificates are of later issue. Its x5bag is of before
 * cV -30 and lacks the pledge's chain: without the certificate that the factory
 * recorded nobody knows the pledge's key.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/masa/masa_judge.h"

static struct world {
	struct arena *a;
	mst_span rvr, pledge;
	struct masa_device device;
	struct masa_policy policy;
	struct masa_customers *customers;
	struct masa_public *public_cas;
	struct anchors *idevid;
	X509 *registrar;
} w;

static mst_span
vector(const char *name)
{
	const char *base = getenv("MUSTER_VECTORS");
	struct mst_buf b = arena_buf(w.a, 16384);
	char path[PATH_MAX];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/brski-cose/%s",
	    base != NULL ? base : MUSTER_SOURCE_DIR "/../shared/vectors", name);
	if ((f = fopen(path, "rb")) == NULL) {
		printf("skipped: published vector %s is not here (MUSTER_VECTORS)\n", name);
		return MST_NONE;
	}
	b.len = fread(b.ptr, 1, b.cap, f);
	(void)fclose(f);
	return mst_buf_span(&b);
}

static mst_span
from_hex(mst_span text)
{
	static const char digits[] = "0123456789abcdef";
	struct mst_buf b = arena_buf(w.a, text.len);
	unsigned high = 16;

	for (size_t i = 0; i < text.len; i++) {
		const char *at = memchr(digits, text.ptr[i] | 0x20, 16);

		if (at == NULL)
			continue;
		if (high == 16) {
			high = (unsigned)(at - digits);
			continue;
		}
		assert_int_equal(
		    mst_buf_put_byte(&b, (uint8_t)(high << 4 | (unsigned)(at - digits))), MST_OK);
		high = 16;
	}
	return mst_buf_span(&b);
}

static mst_err
find(void *arg, struct arena *a, mst_span serial, mst_span issuer, struct masa_device *out)
{
	(void)arg;
	(void)a;
	if (!mst_span_eq(serial, w.device.serial) ||
	    (issuer.ptr != NULL && !mst_span_eq(issuer, w.device.idevid_issuer)))
		return MST_E_NOT_FOUND;
	*out = w.device;
	return MST_OK;
}

static mst_err
judge(mst_span rvr, struct masa_verdict *v)
{
	struct masa_report report;
	struct masa_judge_in in = { .policy = &w.policy,
		.customers = w.customers,
		.find = find,
		.media = MST_MEDIA_COSE_CBOR,
		.accept = "application/voucher+cose",
		.rvr = rvr,
		.clock = { MST_CLOCK_TRUSTED, 1670673600 } }; /* 2022-12-10T12:00:00Z */

	return masa_judge_rvr(&in, w.a, &report, v);
}

static int
setup(void **state)
{
	mst_span ca, registrar;
	X509 *pledge;
	size_t broken;

	(void)state;
	w.a = arena_new(0);
	w.rvr = from_hex(vector("rvr.hex"));
	w.pledge = vector("pledge.der");
	ca = vector("masa_ca.pem");
	registrar = vector("registrar.der");
	if (w.rvr.len == 0 || w.pledge.ptr == NULL || ca.ptr == NULL || registrar.ptr == NULL) {
		w.rvr = MST_NONE;
		return 0;
	}
	assert_int_equal(cert_parse(w.pledge, &pledge), MST_OK);
	assert_int_equal(cert_parse(registrar, &w.registrar), MST_OK);
	w.device = (struct masa_device){ .id = 1,
		.serial = MST_LIT("JADA123456789"),
		.idevid_cert = w.pledge,
		.product = "lamp",
		.state = MASA_MADE };
	assert_int_equal(cert_idevid_issuer(w.a, pledge, &w.device.idevid_issuer), MST_OK);
	X509_free(pledge);
	assert_int_equal(anchors_new(ca, MST_NONE, &w.idevid), MST_OK);
	assert_int_equal(masa_public_new(ca, &w.public_cas), MST_OK);
	assert_int_equal(masa_customers_new(NULL, 0, MST_NONE, &w.customers, &broken), MST_OK);
	w.policy = (struct masa_policy){ .idevid = w.idevid,
		.public_cas = w.public_cas,
		.skew = 300,
		.rvr_max_age = 7 * 86400,
		.prior_skew = 86400,
		.prior_max_age = 86400,
		.slot_short = "short" };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	X509_free(w.registrar);
	masa_customers_unref(w.customers);
	masa_public_free(w.public_cas);
	anchors_free(w.idevid);
	arena_free(w.a);
	return 0;
}

static void
judged(void **state)
{
	struct masa_verdict v;
	mst_span spki;

	(void)state;
	if (w.rvr.ptr == NULL)
		skip();
	assert_int_equal(judge(w.rvr, &v), MST_OK);
	assert_int_equal(v.voucher.assertion, MST_ASSERT_PROXIMITY);
	assert_true(mst_span_eq(v.voucher.nonce, MST_LIT("\x23\xbf\xbb\xc9\xc2\xbc\xf2\x13")));
	assert_true(mst_span_eq(v.entry.nonce, MST_LIT("I7+7ycK88hM="))); /* AUD-5 */
	/* DM-4, 8.5: the pledge named a key, so the registrar's own key is pinned */
	assert_int_equal(cert_spki(w.a, w.registrar, &spki), MST_OK);
	assert_true(mst_span_eq(v.voucher.pinned_pubk, spki));
	assert_null(v.voucher.pinned_cert.ptr);
}

static void
unknown_key(void **state)
{
	struct masa_verdict v;

	(void)state;
	if (w.rvr.ptr == NULL)
		skip();
	w.device.idevid_cert = MST_NONE;
	assert_int_equal(judge(w.rvr, &v), MST_E_PRIOR_SIGNATURE);
	w.device.idevid_cert = w.pledge;
}

static void
another_device(void **state)
{
	struct masa_verdict v;

	(void)state;
	if (w.rvr.ptr == NULL)
		skip();
	w.device.serial = MST_LIT("JADA123456780");
	assert_int_equal(judge(w.rvr, &v), MST_E_DEVICE_UNKNOWN);
	w.device.serial = MST_LIT("JADA123456789");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "V2 8.4 the published RVR in COSE gets its voucher", judged, NULL, NULL, NULL },
		{ "V2 COSE-4 PRIOR_SIGNATURE: no chain in the bag, none on record", unknown_key,
		    NULL, NULL, NULL },
		{ "V2 8.4-7 DEVICE_UNKNOWN", another_device, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("published COSE at the MASA", tests, setup, teardown);
}

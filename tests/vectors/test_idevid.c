/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of real devices: they are read sensibly, whatever they lack. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/cert.h"
#include "unit/host/support_pki.h"

struct row {
	const char *name, *file;
	const char *serial, *cn; /* NULL: refused */
	size_t issuer_len;
	mst_err strength;
};
static const struct row rows[] = {
	{ "V Cisco SUDI", "idevid/cisco-sudi1/sudi.pem", "PID:C9500-16X SN:FCW2117A56M",
	    "C9500-16X", 26, MST_OK },
	{ "V Huawei IAK", "idevid/huawei-ek-iak/iak.pem", NULL, "2102351TQD10K1000126.huawei.com",
	    26, MST_OK },
	{ "V Infineon EK", "idevid/huawei-ek-iak/ek.pem", NULL, NULL, 26, MST_OK },
};

static void
judge(X509 *cert, struct arena *a, enum cert_serial_rule rule, const char *want)
{
	mst_span serial = MST_NONE;
	mst_err e = cert_device_serial(a, cert, rule, &serial);

	assert_int_equal(e, want == NULL ? MST_E_TLS_IDEVID_SERIAL : MST_OK);
	if (want != NULL)
		assert_true(mst_span_eq(serial, mst_span_str(want)));
}

static void
one_row(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	mst_span pem = vector_read(row->file), issuer = MST_NONE, id = MST_NONE;
	STACK_OF(X509) *list = NULL;
	const char *url = NULL;
	X509 *cert;

	if (pem.ptr == NULL)
		skip();
	assert_int_equal(cert_list(pem, &list), MST_OK);
	cert = sk_X509_value(list, 0);
	judge(cert, a, CERT_SERIAL_SUBJECT, row->serial);
	judge(cert, a, CERT_SERIAL_CN, row->cn);
	judge(cert, a, CERT_SERIAL_SAN_HWMODULE, NULL);
	assert_int_equal(cert_masa_url(a, cert, &url), MST_E_NOT_FOUND);
	assert_int_equal(cert_idevid_issuer(a, cert, &issuer), MST_OK);
	assert_int_equal(issuer.len, row->issuer_len);
	assert_int_equal(cert_domain_id(a, cert, &id), MST_OK);
	assert_true(id.len == 20 || id.len == 32);
	assert_int_equal(cert_strength(cert), row->strength);
	assert_int_equal(strlen(cert_fingerprint(a, cert)), 64);
	sk_X509_pop_free(list, X509_free);
	free((void *)(uintptr_t)pem.ptr);
	arena_free(a);
}

int
main(void)
{
	struct CMUnitTest tests[3];

	for (size_t i = 0; i < 3; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	vectors_or_skip("idevid", tests, 3);
	return cmocka_run_group_tests_name("idevid vectors", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* EST bodies and certs-only: est.md sections 3 and 4. */
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
	const char *name, *body;
	mst_err want;
};
#define DER "\x30\x03\x02\x01\x05"
static const struct row rows[] = {
	{ "B2 plain", "MAMCAQU=", MST_OK },
	{ "B2 LF", "MAMC\nAQU=\n", MST_OK },
	{ "B2 CRLF, space and tab", " MA\r\nMC \tAQ\r\nU=\r\n", MST_OK },
	{ "B2 a letter a line", "M\nA\nM\nC\nA\nQ\nU\n=\n", MST_OK },
	{ "B3 PEM armour",
	    "-----BEGIN CERTIFICATE REQUEST-----\nMAMCAQU=\n-----END CERTIFICATE "
	    "REQUEST-----\n",
	    MST_OK },
	{ "B3 PEM armour behind space", "\n-----BEGIN X-----\r\nMAMCAQU=\r\n-----END X-----",
	    MST_OK },
	{ "B3 armour without end", "-----BEGIN X-----\nMAMCAQU=\n", MST_E_BASE64 },
	{ "B3 armour with a tail", "-----BEGIN X-----\nMAMCAQU=\n-----END X-----\nx",
	    MST_E_BASE64 },
	{ "B3 another letter", "MAMC!QU=", MST_E_BASE64 },
	{ "B3 url alphabet", "MAMC-_U=", MST_E_BASE64 },
	{ "B3 padding missing", "MAMCAQU", MST_E_BASE64 },
	{ "B3 padding too much", "MAMCAQU==", MST_E_BASE64 },
	{ "B3 data behind the padding", "MAMCAQU=MAMC", MST_E_BASE64 },
	{ "B3 nothing", " \n", MST_E_BASE64 },
	{ "B3 raw DER", "\x30\x82\x01\x02" DER, MST_E_BASE64_RAW_DER },
	{ "B3 short raw DER", DER, MST_E_BASE64_RAW_DER },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
one_row(void **state)
{
	const struct row *row = *state;
	struct arena *a = arena_new(0);
	mst_span der = MST_NONE;

	assert_int_equal(est_body_decode(a, mst_span_str(row->body), &der), row->want);
	if (row->want == MST_OK)
		assert_true(mst_span_eq(der, MST_LIT(DER)));
	arena_free(a);
}

static void
trailing_nul_is_tolerated(void **state)
{
	struct arena *a = arena_new(0);
	mst_span der = MST_NONE;

	(void)state;
	assert_int_equal(est_body_decode(a, mst_span_of("MAMCAQU=\0", 9), &der), MST_OK);
	assert_int_equal(est_body_decode(a, mst_span_of("MAMCAQU=\0\0", 10), &der), MST_E_BASE64);
	assert_int_equal(est_body_decode(a, MST_NONE, &der), MST_E_BASE64);
	arena_free(a);
}

static void
emission(void **state)
{
	struct arena *a = arena_new(0);
	uint8_t *big = calloc(1, 5000);
	mst_span body, back;

	(void)state;
	assert_int_equal(est_body_encode(a, MST_LIT(DER), 0, &body), MST_OK);
	assert_true(mst_span_eq(body, MST_LIT("MAMCAQU=\n")));
	for (size_t n = 1; n < 5000; n += 47) {
		/* B4: one line and one LF, however long */
		assert_int_equal(est_body_encode(a, mst_span_of(big, n), 0, &body), MST_OK);
		assert_ptr_equal(memchr(body.ptr, '\n', body.len), body.ptr + body.len - 1);
		assert_int_equal(est_body_decode(a, body, &back), MST_OK);
		assert_true(mst_span_eq(back, mst_span_of(big, n)));
		/* B4: or lines of 64 */
		assert_int_equal(est_body_encode(a, mst_span_of(big, n), 64, &body), MST_OK);
		for (size_t at = 0, next; at < body.len; at = next) {
			const uint8_t *lf = memchr(body.ptr + at, '\n', body.len - at);

			assert_non_null(lf);
			next = (size_t)(lf - body.ptr) + 1;
			assert_true(next == body.len ? next - at <= 65 : next - at == 65);
			assert_true(next - at > 1);
		}
		assert_int_equal(est_body_decode(a, body, &back), MST_OK);
		assert_true(mst_span_eq(back, mst_span_of(big, n)));
	}
	free(big);
	arena_free(a);
}

static void
certs_only(void **state)
{
	struct arena *a = arena_new(0);
	EVP_PKEY *k = pki_key("P-256");
	X509 *one = pki_root("one", k), *two = pki_root("two", k);
	STACK_OF(X509) *list = pki_stack(one, two, NULL), *back = NULL;
	mst_span der;
	uint8_t *copy;

	(void)state;
	assert_int_equal(certs_only_build(a, list, &der), MST_OK);
	/* P1: no [1] crls, no eContent, empty SETs: the tail is signerInfos alone */
	assert_memory_equal(der.ptr + der.len - 2, "\x31\x00", 2);
	assert_null(memmem(der.ptr, der.len, "\xa1\x00", 2));
	assert_non_null(memmem(der.ptr, 64,
	    "\x02\x01\x01\x31\x00\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 18));
	assert_int_equal(certs_only_parse(der, &back), MST_OK);
	assert_int_equal(sk_X509_num(back), 2);
	pki_stack_free(back);
	for (size_t n = 0; n < der.len; n++) {
		copy = malloc(n + (n == 0));
		memcpy(copy, der.ptr, n);
		assert_int_equal(certs_only_parse(mst_span_of(copy, n), &back), MST_E_X509);
		free(copy);
	}
	copy = calloc(1, der.len + 1);
	memcpy(copy, der.ptr, der.len);
	assert_int_equal(certs_only_parse(mst_span_of(copy, der.len + 1), &back), MST_E_X509);
	free(copy);
	pki_stack_free(list);
	X509_free(one);
	X509_free(two);
	EVP_PKEY_free(k);
	arena_free(a);
}

/* P2: an empty [1] before signerInfos, as deployed servers send it. */
static void
empty_crls_are_tolerated(void **state)
{
	struct arena *a = arena_new(0);
	EVP_PKEY *k = pki_key("P-256");
	X509 *one = pki_root("one", k);
	STACK_OF(X509) *list = pki_stack(one, NULL, NULL), *back = NULL;
	mst_span der;
	uint8_t *copy;

	(void)state;
	assert_int_equal(certs_only_build(a, list, &der), MST_OK);
	assert_int_equal(der.ptr[1], 0x82);
	copy = malloc(der.len + 2);
	memcpy(copy, der.ptr, der.len - 2);
	memcpy(copy + der.len - 2, "\xa1\x00\x31\x00", 4);
	/* ContentInfo, [0] and SignedData: each two bytes longer; all have two length bytes */
	copy[3] = (uint8_t)(copy[3] + 2);
	copy[18] = (uint8_t)(copy[18] + 2);
	copy[22] = (uint8_t)(copy[22] + 2);
	assert_int_equal(certs_only_parse(mst_span_of(copy, der.len + 2), &back), MST_OK);
	pki_stack_free(back);
	free(copy);
	pki_stack_free(list);
	X509_free(one);
	EVP_PKEY_free(k);
	arena_free(a);
}

static void
one_certificate_in_der_makes_the_same_bytes(void **state)
{
	struct arena *a = arena_new(0);
	EVP_PKEY *k = pki_key("P-256");
	X509 *one = pki_root("one", k);
	STACK_OF(X509) *list = pki_stack(one, NULL, NULL);
	mst_span der, cert, again;

	(void)state;
	assert_int_equal(certs_only_build(a, list, &der), MST_OK);
	assert_int_equal(cert_der(a, one, &cert), MST_OK);
	assert_int_equal(certs_only_wrap(a, cert, &again), MST_OK);
	assert_true(mst_span_eq(der, again));
	assert_int_equal(certs_only_wrap(a, MST_NONE, &again), MST_E_X509);
	pki_stack_free(list);
	X509_free(one);
	EVP_PKEY_free(k);
	arena_free(a);
}

static void
no_certificates_is_refused(void **state)
{
	struct arena *a = arena_new(0);
	STACK_OF(X509) *list = sk_X509_new_null(), *back = NULL;
	mst_span der;

	(void)state;
	assert_int_equal(certs_only_build(a, list, &der), MST_OK);
	assert_int_equal(certs_only_parse(der, &back), MST_E_X509);
	assert_int_equal(certs_only_parse(MST_NONE, &back), MST_E_X509);
	sk_X509_free(list);
	arena_free(a);
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
	const struct CMUnitTest single[] = {
		T("B3 trailing NUL", trailing_nul_is_tolerated),
		T("B4 emission", emission),
		T("P1 certs-only, every prefix", certs_only),
		T("P2 empty crls", empty_crls_are_tolerated),
		T("P1 one certificate in DER, the same bytes",
		    one_certificate_in_der_makes_the_same_bytes),
		T("EST-5 no certificates", no_certificates_is_refused),
	};
	struct CMUnitTest table[ROWS];
	int bad;

	for (size_t i = 0; i < ROWS; i++)
		table[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	bad = cmocka_run_group_tests_name("est body rows", table, NULL, NULL);
	return bad + cmocka_run_group_tests_name("est body", single, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of EST in the forms of RFC 9148 and constrained-voucher 6.7.5. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "muster/cbor.h"
#include "unit/crypto/support_world.h"

static mst_span
certs_only(X509 *a, X509 *b, X509 *c)
{
	STACK_OF(X509) *list = pki_stack(a, b, c);
	mst_span der = MST_NONE;

	assert_int_equal(certs_only_build(w.a, list, &der), MST_OK);
	pki_stack_free(list);
	return der;
}

/* RFC 8710: each certificate behind this number, then whatever tail. */
static mst_span
multipart(uint64_t format, X509 *a, X509 *b, mst_span tail)
{
	struct mst_buf buf = room(8192);
	struct mst_cbor_writer out;

	mst_cbor_put_init(&out, &buf);
	mst_cbor_put_array(&out, b == NULL ? 2 : 4);
	mst_cbor_put_uint(&out, format);
	mst_cbor_put_bytes(&out, der_of(a));
	if (b != NULL) {
		mst_cbor_put_uint(&out, format);
		mst_cbor_put_bytes(&out, der_of(b));
	}
	assert_int_equal(mst_cbor_put_end(&out), MST_OK);
	assert_int_equal(mst_buf_put(&buf, tail), MST_OK);
	return mst_buf_span(&buf);
}

static mst_err
cacerts_as(enum mst_form form, mst_span body, struct mst_buf *out)
{
	return w.crypto.cacerts_open(
	    w.crypto.ctx, form, body, der_of(w.issuing), MST_NONE, &now, out);
}

static void
crts_in_each_form(void **state)
{
	struct mst_buf out[3] = { room(8192), room(8192), room(8192) };

	(void)state;
	assert_int_equal(cacerts_as(MST_FORM_MULTIPART,
	                     multipart(287, w.issuing, w.domain, MST_LIT("")), &out[0]),
	    MST_OK);
	assert_int_equal(
	    cacerts_as(MST_FORM_DER, certs_only(w.issuing, w.domain, NULL), &out[1]), MST_OK);
	for (size_t i = 0; i < 2; i++)
		assert_true(mst_span_eq(mst_buf_span(&out[i]), joined(w.domain, w.issuing, NULL)));
	assert_int_equal(cacerts_as(MST_FORM_CERT, der_of(w.issuing), &out[2]), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out[2]), der_of(w.issuing)));
}

static void
crts_that_are_none(void **state)
{
	mst_span good = multipart(287, w.issuing, w.domain, MST_LIT(""));
	struct {
		enum mst_form form;
		mst_span body;
	} rows[] = {
		{ MST_FORM_OTHER, good },
		{ MST_FORM_DER, good },
		{ MST_FORM_CERT, good },
		{ MST_FORM_BASE64, good },
		{ MST_FORM_MULTIPART, certs_only(w.issuing, w.domain, NULL) },
		{ MST_FORM_MULTIPART, der_of(w.issuing) },
		{ MST_FORM_MULTIPART, multipart(281, w.issuing, w.domain, MST_LIT("")) },
		{ MST_FORM_MULTIPART, multipart(287, w.issuing, w.domain, MST_LIT("x")) },
		{ MST_FORM_MULTIPART, multipart(287, w.foreign, NULL, MST_LIT("")) },
		{ MST_FORM_MULTIPART, MST_LIT("\x80") },
		{ MST_FORM_MULTIPART, MST_LIT("\x81\x19\x01\x1f") },
		{ MST_FORM_MULTIPART, MST_LIT("\x82\x19\x01\x1f\x41\x30") },
		{ MST_FORM_MULTIPART, MST_NONE },
		{ MST_FORM_CERT, MST_NONE },
		{ MST_FORM_DER, MST_LIT("") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mst_buf out = room(8192);

		assert_int_equal(
		    cacerts_as(rows[i].form, rows[i].body, &out), MST_E_PLEDGE_CA_CERTS);
		assert_int_equal(out.len, 0);
	}
	for (size_t len = 0; len < good.len; len++) {
		struct mst_buf out = room(8192);

		assert_int_equal(cacerts_as(MST_FORM_MULTIPART, mst_span_of(good.ptr, len), &out),
		    MST_E_PLEDGE_CA_CERTS);
	}
}

/* cV 6.7.1: straight after the voucher, with the subject of the IDevID unmodified. */
static void
csr_in_der(void **state)
{
	struct mst_buf body = room(8192);
	const uint8_t *p = body.ptr;
	X509_REQ *req;

	(void)state;
	assert_int_equal(
	    w.crypto.csr_build(w.crypto.ctx, MST_FORM_DER, MST_NONE, false, &body), MST_OK);
	assert_non_null(req = d2i_X509_REQ(NULL, &p, (long)body.len));
	assert_ptr_equal(p, body.ptr + body.len);
	assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
	assert_int_equal(
	    X509_NAME_cmp(X509_REQ_get_subject_name(req), X509_get_subject_name(w.idevid)), 0);
	X509_REQ_free(req);
}

static void
ldevid_in_each_form(void **state)
{
	X509 *cert = certified(w.domain, w.domain_key);
	struct {
		enum mst_form form;
		mst_span body;
		mst_err want;
	} rows[] = {
		{ MST_FORM_CERT, der_of(cert), MST_OK },
		{ MST_FORM_DER, certs_only(cert, NULL, NULL), MST_OK },
		{ MST_FORM_DER, der_of(cert), MST_E_PLEDGE_ENROLL },
		{ MST_FORM_BASE64, der_of(cert), MST_E_PLEDGE_ENROLL },
		{ MST_FORM_OTHER, der_of(cert), MST_E_PLEDGE_ENROLL },
		{ MST_FORM_MULTIPART, multipart(287, cert, NULL, MST_LIT("")),
		    MST_E_PLEDGE_ENROLL },
		{ MST_FORM_CERT, der_of(w.domain), MST_E_PLEDGE_ENROLL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mst_buf out = room(8192);
		int64_t from, to;

		assert_int_equal(w.crypto.ldevid_open(w.crypto.ctx, rows[i].form, rows[i].body,
		                     der_of(w.domain), &now, &out, &from, &to),
		    rows[i].want);
		assert_int_equal(out.len, rows[i].want == MST_OK ? der_of(cert).len : 0);
	}
	X509_free(cert);
}

static void
root_that_signed(void **state)
{
	X509 *cert = certified(w.domain, w.domain_key),
	     *below = certified(w.issuing, w.issuing_key);
	mst_err (*judge)(void *, mst_span, mst_span) = w.crypto.root_signed;

	(void)state;
	assert_int_equal(judge(w.crypto.ctx, der_of(w.domain), der_of(cert)), MST_OK);
	/* no root; not its signer; the other way round; nothing */
	assert_int_equal(
	    judge(w.crypto.ctx, der_of(w.issuing), der_of(below)), MST_E_PLEDGE_ENROLL);
	assert_int_equal(judge(w.crypto.ctx, der_of(w.domain), der_of(below)), MST_E_PLEDGE_ENROLL);
	assert_int_equal(judge(w.crypto.ctx, der_of(w.foreign), der_of(cert)), MST_E_PLEDGE_ENROLL);
	assert_int_equal(judge(w.crypto.ctx, der_of(cert), der_of(w.domain)), MST_E_PLEDGE_ENROLL);
	assert_int_equal(judge(w.crypto.ctx, MST_NONE, der_of(cert)), MST_E_PLEDGE_ENROLL);
	assert_int_equal(judge(w.crypto.ctx, der_of(w.domain), MST_NONE), MST_E_PLEDGE_ENROLL);
	X509_free(below);
	X509_free(cert);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "cacerts_open CO-2: 62, 281, 287", crts_in_each_form, NULL, NULL, NULL },
		{ "cacerts_open CO-2: other forms, junk, every prefix", crts_that_are_none, NULL,
		    NULL, NULL },
		{ "csr_build 13.3-2: DER, the IDevID's subject", csr_in_der, NULL, NULL, NULL },
		{ "ldevid_open F1: 287, 281, others", ldevid_in_each_form, NULL, NULL, NULL },
		{ "root_signed 13.3-3", root_that_signed, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("crypto/forms", tests, setup, teardown);
}

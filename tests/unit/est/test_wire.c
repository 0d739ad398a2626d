/* SPDX-License-Identifier: Apache-2.0 */
/* EST over real TLS, CA, key process and database. Refusals leave no certificate row. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/est/support_site.h"

static struct site site;
static struct device_at_site dev;

#define SERIAL "SN-0042"
#define POLICY "O=Acme,serialNumber=" SERIAL

static int
setup(void **state)
{
	(void)state;
	site_init(&site);
	site_open(&site);
	dev = site_device(&site, SERIAL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_close(&site);
	site_wipe(&site);
	return 0;
}

static void
connect_as(struct client *c, X509 *cert, EVP_PKEY *key, int version)
{
	client_open(
	    c, site.port, &(struct client_options){ .version = version, .cert = cert, .key = key });
}

static void
connect_device(struct client *c)
{
	connect_as(c, dev.idevid, dev.key, 0);
}

/* A certificate for key, over a connection of its own. */
static X509 *
enrol(EVP_PKEY *key)
{
	struct client c;
	struct reply r;
	X509 *cert;

	connect_device(&c);
	r = ask(&c, EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, key, POLICY), NULL);
	cert = cert_of(&r);
	reply_free(&r);
	client_close(&c);
	return cert;
}

static struct reply
post_device(const char *op, const char *type, const char *body, const char *more)
{
	struct client c;
	struct reply r;

	connect_device(&c);
	r = ask(&c, op, type, body, more);
	client_close(&c);
	return r;
}

static void
expect(const char *op, const char *type, const char *body, mst_err e)
{
	size_t before = site_certs(&site);
	struct reply r = post_device(op, type, body, NULL);

	assert_refused(&r, e);
	if (e != MST_E_HTTP_PATH) /* which no role took */
		assert_in_trail(&site, &r, e);
	reply_free(&r);
	assert_int_equal(site_certs(&site), before);
}

/* --- the good way --- */

static void
device_enrols_and_its_state_and_row_are_durable_EST_1(void **state)
{
	X509 *cert = enrol(a_key("P-256 a"));
	struct device d = site_device_row(&site, dev.id);
	struct trail t = site_last_trail(&site, dev.id);
	X509_NAME *want = a_name(POLICY);

	(void)state;
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(cert), want), 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), a_key("P-256 a")), 1);
	assert_true(cert_has_eku(cert, "1.3.6.1.5.5.7.3.2"));
	assert_int_equal(d.state, DEVICE_ENROLLED);
	assert_int_equal(t.step, STEP_ENROLL);
	assert_int_equal(t.err, MST_OK);
	assert_string_equal(t.role, "est");
	X509_NAME_free(want);
	X509_free(cert);
}

static void
lost_answer_gets_the_same_certificate_15_13(void **state)
{
	X509 *a = enrol(a_key("P-256 a")), *b;

	(void)state;
	site_close(&site); /* and over a restart */
	site_open(&site);
	b = enrol(a_key("P-256 a"));
	assert_int_equal(X509_cmp(a, b), 0);
	assert_int_equal(site_certs(&site), 1);
	X509_free(a);
	X509_free(b);
}

static void
repeat_after_a_new_voucher_enrols_again_C5(void **state)
{
	X509 *a = enrol(a_key("P-256 a")), *b;
	struct device d = site_device_row(&site, dev.id);

	(void)state;
	d.state = DEVICE_VOUCHER;
	site_device_save(&site, &d);
	b = enrol(a_key("P-256 a"));
	assert_int_equal(X509_cmp(a, b), 0);
	assert_int_equal(site_device_row(&site, dev.id).state, DEVICE_ENROLLED);
	X509_free(a);
	X509_free(b);
}

static void
repeat_keeps_an_active_device_active_C5(void **state)
{
	struct device d;

	(void)state;
	X509_free(enrol(a_key("P-256 a")));
	d = site_device_row(&site, dev.id);
	d.state = DEVICE_ACTIVE;
	site_device_save(&site, &d);
	X509_free(enrol(a_key("P-256 a")));
	assert_int_equal(site_device_row(&site, dev.id).state, DEVICE_ACTIVE);
}

static void
repeat_by_a_device_quarantined_meanwhile_is_refused_A4(void **state)
{
	struct device d;

	(void)state;
	X509_free(enrol(a_key("P-256 a")));
	d = site_device_row(&site, dev.id);
	d.state = DEVICE_QUARANTINED;
	site_device_save(&site, &d);
	expect(EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 a"), POLICY),
	    MST_E_AUTHZ_QUARANTINED);
	assert_int_equal(site_last_trail(&site, dev.id).err, MST_E_AUTHZ_QUARANTINED);
}

static void
device_renews_and_stays_active_R4(void **state)
{
	X509 *a = enrol(a_key("P-256 a")), *b;
	struct device d = site_device_row(&site, dev.id);
	struct client c;
	struct reply r;

	(void)state;
	d.state = DEVICE_ACTIVE;
	site_device_save(&site, &d);
	for (int i = 0; i < 2; i++) { /* the second: its answer was lost */
		connect_as(&c, a, a_key("P-256 a"), 0);
		r = ask(&c, EST "/simplereenroll", TYPE_PKCS10,
		    csr_text(&site, a_key("P-256 b"), POLICY), NULL);
		b = cert_of(&r);
		assert_int_equal(
		    X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)), 0);
		assert_int_not_equal(X509_cmp(a, b), 0);
		X509_free(b);
		reply_free(&r);
		client_close(&c);
	}
	assert_int_equal(site_certs(&site), 2);
	assert_int_equal(site_device_row(&site, dev.id).state, DEVICE_ACTIVE);
	assert_int_equal(site_last_trail(&site, dev.id).step, STEP_REENROLL);
	X509_free(a);
}

static void
renewal_on_the_same_key_is_a_new_certificate_R3(void **state)
{
	X509 *a = enrol(a_key("P-256 a")), *b;
	struct client c;
	struct reply r;

	(void)state;
	connect_as(&c, a, a_key("P-256 a"), 0);
	r = ask(&c, EST "/simplereenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 a"), POLICY),
	    NULL);
	b = cert_of(&r);
	assert_int_not_equal(X509_cmp(a, b), 0);
	X509_free(a);
	X509_free(b);
	reply_free(&r);
	client_close(&c);
}

/* --- renewal refused: 15.8 --- */

static struct reply
renew_as(X509 *cert, EVP_PKEY *key, const char *label, const char *subject)
{
	struct client c;
	struct reply r;

	connect_as(&c, cert, key, 0);
	r = ask(&c, arena_printf(site.arena, EST "%s/simplereenroll", label), TYPE_PKCS10,
	    csr_text(&site, a_key("P-256 b"), subject), NULL);
	client_close(&c);
	return r;
}

static void
expect_renewal(X509 *cert, EVP_PKEY *key, const char *label, const char *subject, mst_err e)
{
	size_t before = site_certs(&site);
	struct reply r = renew_as(cert, key, label, subject);

	assert_refused(&r, e);
	assert_in_trail(&site, &r, e);
	reply_free(&r);
	assert_int_equal(site_certs(&site), before);
}

static void
renewal_with_another_subject_15_8(void **state)
{
	X509 *a = enrol(a_key("P-256 a"));

	(void)state;
	expect_renewal(
	    a, a_key("P-256 a"), "", "O=Acme,serialNumber=SN-0043", MST_E_CSR_REENROLL_SUBJECT);
	X509_free(a);
}

static void
renewal_without_certificate_15_8(void **state)
{
	(void)state;
	expect_renewal(NULL, NULL, "", POLICY, MST_E_EST_CLIENT_CERT);
}

static void
renewal_with_the_idevid_15_8(void **state)
{
	(void)state;
	expect_renewal(dev.idevid, dev.key, "", POLICY, MST_E_EST_CLIENT_CERT);
}

static void
renewal_with_a_certificate_of_another_ca_15_8(void **state)
{
	(void)state;
	expect_renewal(
	    pki()->client, pki()->client_key, "", POLICY, MST_E_TLS_UNTRUSTED_MANUFACTURER);
}

static void
renewal_at_the_label_of_another_ca_15_8(void **state)
{
	X509 *a = enrol(a_key("P-256 a"));

	(void)state;
	expect_renewal(a, a_key("P-256 a"), "/lab", POLICY, MST_E_EST_CLIENT_CERT);
	X509_free(a);
}

static mst_err
revoke(struct db *db, void *arg)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(arg);

	return cert_revoke(db, mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)),
	    1, 1800000000);
}

static void
renewal_with_a_revoked_certificate_15_8(void **state)
{
	X509 *a = enrol(a_key("P-256 a"));

	(void)state;
	assert_int_equal(store_write_wait(site.store, revoke, a), MST_OK);
	expect_renewal(a, a_key("P-256 a"), "", POLICY, MST_E_TLS_LDEVID_REVOKED);
	X509_free(a);
}

static void
revocation_holds_on_an_open_connection_A4(void **state)
{
	X509 *a = enrol(a_key("P-256 a"));
	struct client c;
	struct reply r;

	(void)state;
	connect_as(&c, a, a_key("P-256 a"), 0);
	r = ask(&c, EST "/cacerts", NULL, NULL, NULL);
	assert_int_equal(r.status, 200);
	reply_free(&r);
	assert_int_equal(store_write_wait(site.store, revoke, a), MST_OK);
	r = ask(&c, EST "/simplereenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 b"), POLICY),
	    NULL);
	assert_refused(&r, MST_E_TLS_LDEVID_REVOKED);
	reply_free(&r);
	client_close(&c);
	X509_free(a);
}

static void
ldevid_of_a_device_may_not_enrol_J2(void **state)
{
	X509 *a = enrol(a_key("P-256 a"));
	struct client c;
	struct reply r;

	(void)state;
	connect_as(&c, a, a_key("P-256 a"), 0);
	r = ask(
	    &c, EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 b"), POLICY), NULL);
	assert_refused(&r, MST_E_EST_CLIENT_CERT);
	assert_int_equal(site_certs(&site), 1);
	reply_free(&r);
	client_close(&c);
	X509_free(a);
}

/* --- the gate and the CSR, over the wire --- */

static void
gate_over_the_wire_EST_3(void **state)
{
	struct device d = site_device_row(&site, dev.id);
	const char *csr = csr_text(&site, a_key("P-256 a"), POLICY);

	(void)state;
	d.audit_verdict = -1;
	site_device_save(&site, &d);
	expect(EST "/simpleenroll", TYPE_PKCS10, csr, MST_E_EST_GATE_AUDIT_PENDING);
	d.audit_verdict = 0;
	site_device_save(&site, &d);
	expect(EST "/simpleenroll", TYPE_PKCS10, csr, MST_E_EST_GATE_AUDIT);
	d.audit_verdict = 1;
	d.voucher_status = -1;
	site_device_save(&site, &d);
	expect(EST "/simpleenroll", TYPE_PKCS10, csr, MST_E_EST_GATE_STATUS);
	d.voucher_at = 0;
	site_device_save(&site, &d);
	expect(EST "/simpleenroll", TYPE_PKCS10, csr, MST_E_EST_GATE_VOUCHER);
	assert_int_equal(site_last_trail(&site, dev.id).err, MST_E_EST_GATE_VOUCHER);
}

static void
accepted_after_202_on_a_new_connection_15_12(void **state)
{
	struct device d = site_device_row(&site, dev.id);
	struct csr_spec spec = { .key = a_key("P-256 a"), .subject = POLICY };
	struct client c;
	struct reply r;

	(void)state;
	for (int i = 0; i < 2; i++) { /* waits, then gets it with a new binding */
		d.audit_verdict = i == 0 ? -1 : 1;
		site_device_save(&site, &d);
		connect_device(&c);
		spec.attrs = 0;
		csr_add_attr(&spec, OID_CHALLENGE, V_ASN1_UTF8STRING, binding_of(&site, &c));
		r = ask(&c, EST "/simpleenroll", TYPE_PKCS10,
		    text_of(site.arena, csr_make(site.arena, &spec)), NULL);
		if (i == 0) {
			assert_refused(&r, MST_E_EST_GATE_AUDIT_PENDING);
			assert_string_equal(reply_header(&r, "Retry-After"), "7");
			assert_int_equal(site_certs(&site), 0);
		} else {
			X509_free(cert_of(&r));
		}
		reply_free(&r);
		client_close(&c);
	}
}

static void
csr_with_a_bad_signature_15_9(void **state)
{
	struct csr_spec spec = {
		.key = a_key("P-256 a"), .signer = a_key("P-256 b"), .subject = POLICY
	};

	(void)state;
	expect(EST "/simpleenroll", TYPE_PKCS10, text_of(site.arena, csr_make(site.arena, &spec)),
	    MST_E_CSR_POP);
}

static void
csr_on_the_idevid_key_EST_2(void **state)
{
	(void)state;
	expect(EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, dev.key, POLICY),
	    MST_E_CSR_KEY_IDEVID);
}

static void
key_of_another_device_EST_2(void **state)
{
	struct device_at_site first = dev;

	(void)state;
	X509_free(enrol(a_key("P-256 a")));
	dev = site_device(&site, "SN-0099");
	expect(EST "/simpleenroll", TYPE_PKCS10,
	    csr_text(&site, a_key("P-256 a"), "O=Acme,serialNumber=SN-0099"), MST_E_CSR_KEY_REUSED);
	dev = first;
}

static void
body_of_another_type_U5(void **state)
{
	const char *csr = csr_text(&site, a_key("P-256 a"), POLICY);
	struct reply r;

	(void)state;
	expect(EST "/simpleenroll", "application/octet-stream", csr, MST_E_MEDIA_UNSUPPORTED);
	expect(EST "/simpleenroll", NULL, csr, MST_E_MEDIA_UNSUPPORTED);
	expect(EST "/simpleenroll", TYPE_PKCS10 "x", csr, MST_E_MEDIA_UNSUPPORTED);
	r = post_device(EST "/simpleenroll", "Application/PKCS10; charset=utf-8", csr, NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
}

static void
bodies_that_are_read_15_1_15_2(void **state)
{
	const char *csr = csr_text(&site, a_key("P-256 a"), POLICY);
	char *lines = arena_alloc(site.arena, 6 * strlen(csr) + 6000), *p = lines;
	char *bodies[6] = { arena_printf(site.arena, "%s\n", csr),
		arena_printf(site.arena, "\t%.10s\r\n%s\r\n", csr, csr + 10), lines,
		arena_printf(site.arena,
		    "-----BEGIN CERTIFICATE REQUEST-----\n%s\n-----END CERTIFICATE REQUEST-----\n",
		    csr),
		arena_printf(site.arena, "%s%5000s", csr, " ") };

	(void)state;
	for (const char *s = csr; *s != '\0'; s++) {
		*p++ = *s;
		*p++ = '\n';
	}
	for (size_t i = 0; i < 5; i++) {
		struct reply r = post_device(EST "/simpleenroll", TYPE_PKCS10, bodies[i],
		    "content-transfer-encoding: 7bit\r\n");

		X509_free(cert_of(&r));
		reply_free(&r);
	}
	assert_int_equal(site_certs(&site), 1);
}

static void
bodies_that_are_refused_15_3_15_4(void **state)
{
	const char *csr = csr_text(&site, a_key("P-256 a"), POLICY);

	(void)state;
	expect(EST "/simpleenroll", TYPE_PKCS10, "0\x82\x01", MST_E_BASE64_RAW_DER);
	expect(
	    EST "/simpleenroll", TYPE_PKCS10, arena_printf(site.arena, "%s=", csr), MST_E_BASE64);
	expect(
	    EST "/simpleenroll", TYPE_PKCS10, arena_printf(site.arena, "%s*", csr), MST_E_BASE64);
	expect(EST "/simpleenroll", TYPE_PKCS10, "", MST_E_BASE64);
	expect(EST "/simpleenroll", TYPE_PKCS10, "AAAA", MST_E_CSR_PARSE);
}

static void
chunked_request_with_lower_case_headers_15_5_15_6(void **state)
{
	const char *csr = csr_text(&site, a_key("P-256 a"), POLICY);
	struct client c;
	struct reply r;

	(void)state;
	connect_device(&c);
	r = client_ask(
	    &c, arena_printf(site.arena,
	            "POST " EST "/simpleenroll HTTP/1.1\r\nhost: localhost\r\n"
	            "content-type: application/pkcs10\r\ntransfer-encoding: chunked\r\n\r\n"
	            "%zx\r\n%s\r\n0\r\n\r\n",
	            strlen(csr), csr));
	X509_free(cert_of(&r));
	assert_null(strstr(r.head, "chunked")); /* H2 */
	reply_free(&r);
	client_close(&c);
}

static void
wrong_methods_15_7(void **state)
{
	struct client c;
	struct reply r;

	(void)state;
	connect_device(&c);
	r = ask(&c, EST "/cacerts", TYPE_PKCS10, "AAAA", NULL);
	assert_refused(&r, MST_E_HTTP_METHOD);
	assert_non_null(strstr(reply_header(&r, "Allow"), "GET"));
	reply_free(&r);
	r = ask(&c, EST "/simpleenroll", NULL, NULL, NULL);
	assert_refused(&r, MST_E_HTTP_METHOD);
	assert_string_equal(reply_header(&r, "Allow"), "POST");
	reply_free(&r);
	client_close(&c);
}

static void
client_without_certificate_EST_8(void **state)
{
	size_t before = site_certs(&site);
	struct client c;
	struct reply r;

	(void)state;
	connect_as(&c, NULL, NULL, 0);
	r = ask(&c, EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 a"), POLICY),
	    "Authorization: Basic YWxpY2U6c2VzYW1l\r\n");
	assert_refused(&r, MST_E_TLS_NO_CLIENT_CERT);
	assert_null(reply_header(&r, "WWW-Authenticate"));
	assert_int_equal(site_certs(&site), before);
	reply_free(&r);
	client_close(&c);
}

static void
client_of_an_untrusted_manufacturer_A4(void **state)
{
	struct client c;
	struct reply r;

	(void)state;
	connect_as(&c, pki()->client, pki()->client_key, 0);
	r = ask(
	    &c, EST "/simpleenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 a"), POLICY), NULL);
	assert_refused(&r, MST_E_TLS_UNTRUSTED_MANUFACTURER);
	assert_int_equal(site_certs(&site), 0);
	reply_free(&r);
	client_close(&c);
}

/* --- labels, other paths --- */

static void
labels_U2_15_11(void **state)
{
	struct csr_spec spec = { .key = a_key("P-256 a"), .subject = POLICY };
	struct reply r;
	X509 *cert;

	(void)state;
	csr_add_ext(&spec, NID_subject_alt_name, "DNS:sn-0042", 0);
	r = post_device(EST "/lab/simpleenroll", TYPE_PKCS10,
	    text_of(site.arena, csr_make(site.arena, &spec)), NULL);
	cert = cert_of(&r);
	assert_int_equal(X509_check_host(cert, "sn-0042", 0, 0, NULL), 1);
	assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(cert),
	                     X509_get_subject_name(ca_cert(site.ca, "lab"))),
	    0);
	X509_free(cert);
	reply_free(&r);
	/* the same CSR elsewhere is another order, and there it has a name too many */
	expect(EST "/simpleenroll", TYPE_PKCS10, text_of(site.arena, csr_make(site.arena, &spec)),
	    MST_E_CSR_SAN);
	expect(EST "/nolab/simpleenroll", TYPE_PKCS10, "AAAA", MST_E_HTTP_PATH);
	expect(EST "/cacerts/simpleenroll", TYPE_PKCS10, "AAAA", MST_E_HTTP_PATH);
	expect(EST "/lab", TYPE_PKCS10, "AAAA", MST_E_HTTP_PATH);
	expect(EST "/fullcmc", "application/pkcs7-mime", "AAAA", MST_E_EST_DISABLED);
	expect(EST "/lab/fullcmc", "application/pkcs7-mime", "AAAA", MST_E_EST_DISABLED);
	expect(EST "/serverkeygen", TYPE_PKCS10, "AAAA", MST_E_EST_DISABLED);
}

static void
label_named_like_an_operation_15_11(void **state)
{
	static const struct est_profile bad[] = { { .label = "", .profile = "device" },
		{ .label = "cacerts", .profile = "device" } };
	static const struct est_profile slash[] = { { .label = "", .profile = "device" },
		{ .label = "a/b", .profile = "device" } };
	static const struct est_profile none[] = { { .label = "lab", .profile = "device" } };
	struct est_config c = site.config;
	struct est *e;

	(void)state;
	c.profiles = bad;
	assert_int_equal(est_open(&c, &e), MST_E_CONFIG_VALUE);
	c.profiles = slash;
	assert_int_equal(est_open(&c, &e), MST_E_CONFIG_VALUE);
	c.profiles = none;
	c.profile_count = 1;
	assert_int_equal(est_open(&c, &e), MST_E_CONFIG_MISSING);
	assert_true(est_why()[0] != '\0');
}

static void
cacerts_for_anybody_A1_H6_P3(void **state)
{
	static const char *const agents[] = { NULL, "User-Agent: libest 1.0\r\n" };
	struct client c;
	struct reply r;

	(void)state;
	connect_as(&c, NULL, NULL, TLS1_2_VERSION);
	for (size_t i = 0; i < 2; i++) {
		STACK_OF(X509) *certs;
		mst_span der;

		r = ask(&c, EST "/cacerts", NULL, NULL, agents[i]);
		assert_int_equal(r.status, 200);
		assert_string_equal(reply_header(&r, "Content-Type"), "application/pkcs7-mime");
		assert_string_equal(reply_header(&r, "Content-Transfer-Encoding"), "base64");
		assert_int_equal(
		    est_body_decode(site.arena, mst_span_of(r.body, r.len), &der), MST_OK);
		assert_true(mst_span_eq(der, ca_cacerts(site.ca, "")));
		assert_int_equal(certs_only_parse(der, &certs), MST_OK);
		sk_X509_pop_free(certs, X509_free);
		/* B4 */
		if (r.len <= 1021 || i == 0)
			assert_ptr_equal(strchr(r.body, '\n'), r.body + r.len - 1);
		else
			assert_int_equal(strcspn(r.body, "\n"), 64);
		assert_true(strlen(r.head) < 1000); /* H4 */
		reply_free(&r);
	}
	client_close(&c);
}

static mst_span
csrattrs_of(X509 *cert, EVP_PKEY *key, const char *label)
{
	struct client c;
	struct reply r;
	mst_span der;

	connect_as(&c, cert, key, 0);
	r = ask(&c, arena_printf(site.arena, EST "%s/csrattrs", label), NULL, NULL, NULL);
	if (r.status == 204) {
		reply_free(&r);
		client_close(&c);
		return MST_NONE;
	}
	assert_int_equal(r.status, 200);
	assert_string_equal(reply_header(&r, "Content-Type"), "application/csrattrs");
	assert_string_equal(reply_header(&r, "Content-Transfer-Encoding"), "base64");
	assert_int_equal(est_body_decode(site.arena, mst_span_of(r.body, r.len), &der), MST_OK);
	reply_free(&r);
	client_close(&c);
	return der;
}

static void
assert_name(X509 *cert, const char *want)
{
	X509_NAME *n = a_name(want);

	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(cert), n), 0);
	X509_NAME_free(n);
}

static void
csrattrs_are_per_device_K6(void **state)
{
	X509 *ldevid = enrol(a_key("P-256 a"));
	mst_span want, got;

	(void)state;
	assert_int_equal(est_csrattrs_build(site.arena, &site.config.profiles[0], EST_CSRATTRS_BOTH,
	                     mst_span_str(SERIAL), 0, false, &want),
	    MST_OK);
	got = csrattrs_of(dev.idevid, dev.key, "");
	assert_true(mst_span_eq(got, want));
	assert_non_null(memmem(got.ptr, got.len, SERIAL, strlen(SERIAL)));
	assert_true(mst_span_eq(csrattrs_of(ldevid, a_key("P-256 a"), ""), want));
	assert_null(csrattrs_of(NULL, NULL, "").ptr); /* A1: 204, not 401 */
	assert_null(csrattrs_of(pki()->client, pki()->client_key, "").ptr);
	X509_free(ldevid);
}

/* RFC 5280 4.1.2.6: two devices of one serial number, from two makers, have two subjects. */
static void
twins_have_subjects_of_their_own(void **state)
{
	X509 *first = enrol(a_key("P-256 a")), *second, *again;
	struct device_at_site elder = dev;
	char *policy;
	struct client c;
	struct reply r;
	mst_span attrs;

	(void)state;
	dev = site_twin(&site, SERIAL);
	assert_int_not_equal(dev.id, elder.id);
	policy = arena_printf(site.arena, POLICY ",dnQualifier=%lld", (long long)dev.id);
	attrs = csrattrs_of(dev.idevid, dev.key, "");
	assert_non_null(memmem(attrs.ptr, attrs.len, "\x06\x03\x55\x04\x2e", 5)); /* K6 */
	connect_device(&c); /* it asks for the serial number alone ... */
	r = ask(&c, EST "/simpleenroll", TYPE_PKCS10,
	    csr_text(&site, a_key("P-256 b"), "serialNumber=" SERIAL), NULL);
	second = cert_of(&r);
	reply_free(&r);
	client_close(&c);
	assert_int_not_equal(
	    X509_NAME_cmp(X509_get_subject_name(first), X509_get_subject_name(second)), 0);
	assert_name(second, policy);
	connect_as(&c, second, a_key("P-256 b"), 0); /* ... and renews what it was given */
	r = ask(&c, EST "/simplereenroll", TYPE_PKCS10, csr_text(&site, a_key("P-256 c"), policy),
	    NULL);
	again = cert_of(&r);
	assert_name(again, policy);
	reply_free(&r);
	client_close(&c);
	expect(EST "/simpleenroll", TYPE_PKCS10,
	    csr_text(&site, a_key("P-256 c"), POLICY ",dnQualifier=1"), MST_E_CSR_SUBJECT);
	dev = elder; /* which keeps its own */
	attrs = csrattrs_of(dev.idevid, dev.key, "");
	assert_null(memmem(attrs.ptr, attrs.len, "\x06\x03\x55\x04\x2e", 5));
	X509_free(first);
	X509_free(second);
	X509_free(again);
}

static void
start_crls(void *arg)
{
	ca_crl_start(arg);
}

static void
crl_at_its_place_A1(void **state)
{
	static const char *const paths[] = { "/crl/lab.crl", "/crl/default.crl" };
	struct client c;
	struct reply r = { 0 };
	const unsigned char *p;
	X509_CRL *crl;

	(void)state;
	connect_as(&c, NULL, NULL, 0);
	r = ask(&c, paths[0], NULL, NULL, NULL);
	assert_refused(&r, MST_E_NOT_FOUND); /* none was signed yet */
	net_post(net_loop_at(site.net, 0), start_crls, site.loops[0]);
	for (size_t k = 0; k < 2; k++)
		do {
			reply_free(&r);
			r = ask(&c, paths[k], NULL, NULL, NULL);
		} while (r.status == 404);
	assert_int_equal(r.status, 200);
	assert_string_equal(reply_header(&r, "Content-Type"), "application/pkix-crl");
	p = (const unsigned char *)r.body;
	crl = d2i_X509_CRL(NULL, &p, (long)r.len);
	assert_non_null(crl);
	assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(ca_cert(site.ca, ""))), 1);
	X509_CRL_free(crl);
	reply_free(&r);
	r = ask(&c, "/crl/other.crl", NULL, NULL, NULL);
	assert_int_equal(r.status, 404);
	reply_free(&r);
	client_close(&c);
}

/* --- bindings: 15.10 --- */

struct binding_row {
	const char *name;
	int version;
	const char *oid;
	enum { RIGHT, OTHER_CONNECTION, TRUNCATED, LONGER, WRONG_VERSION } how;
	mst_err want;
};

static const struct binding_row bindings[] = {
	{ "15.10 TLS 1.3 challengePassword right", TLS1_3_VERSION, OID_CHALLENGE, RIGHT, MST_OK },
	{ "15.10 TLS 1.2 challengePassword right", TLS1_2_VERSION, OID_CHALLENGE, RIGHT, MST_OK },
	{ "15.10 TLS 1.3 estIdentityLinking right", TLS1_3_VERSION, OID_LINKING, RIGHT, MST_OK },
	{ "15.10 TLS 1.2 estIdentityLinking right", TLS1_2_VERSION, OID_LINKING, RIGHT, MST_OK },
	{ "15.10 TLS 1.3 of another connection", TLS1_3_VERSION, OID_CHALLENGE, OTHER_CONNECTION,
	    MST_E_CSR_BINDING },
	{ "15.10 TLS 1.2 of another connection", TLS1_2_VERSION, OID_CHALLENGE, OTHER_CONNECTION,
	    MST_E_CSR_BINDING },
	{ "15.10 TLS 1.3 truncated", TLS1_3_VERSION, OID_CHALLENGE, TRUNCATED, MST_E_CSR_BINDING },
	{ "15.10 TLS 1.2 truncated", TLS1_2_VERSION, OID_CHALLENGE, TRUNCATED, MST_E_CSR_BINDING },
	{ "15.10 TLS 1.3 right prefix, longer", TLS1_3_VERSION, OID_CHALLENGE, LONGER,
	    MST_E_CSR_BINDING },
	{ "15.10 TLS 1.2 right prefix, longer", TLS1_2_VERSION, OID_CHALLENGE, LONGER,
	    MST_E_CSR_BINDING },
	{ "L5 TLS 1.3 with SSL_get_finished", TLS1_3_VERSION, OID_CHALLENGE, WRONG_VERSION,
	    MST_E_CSR_BINDING },
	{ "L4 TLS 1.2 with the exporter", TLS1_2_VERSION, OID_CHALLENGE, WRONG_VERSION,
	    MST_E_CSR_BINDING },
};
#define BINDINGS (sizeof bindings / sizeof bindings[0])

static char *
wrong_version(struct client *c)
{
	uint8_t v[64];
	size_t n = 32;

	if (SSL_version(c->tls) == TLS1_3_VERSION)
		n = SSL_get_finished(c->tls, v, sizeof v);
	else
		assert_int_equal(
		    SSL_export_keying_material(c->tls, v, n, "EXPORTER-Channel-Binding", 24,
		        (const unsigned char *)"", 0, 1),
		    1);
	return text_of(site.arena, mst_span_of(v, n));
}

static void
run_binding(void **state)
{
	const struct binding_row *b = *state;
	struct csr_spec spec = { .key = a_key("P-256 a"), .subject = POLICY };
	struct client c, other;
	struct reply r;
	char *text;

	connect_as(&c, dev.idevid, dev.key, b->version);
	connect_as(&other, dev.idevid, dev.key, b->version);
	assert_int_equal(SSL_version(c.tls), b->version);
	text = binding_of(&site, b->how == OTHER_CONNECTION ? &other : &c);
	if (b->how == TRUNCATED)
		text[strlen(text) / 4 * 4 - 4] = '\0';
	else if (b->how == LONGER)
		text = arena_printf(site.arena, "%sAAAA", text);
	else if (b->how == WRONG_VERSION)
		text = wrong_version(&c);
	csr_add_attr(&spec, b->oid, V_ASN1_UTF8STRING, text);
	r = ask(&c, EST "/simpleenroll", TYPE_PKCS10,
	    text_of(site.arena, csr_make(site.arena, &spec)), NULL);
	if (b->want == MST_OK) {
		X509_free(cert_of(&r));
	} else {
		assert_refused(&r, b->want);
		assert_int_equal(site_certs(&site), 0);
	}
	assert_string_equal(reply_header(&r, "Connection"), "close"); /* L7 */
	assert_true(client_ended(&c));
	reply_free(&r);
	client_close(&c);
	client_close(&other);
}

/* The server resumes nothing, so an offered session ends in a full handshake: L3 holds for it. */
static void
binding_where_a_session_was_offered_15_10(void **state)
{
	struct csr_spec spec = { .key = a_key("P-256 a"), .subject = POLICY };
	struct client c;
	struct reply r;
	SSL_SESSION *session;
	SSL_CTX *ctx;
	SSL *tls;

	(void)state;
	connect_as(&c, dev.idevid, dev.key, TLS1_2_VERSION);
	session = SSL_get1_session(c.tls);
	ctx = c.ctx;
	SSL_CTX_up_ref(ctx);
	client_close(&c);
	connect_as(&c, NULL, NULL, TLS1_2_VERSION); /* its socket is used */
	client_close(&c);
	client_open(&c, site.port, &(struct client_options){ .plain = true });
	tls = SSL_new(ctx);
	SSL_set_fd(tls, c.fd);
	SSL_set_session(tls, session);
	assert_int_equal(SSL_connect(tls), 1);
	assert_false(SSL_session_reused(tls));
	c.tls = tls;
	c.ctx = ctx;
	csr_add_attr(&spec, OID_CHALLENGE, V_ASN1_UTF8STRING, binding_of(&site, &c));
	r = ask(&c, EST "/simpleenroll", TYPE_PKCS10,
	    text_of(site.arena, csr_make(site.arena, &spec)), NULL);
	X509_free(cert_of(&r));
	reply_free(&r);
	SSL_SESSION_free(session);
	client_close(&c);
}

static int
group_setup(void **state)
{
	(void)state;
	site_keys_start();
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	site_keys_stop();
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest plain[] = {
		T(device_enrols_and_its_state_and_row_are_durable_EST_1),
		T(lost_answer_gets_the_same_certificate_15_13),
		T(repeat_after_a_new_voucher_enrols_again_C5),
		T(repeat_keeps_an_active_device_active_C5),
		T(repeat_by_a_device_quarantined_meanwhile_is_refused_A4),
		T(device_renews_and_stays_active_R4),
		T(renewal_on_the_same_key_is_a_new_certificate_R3),
		T(renewal_with_another_subject_15_8),
		T(renewal_without_certificate_15_8),
		T(renewal_with_the_idevid_15_8),
		T(renewal_with_a_certificate_of_another_ca_15_8),
		T(renewal_at_the_label_of_another_ca_15_8),
		T(renewal_with_a_revoked_certificate_15_8),
		T(revocation_holds_on_an_open_connection_A4),
		T(ldevid_of_a_device_may_not_enrol_J2),
		T(gate_over_the_wire_EST_3),
		T(accepted_after_202_on_a_new_connection_15_12),
		T(csr_with_a_bad_signature_15_9),
		T(csr_on_the_idevid_key_EST_2),
		T(key_of_another_device_EST_2),
		T(body_of_another_type_U5),
		T(bodies_that_are_read_15_1_15_2),
		T(bodies_that_are_refused_15_3_15_4),
		T(chunked_request_with_lower_case_headers_15_5_15_6),
		T(wrong_methods_15_7),
		T(client_without_certificate_EST_8),
		T(client_of_an_untrusted_manufacturer_A4),
		T(labels_U2_15_11),
		T(label_named_like_an_operation_15_11),
		T(cacerts_for_anybody_A1_H6_P3),
		T(csrattrs_are_per_device_K6),
		T(twins_have_subjects_of_their_own),
		T(crl_at_its_place_A1),
		T(binding_where_a_session_was_offered_15_10),
	};
	enum { PLAIN = sizeof plain / sizeof plain[0] };
	struct CMUnitTest tests[PLAIN + BINDINGS];

	memcpy(tests, plain, sizeof plain);
	for (size_t i = 0; i < BINDINGS; i++)
		tests[PLAIN + i] = (struct CMUnitTest){ bindings[i].name, run_binding, setup,
			teardown, (void *)(uintptr_t)&bindings[i] };
	return _cmocka_run_group_tests(
	    "est wire", tests, PLAIN + BINDINGS, group_setup, group_teardown);
}

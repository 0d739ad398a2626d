/* SPDX-License-Identifier: Apache-2.0 */
/* Each gate and each name of the CSR's judge alone, over TLS: status, row of the trail, nothing
 * stored. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/est/support_site.h"

#define SERIAL "SN-0042"
#define POLICY "O=Acme,serialNumber=" SERIAL

static struct site site;
static struct device_at_site dev;

struct attempt {
	struct device d; /* saved before the request */
	X509 *cert;
	EVP_PKEY *key;
	const char *op, *body; /* body NULL: csr */
	struct csr_spec csr;
	struct est_profile profiles[2];
};

/* Before the site opens: configuration; behind it: client, device and CSR. */
struct row {
	const char *name;
	void (*set)(struct attempt *w);
	void (*bend)(struct attempt *w);
	mst_err want;
};

#define BEND(name, ...)                                                                            \
	static void name(struct attempt *w)                                                        \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
/* EST-3: the gate */
BEND(not_seen, w->d.voucher_at = 0)
BEND(other_idevid, w->d.idevid_spki_sha256 = MST_LIT("X123456789abcdef0123456789abcdef"))
BEND(no_status, w->d.voucher_status = -1)
BEND(bad_status, w->d.voucher_status = 0)
BEND(audit_pending, w->d.audit_verdict = -1)
BEND(audit_bad, w->d.audit_verdict = 0)
BEND(pending, w->d.state = DEVICE_PENDING)
BEND(quarantined, w->d.state = DEVICE_QUARANTINED)
BEND(revoked, w->d.state = DEVICE_REVOKED)
BEND(retired, w->d.state = DEVICE_RETIRED)
BEND(rejected, w->d.decision = -1)
BEND(anonymous, w->cert = NULL; w->key = NULL)
BEND(untrusted, w->cert = pki()->client; w->key = pki()->client_key)
BEND(expired, assert_non_null(X509_gmtime_adj(X509_getm_notAfter(w->cert), -60));
     assert_true(X509_sign(w->cert, site.factory_key, EVP_sha256()) > 0))
BEND(no_serial, w->cert = a_cert("O=Factory", w->key, site.factory, site.factory_key);
     assert_non_null(arena_own(site.arena, w->cert, (void (*)(void *))X509_free)))
BEND(idevid_renews, w->op = EST "/simplereenroll")
BEND(keygen, w->op = EST "/serverkeygen")
BEND(fullcmc, w->op = EST "/fullcmc")
static const char *const zeta[] = { "zeta" };
BEND(label_of_others, w->profiles[1].manufacturers = (struct est_names){ zeta, 1 })
BEND(at_label, w->op = EST "/lab/simpleenroll")
/* section 3 of est.md: the body */
BEND(raw_der, w->body = "0\x82\x01")
BEND(no_base64, w->body = "!!!!")
BEND(nothing, w->body = "")
/* C1 to C9, EST-2: the CSR */
BEND(garbage, w->body = "AAAA")
BEND(other_signer, w->csr.signer = a_key("P-256 c"))
BEND(p224, w->csr.key = a_key("P-224"))
BEND(rsa1024, w->csr.key = a_key("RSA-1024"))
BEND(sha1, w->csr.md = EVP_sha1())
BEND(idevid_key, w->csr.key = dev.key)
BEND(other_subject, w->csr.subject = "O=Acme,serialNumber=SN-0043")
BEND(change_name, w->csr.attr[w->csr.attrs++] = (struct csr_attribute){
                      .oid = "1.3.6.1.5.5.7.7.36", .bytes = MST_LIT("\x30\x02\x30\x00") })
BEND(san_unasked, csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:sn-0042", 0))
BEND(san_wanted, w->profiles[0].san = EST_SAN_SERIAL)
BEND(san_missing, (void)w)
BEND(unknown_critical,
    w->csr.ext[w->csr.exts++] = (struct csr_extension){
        .oid = "1.3.6.1.4.1.99999.1", .bytes = MST_LIT("\x05\x00"), .critical = 1 })
BEND(ca_true, csr_add_ext(&w->csr, NID_basic_constraints, "CA:TRUE", 0))
BEND(ku_cert_sign, csr_add_ext(&w->csr, NID_key_usage, "digitalSignature,keyCertSign", 1))
BEND(password, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, "secret"))
static void
binding_wanted(struct attempt *w)
{
	(void)w;
	site.config.binding_required = true;
}
BEND(not_bound, (void)w)
static void
keygen_on(struct attempt *w)
{
	(void)w;
	site.config.keygen = true;
}
BEND(keygen_symmetric, keygen(w);
     csr_add_attr(&w->csr, "1.2.840.113549.1.9.16.2.37", V_ASN1_OCTET_STRING, "id"))

#define ROW(clause, set, bend, want)                                                               \
	{                                                                                          \
		clause " " #bend " over the wire", set, bend, want                                 \
	}
static const struct row rows[] = {
	ROW("J1", NULL, not_seen, MST_E_EST_GATE_VOUCHER),
	ROW("A6", NULL, other_idevid, MST_E_EST_GATE_VOUCHER),
	ROW("EST-3", NULL, no_status, MST_E_EST_GATE_STATUS),
	ROW("EST-3", NULL, bad_status, MST_E_EST_GATE_STATUS),
	ROW("RFC 8995 5.8.3", NULL, audit_pending, MST_E_EST_GATE_AUDIT_PENDING),
	ROW("RFC 8995 5.8.3", NULL, audit_bad, MST_E_EST_GATE_AUDIT),
	ROW("EST-3", NULL, pending, MST_E_AUTHZ_PENDING),
	ROW("RFC 8995 5.8.3", NULL, quarantined, MST_E_AUTHZ_QUARANTINED),
	ROW("A4", NULL, revoked, MST_E_AUTHZ_QUARANTINED),
	ROW("A4", NULL, retired, MST_E_AUTHZ_QUARANTINED),
	ROW("A4", NULL, rejected, MST_E_AUTHZ_QUARANTINED),
	ROW("EST-8", NULL, anonymous, MST_E_TLS_NO_CLIENT_CERT),
	ROW("A4", NULL, untrusted, MST_E_TLS_UNTRUSTED_MANUFACTURER),
	ROW("A4", NULL, expired, MST_E_TLS_IDEVID_EXPIRED),
	ROW("ID-1", NULL, no_serial, MST_E_TLS_IDEVID_SERIAL),
	ROW("R4", NULL, idevid_renews, MST_E_EST_CLIENT_CERT),
	ROW("G1", NULL, keygen, MST_E_EST_DISABLED),
	ROW("12", NULL, fullcmc, MST_E_EST_DISABLED),
	ROW("U2", label_of_others, at_label, MST_E_EST_LABEL_DENIED),
	ROW("B3", NULL, raw_der, MST_E_BASE64_RAW_DER),
	ROW("B3", NULL, no_base64, MST_E_BASE64),
	ROW("B3", NULL, nothing, MST_E_BASE64),
	ROW("C1", NULL, garbage, MST_E_CSR_PARSE),
	ROW("RFC 7030 3.4", NULL, other_signer, MST_E_CSR_POP),
	ROW("C2", NULL, p224, MST_E_CSR_KEY),
	ROW("C2", NULL, rsa1024, MST_E_CSR_KEY),
	ROW("CMS-5", NULL, sha1, MST_E_CSR_ALGORITHM),
	ROW("EST-2", NULL, idevid_key, MST_E_CSR_KEY_IDEVID),
	ROW("RFC 8995 5.9.2", NULL, other_subject, MST_E_CSR_SUBJECT),
	ROW("C3", NULL, change_name, MST_E_CSR_SUBJECT),
	ROW("C4", NULL, san_unasked, MST_E_CSR_SAN),
	ROW("K9", san_wanted, san_missing, MST_E_CSR_ATTRIBUTE),
	ROW("C4", NULL, unknown_critical, MST_E_CSR_EXTENSION),
	ROW("C4", NULL, ca_true, MST_E_CSR_CA),
	ROW("C4", NULL, ku_cert_sign, MST_E_CSR_CA),
	ROW("L9", NULL, password, MST_E_CSR_BINDING),
	ROW("L1", binding_wanted, not_bound, MST_E_CSR_BINDING_MISSING),
	ROW("G3", keygen_on, keygen_symmetric, MST_E_KEYGEN_KEY_ID),
};

static void
run_row(void **state)
{
	const struct row *r = *state;
	struct device after;
	struct client c;
	struct reply reply;
	struct attempt w = { .op = EST "/simpleenroll",
		.csr = { .key = a_key("P-256 a"), .subject = POLICY } };

	site_init(&site);
	memcpy(w.profiles, site.config.profiles, sizeof w.profiles);
	site.config.profiles = w.profiles;
	if (r->set != NULL)
		r->set(&w);
	site_open(&site);
	dev = site_device(&site, SERIAL);
	w.cert = dev.idevid;
	w.key = dev.key;
	w.d = site_device_row(&site, dev.id);
	r->bend(&w);
	site_device_save(&site, &w.d);
	client_open(&c, site.port, &(struct client_options){ .cert = w.cert, .key = w.key });
	reply = ask(&c, w.op, TYPE_PKCS10,
	    w.body != NULL ? w.body : text_of(site.arena, csr_make(site.arena, &w.csr)), NULL);
	assert_refused(&reply, r->want);
	assert_in_trail(&site, &reply, r->want);
	assert_int_equal(site_certs(&site), 0);
	after = site_device_row(&site, dev.id);
	assert_int_equal(after.state, w.d.state);
	assert_int_equal(after.decision, w.d.decision);
	assert_int_equal(after.audit_verdict, w.d.audit_verdict);
	assert_int_equal(after.voucher_status, w.d.voucher_status);
	assert_int_equal(after.enroll_status, -1);
	reply_free(&reply);
	client_close(&c);
	site_close(&site);
	site_wipe(&site);
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

int
main(void)
{
	enum { COUNT = sizeof rows / sizeof rows[0] };
	struct CMUnitTest tests[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, run_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	return _cmocka_run_group_tests("est refusals", tests, COUNT, group_setup, group_teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals of EST over both wires: gate, CSR, binding, renewal, serverkeygen (est.md). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/bn.h>

#include "tests/twins/twins.h"

#define BEND(name, ...)                                                                            \
	static void name(struct twin *t)                                                           \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

BEND(nothing, (void)t)

/* --- who asks --- */
static void
be(struct twin *t, const struct id_spec *spec)
{
	t->other = id_make(spec);
	t->client = &t->other;
}
#define BE(...) be(t, &(struct id_spec){ .kind = ID_DEVICE, .cn = "d", __VA_ARGS__ })
BEND(anonymous, t->client = NULL)
BEND(stranger, BE(.serial_number = t->serial, .issuer = &site.stranger_ca))
BEND(expired, BE(.serial_number = t->serial, .issuer = &site.maker, .from = -7200, .until = -60))
BEND(sha1_cert, BE(.serial_number = t->serial, .issuer = &site.maker, .flags = ID_SHA1))
BEND(no_serial, BE(.issuer = &site.maker))
BEND(unknown, BE(.serial_number = "T-nobody", .issuer = &site.maker))
BEND(other_idevid, BE(.serial_number = t->serial, .issuer = &site.maker))
BEND(forged_ldevid, BE(.serial_number = t->serial, .issuer = &site.root))
BEND(idevid, t->client = &t->device)
BEND(ldevid, t->ldevid = site_ldevid(t->serial); t->client = &t->ldevid)
static void
ldevid_of(struct twin *t, long from, long until)
{
	t->other = ID(.kind = ID_DEVICE, .cn = t->serial, .issuer = &site.root, .from = from,
	    .until = until);
	site_record(&t->other, t->serial);
	t->client = &t->other;
}
BEND(ldevid_expired, ldevid_of(t, -7200, -60))
BEND(ldevid_not_yet, ldevid_of(t, 3600, 7200)) /* its validity is not that of the row */
BEND(ldevid_revoked, twin_revoke(t->ldevid.cert))

/* --- the gate: fields of the device's row --- */
#define ROW(name, ...)                                                                             \
	static void name(struct twin *t)                                                           \
	{                                                                                          \
		struct device d = twin_row(t);                                                     \
                                                                                                   \
		__VA_ARGS__;                                                                       \
		twin_save(&d);                                                                     \
	}
ROW(pending, d.state = DEVICE_PENDING)
ROW(quarantined, d.state = DEVICE_QUARANTINED)
ROW(quarantined_override, d.state = DEVICE_QUARANTINED; d.audit_override = 1)
ROW(revoked, d.state = DEVICE_REVOKED)
ROW(retired, d.state = DEVICE_RETIRED)
ROW(rejected, d.decision = -1)
ROW(no_voucher, d.voucher_at = 0)
ROW(idevid_not_bound, d.idevid_spki_sha256 = MST_NONE)
ROW(status_absent, d.voucher_status = -1)
ROW(status_false, d.voucher_status = 0)
ROW(audit_pending, d.audit_verdict = -1)
ROW(audit_bad, d.audit_verdict = 0)
static void
maker_disabled(struct twin *t)
{
	struct manufacturer m = site.maker_row;

	(void)t;
	m.enabled = false;
	twin_maker(&m);
}

/* --- where and in what --- */
BEND(other_makers, t->option = OTHER_MAKERS)
BEND(lab, t->label = "lab")
BEND(lab_quarantined, t->label = "lab"; quarantined(t))
BEND(no_label, t->label = "nolab")
BEND(no_operation, t->path = t->wire == ON_COAPS ? "/e/fullcmc" : "/.well-known/est/nothing")
BEND(get_alone, t->path = t->wire == ON_COAPS ? "/e/crts" : "/.well-known/est/cacerts")
BEND(status_false_optional, t->option = STATUS_OPTIONAL; status_false(t))
BEND(waits, t->option = MANUAL)
BEND(as_json, t->type = "application/json")
BEND(as_octets, t->type = "application/octet-stream")

/* --- the CSR --- */
static void
with_der(struct twin *t, size_t more, long at, uint8_t value)
{
	mst_span good = csr_make(t->a, &t->csr);
	uint8_t *copy = arena_alloc(t->a, good.len + more);

	memset(copy, 0, good.len + more);
	memcpy(copy, good.ptr, good.len);
	if (at >= 0)
		copy[at] = value;
	t->body = mst_span_of(copy, good.len + more);
}
BEND(garbage, t->body = MST_LIT("0\x03not"))
BEND(trailing, with_der(t, 1, -1, 0))
BEND(indefinite, with_der(t, 2, 1, 0x80))
BEND(length_overflow, t->body = MST_LIT("\x30\x84\xff\xff\xff\xff\x30\x05"))
BEND(nested, t->body = csr_nested(t->a))
BEND(nested_in_attribute, t->csr.attr[t->csr.attrs++] = (struct csr_attribute){
                              .oid = OID_EXTENSIONS, .bytes = csr_nested(t->a) })
BEND(version_2, t->csr.version = 1)
BEND(other_signer, t->csr.signer = a_key("P-256 c"))
static void
signature_bit(struct twin *t)
{
	with_der(t, 0, -1, 0);
	((uint8_t *)(uintptr_t)t->body.ptr)[t->body.len - 1] ^= 1;
}
BEND(cut, with_der(t, 0, -1, 0); t->body.len--)
BEND(rsa1024, t->csr.key = a_key("RSA-1024"))
BEND(p224, t->csr.key = a_key("P-224"))
BEND(secp256k1, t->csr.key = a_key("secp256k1"))
#define RSA(name, bits, e) BEND(name, t->body = csr_rsa(t->a, t->csr.subject, bits, e))
RSA(rsa2047, 2047, 65537)
RSA(rsa4097, 4097, 65537)
RSA(rsa8192, 8192, 65537)
RSA(rsa_e3, 2048, 3)
RSA(rsa_e_even, 2048, 65538)
RSA(rsa_e_huge, 2048, 0)
RSA(rsa_not_signed_by_it, 4096, 65537)
static void
encoded(struct twin *t, const char *what, const char *how)
{
	EVP_PKEY *k = EVP_PKEY_dup(t->key);

	assert_int_equal(EVP_PKEY_set_utf8_string_param(k, what, how), 1);
	t->csr.key = k;
	t->body = csr_make(t->a, &t->csr);
	EVP_PKEY_free(k);
}
BEND(compressed, encoded(t, "point-format", "compressed"))
BEND(explicit_curve, encoded(t, "encoding", "explicit"))
BEND(sha1, t->csr.md = EVP_sha1())
BEND(sha224, t->csr.md = EVP_sha224())
BEND(pss_sha1, t->csr.key = a_key("RSA-2048"); t->csr.pss = 1; t->csr.md = EVP_sha1())
BEND(md5, t->csr.key = a_key("RSA-2048"); t->csr.md = EVP_md5())
BEND(idevid_key, t->csr.key = t->device.key)
/* Of another device that was given a certificate for it. */
static void
key_reused(struct twin *t)
{
	struct twin first;
	struct twin_verdict v;

	twin_begin(&first, t->wire, OP_ENROLL);
	twin_ask(&first, &v);
	assert_int_equal(v.status / 100, 2);
	EVP_PKEY_free(t->key);
	EVP_PKEY_up_ref(t->key = first.key);
	t->csr.key = t->key;
	twin_end(&first);
}

static void
subject(struct twin *t, const char *fmt)
{
	t->csr.subject = arena_printf(t->a, fmt, t->serial);
}
BEND(other_serial, t->csr.subject = "O=Acme,serialNumber=T-x")
BEND(serial_case, subject(t, "O=Acme,serialNumber=%s"); strchr(t->csr.subject, 'T')[0] = 't')
BEND(serial_spaces, subject(t, "O=Acme,serialNumber= %s"))
BEND(serial_twice, t->csr.subject = arena_printf(
                       t->a, "O=Acme,serialNumber=%s,serialNumber=%s", t->serial, t->serial))
BEND(more_rdns, subject(t, "O=Acme,serialNumber=%s,CN=admin"))
BEND(other_o, subject(t, "O=Other,serialNumber=%s"))
BEND(o_alone, t->csr.subject = "O=Acme")
BEND(serial_alone_case, subject(t, "serialNumber=%s"); strchr(t->csr.subject, 'T')[0] = 't')
BEND(idevid_subject_case, subject(t, "CN=d,serialNumber=%s"); strchr(t->csr.subject, 'T')[0] = 't')
BEND(cn_serial, subject(t, "CN=%s"))
BEND(empty_subject, t->csr.subject = "")
BEND(idevid_subject_more, subject(t, "CN=d,serialNumber=%s,OU=x"))

#define EXT(name, nid, text, critical) BEND(name, csr_add_ext(&t->csr, nid, text, critical))
EXT(san_unasked, NID_subject_alt_name, "DNS:t-0000", 0)
BEND(san_missing, t->option = WITH_SAN)
BEND(san_other, t->option = WITH_SAN; csr_add_ext(&t->csr, NID_subject_alt_name, "DNS:sn-0043", 0))
/* The names that policy gives: the serial number as a host. */
static void
add_san(struct twin *t, const char *fmt)
{
	char *host = arena_printf(t->a, "%s", t->serial);

	host[0] = 't';
	csr_add_ext(&t->csr, NID_subject_alt_name, arena_printf(t->a, fmt, host, host), 0);
}
BEND(san_right, t->option = WITH_SAN; add_san(t, "DNS:%s"))
BEND(san_more, t->option = WITH_SAN; add_san(t, "DNS:%s,DNS:gateway"))
BEND(san_ip, t->option = WITH_SAN; csr_add_ext(&t->csr, NID_subject_alt_name, "IP:192.0.2.1", 0))
static void
san_bytes(struct twin *t, mst_span bytes)
{
	t->option = WITH_SAN;
	t->csr.ext[t->csr.exts++] =
	    (struct csr_extension){ .nid = NID_subject_alt_name, .bytes = bytes };
}
BEND(san_trailing, san_bytes(t, MST_LIT("\x30\x05\x82\x03"
                                        "abc\x00")))
BEND(san_no_names, san_bytes(t, MST_LIT("\x30\x00")))
BEND(san_no_sequence, san_bytes(t, MST_LIT("\x04\x00")))
EXT(ca_true, NID_basic_constraints, "CA:TRUE", 0)
EXT(ku_cert_sign, NID_key_usage, "digitalSignature,keyCertSign", 1)
EXT(ku_crl_sign, NID_key_usage, "cRLSign", 0)
EXT(name_constraints, NID_name_constraints, "permitted;DNS:x", 1)
static void
unknown_extension(struct twin *t, int critical)
{
	t->csr.ext[t->csr.exts++] = (struct csr_extension){
		.oid = "1.3.6.1.4.1.99999.1", .bytes = MST_LIT("\x05\x00"), .critical = critical
	};
}
BEND(unknown_critical, unknown_extension(t, 1))
BEND(unknown_harmless, unknown_extension(t, 0))
BEND(extension_twice, csr_add_ext(&t->csr, NID_key_usage, "digitalSignature", 1);
     csr_add_ext(&t->csr, NID_key_usage, "digitalSignature", 1))
BEND(ms_extensions_ca, t->csr.extensions_oid = OID_EXTENSIONS_MS;
     csr_add_ext(&t->csr, NID_basic_constraints, "CA:TRUE", 0))
static void
attribute(struct twin *t, struct csr_attribute a)
{
	t->csr.attr[t->csr.attrs++] = a;
}
BEND(extensions_twice, csr_add_ext(&t->csr, NID_key_usage, "digitalSignature", 1); attribute(
    t, (struct csr_attribute){ .oid = OID_EXTENSIONS_MS,
           .bytes = MST_LIT("\x30\x0e\x30\x0c\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff") }))
BEND(extensions_two_values,
    attribute(t,
        (struct csr_attribute){ .oid = OID_EXTENSIONS, .bytes = MST_LIT("\x30\x00"), .copies = 2 }))
BEND(extensions_no_value,
    attribute(t, (struct csr_attribute){ .oid = OID_EXTENSIONS, .copies = -1 }))
BEND(extensions_no_sequence, csr_add_attr(&t->csr, OID_EXTENSIONS, V_ASN1_UTF8STRING, "x"))
BEND(basic_constraints_garbage, t->csr.ext[t->csr.exts++] = (struct csr_extension){
                                    .nid = NID_basic_constraints, .bytes = MST_LIT("\x30\x01") })
BEND(change_name, attribute(t, (struct csr_attribute){ .oid = "1.3.6.1.5.5.7.7.36",
                                   .bytes = MST_LIT("\x30\x02\x30\x00") }))

/* --- the binding: section 8 --- */
BEND(bound, t->binding = BINDING)
BEND(bound_printable, t->binding = BINDING; t->binding_type = V_ASN1_PRINTABLESTRING)
BEND(linking, t->binding = BINDING; t->binding_oid = OID_LINKING)
BEND(bound_required, t->binding = BINDING; t->option = BINDING_REQUIRED)
BEND(not_bound_required, t->option = BINDING_REQUIRED)
BEND(bound_cut, t->binding = BINDING_CUT)
BEND(bound_half, t->binding = BINDING_HALF)
BEND(bound_text_cut, t->binding = BINDING_TEXT_CUT)
BEND(bound_longer, t->binding = BINDING_LONGER)
BEND(bound_newline, t->binding = BINDING_NEWLINE)
BEND(bound_bit, t->binding = BINDING_BIT)
BEND(bound_empty, t->binding = BINDING_EMPTY)
BEND(bound_elsewhere, t->binding = BINDING_OF_ANOTHER)
BEND(bound_octets, t->binding = BINDING; t->binding_type = V_ASN1_OCTET_STRING)
BEND(bound_two_values, t->binding = BINDING; t->binding_copies = 2)
BEND(bound_twice, t->binding = BINDING_TWICE)
BEND(linking_cut, t->binding = BINDING_CUT; t->binding_oid = OID_LINKING)
BEND(linking_cut_ignored, linking_cut(t); t->option = CHALLENGE_IGNORED)
BEND(linking_right_challenge_wrong, linking(t);
     csr_add_attr(&t->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, "secret"))
BEND(password, csr_add_attr(&t->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, "secret"))
BEND(otp, csr_add_attr(&t->csr, "1.2.840.113549.1.9.16.2.56", V_ASN1_UTF8STRING, "123456"))

/* --- renewal, keys of the server --- */
BEND(renews_other_subject, t->csr.subject = "O=Acme,serialNumber=T-x")
BEND(renews_more_subject, subject(t, "O=Acme,serialNumber=%s,CN=admin"))
BEND(renews_less_subject, subject(t, "serialNumber=%s"))
BEND(renews_with_san, csr_add_ext(&t->csr, NID_subject_alt_name, "DNS:one.example", 0))
/* One whose certificate has a name. */
static void
with_san(struct twin *t)
{
	struct twin_verdict v;
	enum wire wire = t->wire;

	twin_end(t);
	twin_begin(t, wire, OP_ENROLL);
	san_right(t);
	twin_ask(t, &v);
	assert_int_equal(v.status / 100, 2);
	twin_enrolled(t);
}
BEND(renews_san, with_san(t); add_san(t, "DNS:%s"))
BEND(renews_san_dropped, with_san(t))
BEND(renews_san_twice, with_san(t); add_san(t, "DNS:%s,DNS:%s"))
BEND(renews_san_more, with_san(t); add_san(t, "DNS:%s,DNS:evil.example"))
BEND(renews_san_other, with_san(t);
     csr_add_ext(&t->csr, NID_subject_alt_name, "DNS:evil.example", 0))
BEND(renews_same_key, t->csr.key = t->ldevid.key; t->option = REKEY)
BEND(renews_early, t->option = WINDOW)
BEND(renews_elsewhere, t->option = OTHER_MAKERS; t->label = "lab")
BEND(keygen_symmetric,
    csr_add_attr(&t->csr, "1.2.840.113549.1.9.16.2.37", V_ASN1_OCTET_STRING, "id"))
BEND(keygen_asymmetric,
    csr_add_attr(&t->csr, "1.2.840.113549.1.9.16.2.54", V_ASN1_OCTET_STRING, "id"))

#define GOOD(op, what, clause, bend)                                                               \
	{                                                                                          \
		clause " good: " what " " #bend, op, bend, MST_OK, MST_OK, 0                       \
	}
#define E(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " sen " #bend, OP_ENROLL, bend, MST_E_##want, MST_OK, 0                     \
	}
#define R(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " sren " #bend, OP_REENROLL, bend, MST_E_##want, MST_OK, 0                  \
	}
#define K(clause, bend, want)                                                                      \
	{                                                                                          \
		clause " skg " #bend, OP_KEYGEN, bend, MST_E_##want, MST_OK, 0                     \
	}
#define WITH(clause, what, op, bend, want, flags)                                                  \
	{                                                                                          \
		clause " " what " " #bend, op, bend, MST_E_##want, MST_OK, flags                   \
	}

const struct twin_case est_cases[] = {
	GOOD(OP_ENROLL, "sen", "EST-1", nothing),
	GOOD(OP_REENROLL, "sren", "R1", nothing),
	GOOD(OP_KEYGEN, "skg", "G1", nothing),
	GOOD(OP_ENROLL, "sen", "L2", bound),
	GOOD(OP_ENROLL, "sen", "L2", bound_printable),
	GOOD(OP_ENROLL, "sen", "L2", linking),
	GOOD(OP_ENROLL, "sen", "L1", bound_required),
	GOOD(OP_ENROLL, "sen", "K9", san_right),
	GOOD(OP_REENROLL, "sren", "R1", renews_san),
	/* who */
	WITH("EST-8", "sen", OP_ENROLL, anonymous, TLS_NO_CLIENT_CERT, NO_SESSION),
	WITH("A3", "sren", OP_REENROLL, anonymous, EST_CLIENT_CERT, NO_SESSION),
	E("A4", stranger, TLS_UNTRUSTED_MANUFACTURER),
	E("A4", expired, TLS_IDEVID_EXPIRED),
	E("CMS-5", sha1_cert, X509_WEAK),
	E("ID-1", no_serial, TLS_IDEVID_SERIAL),
	E("A4", forged_ldevid, TLS_LDEVID_UNKNOWN),
	E("A4", ldevid_expired, TLS_LDEVID_EXPIRED),
	E("A4", ldevid_not_yet, TLS_UNTRUSTED_MANUFACTURER),
	E("J2", ldevid, EST_CLIENT_CERT),
	E("8.2-8", maker_disabled, AUTHZ_MANUFACTURER),
	/* gate */
	E("J1", unknown, EST_GATE_VOUCHER),
	E("A6", other_idevid, EST_GATE_VOUCHER),
	E("A6", idevid_not_bound, EST_GATE_VOUCHER),
	E("J1", no_voucher, EST_GATE_VOUCHER),
	E("EST-3", status_absent, EST_GATE_STATUS),
	E("EST-3", status_false, EST_GATE_STATUS),
	E("EST-3", status_false_optional, EST_GATE_STATUS),
	E("RFC 8995 5.8.3", audit_pending, EST_GATE_AUDIT_PENDING),
	E("RFC 8995 5.8.3", audit_bad, EST_GATE_AUDIT),
	E("EST-3", pending, AUTHZ_PENDING),
	E("RFC 8995 5.8.3", quarantined, AUTHZ_QUARANTINED),
	E("EST-3", quarantined_override, AUTHZ_QUARANTINED),
	E("A4", revoked, AUTHZ_QUARANTINED),
	E("A4", retired, AUTHZ_QUARANTINED),
	E("A4", rejected, AUTHZ_QUARANTINED),
	/* where, and in what */
	E("U2", other_makers, EST_LABEL_DENIED),
	E("U2", lab, EST_LABEL_DENIED),
	E("U2", lab_quarantined, AUTHZ_QUARANTINED),
	E("U3", no_operation, HTTP_PATH),
	E("15.7", get_alone, HTTP_METHOD),
	E("15.11", no_label, HTTP_PATH),
	E("EST-9", waits, EST_PENDING),
	WITH("U5", "sen", OP_ENROLL, as_json, MEDIA_UNSUPPORTED, BY_TABLE),
	WITH("U5", "sen", OP_ENROLL, as_octets, MEDIA_UNSUPPORTED, BY_TABLE),
	/* CSR */
	E("C1", garbage, CSR_PARSE),
	E("C1", trailing, CSR_PARSE),
	E("C1", indefinite, CSR_PARSE),
	E("15.18", length_overflow, CSR_PARSE),
	E("15.18", nested, CSR_PARSE),
	E("15.18", nested_in_attribute, CSR_EXTENSION),
	E("C1", version_2, CSR_PARSE),
	E("C1", cut, CSR_PARSE),
	E("15.9", other_signer, CSR_POP),
	E("RFC 7030 3.4", signature_bit, CSR_POP),
	E("C2", rsa1024, CSR_KEY),
	E("C2", p224, CSR_KEY),
	E("C2", secp256k1, CSR_KEY),
	E("C2", rsa2047, CSR_KEY),
	E("C2", rsa4097, CSR_KEY),
	E("C2", rsa8192, CSR_KEY),
	E("C2", rsa_e3, CSR_KEY),
	E("C2", rsa_e_even, CSR_KEY),
	E("C2", rsa_e_huge, CSR_KEY),
	E("C1", rsa_not_signed_by_it, CSR_POP),
	E("C2", compressed, CSR_KEY),
	E("C2", explicit_curve, CSR_KEY),
	E("CMS-5", sha1, CSR_ALGORITHM),
	E("CMS-5", sha224, CSR_ALGORITHM),
	E("CMS-5", pss_sha1, CSR_ALGORITHM),
	E("CMS-5", md5, CSR_ALGORITHM),
	E("EST-2", idevid_key, CSR_KEY_IDEVID),
	E("EST-2", key_reused, CSR_KEY_REUSED),
	E("RFC 8995 5.9.2", other_serial, CSR_SUBJECT),
	E("RFC 8995 5.9.2", serial_case, CSR_SUBJECT),
	E("RFC 8995 5.9.2", serial_spaces, CSR_SUBJECT),
	E("RFC 8995 5.9.2", serial_twice, CSR_SUBJECT),
	E("RFC 8995 5.9.2", more_rdns, CSR_SUBJECT),
	E("RFC 8995 5.9.2", other_o, CSR_SUBJECT),
	E("RFC 8995 5.9.2", o_alone, CSR_SUBJECT),
	E("RFC 8995 5.9.2", serial_alone_case, CSR_SUBJECT),
	E("RFC 8995 5.9.2", idevid_subject_case, CSR_SUBJECT),
	E("RFC 8995 5.9.2", cn_serial, CSR_SUBJECT),
	E("RFC 8995 5.9.2", empty_subject, CSR_SUBJECT),
	E("RFC 8995 5.9.2", idevid_subject_more, CSR_SUBJECT),
	E("C4", san_unasked, CSR_SAN),
	E("K9", san_missing, CSR_ATTRIBUTE),
	E("K9", san_other, CSR_SAN),
	E("C4", san_more, CSR_SAN),
	E("C4", san_ip, CSR_SAN),
	E("C4", san_trailing, CSR_SAN),
	E("C4", san_no_names, CSR_SAN),
	E("C4", san_no_sequence, CSR_SAN),
	E("C4", ca_true, CSR_CA),
	E("C4", ku_cert_sign, CSR_CA),
	E("C4", ku_crl_sign, CSR_CA),
	E("C4", ms_extensions_ca, CSR_CA),
	E("C4", unknown_critical, CSR_EXTENSION),
	E("EST-2", unknown_harmless, CSR_EXTENSION),
	E("C4", name_constraints, CSR_EXTENSION),
	E("RFC 5280 4.2", extension_twice, CSR_EXTENSION),
	E("C4", extensions_twice, CSR_EXTENSION),
	E("C4", extensions_two_values, CSR_EXTENSION),
	E("C4", extensions_no_value, CSR_EXTENSION),
	E("C4", extensions_no_sequence, CSR_EXTENSION),
	E("C4", basic_constraints_garbage, CSR_EXTENSION),
	E("C3", change_name, CSR_SUBJECT),
	/* binding */
	E("L1", not_bound_required, CSR_BINDING_MISSING),
	E("15.10", bound_cut, CSR_BINDING),
	E("15.10", bound_half, CSR_BINDING),
	E("15.10", bound_text_cut, CSR_BINDING),
	E("15.10", bound_longer, CSR_BINDING),
	E("L2", bound_newline, CSR_BINDING),
	E("15.10", bound_bit, CSR_BINDING),
	E("L6", bound_empty, CSR_BINDING),
	E("15.10", bound_elsewhere, CSR_BINDING),
	E("L2", bound_octets, CSR_BINDING),
	E("L2", bound_two_values, CSR_BINDING),
	E("L2", linking_cut, CSR_BINDING),
	E("L2", linking_cut_ignored, CSR_BINDING),
	E("L2", linking_right_challenge_wrong, CSR_BINDING),
	E("L9", password, CSR_BINDING),
	E("RFC 7894 3.2", otp, CSR_BINDING),
	/* renewal */
	R("15.8", idevid, EST_CLIENT_CERT),
	R("15.8", stranger, TLS_UNTRUSTED_MANUFACTURER),
	R("15.8", forged_ldevid, TLS_LDEVID_UNKNOWN),
	R("15.8", ldevid_revoked, TLS_LDEVID_REVOKED),
	R("A4", ldevid_expired, TLS_LDEVID_EXPIRED),
	R("A4", quarantined, AUTHZ_QUARANTINED),
	R("A4", revoked, AUTHZ_QUARANTINED),
	R("A4", retired, AUTHZ_QUARANTINED),
	R("A4", rejected, AUTHZ_QUARANTINED),
	R("15.8", renews_elsewhere, EST_CLIENT_CERT),
	R("U2", other_makers, EST_LABEL_DENIED),
	R("15.8 R1", renews_other_subject, CSR_REENROLL_SUBJECT),
	R("15.8 R1", renews_more_subject, CSR_REENROLL_SUBJECT),
	R("15.8 R1", renews_less_subject, CSR_REENROLL_SUBJECT),
	R("R1", renews_with_san, CSR_REENROLL_SAN),
	R("15.8 R1", renews_san_dropped, CSR_REENROLL_SAN),
	R("R1", renews_san_twice, CSR_REENROLL_SAN),
	R("R1", renews_san_more, CSR_REENROLL_SAN),
	R("R1", renews_san_other, CSR_REENROLL_SAN),
	R("R3", renews_same_key, CSR_RENEW_SAME_KEY),
	R("R4", renews_early, CSR_TOO_EARLY),
	R("EST-2", idevid_key, CSR_KEY_IDEVID),
	R("R2", change_name, CSR_SUBJECT),
	R("C4", ca_true, CSR_CA),
	R("RFC 7030 3.4", other_signer, CSR_POP),
	R("L1", bound_cut, CSR_BINDING),
	WITH("U5", "sren", OP_REENROLL, as_json, MEDIA_UNSUPPORTED, BY_TABLE),
	/* keys of the server */
	K("EST-3", audit_bad, EST_GATE_AUDIT),
	K("J2", ldevid, EST_CLIENT_CERT),
	K("A4", stranger, TLS_UNTRUSTED_MANUFACTURER),
	K("G3", keygen_symmetric, KEYGEN_KEY_ID),
	K("G3", keygen_asymmetric, KEYGEN_KEY_ID),
	K("EST-2", other_serial, CSR_SUBJECT),
	K("C4", ca_true, CSR_CA),
	K("L1", bound_cut, CSR_BINDING),
	K("L2", bound_twice, CSR_BINDING),
	K("U2", other_makers, EST_LABEL_DENIED),
};
const size_t est_case_count = sizeof est_cases / sizeof est_cases[0];

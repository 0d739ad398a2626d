/* SPDX-License-Identifier: Apache-2.0 */
/* The judgement of a CSR: from a good one, exactly one deviation each. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/base64.h"
#include "unit/est/support_csr.h"

#define NOW INT64_C(1800000000)
#define SERIAL "SN-0042"
#define POLICY "O=Acme,serialNumber=" SERIAL
#define IDEVID "C=DE,O=Factory,CN=Sensor,serialNumber=" SERIAL

static struct arena *arena;
static const char *const alices[] = { "printer-1", "Lab", "printer-1.example", "alice" };
static const struct est_user alice = { "alice", alices, 4 };
static struct est_profile profile, with_san, with_rekey;
static X509 *ca, *idevid;
static const uint8_t binding[32] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

struct world {
	struct csr_spec csr;
	struct est_csr_in in;
	struct cert_row row;
	mst_span der; /* set: instead of csr */
};

static void
device(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->csr = (struct csr_spec){ .key = a_key("P-256"), .subject = POLICY };
	w->in = (struct est_csr_in){ .op = EST_ENROLL,
		.class = TRUST_IDEVID,
		.leaf = idevid,
		.serial = MST_LIT(SERIAL),
		.idevid_spki_sha256 = a_spki_sha256(arena, a_key("P-256 idevid")),
		.identity = "idevid:acme:" SERIAL,
		.profile = &profile,
		.binding = mst_span_of(binding, sizeof binding),
		.now = NOW };
}

static void
renewal(struct world *w)
{
	device(w);
	w->csr.key = a_key("P-256 b");
	csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:one.example,DNS:two.example", 0);
	w->row = (struct cert_row){ .serial = MST_LIT("serial-of-16-byt"),
		.device = 7,
		.profile = "device",
		.ca = "",
		.subject = a_name_der(arena, POLICY),
		.san = a_san(arena, "DNS:one.example,DNS:two.example"),
		.spki = MST_LIT("the old key"),
		.not_before = NOW - 1000,
		.not_after = NOW + 1000 };
	w->in.op = EST_REENROLL;
	w->in.class = TRUST_LDEVID;
	w->in.row = &w->row;
}

static void
plain(struct world *w)
{
	device(w);
	w->csr.subject = "O=Acme,OU=Lab,CN=printer-1";
	w->in.class = TRUST_ANONYMOUS;
	w->in.leaf = NULL;
	w->in.serial = w->in.idevid_spki_sha256 = MST_NONE;
	w->in.identity = "basic:alice";
	w->in.user = &alice;
}

static void
keygen(struct world *w)
{
	device(w);
	w->in.op = EST_KEYGEN;
}

static mst_err
judge(struct world *w, struct est_csr *out, const char **words)
{
	w->in.der = w->der.ptr != NULL ? w->der : csr_make(arena, &w->csr);
	return est_judge_csr(arena, &w->in, out, words);
}

static char *
bound(size_t cut)
{
	uint8_t text[64];
	struct mst_buf b = MST_BUF(text);

	assert_int_equal(mst_base64_encode(mst_span_of(binding, sizeof binding - cut), &b), MST_OK);
	return arena_str(arena, mst_buf_span(&b));
}

#define BEND(name, ...)                                                                            \
	static void name(struct world *w)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

BEND(nothing, (void)w)
/* C1 */
static void
with_der(struct world *w, size_t more, long at, uint8_t value)
{
	mst_span good = csr_make(arena, &w->csr);
	uint8_t *copy = arena_alloc(arena, good.len + more);

	memcpy(copy, good.ptr, good.len);
	if (at >= 0)
		copy[at] = value;
	w->der = mst_span_of(copy, good.len + more);
}
BEND(empty, w->der = MST_LIT(""))
BEND(garbage, w->der = MST_LIT("0\x03not"))
BEND(trailing, with_der(w, 1, -1, 0))
BEND(indefinite, with_der(w, 2, 1, 0x80))
BEND(length_overflow, w->der = MST_LIT("\x30\x84\xff\xff\xff\xff\x30\x00"))
BEND(version_2, w->csr.version = 1)
BEND(nested, w->der = csr_nested(arena))
static void
nested_in_attribute(struct world *w)
{
	nested(w);
	w->csr.attr[w->csr.attrs++] =
	    (struct csr_attribute){ .oid = OID_EXTENSIONS, .bytes = w->der };
	w->der = MST_NONE;
}
BEND(other_signer, w->csr.signer = a_key("P-256 c"))
static void
signature_bit(struct world *w)
{
	mst_span good = csr_make(arena, &w->csr);

	with_der(w, 0, (long)good.len - 1, good.ptr[good.len - 1] ^ 1);
	/* ECDSA is random: flip the bit of this very copy */
	((uint8_t *)(uintptr_t)w->der.ptr)[w->der.len - 1] ^= 1;
}
/* C2 */
BEND(p384, w->csr.key = a_key("P-384"); w->csr.md = EVP_sha384())
BEND(p521, w->csr.key = a_key("P-521"); w->csr.md = EVP_sha512())
BEND(ed25519, w->csr.key = a_key("ED25519"))
BEND(rsa2048, w->csr.key = a_key("RSA-2048"))
BEND(rsa_pss, w->csr.key = a_key("RSA-2048"); w->csr.pss = 1)
BEND(rsa1024, w->csr.key = a_key("RSA-1024"))
BEND(p224, w->csr.key = a_key("P-224"))
BEND(secp256k1, w->csr.key = a_key("secp256k1"))
BEND(compressed, EVP_PKEY *k = EVP_PKEY_dup(a_key("P-256"));
     assert_int_equal(EVP_PKEY_set_utf8_string_param(k, "point-format", "compressed"), 1);
     w->csr.key = k; w->der = csr_make(arena, &w->csr); EVP_PKEY_free(k))
BEND(explicit_curve, EVP_PKEY *k = EVP_PKEY_dup(a_key("P-256"));
     assert_int_equal(EVP_PKEY_set_utf8_string_param(k, "encoding", "explicit"), 1); w->csr.key = k;
     w->der = csr_make(arena, &w->csr); EVP_PKEY_free(k))
BEND(rsa2047, w->der = csr_rsa(arena, POLICY, 2047, 65537))
BEND(rsa4097, w->der = csr_rsa(arena, POLICY, 4097, 65537))
BEND(rsa8192, w->der = csr_rsa(arena, POLICY, 8192, 65537))
BEND(rsa_e3, w->der = csr_rsa(arena, POLICY, 2048, 3))
BEND(rsa_e_even, w->der = csr_rsa(arena, POLICY, 2048, 65538))
BEND(rsa_e_huge, w->der = csr_rsa(arena, POLICY, 2048, 0))
BEND(rsa_not_signed_by_it, w->der = csr_rsa(arena, POLICY, 4096, 65537))
/* CMS-5 */
BEND(sha1, w->csr.md = EVP_sha1())
BEND(sha224, w->csr.md = EVP_sha224())
BEND(pss_sha1, w->csr.key = a_key("RSA-2048"); w->csr.pss = 1; w->csr.md = EVP_sha1())
BEND(md5, w->csr.key = a_key("RSA-2048"); w->csr.md = EVP_md5())
/* EST-2 */
BEND(idevid_key, w->csr.key = a_key("P-256 idevid"); w->in.idevid_spki_sha256 = MST_NONE)
BEND(idevid_key_known, w->csr.key = a_key("P-256 idevid"); w->in.leaf = ca)
/* subject */
BEND(serial_alone, w->csr.subject = "serialNumber=" SERIAL)
BEND(idevid_subject, w->csr.subject = IDEVID)
BEND(other_serial, w->csr.subject = "O=Acme,serialNumber=SN-0043")
BEND(serial_case, w->csr.subject = "O=Acme,serialNumber=sn-0042")
BEND(serial_spaces, w->csr.subject = "O=Acme,serialNumber= SN-0042")
BEND(serial_alone_case, w->csr.subject = "serialNumber=sn-0042")
BEND(serial_twice, w->csr.subject = "O=Acme,serialNumber=" SERIAL ",serialNumber=" SERIAL)
BEND(more_rdns, w->csr.subject = "O=Acme,serialNumber=" SERIAL ",CN=admin")
BEND(other_o, w->csr.subject = "O=Other,serialNumber=" SERIAL)
BEND(no_serial, w->csr.subject = "O=Acme")
BEND(cn_serial, w->csr.subject = "CN=" SERIAL)
BEND(empty_subject, w->csr.subject = "")
BEND(idevid_subject_case, w->csr.subject = "C=DE,O=Factory,CN=Sensor,serialNumber=sn-0042")
BEND(idevid_subject_more, w->csr.subject = IDEVID ",OU=x")
BEND(ldevid_says_idevid, w->csr.subject = IDEVID; w->in.class = TRUST_LDEVID; w->in.row = &w->row)
/* SAN */
BEND(san_unasked, csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:sn-0042", 0))
BEND(san_right, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:sn-0042", 0))
BEND(san_critical, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:sn-0042", 1))
BEND(san_missing, w->in.profile = &with_san)
BEND(san_other, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:sn-0043", 0))
BEND(san_more, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:sn-0042,DNS:gateway", 0))
BEND(san_ip, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "IP:192.0.2.1", 0))
static void
san_bytes(struct world *w, mst_span bytes)
{
	w->csr.ext[w->csr.exts++] =
	    (struct csr_extension){ .nid = NID_subject_alt_name, .bytes = bytes };
}
BEND(san_trailing, san_bytes(w, MST_LIT("\x30\x05\x82\x03"
                                        "abc\x00")))
BEND(san_no_names, san_bytes(w, MST_LIT("\x30\x00")))
BEND(san_no_sequence, san_bytes(w, MST_LIT("\x04\x00")))
/* C4 */
BEND(ca_true, csr_add_ext(&w->csr, NID_basic_constraints, "CA:TRUE", 0))
BEND(ca_false, csr_add_ext(&w->csr, NID_basic_constraints, "CA:FALSE", 1))
BEND(ku_sign, csr_add_ext(&w->csr, NID_key_usage, "digitalSignature", 1))
BEND(ku_cert_sign, csr_add_ext(&w->csr, NID_key_usage, "digitalSignature,keyCertSign", 1))
BEND(ku_crl_sign, csr_add_ext(&w->csr, NID_key_usage, "cRLSign", 0))
BEND(eku, csr_add_ext(&w->csr, NID_ext_key_usage, "clientAuth,serverAuth", 0))
BEND(unknown_critical,
    w->csr.ext[w->csr.exts++] = (struct csr_extension){
        .oid = "1.3.6.1.4.1.99999.1", .bytes = MST_LIT("\x05\x00"), .critical = 1 })
BEND(unknown, w->csr.ext[w->csr.exts++] = (struct csr_extension){
                  .oid = "1.3.6.1.4.1.99999.1", .bytes = MST_LIT("\x05\x00") })
BEND(name_constraints, csr_add_ext(&w->csr, NID_name_constraints, "permitted;DNS:x", 1))
BEND(extension_twice, csr_add_ext(&w->csr, NID_key_usage, "digitalSignature", 1);
     csr_add_ext(&w->csr, NID_key_usage, "digitalSignature", 1))
BEND(ms_extensions_ca, w->csr.extensions_oid = OID_EXTENSIONS_MS;
     csr_add_ext(&w->csr, NID_basic_constraints, "CA:TRUE", 0))
/* an innocent request first, the wish behind it */
BEND(extensions_twice, csr_add_ext(&w->csr, NID_key_usage, "digitalSignature", 1);
     w->csr.attr[w->csr.attrs++] = (struct csr_attribute){ .oid = OID_EXTENSIONS_MS,
         .bytes = MST_LIT("\x30\x0e\x30\x0c\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff") })
BEND(extensions_two_values, w->csr.attr[w->csr.attrs++] = (struct csr_attribute){
                                .oid = OID_EXTENSIONS, .bytes = MST_LIT("\x30\x00"), .copies = 2 })
BEND(extensions_no_value,
    w->csr.attr[w->csr.attrs++] = (struct csr_attribute){ .oid = OID_EXTENSIONS, .copies = -1 })
BEND(extensions_no_sequence, csr_add_attr(&w->csr, OID_EXTENSIONS, V_ASN1_UTF8STRING, "x"))
BEND(basic_constraints_garbage, w->csr.ext[w->csr.exts++] = (struct csr_extension){
                                    .nid = NID_basic_constraints, .bytes = MST_LIT("\x30\x01") })
BEND(other_attribute, csr_add_attr(&w->csr, "1.2.840.113549.1.9.2", V_ASN1_UTF8STRING, "name"))
BEND(change_name, w->csr.attr[w->csr.attrs++] = (struct csr_attribute){
                      .oid = "1.3.6.1.5.5.7.7.36", .bytes = MST_LIT("\x30\x02\x30\x00") })
/* section 8 */
BEND(bound_printable, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_PRINTABLESTRING, bound(0)))
BEND(bound_utf8, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, bound(0)))
BEND(bound_required, bound_utf8(w); w->in.binding_required = true)
BEND(linking, csr_add_attr(&w->csr, OID_LINKING, V_ASN1_UTF8STRING, bound(0)))
BEND(linking_and_challenge, linking(w); bound_utf8(w))
BEND(linking_required, linking(w); w->in.binding_required = true)
BEND(not_bound_required, w->in.binding_required = true)
BEND(bound_cut, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, bound(1)))
BEND(bound_half, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, bound(16)))
BEND(bound_text_cut, char *t = bound(0); t[strlen(t) - 1] = '\0';
     csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, t))
BEND(bound_longer,
    csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, arena_printf(arena, "%sA", bound(0))))
BEND(bound_newline,
    csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, arena_printf(arena, "%s\n", bound(0))))
BEND(bound_bit, char *t = bound(0); t[3] = t[3] == 'A' ? 'B' : 'A';
     csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, t))
BEND(bound_empty, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, ""))
BEND(bound_octets, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_OCTET_STRING, bound(0)))
/* OpenSSL builds no such CSR: one of the two is renamed in the bytes, which breaks the signature.
 */
static void
bound_twice(struct world *w)
{
	static const uint8_t oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x08 };
	mst_span good;
	uint8_t *at;

	bound_utf8(w);
	csr_add_attr(&w->csr, "1.2.840.113549.1.9.8", V_ASN1_UTF8STRING, bound(0));
	good = csr_make(arena, &w->csr);
	at = memmem(good.ptr, good.len, oid, sizeof oid);
	assert_non_null(at);
	at[8] = 7;
	w->der = good;
}
BEND(bound_two_values,
    w->csr.attr[w->csr.attrs++] = (struct csr_attribute){
        .oid = OID_CHALLENGE, .type = V_ASN1_UTF8STRING, .text = bound(0), .copies = 2 })
BEND(bound_without_connection, bound_utf8(w); w->in.binding = MST_NONE)
BEND(password, csr_add_attr(&w->csr, OID_CHALLENGE, V_ASN1_UTF8STRING, "secret"))
BEND(password_ignored, password(w); w->in.challenge = EST_CHALLENGE_IGNORE)
BEND(password_ignored_required, password_ignored(w); w->in.binding_required = true)
BEND(binding_where_ignored, bound_required(w); w->in.challenge = EST_CHALLENGE_IGNORE)
BEND(linking_wrong, csr_add_attr(&w->csr, OID_LINKING, V_ASN1_UTF8STRING, bound(1)))
BEND(linking_wrong_ignored, linking_wrong(w); w->in.challenge = EST_CHALLENGE_IGNORE)
BEND(linking_wrong_challenge_right, linking_wrong(w); bound_utf8(w))
BEND(linking_right_challenge_wrong, linking(w); bound_cut(w))
BEND(otp, csr_add_attr(&w->csr, "1.2.840.113549.1.9.16.2.56", V_ASN1_UTF8STRING, "123456"))
/* renewal */
BEND(renew_same_key, unsigned char *der = NULL; int n = i2d_PUBKEY(w->csr.key, &der);
     w->row.spki = arena_dup(arena, mst_span_of(der, (size_t)n)); OPENSSL_free(der))
BEND(renew_same_key_rekey, renew_same_key(w); w->in.profile = &with_rekey)
BEND(renew_rekey, w->in.profile = &with_rekey)
BEND(renew_subject, w->csr.subject = "O=Acme,serialNumber=SN-0043")
BEND(renew_subject_more, w->csr.subject = POLICY ",CN=admin")
BEND(renew_subject_less, w->csr.subject = "serialNumber=" SERIAL)
BEND(renew_san_order, w->csr.exts = 0;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:two.example,DNS:one.example", 0))
BEND(renew_san_dropped, w->csr.exts = 0)
BEND(renew_san_one, w->csr.exts = 0;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:one.example", 0))
BEND(renew_san_same_twice, w->csr.exts = 0;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:one.example,DNS:one.example", 0))
BEND(renew_san_other, w->csr.exts = 0;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:one.example,DNS:evil.example", 0))
BEND(renew_san_added, w->row.san = MST_NONE)
BEND(renew_san_none, w->row.san = MST_NONE; w->csr.exts = 0)
BEND(renew_other_ca, w->row.ca = "lab")
BEND(renew_early, w->in.window_percent = 60)
BEND(renew_in_window, w->in.window_percent = 50)
BEND(renew_idevid_key, w->csr.key = a_key("P-256 idevid"))
/* plain clients */
BEND(plain_cn, w->csr.subject = "CN=printer-1")
BEND(plain_serial, w->csr.subject = "CN=printer-1,serialNumber=" SERIAL)
BEND(plain_no_cn, w->csr.subject = "O=Acme")
BEND(plain_two_cn, w->csr.subject = "CN=printer-1,CN=alice")
BEND(plain_other_o, w->csr.subject = "O=Other,CN=printer-1")
BEND(plain_email, w->csr.subject = "CN=printer-1,emailAddress=a@b.example")
BEND(plain_empty, w->csr.subject = "")
BEND(plain_multi, w->csr.subject = "CN=printer-1,+OU=Lab")
BEND(plain_control, w->csr.subject = "CN=a\tb")
BEND(plain_long, w->csr.subject = "CN=printer-1,OU=1,OU=2,OU=3,OU=4,OU=5,OU=6,OU=7,OU=8")
static const struct est_user bob = { "bob", alices + 3, 0 };
BEND(plain_other_cn, w->csr.subject = "CN=printer-2")
BEND(plain_other_case, w->csr.subject = "CN=Printer-1")
BEND(plain_longer_cn, w->csr.subject = "CN=printer-10")
BEND(plain_shorter_cn, w->csr.subject = "CN=printer-")
BEND(plain_space_cn, w->csr.subject = "CN=printer-1 ")
BEND(plain_user_not_on_list, w->csr.subject = "CN=bob")
BEND(plain_other_ou, w->csr.subject = "OU=admins,CN=printer-1")
static const struct est_profile any_o = { .label = "", .profile = "device" };
BEND(plain_any_o, w->in.profile = &any_o)
BEND(plain_any_o_own, w->in.profile = &any_o; w->csr.subject = "O=Lab,CN=printer-1")
BEND(plain_no_user, w->in.user = NULL)
BEND(plain_no_names, w->in.user = &bob)
BEND(plain_san_own, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:printer-1.example,DNS:printer-1", 0))
BEND(plain_san_absent, w->in.profile = &with_san)
BEND(plain_san_other, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:printer-1,DNS:gateway", 0))
BEND(plain_san_wildcard, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:*.example", 0))
BEND(plain_san_ip, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "IP:192.0.2.1", 0))
BEND(plain_san_email, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "email:alice", 0))
BEND(plain_san_uri, w->in.profile = &with_san;
     csr_add_ext(&w->csr, NID_subject_alt_name, "URI:alice", 0))
BEND(plain_san, csr_add_ext(&w->csr, NID_subject_alt_name, "DNS:printer-1", 0))
BEND(plain_with_cert, w->in.class = TRUST_LDEVID; w->in.row = &w->row;
     w->row = (struct cert_row){ .ca = "", .subject = a_name_der(arena, w->csr.subject) })
BEND(plain_with_cert_other_name, plain_with_cert(w); w->csr.subject = "CN=root")
BEND(plain_with_cert_san, plain_with_cert(w); plain_san(w))
/* serverkeygen */
BEND(keygen_bad_signature, w->csr.signer = a_key("P-256 b"))
BEND(keygen_weak_key, w->csr.key = a_key("RSA-1024"))
BEND(keygen_idevid_key, w->csr.key = a_key("P-256 idevid"))
BEND(keygen_symmetric,
    csr_add_attr(&w->csr, "1.2.840.113549.1.9.16.2.37", V_ASN1_OCTET_STRING, "id"))
BEND(keygen_asymmetric,
    csr_add_attr(&w->csr, "1.2.840.113549.1.9.16.2.54", V_ASN1_OCTET_STRING, "id"))
BEND(keygen_other_serial, w->csr.subject = "O=Acme,serialNumber=SN-0043")

struct row {
	const char *name;
	void (*start)(struct world *w);
	void (*bend)(struct world *w);
	mst_err want;
};
#define ROW(start, bend, clause, want)                                                             \
	{                                                                                          \
		clause " " #start " " #bend, start, bend, want                                     \
	}
static const struct row rows[] = {
	ROW(device, nothing, "C1", MST_OK),
	ROW(renewal, nothing, "R1", MST_OK),
	ROW(plain, nothing, "A2", MST_OK),
	ROW(keygen, nothing, "G1", MST_OK),
	ROW(device, empty, "C1", MST_E_CSR_PARSE),
	ROW(device, garbage, "C1", MST_E_CSR_PARSE),
	ROW(device, trailing, "C1", MST_E_CSR_PARSE),
	ROW(device, indefinite, "C1", MST_E_CSR_PARSE),
	ROW(device, length_overflow, "15.18", MST_E_CSR_PARSE),
	ROW(device, nested, "15.18", MST_E_CSR_PARSE),
	ROW(device, nested_in_attribute, "15.18", MST_E_CSR_EXTENSION),
	ROW(device, version_2, "C1", MST_E_CSR_PARSE),
	ROW(device, other_signer, "15.9 RFC 7030 3.4", MST_E_CSR_POP),
	ROW(device, signature_bit, "RFC 7030 3.4", MST_E_CSR_POP),
	ROW(device, p384, "C2", MST_OK),
	ROW(device, p521, "C2", MST_OK),
	ROW(device, ed25519, "C2", MST_OK),
	ROW(device, rsa2048, "C2", MST_OK),
	ROW(device, rsa_pss, "C2", MST_OK),
	ROW(device, rsa1024, "C2", MST_E_CSR_KEY),
	ROW(device, p224, "C2", MST_E_CSR_KEY),
	ROW(device, secp256k1, "C2", MST_E_CSR_KEY),
	ROW(device, compressed, "C2", MST_E_CSR_KEY),
	ROW(device, explicit_curve, "C2", MST_E_CSR_KEY),
	ROW(device, rsa2047, "C2", MST_E_CSR_KEY),
	ROW(device, rsa4097, "C2", MST_E_CSR_KEY),
	ROW(device, rsa8192, "C2", MST_E_CSR_KEY),
	ROW(device, rsa_e3, "C2", MST_E_CSR_KEY),
	ROW(device, rsa_e_even, "C2", MST_E_CSR_KEY),
	ROW(device, rsa_e_huge, "C2", MST_E_CSR_KEY),
	ROW(device, rsa_not_signed_by_it, "C1", MST_E_CSR_POP),
	ROW(device, sha1, "CMS-5", MST_E_CSR_ALGORITHM),
	ROW(device, sha224, "CMS-5", MST_E_CSR_ALGORITHM),
	ROW(device, pss_sha1, "CMS-5", MST_E_CSR_ALGORITHM),
	ROW(device, md5, "CMS-5", MST_E_CSR_ALGORITHM),
	ROW(device, idevid_key, "EST-2", MST_E_CSR_KEY_IDEVID),
	ROW(device, idevid_key_known, "EST-2", MST_E_CSR_KEY_IDEVID),
	ROW(device, serial_alone, "EST-2", MST_OK),
	ROW(device, idevid_subject, "EST-2", MST_OK),
	ROW(device, other_serial, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, serial_case, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, serial_spaces, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, serial_alone_case, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, serial_twice, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, more_rdns, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, other_o, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, no_serial, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, cn_serial, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, empty_subject, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, idevid_subject_case, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, idevid_subject_more, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, ldevid_says_idevid, "RFC 8995 5.9.2", MST_E_CSR_SUBJECT),
	ROW(device, san_unasked, "C4", MST_E_CSR_SAN),
	ROW(device, san_right, "K9", MST_OK),
	ROW(device, san_critical, "K9", MST_OK),
	ROW(device, san_missing, "K9", MST_E_CSR_ATTRIBUTE),
	ROW(device, san_other, "K9", MST_E_CSR_SAN),
	ROW(device, san_more, "C4", MST_E_CSR_SAN),
	ROW(device, san_ip, "C4", MST_E_CSR_SAN),
	ROW(device, san_trailing, "C4", MST_E_CSR_SAN),
	ROW(device, san_no_names, "C4", MST_E_CSR_SAN),
	ROW(device, san_no_sequence, "C4", MST_E_CSR_SAN),
	ROW(device, ca_true, "C4", MST_E_CSR_CA),
	ROW(device, ca_false, "C4", MST_OK),
	ROW(device, ku_sign, "C4", MST_OK),
	ROW(device, ku_cert_sign, "C4", MST_E_CSR_CA),
	ROW(device, ku_crl_sign, "C4", MST_E_CSR_CA),
	ROW(device, eku, "C4", MST_OK),
	ROW(device, unknown_critical, "C4", MST_E_CSR_EXTENSION),
	ROW(device, unknown, "EST-2", MST_E_CSR_EXTENSION),
	ROW(device, name_constraints, "C4", MST_E_CSR_EXTENSION),
	ROW(device, extension_twice, "RFC 5280 4.2", MST_E_CSR_EXTENSION),
	ROW(device, ms_extensions_ca, "C4", MST_E_CSR_CA),
	ROW(device, extensions_twice, "C4", MST_E_CSR_EXTENSION),
	ROW(device, extensions_two_values, "C4", MST_E_CSR_EXTENSION),
	ROW(device, extensions_no_value, "C4", MST_E_CSR_EXTENSION),
	ROW(device, extensions_no_sequence, "C4", MST_E_CSR_EXTENSION),
	ROW(device, basic_constraints_garbage, "C4", MST_E_CSR_EXTENSION),
	ROW(device, other_attribute, "RFC 2986 4", MST_OK),
	ROW(device, change_name, "C3", MST_E_CSR_SUBJECT),
	ROW(device, bound_printable, "L2", MST_OK),
	ROW(device, bound_utf8, "L2", MST_OK),
	ROW(device, bound_required, "L1", MST_OK),
	ROW(device, linking, "L2", MST_OK),
	ROW(device, linking_and_challenge, "L2", MST_OK),
	ROW(device, linking_required, "L1", MST_OK),
	ROW(device, not_bound_required, "L1", MST_E_CSR_BINDING_MISSING),
	ROW(device, bound_cut, "15.10", MST_E_CSR_BINDING),
	ROW(device, bound_half, "15.10", MST_E_CSR_BINDING),
	ROW(device, bound_text_cut, "15.10", MST_E_CSR_BINDING),
	ROW(device, bound_longer, "15.10", MST_E_CSR_BINDING),
	ROW(device, bound_newline, "L2", MST_E_CSR_BINDING),
	ROW(device, bound_bit, "15.10", MST_E_CSR_BINDING),
	ROW(device, bound_empty, "L6", MST_E_CSR_BINDING),
	ROW(device, bound_octets, "L2", MST_E_CSR_BINDING),
	ROW(keygen, bound_twice, "L2", MST_E_CSR_BINDING),
	ROW(device, bound_two_values, "L2", MST_E_CSR_BINDING),
	ROW(device, bound_without_connection, "L3", MST_E_CSR_BINDING),
	ROW(device, password, "L9", MST_E_CSR_BINDING),
	ROW(device, password_ignored, "L9", MST_OK),
	ROW(device, password_ignored_required, "L1", MST_E_CSR_BINDING_MISSING),
	ROW(device, binding_where_ignored, "L9", MST_OK),
	ROW(device, linking_wrong, "L2", MST_E_CSR_BINDING),
	ROW(device, linking_wrong_ignored, "L2", MST_E_CSR_BINDING),
	ROW(device, linking_wrong_challenge_right, "L2", MST_E_CSR_BINDING),
	ROW(device, linking_right_challenge_wrong, "L2", MST_E_CSR_BINDING),
	ROW(device, otp, "RFC 7894 3.2", MST_E_CSR_BINDING),
	ROW(renewal, renew_same_key, "R3", MST_OK),
	ROW(renewal, renew_same_key_rekey, "R3", MST_E_CSR_RENEW_SAME_KEY),
	ROW(renewal, renew_rekey, "R3", MST_OK),
	ROW(renewal, renew_subject, "15.8 R1", MST_E_CSR_REENROLL_SUBJECT),
	ROW(renewal, renew_subject_more, "15.8 R1", MST_E_CSR_REENROLL_SUBJECT),
	ROW(renewal, renew_subject_less, "15.8 R1", MST_E_CSR_REENROLL_SUBJECT),
	ROW(renewal, renew_san_order, "15.8 R1", MST_OK),
	ROW(renewal, renew_san_dropped, "15.8 R1", MST_E_CSR_REENROLL_SAN),
	ROW(renewal, renew_san_one, "R1", MST_E_CSR_REENROLL_SAN),
	ROW(renewal, renew_san_same_twice, "R1", MST_E_CSR_REENROLL_SAN),
	ROW(renewal, renew_san_other, "R1", MST_E_CSR_REENROLL_SAN),
	ROW(renewal, renew_san_added, "R1", MST_E_CSR_REENROLL_SAN),
	ROW(renewal, renew_san_none, "R1", MST_OK),
	ROW(renewal, renew_other_ca, "R4", MST_E_EST_CLIENT_CERT),
	ROW(renewal, renew_early, "R4", MST_E_CSR_TOO_EARLY),
	ROW(renewal, renew_in_window, "R4", MST_OK),
	ROW(renewal, renew_idevid_key, "EST-2", MST_E_CSR_KEY_IDEVID),
	ROW(renewal, change_name, "R2", MST_E_CSR_SUBJECT),
	ROW(renewal, ca_true, "C4", MST_E_CSR_CA),
	ROW(renewal, other_signer, "RFC 7030 3.4", MST_E_CSR_POP),
	ROW(renewal, bound_cut, "L1", MST_E_CSR_BINDING),
	ROW(plain, plain_cn, "A2", MST_OK),
	ROW(plain, plain_serial, "EST-2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_no_cn, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_two_cn, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_other_o, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_email, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_empty, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_multi, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_control, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_long, "A2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_other_cn, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_other_case, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_longer_cn, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_shorter_cn, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_space_cn, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_user_not_on_list, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_other_ou, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_any_o, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_any_o_own, "A2", MST_OK),
	ROW(plain, plain_no_user, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_no_names, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_san_own, "A2", MST_OK),
	ROW(plain, plain_san_absent, "A2", MST_OK),
	ROW(plain, plain_san_other, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_san_wildcard, "A2", MST_E_CSR_NAME),
	ROW(plain, plain_san_ip, "A2", MST_E_CSR_SAN),
	ROW(plain, plain_san_email, "A2", MST_E_CSR_SAN),
	ROW(plain, plain_san_uri, "A2", MST_E_CSR_SAN),
	ROW(plain, plain_san, "C4", MST_E_CSR_SAN),
	ROW(plain, other_signer, "RFC 7030 3.4", MST_E_CSR_POP),
	ROW(plain, plain_with_cert, "RFC 7030 4.2", MST_OK),
	ROW(plain, plain_with_cert_other_name, "RFC 7030 4.2", MST_E_CSR_SUBJECT),
	ROW(plain, plain_with_cert_san, "RFC 7030 4.2", MST_E_CSR_SAN),
	ROW(keygen, keygen_bad_signature, "15.9 G1", MST_OK),
	ROW(keygen, keygen_weak_key, "G1", MST_OK),
	ROW(keygen, keygen_idevid_key, "G1", MST_OK),
	ROW(keygen, keygen_symmetric, "G3", MST_E_KEYGEN_KEY_ID),
	ROW(keygen, keygen_asymmetric, "G3", MST_E_KEYGEN_KEY_ID),
	ROW(keygen, keygen_other_serial, "EST-2", MST_E_CSR_SUBJECT),
	ROW(keygen, ca_true, "C4", MST_E_CSR_CA),
	ROW(keygen, bound_cut, "L1", MST_E_CSR_BINDING),
};
#define ROWS (sizeof rows / sizeof rows[0])

static void
run_row(void **state)
{
	const struct row *r = *state;
	const char *words = NULL;
	struct est_csr out;
	struct world w;
	mst_err e;

	r->start(&w);
	e = judge(&w, &out, &words);
	if (e != MST_OK)
		fail_msg("the good one: %s: %s", mst_err_info(e)->name, words);
	r->start(&w);
	r->bend(&w);
	memset(&out, 0xa5, sizeof out);
	e = judge(&w, &out, &words);
	if (e != r->want)
		fail_msg("%s (%s), not %s", mst_err_info(e)->name, words != NULL ? words : "-",
		    mst_err_info(r->want)->name);
	if (e != MST_OK) /* nothing is handed out that an order could be made of */
		for (size_t i = 0; i < sizeof out; i++)
			assert_int_equal(((uint8_t *)&out)[i], 0xa5);
}

/* --- what is issued --- */

static struct est_csr
must(struct world *w)
{
	const char *words = NULL;
	struct est_csr out;
	mst_err e = judge(w, &out, &words);

	if (e != MST_OK)
		fail_msg("%s: %s", mst_err_info(e)->name, words);
	return out;
}

static void
assert_subject(mst_span der, const char *text)
{
	assert_true(mst_span_eq(der, a_name_der(arena, text)));
}

static void
subject_is_of_policy_whatever_the_csr_says_EST_2(void **state)
{
	void (*const bends[])(
	    struct world *) = { nothing, serial_alone, idevid_subject, ca_false, eku };
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof bends / sizeof bends[0]; i++) {
		struct est_csr out;

		device(&w);
		bends[i](&w);
		out = must(&w);
		assert_subject(out.subject, POLICY);
		assert_null(out.san.ptr);
	}
}

static void
san_is_of_policy_EST_2(void **state)
{
	struct world w;
	struct est_csr out;

	(void)state;
	device(&w);
	san_right(&w);
	out = must(&w);
	assert_true(mst_span_eq(out.san, a_san(arena, "DNS:sn-0042")));
}

static void
renewal_keeps_the_names_to_the_byte_R1(void **state)
{
	struct world w;
	struct est_csr out;

	(void)state;
	renewal(&w);
	renew_san_order(&w);
	out = must(&w);
	assert_true(mst_span_eq(out.san, w.row.san));
	assert_true(mst_span_eq(out.subject, w.row.subject));
}

static void
binding_is_reported_L7(void **state)
{
	struct world w;

	(void)state;
	device(&w);
	assert_false(must(&w).bound);
	bound_utf8(&w);
	assert_true(must(&w).bound);
	device(&w);
	password_ignored(&w);
	assert_false(must(&w).bound);
}

static void
every_prefix_is_refused_C1(void **state)
{
	struct world w;
	mst_span good;
	const char *words;
	struct est_csr out;

	(void)state;
	device(&w);
	good = csr_make(arena, &w.csr);
	for (size_t n = 0; n < good.len; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, good.ptr, n);
		copy = realloc(copy, n > 0 ? n : 1);
		w.in.der = mst_span_of(copy, n);
		assert_int_equal(est_judge_csr(arena, &w.in, &out, &words), MST_E_CSR_PARSE);
		free(copy);
	}
}

static void
every_flipped_bit_is_refused_or_harmless_C1(void **state)
{
	struct world w;
	mst_span good;
	const char *words;
	struct est_csr out;
	uint8_t *copy;

	(void)state;
	device(&w);
	good = csr_make(arena, &w.csr);
	copy = arena_alloc(arena, good.len);
	memcpy(copy, good.ptr, good.len);
	w.in.der = mst_span_of(copy, good.len);
	assert_int_equal(est_judge_csr(arena, &w.in, &out, &words), MST_OK);
	for (size_t bit = 0; bit < good.len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(est_judge_csr(arena, &w.in, &out, &words), MST_OK);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* --- C5 --- */

static bool
same_order(struct world *a, struct world *b)
{
	struct est_csr x = must(a), y = must(b);

	return memcmp(x.order_key, y.order_key, sizeof x.order_key) == 0;
}

static void
order_is_the_same_with_a_new_signature_C5(void **state)
{
	struct world a, b;

	(void)state;
	device(&a);
	device(&b);
	assert_true(same_order(&a, &b));
}

static void
order_is_the_same_with_another_binding_L10(void **state)
{
	static const uint8_t other[12] = { 9 };
	uint8_t text[32];
	struct mst_buf t = MST_BUF(text);
	struct world a, b, c;

	(void)state;
	device(&a);
	bound_utf8(&a);
	device(&b);
	b.in.binding = mst_span_of(other, sizeof other);
	assert_int_equal(mst_base64_encode(b.in.binding, &t), MST_OK);
	csr_add_attr(&b.csr, OID_LINKING, V_ASN1_UTF8STRING, arena_str(arena, mst_buf_span(&t)));
	device(&c);
	assert_true(same_order(&a, &b));
	assert_true(same_order(&a, &c));
}

#define DIFFERS(name, start, ...)                                                                  \
	static void order_differs_##name##_C5(void **state)                                        \
	{                                                                                          \
		struct world a, b, *w = &b;                                                        \
                                                                                                   \
		(void)state;                                                                       \
		start(&a);                                                                         \
		start(&b);                                                                         \
		__VA_ARGS__;                                                                       \
		assert_false(same_order(&a, &b));                                                  \
	}
DIFFERS(key, device, w->csr.key = a_key("P-256 b"))
DIFFERS(subject, device, w->csr.subject = "serialNumber=" SERIAL)
DIFFERS(extension, device, eku(w))
DIFFERS(attribute, device, other_attribute(w))
DIFFERS(identity, device, w->in.identity = "idevid:acme:other")
DIFFERS(label, device, static struct est_profile lab; lab = profile; lab.label = "lab";
        w->in.profile = &lab)
DIFFERS(profile, device, static struct est_profile other; other = profile; other.profile = "other";
        w->in.profile = &other)
DIFFERS(renewed, renewal, w->row.serial = MST_LIT("serial-of-16-byX"))

/* --- policy's names --- */

static void
san_of_odd_serials_EST_2(void **state)
{
	static const char *const bad[] = { "", "-a", "a-", "a_b", "a.b", "a b", "\xc3\xa4",
		"0123456789012345678901234567890123456789012345678901234567890123" };
	mst_span der;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(
		    est_policy_san(arena, &with_san, mst_span_str(bad[i]), 0, &der), MST_E_CSR_SAN);
	assert_int_equal(est_policy_san(arena, &with_san, MST_LIT("A-9"), 0, &der), MST_OK);
	assert_true(mst_span_eq(der, a_san(arena, "DNS:a-9")));
	/* a twin's name is none that a serial number makes */
	assert_int_equal(est_policy_san(arena, &with_san, MST_LIT("A-9"), 7, &der), MST_OK);
	assert_true(mst_span_eq(der, a_san(arena, "DNS:t7.a-9")));
}

static void
subject_of_a_serial_that_is_not_printable_ID_9(void **state)
{
	mst_span der;
	const unsigned char *p;
	X509_NAME *n;
	const ASN1_STRING *s;

	(void)state;
	assert_int_equal(
	    est_policy_subject(arena, &profile, MST_LIT("S\xc3\xa4 1"), 0, &der), MST_OK);
	p = der.ptr;
	n = d2i_X509_NAME(NULL, &p, (long)der.len);
	assert_non_null(n);
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(n, 1));
	assert_int_equal(ASN1_STRING_type(s), V_ASN1_UTF8STRING);
	assert_memory_equal(ASN1_STRING_get0_data(s), "S\xc3\xa4 1", 5);
	X509_NAME_free(n);
	assert_int_equal(
	    est_policy_subject(arena, &profile, MST_LIT(""), 0, &der), MST_E_CSR_SUBJECT);
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	profile = (struct est_profile){ .label = "", .profile = "device", .organization = "Acme" };
	with_san = with_rekey = profile;
	with_san.san = EST_SAN_SERIAL;
	with_rekey.rekey = true;
	ca = a_cert("CN=Factory CA", a_key("P-256 ca"), NULL, a_key("P-256 ca"));
	idevid = a_cert(IDEVID, a_key("P-256 idevid"), ca, a_key("P-256 ca"));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	X509_free(ca);
	X509_free(idevid);
	arena_free(arena);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest more[] = {
		cmocka_unit_test(subject_is_of_policy_whatever_the_csr_says_EST_2),
		cmocka_unit_test(san_is_of_policy_EST_2),
		cmocka_unit_test(renewal_keeps_the_names_to_the_byte_R1),
		cmocka_unit_test(binding_is_reported_L7),
		cmocka_unit_test(every_prefix_is_refused_C1),
		cmocka_unit_test(every_flipped_bit_is_refused_or_harmless_C1),
		cmocka_unit_test(order_is_the_same_with_a_new_signature_C5),
		cmocka_unit_test(order_is_the_same_with_another_binding_L10),
		cmocka_unit_test(order_differs_key_C5),
		cmocka_unit_test(order_differs_subject_C5),
		cmocka_unit_test(order_differs_extension_C5),
		cmocka_unit_test(order_differs_attribute_C5),
		cmocka_unit_test(order_differs_identity_C5),
		cmocka_unit_test(order_differs_label_C5),
		cmocka_unit_test(order_differs_profile_C5),
		cmocka_unit_test(order_differs_renewed_C5),
		cmocka_unit_test(san_of_odd_serials_EST_2),
		cmocka_unit_test(subject_of_a_serial_that_is_not_printable_ID_9),
	};
	enum { MORE = sizeof more / sizeof more[0] };
	struct CMUnitTest tests[ROWS + MORE];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, run_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	memcpy(tests + ROWS, more, sizeof more);
	return _cmocka_run_group_tests("est csr", tests, ROWS + MORE, setup, teardown);
}

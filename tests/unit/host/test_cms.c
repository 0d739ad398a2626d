/* SPDX-License-Identifier: Apache-2.0 */
/* CMS vouchers: good ones, each forgery by itself, and the openssl command as a foreign peer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "host/cert.h"
#include "host/clock.h"
#include "host/envelope.h"
#include "unit/host/support_pki.h"

#define ANIMA "1.2.840.113549.1.9.16.1.40"
#define GOOD_JSON                                                                                  \
	"{\"ietf-voucher:voucher\":{\"assertion\":\"logged\",\"nonce\":\"abcdefghijklmnop\","      \
	"\"serial-number\":\"SN-1\"}}"

static EVP_PKEY *key, *other_key;
static X509 *cert, *other, *ca;
static EVP_PKEY *ca_key;
static struct arena *a;

static int
setup(void **state)
{
	struct pki_spec s = { .cn = "MASA Example" };

	(void)state;
	ca_key = pki_key("P-256");
	ca = pki_root("CA Example", ca_key);
	key = pki_key("P-256");
	other_key = pki_key("P-256");
	s.issuer = ca;
	s.issuer_key = ca_key;
	s.key = key;
	cert = pki_cert(&s);
	s.key = other_key;
	other = pki_cert(&s);
	a = arena_new(0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	X509_free(ca);
	X509_free(cert);
	X509_free(other);
	arena_free(a);
	return 0;
}

/* A message made by OpenSSL directly, each field one way to go wrong. */
struct forge {
	const char *type; /* eContentType; NULL: 1.40 */
	const char *json; /* NULL: GOOD_JSON */
	const EVP_MD *md; /* NULL: SHA-256 */
	unsigned flags; /* more CMS_ flags for the signer */
	const char *key; /* another kind of key */
	int second; /* 1: a second signer */
	int detached; /* 1: no content */
	enum mst_voucher_kind kind;
	mst_err want;
};

static ASN1_OBJECT *
oid(const char *text)
{
	ASN1_OBJECT *o = OBJ_txt2obj(text, 1);

	assert_non_null(o);
	return o;
}

static CMS_ContentInfo *
forged(const struct forge *f)
{
	const unsigned flags = CMS_BINARY | CMS_PARTIAL | (f->detached ? CMS_DETACHED : 0);
	const EVP_MD *md = f->md != NULL ? f->md : EVP_sha256();
	const char *json = f->json != NULL ? f->json : GOOD_JSON;
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
	BIO *in = BIO_new_mem_buf(json, -1);
	EVP_PKEY *k = f->key != NULL ? pki_key(f->key) : key;
	ASN1_OBJECT *type = oid(f->type != NULL ? f->type : ANIMA);
	struct pki_spec s = { .cn = "MASA Example", .issuer = ca, .issuer_key = ca_key, .key = k };
	X509 *c = f->key != NULL ? pki_cert(&s) : cert;

	assert_non_null(cms);
	assert_int_equal(CMS_set1_eContentType(cms, type), 1);
	assert_non_null(CMS_add1_signer(cms, c, k, md, CMS_BINARY | CMS_NOSMIMECAP | f->flags));
	if (f->second != 0)
		assert_non_null(CMS_add1_signer(
		    cms, other, other_key, md, CMS_BINARY | CMS_NOSMIMECAP | f->flags));
	assert_int_equal(CMS_final(cms, in, NULL, flags & ~(unsigned)CMS_PARTIAL), 1);
	ASN1_OBJECT_free(type);
	BIO_free(in);
	if (f->key != NULL) {
		X509_free(c);
		EVP_PKEY_free(k);
	}
	return cms;
}

static mst_span
der_of(CMS_ContentInfo *cms)
{
	uint8_t *der = NULL;
	int n = i2d_CMS_ContentInfo(cms, &der);
	mst_span s;

	assert_true(n > 0);
	s = arena_dup(a, mst_span_of(der, (size_t)n));
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	return s;
}

static mst_err
open_kind(mst_span message, enum mst_voucher_kind kind, struct envelope *env)
{
	struct envelope unused;

	return envelope_open(
	    a, MST_MEDIA_CMS_JSON, kind, message, NULL, env != NULL ? env : &unused);
}

static void
forgery(void **state)
{
	const struct forge *f = *state;

	assert_int_equal(open_kind(der_of(forged(f)), f->kind, NULL), f->want);
}

#define DUPLICATE                                                                                  \
	"{\"ietf-voucher:voucher\":{\"serial-number\":\"SN-1\",\"serial-number\":\"SN-2\"}}"
static const struct {
	const char *name;
	struct forge f;
} rows[] = {
	{ "CMS-2 id-ct-animaJSONVoucher is good", { .want = MST_OK } },
	{ "CMS-2 id-data is good", { .type = "1.2.840.113549.1.7.1", .want = MST_OK } },
	{ "CMS-2 another eContentType",
	    { .type = "1.2.840.113549.1.9.16.1.1", .want = MST_E_CMS_TYPE } },
	{ "CMS-3 no signedAttrs", { .flags = CMS_NOATTR, .want = MST_E_CMS_SIGNERS } },
	{ "CMS-1 two signers", { .second = 1, .want = MST_E_CMS_SIGNERS } },
	{ "CMS-1 detached content", { .detached = 1, .want = MST_E_CMS } },
	{ "CMS-5 RSA of 1024 bits", { .key = "RSA-1024", .want = MST_E_CMS_ALGORITHM } },
	{ "CMS-5 RSA of 2048 bits is good", { .key = "RSA-2048", .want = MST_OK } },
	{ "CMS-5 P-384 is good", { .key = "P-384", .want = MST_OK } },
	{ "CMS-5 P-224", { .key = "P-224", .want = MST_E_CMS_ALGORITHM } },
	{ "CMS-5 secp256k1", { .key = "secp256k1", .want = MST_E_CMS_ALGORITHM } },
	{ "CMS-6 signer's certificate absent",
	    { .flags = CMS_NOCERTS, .want = MST_E_VOUCHER_SIGNATURE } },
	{ "section 4: a voucher where a request is due",
	    { .kind = MST_VOUCHER_REQUEST, .want = MST_E_VOUCHER_KIND } },
	{ "DM-5 a key twice", { .json = DUPLICATE, .want = MST_E_JSON } },
	{ "DM-5 bytes behind the JSON", { .json = GOOD_JSON "x", .want = MST_E_JSON } },
	{ "section 4: content is no JSON", { .json = "hello", .want = MST_E_JSON } },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
sha1_is_refused(void **state)
{
	struct forge f = { .md = EVP_sha1() };

	(void)state;
	assert_int_equal(open_kind(der_of(forged(&f)), MST_VOUCHER, NULL), MST_E_CMS_ALGORITHM);
}

static void
other_content_type_in_the_attribute_is_refused(void **state)
{
	/* signed as ...1.41; then the eContentType, which comes first, is made 1.40 */
	static const uint8_t content_type[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09,
		0x10, 0x01, 0x29 };
	struct forge f = { .type = "1.2.840.113549.1.9.16.1.41" };
	mst_span der = der_of(forged(&f));
	uint8_t *at = memmem(der.ptr, der.len, content_type, sizeof(content_type));

	(void)state;
	assert_int_equal(open_kind(der, MST_VOUCHER, NULL), MST_E_CMS_TYPE);
	assert_non_null(at);
	at[sizeof(content_type) - 1] = 0x28;
	assert_int_equal(open_kind(der, MST_VOUCHER, NULL), MST_E_CMS_TYPE);
}

static void
no_signer_is_refused(void **state)
{
	STACK_OF(X509) *list = pki_stack(cert, NULL, NULL);
	mst_span der = MST_NONE;

	(void)state;
	assert_int_equal(certs_only_build(a, list, &der), MST_OK);
	assert_int_equal(open_kind(der, MST_VOUCHER, NULL), MST_E_CMS_SIGNERS);
	pki_stack_free(list);
}

static void
key_identifier_finds_the_signer(void **state)
{
	struct forge f = { .flags = CMS_USE_KEYID, .want = MST_OK };
	struct pki_spec s = {
		.cn = "MASA Example", .issuer = ca, .issuer_key = ca_key, .key = key, .ski = 1
	};
	X509 *plain = cert;

	(void)state;
	cert = pki_cert(&s);
	assert_int_equal(open_kind(der_of(forged(&f)), MST_VOUCHER, NULL), MST_OK);
	X509_free(cert);
	cert = plain;
}

static void
absent_signer_is_found_elsewhere(void **state)
{
	struct forge f = { .flags = CMS_NOCERTS };
	STACK_OF(X509) *extra = pki_stack(other, cert, NULL);
	struct envelope env;

	(void)state;
	assert_int_equal(
	    envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER, der_of(forged(&f)), extra, &env),
	    MST_OK);
	assert_int_equal(X509_cmp(env.signer, cert), 0);
	assert_int_equal(sk_X509_num(env.certs), 1);
	pki_stack_free(extra);
}

static void
signature_of_another_key_is_refused(void **state)
{
	/* the same issuer and number, another key: the certificate that is "inside" does not fit */
	struct forge f = { .flags = CMS_NOCERTS };
	struct pki_spec s = { .cn = "MASA Example",
		.issuer = ca,
		.issuer_key = ca_key,
		.key = other_key,
		.number = ASN1_INTEGER_get(X509_get0_serialNumber(cert)) };
	X509 *twin = pki_cert(&s);
	STACK_OF(X509) *extra = pki_stack(twin, NULL, NULL);
	struct envelope env;

	(void)state;
	assert_int_equal(
	    envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER, der_of(forged(&f)), extra, &env),
	    MST_E_VOUCHER_SIGNATURE);
	pki_stack_free(extra);
	X509_free(twin);
}

static mst_span
sealed(bool id_data)
{
	STACK_OF(X509) *chain = pki_stack(cert, ca, ca);
	struct envelope_signer signer = { key, cert, chain, id_data };
	struct mst_voucher_claims c;
	mst_span out = MST_NONE;

	mst_voucher_claims_init(&c, MST_VOUCHER);
	c.assertion = MST_ASSERT_VERIFIED;
	c.serial = MST_LIT("SN-1");
	c.nonce = MST_LIT("0123456789abcdef");
	c.created_on = PKI_NOW;
	c.pinned_cert = MST_LIT("\x30\x03\x02\x01\x05");
	c.revocation_checks = 0;
	assert_int_equal(envelope_seal(a, MST_MEDIA_CMS_JSON, &c, &signer, &out), MST_OK);
	pki_stack_free(chain);
	return out;
}

static void
what_is_sealed_opens(void **state)
{
	struct envelope env;

	(void)state;
	clock_set(PKI_NOW + 5);
	assert_int_equal(open_kind(sealed(false), MST_VOUCHER, &env), MST_OK);
	assert_false(env.id_data);
	assert_int_equal(env.signing_time, PKI_NOW + 5);
	assert_int_equal(sk_X509_num(env.certs), 2); /* CMS-6: nothing twice */
	assert_int_equal(env.claims.assertion, MST_ASSERT_VERIFIED);
	assert_int_equal(env.claims.created_on, PKI_NOW);
	assert_int_equal(env.claims.revocation_checks, 0);
	assert_true(mst_span_eq(env.claims.nonce_text, MST_LIT("MDEyMzQ1Njc4OWFiY2RlZg==")));
	assert_int_equal(open_kind(sealed(true), MST_VOUCHER, &env), MST_OK);
	assert_true(env.id_data);
	clock_set(INT64_MIN);
}

static void
every_flip_of_what_we_seal_is_refused(void **state)
{
	const struct mst_clock now = { MST_CLOCK_TRUSTED, PKI_NOW };
	STACK_OF(X509) *list = pki_stack(ca, NULL, NULL);
	mst_span good = sealed(false);
	uint8_t *copy = malloc(good.len);
	struct anchors *t = NULL;
	struct envelope bad;
	mst_err e;

	(void)state;
	assert_int_equal(anchors_from_stack(list, &t), MST_OK);
	memcpy(copy, good.ptr, good.len);
	for (size_t bit = 0; bit < 8 * good.len; bit++) {
		struct arena *inner = arena_new(0);

		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		e = envelope_open(inner, MST_MEDIA_CMS_JSON, MST_VOUCHER,
		    mst_span_of(copy, good.len), NULL, &bad);
		if (e == MST_OK)
			e = chain_verify(t, bad.signer, bad.certs, &now, CHAIN_NOTHING_ELSE, NULL);
		assert_int_not_equal(e, MST_OK);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		arena_free(inner);
	}
	free(copy);
	anchors_free(t);
	pki_stack_free(list);
}

/* openssl cms in a folder of its own; the exit status. */
static int
openssl_cms(const char *dir, const char *args)
{
	char *line = arena_printf(a, "cd %s && openssl cms %s >/dev/null 2>err.txt", dir, args);

	return system(line);
}

static void
put_file(const char *dir, const char *name, mst_span bytes)
{
	FILE *f = fopen(arena_printf(a, "%s/%s", dir, name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
	assert_int_equal(fclose(f), 0);
}

static mst_span
get_file(const char *dir, const char *name)
{
	FILE *f = fopen(arena_printf(a, "%s/%s", dir, name), "rb");
	uint8_t *bytes = arena_alloc(a, 65536);
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, 65536, f);
	(void)fclose(f);
	return mst_span_of(bytes, n);
}

static void
remove_dir(const char *dir)
{
	assert_int_equal(system(arena_printf(a, "rm -r %s", dir)), 0);
}

static void
openssl_verifies_what_we_seal(void **state)
{
	char dir[] = "/tmp/muster-cms-XXXXXX";
	mst_span pem = pki_pem(ca);

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_file(dir, "v.der", sealed(false));
	put_file(dir, "ca.pem", pem);
	assert_int_equal(
	    openssl_cms(dir, "-verify -inform DER -in v.der -binary -CAfile ca.pem -purpose any "
	                     "-attime 1800000000 -out v.json"),
	    0);
	assert_true(get_file(dir, "v.json").len > 40);
	remove_dir(dir);
	free((void *)(uintptr_t)pem.ptr);
}

static void
we_open_what_openssl_signs(void **state)
{
	char dir[] = "/tmp/muster-cms-XXXXXX";
	mst_span cert_pem_text = pki_pem(cert), key_pem = pki_key_pem(key);
	struct envelope env;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_file(dir, "c.pem", cert_pem_text);
	put_file(dir, "k.pem", key_pem);
	put_file(dir, "v.json", MST_LIT(GOOD_JSON));
	assert_int_equal(
	    openssl_cms(dir, "-sign -nodetach -binary -nosmimecap -econtent_type " ANIMA
	                     " -signer c.pem -inkey k.pem -in v.json -outform DER -out v.der"),
	    0);
	assert_int_equal(open_kind(get_file(dir, "v.der"), MST_VOUCHER, &env), MST_OK);
	assert_true(mst_span_eq(env.claims.serial, MST_LIT("SN-1")));
	/* CMS-3: the command's -noattr */
	assert_int_equal(
	    openssl_cms(dir, "-sign -nodetach -binary -noattr -econtent_type " ANIMA
	                     " -signer c.pem -inkey k.pem -in v.json -outform DER -out n.der"),
	    0);
	assert_int_equal(open_kind(get_file(dir, "n.der"), MST_VOUCHER, NULL), MST_E_CMS_SIGNERS);
	/* indefinite lengths: BER */
	assert_int_equal(
	    openssl_cms(dir, "-sign -nodetach -binary -stream -econtent_type " ANIMA
	                     " -signer c.pem -inkey k.pem -in v.json -outform DER -out s.der"),
	    0);
	assert_int_equal(open_kind(get_file(dir, "s.der"), MST_VOUCHER, NULL), MST_E_CMS);
	remove_dir(dir);
	free((void *)(uintptr_t)cert_pem_text.ptr);
	free((void *)(uintptr_t)key_pem.ptr);
}

static void
other_media_are_not_ours(void **state)
{
	struct envelope env;

	(void)state;
	/* 30 82 is a CBOR integer, and something behind it */
	assert_int_not_equal(
	    envelope_open(a, MST_MEDIA_COSE_CBOR, MST_VOUCHER, sealed(false), NULL, &env), MST_OK);
	assert_int_equal(envelope_open(a, MST_MEDIA_NONE, MST_VOUCHER, sealed(false), NULL, &env),
	    MST_E_MEDIA_UNSUPPORTED);
	assert_int_equal(
	    envelope_open(a, MST_MEDIA_CMS_JSON, MST_VOUCHER, MST_NONE, NULL, &env), MST_E_CMS);
}

static void
weak_keys_do_not_seal(void **state)
{
	EVP_PKEY *weak = pki_key("P-224");
	struct pki_spec s = { .cn = "weak", .key = weak };
	X509 *c = pki_cert(&s);
	struct envelope_signer signer = { weak, c, NULL, false };
	struct mst_voucher_claims claims;
	mst_span out;

	(void)state;
	mst_voucher_claims_init(&claims, MST_VOUCHER);
	assert_int_equal(
	    envelope_seal(a, MST_MEDIA_CMS_JSON, &claims, &signer, &out), MST_E_KEY_SIGN);
	X509_free(c);
	EVP_PKEY_free(weak);
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
	const struct CMUnitTest single[] = {
		T("CMS-5 SHA-1 digest", sha1_is_refused),
		T("CMS-3 contentType attribute is not the eContentType",
		    other_content_type_in_the_attribute_is_refused),
		T("CMS-1 no signer", no_signer_is_refused),
		T("RFC 5652 5.3 signer named by key identifier", key_identifier_finds_the_signer),
		T("CMS-6 signer's certificate from elsewhere", absent_signer_is_found_elsewhere),
		T("CMS-3 signature of another key", signature_of_another_key_is_refused),
		T("CMS-2 CMS-6 CLK-1 what is sealed opens", what_is_sealed_opens),
		T("D19 every bit flip of what we seal", every_flip_of_what_we_seal_is_refused),
		T("D24 openssl cms -verify reads ours", openssl_verifies_what_we_seal),
		T("D24 openssl cms -sign is read by us", we_open_what_openssl_signs),
		T("8.2-2 CMS as another media type is refused", other_media_are_not_ours),
		T("CMS-5 weak keys do not seal", weak_keys_do_not_seal),
	};
	struct CMUnitTest table[ROWS];
	int bad;

	for (size_t i = 0; i < ROWS; i++)
		table[i] = (struct CMUnitTest){ rows[i].name, forgery, NULL, NULL,
			(void *)(uintptr_t)&rows[i].f };
	bad = cmocka_run_group_tests_name("cms forgeries", table, setup, teardown);
	return bad + cmocka_run_group_tests_name("cms", single, setup, teardown);
}

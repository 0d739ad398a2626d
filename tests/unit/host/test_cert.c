/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: identifiers, MASA URLs, chains, CRLs, pins. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/cert.h"
#include "unit/host/support_pki.h"

static struct arena *a;
static EVP_PKEY *root_key, *sub_key, *leaf_key, *weak_key;
static X509 *root, *sub, *leaf;
static const struct mst_clock now = { MST_CLOCK_TRUSTED, PKI_NOW };

static int
setup(void **state)
{
	struct pki_spec s = { .cn = "sub",
		.ski = 1,
		.aki = 1,
		.basic = "critical,CA:TRUE",
		.usage = "critical,keyCertSign,cRLSign" };

	(void)state;
	a = arena_new(0);
	root_key = pki_key("P-384");
	sub_key = pki_key("P-256");
	leaf_key = pki_key("P-256");
	weak_key = pki_key("RSA-1024");
	root = pki_root("root", root_key);
	s.key = sub_key;
	s.issuer = root;
	s.issuer_key = root_key;
	sub = pki_cert(&s);
	s = (struct pki_spec){ .cn = "leaf",
		.serial = "SN-1",
		.key = leaf_key,
		.issuer = sub,
		.issuer_key = sub_key,
		.aki = 1,
		.ski = 1,
		.eku = PKI_EKU_RA };
	leaf = pki_cert(&s);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	X509_free(root);
	X509_free(sub);
	X509_free(leaf);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(sub_key);
	EVP_PKEY_free(leaf_key);
	EVP_PKEY_free(weak_key);
	arena_free(a);
	return 0;
}

/* ID-3: text, base or NULL for a refusal; whether its address is private. */
struct url_row {
	const char *text, *base;
	bool private;
};
static const struct url_row urls[] = {
	{ "masa.example.com", "https://masa.example.com/.well-known/brski", false },
	{ "MASA.Example.COM:9443", "https://masa.example.com:9443/.well-known/brski", false },
	{ "https://masa.example.com", "https://masa.example.com/.well-known/brski", false },
	{ "https://masa.example.com/", "https://masa.example.com/.well-known/brski", false },
	{ "HTTPS://masa.example.com/Api/v1/", "https://masa.example.com/Api/v1", false },
	{ "https://masa.example.com:443/a%20b", "https://masa.example.com:443/a%20b", false },
	{ "xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example/.well-known/brski", false },
	{ "8.8.8.8", "https://8.8.8.8/.well-known/brski", false },
	{ "10.0.0.1:443", "https://10.0.0.1:443/.well-known/brski", true },
	{ "127.0.0.1", "https://127.0.0.1/.well-known/brski", true },
	{ "169.254.169.254", "https://169.254.169.254/.well-known/brski", true },
	{ "172.31.0.1", "https://172.31.0.1/.well-known/brski", true },
	{ "172.32.0.1", "https://172.32.0.1/.well-known/brski", false },
	{ "192.168.1.1", "https://192.168.1.1/.well-known/brski", true },
	{ "100.64.0.1", "https://100.64.0.1/.well-known/brski", true },
	{ "0.0.0.0", "https://0.0.0.0/.well-known/brski", true },
	{ "255.255.255.255", "https://255.255.255.255/.well-known/brski", true },
	{ "[::1]:443", "https://[::1]:443/.well-known/brski", true },
	{ "[::]", "https://[::]/.well-known/brski", true },
	{ "[fe80::1]", "https://[fe80::1]/.well-known/brski", true },
	{ "[fd00::1]", "https://[fd00::1]/.well-known/brski", true },
	{ "[::ffff:10.0.0.1]", "https://[::ffff:10.0.0.1]/.well-known/brski", true },
	{ "[::ffff:8.8.8.8]", "https://[::ffff:8.8.8.8]/.well-known/brski", false },
	{ "[64:ff9b::7f00:1]", "https://[64:ff9b::7f00:1]/.well-known/brski", true },
	{ "[2002:a00:1::]", "https://[2002:a00:1::]/.well-known/brski", true },
	{ "[2606:4700::1111]", "https://[2606:4700::1111]/.well-known/brski", false },
	{ "localhost", "https://localhost/.well-known/brski", true },
	{ "x.LOCALHOST", "https://x.localhost/.well-known/brski", true },
	{ "", NULL, false },
	{ "http://masa.example.com/", NULL, false },
	{ "ftp://masa.example.com/", NULL, false },
	{ "masa.example.com/path", NULL, false },
	{ "//masa.example.com/", NULL, false },
	{ "https:///path", NULL, false },
	{ "https://", NULL, false },
	{ "user@masa.example.com", NULL, false },
	{ "https://user:pw@masa.example.com/", NULL, false },
	{ "https://masa.example.com/#f", NULL, false },
	{ "https://masa.example.com/?q=1", NULL, false },
	{ "https://masa.example.com/a b", NULL, false },
	{ "https://masa.example.com/a\r\nHost: x", NULL, false },
	{ "masa.example.com\n", NULL, false },
	{ "masa.example.com\x7f", NULL, false },
	{ "https://masa.example.com/%0", NULL, false },
	{ "https://masa.example.com/%zz", NULL, false },
	{ "https://masa.example.com/../x", NULL, false },
	{ "https://masa.example.com/a/.", NULL, false },
	{ "https://masa.example.com//x", NULL, false },
	{ "https://masa.example.com\\@evil/", NULL, false },
	{ "masa.example.com:", NULL, false },
	{ "masa.example.com:0", NULL, false },
	{ "masa.example.com:65536", NULL, false },
	{ "masa.example.com:44a", NULL, false },
	{ "masa.example.com:0443", NULL, false },
	{ "masa..example.com", NULL, false },
	{ ".masa.example.com", NULL, false },
	{ "masa.example.com.", NULL, false },
	{ "-masa.example.com", NULL, false },
	{ "masa-.example.com", NULL, false },
	{ "masa_.example.com", NULL, false },
	{ "m\xc3\xbcnchen.example", NULL, false },
	{ "127.1", NULL, false },
	{ "2130706433", NULL, false },
	{ "0x7f000001", NULL, false },
	{ "0177.0.0.1", NULL, false },
	{ "1.2.3.4.5", NULL, false },
	{ "[::1", NULL, false },
	{ "[::1]x", NULL, false },
	{ "[fe80::1%eth0]", NULL, false },
	{ "[not an address]", NULL, false },
};
#define URLS (sizeof(urls) / sizeof(urls[0]))

static void
url_case(void **state)
{
	const struct url_row *row = *state;
	const char *base = NULL;
	mst_err e = cert_masa_url_check(a, mst_span_str(row->text), &base);

	assert_int_equal(e, row->base == NULL ? MST_E_MASA_URL : MST_OK);
	if (row->base == NULL)
		return;
	assert_string_equal(base, row->base);
	assert_int_equal(cert_masa_url_is_private(base), row->private);
}

static void
url_bounds(void **state)
{
	char long_url[1100];
	const char *base = NULL;

	(void)state;
	(void)snprintf(long_url, sizeof(long_url), "https://m.example/%01020d", 1);
	assert_int_equal(cert_masa_url_check(a, mst_span_str(long_url), &base), MST_E_MASA_URL);
	long_url[1024] = '\0';
	assert_int_equal(cert_masa_url_check(a, mst_span_str(long_url), &base), MST_OK);
	assert_int_equal(
	    cert_masa_url_check(a, mst_span_of("m.example\0x", 11), &base), MST_E_MASA_URL);
	assert_int_equal(cert_masa_url_check(a, MST_NONE, &base), MST_E_MASA_URL);
}

static void
url_in_a_certificate(void **state)
{
	struct pki_spec s = { .cn = "x", .key = leaf_key, .masa_url = "masa.example:1" };
	X509 *c = pki_cert(&s);
	const char *base = NULL;

	(void)state;
	assert_int_equal(cert_masa_url(a, c, &base), MST_OK);
	assert_string_equal(base, "https://masa.example:1/.well-known/brski");
	assert_int_equal(cert_masa_url(a, leaf, &base), MST_E_NOT_FOUND);
	X509_free(c);
	s.masa_url = "user@masa.example";
	c = pki_cert(&s);
	assert_int_equal(cert_masa_url(a, c, &base), MST_E_MASA_URL);
	X509_free(c);
}

static mst_err
serial_of(const struct pki_spec *s, enum cert_serial_rule rule, mst_span *out)
{
	X509 *c = pki_cert(s);
	mst_err e = cert_device_serial(a, c, rule, out);

	X509_free(c);
	return e;
}

static void
serials(void **state)
{
	struct pki_spec s = { .cn = "CN-1", .serial = "SN-1", .key = leaf_key };
	mst_span got = MST_NONE;

	(void)state;
	assert_int_equal(serial_of(&s, CERT_SERIAL_SUBJECT, &got), MST_OK);
	assert_true(mst_span_eq(got, MST_LIT("SN-1")));
	assert_int_equal(serial_of(&s, CERT_SERIAL_CN, &got), MST_OK);
	assert_true(mst_span_eq(got, MST_LIT("CN-1")));
	s.serial2 = "SN-2"; /* two serial numbers are two devices */
	assert_int_equal(serial_of(&s, CERT_SERIAL_SUBJECT, &got), MST_E_TLS_IDEVID_SERIAL);
	s.serial2 = NULL;
	s.serial = NULL;
	assert_int_equal(serial_of(&s, CERT_SERIAL_SUBJECT, &got), MST_E_TLS_IDEVID_SERIAL);
	s.cn = "a\tb"; /* ID-9 */
	assert_int_equal(serial_of(&s, CERT_SERIAL_CN, &got), MST_E_TLS_IDEVID_SERIAL);
	s.cn = "x";
	s.san = "otherName:1.3.6.1.5.5.7.8.4;SEQUENCE:hw";
	assert_int_equal(serial_of(&s, CERT_SERIAL_SAN_HWMODULE, &got), MST_OK);
	assert_true(mst_span_eq(got, MST_LIT("HW-1")));
	s.san = "otherName:1.3.6.1.5.5.7.8.4;UTF8:HW-1";
	assert_int_equal(serial_of(&s, CERT_SERIAL_SAN_HWMODULE, &got), MST_E_TLS_IDEVID_SERIAL);
	assert_int_equal(cert_serial_rule_find("hardware-module"), CERT_SERIAL_SAN_HWMODULE);
	assert_int_equal(cert_serial_rule_find("x"), -1);
}

static void
identifiers(void **state)
{
	struct pki_spec s = { .cn = "x", .key = leaf_key };
	X509 *plain = pki_cert(&s);
	uint8_t sha1[20], sha256[32];
	unsigned n = 0;
	mst_span issuer, id, spki;

	(void)state;
	/* ID-8: with AKI its own bytes, without it the same shape from the key */
	assert_int_equal(cert_idevid_issuer(a, leaf, &issuer), MST_OK);
	assert_int_equal(issuer.len, 26);
	assert_int_equal(X509_pubkey_digest(sub, EVP_sha1(), sha1, &n), 1);
	assert_memory_equal(issuer.ptr, "\x04\x18\x30\x16\x80\x14", 6);
	assert_memory_equal(issuer.ptr + 6, sha1, 20);
	assert_int_equal(cert_idevid_issuer(a, plain, &issuer), MST_OK);
	assert_int_equal(X509_pubkey_digest(plain, EVP_sha1(), sha1, &n), 1);
	assert_memory_equal(issuer.ptr, "\x04\x18\x30\x16\x80\x14", 6);
	assert_memory_equal(issuer.ptr + 6, sha1, 20);
	/* ID-7: SKI, else SHA-256 of the SPKI */
	assert_int_equal(cert_domain_id(a, leaf, &id), MST_OK);
	assert_int_equal(id.len, 20);
	assert_int_equal(cert_domain_id(a, plain, &id), MST_OK);
	assert_int_equal(cert_spki(a, plain, &spki), MST_OK);
	assert_int_equal(EVP_Digest(spki.ptr, spki.len, sha256, NULL, EVP_sha256(), NULL), 1);
	assert_true(mst_span_eq(id, mst_span_of(sha256, 32)));
	/* ID-6 */
	assert_true(cert_has_eku(leaf, CERT_OID_CMC_RA));
	assert_false(cert_has_eku(plain, CERT_OID_CMC_RA));
	s.eku = "anyExtendedKeyUsage";
	X509_free(plain);
	plain = pki_cert(&s);
	assert_false(cert_has_eku(plain, CERT_OID_CMC_RA));
	X509_free(plain);
	assert_string_equal(cert_subject(a, leaf), "serialNumber=SN-1,CN=leaf");
}

static void
parsing(void **state)
{
	mst_span der, pem;
	X509 *c = NULL;
	STACK_OF(X509) *list = NULL;
	uint8_t *copy;

	(void)state;
	assert_int_equal(cert_der(a, leaf, &der), MST_OK);
	assert_int_equal(cert_parse(der, &c), MST_OK);
	assert_int_equal(X509_cmp(c, leaf), 0);
	X509_free(c);
	for (size_t n = 0; n < der.len; n++) {
		copy = malloc(n + (n == 0));
		memcpy(copy, der.ptr, n);
		assert_int_equal(cert_parse(mst_span_of(copy, n), &c), MST_E_X509);
		free(copy);
	}
	copy = calloc(1, der.len + 1);
	memcpy(copy, der.ptr, der.len);
	assert_int_equal(cert_parse(mst_span_of(copy, der.len + 1), &c), MST_E_X509);
	free(copy);
	assert_int_equal(cert_pem(a, leaf, &pem), MST_OK);
	assert_int_equal(cert_list(pem, &list), MST_OK);
	assert_int_equal(sk_X509_num(list), 1);
	sk_X509_pop_free(list, X509_free);
	assert_int_equal(cert_list(mst_span_of(pem.ptr, pem.len - 40), &list), MST_E_X509);
	assert_int_equal(cert_list(MST_LIT("no certificate"), &list), MST_E_X509);
	assert_int_equal(cert_list(MST_NONE, &list), MST_E_X509);
}

struct chain_row {
	const char *name;
	const char *anchor; /* "root", "sub", "leaf" */
	int with_sub;
	int64_t at; /* 0: PKI_NOW; -1: no clock */
	unsigned flags;
	struct pki_spec spec; /* of the leaf: what differs */
	int weak_leaf, sha1; /* 1 */
	int crl; /* 1 empty, 2 lists the leaf, 3 empty and stale, 4 stale and lists it */
	mst_err want;
};
static const struct chain_row chains[] = {
	{ "CMS-8 to the root", "root", 1, 0, 0, { 0 }, 0, 0, 0, MST_OK },
	{ "CMS-8 to an intermediate (partial chain)", "sub", 0, 0, 0, { 0 }, 0, 0, 0, MST_OK },
	{ "CMS-8 the leaf is the anchor", "leaf", 0, 0, 0, { 0 }, 0, 0, 0, MST_OK },
	{ "RFC 5280 6 intermediate missing", "root", 0, 0, 0, { 0 }, 0, 0, 0, MST_E_X509_CHAIN },
	{ "RFC 5280 6 leaf expired", "root", 1, 0, 0, { .to = PKI_NOW - 60 }, 0, 0, 0,
	    MST_E_X509_EXPIRED },
	{ "ID-4 leaf expired and forgiven", "root", 1, 0, CHAIN_NO_LEAF_TIME,
	    { .to = PKI_NOW - 60 }, 0, 0, 0, MST_OK },
	{ "ID-4 leaf not yet valid is never forgiven", "root", 1, 0, CHAIN_NO_LEAF_TIME,
	    { .from = PKI_NOW + 60 }, 0, 0, 0, MST_E_X509_EXPIRED },
	{ "ID-4 CA expired is never forgiven", "root", 1, PKI_NOW + 400 * PKI_DAY,
	    CHAIN_NO_LEAF_TIME, { 0 }, 0, 0, 0, MST_E_X509_EXPIRED },
	{ "ID-4 year 9999", "root", 1, 0, 0, { .to = INT64_C(253402300799) }, 0, 0, 0, MST_OK },
	{ "CLK-1 no clock, no validity", "root", 1, -1, 0, { .to = PKI_NOW - 60 }, 0, 0, 0,
	    MST_OK },
	{ "CMS-5 leaf with RSA of 1024 bits", "root", 1, 0, 0, { 0 }, 1, 0, 0, MST_E_X509_WEAK },
	{ "CMS-5 leaf signed with SHA-1", "root", 1, 0, 0, { 0 }, 0, 1, 0, MST_E_X509_WEAK },
	{ "8.4.5 CRL without the leaf", "root", 1, 0, CHAIN_NEED_CRL, { 0 }, 0, 0, 1, MST_OK },
	{ "8.4.5 CRL with the leaf", "root", 1, 0, 0, { 0 }, 0, 0, 2, MST_E_X509_REVOKED },
	{ "8.4.5 hard policy, no CRL", "root", 1, 0, CHAIN_NEED_CRL, { 0 }, 0, 0, 0,
	    MST_E_RVR_CRL_UNAVAILABLE },
	{ "8.4.5 hard policy, stale CRL", "root", 1, 0, CHAIN_NEED_CRL, { 0 }, 0, 0, 3,
	    MST_E_RVR_CRL_UNAVAILABLE },
	{ "8.4.5 soft policy, stale CRL", "root", 1, 0, 0, { 0 }, 0, 0, 3, MST_OK },
	{ "8.4.5 soft policy, stale CRL with the leaf", "root", 1, 0, 0, { 0 }, 0, 0, 4,
	    MST_E_X509_REVOKED },
	{ "8.4.5 revoked stays revoked when expiry is forgiven", "root", 1, 0, CHAIN_NO_LEAF_TIME,
	    { .to = PKI_NOW - 60 }, 0, 0, 2, MST_E_X509_REVOKED },
};
#define CHAINS (sizeof(chains) / sizeof(chains[0]))

static mst_span
crl_text(int which, X509 *listed)
{
	int64_t to = which >= 3 ? PKI_NOW - 60 : PKI_NOW + PKI_DAY;
	X509_CRL *crl =
	    pki_crl(sub, sub_key, which % 2 == 0 ? listed : NULL, PKI_NOW - PKI_DAY, to);
	mst_span pem = pki_crl_pem(crl), kept = arena_dup(a, pem);

	X509_CRL_free(crl);
	free((void *)(uintptr_t)pem.ptr);
	return kept;
}

static void
chain_case(void **state)
{
	const struct chain_row *row = *state;
	struct pki_spec s = row->spec;
	struct mst_clock clock = { MST_CLOCK_TRUSTED, row->at == 0 ? PKI_NOW : row->at };
	STACK_OF(X509) *between = pki_stack(row->with_sub ? sub : NULL, NULL, NULL), *built = NULL;
	struct anchors *t = NULL;
	mst_span pem;
	X509 *c;
	mst_err e;

	if (row->at == -1)
		clock.trust = MST_CLOCK_UNTRUSTED;
	s.cn = "leaf";
	s.key = row->weak_leaf ? weak_key : leaf_key;
	s.issuer = sub;
	s.issuer_key = sub_key;
	s.md = row->sha1 ? EVP_sha1() : NULL;
	c = pki_cert(&s);
	assert_int_equal(cert_pem(a,
	                     strcmp(row->anchor, "root") == 0  ? root
	                     : strcmp(row->anchor, "sub") == 0 ? sub
	                                                       : c,
	                     &pem),
	    MST_OK);
	assert_int_equal(
	    anchors_new(pem, row->crl != 0 ? crl_text(row->crl, c) : MST_NONE, &t), MST_OK);
	e = chain_verify(t, c, between, &clock, row->flags, &built);
	assert_int_equal(e, row->want);
	if (e == MST_OK)
		assert_int_equal(X509_cmp(sk_X509_value(built, 0), c), 0);
	else
		assert_true(strlen(cert_why()) > 0);
	sk_X509_pop_free(built, X509_free);
	anchors_free(t);
	pki_stack_free(between);
	X509_free(c);
}

static void
an_end_entity_is_no_ca(void **state)
{
	struct pki_spec s = {
		.cn = "below", .key = weak_key, .issuer = leaf, .issuer_key = leaf_key
	};
	EVP_PKEY *k = pki_key("P-256");
	STACK_OF(X509) *between = pki_stack(leaf, sub, NULL), *list = pki_stack(root, NULL, NULL);
	struct anchors *t = NULL;
	X509 *c;

	(void)state;
	s.key = k;
	c = pki_cert(&s);
	assert_int_equal(anchors_from_stack(list, &t), MST_OK);
	assert_int_equal(chain_verify(t, c, between, &now, 0, NULL), MST_E_X509_CHAIN);
	anchors_free(t);
	pki_stack_free(list);
	pki_stack_free(between);
	X509_free(c);
	EVP_PKEY_free(k);
}

static void
company_of_a_chain(void **state)
{
	STACK_OF(X509) *list = pki_stack(sub, NULL, NULL), *good = pki_stack(leaf, sub, root);
	EVP_PKEY *k = pki_key("P-256");
	X509 *stranger = pki_root("root", k);
	STACK_OF(X509) *bad = pki_stack(leaf, sub, stranger);
	struct anchors *t = NULL;

	(void)state;
	assert_int_equal(anchors_from_stack(list, &t), MST_OK);
	assert_int_equal(chain_verify(t, leaf, good, &now, CHAIN_NOTHING_ELSE, NULL), MST_OK);
	assert_int_equal(
	    chain_verify(t, leaf, bad, &now, CHAIN_NOTHING_ELSE, NULL), MST_E_X509_CHAIN);
	assert_int_equal(chain_verify(t, leaf, bad, &now, 0, NULL), MST_OK);
	anchors_free(t);
	pki_stack_free(list);
	pki_stack_free(good);
	pki_stack_free(bad);
	X509_free(stranger);
	EVP_PKEY_free(k);
}

static void
pins_by_key(void **state)
{
	const struct mst_clock later = { MST_CLOCK_TRUSTED, PKI_NOW + 400 * PKI_DAY };
	mst_span spki, other, hash_span, der;
	uint8_t hash[32];

	(void)state;
	assert_int_equal(cert_spki(a, leaf, &spki), MST_OK);
	assert_int_equal(cert_spki(a, sub, &other), MST_OK);
	assert_int_equal(cert_der(a, leaf, &der), MST_OK);
	assert_int_equal(EVP_Digest(spki.ptr, spki.len, hash, NULL, EVP_sha256(), NULL), 1);
	hash_span = mst_span_of(hash, 32);
	assert_int_equal(pin_judge(MST_NONE, spki, MST_NONE, leaf, NULL, &now), MST_OK);
	assert_int_equal(pin_judge(MST_NONE, MST_NONE, hash_span, leaf, NULL, &now), MST_OK);
	assert_int_equal(
	    pin_judge(MST_NONE, other, MST_NONE, leaf, NULL, &now), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(
	    pin_judge(MST_NONE, MST_NONE, hash_span, sub, NULL, &now), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(
	    pin_judge(MST_NONE, MST_NONE, MST_NONE, leaf, NULL, &now), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(pin_judge(der, MST_NONE, MST_NONE, leaf, NULL, &now), MST_OK);
	/* DM-4: the hash goes first */
	hash[0] ^= 1;
	assert_int_equal(
	    pin_judge(der, MST_NONE, hash_span, leaf, NULL, &now), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(
	    pin_judge(der, MST_NONE, MST_NONE, leaf, NULL, &later), MST_E_VOUCHER_TLS_CHAIN);
	assert_int_equal(pin_judge(MST_LIT("junk"), MST_NONE, MST_NONE, leaf, NULL, &now),
	    MST_E_VOUCHER_TLS_CHAIN);
}

static void
anchors_refuse_what_they_cannot_read(void **state)
{
	struct anchors *t = NULL;
	mst_span pem;

	(void)state;
	assert_int_equal(cert_pem(a, root, &pem), MST_OK);
	assert_int_equal(anchors_new(MST_LIT("x"), MST_NONE, &t), MST_E_X509);
	assert_int_equal(anchors_new(pem, MST_LIT("no crl"), &t), MST_E_X509);
	assert_int_equal(anchors_new(pem, MST_LIT(""), &t), MST_E_X509);
}

int
main(void)
{
#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
	const struct CMUnitTest single[] = {
		T("ID-3 bounds", url_bounds),
		T("ID-3 in a certificate", url_in_a_certificate),
		T("ID-1 ID-2 ID-9 serial numbers", serials),
		T("ID-6 ID-7 ID-8 identifiers", identifiers),
		T("RFC 5280 4 parsing, every prefix, a byte behind", parsing),
		T("RFC 5280 6 an end entity is no CA", an_end_entity_is_no_ca),
		T("D19 nothing beside the chain", company_of_a_chain),
		T("8.7.9 DM-4 pins by key, hash and certificate", pins_by_key),
		T("anchors that cannot be read", anchors_refuse_what_they_cannot_read),
	};
	static char names[URLS][96];
	struct CMUnitTest table[URLS + CHAINS];
	int bad;

	for (size_t i = 0; i < URLS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "ID-3 %zu %s", i,
		    urls[i].base != NULL ? urls[i].text : "refused");
		table[i] = (struct CMUnitTest){ names[i], url_case, NULL, NULL,
			(void *)(uintptr_t)&urls[i] };
	}
	for (size_t i = 0; i < CHAINS; i++)
		table[URLS + i] = (struct CMUnitTest){ chains[i].name, chain_case, NULL, NULL,
			(void *)(uintptr_t)&chains[i] };
	bad = cmocka_run_group_tests_name("cert rows", table, setup, teardown);
	return bad + cmocka_run_group_tests_name("cert", single, setup, teardown);
}

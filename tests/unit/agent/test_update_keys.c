/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose signature an update may bear (decision 0018; RFC 9360): certificates in
 * authentication blocks, to rows of the processor's table.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "agent/update_keys.h"
#include "muster/cbor.h"
#include "unit/agent/support_pki.h"

#define YEAR (365L * 86400)
#define SIGN1 18
#define SIGN 98
#define KID MST_LIT("signer-1")

static struct pki maker, site, stranger; /* roots */
static struct pki good, at_site, foreign, plain, mailer, old; /* leaves */
static struct anchors *maker_anchors, *site_anchors;
static struct arena *a;
static struct mst_suit_keys keys;
static mst_err why;

static struct anchors *
anchors_of(X509 *cert)
{
	STACK_OF(X509) *s = sk_X509_new_null();
	struct anchors *t = NULL;

	MUST(sk_X509_push(s, cert) > 0 && anchors_from_stack(s, &t) == MST_OK);
	sk_X509_free(s);
	return t;
}

static int
make_all(void **state)
{
	(void)state;
	maker = pki_root("Acme voucher CA");
	site = pki_root("Site CA");
	stranger = pki_root("Acme voucher CA"); /* the same name, another key */
	good = pki_leaf(&maker, "firmware", NULL, "codeSigning", YEAR);
	at_site = pki_leaf(&site, "site's signer", NULL, "codeSigning", YEAR);
	foreign = pki_leaf(&stranger, "firmware", NULL, "codeSigning", YEAR);
	plain = pki_leaf(&maker, "no use named", NULL, NULL, YEAR);
	mailer =
	    pki_leaf(&maker, "voucher signer", NULL, "emailProtection,anyExtendedKeyUsage", YEAR);
	old = pki_leaf(&maker, "was good", NULL, "codeSigning", -60);
	maker_anchors = anchors_of(maker.cert);
	site_anchors = anchors_of(site.cert);
	return 0;
}

static int
free_all(void **state)
{
	struct pki *all[] = { &maker, &site, &stranger, &good, &at_site, &foreign, &plain, &mailer,
		&old };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		pki_free(all[i]);
	anchors_free(maker_anchors);
	anchors_free(site_anchors);
	return 0;
}

static int
begin(void **state)
{
	(void)state;
	a = arena_new(0);
	return a == NULL;
}

static int
end(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

/* ---- blocks ---- */

static mst_span
der(X509 *cert)
{
	mst_span out;

	assert_int_equal(cert_der(a, cert, &out), MST_OK);
	return out;
}

static mst_span
finish(struct mst_cbor_writer *w, const struct mst_buf *b)
{
	assert_int_equal(mst_cbor_put_end(w), MST_OK);
	return mst_buf_span(b);
}

/* n 0: one certificate without an array. */
static mst_span
chain(X509 *const *cert, unsigned n)
{
	struct mst_buf b = arena_buf(a, 65536);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	if (n > 0)
		mst_cbor_put_array(&w, n);
	for (unsigned i = 0; i < (n == 0 ? 1 : n); i++)
		mst_cbor_put_bytes(&w, der(cert[i]));
	return finish(&w, &b);
}

static mst_span
alone(X509 *cert)
{
	return chain(&cert, 0);
}

/* What differs between tests; a span without pointer is left out. */
struct layer {
	mst_span chain, kid, loose_chain,
	    inner_kid; /* protected, unprotected, unprotected, protected */
};

static mst_span
headers(int with_alg, mst_span kid, mst_span x5chain)
{
	struct mst_buf b = arena_buf(a, x5chain.len + kid.len + 64);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_map(&w, (uint64_t)with_alg + (kid.ptr != NULL) + (x5chain.ptr != NULL));
	if (with_alg) {
		mst_cbor_put_uint(&w, 1);
		mst_cbor_put_int(&w, MST_SUIT_ES256);
	}
	if (kid.ptr != NULL) {
		mst_cbor_put_uint(&w, 4);
		mst_cbor_put_bytes(&w, kid);
	}
	if (x5chain.ptr != NULL) {
		mst_cbor_put_uint(&w, 33);
		mst_cbor_put_raw(&w, x5chain);
	}
	return mst_buf_span(&b); /* a test may put anything there */
}

static void
put_layer(struct mst_cbor_writer *w, const struct layer *l)
{
	mst_cbor_put_bytes(w, headers(1, l->inner_kid, l->chain));
	mst_cbor_put_raw(w, headers(0, l->kid, l->loose_chain));
}

static mst_span
sign1(uint64_t tag, const struct layer *l)
{
	struct mst_buf b = arena_buf(a, 131072);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, tag);
	mst_cbor_put_array(&w, 4);
	put_layer(&w, l);
	mst_cbor_put_null(&w);
	mst_cbor_put_bytes(&w, MST_LIT("signature"));
	return finish(&w, &b);
}

static mst_span
sign(const struct layer *l, unsigned n)
{
	struct mst_buf b = arena_buf(a, 131072);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, SIGN);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_bytes(&w, MST_LIT(""));
	mst_cbor_put_map(&w, 0);
	mst_cbor_put_null(&w);
	mst_cbor_put_array(&w, n);
	for (unsigned i = 0; i < n; i++) {
		mst_cbor_put_array(&w, 3);
		put_layer(&w, &l[i]);
		mst_cbor_put_bytes(&w, MST_LIT("signature"));
	}
	return finish(&w, &b);
}

static struct update_trust
trust(void)
{
	return (struct update_trust){ .manufacturer = maker_anchors,
		.site = site_anchors,
		.clock = { MST_CLOCK_TRUSTED, time(NULL) } };
}

static void
make(const struct update_trust *t, mst_span block)
{
	struct mst_buf b = arena_buf(a, block.len + 16);
	struct mst_suit_envelope env = { .digest = MST_NONE };
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_bytes(&w, block);
	env.blocks = finish(&w, &b);
	keys = (struct mst_suit_keys){ NULL, 0 };
	why = MST_E_INTERNAL;
	assert_int_equal(update_keys_make(a, t, &env, &keys, &why), MST_OK);
}

static void
refused_as(mst_err e)
{
	assert_int_equal(keys.count, 0);
	assert_int_equal(why, e);
}

static void
show(X509 *cert)
{
	const struct update_trust t = trust();
	const struct layer l = { .chain = alone(cert), .kid = KID };

	make(&t, sign1(SIGN1, &l));
}

/* ---- who ---- */

static void
manufacturer(void **state)
{
	(void)state;
	show(good.cert);
	assert_int_equal(keys.count, 1);
	assert_int_equal(why, MST_OK);
	assert_int_equal(keys.key[0].authority, UPDATE_MANUFACTURER);
	assert_int_equal(keys.key[0].usage, MST_SUIT_USE_SIGN_MANIFEST);
	assert_int_equal(keys.key[0].alg, MST_SUIT_ES256);
	assert_true(mst_span_eq(keys.key[0].kid, KID));
}

static void
by_site(void **state)
{
	(void)state;
	show(at_site.cert);
	assert_int_equal(keys.count, 1);
	assert_int_equal(keys.key[0].authority, UPDATE_SITE);
}

static void
by_site_before_enrolment(void **state)
{
	struct update_trust t = trust();
	const struct layer l = { .chain = alone(at_site.cert), .kid = KID };

	(void)state;
	t.site = NULL;
	make(&t, sign1(SIGN1, &l));
	refused_as(MST_E_UPDATE_SIGNER);
}

static void
namesake(void **state)
{
	(void)state;
	show(foreign.cert);
	refused_as(MST_E_UPDATE_SIGNER);
}

static void
the_anchor_itself(void **state)
{
	(void)state;
	show(maker.cert);
	refused_as(MST_E_UPDATE_SIGNER_USE);
}

static void
no_use(void **state)
{
	(void)state;
	show(plain.cert);
	refused_as(MST_E_UPDATE_SIGNER_USE);
}

static void
other_use(void **state)
{
	(void)state;
	show(mailer.cert);
	refused_as(MST_E_UPDATE_SIGNER_USE);
}

/* A certificate that pki_leaf does not make. */
static X509 *
odd(const struct pki *ca, EVP_PKEY *key, const char *usage, const char *basic)
{
	X509 *c = X509_dup(good.cert);
	X509V3_CTX v;

	MUST(c != NULL && X509_set_pubkey(c, key) == 1);
	while (X509_get_ext_count(c) > 0)
		X509_EXTENSION_free(X509_delete_ext(c, 0));
	X509V3_set_ctx(&v, ca->cert, c, NULL, NULL, 0);
	const struct {
		int nid;
		const char *value;
	} ext[] = { { NID_basic_constraints, basic }, { NID_key_usage, usage },
		{ NID_ext_key_usage, "codeSigning" }, { NID_subject_key_identifier, "hash" } };
	for (size_t i = 0; i < 4; i++) {
		X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &v, ext[i].nid, ext[i].value);

		MUST(x != NULL && X509_add_ext(c, x, -1) == 1);
		X509_EXTENSION_free(x);
	}
	MUST(X509_set_issuer_name(c, X509_get_subject_name(ca->cert)) == 1);
	MUST(X509_sign(c, ca->key, EVP_sha256()) > 0);
	return c;
}

/* RFC 5280 4.2.1.12: both extensions must allow it. */
static void
key_usage_without_signatures(void **state)
{
	X509 *c = odd(&maker, good.key, "critical,keyAgreement", "CA:FALSE");

	(void)state;
	show(c);
	refused_as(MST_E_UPDATE_SIGNER_USE);
	X509_free(c);
}

static void
key_of_no_algorithm(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	X509 *c = odd(&maker, rsa, "critical,digitalSignature", "CA:FALSE");

	(void)state;
	show(c);
	refused_as(MST_E_UPDATE_SIGNER);
	X509_free(c);
	EVP_PKEY_free(rsa);
}

static void
each_algorithm(void **state)
{
	const struct {
		EVP_PKEY *key;
		int32_t alg;
	} row[] = { { EVP_EC_gen("P-384"), MST_SUIT_ES384 },
		{ EVP_EC_gen("P-521"), MST_SUIT_ES512 },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), MST_SUIT_EDDSA } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		X509 *c = odd(&maker, row[i].key, "critical,digitalSignature", "CA:FALSE");

		show(c);
		assert_int_equal(keys.count, 1);
		assert_int_equal(keys.key[0].alg, row[i].alg);
		X509_free(c);
		EVP_PKEY_free(row[i].key);
	}
}

static void
through_an_intermediate(void **state)
{
	struct pki sub = { EVP_EC_gen("P-256"), NULL }, leaf;
	const struct update_trust t = trust();
	struct layer l = { .kid = KID };

	(void)state;
	sub.cert = odd(&maker, sub.key, "critical,keyCertSign", "critical,CA:TRUE");
	MUST(X509_NAME_add_entry_by_txt(X509_get_subject_name(sub.cert), "OU", MBSTRING_ASC,
	         (const unsigned char *)"sub", -1, -1, 0) == 1);
	MUST(X509_sign(sub.cert, maker.key, EVP_sha256()) > 0);
	leaf = pki_leaf(&sub, "firmware", NULL, "codeSigning", YEAR);
	l.chain = alone(leaf.cert);
	make(&t, sign1(SIGN1, &l));
	refused_as(MST_E_UPDATE_SIGNER);
	l.chain = chain((X509 *const[]){ leaf.cert, sub.cert }, 2);
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1);
	assert_int_equal(keys.key[0].authority, UPDATE_MANUFACTURER);
	/* the signer's stands first (RFC 9360 2): another order is another signer */
	l.chain = chain((X509 *const[]){ sub.cert, leaf.cert }, 2);
	make(&t, sign1(SIGN1, &l));
	refused_as(MST_E_UPDATE_SIGNER_USE);
	pki_free(&sub);
	pki_free(&leaf);
}

/* ---- clocks ---- */

static void
expired(void **state)
{
	(void)state;
	show(old.cert);
	refused_as(MST_E_X509_EXPIRED);
}

static void
expired_by(enum mst_clock_trust clock)
{
	struct update_trust t = trust();
	const struct layer l = { .chain = alone(old.cert), .kid = KID };

	t.clock = (struct mst_clock){ clock, time(NULL) };
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1);
}

static void
expired_untrusted(void **state)
{
	(void)state;
	expired_by(MST_CLOCK_UNTRUSTED);
}

static void
expired_no_clock(void **state)
{
	(void)state;
	expired_by(MST_CLOCK_NONE);
}

/* ---- where it stands ---- */

static void
in_the_open(void **state)
{
	const struct update_trust t = trust();
	const struct layer l = { .loose_chain = alone(good.cert), .kid = KID };

	(void)state;
	make(&t, sign1(SIGN1, &l));
	refused_as(MST_OK);
}

static void
open_one_replaces_nothing(void **state)
{
	const struct update_trust t = trust();
	const struct layer l = {
		.chain = alone(good.cert), .loose_chain = alone(at_site.cert), .kid = KID
	};

	(void)state;
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1);
	assert_int_equal(keys.key[0].authority, UPDATE_MANUFACTURER);
}

static void
without_kid(void **state)
{
	const struct update_trust t = trust();
	const struct layer l = { .chain = alone(good.cert) };

	(void)state;
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1);
	assert_null(keys.key[0].kid.ptr);
}

static void
protected_kid(void **state)
{
	const struct update_trust t = trust();
	const struct layer l = { .chain = alone(good.cert), .inner_kid = KID };

	(void)state;
	make(&t, sign1(SIGN1, &l));
	assert_true(mst_span_eq(keys.key[0].kid, KID));
}

static void
several_signers(void **state)
{
	const struct update_trust t = trust();
	const struct layer l[] = { { .chain = alone(at_site.cert), .kid = MST_LIT("s") },
		{ .chain = alone(foreign.cert), .kid = KID }, { .kid = MST_LIT("raw") },
		{ .chain = alone(good.cert), .kid = MST_LIT("m") } };

	(void)state;
	make(&t, sign(l, 4));
	assert_int_equal(keys.count, 2);
	assert_int_equal(why, MST_E_UPDATE_SIGNER);
	assert_int_equal(keys.key[0].authority, UPDATE_SITE);
	assert_int_equal(keys.key[1].authority, UPDATE_MANUFACTURER);
	assert_true(mst_span_eq(keys.key[1].kid, MST_LIT("m")));
}

static void
first_reason(void **state)
{
	const struct update_trust t = trust();
	const struct layer l[] = { { .chain = alone(old.cert) }, { .chain = alone(foreign.cert) } };

	(void)state;
	make(&t, sign(l, 2));
	refused_as(MST_E_X509_EXPIRED);
}

static void
forty_signers(void **state)
{
	const struct update_trust t = trust();
	struct layer l[40];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		l[i] = (struct layer){ .chain = alone(good.cert), .kid = KID };
	make(&t, sign(l, 40));
	assert_int_equal(keys.count, 32);
}

static void
other_kinds_of_block(void **state)
{
	const struct update_trust t = trust();
	const struct layer l = { .chain = alone(good.cert), .kid = KID };
	const uint64_t tag[] = { 17, 97, 16, 96, 61 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		make(&t, sign1(tag[i], &l));
		refused_as(MST_OK);
	}
}

/* ---- shapes of COSE_X509 ---- */

static void
shape(mst_span x5chain)
{
	const struct update_trust t = trust();
	const struct layer l = { .chain = x5chain, .kid = KID };

	make(&t, sign1(SIGN1, &l));
	refused_as(MST_E_UPDATE_SIGNER);
}
#define SHAPE(name, ...)                                                                           \
	static void name(void **state)                                                             \
	{                                                                                          \
		static const uint8_t bytes[] = { __VA_ARGS__ };                                    \
                                                                                                   \
		(void)state;                                                                       \
		shape(mst_span_of(bytes, sizeof bytes));                                           \
	}
SHAPE(empty_array, 0x80)
SHAPE(empty_string, 0x40)
SHAPE(a_number, 0x01)
SHAPE(a_text, 0x61, 'x')
SHAPE(a_map, 0xa1, 0x40, 0x40)
SHAPE(a_null, 0xf6)
SHAPE(array_of_numbers, 0x82, 0x01, 0x02)
SHAPE(array_in_array, 0x81, 0x81, 0x40)
SHAPE(a_tag, 0xd2, 0x40)
SHAPE(no_der, 0x43, 1, 2, 3)
SHAPE(der_that_lies, 0x44, 0x30, 0x82, 0xff, 0xff)

static void
trailing_byte(void **state)
{
	struct mst_buf b = arena_buf(a, 4096);
	struct mst_cbor_writer w;
	mst_span d = der(good.cert);
	uint8_t *more = arena_alloc(a, d.len + 1);

	(void)state;
	memcpy(more, d.ptr, d.len);
	more[d.len] = 0;
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_bytes(&w, mst_span_of(more, d.len + 1));
	shape(finish(&w, &b));
}

static void
eleven(void **state)
{
	X509 *all[11];
	const struct update_trust t = trust();
	struct layer l = { .kid = KID };

	(void)state;
	for (size_t i = 0; i < 11; i++)
		all[i] = good.cert;
	l.chain = chain(all, 10);
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1);
	shape(chain(all, 11));
}

static void
bad_one_behind(void **state)
{
	struct mst_buf b = arena_buf(a, 4096);
	struct mst_cbor_writer w;

	(void)state;
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, 2);
	mst_cbor_put_bytes(&w, der(good.cert));
	mst_cbor_put_bytes(&w, MST_LIT("rubbish"));
	shape(finish(&w, &b));
}

static void
each_cut_of_the_der(void **state)
{
	mst_span d = der(good.cert);

	(void)state;
	for (size_t n = 0; n < d.len; n++) {
		struct mst_buf b = arena_buf(a, d.len + 16);
		struct mst_cbor_writer w;
		uint8_t *cut = arena_alloc(a, n + 1); /* ends where the allocation ends */

		memcpy(cut + 1, d.ptr, n);
		mst_cbor_put_init(&w, &b);
		mst_cbor_put_bytes(&w, mst_span_of(cut + 1, n));
		shape(finish(&w, &b));
	}
}

/* The processor refuses such a block by name; here it must do no harm. */
static void
each_cut_of_a_block(void **state)
{
	const struct update_trust t = trust();
	const struct layer l[] = { { .chain = chain((X509 *const[]){ good.cert, maker.cert }, 2),
		                       .kid = KID },
		{ .chain = alone(at_site.cert), .kid = KID } };
	mst_span whole[] = { sign1(SIGN1, l), sign(l, 2) };

	(void)state;
	for (size_t k = 0; k < 2; k++)
		for (size_t n = 0; n < whole[k].len; n++) {
			uint8_t *cut = malloc(n + 1);

			memcpy(cut, whole[k].ptr, n);
			make(&t, mst_span_of(cut, n));
			assert_true(keys.count <= k + 1);
			free(cut);
		}
}

/* ---- other rows ---- */

static void
own_keys(void **state)
{
	struct update_trust t = trust();
	const struct layer l = { .kid = KID };
	EVP_PKEY *big = EVP_EC_gen("P-384");
	mst_span kid;

	(void)state;
	t.own[0] = good.key;
	t.own[1] = big;
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1);
	assert_int_equal(keys.key[0].usage, MST_SUIT_USE_ECDH);
	assert_int_equal(update_key_id(a, good.key, &kid), MST_OK);
	assert_true(mst_span_eq(keys.key[0].kid, kid));
	EVP_PKEY_free(big);
}

static void
factory_rows(void **state)
{
	struct update_trust t = trust();
	const struct mst_suit_key raw = { .usage = MST_SUIT_USE_SIGN_MANIFEST,
		.kid = MST_LIT("raw") };
	const struct layer l = { .chain = alone(foreign.cert), .kid = MST_LIT("raw") };

	(void)state;
	t.factory = &raw;
	t.factory_count = 1;
	make(&t, sign1(SIGN1, &l));
	assert_int_equal(keys.count, 1); /* a stranger's certificate adds nothing under its name */
	assert_true(keys.key[0].handle == raw.handle);
	assert_int_equal(why, MST_E_UPDATE_SIGNER);
}

#define T(id, f)                                                                                   \
	{                                                                                          \
		id, f, begin, end, NULL                                                            \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T("SUIT-3 RFC 9360 the manufacturer's signer, by its anchor", manufacturer),
		T("SUIT-3 RFC 9360 the site's signer, by its anchor", by_site),
		T("SUIT-3 the site's signer before enrolment is nobody", by_site_before_enrolment),
		T("SUIT-3 an issuer of the same name and another key", namesake),
		T("SUIT-3 the anchor itself signs no image", the_anchor_itself),
		T("SUIT-3 a certificate that names no use", no_use),
		T("SUIT-3 anyExtendedKeyUsage is not code signing", other_use),
		T("RFC 5280 4.2.1.12 a key usage without signatures", key_usage_without_signatures),
		T("SUIT-3 RSA is no algorithm of manifests", key_of_no_algorithm),
		T("SUIT-3 ES384, ES512, EdDSA by the key", each_algorithm),
		T("RFC 9360 2 through an intermediate, in its order", through_an_intermediate),
		T("SUIT-3 expired by a trusted clock", expired),
		T("SUIT-3 expired by an untrusted clock is taken", expired_untrusted),
		T("SUIT-3 expired without a clock is taken", expired_no_clock),
		T("RFC 9360 2 a chain that no signature covers is not looked at", in_the_open),
		T("RFC 9360 2 an unprotected chain replaces nothing", open_one_replaces_nothing),
		T("SUIT-3 without kid", without_kid),
		T("SUIT-3 kid in the protected header", protected_kid),
		T("SUIT-3 COSE_Sign: each signer by its own certificate", several_signers),
		T("SUIT-3 COSE_Sign: the first signer's trouble is told", first_reason),
		T("SUIT-3 COSE_Sign: forty signers fill the table and no more", forty_signers),
		T("SUIT-3 a certificate in a MAC or an encryption is none", other_kinds_of_block),
		T("RFC 9360 2 x5chain is an empty array", empty_array),
		T("RFC 9360 2 x5chain is an empty string", empty_string),
		T("RFC 9360 2 x5chain is a number", a_number),
		T("RFC 9360 2 x5chain is a text", a_text),
		T("RFC 9360 2 x5chain is a map", a_map),
		T("RFC 9360 2 x5chain is null", a_null),
		T("RFC 9360 2 x5chain holds numbers", array_of_numbers),
		T("RFC 9360 2 x5chain holds an array", array_in_array),
		T("RFC 9360 2 x5chain is tagged", a_tag),
		T("RFC 9360 2 x5chain is no DER", no_der),
		T("RFC 9360 2 x5chain's DER is longer than it is", der_that_lies),
		T("RFC 9360 2 a byte behind the certificate", trailing_byte),
		T("RFC 9360 2 ten certificates, and eleven", eleven),
		T("RFC 9360 2 rubbish behind a good certificate", bad_one_behind),
		T("RFC 9360 2 each truncation of a certificate", each_cut_of_the_der),
		T("RFC 9052 4 each truncation of a block", each_cut_of_a_block),
		T("SUIT-15 own keys decrypt, by the digest of their key", own_keys),
		T("SUIT-3 raw keys of the factory keep their name", factory_rows),
	};

	return cmocka_run_group_tests_name("update_keys", tests, make_all, free_all);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published COSE_Sign1 messages: cose-wg/Examples (sign1, ecdsa, eddsa, RFC
 * 8152 C.2.1, CWT A.3) and the constrained voucher's objects (brski.md section
 * 21, V2), verified by OpenSSL over what core says is signed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/pem.h>

#include "muster/base64.h"
#include "muster/cbor.h"
#include "muster/voucher.h"
#include "unit/host/support_pki.h"
#include "vectors/support_cose.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hex with line ends; on the heap, of exactly that size. */
static mst_span
unhex(mst_span text)
{
	uint8_t *out = malloc(text.len / 2 + 1);
	int high = -1;
	size_t n = 0;

	assert_non_null(out);
	for (size_t i = 0; i < text.len; i++) {
		int d = digit(text.ptr[i]);

		if (d < 0)
			continue;
		if (high >= 0)
			out[n++] = (uint8_t)(high << 4 | d);
		high = high >= 0 ? -1 : d;
	}
	assert_int_equal(high, -1);
	out = realloc(out, n != 0 ? n : 1);
	return mst_span_of(out, n);
}

static void
drop(mst_span s)
{
	free((void *)(uintptr_t)s.ptr);
}

/* One example: message, key, what surrounds it. */
struct example {
	mst_span message, tbs, aad;
	struct cose_key key;
};

static mst_span
coordinate(const json_t *key, const char *name)
{
	char with_hex[8];
	const char *text = json_string_value(json_object_get(key, name));
	struct mst_buf b;

	if (text == NULL) {
		(void)snprintf(with_hex, sizeof(with_hex), "%s_hex", name);
		text = json_string_value(json_object_get(key, with_hex));
		return text == NULL ? MST_NONE : unhex(mst_span_str(text));
	}
	b = (struct mst_buf){ malloc(128), 128, 0 };
	assert_int_equal(mst_base64_decode(mst_span_str(text), MST_BASE64_URL, &b), MST_OK);
	return mst_buf_span(&b);
}

static mst_span
hex_of(const json_t *of, const char *name)
{
	const char *text = json_string_value(json_object_get(of, name));

	return text == NULL ? MST_NONE : unhex(mst_span_str(text));
}

static struct example
example_open(const char *name)
{
	char path[128];
	mst_span text, x, y;
	struct example e = { .aad = MST_NONE };
	const json_t *sign0, *key;
	json_t *top;

	(void)snprintf(path, sizeof(path), "cose/%s.json", name);
	text = vector_read(path);
	if (text.ptr == NULL)
		skip();
	top = json_loadb((const char *)text.ptr, text.len, 0, NULL);
	assert_non_null(top);
	sign0 = json_object_get(json_object_get(top, "input"), "sign0");
	key = json_object_get(sign0, "key");
	assert_non_null(key);
	x = coordinate(key, "x");
	y = coordinate(key, "y");
	if (y.ptr == NULL && strcmp(json_string_value(json_object_get(key, "crv")), "Ed448") == 0)
		e.key.key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED448, NULL, x.ptr, x.len);
	else
		e.key.key = cose_test_key(json_string_value(json_object_get(key, "crv")), x, y);
	assert_non_null(e.key.key);
	e.aad = hex_of(sign0, "external");
	e.tbs = hex_of(json_object_get(top, "intermediates"), "ToBeSign_hex");
	e.message = hex_of(json_object_get(top, "output"), "cbor");
	assert_non_null(e.message.ptr);
	drop(x);
	drop(y);
	drop(text);
	json_decref(top);
	return e;
}

static void
example_close(struct example *e)
{
	EVP_PKEY_free(e->key.key);
	drop(e->message);
	drop(e->tbs);
	drop(e->aad);
}

static mst_err
judge(struct example *e, mst_span message, struct mst_cose_sign1 *m)
{
	struct mst_cose_verifier v = cose_test_verifier(&e->key);
	mst_span payload = MST_NONE;
	unsigned before = e->key.good;
	mst_err err = mst_cose_sign1_parse(message, m);

	if (err == MST_OK)
		err = mst_cose_sign1_check(m, e->aad, MST_NONE, &v, &payload);
	/* nothing is good that OpenSSL did not find good */
	assert_int_equal(e->key.good - before, err == MST_OK);
	assert_int_equal(payload.ptr != NULL, err == MST_OK);
	return err;
}

/*
 * Every single bit: refused, except in the unprotected header, which is not
 * signed. There a flip may leave the verdict as it was, on the same payload,
 * protected header and algorithm.
 */
static void
flip_all(struct example *e)
{
	struct mst_cose_sign1 m, f;
	mst_span copy = mst_span_of(
	    memcpy(malloc(e->message.len), e->message.ptr, e->message.len), e->message.len);
	uint8_t *at = (uint8_t *)(uintptr_t)copy.ptr;
	size_t from, to;

	assert_int_equal(judge(e, copy, &m), MST_OK);
	from = (size_t)(m.unprotected_header.ptr - copy.ptr);
	to = from + m.unprotected_header.len;
	for (size_t bit = 0; bit < copy.len * 8; bit++) {
		at[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (judge(e, copy, &f) == MST_OK) {
			assert_true(bit / 8 >= from && bit / 8 < to);
			assert_true(
			    f.payload.ptr == m.payload.ptr && f.payload.len == m.payload.len);
			assert_true(mst_span_eq(f.protected_header, m.protected_header));
			assert_int_equal(f.alg, m.alg);
		}
		at[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	drop(copy);
}

static void
cut_all(struct example *e)
{
	for (size_t n = 0; n < e->message.len; n++) {
		mst_span copy = mst_span_of(memcpy(malloc(n != 0 ? n : 1), e->message.ptr, n), n);
		struct mst_cose_sign1 m;

		assert_int_equal(judge(e, copy, &m), MST_E_CBOR);
		drop(copy);
	}
}

struct row {
	const char *name;
	mst_err want;
};
static const struct row rows[] = {
	{ "sign1-tests/sign-pass-02", MST_OK }, /* external_aad */
	{ "sign1-tests/sign-pass-03", MST_OK }, /* without a tag */
	{ "ecdsa-examples/ecdsa-sig-01", MST_OK },
	{ "ecdsa-examples/ecdsa-sig-02", MST_OK }, /* ES384 */
	{ "ecdsa-examples/ecdsa-sig-03", MST_OK }, /* ES512 on P-521 */
	{ "eddsa-examples/eddsa-sig-01", MST_OK },
	{ "RFC8152/Appendix_C_2_1", MST_OK },
	{ "CWT/A_3", MST_OK },
	/* verifies by RFC 9052, which lets alg stand unprotected; COSE-3 does not */
	{ "sign1-tests/sign-pass-01", MST_E_COSE_PROTECTED },
	{ "sign1-tests/sign-fail-01", MST_E_COSE_TAG },
	{ "sign1-tests/sign-fail-02", MST_E_COSE_SIGNATURE },
	{ "sign1-tests/sign-fail-03", MST_E_COSE_ALGORITHM },
	{ "sign1-tests/sign-fail-04", MST_E_COSE_ALGORITHM },
	{ "sign1-tests/sign-fail-06", MST_E_COSE_SIGNATURE },
	{ "sign1-tests/sign-fail-07", MST_E_COSE_SIGNATURE },
	/* ES512 with a P-256 key, EdDSA with Ed448: not in our table */
	{ "ecdsa-examples/ecdsa-sig-04", MST_E_COSE_SIGNATURE_LENGTH },
	{ "eddsa-examples/eddsa-sig-02", MST_E_COSE_SIGNATURE_LENGTH },
};
#define GOOD_ROWS 8

static void
example_row(void **state)
{
	const struct row *row = *state;
	struct example e = example_open(row->name);
	struct mst_cose_sign1 m;

	assert_int_equal(judge(&e, e.message, &m), row->want);
	example_close(&e);
}

static mst_err
compare_tbs(void *ctx, const struct mst_cose_sign1 *m, const struct mst_cose_tbs *tbs)
{
	const struct example *e = ctx;
	uint8_t room[1024];
	struct mst_buf b = MST_BUF(room);

	(void)m;
	assert_int_equal(mst_cose_tbs_join(tbs, &b), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&b), e->tbs));
	return MST_E_COSE_SIGNATURE;
}

static void
example_tbs(void **state)
{
	const struct row *row = *state;
	struct example e = example_open(row->name);
	struct mst_cose_verifier v = { &e, 15, MST_NONE, compare_tbs };
	struct mst_cose_sign1 m;
	mst_span payload;

	assert_non_null(e.tbs.ptr);
	assert_int_equal(mst_cose_sign1_parse(e.message, &m), MST_OK);
	assert_int_equal(
	    mst_cose_sign1_check(&m, e.aad, MST_NONE, &v, &payload), MST_E_COSE_SIGNATURE);
	example_close(&e);
}

static void
example_flips(void **state)
{
	const struct row *row = *state;
	struct example e = example_open(row->name);

	flip_all(&e);
	example_close(&e);
}

static void
example_prefixes(void **state)
{
	const struct row *row = *state;
	struct example e = example_open(row->name);

	cut_all(&e);
	example_close(&e);
}

/* Another key, another algorithm's key: never success. */
static void
example_foreign_key(void **state)
{
	const struct row *row = *state;
	struct example e = example_open(row->name), other = example_open(rows[2].name);
	static const char *const kinds[] = { "P-256", "P-384", "ED25519" };
	struct mst_cose_sign1 m;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		EVP_PKEY_free(e.key.key);
		e.key.key = pki_key(kinds[i]);
		assert_int_not_equal(judge(&e, e.message, &m), MST_OK);
	}
	example_close(&other);
	example_close(&e);
}

static const struct object {
	const char *name, *signer;
	enum mst_voucher_kind kind;
	size_t size;
} objects[] = {
	{ "pvr", "pledge", MST_VOUCHER_REQUEST, 201 },
	{ "rvr", "registrar", MST_VOUCHER_REQUEST, 1604 },
	{ "voucher", "masa_ca", MST_VOUCHER, 724 },
};

static mst_span
object_hex(const char *name, const char *suffix)
{
	char path[128];
	mst_span text, bytes;

	(void)snprintf(path, sizeof(path), "brski-cose/%s%s.hex", name, suffix);
	text = vector_read(path);
	if (text.ptr == NULL)
		skip();
	bytes = unhex(text);
	drop(text);
	return bytes;
}

static EVP_PKEY *
key_of(const char *name)
{
	char path[128];
	mst_span pem;
	BIO *bio;
	X509 *cert;
	EVP_PKEY *key;

	(void)snprintf(path, sizeof(path), "brski-cose/%s.pem", name);
	pem = vector_read(path);
	if (pem.ptr == NULL)
		skip();
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(cert);
	key = X509_get_pubkey(cert);
	X509_free(cert);
	BIO_free(bio);
	drop(pem);
	return key;
}

static struct example
object_open(const struct object *o)
{
	struct example e = { .aad = MST_NONE };

	e.message = object_hex(o->name, "");
	e.key.key = key_of(o->signer);
	assert_non_null(e.key.key);
	return e;
}

static void
object_verifies(void **state)
{
	const struct object *o = *state;
	struct example e = object_open(o);
	mst_span content = object_hex(o->name, "-nonsigned");
	struct mst_voucher_claims c;
	struct mst_cose_sign1 m;

	assert_int_equal(e.message.len, o->size);
	assert_int_equal(judge(&e, e.message, &m), MST_OK);
	assert_int_equal(m.alg, MST_COSE_ES256);
	assert_true(mst_span_eq(m.payload, content));
	assert_int_equal(mst_voucher_cbor_parse(m.payload, o->kind, 0, &c), MST_OK);
	assert_true(mst_span_eq(c.serial, MST_LIT("JADA123456789")));
	assert_int_equal(c.assertion, MST_ASSERT_PROXIMITY);
	assert_int_equal(c.unknown, 0);
	assert_int_equal(mst_voucher_cbor_parse(m.payload,
	                     o->kind == MST_VOUCHER ? MST_VOUCHER_REQUEST : MST_VOUCHER, 0, &c),
	    MST_E_VOUCHER_KIND);
	drop(content);
	example_close(&e);
}

static void
object_flips(void **state)
{
	struct example e = object_open(*state);

	flip_all(&e);
	example_close(&e);
}

static void
object_prefixes(void **state)
{
	struct example e = object_open(*state);

	cut_all(&e);
	example_close(&e);
}

/* Signed by one of the other two: refused. */
static void
object_foreign_key(void **state)
{
	const struct object *o = *state;
	struct example e = object_open(o);
	struct mst_cose_sign1 m;

	for (size_t i = 0; i < COUNT(objects); i++) {
		if (&objects[i] == o)
			continue;
		EVP_PKEY_free(e.key.key);
		e.key.key = key_of(objects[i].signer);
		assert_int_equal(judge(&e, e.message, &m), MST_E_COSE_SIGNATURE);
	}
	example_close(&e);
}

static void
pvr_is_written_to_the_byte(void **state)
{
	struct example e = object_open(&objects[0]);
	struct mst_voucher_claims c;
	struct mst_cose_sign1 m;
	uint8_t room[512];
	struct mst_buf out = MST_BUF(room);

	(void)state;
	assert_int_equal(mst_cose_sign1_parse(e.message, &m), MST_OK);
	assert_int_equal(mst_voucher_cbor_parse(m.payload, MST_VOUCHER_REQUEST, 0, &c), MST_OK);
	assert_int_equal(mst_voucher_cbor_build(&c, &out), MST_OK);
	assert_true(mst_span_eq(mst_buf_span(&out), m.payload));
	assert_int_equal(c.proximity_pubk.len, 91);
	example_close(&e);
}

static void
rvr_holds_the_pvr_and_two_certificates(void **state)
{
	struct example e = object_open(&objects[1]);
	mst_span pvr = object_hex("pvr", ""), rest, cert;
	struct mst_voucher_claims c;
	struct mst_cose_sign1 m;
	size_t n = 0;

	(void)state;
	assert_int_equal(mst_cose_sign1_parse(e.message, &m), MST_OK);
	assert_int_equal(mst_voucher_cbor_parse(m.payload, MST_VOUCHER_REQUEST, 0, &c), MST_OK);
	assert_true(mst_span_eq(c.prior_request, pvr));
	assert_int_equal(c.idevid_issuer.len, 26);
	assert_int_equal(m.x5bag.count, 2);
	for (rest = m.x5bag.items; mst_cose_certs_next(&rest, &cert); n++) {
		const unsigned char *p = cert.ptr;
		X509 *x = d2i_X509(NULL, &p, (long)cert.len);

		assert_non_null(x);
		assert_ptr_equal(p, cert.ptr + cert.len);
		X509_free(x);
	}
	assert_int_equal(n, 2);
	drop(pvr);
	example_close(&e);
}

/* COSE-4: what the registrar takes out leaves the signature as it was. */
static void
stripped_rvr_verifies(void **state)
{
	struct example e = object_open(&objects[1]);
	uint8_t room[2048];
	struct mst_buf out = MST_BUF(room);
	struct mst_cose_sign1 m, before;

	(void)state;
	assert_int_equal(mst_cose_sign1_parse(e.message, &before), MST_OK);
	assert_int_equal(mst_cose_sign1_strip(e.message, &out), MST_OK);
	assert_int_equal(judge(&e, mst_buf_span(&out), &m), MST_OK);
	assert_int_equal(m.x5bag.count, 0);
	assert_int_equal(out.len, e.message.len - before.unprotected_header.len + 1);
	assert_true(mst_span_eq(m.payload, before.payload));
	example_close(&e);
}

/* 8.7: the published voucher passes for its own nonce and for no other. */
static void
voucher_passes_the_check(void **state)
{
	static const uint8_t nonce[] = { 0x57, 0xee, 0xd7, 0x86, 0xad, 0x40, 0x49, 0x07 };
	static const uint8_t of_pvr[] = { 0x23, 0xbf, 0xbb, 0xc9, 0xc2, 0xbc, 0xf2, 0x13 };
	struct example e = object_open(&objects[2]);
	struct mst_voucher_want want = {
		.serial = MST_LIT("JADA123456789"),
		.nonce = mst_span_of(nonce, sizeof(nonce)),
		.clock = { MST_CLOCK_TRUSTED, 1670358300 },
	};
	struct mst_voucher_claims c;
	struct mst_cose_sign1 m;
	struct mst_voucher v;

	(void)state;
	assert_int_equal(judge(&e, e.message, &m), MST_OK);
	assert_int_equal(mst_voucher_cbor_parse(m.payload, MST_VOUCHER, 0, &c), MST_OK);
	assert_int_equal(mst_voucher_check(&c, &want, &v), MST_OK);
	assert_int_equal(v.pinned_cert.len, 583);
	want.nonce = mst_span_of(of_pvr, sizeof(of_pvr));
	assert_int_equal(mst_voucher_check(&c, &want, &v), MST_E_VOUCHER_NONCE);
	want.nonce = mst_span_of(nonce, sizeof(nonce));
	want.serial = MST_LIT("JADA123456788");
	assert_int_equal(mst_voucher_check(&c, &want, &v), MST_E_VOUCHER_SERIAL);
	example_close(&e);
}

/* What we write with real keys, OpenSSL finds good; one payload byte more is not. */
static void
ours_verifies(void **state)
{
	static const struct {
		const char *key;
		enum mst_cose_alg alg;
	} algs[] = { { "P-256", MST_COSE_ES256 }, { "P-384", MST_COSE_ES384 },
		{ "ED25519", MST_COSE_EDDSA } };

	(void)state;
	for (size_t i = 0; i < COUNT(algs); i++)
		for (int detached = 0; detached < 2; detached++) {
			struct cose_key k = { pki_key(algs[i].key), 0 };
			struct mst_cose_signer s = cose_test_signer(&k, algs[i].alg);
			struct mst_cose_verifier v = cose_test_verifier(&k);
			struct mst_cose_content c = { .payload = MST_LIT("payload"),
				.form = detached ? MST_COSE_DETACHED : MST_COSE_ATTACHED };
			uint8_t room[512];
			struct mst_buf out = MST_BUF(room);
			struct mst_cose_sign1 m;
			mst_span payload;

			assert_int_equal(mst_cose_sign1_build(&c, &s, &out), MST_OK);
			assert_int_equal(mst_cose_sign1_parse(mst_buf_span(&out), &m), MST_OK);
			assert_int_equal(
			    mst_cose_sign1_check(&m, MST_NONE,
			        detached ? MST_LIT("payload") : MST_NONE, &v, &payload),
			    MST_OK);
			assert_int_equal(k.good, 1);
			if (detached)
				assert_int_equal(mst_cose_sign1_check(&m, MST_NONE,
				                     MST_LIT("payload2"), &v, &payload),
				    MST_E_COSE_SIGNATURE);
			EVP_PKEY_free(k.key);
		}
}

struct kind {
	const char *what;
	CMUnitTestFunction fn;
};

static size_t
add(struct CMUnitTest *tests, size_t n, const struct kind *kind, const char *name, const void *row)
{
	static char names[128][96];

	(void)snprintf(names[n], sizeof(names[n]), "%s: %s", name, kind->what);
	tests[n] = (struct CMUnitTest){ names[n], kind->fn, NULL, NULL, (void *)(uintptr_t)row };
	return n + 1;
}

int
main(void)
{
	static const struct kind verdict = { "verdict", example_row };
	static const struct kind of_good[] = {
		{ "ToBeSign is exact", example_tbs },
		{ "every single bit", example_flips },
		{ "every strict prefix", example_prefixes },
		{ "foreign keys", example_foreign_key },
	};
	static const struct kind of_objects[] = {
		{ "V2 verifies and is read", object_verifies },
		{ "V2 every single bit", object_flips },
		{ "V2 every strict prefix", object_prefixes },
		{ "V2 foreign keys", object_foreign_key },
	};
	static const struct CMUnitTest singles[] = {
		cmocka_unit_test(pvr_is_written_to_the_byte),
		cmocka_unit_test(rvr_holds_the_pvr_and_two_certificates),
		cmocka_unit_test(stripped_rvr_verifies),
		cmocka_unit_test(voucher_passes_the_check),
		cmocka_unit_test(ours_verifies),
	};
	struct CMUnitTest tests[COUNT(rows) + GOOD_ROWS * COUNT(of_good) +
	                        COUNT(objects) * COUNT(of_objects) + COUNT(singles)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		n = add(tests, n, &verdict, rows[i].name, &rows[i]);
	for (size_t i = 0; i < GOOD_ROWS; i++)
		for (size_t k = 0; k < COUNT(of_good); k++)
			n = add(tests, n, &of_good[k], rows[i].name, &rows[i]);
	for (size_t i = 0; i < COUNT(objects); i++)
		for (size_t k = 0; k < COUNT(of_objects); k++)
			n = add(tests, n, &of_objects[k], objects[i].name, &objects[i]);
	for (size_t i = 0; i < COUNT(singles); i++)
		tests[n++] = singles[i];
	return cmocka_run_group_tests_name("cose vectors", tests, NULL, NULL);
}

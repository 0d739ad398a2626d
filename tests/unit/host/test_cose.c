/* SPDX-License-Identifier: Apache-2.0 */
/* COSE vouchers: whose key, where certificates stand, and what is stripped or added. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/cert.h"
#include "host/envelope.h"
#include "muster/cbor.h"
#include "muster/cose.h"
#include "unit/host/support_pki.h"

#define NONCE MST_LIT("This is a nonce!")

static EVP_PKEY *ca_key, *key, *other_key;
static X509 *ca, *cert, *other, *device;
static struct arena *a;

static int
setup(void **state)
{
	struct pki_spec s = { .cn = "signer" };
	struct pki_spec o = { .cn = "other" };
	struct pki_spec d = { .cn = "device", .serial = "SN-1" };

	(void)state;
	a = arena_new(0);
	ca_key = pki_key("P-256");
	key = pki_key("P-256");
	other_key = pki_key("P-256");
	ca = pki_root("CA", ca_key);
	s.key = key;
	s.issuer = ca;
	s.issuer_key = ca_key;
	cert = pki_cert(&s);
	o.key = other_key;
	other = pki_cert(&o);
	d.key = key;
	d.issuer = ca;
	d.issuer_key = ca_key;
	device = pki_cert(&d);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	X509_free(device);
	X509_free(other);
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	arena_free(a);
	return 0;
}

static struct mst_voucher_claims
claims_of(enum mst_voucher_kind kind)
{
	struct mst_voucher_claims c;

	mst_voucher_claims_init(&c, kind);
	c.assertion = MST_ASSERT_PROXIMITY;
	c.created_on = PKI_NOW;
	c.serial = MST_LIT("SN-1");
	c.nonce = NONCE;
	c.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==");
	return c;
}

enum what { VOUCHER, VOUCHER_BARE, PVR, RVR };

static mst_span
sealed(enum what what)
{
	struct mst_voucher_claims c =
	    claims_of(what <= VOUCHER_BARE ? MST_VOUCHER : MST_VOUCHER_REQUEST);
	STACK_OF(X509) *chain = pki_stack(ca, NULL, NULL);
	struct envelope_signer s = { key, cert, what == VOUCHER_BARE ? NULL : chain, false };
	mst_span message = MST_NONE;

	switch (what) {
	case VOUCHER:
	case VOUCHER_BARE:
		c.pinned_pubk_sha256 = MST_LIT("0123456789abcdef0123456789abcdef");
		break;
	case PVR: c.proximity_pubk = MST_LIT("a key"); break;
	case RVR: c.idevid_issuer = MST_LIT("\x04\x02\x30\x00"); break;
	}
	assert_int_equal(envelope_seal(a, MST_MEDIA_COSE_CBOR, &c, &s, &message), MST_OK);
	pki_stack_free(chain);
	return message;
}

static enum mst_voucher_kind
kind_of(enum what what)
{
	return what <= VOUCHER_BARE ? MST_VOUCHER : MST_VOUCHER_REQUEST;
}

static mst_err
open_with(mst_span message, enum mst_voucher_kind kind, X509 *known, struct envelope *env)
{
	STACK_OF(X509) *extra = pki_stack(known, NULL, NULL);
	mst_err e = envelope_open(a, MST_MEDIA_COSE_CBOR, kind, message, extra, env);

	pki_stack_free(extra);
	return e;
}

static struct mst_cose_sign1
parsed(mst_span message)
{
	struct mst_cose_sign1 m;

	assert_int_equal(mst_cose_sign1_parse(message, &m), MST_OK);
	return m;
}

/* --- COSE-4: where certificates stand --- */

static const struct place {
	const char *name;
	enum what what;
	size_t count;
	int is_protected;
} places[] = {
	{ "COSE-4 a PVR has no certificates", PVR, 0, 0 },
	{ "COSE-4 an RVR has its chain, unprotected", RVR, 2, 0 },
	{ "COSE-4 a voucher with a chain has it protected, without the root", VOUCHER, 1, 1 },
	{ "COSE-4 a voucher of a lone certificate has that, unprotected", VOUCHER_BARE, 1, 0 },
};

static void
test_place(void **state)
{
	const struct place *p = *state;
	struct mst_cose_sign1 m = parsed(sealed(p->what));
	mst_span rest = m.x5bag.items, first, der;

	assert_int_equal(m.x5bag.count, p->count);
	assert_null(m.x5chain.items.ptr);
	assert_null(m.kid.ptr);
	assert_int_equal(m.alg, MST_COSE_ES256);
	if (p->count == 0) {
		assert_int_equal(m.unprotected_header.len, 1); /* COSE-4: normally empty */
		return;
	}
	assert_int_equal(m.x5bag.is_protected, p->is_protected);
	assert_true(mst_cose_certs_next(&rest, &first));
	assert_int_equal(cert_der(a, cert, &der), MST_OK);
	assert_true(mst_span_eq(first, der));
}

/* --- COSE-2: algorithms --- */

static const struct algorithm {
	const char *name, *key;
	mst_err want;
} algorithms[] = {
	{ "COSE-2 ES256 both ways", "P-256", MST_OK },
	{ "COSE-2 ES384 both ways", "P-384", MST_OK },
	{ "COSE-2 EdDSA both ways", "ED25519", MST_OK },
	{ "COSE-2 KEY_SIGN: RSA is not written", "RSA-2048", MST_E_KEY_SIGN },
	{ "COSE-2 KEY_SIGN: P-224 is not written", "P-224", MST_E_KEY_SIGN },
	{ "COSE-2 KEY_SIGN: secp256k1 is not written", "secp256k1", MST_E_KEY_SIGN },
};

static void
test_algorithm(void **state)
{
	const struct algorithm *r = *state;
	struct mst_voucher_claims c = claims_of(MST_VOUCHER);
	EVP_PKEY *k = pki_key(r->key);
	struct pki_spec spec = { .cn = "signer", .key = k };
	struct envelope_signer s = { .key = k, .cert = pki_cert(&spec) };
	struct envelope env;
	mst_span message;

	assert_int_equal(envelope_seal(a, MST_MEDIA_COSE_CBOR, &c, &s, &message), r->want);
	if (r->want == MST_OK) {
		assert_int_equal(open_with(message, MST_VOUCHER, NULL, &env), MST_OK);
		assert_int_equal(X509_cmp(env.signer, s.cert), 0);
		assert_true(mst_span_eq(env.claims.serial, c.serial));
		assert_true(mst_span_eq(env.claims.nonce, c.nonce));
		assert_null(env.claims.nonce_text.ptr); /* CBOR has bytes */
	}
	X509_free(s.cert);
	EVP_PKEY_free(k);
}

/* --- whose key --- */

static void
a_pvr_is_of_whom_the_caller_knows(void **state)
{
	struct envelope env;
	mst_span pvr = sealed(PVR);

	(void)state;
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, NULL, &env), MST_E_VOUCHER_SIGNATURE);
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, other, &env), MST_E_VOUCHER_SIGNATURE);
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, cert, &env), MST_OK);
	assert_ptr_equal(env.signer, cert);
	assert_int_equal(sk_X509_num(env.certs), 1);
}

static mst_span
with_bag(mst_span message, X509 *x, X509 *y, X509 *z)
{
	STACK_OF(X509) *more = pki_stack(x, y, z);
	mst_span out = MST_NONE;

	assert_int_equal(envelope_bag_add(a, message, more, &out), MST_OK);
	pki_stack_free(more);
	return out;
}

/* COSE-4: two certificates of one key; the one that TLS showed counts, not the one that came. */
static void
extra_comes_first(void **state)
{
	struct envelope env;
	mst_span pvr = with_bag(sealed(PVR), cert, NULL, NULL);

	(void)state;
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, device, &env), MST_OK);
	assert_ptr_equal(env.signer, device);
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, other, &env), MST_OK);
	assert_int_equal(X509_cmp(env.signer, cert), 0);
}

static void
a_bag_has_no_order(void **state)
{
	struct envelope env;

	(void)state;
	assert_int_equal(
	    open_with(with_bag(sealed(PVR), other, ca, cert), MST_VOUCHER_REQUEST, NULL, &env),
	    MST_OK);
	assert_int_equal(X509_cmp(env.signer, cert), 0);
	assert_int_equal(sk_X509_num(env.certs), 3);
}

/* A message with this unprotected header, given as bytes. */
static mst_span
with_header(mst_span message, mst_span header)
{
	struct mst_cose_sign1 m = parsed(message);
	struct mst_buf b = arena_buf(a, message.len + header.len + 32);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, 18);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_bytes(&w, m.protected_header);
	mst_cbor_put_raw(&w, header);
	mst_cbor_put_bytes(&w, m.payload);
	mst_cbor_put_bytes(&w, m.signature);
	assert_int_equal(mst_cbor_put_end(&w), MST_OK);
	return mst_buf_span(&b);
}

static void
garbage_in_the_bag(void **state)
{
	mst_span pvr = with_header(sealed(PVR), MST_LIT("\xa1\x18\x20\x43xyz"));
	struct envelope env;

	(void)state;
	/* COSE-4: the registrar MUST ignore x5bag of a PVR */
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, cert, &env), MST_OK);
	assert_ptr_equal(env.signer, cert);
	/* who needs it has nothing to believe */
	assert_int_equal(open_with(pvr, MST_VOUCHER_REQUEST, NULL, &env), MST_E_COSE_HEADER);
}

static void
a_kid_says_nothing(void **state)
{
	struct envelope env;

	(void)state;
	assert_int_equal(open_with(with_header(sealed(PVR), MST_LIT("\xa1\x04\x43kid")),
	                     MST_VOUCHER_REQUEST, cert, &env),
	    MST_OK);
}

static void
untagged_is_taken(void **state)
{
	mst_span pvr = sealed(PVR);
	struct envelope env;

	(void)state;
	assert_int_equal(pvr.ptr[0], 0xd2);
	assert_int_equal(
	    open_with(mst_span_of(pvr.ptr + 1, pvr.len - 1), MST_VOUCHER_REQUEST, cert, &env),
	    MST_OK); /* COSE-1 */
}

static void
the_other_kind(void **state)
{
	struct envelope env;

	(void)state;
	assert_int_equal(open_with(sealed(PVR), MST_VOUCHER, cert, &env), MST_E_VOUCHER_KIND);
	assert_int_equal(
	    open_with(sealed(VOUCHER), MST_VOUCHER_REQUEST, cert, &env), MST_E_VOUCHER_KIND);
}

/* DM-5: on a copy of exact size, so that a read behind the end is seen. */
static void
every_prefix(void **state)
{
	mst_span good = sealed(VOUCHER);
	struct envelope env;

	(void)state;
	for (size_t n = 0; n < good.len; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, good.ptr, n);
		if (open_with(mst_span_of(copy, n), MST_VOUCHER, cert, &env) == MST_OK)
			fail_msg("a prefix of %zu bytes is taken", n);
		free(copy);
	}
}

/* What a pledge gets and what it sends: no bit of it is idle. */
static void
every_bit(void **state)
{
	enum what what = *(const enum what *)*state;
	mst_span good = MST_NONE;
	struct envelope env;
	uint8_t *copy;

	assert_int_equal(envelope_strip(a, MST_MEDIA_COSE_CBOR, sealed(what), &good), MST_OK);
	assert_int_equal(open_with(good, kind_of(what), cert, &env), MST_OK);
	copy = test_malloc(good.len);
	memcpy(copy, good.ptr, good.len);
	for (size_t i = 0; i < good.len * 8; i++) {
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
		if (open_with(mst_span_of(copy, good.len), kind_of(what), cert, &env) == MST_OK)
			fail_msg("bit %zu of byte %zu changes nothing", i % 8, i / 8);
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	test_free(copy);
}

/* --- COSE-4: the RVR's bag, and the strip --- */

static void
add_to_the_bag(void **state)
{
	mst_span rvr = sealed(RVR), both = with_bag(rvr, device, ca, cert), der;
	struct mst_cose_sign1 before = parsed(rvr), after = parsed(both);
	struct envelope env;
	mst_span rest = after.x5bag.items, one;

	(void)state;
	assert_int_equal(after.x5bag.count, 3); /* COSE-5: each once */
	assert_false(after.x5bag.is_protected);
	assert_true(mst_span_eq(before.protected_header, after.protected_header));
	assert_true(mst_span_eq(before.payload, after.payload));
	assert_true(mst_span_eq(before.signature, after.signature));
	assert_true(mst_cose_certs_next(&rest, &one) && mst_cose_certs_next(&rest, &one) &&
	            mst_cose_certs_next(&rest, &one));
	assert_int_equal(cert_der(a, device, &der), MST_OK);
	assert_true(mst_span_eq(one, der)); /* behind the registrar's own */
	assert_int_equal(open_with(both, MST_VOUCHER_REQUEST, NULL, &env), MST_OK);
	assert_int_equal(X509_cmp(env.signer, cert), 0);
}

static void
the_other_labels_stay_sorted(void **state)
{
	mst_span pvr = with_header(sealed(PVR), MST_LIT("\xa2\x04\x41k\x18\x64\x01"));
	struct mst_cose_sign1 m = parsed(with_bag(pvr, cert, NULL, NULL));
	struct mst_cbor_reader r;
	int64_t label, want[] = { 4, 32, 100 };
	size_t n = 0;

	(void)state;
	mst_cbor_init(&r, m.unprotected_header);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &label)) {
		assert_true(n < 3);
		assert_int_equal(label, want[n++]);
		mst_cbor_skip(&r);
	}
	assert_int_equal(mst_cbor_end(&r), MST_OK);
	assert_int_equal(n, 3);
	/* RFC 9360 2: one alone is a byte string, no array */
	assert_int_equal(m.x5bag.count, 1);
}

static void
too_many_for_a_bag(void **state)
{
	STACK_OF(X509) *more = sk_X509_new_null();
	EVP_PKEY *k = pki_key("P-256");
	mst_span out = MST_NONE, rvr = sealed(RVR);

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct pki_spec s = { .cn = "one of many", .key = k };

		sk_X509_push(more, pki_cert(&s));
		assert_int_equal(envelope_bag_add(a, rvr, more, &out),
		    i < MST_COSE_CERTS_MAX - 2 ? MST_OK : MST_E_COSE_CERTS);
	}
	sk_X509_pop_free(more, X509_free);
	EVP_PKEY_free(k);
}

static void
nothing_is_added_beside_a_protected_bag(void **state)
{
	STACK_OF(X509) *more = pki_stack(ca, NULL, NULL);
	mst_span out = MST_NONE;

	(void)state;
	assert_int_equal(envelope_bag_add(a, sealed(VOUCHER), more, &out), MST_E_COSE_DUPLICATE);
	assert_null(out.ptr);
	pki_stack_free(more);
}

static void
strip_unprotected(void **state)
{
	mst_span bare = sealed(VOUCHER_BARE), out = MST_NONE;
	struct envelope env;

	(void)state;
	assert_int_equal(envelope_strip(a, MST_MEDIA_COSE_CBOR, bare, &out), MST_OK);
	assert_true(mst_span_eq(out, with_header(bare, MST_LIT("\xa0"))));
	/* the device has that certificate; nobody else can tell */
	assert_int_equal(open_with(out, MST_VOUCHER, cert, &env), MST_OK);
	assert_int_equal(open_with(out, MST_VOUCHER, NULL, &env), MST_E_VOUCHER_SIGNATURE);
}

static void
strip_leaves_the_protected(void **state)
{
	mst_span voucher = sealed(VOUCHER), out = MST_NONE;

	(void)state;
	assert_int_equal(envelope_strip(a, MST_MEDIA_COSE_CBOR, voucher, &out), MST_OK);
	assert_true(mst_span_eq(out, voucher));
}

static void
strip_leaves_others(void **state)
{
	mst_span out = MST_NONE;

	(void)state;
	assert_int_equal(envelope_strip(a, MST_MEDIA_CMS_JSON, MST_LIT("any"), &out), MST_OK);
	assert_true(mst_span_eq(out, MST_LIT("any")));
	assert_int_equal(envelope_strip(a, MST_MEDIA_JWS_JSON, MST_LIT("{}"), &out), MST_OK);
	assert_true(mst_span_eq(out, MST_LIT("{}")));
	assert_int_equal(envelope_strip(a, MST_MEDIA_COSE_CBOR, MST_LIT("no"), &out), MST_E_CBOR);
	assert_int_equal(
	    envelope_strip(a, MST_MEDIA_NONE, MST_LIT("x"), &out), MST_E_MEDIA_UNSUPPORTED);
}

static void
nonce_as_text(void **state)
{
	struct mst_voucher_claims c = claims_of(MST_VOUCHER);
	mst_span text;

	(void)state;
	c.nonce_text = MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ"); /* DM-2: as it came */
	assert_int_equal(envelope_nonce_text(a, &c, &text), MST_OK);
	assert_true(mst_span_eq(text, c.nonce_text));
	c.nonce_text = MST_NONE;
	assert_int_equal(envelope_nonce_text(a, &c, &text), MST_OK);
	assert_true(mst_span_eq(text, MST_LIT("VGhpcyBpcyBhIG5vbmNlIQ==")));
	c.nonce = MST_NONE;
	assert_int_equal(envelope_nonce_text(a, &c, &text), MST_OK);
	assert_null(text.ptr);
}

/* --- the published messages --- */

static X509 *
vector_cert(const char *name)
{
	mst_span pem = vector_read(name);
	STACK_OF(X509) *list;
	X509 *one;

	if (pem.ptr == NULL)
		return NULL;
	assert_int_equal(cert_list(pem, &list), MST_OK);
	free((void *)(uintptr_t)pem.ptr);
	one = sk_X509_shift(list);
	sk_X509_pop_free(list, X509_free);
	return one;
}

static mst_span
vector_hex(const char *name)
{
	mst_span text = vector_read(name);
	struct mst_buf b = arena_buf(a, text.len / 2 + 1);
	int high = -1;

	for (size_t i = 0; i < text.len; i++) {
		const char *at = memchr("0123456789ABCDEF", text.ptr[i] & 0xdf, 16),
		           c = (char)text.ptr[i];
		int v;

		if (c >= '0' && c <= '9')
			v = c - '0';
		else if (at != NULL)
			v = (c & 0xdf) - 'A' + 10;
		else
			continue;
		if (high >= 0)
			assert_int_equal(mst_buf_put_byte(&b, (uint8_t)(high << 4 | v)), MST_OK);
		high = high >= 0 ? -1 : v;
	}
	free((void *)(uintptr_t)text.ptr);
	return text.ptr == NULL ? MST_NONE : mst_buf_span(&b);
}

static const struct vector {
	const char *name, *file, *signer;
	enum mst_voucher_kind kind;
} vectors[] = {
	{ "V2 the PVR, by the pledge's certificate", "brski-cose/pvr.hex", "brski-cose/pledge.pem",
	    MST_VOUCHER_REQUEST },
	{ "V2 the RVR, by its x5bag", "brski-cose/rvr.hex", NULL, MST_VOUCHER_REQUEST },
	{ "V2 the voucher, by the MASA CA's key", "brski-cose/voucher.hex",
	    "brski-cose/masa_ca.pem", MST_VOUCHER },
};

/*
 * Every bit: what is signed changes nothing unseen, and an RVR's unprotected
 * bag, which nobody signed, changes neither what is read nor whose key it is.
 */
static void
test_vector(void **state)
{
	const struct vector *v = *state;
	mst_span message = vector_hex(v->file);
	X509 *signer = v->signer != NULL ? vector_cert(v->signer) : NULL;
	struct envelope env, other_env;
	mst_span bag;
	uint8_t *copy;

	if (message.ptr == NULL || (v->signer != NULL && signer == NULL))
		skip();
	bag = parsed(message).unprotected_header;
	assert_int_equal(open_with(message, v->kind, signer, &env), MST_OK);
	assert_true(mst_span_eq(env.claims.serial, MST_LIT("JADA123456789")));
	copy = test_malloc(message.len);
	memcpy(copy, message.ptr, message.len);
	for (size_t i = 0; i < message.len * 8; i++) {
		bool idle =
		    message.ptr + i / 8 >= bag.ptr && message.ptr + i / 8 < bag.ptr + bag.len;

		if (idle && i % 8 != i / 8 % 8)
			continue; /* one bit of each of its bytes: certificates are dear to decode
			           */
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
		if (open_with(mst_span_of(copy, message.len), v->kind, signer, &other_env) ==
		        MST_OK &&
		    (!idle || !mst_span_eq(env.payload, other_env.payload) ||
		        EVP_PKEY_eq(
		            X509_get0_pubkey(env.signer), X509_get0_pubkey(other_env.signer)) != 1))
			fail_msg("bit %zu of byte %zu changes nothing", i % 8, i / 8);
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	test_free(copy);
	X509_free(signer);
}

#define T(name, fn)                                                                                \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
#define ROWS(rows, fn)                                                                             \
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)                                  \
		tests[n++] = (struct CMUnitTest){ rows[i].name, fn, NULL, NULL,                    \
			(void *)(uintptr_t)&rows[i] };

int
main(void)
{
	static const enum what voucher = VOUCHER, bare = VOUCHER_BARE, pvr = PVR;
	const struct CMUnitTest single[] = {
		T("COSE-4 a PVR is of whom TLS showed", a_pvr_is_of_whom_the_caller_knows),
		T("COSE-4 known certificates come before those of the message", extra_comes_first),
		T("COSE-5 an x5bag has no order", a_bag_has_no_order),
		T("COSE-4 garbage in a PVR's x5bag is ignored", garbage_in_the_bag),
		T("COSE-4 a kid is ignored", a_kid_says_nothing),
		T("COSE-1 untagged is taken", untagged_is_taken),
		T("8.2-3 VOUCHER_KIND", the_other_kind),
		T("DM-5 every prefix is refused", every_prefix),
		{ "COSE-3 every flipped bit of a PVR", every_bit, NULL, NULL,
		    (void *)(uintptr_t)&pvr },
		{ "COSE-3 every flipped bit of a stripped voucher", every_bit, NULL, NULL,
		    (void *)(uintptr_t)&bare },
		{ "COSE-3 every flipped bit of a voucher with its chain", every_bit, NULL, NULL,
		    (void *)(uintptr_t)&voucher },
		T("COSE-4 the pledge's chain beside the registrar's", add_to_the_bag),
		T("COSE-4 other labels stay, sorted", the_other_labels_stay_sorted),
		T("COSE-5 COSE_CERTS: more than ten", too_many_for_a_bag),
		T("COSE-4 COSE_DUPLICATE: a protected bag is left alone",
		    nothing_is_added_beside_a_protected_bag),
		T("COSE-4 the strip takes the unprotected x5bag", strip_unprotected),
		T("COSE-4 the strip leaves what is protected", strip_leaves_the_protected),
		T("8.6 CMS and JWS are forwarded as they came", strip_leaves_others),
		T("AUD-5 a nonce of CBOR as text", nonce_as_text),
	};
	struct CMUnitTest tests[64];
	size_t n = 0;

	ROWS(places, test_place)
	ROWS(algorithms, test_algorithm)
	for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
		tests[n++] = single[i];
	ROWS(vectors, test_vector)
	return _cmocka_run_group_tests("COSE vouchers", tests, n, setup, teardown);
}

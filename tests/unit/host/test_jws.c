/* SPDX-License-Identifier: Apache-2.0 */
/* JWS vouchers: every algorithm read and written, and each forgery by itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "host/cert.h"
#include "host/envelope.h"
#include "muster/base64.h"
#include "unit/host/support_pki.h"

static EVP_PKEY *key;
static X509 *cert;
static struct arena *a;
static const char *x5c;

static const char *
text_of(struct mst_buf *b)
{
	return arena_str(a, mst_buf_span(b));
}

static const char *
url(const char *s)
{
	struct mst_buf b = arena_buf(a, 2 * strlen(s) + 8);

	assert_int_equal(mst_base64url_encode(mst_span_str(s), &b), MST_OK);
	return text_of(&b);
}

static int
setup(void **state)
{
	struct pki_spec s = { .cn = "signer" };
	struct mst_buf b;
	mst_span der;

	(void)state;
	a = arena_new(0);
	key = pki_key("P-256");
	s.key = key;
	cert = pki_cert(&s);
	assert_int_equal(cert_der(a, cert, &der), MST_OK);
	b = arena_buf(a, MST_BASE64_LEN(der.len));
	assert_int_equal(mst_base64_encode(der, &b), MST_OK);
	x5c = text_of(&b);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	X509_free(cert);
	EVP_PKEY_free(key);
	arena_free(a);
	return 0;
}

/* r||s over "protected.payload" with SHA-256, base64url. */
static const char *
signature(const char *protected, const char *payload)
{
	const char *input = arena_printf(a, "%s.%s", protected, payload);
	uint8_t der[128], raw[64];
	const uint8_t *p = der;
	size_t n = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig;
	struct mst_buf out = arena_buf(a, 100);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &n, (const uint8_t *)input, strlen(input)), 1);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32), 32);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	assert_int_equal(mst_base64url_encode(mst_span_of(raw, 64), &out), MST_OK);
	return text_of(&out);
}

#define PAYLOAD "{\"ietf-voucher:voucher\":{\"serial-number\":\"SN-1\"}}"

struct row {
	const char *name;
	const char *header; /* members beside x5c */
	const char *x5c; /* "%s" is the certificate; NULL: ["%s"] */
	const char *form; /* P payload, H protected, S signature; NULL: the general form */
	const char *payload;
	mst_err want;
};
#define GENERAL "{'payload':'P','signatures':[{'protected':'H','signature':'S'}]}"
static const struct row rows[] = {
	{ "JWS-1 the general form is good", "'alg':'ES256'", NULL, NULL, NULL, MST_OK },
	{ "JWS-2 typ may stand there", "'alg':'ES256','typ':'voucher-jws+json'", NULL, NULL, NULL,
	    MST_OK },
	{ "JWS-3 escaped slashes and space are good", "'alg' : 'ES256' ", NULL,
	    " {'signatures' : [ {'signature':'S', 'protected':'H'} ], 'payload':'P'} ", NULL,
	    MST_OK },
	{ "JWS-1 compact form", "'alg':'ES256'", NULL, "H.P.S", NULL, MST_E_JWS },
	{ "JWS-1 flattened form", "'alg':'ES256'", NULL,
	    "{'payload':'P','protected':'H','signature':'S'}", NULL, MST_E_JWS },
	{ "JWS-1 both forms at once", "'alg':'ES256'", NULL,
	    "{'payload':'P','protected':'H','signature':'S',"
	    "'signatures':[{'protected':'H','signature':'S'}]}",
	    NULL, MST_E_JWS },
	{ "JWS-1 two signatures", "'alg':'ES256'", NULL,
	    "{'payload':'P','signatures':[{'protected':'H','signature':'S'},"
	    "{'protected':'H','signature':'S'}]}",
	    NULL, MST_E_JWS },
	{ "JWS-1 no signature", "'alg':'ES256'", NULL, "{'payload':'P','signatures':[]}", NULL,
	    MST_E_JWS },
	{ "JWS-1 no payload", "'alg':'ES256'", NULL,
	    "{'signatures':[{'protected':'H','signature':'S'}]}", NULL, MST_E_JWS },
	{ "JWS-1 payload twice", "'alg':'ES256'", NULL,
	    "{'payload':'P','payload':'P','signatures':[{'protected':'H','signature':'S'}]}", NULL,
	    MST_E_JWS },
	{ "JWS-1 bytes behind", "'alg':'ES256'", NULL, GENERAL "x", NULL, MST_E_JWS },
	{ "JWS-2 unprotected header", "'alg':'ES256'", NULL,
	    "{'payload':'P','signatures':[{'protected':'H','header':{},'signature':'S'}]}", NULL,
	    MST_E_JWS_HEADER },
	{ "JWS-2 alg none", "'alg':'none'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 alg HS256", "'alg':'HS256'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 alg es256 in another case", "'alg':'es256'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 alg of another curve", "'alg':'ES384'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 alg of another kind of key", "'alg':'RS256'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 alg absent", "'typ':'x'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 alg twice", "'alg':'none','alg':'ES256'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 crit", "'alg':'ES256','crit':['exp'],'exp':1", NULL, NULL, NULL,
	    MST_E_JWS_HEADER },
	{ "JWS-2 b64 false", "'alg':'ES256','b64':false", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 jku", "'alg':'ES256','jku':'https://x'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 x5u", "'alg':'ES256','x5u':'https://x'", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 jwk", "'alg':'ES256','jwk':{}", NULL, NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 x5c absent", "'alg':'ES256'", "", NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 x5c empty", "'alg':'ES256'", ",'x5c':[]", NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 x5c a string", "'alg':'ES256'", ",'x5c':'%s'", NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 x5c with junk", "'alg':'ES256'", ",'x5c':['AAAA']", NULL, NULL, MST_E_JWS_HEADER },
	{ "JWS-2 x5c with line ends in the base64", "'alg':'ES256'", ",'x5c':['%s\\n']", NULL, NULL,
	    MST_E_JWS_HEADER },
	{ "JWS-3 signature altered", "'alg':'ES256'", NULL,
	    "{'payload':'P','signatures':[{'protected':'H','signature':'AAAAS'}]}", NULL,
	    MST_E_VOUCHER_SIGNATURE },
	{ "JWS-3 padded payload", "'alg':'ES256'", NULL,
	    "{'payload':'P=','signatures':[{'protected':'H','signature':'S'}]}", NULL,
	    MST_E_VOUCHER_SIGNATURE },
	{ "section 4 request where a voucher is due", "'alg':'ES256'", NULL, NULL,
	    "{\"ietf-voucher-request:voucher\":{\"serial-number\":\"SN-1\"}}", MST_E_VOUCHER_KIND },
	{ "DM-5 a key twice in the payload", "'alg':'ES256'", NULL, NULL,
	    "{\"ietf-voucher:voucher\":{\"nonce\":\"x\",\"nonce\":\"y\"}}", MST_E_JSON },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ' stands for ", so that rows can be read. */
static char *
quoted(const char *s)
{
	char *out = arena_str(a, mst_span_str(s));

	for (char *p = out; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

static void
one_row(void **state)
{
	const struct row *row = *state;
	const char *cert_part = row->x5c == NULL ? ",'x5c':['%s']" : row->x5c;
	char *list = quoted(cert_part), *at = strstr(list, "%s");
	const char *header, *protected, *payload, *sig, *form;
	struct mst_buf out = arena_buf(a, 32768);
	struct envelope env;

	if (at != NULL) {
		*at = '\0';
		list = arena_printf(a, "%s%s%s", list, x5c, at + 2);
	}
	header = arena_printf(a, "{%s%s}", quoted(row->header), list);
	protected = url(header);
	payload = url(row->payload != NULL ? row->payload : PAYLOAD);
	sig = signature(protected, payload);
	form = quoted(row->form != NULL ? row->form : GENERAL);
	for (const char *p = form; *p != '\0'; p++) {
		/* a letter between delimiters is a place; words are words */
		bool place = strchr("PHS", *p) != NULL &&
		             (p[1] == '"' || p[1] == '.' || p[1] == '=' || p[1] == '\0');
		const char *put = *p == 'P' ? payload : *p == 'H' ? protected : sig;

		assert_int_equal(
		    mst_buf_put(&out, place ? mst_span_str(put) : mst_span_of(p, 1)), MST_OK);
	}
	assert_int_equal(
	    envelope_open(a, MST_MEDIA_JWS_JSON, MST_VOUCHER, mst_buf_span(&out), NULL, &env),
	    row->want);
}

static void
what_is_sealed_opens(void **state)
{
	const char *kind = *state;
	EVP_PKEY *k = pki_key(kind);
	struct pki_spec s = { .cn = "signer", .key = k };
	X509 *c = pki_cert(&s);
	struct envelope_signer signer = { k, c, NULL, false };
	struct mst_voucher_claims claims;
	mst_span message = MST_NONE;
	struct envelope env;

	mst_voucher_claims_init(&claims, MST_VOUCHER_REQUEST);
	claims.serial = MST_LIT("SN-1");
	claims.nonce_text = MST_LIT("a/b+c");
	assert_int_equal(envelope_seal(a, MST_MEDIA_JWS_JSON, &claims, &signer, &message), MST_OK);
	assert_int_equal(
	    envelope_open(a, MST_MEDIA_JWS_JSON, MST_VOUCHER_REQUEST, message, NULL, &env), MST_OK);
	assert_true(mst_span_eq(env.claims.nonce_text, MST_LIT("a/b+c")));
	assert_int_equal(X509_cmp(env.signer, c), 0);
	X509_free(c);
	EVP_PKEY_free(k);
}

static mst_span
sealed(void)
{
	struct envelope_signer signer = { key, cert, NULL, false };
	struct mst_voucher_claims claims;
	mst_span message = MST_NONE;

	mst_voucher_claims_init(&claims, MST_VOUCHER);
	claims.serial = MST_LIT("SN-1");
	assert_int_equal(envelope_seal(a, MST_MEDIA_JWS_JSON, &claims, &signer, &message), MST_OK);
	return message;
}

static void
every_flip_is_refused_or_means_the_same(void **state)
{
	const struct mst_clock now = { MST_CLOCK_TRUSTED, PKI_NOW };
	STACK_OF(X509) *list = pki_stack(cert, NULL, NULL);
	struct anchors *t = NULL;
	mst_span good = sealed();
	uint8_t *copy = malloc(good.len);

	(void)state;
	assert_int_equal(anchors_from_stack(list, &t), MST_OK);
	memcpy(copy, good.ptr, good.len);
	for (size_t bit = 0; bit < 8 * good.len; bit++) {
		struct arena *inner = arena_new(0);
		struct envelope env;
		mst_err e;

		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		e = envelope_open(inner, MST_MEDIA_JWS_JSON, MST_VOUCHER,
		    mst_span_of(copy, good.len), NULL, &env);
		if (e == MST_OK)
			e = chain_verify(t, env.signer, env.certs, &now, CHAIN_NOTHING_ELSE, NULL);
		assert_int_not_equal(e, MST_OK);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		arena_free(inner);
	}
	free(copy);
	anchors_free(t);
	pki_stack_free(list);
}

static void
every_prefix_is_refused(void **state)
{
	mst_span good = sealed();

	(void)state;
	for (size_t n = 0; n < good.len; n++) {
		struct arena *inner = arena_new(0);
		uint8_t *copy = malloc(n + (n == 0));
		struct envelope env;

		memcpy(copy, good.ptr, n);
		assert_int_equal(envelope_open(inner, MST_MEDIA_JWS_JSON, MST_VOUCHER,
		                     mst_span_of(copy, n), NULL, &env),
		    MST_E_JWS);
		free(copy);
		arena_free(inner);
	}
}

static void
ed25519_does_not_seal_cms(void **state)
{
	EVP_PKEY *k = pki_key("ED25519");
	struct pki_spec s = { .cn = "signer", .key = k };
	X509 *c = pki_cert(&s);
	struct envelope_signer signer = { k, c, NULL, false };
	struct mst_voucher_claims claims;
	mst_span message;

	(void)state;
	mst_voucher_claims_init(&claims, MST_VOUCHER);
	/* OpenSSL 3.0 has no Ed25519 in CMS: said, not pretended */
	assert_int_equal(
	    envelope_seal(a, MST_MEDIA_CMS_JSON, &claims, &signer, &message), MST_E_KEY_SIGN);
	X509_free(c);
	EVP_PKEY_free(k);
}

int
main(void)
{
#define K(name, kind)                                                                              \
	{                                                                                          \
		name, what_is_sealed_opens, NULL, NULL, (void *)(uintptr_t)(kind)                  \
	}
	const struct CMUnitTest single[] = {
		K("JWS-2 ES256", "P-256"),
		K("JWS-2 ES384", "P-384"),
		K("JWS-2 ES512", "P-521"),
		K("JWS-2 RS256", "RSA-2048"),
		K("JWS-2 EdDSA", "ED25519"),
		{ "CMS-5 Ed25519 in CMS is refused", ed25519_does_not_seal_cms, NULL, NULL, NULL },
		{ "D19 every bit flip", every_flip_is_refused_or_means_the_same, NULL, NULL, NULL },
		{ "DM-5 every strict prefix", every_prefix_is_refused, NULL, NULL, NULL },
	};
	struct CMUnitTest table[ROWS];
	int bad;

	for (size_t i = 0; i < ROWS; i++)
		table[i] = (struct CMUnitTest){ rows[i].name, one_row, NULL, NULL,
			(void *)(uintptr_t)&rows[i] };
	bad = cmocka_run_group_tests_name("jws forgeries", table, setup, teardown);
	return bad + cmocka_run_group_tests_name("jws", single, setup, teardown);
}

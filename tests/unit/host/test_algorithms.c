/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process is narrowed once, first of all; the certificates and keys of the
 * tests are made in a context of their own, with all that OpenSSL has.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include "host/algorithms.h"

struct kind {
	const char *type, *group;
	int kept;
	unsigned char *cert;
	int cert_len;
	char *pem;
	long pem_len;
};
static struct kind kinds[] = { { "EC", "P-256", 1, NULL, 0, NULL, 0 },
	{ "EC", "P-521", 1, NULL, 0, NULL, 0 }, { "RSA", NULL, 1, NULL, 0, NULL, 0 },
	{ "ED25519", NULL, 1, NULL, 0, NULL, 0 }, { "ED448", NULL, 1, NULL, 0, NULL, 0 },
	{ "X448", NULL, 0, NULL, 0, NULL, 0 }, { "SM2", NULL, 0, NULL, 0, NULL, 0 },
	{ "DH", "ffdhe2048", 0, NULL, 0, NULL, 0 } };
static OSSL_LIB_CTX *everything;
#define KINDS (sizeof kinds / sizeof *kinds)
static unsigned char both_signed[] = "what is signed";

static EVP_PKEY *
make_key(const char *type, const char *group)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(everything, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
	    (group != NULL && EVP_PKEY_CTX_set_group_name(ctx, group) != 1) ||
	    EVP_PKEY_generate(ctx, &key) != 1)
		fail_msg("%s cannot be made", type);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void
make(struct kind *k, EVP_PKEY *ca)
{
	EVP_PKEY *key = make_key(k->type, k->group);
	EVP_MD *sha256 = EVP_MD_fetch(everything, "SHA256", NULL);
	X509 *c = X509_new_ex(everything, NULL);
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;

	assert_non_null(c);
	assert_int_equal(X509_set_pubkey(c, key), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(c), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(c), 3600));
	assert_true(X509_sign(c, ca, sha256) > 0);
	assert_true((k->cert_len = i2d_X509(c, &k->cert)) > 0);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	k->pem_len = BIO_get_mem_data(bio, &pem);
	k->pem = OPENSSL_memdup(pem, (size_t)k->pem_len);
	BIO_free(bio);
	X509_free(c);
	EVP_MD_free(sha256);
	EVP_PKEY_free(key);
}

static int
narrow_and_make_all(void **state)
{
	EVP_PKEY *ca;

	(void)state;
	if (algorithms_narrow() != MST_OK || (everything = OSSL_LIB_CTX_new()) == NULL)
		return -1;
	ca = make_key("EC", "P-256");
	for (size_t i = 0; i < KINDS; i++)
		make(&kinds[i], ca);
	EVP_PKEY_free(ca);
	return 0;
}

static int
free_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		OPENSSL_free(kinds[i].cert);
		OPENSSL_free(kinds[i].pem);
	}
	OSSL_LIB_CTX_free(everything);
	return 0;
}

static void
certificates_of_kept_kinds_have_keys_others_parse_without(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		const unsigned char *p = kinds[i].cert;
		X509 *c = d2i_X509(NULL, &p, kinds[i].cert_len);

		print_message("%s\n", kinds[i].type);
		assert_non_null(c);
		assert_int_equal(X509_get0_pubkey(c) != NULL, kinds[i].kept);
		X509_free(c);
	}
}

static EVP_PKEY *
read_key(const struct kind *k)
{
	BIO *bio = BIO_new_mem_buf(k->pem, (int)k->pem_len);
	EVP_PKEY *key = algorithms_read_key(bio, NULL, NULL);

	BIO_free(bio);
	return key;
}

/* A key of ours is read, signs, and the key in its certificate verifies. */
static void
private_keys_sign_for_their_certificates(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		const unsigned char *p = kinds[i].cert;
		int digests = kinds[i].type[1] != 'D'; /* ED*: none */
		unsigned char signature[600];
		size_t n = sizeof signature;
		EVP_MD_CTX *md = EVP_MD_CTX_new();
		EVP_PKEY *key;
		X509 *c;

		if (!kinds[i].kept) {
			assert_null(read_key(&kinds[i]));
			EVP_MD_CTX_free(md);
			continue;
		}
		key = read_key(&kinds[i]);
		c = d2i_X509(NULL, &p, kinds[i].cert_len);
		assert_non_null(key);
		assert_int_equal(EVP_PKEY_eq(key, X509_get0_pubkey(c)), 1);
		assert_int_equal(
		    EVP_DigestSignInit(md, NULL, digests ? EVP_sha256() : NULL, NULL, key), 1);
		assert_int_equal(
		    EVP_DigestSign(md, signature, &n, both_signed, sizeof both_signed), 1);
		EVP_MD_CTX_reset(md);
		assert_int_equal(EVP_DigestVerifyInit(md, NULL, digests ? EVP_sha256() : NULL, NULL,
		                     X509_get0_pubkey(c)),
		    1);
		assert_int_equal(
		    EVP_DigestVerify(md, signature, n, both_signed, sizeof both_signed), 1);
		signature[n - 1] ^= 1;
		EVP_MD_CTX_reset(md);
		assert_int_equal(EVP_DigestVerifyInit(md, NULL, digests ? EVP_sha256() : NULL, NULL,
		                     X509_get0_pubkey(c)),
		    1);
		assert_int_not_equal(
		    EVP_DigestVerify(md, signature, n, both_signed, sizeof both_signed), 1);
		EVP_MD_CTX_free(md);
		EVP_PKEY_free(key);
		X509_free(c);
	}
}

static void
a_new_key_can_be_written_and_read(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *again;
	BIO *bio = BIO_new(BIO_s_mem());

	(void)state;
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	again = algorithms_read_key(bio, NULL, NULL);
	assert_non_null(again);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

static void
tls_agrees_on_the_usual_groups_and_no_finite_fields(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	(void)state;
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_set1_groups_list(ctx, "P-256:X25519:P-384:P-521"), 1);
	assert_int_not_equal(SSL_CTX_set1_groups_list(ctx, "ffdhe2048"), 1);
	SSL_CTX_free(ctx);
}

/* Of ciphers and digests, those that TLS, DTLS and the stateless proxy run on; no others. */
static void
ciphers_and_digests_are_those_in_use(void **state)
{
	static const char *const there[] = { "AES-128-GCM", "AES-256-GCM", "AES-128-CCM",
		"AES-128-CTR", "AES-256-CTR", "AES-128-SIV", "ChaCha20-Poly1305" };
	static const char *const gone[] = { "CAMELLIA-128-CBC", "ARIA-128-GCM", "SM4-CTR",
		"AES-128-CBC", "AES-128-CBC-HMAC-SHA1", "DES-EDE3-CBC" };
	static const char *const digests[] = { "SHA1", "SHA256", "SHA384", "SHA512", "SHAKE256" };
	static const char *const no_digests[] = { "MD5", "MD5-SHA1", "SM3", "SHA3-256" };

	(void)state;
	for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
		EVP_CIPHER *c = EVP_CIPHER_fetch(NULL, there[i], NULL);

		assert_non_null(c);
		EVP_CIPHER_free(c);
	}
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
		assert_null(EVP_CIPHER_fetch(NULL, gone[i], NULL));
	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
		EVP_MD *m = EVP_MD_fetch(NULL, digests[i], NULL);

		assert_non_null(m);
		EVP_MD_free(m);
	}
	for (size_t i = 0; i < sizeof no_digests / sizeof *no_digests; i++)
		assert_null(EVP_MD_fetch(NULL, no_digests[i], NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_of_kept_kinds_have_keys_others_parse_without),
		cmocka_unit_test(private_keys_sign_for_their_certificates),
		cmocka_unit_test(a_new_key_can_be_written_and_read),
		cmocka_unit_test(ciphers_and_digests_are_those_in_use),
		cmocka_unit_test(tls_agrees_on_the_usual_groups_and_no_finite_fields),
	};

	return cmocka_run_group_tests(tests, narrow_and_make_all, free_all);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "suit/support_keys.h"

static struct key {
	const char *name, *curve; /* no curve: a MAC's */
	EVP_PKEY *pkey;
	uint8_t mac[32];
} all[] = {
	{ .name = "k1", .curve = "P-256" },
	{ .name = "k2", .curve = "P-256" },
	{ .name = "k3", .curve = "P-256" },
	{ .name = "evil", .curve = "P-256" },
	{ .name = "p384", .curve = "P-384" },
	{ .name = "p521", .curve = "P-521" },
	{ .name = "ed1", .curve = "ed" },
	{ .name = "ed2", .curve = "ed" },
	{ .name = "mac1" },
	{ .name = "mac2" },
	{ .name = "device", .curve = "P-256" },
	{ .name = "eph", .curve = "P-256" },
	{ .name = "draft", .curve = "P-256" },
};

/* draft-ietf-suit-manifest, "Examples": the private key they are signed with. */
static const char draft_key[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgApZYjZCUGLM50VBC\n"
                                "CjYStX+09jGmnyJPrpDLTz/hiXOhRANCAASEloEarguqq9JhVxie7NomvqqL8Rtv\n"
                                "P+bitWWchdvArTsfKktsCYExwKNtrNHXi9OB3N+wnAUtszmR23M4tKiW\n"
                                "-----END PRIVATE KEY-----\n";

static void
must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "support_keys: %s\n", what);
		abort();
	}
}

static struct key *
find(const char *name)
{
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct key *k = &all[i];

		if (strcmp(k->name, name) != 0)
			continue;
		if (k->curve == NULL) {
			if (k->mac[0] == 0) {
				must(RAND_bytes(k->mac, sizeof k->mac) == 1, "random");
				k->mac[0] = 1;
			}
		} else if (k->pkey == NULL) {
			if (strcmp(name, "draft") == 0) {
				BIO *bio = BIO_new_mem_buf(draft_key, -1);

				k->pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
				BIO_free(bio);
			} else if (strcmp(k->curve, "ed") == 0) {
				k->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
			} else {
				k->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", k->curve);
			}
			must(k->pkey != NULL, "no key");
		}
		return k;
	}
	fprintf(stderr, "no key %s\n", name);
	abort();
}

EVP_PKEY *
keys_pkey(const char *name)
{
	return find(name)->pkey;
}

static void
number_of(EVP_PKEY *pkey, const char *what, uint8_t *out, int size)
{
	BIGNUM *n = NULL;

	must(EVP_PKEY_get_bn_param(pkey, what, &n) == 1 && BN_bn2binpad(n, out, size) == size,
	    "a number of a key");
	BN_clear_free(n);
}

size_t
keys_raw(const char *name, uint8_t *out, size_t size)
{
	struct key *k = find(name);
	size_t len = size;

	if (k->curve == NULL) {
		must(size >= 32, "room");
		memcpy(out, k->mac, 32);
		return 32;
	}
	if (strcmp(k->curve, "ed") == 0) {
		must(EVP_PKEY_get_raw_public_key(k->pkey, out, &len) == 1, "ed25519");
		return len;
	}
	must(strcmp(k->curve, "P-256") == 0 && size >= 96, "P-256");
	number_of(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, out, 32);
	number_of(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, out + 32, 32);
	number_of(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, out + 64, 32);
	return 96;
}

size_t
keys_hash(int64_t alg, const uint8_t *in, size_t len, uint8_t md[64])
{
	const EVP_MD *type = alg == -43   ? EVP_sha384()
	                     : alg == -44 ? EVP_sha512()
	                     : alg == -18 ? EVP_shake128()
	                     : alg == -45 ? EVP_shake256()
	                                  : EVP_sha256();
	size_t size = alg == -43 ? 48 : alg == -44 || alg == -45 ? 64 : 32;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx != NULL && EVP_DigestInit_ex(ctx, type, NULL) == 1 &&
	         EVP_DigestUpdate(ctx, in, len) == 1 &&
	         (alg == -18 || alg == -45 ? EVP_DigestFinalXOF(ctx, md, size)
	                                   : EVP_DigestFinal_ex(ctx, md, NULL)) == 1,
	    "a hash");
	EVP_MD_CTX_free(ctx);
	return size;
}

static void
sign_ec(struct key *k, const uint8_t *in, size_t len, struct edn_bytes *out)
{
	int n = strcmp(k->curve, "P-384") == 0 ? 48 : strcmp(k->curve, "P-521") == 0 ? 66 : 32;
	const EVP_MD *md = n == 48 ? EVP_sha384() : n == 66 ? EVP_sha512() : EVP_sha256();
	uint8_t der[160], raw[132];
	const uint8_t *at = der;
	size_t der_len = sizeof der;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig;

	must(ctx != NULL && EVP_DigestSignInit(ctx, NULL, md, NULL, k->pkey) == 1 &&
	         EVP_DigestSign(ctx, der, &der_len, in, len) == 1,
	    "ECDSA");
	sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
	must(sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, n) == n &&
	         BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + n, n) == n,
	    "r and s");
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	edn_append(out, raw, 2 * (size_t)n);
}

void
keys_sign(const char *name, const uint8_t *in, size_t len, struct edn_bytes *out)
{
	struct key *k = find(name);
	uint8_t sig[64];
	size_t n = sizeof sig;

	if (k->curve == NULL) {
		must(HMAC(EVP_sha256(), k->mac, 32, in, len, sig, NULL) != NULL, "HMAC");
		edn_append(out, sig, 32);
	} else if (strcmp(k->curve, "ed") == 0) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		must(ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
		         EVP_DigestSign(ctx, sig, &n, in, len) == 1,
		    "EdDSA");
		EVP_MD_CTX_free(ctx);
		edn_append(out, sig, n);
	} else {
		sign_ec(k, in, len, out);
	}
}

static void
aead(const EVP_CIPHER *cipher, const struct edn_bytes *key, const struct edn_bytes *iv,
    const struct edn_bytes *plain, const struct edn_bytes *aad, struct edn_bytes *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t tag[16], *text = malloc(plain->len + 16);
	int n = 0, m = 0;

	must(ctx != NULL && text != NULL &&
	         EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, NULL) == 1 &&
	         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv->len, NULL) == 1 &&
	         EVP_EncryptInit_ex(ctx, NULL, NULL, key->ptr, iv->ptr) == 1 &&
	         EVP_EncryptUpdate(ctx, NULL, &m, aad->ptr, (int)aad->len) == 1 &&
	         EVP_EncryptUpdate(ctx, text, &n, plain->ptr, (int)plain->len) == 1 &&
	         EVP_EncryptFinal_ex(ctx, text + n, &m) == 1 &&
	         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1,
	    "AEAD");
	edn_append(out, text, (size_t)(n + m));
	edn_append(out, tag, 16);
	free(text);
	EVP_CIPHER_CTX_free(ctx);
}

static void
plain_cipher(const EVP_CIPHER *cipher, const struct edn_bytes *key, const uint8_t *iv,
    const struct edn_bytes *data, struct edn_bytes *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *text = malloc(data->len + 32);
	int n = 0, m = 0;

	must(ctx != NULL && text != NULL, "memory");
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	must(EVP_EncryptInit_ex(ctx, cipher, NULL, key->ptr, iv) == 1 &&
	         EVP_EncryptUpdate(ctx, text, &n, data->ptr, (int)data->len) == 1 &&
	         EVP_EncryptFinal_ex(ctx, text + n, &m) == 1,
	    "a cipher");
	edn_append(out, text, (size_t)(n + m));
	free(text);
	EVP_CIPHER_CTX_free(ctx);
}

void
keys_cipher(const char *what, const struct edn_bytes *key, struct edn_bytes *b,
    const struct edn_bytes *c, const struct edn_bytes *aad)
{
	struct edn_bytes out = { 0 };

	if (what[0] == 'w')
		plain_cipher(
		    key->len == 32 ? EVP_aes_256_wrap() : EVP_aes_128_wrap(), key, NULL, b, &out);
	else if (strcmp(what, "ctr") == 0)
		plain_cipher(
		    key->len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr(), key, b->ptr, c, &out);
	else if (what[0] == 'g')
		aead(EVP_aes_128_gcm(), key, b, c, aad, &out);
	else
		aead(EVP_chacha20_poly1305(), key, b, c, aad, &out);
	edn_free(b);
	*b = out;
}

void
keys_kek(const struct edn_bytes *salt, const struct edn_bytes *info, struct edn_bytes *out)
{
	uint8_t shared[32], kek[16];
	size_t n = sizeof shared, m = sizeof kek;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(find("eph")->pkey, NULL);

	must(ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	         EVP_PKEY_derive_set_peer(ctx, find("device")->pkey) == 1 &&
	         EVP_PKEY_derive(ctx, shared, &n) == 1,
	    "ECDH");
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	must(ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	         EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
	         (salt->len == 0 ||
	             EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt->ptr, (int)salt->len) == 1) &&
	         EVP_PKEY_CTX_set1_hkdf_key(ctx, shared, (int)n) == 1 &&
	         EVP_PKEY_CTX_add1_hkdf_info(ctx, info->ptr, (int)info->len) == 1 &&
	         EVP_PKEY_derive(ctx, kek, &m) == 1,
	    "HKDF");
	EVP_PKEY_CTX_free(ctx);
	edn_append(out, kek, sizeof kek);
}

void
keys_ephemeral(const char *name, struct edn_bytes *out)
{
	uint8_t raw[96];

	keys_raw(name, raw, sizeof raw);
	edn_append(out, "\xa4\x01\x02\x20\x01\x21\x58\x20", 8);
	edn_append(out, raw, 32);
	edn_append(out, "\x22\x58\x20", 3);
	edn_append(out, raw + 32, 32);
}

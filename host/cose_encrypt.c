/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption for a list of devices (FE 5 and 6, RFC 9053 6, RFC 9459; sheet suit.md 15). */
#include "host/cose_author_impl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define HEADS 64
#define CHUNK ((size_t)1 << 30) /* OpenSSL counts in int */
#define SECRET_MAX 66

static const struct method {
	int32_t alg, wrap;
	size_t kek_len;
	bool is_ecdh;
	const EVP_CIPHER *(*cipher)(void);
} methods[] = {
	{ MST_SUIT_A128KW, MST_SUIT_A128KW, 16, false, EVP_aes_128_wrap },
	{ MST_SUIT_A192KW, MST_SUIT_A192KW, 24, false, EVP_aes_192_wrap },
	{ MST_SUIT_A256KW, MST_SUIT_A256KW, 32, false, EVP_aes_256_wrap },
	{ MST_SUIT_ECDH_ES_A128KW, MST_SUIT_A128KW, 16, true, EVP_aes_128_wrap },
	{ MST_SUIT_ECDH_ES_A192KW, MST_SUIT_A192KW, 24, true, EVP_aes_192_wrap },
	{ MST_SUIT_ECDH_ES_A256KW, MST_SUIT_A256KW, 32, true, EVP_aes_256_wrap },
};

static const struct method *
method_of(int32_t alg)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (methods[i].alg == alg)
			return &methods[i];
	return NULL;
}

/* RFC 3394. */
static mst_err
wrap(const struct method *m, const uint8_t *kek, mst_span cek, uint8_t *out, size_t *len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	mst_err e = MST_E_INTERNAL;
	int n = 0;

	if (ctx == NULL)
		return MST_E_NOMEM;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_EncryptInit_ex(ctx, m->cipher(), NULL, kek, NULL) == 1 &&
	    EVP_EncryptUpdate(ctx, out, &n, cek.ptr, (int)cek.len) == 1 &&
	    (size_t)n == cek.len + 8) {
		*len = (size_t)n;
		e = MST_OK;
	}
	EVP_CIPHER_CTX_free(ctx);
	return e;
}

/* --- ECDH-ES --- */

/* COSE_KDF_Context as FE 6.2 fills it. */
static mst_err
kdf_context(const struct method *m, mst_span protected_header, struct mst_buf *out)
{
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, out);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_int(&w, m->wrap);
	for (int i = 0; i < 2; i++) {
		mst_cbor_put_array(&w, 3);
		mst_cbor_put_null(&w);
		mst_cbor_put_null(&w);
		mst_cbor_put_null(&w);
	}
	mst_cbor_put_array(&w, 3);
	mst_cbor_put_uint(&w, 8 * m->kek_len);
	mst_cbor_put_bytes(&w, protected_header);
	mst_cbor_put_bytes(&w, MST_LIT("SUIT Payload Encryption"));
	return mst_cbor_put_end(&w);
}

static mst_err
hkdf(const uint8_t *z, size_t z_len, mst_span info, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
		                    OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)z, z_len),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.ptr, info.len),
		OSSL_PARAM_construct_end() };
	mst_err e =
	    ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1 ? MST_OK : MST_E_INTERNAL;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return e;
}

/* A fresh key on the device's curve; the device's own parameters say which. */
static EVP_PKEY *
ephemeral_for(EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(peer, NULL);
	EVP_PKEY *key = NULL;

	if (ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1)
		(void)EVP_PKEY_keygen(ctx, &key);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static mst_err
agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t z[SECRET_MAX], size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	mst_err e = MST_E_SUIT_KEY_USAGE;

	*len = SECRET_MAX;
	if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, len) == 1)
		e = MST_OK;
	EVP_PKEY_CTX_free(ctx);
	return e;
}

/* The KEK for this device, and the public half of the ephemeral key as a COSE_Key. */
static mst_err
make_kek(struct arena *a, const struct method *m, EVP_PKEY *peer, mst_span protected_header,
    uint8_t kek[32], mst_span *ephemeral)
{
	EVP_PKEY *own = ephemeral_for(peer);
	uint8_t z[SECRET_MAX], context[128];
	struct mst_buf info = MST_BUF(context);
	struct cose_key k;
	size_t z_len = 0;
	mst_err e = MST_E_SUIT_KEY_USAGE;

	if (own == NULL)
		goto out;
	if ((e = cose_key_from_pkey(a, own, &k)) != MST_OK)
		goto out;
	if (k.curve != MST_SUIT_P256 && k.curve != MST_SUIT_X25519) {
		e = MST_E_SUIT_KEY_USAGE;
		goto out;
	}
	mst_wipe((void *)(uintptr_t)k.d.ptr, k.d.len); /* the arena wipes nothing */
	if ((e = cose_key_encode(a, &k, COSE_KEY_PUBLIC, ephemeral)) == MST_OK &&
	    (e = kdf_context(m, protected_header, &info)) == MST_OK &&
	    (e = agree(own, peer, z, &z_len)) == MST_OK)
		e = hkdf(z, z_len, mst_buf_span(&info), kek, m->kek_len);
out:
	OPENSSL_cleanse(z, sizeof z);
	EVP_PKEY_free(own);
	ERR_clear_error();
	return e;
}

/* --- recipients --- */

/* Protected of ECDH: { 1: alg }; of key wrap: nothing, and alg stands unprotected. */
static mst_span
recipient_protected(const struct method *m, struct mst_buf *store)
{
	struct mst_cbor_writer w;

	if (!m->is_ecdh)
		return MST_LIT("");
	mst_cbor_put_init(&w, store);
	mst_cbor_put_map(&w, 1);
	mst_cbor_put_uint(&w, COSE_LABEL_ALG);
	mst_cbor_put_int(&w, m->alg);
	return mst_cbor_put_end(&w) == MST_OK ? mst_buf_span(store) : MST_NONE;
}

/* Labels in the order of RFC 8949 4.2.1: 1, 4, -1. */
static void
put_unprotected(struct mst_cbor_writer *w, const struct method *m, mst_span kid, mst_span ephemeral)
{
	mst_cbor_put_map(w, 1u + (kid.ptr != NULL));
	if (!m->is_ecdh) {
		mst_cbor_put_uint(w, COSE_LABEL_ALG);
		mst_cbor_put_int(w, m->alg);
	}
	if (kid.ptr != NULL) {
		mst_cbor_put_uint(w, COSE_LABEL_KID);
		mst_cbor_put_bytes(w, kid);
	}
	if (m->is_ecdh) {
		mst_cbor_put_int(w, COSE_LABEL_EPHEMERAL);
		mst_cbor_put_raw(w, ephemeral);
	}
}

static mst_err
put_recipient(
    struct arena *a, const struct cose_recipient *r, mst_span cek, struct mst_cbor_writer *w)
{
	const struct method *m = method_of(r->alg);
	uint8_t kek[32], wrapped[MST_SUIT_CEK_MAX + 8], header[8];
	struct mst_buf h = MST_BUF(header);
	mst_span p, ephemeral = MST_NONE;
	size_t n = 0;
	mst_err e = MST_OK;

	if (m == NULL || (m->is_ecdh ? r->key == NULL : r->kek.len != m->kek_len))
		return MST_E_SUIT_KEY_USAGE;
	p = recipient_protected(m, &h);
	if (m->is_ecdh)
		e = make_kek(a, m, r->key, p, kek, &ephemeral);
	else
		memcpy(kek, r->kek.ptr, m->kek_len);
	if (e == MST_OK)
		e = wrap(m, kek, cek, wrapped, &n);
	OPENSSL_cleanse(kek, sizeof kek);
	if (e != MST_OK)
		return e;
	mst_cbor_put_array(w, 3);
	mst_cbor_put_bytes(w, p);
	put_unprotected(w, m, r->kid, ephemeral);
	mst_cbor_put_bytes(w, mst_span_of(wrapped, n));
	return mst_cbor_put_end(w) == MST_OK ? MST_OK : MST_E_NOMEM;
}

mst_err
cose_recipients_put(struct arena *a, const struct cose_recipient *recipients, size_t count,
    mst_span cek, mst_span *list)
{
	struct mst_buf b;
	struct mst_cbor_writer w;
	size_t len = HEADS;
	mst_err e;

	if (count == 0 || count > COSE_RECIPIENTS_MAX)
		return MST_E_SUIT_RECIPIENTS;
	for (size_t i = 0; i < count; i++)
		len += 256 + recipients[i].kid.len;
	b = arena_buf(a, len);
	mst_cbor_put_init(&w, &b);
	mst_cbor_put_array(&w, count);
	for (size_t i = 0; i < count; i++)
		if ((e = put_recipient(a, &recipients[i], cek, &w)) != MST_OK)
			return e;
	*list = mst_buf_span(&b);
	return MST_OK;
}

/* --- content --- */

static const EVP_CIPHER *
cipher_of(int32_t alg)
{
	switch (alg) {
	case MST_SUIT_A128GCM: return EVP_aes_128_gcm();
	case MST_SUIT_A256GCM: return EVP_aes_256_gcm();
	case MST_SUIT_CHACHA20_POLY1305: return EVP_chacha20_poly1305();
	case MST_SUIT_A128CTR: return EVP_aes_128_ctr();
	case MST_SUIT_A192CTR: return EVP_aes_192_ctr();
	case MST_SUIT_A256CTR: return EVP_aes_256_ctr();
	default: return NULL;
	}
}

struct cose_encryptor {
	EVP_CIPHER_CTX *ctx;
	bool is_aead;
};

/* 96([ protected, { ?alg, 5: IV }, nil, recipients ]): AES-CTR protects nothing (RFC 9459). */
static mst_err
put_info(struct arena *a, int32_t alg, mst_span protected_header, mst_span iv, mst_span list,
    mst_span *info)
{
	bool is_aead = mst_suit_cipher_is_aead(alg);
	struct mst_buf b = arena_buf(a, HEADS + protected_header.len + iv.len + list.len);
	struct mst_cbor_writer w;

	mst_cbor_put_init(&w, &b);
	mst_cbor_put_tag(&w, COSE_BLOCK_ENCRYPT);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_bytes(&w, protected_header);
	mst_cbor_put_map(&w, is_aead ? 1 : 2);
	if (!is_aead) {
		mst_cbor_put_uint(&w, COSE_LABEL_ALG);
		mst_cbor_put_int(&w, alg);
	}
	mst_cbor_put_uint(&w, COSE_LABEL_IV);
	mst_cbor_put_bytes(&w, iv);
	mst_cbor_put_null(&w);
	mst_cbor_put_raw(&w, list);
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_NOMEM;
	*info = mst_buf_span(&b);
	return MST_OK;
}

/* Protected header of the content, and the Enc_structure over it (RFC 9052 5.3). */
static void
put_content_header(int32_t alg, struct mst_buf *header, struct mst_buf *aad)
{
	struct mst_cbor_writer w;

	if (mst_suit_cipher_is_aead(alg)) {
		mst_cbor_put_init(&w, header);
		mst_cbor_put_map(&w, 1);
		mst_cbor_put_uint(&w, COSE_LABEL_ALG);
		mst_cbor_put_int(&w, alg);
	}
	mst_cbor_put_init(&w, aad);
	mst_cbor_put_array(&w, 3);
	mst_cbor_put_text(&w, MST_LIT("Encrypt"));
	mst_cbor_put_bytes(&w, mst_buf_span(header));
	mst_cbor_put_bytes(&w, MST_LIT(""));
}

mst_err
cose_encrypt_begin(struct arena *a, int32_t alg, const struct cose_recipient *recipients,
    size_t count, struct cose_encryptor **out, mst_span *info)
{
	uint8_t cek[32], iv[16], header_bytes[8], aad_bytes[32];
	struct mst_buf header = MST_BUF(header_bytes), aad = MST_BUF(aad_bytes);
	size_t cek_len = mst_suit_cipher_key_len(alg), iv_len = mst_suit_cipher_iv_len(alg);
	struct cose_encryptor *c = NULL;
	mst_span list;
	mst_err e = MST_E_RANDOM;
	int n;

	if (cek_len == 0)
		return MST_E_SUIT_ENCRYPT_ALG;
	put_content_header(alg, &header, &aad);
	/* FE 10: a key is never used twice, so whatever the IV, (key, IV) is not */
	if (RAND_priv_bytes(cek, (int)cek_len) != 1 || RAND_bytes(iv, (int)iv_len) != 1)
		goto out;
	if ((e = cose_recipients_put(a, recipients, count, mst_span_of(cek, cek_len), &list)) !=
	        MST_OK ||
	    (e = put_info(a, alg, mst_buf_span(&header), mst_span_of(iv, iv_len), list, info)) !=
	        MST_OK)
		goto out;
	e = MST_E_NOMEM;
	c = calloc(1, sizeof *c);
	if (c == NULL || (c->ctx = EVP_CIPHER_CTX_new()) == NULL)
		goto out;
	c->is_aead = mst_suit_cipher_is_aead(alg);
	if (EVP_EncryptInit_ex(c->ctx, cipher_of(alg), NULL, cek, iv) == 1 &&
	    (!c->is_aead || EVP_EncryptUpdate(c->ctx, NULL, &n, aad.ptr, (int)aad.len) == 1)) {
		*out = c;
		c = NULL;
		e = MST_OK;
	}
out:
	OPENSSL_cleanse(cek, sizeof cek);
	cose_encrypt_free(c);
	return e;
}

mst_err
cose_encrypt_update(struct cose_encryptor *c, mst_span in, struct mst_buf *out)
{
	if (in.len > out->cap - out->len)
		return MST_E_SPACE;
	while (in.len != 0) {
		size_t len = in.len < CHUNK ? in.len : CHUNK;
		int n = 0;

		if (EVP_EncryptUpdate(c->ctx, out->ptr + out->len, &n, in.ptr, (int)len) != 1 ||
		    (size_t)n != len)
			return MST_E_INTERNAL;
		out->len += len;
		in = mst_span_of(in.ptr + len, in.len - len);
	}
	return MST_OK;
}

mst_err
cose_encrypt_finish(struct cose_encryptor *c, struct mst_buf *out)
{
	uint8_t tag[MST_SUIT_TAG_LEN], rest[32];
	int n;

	if (!c->is_aead)
		return MST_OK;
	if (sizeof tag > out->cap - out->len)
		return MST_E_SPACE;
	if (EVP_EncryptFinal_ex(c->ctx, rest, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1)
		return MST_E_INTERNAL;
	return mst_buf_put(out, mst_span_of(tag, sizeof tag));
}

void
cose_encrypt_free(struct cose_encryptor *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->ctx);
	free(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_sign.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "host/hss_signer.h"
#include "host/suit_text.h"

/* Words for a refusal of host/cose_author.h, which has none of its own. */
static mst_err
words(mst_err e, const char *what)
{
	if (e != MST_OK)
		suit_author_say("%s",
		    e >= MST_E_HSS_KEY && e < 8600 && hss_why()[0] != '\0' ? hss_why() : what);
	return e;
}

/* One key, one block: a second by the same key says nothing more (M 8.3). */
static mst_err
refuse_twice(struct arena *a, const struct suit_key *k, const struct suit_envelope *env)
{
	for (size_t i = 0; i < env->block_count; i++)
		if (suit_key_verifies(a, k, env->digest, env->block[i])) {
			suit_author_say("block %zu is by this key", i);
			return MST_E_FW_SIGNED;
		}
	return MST_OK;
}

static mst_err
sign_each(struct arena *a, const struct suit_signing *s, struct suit_envelope *env)
{
	mst_err e = MST_OK;

	for (size_t i = 0; i < s->count && e == MST_OK; i++) {
		struct cose_signer signer;
		mst_span block;

		if ((e = refuse_twice(a, &s->keys[i], env)) != MST_OK ||
		    (e = suit_key_signer(&s->keys[i], s->alg, MST_NONE, &signer)) != MST_OK)
			break;
		e = signer.secret.ptr != NULL
		        ? cose_author_mac0(a, &signer, env->digest, MST_SUIT_DETACHED, &block)
		        : cose_author_sign1(a, &signer, env->digest, MST_SUIT_DETACHED, &block);
		if (words(e, "the key did not sign") == MST_OK)
			e = suit_envelope_attach(env, block);
	}
	return e;
}

static mst_err
sign_together(struct arena *a, const struct suit_signing *s, struct suit_envelope *env)
{
	struct cose_signer signers[MST_SUIT_SIGNATURES_MAX];
	mst_span block;
	mst_err e = MST_OK;

	if (s->count > MST_SUIT_SIGNATURES_MAX) {
		suit_author_say("a COSE_Sign has at most %d signatures", MST_SUIT_SIGNATURES_MAX);
		return MST_E_SPACE;
	}
	for (size_t i = 0; i < s->count && e == MST_OK; i++)
		if ((e = refuse_twice(a, &s->keys[i], env)) == MST_OK)
			e = suit_key_signer(&s->keys[i], s->alg, MST_NONE, &signers[i]);
	if (e == MST_OK)
		e = words(cose_author_sign(a, signers, s->count, env->digest, &block),
		    "the keys did not sign");
	return e == MST_OK ? suit_envelope_attach(env, block) : e;
}

static mst_err
recipients(const struct suit_key *whom, size_t count, struct cose_recipient *out)
{
	mst_err e = MST_OK;

	if (count > COSE_RECIPIENTS_MAX) {
		suit_author_say("at most %d recipients", COSE_RECIPIENTS_MAX);
		return MST_E_FW_RECIPIENT;
	}
	for (size_t i = 0; i < count && e == MST_OK; i++)
		e = suit_key_recipient(&whom[i], MST_NONE, &out[i]);
	return e;
}

static mst_err
mac_for(struct arena *a, const struct suit_signing *s, struct suit_envelope *env)
{
	struct cose_recipient r[COSE_RECIPIENTS_MAX];
	mst_span block;
	mst_err e = recipients(s->keys, s->count, r);

	if (e == MST_OK)
		e = words(cose_author_mac(a, s->alg != 0 ? s->alg : MST_SUIT_HMAC256, r, s->count,
		              env->digest, &block),
		    "a MAC is between those who share a secret: give secret:PATH");
	return e == MST_OK ? suit_envelope_attach(env, block) : e;
}

mst_err
suit_sign(struct arena *a, const struct suit_signing *s, struct suit_envelope *env)
{
	struct suit_envelope *copy = arena_alloc(a, sizeof *copy);
	mst_err e;

	if (copy == NULL)
		return MST_E_NOMEM;
	suit_author_say("%s", "");
	*copy = *env;
	if ((e = suit_envelope_covers(copy)) != MST_OK)
		return e;
	switch (s->form) {
	case SUIT_SIGN_EACH: e = sign_each(a, s, copy); break;
	case SUIT_SIGN_TOGETHER: e = sign_together(a, s, copy); break;
	case SUIT_SIGN_MAC_FOR: e = mac_for(a, s, copy); break;
	}
	if (e == MST_OK)
		*env = *copy;
	return e;
}

mst_err
suit_sign_texts(
    struct arena *a, const struct suit_envelope *env, mst_span tbs, struct suit_digest_texts *out)
{
	uint8_t sum[SUIT_DIGEST_MAX];
	struct mst_buf b = MST_BUF(sum);
	mst_err e = suit_digest_bytes(MST_SUIT_SHA256, tbs, &b);

	if (e == MST_OK)
		*out = (struct suit_digest_texts){ .digest = suit_text_digest(a, env->digest),
			.payload = suit_text_hex(a, env->digest),
			.tbs = suit_text_hex(a, tbs),
			.tbs_sha256 = suit_text_hex(a, mst_buf_span(&b)) };
	return e;
}

/* r || s of n bytes together, out of ECDSA-Sig-Value. */
static bool
from_der(struct arena *a, mst_span der, size_t n, mst_span *raw)
{
	const unsigned char *p = der.ptr;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
	struct mst_buf b = arena_buf(a, n);
	bool ok = sig != NULL && p == der.ptr + der.len && b.cap >= n &&
	          BN_bn2binpad(ECDSA_SIG_get0_r(sig), b.ptr, (int)(n / 2)) == (int)(n / 2) &&
	          BN_bn2binpad(ECDSA_SIG_get0_s(sig), b.ptr + n / 2, (int)(n / 2)) == (int)(n / 2);

	ECDSA_SIG_free(sig);
	ERR_clear_error();
	if (ok)
		*raw = mst_span_of(b.ptr, n);
	return ok;
}

mst_err
suit_sign_block(
    struct arena *a, const struct suit_key *key, int32_t alg, mst_span signature, mst_span *block)
{
	size_t n;

	if (alg == 0)
		alg = key->alg != 0                 ? key->alg
		      : key->pkey != NULL           ? cose_signer_alg(key->pkey)
		      : key->hss_public.ptr != NULL ? MST_SUIT_HSS_LMS
		                                    : 0;
	n = mst_suit_signature_len(alg);
	if (alg == 0 || (n == 0 && alg != MST_SUIT_HSS_LMS)) {
		suit_author_say("a signature takes a public key");
		return MST_E_FW_KEY;
	}
	if (key->pkey != NULL && EVP_PKEY_is_a(key->pkey, "EC") && signature.len != n)
		(void)from_der(a, signature, n, &signature);
	return words(cose_author_attach(a, alg, key->kid, signature, block),
	    "the signature has not the length that its algorithm gives it");
}

mst_err
suit_encrypt(struct arena *a, int32_t alg, const struct suit_key *whom, size_t count,
    mst_span image, mst_span *ciphertext, mst_span *info)
{
	struct cose_recipient r[COSE_RECIPIENTS_MAX];
	struct cose_encryptor *enc = NULL;
	struct mst_buf out;
	mst_err e;

	if (mst_suit_cipher_key_len(alg) == 0) {
		suit_author_say("this algorithm is no cipher of SUIT");
		return MST_E_SUIT_ENCRYPT_ALG;
	}
	if ((e = recipients(whom, count, r)) != MST_OK)
		return e;
	out = arena_buf(a, image.len + MST_SUIT_TAG_LEN);
	if (out.cap == 0)
		return MST_E_NOMEM;
	if ((e = cose_encrypt_begin(a, alg, r, count, &enc, info)) == MST_OK &&
	    (e = cose_encrypt_update(enc, image, &out)) == MST_OK)
		e = cose_encrypt_finish(enc, &out);
	cose_encrypt_free(enc);
	if (words(e, "it could not be encrypted for these keys") == MST_OK)
		*ciphertext = mst_buf_span(&out);
	return e;
}

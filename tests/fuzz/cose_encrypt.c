/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encryption-info: what is parsed obeys the rules when looked at from outside;
 * what opens decrypts the same in one piece and byte by byte, gives as many
 * bytes as it must, and leaves nothing open. The input is tried as a
 * COSE_Encrypt0, too.
 */
#include <stdint.h>

#include "suit_toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mst_suit_key table[] = {
	{ .usage = MST_SUIT_USE_KEK, .alg = MST_SUIT_A128KW, .kid = { (const uint8_t *)"k", 1 } },
	{ .usage = MST_SUIT_USE_KEK, .alg = MST_SUIT_A256KW },
	{ .usage = MST_SUIT_USE_ECDH, .alg = MST_SUIT_ECDH_ES_A128KW, .curve = MST_SUIT_P256 },
	{ .usage = MST_SUIT_USE_ECDH, .alg = MST_SUIT_ECDH_ES_A128KW, .curve = MST_SUIT_X25519 },
	{ .usage = MST_SUIT_USE_CONTENT_REPORT, .alg = MST_SUIT_A128GCM },
};
static const struct mst_suit_keys keys = { table, sizeof table / sizeof table[0] };
static const uint8_t ciphertext[] = "some ciphertext, as long as it takes";

static mst_err
decrypt(mst_span info, size_t block, struct mst_buf *out)
{
	struct toy t = { .good = 0 };
	const struct mst_suit_crypto crypto = toy_crypto(&t);
	struct mst_suit_decrypt d = { .crypto = NULL };
	mst_err e = mst_suit_decrypt_begin(&d, &crypto, &keys, info);
	bool is_aead = d.is_aead;

	MUST(t.asked <= 3 * MST_SUIT_TRIES_MAX);
	MUST((e == MST_OK) == (d.stage == MST_SUIT_DECRYPT_RUNNING));
	if (e != MST_OK) {
		MUST(t.open == 0);
		return e;
	}
	for (size_t at = 0; at < sizeof ciphertext; at += block) {
		size_t n = sizeof ciphertext - at < block ? sizeof ciphertext - at : block;

		MUST(mst_suit_decrypt_update(&d, mst_span_of(ciphertext + at, n), out) == MST_OK);
	}
	MUST(out->len == sizeof ciphertext - (is_aead ? MST_SUIT_TAG_LEN : 0u));
	e = mst_suit_decrypt_finish(&d);
	MUST(t.open == 0);
	MUST(d.stage == (e != MST_OK  ? MST_SUIT_DECRYPT_IDLE
	                    : is_aead ? MST_SUIT_DECRYPT_AUTHENTIC
	                              : MST_SUIT_DECRYPT_UNPROVEN));
	mst_suit_decrypt_drop(&d);
	return e;
}

static void
open0(mst_span message)
{
	struct toy t = { .good = 0 };
	const struct mst_suit_crypto crypto = toy_crypto(&t);
	struct mst_buf out = { malloc(message.len + 1), message.len, 0 };
	mst_err e;

	MUST(out.ptr != NULL);
	e = mst_suit_encrypt0_open(&crypto, &keys, message, &out);
	MUST(t.open == 0 && (e == MST_OK || out.len == 0));
	MUST(out.len == 0 || out.len + MST_SUIT_TAG_LEN < message.len);
	free(out.ptr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const mst_span info = mst_span_of(data, size);
	uint8_t whole[sizeof ciphertext], bytes[sizeof ciphertext];
	struct mst_buf one = MST_BUF(whole), two = MST_BUF(bytes);
	struct mst_suit_encryption en;
	mst_err e = mst_suit_encryption_parse(info, &en);

	if (e == MST_OK) {
		MUST(mst_suit_cipher_key_len(en.alg) != 0);
		MUST(en.iv.len == mst_suit_cipher_iv_len(en.alg));
		MUST(en.count >= 1 && en.count <= MST_SUIT_RECIPIENTS_MAX);
		MUST(en.recipients.ptr >= data &&
		     en.recipients.ptr + en.recipients.len <= data + size);
		MUST(mst_suit_cipher_is_aead(en.alg) == (en.protected_header.len != 0));
	}
	MUST(e == MST_OK || decrypt(info, 64, &one) == e);
	one.len = 0;
	MUST(decrypt(info, sizeof ciphertext, &one) == decrypt(info, 1, &two));
	MUST(mst_span_eq(mst_buf_span(&one), mst_buf_span(&two)));
	open0(info);
	return 0;
}

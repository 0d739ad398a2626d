/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files behind suit_openssl(): functions of struct mst_suit_crypto. */
#ifndef CRYPTO_SUIT_IMPL_H
#define CRYPTO_SUIT_IMPL_H

#include <openssl/evp.h>

#include "crypto/openssl/suit_openssl.h"

mst_span suit_secret_bytes(const struct mst_suit_secret *secret);

mst_err suit_digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s);
mst_err suit_digest_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes);
mst_err suit_digest_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out);
void suit_digest_drop(void *ctx, union mst_suit_digest_state *s);

mst_err suit_unwrap(void *ctx, const struct mst_suit_secret *kek, int32_t alg, mst_span wrapped,
    struct mst_buf *out);

mst_err suit_cipher_begin(void *ctx, enum mst_suit_direction direction, int32_t alg,
    const struct mst_suit_secret *secret, mst_span iv, mst_span aad,
    union mst_suit_cipher_state *s);
mst_err suit_cipher_update(
    void *ctx, union mst_suit_cipher_state *s, mst_span in, struct mst_buf *out);
mst_err suit_cipher_end_decrypt(void *ctx, union mst_suit_cipher_state *s, mst_span tag);
mst_err suit_cipher_end_encrypt(void *ctx, union mst_suit_cipher_state *s, struct mst_buf *tag);
void suit_cipher_drop(void *ctx, union mst_suit_cipher_state *s);

#endif

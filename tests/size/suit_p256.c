/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot profile on the microcontroller, with P-256 and SHA-256 of Mbed TLS:
 * example 0 of suit-manifest is authentic and scanned, and its validation ends
 * where it must, at the image, of which the draft has made up the digest; with
 * one bit changed it is never authentic. Reads example.suit and key.bin (an
 * uncompressed point) of the folder that qemu runs in.
 */
#include <string.h>

#include "mbedtls/ecdsa.h"
#include "mbedtls/sha256.h"
#include "muster/suit.h"
#include "size/startup.h"

#define IMAGE_SIZE 34768 /* the example's */

static mbedtls_ecp_group curve;
static mbedtls_ecp_point author;
static unsigned verified;

/* ---- cryptography ---- */

static mst_err
digest_begin(void *ctx, int32_t alg, union mst_suit_digest_state *s)
{
	mbedtls_sha256_context *sha = (mbedtls_sha256_context *)(void *)s->bytes;

	_Static_assert(sizeof(*sha) <= sizeof(s->bytes), "room for SHA-256");
	(void)ctx;
	if (alg != MST_SUIT_SHA256)
		return MST_E_UNSUPPORTED;
	mbedtls_sha256_init(sha);
	return mbedtls_sha256_starts_ret(sha, 0) == 0 ? MST_OK : MST_E_INTERNAL;
}

static mst_err
digest_update(void *ctx, union mst_suit_digest_state *s, mst_span bytes)
{
	(void)ctx;
	return mbedtls_sha256_update_ret((void *)s->bytes, bytes.ptr, bytes.len) == 0
	           ? MST_OK
	           : MST_E_INTERNAL;
}

static void
digest_drop(void *ctx, union mst_suit_digest_state *s)
{
	(void)ctx;
	mbedtls_sha256_free((void *)s->bytes);
}

static mst_err
digest_end(void *ctx, union mst_suit_digest_state *s, struct mst_buf *out)
{
	uint8_t sum[32];
	int bad = mbedtls_sha256_finish_ret((void *)s->bytes, sum);

	digest_drop(ctx, s);
	return bad != 0 ? MST_E_INTERNAL : mst_buf_put(out, mst_span_of(sum, sizeof(sum)));
}

static mst_err
verify(void *ctx, const struct mst_suit_key *key, int32_t alg, const struct mst_suit_pieces *tbs,
    mst_span signature)
{
	union mst_suit_digest_state sha;
	uint8_t hash[32];
	struct mst_buf sum = MST_BUF(hash);
	mbedtls_mpi r, s;
	int bad = 1;
	mst_err e;

	(void)key;
	if (alg != MST_SUIT_ES256)
		return MST_E_UNSUPPORTED;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	e = digest_begin(ctx, MST_SUIT_SHA256, &sha);
	for (size_t i = 0; e == MST_OK && i < tbs->count; i++)
		e = digest_update(ctx, &sha, tbs->piece[i]);
	if (e == MST_OK && digest_end(ctx, &sha, &sum) == MST_OK &&
	    mbedtls_mpi_read_binary(&r, signature.ptr, 32) == 0 &&
	    mbedtls_mpi_read_binary(&s, signature.ptr + 32, 32) == 0)
		bad = mbedtls_ecdsa_verify(&curve, hash, sizeof(hash), &author, &r, &s);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	verified += bad == 0;
	return bad == 0 ? MST_OK : MST_E_COSE_SIGNATURE;
}

static const struct mst_suit_crypto crypto = { .digest_begin = digest_begin,
	.digest_update = digest_update,
	.digest_end = digest_end,
	.digest_drop = digest_drop,
	.verify = verify };

/* ---- the board ---- */

static const uint8_t vendor[16] = { 0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf, 0xbe, 0x9d,
	0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe };
static const uint8_t class_id[16] = { 0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48, 0xbf, 0x42,
	0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45 };

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	(void)ctx;
	*handle = 0;
	return mst_span_eq(id, MST_LIT("\x81\x41\x00")) ? MST_OK : MST_E_SUIT_COMPONENT_UNKNOWN;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	(void)ctx;
	(void)c;
	*out = (struct mst_suit_component_info){ IMAGE_SIZE, IMAGE_SIZE, MST_SUIT_HOLDS };
	return MST_OK;
}

static mst_err
read_image(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	(void)ctx;
	(void)c;
	memset(out, (int)(offset >> 9), len);
	return MST_OK;
}

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	(void)ctx;
	(void)c;
	if (n > 0 || kind == MST_SUIT_ID_DEVICE)
		return MST_NONE;
	return kind == MST_SUIT_ID_VENDOR ? mst_span_of(vendor, 16) : mst_span_of(class_id, 16);
}

static mst_err
record_read(void *ctx, mst_span id, struct mst_suit_record *out)
{
	(void)ctx;
	(void)id;
	*out = (struct mst_suit_record){ .known = false };
	return MST_OK;
}

static unsigned invoked;

static mst_err
invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	(void)ctx;
	(void)c;
	(void)arguments;
	invoked++;
	return MST_OK;
}

static const struct mst_suit_platform platform = { .component = component,
	.info = info,
	.read = read_image,
	.identity = identity,
	.record_read = record_read,
	.invoke = invoke };

static struct mst_suit s;
static struct mst_suit_manifest root;

static mst_err
check(mst_span bytes)
{
	static uint8_t block[512];
	static const struct mst_suit_key key = {
		.usage = MST_SUIT_USE_SIGN_MANIFEST, .alg = MST_SUIT_ES256, .material = { block, 1 }
	};
	static const struct mst_suit_keys keys = { &key, 1 };
	static const struct mst_suit_rules rules = { .procedures = 1U << MST_SUIT_INVOCATION };
	struct mst_suit_envelope envelope;
	mst_err e;

	s = (struct mst_suit){ .platform = &platform,
		.crypto = &crypto,
		.keys = &keys,
		.rules = &rules,
		.block = MST_BUF(block) };
	e = mst_suit_envelope_parse(bytes, &envelope);
	return e == MST_OK ? mst_suit_check(&s, &envelope, &root) : e;
}

int
board_main(void)
{
	static uint8_t room[2048], key_room[128];
	struct mst_buf example = MST_BUF(room), key = MST_BUF(key_room);
	unsigned flips = 0, taken = 0;
	mst_err e;

	mbedtls_ecp_group_init(&curve);
	mbedtls_ecp_point_init(&author);
	if (!board_read("example.suit", &example) || !board_read("author.bin", &key) ||
	    mbedtls_ecp_group_load(&curve, MBEDTLS_ECP_DP_SECP256R1) != 0 ||
	    mbedtls_ecp_point_read_binary(&curve, &author, key.ptr, key.len) != 0) {
		board_say("example.suit or author.bin is not there\n");
		return 2;
	}
	if ((e = check(mst_buf_span(&example))) != MST_OK || verified != 1) {
		board_say_number("example 0 was answered MU-", (unsigned)e);
		return 1;
	}
	e = mst_suit_run(&s, &root, MST_SUIT_INVOCATION);
	board_say_number("example 0 is authentic, its boot ends with MU-", (unsigned)e);
	if (e != MST_E_SUIT_IMAGE_MISMATCH || s.refusal.section != MST_SUIT_VALIDATE ||
	    invoked != 0)
		return 1;
	for (size_t bit = 0; bit < example.len * 8; bit += 7, flips++) {
		room[bit / 8] ^= (uint8_t)(1U << bit % 8);
		taken += check(mst_buf_span(&example)) == MST_OK;
		room[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	board_say_number("  single bits flipped: ", flips);
	board_say_number("  of which taken: ", taken);
	return taken == 0 ? 0 : 1;
}

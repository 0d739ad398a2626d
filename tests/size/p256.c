/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published COSE voucher on the microcontroller, with P-256 and SHA-256 of
 * Mbed TLS: it verifies and passes the voucher check; with one bit of it
 * changed it never does. Reads voucher.bin and key.bin (an uncompressed point)
 * of the folder that qemu runs in.
 */
#include <string.h>

#include "mbedtls/ecdsa.h"
#include "mbedtls/sha256.h"
#include "size/glue.h"
#include "size/startup.h"

static mbedtls_ecp_group curve;
static mbedtls_ecp_point masa;
static unsigned verified;

static mst_err
p256_verify(void *ctx, const struct mst_cose_sign1 *m, const struct mst_cose_tbs *tbs)
{
	mbedtls_sha256_context sha;
	mbedtls_mpi r, s;
	uint8_t hash[32];
	int bad = 1;

	(void)ctx;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	mbedtls_sha256_init(&sha);
	if (m->alg != MST_COSE_ES256 || mbedtls_sha256_starts_ret(&sha, 0) != 0)
		goto out;
	for (size_t i = 0; i < MST_COSE_PIECES; i++)
		if (mbedtls_sha256_update_ret(&sha, tbs->piece[i].ptr, tbs->piece[i].len) != 0)
			goto out;
	if (mbedtls_sha256_finish_ret(&sha, hash) == 0 &&
	    mbedtls_mpi_read_binary(&r, m->signature.ptr, 32) == 0 &&
	    mbedtls_mpi_read_binary(&s, m->signature.ptr + 32, 32) == 0)
		bad = mbedtls_ecdsa_verify(&curve, hash, sizeof(hash), &masa, &r, &s);
out:
	mbedtls_sha256_free(&sha);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	verified += bad == 0;
	return bad == 0 ? MST_OK : MST_E_COSE_SIGNATURE;
}

static const uint8_t nonce[] = { 0x57, 0xee, 0xd7, 0x86, 0xad, 0x40, 0x49, 0x07 };

static mst_err
judge(mst_span message)
{
	static uint8_t store_room[2048];
	struct glue glue = { .masa = {
		                 NULL, (unsigned)MST_COSE_TAKE_ES256, { NULL, 0 }, p256_verify } };
	const struct mst_voucher_want want = {
		.serial = MST_LIT("JADA123456789"),
		.nonce = mst_span_of(nonce, sizeof(nonce)),
		.clock = { MST_CLOCK_TRUSTED, 1670358300 },
	};
	struct mst_buf store = MST_BUF(store_room);
	struct mst_voucher_claims claims;
	struct mst_voucher voucher;
	mst_err e;

	if ((e = glue_voucher_open(
	         &glue, MST_MEDIA_COSE_CBOR, message, &want.clock, &store, &claims)) != MST_OK)
		return e;
	return mst_voucher_check(&claims, &want, &voucher);
}

int
board_main(void)
{
	static uint8_t voucher_room[2048], key_room[128];
	struct mst_buf voucher = MST_BUF(voucher_room), key = MST_BUF(key_room);
	unsigned flips = 0, taken = 0;
	mst_err e;

	mbedtls_ecp_group_init(&curve);
	mbedtls_ecp_point_init(&masa);
	if (!board_read("voucher.bin", &voucher) || !board_read("key.bin", &key) ||
	    mbedtls_ecp_group_load(&curve, MBEDTLS_ECP_DP_SECP256R1) != 0 ||
	    mbedtls_ecp_point_read_binary(&curve, &masa, key.ptr, key.len) != 0 ||
	    mbedtls_ecp_check_pubkey(&curve, &masa) != 0) {
		board_say("voucher.bin or key.bin is not there\n");
		return 2;
	}
	e = judge(mst_buf_span(&voucher));
	if (e != MST_OK || verified != 1) {
		board_say_number("the published voucher was answered MU-", (unsigned)e);
		return 1;
	}
	for (size_t bit = 0; bit < voucher.len * 8; bit += 91, flips++) {
		voucher_room[bit / 8] ^= (uint8_t)(1U << bit % 8);
		taken += judge(mst_buf_span(&voucher)) == MST_OK;
		voucher_room[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	board_say_number("published voucher verified with P-256; single bits flipped: ", flips);
	board_say_number("  of which taken: ", taken);
	return taken == 0 && verified == 1 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One key of each kind, a table of those that are trusted, and blocks by them,
 * for the tests of authentication. Include it behind cmocka.h.
 */
#ifndef TESTS_UNIT_CRYPTO_SUIT_SIGNERS_H
#define TESTS_UNIT_CRYPTO_SUIT_SIGNERS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/cose_author.h"
#include "host/hss_signer.h"

#define DIGEST_BYTES                                                                               \
	"\x82\x2f\x58\x20"                                                                         \
	"0123456789abcdef0123456789ABCDEF"
#define DIGEST MST_LIT(DIGEST_BYTES)
/* MST_LIT() for tables, where a compound literal is no constant. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}
#define SECRET MST_LIT("0123456789abcdef0123456789abcdef")
#define SECRET64 MST_LIT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

/* --- keys: one of each kind, made once --- */

enum { P256, P384, P521, ED25519, SIGNERS };
static struct arena *arena;
static EVP_PKEY *pkeys[SIGNERS];
static struct cose_key parts[SIGNERS];
static struct hss_signer *hss;
static char hss_folder[64];

static inline int
make_keys(void **state)
{
	static const struct hss_parameters small = { 1, { 5 }, { 8 } };
	static const char *const curves[] = { "P-256", "P-384", "P-521" };
	char path[96];

	(void)state;
	arena = arena_new(0);
	for (int i = 0; i < 3; i++)
		pkeys[i] = EVP_EC_gen(curves[i]);
	pkeys[ED25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	for (int i = 0; i < SIGNERS; i++)
		if (pkeys[i] == NULL || cose_key_from_pkey(arena, pkeys[i], &parts[i]) != MST_OK)
			return -1;
	(void)snprintf(hss_folder, sizeof hss_folder, "/tmp/muster-auth-XXXXXX");
	if (mkdtemp(hss_folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/key", hss_folder);
	return hss_key_make(path, &small) == MST_OK && hss_signer_open(path, 0, &hss) == MST_OK
	           ? 0
	           : -1;
}

static inline int
drop_keys(void **state)
{
	char line[96];

	(void)state;
	for (int i = 0; i < SIGNERS; i++)
		EVP_PKEY_free(pkeys[i]);
	hss_signer_close(hss);
	arena_free(arena);
	(void)snprintf(line, sizeof line, "rm -rf %s", hss_folder);
	return system(line);
}

static struct mst_suit_key table[8];
static struct mst_suit_keys keys = { table, 0 };

static inline int
no_keys(void **state)
{
	(void)state;
	keys.count = 0;
	return 0;
}

static inline struct mst_suit_key *
trust(const struct cose_key *k, enum mst_suit_usage usage, uint8_t authority, int32_t alg)
{
	struct cose_key with = *k;
	struct mst_suit_key *row = &table[keys.count];

	with.alg = alg;
	assert_int_equal(cose_key_row(arena, &with, usage, authority, row), MST_OK);
	keys.count++;
	return row;
}

static inline struct mst_suit_key *
trust_signer(int which, uint8_t authority)
{
	return trust(&parts[which], MST_SUIT_USE_SIGN_MANIFEST, authority, 0);
}

static inline struct mst_suit_key *
trust_secret(mst_span secret, enum mst_suit_usage usage, uint8_t authority, int32_t alg)
{
	const struct cose_key k = { .kty = COSE_KTY_SYMMETRIC, .k = secret };

	return trust(&k, usage, authority, alg);
}

static inline struct cose_signer
signer(int which)
{
	return (struct cose_signer){ .alg = cose_signer_alg(pkeys[which]), .key = pkeys[which] };
}

static inline mst_span
sign1(struct cose_signer s)
{
	mst_span block;

	assert_int_equal(cose_author_sign1(arena, &s, DIGEST, MST_SUIT_DETACHED, &block), MST_OK);
	return block;
}

static inline mst_span
mac0(int32_t alg, mst_span secret)
{
	const struct cose_signer s = { .alg = alg, .secret = secret };
	mst_span block;

	assert_int_equal(cose_author_mac0(arena, &s, DIGEST, MST_SUIT_DETACHED, &block), MST_OK);
	return block;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back-end of struct mst_crypto for tests: deterministic, fails on demand,
 * and with formats so small that a test can build registrars, MASAs and
 * impostors in a few lines. A "key" is a number, and whoever knows the number
 * can sign; the "signature" is a checksum. It protects nothing and is linked
 * into tests only.
 */
#ifndef CRYPTO_FAKE_H
#define CRYPTO_FAKE_H

#include "muster/crypto.h"

enum fake_call {
	FAKE_RANDOM,
	FAKE_REQUEST_SEAL,
	FAKE_VOUCHER_OPEN,
	FAKE_PIN_JUDGE,
	FAKE_ANCHORS_JUDGE,
	FAKE_CACERTS_OPEN,
	FAKE_CSR_BUILD,
	FAKE_LDEVID_OPEN,
	FAKE_ROOT_SIGNED,
	FAKE_CALLS,
};

struct fake_crypto {
	uint64_t random; /* the generator's state */
	uint32_t idevid_key;
	uint32_t masa_key; /* the anchor that the factory installed */
	uint32_t next_key; /* number that the next csr_build gives to its key */
	uint32_t csr_key; /* key of the last csr_build; 0: none */
	unsigned calls; /* made so far */
	unsigned fail_at; /* the n-th call (from 1) fails ... */
	mst_err fail_with; /* ... with this */
	unsigned count[FAKE_CALLS];
	mst_err script[FAKE_CALLS]; /* unless MST_OK, what every call of this kind answers */
};

/* The functions over f, which must outlive what is returned. */
struct mst_crypto fake_crypto(struct fake_crypto *f);

/* A certificate: FAKE_CERT_LEN bytes, so that concatenations need no framing. */
#define FAKE_CERT_LEN 37
enum fake_cert_flags { FAKE_CERT_RA = 1, FAKE_CERT_CA = 2 };
struct fake_cert {
	uint32_t key;
	uint32_t issuer; /* the key that signs; own key: self-signed */
	unsigned flags;
	int64_t not_before, not_after;
};
MST_MUST_USE mst_err fake_cert_build(const struct fake_cert *c, struct mst_buf *out);
/* MST_E_X509 when malformed or not signed by the issuer it names. */
MST_MUST_USE mst_err fake_cert_parse(mst_span der, struct fake_cert *out);

/* A voucher or voucher-request sealed by the holder of key; which kind, says claims. */
MST_MUST_USE mst_err fake_seal(enum mst_media media, const struct mst_voucher_claims *claims,
    uint32_t key, struct mst_buf *out);
/* Its content and signer. Leaves point into message. MST_E_VOUCHER_PARSE, _SIGNATURE. */
MST_MUST_USE mst_err fake_open(
    enum mst_media media, mst_span message, struct mst_voucher_claims *claims, uint32_t *signer);

/* The key that a CSR of this form (BASE64 or DER) is for. MST_E_CSR_PARSE. */
MST_MUST_USE mst_err fake_csr_key(enum mst_form form, mst_span csr, uint32_t *key);
/* CSR attributes that fake csr_build refuses. */
#define FAKE_CSRATTRS_BAD MST_LIT("BAD")

#endif

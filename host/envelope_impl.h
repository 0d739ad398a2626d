/* SPDX-License-Identifier: Apache-2.0 */
/* The forms behind envelope.h; nobody else includes this. */
#ifndef HOST_ENVELOPE_IMPL_H
#define HOST_ENVELOPE_IMPL_H

#include "host/envelope.h"

/* More certificates than any chain needs are an attack on our decoder (COSE-5, [L]). */
#define ENVELOPE_CERTS_MAX 16
/* TLS-9: 64 KiB of body, and half as much again for an outer request around it. */
#define ENVELOPE_MAX 98304u

/*
 * A signature scheme as JOSE and COSE have it: ECDSA as r || s of fixed length
 * (JWS-3, COSE-2), everything else as OpenSSL makes it.
 */
struct rawsig {
	int key, group_bits; /* EC: the curve */
	size_t half; /* ECDSA: length of r and of s */
	const EVP_MD *(*md)(void);
	int padding; /* RSA */
};
/* Is key of the scheme, and strong enough (CMS-5)? */
bool rawsig_fits(const struct rawsig *s, EVP_PKEY *key);
/* MST_E_VOUCHER_SIGNATURE, MST_E_NOMEM. */
MST_MUST_USE mst_err rawsig_verify(
    struct arena *a, const struct rawsig *s, EVP_PKEY *key, mst_span input, mst_span sig);
/* MST_E_KEY_SIGN, MST_E_NOMEM. */
MST_MUST_USE mst_err rawsig_make(
    struct arena *a, const struct rawsig *s, EVP_PKEY *key, mst_span input, mst_span *out);

/* Fill all of *out but claims. */
MST_MUST_USE mst_err cms_open(
    struct arena *a, mst_span message, const STACK_OF(X509) *extra, struct envelope *out);
MST_MUST_USE mst_err jws_open(struct arena *a, mst_span message, struct envelope *out);
/*
 * COSE names its signer by kid at most, so the keys at hand are tried: those
 * of extra first, then those that came along (COSE-4: whoever knows who must
 * have signed passes that as extra, and what came along then is a hint only).
 */
MST_MUST_USE mst_err cose_open(
    struct arena *a, mst_span message, const STACK_OF(X509) *extra, struct envelope *out);

MST_MUST_USE mst_err cms_seal(
    struct arena *a, mst_span json, const struct envelope_signer *signer, mst_span *message);
MST_MUST_USE mst_err jws_seal(
    struct arena *a, mst_span json, const struct envelope_signer *signer, mst_span *message);
MST_MUST_USE mst_err cose_seal(struct arena *a, const struct mst_voucher_claims *claims,
    const struct envelope_signer *signer, mst_span *message);

/* The digest that goes with a key (CMS-5): SHA-256, or that of a larger curve. */
const EVP_MD *envelope_digest(EVP_PKEY *key);

/* A stack of references, freed with the arena. NULL when out of memory. */
STACK_OF(X509) *envelope_keep_certs(struct arena *a, STACK_OF(X509) *certs);

#endif

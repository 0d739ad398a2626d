/* SPDX-License-Identifier: Apache-2.0 */
/* The forms behind envelope.h; nobody else includes this. */
#ifndef HOST_ENVELOPE_IMPL_H
#define HOST_ENVELOPE_IMPL_H

#include "host/envelope.h"

/* More certificates than any chain needs are an attack on our decoder (COSE-5, [L]). */
#define ENVELOPE_CERTS_MAX 16
/* TLS-9: 64 KiB of body, and half as much again for an outer request around it. */
#define ENVELOPE_MAX 98304u

/* Fill all of *out but claims. */
MST_MUST_USE mst_err cms_open(
    struct arena *a, mst_span message, const STACK_OF(X509) *extra, struct envelope *out);
MST_MUST_USE mst_err jws_open(struct arena *a, mst_span message, struct envelope *out);

MST_MUST_USE mst_err cms_seal(
    struct arena *a, mst_span json, const struct envelope_signer *signer, mst_span *message);
MST_MUST_USE mst_err jws_seal(
    struct arena *a, mst_span json, const struct envelope_signer *signer, mst_span *message);

/* The digest that goes with a key (CMS-5): SHA-256, or that of a larger curve. */
const EVP_MD *envelope_digest(EVP_PKEY *key);

/* A stack of references, freed with the arena. NULL when out of memory. */
STACK_OF(X509) *envelope_keep_certs(struct arena *a, STACK_OF(X509) *certs);

#endif

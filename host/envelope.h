/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signed voucher or voucher-request, in whichever form it came. Opening
 * proves that the message is whole and was signed by the certificate named in
 * it: nothing about who that is. Whoever opens must then judge the signer
 * (CMS-9): registrar against the TLS client, MASA against the IDevID CA,
 * pledge against the MASA anchors.
 */
#ifndef HOST_ENVELOPE_H
#define HOST_ENVELOPE_H

#include <openssl/x509.h>

#include "host/arena.h"
#include "muster/voucher.h"

struct envelope {
	enum mst_media media;
	struct mst_voucher_claims claims; /* leaves lie in the arena */
	mst_span payload; /* the JSON or CBOR that was signed */
	X509 *signer; /* owned by the arena */
	STACK_OF(X509) *certs; /* all that came with it, signer included; owned by the arena */
	bool id_data; /* CMS-2: eContentType was id-data */
	int64_t signing_time; /* MST_NO_TIME if none */
};

/*
 * kind says what must be inside. extra: certificates from elsewhere in which
 * the signer may be looked up (else NULL): in CMS when the message has none, in
 * COSE before those of the message, since neither its x5bag nor its kid binds
 * anybody (COSE-4, COSE-5). Refusals: MST_E_CMS*, MST_E_JWS*, MST_E_JSON*,
 * MST_E_COSE*, MST_E_CBOR*, MST_E_VOUCHER_PARSE, _KIND, _SIGNATURE,
 * MST_E_MEDIA_UNSUPPORTED. Limits of DM-5.
 */
MST_MUST_USE mst_err envelope_open(struct arena *a, enum mst_media media,
    enum mst_voucher_kind kind, mst_span message, const STACK_OF(X509) *extra,
    struct envelope *out);

struct envelope_signer {
	EVP_PKEY *key;
	X509 *cert;
	/* CMS-6: included after cert. COSE-4: not in a PVR; in an RVR unprotected; in a voucher
	 * protected when there is a chain (the devices need it), else cert alone unprotected. */
	const STACK_OF(X509) *chain;
	bool id_data; /* CMS: emit id-data for old pledges */
};
/* Encode claims (JSON for CMS and JWS, CBOR for COSE) and sign. MST_E_KEY_SIGN, MST_E_NOMEM,
 * MST_E_COSE_CERTS (more than a reader takes), MST_E_MEDIA_UNSUPPORTED. */
MST_MUST_USE mst_err envelope_seal(struct arena *a, enum mst_media media,
    const struct mst_voucher_claims *claims, const struct envelope_signer *signer,
    mst_span *message);

/*
 * COSE-4: an RVR's x5bag gets the pledge's chain beside the registrar's own.
 * It is unprotected, so whoever carries the message may add to it: the key
 * that signed is not needed. Each certificate once. MST_E_COSE*.
 */
MST_MUST_USE mst_err envelope_bag_add(
    struct arena *a, mst_span message, const STACK_OF(X509) *more, mst_span *out);
/* COSE-4: what a pledge gets of a voucher: without unprotected x5bag and x5chain, each other byte
 * as it came. CMS and JWS: the message itself. MST_E_COSE*, MST_E_MEDIA_UNSUPPORTED. */
MST_MUST_USE mst_err envelope_strip(
    struct arena *a, enum mst_media media, mst_span message, mst_span *out);
/* The nonce as text for rows, logs and the audit log (AUD-5): as it came, or base64 of the bytes
 * that CBOR has. Absent when there is none. MST_E_NOMEM. */
MST_MUST_USE mst_err envelope_nonce_text(
    struct arena *a, const struct mst_voucher_claims *c, mst_span *out);

/* The JSON data model alone (brski.md section 4). */
MST_MUST_USE mst_err voucher_json_parse(
    struct arena *a, mst_span json, enum mst_voucher_kind kind, struct mst_voucher_claims *out);
MST_MUST_USE mst_err voucher_json_build(
    struct arena *a, const struct mst_voucher_claims *claims, mst_span *json);

#endif

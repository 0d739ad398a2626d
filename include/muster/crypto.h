/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between engines and cryptography. An engine is handed one of these
 * and never knows which library, token or microcontroller peripheral is
 * behind it. Back-ends: crypto/openssl (Linux), crypto/fake (tests:
 * deterministic, fails on demand). Calls take CPU time only: no network.
 */
#ifndef MUSTER_CRYPTO_H
#define MUSTER_CRYPTO_H

#include "muster/span.h"
#include "muster/time.h"
#include "muster/voucher.h"

/* The server's certificates in the order of its TLS Certificate message; EE first. DER. */
#define MST_CHAIN_MAX 10
struct mst_chain {
	mst_span cert[MST_CHAIN_MAX];
	size_t count;
};

/* How a body of EST is written. */
enum mst_form {
	MST_FORM_BASE64, /* RFC 7030, 8951: base64 of PKCS#10 or of certs-only */
	MST_FORM_DER, /* RFC 9148: PKCS#10 (286) or certs-only (281) as they are */
	MST_FORM_CERT, /* one certificate in DER (287) */
	MST_FORM_MULTIPART, /* RFC 8710 (62): an array of 287 and certificate, in turn */
	MST_FORM_OTHER, /* of an answer: none of these; never accepted */
};

struct mst_crypto {
	void *ctx;

	/* Fill exactly len bytes. MST_E_RANDOM when the generator is not ready. */
	mst_err (*random)(void *ctx, uint8_t *out, size_t len);

	/*
	 * Encode and sign a voucher-request with the IDevID key, with the IDevID
	 * chain included, in the given media. Appends to out.
	 */
	mst_err (*request_seal)(void *ctx, enum mst_media media,
	    const struct mst_voucher_claims *claims, struct mst_buf *out);

	/*
	 * Verify a voucher's signature against the factory's MASA anchors (8.7
	 * steps 1 and 2) and decode it. Leaves lie in store. The clock is used for
	 * certificate validity only when trusted. Refusals: MST_E_VOUCHER_PARSE,
	 * _SIGNATURE, _SIGNER, MST_E_CMS*, MST_E_JWS*, MST_E_X509*.
	 */
	mst_err (*voucher_open)(void *ctx, enum mst_media media, mst_span message,
	    const struct mst_clock *clock, struct mst_buf *store, struct mst_voucher_claims *out);

	/*
	 * 8.7 step 9: does the chain end at what the voucher pins? OK when the
	 * pinned key is the EE's, or when EE..pin verifies and the EE has cmcRA.
	 * MST_E_VOUCHER_TLS_CHAIN, MST_E_VOUCHER_NOT_RA.
	 */
	mst_err (*pin_judge)(void *ctx, const struct mst_voucher *voucher,
	    const struct mst_chain *chain, const struct mst_clock *clock);

	/* The same question against explicit anchors (concatenated DER), after enrolment. */
	mst_err (*anchors_judge)(void *ctx, mst_span anchors, const struct mst_chain *chain,
	    const struct mst_clock *clock);

	/*
	 * A cacerts answer (any form, RFC 7030 4.1.3, cV 6.7.5): OK when every
	 * certificate kept chains to the pin, or is one that the pin chains to (a
	 * voucher may pin the registrar's own certificate: requirements 8.5), or
	 * chains through NewWithOld to the anchors already held. out gets the
	 * domain's anchors and intermediates as concatenated DER, anchor first.
	 * pinned_cert is absent in a renewal, held in a bootstrap.
	 * MST_E_PLEDGE_CA_CERTS.
	 */
	mst_err (*cacerts_open)(void *ctx, enum mst_form form, mst_span body, mst_span pinned_cert,
	    mst_span held, const struct mst_clock *clock, struct mst_buf *out);

	/*
	 * Make a new LDevID key (kept by the back-end until ldevid_open or the
	 * next call) and a CSR that follows csrattrs (base64 CsrAttrs; absent: none
	 * wanted). With renew, subject and SAN are those of the current LDevID
	 * (RFC 7030 4.2.2), else of the IDevID. out gets the PKCS#10 in BASE64 or
	 * DER. MST_E_PLEDGE_CSRATTRS, MST_E_KEY_SIGN.
	 */
	mst_err (*csr_build)(
	    void *ctx, enum mst_form form, mst_span csrattrs, bool renew, struct mst_buf *out);

	/*
	 * An enrolment answer (any form but MULTIPART): OK when it holds a
	 * certificate for the key of the last csr_build that chains to anchors. out
	 * gets its DER and *not_before, *not_after its validity. It may be asked
	 * again about the same answer with other anchors. MST_E_PLEDGE_ENROLL.
	 */
	mst_err (*ldevid_open)(void *ctx, enum mst_form form, mst_span body, mst_span anchors,
	    const struct mst_clock *clock, struct mst_buf *out, int64_t *not_before,
	    int64_t *not_after);

	/*
	 * cV 6.7.1 step 3: is ca a root (a self-signed CA certificate), and did it
	 * itself sign cert? Both DER. MST_E_PLEDGE_ENROLL when not.
	 */
	mst_err (*root_signed)(void *ctx, mst_span ca, mst_span cert);
};

#endif

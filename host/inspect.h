/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is this file, what does each of its fields mean, and what would a check
 * say: for `muster inspect` and for whoever looks for the fault in a message.
 * Nothing here decides for anybody; no private key is ever copied to a report.
 */
#ifndef HOST_INSPECT_H
#define HOST_INSPECT_H

#include <jansson.h>

#include "host/arena.h"
#include "host/cert.h"
#include "muster/voucher.h"

#define INSPECT_BYTES_MAX (4u << 20)

enum inspect_want { INSPECT_DIAG = 1 }; /* CBOR in diagnostic notation (RFC 8949 8) */

struct inspect_options {
	const struct anchors *anchors; /* NULL: nothing is judged by anchors */
	struct mst_clock clock;
	unsigned want; /* set of enum inspect_want */
	/* certificates beside: of COSE, which may carry none, a signer may be among them; or NULL
	 */
	const STACK_OF(X509) *known;
};

/*
 * Recognise and explain. PEM (with text around it), DER, base64 or hex of DER,
 * JSON and CBOR are taken. *out is a new object (json_decref):
 *   kind      certificate, certificates, csr, csrattrs, crl, voucher,
 *             voucher-request, audit-log, telemetry, jws-header, public-key,
 *             private-key, multipart-core, suit-envelope, suit-report, cbor
 *   format    x509, pkcs7, pkcs10, cms+json, jws+json, cose+cbor, suit+cbor, json, cbor, ...
 *   encoding  pem, der, base64, hex, json, compact, cbor
 *   fields    [{name, value, words, clause}]
 *   checks    [{check, ok, code, name, clause, words}]; ok null: not judged
 *   verified  with anchors only: all that a verifier must hold good is good
 *   diag      CBOR: its diagnostic notation, if wanted or nothing else is known
 *   prior, chain, certificates, more: reports of what lies inside or beside
 * MST_E_CONTENT_UNKNOWN when nothing fits, MST_E_SPACE, MST_E_NOMEM;
 * inspect_why() has words. What is recognised but damaged is reported, not
 * refused. Scratch in the arena is wiped when it held a private key.
 */
MST_MUST_USE mst_err inspect(
    struct arena *a, mst_span bytes, const struct inspect_options *o, json_t **out);
const char *inspect_why(void);

/*
 * The signed message in a file, as it would travel: DER of CMS out of PEM,
 * base64, hex or DER; JWS in JSON; COSE. MST_E_CONTENT_UNKNOWN.
 */
MST_MUST_USE mst_err inspect_message(
    struct arena *a, mst_span bytes, enum mst_media *media, mst_span *message);

/* One set of anchors out of several files, each PEM or one DER. MST_E_X509, MST_E_NOMEM. */
MST_MUST_USE mst_err inspect_anchors(const mst_span *files, size_t count, struct anchors **out);

/* The claims of a voucher or request as an object of texts, leaves named as in the YANG. */
json_t *inspect_claims(struct arena *a, const struct mst_voucher_claims *c);

/* Of one DER certificate: its subject for people, its end, and idevid-issuer with device serial
 * (either may come back absent). MST_E_X509. */
struct inspect_cert_facts {
	const char *subject;
	int64_t not_before, not_after;
	mst_span serial, idevid_issuer;
};
MST_MUST_USE mst_err inspect_cert_facts(
    struct arena *a, mst_span pem_or_der, struct inspect_cert_facts *out);

#endif

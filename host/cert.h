/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 as BRSKI and EST need it, over OpenSSL: requirements brski.md sections 1 and 5 (CMS-8). */
#ifndef HOST_CERT_H
#define HOST_CERT_H

#include <openssl/x509.h>

#include "host/arena.h"
#include "muster/time.h"

/* By number, not by NID: OpenSSL 3.0 does not know all of them. */
#define CERT_OID_MASA_URL "1.3.6.1.5.5.7.1.32"
#define CERT_OID_CMC_RA "1.3.6.1.5.5.7.3.28"
#define CERT_OID_CODE_SIGNING "1.3.6.1.5.5.7.3.3"

/* One DER certificate, nothing after it. Caller frees. MST_E_X509. */
MST_MUST_USE mst_err cert_parse(mst_span der, X509 **out);
/* The DER, in the arena. */
MST_MUST_USE mst_err cert_der(struct arena *a, X509 *cert, mst_span *out);
MST_MUST_USE mst_err cert_spki(struct arena *a, X509 *cert, mst_span *out);
/* All certificates of a PEM text (or one DER); at least one. Caller frees with sk_X509_pop_free. */
MST_MUST_USE mst_err cert_list(mst_span pem_or_der, STACK_OF(X509) **out);
MST_MUST_USE mst_err cert_pem(struct arena *a, X509 *cert, mst_span *out);

/* Where a manufacturer keeps the serial number (ID-2). */
enum cert_serial_rule { CERT_SERIAL_SUBJECT, CERT_SERIAL_SAN_HWMODULE, CERT_SERIAL_CN };
int cert_serial_rule_find(const char *word); /* "subject", "hardware-module", "cn"; -1 */
/* ID-1, ID-9. MST_E_TLS_IDEVID_SERIAL. */
MST_MUST_USE mst_err cert_device_serial(
    struct arena *a, X509 *cert, enum cert_serial_rule rule, mst_span *out);

/* The MASA URL extension as a checked base URI "https://host[:port]/path" (ID-3). MST_E_NOT_FOUND
 * when absent, MST_E_MASA_URL when bad. */
MST_MUST_USE mst_err cert_masa_url(struct arena *a, X509 *cert, const char **base);
/* The same rules on any text, e.g. a configured override. */
MST_MUST_USE mst_err cert_masa_url_check(struct arena *a, mst_span text, const char **base);
/*
 * True for a base URI whose host is an address of a private, loopback,
 * link-local, multicast or otherwise not global range, or is "localhost"
 * (ID-3: refused unless configured). A name that resolves to such an address
 * is the connecting side's to judge.
 */
bool cert_masa_url_is_private(const char *base);
/* idevid-issuer bytes (ID-8), built from SHA-1 of the key where there is no AKI. */
MST_MUST_USE mst_err cert_idevid_issuer(struct arena *a, X509 *cert, mst_span *out);
/* domainID: SKI octets, else SHA-256 of the SPKI (ID-7). */
MST_MUST_USE mst_err cert_domain_id(struct arena *a, X509 *cert, mst_span *out);
/* True when the EKU extension is there and lists the OID (not anyExtendedKeyUsage). */
bool cert_has_eku(X509 *cert, const char *oid);
/* CMS-5: RSA >= 2048, P-256/384/521, Ed25519; no SHA-1 or MD5 signature. MST_E_X509_WEAK. */
MST_MUST_USE mst_err cert_strength(X509 *cert);
/* The key half of the same rule. MST_E_X509_WEAK. */
MST_MUST_USE mst_err cert_key_strength(EVP_PKEY *key);
/* Hex of the SHA-256 of the DER, for logs and databases. */
const char *cert_fingerprint(struct arena *a, X509 *cert);
/* RFC 2253 text, escaped, for people. */
const char *cert_subject(struct arena *a, X509 *cert);

/* A set of trust anchors with their CRLs; immutable once made, shared between threads. */
struct anchors;
/* pem: one certificate or more, self-signed or not (PARTIAL_CHAIN is set). crls: PEM or absent.
 * MST_E_X509. */
MST_MUST_USE mst_err anchors_new(mst_span pem, mst_span crls, struct anchors **out);
MST_MUST_USE mst_err anchors_from_stack(
    STACK_OF(X509) *certs, struct anchors **out); /* copies references */
void anchors_free(struct anchors *t);
const STACK_OF(X509) *anchors_certs(const struct anchors *t);

enum chain_flags {
	CHAIN_NO_LEAF_TIME = 1, /* ID-4: the leaf's notAfter is ignored, never its notBefore */
	CHAIN_NOTHING_ELSE = 4, /* every one of untrusted is in the chain or verifiably above it: no
	                           idle bytes (D19) */
	CHAIN_NEED_CRL =
	    2, /* hard revocation policy: MST_E_RVR_CRL_UNAVAILABLE where no CRL covers the leaf */
};
/*
 * Verify leaf through untrusted to the anchors; purpose any (CMS-8). Time is
 * judged by the clock when it is TRUSTED, else not at all. built, if not NULL,
 * gets the verified chain (leaf first; caller frees). Refusals:
 * MST_E_X509_CHAIN, _EXPIRED, _REVOKED, _WEAK. cert_why() has OpenSSL's words.
 */
MST_MUST_USE mst_err chain_verify(const struct anchors *t, X509 *leaf,
    const STACK_OF(X509) *untrusted, const struct mst_clock *clock, unsigned flags,
    STACK_OF(X509) **built);
const char *cert_why(void);

/*
 * 8.7 step 9, for any role: does leaf (with untrusted) end at the pinned
 * certificate? MST_E_VOUCHER_TLS_CHAIN, MST_E_VOUCHER_NOT_RA.
 */
MST_MUST_USE mst_err pin_judge(mst_span pinned_cert, mst_span pinned_pubk,
    mst_span pinned_pubk_sha256, X509 *leaf, const STACK_OF(X509) *untrusted,
    const struct mst_clock *clock);

/* certs-only PKCS#7 (est.md section 4): P1 on output, P2 on input. */
MST_MUST_USE mst_err certs_only_build(struct arena *a, const STACK_OF(X509) *certs, mst_span *der);
/* The same around one certificate in DER that needs no reading: our own CA has just signed it. */
MST_MUST_USE mst_err certs_only_wrap(struct arena *a, mst_span cert, mst_span *der);
MST_MUST_USE mst_err certs_only_parse(mst_span der, STACK_OF(X509) **out);
/* est.md B2, B3: an EST body to DER. MST_E_BASE64, MST_E_BASE64_RAW_DER. PEM armour is tolerated.
 */
MST_MUST_USE mst_err est_body_decode(struct arena *a, mst_span body, mst_span *der);
/* est.md B4: one line + LF; lines of 64 when wrap is 64. */
MST_MUST_USE mst_err est_body_encode(struct arena *a, mst_span der, unsigned wrap, mst_span *body);

#endif

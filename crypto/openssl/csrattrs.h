/* SPDX-License-Identifier: Apache-2.0 */
/* What a CsrAttrs document asks of a CSR: RFC 7030 4.5.2, RFC 8951 4, RFC 9908 (est.md section 10).
 */
#ifndef CRYPTO_OPENSSL_CSRATTRS_H
#define CRYPTO_OPENSSL_CSRATTRS_H

#include <openssl/x509.h>

#include "muster/span.h"

struct csrattrs {
	int template; /* 1: an RFC 9908 template stood there and nothing else was read (K7) */
	int key; /* NID_undef: any; NID_X9_62_id_ecPublicKey, NID_rsaEncryption */
	int curve; /* EC: NID of the curve, NID_undef: any */
	long rsa_bits; /* RSA; 0: any */
	int digest; /* NID of the digest of the wanted signature, NID_undef: any */
	int binding; /* 1: challengePassword wanted */
	int linking; /* 1: estIdentityLinking wanted (RFC 7894) */
	/* RDNs in order; an entry with an empty value is for the client to fill. NULL: no demand.
	 */
	X509_NAME *subject;
	/* Values as demanded. */
	STACK_OF(X509_EXTENSION) *extensions; /* NULL: none */
	STACK_OF(ASN1_OBJECT) *fill; /* extensions whose value is the client's to fill */
};

/* der: one CsrAttrs, nothing after it. MST_E_PLEDGE_CSRATTRS, MST_E_NOMEM. On success wipe it. */
MST_MUST_USE mst_err csrattrs_parse(mst_span der, struct csrattrs *out);
void csrattrs_wipe(struct csrattrs *w);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the CSR's judgement share: est_csr.c and est_names.c. */
#ifndef SERVER_EST_CSR_ROOM_H
#define SERVER_EST_CSR_ROOM_H

#include <openssl/x509v3.h>

#include "server/est/judge.h"

#define CSR_OID_CHALLENGE "1.2.840.113549.1.9.7"
#define CSR_OID_EXTENSIONS "1.2.840.113549.1.9.14"
#define CSR_OID_EXTENSIONS_MS "1.3.6.1.4.1.311.2.1.14"
#define CSR_OID_DECRYPT "1.2.840.113549.1.9.16.2.37"
#define CSR_OID_ASYMMETRIC_DECRYPT "1.2.840.113549.1.9.16.2.54"
#define CSR_OID_OTP "1.2.840.113549.1.9.16.2.56" /* RFC 7894 */
#define CSR_OID_LINKING "1.2.840.113549.1.9.16.2.58" /* RFC 7894 */
#define CSR_OID_TEMPLATE "1.2.840.113549.1.9.16.2.61" /* RFC 9908 */
#define CSR_OID_CHANGE_NAME "1.3.6.1.5.5.7.7.36" /* RFC 6402 2.8 */

struct csr_wishes {
	mst_span san; /* value of the extension; absent: not asked for */
};

/* Bytes that OpenSSL allocated, n as i2d returned it, into the arena. */
MST_MUST_USE mst_err csr_keep(struct arena *a, unsigned char *der, int n, mst_span *out);
MST_MUST_USE mst_err csr_keep_spki(struct arena *a, X509_PUBKEY *pub, mst_span *out);
/* The extensions asked for: C4. MST_E_CSR_CA, MST_E_CSR_EXTENSION, MST_E_CSR_SAN. */
MST_MUST_USE mst_err csr_read_extensions(
    struct arena *a, const X509_ATTRIBUTE *attr, struct csr_wishes *out, const char **words);
/* Subject and SAN: sets those of out to what is issued. */
MST_MUST_USE mst_err csr_judge_names(struct arena *a, const struct est_csr_in *in,
    X509_NAME *subject, const struct csr_wishes *w, struct est_csr *out, const char **words);

#endif

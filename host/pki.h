/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates a factory or a site starts with (`muster init`), made with
 * OpenSSL and written as files. Afterwards only the key process signs.
 */
#ifndef HOST_PKI_H
#define HOST_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/arena.h"

struct pki_identity {
	EVP_PKEY *key;
	X509 *cert;
};

struct pki_spec {
	const char *common_name, *organization; /* organization NULL: none */
	const char *key_uri; /* an existing key; or a path where a new one is written (0600) */
	const char *cert_path; /* where the certificate goes, with its issuer's behind it if
	                          append_issuer */
	const struct pki_identity *issuer; /* NULL: self-signed */
	int64_t seconds; /* 0: until 99991231235959Z */
	int path_length; /* of a CA; -1: an end entity */
	const char *ekus; /* space-separated OIDs; NULL: none */
	const char *hosts; /* space-separated DNS names and addresses for the SAN; NULL: none */
	bool append_issuer;
};

/*
 * Make one. A key URI that names no existing file gets a new P-256 key; an
 * existing key (or pkcs11:) is used. The certificate is written with O_EXCL.
 * MST_E_CONFLICT when the certificate exists, MST_E_KEY_*, MST_E_IO,
 * MST_E_USAGE; pki_why() has words.
 */
MST_MUST_USE mst_err pki_make(
    struct arena *a, const struct pki_spec *spec, struct pki_identity *out);
void pki_wipe(struct pki_identity *i);
const char *pki_why(void);

/* A new P-256 key in a new file (0600), and the DER of a CSR for it with an empty subject. */
MST_MUST_USE mst_err pki_csr_new(struct arena *a, const char *key_path, mst_span *der);

/* The DER of a CSR given as PEM or DER. MST_E_CSR_PARSE. */
MST_MUST_USE mst_err pki_csr_der(struct arena *a, mst_span pem_or_der, mst_span *der);

#endif

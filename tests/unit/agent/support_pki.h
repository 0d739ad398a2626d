/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates for the agent's tests, made with OpenSSL alone. Every failure aborts. */
#ifndef UNIT_AGENT_SUPPORT_PKI_H
#define UNIT_AGENT_SUPPORT_PKI_H

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define PKI_RA "serverAuth,clientAuth,1.3.6.1.5.5.7.3.28"

struct pki {
	EVP_PKEY *key;
	X509 *cert;
};

/* A root; a certificate beneath one. serial, eku: NULL for none. seconds: from now until its end.
 */
struct pki pki_root(const char *cn);
struct pki pki_leaf(
    const struct pki *ca, const char *cn, const char *serial, const char *eku, long seconds);
/* The same for a key that somebody else has; valid from an hour ago. */
X509 *pki_sign(const struct pki *ca, const X509_NAME *subject, EVP_PKEY *public_key, long seconds);
void pki_free(struct pki *p);
/* Files of mode 0600: certificates (second may be NULL), key. */
void pki_write_certs(const char *path, X509 *first, X509 *second);
void pki_write_key(const char *path, EVP_PKEY *key);

#endif

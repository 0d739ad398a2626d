/* SPDX-License-Identifier: Apache-2.0 */
/* A small PKI in a temporary folder: NAME.key (0600) and NAME.pem for each certificate. */
#ifndef TEST_SUPPORT_PKI_H
#define TEST_SUPPORT_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "muster/span.h"

struct pki_spec {
	const char *name;	/* file and common name */
	const char *cn;		/* NULL: name */
	const char *issuer;	/* name of another; NULL: self-signed */
	const char *constraints, *usage, *ekus; /* as openssl.cnf writes them; NULL: none */
	const char *group;	/* "P-256" when NULL */
	long from, to;		/* days from now; 0, 0: -1 to +3650 */
	int pathlen_chain;	/* append the issuer's file: a chain */
};
/* The folder, made at the first call; removed by pki_clean. */
const char *pki_dir(void);
void pki_clean(void);
/* "DIR/name.ext", one of a few rotating buffers. */
const char *pki_path(const char *name, const char *ext);
void pki_make(const struct pki_spec *s);
X509 *pki_cert(const char *name);
EVP_PKEY *pki_key(const char *name);
/* Usual names: root (CA), idevidca, rvr, short, long. */
void pki_usual(void);
/* DER of a new public key, in a static buffer that the next call overwrites. group "P-256", "RSA:2048", "ED25519". */
mst_span pki_spki(const char *kind);
/* DER Name "CN=..." likewise. */
mst_span pki_name(const char *cn);
void pki_write(const char *name, const char *ext, mst_span bytes);
/* Run a shell command made by printf; its exit status; output in *text if not NULL (static). */
int pki_run(const char **text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A small PKI in a temporary folder: NAME.key (0600) and NAME.pem for each certificate. */
#ifndef TEST_SUPPORT_PKI_H
#define TEST_SUPPORT_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "muster/span.h"

struct tpki_spec {
	const char *name; /* file and common name */
	const char *cn; /* NULL: name */
	const char *issuer; /* name of another; NULL: self-signed */
	const char *constraints, *usage, *ekus; /* as openssl.cnf writes them; NULL: none */
	const char *group; /* "P-256" when NULL */
	long from, to; /* days from now; 0, 0: -1 to +3650 */
	int pathlen_chain; /* append the issuer's file: a chain */
};
/* The folder, made at the first call; removed by tpki_clean. */
const char *tpki_dir(void);
void tpki_clean(void);
/* "DIR/name.ext", one of a few rotating buffers. */
const char *tpki_path(const char *name, const char *ext);
void tpki_make(const struct tpki_spec *s);
X509 *tpki_cert(const char *name);
EVP_PKEY *tpki_key(const char *name);
/* Usual names: root (CA), idevidca, rvr, short, long. */
void tpki_usual(void);
/* DER of a new public key, in a static buffer that the next call overwrites. group "P-256",
 * "RSA:2048", "ED25519". */
mst_span tpki_spki(const char *kind);
/* DER Name "CN=..." likewise. */
mst_span tpki_name(const char *cn);
void tpki_write(const char *name, const char *ext, mst_span bytes);
/* Run a shell command made by printf; its exit status; output in *text if not NULL (static). */
int tpki_run(const char **text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

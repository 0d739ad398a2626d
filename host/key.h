/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys by URI, the same everywhere: a path or file:PATH (PEM, refused
 * when group or others can read it), pkcs11:... (RFC 7512, through the
 * packaged ENGINE; pin-value or pin-source in the URI). One function hides
 * the deprecated ENGINE interface (dependencies.md 7).
 */
#ifndef HOST_KEY_H
#define HOST_KEY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "host/arena.h"

/* MST_E_KEY_URI, _OPEN, _PERMISSIONS. key_why() names the step that failed. */
MST_MUST_USE mst_err key_open(const char *uri, EVP_PKEY **out);
const char *key_why(void);
/* MST_E_KEY_MISMATCH unless the key makes a signature that the certificate's key verifies. */
MST_MUST_USE mst_err key_matches(EVP_PKEY *key, X509 *cert);
/* A new P-256 key as PEM (PKCS#8) written 0600 with O_EXCL; MST_E_CONFLICT when the file exists. */
MST_MUST_USE mst_err key_generate_file(const char *path, EVP_PKEY **out);
/*
 * Called with each step of opening and using a key ("parse URI", "open file",
 * "check permissions", "read key", "load module", "find token", "log in",
 * "find key", "sign", "verify") and its outcome; no PIN in detail. It must
 * return: key.c holds a lock meanwhile.
 */
typedef void (*key_step_fn)(void *arg, const char *step, mst_err e, const char *detail);
MST_MUST_USE mst_err key_test(const char *uri, key_step_fn fn, void *arg);

#endif

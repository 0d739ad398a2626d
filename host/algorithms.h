/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of key this process may read: EC, RSA, Ed25519 and Ed448, and what
 * TLS needs to agree on keys. Whatever else OpenSSL can parse (DSA, DH, SM2,
 * ...) no certificate of ours may use, and a parser that is not there cannot
 * be attacked. It also pays: OpenSSL 3.0 looks at every decoder it has for
 * every certificate it reads, and this list is a third as long. Ciphers and
 * digests likewise: what TLS, DTLS and the stateless proxy use
 * (docs/decisions/0015-fewer-algorithms.md).
 */
#ifndef HOST_ALGORITHMS_H
#define HOST_ALGORITHMS_H

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "muster/err.h"

/*
 * Once, first thing in main, before a thread or any other use of OpenSSL:
 * from then on OpenSSL's default library context knows these algorithms only.
 * Certificates with other keys still parse; their key is absent. MST_E_INTERNAL.
 */
MST_MUST_USE mst_err algorithms_narrow(void);

/*
 * A private key in PEM, as PEM_read_bio_PrivateKey: OpenSSL's readers of
 * private keys are among what algorithms_narrow leaves out, so they are used
 * in a context where they are. NULL with OpenSSL's error queue.
 */
EVP_PKEY *algorithms_read_key(BIO *pem, pem_password_cb *passphrase, void *arg);

#endif

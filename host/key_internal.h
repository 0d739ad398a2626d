/* SPDX-License-Identifier: Apache-2.0 */
/* Between key.c and key_pkcs11.c only. */
#ifndef HOST_KEY_INTERNAL_H
#define HOST_KEY_INTERNAL_H

#include <stdarg.h>

#include "host/key.h"

/* One opening of one key: whom to tell about its steps. */
struct key_opening {
	const char *uri;
	key_step_fn fn; /* NULL: nobody */
	void *arg;
};

/* Tell a step; when it failed, its words become key_why(). Returns e. Never give a PIN in the
 * words. */
mst_err key_step(const struct key_opening *o, const char *step, mst_err e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The topmost error of OpenSSL's queue in words; empties the queue. */
const char *key_openssl_words(char *out, size_t cap);
/* A secret in a file that only its owner can read, NUL behind it: key PEM, PIN. */
mst_err key_read_secret(const struct key_opening *o, const char *path, struct mst_buf *out);
/* A key behind PKCS#11; o->uri starts with "pkcs11:". */
mst_err key_open_pkcs11(const struct key_opening *o, EVP_PKEY **out);

#endif

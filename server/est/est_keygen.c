/* SPDX-License-Identifier: Apache-2.0 */
/* serverkeygen (RFC 7030 4.4, est.md section 11): the key, and the answer of two parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "muster/base64.h"
#include "server/est/csr_room.h"
#include "server/est/room.h"

/* A buffer outside the arena that is wiped when the arena goes (G4). */
struct secret {
	size_t cap;
	uint8_t bytes[];
};

static void
secret_free(void *p)
{
	struct secret *s = p;

	mst_wipe(s->bytes, s->cap);
	free(s);
}

static mst_err
secret_new(struct arena *a, size_t cap, struct mst_buf *out)
{
	struct secret *s = malloc(sizeof *s + cap);

	if (s == NULL)
		return MST_E_NOMEM;
	s->cap = cap;
	memset(s->bytes, 0, cap);
	if (arena_own(a, s, secret_free) == NULL)
		return MST_E_NOMEM;
	*out = (struct mst_buf){ s->bytes, cap, 0 };
	return MST_OK;
}

static mst_err
key_der(struct arena *a, EVP_PKEY *key, mst_span *out)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int n = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	struct mst_buf copy;
	mst_err e = n <= 0 ? MST_E_INTERNAL : secret_new(a, (size_t)n, &copy);

	if (e == MST_OK)
		e = mst_buf_put(&copy, mst_span_of(der, (size_t)n));
	if (e == MST_OK)
		*out = mst_buf_span(&copy);
	if (n > 0)
		OPENSSL_clear_free(der, (size_t)n);
	PKCS8_PRIV_KEY_INFO_free(info);
	return e;
}

mst_err
est_keygen(struct arena *a, mst_span *pkcs8, mst_span *spki)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *der = NULL;
	mst_err e;
	int n;

	if (key == NULL) {
		ERR_clear_error();
		return MST_E_RANDOM;
	}
	if ((e = key_der(a, key, pkcs8)) == MST_OK) {
		n = i2d_PUBKEY(key, &der);
		e = csr_keep(a, der, n, spki);
	}
	EVP_PKEY_free(key);
	return e;
}

static mst_err
put_part(struct mst_buf *out, const char *boundary, const char *type, mst_span der)
{
	char head[256];
	int n = snprintf(head, sizeof head,
	    "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary,
	    type);
	mst_err e;

	if (n < 0 || (size_t)n >= sizeof head)
		return MST_E_SPACE;
	if ((e = mst_buf_put(out, mst_span_of(head, (size_t)n))) != MST_OK ||
	    (e = mst_base64_encode(der, out)) != MST_OK)
		return e;
	return mst_buf_put(out, MST_LIT("\r\n"));
}

/* G2. RFC 2046 5.1.1; neither preamble nor epilogue. */
mst_err
est_keygen_body(struct arena *a, mst_span key, mst_span certs_only, const char *boundary,
    mst_span *body, const char **type)
{
	struct mst_buf out;
	mst_err e;

	*type = arena_printf(a, "multipart/mixed; boundary=%s", boundary);
	if (*type == NULL)
		return MST_E_NOMEM;
	e = secret_new(a, MST_BASE64_LEN(key.len) + MST_BASE64_LEN(certs_only.len) + 3 * 256, &out);
	if (e == MST_OK)
		e = put_part(&out, boundary, "application/pkcs8", key);
	if (e == MST_OK)
		e = put_part(
		    &out, boundary, "application/pkcs7-mime; smime-type=certs-only", certs_only);
	if (e == MST_OK)
		e = mst_buf_put(&out, MST_LIT("--"));
	if (e == MST_OK)
		e = mst_buf_put(&out, mst_span_str(boundary));
	if (e == MST_OK)
		e = mst_buf_put(&out, MST_LIT("--\r\n"));
	if (e == MST_OK)
		*body = mst_buf_span(&out);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* serverkeygen (RFC 7030 4.4, est.md section 11): the key, and the answer of two parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
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

mst_err
est_secret_new(struct arena *a, size_t cap, struct mst_buf *out)
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

/*
 * G4: OpenSSL's encoders free what they encoded without wiping it, three times
 * for one key (i2d_ECPrivateKey, ASN1_i2d_bio, EVP_PKEY2PKCS8 of 3.0), so that
 * the scalar is put between the octets that every PKCS#8 of a P-256 key has.
 */
static mst_err
key_der(struct arena *a, EVP_PKEY *key, mst_span *out)
{
	/* RFC 5958 2: version 0, ecPublicKey on prime256v1; RFC 5915 3: version 1, the scalar */
	static const uint8_t head[] = { 0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07,
		0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
		0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20 };
	/* [1] publicKey, uncompressed */
	static const uint8_t middle[] = { 0xa1, 0x44, 0x03, 0x42, 0x00 };
	enum { SCALAR = 32, POINT = 65 };
	struct mst_buf der;
	BIGNUM *d = NULL;
	size_t n = 0;
	mst_err e = est_secret_new(a, sizeof head + SCALAR + sizeof middle + POINT, &der);

	if (e != MST_OK || (e = mst_buf_put(&der, mst_span_of(head, sizeof head))) != MST_OK)
		return e;
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1 ||
	    BN_bn2binpad(d, der.ptr + der.len, SCALAR) != SCALAR)
		e = MST_E_INTERNAL;
	BN_clear_free(d);
	der.len += SCALAR;
	if (e != MST_OK || (e = mst_buf_put(&der, mst_span_of(middle, sizeof middle))) != MST_OK)
		return e;
	if (EVP_PKEY_get_octet_string_param(
	        key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, der.ptr + der.len, POINT, &n) != 1 ||
	    n != POINT)
		return MST_E_INTERNAL;
	der.len += POINT;
	*out = mst_buf_span(&der);
	return MST_OK;
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
	e = est_secret_new(
	    a, MST_BASE64_LEN(key.len) + MST_BASE64_LEN(certs_only.len) + 3 * 256, &out);
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

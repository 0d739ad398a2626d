/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of EST in each form, as the pledge's OpenSSL back-end reads them: the
 * first byte names the form, the rest is the body. Nothing is accepted, since
 * nobody whom this device trusts has signed it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/openssl/openssl.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crypto_openssl ctx;
static uint8_t pin[4096];
static mst_span pinned;

/* A CA of its own, whose key is forgotten at once, and a CSR that waits. */
static void
set_up(struct mst_crypto *c)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	struct crypto_openssl_config config = { .idevid_key = key, .idevid = cert };
	static uint8_t csr[4096];
	struct mst_buf out = MST_BUF(csr);
	uint8_t *p = pin;
	int n;

	MUST(key != NULL && cert != NULL && X509_set_version(cert, 2) == 1);
	MUST(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL);
	MUST(X509_gmtime_adj(X509_getm_notAfter(cert), 86400) != NULL);
	MUST(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
	         (const unsigned char *)"ca", -1, -1, 0) == 1);
	MUST(X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1);
	MUST(X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, EVP_sha256()) > 0);
	MUST((n = i2d_X509(cert, NULL)) > 0 && n < (int)sizeof pin && i2d_X509(cert, &p) == n);
	pinned = mst_span_of(pin, (size_t)n);
	MUST(crypto_openssl_init(&ctx, &config) == MST_OK);
	*c = crypto_openssl(&ctx);
	MUST(c->csr_build(c->ctx, MST_FORM_DER, MST_NONE, false, &out) == MST_OK);
	X509_free(cert);
	EVP_PKEY_free(key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mst_crypto c;
	static uint8_t room[65536];
	const struct mst_clock clock = { MST_CLOCK_NONE, 0 };
	struct mst_buf out = MST_BUF(room);
	int64_t from, to;
	enum mst_form form;
	mst_span body;

	if (c.ctx == NULL)
		set_up(&c);
	if (size < 1)
		return 0;
	form = (enum mst_form)(data[0] % (MST_FORM_OTHER + 1));
	body = mst_span_of(data + 1, size - 1);
	MUST(c.cacerts_open(c.ctx, form, body, pinned, MST_NONE, &clock, &out) != MST_OK);
	MUST(out.len == 0);
	MUST(c.ldevid_open(c.ctx, form, body, pinned, &clock, &out, &from, &to) != MST_OK);
	MUST(out.len == 0);
	MUST(c.root_signed(c.ctx, pinned, body) != MST_OK);
	MUST(c.root_signed(c.ctx, body, pinned) != MST_OK);
	return 0;
}

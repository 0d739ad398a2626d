/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/crypto/support_world.h"

const struct mst_clock now = { MST_CLOCK_TRUSTED, PKI_NOW };
struct world w;

X509 *
issue(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *eku)
{
	struct pki_spec s = { .cn = cn,
		.key = key,
		.issuer = issuer,
		.issuer_key = issuer_key,
		.eku = eku,
		.ski = 1,
		.aki = 1 };

	return pki_cert(&s);
}

static X509 *
issue_ca(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	struct pki_spec s = { .cn = cn,
		.key = key,
		.issuer = issuer,
		.issuer_key = issuer_key,
		.basic = CA_BASIC,
		.usage = CA_USAGE,
		.ski = 1,
		.aki = 1 };

	return pki_cert(&s);
}

int
setup(void **state)
{
	STACK_OF(X509) *list;
	struct crypto_openssl_config config;
	struct pki_spec dev = { .cn = "device", .serial = "SN-1", .ski = 1, .aki = 1 };

	(void)state;
	w.a = arena_new(0);
	w.vendor_key = pki_key("P-384");
	w.idevid_key = pki_key("P-256");
	w.masa_key = pki_key("P-256");
	w.domain_key = pki_key("P-256");
	w.issuing_key = pki_key("P-256");
	w.ra_key = pki_key("P-256");
	w.foreign_key = pki_key("P-256");
	w.device_key = pki_key("P-256");
	w.vendor = pki_root("vendor", w.vendor_key);
	dev.key = w.idevid_key;
	dev.issuer = w.vendor;
	dev.issuer_key = w.vendor_key;
	w.idevid = pki_cert(&dev);
	w.masa = issue("masa", w.masa_key, w.vendor, w.vendor_key, NULL);
	w.domain = pki_root("domain", w.domain_key);
	w.issuing = issue_ca("issuing", w.issuing_key, w.domain, w.domain_key);
	w.ra = issue("ra", w.ra_key, w.issuing, w.issuing_key, PKI_EKU_RA);
	w.foreign = pki_root("foreign", w.foreign_key);
	dev = (struct pki_spec){ .cn = "ldevid",
		.serial = "SN-1",
		.key = w.device_key,
		.issuer = w.issuing,
		.issuer_key = w.issuing_key,
		.san = "DNS:sn-1.example" };
	w.ldevid = pki_cert(&dev);
	list = pki_stack(w.vendor, NULL, NULL);
	assert_int_equal(anchors_from_stack(list, &w.masa_anchors), MST_OK);
	config = (struct crypto_openssl_config){ w.idevid_key, w.idevid, list, w.masa_anchors,
		w.device_key, w.ldevid };
	assert_int_equal(crypto_openssl_init(&w.ctx, &config), MST_OK);
	w.crypto = crypto_openssl(&w.ctx);
	pki_stack_free(list);
	return 0;
}

int
teardown(void **state)
{
	EVP_PKEY *keys[] = { w.vendor_key, w.idevid_key, w.masa_key, w.domain_key, w.issuing_key,
		w.ra_key, w.foreign_key, w.device_key };
	X509 *certs[] = { w.vendor, w.idevid, w.masa, w.domain, w.issuing, w.ra, w.foreign,
		w.ldevid };

	(void)state;
	crypto_openssl_wipe(&w.ctx);
	anchors_free(w.masa_anchors);
	for (size_t i = 0; i < 8; i++) {
		EVP_PKEY_free(keys[i]);
		X509_free(certs[i]);
	}
	arena_free(w.a);
	return 0;
}

mst_span
der_of(X509 *cert)
{
	mst_span der = MST_NONE;

	assert_int_equal(cert_der(w.a, cert, &der), MST_OK);
	return der;
}

struct mst_buf
room(size_t n)
{
	return arena_buf(w.a, n);
}

mst_span
joined(X509 *a, X509 *b, X509 *c)
{
	struct mst_buf buf = room(8192);
	X509 *all[] = { a, b, c };

	for (size_t i = 0; i < 3; i++)
		if (all[i] != NULL)
			assert_int_equal(mst_buf_put(&buf, der_of(all[i])), MST_OK);
	return mst_buf_span(&buf);
}

/* For the key of a CSR just made. */
X509 *
certified(X509 *issuer, EVP_PKEY *issuer_key)
{
	struct mst_buf body = room(8192);
	const uint8_t *p = body.ptr;
	X509_REQ *req;
	X509 *cert;

	assert_int_equal(
	    w.crypto.csr_build(w.crypto.ctx, MST_FORM_DER, MST_NONE, false, &body), MST_OK);
	assert_non_null(req = d2i_X509_REQ(NULL, &p, (long)body.len));
	cert = issue("ldevid", X509_REQ_get0_pubkey(req), issuer, issuer_key, "clientAuth");
	X509_REQ_free(req);
	return cert;
}

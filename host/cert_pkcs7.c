/* SPDX-License-Identifier: Apache-2.0 */
/* Certs-only PKCS#7 (RFC 5272 4.1, RFC 7030 4.1.3; est.md section 4). */
#include "host/cert.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs7.h>

#define CERTS_MAX 64

static void
free_openssl(void *p)
{
	OPENSSL_free(p);
}

/*
 * P1: eContent and crls absent, not empty. PKCS7_content_new() would add an
 * empty OCTET STRING, and an allocated crl stack an empty [1], which strict
 * parsers refuse.
 */
static PKCS7 *
degenerate(const STACK_OF(X509) *certs)
{
	PKCS7 *p7 = PKCS7_new();
	PKCS7_SIGNED *s = PKCS7_SIGNED_new();

	if (p7 == NULL || s == NULL || ASN1_INTEGER_set(s->version, 1) != 1) {
		PKCS7_SIGNED_free(s);
		PKCS7_free(p7);
		return NULL;
	}
	p7->type = OBJ_nid2obj(NID_pkcs7_signed);
	p7->d.sign = s;
	s->contents->type = OBJ_nid2obj(NID_pkcs7_data);
	s->cert = X509_chain_up_ref((STACK_OF(X509) *)(uintptr_t)certs);
	if (s->cert == NULL) {
		PKCS7_free(p7);
		return NULL;
	}
	return p7;
}

mst_err
certs_only_build(struct arena *a, const STACK_OF(X509) *certs, mst_span *der)
{
	PKCS7 *p7 = degenerate(certs);
	uint8_t *bytes = NULL;
	int n = p7 == NULL ? -1 : i2d_PKCS7(p7, &bytes);

	PKCS7_free(p7);
	if (n <= 0 || arena_own(a, bytes, free_openssl) == NULL)
		return MST_E_NOMEM;
	*der = mst_span_of(bytes, (size_t)n);
	return MST_OK;
}

/*
 * The same type with its certificate as it is, in DER: OpenSSL 3.0 decodes the
 * key of every X509 it makes, which costs as much as two verifications, and
 * what the CA has just signed needs no reading.
 */
struct certs_only {
	ASN1_INTEGER *version;
	STACK_OF(X509_ALGOR) *digests;
	PKCS7 *contents;
	STACK_OF(ASN1_TYPE) *certs;
	STACK_OF(PKCS7_SIGNER_INFO) *signers;
};
struct content_info {
	ASN1_OBJECT *type;
	struct certs_only *content;
};
typedef struct certs_only CERTS_ONLY;
typedef struct content_info CONTENT_INFO;

ASN1_SEQUENCE(CERTS_ONLY) = {
	ASN1_SIMPLE(CERTS_ONLY, version, ASN1_INTEGER),
	ASN1_SET_OF(CERTS_ONLY, digests, X509_ALGOR),
	ASN1_SIMPLE(CERTS_ONLY, contents, PKCS7),
	ASN1_IMP_SET_OF_OPT(CERTS_ONLY, certs, ASN1_ANY, 0),
	ASN1_SET_OF(CERTS_ONLY, signers, PKCS7_SIGNER_INFO),
} static_ASN1_SEQUENCE_END(CERTS_ONLY)
ASN1_SEQUENCE(CONTENT_INFO) = {
	ASN1_SIMPLE(CONTENT_INFO, type, ASN1_OBJECT),
	ASN1_EXP(CONTENT_INFO, content, CERTS_ONLY, 0),
} static_ASN1_SEQUENCE_END(CONTENT_INFO)

static bool
fill(CONTENT_INFO *info, mst_span cert)
{
	struct certs_only *s = info->content;
	ASN1_TYPE *any = ASN1_TYPE_new();
	ASN1_STRING *bytes = ASN1_STRING_new();

	info->type = OBJ_nid2obj(NID_pkcs7_signed);
	s->contents->type = OBJ_nid2obj(NID_pkcs7_data);
	s->certs = sk_ASN1_TYPE_new_null();
	if (any == NULL || bytes == NULL || s->certs == NULL ||
	    ASN1_STRING_set(bytes, cert.ptr, (int)cert.len) != 1 ||
	    sk_ASN1_TYPE_push(s->certs, any) <= 0) {
		ASN1_TYPE_free(any);
		ASN1_STRING_free(bytes);
		return false;
	}
	ASN1_TYPE_set(any, V_ASN1_SEQUENCE, bytes); /* written out as it is */
	return ASN1_INTEGER_set(s->version, 1) == 1;
}

mst_err
certs_only_wrap(struct arena *a, mst_span cert, mst_span *der)
{
	CONTENT_INFO *info;
	uint8_t *bytes = NULL;
	int n = -1;

	if (cert.ptr == NULL || cert.len == 0 || cert.len > 1u << 16)
		return MST_E_X509;
	if ((info = (CONTENT_INFO *)ASN1_item_new(ASN1_ITEM_rptr(CONTENT_INFO))) != NULL &&
	    fill(info, cert))
		n = ASN1_item_i2d((const ASN1_VALUE *)info, &bytes, ASN1_ITEM_rptr(CONTENT_INFO));
	ASN1_item_free((ASN1_VALUE *)info, ASN1_ITEM_rptr(CONTENT_INFO));
	if (n <= 0 || arena_own(a, bytes, free_openssl) == NULL)
		return MST_E_NOMEM;
	*der = mst_span_of(bytes, (size_t)n);
	return MST_OK;
}

mst_err
certs_only_parse(mst_span der, STACK_OF(X509) **out)
{
	const uint8_t *p = der.ptr;
	STACK_OF(X509) *certs;
	PKCS7 *p7;
	mst_err e = MST_E_X509;

	if (der.ptr == NULL || der.len == 0 || der.len > 1u << 20)
		return e;
	p7 = d2i_PKCS7(NULL, &p, (long)der.len);
	if (p7 == NULL || p != der.ptr + der.len || !PKCS7_type_is_signed(p7) ||
	    p7->d.sign == NULL || sk_PKCS7_SIGNER_INFO_num(p7->d.sign->signer_info) > 0)
		goto out;
	certs = p7->d.sign->cert;
	if (certs == NULL || sk_X509_num(certs) <= 0 || sk_X509_num(certs) > CERTS_MAX)
		goto out;
	*out = certs; /* moved, not decoded again */
	p7->d.sign->cert = NULL;
	e = MST_OK;
out:
	PKCS7_free(p7);
	ERR_clear_error();
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One certificate: bytes, names, identifiers and strength (brski.md section 1, CMS-5). */
#include "host/cert.h"

#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "muster/voucher.h"

#define OID_HARDWARE_MODULE_NAME "1.3.6.1.5.5.7.8.4" /* RFC 4108 5 */
#define LIST_MAX 256

static void
free_openssl(void *p)
{
	OPENSSL_free(p);
}

/* Take over bytes that OpenSSL allocated; n as an i2d function returned it. */
static mst_err
keep_der(struct arena *a, uint8_t *der, int n, mst_span *out)
{
	if (n <= 0)
		return MST_E_X509;
	if (arena_own(a, der, free_openssl) == NULL)
		return MST_E_NOMEM;
	*out = mst_span_of(der, (size_t)n);
	return MST_OK;
}

mst_err
cert_parse(mst_span der, X509 **out)
{
	const uint8_t *p = der.ptr;
	uint8_t *again = NULL;
	X509 *cert;
	int n;

	if (der.ptr == NULL || der.len == 0 || der.len > 65536)
		return MST_E_X509;
	cert = d2i_X509(NULL, &p, (long)der.len);
	if (cert == NULL)
		return MST_E_X509;
	/* DER has one encoding: two texts for one certificate would be two fingerprints. */
	n = i2d_X509(cert, &again);
	if (n < 0 || (size_t)n != der.len || memcmp(again, der.ptr, der.len) != 0) {
		OPENSSL_free(again);
		X509_free(cert);
		return MST_E_X509;
	}
	OPENSSL_free(again);
	*out = cert;
	return MST_OK;
}

mst_err
cert_der(struct arena *a, X509 *cert, mst_span *out)
{
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);

	return keep_der(a, der, n, out);
}

mst_err
cert_spki(struct arena *a, X509 *cert, mst_span *out)
{
	uint8_t *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	return keep_der(a, der, n, out);
}

static mst_err
read_pem_list(mst_span pem, STACK_OF(X509) *list)
{
	BIO *in = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	mst_err e = MST_OK;
	X509 *cert;

	if (in == NULL)
		return MST_E_NOMEM;
	while (e == MST_OK && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_num(list) >= LIST_MAX || sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			e = MST_E_X509;
		}
	}
	/* "No start line" is how the end looks; anything else was a broken certificate. */
	if (e == MST_OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		e = MST_E_X509;
	ERR_clear_error();
	BIO_free(in);
	return e == MST_OK && sk_X509_num(list) == 0 ? MST_E_X509 : e;
}

mst_err
cert_list(mst_span pem_or_der, STACK_OF(X509) **out)
{
	STACK_OF(X509) *list;
	X509 *cert = NULL;
	mst_err e;

	if (pem_or_der.ptr == NULL || pem_or_der.len == 0 || pem_or_der.len > 4u << 20)
		return MST_E_X509;
	list = sk_X509_new_null();
	if (list == NULL)
		return MST_E_NOMEM;
	if (pem_or_der.ptr[0] == 0x30) {
		e = cert_parse(pem_or_der, &cert);
		if (e == MST_OK && sk_X509_push(list, cert) <= 0) {
			X509_free(cert);
			e = MST_E_NOMEM;
		}
	} else {
		ERR_clear_error();
		e = read_pem_list(pem_or_der, list);
	}
	if (e != MST_OK) {
		sk_X509_pop_free(list, X509_free);
		return e;
	}
	*out = list;
	return MST_OK;
}

mst_err
cert_pem(struct arena *a, X509 *cert, mst_span *out)
{
	BIO *mem = BIO_new(BIO_s_mem());
	mst_err e = MST_E_NOMEM;
	char *text = NULL;
	long n;

	if (mem == NULL || PEM_write_bio_X509(mem, cert) != 1)
		goto out;
	n = BIO_get_mem_data(mem, &text);
	*out = arena_dup(a, mst_span_of(text, (size_t)n));
	e = out->ptr == NULL ? MST_E_NOMEM : MST_OK;
out:
	BIO_free(mem);
	return e;
}

int
cert_serial_rule_find(const char *word)
{
	static const char *const words[] = {
		[CERT_SERIAL_SUBJECT] = "subject",
		[CERT_SERIAL_SAN_HWMODULE] = "hardware-module",
		[CERT_SERIAL_CN] = "cn",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (word != NULL && strcmp(word, words[i]) == 0)
			return (int)i;
	return -1;
}

/* The one value of an attribute of the subject, as UTF-8. Two values would be two devices. */
static mst_err
subject_value(struct arena *a, X509 *cert, int nid, mst_span *out)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *text = NULL;
	int n;

	if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return MST_E_TLS_IDEVID_SERIAL;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n < 0)
		return MST_E_TLS_IDEVID_SERIAL;
	*out = arena_dup(a, mst_span_of(text, (size_t)n));
	OPENSSL_free(text);
	return out->ptr == NULL ? MST_E_NOMEM : MST_OK;
}

/* hwSerialNum of HardwareModuleName ::= SEQUENCE { hwType OID, hwSerialNum OCTET STRING }. */
static mst_err
hardware_serial(struct arena *a, const ASN1_TYPE *value, mst_span *out)
{
	ASN1_SEQUENCE_ANY *seq;
	const ASN1_TYPE *serial;
	const uint8_t *p;
	mst_err e = MST_E_TLS_IDEVID_SERIAL;

	if (value == NULL || value->type != V_ASN1_SEQUENCE)
		return e;
	p = ASN1_STRING_get0_data(value->value.sequence);
	seq = d2i_ASN1_SEQUENCE_ANY(NULL, &p, ASN1_STRING_length(value->value.sequence));
	if (seq == NULL)
		return e;
	if (sk_ASN1_TYPE_num(seq) == 2 && sk_ASN1_TYPE_value(seq, 0)->type == V_ASN1_OBJECT &&
	    sk_ASN1_TYPE_value(seq, 1)->type == V_ASN1_OCTET_STRING) {
		serial = sk_ASN1_TYPE_value(seq, 1);
		*out = arena_dup(a, mst_span_of(ASN1_STRING_get0_data(serial->value.octet_string),
		                        (size_t)ASN1_STRING_length(serial->value.octet_string)));
		e = out->ptr == NULL ? MST_E_NOMEM : MST_OK;
	}
	sk_ASN1_TYPE_pop_free(seq, ASN1_TYPE_free);
	return e;
}

static mst_err
san_hardware_module(struct arena *a, X509 *cert, mst_span *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	ASN1_OBJECT *oid = OBJ_txt2obj(OID_HARDWARE_MODULE_NAME, 1);
	mst_err e = MST_E_TLS_IDEVID_SERIAL;
	unsigned found = 0;

	for (int i = 0; names != NULL && oid != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type != GEN_OTHERNAME || OBJ_cmp(n->d.otherName->type_id, oid) != 0)
			continue;
		e = ++found == 1 ? hardware_serial(a, n->d.otherName->value, out)
		                 : MST_E_TLS_IDEVID_SERIAL;
	}
	GENERAL_NAMES_free(names);
	ASN1_OBJECT_free(oid);
	return e;
}

mst_err
cert_device_serial(struct arena *a, X509 *cert, enum cert_serial_rule rule, mst_span *out)
{
	mst_span serial = MST_NONE;
	mst_err e = MST_E_TLS_IDEVID_SERIAL;

	switch (rule) {
	case CERT_SERIAL_SUBJECT: e = subject_value(a, cert, NID_serialNumber, &serial); break;
	case CERT_SERIAL_SAN_HWMODULE: e = san_hardware_module(a, cert, &serial); break;
	case CERT_SERIAL_CN: e = subject_value(a, cert, NID_commonName, &serial); break;
	}
	if (e != MST_OK)
		return e;
	/* ID-9: no control characters, no NUL, at most 256 bytes of UTF-8. */
	if (mst_serial_check(serial) != MST_OK)
		return MST_E_TLS_IDEVID_SERIAL;
	*out = serial;
	return MST_OK;
}

/* ID-8: the structure that an AKI would have, from method 1 of RFC 5280 4.2.1.2. */
static ASN1_OCTET_STRING *
issuer_from_key(X509 *cert)
{
	AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	uint8_t hash[EVP_MAX_MD_SIZE], *der = NULL;
	unsigned n = 0;
	int len = -1;

	if (aki != NULL && value != NULL && X509_pubkey_digest(cert, EVP_sha1(), hash, &n) == 1 &&
	    (aki->keyid = ASN1_OCTET_STRING_new()) != NULL &&
	    ASN1_OCTET_STRING_set(aki->keyid, hash, (int)n) == 1)
		len = i2d_AUTHORITY_KEYID(aki, &der);
	if (len > 0) {
		ASN1_STRING_set0(value, der, len);
	} else {
		ASN1_OCTET_STRING_free(value);
		value = NULL;
	}
	AUTHORITY_KEYID_free(aki);
	return value;
}

mst_err
cert_idevid_issuer(struct arena *a, X509 *cert, mst_span *out)
{
	int at = X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1);
	ASN1_OCTET_STRING *made = NULL, *value;
	uint8_t *der = NULL;
	mst_err e;
	int n;

	value = at >= 0 ? X509_EXTENSION_get_data(X509_get_ext(cert, at))
	                : (made = issuer_from_key(cert));
	if (value == NULL)
		return MST_E_X509;
	/* 8366bis 6.1: the OCTET STRING with its own tag and length. */
	n = i2d_ASN1_OCTET_STRING(value, &der);
	e = keep_der(a, der, n, out);
	ASN1_OCTET_STRING_free(made);
	return e;
}

mst_err
cert_domain_id(struct arena *a, X509 *cert, mst_span *out)
{
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(cert);
	uint8_t hash[EVP_MAX_MD_SIZE], *spki = NULL;
	unsigned n = 0;
	mst_err e = MST_E_X509;
	int len;

	if (ski != NULL && ASN1_STRING_length(ski) > 0) {
		*out = arena_dup(
		    a, mst_span_of(ASN1_STRING_get0_data(ski), (size_t)ASN1_STRING_length(ski)));
		return out->ptr == NULL ? MST_E_NOMEM : MST_OK;
	}
	/* RFC 8995 5.8.2: without SKI, the SPKI fingerprint of RFC 7469 2.4. */
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
	if (len > 0 && EVP_Digest(spki, (size_t)len, hash, &n, EVP_sha256(), NULL) == 1) {
		*out = arena_dup(a, mst_span_of(hash, n));
		e = out->ptr == NULL ? MST_E_NOMEM : MST_OK;
	}
	OPENSSL_free(spki);
	return e;
}

bool
cert_has_eku(X509 *cert, const char *oid)
{
	EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	ASN1_OBJECT *want = OBJ_txt2obj(oid, 1);
	bool found = false;

	for (int i = 0; list != NULL && want != NULL && i < sk_ASN1_OBJECT_num(list); i++)
		found = found || OBJ_cmp(sk_ASN1_OBJECT_value(list, i), want) == 0;
	EXTENDED_KEY_USAGE_free(list);
	ASN1_OBJECT_free(want);
	return found;
}

mst_err
cert_key_strength(EVP_PKEY *key)
{
	char group[64];

	if (key == NULL)
		return MST_E_X509;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519: return MST_OK;
	case EVP_PKEY_RSA: return EVP_PKEY_get_bits(key) >= 2048 ? MST_OK : MST_E_X509_WEAK;
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
		    (strcmp(group, SN_X9_62_prime256v1) == 0 || strcmp(group, SN_secp384r1) == 0 ||
		        strcmp(group, SN_secp521r1) == 0))
			return MST_OK;
		return MST_E_X509_WEAK;
	default: return MST_E_X509_WEAK;
	}
}

mst_err
cert_strength(X509 *cert)
{
	int digest = NID_undef, key = NID_undef, bits = 0;
	uint32_t flags = 0;
	mst_err e = cert_key_strength(X509_get0_pubkey(cert));

	if (e != MST_OK)
		return e;
	/* CMS-5: no SHA-1 or MD5; unknown signatures count as weak. */
	if (X509_get_signature_info(cert, &digest, &key, &bits, &flags) != 1 || bits < 112)
		return MST_E_X509_WEAK;
	return digest == NID_md5 || digest == NID_sha1 ? MST_E_X509_WEAK : MST_OK;
}

const char *
cert_fingerprint(struct arena *a, X509 *cert)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *text;

	if (X509_digest(cert, EVP_sha256(), hash, &n) != 1)
		return "";
	text = arena_alloc(a, 2 * (size_t)n + 1);
	if (text == NULL)
		return "";
	for (unsigned i = 0; i < n; i++) {
		text[2 * i] = hex[hash[i] >> 4];
		text[2 * i + 1] = hex[hash[i] & 15];
	}
	return text;
}

const char *
cert_subject(struct arena *a, X509 *cert)
{
	BIO *mem = BIO_new(BIO_s_mem());
	const char *text = "";
	char *at = NULL;
	long n;

	if (mem != NULL && X509_NAME_print_ex(mem, X509_get_subject_name(cert), 0,
	                       XN_FLAG_RFC2253 | ASN1_STRFLGS_ESC_CTRL) >= 0) {
		n = BIO_get_mem_data(mem, &at);
		text = n > 0 ? arena_str(a, mst_span_of(at, (size_t)n)) : "";
	}
	BIO_free(mem);
	return text == NULL ? "" : text;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/est/support_csr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>

/* A test cannot go on without what it is built from. */
#define NEED(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static struct {
	char name[32];
	EVP_PKEY *key;
} keys[24];

static EVP_PKEY *
make_key(const char *name)
{
	char kind[32];
	unsigned bits;

	snprintf(kind, sizeof kind, "%s", name);
	kind[strcspn(kind, " ")] = '\0';
	if (sscanf(kind, "RSA-%u", &bits) == 1)
		return EVP_RSA_gen(bits);
	if (strcmp(kind, "ED25519") == 0 || strcmp(kind, "X25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, kind);
	return EVP_EC_gen(kind);
}

EVP_PKEY *
a_key(const char *name)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (keys[i].key == NULL) {
			snprintf(keys[i].name, sizeof keys[i].name, "%s", name);
			NEED((keys[i].key = make_key(name)) != NULL);
		}
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].key;
	}
	abort();
}

static void __attribute__((destructor)) free_keys(void)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		EVP_PKEY_free(keys[i].key);
}

X509_NAME *
a_name(const char *text)
{
	X509_NAME *n = X509_NAME_new();
	char part[256];

	NEED(n != NULL);
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		char *eq;

		NEED(len < sizeof part);
		memcpy(part, text, len);
		part[len] = '\0';
		NEED((eq = strchr(part, '=')) != NULL);
		*eq = '\0';
		/* "+OU=x" joins the RDN before */
		NEED(X509_NAME_add_entry_by_txt(n, part[0] == '+' ? part + 1 : part, MBSTRING_UTF8,
		         (unsigned char *)eq + 1, -1, -1, part[0] == '+' ? -1 : 0) == 1);
		text += len + (text[len] == ',');
	}
	return n;
}

mst_span
a_name_der(struct arena *a, const char *text)
{
	X509_NAME *n = a_name(text);
	const unsigned char *der;
	mst_span out;
	size_t len;

	NEED(X509_NAME_get0_der(n, &der, &len) == 1);
	out = arena_dup(a, mst_span_of(der, len));
	X509_NAME_free(n);
	return out;
}

mst_span
a_san(struct arena *a, const char *text)
{
	X509_EXTENSION *x = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, text);
	ASN1_OCTET_STRING *v;
	mst_span out;

	NEED(x != NULL);
	v = X509_EXTENSION_get_data(x);
	out = arena_dup(a, mst_span_of(v->data, (size_t)v->length));
	X509_EXTENSION_free(x);
	return out;
}

mst_span
a_spki_sha256(struct arena *a, EVP_PKEY *key)
{
	unsigned char *der = NULL, digest[32];
	int n = i2d_PUBKEY(key, &der);

	NEED(n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
	return arena_dup(a, mst_span_of(digest, sizeof digest));
}

static void
add_ext(X509 *c, int nid, const char *conf)
{
	X509V3_CTX ctx;
	X509_EXTENSION *x;

	X509V3_set_ctx(&ctx, c, c, NULL, NULL, 0);
	NEED((x = X509V3_EXT_nconf_nid(NULL, &ctx, nid, conf)) != NULL);
	NEED(X509_add_ext(c, x, -1) == 1);
	X509_EXTENSION_free(x);
}

X509 *
a_cert(const char *subject, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1000;
	X509 *c = X509_new();
	X509_NAME *n = a_name(subject);

	NEED(c != NULL && X509_set_version(c, X509_VERSION_3) == 1);
	NEED(ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial) == 1);
	NEED(X509_set_subject_name(c, n) == 1 && X509_set_pubkey(c, key) == 1);
	NEED(X509_set_issuer_name(c, issuer != NULL ? X509_get_subject_name(issuer) : n) == 1);
	NEED(X509_gmtime_adj(X509_getm_notBefore(c), -3600) != NULL);
	NEED(X509_gmtime_adj(X509_getm_notAfter(c), 86400L * 365) != NULL);
	if (issuer == NULL) {
		add_ext(c, NID_basic_constraints, "critical,CA:TRUE");
		add_ext(c, NID_key_usage, "critical,keyCertSign,cRLSign");
		add_ext(c, NID_subject_key_identifier, "hash");
	}
	NEED(X509_sign(c, issuer_key, EVP_sha256()) > 0);
	X509_NAME_free(n);
	return c;
}

static X509_EXTENSION *
make_extension(const struct csr_extension *e)
{
	ASN1_OBJECT *o = e->oid != NULL ? OBJ_txt2obj(e->oid, 1) : OBJ_nid2obj(e->nid);
	ASN1_OCTET_STRING *v;
	X509_EXTENSION *x;

	if (e->conf != NULL) {
		NEED((x = X509V3_EXT_nconf_nid(NULL, NULL, e->nid, e->conf)) != NULL);
		NEED(X509_EXTENSION_set_critical(x, e->critical) == 1);
		return x;
	}
	NEED(o != NULL && (v = ASN1_OCTET_STRING_new()) != NULL);
	NEED(ASN1_OCTET_STRING_set(v, e->bytes.ptr, (int)e->bytes.len) == 1);
	NEED((x = X509_EXTENSION_create_by_OBJ(NULL, o, e->critical, v)) != NULL);
	ASN1_OCTET_STRING_free(v);
	ASN1_OBJECT_free(o);
	return x;
}

static void
add_attribute(X509_REQ *r, const struct csr_attribute *t)
{
	X509_ATTRIBUTE *attr = X509_ATTRIBUTE_new();
	ASN1_OBJECT *o = OBJ_txt2obj(t->oid, 1);
	mst_span v = t->text != NULL ? mst_span_str(t->text) : t->bytes;
	int n = t->copies == 0 ? 1 : t->copies;

	NEED(attr != NULL && o != NULL && X509_ATTRIBUTE_set1_object(attr, o) == 1);
	for (int i = 0; i < n; i++)
		NEED(X509_ATTRIBUTE_set1_data(
		         attr, t->type != 0 ? t->type : V_ASN1_SEQUENCE, v.ptr, (int)v.len) == 1);
	NEED(X509_REQ_add1_attr(r, attr) == 1);
	X509_ATTRIBUTE_free(attr);
	ASN1_OBJECT_free(o);
}

static void
add_extensions(X509_REQ *r, const struct csr_spec *s)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	unsigned char *der = NULL;
	int n;

	for (int i = 0; i < s->exts; i++)
		NEED(sk_X509_EXTENSION_push(list, make_extension(&s->ext[i])) > 0);
	NEED((n = i2d_X509_EXTENSIONS(list, &der)) > 0);
	add_attribute(r, &(struct csr_attribute){
	                     .oid = s->extensions_oid != NULL ? s->extensions_oid : OID_EXTENSIONS,
	                     .bytes = mst_span_of(der, (size_t)n) });
	OPENSSL_free(der);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void
sign(X509_REQ *r, const struct csr_spec *s)
{
	EVP_PKEY *key = s->signer != NULL ? s->signer : s->key;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	bool plain = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;

	NEED(md != NULL && EVP_DigestSignInit(md, &ctx,
	                       plain           ? NULL
	                       : s->md == NULL ? EVP_sha256()
	                                       : s->md,
	                       NULL, key) == 1);
	if (s->pss)
		NEED(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1);
	NEED(X509_REQ_sign_ctx(r, md) > 0);
	EVP_MD_CTX_free(md);
}

mst_span
csr_make(struct arena *a, const struct csr_spec *s)
{
	X509_REQ *r = X509_REQ_new();
	X509_NAME *n = a_name(s->subject);
	unsigned char *der = NULL;
	mst_span out;
	int len;

	NEED(r != NULL && X509_REQ_set_version(r, s->version) == 1);
	NEED(X509_REQ_set_subject_name(r, n) == 1 && X509_REQ_set_pubkey(r, s->key) == 1);
	if (s->exts > 0)
		add_extensions(r, s);
	for (int i = 0; i < s->attrs; i++)
		add_attribute(r, &s->attr[i]);
	sign(r, s);
	NEED((len = i2d_X509_REQ(r, &der)) > 0);
	out = arena_dup(a, mst_span_of(der, (size_t)len));
	OPENSSL_free(der);
	X509_NAME_free(n);
	X509_REQ_free(r);
	return out;
}

void
csr_add_ext(struct csr_spec *s, int nid, const char *conf, int critical)
{
	s->ext[s->exts++] =
	    (struct csr_extension){ .nid = nid, .conf = conf, .critical = critical };
}

void
csr_add_attr(struct csr_spec *s, const char *oid, int type, const char *text)
{
	s->attr[s->attrs++] = (struct csr_attribute){ .oid = oid, .type = type, .text = text };
}

mst_span
csr_rsa(struct arena *a, const char *subject, int bits, unsigned long e)
{
	BIGNUM *n = BN_new(), *x = BN_new();
	X509_REQ *r = X509_REQ_new();
	X509_NAME *name = a_name(subject);
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	uint8_t nb[1100], eb[16];
	OSSL_PARAM p[3];
	unsigned char *der = NULL;
	mst_span out;
	int len;

	BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_set_word(x, e);
	if (e == 0) { /* 65 bits */
		BN_set_bit(x, 64);
		BN_add_word(x, 1);
	}
	BN_bn2nativepad(n, nb, (bits + 7) / 8);
	BN_bn2nativepad(x, eb, sizeof eb);
	p[0] = OSSL_PARAM_construct_BN("n", nb, (size_t)(bits + 7) / 8);
	p[1] = OSSL_PARAM_construct_BN("e", eb, sizeof eb);
	p[2] = OSSL_PARAM_construct_end();
	NEED(EVP_PKEY_fromdata_init(ctx) == 1);
	NEED(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, p) == 1);
	X509_REQ_set_subject_name(r, name);
	X509_REQ_set_pubkey(r, key);
	X509_REQ_sign(r, a_key("RSA-2048"), EVP_sha256());
	len = i2d_X509_REQ(r, &der);
	out = arena_dup(a, mst_span_of(der, (size_t)len));
	OPENSSL_free(der);
	X509_REQ_free(r);
	X509_NAME_free(name);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(x);
	return out;
}

mst_span
csr_nested(struct arena *a)
{
	uint8_t *deep = arena_alloc(a, 6000);
	size_t n = 0;

	for (size_t i = 1000; i > 0; i--) {
		size_t inner = 0;

		for (size_t k = 1; k < i; k++)
			inner += inner < 128 ? 2 : inner < 256 ? 3 : 4;
		deep[n++] = 0x30;
		if (inner >= 256)
			deep[n++] = 0x82, deep[n++] = (uint8_t)(inner >> 8);
		else if (inner >= 128)
			deep[n++] = 0x81;
		deep[n++] = (uint8_t)inner;
	}
	return mst_span_of(deep, n);
}

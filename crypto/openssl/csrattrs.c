/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/openssl/csrattrs.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#define OID_ID_LINKING "1.2.840.113549.1.9.16.2.58" /* RFC 7894 */
#define OID_TEMPLATE "1.2.840.113549.1.9.16.2.61" /* RFC 9908 3.4 */
#define OID_EXT_TEMPLATE "1.2.840.113549.1.9.16.2.62" /* RFC 9908 3.4 */
#define DER_MAX 16384u

static int
is_oid(const ASN1_OBJECT *obj, const char *oid)
{
	char text[80];

	return OBJ_obj2txt(text, sizeof(text), obj, 1) > 0 && strcmp(text, oid) == 0;
}

static mst_span
string_span(const ASN1_STRING *s)
{
	return mst_span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void
free_types(ASN1_SEQUENCE_ANY *list)
{
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}

/* The elements of a SEQUENCE or SET (type), which der is exactly; NULL when it is not. */
static ASN1_SEQUENCE_ANY *
elements(mst_span der, int type)
{
	const uint8_t *p = der.ptr;
	ASN1_SEQUENCE_ANY *list;

	if (der.ptr == NULL || der.len > DER_MAX)
		return NULL;
	list = type == V_ASN1_SET ? d2i_ASN1_SET_ANY(NULL, &p, (long)der.len)
	                          : d2i_ASN1_SEQUENCE_ANY(NULL, &p, (long)der.len);
	if (list != NULL && p != der.ptr + der.len) {
		free_types(list);
		return NULL;
	}
	return list;
}

static ASN1_SEQUENCE_ANY *
elements_of(const ASN1_TYPE *t, int type)
{
	if (t->type != type)
		return NULL;
	return elements(string_span(t->value.asn1_string), type);
}

static mst_err
want_curve(struct csrattrs *w, const ASN1_OBJECT *curve)
{
	w->curve = OBJ_obj2nid(curve);
	if (w->curve != NID_X9_62_prime256v1 && w->curve != NID_secp384r1 &&
	    w->curve != NID_secp521r1)
		return MST_E_PLEDGE_CSRATTRS;
	return MST_OK;
}

static mst_err
want_rsa(struct csrattrs *w, long bits)
{
	if (bits < 2048 || bits > 4096) /* CMS-5 and C2 */
		return MST_E_PLEDGE_CSRATTRS;
	w->rsa_bits = bits;
	return MST_OK;
}

/* K3: one attribute names the key; an empty SET means any of that type. */
static mst_err
read_key(struct csrattrs *w, int nid, X509_ATTRIBUTE *attr)
{
	const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attr, 0);

	if (w->key != NID_undef || X509_ATTRIBUTE_count(attr) > 1)
		return MST_E_PLEDGE_CSRATTRS;
	w->key = nid;
	if (X509_ATTRIBUTE_count(attr) == 0)
		return MST_OK;
	if (nid == NID_X9_62_id_ecPublicKey && value->type == V_ASN1_OBJECT)
		return want_curve(w, value->value.object);
	if (nid == NID_rsaEncryption && value->type == V_ASN1_INTEGER)
		return want_rsa(w, ASN1_INTEGER_get(value->value.integer));
	return MST_E_PLEDGE_CSRATTRS;
}

/* RFC 9908 3.2: each extnID once. */
static mst_err
judge_extensions(const STACK_OF(X509_EXTENSION) *list)
{
	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++)
		for (int j = 0; j < i; j++)
			if (OBJ_cmp(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, i)),
			        X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, j))) == 0)
				return MST_E_PLEDGE_CSRATTRS;
	return MST_OK;
}

/* K4; and K5: a bare OID in the SET is the wrong example of RFC 7030 and means nothing. */
static mst_err
read_extensions(struct csrattrs *w, X509_ATTRIBUTE *attr)
{
	const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attr, 0);
	const uint8_t *p;
	mst_span der;

	if (w->extensions != NULL || w->fill != NULL || X509_ATTRIBUTE_count(attr) != 1)
		return MST_E_PLEDGE_CSRATTRS;
	if (value->type == V_ASN1_OBJECT && w->template == 0)
		return MST_OK;
	if (value->type != V_ASN1_SEQUENCE)
		return MST_E_PLEDGE_CSRATTRS;
	der = string_span(value->value.sequence);
	p = der.ptr;
	w->extensions = d2i_X509_EXTENSIONS(NULL, &p, (long)der.len);
	if (w->extensions == NULL || p != der.ptr + der.len)
		return MST_E_PLEDGE_CSRATTRS;
	return judge_extensions(w->extensions);
}

/* ExtensionTemplate ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING
 * OPTIONAL } */
static mst_err
read_extension_template(struct csrattrs *w, const ASN1_TYPE *item)
{
	ASN1_SEQUENCE_ANY *parts = elements_of(item, V_ASN1_SEQUENCE);
	int n = parts == NULL ? 0 : sk_ASN1_TYPE_num(parts), at = 1, critical = 0;
	mst_err e = MST_E_PLEDGE_CSRATTRS;
	ASN1_OBJECT *oid;
	X509_EXTENSION *ext;

	if (n == 0 || sk_ASN1_TYPE_value(parts, 0)->type != V_ASN1_OBJECT)
		goto out;
	oid = sk_ASN1_TYPE_value(parts, 0)->value.object;
	if (at < n && sk_ASN1_TYPE_value(parts, at)->type == V_ASN1_BOOLEAN)
		critical = sk_ASN1_TYPE_value(parts, at++)->value.boolean != 0;
	if (at == n) {
		oid = OBJ_dup(oid);
		e = oid != NULL && sk_ASN1_OBJECT_push(w->fill, oid) > 0 ? MST_OK : MST_E_NOMEM;
		goto out;
	}
	if (at + 1 != n || sk_ASN1_TYPE_value(parts, at)->type != V_ASN1_OCTET_STRING)
		goto out;
	ext = X509_EXTENSION_create_by_OBJ(
	    NULL, oid, critical, sk_ASN1_TYPE_value(parts, at)->value.octet_string);
	e = ext != NULL && sk_X509_EXTENSION_push(w->extensions, ext) > 0 ? MST_OK : MST_E_NOMEM;
	if (e != MST_OK)
		X509_EXTENSION_free(ext);
out:
	free_types(parts);
	return e;
}

static mst_err
read_extension_templates(struct csrattrs *w, X509_ATTRIBUTE *attr)
{
	ASN1_SEQUENCE_ANY *list = NULL;
	mst_err e = MST_E_PLEDGE_CSRATTRS;

	/* K6: not with id-ExtensionReq, not twice */
	if (w->extensions != NULL || w->fill != NULL || X509_ATTRIBUTE_count(attr) != 1)
		return e;
	w->extensions = sk_X509_EXTENSION_new_null();
	w->fill = sk_ASN1_OBJECT_new_null();
	if (w->extensions == NULL || w->fill == NULL)
		return MST_E_NOMEM;
	list = elements_of(X509_ATTRIBUTE_get0_type(attr, 0), V_ASN1_SEQUENCE);
	if (list == NULL)
		return e;
	e = MST_OK;
	for (int i = 0; e == MST_OK && i < sk_ASN1_TYPE_num(list); i++)
		e = read_extension_template(w, sk_ASN1_TYPE_value(list, i));
	free_types(list);
	return e == MST_OK ? judge_extensions(w->extensions) : e;
}

/* One attribute of the old form, or of a template's attributes. */
static mst_err
read_attribute(struct csrattrs *w, X509_ATTRIBUTE *attr)
{
	const ASN1_OBJECT *oid = X509_ATTRIBUTE_get0_object(attr);
	int nid = OBJ_obj2nid(oid);

	if (nid == NID_ext_req)
		return read_extensions(w, attr);
	if (w->template != 0) {
		if (is_oid(oid, OID_EXT_TEMPLATE))
			return read_extension_templates(w, attr);
		w->binding = w->binding || nid == NID_pkcs9_challengePassword;
		w->linking = w->linking || is_oid(oid, OID_ID_LINKING);
		return MST_OK;
	}
	if (nid == NID_X9_62_id_ecPublicKey || nid == NID_rsaEncryption)
		return read_key(w, nid, attr);
	return MST_OK; /* K1 */
}

/* K2 */
static void
read_oid(struct csrattrs *w, const ASN1_OBJECT *oid)
{
	int nid = OBJ_obj2nid(oid), digest = NID_undef, key = NID_undef;

	if (nid == NID_pkcs9_challengePassword)
		w->binding = 1;
	else if (is_oid(oid, OID_ID_LINKING))
		w->linking = 1;
	else if (OBJ_find_sigid_algs(nid, &digest, &key) == 1)
		w->digest = digest;
}

/* One SET OF SEQUENCE { type OID, value ANY OPTIONAL }. */
static mst_err
read_rdn(struct csrattrs *w, const ASN1_TYPE *rdn)
{
	ASN1_SEQUENCE_ANY *set = elements_of(rdn, V_ASN1_SET), *pair;
	mst_err e = set == NULL ? MST_E_PLEDGE_CSRATTRS : MST_OK;

	for (int i = 0; e == MST_OK && i < sk_ASN1_TYPE_num(set); i++) {
		const ASN1_TYPE *value = NULL;
		int n, ok = 0;

		pair = elements_of(sk_ASN1_TYPE_value(set, i), V_ASN1_SEQUENCE);
		n = pair == NULL ? 0 : sk_ASN1_TYPE_num(pair);
		if (n == 2)
			value = sk_ASN1_TYPE_value(pair, 1);
		if ((n == 1 || n == 2) && sk_ASN1_TYPE_value(pair, 0)->type == V_ASN1_OBJECT &&
		    (value == NULL || (ASN1_tag2bit(value->type) & (B_ASN1_DIRECTORYSTRING)) != 0 ||
		        value->type == V_ASN1_IA5STRING))
			ok = X509_NAME_add_entry_by_OBJ(w->subject,
			    sk_ASN1_TYPE_value(pair, 0)->value.object,
			    value == NULL ? V_ASN1_UTF8STRING : value->type,
			    value == NULL ? (const uint8_t *)""
			                  : ASN1_STRING_get0_data(value->value.asn1_string),
			    value == NULL ? 0 : ASN1_STRING_length(value->value.asn1_string), -1,
			    i == 0 ? 0 : -1);
		if (ok != 1)
			e = MST_E_PLEDGE_CSRATTRS;
		free_types(pair);
	}
	free_types(set);
	return e;
}

static mst_err
read_subject(struct csrattrs *w, const ASN1_TYPE *subject)
{
	ASN1_SEQUENCE_ANY *rdns = elements_of(subject, V_ASN1_SEQUENCE);
	mst_err e = rdns == NULL ? MST_E_PLEDGE_CSRATTRS : MST_OK;

	w->subject = X509_NAME_new();
	if (w->subject == NULL)
		e = MST_E_NOMEM;
	for (int i = 0; e == MST_OK && i < sk_ASN1_TYPE_num(rdns); i++)
		e = read_rdn(w, sk_ASN1_TYPE_value(rdns, i));
	free_types(rdns);
	return e;
}

/* The content of a context-specific, constructed element; absent when it is not number. */
static mst_span
tagged(const ASN1_TYPE *t, int number)
{
	mst_span der;
	const uint8_t *p;
	int tag, class;
	long len;

	if (t->type != V_ASN1_OTHER)
		return MST_NONE;
	der = string_span(t->value.asn1_string);
	p = der.ptr;
	if ((ASN1_get_object(&p, &len, &tag, &class, (long)der.len) & 0x80) != 0 || tag != number ||
	    class != V_ASN1_CONTEXT_SPECIFIC)
		return MST_NONE;
	return mst_span_of(p, (size_t)len);
}

/* The size of the placeholder key, which stands for no key at all (RFC 9908 3.4). */
static mst_err
read_placeholder(struct csrattrs *w, mst_span rest)
{
	const uint8_t *p = rest.ptr, *q;
	ASN1_BIT_STRING *bits;
	EVP_PKEY *key = NULL;
	mst_err e = MST_E_PLEDGE_CSRATTRS;

	if (rest.len == 0)
		return MST_OK;
	bits = d2i_ASN1_BIT_STRING(NULL, &p, (long)rest.len);
	if (bits != NULL && p == rest.ptr + rest.len && w->key == NID_rsaEncryption) {
		q = ASN1_STRING_get0_data(bits);
		key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &q, ASN1_STRING_length(bits));
		if (key != NULL)
			e = want_rsa(w, EVP_PKEY_get_bits(key));
	}
	EVP_PKEY_free(key);
	ASN1_BIT_STRING_free(bits);
	return e;
}

/* [0] IMPLICIT SEQUENCE { AlgorithmIdentifier, BIT STRING OPTIONAL } */
static mst_err
read_key_template(struct csrattrs *w, mst_span content)
{
	const uint8_t *p = content.ptr;
	X509_ALGOR *alg = d2i_X509_ALGOR(NULL, &p, (long)content.len);
	const ASN1_OBJECT *oid;
	const void *value;
	mst_err e = MST_E_PLEDGE_CSRATTRS;
	int type;

	if (alg == NULL)
		return e;
	X509_ALGOR_get0(&oid, &type, &value, alg);
	w->key = OBJ_obj2nid(oid);
	if (w->key == NID_X9_62_id_ecPublicKey)
		e = type == V_ASN1_OBJECT  ? want_curve(w, value)
		    : type == V_ASN1_UNDEF ? MST_OK
		                           : MST_E_PLEDGE_CSRATTRS;
	else if (w->key == NID_rsaEncryption)
		e = MST_OK;
	X509_ALGOR_free(alg);
	if (e == MST_OK)
		e = read_placeholder(w, mst_span_of(p, (size_t)(content.ptr + content.len - p)));
	return e;
}

/* [1] IMPLICIT SET OF Attribute */
static mst_err
read_attribute_templates(struct csrattrs *w, mst_span content)
{
	const uint8_t *p = content.ptr, *end = content.ptr + content.len;
	mst_err e = MST_OK;

	while (e == MST_OK && p < end) {
		X509_ATTRIBUTE *attr = d2i_X509_ATTRIBUTE(NULL, &p, (long)(end - p));

		e = attr == NULL ? MST_E_PLEDGE_CSRATTRS : read_attribute(w, attr);
		X509_ATTRIBUTE_free(attr);
	}
	return e;
}

/* K6 */
static mst_err
read_template(struct csrattrs *w, X509_ATTRIBUTE *attr)
{
	ASN1_SEQUENCE_ANY *parts = NULL;
	mst_err e = MST_E_PLEDGE_CSRATTRS;
	const ASN1_TYPE *t;
	mst_span content;
	int n, at = 1;

	if (w->template != 0 || X509_ATTRIBUTE_count(attr) != 1)
		return e;
	w->template = 1;
	parts = elements_of(X509_ATTRIBUTE_get0_type(attr, 0), V_ASN1_SEQUENCE);
	n = parts == NULL ? 0 : sk_ASN1_TYPE_num(parts);
	if (n == 0)
		goto out;
	t = sk_ASN1_TYPE_value(parts, 0);
	if (t->type != V_ASN1_INTEGER || ASN1_INTEGER_get(t->value.integer) != 0)
		goto out;
	e = MST_OK;
	if (at < n && sk_ASN1_TYPE_value(parts, at)->type == V_ASN1_SEQUENCE)
		e = read_subject(w, sk_ASN1_TYPE_value(parts, at++));
	if (e == MST_OK && at < n &&
	    (content = tagged(sk_ASN1_TYPE_value(parts, at), 0)).ptr != NULL) {
		e = read_key_template(w, content);
		at++;
	}
	if (e == MST_OK && at < n &&
	    (content = tagged(sk_ASN1_TYPE_value(parts, at), 1)).ptr != NULL) {
		e = read_attribute_templates(w, content);
		at++;
	}
	if (e == MST_OK && at != n)
		e = MST_E_PLEDGE_CSRATTRS;
out:
	free_types(parts);
	return e;
}

static X509_ATTRIBUTE *
to_attribute(const ASN1_TYPE *t)
{
	mst_span der;
	const uint8_t *p;
	X509_ATTRIBUTE *attr;

	if (t->type != V_ASN1_SEQUENCE)
		return NULL;
	der = string_span(t->value.sequence);
	p = der.ptr;
	attr = d2i_X509_ATTRIBUTE(NULL, &p, (long)der.len);
	if (attr != NULL && p != der.ptr + der.len) {
		X509_ATTRIBUTE_free(attr);
		return NULL;
	}
	return attr;
}

enum pass { FIND_TEMPLATE, READ_OLD_FORM };

static mst_err
read_items(struct csrattrs *w, const ASN1_SEQUENCE_ANY *items, enum pass pass)
{
	mst_err e = MST_OK;

	for (int i = 0; e == MST_OK && i < sk_ASN1_TYPE_num(items); i++) {
		const ASN1_TYPE *t = sk_ASN1_TYPE_value(items, i);
		X509_ATTRIBUTE *attr;

		if (t->type == V_ASN1_OBJECT) {
			if (pass == READ_OLD_FORM)
				read_oid(w, t->value.object);
			continue;
		}
		attr = to_attribute(t);
		if (attr == NULL)
			return MST_E_PLEDGE_CSRATTRS;
		if (pass == READ_OLD_FORM)
			e = read_attribute(w, attr);
		else if (is_oid(X509_ATTRIBUTE_get0_object(attr), OID_TEMPLATE))
			e = read_template(w, attr);
		X509_ATTRIBUTE_free(attr);
	}
	return e;
}

mst_err
csrattrs_parse(mst_span der, struct csrattrs *out)
{
	struct csrattrs w = { .key = NID_undef, .curve = NID_undef, .digest = NID_undef };
	ASN1_SEQUENCE_ANY *items = elements(der, V_ASN1_SEQUENCE);
	mst_err e = MST_E_PLEDGE_CSRATTRS;

	if (items != NULL)
		e = read_items(&w, items, FIND_TEMPLATE);
	/* K7: with a template, everything beside it is ignored */
	if (e == MST_OK && w.template == 0)
		e = read_items(&w, items, READ_OLD_FORM);
	free_types(items);
	ERR_clear_error();
	if (e != MST_OK)
		csrattrs_wipe(&w);
	else
		*out = w;
	return e;
}

void
csrattrs_wipe(struct csrattrs *w)
{
	X509_NAME_free(w->subject);
	sk_X509_EXTENSION_pop_free(w->extensions, X509_EXTENSION_free);
	sk_ASN1_OBJECT_pop_free(w->fill, ASN1_OBJECT_free);
	*w = (struct csrattrs){ 0 };
}

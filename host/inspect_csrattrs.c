/* SPDX-License-Identifier: Apache-2.0 */
/* What an EST server asks of a CSR: CsrAttrs of RFC 7030 4.5.2, RFC 8951 4 and RFC 9908. */
#include "host/inspect_impl.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define OID_TEMPLATE "1.2.840.113549.1.9.16.2.61" /* RFC 9908 3.4 */
#define OID_EXT_TEMPLATE "1.2.840.113549.1.9.16.2.62"
#define DER_MAX 16384u

struct walk {
	struct report *r;
	int extension_requests, templates, others;
};

static void
free_types(ASN1_SEQUENCE_ANY *list)
{
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}

/* The elements of a SEQUENCE or SET that der is exactly; NULL when it is not. */
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

static mst_span
bytes_of(const ASN1_TYPE *t)
{
	return mst_span_of(ASN1_STRING_get0_data(t->value.asn1_string),
	    (size_t)ASN1_STRING_length(t->value.asn1_string));
}

static const char *
oid_text(struct arena *a, const ASN1_OBJECT *oid)
{
	char text[80];
	int nid = OBJ_obj2nid(oid);

	if (OBJ_obj2txt(text, sizeof text, oid, 1) <= 0)
		return "";
	if (strcmp(text, OID_TEMPLATE) == 0)
		return "certificationRequestInfoTemplate";
	if (strcmp(text, OID_EXT_TEMPLATE) == 0)
		return "extensionReqTemplate";
	return arena_printf(a, "%s%s%s%s", nid != NID_undef ? OBJ_nid2sn(nid) : "",
	    nid != NID_undef ? " (" : "", text, nid != NID_undef ? ")" : "");
}

static const char *
extension_names(struct arena *a, mst_span der)
{
	const uint8_t *p = der.ptr;
	STACK_OF(X509_EXTENSION) *list = d2i_X509_EXTENSIONS(NULL, &p, (long)der.len);
	const char *names = "";

	for (int i = 0; list != NULL && i < sk_X509_EXTENSION_num(list) && names != NULL; i++)
		names = arena_printf(a, "%s%s%s", names, i > 0 ? ", " : "",
		    oid_text(a, X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, i))));
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return names;
}

/* One value of an attribute, as far as it is known how to read it. */
static const char *
value_text(struct arena *a, int nid, const ASN1_TYPE *value)
{
	switch (value->type) {
	case V_ASN1_OBJECT: return oid_text(a, value->value.object);
	case V_ASN1_INTEGER: return arena_printf(a, "%ld", ASN1_INTEGER_get(value->value.integer));
	case V_ASN1_SEQUENCE:
		if (nid == NID_ext_req)
			return extension_names(a, bytes_of(value));
		return arena_printf(a, "%zu bytes", bytes_of(value).len);
	case V_ASN1_NULL: return "NULL";
	case V_ASN1_BOOLEAN: return value->value.boolean != 0 ? "TRUE" : "FALSE";
	default: return arena_printf(a, "%s", text_hex(a, bytes_of(value)));
	}
}

static const char *
meaning(const char *name, int nid)
{
	switch (nid) {
	case NID_pkcs9_challengePassword:
		return "the CSR shall carry the TLS connection's binding (proof of possession)";
	case NID_ext_req: return "extensions that the CSR shall ask for";
	case NID_X9_62_id_ecPublicKey: return "an EC key; on this curve, if one is named";
	case NID_rsaEncryption: return "an RSA key; of this size, if one is named";
	default: break;
	}
	if (strcmp(name, "certificationRequestInfoTemplate") == 0)
		return "the CSR shall look like this; it outweighs the other attributes";
	if (strcmp(name, "extensionReqTemplate") == 0)
		return "extensions that the CSR shall fill in";
	return "wanted in the CSR, or a hint at algorithms";
}

static void
say(struct walk *w, const ASN1_OBJECT *oid, const char *values)
{
	const char *name = oid_text(w->r->a, oid);
	int nid = OBJ_obj2nid(oid);
	bool template = strncmp(name, "certificationRequestInfoTemplate", 32) == 0;

	w->extension_requests += nid == NID_ext_req;
	w->templates += template;
	w->others += !template;
	report_text(w->r, name, values[0] != '\0' ? values : "wanted",
	    template || strcmp(name, "extensionReqTemplate") == 0 ? "RFC 9908 3.4" : "RFC 8951 4",
	    meaning(name, nid));
}

/* Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET } */
static bool
attribute(struct walk *w, mst_span der)
{
	ASN1_SEQUENCE_ANY *pair = elements(der, V_ASN1_SEQUENCE), *set = NULL;
	const ASN1_TYPE *type, *values;
	const char *text = "";
	bool good = false;

	if (pair == NULL || sk_ASN1_TYPE_num(pair) != 2)
		goto out;
	type = sk_ASN1_TYPE_value(pair, 0);
	values = sk_ASN1_TYPE_value(pair, 1);
	if (type->type != V_ASN1_OBJECT || values->type != V_ASN1_SET ||
	    (set = elements(bytes_of(values), V_ASN1_SET)) == NULL)
		goto out;
	for (int i = 0; i < sk_ASN1_TYPE_num(set) && text != NULL; i++)
		text = arena_printf(w->r->a, "%s%s%s", text, i > 0 ? "; " : "",
		    value_text(
		        w->r->a, OBJ_obj2nid(type->value.object), sk_ASN1_TYPE_value(set, i)));
	say(w, type->value.object, text != NULL ? text : "");
	good = true;
out:
	free_types(set);
	free_types(pair);
	return good;
}

mst_err
inspect_csrattrs(struct report *r, mst_span der)
{
	ASN1_SEQUENCE_ANY *list = elements(der, V_ASN1_SEQUENCE);
	struct walk w = { .r = r };
	bool good = list != NULL;

	for (int i = 0; good && i < sk_ASN1_TYPE_num(list); i++) {
		const ASN1_TYPE *t = sk_ASN1_TYPE_value(list, i);

		if (t->type == V_ASN1_OBJECT)
			say(&w, t->value.object, "");
		else
			good = t->type == V_ASN1_SEQUENCE && attribute(&w, bytes_of(t));
	}
	free_types(list);
	ERR_clear_error();
	if (!good)
		return MST_E_CONTENT_UNKNOWN;
	if (w.templates + w.others == 0)
		report_text(r, "attributes", "none", "RFC 7030 4.5.2", "the CSR may be anything");
	report_check(r, "data-model", OUTCOME_OK, MST_OK, "RFC 8951 4", "as it should be");
	report_check(r, "extension-request", w.extension_requests > 1 ? OUTCOME_WARN : OUTCOME_OK,
	    w.extension_requests > 1 ? MST_E_PLEDGE_CSRATTRS : MST_OK, "RFC 9908 3.2",
	    w.extension_requests > 1 ? "more than one id-ExtensionReq" : "at most one");
	return MST_OK;
}

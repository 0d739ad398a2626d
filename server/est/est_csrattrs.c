/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CsrAttrs, est.md section 10: the template of RFC 9908 3.4 and, for clients
 * that do not know it, loose OIDs and attributes. A client that knows the
 * template ignores all else (K7), so both may stand in one answer.
 */
#include <openssl/asn1t.h>

#include "server/est/csr_room.h"

/*
 * CertificationRequestInfoTemplate, IMPLICIT TAGS. subjectPKInfo [0] is left
 * out: any key of C2 will do. Every RDN of ours has its value, so NameTemplate
 * is Name.
 */
typedef struct {
	ASN1_INTEGER *version;
	X509_NAME *subject;
	STACK_OF(X509_ATTRIBUTE) *attributes;
} EST_TEMPLATE;

/* clang-format off */
ASN1_SEQUENCE(EST_TEMPLATE) = {
	ASN1_SIMPLE(EST_TEMPLATE, version, ASN1_INTEGER),
	ASN1_OPT(EST_TEMPLATE, subject, X509_NAME),
	ASN1_IMP_SET_OF(EST_TEMPLATE, attributes, X509_ATTRIBUTE, 1)
} static_ASN1_SEQUENCE_END(EST_TEMPLATE)
    /* clang-format on */

    struct building {
	mst_span subject, san; /* absent: no device is known; no SAN */
	bool binding;
};

static ASN1_OBJECT *
object(const char *oid)
{
	return OBJ_txt2obj(oid, 1);
}

/* AttrOrOID, the OID. */
static bool
push_oid(ASN1_SEQUENCE_ANY *to, const char *oid)
{
	ASN1_TYPE *t = ASN1_TYPE_new();
	ASN1_OBJECT *o = object(oid);

	if (t == NULL || o == NULL) {
		ASN1_TYPE_free(t);
		ASN1_OBJECT_free(o);
		return false;
	}
	ASN1_TYPE_set(t, V_ASN1_OBJECT, o);
	if (sk_ASN1_TYPE_push(to, t) > 0)
		return true;
	ASN1_TYPE_free(t);
	return false;
}

/* AttrOrOID, the attribute. */
static bool
push_attribute(ASN1_SEQUENCE_ANY *to, X509_ATTRIBUTE *attr)
{
	ASN1_TYPE *t = NULL;

	if (attr != NULL &&
	    ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(X509_ATTRIBUTE), attr, &t) != NULL &&
	    sk_ASN1_TYPE_push(to, t) > 0)
		return true;
	ASN1_TYPE_free(t);
	return false;
}

static X509_ATTRIBUTE *
attribute(const char *oid, const unsigned char *der, int len)
{
	X509_ATTRIBUTE *attr = X509_ATTRIBUTE_new();
	ASN1_OBJECT *o = object(oid);
	bool ok = attr != NULL && o != NULL && X509_ATTRIBUTE_set1_object(attr, o) == 1;

	if (ok && der != NULL)
		ok = X509_ATTRIBUTE_set1_data(attr, V_ASN1_SEQUENCE, der, len) == 1;
	ASN1_OBJECT_free(o);
	if (ok)
		return attr;
	X509_ATTRIBUTE_free(attr);
	return NULL;
}

/* K4: one extensionRequest with the one extension that policy gives. */
static X509_ATTRIBUTE *
extension_request(mst_span san)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *x = NULL;
	X509_ATTRIBUTE *attr = NULL;
	unsigned char *der = NULL;
	int n;

	if (list != NULL && value != NULL &&
	    ASN1_OCTET_STRING_set(value, san.ptr, (int)san.len) == 1 &&
	    (x = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value)) != NULL &&
	    sk_X509_EXTENSION_push(list, x) > 0) {
		x = NULL;
		n = i2d_X509_EXTENSIONS(list, &der);
		if (n > 0)
			attr = attribute(CSR_OID_EXTENSIONS, der, n);
	}
	OPENSSL_free(der);
	X509_EXTENSION_free(x);
	ASN1_OCTET_STRING_free(value);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return attr;
}

static bool
template_push(EST_TEMPLATE *t, X509_ATTRIBUTE *attr)
{
	if (attr != NULL && sk_X509_ATTRIBUTE_push(t->attributes, attr) > 0)
		return true;
	X509_ATTRIBUTE_free(attr);
	return false;
}

/* K6. A challengePassword without value: the client fills it (with the binding, section 8). */
static bool
push_template(const struct building *b, ASN1_SEQUENCE_ANY *to)
{
	EST_TEMPLATE *t = (EST_TEMPLATE *)ASN1_item_new(ASN1_ITEM_rptr(EST_TEMPLATE));
	const unsigned char *p = b->subject.ptr;
	unsigned char *der = NULL;
	X509_ATTRIBUTE *attr = NULL;
	bool ok = t != NULL && ASN1_INTEGER_set(t->version, 0) == 1;
	int n;

	if (ok && b->subject.ptr != NULL)
		ok = (t->subject = d2i_X509_NAME(NULL, &p, (long)b->subject.len)) != NULL;
	if (ok && b->san.ptr != NULL)
		ok = template_push(t, extension_request(b->san));
	if (ok && b->binding)
		ok = template_push(t, attribute(CSR_OID_CHALLENGE, NULL, 0));
	if (ok) {
		n = ASN1_item_i2d((ASN1_VALUE *)t, &der, ASN1_ITEM_rptr(EST_TEMPLATE));
		if (n > 0)
			attr = attribute(CSR_OID_TEMPLATE, der, n);
		ok = push_attribute(to, attr);
	}
	X509_ATTRIBUTE_free(attr);
	OPENSSL_free(der);
	ASN1_item_free((ASN1_VALUE *)t, ASN1_ITEM_rptr(EST_TEMPLATE));
	return ok;
}

/* K2 to K5. */
static bool
push_old(const struct building *b, ASN1_SEQUENCE_ANY *to)
{
	X509_ATTRIBUTE *attr = NULL;
	bool ok = true;

	if (b->binding) /* RFC 7894 3: both may be listed */
		ok = push_oid(to, CSR_OID_LINKING) && push_oid(to, CSR_OID_CHALLENGE);
	if (ok && b->subject.ptr != NULL)
		ok = push_oid(to, "2.5.4.5"); /* serialNumber, in the subject */
	if (ok && b->san.ptr != NULL) {
		attr = extension_request(b->san);
		ok = push_attribute(to, attr);
		X509_ATTRIBUTE_free(attr);
	}
	return ok;
}

mst_err
est_csrattrs_build(struct arena *a, const struct est_profile *p, enum est_csrattrs form,
    mst_span serial, int64_t twin, bool binding_required, mst_span *der)
{
	struct building b = { .binding = binding_required };
	ASN1_SEQUENCE_ANY *list;
	unsigned char *out = NULL;
	mst_err e = MST_OK;
	bool ok;
	int n;

	if (serial.ptr != NULL &&
	    ((e = est_policy_subject(a, p, serial, twin, &b.subject)) != MST_OK ||
	        (e = est_policy_san(a, p, serial, twin, &b.san)) != MST_OK))
		return e;
	if (serial.ptr == NULL && !binding_required) {
		*der = MST_NONE;
		return MST_OK;
	}
	if ((list = sk_ASN1_TYPE_new_null()) == NULL)
		return MST_E_NOMEM;
	ok = (form == EST_CSRATTRS_OLD || push_template(&b, list)) &&
	     (form == EST_CSRATTRS_TEMPLATE || push_old(&b, list));
	n = ok ? i2d_ASN1_SEQUENCE_ANY(list, &out) : -1;
	e = csr_keep(a, out, n, der);
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The LDevID's key, its CSR as csrattrs asks for it, and the answer: RFC 7030 4.2, RFC 9908. */
#include "crypto/openssl/impl.h"

#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "crypto/openssl/csrattrs.h"
#include "muster/base64.h"

#define OID_ID_LINKING "1.2.840.113549.1.9.16.2.58"
#define WORK_MAX (1u << 20)
#define RSA_BITS 2048

static EVP_PKEY *
make_key(const struct csrattrs *w)
{
	if (w->key == NID_rsaEncryption)
		return EVP_RSA_gen(w->rsa_bits == 0 ? RSA_BITS : (unsigned)w->rsa_bits);
	return EVP_EC_gen(w->curve == NID_undef ? SN_X9_62_prime256v1 : OBJ_nid2sn(w->curve));
}

/* The digest that was asked for, else the one that goes with the key's size. */
static const EVP_MD *
digest_for(const struct csrattrs *w, EVP_PKEY *key)
{
	switch (w->digest) {
	case NID_sha256: return EVP_sha256();
	case NID_sha384: return EVP_sha384();
	case NID_sha512: return EVP_sha512();
	default: break;
	}
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || EVP_PKEY_get_bits(key) <= 256)
		return EVP_sha256();
	return EVP_PKEY_get_bits(key) <= 384 ? EVP_sha384() : EVP_sha512();
}

/*
 * The entry of the certificate's subject that fills a demanded one; a common
 * name may be filled with the serial number, which every IDevID has.
 */
static const ASN1_STRING *
filling(const ASN1_OBJECT *type, X509 *from)
{
	const X509_NAME *name = X509_get_subject_name(from);
	int at = X509_NAME_get_index_by_OBJ(name, type, -1);

	if (at < 0 && OBJ_obj2nid(type) == NID_commonName)
		at = X509_NAME_get_index_by_NID(name, NID_serialNumber, -1);
	return at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
}

/* Entries changed in place do not tell their name: only one built anew is encoded anew. */
static mst_err
set_rebuilt_subject(X509_REQ *req, const X509_NAME *name)
{
	X509_NAME *fresh = X509_NAME_new();
	int ok = fresh != NULL, set = -1;

	for (int i = 0; ok == 1 && i < X509_NAME_entry_count(name); i++) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		int same = i > 0 && X509_NAME_ENTRY_set(entry) == set;

		set = X509_NAME_ENTRY_set(entry);
		ok = X509_NAME_add_entry(fresh, entry, -1, same ? -1 : 0);
	}
	ok = ok == 1 && X509_REQ_set_subject_name(req, fresh) == 1;
	X509_NAME_free(fresh);
	return ok ? MST_OK : MST_E_NOMEM;
}

/* K6: a value that stands there is used, one that does not is ours to fill. */
static mst_err
set_subject(X509_REQ *req, const struct csrattrs *w, X509 *from, bool renew)
{
	X509_NAME *name;
	mst_err e = MST_OK;

	/* RFC 7030 4.2.2: at renewal the subject stays what it was */
	if (renew || w->subject == NULL)
		return X509_REQ_set_subject_name(req, X509_get_subject_name(from)) == 1
		           ? MST_OK
		           : MST_E_NOMEM;
	name = X509_NAME_dup(w->subject);
	if (name == NULL)
		return MST_E_NOMEM;
	for (int i = 0; e == MST_OK && i < X509_NAME_entry_count(name); i++) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		const ASN1_STRING *value;

		if (ASN1_STRING_length(X509_NAME_ENTRY_get_data(entry)) != 0)
			continue;
		value = filling(X509_NAME_ENTRY_get_object(entry), from);
		if (value == NULL ||
		    X509_NAME_ENTRY_set_data(entry, ASN1_STRING_type(value),
		        ASN1_STRING_get0_data(value), ASN1_STRING_length(value)) != 1)
			e = MST_E_PLEDGE_CSRATTRS;
	}
	if (e == MST_OK)
		e = set_rebuilt_subject(req, name);
	X509_NAME_free(name);
	return e;
}

/* A subjectAltName with a name left for the client: an address or a directory name we do not know.
 */
static int
has_empty_name(X509_EXTENSION *san)
{
	GENERAL_NAMES *names = X509V3_EXT_d2i(san);
	int empty = names == NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == GEN_IPADD)
			empty = empty || ASN1_STRING_length(n->d.iPAddress) == 0;
		else if (n->type == GEN_DIRNAME)
			empty = empty || X509_NAME_entry_count(n->d.directoryName) == 0;
		else if (n->type == GEN_DNS || n->type == GEN_EMAIL || n->type == GEN_URI)
			empty = empty || ASN1_STRING_length(n->d.ia5) == 0;
	}
	GENERAL_NAMES_free(names);
	return empty;
}

static X509_EXTENSION *
copy_extension(X509 *from, int nid)
{
	int at = X509_get_ext_by_NID(from, nid, -1);

	return at < 0 ? NULL : X509_EXTENSION_dup(X509_get_ext(from, at));
}

/* What a device puts where only the extension's name was given. */
static X509_EXTENSION *
fill_extension(int nid, X509 *from)
{
	switch (nid) {
	case NID_key_usage:
		return X509V3_EXT_conf_nid(NULL, NULL, nid, "critical,digitalSignature");
	case NID_ext_key_usage: return X509V3_EXT_conf_nid(NULL, NULL, nid, "clientAuth");
	case NID_subject_alt_name: return copy_extension(from, nid);
	default: return NULL;
	}
}

static mst_err
push(STACK_OF(X509_EXTENSION) *list, X509_EXTENSION *ext)
{
	if (ext != NULL && sk_X509_EXTENSION_push(list, ext) > 0)
		return MST_OK;
	X509_EXTENSION_free(ext);
	return ext == NULL ? MST_E_PLEDGE_CSRATTRS : MST_E_NOMEM;
}

static mst_err
collect_extensions(const struct csrattrs *w, X509 *from, bool renew, STACK_OF(X509_EXTENSION) *list)
{
	mst_err e = MST_OK;

	for (int i = 0; e == MST_OK && i < sk_X509_EXTENSION_num(w->extensions); i++) {
		X509_EXTENSION *ext = sk_X509_EXTENSION_value(w->extensions, i);
		int san = OBJ_obj2nid(X509_EXTENSION_get_object(ext)) == NID_subject_alt_name;

		if (san && renew)
			continue;
		if (san && has_empty_name(ext))
			return MST_E_PLEDGE_CSRATTRS;
		e = push(list, X509_EXTENSION_dup(ext));
	}
	for (int i = 0; e == MST_OK && i < sk_ASN1_OBJECT_num(w->fill); i++) {
		int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(w->fill, i));

		if (nid != NID_subject_alt_name || !renew)
			e = push(list, fill_extension(nid, from));
	}
	/* RFC 7030 4.2.2: the same subjectAltName as before, or none as before */
	if (e == MST_OK && renew && X509_get_ext_by_NID(from, NID_subject_alt_name, -1) >= 0)
		e = push(list, copy_extension(from, NID_subject_alt_name));
	return e;
}

static mst_err
set_extensions(X509_REQ *req, const struct csrattrs *w, X509 *from, bool renew)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	mst_err e = MST_E_NOMEM;

	if (list == NULL)
		return e;
	e = collect_extensions(w, from, renew, list);
	if (e == MST_OK && sk_X509_EXTENSION_num(list) > 0 &&
	    X509_REQ_add_extensions(req, list) != 1)
		e = MST_E_NOMEM;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return e;
}

/* L2: base64 of the channel binding, in each attribute that was asked for. */
static mst_err
set_binding(X509_REQ *req, const struct csrattrs *w, const struct crypto_openssl *c)
{
	uint8_t room[MST_BASE64_LEN(CRYPTO_OPENSSL_BINDING_MAX)];
	struct mst_buf text = MST_BUF(room);
	mst_err e;

	if (w->binding == 0 && w->linking == 0)
		return MST_OK;
	if (c->binding_len == 0) /* the driver has none: this device cannot do it */
		return MST_E_PLEDGE_CSRATTRS;
	e = mst_base64_encode(mst_span_of(c->binding, c->binding_len), &text);
	if (e != MST_OK)
		return e;
	if (w->binding != 0 && X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
	                           V_ASN1_PRINTABLESTRING, text.ptr, (int)text.len) != 1)
		return MST_E_NOMEM;
	if (w->linking != 0 && X509_REQ_add1_attr_by_txt(req, OID_ID_LINKING,
	                           V_ASN1_PRINTABLESTRING, text.ptr, (int)text.len) != 1)
		return MST_E_NOMEM;
	return MST_OK;
}

static mst_err
put_body(X509_REQ *req, enum mst_form form, struct arena *a, struct mst_buf *out)
{
	uint8_t *der = NULL;
	int n = i2d_X509_REQ(req, &der);
	mst_span body = mst_span_of(der, n > 0 ? (size_t)n : 0);
	mst_err e = n > 0 ? MST_OK : MST_E_NOMEM;

	if (e == MST_OK && form != MST_FORM_DER)
		e = est_body_encode(a, body, 0, &body);
	if (e == MST_OK)
		e = mst_buf_put(out, body);
	OPENSSL_free(der);
	return e;
}

static mst_err
build(struct crypto_openssl *c, const struct csrattrs *w, bool renew, enum mst_form form,
    struct arena *a, struct mst_buf *out)
{
	X509 *from = renew ? c->ldevid : c->idevid;
	X509_REQ *req = X509_REQ_new();
	EVP_PKEY *key = make_key(w);
	mst_err e = MST_E_KEY_SIGN;

	if (req == NULL || key == NULL || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(req, key) != 1)
		goto out;
	if ((e = set_subject(req, w, from, renew)) != MST_OK ||
	    (e = set_extensions(req, w, from, renew)) != MST_OK ||
	    (e = set_binding(req, w, c)) != MST_OK)
		goto out;
	e = X509_REQ_sign(req, key, digest_for(w, key)) > 0 ? put_body(req, form, a, out)
	                                                    : MST_E_KEY_SIGN;
	if (e == MST_OK) {
		EVP_PKEY_free(c->pending);
		c->pending = key;
		key = NULL;
	}
out:
	EVP_PKEY_free(key);
	X509_REQ_free(req);
	return e;
}

mst_err
openssl_csr_build(void *ctx, enum mst_form form, mst_span csrattrs, bool renew, struct mst_buf *out)
{
	struct crypto_openssl *c = ctx;
	struct arena *a = arena_new(WORK_MAX);
	struct csrattrs w = { .key = NID_undef };
	mst_err e = MST_OK;
	mst_span der;

	if (a == NULL)
		return MST_E_NOMEM;
	if (renew && c->ldevid == NULL) {
		arena_free(a);
		return MST_E_KEY_SIGN; /* nothing to renew: the driver gave no LDevID */
	}
	if (csrattrs.ptr != NULL && csrattrs.len != 0) {
		der = csrattrs;
		if (form != MST_FORM_DER)
			e = est_body_decode(a, csrattrs, &der);
		if (e == MST_OK)
			e = csrattrs_parse(der, &w);
		if (e != MST_OK && e != MST_E_NOMEM)
			e = MST_E_PLEDGE_CSRATTRS;
	}
	if (e == MST_OK)
		e = build(c, &w, renew, form, a, out);
	csrattrs_wipe(&w);
	arena_free(a);
	ERR_clear_error();
	return e;
}

static int
to_seconds(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	*out = (int64_t)timegm(&tm);
	return 1;
}

/* P4: ours is the one for our key, wherever it stands. */
static X509 *
find_own(const STACK_OF(X509) *list, EVP_PKEY *key)
{
	for (int i = 0; key != NULL && i < sk_X509_num(list); i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(list, i)), key) == 1)
			return sk_X509_value(list, i);
	return NULL;
}

mst_err
openssl_ldevid_open(void *ctx, enum mst_form form, mst_span body, mst_span anchors,
    const struct mst_clock *clock, struct mst_buf *out, int64_t *not_before, int64_t *not_after)
{
	struct crypto_openssl *c = ctx;
	STACK_OF(X509) *list = NULL, *held = NULL;
	struct anchors *t = NULL;
	int64_t from, to;
	X509 *own = NULL;
	mst_err e;

	/* cV 6.7.1: an enrolment answers 287 or 281, never a collection */
	e = form == MST_FORM_MULTIPART ? MST_E_PLEDGE_ENROLL : openssl_read_body(form, body, &list);
	if (e == MST_OK && (own = find_own(list, c->pending)) == NULL)
		e = MST_E_PLEDGE_ENROLL;
	if (e == MST_OK)
		e = openssl_read_der_list(anchors, &held);
	if (e == MST_OK)
		e = anchors_from_stack(held, &t);
	if (e == MST_OK)
		e = chain_verify(t, own, list, clock, 0, NULL);
	if (e != MST_OK && e != MST_E_NOMEM)
		e = MST_E_PLEDGE_ENROLL;
	if (e == MST_OK && (!to_seconds(X509_get0_notBefore(own), &from) ||
	                       !to_seconds(X509_get0_notAfter(own), &to)))
		e = MST_E_PLEDGE_ENROLL;
	if (e == MST_OK)
		e = openssl_put_cert(own, out);
	if (e == MST_OK) {
		*not_before = from;
		*not_after = to;
	}
	anchors_free(t);
	sk_X509_pop_free(held, X509_free);
	sk_X509_pop_free(list, X509_free);
	ERR_clear_error();
	return e;
}

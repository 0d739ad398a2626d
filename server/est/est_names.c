/* SPDX-License-Identifier: Apache-2.0 */
/* Names and extensions: what a CSR may say, and what policy issues (EST-2, C4, R1, K9). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "server/est/csr_room.h"

#define SERIAL_MAX 64 /* RFC 5280 A.1: ub-serial-number */
#define NAMES_MAX 64
#define RDNS_MAX 8
#define DNS_LABEL_MAX 63

static void
free_openssl(void *p)
{
	OPENSSL_free(p);
}

mst_err
csr_keep(struct arena *a, unsigned char *der, int n, mst_span *out)
{
	if (n <= 0)
		return MST_E_NOMEM;
	if (arena_own(a, der, free_openssl) == NULL)
		return MST_E_NOMEM;
	*out = mst_span_of(der, (size_t)n);
	return MST_OK;
}

mst_err
csr_keep_spki(struct arena *a, X509_PUBKEY *pub, mst_span *out)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(pub, &der);

	return n <= 0 ? MST_E_CSR_PARSE : csr_keep(a, der, n, out);
}

static mst_err
refuse(const char **words, mst_err e, const char *what)
{
	*words = what;
	return e;
}

static mst_span
value_of(X509_EXTENSION *x)
{
	const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(x);

	return mst_span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* --- policy --- */

/* PrintableString where it fits (RFC 5280 A.1), UTF8String for serials that do not (ID-9). */
static int
add_serial(X509_NAME *name, mst_span serial)
{
	int n = (int)serial.len;
	int type =
	    serial.len <= SERIAL_MAX ? ASN1_PRINTABLE_type(serial.ptr, n) : V_ASN1_UTF8STRING;

	if (type != V_ASN1_PRINTABLESTRING)
		type = V_ASN1_UTF8STRING;
	return X509_NAME_add_entry_by_NID(name, NID_serialNumber, type, serial.ptr, n, -1, 0);
}

static bool
add_twin(X509_NAME *name, int64_t twin)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)twin);

	return twin == 0 || X509_NAME_add_entry_by_NID(name, NID_dnQualifier, MBSTRING_ASC,
	                        (const unsigned char *)text, n, -1, 0) == 1;
}

static X509_NAME *
policy_name(const struct est_profile *p, mst_span serial, int64_t twin)
{
	X509_NAME *name = X509_NAME_new();

	if (name != NULL && serial.len != 0 && serial.len <= 256 &&
	    (p->organization == NULL ||
	        X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
	            (const unsigned char *)p->organization, -1, -1, 0) == 1) &&
	    add_serial(name, serial) == 1 && add_twin(name, twin))
		return name;
	X509_NAME_free(name);
	return NULL;
}

static mst_err
name_der(struct arena *a, X509_NAME *name, mst_span *out)
{
	const unsigned char *der;
	size_t n;

	if (X509_NAME_get0_der(name, &der, &n) != 1)
		return MST_E_NOMEM;
	*out = arena_dup(a, mst_span_of(der, n));
	return out->ptr != NULL ? MST_OK : MST_E_NOMEM;
}

mst_err
est_policy_subject(
    struct arena *a, const struct est_profile *p, mst_span serial, int64_t twin, mst_span *der)
{
	X509_NAME *name = policy_name(p, serial, twin);
	mst_err e = name == NULL ? MST_E_CSR_SUBJECT : name_der(a, name, der);

	X509_NAME_free(name);
	return e;
}

/* One label of RFC 1123 2.1 in lower case: nothing else is a dNSName without more words. */
static char *
dns_label(struct arena *a, mst_span serial)
{
	char *text = arena_str(a, serial);

	if (text == NULL || serial.len == 0 || serial.len > DNS_LABEL_MAX || text[0] == '-' ||
	    text[serial.len - 1] == '-')
		return NULL;
	for (size_t i = 0; i < serial.len; i++) {
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
		        text[i] == '-'))
			return NULL;
	}
	return text;
}

static mst_err
dns_san(struct arena *a, const char *label, mst_span *der)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	unsigned char *out = NULL;
	mst_err e = MST_E_NOMEM;
	int n;

	if (names == NULL || name == NULL || text == NULL || ASN1_STRING_set(text, label, -1) != 1)
		goto out;
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	text = NULL;
	if (sk_GENERAL_NAME_push(names, name) <= 0)
		goto out;
	name = NULL;
	n = i2d_GENERAL_NAMES(names, &out);
	e = csr_keep(a, out, n, der);
out:
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(name);
	GENERAL_NAMES_free(names);
	return e;
}

mst_err
est_policy_san(
    struct arena *a, const struct est_profile *p, mst_span serial, int64_t twin, mst_span *der)
{
	const char *label;

	switch (p->san) {
	case EST_SAN_NONE: *der = MST_NONE; return MST_OK;
	case EST_SAN_SERIAL:
		label = dns_label(a, serial);
		if (label != NULL && twin != 0) /* no serial number makes a name with a dot */
			label = arena_printf(a, "t%lld.%s", (long long)twin, label);
		return label == NULL ? MST_E_CSR_SAN : dns_san(a, label, der);
	}
	return MST_E_CSR_SAN;
}

/* --- the extensions that a CSR asks for: C4 --- */

static mst_err
read_constraints(mst_span v, const char **words)
{
	const unsigned char *p = v.ptr;
	BASIC_CONSTRAINTS *bc = d2i_BASIC_CONSTRAINTS(NULL, &p, (long)v.len);
	mst_err e = MST_OK;

	if (bc == NULL || p != v.ptr + v.len)
		e = refuse(words, MST_E_CSR_EXTENSION, "basicConstraints cannot be read");
	else if (bc->ca)
		e = refuse(words, MST_E_CSR_CA, "basicConstraints CA:TRUE");
	BASIC_CONSTRAINTS_free(bc);
	return e;
}

static mst_err
read_key_usage(mst_span v, const char **words)
{
	const unsigned char *p = v.ptr;
	ASN1_BIT_STRING *ku = d2i_ASN1_BIT_STRING(NULL, &p, (long)v.len);
	mst_err e = MST_OK;

	if (ku == NULL || p != v.ptr + v.len)
		e = refuse(words, MST_E_CSR_EXTENSION, "keyUsage cannot be read");
	else if (ASN1_BIT_STRING_get_bit(ku, 5) || ASN1_BIT_STRING_get_bit(ku, 6))
		e = refuse(words, MST_E_CSR_CA, "keyUsage keyCertSign or cRLSign");
	ASN1_BIT_STRING_free(ku);
	return e;
}

static GENERAL_NAMES *
names_of(mst_span v)
{
	const unsigned char *p = v.ptr;
	GENERAL_NAMES *names = v.ptr == NULL ? NULL : d2i_GENERAL_NAMES(NULL, &p, (long)v.len);

	if (names != NULL && (p != v.ptr + v.len || sk_GENERAL_NAME_num(names) < 1 ||
	                         sk_GENERAL_NAME_num(names) > NAMES_MAX)) {
		GENERAL_NAMES_free(names);
		names = NULL;
	}
	return names;
}

static mst_err
read_san(struct arena *a, mst_span v, struct csr_wishes *out, const char **words)
{
	GENERAL_NAMES *names = names_of(v);

	if (names == NULL)
		return refuse(words, MST_E_CSR_SAN, "subjectAltName cannot be read");
	GENERAL_NAMES_free(names);
	out->san = arena_dup(a, v);
	return out->san.ptr != NULL ? MST_OK : MST_E_NOMEM;
}

static mst_err
read_extension(struct arena *a, X509_EXTENSION *x, struct csr_wishes *out, const char **words)
{
	mst_span v = value_of(x);

	switch (OBJ_obj2nid(X509_EXTENSION_get_object(x))) {
	case NID_subject_alt_name: return read_san(a, v, out, words);
	case NID_basic_constraints: return read_constraints(v, words);
	case NID_key_usage: return read_key_usage(v, words);
	/* The profile decides these, and the key that: asking is harmless, and many tools do. */
	case NID_ext_key_usage:
	case NID_subject_key_identifier: return MST_OK;
	default: break;
	}
	return refuse(words, MST_E_CSR_EXTENSION,
	    X509_EXTENSION_get_critical(x) ? "an unknown extension, critical"
	                                   : "an extension that is not on the list");
}

mst_err
csr_read_extensions(
    struct arena *a, const X509_ATTRIBUTE *attr, struct csr_wishes *out, const char **words)
{
	const ASN1_TYPE *t = X509_ATTRIBUTE_get0_type((X509_ATTRIBUTE *)attr, 0);
	STACK_OF(X509_EXTENSION) *list = NULL;
	mst_err e = MST_OK;

	if (t != NULL && t->type == V_ASN1_SEQUENCE)
		list = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_EXTENSIONS), t);
	if (list == NULL)
		return refuse(words, MST_E_CSR_EXTENSION, "the extensionRequest cannot be read");
	for (int i = 0; e == MST_OK && i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *x = sk_X509_EXTENSION_value(list, i);

		if (X509v3_get_ext_by_OBJ(list, X509_EXTENSION_get_object(x), -1) != i)
			e = refuse(words, MST_E_CSR_EXTENSION, "an extension twice");
		else
			e = read_extension(a, x, out, words);
	}
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return e;
}

/* --- comparing --- */

/* R1: the same bytes, or the same names in another order. */
static bool
same_san(mst_span a, mst_span b)
{
	GENERAL_NAMES *x, *y;
	bool used[NAMES_MAX] = { false }, same = false;

	if (mst_span_eq(a, b))
		return true;
	x = names_of(a);
	y = names_of(b);
	if (x != NULL && y != NULL && sk_GENERAL_NAME_num(x) == sk_GENERAL_NAME_num(y)) {
		same = true;
		for (int i = 0; same && i < sk_GENERAL_NAME_num(x); i++) {
			int k = 0;

			while (k < sk_GENERAL_NAME_num(y) &&
			       (used[k] || GENERAL_NAME_cmp(sk_GENERAL_NAME_value(x, i),
			                       sk_GENERAL_NAME_value(y, k)) != 0))
				k++;
			if (k == sk_GENERAL_NAME_num(y))
				same = false;
			else
				used[k] = true;
		}
	}
	GENERAL_NAMES_free(x);
	GENERAL_NAMES_free(y);
	return same;
}

static bool
same_subject(const X509_NAME *name, mst_span der)
{
	const unsigned char *p = der.ptr, *bytes;
	X509_NAME *other;
	bool same;
	size_t n;

	if (X509_NAME_get0_der(name, &bytes, &n) == 1 && mst_span_eq(mst_span_of(bytes, n), der))
		return true;
	other = d2i_X509_NAME(NULL, &p, (long)der.len);
	same = other != NULL && X509_NAME_cmp(name, other) == 0;
	X509_NAME_free(other);
	return same;
}

/*
 * Every serialNumber in name is serial, to the letter: X509_NAME_cmp takes
 * letter case and runs of spaces lightly, and serial numbers do not.
 */
static bool
serial_is(const X509_NAME *name, mst_span serial, int *count)
{
	int at = -1;
	bool same = true;

	*count = 0;
	while (same && (at = X509_NAME_get_index_by_NID(name, NID_serialNumber, at)) >= 0) {
		const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
		unsigned char *text = NULL;
		int n = ASN1_STRING_to_UTF8(&text, s);

		same = n >= 0 && mst_span_eq(mst_span_of(text, (size_t)n), serial);
		OPENSSL_free(text);
		++*count;
	}
	return same;
}

/* A CSR that names the device as its IDevID does: from clients that do not ask /csrattrs. */
static bool
is_idevid_subject(const struct est_csr_in *in, const X509_NAME *name)
{
	const X509_NAME *own = in->leaf != NULL ? X509_get_subject_name(in->leaf) : NULL;
	int at = own != NULL ? X509_NAME_get_index_by_NID(own, NID_serialNumber, -1) : -1;
	unsigned char *text = NULL;
	int n, count;
	bool same;

	if (in->class != TRUST_IDEVID || own == NULL || X509_NAME_cmp(own, name) != 0)
		return false;
	if (at < 0)
		return true;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(own, at)));
	same = n >= 0 && serial_is(name, mst_span_of(text, (size_t)n), &count);
	OPENSSL_free(text);
	return same;
}

static mst_err
judge_device(struct arena *a, const struct est_csr_in *in, const X509_NAME *subject,
    const struct csr_wishes *w, struct est_csr *out, const char **words)
{
	bool serial_ok;
	int serials;
	mst_err e;

	if ((e = est_policy_subject(a, in->profile, in->serial, in->twin, &out->subject)) != MST_OK)
		return refuse(words, e, "policy has no subject for this serial number");
	if ((e = est_policy_san(a, in->profile, in->serial, in->twin, &out->san)) != MST_OK)
		return refuse(words, e, "policy has no subjectAltName for this serial number");
	serial_ok = serial_is(subject, in->serial, &serials);
	if (!(serial_ok && serials == 1 &&
	        (X509_NAME_entry_count(subject) == 1 || same_subject(subject, out->subject))) &&
	    !is_idevid_subject(in, subject))
		return refuse(words, MST_E_CSR_SUBJECT,
		    serial_ok ? "not the subject of csrattrs" : "another serialNumber");
	if (w->san.ptr == NULL && out->san.ptr != NULL) /* K9 */
		return refuse(words, MST_E_CSR_ATTRIBUTE, "subjectAltName is missing");
	if (w->san.ptr != NULL && !same_san(w->san, out->san))
		return refuse(words, MST_E_CSR_SAN, "not the subjectAltName of csrattrs");
	return MST_OK;
}

/* The names of the certificate that is shown: renewal (R1), and a plain client's further one. */
static mst_err
judge_same(struct arena *a, const struct est_csr_in *in, const X509_NAME *subject,
    const struct csr_wishes *w, struct est_csr *out, const char **words)
{
	bool renews = in->op == EST_REENROLL;

	/* R4: a name that one CA gave is no claim to the same name at another CA of the site. */
	if (strcmp(in->row->ca, in->profile->label) != 0)
		return refuse(words, MST_E_EST_CLIENT_CERT, "the certificate is of another CA");
	if (!same_subject(subject, in->row->subject))
		return refuse(words, renews ? MST_E_CSR_REENROLL_SUBJECT : MST_E_CSR_SUBJECT,
		    "not the subject of the client's certificate");
	if (!same_san(w->san, in->row->san))
		return refuse(words, renews ? MST_E_CSR_REENROLL_SAN : MST_E_CSR_SAN,
		    "not the subjectAltName of the client's certificate");
	out->subject = arena_dup(a, in->row->subject);
	out->san = in->row->san.ptr == NULL ? MST_NONE : arena_dup(a, in->row->san);
	return out->subject.ptr == NULL || (in->row->san.ptr != NULL && out->san.ptr == NULL)
	           ? MST_E_NOMEM
	           : MST_OK;
}

/* A2: to the letter; a name of another writing may be another's. */
static bool
may_bear(const struct est_user *user, mst_span name)
{
	for (size_t i = 0; user != NULL && i < user->name_count; i++)
		if (mst_span_eq(mst_span_str(user->names[i]), name))
			return true;
	return false;
}

/* One value of a plain client's subject: want where it is given, else a name of the user's. */
static mst_err
plain_value(const ASN1_STRING *s, const char *want, const struct est_user *user, const char **words)
{
	unsigned char *text = NULL;
	int type = ASN1_STRING_type(s), n;
	mst_span value;
	mst_err e = MST_OK;
	bool ok;

	if (type != V_ASN1_PRINTABLESTRING && type != V_ASN1_UTF8STRING)
		return refuse(words, MST_E_CSR_SUBJECT, "a value of another string type");
	n = ASN1_STRING_to_UTF8(&text, s);
	ok = n > 0 && n <= 64;
	for (int i = 0; ok && i < n; i++)
		ok = text[i] >= ' ' && text[i] != 0x7f;
	value = mst_span_of(text, ok ? (size_t)n : 0);
	if (!ok || (want != NULL && !mst_span_eq(value, mst_span_str(want))))
		e = refuse(words, MST_E_CSR_SUBJECT, "a value that policy does not give");
	else if (want == NULL && !may_bear(user, value))
		e = refuse(words, MST_E_CSR_NAME, "a name that is not on this user's line");
	OPENSSL_free(text);
	return e;
}

static mst_err
plain_san(struct arena *a, const struct est_csr_in *in, mst_span san, struct est_csr *out,
    const char **words)
{
	GENERAL_NAMES *names;
	mst_err e = MST_OK;

	out->san = MST_NONE;
	if (san.ptr == NULL)
		return MST_OK;
	if (in->profile->san == EST_SAN_NONE)
		return refuse(words, MST_E_CSR_SAN, "no subjectAltName for this client");
	if ((names = names_of(san)) == NULL)
		return refuse(words, MST_E_CSR_SAN, "subjectAltName cannot be read");
	for (int i = 0; e == MST_OK && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *s = name->type == GEN_DNS ? name->d.dNSName : NULL;

		if (s == NULL)
			e = refuse(words, MST_E_CSR_SAN, "not a dNSName");
		else if (!may_bear(in->user,
		             mst_span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s))))
			e = refuse(
			    words, MST_E_CSR_NAME, "a dNSName that is not on this user's line");
	}
	GENERAL_NAMES_free(names);
	if (e == MST_OK && (out->san = arena_dup(a, san)).ptr == NULL)
		e = MST_E_NOMEM;
	return e;
}

/*
 * HTTP Basic: the subject of the CSR, where it is made of CN, O and OU, one
 * value each, with exactly one CN. The O is the site's where it has one; what
 * else the certificate would say of this user is one of the user's names (A2).
 */
static mst_err
judge_plain(struct arena *a, const struct est_csr_in *in, X509_NAME *subject,
    const struct csr_wishes *w, struct est_csr *out, const char **words)
{
	int count = X509_NAME_entry_count(subject), names = 0;
	mst_err e = MST_OK;

	if (count < 1 || count > RDNS_MAX)
		return refuse(words, MST_E_CSR_SUBJECT, "an empty or very long subject");
	for (int i = 0; e == MST_OK && i < count; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, i);
		int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
		const char *want = nid == NID_organizationName ? in->profile->organization : NULL;

		if ((nid != NID_commonName && nid != NID_organizationName &&
		        nid != NID_organizationalUnitName) ||
		    X509_NAME_ENTRY_set(entry) != i)
			return refuse(words, MST_E_CSR_SUBJECT, "more than CN, O and OU");
		e = plain_value(X509_NAME_ENTRY_get_data(entry), want, in->user, words);
		names += nid == NID_commonName;
	}
	if (e == MST_OK && names != 1)
		e = refuse(words, MST_E_CSR_SUBJECT, "not exactly one CN");
	if (e == MST_OK)
		e = plain_san(a, in, w->san, out, words);
	return e != MST_OK ? e : name_der(a, subject, &out->subject);
}

mst_err
csr_judge_names(struct arena *a, const struct est_csr_in *in, X509_NAME *subject,
    const struct csr_wishes *w, struct est_csr *out, const char **words)
{
	if (in->op == EST_REENROLL || (in->class == TRUST_LDEVID && in->serial.ptr == NULL))
		return judge_same(a, in, subject, w, out, words);
	if (in->serial.ptr != NULL)
		return judge_device(a, in, subject, w, out, words);
	return judge_plain(a, in, subject, w, out, words);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a CSR: est.md C1 to C5, R1 to R4, L1 to L9. What comes out
 * is what policy issues, never what the CSR wished.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "muster/base64.h"
#include "server/est/csr_room.h"

#define CSR_MAX 65536
#define CHALLENGE_MAX 255 /* RFC 2985 5.4.1 */

struct judging {
	struct arena *a;
	const struct est_csr_in *in;
	struct est_csr out;
	X509_REQ *req;
	mst_span spki;
	struct csr_wishes wishes;
	/* attributes, each at most once */
	const X509_ATTRIBUTE *extensions, *challenge, *linking, *decrypt_id, *asymmetric_id;
	const char *words;
};

static mst_err
refuse(struct judging *j, mst_err e, const char *words)
{
	j->words = words;
	return e;
}

/* --- C1: strictly one PKCS#10 --- */

static mst_err
parse(struct judging *j)
{
	mst_span der = j->in->der;
	const unsigned char *p = der.ptr;
	unsigned char *again = NULL;
	bool same;
	int n;

	if (der.ptr == NULL || der.len == 0 || der.len > CSR_MAX)
		return refuse(j, MST_E_CSR_PARSE, "empty or too large");
	j->req = d2i_X509_REQ(NULL, &p, (long)der.len);
	if (j->req == NULL || p != der.ptr + der.len)
		return refuse(j, MST_E_CSR_PARSE, "no PKCS#10, or bytes after it");
	n = i2d_X509_REQ(j->req, &again);
	same = n > 0 && mst_span_eq(mst_span_of(again, (size_t)n), der);
	OPENSSL_free(again);
	if (!same)
		return refuse(j, MST_E_CSR_PARSE, "not DER");
	if (X509_REQ_get_version(j->req) != X509_REQ_VERSION_1)
		return refuse(j, MST_E_CSR_PARSE, "not version 1");
	return csr_keep_spki(j->a, X509_REQ_get_X509_PUBKEY(j->req), &j->spki);
}

/* --- C2: the key, before any arithmetic with it --- */

static bool
ec_allowed(const X509_PUBKEY *pub)
{
	const unsigned char *bits;
	const ASN1_OBJECT *oid;
	X509_ALGOR *algorithm;
	const void *value;
	int n, type, curve;

	if (X509_PUBKEY_get0_param(NULL, &bits, &n, &algorithm, pub) != 1)
		return false;
	X509_ALGOR_get0(&oid, &type, &value, algorithm);
	curve = type == V_ASN1_OBJECT ? OBJ_obj2nid(value) : NID_undef;
	/* Uncompressed (RFC 5480 2.2), so that one key has one encoding. */
	return n > 0 && bits[0] == POINT_CONVERSION_UNCOMPRESSED &&
	       (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1);
}

static bool
rsa_allowed(EVP_PKEY *key, const X509_PUBKEY *pub)
{
	const ASN1_OBJECT *oid;
	X509_ALGOR *algorithm;
	const void *value;
	BIGNUM *e = NULL;
	int type;
	bool ok;

	if (EVP_PKEY_get_bits(key) < 2048 || EVP_PKEY_get_bits(key) > 4096 ||
	    X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, pub) != 1 ||
	    EVP_PKEY_get_bn_param(key, "e", &e) != 1)
		return false;
	X509_ALGOR_get0(&oid, &type, &value, algorithm);
	ok = type == V_ASN1_NULL && BN_is_odd(e) && BN_num_bits(e) >= 17 && BN_num_bits(e) <= 64;
	BN_free(e);
	return ok;
}

static mst_err
judge_key(struct judging *j)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(j->req);
	const X509_PUBKEY *pub = X509_REQ_get_X509_PUBKEY(j->req);
	bool ok = false;

	if (key == NULL)
		return refuse(j, MST_E_CSR_KEY, "no key that this program knows");
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519: ok = true; break;
	case EVP_PKEY_EC: ok = ec_allowed(pub); break;
	case EVP_PKEY_RSA: ok = rsa_allowed(key, pub); break;
	default: break;
	}
	return ok ? MST_OK : refuse(j, MST_E_CSR_KEY, "type, size or encoding of the key");
}

/* EST-2: an LDevID on the factory's key would end with the IDevID's secrecy. */
static mst_err
judge_key_new(struct judging *j)
{
	const struct est_csr_in *in = j->in;
	uint8_t digest[32];

	if (in->class == TRUST_IDEVID &&
	    EVP_PKEY_eq(X509_REQ_get0_pubkey(j->req), X509_get0_pubkey(in->leaf)) == 1)
		return refuse(j, MST_E_CSR_KEY_IDEVID, "the key of the TLS client certificate");
	if (EVP_Digest(j->spki.ptr, j->spki.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_INTERNAL;
	if (mst_span_eq(mst_span_of(digest, sizeof digest), in->idevid_spki_sha256))
		return refuse(j, MST_E_CSR_KEY_IDEVID, "the key of the device's IDevID");
	return MST_OK;
}

/* --- CMS-5, C1: the signature --- */

static bool
pss_allowed(const X509_ALGOR *algorithm)
{
	RSA_PSS_PARAMS *p =
	    algorithm->parameter == NULL
	        ? NULL
	        : ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), algorithm->parameter);
	int md = p != NULL && p->hashAlgorithm != NULL ? OBJ_obj2nid(p->hashAlgorithm->algorithm)
	                                               : NID_undef;

	RSA_PSS_PARAMS_free(p);
	return md == NID_sha256 || md == NID_sha384 || md == NID_sha512;
}

static mst_err
judge_signature(struct judging *j)
{
	const X509_ALGOR *algorithm;
	bool ok;

	X509_REQ_get0_signature(j->req, NULL, &algorithm);
	switch (OBJ_obj2nid(algorithm->algorithm)) {
	case NID_ecdsa_with_SHA256:
	case NID_ecdsa_with_SHA384:
	case NID_ecdsa_with_SHA512:
	case NID_sha256WithRSAEncryption:
	case NID_sha384WithRSAEncryption:
	case NID_sha512WithRSAEncryption:
	case NID_ED25519: ok = true; break;
	case NID_rsassaPss: ok = pss_allowed(algorithm); break;
	default: ok = false; break;
	}
	if (!ok)
		return refuse(
		    j, MST_E_CSR_ALGORITHM, OBJ_nid2ln(OBJ_obj2nid(algorithm->algorithm)));
	if (X509_REQ_verify(j->req, X509_REQ_get0_pubkey(j->req)) != 1) /* RFC 7030 3.4 */
		return refuse(j, MST_E_CSR_POP, NULL);
	return MST_OK;
}

/* --- attributes --- */

static mst_err
take(struct judging *j, const X509_ATTRIBUTE **slot, const X509_ATTRIBUTE *attr, mst_err twice)
{
	if (*slot != NULL || X509_ATTRIBUTE_count(attr) != 1)
		return refuse(j, twice, "an attribute twice, or without exactly one value");
	*slot = attr;
	return MST_OK;
}

static mst_err
sort_attribute(struct judging *j, X509_ATTRIBUTE *attr)
{
	char oid[80];

	OBJ_obj2txt(oid, sizeof oid, X509_ATTRIBUTE_get0_object(attr), 1);
	if (strcmp(oid, CSR_OID_EXTENSIONS) == 0 || strcmp(oid, CSR_OID_EXTENSIONS_MS) == 0)
		return take(j, &j->extensions, attr, MST_E_CSR_EXTENSION);
	if (strcmp(oid, CSR_OID_CHALLENGE) == 0)
		return take(j, &j->challenge, attr, MST_E_CSR_BINDING);
	if (strcmp(oid, CSR_OID_LINKING) == 0)
		return take(j, &j->linking, attr, MST_E_CSR_BINDING);
	if (strcmp(oid, CSR_OID_OTP) == 0) /* L2: what is present must verify, and this cannot */
		return refuse(j, MST_E_CSR_BINDING, "one-time passwords are not used here");
	if (strcmp(oid, CSR_OID_CHANGE_NAME) == 0) /* C3, R2: names come from policy */
		return refuse(j, MST_E_CSR_SUBJECT, "ChangeSubjectName is not taken");
	if (strcmp(oid, CSR_OID_DECRYPT) == 0)
		return take(j, &j->decrypt_id, attr, MST_E_KEYGEN_KEY_ID);
	if (strcmp(oid, CSR_OID_ASYMMETRIC_DECRYPT) == 0)
		return take(j, &j->asymmetric_id, attr, MST_E_KEYGEN_KEY_ID);
	return MST_OK; /* RFC 2986 4: others say nothing to us, and nothing is copied */
}

static mst_err
judge_attributes(struct judging *j)
{
	mst_err e = MST_OK;

	for (int i = 0; e == MST_OK && i < X509_REQ_get_attr_count(j->req); i++)
		e = sort_attribute(j, X509_REQ_get_attr(j->req, i));
	if (e != MST_OK || j->extensions == NULL)
		return e;
	return csr_read_extensions(j->a, j->extensions, &j->wishes, &j->words);
}

/* --- section 8: linking of identity and proof of possession --- */

static bool
is_binding(struct judging *j, const X509_ATTRIBUTE *attr)
{
	const ASN1_TYPE *t = X509_ATTRIBUTE_get0_type((X509_ATTRIBUTE *)attr, 0);
	uint8_t text[MST_BASE64_LEN(64)];
	struct mst_buf want = MST_BUF(text);
	const ASN1_STRING *s;

	if (j->in->binding.ptr == NULL || t == NULL ||
	    (t->type != V_ASN1_PRINTABLESTRING && t->type != V_ASN1_UTF8STRING) ||
	    mst_base64_encode(j->in->binding, &want) != MST_OK)
		return false;
	s = t->value.asn1_string;
	return ASN1_STRING_length(s) > 0 && ASN1_STRING_length(s) <= CHALLENGE_MAX &&
	       mst_ct_eq(mst_span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)),
	           mst_buf_span(&want)); /* L6 */
}

static mst_err
judge_binding(struct judging *j)
{
	bool ok;

	if (j->linking != NULL) {
		if (!is_binding(j, j->linking))
			return refuse(j, MST_E_CSR_BINDING, "estIdentityLinking");
		j->out.bound = true;
	}
	if (j->challenge != NULL) {
		ok = is_binding(j, j->challenge);
		/* L9: a site may have clients that put a password there out of habit. */
		if (!ok && j->in->challenge == EST_CHALLENGE_BINDING)
			return refuse(j, MST_E_CSR_BINDING, "challengePassword");
		j->out.bound = j->out.bound || ok;
	}
	if (!j->out.bound && j->in->binding_required)
		return refuse(j, MST_E_CSR_BINDING_MISSING, NULL);
	return MST_OK;
}

/* --- renewal: R3, R4 --- */

static mst_err
judge_renewal(struct judging *j)
{
	const struct est_csr_in *in = j->in;
	const struct cert_row *row = in->row;
	int64_t life = row->not_after - row->not_before;

	if (strcmp(row->ca, in->profile->label) != 0) /* R4: by the CA that issued it */
		return refuse(j, MST_E_EST_CLIENT_CERT, "the certificate is of another CA");
	if (in->profile->rekey && mst_span_eq(row->spki, j->spki))
		return refuse(j, MST_E_CSR_RENEW_SAME_KEY, NULL);
	if (in->window_percent > 0 && life > 0 &&
	    in->now < row->not_before + life / 100 * in->window_percent)
		return refuse(j, MST_E_CSR_TOO_EARLY, NULL);
	return MST_OK;
}

static mst_err
judge_names(struct judging *j)
{
	return csr_judge_names(
	    j->a, j->in, X509_REQ_get_subject_name(j->req), &j->wishes, &j->out, &j->words);
}

/* --- serverkeygen: G3 --- */

static mst_err
judge_keygen(struct judging *j)
{
	if (j->in->op != EST_KEYGEN)
		return MST_OK;
	if (j->decrypt_id != NULL) /* nobody has registered a symmetric key here */
		return refuse(j, MST_E_KEYGEN_KEY_ID, "no symmetric keys are known");
	/* RFC 7030 4.4.1: no answer but an error for a key that cannot be used. */
	if (j->asymmetric_id != NULL)
		return refuse(j, MST_E_KEYGEN_KEY_ID, "keys are not sealed for other keys here");
	return MST_OK;
}

/* --- C5: what makes two orders the same --- */

static bool
digest_attributes(EVP_MD_CTX *md, X509_REQ *req)
{
	bool ok = true;

	for (int i = 0; ok && i < X509_REQ_get_attr_count(req); i++) {
		X509_ATTRIBUTE *attr = X509_REQ_get_attr(req, i);
		unsigned char *der = NULL;
		char oid[80];
		int n;

		OBJ_obj2txt(oid, sizeof oid, X509_ATTRIBUTE_get0_object(attr), 1);
		/* L10: made anew for each connection, as the signature is. */
		if (strcmp(oid, CSR_OID_CHALLENGE) == 0 || strcmp(oid, CSR_OID_LINKING) == 0)
			continue;
		n = i2d_X509_ATTRIBUTE(attr, &der);
		ok = n > 0 && EVP_DigestUpdate(md, der, (size_t)n) == 1;
		OPENSSL_free(der);
	}
	return ok;
}

static mst_err
make_order_key(struct judging *j)
{
	const struct est_csr_in *in = j->in;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const unsigned char *subject;
	size_t n;
	bool ok;

	/* Each part ends itself: NUL or DER. */
	ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(md, in->identity, strlen(in->identity) + 1) == 1 &&
	     EVP_DigestUpdate(md, in->profile->label, strlen(in->profile->label) + 1) == 1 &&
	     EVP_DigestUpdate(md, in->profile->profile, strlen(in->profile->profile) + 1) == 1 &&
	     X509_NAME_get0_der(X509_REQ_get_subject_name(j->req), &subject, &n) == 1 &&
	     EVP_DigestUpdate(md, subject, n) == 1 &&
	     EVP_DigestUpdate(md, j->spki.ptr, j->spki.len) == 1 && digest_attributes(md, j->req) &&
	     (in->op != EST_REENROLL ||
	         EVP_DigestUpdate(md, in->row->serial.ptr, in->row->serial.len) == 1) &&
	     EVP_DigestFinal_ex(md, j->out.order_key, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok ? MST_OK : MST_E_INTERNAL;
}

static mst_err
judge(struct judging *j)
{
	bool own_key = j->in->op != EST_KEYGEN; /* RFC 7030 4.4.1: key and signature are ignored */
	mst_err e = parse(j);

	if (e == MST_OK && own_key)
		e = judge_key(j);
	if (e == MST_OK && own_key)
		e = judge_signature(j);
	if (e == MST_OK && own_key)
		e = judge_key_new(j);
	if (e == MST_OK)
		e = judge_attributes(j);
	if (e == MST_OK)
		e = judge_binding(j);
	if (e == MST_OK && j->in->op == EST_REENROLL)
		e = judge_renewal(j);
	if (e == MST_OK)
		e = judge_names(j);
	if (e == MST_OK)
		e = judge_keygen(j);
	if (e == MST_OK)
		e = make_order_key(j);
	return e;
}

mst_err
est_judge_csr(struct arena *a, const struct est_csr_in *in, struct est_csr *out, const char **words)
{
	struct judging j = { .a = a, .in = in };
	mst_err e = judge(&j);

	X509_REQ_free(j.req);
	ERR_clear_error(); /* what OpenSSL said of the CSR must not be read as said of the TLS */
	if (e == MST_OK) {
		j.out.spki = j.spki;
		*out = j.out;
	}
	*words = j.words;
	return e;
}

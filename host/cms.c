/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vouchers in CMS: RFC 8366bis 7.1, brski.md section 5. OpenSSL does the
 * cryptography; what stands here is what its CMS_verify() leaves open: one
 * signer, signed attributes that say what was signed, named algorithms, DER.
 */
#include "host/envelope_impl.h"

#include <time.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "host/cert.h"
#include "host/clock.h"

#define OID_ANIMA_JSON_VOUCHER "1.2.840.113549.1.9.16.1.40" /* id-ct-animaJSONVoucher */

static void
free_cms(void *cms)
{
	CMS_ContentInfo_free(cms);
}

static void
free_openssl(void *p)
{
	OPENSSL_free(p);
}

/*
 * Any BER form (indefinite or long-winded lengths, strings in pieces) is
 * longer than the DER of the same value, and a tag that is not quite right
 * comes out as another byte. The order of bytes is not compared: some signers
 * leave SETs unsorted, which nothing depends on.
 */
static bool
is_der(CMS_ContentInfo *cms, mst_span message)
{
	long count[256] = { 0 };
	uint8_t *der = NULL;
	int n = i2d_CMS_ContentInfo(cms, &der);
	bool same = n > 0 && (size_t)n == message.len;

	for (int i = 0; same && i < n; i++) {
		count[der[i]]++;
		count[message.ptr[i]]--;
	}
	for (int i = 0; i < 256; i++)
		same = same && count[i] == 0;
	OPENSSL_free(der);
	return same;
}

/* CMS-1: DER and nothing after it. */
static mst_err
decode(struct arena *a, mst_span message, CMS_ContentInfo **out)
{
	const uint8_t *p = message.ptr;
	CMS_ContentInfo *cms;

	if (message.ptr == NULL || message.len == 0 || message.len > ENVELOPE_MAX)
		return MST_E_CMS;
	cms = d2i_CMS_ContentInfo(NULL, &p, (long)message.len);
	if (cms == NULL)
		return MST_E_CMS;
	if (arena_own(a, cms, free_cms) == NULL)
		return MST_E_NOMEM;
	if (p != message.ptr + message.len || !is_der(cms, message) ||
	    OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
		return MST_E_CMS;
	*out = cms;
	return MST_OK;
}

struct walk {
	const uint8_t *p;
	long left;
	int tag;
	long len; /* of the element at p, once peek() or enter() has read its head */
};

/* Read the head of the next element; p then stands at its content. */
static int
head(struct walk *w)
{
	const uint8_t *from = w->p;
	int class;

	if ((ASN1_get_object(&w->p, &w->len, &w->tag, &class, w->left) & 0x80) != 0)
		return 0;
	w->left -= w->p - from;
	return 1;
}

static int
enter(struct walk *w)
{
	if (!head(w))
		return 0;
	w->left = w->len;
	return 1;
}

static int
pass(struct walk *w)
{
	if (!head(w))
		return 0;
	w->p += w->len;
	w->left -= w->len;
	return 1;
}

/* An INTEGER of one byte, as every CMSVersion is. */
static int
version(struct walk *w, int *out)
{
	if (!head(w) || w->tag != V_ASN1_INTEGER || w->len != 1)
		return 0;
	*out = *w->p++;
	w->left--;
	return 1;
}

/*
 * CMS-4, RFC 5652 5.1 and 5.3: the versions follow from the content. OpenSSL
 * 3.0 has no function that tells them, and does not hold them to the rule.
 */
static mst_err
judge_versions(mst_span message, const struct envelope *env, int by_key_id)
{
	struct walk w = { message.ptr, (long)message.len, 0, 0 };
	int outer = 0, inner = 0;

	/* ContentInfo, its type, [0], SignedData */
	if (!enter(&w) || !pass(&w) || !enter(&w) || !enter(&w) || !version(&w, &outer))
		return MST_E_CMS;
	/* digestAlgorithms, encapContentInfo, [0] and [1] if any; then signerInfos */
	if (!pass(&w) || !pass(&w))
		return MST_E_CMS;
	do {
		if (!head(&w))
			return MST_E_CMS;
		if (w.tag == V_ASN1_SET)
			break;
		w.p += w.len;
		w.left -= w.len;
	} while (1);
	w.left = w.len;
	if (!enter(&w) || !version(&w, &inner))
		return MST_E_CMS;
	if (inner != (by_key_id != 0 ? 3 : 1) || outer != (!env->id_data || by_key_id != 0 ? 3 : 1))
		return MST_E_CMS;
	return MST_OK;
}

/* CMS-2: 1.40, or id-data as everything deployed before 2026 has it. */
static mst_err
judge_type(CMS_ContentInfo *cms, struct envelope *env)
{
	ASN1_OBJECT *voucher = OBJ_txt2obj(OID_ANIMA_JSON_VOUCHER, 1);
	const ASN1_OBJECT *type = CMS_get0_eContentType(cms);
	mst_err e = MST_E_CMS_TYPE;

	if (voucher == NULL)
		return MST_E_NOMEM;
	env->id_data = OBJ_obj2nid(type) == NID_pkcs7_data;
	if (env->id_data || OBJ_cmp(type, voucher) == 0)
		e = MST_OK;
	ASN1_OBJECT_free(voucher);
	return e;
}

/* CMS-3: RFC 5652 5.3: contentType and messageDigest once each, contentType == eContentType. */
static mst_err
judge_attributes(CMS_ContentInfo *cms, CMS_SignerInfo *si, struct envelope *env)
{
	ASN1_OBJECT *type_attr = OBJ_nid2obj(NID_pkcs9_contentType);
	ASN1_OBJECT *digest_attr = OBJ_nid2obj(NID_pkcs9_messageDigest);
	ASN1_OBJECT *time_attr = OBJ_nid2obj(NID_pkcs9_signingTime);
	const int once = -3; /* OpenSSL: exactly one attribute with exactly one value */
	const ASN1_OBJECT *type;
	const ASN1_TIME *when;
	struct tm tm;

	if (CMS_signed_get_attr_count(si) <= 0)
		return MST_E_CMS_SIGNERS;
	type = CMS_signed_get0_data_by_OBJ(si, type_attr, once, V_ASN1_OBJECT);
	if (type == NULL || OBJ_cmp(type, CMS_get0_eContentType(cms)) != 0)
		return MST_E_CMS_TYPE;
	if (CMS_signed_get0_data_by_OBJ(si, digest_attr, once, V_ASN1_OCTET_STRING) == NULL)
		return MST_E_CMS_SIGNERS;
	when = CMS_signed_get0_data_by_OBJ(si, time_attr, once, V_ASN1_UTCTIME);
	if (when == NULL)
		when = CMS_signed_get0_data_by_OBJ(si, time_attr, once, V_ASN1_GENERALIZEDTIME);
	if (when != NULL && ASN1_TIME_to_tm(when, &tm) == 1)
		env->signing_time = (int64_t)timegm(&tm);
	return MST_OK;
}

static bool
no_parameters(const X509_ALGOR *alg, int null_allowed)
{
	const ASN1_OBJECT *oid;
	const void *value;
	int type;

	X509_ALGOR_get0(&oid, &type, &value, alg);
	return type == V_ASN1_UNDEF || (null_allowed != 0 && type == V_ASN1_NULL);
}

/*
 * CMS-5. OpenSSL verifies with the key's own scheme and the digest named
 * beside it and never reads signatureAlgorithm for EC keys: it must agree.
 */
static mst_err
judge_algorithms(CMS_SignerInfo *si)
{
	int digest, sig, sig_digest = NID_undef, sig_key = NID_undef;
	X509_ALGOR *digest_alg = NULL, *sig_alg = NULL;
	const ASN1_OBJECT *oid;
	EVP_PKEY *key = NULL;

	CMS_SignerInfo_get0_algs(si, &key, NULL, &digest_alg, &sig_alg);
	if (cert_key_strength(key) != MST_OK || !no_parameters(digest_alg, 1))
		return MST_E_CMS_ALGORITHM;
	X509_ALGOR_get0(&oid, NULL, NULL, digest_alg);
	digest = OBJ_obj2nid(oid);
	if (digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512)
		return MST_E_CMS_ALGORITHM;
	X509_ALGOR_get0(&oid, NULL, NULL, sig_alg);
	sig = OBJ_obj2nid(oid);
	if (sig != NID_rsaEncryption && OBJ_find_sigid_algs(sig, &sig_digest, &sig_key) != 1)
		return MST_E_CMS_ALGORITHM;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		if (sig_key == NID_X9_62_id_ecPublicKey && sig_digest == digest &&
		    no_parameters(sig_alg, 0))
			return MST_OK;
		break;
	case EVP_PKEY_RSA:
		if (sig == NID_rsassaPss) /* OpenSSL holds its hash against digestAlgorithm */
			return MST_OK;
		if ((sig == NID_rsaEncryption ||
		        (sig_key == NID_rsaEncryption && sig_digest == digest)) &&
		    no_parameters(sig_alg, 1))
			return MST_OK;
		break;
	case EVP_PKEY_ED25519: /* RFC 8419 3.1 */
		if (sig == NID_ED25519 && digest == NID_sha512 && no_parameters(sig_alg, 0))
			return MST_OK;
		break;
	default: break;
	}
	return MST_E_CMS_ALGORITHM;
}

/* To the letter: CMS_SignerInfo_cert_cmp() finds "Example" and "EXAMPLE" equal. */
static bool
names(CMS_SignerInfo *si, X509 *cert)
{
	const uint8_t *a = NULL, *b = NULL;
	ASN1_OCTET_STRING *key_id;
	X509_NAME *issuer = NULL;
	size_t a_len = 0, b_len = 0;

	if (CMS_SignerInfo_cert_cmp(si, cert) != 0 ||
	    CMS_SignerInfo_get0_signer_id(si, &key_id, &issuer, NULL) != 1)
		return false;
	if (issuer == NULL)
		return true;
	return X509_NAME_get0_der(issuer, &a, &a_len) == 1 &&
	       X509_NAME_get0_der(X509_get_issuer_name(cert), &b, &b_len) == 1 &&
	       mst_span_eq(mst_span_of(a, a_len), mst_span_of(b, b_len));
}

/* The first certificate that the signerInfo names. */
static X509 *
find_signer(CMS_SignerInfo *si, const STACK_OF(X509) *certs)
{
	for (int i = 0; certs != NULL && i < sk_X509_num(certs); i++)
		if (names(si, sk_X509_value(certs, i)))
			return sk_X509_value(certs, i);
	return NULL;
}

static mst_err
find_certs(struct arena *a, CMS_ContentInfo *cms, CMS_SignerInfo *si, const STACK_OF(X509) *extra,
    struct envelope *env)
{
	STACK_OF(X509) *certs = CMS_get1_certs(cms);

	if (certs == NULL)
		certs = sk_X509_new_null();
	env->certs = envelope_keep_certs(a, certs);
	if (env->certs == NULL)
		return MST_E_NOMEM;
	if (sk_X509_num(certs) > ENVELOPE_CERTS_MAX)
		return MST_E_CMS;
	env->signer = find_signer(si, certs);
	if (env->signer == NULL) {
		env->signer = find_signer(si, extra);
		if (env->signer == NULL)
			return MST_E_VOUCHER_SIGNATURE;
		if (X509_up_ref(env->signer) != 1 || sk_X509_push(env->certs, env->signer) <= 0)
			return MST_E_NOMEM;
	}
	CMS_SignerInfo_set1_signer_cert(si, env->signer);
	return MST_OK;
}

/* CMS-7; the chain is the caller's (CMS-9): CMS_NO_SIGNER_CERT_VERIFY skips no signature check. */
static mst_err
verify(CMS_ContentInfo *cms)
{
	BIO *sink = BIO_new(BIO_s_null());
	int ok;

	if (sink == NULL)
		return MST_E_NOMEM;
	ok = CMS_verify(cms, NULL, NULL, NULL, sink, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY);
	BIO_free(sink);
	return ok == 1 ? MST_OK : MST_E_VOUCHER_SIGNATURE;
}

mst_err
cms_open(struct arena *a, mst_span message, const STACK_OF(X509) *extra, struct envelope *out)
{
	struct envelope env = *out;
	STACK_OF(CMS_SignerInfo) *signers;
	ASN1_OCTET_STRING **content, *key_id = NULL;
	CMS_ContentInfo *cms = NULL;
	CMS_SignerInfo *si;
	mst_err e;

	e = decode(a, message, &cms);
	if (e != MST_OK)
		return e;
	signers = CMS_get0_SignerInfos(cms);
	if (signers == NULL || sk_CMS_SignerInfo_num(signers) != 1)
		return MST_E_CMS_SIGNERS;
	si = sk_CMS_SignerInfo_value(signers, 0);
	content = CMS_get0_content(cms);
	if (content == NULL || *content == NULL)
		return MST_E_CMS;
	(void)CMS_SignerInfo_get0_signer_id(si, &key_id, NULL, NULL);
	if ((e = judge_type(cms, &env)) != MST_OK ||
	    (e = judge_versions(message, &env, key_id != NULL)) != MST_OK ||
	    (e = judge_attributes(cms, si, &env)) != MST_OK ||
	    (e = find_certs(a, cms, si, extra, &env)) != MST_OK ||
	    (e = judge_algorithms(si)) != MST_OK || (e = verify(cms)) != MST_OK)
		return e;
	env.payload =
	    mst_span_of(ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content));
	*out = env;
	return MST_OK;
}

/* CMS-6: the signer's chain beside it, nothing twice (CMS_add1_cert refuses that). */
static int
add_chain(CMS_ContentInfo *cms, const struct envelope_signer *signer)
{
	for (int i = 0; signer->chain != NULL && i < sk_X509_num(signer->chain); i++) {
		X509 *cert = sk_X509_value(signer->chain, i);
		bool twice = X509_cmp(cert, signer->cert) == 0;

		for (int j = 0; j < i; j++)
			twice = twice || X509_cmp(cert, sk_X509_value(signer->chain, j)) == 0;
		if (!twice && CMS_add1_cert(cms, cert) != 1)
			return 0;
	}
	return 1;
}

/* CLK-1: OpenSSL would put its own reading of the clock here. */
static int
add_signing_time(CMS_SignerInfo *si)
{
	ASN1_TIME *now = ASN1_TIME_set(NULL, (time_t)clock_wall());
	int ok = now != NULL &&
	         CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime, now->type, now, -1) == 1;

	ASN1_TIME_free(now);
	return ok;
}

static int
set_type(CMS_ContentInfo *cms, const struct envelope_signer *signer)
{
	ASN1_OBJECT *voucher;
	int ok;

	if (signer->id_data)
		return 1; /* CMS_sign() set it */
	voucher = OBJ_txt2obj(OID_ANIMA_JSON_VOUCHER, 1);
	ok = voucher != NULL && CMS_set1_eContentType(cms, voucher) == 1;
	ASN1_OBJECT_free(voucher);
	return ok;
}

mst_err
cms_seal(struct arena *a, mst_span json, const struct envelope_signer *signer, mst_span *message)
{
	const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP;
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
	BIO *in = BIO_new_mem_buf(json.ptr, (int)json.len);
	CMS_SignerInfo *si;
	uint8_t *der = NULL;
	mst_err e = MST_E_NOMEM;
	int n;

	if (cms == NULL || in == NULL || !set_type(cms, signer))
		goto out;
	e = MST_E_KEY_SIGN;
	si = CMS_add1_signer(cms, signer->cert, signer->key, envelope_digest(signer->key), flags);
	if (si == NULL || !add_signing_time(si) || !add_chain(cms, signer) ||
	    CMS_final(cms, in, NULL, CMS_BINARY) != 1)
		goto out;
	n = i2d_CMS_ContentInfo(cms, &der);
	e = MST_E_NOMEM;
	if (n > 0 && arena_own(a, der, free_openssl) != NULL) {
		*message = mst_span_of(der, (size_t)n);
		e = MST_OK;
	}
out:
	BIO_free(in);
	CMS_ContentInfo_free(cms);
	return e;
}

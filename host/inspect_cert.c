/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, certificate requests and revocation lists, field by field (RFC 5280, RFC 2986). */
#include "host/inspect_impl.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

/* Longer values of unknown extensions are cut in the report: nobody reads them. */
#define EXTENSION_BYTES 256

static const struct meaning {
	const char *oid, *name, *clause, *words;
} meanings[] = {
	{ CERT_OID_MASA_URL, "masa-url", "RFC 8995 2.3.2",
	    "where the manufacturer's MASA answers for this device" },
	{ "2.5.29.14", "subject-key-id", "RFC 5280 4.2.1.2", "names the key in this certificate" },
	{ "2.5.29.35", "authority-key-id", "RFC 5280 4.2.1.1",
	    "names the issuer's key; idevid-issuer is made from it" },
	{ "2.5.29.19", "basic-constraints", "RFC 5280 4.2.1.9",
	    "may its key sign other certificates?" },
	{ "2.5.29.15", "key-usage", "RFC 5280 4.2.1.3", "what its key may do" },
	{ "2.5.29.37", "extended-key-usage", "RFC 5280 4.2.1.12",
	    "which roles it is for; absent: any" },
	{ "2.5.29.17", "subject-alt-name", "RFC 5280 4.2.1.6", "further names of its subject" },
	{ "2.5.29.18", "issuer-alt-name", "RFC 5280 4.2.1.7", "further names of its issuer" },
	{ "2.5.29.31", "crl-distribution-points", "RFC 5280 4.2.1.13",
	    "where its issuer says what is revoked" },
	{ "2.5.29.32", "certificate-policies", "RFC 5280 4.2.1.4",
	    "under which rules it was issued" },
	{ "2.5.29.9", "subject-directory-attributes", "RFC 5280 4.2.1.8",
	    "further attributes; a TPM's name the TPM specification" },
	{ "1.3.6.1.5.5.7.1.1", "authority-info-access", "RFC 5280 4.2.2.1",
	    "where its issuer's certificate can be had" },
	{ "2.5.29.20", "crl-number", "RFC 5280 5.2.3", "grows with every list" },
	{ "2.5.29.21", "reason", "RFC 5280 5.3.1", "why it was revoked" },
};

static const struct meaning *
meaning_of(const char *oid)
{
	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
		if (strcmp(meanings[i].oid, oid) == 0)
			return &meanings[i];
	return NULL;
}

/* One line: newlines of OpenSSL's printers become "; ", runs of blanks one. */
static const char *
one_line(struct arena *a, const char *text, size_t n)
{
	char *out = arena_alloc(a, 2 * n + 1);
	size_t len = 0;

	for (size_t i = 0; out != NULL && i < n; i++) {
		if (text[i] == '\n') {
			while (len > 0 && out[len - 1] == ' ')
				len--;
			if (len > 0 && i + 1 < n && out[len - 1] != ':') {
				out[len++] = ';';
				out[len++] = ' ';
			} else if (len > 0 && i + 1 < n) {
				out[len++] = ' ';
			}
		} else if (text[i] != ' ' || (len > 0 && out[len - 1] != ' ')) {
			out[len++] = text[i];
		}
	}
	if (out == NULL)
		return "";
	while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == ';'))
		len--;
	out[len] = '\0';
	return out;
}

/* A value that is one string of ASN.1, as text; MST_NONE for anything else. */
static mst_span
string_inside(struct arena *a, const ASN1_OCTET_STRING *value)
{
	const uint8_t *p = ASN1_STRING_get0_data(value);
	int n = ASN1_STRING_length(value);
	ASN1_TYPE *any = n > 0 ? d2i_ASN1_TYPE(NULL, &p, n) : NULL;
	mst_span out = MST_NONE;
	unsigned char *text = NULL;
	int len;

	if (any != NULL &&
	    (any->type == V_ASN1_IA5STRING || any->type == V_ASN1_UTF8STRING ||
	        any->type == V_ASN1_PRINTABLESTRING) &&
	    (len = ASN1_STRING_to_UTF8(&text, any->value.asn1_string)) >= 0) {
		out = arena_dup(a, mst_span_of(text, (size_t)len));
		OPENSSL_free(text);
	}
	ASN1_TYPE_free(any);
	ERR_clear_error();
	return out;
}

static const char *
extension_text(struct arena *a, X509_EXTENSION *ext)
{
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
	mst_span raw = mst_span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	BIO *mem = BIO_new(BIO_s_mem());
	const char *text = NULL;
	mst_span inside;
	char *at = NULL;
	long n;

	if (mem != NULL && X509V3_EXT_get(ext) != NULL &&
	    X509V3_EXT_print(mem, ext, X509V3_EXT_ERROR_UNKNOWN, 0) == 1) {
		n = BIO_get_mem_data(mem, &at);
		text = one_line(a, at, n > 0 ? (size_t)n : 0);
	} else if ((inside = string_inside(a, value)).ptr != NULL) {
		text = (const char *)inside.ptr;
	} else {
		if (raw.len > EXTENSION_BYTES)
			raw.len = EXTENSION_BYTES;
		text = text_hex(a, raw);
	}
	BIO_free(mem);
	ERR_clear_error();
	return text;
}

static void
report_extensions(struct report *r, const STACK_OF(X509_EXTENSION) *list)
{
	for (int i = 0; i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *ext = sk_X509_EXTENSION_value(list, i);
		bool critical = X509_EXTENSION_get_critical(ext) == 1;
		const struct meaning *m;
		const char *name;
		char oid[128];

		OBJ_obj2txt(oid, sizeof oid, X509_EXTENSION_get_object(ext), 1);
		m = meaning_of(oid);
		name = m != NULL ? m->name : arena_printf(r->a, "extension %s", oid);
		report_text(r, name != NULL ? name : oid,
		    arena_printf(
		        r->a, "%s%s", critical ? "critical: " : "", extension_text(r->a, ext)),
		    m != NULL ? m->clause : "RFC 5280 4.2",
		    m != NULL  ? m->words
		    : critical ? "not known here; critical, so a verifier must refuse it"
		               : "not known here; not critical, so it is passed over");
	}
}

static const char *
algorithm_name(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *oid = NULL;
	static _Thread_local char text[128];

	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	OBJ_obj2txt(text, sizeof text, oid, 0);
	return text;
}

static void
report_number(struct report *r, const char *name, const ASN1_INTEGER *n, const char *clause,
    const char *words)
{
	report_hex(r, name, mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)),
	    clause, words);
}

/* RFC 5280 4.1.2.5. The end of an IDevID is ID-4's business as well. */
static void
check_validity(struct report *r, int64_t from, int64_t to, const char *clause)
{
	const char *now = text_time(r->a, r->o->clock.now);

	if (r->o->clock.trust != MST_CLOCK_TRUSTED)
		report_check(r, "validity", OUTCOME_OPEN, MST_OK, clause,
		    "this machine's clock is not to be trusted: give --now");
	else if (from == MST_NO_TIME || to == MST_NO_TIME)
		report_check(
		    r, "validity", OUTCOME_BAD, MST_E_X509, clause, "a date cannot be read");
	else if (r->o->clock.now < from)
		report_check(r, "validity", OUTCOME_BAD, MST_E_X509_EXPIRED, clause,
		    arena_printf(r->a, "not yet valid at %s", now));
	else if (r->o->clock.now > to)
		report_check(r, "validity", OUTCOME_BAD, MST_E_X509_EXPIRED, clause,
		    arena_printf(r->a, "ended before %s", now));
	else
		report_check(r, "validity", OUTCOME_OK, MST_OK, clause,
		    arena_printf(r->a, "valid at %s", now));
}

/* Which anchor, or why none. Time is a check of its own, so that one fault has one name. */
static void
check_chain(struct report *r, X509 *cert, const STACK_OF(X509) *beside)
{
	static const char clause[] = "RFC 5280 6";
	STACK_OF(X509) *built = NULL;
	X509 *top;
	mst_err e;

	if (r->o->anchors == NULL) {
		report_check(r, "chain", OUTCOME_OPEN, MST_OK, clause,
		    "to whom it chains is not judged without --anchor");
		return;
	}
	r->judged = true;
	e = chain_verify(r->o->anchors, cert, beside, &r->o->clock, CHAIN_NO_LEAF_TIME, &built);
	if (e == MST_OK) {
		top = sk_X509_value(built, sk_X509_num(built) - 1);
		report_check(r, "chain", OUTCOME_OK, MST_OK, clause,
		    arena_printf(r->a, "chains to %s", cert_subject(r->a, top)));
	} else {
		report_verdict(r, "chain", e, clause, "", cert_why());
	}
	sk_X509_pop_free(built, X509_free);
}

static void
check_strength(struct report *r, X509 *cert)
{
	int digest = NID_undef;

	if (cert_strength(cert) == MST_OK) {
		report_check(r, "strength", OUTCOME_OK, MST_OK, "muster CMS-5",
		    "key and signature are strong enough");
		return;
	}
	X509_get_signature_info(cert, &digest, NULL, NULL, NULL);
	/* An anchor's signature on itself protects nothing. */
	report_check(r, "strength",
	    X509_self_signed(cert, 0) == 1 && cert_key_strength(X509_get0_pubkey(cert)) == MST_OK
	        ? OUTCOME_WARN
	        : OUTCOME_BAD,
	    MST_E_X509_WEAK, NULL,
	    digest == NID_sha1  ? "signed with SHA-1, for which collisions can be made"
	    : digest == NID_md5 ? "signed with MD5, which is broken"
	                        : "its key is too small or of a type that is not taken");
}

static void
check_der(struct report *r, X509 *cert)
{
	X509 *again;
	mst_span der;

	if (cert_der(r->a, cert, &der) == MST_OK && cert_parse(der, &again) == MST_OK) {
		X509_free(again);
		return;
	}
	report_check(r, "der", OUTCOME_BAD, MST_E_X509, "RFC 5280 4.1",
	    "its bytes are not the DER of their value");
}

void
inspect_x509(struct report *r, X509 *cert, const STACK_OF(X509) *beside)
{
	int64_t from = time_of(X509_get0_notBefore(cert)), to = time_of(X509_get0_notAfter(cert));
	const X509_ALGOR *alg;
	mst_span spki;
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	X509_get0_signature(NULL, &alg, cert);
	report_text(r, "subject", cert_subject(r->a, cert), "RFC 5280 4.1.2.6",
	    "whom the certificate is about");
	report_text(r, "issuer", text_name(r->a, X509_get_issuer_name(cert)), "RFC 5280 4.1.2.4",
	    X509_self_signed(cert, 0) == 1 ? "itself: a root" : "who signed it");
	report_number(r, "certificate-number", X509_get0_serialNumber(cert), "RFC 5280 4.1.2.2",
	    "given by the issuer; never a device's serial number");
	report_time(r, "not-before", from, "RFC 5280 4.1.2.5", "valid from");
	report_time(r, "not-after", to, "RFC 5280 4.1.2.5",
	    to >= 253402300799 ? "valid until: no end, as RFC 8995 2.6.2 wants of an IDevID"
	                       : "valid until");
	report_text(r, "key", text_key(r->a, X509_get0_pubkey(cert)), "RFC 5280 4.1.2.7",
	    "its subject's key");
	report_text(
	    r, "signature", algorithm_name(alg), "RFC 5280 4.1.1.2", "how the issuer signed it");
	inspect_profile(r, cert);
	report_extensions(r, X509_get0_extensions(cert));
	report_text(r, "sha256", cert_fingerprint(r->a, cert), NULL,
	    "its fingerprint, to compare with another copy");
	if (cert_spki(r->a, cert, &spki) == MST_OK &&
	    EVP_Digest(spki.ptr, spki.len, sum, &n, EVP_sha256(), NULL) == 1)
		report_hex(r, "key-sha256", mst_span_of(sum, n), "RFC 7469 2.4",
		    "the fingerprint of its key, as pinned-domain-pubk-sha256 has it");
	check_der(r, cert);
	check_validity(r, from, to, "RFC 5280 4.1.2.5");
	check_strength(r, cert);
	check_chain(r, cert, beside);
	ERR_clear_error();
}

/* --- requests --- */

static void
check_csr_strength(struct report *r, X509_REQ *csr)
{
	int digest = NID_undef;
	mst_err e = cert_key_strength(X509_REQ_get0_pubkey(csr)) == MST_OK ? MST_OK : MST_E_CSR_KEY;

	if (e == MST_OK &&
	    OBJ_find_sigid_algs(X509_REQ_get_signature_nid(csr), &digest, NULL) == 1 &&
	    (digest == NID_sha1 || digest == NID_md5))
		e = MST_E_CSR_ALGORITHM;
	report_verdict(r, "strength", e, NULL, "key and signature are strong enough", NULL);
}

void
inspect_csr(struct report *r, X509_REQ *csr)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(csr);
	EVP_PKEY *key = X509_REQ_get0_pubkey(csr);
	BASIC_CONSTRAINTS *bc =
	    list != NULL ? X509V3_get_d2i(list, NID_basic_constraints, NULL, NULL) : NULL;
	const X509_ALGOR *alg;

	X509_REQ_get0_signature(csr, NULL, &alg);
	report_text(r, "subject", text_name(r->a, X509_REQ_get_subject_name(csr)), "RFC 2986 4.1",
	    "the name asked for; the CA's policy decides");
	report_text(r, "key", text_key(r->a, key), "RFC 2986 4.1", "the key to be certified");
	report_text(r, "signature", algorithm_name(alg), "RFC 2986 4.2",
	    "proves that the asker holds the key");
	for (int i = 0; i < X509_REQ_get_attr_count(csr); i++) {
		ASN1_OBJECT *oid = X509_ATTRIBUTE_get0_object(X509_REQ_get_attr(csr, i));
		char text[128];

		OBJ_obj2txt(text, sizeof text, oid, 0);
		report_text(r, "attribute", text,
		    OBJ_obj2nid(oid) == NID_pkcs9_challengePassword ? "RFC 7030 3.5"
		                                                    : "RFC 2986 4.1",
		    OBJ_obj2nid(oid) == NID_pkcs9_challengePassword
		        ? "binds the request to one TLS connection, or is a password: not shown"
		        : "sent with the request");
	}
	if (list != NULL)
		report_extensions(r, list);
	report_verdict(r, "signature",
	    key != NULL && X509_REQ_verify(csr, key) == 1 ? MST_OK : MST_E_CSR_POP, NULL,
	    "made with the key in it", NULL);
	check_csr_strength(r, csr);
	report_verdict(r, "end-entity", bc != NULL && bc->ca != 0 ? MST_E_CSR_CA : MST_OK, NULL,
	    "asks for no CA certificate", NULL);
	BASIC_CONSTRAINTS_free(bc);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	ERR_clear_error();
}

/* --- revocation lists --- */

static void
check_crl_signer(struct report *r, X509_CRL *crl)
{
	const STACK_OF(X509) *certs;
	X509 *signer = NULL;

	if (r->o->anchors == NULL) {
		report_check(r, "signature", OUTCOME_OPEN, MST_OK, "RFC 5280 6.3",
		    "not judged without the issuer's certificate: give --anchor");
		return;
	}
	r->judged = true;
	certs = anchors_certs(r->o->anchors);
	for (int i = 0; signer == NULL && i < sk_X509_num(certs); i++) {
		X509 *c = sk_X509_value(certs, i);

		if (X509_NAME_cmp(X509_get_subject_name(c), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(c)) == 1)
			signer = c;
	}
	report_verdict(r, "signature", signer != NULL ? MST_OK : MST_E_X509_CHAIN, "RFC 5280 6.3",
	    "made by the given anchor", "no anchor given has its issuer's name and key");
}

void
inspect_crl(struct report *r, X509_CRL *crl)
{
	int64_t from = time_of(X509_CRL_get0_lastUpdate(crl));
	int64_t to = time_of(X509_CRL_get0_nextUpdate(crl));
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(crl);
	int n = list != NULL ? sk_X509_REVOKED_num(list) : 0;
	const X509_ALGOR *alg;

	X509_CRL_get0_signature(crl, NULL, &alg);
	report_text(r, "issuer", text_name(r->a, X509_CRL_get_issuer(crl)), "RFC 5280 5.1.2.3",
	    "whose certificates it is about");
	report_time(r, "this-update", from, "RFC 5280 5.1.2.4", "issued at");
	report_time(r, "next-update", to, "RFC 5280 5.1.2.5", "stale after");
	report_text(r, "signature", algorithm_name(alg), "RFC 5280 5.1.1.2", "how it is signed");
	report_text(r, "revoked", arena_printf(r->a, "%d", n), "RFC 5280 5.1.2.6",
	    "how many certificates are listed");
	for (int i = 0; i < n && i < 100; i++) {
		X509_REVOKED *one = sk_X509_REVOKED_value(list, i);

		report_number(r, "revoked-number", X509_REVOKED_get0_serialNumber(one),
		    "RFC 5280 5.1.2.6",
		    arena_printf(r->a, "revoked at %s",
		        text_time(r->a, time_of(X509_REVOKED_get0_revocationDate(one)))));
	}
	report_extensions(r, X509_CRL_get0_extensions(crl));
	if (to == MST_NO_TIME)
		report_check(r, "validity", OUTCOME_WARN, MST_E_X509, "RFC 5280 5.1.2.5",
		    "it has no next update, which the profile wants");
	else
		check_validity(r, from, to, "RFC 5280 5.1.2.5");
	check_crl_signer(r, crl);
	ERR_clear_error();
}

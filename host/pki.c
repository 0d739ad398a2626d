/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pki.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "host/cert.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/key.h"

static _Thread_local char why[512];

const char *
pki_why(void)
{
	return why;
}

static mst_err
fail(mst_err e, const char *words, const char *more)
{
	snprintf(
	    why, sizeof why, "%s%s%s", words, more != NULL ? ": " : "", more != NULL ? more : "");
	return e;
}

/* Use the key that is there, or make one where a file could be. */
static mst_err
take_key(const char *uri, EVP_PKEY **out)
{
	const char *path = strncmp(uri, "file:", 5) == 0 ? uri + 5 : uri;
	mst_err e;

	if (strncmp(uri, "pkcs11:", 7) == 0 || access(path, F_OK) == 0)
		e = key_open(uri, out);
	else
		e = key_generate_file(path, out);
	return e == MST_OK ? e : fail(e, uri, key_why());
}

static bool
name_add(X509_NAME *name, const char *field, const char *value)
{
	return value == NULL || X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
	                            (const unsigned char *)value, -1, -1, 0) == 1;
}

static bool
extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* "a.example 192.0.2.1" as "DNS:a.example,IP:192.0.2.1". */
static const char *
san_text(struct arena *a, const char *hosts)
{
	const char *text = "";

	for (const char *p = hosts; text != NULL && *p != '\0';) {
		size_t n = strcspn(p, " ");
		char host[256];
		struct in6_addr six;
		struct in_addr four;

		if (n >= sizeof host || memchr(p, ',', n) != NULL)
			return NULL;
		memcpy(host, p, n);
		host[n] = '\0';
		if (n != 0)
			text = arena_printf(a, "%s%s%s:%s", text, text[0] != '\0' ? "," : "",
			    inet_pton(AF_INET, host, &four) == 1 ||
			            inet_pton(AF_INET6, host, &six) == 1
			        ? "IP"
			        : "DNS",
			    host);
		p += n;
		p += strspn(p, " ");
	}
	return text;
}

static const char *
commas(struct arena *a, const char *words)
{
	char *copy = arena_str(a, mst_span_str(words));

	for (char *p = copy; p != NULL && *p != '\0'; p++)
		if (*p == ' ')
			*p = ',';
	return copy;
}

static bool
set_extensions(struct arena *a, const struct pki_spec *s, X509 *cert, X509 *issuer)
{
	const char *basic = s->path_length < 0
	                        ? "critical,CA:FALSE"
	                        : arena_printf(a, "critical,CA:TRUE,pathlen:%d", s->path_length);

	return basic != NULL && extend(cert, issuer, NID_basic_constraints, basic) &&
	       extend(cert, issuer, NID_key_usage,
	           s->path_length < 0 ? "critical,digitalSignature"
	                              : "critical,keyCertSign,cRLSign") &&
	       extend(cert, issuer, NID_subject_key_identifier, "hash") &&
	       extend(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
	       (s->ekus == NULL || extend(cert, issuer, NID_ext_key_usage, commas(a, s->ekus))) &&
	       (s->hosts == NULL ||
	           (san_text(a, s->hosts) != NULL &&
	               extend(cert, issuer, NID_subject_alt_name, san_text(a, s->hosts))));
}

static bool
set_fields(const struct pki_spec *s, X509 *cert, X509 *issuer, EVP_PKEY *key)
{
	uint8_t number[16];
	BIGNUM *bn = NULL;
	X509_NAME *name = X509_get_subject_name(cert);
	bool ok = RAND_bytes(number, sizeof number) == 1;

	number[0] = (uint8_t)((number[0] & 0x7f) | 0x40);
	ok = ok && (bn = BN_bin2bn(number, sizeof number, NULL)) != NULL &&
	     BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL &&
	     X509_set_version(cert, X509_VERSION_3) == 1 && X509_set_pubkey(cert, key) == 1 &&
	     name_add(name, "O", s->organization) && name_add(name, "CN", s->common_name) &&
	     X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
	     /* an hour back: the other end's clock may be behind */
	     ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(clock_wall() - 3600)) != NULL &&
	     (s->seconds != 0
	             ? ASN1_TIME_set(
	                   X509_getm_notAfter(cert), (time_t)(clock_wall() + s->seconds)) != NULL
	             : ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "99991231235959Z") == 1);
	BN_free(bn);
	return ok;
}

static mst_err
write_cert(struct arena *a, const struct pki_spec *s, X509 *cert)
{
	mst_span pem, more = MST_NONE;
	struct mst_buf both;
	mst_err e = cert_pem(a, cert, &pem);

	if (e == MST_OK && s->append_issuer && s->issuer != NULL)
		e = cert_pem(a, s->issuer->cert, &more);
	both = arena_buf(a, pem.len + more.len);
	if (e == MST_OK && (e = mst_buf_put(&both, pem)) == MST_OK && more.ptr != NULL)
		e = mst_buf_put(&both, more);
	if (e == MST_OK)
		e = file_write_new(s->cert_path, mst_buf_span(&both), 0644);
	return e == MST_OK ? e : fail(e, s->cert_path, file_why());
}

mst_err
pki_make(struct arena *a, const struct pki_spec *s, struct pki_identity *out)
{
	struct pki_identity i = { NULL, NULL };
	X509 *issuer;
	mst_err e;

	if (access(s->cert_path, F_OK) == 0)
		return fail(MST_E_CONFLICT, s->cert_path, "is there already");
	if ((e = take_key(s->key_uri, &i.key)) != MST_OK)
		return e;
	e = MST_E_NOMEM;
	if ((i.cert = X509_new()) == NULL)
		goto out;
	issuer = s->issuer != NULL ? s->issuer->cert : i.cert;
	if (!set_fields(s, i.cert, issuer, i.key) || !set_extensions(a, s, i.cert, issuer)) {
		e = fail(MST_E_USAGE, s->common_name, "a name or host in it cannot be certified");
		goto out;
	}
	if (X509_sign(i.cert, s->issuer != NULL ? s->issuer->key : i.key, EVP_sha256()) <= 0)
		e = fail(MST_E_KEY_SIGN, s->cert_path, "the issuing key did not sign");
	else
		e = write_cert(a, s, i.cert);
out:
	if (e == MST_OK)
		*out = i;
	else
		pki_wipe(&i);
	return e;
}

void
pki_wipe(struct pki_identity *i)
{
	EVP_PKEY_free(i->key);
	X509_free(i->cert);
	*i = (struct pki_identity){ NULL, NULL };
}

mst_err
pki_csr_new(struct arena *a, const char *key_path, mst_span *der)
{
	EVP_PKEY *key = NULL;
	X509_REQ *req = X509_REQ_new();
	uint8_t *bytes = NULL;
	int n = -1;
	mst_err e = key_generate_file(key_path, &key);

	if (e != MST_OK)
		fail(e, key_path, key_why());
	else if (req == NULL || X509_REQ_set_pubkey(req, key) != 1 ||
	         X509_REQ_sign(req, key, EVP_sha256()) <= 0 || (n = i2d_X509_REQ(req, &bytes)) <= 0)
		e = MST_E_KEY_SIGN;
	else if ((*der = arena_dup(a, mst_span_of(bytes, (size_t)n))).ptr == NULL)
		e = MST_E_NOMEM;
	OPENSSL_free(bytes);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	return e;
}

mst_err
pki_csr_der(struct arena *a, mst_span pem_or_der, mst_span *der)
{
	const uint8_t *p = pem_or_der.ptr;
	BIO *bio = BIO_new_mem_buf(pem_or_der.ptr, (int)pem_or_der.len);
	X509_REQ *req = bio != NULL ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	uint8_t *bytes = NULL;
	int n;
	mst_err e = MST_E_CSR_PARSE;

	if (req == NULL)
		req = d2i_X509_REQ(NULL, &p, (long)pem_or_der.len);
	if (req != NULL && (n = i2d_X509_REQ(req, &bytes)) > 0) {
		*der = arena_dup(a, mst_span_of(bytes, (size_t)n));
		e = der->ptr != NULL ? MST_OK : MST_E_NOMEM;
	}
	OPENSSL_free(bytes);
	X509_REQ_free(req);
	BIO_free(bio);
	return e;
}

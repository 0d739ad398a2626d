/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "unit/keys/support_pki.h"

static char dir[64];

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

const char *
tpki_dir(void)
{
	if (dir[0] == 0) {
		snprintf(dir, sizeof dir, "/tmp/muster-pki-XXXXXX");
		MUST(mkdtemp(dir) != NULL);
	}
	return dir;
}

void
tpki_clean(void)
{
	if (dir[0] != 0)
		(void)tpki_run(NULL, "rm -rf '%s'", dir);
	dir[0] = 0;
}

const char *
tpki_path(const char *name, const char *ext)
{
	static char text[8][256];
	static unsigned at;
	char *p = text[at++ % 8];

	snprintf(p, sizeof text[0], "%s/%s.%s", tpki_dir(), name, ext);
	return p;
}

void
tpki_write(const char *name, const char *ext, mst_span bytes)
{
	FILE *f = fopen(tpki_path(name, ext), "wb");

	MUST(f != NULL && fwrite(bytes.ptr, 1, bytes.len, f) == bytes.len && fclose(f) == 0);
}

int
tpki_run(const char **text, const char *fmt, ...)
{
	static char out[65536];
	char command[4096];
	va_list ap;
	FILE *f;
	size_t n;
	int rc;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command - 8, fmt, ap);
	va_end(ap);
	strcat(command, " 2>&1");
	MUST((f = popen(command, "r")) != NULL);
	n = fread(out, 1, sizeof out - 1, f);
	out[n] = 0;
	rc = pclose(f);
	if (text != NULL)
		*text = out;
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : 255;
}

static void
ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	MUST((e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) != NULL);
	MUST(X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

X509 *
tpki_cert(const char *name)
{
	FILE *f = fopen(tpki_path(name, "pem"), "r");
	X509 *x;

	MUST(f != NULL && (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL);
	fclose(f);
	return x;
}

EVP_PKEY *
tpki_key(const char *name)
{
	FILE *f = fopen(tpki_path(name, "key"), "r");
	EVP_PKEY *k;

	MUST(f != NULL && (k = PEM_read_PrivateKey(f, NULL, NULL, NULL)) != NULL);
	fclose(f);
	return k;
}

static void
write_key(const char *name, EVP_PKEY *key)
{
	int fd = open(tpki_path(name, "key"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	FILE *f;

	MUST(fd >= 0 && (f = fdopen(fd, "w")) != NULL);
	MUST(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
}

void
tpki_make(const struct tpki_spec *s)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", s->group != NULL ? s->group : "P-256");
	EVP_PKEY *signer = s->issuer != NULL ? tpki_key(s->issuer) : key;
	X509 *issuer = s->issuer != NULL ? tpki_cert(s->issuer) : NULL, *x = X509_new();
	const char *cn = s->cn != NULL ? s->cn : s->name;
	X509_NAME *name = X509_NAME_new();
	static long serial = 1000;
	FILE *f;

	MUST(key != NULL && x != NULL && name != NULL);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name);
	X509_time_adj_ex(X509_getm_notBefore(x), s->to == 0 ? -1 : (int)s->from, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(x), s->to == 0 ? 3650 : (int)s->to, 0, NULL);
	X509_set_pubkey(x, key);
	ext(x, issuer != NULL ? issuer : x, NID_basic_constraints, s->constraints);
	ext(x, issuer != NULL ? issuer : x, NID_key_usage, s->usage);
	ext(x, issuer != NULL ? issuer : x, NID_ext_key_usage, s->ekus);
	ext(x, issuer != NULL ? issuer : x, NID_subject_key_identifier, "hash");
	ext(x, issuer != NULL ? issuer : x, NID_authority_key_identifier, "keyid");
	MUST(X509_sign(x, signer, EVP_sha256()) > 0);
	write_key(s->name, key);
	MUST((f = fopen(tpki_path(s->name, "pem"), "w")) != NULL && PEM_write_X509(f, x) == 1);
	if (s->pathlen_chain != 0)
		MUST(PEM_write_X509(f, issuer) == 1);
	fclose(f);
	X509_NAME_free(name);
	X509_free(x);
	X509_free(issuer);
	if (signer != key)
		EVP_PKEY_free(signer);
	EVP_PKEY_free(key);
}

void
tpki_usual(void)
{
	static const struct tpki_spec usual[] = {
		{ .name = "root",
		    .constraints = "critical,CA:TRUE",
		    .usage = "critical,keyCertSign,cRLSign" },
		{ .name = "idevidca",
		    .constraints = "critical,CA:TRUE",
		    .usage = "critical,keyCertSign" },
		{ .name = "rvr",
		    .issuer = "root",
		    .usage = "critical,digitalSignature",
		    .ekus = "1.3.6.1.5.5.7.3.28,serverAuth,clientAuth",
		    .pathlen_chain = 1 },
		{ .name = "short",
		    .issuer = "idevidca",
		    .usage = "critical,digitalSignature",
		    .pathlen_chain = 1 },
		{ .name = "long",
		    .issuer = "idevidca",
		    .usage = "critical,digitalSignature",
		    .pathlen_chain = 1 },
	};

	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		tpki_make(&usual[i]);
}

mst_span
tpki_spki(const char *kind)
{
	static unsigned char der[2048];
	unsigned char *p = der;
	EVP_PKEY *k;
	int n;

	if (strncmp(kind, "RSA:", 4) == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 4));
	else if (strcmp(kind, "ED25519") == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
	MUST(k != NULL && (n = i2d_PUBKEY(k, NULL)) > 0 && n <= (int)sizeof der);
	i2d_PUBKEY(k, &p);
	EVP_PKEY_free(k);
	return mst_span_of(der, (size_t)n);
}

mst_span
tpki_name(const char *cn)
{
	static unsigned char der[512];
	unsigned char *p = der;
	X509_NAME *name = X509_NAME_new();
	int n;

	MUST(name != NULL);
	if (cn[0] != 0)
		X509_NAME_add_entry_by_txt(
		    name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	MUST((n = i2d_X509_NAME(name, NULL)) > 0 && n <= (int)sizeof der);
	i2d_X509_NAME(name, &p);
	X509_NAME_free(name);
	return mst_span_of(der, (size_t)n);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "host/algorithms.h"
#include "host/file.h"
#include "host/key_internal.h"

static _Thread_local char why[512];

const char *
key_why(void)
{
	return why;
}

mst_err
key_step(const struct key_opening *o, const char *step, mst_err e, const char *fmt, ...)
{
	char detail[384];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	if (e != MST_OK)
		snprintf(why, sizeof(why), "%s: %s", step, detail);
	if (o->fn != NULL)
		o->fn(o->arg, step, e, detail);
	return e;
}

const char *
key_openssl_words(char *out, size_t cap)
{
	unsigned long first = ERR_get_error();
	const char *reason = first == 0 ? NULL : ERR_reason_error_string(first);

	if (reason != NULL)
		snprintf(out, cap, "%s", reason);
	else if (first != 0)
		ERR_error_string_n(first, out, cap);
	else
		snprintf(out, cap, "no reason given");
	ERR_clear_error();
	return out;
}

static mst_err
read_into(const struct key_opening *o, int fd, const char *path, struct mst_buf *out)
{
	ssize_t n;

	while (out->len < out->cap - 1) {
		n = read(fd, out->ptr + out->len, out->cap - 1 - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return key_step(
			    o, "read file", MST_E_KEY_OPEN, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		out->len += (size_t)n;
	}
	if (out->len == out->cap - 1)
		return key_step(o, "read file", MST_E_KEY_OPEN, "%s is too large", path);
	out->ptr[out->len] = '\0';
	return MST_OK;
}

mst_err
key_read_secret(const struct key_opening *o, const char *path, struct mst_buf *out)
{
	/* Not blocking: a FIFO in its place must not hang a daemon's start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	mst_err e;

	if (fd < 0 || fstat(fd, &st) != 0) {
		e = key_step(o, "open file", MST_E_KEY_OPEN, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		e = key_step(o, "open file", MST_E_KEY_OPEN, "%s is not a regular file", path);
		goto out;
	}
	key_step(o, "open file", MST_OK, "%s", path);
	/* SEC-6: judged on the open file, whoever owns it, so that nothing can be swapped in
	 * between. */
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		e = key_step(o, "check permissions", MST_E_KEY_PERMISSIONS,
		    "%s has mode %04o: others than its owner have access; chmod 600 it", path,
		    (unsigned)st.st_mode & 07777);
		goto out;
	}
	key_step(o, "check permissions", MST_OK, "mode %04o", (unsigned)st.st_mode & 07777);
	e = read_into(o, fd, path, out);
out:
	if (fd >= 0)
		close(fd);
	return e;
}

/* Called only for an encrypted key: remember that, and give no passphrase. */
static int
refuse_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(int *)arg = 1;
	return -1;
}

static mst_err
open_file(const struct key_opening *o, const char *path, EVP_PKEY **out)
{
	uint8_t text[32768];
	struct mst_buf b = MST_BUF(text);
	int encrypted = 0;
	char words[128];
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	mst_err e;

	if (*path == '\0')
		return key_step(o, "parse URI", MST_E_KEY_URI, "the path is empty");
	key_step(o, "parse URI", MST_OK, "a file");
	if ((e = key_read_secret(o, path, &b)) != MST_OK)
		goto out;
	if ((bio = BIO_new_mem_buf(b.ptr, (int)b.len)) != NULL)
		key = algorithms_read_key(bio, refuse_passphrase, &encrypted);
	if (key == NULL && encrypted)
		e = key_step(o, "read key", MST_E_KEY_OPEN,
		    "%s is encrypted with a passphrase, which a daemon cannot type; decrypt it "
		    "(openssl pkey) or keep the key in a token (pkcs11:)",
		    path);
	else if (key == NULL)
		e = key_step(o, "read key", MST_E_KEY_OPEN, "%s holds no PEM private key: %s", path,
		    key_openssl_words(words, sizeof(words)));
	else
		key_step(o, "read key", MST_OK, "%s, %d bits", EVP_PKEY_get0_type_name(key),
		    EVP_PKEY_get_bits(key));
	ERR_clear_error();
	if (e == MST_OK)
		*out = key;
out:
	BIO_free(bio);
	mst_wipe(text, sizeof(text));
	return e;
}

/* Length of "scheme" in "scheme:...", 0 where the text is a path. */
static size_t
scheme_len(const char *uri)
{
	size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	return uri[n] == ':' ? n : 0;
}

static mst_err
open_any(const struct key_opening *o, EVP_PKEY **out)
{
	size_t n = scheme_len(o->uri);
	const char *rest = o->uri + n + 1;

	if (n == 0)
		return open_file(o, o->uri, out);
	if (n == 4 && strncmp(o->uri, "file", 4) == 0) {
		/* RFC 8089: file:///path has an empty host; file://host/path is somewhere else. */
		if (strncmp(rest, "///", 3) == 0)
			rest += 2;
		else if (strncmp(rest, "//", 2) == 0)
			return key_step(o, "parse URI", MST_E_KEY_URI,
			    "file URIs with a host are not understood");
		return open_file(o, rest, out);
	}
	if (n == 6 && strncmp(o->uri, "pkcs11", 6) == 0)
		return key_open_pkcs11(o, out);
	if (n == 4 && strncmp(o->uri, "tpm2", 4) == 0)
		return key_step(o, "parse URI", MST_E_UNSUPPORTED,
		    "this build has no tpm2: keys; use pkcs11: with tpm2-pkcs11");
	return key_step(o, "parse URI", MST_E_KEY_URI,
	    "\"%.*s:\" is not a kind of key; use a path, file:PATH or pkcs11:...", (int)n, o->uri);
}

mst_err
key_open(const char *uri, EVP_PKEY **out)
{
	struct key_opening o = { uri, NULL, NULL };

	return open_any(&o, out);
}

/* Hash to sign with; Ed25519 and Ed448 bring their own. */
static const EVP_MD *
digest_for(EVP_PKEY *key)
{
	int id = EVP_PKEY_get_base_id(key);

	return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? NULL : EVP_sha256();
}

#define CHALLENGE_LEN 32
#define SIGNATURE_MAX 1024 /* RSA of 8192 bits */

static mst_err
sign(const struct key_opening *o, EVP_PKEY *key, const uint8_t *challenge, uint8_t *sig,
    size_t *sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char words[128];
	int ok;

	*sig_len = SIGNATURE_MAX;
	ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, digest_for(key), NULL, key) == 1 &&
	     EVP_DigestSign(ctx, sig, sig_len, challenge, CHALLENGE_LEN) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return key_step(
		    o, "sign", MST_E_KEY_SIGN, "%s", key_openssl_words(words, sizeof(words)));
	return key_step(o, "sign", MST_OK, "%zu bytes", *sig_len);
}

static mst_err
verify(const struct key_opening *o, EVP_PKEY *pub, const uint8_t *challenge, const uint8_t *sig,
    size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx != NULL && pub != NULL &&
	         EVP_DigestVerifyInit(ctx, NULL, digest_for(pub), NULL, pub) == 1 &&
	         EVP_DigestVerify(ctx, sig, sig_len, challenge, CHALLENGE_LEN) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return key_step(o, "verify", MST_E_KEY_MISMATCH,
		    "the signature does not verify with the public key");
	return key_step(o, "verify", MST_OK, "the public key agrees");
}

static mst_err
sign_and_verify(const struct key_opening *o, EVP_PKEY *key, EVP_PKEY *pub)
{
	uint8_t challenge[CHALLENGE_LEN], sig[SIGNATURE_MAX];
	size_t sig_len = 0;
	mst_err e;

	if (RAND_bytes(challenge, sizeof(challenge)) != 1)
		return key_step(o, "sign", MST_E_RANDOM, "no random bytes");
	if (EVP_PKEY_get_size(key) > SIGNATURE_MAX)
		return key_step(o, "sign", MST_E_KEY_SIGN, "the key is too large");
	if ((e = sign(o, key, challenge, sig, &sig_len)) != MST_OK)
		return e;
	return verify(o, pub, challenge, sig, sig_len);
}

mst_err
key_matches(EVP_PKEY *key, X509 *cert)
{
	struct key_opening o = { "", NULL, NULL };
	EVP_PKEY *pub = X509_get0_pubkey(cert);

	if (pub == NULL || EVP_PKEY_get_base_id(pub) != EVP_PKEY_get_base_id(key))
		return key_step(
		    &o, "verify", MST_E_KEY_MISMATCH, "key and certificate are of different types");
	return sign_and_verify(&o, key, pub);
}

mst_err
key_generate_file(const char *path, EVP_PKEY **out)
{
	struct key_opening o = { path, NULL, NULL };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long len;
	mst_err e;

	if (key == NULL || bio == NULL ||
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    (len = BIO_get_mem_data(bio, &text)) <= 0) {
		ERR_clear_error();
		e = key_step(&o, "generate", MST_E_KEY_SIGN, "OpenSSL made no key");
		goto out;
	}
	e = file_write_new(path, mst_span_of(text, (size_t)len), 0600);
	if (e != MST_OK) {
		key_step(&o, "write file", e, "%s", file_why());
		goto out;
	}
	*out = key;
	key = NULL;
out:
	BIO_free(bio); /* wipes */
	EVP_PKEY_free(key);
	return e;
}

/* The public half by itself, so that software verifies what a token signed. */
static EVP_PKEY *
public_of(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	const unsigned char *p = der;
	EVP_PKEY *pub = len > 0 ? d2i_PUBKEY(NULL, &p, len) : NULL;

	OPENSSL_free(der);
	return pub;
}

mst_err
key_test(const char *uri, key_step_fn fn, void *arg)
{
	struct key_opening o = { uri, fn, arg };
	EVP_PKEY *key = NULL, *pub;
	mst_err e = open_any(&o, &key);

	if (e != MST_OK)
		return e;
	pub = public_of(key);
	e = sign_and_verify(&o, key, pub);
	EVP_PKEY_free(pub);
	EVP_PKEY_free(key);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "host/suit/suit_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/openssl/suit_openssl.h"
#include "host/cert.h"
#include "host/clock.h"
#include "host/file.h"
#include "host/hss_signer.h"
#include "host/key.h"
#include "host/suit/suit_value.h"
#include "muster/cbor.h"

#define KEY_BYTES 65536u
#define CERTS_BYTES (1u << 18)

static mst_err
say(mst_err e, const char *path, const char *words)
{
	suit_author_say("%s: %s", path, words);
	return e;
}

/* --- reading --- */

/* A secret: only its owner may read the file (SEC-6), and it does not go to an arena. */
static mst_err
read_secret(const char *path, struct suit_key *k)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;
	mst_err e = MST_E_KEY_OPEN;

	if (fd < 0 || fstat(fd, &st) != 0) {
		e = say(e, path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > KEY_BYTES) {
		e = say(e, path, "no regular file of a key's size");
		goto out;
	}
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		e = say(
		    MST_E_KEY_PERMISSIONS, path, "others than its owner have access; chmod 600 it");
		goto out;
	}
	k->store = malloc(KEY_BYTES);
	if (k->store == NULL) {
		e = MST_E_NOMEM;
		goto out;
	}
	while ((n = read(fd, k->store + k->store_len, KEY_BYTES - k->store_len)) > 0)
		k->store_len += (size_t)n;
	e = n < 0 ? say(MST_E_KEY_OPEN, path, strerror(errno)) : MST_OK;
	if (e == MST_OK && k->store_len == 0)
		e = say(MST_E_KEY_OPEN, path, "it is empty");
out:
	if (fd >= 0)
		close(fd);
	return e;
}

static void
name_by_spki(struct arena *a, struct suit_key *k)
{
	uint8_t sum[32], *der = NULL;
	int n = i2d_PUBKEY(k->pkey, &der);

	if (n > 0 && EVP_Digest(der, (size_t)n, sum, NULL, EVP_sha256(), NULL) == 1)
		k->spki_kid = arena_dup(a, mst_span_of(sum, sizeof sum));
	OPENSSL_free(der);
}

static mst_err
take_cose_key(struct arena *a, const char *path, mst_span bytes, struct suit_key *k)
{
	struct cose_key key;
	mst_err e = cose_key_decode(a, bytes, &key);

	if (e != MST_OK)
		return say(e, path, "no COSE_Key that is known here");
	k->kid = key.kid.ptr != NULL ? arena_dup(a, key.kid) : MST_NONE;
	k->alg = key.alg;
	if (key.kty == COSE_KTY_SYMMETRIC) {
		k->secret = key.k;
		return MST_OK;
	}
	if (key.kty == COSE_KTY_HSS_LMS) {
		k->hss_public = arena_dup(a, key.pub);
		return MST_OK;
	}
	e = cose_key_to_pkey(&key, &k->pkey);
	return e == MST_OK ? e : say(e, path, "the COSE_Key is no usable key");
}

mst_err
suit_key_private(struct arena *a, const char *word, struct suit_key *out)
{
	mst_span text = mst_span_str(word), rest;
	struct suit_key k = { 0 };
	mst_err e;

	if (value_prefix(text, "hss:", &rest)) {
		e = hss_signer_open((const char *)rest.ptr, 0, &k.hss);
		if (e != MST_OK)
			suit_author_say("%s", hss_why());
		else
			k.hss_public = hss_signer_public(k.hss);
	} else if (value_prefix(text, "secret:", &rest)) {
		if ((e = read_secret((const char *)rest.ptr, &k)) == MST_OK)
			k.secret = mst_span_of(k.store, k.store_len);
	} else if (value_prefix(text, "cose:", &rest)) {
		if ((e = read_secret((const char *)rest.ptr, &k)) == MST_OK)
			e = take_cose_key(a, word, mst_span_of(k.store, k.store_len), &k);
	} else if ((e = key_open(word, &k.pkey)) != MST_OK) {
		suit_author_say("%s", key_why());
	}
	if (e == MST_OK && k.pkey != NULL)
		name_by_spki(a, &k);
	if (e != MST_OK)
		suit_key_close(&k);
	else
		*out = k;
	return e;
}

/* A public key or certificate in PEM; of several certificates the first. */
static mst_err
take_pem(const char *path, mst_span pem, struct suit_key *k)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	STACK_OF(X509) *list = NULL;
	mst_err e = MST_OK;

	if (bio != NULL)
		k->pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (k->pkey == NULL && cert_list(pem, &list) == MST_OK) {
		k->cert = sk_X509_shift(list);
		k->pkey = X509_get_pubkey(k->cert);
		sk_X509_pop_free(list, X509_free);
	}
	if (k->pkey == NULL)
		e = say(MST_E_KEY_OPEN, path,
		    "neither public key nor certificate in PEM, COSE_Key, nor HSS-LMS key");
	ERR_clear_error();
	return e;
}

mst_err
suit_key_public(struct arena *a, const char *word, struct suit_key *out)
{
	mst_span bytes, rest;
	struct suit_key k = { 0 };
	mst_err e;

	if (value_prefix(mst_span_str(word), "secret:", &rest))
		return suit_key_private(a, word, out);
	if (value_prefix(mst_span_str(word), "cose:", &rest))
		word = (const char *)rest.ptr;
	if ((e = file_read(a, word, KEY_BYTES, &bytes)) != MST_OK) {
		suit_author_say("%s", file_why());
		return e == MST_E_SPACE ? MST_E_KEY_OPEN : e;
	}
	if (bytes.len == MST_HSS_PUBLIC_LEN && bytes.ptr[0] == 0)
		k.hss_public = bytes;
	else if (bytes.len > 0 && bytes.ptr[0] >> 5 == 5)
		e = take_cose_key(a, word, bytes, &k);
	else
		e = take_pem(word, bytes, &k);
	if (e == MST_OK && k.pkey != NULL)
		name_by_spki(a, &k);
	if (e != MST_OK)
		suit_key_close(&k);
	else
		*out = k;
	return e;
}

void
suit_key_close(struct suit_key *k)
{
	EVP_PKEY_free(k->pkey);
	X509_free(k->cert);
	hss_signer_close(k->hss);
	if (k->store != NULL)
		mst_wipe(k->store, k->store_len);
	free(k->store);
	*k = (struct suit_key){ 0 };
}

mst_err
suit_key_named(struct arena *a, const char *text, mst_span *kid, const char **word)
{
	const char *equals = strchr(text, '='), *slash = strchr(text, '/');
	struct suit_values v = { .a = a };

	*kid = MST_NONE;
	*word = text;
	/* pkcs11:token=...;object=... and paths with = in them have no kid before */
	if (equals == NULL || equals == text || (slash != NULL && slash < equals) ||
	    strncmp(text, "pkcs11:", 7) == 0)
		return MST_OK;
	*word = equals + 1;
	return value_bytes(&v, mst_span_of(text, (size_t)(equals - text)), VALUE_PLAIN, kid);
}

mst_err
suit_key_certify(struct arena *a, struct suit_key *k, const char *path)
{
	mst_span pem;
	mst_err e = file_read(a, path, CERTS_BYTES, &pem);

	if (e != MST_OK) {
		suit_author_say("%s", file_why());
		return e;
	}
	e = k->pkey == NULL ? MST_E_KEY_MISMATCH : cose_x5chain(a, pem, k->pkey, &k->x5chain);
	if (e != MST_OK)
		suit_author_say("%s: %s", path, mst_err_info(e)->sentence);
	return e;
}

/* --- uses --- */

mst_err
suit_key_signer(const struct suit_key *k, int32_t alg, mst_span kid, struct cose_signer *out)
{
	int32_t usual = k->alg;

	if (usual == 0 && k->pkey != NULL)
		usual = cose_signer_alg(k->pkey);
	else if (usual == 0 && k->hss != NULL)
		usual = MST_SUIT_HSS_LMS;
	else if (usual == 0 && k->secret.ptr != NULL)
		usual = MST_SUIT_HMAC256;
	if (alg == 0)
		alg = usual;
	if (alg == 0 || (mst_suit_mac_len(alg) != 0) != (k->secret.ptr != NULL) ||
	    (alg == MST_SUIT_HSS_LMS) != (k->hss != NULL)) {
		suit_author_say("the key does not sign with this algorithm");
		return MST_E_FW_KEY;
	}
	if (k->secret.ptr != NULL && k->secret.len < mst_suit_mac_len(alg)) {
		suit_author_say("a secret of %zu bytes; this HMAC takes %zu or more", k->secret.len,
		    mst_suit_mac_len(alg));
		return MST_E_FW_KEY;
	}
	*out = (struct cose_signer){ .alg = alg,
		.kid = kid.ptr != NULL ? kid : k->kid,
		.x5chain = k->x5chain,
		.key = k->pkey,
		.hss = k->hss,
		.secret = k->secret };
	return MST_OK;
}

mst_err
suit_key_recipient(const struct suit_key *k, mst_span kid, struct cose_recipient *out)
{
	int32_t alg = k->alg;

	if (alg == 0 && k->secret.ptr != NULL)
		alg = k->secret.len == 16   ? MST_SUIT_A128KW
		      : k->secret.len == 24 ? MST_SUIT_A192KW
		      : k->secret.len == 32 ? MST_SUIT_A256KW
		                            : 0;
	if (alg == 0 && k->pkey != NULL &&
	    (EVP_PKEY_is_a(k->pkey, "X25519") || EVP_PKEY_is_a(k->pkey, "EC")))
		alg = MST_SUIT_ECDH_ES_A128KW;
	if (alg == 0) {
		suit_author_say("nobody can be sent a key with this one");
		return MST_E_FW_RECIPIENT;
	}
	*out = (struct cose_recipient){
		.alg = alg, /* a certificate is a device's: it knows its key by this name */
		.kid = kid.ptr != NULL      ? kid
		       : k->kid.ptr != NULL ? k->kid
		       : k->cert != NULL    ? k->spki_kid
		                            : MST_NONE,
		.kek = k->secret,
		.key = k->pkey
	};
	return MST_OK;
}

mst_err
suit_key_row(struct arena *a, const struct suit_key *k, enum mst_suit_usage usage,
    uint8_t authority, struct mst_suit_key *row)
{
	struct cose_key key = { .alg = k->alg, .kid = k->kid };
	mst_err e = MST_OK;

	if (k->secret.ptr != NULL) {
		key.kty = COSE_KTY_SYMMETRIC;
		key.k = k->secret;
	} else if (k->hss_public.ptr != NULL) {
		key.kty = COSE_KTY_HSS_LMS;
		key.pub = k->hss_public;
	} else if ((e = cose_key_from_pkey(a, k->pkey, &key)) != MST_OK) {
		suit_author_say("a key of this kind is not known to SUIT");
		return MST_E_FW_KEY;
	}
	key.alg = k->alg;
	key.kid = k->kid;
	if ((e = cose_key_row(a, &key, usage, authority, row)) != MST_OK) {
		suit_author_say("the key does not serve this use");
		return e;
	}
	/* a private key on a token has no part that could be laid out */
	if (k->pkey != NULL && (usage == MST_SUIT_USE_ECDH || usage == MST_SUIT_USE_MAC_KEK))
		row->handle = k->pkey;
	return MST_OK;
}

mst_span
suit_block_kid(mst_span block)
{
	struct mst_cbor_reader r, h;
	mst_span kid = MST_NONE;
	int64_t key;

	mst_cbor_init(&r, block);
	if (mst_cbor_peek(&r) == MST_CBOR_TAG)
		(void)mst_cbor_tag(&r);
	mst_cbor_array(&r);
	for (int i = 0; i < 2; i++) {
		mst_cbor_init(&h, i == 0 ? mst_cbor_bytes(&r) : mst_cbor_raw(&r));
		mst_cbor_map(&h);
		while (mst_cbor_key(&h, &key))
			if (key == 4 && mst_cbor_peek(&h) == MST_CBOR_BYTES)
				kid = mst_cbor_bytes(&h);
			else
				mst_cbor_skip(&h);
	}
	return r.err == MST_OK ? kid : MST_NONE;
}

bool
suit_key_verifies(struct arena *a, const struct suit_key *k, mst_span digest, mst_span block)
{
	enum mst_suit_usage usage =
	    k->secret.ptr != NULL ? MST_SUIT_USE_MAC_MANIFEST : MST_SUIT_USE_SIGN_MANIFEST;
	struct mst_suit_key row;
	const struct mst_suit_keys keys = { &row, 1 };
	struct mst_suit_auth auth;

	if (suit_key_row(a, k, usage, 0, &row) != MST_OK)
		return false;
	row.kid = suit_block_kid(block);
	mst_suit_auth_begin(&auth, suit_openssl(), &keys, digest);
	return mst_suit_auth_block(&auth, block) == MST_OK && auth.verified != 0;
}

/* --- signers with certificates --- */

#define LABEL_X5CHAIN 33
#define CHAIN_MAX 10

bool
suit_key_is_ca(const struct suit_key *k)
{
	return k->cert != NULL && X509_check_ca(k->cert) > 0;
}

/* Of the protected header: what is not signed may have been put there by anybody. */
static mst_span
x5chain_of(mst_span block)
{
	struct mst_cbor_reader r, h;
	mst_span chain = MST_NONE;
	int64_t label;

	mst_cbor_init(&r, block);
	if (mst_cbor_peek(&r) != MST_CBOR_TAG || mst_cbor_tag(&r) != 18)
		return MST_NONE;
	mst_cbor_array(&r);
	mst_cbor_init(&h, mst_cbor_bytes(&r));
	mst_cbor_map(&h);
	while (mst_cbor_key(&h, &label)) {
		mst_span raw = mst_cbor_raw(&h);

		if (label == LABEL_X5CHAIN && h.err == MST_OK)
			chain = raw;
	}
	return chain;
}

/* COSE_X509: one certificate, or an array, the signer's first. */
static STACK_OF(X509) *
certs_of(mst_span chain)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	struct mst_cbor_reader r;
	bool many;
	X509 *cert;

	mst_cbor_init(&r, chain);
	many = mst_cbor_peek(&r) == MST_CBOR_ARRAY;
	if (many)
		mst_cbor_array(&r);
	while (list != NULL && mst_cbor_more(&r) && sk_X509_num(list) < CHAIN_MAX) {
		if (cert_parse(mst_cbor_bytes(&r), &cert) != MST_OK)
			break;
		if (sk_X509_push(list, cert) <= 0)
			X509_free(cert);
	}
	return list;
}

EVP_PKEY *
suit_key_below(const struct suit_key *anchor, mst_span block)
{
	mst_span chain = x5chain_of(block);
	STACK_OF(X509) *list, *one = sk_X509_new_null();
	struct mst_clock clock = clock_now();
	struct anchors *anchors = NULL;
	EVP_PKEY *key = NULL;
	X509 *leaf;

	list = chain.ptr != NULL && suit_key_is_ca(anchor) ? certs_of(chain) : NULL;
	leaf = list != NULL && sk_X509_num(list) > 0 ? sk_X509_value(list, 0) : NULL;
	if (leaf != NULL && one != NULL && sk_X509_push(one, anchor->cert) > 0 &&
	    anchors_from_stack(one, &anchors) == MST_OK &&
	    cert_has_eku(leaf, CERT_OID_CODE_SIGNING) &&
	    chain_verify(anchors, leaf, list, &clock, 0, NULL) == MST_OK)
		key = X509_get_pubkey(leaf);
	anchors_free(anchors);
	sk_X509_free(one);
	sk_X509_pop_free(list, X509_free);
	ERR_clear_error();
	return key;
}

/* --- making --- */

bool
suit_key_kind_find(const char *word, enum suit_key_kind *out)
{
	static const struct {
		const char *word;
		enum suit_key_kind kind;
	} kinds[] = { { "es256", SUIT_MAKE_P256 }, { "esp256", SUIT_MAKE_P256 },
		{ "ecdh", SUIT_MAKE_P256 }, { "es384", SUIT_MAKE_P384 },
		{ "es512", SUIT_MAKE_P521 }, { "ed25519", SUIT_MAKE_ED25519 },
		{ "x25519", SUIT_MAKE_X25519 }, { "hss-lms", SUIT_MAKE_HSS },
		{ "hmac-256", SUIT_MAKE_SECRET32 }, { "a128kw", SUIT_MAKE_SECRET16 },
		{ "a256kw", SUIT_MAKE_SECRET32 } };

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].word, word) == 0) {
			*out = kinds[i].kind;
			return true;
		}
	return false;
}

static mst_err
write_public(const char *path, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;
	mst_err e = MST_E_INTERNAL;

	if (bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1 &&
	    (len = BIO_get_mem_data(bio, &text)) > 0) {
		e = file_write_new(path, mst_span_of(text, (size_t)len), 0644);
		if (e != MST_OK)
			suit_author_say("%s", file_why());
	}
	BIO_free(bio);
	return e;
}

static mst_err
make_pkey(enum suit_key_kind kind, const char *path, const char *public_path)
{
	EVP_PKEY *key = kind == SUIT_MAKE_P256      ? EVP_EC_gen("P-256")
	                : kind == SUIT_MAKE_P384    ? EVP_EC_gen("P-384")
	                : kind == SUIT_MAKE_P521    ? EVP_EC_gen("P-521")
	                : kind == SUIT_MAKE_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
	                                            : EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long len = 0;
	mst_err e = MST_E_KEY_SIGN;

	if (key == NULL || bio == NULL ||
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    (len = BIO_get_mem_data(bio, &text)) <= 0)
		goto out;
	e = file_write_new(path, mst_span_of(text, (size_t)len), 0600);
	if (e != MST_OK)
		suit_author_say("%s", file_why());
	else if (public_path != NULL)
		e = write_public(public_path, key);
out:
	BIO_free(bio); /* wipes */
	EVP_PKEY_free(key);
	ERR_clear_error();
	return e;
}

static mst_err
make_secret(size_t len, const char *path)
{
	uint8_t bytes[32];
	mst_err e = RAND_priv_bytes(bytes, (int)len) == 1 ? MST_OK : MST_E_RANDOM;

	if (e == MST_OK && (e = file_write_new(path, mst_span_of(bytes, len), 0600)) != MST_OK)
		suit_author_say("%s", file_why());
	mst_wipe(bytes, sizeof bytes);
	return e;
}

/* "10", "5,5": top first; W8 everywhere, the shortest signatures. */
static mst_err
parse_heights(const char *text, struct hss_parameters *p)
{
	*p = (struct hss_parameters){ .levels = 0 };
	while (p->levels < MST_HSS_LEVELS) {
		char *end;
		long h = strtol(text, &end, 10);

		if (end == text || h < 5 || h > 25 || h % 5 != 0)
			break;
		p->height[p->levels] = (unsigned)h;
		p->width[p->levels++] = 8;
		if (*end == '\0')
			return MST_OK;
		if (*end != ',')
			break;
		text = end + 1;
	}
	suit_author_say(
	    "heights are 5, 10, 15, 20 or 25, up to eight parted by commas, such as 5,5");
	return MST_E_HSS_PARAMETERS;
}

static mst_err
make_hss(struct arena *a, const char *heights, const char *path, const char *public_path)
{
	struct hss_parameters p;
	struct hss_signer *s = NULL;
	struct cose_key key = { .kty = COSE_KTY_HSS_LMS, .alg = MST_SUIT_HSS_LMS };
	mst_span encoded;
	mst_err e = parse_heights(heights, &p);

	if (e != MST_OK)
		return e;
	if ((e = hss_key_make(path, &p)) != MST_OK ||
	    (public_path != NULL && (e = hss_signer_open(path, 0, &s)) != MST_OK)) {
		suit_author_say("%s", hss_why());
		return e;
	}
	if (public_path == NULL)
		return MST_OK;
	key.pub = hss_signer_public(s);
	if ((e = cose_key_encode(a, &key, COSE_KEY_PUBLIC, &encoded)) == MST_OK &&
	    (e = file_write_new(public_path, encoded, 0644)) != MST_OK)
		suit_author_say("%s", file_why());
	hss_signer_close(s);
	return e;
}

mst_err
suit_key_make(struct arena *a, enum suit_key_kind kind, const char *heights, const char *path,
    const char *public_path)
{
	suit_author_say("%s", "");
	switch (kind) {
	case SUIT_MAKE_P256:
	case SUIT_MAKE_P384:
	case SUIT_MAKE_P521:
	case SUIT_MAKE_ED25519:
	case SUIT_MAKE_X25519: return make_pkey(kind, path, public_path);
	case SUIT_MAKE_HSS: return make_hss(a, heights, path, public_path);
	case SUIT_MAKE_SECRET16: return make_secret(16, path);
	case SUIT_MAKE_SECRET32: return make_secret(32, path);
	}
	return MST_E_INTERNAL;
}

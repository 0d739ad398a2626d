/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider that hands on what OpenSSL's default provider has, with the
 * tables of keys and their readers and writers shortened. Nothing is
 * implemented here: every function that is called is the library's.
 */
#include "host/algorithms.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define TABLE_MAX 128

/* The first of each entry's names. X25519 and what follows are for TLS: no certificate has them. */
static const char *const kept[] = { "EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519", "HMAC",
	"HKDF", "TLS1-PRF" };

/*
 * What TLS 1.2 and 1.3, DTLS with CCM_8 and the stateless proxy's header (SIV)
 * run on; and CBC, for modules of tokens that are made of this same OpenSSL:
 * SoftHSM keeps its objects under AES-256-CBC of the PIN.
 */
static const char *const kept_ciphers[] = { "AES-256-CBC", "AES-128-GCM", "AES-256-GCM",
	"AES-128-CCM", "AES-256-CCM", "AES-128-CTR", "AES-256-CTR", "AES-128-SIV",
	"ChaCha20-Poly1305" };
/* SHA-1 names keys (RFC 5280 4.2.1.2), SHAKE256 is within Ed448. */
static const char *const kept_digests[] = { "SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512",
	"SHAKE-256" };

struct table {
	int operation;
	OSSL_ALGORITHM rows[TABLE_MAX + 1]; /* ended by a row without names */
};
static struct table tables[] = { { .operation = OSSL_OP_KEYMGMT }, { .operation = OSSL_OP_DECODER },
	{ .operation = OSSL_OP_ENCODER }, { .operation = OSSL_OP_CIPHER },
	{ .operation = OSSL_OP_DIGEST } };

static OSSL_LIB_CTX *beneath; /* where the real provider lives */
static OSSL_PROVIDER *base, *narrowed;

static bool
is_among(const char *const *list, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && strncasecmp(list[i], name, len) == 0)
			return true;
	return false;
}
#define IS_AMONG(list, name, len) is_among((list), sizeof(list) / sizeof *(list), (name), (len))

static bool
is_kept(int operation, const OSSL_ALGORITHM *a)
{
	const char *names = a->algorithm_names;
	size_t n = strcspn(names, ":");

	if (operation == OSSL_OP_CIPHER)
		return IS_AMONG(kept_ciphers, names, n);
	if (operation == OSSL_OP_DIGEST)
		return IS_AMONG(kept_digests, names, n);
	/* of the readers, those of public keys: messages hold no others */
	if (operation == OSSL_OP_DECODER &&
	    strstr(a->property_definition, "structure=SubjectPublicKeyInfo") == NULL)
		return false;
	if (operation == OSSL_OP_DECODER && n == 3 && strncasecmp(names, "DER", n) == 0)
		return true;
	return IS_AMONG(kept, names, n);
}

static bool
fill(struct table *t)
{
	int no_cache;
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(base, t->operation, &no_cache);
	size_t n = 0;

	for (; a != NULL && a->algorithm_names != NULL; a++) {
		if (!is_kept(t->operation, a))
			continue;
		if (n == TABLE_MAX)
			return false;
		t->rows[n++] = *a;
	}
	return n != 0;
}

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (tables[i].operation == operation) {
			*no_cache = 0;
			return tables[i].rows;
		}
	return OSSL_PROVIDER_query_operation(base, operation, no_cache);
}

/* The groups of TLS. libssl leaves out those whose keys are missing above. */
static int
capabilities(void *provider, const char *capability, OSSL_CALLBACK *each, void *arg)
{
	(void)provider;
	return OSSL_PROVIDER_get_capabilities(base, capability, each, arg);
}

static int
provide(
    const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **ctx)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities }, { 0, NULL }
	};

	(void)handle;
	(void)in;
	*out = functions;
	*ctx = OSSL_PROVIDER_get0_provider_ctx(base);
	return 1;
}

mst_err
algorithms_narrow(void)
{
	if (narrowed != NULL)
		return MST_OK;
	if ((beneath = OSSL_LIB_CTX_new()) == NULL ||
	    (base = OSSL_PROVIDER_load(beneath, "default")) == NULL)
		return MST_E_INTERNAL;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (!fill(&tables[i]))
			return MST_E_INTERNAL;
	if (OSSL_PROVIDER_add_builtin(NULL, "muster", provide) != 1 ||
	    (narrowed = OSSL_PROVIDER_load(NULL, "muster")) == NULL)
		return MST_E_INTERNAL;
	return MST_OK;
}

/* The same key for the context that everything else uses. */
static EVP_PKEY *
carry_over(EVP_PKEY *from)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, EVP_PKEY_get0_type_name(from), NULL);
	OSSL_PARAM *parts = NULL;
	EVP_PKEY *key = NULL;

	if (ctx != NULL && EVP_PKEY_todata(from, EVP_PKEY_KEYPAIR, &parts) == 1 &&
	    EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parts);
	for (OSSL_PARAM *p = parts; p != NULL && p->key != NULL; p++)
		OPENSSL_cleanse(p->data, p->data_size);
	OSSL_PARAM_free(parts);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *
algorithms_read_key(BIO *pem, pem_password_cb *passphrase, void *arg)
{
	EVP_PKEY *read = PEM_read_bio_PrivateKey_ex(pem, NULL, passphrase, arg, beneath, NULL);
	EVP_PKEY *key;

	if (beneath == NULL || read == NULL)
		return read;
	key = carry_over(read);
	EVP_PKEY_free(read);
	return key;
}

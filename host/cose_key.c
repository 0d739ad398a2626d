/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Key (RFC 9052 7, RFC 9053 7, RFC 8778 4) and what OpenSSL makes of it. */
#include "host/cose_author.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

#include "muster/cbor.h"
#include "muster/cose.h"
#include "muster/hss.h"

#define HALF_MAX 66

enum label { KTY = 1, KID = 2, ALG = 3, CRV = -1, X = -2, Y = -3, D = -4 };
/* k of a symmetric key and pub of an HSS-LMS key stand under -1, too. */

static const struct curve {
	enum mst_suit_curve curve;
	enum cose_kty kty;
	int type; /* EVP_PKEY_* */
	const char *group;
	size_t half;
	int32_t signs; /* its usual signature algorithm; 0: none */
} curves[] = {
	{ MST_SUIT_P256, COSE_KTY_EC2, EVP_PKEY_EC, "P-256", 32, MST_SUIT_ES256 },
	{ MST_SUIT_P384, COSE_KTY_EC2, EVP_PKEY_EC, "P-384", 48, MST_SUIT_ES384 },
	{ MST_SUIT_P521, COSE_KTY_EC2, EVP_PKEY_EC, "P-521", 66, MST_SUIT_ES512 },
	{ MST_SUIT_CURVE_ED25519, COSE_KTY_OKP, EVP_PKEY_ED25519, NULL, 32, MST_SUIT_EDDSA },
	{ MST_SUIT_X25519, COSE_KTY_OKP, EVP_PKEY_X25519, NULL, 32, 0 },
};
#define CURVES (sizeof curves / sizeof curves[0])

static const struct curve *
curve_of(enum mst_suit_curve curve)
{
	for (size_t i = 0; i < CURVES; i++)
		if (curves[i].curve == curve)
			return &curves[i];
	return NULL;
}

static const struct curve *
curve_of_pkey(EVP_PKEY *pkey)
{
	for (size_t i = 0; i < CURVES; i++)
		if (curves[i].type == EVP_PKEY_get_base_id(pkey) &&
		    (curves[i].group == NULL ||
		        (size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8 == curves[i].half))
			return &curves[i];
	return NULL;
}

int32_t
cose_signer_alg(EVP_PKEY *key)
{
	const struct curve *c = curve_of_pkey(key);

	return c == NULL ? 0 : c->signs;
}

/* --- between the two forms --- */

/* A number as fixed-length bytes in the arena; absent when the key does not give it. */
static mst_span
number_of(struct arena *a, EVP_PKEY *pkey, const char *name, size_t len)
{
	uint8_t *out = arena_alloc(a, len);
	BIGNUM *n = NULL;
	mst_span s = MST_NONE;

	if (out != NULL && EVP_PKEY_get_bn_param(pkey, name, &n) == 1 &&
	    BN_bn2binpad(n, out, (int)len) == (int)len)
		s = mst_span_of(out, len);
	BN_clear_free(n);
	return s;
}

static mst_span
raw_of(struct arena *a, EVP_PKEY *pkey, size_t len,
    int (*get)(const EVP_PKEY *, unsigned char *, size_t *))
{
	uint8_t *out = arena_alloc(a, len);

	return out != NULL && get(pkey, out, &len) == 1 ? mst_span_of(out, len) : MST_NONE;
}

mst_err
cose_key_from_pkey(struct arena *a, EVP_PKEY *pkey, struct cose_key *out)
{
	const struct curve *c = curve_of_pkey(pkey);
	struct cose_key k;

	if (c == NULL)
		return MST_E_UNSUPPORTED;
	k = (struct cose_key){ .kty = c->kty, .curve = c->curve };
	if (c->group != NULL) {
		k.x = number_of(a, pkey, OSSL_PKEY_PARAM_EC_PUB_X, c->half);
		k.y = number_of(a, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, c->half);
		k.d = number_of(a, pkey, OSSL_PKEY_PARAM_PRIV_KEY, c->half);
	} else {
		k.x = raw_of(a, pkey, c->half, EVP_PKEY_get_raw_public_key);
		k.d = raw_of(a, pkey, c->half, EVP_PKEY_get_raw_private_key);
	}
	ERR_clear_error();
	if (k.x.ptr == NULL || (c->group != NULL && k.y.ptr == NULL))
		return MST_E_UNSUPPORTED;
	*out = k;
	return MST_OK;
}

static EVP_PKEY *
ec_from_parts(const struct curve *c, mst_span point, mst_span d)
{
	unsigned char native[HALF_MAX];
	OSSL_PARAM params[4], *p = params;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;
	int selection = EVP_PKEY_PUBLIC_KEY;

	*p++ = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)c->group, 0);
	*p++ = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.ptr, point.len);
	if (d.ptr != NULL) {
		BIGNUM *n = BN_bin2bn(d.ptr, (int)d.len, NULL);

		if (n != NULL && BN_bn2nativepad(n, native, (int)c->half) > 0)
			*p++ = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, c->half);
		BN_clear_free(n);
		selection = EVP_PKEY_KEYPAIR;
	}
	*p = OSSL_PARAM_construct_end();
	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &pkey, selection, params);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_cleanse(native, sizeof native);
	return pkey;
}

/* Do both halves of a key pair belong together? */
static bool
is_pair(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

mst_err
cose_key_to_pkey(const struct cose_key *key, EVP_PKEY **out)
{
	const struct curve *c = curve_of(key->curve);
	uint8_t bytes[1 + 2 * HALF_MAX];
	struct mst_buf point = MST_BUF(bytes);
	EVP_PKEY *pkey = NULL;

	if (c == NULL || key->kty != c->kty || key->x.len != c->half ||
	    (key->d.ptr != NULL && key->d.len != c->half))
		return MST_E_SUIT_KEY;
	if (c->group == NULL) {
		pkey = key->d.ptr != NULL
		           ? EVP_PKEY_new_raw_private_key(c->type, NULL, key->d.ptr, key->d.len)
		           : EVP_PKEY_new_raw_public_key(c->type, NULL, key->x.ptr, key->x.len);
	} else if (key->y.len == c->half && mst_buf_put_byte(&point, 4) == MST_OK &&
	           mst_buf_put(&point, key->x) == MST_OK && mst_buf_put(&point, key->y) == MST_OK) {
		pkey = ec_from_parts(c, mst_buf_span(&point), key->d);
	}
	if (pkey != NULL && key->d.ptr != NULL) {
		uint8_t x[HALF_MAX];
		size_t n = sizeof x;

		if (c->group != NULL ? !is_pair(pkey)
		                     : EVP_PKEY_get_raw_public_key(pkey, x, &n) != 1 ||
		                           !mst_span_eq(mst_span_of(x, n), key->x)) {
			EVP_PKEY_free(pkey);
			pkey = NULL;
		}
	}
	ERR_clear_error();
	if (pkey == NULL)
		return MST_E_SUIT_KEY;
	*out = pkey;
	return MST_OK;
}

/* --- CBOR --- */

struct parts {
	struct cose_key key;
	bool y_is_bit, y_is_odd, has_kty, minus_one_is_bytes;
	int64_t curve;
};

static void
read_minus_one(struct parts *p, struct mst_cbor_reader *r)
{
	p->minus_one_is_bytes = mst_cbor_peek(r) == MST_CBOR_BYTES;
	if (p->minus_one_is_bytes)
		p->key.k = mst_cbor_bytes(r);
	else
		p->curve = mst_cbor_int(r);
}

static void
read_part(struct parts *p, int64_t label, struct mst_cbor_reader *r)
{
	int64_t n;

	switch (label) {
	case KTY:
		n = mst_cbor_int(r);
		p->has_kty = n == COSE_KTY_OKP || n == COSE_KTY_EC2 || n == COSE_KTY_SYMMETRIC ||
		             n == COSE_KTY_HSS_LMS;
		if (p->has_kty)
			p->key.kty = (enum cose_kty)n;
		break;
	case KID: p->key.kid = mst_cbor_bytes(r); break;
	case ALG:
		n = mst_cbor_int(r);
		p->key.alg = n >= INT32_MIN && n <= INT32_MAX ? (int32_t)n : 0;
		break;
	case CRV: read_minus_one(p, r); break;
	case X: p->key.x = mst_cbor_bytes(r); break;
	case Y:
		p->y_is_bit = mst_cbor_peek(r) == MST_CBOR_BOOL;
		if (p->y_is_bit)
			p->y_is_odd = mst_cbor_bool(r);
		else
			p->key.y = mst_cbor_bytes(r);
		break;
	case D: p->key.d = mst_cbor_bytes(r); break;
	default: mst_cbor_skip(r); break; /* RFC 9052 7.1: key_ops and whatever else */
	}
}

/* A sign bit in place of y (RFC 9053 7.1.1). */
static mst_err
make_whole(struct arena *a, const struct curve *c, struct parts *p)
{
	uint8_t bytes[1 + HALF_MAX];
	struct mst_buf point = MST_BUF(bytes);
	struct cose_key whole;
	EVP_PKEY *pkey;
	mst_err e = MST_E_SUIT_KEY;

	if (p->key.x.len != c->half || mst_buf_put_byte(&point, p->y_is_odd ? 3 : 2) != MST_OK ||
	    mst_buf_put(&point, p->key.x) != MST_OK)
		return MST_E_SUIT_KEY;
	if ((pkey = ec_from_parts(c, mst_buf_span(&point), MST_NONE)) != NULL)
		e = cose_key_from_pkey(a, pkey, &whole);
	if (e == MST_OK)
		p->key.y = whole.y;
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return e == MST_OK ? MST_OK : MST_E_SUIT_KEY;
}

static mst_err
check_curve(struct arena *a, struct parts *p)
{
	const struct curve *c = p->curve < 0 || p->curve > MST_SUIT_CURVE_ED25519
	                            ? NULL
	                            : curve_of((enum mst_suit_curve)p->curve);
	EVP_PKEY *pkey;
	mst_err e;

	if (c == NULL || p->minus_one_is_bytes ||
	    (p->key.kty == COSE_KTY_OKP && p->key.y.ptr != NULL))
		return MST_E_SUIT_KEY;
	p->key.curve = c->curve;
	if (p->y_is_bit && (e = make_whole(a, c, p)) != MST_OK)
		return e;
	if ((e = cose_key_to_pkey(&p->key, &pkey)) == MST_OK)
		EVP_PKEY_free(pkey);
	return e;
}

mst_err
cose_key_decode(struct arena *a, mst_span encoded, struct cose_key *out)
{
	struct parts p = { .curve = 0 };
	struct mst_cbor_reader r;
	int64_t label;
	mst_err e;

	if ((e = mst_cbor_validate_unique(encoded)) != MST_OK)
		return e;
	mst_cbor_init(&r, encoded);
	r.indefinite_is = MST_E_COSE_INDEFINITE;
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &label))
		read_part(&p, label, &r);
	if ((e = mst_cbor_end(&r)) != MST_OK)
		return e == MST_E_CBOR_TYPE ? MST_E_SUIT_KEY : e;
	if (!p.has_kty)
		return MST_E_SUIT_KEY;
	switch (p.key.kty) {
	case COSE_KTY_EC2:
	case COSE_KTY_OKP: e = check_curve(a, &p); break;
	case COSE_KTY_SYMMETRIC: e = p.key.k.len == 0 ? MST_E_SUIT_KEY : MST_OK; break;
	case COSE_KTY_HSS_LMS:
		p.key.pub = p.key.k;
		p.key.k = MST_NONE;
		e = p.key.pub.len == MST_HSS_PUBLIC_LEN ? MST_OK : MST_E_SUIT_KEY;
		break;
	}
	if (e == MST_OK)
		*out = p.key;
	return e;
}

static void
put_part(struct mst_cbor_writer *w, enum label label, mst_span value)
{
	if (value.ptr == NULL)
		return;
	mst_cbor_put_int(w, label);
	mst_cbor_put_bytes(w, value);
}

mst_err
cose_key_encode(
    struct arena *a, const struct cose_key *key, enum cose_key_part part, mst_span *encoded)
{
	mst_span d = part == COSE_KEY_ALL ? key->d : MST_NONE;
	struct mst_buf out = arena_buf(a, 512 + key->k.len + key->kid.len);
	struct mst_cbor_writer w;
	bool curved = key->kty == COSE_KTY_EC2 || key->kty == COSE_KTY_OKP;
	mst_span minus_one = key->kty == COSE_KTY_SYMMETRIC ? key->k : key->pub;

	if (key->kty == COSE_KTY_SYMMETRIC && part == COSE_KEY_PUBLIC)
		return MST_E_SUIT_KEY;
	if (out.cap == 0)
		return MST_E_NOMEM;
	if (curved)
		minus_one = MST_NONE;
	mst_cbor_put_init(&w, &out);
	mst_cbor_put_map(&w, 1u + (key->kid.ptr != NULL) + (key->alg != 0) + curved +
	                         (minus_one.ptr != NULL) + (curved && key->x.ptr != NULL) +
	                         (curved && key->y.ptr != NULL) + (curved && d.ptr != NULL));
	mst_cbor_put_int(&w, KTY);
	mst_cbor_put_int(&w, key->kty);
	put_part(&w, KID, key->kid);
	if (key->alg != 0) {
		mst_cbor_put_int(&w, ALG);
		mst_cbor_put_int(&w, key->alg);
	}
	put_part(&w, CRV, minus_one);
	if (curved) {
		mst_cbor_put_int(&w, CRV);
		mst_cbor_put_int(&w, key->curve);
		put_part(&w, X, key->x);
		put_part(&w, Y, key->y);
		put_part(&w, D, d);
	}
	if (mst_cbor_put_end(&w) != MST_OK)
		return MST_E_NOMEM;
	*encoded = mst_buf_span(&out);
	return MST_OK;
}

/* --- a row of a device's table --- */

static int32_t
usual_alg(const struct cose_key *key, enum mst_suit_usage usage)
{
	const struct curve *c = curve_of(key->curve);

	switch (usage) {
	case MST_SUIT_USE_SIGN_MANIFEST:
	case MST_SUIT_USE_SIGN_REPORT:
		return key->kty == COSE_KTY_HSS_LMS ? MST_SUIT_HSS_LMS : c == NULL ? 0 : c->signs;
	case MST_SUIT_USE_MAC_MANIFEST:
	case MST_SUIT_USE_MAC_REPORT: return MST_SUIT_HMAC256;
	case MST_SUIT_USE_KEK:
	case MST_SUIT_USE_MAC_KEK:
		return key->k.len == 32   ? MST_SUIT_A256KW
		       : key->k.len == 24 ? MST_SUIT_A192KW
		                          : MST_SUIT_A128KW;
	case MST_SUIT_USE_ECDH: return MST_SUIT_ECDH_ES_A128KW;
	case MST_SUIT_USE_CONTENT_REPORT:
		return key->k.len == 32 ? MST_SUIT_A256GCM : MST_SUIT_A128GCM;
	}
	return 0;
}

static size_t
kek_len(int32_t alg)
{
	return alg == MST_SUIT_A128KW   ? 16
	       : alg == MST_SUIT_A192KW ? 24
	       : alg == MST_SUIT_A256KW ? 32
	                                : 0;
}

/* Does a key of this kind serve that use with that algorithm? */
static bool
serves(const struct cose_key *key, enum mst_suit_usage usage, int32_t alg)
{
	const struct curve *c = curve_of(key->curve);
	bool secret = key->kty == COSE_KTY_SYMMETRIC;

	switch (usage) {
	case MST_SUIT_USE_SIGN_MANIFEST:
	case MST_SUIT_USE_SIGN_REPORT:
		if (key->kty == COSE_KTY_HSS_LMS)
			return alg == MST_SUIT_HSS_LMS && usage == MST_SUIT_USE_SIGN_MANIFEST;
		return c != NULL && c->signs != 0 && mst_suit_signature_len(alg) == 2 * c->half &&
		       (c->signs == MST_SUIT_EDDSA) ==
		           (alg == MST_SUIT_EDDSA || alg == MST_SUIT_ED25519);
	case MST_SUIT_USE_MAC_MANIFEST:
	case MST_SUIT_USE_MAC_REPORT:
		/* RFC 2104 3: not shorter than what it makes */
		return secret && mst_suit_mac_len(alg) != 0 && key->k.len >= mst_suit_mac_len(alg);
	case MST_SUIT_USE_KEK:
	case MST_SUIT_USE_MAC_KEK: return secret && kek_len(alg) != 0 && kek_len(alg) == key->k.len;
	case MST_SUIT_USE_ECDH:
		return (key->curve == MST_SUIT_P256 || key->curve == MST_SUIT_X25519) &&
		       key->d.ptr != NULL && alg <= MST_SUIT_ECDH_ES_A128KW &&
		       alg >= MST_SUIT_ECDH_ES_A256KW;
	case MST_SUIT_USE_CONTENT_REPORT:
		return secret && mst_suit_cipher_is_aead(alg) &&
		       mst_suit_cipher_key_len(alg) == key->k.len;
	}
	return false;
}

static mst_span
point_of(struct arena *a, const struct cose_key *key)
{
	struct mst_buf b = arena_buf(a, 1 + key->x.len + key->y.len);

	if (mst_buf_put_byte(&b, 4) != MST_OK || mst_buf_put(&b, key->x) != MST_OK ||
	    mst_buf_put(&b, key->y) != MST_OK)
		return MST_NONE;
	return mst_buf_span(&b);
}

mst_err
cose_key_row(struct arena *a, const struct cose_key *key, enum mst_suit_usage usage,
    uint8_t authority, struct mst_suit_key *row)
{
	struct mst_suit_key k = { .usage = usage,
		.equivalence = key->alg == 0 ? MST_SUIT_EQUIVALENT_ALG : MST_SUIT_EXACT_ALG,
		.alg = key->alg != 0 ? key->alg : usual_alg(key, usage),
		.authority = authority,
		.kid = key->kid };

	if (!serves(key, usage, k.alg) || authority >= MST_SUIT_AUTHORITIES)
		return MST_E_SUIT_KEY_USAGE;
	if (usage == MST_SUIT_USE_ECDH) {
		k.curve = key->curve;
		k.material = key->d;
	} else if (key->kty == COSE_KTY_EC2) {
		k.material = point_of(a, key);
	} else {
		k.material = key->kty == COSE_KTY_OKP       ? key->x
		             : key->kty == COSE_KTY_HSS_LMS ? key->pub
		                                            : key->k;
	}
	if (k.material.ptr == NULL)
		return MST_E_NOMEM;
	*row = k;
	return MST_OK;
}

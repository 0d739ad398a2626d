/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vouchers in COSE_Sign1: cBRSKI 9.2, brski.md section 7. The message itself
 * is core/cose's; here stand the keys: whose they are and where certificates
 * go along.
 */
#include "host/envelope_impl.h"

#include <openssl/x509v3.h>

#include "host/cert.h"
#include "muster/cbor.h"
#include "muster/cose.h"

#define LABEL_X5BAG 32 /* RFC 9360 2 */
#define HEADS 512 /* of tags, labels and lengths, generously */

static const struct scheme {
	enum mst_cose_alg alg;
	struct rawsig sig;
} schemes[] = {
	/* COSE-2: what a server takes; ES256 and EdDSA are what devices make */
	{ MST_COSE_ES256, { EVP_PKEY_EC, 256, 32, EVP_sha256, 0 } },
	{ MST_COSE_EDDSA, { EVP_PKEY_ED25519, 0, 0, NULL, 0 } },
	{ MST_COSE_ES384, { EVP_PKEY_EC, 384, 48, EVP_sha384, 0 } },
	{ MST_COSE_ES512, { EVP_PKEY_EC, 521, 66, EVP_sha512, 0 } },
};
#define SCHEMES (sizeof schemes / sizeof schemes[0])
#define TAKE_ALL (MST_COSE_TAKE_VOUCHER | MST_COSE_TAKE_ES384 | MST_COSE_TAKE_ES512)

/* --- certificates that go along --- */

/* COSE-5: each once; what a bag may hold all told is what one parameter may. */
struct bag {
	mst_span der[MST_COSE_CERTS_MAX];
	size_t count, bytes;
};

static mst_err
bag_put(struct bag *b, mst_span der)
{
	for (size_t i = 0; i < b->count; i++)
		if (mst_span_eq(b->der[i], der))
			return MST_OK;
	if (b->count == MST_COSE_CERTS_MAX || der.len > MST_COSE_CERTS_BYTES - b->bytes)
		return MST_E_COSE_CERTS;
	b->der[b->count++] = der;
	b->bytes += der.len;
	return MST_OK;
}

static mst_err
bag_put_list(struct bag *b, const struct mst_cose_certs *list)
{
	mst_span rest = list->items, der;
	mst_err e = MST_OK;

	while (e == MST_OK && mst_cose_certs_next(&rest, &der))
		e = bag_put(b, der);
	return e;
}

static mst_err
bag_put_cert(struct arena *a, struct bag *b, X509 *cert)
{
	mst_span der;
	mst_err e = cert_der(a, cert, &der);

	return e != MST_OK ? e : bag_put(b, der);
}

/* --- opening --- */

struct opening {
	struct arena *a;
	const STACK_OF(X509) *extra;
	struct envelope *env;
	bool unreadable; /* something among what came along is no certificate */
};

static mst_err
read_certs(struct opening *o, const struct mst_cose_sign1 *m)
{
	STACK_OF(X509) *certs = envelope_keep_certs(o->a, sk_X509_new_null());
	struct bag b = { .count = 0 };
	mst_err e;

	if (certs == NULL)
		return MST_E_NOMEM;
	if ((e = bag_put_list(&b, &m->x5bag)) != MST_OK ||
	    (e = bag_put_list(&b, &m->x5chain)) != MST_OK)
		return e;
	for (size_t i = 0; i < b.count; i++) {
		X509 *cert;

		e = cert_parse(b.der[i], &cert);
		if (e == MST_E_NOMEM)
			return e;
		if (e != MST_OK) {
			o->unreadable = true;
		} else if (sk_X509_push(certs, cert) <= 0) {
			X509_free(cert);
			return MST_E_NOMEM;
		}
	}
	o->env->certs = certs;
	return MST_OK;
}

/* The certificate among these whose key made the signature; NULL: none. */
static mst_err
find_signer(struct arena *a, const struct rawsig *sig, const STACK_OF(X509) *certs, mst_span input,
    mst_span signature, X509 **out)
{
	for (int i = 0; certs != NULL && i < sk_X509_num(certs); i++) {
		EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(certs, i));
		mst_err e;

		if (!rawsig_fits(sig, key))
			continue;
		e = rawsig_verify(a, sig, key, input, signature);
		if (e == MST_OK)
			*out = sk_X509_value(certs, i);
		if (e != MST_E_VOUCHER_SIGNATURE)
			return e;
	}
	return MST_E_VOUCHER_SIGNATURE;
}

static mst_err
verify(void *ctx, const struct mst_cose_sign1 *m, const struct mst_cose_tbs *tbs)
{
	struct opening *o = ctx;
	struct mst_buf input = arena_buf(o->a, mst_cose_tbs_len(tbs));
	const struct scheme *s = NULL;
	X509 *signer = NULL;
	mst_err e;

	for (size_t i = 0; i < SCHEMES; i++)
		if (schemes[i].alg == m->alg)
			s = &schemes[i];
	if (s == NULL)
		return MST_E_COSE_ALGORITHM;
	if (input.cap == 0 || mst_cose_tbs_join(tbs, &input) != MST_OK)
		return MST_E_NOMEM;
	e = find_signer(o->a, &s->sig, o->extra, mst_buf_span(&input), m->signature, &signer);
	if (e == MST_OK) { /* it is of the caller's, so the envelope holds it too */
		if (X509_up_ref(signer) != 1)
			return MST_E_NOMEM;
		if (sk_X509_push(o->env->certs, signer) <= 0) {
			X509_free(signer);
			return MST_E_NOMEM;
		}
	} else if (e == MST_E_VOUCHER_SIGNATURE) {
		if (o->unreadable)
			return MST_E_COSE_HEADER;
		e = find_signer(
		    o->a, &s->sig, o->env->certs, mst_buf_span(&input), m->signature, &signer);
	}
	o->env->signer = signer;
	return e == MST_E_VOUCHER_SIGNATURE ? MST_E_COSE_SIGNATURE : e;
}

mst_err
cose_open(struct arena *a, mst_span message, const STACK_OF(X509) *extra, struct envelope *out)
{
	struct envelope env = *out;
	struct opening o = { .a = a, .extra = extra, .env = &env };
	const struct mst_cose_verifier verifier = {
		.ctx = &o, .accept = TAKE_ALL, .verify = verify
	};
	struct mst_cose_sign1 m;
	mst_err e;

	if (message.ptr == NULL || message.len == 0 || message.len > ENVELOPE_MAX)
		return MST_E_COSE;
	message = arena_dup(a, message); /* leaves point into it */
	if (message.ptr == NULL)
		return MST_E_NOMEM;
	if ((e = mst_cose_sign1_parse(message, &m)) != MST_OK || (e = read_certs(&o, &m)) != MST_OK)
		return e;
	e = mst_cose_sign1_check(&m, MST_NONE, MST_NONE, &verifier, &env.payload);
	if (e == MST_E_COSE_SIGNATURE)
		return MST_E_VOUCHER_SIGNATURE;
	if (e == MST_OK)
		*out = env;
	return e;
}

/* --- sealing --- */

static bool
is_pvr(const struct mst_voucher_claims *c)
{
	return c->kind == MST_VOUCHER_REQUEST &&
	       (c->proximity_cert.ptr != NULL || c->proximity_pubk.ptr != NULL ||
	           c->proximity_pubk_sha256.ptr != NULL);
}

/*
 * COSE-4. A PVR has no certificates: TLS or DTLS showed them. An RVR has them
 * unprotected. So has a voucher whose signer's certificate stands alone: the
 * devices hold that very certificate. With a chain behind it they hold the
 * chain's end and need what is between; then it is protected, because the
 * registrar strips what is not, and the root stays away (they have it).
 */
static mst_err
choose_certs(struct arena *a, const struct mst_voucher_claims *c,
    const struct envelope_signer *signer, struct bag *b, enum mst_cose_bucket *bucket)
{
	bool voucher = c->kind == MST_VOUCHER, chain = false;
	mst_err e;

	*bucket = MST_COSE_UNPROTECTED;
	if (is_pvr(c))
		return MST_OK;
	for (int i = 0; signer->chain != NULL && i < sk_X509_num(signer->chain); i++)
		chain = chain || X509_cmp(sk_X509_value(signer->chain, i), signer->cert) != 0;
	if ((e = bag_put_cert(a, b, signer->cert)) != MST_OK || !chain)
		return e;
	if (voucher)
		*bucket = MST_COSE_PROTECTED;
	for (int i = 0; e == MST_OK && i < sk_X509_num(signer->chain); i++) {
		X509 *cert = sk_X509_value(signer->chain, i);

		if (!voucher || X509_self_signed(cert, 0) != 1)
			e = bag_put_cert(a, b, cert);
	}
	return e;
}

/* How long the payload may become: the leaves, and their labels and lengths. */
static size_t
room_for(const struct mst_voucher_claims *c)
{
	const mst_span all[] = { c->serial, c->nonce, c->nonce_text, c->idevid_issuer,
		c->pinned_cert, c->pinned_pubk, c->pinned_pubk_sha256, c->proximity_cert,
		c->proximity_pubk, c->proximity_pubk_sha256, c->prior_request, c->est_domain,
		c->additional_configuration_url, c->manufacturer_proprietary };
	size_t n = HEADS;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		n += all[i].len;
	return n;
}

struct making {
	struct arena *a;
	EVP_PKEY *key;
	const struct scheme *scheme;
};

static mst_err
sign(void *ctx, enum mst_cose_alg alg, const struct mst_cose_tbs *tbs, struct mst_buf *signature)
{
	struct making *k = ctx;
	struct mst_buf input = arena_buf(k->a, mst_cose_tbs_len(tbs));
	mst_span sig;
	mst_err e;

	if (alg != k->scheme->alg)
		return MST_E_INTERNAL;
	if (input.cap == 0 || mst_cose_tbs_join(tbs, &input) != MST_OK)
		return MST_E_NOMEM;
	e = rawsig_make(k->a, &k->scheme->sig, k->key, mst_buf_span(&input), &sig);
	return e != MST_OK ? e : mst_buf_put(signature, sig);
}

mst_err
cose_seal(struct arena *a, const struct mst_voucher_claims *claims,
    const struct envelope_signer *signer, mst_span *message)
{
	struct making k = { .a = a, .key = signer->key };
	struct mst_cose_signer s = { .ctx = &k, .sign = sign };
	struct mst_cose_content content = { .certs_form = MST_COSE_X5BAG };
	struct bag b = { .count = 0 };
	struct mst_buf payload, out;
	mst_err e;

	for (size_t i = 0; k.scheme == NULL && i < SCHEMES; i++)
		if (rawsig_fits(&schemes[i].sig, signer->key))
			k.scheme = &schemes[i];
	if (k.scheme == NULL)
		return MST_E_KEY_SIGN; /* RSA has no place in COSE vouchers */
	s.alg = k.scheme->alg;
	payload = arena_buf(a, room_for(claims));
	if (payload.cap == 0)
		return MST_E_NOMEM;
	if ((e = mst_voucher_cbor_build(claims, &payload)) != MST_OK ||
	    (e = choose_certs(a, claims, signer, &b, &content.certs_bucket)) != MST_OK)
		return e;
	content.payload = mst_buf_span(&payload);
	content.certs = b.der;
	content.count = b.count;
	out = arena_buf(a, payload.len + b.bytes + HEADS);
	if (out.cap == 0)
		return MST_E_NOMEM;
	if ((e = mst_cose_sign1_build(&content, &s, &out)) == MST_OK)
		*message = mst_buf_span(&out);
	return e;
}

/* --- the unprotected header of somebody else's message --- */

static mst_err
strip(struct arena *a, mst_span message, mst_span *out)
{
	struct mst_buf b = arena_buf(a, message.len + 16);
	mst_err e;

	if (b.cap == 0)
		return MST_E_NOMEM;
	if ((e = mst_cose_sign1_strip(message, &b)) == MST_OK)
		*out = mst_buf_span(&b);
	return e;
}

mst_err
envelope_strip(struct arena *a, enum mst_media media, mst_span message, mst_span *out)
{
	switch (media) {
	case MST_MEDIA_COSE_CBOR: return strip(a, message, out);
	case MST_MEDIA_CMS_JSON:
	case MST_MEDIA_JWS_JSON: *out = message; return MST_OK;
	case MST_MEDIA_NONE: break;
	}
	return MST_E_MEDIA_UNSUPPORTED;
}

static void
put_x5bag(struct mst_cbor_writer *w, const struct bag *b)
{
	mst_cbor_put_uint(w, LABEL_X5BAG);
	if (b->count != 1) /* RFC 9360 2: one alone is no array */
		mst_cbor_put_array(w, b->count);
	for (size_t i = 0; i < b->count; i++)
		mst_cbor_put_bytes(w, b->der[i]);
}

/* The pairs of a header that has no x5bag, and ours among them where its label sorts. */
static mst_err
put_header(struct mst_cbor_writer *w, mst_span header, const struct bag *b)
{
	const mst_span ours = MST_LIT("\x18\x20");
	mst_span key[MST_COSE_LABELS_MAX], value[MST_COSE_LABELS_MAX];
	struct mst_cbor_reader r;
	size_t n = 0;
	bool put = false;

	mst_cbor_init(&r, header);
	mst_cbor_map(&r);
	while (mst_cbor_more(&r)) {
		if (n == MST_COSE_LABELS_MAX)
			return MST_E_COSE_HEADER;
		key[n] = mst_cbor_raw(&r);
		value[n++] = mst_cbor_raw(&r);
	}
	if (mst_cbor_end(&r) != MST_OK)
		return MST_E_COSE;
	mst_cbor_put_map(w, n + 1);
	for (size_t i = 0; i < n; i++) {
		/* RFC 8949 4.2.1: no encoded label of ours is a prefix of another */
		if (!put && (key[i].ptr[0] > ours.ptr[0] ||
		                (key[i].ptr[0] == ours.ptr[0] && key[i].ptr[1] > ours.ptr[1]))) {
			put_x5bag(w, b);
			put = true;
		}
		mst_cbor_put_raw(w, key[i]);
		mst_cbor_put_raw(w, value[i]);
	}
	if (!put)
		put_x5bag(w, b);
	return MST_OK;
}

mst_err
envelope_bag_add(struct arena *a, mst_span message, const STACK_OF(X509) *more, mst_span *out)
{
	struct mst_cose_sign1 m, bare;
	struct mst_cbor_writer w;
	struct bag b = { .count = 0 };
	struct mst_buf buf;
	mst_span stripped;
	mst_err e;

	if ((e = mst_cose_sign1_parse(message, &m)) != MST_OK)
		return e;
	if (m.x5bag.items.ptr != NULL && m.x5bag.is_protected)
		return MST_E_COSE_DUPLICATE; /* RFC 9052 3: no label in both headers */
	if (m.payload.ptr == NULL)
		return MST_E_COSE_PAYLOAD;
	if ((e = bag_put_list(&b, &m.x5bag)) != MST_OK)
		return e;
	for (int i = 0; i < sk_X509_num(more); i++)
		if ((e = bag_put_cert(a, &b, sk_X509_value(more, i))) != MST_OK)
			return e;
	if (b.count == 0)
		return MST_E_COSE_CERTS;
	if ((e = strip(a, message, &stripped)) != MST_OK ||
	    (e = mst_cose_sign1_parse(stripped, &bare)) != MST_OK)
		return e;
	buf = arena_buf(a, stripped.len + b.bytes + HEADS);
	if (buf.cap == 0)
		return MST_E_NOMEM;
	mst_cbor_put_init(&w, &buf);
	mst_cbor_put_tag(&w, 18);
	mst_cbor_put_array(&w, 4);
	mst_cbor_put_bytes(&w, bare.protected_header);
	if ((e = put_header(&w, bare.unprotected_header, &b)) != MST_OK)
		return e;
	mst_cbor_put_bytes(&w, bare.payload);
	mst_cbor_put_bytes(&w, bare.signature);
	if ((e = mst_cbor_put_end(&w)) == MST_OK)
		*out = mst_buf_span(&buf);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Chains: to a set of anchors, and to what a voucher pins (CMS-8, 8.7 step 9). */
#include "host/cert.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* 112 bits of security for every key, and for every signature but an anchor's own. */
#define AUTH_LEVEL 2
#define CRLS_MAX 1024

struct anchors {
	X509_STORE *store;
	STACK_OF(X509) *certs;
	int crls;
};

static _Thread_local char why[256];

const char *
cert_why(void)
{
	return why;
}

static mst_err
add_crls(struct anchors *t, mst_span pem)
{
	BIO *in;
	X509_CRL *crl;
	mst_err e = MST_OK;

	if (pem.len > INT_MAX)
		return MST_E_X509;
	in = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	if (in == NULL)
		return MST_E_NOMEM;
	ERR_clear_error();
	while (e == MST_OK && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)) != NULL) {
		if (t->crls >= CRLS_MAX || X509_STORE_add_crl(t->store, crl) != 1)
			e = MST_E_X509;
		else
			t->crls++;
		X509_CRL_free(crl);
	}
	if (e == MST_OK &&
	    (t->crls == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
		e = MST_E_X509;
	ERR_clear_error();
	BIO_free(in);
	return e;
}

mst_err
anchors_from_stack(STACK_OF(X509) *certs, struct anchors **out)
{
	struct anchors *t = calloc(1, sizeof(*t));
	mst_err e = MST_E_NOMEM;

	if (t == NULL)
		return e;
	t->store = X509_STORE_new();
	t->certs = X509_chain_up_ref(certs);
	if (t->store == NULL || t->certs == NULL)
		goto out;
	e = MST_E_X509;
	if (sk_X509_num(certs) <= 0)
		goto out;
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (X509_STORE_add_cert(t->store, sk_X509_value(certs, i)) != 1)
			goto out;
	e = MST_OK;
	*out = t;
	return e;
out:
	anchors_free(t);
	return e;
}

mst_err
anchors_new(mst_span pem, mst_span crls, struct anchors **out)
{
	STACK_OF(X509) *certs = NULL;
	struct anchors *t = NULL;
	mst_err e = cert_list(pem, &certs);

	if (e == MST_OK)
		e = anchors_from_stack(certs, &t);
	if (e == MST_OK && crls.ptr != NULL)
		e = add_crls(t, crls);
	sk_X509_pop_free(certs, X509_free);
	if (e != MST_OK) {
		anchors_free(t);
		return e;
	}
	*out = t;
	return MST_OK;
}

void
anchors_free(struct anchors *t)
{
	if (t == NULL)
		return;
	X509_STORE_free(t->store);
	sk_X509_pop_free(t->certs, X509_free);
	free(t);
}

const STACK_OF(X509) *
anchors_certs(const struct anchors *t)
{
	return t->certs;
}

/*
 * What the caller's flags forgive, and nothing else: the end (never the
 * start) of the leaf's validity, and a missing or stale CRL. A certificate
 * listed in a stale CRL stays revoked: OpenSSL goes on and looks it up.
 */
static int
forgive(int ok, X509_STORE_CTX *ctx)
{
	const unsigned *flags = X509_STORE_CTX_get_app_data(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);
	bool need_crl = (*flags & CHAIN_NEED_CRL) != 0 && depth == 0;
	bool forgiven = false;

	if (ok == 1)
		return 1;
	switch (X509_STORE_CTX_get_error(ctx)) {
	case X509_V_ERR_CERT_HAS_EXPIRED: /* ID-4, RFC 8995 2.6.2 */
		forgiven = depth == 0 && (*flags & CHAIN_NO_LEAF_TIME) != 0;
		break;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID: forgiven = !need_crl; break;
	default: break;
	}
	if (forgiven)
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return forgiven ? 1 : 0;
}

static mst_err
refusal(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID: return MST_E_X509_EXPIRED;
	case X509_V_ERR_CERT_REVOKED: return MST_E_X509_REVOKED;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK: return MST_E_X509_WEAK;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_HAS_EXPIRED: return MST_E_RVR_CRL_UNAVAILABLE;
	case X509_V_ERR_OUT_OF_MEM: return MST_E_NOMEM;
	default: return MST_E_X509_CHAIN;
	}
}

/* Beyond OpenSSL: CMS-5's list of keys, and no CA without basicConstraints between leaf and anchor.
 */
static mst_err
judge_links(const STACK_OF(X509) *chain)
{
	for (int i = 0; i < sk_X509_num(chain) - 1 || i == 0; i++) {
		X509 *cert = sk_X509_value(chain, i);

		if (cert_key_strength(X509_get0_pubkey(cert)) != MST_OK) {
			(void)snprintf(
			    why, sizeof(why), "depth %d: key type or size not allowed", i);
			return MST_E_X509_WEAK;
		}
		if (i > 0 && X509_check_ca(cert) != 1) {
			(void)snprintf(why, sizeof(why), "depth %d: not a CA certificate", i);
			return MST_E_X509_CHAIN;
		}
	}
	return MST_OK;
}

static int
in_list(const STACK_OF(X509) *list, X509 *cert)
{
	for (int i = 0; list != NULL && i < sk_X509_num(list); i++)
		if (X509_cmp(sk_X509_value(list, i), cert) == 0)
			return 1;
	return 0;
}

/* Did one of list issue cert (itself, when it is self-signed)? */
static int
is_signed_by_one(X509 *cert, const STACK_OF(X509) *list)
{
	for (int i = 0; i < sk_X509_num(list); i++) {
		X509 *issuer = sk_X509_value(list, i);

		if (X509_check_issued(issuer, cert) == X509_V_OK &&
		    X509_verify(cert, X509_get0_pubkey(issuer)) == 1)
			return 1;
	}
	return 0;
}

/*
 * A message may carry its chain beyond the anchor it is judged by. Such a
 * certificate must have issued one of the chain and be signed itself by one
 * that is there; what cannot be shown to belong is refused.
 */
static mst_err
judge_company(const STACK_OF(X509) *chain, const STACK_OF(X509) *certs)
{
	for (int i = 0; certs != NULL && i < sk_X509_num(certs); i++) {
		X509 *cert = sk_X509_value(certs, i);
		int above = 0;

		if (in_list(chain, cert))
			continue;
		for (int j = 0; above == 0 && j < sk_X509_num(chain); j++)
			above = X509_check_issued(cert, sk_X509_value(chain, j)) == X509_V_OK &&
			        X509_verify(sk_X509_value(chain, j), X509_get0_pubkey(cert)) == 1;
		if (above == 0 || !is_signed_by_one(cert, certs)) {
			(void)snprintf(why, sizeof(why), "a certificate beside the chain");
			return MST_E_X509_CHAIN;
		}
	}
	return MST_OK;
}

static void
set_param(
    X509_STORE_CTX *ctx, const struct anchors *t, const struct mst_clock *clock, unsigned flags)
{
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
	unsigned long f = X509_V_FLAG_PARTIAL_CHAIN;

	/* CMS-8: a cmcRA-only or unrestricted EE fails every other purpose; the roles judge EKUs.
	 */
	(void)X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_ANY);
	X509_VERIFY_PARAM_set_auth_level(p, AUTH_LEVEL);
	if (clock->trust == MST_CLOCK_TRUSTED)
		X509_VERIFY_PARAM_set_time(p, (time_t)clock->now);
	else
		f |= X509_V_FLAG_NO_CHECK_TIME;
	if (t->crls > 0 || (flags & CHAIN_NEED_CRL) != 0)
		f |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	(void)X509_VERIFY_PARAM_set_flags(p, f);
}

mst_err
chain_verify(const struct anchors *t, X509 *leaf, const STACK_OF(X509) *untrusted,
    const struct mst_clock *clock, unsigned flags, STACK_OF(X509) **built)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	mst_err e = MST_E_NOMEM;

	why[0] = '\0';
	/* OpenSSL takes the stack without const and does not change it. */
	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, t->store, leaf, (STACK_OF(X509) *)(uintptr_t)untrusted) != 1)
		goto out;
	set_param(ctx, t, clock, flags);
	X509_STORE_CTX_set_app_data(ctx, &flags);
	X509_STORE_CTX_set_verify_cb(ctx, forgive);
	if (X509_verify_cert(ctx) != 1) {
		int error = X509_STORE_CTX_get_error(ctx);

		(void)snprintf(why, sizeof(why), "depth %d: %s",
		    X509_STORE_CTX_get_error_depth(ctx), X509_verify_cert_error_string(error));
		e = refusal(error);
		goto out;
	}
	e = judge_links(X509_STORE_CTX_get0_chain(ctx));
	if (e == MST_OK && (flags & CHAIN_NOTHING_ELSE) != 0)
		e = judge_company(X509_STORE_CTX_get0_chain(ctx), untrusted);
	if (e == MST_OK && built != NULL) {
		*built = X509_STORE_CTX_get1_chain(ctx);
		e = *built == NULL ? MST_E_NOMEM : MST_OK;
	}
out:
	ERR_clear_error();
	X509_STORE_CTX_free(ctx);
	return e;
}

static bool
cert_is(X509 *cert, mst_span der)
{
	uint8_t *bytes = NULL;
	int n = i2d_X509(cert, &bytes);
	bool same = n > 0 && mst_span_eq(mst_span_of(bytes, (size_t)n), der);

	OPENSSL_free(bytes);
	return same;
}

/* The pinned certificate, decoded only if the peer did not send it along: decoding is dear. */
static mst_err
find_pinned(mst_span der, X509 *leaf, const STACK_OF(X509) *untrusted, X509 **out)
{
	X509 *found = cert_is(leaf, der) ? leaf : NULL;

	for (int i = 0; found == NULL && untrusted != NULL && i < sk_X509_num(untrusted); i++)
		if (cert_is(sk_X509_value(untrusted, i), der))
			found = sk_X509_value(untrusted, i);
	if (found == NULL)
		return cert_parse(der, out);
	(void)X509_up_ref(found);
	*out = found;
	return MST_OK;
}

static mst_err
judge_pinned_key(mst_span pubk, mst_span pubk_sha256, X509 *leaf)
{
	uint8_t *spki = NULL, hash[EVP_MAX_MD_SIZE];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
	unsigned hash_len = 0;
	bool same = false;

	if (n > 0 && pubk_sha256.ptr != NULL)
		same = EVP_Digest(spki, (size_t)n, hash, &hash_len, EVP_sha256(), NULL) == 1 &&
		       mst_span_eq(mst_span_of(hash, hash_len), pubk_sha256);
	else if (n > 0)
		same = mst_span_eq(mst_span_of(spki, (size_t)n), pubk);
	OPENSSL_free(spki);
	return same ? MST_OK : MST_E_VOUCHER_TLS_CHAIN;
}

static bool
valid_now(X509 *cert, const struct mst_clock *clock)
{
	time_t now = (time_t)clock->now;

	if (clock->trust != MST_CLOCK_TRUSTED)
		return true;
	return X509_cmp_time(X509_get0_notBefore(cert), &now) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(cert), &now) > 0;
}

static mst_err
judge_pinned_chain(
    X509 *pinned, X509 *leaf, const STACK_OF(X509) *untrusted, const struct mst_clock *clock)
{
	STACK_OF(X509) *one = sk_X509_new_null();
	struct anchors *t = NULL;
	mst_err e = MST_E_NOMEM;

	if (one == NULL || sk_X509_push(one, pinned) <= 0)
		goto out;
	e = anchors_from_stack(one, &t);
	if (e == MST_OK)
		e = chain_verify(t, leaf, untrusted, clock, 0, NULL);
	if (e == MST_E_NOMEM)
		goto out;
	if (e != MST_OK)
		e = MST_E_VOUCHER_TLS_CHAIN;
	/* RFC 7030 3.6.1: whoever is named by its CA alone must be an RA of that CA. */
	else if (!cert_has_eku(leaf, CERT_OID_CMC_RA))
		e = MST_E_VOUCHER_NOT_RA;
out:
	anchors_free(t);
	sk_X509_free(one);
	return e;
}

mst_err
pin_judge(mst_span pinned_cert, mst_span pinned_pubk, mst_span pinned_pubk_sha256, X509 *leaf,
    const STACK_OF(X509) *untrusted, const struct mst_clock *clock)
{
	X509 *pinned = NULL;
	mst_err e;

	why[0] = '\0';
	if (cert_key_strength(X509_get0_pubkey(leaf)) != MST_OK || !valid_now(leaf, clock)) {
		(void)snprintf(why, sizeof(why), "depth 0: weak key or outside its validity");
		return MST_E_VOUCHER_TLS_CHAIN;
	}
	/* DM-4, RFC 8366bis 8: pubk-sha256, then pubk, then cert. */
	if (pinned_pubk_sha256.ptr != NULL || pinned_pubk.ptr != NULL)
		return judge_pinned_key(pinned_pubk, pinned_pubk_sha256, leaf);
	if (pinned_cert.ptr == NULL)
		return MST_E_VOUCHER_TLS_CHAIN;
	e = find_pinned(pinned_cert, leaf, untrusted, &pinned);
	if (e != MST_OK)
		return MST_E_VOUCHER_TLS_CHAIN;
	if (EVP_PKEY_eq(X509_get0_pubkey(pinned), X509_get0_pubkey(leaf)) != 1)
		e = judge_pinned_chain(pinned, leaf, untrusted, clock);
	X509_free(pinned);
	return e;
}

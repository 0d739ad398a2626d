/* SPDX-License-Identifier: Apache-2.0 */
/* What a voucher pins and how long it lives: brski.md 8.5, 8.4 steps 12 and 13, RFC 8995 5.5.2
 * and 5.6. */
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/masa/masa_judge.h"

struct masa_public {
	struct anchors *anchors;
	EVP_PKEY **keys;
	int count;
};

mst_err
masa_public_new(mst_span pem, struct masa_public **out)
{
	struct masa_public *p = calloc(1, sizeof(*p));
	STACK_OF(X509) *certs = NULL;
	mst_err e;

	if (p == NULL)
		return MST_E_NOMEM;
	if ((e = cert_list(pem, &certs)) != MST_OK ||
	    (e = anchors_from_stack(certs, &p->anchors)) != MST_OK)
		goto out;
	p->keys = calloc((size_t)sk_X509_num(certs), sizeof(EVP_PKEY *));
	if (p->keys == NULL) {
		e = MST_E_NOMEM;
		goto out;
	}
	for (int i = 0; i < sk_X509_num(certs); i++) {
		EVP_PKEY *k = X509_get_pubkey(sk_X509_value(certs, i));

		if (k != NULL)
			p->keys[p->count++] = k;
	}
out:
	sk_X509_pop_free(certs, X509_free);
	if (e == MST_OK)
		*out = p;
	else
		masa_public_free(p);
	return e;
}

void
masa_public_free(struct masa_public *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < p->count; i++)
		EVP_PKEY_free(p->keys[i]);
	free(p->keys);
	anchors_free(p->anchors);
	free(p);
}

bool
masa_public_has(const struct masa_public *p, X509 *cert, const STACK_OF(X509) *chain)
{
	/* Without time: an expired public CA is public still. */
	const struct mst_clock timeless = { MST_CLOCK_UNTRUSTED, 0 };
	EVP_PKEY *key = X509_get0_pubkey(cert);

	for (int i = 0; key != NULL && i < p->count; i++)
		if (EVP_PKEY_eq(key, p->keys[i]) == 1)
			return true;
	/* Any other answer than "does not chain" is read as public: fail closed. */
	return chain_verify(p->anchors, cert, chain, &timeless, 0, NULL) != MST_E_X509_CHAIN;
}

/* 8.5, nonceless: the highest CA that the request offers and the customer's anchors allow. */
static X509 *
highest_allowed(const struct masa_judge_in *in, const struct masa_rvr *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (masa_party_has_anchor(in->customers, r->party, r->chain[i]))
			return r->chain[i];
	return r->chain[r->count - 1];
}

/* 8.5: nonced pins the lowest CA, or the EE where nothing else is offered (RFC 8995 5.5). */
static X509 *
choose(const struct masa_judge_in *in, const struct masa_rvr *r)
{
	if (r->env.claims.nonce.ptr == NULL)
		return highest_allowed(in, r);
	return r->chain[r->count > 1 ? 1 : 0];
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return INT64_MAX;
	return (int64_t)timegm(&tm);
}

int64_t
masa_crl_next(mst_span pem, const struct masa_rvr *r, int64_t after)
{
	int64_t least = INT64_MAX;
	X509_CRL *crl;
	BIO *b;

	if (pem.len == 0 || pem.len > INT32_MAX ||
	    (b = BIO_new_mem_buf(pem.ptr, (int)pem.len)) == NULL)
		return least;
	while ((crl = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)) != NULL) {
		int64_t next = seconds_of(X509_CRL_get0_nextUpdate(crl));

		for (size_t i = 0; i < r->count; i++)
			if (X509_NAME_cmp(
			        X509_CRL_get_issuer(crl), X509_get_issuer_name(r->chain[i])) == 0 &&
			    next > after && next < least)
				least = next;
		X509_CRL_free(crl);
	}
	BIO_free(b);
	return least;
}

/* RFC 8995 5.6: before the earliest of configured life, registrar's and pin's expiry, CRL life. */
static int64_t
expiry(const struct masa_judge_in *in, const struct masa_rvr *r, X509 *pin)
{
	int64_t bounds[] = {
		seconds_of(X509_get0_notAfter(r->env.signer)),
		seconds_of(X509_get0_notAfter(pin)),
		masa_crl_next(in->policy->crl_pem, r, in->clock.now),
		masa_crl_next(
		    r->party != NULL ? r->party->row.crl_pem : MST_NONE, r, in->clock.now),
	};
	int64_t at = in->clock.now + in->policy->nonceless_seconds;

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (bounds[i] < at)
			at = bounds[i];
	return at;
}

/* The pin in the form that the pledge used (DM-4): a raw key for who speaks raw keys only. */
static mst_err
put_pin(
    struct arena *a, const struct mst_voucher_claims *pvr, X509 *pin, struct mst_voucher_claims *v)
{
	if (pvr != NULL && pvr->proximity_cert.ptr == NULL) {
		if (pvr->proximity_pubk_sha256.ptr != NULL)
			return masa_spki_sha256(a, pin, &v->pinned_pubk_sha256);
		return cert_spki(a, pin, &v->pinned_pubk);
	}
	return cert_der(a, pin, &v->pinned_cert);
}

mst_err
masa_pin(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    const struct mst_voucher_claims *pvr, struct masa_report *report, struct masa_verdict *v)
{
	/* 8.5: an RPK-only pledge gets the registrar's EE key; it could not climb to a CA. */
	bool raw =
	    pvr != NULL && pvr->proximity_cert.ptr == NULL && r->env.claims.nonce.ptr != NULL;
	X509 *pin = raw ? r->env.signer : choose(in, r);
	mst_err e;

	/* 8.5: never a public CA, which would let anyone it certifies take the device. */
	if (pin != r->env.signer && masa_public_has(in->policy->public_cas, pin, r->env.certs)) {
		report->detail = cert_subject(a, pin);
		return MST_E_RVR_PUBLIC_CA;
	}
	if ((e = put_pin(a, raw ? pvr : NULL, pin, &v->voucher)) != MST_OK ||
	    (e = masa_spki_sha256(a, pin, &v->entry.pin_sha256)) != MST_OK ||
	    /* ID-7, RFC 8995 5.8.2: domainID is of the pinned certificate. */
	    (e = cert_domain_id(a, pin, &v->entry.domain_id)) != MST_OK)
		return e;
	/* RFC 8366bis 8: a nonce excludes expires-on; nonceless may be without end (7.4.1). */
	v->voucher.expires_on = MST_NO_TIME;
	if (r->env.claims.nonce.ptr == NULL && in->policy->nonceless_seconds > 0)
		v->voucher.expires_on = expiry(in, r, pin);
	v->entry.expires_on = v->voucher.expires_on;
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's request inside the registrar's: brski.md 8.4 step 10, RFC 8995 5.5.5 and 5.5.6. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "server/masa/masa_judge.h"

static mst_err
prior_name(mst_err e)
{
	if (e == MST_E_VOUCHER_SIGNATURE || e == MST_E_CMS_SIGNERS || e == MST_E_CMS_ALGORITHM ||
	    e == MST_E_JWS_HEADER || e == MST_E_COSE_ALGORITHM || e == MST_E_COSE_ALG_UNPROTECTED ||
	    e == MST_E_COSE_SIGNATURE_LENGTH)
		return MST_E_PRIOR_SIGNATURE;
	if (e == MST_E_NOMEM || e == MST_E_INTERNAL)
		return e;
	return MST_E_PRIOR_PARSE;
}

/* A pledge that sends no certificate (legal in CMS): the one that the factory recorded, and no
 * other. */
static mst_err
open_with_known(
    const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r, struct envelope *out)
{
	STACK_OF(X509) *extra = sk_X509_new_null();
	struct envelope env;
	X509 *known;
	mst_err e;

	if ((e = cert_parse(r->device.idevid_cert, &known)) != MST_OK)
		goto out;
	if (extra == NULL || sk_X509_push(extra, known) <= 0)
		e = MST_E_NOMEM;
	else
		e = envelope_open(
		    a, in->media, MST_VOUCHER_REQUEST, r->env.claims.prior_request, extra, &env);
	X509_free(known);
	/* Damaged certificates beside it are not passed over in silence. In COSE they are hints. */
	if (e == MST_OK && in->media != MST_MEDIA_COSE_CBOR && sk_X509_num(env.certs) > 1)
		e = MST_E_VOUCHER_SIGNATURE;
	if (e == MST_OK)
		*out = env;
out:
	sk_X509_free(extra);
	return e;
}

/* Step 10a and the signature of 10b. */
static mst_err
open_prior(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    struct masa_report *report, struct envelope *out)
{
	/* COSE-4: the pledge's certificates are not in its request but in the registrar's. */
	const STACK_OF(X509) *bag = in->media == MST_MEDIA_COSE_CBOR ? r->env.certs : NULL;
	struct envelope env;
	mst_err e;

	/* 10a: the same format as the registrar's request (RFC 8366bis 6). */
	e = envelope_open(
	    a, in->media, MST_VOUCHER_REQUEST, r->env.claims.prior_request, bag, &env);
	if (e == MST_E_VOUCHER_SIGNATURE && r->device.idevid_cert.len != 0)
		e = open_with_known(in, a, r, &env);
	if (e == MST_OK)
		e = mst_request_check(&env.claims);
	if (e != MST_OK) {
		report->detail = mst_err_info(e)->sentence;
		return prior_name(e);
	}
	*out = env;
	return MST_OK;
}

/* The key of the signer is the one that the factory recorded for this very device. */
static mst_err
judge_key(struct arena *a, const struct masa_device *d, X509 *signer)
{
	mst_span seen, issuer, known = d->spki_sha256;
	X509 *cert;
	mst_err e;

	if ((e = masa_spki_sha256(a, signer, &seen)) != MST_OK)
		return e;
	if (known.len == 0 && d->idevid_cert.len != 0) {
		if ((e = cert_parse(d->idevid_cert, &cert)) != MST_OK)
			return e;
		e = masa_spki_sha256(a, cert, &known);
		X509_free(cert);
		if (e != MST_OK)
			return e;
	}
	if (known.len != 0 && !mst_span_eq(known, seen))
		return MST_E_PRIOR_SIGNATURE;
	/* Serial numbers are unique per issuer only: the signer's issuer is the device's. */
	if ((e = cert_idevid_issuer(a, signer, &issuer)) != MST_OK)
		return e;
	return mst_span_eq(issuer, d->idevid_issuer) ? MST_OK : MST_E_PRIOR_SIGNATURE;
}

/*
 * 10b: the certificate chains to our IDevID CA. In CMS and JWS what goes along
 * is of that chain and nothing else; in COSE it stands in the registrar's bag,
 * among the registrar's own, and binds nobody.
 */
static mst_err
verify_idevid(const struct masa_judge_in *in, const struct masa_rvr *r, const struct envelope *pvr)
{
	unsigned flags = in->policy->expiry == MASA_EXPIRY_IGNORED ? CHAIN_NO_LEAF_TIME : 0;
	STACK_OF(X509) *all;
	mst_err e = MST_E_NOMEM;

	if (in->media != MST_MEDIA_COSE_CBOR)
		return chain_verify(in->policy->idevid, pvr->signer, pvr->certs, &in->clock,
		    flags | CHAIN_NOTHING_ELSE, NULL);
	if ((all = sk_X509_dup(pvr->certs)) == NULL)
		return e;
	for (int i = 0; i < sk_X509_num(r->env.certs); i++)
		if (sk_X509_push(all, sk_X509_value(r->env.certs, i)) <= 0)
			goto out;
	e = chain_verify(in->policy->idevid, pvr->signer, all, &in->clock, flags, NULL);
out:
	sk_X509_free(all);
	return e;
}

/* 10b, 10c: who signed the pledge's request? */
static mst_err
judge_signer(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    const struct envelope *pvr, struct masa_report *report)
{
	mst_span serial;
	mst_err e = verify_idevid(in, r, pvr);

	if (e != MST_OK) {
		report->detail = arena_printf(a, "%s", cert_why());
		return e == MST_E_NOMEM ? e : MST_E_PRIOR_IDEVID_CHAIN;
	}
	e = cert_device_serial(a, pvr->signer, in->policy->serial_rule, &serial);
	if (e != MST_OK)
		return e == MST_E_NOMEM ? e : MST_E_PRIOR_SERIAL;
	/* 10c, RFC 8995 5.5.5: the RVR's serial-number MUST match the signing certificate's. */
	if (!mst_span_eq(serial, r->env.claims.serial))
		return MST_E_RVR_SERIAL;
	if (!mst_span_eq(serial, pvr->claims.serial))
		return MST_E_PRIOR_SERIAL;
	/* 10b: and its key is that device's. */
	return judge_key(a, &r->device, pvr->signer);
}

/* ID-6: the TLS certificate may be a sibling of the signer: same issuer, a registrar too, valid
 * now. */
static mst_err
judge_sibling(const struct masa_judge_in *in, const struct masa_rvr *r, mst_span der)
{
	STACK_OF(X509) *ca = NULL;
	struct anchors *t = NULL;
	X509 *cert;
	mst_err e = MST_E_PRIOR_PROXIMITY;

	if (r->count < 2 || cert_parse(der, &cert) != MST_OK)
		return MST_E_PRIOR_PROXIMITY;
	if (X509_check_ca(cert) != 0 || !cert_has_eku(cert, CERT_OID_CMC_RA) ||
	    X509_verify(cert, X509_get0_pubkey(r->chain[1])) != 1)
		goto out;
	if ((ca = sk_X509_new_null()) == NULL || sk_X509_push(ca, r->chain[1]) <= 0 ||
	    anchors_from_stack(ca, &t) != MST_OK) {
		e = MST_E_NOMEM;
		goto out;
	}
	if (chain_verify(t, cert, NULL, &in->clock, 0, NULL) == MST_OK)
		e = MST_OK;
out:
	ERR_clear_error();
	anchors_free(t);
	sk_X509_free(ca);
	X509_free(cert);
	return e;
}

/*
 * 10d, RFC 8995 5.5.5: the registrar that the pledge saw is the one that asks.
 * The RFC looks for the key anywhere in the chain; a CA's key there would say
 * nothing about the TLS connection, so only the signer or its sibling counts.
 */
static mst_err
judge_proximity(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    const struct mst_voucher_claims *pvr)
{
	mst_span spki, sum, theirs;
	X509 *cert;
	mst_err e;

	if ((e = cert_spki(a, r->env.signer, &spki)) != MST_OK ||
	    (e = masa_sha256(a, spki, &sum)) != MST_OK)
		return e;
	/* DM-4: pubk-sha256, then pubk, then cert. */
	if (pvr->proximity_pubk_sha256.ptr != NULL)
		return mst_span_eq(pvr->proximity_pubk_sha256, sum) ? MST_OK
		                                                    : MST_E_PRIOR_PROXIMITY;
	if (pvr->proximity_pubk.ptr != NULL)
		return mst_span_eq(pvr->proximity_pubk, spki) ? MST_OK : MST_E_PRIOR_PROXIMITY;
	if (pvr->proximity_cert.ptr == NULL)
		return MST_E_PRIOR_PROXIMITY;
	/* The usual case costs no parsing: the very certificate that signed. */
	if ((e = cert_der(a, r->env.signer, &theirs)) != MST_OK ||
	    mst_span_eq(theirs, pvr->proximity_cert))
		return e;
	if (cert_parse(pvr->proximity_cert, &cert) != MST_OK)
		return MST_E_PRIOR_PROXIMITY;
	e = cert_spki(a, cert, &theirs);
	X509_free(cert);
	if (e != MST_OK || mst_span_eq(theirs, spki))
		return e;
	return judge_sibling(in, r, pvr->proximity_cert);
}

mst_err
masa_prior_judge(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    struct masa_report *report, struct mst_voucher_claims *pvr)
{
	const struct mst_voucher_claims *rvr = &r->env.claims;
	struct envelope env;
	mst_err e;

	if ((e = open_prior(in, a, r, report, &env)) != MST_OK ||
	    (e = judge_signer(in, a, r, &env, report)) != MST_OK ||
	    (e = judge_proximity(in, a, r, &env.claims)) != MST_OK)
		return e;
	/* 10e, RFC 8995 5.5.6: a nonce in the RVR MUST be the pledge's. */
	if (rvr->nonce.ptr != NULL &&
	    !mst_nonce_eq(rvr->nonce_text, rvr->nonce, env.claims.nonce_text, env.claims.nonce))
		return MST_E_RVR_NONCE;
	/* 10f: created-on is sane, where the pledge has a clock to set it. */
	if (env.claims.created_on != MST_NO_TIME &&
	    (env.claims.created_on > in->clock.now + in->policy->prior_skew ||
	        env.claims.created_on < in->clock.now - in->policy->prior_max_age))
		return MST_E_PRIOR_CREATED;
	/* RFC 8995 5.2: the pledge asserts proximity, or it is not what it says. */
	if (env.claims.assertion != MST_ASSERT_PROXIMITY)
		return MST_E_PRIOR_ASSERTION;
	*pvr = env.claims;
	return MST_OK;
}

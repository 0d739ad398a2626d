/* SPDX-License-Identifier: Apache-2.0 */
/* What a registrar checks before anything leaves for a MASA: brski.md 8.2. */
#include "server/registrar/registrar.h"

#include <string.h>

#include <openssl/evp.h>

#include "muster/base64.h"

/* A pledge's clock may be wrong by a time zone; a request from tomorrow is not for today. */
#define PVR_SKEW (24 * 3600)

static mst_err
judge_client(const struct trust_verdict *client)
{
	switch (client->class) {
	case TRUST_ANONYMOUS: return MST_E_TLS_NO_CLIENT_CERT;
	case TRUST_REFUSED: return client->why;
	case TRUST_LDEVID:
		return MST_E_TLS_UNTRUSTED_MANUFACTURER; /* BRSKI starts with the IDevID */
	case TRUST_IDEVID: break;
	}
	return MST_OK;
}

/* What envelope_open refuses, in the registrar's words. */
static mst_err
pvr_refusal(mst_err e)
{
	if (e == MST_E_NOMEM || e == MST_E_MEDIA_UNSUPPORTED)
		return e;
	if (e == MST_E_VOUCHER_SIGNATURE || e == MST_E_CMS_SIGNERS || e == MST_E_CMS_ALGORITHM ||
	    e == MST_E_JWS_HEADER || e == MST_E_X509_WEAK || e == MST_E_COSE_ALGORITHM ||
	    e == MST_E_COSE_ALG_UNPROTECTED || e == MST_E_COSE_SIGNATURE_LENGTH)
		return MST_E_PVR_SIGNATURE;
	return MST_E_PVR_PARSE;
}

/*
 * CMS-9: the signer is not whoever the message says, but this TLS client: the
 * same certificate, hence the same key. The key alone would let a device bring
 * a certificate of its own making, whose MASA URL the audit log's request reads
 * later from the stored PVR.
 */
static bool
same_cert(X509 *a, X509 *b)
{
	return a != NULL && b != NULL && X509_cmp(a, b) == 0;
}

static bool
shown_by_tls(const struct registrar_pvr_in *in, X509 *cert)
{
	if (same_cert(cert, in->client_cert))
		return true;
	for (int i = 0; in->client_chain != NULL && i < sk_X509_num(in->client_chain); i++)
		if (same_cert(cert, sk_X509_value(in->client_chain, i)))
			return true;
	return false;
}

/*
 * What goes along beside the signer is of its chain, to the bit: the PVR is
 * stored, forwarded and judged again by others, so nothing in it is idle.
 */
static mst_err
judge_company(const struct registrar_pvr_in *in, const struct envelope *pvr)
{
	STACK_OF(X509) *all = NULL;
	mst_err e = MST_E_NOMEM;
	int i = 0;

	while (i < sk_X509_num(pvr->certs) && shown_by_tls(in, sk_X509_value(pvr->certs, i)))
		i++;
	if (i == sk_X509_num(pvr->certs))
		return MST_OK;
	if (in->maker == NULL)
		return MST_E_PVR_SIGNATURE;
	if ((all = sk_X509_dup(pvr->certs)) == NULL)
		return e;
	for (i = 0; in->client_chain != NULL && i < sk_X509_num(in->client_chain); i++)
		if (sk_X509_push(all, sk_X509_value(in->client_chain, i)) <= 0)
			goto out;
	e = chain_verify(in->maker, pvr->signer, all, &in->clock,
	    CHAIN_NOTHING_ELSE | (in->client->manufacturer.ignore_expiry ? CHAIN_NO_LEAF_TIME : 0u),
	    NULL);
	if (e != MST_OK && e != MST_E_NOMEM)
		e = MST_E_PVR_SIGNATURE;
out:
	sk_X509_free(all);
	return e;
}

/* COSE-4: who signed a request in COSE, TLS or DTLS alone says; kid and x5bag are ignored. */
static mst_err
open_pvr(struct arena *a, const struct registrar_pvr_in *in, struct envelope *out)
{
	STACK_OF(X509) *client;
	mst_err e = MST_E_NOMEM;

	if (in->media != MST_MEDIA_COSE_CBOR)
		return envelope_open(
		    a, in->media, MST_VOUCHER_REQUEST, in->message, in->client_chain, out);
	if (in->client_cert == NULL)
		return MST_E_TLS_NO_CLIENT_CERT;
	if ((client = sk_X509_new_null()) != NULL && sk_X509_push(client, in->client_cert) > 0)
		e = envelope_open(a, in->media, MST_VOUCHER_REQUEST, in->message, client, out);
	sk_X509_free(client);
	return e;
}

static void
free_certs(void *certs)
{
	sk_X509_pop_free((STACK_OF(X509) *)certs, X509_free);
}

mst_err
registrar_pledge_chain(struct arena *a, const struct registrar_pvr_in *in, STACK_OF(X509) **out)
{
	STACK_OF(X509) *built = NULL;
	mst_err e;

	if (in->maker == NULL)
		return MST_E_TLS_UNTRUSTED_MANUFACTURER;
	e = chain_verify(in->maker, in->client_cert, in->client_chain, &in->clock,
	    in->client->manufacturer.ignore_expiry ? CHAIN_NO_LEAF_TIME : 0u, &built);
	if (e != MST_OK)
		return e;
	*out = arena_own(a, built, free_certs);
	return *out != NULL ? MST_OK : MST_E_NOMEM;
}

/* 8.2 step 6, in the order of DM-4. */
static mst_err
judge_proximity(struct arena *a, const struct mst_voucher_claims *c, X509 *own)
{
	uint8_t digest[32];
	mst_span spki, der;

	if (cert_spki(a, own, &spki) != MST_OK || cert_der(a, own, &der) != MST_OK ||
	    EVP_Digest(spki.ptr, spki.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_NOMEM;
	if (c->proximity_pubk_sha256.ptr != NULL)
		return mst_span_eq(c->proximity_pubk_sha256, mst_span_of(digest, sizeof digest))
		           ? MST_OK
		           : MST_E_PVR_PROXIMITY;
	if (c->proximity_pubk.ptr != NULL)
		return mst_span_eq(c->proximity_pubk, spki) ? MST_OK : MST_E_PVR_PROXIMITY;
	return mst_span_eq(c->proximity_cert, der) ? MST_OK : MST_E_PVR_PROXIMITY;
}

mst_err
registrar_judge_pvr(struct arena *a, const struct registrar_pvr_in *in, struct registrar_pvr *out)
{
	struct registrar_pvr p;
	const struct mst_voucher_claims *c = &p.request.claims;
	mst_err e;

	if ((e = judge_client(in->client)) != MST_OK) /* step 1 */
		return e;
	if (in->media == MST_MEDIA_NONE) /* step 2 */
		return MST_E_MEDIA_UNSUPPORTED;
	e = open_pvr(a, in, &p.request); /* step 3 and the integrity half of step 4 */
	if (e != MST_OK)
		return pvr_refusal(e);
	if (!same_cert(p.request.signer, in->client_cert)) /* step 4 */
		return MST_E_PVR_SIGNATURE;
	if (in->media != MST_MEDIA_COSE_CBOR && (e = judge_company(in, &p.request)) != MST_OK)
		return e;
	if ((e = mst_request_check(c)) == MST_E_VOUCHER_NONCE_LENGTH)
		return MST_E_PVR_NONCE;
	if (e != MST_OK)
		return MST_E_PVR_PARSE;
	if (c->assertion != MST_ASSERT_PROXIMITY) /* step 5 */
		return MST_E_PVR_ASSERTION;
	if ((e = judge_proximity(a, c, in->own)) != MST_OK) /* step 6 */
		return e;
	if (!mst_span_eq(c->serial, in->client->serial)) /* step 7 */
		return MST_E_PVR_SERIAL;
	if (c->nonce.ptr == NULL) /* sheet 4: a PVR always has one */
		return MST_E_PVR_NONCE;
	if (c->created_on != MST_NO_TIME && in->clock.trust == MST_CLOCK_TRUSTED &&
	    c->created_on > in->clock.now + PVR_SKEW)
		return MST_E_PVR_CREATED;
	if (EVP_Digest(in->message.ptr, in->message.len, p.sha256, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_NOMEM;
	*out = p;
	return MST_OK;
}

mst_err
registrar_authorise(const struct manufacturer *m, const struct device *d)
{
	if (!m->enabled)
		return MST_E_AUTHZ_MANUFACTURER;
	switch (d->state) {
	case DEVICE_QUARANTINED:
	case DEVICE_REVOKED: return MST_E_AUTHZ_QUARANTINED;
	case DEVICE_RETIRED: return d->decision < 0 ? MST_E_AUTHZ_DENIED : MST_E_AUTHZ_QUARANTINED;
	case DEVICE_PLANNED:
	case DEVICE_SEEN:
	case DEVICE_PENDING:
	case DEVICE_VOUCHER:
	case DEVICE_ENROLLED:
	case DEVICE_ACTIVE:
	case DEVICE_STALE:
	case DEVICE_STATE_COUNT: break;
	}
	if (d->decision != 0)
		return d->decision > 0 ? MST_OK : MST_E_AUTHZ_DENIED;
	switch (m->mode) {
	case ACCEPT_AUTO: return MST_OK;
	case ACCEPT_LISTED: return MST_E_AUTHZ_UNKNOWN;
	case ACCEPT_ASK: return MST_E_AUTHZ_PENDING;
	}
	return MST_E_AUTHZ_UNKNOWN;
}

/*
 * True when host[:port] of base, or its host alone, stands in the
 * space-separated list. Of a private address the host alone is not enough.
 */
static bool
host_allowed(const char *base, const char *list)
{
	const char *host = base + strlen("https://");
	size_t n = strcspn(host, "/");
	size_t bare = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

	if (cert_masa_url_is_private(base))
		bare = n; /* ID-3: named exactly, or refused */
	while (list != NULL && *list != '\0') {
		size_t w = strcspn(list, " \t\r\n");

		if (w != 0 && (w == n || w == bare) && strncasecmp(list, host, w) == 0)
			return true;
		list += w;
		list += strspn(list, " \t\r\n");
	}
	return false;
}

mst_err
registrar_masa_url(
    struct arena *a, const struct manufacturer *m, const char *from_idevid, const char **base)
{
	if (m->masa_url != NULL)
		return cert_masa_url_check(a, mst_span_str(m->masa_url), base) == MST_OK
		           ? MST_OK
		           : MST_E_MASA_NOT_ALLOWED;
	if (from_idevid == NULL || strncmp(from_idevid, "https://", strlen("https://")) != 0 ||
	    !host_allowed(from_idevid, m->masa_hosts))
		return MST_E_MASA_NOT_ALLOWED;
	*base = from_idevid;
	return MST_OK;
}

void
registrar_rvr_claims(const struct registrar_pvr *pvr, mst_span pvr_message,
    const struct trust_verdict *client, int64_t now, struct mst_voucher_claims *out)
{
	const struct mst_voucher_claims *c = &pvr->request.claims;

	mst_voucher_claims_init(out, MST_VOUCHER_REQUEST);
	out->created_on = now;
	out->assertion = c->assertion; /* cV s7.2 */
	out->nonce = c->nonce; /* verbatim: DM-2 */
	out->nonce_text = c->nonce_text;
	out->serial = client->serial; /* from the certificate, not from the PVR */
	out->idevid_issuer = client->idevid_issuer; /* ID-8 */
	out->prior_request = pvr_message; /* 8995 5.5: the complete signed PVR */
}

/* What the MASA sent is for exactly this request (8.6). */
static mst_err
match(const struct mst_voucher_claims *v, const struct mst_voucher_claims *rvr, const char **why)
{
	if (!mst_span_eq(v->serial, rvr->serial)) {
		*why = "the voucher is for another serial number";
		return MST_E_MASA_VOUCHER;
	}
	if (!mst_nonce_eq(v->nonce_text, v->nonce, rvr->nonce_text, rvr->nonce)) {
		*why = "the voucher's nonce is not the request's";
		return MST_E_MASA_VOUCHER;
	}
	/* 8366bis 8, 8.7 step 4: the pledge refuses a voucher for another issuer's device. */
	if (v->idevid_issuer.ptr != NULL && rvr->idevid_issuer.ptr != NULL &&
	    !mst_idevid_issuer_eq(v->idevid_issuer, rvr->idevid_issuer)) {
		*why = "the voucher is for a device of another issuer";
		return MST_E_MASA_VOUCHER;
	}
	if (v->assertion == MST_ASSERT_ABSENT) {
		*why = "the voucher has no assertion";
		return MST_E_MASA_VOUCHER;
	}
	return MST_OK;
}

mst_err
registrar_judge_voucher(struct arena *a, const struct registrar_voucher_in *in, const char **why)
{
	/* A voucher in COSE may name nobody: the anchors may be the very signers (COSE-6). */
	const STACK_OF(X509) *known =
	    in->voucher_anchors != NULL ? anchors_certs(in->voucher_anchors) : NULL;
	struct envelope v;
	mst_err e = envelope_open(a, in->media, MST_VOUCHER, in->message, known, &v);

	if (e != MST_OK) {
		*why = mst_err_info(e)->sentence;
		return e == MST_E_VOUCHER_SIGNATURE ? MST_E_MASA_VOUCHER : MST_E_MASA_FORMAT;
	}
	if (in->voucher_anchors != NULL && chain_verify(in->voucher_anchors, v.signer, v.certs,
	                                       &in->clock, CHAIN_NOTHING_ELSE, NULL) != MST_OK) {
		*why = "the voucher's signer does not chain to the manufacturer's voucher anchors";
		return MST_E_MASA_VOUCHER;
	}
	if ((e = match(&v.claims, in->rvr, why)) != MST_OK)
		return e;
	/* The pledge will ask the same: better to know it here, where an operator can see it. */
	if (pin_judge(v.claims.pinned_cert, v.claims.pinned_pubk, v.claims.pinned_pubk_sha256,
	        in->own, in->own_chain, &in->clock) != MST_OK) {
		*why = "the voucher pins neither this registrar nor its CA";
		return MST_E_MASA_VOUCHER;
	}
	return MST_OK;
}

/* DM-2: as text first, then as the bytes that both mean. */
static bool
same_nonce(struct arena *a, mst_span x, mst_span y)
{
	struct mst_buf bx, by;

	if (x.ptr == NULL || y.ptr == NULL)
		return x.ptr == NULL && y.ptr == NULL;
	if (mst_ct_eq(x, y))
		return true;
	bx = arena_buf(a, x.len + 4);
	by = arena_buf(a, y.len + 4);
	return mst_base64_decode(x, MST_BASE64_URL, &bx) == MST_OK &&
	       mst_base64_decode(y, MST_BASE64_URL, &by) == MST_OK && bx.len != 0 &&
	       mst_ct_eq(mst_buf_span(&bx), mst_buf_span(&by));
}

static bool
is_own(const struct registrar_audit_in *in, mst_span domain)
{
	for (size_t i = 0; i < in->own_count; i++)
		if (mst_span_eq(in->own_domains[i], domain))
			return true;
	return false;
}

mst_err
registrar_judge_audit(
    struct arena *a, const struct registrar_audit_in *in, struct registrar_audit *out)
{
	size_t foreign = 0, nonceless = 0, own = 0;
	bool strict = in->policy == NULL || strcmp(in->policy, "warn") != 0;
	struct registrar_audit v = { .verdict = 1, .err = MST_OK };

	for (size_t i = 0; i < in->log->count; i++) {
		const struct audit_event *ev = &in->log->events[i];

		if (!is_own(in, ev->domain_id)) {
			foreign++;
			nonceless += ev->nonce.ptr == NULL;
		} else if (same_nonce(a, ev->nonce, in->own_nonce)) {
			own++;
		}
	}
	if (own == 0)
		v.err = MST_E_AUDIT_MISSING_OWN;
	else if (nonceless != 0)
		v.err = MST_E_AUDIT_NONCELESS;
	else if (foreign != 0)
		v.err = MST_E_AUDIT_FOREIGN;
	else if (in->log->arbitrary > 0)
		v.err = MST_E_AUDIT_TRUNCATED;
	if (v.err != MST_OK)
		v.verdict = strict || v.err == MST_E_AUDIT_MISSING_OWN ? 0 : 2;
	v.words = arena_printf(a,
	    "%zu entries: %zu of this site's present voucher, %zu of other domains (%zu without "
	    "nonce), %lld cut arbitrarily: %s",
	    in->log->count, own, foreign, nonceless, (long long)in->log->arbitrary,
	    v.verdict == 1   ? "good"
	    : v.verdict == 2 ? "good with warnings"
	                     : mst_err_info(v.err)->sentence);
	if (v.words == NULL)
		return MST_E_NOMEM;
	*out = v;
	return MST_OK;
}

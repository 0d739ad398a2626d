/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's voucher-request itself: brski.md 8.4 steps 3 to 7. */
#include <openssl/err.h>
#include <openssl/sha.h>
#include <string.h>

#include "server/masa/masa_judge.h"

mst_err
masa_sha256(struct arena *a, mst_span in, mst_span *out)
{
	uint8_t *sum = arena_alloc(a, SHA256_DIGEST_LENGTH);

	if (sum == NULL)
		return MST_E_NOMEM;
	if (EVP_Digest(in.ptr, in.len, sum, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_INTERNAL;
	*out = mst_span_of(sum, SHA256_DIGEST_LENGTH);
	return MST_OK;
}

mst_err
masa_spki_sha256(struct arena *a, X509 *cert, mst_span *out)
{
	mst_span spki;
	mst_err e;

	if ((e = cert_spki(a, cert, &spki)) != MST_OK)
		return e;
	return masa_sha256(a, spki, out);
}

/* What envelope_open refuses, in the MASA's words; what has a sharper name of its own keeps it. */
static mst_err
rvr_name(mst_err e)
{
	if (e == MST_E_VOUCHER_SIGNATURE || e == MST_E_COSE_SIGNATURE_LENGTH)
		return MST_E_RVR_SIGNATURE;
	if (e == MST_E_COSE_ALGORITHM || e == MST_E_COSE_ALG_UNPROTECTED || e == MST_E_COSE_CRIT)
		return e;
	if (e == MST_E_CMS_SIGNERS || e == MST_E_CMS_ALGORITHM || e == MST_E_JWS_HEADER ||
	    e == MST_E_VOUCHER_KIND || e == MST_E_MEDIA_UNSUPPORTED || e == MST_E_X509_WEAK ||
	    e == MST_E_NOMEM || e == MST_E_INTERNAL)
		return e;
	return MST_E_RVR_PARSE;
}

void
masa_note(struct arena *a, struct masa_report *report, const char *words)
{
	const char *both =
	    report->detail == NULL ? words : arena_printf(a, "%s; %s", report->detail, words);

	if (both != NULL)
		report->detail = both;
}

static bool
in_chain(const struct masa_rvr *r, const X509 *cert)
{
	for (size_t i = 0; i < r->count; i++)
		if (X509_cmp(r->chain[i], cert) == 0)
			return true;
	return false;
}

/*
 * The certificate of the message that issued `of`, by name; where several bear
 * it, the one whose key made the signature. NULL and *named: none of them did.
 * A single one is taken at its word here, verify_chain() holds it to it.
 */
static X509 *
issuer_of(const struct masa_rvr *r, X509 *of, bool *named)
{
	X509 *one = NULL;
	int found = 0;

	for (int i = 0; i < sk_X509_num(r->env.certs); i++) {
		X509 *c = sk_X509_value(r->env.certs, i);

		if (X509_NAME_cmp(X509_get_subject_name(c), X509_get_issuer_name(of)) != 0 ||
		    in_chain(r, c))
			continue;
		if (found++ > 0 && X509_verify(of, X509_get0_pubkey(one)) == 1)
			break;
		one = c;
	}
	*named = found > 0;
	if (found > 1 && X509_verify(of, X509_get0_pubkey(one)) != 1)
		one = NULL;
	ERR_clear_error();
	return one;
}

/*
 * CMS-6, COSE-5: the order of the certificates says nothing, the chain is
 * built; what does not belong to it is left aside and can never be pinned.
 */
mst_err
masa_rvr_chain(struct masa_rvr *r)
{
	r->chain[0] = r->env.signer;
	r->count = 1;
	for (;;) {
		X509 *top = r->chain[r->count - 1], *up;
		bool named;

		if (X509_self_signed(top, 0) == 1)
			return MST_OK;
		if ((up = issuer_of(r, top, &named)) == NULL)
			return named ? MST_E_RVR_CHAIN : MST_OK;
		if (r->count == MST_CHAIN_MAX)
			return MST_E_RVR_CHAIN;
		r->chain[r->count++] = up;
	}
}

/* From here on the chain is what was verified: nothing above the anchor, nothing beside the path.
 */
static mst_err
adopt(struct masa_rvr *r, const STACK_OF(X509) *built)
{
	size_t n = (size_t)sk_X509_num(built);

	if (n < r->count)
		r->count = n;
	for (size_t i = 0; i < r->count; i++) {
		X509 *c = sk_X509_value(built, (int)i);

		/* A re-issued certificate of the same key is the same link. */
		if (X509_cmp(c, r->chain[i]) != 0 &&
		    EVP_PKEY_eq(X509_get0_pubkey(c), X509_get0_pubkey(r->chain[i])) != 1)
			return MST_E_RVR_CHAIN;
	}
	return MST_OK;
}

static mst_err
chain_name(mst_err e)
{
	if (e == MST_E_X509_EXPIRED)
		return MST_E_RVR_EXPIRED;
	if (e == MST_E_X509_REVOKED)
		return MST_E_RVR_REVOKED;
	if (e == MST_E_X509_CHAIN)
		return MST_E_RVR_CHAIN;
	return e; /* RVR_CRL_UNAVAILABLE, X509_WEAK, NOMEM */
}

/* The CRLs that may speak about this chain: configured, and the customer's. */
static mst_err
crls_for(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r, mst_span *out)
{
	mst_span own = in->policy->crl_pem;
	mst_span theirs = r->party != NULL ? r->party->row.crl_pem : MST_NONE;
	struct mst_buf b;

	*out = MST_NONE;
	if (own.len + theirs.len == 0)
		return MST_OK;
	b = arena_buf(a, own.len + theirs.len + 1);
	if (b.cap == 0)
		return MST_E_NOMEM;
	if (mst_buf_put(&b, own) != MST_OK || mst_buf_put(&b, MST_LIT("\n")) != MST_OK ||
	    mst_buf_put(&b, theirs) != MST_OK)
		return MST_E_INTERNAL;
	*out = mst_buf_span(&b);
	return MST_OK;
}

/* RFC 8995 5.5.2: an unknown top is a temporary anchor, for consistency only. */
static mst_err
temporary_anchor(
    const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r, struct anchors **out)
{
	X509 *top = r->chain[r->count - 1];
	STACK_OF(X509) *one;
	mst_span pem, crls;
	mst_err e;

	if ((e = crls_for(in, a, r, &crls)) != MST_OK)
		return e;
	if (crls.len != 0) {
		if ((e = cert_pem(a, top, &pem)) != MST_OK)
			return e;
		return anchors_new(pem, crls, out);
	}
	if ((one = sk_X509_new_null()) == NULL)
		return MST_E_NOMEM;
	e = sk_X509_push(one, top) > 0 ? anchors_from_stack(one, out) : MST_E_NOMEM;
	sk_X509_free(one);
	return e;
}

/* The path as masa_rvr_chain() built it, and nothing else to choose from. */
static mst_err
verify_consistent(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    unsigned flags, STACK_OF(X509) **built)
{
	STACK_OF(X509) *path = sk_X509_new_null();
	struct anchors *t = NULL;
	mst_err e = MST_E_NOMEM;

	for (size_t i = 1; i < r->count; i++)
		if (path == NULL || sk_X509_push(path, r->chain[i]) <= 0)
			goto out;
	if ((e = temporary_anchor(in, a, r, &t)) == MST_OK)
		e = chain_verify(t, r->env.signer, path, &in->clock, flags, built);
out:
	anchors_free(t);
	sk_X509_free(path);
	return e;
}

/* 8.4 steps 4 and 5: chain, validity now, revocation by policy. */
static mst_err
verify_chain(const struct masa_judge_in *in, struct arena *a, struct masa_rvr *r)
{
	STACK_OF(X509) *built = NULL;
	unsigned flags = 0;
	mst_err e;

	/* 8.4 step 5: hard or soft failure is the customer's policy. */
	if (r->party != NULL && r->party->row.hard_revocation)
		flags |= CHAIN_NEED_CRL;
	if (r->party_by_chain)
		e = chain_verify(
		    r->party->anchors, r->env.signer, r->env.certs, &in->clock, flags, &built);
	else
		e = verify_consistent(in, a, r, flags, &built);
	if (e == MST_OK) {
		e = adopt(r, built);
		sk_X509_pop_free(built, X509_free);
		return e;
	}
	return chain_name(e);
}

/* 8.4 step 5: a soft failure is passed, not passed over. */
static void
note_revocation(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    struct masa_report *report)
{
	X509 *ee = r->env.signer;
	mst_span theirs = r->party != NULL ? r->party->row.crl_pem : MST_NONE;

	if (X509_get_ext_by_NID(ee, NID_crl_distribution_points, -1) < 0 &&
	    X509_get_ext_by_NID(ee, NID_info_access, -1) < 0)
		return;
	if (masa_crl_next(in->policy->crl_pem, r, in->clock.now) == INT64_MAX &&
	    masa_crl_next(theirs, r, in->clock.now) == INT64_MAX)
		masa_note(
		    a, report, "revocation of the registrar not checked: no current CRL here");
}

/* The customer who asks: as authenticated, else as the request's own chain shows (5.5.4). */
static void
find_party(const struct masa_judge_in *in, struct masa_rvr *r)
{
	const struct masa_party *p = NULL;

	if (in->customers != NULL)
		p = masa_customers_by_cert(in->customers, r->env.signer, r->env.certs, &in->clock);
	r->party = in->client != NULL ? in->client : p;
	r->party_by_chain = p != NULL && p == r->party;
}

/* What an RVR may and must carry (8995 5.5, 8366bis 6). */
static mst_err
judge_leaves(const struct masa_judge_in *in, const struct mst_voucher_claims *c)
{
	mst_err e;

	if ((e = mst_request_check(c)) != MST_OK)
		return e;
	/* RFC 8995 5.5: proximity-registrar-cert MUST NOT be present. */
	if (c->proximity_cert.ptr != NULL || c->proximity_pubk.ptr != NULL ||
	    c->proximity_pubk_sha256.ptr != NULL)
		return MST_E_RVR_PROXIMITY_PRESENT;
	/* RFC 8366bis 6.1: idevid-issuer is present in every RVR. */
	if (c->idevid_issuer.len == 0)
		return MST_E_RVR_IDEVID_ISSUER;
	/* RFC 8995 5.6: 403 for a stale request; created-on is only a SHOULD (5.5). */
	if (c->created_on != MST_NO_TIME &&
	    (c->created_on > in->clock.now + in->policy->skew ||
	        c->created_on < in->clock.now - in->policy->rvr_max_age))
		return MST_E_RVR_STALE;
	return MST_OK;
}

/* 04 len 30 ..: the OCTET STRING that legacy forms leave away. */
static mst_err
wrap_octets(struct arena *a, mst_span head, mst_span body, mst_span *out)
{
	struct mst_buf b = arena_buf(a, 2 + head.len + body.len);
	size_t len = head.len + body.len;

	if (b.cap == 0)
		return MST_E_NOMEM;
	if (len > 127)
		return MST_E_DEVICE_UNKNOWN;
	if (mst_buf_put_byte(&b, 0x04) != MST_OK || mst_buf_put_byte(&b, (uint8_t)len) != MST_OK ||
	    mst_buf_put(&b, head) != MST_OK || mst_buf_put(&b, body) != MST_OK)
		return MST_E_INTERNAL;
	*out = mst_buf_span(&b);
	return MST_OK;
}

/* The legacy idevid-issuer that is a DN, as text or as DER: is it this IDevID's issuer? */
static bool
issuer_is_name(X509 *cert, mst_span given)
{
	X509_NAME *name = X509_get_issuer_name(cert);
	char text[1024] = "";
	uint8_t *der = NULL;
	char *mem;
	bool same;
	long n;
	int len;
	BIO *b;

	X509_NAME_oneline(name, text, sizeof(text));
	if (mst_span_eq(mst_span_str(text), given))
		return true;
	if ((len = i2d_X509_NAME(name, &der)) > 0 &&
	    mst_span_eq(mst_span_of(der, (size_t)len), given)) {
		OPENSSL_free(der);
		return true;
	}
	OPENSSL_free(der);
	if ((b = BIO_new(BIO_s_mem())) == NULL)
		return false;
	same = X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0 &&
	       (n = BIO_get_mem_data(b, &mem)) > 0 &&
	       mst_span_eq(mst_span_of(mem, (size_t)n), given);
	BIO_free(b);
	return same;
}

static mst_err
device_by_name(const struct masa_judge_in *in, struct arena *a, const struct mst_voucher_claims *c,
    struct masa_device *out)
{
	struct masa_device d;
	X509 *cert;
	mst_err e;

	if (in->find(in->find_arg, a, c->serial, MST_NONE, &d) != MST_OK || d.idevid_cert.len == 0)
		return MST_E_DEVICE_UNKNOWN;
	if ((e = cert_parse(d.idevid_cert, &cert)) != MST_OK)
		return e;
	if (issuer_is_name(cert, c->idevid_issuer))
		*out = d;
	else
		e = MST_E_DEVICE_UNKNOWN;
	X509_free(cert);
	return e;
}

mst_err
masa_rvr_device(const struct masa_judge_in *in, struct arena *a, const struct mst_voucher_claims *c,
    struct masa_report *report, struct masa_device *out)
{
	mst_span issuer = c->idevid_issuer, full = MST_NONE;
	mst_err e = in->find(in->find_arg, a, c->serial, issuer, out);

	if (e != MST_E_NOT_FOUND)
		return e;
	/* ID-8: readers also take the AKI without its OCTET STRING, the bare key id, and a DN. */
	if (issuer.len > 2 && issuer.ptr[0] == 0x30 && issuer.ptr[1] == issuer.len - 2)
		e = wrap_octets(a, MST_NONE, issuer, &full);
	else if (issuer.len == 20)
		e = wrap_octets(a, MST_LIT("\x30\x16\x80\x14"), issuer, &full);
	else
		e = MST_OK;
	if (e != MST_OK)
		return e;
	e = full.len != 0 ? in->find(in->find_arg, a, c->serial, full, out) : MST_E_NOT_FOUND;
	if (e == MST_E_NOT_FOUND)
		e = device_by_name(in, a, c, out);
	if (e == MST_OK)
		masa_note(a, report, "legacy form of idevid-issuer");
	return e;
}

/*
 * COSE-5: an x5bag has no order and COSE names no certificate. Of several that
 * are of the signing key, the one of a registrar is meant (8.4 step 6).
 */
static void
prefer_registrar(struct envelope *env)
{
	EVP_PKEY *key = X509_get0_pubkey(env->signer);

	if (env->media != MST_MEDIA_COSE_CBOR || cert_has_eku(env->signer, CERT_OID_CMC_RA))
		return;
	for (int i = 0; i < sk_X509_num(env->certs); i++) {
		X509 *c = sk_X509_value(env->certs, i);

		if (cert_has_eku(c, CERT_OID_CMC_RA) &&
		    EVP_PKEY_eq(X509_get0_pubkey(c), key) == 1) {
			env->signer = c;
			return;
		}
	}
}

mst_err
masa_rvr_open(const struct masa_judge_in *in, struct arena *a, struct masa_report *report,
    struct masa_rvr *out)
{
	struct masa_rvr r = { 0 };
	mst_err e;

	/* CLK-2: nothing is issued by a clock that is before the build date. */
	if (in->clock.trust != MST_CLOCK_TRUSTED)
		return MST_E_CLOCK;
	/* 8.4 step 3, and the signature of step 4 (RFC 8995 5.5.3). */
	if ((e = envelope_open(a, in->media, MST_VOUCHER_REQUEST, in->rvr, NULL, &r.env)) !=
	    MST_OK) {
		report->detail = mst_err_info(e)->sentence;
		return rvr_name(e);
	}
	prefer_registrar(&r.env);
	if (mst_serial_check(r.env.claims.serial) == MST_OK)
		report->serial = r.env.claims.serial;
	if ((e = masa_rvr_chain(&r)) != MST_OK)
		return e;
	find_party(in, &r);
	/* 8.4 steps 4, 5: consistent chain, valid now, not revoked (5.5.2, 5.5.3). */
	if ((e = verify_chain(in, a, &r)) != MST_OK) {
		report->detail = arena_printf(a, "%s", cert_why());
		return e;
	}
	note_revocation(in, a, &r, report);
	/* 8.4 step 6, RFC 8995 5.5.4: MUST be signed by a registrar. */
	if (!cert_has_eku(r.env.signer, CERT_OID_CMC_RA))
		return MST_E_RVR_NOT_RA;
	if ((e = judge_leaves(in, &r.env.claims)) != MST_OK)
		return e;
	/* 8.4 step 7: the device, by serial number and issuer. */
	if ((e = masa_rvr_device(in, a, &r.env.claims, report, &r.device)) != MST_OK)
		return e;
	report->product = r.device.product;
	*out = r;
	return MST_OK;
}

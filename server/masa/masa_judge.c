/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does a MASA check before it signs? This file: brski.md 8.4, steps 3 to
 * 14 in their order. The steps about the request alone are in masa_rvr.c, the
 * pledge's own request in masa_prior.c, pin and lifetime in masa_pin.c.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/masa/masa_judge.h"

/* Does one range of an Accept header (RFC 9110 12.5.1), parameters cut off, cover the type? */
static bool
range_covers(mst_span range, const char *type)
{
	const char *slash = strchr(type, '/');
	size_t major = (size_t)(slash - type) + 1;

	if (range.len == 3 && memcmp(range.ptr, "*/*", 3) == 0)
		return true;
	if (range.len == major + 1 && range.ptr[major] == '*')
		return strncasecmp((const char *)range.ptr, type, major) == 0;
	return range.len == strlen(type) &&
	       strncasecmp((const char *)range.ptr, type, range.len) == 0;
}

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* Is there a q parameter of zero among ";a=b;q=0"? */
static bool
refused_by_q(const char *p, const char *end)
{
	while (p < end) {
		p = skip_space(p + 1, end);
		if (end - p >= 3 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=' && p[2] == '0') {
			p += 3;
			if (p < end && *p == '.')
				p++;
			while (p < end && *p == '0')
				p++;
			return skip_space(p, end) == end || *p == ';';
		}
		while (p < end && *p != ';')
			p++;
	}
	return false;
}

mst_err
masa_accept_judge(const char *accept, enum mst_media media)
{
	const char *type = mst_media_type(media), *p = accept;
	bool understood = false, covered = false;

	if (accept == NULL || *skip_space(accept, accept + strlen(accept)) == '\0')
		return MST_OK;
	while (*p != '\0') {
		const char *end = p + strcspn(p, ","), *from = skip_space(p, end);
		size_t len = strcspn(from, ",; \t");
		mst_span range = mst_span_of(from, len);

		if (mst_media_find(range) != MST_MEDIA_NONE || range_covers(range, type))
			understood = true;
		if (range_covers(range, type)) {
			/* An exact refusal (q=0) outweighs any wildcard, as 12.5.1 has it. */
			const char *semi = memchr(from, ';', (size_t)(end - from));
			bool no = semi != NULL && refused_by_q(semi, end);

			if (no && memchr(range.ptr, '*', range.len) == NULL)
				return MST_E_MEDIA_ACCEPT;
			if (!no)
				covered = true;
		}
		p = *end == ',' ? end + 1 : end;
	}
	if (covered)
		return MST_OK;
	/* RFC 8995 5.6: 415 for an Accept that is not understood, 406 for one that cannot be met.
	 */
	return understood ? MST_E_MEDIA_ACCEPT : MST_E_MEDIA_UNSUPPORTED;
}

/* 8.4 step 8: stolen, blocked, somebody else's. */
static mst_err
judge_device(const struct masa_rvr *r, struct masa_report *report)
{
	const struct masa_device *d = &r->device;

	switch (d->state) {
	case MASA_BLOCKED: report->detail = d->state_reason; return MST_E_DEVICE_BLOCKED;
	case MASA_OWNED:
		if (d->customer == 0) /* owned, and nobody can show that it is theirs */
			return MST_E_DEVICE_OTHER_OWNER;
		break;
	case MASA_MADE: break;
	}
	if (d->customer != 0 && (r->party == NULL || r->party->row.id != d->customer))
		return MST_E_DEVICE_OTHER_OWNER;
	return MST_OK;
}

/* 8.4 step 9, RFC 8995 5.5.4: who may have a voucher without a nonce? */
static mst_err
judge_nonceless(const struct masa_rvr *r, struct masa_report *report)
{
	if (r->env.claims.nonce.ptr != NULL)
		return MST_OK;
	/* MUST authenticate the registrar, by TLS, HTTP or the anchor of its chain. */
	if (r->party == NULL) {
		report->detail = "the registrar is not an authenticated customer";
		return MST_E_RVR_NONCELESS_DENIED;
	}
	if (!r->party->row.nonceless) {
		report->detail = "the customer has no right to nonceless vouchers";
		return MST_E_RVR_NONCELESS_DENIED;
	}
	/* 8.5: only what the customer's policy allows is pinned; its anchors are that policy. */
	if (r->party->anchors != NULL && !r->party_by_chain) {
		report->detail = "the registrar's chain is not under the customer's anchors";
		return MST_E_RVR_NONCELESS_DENIED;
	}
	return MST_OK;
}

/* 8.4 step 10 and the assertion that follows from steps 9 and 10. */
static mst_err
judge_prior(const struct masa_judge_in *in, struct arena *a, const struct masa_rvr *r,
    struct masa_report *report, struct mst_voucher_claims *pvr, struct masa_verdict *v)
{
	const struct mst_voucher_claims *c = &r->env.claims;
	mst_err e;

	v->voucher.assertion = MST_ASSERT_LOGGED;
	if (r->device.customer != 0) /* step 8 has shown that it is the one who asks */
		v->voucher.assertion = MST_ASSERT_VERIFIED;
	if (c->prior_request.ptr == NULL) {
		if (c->nonce.ptr != NULL && in->policy->prior == MASA_PRIOR_REQUIRED)
			return MST_E_PRIOR_MISSING;
		return MST_OK;
	}
	/* A prior that fails is a refusal, whatever the policy says about one that is absent. */
	if ((e = masa_prior_judge(in, a, r, report, pvr)) != MST_OK)
		return e;
	/* RFC 8995 5.5.5: proximity; without a nonce its time is unknown, so not there (8.4 step
	 * 9). */
	if (c->nonce.ptr != NULL)
		v->voucher.assertion = MST_ASSERT_PROXIMITY;
	return masa_sha256(a, c->prior_request, &v->entry.pvr_sha256);
}

static bool
wants_id_data(const struct masa_policy *p, const char *product)
{
	for (size_t i = 0; product != NULL && i < p->id_data_count; i++)
		if (strcmp(p->id_data_products[i], product) == 0)
			return true;
	return false;
}

/* What the voucher says beside pin, assertion and expiry (RFC 8995 5.6). */
static void
fill_voucher(const struct masa_judge_in *in, const struct masa_rvr *r, struct masa_verdict *v)
{
	const struct mst_voucher_claims *c = &r->env.claims;

	v->voucher.created_on = in->clock.now;
	v->voucher.serial = c->serial;
	v->voucher.nonce = c->nonce;
	v->voucher.nonce_text = c->nonce_text; /* DM-2: echoed as it came */
	v->voucher.revocation_checks = 0;
}

static void
fill_entry(const struct masa_judge_in *in, const struct masa_rvr *r, struct masa_verdict *v)
{
	v->entry.at = in->clock.now;
	v->entry.device = r->device.id;
	v->entry.customer = r->party != NULL ? r->party->row.id : 0;
	v->entry.assertion = v->voucher.assertion;
	v->entry.client = in->client_name;
	v->entry.source = in->source;
}

/* 8.4 step 14: what the pledge can read and the key can sign; 406 before anything is logged. */
static mst_err
judge_form(const struct masa_judge_in *in, const struct masa_rvr *r, struct masa_report *report)
{
	bool nonced = r->env.claims.nonce.ptr != NULL;
	mst_err e = masa_accept_judge(in->accept, in->media);

	if (e != MST_OK || in->media != MST_MEDIA_COSE_CBOR ||
	    !(nonced ? in->policy->rsa_short : in->policy->rsa_long))
		return e;
	report->detail = "the voucher key is RSA, which COSE vouchers do not know";
	return MST_E_MEDIA_ACCEPT;
}

mst_err
masa_judge_rvr(const struct masa_judge_in *in, struct arena *a, struct masa_report *report,
    struct masa_verdict *out)
{
	struct mst_voucher_claims pvr;
	struct masa_verdict v = { 0 };
	struct masa_rvr r;
	mst_err e;

	*report = (struct masa_report){ 0 };
	mst_voucher_claims_init(&v.voucher, MST_VOUCHER);
	mst_voucher_claims_init(&pvr, MST_VOUCHER_REQUEST);
	if ((e = masa_rvr_open(in, a, report, &r)) != MST_OK || /* 3 to 7 */
	    (e = judge_device(&r, report)) != MST_OK || /* 8 */
	    (e = judge_nonceless(&r, report)) != MST_OK || /* 9 */
	    (e = judge_prior(in, a, &r, report, &pvr, &v)) != MST_OK) /* 10; 11 is PRM's */
		return e;
	/* 12, 13; a prior that is absent says nothing about the kind of pin. */
	e = masa_pin(in, a, &r, r.env.claims.prior_request.ptr != NULL ? &pvr : NULL, report, &v);
	if (e != MST_OK)
		return e;
	/* 14: what the pledge can read, RFC 8995 5.6. */
	if ((e = judge_form(in, &r, report)) != MST_OK ||
	    (e = masa_sha256(a, in->rvr, &v.entry.rvr_sha256)) != MST_OK ||
	    /* AUD-5: the nonce as text, as it was used. */
	    (e = envelope_nonce_text(a, &r.env.claims, &v.entry.nonce)) != MST_OK)
		return e;
	fill_voucher(in, &r, &v);
	fill_entry(in, &r, &v);
	v.media = in->media;
	v.id_data = wants_id_data(in->policy, r.device.product);
	/* SEC-2: the long-lived key signs what has no nonce, and nothing else. */
	v.slot = v.voucher.nonce.ptr != NULL ? in->policy->slot_short : in->policy->slot_long;
	v.device = r.device;
	v.customer = r.party != NULL ? r.party->row.name : NULL;
	*out = v;
	return MST_OK;
}

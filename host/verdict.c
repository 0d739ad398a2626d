/* SPDX-License-Identifier: Apache-2.0 */
#include "host/verdict.h"

#include <string.h>

#include "host/inspect.h"
#include "muster/base64.h"

static bool
from_hex(mst_span text, struct mst_buf *out)
{
	for (size_t i = 0; i + 1 < text.len; i += 2) {
		unsigned v = 0;

		for (size_t k = i; k < i + 2; k++) {
			uint8_t c = text.ptr[k] | 0x20;

			if (c >= '0' && c <= '9')
				v = v << 4 | (unsigned)(c - '0');
			else if (c >= 'a' && c <= 'f')
				v = v << 4 | (unsigned)(c - 'a' + 10);
			else
				return false;
		}
		if (mst_buf_put_byte(out, (uint8_t)v) != MST_OK)
			return false;
	}
	return text.len != 0 && text.len % 2 == 0;
}

/* A person may hold the nonce as text, as base64 or as hex of the bytes: the reading that fits
 * counts (DM-2). */
static void
choose_nonce(struct arena *a, const char *text, const struct mst_voucher_claims *c,
    struct mst_voucher_want *want)
{
	mst_span s = mst_span_str(text);
	struct mst_buf base64 = arena_buf(a, s.len + 1), hex = arena_buf(a, s.len + 1);

	want->nonce_text = s;
	if (hex.cap != 0 && from_hex(s, &hex) &&
	    mst_nonce_eq(MST_NONE, c->nonce, MST_NONE, mst_buf_span(&hex)))
		want->nonce = mst_buf_span(&hex);
	else if (base64.cap != 0 && mst_base64_decode(s, MST_BASE64_URL, &base64) == MST_OK)
		want->nonce = mst_buf_span(&base64);
}

static mst_err
judge(struct arena *a, mst_span message, const struct verdict_want *w, struct verdict *v)
{
	struct mst_voucher_want want = { .serial = w->serial,
		.idevid_issuer = w->idevid_issuer,
		.refuse_nonceless = w->nonceless == VERDICT_NONCELESS_REFUSED,
		.clock = w->clock };
	const struct mst_voucher_claims *c = &v->env.claims;
	mst_err e =
	    envelope_open(a, v->media, MST_VOUCHER, message, anchors_certs(w->anchors), &v->env);

	if (e != MST_OK)
		return e;
	v->opened = true;
	v->nonced = c->nonce.ptr != NULL || c->nonce_text.ptr != NULL;
	v->nonce_judged = !v->nonced || w->nonce != NULL;
	v->issuer_judged = c->idevid_issuer.ptr == NULL || w->idevid_issuer.ptr != NULL;
	/* 8.7 step 2, CMS-9 */
	e = chain_verify(
	    w->anchors, v->env.signer, v->env.certs, &w->clock, CHAIN_NOTHING_ELSE, NULL);
	if (e != MST_OK)
		v->detail = arena_printf(a, "%s", cert_why());
	if (e == MST_E_X509_CHAIN)
		e = MST_E_VOUCHER_SIGNER;
	if (e != MST_OK)
		return e;
	/* Who knows no IDevID cannot judge its issuer; the report says so. */
	if (w->idevid_issuer.ptr == NULL)
		want.idevid_issuer = c->idevid_issuer;
	if (w->nonce != NULL)
		choose_nonce(a, w->nonce, c, &want);
	return mst_voucher_check(c, &want, &v->voucher);
}

void
verdict_voucher(
    struct arena *a, mst_span file, const struct verdict_want *want, struct verdict *out)
{
	struct verdict v = { .detail = "" };
	mst_span message;

	v.err = inspect_message(a, file, &v.media, &message);
	if (v.err != MST_OK)
		v.detail = arena_printf(a, "%s", inspect_why());
	else
		v.err = judge(a, message, want, &v);
	if (v.detail == NULL)
		v.detail = "";
	*out = v;
}

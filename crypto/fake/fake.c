/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of struct mst_crypto over the toy formats. */
#include "crypto/fake/fake.h"

/* Counts the call; MST_OK unless this one is to fail. */
static mst_err
enter(struct fake_crypto *f, enum fake_call call)
{
	f->count[call]++;
	f->calls++;
	if (f->calls == f->fail_at)
		return f->fail_with;
	return f->script[call];
}

static mst_err
fake_random(void *ctx, uint8_t *out, size_t len)
{
	struct fake_crypto *f = ctx;
	mst_err e;

	if ((e = enter(f, FAKE_RANDOM)) != MST_OK)
		return e;
	for (size_t i = 0; i < len; i++) {
		f->random = f->random * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(f->random >> 56);
	}
	return MST_OK;
}

static mst_err
fake_request_seal(
    void *ctx, enum mst_media media, const struct mst_voucher_claims *claims, struct mst_buf *out)
{
	struct fake_crypto *f = ctx;
	mst_err e;

	if ((e = enter(f, FAKE_REQUEST_SEAL)) != MST_OK)
		return e;
	return fake_seal(media, claims, f->idevid_key, out);
}

static mst_err
fake_voucher_open(void *ctx, enum mst_media media, mst_span message, const struct mst_clock *clock,
    struct mst_buf *store, struct mst_voucher_claims *out)
{
	struct fake_crypto *f = ctx;
	struct mst_voucher_claims c;
	mst_span kept;
	uint32_t signer = 0;
	mst_err e;

	(void)clock;
	if ((e = enter(f, FAKE_VOUCHER_OPEN)) != MST_OK ||
	    (e = mst_buf_keep(store, message, &kept)) != MST_OK ||
	    (e = fake_open(media, kept, &c, &signer)) != MST_OK)
		return e;
	if (signer != f->masa_key)
		return MST_E_VOUCHER_SIGNER;
	*out = c;
	return MST_OK;
}

/* Does the chain lead from its EE to the key `anchor`, each signed by the next? */
static mst_err
chain_to(uint32_t anchor, const struct mst_chain *chain)
{
	struct fake_cert ee, c;

	if (chain->count == 0 || fake_cert_parse(chain->cert[0], &ee) != MST_OK)
		return MST_E_VOUCHER_TLS_CHAIN;
	if (ee.key == anchor)
		return MST_OK; /* the pinned key itself: 8.7 step 9 */
	c = ee;
	for (size_t i = 1; c.issuer != anchor; i++) {
		struct fake_cert up;

		if (i >= chain->count || fake_cert_parse(chain->cert[i], &up) != MST_OK ||
		    up.key != c.issuer || !(up.flags & FAKE_CERT_CA))
			return MST_E_VOUCHER_TLS_CHAIN;
		c = up;
	}
	return ee.flags & FAKE_CERT_RA ? MST_OK : MST_E_VOUCHER_NOT_RA;
}

static uint32_t
number_of(mst_span s)
{
	return (uint32_t)s.ptr[0] << 24 | (uint32_t)s.ptr[1] << 16 | (uint32_t)s.ptr[2] << 8 |
	       s.ptr[3];
}

static mst_err
fake_pin_judge(void *ctx, const struct mst_voucher *voucher, const struct mst_chain *chain,
    const struct mst_clock *clock)
{
	struct fake_cert pin;
	mst_err e;

	(void)clock;
	if ((e = enter(ctx, FAKE_PIN_JUDGE)) != MST_OK)
		return e;
	if (voucher->pinned_pubk.len >= 4)
		return chain_to(number_of(voucher->pinned_pubk), chain);
	if (voucher->pinned_pubk_sha256.len == 32)
		return chain_to(number_of(voucher->pinned_pubk_sha256), chain);
	if (fake_cert_parse(voucher->pinned_cert, &pin) != MST_OK)
		return MST_E_VOUCHER_TLS_CHAIN;
	return chain_to(pin.key, chain);
}

/* The i-th certificate of a concatenation; false after the last or at a broken one. */
static bool
nth(mst_span all, size_t i, struct fake_cert *out)
{
	if (all.ptr == NULL || (i + 1) * FAKE_CERT_LEN > all.len)
		return false;
	return fake_cert_parse(mst_span_of(all.ptr + i * FAKE_CERT_LEN, FAKE_CERT_LEN), out) ==
	       MST_OK;
}

static mst_err
fake_anchors_judge(
    void *ctx, mst_span anchors, const struct mst_chain *chain, const struct mst_clock *clock)
{
	struct fake_cert a;
	mst_err e;

	(void)clock;
	if ((e = enter(ctx, FAKE_ANCHORS_JUDGE)) != MST_OK)
		return e;
	e = MST_E_VOUCHER_TLS_CHAIN;
	for (size_t i = 0; e != MST_OK && nth(anchors, i, &a); i++)
		if (a.flags & FAKE_CERT_CA)
			e = chain_to(a.key, chain);
	return e;
}

/* Is c the pin, its issuer, one of those held, or signed by one of them (NewWithOld)? */
static bool
is_vouched(const struct fake_cert *c, mst_span pinned_cert, mst_span held)
{
	struct fake_cert a;

	if (fake_cert_parse(pinned_cert, &a) == MST_OK &&
	    (c->key == a.key || c->issuer == a.key || a.issuer == c->key))
		return true;
	for (size_t i = 0; nth(held, i, &a); i++)
		if (c->key == a.key || c->issuer == a.key)
			return true;
	return false;
}

static mst_err
fake_cacerts_open(void *ctx, enum mst_form form, mst_span body, mst_span pinned_cert, mst_span held,
    const struct mst_clock *clock, struct mst_buf *out)
{
	struct fake_cert c;
	mst_err e;

	(void)clock;
	if ((e = enter(ctx, FAKE_CACERTS_OPEN)) != MST_OK)
		return e;
	if (form == MST_FORM_OTHER || body.ptr == NULL || body.len == 0 ||
	    body.len % FAKE_CERT_LEN != 0)
		return MST_E_PLEDGE_CA_CERTS;
	for (size_t i = 0; i < body.len / FAKE_CERT_LEN; i++)
		if (!nth(body, i, &c) || !(c.flags & FAKE_CERT_CA) ||
		    !is_vouched(&c, pinned_cert, held))
			return MST_E_PLEDGE_CA_CERTS;
	return mst_buf_put(out, body);
}

static mst_err
fake_csr_build(void *ctx, enum mst_form form, mst_span csrattrs, bool renew, struct mst_buf *out)
{
	struct fake_crypto *f = ctx;
	uint8_t head[9] = { 'C', 'S', 'R', form == MST_FORM_DER ? 'D' : '1' };
	mst_err e;

	if ((e = enter(f, FAKE_CSR_BUILD)) != MST_OK)
		return e;
	if (mst_span_eq(csrattrs, FAKE_CSRATTRS_BAD))
		return MST_E_PLEDGE_CSRATTRS;
	f->csr_key = f->next_key++;
	for (size_t i = 0; i < 4; i++)
		head[4 + i] = (uint8_t)(f->csr_key >> (24 - 8 * i));
	head[8] = renew ? 1 : 0;
	if ((e = mst_buf_put(out, mst_span_of(head, sizeof(head)))) != MST_OK)
		return e;
	return csrattrs.ptr == NULL ? MST_OK : mst_buf_put(out, csrattrs);
}

static mst_err
fake_ldevid_open(void *ctx, enum mst_form form, mst_span body, mst_span anchors,
    const struct mst_clock *clock, struct mst_buf *out, int64_t *not_before, int64_t *not_after)
{
	struct fake_crypto *f = ctx;
	struct fake_cert c, a;
	mst_err e;

	(void)clock;
	if ((e = enter(f, FAKE_LDEVID_OPEN)) != MST_OK)
		return e;
	if (form == MST_FORM_MULTIPART || form == MST_FORM_OTHER ||
	    fake_cert_parse(body, &c) != MST_OK || f->csr_key == 0 || c.key != f->csr_key)
		return MST_E_PLEDGE_ENROLL;
	for (size_t i = 0; nth(anchors, i, &a); i++) {
		if (a.key != c.issuer || !(a.flags & FAKE_CERT_CA))
			continue;
		if ((e = mst_buf_put(out, body)) != MST_OK)
			return e;
		*not_before = c.not_before;
		*not_after = c.not_after;
		return MST_OK;
	}
	return MST_E_PLEDGE_ENROLL;
}

static mst_err
fake_root_signed(void *ctx, mst_span ca, mst_span cert)
{
	struct fake_cert a, c;
	mst_err e;

	if ((e = enter(ctx, FAKE_ROOT_SIGNED)) != MST_OK)
		return e;
	if (fake_cert_parse(ca, &a) != MST_OK || fake_cert_parse(cert, &c) != MST_OK ||
	    a.key != a.issuer || !(a.flags & FAKE_CERT_CA) || c.issuer != a.key)
		return MST_E_PLEDGE_ENROLL;
	return MST_OK;
}

struct mst_crypto
fake_crypto(struct fake_crypto *f)
{
	return (struct mst_crypto){
		.ctx = f,
		.random = fake_random,
		.request_seal = fake_request_seal,
		.voucher_open = fake_voucher_open,
		.pin_judge = fake_pin_judge,
		.anchors_judge = fake_anchors_judge,
		.cacerts_open = fake_cacerts_open,
		.csr_build = fake_csr_build,
		.ldevid_open = fake_ldevid_open,
		.root_signed = fake_root_signed,
	};
}

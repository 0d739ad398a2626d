/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place where what a voucher says becomes what a pledge believes.
 * Each step is a clause; the order is that of requirements 8.7, so that of two
 * faults the same one is always named.
 */
#include "muster/voucher.h"

#include "core/base/utf8.h"

static bool
is_empty(mst_span s)
{
	return s.ptr == NULL || s.len == 0;
}

/* In valid UTF-8: a C0 control, DEL, or a C1 control (U+0080 to U+009F). */
static bool
is_control(const uint8_t *p)
{
	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

mst_err
mst_serial_check(mst_span serial)
{
	if (is_empty(serial) || serial.len > MST_SERIAL_MAX || !mst_utf8_ok(serial))
		return MST_E_VOUCHER_SERIAL_FORMAT;
	for (size_t i = 0; i < serial.len; i++)
		if (is_control(serial.ptr + i)) /* ID-9 */
			return MST_E_VOUCHER_SERIAL_FORMAT;
	return MST_OK;
}

bool
mst_nonce_eq(mst_span text_a, mst_span bytes_a, mst_span text_b, mst_span bytes_b)
{
	/* SEC-6: both comparisons always run, so that time tells nothing of which one held. */
	bool text = mst_ct_eq(text_a, text_b);
	bool bytes = mst_ct_eq(bytes_a, bytes_b);

	text &= !is_empty(text_a) && !is_empty(text_b);
	bytes &= !is_empty(bytes_a) && !is_empty(bytes_b);
	return text | bytes;
}

bool
mst_idevid_issuer_eq(mst_span theirs, mst_span own)
{
	mst_span sequence, keyid;

	if (is_empty(theirs) || is_empty(own))
		return false;
	if (mst_span_eq(theirs, own))
		return true;
	/* ID-8: the usual shape 04 len 30 len 80 len keyIdentifier, short lengths only. */
	if (own.len < 6 || own.ptr[0] != 0x04 || own.ptr[1] != own.len - 2 || own.ptr[2] != 0x30 ||
	    own.ptr[3] != own.len - 4)
		return false;
	sequence = mst_span_of(own.ptr + 2, own.len - 2);
	if (mst_span_eq(theirs, sequence))
		return true;
	if (own.ptr[4] != 0x80 || own.ptr[5] != own.len - 6 || own.len == 6)
		return false;
	keyid = mst_span_of(own.ptr + 6, own.len - 6);
	return mst_span_eq(theirs, keyid);
}

static bool
is_hex(mst_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
			return false;
	}
	return true;
}

static bool
length_fits(size_t len)
{
	return len >= MST_NONCE_MIN && len <= MST_NONCE_MAX;
}

/* In CBOR a nonce is bytes and has no text (DM-2): a device for that alone needs none of this. */
static mst_span
text_of_nonce(const struct mst_voucher_claims *c)
{
#ifdef MUSTER_ONLY_CONSTRAINED
	(void)c;
	return MST_NONE;
#else
	return c->nonce_text;
#endif
}

/*
 * 8366bis: length "8..32". DM-2: in JSON the nonce is opaque text, and peers
 * send hex or plain words such as "abcd1234" that decode to too few or too
 * many bytes by accident; unpadded text may be read as those, too. Padded text
 * is base64 and nothing else.
 */
static bool
nonce_length_ok(const struct mst_voucher_claims *c)
{
	mst_span text = text_of_nonce(c);
	bool padded = text.len > 0 && text.ptr[text.len - 1] == '=';

	if (text.len > MST_NONCE_TEXT_MAX)
		return false;
	if (c->nonce.ptr != NULL && length_fits(c->nonce.len))
		return true;
	if (text.ptr == NULL || padded)
		return false;
	return length_fits(text.len) || (is_hex(text) && length_fits(text.len / 2));
}

static bool
has_nonce(const struct mst_voucher_claims *c)
{
	return c->nonce.ptr != NULL || text_of_nonce(c).ptr != NULL;
}

mst_err
mst_request_check(const struct mst_voucher_claims *c)
{
	mst_err e;

	if (c->kind != MST_VOUCHER_REQUEST)
		return MST_E_VOUCHER_KIND;
	if ((e = mst_serial_check(c->serial)) != MST_OK)
		return e;
	if (has_nonce(c) && !nonce_length_ok(c))
		return MST_E_VOUCHER_NONCE_LENGTH;
	if (has_nonce(c) && c->expires_on != MST_NO_TIME)
		return MST_E_VOUCHER_EXPIRES_WITH_NONCE;
	return MST_OK;
}

/* Is it ours at all: kind, assertion, 8.7 steps 3 and 4. */
static mst_err
identity_check(const struct mst_voucher_claims *c, const struct mst_voucher_want *want)
{
	mst_err e;

	if (c->kind != MST_VOUCHER)
		return MST_E_VOUCHER_KIND;
	/* 8366bis 8: the assertion MUST be acceptable; an unknown one never is. */
	if (c->assertion < MST_ASSERT_VERIFIED || c->assertion > MST_ASSERT_AGENT_PROXIMITY)
		return MST_E_VOUCHER_ASSERTION;
	if ((e = mst_serial_check(c->serial)) != MST_OK)
		return e;
	/* RFC 8995 5.6.1: serial-number MUST match the pledge's own. */
	if (is_empty(want->serial) || !mst_span_eq(c->serial, want->serial))
		return MST_E_VOUCHER_SERIAL;
	/* 8366bis 8: if present, idevid-issuer MUST be the IDevID's own issuer. */
	if (c->idevid_issuer.ptr != NULL &&
	    !mst_idevid_issuer_eq(c->idevid_issuer, want->idevid_issuer))
		return MST_E_VOUCHER_IDEVID_ISSUER;
	return MST_OK;
}

/* Is it meant for this attempt: 8.7 step 5. */
static mst_err
freshness_check(const struct mst_voucher_claims *c, const struct mst_voucher_want *want)
{
	bool wanted = want->nonce.ptr != NULL || want->nonce_text.ptr != NULL;

	if (has_nonce(c) && c->expires_on != MST_NO_TIME)
		return MST_E_VOUCHER_EXPIRES_WITH_NONCE;
	/* 8366bis 8, YANG: must '../expires-on'. */
	if (c->last_renewal != MST_NO_TIME && c->expires_on == MST_NO_TIME)
		return MST_E_VOUCHER_LAST_RENEWAL;
	if (has_nonce(c) && !nonce_length_ok(c))
		return MST_E_VOUCHER_NONCE_LENGTH;
	/* RFC 8995 7.2: a nonceless voucher is accepted unless policy says otherwise. */
	if (!has_nonce(c))
		return want->refuse_nonceless ? MST_E_VOUCHER_NONCELESS : MST_OK;
	/* RFC 8995 5.6.1: if present, the nonce MUST match the one sent. */
	if (wanted && !mst_nonce_eq(text_of_nonce(c), c->nonce, want->nonce_text, want->nonce))
		return MST_E_VOUCHER_NONCE;
	return MST_OK;
}

/* RFC 8995 2.6.1: dates count only where the clock does (8.7 step 6). */
static mst_err
time_check(const struct mst_voucher_claims *c, const struct mst_clock *clock)
{
	if (clock->trust != MST_CLOCK_TRUSTED)
		return MST_OK;
	if (c->created_on != MST_NO_TIME && c->created_on > clock->now &&
	    c->created_on - MST_CREATED_ON_SKEW > clock->now)
		return MST_E_VOUCHER_NOT_YET;
	if (c->expires_on != MST_NO_TIME && c->expires_on <= clock->now)
		return MST_E_VOUCHER_EXPIRED;
	return MST_OK;
}

/*
 * DM-4 (8366bis 8): of several pins the one of the kind this pledge used in its
 * request counts, which is the certificate; nonceless, or without that kind,
 * the first understood of pubk-sha256, pubk, cert.
 */
static mst_err
pin_choose(const struct mst_voucher_claims *c, struct mst_voucher *v)
{
	bool hash = c->pinned_pubk_sha256.ptr != NULL && c->pinned_pubk_sha256.len == 32;
	bool cert = !is_empty(c->pinned_cert);

	if (has_nonce(c) && cert)
		v->pinned_cert = c->pinned_cert;
	else if (hash)
		v->pinned_pubk_sha256 = c->pinned_pubk_sha256;
	else if (!is_empty(c->pinned_pubk))
		v->pinned_pubk = c->pinned_pubk;
	else if (cert)
		v->pinned_cert = c->pinned_cert;
	else
		return MST_E_VOUCHER_PIN; /* RFC 8995 5.6.1: fail gracefully */
	return MST_OK;
}

mst_err
mst_voucher_check(const struct mst_voucher_claims *claims, const struct mst_voucher_want *want,
    struct mst_voucher *out)
{
	struct mst_voucher v = {
		.assertion = claims->assertion,
		.serial = claims->serial,
		.est_domain = claims->est_domain,
		.additional_configuration_url = claims->additional_configuration_url,
		.expires_on = claims->expires_on,
		.nonceless = !has_nonce(claims),
	};
	mst_err e;

	if ((e = identity_check(claims, want)) != MST_OK ||
	    (e = freshness_check(claims, want)) != MST_OK ||
	    (e = time_check(claims, &want->clock)) != MST_OK ||
	    (e = pin_choose(claims, &v)) != MST_OK)
		return e;
	/* 8366bis 8: true demands a revocation check, which nothing here can make. */
	if (claims->revocation_checks == 1)
		return MST_E_VOUCHER_REVOCATION;
	*out = v;
	return MST_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vouchers and voucher-requests as data (RFC 8366bis sections 8 and 9), and
 * the one check that turns what was read into what may be trusted.
 */
#ifndef MUSTER_VOUCHER_H
#define MUSTER_VOUCHER_H

#include "muster/span.h"
#include "muster/time.h"

enum mst_voucher_kind {
	MST_VOUCHER, /* "ietf-voucher:voucher", SID 2451 */
	MST_VOUCHER_REQUEST, /* "ietf-voucher-request:voucher", SID 2501 */
};

enum mst_assertion { /* numeric values are those of the YANG enumeration */
	MST_ASSERT_ABSENT = -1,
	MST_ASSERT_VERIFIED = 0,
	MST_ASSERT_LOGGED = 1,
	MST_ASSERT_PROXIMITY = 2,
	MST_ASSERT_AGENT_PROXIMITY = 3,
};

/* Envelope and payload encoding of a voucher, as named by its media type. */
enum mst_media {
	MST_MEDIA_NONE,
	MST_MEDIA_CMS_JSON, /* application/voucher-cms+json */
	MST_MEDIA_JWS_JSON, /* application/voucher-jws+json */
	MST_MEDIA_COSE_CBOR, /* application/voucher+cose */
};

/* "application/voucher-cms+json" etc.; "" for NONE. */
const char *mst_media_type(enum mst_media m);
/* Case-insensitive, parameters ignored; MST_MEDIA_NONE when unknown. */
enum mst_media mst_media_find(mst_span content_type);

/* Bounds of requirements DM-5. */
#define MST_SERIAL_MAX 256
#define MST_NONCE_MIN 8
#define MST_NONCE_MAX 32
#define MST_NONCE_TEXT_MAX 128
#define MST_NO_TIME INT64_MIN
/*
 * created-on may lie this many seconds ahead of a trusted clock: a battery
 * clock drifts by minutes, and a voucher must not be refused for that.
 * expires-on has no such allowance.
 */
#define MST_CREATED_ON_SKEW 300

/*
 * What was read, from whatever encoding: not trusted. Every span points into
 * the storage that the parser was lent; ptr NULL means the leaf was absent.
 * Binary leaves are decoded bytes. Times absent are MST_NO_TIME.
 */
struct mst_voucher_claims {
	enum mst_voucher_kind kind;
	enum mst_assertion assertion;
	int64_t created_on;
	int64_t expires_on;
	int64_t last_renewal;
	mst_span serial; /* UTF-8 text */
	mst_span nonce; /* decoded bytes where the text decodes, else the text's bytes */
	mst_span nonce_text; /* JSON only: the text exactly as received (DM-2); absent in CBOR */
	mst_span idevid_issuer;
	mst_span pinned_cert; /* DER */
	mst_span pinned_pubk; /* DER SPKI */
	mst_span pinned_pubk_sha256; /* 32 bytes */
	int revocation_checks; /* -1 absent, 0 false, 1 true */
	mst_span proximity_cert; /* request: DER */
	mst_span proximity_pubk; /* request: DER SPKI */
	mst_span proximity_pubk_sha256;
	mst_span prior_request; /* request: the whole signed PVR */
	mst_span est_domain;
	mst_span additional_configuration_url;
	mst_span manufacturer_proprietary;
	unsigned unknown; /* how many leaves were not understood and ignored */
};

/* All absent. */
void mst_voucher_claims_init(struct mst_voucher_claims *c, enum mst_voucher_kind kind);

/*
 * Vouchers in YANG-CBOR (RFC 9254; RFC 8366bis 8.5 and 9.3, requirements
 * section 4): {2451: {...}} or {2501: {...}}. As keys are taken SID deltas,
 * names and absolute SIDs (Tag 47), mixed; one leaf twice, whatever the
 * spelling, is a duplicate, and so is any other key. What is in a leaf that is
 * not understood is well-formed CBOR, no more is asked. No allocation: spans
 * point into cbor. Built with MUSTER_ONLY_CONSTRAINED names are not understood
 * and accept is taken as 0.
 *
 * Older writers are taken only where a manufacturer's entry says so (section
 * 19): accept is a set of these, 0 for current drafts alone.
 */
enum mst_voucher_legacy {
	/* outer SIDs 1001100 and 1001154, the same deltas (drafts before 8366bis) */
	MST_LEGACY_SIDS = 1,
	/* assertion as text, dates under Tag 0 or 1, serial as bytes, nonce as text (Minerva) */
	MST_LEGACY_TYPES = 2,
};
/*
 * Refusals: MST_E_CBOR*, MST_E_VOUCHER_PARSE, MST_E_VOUCHER_KIND (the other
 * kind's outer key). An assertion that is no known one stays absent; leaves
 * not understood are skipped and counted.
 */
MST_MUST_USE mst_err mst_voucher_cbor_parse(
    mst_span cbor, enum mst_voucher_kind kind, unsigned accept, struct mst_voucher_claims *out);
/*
 * Append the deterministic encoding (RFC 8949 4.2.1) with the current SIDs as
 * deltas, dates as UTC text. Leaves that are not of this kind are not written.
 * Nothing is appended on a refusal: MST_E_SPACE, MST_E_CBOR_UTF8,
 * MST_E_TIME_FORMAT.
 */
MST_MUST_USE mst_err mst_voucher_cbor_build(
    const struct mst_voucher_claims *claims, struct mst_buf *out);

/* "verified", ...; "" when absent. */
const char *mst_assertion_name(enum mst_assertion a);
enum mst_assertion mst_assertion_find(mst_span name);

/* What the pledge knows about itself and its attempt. */
struct mst_voucher_want {
	mst_span serial; /* own serial number; must not be empty */
	mst_span idevid_issuer; /* own: requirements ID-8 */
	mst_span nonce; /* bytes sent in the PVR; absent only when judged offline */
	mst_span nonce_text; /* JSON: the text sent in the PVR, if that was the form */
	bool refuse_nonceless; /* provisioned policy (8.7 step 5); default accepts, RFC 8995 7.2 */
	struct mst_clock clock;
};

/*
 * A voucher that passed mst_voucher_check. Only the check makes one. Exactly
 * one pinned_* is present, the one that DM-4 makes count; the others are
 * absent even when the voucher carried them.
 */
struct mst_voucher {
	enum mst_assertion assertion;
	mst_span serial;
	mst_span pinned_cert;
	mst_span pinned_pubk;
	mst_span pinned_pubk_sha256;
	mst_span est_domain;
	mst_span additional_configuration_url;
	int64_t expires_on; /* MST_NO_TIME if none */
	bool nonceless;
};

/*
 * The pledge's judgement of a voucher whose signature has been verified:
 * requirements 8.7 steps 3 to 8, in that order. Pure. Spans of *out are those
 * of claims. Refusals: MST_E_VOUCHER_{KIND,ASSERTION,SERIAL_FORMAT,SERIAL,
 * IDEVID_ISSUER,EXPIRES_WITH_NONCE,LAST_RENEWAL,NONCE_LENGTH,NONCELESS,NONCE,
 * NOT_YET,EXPIRED,PIN,REVOCATION}.
 */
MST_MUST_USE mst_err mst_voucher_check(const struct mst_voucher_claims *claims,
    const struct mst_voucher_want *want, struct mst_voucher *out);

/*
 * The part of the data model every role checks on a request (PVR or RVR)
 * before judging it further: kind, serial format (ID-9), nonce length, nonce
 * against expiry. last-renewal-date and domain-cert-revocation-checks have no
 * meaning in a request and are ignored (ietf-voucher-request YANG). Refusals:
 * MST_E_VOUCHER_{KIND,SERIAL_FORMAT,NONCE_LENGTH,EXPIRES_WITH_NONCE}.
 */
MST_MUST_USE mst_err mst_request_check(const struct mst_voucher_claims *claims);

/* Nonces equal: exact text first, then bytes, in constant time (DM-2). */
bool mst_nonce_eq(mst_span text_a, mst_span bytes_a, mst_span text_b, mst_span bytes_b);

/*
 * ID-8: does an idevid-issuer name our own (an AKI extnValue OCTET STRING with
 * its tag and length)? Read forms: exactly that, the bare SEQUENCE inside it,
 * or the bare keyIdentifier. False when either is absent.
 */
bool mst_idevid_issuer_eq(mst_span theirs, mst_span own);

/* ID-9: 1..256 bytes of valid UTF-8 without control characters. */
MST_MUST_USE mst_err mst_serial_check(mst_span serial);

#endif

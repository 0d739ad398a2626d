/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pledge's verdict on any voucher, offline: the same functions in the same
 * order as a device (requirements 8.7 steps 1 to 8), for `muster voucher check`.
 */
#ifndef HOST_VERDICT_H
#define HOST_VERDICT_H

#include "host/cert.h"
#include "host/envelope.h"

struct verdict_want {
	mst_span serial; /* the device's; needed */
	mst_span idevid_issuer; /* absent: the voucher's, if any, is not judged */
	const char *nonce; /* as in the JSON, or base64 or hex; NULL: not judged */
	enum { VERDICT_NONCELESS_TAKEN, VERDICT_NONCELESS_REFUSED } nonceless;
	const struct anchors *anchors; /* the device's voucher anchors */
	struct mst_clock clock;
};

struct verdict {
	mst_err err; /* MST_OK: accepted */
	const char *detail; /* "" when there is nothing to add */
	enum mst_media media;
	bool nonced, nonce_judged, issuer_judged;
	bool opened; /* claims and env are there */
	struct envelope env;
	struct mst_voucher voucher; /* when accepted */
};

/* file: CMS as DER, PEM, base64 or hex, JWS in JSON, or COSE as it is, base64 or hex. */
void verdict_voucher(
    struct arena *a, mst_span file, const struct verdict_want *want, struct verdict *out);

#endif

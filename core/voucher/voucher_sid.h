/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YANG SIDs of vouchers: RFC 8366bis-35 sections 8.5 and 9.3 (2026-08), which
 * are normative over the .sid files. A leaf's SID is that of its container
 * plus a delta; the deltas of both modules differ where the request has more
 * leaves.
 */
#ifndef MUSTER_CORE_VOUCHER_SID_H
#define MUSTER_CORE_VOUCHER_SID_H

#define SID_VOUCHER 2451 /* /ietf-voucher:voucher */
#define SID_REQUEST 2501 /* /ietf-voucher-request:voucher */

/* Older drafts of the constrained voucher (requirements 19), the same deltas. */
#define SID_VOUCHER_OLD 1001100
#define SID_REQUEST_OLD 1001154

/* RFC 9254 9.3: a key under this tag is an absolute SID. */
#define TAG_SID 47

/* leaf: delta in a voucher, delta in a request; 0: not a leaf of that kind. */
#define SID_ASSERTION 1, 1
#define SID_CREATED_ON 2, 2
#define SID_REVOCATION_CHECKS 3, 3
#define SID_EXPIRES_ON 4, 4
#define SID_IDEVID_ISSUER 5, 5
#define SID_LAST_RENEWAL 6, 6
#define SID_NONCE 7, 7
#define SID_PINNED_CERT 8, 8
#define SID_PINNED_PUBK 9, 17
#define SID_PINNED_PUBK_SHA256 10, 18
#define SID_SERIAL 11, 13
#define SID_CONFIGURATION_URL 12, 19
#define SID_EST_DOMAIN 13, 20
#define SID_PROPRIETARY 14, 22
#define SID_PRIOR_REQUEST 0, 9
#define SID_PROXIMITY_CERT 0, 10
#define SID_PROXIMITY_PUBK_SHA256 0, 11
#define SID_PROXIMITY_PUBK 0, 12

#define SID_DELTA_MAX 22

#endif
